//! How many repetitions an upstream is asked to bear: a tenth of its requests.
//!
//! Repetitions help where a few requests fail. Where all of them fail, they are what keeps an upstream down. So each
//! upstream has a budget: of the requests of the last one to two windows of time, one in ten may be repeated, and a few
//! where there were hardly any requests, so that a quiet upstream is not refused its first repetition.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

/// One window of time. The one under way and the one before it count.
pub(crate) const WINDOW: Duration = Duration::from_secs(10);

/// How many requests earn one repetition.
const REQUESTS_EACH: u64 = 10;

/// How many repetitions there are without having been earned.
const FLOOR: u64 = 2;

/// The budget of one upstream. Taking from it and adding to it are single exchanges of a number, without a lock.
pub(crate) struct Budget {
    begun: Instant,
    /// The windows with an even number and those with an odd one: the one under way and the one before it.
    windows: [AtomicU64; 2],
}

/// What one window has seen; written into 64 bits: 24 for the window, 20 each for requests and repetitions.
#[derive(Clone, Copy)]
struct Seen {
    window: u64,
    requests: u64,
    repetitions: u64,
}

const COUNT: u64 = (1 << 20) - 1;

impl Seen {
    fn read(number: u64) -> Self {
        Self { window: number >> 40, requests: (number >> 20) & COUNT, repetitions: number & COUNT }
    }

    fn written(self) -> u64 {
        self.window << 40 | self.requests.min(COUNT) << 20 | self.repetitions.min(COUNT)
    }

    /// What was seen in a window; nothing, if this is what another one saw.
    fn of(window: u64, number: u64) -> Self {
        let seen = Self::read(number);
        if seen.window == window { seen } else { Self { window, requests: 0, repetitions: 0 } }
    }
}

impl Budget {
    pub(crate) fn new(now: Instant) -> Self {
        Self { begun: now, windows: [AtomicU64::new(0), AtomicU64::new(0)] }
    }

    /// Counts a request that is no repetition.
    pub(crate) fn add_request(&self, now: Instant) {
        let window = self.window(now);
        let count = |number| {
            let seen = Seen::of(window, number);
            Some(Seen { requests: seen.requests + 1, ..seen }.written())
        };
        let _always = self.of(window).fetch_update(Ordering::Relaxed, Ordering::Relaxed, count);
    }

    /// Takes a repetition, if there is one left.
    pub(crate) fn take_repetition(&self, now: Instant) -> bool {
        let window = self.window(now);
        let before = window.wrapping_sub(1);
        let before = Seen::of(before, self.of(before).load(Ordering::Relaxed));
        let take = |number| {
            let seen = Seen::of(window, number);
            let earned = (seen.requests + before.requests) / REQUESTS_EACH;
            let taken = seen.repetitions + before.repetitions;
            (taken < earned.max(FLOOR)).then(|| Seen { repetitions: seen.repetitions + 1, ..seen }.written())
        };
        self.of(window).fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok()
    }

    /// The number of the window under way, from 1, so that a window that was never counted in is not the first one.
    fn window(&self, now: Instant) -> u64 {
        (now.saturating_duration_since(self.begun).as_secs() / WINDOW.as_secs() + 1) & ((1 << 24) - 1)
    }

    fn of(&self, window: u64) -> &AtomicU64 {
        let [even, odd] = &self.windows;
        if window.is_multiple_of(2) { even } else { odd }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_quiet_upstream_has_a_few_and_a_busy_one_a_tenth() {
        let begun = Instant::now();
        let budget = Budget::new(begun);
        let taken = |now| (0..1000).filter(|_| budget.take_repetition(now)).count();
        assert_eq!(taken(begun), 2);
        (0..100).for_each(|_| budget.add_request(begun));
        assert_eq!(taken(begun), 8);
        // The window before counts, those before it do not.
        let next = begun + WINDOW;
        assert_eq!(taken(next), 0);
        (0..50).for_each(|_| budget.add_request(next));
        assert_eq!(taken(next), 5);
        assert_eq!(taken(next + WINDOW * 5), 2);
    }

    #[test]
    fn threads_together_take_no_more_than_there_is() {
        let begun = Instant::now();
        let budget = Budget::new(begun);
        let taken: usize = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4)
                .map(|_| {
                    scope.spawn(|| {
                        let took = |_: &i32| {
                            budget.add_request(begun);
                            budget.take_repetition(begun)
                        };
                        (0..1000).filter(took).count()
                    })
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert_eq!(taken, 400);
    }

    proptest! {
        /// Whatever comes when: never more than a tenth of all requests, and the few of each quiet window.
        #[test]
        fn there_is_never_more_than_a_tenth(storm in prop::collection::vec((0_u64..4_000, 0_usize..40), 1..60)) {
            let begun = Instant::now();
            let budget = Budget::new(begun);
            let (mut now, mut requests, mut repetitions) = (begun, 0, 0);
            for (millis, count) in storm {
                now += Duration::from_millis(millis);
                for _ in 0..count {
                    budget.add_request(now);
                    requests += 1;
                    repetitions += u64::from(budget.take_repetition(now));
                }
            }
            let windows = (now - begun).as_secs() / WINDOW.as_secs() + 1;
            prop_assert!(repetitions <= requests / REQUESTS_EACH + FLOOR * windows, "{repetitions} of {requests}");
        }
    }
}

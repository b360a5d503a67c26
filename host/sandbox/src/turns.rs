//! Who may hold a thread. The host's threads serve everything: requests, the ledger, and the code of connectors. A
//! connector gives its thread back at every tick, but if as many of them computed at once as there are threads, all
//! else would wait a tick or more each time it has something to do. So calls that compute for long take turns on all
//! threads but one, a tick each, in the order in which they ask; those that are done within a tick or two never wait.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};

use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::Semaphore;
use tokio_util::sync::PollSemaphore;

/// Ticks that a call may see pass while it holds a thread before it takes turns. The first may be nearly over when it
/// begins; and a call that the system interrupted for a moment is none that computes for long.
const SHORT: u64 = 2;

/// How many short calls in a row clear a connector of having made a long one. Until then its calls take turns from the
/// start: else many of them, each within its first ticks, would hold all threads.
const CLEARED: u32 = 16;

/// The threads on which long calls take turns.
pub(crate) struct Turns {
    ticks: Arc<AtomicU64>,
    threads: OnceLock<Arc<Semaphore>>,
}

/// What is known of a connector: how many short calls it still owes.
#[derive(Default)]
pub(crate) struct Pace(AtomicU32);

/// One call's share of the threads.
pub(crate) struct Turn<'a> {
    turns: &'a Turns,
    pace: &'a Pace,
    /// Ticks that passed while the call held a thread.
    held: u64,
    /// Set once the call takes turns.
    queue: Option<PollSemaphore>,
}

impl Turns {
    /// Turns that are counted in these ticks.
    pub(crate) fn new(ticks: Arc<AtomicU64>) -> Self {
        Self { ticks, threads: OnceLock::new() }
    }

    /// The share of a call that begins now.
    pub(crate) fn begin<'a>(&'a self, pace: &'a Pace) -> Turn<'a> {
        let queue = (pace.0.load(Ordering::Relaxed) > 0).then(|| self.queue());
        Turn { turns: self, pace, held: 0, queue }
    }

    fn queue(&self) -> PollSemaphore {
        let threads = self.threads.get_or_init(|| {
            let all = Handle::try_current().map_or(1, |runtime| runtime.metrics().num_workers());
            Arc::new(Semaphore::new(all.saturating_sub(1).max(1)))
        });
        PollSemaphore::new(threads.clone())
    }
}

impl Turn<'_> {
    /// Goes on with the call, if it does not have to wait for its turn.
    pub(crate) fn poll<T>(
        &mut self,
        context: &mut Context<'_>,
        go_on: impl FnOnce(&mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        let _thread = match &mut self.queue {
            Some(queue) => ready!(queue.poll_acquire(context)),
            None => None,
        };
        let before = self.turns.ticks.load(Ordering::Acquire);
        let polled = go_on(context);
        self.held += self.turns.ticks.load(Ordering::Acquire).saturating_sub(before);
        if self.held >= SHORT && self.queue.is_none() {
            self.queue = Some(self.turns.queue());
        }
        if self.held >= SHORT {
            self.pace.0.store(CLEARED, Ordering::Relaxed);
        }
        polled
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if self.held < SHORT {
            let less = |owed: u32| owed.checked_sub(1);
            // It fails where nothing is owed, which is as it should be.
            let _ = self.pace.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
        }
    }
}

/// Does long work of the host's own, which cannot be given back half-way, without keeping a thread from what else is
/// to do: another thread serves that meanwhile.
pub(crate) fn apart<T>(work: impl FnOnce() -> T) -> T {
    match Handle::try_current().map(|runtime| runtime.runtime_flavor()) {
        Ok(RuntimeFlavor::MultiThread) => tokio::task::block_in_place(work),
        // Nobody else would serve.
        _ => work(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::future::poll_fn;
    use std::sync::atomic::AtomicUsize;

    use super::*;

    /// A call that sees a number of ticks pass, one in each turn, and counts itself while it holds a thread.
    async fn call(turns: &Turns, pace: &Pace, ticks: u32, now: &AtomicUsize, most: &AtomicUsize) {
        let mut turn = turns.begin(pace);
        let mut left = ticks;
        poll_fn(|context| {
            turn.poll(context, |context| {
                most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                turns.ticks.fetch_add(1, Ordering::SeqCst);
                // So that others are seen here that were let in meanwhile.
                std::thread::yield_now();
                now.fetch_sub(1, Ordering::SeqCst);
                if left == 0 {
                    return Poll::Ready(());
                }
                left -= 1;
                context.waker().wake_by_ref();
                Poll::Pending
            })
        })
        .await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn long_calls_leave_a_thread_and_all_of_them_end() {
        let turns = Arc::new(Turns::new(Arc::default()));
        let pace = Arc::new(Pace::default());
        pace.0.store(CLEARED, Ordering::SeqCst);
        let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let calls: Vec<_> = (0..12)
            .map(|_| {
                let (turns, pace, now, most) = (turns.clone(), pace.clone(), now.clone(), most.clone());
                tokio::spawn(async move { call(&turns, &pace, 10, &now, &most).await })
            })
            .collect();
        for call in calls {
            call.await.unwrap();
        }
        assert!(most.load(Ordering::SeqCst) <= 3, "{most:?} held a thread at once");
        assert_eq!(turns.queue().available_permits(), 3, "all of them are given back");
    }

    #[tokio::test]
    async fn a_long_call_makes_the_next_ones_take_turns_and_short_ones_clear_the_connector() {
        let turns = Turns::new(Arc::default());
        let pace = Pace::default();
        let counts = (AtomicUsize::new(0), AtomicUsize::new(0));
        assert!(turns.begin(&pace).queue.is_none());
        call(&turns, &pace, 5, &counts.0, &counts.1).await;
        for owed in (1..=CLEARED).rev() {
            assert_eq!(pace.0.load(Ordering::SeqCst), owed);
            let mut short = turns.begin(&pace);
            assert!(short.queue.is_some());
            assert_eq!(poll_fn(|context| short.poll(context, |_| Poll::Ready(7))).await, 7);
        }
        assert!(turns.begin(&pace).queue.is_none());
    }

    #[tokio::test]
    async fn a_short_call_never_waits_while_long_ones_hold_their_threads() {
        let turns = Turns::new(Arc::default());
        let pace = Pace::default();
        let _all = turns.queue().clone_inner().acquire_owned().await.unwrap();
        let mut short = turns.begin(&pace);
        assert_eq!(poll_fn(|context| short.poll(context, |_| Poll::Ready(7))).await, 7);
    }
}

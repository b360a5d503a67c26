//! The breaker of one upstream: after so many failures in a row it is left alone for a while, and then tried with a
//! single call before the others follow.
//!
//! ```text
//!              failures in a row                       pause over: the next call
//!            ┌───────────────────► open ◄────────────┐  is let through as a trial
//!            │                      │                 │
//!         closed                    └──────────────► probation
//!            ▲                                        │  │ the trial fails:
//!            └────────────────────────────────────────┘  └ the pause is twice as long
//!                     the trial succeeds
//! ```
//!
//! **Closed** is how things should be. Calls pass; a failure is counted, a success sets the count back. Nothing is
//! locked: whoever passes reads two numbers.
//!
//! **Open** refuses calls at once. That spares callers the wait, frees their places for other upstreams, and leaves the
//! upstream time to recover. The pause is between half and all of what its length says, so that several hosts
//! do not come back at the same moment, and grows with each trial that fails, up to a bound.
//!
//! **Probation** lets one call through, the trial, and refuses the others. A trial that ends without saying anything of
//! the upstream (its caller left) makes room for another one at once.
//!
//! What ends after the breaker has changed since it began changes nothing any more.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use metrics::Gauge;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;
use truc_model::Handle;

use crate::binding::BreakerSettings;
use crate::retry::Jitter;

/// The breaker of one upstream.
pub(crate) struct Breaker {
    name: Name,
    settings: BreakerSettings,
    jitter: Arc<dyn Jitter>,
    gauge: Gauge,
    /// Whether the state is `Closed`; written under the lock only.
    closed: AtomicBool,
    /// How often the breaker has closed, so that calls of an earlier time are told from those of now.
    closings: AtomicU32,
    /// Failures in a row while it is closed.
    failures: AtomicU32,
    state: Mutex<State>,
}

/// Whose breaker it is, for log lines.
pub(crate) struct Name {
    pub(crate) service: String,
    pub(crate) handle: Handle,
}

#[derive(Clone, Copy)]
enum State {
    Closed,
    Open {
        until: Instant,
        /// How many pauses there have been since it was closed, this one included.
        pauses: u32,
    },
    /// One call is under way, to see whether the upstream is back.
    Probation {
        pauses: u32,
    },
}

/// How a breaker stands, as it is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BreakerState {
    /// Calls pass.
    Closed,
    /// Calls are refused.
    Open,
    /// One call is let through.
    Probation,
}

/// Why a call may not pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    /// Nothing is sent for so long.
    Open(Duration),
    /// Another call is the trial.
    Probation,
}

/// What a call says of the upstream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It works.
    Well,
    /// It does not.
    Sick,
    /// Nothing.
    Unknown,
}

/// The permission to make one attempt. Dropped without a verdict it says nothing of the upstream.
pub(crate) struct Pass<'a> {
    breaker: &'a Breaker,
    kind: Kind,
}

#[derive(Clone, Copy)]
enum Kind {
    /// Let through while the breaker was closed, after so many closings.
    Ordinary(u32),
    Trial,
    /// The verdict was given.
    Over,
}

impl Breaker {
    pub(crate) fn new(name: Name, settings: BreakerSettings, jitter: Arc<dyn Jitter>, gauge: Gauge) -> Self {
        gauge.set(number(BreakerState::Closed));
        Self {
            name,
            settings,
            jitter,
            gauge,
            closed: AtomicBool::new(true),
            closings: AtomicU32::new(0),
            failures: AtomicU32::new(0),
            state: Mutex::new(State::Closed),
        }
    }

    /// How it stands.
    pub(crate) fn state(&self) -> BreakerState {
        match *self.lock() {
            State::Closed => BreakerState::Closed,
            State::Open { .. } => BreakerState::Open,
            State::Probation { .. } => BreakerState::Probation,
        }
    }

    /// Whether all calls pass.
    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// Whether a call would be refused now. Asked before a call waits for anything: whoever waits is not the trial yet.
    pub(crate) fn check(&self, now: Instant) -> Result<(), Refused> {
        if self.is_closed() {
            return Ok(());
        }
        match *self.lock() {
            State::Open { until, .. } if now < until => Err(Refused::Open(until - now)),
            State::Probation { .. } => Err(Refused::Probation),
            State::Open { .. } | State::Closed => Ok(()),
        }
    }

    /// Lets a call pass, or not. The first one after a pause is the trial.
    pub(crate) fn pass(&self, now: Instant) -> Result<Pass<'_>, Refused> {
        // Read before it is known to be closed: if it opens and closes in between, the call counts as an earlier one.
        let closings = self.closings.load(Ordering::Acquire);
        let ordinary = || Pass { breaker: self, kind: Kind::Ordinary(closings) };
        if self.is_closed() {
            return Ok(ordinary());
        }
        let mut state = self.lock();
        match *state {
            State::Closed => Ok(ordinary()),
            State::Open { until, .. } if now < until => Err(Refused::Open(until - now)),
            State::Open { pauses, .. } => {
                *state = State::Probation { pauses };
                self.gauge.set(number(BreakerState::Probation));
                tracing::info!(
                    service.name = self.name.service, upstream.handle = %self.name.handle,
                    "breaker in probation: one call is let through"
                );
                Ok(Pass { breaker: self, kind: Kind::Trial })
            }
            State::Probation { .. } => Err(Refused::Probation),
        }
    }

    fn succeeded(&self, kind: Kind) {
        match kind {
            // Most of the time there is nothing to set back, and reading leaves the number in every core's cache.
            Kind::Ordinary(_) => {
                if self.failures.load(Ordering::Relaxed) != 0 {
                    self.failures.store(0, Ordering::Relaxed);
                }
            }
            Kind::Trial => {
                let mut state = self.lock();
                *state = State::Closed;
                self.failures.store(0, Ordering::Relaxed);
                self.closings.fetch_add(1, Ordering::Release);
                // Last: whoever sees it closed sees the rest as well.
                self.closed.store(true, Ordering::Release);
                self.gauge.set(number(BreakerState::Closed));
                tracing::info!(
                    service.name = self.name.service, upstream.handle = %self.name.handle,
                    "breaker closed: the upstream answers again"
                );
            }
            Kind::Over => {}
        }
    }

    fn failed(&self, kind: Kind, now: Instant) {
        match kind {
            Kind::Ordinary(closings) => {
                let most = self.settings.failures;
                if most == 0 || closings != self.closings.load(Ordering::Acquire) {
                    return;
                }
                let failures = self.failures.fetch_add(1, Ordering::Relaxed) + 1;
                if failures >= most {
                    let mut state = self.lock();
                    // Only the first of those that failed at the same time opens it.
                    if matches!(*state, State::Closed) {
                        self.open(&mut state, 1, now);
                    }
                }
            }
            Kind::Trial => {
                let mut state = self.lock();
                if let State::Probation { pauses } = *state {
                    self.open(&mut state, pauses.saturating_add(1), now);
                }
            }
            Kind::Over => {}
        }
    }

    /// A trial that came to nothing: the next call is the trial.
    fn unknown(&self, kind: Kind, now: Instant) {
        if matches!(kind, Kind::Trial) {
            let mut state = self.lock();
            if let State::Probation { pauses } = *state {
                *state = State::Open { until: now, pauses };
                self.gauge.set(number(BreakerState::Open));
            }
        }
    }

    fn open(&self, state: &mut State, pauses: u32, now: Instant) {
        let pause = self.pause(pauses);
        *state = State::Open { until: now + pause, pauses };
        self.closed.store(false, Ordering::Release);
        self.gauge.set(number(BreakerState::Open));
        tracing::warn!(
            service.name = self.name.service, upstream.handle = %self.name.handle, pause = ?pause, pauses,
            "breaker open: nothing is sent to the upstream"
        );
    }

    /// How long the breaker stays open: twice as long each time, and at random up to half of it less.
    fn pause(&self, pauses: u32) -> Duration {
        let BreakerSettings { pause, longest_pause, .. } = self.settings;
        let doublings = pauses.saturating_sub(1).min(20);
        let longest = longest_pause.as_duration();
        let pause = pause.as_duration().saturating_mul(1 << doublings).min(longest);
        pause - self.jitter.up_to(pause / 2)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // The state is one value, assigned whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pass<'_> {
    /// Says how the attempt ended.
    pub(crate) fn end(mut self, verdict: Verdict) {
        match verdict {
            Verdict::Well => self.breaker.succeeded(self.kind),
            Verdict::Sick => self.breaker.failed(self.kind, Instant::now()),
            Verdict::Unknown => self.breaker.unknown(self.kind, Instant::now()),
        }
        self.kind = Kind::Over;
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        self.breaker.unknown(self.kind, Instant::now());
    }
}

/// The state as a number, which grows with how much is refused.
fn number(state: BreakerState) -> f64 {
    match state {
        BreakerState::Closed => 0.0,
        BreakerState::Probation => 1.0,
        BreakerState::Open => 2.0,
    }
}

impl fmt::Display for BreakerState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            BreakerState::Closed => "closed",
            BreakerState::Open => "open",
            BreakerState::Probation => "in probation",
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use truc_model::Millis;

    use super::*;

    /// Waits that are as short as they may be, or as long.
    struct Fixed(f64);

    impl Jitter for Fixed {
        fn up_to(&self, most: Duration) -> Duration {
            most.mul_f64(self.0)
        }
    }

    fn breaker(failures: u32, jitter: f64) -> Breaker {
        let settings = BreakerSettings { failures, pause: Millis(1000), longest_pause: Millis(8000) };
        let name = Name { service: "s".to_owned(), handle: "registry".parse().unwrap() };
        Breaker::new(name, settings, Arc::new(Fixed(jitter)), Gauge::noop())
    }

    impl Breaker {
        fn now_ends(&self, verdict: Verdict) {
            self.pass(Instant::now()).unwrap_or_else(|refused| panic!("{refused:?}")).end(verdict);
        }

        fn refused(&self) -> Refused {
            self.pass(Instant::now()).err().expect("it passes")
        }
    }

    #[tokio::test(start_paused = true)]
    async fn failures_in_a_row_open_it_and_a_success_between_them_does_not() {
        let breaker = breaker(3, 0.0);
        for _ in 0..5 {
            breaker.now_ends(Verdict::Sick);
            breaker.now_ends(Verdict::Sick);
            breaker.now_ends(Verdict::Unknown);
            breaker.now_ends(Verdict::Well);
        }
        assert_eq!(breaker.state(), BreakerState::Closed);
        (0..3).for_each(|_| breaker.now_ends(Verdict::Sick));
        assert_eq!(breaker.state(), BreakerState::Open);
        assert_eq!(breaker.refused(), Refused::Open(Duration::from_secs(1)));
    }

    #[tokio::test(start_paused = true)]
    async fn after_the_pause_one_call_decides() {
        let breaker = breaker(1, 0.0);
        breaker.now_ends(Verdict::Sick);
        tokio::time::advance(Duration::from_millis(999)).await;
        assert_eq!(breaker.refused(), Refused::Open(Duration::from_millis(1)));
        tokio::time::advance(Duration::from_millis(1)).await;
        assert_eq!(breaker.check(Instant::now()), Ok(()));
        let trial = breaker.pass(Instant::now()).ok().unwrap();
        assert_eq!(breaker.state(), BreakerState::Probation);
        assert_eq!(
            (breaker.refused(), breaker.check(Instant::now())),
            (Refused::Probation, Err(Refused::Probation))
        );
        trial.end(Verdict::Well);
        assert_eq!(breaker.state(), BreakerState::Closed);
        // The next failure is the first one again, and the next pause as short as the first.
        breaker.now_ends(Verdict::Sick);
        assert_eq!(breaker.refused(), Refused::Open(Duration::from_secs(1)));
    }

    #[tokio::test(start_paused = true)]
    async fn pauses_grow_up_to_their_bound_and_vary_by_half() {
        for (jitter, factor) in [(0.0, 1.0), (0.5, 0.75), (1.0, 0.5)] {
            let breaker = breaker(1, jitter);
            breaker.now_ends(Verdict::Sick);
            for millis in [1000.0, 2000.0, 4000.0, 8000.0, 8000.0] {
                let Refused::Open(pause) = breaker.refused() else { panic!() };
                assert_eq!(pause.as_millis() as f64, millis * factor);
                tokio::time::advance(pause).await;
                breaker.now_ends(Verdict::Sick);
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_trial_whose_caller_leaves_makes_room_for_the_next() {
        let breaker = breaker(1, 0.0);
        breaker.now_ends(Verdict::Sick);
        tokio::time::advance(Duration::from_secs(1)).await;
        for _ in 0..3 {
            drop(breaker.pass(Instant::now()).ok().unwrap());
            assert_eq!(breaker.state(), BreakerState::Open);
        }
        breaker.now_ends(Verdict::Well);
        assert_eq!(breaker.state(), BreakerState::Closed);
    }

    #[tokio::test(start_paused = true)]
    async fn what_began_before_it_opened_changes_nothing() {
        let breaker = breaker(1, 0.0);
        let [early, earlier, earliest] = [(); 3].map(|()| breaker.pass(Instant::now()).ok().unwrap());
        breaker.now_ends(Verdict::Sick);
        early.end(Verdict::Well);
        assert_eq!(breaker.refused(), Refused::Open(Duration::from_secs(1)));
        earlier.end(Verdict::Sick);
        assert_eq!(breaker.refused(), Refused::Open(Duration::from_secs(1)));
        tokio::time::advance(Duration::from_secs(1)).await;
        breaker.now_ends(Verdict::Well);
        earliest.end(Verdict::Sick);
        assert_eq!(breaker.state(), BreakerState::Closed);
    }

    #[tokio::test(start_paused = true)]
    async fn a_breaker_that_was_switched_off_never_opens() {
        let breaker = breaker(0, 0.0);
        (0..1000).for_each(|_| breaker.now_ends(Verdict::Sick));
        assert_eq!(breaker.state(), BreakerState::Closed);
    }

    proptest! {
        /// Whatever happens in whatever order: at most one trial at a time, nothing passes during a pause, and a
        /// breaker that is left alone lets a call through in the end.
        #[test]
        fn it_never_lets_more_through_than_it_should(steps in prop::collection::vec((0_u8..5, 0_u64..3000), 0..200)) {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
            runtime.block_on(async {
                let breaker = breaker(3, 0.3);
                let mut passes: Vec<Pass<'_>> = Vec::new();
                for (step, number) in steps {
                    match step {
                        0 | 1 => {
                            let (before, now) = (breaker.state(), Instant::now());
                            let passed = breaker.pass(now);
                            match (before, &passed) {
                                (BreakerState::Probation, Ok(_)) => panic!("a second trial"),
                                (BreakerState::Closed, Err(_)) => panic!("refused without a reason"),
                                _ => {}
                            }
                            passes.extend(passed.ok());
                        }
                        2 | 3 if !passes.is_empty() => {
                            let pass = passes.swap_remove(number as usize % passes.len());
                            pass.end(if step == 2 { Verdict::Sick } else { Verdict::Well });
                        }
                        _ => tokio::time::advance(Duration::from_millis(number)).await,
                    }
                    let trials = passes.iter().filter(|pass| matches!(pass.kind, Kind::Trial)).count();
                    assert_eq!(trials, usize::from(breaker.state() == BreakerState::Probation));
                }
                passes.clear();
                tokio::time::advance(Duration::from_secs(8)).await;
                assert!(breaker.pass(Instant::now()).is_ok());
            });
        }
    }
}

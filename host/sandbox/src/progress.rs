//! What is known of a call while it runs, to whoever waits for it: the processor time that it took and the requests to
//! upstreams that it made.
//!
//! Processor time is what threads computed for the call, as the system tells it, and not the time that passed: on a
//! machine that has more to do than processors, a call that computes for a moment is interrupted for long.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// What is counted of one call. All of it is written by the thread that works for the call at the moment.
#[derive(Debug)]
pub(crate) struct Progress {
    /// What the thread it is asked on has computed so far.
    clock: fn() -> Duration,
    /// What the thread that works for the call had computed when it took it up, in nanoseconds.
    resumed: AtomicU64,
    /// What threads computed for the call before that, in nanoseconds.
    spent: AtomicU64,
    heavy: AtomicBool,
    upstream_calls: AtomicU32,
}

impl Progress {
    /// A call for which nothing was done yet. Its work has to be [`Counted`].
    pub(crate) fn new() -> Self {
        Self::by(processor_time)
    }

    /// The same, by another clock.
    pub(crate) fn by(clock: fn() -> Duration) -> Self {
        Self {
            clock,
            resumed: AtomicU64::new(0),
            spent: AtomicU64::new(0),
            heavy: AtomicBool::new(false),
            upstream_calls: AtomicU32::new(0),
        }
    }

    /// The processor time that the call took so far. To be asked by the thread that works for it, while it does.
    pub(crate) fn processor_time(&self) -> Duration {
        let now = nanos((self.clock)()).saturating_sub(self.resumed.load(Ordering::Relaxed));
        Duration::from_nanos(self.spent.load(Ordering::Relaxed).saturating_add(now))
    }

    /// The processor time that it had taken when a thread last laid it down.
    pub(crate) fn laid_down(&self) -> Duration {
        Duration::from_nanos(self.spent.load(Ordering::Relaxed))
    }

    /// Says that what comes next takes long.
    pub(crate) fn grow_heavy(&self) {
        self.heavy.store(true, Ordering::Relaxed);
    }

    /// Whether that was said.
    pub(crate) fn is_heavy(&self) -> bool {
        self.heavy.load(Ordering::Relaxed)
    }

    /// Counts a request to an upstream.
    pub(crate) fn count_upstream_call(&self) {
        self.upstream_calls.fetch_add(1, Ordering::Relaxed);
    }

    /// How many requests to upstreams were made.
    pub(crate) fn upstream_calls(&self) -> u32 {
        self.upstream_calls.load(Ordering::Relaxed)
    }

    /// Does a piece of the call's work on this thread.
    fn working<T>(&self, work: impl FnOnce() -> T) -> T {
        self.resumed.store(nanos((self.clock)()), Ordering::Relaxed);
        let done = work();
        self.spent.store(nanos(self.processor_time()), Ordering::Relaxed);
        done
    }
}

/// Work of a call, which counts what it takes.
#[derive(Debug)]
pub(crate) struct Counted<F> {
    progress: Arc<Progress>,
    work: Pin<Box<F>>,
}

impl<F> Counted<F> {
    /// Work that is counted there. It has a place of its own, as it may go on in another task than it began in.
    pub(crate) fn new(progress: Arc<Progress>, work: F) -> Self {
        Self { progress, work: Box::pin(work) }
    }
}

impl<F: Future> Future for Counted<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let Self { progress, work } = &mut *self;
        progress.working(|| work.as_mut().poll(context))
    }
}

/// The processor time of this thread since it began.
fn processor_time() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).unwrap_or_default()
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compute(time: Duration) {
        let before = processor_time();
        while processor_time() < before + time {
            std::hint::spin_loop();
        }
    }

    #[test]
    fn what_is_computed_counts_and_waiting_does_not() {
        let progress = Progress::new();
        let piece = Duration::from_millis(5);
        progress.working(|| std::thread::sleep(piece * 4));
        assert!(progress.laid_down() < piece, "{progress:?}");
        compute(piece * 2);
        progress.working(|| {
            compute(piece);
            assert!(progress.processor_time() >= piece);
        });
        // Nor does what the thread computed for others between.
        let spent = progress.laid_down();
        assert!(spent >= piece && spent < piece * 2, "{progress:?}");
    }

    #[test]
    fn pieces_on_several_threads_are_added_up() {
        let progress = Progress::new();
        let piece = Duration::from_millis(5);
        compute(piece * 2);
        for _ in 0..2 {
            std::thread::scope(|scope| {
                scope.spawn(|| progress.working(|| compute(piece)));
            });
        }
        let spent = progress.laid_down();
        assert!(spent >= piece * 2 && spent < piece * 4, "{progress:?}");
    }
}

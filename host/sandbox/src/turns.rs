//! Who may hold a thread. The host's threads serve everything: requests, the ledger, and the code of connectors. A
//! connector gives its thread back at every tick, but if as many of them computed at once as there are threads, all
//! else would wait a tick or more each time it has something to do. So calls that compute for long go on in a lane of
//! their own: threads beside the host's, one fewer than these, on which the calls take turns of a tick each, in the order
//! in which they came. Those that are done within a tick never go there.
//!
//! The system gives way to the host's threads before those of the lane, where it has not processors enough for all.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::Poll;
use std::time::Duration;

use tokio::runtime::{Builder, Handle, Runtime, RuntimeFlavor};
use tokio_util::task::AbortOnDropHandle;
use tracing::instrument::WithSubscriber;

use crate::progress::{Counted, Progress};

/// What a call may compute before it goes on in the lane, at the next tick: what it takes to convert some hundred kilobytes.
const SHORT: Duration = Duration::from_millis(5);

/// How many short calls in a row clear a connector of having made a long one. Until then its calls go to the lane from the
/// start: else many of them, each within its first tick, would hold all threads.
const CLEARED: u32 = 16;

/// What the host may hold for the arguments or the result of a call that need not compute for long because of them.
const LIGHT: u64 = 256 << 10;

/// How much the system prefers others to the threads of the lane: they get a tenth of a processor that others want too.
const NICE: i32 = 10;

/// Whether work can be expected to take long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Weight {
    /// It is done in a moment, as far as is known.
    Light,
    /// It takes long for what there is to convert.
    Heavy,
}

impl Weight {
    /// The weight of values for which the host holds that many bytes.
    pub(crate) fn of(held: u64) -> Self {
        if held > LIGHT { Self::Heavy } else { Self::Light }
    }
}

/// The lane for long calls.
pub(crate) struct Turns {
    /// There until it is dropped.
    lane: Option<Runtime>,
}

/// What is known of a connector: how many short calls it still owes.
#[derive(Default)]
pub(crate) struct Pace(AtomicU32);

/// A call, which tells the connector's pace when it ends, however it ends.
struct Paced<'a> {
    pace: &'a Pace,
    progress: &'a Progress,
}

/// Work in the lane. What it starts, what it waits for and what it logs belongs where whoever asked for it is.
struct Outside<F> {
    work: Option<Counted<F>>,
    home: Handle,
}

impl Turns {
    /// A lane beside the threads of the runtime in which this is called.
    ///
    /// # Errors
    /// The system gives no thread.
    pub(crate) fn new() -> std::io::Result<Self> {
        let threads = Handle::try_current().map_or(1, |runtime| runtime.metrics().num_workers());
        let lane = Builder::new_multi_thread()
            .worker_threads(threads.saturating_sub(1).max(1))
            .thread_name("long-calls")
            .on_thread_start(|| {
                // Where the system does not let itself be asked, they are threads like others.
                let _ = rustix::process::nice(NICE);
            })
            .build()?;
        Ok(Self { lane: Some(lane) })
    }

    /// Does the work of a call with arguments of that weight.
    pub(crate) async fn run<F>(
        &self,
        pace: &Pace,
        arguments: Weight,
        progress: Arc<Progress>,
        work: F,
    ) -> F::Output
    where
        F: Future<Output: Send> + Send + 'static,
    {
        let _paced = Paced { pace, progress: &progress };
        let mut work = Counted::new(progress.clone(), work);
        if arguments == Weight::Light && pace.0.load(Ordering::Relaxed) == 0 {
            let here = poll_fn(|context| match Pin::new(&mut work).poll(context) {
                Poll::Ready(ended) => Poll::Ready(Some(ended)),
                Poll::Pending if progress.laid_down() >= SHORT || progress.is_heavy() => Poll::Ready(None),
                Poll::Pending => Poll::Pending,
            });
            if let Some(ended) = here.await {
                return ended;
            }
        }
        self.in_the_lane(work).await
    }

    /// Calls in the lane that have not ended.
    pub(crate) fn in_progress(&self) -> usize {
        self.lane.as_ref().map_or(0, |lane| lane.metrics().num_alive_tasks())
    }

    async fn in_the_lane<F>(&self, work: Counted<F>) -> F::Output
    where
        F: Future<Output: Send> + Send + 'static,
    {
        let Some(lane) = &self.lane else { return work.await };
        let mut outside = Outside { work: Some(work), home: Handle::current() };
        let task = poll_fn(move |context| {
            let _home = outside.home.enter();
            match &mut outside.work {
                Some(work) => Pin::new(work).poll(context),
                None => Poll::Pending,
            }
        });
        let task = lane.spawn(task.with_current_subscriber());
        match AbortOnDropHandle::new(task).await.map_err(tokio::task::JoinError::try_into_panic) {
            Ok(ended) => ended,
            Err(Ok(panic)) => std::panic::resume_unwind(panic),
            // The lane is gone; so is the host.
            Err(Err(_)) => std::future::pending().await,
        }
    }
}

impl Drop for Turns {
    fn drop(&mut self) {
        if let Some(lane) = self.lane.take() {
            // It may be dropped where waiting for its threads is not allowed.
            lane.shutdown_background();
        }
    }
}

impl Drop for Paced<'_> {
    fn drop(&mut self) {
        if self.progress.laid_down() >= SHORT {
            self.pace.0.store(CLEARED, Ordering::Relaxed);
        } else {
            let less = |owed: u32| owed.checked_sub(1);
            // It fails where nothing is owed, which is as it should be.
            let _ = self.pace.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
        }
    }
}

impl<F> Drop for Outside<F> {
    fn drop(&mut self) {
        let _home = self.home.enter();
        drop(self.work.take());
    }
}

/// Lets whoever does the work of a call see that what comes next is of that weight, and where it belongs.
pub(crate) async fn before(weight: Weight, progress: &Progress) {
    if weight == Weight::Light || progress.is_heavy() {
        return;
    }
    progress.grow_heavy();
    step_aside().await;
}

/// Gives the thread back once, and wants it again at once.
async fn step_aside() {
    let mut aside = false;
    poll_fn(|context| {
        if std::mem::replace(&mut aside, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// Does work outside any call; if it is heavy, without keeping a thread from what else is to do: another thread serves
/// that meanwhile.
pub(crate) fn weighed<T>(weight: Weight, work: impl FnOnce() -> T) -> T {
    if weight == Weight::Light {
        return work();
    }
    match Handle::try_current().map(|runtime| runtime.runtime_flavor()) {
        Ok(RuntimeFlavor::MultiThread) => tokio::task::block_in_place(work),
        // Nobody else would serve.
        _ => work(),
    }
}

#[cfg(test)]
mod tests;

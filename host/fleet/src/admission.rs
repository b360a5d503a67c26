//! The places that a service has for calls, and the queue before them.
//!
//! While there are places, taking one is a single atomic step and nothing else is touched. When there are none, a call
//! waits its turn: first come, first served, at most as many and as long as the service's limits say. Whoever gives a
//! place back gives it to the first of those who wait. A call that goes away, waiting or running, frees what it has.
//!
//! Places and queue belong to the service and pass from revision to revision.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};
use truc_model::ServiceName;

use crate::meters::QueueMeters;

/// The least and the most seconds that a refused caller is asked to wait.
const RETRY_AFTER: std::ops::RangeInclusive<u64> = 1..=60;

/// One call that runs, in the number of calls that run and wait.
const RUNNING: u64 = 1;

/// One call that waits, in the same number.
const WAITING: u64 = 1 << 32;

/// The places of one service.
pub(crate) struct Admission {
    /// Calls that run in the lower half, calls that wait in the upper; one number, so that nobody sees one of them
    /// without the other. Calls begin and cease to wait only under the lock of the queue.
    calls: AtomicU64,
    places: AtomicU32,
    queue: Mutex<Queue>,
    pace: Pace,
    meters: QueueMeters,
}

/// Those who wait, by the order in which they came.
#[derive(Default)]
struct Queue {
    next: u64,
    waiting: BTreeMap<u64, oneshot::Sender<Permit>>,
}

/// How fast places become free.
struct Pace {
    since: Instant,
    /// How long calls kept their places of late, in microseconds.
    kept: AtomicU64,
    /// When a place was last taken or given back, in microseconds since the beginning.
    changed: AtomicU64,
}

/// The right to run one call; given back when dropped.
pub struct Permit {
    /// None once the place is no longer this permit's to give back.
    place: Option<Arc<Admission>>,
    since: Instant,
}

/// Why a call found no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoPlace {
    /// As many calls wait as may.
    QueueFull,
    /// It waited as long as it may.
    Waited,
}

/// A call that found no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Busy {
    /// Why.
    pub reason: NoPlace,
    /// After how many seconds those who were before it should have been served, by how long calls took of late.
    pub retry_after: u32,
}

fn running(calls: u64) -> u64 {
    calls % WAITING
}

fn waiting(calls: u64) -> u64 {
    calls / WAITING
}

impl Admission {
    pub(crate) fn new(service: &ServiceName, places: u32) -> Arc<Self> {
        let pace = Pace { since: Instant::now(), kept: AtomicU64::new(0), changed: AtomicU64::new(0) };
        Arc::new(Self {
            calls: AtomicU64::new(0),
            places: AtomicU32::new(places),
            queue: Mutex::default(),
            pace,
            meters: QueueMeters::of(service),
        })
    }

    /// A place, if one is free and nobody waits for it.
    pub(crate) fn try_place(self: &Arc<Self>) -> Option<Permit> {
        let places = u64::from(self.places.load(Ordering::Acquire));
        let free = |calls| (waiting(calls) == 0 && running(calls) < places).then_some(calls + RUNNING);
        self.calls.fetch_update(Ordering::AcqRel, Ordering::Acquire, free).ok().map(|_| self.permit())
    }

    /// A place, at once or after waiting until then, where fewer than that many wait.
    pub(crate) async fn place(self: &Arc<Self>, queue: u32, until: Instant) -> Result<Permit, Busy> {
        match self.try_place() {
            Some(permit) => Ok(permit),
            None => self.wait(queue, until).await,
        }
    }

    async fn wait(self: &Arc<Self>, queue: u32, until: Instant) -> Result<Permit, Busy> {
        let (ticket, mut turn) = match self.enter(queue) {
            Entered::Place(permit) => return Ok(permit),
            Entered::Full => {
                self.meters.full.increment(1);
                return Err(Busy { reason: NoPlace::QueueFull, retry_after: self.retry_after() });
            }
            Entered::Waiting(ticket, turn) => (ticket, turn),
        };
        self.meters.waited.increment(1);
        // Dropped before `turn`: nobody is given a place after having left, and who was given one before keeps it here.
        let left = Left { admission: self, ticket };
        if let Ok(Ok(permit)) = timeout_at(until, &mut turn).await {
            return Ok(permit);
        }
        drop(left);
        // The turn may have come together with the end of the patience.
        turn.try_recv().map_err(|_| {
            self.meters.expired.increment(1);
            Busy { reason: NoPlace::Waited, retry_after: self.retry_after() }
        })
    }

    fn enter(self: &Arc<Self>, most: u32) -> Entered {
        let mut queue = self.lock();
        loop {
            // A place may have become free since.
            if let Some(permit) = self.try_place() {
                return Entered::Place(permit);
            }
            let calls = self.calls.load(Ordering::Acquire);
            if waiting(calls) >= u64::from(most) {
                return Entered::Full;
            }
            // Where nobody waits, whoever gives a place back does so without a lock: it must not happen unseen.
            let seen =
                self.calls.compare_exchange(calls, calls + WAITING, Ordering::AcqRel, Ordering::Acquire);
            if seen.is_ok() {
                break;
            }
        }
        let (sender, turn) = oneshot::channel();
        let ticket = queue.next;
        queue.next += 1;
        queue.waiting.insert(ticket, sender);
        // Where places were added since, they are given out now.
        self.fill(&mut queue);
        self.count(&queue);
        Entered::Waiting(ticket, turn)
    }

    /// Changes the number of places. Calls beyond a smaller number end as they began.
    pub(crate) fn resize(self: &Arc<Self>, places: u32) {
        let mut queue = self.lock();
        self.places.store(places, Ordering::Release);
        self.fill(&mut queue);
        self.count(&queue);
    }

    /// How many calls wait.
    pub(crate) fn waiting(&self) -> u32 {
        u32::try_from(waiting(self.calls.load(Ordering::Acquire))).unwrap_or(u32::MAX)
    }

    /// Gives free places to those who wait.
    fn fill(self: &Arc<Self>, queue: &mut Queue) {
        let places = u64::from(self.places.load(Ordering::Acquire));
        while running(self.calls.load(Ordering::Acquire)) < places {
            let Some((_, turn)) = queue.waiting.pop_first() else { return };
            self.calls.fetch_sub(WAITING - RUNNING, Ordering::AcqRel);
            if let Err(mut unwanted) = turn.send(self.permit()) {
                // Not by dropping it, which would come back here for the lock.
                unwanted.place = None;
                self.calls.fetch_sub(RUNNING, Ordering::AcqRel);
            }
        }
    }

    fn free(self: &Arc<Self>, kept: Duration) {
        self.pace.freed(kept);
        let nobody = |calls| (waiting(calls) == 0).then(|| calls - RUNNING);
        if self.calls.fetch_update(Ordering::AcqRel, Ordering::Acquire, nobody).is_ok() {
            return;
        }
        let mut queue = self.lock();
        self.calls.fetch_sub(RUNNING, Ordering::AcqRel);
        self.fill(&mut queue);
        self.count(&queue);
    }

    fn count(&self, queue: &Queue) {
        self.meters.waiting.set(f64::from(u32::try_from(queue.waiting.len()).unwrap_or(u32::MAX)));
    }

    fn permit(self: &Arc<Self>) -> Permit {
        let since = Instant::now();
        self.pace.changed(since);
        Permit { place: Some(self.clone()), since }
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn retry_after(&self) -> u32 {
        let before = waiting(self.calls.load(Ordering::Acquire)) + 1;
        let places = u64::from(self.places.load(Ordering::Acquire)).max(1);
        self.pace.seconds_until_served(before, places)
    }
}

enum Entered {
    Place(Permit),
    Full,
    Waiting(u64, oneshot::Receiver<Permit>),
}

/// Takes a call that waits out of the queue when it is dropped.
struct Left<'a> {
    admission: &'a Arc<Admission>,
    ticket: u64,
}

impl Drop for Left<'_> {
    fn drop(&mut self) {
        let mut queue = self.admission.lock();
        if queue.waiting.remove(&self.ticket).is_some() {
            self.admission.calls.fetch_sub(WAITING, Ordering::AcqRel);
            self.admission.count(&queue);
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if let Some(admission) = self.place.take() {
            admission.free(self.since.elapsed());
        }
    }
}

impl Pace {
    fn freed(&self, kept: Duration) {
        // Numbers that two calls write at once may lose one of them: it is an estimate.
        let before = self.kept.load(Ordering::Relaxed);
        let kept = micros(kept);
        let average = if before == 0 { kept } else { before - before / 8 + kept / 8 };
        self.kept.store(average, Ordering::Relaxed);
        self.changed(Instant::now());
    }

    fn changed(&self, now: Instant) {
        self.changed.store(micros(now.saturating_duration_since(self.since)), Ordering::Relaxed);
    }

    /// In how many seconds that many calls should have got a place.
    fn seconds_until_served(&self, calls: u64, places: u64) -> u32 {
        let between = self.kept.load(Ordering::Relaxed) / places;
        // Where all places have been taken for longer than usual, what usually happens says little.
        let silence = micros(self.since.elapsed()).saturating_sub(self.changed.load(Ordering::Relaxed));
        let expected = between.max(silence / places).saturating_mul(calls);
        let seconds = expected.div_ceil(1_000_000).clamp(*RETRY_AFTER.start(), *RETRY_AFTER.end());
        u32::try_from(seconds).unwrap_or(1)
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use futures_util::FutureExt;
    use futures_util::future::join_all;

    use super::*;

    fn admission(places: u32) -> Arc<Admission> {
        Admission::new(&"land".parse().unwrap(), places)
    }

    fn within(seconds: u64) -> Instant {
        Instant::now() + Duration::from_secs(seconds)
    }

    fn calls(admission: &Admission) -> (u64, u64) {
        let calls = admission.calls.load(Ordering::Acquire);
        (running(calls), waiting(calls))
    }

    #[tokio::test(start_paused = true)]
    async fn places_are_given_in_the_order_in_which_they_were_asked_for() {
        let admission = admission(1);
        let first = admission.try_place().unwrap();
        let mut second = pin!(admission.place(2, within(10)));
        let mut third = pin!(admission.place(2, within(10)));
        assert!(second.as_mut().now_or_never().is_none() && third.as_mut().now_or_never().is_none());
        assert!(admission.try_place().is_none());
        assert_eq!(
            admission.place(2, within(10)).await.err().map(|busy| busy.reason),
            Some(NoPlace::QueueFull)
        );
        assert_eq!(calls(&admission), (1, 2));

        drop(first);
        assert!(third.as_mut().now_or_never().is_none());
        assert!(admission.try_place().is_none(), "nobody passes those who wait");
        let second = second.await.unwrap();
        assert_eq!(calls(&admission), (1, 1));
        drop(second);
        drop(third.await.unwrap());
        assert_eq!(calls(&admission), (0, 0));
        assert!(admission.try_place().is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_longer_than_the_bound() {
        let admission = admission(1);
        let held = admission.try_place().unwrap();
        let began = Instant::now();
        let busy = admission.place(5, within(3)).await.err().unwrap();
        assert_eq!((busy.reason, began.elapsed()), (NoPlace::Waited, Duration::from_secs(3)));
        assert_eq!(calls(&admission), (1, 0), "who has left waits no more");
        drop(held);
        assert!(admission.place(0, within(0)).await.is_ok(), "a free place needs no queue");
    }

    #[tokio::test(start_paused = true)]
    async fn who_leaves_frees_its_place_in_the_queue_and_before_the_connector() {
        let admission = admission(1);
        let held = admission.try_place().unwrap();
        {
            let mut waiting = pin!(admission.place(1, within(10)));
            assert!(waiting.as_mut().now_or_never().is_none());
            assert_eq!(calls(&admission), (1, 1));
        }
        assert_eq!(calls(&admission), (1, 0));
        {
            // It is given the place and goes away without having noticed.
            let mut waiting = pin!(admission.place(1, within(10)));
            assert!(waiting.as_mut().now_or_never().is_none());
            drop(held);
            assert_eq!(calls(&admission), (1, 0));
        }
        assert_eq!(calls(&admission), (0, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn more_places_serve_those_who_wait_and_fewer_wait_for_those_who_run() {
        let admission = admission(1);
        let first = admission.try_place().unwrap();
        let mut second = pin!(admission.place(5, within(10)));
        assert!(second.as_mut().now_or_never().is_none());
        admission.resize(2);
        let second = second.await.unwrap();
        assert_eq!(calls(&admission), (2, 0));
        admission.resize(1);
        let mut third = pin!(admission.place(5, within(10)));
        assert!(third.as_mut().now_or_never().is_none());
        drop(first);
        assert!(third.as_mut().now_or_never().is_none(), "one runs, and one may");
        drop(second);
        drop(third.await.unwrap());
        assert_eq!(calls(&admission), (0, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn the_time_to_come_back_follows_from_what_calls_took() {
        let admission = admission(2);
        let busy =
            |admission: Arc<Admission>| async move { admission.place(0, within(0)).await.err().unwrap() };
        for _ in 0..20 {
            let places = [admission.try_place().unwrap(), admission.try_place().unwrap()];
            tokio::time::advance(Duration::from_secs(8)).await;
            drop(places);
        }
        let places = [admission.try_place().unwrap(), admission.try_place().unwrap()];
        // Calls take 8 s and there are two places: the next is free in 4 s, and the fifth in 20 s.
        assert_eq!(busy(admission.clone()).await.retry_after, 4);
        let waiting: Vec<_> = (0..4)
            .map(|_| {
                let admission = admission.clone();
                let mut waiting = Box::pin(async move { admission.place(4, within(600)).await });
                assert!(waiting.as_mut().now_or_never().is_none());
                waiting
            })
            .collect();
        assert_eq!(busy(admission.clone()).await.retry_after, 20);
        drop(waiting);
        // Nothing has ended for longer than calls usually take.
        tokio::time::advance(Duration::from_secs(30)).await;
        assert_eq!(busy(admission.clone()).await.retry_after, 15);
        tokio::time::advance(Duration::from_secs(3_000)).await;
        assert_eq!(busy(admission.clone()).await.retry_after, 60);
        drop(places);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn under_a_storm_no_place_is_lost_and_none_given_twice() {
        let admission = admission(3);
        let live = Arc::new(AtomicU32::new(0));
        let call = |number: u64| {
            let (admission, live) = (admission.clone(), live.clone());
            tokio::spawn(async move {
                // Some leave while they wait.
                let patience =
                    Duration::from_micros(if number.is_multiple_of(5) { number % 97 } else { 20_000_000 });
                let place = admission.place(10_000, Instant::now() + Duration::from_secs(30));
                let Ok(Ok(permit)) = tokio::time::timeout(patience, place).await else { return 0 };
                assert!(live.fetch_add(1, Ordering::AcqRel) < 3, "more run than may");
                tokio::task::yield_now().await;
                live.fetch_sub(1, Ordering::AcqRel);
                drop(permit);
                1
            })
        };
        let served = join_all((0..5_000).map(call)).await.into_iter().map(Result::unwrap).sum::<u32>();
        assert!(served >= 4_000, "{served}");
        assert_eq!(calls(&admission), (0, 0));
        assert!(admission.lock().waiting.is_empty());
    }
}

//! Calls that compute nothing but what they are said to, and where they are found to run.

#![allow(clippy::unwrap_used)]

use std::cell::Cell;
use std::sync::atomic::AtomicUsize;
use std::thread::ThreadId;

use tokio::sync::oneshot;

use super::*;
use crate::settings::TICK;

thread_local! {
    /// What this thread computed, in ticks.
    static COMPUTED: Cell<u32> = const { Cell::new(0) };
}

/// A call for which nothing is computed but what is said to be.
fn progress() -> Arc<Progress> {
    Arc::new(Progress::by(|| TICK.saturating_mul(COMPUTED.get())))
}

/// Work that computes for a number of ticks, one in each turn. Gives the threads that it was done on.
async fn ticks(ticks: u32) -> Vec<ThreadId> {
    let mut threads = vec![std::thread::current().id()];
    for _ in 0..ticks {
        COMPUTED.set(COMPUTED.get() + 1);
        step_aside().await;
        threads.push(std::thread::current().id());
    }
    threads
}

fn own(threads: &[ThreadId]) -> Vec<bool> {
    threads.iter().map(|thread| *thread == std::thread::current().id()).collect()
}

#[tokio::test]
async fn a_call_that_computes_for_long_goes_on_in_the_lane() {
    let (turns, pace) = (Turns::new().unwrap(), Pace::default());
    let threads = turns.run(&pace, Weight::Light, progress(), ticks(4)).await;
    assert_eq!(own(&threads), [true, false, false, false, false]);
}

#[tokio::test]
async fn what_has_much_to_convert_is_done_in_the_lane() {
    let (turns, pace) = (Turns::new().unwrap(), Pace::default());
    let threads = turns.run(&pace, Weight::Heavy, progress(), ticks(0)).await;
    assert_eq!(own(&threads), [false]);
    let progress = progress();
    let returns_much = {
        let progress = progress.clone();
        async move {
            let began = std::thread::current().id();
            before(Weight::Heavy, &progress).await;
            vec![began, std::thread::current().id()]
        }
    };
    let threads = turns.run(&pace, Weight::Light, progress, returns_much).await;
    assert_eq!(own(&threads), [true, false]);
}

#[tokio::test]
async fn a_long_call_sends_the_next_ones_to_the_lane_and_short_ones_clear_the_connector() {
    let (turns, pace) = (Turns::new().unwrap(), Pace::default());
    turns.run(&pace, Weight::Light, progress(), ticks(5)).await;
    for owed in (1..=CLEARED).rev() {
        assert_eq!(pace.0.load(Ordering::SeqCst), owed);
        let threads = turns.run(&pace, Weight::Light, progress(), ticks(0)).await;
        assert_eq!(own(&threads), [false]);
    }
    assert_eq!(own(&turns.run(&pace, Weight::Light, progress(), ticks(0)).await), [true]);
}

#[tokio::test]
async fn a_call_that_is_interrupted_for_long_is_none_that_computes_for_long() {
    let (turns, pace) = (Turns::new().unwrap(), Pace::default());
    let interrupted = async {
        std::thread::sleep(SHORT * 4);
        ticks(1).await
    };
    let threads = turns.run(&pace, Weight::Light, Arc::new(Progress::new()), interrupted).await;
    assert_eq!(own(&threads), [true, true]);
    assert_eq!(pace.0.load(Ordering::SeqCst), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn long_calls_leave_a_thread_and_all_of_them_end() {
    let turns = Arc::new(Turns::new().unwrap());
    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let calls: Vec<_> = (0..12)
        .map(|_| {
            let (turns, now, most) = (turns.clone(), now.clone(), most.clone());
            tokio::spawn(async move {
                let work = async move {
                    for _ in 0..10 {
                        most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                        // So that others are seen here that were let in meanwhile.
                        std::thread::yield_now();
                        now.fetch_sub(1, Ordering::SeqCst);
                        ticks(1).await;
                    }
                };
                turns.run(&Pace::default(), Weight::Heavy, progress(), work).await;
            })
        })
        .collect();
    for call in calls {
        call.await.unwrap();
    }
    assert!(most.load(Ordering::SeqCst) <= 3, "{most:?} held a thread at once");
}

/// On a host with a single thread, so that nobody else could do it.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_short_call_never_waits_while_long_ones_hold_their_threads() {
    let turns = Arc::new(Turns::new().unwrap());
    let (begun, has_begun) = oneshot::channel();
    let (end, ends) = std::sync::mpsc::channel::<()>();
    let long = tokio::spawn({
        let turns = turns.clone();
        async move {
            let work = async move {
                begun.send(()).unwrap();
                ends.recv().unwrap();
            };
            turns.run(&Pace::default(), Weight::Heavy, progress(), work).await;
        }
    });
    has_begun.await.unwrap();
    let short = tokio::spawn(async move {
        // Stepping aside ends as well: the thread does not go from one long call to the next.
        tokio::task::yield_now().await;
        turns.run(&Pace::default(), Weight::Light, progress(), async { 7 }).await
    });
    assert_eq!(short.await.unwrap(), 7);
    end.send(()).unwrap();
    long.await.unwrap();
}

#[tokio::test]
async fn who_does_not_wait_ends_what_is_in_the_lane() {
    struct Gone(Option<oneshot::Sender<Handle>>);
    impl Drop for Gone {
        fn drop(&mut self) {
            let _ = self.0.take().unwrap().send(Handle::current());
        }
    }
    let (turns, pace) = (Turns::new().unwrap(), Pace::default());
    let (gone, is_gone) = oneshot::channel();
    let work = async move {
        let _gone = Gone(Some(gone));
        std::future::pending::<()>().await
    };
    let waiting = turns.run(&pace, Weight::Heavy, progress(), work);
    assert!(tokio::time::timeout(TICK, waiting).await.is_err());
    assert_eq!(is_gone.await.unwrap().id(), Handle::current().id());
    while turns.in_progress() > 0 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn what_a_call_starts_belongs_to_the_host() {
    let (turns, pace) = (Turns::new().unwrap(), Pace::default());
    let work = async {
        tokio::time::sleep(TICK).await;
        tokio::spawn(async { std::thread::current().id() }).await.unwrap()
    };
    let thread = turns.run(&pace, Weight::Heavy, progress(), work).await;
    assert_eq!(thread, std::thread::current().id());
}

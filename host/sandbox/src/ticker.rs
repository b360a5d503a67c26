//! The thread that advances the engine's epoch.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;

use wasmtime::Engine;

use crate::settings::TICK;

/// Advances the epoch every [`TICK`] on a thread of its own, so that a host busy elsewhere still interrupts connectors.
pub(crate) struct Ticker {
    ticks: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Ticker {
    pub(crate) fn start(engine: &Engine) -> std::io::Result<Self> {
        let ticks = Arc::new(AtomicU64::new(0));
        let stop = Arc::new(AtomicBool::new(false));
        let thread = std::thread::Builder::new().name("epoch".to_owned()).spawn({
            let (engine, ticks, stop) = (engine.clone(), ticks.clone(), stop.clone());
            move || {
                while !stop.load(Ordering::Relaxed) {
                    std::thread::park_timeout(TICK);
                    // The count goes first: a call that sees the new epoch must not see the old count.
                    ticks.fetch_add(1, Ordering::Release);
                    engine.increment_epoch();
                }
            }
        })?;
        Ok(Self { ticks, stop, thread: Some(thread) })
    }

    /// The number of ticks so far, shared.
    pub(crate) fn ticks(&self) -> &Arc<AtomicU64> {
        &self.ticks
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            // The thread holds no lock and ends within a tick; a panic in it has nothing to tell here.
            let _ = thread.join();
        }
    }
}

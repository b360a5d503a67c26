//! How an upstream stands: what is known of its health, and how much of the host is at it. It outlives a revision, so
//! that new settings of something else neither send a flood to an upstream that is down nor give it twice the
//! connections.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::Instant;
use truc_model::Handle;

use crate::breaker::{Breaker, Name};
use crate::budget::Budget;
use crate::meters::Meters;
use crate::{Binding, Surroundings};

/// What revisions with the same binding share.
pub(crate) struct Standing {
    pub(crate) breaker: Breaker,
    pub(crate) budget: Budget,
    pub(crate) meters: Meters,
    /// One for each connection that may be open.
    places: Semaphore,
    /// How many calls of the service are at this upstream.
    calls: AtomicU32,
}

/// One call of the service at the upstream, however many requests it makes at once. It is over when this is dropped.
pub(crate) struct Presence {
    standing: Arc<Standing>,
}

impl Standing {
    pub(crate) fn new(handle: &Handle, binding: &Binding, surroundings: &Surroundings<'_>) -> Arc<Self> {
        let meters = Meters::of(surroundings.service, handle);
        let name = Name { service: surroundings.service.to_string(), handle: handle.clone() };
        let places = usize::try_from(binding.max_connections).unwrap_or(Semaphore::MAX_PERMITS);
        Arc::new(Self {
            breaker: Breaker::new(name, binding.breaker, surroundings.jitter.clone(), meters.breaker.clone()),
            budget: Budget::new(Instant::now()),
            meters,
            places: Semaphore::new(places),
            calls: AtomicU32::new(0),
        })
    }

    /// Takes a call in, unless there are already that many.
    pub(crate) fn enter(self: &Arc<Self>, most: u32) -> Option<Presence> {
        let more = |calls: u32| (calls < most).then(|| calls + 1);
        self.calls.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).ok()?;
        Some(Presence { standing: self.clone() })
    }

    /// A place among the connections; whoever holds it may have one connection out.
    pub(crate) fn try_place(&self) -> Option<SemaphorePermit<'_>> {
        self.places.try_acquire().ok()
    }

    /// Waits for a place. None if there will never be one.
    pub(crate) async fn place(&self) -> Option<SemaphorePermit<'_>> {
        self.places.acquire().await.ok()
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        self.standing.calls.fetch_sub(1, Ordering::Relaxed);
    }
}

/// How many of a service's calls may be at one upstream at once, unless the binding says: any number, where there is no
/// other upstream; otherwise three quarters, so that calls that need only the others find places.
///
/// The service bounds its calls itself. A second bound by the same number would refuse those that waited for a place
/// while the service was given more of them.
pub(crate) fn share(concurrency: u32, upstreams: usize) -> u32 {
    if upstreams < 2 { u32::MAX } else { (concurrency - concurrency / 4).max(1) }
}

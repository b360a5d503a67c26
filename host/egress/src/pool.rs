//! The idle connections of one upstream.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::time::Instant;

use crate::connection::Connection;

/// The most connections kept while idle.
const MOST_IDLE: usize = 64;

/// How long a connection is kept while idle; most servers keep theirs longer.
pub(crate) const IDLE_TIME: Duration = Duration::from_secs(20);

#[derive(Default)]
pub(crate) struct Pool {
    idle: Mutex<Idle>,
}

#[derive(Default)]
struct Idle {
    /// The one used last is at the back: busy connections stay busy and the others grow old.
    connections: VecDeque<(Instant, Connection)>,
    /// Whether a task waits for connections to grow old.
    reaped: bool,
}

impl Pool {
    /// A connection that is still open.
    pub(crate) fn take(&self) -> Option<Connection> {
        loop {
            let (_, mut connection) = self.lock().connections.pop_back()?;
            if connection.is_open() {
                return Some(connection);
            }
        }
    }

    /// Keeps a connection for the next call.
    pub(crate) fn put(self: &Arc<Self>, connection: Connection) {
        let now = Instant::now();
        let mut idle = self.lock();
        idle.connections.push_back((now, connection));
        let oldest = if idle.connections.len() > MOST_IDLE { idle.connections.pop_front() } else { None };
        let unattended = !std::mem::replace(&mut idle.reaped, true);
        drop(idle);
        // Closing a socket is a system call: not under the lock.
        drop(oldest);
        if unattended {
            tokio::spawn(reap(Arc::downgrade(self), now + IDLE_TIME));
        }
    }

    /// Drops the connections that have grown old and says when the next one will have.
    fn drop_old(&self, now: Instant) -> Option<Instant> {
        let mut idle = self.lock();
        let old = idle.connections.partition_point(|(since, _)| *since + IDLE_TIME <= now);
        let old: Vec<_> = idle.connections.drain(..old).collect();
        let next = idle.connections.front().map(|(since, _)| *since + IDLE_TIME);
        idle.reaped = next.is_some();
        drop(idle);
        drop(old);
        next
    }

    fn lock(&self) -> MutexGuard<'_, Idle> {
        // Nothing that runs under the lock leaves it half done.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Closes idle connections in time. Runs as long as there are any, and no longer than their upstream.
async fn reap(pool: Weak<Pool>, mut next: Instant) {
    loop {
        tokio::time::sleep_until(next).await;
        match pool.upgrade().and_then(|pool| pool.drop_old(Instant::now())) {
            Some(then) => next = then,
            None => return,
        }
    }
}

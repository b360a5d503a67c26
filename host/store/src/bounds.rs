//! How long anything here may wait, and how much may be open at once. All of it in this one place.

use std::time::Duration;

use crate::{Result, StoreError};

/// Any one piece of work, from waiting for a connection to the commit.
pub(crate) const WORK: Duration = Duration::from_secs(5);

/// Waiting for a connection, for one to PostgreSQL to be made included.
pub(crate) const ACQUIRE: Duration = Duration::from_secs(2);

/// One statement, within the database itself; shorter than [`WORK`], so that the database gives up first and says so.
pub(crate) const STATEMENT: Duration = Duration::from_secs(4);

/// Waiting for another process that holds SQLite's write lock: a copy being made, an operator's shell.
pub(crate) const SQLITE_BUSY: Duration = Duration::from_secs(3);

/// Connecting at start, and saying farewell at the end.
pub(crate) const OPEN_AND_CLOSE: Duration = Duration::from_secs(10);

/// All migrations together. A step over a large table may take its time; another node's migration is waited for.
pub(crate) const MIGRATE: Duration = Duration::from_secs(600);

/// Connections that read an SQLite file, besides the one that writes. Each has a thread of its own.
pub(crate) const SQLITE_READERS: u32 = 4;

/// Connections to PostgreSQL.
pub(crate) const POSTGRES_CONNECTIONS: u32 = 8;

/// A connection unused for longer is tried before it is relied upon, or closed where opening one costs little.
pub(crate) const POSTGRES_TRUSTED: Duration = Duration::from_secs(1);

/// A reading connection to SQLite unused for longer is closed.
pub(crate) const SQLITE_IDLE: Duration = Duration::from_secs(60);

/// Ends the work when its time is over.
pub(crate) async fn within<T>(bound: Duration, work: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::time::timeout(bound, work).await.unwrap_or(Err(StoreError::TimedOut))
}

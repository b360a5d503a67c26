//! Everything Trục remembers, in SQLite or in PostgreSQL. The only room that knows SQL.
//!
//! Plain rows go in and come out, one module per thing remembered: [`connectors`], [`contracts`], [`services`],
//! [`agencies`], [`secrets`], [`exchanges`] and [`idempotency`]. What the rows mean is decided in the rooms that own
//! them. The tables are in `migrations/`, one portable text for both databases; the statements are the same for both too, except for the one
//! that appends exchanges, which is where the time goes.
//!
//! Two promises hold for each function here. It ends within a bound: waiting for a connection, for a lock and for the
//! statement are all limited. And it is whole: what it wrote is on the disk when it returns `Ok`, and when it returns
//! an error nothing is half-written. After [`StoreError::TimedOut`] and after a lost connection, whether a write took
//! place is not known.

mod append;
mod bounds;
mod column;
mod database;
mod error;
mod postgres;
mod sqlite;

pub mod agencies;
pub mod connectors;
pub mod contracts;
pub mod exchanges;
pub mod idempotency;
pub mod secrets;
pub mod services;
#[cfg(feature = "testing")]
pub mod testing;

use std::sync::Arc;

use truc_model::Bytes;

use crate::database::{Database, reading};
pub use crate::error::{Result, StoreError};

static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("../../migrations");

/// What can be said about a database when opening it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    /// The most that an SQLite file may grow to, its write-ahead log not counted. At the bound writes fail with
    /// [`StoreError::Full`] and reads go on. PostgreSQL does not take it: there, the disk is the bound.
    pub max_size: Option<Bytes>,
}

/// An open database. Clones share it.
#[derive(Debug, Clone)]
pub struct Store {
    database: Arc<Database>,
}

impl Store {
    /// Opens `sqlite:///path/to/file.db`, which is made if there is none, or `postgres://user@host/database`, and brings
    /// its tables up to date.
    ///
    /// # Errors
    /// An address that names no database, a database that cannot be reached or whose tables cannot be brought up to
    /// date, and one that would not keep what it acknowledges.
    pub async fn open(address: &str) -> Result<Self> {
        Self::open_with(address, Options::default()).await
    }

    /// Opens a database with options.
    ///
    /// # Errors
    /// As [`Store::open`], and options that do not go with the database.
    pub async fn open_with(address: &str, options: Options) -> Result<Self> {
        let wrong = |reason: &str| StoreError::Address { reason: reason.to_owned() };
        let database = match address.split_once("://") {
            Some(("sqlite", path)) => {
                Database::Sqlite(sqlite::Sqlite::open(&sqlite::path_of(path)?, options.max_size).await?)
            }
            Some(("postgres" | "postgresql", _)) if options.max_size.is_some() => {
                return Err(wrong("a largest size can be set for an SQLite file only"));
            }
            Some(("postgres" | "postgresql", _)) => {
                Database::Postgres(postgres::Postgres::open(address).await?)
            }
            _ => return Err(wrong("it begins with neither `sqlite://` nor `postgres://`")),
        };
        Ok(Self { database: Arc::new(database) })
    }

    /// The connectors that were published.
    pub fn connectors(&self) -> connectors::Connectors<'_> {
        connectors::Connectors { store: self }
    }

    /// The contracts, published and proposed.
    pub fn contracts(&self) -> contracts::Contracts<'_> {
        contracts::Contracts { store: self }
    }

    /// The services and their revisions.
    pub fn services(&self) -> services::Services<'_> {
        services::Services { store: self }
    }

    /// The agencies, their accounts and their grants.
    pub fn agencies(&self) -> agencies::Agencies<'_> {
        agencies::Agencies { store: self }
    }

    /// The secrets, sealed.
    pub fn secrets(&self) -> secrets::Secrets<'_> {
        secrets::Secrets { store: self }
    }

    /// The exchanges.
    pub fn exchanges(&self) -> exchanges::Exchanges<'_> {
        exchanges::Exchanges { store: self }
    }

    /// The idempotency keys.
    pub fn idempotency(&self) -> idempotency::IdempotencyKeys<'_> {
        idempotency::IdempotencyKeys { store: self }
    }

    /// Asks the database for a sign of life.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn ping(&self) -> Result<()> {
        reading!(self, connection => {
            sqlx::query("SELECT 1").execute(&mut *connection).await?;
            Ok(())
        })
    }

    /// Closes the database: work under way is waited for, within a bound; later work fails with
    /// [`StoreError::Closed`].
    pub async fn close(&self) {
        let close = async {
            match &*self.database {
                Database::Sqlite(sqlite) => sqlite.close().await,
                Database::Postgres(postgres) => postgres.close().await,
            }
            Ok(())
        };
        if bounds::within(bounds::OPEN_AND_CLOSE, close).await.is_err() {
            tracing::warn!("the database was still at work when the wait for it ended");
        }
    }
}

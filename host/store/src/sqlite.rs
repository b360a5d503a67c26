//! SQLite: one connection that writes, a few that read, in WAL mode with every commit on the disk.

use std::fs::OpenOptions;
use std::io::ErrorKind;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Instant;

use sqlx::pool::PoolConnection;
use sqlx::sqlite::{
    SqliteArguments, SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePool,
    SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, SqlStr};
use tokio::sync::{MappedMutexGuard, Mutex, MutexGuard};
use truc_model::Bytes;

use crate::bounds::{self, within};
use crate::{MIGRATIONS, Result, StoreError};

/// The oldest SQLite whose WAL is sound.
const OLDEST: (u32, u32, u32) = (3, 51, 3);

/// How many instructions SQLite's machine runs between two looks at the clock: some tenths of a millisecond.
const INSTRUCTIONS: i32 = 20_000;

#[derive(Debug)]
pub(crate) struct Sqlite {
    /// The lock is fair: whoever writes, the ledger or an operator, is served in turn. None once closed.
    writer: Mutex<Option<Writer>>,
    readers: SqlitePool,
}

#[derive(Debug)]
pub(crate) struct Writer {
    connection: SqliteConnection,
    /// A transaction may still be open: whoever began it was dropped before its end.
    unfinished: bool,
}

impl Sqlite {
    pub(crate) async fn open(path: &Path, max_size: Option<Bytes>) -> Result<Self> {
        make_private(path)?;
        let options = SqliteConnectOptions::new()
            .filename(path)
            .foreign_keys(true)
            .busy_timeout(bounds::SQLITE_BUSY)
            .disable_statement_logging();
        let writing = options
            .clone()
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            // A log that once had to grow behind a long read does not keep the space.
            .pragma("journal_size_limit", (64 << 20).to_string());
        let mut connection = within(bounds::OPEN_AND_CLOSE, async { Ok(writing.connect().await?) }).await?;
        check_version(&mut connection).await?;
        check_journal(&mut connection, path).await?;
        within(bounds::MIGRATE, async {
            MIGRATIONS.run(&mut connection).await.map_err(|error| StoreError::Migration(error.into()))
        })
        .await?;
        if let Some(size) = max_size {
            limit(&mut connection, size).await?;
        }
        let readers = SqlitePoolOptions::new()
            .max_connections(bounds::SQLITE_READERS)
            .acquire_timeout(bounds::ACQUIRE)
            .idle_timeout(bounds::SQLITE_IDLE)
            .max_lifetime(None)
            .test_before_acquire(false)
            .connect_lazy_with(options.pragma("query_only", "ON"));
        Ok(Self { writer: Mutex::new(Some(Writer { connection, unfinished: false })), readers })
    }

    /// A connection that reads, interrupted when the statement's time is over.
    pub(crate) async fn reader(&self) -> Result<Session<'_>> {
        let mut connection = self.readers.acquire().await?;
        let end = Instant::now() + bounds::STATEMENT;
        connection.lock_handle().await?.set_progress_handler(INSTRUCTIONS, move || Instant::now() < end);
        Ok(Session::Reader(connection))
    }

    /// The connection that writes, in a transaction.
    pub(crate) async fn writer(&self) -> Result<Session<'_>> {
        let mut writer = self.lock().await?;
        // Said before the first statement, as this future may be dropped at any `await`.
        writer.unfinished = true;
        sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut writer.connection).await?;
        Ok(Session::Writer(writer))
    }

    /// Runs one statement that is a transaction of its own.
    pub(crate) async fn execute(&self, sql: SqlStr, arguments: SqliteArguments) -> Result<()> {
        let mut writer = self.lock().await?;
        sqlx::query_with(sql, arguments).execute(&mut writer.connection).await?;
        Ok(())
    }

    /// Changes how large the file may become.
    #[cfg(feature = "testing")]
    pub(crate) async fn limit(&self, size: Bytes) -> Result<()> {
        limit(&mut self.lock().await?.connection, size).await
    }

    pub(crate) async fn close(&self) {
        self.readers.close().await;
        if let Some(writer) = self.writer.lock().await.take()
            && let Err(error) = writer.connection.close().await
        {
            tracing::warn!(%error, "the database file was not closed in order");
        }
    }

    async fn lock(&self) -> Result<MappedMutexGuard<'_, Writer>> {
        let guard = MutexGuard::try_map(self.writer.lock().await, Option::as_mut);
        let mut writer = guard.map_err(|_| StoreError::Closed)?;
        if writer.unfinished {
            writer.roll_back().await;
        }
        Ok(writer)
    }
}

impl Writer {
    /// Where SQLite has rolled back by itself already, it refuses, and that is as good.
    async fn roll_back(&mut self) {
        if let Err(error) = sqlx::raw_sql("ROLLBACK").execute(&mut self.connection).await {
            tracing::debug!(%error, "nothing to roll back");
        }
        self.unfinished = false;
    }
}

/// A connection at work.
pub(crate) enum Session<'a> {
    Reader(PoolConnection<sqlx::Sqlite>),
    Writer(MappedMutexGuard<'a, Writer>),
}

impl Session<'_> {
    pub(crate) fn connection(&mut self) -> &mut SqliteConnection {
        match self {
            Self::Reader(connection) => connection,
            Self::Writer(writer) => &mut writer.connection,
        }
    }

    /// Ends the transaction, if this connection has one, as the result says.
    pub(crate) async fn end<T>(self, result: Result<T>) -> Result<T> {
        let Self::Writer(mut writer) = self else {
            return result;
        };
        if result.is_ok() {
            sqlx::raw_sql("COMMIT").execute(&mut writer.connection).await?;
            writer.unfinished = false;
        } else {
            writer.roll_back().await;
        }
        result
    }
}

/// Makes the file if there is none, for its owner's eyes only: it holds key hashes. SQLite gives the files it puts
/// beside it the same mode.
fn make_private(path: &Path) -> Result<()> {
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(source) => Err(StoreError::File { path: path.to_owned(), source }),
    }
}

async fn check_version(connection: &mut SqliteConnection) -> Result<()> {
    let found: String = sqlx::query_scalar("SELECT sqlite_version()").fetch_one(connection).await?;
    let mut numbers = found.split('.').map(|number| number.parse().unwrap_or(0));
    let mut next = || numbers.next().unwrap_or(0);
    if (next(), next(), next()) < OLDEST { Err(StoreError::TooOld { found }) } else { Ok(()) }
}

/// SQLite answers with the mode it could set, which on some network file systems is not WAL.
async fn check_journal(connection: &mut SqliteConnection, path: &Path) -> Result<()> {
    let mode: String = sqlx::query_scalar("PRAGMA journal_mode").fetch_one(connection).await?;
    if mode == "wal" {
        return Ok(());
    }
    Err(StoreError::NotDurable(format!(
        "the file system of {} does not support SQLite's write-ahead log (journal mode is {mode}): put the file on a \
         local disk",
        path.display()
    )))
}

async fn limit(connection: &mut SqliteConnection, size: Bytes) -> Result<()> {
    let page: i64 = sqlx::query_scalar("PRAGMA page_size").fetch_one(&mut *connection).await?;
    let pages = size.0 / u64::try_from(page).unwrap_or(4096).max(1);
    // A pragma takes no parameters; the text is made of a number.
    let pragma = format!("PRAGMA max_page_count = {}", pages.max(1));
    sqlx::query(AssertSqlSafe(pragma)).execute(connection).await?;
    Ok(())
}

/// The file that an `sqlite://` address names.
pub(crate) fn path_of(address: &str) -> Result<PathBuf> {
    let wrong = |reason: &str| StoreError::Address { reason: reason.to_owned() };
    match address {
        "" => Err(wrong("it names no file")),
        ":memory:" => Err(wrong("a database in memory forgets everything; name a file")),
        path if path.contains('?') => Err(wrong("an SQLite address takes no parameters")),
        path => Ok(PathBuf::from(path)),
    }
}

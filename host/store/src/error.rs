//! What can go wrong, sorted by what the one who asked can do about it.

use std::error::Error;
use std::path::PathBuf;

/// The result of everything in this room.
pub type Result<T, E = StoreError> = std::result::Result<T, E>;

/// Why the database did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The address names no database this host can use. It is not repeated: it may hold a password.
    #[error(
        "the database address cannot be used ({reason}): write `sqlite:///var/lib/truc/truc.db` or \
         `postgres://user@host/database`"
    )]
    Address {
        /// What is wrong with it.
        reason: String,
    },

    /// The file could not be opened or made.
    #[error("the database file {} cannot be opened: {source}; its directory must exist and be writable", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the operating system says.
        source: std::io::Error,
    },

    /// The linked SQLite has known defects.
    #[error(
        "SQLite {found} is linked, which can corrupt a database in WAL mode: build with SQLite 3.51.3 or newer (the \
         one that sqlx bundles is)"
    )]
    TooOld {
        /// The version in use.
        found: String,
    },

    /// The database would acknowledge what it can still lose.
    #[error("the database does not keep what it acknowledges: {0}")]
    NotDurable(String),

    /// The tables could not be brought to this version's form.
    #[error("the database's tables could not be brought up to date: {0}")]
    Migration(#[source] Box<dyn Error + Send + Sync>),

    /// Something of this name or key exists already.
    #[error("it exists already")]
    Taken,

    /// Nothing of this name exists, or it refers to something that does not.
    #[error("nothing of this name exists")]
    NotFound,

    /// The database takes the connection but not the data.
    #[error("the database refuses the data: {0}")]
    Refused(#[source] Box<dyn Error + Send + Sync>),

    /// No room is left: on the disk, or below the size the operator set.
    #[error("the database is full: free space on its disk, or raise the size it may have")]
    Full,

    /// The work did not end within its bound.
    #[error("the database did not answer in time")]
    TimedOut,

    /// The store was closed.
    #[error("the database was closed")]
    Closed,

    /// The database cannot be reached, or failed.
    #[error("the database is not available: {0}")]
    Unavailable(#[source] Box<dyn Error + Send + Sync>),

    /// A row holds what this version cannot have written.
    #[error("the database holds {value:?} as {column}: {reason}")]
    Corrupt {
        /// The column.
        column: &'static str,
        /// The value found, shortened to 80 characters.
        value: String,
        /// What is wrong with it.
        reason: String,
    },
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        match &error {
            sqlx::Error::PoolTimedOut => Self::TimedOut,
            sqlx::Error::PoolClosed => Self::Closed,
            sqlx::Error::Database(database) if database.is_unique_violation() => Self::Taken,
            sqlx::Error::Database(database) if database.is_foreign_key_violation() => Self::NotFound,
            sqlx::Error::Database(database) => {
                let code = database.code().unwrap_or_default().into_owned();
                if database.try_downcast_ref::<sqlx::sqlite::SqliteError>().is_some() {
                    Self::from_sqlite(error, &code)
                } else {
                    Self::from_postgres(error, &code)
                }
            }
            _ => Self::Unavailable(error.into()),
        }
    }
}

impl StoreError {
    /// By SQLite's result codes: <https://www.sqlite.org/rescode.html>. The lower eight bits are the primary code.
    fn from_sqlite(error: sqlx::Error, code: &str) -> Self {
        match code.parse::<i32>().unwrap_or_default() & 0xff {
            5 | 9 => Self::TimedOut, // SQLITE_BUSY after its bound, SQLITE_INTERRUPT by our own bound
            13 => Self::Full,
            18..=20 => Self::Refused(error.into()), // SQLITE_TOOBIG, SQLITE_CONSTRAINT, SQLITE_MISMATCH
            _ => Self::Unavailable(error.into()),
        }
    }

    /// By PostgreSQL's SQLSTATEs: <https://www.postgresql.org/docs/current/errcodes-appendix.html>.
    fn from_postgres(error: sqlx::Error, code: &str) -> Self {
        match code {
            "53100" => Self::Full,
            "57014" | "55P03" => Self::TimedOut, // query_canceled by statement_timeout, lock_not_available
            _ if code.starts_with("22") || code.starts_with("23") => Self::Refused(error.into()),
            _ => Self::Unavailable(error.into()),
        }
    }
}

//! One way to work with either database.
//!
//! Both kinds offer sessions with the same methods; `reading!` and `writing!` run the same lines on whichever there is.
//! The lines are compiled once per kind, so the database's own driver is used and nothing is boxed or translated in
//! between.

use crate::postgres::Postgres;
use crate::sqlite::Sqlite;

/// The database behind a store.
#[derive(Debug)]
pub(crate) enum Database {
    Sqlite(Sqlite),
    Postgres(Postgres),
}

/// Runs a block that reads. `$connection` is a `&mut` connection of whichever kind; the block's value is a `Result`.
macro_rules! reading {
    ($store:expr, $connection:ident => $body:block) => {
        $crate::database::session!($store, reader, $connection => $body)
    };
}

/// Runs a block in one transaction, which is committed when the block's value is `Ok` and rolled back otherwise.
macro_rules! writing {
    ($store:expr, $connection:ident => $body:block) => {
        $crate::database::session!($store, writer, $connection => $body)
    };
}

macro_rules! session {
    ($store:expr, $kind:ident, $connection:ident => $body:block) => {
        match &*$store.database {
            $crate::database::Database::Sqlite(database) => {
                $crate::database::session!(@ database, $kind, $connection => $body)
            }
            $crate::database::Database::Postgres(database) => {
                $crate::database::session!(@ database, $kind, $connection => $body)
            }
        }
    };
    (@ $database:ident, $kind:ident, $connection:ident => $body:block) => {
        $crate::bounds::within($crate::bounds::WORK, async {
            let mut session = $database.$kind().await?;
            let $connection = session.connection();
            let result: $crate::Result<_> = async { $body }.await;
            session.end(result).await
        })
        .await
    };
}

pub(crate) use {reading, session, writing};

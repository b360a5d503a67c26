//! PostgreSQL: a pool of connections, each bounding its own statements.

use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgArguments, PgConnectOptions, PgConnection, PgPool, PgPoolOptions};
use sqlx::{ConnectOptions, Connection};

use crate::bounds::{self, within};
use crate::{MIGRATIONS, Result, StoreError};

#[derive(Debug)]
pub(crate) struct Postgres {
    pool: PgPool,
}

impl Postgres {
    pub(crate) async fn open(address: &str) -> Result<Self> {
        let options: PgConnectOptions = address
            .parse()
            // The error may repeat the address, and with it a password.
            .map_err(|_| StoreError::Address { reason: "it is not a PostgreSQL address".to_owned() })?;
        let options = options.application_name("truc").disable_statement_logging();
        within(bounds::OPEN_AND_CLOSE + bounds::MIGRATE, prepare(&options)).await?;

        let milliseconds = |bound: std::time::Duration| bound.as_millis().to_string();
        let options = options.options([
            ("synchronous_commit", "on".to_owned()),
            // Takes longer to compile a listing than the listing takes.
            ("jit", "off".to_owned()),
            ("statement_timeout", milliseconds(bounds::STATEMENT)),
            ("lock_timeout", milliseconds(bounds::STATEMENT)),
            ("idle_in_transaction_session_timeout", milliseconds(bounds::OPEN_AND_CLOSE)),
        ]);
        let pool = PgPoolOptions::new()
            .max_connections(bounds::POSTGRES_CONNECTIONS)
            .acquire_timeout(bounds::ACQUIRE)
            // A connection in constant use needs no test, which would cost each commit a second round trip.
            .test_before_acquire(false)
            .before_acquire(|connection, usage| {
                Box::pin(async move {
                    if usage.idle_for > bounds::POSTGRES_TRUSTED {
                        connection.ping().await?;
                    }
                    Ok(true)
                })
            })
            .connect_lazy_with(options);
        Ok(Self { pool })
    }

    pub(crate) async fn reader(&self) -> Result<Session> {
        Ok(Session { connection: self.pool.acquire().await?, transaction: false, finished: false })
    }

    pub(crate) async fn writer(&self) -> Result<Session> {
        let mut session = self.reader().await?;
        session.transaction = true;
        sqlx::raw_sql("BEGIN").execute(session.connection()).await?;
        Ok(session)
    }

    /// Runs one statement that is a transaction of its own.
    pub(crate) async fn execute(&self, sql: &'static str, arguments: PgArguments) -> Result<()> {
        let mut session = self.reader().await?;
        let result = sqlx::query_with(sql, arguments).execute(session.connection()).await;
        session.end(result.map(drop).map_err(StoreError::from)).await
    }

    pub(crate) async fn close(&self) {
        self.pool.close().await;
    }
}

/// A connection at work. Dropped before its end, it is closed instead of going back to the pool: a statement may still
/// be running on it.
pub(crate) struct Session {
    connection: PoolConnection<sqlx::Postgres>,
    transaction: bool,
    finished: bool,
}

impl Session {
    pub(crate) fn connection(&mut self) -> &mut PgConnection {
        &mut self.connection
    }

    /// Ends the transaction, if this connection has one, as the result says.
    pub(crate) async fn end<T>(mut self, result: Result<T>) -> Result<T> {
        if self.transaction {
            let end = if result.is_ok() { "COMMIT" } else { "ROLLBACK" };
            let ended = sqlx::raw_sql(end).execute(self.connection()).await;
            if result.is_ok() {
                ended?;
            }
        }
        self.finished = true;
        result
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if !self.finished {
            self.connection.close_on_drop();
        }
    }
}

/// Checks that the server keeps what it acknowledges, and brings the tables up to date, on a connection without the
/// bounds of everyday work.
async fn prepare(options: &PgConnectOptions) -> Result<()> {
    let mut connection = within(bounds::OPEN_AND_CLOSE, async { Ok(options.connect().await?) }).await?;
    let fsync: String = sqlx::query_scalar("SHOW fsync").fetch_one(&mut connection).await?;
    if fsync != "on" {
        return Err(StoreError::NotDurable(format!(
            "PostgreSQL runs with fsync = {fsync}: set it to on in postgresql.conf"
        )));
    }
    MIGRATIONS.run(&mut connection).await.map_err(|error| StoreError::Migration(error.into()))?;
    connection.close().await?;
    Ok(())
}

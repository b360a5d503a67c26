//! Idempotency keys: claimed by one request, completed with its answer, kept until they expire.
//!
//! A key is claimed by inserting its row, so the database decides between requests that come at once, also on several
//! hosts. Who holds a key is told by a random number, the claim, and not by the request's identifier: that is the
//! caller's to choose, and two requests may have the same.

use truc_model::{AccountName, AgencyCode, Digest, RequestId, ServiceName, Timestamp};

use crate::database::{reading, writing};
use crate::{Result, Store, column};

/// What claims a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// The key: a digest over agency, account and what the caller sent.
    pub key: Digest,
    /// A random number by which this claim is told from others.
    pub number: i64,
    /// The agency.
    pub agency: AgencyCode,
    /// Its account.
    pub account: AccountName,
    /// The service.
    pub service: ServiceName,
    /// The operation (`interface/function`).
    pub operation: String,
    /// The digest of the request.
    pub request: Digest,
    /// The request's identifier.
    pub exchange: RequestId,
    /// The time of the claim.
    pub created_at: Timestamp,
    /// When the request can no longer be under way.
    pub ends_by: Timestamp,
    /// From when on the key is as new.
    pub expires_at: Timestamp,
}

/// What became of a claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claimed {
    /// The key is held by this request.
    New,
    /// It was claimed before, and has not expired.
    Before(KeyRow),
}

/// A key that was claimed before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRow {
    /// The digest of the request that holds it.
    pub request: Digest,
    /// The identifier of that request.
    pub exchange: RequestId,
    /// When it was claimed.
    pub created_at: Timestamp,
    /// What is known of that request.
    pub state: KeyState,
}

/// What is known of the request that holds a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyState {
    /// It is under way, and ends by this time.
    Running(Timestamp),
    /// It was answered.
    Done(AnswerRow),
    /// It ended, or was ended, before its answer was kept.
    Unknown,
}

/// An answer as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnswerRow {
    /// The revision of the service that gave it.
    pub revision: u32,
    /// The HTTP status.
    pub status: u16,
    /// The problem's code, where it is one.
    pub problem: Option<String>,
    /// The media type of the body, where there is one.
    pub content_type: Option<String>,
    /// The body, in whatever form the owner keeps it.
    pub body: Vec<u8>,
}

/// The idempotency keys.
#[derive(Debug, Clone, Copy)]
pub struct IdempotencyKeys<'a> {
    pub(crate) store: &'a Store,
}

type Columns = (
    String,
    String,
    i64,
    i64,
    String,
    Option<i64>,
    Option<i64>,
    Option<String>,
    Option<String>,
    Option<Vec<u8>>,
);

/// Takes a key that is not there, and one that has expired. Of requests that come at once, one changes the row.
const CLAIM: &str = "\
    INSERT INTO idempotency_keys \
        (key, claim, agency, account, service, operation, request, exchange, state, created_at, ends_by, expires_at) \
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 'running', $9, $10, $11) \
    ON CONFLICT (key) DO UPDATE SET \
        claim = excluded.claim, agency = excluded.agency, account = excluded.account, service = excluded.service, \
        operation = excluded.operation, request = excluded.request, exchange = excluded.exchange, \
        state = excluded.state, created_at = excluded.created_at, ends_by = excluded.ends_by, \
        expires_at = excluded.expires_at, \
        revision = NULL, status = NULL, problem = NULL, content_type = NULL, answer = NULL \
    WHERE idempotency_keys.expires_at <= excluded.created_at";

impl IdempotencyKeys<'_> {
    /// Claims a key. It is on the disk when this returns [`Claimed::New`].
    ///
    /// # Errors
    /// The claim is not known to be written. What may have been written of it is taken back with
    /// [`release`](Self::release).
    pub async fn claim(&self, claim: &Claim) -> Result<Claimed> {
        writing!(self.store, connection => {
            let taken = sqlx::query(CLAIM)
                .bind(claim.key.hex())
                .bind(claim.number)
                .bind(claim.agency.as_str())
                .bind(claim.account.as_str())
                .bind(claim.service.as_str())
                .bind(&claim.operation)
                .bind(claim.request.to_string())
                .bind(claim.exchange.to_string())
                .bind(claim.created_at.as_micros())
                .bind(claim.ends_by.as_micros())
                .bind(claim.expires_at.as_micros())
                .execute(&mut *connection)
                .await?
                .rows_affected();
            if taken > 0 {
                return Ok(Claimed::New);
            }
            // The row cannot go away in between: SQLite has one writer, and PostgreSQL has locked it for this one.
            let columns: Columns = sqlx::query_as(
                "SELECT request, exchange, created_at, ends_by, state, revision, status, problem, content_type, answer \
                 FROM idempotency_keys WHERE key = $1",
            )
            .bind(claim.key.hex())
            .fetch_one(&mut *connection)
            .await?;
            row(columns).map(Claimed::Before)
        })
    }

    /// Completes a claim with the answer. It is on the disk when this returns `Ok`.
    ///
    /// # Errors
    /// [`NotFound`](crate::StoreError::NotFound) where another request holds the key by now.
    pub async fn complete(&self, key: &Digest, number: i64, answer: &AnswerRow) -> Result<()> {
        writing!(self.store, connection => {
            let changed = sqlx::query(
                "UPDATE idempotency_keys \
                 SET state = 'done', revision = $3, status = $4, problem = $5, content_type = $6, answer = $7 \
                 WHERE key = $1 AND claim = $2",
            )
            .bind(key.hex())
            .bind(number)
            .bind(i64::from(answer.revision))
            .bind(i64::from(answer.status))
            .bind(answer.problem.as_deref())
            .bind(answer.content_type.as_deref())
            .bind(answer.body.as_slice())
            .execute(&mut *connection)
            .await?;
            column::found(changed.rows_affected())
        })
    }

    /// Takes a claim back whose request was not begun. Where the claim does not hold the key, nothing happens.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn release(&self, key: &Digest, number: i64) -> Result<()> {
        writing!(self.store, connection => {
            sqlx::query("DELETE FROM idempotency_keys WHERE key = $1 AND claim = $2 AND state = 'running'")
                .bind(key.hex())
                .bind(number)
                .execute(&mut *connection)
                .await?;
            Ok(())
        })
    }

    /// Says of every request under way that its outcome is unknown; how many there were. For the start of the one host
    /// that uses the database, when none can be under way.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn interrupt(&self) -> Result<u64> {
        writing!(self.store, connection => {
            let changed = sqlx::query("UPDATE idempotency_keys SET state = 'unknown' WHERE state = 'running'")
                .execute(&mut *connection)
                .await?;
            Ok(changed.rows_affected())
        })
    }

    /// Removes keys that have expired, at most `most` of them; how many it were.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn purge(&self, now: Timestamp, most: u32) -> Result<u64> {
        // Most of the time there is nothing to remove, and looking needs no writer.
        let expired: Option<i64> = reading!(self.store, connection => {
            let first = sqlx::query_scalar("SELECT expires_at FROM idempotency_keys WHERE expires_at <= $1 LIMIT 1")
                .bind(now.as_micros())
                .fetch_optional(&mut *connection)
                .await?;
            Ok(first)
        })?;
        if expired.is_none() {
            return Ok(0);
        }
        writing!(self.store, connection => {
            let removed = sqlx::query(
                "DELETE FROM idempotency_keys WHERE key IN (\
                     SELECT key FROM idempotency_keys WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2)",
            )
            .bind(now.as_micros())
            .bind(i64::from(most))
            .execute(&mut *connection)
            .await?;
            Ok(removed.rows_affected())
        })
    }
}

fn row(columns: Columns) -> Result<KeyRow> {
    let (request, exchange, created_at, ends_by, state, revision, status, problem, content_type, body) =
        columns;
    let state = match state.as_str() {
        "running" => KeyState::Running(column::time(ends_by)),
        "done" => KeyState::Done(AnswerRow {
            revision: column::required("idempotency_keys.revision", revision)?,
            status: column::required("idempotency_keys.status", status)?,
            problem,
            content_type,
            body: body.unwrap_or_default(),
        }),
        _ => KeyState::Unknown,
    };
    Ok(KeyRow {
        request: column::text("idempotency_keys.request", request)?,
        exchange: column::text("idempotency_keys.exchange", exchange)?,
        created_at: column::time(created_at),
        state,
    })
}

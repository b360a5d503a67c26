//! Exchanges: appended, listed, never changed.
//!
//! An exchange that is to change something upstream has two entries: its intent, written before the upstream is
//! called, and its outcome. Any other has its outcome only. In a listing an exchange appears once: as its outcome, or,
//! while there is none, as its intent. An intent that stays without an outcome is a call of unknown end: the host
//! stopped in between, or could not record the outcome, in which case the caller had no answer.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use truc_model::{AccountName, AgencyCode, Exchange, RequestId, ServiceName, Timestamp};

use crate::database::reading;
use crate::{Result, Store, append, column};

/// What is about to be asked of a national system, and for whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Intent {
    /// The request's identifier.
    pub id: RequestId,
    /// When the request arrived. An intent and its outcome have the same.
    pub received_at: Timestamp,
    /// The agency.
    pub agency: AgencyCode,
    /// The agency's account.
    pub account: AccountName,
    /// The service.
    pub service: ServiceName,
    /// The revision of the service.
    pub revision: u32,
    /// The operation (`interface/function`).
    pub operation: Arc<str>,
    /// The purpose the caller stated.
    pub purpose: Option<String>,
    /// The dossier the caller named.
    pub dossier: Option<String>,
}

/// An entry of the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// What is about to be done; in a listing, what was begun and has no known end.
    Intent(Intent),
    /// What became of an exchange.
    Outcome(Exchange),
}

impl Entry {
    /// The request's identifier.
    pub fn id(&self) -> RequestId {
        match self {
            Self::Intent(intent) => intent.id,
            Self::Outcome(exchange) => exchange.id,
        }
    }

    /// When the request arrived.
    pub fn received_at(&self) -> Timestamp {
        match self {
            Self::Intent(intent) => intent.received_at,
            Self::Outcome(exchange) => exchange.received_at,
        }
    }
}

/// What is known of an exchange's end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// It is recorded.
    Known,
    /// Only the intent is recorded.
    Unknown,
}

/// Which exchanges to list. Whatever is none does not restrict.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Those that arrived at this time or later.
    pub from: Option<Timestamp>,
    /// Those that arrived before this time.
    pub to: Option<Timestamp>,
    /// Those of this agency.
    pub agency: Option<AgencyCode>,
    /// Those with this service.
    pub service: Option<ServiceName>,
    /// Those answered with this HTTP status.
    pub status: Option<u16>,
    /// Those answered with the problem of this code.
    pub problem: Option<String>,
    /// Those whose end is known, or those whose end is not.
    pub end: Option<End>,
    /// Those that come after this place in the listing.
    pub after: Option<Cursor>,
    /// At most this many: 1 to [`Filter::MOST`], 100 when none.
    pub limit: Option<u32>,
}

impl Filter {
    /// The most exchanges that one listing holds.
    pub const MOST: u32 = 1000;
}

/// A place in a listing: opaque text that is good for as long as the exchanges are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    received_at: Timestamp,
    id: RequestId,
}

/// A text that is no [`Cursor`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is not a cursor: pass on the one that came with the previous page, unchanged")]
pub struct CursorError;

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}.{}", self.received_at.as_micros(), self.id)
    }
}

impl FromStr for Cursor {
    type Err = CursorError;

    fn from_str(text: &str) -> Result<Self, CursorError> {
        let (micros, id) = text.split_once('.').ok_or(CursorError)?;
        let micros = u64::from_str_radix(micros, 16).map_err(|_| CursorError)?.cast_signed();
        Ok(Self { received_at: column::time(micros), id: id.parse().map_err(|_| CursorError)? })
    }
}

/// Part of a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// The exchanges, those that arrived last first.
    pub entries: Vec<Entry>,
    /// Where the next part begins; none when this is the last.
    pub next: Option<Cursor>,
}

/// The exchanges.
#[derive(Debug, Clone, Copy)]
pub struct Exchanges<'a> {
    pub(crate) store: &'a Store,
}

/// One statement, and so one snapshot. The conditions on time bound the walk along the index; the rest are tried on each
/// row it meets. `NOT EXISTS` in place of the inner `SELECT` would say the same, but PostgreSQL may answer that by
/// reading all exchanges into a table of its own.
const LIST: &str = "\
    SELECT received_at, id, outcome, agency, account, service, revision, operation, purpose, dossier, \
           status, problem, duration, request_bytes, response_bytes, upstream_calls \
    FROM exchanges e \
    WHERE received_at >= $1 AND received_at <= $2 AND (received_at < $2 OR id < $3) \
      AND ($4 IS NULL OR agency = $4) \
      AND ($5 IS NULL OR service = $5) \
      AND ($6 IS NULL OR status = $6) \
      AND ($7 IS NULL OR problem = $7) \
      AND ($8 IS NULL OR outcome = $8) \
      AND (outcome = 1 OR (\
          SELECT o.outcome FROM exchanges o \
          WHERE o.received_at = e.received_at AND o.id = e.id AND o.outcome = 1 LIMIT 1) IS NULL) \
    ORDER BY received_at DESC, id DESC \
    LIMIT $9";

type Columns = (
    i64,
    String,
    i64,
    Option<String>,
    Option<String>,
    Option<String>,
    Option<i64>,
    Option<String>,
    Option<String>,
    Option<String>,
    Option<i64>,
    Option<String>,
    Option<i64>,
    Option<i64>,
    Option<i64>,
    Option<i64>,
);

impl Exchanges<'_> {
    /// The most entries that one [`append`](Self::append) takes.
    pub const BATCH: usize = append::BATCH;

    /// Appends entries, all or none, in one transaction that is on the disk when this returns.
    ///
    /// # Errors
    /// [`Full`](crate::StoreError::Full) and [`Refused`](crate::StoreError::Refused), which also meets more than
    /// [`BATCH`](Self::BATCH) entries: nothing was written.
    pub async fn append(&self, entries: &[Entry]) -> Result<()> {
        append::append(&self.store.database, entries).await
    }

    /// Lists exchanges, those that arrived last first.
    ///
    /// What the filter asks besides time is tried on every exchange of the time range until the page is full. A rare
    /// agency in a long range can therefore take longer than the bound on a read.
    ///
    /// # Errors
    /// [`TimedOut`](crate::StoreError::TimedOut) where that happens: narrow the time range.
    pub async fn list(&self, filter: &Filter) -> Result<Page> {
        let limit = filter.limit.unwrap_or(100).clamp(1, Filter::MOST);
        // The walk goes down from (last, id), itself left out. No identifier comes before the empty text.
        let before = filter.to.map_or(i64::MAX, Timestamp::as_micros);
        let (last, id) = match filter.after {
            Some(Cursor { received_at, id }) if received_at.as_micros() < before => {
                (received_at.as_micros(), id.to_string())
            }
            _ => (before, String::new()),
        };
        let mut columns: Vec<Columns> = reading!(self.store, connection => {
            let rows = sqlx::query_as(LIST)
                // Planned anew each time: which filters are set decides what a good plan is.
                .persistent(false)
                .bind(filter.from.map_or(i64::MIN, Timestamp::as_micros))
                .bind(last)
                .bind(&id)
                .bind(filter.agency.as_ref().map(AgencyCode::as_str))
                .bind(filter.service.as_ref().map(ServiceName::as_str))
                .bind(filter.status.map(i64::from))
                .bind(filter.problem.as_deref())
                .bind(filter.end.map(|end| i64::from(end == End::Known)))
                .bind(i64::from(limit) + 1)
                .fetch_all(&mut *connection)
                .await?;
            Ok(rows)
        })?;
        // One row more than asked for tells whether there is another page.
        let more = columns.len() > limit as usize;
        columns.truncate(limit as usize);
        let entries = columns.into_iter().map(entry).collect::<Result<Vec<_>>>()?;
        let next = entries
            .last()
            .filter(|_| more)
            .map(|last| Cursor { received_at: last.received_at(), id: last.id() });
        Ok(Page { entries, next })
    }
}

fn entry(columns: Columns) -> Result<Entry> {
    let (
        received_at,
        id,
        outcome,
        agency,
        account,
        service,
        revision,
        operation,
        purpose,
        dossier,
        status,
        problem,
        duration,
        request_bytes,
        response_bytes,
        upstream_calls,
    ) = columns;
    let id = column::text("exchanges.id", id)?;
    let received_at = column::time(received_at);
    if outcome == 0 {
        return Ok(Entry::Intent(Intent {
            id,
            received_at,
            agency: column::text("exchanges.agency", agency.unwrap_or_default())?,
            account: column::text("exchanges.account", account.unwrap_or_default())?,
            service: column::text("exchanges.service", service.unwrap_or_default())?,
            revision: column::required("exchanges.revision", revision)?,
            operation: operation.unwrap_or_default().into(),
            purpose,
            dossier,
        }));
    }
    Ok(Entry::Outcome(Exchange {
        id,
        received_at,
        agency: column::optional_text("exchanges.agency", agency)?,
        account: column::optional_text("exchanges.account", account)?,
        service: column::optional_text("exchanges.service", service)?,
        revision: column::optional_number("exchanges.revision", revision)?,
        operation: operation.map(Arc::from),
        purpose,
        dossier,
        status: column::required("exchanges.status", status)?,
        problem,
        duration: column::required("exchanges.duration", duration)?,
        request_bytes: column::required("exchanges.request_bytes", request_bytes)?,
        response_bytes: column::required("exchanges.response_bytes", response_bytes)?,
        upstream_calls: column::required("exchanges.upstream_calls", upstream_calls)?,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_text_and_back() {
        for micros in [1_751_333_400_000_001, 0, -1, i64::MIN, i64::MAX] {
            let received_at = Timestamp::from_micros(micros);
            let cursor = Cursor { received_at, id: RequestId::new(received_at, &[7; 10]) };
            assert_eq!(cursor.to_string().parse(), Ok(cursor));
        }
        for wrong in ["", ".", "1f", "1f.", "1f.x", "x.0197c3f8-0000-7000-8000-000000000000"] {
            assert_eq!(wrong.parse::<Cursor>(), Err(CursorError), "{wrong}");
        }
    }
}

//! The hot path: many entries in one statement.
//!
//! This is the one place where the two databases are spoken to differently, each in the way that costs it least. Either
//! way the statement is a transaction of its own: one message there, one back, and nothing to undo when it fails.
//!
//! SQLite takes one row of parameters per entry. It is prepared for as many rows as the next power of two, and ignores
//! the rows that stay empty: a handful of prepared statements serves every size of batch. PostgreSQL takes one array
//! per column, which needs a single statement for all.

use std::fmt::Write as _;
use std::sync::{Arc, LazyLock};

use sqlx::error::BoxDynError;
use sqlx::postgres::PgArguments;
use sqlx::sqlite::SqliteArguments;
use sqlx::{Arguments, AssertSqlSafe, SqlSafeStr};
use truc_model::{AccountName, AgencyCode, RequestId, ServiceName};

use crate::bounds::{self, within};
use crate::column::count;
use crate::database::Database;
use crate::exchanges::Entry;
use crate::{Result, StoreError};

/// The most entries that are appended at once.
pub(crate) const BATCH: usize = 256;

/// Columns of a row.
const COLUMNS: usize = 16;

/// SQLite's statements for 1, 2, 4, … [`BATCH`] rows.
static SQLITE: LazyLock<Vec<Arc<str>>> = LazyLock::new(|| {
    let sizes = (0..=BATCH.ilog2()).map(|power| 1 << power);
    sizes.map(|rows| sqlite_statement(rows).into()).collect()
});

const POSTGRES: &str = "\
    INSERT INTO exchanges (received_at, id, outcome, agency, account, service, revision, operation, purpose, dossier, \
                           status, problem, duration, request_bytes, response_bytes, upstream_calls) \
    SELECT * FROM unnest($1::bigint[], $2::text[], $3::bigint[], $4::text[], $5::text[], $6::text[], $7::bigint[], \
                         $8::text[], $9::text[], $10::text[], $11::bigint[], $12::text[], $13::bigint[], \
                         $14::bigint[], $15::bigint[], $16::bigint[])";

fn sqlite_statement(rows: usize) -> String {
    let row = format!("(?{})", ", ?".repeat(COLUMNS - 1));
    let mut sql = "INSERT INTO exchanges (received_at, id, outcome, agency, account, service, revision, operation, \
                   purpose, dossier, status, problem, duration, request_bytes, response_bytes, upstream_calls) \
                   SELECT * FROM (VALUES "
        .to_owned();
    let _ = write!(sql, "{row}{}", format!(", {row}").repeat(rows - 1));
    // A parameter that is not given is NULL.
    sql.push_str(") WHERE column1 IS NOT NULL");
    sql
}

pub(crate) async fn append(database: &Database, entries: &[Entry]) -> Result<()> {
    if entries.is_empty() {
        return Ok(());
    }
    if entries.len() > BATCH {
        return Err(StoreError::Refused(
            format!("{} entries at once, {BATCH} at most", entries.len()).into(),
        ));
    }
    match database {
        Database::Sqlite(sqlite) => {
            let size = entries.len().next_power_of_two().ilog2() as usize;
            let sql = SQLITE.get(size).cloned().unwrap_or_else(|| sqlite_statement(entries.len()).into());
            // Put together from constants only.
            let sql = AssertSqlSafe(sql).into_sql_str();
            let arguments = sqlite_arguments(entries).map_err(StoreError::Refused)?;
            within(bounds::WORK, sqlite.execute(sql, arguments)).await
        }
        Database::Postgres(postgres) => {
            let arguments = postgres_arguments(entries).map_err(StoreError::Refused)?;
            within(bounds::WORK, postgres.execute(POSTGRES, arguments)).await
        }
    }
}

/// An entry as a row, texts borrowed.
struct Row<'a> {
    received_at: i64,
    id: RequestId,
    outcome: i64,
    agency: Option<&'a str>,
    account: Option<&'a str>,
    service: Option<&'a str>,
    revision: Option<i64>,
    operation: Option<&'a str>,
    purpose: Option<&'a str>,
    dossier: Option<&'a str>,
    status: Option<i64>,
    problem: Option<&'a str>,
    duration: Option<i64>,
    request_bytes: Option<i64>,
    response_bytes: Option<i64>,
    upstream_calls: Option<i64>,
}

impl<'a> From<&'a Entry> for Row<'a> {
    fn from(entry: &'a Entry) -> Self {
        match entry {
            Entry::Intent(intent) => Self {
                received_at: intent.received_at.as_micros(),
                id: intent.id,
                outcome: 0,
                agency: Some(intent.agency.as_str()),
                account: Some(intent.account.as_str()),
                service: Some(intent.service.as_str()),
                revision: Some(i64::from(intent.revision)),
                operation: Some(&intent.operation),
                purpose: intent.purpose.as_deref(),
                dossier: intent.dossier.as_deref(),
                status: None,
                problem: None,
                duration: None,
                request_bytes: None,
                response_bytes: None,
                upstream_calls: None,
            },
            Entry::Outcome(exchange) => Self {
                received_at: exchange.received_at.as_micros(),
                id: exchange.id,
                outcome: 1,
                agency: exchange.agency.as_ref().map(AgencyCode::as_str),
                account: exchange.account.as_ref().map(AccountName::as_str),
                service: exchange.service.as_ref().map(ServiceName::as_str),
                revision: exchange.revision.map(i64::from),
                operation: exchange.operation.as_deref(),
                purpose: exchange.purpose.as_deref(),
                dossier: exchange.dossier.as_deref(),
                status: Some(i64::from(exchange.status)),
                problem: exchange.problem.as_deref(),
                duration: Some(count(exchange.duration)),
                request_bytes: Some(count(exchange.request_bytes)),
                response_bytes: Some(count(exchange.response_bytes)),
                upstream_calls: Some(i64::from(exchange.upstream_calls)),
            },
        }
    }
}

fn sqlite_arguments(entries: &[Entry]) -> Result<SqliteArguments, BoxDynError> {
    let mut arguments = SqliteArguments::default();
    arguments.reserve(entries.len() * COLUMNS, 0);
    // The driver takes a shared text over as it is; a borrowed one it would copy into two allocations.
    let shared = |text: Option<&str>| text.map(Arc::<str>::from);
    for row in entries.iter().map(Row::from) {
        arguments.add(row.received_at)?;
        arguments.add(Arc::<str>::from(row.id.encode(&mut [0; 36])))?;
        arguments.add(row.outcome)?;
        arguments.add(shared(row.agency))?;
        arguments.add(shared(row.account))?;
        arguments.add(shared(row.service))?;
        arguments.add(row.revision)?;
        arguments.add(shared(row.operation))?;
        arguments.add(shared(row.purpose))?;
        arguments.add(shared(row.dossier))?;
        arguments.add(row.status)?;
        arguments.add(shared(row.problem))?;
        arguments.add(row.duration)?;
        arguments.add(row.request_bytes)?;
        arguments.add(row.response_bytes)?;
        arguments.add(row.upstream_calls)?;
    }
    Ok(arguments)
}

fn postgres_arguments(entries: &[Entry]) -> Result<PgArguments, BoxDynError> {
    let rows: Vec<Row<'_>> = entries.iter().map(Row::from).collect();
    let mut arguments = PgArguments::default();
    macro_rules! column {
        ($($name:ident),*) => {
            $(arguments.add(rows.iter().map(|row| row.$name).collect::<Vec<_>>())?;)*
        };
    }
    column!(received_at);
    arguments.add(rows.iter().map(|row| row.id.to_string()).collect::<Vec<_>>())?;
    column!(outcome, agency, account, service, revision, operation, purpose, dossier);
    column!(status, problem, duration, request_bytes, response_bytes, upstream_calls);
    Ok(arguments)
}

//! Services and their revisions.
//!
//! A revision is written once and never changed. Removing a service takes its active revision away and nothing else:
//! the exchanges refer to revisions by number, so numbers go on where they were if the name is used again.

use truc_model::{Digest, ServiceName, Timestamp};

use crate::database::{reading, writing};
use crate::{Result, Store, column};

/// A service that is served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceRow {
    /// Its name.
    pub name: ServiceName,
    /// The revision that takes the calls.
    pub active_revision: u32,
    /// When a service of this name was first made.
    pub created_at: Timestamp,
}

/// A revision of a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RevisionRow {
    /// The service.
    pub service: ServiceName,
    /// 1 for the service's first revision, and one more for each.
    pub number: u32,
    /// The connector's digest.
    pub connector: Digest,
    /// Bindings, configuration, keys and limits (JSON). Secrets are named in it, never contained.
    pub settings: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// Who made it.
    pub created_by: String,
}

/// A revision to be made.
#[derive(Debug, Clone)]
pub struct NewRevision<'a> {
    /// The service; made if there is none of this name.
    pub service: &'a ServiceName,
    /// The connector's digest.
    pub connector: &'a Digest,
    /// As [`RevisionRow::settings`].
    pub settings: &'a str,
    /// Now.
    pub created_at: Timestamp,
    /// Who makes it.
    pub created_by: &'a str,
}

/// The services and their revisions.
#[derive(Debug, Clone, Copy)]
pub struct Services<'a> {
    pub(crate) store: &'a Store,
}

type ServiceColumns = (String, i64, i64);
type RevisionColumns = (String, i64, String, String, i64, String);

impl Services<'_> {
    /// Makes a revision and has it take the calls, in one step. The answer is its number.
    ///
    /// # Errors
    /// [`NotFound`](crate::StoreError::NotFound) where there is no connector with the digest.
    pub async fn insert_revision(&self, new: &NewRevision<'_>) -> Result<u32> {
        writing!(self.store, connection => {
            // The update that changes nothing locks the row: of two at once, one waits for the other's number.
            sqlx::query(
                "INSERT INTO services (name, created_at) VALUES ($1, $2) \
                 ON CONFLICT (name) DO UPDATE SET name = excluded.name",
            )
            .bind(new.service.as_str())
            .bind(new.created_at.as_micros())
            .execute(&mut *connection)
            .await?;
            let number: i64 = sqlx::query_scalar(
                "INSERT INTO revisions (service, number, connector, settings, created_at, created_by) \
                 SELECT $1, COALESCE(MAX(number), 0) + 1, $2, $3, $4, $5 FROM revisions WHERE service = $1 \
                 RETURNING number",
            )
            .bind(new.service.as_str())
            .bind(new.connector.to_string())
            .bind(new.settings)
            .bind(new.created_at.as_micros())
            .bind(new.created_by)
            .fetch_one(&mut *connection)
            .await?;
            sqlx::query("UPDATE services SET active_revision = $2 WHERE name = $1")
                .bind(new.service.as_str())
                .bind(number)
                .execute(&mut *connection)
                .await?;
            column::number("revisions.number", number)
        })
    }

    /// Has another revision of a service take the calls.
    ///
    /// # Errors
    /// [`NotFound`](crate::StoreError::NotFound) where there is no such service or revision.
    pub async fn activate(&self, service: &ServiceName, number: u32) -> Result<()> {
        writing!(self.store, connection => {
            let done = sqlx::query(
                "UPDATE services SET active_revision = $2 WHERE name = $1 AND active_revision IS NOT NULL \
                 AND EXISTS (SELECT 1 FROM revisions WHERE service = $1 AND number = $2)",
            )
            .bind(service.as_str())
            .bind(i64::from(number))
            .execute(&mut *connection)
            .await?;
            column::found(done.rows_affected())
        })
    }

    /// Takes a service out of service.
    ///
    /// # Errors
    /// [`NotFound`](crate::StoreError::NotFound) where there is no such service.
    pub async fn remove(&self, service: &ServiceName) -> Result<()> {
        writing!(self.store, connection => {
            let done = sqlx::query(
                "UPDATE services SET active_revision = NULL WHERE name = $1 AND active_revision IS NOT NULL",
            )
            .bind(service.as_str())
            .execute(&mut *connection)
            .await?;
            column::found(done.rows_affected())
        })
    }

    /// A service.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn get(&self, service: &ServiceName) -> Result<Option<ServiceRow>> {
        reading!(self.store, connection => {
            let columns: Option<ServiceColumns> = sqlx::query_as(
                "SELECT name, active_revision, created_at FROM services \
                 WHERE name = $1 AND active_revision IS NOT NULL",
            )
            .bind(service.as_str())
            .fetch_optional(&mut *connection)
            .await?;
            columns.map(service_row).transpose()
        })
    }

    /// All services, by name.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn list(&self) -> Result<Vec<ServiceRow>> {
        reading!(self.store, connection => {
            let columns: Vec<ServiceColumns> = sqlx::query_as(
                "SELECT name, active_revision, created_at FROM services \
                 WHERE active_revision IS NOT NULL ORDER BY name",
            )
            .fetch_all(&mut *connection)
            .await?;
            columns.into_iter().map(service_row).collect()
        })
    }

    /// The active revision of every service, by service name.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn active(&self) -> Result<Vec<RevisionRow>> {
        reading!(self.store, connection => {
            let columns: Vec<RevisionColumns> = sqlx::query_as(
                "SELECT r.service, r.number, r.connector, r.settings, r.created_at, r.created_by \
                 FROM services s JOIN revisions r ON r.service = s.name AND r.number = s.active_revision \
                 ORDER BY r.service",
            )
            .fetch_all(&mut *connection)
            .await?;
            columns.into_iter().map(revision_row).collect()
        })
    }

    /// One revision of a service, active or not.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn revision(&self, service: &ServiceName, number: u32) -> Result<Option<RevisionRow>> {
        reading!(self.store, connection => {
            let columns: Option<RevisionColumns> = sqlx::query_as(
                "SELECT service, number, connector, settings, created_at, created_by FROM revisions \
                 WHERE service = $1 AND number = $2",
            )
            .bind(service.as_str())
            .bind(i64::from(number))
            .fetch_optional(&mut *connection)
            .await?;
            columns.map(revision_row).transpose()
        })
    }

    /// All revisions of a service, newest first, those from before a removal too.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn revisions(&self, service: &ServiceName) -> Result<Vec<RevisionRow>> {
        reading!(self.store, connection => {
            let columns: Vec<RevisionColumns> = sqlx::query_as(
                "SELECT service, number, connector, settings, created_at, created_by FROM revisions \
                 WHERE service = $1 ORDER BY number DESC",
            )
            .bind(service.as_str())
            .fetch_all(&mut *connection)
            .await?;
            columns.into_iter().map(revision_row).collect()
        })
    }
}

fn service_row((name, active_revision, created_at): ServiceColumns) -> Result<ServiceRow> {
    Ok(ServiceRow {
        name: column::text("services.name", name)?,
        active_revision: column::number("services.active_revision", active_revision)?,
        created_at: column::time(created_at),
    })
}

fn revision_row(columns: RevisionColumns) -> Result<RevisionRow> {
    let (service, number, connector, settings, created_at, created_by) = columns;
    Ok(RevisionRow {
        service: column::text("revisions.service", service)?,
        number: column::number("revisions.number", number)?,
        connector: column::text("revisions.connector", connector)?,
        settings,
        created_at: column::time(created_at),
        created_by,
    })
}

//! Secrets as they are kept: sealed, so that nothing here can open them.

use truc_model::Timestamp;

use crate::database::{reading, writing};
use crate::{Result, Store, StoreError, column};

/// A sealed secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretRow {
    /// Its name.
    pub name: String,
    /// 1 for the first value of this name, and one more for each.
    pub version: u32,
    /// Which key of the vault opens it.
    pub key: String,
    /// The sealed value, in whatever form the owner keeps it.
    pub sealed: Vec<u8>,
    /// When a secret of this name was first put.
    pub created_at: Timestamp,
    /// When this value was put.
    pub changed_at: Timestamp,
}

/// A value to be kept in the place of another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resealed {
    /// The secret.
    pub name: String,
    /// The version whose value it is.
    pub version: u32,
    /// As [`SecretRow::key`].
    pub key: String,
    /// As [`SecretRow::sealed`].
    pub sealed: Vec<u8>,
}

/// The secrets.
#[derive(Debug, Clone, Copy)]
pub struct Secrets<'a> {
    pub(crate) store: &'a Store,
}

type Columns = (String, i64, String, Vec<u8>, i64, i64);

impl Secrets<'_> {
    /// Keeps a value: the first of its name, or the one after the version before. `row.created_at` counts for a first
    /// value only.
    ///
    /// # Errors
    /// [`Taken`](StoreError::Taken) where the name has another version than the one before by now.
    pub async fn put(&self, row: &SecretRow) -> Result<()> {
        writing!(self.store, connection => {
            let done = sqlx::query(
                "INSERT INTO secrets (name, version, key, sealed, created_at, changed_at) \
                 VALUES ($1, $2, $3, $4, $5, $6) \
                 ON CONFLICT (name) DO UPDATE SET \
                 version = excluded.version, key = excluded.key, sealed = excluded.sealed, \
                 changed_at = excluded.changed_at \
                 WHERE secrets.version = excluded.version - 1",
            )
            .bind(&row.name)
            .bind(i64::from(row.version))
            .bind(&row.key)
            .bind(row.sealed.as_slice())
            .bind(row.created_at.as_micros())
            .bind(row.changed_at.as_micros())
            .execute(&mut *connection)
            .await?;
            column::found(done.rows_affected()).map_err(|_| StoreError::Taken)
        })
    }

    /// Keeps other seals of the same values, all of them or none.
    ///
    /// # Errors
    /// [`NotFound`](StoreError::NotFound) where one of them is gone, or has another version by now.
    pub async fn reseal(&self, all: &[Resealed]) -> Result<()> {
        writing!(self.store, connection => {
            for one in all {
                let done = sqlx::query(
                    "UPDATE secrets SET key = $3, sealed = $4 WHERE name = $1 AND version = $2",
                )
                .bind(&one.name)
                .bind(i64::from(one.version))
                .bind(&one.key)
                .bind(one.sealed.as_slice())
                .execute(&mut *connection)
                .await?;
                column::found(done.rows_affected())?;
            }
            Ok(())
        })
    }

    /// Removes a secret with its value.
    ///
    /// # Errors
    /// [`NotFound`](StoreError::NotFound) where there is no such secret.
    pub async fn remove(&self, name: &str) -> Result<()> {
        writing!(self.store, connection => {
            let done = sqlx::query("DELETE FROM secrets WHERE name = $1")
                .bind(name)
                .execute(&mut *connection)
                .await?;
            column::found(done.rows_affected())
        })
    }

    /// A secret.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn get(&self, name: &str) -> Result<Option<SecretRow>> {
        reading!(self.store, connection => {
            let columns: Option<Columns> = sqlx::query_as(
                "SELECT name, version, key, sealed, created_at, changed_at FROM secrets WHERE name = $1",
            )
            .bind(name)
            .fetch_optional(&mut *connection)
            .await?;
            columns.map(row).transpose()
        })
    }

    /// All secrets, by name.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn list(&self) -> Result<Vec<SecretRow>> {
        reading!(self.store, connection => {
            let columns: Vec<Columns> = sqlx::query_as(
                "SELECT name, version, key, sealed, created_at, changed_at FROM secrets ORDER BY name",
            )
            .fetch_all(&mut *connection)
            .await?;
            columns.into_iter().map(row).collect()
        })
    }
}

fn row((name, version, key, sealed, created_at, changed_at): Columns) -> Result<SecretRow> {
    Ok(SecretRow {
        name,
        version: column::number("secrets.version", version)?,
        key,
        sealed,
        created_at: column::time(created_at),
        changed_at: column::time(changed_at),
    })
}

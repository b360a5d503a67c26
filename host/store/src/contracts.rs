//! Contracts: each version once, proposed by a connector or published.

use std::fmt;
use std::str::FromStr;

use truc_model::{Digest, Timestamp};

use crate::database::{reading, writing};
use crate::{Result, Store, StoreError, column};

/// How a contract stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ContractState {
    /// A connector brought it. It governs nothing yet.
    Proposed,
    /// It governs its connectors and never changes.
    Published,
}

impl ContractState {
    /// `proposed` or `published`.
    pub fn as_str(self) -> &'static str {
        match self {
            ContractState::Proposed => "proposed",
            ContractState::Published => "published",
        }
    }
}

impl fmt::Display for ContractState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for ContractState {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "proposed" => Ok(ContractState::Proposed),
            "published" => Ok(ContractState::Published),
            _ => Err("it is neither `proposed` nor `published`"),
        }
    }
}

/// The name of a contract with its version (Semantic Versioning 2.0.0): `lgsp`, `land`, `1.0.0`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContractKey {
    /// The part before the colon.
    pub namespace: String,
    /// The part between colon and `@`.
    pub name: String,
    /// The version.
    pub version: String,
}

/// A contract without its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContractRow {
    /// Which it is.
    pub key: ContractKey,
    /// The digest of its text.
    pub digest: Digest,
    /// How it stands.
    pub state: ContractState,
    /// The connector that proposed it, by the digest of its bytes; none for one that was published as such.
    pub proposed_by: Option<Digest>,
    /// When it was proposed, or else published.
    pub created_at: Timestamp,
    /// When it was published.
    pub published_at: Option<Timestamp>,
    /// Who published it.
    pub published_by: Option<String>,
}

/// The contracts.
#[derive(Debug, Clone, Copy)]
pub struct Contracts<'a> {
    pub(crate) store: &'a Store,
}

type Columns = (String, String, String, String, String, Option<String>, i64, Option<i64>, Option<String>);

type ColumnsAndText =
    (String, String, String, String, String, Option<String>, i64, Option<i64>, Option<String>, String);

/// Enters a proposal on either kind of connection; where the version is there already, nothing happens.
macro_rules! propose {
    ($connection:expr, $proposal:expr) => {
        sqlx::query(
            "INSERT INTO contracts (namespace, name, version, digest, sources, state, proposed_by, created_at) \
             VALUES ($1, $2, $3, $4, $5, 'proposed', $6, $7) ON CONFLICT (namespace, name, version) DO NOTHING",
        )
        .bind(&$proposal.key.namespace)
        .bind(&$proposal.key.name)
        .bind(&$proposal.key.version)
        .bind($proposal.digest.to_string())
        .bind($proposal.sources)
        .bind($proposal.connector.to_string())
        .bind($proposal.at.as_micros())
        .execute(&mut *$connection)
        .await?
    };
}
pub(crate) use propose;

/// A contract that a connector brought.
#[derive(Debug, Clone, Copy)]
pub struct Proposal<'a> {
    /// Which it is.
    pub key: &'a ContractKey,
    /// The digest of its text.
    pub digest: &'a Digest,
    /// Its text: a JSON array of file names and texts.
    pub sources: &'a str,
    /// The connector.
    pub connector: &'a Digest,
    /// Now.
    pub at: Timestamp,
}

impl Contracts<'_> {
    /// Enters a proposal. Where the version is there already, proposed or published, nothing happens.
    ///
    /// # Errors
    /// [`NotFound`](StoreError::NotFound) where there is no such connector.
    pub async fn propose(&self, proposal: &Proposal<'_>) -> Result<()> {
        writing!(self.store, connection => {
            propose!(connection, proposal);
            Ok(())
        })
    }

    /// Publishes a text: a new one, or in the place of a proposal of the same version.
    ///
    /// # Errors
    /// [`Taken`](StoreError::Taken) where the version is published already.
    pub async fn publish(
        &self,
        key: &ContractKey,
        digest: &Digest,
        sources: &str,
        at: Timestamp,
        by: &str,
    ) -> Result<()> {
        writing!(self.store, connection => {
            let done = sqlx::query(
                "INSERT INTO contracts \
                 (namespace, name, version, digest, sources, state, created_at, published_at, published_by) \
                 VALUES ($1, $2, $3, $4, $5, 'published', $6, $6, $7) \
                 ON CONFLICT (namespace, name, version) DO UPDATE SET \
                 digest = excluded.digest, sources = excluded.sources, state = excluded.state, \
                 published_at = excluded.published_at, published_by = excluded.published_by \
                 WHERE contracts.state = 'proposed'",
            )
            .bind(&key.namespace)
            .bind(&key.name)
            .bind(&key.version)
            .bind(digest.to_string())
            .bind(sources)
            .bind(at.as_micros())
            .bind(by)
            .execute(&mut *connection)
            .await?;
            column::found(done.rows_affected()).map_err(|_| StoreError::Taken)
        })
    }

    /// A contract and its text.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn get(&self, key: &ContractKey) -> Result<Option<(ContractRow, String)>> {
        reading!(self.store, connection => {
            let columns: Option<ColumnsAndText> = sqlx::query_as(
                "SELECT namespace, name, version, digest, state, proposed_by, created_at, published_at, published_by, \
                 sources FROM contracts WHERE namespace = $1 AND name = $2 AND version = $3",
            )
            .bind(&key.namespace)
            .bind(&key.name)
            .bind(&key.version)
            .fetch_optional(&mut *connection)
            .await?;
            let found = columns.map(|(a, b, c, d, e, f, g, h, i, sources)| {
                row((a, b, c, d, e, f, g, h, i)).map(|row| (row, sources))
            });
            found.transpose()
        })
    }

    /// All contracts, by name; versions in the order in which they came.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn list(&self) -> Result<Vec<ContractRow>> {
        reading!(self.store, connection => {
            let columns: Vec<Columns> = sqlx::query_as(
                "SELECT namespace, name, version, digest, state, proposed_by, created_at, published_at, published_by \
                 FROM contracts ORDER BY namespace, name, created_at, version",
            )
            .fetch_all(&mut *connection)
            .await?;
            columns.into_iter().map(row).collect()
        })
    }
}

fn row(columns: Columns) -> Result<ContractRow> {
    let (namespace, name, version, digest, state, proposed_by, created_at, published_at, published_by) =
        columns;
    Ok(ContractRow {
        key: ContractKey { namespace, name, version },
        digest: column::text("contracts.digest", digest)?,
        state: column::text("contracts.state", state)?,
        proposed_by: column::optional_text("contracts.proposed_by", proposed_by)?,
        created_at: column::time(created_at),
        published_at: published_at.map(column::time),
        published_by,
    })
}

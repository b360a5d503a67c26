//! Connectors: what was published, without the component itself, which is a file.

use truc_model::{ConnectorName, Digest, Timestamp};

use crate::contracts::{Proposal, propose};
use crate::database::{reading, writing};
use crate::{Result, Store, column};

/// A published connector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectorRow {
    /// The digest of the component.
    pub digest: Digest,
    /// The name its manifest gives.
    pub name: ConnectorName,
    /// The version its manifest gives (Semantic Versioning 2.0.0).
    pub version: String,
    /// Who publishes it, as the manifest says.
    pub publisher: String,
    /// The contract it implements, `namespace:name@version`.
    pub contract: String,
    /// The manifest as it stands in the component (TOML).
    pub manifest: String,
    /// Size of the component in bytes.
    pub size: u64,
    /// When it was published.
    pub published_at: Timestamp,
}

/// The connectors that were published.
#[derive(Debug, Clone, Copy)]
pub struct Connectors<'a> {
    pub(crate) store: &'a Store,
}

type Columns = (String, String, String, String, String, String, i64, i64);

impl Connectors<'_> {
    /// Adds a connector.
    ///
    /// # Errors
    /// [`Taken`](crate::StoreError::Taken) where the digest, or the name with the version, is there already.
    pub async fn insert(&self, row: &ConnectorRow) -> Result<()> {
        self.insert_with(row, None).await
    }

    /// Adds a connector and, in one step, the contract it proposes, unless that version of it is there already.
    ///
    /// # Errors
    /// As [`Connectors::insert`]; the contract is then not there either.
    pub async fn insert_with(&self, row: &ConnectorRow, proposal: Option<&Proposal<'_>>) -> Result<()> {
        writing!(self.store, connection => {
            sqlx::query(
                "INSERT INTO connectors (digest, name, version, publisher, contract, manifest, size, published_at) \
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
            )
            .bind(row.digest.to_string())
            .bind(row.name.as_str())
            .bind(&row.version)
            .bind(&row.publisher)
            .bind(&row.contract)
            .bind(&row.manifest)
            .bind(column::count(row.size))
            .bind(row.published_at.as_micros())
            .execute(&mut *connection)
            .await?;
            if let Some(proposal) = proposal {
                propose!(connection, proposal);
            }
            Ok(())
        })
    }

    /// The connector with a digest.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn get(&self, digest: &Digest) -> Result<Option<ConnectorRow>> {
        reading!(self.store, connection => {
            let columns: Option<Columns> = sqlx::query_as(
                "SELECT digest, name, version, publisher, contract, manifest, size, published_at \
                 FROM connectors WHERE digest = $1",
            )
            .bind(digest.to_string())
            .fetch_optional(&mut *connection)
            .await?;
            columns.map(row).transpose()
        })
    }

    /// The connector with a name and version.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn find(&self, name: &ConnectorName, version: &str) -> Result<Option<ConnectorRow>> {
        reading!(self.store, connection => {
            let columns: Option<Columns> = sqlx::query_as(
                "SELECT digest, name, version, publisher, contract, manifest, size, published_at \
                 FROM connectors WHERE name = $1 AND version = $2",
            )
            .bind(name.as_str())
            .bind(version)
            .fetch_optional(&mut *connection)
            .await?;
            columns.map(row).transpose()
        })
    }

    /// All connectors, by name and time of publication.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn list(&self) -> Result<Vec<ConnectorRow>> {
        reading!(self.store, connection => {
            let columns: Vec<Columns> = sqlx::query_as(
                "SELECT digest, name, version, publisher, contract, manifest, size, published_at \
                 FROM connectors ORDER BY name, published_at, version",
            )
            .fetch_all(&mut *connection)
            .await?;
            columns.into_iter().map(row).collect()
        })
    }
}

fn row(columns: Columns) -> Result<ConnectorRow> {
    let (digest, name, version, publisher, contract, manifest, size, published_at) = columns;
    Ok(ConnectorRow {
        digest: column::text("connectors.digest", digest)?,
        name: column::text("connectors.name", name)?,
        version,
        publisher,
        contract,
        manifest,
        size: column::number("connectors.size", size)?,
        published_at: column::time(published_at),
    })
}

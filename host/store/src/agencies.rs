//! Agencies, their accounts and their grants.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use truc_model::{AccountName, AgencyCode, Digest, NameError, OperationName, ServiceName, Timestamp};

use crate::database::{reading, writing};
use crate::{Result, Store, column};

/// Whether an agency or an account may call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It may.
    Active,
    /// It may not, until it is resumed.
    Suspended,
}

impl State {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Suspended => "suspended",
        }
    }
}

impl FromStr for State {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        match text {
            "active" => Ok(Self::Active),
            "suspended" => Ok(Self::Suspended),
            _ => Err("it is neither `active` nor `suspended`"),
        }
    }
}

/// Which operations of a service a grant covers; written `*` or `interface/function`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Operations {
    /// Each of them, those of later revisions too.
    Every,
    /// This one.
    One(OperationName),
}

impl Operations {
    /// The text for it.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Every => "*",
            Self::One(operation) => operation.as_str(),
        }
    }
}

impl FromStr for Operations {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        if text == "*" { Ok(Self::Every) } else { text.parse().map(Self::One) }
    }
}

impl TryFrom<String> for Operations {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        text.parse()
    }
}

impl From<Operations> for String {
    fn from(operations: Operations) -> String {
        operations.as_str().to_owned()
    }
}

impl fmt::Display for Operations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An agency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgencyRow {
    /// Its identification code.
    pub code: AgencyCode,
    /// Its name.
    pub name: String,
    /// Whether its accounts may call.
    pub state: State,
    /// When it was entered.
    pub created_at: Timestamp,
}

/// An account of an agency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountRow {
    /// The agency.
    pub agency: AgencyCode,
    /// The account's name, unique in its agency.
    pub name: AccountName,
    /// The public part of the key, by which the account is found; unique.
    pub key_id: String,
    /// The digest of the secret part of the key.
    pub key_hash: Digest,
    /// When the key was made.
    pub key_created_at: Timestamp,
    /// Whether the account may call.
    pub state: State,
    /// When it was made.
    pub created_at: Timestamp,
}

/// An agency's right to call operations of a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GrantRow {
    /// What it is removed by.
    pub id: String,
    /// The agency.
    pub agency: AgencyCode,
    /// The service, by name: whether there is one is not checked here.
    pub service: ServiceName,
    /// The operations.
    pub operations: Operations,
    /// The purpose it was given for.
    pub purpose: Option<String>,
    /// The legal basis it rests on.
    pub legal_basis: Option<String>,
    /// The first moment at which it is no longer good; none for a grant without end.
    pub expires_at: Option<Timestamp>,
    /// When it was given.
    pub created_at: Timestamp,
}

/// The agencies, their accounts and their grants.
#[derive(Debug, Clone, Copy)]
pub struct Agencies<'a> {
    pub(crate) store: &'a Store,
}

type AgencyColumns = (String, String, String, i64);
type AccountColumns = (String, String, String, String, i64, String, i64);
type GrantColumns = (String, String, String, String, Option<String>, Option<String>, Option<i64>, i64);

impl Agencies<'_> {
    /// Adds an agency.
    ///
    /// # Errors
    /// [`Taken`](crate::StoreError::Taken) where the code is there already.
    pub async fn insert(&self, row: &AgencyRow) -> Result<()> {
        writing!(self.store, connection => {
            sqlx::query("INSERT INTO agencies (code, name, state, created_at) VALUES ($1, $2, $3, $4)")
                .bind(row.code.as_str())
                .bind(&row.name)
                .bind(row.state.as_str())
                .bind(row.created_at.as_micros())
                .execute(&mut *connection)
                .await?;
            Ok(())
        })
    }

    /// Suspends or resumes an agency.
    ///
    /// # Errors
    /// [`NotFound`](crate::StoreError::NotFound) where there is none with the code.
    pub async fn set_state(&self, code: &AgencyCode, state: State) -> Result<()> {
        writing!(self.store, connection => {
            let done = sqlx::query("UPDATE agencies SET state = $2 WHERE code = $1")
                .bind(code.as_str())
                .bind(state.as_str())
                .execute(&mut *connection)
                .await?;
            column::found(done.rows_affected())
        })
    }

    /// An agency.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn get(&self, code: &AgencyCode) -> Result<Option<AgencyRow>> {
        reading!(self.store, connection => {
            let columns: Option<AgencyColumns> =
                sqlx::query_as("SELECT code, name, state, created_at FROM agencies WHERE code = $1")
                    .bind(code.as_str())
                    .fetch_optional(&mut *connection)
                    .await?;
            columns.map(agency_row).transpose()
        })
    }

    /// All agencies, by code.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn list(&self) -> Result<Vec<AgencyRow>> {
        reading!(self.store, connection => {
            let columns: Vec<AgencyColumns> =
                sqlx::query_as("SELECT code, name, state, created_at FROM agencies ORDER BY code")
                    .fetch_all(&mut *connection)
                    .await?;
            columns.into_iter().map(agency_row).collect()
        })
    }

    /// Adds an account to an agency.
    ///
    /// # Errors
    /// [`NotFound`](crate::StoreError::NotFound) where there is no such agency; [`Taken`](crate::StoreError::Taken) where it has an
    /// account of this name, or the key identifier is in use.
    pub async fn insert_account(&self, row: &AccountRow) -> Result<()> {
        writing!(self.store, connection => {
            sqlx::query(
                "INSERT INTO accounts (agency, name, key_id, key_hash, key_created_at, state, created_at) \
                 VALUES ($1, $2, $3, $4, $5, $6, $7)",
            )
            .bind(row.agency.as_str())
            .bind(row.name.as_str())
            .bind(&row.key_id)
            .bind(row.key_hash.to_string())
            .bind(row.key_created_at.as_micros())
            .bind(row.state.as_str())
            .bind(row.created_at.as_micros())
            .execute(&mut *connection)
            .await?;
            Ok(())
        })
    }

    /// Gives an account another key in place of the one it has.
    ///
    /// # Errors
    /// [`NotFound`](crate::StoreError::NotFound) where there is no such account; [`Taken`](crate::StoreError::Taken) where the key
    /// identifier is in use.
    pub async fn replace_key(
        &self,
        agency: &AgencyCode,
        account: &AccountName,
        key_id: &str,
        key_hash: &Digest,
        now: Timestamp,
    ) -> Result<()> {
        writing!(self.store, connection => {
            let done = sqlx::query(
                "UPDATE accounts SET key_id = $3, key_hash = $4, key_created_at = $5 \
                 WHERE agency = $1 AND name = $2",
            )
            .bind(agency.as_str())
            .bind(account.as_str())
            .bind(key_id)
            .bind(key_hash.to_string())
            .bind(now.as_micros())
            .execute(&mut *connection)
            .await?;
            column::found(done.rows_affected())
        })
    }

    /// Suspends or resumes an account.
    ///
    /// # Errors
    /// [`NotFound`](crate::StoreError::NotFound) where there is no such account.
    pub async fn set_account_state(
        &self,
        agency: &AgencyCode,
        account: &AccountName,
        state: State,
    ) -> Result<()> {
        writing!(self.store, connection => {
            let done = sqlx::query("UPDATE accounts SET state = $3 WHERE agency = $1 AND name = $2")
                .bind(agency.as_str())
                .bind(account.as_str())
                .bind(state.as_str())
                .execute(&mut *connection)
                .await?;
            column::found(done.rows_affected())
        })
    }

    /// Removes an account, and with it its key.
    ///
    /// # Errors
    /// [`NotFound`](crate::StoreError::NotFound) where there is no such account.
    pub async fn remove_account(&self, agency: &AgencyCode, account: &AccountName) -> Result<()> {
        writing!(self.store, connection => {
            let done = sqlx::query("DELETE FROM accounts WHERE agency = $1 AND name = $2")
                .bind(agency.as_str())
                .bind(account.as_str())
                .execute(&mut *connection)
                .await?;
            column::found(done.rows_affected())
        })
    }

    /// The accounts of one agency or of all, by agency and name.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn accounts(&self, agency: Option<&AgencyCode>) -> Result<Vec<AccountRow>> {
        reading!(self.store, connection => {
            let columns: Vec<AccountColumns> = sqlx::query_as(
                "SELECT agency, name, key_id, key_hash, key_created_at, state, created_at FROM accounts \
                 WHERE $1 IS NULL OR agency = $1 ORDER BY agency, name",
            )
            .bind(agency.map(AgencyCode::as_str))
            .fetch_all(&mut *connection)
            .await?;
            columns.into_iter().map(account_row).collect()
        })
    }

    /// Adds a grant.
    ///
    /// # Errors
    /// [`NotFound`](crate::StoreError::NotFound) where there is no such agency; [`Taken`](crate::StoreError::Taken) where the
    /// identifier is in use.
    pub async fn insert_grant(&self, row: &GrantRow) -> Result<()> {
        writing!(self.store, connection => {
            sqlx::query(
                "INSERT INTO grants (id, agency, service, operation, purpose, legal_basis, expires_at, created_at) \
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
            )
            .bind(&row.id)
            .bind(row.agency.as_str())
            .bind(row.service.as_str())
            .bind(row.operations.as_str())
            .bind(&row.purpose)
            .bind(&row.legal_basis)
            .bind(row.expires_at.map(Timestamp::as_micros))
            .bind(row.created_at.as_micros())
            .execute(&mut *connection)
            .await?;
            Ok(())
        })
    }

    /// Removes a grant of an agency.
    ///
    /// # Errors
    /// [`NotFound`](crate::StoreError::NotFound) where the agency has no grant with the identifier.
    pub async fn remove_grant(&self, agency: &AgencyCode, id: &str) -> Result<()> {
        writing!(self.store, connection => {
            let done = sqlx::query("DELETE FROM grants WHERE agency = $1 AND id = $2")
                .bind(agency.as_str())
                .bind(id)
                .execute(&mut *connection)
                .await?;
            column::found(done.rows_affected())
        })
    }

    /// The grants of one agency or of all, by agency, service, operation and time.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn grants(&self, agency: Option<&AgencyCode>) -> Result<Vec<GrantRow>> {
        reading!(self.store, connection => {
            let columns: Vec<GrantColumns> = sqlx::query_as(
                "SELECT id, agency, service, operation, purpose, legal_basis, expires_at, created_at FROM grants \
                 WHERE $1 IS NULL OR agency = $1 ORDER BY agency, service, operation, created_at, id",
            )
            .bind(agency.map(AgencyCode::as_str))
            .fetch_all(&mut *connection)
            .await?;
            columns.into_iter().map(grant_row).collect()
        })
    }
}

fn agency_row((code, name, state, created_at): AgencyColumns) -> Result<AgencyRow> {
    Ok(AgencyRow {
        code: column::text("agencies.code", code)?,
        name,
        state: column::text("agencies.state", state)?,
        created_at: column::time(created_at),
    })
}

fn account_row(columns: AccountColumns) -> Result<AccountRow> {
    let (agency, name, key_id, key_hash, key_created_at, state, created_at) = columns;
    Ok(AccountRow {
        agency: column::text("accounts.agency", agency)?,
        name: column::text("accounts.name", name)?,
        key_id,
        key_hash: column::text("accounts.key_hash", key_hash)?,
        key_created_at: column::time(key_created_at),
        state: column::text("accounts.state", state)?,
        created_at: column::time(created_at),
    })
}

fn grant_row(columns: GrantColumns) -> Result<GrantRow> {
    let (id, agency, service, operation, purpose, legal_basis, expires_at, created_at) = columns;
    Ok(GrantRow {
        id,
        agency: column::text("grants.agency", agency)?,
        service: column::text("grants.service", service)?,
        operations: column::text("grants.operation", operation)?,
        purpose,
        legal_basis,
        expires_at: expires_at.map(column::time),
        created_at: column::time(created_at),
    })
}

//! The control plane's side: agencies, accounts, keys and grants in the store.

use std::sync::Arc;

use truc_model::{AccountName, AgencyCode, Clock, Secret, ServiceName, Timestamp};
use truc_store::Store;
use truc_store::agencies::{AccountRow, AgencyRow, GrantRow, Operations, State};

use crate::key::{self, NewKey};
use crate::{Directory, IdentityError};

/// Characters of an agency's name.
const LONGEST_NAME: usize = 200;

/// Characters of a grant's purpose and of its legal basis.
const LONGEST_TEXT: usize = 500;

/// Agencies, accounts, keys and grants, for those who administer them. A change is in force for callers once a new
/// [`directory`](Self::directory) is.
#[derive(Clone)]
pub struct Identity {
    store: Store,
    clock: Arc<dyn Clock>,
}

/// An account, without anything of its key but the public part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// The agency.
    pub agency: AgencyCode,
    /// The account's name.
    pub name: AccountName,
    /// The part of the key between the underscores, by which the key can be told from others.
    pub key_id: String,
    /// When the key was made.
    pub key_created_at: Timestamp,
    /// Whether it may call; its agency must be active too.
    pub state: State,
    /// When it was made.
    pub created_at: Timestamp,
}

/// A grant to be given.
#[derive(Debug, Clone)]
pub struct NewGrant {
    /// The service, by name. Whether there is one is for the caller to check.
    pub service: ServiceName,
    /// The operations.
    pub operations: Operations,
    /// The purpose; at most 500 characters.
    pub purpose: Option<String>,
    /// The legal basis; at most 500 characters.
    pub legal_basis: Option<String>,
    /// The first moment at which it is no longer good; none for a grant without end.
    pub expires_at: Option<Timestamp>,
}

impl Identity {
    /// Identities as a store holds them.
    pub fn new(store: Store, clock: Arc<dyn Clock>) -> Self {
        Self { store, clock }
    }

    /// The data plane's index of all there is now.
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn directory(&self) -> Result<Directory, IdentityError> {
        // In this order, whatever is entered meanwhile comes with what it belongs to.
        let grants = self.store.agencies().grants(None).await?;
        let accounts = self.store.agencies().accounts(None).await?;
        let agencies = self.store.agencies().list().await?;
        Ok(Directory::new(agencies, accounts, grants))
    }

    /// Enters an agency. Its name has at most 200 characters.
    ///
    /// # Errors
    /// The code is taken, or the name breaks its rule.
    pub async fn create_agency(&self, code: AgencyCode, name: &str) -> Result<AgencyRow, IdentityError> {
        let row = AgencyRow {
            code,
            name: text("name", name, LONGEST_NAME)?,
            state: State::Active,
            created_at: self.clock.now(),
        };
        let inserted = self.store.agencies().insert(&row).await;
        inserted.map_err(|error| {
            IdentityError::of(error, || format!("agency {}", row.code), || no_agency(&row.code))
        })?;
        Ok(row)
    }

    /// An agency.
    ///
    /// # Errors
    /// There is none with the code.
    pub async fn agency(&self, code: &AgencyCode) -> Result<AgencyRow, IdentityError> {
        let row = self.store.agencies().get(code).await?;
        row.ok_or_else(|| IdentityError::NotFound(no_agency(code)))
    }

    /// All agencies, by code.
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn agencies(&self) -> Result<Vec<AgencyRow>, IdentityError> {
        Ok(self.store.agencies().list().await?)
    }

    /// Suspends or resumes an agency with all its accounts.
    ///
    /// # Errors
    /// There is none with the code.
    pub async fn set_agency_state(&self, code: &AgencyCode, state: State) -> Result<(), IdentityError> {
        let set = self.store.agencies().set_state(code, state).await;
        set.map_err(|error| IdentityError::of(error, || no_agency(code), || no_agency(code)))
    }

    /// Makes an account and its key. The key cannot be shown again.
    ///
    /// # Errors
    /// There is no such agency, or it has an account of this name.
    pub async fn create_account(
        &self,
        agency: AgencyCode,
        name: AccountName,
    ) -> Result<(Account, Secret), IdentityError> {
        let key = NewKey::generate()?;
        let now = self.clock.now();
        let row = AccountRow {
            agency,
            name,
            key_id: key.id,
            key_hash: key.hash,
            key_created_at: now,
            state: State::Active,
            created_at: now,
        };
        let inserted = self.store.agencies().insert_account(&row).await;
        inserted.map_err(|error| {
            IdentityError::of(error, || account_of(&row.agency, &row.name), || no_agency(&row.agency))
        })?;
        Ok((row.into(), key.text))
    }

    /// The accounts of an agency, by name.
    ///
    /// # Errors
    /// There is no such agency.
    pub async fn accounts(&self, agency: &AgencyCode) -> Result<Vec<Account>, IdentityError> {
        self.agency(agency).await?;
        let rows = self.store.agencies().accounts(Some(agency)).await?;
        Ok(rows.into_iter().map(Account::from).collect())
    }

    /// Gives an account a new key. The old one is good until the next [`directory`](Self::directory) is in force; the new
    /// one cannot be shown again.
    ///
    /// # Errors
    /// There is no such account.
    pub async fn rotate_key(&self, agency: &AgencyCode, name: &AccountName) -> Result<Secret, IdentityError> {
        let key = NewKey::generate()?;
        let now = self.clock.now();
        let replaced = self.store.agencies().replace_key(agency, name, &key.id, &key.hash, now).await;
        replaced.map_err(|error| {
            IdentityError::of(error, || account_of(agency, name), || account_of(agency, name))
        })?;
        Ok(key.text)
    }

    /// Suspends or resumes an account.
    ///
    /// # Errors
    /// There is no such account.
    pub async fn set_account_state(
        &self,
        agency: &AgencyCode,
        name: &AccountName,
        state: State,
    ) -> Result<(), IdentityError> {
        let set = self.store.agencies().set_account_state(agency, name, state).await;
        set.map_err(|error| {
            IdentityError::of(error, || account_of(agency, name), || account_of(agency, name))
        })
    }

    /// Removes an account and its key. The exchanges keep its name.
    ///
    /// # Errors
    /// There is no such account.
    pub async fn remove_account(&self, agency: &AgencyCode, name: &AccountName) -> Result<(), IdentityError> {
        let removed = self.store.agencies().remove_account(agency, name).await;
        removed.map_err(|error| {
            IdentityError::of(error, || account_of(agency, name), || account_of(agency, name))
        })
    }

    /// Gives an agency a grant.
    ///
    /// # Errors
    /// There is no such agency, a text breaks its rule, or the end is past already.
    pub async fn grant(&self, agency: AgencyCode, new: NewGrant) -> Result<GrantRow, IdentityError> {
        let now = self.clock.now();
        if let Some(end) = new.expires_at
            && end <= now
        {
            let reason =
                format!("is {end}, which is past: give a later time, or none for a grant without end");
            return Err(IdentityError::Invalid { field: "expiresAt", reason });
        }
        let row = GrantRow {
            id: key::random_hex()?,
            agency,
            service: new.service,
            operations: new.operations,
            purpose: optional_text("purpose", new.purpose.as_deref())?,
            legal_basis: optional_text("legalBasis", new.legal_basis.as_deref())?,
            expires_at: new.expires_at,
            created_at: now,
        };
        let inserted = self.store.agencies().insert_grant(&row).await;
        inserted.map_err(|error| {
            IdentityError::of(error, || format!("grant {}", row.id), || no_agency(&row.agency))
        })?;
        Ok(row)
    }

    /// The grants of an agency, by service and operation, ended ones too.
    ///
    /// # Errors
    /// There is no such agency.
    pub async fn grants(&self, agency: &AgencyCode) -> Result<Vec<GrantRow>, IdentityError> {
        self.agency(agency).await?;
        Ok(self.store.agencies().grants(Some(agency)).await?)
    }

    /// Takes a grant of an agency back.
    ///
    /// # Errors
    /// The agency has no such grant.
    pub async fn revoke(&self, agency: &AgencyCode, id: &str) -> Result<(), IdentityError> {
        let grant = || format!("grant {id:?} of agency {agency}");
        let removed = self.store.agencies().remove_grant(agency, id).await;
        removed.map_err(|error| IdentityError::of(error, grant, grant))
    }
}

impl From<AccountRow> for Account {
    fn from(row: AccountRow) -> Self {
        Self {
            agency: row.agency,
            name: row.name,
            key_id: row.key_id,
            key_created_at: row.key_created_at,
            state: row.state,
            created_at: row.created_at,
        }
    }
}

fn no_agency(code: &AgencyCode) -> String {
    format!("agency {code}")
}

fn account_of(agency: &AgencyCode, name: &AccountName) -> String {
    format!("account {name} of agency {agency}")
}

/// A text of one line, as people write it: trimmed, not empty, not too long.
fn text(field: &'static str, value: &str, longest: usize) -> Result<String, IdentityError> {
    let value = value.trim();
    let invalid = |reason: String| Err(IdentityError::Invalid { field, reason });
    if value.is_empty() {
        return invalid("must not be empty".to_owned());
    }
    let length = value.chars().count();
    if length > longest {
        return invalid(format!("has {length} characters: write at most {longest}"));
    }
    if value.chars().any(char::is_control) {
        return invalid("has a control character: write it on one line, without tabs".to_owned());
    }
    Ok(value.to_owned())
}

fn optional_text(field: &'static str, value: Option<&str>) -> Result<Option<String>, IdentityError> {
    value.map(|value| text(field, value, LONGEST_TEXT)).transpose()
}

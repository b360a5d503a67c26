//! The data plane's view: from a key to its owner, from an owner to their rights. Lookups only; nothing here waits,
//! locks or allocates once the index is made.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use truc_model::{AccountName, AgencyCode, Digest, OperationName, ServiceName, Timestamp};
use truc_store::agencies::{AccountRow, AgencyRow, GrantRow, Operations, State};

use crate::key::{self, KeyId};

/// Everyone who may call, by key. Immutable; a change makes a new one.
#[derive(Debug, Default)]
pub struct Directory {
    accounts: HashMap<KeyId, Account>,
}

#[derive(Debug)]
struct Account {
    key_hash: Digest,
    /// The account's, or its agency's.
    state: State,
    caller: Arc<Caller>,
}

/// Why a key does not identify a caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AuthError {
    /// No account has this key. Whether its first part is known is not told.
    #[error("the API key is not valid: check that it is whole, and that no newer one has taken its place")]
    Wrong,
    /// The key is right; its account or its agency is suspended.
    #[error("the account or its agency is suspended: ask the operator to resume it")]
    Suspended,
}

/// Why a caller may not call an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No grant covers the operation.
    #[error("the agency has no grant for this operation: ask the operator for one")]
    NotGranted,
    /// A grant covered it until this time.
    #[error("the agency's grant for this operation ended at {0}: ask the operator to renew it")]
    Expired(Timestamp),
}

/// A recognised caller.
#[derive(Debug)]
pub struct Caller {
    /// The agency.
    pub agency: AgencyCode,
    /// The agency's account.
    pub account: AccountName,
    /// The agency's, shared by its accounts.
    shared: Arc<Shared>,
}

/// What all accounts of an agency have in common.
#[derive(Debug, Default)]
struct Shared {
    name: String,
    grants: Grants,
}

/// A right, as the data plane sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// What it is known by.
    pub id: String,
    /// The purpose it was given for.
    pub purpose: Option<String>,
    /// The legal basis it rests on.
    pub legal_basis: Option<String>,
    /// The first moment at which it is no longer good.
    pub expires_at: Option<Timestamp>,
}

type Grants = HashMap<ServiceName, ServiceGrants>;

#[derive(Debug, Default)]
struct ServiceGrants {
    every: Vec<Grant>,
    one: HashMap<OperationName, Vec<Grant>>,
}

impl Directory {
    /// An index of what the store holds.
    pub fn new(agencies: Vec<AgencyRow>, accounts: Vec<AccountRow>, grants: Vec<GrantRow>) -> Self {
        let mut by_agency: HashMap<AgencyCode, Shared> = HashMap::new();
        for row in grants {
            let agency = by_agency.entry(row.agency).or_default();
            let service = agency.grants.entry(row.service).or_default();
            let list = match row.operations {
                Operations::Every => &mut service.every,
                Operations::One(operation) => service.one.entry(operation).or_default(),
            };
            list.push(Grant {
                id: row.id,
                purpose: row.purpose,
                legal_basis: row.legal_basis,
                expires_at: row.expires_at,
            });
        }
        let mut active = HashMap::with_capacity(agencies.len());
        for row in agencies {
            by_agency.entry(row.code.clone()).or_default().name = row.name;
            active.insert(row.code, row.state);
        }
        let by_agency: HashMap<_, _> =
            by_agency.into_iter().map(|(agency, shared)| (agency, Arc::new(shared))).collect();

        let mut index = HashMap::with_capacity(accounts.len());
        for row in accounts {
            let Ok(id) = KeyId::try_from(row.key_id.as_bytes()) else {
                tracing::error!(agency = %row.agency, account = %row.name, "the account's key identifier is malformed");
                continue;
            };
            let state = match active.get(&row.agency) {
                Some(State::Active) => row.state,
                _ => State::Suspended,
            };
            let shared = by_agency.get(&row.agency).cloned().unwrap_or_default();
            let caller = Arc::new(Caller { agency: row.agency, account: row.name, shared });
            index.insert(id, Account { key_hash: row.key_hash, state, caller });
        }
        Self { accounts: index }
    }

    /// The caller that a key belongs to.
    ///
    /// # Errors
    /// No account has the key, or the account or its agency is suspended.
    pub fn authenticate(&self, key: &str) -> Result<&Arc<Caller>, AuthError> {
        // Stands in for the hash of an unknown key, so that it takes as long as a known one.
        static NOBODY: LazyLock<Digest> = LazyLock::new(|| Digest::of(b""));

        let (id, secret) = key::parts(key).ok_or(AuthError::Wrong)?;
        let account = self.accounts.get(&id);
        let right = key::has_hash(secret, account.map_or(&*NOBODY, |account| &account.key_hash));
        match account {
            Some(account) if right => match account.state {
                State::Active => Ok(&account.caller),
                State::Suspended => Err(AuthError::Suspended),
            },
            _ => Err(AuthError::Wrong),
        }
    }
}

impl Caller {
    /// The grant by which the caller may call an operation (`interface/function`) of a service now. One for the operation
    /// itself comes before one for all.
    ///
    /// # Errors
    /// There is none, or the last one has ended.
    pub fn may(&self, service: &ServiceName, operation: &str, now: Timestamp) -> Result<&Grant, Refusal> {
        let service = self.shared.grants.get(service).ok_or(Refusal::NotGranted)?;
        let mut ended = None;
        for grant in service.one.get(operation).into_iter().flatten().chain(&service.every) {
            match grant.expires_at {
                Some(end) if end <= now => ended = ended.max(Some(end)),
                _ => return Ok(grant),
            }
        }
        Err(ended.map_or(Refusal::NotGranted, Refusal::Expired))
    }

    /// The agency's name.
    pub fn agency_name(&self) -> &str {
        &self.shared.name
    }

    /// The next moment at which a grant of the agency ends: until then the caller may call what it may call now.
    pub fn next_end(&self, now: Timestamp) -> Option<Timestamp> {
        let grants = self.shared.grants.values();
        let grants = grants.flat_map(|service| service.every.iter().chain(service.one.values().flatten()));
        grants.filter_map(|grant| grant.expires_at).filter(|end| *end > now).min()
    }
}

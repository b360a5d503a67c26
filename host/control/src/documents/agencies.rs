//! Agencies, their accounts and their grants.

use serde::{Deserialize, Serialize};
use truc_identity::{GrantRow, Operations, State};
use truc_model::{AccountName, AgencyCode, ServiceName, Timestamp};
use utoipa::ToSchema;

/// An agency.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Agency {
    /// Its identification code.
    #[schema(value_type = String, example = "H56.14")]
    pub code: AgencyCode,
    /// Its name.
    #[schema(example = "Sở Nông nghiệp và Môi trường")]
    pub name: String,
    /// Whether its accounts may call: `active` or `suspended`.
    #[schema(value_type = String, example = "active")]
    pub state: State,
    /// When it was entered.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
}

/// The agencies.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AgencyList {
    /// By code.
    pub agencies: Vec<Agency>,
}

/// An agency to be entered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewAgency {
    /// Its identification code: the form of Decision 20/2020/QĐ-TTg, or the older one of QCVN 102:2016.
    #[schema(value_type = String, example = "H56.14")]
    pub code: AgencyCode,
    /// Its name.
    #[schema(example = "Sở Nông nghiệp và Môi trường")]
    pub name: String,
}

/// An account: a system of an agency that calls.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Account {
    /// The agency.
    #[schema(value_type = String, example = "H56.14")]
    pub agency: AgencyCode,
    /// Its name, unique in the agency.
    #[schema(value_type = String, example = "one-stop-shop")]
    pub name: AccountName,
    /// The public part of its key, by which a key that turns up somewhere is recognised.
    pub key_id: String,
    /// When the key was made.
    #[schema(value_type = String, format = DateTime)]
    pub key_created_at: Timestamp,
    /// Whether it may call: `active` or `suspended`.
    #[schema(value_type = String, example = "active")]
    pub state: State,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
}

/// The accounts of an agency.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AccountList {
    /// By name.
    pub accounts: Vec<Account>,
}

/// An account to be made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewAccount {
    /// Its name, unique in the agency.
    #[schema(value_type = String, example = "one-stop-shop")]
    pub name: AccountName,
}

/// An account and its new key. The key is shown this once and kept nowhere.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct IssuedKey {
    /// The account.
    pub account: Account,
    /// The key, to be sent as `Authorization: Bearer <key>`.
    pub key: String,
}

/// An agency's right to call operations of a service.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Grant {
    /// What it is removed by.
    pub id: String,
    /// The agency.
    #[schema(value_type = String, example = "H56.14")]
    pub agency: AgencyCode,
    /// The service.
    #[schema(value_type = String, example = "land")]
    pub service: ServiceName,
    /// `interface/function`, or `*` for every operation.
    #[schema(value_type = String, example = "parcels/find")]
    pub operation: Operations,
    /// The purpose it was given for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purpose: Option<String>,
    /// The legal basis it rests on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub legal_basis: Option<String>,
    /// The first moment at which it is no longer good; left out where it has no end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub expires_at: Option<Timestamp>,
    /// When it was given.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
}

/// The grants of an agency.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct GrantList {
    /// By service, operation and time.
    pub grants: Vec<Grant>,
}

/// A grant to be given.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewGrant {
    /// The service. It need not exist yet.
    #[schema(value_type = String, example = "land")]
    pub service: ServiceName,
    /// `interface/function`, or `*` for every operation.
    #[schema(value_type = String, example = "parcels/find")]
    pub operation: Operations,
    /// The purpose it is given for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purpose: Option<String>,
    /// The legal basis it rests on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub legal_basis: Option<String>,
    /// The first moment at which it is no longer good (RFC 3339); without it the grant has no end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub expires_at: Option<Timestamp>,
}

impl From<truc_identity::Agency> for Agency {
    fn from(agency: truc_identity::Agency) -> Self {
        let truc_identity::Agency { code, name, state, created_at } = agency;
        Self { code, name, state, created_at }
    }
}

impl From<truc_identity::Account> for Account {
    fn from(account: truc_identity::Account) -> Self {
        let truc_identity::Account { agency, name, key_id, key_created_at, state, created_at } = account;
        Self { agency, name, key_id, key_created_at, state, created_at }
    }
}

impl From<GrantRow> for Grant {
    fn from(row: GrantRow) -> Self {
        let GrantRow { id, agency, service, operations, purpose, legal_basis, expires_at, created_at } = row;
        Self { id, agency, service, operation: operations, purpose, legal_basis, expires_at, created_at }
    }
}

impl From<NewGrant> for truc_identity::NewGrant {
    fn from(new: NewGrant) -> Self {
        let NewGrant { service, operation, purpose, legal_basis, expires_at } = new;
        Self { service, operations: operation, purpose, legal_basis, expires_at }
    }
}

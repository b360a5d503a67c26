//! Contracts: their text, how they stand, what they say, and what changed.

use serde::{Deserialize, Serialize};
use truc_contract::{Changes, first_sentence};
use truc_fleet::{ContractSummary, Publication};
use truc_model::{Digest, Timestamp};
use utoipa::ToSchema;

use super::OperationDescription;

/// The text of a contract that is to be published.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewContract {
    /// Its files, in any order.
    pub files: Vec<ContractFile>,
}

/// One file of a contract.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ContractFile {
    /// Its name, without folders.
    #[schema(example = "land.wit")]
    pub name: String,
    /// Its text, in WIT.
    pub text: String,
}

/// How a contract stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ContractState {
    /// A connector brought it; it governs nothing yet.
    Proposed,
    /// It governs its connectors and never changes.
    Published,
}

/// A contract.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Contract {
    /// Its name and version.
    #[schema(example = "lgsp:land@1.0.0")]
    pub contract: String,
    /// How it stands.
    pub state: ContractState,
    /// The digest of its text.
    #[schema(value_type = String, pattern = "^sha256:[0-9a-f]{64}$")]
    pub digest: Digest,
    /// The connector that proposed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "land@1.0.0", nullable = false)]
    pub proposed_by: Option<String>,
    /// When it was proposed, or else published.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When it was published.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime, nullable = false)]
    pub published_at: Option<Timestamp>,
    /// Who published it: `admin`, or `upgrade` for one that a service used before contracts were published.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub published_by: Option<String>,
}

/// The contracts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ContractList {
    /// By name and version.
    pub contracts: Vec<Contract>,
}

/// A contract with what its text says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ContractDetails {
    /// What is known of it.
    #[serde(flatten)]
    pub contract: Contract,
    /// What it is, in a sentence.
    pub summary: String,
    /// The operations, in the order of the text.
    pub operations: Vec<OperationDescription>,
    /// Its text.
    pub files: Vec<ContractFile>,
}

/// A contract that was published, and what is new in it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PublishedContract {
    /// What is known of it.
    #[serde(flatten)]
    pub contract: Contract,
    /// What it is, in a sentence.
    pub summary: String,
    /// The operations, in the order of the text.
    pub operations: Vec<OperationDescription>,
    /// What is new since the version before; absent where it begins a track of versions, and where it was published
    /// already.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub changes: Option<ChangeLog>,
}

/// What changed between two texts of one contract.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ChangeLog {
    /// The contract before.
    #[schema(example = "lgsp:land@1.0.0")]
    pub from: String,
    /// The contract after.
    #[schema(example = "lgsp:land@1.1.0")]
    pub to: String,
    /// `breaking` if any change breaks callers or connectors, else `compatible`.
    #[schema(example = "compatible")]
    pub effect: String,
    /// The next version that says what these changes are.
    #[schema(example = "1.1.0")]
    pub right_version: String,
    /// The changes.
    pub changes: Vec<ContractChange>,
}

/// One change of a contract.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ContractChange {
    /// What changed: an interface, an operation, a parameter, a type, a field.
    #[schema(example = "parcels/get-parcel")]
    pub item: String,
    /// `added`, `changed` or `removed`.
    #[schema(example = "added")]
    pub kind: String,
    /// `compatible` or `breaking`.
    #[schema(example = "compatible")]
    pub effect: String,
    /// The change in a sentence.
    pub text: String,
}

impl From<truc_store::contracts::ContractState> for ContractState {
    fn from(state: truc_store::contracts::ContractState) -> Self {
        match state {
            truc_store::contracts::ContractState::Proposed => ContractState::Proposed,
            truc_store::contracts::ContractState::Published => ContractState::Published,
        }
    }
}

impl From<ContractSummary> for Contract {
    fn from(summary: ContractSummary) -> Self {
        Self {
            contract: summary.id.to_string(),
            state: summary.state.into(),
            digest: summary.digest,
            proposed_by: summary.proposed_by,
            created_at: summary.created_at,
            published_at: summary.published_at,
            published_by: summary.published_by,
        }
    }
}

impl From<truc_fleet::ContractDetails> for ContractDetails {
    fn from(details: truc_fleet::ContractDetails) -> Self {
        let file = |(name, text): &(String, String)| ContractFile { name: name.clone(), text: text.clone() };
        Self {
            contract: details.summary.into(),
            summary: first_sentence(&details.contract.docs),
            operations: details.contract.operations.iter().map(OperationDescription::of).collect(),
            files: details.text.files().iter().map(file).collect(),
        }
    }
}

impl From<Publication> for PublishedContract {
    fn from(Publication { details, changes }: Publication) -> Self {
        Self {
            contract: details.summary.into(),
            summary: first_sentence(&details.contract.docs),
            operations: details.contract.operations.iter().map(OperationDescription::of).collect(),
            changes: changes.as_ref().map(ChangeLog::from),
        }
    }
}

impl From<&Changes> for ChangeLog {
    fn from(changes: &Changes) -> Self {
        let change = |change: &truc_contract::Change| ContractChange {
            item: change.item.clone(),
            kind: change.kind.as_str().to_owned(),
            effect: change.effect.as_str().to_owned(),
            text: change.text.clone(),
        };
        Self {
            from: changes.from.to_string(),
            to: changes.to.to_string(),
            effect: changes.effect().as_str().to_owned(),
            right_version: changes.right_version().to_string(),
            changes: changes.list.iter().map(change).collect(),
        }
    }
}

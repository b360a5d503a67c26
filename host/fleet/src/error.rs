//! What can go wrong when the fleet changes, and the problems that tell it.

use truc_contract::{BackwardsError, Changes, ComponentError, ContractError, ContractId};
use truc_egress::{SecretRef, VaultError};
use truc_model::{Code, Digest, Fault, Problem, ServiceName};
use truc_sandbox::LoadError;
use truc_store::StoreError;

/// Breaking changes beyond this number are not told in a problem.
const MAX_TOLD: usize = 100;

/// One fault of a service's settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingFault {
    /// A JSON Pointer into the settings.
    pub pointer: String,
    /// What is wrong and what to write instead.
    pub detail: String,
}

/// Why a change of the fleet was refused. Whatever was active still is.
#[derive(Debug, thiserror::Error)]
pub enum FleetError {
    /// The file is not a connector that can be served.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// A connector of this name and version has other bytes.
    #[error(
        "{name}@{version} is already published with other bytes ({digest}): a published version never changes; give the new one another version"
    )]
    VersionTaken {
        /// The connector.
        name: String,
        /// Its version.
        version: String,
        /// The bytes that were published.
        digest: Digest,
    },
    /// The text of a contract cannot be served.
    #[error(transparent)]
    Contract(#[from] ContractError),
    /// A contract of this name and version has another text.
    #[error(
        "{id} is already published with another text ({digest}): a published contract never changes; give the new one another version"
    )]
    ContractTaken {
        /// The contract.
        id: ContractId,
        /// The text that was published.
        digest: Digest,
    },
    /// A contract's version does not come after what is published.
    #[error(transparent)]
    Backwards(#[from] BackwardsError),
    /// A contract breaks what an earlier version of its track promised.
    #[error("{} breaks what {} promised: publish it as {}, or take the breaking changes back", .0.to, .0.from, .0.right_version())]
    Breaking(Box<Changes>),
    /// The contract of a connector that is to be put to work is not published.
    #[error(
        "the contract {id}, which {connector} implements, is proposed and not published: look at it with `truc contract show {id}`, publish it with `truc contract publish {id}`, then ask again"
    )]
    ContractNotPublished {
        /// The contract.
        id: ContractId,
        /// The connector, `name@version`.
        connector: String,
    },
    /// No such thing.
    #[error("there is no {what} {name:?}; {remedy}")]
    NotFound {
        /// What was looked for.
        what: &'static str,
        /// Its name.
        name: String,
        /// What to do.
        remedy: &'static str,
    },
    /// The settings do not fit the connector.
    #[error("the settings do not fit the connector")]
    Settings(Vec<SettingFault>),
    /// A value that cannot be a secret, or that a service cannot use.
    #[error("the value cannot be used")]
    SecretUnfit(Vec<SettingFault>),
    /// A secret that is to be removed is used.
    #[error("secret `{name}` is used by {}: take those services out of service, or give them settings without it", list(.services))]
    SecretInUse {
        /// The secret.
        name: SecretRef,
        /// The services that use it.
        services: Vec<ServiceName>,
    },
    /// The vault's keys, or a sealed secret.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// A component's file is missing, broken or cannot be written.
    #[error("the component file of {digest}: {cause}")]
    File {
        /// The component.
        digest: Digest,
        /// What the operating system says.
        cause: std::io::Error,
    },
    /// A service that was active cannot be brought back.
    #[error("service {service}: {cause}")]
    Restore {
        /// The service.
        service: String,
        /// Why.
        cause: Box<FleetError>,
    },
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A fault of the host itself.
    #[error("internal: {0}")]
    Internal(String),
}

impl FleetError {
    /// The problem that tells it over the admin API.
    pub fn problem(&self) -> Problem {
        let text = self.to_string();
        match self {
            FleetError::Load(LoadError::Compiler(_)) => Problem::new(Code::Internal, ""),
            FleetError::Load(error) => Problem::new(load_code(error), text),
            FleetError::VersionTaken { .. } => Problem::new(Code::NameTaken, text),
            FleetError::Contract(_) => Problem::new(Code::ContractInvalid, text),
            FleetError::ContractTaken { .. } => Problem::new(Code::NameTaken, text),
            FleetError::Backwards(_) => Problem::new(Code::ContractVersionBackwards, text),
            FleetError::Breaking(changes) => {
                Problem::new(Code::ContractBreaking, text).with_errors(breaking(changes))
            }
            FleetError::ContractNotPublished { .. } => Problem::new(Code::ContractNotPublished, text),
            FleetError::NotFound { .. } => Problem::new(Code::ItemNotFound, text),
            FleetError::Settings(faults) => Problem::new(Code::ServiceInvalid, "").with_errors(told(faults)),
            FleetError::SecretUnfit(faults) => {
                Problem::new(Code::InvalidRequest, "").with_errors(told(faults))
            }
            FleetError::SecretInUse { .. } => Problem::new(Code::SecretInUse, text),
            FleetError::Vault(_) => Problem::new(Code::VaultUnusable, text),
            FleetError::Store(_) => Problem::new(Code::StoreUnavailable, text).with_retry_after(1),
            FleetError::Restore { cause, .. } => cause.problem(),
            FleetError::File { .. } | FleetError::Internal(_) => Problem::new(Code::Internal, ""),
        }
    }
}

fn told(faults: &[SettingFault]) -> Vec<Fault> {
    let told = |fault: &SettingFault| Fault { pointer: fault.pointer.clone(), detail: fault.detail.clone() };
    faults.iter().map(told).collect()
}

fn list(services: &[ServiceName]) -> String {
    services.iter().map(ServiceName::as_str).collect::<Vec<_>>().join(", ")
}

/// The breaking changes, as far as a person would read them.
fn breaking(changes: &Changes) -> Vec<Fault> {
    let told = changes.breaking().take(MAX_TOLD).map(|change| format!("{}: {}", change.item, change.text));
    let more = changes.breaking().count().saturating_sub(MAX_TOLD);
    let more = (more > 0).then(|| format!("and {more} more; `truc contract diff` shows all"));
    told.chain(more).map(|detail| Fault { pointer: String::new(), detail }).collect()
}

fn load_code(error: &LoadError) -> Code {
    match error {
        LoadError::TooLarge(_) => Code::ComponentTooLarge,
        LoadError::Engine(_) => Code::ComponentMalformed,
        LoadError::TooCostly(_) => Code::ComponentTooCostly,
        LoadError::Compiler(_) => Code::Internal,
        LoadError::Types(_) => Code::ContractMismatch,
        LoadError::Component(error) => match error {
            ComponentError::Malformed(_) => Code::ComponentMalformed,
            ComponentError::Import { .. } => Code::ImportRefused,
            ComponentError::Section { .. } | ComponentError::Manifest(_) => Code::ManifestInvalid,
            ComponentError::Contract(_) => Code::ContractInvalid,
            ComponentError::Mismatch { .. } => Code::ContractMismatch,
        },
    }
}

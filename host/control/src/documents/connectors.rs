//! Connectors: what was published, and what a component says of itself.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use truc_contract::{ConfigKind, ConfigValue, Contract, KeyUse, Manifest, Operation, Pii};
use truc_fleet::{ConnectorRef, ConnectorSummary};
use truc_model::{Digest, Handle, Limits, LimitsPatch, OperationName, Platform, Timestamp};
use truc_sandbox::Program;
use utoipa::ToSchema;

use super::{ContractState, settings};

/// A published connector.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Connector {
    /// Name and version.
    #[schema(value_type = String, example = "land@1.0.0")]
    pub connector: ConnectorRef,
    /// The digest of the component's bytes.
    #[schema(value_type = String, pattern = "^sha256:[0-9a-f]{64}$")]
    pub digest: Digest,
    /// Who publishes it, as the manifest says.
    pub publisher: String,
    /// The contract it implements.
    #[schema(example = "lgsp:land@1.0.0")]
    pub contract: String,
    /// How that contract stands; no service can use the connector before it is published.
    pub contract_state: ContractState,
    /// Size of the component in bytes.
    pub size: u64,
    /// When it was published here.
    #[schema(value_type = String, format = DateTime)]
    pub published_at: Timestamp,
}

/// The published connectors.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ConnectorList {
    /// By name and time of publication.
    pub connectors: Vec<Connector>,
}

/// A published connector with everything it says of itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConnectorDetails {
    /// The digest of the component's bytes.
    #[schema(value_type = String, pattern = "^sha256:[0-9a-f]{64}$")]
    pub digest: Digest,
    /// Size of the component in bytes.
    pub size: u64,
    /// When it was published here.
    #[schema(value_type = String, format = DateTime)]
    pub published_at: Timestamp,
    /// How its contract stands.
    pub contract_state: ContractState,
    /// What to do next, where its contract is not published.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub advice: Option<String>,
    /// What its manifest and its contract say.
    #[serde(flatten)]
    pub description: Description,
}

/// What a component's manifest and contract say.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Description {
    /// Name and version.
    #[schema(value_type = String, example = "land@1.0.0")]
    pub connector: ConnectorRef,
    /// Who publishes it.
    pub publisher: String,
    /// What it is.
    pub description: String,
    /// The contract it implements.
    #[schema(example = "lgsp:land@1.0.0")]
    pub contract: String,
    /// The operations, in the order of the contract.
    pub operations: Vec<OperationDescription>,
    /// The capabilities it imports: its powers.
    #[schema(example = json!(["truc:connector/upstream@0.1.0"]))]
    pub imports: Vec<String>,
    /// The upstreams it calls, by handle; a service must bind each.
    #[schema(value_type = BTreeMap<String, UpstreamDescription>)]
    pub upstreams: BTreeMap<Handle, UpstreamDescription>,
    /// The configuration values it reads.
    #[schema(value_type = BTreeMap<String, ConfigDescription>)]
    pub config: BTreeMap<Handle, ConfigDescription>,
    /// The keys it uses, by handle; a service must bind each.
    #[schema(value_type = BTreeMap<String, KeyDescription>)]
    pub keys: BTreeMap<Handle, KeyDescription>,
    /// The limits in force where a service sets none.
    #[schema(value_type = settings::Limits)]
    pub limits: Limits,
}

/// An operation and its route.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct OperationDescription {
    /// Interface and function, as grants name it.
    #[schema(value_type = String, example = "parcels/find")]
    pub name: OperationName,
    /// The HTTP method.
    #[schema(example = "GET")]
    pub method: String,
    /// The path below `/api/{service}/v{major}`.
    #[schema(example = "/parcels/{id}")]
    pub path: String,
    /// The first line of its documentation.
    pub summary: String,
    /// The most delicate personal data that goes in or out: `basic` or `sensitive`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub personal_data: Option<String>,
    /// For how many seconds an answer may be reused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_seconds: Option<u32>,
}

/// What a connector may ask of an upstream.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct UpstreamDescription {
    /// What the upstream is.
    pub description: String,
    /// Methods and path templates; everything else is refused.
    #[schema(example = json!(["GET /parcels/{id}"]))]
    pub allow: Vec<String>,
}

/// A configuration value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ConfigDescription {
    /// What it is.
    pub description: String,
    /// Its type: `text`, `integer`, `flag` or `list`.
    #[serde(rename = "type")]
    #[schema(value_type = String, example = "text")]
    pub kind: ConfigKind,
    /// The value in force where a service sets none; where there is no default, a service must set one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<settings::ConfigValue>)]
    pub default: Option<ConfigValue>,
}

/// A key.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct KeyDescription {
    /// What it is.
    pub description: String,
    /// What the connector may do with it: `mac`, `digest`, `sign`, `verify`.
    #[serde(rename = "use")]
    #[schema(value_type = Vec<String>, example = json!(["digest"]))]
    pub uses: Vec<KeyUse>,
}

impl From<ConnectorSummary> for Connector {
    fn from(summary: ConnectorSummary) -> Self {
        Self {
            connector: summary.connector,
            digest: summary.digest,
            publisher: summary.publisher,
            contract: summary.contract.to_string(),
            contract_state: summary.contract_state.into(),
            size: summary.size,
            published_at: summary.published_at,
        }
    }
}

impl ConnectorDetails {
    /// A published connector and its program, with the limits of this platform.
    pub(crate) fn new(summary: ConnectorSummary, program: &Program, platform: &Platform) -> Self {
        let contract_state = ContractState::from(summary.contract_state);
        let contract = &summary.contract;
        let advice = (contract_state == ContractState::Proposed).then(|| {
            format!(
                "The contract {contract} is proposed and not published: look at it with `truc contract show \
                 {contract}` and publish it with `truc contract publish {contract}`. Until then no service can use \
                 this connector."
            )
        });
        Self {
            digest: summary.digest,
            size: summary.size,
            published_at: summary.published_at,
            contract_state,
            advice,
            description: Description {
                limits: platform.limits(&program.manifest().limits, &LimitsPatch::default()),
                ..Description::of(program.manifest(), program.contract(), program.imports())
            },
        }
    }
}

impl Description {
    /// Describes a component by its parts, with the limits of a platform that sets none of its own.
    pub fn of(manifest: &Manifest, contract: &Contract, imports: &[String]) -> Self {
        let upstream = |rule: &truc_contract::UpstreamRule| UpstreamDescription {
            description: rule.description.clone(),
            allow: rule.allow.iter().map(|allowed| format!("{} {}", allowed.method, allowed.path)).collect(),
        };
        let config = |rule: &truc_contract::ConfigRule| ConfigDescription {
            description: rule.description.clone(),
            kind: rule.kind,
            default: rule.default.clone(),
        };
        let key = |rule: &truc_contract::KeyRule| KeyDescription {
            description: rule.description.clone(),
            uses: rule.uses.clone(),
        };
        Self {
            connector: ConnectorRef { name: manifest.name.clone(), version: manifest.version.clone() },
            publisher: manifest.publisher.clone(),
            description: manifest.description.clone(),
            contract: manifest.contract.to_string(),
            operations: contract.operations.iter().map(OperationDescription::of).collect(),
            imports: imports.to_vec(),
            upstreams: manifest
                .upstreams
                .iter()
                .map(|(handle, rule)| (handle.clone(), upstream(rule)))
                .collect(),
            config: manifest.config.iter().map(|(handle, rule)| (handle.clone(), config(rule))).collect(),
            keys: manifest.keys.iter().map(|(handle, rule)| (handle.clone(), key(rule))).collect(),
            limits: Platform::default().limits(&manifest.limits, &LimitsPatch::default()),
        }
    }
}

impl OperationDescription {
    pub(crate) fn of(operation: &Operation) -> Self {
        let personal_data = operation.pii.map(|pii| match pii {
            Pii::Basic => "basic".to_owned(),
            Pii::Sensitive => "sensitive".to_owned(),
        });
        Self {
            name: operation.name.clone(),
            method: operation.method.as_str().to_owned(),
            path: operation.path.as_str().to_owned(),
            summary: operation.docs.lines().next().unwrap_or_default().to_owned(),
            personal_data,
            cache_seconds: operation.cache,
        }
    }
}

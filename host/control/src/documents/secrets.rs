//! Secrets, without their values.

use serde::{Deserialize, Serialize};
use truc_egress::SecretRef;
use truc_fleet::{Rotation, SecretSummary};
use truc_model::{ServiceName, Timestamp};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

/// A secret: everything but its value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SecretInfo {
    /// Its name.
    #[schema(value_type = String, example = "land-token")]
    pub name: SecretRef,
    /// 1 for its first value, and one more for each.
    pub version: u32,
    /// When a secret of this name was first put.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When its present value was put.
    #[schema(value_type = String, format = DateTime)]
    pub changed_at: Timestamp,
    /// The services that use it, by name.
    #[schema(value_type = Vec<String>)]
    pub services: Vec<ServiceName>,
}

/// The secrets.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SecretList {
    /// By name.
    pub secrets: Vec<SecretInfo>,
}

/// What came of sealing everything anew.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RotatedVault {
    /// The identifier of the key that everything is sealed under now: 16 hexadecimal digits, which say nothing of the key
    /// itself.
    #[schema(example = "0f1e2d3c4b5a6978")]
    pub key: String,
    /// How many secrets there are.
    pub secrets: u64,
}

/// The value of a secret, as the document describes it.
pub(crate) struct SecretValue;

impl PartialSchema for SecretValue {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .min_length(Some(truc_egress::LEAST_SECRET))
            .max_length(Some(truc_egress::MOST_SECRET))
            .into()
    }
}

impl ToSchema for SecretValue {}

impl From<SecretSummary> for SecretInfo {
    fn from(summary: SecretSummary) -> Self {
        let SecretSummary { name, version, created_at, changed_at, services } = summary;
        Self { name, version, created_at, changed_at, services }
    }
}

impl From<Rotation> for RotatedVault {
    fn from(Rotation { key, secrets }: Rotation) -> Self {
        Self { key: key.to_string(), secrets: secrets as u64 }
    }
}

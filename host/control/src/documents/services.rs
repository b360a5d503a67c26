//! Services: a connector put to work, with the settings in force.

use serde::{Deserialize, Serialize};
use truc_fleet::{ServiceSettings, ServiceSummary};
use truc_model::{Limits, ServiceName, Timestamp};
use utoipa::ToSchema;

use super::settings;

/// A service.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Service {
    /// Its name.
    #[schema(value_type = String, example = "land")]
    pub name: ServiceName,
    /// The number of the revision in force.
    pub revision: u32,
    /// When that revision was made.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// Where it is served.
    #[schema(example = "/api/land/v1")]
    pub path: String,
    /// Its settings; secrets by name.
    #[schema(value_type = settings::Settings)]
    pub settings: ServiceSettings,
    /// The limits in force: the platform's, with the manifest's and then the settings' over them.
    #[schema(value_type = settings::Limits)]
    pub limits: Limits,
}

/// The services.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ServiceList {
    /// By name.
    pub services: Vec<Service>,
}

impl From<ServiceSummary> for Service {
    fn from(summary: ServiceSummary) -> Self {
        let ServiceSummary { name, revision, created_at, path, settings, limits } = summary;
        Self { name, revision, created_at, path, settings, limits }
    }
}

//! Services: a connector put to work, with the settings in force.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use truc_egress::BreakerState;
use truc_fleet::{ServiceLimits as FleetLimits, ServiceSettings, ServiceSummary};
use truc_model::{Handle, LimitOrigin, LimitValue, Limits, ServiceName, Timestamp};
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
    /// How the breaker of each upstream stands, by handle: whether calls of it pass.
    #[schema(value_type = BTreeMap<String, settings::BreakerState>)]
    pub breakers: BTreeMap<Handle, BreakerState>,
}

/// The services.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ServiceList {
    /// By name.
    pub services: Vec<Service>,
}

/// The limits of a service as they are in force.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ServiceLimits {
    /// The service.
    #[schema(value_type = String, example = "land")]
    pub service: ServiceName,
    /// The number of the revision in force.
    pub revision: u32,
    /// Every limit.
    pub limits: Vec<EffectiveLimit>,
}

/// One limit as it is in force.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct EffectiveLimit {
    /// Its name in settings.
    #[schema(example = "deadline")]
    pub name: String,
    /// The value in force: a number, or a text with a unit.
    #[schema(value_type = settings::LimitValue)]
    pub value: LimitValue,
    /// Where that comes from: the platform's default (`platform`), the connector's manifest (`manifest`), the operator's
    /// settings of the service (`operator`), or the platform's ceiling, as more was asked for (`ceiling`).
    #[schema(value_type = String, example = "manifest")]
    pub origin: LimitOrigin,
    /// What holds where neither manifest nor settings say anything.
    #[schema(value_type = settings::LimitValue)]
    pub default: LimitValue,
    /// The most that may be set on this platform.
    #[schema(value_type = settings::LimitValue)]
    pub ceiling: LimitValue,
}

impl From<FleetLimits> for ServiceLimits {
    fn from(limits: FleetLimits) -> Self {
        let FleetLimits { service, revision, limits } = limits;
        let limits = limits.into_iter().map(|limit| {
            let truc_model::EffectiveLimit { name, value, origin, default, ceiling } = limit;
            EffectiveLimit { name, value, origin, default, ceiling }
        });
        Self { service, revision, limits: limits.collect() }
    }
}

impl From<ServiceSummary> for Service {
    fn from(summary: ServiceSummary) -> Self {
        let ServiceSummary { name, revision, created_at, path, settings, limits, breakers } = summary;
        Self { name, revision, created_at, path, settings, limits, breakers }
    }
}

//! `/admin/services`: put connectors to work, see what is served, take it out of service.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use truc_fleet::ServiceSettings;
use truc_model::ServiceName;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::body::Json;
use crate::documents::settings::Settings;
use crate::documents::{Service, ServiceLimits, ServiceList};
use crate::openapi::problems;
use crate::parameters::Path;
use crate::refusal::Refusal;
use crate::server::{Control, MADE_BY};

pub(crate) fn routes() -> OpenApiRouter<Arc<Control>> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(get, put, remove)).routes(routes!(limits))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
struct ServicePath {
    /// The service's name.
    #[param(value_type = String, example = "land")]
    name: ServiceName,
}

problems!(PutProblems: ServiceInvalid, ContractNotPublished, ContractMismatch, ItemNotFound, InvalidRequest, MalformedJson, BodyTooLarge, UnsupportedMediaType,
    MalformedRequest, RequestTimeout);
problems!(NamedProblems: InvalidRequest, ItemNotFound);

/// List the services
#[utoipa::path(
    get, path = "/admin/services", tag = "services", operation_id = "listServices",
    responses((status = 200, description = "The services.", body = ServiceList)),
)]
async fn list(State(control): State<Arc<Control>>) -> Result<axum::Json<ServiceList>, Refusal> {
    let services = control.parts.fleet.services().await?;
    Ok(axum::Json(ServiceList { services: services.into_iter().map(Into::into).collect() }))
}

/// Get a service
#[utoipa::path(
    get, path = "/admin/services/{name}", tag = "services", operation_id = "getService",
    params(ServicePath),
    responses((status = 200, description = "The service.", body = Service), NamedProblems),
)]
async fn get(
    State(control): State<Arc<Control>>,
    Path(ServicePath { name }): Path<ServicePath>,
) -> Result<axum::Json<Service>, Refusal> {
    Ok(axum::Json(control.parts.fleet.service(&name).await?.into()))
}

/// Get the limits of a service
///
/// Each with the value in force, where that comes from, and the most that may be set.
#[utoipa::path(
    get, path = "/admin/services/{name}/limits", tag = "services", operation_id = "getServiceLimits",
    params(ServicePath),
    responses((status = 200, description = "The limits.", body = ServiceLimits), NamedProblems),
)]
async fn limits(
    State(control): State<Arc<Control>>,
    Path(ServicePath { name }): Path<ServicePath>,
) -> Result<axum::Json<ServiceLimits>, Refusal> {
    Ok(axum::Json(control.parts.fleet.service_limits(&name).await?.into()))
}

/// Put a connector to work
///
/// Makes the service, or a new revision of it, and puts that in force at once. Calls under way end on the revision they
/// began with. Settings that do not fit the connector change nothing; all their faults are told.
#[utoipa::path(
    put, path = "/admin/services/{name}", tag = "services", operation_id = "putService",
    params(ServicePath),
    request_body = Settings,
    responses((status = 200, description = "The revision is in force.", body = Service), PutProblems),
)]
async fn put(
    State(control): State<Arc<Control>>,
    Path(ServicePath { name }): Path<ServicePath>,
    Json(settings): Json<ServiceSettings>,
) -> Result<axum::Json<Service>, Refusal> {
    Ok(axum::Json(control.parts.fleet.put_service(&name, &settings, MADE_BY).await?.into()))
}

/// Take a service out of service
///
/// Calls under way end as they began.
#[utoipa::path(
    delete, path = "/admin/services/{name}", tag = "services", operation_id = "removeService",
    params(ServicePath),
    responses((status = 204, description = "It is no longer served."), NamedProblems),
)]
async fn remove(
    State(control): State<Arc<Control>>,
    Path(ServicePath { name }): Path<ServicePath>,
) -> Result<StatusCode, Refusal> {
    control.parts.fleet.remove_service(&name).await?;
    Ok(StatusCode::NO_CONTENT)
}

//! `/admin/connectors`: publish components, see what was published.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::LOCATION;
use axum::response::IntoResponse;
use semver::Version;
use serde::Deserialize;
use truc_fleet::ConnectorRef;
use truc_model::ConnectorName;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::body::ComponentBytes;
use crate::documents::{ConnectorDetails, ConnectorList};
use crate::openapi::{Binary, problems};
use crate::parameters::Path;
use crate::refusal::Refusal;
use crate::server::Control;

pub(crate) fn routes() -> OpenApiRouter<Arc<Control>> {
    OpenApiRouter::new().routes(routes!(publish, list)).routes(routes!(get))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
struct ConnectorPath {
    /// The connector's name.
    #[param(value_type = String, example = "land")]
    name: ConnectorName,
    /// The connector's version.
    #[param(value_type = String, example = "1.0.0")]
    version: Version,
}

problems!(PublishProblems: ComponentMalformed, ImportRefused, ManifestInvalid, ContractMismatch, ContractInvalid,
    ContractBreaking, ContractVersionBackwards, ComponentTooLarge, ComponentTooCostly, NameTaken, UnsupportedMediaType, MalformedRequest, RequestTimeout);
problems!(GetProblems: InvalidRequest, ItemNotFound);

/// Publish a component
///
/// It is read, checked, compiled by a process of its own within bounds of memory and time, and kept; it serves nothing until a service uses it. It must satisfy the published
/// contract that its manifest names; where that is not published, the contract it brings is proposed. Publishing the same bytes again
/// changes nothing. A published version never changes.
#[utoipa::path(
    post, path = "/admin/connectors", tag = "connectors", operation_id = "publishConnector",
    request_body(content = inline(Binary), content_type = "application/wasm",
        description = "The component, at most 16 MiB."),
    responses((status = 201, description = "It is published.", body = ConnectorDetails), PublishProblems),
)]
async fn publish(
    State(control): State<Arc<Control>>,
    ComponentBytes(bytes): ComponentBytes,
) -> Result<impl IntoResponse, Refusal> {
    let (summary, program) = control.parts.fleet.publish(bytes).await?;
    let ConnectorRef { name, version } = &summary.connector;
    let location = format!("/admin/connectors/{name}/{version}");
    let details = ConnectorDetails::new(summary, &program, control.parts.fleet.platform());
    Ok((StatusCode::CREATED, [(LOCATION, location)], axum::Json(details)))
}

/// List the connectors
#[utoipa::path(
    get, path = "/admin/connectors", tag = "connectors", operation_id = "listConnectors",
    responses((status = 200, description = "The published connectors.", body = ConnectorList)),
)]
async fn list(State(control): State<Arc<Control>>) -> Result<axum::Json<ConnectorList>, Refusal> {
    let connectors = control.parts.fleet.connectors().await?;
    Ok(axum::Json(ConnectorList { connectors: connectors.into_iter().map(Into::into).collect() }))
}

/// Get a connector
///
/// With what its manifest and its contract say: operations, upstreams, configuration, keys, limits.
#[utoipa::path(
    get, path = "/admin/connectors/{name}/{version}", tag = "connectors", operation_id = "getConnector",
    params(ConnectorPath),
    responses((status = 200, description = "The connector.", body = ConnectorDetails), GetProblems),
)]
async fn get(
    State(control): State<Arc<Control>>,
    Path(ConnectorPath { name, version }): Path<ConnectorPath>,
) -> Result<axum::Json<ConnectorDetails>, Refusal> {
    let (summary, program) = control.parts.fleet.connector(&ConnectorRef { name, version }).await?;
    Ok(axum::Json(ConnectorDetails::new(summary, &program, control.parts.fleet.platform())))
}

//! `/admin/agencies`: the organisations that call.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::LOCATION;
use axum::response::IntoResponse;
use serde::Deserialize;
use truc_identity::State as AgencyState;
use truc_model::AgencyCode;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::body::Json;
use crate::documents::{Agency, AgencyList, NewAgency};
use crate::openapi::problems;
use crate::parameters::Path;
use crate::refusal::Refusal;
use crate::server::Control;

pub(crate) fn routes() -> OpenApiRouter<Arc<Control>> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(get))
        .routes(routes!(suspend))
        .routes(routes!(resume))
}

/// The agency in a path.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(crate) struct AgencyPath {
    /// The agency's code.
    #[param(value_type = String, example = "H56.14")]
    pub(crate) code: AgencyCode,
}

problems!(CreateProblems: NameTaken, InvalidRequest, MalformedJson, BodyTooLarge, UnsupportedMediaType,
    MalformedRequest, RequestTimeout);
problems!(NamedProblems: InvalidRequest, ItemNotFound);

/// List the agencies
#[utoipa::path(
    get, path = "/admin/agencies", tag = "agencies", operation_id = "listAgencies",
    responses((status = 200, description = "The agencies.", body = AgencyList)),
)]
async fn list(State(control): State<Arc<Control>>) -> Result<axum::Json<AgencyList>, Refusal> {
    let agencies = control.parts.fleet.identity().agencies().await?;
    Ok(axum::Json(AgencyList { agencies: agencies.into_iter().map(Into::into).collect() }))
}

/// Enter an agency
#[utoipa::path(
    post, path = "/admin/agencies", tag = "agencies", operation_id = "createAgency",
    request_body = NewAgency,
    responses((status = 201, description = "It is entered.", body = Agency), CreateProblems),
)]
async fn create(
    State(control): State<Arc<Control>>,
    Json(NewAgency { code, name }): Json<NewAgency>,
) -> Result<impl IntoResponse, Refusal> {
    let agency: Agency = control.parts.fleet.identity().create_agency(code, &name).await?.into();
    control.put_in_force().await?;
    tracing::info!(agency.code = %agency.code, "agency entered");
    let location = format!("/admin/agencies/{}", agency.code);
    Ok((StatusCode::CREATED, [(LOCATION, location)], axum::Json(agency)))
}

/// Get an agency
#[utoipa::path(
    get, path = "/admin/agencies/{code}", tag = "agencies", operation_id = "getAgency",
    params(AgencyPath),
    responses((status = 200, description = "The agency.", body = Agency), NamedProblems),
)]
async fn get(
    State(control): State<Arc<Control>>,
    Path(AgencyPath { code }): Path<AgencyPath>,
) -> Result<axum::Json<Agency>, Refusal> {
    Ok(axum::Json(control.parts.fleet.identity().agency(&code).await?.into()))
}

/// Suspend an agency
///
/// None of its accounts may call until it is resumed. Calls under way end as they began.
#[utoipa::path(
    post, path = "/admin/agencies/{code}/suspend", tag = "agencies", operation_id = "suspendAgency",
    params(AgencyPath),
    responses((status = 200, description = "It is suspended.", body = Agency), NamedProblems),
)]
async fn suspend(
    State(control): State<Arc<Control>>,
    Path(AgencyPath { code }): Path<AgencyPath>,
) -> Result<axum::Json<Agency>, Refusal> {
    set_state(&control, &code, AgencyState::Suspended).await
}

/// Resume an agency
#[utoipa::path(
    post, path = "/admin/agencies/{code}/resume", tag = "agencies", operation_id = "resumeAgency",
    params(AgencyPath),
    responses((status = 200, description = "Its accounts may call again.", body = Agency), NamedProblems),
)]
async fn resume(
    State(control): State<Arc<Control>>,
    Path(AgencyPath { code }): Path<AgencyPath>,
) -> Result<axum::Json<Agency>, Refusal> {
    set_state(&control, &code, AgencyState::Active).await
}

async fn set_state(
    control: &Control,
    code: &AgencyCode,
    state: AgencyState,
) -> Result<axum::Json<Agency>, Refusal> {
    let identity = control.parts.fleet.identity();
    identity.set_agency_state(code, state).await?;
    control.put_in_force().await?;
    let agency: Agency = identity.agency(code).await?.into();
    tracing::info!(agency.code = %code, agency.state = agency.state.as_str(), "agency changed");
    Ok(axum::Json(agency))
}

//! `/admin/agencies/{code}/grants`: which operations an agency may call, what for, and until when.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use truc_model::AgencyCode;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::agencies::AgencyPath;
use crate::body::Json;
use crate::documents::{Grant, GrantList, NewGrant};
use crate::openapi::problems;
use crate::parameters::Path;
use crate::refusal::Refusal;
use crate::server::Control;

pub(crate) fn routes() -> OpenApiRouter<Arc<Control>> {
    OpenApiRouter::new().routes(routes!(list, create)).routes(routes!(remove))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
struct GrantPath {
    /// The agency's code.
    #[param(value_type = String, example = "H56.14")]
    code: AgencyCode,
    /// The grant's identifier.
    id: String,
}

problems!(CreateProblems: ItemNotFound, InvalidRequest, MalformedJson, BodyTooLarge, UnsupportedMediaType,
    MalformedRequest, RequestTimeout);
problems!(NamedProblems: InvalidRequest, ItemNotFound);

/// List the grants of an agency
#[utoipa::path(
    get, path = "/admin/agencies/{code}/grants", tag = "grants", operation_id = "listGrants",
    params(AgencyPath),
    responses((status = 200, description = "The grants, ended ones too.", body = GrantList), NamedProblems),
)]
async fn list(
    State(control): State<Arc<Control>>,
    Path(AgencyPath { code }): Path<AgencyPath>,
) -> Result<axum::Json<GrantList>, Refusal> {
    let grants = control.parts.fleet.identity().grants(&code).await?;
    Ok(axum::Json(GrantList { grants: grants.into_iter().map(Into::into).collect() }))
}

/// Grant operations to an agency
///
/// Several grants may cover the same operation; it may be called as long as one of them is good.
#[utoipa::path(
    post, path = "/admin/agencies/{code}/grants", tag = "grants", operation_id = "createGrant",
    params(AgencyPath), request_body = NewGrant,
    responses((status = 201, description = "It is given.", body = Grant), CreateProblems),
)]
async fn create(
    State(control): State<Arc<Control>>,
    Path(AgencyPath { code }): Path<AgencyPath>,
    Json(new): Json<NewGrant>,
) -> Result<(StatusCode, axum::Json<Grant>), Refusal> {
    let grant: Grant = control.parts.fleet.identity().grant(code, new.into()).await?.into();
    control.put_in_force().await?;
    tracing::info!(
        agency.code = %grant.agency, service.name = %grant.service, operation = %grant.operation, grant.id, "grant given"
    );
    Ok((StatusCode::CREATED, axum::Json(grant)))
}

/// Take a grant back
#[utoipa::path(
    delete, path = "/admin/agencies/{code}/grants/{id}", tag = "grants", operation_id = "removeGrant",
    params(GrantPath),
    responses((status = 204, description = "It is taken back."), NamedProblems),
)]
async fn remove(
    State(control): State<Arc<Control>>,
    Path(GrantPath { code, id }): Path<GrantPath>,
) -> Result<StatusCode, Refusal> {
    control.parts.fleet.identity().revoke(&code, &id).await?;
    control.put_in_force().await?;
    tracing::info!(agency.code = %code, grant.id = id, "grant taken back");
    Ok(StatusCode::NO_CONTENT)
}

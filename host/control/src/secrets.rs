//! `/admin/secrets` and `/admin/vault`: credentials and keys, of which everything is told but the value.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use truc_egress::SecretRef;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::body::SecretText;
use crate::documents::{RotatedVault, SecretInfo, SecretList, SecretValue};
use crate::openapi::problems;
use crate::parameters::Path;
use crate::refusal::Refusal;
use crate::server::Control;

pub(crate) fn routes() -> OpenApiRouter<Arc<Control>> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(put, remove)).routes(routes!(rotate))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
struct SecretPath {
    /// The secret's name: lower-case letters, digits and single hyphens.
    #[param(value_type = String, example = "registry-token")]
    name: SecretRef,
}

problems!(PutProblems: InvalidRequest, VaultUnusable, MalformedRequest, BodyTooLarge, UnsupportedMediaType, RequestTimeout);
problems!(RemoveProblems: InvalidRequest, ItemNotFound, SecretInUse);
problems!(RotateProblems: VaultUnusable);

/// List the secrets
///
/// Names, versions and the services that use them; never a value.
#[utoipa::path(
    get, path = "/admin/secrets", tag = "secrets", operation_id = "listSecrets",
    responses((status = 200, description = "The secrets.", body = SecretList)),
)]
async fn list(State(control): State<Arc<Control>>) -> Result<axum::Json<SecretList>, Refusal> {
    let secrets = control.parts.fleet.secrets().await?;
    Ok(axum::Json(SecretList { secrets: secrets.into_iter().map(Into::into).collect() }))
}

/// Put a secret
///
/// The body is the value, exactly. It is sealed before it is kept. Where the secret is there already, the value takes the
/// place of the one before, and every service that uses it is bound anew at once; a value that one of them cannot use
/// changes nothing.
#[utoipa::path(
    put, path = "/admin/secrets/{name}", tag = "secrets", operation_id = "putSecret",
    params(SecretPath),
    request_body(content = SecretValue, content_type = "text/plain", description = "The value, 8 bytes or more; at most 4 KiB, in PEM form 64 KiB."),
    responses((status = 200, description = "The secret is in force.", body = SecretInfo), PutProblems),
)]
async fn put(
    State(control): State<Arc<Control>>,
    Path(SecretPath { name }): Path<SecretPath>,
    SecretText(value): SecretText,
) -> Result<axum::Json<SecretInfo>, Refusal> {
    Ok(axum::Json(control.parts.fleet.put_secret(&name, value).await?.into()))
}

/// Remove a secret
///
/// Refused while a service uses it.
#[utoipa::path(
    delete, path = "/admin/secrets/{name}", tag = "secrets", operation_id = "removeSecret",
    params(SecretPath),
    responses((status = 204, description = "It is gone."), RemoveProblems),
)]
async fn remove(
    State(control): State<Arc<Control>>,
    Path(SecretPath { name }): Path<SecretPath>,
) -> Result<StatusCode, Refusal> {
    control.parts.fleet.remove_secret(&name).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Seal every secret anew
///
/// The vault's keys are read again, and every secret is sealed under the first of them, in one step. The keys before must
/// stand after it until then.
#[utoipa::path(
    post, path = "/admin/vault/rotate", tag = "secrets", operation_id = "rotateVault",
    responses((status = 200, description = "Everything is sealed under the first key.", body = RotatedVault), RotateProblems),
)]
async fn rotate(State(control): State<Arc<Control>>) -> Result<axum::Json<RotatedVault>, Refusal> {
    Ok(axum::Json(control.parts.fleet.rotate_vault().await?.into()))
}

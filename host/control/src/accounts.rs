//! `/admin/agencies/{code}/accounts`: the systems of an agency that call, and their keys.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use truc_identity::{IdentityError, State as AccountState};
use truc_model::{AccountName, AgencyCode};
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::agencies::AgencyPath;
use crate::body::Json;
use crate::documents::{Account, AccountList, IssuedKey, NewAccount};
use crate::openapi::problems;
use crate::parameters::Path;
use crate::refusal::Refusal;
use crate::server::Control;

pub(crate) fn routes() -> OpenApiRouter<Arc<Control>> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(remove))
        .routes(routes!(rotate))
        .routes(routes!(suspend))
        .routes(routes!(resume))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
struct AccountPath {
    /// The agency's code.
    #[param(value_type = String, example = "H56.14")]
    code: AgencyCode,
    /// The account's name.
    #[param(value_type = String, example = "one-stop-shop")]
    name: AccountName,
}

problems!(CreateProblems: NameTaken, ItemNotFound, InvalidRequest, MalformedJson, BodyTooLarge, UnsupportedMediaType,
    MalformedRequest, RequestTimeout);
problems!(NamedProblems: InvalidRequest, ItemNotFound);

/// List the accounts of an agency
#[utoipa::path(
    get, path = "/admin/agencies/{code}/accounts", tag = "accounts", operation_id = "listAccounts",
    params(AgencyPath),
    responses((status = 200, description = "The accounts, without their keys.", body = AccountList), NamedProblems),
)]
async fn list(
    State(control): State<Arc<Control>>,
    Path(AgencyPath { code }): Path<AgencyPath>,
) -> Result<axum::Json<AccountList>, Refusal> {
    let accounts = control.parts.fleet.identity().accounts(&code).await?;
    Ok(axum::Json(AccountList { accounts: accounts.into_iter().map(Into::into).collect() }))
}

/// Make an account
///
/// The key is in this answer and nowhere else.
#[utoipa::path(
    post, path = "/admin/agencies/{code}/accounts", tag = "accounts", operation_id = "createAccount",
    params(AgencyPath), request_body = NewAccount,
    responses((status = 201, description = "The account and its key.", body = IssuedKey), CreateProblems),
)]
async fn create(
    State(control): State<Arc<Control>>,
    Path(AgencyPath { code }): Path<AgencyPath>,
    Json(NewAccount { name }): Json<NewAccount>,
) -> Result<(StatusCode, axum::Json<IssuedKey>), Refusal> {
    let (account, key) = control.parts.fleet.identity().create_account(code, name).await?;
    control.put_in_force().await?;
    let account: Account = account.into();
    tracing::info!(
        agency.code = %account.agency, account.name = %account.name, account.key = account.key_id, "account made"
    );
    Ok((StatusCode::CREATED, axum::Json(IssuedKey { account, key: key.expose().to_owned() })))
}

/// Replace an account's key
///
/// The new key is in this answer and nowhere else; the one before opens nothing any more.
#[utoipa::path(
    post, path = "/admin/agencies/{code}/accounts/{name}/rotate", tag = "accounts", operation_id = "rotateKey",
    params(AccountPath),
    responses((status = 200, description = "The account and its new key.", body = IssuedKey), NamedProblems),
)]
async fn rotate(
    State(control): State<Arc<Control>>,
    Path(place): Path<AccountPath>,
) -> Result<axum::Json<IssuedKey>, Refusal> {
    let key = control.parts.fleet.identity().rotate_key(&place.code, &place.name).await?;
    let account = changed(&control, &place).await?;
    Ok(axum::Json(IssuedKey { account, key: key.expose().to_owned() }))
}

/// Remove an account and its key
#[utoipa::path(
    delete, path = "/admin/agencies/{code}/accounts/{name}", tag = "accounts", operation_id = "removeAccount",
    params(AccountPath),
    responses((status = 204, description = "It is removed."), NamedProblems),
)]
async fn remove(
    State(control): State<Arc<Control>>,
    Path(AccountPath { code, name }): Path<AccountPath>,
) -> Result<StatusCode, Refusal> {
    control.parts.fleet.identity().remove_account(&code, &name).await?;
    control.put_in_force().await?;
    tracing::info!(agency.code = %code, account.name = %name, "account removed");
    Ok(StatusCode::NO_CONTENT)
}

/// Suspend an account
///
/// It may not call until it is resumed. Calls under way end as they began.
#[utoipa::path(
    post, path = "/admin/agencies/{code}/accounts/{name}/suspend", tag = "accounts", operation_id = "suspendAccount",
    params(AccountPath),
    responses((status = 200, description = "It is suspended.", body = Account), NamedProblems),
)]
async fn suspend(
    State(control): State<Arc<Control>>,
    Path(place): Path<AccountPath>,
) -> Result<axum::Json<Account>, Refusal> {
    set_state(&control, &place, AccountState::Suspended).await
}

/// Resume an account
#[utoipa::path(
    post, path = "/admin/agencies/{code}/accounts/{name}/resume", tag = "accounts", operation_id = "resumeAccount",
    params(AccountPath),
    responses((status = 200, description = "It may call again.", body = Account), NamedProblems),
)]
async fn resume(
    State(control): State<Arc<Control>>,
    Path(place): Path<AccountPath>,
) -> Result<axum::Json<Account>, Refusal> {
    set_state(&control, &place, AccountState::Active).await
}

async fn set_state(
    control: &Control,
    place: &AccountPath,
    state: AccountState,
) -> Result<axum::Json<Account>, Refusal> {
    control.parts.fleet.identity().set_account_state(&place.code, &place.name, state).await?;
    changed(control, place).await.map(axum::Json)
}

/// Puts a change in force and gives the account as it is now.
async fn changed(control: &Control, AccountPath { code, name }: &AccountPath) -> Result<Account, Refusal> {
    control.put_in_force().await?;
    let accounts = control.parts.fleet.identity().accounts(code).await?;
    let account = accounts.into_iter().find(|account| account.name == *name);
    // Somebody else may have removed it in between.
    let account =
        account.ok_or_else(|| IdentityError::NotFound(format!("account {name} of agency {code}")))?;
    let account: Account = account.into();
    tracing::info!(
        agency.code = %code, account.name = %name, account.state = account.state.as_str(), account.key = account.key_id,
        "account changed"
    );
    Ok(account)
}

//! `/admin/contracts`: publish contracts, see what is published and proposed, and what changed between versions.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::LOCATION;
use axum::response::IntoResponse;
use semver::Version;
use serde::Deserialize;
use truc_contract::{ContractId, ContractText};
use truc_fleet::Publication;
use truc_model::{Fault, Handle};
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::body::Json;
use crate::documents::{ChangeLog, ContractDetails, ContractList, NewContract, PublishedContract};
use crate::openapi::problems;
use crate::parameters::{Path, Query};
use crate::refusal::Refusal;
use crate::server::{Control, MADE_BY};

/// The largest document with a contract's files that is read: the largest contract, and room for how JSON writes it.
const MAX_FILES_JSON: usize = 8 << 20;

pub(crate) fn routes() -> OpenApiRouter<Arc<Control>> {
    OpenApiRouter::new()
        .routes(routes!(publish, list))
        .routes(routes!(get))
        .routes(routes!(publish_proposal))
        .routes(routes!(changes))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
struct ContractPath {
    /// The part of the contract's name before the colon.
    #[param(value_type = String, example = "lgsp")]
    namespace: Handle,
    /// The part of the contract's name behind the colon.
    #[param(value_type = String, example = "land")]
    name: Handle,
    /// The contract's version.
    #[param(value_type = String, example = "1.0.0")]
    version: Version,
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code, reason = "it describes what the handler takes one by one")]
struct ChangesQuery {
    /// The version to compare with; without it, the newest published one before.
    #[param(value_type = Option<String>, example = "1.0.0", nullable = false)]
    since: Option<Version>,
}

impl ContractPath {
    fn id(self) -> ContractId {
        let Self { namespace, name, version } = self;
        ContractId { namespace: namespace.into(), name: name.into(), version }
    }
}

problems!(PublishProblems: ContractInvalid, ContractBreaking, ContractVersionBackwards, NameTaken, InvalidRequest,
    MalformedJson, BodyTooLarge, UnsupportedMediaType, MalformedRequest, RequestTimeout);
problems!(ProposalProblems: ItemNotFound, ContractInvalid, ContractBreaking, ContractVersionBackwards, InvalidRequest);
problems!(NamedProblems: InvalidRequest, ItemNotFound);
problems!(ChangesProblems: InvalidRequest, MalformedRequest, ItemNotFound);

/// Publish a contract
///
/// Its name and version stand in its text. Within a major version (before 1.0.0: within a minor version) only additions
/// are accepted, and versions go forward. A published contract never changes; publishing the same text again is no error.
/// A proposal of the same version gives way.
#[utoipa::path(
    post, path = "/admin/contracts", tag = "contracts", operation_id = "publishContract",
    request_body(content = NewContract, description = "The files; together at most 4 MiB."),
    responses((status = 201, description = "It is published.", body = PublishedContract), PublishProblems),
)]
async fn publish(
    State(control): State<Arc<Control>>,
    Json(new): Json<NewContract, MAX_FILES_JSON>,
) -> Result<impl IntoResponse, Refusal> {
    let files = new.files.into_iter().map(|file| (file.name, file.text)).collect();
    let text = ContractText::new(files).map_err(|error| {
        Refusal::faults(vec![Fault { pointer: "/files".to_owned(), detail: error.to_string() }])
    })?;
    let published = control.parts.fleet.publish_contract(&text, MADE_BY).await?;
    let location = location(&published);
    Ok((StatusCode::CREATED, [(LOCATION, location)], axum::Json(PublishedContract::from(published))))
}

/// List the contracts
#[utoipa::path(
    get, path = "/admin/contracts", tag = "contracts", operation_id = "listContracts",
    responses((status = 200, description = "The contracts, published and proposed.", body = ContractList)),
)]
async fn list(State(control): State<Arc<Control>>) -> Result<axum::Json<ContractList>, Refusal> {
    let contracts = control.parts.fleet.contracts().await?;
    Ok(axum::Json(ContractList { contracts: contracts.into_iter().map(Into::into).collect() }))
}

/// Get a contract
///
/// With its operations and its text.
#[utoipa::path(
    get, path = "/admin/contracts/{namespace}/{name}/{version}", tag = "contracts", operation_id = "getContract",
    params(ContractPath),
    responses((status = 200, description = "The contract.", body = ContractDetails), NamedProblems),
)]
async fn get(
    State(control): State<Arc<Control>>,
    Path(path): Path<ContractPath>,
) -> Result<axum::Json<ContractDetails>, Refusal> {
    Ok(axum::Json(control.parts.fleet.contract(&path.id()).await?.into()))
}

/// Publish a proposed contract
///
/// As it was proposed. The same is checked as for a new text. Publishing what is published changes nothing.
#[utoipa::path(
    post, path = "/admin/contracts/{namespace}/{name}/{version}/publish", tag = "contracts",
    operation_id = "publishProposedContract",
    params(ContractPath),
    responses((status = 200, description = "It is published.", body = PublishedContract), ProposalProblems),
)]
async fn publish_proposal(
    State(control): State<Arc<Control>>,
    Path(path): Path<ContractPath>,
) -> Result<axum::Json<PublishedContract>, Refusal> {
    Ok(axum::Json(control.parts.fleet.publish_proposal(&path.id(), MADE_BY).await?.into()))
}

/// Get the changes of a contract
///
/// Since the newest published version before it, or since another one.
#[utoipa::path(
    get, path = "/admin/contracts/{namespace}/{name}/{version}/changes", tag = "contracts",
    operation_id = "getContractChanges",
    params(ContractPath, ChangesQuery),
    responses((status = 200, description = "The changes.", body = ChangeLog), ChangesProblems),
)]
async fn changes(
    State(control): State<Arc<Control>>,
    Path(path): Path<ContractPath>,
    mut query: Query,
) -> Result<axum::Json<ChangeLog>, Refusal> {
    let since = query.take::<Version>("since");
    query.finish()?;
    let changes = control.parts.fleet.contract_changes(&path.id(), since).await?;
    Ok(axum::Json(ChangeLog::from(&changes)))
}

fn location(published: &Publication) -> String {
    let ContractId { namespace, name, version } = &published.details.summary.id;
    format!("/admin/contracts/{namespace}/{name}/{version}")
}

//! What watches the host ask for, without a key; and what is answered where there is nothing.

use std::sync::Arc;

use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{Method, Uri};
use axum::response::IntoResponse;
use serde_json::json;
use truc_ledger::Filter;
use truc_model::{Code, Fault, Problem};

use crate::refusal::Refusal;
use crate::server::Control;

/// The text format of Prometheus.
const METRICS: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Whether the process is alive; it says nothing of anything else.
pub(crate) async fn healthz() -> impl IntoResponse {
    axum::Json(json!({ "status": "ok" }))
}

/// Whether calls can be served; where not, what is missing. The database's own words go to the log: this needs no key.
pub(crate) async fn readyz(State(control): State<Arc<Control>>) -> Result<impl IntoResponse, Refusal> {
    let parts = &control.parts;
    if parts.stopping.is_cancelled() {
        return Err(Refusal::new(Code::ShuttingDown, ""));
    }
    let mut missing = Vec::new();
    if let Err(error) = parts.store.ping().await {
        tracing::warn!(%error, "not ready: the database does not answer");
        missing.push((Code::StoreUnavailable, "/store", "the database does not answer"));
    }
    let newest = Filter { limit: Some(1), ..Filter::default() };
    if let Err(error) = parts.ledger.list(&newest).await {
        tracing::warn!(%error, "not ready: the ledger cannot be read");
        missing.push((Code::LedgerUnavailable, "/ledger", "the ledger cannot be read"));
    }
    match missing.first() {
        None => Ok(axum::Json(json!({ "status": "ready" }))),
        Some((code, ..)) => {
            let fault = |&(_, pointer, detail): &(Code, &str, &str)| Fault {
                pointer: pointer.to_owned(),
                detail: detail.to_owned(),
            };
            let faults = missing.iter().map(fault).collect();
            Err(Problem::new(*code, "").with_errors(faults).with_retry_after(1).into())
        }
    }
}

/// The meters.
pub(crate) async fn metrics(State(control): State<Arc<Control>>) -> impl IntoResponse {
    ([(CONTENT_TYPE, METRICS)], (control.parts.meters)())
}

/// No such path.
pub(crate) async fn no_route(uri: Uri) -> Refusal {
    let path: String = uri.path().chars().take(200).collect();
    Refusal::new(
        Code::RouteNotFound,
        format!("There is nothing at {path:?}; /admin/openapi.json tells what there is."),
    )
}

/// The path exists with other methods, which the header `Allow` names.
pub(crate) async fn wrong_method(method: Method) -> Refusal {
    Refusal::new(
        Code::MethodNotAllowed,
        format!("Not {method}: the header `Allow` names the methods there are."),
    )
}

//! What surrounds every request: its identifier, a task of its own, a line in the log, and problems as documents.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{MatchedPath, Request, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use truc_contract::openapi::REQUEST_ID_HEADER;
use truc_listen::Fault;
use truc_model::{Code, Problem, RequestId};

use crate::refusal::Refusal;
use crate::server::Control;

static REQUEST_ID: HeaderName = HeaderName::from_static(REQUEST_ID_HEADER);

/// The longest that a caller waits for its answer. Publishing a large component takes seconds.
const ANSWER_WITHIN: Duration = Duration::from_secs(120);

/// Runs a request in a task of its own, so that a change that has begun is finished even where the caller leaves: half
/// a change, written to the database but not in force, must not be.
pub(crate) async fn wrap(State(control): State<Arc<Control>>, request: Request, next: Next) -> Response {
    let id = request_id(&control, request.headers());
    let work = control.tasks.spawn(audited(control.clone(), id, request, next));
    let response = match tokio::time::timeout(ANSWER_WITHIN, work).await {
        Ok(Ok(response)) => response,
        Ok(Err(error)) => {
            tracing::error!(request.id = %id, %error, "an admin request ended with a panic");
            Refusal::new(Code::Internal, "").into_response()
        }
        Err(_) => {
            let detail = "The work goes on; look at the result before asking again.";
            Refusal::new(Code::DeadlineExceeded, detail).into_response()
        }
    };
    finish(response, id)
}

/// The answer to a request that is not looked into.
pub(crate) fn faulty(control: &Control, head: &Parts, fault: Fault) -> Response {
    let id = request_id(control, &head.headers);
    let refusal = Refusal::from(Problem::from(fault));
    let (status, problem) = (refusal.0.status, &*refusal.0.code);
    tracing::info!(request.id = %id, method = %head.method, path = ?shown(&head.uri), status, problem, "admin request");
    finish(refusal.into_response(), id)
}

/// Runs a request and logs what became of it: who asked for what is told by names only.
async fn audited(control: Arc<Control>, id: RequestId, request: Request, next: Next) -> Response {
    let began = control.parts.clock.now();
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().cloned();
    let path = shown(request.uri());
    let response = next.run(request).await;

    let duration = control.parts.clock.now().as_micros().saturating_sub(began.as_micros());
    let status = response.status().as_u16();
    let problem = response.extensions().get::<Refusal>().map(|refusal| &*refusal.0.code);
    match route.as_ref().map(MatchedPath::as_str) {
        // Asked for every few seconds by whatever watches the host.
        route @ Some("/healthz" | "/readyz" | "/metrics") => {
            tracing::debug!(request.id = %id, route, status, problem, "watched");
        }
        route => {
            tracing::info!(request.id = %id, %method, route, ?path, status, problem, duration, "admin request");
        }
    }
    response
}

/// A path is the caller's text: quoted in the log, and no longer than names can make it.
fn shown(uri: &Uri) -> String {
    uri.path().chars().take(300).collect()
}

/// The request's identifier: the caller's, where it sent a UUID, else a new one.
fn request_id(control: &Control, headers: &HeaderMap) -> RequestId {
    let sent =
        headers.get(&REQUEST_ID).and_then(|value| value.to_str().ok()).and_then(|text| text.parse().ok());
    sent.unwrap_or_else(|| {
        let mut random = [0; 10];
        if aws_lc_rs::rand::fill(&mut random).is_err() {
            tracing::error!("the operating system gave no randomness for a request identifier");
        }
        RequestId::new(control.parts.clock.now(), &random)
    })
}

/// Writes the problem document where there is a problem, and marks the answer.
fn finish(mut response: Response, id: RequestId) -> Response {
    let mut buffer = [0; 36];
    let id = id.encode(&mut buffer);
    if let Some(Refusal(problem)) = response.extensions_mut().remove() {
        *response.body_mut() = Body::from(problem.to_json(Some(id)));
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if problem.status == 401 {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(seconds) = problem.retry_after {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
    }
    let headers = response.headers_mut();
    // Answers hold keys and settings: nothing on the way may keep them.
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Ok(value) = HeaderValue::from_str(id) {
        headers.insert(&REQUEST_ID, value);
    }
    response
}

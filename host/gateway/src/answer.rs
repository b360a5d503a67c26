//! Answers: status, headers, document.

use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{Response, StatusCode};
use http_body_util::Full;
use truc_contract::Method;
use truc_model::{Code, Problem, RequestId};

use crate::head::REQUEST_ID;

pub(crate) type Answer = Response<Full<Bytes>>;

static JSON: HeaderValue = HeaderValue::from_static("application/json");
static PROBLEM: HeaderValue = HeaderValue::from_static("application/problem+json");
static NO_STORE: HeaderValue = HeaderValue::from_static("no-store");

/// An answer with a JSON document, or without content.
pub(crate) fn success(status: u16, body: Vec<u8>) -> Answer {
    let content = !body.is_empty();
    let mut answer = Response::new(Full::new(Bytes::from(body)));
    *answer.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
    let headers = answer.headers_mut();
    if content {
        headers.insert(CONTENT_TYPE, JSON.clone());
    }
    headers.insert(CACHE_CONTROL, NO_STORE.clone());
    answer
}

/// An answer with a problem document.
pub(crate) fn problem(problem: &Problem, id: RequestId) -> Answer {
    let mut buffer = [0; 36];
    let body = problem.to_json(Some(id.encode(&mut buffer)));
    let mut answer = Response::new(Full::new(Bytes::from(body)));
    *answer.status_mut() = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, PROBLEM.clone());
    headers.insert(CACHE_CONTROL, NO_STORE.clone());
    if problem.status == 401 {
        headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    if let Some(seconds) = problem.retry_after {
        headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    answer
}

/// The refusal of a method, with those that are allowed.
pub(crate) fn method_problem(allowed: &[Method]) -> Problem {
    let list: Vec<&str> = allowed.iter().map(|method| method.as_str()).collect();
    Problem::new(Code::MethodNotAllowed, format!("Allowed here: {}.", list.join(", ")))
}

/// Sets `Allow` on the answer to a refused method.
pub(crate) fn set_allow_if_any(answer: &mut Answer, allowed: &[Method]) {
    if allowed.is_empty() {
        return;
    }
    let list: Vec<&str> = allowed.iter().map(|method| method.as_str()).collect();
    if let Ok(value) = HeaderValue::from_str(&list.join(", ")) {
        answer.headers_mut().insert(ALLOW, value);
    }
}

/// Marks an answer with the request's identifier.
pub(crate) fn mark(answer: &mut Answer, id: RequestId) {
    let mut buffer = [0; 36];
    if let Ok(value) = HeaderValue::from_str(id.encode(&mut buffer)) {
        answer.headers_mut().insert(&REQUEST_ID, value);
    }
}

//! Answers: status, headers, document.

use bytes::Bytes;
use http::header::{
    ALLOW, CACHE_CONTROL, CONTENT_TYPE, ETAG, HeaderValue, RETRY_AFTER, VARY, WWW_AUTHENTICATE,
};
use http::{Response, StatusCode};
use http_body_util::Full;
use truc_contract::{Method, openapi};
use truc_model::{Code, Problem, RequestId};

use crate::head::{REPLAYED, REQUEST_ID};

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

/// An answer that was given before, with the body it had then.
pub(crate) fn again(status: u16, content_type: Option<&str>, body: Vec<u8>) -> Answer {
    let mut answer = success(status, body);
    let headers = answer.headers_mut();
    headers.remove(CONTENT_TYPE);
    if let Some(value) = content_type.and_then(|text| HeaderValue::from_str(text).ok()) {
        headers.insert(CONTENT_TYPE, value);
    }
    headers.insert(&REPLAYED, HeaderValue::from_static("true"));
    answer
}

/// An answer that may be used for some seconds, by the same caller for the same purpose; without content for a caller
/// that has it already (RFC 9110, section 15.4.5, and RFC 9111).
pub(crate) fn lasting(content: Option<Bytes>, tag: &str, seconds: u32) -> Answer {
    let mut answer = Response::new(Full::new(Bytes::new()));
    let headers = answer.headers_mut();
    let texts = [
        (CACHE_CONTROL, format!("private, max-age={seconds}")),
        (ETAG, tag.to_owned()),
        (VARY, format!("authorization, {}, {}", openapi::PURPOSE_HEADER, openapi::DOSSIER_HEADER)),
    ];
    for (name, text) in texts {
        if let Ok(value) = HeaderValue::from_str(&text) {
            headers.insert(name, value);
        }
    }
    match content {
        Some(content) => {
            headers.insert(CONTENT_TYPE, JSON.clone());
            *answer.body_mut() = Full::new(content);
        }
        None => *answer.status_mut() = StatusCode::NOT_MODIFIED,
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

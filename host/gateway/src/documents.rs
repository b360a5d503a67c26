//! Documents about what is served.
//!
//! Contracts are published standards: the list of services, OpenAPI documents and JSON Schemas are read without a key,
//! and reading them is no exchange. What an agency may call is for the agency: the document of it is asked for with a
//! key, and asking for it is an exchange without a service.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, HeaderMap, HeaderValue, VARY};
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use truc_contract::Method;
use truc_fleet::{Document, Snapshot};
use truc_identity::Caller;
use truc_model::{Code, Problem, RequestId, Timestamp};

use crate::answer::{self, Answer};
use crate::conditional;
use crate::head::{self, ApiPath};
use crate::server::Gateway;

/// The document of all that the caller's agency may call.
pub(crate) const AGENCY_DOCUMENT: &str = "/api/openapi.json";
/// The route of a service's OpenAPI document.
pub(crate) const SERVICE_DOCUMENT: &str = "/openapi.json";
/// The methods that documents have.
pub(crate) const METHODS: [Method; 2] = [Method::Get, Method::Head];

/// For how long documents of other agencies may be waited for.
const PATIENCE: Duration = Duration::from_secs(5);

/// A public document, by its path.
enum Public<'p> {
    /// The list of services.
    Services,
    /// The OpenAPI document of a service.
    OpenApi(ApiPath<'p>),
    /// A service's schema, or the list of them.
    Schema(ApiPath<'p>),
}

impl<'p> Public<'p> {
    fn at(path: &'p str) -> Option<Self> {
        match path {
            "/api" | "/api/" => Some(Self::Services),
            _ => match ApiPath::below("/schemas/", path) {
                Some(schema) => Some(Self::Schema(schema)),
                None => ApiPath::parse(path).filter(|api| api.route == SERVICE_DOCUMENT).map(Self::OpenApi),
            },
        }
    }
}

/// The answer to a request for a public document, if it is one. Calls pass by without a look at what is served.
pub(crate) fn public(gateway: &Gateway, request: &Request<Incoming>, id: RequestId) -> Option<Answer> {
    let wanted = Public::at(request.uri().path())?;
    let reads = head::method(request.method()).is_some_and(|method| METHODS.contains(&method));
    if !reads {
        // Operations may have the route of the OpenAPI document with other methods.
        let of_an_operation = matches!(wanted, Public::OpenApi(_));
        return (!of_an_operation).then(|| {
            let mut refused = answer::problem(&answer::method_problem(&METHODS), id);
            answer::set_allow_if_any(&mut refused, &METHODS);
            refused
        });
    }
    let snapshot = gateway.fleet.snapshot();
    let (document, media_type) = match wanted {
        Public::Services => (snapshot.index(), "application/json"),
        Public::OpenApi(api) => {
            (&snapshot.service(api.service, api.major?)?.documents.openapi, "application/json")
        }
        Public::Schema(path) => match schema(&snapshot, &path) {
            Ok(found) => found,
            Err(problem) => return Some(answer::problem(&problem, id)),
        },
    };
    Some(answer(document, media_type, "no-cache", request.headers()))
}

fn schema<'s>(snapshot: &'s Snapshot, path: &ApiPath<'_>) -> Result<(&'s Document, &'static str), Problem> {
    let revision = path.major.and_then(|major| snapshot.service(path.service, major)).ok_or_else(|| {
        Problem::new(
            Code::ServiceNotFound,
            "Schemas are at /schemas/{service}/v{major}/{Type}.json; /api lists the services.",
        )
    })?;
    if path.route == "/" {
        return Ok((revision.schema_index(), "application/json"));
    }
    let name = path.route.strip_prefix('/').and_then(|file| file.strip_suffix(".json"));
    let found = name.and_then(|name| revision.schema(name));
    let unknown = || {
        let detail =
            format!("The service's types are listed at /schemas/{}/v{}.", path.service, revision.major);
        Problem::new(Code::ItemNotFound, detail)
    };
    Ok((found.ok_or_else(unknown)?, "application/schema+json"))
}

/// The document of all that a caller's agency may call.
///
/// # Errors
/// Too many who wait for documents to be made.
pub(crate) async fn of_agency(
    gateway: &Gateway,
    snapshot: &Arc<Snapshot>,
    caller: &Arc<Caller>,
    now: Timestamp,
    headers: &HeaderMap,
) -> Result<Answer, Problem> {
    let document = match snapshot.agency_document(&caller.agency, now) {
        Some(document) => document,
        None => make(gateway, snapshot, caller, now).await?,
    };
    let mut answer = answer(&document, "application/json", "private, no-cache", headers);
    answer.headers_mut().insert(VARY, HeaderValue::from_static("authorization"));
    Ok(answer)
}

/// Makes the document, one at a time, away from the threads that serve calls.
async fn make(
    gateway: &Gateway,
    snapshot: &Arc<Snapshot>,
    caller: &Arc<Caller>,
    now: Timestamp,
) -> Result<Document, Problem> {
    let turn = tokio::time::timeout(PATIENCE, gateway.making_documents.clone().acquire_owned()).await;
    let Ok(Ok(turn)) = turn else {
        let detail = "Many documents are being made. Send the request again a little later.";
        return Err(Problem::new(Code::TooBusy, detail).with_retry_after(1));
    };
    if let Some(document) = snapshot.agency_document(&caller.agency, now) {
        return Ok(document);
    }
    let (snapshot, caller) = (snapshot.clone(), caller.clone());
    let made = tokio::task::spawn_blocking(move || {
        let document = snapshot.make_agency_document(&caller, now);
        drop(turn);
        document
    });
    made.await.map_err(|error| {
        tracing::error!(%error, "an agency's document could not be made");
        Problem::new(Code::Internal, "")
    })
}

fn answer(
    document: &Document,
    media_type: &'static str,
    caching: &'static str,
    headers: &HeaderMap,
) -> Answer {
    let mut answer = if conditional::has(headers, &document.tag) {
        let mut answer = Response::new(Full::new(Bytes::new()));
        *answer.status_mut() = StatusCode::NOT_MODIFIED;
        answer
    } else {
        let mut answer = Response::new(Full::new(Bytes::from_owner(document.bytes.clone())));
        answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
        answer
    };
    answer.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static(caching));
    if let Ok(tag) = HeaderValue::from_str(&document.tag) {
        answer.headers_mut().insert(ETAG, tag);
    }
    answer
}

//! One request from its arrival to its recorded answer: the way of a call.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderValue};
use http::{Request, Response, StatusCode};
use http_body::Body;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use tokio::time::Instant;
use truc_contract::Operation;
use truc_fleet::{Revision, RouteMatch, Snapshot};
use truc_identity::{AuthError, Caller};
use truc_ledger::Intent;
use truc_model::{Code, Exchange, Millis, Problem, RequestId};
use truc_sandbox::{Arguments, CallError, CallerInfo, Input};

use crate::answer::{self, Answer};
use crate::documents;
use crate::head::{self, ApiPath};
use crate::server::{Gateway, Recording};

/// Serves one request.
pub(crate) async fn serve(gateway: &Gateway, request: Request<Incoming>) -> Answer {
    let received_at = gateway.clock.now();
    let id = head::request_id(request.headers(), received_at);
    let trace = head::trace(request.headers(), id);
    let mut answer = match request.uri().path() {
        "/healthz" => plain(StatusCode::OK, "ok\n"),
        "/readyz" => ready(gateway),
        _ => match documents::public(gateway, &request, id) {
            Some(document) => document,
            None => exchange(gateway, request, id, received_at).await,
        },
    };
    answer::mark(&mut answer, id);
    if let Some(trace) = trace.and_then(|trace| HeaderValue::from_str(&trace).ok()) {
        answer.headers_mut().insert(&head::TRACEPARENT, trace);
    }
    answer
}

fn plain(status: StatusCode, text: &'static str) -> Answer {
    let mut answer = Response::new(Full::new(Bytes::from_static(text.as_bytes())));
    *answer.status_mut() = status;
    answer
}

fn ready(gateway: &Gateway) -> Answer {
    if gateway.stopping.is_cancelled() {
        plain(StatusCode::SERVICE_UNAVAILABLE, "stopping\n")
    } else {
        plain(StatusCode::OK, "ready\n")
    }
}

/// An exchange: whatever comes of it is recorded before it is answered.
async fn exchange(
    gateway: &Gateway,
    request: Request<Incoming>,
    id: RequestId,
    received_at: truc_model::Timestamp,
) -> Answer {
    let mut record = Record::begin(gateway, id, received_at);
    let (mut answer, problem, cause) = match answer(gateway, request, &mut record).await {
        Ok(answer) => (answer, None, None),
        Err(refusal) => {
            let mut answer = answer::problem(&refusal.problem, id);
            answer::set_allow_if_any(&mut answer, &refusal.allowed);
            (answer, Some(refusal.problem), refusal.cause)
        }
    };
    let status = answer.status().as_u16();
    if let Some(problem) = &problem
        && status >= 500
    {
        let (service, operation) = (record.exchange.service.as_ref(), record.exchange.operation.as_deref());
        tracing::warn!(request.id = %id, service.name = service.map(|name| name.as_str()), operation, problem.code = %problem.code, cause, "request failed");
    }
    let revision = record.exchange.revision;
    record.exchange.status = status;
    record.exchange.response_bytes = answer.body().size_hint().exact().unwrap_or_default();
    record.exchange.problem = problem.map(|problem| problem.code.into_owned());
    if let Err(error) = record.commit().await {
        tracing::error!(request.id = %id, %error, "answer withheld: the exchange could not be recorded");
        gateway.meters.unrecorded.increment(1);
        let problem = Problem::new(
            Code::LedgerUnavailable,
            "What became of the request is not told because it could not be recorded. If it was to change something, ask for its state before repeating it.",
        );
        answer = answer::problem(&problem.with_retry_after(5), id);
    }
    if let Some(revision) = revision {
        answer.headers_mut().insert(&head::REVISION, HeaderValue::from(revision));
    }
    answer
}

/// A refusal on its way to the caller and to the log.
struct Refusal {
    problem: Problem,
    cause: Option<String>,
    allowed: Vec<truc_contract::Method>,
}

impl Refusal {
    fn of_method(allowed: &[truc_contract::Method]) -> Self {
        Self { problem: answer::method_problem(allowed), cause: None, allowed: allowed.to_vec() }
    }
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        Self { problem, cause: None, allowed: Vec::new() }
    }
}

async fn answer(
    gateway: &Gateway,
    request: Request<Incoming>,
    record: &mut Record<'_>,
) -> Result<Answer, Refusal> {
    let (head, body) = request.into_parts();
    head::check_size(&head.headers)?;
    let path = head.uri.path();
    head::check_path(path)?;
    if gateway.stopping.is_cancelled() {
        return Err(Problem::new(Code::ShuttingDown, "Send the request again.").with_retry_after(1).into());
    }
    let snapshot = gateway.fleet.snapshot();

    let caller = authenticate(&snapshot, &head.headers)?.clone();
    record.exchange.agency = Some(caller.agency.clone());
    record.exchange.account = Some(caller.account.clone());
    record.exchange.purpose = head::purpose(&head.headers)?;
    record.exchange.dossier = head::dossier(&head.headers)?;

    if path == documents::AGENCY_DOCUMENT {
        return match head::method(&head.method).filter(|method| documents::METHODS.contains(method)) {
            Some(_) => {
                let now = record.exchange.received_at;
                Ok(documents::of_agency(gateway, &snapshot, &caller, now, &head.headers).await?)
            }
            None => Err(Refusal::of_method(&documents::METHODS)),
        };
    }
    let api = ApiPath::parse(path)
        .ok_or_else(|| Problem::new(Code::RouteNotFound, "Operations are served below /api/."))?;
    let revision = find_service(&snapshot, &api)?;
    record.exchange.service = Some(revision.environment.service.clone());
    record.exchange.revision = Some(revision.environment.revision);

    let (index, parameters) = match revision.routes.find(head::method(&head.method), api.route) {
        RouteMatch::Operation { index, parameters } => (index, parameters),
        RouteMatch::OtherMethods(allowed) => return Err(Refusal::of_method(&allowed)),
        RouteMatch::None if api.route == documents::SERVICE_DOCUMENT => {
            return Err(Refusal::of_method(&documents::METHODS));
        }
        RouteMatch::None => {
            let detail = format!(
                "The service's operations are listed at /api/{}/v{}/openapi.json.",
                api.service, revision.major
            );
            return Err(Problem::new(Code::RouteNotFound, detail).into());
        }
    };
    let Some(operation) = revision.program.contract().operations.get(index) else {
        return Err(Problem::new(Code::Internal, "").into());
    };
    record.found(revision.clone(), index, operation);
    authorise(&caller, revision, operation, record)?;

    let limits = revision.environment.limits;
    let body = read_body(gateway, operation, &head.headers, body, limits.request_bytes.as_usize()).await?;
    record.exchange.request_bytes = body.len() as u64;
    let arguments = Arguments { path: &parameters, query: head.uri.query(), body: &body };
    let prepared = gateway.sandbox.prepare(&revision.program, index, &arguments)?;
    let Some(_permit) = revision.admit() else {
        return Err(Problem::new(Code::TooBusy, "Send the request again a little later.")
            .with_retry_after(1)
            .into());
    };
    if !operation.method.is_safe() {
        intend(gateway, &caller, revision, operation, record).await?;
    }
    let input = Input {
        caller: CallerInfo {
            agency: record.exchange.agency.clone(),
            account: record.exchange.account.clone(),
            purpose: record.exchange.purpose.clone(),
            dossier: record.exchange.dossier.clone(),
            request_id: record.exchange.id,
        },
        deadline: Instant::now() + limits.deadline.as_duration(),
    };
    let called = gateway.sandbox.call(&revision.program, prepared, &revision.environment, input).await;
    match called {
        Ok(answered) => {
            record.exchange.upstream_calls = answered.upstream_calls;
            Ok(answer::success(answered.status, answered.body))
        }
        Err(CallError { problem, cause, upstream_calls }) => {
            record.exchange.upstream_calls = upstream_calls;
            Err(Refusal { problem, cause, allowed: Vec::new() })
        }
    }
}

fn authenticate<'s>(snapshot: &'s Snapshot, headers: &HeaderMap) -> Result<&'s Arc<Caller>, Problem> {
    let key = head::key(headers)?;
    snapshot.directory().authenticate(key).map_err(|error| match error {
        AuthError::Wrong => Problem::new(Code::WrongKey, "The key is unknown, was replaced or was removed."),
        AuthError::Suspended => {
            Problem::new(Code::AccountSuspended, "Ask the platform team why, and to resume it.")
        }
    })
}

fn find_service<'s>(snapshot: &'s Snapshot, api: &ApiPath<'_>) -> Result<&'s Arc<Revision>, Problem> {
    let found = api.major.and_then(|major| snapshot.service(api.service, major));
    found.ok_or_else(|| {
        Problem::new(
            Code::ServiceNotFound,
            "Paths have the form /api/{service}/v{major}/…, for instance /api/land/v1/….",
        )
    })
}

fn authorise(
    caller: &Caller,
    revision: &Revision,
    operation: &Operation,
    record: &Record<'_>,
) -> Result<(), Problem> {
    let service = &revision.environment.service;
    let may = caller.may(service, operation.name.as_str(), record.exchange.received_at);
    may.map_err(|refusal| {
        Problem::new(Code::NotGranted, format!("For {} of {service}, {refusal}.", operation.name))
    })?;
    if operation.pii.is_some() && record.exchange.purpose.is_none() {
        let detail = format!(
            "Personal data goes in or out: state the purpose in the header `{}`.",
            truc_contract::openapi::PURPOSE_HEADER
        );
        return Err(Problem::new(Code::PurposeRequired, detail));
    }
    Ok(())
}

async fn intend(
    gateway: &Gateway,
    caller: &Caller,
    revision: &Revision,
    operation: &Operation,
    record: &mut Record<'_>,
) -> Result<(), Refusal> {
    if gateway.settings.recording == Recording::None {
        return Ok(());
    }
    let intent = Intent {
        id: record.exchange.id,
        received_at: record.exchange.received_at,
        agency: caller.agency.clone(),
        account: caller.account.clone(),
        service: revision.environment.service.clone(),
        revision: revision.environment.revision,
        operation: operation.name.to_shared(),
        purpose: record.exchange.purpose.clone(),
        dossier: record.exchange.dossier.clone(),
    };
    gateway.ledger.intend(intent).await.map_err(|error| Refusal {
        problem: Problem::new(Code::LedgerUnavailable, "Nothing was done; send the request again.")
            .with_retry_after(5),
        cause: Some(error.to_string()),
        allowed: Vec::new(),
    })?;
    record.end = End::Unknown;
    Ok(())
}

async fn read_body(
    gateway: &Gateway,
    operation: &Operation,
    headers: &HeaderMap,
    body: Incoming,
    limit: usize,
) -> Result<Bytes, Problem> {
    if body.is_end_stream() {
        return Ok(Bytes::new());
    }
    if !operation.takes_body() {
        return Err(Problem::new(Code::MalformedRequest, "The operation takes no body."));
    }
    check_media_type(headers)?;
    let too_large = || Problem::new(Code::BodyTooLarge, format!("At most {limit} bytes are taken."));
    let announced = headers
        .get(CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok())
        .and_then(|text| text.parse::<usize>().ok());
    if announced.is_some_and(|length| length > limit) {
        return Err(too_large());
    }
    let wait = gateway.settings.body_timeout;
    let collect = collect(body, limit, announced.unwrap_or_default());
    match tokio::time::timeout(wait.as_duration(), collect).await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(Uncollected::TooLarge)) => Err(too_large()),
        Ok(Err(Uncollected::Broken)) => {
            Err(Problem::new(Code::MalformedRequest, "The body ended early or is framed wrongly."))
        }
        Err(_) => Err(slow_body(wait)),
    }
}

fn slow_body(wait: Millis) -> Problem {
    Problem::new(Code::RequestTimeout, format!("The whole body must arrive within {wait}."))
}

enum Uncollected {
    TooLarge,
    Broken,
}

async fn collect(mut body: Incoming, limit: usize, announced: usize) -> Result<Bytes, Uncollected> {
    let mut first: Option<Bytes> = None;
    let mut rest = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_| Uncollected::Broken)?.into_data() else { continue };
        let so_far = first.as_ref().map_or(rest.len(), Bytes::len);
        if so_far + data.len() > limit {
            return Err(Uncollected::TooLarge);
        }
        match first.take() {
            None if rest.is_empty() => first = Some(data),
            None => rest.extend_from_slice(&data),
            Some(start) => {
                rest.reserve(announced.max(start.len() + data.len()));
                rest.extend_from_slice(&start);
                rest.extend_from_slice(&data);
            }
        }
    }
    Ok(first.unwrap_or_else(|| rest.freeze()))
}

fn check_media_type(headers: &HeaderMap) -> Result<(), Problem> {
    let refuse = |detail: &str| Err(Problem::new(Code::UnsupportedMediaType, detail));
    if headers
        .get(CONTENT_ENCODING)
        .is_some_and(|encoding| !encoding.as_bytes().eq_ignore_ascii_case(b"identity"))
    {
        return refuse("Compressed bodies are not taken: send it without `Content-Encoding`.");
    }
    let media_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = media_type.split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case("application/json") {
        Ok(())
    } else {
        refuse("Send JSON with `Content-Type: application/json`.")
    }
}

/// The record of an exchange under way.
///
/// One that is dropped before it is committed belongs to a caller that left, or to a connection that was cut. Where
/// nothing was to be changed upstream it is recorded as abandoned; where an intent was recorded, nobody knows how far
/// the operation came, and the intent stays without an outcome.
struct Record<'g> {
    gateway: &'g Gateway,
    exchange: Exchange,
    arrived: Instant,
    operation: Option<(Arc<Revision>, usize)>,
    end: End,
}

/// What a record that is dropped says of its exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// It was abandoned before anything was changed.
    Abandoned,
    /// An operation that changes something was under way.
    Unknown,
    /// It is recorded.
    Recorded,
}

impl<'g> Record<'g> {
    fn begin(gateway: &'g Gateway, id: RequestId, received_at: truc_model::Timestamp) -> Self {
        let exchange = Exchange {
            id,
            received_at,
            agency: None,
            account: None,
            service: None,
            revision: None,
            operation: None,
            purpose: None,
            dossier: None,
            status: Code::Abandoned.status(),
            problem: Some(Code::Abandoned.as_str().to_owned()),
            duration: 0,
            request_bytes: 0,
            response_bytes: 0,
            upstream_calls: 0,
        };
        Self { gateway, exchange, arrived: Instant::now(), operation: None, end: End::Abandoned }
    }

    fn found(&mut self, revision: Arc<Revision>, index: usize, operation: &Operation) {
        self.exchange.operation = Some(operation.name.to_shared());
        self.operation = Some((revision, index));
    }

    /// Counts the exchange and has it recorded; it is on the disk when this returns `Ok`.
    async fn commit(mut self) -> Result<(), truc_ledger::LedgerError> {
        self.close();
        self.end = End::Recorded;
        match self.gateway.settings.recording {
            Recording::All => self.gateway.ledger.record(self.exchange.clone()).await,
            Recording::None => Ok(()),
        }
    }

    fn close(&mut self) {
        let duration = self.arrived.elapsed();
        self.exchange.duration = micros(duration);
        let meters = self.operation.as_ref().and_then(|(revision, index)| revision.meters.get(*index));
        match meters {
            Some(meters) => meters.answered(self.exchange.status, duration),
            None if self.exchange.status >= 400 => self.gateway.meters.refused.increment(1),
            None => {}
        }
    }
}

impl Drop for Record<'_> {
    fn drop(&mut self) {
        if self.end == End::Recorded || self.gateway.settings.recording == Recording::None {
            return;
        }
        if std::thread::panicking() {
            self.exchange.status = Code::Internal.status();
            self.exchange.problem = Some(Code::Internal.as_str().to_owned());
        }
        self.close();
        if self.end == End::Unknown {
            tracing::warn!(request.id = %self.exchange.id, "an operation under way was abandoned: its end is unknown");
            return;
        }
        let (ledger, exchange) = (self.gateway.ledger.clone(), self.exchange.clone());
        self.gateway.tasks.spawn(async move {
            if let Err(error) = ledger.record(exchange).await {
                tracing::error!(%error, "an abandoned exchange could not be recorded");
            }
        });
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

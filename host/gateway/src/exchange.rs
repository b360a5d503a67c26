//! One request from its arrival to its recorded answer: the way of a call.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, HeaderMap, HeaderValue};
use http::{Request, Response, StatusCode};
use http_body::Body;
use http_body_util::Full;
use hyper::body::Incoming;
use tokio::time::Instant;
use truc_contract::Operation;
use truc_fleet::{NoPlace, Permit, Revision, RouteMatch, Snapshot};
use truc_identity::{AuthError, Caller};
use truc_ledger::{Intent, KeyedRequest};
use truc_listen::{Arrival, Line, Reception, check_media_type, receive};
use truc_model::{Code, Problem, RequestId};
use truc_sandbox::{Arguments, CallError, CallerInfo, Input, Prepared};

use crate::answer::{self, Answer};
use crate::documents;
use crate::head::{self, ApiPath};
use crate::kept;
use crate::keyed;
use crate::pages;
use crate::record::{End, Record};
use crate::server::{Gateway, Recording};

/// Serves one request.
pub(crate) async fn serve(gateway: &Arc<Gateway>, arrival: Arrival, line: &Line) -> Answer {
    let received_at = gateway.clock.now();
    let headers = match &arrival {
        Arrival::Sound(request) => request.headers(),
        Arrival::Faulty(head, _) => &head.headers,
    };
    let id = head::request_id(headers, received_at);
    let trace = head::trace(headers, id);
    let mut answer = match arrival {
        Arrival::Sound(request) => match request.uri().path() {
            "/healthz" => plain(StatusCode::OK, "ok\n"),
            "/readyz" => ready(gateway),
            _ => {
                if let Some(page) = pages::page(gateway, &request) {
                    page.await
                } else if let Some(document) = documents::public(gateway, &request, id) {
                    document
                } else {
                    let record = Record::begin(gateway.clone(), id, received_at);
                    exchange(gateway, line, request, record).await
                }
            }
        },
        Arrival::Faulty(_, fault) => {
            let record = Record::begin(gateway.clone(), id, received_at);
            let refused = Err(Problem::from(fault).into());
            conclude(gateway, record, Outcome::of(refused, id)).await
        }
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
    gateway: &Arc<Gateway>,
    line: &Line,
    request: Request<Incoming>,
    mut record: Record,
) -> Answer {
    let id = record.exchange.id;
    let result = match arrive(gateway, line, request, &mut record).await {
        Ok(Arrived::Call(call)) => call.run(gateway, &mut record).await,
        Ok(Arrived::Keyed(call, key)) => return keyed::run(gateway, call, key, record).await,
        Ok(Arrived::Answered(answer)) => Ok(answer),
        Err(refusal) => Err(refusal),
    };
    conclude(gateway, record, Outcome::of(result, id)).await
}

/// What a request comes to once everything that can be refused beforehand was.
enum Arrived {
    /// A call that is let in and not begun.
    Call(Call),
    /// The same, with an idempotency key.
    Keyed(Call, KeyedRequest),
    /// An answer already: one that is kept for a while, or a description of what may be called.
    Answered(Answer),
}

/// What is to be told and recorded of an exchange.
pub(crate) struct Outcome {
    pub(crate) answer: Answer,
    /// The code, where the answer is a problem.
    pub(crate) problem: Option<Cow<'static, str>>,
    pub(crate) cause: Option<String>,
}

impl Outcome {
    pub(crate) fn of(result: Result<Answer, Refusal>, id: RequestId) -> Self {
        match result {
            Ok(answer) => Self { answer, problem: None, cause: None },
            Err(Refusal { problem, cause, allowed }) => {
                let mut answer = answer::problem(&problem, id);
                answer::set_allow_if_any(&mut answer, &allowed);
                Self { answer, problem: Some(problem.code), cause }
            }
        }
    }
}

/// Records the outcome, and gives the answer if that succeeded.
pub(crate) async fn conclude(gateway: &Gateway, mut record: Record, outcome: Outcome) -> Answer {
    let Outcome { mut answer, problem, cause } = outcome;
    let id = record.exchange.id;
    let status = answer.status().as_u16();
    if let Some(code) = &problem
        && status >= 500
    {
        let (service, operation) = (record.exchange.service.as_ref(), record.exchange.operation.as_deref());
        tracing::warn!(request.id = %id, service.name = service.map(|name| name.as_str()), operation, problem.code = %code, cause, "request failed");
    }
    let revision = record.exchange.revision;
    record.exchange.status = status;
    record.exchange.response_bytes = answer.body().size_hint().exact().unwrap_or_default();
    record.exchange.problem = problem.map(Cow::into_owned);
    if let Err(error) = record.commit().await {
        answer = withheld(gateway, id, &error);
    }
    if let Some(revision) = revision {
        answer.headers_mut().insert(&head::REVISION, HeaderValue::from(revision));
    }
    answer
}

/// The answer in place of one that cannot be given, as what became of the request could not be kept.
pub(crate) fn withheld(gateway: &Gateway, id: RequestId, error: &dyn std::fmt::Display) -> Answer {
    tracing::error!(request.id = %id, %error, "answer withheld: the exchange could not be recorded");
    gateway.meters.unrecorded.increment(1);
    let problem = Problem::new(
        Code::LedgerUnavailable,
        "What became of the request is not told because it could not be recorded. If it was to change something, ask for its state before repeating it.",
    );
    answer::problem(&problem.with_retry_after(5), id)
}

/// A refusal on its way to the caller and to the log.
pub(crate) struct Refusal {
    pub(crate) problem: Problem,
    pub(crate) cause: Option<String>,
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

impl Refusal {
    pub(crate) fn with_cause(problem: Problem, cause: impl std::fmt::Display) -> Self {
        Self { problem, cause: Some(cause.to_string()), allowed: Vec::new() }
    }
}

/// Everything from the head to the moment when the connector could be called.
async fn arrive(
    gateway: &Gateway,
    line: &Line,
    request: Request<Incoming>,
    record: &mut Record,
) -> Result<Arrived, Refusal> {
    let (head, body) = request.into_parts();
    head::check_size(&head.headers)?;
    let path = head.uri.path();
    if gateway.stopping.is_cancelled() {
        return Err(shutting_down().into());
    }
    let snapshot = gateway.fleet.snapshot();

    let api_key = head::key(&head.headers)?;
    let caller = authenticate(&snapshot, api_key)?.clone();
    line.trust();
    record.exchange.agency = Some(caller.agency.clone());
    record.exchange.account = Some(caller.account.clone());
    record.exchange.purpose = head::purpose(&head.headers)?;
    record.exchange.dossier = head::dossier(&head.headers)?;
    let key = match head.method.is_safe() {
        true => None,
        false => head::idempotency_key(&head.headers)?,
    };

    if path == documents::AGENCY_DOCUMENT {
        return match head::method(&head.method).filter(|method| documents::METHODS.contains(method)) {
            Some(_) => {
                let now = record.exchange.received_at;
                let document = documents::of_agency(gateway, &snapshot, &caller, now, &head.headers).await?;
                Ok(Arrived::Answered(document))
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
    let most = limits.request_bytes.as_usize();
    let body = read_body(gateway, line, operation, &head.headers, body, most).await?;
    record.exchange.request_bytes = body.len() as u64;
    let arguments = Arguments { path: &parameters, query: head.uri.query(), body: &body };
    if let (Some(lifetime), Some(_)) = (operation.cache, &operation.ok) {
        let asked =
            kept::Asked { revision, index, lifetime, route: api.route, headers: &head.headers, arguments };
        return kept::answer(gateway, asked, record).await.map(Arrived::Answered);
    }
    let call = Call::admit(gateway, revision, index, &arguments).await?;
    let Some(key) = key else { return Ok(Arrived::Call(call)) };
    let query = head.uri.query().unwrap_or_default();
    let request = [head.method.as_str().as_bytes(), path.as_bytes(), query.as_bytes(), &body];
    let key = KeyedRequest::new(&caller.agency, &caller.account, api_key, &key, &request)
        .map_err(|error| Refusal::with_cause(Problem::new(Code::Internal, ""), error))?;
    Ok(Arrived::Keyed(call, key))
}

/// A call that is let in.
pub(crate) struct Call {
    revision: Arc<Revision>,
    index: usize,
    prepared: Prepared,
    /// How long it may still take.
    left: Duration,
    _permit: Permit,
}

impl Call {
    /// Takes a place among the service's calls, waiting for it if it must, and checks the arguments. They become values
    /// only when there is a place: those who wait hold their body and nothing else.
    pub(crate) async fn admit(
        gateway: &Gateway,
        revision: &Arc<Revision>,
        index: usize,
        arguments: &Arguments<'_>,
    ) -> Result<Self, Problem> {
        let limits = &revision.environment.limits;
        let mut left = limits.deadline.as_duration();
        let permit = match revision.try_admit() {
            Some(permit) => permit,
            None => {
                let began = Instant::now();
                let permit = wait_for_place(gateway, revision, began + left).await?;
                left = left.saturating_sub(began.elapsed());
                permit
            }
        };
        let prepared = gateway.sandbox.prepare(&revision.program, index, arguments)?.within(limits)?;
        Ok(Self { revision: revision.clone(), index, prepared, left, _permit: permit })
    }

    /// How long it may still take.
    pub(crate) fn left(&self) -> Duration {
        self.left
    }

    async fn run(self, gateway: &Gateway, record: &mut Record) -> Result<Answer, Refusal> {
        self.intend(gateway, record).await?;
        let deadline = Instant::now() + self.left;
        let called = self.perform(gateway, record, deadline).await;
        called.map(|answered| answer::success(answered.status, answered.body)).map_err(Refusal::from)
    }

    /// Records what is about to be done, if it is to change something.
    pub(crate) async fn intend(&self, gateway: &Gateway, record: &mut Record) -> Result<(), Refusal> {
        let operation = self.revision.program.contract().operations.get(self.index);
        let changes = operation.is_none_or(|operation| !operation.method.is_safe());
        if !changes || gateway.settings.recording == Recording::None {
            return Ok(());
        }
        let exchange = &record.exchange;
        let (Some(agency), Some(account), Some(operation)) =
            (exchange.agency.clone(), exchange.account.clone(), exchange.operation.clone())
        else {
            return Err(Problem::new(Code::Internal, "").into());
        };
        let intent = Intent {
            id: exchange.id,
            received_at: exchange.received_at,
            agency,
            account,
            service: self.revision.environment.service.clone(),
            revision: self.revision.environment.revision,
            operation,
            purpose: exchange.purpose.clone(),
            dossier: exchange.dossier.clone(),
        };
        gateway.ledger.intend(intent).await.map_err(nothing_done)?;
        record.end = End::Unknown;
        Ok(())
    }

    /// Calls the connector.
    pub(crate) async fn perform(
        self,
        gateway: &Gateway,
        record: &mut Record,
        deadline: Instant,
    ) -> Result<truc_sandbox::Answer, CallError> {
        let exchange = &mut record.exchange;
        let caller = CallerInfo {
            agency: exchange.agency.clone(),
            account: exchange.account.clone(),
            purpose: exchange.purpose.clone(),
            dossier: exchange.dossier.clone(),
            request_id: exchange.id,
        };
        let (revision, input) = (&self.revision, Input { caller, deadline });
        let called =
            gateway.sandbox.call(&revision.program, self.prepared, &revision.environment, input).await;
        exchange.upstream_calls = match &called {
            Ok(answered) => answered.upstream_calls,
            Err(error) => error.upstream_calls,
        };
        called
    }
}

/// Waits for a place until the deadline at the latest. A host that is asked to stop lets nobody wait.
async fn wait_for_place(
    gateway: &Gateway,
    revision: &Revision,
    deadline: Instant,
) -> Result<Permit, Problem> {
    let admitted = tokio::select! {
        () = gateway.stopping.cancelled() => return Err(shutting_down()),
        admitted = revision.admit(deadline) => admitted,
    };
    admitted.map_err(|busy| {
        let detail = match busy.reason {
            NoPlace::QueueFull => "As many calls run and wait as the service allows. Nothing was done.",
            NoPlace::Waited => "No place became free while the call could wait. Nothing was done.",
        };
        Problem::new(Code::TooBusy, detail).with_retry_after(busy.retry_after)
    })
}

fn shutting_down() -> Problem {
    Problem::new(Code::ShuttingDown, "Send the request again.").with_retry_after(1)
}

impl From<CallError> for Refusal {
    fn from(error: CallError) -> Self {
        Self { problem: error.problem, cause: error.cause, allowed: Vec::new() }
    }
}

/// The refusal of a call that could not be recorded, and was not begun.
pub(crate) fn nothing_done(error: impl std::fmt::Display) -> Refusal {
    let problem = Problem::new(Code::LedgerUnavailable, "Nothing was done; send the request again.");
    Refusal::with_cause(problem.with_retry_after(5), error)
}

fn authenticate<'s>(snapshot: &'s Snapshot, key: &str) -> Result<&'s Arc<Caller>, Problem> {
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
    record: &Record,
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

async fn read_body(
    gateway: &Gateway,
    line: &Line,
    operation: &Operation,
    headers: &HeaderMap,
    body: Incoming,
    most: usize,
) -> Result<Bytes, Problem> {
    if body.is_end_stream() {
        return Ok(Bytes::new());
    }
    if !operation.takes_body() {
        return Err(Problem::new(Code::MalformedRequest, "The operation takes no body."));
    }
    check_media_type(headers, "application/json")?;
    let too_large = || Problem::new(Code::BodyTooLarge, format!("At most {most} bytes are taken."));
    let announced = headers
        .get(CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok())
        .and_then(|text| text.parse::<usize>().ok());
    if announced.is_some_and(|length| length > most) {
        return Err(too_large());
    }
    let reception = Reception { most, announced: announced.unwrap_or_default() };
    let received = receive(line, &gateway.settings.manners, body, reception).await;
    received.map_err(|error| error.problem(too_large))
}

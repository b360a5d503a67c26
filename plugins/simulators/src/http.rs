//! What the systems have in common on the wire: bounded bodies, answers, the gate that counts calls and lets faults
//! in, and the accept loop.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{FromRequest, MatchedPath, Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http_body::{Frame, SizeHint};
use http_body_util::BodyExt;
use hyper::header::{CONTENT_TYPE, LOCATION};
use hyper::server::conn::http1;
use hyper::{HeaderMap, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use serde::Serialize;
use serde_json::{Map, Value};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::fault::{Board, FaultKind, System};
use crate::journal::Full;

/// At most so many bytes of a request's body.
const LARGEST_BODY: usize = 8 << 20;
/// At most so many connections to one system; more wait.
const MOST_CONNECTIONS: usize = 512;
const HEAD_TIMEOUT: Duration = Duration::from_secs(15);
const BODY_TIMEOUT: Duration = Duration::from_secs(30);
/// Longer than the longest latency one can ask for.
const CALL_TIMEOUT: Duration = Duration::from_secs(150);
/// How long connections may take to end when the program does.
const DRAIN: Duration = Duration::from_secs(2);

/// A refusal by a system's own rules, before it is put into that system's envelope.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) code: u16,
    pub(crate) message: String,
}

impl Refusal {
    pub(crate) fn new(code: u16, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }
}

impl From<Full> for Refusal {
    fn from(_: Full) -> Self {
        Self::new(507, "Bộ mô phỏng đã đầy")
    }
}

/// How a system says no.
pub(crate) trait Voice: Send + Sync + 'static {
    /// A refusal in the system's envelope.
    fn refuse(&self, refusal: Refusal) -> Response;

    /// What a wrong or expired credential gives; `None` where there are no credentials.
    fn unauthorised(&self) -> Option<Response>;
}

/// The body of a request: a JSON object.
pub(crate) struct JsonObject(pub(crate) Map<String, Value>);

impl<S: Sync> FromRequest<S> for JsonObject {
    type Rejection = StatusCode;

    async fn from_request(request: Request, _: &S) -> Result<Self, StatusCode> {
        let bytes = body(request).await?;
        serde_json::from_slice(&bytes).map(JsonObject).map_err(|_| StatusCode::BAD_REQUEST)
    }
}

/// The bytes of a body, bounded in size and time.
pub(crate) async fn body(request: Request) -> Result<Bytes, StatusCode> {
    match timeout(BODY_TIMEOUT, axum::body::to_bytes(request.into_body(), LARGEST_BODY)).await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(_)) => Err(StatusCode::PAYLOAD_TOO_LARGE),
        Err(_) => Err(StatusCode::REQUEST_TIMEOUT),
    }
}

/// An answer in JSON.
pub(crate) fn answer(status: StatusCode, body: &impl Serialize) -> Response {
    match serde_json::to_vec(body) {
        Ok(body) => (status, [(CONTENT_TYPE, "application/json; charset=utf-8")], body).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// A header that is visible text, or `""`.
pub(crate) fn header<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

#[derive(Clone)]
struct Gate {
    system: System,
    board: Arc<Board>,
    voice: Arc<dyn Voice>,
}

/// Puts the gate before all routes of a system.
pub(crate) fn guarded(router: Router, system: System, board: Arc<Board>, voice: Arc<dyn Voice>) -> Router {
    router.layer(from_fn_with_state(Gate { system, board, voice }, gate))
}

async fn gate(State(gate): State<Gate>, request: Request, next: Next) -> Response {
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map_or_else(|| "unmatched".to_owned(), |path| format!("{} {}", request.method(), path.as_str()));
    gate.board.count(gate.system, route);
    let fault = gate.board.strike(gate.system, request.uri().path());
    let answered = timeout(CALL_TIMEOUT, async {
        match fault {
            None => next.run(request).await,
            Some(fault) => gate.meet(fault, request, next).await,
        }
    });
    answered.await.unwrap_or_else(|_| StatusCode::GATEWAY_TIMEOUT.into_response())
}

impl Gate {
    async fn meet(&self, fault: FaultKind, request: Request, next: Next) -> Response {
        const JSON: [(hyper::header::HeaderName, &str); 1] = [(CONTENT_TYPE, "application/json")];
        match fault {
            FaultKind::Latency { ms } => {
                sleep(Duration::from_millis(ms)).await;
                next.run(request).await
            }
            FaultKind::Status { code } => {
                let status = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
                (status, "simulated fault").into_response()
            }
            FaultKind::Cut {} => cut(next.run(request).await).await,
            FaultKind::Malformed {} => (JSON, "{\"status\": 1, \"data\": [\u{1}<html>").into_response(),
            FaultKind::ExpiredToken {} => {
                self.voice.unauthorised().unwrap_or_else(|| StatusCode::UNAUTHORIZED.into_response())
            }
            FaultKind::WrongSignature {} => missign(next.run(request).await).await,
            FaultKind::Huge { bytes } => (JSON, Body::new(Flood::new(bytes))).into_response(),
            FaultKind::Redirect { to } => (StatusCode::FOUND, [(LOCATION, to)]).into_response(),
            FaultKind::Refuse { code, message } => {
                self.voice.refuse(Refusal::new(code.parse().unwrap_or_default(), message))
            }
        }
    }
}

/// The head and the first half of an answer, whose length is announced in full.
async fn cut(response: Response) -> Response {
    let (head, body) = response.into_parts();
    let whole = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    let half = whole.slice(..whole.len() / 2);
    Response::from_parts(
        head,
        Body::new(Half { rest: Some(half), length: whole.len() as u64, paused: false }),
    )
}

/// A body that breaks off.
struct Half {
    rest: Option<Bytes>,
    length: u64,
    paused: bool,
}

impl http_body::Body for Half {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        if let Some(half) = self.rest.take() {
            return Poll::Ready(Some(Ok(Frame::data(half))));
        }
        // One pause, in which the connection sends what it has before it learns of the end.
        if !self.paused {
            self.paused = true;
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(Some(Err(std::io::ErrorKind::ConnectionAborted.into())))
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.length)
    }
}

/// A long JSON object of exactly so many bytes, made as it is read.
struct Flood {
    left: u64,
    state: Part,
}

enum Part {
    Head,
    Filling,
    End,
}

impl Flood {
    const HEAD: &'static [u8] = b"{\"padding\":\"";
    const END: &'static [u8] = b"\"}";

    fn new(bytes: u64) -> Self {
        Self { left: bytes.saturating_sub((Self::HEAD.len() + Self::END.len()) as u64), state: Part::Head }
    }
}

impl http_body::Body for Flood {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        static FILLING: [u8; 1 << 16] = [b'x'; 1 << 16];
        let piece = match self.state {
            Part::Head => {
                self.state = Part::Filling;
                Bytes::from_static(Self::HEAD)
            }
            Part::Filling if self.left > 0 => {
                let take = usize::try_from(self.left).unwrap_or(usize::MAX).min(FILLING.len());
                self.left -= take as u64;
                Bytes::from_static(&FILLING).slice(..take)
            }
            Part::Filling => {
                self.state = Part::End;
                Bytes::from_static(Self::END)
            }
            Part::End => return Poll::Ready(None),
        };
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }
}

/// Puts an authentication code into the answer that fits nothing.
async fn missign(response: Response) -> Response {
    let (head, body) = response.into_parts();
    let bytes = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    let mut members: Map<String, Value> = serde_json::from_slice(&bytes).unwrap_or_default();
    members.insert("MaXacThuc".to_owned(), "0".repeat(64).into());
    answer(head.status, &members)
}

/// Accepts connections until told to stop, then lets those that are open end, for a while.
pub(crate) async fn serve(listener: TcpListener, router: Router, stop: CancellationToken) {
    let slots = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    let graceful = GracefulShutdown::new();
    let mut connections = JoinSet::new();
    loop {
        let accepted = async {
            let slot = Arc::clone(&slots).acquire_owned().await.ok()?;
            Some((slot, listener.accept().await))
        };
        let (slot, stream) = tokio::select! {
            () = stop.cancelled() => break,
            accepted = accepted => match accepted {
                Some((slot, Ok((stream, _)))) => (slot, stream),
                // Out of file descriptors, most likely: others must end first.
                Some((_, Err(_))) => {
                    sleep(Duration::from_millis(50)).await;
                    continue;
                }
                None => break,
            },
        };
        // Without this a small answer may wait for an acknowledgement; where it fails, it only waits.
        let _ = stream.set_nodelay(true);
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_TIMEOUT)
            .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router.clone()));
        let connection = graceful.watch(connection);
        connections.spawn(async move {
            // How a connection ends is the caller's affair.
            let _ = connection.await;
            drop(slot);
        });
        while connections.try_join_next().is_some() {}
    }
    let _ = timeout(DRAIN, graceful.shutdown()).await;
    connections.shutdown().await;
}

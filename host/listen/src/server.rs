//! The loop that takes connections, and what becomes of each.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONNECTION, HeaderValue};
use http::request::Parts;
use http::{Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use metrics::{Counter, Gauge, counter, describe_counter, describe_gauge, gauge};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use truc_model::{Bytes as Size, Millis};

use crate::fault::Fault;
use crate::framing::{Framing, LargeHeads};
use crate::line::{Line, Load};
use crate::places::{Places, Room};
use crate::stream::{Pace, Watched};
use crate::target::check_path;

/// How long there is no new connection where there is no room for one, or none could be taken.
const REST: Duration = Duration::from_millis(10);

/// How a server treats its callers.
#[derive(Debug, Clone, Copy)]
pub struct Manners {
    /// Connections at once. Beyond them the one that is silent for longest is closed; where all are at work, new ones
    /// wait.
    pub max_connections: usize,
    /// Connections at once from one address, or from one network of 64 bits; none for as many as there may be in all.
    pub max_of_address: Option<usize>,
    /// From a connection's opening, or from the last answer, to the end of the next head.
    pub header_timeout: Millis,
    /// From a head to the end of its body.
    pub body_timeout: Millis,
    /// How many bytes of a body must come, and of an answer must be taken, in a second.
    pub min_rate: Size,
    /// Over how much time that is judged.
    pub rate_span: Millis,
    /// Bytes of all answers that are written and not taken. Beyond them, those are closed who have not taken theirs for
    /// longest.
    pub max_unwritten: Size,
    /// Bytes of a head that hyper reads; a longer one is answered with 431 and nothing else.
    pub max_head: usize,
    /// Fields of a head that hyper reads.
    pub max_fields: usize,
    /// From the wish to stop to the moment when open connections are cut.
    pub drain: Millis,
}

impl Default for Manners {
    fn default() -> Self {
        Self {
            max_connections: 4096,
            max_of_address: None,
            header_timeout: Millis(10_000),
            body_timeout: Millis(30_000),
            min_rate: Size(1 << 10),
            rate_span: Millis(5_000),
            max_unwritten: Size(64 << 20),
            max_head: 96 << 10,
            max_fields: 200,
            drain: Millis(10_000),
        }
    }
}

impl Manners {
    pub(crate) fn pace(&self) -> Pace {
        let least = u128::from(self.min_rate.0) * u128::from(self.rate_span.0) / 1000;
        Pace { span: self.rate_span.as_duration(), least: u64::try_from(least).unwrap_or(u64::MAX) }
    }
}

/// Which of the host's servers this is, as its meters are labelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plane {
    /// Where agencies call.
    Api,
    /// Where operators call.
    Admin,
}

/// A request that has come.
#[expect(
    clippy::large_enum_variant,
    reason = "nearly all are sound, and boxing those would cost each an allocation"
)]
pub enum Arrival {
    /// One that is whole so far: its framing is clear, and so is its path.
    Sound(Request<Incoming>),
    /// One that is not to be looked into, and why. It is to be refused; its connection ends with the answer.
    Faulty(Box<Parts>, Fault),
}

/// How serving ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Drained {
    /// Connections that were still open when the bound had passed, and were cut.
    pub cut: usize,
}

/// Takes connections until `stop`, and has `handler` answer what is asked on them; then lets requests under way end, and
/// cuts what is left when the bound has passed. `stopping` is called when no more connections are taken.
pub async fn serve<H, F, B>(
    listener: TcpListener,
    manners: Manners,
    plane: Plane,
    handler: H,
    stop: CancellationToken,
    stopping: impl FnOnce(),
) -> Drained
where
    H: Fn(Arrival, Arc<Line>) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Response<B>> + Send + 'static,
    B: Body<Data = Bytes, Error: std::error::Error + Send + Sync> + Send + Unpin + 'static,
{
    let mut server = Server {
        handler,
        manners,
        places: Places::default(),
        connections: JoinSet::new(),
        graceful: GracefulShutdown::new(),
        large_heads: Arc::default(),
        load: Arc::new(Load::new(manners.max_unwritten.0)),
        meters: Meters::new(plane),
    };
    let load = server.load.clone();
    let (mut newcomer, mut pressed) = (None, false);
    loop {
        pressed = pressed && server.is_pressed();
        // A newcomer for whom there is no room waits, and those after it with the operating system.
        if newcomer.is_some()
            && server.has_room()
            && let Some((stream, from)) = newcomer.take()
        {
            server.take(stream, from);
        }
        tokio::select! {
            biased;
            () = stop.cancelled() => break,
            Some(ended) = server.connections.join_next_with_id() => server.ended(ended),
            () = tokio::time::sleep(REST), if newcomer.is_some() || pressed => {}
            () = load.pressed.notified(), if !pressed => pressed = true,
            accepted = listener.accept(), if newcomer.is_none() => match accepted {
                Ok(accepted) => newcomer = Some(accepted),
                Err(error) => server.not_taken(&error).await,
            },
        }
    }
    stopping();
    drop(listener);
    server.drain().await
}

struct Server<H> {
    handler: H,
    manners: Manners,
    places: Places,
    connections: JoinSet<()>,
    graceful: GracefulShutdown,
    large_heads: Arc<LargeHeads>,
    load: Arc<Load>,
    meters: Meters,
}

impl<H, F, B> Server<H>
where
    H: Fn(Arrival, Arc<Line>) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Response<B>> + Send + 'static,
    B: Body<Data = Bytes, Error: std::error::Error + Send + Sync> + Send + Unpin + 'static,
{
    /// Whether there is room for one more, made if need be.
    fn has_room(&mut self) -> bool {
        self.places.len() < self.manners.max_connections || self.make_room() == Room::Made
    }

    fn make_room(&mut self) -> Room {
        let room = self.places.make_room();
        if room == Room::Made {
            self.meters.closed.increment(1);
        }
        room
    }

    /// Whether more answers wait for their readers than should, also after some of these were closed.
    fn is_pressed(&mut self) -> bool {
        let excess = self.load.excess();
        if excess > 0 {
            self.meters.closed.increment(self.places.relieve(excess) as u64);
        }
        excess > 0
    }

    /// A connection could not be taken, mostly for a lack of file descriptors.
    async fn not_taken(&mut self, error: &std::io::Error) {
        tracing::warn!(%error, "a connection could not be taken");
        self.make_room();
        tokio::time::sleep(REST).await;
    }

    fn take(&mut self, stream: TcpStream, from: SocketAddr) {
        let most = self.manners.max_of_address.unwrap_or(usize::MAX);
        if self.places.from(from.ip()) >= most {
            self.meters.closed.increment(1);
            if self.places.make_room_of(from.ip()) == Room::None {
                return;
            }
        }
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "a connection was gone before it was served");
            return;
        }
        let line = Arc::new(Line::open(self.load.clone()));
        let framing = Framing::new(self.large_heads.clone());
        let watched = Watched::new(stream, line.clone(), framing, self.manners.pace());
        let service = service_fn({
            let (handler, line) = (self.handler.clone(), line.clone());
            // What is said here is said before hyper reads on.
            move |request| {
                let open = line.begin();
                let fault = line.request();
                let (handler, line) = (handler.clone(), line.clone());
                // Of a future that is not boxed, hyper reserves the room with each connection: tens of kilobytes, also
                // for thousands of connections that say nothing.
                Box::pin(async move {
                    if !open {
                        // The line is being closed at this very moment; nothing is begun any more.
                        return std::future::pending().await;
                    }
                    Ok::<_, Infallible>(answer(handler, request, fault, line).await)
                })
            }
        });
        let connection = builder(&self.manners).serve_connection(TokioIo::new(watched), service);
        let connection = self.graceful.watch(connection);
        let open = Open::count(&self.meters.open);
        let malformed = self.meters.malformed.clone();
        let abort = self.connections.spawn(async move {
            if let Err(error) = connection.await {
                if error.is_parse() {
                    malformed.increment(1);
                }
                tracing::debug!(%error, "a connection ended with an error");
            }
            drop(open);
        });
        self.places.add(line, abort, from.ip());
    }

    fn ended(&mut self, ended: Result<(Id, ()), JoinError>) {
        let id = match ended {
            Ok((id, ())) => id,
            Err(error) => {
                if error.is_panic() {
                    tracing::error!(%error, "a connection ended with a panic");
                }
                error.id()
            }
        };
        self.places.remove(id);
    }

    async fn drain(mut self) -> Drained {
        let end = Instant::now() + self.manners.drain.as_duration();
        let drained = tokio::time::timeout_at(end, self.graceful.shutdown()).await;
        let mut cut = 0;
        if drained.is_err() {
            while self.connections.try_join_next().is_some() {}
            cut = self.connections.len();
        }
        self.connections.shutdown().await;
        Drained { cut }
    }
}

/// Has one request answered.
async fn answer<H, F, B>(
    handler: H,
    request: Request<Incoming>,
    fault: Option<Fault>,
    line: Arc<Line>,
) -> Response<B>
where
    H: Fn(Arrival, Arc<Line>) -> F,
    F: Future<Output = Response<B>>,
    B: Body,
{
    let fault = fault.or_else(|| check_path(request.uri().path()).err().map(Fault::Path));
    let answer = match fault {
        None => handler(Arrival::Sound(request), line.clone()).await,
        Some(fault) => {
            let (head, _body) = request.into_parts();
            let mut answer = handler(Arrival::Faulty(Box::new(head), fault), line.clone()).await;
            answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            answer
        }
    };
    line.answer(answer.body().size_hint().lower());
    answer
}

/// HTTP/1.1 only: behind a proxy that speaks HTTP/2 to agencies nothing is gained by more, and hyper bounds the time
/// of every step of it.
fn builder(manners: &Manners) -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(manners.header_timeout.as_duration())
        .max_headers(manners.max_fields)
        .max_buf_size(manners.max_head);
    builder
}

const CONNECTIONS: &str = "truc_connections";
const CLOSED: &str = "truc_connections_closed_total";
const MALFORMED: &str = "truc_malformed_total";

struct Meters {
    open: Gauge,
    closed: Counter,
    malformed: Counter,
}

impl Meters {
    fn new(plane: Plane) -> Self {
        describe_gauge!(CONNECTIONS, "Open connections, by plane.");
        describe_counter!(CLOSED, "Connections closed because there were too many, by plane.");
        describe_counter!(MALFORMED, "Connections ended because what came was no HTTP/1.1, by plane.");
        let plane = match plane {
            Plane::Api => "api",
            Plane::Admin => "admin",
        };
        Self {
            open: gauge!(CONNECTIONS, "plane" => plane),
            closed: counter!(CLOSED, "plane" => plane),
            malformed: counter!(MALFORMED, "plane" => plane),
        }
    }
}

/// A connection, counted while it is open.
struct Open(Gauge);

impl Open {
    fn count(gauge: &Gauge) -> Self {
        gauge.increment(1.0);
        Self(gauge.clone())
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.decrement(1.0);
    }
}

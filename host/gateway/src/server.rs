//! Connections: taken, bounded, and ended in order.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use truc_fleet::Fleet;
use truc_ledger::Ledger;
use truc_model::{Clock, Millis};
use truc_sandbox::Sandbox;

use crate::exchange;
use crate::keyed;
use crate::meters::Meters;
use crate::pages::Pages;
use crate::patience::Patient;

/// Bytes of a head that hyper itself reads before it gives up; a little more than what is then allowed.
const MAX_HEAD: usize = 96 << 10;
/// Header fields that hyper itself reads.
const MAX_FIELDS: usize = 200;
/// How long the records of cut connections may still take.
const LAST_RECORDS: std::time::Duration = std::time::Duration::from_secs(2);

/// How the data plane treats connections.
#[derive(Debug, Clone, Copy)]
pub struct GatewaySettings {
    /// Connections at once; more are closed at once.
    pub max_connections: usize,
    /// From a connection's opening, or from the last answer, to the end of the next head.
    pub header_timeout: Millis,
    /// From a head to the end of its body; also how long an answer may wait for its reader without moving.
    pub body_timeout: Millis,
    /// From the wish to stop to the moment when open connections are cut.
    pub drain: Millis,
    /// Whether exchanges are recorded.
    pub recording: Recording,
    /// How long the answer to a request with an idempotency key is kept.
    pub idempotency_retention: Millis,
}

/// Whether exchanges are recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recording {
    /// Every exchange, before its answer.
    All,
    /// None: for measurements of everything else, never for service.
    None,
}

impl Default for GatewaySettings {
    fn default() -> Self {
        Self {
            max_connections: 4096,
            header_timeout: Millis(10_000),
            body_timeout: Millis(30_000),
            drain: Millis(10_000),
            recording: Recording::All,
            idempotency_retention: Millis(24 * 3_600_000),
        }
    }
}

/// The data plane.
pub struct Gateway {
    pub(crate) fleet: Arc<Fleet>,
    pub(crate) sandbox: Arc<Sandbox>,
    pub(crate) ledger: Ledger,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) pages: Option<Arc<dyn Pages>>,
    pub(crate) settings: GatewaySettings,
    pub(crate) meters: Meters,
    pub(crate) stopping: CancellationToken,
    /// The turn of those who make agencies' documents.
    pub(crate) making_documents: Arc<Semaphore>,
    /// Calls that run to their end also without their caller, and records of exchanges that were abandoned.
    pub(crate) tasks: TaskTracker,
    connections: AtomicUsize,
}

/// How serving ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Drained {
    /// Connections that were still open when the bound had passed, and were cut.
    pub cut: usize,
}

impl Gateway {
    /// A gateway to a fleet; with pages for people, if they are given.
    pub fn new(
        fleet: Arc<Fleet>,
        ledger: Ledger,
        clock: Arc<dyn Clock>,
        settings: GatewaySettings,
        pages: Option<Arc<dyn Pages>>,
    ) -> Arc<Self> {
        Arc::new(Self {
            sandbox: fleet.sandbox().clone(),
            fleet,
            ledger,
            clock,
            pages,
            settings,
            meters: Meters::new(),
            stopping: CancellationToken::new(),
            making_documents: Arc::new(Semaphore::new(1)),
            tasks: TaskTracker::new(),
            connections: AtomicUsize::new(0),
        })
    }

    /// Serves until `stop`; then takes no more connections, lets requests under way end, also those with an idempotency
    /// key whose callers have left, and cuts what is left when the bound has passed.
    pub async fn serve(self: Arc<Self>, listener: TcpListener, stop: CancellationToken) -> Drained {
        let graceful = GracefulShutdown::new();
        let mut connections = JoinSet::new();
        self.tasks.spawn(keyed::purge(self.clone()));
        loop {
            let accepted = tokio::select! {
                () = stop.cancelled() => break,
                Some(_) = connections.join_next() => continue,
                accepted = listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, _)) => self.clone().take(stream, &graceful, &mut connections),
                Err(error) => {
                    // Mostly a lack of file descriptors: give those in use time to be closed.
                    tracing::warn!(%error, "a connection could not be taken");
                    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
                }
            }
        }
        self.stopping.cancel();
        drop(listener);
        let end = Instant::now() + self.settings.drain.as_duration();
        let drained = tokio::time::timeout_at(end, graceful.shutdown()).await;
        let cut = if drained.is_ok() { 0 } else { self.connections.load(Ordering::Acquire) };
        connections.shutdown().await;
        self.tasks.close();
        let end = end.max(Instant::now() + LAST_RECORDS);
        if tokio::time::timeout_at(end, self.tasks.wait()).await.is_err() {
            tracing::error!(
                left = self.tasks.len(),
                "calls without a caller, or records of cut connections, did not end in time"
            );
        }
        Drained { cut }
    }

    fn take(self: Arc<Self>, stream: TcpStream, graceful: &GracefulShutdown, connections: &mut JoinSet<()>) {
        if self.connections.load(Ordering::Acquire) >= self.settings.max_connections {
            tracing::warn!(
                most = self.settings.max_connections,
                "a connection was closed at once: too many are open"
            );
            return;
        }
        let open = Open::count(self.clone());
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "a connection was gone before it was served");
            return;
        }
        let patience = self.settings.body_timeout.as_duration();
        let io = TokioIo::new(Patient::new(stream, patience));
        let service = service_fn({
            let gateway = self.clone();
            move |request| {
                let gateway = gateway.clone();
                async move { Ok::<_, Infallible>(exchange::serve(&gateway, request).await) }
            }
        });
        let connection = graceful.watch(builder(&self.settings).serve_connection(io, service));
        connections.spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection ended with an error");
            }
            drop(open);
        });
    }
}

/// HTTP/1.1 only: behind a proxy that speaks HTTP/2 to agencies nothing is gained by more, and hyper bounds the time
/// of every step of it.
fn builder(settings: &GatewaySettings) -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(settings.header_timeout.as_duration())
        .max_headers(MAX_FIELDS)
        .max_buf_size(MAX_HEAD);
    builder
}

/// A connection, counted while it is open.
struct Open(Arc<Gateway>);

impl Open {
    fn count(gateway: Arc<Gateway>) -> Self {
        gateway.connections.fetch_add(1, Ordering::AcqRel);
        gateway.meters.connections.increment(1.0);
        Self(gateway)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.connections.fetch_sub(1, Ordering::AcqRel);
        self.0.meters.connections.decrement(1.0);
    }
}

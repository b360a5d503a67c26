//! The admin API as a server: its parts, its router, its connections.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::http::header::CONTENT_TYPE;
use axum::middleware::from_fn_with_state;
use axum::routing::get;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use truc_fleet::Fleet;
use truc_identity::AdminKey;
use truc_ledger::Ledger;
use truc_model::{Clock, Code, Millis, Problem};
use truc_store::Store;

use crate::refusal::Refusal;
use crate::{envelope, key, openapi, operations};

/// Bytes of a head; a longer one ends the connection.
const MAX_HEAD: usize = 32 << 10;

/// What the admin API works on.
pub struct Parts {
    /// Connectors, services, and through it agencies, accounts and grants.
    pub fleet: Arc<Fleet>,
    /// The exchanges.
    pub ledger: Ledger,
    /// The database, for its sign of life.
    pub store: Store,
    /// Who may use this API.
    pub admin_key: AdminKey,
    /// Where the time comes from.
    pub clock: Arc<dyn Clock>,
    /// Writes the meters in the text format of Prometheus.
    pub meters: Box<dyn Fn() -> String + Send + Sync>,
    /// Cancelled when the host begins to stop: from then on it is not ready.
    pub stopping: CancellationToken,
}

/// Who made a revision or published a contract, as it is written down with it: there is one admin key.
pub(crate) const MADE_BY: &str = "admin";

/// How the admin API treats connections.
#[derive(Debug, Clone, Copy)]
pub struct ControlSettings {
    /// Connections at once; more wait until one is closed.
    pub max_connections: usize,
    /// From a connection's opening, or from the last answer, to the end of the next head.
    pub header_timeout: Millis,
    /// From a head to the end of its body.
    pub body_timeout: Millis,
    /// From the wish to stop to the moment when open connections are cut.
    pub drain: Millis,
}

impl Default for ControlSettings {
    fn default() -> Self {
        Self {
            max_connections: 64,
            header_timeout: Millis(10_000),
            body_timeout: Millis(60_000),
            drain: Millis(10_000),
        }
    }
}

/// The admin API.
pub struct Control {
    pub(crate) parts: Parts,
    pub(crate) settings: ControlSettings,
    /// Requests under way; they are finished even where their callers have left.
    pub(crate) tasks: TaskTracker,
}

impl Control {
    /// An admin API over some parts.
    pub fn new(parts: Parts, settings: ControlSettings) -> Arc<Self> {
        Arc::new(Self { parts, settings, tasks: TaskTracker::new() })
    }

    /// Serves until `stop`; then takes no more connections and lets requests under way end, within the bound.
    pub async fn serve(self: Arc<Self>, listener: TcpListener, stop: CancellationToken) {
        let router = router(self.clone());
        let places = Arc::new(Semaphore::new(self.settings.max_connections));
        let graceful = GracefulShutdown::new();
        loop {
            let accepted = tokio::select! {
                () = stop.cancelled() => break,
                accepted = accept(&listener, &places) => accepted,
            };
            if let Some((stream, place)) = accepted {
                self.take(stream, place, router.clone(), &graceful);
            }
        }
        drop(listener);
        self.tasks.close();
        let ended = async {
            graceful.shutdown().await;
            self.tasks.wait().await;
        };
        if tokio::time::timeout(self.settings.drain.as_duration(), ended).await.is_err() {
            tracing::warn!("admin requests were still under way when the wait for them ended");
        }
    }

    /// Has the data plane know of a change of agencies, accounts or grants.
    ///
    /// # Errors
    /// The change is on the disk, but callers are still judged by what was before.
    pub(crate) async fn put_in_force(&self) -> Result<(), Refusal> {
        self.parts.fleet.renew_directory().await.map_err(|error| {
            tracing::error!(%error, "a change of identity is not in force");
            let detail = "The change is on the disk but not in force: ask for any such change once more, or restart the host.";
            Problem::new(Code::StoreUnavailable, detail).with_retry_after(1).into()
        })
    }

    fn take(
        &self,
        stream: TcpStream,
        place: OwnedSemaphorePermit,
        router: Router,
        graceful: &GracefulShutdown,
    ) {
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(self.settings.header_timeout.as_duration())
            .max_buf_size(MAX_HEAD)
            .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
        let connection = graceful.watch(connection);
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "an admin connection ended with an error");
            }
            drop(place);
        });
    }
}

/// Waits for a free place, then for a connection.
async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> Option<(TcpStream, OwnedSemaphorePermit)> {
    let place = places.clone().acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, _)) => Some((stream, place)),
        Err(error) => {
            // Mostly a lack of file descriptors: give those in use time to be closed.
            tracing::warn!(%error, "an admin connection could not be taken");
            tokio::time::sleep(Duration::from_millis(50)).await;
            None
        }
    }
}

fn router(control: Arc<Control>) -> Router {
    let (resources, document) = openapi::resources().split_for_parts();
    let document = Bytes::from(openapi::finish(document));
    let guarded = resources
        .route("/admin/openapi.json", get(async || ([(CONTENT_TYPE, "application/json")], document)))
        .fallback(operations::no_route)
        .method_not_allowed_fallback(operations::wrong_method)
        .layer(from_fn_with_state(control.clone(), key::require));
    Router::new()
        .route("/healthz", get(operations::healthz))
        .route("/readyz", get(operations::readyz))
        .route("/metrics", get(operations::metrics))
        .method_not_allowed_fallback(operations::wrong_method)
        .merge(guarded)
        .layer(from_fn_with_state(control.clone(), envelope::wrap))
        .with_state(control)
}

//! The admin API as a server: its parts, its router, and how it ends.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::http::header::CONTENT_TYPE;
use axum::middleware::from_fn_with_state;
use axum::routing::get;
use hyper::service::Service;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use truc_fleet::Fleet;
use truc_identity::AdminKey;
use truc_ledger::Ledger;
use truc_listen::{Arrival, Line, Manners, Plane};
use truc_model::{Clock, Code, Millis, Problem};
use truc_store::Store;

use crate::refusal::Refusal;
use crate::{envelope, key, openapi, operations};

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

/// How the admin API treats its callers, where nothing else is said: a few programs of the operator's.
pub fn manners() -> Manners {
    Manners {
        max_connections: 256,
        body_timeout: Millis(60_000),
        max_head: 32 << 10,
        max_fields: 100,
        ..Manners::default()
    }
}

/// The admin API.
pub struct Control {
    pub(crate) parts: Parts,
    pub(crate) manners: Manners,
    /// Requests under way; they are finished even where their callers have left.
    pub(crate) tasks: TaskTracker,
}

impl Control {
    /// An admin API over some parts.
    pub fn new(parts: Parts, manners: Manners) -> Arc<Self> {
        Arc::new(Self { parts, manners, tasks: TaskTracker::new() })
    }

    /// Serves until `stop`; then takes no more connections and lets requests under way end, within the bound.
    pub async fn serve(self: Arc<Self>, listener: TcpListener, stop: CancellationToken) {
        let router = router(self.clone());
        let handler = {
            let control = self.clone();
            move |arrival: Arrival, line: Arc<Line>| {
                let (control, router) = (control.clone(), TowerToHyperService::new(router.clone()));
                async move {
                    let mut request = match arrival {
                        Arrival::Sound(request) => request,
                        Arrival::Faulty(head, fault) => return envelope::faulty(&control, &head, fault),
                    };
                    request.extensions_mut().insert(line);
                    let Ok(response) = router.call(request).await;
                    response
                }
            }
        };
        let mut end = Instant::now();
        let stopping = || end = Instant::now() + self.manners.drain.as_duration();
        truc_listen::serve(listener, self.manners, Plane::Admin, handler, stop, stopping).await;
        self.tasks.close();
        if tokio::time::timeout_at(end, self.tasks.wait()).await.is_err() {
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

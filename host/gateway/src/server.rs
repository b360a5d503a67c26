//! The data plane as a server: its parts, its settings, and how it ends.

use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use truc_fleet::Fleet;
use truc_ledger::Ledger;
use truc_listen::{Arrival, Drained, Line, Manners, Plane};
use truc_model::{Clock, Millis};
use truc_sandbox::Sandbox;

use crate::exchange;
use crate::keyed;
use crate::meters::Meters;
use crate::pages::Pages;

/// How long the records of cut connections may still take.
const LAST_RECORDS: std::time::Duration = std::time::Duration::from_secs(2);

/// How the data plane works.
#[derive(Debug, Clone, Copy)]
pub struct GatewaySettings {
    /// How it treats its callers.
    pub manners: Manners,
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
            manners: Manners::default(),
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
        })
    }

    /// Serves until `stop`; then takes no more connections, lets requests under way end, also those with an idempotency
    /// key whose callers have left, and cuts what is left when the bound has passed.
    pub async fn serve(self: Arc<Self>, listener: TcpListener, stop: CancellationToken) -> Drained {
        self.tasks.spawn(keyed::purge(self.clone()));
        let handler = {
            let gateway = self.clone();
            move |arrival: Arrival, line: Arc<Line>| {
                let gateway = gateway.clone();
                async move { exchange::serve(&gateway, arrival, &line).await }
            }
        };
        let manners = self.settings.manners;
        let mut end = Instant::now();
        let stopping = || {
            self.stopping.cancel();
            end = Instant::now() + manners.drain.as_duration();
        };
        let drained = truc_listen::serve(listener, manners, Plane::Api, handler, stop, stopping).await;
        self.tasks.close();
        let end = end.max(Instant::now() + LAST_RECORDS);
        if tokio::time::timeout_at(end, self.tasks.wait()).await.is_err() {
            tracing::error!(
                left = self.tasks.len(),
                "calls without a caller, or records of cut connections, did not end in time"
            );
        }
        drained
    }
}

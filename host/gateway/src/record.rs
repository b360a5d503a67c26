//! The record of an exchange under way.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use truc_contract::Operation;
use truc_fleet::Revision;
use truc_model::{Code, Exchange, RequestId, Timestamp};

use crate::server::{Gateway, Recording};

/// The record of an exchange under way.
///
/// One that is dropped before it is committed belongs to a caller that left, or to a connection that was cut. Where
/// nothing was to be changed upstream it is recorded as abandoned; where an intent was recorded, nobody knows how far
/// the operation came, and the intent stays without an outcome.
pub(crate) struct Record {
    gateway: Arc<Gateway>,
    pub(crate) exchange: Exchange,
    arrived: Instant,
    operation: Option<(Arc<Revision>, usize)>,
    pub(crate) end: End,
}

/// What a record that is dropped says of its exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// It was abandoned before anything was changed.
    Abandoned,
    /// An operation that changes something was under way.
    Unknown,
    /// It is recorded.
    Recorded,
}

impl Record {
    pub(crate) fn begin(gateway: Arc<Gateway>, id: RequestId, received_at: Timestamp) -> Self {
        let exchange = blank(id, received_at);
        Self { gateway, exchange, arrived: Instant::now(), operation: None, end: End::Abandoned }
    }

    pub(crate) fn found(&mut self, revision: Arc<Revision>, index: usize, operation: &Operation) {
        self.exchange.operation = Some(operation.name.to_shared());
        self.operation = Some((revision, index));
    }

    /// Counts the exchange and has it recorded; it is on the disk when this returns `Ok`.
    pub(crate) async fn commit(mut self) -> Result<(), truc_ledger::LedgerError> {
        self.close();
        self.end = End::Recorded;
        match self.gateway.settings.recording {
            Recording::All => {
                let exchange = self.take();
                self.gateway.ledger.record(exchange).await
            }
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

    fn take(&mut self) -> Exchange {
        let blank = blank(self.exchange.id, self.exchange.received_at);
        std::mem::replace(&mut self.exchange, blank)
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        if self.end == End::Recorded || self.gateway.settings.recording == Recording::None {
            return;
        }
        let code = if std::thread::panicking() { Code::Internal } else { Code::Abandoned };
        self.exchange.status = code.status();
        self.exchange.problem = Some(code.as_str().to_owned());
        self.close();
        if self.end == End::Unknown {
            tracing::warn!(request.id = %self.exchange.id, "an operation under way was abandoned: its end is unknown");
            return;
        }
        let (ledger, exchange) = (self.gateway.ledger.clone(), self.take());
        self.gateway.tasks.spawn(async move {
            if let Err(error) = ledger.record(exchange).await {
                tracing::error!(%error, "an abandoned exchange could not be recorded");
            }
        });
    }
}

/// An exchange of which nothing is known yet.
fn blank(id: RequestId, received_at: Timestamp) -> Exchange {
    Exchange {
        id,
        received_at,
        agency: None,
        account: None,
        service: None,
        revision: None,
        operation: None,
        purpose: None,
        dossier: None,
        status: 0,
        problem: None,
        duration: 0,
        request_bytes: 0,
        response_bytes: 0,
        upstream_calls: 0,
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

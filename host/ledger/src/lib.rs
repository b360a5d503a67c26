//! The exchange log. No answer leaves the host before its exchange is on the disk.
//!
//! Commits are shared. An exchange that is to be recorded goes into a queue and waits; one writer takes whatever has
//! gathered while the last commit was under way, up to a batch, and commits it as one. Under load a commit carries many
//! exchanges and costs each little; at rest an exchange is committed at once. There is no timer and nothing to tune.
//!
//! Waiting is bounded without a timer per exchange: a full queue refuses at once, and the writer gives a batch up when
//! its oldest entry has waited long enough. Whoever is told of an error must not answer the caller with the outcome.
//! What is recorded, and how, is the store's affair: see [`truc_store::exchanges`].
//!
//! Beside the exchanges stand the answers to requests with an idempotency key; see [`Keys`].

mod keys;
mod seal;
mod writer;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use truc_model::Exchange;
pub use truc_store::exchanges::{Cursor, CursorError, End, Entry, Filter, Intent, Page};
use truc_store::{Store, StoreError};

pub use crate::keys::{Claimed, FirstAnswer, Held, KeyError, KeyUse, KeyedRequest, Keys};
use crate::writer::{Message, Waiting};

/// What a ledger may hold and how long anyone waits for it.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// Entries that wait to be recorded; more are refused with [`LedgerError::Busy`].
    pub queue: usize,
    /// Entries in one commit; at most [`truc_store::exchanges::Exchanges::BATCH`].
    pub batch: usize,
    /// From handing an entry over to knowing what became of it.
    pub wait: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self { queue: 4096, batch: 256, wait: Duration::from_secs(5) }
    }
}

/// Why an entry is not known to be recorded.
#[derive(Debug, Clone, thiserror::Error)]
pub enum LedgerError {
    /// The database did not take it.
    #[error("the exchange could not be recorded: {0}")]
    Failed(Arc<StoreError>),
    /// It waited too long. Whether it was recorded after all is not known.
    #[error("the exchange could not be recorded in time")]
    Late,
    /// As many entries wait as may. It was not recorded.
    #[error("too many exchanges wait to be recorded")]
    Busy,
    /// The ledger was closed. It was not recorded.
    #[error("the ledger is closed")]
    Closed,
}

/// The exchange log. Clones share it.
#[derive(Debug, Clone)]
pub struct Ledger {
    store: Store,
    queue: mpsc::Sender<Message>,
    wait: Duration,
}

impl Ledger {
    /// Starts a ledger on a store. Its writer is a task of the runtime this is called in; it ends with
    /// [`close`](Self::close), or when the last clone is gone and the queue is empty.
    pub fn start(store: Store, settings: Settings) -> Self {
        let (queue, messages) = mpsc::channel(settings.queue.max(1));
        tokio::spawn(writer::run(store.clone(), messages, settings));
        Self { store, queue, wait: settings.wait }
    }

    /// Records what is about to be asked of a national system. It is on the disk when this returns `Ok`.
    ///
    /// # Errors
    /// The intent is not known to be recorded: the upstream must not be called.
    pub async fn intend(&self, intent: Intent) -> Result<(), LedgerError> {
        self.append(Entry::Intent(intent)).await
    }

    /// Records what became of an exchange. It is on the disk when this returns `Ok`.
    ///
    /// # Errors
    /// The outcome is not known to be recorded: the caller must not be given it.
    pub async fn record(&self, exchange: Exchange) -> Result<(), LedgerError> {
        self.append(Entry::Outcome(exchange)).await
    }

    /// Lists exchanges, those that arrived last first.
    ///
    /// # Errors
    /// As [`truc_store::exchanges::Exchanges::list`].
    pub async fn list(&self, filter: &Filter) -> Result<Page, StoreError> {
        self.store.exchanges().list(filter).await
    }

    /// The idempotency keys.
    pub fn keys(&self) -> Keys<'_> {
        Keys { store: &self.store }
    }

    /// Closes the ledger, for all clones: what waits is still recorded, within the bound on waiting; what comes later is
    /// refused with [`LedgerError::Closed`].
    pub async fn close(&self) {
        let end = async {
            // An error says that the writer has ended already.
            let _ = self.queue.send(Message::Close).await;
            self.queue.closed().await;
        };
        if tokio::time::timeout(self.wait, end).await.is_err() {
            tracing::warn!("the ledger's last entries were not recorded in time");
        }
    }

    async fn append(&self, entry: Entry) -> Result<(), LedgerError> {
        let (done, answer) = oneshot::channel();
        let waiting = Waiting { entry, since: Instant::now(), done };
        self.queue.try_send(Message::Append(waiting)).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => LedgerError::Busy,
            mpsc::error::TrySendError::Closed(_) => LedgerError::Closed,
        })?;
        answer.await.unwrap_or(Err(LedgerError::Closed))
    }
}

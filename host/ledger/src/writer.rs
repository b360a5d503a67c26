//! The one task that writes: takes what has gathered, commits it, tells those who wait.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;

use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout_at};
use truc_store::exchanges::{Entry, Exchanges};
use truc_store::{Store, StoreError};

use crate::{LedgerError, Settings};

/// What goes through the queue.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "all but one message of a queue's life is of the large variant"
)]
pub(crate) enum Message {
    /// An entry to be recorded.
    Append(Waiting),
    /// Take no more.
    Close,
}

/// An entry, and who waits for it since when.
#[derive(Debug)]
pub(crate) struct Waiting {
    pub(crate) entry: Entry,
    pub(crate) since: Instant,
    pub(crate) done: oneshot::Sender<Result<(), LedgerError>>,
}

pub(crate) async fn run(store: Store, mut queue: mpsc::Receiver<Message>, settings: Settings) {
    let size = settings.batch.clamp(1, Exchanges::BATCH);
    let mut messages = Vec::with_capacity(size);
    let mut entries = Vec::with_capacity(size);
    let mut waiters = Vec::with_capacity(size);
    let mut refused = 0_u64;
    while queue.recv_many(&mut messages, size).await > 0 {
        let mut oldest = None;
        for message in messages.drain(..) {
            match message {
                Message::Append(Waiting { entry, since, done }) => {
                    oldest.get_or_insert(since);
                    entries.push(entry);
                    waiters.push(done);
                }
                // What is in the queue already is still received.
                Message::Close => queue.close(),
            }
        }
        let Some(oldest) = oldest else { continue };
        let deadline = oldest + settings.wait;
        match commit(&store, &entries, deadline).await {
            // Somebody's entry is refused for what it holds. The others must not suffer for it.
            Err(LedgerError::Failed(error)) if matches!(*error, StoreError::Refused(_)) => {
                for (entry, waiter) in entries.drain(..).zip(waiters.drain(..)) {
                    let result = commit(&store, std::slice::from_ref(&entry), deadline).await;
                    if let Err(error) = &result {
                        tracing::error!(exchange.id = %entry.id(), %error, "an exchange was not recorded");
                    }
                    let _ = waiter.send(result);
                }
            }
            result => {
                report(&result, entries.len(), &mut refused);
                entries.clear();
                for waiter in waiters.drain(..) {
                    // Who no longer waits needs no answer; the entry is recorded all the same.
                    let _ = waiter.send(result.clone());
                }
            }
        }
        // Who was just told may have its next entry ready at once: it can share the coming commit.
        let mut aside = false;
        poll_fn(|context| {
            if std::mem::replace(&mut aside, true) {
                return Poll::Ready(());
            }
            // At once, unlike the runtime's own way of stepping aside, which on a thread that always has something to
            // do ends only after dozens of polls of others: all calls wait for this task.
            context.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
    }
}

/// Commits entries in one transaction. A deadline that has passed already is not worth a try: those who wait are to be
/// told, and the next in the queue may still be in time.
async fn commit(store: &Store, entries: &[Entry], deadline: Instant) -> Result<(), LedgerError> {
    if deadline <= Instant::now() {
        return Err(LedgerError::Late);
    }
    match timeout_at(deadline, store.exchanges().append(entries)).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(StoreError::TimedOut)) | Err(_) => Err(LedgerError::Late),
        Ok(Err(error)) => Err(LedgerError::Failed(Arc::new(error))),
    }
}

/// Logs when recording stops and when it goes on, not each failure in between: they come as fast as calls do.
fn report(result: &Result<(), LedgerError>, entries: usize, refused: &mut u64) {
    match result {
        Ok(()) if *refused > 0 => {
            tracing::info!(refused, "exchanges are recorded again");
            *refused = 0;
        }
        Ok(()) => {}
        Err(error) => {
            if *refused == 0 {
                tracing::error!(%error, "exchanges cannot be recorded; calls are refused until they can");
            }
            *refused = refused.saturating_add(entries as u64);
        }
    }
}

//! Requests with an idempotency key: claimed before the call, completed with its answer.
//!
//! ```text
//!             claim                    complete
//!   as new ──────────► running ────────────────────► done      the answer is given again
//!     ▲                  │  │
//!     └── release ───────┘  └── the host was ended ──► unknown   told as such, never repeated
//! ```
//!
//! `running` also ends by itself: after the time by which its call must have ended, a request whose answer was not kept
//! counts as unknown. A key that has expired is as new, whatever its state was.

use std::time::Duration;

use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use truc_model::{AccountName, AgencyCode, Digest, RequestId, ServiceName, Timestamp};
use truc_store::idempotency::{AnswerRow, Claim, Claimed as ClaimedRow, KeyRow, KeyState};
use truc_store::{Store, StoreError};

use crate::seal::Seal;

/// How long after its deadline a call may still be busy with being recorded.
const GRACE: Duration = Duration::from_secs(30);

/// Why a key was not claimed, or not completed.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The database did not do its part.
    #[error("the idempotency key could not be written: {0}")]
    Store(#[from] StoreError),
    /// The operating system gives no random bytes, or the library refuses to seal.
    #[error("the answer could not be sealed")]
    Seal,
}

impl From<aws_lc_rs::error::Unspecified> for KeyError {
    fn from(_: aws_lc_rs::error::Unspecified) -> Self {
        Self::Seal
    }
}

/// What a caller's key and request come to.
pub struct KeyedRequest {
    key: Digest,
    request: Digest,
    seal: Seal,
}

/// For what a key is claimed.
#[derive(Debug, Clone)]
pub struct KeyUse {
    /// The agency.
    pub agency: AgencyCode,
    /// Its account.
    pub account: AccountName,
    /// The service.
    pub service: ServiceName,
    /// The operation (`interface/function`).
    pub operation: String,
    /// The request's identifier.
    pub exchange: RequestId,
    /// How long the call may take.
    pub deadline: Duration,
    /// How long the answer is kept.
    pub retention: Duration,
}

/// What became of a claim.
pub enum Claimed {
    /// The request holds the key: it is to be carried out.
    New(Held),
    /// The request was answered before.
    Done(FirstAnswer),
    /// The same request is under way.
    Running {
        /// Its identifier.
        first: RequestId,
    },
    /// The key belongs to another request.
    Other {
        /// The identifier of that request.
        first: RequestId,
    },
    /// Nobody knows what became of the request.
    Unknown {
        /// Its identifier.
        first: RequestId,
        /// When it came.
        at: Timestamp,
    },
    /// The request was answered, and the answer cannot be opened any more: the account has another API key now.
    Sealed {
        /// Its identifier.
        first: RequestId,
        /// When it came.
        at: Timestamp,
        /// The status it was answered with.
        status: u16,
    },
}

/// A key that a request holds.
pub struct Held {
    request: KeyedRequest,
    number: i64,
}

/// An answer that is kept for its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FirstAnswer {
    /// The revision of the service that gave it.
    pub revision: u32,
    /// The HTTP status.
    pub status: u16,
    /// The problem's code, where it is one.
    pub problem: Option<String>,
    /// The media type of the body, where there is one.
    pub content_type: Option<String>,
    /// The body.
    pub body: Vec<u8>,
}

/// The idempotency keys.
#[derive(Debug, Clone, Copy)]
pub struct Keys<'a> {
    pub(crate) store: &'a Store,
}

impl KeyedRequest {
    /// Takes an account's key for a request, which is given in pieces; two requests are the same if all pieces are.
    ///
    /// # Errors
    /// [`KeyError::Seal`].
    pub fn new(
        agency: &AgencyCode,
        account: &AccountName,
        api_key: &str,
        idempotency_key: &str,
        request: &[&[u8]],
    ) -> Result<Self, KeyError> {
        Ok(Self {
            key: digest(&[
                agency.as_str().as_bytes(),
                account.as_str().as_bytes(),
                idempotency_key.as_bytes(),
            ]),
            request: digest(request),
            seal: Seal::new(api_key, idempotency_key)?,
        })
    }

    /// What an answer is bound to.
    fn about(&self, status: u16) -> Vec<u8> {
        [self.key.as_bytes(), self.request.as_bytes(), &status.to_be_bytes()[..]].concat()
    }
}

/// A digest over pieces from which each can be told.
fn digest(pieces: &[&[u8]]) -> Digest {
    let lengths: Vec<[u8; 8]> = pieces.iter().map(|piece| (piece.len() as u64).to_be_bytes()).collect();
    let parts: Vec<&[u8]> =
        lengths.iter().zip(pieces).flat_map(|(length, piece)| [&length[..], *piece]).collect();
    Digest::of_parts(&parts)
}

impl Keys<'_> {
    /// Claims the key for a request. It is on the disk when this returns [`Claimed::New`]; of requests that come at once
    /// exactly one gets that.
    ///
    /// # Errors
    /// The key is not claimed: the request must not be carried out.
    pub async fn claim(
        &self,
        request: KeyedRequest,
        to: KeyUse,
        now: Timestamp,
    ) -> Result<Claimed, KeyError> {
        let mut number = [0; 8];
        SystemRandom::new().fill(&mut number)?;
        let number = i64::from_be_bytes(number);
        let claim = Claim {
            key: request.key,
            number,
            agency: to.agency,
            account: to.account,
            service: to.service,
            operation: to.operation,
            request: request.request,
            exchange: to.exchange,
            created_at: now,
            ends_by: after(now, to.deadline + GRACE),
            expires_at: after(now, to.retention),
        };
        match self.store.idempotency().claim(&claim).await {
            Ok(ClaimedRow::New) => Ok(Claimed::New(Held { request, number })),
            Ok(ClaimedRow::Before(row)) => Ok(before(&request, row, now)),
            Err(error) => {
                // Whether it was written may be unknown, and then the key would seem to be in use.
                self.release(&Held { request, number }).await;
                Err(error.into())
            }
        }
    }

    /// Keeps the answer of a request that holds its key. It is on the disk when this returns `Ok`.
    ///
    /// # Errors
    /// The answer is not known to be kept: the caller must not be given it, as a repetition would be told that the
    /// outcome is unknown.
    pub async fn complete(&self, held: &Held, answer: &FirstAnswer) -> Result<(), KeyError> {
        let body = held.request.seal.close(&answer.body, &held.request.about(answer.status))?;
        let row = AnswerRow {
            revision: answer.revision,
            status: answer.status,
            problem: answer.problem.clone(),
            content_type: answer.content_type.clone(),
            body,
        };
        Ok(self.store.idempotency().complete(&held.request.key, held.number, &row).await?)
    }

    /// Gives a key back whose request was not begun. Where that fails, the key counts as in use until the call would have
    /// ended, and its outcome as unknown from then on.
    pub async fn release(&self, held: &Held) {
        if let Err(error) = self.store.idempotency().release(&held.request.key, held.number).await {
            tracing::warn!(%error, "an idempotency key could not be given back");
        }
    }

    /// Says of every request under way that its outcome is unknown. For the start of the host, before it serves.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn interrupt(&self) -> Result<(), StoreError> {
        let interrupted = self.store.idempotency().interrupt().await?;
        if interrupted > 0 {
            tracing::warn!(
                interrupted,
                "requests with an idempotency key were under way when the host ended: their outcome is unknown"
            );
        }
        Ok(())
    }

    /// Removes some of the keys that have expired; whether there may be more.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn purge(&self, now: Timestamp) -> Result<bool, StoreError> {
        const BATCH: u32 = 50;
        Ok(self.store.idempotency().purge(now, BATCH).await? == u64::from(BATCH))
    }
}

/// What is told of a key that was claimed before.
fn before(request: &KeyedRequest, row: KeyRow, now: Timestamp) -> Claimed {
    let (first, at) = (row.exchange, row.created_at);
    if !row.request.matches(&request.request) {
        return Claimed::Other { first };
    }
    match row.state {
        KeyState::Running(ends_by) if now < ends_by => Claimed::Running { first },
        KeyState::Running(_) | KeyState::Unknown => Claimed::Unknown { first, at },
        KeyState::Done(answer) => match request.seal.open(answer.body, &request.about(answer.status)) {
            Ok(body) => Claimed::Done(FirstAnswer {
                revision: answer.revision,
                status: answer.status,
                problem: answer.problem,
                content_type: answer.content_type,
                body,
            }),
            Err(_) => Claimed::Sealed { first, at, status: answer.status },
        },
    }
}

fn after(now: Timestamp, span: Duration) -> Timestamp {
    let micros = i64::try_from(span.as_micros()).unwrap_or(i64::MAX);
    Timestamp::from_micros(now.as_micros().saturating_add(micros))
}

//! Exchanges with an upstream: a connection, the request, the whole answer; each within its time, and once more where
//! that can help and can do no harm.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use http_body_util::Full;
use tokio::time::Instant;
use truc_model::Handle;

use crate::breaker::{Refused, Verdict};
use crate::connection::{Connection, Unfinished};
use crate::deadline::{Deadline, Stage};
use crate::dial::{DialError, Dialer};
use crate::pool::Pool;
use crate::retry::{self, Jitter, Reach, Repeat};
use crate::standing::Standing;
use crate::{CallError, Timeouts};

/// How long an upstream must have been waited for, at the least, before the end of the wait counts against it. A call
/// that comes with less time than that says nothing of the upstream.
const PATIENCE: Duration = Duration::from_millis(250);

/// The way to one upstream.
pub(crate) struct Link {
    pub(crate) handle: Handle,
    /// The value of the `Host` field.
    pub(crate) host: HeaderValue,
    pub(crate) dialer: Dialer,
    pub(crate) pool: Arc<Pool>,
    pub(crate) standing: Arc<Standing>,
    pub(crate) timeouts: Timeouts,
    /// How often a request is sent at the most.
    pub(crate) attempts: u32,
    pub(crate) jitter: Arc<dyn Jitter>,
}

/// A whole answer, as it came.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

/// An attempt that brought no answer.
struct Failed {
    error: CallError,
    /// How far it got, which says whether it may be made again.
    reach: Reach,
    /// What it says of the upstream.
    verdict: Verdict,
}

/// Which connections an attempt may use.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Connections {
    /// One that was kept from an earlier exchange, if there is one.
    Any,
    /// None but a new one.
    New,
}

type Outgoing = http::Request<Full<Bytes>>;

impl Link {
    /// Sends the request that `make` makes, and reads its answer of at most that many bytes. What may be made again,
    /// and when, is in [`retry`]; how often in all, in [`crate::budget`].
    pub(crate) async fn exchange(
        &self,
        make: impl Fn() -> Result<Outgoing, CallError>,
        repeat: Repeat,
        deadline: Deadline,
        most: u64,
    ) -> Result<Answer, CallError> {
        // What cannot be sent is told before anything else.
        let mut request = make()?;
        deadline.check(&self.handle)?;
        self.standing.budget.add_request(Instant::now());
        let mut attempt = 1;
        loop {
            let connections = if attempt == 1 { Connections::Any } else { Connections::New };
            let outcome = self.attempt(request, &make, connections, deadline, most).await;
            let wait = match &outcome {
                Ok(answer) => {
                    retry::after_answer(answer.status, &answer.headers, repeat, attempt, &*self.jitter)
                }
                Err(failed) => retry::after_failure(failed.reach, repeat, attempt, &*self.jitter),
            };
            match wait {
                Some(wait) if self.may_repeat(attempt, wait, deadline) => {
                    self.standing.meters.repetitions.increment(1);
                    tracing::debug!(upstream.handle = %self.handle, attempt, ?wait, "request is made again");
                    tokio::time::sleep(wait).await;
                    attempt += 1;
                    request = make()?;
                }
                _ => return outcome.map_err(|failed| failed.error),
            }
        }
    }

    /// Whether there may be one more attempt. The budget is asked last, as asking takes from it.
    fn may_repeat(&self, attempt: u32, wait: Duration, deadline: Deadline) -> bool {
        attempt < self.attempts
            && deadline.leaves(wait)
            && self.standing.breaker.is_closed()
            && self.standing.budget.take_repetition(Instant::now())
    }

    /// One attempt, and what it says of the upstream.
    async fn attempt(
        &self,
        request: Outgoing,
        make: &impl Fn() -> Result<Outgoing, CallError>,
        connections: Connections,
        deadline: Deadline,
        most: u64,
    ) -> Result<Answer, Failed> {
        let standing = &*self.standing;
        let _place = match standing.try_place() {
            Some(place) => Some(place),
            None => {
                standing.breaker.check(Instant::now()).map_err(|refused| self.refused(refused))?;
                let stage = Stage::Place(self.timeouts.wait.as_duration());
                let waited = deadline.within(stage, &self.handle, pin!(standing.place())).await;
                // That its connections are in use says nothing of the upstream: those who use them will.
                waited.map_err(Failed::without_blame)?
            }
        };
        // After the wait: what it was like before is no longer of interest.
        let pass = standing.breaker.pass(Instant::now()).map_err(|refused| self.refused(refused))?;
        let outcome = self.send(request, make, connections, deadline, most).await;
        let meters = &standing.meters;
        if outcome.is_ok() { &meters.answered } else { &meters.failed }.increment(1);
        pass.end(match &outcome {
            Ok(answer) if is_sick(answer.status) => Verdict::Sick,
            Ok(_) => Verdict::Well,
            Err(failed) => failed.verdict,
        });
        outcome
    }

    async fn send(
        &self,
        mut request: Outgoing,
        make: &impl Fn() -> Result<Outgoing, CallError>,
        connections: Connections,
        deadline: Deadline,
        most: u64,
    ) -> Result<Answer, Failed> {
        let begun = Instant::now();
        let late = |error| Failed {
            error,
            reach: Reach::Final,
            verdict: if begun.elapsed() >= self.patience() { Verdict::Sick } else { Verdict::Unknown },
        };
        let head = Stage::Head(self.timeouts.first_byte.as_duration());
        let mut kept = if connections == Connections::Any { self.pool.take() } else { None };
        let (mut connection, response) = loop {
            let (mut connection, reach) = match kept.take() {
                Some(connection) => (connection, Reach::LostWithKept),
                None => (self.connect(deadline, late).await?, Reach::Lost),
            };
            let sent = deadline.within(head, &self.handle, pin!(connection.send(request))).await;
            match sent.map_err(late)? {
                Ok(response) => break (connection, response),
                // The upstream closed the connection while nobody used it, and has seen nothing of the request.
                Err(lost) if !lost.written && reach == Reach::LostWithKept => {
                    request = make().map_err(Failed::without_blame)?;
                }
                Err(lost) => {
                    return Err(self.lost(&lost.cause, if lost.written { reach } else { Reach::NotSent }));
                }
            }
        };
        let (head, incoming) = response.into_parts();
        if let Some(reason) = unreadable(head.status, &head.headers) {
            let error = CallError::Interrupted(format!("upstream `{}`: {reason}", self.handle));
            return Err(Failed { error, reach: Reach::Final, verdict: Verdict::Sick });
        }
        let read = deadline.within(Stage::Body, &self.handle, pin!(connection.read(incoming, most))).await;
        let body = read.map_err(late)?.map_err(|error| match error {
            // It answers, only more than anybody here wants to read.
            Unfinished::TooLarge => {
                Failed { error: CallError::TooLarge(most), reach: Reach::Final, verdict: Verdict::Well }
            }
            Unfinished::Broken(error) => self.lost(&error, Reach::Lost),
        })?;
        if connection.is_idle() {
            self.pool.put(connection);
        }
        Ok(Answer { status: head.status, headers: head.headers, body })
    }

    async fn connect(
        &self,
        deadline: Deadline,
        late: impl Fn(CallError) -> Failed,
    ) -> Result<Connection, Failed> {
        let most = self.timeouts.connect.as_duration();
        let dial = pin!(self.dialer.dial(Instant::now() + most));
        let stream = deadline.within(Stage::Connection(most), &self.handle, dial).await.map_err(late)?;
        let stream = stream.map_err(|error| self.not_connected(&error))?;
        Connection::open(stream).await.map_err(|error| self.lost(&error, Reach::NotSent))
    }

    /// How long must have been waited for the upstream before the wait counts against it.
    fn patience(&self) -> Duration {
        let Timeouts { connect, first_byte, .. } = self.timeouts;
        PATIENCE.min(connect.as_duration()).min(first_byte.as_duration())
    }

    fn refused(&self, refused: Refused) -> Failed {
        self.standing.meters.refused.increment(1);
        let handle = &self.handle;
        Failed::without_blame(CallError::Unreachable(match refused {
            Refused::Open(left) => {
                // Rounded up, so that it is never "0s".
                let left = Duration::from_millis(left.as_millis() as u64 + 1);
                format!(
                    "upstream `{handle}`: it keeps failing and is left alone; nothing is sent to it for {left:?}"
                )
            }
            Refused::Probation => {
                format!(
                    "upstream `{handle}`: it kept failing; one call is under way to see whether it is back"
                )
            }
        }))
    }

    fn lost(&self, error: &hyper::Error, reach: Reach) -> Failed {
        tracing::debug!(upstream.handle = %self.handle, error = ?error, "exchange interrupted");
        let reason = if error.is_parse_too_large() {
            "the head of the answer is too large"
        } else if error.is_parse() {
            "the answer breaks the rules of HTTP/1.1"
        } else {
            "the connection ended before the answer was complete"
        };
        Failed {
            error: CallError::Interrupted(format!("upstream `{}`: {reason}", self.handle)),
            // Whoever does not know the rules does not know them the next time either.
            reach: if error.is_parse() { Reach::Final } else { reach },
            verdict: if reach == Reach::LostWithKept { Verdict::Unknown } else { Verdict::Sick },
        }
    }

    fn not_connected(&self, error: &DialError) -> Failed {
        tracing::warn!(upstream.handle = %self.handle, %error, "no connection");
        let handle = &self.handle;
        let text = match error {
            DialError::Forbidden(_) => {
                let text = format!(
                    "upstream `{handle}`: its name leads to an address outside the ranges that the operator allows"
                );
                return Failed::without_blame(CallError::Denied(text));
            }
            DialError::Unresolved(_) => format!("upstream `{handle}`: its name could not be resolved"),
            DialError::Refused(cause) => format!("upstream `{handle}`: no connection: {}", cause.kind()),
            DialError::Handshake(_) if error.is_unknown_key() => {
                format!(
                    "upstream `{handle}`: the TLS handshake failed: its key is none of those that the operator pinned"
                )
            }
            DialError::Handshake(_) => format!("upstream `{handle}`: the TLS handshake failed"),
        };
        Failed {
            error: CallError::Unreachable(text),
            reach: if error.may_pass() { Reach::NotSent } else { Reach::Final },
            verdict: Verdict::Sick,
        }
    }
}

impl Failed {
    /// What is not the upstream's doing, and would be the same again.
    fn without_blame(error: CallError) -> Self {
        Self { error, reach: Reach::Final, verdict: Verdict::Unknown }
    }
}

/// Whether an answer is a sign of an upstream in trouble. That it does not know a method is none.
fn is_sick(status: StatusCode) -> bool {
    status.is_server_error() && status != StatusCode::NOT_IMPLEMENTED
}

/// Why an answer cannot be taken as it stands.
fn unreadable(status: StatusCode, headers: &HeaderMap) -> Option<&'static str> {
    if status == StatusCode::SWITCHING_PROTOCOLS {
        return Some("it switched to another protocol, which nobody asked for");
    }
    let mut codings = headers.get_all(header::TRANSFER_ENCODING).iter();
    if let Some(coding) = codings.next() {
        // Two framings are how one answer is made to look like two (RFC 9112, section 6.3).
        if headers.contains_key(header::CONTENT_LENGTH) {
            return Some("its answer has both Content-Length and Transfer-Encoding");
        }
        if !coding.as_bytes().eq_ignore_ascii_case(b"chunked") || codings.next().is_some() {
            return Some("its answer has a transfer coding other than chunked");
        }
    }
    let encoded = |value: &HeaderValue| !value.as_bytes().eq_ignore_ascii_case(b"identity");
    if headers.get_all(header::CONTENT_ENCODING).iter().any(encoded) {
        return Some("its answer is compressed, although it was asked for plain bytes");
    }
    None
}

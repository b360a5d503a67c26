//! One exchange with an upstream: a connection, the request, the whole answer; each within its time.

use std::pin::pin;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use http_body_util::Full;
use hyper::body::Incoming;
use tokio::time::Instant;
use truc_model::Handle;

use crate::connection::{Connection, Unfinished};
use crate::deadline::{Deadline, Stage};
use crate::dial::{DialError, Dialer};
use crate::pool::Pool;
use crate::{CallError, Timeouts};

/// The way to one upstream.
pub(crate) struct Link {
    pub(crate) handle: Handle,
    /// The value of the `Host` field.
    pub(crate) host: HeaderValue,
    pub(crate) dialer: Dialer,
    pub(crate) pool: Arc<Pool>,
    pub(crate) timeouts: Timeouts,
}

/// A whole answer, as it came.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

/// Whether a request may be sent a second time when it is not known whether the first was acted upon.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Repeat {
    /// It has the same effect once or twice.
    Harmless,
    /// It may have its effect twice.
    Harmful,
}

impl Link {
    /// Sends the request that `make` makes, and reads its answer of at most that many bytes.
    ///
    /// A kept connection may have been closed by the upstream at the very moment it is used. Then the request is made
    /// again, once and on a new connection, if none of it was written or repeating it is harmless.
    pub(crate) async fn exchange(
        &self,
        make: impl Fn() -> Result<http::Request<Full<Bytes>>, CallError>,
        repeat: Repeat,
        deadline: Deadline,
        most: u64,
    ) -> Result<Answer, CallError> {
        let mut request = make()?;
        deadline.check(&self.handle)?;
        let _place = match self.pool.try_place() {
            Some(place) => Some(place),
            None => deadline.within(Stage::Place, &self.handle, pin!(self.pool.place())).await?,
        };
        let mut kept = self.pool.take();
        loop {
            let is_kept = kept.is_some();
            let mut connection = match kept.take() {
                Some(connection) => connection,
                None => self.connect(deadline).await?,
            };
            let head = Stage::Head(self.timeouts.first_byte.as_duration());
            let sent = deadline.within(head, &self.handle, pin!(connection.send(request))).await?;
            match sent {
                Ok(response) => return self.receive(connection, response, deadline, most).await,
                Err(lost) if is_kept && (!lost.written || repeat == Repeat::Harmless) => request = make()?,
                Err(lost) => return Err(self.interrupted(&lost.cause)),
            }
        }
    }

    async fn connect(&self, deadline: Deadline) -> Result<Connection, CallError> {
        let most = self.timeouts.connect.as_duration();
        let dial = pin!(self.dialer.dial(Instant::now() + most));
        let stream = deadline
            .within(Stage::Connection(most), &self.handle, dial)
            .await?
            .map_err(|error| self.not_connected(&error))?;
        Connection::open(stream).await.map_err(|error| self.interrupted(&error))
    }

    async fn receive(
        &self,
        mut connection: Connection,
        response: http::Response<Incoming>,
        deadline: Deadline,
        most: u64,
    ) -> Result<Answer, CallError> {
        let (head, incoming) = response.into_parts();
        if let Some(reason) = unreadable(head.status, &head.headers) {
            return Err(CallError::Interrupted(format!("upstream `{}`: {reason}", self.handle)));
        }
        let read = deadline.within(Stage::Body, &self.handle, pin!(connection.read(incoming, most))).await?;
        let body = read.map_err(|error| match error {
            Unfinished::TooLarge => CallError::TooLarge(most),
            Unfinished::Broken(error) => self.interrupted(&error),
        })?;
        if connection.is_idle() {
            self.pool.put(connection);
        }
        Ok(Answer { status: head.status, headers: head.headers, body })
    }

    fn interrupted(&self, error: &hyper::Error) -> CallError {
        tracing::debug!(upstream.handle = %self.handle, error = ?error, "exchange interrupted");
        let reason = if error.is_parse_too_large() {
            "the head of the answer is too large"
        } else if error.is_parse() {
            "the answer breaks the rules of HTTP/1.1"
        } else {
            "the connection ended before the answer was complete"
        };
        CallError::Interrupted(format!("upstream `{}`: {reason}", self.handle))
    }

    fn not_connected(&self, error: &DialError) -> CallError {
        tracing::warn!(upstream.handle = %self.handle, %error, "no connection");
        let handle = &self.handle;
        match error {
            DialError::Forbidden(_) => CallError::Denied(format!(
                "upstream `{handle}`: its name leads to an address outside the ranges that the operator allows"
            )),
            DialError::Unresolved(_) => {
                CallError::Unreachable(format!("upstream `{handle}`: its name could not be resolved"))
            }
            DialError::Refused(cause) => {
                CallError::Unreachable(format!("upstream `{handle}`: no connection: {}", cause.kind()))
            }
            DialError::Handshake(_) => {
                CallError::Unreachable(format!("upstream `{handle}`: the TLS handshake failed"))
            }
        }
    }
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

//! One HTTP/1.1 connection, driven by the call that uses it.
//!
//! hyper splits a connection into a handle that sends requests and a future that moves the bytes. The usual way is to
//! spawn that future; here the call polls it itself. That saves the hand-over between two tasks, often on two threads,
//! twice a call; and a call that is dropped takes its socket with it, so that there is no task to leak.
//!
//! An idle connection is not polled at all. What happened to it meanwhile (the upstream closed it, or sent bytes
//! nobody asked for) is seen when it is taken out of the pool: see [`Connection::is_open`].

use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::{Body, Frame, Incoming};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::task::coop::{consume_budget, unconstrained};

use crate::dial::Stream;

/// The most bytes the head of an answer may have, and how much is read at once.
const READ_BUFFER: usize = 64 * 1024;

/// How much room for a body is made before its first byte, whatever its announced length.
const FIRST_ROOM: usize = 64 * 1024;

pub(crate) struct Connection {
    sender: http1::SendRequest<Full<Bytes>>,
    /// None once the connection has ended.
    driver: Driver,
}

type Driver = Option<Box<http1::Connection<TokioIo<Stream>, Full<Bytes>>>>;

/// A request that got no answer because the connection failed.
pub(crate) struct Lost {
    pub(crate) cause: hyper::Error,
    /// Whether any of the request may have been written.
    pub(crate) written: bool,
}

/// Why a body could not be read to its end.
pub(crate) enum Unfinished {
    TooLarge,
    Broken(hyper::Error),
}

impl Connection {
    pub(crate) async fn open(stream: Stream) -> hyper::Result<Self> {
        let (sender, driver) =
            http1::Builder::new().max_buf_size(READ_BUFFER).handshake(TokioIo::new(stream)).await?;
        Ok(Self { sender, driver: Some(Box::new(driver)) })
    }

    /// Whether the connection waits for a next request, as far as this side knows.
    pub(crate) fn is_idle(&self) -> bool {
        self.driver.is_some() && self.sender.is_ready()
    }

    /// Looks at what has happened to an idle connection, without waiting, and says whether it can be used.
    pub(crate) fn is_open(&mut self) -> bool {
        advance(&mut self.driver, &mut Context::from_waker(Waker::noop()));
        self.is_idle()
    }

    /// Sends a request and waits for the head of its answer.
    pub(crate) fn send(
        &mut self,
        request: http::Request<Full<Bytes>>,
    ) -> impl Future<Output = Result<http::Response<Incoming>, Lost>> {
        let answer = self.sender.try_send_request(request);
        let driver = &mut self.driver;
        async move {
            let mut answer = pin!(answer);
            let answered = unconstrained(poll_fn(|cx| drive(driver, cx, |cx| answer.as_mut().poll(cx))));
            answered.await.map_err(|mut error| Lost {
                written: error.take_message().is_none(),
                cause: error.into_error(),
            })
        }
    }

    /// Reads a body to its end, as long as it has at most that many bytes.
    pub(crate) async fn read(&mut self, mut incoming: Incoming, most: u64) -> Result<Vec<u8>, Unfinished> {
        let announced = incoming.size_hint().lower();
        if announced > most {
            return Err(Unfinished::TooLarge);
        }
        let room = usize::try_from(announced).map_or(FIRST_ROOM, |announced| announced.min(FIRST_ROOM));
        let mut body = Vec::with_capacity(room);
        while !incoming.is_end_stream()
            && let Some(frame) = self.frame(&mut incoming).await
        {
            // What is not data is trailers, which nobody here has a use for.
            if let Ok(data) = frame.map_err(Unfinished::Broken)?.into_data() {
                if (body.len() + data.len()) as u64 > most {
                    return Err(Unfinished::TooLarge);
                }
                body.extend_from_slice(&data);
            }
            // A fast upstream must not keep this thread from its other calls.
            consume_budget().await;
        }
        Ok(body)
    }

    async fn frame(&mut self, incoming: &mut Incoming) -> Option<hyper::Result<Frame<Bytes>>> {
        let driver = &mut self.driver;
        unconstrained(poll_fn(|cx| drive(driver, cx, |cx| Pin::new(&mut *incoming).poll_frame(cx)))).await
    }
}

/// Moves the connection on and asks `outcome` whether that brought what is waited for.
///
/// What is waited for can only come from the connection, which is polled right here. So only the connection's sockets
/// need to wake the task: everything else is polled with a waker that does nothing. Otherwise each message between
/// the two halves would wake the very task that is running, and have it polled once more for nothing. For the same
/// reason the connection itself is first polled that way, and once more with the real waker only when there is
/// really something to wait for. Must run without tokio's budget, which reports "not yet" by means of the waker.
fn drive<T>(
    driver: &mut Driver,
    cx: &mut Context<'_>,
    mut outcome: impl FnMut(&mut Context<'_>) -> Poll<T>,
) -> Poll<T> {
    let quiet = &mut Context::from_waker(Waker::noop());
    advance(driver, quiet);
    if let Poll::Ready(outcome) = outcome(quiet) {
        return Poll::Ready(outcome);
    }
    advance(driver, cx);
    outcome(quiet)
}

fn advance(driver: &mut Driver, cx: &mut Context<'_>) {
    if let Some(connection) = driver
        && Pin::new(connection).poll(cx).is_ready()
    {
        // Dropping it tells the other half of everything that will not come any more.
        *driver = None;
    }
}

macro_rules! delegate {
    ($self:ident, $stream:ident => $call:expr) => {
        match $self.get_mut() {
            Stream::Plain($stream) => {
                let $stream = Pin::new($stream);
                $call
            }
            Stream::Tls($stream) => {
                let $stream = Pin::new(&mut **$stream);
                $call
            }
        }
    };
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        delegate!(self, stream => stream.poll_read(cx, buffer))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        delegate!(self, stream => stream.poll_write(cx, bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        delegate!(self, stream => stream.poll_write_vectored(cx, slices))
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Stream::Plain(stream) => stream.is_write_vectored(),
            Stream::Tls(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        delegate!(self, stream => stream.poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        delegate!(self, stream => stream.poll_shutdown(cx))
    }
}

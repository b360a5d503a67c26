//! A connection's stream as hyper gets it: what is read passes the strict reader, what is written must move.

use std::io::{Error, ErrorKind, IoSlice, Result};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep_until};

use crate::framing::{End, Framing};
use crate::line::Line;

/// How fast bodies and answers must move: so many bytes in each span of time, or all that is left.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    pub(crate) span: Duration,
    pub(crate) least: u64,
}

/// A connection's stream.
pub(crate) struct Watched {
    stream: TcpStream,
    line: Arc<Line>,
    framing: Framing,
    pace: Pace,
    /// While a write waits for its reader.
    waiting: Option<Waiting>,
}

/// A span in which a write has waited.
struct Waiting {
    end: Pin<Box<Sleep>>,
    moved: u64,
}

impl Watched {
    pub(crate) fn new(stream: TcpStream, line: Arc<Line>, framing: Framing, pace: Pace) -> Self {
        Self { stream, line, framing, pace, waiting: None }
    }

    /// Passes on what a write came to, unless its reader has been too slow.
    fn judge<T>(
        &mut self,
        context: &mut Context<'_>,
        written: Poll<Result<T>>,
        bytes: impl Fn(&T) -> usize,
    ) -> Poll<Result<T>> {
        if let Poll::Ready(result) = written {
            if let (Some(waiting), Ok(moved)) = (&mut self.waiting, &result) {
                waiting.moved += bytes(moved) as u64;
            }
            return Poll::Ready(result);
        }
        let Pace { span, least } = self.pace;
        let waiting = self
            .waiting
            .get_or_insert_with(|| Waiting { end: Box::pin(sleep_until(Instant::now() + span)), moved: 0 });
        while waiting.end.as_mut().poll(context).is_ready() {
            if waiting.moved < least {
                return Poll::Ready(Err(Error::new(ErrorKind::TimedOut, "the reader is too slow")));
            }
            waiting.moved = 0;
            waiting.end.as_mut().reset(Instant::now() + span);
        }
        Poll::Pending
    }
}

impl AsyncRead for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<Result<()>> {
        let this = &mut *self;
        match this.framing.end() {
            None => {}
            Some(End::FaultyBody) => {
                return Poll::Ready(Err(Error::new(ErrorKind::InvalidData, "the body is framed wrongly")));
            }
            Some(End::Crowded) => {
                return Poll::Ready(Err(Error::new(ErrorKind::OutOfMemory, "too many long heads")));
            }
            // hyper takes the end of what is read for a caller who has left, so it is told only after the refusal.
            // Whatever writes it asks again.
            Some(End::FaultyHead) if this.line.is_refused() => return Poll::Ready(Ok(())),
            Some(End::FaultyHead) => return Poll::Pending,
        }
        let before = into.filled().len();
        // Said before the look at the stream, so that a line that is asked to leave from here on is woken.
        this.line.wait(context.waker());
        if Pin::new(&mut this.stream).poll_read(context, into)?.is_pending() {
            // Nothing has come on a line that was asked to leave: it ends here.
            return if this.line.is_leaving() { Poll::Ready(Ok(())) } else { Poll::Pending };
        }
        this.line.stay();
        let fresh = into.filled().get(before..).unwrap_or_default();
        if fresh.is_empty() {
            return Poll::Ready(Ok(()));
        }
        let taken = this.framing.follow(fresh, &this.line);
        into.set_filled(before + taken);
        if taken > 0 {
            return Poll::Ready(Ok(()));
        }
        self.poll_read(context, into)
    }
}

impl AsyncWrite for Watched {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.judge(context, written, |moved| *moved)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, pieces);
        self.judge(context, written, |moved| *moved)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(context);
        if let Poll::Ready(Ok(())) = flushed {
            // hyper flushes only when it has nothing left to write.
            self.waiting = None;
            self.line.flushed();
        }
        self.judge(context, flushed, |()| 0)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

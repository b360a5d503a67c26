//! Good callers: they call at a steady rate, by turns on a new connection and on one that they keep, as clients do.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::attack::measure::Latencies;

/// How long a good caller waits for an answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// What came of good calls.
#[derive(Clone, Default)]
pub(super) struct Tally {
    pub(super) sent: u64,
    pub(super) succeeded: u64,
    /// Calls for which a kept connection turned out to be closed, so that they were made again on a new one.
    pub(super) repeated: u64,
    took: Vec<Duration>,
}

impl Tally {
    pub(super) fn add(&mut self, other: Self) {
        self.sent += other.sent;
        self.succeeded += other.succeeded;
        self.repeated += other.repeated;
        self.took.extend(other.took);
    }

    /// How many of a hundred succeeded.
    pub(super) fn share(&self) -> f64 {
        if self.sent == 0 { 0.0 } else { 100.0 * self.succeeded as f64 / self.sent as f64 }
    }

    pub(super) fn percentile(self, share: f64) -> f64 {
        let mut latencies = Latencies::default();
        latencies.extend(self.took);
        latencies.percentile(share)
    }
}

/// Somebody who calls.
#[derive(Clone)]
pub(super) struct Caller {
    address: SocketAddr,
    request: Arc<str>,
    kept: Arc<Mutex<Vec<TcpStream>>>,
}

impl Caller {
    /// One that looks something up.
    pub(super) fn agency(address: SocketAddr, key: &str) -> Self {
        Self::new(address, "/api/trial/v1/things/5", key)
    }

    /// One that looks at the agencies.
    pub(super) fn operator(address: SocketAddr, key: &str) -> Self {
        Self::new(address, "/admin/agencies", key.trim())
    }

    fn new(address: SocketAddr, path: &str, key: &str) -> Self {
        let request =
            format!("GET {path} HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {key}\r\n\r\n");
        Self { address, request: request.into(), kept: Arc::default() }
    }

    /// Calls so many times a second, whatever becomes of the calls, until it is over.
    pub(super) async fn call(self, rate: u32, over: Arc<AtomicBool>) -> Tally {
        let mut ticks = tokio::time::interval(Duration::from_secs(1) / rate);
        let mut calls = JoinSet::new();
        let mut number = 0_u64;
        while !over.load(Ordering::Relaxed) {
            ticks.tick().await;
            number += 1;
            let caller = self.clone();
            calls.spawn(async move { caller.once(number.is_multiple_of(2)).await });
        }
        let mut tally = Tally::default();
        while let Some(called) = calls.join_next().await {
            tally.add(called.unwrap_or_default());
        }
        tally
    }

    /// Calls once: on a kept connection, if there is one, or on a new one.
    async fn once(&self, keep: bool) -> Tally {
        let begin = Instant::now();
        let mut tally = Tally { sent: 1, ..Tally::default() };
        let called = tokio::time::timeout(ANSWER_WITHIN, async {
            let kept = if keep { self.kept().pop() } else { None };
            if let Some(mut stream) = kept {
                match self.exchange(&mut stream).await {
                    Ok(()) => return Ok((stream, 0)),
                    // A server may close a connection that nothing is asked on; whoever kept it asks again.
                    Err(error) if error.downcast_ref::<std::io::Error>().is_some() => {}
                    Err(error) => return Err(error),
                }
                let mut stream = TcpStream::connect(self.address).await?;
                return self.exchange(&mut stream).await.map(|()| (stream, 1));
            }
            let mut stream = TcpStream::connect(self.address).await?;
            self.exchange(&mut stream).await.map(|()| (stream, 0))
        });
        match called.await {
            Ok(Ok((stream, repeated))) => {
                tally.succeeded = 1;
                tally.repeated = repeated;
                if keep {
                    self.kept().push(stream);
                }
            }
            Ok(Err(error)) => crate::workspace::progress(format_args!("a good call failed: {error:#}")),
            Err(_) => crate::workspace::progress("a good call was not answered in time"),
        }
        tally.took.push(begin.elapsed());
        tally
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, Vec<TcpStream>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One request and its whole answer, which must be a success.
    async fn exchange(&self, stream: &mut TcpStream) -> Result<()> {
        stream.set_nodelay(true)?;
        stream.write_all(self.request.as_bytes()).await?;
        let mut answer = Vec::new();
        loop {
            if stream.read_buf(&mut answer).await? == 0 {
                return Err(std::io::Error::from(std::io::ErrorKind::UnexpectedEof).into());
            }
            let Some(end) = answer.windows(4).position(|window| window == b"\r\n\r\n") else { continue };
            let head = String::from_utf8_lossy(answer.get(..end).unwrap_or_default()).to_ascii_lowercase();
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            let length: usize = length.context("an answer without a length")?.parse()?;
            if answer.len() >= end + 4 + length {
                ensure!(
                    head.starts_with("http/1.1 200 "),
                    "answered with {}",
                    head.lines().next().unwrap_or("")
                );
                return Ok(());
            }
        }
    }
}

//! The load generator: a closed loop on a number of keep-alive connections. It writes ready-made requests to bare
//! sockets and reads no more of an answer than it must to know that it is the right one, so that one core of it can
//! keep another core's server busy.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail, ensure};
use serde::Serialize;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::{JoinError, JoinSet};

use crate::histogram::Histogram;

/// What to ask, how, and for how long.
#[derive(clap::Args, Clone)]
pub(crate) struct Options {
    /// The server.
    #[arg(long)]
    target: SocketAddr,
    /// The path; `{id}` becomes a number of twelve digits, another one in each request.
    #[arg(long)]
    path: String,
    /// A bearer token to send.
    #[arg(long)]
    bearer: Option<String>,
    /// How many connections ask at once.
    #[arg(long)]
    connections: u64,
    /// Seconds before anything is counted.
    #[arg(long)]
    warm_up: f64,
    /// Seconds that count.
    #[arg(long)]
    seconds: f64,
}

/// What was seen; times in microseconds.
#[derive(Serialize)]
struct Seen {
    requests: u64,
    seconds: f64,
    requests_per_second: f64,
    p50: u64,
    p99: u64,
    max: u64,
}

const WARMING_UP: u8 = 0;
const COUNTING: u8 = 1;
const OVER: u8 = 2;

/// Warms up, prints `counting`, counts, and prints what was seen. The first wrong answer is an error.
pub(crate) async fn run(options: Options) -> Result<()> {
    let expected = Connection::open(&options, 0).await?.exchange().await?;
    let phase = Arc::new(AtomicU8::new(WARMING_UP));
    let mut connections = JoinSet::new();
    for number in 0..options.connections {
        let (options, phase) = (options.clone(), Arc::clone(&phase));
        connections.spawn(async move {
            let connection = Connection::open(&options, number * 1_000_000).await?;
            ask(connection, expected, &phase).await
        });
    }
    let wait = |seconds| tokio::time::sleep(Duration::from_secs_f64(seconds));
    tokio::select! {
        () = wait(options.warm_up) => {}
        Some(ended) = connections.join_next() => return Err(early(ended)),
    }
    println!("counting");
    phase.store(COUNTING, Ordering::Relaxed);
    let begin = Instant::now();
    tokio::select! {
        () = wait(options.seconds) => {}
        Some(ended) = connections.join_next() => return Err(early(ended)),
    }
    phase.store(OVER, Ordering::Relaxed);
    let seconds = begin.elapsed().as_secs_f64();

    let mut latencies = Histogram::new();
    while let Some(ended) = connections.join_next().await {
        latencies.merge(&ended??);
    }
    let seen = Seen {
        requests: latencies.total(),
        seconds,
        requests_per_second: latencies.total() as f64 / seconds,
        p50: latencies.quantile(0.5),
        p99: latencies.quantile(0.99),
        max: latencies.max(),
    };
    println!("{}", serde_json::to_string(&seen)?);
    Ok(())
}

/// Why a connection ended before its time.
fn early(ended: Result<Result<Histogram>, JoinError>) -> anyhow::Error {
    match ended {
        Ok(Ok(_)) => anyhow!("a connection ended before its time"),
        Ok(Err(error)) => error,
        Err(error) => error.into(),
    }
}

/// Asks until it is over. Every answer must be as long as the first one was.
async fn ask(mut connection: Connection, expected: usize, phase: &AtomicU8) -> Result<Histogram> {
    let mut latencies = Histogram::new();
    loop {
        let begin = Instant::now();
        let length = connection.exchange().await?;
        ensure!(length == expected, "an answer of {length} bytes where {expected} were expected");
        match phase.load(Ordering::Relaxed) {
            COUNTING => latencies.record(begin.elapsed().as_micros() as u64),
            OVER => return Ok(latencies),
            _ => {}
        }
    }
}

/// The digits of a request's number.
const DIGITS: usize = 12;

struct Connection {
    stream: TcpStream,
    /// The request; the digits at `number_at` count up.
    request: Vec<u8>,
    number: u64,
    number_at: Option<usize>,
    buffer: Vec<u8>,
}

impl Connection {
    async fn open(options: &Options, number: u64) -> Result<Self> {
        let stream = TcpStream::connect(options.target).await?;
        stream.set_nodelay(true)?;
        let path = options.path.replace("{id}", &"0".repeat(DIGITS));
        let mut request =
            format!("GET {path} HTTP/1.1\r\nhost: {}\r\naccept: application/json\r\n", options.target);
        if let Some(token) = &options.bearer {
            request.push_str(&format!("authorization: Bearer {token}\r\n"));
        }
        request.push_str("\r\n");
        let number_at = options.path.find("{id}").map(|at| at + "GET ".len());
        Ok(Self { stream, request: request.into_bytes(), number, number_at, buffer: vec![0; 16 * 1024] })
    }

    /// Sends one request and reads its answer, which must be a success. Gives the length of the answer's body.
    async fn exchange(&mut self) -> Result<usize> {
        self.number += 1;
        if let Some(digits) = self.number_at.and_then(|at| self.request.get_mut(at..at + DIGITS)) {
            let mut rest = self.number;
            for digit in digits.iter_mut().rev() {
                *digit = b'0' + (rest % 10) as u8;
                rest /= 10;
            }
        }
        self.stream.write_all(&self.request).await?;

        let mut filled = 0;
        loop {
            let free = self.buffer.get_mut(filled..).context("the answer is longer than 16 KiB")?;
            ensure!(!free.is_empty(), "the answer is longer than 16 KiB");
            let read = self.stream.read(free).await?;
            ensure!(read > 0, "the server closed the connection");
            filled += read;
            let answer = self.buffer.get(..filled).unwrap_or_default();
            if let Some((head, body)) = split_head(answer) {
                let length = content_length(head)?;
                if body.len() >= length {
                    ensure!(body.len() == length, "more came than the answer's length says");
                    return Ok(length);
                }
            }
        }
    }
}

fn split_head(answer: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n")?;
    Some((answer.get(..end + 2)?, answer.get(end + 4..)?))
}

/// The length a head of status 200 announces.
fn content_length(head: &[u8]) -> Result<usize> {
    if !head.starts_with(b"HTTP/1.1 200 ") {
        bail!("the server refused: {}", String::from_utf8_lossy(head));
    }
    const NAME: &[u8] = b"\r\ncontent-length: ";
    let shown = || format!("no `content-length` in {}", String::from_utf8_lossy(head));
    let at =
        head.windows(NAME.len()).position(|window| window.eq_ignore_ascii_case(NAME)).with_context(shown)?;
    let digits = head.get(at + NAME.len()..).unwrap_or_default().split(|byte| *byte == b'\r').next();
    Ok(std::str::from_utf8(digits.unwrap_or_default())?.trim().parse()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_success_with_a_length_is_an_answer() {
        let answer = b"HTTP/1.1 200 OK\r\ncontent-type: a\r\nContent-Length: 12\r\n\r\nbody";
        let (head, body) = split_head(answer).unwrap();
        assert_eq!((content_length(head).unwrap(), body), (12, b"body".as_slice()));
        assert!(split_head(b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\n").is_none());
        for wrong in ["HTTP/1.1 404 Not Found\r\ncontent-length: 1\r\n", "HTTP/1.1 200 OK\r\n"] {
            assert!(content_length(wrong.as_bytes()).is_err(), "{wrong}");
        }
    }

    #[test]
    fn long_answers_are_waited_for_to_their_end() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
            let options = Options {
                target: listener.local_addr().unwrap(),
                path: "/records/{id}".to_owned(),
                bearer: Some("key".to_owned()),
                connections: 1,
                warm_up: 0.0,
                seconds: 0.0,
            };
            let server = tokio::spawn(async move {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut request = vec![0; 1024];
                let length = stream.read(&mut request).await.unwrap();
                for piece in ["HTTP/1.1 200 OK\r\ncontent-le", "ngth: 4\r\n\r\nab", "cd"] {
                    stream.write_all(piece.as_bytes()).await.unwrap();
                    tokio::task::yield_now().await;
                }
                String::from_utf8(request[..length].to_vec()).unwrap()
            });
            let mut connection = Connection::open(&options, 41).await.unwrap();
            assert_eq!(connection.exchange().await.unwrap(), 4);
            let request = server.await.unwrap();
            assert!(request.starts_with("GET /records/000000000042 HTTP/1.1\r\n"), "{request}");
            assert!(request.contains("\r\nauthorization: Bearer key\r\n"), "{request}");
        });
    }
}

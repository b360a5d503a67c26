//! Agencies that call without pause until the host is gone, and remember what they were told.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, Result};
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{Instant, sleep, timeout};

use super::random::Random;

/// How many call at once.
const CALLERS: u64 = 8;

/// How long an answer may take.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);

/// How long it may take until the first answers are there.
const BUSY_WITHIN: Duration = Duration::from_secs(30);

/// What a call is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// It changes nothing.
    Read,
    /// It changes something.
    Order,
    /// It changes something, and has an idempotency key.
    Keyed,
}

/// A call to be made. The item is its dossier too, by which it is found in the ledger, and its idempotency key.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) kind: Kind,
    pub(crate) item: String,
}

/// An answer that came to its last byte.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    /// The identifier of the exchange.
    pub(crate) exchange: String,
    pub(crate) status: u16,
    pub(crate) body: Bytes,
    /// Whether it is the answer to an earlier request with the key.
    pub(crate) replayed: bool,
}

impl Answer {
    /// The problem's code, where it is one.
    pub(crate) fn problem(&self) -> Option<String> {
        let body: Value = serde_json::from_slice(&self.body).ok()?;
        Some(body.get("code")?.as_str()?.to_owned())
    }
}

/// What became of a call: an answer, or none that came to its end.
pub(crate) type Made = (Call, Option<Answer>);

/// One caller and its connection.
pub(crate) struct Caller {
    host: SocketAddr,
    key: Arc<str>,
    connection: Option<Connection>,
}

/// An open connection. Whoever drops it in the middle of a call has hung up.
struct Connection {
    sender: SendRequest<Full<Bytes>>,
    driver: AbortHandle,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl Caller {
    pub(crate) fn new(host: SocketAddr, key: Arc<str>) -> Self {
        Self { host, key, connection: None }
    }

    /// Calls, and waits for the whole answer.
    pub(crate) async fn call(&mut self, call: &Call) -> Result<Answer> {
        let answer = timeout(ANSWER_WITHIN, self.exchange(call));
        answer.await.with_context(|| format!("no answer within {ANSWER_WITHIN:?}"))?
    }

    async fn exchange(&mut self, call: &Call) -> Result<Answer> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.connect().await?,
        };
        let answer = connection.sender.send_request(self.request(call)?).await?;
        let header = |name: &str| answer.headers().get(name).and_then(|value| value.to_str().ok());
        let exchange = header("x-request-id").context("an answer without x-request-id")?.to_owned();
        let replayed = header("idempotency-replayed").is_some();
        let status = answer.status().as_u16();
        let body = answer.into_body().collect().await?.to_bytes();
        // Left out where the answer did not come to its end: the connection is of no more use.
        self.connection = connection.sender.ready().await.is_ok().then_some(connection);
        Ok(Answer { exchange, status, body, replayed })
    }

    async fn connect(&self) -> Result<Connection> {
        let stream = TcpStream::connect(self.host).await?;
        stream.set_nodelay(true)?;
        let (sender, driver) = http1::handshake(TokioIo::new(stream)).await?;
        Ok(Connection { sender, driver: tokio::spawn(driver).abort_handle() })
    }

    fn request(&self, Call { kind, item }: &Call) -> Result<Request<Full<Bytes>>> {
        let mut request = Request::builder()
            .header(HOST, self.host.to_string())
            .header(AUTHORIZATION, format!("Bearer {}", self.key))
            .header("truc-dossier", item);
        let body = match kind {
            Kind::Read => {
                request = request.uri(format!("/api/trial/v1/items/{item}"));
                Bytes::new()
            }
            Kind::Order | Kind::Keyed => {
                request = request.method(Method::POST).uri("/api/trial/v1/orders");
                request = request.header(CONTENT_TYPE, "application/json");
                Bytes::from(json!({ "id": item }).to_string())
            }
        };
        if *kind == Kind::Keyed {
            request = request.header("idempotency-key", item);
        }
        Ok(request.body(Full::new(body))?)
    }
}

/// Callers at work.
pub(crate) struct Load {
    callers: JoinSet<Vec<Made>>,
    answered: Arc<AtomicU64>,
}

impl Load {
    /// Sets callers on a host. `round` tells their items from those of other loads.
    pub(crate) fn start(host: SocketAddr, key: &Arc<str>, round: u64, random: &mut Random) -> Self {
        let answered = Arc::new(AtomicU64::new(0));
        let mut callers = JoinSet::new();
        for number in 0..CALLERS {
            let caller = Caller::new(host, key.clone());
            let name = format!("{round}-{number}");
            callers.spawn(call_on(caller, name, random.another(), answered.clone()));
        }
        Self { callers, answered }
    }

    /// Waits until there are so many answers.
    pub(crate) async fn answers(&self, least: u64) -> Result<()> {
        let begin = Instant::now();
        while self.answered.load(Ordering::Relaxed) < least {
            anyhow::ensure!(begin.elapsed() < BUSY_WITHIN, "the host does not answer its callers");
            sleep(Duration::from_millis(1)).await;
        }
        Ok(())
    }

    /// What all of them called, once the host is gone.
    pub(crate) async fn end(self) -> Vec<Made> {
        self.callers.join_all().await.into_iter().flatten().collect()
    }
}

/// Calls until the host is gone.
async fn call_on(
    mut caller: Caller,
    name: String,
    mut random: Random,
    answered: Arc<AtomicU64>,
) -> Vec<Made> {
    let mut made: Vec<Made> = Vec::new();
    loop {
        let (kind, letter) = match random.below(10) {
            0..4 => (Kind::Read, 'r'),
            4..7 => (Kind::Order, 'o'),
            _ => (Kind::Keyed, 'k'),
        };
        let call = Call { kind, item: format!("{letter}{name}-{}", made.len()) };
        if random.in_a_thousand(30) {
            // Hangs up before the answer, as callers do.
            let patience = Duration::from_millis(random.below(8));
            let answer = timeout(patience, caller.call(&call)).await;
            let gone = matches!(answer, Ok(Err(_)));
            made.push((call, answer.ok().and_then(Result::ok)));
            if gone {
                return made;
            }
            continue;
        }
        match caller.call(&call).await {
            Ok(answer) => {
                answered.fetch_add(1, Ordering::Relaxed);
                made.push((call, Some(answer)));
            }
            Err(_) => {
                made.push((call, None));
                return made;
            }
        }
    }
}

//! A chaos proxy: stands between a host and a healthy upstream, asks the upstream like any proxy, and spoils the answer
//! in one way. One proxy for each fault, so that what a call meets does not depend on chance. Tests of the gateway use it
//! too.

use std::io::{ErrorKind, Result};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

/// One way in which an upstream is sick.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// No fault: the proxy only passes on.
    None,
    /// Connections are refused.
    Refused,
    /// Connections are taken, and nothing is ever answered.
    Silent,
    /// The connection is reset instead of an answer.
    ResetBeforeAnswer,
    /// It is reset in the middle of the answer's head.
    ResetInHead,
    /// It is reset in the middle of the body.
    ResetInBody,
    /// The head comes one byte at a time.
    DrippingHead,
    /// The body does.
    DrippingBody,
    /// The body stands still in the middle.
    StalledBody,
    /// The announced length is not that of the body: by turns longer, with the connection ending, and shorter, with an
    /// answer to somebody else after it.
    LyingLength,
    /// What comes is no HTTP.
    Garbage,
    /// Header fields and bodies, by turns, that never end.
    Endless,
    /// The upstream's side is closed after the request, and nothing more is said.
    HalfClosed,
}

impl Fault {
    /// The twelve.
    pub(crate) const ALL: [Self; 12] = [
        Self::Refused,
        Self::Silent,
        Self::ResetBeforeAnswer,
        Self::ResetInHead,
        Self::ResetInBody,
        Self::DrippingHead,
        Self::DrippingBody,
        Self::StalledBody,
        Self::LyingLength,
        Self::Garbage,
        Self::Endless,
        Self::HalfClosed,
    ];

    /// A name that a service can have.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::None => "well",
            Self::Refused => "refused",
            Self::Silent => "silent",
            Self::ResetBeforeAnswer => "reset-before-answer",
            Self::ResetInHead => "reset-in-head",
            Self::ResetInBody => "reset-in-body",
            Self::DrippingHead => "dripping-head",
            Self::DrippingBody => "dripping-body",
            Self::StalledBody => "stalled-body",
            Self::LyingLength => "lying-length",
            Self::Garbage => "garbage",
            Self::Endless => "endless",
            Self::HalfClosed => "half-closed",
        }
    }
}

/// How far apart the bytes are that drip.
const DRIP: Duration = Duration::from_millis(40);
/// The most bytes that are sent without end, so that a proxy ends even where a host does not.
const MOST_ENDLESS: usize = 64 << 20;
/// The most that is read of a request.
const MOST_REQUEST: usize = 64 << 10;

/// A running proxy. It ends, with all its connections, when this value is dropped.
pub(crate) struct Proxy {
    /// Where it listens, or refuses.
    pub(crate) address: SocketAddr,
    /// Requests that reached it.
    pub(crate) requests: Arc<AtomicU64>,
    /// Connections to it that are open.
    pub(crate) open: Arc<AtomicU64>,
    task: Option<JoinHandle<()>>,
    /// A port that is taken and not listened on.
    _refusing: Option<TcpSocket>,
}

impl Proxy {
    /// Starts a proxy with a fault before an upstream.
    pub(crate) async fn start(fault: Fault, upstream: SocketAddr) -> Result<Self> {
        let (requests, open) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        if fault == Fault::Refused {
            let socket = TcpSocket::new_v4()?;
            socket.bind(([127, 0, 0, 1], 0).into())?;
            let address = socket.local_addr()?;
            return Ok(Self { address, requests, open, task: None, _refusing: Some(socket) });
        }
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let (counter, gauge) = (requests.clone(), open.clone());
        let task = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                tokio::select! {
                    Some(_) = connections.join_next() => {}
                    Ok((stream, _)) = listener.accept() => {
                        let (counter, gauge) = (counter.clone(), gauge.clone());
                        gauge.fetch_add(1, Ordering::Relaxed);
                        connections.spawn(async move {
                            // Whoever goes away ends a connection with an error; that is the host's business.
                            let _ = serve(stream, fault, upstream, &counter).await;
                            gauge.fetch_sub(1, Ordering::Relaxed);
                        });
                    }
                }
            }
        });
        Ok(Self { address, requests, open, task: Some(task), _refusing: None })
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

/// Answers requests on one connection until it ends.
async fn serve(mut host: TcpStream, fault: Fault, upstream: SocketAddr, requests: &AtomicU64) -> Result<()> {
    host.set_nodelay(true)?;
    while let Some(request) = head(&mut host).await? {
        let number = requests.fetch_add(1, Ordering::Relaxed);
        let answer = forward(upstream, &request).await?;
        let end = answer.windows(4).position(|window| window == b"\r\n\r\n").ok_or(ErrorKind::InvalidData)?;
        let (head, body) = answer.split_at(end + 4);
        match fault {
            Fault::None => host.write_all(&answer).await?,
            Fault::Refused | Fault::Silent => return idle(host).await,
            Fault::ResetBeforeAnswer => return host.set_zero_linger(),
            Fault::ResetInHead => return reset_after(host, half(head)).await,
            Fault::ResetInBody => return reset_after(host, &[head, half(body)].concat()).await,
            Fault::DrippingHead => return drip(host, &answer).await,
            Fault::DrippingBody => {
                host.write_all(head).await?;
                return drip(host, body).await;
            }
            Fault::StalledBody => {
                host.write_all(&[head, half(body)].concat()).await?;
                return idle(host).await;
            }
            Fault::LyingLength if number.is_multiple_of(2) => {
                host.write_all(&announced(body.len() + 10)).await?;
                host.write_all(body).await?;
                return host.shutdown().await;
            }
            Fault::LyingLength => {
                let other = b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\npoison";
                host.write_all(&[&announced(half(body).len()), body, other].concat()).await?;
            }
            Fault::Garbage => {
                host.write_all(b"\0\x01\x02 no answer\xff\xfe\r\n\r\n<html>").await?;
                return idle(host).await;
            }
            Fault::Endless => {
                let (begin, piece): (&[u8], Vec<u8>) = match number.is_multiple_of(2) {
                    true => {
                        (b"HTTP/1.1 200 OK\r\n", b"x-more: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\r\n".repeat(200))
                    }
                    false => {
                        let chunk = [b"2000\r\n".as_slice(), &[b'x'; 0x2000], b"\r\n"].concat();
                        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", chunk)
                    }
                };
                host.write_all(begin).await?;
                for _ in 0..MOST_ENDLESS / piece.len() {
                    host.write_all(&piece).await?;
                }
                return Ok(());
            }
            Fault::HalfClosed => {
                host.shutdown().await?;
                return idle(host).await;
            }
        }
    }
    Ok(())
}

/// Reads the head of a request, which has no body here; none if the connection ends before one.
async fn head(host: &mut TcpStream) -> Result<Option<Vec<u8>>> {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        if host.read_buf(&mut request).await? == 0 || request.len() > MOST_REQUEST {
            return Ok(None);
        }
    }
    Ok(Some(request))
}

/// Asks the upstream on a connection of its own.
async fn forward(upstream: SocketAddr, request: &[u8]) -> Result<Vec<u8>> {
    let mut stream = TcpStream::connect(upstream).await?;
    stream.write_all(request).await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    Ok(answer)
}

fn half(bytes: &[u8]) -> &[u8] {
    bytes.get(..bytes.len() / 2).unwrap_or_default()
}

fn announced(length: usize) -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: {length}\r\n\r\n").into_bytes()
}

/// Says nothing more until the host goes away.
async fn idle(mut host: TcpStream) -> Result<()> {
    while host.read(&mut [0; 1024]).await? > 0 {}
    Ok(())
}

/// Writes some bytes, waits until they have arrived, and resets the connection.
async fn reset_after(mut host: TcpStream, bytes: &[u8]) -> Result<()> {
    host.write_all(bytes).await?;
    host.set_zero_linger()?;
    // A reset overtakes what is still on its way. What is written here is read at once, and nothing tells when.
    tokio::time::sleep(Duration::from_millis(5)).await;
    Ok(())
}

async fn drip(mut host: TcpStream, bytes: &[u8]) -> Result<()> {
    let mut drops = tokio::time::interval(DRIP);
    for byte in bytes {
        drops.tick().await;
        host.write_all(&[*byte]).await?;
    }
    idle(host).await
}

/// A healthy upstream: answers every request for an item with a text of its name, and closes the connection.
pub(crate) struct Upstream {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    task: JoinHandle<()>,
}

impl Upstream {
    /// Starts it.
    pub(crate) async fn start() -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let task = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                tokio::select! {
                    Some(_) = connections.join_next() => {}
                    Ok((stream, _)) = listener.accept() => {
                        connections.spawn(async move {
                            let _ = item(stream).await;
                        });
                    }
                }
            }
        });
        Ok(Self { address, task })
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The text of an item: long enough that half of it can be missing.
pub(crate) fn text(item: &str) -> String {
    format!("item {item}: {}", "x".repeat(200))
}

async fn item(mut stream: TcpStream) -> Result<()> {
    let Some(request) = head(&mut stream).await? else { return Ok(()) };
    let request = String::from_utf8_lossy(&request).into_owned();
    let path = request.split(' ').nth(1).unwrap_or_default();
    let text = text(path.rsplit('/').next().unwrap_or_default());
    let answer = [announced(text.len()), text.into_bytes()].concat();
    stream.write_all(&answer).await?;
    stream.shutdown().await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn each_fault_spoils_the_answer_in_its_way() {
        let upstream = Upstream::start().await.unwrap();
        for fault in [Fault::None, Fault::ResetInBody, Fault::HalfClosed, Fault::Garbage, Fault::LyingLength]
        {
            let proxy = Proxy::start(fault, upstream.address).await.unwrap();
            let mut stream = TcpStream::connect(proxy.address).await.unwrap();
            stream.write_all(b"GET /items/7 HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
            let mut answer = vec![0; 4096];
            let mut length = 0;
            while let Ok(read) = stream.read(&mut answer[length..]).await {
                length += read;
                let whole = answer[..length].ends_with(b"xx") && length > 200;
                if read == 0 || whole || answer[..length].ends_with(b"<html>") {
                    break;
                }
            }
            let answer = String::from_utf8_lossy(&answer[..length]).into_owned();
            let complete = answer.contains(&text("7"));
            assert_eq!(complete, matches!(fault, Fault::None | Fault::LyingLength), "{fault:?}: {answer}");
            assert_eq!(proxy.requests.load(Ordering::Relaxed), 1);
        }
        let refused = Proxy::start(Fault::Refused, upstream.address).await.unwrap();
        assert!(TcpStream::connect(refused.address).await.is_err());
    }
}

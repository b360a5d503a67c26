//! The attackers: each goes on until it is stopped. All of them come from loopback addresses, and all they do is bounded
//! in number and rate.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::Result;
use serde::Deserialize;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;

use crate::attack::Size;
use crate::attack::stage::Stage;

/// Byte sequences of the tests of `truc-listen`.
const SMUGGLING: &str = include_str!("../../../../host/listen/tests/smuggling.json");
/// Targets of the tests of `truc-gateway`.
const TRAVERSAL: &str = include_str!("../../../../host/gateway/tests/traversal.json");

/// How far apart the bytes of a slow caller are.
const DRIP: Duration = Duration::from_millis(500);
/// How long an attacker rests whose connection was closed.
const REST: Duration = Duration::from_millis(500);
/// How long an attacker waits for an answer.
const PATIENCE: Duration = Duration::from_secs(20);

/// A way to attack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Attack {
    Idle,
    IdleAdmin,
    SlowHeads,
    LongHeads,
    SlowBodies,
    SlowReaders,
    Smuggling,
    Http2,
    DeepJson,
    Compression,
    Traversal,
}

impl Attack {
    pub(super) const ALL: [Self; 11] = [
        Self::Idle,
        Self::IdleAdmin,
        Self::SlowHeads,
        Self::LongHeads,
        Self::SlowBodies,
        Self::SlowReaders,
        Self::Smuggling,
        Self::Http2,
        Self::DeepJson,
        Self::Compression,
        Self::Traversal,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Idle => "idle connections",
            Self::IdleAdmin => "idle connections to the admin API",
            Self::SlowHeads => "slow heads",
            Self::LongHeads => "long heads that do not end",
            Self::SlowBodies => "slow bodies",
            Self::SlowReaders => "slow readers",
            Self::Smuggling => "request smuggling",
            Self::Http2 => "HTTP/2 floods",
            Self::DeepJson => "deep JSON",
            Self::Compression => "compressed bodies",
            Self::Traversal => "path traversal",
        }
    }

    /// How many attack at once.
    fn attackers(self, size: Size) -> usize {
        match self {
            Self::Idle => size.of(5000, 400),
            Self::IdleAdmin => size.of(1000, 300),
            Self::SlowHeads => size.of(1000, 100),
            Self::LongHeads => size.of(1000, 100),
            Self::SlowBodies => size.of(500, 60),
            Self::SlowReaders => size.of(40, 6),
            Self::Http2 => size.of(16, 4),
            Self::Smuggling | Self::Traversal | Self::DeepJson | Self::Compression => size.of(4, 2),
        }
    }

    pub(super) fn start(self, target: &Arc<Target>, attackers: &mut JoinSet<()>) {
        for number in 0..self.attackers(target.size) {
            let target = target.clone();
            attackers.spawn(async move {
                loop {
                    // A connection that ends is what an attacker expects.
                    let _ = self.once(&target, number).await;
                    tokio::time::sleep(REST).await;
                }
            });
        }
    }

    /// Attacks once, for as long as the host lets it.
    async fn once(self, target: &Target, number: usize) -> Result<()> {
        match self {
            Self::Idle => until_closed(target.connect(target.api, number).await?).await,
            Self::IdleAdmin => until_closed(target.connect(target.admin, number).await?).await,
            Self::SlowHeads => {
                let stream = target.connect(target.api, number).await?;
                drip(stream, b"GET /api/trial/v1/things/5 HTTP/1.1\r\nHost: a\r\nX-A: ").await
            }
            Self::LongHeads => {
                let stream = target.connect(target.api, number).await?;
                let long = format!("GET /a HTTP/1.1\r\nHost: a\r\nX-A: {}", "a".repeat(60_000));
                drip(stream, long.as_bytes()).await
            }
            Self::SlowBodies => {
                let stream = target.connect(target.api, number).await?;
                let head = target.head(
                    "POST",
                    "/api/trial/v1/values/echo",
                    "Content-Type: application/json\r\nContent-Length: 100000\r\n",
                );
                drip(stream, format!("{head}{{").as_bytes()).await
            }
            Self::SlowReaders => {
                let mut stream = target.connect(target.api, number).await?;
                stream.write_all(target.head("GET", "/api/trial/v1/texts/4000000", "").as_bytes()).await?;
                let mut sips = tokio::time::interval(DRIP);
                loop {
                    sips.tick().await;
                    if stream.read(&mut [0; 16]).await? == 0 {
                        return Ok(());
                    }
                }
            }
            Self::Smuggling => {
                let smuggled = target.head("GET", "/api/trial/v1/items/1", "");
                for sequence in target.sequences.iter() {
                    target.judge(number, format!("{sequence}{smuggled}").as_bytes()).await?;
                }
                Ok(())
            }
            Self::Http2 => http_2(target, number).await,
            Self::DeepJson => {
                let deep = format!("{{\"text\":{}", "[{\"a\":".repeat(200_000));
                target.post(number, "", deep.as_bytes()).await
            }
            Self::Compression => target.post(number, "Content-Encoding: gzip\r\n", &target.bomb).await,
            Self::Traversal => {
                for path in target.paths.iter() {
                    target.judge(number, target.head("GET", path, "").as_bytes()).await?;
                }
                Ok(())
            }
        }
    }
}

/// What is attacked, with what, and what came of it.
pub(super) struct Target {
    api: SocketAddr,
    admin: SocketAddr,
    key: String,
    size: Size,
    sequences: Vec<String>,
    paths: Vec<String>,
    bomb: Vec<u8>,
    /// Connections and requests of attackers.
    pub(super) attempts: AtomicU64,
    /// Requests of attackers whose answer was looked at.
    pub(super) judged: AtomicU64,
    /// Those that were answered with success.
    pub(super) through: AtomicU64,
}

/// A row of the table of sequences.
#[derive(Deserialize)]
struct Row {
    bytes: String,
    comes: String,
}

impl Target {
    pub(super) fn new(stage: &Stage, size: Size) -> Result<Arc<Self>> {
        let rows: Vec<Row> = serde_json::from_str(SMUGGLING)?;
        let ends = |row: &Row| matches!(row.comes.as_str(), "refused" | "nothing" | "broken");
        Ok(Arc::new(Self {
            api: stage.host.api,
            admin: stage.host.admin,
            key: stage.key.clone(),
            size,
            sequences: rows.into_iter().filter(ends).map(|row| row.bytes).collect(),
            paths: paths()?,
            bomb: bomb(size.of(100 << 20, 10 << 20)),
            attempts: AtomicU64::new(0),
            judged: AtomicU64::new(0),
            through: AtomicU64::new(0),
        }))
    }

    /// A connection from one of several addresses, so that ports last.
    async fn connect(&self, to: SocketAddr, number: usize) -> Result<TcpStream> {
        self.attempts.fetch_add(1, Ordering::Relaxed);
        let socket = TcpSocket::new_v4()?;
        let last = u8::try_from(2 + number % 16)?;
        socket.bind(SocketAddr::from((Ipv4Addr::new(127, 0, 0, last), 0)))?;
        // Little is taken at a time, so that a slow reader is one.
        socket.set_recv_buffer_size(8 << 10)?;
        Ok(socket.connect(to).await?)
    }

    fn head(&self, method: &str, path: &str, fields: &str) -> String {
        format!("{method} {path} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {}\r\n{fields}\r\n", self.key)
    }

    async fn post(&self, number: usize, fields: &str, body: &[u8]) -> Result<()> {
        let fields = format!("Content-Type: application/json\r\n{fields}Content-Length: {}\r\n", body.len());
        let head = self.head("POST", "/api/trial/v1/values/echo", &fields);
        self.judge(number, &[head.as_bytes(), body].concat()).await
    }

    /// Sends bytes, reads what comes to the end, and counts an answer of success.
    async fn judge(&self, number: usize, bytes: &[u8]) -> Result<()> {
        let mut stream = self.connect(self.api, number).await?;
        // Whoever refuses early may have closed its side by now.
        let _ = stream.write_all(bytes).await;
        stream.shutdown().await.ok();
        let mut answer = Vec::new();
        let _ = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer)).await;
        self.judged.fetch_add(1, Ordering::Relaxed);
        if String::from_utf8_lossy(&answer).contains("HTTP/1.1 2") {
            self.through.fetch_add(1, Ordering::Relaxed);
            let shown = String::from_utf8_lossy(bytes).chars().take(300).collect::<String>();
            crate::workspace::progress(format_args!("got through: {shown:?}"));
        }
        Ok(())
    }
}

/// Every spelling of a path that must not lead anywhere.
fn paths() -> Result<Vec<String>> {
    let table: Value = serde_json::from_str(TRAVERSAL)?;
    let list = |name: &str| {
        let texts = table.get(name).and_then(Value::as_array).into_iter().flatten();
        texts.filter_map(Value::as_str).map(str::to_owned).collect::<Vec<_>>()
    };
    let mut paths = list("others");
    let slashes = list("slashes");
    for dots in list("dots") {
        paths.extend(
            slashes.iter().map(|slash| format!("/api/trial/v1/items/{dots}{slash}people{slash}001190000017")),
        );
    }
    Ok(paths)
}

async fn until_closed(mut stream: TcpStream) -> Result<()> {
    while stream.read(&mut [0; 64]).await? > 0 {}
    Ok(())
}

/// Sends the beginning at once and then a byte now and then.
async fn drip(mut stream: TcpStream, begin: &[u8]) -> Result<()> {
    stream.write_all(begin).await?;
    let mut drops = tokio::time::interval(DRIP);
    loop {
        drops.tick().await;
        stream.write_all(b"a").await?;
    }
}

/// The preface of HTTP/2, and after it as many frames of one kind as the host takes.
async fn http_2(target: &Target, number: usize) -> Result<()> {
    let frames: [&[u8]; 5] = [
        // HEADERS and RST_STREAM on one stream after the other: rapid reset.
        b"\0\0\x01\x01\x05\0\0\0\x01\x82\0\0\x04\x03\0\0\0\0\x01\0\0\0\x08",
        // HEADERS without an end, CONTINUATION without an end.
        b"\0\0\x01\x01\0\0\0\0\x01\x82\0\0\x01\x09\0\0\0\0\x01\x82\0\0\x01\x09\0\0\0\0\x01\x82",
        // SETTINGS.
        b"\0\0\0\x04\0\0\0\0\0",
        // PING.
        b"\0\0\x08\x06\0\0\0\0\0\0\0\0\0\0\0\0\0",
        // Empty DATA.
        b"\0\0\0\0\0\0\0\0\x01",
    ];
    for frame in frames {
        let mut stream = target.connect(target.api, number).await?;
        let begin = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
        let bytes = [begin.as_slice(), &frame.repeat(20_000)].concat();
        let _ = tokio::time::timeout(PATIENCE, stream.write_all(&bytes)).await;
        let _ = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut Vec::new())).await;
    }
    Ok(())
}

/// A gzip file of a few kilobytes that stands for that many zeros (RFC 1951, fixed codes).
fn bomb(zeros: usize) -> Vec<u8> {
    let mut file = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3];
    let (mut bits, mut count) = (0_u32, 0);
    let mut put = |value: u32, length: u32| {
        bits |= value << count;
        count += length;
        while count >= 8 {
            file.push((bits & 0xff) as u8);
            bits >>= 8;
            count -= 8;
        }
    };
    // The last block, with fixed codes; the literal 0.
    put(0b011, 3);
    put(0x30_u32.reverse_bits() >> 24, 8);
    for _ in 0..zeros / 258 {
        // 258 bytes like the one before: length code 285, distance code 0.
        put(0xc5_u32.reverse_bits() >> 24, 8);
        put(0, 5);
    }
    put(0, 7);
    put(0, 7);
    // Checksum and size, which nobody is to get to.
    file.extend_from_slice(&[0; 8]);
    file
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_something_to_attack_with() {
        let rows: Vec<Row> = serde_json::from_str(SMUGGLING).unwrap();
        assert!(rows.iter().filter(|row| row.comes != "next").count() >= 60);
        assert!(paths().unwrap().len() >= 100);
        let bomb = bomb(100 << 20);
        assert!(bomb.len() < 1 << 20 && bomb.starts_with(b"\x1f\x8b"), "{}", bomb.len());
    }
}

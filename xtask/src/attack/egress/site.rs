//! Upstreams of the suite's own: they read as strictly as can be, and are as sick as they are told to be.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Result;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::strict;

/// How an upstream behaves.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Mood {
    /// It answers 200.
    Well,
    /// It answers 503.
    Unavailable,
    /// It takes requests and says nothing.
    Dead,
}

/// An upstream.
pub(super) struct Site {
    pub(super) address: SocketAddr,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    mood: AtomicU8,
    requests: AtomicU64,
    faults: Mutex<Vec<String>>,
}

impl Site {
    /// Begins to listen on a free port of `127.0.0.1`.
    pub(super) async fn start() -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let state = Arc::new(State::default());
        let site = Self { address, state: state.clone() };
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, address, state.clone()));
            }
        });
        Ok(site)
    }

    pub(super) fn turns(&self, mood: Mood) {
        self.state.mood.store(mood as u8, Ordering::SeqCst);
    }

    /// How many requests came.
    pub(super) fn requests(&self) -> u64 {
        self.state.requests.load(Ordering::SeqCst)
    }

    /// What came that was no request as it should be.
    pub(super) fn faults(&self) -> Vec<String> {
        self.state.faults.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

async fn serve(mut stream: TcpStream, address: SocketAddr, state: Arc<State>) {
    let mut buffer = Vec::new();
    while stream.read_buf(&mut buffer).await.is_ok_and(|read| read > 0) {
        let message = match strict::read(&buffer, &address.to_string()) {
            Ok(None) => continue,
            Ok(Some(message)) => message,
            Err(fault) => {
                state.faults.lock().unwrap_or_else(PoisonError::into_inner).push(fault);
                return;
            }
        };
        buffer.clear();
        state.requests.fetch_add(1, Ordering::SeqCst);
        let mood = state.mood.load(Ordering::SeqCst);
        if mood == Mood::Dead as u8 {
            // Until the other side gives up.
            while stream.read_buf(&mut buffer).await.is_ok_and(|read| read > 0) {}
            return;
        }
        let status = if mood == Mood::Well as u8 { "200 OK" } else { "503 Service Unavailable" };
        let answer = format!(
            "HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n{}",
            message.target.len(),
            message.target
        );
        if stream.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}

/// Listeners wherever a forbidden target could lead on this machine.
pub(super) struct Canaries {
    /// The port on which all of them listen.
    pub(super) port: u16,
    reached: Arc<AtomicU64>,
}

impl Canaries {
    /// Begins to listen: on a port of their own, and on the port of an upstream at other addresses.
    pub(super) async fn start(upstream: SocketAddr) -> Result<Self> {
        let reached = Arc::new(AtomicU64::new(0));
        let first = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let port = first.local_addr()?.port();
        let mut listeners = vec![first];
        let others: [IpAddr; 2] = ["127.0.0.2".parse()?, "::1".parse()?];
        for address in others {
            for port in [port, upstream.port()] {
                // A machine without IPv6 has one way out less.
                listeners.extend(TcpListener::bind((address, port)).await.ok());
            }
        }
        for listener in listeners {
            let reached = reached.clone();
            tokio::spawn(async move {
                while let Ok(_somebody) = listener.accept().await {
                    reached.fetch_add(1, Ordering::SeqCst);
                }
            });
        }
        Ok(Self { port, reached })
    }

    /// How many connections came.
    pub(super) fn reached(&self) -> u64 {
        self.reached.load(Ordering::SeqCst)
    }
}

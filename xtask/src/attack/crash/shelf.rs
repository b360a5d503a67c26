//! The national system behind the host: it lives in this process, so it outlives every host, and knows of every request
//! it was given.

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use super::random::Random;

/// How long connections of an ended host may take to be gone.
const QUIET_WITHIN: Duration = Duration::from_secs(10);

/// A server of items. Whoever asks for one has changed something: each request is an effect, and is answered with a
/// number that no other has.
pub(crate) struct Shelf {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    effects: Arc<Effects>,
    connections: watch::Receiver<usize>,
}

#[derive(Default)]
struct Effects {
    by_item: Mutex<HashMap<String, u64>>,
    random: Mutex<Option<Random>>,
}

impl Shelf {
    /// Listens on a port that the system chooses.
    pub(crate) async fn start(random: Random) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let effects = Arc::new(Effects { random: Mutex::new(Some(random)), ..Effects::default() });
        let (counter, connections) = watch::channel(0);
        let shared = effects.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (effects, counter) = (shared.clone(), counter.clone());
                counter.send_modify(|open| *open += 1);
                tokio::spawn(async move {
                    let _ = stream.set_nodelay(true);
                    let serve = service_fn(|request| answer(effects.clone(), request));
                    // An error is a host that was killed.
                    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), serve).await;
                    counter.send_modify(|open| *open -= 1);
                });
            }
        });
        Ok(Self { address, effects, connections })
    }

    /// How often an item was asked for.
    pub(crate) fn effects(&self, item: &str) -> u64 {
        lock(&self.effects.by_item).get(item).copied().unwrap_or_default()
    }

    /// Waits until no connection is left: nothing of an ended host can then still be on its way.
    pub(crate) async fn quiet(&self) -> Result<()> {
        let mut connections = self.connections.clone();
        let quiet = timeout(QUIET_WITHIN, connections.wait_for(|open| *open == 0)).await;
        quiet.context("connections of a host that is gone are still open")??;
        Ok(())
    }
}

/// An effect is counted as soon as it was asked for; the answer takes its time.
async fn answer<B>(effects: Arc<Effects>, request: Request<B>) -> Result<Response<Full<Bytes>>, Infallible> {
    let item = request.uri().path().rsplit('/').next().unwrap_or_default().to_owned();
    let number = {
        let mut by_item = lock(&effects.by_item);
        *by_item.entry(item.clone()).or_default() += 1;
        by_item.len()
    };
    let pause = lock(&effects.random).as_mut().map_or(0, |random| match random.in_a_thousand(100) {
        true => random.below(80),
        false => random.below(12),
    });
    sleep(Duration::from_millis(pause)).await;
    Ok(Response::new(Full::new(Bytes::from(format!("{item}#{number}")))))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

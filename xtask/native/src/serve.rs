//! The floor: an axum handler that answers as the bench connector does, without any of what a host adds.

use anyhow::{Context, Result};
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::get;
use axum::serve::{Listener, ListenerExt};
use axum::{Json, Router};
use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tokio::net::TcpListener;

use crate::announce;
use crate::record::{BanGhi, Entry};

/// What the native server needs to know.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// The register to ask: `127.0.0.1:1234`.
    #[arg(long)]
    upstream: String,
}

#[derive(Clone)]
struct Register {
    client: Client<HttpConnector, Empty<Bytes>>,
    address: String,
}

/// Serves until the process is stopped.
pub(crate) async fn run(options: Options) -> Result<()> {
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    let client = Client::builder(TokioExecutor::new()).pool_max_idle_per_host(256).build(connector);
    let register = Register { client, address: options.upstream };

    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    announce(listener.local_addr()?)?;
    let router = Router::new()
        .route("/records/{id}", get(from_memory))
        .route("/upstream-records/{id}", get(from_upstream))
        .with_state(register);
    Ok(axum::serve(no_delay(listener), router).await?)
}

/// The listener with Nagle's algorithm off on every connection, as in the host.
pub(crate) fn no_delay(listener: TcpListener) -> impl Listener<Addr = std::net::SocketAddr> {
    listener.tap_io(|stream| {
        // A connection on which this fails is slower, and still right.
        let _ = stream.set_nodelay(true);
    })
}

async fn from_memory(Path(id): Path<String>) -> Json<Entry> {
    Json(Entry::of(id))
}

async fn from_upstream(
    State(register): State<Register>,
    Path(id): Path<String>,
) -> Result<Json<Entry>, (StatusCode, String)> {
    let failed = |error: anyhow::Error| (StatusCode::BAD_GATEWAY, error.to_string());
    register.ask(&id).await.map(Json).map_err(failed)
}

impl Register {
    async fn ask(&self, id: &str) -> Result<Entry> {
        let uri = format!("http://{}/ban-ghi/{id}", self.address).parse()?;
        let body = self.client.get(uri).await?.into_body().collect().await?.to_bytes();
        let found: BanGhi = serde_json::from_slice(&body)?;
        found.translate().context("the register gave what it does not define")
    }
}

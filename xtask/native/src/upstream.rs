//! The register that the native handler and the connector ask.

use anyhow::Result;
use axum::Router;
use axum::extract::Path;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::get;
use tokio::net::TcpListener;

use crate::{announce, record};

/// Serves until the process is stopped.
pub(crate) async fn run() -> Result<()> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    announce(listener.local_addr()?)?;
    let router = Router::new().route("/ban-ghi/{ma}", get(answer));
    Ok(axum::serve(crate::serve::no_delay(listener), router).await?)
}

async fn answer(Path(id): Path<String>) -> impl IntoResponse {
    ([(CONTENT_TYPE, "application/json")], record::register_answer(&id))
}

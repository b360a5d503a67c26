//! A small HTTP client: one request, one connection, the whole answer, in bounded time.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use hyper::{Method, Request, client::conn::http1};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How long an answer may take.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);

/// Somebody to ask.
#[derive(Clone)]
pub(crate) struct Client {
    address: SocketAddr,
    bearer: Option<String>,
    headers: Vec<(&'static str, String)>,
}

/// What a request carries.
pub(crate) enum Body<'a> {
    /// Nothing.
    None,
    /// A JSON document.
    Json(&'a Value),
    /// A file of a media type.
    File(&'static str, Bytes),
}

/// What came back.
pub(crate) struct Answer {
    /// The HTTP status.
    pub(crate) status: u16,
    /// The body, as JSON where it is JSON and null where it is not.
    pub(crate) json: Value,
    /// From before connecting to the last byte.
    pub(crate) took: Duration,
}

impl Client {
    /// Asks the server at an address.
    pub(crate) fn new(address: SocketAddr) -> Self {
        Self { address, bearer: None, headers: Vec::new() }
    }

    /// The same, with a bearer token.
    pub(crate) fn with_key(&self, key: &str) -> Self {
        Self { bearer: Some(key.to_owned()), ..self.clone() }
    }

    /// The same, without any token.
    pub(crate) fn without_key(&self) -> Self {
        Self { bearer: None, ..self.clone() }
    }

    /// The same, with a header field on every request.
    pub(crate) fn with_header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    /// Sends a request and waits for the whole answer.
    pub(crate) async fn send(&self, method: &Method, path: &str, body: Body<'_>) -> Result<Answer> {
        let begin = Instant::now();
        let mut request = Request::builder().method(method).uri(path).header(HOST, self.address.to_string());
        if let Some(key) = &self.bearer {
            request = request.header(AUTHORIZATION, format!("Bearer {key}"));
        }
        for (name, value) in &self.headers {
            request = request.header(*name, value);
        }
        let content = match body {
            Body::None => Bytes::new(),
            Body::Json(document) => {
                request = request.header(CONTENT_TYPE, "application/json");
                Bytes::from(serde_json::to_vec(document)?)
            }
            Body::File(media_type, content) => {
                request = request.header(CONTENT_TYPE, media_type);
                content
            }
        };
        let request = request.body(Full::new(content))?;
        let (status, content) = timeout(ANSWER_WITHIN, self.exchange(request))
            .await
            .with_context(|| format!("no answer within {ANSWER_WITHIN:?}"))
            .flatten()
            .with_context(|| format!("{method} http://{}{path}", self.address))?;
        let json = serde_json::from_slice(&content).unwrap_or(Value::Null);
        Ok(Answer { status, json, took: begin.elapsed() })
    }

    async fn exchange(&self, request: Request<Full<Bytes>>) -> Result<(u16, Bytes)> {
        let stream = TcpStream::connect(self.address).await?;
        stream.set_nodelay(true)?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        let connection = tokio::spawn(connection);
        let answer = sender.send_request(request).await?;
        let status = answer.status().as_u16();
        let content = answer.into_body().collect().await?.to_bytes();
        connection.abort();
        Ok((status, content))
    }

    /// Gets a JSON document.
    pub(crate) async fn get(&self, path: &str) -> Result<Value> {
        self.expect(&Method::GET, path, Body::None).await
    }

    /// Gets what is no JSON.
    pub(crate) async fn text(&self, path: &str) -> Result<String> {
        let request = Request::builder().uri(path).header(HOST, self.address.to_string());
        let (_, content) = timeout(ANSWER_WITHIN, self.exchange(request.body(Full::default())?)).await??;
        Ok(String::from_utf8_lossy(&content).into_owned())
    }

    /// Sends a request that must succeed and gives the answer's JSON.
    pub(crate) async fn expect(&self, method: &Method, path: &str, body: Body<'_>) -> Result<Value> {
        let answer = self.send(method, path, body).await?;
        anyhow::ensure!(
            (200..300).contains(&answer.status),
            "{method} http://{}{path} was answered with {}: {}",
            self.address,
            answer.status,
            answer.json
        );
        Ok(answer.json)
    }
}

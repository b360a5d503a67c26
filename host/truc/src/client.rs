//! A client of the admin API: one request, one connection, the whole answer, in bounded time.

use std::path::PathBuf;
use std::time::Duration;

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderValue};
use hyper::{Method, Request, Uri, client::conn::http1};
use hyper_util::rt::TokioIo;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::time::timeout;
use truc_model::Secret;
use zeroize::Zeroizing;

use crate::failure::{Exit, Failure};

/// How long a connection may take.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);
/// How long an answer may take; a little longer than the admin API itself waits.
const ANSWER_WITHIN: Duration = Duration::from_secs(130);
/// The largest answer that is read.
const MAX_ANSWER: usize = 64 << 20;

/// What stays as it is in a path segment or a query value (RFC 3986, unreserved).
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Where the admin API is and what opens it.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct AdminOptions {
    /// The address of the host's admin API
    #[arg(
        long = "admin",
        value_name = "URL",
        env = "TRUC_ADMIN",
        default_value = "http://127.0.0.1:8081",
        global = true,
        help_heading = "Admin API",
        hide_env_values = true
    )]
    address: String,
    /// The file that holds the host's admin key
    #[arg(
        long = "admin-key-file",
        value_name = "FILE",
        env = "TRUC_ADMIN_KEY_FILE",
        global = true,
        help_heading = "Admin API",
        hide_env_values = true
    )]
    key_file: Option<PathBuf>,
}

/// Somebody to ask.
pub(crate) struct Admin {
    address: String,
    /// Host and port, as a connection is made to it.
    authority: String,
    host: String,
    port: u16,
    key: Secret,
}

/// What a request carries.
pub(crate) enum Body {
    /// Nothing.
    None,
    /// A JSON document, as text.
    Json(String),
    /// A component.
    Component(Vec<u8>),
    /// The value of a secret.
    Secret(Zeroizing<Vec<u8>>),
}

impl AdminOptions {
    /// A client with the key from the file.
    pub(crate) fn client(&self) -> Result<Admin, Failure> {
        let usage = |reason: String| Failure::new(Exit::Usage, reason);
        let wrong = || {
            usage(format!("{:?} is not the address of an admin API: write http://host:port", self.address))
        };
        let uri: Uri = self.address.parse().map_err(|_| wrong())?;
        let bare = uri.path() == "/" && uri.query().is_none();
        let (Some("http"), Some(authority), true) = (uri.scheme_str(), uri.authority(), bare) else {
            return Err(wrong());
        };
        let Some(file) = &self.key_file else {
            return Err(usage(
                "name the file with the host's admin key: --admin-key-file, or TRUC_ADMIN_KEY_FILE"
                    .to_owned(),
            ));
        };
        let key = std::fs::read_to_string(file).map_err(|error| {
            usage(format!("the admin key file {} cannot be read: {error}", file.display()))
        })?;
        Ok(Admin {
            address: self.address.clone(),
            authority: authority.as_str().to_owned(),
            host: authority.host().trim_start_matches('[').trim_end_matches(']').to_owned(),
            port: authority.port_u16().unwrap_or(80),
            key: Secret::new(key.trim().to_owned()),
        })
    }
}

impl Admin {
    /// Gets a document.
    pub(crate) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Failure> {
        self.ask(Method::GET, path, Body::None).await
    }

    /// Posts a document and gets one back.
    pub(crate) async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        document: &impl Serialize,
    ) -> Result<T, Failure> {
        self.ask(Method::POST, path, json(document)?).await
    }

    /// Asks for something that needs no document.
    pub(crate) async fn act<T: DeserializeOwned>(&self, path: &str) -> Result<T, Failure> {
        self.ask(Method::POST, path, Body::None).await
    }

    /// Deletes something.
    pub(crate) async fn delete(&self, path: &str) -> Result<(), Failure> {
        self.send(Method::DELETE, path, Body::None).await.map(drop)
    }

    /// Sends a request that must succeed, and reads the answer's document.
    pub(crate) async fn ask<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Body,
    ) -> Result<T, Failure> {
        let answer = self.send(method, path, body).await?;
        serde_json::from_slice(&answer).map_err(|error| {
            let reason =
                format!("{} answers with another document than this program expects: {error}", self.address);
            Failure::new(Exit::Unreachable, reason)
        })
    }

    async fn send(&self, method: Method, path: &str, body: Body) -> Result<Bytes, Failure> {
        let mut request = Request::builder().method(method).uri(path).header(HOST, &self.authority);
        let mut key = HeaderValue::from_str(&format!("Bearer {}", self.key.expose()))
            .map_err(|_| Failure::new(Exit::Usage, "the admin key file does not hold a key"))?;
        key.set_sensitive(true);
        request = request.header(AUTHORIZATION, key);
        let content = match body {
            Body::None => Bytes::new(),
            Body::Json(document) => {
                request = request.header(CONTENT_TYPE, "application/json");
                Bytes::from(document)
            }
            Body::Component(bytes) => {
                request = request.header(CONTENT_TYPE, "application/wasm");
                Bytes::from(bytes)
            }
            Body::Secret(value) => {
                request = request.header(CONTENT_TYPE, "text/plain; charset=utf-8");
                // Overwritten when the request is dropped.
                Bytes::from_owner(value)
            }
        };
        let request =
            request.body(Full::new(content)).map_err(|error| Failure::new(Exit::Internal, error))?;
        let exchange = timeout(ANSWER_WITHIN, self.exchange(request)).await;
        let (status, content) =
            exchange.unwrap_or_else(|_| Err("no answer in time".into())).map_err(|error| {
                let reason = format!(
                    "the admin API at {} cannot be reached: {error}; is the host running?",
                    self.address
                );
                Failure::new(Exit::Unreachable, reason)
            })?;
        match status {
            200..300 => Ok(content),
            _ => Err(Failure::refused(status, serde_json::from_slice(&content).unwrap_or(Value::Null))),
        }
    }

    async fn exchange(
        &self,
        request: Request<Full<Bytes>>,
    ) -> Result<(u16, Bytes), Box<dyn std::error::Error + Send + Sync>> {
        let stream = timeout(CONNECT_WITHIN, TcpStream::connect((self.host.as_str(), self.port))).await??;
        stream.set_nodelay(true)?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        let connection = tokio::spawn(connection);
        let answer = sender.send_request(request).await?;
        let status = answer.status().as_u16();
        let content = Limited::new(answer.into_body(), MAX_ANSWER).collect().await?.to_bytes();
        connection.abort();
        Ok((status, content))
    }
}

fn json(document: &impl Serialize) -> Result<Body, Failure> {
    serde_json::to_string(document).map(Body::Json).map_err(|error| Failure::new(Exit::Internal, error))
}

/// A text as a path segment or a query value.
pub(crate) fn encoded(text: &str) -> String {
    utf8_percent_encode(text, ENCODED).to_string()
}

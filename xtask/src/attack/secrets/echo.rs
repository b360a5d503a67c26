//! An upstream that echoes everything it gets, and every secret it knows, in every form, in header fields and body.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Result;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::HeaderValue;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpListener;

use super::canaries::Stand;

/// What every answer begins with.
pub(super) const MARKER: &str = "EVERYTHING-IS-ECHOED";

/// The most header fields of an answer.
const FIELDS: usize = 60;

/// A running upstream.
pub(super) struct Echo {
    pub(super) address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    /// The secrets of each service.
    secrets: Vec<Vec<String>>,
    tokens: Mutex<Vec<String>>,
    received: Mutex<String>,
}

impl Echo {
    pub(super) async fn start(secrets: Vec<Vec<String>>) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared { secrets, tokens: Mutex::default(), received: Mutex::default() });
        let serving = shared.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let shared = serving.clone();
                tokio::spawn(async move {
                    let service = service_fn(move |request| answer(shared.clone(), request));
                    let connection = hyper::server::conn::http1::Builder::new();
                    // A client that goes away, or speaks TLS, ends its connection with an error.
                    let _ = connection.serve_connection(TokioIo::new(stream), service).await;
                });
            }
        });
        Ok(Self { address, shared })
    }

    /// The tokens and sessions given out so far.
    pub(super) fn tokens(&self) -> Vec<String> {
        lock(&self.shared.tokens).clone()
    }

    /// How many of the secrets came over the wire.
    pub(super) fn received(&self, stand: &Stand) -> usize {
        let received = lock(&self.shared.received);
        stand.canaries().iter().filter(|canary| received.contains(canary.as_str())).count()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn answer(
    shared: Arc<Shared>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    let mut parts = vec![head.uri.to_string(), String::from_utf8_lossy(&body).into_owned()];
    for (name, value) in &head.headers {
        let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        parts.push(name.to_string());
        if let Some((_, word)) = value.split_once(' ') {
            parts.push(word.to_owned());
            if let Some(pair) = STANDARD.decode(word).ok().and_then(|pair| String::from_utf8(pair).ok()) {
                // A client of OAuth 2.0 encodes its secret before that.
                let plain = decoded(&pair);
                parts.extend(plain.split_once(':').map(|(_, password)| password.to_owned()));
                parts.extend([pair, plain]);
            }
        }
        parts.push(value);
    }
    if let Ok(Value::Object(members)) = serde_json::from_slice(&body) {
        parts.extend(members.values().filter_map(Value::as_str).map(str::to_owned));
    }
    lock(&shared.received).push_str(&parts.join("\n"));
    let issued = match head.uri.path() {
        "/token" | "/login" => Some({
            let mut tokens = lock(&shared.tokens);
            let token = format!("t0ken/{}+of=the-issuer", tokens.len() * 104_729);
            tokens.push(token.clone());
            token
        }),
        _ => None,
    };
    if let Some(token) = issued {
        let said = serde_json::json!({
            "access_token": token, "session": token, "error_code": "0", "expires_in": 31, "echo": parts
        });
        return Ok(Response::new(Full::new(Bytes::from(said.to_string()))));
    }
    let item = parts.iter().find_map(|part| part.strip_prefix("truc-item-")?.parse::<usize>().ok());
    parts.extend(item.and_then(|item| shared.secrets.get(item)).into_iter().flatten().cloned());
    parts
        .extend(lock(&shared.tokens).last().filter(|token| parts.iter().any(|part| part == *token)).cloned());
    Ok(echoed(&parts))
}

/// An answer with all parts in all forms.
fn echoed(parts: &[String]) -> Response<Full<Bytes>> {
    let mut body = MARKER.to_owned();
    let mut fields = Vec::new();
    for form in parts.iter().flat_map(|part| forms(part)) {
        body.push('\n');
        body.push_str(&form);
        if form.len() < 400 {
            fields.extend(HeaderValue::from_str(&form).ok());
        }
    }
    let mut response = Response::new(Full::new(Bytes::from(body)));
    // The last ones: the secrets themselves are among them.
    let first = fields.len().saturating_sub(FIELDS);
    for value in fields.into_iter().skip(first) {
        response.headers_mut().append("x-echo", value);
    }
    response
}

fn forms(text: &str) -> Vec<String> {
    let bytes = text.as_bytes();
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let percent = |kept: &[u8], upper: bool| -> String {
        let one = |byte: &u8| match (byte.is_ascii_alphanumeric() || kept.contains(byte), upper) {
            (true, _) => char::from(*byte).to_string(),
            (false, true) => format!("%{byte:02X}"),
            (false, false) => format!("%{byte:02x}"),
        };
        bytes.iter().map(one).collect()
    };
    vec![
        text.to_owned(),
        hex.to_uppercase(),
        hex,
        percent(b"", true),
        percent(b"-._~", false),
        percent(b"-._~/", true),
        percent(b"-._*", true).replace("%20", "+"),
        STANDARD.encode(bytes),
        STANDARD.encode([b"x", bytes].concat()),
        URL_SAFE_NO_PAD.encode([b"xy", bytes].concat()),
        serde_json::to_string(text).unwrap_or_default(),
    ]
}

/// A text without its percent-encoding.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let escaped = after.get(..2).filter(|_| *first == b'%');
        let byte = escaped.and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok());
        bytes.push(byte.unwrap_or(*first));
        rest = if byte.is_some() { after.get(2..).unwrap_or_default() } else { after };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

//! Access tokens by the OAuth 2.0 client credentials grant (RFC 6749, section 4.4).
//!
//! One token serves all calls. Shortly before it expires one call fetches the next while the others go on with the
//! old one; without a usable token all calls wait for the one that fetches. When fetching fails, all that were waiting
//! share the failure. A call that is dropped, or runs out of time, while fetching leaves the task to the next.

use std::pin::pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use http_body_util::Full;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use tokio::sync::Semaphore;
use tokio::time::Instant;
use truc_model::Secret;
use zeroize::{Zeroize, Zeroizing};

use crate::deadline::{Deadline, Stage};
use crate::link::Link;
use crate::retry::Repeat;
use crate::{CallError, SecretRef};

/// The most bytes of a token endpoint's answer.
const MOST_BYTES: u64 = 64 * 1024;

/// How long a token is taken to be good if its endpoint does not say.
const UNSTATED_LIFE: Duration = Duration::from_secs(300);

/// The longest life that is believed.
const LONGEST_LIFE: Duration = Duration::from_secs(24 * 3600);

/// How long before its end a token is renewed; a short-lived one after four fifths of its life.
const MARGIN: Duration = Duration::from_secs(30);

/// What `application/x-www-form-urlencoded` leaves as it is, without its special case for the space.
const FORM: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'*');

/// The tokens of one upstream.
pub(crate) struct Tokens {
    endpoint: PathAndQuery,
    /// `Basic …` for the token endpoint.
    client: HeaderValue,
    form: Bytes,
    secret: SecretRef,
    /// One permit: whoever holds it fetches.
    gate: Semaphore,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    token: Option<Token>,
    failure: Option<(Instant, CallError)>,
}

#[derive(Clone)]
struct Token {
    /// `Bearer …`.
    value: HeaderValue,
    renew: Instant,
    end: Instant,
}

impl Tokens {
    pub(crate) fn new(
        endpoint: PathAndQuery,
        client_id: &str,
        password: &Secret,
        secret: SecretRef,
        scope: Option<&str>,
    ) -> Self {
        let encode = |text| utf8_percent_encode(text, FORM);
        // RFC 6749, section 2.3.1: both are form-encoded before they go into Basic.
        let pair = Zeroizing::new(format!("{}:{}", encode(client_id), encode(password.expose())));
        let mut form = "grant_type=client_credentials".to_owned();
        if let Some(scope) = scope {
            form.push_str("&scope=");
            form.extend(encode(scope));
        }
        Self {
            endpoint,
            client: basic(&pair),
            form: form.into(),
            secret,
            gate: Semaphore::new(1),
            state: Mutex::default(),
        }
    }

    /// The value of the `Authorization` field.
    pub(crate) async fn get(&self, link: &Link, deadline: Deadline) -> Result<HeaderValue, CallError> {
        let asked = Instant::now();
        let held = match self.state().token.clone() {
            Some(token) if asked < token.renew => return Ok(token.value),
            Some(token) if asked < token.end => Some(token.value),
            _ => None,
        };
        let permit = match (&held, self.gate.try_acquire()) {
            (_, Ok(permit)) => Ok(permit),
            // Another call is fetching. The token in hand is still good.
            (Some(value), Err(_)) => return Ok(value.clone()),
            (None, Err(_)) => deadline.within(Stage::Token, &link.handle, pin!(self.gate.acquire())).await?,
        };
        // An error would mean that the gate was closed for good, which nobody does.
        let _permit = permit.ok();
        {
            let state = self.state();
            match (&state.token, &state.failure) {
                (Some(token), _) if Instant::now() < token.renew => return Ok(token.value.clone()),
                (_, Some((at, error))) if *at >= asked && held.is_none() => return Err(error.clone()),
                _ => {}
            }
        }
        let deadline = if held.is_some() { deadline.half() } else { deadline };
        match (self.fetch(link, deadline).await, held) {
            (Ok(token), _) => {
                let value = token.value.clone();
                *self.state() = State { token: Some(token), failure: None };
                Ok(value)
            }
            (Err(_), Some(value)) => {
                self.postpone();
                Ok(value)
            }
            (Err(error), None) => {
                // That this call had no time left says nothing to those that have.
                if !deadline.is_over() {
                    self.state().failure = Some((Instant::now(), error.clone()));
                }
                Err(error)
            }
        }
    }

    /// Forgets a token that the upstream does not take.
    pub(crate) fn reject(&self, value: &HeaderValue) {
        let mut state = self.state();
        if state.token.as_ref().is_some_and(|token| token.value == value) {
            state.token = None;
        }
    }

    /// Leaves the present token in use for half of what is left of its life, before the next attempt to renew it.
    fn postpone(&self) {
        let now = Instant::now();
        if let Some(token) = &mut self.state().token {
            token.renew = now + token.end.saturating_duration_since(now) / 2;
        }
    }

    async fn fetch(&self, link: &Link, deadline: Deadline) -> Result<Token, CallError> {
        let request = || {
            let mut headers = HeaderMap::with_capacity(6);
            headers.insert(header::HOST, link.host.clone());
            headers.insert(header::AUTHORIZATION, self.client.clone());
            headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
            let form = HeaderValue::from_static("application/x-www-form-urlencoded");
            headers.insert(header::CONTENT_TYPE, form);
            let mut request = http::Request::new(Full::new(self.form.clone()));
            *request.method_mut() = http::Method::POST;
            *request.uri_mut() = Uri::from(self.endpoint.clone());
            *request.headers_mut() = headers;
            Ok(request)
        };
        let sent = Instant::now();
        // A second token does no harm.
        let answer = link.exchange(request, Repeat::Harmless, deadline, MOST_BYTES).await;
        let answer = answer.map_err(|error| match error {
            CallError::Timeout(text) => CallError::Timeout(format!("no access token: {text}")),
            CallError::Denied(text) => CallError::Denied(text),
            CallError::Unreachable(text) | CallError::Interrupted(text) => self.failed(link, &text),
            CallError::TooLarge(_) => self.failed(link, "the answer is too large"),
        })?;
        let body = Zeroizing::new(answer.body);
        if answer.status != StatusCode::OK {
            let code =
                serde_json::from_slice::<Refused>(&body).ok().filter(|refused| is_code(&refused.error));
            let code = code.map(|refused| format!(" ({})", refused.error)).unwrap_or_default();
            let status = answer.status.as_u16();
            return Err(self.failed(link, &format!("the token endpoint answered {status}{code}")));
        }
        let granted: Granted = serde_json::from_slice(&body).map_err(|_| {
            self.failed(link, "the token endpoint's answer holds no `access_token` (RFC 6749, section 5.1)")
        })?;
        if granted.token_type.as_ref().is_some_and(|kind| !kind.eq_ignore_ascii_case("bearer")) {
            return Err(self.failed(link, "the token endpoint gave a token of another type than Bearer"));
        }
        let bearer = Zeroizing::new(format!("Bearer {}", *granted.access_token));
        let mut value = HeaderValue::from_str(&bearer).map_err(|_| {
            self.failed(link, "the token endpoint gave a token that no header field can hold")
        })?;
        value.set_sensitive(true);
        let life = granted.expires_in.map_or(UNSTATED_LIFE, |life| life.as_duration()).min(LONGEST_LIFE);
        Ok(Token { value, renew: sent + life - MARGIN.min(life / 5), end: sent + life })
    }

    fn failed(&self, link: &Link, what: &str) -> CallError {
        CallError::Unreachable(format!(
            "upstream `{}`: no access token with the client's secret `{}`: {what}",
            link.handle, self.secret
        ))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Every change is a single assignment, so that a panic elsewhere leaves nothing half done.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The value of an `Authorization` field by HTTP Basic (RFC 7617) for `user:password`.
pub(crate) fn basic(pair: &str) -> HeaderValue {
    let text = Zeroizing::new(format!("Basic {}", *Zeroizing::new(STANDARD.encode(pair))));
    // Base64 is within what a field may hold.
    let mut value = HeaderValue::from_str(&text).unwrap_or_else(|_| HeaderValue::from_static("Basic"));
    value.set_sensitive(true);
    value
}

#[derive(Deserialize)]
struct Granted {
    access_token: Hidden,
    token_type: Option<String>,
    expires_in: Option<Seconds>,
}

#[derive(Deserialize)]
struct Refused {
    error: String,
}

/// A text that is overwritten in memory when it is dropped.
#[derive(Deserialize)]
#[serde(transparent)]
struct Hidden(String);

impl std::ops::Deref for Hidden {
    type Target = String;

    fn deref(&self) -> &String {
        &self.0
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

/// A number of seconds; some endpoints write it as a text.
#[derive(Deserialize)]
#[serde(untagged)]
enum Seconds {
    Number(u64),
    Text(String),
}

impl Seconds {
    fn as_duration(&self) -> Duration {
        match self {
            Seconds::Number(seconds) => Duration::from_secs(*seconds),
            Seconds::Text(text) => text.parse().map_or(UNSTATED_LIFE, Duration::from_secs),
        }
    }
}

/// Whether a text is an error code as RFC 6749 has them, and not something an endpoint might have echoed.
fn is_code(text: &str) -> bool {
    (1..=40).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')
}

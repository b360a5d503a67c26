//! Access tokens by the OAuth 2.0 client credentials grant (RFC 6749, section 4.4).

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use http_body_util::Full;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use truc_model::Secret;
use zeroize::Zeroizing;

use crate::CallError;
use crate::deadline::Deadline;
use crate::link::Link;
use crate::retry::Repeat;
use crate::tokens::{Failed, Hidden, MOST_BYTES, Obtained, Pass};

/// How long a token is taken to be good if its endpoint does not say.
const UNSTATED_LIFE: Duration = Duration::from_secs(300);

/// What `application/x-www-form-urlencoded` leaves as it is, without its special case for the space.
const FORM: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'*');

/// How tokens are asked for.
pub(crate) struct OAuth {
    endpoint: PathAndQuery,
    /// `Basic …` for the token endpoint.
    client: HeaderValue,
    form: Bytes,
}

impl OAuth {
    pub(crate) fn new(
        endpoint: PathAndQuery,
        client_id: &str,
        password: &Secret,
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
        Self { endpoint, client: basic(&pair), form: form.into() }
    }

    /// What the token endpoint is shown, which it might echo.
    pub(crate) fn shown(&self) -> &HeaderValue {
        &self.client
    }

    pub(crate) async fn obtain(&self, link: &Link, deadline: Deadline) -> Result<Obtained, Failed> {
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
        // A second token does no harm.
        let answer = link.exchange(request, Repeat::Harmless, deadline, MOST_BYTES).await;
        let answer = answer.map_err(|error| match error {
            CallError::Timeout(text) => Failed::Call(CallError::Timeout(format!("no access token: {text}"))),
            error => Failed::of(error),
        })?;
        let body = Zeroizing::new(answer.body);
        if answer.status != StatusCode::OK {
            let code =
                serde_json::from_slice::<Refused>(&body).ok().filter(|refused| is_code(&refused.error));
            let code = code.map(|refused| format!(" ({})", refused.error)).unwrap_or_default();
            let status = answer.status.as_u16();
            return Err(Failed::Refused(format!("the token endpoint answered {status}{code}")));
        }
        let refused = |text: &str| Failed::Refused(text.to_owned());
        let granted: Granted = serde_json::from_slice(&body).map_err(|_| {
            refused("the token endpoint's answer holds no `access_token` (RFC 6749, section 5.1)")
        })?;
        if granted.token_type.as_ref().is_some_and(|kind| !kind.eq_ignore_ascii_case("bearer")) {
            return Err(refused("the token endpoint gave a token of another type than Bearer"));
        }
        let bearer = Zeroizing::new(format!("Bearer {}", *granted.access_token));
        let mut value = HeaderValue::from_str(&bearer)
            .map_err(|_| refused("the token endpoint gave a token that no header field can hold"))?;
        value.set_sensitive(true);
        let life = granted.expires_in.map_or(UNSTATED_LIFE, |life| life.as_duration());
        Ok(Obtained { pass: Pass::Field(header::AUTHORIZATION, value), value: granted.access_token, life })
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

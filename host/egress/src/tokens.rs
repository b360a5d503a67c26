//! What has to be obtained before a request can be sent: access tokens and sessions.
//!
//! One serves all calls. Shortly before it expires one call obtains the next while the others go on with the old one;
//! without a usable one all calls wait for the one that obtains it. When that fails, all that were waiting share the
//! failure. A call that is dropped, or runs out of time, while obtaining leaves the task to the next.

use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::{HeaderName, HeaderValue, StatusCode};
use serde::Deserialize;
use tokio::sync::Semaphore;
use tokio::time::Instant;
use truc_model::Secret;
use zeroize::Zeroize;

use crate::censor::Censor;
use crate::deadline::{Deadline, Stage};
use crate::link::{Answer, Link};
use crate::login::Login;
use crate::oauth::OAuth;
use crate::{CallError, SecretRef};

/// The most bytes of the answer to a login or of a token endpoint.
pub(crate) const MOST_BYTES: u64 = 64 * 1024;

/// The most bytes of a token or a session; more than any server takes in a header field.
const MOST_TOKEN: usize = 16 * 1024;

/// The longest life that is believed.
const LONGEST_LIFE: Duration = Duration::from_secs(24 * 3600);

/// How long before its end a token is renewed; a short-lived one after four fifths of its life.
const MARGIN: Duration = Duration::from_secs(30);

/// The tokens or sessions of one upstream.
pub(crate) struct Tokens {
    issuer: Issuer,
    secret: SecretRef,
    censor: Arc<Censor>,
    /// One permit: whoever holds it obtains the next.
    gate: Semaphore,
    state: Mutex<State>,
}

/// Who gives them out.
pub(crate) enum Issuer {
    OAuth(OAuth),
    Login(Login),
}

/// What a request shows.
#[derive(Clone)]
pub(crate) enum Pass {
    /// A header field.
    Field(HeaderName, HeaderValue),
    /// A member of the body.
    Member(String, Secret),
}

/// Something that was obtained.
pub(crate) struct Obtained {
    pub(crate) pass: Pass,
    /// The token or session by itself.
    pub(crate) value: Hidden,
    pub(crate) life: Duration,
}

/// Why nothing was obtained.
pub(crate) enum Failed {
    /// The call ends so.
    Call(CallError),
    /// In words, which name neither address nor secret.
    Refused(String),
}

#[derive(Default)]
struct State {
    token: Option<Token>,
    failure: Option<(Instant, CallError)>,
}

#[derive(Clone)]
struct Token {
    pass: Pass,
    renew: Instant,
    end: Instant,
}

impl Tokens {
    pub(crate) fn new(issuer: Issuer, secret: SecretRef, censor: Arc<Censor>) -> Self {
        Self { issuer, secret, censor, gate: Semaphore::new(1), state: Mutex::default() }
    }

    /// What the next request shows.
    pub(crate) async fn get(&self, link: &Link, deadline: Deadline) -> Result<Pass, CallError> {
        let asked = Instant::now();
        let held = match self.state().token.clone() {
            Some(token) if asked < token.renew => return Ok(token.pass),
            Some(token) if asked < token.end => Some(token.pass),
            _ => None,
        };
        let permit = match (&held, self.gate.try_acquire()) {
            (_, Ok(permit)) => Ok(permit),
            // Another call is obtaining one. The token in hand is still good.
            (Some(pass), Err(_)) => return Ok(pass.clone()),
            (None, Err(_)) => deadline.within(Stage::Token, &link.handle, pin!(self.gate.acquire())).await?,
        };
        // An error would mean that the gate was closed for good, which nobody does.
        let _permit = permit.ok();
        {
            let state = self.state();
            match (&state.token, &state.failure) {
                (Some(token), _) if Instant::now() < token.renew => return Ok(token.pass.clone()),
                (_, Some((at, error))) if *at >= asked && held.is_none() => return Err(error.clone()),
                _ => {}
            }
        }
        let deadline = if held.is_some() { deadline.half() } else { deadline };
        match (self.obtain(link, deadline).await, held) {
            (Ok(token), _) => {
                let pass = token.pass.clone();
                *self.state() = State { token: Some(token), failure: None };
                Ok(pass)
            }
            (Err(_), Some(pass)) => {
                self.postpone();
                Ok(pass)
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

    /// Whether an answer tells that the upstream does not take what the request showed. What is answered like this was
    /// not acted upon, so that it can be asked again.
    pub(crate) fn is_refusal(&self, answer: &Answer) -> bool {
        answer.status == StatusCode::UNAUTHORIZED
            || matches!(&self.issuer, Issuer::Login(login) if login.is_expiry(answer))
    }

    /// Forgets a token that the upstream does not take.
    pub(crate) fn reject(&self, pass: &Pass) {
        let mut state = self.state();
        if state.token.as_ref().is_some_and(|token| token.pass.is(pass)) {
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

    async fn obtain(&self, link: &Link, deadline: Deadline) -> Result<Token, CallError> {
        let sent = Instant::now();
        let obtained = match &self.issuer {
            Issuer::OAuth(oauth) => oauth.obtain(link, deadline).await,
            Issuer::Login(login) => login.obtain(link, deadline).await,
        };
        let Obtained { pass, value, life } = match obtained {
            Ok(obtained) if obtained.value.len() <= MOST_TOKEN => obtained,
            Ok(_) => return Err(self.failed(link, "what was given is larger than 16 KiB")),
            Err(Failed::Call(error)) => return Err(error),
            Err(Failed::Refused(text)) => return Err(self.failed(link, &text)),
        };
        // Before any request shows it.
        self.censor.learn(&value);
        let life = life.min(LONGEST_LIFE);
        Ok(Token { pass, renew: sent + life - MARGIN.min(life / 5), end: sent + life })
    }

    fn failed(&self, link: &Link, what: &str) -> CallError {
        let (lacking, shown) = match &self.issuer {
            Issuer::OAuth(_) => ("access token", "client's secret"),
            Issuer::Login(_) => ("session", "password"),
        };
        CallError::Unreachable(format!(
            "upstream `{}`: no {lacking} with the {shown} `{}`: {what}",
            link.handle, self.secret
        ))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Every change is a single assignment, so that a panic elsewhere leaves nothing half done.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Failed {
    /// What a call to the issuer ended with.
    pub(crate) fn of(error: CallError) -> Self {
        match error {
            CallError::Unreachable(text) | CallError::Interrupted(text) => Self::Refused(text),
            CallError::TooLarge(_) => Self::Refused("the answer is too large".to_owned()),
            error => Self::Call(error),
        }
    }
}

impl Pass {
    fn is(&self, other: &Self) -> bool {
        match (self, other) {
            (Pass::Field(_, one), Pass::Field(_, other)) => one == other,
            (Pass::Member(_, one), Pass::Member(_, other)) => one.expose() == other.expose(),
            _ => false,
        }
    }
}

/// A text that is overwritten in memory when it is dropped.
#[derive(Deserialize)]
#[serde(transparent)]
pub(crate) struct Hidden(String);

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

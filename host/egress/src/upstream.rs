//! A handle put to use: what the manifest allows, with what the operator bound.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Uri, header};
use http_body_util::Full;
use tokio::time::Instant;
use truc_contract::{Method, UpstreamRule};
use truc_model::{Clock, Handle, Millis, ServiceName};

use crate::censor::Censor;
use crate::credential::{Proof, prove};
use crate::deadline::Deadline;
use crate::dial::Dialer;
use crate::error::Quoted;
use crate::link::Link;
use crate::retry::Repeat;
use crate::signature::Signer;
use crate::standing::{Presence, Standing, share};
use crate::target::Template;
use crate::tls::Identity;
use crate::tokens::{Pass, Tokens};
use crate::{
    BindError, BindFault, Binding, BreakerSettings, BreakerState, CallError, Jitter, Resolver, Secrets,
    Timeouts, headers, login,
};

/// The longest time that a binding may set.
const LONGEST_TIMEOUT: Millis = Millis(600_000);

/// The most connections that a binding may set.
const MOST_CONNECTIONS: u32 = 1024;

/// The most calls at once that a binding may set.
const MOST_CALLS: u32 = 1024;

/// The most attempts that a binding may set.
const MOST_ATTEMPTS: u32 = 5;

/// The most failures in a row that a binding may set.
const MOST_FAILURES: u32 = 1000;

/// One upstream of one service, ready for calls. Made when settings change; everything that can be known before a
/// call is known here.
///
/// A request may be sent more than once, up to the binding's `attempts`: where no connection could be made or nothing
/// of it was written; and where its method is idempotent, also where the connection was lost, or the answer was 502,
/// 503, 504, or 429 with a short `Retry-After`. Never after a timeout, past the deadline, while the breaker is not
/// closed, or beyond a tenth of the upstream's requests.
pub struct Upstream {
    /// What it was made of, to tell whether its successor is the same upstream.
    binding: Binding,
    /// How many of the service's calls may be here at once.
    share: u32,
    templates: Vec<Template>,
    /// What every request carries: host, accepted encodings, a credential that does not change.
    fields: Vec<(HeaderName, HeaderValue)>,
    /// The folded names of the fields that carry the credential.
    credential: Vec<String>,
    tokens: Option<Box<Tokens>>,
    signer: Option<Box<Signer>>,
    /// None where the service has no secret.
    censor: Option<Arc<Censor>>,
    link: Link,
}

/// What an upstream needs to know of where it stands.
#[derive(Clone)]
pub struct Surroundings<'a> {
    /// The service that it belongs to; for meters and log lines.
    pub service: &'a ServiceName,
    /// How many calls of the service run at once.
    pub concurrency: u32,
    /// How many upstreams the service has.
    pub upstreams: usize,
    /// Where the randomness of waits comes from.
    pub jitter: Arc<dyn Jitter>,
    /// Where the time comes from that is written into signatures.
    pub clock: Arc<dyn Clock>,
    /// The upstream that had the handle before. If its binding was the same, what is known of the upstream stays known:
    /// breaker, budget and taken places pass on. Idle connections do not, as credentials may be others.
    pub before: Option<&'a Upstream>,
}

/// A connector's call at an upstream, which takes one of the places that the upstream may have. It is over when this is
/// dropped.
pub struct Visit<'a> {
    upstream: &'a Upstream,
    _presence: Presence,
}

/// One request of a connector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// The path template exactly as in the manifest.
    pub path: String,
    /// A value for each parameter of the template.
    pub parameters: Vec<(String, String)>,
    /// The query in order.
    pub query: Vec<(String, String)>,
    /// Header fields.
    pub headers: Vec<(String, String)>,
    /// The body, if any. GET and HEAD have none.
    pub body: Option<Vec<u8>>,
}

/// What an upstream answered; every status counts as an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// The HTTP status.
    pub status: u16,
    /// Header fields in order, names in lower case, without those that frame, redirect or authenticate.
    pub headers: Vec<(String, String)>,
    /// The whole body.
    pub body: Vec<u8>,
}

/// What one call may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The most bytes of the answer's body.
    pub max_body: truc_model::Bytes,
    /// When the connector's call as a whole must be over.
    pub deadline: Instant,
}

impl Upstream {
    /// Checks what the operator set against what the manifest asks for, takes the secret, and prepares everything a
    /// call needs. Connects to nothing. All of `secrets`, which are those of the service, are cut from answers.
    ///
    /// # Errors
    /// What is wrong with the binding and what to write instead, for the operator.
    pub fn bind(
        handle: &Handle,
        rule: &UpstreamRule,
        binding: &Binding,
        secrets: &Secrets,
        resolver: Arc<dyn Resolver>,
        surroundings: &Surroundings<'_>,
    ) -> Result<Arc<Self>, BindError> {
        let bind = || {
            check(binding)?;
            let address = &binding.address;
            // An address is made of characters that a field may hold.
            let host =
                HeaderValue::try_from(address.authority()).map_err(|_| BindFault::Host(address.clone()))?;
            let mut fields = vec![
                (header::HOST, host.clone()),
                (header::ACCEPT_ENCODING, HeaderValue::from_static("identity")),
            ];
            let proof = binding.credential.as_ref().map(|credential| {
                prove(credential, address.is_https(), secrets, handle, surroundings.clock.clone())
            });
            let Proof { field, credential, tokens, signer, censor } = match proof.transpose()? {
                Some(proof) => proof,
                None => Proof::none(secrets, handle),
            };
            fields.extend(field);
            let identity =
                binding.client_certificate.as_ref().map(|name| Identity::new(name, &secrets.get(name)?));
            let templates = rule.allow.iter().map(|allowed| Template::new(address.base(), allowed)).collect();
            let same = surroundings.before.filter(|before| before.binding == *binding);
            let standing = match same {
                Some(before) => before.link.standing.clone(),
                None => Standing::new(handle, binding, surroundings),
            };
            let link = Link {
                handle: handle.clone(),
                host,
                dialer: Dialer::new(binding, identity.transpose()?, resolver)?,
                pool: Arc::default(),
                standing,
                timeouts: binding.timeouts,
                attempts: binding.attempts,
                jitter: surroundings.jitter.clone(),
            };
            let share = share(surroundings.concurrency, surroundings.upstreams);
            let share = binding.max_calls.unwrap_or(share);
            Ok(Arc::new(Self {
                binding: binding.clone(),
                share,
                templates,
                fields,
                credential,
                tokens,
                signer,
                censor,
                link,
            }))
        };
        bind().map_err(|fault| BindError { kind: "upstream", handle: handle.clone(), fault })
    }

    /// Begins a connector's call at this upstream, which may make any number of requests.
    ///
    /// # Errors
    /// As many are here already as may be.
    pub fn visit(&self) -> Result<Visit<'_>, CallError> {
        match self.link.standing.enter(self.share) {
            Some(presence) => Ok(Visit { upstream: self, _presence: presence }),
            None => {
                self.link.standing.meters.refused.increment(1);
                Err(CallError::Unreachable(format!(
                    "upstream `{}`: {} calls are waiting for it, as many as may be at once",
                    self.link.handle, self.share
                )))
            }
        }
    }

    /// How its breaker stands.
    pub fn breaker(&self) -> BreakerState {
        self.link.standing.breaker.state()
    }

    async fn call(&self, request: Request, limits: Limits) -> Result<Response, CallError> {
        let answered = self.exchange(request, limits).await;
        let Some(censor) = &self.censor else { return answered };
        match answered {
            Ok(Response { status, mut headers, body }) => {
                let body = censor.clean(&mut headers, body);
                Ok(Response { status, headers, body })
            }
            Err(error) => Err(error.map(|text| censor.clean_text(text))),
        }
    }

    async fn exchange(&self, mut request: Request, limits: Limits) -> Result<Response, CallError> {
        let template = self.template(&request)?;
        let body = Bytes::from(request.body.take().unwrap_or_default());
        let total = self.link.timeouts.total.as_duration();
        let deadline = Deadline::new(Instant::now(), total, limits.deadline);
        let most = limits.max_body.0;
        let repeat = if template.method.is_idempotent() { Repeat::Harmless } else { Repeat::Harmful };
        let send = async |pass: Option<&Pass>| {
            let make = || self.request(template, &request, &body, pass);
            self.link.exchange(make, repeat, deadline, most).await
        };
        let answer = match &self.tokens {
            None => send(None).await?,
            Some(tokens) => {
                let pass = tokens.get(&self.link, deadline).await?;
                match send(Some(&pass)).await? {
                    // It may have been withdrawn before its time.
                    answer if tokens.is_refusal(&answer) => {
                        tokens.reject(&pass);
                        send(Some(&tokens.get(&self.link, deadline).await?)).await?
                    }
                    answer => answer,
                }
            }
        };
        Ok(Response {
            status: answer.status.as_u16(),
            headers: headers::visible(&answer.headers, &self.credential),
            body: answer.body,
        })
    }

    /// The request as it is sent. Made anew for each attempt, so that the only attempt there usually is pays for no
    /// copy.
    fn request(
        &self,
        template: &Template,
        request: &Request,
        body: &Bytes,
        pass: Option<&Pass>,
    ) -> Result<http::Request<Full<Bytes>>, CallError> {
        let method = template.method;
        if method.is_safe() && !body.is_empty() {
            return Err(self.denied(format!("a {method} request has no body")));
        }
        let target = template.fill(&request.parameters, &request.query).map_err(|text| self.denied(text))?;
        let mut fields = HeaderMap::with_capacity(self.fields.len() + request.headers.len() + 2);
        for (name, value) in &self.fields {
            fields.append(name, value.clone());
        }
        let mut body = body.clone();
        match pass {
            None => {}
            Some(Pass::Field(name, value)) => {
                fields.append(name, value.clone());
            }
            Some(Pass::Member(name, session)) => {
                body = login::with_member(&body, name, session).map_err(|text| self.denied(text))?;
            }
        }
        headers::add(&mut fields, &request.headers, &self.credential).map_err(|text| self.denied(text))?;
        if body.is_empty() && matches!(method, Method::Post | Method::Put | Method::Patch) {
            // Some servers wait for a body unless they are told that there is none (RFC 9110, section 8.6).
            fields.append(header::CONTENT_LENGTH, HeaderValue::from_static("0"));
        }
        // A path alone: origin-form, whatever the connector gave.
        let target = Uri::from(target);
        if let Some(signer) = &self.signer {
            signer.sign(http_method(method).as_str(), &target, &mut fields, &body);
        }
        let mut outgoing = http::Request::new(Full::new(body));
        *outgoing.method_mut() = http_method(method);
        *outgoing.uri_mut() = target;
        *outgoing.headers_mut() = fields;
        Ok(outgoing)
    }

    fn template(&self, request: &Request) -> Result<&Template, CallError> {
        let asked_for = |template: &&Template| template.is(request.method, &request.path);
        self.templates.iter().find(asked_for).ok_or_else(|| {
            let allowed: Vec<_> = self.templates.iter().map(Template::describe).collect();
            self.denied(format!(
                "{} {} is not in the manifest, which allows {}; to call it, add it to `allow` under [upstreams.{}]",
                request.method,
                Quoted(&request.path),
                allowed.join(", "),
                self.link.handle
            ))
        })
    }

    fn denied(&self, text: String) -> CallError {
        CallError::Denied(format!("upstream `{}`: {text}", self.link.handle))
    }
}

impl fmt::Debug for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upstream").field("handle", &self.link.handle).finish_non_exhaustive()
    }
}

impl Visit<'_> {
    /// Makes one request and waits for the whole answer. Redirects are answers like any other. Dropping the future ends
    /// the request and closes its connection.
    ///
    /// # Errors
    /// Why there is no answer; see [`CallError`]. What is denied was not sent.
    pub async fn call(&self, request: Request, limits: Limits) -> Result<Response, CallError> {
        self.upstream.call(request, limits).await
    }
}

fn check(binding: &Binding) -> Result<(), BindFault> {
    let Timeouts { wait, connect, first_byte, total } = binding.timeouts;
    for (name, value) in [("wait", wait), ("connect", connect), ("firstByte", first_byte), ("total", total)] {
        if !(1..=LONGEST_TIMEOUT.0).contains(&value.0) {
            return Err(BindFault::Timeout { name, value });
        }
    }
    let BreakerSettings { failures, pause, longest_pause } = binding.breaker;
    for (name, value) in [("pause", pause), ("longestPause", longest_pause)] {
        if !(1..=LONGEST_TIMEOUT.0).contains(&value.0) {
            return Err(BindFault::BreakerPause { name, value });
        }
    }
    if failures > MOST_FAILURES {
        return Err(BindFault::BreakerFailures(failures));
    }
    if !(1..=MOST_ATTEMPTS).contains(&binding.attempts) {
        return Err(BindFault::Attempts(binding.attempts));
    }
    if let Some(calls) = binding.max_calls.filter(|calls| !(1..=MOST_CALLS).contains(calls)) {
        return Err(BindFault::Calls(calls));
    }
    match binding.max_connections {
        1..=MOST_CONNECTIONS => Ok(()),
        connections => Err(BindFault::Connections(connections)),
    }
}

fn http_method(method: Method) -> http::Method {
    match method {
        Method::Get => http::Method::GET,
        Method::Head => http::Method::HEAD,
        Method::Post => http::Method::POST,
        Method::Put => http::Method::PUT,
        Method::Patch => http::Method::PATCH,
        Method::Delete => http::Method::DELETE,
    }
}

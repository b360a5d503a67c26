//! What the operator's credential becomes: header fields that never change, tokens to obtain, or a signer; and what of
//! it must not come back in an answer.

use std::sync::Arc;
use std::time::Duration;

use http::uri::PathAndQuery;
use http::{HeaderName, HeaderValue, header};
use truc_contract::PathTemplate;
use truc_model::{Clock, Handle, Millis, Secret};
use zeroize::Zeroizing;

use crate::censor::Censor;
use crate::login::{Login, Place};
use crate::oauth::{OAuth, basic};
use crate::signature::{self, Signer, Terms};
use crate::tokens::{Issuer, Tokens};
use crate::{BindFault, Credential, SecretRef, Secrets, SessionPlace, headers};

/// The least and the longest life of a session, in milliseconds.
const SESSION_LIFE: std::ops::RangeInclusive<u64> = 10_000..=24 * 3_600_000;

/// A credential, ready for calls.
pub(crate) struct Proof {
    /// A field that is the same in every request.
    pub(crate) field: Option<(HeaderName, HeaderValue)>,
    /// The folded names of the fields that are the credential's own.
    pub(crate) credential: Vec<String>,
    pub(crate) tokens: Option<Box<Tokens>>,
    pub(crate) signer: Option<Box<Signer>>,
    pub(crate) censor: Option<Arc<Censor>>,
}

impl Proof {
    /// Nothing to show. The service may have secrets all the same.
    pub(crate) fn none(secrets: &Secrets, handle: &Handle) -> Self {
        let censor = secrets.values().next().map(|_| censor(handle, secrets, &[]));
        Self { field: None, credential: Vec::new(), tokens: None, signer: None, censor }
    }

    fn field(name: HeaderName, value: HeaderValue, censor: Arc<Censor>) -> Self {
        let credential = vec![headers::folded(name.as_str()).into_owned()];
        Self { field: Some((name, value)), credential, tokens: None, signer: None, censor: Some(censor) }
    }

    fn tokens(
        credential: Option<HeaderName>,
        issuer: Issuer,
        secret: &SecretRef,
        censor: Arc<Censor>,
    ) -> Self {
        let credential = credential.map(|name| headers::folded(name.as_str()).into_owned());
        let tokens = Tokens::new(issuer, secret.clone(), censor.clone());
        Self {
            field: None,
            credential: credential.into_iter().collect(),
            tokens: Some(Box::new(tokens)),
            signer: None,
            censor: Some(censor),
        }
    }
}

/// Makes a credential ready.
pub(crate) fn prove(
    credential: &Credential,
    is_https: bool,
    secrets: &Secrets,
    handle: &Handle,
    clock: Arc<dyn Clock>,
) -> Result<Proof, BindFault> {
    let secret = secrets.get(credential.secret())?;
    let censor = |made: &[&[u8]]| censor(handle, secrets, made);
    match credential {
        Credential::Header { name, prefix, secret: secret_name } => {
            let field = field_name(name)?;
            let text =
                Zeroizing::new(format!("{}{}", prefix.as_deref().unwrap_or_default(), secret.expose()));
            let value = sensitive(&text).ok_or_else(|| BindFault::SecretCharacters(secret_name.clone()))?;
            Ok(Proof::field(field, value, censor(&[])))
        }
        Credential::Basic { username, .. } => {
            if username.contains(':') || username.chars().any(char::is_control) {
                return Err(BindFault::Username);
            }
            let value = basic(&Zeroizing::new(format!("{username}:{}", secret.expose())));
            let censor = censor(&[encoded(&value)]);
            Ok(Proof::field(header::AUTHORIZATION, value, censor))
        }
        Credential::OAuth2ClientCredentials { token_path, client_id, secret: name, scope } => {
            let endpoint = plain_path(token_path).ok_or_else(|| BindFault::TokenPath(token_path.clone()))?;
            let oauth = OAuth::new(endpoint, client_id, &secret, scope.as_deref());
            let censor = censor(&[encoded(oauth.shown())]);
            Ok(Proof::tokens(Some(header::AUTHORIZATION), Issuer::OAuth(oauth), name, censor))
        }
        Credential::SessionLogin {
            login_path,
            username,
            secret: name,
            destination,
            place,
            lifetime,
            expired_codes,
        } => {
            let endpoint = plain_path(login_path).ok_or_else(|| BindFault::LoginPath(login_path.clone()))?;
            let destination = destination.as_deref().map(HeaderValue::from_str).transpose();
            let (place, field) = place_of(place)?;
            let login = Login {
                endpoint,
                destination: destination.map_err(|_| BindFault::Destination)?,
                form: Login::form(username, &secret),
                place,
                lifetime: session_life(*lifetime)?,
                expired: expired_codes.clone(),
            };
            Ok(Proof::tokens(field, Issuer::Login(login), name, censor(&[])))
        }
        Credential::HttpSignature { algorithm, key_id, secret: name, label, components } => {
            let scheme = if is_https { "https" } else { "http" };
            let label = label.as_deref();
            let terms = Terms { algorithm: *algorithm, key_id, label, components, scheme };
            let signer = Signer::new(&terms, name, &secret, clock)?;
            let key = signature::hmac_key(&secret).unwrap_or_default();
            Ok(Proof {
                field: None,
                credential: signature::FIELDS.map(str::to_owned).into(),
                tokens: None,
                signer: Some(Box::new(signer)),
                censor: Some(censor(&[&key])),
            })
        }
    }
}

/// A search for all secrets of the service, and for what was made of them.
fn censor(handle: &Handle, secrets: &Secrets, made: &[&[u8]]) -> Arc<Censor> {
    let secrets = secrets.values().map(|secret: &Secret| secret.expose().as_bytes());
    Censor::new(handle, secrets.chain(made.iter().copied()))
}

/// What stands after the scheme in the value of an `Authorization` field.
fn encoded(value: &HeaderValue) -> &[u8] {
    let bytes = value.as_bytes();
    bytes.iter().position(|byte| *byte == b' ').and_then(|at| bytes.get(at + 1..)).unwrap_or(bytes)
}

fn field_name(name: &str) -> Result<HeaderName, BindFault> {
    let fault = |reason| BindFault::CredentialHeader { name: name.to_owned(), reason };
    let field = HeaderName::from_bytes(name.as_bytes())
        .map_err(|_| fault("is not a field name: use letters, digits and hyphens"))?;
    if headers::is_framing(field.as_str()) || field == header::HOST || field == header::ACCEPT_ENCODING {
        return Err(fault("is set by HTTP itself: choose the field that the upstream documents"));
    }
    Ok(field)
}

fn sensitive(text: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// A path without parameters and without a query.
fn plain_path(text: &str) -> Option<PathAndQuery> {
    let path = text.parse::<PathTemplate>().ok().filter(|path| path.parameters().next().is_none())?;
    PathAndQuery::try_from(path.as_str()).ok()
}

/// Where a session goes, and the field, if it is one.
fn place_of(place: &SessionPlace) -> Result<(Place, Option<HeaderName>), BindFault> {
    match place {
        SessionPlace::Member(name) if name.is_empty() => Err(BindFault::SessionMember),
        SessionPlace::Member(name) => Ok((Place::Member(name.clone()), None)),
        SessionPlace::Header(name) => field_name(name).map(|name| (Place::Field(name.clone()), Some(name))),
    }
}

fn session_life(lifetime: Millis) -> Result<Duration, BindFault> {
    match SESSION_LIFE.contains(&lifetime.0) {
        true => Ok(lifetime.as_duration()),
        false => Err(BindFault::SessionLife(lifetime)),
    }
}

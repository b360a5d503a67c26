//! The secrets that are looked for, the services that use them, and every form in which one could show.

use std::net::SocketAddr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use serde_json::{Value, json};

/// A certificate with its private key, made for this and used nowhere else.
const CLIENT: &str = include_str!("client.pem");

/// The private key of RFC 9421, appendix B.1.4.
const SIGNING: &str = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIJ+DYvh6SEqVTm50DFtMDoQikTmiCqirVv9mWG9qfSnF\n-----END PRIVATE KEY-----\n";

/// Services, one for each way to show a credential, and their secrets.
pub(super) struct Stand {
    services: Vec<Service>,
    secrets: Vec<(String, String)>,
}

/// One service.
pub(super) struct Service {
    pub(super) name: String,
    /// By what the upstream knows it.
    pub(super) item: usize,
    /// Whether the upstream can be reached by it.
    pub(super) answers: bool,
    credential: Credential,
    secret: String,
    key: String,
}

#[derive(Clone, Copy, PartialEq)]
enum Credential {
    Header,
    Bearer,
    Basic,
    OAuth2,
    LoginInBody,
    LoginInHeader,
    Hmac,
    Ed25519,
    ClientCertificate,
}

impl Stand {
    pub(super) fn new() -> Self {
        use Credential as C;
        let kinds = [
            C::Header,
            C::Bearer,
            C::Header,
            C::Basic,
            C::Basic,
            C::OAuth2,
            C::OAuth2,
            C::LoginInBody,
            C::LoginInHeader,
            C::Hmac,
            C::Ed25519,
            C::ClientCertificate,
        ];
        let mut secrets = Vec::new();
        let mut put = |kind: &str, number: usize, value: Option<&str>| {
            let name = format!("{kind}-{number}");
            // Characters that each encoding treats in its own way.
            let made = format!("canary {number:02}/of+the=vault&{kind}~\"{}\"", number * 7919);
            secrets.push((name.clone(), value.unwrap_or(&made).to_owned()));
            name
        };
        let credentials: Vec<String> = kinds
            .iter()
            .enumerate()
            .map(|(number, kind)| match kind {
                C::Ed25519 => put("credential", number, Some(SIGNING)),
                C::ClientCertificate => put("credential", number, Some(CLIENT)),
                _ => put("credential", number, None),
            })
            .collect();
        let keys: Vec<String> = (0..8).map(|number| put("key", number, None)).collect();
        let service = |(item, (credential, secret)): (usize, (&Credential, String))| Service {
            name: format!("trial-{item}"),
            item,
            answers: *credential != C::ClientCertificate,
            credential: *credential,
            secret,
            key: keys.iter().cycle().nth(item).cloned().unwrap_or_default(),
        };
        let services = kinds.iter().zip(credentials).enumerate().map(service).collect();
        Self { services, secrets }
    }

    pub(super) fn services(&self) -> &[Service] {
        &self.services
    }

    /// Names and values, as they are put.
    pub(super) fn secrets(&self) -> impl Iterator<Item = (&str, &str)> {
        self.secrets.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// What must not show: of a PEM file, a line of its private key.
    pub(super) fn canaries(&self) -> Vec<String> {
        self.secrets.iter().map(|(_, value)| canary(value)).collect()
    }

    /// The secrets of each service, by the item that it asks for.
    pub(super) fn secrets_by_item(&self) -> Vec<Vec<String>> {
        let value = |name: &String| {
            let found = self.secrets.iter().find(|(known, _)| known == name);
            found.map(|(_, value)| canary(value)).unwrap_or_default()
        };
        self.services.iter().map(|service| vec![value(&service.secret), value(&service.key)]).collect()
    }
}

/// What is secret of a value.
fn canary(value: &str) -> String {
    let key = value.split("-----BEGIN PRIVATE KEY-----\n").nth(1).and_then(|rest| rest.lines().next());
    key.unwrap_or(value).to_owned()
}

impl Service {
    /// Its settings, as the admin API takes them.
    pub(super) fn settings(&self, upstream: SocketAddr) -> Value {
        let secret = &self.secret;
        let credential = match self.credential {
            Credential::Header => json!({ "type": "header", "name": "x-api-key", "secret": secret }),
            Credential::Bearer => {
                json!({ "type": "header", "name": "authorization", "prefix": "Bearer ", "secret": secret })
            }
            Credential::Basic => json!({ "type": "basic", "username": "truc", "secret": secret }),
            Credential::OAuth2 => json!({
                "type": "oauth2-client-credentials", "tokenPath": "/token", "clientId": "truc", "secret": secret
            }),
            Credential::LoginInBody => json!({
                "type": "session-login", "loginPath": "/login", "username": "truc", "secret": secret,
                "destination": "VN:GOV:G22:provider"
            }),
            Credential::LoginInHeader => json!({
                "type": "session-login", "loginPath": "/login", "username": "truc", "secret": secret,
                "place": { "header": "x-session" }
            }),
            Credential::Hmac => json!({
                "type": "http-signature", "algorithm": "hmac-sha256", "keyId": "truc", "secret": secret
            }),
            Credential::Ed25519 => {
                json!({ "type": "http-signature", "algorithm": "ed25519", "keyId": "truc", "secret": secret })
            }
            Credential::ClientCertificate => Value::Null,
        };
        let mut binding = json!({ "address": format!("http://{upstream}") });
        if let Some(members) = binding.as_object_mut() {
            if self.credential == Credential::ClientCertificate {
                // The upstream speaks no TLS: what is attacked is how the failure is told.
                members.insert("address".to_owned(), json!(format!("https://{upstream}")));
                members.insert("clientCertificate".to_owned(), json!(secret));
                let certificate = CLIENT.split("-----BEGIN PRIVATE KEY").next();
                members.insert("ca".to_owned(), json!(certificate));
            } else {
                members.insert("credential".to_owned(), credential);
            }
        }
        json!({
            "connector": "trial@1.0.0",
            "bindings": { "shelf": binding },
            "keys": { "seal": { "algorithm": "hmac-sha256", "secret": self.key } },
            "limits": { "cpu": "10s", "deadline": "30s" }
        })
    }
}

/// Everything that is searched for.
pub(super) struct Needles(Vec<(String, Vec<u8>)>);

impl Needles {
    /// The forms of all secrets and of tokens.
    pub(super) fn of(stand: &Stand, tokens: &[String]) -> Self {
        let secrets = stand.canaries().into_iter().chain(tokens.iter().cloned());
        let needles = secrets.flat_map(|secret| {
            forms(&secret).into_iter().map(move |(form, text)| (format!("{secret:?} {form}"), text))
        });
        Self(needles.collect())
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.0.iter().map(|(_, needle)| needle.as_slice())
    }

    /// What stands at a place of the list.
    pub(super) fn name(&self, place: u64) -> &str {
        usize::try_from(place).ok().and_then(|place| self.0.get(place)).map_or("?", |(name, _)| name)
    }

    /// Which of them stand in a text, told with the text's place.
    pub(super) fn found_in(&self, place: &str, text: &str) -> Vec<String> {
        let is_in = |needle: &Vec<u8>| std::str::from_utf8(needle).is_ok_and(|needle| text.contains(needle));
        self.0
            .iter()
            .filter(|(_, needle)| is_in(needle))
            .map(|(name, _)| format!("{place}: {name}"))
            .collect()
    }
}

/// The forms of one secret: of Base64, what is the same whatever stands around the secret.
fn forms(secret: &str) -> Vec<(&'static str, Vec<u8>)> {
    let bytes = secret.as_bytes();
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let percent: String = bytes
        .iter()
        .map(|byte| match byte.is_ascii_alphanumeric() {
            true => char::from(*byte).to_string(),
            false => format!("%{byte:02X}"),
        })
        .collect();
    let base64 = |before: usize, first: usize| {
        let text = STANDARD_NO_PAD.encode([b"xy".get(..before).unwrap_or_default(), bytes].concat());
        text.get(first..text.len() - 1).unwrap_or_default().as_bytes().to_vec()
    };
    let escaped = serde_json::to_string(secret).unwrap_or_default();
    vec![
        ("plain", bytes.to_vec()),
        ("upper hex", hex.to_uppercase().into_bytes()),
        ("hex", hex.into_bytes()),
        ("percent-encoded", percent.into_bytes()),
        ("Base64", base64(0, 0)),
        ("Base64 after one", base64(1, 2)),
        ("Base64 after two", base64(2, 3)),
        ("in JSON", escaped.trim_matches('"').as_bytes().to_vec()),
    ]
}

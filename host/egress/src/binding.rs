//! What the operator sets for one handle: the settings as they are stored, before they are bound.

use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;
use serde::de::{Deserializer, Error};
use serde::{Deserialize, Serialize};
use truc_model::Millis;

use crate::{Address, Pin, SecretRef};

/// Everything the operator sets for one upstream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Binding {
    /// Where the upstream is.
    pub address: Address,
    /// The ranges in which every address of the upstream's host must lie when a connection is made. Needed where the
    /// host is a name; where it is an IP address and no range is given, exactly that address.
    #[serde(default, deserialize_with = "ranges", skip_serializing_if = "Vec::is_empty")]
    pub allow_addresses: Vec<IpNet>,
    /// How Trục makes itself known to the upstream.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential: Option<Credential>,
    /// How long the parts of a call may take.
    #[serde(default)]
    pub timeouts: Timeouts,
    /// The most connections open at once, 1 to 1,024. At most 64 of them are kept while idle.
    #[serde(default = "default_connections")]
    pub max_connections: u32,
    /// The most calls of the service that are at this upstream at once, 1 to 1,024; more are refused. Where it is left
    /// out: as many as run at once where the service has no other upstream, three quarters of them where it has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_calls: Option<u32>,
    /// How often a request is sent at the most, 1 to 5; with 1 nothing is made again. See [`crate::Upstream`] for what
    /// is made again at all.
    #[serde(default = "default_attempts")]
    pub attempts: u32,
    /// When the upstream is left alone.
    #[serde(default)]
    pub breaker: BreakerSettings,
    /// The certificates (PEM) that the upstream's certificate must lead to, instead of the system's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca: Option<String>,
    /// The keys of which the upstream's certificate must bear one. Without `ca` nothing else about the certificate matters.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pins: Vec<Pin>,
    /// The name of the secret that holds the certificate Trục shows the upstream and its private key (PEM), beside any
    /// credential.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_certificate: Option<SecretRef>,
}

impl Binding {
    /// A binding with nothing set but the address.
    pub fn to(address: Address) -> Self {
        Self {
            address,
            allow_addresses: Vec::new(),
            credential: None,
            timeouts: Timeouts::default(),
            max_connections: default_connections(),
            max_calls: None,
            attempts: default_attempts(),
            breaker: BreakerSettings::default(),
            ca: None,
            pins: Vec::new(),
            client_certificate: None,
        }
    }

    /// The names of the secrets it needs.
    pub fn secrets(&self) -> impl Iterator<Item = &SecretRef> {
        self.credential.iter().map(Credential::secret).chain(&self.client_certificate)
    }
}

fn default_connections() -> u32 {
    64
}

fn default_attempts() -> u32 {
    3
}

/// Takes `10.20.0.0/16`, and a plain address for the range of just that one.
fn ranges<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<IpNet>, D::Error> {
    let range = |text: &String| {
        text.parse::<IpNet>().or_else(|_| text.parse::<IpAddr>().map(IpNet::from)).map_err(|_| {
            D::Error::custom(format_args!(
                "{text:?} is not an address range: write for instance \"10.20.0.0/16\", \"10.20.0.7\" or \"fd00::/8\""
            ))
        })
    };
    Vec::<String>::deserialize(deserializer)?.iter().map(range).collect()
}

/// How Trục makes itself known to an upstream. The secret itself is in the vault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case", rename_all_fields = "camelCase", deny_unknown_fields)]
pub enum Credential {
    /// One header field with the secret as its value.
    Header {
        /// The field's name: `access_token`, `authorization`, …
        name: String,
        /// What stands before the secret, with its space: `"Bearer "`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        prefix: Option<String>,
        /// The secret's name.
        secret: SecretRef,
    },
    /// HTTP Basic (RFC 7617).
    Basic {
        /// The user name, without a colon.
        username: String,
        /// The name of the secret that is the password.
        secret: SecretRef,
    },
    /// The OAuth 2.0 client credentials grant (RFC 6749, section 4.4). Tokens are kept and renewed before they expire.
    #[serde(rename = "oauth2-client-credentials")]
    OAuth2ClientCredentials {
        /// The path of the token endpoint on the address's host and port. The address's base path does not stand
        /// before it.
        token_path: String,
        /// The client's identifier.
        client_id: String,
        /// The name of the secret that is the client's password.
        secret: SecretRef,
        /// The scope to ask for.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        scope: Option<String>,
    },
    /// The session of a login to the national integration platform (NDXP, VXP). Sessions are kept, and renewed when
    /// their time is over or the upstream refuses them.
    SessionLogin {
        /// The path of the login on the address's host and port. The address's base path does not stand before it.
        login_path: String,
        /// The user name.
        username: String,
        /// The name of the secret that is the password.
        secret: SecretRef,
        /// The code of the system on the platform that is logged in to: the login's header field `dstcode`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        destination: Option<String>,
        /// Where the session goes in a request.
        #[serde(default)]
        place: SessionPlace,
        /// How long a session is used, from 10 s to 24 h.
        #[serde(default = "default_session_life")]
        lifetime: Millis,
        /// The values of `error_code` in an answer that tell that the session is over, besides the status 401.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        expired_codes: Vec<String>,
    },
    /// HTTP Message Signatures (RFC 9421), with the body covered by its digest (RFC 9530).
    HttpSignature {
        /// What signs.
        algorithm: SignatureAlgorithm,
        /// By what the upstream knows the key: the parameter `keyid`.
        key_id: String,
        /// The name of the secret that is the key.
        secret: SecretRef,
        /// The name of the signature; `sig1` where it is left out.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        label: Option<String>,
        /// What is signed, in order: `@method`, `@authority`, `@scheme`, `@request-target`, `@path`, `@query` and names of
        /// header fields. Where it is empty: `@method`, `@authority`, `@path`, `@query`, `content-type`,
        /// `content-digest`. Fields that a request does not have are left out.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        components: Vec<String>,
    },
}

impl Credential {
    /// The name of its secret.
    pub fn secret(&self) -> &SecretRef {
        match self {
            Credential::Header { secret, .. }
            | Credential::Basic { secret, .. }
            | Credential::OAuth2ClientCredentials { secret, .. }
            | Credential::SessionLogin { secret, .. }
            | Credential::HttpSignature { secret, .. } => secret,
        }
    }
}

/// Where a session goes in a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SessionPlace {
    /// The member of this name of the JSON object that is the body.
    Member(String),
    /// The header field of this name.
    Header(String),
}

impl Default for SessionPlace {
    /// As the platform takes it.
    fn default() -> Self {
        Self::Member("session".to_owned())
    }
}

/// What signs requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SignatureAlgorithm {
    /// Ed25519; the secret is a PEM file with a `PRIVATE KEY` (PKCS#8).
    Ed25519,
    /// HMAC with SHA-256; the secret's text is the key, or the key's Base64 after `base64:`.
    HmacSha256,
}

impl fmt::Display for SignatureAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            SignatureAlgorithm::Ed25519 => "ed25519",
            SignatureAlgorithm::HmacSha256 => "hmac-sha256",
        })
    }
}

fn default_session_life() -> Millis {
    Millis(15 * 60 * 1000)
}

/// How long the parts of a call may take; each from 1 ms to 10 min. The call's own deadline bounds all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Timeouts {
    /// For a free connection, where as many are open as may be.
    pub wait: Millis,
    /// From looking up the name to an open connection, TLS included.
    pub connect: Millis,
    /// From sending the request to the head of the answer.
    pub first_byte: Millis,
    /// The whole call, waiting for a free connection and obtaining a token included.
    pub total: Millis,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self { wait: Millis(2_000), connect: Millis(2_000), first_byte: Millis(5_000), total: Millis(15_000) }
    }
}

/// When an upstream is left alone, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct BreakerSettings {
    /// After how many failures in a row, up to 1,000; with 0 it never is.
    pub failures: u32,
    /// How long the first time, 1 ms to 10 min; twice as long each time that it still does not answer.
    pub pause: Millis,
    /// How long at the most, 1 ms to 10 min.
    pub longest_pause: Millis,
}

impl Default for BreakerSettings {
    fn default() -> Self {
        Self { failures: 7, pause: Millis(1_000), longest_pause: Millis(60_000) }
    }
}

/// What the operator sets for one key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct KeyBinding {
    /// What the key is for.
    pub algorithm: KeyAlgorithm,
    /// The name of the secret that holds the key.
    pub secret: SecretRef,
}

/// What a key can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeyAlgorithm {
    /// HMAC-SHA-256 for `mac`; the secret's text is the key.
    HmacSha256,
    /// SHA-256 over message and secret for `digest`; the secret's text is what follows the message.
    Sha256Suffix,
    /// Ed25519 for `sign` and `verify`; the secret is a PEM file: `PRIVATE KEY` (PKCS#8) for both, `PUBLIC KEY` for
    /// `verify` alone.
    Ed25519,
}

impl fmt::Display for KeyAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            KeyAlgorithm::HmacSha256 => "hmac-sha256",
            KeyAlgorithm::Sha256Suffix => "sha256-suffix",
            KeyAlgorithm::Ed25519 => "ed25519",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_binding_is_written_as_it_was_read() {
        let text = r#"{"address":"https://registry.example:8443/v1","allowAddresses":["10.20.0.0/16","10.30.0.7/32"],"credential":{"type":"oauth2-client-credentials","tokenPath":"/token","clientId":"truc","secret":"registry-client"},"timeouts":{"wait":"1s","connect":"1s","firstByte":"2s","total":"4s"},"maxConnections":8,"maxCalls":9,"attempts":2,"breaker":{"failures":5,"pause":"2s","longestPause":"30s"},"pins":["sha256/47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="]}"#;
        let binding: Binding = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&binding).unwrap(), text);
    }

    #[test]
    fn every_secret_is_named() {
        let text = r#"{"address":"https://a","allowAddresses":["10.0.0.1"],"credential":{"type":"session-login","loginPath":"/login","username":"u","secret":"one"},"clientCertificate":"two"}"#;
        let binding: Binding = serde_json::from_str(text).unwrap();
        assert_eq!(binding.secrets().map(SecretRef::as_str).collect::<Vec<_>>(), ["one", "two"]);
        let Some(Credential::SessionLogin { place, lifetime, .. }) = &binding.credential else { panic!() };
        assert_eq!((place, *lifetime), (&SessionPlace::Member("session".to_owned()), Millis(900_000)));
    }

    #[test]
    fn little_needs_to_be_set() {
        let binding: Binding =
            serde_json::from_str(r#"{"address":"http://10.0.0.1","allowAddresses":["10.0.0.1"]}"#).unwrap();
        assert_eq!(binding.timeouts, Timeouts::default());
        assert_eq!(binding.allow_addresses, vec!["10.0.0.1/32".parse().unwrap()]);
        assert_eq!((binding.max_connections, binding.max_calls, binding.attempts), (64, None, 3));
        assert_eq!(binding.breaker, BreakerSettings::default());
    }

    #[test]
    fn mistakes_are_named() {
        for (text, needle) in [
            (r#"{"address":"http://a","adress":"x"}"#, "adress"),
            (r#"{"address":"a"}"#, "begin it with `http://`"),
            (r#"{"address":"http://a","allowAddresses":["10.0.0.1-9"]}"#, "is not an address range"),
            (r#"{"address":"http://a","timeouts":{"firstbyte":"1s"}}"#, "firstByte"),
            (r#"{"address":"http://a","breaker":{"after":3}}"#, "longestPause"),
            (r#"{"address":"https://a","pins":["md5/x"]}"#, "`sha256/`"),
            (
                r#"{"address":"http://a","credential":{"type":"basic","username":"u","secret":"../x"}}"#,
                "../x",
            ),
            (
                r#"{"address":"http://a","credential":{"type":"basic","username":"u","password":"x","secret":"s"}}"#,
                "password",
            ),
            (r#"{"address":"http://a","credential":{"type":"digest"}}"#, "oauth2-client-credentials"),
            (
                r#"{"address":"http://a","credential":{"type":"session-login","loginPath":"/l","username":"u","secret":"s","place":{"cookie":"x"}}}"#,
                "expected `member` or `header`",
            ),
        ] {
            let error = serde_json::from_str::<Binding>(text).unwrap_err().to_string();
            assert!(error.contains(needle), "{error}");
        }
    }
}

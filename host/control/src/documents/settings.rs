//! The JSON Schema of what other rooms read themselves: a service's settings and limits.
//!
//! The types of those rooms know nothing of OpenAPI. The types here stand for them in the document; a test holds that
//! both take and write the same members.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What the operator sets for a service. Secrets are named, never held.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = ServiceSettings)]
pub struct Settings {
    /// The connector that serves it, by name and version.
    #[schema(example = "land@1.0.0")]
    pub connector: String,
    /// The upstreams that the manifest declares, by handle.
    #[serde(default)]
    pub bindings: BTreeMap<String, Binding>,
    /// Configuration values; those with a default in the manifest may be left out.
    #[serde(default)]
    pub config: BTreeMap<String, ConfigValue>,
    /// The keys that the manifest declares, by handle.
    #[serde(default)]
    pub keys: BTreeMap<String, KeyBinding>,
    /// Limits that differ from what the manifest asks for.
    #[serde(default)]
    pub limits: LimitsPatch,
}

/// Where an upstream is and how it is called.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Binding {
    /// `http://` or `https://`, host, and where needed port and base path.
    #[schema(example = "https://registry.example:8443/v1")]
    pub address: String,
    /// The ranges in which every address of the host must lie. Needed where the host is a name; where it is an IP
    /// address and none is given, exactly that address.
    #[serde(default)]
    #[schema(example = json!(["10.20.0.0/16"]))]
    pub allow_addresses: Vec<String>,
    /// How Trục makes itself known to the upstream.
    pub credential: Option<Credential>,
    /// How long the parts of a call may take.
    #[serde(default)]
    pub timeouts: Timeouts,
    /// The most connections open at once.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 1024, default = 64)]
    pub max_connections: u32,
    /// The most calls of the service that are at this upstream at once. Where it is left out: as many as run at once, or
    /// three quarters of them where the service has other upstreams.
    #[schema(minimum = 1, maximum = 1024)]
    pub max_calls: Option<u32>,
    /// How often a request is sent at the most; with 1 nothing is made again.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 5, default = 3)]
    pub attempts: u32,
    /// When the upstream is left alone.
    #[serde(default)]
    pub breaker: BreakerSettings,
    /// The certificates (PEM) that the upstream's certificate must lead to, instead of the system's own.
    pub ca: Option<String>,
    /// The keys of which the upstream's certificate must bear one: `sha256/` and the digest in base64. Without `ca`
    /// nothing else about the certificate matters.
    #[serde(default)]
    #[schema(example = json!(["sha256/47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="]))]
    pub pins: Vec<String>,
    /// The name of the secret that holds the certificate that Trục shows the upstream, with its private key (PEM).
    pub client_certificate: Option<String>,
}

/// How Trục makes itself known to an upstream. The secret itself is in the vault.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Credential {
    /// One header field with the secret as its value.
    Header {
        /// The field's name.
        #[schema(example = "authorization")]
        name: String,
        /// What stands before the secret, with its space.
        #[schema(example = "Bearer ")]
        prefix: Option<String>,
        /// The secret's name.
        secret: String,
    },
    /// HTTP Basic (RFC 7617).
    Basic {
        /// The user name, without a colon.
        username: String,
        /// The name of the secret that is the password.
        secret: String,
    },
    /// The OAuth 2.0 client credentials grant (RFC 6749, section 4.4).
    #[serde(rename = "oauth2-client-credentials", rename_all = "camelCase")]
    OAuth2ClientCredentials {
        /// The path of the token endpoint, on the binding's host and port.
        #[schema(example = "/token")]
        token_path: String,
        /// The client's identifier.
        client_id: String,
        /// The name of the secret that is the client's password.
        secret: String,
        /// The scope to ask for.
        scope: Option<String>,
    },
    /// The session of a login to the national integration platform.
    #[serde(rename_all = "camelCase")]
    SessionLogin {
        /// The path of the login, on the binding's host and port.
        #[schema(example = "/mapi/login")]
        login_path: String,
        /// The user name.
        username: String,
        /// The name of the secret that is the password.
        secret: String,
        /// The code of the system on the platform that is logged in to (`dstcode`).
        destination: Option<String>,
        /// Where the session goes in a request.
        place: Option<SessionPlace>,
        /// How long a session is used, `10s` to `24h`.
        #[schema(default = "15min")]
        lifetime: Option<String>,
        /// The values of `error_code` in an answer that tell that the session is over, besides the status 401.
        #[serde(default)]
        expired_codes: Vec<String>,
    },
    /// HTTP Message Signatures (RFC 9421).
    #[serde(rename_all = "camelCase")]
    HttpSignature {
        /// What signs.
        algorithm: SignatureAlgorithm,
        /// By what the upstream knows the key.
        key_id: String,
        /// The name of the secret that is the key.
        secret: String,
        /// The name of the signature.
        #[schema(default = "sig1")]
        label: Option<String>,
        /// What is signed, in order.
        #[serde(default)]
        #[schema(example = json!(["@method", "@authority", "@path", "content-digest"]))]
        components: Vec<String>,
    },
}

/// Where a session goes in a request.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SessionPlace {
    /// The member of this name of the JSON object that is the body; `session` where nothing is set.
    Member(String),
    /// The header field of this name.
    Header(String),
}

/// What signs requests.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SignatureAlgorithm {
    /// Ed25519; the secret is a private key (PEM).
    Ed25519,
    /// HMAC with SHA-256; the secret is the key.
    HmacSha256,
}

/// How long the parts of a call to an upstream may take; written with a unit: `200ms`, `5s`, `1min`.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Timeouts {
    /// For a free connection.
    #[schema(default = "2s")]
    pub wait: String,
    /// From looking up the name to an open connection.
    #[schema(default = "2s")]
    pub connect: String,
    /// From sending the request to the head of the answer.
    #[schema(default = "5s")]
    pub first_byte: String,
    /// The whole call.
    #[schema(default = "15s")]
    pub total: String,
}

/// When an upstream is left alone, and for how long; times are written with a unit: `1s`, `1min`.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct BreakerSettings {
    /// After how many failures in a row; with 0 it never is.
    #[schema(maximum = 1000, default = 7)]
    pub failures: u32,
    /// How long the first time; twice as long each time that it still does not answer.
    #[schema(default = "1s")]
    pub pause: String,
    /// How long at the most.
    #[schema(default = "1min")]
    pub longest_pause: String,
}

/// How the breaker of an upstream stands.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum BreakerState {
    /// Calls pass.
    Closed,
    /// The upstream keeps failing: calls are refused for a while.
    Open,
    /// One call is let through, to see whether the upstream is back.
    Probation,
}

/// A configuration value.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum ConfigValue {
    /// Of the type `flag`.
    Flag(bool),
    /// Of the type `integer`.
    Integer(i64),
    /// Of the type `text`.
    Text(String),
    /// Of the type `list`.
    Texts(Vec<String>),
}

/// The secret behind a key.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct KeyBinding {
    /// What the key is for.
    pub algorithm: KeyAlgorithm,
    /// The name of the secret.
    pub secret: String,
}

/// What a key can do.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum KeyAlgorithm {
    /// HMAC-SHA-256, for `mac`.
    HmacSha256,
    /// SHA-256 over the message followed by the secret, for `digest`.
    Sha256Suffix,
    /// Ed25519, for `sign` and `verify`.
    Ed25519,
}

/// What one call of a service may use, and how many run and wait. Sizes are written `64MiB`, times `5s`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Limits {
    /// Memory of the instance.
    pub memory: String,
    /// What the host may hold for a call beside the instance.
    pub host_memory: String,
    /// Processor time of the connector's own code.
    pub cpu: String,
    /// Wall-clock time of the whole call.
    pub deadline: String,
    /// Calls that run at once.
    pub concurrency: u32,
    /// Calls that wait for a place.
    pub queue: u32,
    /// How long a call waits for a place.
    pub queue_wait: String,
    /// Calls to upstreams in one call.
    pub upstream_calls: u32,
    /// The body of one upstream request or response.
    pub upstream_bytes: String,
    /// All bodies of a call's upstream requests and responses.
    pub upstream_total_bytes: String,
    /// The caller's body.
    pub request_bytes: String,
    /// The answer's body.
    pub response_bytes: String,
    /// Lines that one call writes to the log.
    pub log_lines: u32,
    /// Lines that the service writes to the log in a second.
    pub log_rate: u32,
    /// What the service's cache holds.
    pub cache_bytes: String,
    /// What one call puts into the cache.
    pub cache_put_bytes: String,
    /// The answers that are kept to be given again.
    pub answer_cache_bytes: String,
}

/// Limits to set; what is left out stays as it is. Nothing goes above the platform's ceilings, which may be lower than
/// those that stand here. Sizes are written `64MiB`, times `5s`.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LimitsPatch {
    /// Memory of the instance; at most `64MiB`.
    pub memory: Option<String>,
    /// What the host may hold for a call beside the instance; at most `1GiB`.
    pub host_memory: Option<String>,
    /// Processor time of the connector's own code; at most `10s`.
    pub cpu: Option<String>,
    /// Wall-clock time of the whole call; at most `1min`.
    pub deadline: Option<String>,
    /// Calls that run at once.
    #[schema(maximum = 512)]
    pub concurrency: Option<u32>,
    /// Calls that wait for a place; none with 0.
    #[schema(maximum = 1024)]
    pub queue: Option<u32>,
    /// How long a call waits for a place; at most `30s`.
    pub queue_wait: Option<String>,
    /// Calls to upstreams in one call.
    #[schema(maximum = 256)]
    pub upstream_calls: Option<u32>,
    /// The body of one upstream request or response; at most `32MiB`.
    pub upstream_bytes: Option<String>,
    /// All bodies of a call's upstream requests and responses; at most `512MiB`.
    pub upstream_total_bytes: Option<String>,
    /// The caller's body; at most `32MiB`.
    pub request_bytes: Option<String>,
    /// The answer's body; at most `32MiB`.
    pub response_bytes: Option<String>,
    /// Lines that one call writes to the log.
    #[schema(maximum = 1000)]
    pub log_lines: Option<u32>,
    /// Lines that the service writes to the log in a second.
    #[schema(maximum = 100000)]
    pub log_rate: Option<u32>,
    /// What the service's cache holds; at most `64MiB`.
    pub cache_bytes: Option<String>,
    /// What one call puts into the cache; at most `64MiB`.
    pub cache_put_bytes: Option<String>,
    /// The answers that are kept to be given again; at most `64MiB`, none with `0B`.
    pub answer_cache_bytes: Option<String>,
}

/// The value of a limit.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(untagged)]
#[schema(example = "5s")]
pub enum LimitValue {
    /// A number of things.
    Count(u32),
    /// A size or a time, with its unit.
    Quantity(String),
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use utoipa::PartialSchema;

    use super::*;

    fn settings(credential: Value) -> Value {
        json!({
            "connector": "land@1.0.0",
            "bindings": { "registry": {
                "address": "https://registry.example:8443/v1",
                "allowAddresses": ["10.20.0.0/16"],
                "credential": credential,
                "timeouts": { "wait": "1s", "connect": "1s", "firstByte": "2s", "total": "4s" },
                "maxConnections": 8,
                "maxCalls": 9,
                "attempts": 2,
                "breaker": { "failures": 5, "pause": "2s", "longestPause": "30s" },
                "ca": "-----BEGIN CERTIFICATE-----",
                "pins": ["sha256/47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="],
                "clientCertificate": "own-certificate"
            } },
            "config": { "a": true, "b": 1, "c": "x", "d": ["x"] },
            "keys": {
                "one": { "algorithm": "hmac-sha256", "secret": "one" },
                "two": { "algorithm": "sha256-suffix", "secret": "two" },
                "three": { "algorithm": "ed25519", "secret": "three" }
            },
            "limits": {
                "memory": "1MiB", "cpu": "1ms", "deadline": "1s", "concurrency": 1, "upstreamCalls": 1,
                "upstreamBytes": "1MiB", "requestBytes": "1MiB", "responseBytes": "1MiB", "cacheBytes": "1MiB",
                "answerCacheBytes": "1MiB", "hostMemory": "1MiB", "queue": 1, "queueWait": "1s",
                "upstreamTotalBytes": "1MiB", "logLines": 1, "logRate": 1, "cachePutBytes": "1MiB"
            }
        })
    }

    /// Whether a value has the members and types that a schema of the document gives it, no more and no fewer.
    fn fits(value: &Value, schema: &Value, document: &Value) -> bool {
        if let Some(reference) = schema["$ref"].as_str() {
            return fits(value, document.pointer(&reference[1..]).unwrap(), document);
        }
        if let Some(options) = schema["oneOf"].as_array() {
            return options.iter().any(|option| fits(value, option, document));
        }
        let is = |name: &str| {
            schema["type"] == name
                || schema["type"].as_array().is_some_and(|some| some.contains(&json!(name)))
        };
        match value {
            Value::Object(members) => {
                let of = |name: &String| match &schema["properties"][name] {
                    Value::Null => &schema["additionalProperties"],
                    property => property,
                };
                let required = schema["required"].as_array().into_iter().flatten();
                is("object")
                    && members
                        .iter()
                        .all(|(name, member)| of(name).is_object() && fits(member, of(name), document))
                    && required.into_iter().all(|name| members.contains_key(name.as_str().unwrap()))
            }
            Value::Array(items) => {
                is("array") && items.iter().all(|item| fits(item, &schema["items"], document))
            }
            Value::String(_) => {
                is("string") && schema["enum"].as_array().is_none_or(|some| some.contains(value))
            }
            Value::Number(_) => is("integer"),
            Value::Bool(_) => is("boolean"),
            Value::Null => is("null"),
        }
    }

    /// Everything that can be set is written by the room that reads it, and described by the document.
    #[test]
    fn settings_are_described_as_they_are_read() {
        let document: Value = serde_json::from_slice(&crate::openapi::document()).unwrap();
        let schema = &document["components"]["schemas"]["ServiceSettings"];
        for credential in [
            json!({ "type": "header", "name": "authorization", "prefix": "Bearer ", "secret": "s" }),
            json!({ "type": "basic", "username": "u", "secret": "s" }),
            json!({
                "type": "oauth2-client-credentials",
                "tokenPath": "/token", "clientId": "truc", "secret": "s", "scope": "x"
            }),
            json!({
                "type": "session-login", "loginPath": "/mapi/login", "username": "u", "secret": "s",
                "destination": "VN:GOV:G22:provider", "place": { "member": "session" }, "lifetime": "15min",
                "expiredCodes": ["-1"]
            }),
            json!({
                "type": "http-signature", "algorithm": "ed25519", "keyId": "truc", "secret": "s", "label": "sig1",
                "components": ["@method", "@authority"]
            }),
        ] {
            let given = settings(credential);
            let read: truc_fleet::ServiceSettings = serde_json::from_value(given.clone()).unwrap();
            let written = serde_json::to_value(read).unwrap();
            assert_eq!(written, given);
            assert!(fits(&written, schema, &document), "{written}");
            serde_json::from_value::<Settings>(written).unwrap();
        }
        let unknown = json!({ "connector": "land@1.0.0", "colour": "red" });
        assert!(!fits(&unknown, schema, &document));
    }

    #[test]
    fn limits_are_described_as_they_are_written() {
        let limits = truc_model::Limits::default();
        let written = serde_json::to_value(limits).unwrap();
        serde_json::from_value::<Limits>(written.clone()).unwrap();
        for schema in [Limits::schema(), LimitsPatch::schema()] {
            let schema = serde_json::to_value(schema).unwrap();
            let mut described: Vec<&String> = schema["properties"].as_object().unwrap().keys().collect();
            let mut members: Vec<&String> = written.as_object().unwrap().keys().collect();
            described.sort();
            members.sort();
            assert_eq!(described, members);
        }
    }

    #[test]
    fn defaults_are_described_as_they_are() {
        let binding: truc_egress::Binding =
            serde_json::from_value(json!({ "address": "http://10.0.0.1" })).unwrap();
        let written = serde_json::to_value(binding).unwrap();
        let described = serde_json::to_value(Binding::schema()).unwrap();
        assert_eq!(described["properties"]["maxConnections"]["default"], written["maxConnections"]);
        assert_eq!(described["properties"]["attempts"]["default"], written["attempts"]);
        for (part, schema) in [("timeouts", Timeouts::schema()), ("breaker", BreakerSettings::schema())] {
            let schema = serde_json::to_value(schema).unwrap();
            for (name, value) in written[part].as_object().unwrap() {
                assert_eq!(schema["properties"][name]["default"], *value, "{name}");
            }
        }
    }
}

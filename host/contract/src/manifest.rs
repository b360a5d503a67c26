//! `connector.toml`: what a connector says of itself and asks of the operator.
//!
//! Reading gives either a manifest in which nothing is wrong, or every fault that was found, each with the key it sits
//! at and what to write instead.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use semver::Version;
use serde::{Deserialize, Serialize};
use truc_model::{Bytes, ConnectorName, Handle, Limits, LimitsPatch, Millis};

use crate::path::{Method, PathTemplate};

/// The manifest of a connector.
#[derive(Debug, Clone, PartialEq)]
pub struct Manifest {
    /// The connector's name.
    pub name: ConnectorName,
    /// The connector's own version.
    pub version: Version,
    /// Who publishes it, at most 100 characters.
    pub publisher: String,
    /// What it is, for people.
    pub description: String,
    /// The contract it implements.
    pub contract: ContractId,
    /// The upstreams it calls.
    pub upstreams: BTreeMap<Handle, UpstreamRule>,
    /// The configuration values it reads.
    pub config: BTreeMap<Handle, ConfigRule>,
    /// The keys it uses.
    pub keys: BTreeMap<Handle, KeyRule>,
    /// The limits it asks for.
    pub limits: LimitsPatch,
}

/// The name and version of a contract: `lgsp:civil-status@1.0.0`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ContractId {
    /// The part before the colon.
    pub namespace: String,
    /// The part between colon and `@`.
    pub name: String,
    /// The version.
    pub version: Version,
}

/// What a connector may ask of one upstream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpstreamRule {
    /// What the upstream is, for the operator who binds it.
    pub description: String,
    /// Methods and path templates; everything else is refused.
    pub allow: Vec<Allowed>,
}

/// One method and path template; written `POST /orders/{id}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Allowed {
    /// The method.
    pub method: Method,
    /// The template.
    pub path: PathTemplate,
}

/// One configuration value.
#[derive(Debug, Clone, PartialEq)]
pub struct ConfigRule {
    /// What it is, for the operator who sets it.
    pub description: String,
    /// Its type.
    pub kind: ConfigKind,
    /// The value in force when the operator sets none; none means that the operator must.
    pub default: Option<ConfigValue>,
}

/// The type of a configuration value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ConfigKind {
    /// A text.
    Text,
    /// A whole number of 64 bits.
    Integer,
    /// True or false.
    Flag,
    /// A list of texts.
    List,
}

/// A configuration value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum ConfigValue {
    /// Of the kind `flag`.
    Flag(bool),
    /// Of the kind `integer`.
    Integer(i64),
    /// Of the kind `text`.
    Text(String),
    /// Of the kind `list`.
    Texts(Vec<String>),
}

impl ConfigValue {
    /// The kind this value is of.
    pub fn kind(&self) -> ConfigKind {
        match self {
            ConfigValue::Flag(_) => ConfigKind::Flag,
            ConfigValue::Integer(_) => ConfigKind::Integer,
            ConfigValue::Text(_) => ConfigKind::Text,
            ConfigValue::Texts(_) => ConfigKind::List,
        }
    }
}

impl fmt::Display for ConfigKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ConfigKind::Text => "text",
            ConfigKind::Integer => "integer",
            ConfigKind::Flag => "flag",
            ConfigKind::List => "list",
        })
    }
}

/// What a connector may do with one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRule {
    /// What the key is, for the operator who binds it.
    pub description: String,
    /// The uses; everything else is refused.
    pub uses: Vec<KeyUse>,
}

/// A use of a key; the functions of `truc:connector/keys`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KeyUse {
    /// HMAC-SHA-256.
    Mac,
    /// SHA-256 of the message followed by the secret.
    Digest,
    /// Ed25519 signature.
    Sign,
    /// Verification of an Ed25519 signature.
    Verify,
}

impl fmt::Display for KeyUse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            KeyUse::Mac => "mac",
            KeyUse::Digest => "digest",
            KeyUse::Sign => "sign",
            KeyUse::Verify => "verify",
        })
    }
}

impl fmt::Display for ContractId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}@{}", self.namespace, self.name, self.version)
    }
}

/// A text that does not name a contract.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} does not name a contract: write `namespace:name@version`, for instance `lgsp:land@1.0.0`")]
pub struct ContractIdError(String);

impl FromStr for ContractId {
    type Err = ContractIdError;

    fn from_str(text: &str) -> Result<Self, ContractIdError> {
        let wrong = || ContractIdError(text.chars().take(120).collect());
        let (name, version) = text.split_once('@').ok_or_else(wrong)?;
        let (namespace, name) = name.split_once(':').ok_or_else(wrong)?;
        let is_name = |part: &str| part.parse::<Handle>().is_ok();
        if !is_name(namespace) || !is_name(name) {
            return Err(wrong());
        }
        let version = Version::parse(version).map_err(|_| wrong())?;
        Ok(Self { namespace: namespace.to_owned(), name: name.to_owned(), version })
    }
}

/// One fault of a manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManifestFault {
    /// The key, dotted: `upstreams.registry.allow[0]`; empty where the text as a whole cannot be read.
    pub key: String,
    /// What is wrong and what to write instead.
    pub detail: String,
}

/// Everything that is wrong with a manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManifestError {
    /// The file the manifest came from, as people know it.
    pub file: String,
    /// The faults; at least one.
    pub faults: Vec<ManifestFault>,
}

impl fmt::Display for ManifestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, fault) in self.faults.iter().enumerate() {
            let newline = if index == 0 { "" } else { "\n" };
            match fault.key.as_str() {
                "" => write!(f, "{newline}{}: {}", self.file, fault.detail.trim_end())?,
                key => write!(f, "{newline}{}: {key}: {}", self.file, fault.detail)?,
            }
        }
        Ok(())
    }
}

impl std::error::Error for ManifestError {}

impl Manifest {
    /// Reads a manifest. `file` is what error messages call it.
    ///
    /// # Errors
    /// Every fault that was found.
    pub fn parse(text: &str, file: &str) -> Result<Self, ManifestError> {
        let raw: Raw = toml::from_str(text).map_err(|error| ManifestError {
            file: file.to_owned(),
            faults: vec![ManifestFault { key: String::new(), detail: error.to_string() }],
        })?;
        let mut faults = Faults(Vec::new());
        let manifest = raw.check(&mut faults);
        match manifest {
            Some(manifest) if faults.0.is_empty() => Ok(manifest),
            _ => Err(ManifestError { file: file.to_owned(), faults: faults.0 }),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    connector: RawConnector,
    #[serde(default)]
    upstreams: BTreeMap<String, RawUpstream>,
    #[serde(default)]
    config: BTreeMap<String, RawConfig>,
    #[serde(default)]
    keys: BTreeMap<String, RawKey>,
    #[serde(default)]
    limits: RawLimits,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawConnector {
    name: String,
    version: String,
    publisher: String,
    description: String,
    contract: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawUpstream {
    description: String,
    allow: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawConfig {
    description: String,
    #[serde(rename = "type")]
    kind: ConfigKind,
    default: Option<ConfigValue>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawKey {
    description: String,
    r#use: Vec<KeyUse>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
struct RawLimits {
    memory: Option<Bytes>,
    cpu: Option<Millis>,
    deadline: Option<Millis>,
    concurrency: Option<u32>,
    upstream_calls: Option<u32>,
    upstream_bytes: Option<Bytes>,
    request_bytes: Option<Bytes>,
    response_bytes: Option<Bytes>,
    cache_bytes: Option<Bytes>,
}

struct Faults(Vec<ManifestFault>);

impl Faults {
    fn add(&mut self, key: impl Into<String>, detail: impl fmt::Display) {
        self.0.push(ManifestFault { key: key.into(), detail: detail.to_string() });
    }

    fn parse<T: FromStr<Err: fmt::Display>>(&mut self, key: &str, text: &str) -> Option<T> {
        text.parse().map_err(|error| self.add(key, error)).ok()
    }

    fn text(&mut self, key: &str, text: String, most: usize) -> String {
        let length = text.chars().count();
        if text.trim().is_empty() || length > most || text.chars().any(|c| c.is_control() && c != '\n') {
            self.add(key, format_args!("write a text of 1 to {most} characters without control characters"));
        }
        text
    }
}

impl Raw {
    fn check(self, faults: &mut Faults) -> Option<Manifest> {
        let name = faults.parse("connector.name", &self.connector.name);
        let version = Version::parse(&self.connector.version)
            .map_err(|error| {
                faults.add("connector.version", format_args!("{error}: write a semantic version, for instance `1.0.0`"));
            })
            .ok();
        let publisher = faults.text("connector.publisher", self.connector.publisher, 100);
        let description = faults.text("connector.description", self.connector.description, 2000);
        let contract = faults.parse("connector.contract", &self.connector.contract);
        let upstreams = table("upstreams", self.upstreams, faults, RawUpstream::check);
        let config = table("config", self.config, faults, RawConfig::check);
        let keys = table("keys", self.keys, faults, RawKey::check);
        let limits = self.limits.check(faults);
        Some(Manifest {
            name: name?,
            version: version?,
            publisher,
            description,
            contract: contract?,
            upstreams,
            config,
            keys,
            limits,
        })
    }
}

fn table<R, T>(
    name: &str,
    raw: BTreeMap<String, R>,
    faults: &mut Faults,
    check: impl Fn(R, &str, &mut Faults) -> T,
) -> BTreeMap<Handle, T> {
    raw.into_iter()
        .filter_map(|(handle, raw)| {
            let key = format!("{name}.{handle}");
            let checked = check(raw, &key, faults);
            faults.parse(&key, &handle).map(|handle| (handle, checked))
        })
        .collect()
}

impl RawUpstream {
    fn check(self, key: &str, faults: &mut Faults) -> UpstreamRule {
        let description = faults.text(&format!("{key}.description"), self.description, 500);
        if self.allow.is_empty() {
            faults.add(format!("{key}.allow"), "name at least one method and path, for instance \"GET /parcels/{id}\"");
        }
        let mut allow: Vec<Allowed> = Vec::new();
        for (index, text) in self.allow.iter().enumerate() {
            let key = format!("{key}.allow[{index}]");
            match parse_allowed(text) {
                Ok(allowed) if allow.contains(&allowed) => faults.add(key, format_args!("{text:?} stands twice")),
                Ok(allowed) => allow.push(allowed),
                Err(detail) => faults.add(key, detail),
            }
        }
        UpstreamRule { description, allow }
    }
}

fn parse_allowed(text: &str) -> Result<Allowed, String> {
    let (method, path) = text
        .split_once(' ')
        .ok_or_else(|| format!("{text:?} is not a method and a path: write \"GET /parcels/{{id}}\""))?;
    Ok(Allowed {
        method: method.parse().map_err(|error: crate::path::MethodError| error.to_string())?,
        path: path.parse().map_err(|error: crate::path::PathTemplateError| error.to_string())?,
    })
}

impl RawConfig {
    fn check(self, key: &str, faults: &mut Faults) -> ConfigRule {
        let description = faults.text(&format!("{key}.description"), self.description, 500);
        if let Some(default) = &self.default
            && default.kind() != self.kind
        {
            let (kind, given) = (self.kind, default.kind());
            faults.add(format!("{key}.default"), format_args!("it is of type {given}; `type` says {kind}"));
        }
        ConfigRule { description, kind: self.kind, default: self.default }
    }
}

impl RawKey {
    fn check(self, key: &str, faults: &mut Faults) -> KeyRule {
        let description = faults.text(&format!("{key}.description"), self.description, 500);
        if self.r#use.is_empty() {
            faults.add(format!("{key}.use"), "name at least one of \"mac\", \"digest\", \"sign\", \"verify\"");
        }
        KeyRule { description, uses: self.r#use }
    }
}

impl RawLimits {
    fn check(self, faults: &mut Faults) -> LimitsPatch {
        let patch = LimitsPatch {
            memory: self.memory,
            cpu: self.cpu,
            deadline: self.deadline,
            concurrency: self.concurrency,
            upstream_calls: self.upstream_calls,
            upstream_bytes: self.upstream_bytes,
            request_bytes: self.request_bytes,
            response_bytes: self.response_bytes,
            cache_bytes: self.cache_bytes,
        };
        for (field, value, ceiling) in patch.above(&Limits::ceilings()) {
            let key = format!("limits.{}", kebab(field));
            faults.add(key, format_args!("{value} is more than the platform allows: write at most {ceiling}"));
        }
        patch
    }
}

fn kebab(camel: &str) -> String {
    let mut kebab = String::with_capacity(camel.len() + 2);
    for c in camel.chars() {
        if c.is_ascii_uppercase() {
            kebab.push('-');
        }
        kebab.push(c.to_ascii_lowercase());
    }
    kebab
}

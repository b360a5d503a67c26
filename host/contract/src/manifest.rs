//! `connector.toml`: what a connector says of itself and asks of the operator.
//!
//! Reading gives either a manifest in which nothing is wrong, or every fault that was found, each with the key it sits
//! at and what to write instead.

mod read;

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use semver::Version;
use serde::{Deserialize, Serialize};
use truc_model::{ConnectorName, Handle, LimitsPatch};

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

impl ConfigKind {
    /// Every kind.
    pub const ALL: [ConfigKind; 4] =
        [ConfigKind::Text, ConfigKind::Integer, ConfigKind::Flag, ConfigKind::List];

    /// The name in manifests.
    pub const fn as_str(self) -> &'static str {
        match self {
            ConfigKind::Text => "text",
            ConfigKind::Integer => "integer",
            ConfigKind::Flag => "flag",
            ConfigKind::List => "list",
        }
    }
}

impl fmt::Display for ConfigKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
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

impl KeyUse {
    /// Every use.
    pub const ALL: [KeyUse; 4] = [KeyUse::Mac, KeyUse::Digest, KeyUse::Sign, KeyUse::Verify];

    /// The name in manifests.
    pub const fn as_str(self) -> &'static str {
        match self {
            KeyUse::Mac => "mac",
            KeyUse::Digest => "digest",
            KeyUse::Sign => "sign",
            KeyUse::Verify => "verify",
        }
    }
}

impl fmt::Display for KeyUse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
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
    /// The line, from 1; none for what is missing as a whole.
    pub line: Option<usize>,
    /// The key, dotted: `upstreams.registry.allow[0]`; empty where the text cannot be read as TOML.
    pub key: String,
    /// What is wrong and what to write instead.
    pub detail: String,
}

/// Everything that is wrong with a manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManifestError {
    /// The file the manifest came from, as people know it.
    pub file: String,
    /// The faults in the order of the text; at least one, at most 100.
    pub faults: Vec<ManifestFault>,
}

impl fmt::Display for ManifestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, fault) in self.faults.iter().enumerate() {
            let newline = if index == 0 { "" } else { "\n" };
            write!(f, "{newline}{}", self.file)?;
            if let Some(line) = fault.line {
                write!(f, ":{line}")?;
            }
            if !fault.key.is_empty() {
                write!(f, ": {}", fault.key)?;
            }
            write!(f, ": {}", fault.detail)?;
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
        read::read(text).map_err(|faults| ManifestError { file: file.to_owned(), faults })
    }
}

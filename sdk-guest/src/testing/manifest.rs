//! The parts of a connector's manifest that the test double enforces.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::wit::config::Value;

/// What a key may be used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeyUse {
    /// HMAC-SHA-256.
    Mac,
    /// SHA-256 over the message and the secret.
    Digest,
    /// Ed25519 signature.
    Sign,
    /// Ed25519 verification.
    Verify,
}

#[derive(Deserialize)]
pub(super) struct Manifest {
    #[serde(default)]
    upstreams: BTreeMap<String, Upstream>,
    #[serde(default)]
    config: BTreeMap<String, Config>,
    #[serde(default)]
    keys: BTreeMap<String, Key>,
}

#[derive(Deserialize)]
struct Upstream {
    allow: Vec<String>,
}

#[derive(Deserialize)]
struct Config {
    #[serde(rename = "type")]
    kind: Kind,
    default: Option<Default>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Kind {
    Text,
    Integer,
    Flag,
    List,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Default {
    Flag(bool),
    Integer(i64),
    Text(String),
    Texts(Vec<String>),
}

#[derive(Deserialize)]
struct Key {
    #[serde(rename = "use")]
    uses: Vec<KeyUse>,
}

impl Manifest {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let manifest: Self = toml::from_str(text).map_err(|error| error.to_string())?;
        for key in manifest.config.keys() {
            if let Some(value) = manifest.default(key) {
                manifest.check_config(key, &value)?;
            }
        }
        Ok(manifest)
    }

    /// Whether `"METHOD /path"` of the upstream is allowed.
    pub(super) fn check_request(&self, handle: &str, request: &str) -> Result<(), String> {
        let upstream =
            self.upstreams.get(handle).ok_or_else(|| format!("the manifest has no [upstreams.{handle}]"))?;
        match upstream.allow.iter().any(|allowed| allowed == request) {
            true => Ok(()),
            false => Err(format!("[upstreams.{handle}] of the manifest does not allow \"{request}\"")),
        }
    }

    pub(super) fn check_config(&self, key: &str, value: &Value) -> Result<(), String> {
        let declared = self.config.get(key).ok_or_else(|| format!("the manifest has no [config.{key}]"))?;
        let kind = match value {
            Value::Text(_) => Kind::Text,
            Value::Integer(_) => Kind::Integer,
            Value::Flag(_) => Kind::Flag,
            Value::Texts(_) => Kind::List,
        };
        match kind == declared.kind {
            true => Ok(()),
            false => Err(format!("[config.{key}] of the manifest is {:?}, not {kind:?}", declared.kind)),
        }
    }

    pub(super) fn check_key(&self, key: &str, key_use: KeyUse) -> Result<(), String> {
        let declared = self.keys.get(key).ok_or_else(|| format!("the manifest has no [keys.{key}]"))?;
        match declared.uses.contains(&key_use) {
            true => Ok(()),
            false => Err(format!("[keys.{key}] of the manifest is not for {key_use:?}")),
        }
    }

    pub(super) fn default(&self, key: &str) -> Option<Value> {
        Some(match self.config.get(key)?.default.as_ref()? {
            Default::Flag(value) => Value::Flag(*value),
            Default::Integer(value) => Value::Integer(*value),
            Default::Text(value) => Value::Text(value.clone()),
            Default::Texts(value) => Value::Texts(value.clone()),
        })
    }
}

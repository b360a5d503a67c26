//! A service's settings: what the operator says of bindings, configuration, keys and limits, checked against the manifest.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use semver::Version;
use serde::{Deserialize, Serialize};
use truc_contract::{ConfigValue, Manifest};
use truc_egress::{Binding, Key, KeyBinding, Resolver, Secrets, Surroundings, SystemJitter, Upstream};
use truc_model::{Clock, ConnectorName, Handle, LimitsPatch, Platform, ServiceName};
use truc_sandbox::{Cache, Environment, Lines};

use crate::error::SettingFault;

/// A connector by name and version: `land@1.0.0`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ConnectorRef {
    /// The connector's name.
    pub name: ConnectorName,
    /// The connector's version.
    pub version: Version,
}

impl fmt::Display for ConnectorRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.name, self.version)
    }
}

impl FromStr for ConnectorRef {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            let text: String = text.chars().take(120).collect();
            format!("{text:?} does not name a connector: write `name@version`, for instance `land@1.0.0`")
        };
        let (name, version) = text.split_once('@').ok_or_else(wrong)?;
        Ok(Self { name: name.parse().map_err(|_| wrong())?, version: version.parse().map_err(|_| wrong())? })
    }
}

impl TryFrom<String> for ConnectorRef {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<ConnectorRef> for String {
    fn from(connector: ConnectorRef) -> String {
        connector.to_string()
    }
}

/// What the operator sets for a service. Secrets are named, never held.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ServiceSettings {
    /// The connector that serves it.
    pub connector: ConnectorRef,
    /// The address, credential and limits of each upstream the manifest declares.
    #[serde(default)]
    pub bindings: BTreeMap<Handle, Binding>,
    /// Configuration values; those of the manifest's defaults may be left out.
    #[serde(default)]
    pub config: BTreeMap<Handle, ConfigValue>,
    /// The key behind each key handle the manifest declares.
    #[serde(default)]
    pub keys: BTreeMap<Handle, KeyBinding>,
    /// Limits that differ from what the manifest asks for.
    #[serde(default)]
    pub limits: LimitsPatch,
}

/// What binding needs of the host.
pub(crate) struct Binder<'a> {
    pub(crate) secrets: &'a Secrets,
    pub(crate) resolver: Arc<dyn Resolver>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) platform: Platform,
}

/// What is done with limits above the platform's ceilings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Excess {
    /// They are refused: somebody is there to set others.
    Refused,
    /// They are lowered: the service was put before the ceiling was lowered, and is served when the host starts.
    Lowered,
}

impl Binder<'_> {
    /// Checks the settings against the manifest and makes the connector's environment of them. Upstreams that the
    /// environment before was bound to in the same way pass on what is known of them.
    pub(crate) fn bind(
        &self,
        service: &ServiceName,
        revision: u32,
        manifest: &Manifest,
        settings: &ServiceSettings,
        excess: Excess,
        before: Option<&Environment>,
    ) -> Result<Environment, Vec<SettingFault>> {
        let mut faults = Faults(Vec::new());
        let limits = self.platform.limits(&manifest.limits, &settings.limits);
        let surroundings = Surroundings {
            service,
            concurrency: limits.concurrency,
            upstreams: manifest.upstreams.len(),
            jitter: Arc::new(SystemJitter),
            clock: self.clock.clone(),
            before: None,
        };
        let upstreams = self.upstreams(manifest, settings, &surroundings, before, &mut faults);
        let keys = self.keys(manifest, settings, &mut faults);
        let config = config(manifest, settings, &mut faults);
        if excess == Excess::Refused {
            self.excess(manifest, settings, &mut faults);
        }
        for field in settings.limits.unservable() {
            faults.add("limits", field, "it must not be 0".to_owned());
        }
        if !faults.0.is_empty() {
            return Err(faults.0);
        }
        Ok(Environment {
            service: service.clone(),
            revision,
            upstreams,
            keys,
            config,
            cache: Cache::new(limits.cache_bytes),
            lines: Lines::new(),
            limits,
            clock: self.clock.clone(),
        })
    }

    /// Limits above the ceilings, whoever asks for them.
    fn excess(&self, manifest: &Manifest, settings: &ServiceSettings, faults: &mut Faults) {
        let ceilings = &self.platform.ceilings;
        for (field, value, ceiling) in settings.limits.above(ceilings) {
            let detail = format!("{value} is more than the platform allows: at most {ceiling}");
            faults.add("limits", field, detail);
        }
        for (field, value, ceiling) in manifest.limits.without(&settings.limits).above(ceilings) {
            let detail = format!(
                "the connector's manifest asks for {value}, which is more than the platform allows: set at most {ceiling}"
            );
            faults.add("limits", field, detail);
        }
    }

    fn upstreams(
        &self,
        manifest: &Manifest,
        settings: &ServiceSettings,
        surroundings: &Surroundings<'_>,
        before: Option<&Environment>,
        faults: &mut Faults,
    ) -> BTreeMap<Handle, Arc<Upstream>> {
        faults.check_handles("bindings", settings.bindings.keys(), manifest.upstreams.keys());
        let mut upstreams = BTreeMap::new();
        for (handle, rule) in &manifest.upstreams {
            let Some(binding) = settings.bindings.get(handle) else {
                faults.add(
                    "bindings",
                    handle.as_str(),
                    format!("bind this upstream ({}) to an address", rule.description),
                );
                continue;
            };
            let before = before.and_then(|before| before.upstreams.get(handle)).map(|before| &**before);
            let surroundings = Surroundings { before, ..surroundings.clone() };
            match Upstream::bind(handle, rule, binding, self.secrets, self.resolver.clone(), &surroundings) {
                Ok(upstream) => {
                    upstreams.insert(handle.clone(), upstream);
                }
                Err(error) => faults.add("bindings", handle.as_str(), error.to_string()),
            }
        }
        upstreams
    }

    fn keys(
        &self,
        manifest: &Manifest,
        settings: &ServiceSettings,
        faults: &mut Faults,
    ) -> BTreeMap<Handle, Key> {
        faults.check_handles("keys", settings.keys.keys(), manifest.keys.keys());
        let mut keys = BTreeMap::new();
        for (handle, rule) in &manifest.keys {
            let Some(binding) = settings.keys.get(handle) else {
                faults.add(
                    "keys",
                    handle.as_str(),
                    format!("bind this key ({}) to a secret", rule.description),
                );
                continue;
            };
            match Key::bind(handle, rule, binding, self.secrets) {
                Ok(key) => {
                    keys.insert(handle.clone(), key);
                }
                Err(error) => faults.add("keys", handle.as_str(), error.to_string()),
            }
        }
        keys
    }
}

fn config(
    manifest: &Manifest,
    settings: &ServiceSettings,
    faults: &mut Faults,
) -> BTreeMap<Handle, ConfigValue> {
    faults.check_handles("config", settings.config.keys(), manifest.config.keys());
    let mut config = BTreeMap::new();
    for (key, rule) in &manifest.config {
        match settings.config.get(key).or(rule.default.as_ref()) {
            None => faults.add(
                "config",
                key.as_str(),
                format!("set it, of type {} ({})", rule.kind, rule.description),
            ),
            Some(value) if value.kind() != rule.kind => {
                faults.add(
                    "config",
                    key.as_str(),
                    format!("it is of type {}; {} is needed", value.kind(), rule.kind),
                );
            }
            Some(value) => {
                config.insert(key.clone(), value.clone());
            }
        }
    }
    config
}

struct Faults(Vec<SettingFault>);

impl Faults {
    fn add(&mut self, table: &str, key: &str, detail: String) {
        self.0.push(SettingFault { pointer: format!("/{table}/{key}"), detail });
    }

    /// Whatever is set must be declared.
    fn check_handles<'h>(
        &mut self,
        table: &str,
        set: impl Iterator<Item = &'h Handle>,
        declared: impl Iterator<Item = &'h Handle>,
    ) {
        let declared: Vec<&Handle> = declared.collect();
        for handle in set.filter(|handle| !declared.contains(handle)) {
            let detail = match declared.as_slice() {
                [] => "the connector's manifest declares none here".to_owned(),
                some => {
                    let names: Vec<&str> = some.iter().map(|handle| handle.as_str()).collect();
                    format!("the connector's manifest does not declare it; it declares {}", names.join(", "))
                }
            };
            self.add(table, handle.as_str(), detail);
        }
    }
}

//! The secrets that services are bound with: put, replaced, removed, and sealed anew.
//!
//! They are sealed in the database and opened when a service is bound; the data plane never reads them. A changed value
//! is in force at once: every service that uses it is bound anew before the change is written, so that a value that
//! one of them cannot use changes nothing.

use std::collections::BTreeSet;
use std::sync::Arc;

use truc_egress::{KeyId, Sealed, SecretRef, Secrets, VaultError, VaultKeys, check_secret};
use truc_model::{Secret, ServiceName, Timestamp};
use truc_store::secrets::{Resealed, SecretRow};
use truc_store::{Store, StoreError};

use crate::error::{FleetError, SettingFault};
use crate::fleet::{Fleet, settings_of};
use crate::settings::{Excess, ServiceSettings};
use crate::snapshot::Revision;

/// A secret as the admin API tells it: everything but its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretSummary {
    /// Its name.
    pub name: SecretRef,
    /// 1 for its first value, and one more for each.
    pub version: u32,
    /// When a secret of this name was first put.
    pub created_at: Timestamp,
    /// When its present value was put.
    pub changed_at: Timestamp,
    /// The services that use it, by name.
    pub services: Vec<ServiceName>,
}

/// What came of sealing everything anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rotation {
    /// The key that everything is sealed under now.
    pub key: KeyId,
    /// How many secrets there are.
    pub secrets: usize,
}

/// A revision's settings, of a service that is active.
struct Active {
    service: ServiceName,
    number: u32,
    settings: ServiceSettings,
}

impl Fleet {
    /// Puts a secret, or a new value in the place of its present one, and binds every service anew that uses it.
    ///
    /// # Errors
    /// A value that cannot be a secret, or that one of those services cannot use. Nothing has changed then.
    pub async fn put_secret(&self, name: &SecretRef, value: Secret) -> Result<SecretSummary, FleetError> {
        check_secret(&value).map_err(|error| FleetError::SecretUnfit(vec![fault(error.to_string())]))?;
        let _one_at_a_time = self.change.lock().await;
        let users = self.users(name).await?;
        let mut revisions = Vec::new();
        let mut faults = Vec::new();
        for Active { service, number, settings } in &users {
            let secrets = self.opened(settings, Some((name, &value))).await?;
            match self.rebuilt(service, *number, settings, &secrets) {
                Ok(revision) => {
                    revisions.extend(revision.map(|revision| (service.clone(), Arc::new(revision))))
                }
                Err(FleetError::Settings(found)) => {
                    faults.extend(
                        found.into_iter().map(|found| fault(format!("service {service}: {}", found.detail))),
                    );
                }
                Err(error) => return Err(error),
            }
        }
        if !faults.is_empty() {
            return Err(FleetError::SecretUnfit(faults));
        }
        let now = self.parts.clock.now();
        let keys = self.keys.load_full();
        let kept = keep_secret(&self.parts.store, &keys, name, &value, now).await?;
        self.put_in_force(revisions);
        tracing::info!(secret.name = %name, secret.version = kept.version, services = users.len(), "secret put");
        let services = users.into_iter().map(|active| active.service).collect();
        Ok(SecretSummary { services, ..kept })
    }

    /// The secrets, by name.
    ///
    /// # Errors
    /// The database.
    pub async fn secrets(&self) -> Result<Vec<SecretSummary>, FleetError> {
        let active = self.active().await?;
        let rows = self.parts.store.secrets().list().await?;
        rows.into_iter()
            .map(|row| {
                let name = name_of(&row)?;
                let uses = |active: &&Active| active.settings.secrets().contains(&name);
                let services = active.iter().filter(uses).map(|active| active.service.clone()).collect();
                let SecretRow { version, created_at, changed_at, .. } = row;
                Ok(SecretSummary { name, version, created_at, changed_at, services })
            })
            .collect()
    }

    /// Removes a secret.
    ///
    /// # Errors
    /// No such secret, or one that a service uses.
    pub async fn remove_secret(&self, name: &SecretRef) -> Result<(), FleetError> {
        let _one_at_a_time = self.change.lock().await;
        let users = self.users(name).await?;
        if !users.is_empty() {
            let services = users.into_iter().map(|active| active.service).collect();
            return Err(FleetError::SecretInUse { name: name.clone(), services });
        }
        self.parts.store.secrets().remove(name.as_str()).await.map_err(|error| match error {
            StoreError::NotFound => FleetError::NotFound {
                what: "secret",
                name: name.to_string(),
                remedy: "`truc secret list` shows those there are",
            },
            other => other.into(),
        })?;
        tracing::info!(secret.name = %name, "secret removed");
        Ok(())
    }

    /// Reads the vault's keys again, and seals every secret anew under the first of them, in one step: all or none.
    ///
    /// # Errors
    /// Keys that cannot be read, or that do not open what is sealed. The keys in force stay.
    pub async fn rotate_vault(&self) -> Result<Rotation, FleetError> {
        let _one_at_a_time = self.change.lock().await;
        let keys = self.parts.vault.read()?;
        let rows = self.parts.store.secrets().list().await?;
        let mut resealed = Vec::with_capacity(rows.len());
        for row in &rows {
            let name = name_of(row)?;
            // With the keys that were read, and no others: after a crash there will be no others.
            let value = open(&keys, row)?;
            let Sealed { key, bytes } = keys.seal(&name, row.version, &value)?;
            resealed.push(Resealed {
                name: row.name.clone(),
                version: row.version,
                key: key.to_string(),
                sealed: bytes,
            });
        }
        self.parts.store.secrets().reseal(&resealed).await?;
        let key = keys.current().clone();
        self.keys.store(Arc::new(keys));
        tracing::info!(vault.key = %key, secrets = resealed.len(), "secrets sealed anew");
        Ok(Rotation { key, secrets: resealed.len() })
    }

    /// Holds every secret against the keys.
    ///
    /// # Errors
    /// The first that cannot be opened.
    pub(crate) async fn check_secrets(&self) -> Result<(), FleetError> {
        let keys = self.keys.load();
        self.parts.store.secrets().list().await?.iter().try_for_each(|row| open(&keys, row).map(drop))
    }

    /// The secrets that settings name, opened; those that are not there are missing. `instead` stands for the value that
    /// is kept.
    pub(crate) async fn opened(
        &self,
        settings: &ServiceSettings,
        instead: Option<(&SecretRef, &Secret)>,
    ) -> Result<Secrets, FleetError> {
        let keys = self.keys.load_full();
        let mut values = Vec::new();
        for name in settings.secrets() {
            if let Some((_, value)) = instead.filter(|(replaced, _)| **replaced == name) {
                values.push((name, value.clone()));
            } else if let Some(row) = self.parts.store.secrets().get(name.as_str()).await? {
                values.push((name, open(&keys, &row)?));
            }
        }
        Ok(Secrets::of(values))
    }

    /// A service's active revision with other secrets; none where it is not served.
    fn rebuilt(
        &self,
        service: &ServiceName,
        number: u32,
        settings: &ServiceSettings,
        secrets: &Secrets,
    ) -> Result<Option<Revision>, FleetError> {
        let program = self.snapshot().revision(service).map(|revision| revision.program.clone());
        program
            .map(|program| self.build(service, number, program, settings, secrets, Excess::Lowered))
            .transpose()
    }

    async fn active(&self) -> Result<Vec<Active>, FleetError> {
        let rows = self.parts.store.services().active().await?;
        rows.into_iter()
            .map(|row| Ok(Active { settings: settings_of(&row)?, service: row.service, number: row.number }))
            .collect()
    }

    async fn users(&self, name: &SecretRef) -> Result<Vec<Active>, FleetError> {
        let mut active = self.active().await?;
        active.retain(|active| active.settings.secrets().contains(name));
        Ok(active)
    }
}

/// Seals a value and keeps it, for no service yet. For a database that no host uses; a host is asked to put a secret.
///
/// # Errors
/// A value that cannot be a secret; the vault; the database.
pub async fn keep_secret(
    store: &Store,
    keys: &VaultKeys,
    name: &SecretRef,
    value: &Secret,
    now: Timestamp,
) -> Result<SecretSummary, FleetError> {
    check_secret(value).map_err(|error| FleetError::SecretUnfit(vec![fault(error.to_string())]))?;
    let before = store.secrets().get(name.as_str()).await?;
    let version = before.as_ref().map_or(0, |row| row.version) + 1;
    let Sealed { key, bytes } = keys.seal(name, version, value)?;
    let created_at = before.map_or(now, |row| row.created_at);
    let row = SecretRow {
        name: name.to_string(),
        version,
        key: key.to_string(),
        sealed: bytes,
        created_at,
        changed_at: now,
    };
    store.secrets().put(&row).await?;
    Ok(SecretSummary { name: name.clone(), version, created_at, changed_at: now, services: Vec::new() })
}

impl ServiceSettings {
    /// The names of the secrets that they name.
    pub fn secrets(&self) -> BTreeSet<SecretRef> {
        let bindings = self.bindings.values().flat_map(|binding| binding.secrets());
        bindings.chain(self.keys.values().map(|key| &key.secret)).cloned().collect()
    }
}

fn fault(detail: String) -> SettingFault {
    SettingFault { pointer: String::new(), detail }
}

fn name_of(row: &SecretRow) -> Result<SecretRef, FleetError> {
    row.name.parse().map_err(|error: truc_model::NameError| FleetError::Internal(error.to_string()))
}

fn open(keys: &VaultKeys, row: &SecretRow) -> Result<Secret, FleetError> {
    let name = name_of(row)?;
    let key: KeyId = row.key.parse().map_err(|_| VaultError::Altered(name.clone()))?;
    Ok(keys.open(&name, row.version, &Sealed { key, bytes: row.sealed.clone() })?)
}

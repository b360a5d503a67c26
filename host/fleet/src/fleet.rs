//! Changes of the fleet: publish a connector, put or remove a service, renew the directory.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use arc_swap::ArcSwap;
use futures_util::{StreamExt, stream};
use semver::Version;
use serde::Serialize;
use tokio::sync::Mutex;
use truc_contract::{Changes, Component, ComponentError, ContractId, ContractText};
use truc_egress::{BreakerState, KeySource, Resolver, Secrets, VaultKeys};
use truc_identity::{Directory, Identity};
use truc_model::{Clock, Digest, EffectiveLimit, Handle, Platform, ServiceName, Timestamp};
use truc_sandbox::{LoadError, MAX_COMPONENT_BYTES, Origin, Program, Sandbox};
use truc_store::connectors::ConnectorRow;
use truc_store::contracts::{ContractState, Proposal};
use truc_store::services::{NewRevision, RevisionRow};
use truc_store::{Store, StoreError};

use crate::admission::Admission;
use crate::answers::Answers;
use crate::components::Components;
use crate::contracts::{ContractDetails, ContractSummary, Publication, Registry, key};
use crate::documents::RevisionDocuments;
use crate::error::{FleetError, SettingFault};
use crate::meters::OperationMeters;
use crate::routes::Routes;
use crate::settings::{Binder, ConnectorRef, Excess, ServiceSettings};
use crate::snapshot::{Revision, Snapshot};

/// What a fleet is made of.
pub struct Parts {
    /// Where connectors and services are remembered.
    pub store: Store,
    /// Who may call.
    pub identity: Identity,
    /// What runs connectors.
    pub sandbox: Arc<Sandbox>,
    /// Where component files are kept.
    pub components: Components,
    /// Where the keys come from that open credentials and keys.
    pub vault: KeySource,
    /// How upstreams' names are resolved.
    pub resolver: Arc<dyn Resolver>,
    /// Where the time comes from.
    pub clock: Arc<dyn Clock>,
    /// The limits of services where nobody sets any, and the most that anybody may set.
    pub platform: Platform,
}

/// The connectors and services of a host.
pub struct Fleet {
    pub(crate) parts: Parts,
    snapshot: ArcSwap<Snapshot>,
    /// The vault's keys in force.
    pub(crate) keys: ArcSwap<VaultKeys>,
    /// Programs by connector and contract, so that a connector that serves twice is loaded once.
    programs: Mutex<HashMap<ProgramKey, Arc<Program>>>,
    /// Held while a contract is checked against those that are published, and entered; not while something is compiled,
    /// unless the contract of a connector is published meanwhile.
    contracts: Mutex<()>,
    /// Held while a change is written and put in force, never while something is compiled. The data plane takes neither.
    pub(crate) change: Mutex<()>,
}

/// The digests of a component and of the text of the contract that governs it.
type ProgramKey = (Digest, Digest);

/// Services that are brought back at once when a host starts.
const RESTORED_AT_ONCE: usize = 4;

/// Who is said to have published contracts that services used before contracts were published.
const UPGRADE: &str = "upgrade";

/// A connector as the admin API tells it.
#[derive(Debug, Clone, PartialEq)]
pub struct ConnectorSummary {
    /// `name@version`.
    pub connector: ConnectorRef,
    /// The digest of its bytes.
    pub digest: Digest,
    /// Who publishes it.
    pub publisher: String,
    /// The contract it implements.
    pub contract: ContractId,
    /// How that contract stands.
    pub contract_state: ContractState,
    /// Its size in bytes.
    pub size: u64,
    /// When it was published here.
    pub published_at: Timestamp,
}

/// A service as the admin API tells it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ServiceSummary {
    /// Its name.
    pub name: ServiceName,
    /// The number of the active revision.
    pub revision: u32,
    /// When the active revision was made.
    pub created_at: Timestamp,
    /// Where it is served: `/api/{service}/v{major}`.
    pub path: String,
    /// The settings; secrets by name.
    pub settings: ServiceSettings,
    /// The limits in force.
    pub limits: truc_model::Limits,
    /// How the breaker of each upstream stands.
    pub breakers: BTreeMap<Handle, BreakerState>,
}

/// The limits of a service as they are in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceLimits {
    /// The service.
    pub service: ServiceName,
    /// The active revision.
    pub revision: u32,
    /// Every limit.
    pub limits: Vec<EffectiveLimit>,
}

impl Fleet {
    /// Brings back every active service.
    ///
    /// # Errors
    /// Keys of the vault that cannot be read, or do not open a secret; the first service that cannot be brought back, by
    /// name.
    pub async fn open(parts: Parts) -> Result<Self, FleetError> {
        let keys = parts.vault.read()?;
        let active = parts.store.services().active().await?;
        let directory = Arc::new(directory(&parts.identity).await?);
        let fleet = Self {
            parts,
            snapshot: ArcSwap::from_pointee(Snapshot::new(HashMap::new(), directory)),
            keys: ArcSwap::from_pointee(keys),
            programs: Mutex::new(HashMap::new()),
            contracts: Mutex::new(()),
            change: Mutex::new(()),
        };
        fleet.check_secrets().await?;
        fleet.adopt(&active).await?;
        fleet.bring_back(&active).await?;
        Ok(fleet)
    }

    /// Puts active revisions in force. Several are loaded at once, as each waits: for the disk, and where its artifact is
    /// not there, for its compiler.
    async fn bring_back(&self, active: &[RevisionRow]) -> Result<(), FleetError> {
        let failed = |row: &RevisionRow, cause| FleetError::Restore {
            service: row.service.to_string(),
            cause: Box::new(cause),
        };
        let loading = active.iter().map(|row| async move { (row, self.active_program(row).await) });
        let mut loaded = std::pin::pin!(stream::iter(loading).buffered(RESTORED_AT_ONCE));
        while let Some((row, program)) = loaded.next().await {
            let program = program.map_err(|cause| failed(row, cause))?;
            self.restore(row, program).await.map_err(|cause| failed(row, cause))?;
        }
        Ok(())
    }

    /// The snapshot in force. Cheap, without a lock.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.snapshot.load_full()
    }

    /// Who may call, for changes.
    pub fn identity(&self) -> &Identity {
        &self.parts.identity
    }

    /// The limits of services where nobody sets any, and the most that anybody may set.
    pub fn platform(&self) -> &Platform {
        &self.parts.platform
    }

    /// What runs connectors.
    pub fn sandbox(&self) -> &Arc<Sandbox> {
        &self.parts.sandbox
    }

    /// Takes a component in: read, checked, compiled, kept. It serves nothing yet. It is governed by the published
    /// contract that its manifest names; where that is not published, the text it brings is taken as a proposal.
    ///
    /// # Errors
    /// Whatever keeps it, or the contract it brings, from being served. Publishing the same bytes again is not an error.
    pub async fn publish(&self, bytes: Vec<u8>) -> Result<(ConnectorSummary, Arc<Program>), FleetError> {
        if bytes.len() > MAX_COMPONENT_BYTES {
            return Err(LoadError::TooLarge(bytes.len()).into());
        }
        let id = Component::contract_named_by(&bytes).map_err(LoadError::from)?;
        let published = self.registry().published(&id).await?;
        let was_published = published.is_some();
        let (mut program, mut bytes) = self.load(bytes, published).await?;
        let _one_at_a_time = self.contracts.lock().await;
        let published = self.registry().published(&id).await?;
        // While it was compiled, which nobody has to wait for, somebody may have published its contract.
        if !was_published && published.is_some() {
            (program, bytes) = self.load(bytes, published.clone()).await?;
        }
        let text = program.contract_text();
        let contract_state = match published {
            Some(_) => ContractState::Published,
            None => {
                self.registry().admit(text).await?;
                ContractState::Proposed
            }
        };
        let digest = program.digest();
        let manifest = program.manifest();
        let version = manifest.version.to_string();
        let connectors = self.parts.store.connectors();
        if let Some(row) = connectors.find(&manifest.name, &version).await? {
            if row.digest != digest {
                let name = manifest.name.to_string();
                return Err(FleetError::VersionTaken { name, version, digest: row.digest });
            }
            // The same bytes again: the way to bring back a file that was lost.
            self.keep(digest, bytes).await?;
            if contract_state == ContractState::Proposed {
                self.registry().propose(&id, text, &digest).await?;
            }
            return Ok((summary(&row, contract_state)?, program));
        }
        let size = bytes.len() as u64;
        self.keep(digest, bytes).await?;
        let now = self.parts.clock.now();
        let row = ConnectorRow {
            digest,
            name: manifest.name.clone(),
            version,
            publisher: manifest.publisher.clone(),
            contract: id.to_string(),
            manifest: program.manifest_text().to_owned(),
            size,
            published_at: now,
        };
        let (key, contract_digest) = (key(&id), text.digest());
        let proposal = Proposal {
            key: &key,
            digest: &contract_digest,
            sources: text.canonical(),
            connector: &digest,
            at: now,
        };
        let proposal = (contract_state == ContractState::Proposed).then_some(&proposal);
        connectors.insert_with(&row, proposal).await?;
        self.programs.lock().await.insert((digest, contract_digest), program.clone());
        tracing::info!(connector.name = %row.name, connector.version = row.version, connector.digest = %digest, contract = %id, contract.state = %contract_state, "connector published");
        Ok((summary(&row, contract_state)?, program))
    }

    /// The connectors that were published.
    ///
    /// # Errors
    /// The database.
    pub async fn connectors(&self) -> Result<Vec<ConnectorSummary>, FleetError> {
        let contracts = self.parts.store.contracts().list().await?;
        let published: HashSet<String> = contracts
            .into_iter()
            .filter(|row| row.state == ContractState::Published)
            .map(|row| format!("{}:{}@{}", row.key.namespace, row.key.name, row.key.version))
            .collect();
        let rows = self.parts.store.connectors().list().await?;
        let state = |row: &ConnectorRow| match published.contains(&row.contract) {
            true => ContractState::Published,
            false => ContractState::Proposed,
        };
        rows.iter().map(|row| summary(row, state(row))).collect()
    }

    /// One connector, with its program: under the published contract, or, where there is none or it no longer fits, under
    /// the one it brings.
    ///
    /// # Errors
    /// No such connector, or one whose file cannot be read.
    pub async fn connector(
        &self,
        connector: &ConnectorRef,
    ) -> Result<(ConnectorSummary, Arc<Program>), FleetError> {
        let row = self.connector_row(connector).await?;
        let published = self.registry().published(&contract_of(&row)?).await?;
        let state = match published {
            Some(_) => ContractState::Published,
            None => ContractState::Proposed,
        };
        let program = match self.program(&row.digest, published).await {
            Err(FleetError::Load(LoadError::Component(ComponentError::Mismatch { .. }))) => {
                self.program(&row.digest, None).await?
            }
            program => program?,
        };
        Ok((summary(&row, state)?, program))
    }

    /// Publishes the text of a contract: a new one, or in the place of a proposal of its version.
    ///
    /// # Errors
    /// A text that cannot be served, a version that is published with another text or does not come after what is
    /// published, changes that break the version before. Publishing the same text again is not an error.
    pub async fn publish_contract(&self, text: &ContractText, by: &str) -> Result<Publication, FleetError> {
        let _one_at_a_time = self.contracts.lock().await;
        self.registry().publish(text, by).await
    }

    /// Publishes a proposal as it is. Publishing what is published changes nothing.
    ///
    /// # Errors
    /// No such contract, and as [`Fleet::publish_contract`].
    pub async fn publish_proposal(&self, id: &ContractId, by: &str) -> Result<Publication, FleetError> {
        let _one_at_a_time = self.contracts.lock().await;
        let details = self.registry().details(id).await?;
        self.registry().publish(&details.text, by).await
    }

    /// The contracts, published and proposed, by name and version.
    ///
    /// # Errors
    /// The database.
    pub async fn contracts(&self) -> Result<Vec<ContractSummary>, FleetError> {
        self.registry().list().await
    }

    /// One contract.
    ///
    /// # Errors
    /// No such contract.
    pub async fn contract(&self, id: &ContractId) -> Result<ContractDetails, FleetError> {
        self.registry().details(id).await
    }

    /// What is new in a contract since another version of it, or since the newest published one before it.
    ///
    /// # Errors
    /// No such contract, or none before it.
    pub async fn contract_changes(
        &self,
        id: &ContractId,
        since: Option<Version>,
    ) -> Result<Changes, FleetError> {
        self.registry().changes(id, since).await
    }

    /// Gives a service new settings: checks and binds them, makes a new revision, and puts it in force.
    ///
    /// # Errors
    /// A contract that is not published, or that the connector does not satisfy; settings that do not fit, all faults at
    /// once. The revision that was active still is.
    pub async fn put_service(
        &self,
        name: &ServiceName,
        settings: &ServiceSettings,
        by: &str,
    ) -> Result<ServiceSummary, FleetError> {
        let connector = self.connector_row(&settings.connector).await?;
        let program = self.governed(&connector).await?;
        let _one_at_a_time = self.change.lock().await;
        // Everything that can fail for the settings' sake fails here, before anything is written.
        let secrets = self.opened(settings, None).await?;
        let mut revision = self.build(name, 0, program, settings, &secrets, Excess::Refused)?;
        drop(secrets);
        self.parts.sandbox.try_out(&revision.program, &revision.environment).await.map_err(|cause| {
            let detail = format!("the connector does not start under these settings: {cause}");
            FleetError::Settings(vec![SettingFault { pointer: "/limits".to_owned(), detail }])
        })?;
        let text =
            serde_json::to_string(settings).map_err(|error| FleetError::Internal(error.to_string()))?;
        let created_at = self.parts.clock.now();
        let new = NewRevision {
            service: name,
            connector: &connector.digest,
            settings: &text,
            created_at,
            created_by: by,
        };
        let number = self.parts.store.services().insert_revision(&new).await?;
        revision.number(number);
        let revision = Arc::new(revision);
        self.snapshot.store(Arc::new(self.snapshot.load().with_service(name.clone(), revision.clone())));
        revision.admission.resize(revision.environment.limits.concurrency);
        tracing::info!(service.name = %name, service.revision = number, connector = %settings.connector, "revision activated");
        Ok(service_summary(name, &revision, settings.clone(), created_at))
    }

    /// The services, by name.
    ///
    /// # Errors
    /// The database.
    pub async fn services(&self) -> Result<Vec<ServiceSummary>, FleetError> {
        let rows = self.parts.store.services().active().await?;
        let snapshot = self.snapshot.load();
        rows.into_iter()
            .filter_map(|row| snapshot.revision(&row.service).map(|revision| (row, revision)))
            .map(|(row, revision)| {
                Ok(service_summary(&row.service, revision, settings_of(&row)?, row.created_at))
            })
            .collect()
    }

    /// One service.
    ///
    /// # Errors
    /// No such service.
    pub async fn service(&self, name: &ServiceName) -> Result<ServiceSummary, FleetError> {
        self.services()
            .await?
            .into_iter()
            .find(|service| service.name == *name)
            .ok_or_else(|| no_service(name))
    }

    /// The limits of a service: values in force, where they come from, and ceilings.
    ///
    /// # Errors
    /// No such service.
    pub async fn service_limits(&self, name: &ServiceName) -> Result<ServiceLimits, FleetError> {
        let rows = self.parts.store.services().active().await?;
        let row = rows.into_iter().find(|row| row.service == *name).ok_or_else(|| no_service(name))?;
        let snapshot = self.snapshot.load();
        let revision = snapshot.revision(name).ok_or_else(|| no_service(name))?;
        let asked = &revision.program.manifest().limits;
        let limits = self.parts.platform.effective(asked, &settings_of(&row)?.limits);
        Ok(ServiceLimits { service: row.service, revision: row.number, limits })
    }

    /// Takes a service out of service. Calls under way end as they began.
    ///
    /// # Errors
    /// No such service.
    pub async fn remove_service(&self, name: &ServiceName) -> Result<(), FleetError> {
        let _one_at_a_time = self.change.lock().await;
        self.parts.store.services().remove(name).await.map_err(|error| match error {
            StoreError::NotFound => no_service(name),
            other => other.into(),
        })?;
        self.snapshot.store(Arc::new(self.snapshot.load().without_service(name)));
        tracing::info!(service.name = %name, "service removed");
        Ok(())
    }

    /// Puts the present accounts and grants in force. To be called after each change through [`Fleet::identity`].
    ///
    /// # Errors
    /// The database; the directory in force is then the one before.
    pub async fn renew_directory(&self) -> Result<(), FleetError> {
        let _one_at_a_time = self.change.lock().await;
        let directory = Arc::new(directory(&self.parts.identity).await?);
        self.snapshot.store(Arc::new(self.snapshot.load().with_directory(directory)));
        Ok(())
    }

    /// The program of an active revision.
    async fn active_program(&self, row: &RevisionRow) -> Result<Arc<Program>, FleetError> {
        let connector = self.parts.store.connectors().get(&row.connector).await?;
        let connector = connector.ok_or_else(|| {
            FleetError::Internal(format!("the database has no connector {}", row.connector))
        })?;
        self.governed(&connector).await
    }

    async fn restore(&self, row: &RevisionRow, program: Arc<Program>) -> Result<(), FleetError> {
        let settings = settings_of(row)?;
        let secrets = self.opened(&settings, None).await?;
        let excess = Excess::Lowered;
        let revision =
            Arc::new(self.build(&row.service, row.number, program, &settings, &secrets, excess)?);
        self.warn_of_lowered(&row.service, &revision, &settings);
        self.snapshot.store(Arc::new(self.snapshot.load().with_service(row.service.clone(), revision)));
        Ok(())
    }

    /// Says which limits of a service are lower than it was put with.
    fn warn_of_lowered(&self, service: &ServiceName, revision: &Revision, settings: &ServiceSettings) {
        let asked = revision.program.manifest().limits;
        let above = settings.limits.above(&self.parts.platform.ceilings).into_iter();
        let above = above.chain(asked.without(&settings.limits).above(&self.parts.platform.ceilings));
        for (limit, value, ceiling) in above {
            tracing::warn!(service.name = %service, limit, value, ceiling, "limit lowered to the platform's ceiling");
        }
    }

    async fn connector_row(&self, connector: &ConnectorRef) -> Result<ConnectorRow, FleetError> {
        let found =
            self.parts.store.connectors().find(&connector.name, &connector.version.to_string()).await?;
        found.ok_or_else(|| FleetError::NotFound {
            what: "connector",
            name: connector.to_string(),
            remedy: "`truc connector list` shows those that are published",
        })
    }

    fn registry(&self) -> Registry<'_> {
        Registry { store: &self.parts.store, clock: &*self.parts.clock }
    }

    /// The program of a connector under the published contract that it implements.
    async fn governed(&self, connector: &ConnectorRow) -> Result<Arc<Program>, FleetError> {
        let id = contract_of(connector)?;
        match self.registry().published(&id).await? {
            Some(text) => self.program(&connector.digest, Some(text)).await,
            None => {
                let connector = format!("{}@{}", connector.name, connector.version);
                Err(FleetError::ContractNotPublished { id, connector })
            }
        }
    }

    /// The program of a connector under a contract, or under the one it brings.
    async fn program(
        &self,
        digest: &Digest,
        contract: Option<ContractText>,
    ) -> Result<Arc<Program>, FleetError> {
        if let Some(text) = &contract
            && let Some(program) = self.known(digest, text).await
        {
            return Ok(program);
        }
        let bytes = self.component(digest).await?;
        let contract = match contract {
            Some(text) => text,
            None => Component::contract_text_of(&bytes).map_err(LoadError::from)?,
        };
        if let Some(program) = self.known(digest, &contract).await {
            return Ok(program);
        }
        let key = (*digest, contract.digest());
        let (program, _) = self.load(bytes, Some(contract)).await?;
        // Of two that were loaded at once, the first stays.
        Ok(self.programs.lock().await.entry(key).or_insert(program).clone())
    }

    async fn known(&self, digest: &Digest, contract: &ContractText) -> Option<Arc<Program>> {
        self.programs.lock().await.get(&(*digest, contract.digest())).cloned()
    }

    /// Loads on a thread where blocking is allowed; gives the bytes back.
    async fn load(
        &self,
        bytes: Vec<u8>,
        contract: Option<ContractText>,
    ) -> Result<(Arc<Program>, Vec<u8>), FleetError> {
        let sandbox = self.parts.sandbox.clone();
        let loading = move || (sandbox.load(&bytes, contract.as_ref()), bytes);
        let loaded = tokio::task::spawn_blocking(loading).await;
        let (loaded, bytes) = loaded.map_err(|error| FleetError::Internal(error.to_string()))?;
        let (program, origin) = loaded?;
        if origin == Origin::Compiled {
            tracing::info!(connector.digest = %program.digest(), "connector compiled");
        }
        Ok((program, bytes))
    }

    /// Enters contracts that were never entered, as databases from before contracts were published have them: those that
    /// active services use as published, so that what was served is served, all others as proposed.
    async fn adopt(&self, active: &[RevisionRow]) -> Result<(), FleetError> {
        let connectors = self.parts.store.connectors().list().await?;
        let mut entered: HashMap<String, ContractState> = self
            .registry()
            .list()
            .await?
            .into_iter()
            .map(|contract| (contract.id.to_string(), contract.state))
            .collect();
        let serves = |row: &ConnectorRow| active.iter().any(|active| active.connector == row.digest);
        let (serving, idle): (Vec<_>, Vec<_>) = connectors.iter().partition(|row| serves(row));
        for row in serving {
            if entered.get(&row.contract) == Some(&ContractState::Published) {
                continue;
            }
            let text = self.contract_text(&row.digest).await?;
            self.registry().enter(&contract_of(row)?, &text, UPGRADE).await?;
            entered.insert(row.contract.clone(), ContractState::Published);
            tracing::info!(contract = row.contract, connector.name = %row.name, connector.version = row.version, "contract adopted from a connector that serves it");
        }
        for row in idle.into_iter().filter(|row| !entered.contains_key(&row.contract)) {
            match self.contract_text(&row.digest).await {
                Ok(text) => self.registry().propose(&contract_of(row)?, &text, &row.digest).await?,
                Err(error) => {
                    tracing::warn!(contract = row.contract, connector.name = %row.name, connector.version = row.version, %error, "contract not proposed");
                }
            }
        }
        Ok(())
    }

    /// The text of the contract that a connector brings.
    async fn contract_text(&self, digest: &Digest) -> Result<ContractText, FleetError> {
        let bytes = self.component(digest).await?;
        Ok(Component::contract_text_of(&bytes).map_err(LoadError::from)?)
    }

    /// A component's bytes, read on a thread where blocking is allowed.
    async fn component(&self, digest: &Digest) -> Result<Vec<u8>, FleetError> {
        let (components, digest) = (self.parts.components.clone(), *digest);
        let read = tokio::task::spawn_blocking(move || components.read(&digest)).await;
        let read = read.map_err(|error| FleetError::Internal(error.to_string()))?;
        read.map_err(|cause| FleetError::File { digest, cause })
    }

    /// Keeps a component's file, on a thread where blocking is allowed.
    async fn keep(&self, digest: Digest, bytes: Vec<u8>) -> Result<(), FleetError> {
        let components = self.parts.components.clone();
        let kept = tokio::task::spawn_blocking(move || components.keep(&digest, &bytes)).await;
        let kept = kept.map_err(|error| FleetError::Internal(error.to_string()))?;
        kept.map_err(|cause| FleetError::File { digest, cause })
    }

    /// Puts other revisions of services in force, all in one step.
    pub(crate) fn put_in_force(&self, revisions: Vec<(ServiceName, Arc<Revision>)>) {
        if !revisions.is_empty() {
            self.snapshot.store(Arc::new(self.snapshot.load().with_services(revisions)));
        }
    }

    pub(crate) fn build(
        &self,
        name: &ServiceName,
        number: u32,
        program: Arc<Program>,
        settings: &ServiceSettings,
        secrets: &Secrets,
        excess: Excess,
    ) -> Result<Revision, FleetError> {
        let binder = Binder {
            secrets,
            resolver: self.parts.resolver.clone(),
            clock: self.parts.clock.clone(),
            platform: self.parts.platform,
        };
        let snapshot = self.snapshot.load();
        let before = snapshot.revision(name);
        let environment_before = before.map(|revision| &*revision.environment);
        let mut environment = binder
            .bind(name, number, program.manifest(), settings, excess, environment_before)
            .map_err(FleetError::Settings)?;
        // What one connector put into the cache is not for another, and a cache keeps the size it was made with.
        let same = |before: &&Arc<Revision>| {
            before.connector() == program.digest()
                && before.environment.limits.cache_bytes == environment.limits.cache_bytes
        };
        if let Some(before) = before.filter(same) {
            environment.cache = before.environment.cache.clone();
        }
        if let Some(before) = before {
            environment.lines = before.environment.lines.clone();
        }
        let contract = program.contract();
        let routes = Routes::of(contract).map_err(|reason| {
            FleetError::Settings(vec![SettingFault { pointer: "/connector".to_owned(), detail: reason }])
        })?;
        Ok(Revision {
            documents: RevisionDocuments::of(contract, name),
            meters: contract
                .operations
                .iter()
                .map(|operation| OperationMeters::of(name, &operation.name))
                .collect(),
            routes,
            answers: Answers::new(environment.limits.answer_cache_bytes),
            major: contract.id.version.major,
            admission: match before {
                Some(before) => before.admission.clone(),
                None => Admission::new(name, environment.limits.concurrency),
            },
            environment: Arc::new(environment),
            program,
        })
    }
}

async fn directory(identity: &Identity) -> Result<Directory, FleetError> {
    identity.directory().await.map_err(|error| FleetError::Internal(error.to_string()))
}

fn no_service(name: &ServiceName) -> FleetError {
    FleetError::NotFound {
        what: "service",
        name: name.to_string(),
        remedy: "`truc service list` shows those there are",
    }
}

pub(crate) fn settings_of(row: &RevisionRow) -> Result<ServiceSettings, FleetError> {
    serde_json::from_str(&row.settings).map_err(|error| FleetError::Internal(error.to_string()))
}

fn contract_of(row: &ConnectorRow) -> Result<ContractId, FleetError> {
    row.contract
        .parse()
        .map_err(|error: truc_contract::ContractIdError| FleetError::Internal(error.to_string()))
}

fn summary(row: &ConnectorRow, contract_state: ContractState) -> Result<ConnectorSummary, FleetError> {
    let version =
        row.version.parse().map_err(|error: semver::Error| FleetError::Internal(error.to_string()))?;
    Ok(ConnectorSummary {
        connector: ConnectorRef { name: row.name.clone(), version },
        digest: row.digest,
        publisher: row.publisher.clone(),
        contract: contract_of(row)?,
        contract_state,
        size: row.size,
        published_at: row.published_at,
    })
}

fn service_summary(
    name: &ServiceName,
    revision: &Revision,
    settings: ServiceSettings,
    created_at: Timestamp,
) -> ServiceSummary {
    ServiceSummary {
        name: name.clone(),
        revision: revision.environment.revision,
        created_at,
        path: format!("/api/{name}/v{}", revision.major),
        settings,
        limits: revision.environment.limits,
        breakers: revision
            .environment
            .upstreams
            .iter()
            .map(|(handle, upstream)| (handle.clone(), upstream.breaker()))
            .collect(),
    }
}

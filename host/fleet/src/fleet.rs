//! Changes of the fleet: publish a connector, put or remove a service, renew the directory.

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use serde::Serialize;
use tokio::sync::Mutex;
use truc_egress::{Resolver, Secrets};
use truc_identity::{Directory, Identity};
use truc_model::{Clock, Digest, ServiceName, Timestamp};
use truc_sandbox::{Origin, Program, Sandbox};
use truc_store::connectors::ConnectorRow;
use truc_store::services::{NewRevision, RevisionRow};
use truc_store::{Store, StoreError};

use crate::answers::Answers;
use crate::components::Components;
use crate::documents::RevisionDocuments;
use crate::error::{FleetError, SettingFault};
use crate::meters::OperationMeters;
use crate::routes::Routes;
use crate::settings::{Binder, ConnectorRef, ServiceSettings};
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
    /// Where credentials and keys are read from.
    pub secrets: Secrets,
    /// How upstreams' names are resolved.
    pub resolver: Arc<dyn Resolver>,
    /// Where the time comes from.
    pub clock: Arc<dyn Clock>,
}

/// The connectors and services of a host.
pub struct Fleet {
    parts: Parts,
    snapshot: ArcSwap<Snapshot>,
    /// Programs by digest, so that a connector that serves twice is loaded once; one is compiled at a time.
    programs: Mutex<HashMap<Digest, Arc<Program>>>,
    /// Held while a change is written and put in force, never while something is compiled. The data plane takes neither.
    change: Mutex<()>,
}

/// A connector as the admin API tells it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ConnectorSummary {
    /// `name@version`.
    pub connector: ConnectorRef,
    /// The digest of its bytes.
    pub digest: Digest,
    /// Who publishes it.
    pub publisher: String,
    /// The contract it implements.
    pub contract: String,
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
}

impl Fleet {
    /// Brings back every active service.
    ///
    /// # Errors
    /// The first service that cannot be brought back, by name.
    pub async fn open(parts: Parts) -> Result<Self, FleetError> {
        let active = parts.store.services().active().await?;
        let directory = Arc::new(directory(&parts.identity).await?);
        let fleet = Self {
            parts,
            snapshot: ArcSwap::from_pointee(Snapshot::new(HashMap::new(), directory)),
            programs: Mutex::new(HashMap::new()),
            change: Mutex::new(()),
        };
        for row in active {
            let service = row.service.clone();
            let restored = fleet.restore(row).await;
            restored.map_err(|cause| FleetError::Restore {
                service: service.to_string(),
                cause: Box::new(cause),
            })?;
        }
        Ok(fleet)
    }

    /// The snapshot in force. Cheap, without a lock.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.snapshot.load_full()
    }

    /// Who may call, for changes.
    pub fn identity(&self) -> &Identity {
        &self.parts.identity
    }

    /// What runs connectors.
    pub fn sandbox(&self) -> &Arc<Sandbox> {
        &self.parts.sandbox
    }

    /// Takes a component in: read, checked, compiled, kept. It serves nothing yet.
    ///
    /// # Errors
    /// Whatever keeps it from being served. Publishing the same bytes again is not an error.
    pub async fn publish(&self, bytes: Vec<u8>) -> Result<(ConnectorSummary, Arc<Program>), FleetError> {
        let mut programs = self.programs.lock().await;
        let (program, bytes) = self.load(bytes).await?;
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
            return Ok((summary(&row)?, program));
        }
        let size = bytes.len() as u64;
        self.keep(digest, bytes).await?;
        let row = ConnectorRow {
            digest,
            name: manifest.name.clone(),
            version,
            publisher: manifest.publisher.clone(),
            contract: manifest.contract.to_string(),
            manifest: program.manifest_text().to_owned(),
            size,
            published_at: self.parts.clock.now(),
        };
        connectors.insert(&row).await?;
        programs.insert(digest, program.clone());
        tracing::info!(connector.name = %row.name, connector.version = row.version, connector.digest = %digest, "connector published");
        Ok((summary(&row)?, program))
    }

    /// The connectors that were published.
    ///
    /// # Errors
    /// The database.
    pub async fn connectors(&self) -> Result<Vec<ConnectorSummary>, FleetError> {
        self.parts.store.connectors().list().await?.iter().map(summary).collect()
    }

    /// One connector, with its program.
    ///
    /// # Errors
    /// No such connector, or one whose file cannot be read.
    pub async fn connector(
        &self,
        connector: &ConnectorRef,
    ) -> Result<(ConnectorSummary, Arc<Program>), FleetError> {
        let row = self.connector_row(connector).await?;
        let program = self.program(&row.digest).await?;
        Ok((summary(&row)?, program))
    }

    /// Gives a service new settings: checks and binds them, makes a new revision, and puts it in force.
    ///
    /// # Errors
    /// Settings that do not fit, all faults at once; the revision that was active still is.
    pub async fn put_service(
        &self,
        name: &ServiceName,
        settings: &ServiceSettings,
        by: &str,
    ) -> Result<ServiceSummary, FleetError> {
        let connector = self.connector_row(&settings.connector).await?;
        let program = self.program(&connector.digest).await?;
        let _one_at_a_time = self.change.lock().await;
        // Everything that can fail for the settings' sake fails here, before anything is written.
        let mut revision = self.build(name, 0, program, settings)?;
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

    async fn restore(&self, row: RevisionRow) -> Result<(), FleetError> {
        let settings = settings_of(&row)?;
        let program = self.program(&row.connector).await?;
        let revision = Arc::new(self.build(&row.service, row.number, program, &settings)?);
        self.snapshot.store(Arc::new(self.snapshot.load().with_service(row.service, revision)));
        Ok(())
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

    async fn program(&self, digest: &Digest) -> Result<Arc<Program>, FleetError> {
        let mut programs = self.programs.lock().await;
        if let Some(program) = programs.get(digest) {
            return Ok(program.clone());
        }
        let bytes = self
            .parts
            .components
            .read(digest)
            .map_err(|cause| FleetError::File { digest: *digest, cause })?;
        let (program, _) = self.load(bytes).await?;
        programs.insert(*digest, program.clone());
        Ok(program)
    }

    /// Loads on a thread where blocking is allowed; gives the bytes back.
    async fn load(&self, bytes: Vec<u8>) -> Result<(Arc<Program>, Vec<u8>), FleetError> {
        let sandbox = self.parts.sandbox.clone();
        let loaded = tokio::task::spawn_blocking(move || (sandbox.load(&bytes), bytes)).await;
        let (loaded, bytes) = loaded.map_err(|error| FleetError::Internal(error.to_string()))?;
        let (program, origin) = loaded?;
        if origin == Origin::Compiled {
            tracing::info!(connector.digest = %program.digest(), "connector compiled");
        }
        Ok((program, bytes))
    }

    /// Keeps a component's file, on a thread where blocking is allowed.
    async fn keep(&self, digest: Digest, bytes: Vec<u8>) -> Result<(), FleetError> {
        let components = self.parts.components.clone();
        let kept = tokio::task::spawn_blocking(move || components.keep(&digest, &bytes)).await;
        let kept = kept.map_err(|error| FleetError::Internal(error.to_string()))?;
        kept.map_err(|cause| FleetError::File { digest, cause })
    }

    fn build(
        &self,
        name: &ServiceName,
        number: u32,
        program: Arc<Program>,
        settings: &ServiceSettings,
    ) -> Result<Revision, FleetError> {
        let binder = Binder {
            secrets: &self.parts.secrets,
            resolver: self.parts.resolver.clone(),
            clock: self.parts.clock.clone(),
        };
        let snapshot = self.snapshot.load();
        let before = snapshot.revision(name);
        let mut environment =
            binder.bind(name, number, program.manifest(), settings).map_err(FleetError::Settings)?;
        // What one connector put into the cache is not for another, and a cache keeps the size it was made with.
        let same = |before: &&Arc<Revision>| {
            before.connector() == program.digest()
                && before.environment.limits.cache_bytes == environment.limits.cache_bytes
        };
        if let Some(before) = before.filter(same) {
            environment.cache = before.environment.cache.clone();
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
            environment: Arc::new(environment),
            admission: before.map(|revision| revision.admission.clone()).unwrap_or_default(),
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

fn settings_of(row: &RevisionRow) -> Result<ServiceSettings, FleetError> {
    serde_json::from_str(&row.settings).map_err(|error| FleetError::Internal(error.to_string()))
}

fn summary(row: &ConnectorRow) -> Result<ConnectorSummary, FleetError> {
    let version =
        row.version.parse().map_err(|error: semver::Error| FleetError::Internal(error.to_string()))?;
    Ok(ConnectorSummary {
        connector: ConnectorRef { name: row.name.clone(), version },
        digest: row.digest,
        publisher: row.publisher.clone(),
        contract: row.contract.clone(),
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
    }
}

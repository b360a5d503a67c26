//! The snapshot: everything the data plane needs, immutable, read without a lock.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use tokio::time::Instant;
use truc_identity::{Caller, Directory};
use truc_model::{AgencyCode, Digest, ServiceName, Timestamp};
use truc_sandbox::{Environment, Program};

use crate::admission::{Admission, Busy, Permit};
use crate::answers::Answers;
use crate::documents::{self, AgencyDocuments, Document, RevisionDocuments};
use crate::meters::OperationMeters;
use crate::routes::Routes;

/// What is served, and who may call it, at one moment.
pub struct Snapshot {
    services: HashMap<ServiceName, Arc<Revision>>,
    directory: Arc<Directory>,
    index: OnceLock<Document>,
    agencies: AgencyDocuments,
}

/// One revision of a service, ready to serve.
pub struct Revision {
    /// What its connector can reach.
    pub environment: Arc<Environment>,
    /// The program that serves it.
    pub program: Arc<Program>,
    /// Its routes.
    pub routes: Routes,
    /// What is counted of each operation, by its index in the contract.
    pub meters: Box<[OperationMeters]>,
    /// The answers it keeps.
    pub answers: Answers,
    /// Its documents.
    pub documents: RevisionDocuments,
    /// The major version of the contract: the `{major}` of its routes.
    pub major: u64,
    /// The places for calls, of all revisions of the service.
    pub(crate) admission: Arc<Admission>,
}

impl Revision {
    /// Gives the revision its number, while nothing else holds it.
    pub(crate) fn number(&mut self, number: u32) {
        if let Some(environment) = Arc::get_mut(&mut self.environment) {
            environment.revision = number;
        }
    }

    /// Takes one of the places that the service has for calls, if one is free and nobody waits for it.
    pub fn try_admit(&self) -> Option<Permit> {
        self.admission.try_place()
    }

    /// Takes one of the places, at once or after waiting for it as long as the service's limits and this deadline allow.
    ///
    /// # Errors
    /// As many calls wait as may, or it waited as long as it may.
    pub async fn admit(&self, deadline: Instant) -> Result<Permit, Busy> {
        let limits = &self.environment.limits;
        let until = deadline.min(Instant::now() + limits.queue_wait.as_duration());
        self.admission.place(limits.queue, until).await
    }

    /// How many calls of the service wait for a place.
    pub fn waiting(&self) -> u32 {
        self.admission.waiting()
    }

    /// The digest of the connector.
    pub fn connector(&self) -> Digest {
        self.program.digest()
    }
}

impl Snapshot {
    /// A snapshot of some revisions and a directory.
    pub(crate) fn new(services: HashMap<ServiceName, Arc<Revision>>, directory: Arc<Directory>) -> Self {
        Self { services, directory, index: OnceLock::new(), agencies: AgencyDocuments::new() }
    }

    /// The active revision of a service, if it serves that major version.
    pub fn service(&self, name: &str, major: u64) -> Option<&Arc<Revision>> {
        self.services.get(name).filter(|revision| revision.major == major)
    }

    /// The active revision of a service.
    pub fn revision(&self, name: &ServiceName) -> Option<&Arc<Revision>> {
        self.services.get(name)
    }

    /// Every active revision.
    pub fn revisions(&self) -> impl Iterator<Item = &Arc<Revision>> {
        self.services.values()
    }

    /// Who may call.
    pub fn directory(&self) -> &Directory {
        &self.directory
    }

    /// The list of what is served.
    pub fn index(&self) -> &Document {
        self.index.get_or_init(|| documents::index(&self.revisions().collect::<Vec<_>>()))
    }

    /// The document of all that an agency may call, if it was made under this snapshot and still holds.
    pub fn agency_document(&self, agency: &AgencyCode, now: Timestamp) -> Option<Document> {
        self.agencies.get(agency, now)
    }

    /// Makes the document of all that a caller's agency may call, and keeps it. It may take as long as all contracts
    /// together are large.
    pub fn make_agency_document(&self, caller: &Caller, now: Timestamp) -> Document {
        let document = documents::of_agency(&self.revisions().collect::<Vec<_>>(), caller, now);
        self.agencies.keep(caller, now, &document);
        document
    }

    pub(crate) fn with_directory(&self, directory: Arc<Directory>) -> Self {
        Self::new(self.services.clone(), directory)
    }

    pub(crate) fn with_service(&self, name: ServiceName, revision: Arc<Revision>) -> Self {
        self.with_services([(name, revision)])
    }

    pub(crate) fn with_services(
        &self,
        revisions: impl IntoIterator<Item = (ServiceName, Arc<Revision>)>,
    ) -> Self {
        let mut services = self.services.clone();
        services.extend(revisions);
        Self::new(services, self.directory.clone())
    }

    pub(crate) fn without_service(&self, name: &ServiceName) -> Self {
        let mut services = self.services.clone();
        services.remove(name);
        Self::new(services, self.directory.clone())
    }
}

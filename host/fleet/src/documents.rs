//! Documents about what is served: made once, kept with the revision or the snapshot that they describe.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, OnceLock};

use arc_swap::ArcSwapOption;
use serde_json::{Value, json};
use truc_contract::openapi::{self, Granted};
use truc_contract::{Contract, schemas};
use truc_identity::Caller;
use truc_model::{AgencyCode, Digest, ServiceName, Timestamp};

use crate::snapshot::Revision;

/// How many agencies' documents are kept at most.
const PLACES: usize = 64;
/// Larger documents of agencies are not kept, so that all of them together have a bound.
const MAX_KEPT: usize = 4 << 20;

/// A document as it is served.
#[derive(Debug, Clone)]
pub struct Document {
    /// Its bytes.
    pub bytes: Arc<[u8]>,
    /// Its strong entity tag, quoted.
    pub tag: Arc<str>,
}

impl Document {
    pub(crate) fn new(bytes: Vec<u8>) -> Self {
        let tag = format!("\"{}\"", Digest::of(&bytes).hex());
        Self { bytes: bytes.into(), tag: tag.into() }
    }
}

/// The documents of one revision.
pub struct RevisionDocuments {
    /// The OpenAPI document.
    pub openapi: Document,
    schemas: OnceLock<Schemas>,
}

struct Schemas {
    index: Document,
    by_name: BTreeMap<Arc<str>, Document>,
}

impl RevisionDocuments {
    pub(crate) fn of(contract: &Contract, service: &ServiceName) -> Self {
        Self { openapi: Document::new(openapi::document(contract, service)), schemas: OnceLock::new() }
    }
}

impl Revision {
    /// The list of its types' JSON Schemas. The first to ask for it, or for a schema, has all of them made.
    pub fn schema_index(&self) -> &Document {
        &self.schemas().index
    }

    /// The JSON Schema of a type that operations take or give.
    pub fn schema(&self, name: &str) -> Option<&Document> {
        self.schemas().by_name.get(name)
    }

    fn schemas(&self) -> &Schemas {
        self.documents.schemas.get_or_init(|| {
            let documents = schemas::documents(self.program.contract(), &self.environment.service);
            Schemas {
                index: Document::new(documents.index),
                by_name: documents
                    .by_name
                    .into_iter()
                    .map(|(name, schema)| (name, Document::new(schema)))
                    .collect(),
            }
        })
    }
}

/// The list of what is served.
pub(crate) fn index(revisions: &[&Arc<Revision>]) -> Document {
    let mut services: Vec<(&ServiceName, u64, Value)> = revisions
        .iter()
        .map(|revision| {
            let (name, major) = (&revision.environment.service, revision.major);
            let contract = revision.program.contract();
            let described = json!({
                "name": name,
                "title": openapi::title(contract),
                "version": contract.id.version.to_string(),
                "contract": contract.id.to_string(),
                "address": format!("/api/{name}/v{major}"),
                "openapi": format!("/api/{name}/v{major}/openapi.json"),
                "schemas": schemas::base(contract, name),
                "docs": format!("/docs/{name}"),
            });
            (name, major, described)
        })
        .collect();
    services.sort_by_key(|(name, major, _)| (*name, *major));
    let services: Vec<Value> = services.into_iter().map(|(_, _, described)| described).collect();
    let index = json!({ "openapi": "/api/openapi.json", "services": services });
    Document::new(serde_json::to_vec(&index).unwrap_or_default())
}

/// The document of all that a caller's agency may call.
pub(crate) fn of_agency(revisions: &[&Arc<Revision>], caller: &Caller, now: Timestamp) -> Document {
    let granted: Vec<Granted<'_>> = revisions
        .iter()
        .map(|revision| {
            let service = &revision.environment.service;
            let contract = revision.program.contract();
            let may = |name: &str| caller.may(service, name, now).is_ok();
            let operations = contract.operations.iter().filter(|it| may(it.name.as_str())).collect();
            Granted { service, contract, operations }
        })
        .collect();
    let agency = openapi::Agency { code: &caller.agency, name: caller.agency_name() };
    Document::new(openapi::merged(agency, &granted))
}

/// Agencies' documents that were made under one snapshot: each agency has one place, which it may share, and the last
/// that was made has it. Nobody waits for anybody.
pub(crate) struct AgencyDocuments(Box<[ArcSwapOption<Kept>]>);

struct Kept {
    agency: AgencyCode,
    /// When a grant ends, and with it what the document says.
    until: Option<Timestamp>,
    document: Document,
}

impl AgencyDocuments {
    pub(crate) fn new() -> Self {
        Self((0..PLACES).map(|_| ArcSwapOption::empty()).collect())
    }

    pub(crate) fn get(&self, agency: &AgencyCode, now: Timestamp) -> Option<Document> {
        let kept = self.place(agency)?.load();
        let kept = kept.as_ref().filter(|kept| kept.agency == *agency)?;
        kept.until.is_none_or(|until| now < until).then(|| kept.document.clone())
    }

    pub(crate) fn keep(&self, caller: &Caller, now: Timestamp, document: &Document) {
        if document.bytes.len() > MAX_KEPT {
            return;
        }
        let (agency, until) = (caller.agency.clone(), caller.next_end(now));
        if let Some(place) = self.place(&agency) {
            place.store(Some(Arc::new(Kept { agency, until, document: document.clone() })));
        }
    }

    fn place(&self, agency: &AgencyCode) -> Option<&ArcSwapOption<Kept>> {
        let mut hasher = DefaultHasher::new();
        agency.hash(&mut hasher);
        let place = usize::try_from(hasher.finish() % PLACES as u64).ok()?;
        self.0.get(place)
    }
}

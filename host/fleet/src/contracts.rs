//! Contracts as they are kept: which are published, which proposed, and what may be published next.

use std::collections::HashMap;

use semver::Version;
use truc_contract::{
    Changes, ChangesError, Contract, ContractError, ContractId, ContractText, Effect, predecessor,
};
use truc_model::{Clock, Digest, Timestamp};
use truc_store::contracts::{ContractKey, ContractRow, ContractState, Proposal};
use truc_store::{Store, StoreError};

use crate::error::FleetError;
use crate::routes::Routes;

/// A contract as the admin API tells it.
#[derive(Debug, Clone, PartialEq)]
pub struct ContractSummary {
    /// Its name and version.
    pub id: ContractId,
    /// The digest of its text.
    pub digest: Digest,
    /// How it stands.
    pub state: ContractState,
    /// The connector that proposed it, `name@version`.
    pub proposed_by: Option<String>,
    /// When it was proposed, or else published.
    pub created_at: Timestamp,
    /// When it was published.
    pub published_at: Option<Timestamp>,
    /// Who published it.
    pub published_by: Option<String>,
}

/// A contract with its text and what the text says.
#[derive(Debug, Clone)]
pub struct ContractDetails {
    /// What is known of it.
    pub summary: ContractSummary,
    /// Its text.
    pub text: ContractText,
    /// What its text says.
    pub contract: Contract,
}

/// What became of a text that was to be published.
#[derive(Debug, Clone)]
pub struct Publication {
    /// The contract as it is published now.
    pub details: ContractDetails,
    /// What is new since the version before; none where it was published already or begins a track.
    pub changes: Option<Changes>,
}

/// A text that may be published, or proposed.
pub(crate) struct Admitted {
    pub(crate) contract: Contract,
    /// What is new since the published version before; none where it begins a track.
    pub(crate) changes: Option<Changes>,
}

/// The contracts of a store.
#[derive(Clone, Copy)]
pub(crate) struct Registry<'a> {
    pub(crate) store: &'a Store,
    pub(crate) clock: &'a dyn Clock,
}

impl Registry<'_> {
    /// A contract that is there, proposed or published.
    pub(crate) async fn find(
        &self,
        id: &ContractId,
    ) -> Result<Option<(ContractRow, ContractText)>, FleetError> {
        let Some((row, sources)) = self.store.contracts().get(&key(id)).await? else { return Ok(None) };
        let text = ContractText::parse(&sources)
            .map_err(|error| FleetError::Internal(format!("the text of {id} in the database: {error}")))?;
        Ok(Some((row, text)))
    }

    /// The text of a published contract.
    pub(crate) async fn published(&self, id: &ContractId) -> Result<Option<ContractText>, FleetError> {
        let found = self.find(id).await?;
        Ok(found.filter(|(row, _)| row.state == ContractState::Published).map(|(_, text)| text))
    }

    /// Every contract, by name and version.
    pub(crate) async fn list(&self) -> Result<Vec<ContractSummary>, FleetError> {
        let proposers: HashMap<Digest, String> = self
            .store
            .connectors()
            .list()
            .await?
            .into_iter()
            .map(|row| (row.digest, format!("{}@{}", row.name, row.version)))
            .collect();
        let rows = self.store.contracts().list().await?;
        let mut list: Vec<ContractSummary> = rows
            .into_iter()
            .map(|row| {
                let proposer = row.proposed_by.and_then(|digest| proposers.get(&digest).cloned());
                summary(row, proposer)
            })
            .collect::<Result<_, _>>()?;
        list.sort_by(|a, b| {
            let name = |summary: &ContractSummary| (summary.id.namespace.clone(), summary.id.name.clone());
            name(a).cmp(&name(b)).then_with(|| a.id.version.cmp(&b.id.version))
        });
        Ok(list)
    }

    /// One contract.
    pub(crate) async fn details(&self, id: &ContractId) -> Result<ContractDetails, FleetError> {
        let (row, text) = self.find(id).await?.ok_or_else(|| unknown(id))?;
        let proposer = match &row.proposed_by {
            Some(digest) => self.store.connectors().get(digest).await?,
            None => None,
        };
        let proposer = proposer.map(|row| format!("{}@{}", row.name, row.version));
        let contract = read(&text).await?;
        Ok(ContractDetails { summary: summary(row, proposer)?, text, contract })
    }

    /// What is new in a contract since another version of it; without one, since the newest published version before it
    /// in its track.
    pub(crate) async fn changes(
        &self,
        id: &ContractId,
        since: Option<Version>,
    ) -> Result<Changes, FleetError> {
        let (_, text) = self.find(id).await?.ok_or_else(|| unknown(id))?;
        let since = match since {
            Some(since) => since,
            None => {
                let published = self.published_versions(id).await?;
                let earlier =
                    published.into_iter().filter(|version| version.cmp_precedence(&id.version).is_lt());
                let earlier: Vec<Version> = earlier.collect();
                let before = predecessor(id, earlier.iter()).ok().flatten();
                before.ok_or_else(|| FleetError::NotFound {
                    what: "published version before",
                    name: id.to_string(),
                    remedy: "name the version to compare with: `since`",
                })?
            }
        };
        let other = ContractId { version: since, ..id.clone() };
        let (_, old) = self.find(&other).await?.ok_or_else(|| unknown(&other))?;
        between(old, text).await
    }

    /// Whether a text may be published: it can be served, its version comes after what is published of its track, and
    /// nothing in it breaks the version before.
    pub(crate) async fn admit(&self, text: &ContractText) -> Result<Admitted, FleetError> {
        let contract = read(text).await?;
        Routes::of(&contract).map_err(|reason| ContractError {
            place: text.files().first().map(|(name, _)| name.clone()).unwrap_or_default(),
            item: format!("package {}", contract.id),
            reason,
        })?;
        let published = self.published_versions(&contract.id).await?;
        let Some(before) = predecessor(&contract.id, published.iter())? else {
            return Ok(Admitted { contract, changes: None });
        };
        let before = ContractId { version: before, ..contract.id.clone() };
        let Some(old) = self.published(&before).await? else {
            return Err(FleetError::Internal(format!("{before} is published and has no text")));
        };
        let changes = between(old, text.clone()).await?;
        match changes.effect() {
            Effect::Breaking => Err(FleetError::Breaking(Box::new(changes))),
            Effect::Compatible => Ok(Admitted { contract, changes: Some(changes) }),
        }
    }

    /// Publishes a text. One change at a time: the caller holds the lock.
    pub(crate) async fn publish(&self, text: &ContractText, by: &str) -> Result<Publication, FleetError> {
        let id = read(text).await?.id;
        let published = self.find(&id).await?.filter(|(row, _)| row.state == ContractState::Published);
        if let Some((row, _)) = published {
            if row.digest != text.digest() {
                return Err(FleetError::ContractTaken { id, digest: row.digest });
            }
            return Ok(Publication { details: self.details(&id).await?, changes: None });
        }
        let Admitted { contract, changes } = self.admit(text).await?;
        self.enter(&id, text, by).await?;
        tracing::info!(contract = %id, contract.digest = %text.digest(), by, "contract published");
        let mut details = self.details(&id).await?;
        details.contract = contract;
        Ok(Publication { details, changes })
    }

    /// Enters a text as published, whatever was published before.
    pub(crate) async fn enter(
        &self,
        id: &ContractId,
        text: &ContractText,
        by: &str,
    ) -> Result<(), FleetError> {
        let contracts = self.store.contracts();
        let entered =
            contracts.publish(&key(id), &text.digest(), text.canonical(), self.clock.now(), by).await;
        match entered {
            Ok(()) => Ok(()),
            // Another node was faster.
            Err(StoreError::Taken) => match self.published(id).await? {
                Some(other) if other.digest() == text.digest() => Ok(()),
                Some(other) => Err(FleetError::ContractTaken { id: id.clone(), digest: other.digest() }),
                None => Err(StoreError::Taken.into()),
            },
            Err(error) => Err(error.into()),
        }
    }

    /// Enters the contract that a connector brings as proposed, unless that version is there already.
    pub(crate) async fn propose(
        &self,
        id: &ContractId,
        text: &ContractText,
        connector: &Digest,
    ) -> Result<(), FleetError> {
        let key = key(id);
        let proposal = Proposal {
            key: &key,
            digest: &text.digest(),
            sources: text.canonical(),
            connector,
            at: self.clock.now(),
        };
        Ok(self.store.contracts().propose(&proposal).await?)
    }

    /// The published versions of a contract, in any order.
    async fn published_versions(&self, id: &ContractId) -> Result<Vec<Version>, FleetError> {
        let rows = self.store.contracts().list().await?;
        rows.into_iter()
            .filter(|row| row.state == ContractState::Published)
            .filter(|row| row.key.namespace == id.namespace && row.key.name == id.name)
            .map(|row| version(&row.key.version))
            .collect()
    }
}

/// The name of a contract as the store knows it.
pub(crate) fn key(id: &ContractId) -> ContractKey {
    ContractKey { namespace: id.namespace.clone(), name: id.name.clone(), version: id.version.to_string() }
}

fn unknown(id: &ContractId) -> FleetError {
    FleetError::NotFound {
        what: "contract",
        name: id.to_string(),
        remedy: "`truc contract list` shows those there are",
    }
}

fn version(text: &str) -> Result<Version, FleetError> {
    text.parse().map_err(|error: semver::Error| FleetError::Internal(error.to_string()))
}

fn summary(row: ContractRow, proposed_by: Option<String>) -> Result<ContractSummary, FleetError> {
    let ContractKey { namespace, name, version: text } = row.key;
    Ok(ContractSummary {
        id: ContractId { namespace, name, version: version(&text)? },
        digest: row.digest,
        state: row.state,
        proposed_by,
        created_at: row.created_at,
        published_at: row.published_at,
        published_by: row.published_by,
    })
}

/// Reads a text on a thread where computing is allowed: a large one takes its time.
async fn read(text: &ContractText) -> Result<Contract, FleetError> {
    let text = text.clone();
    let read = tokio::task::spawn_blocking(move || text.read()).await;
    Ok(read.map_err(|error| FleetError::Internal(error.to_string()))??)
}

async fn between(old: ContractText, new: ContractText) -> Result<Changes, FleetError> {
    let compared = tokio::task::spawn_blocking(move || Changes::between(&old, &new)).await;
    compared.map_err(|error| FleetError::Internal(error.to_string()))?.map_err(|error| match error {
        ChangesError::Contract(error) => error.into(),
        ChangesError::Different { .. } => FleetError::Internal(error.to_string()),
    })
}

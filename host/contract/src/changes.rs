//! What changed between two texts of one contract, in words for people, and whether it breaks anybody.
//!
//! [`compare`] looks at the contract as agencies see it and says each difference in a sentence. [`engine`] then has
//! wit-component decide whether a connector of the new text could stand in for one of the old: the last word, which
//! also knows what no operation shows.

mod compare;
mod engine;
mod rules;

pub(crate) use engine::root as root_cause;

use semver::Version;

use crate::manifest::ContractId;
use crate::read::ContractError;
use crate::sources::ContractText;
use crate::versions::{next_breaking, next_compatible, next_wording};

/// Whether a change breaks those who rely on what was there before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effect {
    /// Callers go on as before.
    Compatible,
    /// Callers, or connectors that were compiled before, would fail.
    Breaking,
}

/// What happened to an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ChangeKind {
    /// It was not there before.
    Added,
    /// It is there before and after.
    Changed,
    /// It is there no more.
    Removed,
}

/// One change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// What changed: `parcels/get-parcel`, `parcels/get-parcel(id)`, `parcels#parcel.area`, `parcels`, `lgsp:land`.
    pub item: String,
    /// What happened to it.
    pub kind: ChangeKind,
    /// Whether it breaks anybody.
    pub effect: Effect,
    /// A sentence about it, without the item and without a full stop.
    pub text: String,
}

/// The changes from one text of a contract to another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changes {
    /// The contract before.
    pub from: ContractId,
    /// The contract after.
    pub to: ContractId,
    /// What changed: in the order of the text, what was there before first.
    pub list: Vec<Change>,
}

/// Why two texts cannot be compared.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChangesError {
    /// One of them cannot be served.
    #[error(transparent)]
    Contract(#[from] ContractError),
    /// They are texts of different contracts.
    #[error("{from} and {to} are different contracts: compare versions of one")]
    Different {
        /// The one.
        from: ContractId,
        /// The other.
        to: ContractId,
    },
}

impl Changes {
    /// Compares two texts of one contract; their versions may be any.
    ///
    /// # Errors
    /// A text that cannot be served, texts of different contracts.
    pub fn between(old: &ContractText, new: &ContractText) -> Result<Self, ChangesError> {
        let (before, after) = (old.read()?, new.read()?);
        let name = |id: &ContractId| (id.namespace.clone(), id.name.clone());
        if name(&before.id) != name(&after.id) {
            return Err(ChangesError::Different { from: before.id, to: after.id });
        }
        let mut list = match old.digest() == new.digest() {
            true => Vec::new(),
            false => compare::compare(&before, &after),
        };
        if !list.iter().any(|change| change.effect == Effect::Breaking) {
            list.extend(engine::complaint(old, new)?);
        }
        Ok(Self { from: before.id, to: after.id, list })
    }

    /// Whether any of them breaks somebody.
    pub fn effect(&self) -> Effect {
        self.list.iter().map(|change| change.effect).max().unwrap_or(Effect::Compatible)
    }

    /// Those that break somebody.
    pub fn breaking(&self) -> impl Iterator<Item = &Change> {
        self.list.iter().filter(|change| change.effect == Effect::Breaking)
    }

    /// The next version for these changes: of another track if they break somebody, the next for additions if
    /// something was added, else the next for mere wording.
    pub fn right_version(&self) -> Version {
        let version = &self.from.version;
        match self.effect() {
            Effect::Breaking => next_breaking(version),
            Effect::Compatible if self.list.is_empty() => version.clone(),
            Effect::Compatible if self.list.iter().all(|change| change.kind == ChangeKind::Changed) => {
                next_wording(version)
            }
            Effect::Compatible => next_compatible(version),
        }
    }
}

impl Effect {
    /// `compatible` or `breaking`.
    pub fn as_str(self) -> &'static str {
        match self {
            Effect::Compatible => "compatible",
            Effect::Breaking => "breaking",
        }
    }
}

impl ChangeKind {
    /// `added`, `changed` or `removed`.
    pub fn as_str(self) -> &'static str {
        match self {
            ChangeKind::Added => "added",
            ChangeKind::Changed => "changed",
            ChangeKind::Removed => "removed",
        }
    }
}

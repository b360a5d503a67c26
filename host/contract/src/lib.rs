//! Contracts: WIT read into a model from which routes, JSON, validation, OpenAPI and the manifest's checks come.
//!
//! The only room that knows `wit-parser` and `wit-component`. It knows nothing of the engine: it reads texts and component bytes and gives
//! values. What is refused here is refused with the package, interface and item named, and with file and line where
//! there is a text.

pub mod changes;
pub mod component;
pub mod directive;
pub mod example;
pub mod manifest;
pub mod model;
mod names;
pub mod openapi;
mod pack;
pub mod path;
mod pattern;
mod read;
mod schema;
pub mod schemas;
mod sources;
#[cfg(feature = "testing")]
pub mod testing;
mod value;
mod versions;

pub use changes::{Change, ChangeKind, Changes, ChangesError, Effect};
pub use component::{Component, ComponentError};
pub use manifest::{
    Allowed, ConfigKind, ConfigRule, ConfigValue, ContractId, ContractIdError, KeyRule, KeyUse, Manifest,
    ManifestError, UpstreamRule,
};
pub use model::{
    Contract, ErrorCase, Field, Interface, Operation, Parameter, PayloadMeaning, Pii, Place, Rules, Type,
    TypeDef, TypeId, TypeKind,
};
pub use names::first_sentence;
pub use pack::{PackError, pack};
pub use path::{Method, PathTemplate, Segment};
pub use read::{ContractError, SourceError, read_sources, sources_in};
pub use sources::{ContractText, MAX_CONTRACT, SourcesError};
pub use versions::{BackwardsError, Track, predecessor};

/// The text of `truc:connector`, the package of capabilities and common types that this host offers.
pub const CONNECTOR_WIT: &str = include_str!("../../../wit/truc/connector.wit");

/// The name and version of the package in [`CONNECTOR_WIT`].
pub const CONNECTOR_PACKAGE: &str = "truc:connector";

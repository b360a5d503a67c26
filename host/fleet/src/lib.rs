//! The fleet: which connectors are here, which services put them to work, and the snapshot that the data plane reads.
//!
//! Publishing makes a program of a component and keeps the file. Putting a service checks its settings against the
//! connector's manifest, binds them, and makes a new revision active. Both end in a new [`Snapshot`] that takes the
//! place of the old one in one step; a call keeps the one it began with. Everything that fails, fails before that step.
//!
//! A connector is governed by the published contract that its manifest names. A contract that a connector brings along
//! is proposed: it governs nothing until somebody publishes it.
//!
//! Secrets are sealed in the database and opened when a service is bound; a changed one binds the services anew that
//! use it.

mod admission;
mod answers;
mod components;
mod contracts;
mod documents;
mod error;
mod fleet;
mod meters;
mod routes;
mod secrets;
mod settings;
mod snapshot;

pub use admission::{Busy, NoPlace, Permit};
pub use answers::{Answers, KeptAnswer};
pub use components::Components;
pub use contracts::{ContractDetails, ContractSummary, Publication};
pub use documents::{Document, RevisionDocuments};
pub use error::{FleetError, SettingFault};
pub use fleet::{ConnectorSummary, Fleet, Parts, ServiceLimits, ServiceSummary};
pub use meters::{BUSY, DURATION, OperationMeters, QUEUED, REQUESTS, WAITING};
pub use routes::{RouteMatch, Routes};
pub use secrets::{Rotation, SecretSummary, keep_secret};
pub use settings::{ConnectorRef, ServiceSettings};
pub use snapshot::{Revision, Snapshot};

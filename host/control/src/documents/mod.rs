//! The documents of the admin API: what goes in and what comes out, each a type with its JSON and its JSON Schema.
//!
//! The handlers and the command line share them. Member names are in camelCase; an absent member is left out, never
//! written as `null`.

mod agencies;
mod connectors;
mod contracts;
mod exchanges;
mod secrets;
mod services;
pub mod settings;

pub use agencies::{
    Account, AccountList, Agency, AgencyList, Grant, GrantList, IssuedKey, NewAccount, NewAgency, NewGrant,
};
pub use connectors::{
    ConfigDescription, Connector, ConnectorDetails, ConnectorList, Description, KeyDescription,
    OperationDescription, UpstreamDescription,
};
pub use contracts::{
    ChangeLog, Contract, ContractChange, ContractDetails, ContractFile, ContractList, ContractState,
    NewContract, PublishedContract,
};
pub use exchanges::{Exchange, ExchangeList, ExchangeQuery};
pub(crate) use secrets::SecretValue;
pub use secrets::{RotatedVault, SecretInfo, SecretList};
pub use services::{EffectiveLimit, Service, ServiceLimits, ServiceList};

//! `truc publish`: gives a component to the host.

use std::path::PathBuf;

use hyper::Method;
use truc_control::documents::{ConnectorDetails, ContractState};

use crate::client::{Admin, Body};
use crate::commands::inspect;
use crate::failure::Failure;
use crate::output::{Output, Sheet, size};

/// What it takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// The component
    component: PathBuf,
}

pub(crate) async fn run(admin: &Admin, options: &Options) -> Result<Output, Failure> {
    let bytes = inspect::read(&options.component)?;
    let published: ConnectorDetails =
        admin.ask(Method::POST, "/admin/connectors", Body::Component(bytes)).await?;
    let description = &published.description;
    let contract = match published.contract_state {
        ContractState::Published => description.contract.clone(),
        ContractState::Proposed => format!("{} (proposed)", description.contract),
    };
    let mut sheet = Sheet::new();
    sheet
        .line("published", &description.connector)
        .line("contract", contract)
        .line("operations", description.operations.len())
        .line("size", size(published.size))
        .line("digest", published.digest);
    let next = next_step(&published);
    let publish_contract = match published.contract_state {
        ContractState::Published => String::new(),
        ContractState::Proposed => format!(
            "\n\nIts contract is new here. Look at it, then publish it, with:\n  truc contract show {0} --wit\n  truc \
             contract publish {0}",
            description.contract
        ),
    };
    Output::new(&published, format!("{}{publish_contract}\n\nPut it to work with:\n  {next}", sheet.text()))
}

/// The command that makes a service of a connector, with a place for everything that must be set.
fn next_step(published: &ConnectorDetails) -> String {
    let description = &published.description;
    let name = &description.connector.name;
    let mut command = format!("truc service put {name} --connector {}", description.connector);
    for handle in description.upstreams.keys() {
        command.push_str(&format!(" --bind {handle}=<address>"));
    }
    for (key, rule) in description.config.iter().filter(|(_, rule)| rule.default.is_none()) {
        command.push_str(&format!(" --config {key}=<{}>", rule.kind));
    }
    for handle in description.keys.keys() {
        command.push_str(&format!(" --key {handle}=<algorithm>:<secret>"));
    }
    command
}

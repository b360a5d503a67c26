//! The commands, one file each: what they take, what they ask, how they tell the result.

pub(crate) mod account;
pub(crate) mod admin_key;
pub(crate) mod agency;
pub(crate) mod check_config;
pub(crate) mod compile_component;
pub(crate) mod connector;
pub(crate) mod contract;
pub(crate) mod exchanges;
pub(crate) mod grant;
pub(crate) mod inspect;
pub(crate) mod publish;
pub(crate) mod secret;
pub(crate) mod service;
mod settings;
pub(crate) mod vault;

use serde_json::json;

use crate::cli::{Cli, Command};
use crate::failure::Failure;
use crate::output::Output;

/// Runs a command that needs a runtime and is not `serve`.
pub(crate) async fn run(cli: Cli) -> Result<Output, Failure> {
    let client = || cli.admin.client();
    match cli.command {
        // The host has a runtime of its own kind, and the compiler none; `main` starts them.
        Command::Serve(_) | Command::CompileComponent(_) => Output::new(&json!(null), ""),
        Command::CheckConfig(options) => check_config::run(&options),
        Command::AdminKey => admin_key::run(),
        Command::Inspect(options) => inspect::run(&options),
        Command::Publish(options) => publish::run(&client()?, &options).await,
        Command::Contract(command) => contract::run(&cli.admin, command).await,
        Command::Connector(command) => connector::run(&client()?, &command).await,
        Command::Secret(command) => secret::run(&cli.admin, command).await,
        Command::Vault(command) => vault::run(&cli.admin, command).await,
        Command::Service(command) => service::run(&client()?, command).await,
        Command::Agency(command) => agency::run(&client()?, command).await,
        Command::Account(command) => account::run(&client()?, command).await,
        Command::Grant(command) => grant::run(&client()?, command).await,
        Command::Exchanges(options) => exchanges::run(&client()?, &options).await,
    }
}

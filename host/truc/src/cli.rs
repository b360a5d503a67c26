//! The command line: what can be asked, and the help that says so.

use std::sync::LazyLock;

use clap::{Parser, Subcommand};

use crate::client::AdminOptions;
use crate::commands::{
    account, agency, check_config, compile_component, connector, contract, exchanges, grant, inspect,
    publish, secret, service, vault,
};
use crate::failure::EXIT_CODES;
use crate::serve;

const EXAMPLES: &str = "\
Examples:
  Start a host:
    (umask 077; truc admin-key > admin.key; truc vault key > vault.key)
    truc serve --config truc.toml

  Put a connector to work:
    export TRUC_ADMIN_KEY_FILE=admin.key
    truc contract publish wit/payment
    truc publish payment.wasm
    truc secret put payment-key --file payment-key.txt
    truc service put payment --connector payment@1.0.0 --bind platform=http://10.0.0.5:8080 \\
        --config partner-code=TRUC --key payment=sha256-suffix:payment-key

  Let an agency call it:
    truc agency add H56.14 'Sở Nông nghiệp và Môi trường'
    truc account add H56.14 one-stop-shop
    truc grant add H56.14 --service payment --operation '*'

  See what was called:
    truc exchanges --agency H56.14 --status 502
";

/// The version of the program, and of the engine it is built with.
static VERSION: LazyLock<String> =
    LazyLock::new(|| format!("{} ({})", env!("CARGO_PKG_VERSION"), truc_sandbox::ENGINE));

/// Trục: serves WebAssembly connectors as governed REST APIs
///
/// `truc serve` is the host. The other commands ask a running host through its admin API, except for `inspect`,
/// `check-config`, `admin-key` and `vault key`, which need none, and `contract diff` where both texts are files.
#[derive(Debug, Parser)]
#[command(name = "truc", version = VERSION.as_str(), after_long_help = format!("{EXAMPLES}\n{EXIT_CODES}"), after_help = "`truc --help` shows examples and exit codes.")]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) admin: AdminOptions,
    /// Print JSON instead of text; errors too, on standard error
    #[arg(long, global = true, help_heading = "Output")]
    pub(crate) json: bool,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Serve until asked to stop
    Serve(serve::Options),
    /// Check a configuration and everything it names, without serving
    CheckConfig(check_config::Options),
    /// Make an admin key and print it
    ///
    /// Keep it in a file that only the host and the operators can read: (umask 077; truc admin-key > admin.key)
    AdminKey,
    /// Show what a component file is: contract, operations, imports, upstreams, configuration, limits
    Inspect(inspect::Options),
    /// Publish a component to the host
    Publish(publish::Options),
    /// Publish, show and compare contracts
    #[command(subcommand)]
    Contract(contract::Command),
    /// Show published connectors
    #[command(subcommand)]
    Connector(connector::Command),
    /// Put connectors to work, and see what is served
    #[command(subcommand)]
    Service(service::Command),
    /// Keep credentials and keys in the vault
    #[command(subcommand)]
    Secret(secret::Command),
    /// Make the vault's keys, and change them
    #[command(subcommand)]
    Vault(vault::Command),
    /// Enter agencies, suspend and resume them
    #[command(subcommand)]
    Agency(agency::Command),
    /// Make accounts and their keys
    #[command(subcommand)]
    Account(account::Command),
    /// Grant operations to agencies
    #[command(subcommand)]
    Grant(grant::Command),
    /// List exchanges, those that arrived last first
    Exchanges(exchanges::Options),
    /// Compile one component, from standard input to standard output. The host starts it; it is no command for people.
    #[command(hide = true)]
    CompileComponent(compile_component::Options),
}

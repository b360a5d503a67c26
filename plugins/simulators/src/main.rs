//! Runs the simulators of the national systems until it is told to stop.

use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use clap::Parser;
use tokio::signal::unix::{SignalKind, signal};
use truc_simulators::{Options, Progress, start};

/// Stand-ins for five national systems on the loopback interface, for demonstrations and tests.
///
/// Prints one line of JSON with all addresses when they are ready. Everybody in them is invented.
#[derive(Parser)]
#[command(name = "truc-simulators", version)]
struct Arguments {
    /// Port of the admin address; 0 lets the operating system choose.
    #[arg(long, default_value_t = 9100)]
    admin_port: u16,

    /// Port of civil status; land, insurance, postal and payment follow. 0 lets the operating system choose each.
    #[arg(long, default_value_t = 9101)]
    base_port: u16,

    /// Directory that keeps changes between runs.
    #[arg(long)]
    data_dir: Option<PathBuf>,

    /// How many seconds access tokens of civil status are good.
    #[arg(long, default_value_t = 300, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    token_lifetime: u64,

    /// What makes dossiers, orders and payments move on: `query` (one step per status query) or `seconds:N`.
    #[arg(long, default_value = "query")]
    progress: Progress,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
    let running = start(Options {
        admin_port: arguments.admin_port,
        base_port: arguments.base_port,
        data_dir: arguments.data_dir,
        token_lifetime: Duration::from_secs(arguments.token_lifetime),
        progress: arguments.progress,
        ..Options::default()
    })
    .await?;

    let mut output = std::io::stdout();
    writeln!(output, "{}", serde_json::to_string(&running.addresses())?)?;
    output.flush()?;

    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted.context("cannot listen for an interrupt")?,
        _ = terminate.recv() => {}
    }
    running.stop().await;
    Ok(())
}

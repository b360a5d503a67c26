//! The other side of every measurement: the native handler that Trục is compared with, the upstream both ask, and the
//! load generator that asks both. `cargo xtask bench` runs them as processes of their own.

mod histogram;
mod load;
mod record;
mod serve;
mod upstream;

use std::io::Write;
use std::net::SocketAddr;
use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;

/// Measures Trục against a native handler.
#[derive(Parser)]
enum Command {
    /// Serves the two operations natively, with axum.
    Serve(serve::Options),
    /// Serves the register that both sides ask: one kilobyte of JSON for every number.
    Upstream,
    /// Asks a server as fast as it answers and prints what was seen as JSON.
    Load(load::Options),
}

fn main() -> ExitCode {
    match run(Command::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<()> {
    // The same runtime as the host's: as many threads as there are cores to run on.
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        match command {
            Command::Serve(options) => serve::run(options).await,
            Command::Upstream => upstream::run().await,
            Command::Load(options) => load::run(options).await,
        }
    })
}

/// Says on standard output where a server listens, as the one line its starter waits for.
fn announce(address: SocketAddr) -> Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{address}")?;
    Ok(out.flush()?)
}

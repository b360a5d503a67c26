//! `cargo xtask`: everything one does with a checkout. Each command is a file of its own.

mod attack;
mod bench;
mod browser;
mod connectors;
mod demo;
mod engine;
mod host;
mod http;
mod interop;
mod process;
mod steps;
mod suite;
mod table;
mod tools;
mod workspace;

use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;

use workspace::Workspace;

/// Builds, demonstrates, tests and measures Trục.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
enum Command {
    /// Build the connectors of plugins/ into target/connectors/, ready to publish.
    Connectors(connectors::Options),
    /// Run the whole on this machine: simulated national systems, the host, five services, two agencies.
    Demo(demo::Options),
    /// Open the documentation pages in Chromium, call operations from them, and leave pictures in target/pages/.
    Pages,
    /// Run the whole test suite: format, dependencies, the engine's age, connectors, lints, tests, the checked demo,
    /// the pages, outside tools, attacks.
    Test,
    /// Let outside tools use a running host: an OpenAPI linter, generated clients, a property-based tester.
    Interop,
    /// Attack hosts from every side, and hold what comes of it against what is promised.
    Attack(attack::Options),
    /// Measure the host beside a native handler that does the same work.
    Bench(bench::Options),
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
    let workspace = Workspace::load()?;
    match command {
        Command::Connectors(options) => {
            let built = connectors::build(&workspace, &options)?;
            connectors::report(&workspace, &built);
            Ok(())
        }
        Command::Demo(options) => demo::run(&workspace, &options),
        Command::Pages => {
            workspace::progress(demo::check_pages(&workspace, demo::Features::Own)?);
            Ok(())
        }
        Command::Test => suite::test(&workspace),
        Command::Interop => interop::run(&workspace),
        Command::Attack(options) => attack::run(&workspace, &options),
        Command::Bench(options) => bench::run(&workspace, &options),
    }
}

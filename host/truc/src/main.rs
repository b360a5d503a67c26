//! `truc`: the host as one program. What can be asked is in `cli`, each command in a file of its own; this file reads
//! the command line, runs the command, tells the result, and ends with the exit code that says what became of it.

mod cli;
mod client;
mod commands;
mod config;
mod descriptors;
mod failure;
mod logging;
mod output;
mod serve;

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;

use crate::cli::{Cli, Command};
use crate::failure::{Exit, Failure};
use crate::output::Output;

/// Gives back to the system what has not been used for a second (`.cargo/config.toml`), on threads of its own: the
/// system's allocator keeps what a burst of large calls took until the process ends.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let json = cli.json;
    match run(cli).and_then(|output| tell(&output, json).map(|()| output.exit)) {
        Ok(exit) => exit.map_or(ExitCode::SUCCESS, |exit| ExitCode::from(exit as u8)),
        Err(failure) => {
            match json {
                true => eprintln!("{}", failure.to_json()),
                false => eprintln!("{failure}"),
            }
            ExitCode::from(failure.exit as u8)
        }
    }
}

fn run(cli: Cli) -> Result<Output, Failure> {
    match cli.command {
        Command::Serve(options) => serve::run(&options),
        Command::CompileComponent(options) => commands::compile_component::run(&options),
        _ => {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.map_err(|error| Failure::new(Exit::Internal, error))?.block_on(commands::run(cli))
        }
    }
}

/// Writes a result to standard output. A reader that has heard enough (`truc exchanges | head`) is no error.
fn tell(output: &Output, json: bool) -> Result<(), Failure> {
    let text = match json {
        true => {
            serde_json::to_string_pretty(&output.json).map_err(|error| Failure::new(Exit::Internal, error))?
        }
        false => output.text.clone(),
    };
    if text.is_empty() {
        return Ok(());
    }
    match writeln!(std::io::stdout(), "{text}") {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Failure::new(Exit::Internal, error))
        }
        _ => Ok(()),
    }
}

//! `truc compile-component`: the process that compiles a component for a host. Only a host starts it; it takes no
//! configuration, opens nothing, and talks over its standard streams.

use std::path::PathBuf;

use serde_json::json;
use truc_model::{Bytes, Millis};
use truc_sandbox::{CompileLimits, CompilerProcess};

use crate::failure::{Exit, Failure};
use crate::output::Output;

/// What it takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Address space it may have
    #[arg(long)]
    memory: Bytes,
    /// Processor time it may have
    #[arg(long)]
    time: Millis,
}

pub(crate) fn run(options: &Options) -> Result<Output, Failure> {
    truc_sandbox::compile_component(CompileLimits { memory: options.memory, time: options.time })
        .map_err(|error| Failure::new(Exit::Internal, error))?;
    Output::new(&json!(null), "")
}

/// How a host has a component compiled: by its own program, as it was when the host was started. The file of that name
/// may be another by now.
pub(crate) fn process(limits: CompileLimits) -> CompilerProcess {
    let CompileLimits { memory, time } = limits;
    let arguments = ["compile-component", "--memory", &memory.to_string(), "--time", &time.to_string()]
        .map(str::to_owned);
    let mut process = CompilerProcess::new(PathBuf::from("/proc/self/exe"), arguments.into(), limits);
    // A thread of the allocator's would be there before the filter of system calls, and outside it.
    process.environment = vec![("_RJEM_MALLOC_CONF".to_owned(), "background_thread:false".to_owned())];
    process
}

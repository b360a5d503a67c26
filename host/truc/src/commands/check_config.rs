//! `truc check-config`: the configuration and everything it names, looked at without changing or serving anything.

use std::path::PathBuf;

use truc_egress::Secrets;

use crate::config::Config;
use crate::failure::{Exit, Failure};
use crate::output::{Output, Sheet};
use crate::serve;

/// What it takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// The configuration file
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

pub(crate) fn run(options: &Options) -> Result<Output, Failure> {
    let config = Config::read(&options.config)?;
    serve::admin_key(&config)?;
    let wrong = |reason: String| Failure::new(Exit::Configuration, reason);
    let data = &config.data_dir;
    if data.exists() && !data.is_dir() {
        return Err(wrong(format!("the data folder {} is not a folder", data.display())));
    }
    let secrets = config.secrets_dir();
    if secrets.exists() || !config.secrets_are_default() {
        Secrets::open(&secrets).map_err(|error| wrong(error.to_string()))?;
    }
    let summary = config.summary();
    let mut sheet = Sheet::new();
    sheet
        .line("api", summary.api)
        .line("admin", summary.admin)
        .line("data folder", summary.data_dir.display())
        .line("secrets folder", summary.secrets_dir.display())
        .line("database", summary.database)
        .line("recording", summary.recording);
    Output::new(&summary, format!("{} is in order\n\n{}", options.config.display(), sheet.text()))
}

//! `truc check-config`: the configuration and everything it names, looked at without changing or serving anything.

use std::path::PathBuf;

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
    let (_, vault) = serve::vault(&config)?;
    let wrong = |reason: String| Failure::new(Exit::Configuration, reason);
    let data = &config.data_dir;
    if data.exists() && !data.is_dir() {
        return Err(wrong(format!("the data folder {} is not a folder", data.display())));
    }
    let summary = config.summary();
    let mut sheet = Sheet::new();
    sheet
        .line("api", summary.api)
        .line("admin", summary.admin)
        .line("data folder", summary.data_dir.display())
        .line("vault's keys", &summary.vault_keys)
        .line("vault's key", vault.current())
        .line("database", summary.database)
        .line("recording", summary.recording);
    Output::new(&summary, format!("{} is in order\n\n{}", options.config.display(), sheet.text()))
}

//! `truc vault`: the keys that secrets are sealed under.

use serde_json::json;
use truc_control::documents::RotatedVault;
use truc_egress::VaultKeys;

use crate::client::AdminOptions;
use crate::failure::{Exit, Failure};
use crate::output::Output;

/// What can be asked.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Make a key of the vault and print it
    ///
    /// Keep it in a file that only the host can read, apart from the database and its backups: (umask 077; truc vault key
    /// > vault.key)
    Key,
    /// Seal every secret anew under the first of the vault's keys
    ///
    /// Put a new key on a line before the one in force, then run this, then take the old one away. The host reads its keys
    /// again; keys in the environment it reads at its start only.
    #[command(after_help = ROTATE_EXAMPLES)]
    Rotate,
}

const ROTATE_EXAMPLES: &str = "\
Examples:
  (umask 077; truc vault key > new.key; cat vault.key >> new.key; mv new.key vault.key)
  truc vault rotate
  sed -i 1q vault.key";

pub(crate) async fn run(admin: &AdminOptions, command: Command) -> Result<Output, Failure> {
    match command {
        Command::Key => {
            let key = VaultKeys::generate().map_err(|error| Failure::new(Exit::Internal, error))?;
            Output::new(&json!({ "key": key.expose() }), key.expose())
        }
        Command::Rotate => {
            let rotated: RotatedVault = admin.client()?.act("/admin/vault/rotate").await?;
            let RotatedVault { key, secrets } = &rotated;
            let text = format!(
                "{secrets} secrets are sealed under the key {key}; those before it open nothing any more and can be removed"
            );
            Output::new(&rotated, text)
        }
    }
}

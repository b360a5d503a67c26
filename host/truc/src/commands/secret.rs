//! `truc secret`: credentials and keys. Values come from standard input or from files, never from the command line, and
//! never go out again.

use std::fs::File;
use std::io::{IsTerminal, Read};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use hyper::Method;
use serde_json::json;
use truc_control::documents::{SecretInfo, SecretList};
use truc_egress::{MOST_SECRET, SecretRef, check_secret};
use truc_fleet::keep_secret;
use truc_model::{Clock, Secret, SystemClock};
use zeroize::Zeroizing;

use crate::client::{AdminOptions, Body};
use crate::config::Config;
use crate::failure::{Exit, Failure};
use crate::output::{Output, Table, time};
use crate::serve;

/// What can be asked.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Put a secret, or a new value in its place
    ///
    /// The value is read from standard input, or from a file; one line end at its end is dropped. The services that use
    /// the secret are bound anew at once. A value that one of them cannot use changes nothing.
    #[command(after_help = PUT_EXAMPLES)]
    Put {
        /// Its name: lower-case letters, digits and single hyphens
        name: SecretRef,
        /// Read the value from a file
        #[arg(long, value_name = "FILE")]
        file: Option<PathBuf>,
    },
    /// List the secrets: names, versions and the services that use them; never a value
    List,
    /// Remove a secret that no service uses
    Remove {
        /// Its name
        name: SecretRef,
    },
    /// Put every file of a folder, each under its name, into the database of a host that does not run
    ///
    /// For folders of secrets as hosts before this version read them. All files are looked at before the first is put.
    /// Remove the folder afterwards.
    Import {
        /// The folder
        folder: PathBuf,
        /// The host's configuration file
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
    },
}

const PUT_EXAMPLES: &str = "\
Examples:
  printf %s \"$TOKEN\" | truc secret put land-token
  truc secret put payment-key --file payment-key.pem";

pub(crate) async fn run(admin: &AdminOptions, command: Command) -> Result<Output, Failure> {
    match command {
        Command::Put { name, file } => {
            let admin = admin.client()?;
            let value = match &file {
                Some(file) => read_file(file)?,
                None => read_input()?,
            };
            let info: SecretInfo =
                admin.ask(Method::PUT, &format!("/admin/secrets/{name}"), Body::Secret(value)).await?;
            Output::new(&info, told(&info))
        }
        Command::List => {
            let list: SecretList = admin.client()?.get("/admin/secrets").await?;
            let mut table = Table::new(["secret", "version", "value since", "since", "used by"]);
            for secret in &list.secrets {
                let services: Vec<&str> = secret.services.iter().map(|name| name.as_str()).collect();
                table.row([
                    secret.name.to_string(),
                    secret.version.to_string(),
                    time(secret.changed_at),
                    time(secret.created_at),
                    services.join(", "),
                ]);
            }
            Output::new(&list, table.text("there is no secret"))
        }
        Command::Remove { name } => {
            admin.client()?.delete(&format!("/admin/secrets/{name}")).await?;
            Output::new(&json!({ "removed": name }), format!("{name} is removed"))
        }
        Command::Import { folder, config } => import(&folder, &config).await,
    }
}

/// Puts every file of a folder. All names and values are looked at before the first is put.
async fn import(folder: &Path, config: &Path) -> Result<Output, Failure> {
    let wrong = |reason: &dyn std::fmt::Display| {
        Failure::new(Exit::Usage, format_args!("{}: {reason}", folder.display()))
    };
    let config = Config::read(config)?;
    let (_, keys) = serve::vault(&config)?;
    let mut values = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(|error| wrong(&error))? {
        let entry = entry.map_err(|error| wrong(&error))?;
        let name: SecretRef = entry
            .file_name()
            .to_string_lossy()
            .parse()
            .map_err(|error| wrong(&format_args!("{error}; rename or move that file")))?;
        let value = read_file(&entry.path())?;
        let value = std::str::from_utf8(&value).map(|text| Secret::new(text.to_owned()));
        let value =
            value.map_err(|_| wrong(&format_args!("{name} is not UTF-8 text: write it in Base64")))?;
        check_secret(&value).map_err(|error| wrong(&format_args!("{name}: {error}")))?;
        values.push((name, value));
    }
    values.sort_by(|(one, _), (other, _)| one.cmp(other));
    let store = serve::open_store(&config).await?;
    let mut secrets = Vec::new();
    let mut lines = Vec::new();
    for (name, value) in &values {
        let kept = keep_secret(&store, &keys, name, value, SystemClock.now()).await;
        let info = SecretInfo::from(kept.map_err(|error| Failure::new(Exit::Database, error))?);
        lines.push(format!("version {} of {} is in the vault", info.version, info.name));
        secrets.push(info);
    }
    store.close().await;
    lines
        .push(format!("{} secrets are in the vault; the folder is no longer read: remove it", secrets.len()));
    Output::new(&SecretList { secrets }, lines.join("\n"))
}

fn told(info: &SecretInfo) -> String {
    let services: Vec<&str> = info.services.iter().map(|name| name.as_str()).collect();
    let used = match services.as_slice() {
        [] => "no service uses it yet".to_owned(),
        some => format!("in force for {}", some.join(", ")),
    };
    format!("version {} of {} is in the vault; {used}", info.version, info.name)
}

fn read_file(file: &Path) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let wrong = |reason: String| Failure::new(Exit::Usage, format!("{}: {reason}", file.display()));
    // Asked before opening: opening a named pipe would wait for a writer.
    let metadata = std::fs::metadata(file).map_err(|error| wrong(error.to_string()))?;
    if !metadata.is_file() {
        return Err(wrong("it is no regular file".to_owned()));
    }
    File::open(file).and_then(read).map_err(|error| wrong(error.to_string()))
}

fn read_input() -> Result<Zeroizing<Vec<u8>>, Failure> {
    let usage = |reason: &dyn std::fmt::Display| Failure::new(Exit::Usage, reason);
    let input = std::io::stdin();
    if input.is_terminal() {
        return Err(usage(
            &"what is typed here would be seen: pipe the value in, or name a file with --file",
        ));
    }
    // Past the standard library's own buffer, which is never overwritten.
    let input = input.as_fd().try_clone_to_owned().map_err(|error| usage(&error))?;
    read(File::from(input)).map_err(|error| usage(&format_args!("standard input: {error}")))
}

/// All there is, without the line end that editors put at the end, in a buffer that is not moved while it fills.
fn read(file: File) -> std::io::Result<Zeroizing<Vec<u8>>> {
    let most = MOST_SECRET + 2;
    let mut value = Zeroizing::new(Vec::with_capacity(most + 64));
    file.take(most as u64 + 1).read_to_end(&mut value)?;
    if value.ends_with(b"\n") {
        value.pop();
        if value.ends_with(b"\r") {
            value.pop();
        }
    }
    Ok(value)
}

//! A host as a child process, set up with its own command line, as an operator would.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::http::Client;
use crate::process::Server;
use crate::workspace::output;

/// A running host.
pub(crate) struct Host {
    program: PathBuf,
    folder: PathBuf,
    /// The process.
    pub(crate) server: Server,
    /// Where agencies call.
    pub(crate) api: SocketAddr,
    /// Where operators call.
    pub(crate) admin: SocketAddr,
}

/// Which exchanges a host records.
#[derive(Clone, Copy)]
pub(crate) enum Recording {
    /// Every one, as the product does.
    All,
    /// None, to measure what recording costs.
    None,
}

/// Where a host listens; port 0 lets the system choose.
#[derive(Clone, Copy, Default)]
pub(crate) struct Ports {
    /// For agencies.
    pub(crate) api: u16,
    /// For operators.
    pub(crate) admin: u16,
}

/// The configuration in a host's folder.
const CONFIGURATION: &str = "truc.toml";

/// The admin key in a host's folder.
const ADMIN_KEY: &str = "admin.key";

/// The vault's keys in a host's folder.
const VAULT_KEY: &str = "vault.key";

impl Host {
    /// Makes a host's folder: configuration, admin key, and a key of the vault.
    pub(crate) fn prepare(program: &Path, folder: &Path, recording: Recording, ports: Ports) -> Result<()> {
        std::fs::create_dir_all(folder)?;
        std::fs::write(folder.join(ADMIN_KEY), output(Command::new(program).arg("admin-key"))?)?;
        std::fs::write(folder.join(VAULT_KEY), output(Command::new(program).args(["vault", "key"]))?)?;
        let Ports { api, admin } = ports;
        let record = match recording {
            Recording::All => "all",
            Recording::None => "none",
        };
        let configuration = format!(
            r#"data-dir = "data"

[api]
listen = "127.0.0.1:{api}"

[admin]
listen = "127.0.0.1:{admin}"
key-file = "{ADMIN_KEY}"

[vault]
key-file = "{VAULT_KEY}"

[ledger]
record = "{record}"
"#
        );
        Ok(std::fs::write(folder.join(CONFIGURATION), configuration)?)
    }

    /// Starts the program in a prepared folder and waits until it listens. `core` is the one core it may use.
    pub(crate) async fn start(program: &Path, folder: &Path, core: Option<usize>) -> Result<Self> {
        let server = Self::begin(program, folder, core, &[])?;
        Self::ready(program, folder, server).await
    }

    /// Begins to start the program in a prepared folder, with more in its environment.
    pub(crate) fn begin(
        program: &Path,
        folder: &Path,
        core: Option<usize>,
        environment: &[(&str, OsString)],
    ) -> Result<Server> {
        let mut command = Command::new(program);
        command.arg("serve").arg("--config").arg(folder.join(CONFIGURATION));
        command.envs(environment.iter().map(|(name, value)| (name, value)));
        Server::start("the host", command, &folder.join("host.log"), core)
    }

    /// Waits until a program that was begun listens.
    pub(crate) async fn ready(program: &Path, folder: &Path, mut server: Server) -> Result<Self> {
        let (api, admin) = server.line(addresses).await?;
        Ok(Self { program: program.to_owned(), folder: folder.to_owned(), server, api, admin })
    }

    /// Sets what stands before the tables of a prepared folder's configuration: `key = value`.
    pub(crate) fn configure(folder: &Path, setting: &str) -> Result<()> {
        let file = folder.join(CONFIGURATION);
        let configuration = crate::workspace::read(&file)?;
        Ok(std::fs::write(file, format!("{setting}\n{configuration}"))?)
    }

    /// Removes the compiled artifacts of a stopped host, so that it compiles its connectors again.
    pub(crate) fn forget_artifacts(folder: &Path) -> Result<()> {
        let artifacts = folder.join("data/artifacts");
        std::fs::remove_dir_all(&artifacts).with_context(|| format!("{} is not there", artifacts.display()))
    }

    /// The file that holds the admin key.
    pub(crate) fn admin_key_file(&self) -> PathBuf {
        self.folder.join(ADMIN_KEY)
    }

    /// A client of the admin API, with its key.
    pub(crate) fn control(&self) -> Result<Client> {
        let key = crate::workspace::read(&self.admin_key_file())?;
        Ok(Client::new(self.admin).with_key(key.trim()))
    }

    /// Publishes a contract: from its folder, or from a component that brings it.
    pub(crate) async fn contract(&self, source: &Path) -> Result<()> {
        self.truc(&["contract", "publish", &source.to_string_lossy()]).await.map(drop)
    }

    /// Publishes a connector.
    pub(crate) async fn publish(&self, component: &Path) -> Result<()> {
        self.truc(&["publish", &component.to_string_lossy()]).await.map(drop)
    }

    /// Makes a service, or gives it new settings.
    pub(crate) async fn service(&self, name: &str, settings: &Value) -> Result<()> {
        let folder = self.folder.join("services");
        std::fs::create_dir_all(&folder)?;
        let file = folder.join(format!("{name}.json"));
        std::fs::write(&file, serde_json::to_string_pretty(settings)?)?;
        self.truc(&["service", "put", name, "--file", &file.to_string_lossy()]).await.map(drop)
    }

    /// Puts a secret; gives what was said.
    pub(crate) async fn secret(&self, name: &str, value: &str) -> Result<Value> {
        let file = self.folder.join("a-secret");
        std::fs::write(&file, value)?;
        let put = self.truc(&["secret", "put", name, "--file", &file.to_string_lossy()]).await;
        std::fs::remove_file(&file)?;
        put
    }

    /// Enters an agency.
    pub(crate) async fn agency(&self, code: &str, name: &str) -> Result<()> {
        self.truc(&["agency", "add", code, name]).await.map(drop)
    }

    /// Makes an account of an agency; gives its key.
    pub(crate) async fn account(&self, agency: &str, name: &str) -> Result<String> {
        let made = self.truc(&["account", "add", agency, name]).await?;
        let key = made.get("key").and_then(Value::as_str);
        Ok(key.context("`truc account add` shows no key")?.to_owned())
    }

    /// Grants an agency an operation of a service, or all with `*`.
    pub(crate) async fn grant(&self, agency: &str, service: &str, operation: &str) -> Result<()> {
        self.truc(&["grant", "add", agency, "--service", service, "--operation", operation]).await.map(drop)
    }

    /// Runs a command of the host's command line; gives the JSON it prints.
    pub(crate) async fn truc(&self, arguments: &[&str]) -> Result<Value> {
        let mut command = Command::new(&self.program);
        command.args(["--json", "--admin", &format!("http://{}", self.admin)]);
        command.arg("--admin-key-file").arg(self.admin_key_file()).args(arguments);
        // Waiting must leave room for whatever else this process does meanwhile.
        let said = tokio::task::spawn_blocking(move || output(&mut command)).await??;
        Ok(serde_json::from_str(&said)?)
    }

    /// Kills the host.
    pub(crate) async fn kill(self) -> Result<()> {
        self.server.kill().await
    }

    /// Asks the host to end, and waits.
    pub(crate) async fn stop(self) -> Result<()> {
        let status = self.server.stop().await?;
        ensure!(status.success(), "the host ended with {status}");
        Ok(())
    }
}

/// The line in which a host says where it listens.
fn addresses(line: &str) -> Option<(SocketAddr, SocketAddr)> {
    let line: Value = serde_json::from_str(line).ok()?;
    let address = |member: &str| line.get(member)?.as_str()?.parse().ok();
    Some((address("api")?, address("admin")?))
}

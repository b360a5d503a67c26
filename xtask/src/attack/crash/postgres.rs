//! A PostgreSQL server beside the hosts that are killed, which itself is not.

use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tokio::time::{Instant, sleep};

use crate::process::Server;
use crate::tools;
use crate::workspace::{output, read};

/// How long the server may take until it is ready.
const READY_WITHIN: Duration = Duration::from_secs(60);

/// A running server with an empty database. It ends with this value, and its folder with it.
pub(crate) struct Postgres {
    /// The address of the database, as a host's configuration takes it.
    pub(crate) address: String,
    /// None once it was stopped.
    server: Option<Server>,
    folder: PathBuf,
}

impl Postgres {
    /// Makes a server of the programs installed on this machine, on a socket in a folder of its own.
    pub(crate) async fn start(log: &Path) -> Result<Self> {
        let programs = tools::ensure_postgres()?;
        // Not in the workspace: the name of a socket may be no longer than some hundred bytes.
        let folder = std::env::temp_dir().join(format!("truc-attack-{}", std::process::id()));
        std::fs::create_dir(&folder).with_context(|| format!("{} cannot be made", folder.display()))?;
        let user = user()?;
        let command = |program: &str| {
            let mut command = Command::new(programs.join(program));
            command.current_dir(&folder).env("LC_ALL", "C").arg("-D").arg(folder.join("data"));
            if let Some((user, group)) = user {
                command.uid(user).gid(group);
            }
            command
        };
        chown(&folder, user.map(|(user, _)| user), user.map(|(_, group)| group))?;
        output(command("initdb").args(["--username=truc", "--auth=trust", "--encoding=UTF8", "--no-sync"]))?;
        let mut server = command("postgres");
        server.args(["-c", "listen_addresses=", "-c", "shared_buffers=16MB", "-k"]).arg(&folder);
        let server = Server::start("PostgreSQL", server, log, None)?;
        let begin = Instant::now();
        while !read(log)?.contains("ready to accept connections") {
            ensure!(begin.elapsed() < READY_WITHIN, "PostgreSQL is not ready; {} says why", log.display());
            sleep(Duration::from_millis(10)).await;
        }
        let address = format!("postgres://truc@localhost/postgres?host={}", folder.display());
        Ok(Self { address, server: Some(server), folder })
    }

    /// Stops it in order.
    pub(crate) async fn stop(mut self) -> Result<()> {
        if let Some(server) = self.server.take() {
            server.stop().await?;
        }
        Ok(())
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // Killed where it was not stopped, before what it works in is removed.
        drop(self.server.take());
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// As whom to run it: PostgreSQL refuses to run as root.
fn user() -> Result<Option<(u32, u32)>> {
    if std::fs::metadata("/proc/self")?.uid() != 0 {
        return Ok(None);
    }
    let users = read(Path::new("/etc/passwd"))?;
    let ids = |wanted: &str| {
        let mut fields =
            users.lines().map(|line| line.split(':')).find(|line| line.clone().next() == Some(wanted))?;
        Some((fields.nth(2)?.parse().ok()?, fields.next()?.parse().ok()?))
    };
    let user = ids("postgres").or_else(|| ids("nobody"));
    user.map(Some).context("PostgreSQL does not run as root, and there is no user `postgres` or `nobody`")
}

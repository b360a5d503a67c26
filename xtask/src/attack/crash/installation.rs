//! A host that is ended again and again, and comes back each time.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use hyper::Method;
use serde_json::json;
use tokio::time::{Instant, sleep};

use super::books::Books;
use super::callers::{Call, Caller, Kind};
use super::shelf::Shelf;
use crate::host::{Host, Ports, Recording};
use crate::http::{Body, Client};
use crate::tools;
use crate::workspace::{Workspace, output};

/// How long a host may take until it is ready, so that one that never is ends the suite.
const READY_WITHIN: Duration = Duration::from_secs(60);

/// The agency that calls.
const AGENCY: &str = "H56.14";

/// The databases of an installation.
#[derive(Clone, Copy)]
pub(crate) enum Database<'a> {
    /// A file in the data folder.
    Sqlite,
    /// A file in a folder of its own, so that nothing syncs the data folder for it.
    SqliteApart,
    /// A server at an address.
    Postgres(&'a str),
}

/// A host's folder, with what it takes to start a host in it.
pub(crate) struct Installation {
    program: PathBuf,
    /// The folder.
    pub(crate) folder: PathBuf,
    /// The database, where it is a file.
    file: PathBuf,
    /// What its hosts have in their environment.
    pub(crate) environment: Vec<(&'static str, OsString)>,
    /// The key of an account that may call everything. Empty until the installation was furnished.
    pub(crate) key: Arc<str>,
}

impl Installation {
    /// Makes the folder. Nothing was started in it yet.
    pub(crate) fn make(program: &Path, folder: &Path, database: Database<'_>) -> Result<Self> {
        Host::prepare(program, folder, Recording::All, Ports::default())?;
        let mut file = folder.join("data/truc.db");
        match database {
            Database::Sqlite => {}
            Database::SqliteApart => {
                std::fs::create_dir(folder.join("database"))?;
                file = folder.join("database/truc.db");
                Host::configure(folder, &format!("database = \"sqlite://{}\"", file.display()))?;
            }
            Database::Postgres(address) => Host::configure(folder, &format!("database = \"{address}\""))?,
        }
        let (program, folder) = (program.to_owned(), folder.to_owned());
        Ok(Self { program, folder, file, environment: Vec::new(), key: "".into() })
    }

    /// Has the trial connector served, with a shelf behind it, and makes an account that may call all of it.
    pub(crate) async fn furnish(&mut self, host: &Host, workspace: &Workspace, shelf: &Shelf) -> Result<()> {
        host.secret("seal", "a-key-for-authentication-codes-32").await?;
        host.contract(&workspace.root.join("wit/trial")).await?;
        host.publish(&workspace.target.join("connectors/trial.wasm")).await?;
        let settings = json!({
            "connector": "trial@1.0.0",
            "bindings": { "shelf": { "address": format!("http://{}", shelf.address) } },
            "keys": { "seal": { "algorithm": "hmac-sha256", "secret": "seal" } },
        });
        host.service("trial", &settings).await?;
        host.agency(AGENCY, "Trung tâm Phục vụ hành chính công").await?;
        host.grant(AGENCY, "trial", "*").await?;
        self.key = host.account(AGENCY, "one-stop-shop").await?.into();
        Ok(())
    }

    /// Starts a host.
    pub(crate) async fn start(&self) -> Result<Host> {
        let server = Host::begin(&self.program, &self.folder, None, &self.environment)?;
        Host::ready(&self.program, &self.folder, server).await
    }

    /// Starts a host that is killed after a while, ready or not.
    pub(crate) async fn start_in_vain(&self, after: Duration) -> Result<()> {
        let server = Host::begin(&self.program, &self.folder, None, &self.environment)?;
        sleep(after).await;
        server.kill().await
    }

    /// Starts a host and waits until it has answered a call; gives how long that took from the start of its process.
    pub(crate) async fn come_back(&self, books: &mut Books) -> Result<(Host, Caller, Duration)> {
        let begin = Instant::now();
        let host = self.start().await?;
        for client in [Client::new(host.api), host.control()?] {
            while client.send(&Method::GET, "/readyz", Body::None).await?.status != 200 {
                ensure!(begin.elapsed() < READY_WITHIN, "the host is not ready");
                sleep(Duration::from_millis(1)).await;
            }
        }
        let mut caller = Caller::new(host.api, self.key.clone());
        let first = caller.call(&Call { kind: Kind::Read, item: "first".to_owned() }).await?;
        let took = begin.elapsed();
        ensure!(first.status == 200, "the first call was answered with {}", first.status);
        books.acknowledge(&first);
        Ok((host, caller, took))
    }

    /// Has another program look through the database file of an ended host: what it says is wrong with it. It works on a
    /// copy, so that the host finds what was left to it.
    pub(crate) fn faults_of_database(&self) -> Result<Vec<String>> {
        const LOOK: &str = "\
            import sqlite3, sys\n\
            database = sqlite3.connect(sys.argv[1])\n\
            for pragma in ['integrity_check', 'foreign_key_check']:\n\
            \tfor row in database.execute('PRAGMA ' + pragma):\n\
            \t\tprint(*row)\n";
        tools::ensure_python()?;
        let copy = self.folder.with_extension("copy");
        if copy.exists() {
            std::fs::remove_dir_all(&copy)?;
        }
        std::fs::create_dir_all(&copy)?;
        for ending in ["db", "db-wal"] {
            let file = self.file.with_extension(ending);
            if file.exists() {
                std::fs::copy(&file, copy.join("truc").with_extension(ending))?;
            }
        }
        let said = output(Command::new("python3").args(["-c", LOOK]).arg(copy.join("truc.db")));
        let said = said.context("the database cannot be looked through")?;
        Ok(said.lines().filter(|line| *line != "ok").map(str::to_owned).collect())
    }
}

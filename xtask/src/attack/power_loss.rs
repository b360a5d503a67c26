//! A machine that loses its power: whatever the host had not synced is gone, in whole or in part, and what it had
//! acknowledged is there all the same.
//!
//! The host runs on a disk that forgets (`xtask/power-loss`, loaded into it), is killed under load while an operator
//! makes changes, and finds in its folder what a disk would hold ([`cut`]). The books are those of a host that is killed
//! ([`crash`](super::crash)). Two controls show that the disk forgets, and that the books tell.

mod cut;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use hyper::Method;
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio::time::sleep;

use super::Setting;
use super::crash::books::{Books, Fault};
use super::crash::callers::{Caller, Load};
use super::crash::installation::{Database, Installation};
use super::crash::random::Random;
use super::crash::ready_within;
use super::crash::shelf::Shelf;
use super::finding::Finding;
use crate::demo::in_runtime;
use crate::host::Host;
use crate::http::{Body, Client};
use crate::workspace::{Workspace, progress, run};
use cut::{Survives, cut};

/// How an operator's accounts are listed and made.
const ACCOUNTS: &str = "/admin/agencies/H56.14/accounts";

/// The service that callers call and an operator gives new settings.
const SERVICE: &str = "/admin/services/trial";

pub(crate) fn attack(setting: &Setting<'_>) -> Result<Vec<Finding>> {
    let disk = Disk::build(setting.workspace)?;
    in_runtime(async {
        let seed = Random::seed();
        progress(format_args!("seed {seed}"));
        let mut random = Random::new(seed);
        let mut findings = vec![
            disk.forgets(&setting.folder.join("control"), &mut random)?,
            a_disk_that_lies(setting, &disk, &mut random).await?,
        ];
        let mut tally = Tally::default();
        let (fresh, rounds) = (setting.size.of(20, 3), setting.size.of(9, 4));
        for number in 1..=fresh {
            let folder = setting.folder.join(format!("host-{number}"));
            let database = if number % 2 == 0 { Database::SqliteApart } else { Database::Sqlite };
            let installation = Installation::make(&setting.truc, &folder, database)?;
            cuts(setting, &disk, installation, rounds, &mut random, &mut tally).await?;
            let (cuts, acknowledged) = (tally.cuts, tally.books.acknowledged());
            progress(format_args!("{cuts} cuts, {acknowledged} exchanges acknowledged"));
        }
        findings.extend(tally.findings(setting));
        Ok(findings)
    })
}

/// The library that makes a disk forgetful.
struct Disk {
    library: PathBuf,
}

/// Whether the disk does what it says.
#[derive(Clone, Copy, PartialEq)]
enum Honesty {
    Honest,
    /// It says that it synced, and did not.
    Lying,
}

/// What all cuts came to.
#[derive(Default)]
struct Tally {
    books: Books,
    cuts: u64,
    /// Sectors that were written and not synced, and taken away.
    forgotten: u64,
    slowest: Duration,
    faults: Vec<String>,
    /// Changes that an operator was told of.
    changes: u64,
    changes_gone: u64,
}

impl Disk {
    fn build(workspace: &Workspace) -> Result<Self> {
        run(workspace.cargo().args(["build", "--quiet", "--package", "truc-power-loss"]))?;
        let library = workspace.program("debug", "libtruc_power_loss.so");
        ensure!(library.exists(), "{} is missing", library.display());
        Ok(Self { library })
    }

    /// What a program has in its environment whose disk forgets.
    fn environment(&self, folder: &Path, honesty: Honesty) -> Result<Vec<(&'static str, OsString)>> {
        let mut environment = vec![
            ("LD_PRELOAD", self.library.clone().into_os_string()),
            ("TRUC_POWER_LOSS_FOLDER", folder.canonicalize()?.into_os_string()),
            ("TRUC_POWER_LOSS_IMAGE", image(folder).into_os_string()),
        ];
        if honesty == Honesty::Lying {
            environment.push(("TRUC_POWER_LOSS_LIES", "1".into()));
        }
        Ok(environment)
    }

    /// A program that syncs some of what it writes finds that again and nothing else.
    fn forgets(&self, folder: &Path, random: &mut Random) -> Result<Finding> {
        const PROGRAM: &str = "\
            import os\n\
            def put(name, text, sync):\n\
            \tfile = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)\n\
            \tos.write(file, text)\n\
            \tif sync: os.fsync(file)\n\
            \tos.close(file)\n\
            put('before', b' and lost', False)\n\
            put('kept', b'kept', True)\n\
            put('kept', b' and lost', False)\n\
            put('empty', b'lost', False)\n\
            os.rename('renamed', 'anew')\n\
            os.fsync(os.open('.', os.O_RDONLY))\n\
            put('kept', b' and kept', True)\n\
            put('nameless', b'kept', True)\n\
            os.remove('removed')\n\
            os.kill(os.getpid(), 9)\n";
        std::fs::create_dir(folder)?;
        for name in ["before", "renamed", "removed"] {
            std::fs::write(folder.join(name), name)?;
        }
        let mut program = Command::new("python3");
        program.args(["-c", PROGRAM]).current_dir(folder).envs(self.environment(folder, Honesty::Honest)?);
        program.status().context("python3 cannot be started")?;
        cut(folder, &image(folder), Survives::Nothing, random)?;
        let expected = [
            ("before", Some("before")),
            ("kept", Some("kept and lost and kept")),
            ("empty", Some("")),
            ("renamed", None),
            ("anew", Some("renamed")),
            ("nameless", None),
            ("removed", Some("removed")),
        ];
        let as_expected = |(name, text): &&(&str, Option<&str>)| {
            std::fs::read_to_string(folder.join(name)).ok().as_deref() == *text
        };
        let kept = expected.iter().filter(as_expected).count();
        let promise = "control: files of which a cut leaves what was synced and nothing else";
        Ok(Finding::at_least(promise, expected.len() as u64, kept, expected.len()))
    }
}

/// The image of a folder.
fn image(folder: &Path) -> PathBuf {
    folder.with_extension("image")
}

/// A host on a disk that lies loses what it acknowledged, and the books tell.
async fn a_disk_that_lies(setting: &Setting<'_>, disk: &Disk, random: &mut Random) -> Result<Finding> {
    let folder = setting.folder.join("lied-to");
    let shelf = Shelf::start(random.another()).await?;
    let mut installation = Installation::make(&setting.truc, &folder, Database::Sqlite)?;
    let host = installation.start().await?;
    installation.furnish(&host, setting.workspace, &shelf).await?;
    host.stop().await?;
    installation.environment = disk.environment(&folder, Honesty::Lying)?;
    let host = installation.start().await?;
    let since = now();
    let load = Load::start(host.api, &installation.key, 0, random);
    load.answers(20).await?;
    host.kill().await?;
    let made = load.end().await;
    shelf.quiet().await?;
    cut(&folder, &image(&folder), Survives::Nothing, random)?;
    let mut books = Books::default().quiet();
    let (host, mut caller, _) = installation.come_back(&mut books).await?;
    books.settle(&host, &mut caller, made, &since, &shelf, random).await?;
    host.kill().await?;
    let promise = "control: acknowledged exchanges that are gone where the disk lies";
    Ok(Finding::at_least(promise, books.acknowledged(), books.faults(&[Fault::Lost]), 1))
}

/// One installation from its first start on: cut while it starts for the first time, as soon as it is furnished, and then
/// under load.
async fn cuts(
    setting: &Setting<'_>,
    disk: &Disk,
    mut installation: Installation,
    rounds: u64,
    random: &mut Random,
    tally: &mut Tally,
) -> Result<()> {
    let shelf = Shelf::start(random.another()).await?;
    installation.environment = disk.environment(&installation.folder, Honesty::Honest)?;
    installation.start_in_vain(Duration::from_millis(random.below(400))).await?;
    tally.cut(&installation, random)?;

    let host = installation.start().await?;
    installation.furnish(&host, setting.workspace, &shelf).await?;
    host.kill().await?;
    tally.cut(&installation, random)?;

    let (mut host, mut caller) = tally.come_back(&installation).await?;
    for round in 0..rounds {
        let since = now();
        let load = Load::start(host.api, &installation.key, round, random);
        let operator = Operator::start(&host, round)?;
        load.answers(5).await?;
        sleep(Duration::from_millis(random.below(80))).await;
        host.kill().await?;
        let (made, changes) = (load.end().await, operator.end().await?);
        shelf.quiet().await?;
        tally.cut(&installation, random)?;
        (host, caller) = tally.come_back(&installation).await?;
        tally.books.settle(&host, &mut caller, made, &since, &shelf, random).await?;
        tally.changes += changes.count();
        tally.changes_gone += changes.gone(&host.control()?).await?;
    }
    drop(caller);
    host.stop().await
}

/// A little before now, as the admin API takes it.
fn now() -> String {
    (jiff::Timestamp::now() - Duration::from_secs(1)).to_string()
}

impl Tally {
    /// Cuts the power of an ended host.
    fn cut(&mut self, installation: &Installation, random: &mut Random) -> Result<()> {
        let survives = Survives::some(random);
        self.forgotten += cut(&installation.folder, &image(&installation.folder), survives, random)?;
        self.cuts += 1;
        self.faults.extend(installation.faults_of_database()?);
        Ok(())
    }

    async fn come_back(&mut self, installation: &Installation) -> Result<(Host, Caller)> {
        let (host, caller, took) = installation.come_back(&mut self.books).await?;
        self.slowest = self.slowest.max(took);
        Ok((host, caller))
    }

    fn findings(&self, setting: &Setting<'_>) -> Vec<Finding> {
        let Self { books, cuts, forgotten, slowest, faults, changes, changes_gone } = self;
        let mut findings = books.findings("after cuts");
        findings.extend([
            Finding::at_most(
                "after cuts: acknowledged changes of an operator that are gone",
                *changes,
                *changes_gone,
                0,
            ),
            Finding::at_most("after cuts: faults that an integrity check finds", *cuts, faults.len(), 0),
            Finding::at_most(
                "after cuts: slowest from start to first answer, in ms",
                *cuts,
                slowest.as_millis(),
                ready_within(setting.size).as_millis(),
            ),
            Finding::at_least("control: sectors that cuts took away", *cuts, *forgotten, 1),
        ]);
        findings
    }
}

/// Somebody who makes accounts and gives the service new settings until the host is gone.
struct Operator {
    work: JoinHandle<Changes>,
}

/// What an operator was told of.
#[derive(Default)]
struct Changes {
    accounts: Vec<String>,
    revision: u64,
    revisions: u64,
}

impl Operator {
    fn start(host: &Host, round: u64) -> Result<Self> {
        let control = host.control()?;
        Ok(Self { work: tokio::spawn(async move { Changes::make(&control, round).await }) })
    }

    async fn end(self) -> Result<Changes> {
        Ok(self.work.await?)
    }
}

impl Changes {
    /// Makes changes until one is not answered.
    async fn make(control: &Client, round: u64) -> Self {
        let mut changes = Self::default();
        let Ok(settings) = control.get(SERVICE).await else { return changes };
        let settings = settings.get("settings").cloned().unwrap_or_default();
        for number in 0_u64.. {
            let name = format!("system-{round}-{number}");
            let account = json!({ "name": name });
            if control.expect(&Method::POST, ACCOUNTS, Body::Json(&account)).await.is_err() {
                break;
            }
            changes.accounts.push(name);
            let Ok(put) = control.expect(&Method::PUT, SERVICE, Body::Json(&settings)).await else { break };
            changes.revision = put.get("revision").and_then(Value::as_u64).unwrap_or_default();
            changes.revisions += 1;
        }
        changes
    }

    fn count(&self) -> u64 {
        self.accounts.len() as u64 + self.revisions
    }

    /// How many of them a host does not know of.
    async fn gone(&self, control: &Client) -> Result<u64> {
        let listed = control.get(ACCOUNTS).await?;
        let listed = listed.get("accounts").and_then(Value::as_array).context("no accounts are listed")?;
        let names: Vec<&str> = listed.iter().filter_map(|account| account.get("name")?.as_str()).collect();
        let gone = self.accounts.iter().filter(|name| !names.contains(&name.as_str())).count() as u64;
        let service = control.get(SERVICE).await?;
        let revision = service.get("revision").and_then(Value::as_u64).context("no revision is told")?;
        Ok(gone + u64::from(revision < self.revision))
    }
}

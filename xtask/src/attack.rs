//! `cargo xtask attack`: real hosts, attacked from every side: by connectors, by callers, by sick upstreams, and by being
//! killed. Each suite starts a host of its own, counts what came of its attacks, and holds the numbers against what
//! `docs/security.md` promises.

mod callers;
mod chaos;
mod crash;
mod egress;
mod finding;
mod hostile;
mod measure;
mod power_loss;
mod secrets;
mod stage;
mod upstreams;

use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Result, ensure};
use clap::ValueEnum;

use crate::connectors;
use crate::demo::{self, Features};
use crate::tools;
use crate::workspace::{Workspace, progress, run as run_command};
use finding::Finding;

/// What to attack, and how much.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Only these suites.
    #[arg(long, value_enum, value_name = "SUITE", num_args = 1..)]
    only: Vec<Suite>,
    /// As few attacks as the test suite makes.
    #[arg(long)]
    reduced: bool,
    /// Attack the programs as they were built last.
    #[arg(long)]
    built: bool,
}

/// The sides from which a host is attacked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Suite {
    /// Connectors that misbehave in every way they can.
    Hostile,
    /// Ways around the addresses that an operator allows.
    Egress,
    /// Upstreams that echo secrets, connectors that look for them.
    Secrets,
    /// Callers that are slow, many, or break the rules of HTTP.
    Callers,
    /// Upstreams that are sick.
    Upstreams,
    /// A host that is killed under load.
    Crash,
    /// A machine that loses its power.
    PowerLoss,
}

/// How much is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Size {
    /// As much as the promises speak of.
    Full,
    /// A part of it, so that every change can be held against it.
    Reduced,
}

impl Size {
    /// The number for this size.
    pub(crate) fn of<T>(self, full: T, reduced: T) -> T {
        match self {
            Size::Full => full,
            Size::Reduced => reduced,
        }
    }
}

/// What a suite works with.
pub(crate) struct Setting<'a> {
    /// The workspace.
    pub(crate) workspace: &'a Workspace,
    /// The host's program.
    pub(crate) truc: PathBuf,
    /// An empty folder of the suite's own.
    pub(crate) folder: PathBuf,
    /// How much to do.
    pub(crate) size: Size,
}

impl Suite {
    fn attack(self, setting: &Setting<'_>) -> Result<Vec<Finding>> {
        match self {
            Suite::Hostile => hostile::attack(setting),
            Suite::Egress => egress::attack(setting),
            Suite::Secrets => secrets::attack(setting),
            Suite::Callers => callers::attack(setting),
            Suite::Upstreams => upstreams::attack(setting),
            Suite::Crash => crash::attack(setting),
            Suite::PowerLoss => power_loss::attack(setting),
        }
    }
}

/// Attacks, prints what came of it, and fails where a promise was not held.
pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    let size = if options.reduced { Size::Reduced } else { Size::Full };
    let suites = if options.only.is_empty() { Suite::value_variants() } else { &options.only };
    let build = if options.built { Build::Last } else { Build::New(Features::Own) };
    progress(attack(workspace, suites, size, build)?);
    Ok(())
}

/// The attacks of the test suite; gives what they came to.
pub(crate) fn check(workspace: &Workspace) -> Result<String> {
    attack(workspace, Suite::value_variants(), Size::Reduced, Build::New(Features::OfTests))
}

/// Which programs are attacked.
enum Build {
    /// Those that are built now, with these features.
    New(Features),
    /// Those that were built last.
    Last,
}

fn attack(workspace: &Workspace, suites: &[Suite], size: Size, build: Build) -> Result<String> {
    let _alone = workspace.alone("attack")?;
    let truc = match build {
        Build::New(features) => self::build(workspace, size, features)?,
        Build::Last => workspace.program(size.of("release", "debug"), "truc"),
    };
    let mut findings = Vec::new();
    let mut failed = Vec::new();
    for suite in suites {
        let name = suite.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default();
        progress(format_args!("attack: {name}"));
        let begin = Instant::now();
        let folder = workspace.target.join("attack").join(&name);
        if folder.exists() {
            std::fs::remove_dir_all(&folder)?;
        }
        std::fs::create_dir_all(&folder)?;
        let setting = Setting { workspace, truc: truc.clone(), folder, size };
        match suite.attack(&setting) {
            Ok(found) => findings.extend(found.into_iter().map(|finding| (name.clone(), finding))),
            Err(error) => {
                eprintln!("error: {name}: {error:#}");
                failed.push(name.clone());
            }
        }
        progress(format_args!("attack: {name} took {:.0} s", begin.elapsed().as_secs_f64()));
    }
    println!("\n{}", finding::table(&findings));
    ensure!(failed.is_empty(), "suites that could not be carried out: {}", failed.join(", "));
    let broken = findings.iter().filter(|(_, finding)| !finding.held).count();
    ensure!(broken == 0, "{broken} of {} promises were not held", findings.len());
    Ok(format!("{} promises held", findings.len()))
}

/// Builds the host: for release where its times are held against what is promised of a release.
fn build(workspace: &Workspace, size: Size, features: Features) -> Result<PathBuf> {
    match size {
        Size::Full => {
            connectors::build(workspace, &connectors::Options::default())?;
            tools::ensure_make()?;
            progress("building the host for release (minutes, the first time)");
            run_command(workspace.cargo().args(["build", "--release", "--quiet", "--bin", "truc"]))?;
            Ok(workspace.program("release", "truc"))
        }
        Size::Reduced => {
            connectors::build(workspace, &connectors::Options::default())?;
            demo::build(workspace, features)?;
            Ok(workspace.program("debug", "truc"))
        }
    }
}

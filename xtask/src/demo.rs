//! `cargo xtask demo`: the whole product on this machine. Simulated national systems, the host, five published
//! connectors, five services, two agencies; to try by hand, or with `--check` to be tried through and through.

mod calls;
pub(crate) mod estate;
mod pages;
mod samples;
mod services;
mod session;

use std::future::Future;
use std::time::Instant;

use anyhow::{Result, ensure};
use serde_json::Value;
use tokio::signal::unix::{SignalKind, signal};

use crate::connectors;
use crate::table::Table;
use crate::tools::{self, Chromium};
use crate::workspace::{Workspace, progress, run as run_command};
use calls::{admin, civil_status, insurance, land, payment, postal};
use estate::{Estate, Ports};
use session::Session;

/// How to demonstrate.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Call every operation so that it succeeds and so that it fails, show what came, and stop.
    #[arg(long)]
    check: bool,
    /// Leave the folder behind, with database, logs and configuration.
    #[arg(long)]
    keep: bool,
}

/// With which features of their dependencies the programs are built.
#[derive(Clone, Copy)]
pub(crate) enum Features {
    /// Those they need themselves.
    Own,
    /// Those the tests need as well, so that nothing is compiled twice in a run of the test suite.
    OfTests,
}

/// Runs the demonstration.
pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    build(workspace, Features::Own)?;
    if options.check {
        let note = in_runtime(check_all(workspace, options.keep))?;
        progress(note);
        Ok(())
    } else {
        in_runtime(show(workspace, options.keep))
    }
}

/// Runs the demonstration's checks; gives what they came to.
pub(crate) fn check(workspace: &Workspace, features: Features) -> Result<String> {
    build(workspace, features)?;
    in_runtime(check_all(workspace, false))
}

/// Opens the documentation pages of the demonstration in a browser; gives what was seen.
pub(crate) fn check_pages(workspace: &Workspace, features: Features) -> Result<String> {
    let programs = Chromium::ensure()?;
    build(workspace, features)?;
    in_runtime(async {
        let _alone = workspace.alone("demo-pages")?;
        let estate = Estate::start(workspace, workspace.target.join("demo-pages"), Ports::Free).await?;
        let checked = pages::check(&estate, &programs, &workspace.target.join("pages")).await;
        let stopped = estate.stop(checked.is_err()).await;
        let note = checked?;
        stopped?;
        Ok(note)
    })
}

/// Builds what a demonstration runs.
pub(crate) fn build(workspace: &Workspace, features: Features) -> Result<()> {
    let only = ["civil-status", "land", "insurance", "postal", "payment"].map(str::to_owned).to_vec();
    connectors::build(workspace, &connectors::Options { only })?;
    tools::ensure_make()?;
    progress("building the host and the simulators");
    let mut cargo = workspace.cargo();
    cargo.args(["build", "--quiet"]);
    match features {
        Features::Own => cargo.args(["--bin", "truc", "--bin", "truc-simulators"]),
        Features::OfTests => cargo.args(["--workspace", "--all-targets"]),
    };
    run_command(&mut cargo)
}

/// Does something that waits.
pub(crate) fn in_runtime<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(work)
}

/// Starts everything, says how to use it, and waits for Ctrl-C.
async fn show(workspace: &Workspace, keep: bool) -> Result<()> {
    let _alone = workspace.alone("demo")?;
    let mut estate = Estate::start(workspace, workspace.root.join(".demo"), Ports::Usual).await?;
    println!("\n{}", estate.introduction()?);
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let failed = tokio::select! {
        _ = interrupt.recv() => None,
        _ = terminate.recv() => None,
        error = estate.ended() => Some(error),
    };
    println!();
    progress("stopping");
    estate.stop(keep || failed.is_some()).await?;
    failed.map_or(Ok(()), Err)
}

/// Starts everything, calls everything, and stops.
async fn check_all(workspace: &Workspace, keep: bool) -> Result<String> {
    // Beside a demonstration that somebody tries by hand: with a folder and ports of its own.
    let _alone = workspace.alone("demo-check")?;
    let estate = Estate::start(workspace, workspace.target.join("demo-check"), Ports::Free).await?;
    progress("calling every operation, once to succeed and once to fail");
    let checked = call_all(&estate).await;
    let stopped = estate.stop(keep || checked.is_err()).await;
    let note = checked?;
    stopped?;
    Ok(note)
}

async fn call_all(estate: &Estate) -> Result<String> {
    let begin = Instant::now();
    let samples = &estate.samples;
    let mut sessions: Vec<(Session, Value)> = Vec::new();

    for service in ["civil-status", "land", "insurance", "postal", "payment"] {
        let client = estate.office();
        let base = format!("/api/{service}/v1");
        let document = client.get(&format!("{base}/openapi.json")).await?;
        let mut session = Session::new(service, client, base);
        match service {
            "civil-status" => civil_status::call(&mut session, samples).await,
            "land" => land::call(&mut session, samples, &estate.other()).await,
            "insurance" => insurance::call(&mut session, samples).await,
            "postal" => postal::call(&mut session, samples).await,
            _ => payment::call(&mut session, samples).await,
        }?;
        sessions.push((session, document));
    }

    let control = estate.host.control()?;
    let document = control.get("/admin/openapi.json").await?;
    let mut session = Session::new("admin", control, String::new());
    admin::call(&mut session, estate).await?;
    sessions.push((session, document));

    let mut table = Table::new(["service", "operation", "status", "ms"]);
    let mut faults = Vec::new();
    for (session, document) in &sessions {
        session.show(document, &mut table)?;
        faults.extend(session.faults(document)?);
    }
    println!("\n{table}");
    ensure!(faults.is_empty(), "{} faults\n{}", faults.len(), faults.join("\n"));
    let calls = table.len();
    Ok(format!("{calls} calls, all as expected, in {:.1} s", begin.elapsed().as_secs_f64()))
}

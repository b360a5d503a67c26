//! Connectors that misbehave in every way they can (`plugins/hostile`), each a service of its own in one host, beside a
//! benign service whose callers must notice nothing.
//!
//! First everything is published, or refused. Then all of it is called over and over, until the host holds what it
//! holds in use: caches, and what the engine keeps of each place for the next call; then quiet calls of the benign
//! service and what the host holds are measured. The attack itself calls all hostile services, many at once, while the
//! benign one is called steadily. Afterwards connectors that never end by themselves are called one at a time, to see how
//! soon they are ended, and what chance makes is published and called. At the end the ledger and the log are read.

mod calls;
mod generated;
mod records;
mod site;

use std::time::Duration;

use anyhow::Result;

use super::finding::Finding;
use super::measure::{Held, Latencies};
use super::{Setting, Size};
use crate::workspace::progress;
use calls::{Benign, Calls, Steady};
use site::Site;

/// How long the host has to give back what it held during the attack.
const SETTLED_WITHIN: Duration = Duration::from_secs(30);

/// How much the system prefers the host, and the benign callers, to the attackers, who in life have machines of their own.
const NICE: i32 = 10;

pub(crate) fn attack(setting: &Setting<'_>) -> Result<Vec<Finding>> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    std::thread::scope(|scope| {
        // A thread of its own, as it never gets back the preference that it gives up.
        let attackers = scope.spawn(|| runtime.block_on(all(setting)));
        attackers.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

async fn all(setting: &Setting<'_>) -> Result<Vec<Finding>> {
    let size = setting.size;
    let at_once = size.of(16, 6);
    let pace = size.of(Duration::from_millis(20), Duration::from_millis(50));
    let site = Site::open(setting).await?;
    // Not before: the host would inherit it.
    rustix::process::nice(NICE)?;
    let host = site.host_process()?;
    progress(format_args!(
        "{} hostile services are there, {} connectors were kept out",
        site.services.len(),
        site.refused
    ));

    progress(
        "calling every hostile service until the host holds no more for it, then the benign one quietly",
    );
    let mut calls = Calls::default();
    warm_up(&mut calls, &site, size, at_once).await?;
    let quiet = Steady::start(&site, pace);
    tokio::time::sleep(size.of(Duration::from_secs(20), Duration::from_secs(3))).await;
    let quiet = quiet.stop().await?;
    let before = Held::by(host)?;

    let many = size.of(10_000, site.calls());
    progress(format_args!("{many} hostile calls, {at_once} at once, beside steady benign ones"));
    let steady = Steady::start(&site, pace);
    calls.spread(&site, many, at_once).await;
    let beside = steady.stop().await?;
    let after = settled(host, before).await?;

    progress("connectors that never end by themselves, one at a time");
    let late = calls.burn(&site, size.of(40, 2)).await;

    let chance = size.of(1_500, 10);
    progress(format_args!("publishing and calling what chance made of {chance} seeds"));
    let generated = generated::publish_and_call(&site, chance, &mut calls).await?;

    progress("reading the ledger and the log");
    let unrecorded = records::unrecorded(&site, &calls).await?;
    let crashes = u64::from(Held::by(host).is_err() || site.host_process()? != host);
    let forged = records::foreign_lines(&site.log)?;
    let sent = calls.sent();
    let stopped = u64::from(site.host.stop().await.is_err());

    for surprise in calls.surprises.iter().chain(&site.surprises).take(20) {
        progress(format_args!("not as expected: {surprise}"));
    }
    let mut findings = vec![
        Finding::at_most("the host does not crash", sent, crashes + stopped, 0),
        Finding::at_most("every call is answered by its deadline", sent, calls.stuck, 0),
        Finding::at_most(
            "every hostile connector ends as it must",
            sent,
            calls.surprises.len() as u64 + site.surprises.len() as u64,
            0,
        ),
        Finding::at_most("nothing is gained, nothing of earlier calls is found", sent, calls.gained, 0),
        Finding::at_most(
            "nothing that was not allowed reaches an upstream",
            sent,
            site.canary.connections(),
            0,
        ),
        Finding::at_most("every call is in the ledger exactly once", sent, unrecorded, 0),
        Finding::at_most("every line of the log is the host's own", sent, forged, 0),
        Finding::at_least(
            "what chance makes can be loaded, so that it tries something",
            chance as u64,
            generated.served,
            chance as u64 / 4,
        ),
        ended_in_time(late, size),
        memory(before, after, sent, size),
    ];
    findings.extend(undisturbed(quiet, beside, size));
    Ok(findings)
}

/// Calls everything over and over until the host holds hardly more for it than after the time before, or often enough.
async fn warm_up(calls: &mut Calls, site: &Site, size: Size, at_once: usize) -> Result<()> {
    let host = site.host_process()?;
    let mut held = 0;
    for _ in 0..size.of(10, 1) {
        calls.spread(site, site.calls() * size.of(4, 1), at_once).await;
        // What is free goes back within a second or two.
        tokio::time::sleep(Duration::from_secs(3)).await;
        let now = Held::by(host)?.memory;
        if now <= held + held / 100 {
            break;
        }
        held = now;
    }
    Ok(())
}

/// Waits until the host holds no more than before, or gives up.
async fn settled(host: u32, before: Held) -> Result<Held> {
    let begin = std::time::Instant::now();
    loop {
        let held = Held::by(host)?;
        if held.memory <= before.memory || begin.elapsed() > SETTLED_WITHIN {
            return Ok(held);
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// How far beyond its processor time the caller of a connector that never ends by itself has its answer, recording it
/// included; nothing else computes then.
fn ended_in_time(mut late: Latencies, size: Size) -> Finding {
    // Unoptimised, on a machine that does other things, it only shows that they are ended at all.
    Finding::at_most(
        "processor time ends on time, p99 ms beyond the budget",
        late.len() as u64,
        late.percentile(0.99).round(),
        size.of(50.0, 1_000.0),
    )
}

/// What the host holds after the attack, in hundredths of what it held before.
fn memory(before: Held, after: Held, attempts: u64, size: Size) -> Finding {
    let share = (after.memory as f64 / before.memory as f64 * 1000.0).round() / 10.0;
    progress(format_args!(
        "resident memory: {} MiB before, {} MiB after",
        before.memory >> 20,
        after.memory >> 20
    ));
    // A short run ends before everything has been held once that is kept for good.
    Finding::at_most("memory is given back, % of what it was", attempts, share, size.of(105.0, 125.0))
}

/// The benign service's calls beside the attack and without it.
fn undisturbed(quiet: Benign, beside: Benign, size: Size) -> [Finding; 3] {
    let failed = quiet.failed + beside.failed;
    let (mut quiet, mut beside) = (quiet.times, beside.times);
    let (calm, busy) = (quiet.percentile(0.99), beside.percentile(0.99));
    progress(format_args!(
        "benign calls: p50 {:.1} ms and p99 {calm:.1} ms when quiet, p50 {:.1} ms and p99 {busy:.1} ms beside the attack",
        quiet.percentile(0.5),
        beside.percentile(0.5)
    ));
    let calls = beside.len() as u64;
    let slowed = match size {
        Size::Full => Finding::at_most(
            "a benign service is not slowed down, p99 in times of its quiet one",
            calls,
            (busy / calm * 100.0).round() / 100.0,
            2.0,
        ),
        // Unoptimised, the host itself takes long over large bodies; who is starved waits for longer still.
        Size::Reduced => {
            Finding::at_most("a benign service is not starved, p99 ms", calls, busy.round(), 2_000.0)
        }
    };
    [
        slowed,
        Finding::at_most("no benign call fails", calls, failed, 0),
        Finding::at_least("benign calls are made beside the attack", calls, beside.len(), 50),
    ]
}

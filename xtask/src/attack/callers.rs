//! Callers that are slow, many, or break the rules of HTTP: each attack runs for a while, and at last all of them
//! together, while good callers call at a steady rate. The good ones must not notice.

mod attackers;
mod good;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use anyhow::Result;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::json;
use tokio::task::JoinSet;

use super::chaos::{Fault, Proxy, Upstream};
use super::finding::Finding;
use super::measure::Held;
use super::stage::{Service, Stage};
use super::{Setting, Size};
use crate::workspace::progress;
use attackers::{Attack, Target};
use good::{Caller, Tally};

/// Descriptors that this process needs for its attackers.
const DESCRIPTORS: u64 = 16 << 10;
/// How many MiB more than before the host may hold: what forty callers ask for at once, 4 MB each, in the instance, as a
/// value and as JSON, and a hundred for connections and what they have sent.
const GROWTH: f64 = 560.0;

pub(crate) fn attack(setting: &Setting<'_>) -> Result<Vec<Finding>> {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    let current = Some(maximum.unwrap_or(u64::MAX).min(DESCRIPTORS));
    setrlimit(Resource::Nofile, Rlimit { current, maximum })?;
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(run(setting))
}

async fn run(setting: &Setting<'_>) -> Result<Vec<Finding>> {
    let upstream = Upstream::start().await?;
    let proxy = Proxy::start(Fault::None, upstream.address).await?;
    // A smaller host is full with fewer connections.
    let api = setting.size.of("", "max-connections = 256\n");
    let service = Service {
        name: "trial",
        upstream: proxy.address,
        binding: json!({}),
        limits: json!({ "cpu": "5s", "deadline": "20s" }),
    };
    let stage = Stage::start(setting, api, &[service]).await?;
    let target = Target::new(&stage, setting.size)?;

    let quiet = phase(&stage, setting.size, &target, &[]).await?;
    let before = Held::by(stage.process()?)?;
    let mut findings = Vec::new();
    let (mut most_memory, mut all) = (0, Tally::default());
    let together: Vec<Attack> = Attack::ALL.to_vec();
    for attacks in Attack::ALL.iter().map(std::slice::from_ref).chain([together.as_slice()]) {
        let name = match attacks {
            [one] => one.name(),
            _ => "everything at once",
        };
        let done = phase(&stage, setting.size, &target, attacks).await?;
        progress(format_args!(
            "{name}: {} attempts; good calls {} of {}, p99 {:.1} ms; the host holds {} MiB",
            done.attempts,
            done.good.succeeded,
            done.good.sent,
            done.good.clone().percentile(0.99),
            done.memory >> 20
        ));
        let promise = format!("good calls that succeed, %: {name}");
        findings.push(Finding::at_least(promise, done.attempts, done.good.share(), 99.9));
        most_memory = most_memory.max(done.memory);
        all.add(done.good);
    }
    let growth = most_memory.saturating_sub(before.memory) as f64 / f64::from(1 << 20);
    let sent = all.sent;
    progress(format_args!(
        "quiet p99 {:.1} ms; {} calls were repeated on a new connection",
        quiet.good.clone().percentile(0.99),
        all.repeated
    ));
    // What a loaded machine without a release build takes says nothing; that good calls end at all does.
    let most_p99 = setting.size.of(500.0, 5000.0);
    let through = target.through.load(Ordering::Relaxed);
    let smuggled = proxy.requests.load(Ordering::Relaxed);
    findings.extend([
        Finding::at_most("p99 of good calls, ms", sent, round(all.percentile(0.99)), most_p99),
        Finding::at_most("growth of the host's memory, MiB", sent, round(growth), GROWTH),
        Finding::at_most(
            "attacks that were answered with success",
            target.judged.load(Ordering::Relaxed),
            through,
            0,
        ),
        Finding::at_most(
            "requests that were smuggled to the upstream",
            target.judged.load(Ordering::Relaxed),
            smuggled,
            0,
        ),
    ]);
    stage.host.stop().await?;
    Ok(findings)
}

fn round(number: f64) -> f64 {
    (number * 10.0).round() / 10.0
}

/// What came of a while under attack.
struct Done {
    good: Tally,
    attempts: u64,
    /// The most memory that the host held.
    memory: u64,
}

/// Attacks for a while, with good callers meanwhile.
async fn phase(stage: &Stage, size: Size, target: &Arc<Target>, attacks: &[Attack]) -> Result<Done> {
    let lasting = size.of(Duration::from_secs(20), Duration::from_secs(2));
    let rate = size.of(100, 16);
    target.attempts.store(0, Ordering::Relaxed);
    let mut attackers = JoinSet::new();
    for attack in attacks {
        attack.start(target, &mut attackers);
    }
    let over = Arc::new(AtomicBool::new(false));
    let agency = Caller::agency(stage.host.api, &stage.key);
    let operator = Caller::operator(stage.host.admin, &crate::workspace::read(&stage.host.admin_key_file())?);
    let good = [tokio::spawn(agency.call(rate, over.clone())), tokio::spawn(operator.call(4, over.clone()))];
    let memory = Arc::new(AtomicU64::new(0));
    let watching = watch(stage.process()?, &memory);
    tokio::select! {
        () = tokio::time::sleep(lasting) => {}
        error = watching => return Err(error),
    }
    over.store(true, Ordering::Relaxed);
    let mut tally = Tally::default();
    for good in good {
        tally.add(good.await?);
    }
    attackers.shutdown().await;
    let attempts = target.attempts.load(Ordering::Relaxed);
    Ok(Done { good: tally, attempts, memory: memory.load(Ordering::Relaxed) })
}

/// Looks again and again at what the host holds, until it is not there any more.
async fn watch(process: u32, most: &AtomicU64) -> anyhow::Error {
    loop {
        match Held::by(process) {
            Ok(held) => most.fetch_max(held.memory, Ordering::Relaxed),
            Err(error) => return error.context("the host has ended under attack"),
        };
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

//! Upstreams that are sick: twelve services, each behind a chaos proxy with a fault of its own, are called at once, and
//! a thirteenth whose upstream is well. Every call must end in time with what its fault comes to, nothing may be left
//! open, and every exchange must be on record as its caller was told.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::Result;
use hyper::Method;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;

use super::chaos::{Fault, Proxy, Upstream, text};
use super::finding::Finding;
use super::measure::Latencies;
use super::stage::{Service, Stage, sockets};
use super::{Setting, Size};
use crate::http::{Body, Client};
use crate::workspace::progress;

/// How long a call may take, as the services are set.
const DEADLINE: Duration = Duration::from_secs(1);
/// How long idle connections are kept by the host, and some time for it to close them.
const SETTLED_WITHIN: Duration = Duration::from_secs(40);
/// How often each of the callers of the well upstream calls. As often as they could they would take the processors from the
/// host, which is to be on time.
const PACE: Duration = Duration::from_millis(10);

/// What came of one call.
struct Outcome {
    fault: Fault,
    id: String,
    status: u16,
    /// The problem's code, or nothing.
    problem: String,
    /// The upstream's text as the connector got it.
    text: Option<String>,
    took: Duration,
}

pub(crate) fn attack(setting: &Setting<'_>) -> Result<Vec<Finding>> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(run(setting))
}

async fn run(setting: &Setting<'_>) -> Result<Vec<Finding>> {
    let calls: u64 = setting.size.of(1000, 40);
    let at_once: u64 = setting.size.of(8, 4);
    let upstream = Upstream::start().await?;
    let mut proxies = Vec::new();
    for fault in [Fault::None].into_iter().chain(Fault::ALL) {
        proxies.push((fault, Proxy::start(fault, upstream.address).await?));
    }
    // The upstream's own bounds are beyond the call's deadline, so that it is the deadline that ends what takes too long.
    // Nothing is made again and no breaker opens, so that every call meets its fault.
    let binding = json!({
        "timeouts": { "connect": "5s", "firstByte": "5s", "total": "5s" },
        "maxConnections": 64,
        "attempts": 1,
        "breaker": { "failures": 0 },
    });
    let limits = json!({ "deadline": "1s", "cpu": "1s", "concurrency": 64 });
    let service = |(fault, proxy): &(Fault, Proxy)| Service {
        name: fault.name(),
        upstream: proxy.address,
        binding: binding.clone(),
        limits: limits.clone(),
    };
    let services: Vec<Service<'_>> = proxies.iter().map(service).collect();
    let stage = Stage::start(setting, "", &services).await?;
    let before = Open::of(&stage).await?;

    progress(format_args!("twelve faults, {calls} calls each, {at_once} at once"));
    let (outcomes, good) = call_all(&stage, calls, at_once).await?;
    let reached: u64 = proxies.iter().map(|(_, proxy)| proxy.requests.load(Ordering::Relaxed)).sum();
    progress(format_args!(
        "{reached} requests reached the proxies; waiting until idle connections are closed"
    ));
    let left = settle(&stage, &before).await?;
    let records = stage.exchanges().await?;
    let mut findings = judge(setting.size, &outcomes, &good, &records, &left);
    // All but those of the fault that refuses connections, and the well ones.
    let met = (Fault::ALL.len() as u64 - 1) * calls + good.len() as u64;
    findings.push(Finding::at_least("calls that met their fault", met, reached, met));
    let open: u64 = proxies.iter().map(|(_, proxy)| proxy.open.load(Ordering::Relaxed)).sum();
    findings.push(Finding::at_most("connections left open at the upstreams", reached, open, 0));
    stage.host.stop().await?;
    Ok(findings)
}

/// Calls every sick service so many times, and the well one for as long as that takes.
async fn call_all(stage: &Stage, calls: u64, at_once: u64) -> Result<(Vec<Outcome>, Vec<Outcome>)> {
    let caller = Arc::new(stage.caller());
    let over = Arc::new(AtomicBool::new(false));
    let numbers = Arc::new(AtomicU64::new(0));
    let mut well = JoinSet::new();
    for _ in 0..2 {
        let (caller, over, numbers) = (caller.clone(), over.clone(), numbers.clone());
        well.spawn(async move {
            let mut outcomes = Vec::new();
            let mut next = tokio::time::interval(PACE);
            next.set_missed_tick_behavior(MissedTickBehavior::Delay);
            while !over.load(Ordering::Relaxed) {
                next.tick().await;
                outcomes.push(call(&caller, Fault::None, numbers.fetch_add(1, Ordering::Relaxed)).await?);
            }
            Ok::<_, anyhow::Error>(outcomes)
        });
    }
    let mut sick = JoinSet::new();
    for fault in Fault::ALL {
        for worker in 0..at_once {
            let (caller, numbers) = (caller.clone(), numbers.clone());
            let share = calls / at_once + u64::from(worker < calls % at_once);
            sick.spawn(async move {
                let mut outcomes = Vec::new();
                for _ in 0..share {
                    outcomes.push(call(&caller, fault, numbers.fetch_add(1, Ordering::Relaxed)).await?);
                }
                Ok::<_, anyhow::Error>(outcomes)
            });
        }
    }
    let mut outcomes = Vec::new();
    while let Some(done) = sick.join_next().await {
        outcomes.extend(done??);
    }
    over.store(true, Ordering::Relaxed);
    let mut good = Vec::new();
    while let Some(done) = well.join_next().await {
        good.extend(done??);
    }
    Ok((outcomes, good))
}

/// Calls a service once, under a request identifier of the call's own.
async fn call(caller: &Client, fault: Fault, number: u64) -> Result<Outcome> {
    let id = format!("5ca1ab1e-0000-7000-8000-{number:012x}");
    let caller = caller.clone().with_header("x-request-id", &id);
    let path = format!("/api/{}/v1/items/{number}", fault.name());
    let answer = caller.send(&Method::GET, &path, Body::None).await?;
    let member = |name: &str| answer.json.get(name).and_then(Value::as_str).map(str::to_owned);
    Ok(Outcome {
        fault,
        id,
        status: answer.status,
        problem: member("code").unwrap_or_default(),
        text: member("body"),
        took: answer.took,
    })
}

/// What a fault may come to.
fn is_expected(outcome: &Outcome) -> bool {
    let failed = outcome.problem == "upstream-failed";
    let late = matches!(outcome.problem.as_str(), "upstream-timeout" | "deadline-exceeded");
    let number = outcome.id.rsplit('-').next().and_then(|digits| u64::from_str_radix(digits, 16).ok());
    let whole = text(&number.unwrap_or_default().to_string());
    let is_text = |wanted: &str| outcome.status == 200 && outcome.text.as_deref() == Some(wanted);
    match outcome.fault {
        Fault::None => is_text(&whole),
        Fault::Silent | Fault::DrippingHead | Fault::DrippingBody | Fault::StalledBody => late,
        // Which of its bounds is met first depends on how fast the machine is.
        Fault::Endless => failed || late,
        Fault::LyingLength => failed || is_text(whole.get(..whole.len() / 2).unwrap_or_default()),
        Fault::Refused
        | Fault::ResetBeforeAnswer
        | Fault::ResetInHead
        | Fault::ResetInBody
        | Fault::Garbage
        | Fault::HalfClosed => failed,
    }
}

/// What a host has open.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Open {
    sockets: usize,
    tasks: f64,
}

impl Open {
    async fn of(stage: &Stage) -> Result<Self> {
        let tasks = stage.meter("truc_tasks").await?;
        Ok(Self { sockets: sockets(stage.process()?)?, tasks })
    }
}

/// Waits until a host has no more open than before. Idle connections to upstreams are kept for 20 seconds, which is no
/// leak: what counts is what is left after them.
async fn settle(stage: &Stage, before: &Open) -> Result<Open> {
    let end = Instant::now() + SETTLED_WITHIN;
    let mut least: Option<Open> = None;
    loop {
        let now = Open::of(stage).await?;
        let left = Open {
            sockets: now.sockets.saturating_sub(before.sockets),
            tasks: (now.tasks - before.tasks).max(0.0),
        };
        let so_far = least.get_or_insert(left);
        so_far.sockets = so_far.sockets.min(left.sockets);
        so_far.tasks = so_far.tasks.min(left.tasks);
        if (so_far.sockets == 0 && so_far.tasks == 0.0) || Instant::now() >= end {
            return Ok(*so_far);
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
}

fn judge(size: Size, outcomes: &[Outcome], good: &[Outcome], records: &[Value], left: &Open) -> Vec<Finding> {
    let attempts = outcomes.len() as u64;
    let millis = |took: Duration| (took.as_secs_f64() * 1000.0).ceil();
    let latest = outcomes.iter().map(|outcome| millis(outcome.took)).fold(0.0, f64::max);
    // Where the host is not built for release, and the machine has other work, an answer may wait for its turn.
    let most = millis(DEADLINE) + size.of(100.0, 5000.0);
    let wrong: Vec<&Outcome> = outcomes.iter().filter(|outcome| !is_expected(outcome)).collect();
    for outcome in wrong.iter().take(10) {
        let Outcome { fault, id, status, problem, text, took } = outcome;
        progress(format_args!("wrong: {fault:?} {id}: {status} {problem} {text:?} after {took:?}"));
    }
    let succeeded = good.iter().filter(|outcome| is_expected(outcome)).count();
    let share = if good.is_empty() { 0.0 } else { 100.0 * succeeded as f64 / good.len() as f64 };
    let mut latencies = Latencies::default();
    latencies.extend(good.iter().map(|outcome| outcome.took));
    progress(format_args!(
        "calls to the well upstream meanwhile: {}, p99 {:.1} ms",
        latencies.len(),
        latencies.percentile(0.99)
    ));
    let (unrecorded, differing) = compare(outcomes.iter().chain(good), records);
    let all = attempts + good.len() as u64;
    vec![
        Finding::at_most("latest answer of a sick upstream, ms", attempts, latest, most),
        Finding::at_most("answers that do not fit the fault", attempts, wrong.len(), 0),
        Finding::at_least("calls to a well upstream that succeed, %", good.len() as u64, share, 99.9),
        Finding::at_most("sockets left open", attempts, left.sockets, 0),
        Finding::at_most("tasks left", attempts, left.tasks, 0.0),
        Finding::at_most("exchanges not recorded exactly once", all, unrecorded, 0),
        Finding::at_most("exchanges recorded otherwise than told", all, differing, 0),
    ]
}

/// How many exchanges are not on record exactly once, and how many are recorded with another outcome than was told.
fn compare<'o>(outcomes: impl Iterator<Item = &'o Outcome>, records: &[Value]) -> (usize, usize) {
    let mut recorded: HashMap<&str, Vec<&Value>> = HashMap::new();
    for record in records {
        if let Some(id) = record.get("id").and_then(Value::as_str) {
            recorded.entry(id).or_default().push(record);
        }
    }
    let (mut unrecorded, mut differing) = (0, 0);
    for outcome in outcomes {
        match recorded.get(outcome.id.as_str()).map(Vec::as_slice) {
            Some([record]) => {
                let status = record.get("status").and_then(Value::as_u64);
                let problem = record.get("problem").and_then(Value::as_str).unwrap_or_default();
                let same = status == Some(u64::from(outcome.status)) && problem == outcome.problem;
                differing += usize::from(!same);
            }
            _ => unrecorded += 1,
        }
    }
    (unrecorded, differing)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(fault: Fault, status: u16, problem: &str, text: Option<String>) -> Outcome {
        let id = format!("5ca1ab1e-0000-7000-8000-{:012x}", 7);
        Outcome { fault, id, status, problem: problem.to_owned(), text, took: DEADLINE }
    }

    #[test]
    fn an_answer_fits_its_fault_or_does_not() {
        let half = text("7")[..text("7").len() / 2].to_owned();
        for fits in [
            outcome(Fault::None, 200, "", Some(text("7"))),
            outcome(Fault::Silent, 504, "deadline-exceeded", None),
            outcome(Fault::LyingLength, 200, "", Some(half)),
            outcome(Fault::Endless, 502, "upstream-failed", None),
        ] {
            assert!(is_expected(&fits), "{:?}", fits.fault);
        }
        for wrong in [
            outcome(Fault::None, 200, "", Some(text("8"))),
            outcome(Fault::LyingLength, 200, "", Some("poison".to_owned())),
            outcome(Fault::Garbage, 500, "internal", None),
            outcome(Fault::ResetInHead, 504, "upstream-timeout", None),
            outcome(Fault::Silent, 503, "too-busy", None),
        ] {
            assert!(!is_expected(&wrong), "{:?}", wrong.fault);
        }
    }

    #[test]
    fn what_is_missing_or_differs_in_the_records_is_counted() {
        let told = outcome(Fault::Garbage, 502, "upstream-failed", None);
        let record = json!({ "id": told.id, "status": 502, "problem": "upstream-failed" });
        let other = json!({ "id": told.id, "status": 200 });
        assert_eq!(compare([&told].into_iter(), std::slice::from_ref(&record)), (0, 0));
        assert_eq!(compare([&told].into_iter(), &[]), (1, 0));
        assert_eq!(compare([&told].into_iter(), &[record.clone(), record]), (1, 0));
        assert_eq!(compare([&told].into_iter(), &[other]), (0, 1));
    }
}

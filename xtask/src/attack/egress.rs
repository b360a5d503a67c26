//! Ways around the addresses that an operator allows, and what sick upstreams cost those beside them.
//!
//! A host serves the trial connector, which passes requests on as they are given. Its upstreams are of the suite's own:
//! they count who comes and read as strictly as can be. Canaries listen wherever a way around could lead.

mod site;
#[path = "../../../host/egress/tests/upstream/spellings.rs"]
mod spellings;
#[path = "../../../host/egress/tests/upstream/strict.rs"]
mod strict;

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use hyper::Method;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::finding::Finding;
use super::measure::Latencies;
use super::{Setting, Size};
use crate::host::{Host, Ports, Recording};
use crate::http::{Body, Client};
use crate::workspace::progress;
use site::{Canaries, Mood, Site};
use spellings::{Aim, Field, spellings};

/// How many ask at once, unless a part says otherwise.
const AT_ONCE: usize = 16;

/// The services of the bulkhead; the first one's upstream dies.
const BESIDE: [&str; 5] = ["dead", "beside-1", "beside-2", "beside-3", "beside-4"];

pub(crate) fn attack(setting: &Setting<'_>) -> Result<Vec<Finding>> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        Host::prepare(&setting.truc, &setting.folder, Recording::All, Ports::default())?;
        let host = Host::start(&setting.truc, &setting.folder, None).await?;
        host.secret("seal", "the trial connector's key").await?;
        let estate = Estate::found(setting, host).await?;
        let mut findings = estate.spelled(setting.size).await?;
        findings.extend(estate.misled(setting.size).await?);
        findings.push(estate.stormed(setting.size).await?);
        findings.extend(estate.broken(setting.size).await?);
        findings.push(estate.beside_the_dead(setting.size).await?);
        estate.host.stop().await?;
        Ok(findings)
    })
}

/// A host with the trial connector, and an agency that may call all of it.
struct Estate {
    host: Host,
    client: Client,
}

impl Estate {
    async fn found(setting: &Setting<'_>, host: Host) -> Result<Self> {
        let component = setting.workspace.target.join("connectors/trial.wasm");
        host.contract(&component).await?;
        host.publish(&component).await?;
        host.agency("H56.14", "Sở Tư pháp").await?;
        let key = host.account("H56.14", "attacker").await?;
        let client = Client::new(host.api).with_key(&key);
        Ok(Self { host, client })
    }

    /// Puts the connector to work on an upstream.
    async fn serve(&self, service: &str, binding: Value) -> Result<()> {
        let settings = json!({ "connector": "trial@1.0.0", "bindings": { "shelf": binding }, "keys": { "seal": { "algorithm": "hmac-sha256", "secret": "seal" } } });
        self.host.service(service, &settings).await?;
        self.host.grant("H56.14", service, "*").await
    }

    /// Every field with some of every spelling.
    async fn spelled(&self, size: Size) -> Result<Vec<Finding>> {
        let site = Arc::new(Site::start().await?);
        let canaries = Canaries::start(site.address).await?;
        self.serve("aimed", json!({ "address": format!("http://{}", site.address) })).await?;
        let spellings = spellings(canaries.port);
        // Neighbouring spellings go into different fields; a step without a common divisor leaves none out.
        let every = spellings.len() * Field::ALL.len();
        let step = size.of(5, 43);
        let aims: Vec<Aim> = (0..every)
            .step_by(step)
            .filter_map(|turn| {
                let field = Field::ALL.get(turn % Field::ALL.len())?;
                Some(field.aim("shelf", spellings.get(turn / Field::ALL.len())?, turn))
            })
            .collect();
        let attempts = aims.len();
        progress(format_args!("{attempts} requests with {} spellings of forbidden targets", spellings.len()));
        let client = self.client.clone();
        let outcomes = all(aims, AT_ONCE, move |aim| aimed(client.clone(), aim)).await?;
        let mut counts: BTreeMap<String, u64> = BTreeMap::new();
        outcomes.iter().for_each(|outcome| *counts.entry(outcome.clone()).or_default() += 1);
        progress(format_args!("{counts:?}"));
        let count = |outcome: &str| counts.get(outcome).copied().unwrap_or_default();
        let (answered, denied) = (count("answered"), count("denied"));
        ensure!(answered > 0 && denied > 0, "nothing was sent, or nothing refused: {counts:?}");
        if let Some(fault) = site.faults().first() {
            progress(format_args!("the upstream received {fault}"));
        }
        let attempts = attempts as u64;
        let others = attempts - answered - denied;
        Ok(vec![
            Finding::at_most("connections to forbidden targets", attempts, canaries.reached(), 0),
            Finding::at_most(
                "requests that are no single, allowed message",
                answered,
                site.faults().len(),
                0,
            ),
            Finding::at_most(
                "requests beyond those that were answered",
                answered,
                site.requests().abs_diff(answered),
                0,
            ),
            Finding::at_most("attempts that were neither answered nor denied", attempts, others, 0),
        ])
    }

    /// A name that the system resolves to an address outside the ranges.
    async fn misled(&self, size: Size) -> Result<Vec<Finding>> {
        let canary = Site::start().await?;
        let address = format!("http://localhost:{}", canary.address.port());
        self.serve("misled", json!({ "address": address, "allowAddresses": ["127.0.0.2/32"] })).await?;
        let attempts = size.of(500, 50);
        let client = self.client.clone();
        let aims = (0..attempts).map(|turn| Field::Body.aim("shelf", "x", turn)).collect();
        let outcomes = all(aims, AT_ONCE, move |aim| {
            let client = client.clone();
            async move { aim_at(&client, "misled", &aim).await }
        })
        .await?;
        let denied = outcomes.iter().filter(|outcome| *outcome == "denied").count();
        let attempts = attempts as u64;
        Ok(vec![
            Finding::at_most("connections of a name that leads elsewhere", attempts, canary.requests(), 0),
            Finding::at_least("calls of it that are denied", attempts, denied as u64, attempts),
        ])
    }

    /// An upstream that fails every request: how many more it gets than there are calls.
    async fn stormed(&self, size: Size) -> Result<Finding> {
        let site = Site::start().await?;
        site.turns(Mood::Unavailable);
        let binding = json!({
            "address": format!("http://{}", site.address), "attempts": 5, "breaker": { "failures": 0 },
        });
        self.serve("stormed", binding).await?;
        let calls = size.of(4000, 300);
        progress(format_args!("{calls} calls of an upstream that answers 503"));
        let client = self.client.clone();
        all((0..calls).collect(), AT_ONCE, move |number| {
            let client = client.clone();
            async move { relayed(&client, "stormed", number).await.map(drop) }
        })
        .await?;
        let amplification = site.requests() as f64 / calls as f64;
        Ok(Finding::at_most(
            "requests for each call in a storm of failures",
            calls as u64,
            rounded(amplification),
            1.1,
        ))
    }

    /// An upstream that fails and recovers, behind a breaker.
    async fn broken(&self, size: Size) -> Result<Vec<Finding>> {
        let site = Site::start().await?;
        site.turns(Mood::Unavailable);
        let binding = json!({
            "address": format!("http://{}", site.address),
            "breaker": { "failures": 7, "pause": "500ms", "longestPause": "2s" },
        });
        self.serve("broken", binding).await?;
        let calls = size.of(4000, 300);
        progress(format_args!("{calls} calls of an upstream that is down, and its recovery"));
        let client = self.client.clone();
        let begin = Instant::now();
        all((0..calls).collect(), AT_ONCE, move |number| {
            let client = client.clone();
            async move { relayed(&client, "broken", number).await.map(drop) }
        })
        .await?;
        // Those that opened it, those that were under way meanwhile, and a trial for each pause of 250 ms or more.
        let trials = begin.elapsed().as_millis() as u64 / 250 + 1;
        let most = 7 + AT_ONCE as u64 + trials;
        let reached = site.requests();
        site.turns(Mood::Well);
        let begin = Instant::now();
        self.until_well("broken").await?;
        let recovered = rounded(begin.elapsed().as_secs_f64());
        Ok(vec![
            Finding::at_most("requests that reach an upstream which is down", calls as u64, reached, most),
            // The longest pause, and a call.
            Finding::at_most("seconds until a recovered upstream is used again", 1, recovered, 3.0),
        ])
    }

    /// Five services of which one loses its upstream: what that costs the calls of the others.
    async fn beside_the_dead(&self, size: Size) -> Result<Finding> {
        let mut sites = Vec::new();
        for service in BESIDE {
            let site = Site::start().await?;
            self.serve(service, json!({ "address": format!("http://{}", site.address) })).await?;
            sites.push(site);
        }
        let [mortal, ..] = &sites[..] else { bail!("there are no upstreams") };
        let rounds = size.of(6, 2);
        let phase = Duration::from_secs(size.of(12, 3));
        let every = Duration::from_millis(size.of(20, 50));
        progress(format_args!(
            "calls of five services every {every:?}, {rounds} times {phase:?} with all upstreams well and with one dead"
        ));
        // Once for nothing: connections are made, and code is where it is needed.
        self.paced(phase / 4, every).await?;
        let (mut quiet, mut beside) = (Latencies::default(), Latencies::default());
        for _ in 0..rounds {
            quiet.extend(self.paced(phase, every).await?);
            mortal.turns(Mood::Dead);
            beside.extend(self.paced(phase, every).await?);
            mortal.turns(Mood::Well);
            self.until_well("dead").await?;
        }
        let (before, after) = (quiet.percentile(0.99), beside.percentile(0.99));
        progress(format_args!(
            "p99 beside others that are well {before:.2} ms, beside a dead one {after:.2} ms; medians {:.2} and {:.2} ms",
            quiet.percentile(0.5),
            beside.percentile(0.5)
        ));
        // A host built for tests, on a busy machine, in a few seconds: its p99 is that of the machine. Without a bulkhead it
        // would be the seconds that the dead upstream is waited for.
        let most = size.of(1.2, 10.0);
        Ok(Finding::at_most(
            "p99 beside a dead upstream, as a multiple of p99 without",
            beside.len() as u64,
            rounded(after / before.max(0.001)),
            most,
        ))
    }

    /// Calls every service at its own steady pace, whatever becomes of the calls; gives the times of those whose upstreams are
    /// well.
    async fn paced(&self, phase: Duration, every: Duration) -> Result<Vec<Duration>> {
        let mut callers = JoinSet::new();
        for (number, service) in BESIDE.into_iter().enumerate() {
            let client = self.client.clone();
            callers.spawn(async move {
                let mut tick = tokio::time::interval(every);
                let mut calls = JoinSet::new();
                let begin = Instant::now();
                while begin.elapsed() < phase {
                    tick.tick().await;
                    let client = client.clone();
                    calls.spawn(async move { relayed(&client, service, number).await });
                }
                calls
                    .join_all()
                    .await
                    .into_iter()
                    .map(move |call| call.map(|call| (service, call)))
                    .collect::<Vec<_>>()
            });
        }
        let mut times = Vec::new();
        for call in callers.join_all().await.into_iter().flatten() {
            let (service, (status, took)) = call?;
            if service != "dead" {
                ensure!(status == 200, "{service} answered {status} although its upstream is well");
                times.push(took);
            }
        }
        Ok(times)
    }

    /// Calls a service until it answers.
    async fn until_well(&self, service: &str) -> Result<()> {
        let begin = Instant::now();
        while begin.elapsed() < Duration::from_secs(90) {
            if relayed(&self.client, service, 1).await?.0 == 200 {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        bail!("{service} does not answer, although its upstream is well again")
    }
}

/// Has an item fetched; the status and how long it took.
async fn relayed(client: &Client, service: &str, number: usize) -> Result<(u16, Duration)> {
    let path = format!("/api/{service}/v1/items/{number}");
    let answer = client.send(&Method::GET, &path, Body::None).await?;
    Ok((answer.status, answer.took))
}

async fn aimed(client: Client, aim: Aim) -> Result<String> {
    aim_at(&client, "aimed", &aim).await
}

/// Has a request sent as it is; gives the kind of its outcome, or the host's refusal of the call.
async fn aim_at(client: &Client, service: &str, aim: &Aim) -> Result<String> {
    let mut request = json!({
        "upstream": aim.handle, "verb": aim.method.to_ascii_lowercase(), "path": aim.path,
        "parameters": aim.parameters, "query": aim.query, "headers": aim.headers,
    });
    if let (Some(body), Some(members)) = (&aim.body, request.as_object_mut()) {
        members.insert("body".to_owned(), json!(body));
    }
    let path = format!("/api/{service}/v1/aims");
    let answer = client.send(&Method::POST, &path, Body::Json(&request)).await?;
    let member = |name: &str| answer.json.get(name).and_then(Value::as_str).map(str::to_owned);
    Ok(member("kind").or(member("code")).unwrap_or_else(|| format!("status {}", answer.status)))
}

/// Does something with every item, so many at a time.
async fn all<I, T, F>(
    items: Vec<I>,
    at_once: usize,
    work: impl Fn(I) -> F + Clone + Send + 'static,
) -> Result<Vec<T>>
where
    I: Clone + Send + Sync + 'static,
    T: Send + 'static,
    F: Future<Output = Result<T>> + Send + 'static,
{
    let (items, next) = (Arc::new(items), Arc::new(AtomicUsize::new(0)));
    let mut workers = JoinSet::new();
    for _ in 0..at_once {
        let (items, next, work) = (items.clone(), next.clone(), work.clone());
        workers.spawn(async move {
            let mut done = Vec::new();
            while let Some(item) = items.get(next.fetch_add(1, Ordering::Relaxed)) {
                done.push(work(item.clone()).await?);
            }
            anyhow::Ok(done)
        });
    }
    let mut done = Vec::new();
    while let Some(worker) = workers.join_next().await {
        done.extend(worker.context("a worker failed")??);
    }
    Ok(done)
}

/// With two decimals, as findings are shown.
fn rounded(number: f64) -> f64 {
    (number * 100.0).round() / 100.0
}

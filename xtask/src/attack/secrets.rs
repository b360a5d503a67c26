//! Upstreams that echo secrets, connectors that look for them.
//!
//! Twenty secrets of every kind of credential, an upstream that echoes all it gets and all it knows in every form, a
//! connector that gives back all it sees and searches its own memory. Afterwards everything that the host wrote and
//! said is searched as well: log, traces, database with its write-ahead log, metrics, admin API, command line.

mod canaries;
mod echo;

use std::path::Path;

use anyhow::{Context, Result, ensure};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hyper::Method;
use serde_json::{Value, json};

use self::canaries::{Needles, Stand};
use self::echo::{Echo, MARKER};
use super::finding::Finding;
use super::{Setting, Size};
use crate::demo::in_runtime;
use crate::host::{Host, Ports, Recording};
use crate::http::{Body, Client};
use crate::workspace::progress;

const AGENCY: &str = "H56.14";

/// What the connector changes each byte of a needle with.
const MASK: u8 = 165;

pub(crate) fn attack(setting: &Setting<'_>) -> Result<Vec<Finding>> {
    in_runtime(run(setting))
}

async fn run(setting: &Setting<'_>) -> Result<Vec<Finding>> {
    let folder = setting.folder.join("host");
    Host::prepare(&setting.truc, &folder, Recording::All, Ports::default())?;
    log_everything(&folder)?;
    let stand = Stand::new();
    let echo = Echo::start(stand.secrets_by_item()).await?;
    let host = Host::start(&setting.truc, &folder, None).await?;
    let mut told = vec![("secret put", put_secrets(&host, &stand).await?)];
    let key = put_services(setting, &host, &stand, &echo).await?;

    let mut seen = Seen::default();
    let rounds = setting.size.of(50, 2);
    for round in 0..rounds {
        progress(format_args!("round {} of {rounds}", round + 1));
        seen.round(&host, &key, &stand, &echo).await?;
    }
    rotate(&host, &folder).await?;
    seen.round(&host, &key, &stand, &echo).await?;

    told.extend(everything_told(&host, &stand, &key).await?);
    // The write-ahead log is there as long as the host runs.
    told.push(("database while it is open", database(&folder)?));
    let metrics = Client::new(host.admin).text("/metrics").await?;
    host.stop().await?;
    told.push(("database", database(&folder)?));
    let log = String::from_utf8_lossy(&std::fs::read(folder.join("host.log"))?).into_owned();
    let once = log.matches("an answer held a secret of the service").count();
    let traced = log.matches("\"level\":\"TRACE\"").count() + log.matches("\"level\":\"DEBUG\"").count();
    told.push(("metrics", metrics.clone()));
    told.push(("log", log));

    let needles = Needles::of(&stand, &echo.tokens());
    let leaks: Vec<String> = told.iter().flat_map(|(place, text)| needles.found_in(place, text)).collect();
    for leak in leaks.iter().chain(&seen.leaks).take(20) {
        progress(format_args!("LEAK: {leak}"));
    }
    let counted: u64 = counted(&metrics);
    let services = stand.services().len() as u64;
    let least = if setting.size == Size::Full { 500 } else { 24 };
    Ok(vec![
        Finding::at_least("20 secrets of every kind of credential are tried", 1, stand.canaries().len(), 20),
        Finding::at_least(
            "every call searches the connector's memory",
            seen.calls,
            seen.controls,
            seen.calls,
        ),
        Finding::at_least("calls", seen.calls, seen.calls, least),
        Finding::at_most("secrets in a connector's memory", seen.calls, seen.in_memory, 0),
        Finding::at_most("secrets in answers and errors", seen.calls, seen.in_answers, 0),
        Finding::at_most(
            "secrets in log, traces, database, metrics, admin API, command line",
            needles.len() as u64,
            leaks.len(),
            0,
        ),
        Finding::at_least("secrets that the upstream really received", seen.calls, echo.received(&stand), 9),
        Finding::at_least(
            "answers from which something was cut, as counted",
            seen.calls,
            counted,
            seen.answered,
        ),
        Finding::at_most("warnings for each upstream that echoes", seen.calls, once as u64, 2 * services),
        Finding::at_least("lines at the levels trace and debug that were searched", 1, traced, 1),
    ])
}

/// What calls came to.
#[derive(Default)]
struct Seen {
    calls: u64,
    /// Calls that were answered by the upstream.
    answered: u64,
    /// Calls in which the search found what must be found.
    controls: u64,
    in_memory: usize,
    in_answers: usize,
    leaks: Vec<String>,
}

impl Seen {
    /// Calls every service once.
    async fn round(&mut self, host: &Host, key: &str, stand: &Stand, echo: &Echo) -> Result<()> {
        let client = Client::new(host.api).with_key(key);
        for service in stand.services() {
            // Tokens are obtained by the call itself: those of this call are searched for in the next.
            let needles = Needles::of(stand, &echo.tokens());
            let masked =
                |needle: &[u8]| STANDARD.encode(needle.iter().map(|byte| byte ^ MASK).collect::<Vec<_>>());
            // What only the upstream says where it is asked, and what the request itself says, must be found.
            let control =
                if service.answers { MARKER.to_owned() } else { format!("truc-item-{}", service.item) };
            let mut list: Vec<String> = needles.iter().map(masked).collect();
            list.push(masked(control.as_bytes()));
            let body = json!({ "item": format!("truc-item-{}", service.item), "needles": list });
            let path = format!("/api/{}/v1/memory/searches", service.name);
            let answer = client.send(&Method::POST, &path, Body::Json(&body)).await?;
            ensure!(answer.status == 200, "{path} was answered with {}: {}", answer.status, answer.json);
            self.calls += 1;
            let found =
                answer.json.get("found").and_then(Value::as_array).context("nothing is said to be found")?;
            let found: Vec<u64> = found.iter().filter_map(Value::as_u64).collect();
            let control = needles.len() as u64;
            self.controls += u64::from(found.contains(&control));
            for place in found.iter().filter(|place| **place != control) {
                self.in_memory += 1;
                self.leaks.push(format!("memory of {}: {}", service.name, needles.name(*place)));
            }
            let answered = answer.json.get("status").and_then(Value::as_u64) == Some(200);
            ensure!(answered == service.answers, "{}: {}", service.name, answer.json);
            self.answered += u64::from(answered);
            let seen = answer.json.get("seen").and_then(Value::as_str).unwrap_or_default();
            let needles = Needles::of(stand, &echo.tokens());
            let leaks = needles.found_in(&format!("answer of {}", service.name), seen);
            self.in_answers += leaks.len();
            self.leaks.extend(leaks);
        }
        Ok(())
    }
}

fn log_everything(folder: &Path) -> Result<()> {
    let file = folder.join("truc.toml");
    // Compiling a connector tells gigabytes of itself, and knows no secret.
    let quiet = [
        "cranelift_codegen",
        "cranelift_frontend",
        "regalloc2",
        "wasmtime",
        "wasmtime_environ",
        "wasmtime_cranelift",
    ];
    let level: String = quiet.iter().map(|target| format!(",{target}=info")).collect();
    let text = crate::workspace::read(&file)? + &format!("\n[log]\nlevel = \"trace{level}\"\n");
    Ok(std::fs::write(file, text)?)
}

/// Puts all secrets, each once with another value before; gives what was said.
async fn put_secrets(host: &Host, stand: &Stand) -> Result<String> {
    let mut said = String::new();
    for (name, value) in stand.secrets() {
        said.push_str(&host.secret(name, &value.replace("canary", "before")).await?.to_string());
        said.push_str(&host.secret(name, value).await?.to_string());
    }
    Ok(said)
}

/// Makes a service for each credential and an account that may call them; gives its key.
async fn put_services(setting: &Setting<'_>, host: &Host, stand: &Stand, echo: &Echo) -> Result<String> {
    host.contract(&setting.workspace.root.join("wit/trial")).await?;
    host.publish(&setting.workspace.target.join("connectors/trial.wasm")).await?;
    host.agency(AGENCY, "Trung tâm Phục vụ hành chính công").await?;
    for service in stand.services() {
        host.service(&service.name, &service.settings(echo.address)).await?;
        host.grant(AGENCY, &service.name, "*").await?;
    }
    host.account(AGENCY, "one-stop-shop").await
}

/// Gives the vault another key, with everything in service.
async fn rotate(host: &Host, folder: &Path) -> Result<()> {
    let file = folder.join("vault.key");
    let old = crate::workspace::read(&file)?;
    let new = host.truc(&["vault", "key"]).await?;
    let new = new.get("key").and_then(Value::as_str).context("`truc vault key` shows no key")?;
    std::fs::write(&file, format!("{new}\n{old}"))?;
    host.truc(&["vault", "rotate"]).await?;
    Ok(std::fs::write(&file, new)?)
}

/// What operators are told over the admin API and by the command line, faults included.
async fn everything_told(host: &Host, stand: &Stand, key: &str) -> Result<Vec<(&'static str, String)>> {
    let control = host.control()?;
    let mut said = String::new();
    for path in ["/admin/secrets", "/admin/services", "/admin/exchanges?limit=1000", "/admin/openapi.json"] {
        said.push_str(&control.get(path).await?.to_string());
    }
    // A value that a service cannot use, refused.
    let refused = |value: String| Body::File("text/plain", value.into());
    for (name, value) in stand.secrets() {
        let put = control
            .send(&Method::PUT, &format!("/admin/secrets/{name}"), refused(format!("{value}\n\u{1}")))
            .await?;
        said.push_str(&put.json.to_string());
        let removed = control.send(&Method::DELETE, &format!("/admin/secrets/{name}"), Body::None).await?;
        ensure!(removed.status == 409, "{name} could be removed: {}", removed.json);
        said.push_str(&removed.json.to_string());
        // Those that were taken are put back.
        host.secret(name, value).await?;
    }
    let mut shown = String::new();
    for arguments in [&["secret", "list"][..], &["service", "list"], &["exchanges"]] {
        shown.push_str(&host.truc(arguments).await?.to_string());
    }
    let mut faults = String::new();
    for path in ["/api/nothing/v1/x", "/api/openapi.json"] {
        let answer = Client::new(host.api).with_key(key).send(&Method::GET, path, Body::None).await?;
        faults.push_str(&answer.json.to_string());
    }
    Ok(vec![("admin API", said), ("command line", shown), ("data plane", faults)])
}

/// The database as it lies in its files.
fn database(folder: &Path) -> Result<String> {
    let mut all = String::new();
    for file in ["truc.db", "truc.db-wal", "truc.db-shm"] {
        if let Ok(bytes) = std::fs::read(folder.join("data").join(file)) {
            all.push_str(&String::from_utf8_lossy(&bytes));
        }
    }
    ensure!(all.len() > 10_000, "the database is not where it was looked for");
    Ok(all)
}

/// How many answers the host says it cut something from.
fn counted(metrics: &str) -> u64 {
    let lines = metrics.lines().filter(|line| line.starts_with("truc_upstream_echoes_total"));
    lines.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum()
}

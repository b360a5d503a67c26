//! One measurement: the load generator asks a server for some seconds, and the server's processor time is read at both
//! ends of that time.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::process::Server;

/// What a measured operation does.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
pub(crate) enum Workload {
    /// Answers a record of ten fields from memory.
    W1,
    /// Asks an upstream for one kilobyte of JSON and translates it to the record.
    W2,
}

impl Workload {
    /// The path, with a place for the record's number, below what the server puts before it.
    pub(crate) fn path(self) -> &'static str {
        match self {
            Workload::W1 => "/records/{id}",
            Workload::W2 => "/upstream-records/{id}",
        }
    }
}

/// Who is asked, and how.
pub(crate) struct Target {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    /// What stands before every path.
    pub(crate) base: &'static str,
    /// The key to send.
    pub(crate) key: Option<String>,
    /// The process.
    pub(crate) process: u32,
}

/// How one measurement is made.
#[derive(Clone, Copy)]
pub(crate) struct Plan {
    /// What is asked for.
    pub(crate) workload: Workload,
    /// How many connections ask at once.
    pub(crate) connections: u32,
    /// Seconds that count.
    pub(crate) seconds: f64,
    /// Seconds before them.
    pub(crate) warm_up: f64,
}

/// What one measurement gave; latencies in microseconds.
#[derive(Clone, Copy, Serialize, Debug)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Sample {
    /// Processor time of the server, user and system, in milliseconds for 1,000 requests.
    pub(crate) cpu: f64,
    /// Requests in a second.
    pub(crate) rate: f64,
    /// The median latency.
    pub(crate) p50: f64,
    /// The latency that 99 of 100 do not exceed.
    pub(crate) p99: f64,
    /// What the server held in memory at the end, in MiB.
    pub(crate) memory: f64,
}

#[derive(Deserialize)]
struct Seen {
    requests: u64,
    requests_per_second: f64,
    p50: u64,
    p99: u64,
}

/// Makes one measurement.
pub(crate) async fn measure(
    generator: &Path,
    log: &Path,
    core: Option<usize>,
    target: &Target,
    plan: Plan,
) -> Result<Sample> {
    let mut command = Command::new(generator);
    command.arg("load");
    command.args(["--target", &target.address.to_string()]);
    command.args(["--path", &format!("{}{}", target.base, plan.workload.path())]);
    command.args(["--connections", &plan.connections.to_string()]);
    command.args(["--seconds", &plan.seconds.to_string(), "--warm-up", &plan.warm_up.to_string()]);
    if let Some(key) = &target.key {
        command.args(["--bearer", key]);
    }
    let mut load = Server::start("the load generator", command, log, core)?;
    load.line(|line| (line == "counting").then_some(())).await?;
    let before = cpu_millis(target.process)?;
    let bound = Duration::from_secs_f64(plan.seconds + 30.0);
    let seen: Seen = load.line_within(bound, |line| serde_json::from_str(line).ok()).await?;
    let used = cpu_millis(target.process)? - before;
    Ok(Sample {
        cpu: used * 1000.0 / seen.requests.max(1) as f64,
        rate: seen.requests_per_second,
        p50: seen.p50 as f64,
        p99: seen.p99 as f64,
        memory: memory(target.process)?,
    })
}

/// Processor time of a process so far, user and system, in milliseconds.
fn cpu_millis(process: u32) -> Result<f64> {
    /// The kernel's interface counts in hundredths of a second, whatever its own clock does.
    const MILLIS_PER_TICK: f64 = 10.0;
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat"))?;
    // The second field is the program's name in parentheses and may hold anything; the others are numbers.
    let (_, fields) = stat.rsplit_once(") ").context("/proc/…/stat has another form")?;
    let fields: Vec<&str> = fields.split(' ').collect();
    let ticks = |index: usize| fields.get(index).and_then(|field| field.parse::<f64>().ok());
    let (user, system) = ticks(11).zip(ticks(12)).context("/proc/…/stat has too few fields")?;
    Ok((user + system) * MILLIS_PER_TICK)
}

/// Memory of a process that is present, in MiB.
pub(crate) fn memory(process: u32) -> Result<f64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    let kib = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB")?.parse::<f64>().ok())
        .context("/proc/…/status names no VmRSS")?;
    Ok(kib / 1024.0)
}

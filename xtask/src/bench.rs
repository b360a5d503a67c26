//! `cargo xtask bench`: Trục beside a native handler that does the same work, in one session on one machine.
//!
//! The servers share one core and the load generator and the upstream another, so that neither takes the other's time.
//! All servers run from the beginning and are asked in turns, round after round, so that whatever else the machine does
//! meets them alike; of each figure the median of the rounds counts.

mod codec;
mod load;
mod report;
mod start;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::connectors;
use crate::host::{Host, Ports, Recording};
use crate::http::Client;
use crate::process::{Server, cores};
use crate::tools;
use crate::workspace::{Workspace, output, progress, run as run_command};
use load::{Plan, Target, Workload};
use report::{Report, Row, Side};
use start::Prepared;

/// How much to measure.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// One short round at 1 and 64 connections: whether it runs, not what it costs.
    #[arg(long)]
    quick: bool,
    /// Measure the programs as they were built last.
    #[arg(long)]
    built: bool,
    /// Measure only what reading requests and writing answers costs.
    #[arg(long)]
    codec: bool,
    /// Seconds that each measurement counts.
    #[arg(long, value_name = "N", default_value_t = 3.0)]
    seconds: f64,
    /// Rounds, of which the medians count.
    #[arg(long, value_name = "N", default_value_t = 5)]
    rounds: u32,
}

/// How many services the hosts have while they are measured: as many as a province begins with.
const SERVICES: usize = 5;

/// With how many connectors starting is measured.
const START_WITH: [usize; 2] = [1, 50];

/// Measures, prints tables, and writes `target/bench/{time}.json`.
pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    if options.codec {
        return codec_alone(workspace, options);
    }
    if !options.built {
        connectors::build(workspace, &connectors::Options { only: vec!["bench".to_owned()] })?;
        tools::ensure_make()?;
        progress("building the host and the native handler for release (minutes, the first time)");
        let programs = ["--bin", "truc", "--bin", "truc-bench-native", "--bin", "truc-bench-codec"];
        run_command(workspace.cargo().args(["build", "--release"]).args(programs))?;
    }

    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(measure(workspace, options))
}

fn codec_alone(workspace: &Workspace, options: &Options) -> Result<()> {
    if !options.built {
        progress("building the codec's measurements for release (minutes, the first time)");
        run_command(workspace.cargo().args(["build", "--release", "--bin", "truc-bench-codec"]))?;
    }
    let _alone = workspace.alone("bench")?;
    let cases = codec::measure(workspace, Cores::choose()?.servers, options.quick)?;
    let report = Report { rows: Vec::new(), starts: Vec::new(), codec: cases, connectors: 0 };
    println!("\n{}\n{}", codec::table(&report.codec), report.aims_table());
    Ok(())
}

async fn measure(workspace: &Workspace, options: &Options) -> Result<()> {
    let _alone = workspace.alone("bench")?;
    let folder = workspace.target.join("bench");
    let bench = Bench {
        native: workspace.program("release", "truc-bench-native"),
        host: workspace.program("release", "truc"),
        connectors: connector_copies(workspace, &folder.join("connectors"))?,
        work: folder.join("run"),
        cores: Cores::choose()?,
    };
    if bench.work.exists() {
        std::fs::remove_dir_all(&bench.work)?;
    }
    std::fs::create_dir_all(&bench.work)?;

    let begin = Timestamp::now();
    let codec = codec::measure(workspace, bench.cores.servers, options.quick)?;
    let rows = bench.load(options).await?;
    let starts = bench.starts(if options.quick { 1 } else { 5 }).await?;
    let report = Report { rows, starts, codec, connectors: SERVICES };

    let codec = codec::table(&report.codec);
    println!("\n{}\n{}\n{codec}\n{}", report.table(), report.start_table(), report.aims_table());
    let file = folder.join(format!("{}.json", begin.strftime("%Y%m%dT%H%M%SZ")));
    let document = report.json(bench.circumstances(options, begin));
    std::fs::write(&file, serde_json::to_string_pretty(&document)?)?;
    progress(format_args!("written to {}", file.display()));
    Ok(())
}

/// Which core does what; none of both where there are not two.
#[derive(Clone, Copy)]
struct Cores {
    servers: Option<usize>,
    load: Option<usize>,
}

impl Cores {
    fn choose() -> Result<Self> {
        match cores()?.as_slice() {
            [servers, load, ..] => Ok(Self { servers: Some(*servers), load: Some(*load) }),
            _ => {
                progress("there is only one core: servers and load generator share it, and rates say little");
                Ok(Self { servers: None, load: None })
            }
        }
    }
}

struct Bench {
    native: PathBuf,
    host: PathBuf,
    /// The bench connector, packed under as many names as the largest measurement needs.
    connectors: Vec<PathBuf>,
    /// Where hosts and logs are kept while measuring.
    work: PathBuf,
    cores: Cores,
}

impl Bench {
    /// Processor time, rate and latency of every server under every load.
    async fn load(&self, options: &Options) -> Result<Vec<Row>> {
        let (upstream, upstream_at) = self.native("upstream", &[], self.cores.load).await?;
        let register = upstream_at.to_string();
        let (native, native_at) =
            self.native("serve", &["--upstream", &register], self.cores.servers).await?;
        let (without, without_key) = self.host("without-ledger", Recording::None, upstream_at).await?;
        let (with, with_key) = self.host("with-ledger", Recording::All, upstream_at).await?;

        let id = |server: &Server| server.id().context("a server ended while it was measured");
        let base = "/api/bench-1/v1";
        let targets = [
            Target { address: native_at, base: "", key: None, process: id(&native)? },
            Target { address: without.api, base, key: Some(without_key), process: id(&without.server)? },
            Target { address: with.api, base, key: Some(with_key), process: id(&with.server)? },
        ];
        same_answers(&targets).await?;
        let rows = self.rounds(options, &targets).await?;
        with.stop().await?;
        without.stop().await?;
        native.stop().await?;
        upstream.stop().await?;
        Ok(rows)
    }

    async fn rounds(&self, options: &Options, targets: &[Target; 3]) -> Result<Vec<Row>> {
        let (loads, rounds, seconds, warm_up): (&[u32], _, _, _) = match options.quick {
            true => (&[1, 64], 1, 1.0, 0.3),
            false => (&[1, 8, 64, 256], options.rounds, options.seconds, 1.0),
        };
        let mut rows = Vec::new();
        for workload in [Workload::W1, Workload::W2] {
            for &connections in loads {
                progress(format_args!("{workload:?} over {connections} connections, {rounds} rounds"));
                let plan = Plan { workload, connections, seconds, warm_up };
                let mut samples = [const { Vec::new() }; 3];
                for _ in 0..rounds {
                    for (target, samples) in targets.iter().zip(&mut samples) {
                        let log = self.work.join("load.log");
                        samples.push(load::measure(&self.native, &log, self.cores.load, target, plan).await?);
                    }
                }
                let sides = Side::ALL.into_iter().zip(samples);
                rows.extend(sides.map(|(side, samples)| Row::new(workload, connections, side, samples)));
            }
        }
        Ok(rows)
    }

    /// Times from start to answer.
    async fn starts(&self, times: u32) -> Result<Vec<start::StartUp>> {
        let mut measured = Vec::new();
        for count in START_WITH {
            progress(format_args!("starting with {count} connectors, {times} times cold and warm"));
            let folder = self.work.join(format!("start-{count}"));
            Host::prepare(&self.host, &folder, Recording::All, Ports::default())?;
            let host = Host::start(&self.host, &folder, None).await?;
            let key = self.serve(&host, count, "127.0.0.1:9".parse()?).await?;
            host.stop().await?;
            let services = (1..=count).map(|number| format!("bench-{number}")).collect();
            let prepared = Prepared { program: &self.host, folder: &folder, services, key };
            measured.push(prepared.measure(false, times).await?);
            measured.push(prepared.measure(true, times).await?);
        }
        Ok(measured)
    }

    /// Starts a part of the native program, which says where it listens.
    async fn native(
        &self,
        part: &str,
        arguments: &[&str],
        core: Option<usize>,
    ) -> Result<(Server, SocketAddr)> {
        let mut command = Command::new(&self.native);
        command.arg(part).args(arguments);
        let log = self.work.join(format!("{part}.log"));
        let mut server = Server::start(part, command, &log, core)?;
        let address = server.line(|line| line.parse().ok()).await?;
        Ok((server, address))
    }

    /// Starts a host that serves the bench connector to an agency; gives its key.
    async fn host(&self, name: &str, record: Recording, upstream: SocketAddr) -> Result<(Host, String)> {
        let folder = self.work.join(name);
        Host::prepare(&self.host, &folder, record, Ports::default())?;
        let host = Host::start(&self.host, &folder, self.cores.servers).await?;
        let key = self.serve(&host, SERVICES, upstream).await?;
        Ok((host, key))
    }

    /// Publishes copies of the bench connector, makes a service of each, and grants them all to one account.
    async fn serve(&self, host: &Host, count: usize, upstream: SocketAddr) -> Result<String> {
        host.agency("H56.14", "Sở Tư pháp").await?;
        let key = host.account("H56.14", "one-stop-shop").await?;
        for (file, number) in self.connectors.iter().take(count).zip(1..) {
            host.contract(file).await?;
            host.publish(file).await?;
            let service = format!("bench-{number}");
            let settings = json!({
                "connector": format!("{service}@1.0.0"),
                "bindings": { "register": { "address": format!("http://{upstream}"), "maxConnections": 1024 } },
            });
            host.service(&service, &settings).await?;
            host.grant("H56.14", &service, "*").await?;
        }
        Ok(key)
    }

    /// Under what the figures were taken.
    fn circumstances(&self, options: &Options, begin: Timestamp) -> Value {
        let cpu = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let model = cpu.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
        let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        json!({
            "begin": begin.to_string(),
            "quick": options.quick,
            "seconds": options.seconds,
            "rounds": options.rounds,
            "serversOnCore": self.cores.servers,
            "loadOnCore": self.cores.load,
            "processor": model.map(|(_, name)| name),
            "kernel": kernel.trim(),
            "compiler": output(Command::new("rustc").arg("--version")).unwrap_or_default().trim(),
        })
    }
}

/// Whether all servers do the same work: they must answer the same record, from memory and from the upstream.
async fn same_answers(targets: &[Target; 3]) -> Result<()> {
    let mut answers = Vec::new();
    for workload in [Workload::W1, Workload::W2] {
        for target in targets {
            let path = workload.path().replace("{id}", "000000000042");
            let client = Client::new(target.address).with_key(target.key.as_deref().unwrap_or_default());
            answers.push(client.get(&format!("{}{path}", target.base)).await?);
        }
    }
    let first = answers.first();
    let different = answers.iter().find(|answer| Some(*answer) != first);
    ensure!(different.is_none(), "the servers answer different records: {first:?} and {different:?}");
    Ok(())
}

/// The bench connector under the names `bench-1`, `bench-2`, …: to the host each is a connector of its own, with its
/// own digest and its own compiled artifact.
fn connector_copies(workspace: &Workspace, folder: &Path) -> Result<Vec<PathBuf>> {
    let count = START_WITH.into_iter().max().unwrap_or(SERVICES).max(SERVICES);
    let names: Vec<String> = (1..=count).map(|number| format!("bench-{number}")).collect();
    connectors::pack_copies(workspace, "bench", &names, folder)
}

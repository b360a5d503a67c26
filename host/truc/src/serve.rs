//! `truc serve`: everything is checked and built, then ports are bound, then calls are served until the host is asked to
//! stop, and then it ends in order.

use std::io::{ErrorKind, Write};
use std::net::SocketAddr;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use cap_std::ambient_authority;
use cap_std::fs::{Dir, DirBuilder, DirBuilderExt as _};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use serde_json::json;
use tokio::net::{TcpListener, TcpSocket};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;
use truc_control::Control;
use truc_egress::{KeySource, SystemResolver, VaultKeys};
use truc_fleet::{Components, DURATION, Fleet, FleetError};
use truc_gateway::{Gateway, GatewaySettings, Pages, Recording};
use truc_identity::{AdminKey, Identity};
use truc_ledger::Ledger;
use truc_listen::Manners;
use truc_model::{Clock, Secret, SystemClock};
use truc_portal::Portal;
use truc_sandbox::{Artifacts, CompileLimits, Compiler, ENGINE, EngineSettings, Sandbox};
use truc_store::{Options as StoreOptions, Store, StoreError};

use crate::commands::compile_component;
use crate::config::{Config, Record};
use crate::descriptors;
use crate::failure::{Exit, Failure};
use crate::logging;
use crate::output::Output;

/// Bounds of the histogram of answers' times, in seconds.
const BUCKETS: [f64; 14] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0];

/// The environment variable that holds the vault's keys where no file is named.
pub(crate) const VAULT_KEY: &str = "TRUC_VAULT_KEY";

/// How often the meters' store is tidied.
const UPKEEP: Duration = Duration::from_secs(5);

/// Connections that may wait to be taken; the system may allow fewer.
const BACKLOG: u32 = 4096;

/// How long work that blocks may still take when everything else has ended.
const LAST_WORK: Duration = Duration::from_secs(2);

/// What `serve` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// The configuration file; docs/truc.example.toml documents it
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

/// A host that is built and serves nothing yet.
struct Host {
    store: Store,
    ledger: Ledger,
    gateway: Arc<Gateway>,
    control: Arc<Control>,
    /// Cancelled when the host begins to stop.
    stopping: CancellationToken,
}

/// Where a host listens.
struct Ports {
    api: TcpListener,
    admin: TcpListener,
}

/// The wish of the operating system that the host stop.
struct StopSignals {
    terminate: Signal,
    interrupt: Signal,
}

/// Serves until asked to stop.
pub(crate) fn run(options: &Options) -> Result<Output, Failure> {
    let config = Config::read(&options.config)?;
    logging::start(&config.log)?;
    let runtime = runtime(&config)?;
    let served = runtime.block_on(async {
        let signals = StopSignals::listen()?;
        let host = Host::build(&config).await?;
        let ports = Ports::bind(&config)?;
        ports.announce()?;
        host.serve(ports, signals).await;
        Ok(())
    });
    runtime.shutdown_timeout(LAST_WORK);
    served.and_then(|()| Output::new(&json!(null), ""))
}

fn runtime(config: &Config) -> Result<tokio::runtime::Runtime, Failure> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    if let Some(threads) = config.worker_threads {
        builder.worker_threads(threads.get() as usize);
    }
    builder.enable_all().thread_name("truc").build().map_err(|error| Failure::new(Exit::Internal, error))
}

impl Host {
    async fn build(config: &Config) -> Result<Self, Failure> {
        let admin_key = admin_key(config)?;
        warn_of_readers("the admin key", &config.admin.key_file);
        let (vault, _) = vault(config)?;
        config.vault.key_file.iter().for_each(|file| warn_of_readers("the vault's keys", file));
        let data = Folders::open(config)?;
        let meters = meters()?;
        let runtime = tokio::runtime::Handle::current();
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let stopping = CancellationToken::new();

        let store = open_store(config).await?;
        let ledger = Ledger::start(store.clone(), truc_ledger::Settings::default());
        if let Err(error) = ledger.keys().interrupt().await {
            // A full database still serves what it has; without the mark the keys tell the same a little later.
            tracing::error!(%error, "idempotency keys of requests that were under way could not be marked");
        }
        let sandbox = Arc::new(open_sandbox(config, data.artifacts)?);
        let fleet = Fleet::open(truc_fleet::Parts {
            identity: Identity::new(store.clone(), clock.clone()),
            sandbox: sandbox.clone(),
            components: Components::new(data.components),
            vault,
            resolver: Arc::new(SystemResolver),
            clock: clock.clone(),
            store: store.clone(),
            platform: config.platform,
        });
        let fleet = Arc::new(fleet.await.map_err(restore_failure)?);
        let pages = Some(Arc::new(Portal::new()) as Arc<dyn Pages>);
        let gateway =
            Gateway::new(fleet.clone(), ledger.clone(), clock.clone(), gateway_settings(config), pages);
        let parts = truc_control::Parts {
            fleet,
            ledger: ledger.clone(),
            store: store.clone(),
            admin_key,
            clock,
            meters: Box::new(move || format!("{}{}", meters.render(), tasks(&runtime, &sandbox))),
            stopping: stopping.clone(),
        };
        let manners = Manners { drain: config.api.drain, ..truc_control::manners() };
        let control = Control::new(parts, manners);
        Ok(Self { store, ledger, gateway, control, stopping })
    }

    /// Serves until a signal comes. The admin API stops last, so that whatever watches the host sees it stop.
    async fn serve(self, ports: Ports, mut signals: StopSignals) {
        let stop_control = CancellationToken::new();
        let gateway = tokio::spawn(self.gateway.serve(ports.api, self.stopping.clone()));
        let control = tokio::spawn(self.control.serve(ports.admin, stop_control.clone()));

        signals.any().await;
        tracing::info!("stopping: calls under way may end");
        self.stopping.cancel();
        match gateway.await {
            Ok(drained) if drained.cut > 0 => tracing::warn!(cut = drained.cut, "connections were cut"),
            Ok(_) => {}
            Err(error) => tracing::error!(%error, "the data plane ended with a panic"),
        }
        stop_control.cancel();
        if let Err(error) = control.await {
            tracing::error!(%error, "the admin API ended with a panic");
        }
        self.ledger.close().await;
        self.store.close().await;
        tracing::info!("stopped");
    }
}

impl Ports {
    fn bind(config: &Config) -> Result<Self, Failure> {
        let bind = |table: &str, address| {
            listen(address).map_err(|error| {
                let reason = format!("[{table}] cannot listen on {address}: {error}");
                Failure::new(Exit::Listen, reason)
            })
        };
        Ok(Self { api: bind("api", config.api.listen)?, admin: bind("admin", config.admin.listen)? })
    }

    /// Says on standard output, in one line of JSON, that the host is ready and where. Connections are taken from here
    /// on: the system keeps them until they are served.
    fn announce(&self) -> Result<(), Failure> {
        let internal = |error| Failure::new(Exit::Internal, error);
        let api = self.api.local_addr().map_err(internal)?;
        let admin = self.admin.local_addr().map_err(internal)?;
        tracing::info!(%api, %admin, version = env!("CARGO_PKG_VERSION"), engine = ENGINE, "ready");
        let mut out = std::io::stdout().lock();
        writeln!(out, "{}", json!({ "api": api, "admin": admin }))
            .and_then(|()| out.flush())
            .map_err(internal)
    }
}

/// Listens, with room for many connections that have not been taken yet.
fn listen(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

impl StopSignals {
    fn listen() -> Result<Self, Failure> {
        let listen = |kind| signal(kind).map_err(|error| Failure::new(Exit::Internal, error));
        Ok(Self { terminate: listen(SignalKind::terminate())?, interrupt: listen(SignalKind::interrupt())? })
    }

    async fn any(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// The folders a host works in, each opened once.
struct Folders {
    components: Dir,
    artifacts: Dir,
}

impl Folders {
    fn open(config: &Config) -> Result<Self, Failure> {
        let data_dir = &config.data_dir;
        make_private(data_dir)?;
        let data = Dir::open_ambient_dir(data_dir, ambient_authority())
            .map_err(|error| unusable(data_dir, error))?;
        let inner = |name: &str| {
            let made = match data.create_dir_with(name, DirBuilder::new().mode(0o700)) {
                Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(error),
                _ => data.open_dir(name),
            };
            made.map_err(|error| unusable(&data_dir.join(name), error))
        };
        let (components, artifacts) = (inner("components")?, inner("artifacts")?);
        // What is kept in folders is durable only if their names are.
        sync(data_dir)?;
        Ok(Self { components, artifacts })
    }
}

/// Makes a folder that only its owner can enter, where there is none, and makes its name durable.
fn make_private(path: &Path) -> Result<(), Failure> {
    let whole = std::path::absolute(path).map_err(|error| unusable(path, error))?;
    let missing = whole.ancestors().take_while(|folder| !folder.exists()).count();
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(|error| unusable(path, error))?;
    // The folder itself also where it was there: who made it may have been ended before this.
    whole.ancestors().skip(1).take(missing.max(1)).try_for_each(sync)
}

/// Makes the names in a folder durable. Of a folder that may be entered and not read, that is left to the system.
fn sync(folder: &Path) -> Result<(), Failure> {
    match std::fs::File::open(folder).and_then(|folder| folder.sync_all()) {
        Err(error) if error.kind() != ErrorKind::PermissionDenied => Err(unusable(folder, error)),
        _ => Ok(()),
    }
}

fn unusable(path: &Path, error: std::io::Error) -> Failure {
    Failure::new(Exit::Configuration, format_args!("the folder {} cannot be used: {error}", path.display()))
}

/// Reads the admin key.
pub(crate) fn admin_key(config: &Config) -> Result<AdminKey, Failure> {
    let file = &config.admin.key_file;
    let shown = file.display();
    let wrong = |reason: String| Failure::new(Exit::Configuration, reason);
    let text = std::fs::read_to_string(file).map_err(|error| match error.kind() {
        ErrorKind::NotFound => wrong(format!(
            "there is no admin key at {shown} (`key-file` in [admin]); make one that only you can read: \
             (umask 077; truc admin-key > {shown})"
        )),
        _ => wrong(format!("the admin key {shown} cannot be read: {error}")),
    })?;
    let key = Secret::new(text);
    // Editors and `echo` end a file with a line end, which is no part of the key.
    AdminKey::new(&Secret::new(key.expose().trim_end().to_owned()))
        .map_err(|error| wrong(format!("{shown}: {error}")))
}

/// Where the vault's keys come from, and the keys.
pub(crate) fn vault(config: &Config) -> Result<(KeySource, VaultKeys), Failure> {
    let in_environment = std::env::var(VAULT_KEY).ok().map(Secret::new);
    let wrong = |reason: &dyn std::fmt::Display| Failure::new(Exit::Vault, reason);
    let source = match (&config.vault.key_file, in_environment) {
        (Some(file), None) => KeySource::File(file.clone()),
        (None, Some(keys)) => KeySource::Text { place: VAULT_KEY, keys },
        (Some(_), Some(_)) => {
            return Err(wrong(&format_args!(
                "the vault's keys are both in `key-file` in [vault] and in {VAULT_KEY}: leave one"
            )));
        }
        (None, None) => {
            return Err(wrong(&format_args!(
                "there are no keys of the vault: name a file, `key-file` in [vault], or set {VAULT_KEY}; make a key that \
                 only you can read: (umask 077; truc vault key > vault.key)"
            )));
        }
    };
    let keys = source.read().map_err(|error| wrong(&error))?;
    Ok((source, keys))
}

/// Says so where others than the owner can read a file of keys.
fn warn_of_readers(what: &str, key_file: &Path) {
    if std::fs::metadata(key_file).is_ok_and(|metadata| metadata.permissions().mode() & 0o077 != 0) {
        tracing::warn!(file = %key_file.display(), "others can read {what}: make the file readable by its owner only (chmod 600)");
    }
}

pub(crate) async fn open_store(config: &Config) -> Result<Store, Failure> {
    let options = StoreOptions { max_size: config.database_max_size };
    Store::open_with(&config.database(), options).await.map_err(|error| match error {
        StoreError::Address { .. } => Failure::new(Exit::Configuration, error),
        _ => Failure::new(Exit::Database, error),
    })
}

fn open_sandbox(config: &Config, artifacts: Dir) -> Result<Sandbox, Failure> {
    let artifacts = Artifacts::open(artifacts).map_err(|error| Failure::new(Exit::Configuration, error))?;
    let mut settings = EngineSettings::default();
    if let Some(instances) = config.engine.instances {
        settings.instances = instances.get();
    }
    let limits = CompileLimits { memory: config.engine.compile_memory.0, time: config.engine.compile_time.0 };
    let compiler = Compiler::Process(compile_component::process(limits));
    Sandbox::open(settings, artifacts, compiler).map_err(|error| {
        let reason = format!(
            "the engine does not start: {error:#}; with fewer `instances` in [engine] it reserves less"
        );
        Failure::new(Exit::Internal, reason)
    })
}

fn restore_failure(error: FleetError) -> Failure {
    match error {
        FleetError::Store(error) => Failure::new(Exit::Database, error),
        FleetError::Vault(error) => Failure::new(Exit::Vault, error),
        error => Failure::new(Exit::Restore, error),
    }
}

fn gateway_settings(config: &Config) -> GatewaySettings {
    let recording = match config.ledger.record {
        Record::All => Recording::All,
        Record::None => {
            tracing::warn!(
                "EXCHANGES ARE NOT RECORDED: `record = \"none\"` in [ledger] is for measurements only"
            );
            Recording::None
        }
    };
    GatewaySettings {
        manners: manners(config),
        recording,
        idempotency_retention: config.api.idempotency_retention.0,
    }
}

/// How agencies' connections are treated.
fn manners(config: &Config) -> Manners {
    let api = &config.api;
    Manners {
        max_connections: descriptors::for_connections(api.max_connections.get() as usize),
        max_of_address: api.max_connections_per_address.map(|most| most.get() as usize),
        header_timeout: api.header_timeout,
        body_timeout: api.body_timeout,
        min_rate: api.min_rate,
        drain: api.drain,
        ..Manners::default()
    }
}

/// How many tasks there are, as Prometheus reads it: one that is not left shows here.
fn tasks(runtime: &tokio::runtime::Handle, sandbox: &Sandbox) -> String {
    let alive = runtime.metrics().num_alive_tasks() + sandbox.long_calls();
    format!(
        "# HELP truc_tasks Tasks of the host that have not ended.\n# TYPE truc_tasks gauge\ntruc_tasks {alive}\n\n"
    )
}

/// Starts counting. Whoever builds meters does so afterwards.
fn meters() -> Result<PrometheusHandle, Failure> {
    let internal = |error: &dyn std::fmt::Display| Failure::new(Exit::Internal, error);
    let handle = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Full(DURATION.to_owned()), &BUCKETS)
        .map_err(|error| internal(&error))?
        .install_recorder()
        .map_err(|error| internal(&error))?;
    let upkeep = handle.clone();
    tokio::spawn(async move {
        let mut ticks = tokio::time::interval(UPKEEP);
        loop {
            ticks.tick().await;
            upkeep.run_upkeep();
        }
    });
    Ok(handle)
}

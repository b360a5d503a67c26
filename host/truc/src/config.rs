//! The configuration: one TOML file, read and checked before anything is opened. `docs/truc.example.toml` documents it
//! line by line.
//!
//! Every key that is not known and every value that cannot be is an error that names file and line. What only the
//! system can tell (a folder that cannot be written, a port in use) comes out when the host opens it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tracing_subscriber::EnvFilter;
use truc_model::{Bytes, Millis, Platform, PlatformTable};
use truc_sandbox::CompileLimits;

use crate::failure::{Exit, Failure};

/// The configuration of a host.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Config {
    /// The folder in which the host keeps components, compiled artifacts and, by default, the database.
    pub(crate) data_dir: PathBuf,
    /// The database; by default `truc.db` in the data folder.
    database: Option<DatabaseAddress>,
    /// The most that an SQLite file may grow to.
    pub(crate) database_max_size: Option<Bytes>,
    /// Threads that serve; by default one for each core.
    pub(crate) worker_threads: Option<Within<1, 256>>,
    /// Where agencies call.
    pub(crate) api: Api,
    /// Where operators call.
    pub(crate) admin: Admin,
    /// What opens secrets.
    #[serde(default)]
    pub(crate) vault: Vault,
    /// What is logged and how.
    #[serde(default)]
    pub(crate) log: Log,
    /// What is recorded.
    #[serde(default)]
    pub(crate) ledger: Ledger,
    /// What connectors run in.
    #[serde(default)]
    pub(crate) engine: Engine,
    /// The limits of services where nobody sets any, and the most that anybody may set.
    #[serde(default)]
    limits: PlatformTable,
    /// The same, checked.
    #[serde(skip)]
    pub(crate) platform: Platform,
}

/// Where agencies call.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Api {
    /// Address and port; port 0 takes a free one.
    pub(crate) listen: SocketAddr,
    /// Connections at once.
    #[serde(default = "default_connections")]
    pub(crate) max_connections: Within<1, 1_000_000>,
    /// Connections at once from one address; by default as many as there may be in all.
    pub(crate) max_connections_per_address: Option<Within<1, 1_000_000>>,
    /// From a connection's opening, or from the last answer, to the end of the next head.
    #[serde(default = "default_header_timeout")]
    pub(crate) header_timeout: Millis,
    /// From a head to the end of its body.
    #[serde(default = "default_body_timeout")]
    pub(crate) body_timeout: Millis,
    /// How many bytes of a body must come, and of an answer must be taken, in a second.
    #[serde(default = "default_min_rate")]
    pub(crate) min_rate: Bytes,
    /// From the wish to stop to the moment when calls under way are cut.
    #[serde(default = "default_drain")]
    pub(crate) drain: Millis,
    /// How long the answer to a request with an idempotency key is kept.
    #[serde(default)]
    pub(crate) idempotency_retention: Retention,
}

/// Where operators call.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Admin {
    /// Address and port; port 0 takes a free one.
    pub(crate) listen: SocketAddr,
    /// The file that holds the admin key.
    pub(crate) key_file: PathBuf,
}

/// What opens secrets.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub(crate) struct Vault {
    /// The file that holds the vault's keys; without it they are in the environment.
    pub(crate) key_file: Option<PathBuf>,
}

/// What is logged and how.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub(crate) struct Log {
    /// `error`, `warn`, `info`, `debug`, `trace`, or a filter by target.
    pub(crate) level: Level,
    /// How a line looks.
    pub(crate) format: Format,
}

/// A filter of log lines, as tracing-subscriber reads it.
#[derive(Debug, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Level(pub(crate) String);

/// How a log line looks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Format {
    /// A JSON object, for programs.
    #[default]
    Json,
    /// A text, for people.
    Text,
}

/// What is recorded.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub(crate) struct Ledger {
    /// Which exchanges.
    pub(crate) record: Record,
}

/// Which exchanges are recorded.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Record {
    /// Every one, before its answer.
    #[default]
    All,
    /// None: for measurements, on a loopback address.
    None,
}

/// What connectors run in.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub(crate) struct Engine {
    /// Calls that may run at once in the whole host.
    pub(crate) instances: Option<Within<1, 4096>>,
    /// Memory that compiling one component may take.
    pub(crate) compile_memory: CompileMemory,
    /// Processor time that compiling one component may take.
    pub(crate) compile_time: CompileTime,
}

/// Memory of a compiler: 256 MiB, with less it can begin nothing, to 64 GiB.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Bytes")]
pub(crate) struct CompileMemory(pub(crate) Bytes);

/// Processor time of a compiler: a second to an hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Millis")]
pub(crate) struct CompileTime(pub(crate) Millis);

/// How long answers are kept: an hour to a week.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Millis")]
pub(crate) struct Retention(pub(crate) Millis);

/// The address of a database. It may hold a password and is never printed.
#[derive(Clone, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct DatabaseAddress(pub(crate) String);

/// A whole number within bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "i64")]
pub(crate) struct Within<const LEAST: u32, const MOST: u32>(u32);

/// Milliseconds in an hour.
const HOUR: u64 = 3_600_000;

fn default_connections() -> Within<1, 1_000_000> {
    Within(4096)
}

fn default_header_timeout() -> Millis {
    Millis(10_000)
}

fn default_body_timeout() -> Millis {
    Millis(30_000)
}

fn default_min_rate() -> Bytes {
    Bytes(1 << 10)
}

fn default_drain() -> Millis {
    Millis(10_000)
}

impl<const LEAST: u32, const MOST: u32> Within<LEAST, MOST> {
    /// The number.
    pub(crate) fn get(self) -> u32 {
        self.0
    }
}

impl<const LEAST: u32, const MOST: u32> TryFrom<i64> for Within<LEAST, MOST> {
    type Error = String;

    fn try_from(number: i64) -> Result<Self, String> {
        match u32::try_from(number) {
            Ok(within) if (LEAST..=MOST).contains(&within) => Ok(Self(within)),
            _ => Err(format!("{number} is not a number from {LEAST} to {MOST}")),
        }
    }
}

impl Default for Retention {
    fn default() -> Self {
        Self(Millis(24 * HOUR))
    }
}

impl TryFrom<Millis> for Retention {
    type Error = String;

    fn try_from(time: Millis) -> Result<Self, String> {
        let (least, most) = (Millis(HOUR), Millis(7 * 24 * HOUR));
        match (least..=most).contains(&time) {
            true => Ok(Self(time)),
            false => Err(format!("{time} is not a time from {least} to {most}")),
        }
    }
}

impl Default for CompileMemory {
    fn default() -> Self {
        Self(CompileLimits::default().memory)
    }
}

impl TryFrom<Bytes> for CompileMemory {
    type Error = String;

    fn try_from(memory: Bytes) -> Result<Self, String> {
        let (least, most) = (Bytes(256 << 20), Bytes(64 << 30));
        match (least..=most).contains(&memory) {
            true => Ok(Self(memory)),
            false => Err(format!("{memory} is not a size from {least} to {most}")),
        }
    }
}

impl Default for CompileTime {
    fn default() -> Self {
        Self(CompileLimits::default().time)
    }
}

impl TryFrom<Millis> for CompileTime {
    type Error = String;

    fn try_from(time: Millis) -> Result<Self, String> {
        let (least, most) = (Millis(1000), Millis(HOUR));
        match (least..=most).contains(&time) {
            true => Ok(Self(time)),
            false => Err(format!("{time} is not a time from {least} to {most}")),
        }
    }
}

impl Default for Level {
    fn default() -> Self {
        Self("info".to_owned())
    }
}

impl TryFrom<String> for Level {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let remedy =
            "write `error`, `warn`, `info`, `debug` or `trace`, or for instance `info,truc_gateway=debug`";
        match EnvFilter::try_new(&text) {
            Ok(_) if !text.trim().is_empty() => Ok(Self(text)),
            Ok(_) => Err(remedy.to_owned()),
            Err(error) => Err(format!("{error}; {remedy}")),
        }
    }
}

impl TryFrom<String> for DatabaseAddress {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, &'static str> {
        match text.split_once("://") {
            // A relative path would depend on where the host was started.
            Some(("sqlite", path)) if Path::new(path).is_absolute() => Ok(Self(text)),
            Some(("postgres" | "postgresql", _)) => Ok(Self(text)),
            _ => Err("write `sqlite:///var/lib/truc/truc.db` or `postgres://user@host/database`"),
        }
    }
}

impl std::fmt::Debug for DatabaseAddress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.kind())
    }
}

impl DatabaseAddress {
    /// What may be said of it aloud.
    fn kind(&self) -> &'static str {
        if self.0.starts_with("sqlite:") { "sqlite" } else { "postgres" }
    }
}

impl Config {
    /// Reads a file. Relative paths in it begin at its folder.
    ///
    /// # Errors
    /// A file that cannot be read, and everything that can be told wrong from its text alone.
    pub(crate) fn read(file: &Path) -> Result<Self, Failure> {
        let wrong =
            |reason: String| Failure::new(Exit::Configuration, format!("{}: {reason}", file.display()));
        let text = std::fs::read_to_string(file).map_err(|error| wrong(error.to_string()))?;
        let folder = file.parent().unwrap_or(Path::new(""));
        Self::parse(&text, folder).map_err(wrong)
    }

    fn parse(text: &str, folder: &Path) -> Result<Self, String> {
        let mut config: Self = toml::from_str(text).map_err(|error| error.to_string())?;
        let vault = &mut config.vault.key_file;
        for path in [&mut config.data_dir, &mut config.admin.key_file].into_iter().chain(vault) {
            *path = folder.join(&*path);
        }
        config.platform = Platform::new(&config.limits.defaults(), &config.limits.ceilings())?;
        let postgres = matches!(&config.database, Some(address) if address.kind() == "postgres");
        if postgres && config.database_max_size.is_some() {
            return Err(
                "`database-max-size` is for SQLite only: with PostgreSQL the disk is the bound; remove it"
                    .to_owned(),
            );
        }
        if config.ledger.record == Record::None && !config.api.listen.ip().is_loopback() {
            return Err("`record = \"none\"` in [ledger] is for measurements only: it is taken where `listen` in [api] is \
                        a loopback address, for instance \"127.0.0.1:8080\""
                .to_owned());
        }
        let (api, admin) = (config.api.listen, config.admin.listen);
        if api.port() != 0 && api == admin {
            return Err(format!("[api] and [admin] both listen on {api}: give each a port of its own"));
        }
        Ok(config)
    }

    /// The database's address.
    pub(crate) fn database(&self) -> String {
        match &self.database {
            Some(address) => address.0.clone(),
            None => format!("sqlite://{}", self.data_dir.join("truc.db").display()),
        }
    }

    /// What is in force, as far as it may be said aloud.
    pub(crate) fn summary(&self) -> Summary {
        Summary {
            api: self.api.listen,
            admin: self.admin.listen,
            data_dir: self.data_dir.clone(),
            vault_keys: match &self.vault.key_file {
                Some(file) => file.display().to_string(),
                None => format!("environment ({})", crate::serve::VAULT_KEY),
            },
            database: self.database.as_ref().map_or("sqlite", DatabaseAddress::kind),
            recording: if self.ledger.record == Record::All { "all" } else { "none" },
        }
    }
}

/// What is in force, as far as it may be said aloud.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Summary {
    pub(crate) api: SocketAddr,
    pub(crate) admin: SocketAddr,
    pub(crate) data_dir: PathBuf,
    pub(crate) vault_keys: String,
    pub(crate) database: &'static str,
    pub(crate) recording: &'static str,
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXAMPLE: &str = include_str!("../../../docs/truc.example.toml");
    const LEAST: &str = "data-dir = \"data\"\n[api]\nlisten = \"127.0.0.1:8080\"\n[admin]\nlisten = \"127.0.0.1:8081\"\nkey-file = \"admin.key\"\n";

    fn parse(text: &str) -> Result<Config, String> {
        Config::parse(text, Path::new("/etc/truc"))
    }

    /// The keys of a table and of those in it, commented-out ones too: `api.listen`.
    fn documented(text: &str) -> Vec<String> {
        let mut table = String::new();
        let mut keys = Vec::new();
        for line in text.lines() {
            let line = line.strip_prefix("#= ").unwrap_or(line);
            if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
                table = format!("{name}.");
            } else if let Some((key, _)) = line.split_once(" = ")
                && key.chars().all(|letter| letter.is_ascii_lowercase() || letter == '-')
            {
                keys.push(format!("{table}{key}"));
            }
        }
        keys
    }

    #[test]
    fn the_example_is_taken_as_it_is_and_with_every_key_in_force() {
        let config = parse(EXAMPLE).unwrap();
        assert_eq!(config.api.listen.port(), 8080);
        let uncommented: String =
            EXAMPLE.lines().map(|line| format!("{}\n", line.strip_prefix("#= ").unwrap_or(line))).collect();
        assert_ne!(uncommented, EXAMPLE);
        let config = parse(&uncommented).unwrap();
        assert_eq!(config.vault.key_file.as_deref(), Some(Path::new("/etc/truc/vault.key")));
    }

    #[test]
    fn the_example_names_every_key() {
        let unknown = |text: &str| {
            let error = parse(text).unwrap_err();
            let (_, keys) = error
                .split_once("expected one of ")
                .or_else(|| error.split_once("expected "))
                .unwrap_or_else(|| panic!("{error}"));
            keys.split('`').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>()
        };
        let documented = documented(EXAMPLE);
        let top = unknown(&format!("nothing = 1\n{LEAST}"));
        assert!(top.len() > 5, "{top:?}");
        for key in top {
            let keys = match key.as_str() {
                "limits" => ["limits", "limits.ceilings"]
                    .into_iter()
                    .flat_map(|table| {
                        let inner = unknown(&format!("{LEAST}[{table}]\nnothing = 1\n")).into_iter();
                        inner.filter(|inner| inner != "ceilings").map(move |inner| format!("{table}.{inner}"))
                    })
                    .collect(),
                "api" | "admin" | "vault" | "log" | "ledger" | "engine" => {
                    let text = match LEAST.split_once(&format!("[{key}]\n")) {
                        Some((before, after)) => format!("{before}[{key}]\nnothing = 1\n{after}"),
                        None => format!("{LEAST}[{key}]\nnothing = 1\n"),
                    };
                    unknown(&text).into_iter().map(|inner| format!("{key}.{inner}")).collect()
                }
                _ => vec![key],
            };
            for key in keys {
                assert!(
                    documented.contains(&key),
                    "docs/truc.example.toml does not name {key}: {documented:?}"
                );
            }
        }
    }

    #[test]
    fn mistakes_are_told_with_their_line() {
        let with = |line: &str| parse(&format!("{LEAST}{line}")).unwrap_err();
        insta::assert_snapshot!(parse("data-dir = \"x\"\nlisten = 1\n").unwrap_err(), @"
        TOML parse error at line 2, column 1
          |
        2 | listen = 1
          | ^^^^^^
        unknown field `listen`, expected one of `data-dir`, `database`, `database-max-size`, `worker-threads`, `api`, `admin`, `vault`, `log`, `ledger`, `engine`, `limits`
        ");
        for (line, needle) in [
            ("[engine]\ninstances = 0", "0 is not a number from 1 to 4096"),
            ("[engine]\ncompile-memory = \"1MiB\"", "1MiB is not a size from 256MiB to 64GiB"),
            ("[engine]\ncompile-time = \"999ms\"", "999ms is not a time from 1s to 1h"),
            ("[log]\nlevel = \"loud=very\"", "write `error`, `warn`"),
            ("[log]\nformat = \"xml\"", "expected `json` or `text`"),
            ("[ledger]\nrecord = \"some\"", "expected `all` or `none`"),
        ] {
            let error = with(line);
            assert!(error.contains(needle) && error.contains("line 8"), "{error}");
        }
        let at = |from: &str, to: &str| parse(&LEAST.replace(from, to)).unwrap_err();
        assert!(at("127.0.0.1:8080", "localhost").contains("line 3"));
        assert!(at("data-dir", "database = \"mysql://x\"\ndata-dir").contains("write `sqlite:///"));
        assert!(
            at("data-dir", "database = \"postgres://x\"\ndatabase-max-size = \"1GiB\"\ndata-dir")
                .contains("SQLite only")
        );
        assert!(at("8081", "8080").contains("a port of its own"));
        for (time, needle) in [("59min", "59min is not a time from 1h to 168h"), ("8d", "`min`, `h`")] {
            let error = at("[admin]", &format!("idempotency-retention = \"{time}\"\n[admin]"));
            assert!(error.contains(needle) && error.contains("line 4"), "{error}");
        }
    }

    #[test]
    fn the_platforms_limits_are_checked_and_never_above_what_any_platform_can_give() {
        let platform = |lines: &str| parse(&format!("{LEAST}{lines}")).map(|config| config.platform);
        assert_eq!(platform(""), Ok(Platform::default()));
        let set =
            platform("[limits]\ncpu = \"100ms\"\nqueue = 8\n[limits.ceilings]\nmemory = \"32MiB\"").unwrap();
        assert_eq!((set.defaults.cpu, set.defaults.queue), (Millis(100), 8));
        assert_eq!((set.defaults.memory, set.ceilings.memory), (Bytes(32 << 20), Bytes(32 << 20)));
        for (lines, needle) in [
            (
                "[limits]\ndeadline = \"90s\"",
                "limits.deadline: 90s is more than the ceiling: write at most 1min",
            ),
            (
                "[limits.ceilings]\nmemory = \"1GiB\"",
                "limits.ceilings.memory: 1GiB is more than any platform can give",
            ),
            (
                "[limits]\ncpu = \"2s\"\n[limits.ceilings]\ncpu = \"1s\"",
                "limits.cpu: 2s is more than the ceiling: write at most 1s",
            ),
            ("[limits]\nconcurrency = 0", "limits.concurrency: with 0 nothing could be served"),
            ("[limits]\nupstreamBytes = \"1MiB\"", "unknown field `upstreamBytes`"),
            ("[limits]\nmemory = 64", "line 8"),
        ] {
            let error = platform(lines).unwrap_err();
            assert!(error.contains(needle), "{error}");
        }
    }

    #[test]
    fn recording_is_given_up_on_a_loopback_address_only() {
        let text = format!("{LEAST}[ledger]\nrecord = \"none\"\n");
        assert!(parse(&text).is_ok());
        for address in ["0.0.0.0:8080", "10.0.0.1:8080", "[::]:8080"] {
            let error = parse(&text.replace("127.0.0.1:8080", address)).unwrap_err();
            assert!(error.contains("measurements only"), "{error}");
        }
    }

    #[test]
    fn a_password_is_not_printed() {
        let config =
            parse(&LEAST.replace("data-dir", "database = \"postgres://truc:canary@db/truc\"\ndata-dir"))
                .unwrap();
        assert!(!format!("{config:?}").contains("canary"));
        assert!(!serde_json::to_string(&config.summary()).unwrap().contains("canary"));
    }
}

//! Databases for tests, of this room and of others: an SQLite file, or a real PostgreSQL.
//!
//! The PostgreSQL is started from the server programs installed on the machine, on a socket in a directory of its own,
//! with `fsync` on as in earnest. One server serves a whole test process, each test with a database of its own; tests
//! of outages start their own. A server lives at most as long as the process that started it, however that ends.

use std::env;
use std::fmt::Write as _;
use std::fs;
use std::io::{self, BufRead, BufReader, Write as _};
use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{OnceLock, mpsc};
use std::time::Duration;

use sqlx::{AssertSqlSafe, ConnectOptions, Connection};
use tempfile::TempDir;
use truc_model::Bytes;

use crate::Store;
use crate::database::Database;

/// How long the server may take to be ready. First starts on a busy machine take seconds.
const READY: Duration = Duration::from_secs(120);

/// Runs the server and waits for a word from its parent, which stops the server. The end of the parent, which closes
/// the pipe, stops it without ceremony and removes its directory. Only the server keeps standard error open, so that
/// its end is seen there.
const KEEPER: &str = r#"
server=$1 directory=$2; shift 2
"$server" -D "$directory/data" -c unix_socket_directories="$directory" -c listen_addresses= -c shared_buffers=16MB "$@" &
exec 2>&-
if read -r word; then kill -INT $!; wait $!; else kill -QUIT $!; wait $!; rm -rf "$directory"; fi
"#;

/// Which database a test runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// An SQLite file.
    Sqlite,
    /// A PostgreSQL server.
    Postgres,
}

/// A database for one test. An SQLite file goes away with it.
#[derive(Debug)]
pub struct TestDatabase {
    /// Its address, as [`Store::open`] takes it.
    pub address: String,
    _directory: Option<TempDir>,
}

impl TestDatabase {
    /// A new, empty database.
    ///
    /// # Errors
    /// No PostgreSQL is installed, or it does not start.
    pub async fn new(kind: Kind) -> Result<Self, String> {
        match kind {
            Kind::Sqlite => {
                let directory = TempDir::new().map_err(|error| error.to_string())?;
                let address = format!("sqlite://{}", directory.path().join("truc.db").display());
                Ok(Self { address, _directory: Some(directory) })
            }
            Kind::Postgres => {
                static SHARED: OnceLock<Result<Postgres, String>> = OnceLock::new();
                let address = SHARED.get_or_init(Postgres::start).as_ref()?.database().await?;
                Ok(Self { address, _directory: None })
            }
        }
    }

    /// The database, opened.
    ///
    /// # Errors
    /// It does not open.
    pub async fn open(&self) -> Result<Store, String> {
        Store::open(&self.address).await.map_err(|error| error.to_string())
    }
}

/// Takes a closed SQLite database back to what it was before contracts were published: without their table.
///
/// # Errors
/// The database does not answer.
pub async fn take_contracts_away(address: &str) -> Result<(), String> {
    let take = async {
        let path = address.strip_prefix("sqlite://").unwrap_or(address);
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path);
        let mut connection = options.connect().await?;
        let statements = "DROP TABLE contracts; DELETE FROM _sqlx_migrations WHERE version = 2";
        sqlx::raw_sql(statements).execute(&mut connection).await?;
        connection.close().await
    };
    take.await.map_err(|error: sqlx::Error| error.to_string())
}

/// Changes the largest size of an open store's SQLite file; nothing happens to PostgreSQL.
///
/// # Errors
/// The database does not answer.
pub async fn set_max_size(store: &Store, size: Bytes) -> crate::Result<()> {
    match &*store.database {
        Database::Sqlite(sqlite) => sqlite.limit(size).await,
        Database::Postgres(_) => Ok(()),
    }
}

/// Waits until nobody works on a table of the PostgreSQL database at the address, and then keeps everyone from it for as
/// long as the answer lives.
///
/// # Errors
/// The server does not answer.
pub async fn lock(address: &str, table: &str) -> Result<impl Sized + use<>, String> {
    let lock = async {
        let options: sqlx::postgres::PgConnectOptions = address.parse()?;
        let mut connection = options.connect().await?;
        let lock = AssertSqlSafe(format!("BEGIN; LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE"));
        sqlx::raw_sql(lock).execute(&mut connection).await?;
        Ok(connection)
    };
    lock.await.map_err(|error: sqlx::Error| error.to_string())
}

/// A PostgreSQL server of one's own.
#[derive(Debug)]
pub struct Postgres {
    programs: PathBuf,
    directory: PathBuf,
    arguments: Vec<String>,
    keeper: Option<(Child, ChildStdin)>,
    databases: AtomicU32,
}

impl Postgres {
    /// Makes a new server and waits until it is ready.
    ///
    /// # Errors
    /// No server programs are installed, or the server does not start; the text holds what it said.
    pub fn start() -> Result<Self, String> {
        Self::start_with(&[])
    }

    /// Makes a new server that is given arguments besides the usual ones, and waits until it is ready.
    ///
    /// # Errors
    /// As [`Postgres::start`].
    pub fn start_with(arguments: &[&str]) -> Result<Self, String> {
        let programs = programs()?;
        let directory = TempDir::with_prefix("truc-postgres-").map_err(|error| error.to_string())?.keep();
        let mut server = Self {
            programs,
            directory,
            arguments: arguments.iter().map(|argument| (*argument).to_owned()).collect(),
            keeper: None,
            databases: AtomicU32::new(0),
        };
        if let Some((uid, gid)) = other_user()? {
            chown(&server.directory, Some(uid), Some(gid)).map_err(|error| error.to_string())?;
        }
        let made = server
            .command(&server.programs.join("initdb"))?
            .args(["--username=truc", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync", "-D"])
            .arg(server.directory.join("data"))
            .output()
            .map_err(|error| format!("initdb does not run: {error}"))?;
        if !made.status.success() {
            return Err(format!("initdb failed: {}", String::from_utf8_lossy(&made.stderr)));
        }
        server.resume()?;
        Ok(server)
    }

    /// Makes a database and gives its address.
    ///
    /// # Errors
    /// The server does not answer.
    pub async fn database(&self) -> Result<String, String> {
        let address =
            |name: &str| format!("postgres://truc@localhost/{name}?host={}", self.directory.display());
        let name = format!("test_{}", self.databases.fetch_add(1, Ordering::Relaxed));
        let create = async {
            let options: sqlx::postgres::PgConnectOptions = address("postgres").parse()?;
            let mut connection = options.connect().await?;
            let create = AssertSqlSafe(format!("CREATE DATABASE {name}"));
            sqlx::raw_sql(create).execute(&mut connection).await?;
            connection.close().await
        };
        create.await.map_err(|error: sqlx::Error| error.to_string())?;
        Ok(address(&name))
    }

    /// Stops the server in order. It can be resumed with all it holds.
    ///
    /// # Errors
    /// The server cannot be told.
    pub fn stop(&mut self) -> io::Result<()> {
        if let Some((mut keeper, mut pipe)) = self.keeper.take() {
            writeln!(pipe, "stop")?;
            keeper.wait()?;
        }
        Ok(())
    }

    /// Starts a stopped server again and waits until it is ready.
    ///
    /// # Errors
    /// The server does not start; the text holds what it said.
    pub fn resume(&mut self) -> Result<(), String> {
        let mut keeper = self
            .command(Path::new("sh"))?
            .args(["-c", KEEPER, "keeper"])
            .arg(self.programs.join("postgres"))
            .arg(&self.directory)
            .args(&self.arguments)
            .stdin(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| format!("sh does not run: {error}"))?;
        let (Some(pipe), Some(log)) = (keeper.stdin.take(), keeper.stderr.take()) else {
            return Err("the server's pipes are missing".to_owned());
        };
        self.keeper = Some((keeper, pipe));

        let (sender, lines) = mpsc::channel();
        std::thread::spawn(move || {
            // Reads on when nobody listens any more: a full pipe would stop the server.
            for line in BufReader::new(log).lines().map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
        let mut said = String::new();
        while let Ok(line) = lines.recv_timeout(READY) {
            if line.contains("ready to accept connections") {
                return Ok(());
            }
            let _ = writeln!(said, "{line}");
        }
        Err(format!("PostgreSQL does not start: {said}"))
    }

    /// A command that runs as a user PostgreSQL accepts, away from the terminal's signals.
    fn command(&self, program: &Path) -> Result<Command, String> {
        let mut command = Command::new(program);
        command.current_dir(&self.directory).env("LC_ALL", "C").process_group(0).stdout(Stdio::null());
        if let Some((uid, gid)) = other_user()? {
            command.uid(uid).gid(gid);
        }
        Ok(command)
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        match self.keeper.take() {
            Some((mut keeper, pipe)) => {
                drop(pipe);
                let _ = keeper.wait();
            }
            None => {
                let _ = fs::remove_dir_all(&self.directory);
            }
        }
    }
}

/// The directory of the server programs: the first on the path, or else the newest where Debian puts them.
fn programs() -> Result<PathBuf, String> {
    let on_path: Vec<_> =
        env::var_os("PATH").map(|path| env::split_paths(&path).collect()).unwrap_or_default();
    let mut installed: Vec<PathBuf> = fs::read_dir("/usr/lib/postgresql")
        .map(|versions| versions.flatten().map(|version| version.path().join("bin")).collect())
        .unwrap_or_default();
    installed.sort_by_key(|bin| {
        let version = bin.parent().and_then(Path::file_name).and_then(|name| name.to_str());
        std::cmp::Reverse(version.and_then(|version| version.parse::<u32>().ok()))
    });
    let complete =
        |directory: &PathBuf| ["initdb", "postgres"].iter().all(|program| directory.join(program).is_file());
    on_path.into_iter().chain(installed).find(complete).ok_or_else(|| {
        "these tests run on a real PostgreSQL and none is installed: `apt-get install postgresql`, or put the \
         directory with `initdb` and `postgres` on PATH"
            .to_owned()
    })
}

/// Whom to run the server as: PostgreSQL refuses to run as root.
fn other_user() -> Result<Option<(u32, u32)>, String> {
    let own = fs::metadata("/proc/self").map_err(|error| format!("/proc/self: {error}"))?.uid();
    if own != 0 {
        return Ok(None);
    }
    let users = fs::read_to_string("/etc/passwd").map_err(|error| format!("/etc/passwd: {error}"))?;
    let ids = |wanted: &str| {
        let mut fields =
            users.lines().map(|line| line.split(':')).find(|fields| fields.clone().next() == Some(wanted))?;
        Some((fields.nth(2)?.parse().ok()?, fields.next()?.parse().ok()?))
    };
    ids("postgres").or_else(|| ids("nobody")).map(Some).ok_or_else(|| {
        "PostgreSQL does not run as root, and there is no user `postgres` or `nobody` to run it as".to_owned()
    })
}

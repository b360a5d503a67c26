//! A running `truc serve` for one test, and the program run beside it.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use regex::Regex;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

/// A folder with a configuration and keys.
pub(crate) struct Installation {
    folder: TempDir,
}

/// A running host.
pub(crate) struct Host {
    pub(crate) installation: Installation,
    pub(crate) api: SocketAddr,
    pub(crate) admin: SocketAddr,
    process: Process,
}

/// A process that does not outlive a test that fails half-way.
struct Process(Child);

/// Commands and what they said, as somebody would have seen it on a terminal.
pub(crate) struct Transcript<'a> {
    host: &'a Host,
    text: String,
}

/// What a run of the program left.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) exit: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// Runs the program with arguments.
pub(crate) fn truc(arguments: &[&str]) -> Run {
    finish(program().args(arguments))
}

fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_truc"));
    command.env_remove("TRUC_ADMIN").env_remove("TRUC_ADMIN_KEY_FILE").env_remove("TRUC_VAULT_KEY");
    command.stdin(Stdio::null());
    command
}

fn finish(command: &mut Command) -> Run {
    let output = command.output().unwrap();
    Run {
        exit: output.status.code().unwrap(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

impl Run {
    /// The output of a run that must have succeeded.
    #[track_caller]
    pub(crate) fn text(&self) -> &str {
        assert_eq!(self.exit, 0, "{}", self.err);
        &self.out
    }

    /// The document of a run with `--json` that must have succeeded.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(self.text()).unwrap_or_else(|error| panic!("{error}: {}", self.out))
    }

    /// The error of a run that must have failed so.
    #[track_caller]
    pub(crate) fn failed(&self, exit: i32) -> &str {
        assert_eq!(self.exit, exit, "{}{}", self.out, self.err);
        assert_eq!(self.out, "");
        &self.err
    }
}

impl Installation {
    pub(crate) fn new() -> Self {
        let installation = Self { folder: TempDir::new().unwrap() };
        let key = truc(&["admin-key"]);
        installation.write("admin.key", key.text());
        let key = truc(&["vault", "key"]);
        installation.write("vault.key", key.text());
        installation.configure("127.0.0.1:0", "127.0.0.1:0", "");
        installation
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    /// Writes the configuration: where to listen, and lines to end with.
    pub(crate) fn configure(&self, api: &str, admin: &str, more: &str) {
        let text = format!(
            "data-dir = \"data\"\nworker-threads = 2\n[api]\nlisten = \"{api}\"\n[admin]\nlisten = \"{admin}\"\n\
             key-file = \"admin.key\"\n[vault]\nkey-file = \"vault.key\"\n[engine]\ninstances = 16\n{more}"
        );
        self.write("truc.toml", &text);
    }

    fn config(&self) -> String {
        self.path("truc.toml").display().to_string()
    }

    /// Runs `serve`, which must end by itself.
    pub(crate) fn serve_in_vain(&self) -> Run {
        truc(&["serve", "--config", &self.config()])
    }

    pub(crate) fn check_config(&self, more: &[&str]) -> Run {
        truc(&[&["check-config", "--config", &self.config()], more].concat())
    }

    /// The same with variables in its environment.
    pub(crate) fn check_config_in(&self, variables: &[(&str, &str)]) -> Run {
        let mut command = program();
        finish(command.args(["check-config", "--config", &self.config()]).envs(variables.iter().copied()))
    }

    /// Starts a host and waits until it says that it is ready.
    pub(crate) fn serve(self) -> Host {
        let log = std::fs::File::create(self.path("log")).unwrap();
        let mut command = program();
        command.args(["serve", "--config", &self.config()]).stdout(Stdio::piped()).stderr(log);
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let ports: Value =
            serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}{}", self.log()));
        let port = |name: &str| ports[name].as_str().unwrap().parse().unwrap();
        Host { api: port("api"), admin: port("admin"), process: Process(child), installation: self }
    }

    /// What the host logged.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.path("log")).unwrap()
    }

    /// The text with everything replaced that differs from run to run.
    pub(crate) fn stable(&self, text: &str) -> String {
        let text = text.replace(&self.folder.path().display().to_string(), "<folder>");
        let text = text.replace(&contract(""), "wit/");
        let text = text.replace(&connectors().display().to_string(), "target/connectors");
        let replaced = [
            (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", "<time>"),
            (r"sha256:[0-9a-f]{64}", "<digest>"),
            (r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}", "<request>"),
            (r"truc_[0-9a-f]{16}_[0-9A-Za-z_-]{43}", "<key>"),
            (r"\b[0-9a-f]{16}\b", "<identifier>"),
            (r"\b\d+ KiB", "<size>"),
            (r"(\s)\d+\.\d(\s)", "$1<ms>$2"),
            (r"127\.0\.0\.1:\d{4,5}", "<address>"),
            // Columns are as wide as what was replaced.
            (r" {2,}", "  "),
        ];
        replaced.iter().fold(text, |text, (pattern, with)| {
            Regex::new(pattern).unwrap().replace_all(&text, *with).into_owned()
        })
    }
}

impl Host {
    /// Runs a command against the host.
    pub(crate) fn truc(&self, arguments: &[&str]) -> Run {
        Self::truc_at(self.admin, &self.installation.path("admin.key"), arguments)
    }

    /// Runs a command against a host that may be gone before it ends.
    pub(crate) fn truc_at(admin: SocketAddr, key: &Path, arguments: &[&str]) -> Run {
        finish(Self::command(admin, key).args(arguments))
    }

    fn command(admin: SocketAddr, key: &Path) -> Command {
        let mut command = program();
        command.env("TRUC_ADMIN", format!("http://{admin}")).env("TRUC_ADMIN_KEY_FILE", key);
        command
    }

    /// Puts a secret.
    pub(crate) fn secret(&self, name: &str, value: &str) -> Run {
        self.truc_with(&["secret", "put", name], value)
    }

    /// Runs a command against the host that reads something.
    pub(crate) fn truc_with(&self, arguments: &[&str], input: &str) -> Run {
        let (reader, mut writer) = std::io::pipe().unwrap();
        writer.write_all(input.as_bytes()).unwrap();
        drop(writer);
        let mut command = Self::command(self.admin, &self.installation.path("admin.key"));
        finish(command.args(arguments).stdin(reader))
    }

    /// Begins a transcript.
    pub(crate) fn transcript(&self) -> Transcript<'_> {
        Transcript { host: self, text: String::new() }
    }

    /// The number of the host's process.
    pub(crate) fn pid(&self) -> u32 {
        self.process.0.id()
    }

    /// Asks the host to stop, and waits. The exit code must be 0.
    pub(crate) fn stop(self, signal: Signal) -> Installation {
        let Self { installation, mut process, .. } = self;
        kill_process(Pid::from_raw(process.0.id().cast_signed()).unwrap(), signal).unwrap();
        let status = process.0.wait().unwrap();
        assert_eq!(status.code(), Some(0), "{}", installation.log());
        installation
    }

    /// Kills the host, as a loss of power would.
    pub(crate) fn kill(self) -> Installation {
        drop(self.process);
        self.installation
    }

    /// Any request to the data plane.
    pub(crate) fn request(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> Reply {
        request(self.api, method, path, headers)
    }

    /// Calls the data plane. The answer's status and body.
    pub(crate) fn call(&self, path: &str, key: Option<&str>) -> (u16, String) {
        get(self.api, path, key)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Transcript<'_> {
    /// Runs a command.
    pub(crate) fn run(&mut self, arguments: &[&str]) {
        let quoted = |argument: &&str| match argument.contains([' ', '*']) {
            true => format!("'{argument}'"),
            false => (*argument).to_owned(),
        };
        let arguments_shown: Vec<String> = arguments.iter().map(quoted).collect();
        let Run { exit, out, err } = self.host.truc(arguments);
        let exit = if exit == 0 { String::new() } else { format!("(exit code {exit})\n") };
        let said = self
            .host
            .installation
            .stable(&format!("$ truc {}\n{out}{err}{exit}\n", arguments_shown.join(" ")));
        self.text.push_str(&said);
    }

    /// All of it.
    pub(crate) fn text(self) -> String {
        self.text
    }
}

/// An answer as it came.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: String,
}

impl Reply {
    /// A header field, by its name in lower case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let fields = self.head.lines().filter_map(|line| line.split_once(": "));
        fields.into_iter().find(|(field, _)| *field == name).map(|(_, value)| value)
    }
}

/// A `GET` request; the answer's status and body.
pub(crate) fn get(address: SocketAddr, path: &str, key: Option<&str>) -> (u16, String) {
    let bearer = key.map(|key| format!("Bearer {key}"));
    let headers: Vec<_> = bearer.iter().map(|bearer| ("authorization", bearer.as_str())).collect();
    let reply = request(address, "GET", path, &headers);
    (reply.status, reply.body)
}

/// One request on one connection.
fn request(address: SocketAddr, method: &str, path: &str, headers: &[(&str, &str)]) -> Reply {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let mut request = format!("{method} {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n");
    for (name, value) in headers {
        write!(request, "{name}: {value}\r\n").unwrap();
    }
    request.push_str("\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Reply { status, head: head.to_owned(), body: body.to_owned() }
}

/// A connector that `cargo xtask connectors` built.
pub(crate) fn component(name: &str) -> String {
    let file = connectors().join(format!("{name}.wasm"));
    assert!(file.exists(), "{} is missing; run `cargo xtask connectors` first", file.display());
    file.display().to_string()
}

/// Where `cargo xtask connectors` puts what it builds.
fn connectors() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("connectors")
}

/// The folder of a contract.
pub(crate) fn contract(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../wit").join(name);
    folder.display().to_string()
}

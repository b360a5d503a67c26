//! Programs that run beside a command: started, waited for until they say that they are ready, and stopped. None
//! outlives the command, even where it fails half-way.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use rustix::process::{Pid, Signal, kill_process};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout};
use tokio::time::timeout;

/// How long a program may take until it is ready.
const READY_WITHIN: Duration = Duration::from_secs(60);

/// How long a program may take to end after it was asked to.
const STOPPED_WITHIN: Duration = Duration::from_secs(15);

/// A running program. What it writes to standard error goes into a log file; what it writes to standard output is a few
/// lines for whoever started it. It is killed when this value is dropped.
pub(crate) struct Server {
    name: String,
    child: Child,
    log: PathBuf,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Server {
    /// Starts a program. `core` is the one core it may use; none leaves that to the system.
    pub(crate) fn start(name: &str, mut command: Command, log: &Path, core: Option<usize>) -> Result<Self> {
        // A group of its own: Ctrl-C in the terminal reaches this command, which then stops its programs in order.
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let file = File::create(log).with_context(|| format!("{} cannot be made", log.display()))?;
        // Logs go to the file without passing through here: a program whose log nobody reads would stand still.
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(file);

        let mut command = tokio::process::Command::from(command);
        command.kill_on_drop(true);
        let mut child =
            pinned(core, || command.spawn())?.with_context(|| format!("{name} cannot be started"))?;

        let lines = child.stdout.take().context("the program has no standard output")?;
        let lines = BufReader::new(lines).lines();
        Ok(Self { name: name.to_owned(), child, log: log.to_owned(), lines })
    }

    /// The process's number.
    pub(crate) fn id(&self) -> Option<u32> {
        self.child.id()
    }

    /// Waits for the first line on standard output in which `read` finds what it looks for: a program says so that it
    /// is ready.
    pub(crate) async fn line<T>(&mut self, read: impl Fn(&str) -> Option<T>) -> Result<T> {
        self.line_within(READY_WITHIN, read).await
    }

    /// The same, with another bound.
    pub(crate) async fn line_within<T>(
        &mut self,
        bound: Duration,
        read: impl Fn(&str) -> Option<T>,
    ) -> Result<T> {
        let found = timeout(bound, async {
            while let Ok(Some(line)) = self.lines.next_line().await {
                if let Some(found) = read(&line) {
                    return Some(found);
                }
            }
            None
        });
        match found.await {
            Ok(Some(found)) => Ok(found),
            Ok(None) => Err(self.failure("ended before it said what was waited for").await),
            Err(_) => Err(self.failure("did not say in time what was waited for").await),
        }
    }

    /// Waits until the program ends by itself, which a server does only when it fails.
    pub(crate) async fn ended(&mut self) -> anyhow::Error {
        let status = self.child.wait().await;
        self.failure(&format!("ended: {status:?}")).await
    }

    /// Kills the program, which gets no time for anything, and waits until it is gone.
    pub(crate) async fn kill(mut self) -> Result<()> {
        Ok(self.child.kill().await?)
    }

    /// Asks the program to end, and waits.
    pub(crate) async fn stop(mut self) -> Result<ExitStatus> {
        if let Some(pid) = self.child.id().and_then(|id| Pid::from_raw(id.cast_signed())) {
            kill_process(pid, Signal::TERM)?;
        }
        match timeout(STOPPED_WITHIN, self.child.wait()).await {
            Ok(status) => Ok(status?),
            Err(_) => Err(self.failure("did not end when it was asked to").await),
        }
    }

    /// The end of the log, which mostly says why.
    async fn failure(&self, what: &str) -> anyhow::Error {
        let log = tokio::fs::read(&self.log).await.unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let lines: Vec<&str> = log.lines().collect();
        let last = lines.get(lines.len().saturating_sub(12)..).unwrap_or_default().join("\n");
        anyhow!("{} {what}. The end of {}:\n{last}", self.name, self.log.display())
    }
}

/// Does something on one core only: a program started by it inherits the restriction with all its threads.
pub(crate) fn pinned<T>(core: Option<usize>, start: impl FnOnce() -> T) -> Result<T> {
    let Some(core) = core else { return Ok(start()) };
    let before = sched_getaffinity(None)?;
    let mut only = CpuSet::new();
    only.set(core);
    sched_setaffinity(None, &only)?;
    let started = start();
    sched_setaffinity(None, &before)?;
    Ok(started)
}

/// The cores this process may use.
pub(crate) fn cores() -> Result<Vec<usize>> {
    let allowed = sched_getaffinity(None)?;
    Ok((0..CpuSet::MAX_CPU).filter(|core| allowed.is_set(*core)).collect())
}

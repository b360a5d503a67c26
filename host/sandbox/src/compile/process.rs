//! The host's side of the compiler process: start it, give it the component, hear its answer, end it.
//!
//! What the process says is believed as far as it must be: its answer is read no further than code may be long, its
//! words are kept short, and however it ends, it is killed and reaped before anything else happens.

use std::io::{Read, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::PathBuf;
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread::Builder;

use rustix::process::{Pid, Signal, kill_process_group};
use truc_model::Millis;

use crate::artifact::{Code, EngineIdentity};
use crate::compile::child::{Answer, MAX_ANSWER};
use crate::compile::{CompileError, CompileLimits, Cost};

/// How much of what the process says on standard error is read. It tells why a process ended, and is never shown.
const MAX_SAID: u64 = 4 << 10;

/// How much of a refusal is passed on.
const MAX_REASON: usize = 1000;

/// A program that compiles one component each time it is started, by [`compile_component`](crate::compile_component).
#[derive(Debug, Clone)]
pub struct CompilerProcess {
    /// The program.
    pub program: PathBuf,
    /// Its arguments, which say the same as `limits`.
    pub arguments: Vec<String>,
    /// Its environment: these names and values, and nothing of the host's.
    pub environment: Vec<(String, String)>,
    /// What compiling one component may cost.
    pub limits: CompileLimits,
    /// How long a host waits for the answer. More than the processor time: others use the machine too.
    pub patience: Millis,
}

/// A running process, in a group of its own, that does not outlive this value and leaves nothing to be reaped.
struct Running {
    process: Child,
    reaped: bool,
}

/// What a process left.
struct Heard {
    answer: Vec<u8>,
    said: String,
    in_time: bool,
}

impl CompilerProcess {
    /// A compiler that is waited for twice as long as it may compute, and for a minute more: it gives way to others, and
    /// what keeps it in bounds is its processor time.
    pub fn new(program: PathBuf, arguments: Vec<String>, limits: CompileLimits) -> Self {
        let patience = Millis(limits.seconds().saturating_mul(2000).saturating_add(60_000));
        Self { program, arguments, environment: Vec::new(), limits, patience }
    }

    pub(super) fn compile(&self, identity: &EngineIdentity, component: &[u8]) -> Result<Code, CompileError> {
        let unusable = |error: std::io::Error| {
            CompileError::Unusable(format!("{} cannot be used: {error}", self.program.display()))
        };
        let mut running = Running { process: self.start().map_err(unusable)?, reaped: false };
        let heard = running.converse(component, self.patience).map_err(unusable)?;
        let status = running.end().map_err(unusable)?;
        if heard.answer.len() > MAX_ANSWER {
            return Err(CompileError::Unusable("its answer has no end".to_owned()));
        }
        if !status.success() || !heard.in_time {
            return Err(self.failure(status, &heard));
        }
        match Answer::read(heard.answer) {
            Some((compiled_for, answer)) if compiled_for == *identity.configuration().as_bytes() => {
                self.result(answer)
            }
            Some(_) => {
                Err(CompileError::Unusable("it compiles for another engine or configuration".to_owned()))
            }
            None => Err(CompileError::Unusable("its answer is none".to_owned())),
        }
    }

    /// Starts the process. It gets nothing of the host's environment, no file but its three streams, and no folder of the
    /// host's.
    fn start(&self) -> std::io::Result<Child> {
        Command::new(&self.program)
            .arg0("truc")
            .args(&self.arguments)
            .env_clear()
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .current_dir("/")
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
    }

    fn result(&self, answer: Answer) -> Result<Code, CompileError> {
        match answer {
            Answer::Code(code) => Ok(Code::from_compiler(code)),
            Answer::Refused(reason) => Err(CompileError::Refused(harmless(&reason))),
            Answer::TooLarge => Err(CompileError::TooCostly(Cost::Code)),
            Answer::OutOfMemory => Err(CompileError::TooCostly(Cost::Memory(self.limits.memory))),
        }
    }

    /// Why a process gave no answer.
    fn failure(&self, status: ExitStatus, heard: &Heard) -> CompileError {
        let signal = |wanted: Signal| status.signal() == Some(wanted.as_raw());
        let said = |words: &str| heard.said.contains(words);
        if !heard.in_time {
            return CompileError::TooCostly(Cost::Patience(self.patience));
        }
        if signal(Signal::XCPU) {
            return CompileError::TooCostly(Cost::Time(self.limits.time));
        }
        // The standard library says so before it ends the process.
        if said("memory allocation of ") {
            return CompileError::TooCostly(Cost::Memory(self.limits.memory));
        }
        if said("has overflowed its stack") {
            return CompileError::TooCostly(Cost::Depth);
        }
        // Nothing in the process sends this signal, so somebody else did: most likely the system, short of memory.
        if signal(Signal::KILL) {
            return CompileError::Unusable("it was killed from outside".to_owned());
        }
        match status.code() {
            // The program's own exit codes, of before it had seen the component; its words are the host's.
            Some(1..=9) => {
                CompileError::Unusable(format!("it ended with {status}: {}", harmless(&heard.said)))
            }
            _ => CompileError::Refused(format!("the compiler failed on it ({status})")),
        }
    }
}

impl Running {
    /// Sends the component and reads what comes back until there is no more, too much, or no more time. Afterwards the
    /// process is of no more use.
    fn converse(&mut self, component: &[u8], patience: Millis) -> std::io::Result<Heard> {
        let process = &mut self.process;
        let (Some(input), Some(output), Some(errors)) =
            (process.stdin.take(), process.stdout.take(), process.stderr.take())
        else {
            return Err(std::io::Error::other("the process has no streams"));
        };
        let (ended, end) = mpsc::channel();
        let thread = || Builder::new().name("compiler".to_owned());
        std::thread::scope(|scope| {
            // Without one of the threads there is no conversation; the process ends and frees those that there are.
            let threads = (|| {
                thread().spawn_scoped(scope, move || feed(input, component))?;
                let said = thread().spawn_scoped(scope, move || listen(errors))?;
                let answer = thread().spawn_scoped(scope, move || {
                    let answer = hear(output);
                    let _ = ended.send(());
                    answer
                })?;
                Ok::<_, std::io::Error>((said, answer))
            })();
            let in_time = threads.is_ok() && end.recv_timeout(patience.as_duration()).is_ok();
            // A process whose output has ended is ending, and how it ends is settled: this takes only those that are not.
            self.kill();
            let (said, answer) = threads?;
            let (said, answer) = (said.join().unwrap_or_default(), answer.join().unwrap_or_default());
            Ok(Heard { answer, said, in_time })
        })
    }

    /// Ends the process, and says how it ended.
    fn end(mut self) -> std::io::Result<ExitStatus> {
        self.kill();
        let status = self.process.wait();
        self.reaped = status.is_ok();
        status
    }

    /// Kills the whole group. Its number is nobody else's as long as the process has not been waited for.
    fn kill(&self) {
        if !self.reaped
            && let Some(group) = Pid::from_raw(self.process.id().cast_signed())
        {
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if !self.reaped {
            self.kill();
            let _ = self.process.wait();
        }
    }
}

/// Sends the component. A process that ends before it has read all of it says why in another way.
fn feed(mut input: ChildStdin, component: &[u8]) {
    let _ = input.write_all(component);
}

/// Reads the answer, no further than one may go.
fn hear(output: ChildStdout) -> Vec<u8> {
    let mut answer = Vec::new();
    let _ = output.take(MAX_ANSWER as u64 + 1).read_to_end(&mut answer);
    answer
}

fn listen(errors: ChildStderr) -> String {
    let mut said = Vec::new();
    let _ = errors.take(MAX_SAID).read_to_end(&mut said);
    String::from_utf8_lossy(&said).into_owned()
}

/// A text of the process, short and without anything that could act on a terminal or in a log.
fn harmless(text: &str) -> String {
    let text = text.trim().chars().take(MAX_REASON);
    text.map(|letter| if letter.is_control() { ' ' } else { letter }).collect()
}

//! What a compiler process may do, set by itself before it sees the component, and never to be undone: limits of the
//! operating system for what it costs, and a filter of system calls for everything else.
//!
//! The filter names what is allowed: reading standard input, writing standard output and error, memory that cannot be
//! executed, ending. Everything else fails with `EPERM`: the process cannot open, connect, start, signal or look into
//! anything, nor use a file that it should have inherited.

use std::collections::BTreeMap;

use rustix::process::{Resource, Rlimit, Signal};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
    TargetArch,
};

use crate::compile::CompileLimits;

/// Calls are served first: where processors are short, the compiler has a third of what others have. Less would keep a
/// busy machine from ever starting a host whose connectors must be compiled.
const NICE: i32 = 5;

/// The first file that is no standard stream.
const STREAMS: u64 = 3;

/// Sets the limits of the operating system.
pub(super) fn limit(limits: CompileLimits) -> std::io::Result<()> {
    // Whoever asked is gone when the host is.
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
    rustix::process::nice(NICE)?;
    // Where the machine is short of memory, the system shall end this process and not the host. Not every system lets
    // itself be asked.
    let _ = std::fs::write("/proc/self/oom_score_adj", "1000");
    let seconds = limits.seconds();
    for (resource, soft, hard) in [
        (Resource::Core, 0, 0),
        (Resource::Fsize, 0, 0),
        (Resource::Nofile, STREAMS, STREAMS),
        // At the soft limit comes a signal that says what the matter is, at the hard one death.
        (Resource::Cpu, seconds, seconds + 1),
        (Resource::As, limits.memory.0, limits.memory.0),
    ] {
        // Whoever started the host may have set narrower limits, which stay.
        let bound = rustix::process::getrlimit(resource).maximum.unwrap_or(u64::MAX);
        let limit = Rlimit { current: Some(soft.min(bound)), maximum: Some(hard.min(bound)) };
        rustix::process::setrlimit(resource, limit)?;
    }
    Ok(())
}

/// Sets the filter.
pub(super) fn close() -> Result<(), String> {
    let filter = filter().map_err(|error| error.to_string())?;
    seccompiler::apply_filter(&filter).map_err(|error| error.to_string())
}

fn filter() -> Result<BpfProgram, seccompiler::BackendError> {
    let own = u64::from(std::process::id());
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> = ALWAYS.iter().map(|call| (*call, Vec::new())).collect();
    for (call, stream) in [
        (libc::SYS_read, 0),
        (libc::SYS_readv, 0),
        (libc::SYS_write, 1),
        (libc::SYS_write, 2),
        (libc::SYS_writev, 1),
        (libc::SYS_writev, 2),
    ] {
        rules.entry(call).or_default().push(SeccompRule::new(vec![is(0, stream)?])?);
    }
    // Memory of no file, and not to be executed.
    let anonymous = is(4, u64::from(u32::MAX))?;
    rules.insert(libc::SYS_mmap, vec![SeccompRule::new(vec![anonymous, not_executable()?])?]);
    rules.insert(libc::SYS_mprotect, vec![SeccompRule::new(vec![not_executable()?])?]);
    // A process that gives up sends itself a signal.
    rules.insert(libc::SYS_tgkill, vec![SeccompRule::new(vec![is(0, own)?])?]);
    let denied = SeccompAction::Errno(libc::EPERM.cast_unsigned());
    let target: TargetArch = std::env::consts::ARCH.try_into()?;
    SeccompFilter::new(rules, denied, SeccompAction::Allow, target)?.try_into()
}

/// What is allowed with any arguments.
const ALWAYS: &[i64] = &[
    libc::SYS_brk,
    libc::SYS_clock_gettime,
    libc::SYS_exit,
    libc::SYS_exit_group,
    libc::SYS_futex,
    libc::SYS_getpid,
    libc::SYS_getrandom,
    libc::SYS_gettid,
    libc::SYS_madvise,
    libc::SYS_mremap,
    libc::SYS_munmap,
    libc::SYS_restart_syscall,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sigaltstack,
];

/// The argument at a place is this.
fn is(place: u8, value: u64) -> Result<SeccompCondition, seccompiler::BackendError> {
    SeccompCondition::new(place, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, value)
}

/// The protection that `mmap` and `mprotect` are asked for is without execution.
fn not_executable() -> Result<SeccompCondition, seccompiler::BackendError> {
    let execution = SeccompCmpOp::MaskedEq(u64::from(libc::PROT_EXEC.cast_unsigned()));
    SeccompCondition::new(2, SeccompCmpArgLen::Dword, execution, 0)
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::Read;
    use std::net::{TcpStream, UdpSocket};
    use std::process::Command;

    use super::*;

    #[test]
    fn whoever_is_closed_reaches_nothing_and_can_still_compute() {
        // The filter holds for the thread that sets it.
        let closed = std::thread::spawn(|| {
            let mut open = File::open("/dev/zero").unwrap();
            close().unwrap();
            let computed: usize = vec![1_u8; 64 << 20].into_iter().map(usize::from).sum();
            let refused = [
                ("a file", File::open("/dev/zero").err()),
                ("a file of before", open.read(&mut [0]).err()),
                ("a folder", std::fs::read_dir("/").err()),
                ("the network", TcpStream::connect("127.0.0.1:9").err()),
                ("a socket", UdpSocket::bind("127.0.0.1:0").err()),
                ("a program", Command::new("/bin/true").spawn().err()),
                ("a thread", std::thread::Builder::new().spawn(|| ()).err()),
                (
                    "another process",
                    rustix::process::test_kill_process(rustix::process::Pid::INIT).err().map(Into::into),
                ),
                (
                    "its limits",
                    rustix::process::setrlimit(Resource::Core, Rlimit { current: None, maximum: None })
                        .err()
                        .map(Into::into),
                ),
            ];
            std::mem::forget(open);
            (computed, refused.map(|(what, error)| (what, error.and_then(|error| error.raw_os_error()))))
        });
        let (computed, refused) = closed.join().unwrap();
        assert_eq!(computed, 64 << 20);
        for (what, error) in refused {
            assert_eq!(error, Some(libc::EPERM), "{what}");
        }
    }
}

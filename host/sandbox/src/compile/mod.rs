//! Compiling a component: who does it, what it may cost, and what comes of it.
//!
//! Compiling is the one thing a host does with a stranger's code before any limit of a call holds: a file of a few MiB
//! can keep a compiler busy for hours or fill the memory. So a host has it done by a process of its own ([`process`] is the
//! host's side of it, [`child`] the other, [`confine`] what that side may do), and kills that process when it costs too
//! much. Nothing here runs a connector.

pub(crate) mod child;
mod confine;
mod gate;
mod process;

use truc_model::{Bytes, Millis};
use wasmtime::Engine;

use crate::artifact::{Code, EngineIdentity};
use crate::settings::MAX_CODE_BYTES;

pub(crate) use gate::Gate;
pub use process::CompilerProcess;

/// Who compiles components.
#[derive(Debug, Clone)]
pub enum Compiler {
    /// A process for each component, bounded and confined. The only way for a host.
    Process(CompilerProcess),
    /// This process, without bounds: for the tests of rooms, which have no program to start.
    InProcess,
}

/// What compiling one component may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CompileLimits {
    /// Address space of the compiler.
    pub memory: Bytes,
    /// Processor time of the compiler; counted in whole seconds, begun ones in full.
    pub time: Millis,
}

impl Default for CompileLimits {
    fn default() -> Self {
        Self { memory: Bytes(2 << 30), time: Millis(60_000) }
    }
}

impl CompileLimits {
    /// The processor time in seconds, as the operating system counts it.
    fn seconds(&self) -> u64 {
        self.time.0.div_ceil(1000).max(1)
    }
}

/// Why a component is too costly to compile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Cost {
    /// The compiler asked for more memory than it may have.
    #[error(
        "the compiler needs more memory than the {0} it may have (`compile-memory` in [engine] of the host's configuration)"
    )]
    Memory(Bytes),
    /// The compiler used up its processor time.
    #[error(
        "the compiler needs more processor time than the {0} it may have (`compile-time` in [engine] of the host's configuration)"
    )]
    Time(Millis),
    /// The compiler did not end although its processor time was not used up.
    #[error(
        "the compiler did not end within {0}, as long as a host waits with its `compile-time`; where the machine had much else to do, ask again later"
    )]
    Patience(Millis),
    /// The code nests deeper than the compiler's stack allows.
    #[error("its code is nested deeper than the compiler can follow")]
    Depth,
    /// The compiled form is larger than a host takes.
    #[error("its compiled form has more than {}", Bytes(MAX_CODE_BYTES as u64))]
    Code,
}

/// Why there is no compiled form of a component.
#[derive(Debug)]
pub(crate) enum CompileError {
    /// The engine refuses the component, or the compiler fails on it.
    Refused(String),
    /// It costs too much.
    TooCostly(Cost),
    /// The compiler cannot be used; the component is not to blame.
    Unusable(String),
}

impl Compiler {
    /// Compiles a component for an engine.
    pub(crate) fn compile(
        &self,
        engine: &Engine,
        identity: &EngineIdentity,
        component: &[u8],
    ) -> Result<Code, CompileError> {
        match self {
            Compiler::Process(process) => process.compile(identity, component),
            Compiler::InProcess => {
                let compiled = engine.precompile_component(component);
                let code = compiled.map_err(|error| CompileError::Refused(format!("{error:#}")))?;
                Ok(Code::from_compiler(code))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn begun_seconds_count_and_waiting_is_longer() {
        for (time, seconds, patience) in
            [(1, 1, 62_000), (1000, 1, 62_000), (1001, 2, 64_000), (60_000, 60, 180_000)]
        {
            let limits = CompileLimits { time: Millis(time), ..CompileLimits::default() };
            let process = CompilerProcess::new("truc".into(), Vec::new(), limits);
            assert_eq!((limits.seconds(), process.patience), (seconds, Millis(patience)));
        }
    }
}

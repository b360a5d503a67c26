//! The compiler's side of the compiler process: confined before it reads, it compiles one component and ends.
//!
//! The answer on standard output is 32 bytes that tell the engine and its configuration, one byte that tells what
//! follows, and then that: code, or the reason why there is none.

use std::io::{Read, Write};

use wasmtime::{Engine, OutOfMemory};

use crate::artifact::EngineIdentity;
use crate::compile::CompileLimits;
use crate::compile::confine;
use crate::settings::{self, MAX_CODE_BYTES, MAX_COMPONENT_BYTES};

/// The bytes before the code.
const HEAD: usize = 33;

/// The longest answer.
pub(super) const MAX_ANSWER: usize = HEAD + MAX_CODE_BYTES;

/// What the compiler answers.
#[derive(Debug, PartialEq)]
pub(super) enum Answer {
    /// The compiled form.
    Code(Vec<u8>),
    /// The engine refuses the component, for this reason.
    Refused(String),
    /// The compiled form is larger than a host takes.
    TooLarge,
    /// The engine had no more memory.
    OutOfMemory,
}

/// Why the compiler process could not begin.
#[derive(Debug, thiserror::Error)]
pub enum CompilerError {
    /// The operating system does not confine it.
    #[error("the compiler cannot be confined: {0}")]
    Confine(String),
    /// No engine.
    #[error("the compiler's engine does not start: {0}")]
    Engine(String),
    /// Standard input or output.
    #[error("the compiler's streams: {0}")]
    Stream(#[from] std::io::Error),
}

/// What a compiler process does: confines itself for good, reads a component from standard input, and writes the answer
/// to standard output. To be called by a process that has one thread and does nothing else.
///
/// # Errors
/// Whatever keeps it from beginning; that a component cannot be compiled is an answer.
pub fn compile_component(limits: CompileLimits) -> Result<(), CompilerError> {
    let confined = |error: std::io::Error| CompilerError::Confine(error.to_string());
    confine::limit(limits).map_err(confined)?;
    let engine = Engine::new(&settings::compiler_config())
        .map_err(|error| CompilerError::Engine(format!("{error:#}")))?;
    let identity = EngineIdentity::of(&engine);
    // From here on nothing is opened and nobody is asked for anything.
    confine::close().map_err(CompilerError::Confine)?;

    let mut component = Vec::new();
    std::io::stdin().lock().take(MAX_COMPONENT_BYTES as u64 + 1).read_to_end(&mut component)?;
    let answer = match component.len() > MAX_COMPONENT_BYTES {
        true => Answer::Refused("it is too large".to_owned()),
        false => compile(&engine, &component),
    };
    answer.write(&identity)?;
    Ok(())
}

fn compile(engine: &Engine, component: &[u8]) -> Answer {
    match engine.precompile_component(component) {
        Ok(code) if code.len() > MAX_CODE_BYTES => Answer::TooLarge,
        Ok(code) => Answer::Code(code),
        Err(error) if error.is::<OutOfMemory>() => Answer::OutOfMemory,
        Err(error) => Answer::Refused(format!("{error:#}")),
    }
}

impl Answer {
    fn write(&self, identity: &EngineIdentity) -> std::io::Result<()> {
        let (mark, content): (u8, &[u8]) = match self {
            Answer::Code(code) => (0, code),
            Answer::Refused(reason) => (1, reason.as_bytes()),
            Answer::TooLarge => (2, &[]),
            Answer::OutOfMemory => (3, &[]),
        };
        let mut output = std::io::stdout().lock();
        output.write_all(identity.configuration().as_bytes())?;
        output.write_all(&[mark])?;
        output.write_all(content)?;
        output.flush()
    }

    /// What a process answered, and for which engine and configuration it compiles. None where it is no answer.
    pub(super) fn read(mut bytes: Vec<u8>) -> Option<([u8; 32], Self)> {
        if bytes.len() > MAX_ANSWER {
            return None;
        }
        let (identity, rest) = bytes.split_first_chunk::<32>()?;
        let (identity, mark) = (*identity, *rest.first()?);
        bytes.drain(..HEAD);
        let answer = match mark {
            0 => Self::Code(bytes),
            1 => Self::Refused(String::from_utf8_lossy(&bytes).into_owned()),
            2 if bytes.is_empty() => Self::TooLarge,
            3 if bytes.is_empty() => Self::OutOfMemory,
            _ => return None,
        };
        Some((identity, answer))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_answer_is_not_taken_for_one() {
        let answer = |mark: u8, content: &[u8]| Answer::read([&[7; 32][..], &[mark], content].concat());
        assert_eq!(answer(0, b"code"), Some(([7; 32], Answer::Code(b"code".to_vec()))));
        assert_eq!(answer(1, b"why"), Some(([7; 32], Answer::Refused("why".to_owned()))));
        assert_eq!(answer(2, b""), Some(([7; 32], Answer::TooLarge)));
        assert_eq!(answer(3, b""), Some(([7; 32], Answer::OutOfMemory)));
        assert_eq!(answer(2, b"more"), None);
        assert_eq!(answer(4, b""), None);
        for short in [0, 1, 32] {
            assert_eq!(Answer::read(vec![0; short]), None);
        }
        assert_eq!(Answer::read(vec![0; MAX_ANSWER + 1]), None);
    }
}

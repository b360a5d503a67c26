//! The sandbox: the only room that knows the engine.
//!
//! A component comes in as bytes and becomes a [`Program`]: read and checked by `truc-contract`, compiled once by a
//! process of its own, its operations planned. A call goes JSON → values → fresh instance → operation ⇄ capabilities →
//! values → JSON. Nothing here knows HTTP servers, accounts or the ledger.

mod artifact;
mod call;
mod capabilities;
pub mod codec;
mod compile;
mod decode;
mod encode;
mod mask;
mod plan;
mod program;
mod progress;
mod reflect;
mod rules;
mod settings;
mod text;
mod ticker;
mod turns;

pub use artifact::{ArtifactError, Artifacts};
pub use call::{Answer, CallError, CallerInfo, Input, Prepared};
pub use capabilities::{Cache, Environment, Lines};
pub use codec::Codec;
pub use compile::child::{CompilerError, compile_component};
pub use compile::{CompileLimits, Compiler, CompilerProcess, Cost};
pub use decode::Arguments;
pub use encode::EncodeError;
pub use program::{LoadError, Origin, Program, Sandbox};
pub use reflect::Difference;
pub use settings::{EngineSettings, MAX_COMPONENT_BYTES};

/// The release of the engine this host is built with.
pub const ENGINE: &str = concat!("wasmtime ", env!("WASMTIME_VERSION"));

//! From bytes to a program: read, checked, compiled, linked, planned. Done at publication, never in a call.

use std::sync::Arc;

use tokio::sync::Semaphore;
use truc_contract::{Component as ComponentFile, ComponentError, Contract, ContractText, Manifest};
use truc_model::Digest;
use wasmtime::Engine;
use wasmtime::component::{Component, ComponentExportIndex, InstancePre, Linker};

use crate::artifact::{Artifacts, EngineIdentity};
use crate::call::Call;
use crate::capabilities;
use crate::codec::Codec;
use crate::compile::{CompileError, Compiler, Cost, Gate};
use crate::reflect::{self, Difference};
use crate::settings::{self, EngineSettings, LARGE_BODIES, MAX_COMPONENT_BYTES};
use crate::ticker::Ticker;
use crate::turns::{Pace, Turns};

/// The engine with everything that all programs share.
pub struct Sandbox {
    engine: Engine,
    identity: EngineIdentity,
    linker: Linker<Call>,
    artifacts: Artifacts,
    compiler: Compiler,
    compiling: Gate,
    _ticker: Ticker,
    pub(crate) turns: Turns,
    /// Shares of the memory for large bodies, in KiB.
    pub(crate) large_bodies: Arc<Semaphore>,
}

/// A component that is ready to serve its contract.
pub struct Program {
    digest: Digest,
    manifest: Manifest,
    manifest_text: String,
    contract_text: ContractText,
    contract: Contract,
    imports: Vec<String>,
    pub(crate) instance: InstancePre<Call>,
    /// The function of each operation.
    pub(crate) exports: Vec<ComponentExportIndex>,
    pub(crate) codec: Arc<Codec>,
    /// Whether its calls go to the lane for long ones.
    pub(crate) pace: Pace,
}

/// Where the compiled form of a program came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// It was compiled.
    Compiled,
    /// It was on disk.
    Artifact,
}

/// Why a component does not become a program.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The file is larger than [`MAX_COMPONENT_BYTES`].
    #[error("the component has {0} bytes; at most {MAX_COMPONENT_BYTES} are allowed")]
    TooLarge(usize),
    /// It is not a connector.
    #[error(transparent)]
    Component(#[from] ComponentError),
    /// The engine refuses it, or its compiler fails on it.
    #[error("the engine refuses the component: {0}")]
    Engine(String),
    /// Compiling it takes more than the host allows.
    #[error(transparent)]
    TooCostly(Cost),
    /// There is no compiler. The component is not to blame.
    #[error("the compiler cannot be used: {0}")]
    Compiler(String),
    /// What it exports has other types than its contract says.
    #[error(transparent)]
    Types(#[from] Difference),
}

impl Sandbox {
    /// Starts an engine. Its epoch advances on a thread of its own until the sandbox is dropped.
    ///
    /// # Errors
    /// A configuration this machine cannot have, or no thread.
    pub fn open(
        settings: EngineSettings,
        artifacts: Artifacts,
        compiler: Compiler,
    ) -> wasmtime::Result<Self> {
        let engine = Engine::new(&settings::config(settings)?)?;
        let identity = EngineIdentity::of(&engine);
        let linker = capabilities::linker(&engine)?;
        let ticker = Ticker::start(&engine)?;
        let turns = Turns::new()?;
        let large_bodies = Arc::new(Semaphore::new(LARGE_BODIES));
        let compiling = Gate::default();
        Ok(Self {
            engine,
            identity,
            linker,
            artifacts,
            compiler,
            compiling,
            _ticker: ticker,
            turns,
            large_bodies,
        })
    }

    /// Makes a program of a component under a published contract, or, where there is none, under the one it brings: from
    /// the compiled artifact where there is one, else by compiling. Compiling begins when everything that can be checked
    /// without it has been. It takes tenths of a second to the whole time that the compiler has, and two components are
    /// compiled at once: call it where blocking is allowed.
    ///
    /// # Errors
    /// Whatever keeps the component from being served.
    pub fn load(
        &self,
        bytes: &[u8],
        published: Option<&ContractText>,
    ) -> Result<(Arc<Program>, Origin), LoadError> {
        if bytes.len() > MAX_COMPONENT_BYTES {
            return Err(LoadError::TooLarge(bytes.len()));
        }
        let digest = Digest::of(bytes);
        let file = match published {
            Some(text) => ComponentFile::read_under(bytes, text)?,
            None => ComponentFile::read(bytes)?,
        };
        let engine_error = |error: wasmtime::Error| LoadError::Engine(format!("{error:#}"));
        let (component, origin) = match self.artifact(&digest) {
            Some(component) => (component, Origin::Artifact),
            None => self.compile(&digest, bytes)?,
        };
        let instance = self.linker.instantiate_pre(&component).map_err(engine_error)?;
        let exports = reflect::exports(&component, &file.contract)?;
        let codec = Arc::new(Codec::of(&file.contract));
        let program = Program {
            digest,
            manifest: file.manifest,
            manifest_text: file.manifest_text,
            contract_text: file.text,
            contract: file.contract,
            imports: file.imports,
            instance,
            exports,
            codec,
            pace: Pace::default(),
        };
        Ok((Arc::new(program), origin))
    }

    fn artifact(&self, digest: &Digest) -> Option<Component> {
        self.artifacts.load(&self.engine, &self.identity, digest)
    }

    fn compile(&self, digest: &Digest, bytes: &[u8]) -> Result<(Component, Origin), LoadError> {
        let turn = self.compiling.enter(*digest);
        if turn.is_after_another()
            && let Some(component) = self.artifact(digest)
        {
            return Ok((component, Origin::Artifact));
        }
        let compiled = self.compiler.compile(&self.engine, &self.identity, bytes);
        let code = compiled.map_err(|error| self.failure(digest, error))?;
        let component = self.artifacts.take(&self.engine, &self.identity, digest, &code);
        // The compiler has taken the component, and still its code does not fit: the pool's bounds, for one.
        let component = component.map_err(|error| LoadError::Engine(format!("{error:#}")))?;
        Ok((component, Origin::Compiled))
    }

    fn failure(&self, digest: &Digest, error: CompileError) -> LoadError {
        match error {
            CompileError::Refused(reason) => LoadError::Engine(reason),
            CompileError::TooCostly(cost) => {
                tracing::warn!(connector.digest = %digest, %cost, "component is too costly to compile");
                LoadError::TooCostly(cost)
            }
            CompileError::Unusable(cause) => {
                tracing::error!(connector.digest = %digest, cause, "the compiler cannot be used");
                LoadError::Compiler(cause)
            }
        }
    }

    pub(crate) fn engine(&self) -> &Engine {
        &self.engine
    }

    #[cfg(test)]
    pub(crate) fn linker(&self) -> &Linker<Call> {
        &self.linker
    }
}

impl Program {
    /// The digest of the component's bytes.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// The manifest.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The manifest as written.
    pub fn manifest_text(&self) -> &str {
        &self.manifest_text
    }

    /// The text of the contract that governs it.
    pub fn contract_text(&self) -> &ContractText {
        &self.contract_text
    }

    /// The contract that governs it; operations are known by their index in it.
    pub fn contract(&self) -> &Contract {
        &self.contract
    }

    /// The interfaces of `truc:connector` it imports: its powers.
    pub fn imports(&self) -> &[String] {
        &self.imports
    }
}

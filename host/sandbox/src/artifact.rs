//! Compiled artifacts on disk: written when a component has been compiled, loaded at start, never trusted without this
//! installation's seal.
//!
//! An artifact is native code. Its file begins with the seal, an HMAC-SHA-256 under a key that only this installation
//! has, over everything that follows: a header of text, which says the component's digest, the engine's version and the
//! digest of its configuration, and the code. What has another seal, or is for another component, engine or configuration,
//! is not loaded but compiled anew.

use std::hash::{Hash, Hasher};
use std::io::{ErrorKind, Read, Write};
use std::sync::{Mutex, PoisonError};

use aws_lc_rs::hmac;
use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use cap_std::fs::{Dir, OpenOptions, OpenOptionsExt};
use truc_model::Digest;
use wasmtime::Engine;
use wasmtime::component::Component;

use crate::settings::MAX_CODE_BYTES;

const KEY_FILE: &str = "artifact.key";
const KEY_BYTES: usize = 32;
const SEAL_BYTES: usize = 32;
/// How the names of artifacts end.
const ENDING: &str = ".artifact";
/// More than any header has.
const MAX_HEADER: usize = 1 << 10;

/// Why the folder of compiled artifacts cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ArtifactError {
    /// The operating system refused.
    #[error("the artifact folder: {action}: {cause}")]
    Io {
        /// What was tried.
        action: &'static str,
        /// What the operating system said.
        cause: std::io::Error,
    },
    /// The key file is not one.
    #[error(
        "the artifact folder: `artifact.key` does not hold {KEY_BYTES} bytes; remove it to have a new one made"
    )]
    Key,
    /// No randomness for a new key.
    #[error("the operating system gave no randomness for a new artifact key")]
    Random,
}

/// The folder in which an installation keeps its compiled artifacts.
pub struct Artifacts {
    dir: Dir,
    key: hmac::Key,
    /// Held while a file is written.
    writing: Mutex<()>,
}

/// What code depends on besides the component it was made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct EngineIdentity {
    version: &'static str,
    configuration: Digest,
}

/// Native code that a compiler of this host made of a component.
pub(crate) struct Code(Vec<u8>);

impl EngineIdentity {
    /// What code for an engine depends on.
    pub(crate) fn of(engine: &Engine) -> Self {
        let mut configuration = Written(Vec::new());
        engine.precompile_compatibility_hash().hash(&mut configuration);
        Self { version: env!("WASMTIME_VERSION"), configuration: Digest::of(&configuration.0) }
    }

    /// The digest of everything in the engine's configuration, and of the machine, that decides which code is made.
    pub(crate) fn configuration(&self) -> &Digest {
        &self.configuration
    }
}

/// Keeps what is hashed instead of hashing it.
struct Written(Vec<u8>);

impl Hasher for Written {
    fn write(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    fn finish(&self) -> u64 {
        0
    }
}

impl Code {
    /// What a compiler of this host answered, which is code to be believed as far as the compiler is.
    pub(crate) fn from_compiler(code: Vec<u8>) -> Self {
        Self(code)
    }
}

impl Artifacts {
    /// Opens the folder, makes the installation's key where there is none, and removes what is no artifact any more.
    ///
    /// # Errors
    /// A folder that cannot be read or written, or a broken key file.
    pub fn open(dir: Dir) -> Result<Self, ArtifactError> {
        let secret = match dir.read(KEY_FILE) {
            Ok(secret) if secret.len() == KEY_BYTES => secret,
            Ok(_) => return Err(ArtifactError::Key),
            Err(cause) if cause.kind() == ErrorKind::NotFound => make_key(&dir)?,
            Err(cause) => return Err(ArtifactError::Io { action: "reading the key", cause }),
        };
        tidy(&dir).map_err(|cause| ArtifactError::Io { action: "removing old artifacts", cause })?;
        Ok(Self { key: hmac::Key::new(hmac::HMAC_SHA256, &secret), dir, writing: Mutex::new(()) })
    }

    /// The compiled form of a component, if this installation wrote it for this engine.
    pub(crate) fn load(
        &self,
        engine: &Engine,
        identity: &EngineIdentity,
        digest: &Digest,
    ) -> Option<Component> {
        let name = file_name(digest);
        let mut sealed = Vec::new();
        let most = (SEAL_BYTES + MAX_HEADER + MAX_CODE_BYTES) as u64;
        self.dir.open(&name).ok()?.take(most).read_to_end(&mut sealed).ok()?;
        let genuine = sealed
            .split_at_checked(SEAL_BYTES)
            .filter(|(seal, rest)| hmac::verify(&self.key, rest, seal).is_ok());
        let Some((_, rest)) = genuine else {
            tracing::warn!(artifact = name, "compiled artifact has a foreign seal and is not loaded");
            return None;
        };
        let header = header(identity, digest);
        if !rest.starts_with(header.as_bytes()) {
            tracing::info!(artifact = name, "compiled artifact is for another engine and is not loaded");
            return None;
        }
        sealed.drain(..SEAL_BYTES + header.len());
        deserialize(engine, &Code(sealed))
            .map_err(|error| tracing::warn!(artifact = name, %error, "compiled artifact does not load"))
            .ok()
    }

    /// Makes a component of freshly compiled code, and keeps the code.
    ///
    /// # Errors
    /// What the compiler made is no code for this engine.
    pub(crate) fn take(
        &self,
        engine: &Engine,
        identity: &EngineIdentity,
        digest: &Digest,
        code: &Code,
    ) -> wasmtime::Result<Component> {
        let component = deserialize(engine, code)?;
        self.keep(&file_name(digest), header(identity, digest).as_bytes(), code);
        Ok(component)
    }

    /// Keeps code. A failure costs a compilation at the next start, nothing else.
    fn keep(&self, name: &str, header: &[u8], code: &Code) {
        let _one_at_a_time = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut context = hmac::Context::with_key(&self.key);
        context.update(header);
        context.update(&code.0);
        let kept = write_whole(&self.dir, name, &[context.sign().as_ref(), header, &code.0]);
        if let Err(error) = kept {
            tracing::warn!(artifact = name, %error, "compiled artifact was not kept");
        }
    }
}

fn make_key(dir: &Dir) -> Result<Vec<u8>, ArtifactError> {
    let mut secret = vec![0; KEY_BYTES];
    SystemRandom::new().fill(&mut secret).map_err(|_| ArtifactError::Random)?;
    write_whole(dir, KEY_FILE, &[&secret])
        .map_err(|cause| ArtifactError::Io { action: "writing the key", cause })?;
    Ok(secret)
}

/// Writes a file for its owner's eyes that is there whole or not at all, whenever the process or the machine ends, and
/// that is durable when this returns.
fn write_whole(dir: &Dir, name: &str, pieces: &[&[u8]]) -> std::io::Result<()> {
    let temporary = format!("{name}.new");
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    let written = dir.open_with(&temporary, &options).and_then(|mut file| {
        pieces.iter().try_for_each(|piece| file.write_all(piece))?;
        file.sync_all()?;
        dir.rename(&temporary, dir, name)
    });
    if written.is_err() {
        let _ = dir.remove_file(&temporary);
    }
    written?;
    // The name is durable only once the folder is.
    dir.open(".")?.sync_all()
}

/// Removes files that a host left half-written, and those with names of before.
fn tidy(dir: &Dir) -> std::io::Result<()> {
    for entry in dir.entries()? {
        let name = entry?.file_name();
        let name = name.to_string_lossy();
        let half_written = name.ends_with(".new");
        let of_before = name.strip_suffix(ENDING).is_some_and(|name| name.contains('-'));
        if half_written || of_before {
            dir.remove_file(&*name)?;
        }
    }
    Ok(())
}

fn file_name(digest: &Digest) -> String {
    format!("{}{ENDING}", digest.hex())
}

/// What stands between seal and code.
fn header(identity: &EngineIdentity, digest: &Digest) -> String {
    let EngineIdentity { version, configuration } = identity;
    format!("truc artifact\ncomponent {digest}\nengine wasmtime {version}\nconfiguration {configuration}\n\n")
}

/// Loads native code.
#[allow(unsafe_code)]
fn deserialize(engine: &Engine, code: &Code) -> wasmtime::Result<Component> {
    // SAFETY: `deserialize` must be given bytes that `Engine::precompile_component` made. A `Code` is made in two places.
    // `Code::from_compiler` takes what the compiler answered: this process itself, or a process that this one started from
    // its own program, over pipes that nobody else holds, and which said that it compiles for this very configuration. It
    // has seen the component, so this rests on the compiler being no more than slow or large when a component attacks it;
    // `docs/security.md` says what follows where it is not. `Artifacts::load` takes what has an HMAC over exactly these bytes
    // under a key that never leaves this installation's artifact folder (mode 0600). The only code that computes such an
    // HMAC is `Artifacts::keep`, over a `Code` that the engine has taken. The HMAC also covers the header, so an artifact
    // cannot stand in for another component, engine or configuration, and the engine itself looks again. The bytes are in
    // private memory, so nobody can change them between the check and the use.
    unsafe { Component::deserialize(engine, &code.0) }
}

#[cfg(test)]
mod tests {
    use cap_std::ambient_authority;

    use super::*;
    use crate::settings::{self, EngineSettings};

    struct Bench {
        folder: tempfile::TempDir,
        engine: Engine,
        identity: EngineIdentity,
        digest: Digest,
        code: Code,
    }

    impl Bench {
        fn new() -> Self {
            let engine = Engine::new(&settings::config(EngineSettings { instances: 1 }).unwrap()).unwrap();
            let component = b"\0asm\x0d\0\x01\0";
            Self {
                folder: tempfile::tempdir().unwrap(),
                identity: EngineIdentity::of(&engine),
                digest: Digest::of(component),
                code: Code(engine.precompile_component(component).unwrap()),
                engine,
            }
        }

        fn artifacts(&self) -> Artifacts {
            let dir = Dir::open_ambient_dir(self.folder.path(), ambient_authority()).unwrap();
            Artifacts::open(dir).unwrap()
        }

        fn loads(&self) -> bool {
            self.artifacts().load(&self.engine, &self.identity, &self.digest).is_some()
        }
    }

    #[test]
    fn the_compiler_s_engine_makes_code_for_the_host_s() {
        let host = Engine::new(&settings::config(EngineSettings { instances: 1 }).unwrap()).unwrap();
        let compiler = Engine::new(&settings::compiler_config()).unwrap();
        assert_eq!(EngineIdentity::of(&host), EngineIdentity::of(&compiler));
        let mut other = settings::compiler_config();
        other.epoch_interruption(false);
        assert_ne!(EngineIdentity::of(&host), EngineIdentity::of(&Engine::new(&other).unwrap()));
    }

    #[test]
    fn what_is_sealed_for_another_component_engine_or_configuration_does_not_load() {
        let bench = Bench::new();
        let (identity, other) = (&bench.identity, Digest::of(b"other"));
        let older = EngineIdentity { version: "48.0.0", ..identity.clone() };
        let configured = EngineIdentity { configuration: other, ..identity.clone() };
        for (header, loads) in [
            (header(identity, &bench.digest), true),
            (header(identity, &other), false),
            (header(&older, &bench.digest), false),
            (header(&configured, &bench.digest), false),
            (String::new(), false),
        ] {
            bench.artifacts().keep(&file_name(&bench.digest), header.as_bytes(), &bench.code);
            assert_eq!(bench.loads(), loads, "{header}");
        }
    }

    #[test]
    fn what_the_engine_does_not_take_is_not_kept() {
        let bench = Bench::new();
        let forged = Code(b"no code".to_vec());
        assert!(bench.artifacts().take(&bench.engine, &bench.identity, &bench.digest, &forged).is_err());
        assert!(!bench.folder.path().join(file_name(&bench.digest)).exists());
        bench.artifacts().take(&bench.engine, &bench.identity, &bench.digest, &bench.code).unwrap();
        assert!(bench.loads());
    }

    #[test]
    fn leftovers_are_removed_when_the_folder_is_opened() {
        let bench = Bench::new();
        let hex = bench.digest.hex();
        bench.artifacts().take(&bench.engine, &bench.identity, &bench.digest, &bench.code).unwrap();
        for name in [format!("{hex}.artifact.new"), format!("{hex}-0123456789abcdef.artifact")] {
            std::fs::write(bench.folder.path().join(&name), "left").unwrap();
        }
        assert!(bench.loads());
        let mut names: Vec<_> = std::fs::read_dir(bench.folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        let mut expected = [format!("{hex}.artifact"), KEY_FILE.to_owned()];
        expected.sort();
        assert_eq!(names, expected);
    }
}

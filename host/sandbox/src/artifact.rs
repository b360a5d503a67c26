//! Compiled artifacts on disk: written at publication, loaded at start, never trusted without this installation's seal.
//!
//! An artifact is native code. The file's seal is an HMAC-SHA-256 under a key that only this installation has, over the
//! component's digest, the engine's compatibility hash and the code; a file with another seal is not loaded but
//! compiled anew.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{ErrorKind, Read, Write};

use aws_lc_rs::hmac;
use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use cap_std::fs::{Dir, OpenOptions, OpenOptionsExt};
use truc_model::Digest;
use wasmtime::Engine;
use wasmtime::component::Component;

const KEY_FILE: &str = "artifact.key";
const KEY_BYTES: usize = 32;
const SEAL_BYTES: usize = 32;

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
}

impl Artifacts {
    /// Opens the folder, and makes the installation's key where there is none.
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
        Ok(Self { key: hmac::Key::new(hmac::HMAC_SHA256, &secret), dir })
    }

    /// The compiled form of a component, if this installation wrote it for this engine.
    pub(crate) fn load(&self, engine: &Engine, digest: &Digest) -> Option<Component> {
        let name = file_name(engine, digest);
        let mut sealed = Vec::new();
        self.dir.open(&name).ok()?.read_to_end(&mut sealed).ok()?;
        let (seal, code) = sealed.split_at_checked(SEAL_BYTES)?;
        let mut context = self.seal(&name);
        context.update(code);
        let expected = context.sign();
        if aws_lc_rs::constant_time::verify_slices_are_equal(expected.as_ref(), seal).is_err() {
            tracing::warn!(artifact = name, "compiled artifact has a foreign seal and is not loaded");
            return None;
        }
        deserialize(engine, code)
            .map_err(|error| tracing::warn!(artifact = name, %error, "compiled artifact does not load"))
            .ok()
    }

    /// Keeps a compiled component. A failure costs a compilation at the next start, nothing else.
    pub(crate) fn keep(&self, engine: &Engine, digest: &Digest, component: &Component) {
        let name = file_name(engine, digest);
        let kept = component.serialize().map_err(std::io::Error::other).and_then(|code| {
            let mut context = self.seal(&name);
            context.update(&code);
            let temporary = format!("{name}.new");
            let mut file = self.dir.create(&temporary)?;
            file.write_all(context.sign().as_ref())?;
            file.write_all(&code)?;
            file.sync_all()?;
            self.dir.rename(&temporary, &self.dir, &name)
        });
        if let Err(error) = kept {
            tracing::warn!(artifact = name, %error, "compiled artifact was not kept");
        }
    }

    /// The beginning of a seal: the name binds digest, engine version and configuration.
    fn seal(&self, name: &str) -> hmac::Context {
        let mut context = hmac::Context::with_key(&self.key);
        context.update(name.as_bytes());
        context
    }
}

fn make_key(dir: &Dir) -> Result<Vec<u8>, ArtifactError> {
    let mut secret = vec![0; KEY_BYTES];
    SystemRandom::new().fill(&mut secret).map_err(|_| ArtifactError::Random)?;
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o600);
    dir.open_with(KEY_FILE, &options)
        .and_then(|mut file| {
            file.write_all(&secret)?;
            file.sync_all()
        })
        .map_err(|cause| ArtifactError::Io { action: "writing the key", cause })?;
    Ok(secret)
}

fn file_name(engine: &Engine, digest: &Digest) -> String {
    let mut hasher = DefaultHasher::new();
    engine.precompile_compatibility_hash().hash(&mut hasher);
    format!("{}-{:016x}.artifact", digest.hex(), hasher.finish())
}

/// Loads native code.
#[allow(unsafe_code)]
fn deserialize(engine: &Engine, code: &[u8]) -> wasmtime::Result<Component> {
    // SAFETY: `deserialize` must be given bytes that `Component::serialize` made. The only caller has checked an HMAC
    // over exactly these bytes under a key that never leaves this installation's artifact folder (mode 0600), and the
    // only code that computes such an HMAC for a file is `Artifacts::keep`, over the result of `Component::serialize`.
    // The HMAC also covers the file's name, so an artifact cannot stand in for another component, and the engine
    // itself refuses code of another version or configuration. The bytes are in private memory, so nobody can change
    // them between the check and the use.
    unsafe { Component::deserialize(engine, code) }
}

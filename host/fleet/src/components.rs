//! Component files: kept under their digest, checked against it when read.

use std::io::{ErrorKind, Write};
use std::sync::Arc;

use cap_std::fs::Dir;
use truc_model::Digest;

/// The folder in which component files are kept. Clones share it.
#[derive(Clone)]
pub struct Components(Arc<Dir>);

impl Components {
    /// Keeps component files in a folder that was opened once.
    pub fn new(dir: Dir) -> Self {
        Self(Arc::new(dir))
    }

    /// Keeps a component durably. Keeping it again changes nothing.
    ///
    /// # Errors
    /// What the operating system says; the folder is then as before.
    pub fn keep(&self, digest: &Digest, bytes: &[u8]) -> std::io::Result<()> {
        let name = file_name(digest);
        if self.read(digest).is_err() {
            let temporary = format!("{name}.new");
            let mut file = self.0.create(&temporary)?;
            file.write_all(bytes)?;
            file.sync_all()?;
            self.0.rename(&temporary, &self.0, &name)?;
        }
        // The name is durable only once the folder is; whoever gave a file its name may have been ended before that.
        self.0.open(".")?.sync_all()
    }

    /// The bytes of a component.
    ///
    /// # Errors
    /// No such file, or one whose bytes have another digest.
    pub fn read(&self, digest: &Digest) -> std::io::Result<Vec<u8>> {
        let bytes = self.0.read(file_name(digest))?;
        if Digest::of(&bytes).matches(digest) {
            Ok(bytes)
        } else {
            Err(std::io::Error::new(ErrorKind::InvalidData, "the file's bytes have another digest"))
        }
    }
}

fn file_name(digest: &Digest) -> String {
    format!("{}.wasm", digest.hex())
}

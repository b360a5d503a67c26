//! The secrets directory: one file for each secret, read through a directory that was opened once.

use std::fmt;
use std::io::{self, Read};
use std::path::Path;
use std::str::FromStr;

use cap_std::ambient_authority;
use cap_std::fs::Dir;
use serde::{Deserialize, Serialize};
use truc_model::{Handle, NameError, Secret};
use zeroize::Zeroizing;

/// The most bytes a secret may have.
const MAX_SECRET: u64 = 64 * 1024;

/// The name of a secret: the name of its file in the secrets directory. Lower-case letters, digits and single
/// hyphens, so that it cannot be a path.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SecretRef(Handle);

/// The directory in which the operator keeps secrets.
#[derive(Debug)]
pub struct Secrets {
    dir: Dir,
}

/// Why a secret could not be read. The text never holds any part of the secret.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The directory could not be opened.
    #[error("the secrets directory {path:?} could not be opened: {cause}")]
    Directory {
        /// The directory, as it was given.
        path: String,
        /// What the system said.
        cause: io::Error,
    },
    /// There is no such file, or it leads outside the directory, or it may not be read.
    #[error(
        "secret `{name}` could not be read: {cause}; put it into a file named `{name}` in the secrets directory"
    )]
    Unreadable {
        /// The secret's name.
        name: SecretRef,
        /// What the system said.
        cause: io::Error,
    },
    /// The file holds something that cannot be a secret.
    #[error("secret `{name}` {reason}")]
    Unusable {
        /// The secret's name.
        name: SecretRef,
        /// What is wrong with it and what to do.
        reason: &'static str,
    },
}

impl Secrets {
    /// Opens the directory. From here on nothing outside it can be reached, not by a symbolic link either.
    ///
    /// # Errors
    /// [`SecretError::Directory`].
    pub fn open(path: &Path) -> Result<Self, SecretError> {
        Dir::open_ambient_dir(path, ambient_authority())
            .map(|dir| Self { dir })
            .map_err(|cause| SecretError::Directory { path: path.display().to_string(), cause })
    }

    /// Reads a secret: the file's content as UTF-8 text, at most 64 KiB, without the line end that editors put at the
    /// end.
    ///
    /// # Errors
    /// [`SecretError::Unreadable`], [`SecretError::Unusable`].
    pub fn get(&self, name: &SecretRef) -> Result<Secret, SecretError> {
        let unreadable = |cause| SecretError::Unreadable { name: name.clone(), cause };
        let unusable = |reason| SecretError::Unusable { name: name.clone(), reason };
        // Asked before opening: opening a named pipe would wait for a writer.
        let metadata = self.dir.metadata(name.as_str()).map_err(unreadable)?;
        if !metadata.is_file() {
            return Err(unusable("is not a regular file"));
        }
        if metadata.len() > MAX_SECRET {
            return Err(unusable("is larger than 64 KiB"));
        }
        // Room for everything at once, so that no copy of the secret is left behind in memory by growing.
        let room = usize::try_from(metadata.len()).unwrap_or(0).saturating_add(32);
        let mut bytes = Zeroizing::new(Vec::with_capacity(room));
        let file = self.dir.open(name.as_str()).map_err(unreadable)?;
        file.take(MAX_SECRET + 1).read_to_end(&mut bytes).map_err(unreadable)?;
        if bytes.len() as u64 > MAX_SECRET {
            return Err(unusable("is larger than 64 KiB"));
        }
        let text = std::str::from_utf8(&bytes).map_err(|_| unusable("is not UTF-8 text"))?;
        let text = text.strip_suffix('\n').map_or(text, |line| line.strip_suffix('\r').unwrap_or(line));
        if text.is_empty() {
            return Err(unusable("is empty: write the secret into its file"));
        }
        Ok(Secret::new(text.to_owned()))
    }
}

impl SecretRef {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl FromStr for SecretRef {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        text.parse().map(Self).map_err(|error: NameError| NameError { what: "a secret's name", ..error })
    }
}

impl fmt::Display for SecretRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for SecretRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn name(text: &str) -> SecretRef {
        text.parse().unwrap()
    }

    #[test]
    fn one_line_end_is_taken_off() {
        let dir = tempfile::tempdir().unwrap();
        let secrets = Secrets::open(dir.path()).unwrap();
        for (content, secret) in
            [("s3cret", "s3cret"), ("s3cret\n", "s3cret"), ("s3cret\r\n", "s3cret"), ("a\nb\n\n", "a\nb\n")]
        {
            fs::write(dir.path().join("key"), content).unwrap();
            assert_eq!(secrets.get(&name("key")).unwrap().expose(), secret);
        }
    }

    #[test]
    fn what_cannot_be_a_secret_is_refused_without_showing_it() {
        let dir = tempfile::tempdir().unwrap();
        let secrets = Secrets::open(dir.path()).unwrap();
        fs::create_dir(dir.path().join("folder")).unwrap();
        fs::write(dir.path().join("empty"), "\n").unwrap();
        fs::write(dir.path().join("binary"), b"canary\xff").unwrap();
        fs::write(dir.path().join("large"), vec![b'x'; 64 * 1024 + 1]).unwrap();
        for file in ["missing", "folder", "empty", "binary", "large"] {
            let error = secrets.get(&name(file)).unwrap_err();
            let text = format!("{error} {error:?}");
            assert!(text.contains(file) && !text.contains("canary"), "{text}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_link_out_of_the_directory_leads_nowhere() {
        let outside = tempfile::tempdir().unwrap();
        fs::write(outside.path().join("loot"), "canary").unwrap();
        let dir = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink(outside.path().join("loot"), dir.path().join("absolute")).unwrap();
        let relative = Path::new("..").join(outside.path().file_name().unwrap()).join("loot");
        std::os::unix::fs::symlink(relative, dir.path().join("relative")).unwrap();
        fs::write(dir.path().join("real"), "inside").unwrap();
        std::os::unix::fs::symlink("real", dir.path().join("alias")).unwrap();
        let secrets = Secrets::open(dir.path()).unwrap();
        assert!(matches!(secrets.get(&name("absolute")), Err(SecretError::Unreadable { .. })));
        assert!(matches!(secrets.get(&name("relative")), Err(SecretError::Unreadable { .. })));
        assert_eq!(secrets.get(&name("alias")).unwrap().expose(), "inside");
    }

    #[test]
    fn names_cannot_be_paths() {
        for text in ["", ".", "..", "../x", "a/b", "/etc/passwd", "A", "a\0", "a.pem", "-a"] {
            assert!(text.parse::<SecretRef>().is_err(), "{text:?}");
        }
    }
}

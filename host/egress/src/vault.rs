//! The vault: secrets sealed under a key that is never where they are.
//!
//! AES-256-GCM with a random nonce seals; the secret's name and version are bound to it, so that no sealed value can
//! stand in for another. The keys come from a file or from the environment: the first is the one that seals, the
//! others open what was sealed before. Sealed values are kept elsewhere (store), and opened only when a service is
//! bound (fleet).

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use aws_lc_rs::aead::{AES_256_GCM, Aad, Nonce, RandomizedNonceKey};
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use truc_model::Secret;
use zeroize::{Zeroize, Zeroizing};

use crate::SecretRef;

/// What every key of the vault begins with, so that one is recognised where it turns up.
const PREFIX: &str = "truc_vault_";

/// Bytes of a key.
const KEY: usize = 32;

/// The most bytes of a file of keys.
const MOST_BYTES: u64 = 64 * 1024;

const NONCE: usize = 12;
const TAG: usize = 16;

/// Where the vault's keys come from.
pub enum KeySource {
    /// A file; it is read again when the vault is given other keys.
    File(PathBuf),
    /// A text, and what to call the place that it came from.
    Text {
        /// Where it came from: an environment variable.
        place: &'static str,
        /// The keys.
        keys: Secret,
    },
}

/// The keys of the vault.
pub struct VaultKeys {
    current: VaultKey,
    older: Vec<VaultKey>,
}

struct VaultKey {
    id: KeyId,
    /// Overwritten by the library when it is dropped.
    key: RandomizedNonceKey,
}

/// By what a key is told from others: 16 hexadecimal digits, which say nothing of the key itself.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct KeyId(String);

/// A sealed value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    /// The key that opens it.
    pub key: KeyId,
    /// The nonce, what the value became, and the tag.
    pub bytes: Vec<u8>,
}

/// What is wrong with the vault. The texts never hold any part of a key or of a secret.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// The file cannot be read.
    #[error(
        "the vault's key file {path:?} cannot be read: {cause}; (umask 077; truc vault key > {path}) makes one"
    )]
    File {
        /// The file.
        path: String,
        /// What the system said.
        cause: std::io::Error,
    },
    /// There is no key.
    #[error("{place} holds no key of the vault: `truc vault key` makes one")]
    Empty {
        /// Where the keys should be.
        place: String,
    },
    /// Something else than a key.
    #[error("{place}, line {line}: this is not a key of the vault; `truc vault key` makes one")]
    NotAKey {
        /// Where the keys are.
        place: String,
        /// The line, from 1.
        line: usize,
    },
    /// A secret is sealed under a key that is not there.
    #[error(
        "secret `{secret}` is sealed under the key {key}, which is not among the vault's keys: put that key on a line \
         of its own after the first"
    )]
    UnknownKey {
        /// The secret.
        secret: SecretRef,
        /// The key.
        key: KeyId,
    },
    /// What is kept of a secret is not what was sealed under its name and version.
    #[error(
        "what is kept of secret `{0}` is not what was sealed: it was changed, or is of another secret; put it again"
    )]
    Altered(SecretRef),
    /// The system has no random bytes.
    #[error("the operating system gives no random bytes")]
    Random,
}

impl KeySource {
    /// Reads the keys.
    ///
    /// # Errors
    /// [`VaultError`]: the file cannot be read, or what is there are no keys.
    pub fn read(&self) -> Result<VaultKeys, VaultError> {
        match self {
            KeySource::Text { place, keys } => VaultKeys::parse(place, keys.expose()),
            KeySource::File(path) => {
                let shown = path.display().to_string();
                let text = read(path).map_err(|cause| VaultError::File { path: shown.clone(), cause })?;
                VaultKeys::parse(&format!("the vault's key file {shown}"), &text)
            }
        }
    }
}

/// A file's text, in a buffer that is overwritten when it is dropped and that is not moved while it fills.
fn read(path: &std::path::Path) -> std::io::Result<Zeroizing<String>> {
    use std::io::{Error, ErrorKind, Read};

    let metadata = std::fs::metadata(path)?;
    if !metadata.is_file() || metadata.len() > MOST_BYTES {
        return Err(Error::new(ErrorKind::InvalidInput, "it is no regular file of at most 64 KiB"));
    }
    let room = usize::try_from(metadata.len()).unwrap_or(0).saturating_add(32);
    let mut text = Zeroizing::new(String::with_capacity(room));
    std::fs::File::open(path)?.take(MOST_BYTES).read_to_string(&mut text)?;
    Ok(text)
}

impl VaultKeys {
    /// Makes a key, as a file of keys has it in a line.
    ///
    /// # Errors
    /// [`VaultError::Random`].
    pub fn generate() -> Result<Secret, VaultError> {
        let mut key = Zeroizing::new([0; KEY]);
        rand::fill(&mut *key).map_err(|_| VaultError::Random)?;
        let mut text = String::with_capacity(PREFIX.len() + 44);
        text.push_str(PREFIX);
        URL_SAFE_NO_PAD.encode_string(*key, &mut text);
        Ok(Secret::new(text))
    }

    /// The keys in a text, separated by spaces or line ends; what follows a `#` is a comment.
    ///
    /// # Errors
    /// [`VaultError::Empty`], [`VaultError::NotAKey`].
    pub fn parse(place: &str, text: &str) -> Result<Self, VaultError> {
        let mut keys = Vec::new();
        for (number, line) in text.lines().enumerate() {
            let line = line.split('#').next().unwrap_or_default();
            for word in line.split_whitespace() {
                let key = VaultKey::parse(word)
                    .ok_or_else(|| VaultError::NotAKey { place: place.to_owned(), line: number + 1 })?;
                keys.push(key);
            }
        }
        let mut keys = keys.into_iter();
        match keys.next() {
            Some(current) => Ok(Self { current, older: keys.collect() }),
            None => Err(VaultError::Empty { place: place.to_owned() }),
        }
    }

    /// The key that seals.
    pub fn current(&self) -> &KeyId {
        &self.current.id
    }

    /// Seals a value under the current key.
    ///
    /// # Errors
    /// [`VaultError::Random`].
    pub fn seal(&self, name: &SecretRef, version: u32, value: &Secret) -> Result<Sealed, VaultError> {
        let value = value.expose().as_bytes();
        let mut bytes = Vec::with_capacity(NONCE + value.len() + TAG);
        bytes.extend_from_slice(&[0; NONCE]);
        bytes.extend_from_slice(value);
        let (room, text) = bytes.split_at_mut(NONCE);
        let sealed = self.current.key.seal_in_place_separate_tag(bound(name, version), text);
        let Ok((nonce, tag)) = sealed else {
            bytes.zeroize();
            return Err(VaultError::Random);
        };
        room.copy_from_slice(nonce.as_ref());
        bytes.extend_from_slice(tag.as_ref());
        Ok(Sealed { key: self.current.id.clone(), bytes })
    }

    /// Opens a sealed value.
    ///
    /// # Errors
    /// [`VaultError::UnknownKey`], [`VaultError::Altered`].
    pub fn open(&self, name: &SecretRef, version: u32, sealed: &Sealed) -> Result<Secret, VaultError> {
        let key = std::iter::once(&self.current).chain(&self.older).find(|key| key.id == sealed.key);
        let key =
            key.ok_or_else(|| VaultError::UnknownKey { secret: name.clone(), key: sealed.key.clone() })?;
        let altered = || VaultError::Altered(name.clone());
        let (nonce, text) = sealed.bytes.split_at_checked(NONCE).ok_or_else(altered)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| altered())?;
        let mut text = Zeroizing::new(text.to_vec());
        let value = key.key.open_in_place(nonce, bound(name, version), &mut text).map_err(|_| altered())?;
        let value = std::str::from_utf8(value).map_err(|_| altered())?;
        Ok(Secret::new(value.to_owned()))
    }
}

/// What is bound to a sealed value: which secret it is, and which version.
fn bound(name: &SecretRef, version: u32) -> Aad<String> {
    Aad::from(format!("truc secret 1\n{name}\n{version}"))
}

impl VaultKey {
    fn parse(text: &str) -> Option<Self> {
        let mut key = Zeroizing::new([0; KEY]);
        let length = URL_SAFE_NO_PAD.decode_slice(text.strip_prefix(PREFIX)?, &mut *key).ok()?;
        if length != KEY {
            return None;
        }
        let named = Zeroizing::new([b"truc vault key 1\n".as_slice(), &*key].concat());
        let id: String =
            digest(&SHA256, &named).as_ref().iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        Some(Self { id: KeyId(id), key: RandomizedNonceKey::new(&AES_256_GCM, &*key).ok()? })
    }
}

impl FromStr for KeyId {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        match text.len() == 16 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
            true => Ok(Self(text.to_owned())),
            false => Err("16 hexadecimal digits are expected"),
        }
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for VaultKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let older: Vec<_> = self.older.iter().map(|key| &key.id).collect();
        f.debug_struct("VaultKeys").field("current", &self.current.id).field("older", &older).finish()
    }
}

impl fmt::Debug for KeySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            KeySource::File(path) => f.debug_tuple("File").field(path).finish(),
            KeySource::Text { place, .. } => f.debug_tuple("Text").field(place).finish(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> SecretRef {
        text.parse().unwrap()
    }

    fn keys(text: &str) -> Result<VaultKeys, VaultError> {
        VaultKeys::parse("the test", text)
    }

    fn secret(text: &str) -> Secret {
        Secret::new(text.to_owned())
    }

    #[test]
    fn a_value_is_opened_under_its_own_name_version_and_key_only() {
        let (one, two) = (VaultKeys::generate().unwrap(), VaultKeys::generate().unwrap());
        let vault = keys(one.expose()).unwrap();
        let sealed = vault.seal(&name("a"), 1, &secret("c4nary-s3cret")).unwrap();
        assert_eq!(vault.open(&name("a"), 1, &sealed).unwrap().expose(), "c4nary-s3cret");
        assert!(!sealed.bytes.windows(6).any(|part| part == b"c4nary"));
        assert_ne!(vault.seal(&name("a"), 1, &secret("c4nary-s3cret")).unwrap(), sealed, "nonces differ");

        assert!(matches!(vault.open(&name("b"), 1, &sealed), Err(VaultError::Altered(_))));
        assert!(matches!(vault.open(&name("a"), 2, &sealed), Err(VaultError::Altered(_))));
        for place in [0, NONCE, sealed.bytes.len() - 1] {
            let mut changed = sealed.clone();
            changed.bytes[place] ^= 1;
            assert!(matches!(vault.open(&name("a"), 1, &changed), Err(VaultError::Altered(_))), "{place}");
        }
        let cut = Sealed { bytes: vec![0; 5], ..sealed.clone() };
        assert!(matches!(vault.open(&name("a"), 1, &cut), Err(VaultError::Altered(_))));

        let other = keys(two.expose()).unwrap();
        let error = other.open(&name("a"), 1, &sealed).unwrap_err();
        assert!(matches!(error, VaultError::UnknownKey { .. }), "{error}");
        assert!(error.to_string().contains(&vault.current().to_string()));
        // A key that claims to be another opens nothing either.
        let forged = Sealed { key: other.current().clone(), ..sealed.clone() };
        assert!(matches!(other.open(&name("a"), 1, &forged), Err(VaultError::Altered(_))));

        let both = keys(&format!("{} # new\n\n# old:\n{}\n", two.expose(), one.expose())).unwrap();
        assert_eq!(both.current(), other.current());
        assert_eq!(both.open(&name("a"), 1, &sealed).unwrap().expose(), "c4nary-s3cret");
    }

    #[test]
    fn what_is_no_key_is_told_by_its_line_and_not_shown() {
        let good = VaultKeys::generate().unwrap();
        let good = good.expose();
        for text in ["", " \n# nothing\n"] {
            assert!(matches!(keys(text), Err(VaultError::Empty { .. })));
        }
        for wrong in ["canary", "truc_vault_canary", &good[..good.len() - 1], &format!("{good}A")] {
            let error = keys(&format!("# the first\n{good}\n{wrong}\n")).unwrap_err();
            assert!(
                error.to_string().contains("the test, line 3") && !format!("{error:?}").contains("canary")
            );
        }
    }

    #[test]
    fn nothing_prints_a_key() {
        let key = VaultKeys::generate().unwrap();
        let vault = keys(key.expose()).unwrap();
        let source = KeySource::Text { place: "TRUC_VAULT_KEY", keys: key.clone() };
        let body = key.expose().strip_prefix(PREFIX).unwrap();
        assert!(!format!("{vault:?} {source:?} {key:?}").contains(body));
        assert_eq!(source.read().unwrap().current(), vault.current());
    }

    #[test]
    fn a_file_is_read_anew_each_time() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("vault.key");
        let source = KeySource::File(path.clone());
        let error = source.read().unwrap_err();
        assert!(error.to_string().contains("truc vault key > "), "{error}");
        let mut ids = Vec::new();
        for _ in 0..2 {
            std::fs::write(&path, format!("{}\n", VaultKeys::generate().unwrap().expose())).unwrap();
            ids.push(source.read().unwrap().current().clone());
        }
        assert_ne!(ids[0], ids[1]);
    }
}

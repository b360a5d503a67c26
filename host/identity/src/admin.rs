//! The control plane's key.

use std::fmt;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use truc_model::{Digest, Secret};

use crate::IdentityError;
use crate::key::{has_hash, random};

/// Fewer characters could be guessed.
const SHORTEST: usize = 32;

/// The key of the control plane. Only its SHA-256 is held.
#[derive(Clone)]
pub struct AdminKey {
    hash: Digest,
}

impl AdminKey {
    /// The key that a secret holds.
    ///
    /// # Errors
    /// Fewer than 32 characters, or ones that cannot stand in an HTTP header.
    pub fn new(secret: &Secret) -> Result<Self, IdentityError> {
        let text = secret.expose();
        let invalid = |reason: &str| {
            let reason = format!("{reason}; `openssl rand -base64 32` makes a good one");
            IdentityError::Invalid { field: "the admin key", reason }
        };
        if text.len() < SHORTEST {
            return Err(invalid("must have 32 characters or more"));
        }
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(invalid("must be letters, digits and punctuation of ASCII, without spaces"));
        }
        Ok(Self { hash: Digest::of(text.as_bytes()) })
    }

    /// A new key, and its text.
    ///
    /// # Errors
    /// The operating system gives no random bytes.
    pub fn generate() -> Result<(Self, Secret), IdentityError> {
        let secret = Secret::new(BASE64_URL_SAFE_NO_PAD.encode(random::<32>()?.as_slice()));
        Ok((Self::new(&secret)?, secret))
    }

    /// Whether a text is the key, in time that does not depend on how much of it is right.
    pub fn verify(&self, text: &str) -> bool {
        has_hash(text, &self.hash)
    }
}

impl fmt::Debug for AdminKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AdminKey(***)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_key_is_the_key() {
        let (key, secret) = AdminKey::generate().unwrap();
        assert!(key.verify(secret.expose()));
        assert!(AdminKey::new(&secret).unwrap().verify(secret.expose()));
        for wrong in ["", "x", &secret.expose()[1..], &format!("{} ", secret.expose())] {
            assert!(!key.verify(wrong), "{wrong:?}");
        }
        assert!(!format!("{key:?}").contains(&key.hash.hex()));
    }

    #[test]
    fn a_key_that_could_be_guessed_or_not_be_sent_is_refused() {
        for wrong in ["", "admin", &"a".repeat(31), &format!("{}\n", "a".repeat(40)), &"đ".repeat(40)] {
            let error = AdminKey::new(&Secret::new(wrong.to_owned())).expect_err(wrong).to_string();
            assert!(error.contains("openssl rand"), "{error}");
        }
    }
}

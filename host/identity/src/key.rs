//! API keys: how they are made and taken apart.
//!
//! A key reads `truc_<identifier>_<secret>`: 16 hexadecimal digits by which it is found, and 32 random bytes in base64url.
//! The prefix lets scanners for leaked secrets recognise it. The whole text is shown once, when it is made. What is kept
//! is the SHA-256 of the secret part: slow password hashes make up for secrets that people can guess, and nobody guesses
//! 256 random bits.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use truc_model::{Digest, Secret};
use zeroize::Zeroizing;

use crate::IdentityError;

const PREFIX: &str = "truc_";

/// Characters of the secret part: 32 bytes in base64url without padding.
const SECRET: usize = 43;

/// The public part of a key, as bytes of its text.
pub(crate) type KeyId = [u8; 16];

/// A key that was just made.
pub(crate) struct NewKey {
    pub(crate) id: String,
    pub(crate) hash: Digest,
    /// The whole text.
    pub(crate) text: Secret,
}

impl NewKey {
    pub(crate) fn generate() -> Result<Self, IdentityError> {
        let id = random_hex()?;
        // As large as it becomes: growing would leave copies behind.
        let mut text = String::with_capacity(PREFIX.len() + id.len() + 1 + SECRET);
        text.push_str(PREFIX);
        text.push_str(&id);
        text.push('_');
        BASE64_URL_SAFE_NO_PAD.encode_string(random::<32>()?.as_slice(), &mut text);
        let hash = Digest::of(text.get(text.len() - SECRET..).unwrap_or_default().as_bytes());
        Ok(Self { id, hash, text: Secret::new(text) })
    }
}

/// The two parts of a text that has the form of a key. By position, as base64url has the separator among its letters.
pub(crate) fn parts(key: &str) -> Option<(KeyId, &str)> {
    let (id, rest) = key.strip_prefix(PREFIX)?.split_at_checked(size_of::<KeyId>())?;
    let secret = rest.strip_prefix('_').filter(|secret| secret.len() == SECRET)?;
    Some((id.as_bytes().try_into().ok()?, secret))
}

/// Whether a text has the given SHA-256, in time that does not depend on where the digests differ.
pub(crate) fn has_hash(text: &str, hash: &Digest) -> bool {
    verify_slices_are_equal(digest(&SHA256, text.as_bytes()).as_ref(), hash.as_bytes()).is_ok()
}

/// 64 random bits as 16 hexadecimal digits.
pub(crate) fn random_hex() -> Result<String, IdentityError> {
    Ok(format!("{:016x}", u64::from_be_bytes(*random()?)))
}

pub(crate) fn random<const N: usize>() -> Result<Zeroizing<[u8; N]>, IdentityError> {
    let mut bytes = Zeroizing::new([0; N]);
    SystemRandom::new().fill(&mut *bytes).map_err(|_| IdentityError::NoRandomness)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_key_comes_apart_into_what_is_kept_of_it() {
        let key = NewKey::generate().unwrap();
        let (id, secret) = parts(key.text.expose()).unwrap();
        assert_eq!(id, key.id.as_bytes());
        assert!(has_hash(secret, &key.hash));
        assert!(!has_hash(key.text.expose(), &key.hash));
        assert_eq!(key.text.expose().len(), 65);
        assert_ne!(NewKey::generate().unwrap().text.expose(), key.text.expose());
    }

    #[test]
    fn what_has_not_the_form_of_a_key_has_no_parts() {
        let key = NewKey::generate().unwrap();
        let text = key.text.expose();
        let wrong = [
            "",
            "truc_",
            "truc__",
            &text[..64],
            &format!("{text}A"),
            &text.replacen("truc_", "TRUC_", 1),
            &text[5..],
            &format!("truc_{}", "đ".repeat(30)),
            &format!("truc_{}_{}", "a".repeat(15), "b".repeat(44)),
        ];
        for wrong in wrong {
            assert_eq!(parts(wrong), None, "{wrong}");
        }
    }
}

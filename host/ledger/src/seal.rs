//! Answers at rest. They may hold personal data, so they are sealed under a key that only the caller can bring back:
//! it is derived from the API key and the idempotency key, and the database has no more than digests of either.
//!
//! HKDF with SHA-256 (RFC 5869) makes the key, AES-256-GCM with a random nonce seals.

use aws_lc_rs::aead::{AES_256_GCM, Aad, Nonce, RandomizedNonceKey};
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::hkdf::{HKDF_SHA256, Salt};
use zeroize::Zeroizing;

const NONCE: usize = 12;
const TAG: usize = 16;

/// Seals the answer to one request.
pub(crate) struct Seal(RandomizedNonceKey);

impl Seal {
    pub(crate) fn new(api_key: &str, idempotency_key: &str) -> Result<Self, Unspecified> {
        let mut key = Zeroizing::new([0; 32]);
        Salt::new(HKDF_SHA256, idempotency_key.as_bytes())
            .extract(api_key.as_bytes())
            .expand(&[&b"truc idempotency answer 1"[..]], &AES_256_GCM)?
            .fill(&mut *key)?;
        RandomizedNonceKey::new(&AES_256_GCM, &*key).map(Self)
    }

    /// The sealed body: the nonce, and what it became. `about` is not sealed but bound to it.
    pub(crate) fn close(&self, body: &[u8], about: &[u8]) -> Result<Vec<u8>, Unspecified> {
        let mut sealed = Vec::with_capacity(NONCE + body.len() + TAG);
        sealed.extend_from_slice(&[0; NONCE]);
        sealed.extend_from_slice(body);
        let (room, text) = sealed.split_at_mut(NONCE);
        let (nonce, tag) = self.0.seal_in_place_separate_tag(Aad::from(about), text)?;
        room.copy_from_slice(nonce.as_ref());
        sealed.extend_from_slice(tag.as_ref());
        Ok(sealed)
    }

    /// The body; an error where it was sealed under another key, or is not what was sealed.
    pub(crate) fn open(&self, mut sealed: Vec<u8>, about: &[u8]) -> Result<Vec<u8>, Unspecified> {
        let (nonce, text) = sealed.split_at_mut_checked(NONCE).ok_or(Unspecified)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce)?;
        let length = self.0.open_in_place(nonce, Aad::from(about), text)?.len();
        sealed.truncate(NONCE + length);
        sealed.drain(..NONCE);
        Ok(sealed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_keys_and_the_same_bytes_open() {
        let seal = Seal::new("truc_key", "order-1").unwrap();
        for body in [&b""[..], b"{}", &[7; 100_000]] {
            let sealed = seal.close(body, b"200").unwrap();
            assert_eq!(sealed.len(), NONCE + body.len() + TAG);
            assert_eq!(seal.open(sealed.clone(), b"200").unwrap(), body);
            assert!(seal.open(sealed.clone(), b"201").is_err());
            for (api_key, key) in [("truc_other", "order-1"), ("truc_key", "order-2")] {
                assert!(Seal::new(api_key, key).unwrap().open(sealed.clone(), b"200").is_err());
            }
            for place in [0, NONCE, sealed.len() - 1] {
                let mut changed = sealed.clone();
                changed[place] ^= 1;
                assert!(seal.open(changed, b"200").is_err(), "{place}");
            }
        }
        assert!(seal.open(b"short".to_vec(), b"200").is_err());
        let twice = [seal.close(b"x", b"").unwrap(), seal.close(b"x", b"").unwrap()];
        assert_ne!(twice[0], twice[1], "nonces differ");
    }
}

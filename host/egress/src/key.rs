//! Keys that connectors use by handle and never see.

use aws_lc_rs::digest::{Context, SHA256};
use aws_lc_rs::hmac;
use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, ParsedPublicKey};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{PrivatePkcs8KeyDer, SubjectPublicKeyInfoDer};
use truc_contract::{KeyRule, KeyUse};
use truc_model::{Handle, Secret};

use crate::{BindError, BindFault, KeyAlgorithm, KeyBinding, SecretRef, Secrets};

/// The most bytes of a message.
pub const MAX_MESSAGE: usize = 1 << 20;

/// A key put to use for one service: what the manifest allows with what the operator bound.
pub struct Key {
    handle: Handle,
    uses: Vec<KeyUse>,
    algorithm: KeyAlgorithm,
    material: Material,
}

enum Material {
    /// Boxed for its size: it holds the state of the hash with the key already in it.
    Hmac(Box<hmac::Key>),
    Suffix(Secret),
    Ed25519 {
        pair: Option<Ed25519KeyPair>,
        public: ParsedPublicKey,
    },
}

/// Why a key did not do what was asked; the cases of `truc:connector/keys.error`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The manifest does not declare the use.
    #[error("denied: {0}")]
    Denied(String),
    /// The key cannot do it.
    #[error("unsuitable: {0}")]
    Unsuitable(String),
    /// The message is larger than this number of bytes.
    #[error("the message is larger than {0} bytes")]
    TooLarge(u64),
}

impl Key {
    /// Reads the key and checks that it can do everything that the manifest asks of it.
    ///
    /// # Errors
    /// What is wrong with the binding, for the operator.
    pub fn bind(
        handle: &Handle,
        rule: &KeyRule,
        binding: &KeyBinding,
        secrets: &Secrets,
    ) -> Result<Self, BindError> {
        let fault = |fault| BindError { kind: "key", handle: handle.clone(), fault };
        let algorithm = binding.algorithm;
        if let Some(wanted) = rule.uses.iter().find(|wanted| needed_for(**wanted) != algorithm) {
            return Err(fault(BindFault::KeyUse { wanted: *wanted, algorithm, remedy: needed_for(*wanted) }));
        }
        let secret = secrets.get(&binding.secret).map_err(|error| fault(error.into()))?;
        let material = match algorithm {
            KeyAlgorithm::HmacSha256 => {
                Material::Hmac(Box::new(hmac::Key::new(hmac::HMAC_SHA256, secret.expose().as_bytes())))
            }
            KeyAlgorithm::Sha256Suffix => Material::Suffix(secret),
            KeyAlgorithm::Ed25519 => {
                ed25519(&secret, &binding.secret, rule.uses.contains(&KeyUse::Sign)).map_err(fault)?
            }
        };
        Ok(Self { handle: handle.clone(), uses: rule.uses.clone(), algorithm, material })
    }

    /// HMAC-SHA-256 (RFC 2104) of the message.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn mac(&self, message: &[u8]) -> Result<[u8; 32], KeyError> {
        self.check(KeyUse::Mac, message)?;
        match &self.material {
            Material::Hmac(key) => Ok(array(hmac::sign(key, message).as_ref())),
            _ => Err(self.unsuitable(KeyUse::Mac)),
        }
    }

    /// SHA-256 of the message followed by the secret.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn digest(&self, message: &[u8]) -> Result<[u8; 32], KeyError> {
        self.check(KeyUse::Digest, message)?;
        match &self.material {
            Material::Suffix(secret) => {
                let mut context = Context::new(&SHA256);
                context.update(message);
                context.update(secret.expose().as_bytes());
                Ok(array(context.finish().as_ref()))
            }
            _ => Err(self.unsuitable(KeyUse::Digest)),
        }
    }

    /// The Ed25519 signature (RFC 8032) of the message.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn sign(&self, message: &[u8]) -> Result<[u8; 64], KeyError> {
        self.check(KeyUse::Sign, message)?;
        match &self.material {
            Material::Ed25519 { pair: Some(pair), .. } => Ok(array(pair.sign(message).as_ref())),
            _ => Err(self.unsuitable(KeyUse::Sign)),
        }
    }

    /// Whether the Ed25519 signature of the message is right.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> Result<bool, KeyError> {
        self.check(KeyUse::Verify, message)?;
        match &self.material {
            Material::Ed25519 { public, .. } => Ok(public.verify_sig(message, signature).is_ok()),
            _ => Err(self.unsuitable(KeyUse::Verify)),
        }
    }

    fn check(&self, wanted: KeyUse, message: &[u8]) -> Result<(), KeyError> {
        if !self.uses.contains(&wanted) {
            return Err(KeyError::Denied(format!(
                "key `{0}` may not be used for `{wanted}`: add it to `use` under [keys.{0}] in the manifest",
                self.handle
            )));
        }
        if message.len() > MAX_MESSAGE { Err(KeyError::TooLarge(MAX_MESSAGE as u64)) } else { Ok(()) }
    }

    fn unsuitable(&self, wanted: KeyUse) -> KeyError {
        KeyError::Unsuitable(format!(
            "key `{}` is bound to {}, which cannot do `{wanted}`",
            self.handle, self.algorithm
        ))
    }
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Key")
            .field("handle", &self.handle)
            .field("algorithm", &self.algorithm)
            .field("uses", &self.uses)
            .finish_non_exhaustive()
    }
}

fn needed_for(wanted: KeyUse) -> KeyAlgorithm {
    match wanted {
        KeyUse::Mac => KeyAlgorithm::HmacSha256,
        KeyUse::Digest => KeyAlgorithm::Sha256Suffix,
        KeyUse::Sign | KeyUse::Verify => KeyAlgorithm::Ed25519,
    }
}

fn ed25519(secret: &Secret, name: &SecretRef, signs: bool) -> Result<Material, BindFault> {
    let fault = |reason| BindFault::KeyFormat { secret: name.clone(), kind: "Ed25519 key", reason };
    let pem = secret.expose().as_bytes();
    if let Ok(document) = PrivatePkcs8KeyDer::from_pem_slice(pem) {
        let pair = Ed25519KeyPair::from_pkcs8(document.secret_pkcs8_der())
            .map_err(|_| fault("its private key is of another kind"))?;
        let public = ParsedPublicKey::new(&ED25519, pair.public_key().as_ref())
            .map_err(|_| fault("its private key is of another kind"))?;
        return Ok(Material::Ed25519 { pair: Some(pair), public });
    }
    let document = SubjectPublicKeyInfoDer::from_pem_slice(pem).map_err(|_| {
        fault(
            "write a PEM file with a PRIVATE KEY (PKCS#8), as `openssl genpkey -algorithm ed25519` gives it",
        )
    })?;
    if signs {
        return Err(fault(
            "it holds a public key, and the manifest asks for `sign`, which needs the private key",
        ));
    }
    let public = ParsedPublicKey::new(&ED25519, document.as_ref())
        .map_err(|_| fault("its public key is of another kind"))?;
    Ok(Material::Ed25519 { pair: None, public })
}

/// The bytes of a result whose length its algorithm fixes.
fn array<const N: usize>(bytes: &[u8]) -> [u8; N] {
    let mut array = [0; N];
    array.copy_from_slice(bytes);
    array
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 8032, section 7.1, test 2, in PKCS#8 and SPKI.
    const PRIVATE: &str = "-----BEGIN PRIVATE KEY-----\n\
        MC4CAQAwBQYDK2VwBCIEIEzNCJso/5banbbDRuwRTg9bijGfNaumJNqM9u1PuKb7\n\
        -----END PRIVATE KEY-----\n";
    const PUBLIC: &str = "-----BEGIN PUBLIC KEY-----\n\
        MCowBQYDK2VwAyEAPUAXw+hDiVqStwqnTRt+vJyYLM8uxJaMwM1V8Sr0Zgw=\n\
        -----END PUBLIC KEY-----\n";
    const SIGNATURE: &str = "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da\
        085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00";

    fn bind(algorithm: KeyAlgorithm, uses: &[KeyUse], content: &str) -> Result<Key, BindError> {
        let name: SecretRef = "k".parse().unwrap();
        let secrets = Secrets::of([(name.clone(), Secret::new(content.to_owned()))]);
        let rule = KeyRule { description: "test".to_owned(), uses: uses.to_vec() };
        let binding = KeyBinding { algorithm, secret: name };
        Key::bind(&"payment".parse().unwrap(), &rule, &binding, &secrets)
    }

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn mac_and_digest_match_published_values() {
        // RFC 4231, test case 2.
        let key = bind(KeyAlgorithm::HmacSha256, &[KeyUse::Mac], "Jefe").unwrap();
        let mac = key.mac(b"what do ya want for nothing?").unwrap();
        assert_eq!(hex(&mac), "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
        // FIPS 180-2: SHA-256 of "abc".
        let key = bind(KeyAlgorithm::Sha256Suffix, &[KeyUse::Digest], "bc").unwrap();
        let digest = key.digest(b"a").unwrap();
        assert_eq!(hex(&digest), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }

    #[test]
    fn signatures_match_published_values() {
        let key = bind(KeyAlgorithm::Ed25519, &[KeyUse::Sign, KeyUse::Verify], PRIVATE).unwrap();
        let signature = key.sign(b"\x72").unwrap();
        assert_eq!(hex(&signature), SIGNATURE);
        assert_eq!(key.verify(b"\x72", &signature), Ok(true));
        let key = bind(KeyAlgorithm::Ed25519, &[KeyUse::Verify], PUBLIC).unwrap();
        assert_eq!(key.verify(b"\x72", &signature), Ok(true));
        assert_eq!(key.verify(b"\x73", &signature), Ok(false));
        assert_eq!(key.verify(b"\x72", b"short"), Ok(false));
    }

    #[test]
    fn only_declared_uses_and_messages_within_bounds() {
        let key = bind(KeyAlgorithm::Ed25519, &[KeyUse::Verify], PRIVATE).unwrap();
        let Err(KeyError::Denied(text)) = key.sign(b"x") else { panic!("signed without leave") };
        assert!(text.contains("[keys.payment]"), "{text}");
        let key = bind(KeyAlgorithm::HmacSha256, &[KeyUse::Mac], "k").unwrap();
        assert!(key.mac(&vec![0; MAX_MESSAGE]).is_ok());
        assert_eq!(key.mac(&vec![0; MAX_MESSAGE + 1]), Err(KeyError::TooLarge(1 << 20)));
    }

    #[test]
    fn unfit_bindings_say_what_to_write() {
        for (algorithm, uses, content, needle) in [
            (KeyAlgorithm::HmacSha256, &[KeyUse::Digest][..], "canary", "set `algorithm` to sha256-suffix"),
            (KeyAlgorithm::Ed25519, &[KeyUse::Sign], "canary", "openssl genpkey"),
            (KeyAlgorithm::Ed25519, &[KeyUse::Sign], PUBLIC, "private key"),
        ] {
            let error = bind(algorithm, uses, content).unwrap_err();
            let text = format!("{error} {error:?}");
            assert!(error.to_string().starts_with("key `payment`: "), "{error}");
            assert!(text.contains(needle) && !text.contains("canary"), "{text}");
        }
    }

    #[test]
    fn debug_shows_no_key() {
        let key = bind(KeyAlgorithm::Sha256Suffix, &[KeyUse::Digest], "canary").unwrap();
        assert!(!format!("{key:?}").contains("canary"));
    }
}

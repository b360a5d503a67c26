//! Cryptography with keys that stay in the host. Messages are at most 1 MiB.

use crate::error::Error;
use crate::host::keys as host;
use crate::wit::keys::Error as KeyError;

/// HMAC-SHA-256 (RFC 2104) of the message.
///
/// # Errors
/// [`Error::Key`]; the other functions too.
pub fn mac(key: &str, message: &[u8]) -> Result<[u8; 32], Error> {
    exact(key, host::mac(key, message))
}

/// SHA-256 of the message followed by the secret.
///
/// # Errors
/// [`Error::Key`].
pub fn digest(key: &str, message: &[u8]) -> Result<[u8; 32], Error> {
    exact(key, host::digest(key, message))
}

/// An Ed25519 signature (RFC 8032) of the message.
///
/// # Errors
/// [`Error::Key`].
pub fn sign(key: &str, message: &[u8]) -> Result<[u8; 64], Error> {
    exact(key, host::sign(key, message))
}

/// Whether the Ed25519 signature of the message is right.
///
/// # Errors
/// [`Error::Key`].
pub fn verify(key: &str, message: &[u8], signature: &[u8]) -> Result<bool, Error> {
    host::verify(key, message, signature).map_err(|error| failed(key, error))
}

fn exact<const N: usize>(key: &str, result: Result<Vec<u8>, KeyError>) -> Result<[u8; N], Error> {
    let bytes = result.map_err(|error| failed(key, error))?;
    <[u8; N]>::try_from(bytes)
        .map_err(|bytes| failed(key, KeyError::Unsuitable(format!("{} bytes instead of {N}", bytes.len()))))
}

fn failed(key: &str, error: KeyError) -> Error {
    Error::Key { key: key.to_owned(), error }
}

//! `truc:connector/keys`: cryptography by handle.

use truc_egress::{Key, KeyError};

use super::bindings::truc::connector::keys::{Error, Host};
use crate::call::Call;

impl Host for Call {
    fn mac(&mut self, key: String, message: Vec<u8>) -> Result<Vec<u8>, Error> {
        Ok(self.key(&key)?.mac(&message)?.to_vec())
    }

    fn digest(&mut self, key: String, message: Vec<u8>) -> Result<Vec<u8>, Error> {
        Ok(self.key(&key)?.digest(&message)?.to_vec())
    }

    fn sign(&mut self, key: String, message: Vec<u8>) -> Result<Vec<u8>, Error> {
        Ok(self.key(&key)?.sign(&message)?.to_vec())
    }

    fn verify(&mut self, key: String, message: Vec<u8>, signature: Vec<u8>) -> Result<bool, Error> {
        Ok(self.key(&key)?.verify(&message, &signature)?)
    }
}

impl Call {
    fn key(&self, name: &str) -> Result<&Key, Error> {
        self.environment.keys.get(name).ok_or_else(|| {
            let name: String = name.chars().take(80).collect();
            Error::Denied(format!(
                "the manifest declares no key {name:?}; declare it under [keys] and have the operator bind it"
            ))
        })
    }
}

impl From<KeyError> for Error {
    fn from(error: KeyError) -> Self {
        match error {
            KeyError::Denied(text) => Error::Denied(text),
            KeyError::Unsuitable(text) => Error::Unsuitable(text),
            KeyError::TooLarge(limit) => Error::TooLarge(limit),
        }
    }
}

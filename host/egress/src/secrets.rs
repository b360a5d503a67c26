//! Secrets by name: what one may be, and those at hand while a service is bound.

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use truc_model::{Handle, NameError, Secret};

/// The fewest bytes of a secret. A shorter one could be guessed, and it could not be told from other text where an
/// upstream echoes it.
pub const LEAST_SECRET: usize = 8;

/// The most bytes of a secret in PEM form.
pub const MOST_SECRET: usize = 64 * 1024;

/// The most bytes of a secret in any other form.
const MOST_PLAIN: usize = 4 * 1024;

/// The name of a secret. Lower-case letters, digits and single hyphens.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SecretRef(Handle);

/// Opened secrets: those that one service names, for as long as it takes to bind it. Overwritten when dropped.
#[derive(Debug, Default)]
pub struct Secrets {
    values: HashMap<SecretRef, Secret>,
}

/// Why a secret could not be used. The text never holds any part of the secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// There is none of that name.
    #[error("there is no secret `{name}`: put it with `truc secret put {name}`")]
    Missing {
        /// The secret's name.
        name: SecretRef,
    },
    /// The value cannot be a secret.
    #[error("the value {reason}")]
    Unfit {
        /// What is wrong with it and what to do.
        reason: &'static str,
    },
}

impl Secrets {
    /// Some secrets, by name.
    pub fn of(values: impl IntoIterator<Item = (SecretRef, Secret)>) -> Self {
        Self { values: values.into_iter().collect() }
    }

    /// The secret of a name.
    ///
    /// # Errors
    /// [`SecretError::Missing`].
    pub fn get(&self, name: &SecretRef) -> Result<Secret, SecretError> {
        self.values.get(name).cloned().ok_or_else(|| SecretError::Missing { name: name.clone() })
    }

    /// All of them.
    pub(crate) fn values(&self) -> impl Iterator<Item = &Secret> {
        self.values.values()
    }
}

/// Checks whether a value can be a secret.
///
/// # Errors
/// [`SecretError::Unfit`]: too short, or too long.
pub fn check_secret(value: &Secret) -> Result<(), SecretError> {
    let reason = match (value.expose().len(), is_pem(value.expose())) {
        (..LEAST_SECRET, _) => {
            "has fewer than 8 bytes: it could be guessed, and could not be told from other text; use a longer one"
        }
        (.., true) if value.expose().len() > MOST_SECRET => "is larger than 64 KiB",
        (.., false) if value.expose().len() > MOST_PLAIN => {
            "is larger than 4 KiB, and not in PEM form, which may have 64 KiB"
        }
        _ => return Ok(()),
    };
    Err(SecretError::Unfit { reason })
}

/// Whether a secret is a PEM file, of which only private keys are secret.
pub(crate) fn is_pem(text: &str) -> bool {
    text.contains("-----BEGIN ")
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
    use super::*;

    fn check(text: &str) -> Result<(), SecretError> {
        check_secret(&Secret::new(text.to_owned()))
    }

    #[test]
    fn what_cannot_be_a_secret_is_refused_without_showing_it() {
        for text in ["", "canary1", &"canary".repeat(1000)] {
            let error = check(text).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("canary"), "{error}");
        }
        for text in ["canary12", &"x".repeat(4096), &format!("-----BEGIN X-----\n{}", "x".repeat(40_000))] {
            assert_eq!(check(text), Ok(()));
        }
        assert!(check(&format!("-----BEGIN X-----\n{}", "x".repeat(70_000))).is_err());
    }

    #[test]
    fn names_cannot_be_paths() {
        for text in ["", ".", "..", "../x", "a/b", "/etc/passwd", "A", "a\0", "a.pem", "-a"] {
            assert!(text.parse::<SecretRef>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn nothing_prints_a_value() {
        let name: SecretRef = "key".parse().unwrap();
        let secrets = Secrets::of([(name.clone(), Secret::new("canary".to_owned()))]);
        assert!(!format!("{secrets:?} {:?}", secrets.get(&name)).contains("canary"));
        let missing = secrets.get(&"other".parse().unwrap()).unwrap_err();
        assert!(missing.to_string().contains("truc secret put other"), "{missing}");
    }
}

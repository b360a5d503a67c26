//! What can go wrong in the control plane's work with identities.

use truc_store::StoreError;

/// Why something about identities was not done.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// It exists already.
    #[error("{0} exists already")]
    Taken(String),
    /// It, or what it belongs to, does not exist.
    #[error("there is no {0}")]
    NotFound(String),
    /// A value breaks its rule.
    #[error("{field} {reason}")]
    Invalid {
        /// The value, as the admin API names it.
        field: &'static str,
        /// The rule, as an instruction.
        reason: String,
    },
    /// The operating system gives no random bytes; no key can be made.
    #[error("the operating system gives no random bytes")]
    NoRandomness,
    /// The store did not do its part.
    #[error(transparent)]
    Store(StoreError),
}

impl IdentityError {
    /// A store's error, told in terms of what was asked for.
    pub(crate) fn of(
        error: StoreError,
        taken: impl FnOnce() -> String,
        missing: impl FnOnce() -> String,
    ) -> Self {
        match error {
            StoreError::Taken => Self::Taken(taken()),
            StoreError::NotFound => Self::NotFound(missing()),
            error => Self::Store(error),
        }
    }
}

impl From<StoreError> for IdentityError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

//! Secret texts: never printed, overwritten when dropped.

use std::fmt;

use zeroize::Zeroizing;

/// A secret. `Debug` shows three asterisks, there is no `Display` and no serialisation; the memory is overwritten on
/// drop.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes a secret over.
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// The secret itself. Call it where the secret leaves for the one place that needs it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

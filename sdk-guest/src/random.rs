//! Randomness fit for cryptography.

use crate::host::random as host;

/// That many random bytes, at most 4,096.
pub fn bytes(count: u32) -> Vec<u8> {
    host::bytes(count)
}

/// A random number.
pub fn number() -> u64 {
    host::bytes(8).iter().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

//! A cache shared by the calls of one service. Entries may vanish at any time.

use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::Error;
use crate::host::cache as host;
use crate::wit::cache::Error as CacheError;

/// The value last put under the key (at most 256 bytes), unless its time is over. A value of another shape, left by
/// an older revision, counts as none.
pub fn get<T: DeserializeOwned>(key: &str) -> Option<T> {
    serde_json::from_slice(&host::get(key)?).ok()
}

/// Keeps a value, as JSON of at most 256 KiB, for at most this long; more than a day counts as a day.
///
/// # Errors
/// [`Error::CacheEntryTooLarge`], [`Error::Encode`].
pub fn put<T: Serialize + ?Sized>(key: &str, value: &T, ttl: Duration) -> Result<(), Error> {
    let value = serde_json::to_vec(value).map_err(|error| Error::Encode(error.to_string()))?;
    let ttl = u32::try_from(ttl.as_millis()).unwrap_or(u32::MAX);
    host::put(key, &value, ttl).map_err(|CacheError::TooLarge(limit)| Error::CacheEntryTooLarge(limit))
}

//! `truc:connector/cache`: one bounded cache for each service.

use std::sync::Arc;
use std::time::{Duration, Instant};

use moka::Expiry;
use truc_model::Bytes;

use super::bindings::truc::connector::cache::{Error, Host};
use crate::call::Call;

const MAX_KEY: usize = 256;
const MAX_VALUE: usize = 256 << 10;
const MAX_TTL: Duration = Duration::from_secs(86_400);
/// What an entry costs beyond its key and value.
const ENTRY_OVERHEAD: usize = 128;

/// The cache of one service: bounded in bytes, read without a lock. It outlives revisions of the service.
#[derive(Clone)]
pub struct Cache(moka::sync::Cache<String, Entry>);

#[derive(Clone)]
struct Entry {
    value: Arc<[u8]>,
    ttl: Duration,
}

struct ByEntry;

impl Expiry<String, Entry> for ByEntry {
    fn expire_after_create(&self, _: &String, entry: &Entry, _: Instant) -> Option<Duration> {
        Some(entry.ttl)
    }

    fn expire_after_update(
        &self,
        _: &String,
        entry: &Entry,
        _: Instant,
        _: Option<Duration>,
    ) -> Option<Duration> {
        Some(entry.ttl)
    }
}

impl Cache {
    /// An empty cache that holds at most that much.
    pub fn new(capacity: Bytes) -> Self {
        let weigh = |key: &String, entry: &Entry| {
            u32::try_from(key.len() + entry.value.len() + ENTRY_OVERHEAD).unwrap_or(u32::MAX)
        };
        Self(
            moka::sync::Cache::builder()
                .max_capacity(capacity.0)
                .weigher(weigh)
                .expire_after(ByEntry)
                .build(),
        )
    }
}

impl Host for Call {
    fn get(&mut self, key: String) -> Option<Vec<u8>> {
        self.environment.cache.0.get(&key).map(|entry| entry.value.to_vec())
    }

    fn put(&mut self, key: String, value: Vec<u8>, ttl: u32) -> Result<(), Error> {
        if key.len() > MAX_KEY {
            return Err(Error::TooLarge(MAX_KEY as u64));
        }
        if value.len() > MAX_VALUE {
            return Err(Error::TooLarge(MAX_VALUE as u64));
        }
        let ttl = Duration::from_millis(u64::from(ttl)).min(MAX_TTL);
        self.environment.cache.0.insert(key, Entry { value: value.into(), ttl });
        Ok(())
    }
}

//! `truc:connector/cache`: one bounded cache for each service, and a bound on what one call puts into it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
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

/// The part of its size by which a cache may be over it until it is tidied.
const UNTIDY: u64 = 8;

/// The cache of one service: bounded in bytes, read without a lock. It outlives revisions of the service.
#[derive(Clone)]
pub struct Cache {
    entries: moka::sync::Cache<String, Entry>,
    capacity: u64,
    /// Bytes put since it was last tidied: what is one too many goes only then.
    put: Arc<AtomicU64>,
}

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
        let weigh =
            |key: &String, entry: &Entry| u32::try_from(weight(key, &entry.value)).unwrap_or(u32::MAX);
        let entries = moka::sync::Cache::builder()
            .max_capacity(capacity.0)
            .weigher(weigh)
            .expire_after(ByEntry)
            .build();
        Self { entries, capacity: capacity.0, put: Arc::default() }
    }

    fn put(&self, key: String, value: Arc<[u8]>, ttl: Duration) {
        let weight = weight(&key, &value);
        // What cannot stay must not push out what is there.
        if weight > self.capacity {
            self.entries.invalidate(&key);
            return;
        }
        self.entries.insert(key, Entry { value, ttl });
        if self.put.fetch_add(weight, Ordering::Relaxed).saturating_add(weight) > self.capacity / UNTIDY {
            self.put.store(0, Ordering::Relaxed);
            self.entries.run_pending_tasks();
        }
    }
}

fn weight(key: &str, value: &[u8]) -> u64 {
    (key.len() + value.len() + ENTRY_OVERHEAD) as u64
}

impl Host for Call {
    fn get(&mut self, key: String) -> Option<Vec<u8>> {
        self.environment.cache.entries.get(&key).map(|entry| entry.value.to_vec())
    }

    fn put(&mut self, key: String, value: Vec<u8>, ttl: u32) -> Result<(), Error> {
        if key.len() > MAX_KEY {
            return Err(Error::TooLarge(MAX_KEY as u64));
        }
        if value.len() > MAX_VALUE {
            return Err(Error::TooLarge(MAX_VALUE as u64));
        }
        // An entry costs something even where it is empty, so that a call cannot put without end.
        let most = self.environment.limits.cache_put_bytes.0;
        let put = self.cache_put.saturating_add(weight(&key, &value));
        if put > most {
            // Entries may vanish at any time: this one does at once, together with the one before.
            self.environment.cache.entries.invalidate(&key);
            if self.cache_put <= most {
                let environment = &self.environment;
                tracing::warn!(service.name = %environment.service, request.id = %self.caller.request_id, most, "connector's cache entries beyond the limit of a call are not kept");
            }
            self.cache_put = u64::MAX;
            return Ok(());
        }
        self.cache_put = put;
        let ttl = Duration::from_millis(u64::from(ttl)).min(MAX_TTL);
        self.environment.cache.put(key, value.into(), ttl);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values that are held, also those that were pushed out and wait to be dropped.
    fn held(values: &[std::sync::Weak<[u8]>]) -> usize {
        values.iter().filter(|value| value.strong_count() > 0).count()
    }

    #[test]
    fn a_flood_holds_no_more_than_the_size() {
        let cache = Cache::new(Bytes(4 << 20));
        let (mut values, mut most) = (Vec::new(), 0);
        for number in 0..1_000 {
            let value: Arc<[u8]> = vec![1; MAX_VALUE].into();
            values.push(Arc::downgrade(&value));
            cache.put(number.to_string(), value, MAX_TTL);
            most = most.max(held(&values));
        }
        assert!(cache.entries.weighted_size() <= 4 << 20);
        // 16 fit; some more may wait for their turn to be dropped.
        assert!(most <= 24, "{most}");
    }

    #[test]
    fn what_does_not_fit_is_not_kept_and_pushes_nothing_out() {
        let cache = Cache::new(Bytes(64 << 10));
        cache.put("small".to_owned(), vec![1; 100].into(), MAX_TTL);
        cache.put("large".to_owned(), vec![1; 100 << 10].into(), MAX_TTL);
        cache.entries.run_pending_tasks();
        assert!(cache.entries.contains_key("small") && !cache.entries.contains_key("large"));
        cache.put("small".to_owned(), vec![1; 100 << 10].into(), MAX_TTL);
        assert!(!cache.entries.contains_key("small"), "the value before is not given in its place");
        let none = Cache::new(Bytes(0));
        none.put("small".to_owned(), vec![1].into(), MAX_TTL);
        assert_eq!(none.entries.get("small").map(|entry| entry.value.len()), None);
    }
}

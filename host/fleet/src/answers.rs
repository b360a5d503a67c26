//! The answers that a revision keeps: those of operations with `@cache`, each for the agency that asked, for as long as
//! the contract says.
//!
//! A revision begins with none, so neither other settings nor another connector ever answer with what their predecessor
//! said. What is held is bounded in bytes; beyond that, what is asked for least goes first.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use moka::Expiry;
use moka::future::Cache;
use moka::ops::compute::Op;
use truc_model::{Digest, Timestamp};

/// What an answer costs beyond its key and body: tag, times, and the cache's own books.
const OVERHEAD: usize = 512;

/// The answers that a revision keeps, by a text that tells agency and request.
pub struct Answers {
    /// None where nothing may be kept.
    cache: Option<Cache<String, Arc<KeptAnswer>>>,
}

/// An answer with content that may be used for a while.
#[derive(Debug)]
pub struct KeptAnswer {
    /// The content.
    pub body: Bytes,
    /// Its strong entity tag, quoted.
    pub tag: String,
    /// The moment before it was asked for.
    since: Timestamp,
    lifetime: Duration,
}

impl KeptAnswer {
    /// An answer to what was asked at a moment, good for some seconds from then on.
    pub fn new(body: Vec<u8>, since: Timestamp, lifetime: u32) -> Self {
        Self {
            tag: format!("\"{}\"", Digest::of(&body).hex()),
            // Without the room that writing it left behind.
            body: Bytes::from(body.into_boxed_slice()),
            since,
            lifetime: Duration::from_secs(u64::from(lifetime)),
        }
    }

    /// For how many more seconds it is good, rounded down; none once it is not. A clock that was set back ends it.
    pub fn left(&self, now: Timestamp) -> Option<u32> {
        let age = u64::try_from(now.as_micros().checked_sub(self.since.as_micros())?).ok()?;
        let left = self.lifetime.checked_sub(Duration::from_micros(age)).filter(|left| !left.is_zero())?;
        u32::try_from(left.as_secs()).ok()
    }
}

impl Answers {
    pub(crate) fn new(capacity: truc_model::Bytes) -> Self {
        if capacity.0 == 0 {
            return Self { cache: None };
        }
        let weigh = |key: &String, answer: &Arc<KeptAnswer>| {
            u32::try_from(key.len() + answer.body.len() + OVERHEAD).unwrap_or(u32::MAX)
        };
        let cache = Cache::builder().max_capacity(capacity.0).weigher(weigh).expire_after(ByLifetime).build();
        Self { cache: Some(cache) }
    }

    /// The answer kept under a key, if it is still good.
    pub async fn get(&self, key: &str, now: Timestamp) -> Option<Arc<KeptAnswer>> {
        let cache = self.cache.as_ref()?;
        let kept = cache.get(key).await?;
        if kept.left(now).is_some() {
            return Some(kept);
        }
        // By the host's clock, which the cache does not know; and only what is no good now, not what takes its place.
        let stale = |entry: Option<moka::Entry<String, Arc<KeptAnswer>>>| {
            let stale = entry.is_some_and(|entry| entry.value().left(now).is_none());
            std::future::ready(if stale { Op::Remove } else { Op::Nop })
        };
        cache.entry_by_ref(key).and_compute_with(stale).await;
        None
    }

    /// Keeps the answer that `fill` gives. Of those that ask for the same key at once one does the work, and the others
    /// wait for it; if it goes away, another takes its place.
    ///
    /// # Errors
    /// That of `fill`, shared by all who waited for it. It is not kept.
    pub async fn fill<E: Send + Sync + 'static>(
        &self,
        key: String,
        fill: impl Future<Output = Result<KeptAnswer, E>>,
    ) -> Result<Arc<KeptAnswer>, Arc<E>> {
        let fill = async { fill.await.map(Arc::new) };
        match &self.cache {
            Some(cache) => cache.try_get_with(key, fill).await,
            None => fill.await.map_err(Arc::new),
        }
    }
}

/// Lets go of what is no longer good also where nobody asks for it again.
struct ByLifetime;

impl Expiry<String, Arc<KeptAnswer>> for ByLifetime {
    fn expire_after_create(&self, _: &String, answer: &Arc<KeptAnswer>, _: Instant) -> Option<Duration> {
        Some(answer.lifetime)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(micros: i64) -> Timestamp {
        Timestamp::from_micros(1_751_333_400_000_000 + micros)
    }

    #[test]
    fn what_is_left_is_told_in_whole_seconds() {
        let answer = KeptAnswer::new(b"1".to_vec(), at(0), 60);
        for (now, left) in [
            (0, Some(60)),
            (1, Some(59)),
            (59_000_000, Some(1)),
            (59_999_999, Some(0)),
            (60_000_000, None),
            (-1, None),
        ] {
            assert_eq!(answer.left(at(now)), left, "{now}");
        }
    }

    #[tokio::test]
    async fn what_does_not_fit_is_given_and_not_kept() {
        let answers = Answers::new(truc_model::Bytes(64 << 10));
        let fill = |length: usize| async move { Ok::<_, ()>(KeptAnswer::new(vec![b'1'; length], at(0), 60)) };
        for number in 0..100 {
            let kept = answers.fill(number.to_string(), fill(10_000)).await.unwrap();
            assert_eq!(kept.body.len(), 10_000);
        }
        assert_eq!(answers.fill("large".to_owned(), fill(100_000)).await.unwrap().body.len(), 100_000);
        let cache = answers.cache.as_ref().unwrap();
        cache.run_pending_tasks().await;
        assert!(cache.weighted_size() <= 64 << 10, "{}", cache.weighted_size());
        assert!((1..=6).contains(&cache.entry_count()), "{}", cache.entry_count());
        assert!(answers.get("large", at(0)).await.is_none());
    }
}

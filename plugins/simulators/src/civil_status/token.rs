//! Access tokens: handed out for client credentials (RFC 6749, section 4.4), good for a while.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

use truc_model::Timestamp;

use crate::fault::lock;
use crate::random::Random;

/// At most so many tokens are good at once; further ones push the one that ends first out.
const MOST_TOKENS: usize = 10_000;

pub(crate) struct Tokens {
    lifetime: Duration,
    issued: Mutex<Issued>,
}

#[derive(Default)]
struct Issued {
    count: u64,
    ends: HashMap<String, Timestamp>,
}

impl Tokens {
    pub(crate) fn new(lifetime: Duration) -> Self {
        Self { lifetime, issued: Mutex::default() }
    }

    /// In seconds.
    pub(crate) fn lifetime(&self) -> u64 {
        self.lifetime.as_secs()
    }

    pub(crate) fn issue(&self, now: Timestamp) -> String {
        let mut issued = lock(&self.issued);
        issued.ends.retain(|_, end| *end > now);
        if issued.ends.len() >= MOST_TOKENS
            && let Some(first) =
                issued.ends.iter().min_by_key(|(_, end)| **end).map(|(token, _)| token.clone())
        {
            issued.ends.remove(&first);
        }
        issued.count = issued.count.wrapping_add(1);
        let mut random = Random::new(now.as_millis().rotate_left(20) ^ issued.count);
        let token = format!("{:016x}{:016x}", random.next(), random.next());
        let lifetime = i64::try_from(self.lifetime.as_micros()).unwrap_or(i64::MAX);
        let end = Timestamp::from_micros(now.as_micros().saturating_add(lifetime));
        issued.ends.insert(token.clone(), end);
        token
    }

    pub(crate) fn good(&self, token: &str, now: Timestamp) -> bool {
        lock(&self.issued).ends.get(token).is_some_and(|end| *end > now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_differ_and_end() {
        let tokens = Tokens::new(Duration::from_secs(300));
        let at = |seconds: i64| Timestamp::from_micros(seconds * 1_000_000);
        let (one, other) = (tokens.issue(at(0)), tokens.issue(at(0)));
        assert_ne!(one, other);
        assert!(tokens.good(&one, at(299)));
        assert!(!tokens.good(&one, at(300)));
        assert!(!tokens.good("", at(0)));
    }

    #[test]
    fn the_number_of_tokens_is_bounded() {
        let tokens = Tokens::new(Duration::from_secs(300));
        let first = tokens.issue(Timestamp::from_micros(0));
        for count in 0..MOST_TOKENS as i64 {
            tokens.issue(Timestamp::from_micros(count + 1));
        }
        assert!(!tokens.good(&first, Timestamp::from_micros(1)));
        assert_eq!(lock(&tokens.issued).ends.len(), MOST_TOKENS);
    }
}

//! When a request is made again, and after how long.
//!
//! Made again is what can do no harm: any request of which nothing was written, and one with an idempotent method
//! (RFC 9110, section 9.2.2) where the connection was lost or the answer was 502, 503 or 504; 429 too, where the answer
//! says for how long to wait. What has run out of time is not made again: whoever is too slow is not helped by
//! being asked twice. Before each repetition lies a random wait that may be longer each time ("full jitter"), so that
//! callers who failed together do not come back together.

use std::fmt;
use std::time::Duration;

use http::{HeaderMap, StatusCode, header};

/// The longest wait before the first repetition; twice as long before each further one.
const FIRST_WAIT: Duration = Duration::from_millis(100);

/// The longest wait at all. An upstream that asks for a longer one is not waited for.
pub(crate) const LONGEST_WAIT: Duration = Duration::from_secs(2);

/// Where the randomness of waits comes from.
pub trait Jitter: Send + Sync + 'static {
    /// Any time from none to `most`, each as likely as the other.
    fn up_to(&self, most: Duration) -> Duration;
}

/// Randomness of the operating system.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemJitter;

impl Jitter for SystemJitter {
    fn up_to(&self, most: Duration) -> Duration {
        let mut random = [0; 4];
        if aws_lc_rs::rand::fill(&mut random).is_err() {
            // Without randomness everybody waits for as long as anybody may.
            return most;
        }
        most.mul_f64(f64::from(u32::from_le_bytes(random)) / f64::from(u32::MAX))
    }
}

/// Whether a request may be sent a second time when it is not known whether the first was acted upon.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Repeat {
    /// It has the same effect once or twice.
    Harmless,
    /// It may have its effect twice.
    Harmful,
}

/// How far a request got that has no answer.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    /// Nothing of it was written.
    NotSent,
    /// Some of it may have been written when a connection was lost that had been kept from before. The upstream
    /// closing it at that very moment is nobody's fault.
    LostWithKept,
    /// Some of it may have been written when the connection was lost.
    Lost,
    /// To make it again would come to the same, or take longer than there is.
    Final,
}

/// The wait before a request without an answer is made again; none if it is not.
pub(crate) fn after_failure(
    reach: Reach,
    repeat: Repeat,
    attempt: u32,
    jitter: &dyn Jitter,
) -> Option<Duration> {
    match (reach, repeat) {
        (Reach::Final, _) | (Reach::Lost | Reach::LostWithKept, Repeat::Harmful) => None,
        (Reach::LostWithKept, Repeat::Harmless) if attempt == 1 => Some(Duration::ZERO),
        (Reach::NotSent | Reach::Lost | Reach::LostWithKept, _) => Some(wait(attempt, jitter)),
    }
}

/// The wait before a request is made again that was answered; none if the answer stands.
pub(crate) fn after_answer(
    status: StatusCode,
    headers: &HeaderMap,
    repeat: Repeat,
    attempt: u32,
    jitter: &dyn Jitter,
) -> Option<Duration> {
    if repeat == Repeat::Harmful {
        return None;
    }
    let asked = retry_after(headers);
    let wait = wait(attempt, jitter);
    let wait = match status {
        StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT => {
            asked.map_or(wait, |asked| asked.saturating_add(wait))
        }
        StatusCode::TOO_MANY_REQUESTS => asked?.saturating_add(wait),
        _ => return None,
    };
    (wait <= LONGEST_WAIT).then_some(wait)
}

fn wait(attempt: u32, jitter: &dyn Jitter) -> Duration {
    let doublings = attempt.saturating_sub(1).min(16);
    jitter.up_to(FIRST_WAIT.saturating_mul(1 << doublings).min(LONGEST_WAIT))
}

/// The seconds of `Retry-After` (RFC 9110, section 10.2.3). A date says nothing, as nobody's clocks need agree.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(header::RETRY_AFTER)?.to_str().ok()?;
    text.trim().parse().ok().map(Duration::from_secs)
}

impl fmt::Debug for dyn Jitter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Jitter")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Most;

    impl Jitter for Most {
        fn up_to(&self, most: Duration) -> Duration {
            most
        }
    }

    #[test]
    fn waits_grow_up_to_a_bound_and_never_leave_their_range() {
        let waits: Vec<u128> = (1..=8).map(|attempt| wait(attempt, &Most).as_millis()).collect();
        assert_eq!(waits, [100, 200, 400, 800, 1600, 2000, 2000, 2000]);
        assert_eq!(wait(u32::MAX, &Most), LONGEST_WAIT);
        let random: Vec<Duration> = (0..100).map(|_| wait(3, &SystemJitter)).collect();
        assert!(random.iter().all(|wait| *wait <= Duration::from_millis(400)));
        assert!(random.iter().any(|wait| *wait != random[0]), "{random:?}");
    }

    #[test]
    fn what_is_made_again_is_harmless_or_was_never_sent() {
        use Repeat::{Harmful, Harmless};
        for (reach, repeat, again) in [
            (Reach::NotSent, Harmful, true),
            (Reach::NotSent, Harmless, true),
            (Reach::Lost, Harmful, false),
            (Reach::Lost, Harmless, true),
            (Reach::LostWithKept, Harmful, false),
            (Reach::LostWithKept, Harmless, true),
            (Reach::Final, Harmful, false),
            (Reach::Final, Harmless, false),
        ] {
            assert_eq!(after_failure(reach, repeat, 1, &Most).is_some(), again);
        }
    }

    #[test]
    fn answers_are_asked_for_again_only_where_that_may_help() {
        let after = |status: u16, retry_after: Option<&'static str>, repeat| {
            let mut headers = HeaderMap::new();
            if let Some(text) = retry_after {
                headers.insert(header::RETRY_AFTER, http::HeaderValue::from_static(text));
            }
            after_answer(StatusCode::from_u16(status).unwrap(), &headers, repeat, 1, &Most)
                .map(|wait| wait.as_millis())
        };
        for status in [200, 301, 400, 401, 404, 409, 429, 500, 501, 505] {
            assert_eq!(after(status, None, Repeat::Harmless), None, "{status}");
        }
        for status in [502, 503, 504] {
            assert_eq!(after(status, None, Repeat::Harmless), Some(100), "{status}");
            assert_eq!(after(status, None, Repeat::Harmful), None, "{status}");
        }
        for status in [429, 503] {
            assert_eq!(after(status, Some("1"), Repeat::Harmless), Some(1100));
            // Longer than anybody is kept waiting.
            assert_eq!(after(status, Some("60"), Repeat::Harmless), None);
            assert_eq!(after(status, Some("18446744073709551615"), Repeat::Harmless), None);
            assert_eq!(after(status, Some("1"), Repeat::Harmful), None);
        }
        assert_eq!(after(429, Some("Thu, 01 Jan 2026 00:00:00 GMT"), Repeat::Harmless), None);
        assert_eq!(after(429, Some("-1"), Repeat::Harmless), None);
        assert_eq!(after(503, Some("soon"), Repeat::Harmless), Some(100));
    }
}

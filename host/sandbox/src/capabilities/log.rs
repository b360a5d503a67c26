//! `truc:connector/log`: a connector's lines in the operator's log, as data in a field of their own, without the
//! personal data that the call came with. How many a call and a service may write is bounded; what is over is dropped,
//! and that it was dropped is logged.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::time::Instant;

use super::bindings::truc::connector::log::{Host, Level};
use crate::call::Call;
use crate::settings::MAX_LINE;

/// Nanoseconds in a second.
const SECOND: u64 = 1_000_000_000;

/// The lines of one service: as many in a second as its limit says, also all at once. They outlive revisions of the
/// service. Counting takes no lock.
#[derive(Clone)]
pub struct Lines(Arc<Count>);

struct Count {
    since: Instant,
    /// When all lines so far would have been written at the rate allowed, in nanoseconds since the beginning.
    paid: AtomicU64,
    dropped: AtomicU64,
}

/// What becomes of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// It is written; so many before it were dropped.
    Written { dropped: u64 },
    /// It is one too many.
    Dropped,
}

impl Lines {
    /// No line was written yet.
    #[expect(clippy::new_without_default, reason = "it begins now")]
    pub fn new() -> Self {
        Self(Arc::new(Count { since: Instant::now(), paid: AtomicU64::new(0), dropped: AtomicU64::new(0) }))
    }

    /// Counts a line under that many in a second.
    fn next(&self, rate: u32) -> Fate {
        let Count { since, paid, dropped } = &*self.0;
        let now = u64::try_from(since.elapsed().as_nanos()).unwrap_or(u64::MAX);
        let write = |paid: u64| {
            let paid = paid.max(now).saturating_add(SECOND.checked_div(u64::from(rate))?);
            (paid <= now.saturating_add(SECOND)).then_some(paid)
        };
        match paid.fetch_update(Ordering::Relaxed, Ordering::Relaxed, write) {
            Ok(_) if dropped.load(Ordering::Relaxed) == 0 => Fate::Written { dropped: 0 },
            Ok(_) => Fate::Written { dropped: dropped.swap(0, Ordering::Relaxed) },
            Err(_) => {
                dropped.fetch_add(1, Ordering::Relaxed);
                Fate::Dropped
            }
        }
    }
}

impl Host for Call {
    fn write(&mut self, level: Level, message: String) {
        let (most, rate) = (self.environment.limits.log_lines, self.environment.limits.log_rate);
        self.log_lines = self.log_lines.saturating_add(1);
        if self.log_lines > most {
            if self.log_lines - 1 == most {
                let environment = &self.environment;
                tracing::warn!(service.name = %environment.service, request.id = %self.caller.request_id, most, "connector lines beyond the limit of a call are dropped");
            }
            return;
        }
        match self.environment.lines.next(rate) {
            Fate::Dropped => return,
            Fate::Written { dropped: 0 } => {}
            Fate::Written { dropped } => {
                tracing::warn!(service.name = %self.environment.service, dropped, rate, "connector lines beyond the limit of a second were dropped");
            }
        }
        // Before anything is cut off, so that no piece of a text is left that would not be found.
        let text = printable(&self.masker().hide(&message, MAX_LINE), MAX_LINE);
        let (service, revision, request) =
            (&self.environment.service, self.environment.revision, self.caller.request_id);
        macro_rules! line {
            ($macro:ident) => {
                tracing::$macro!(target: "connector", { service.name = %service, service.revision = revision, request.id = %request, connector.text = text }, "connector line")
            };
        }
        match level {
            Level::Debug => line!(debug),
            Level::Info => line!(info),
            Level::Warn => line!(warn),
            Level::Error => line!(error),
        }
    }
}

/// The text without characters that could act on a terminal or reorder a line, at most that many bytes.
pub(crate) fn printable(message: &str, most: usize) -> String {
    let acts = |c: char| {
        c.is_control()
            || matches!(c, '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}')
    };
    let mut text = String::with_capacity(message.len().min(most));
    for c in message.chars() {
        let c = if acts(c) { '\u{fffd}' } else { c };
        if text.len() + c.len_utf8() > most {
            text.push('…');
            break;
        }
        text.push(c);
    }
    text
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn nothing_in_a_line_can_act() {
        assert_eq!(printable("a\nb\u{1b}[31m\u{202e}c", MAX_LINE), "a\u{fffd}b\u{fffd}[31m\u{fffd}c");
        assert_eq!(printable(&"đ".repeat(2000), MAX_LINE).chars().count(), MAX_LINE / 2 + 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_service_writes_its_rate_and_no_more() {
        let lines = Lines::new();
        tokio::time::advance(Duration::from_secs(60)).await;
        let written = |count: usize| (0..count).filter(|_| lines.next(10) != Fate::Dropped).count();
        assert_eq!(written(100), 10, "a second's worth at once, whatever was saved before");
        tokio::time::advance(Duration::from_millis(100)).await;
        assert_eq!(lines.next(10), Fate::Written { dropped: 90 });
        assert_eq!(written(1), 0);
        let mut over_a_minute = 0;
        for _ in 0..600 {
            tokio::time::advance(Duration::from_millis(100)).await;
            over_a_minute += written(5);
        }
        assert_eq!(over_a_minute, 600);
        assert_eq!(Lines::new().next(0), Fate::Dropped);
    }
}

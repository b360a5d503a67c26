//! Times of many calls, and what the system tells of a process.

use std::time::Duration;

use anyhow::{Context, Result};

/// How long calls took.
#[derive(Default)]
pub(crate) struct Latencies(Vec<Duration>);

impl Latencies {
    /// Counts one more.
    pub(crate) fn add(&mut self, took: Duration) {
        self.0.push(took);
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// The time within which that share of the calls was over, in milliseconds: the nearest rank; 0 if there was none.
    pub(crate) fn percentile(&mut self, share: f64) -> f64 {
        self.0.sort_unstable();
        let rank = (share * self.0.len() as f64).ceil() as usize;
        let took = self.0.get(rank.saturating_sub(1)).copied().unwrap_or_default();
        took.as_secs_f64() * 1000.0
    }
}

impl Extend<Duration> for Latencies {
    fn extend<I: IntoIterator<Item = Duration>>(&mut self, times: I) {
        self.0.extend(times);
    }
}

/// What a process holds at one moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Held {
    /// Resident memory in bytes.
    pub(crate) memory: u64,
}

impl Held {
    /// Asks the system.
    pub(crate) fn by(process: u32) -> Result<Self> {
        let status = format!("/proc/{process}/status");
        let status = std::fs::read_to_string(&status).with_context(|| format!("{status} cannot be read"))?;
        let number = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
            line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok())
        };
        Ok(Self { memory: number("VmRSS").context("the system tells no resident memory")? << 10 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_nearest_ranks() {
        let mut latencies = Latencies::default();
        latencies.extend((1..=200).rev().map(Duration::from_millis));
        assert_eq!(latencies.len(), 200);
        for (share, millis) in [(0.5, 100.0), (0.99, 198.0), (1.0, 200.0)] {
            assert_eq!(latencies.percentile(share), millis);
        }
        assert_eq!(Latencies::default().percentile(0.99), 0.0);
    }

    #[test]
    fn this_process_holds_something() {
        let held = Held::by(std::process::id()).unwrap();
        assert!(held.memory > 1 << 20, "{held:?}");
    }
}

//! Latencies in buckets whose width grows with the value, so that every percentile is right to about 2 %.

/// Buckets between a power of two and the next.
const STEPS: u64 = 64;

/// Counts of latencies in microseconds.
pub(crate) struct Histogram {
    counts: Vec<u64>,
    total: u64,
    max: u64,
}

impl Histogram {
    /// Without any latency.
    pub(crate) fn new() -> Self {
        Self { counts: Vec::new(), total: 0, max: 0 }
    }

    /// Counts one latency.
    pub(crate) fn record(&mut self, micros: u64) {
        let index = bucket(micros);
        if index >= self.counts.len() {
            self.counts.resize(index + 1, 0);
        }
        if let Some(count) = self.counts.get_mut(index) {
            *count += 1;
        }
        self.total += 1;
        self.max = self.max.max(micros);
    }

    /// Adds what another histogram counted.
    pub(crate) fn merge(&mut self, other: &Self) {
        if other.counts.len() > self.counts.len() {
            self.counts.resize(other.counts.len(), 0);
        }
        for (count, more) in self.counts.iter_mut().zip(&other.counts) {
            *count += more;
        }
        self.total += other.total;
        self.max = self.max.max(other.max);
    }

    /// How many latencies were counted.
    pub(crate) fn total(&self) -> u64 {
        self.total
    }

    /// The longest.
    pub(crate) fn max(&self) -> u64 {
        self.max
    }

    /// The latency that the given share (0 to 1) of all do not exceed.
    pub(crate) fn quantile(&self, share: f64) -> u64 {
        let wanted = (self.total as f64 * share).ceil() as u64;
        let mut seen = 0;
        for (index, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= wanted.max(1) {
                return upper_end(index).min(self.max);
            }
        }
        self.max
    }
}

/// Below `STEPS` one bucket for each microsecond; above, `STEPS` buckets for each doubling.
fn bucket(micros: u64) -> usize {
    let doublings = micros.checked_ilog2().unwrap_or(0).saturating_sub(STEPS.ilog2());
    let within = micros >> doublings;
    (u64::from(doublings) * STEPS + within) as usize
}

/// The largest value of a bucket.
fn upper_end(index: usize) -> u64 {
    let index = index as u64;
    let doublings = (index / STEPS).saturating_sub(1);
    let within = index - doublings * STEPS;
    ((within + 1) << doublings) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_lies_in_its_bucket_and_buckets_are_narrow() {
        let mut before = 0;
        for value in (0..5000).chain([10_000, 123_456, 7_000_000, 90_000_000]) {
            let index = bucket(value);
            assert!(index >= before, "{value}");
            before = index;
            assert!(upper_end(index) >= value, "{value}");
            assert!(upper_end(index) as f64 <= value as f64 * 1.02, "{value}: {}", upper_end(index));
            assert!(index == 0 || upper_end(index - 1) < value, "{value}");
        }
    }

    #[test]
    fn quantiles_are_those_of_the_values() {
        let (mut low, mut high) = (Histogram::new(), Histogram::new());
        (1..=50).for_each(|value| low.record(value));
        (51..=100).for_each(|value| high.record(value));
        low.merge(&high);
        assert_eq!(
            (low.total(), low.max(), low.quantile(0.5), low.quantile(0.99), low.quantile(1.0)),
            (100, 100, 50, 99, 100)
        );
        assert_eq!(Histogram::new().quantile(0.5), 0);
    }
}

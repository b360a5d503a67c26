//! Numbers that look random, from a seed that is shown, so that a run's choices can be made again.

use std::time::{SystemTime, UNIX_EPOCH};

/// A row of numbers (SplitMix64).
pub(crate) struct Random(u64);

impl Random {
    /// The row that a seed begins.
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A seed that was not there before.
    pub(crate) fn seed() -> u64 {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        now.as_secs() ^ u64::from(now.subsec_nanos()).rotate_left(32)
    }

    /// The next number.
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number from 0 to one less than the bound; 0 where the bound is 0.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.next().checked_rem(bound).unwrap_or_default()
    }

    /// Whether something comes true that does so in so many cases of a thousand.
    pub(crate) fn in_a_thousand(&mut self, cases: u64) -> bool {
        self.below(1000) < cases
    }

    /// Another row, for somebody who goes on alone.
    pub(crate) fn another(&mut self) -> Self {
        Self(self.next())
    }
}

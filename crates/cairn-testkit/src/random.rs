//! Numbers from a seed.

/// SplitMix64 (Steele, Lea and Flood 2014): every seed is a good one.
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// The sequence of a seed.
    #[must_use]
    pub const fn of(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    pub const fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Below a bound; the remainder's bias is far below what a test could see.
    ///
    /// # Panics
    /// When the bound is zero.
    pub const fn below(&mut self, bound: u64) -> u64 {
        self.bits() % bound
    }

    /// From `low` to `high`, both included; `low` where there is nothing between.
    pub fn within(&mut self, low: i64, high: i64) -> i64 {
        let width = high.saturating_sub(low).max(0).unsigned_abs() + 1;
        low + i64::try_from(self.bits() % width).expect("below a width that fits")
    }

    /// A place in what is so long.
    ///
    /// # Panics
    /// When the length is zero.
    pub fn place(&mut self, len: usize) -> usize {
        usize::try_from(self.below(len as u64)).expect("below a length")
    }

    /// Whether one in so many happens.
    pub const fn one_in(&mut self, odds: u64) -> bool {
        self.bits().is_multiple_of(odds)
    }

    /// Bell-shaped around zero: the sum of four even ones, within twice `deviation` times the root of three.
    pub fn around_zero(&mut self, deviation: i64) -> i64 {
        // An even number within +-w has the variance w^2/3; four have 4 w^2/3, so that w is 0.866 deviations.
        let half = deviation * 866 / 1_000;
        (0..4).map(|_| self.within(-half, half)).sum()
    }
}

//! Numbers from a seed, for what tests make up.

/// SplitMix64 (Steele, Lea and Flood 2014, Fast splittable pseudorandom number generators): every seed is a good one.
pub struct Dice(pub u64);

impl Dice {
    /// The next number below a bound.
    pub const fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mixed(self.0) % bound
    }

    /// The same of a byte.
    pub fn byte(&mut self, bound: u8) -> u8 {
        u8::try_from(self.below(bound.into())).expect("below a byte")
    }

    /// Whether one of so many in a hundred happens.
    pub const fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }
}

/// Its finaliser alone: a number in which every bit of another counts.
pub const fn mixed(z: u64) -> u64 {
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

//! Choices from a seed.

pub struct Random(pub u64);

impl Random {
    /// xorshift64 (Marsaglia 2003); the seed is never 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % bound
    }
}

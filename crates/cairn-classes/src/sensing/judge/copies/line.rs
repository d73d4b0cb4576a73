//! How much of a series a straight line through another one leaves unexplained, in exact integers.

/// Sums over pairs of values, each taken from the first pair so that products stay small.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Line {
    count: i128,
    base: (i128, i128),
    x: i128,
    y: i128,
    xx: i128,
    yy: i128,
    xy: i128,
}

impl Line {
    /// Adds a pair. Values are within 10^12, so that the sums of 2^30 pairs stay far below 2^127.
    pub fn add(&mut self, x: i64, y: i64) {
        if self.count == 0 {
            self.base = (x.into(), y.into());
        }
        let (x, y) = (i128::from(x) - self.base.0, i128::from(y) - self.base.1);
        self.count += 1;
        self.x += x;
        self.y += y;
        self.xx += x * x;
        self.yy += y * y;
        self.xy += x * y;
    }

    /// How many pairs there are.
    pub const fn count(&self) -> i128 {
        self.count
    }

    /// `1 - r^2` in parts per million, rounded up, where the line rises and both series have at least this standard
    /// deviation (of the population); else `None`.
    pub fn unexplained_ppm(&self, spread: i64) -> Option<u32> {
        // n times the sums of squares about the mean: n^2 times the variance.
        let xx = self.count * self.xx - self.x * self.x;
        let yy = self.count * self.yy - self.y * self.y;
        let xy = self.count * self.xy - self.x * self.y;
        let least = (i128::from(spread) * self.count).pow(2);
        if self.count < 2 || xy <= 0 || xx < least || yy < least {
            return None;
        }
        // Beyond 50 bits the lowest are dropped, of both series evenly; no real measurement has so many.
        let (cut_x, cut_y) = (excess_bits(xx), excess_bits(yy));
        let (xx, yy, xy) = (xx >> cut_x, yy >> cut_y, xy >> (cut_x.midpoint(cut_y)));
        let whole = xx * yy;
        let left = (whole - xy * xy).max(0);
        let ppm = (left * 1_000_000 + whole - 1) / whole.max(1);
        u32::try_from(ppm).ok()
    }
}

/// How many low bits to drop so that at most 51 stay; even, so that a product of two can drop the half of each.
const fn excess_bits(value: i128) -> u32 {
    let bits = 128 - value.leading_zeros();
    bits.saturating_sub(50).next_multiple_of(2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sensing::VALUE_MAX;

    /// Name, pairs, spread, and what is left unexplained.
    type Case = (&'static str, Vec<(i64, i64)>, i64, Option<u32>);

    fn unexplained(pairs: &[(i64, i64)], spread: i64) -> Option<u32> {
        let mut line = Line::default();
        pairs.iter().for_each(|&(x, y)| line.add(x, y));
        line.unexplained_ppm(spread)
    }

    #[test]
    fn a_straight_line_explains_everything_and_noise_its_share() {
        let utmost = |n: i64| (n * 10_000_000_000 - VALUE_MAX, n * 5_000_000_000 - VALUE_MAX);
        let cases: [Case; 9] = [
            ("nothing", vec![], 1, None),
            ("one pair", vec![(1, 1)], 1, None),
            ("a line", vec![(0, 5), (10, 25), (20, 45)], 8, Some(0)),
            ("spread 8.2 is not 9", vec![(0, 5), (10, 25), (20, 45)], 9, None),
            ("a falling line", vec![(0, 45), (10, 25), (20, 5)], 1, None),
            ("a constant", vec![(7, 45), (7, 25), (7, 5)], 1, None),
            // r = 0.5: 1 - r^2 = 3/4.
            ("half", vec![(0, 0), (1, 2), (2, 1)], 0, Some(750_000)),
            ("rounded up", vec![(0, 0), (1_000, 1_000), (2_000, 2_001)], 1, Some(1)),
            ("the utmost", (0..200).map(utmost).collect(), 1, Some(0)),
        ];
        for (name, pairs, spread, expected) in cases {
            assert_eq!(unexplained(&pairs, spread), expected, "{name}");
        }
    }

    #[test]
    fn a_hundred_thousand_values_at_both_ends_do_not_overflow() {
        let ends = |n: i64| if n % 2 == 0 { VALUE_MAX } else { -VALUE_MAX };
        let pairs: Vec<(i64, i64)> = (0..100_000).map(|n| (ends(n), ends(n))).collect();
        assert_eq!(unexplained(&pairs, 1_000_000), Some(0));
        let apart: Vec<(i64, i64)> = (0..100_000).map(|n| (ends(n), ends(n / 2))).collect();
        assert_eq!(unexplained(&apart, 1), None);
    }
}

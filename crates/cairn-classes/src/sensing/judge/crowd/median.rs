//! Weighted medians.

/// 1.4826 rounded to a thousandth: the median of absolute normal errors times this is their standard deviation.
const SCALE_MILLI: i64 = 1_483;

/// The middle of the lower and the upper weighted median, rounded down. Sorts what it is given; of nothing, 0.
///
/// The lower one is the least value up to which at least half of the weight lies, the upper one the greatest down to
/// which at least half of it lies: they differ only where a half ends exactly at one value.
pub(super) fn weighted_median(words: &mut [(i64, u32)]) -> i64 {
    words.sort_unstable_by_key(|&(value, _)| value);
    let whole: u64 = words.iter().map(|&(_, weight)| u64::from(weight)).sum();
    let mut below = 0;
    for (n, &(lower, weight)) in words.iter().enumerate() {
        below += u64::from(weight);
        if below * 2 >= whole {
            let upper = if below * 2 == whole { words.get(n + 1).map_or(lower, |&(value, _)| value) } else { lower };
            return (lower + upper).div_euclid(2);
        }
    }
    0
}

/// The standard deviation that distances with this weighted median belong to, rounded down. Distances are at most 2^52.
pub(in super::super) fn spread_of(distances: &mut [(i64, u32)]) -> i64 {
    SCALE_MILLI * weighted_median(distances) / 1_000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_of_the_weight_lies_on_either_side() {
        let cases: &[(&[(i64, u32)], i64)] = &[
            (&[], 0),
            (&[(7, 3)], 7),
            (&[(5, 1), (2, 1), (9, 1)], 5),
            (&[(5, 1), (2, 1), (9, 1), (6, 1)], 5),
            (&[(-5, 1), (-6, 1)], -6),
            (&[(1, 3), (2, 1), (3, 1)], 1),
            (&[(1, 2), (2, 1), (3, 1)], 1),
            (&[(1, 2), (4, 1), (9, 1)], 2),
            (&[(1, 1), (1, 1), (9, 2)], 5),
            (&[(9, 1), (1, 5), (9, 5)], 9),
        ];
        for (words, median) in cases {
            assert_eq!(weighted_median(&mut words.to_vec()), *median, "{words:?}");
            let mut turned: Vec<_> = words.iter().rev().copied().collect();
            assert_eq!(weighted_median(&mut turned), *median, "{words:?}");
        }
        assert_eq!(spread_of(&mut [(1_000, 1), (0, 1), (2_000, 1)]), 1_483);
    }
}

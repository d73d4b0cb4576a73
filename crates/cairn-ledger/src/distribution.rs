//! How an epoch's pay is spread over the accounts that earned it: exact integers, no float.
//!
//! Only rows for devices count: what the residual pool gives to its own account, licences and refunds earn nothing by work.
//! Every number follows
//! from the payout rows under the statement's payout root, so anybody can recompute it.

use core::cmp::Ordering;

use cairn_api::{DistributionInfo, PayBucket};
use cairn_core::amount::mul_div_floor;
use cairn_core::{Amount, PPM};

/// The most bars of a histogram; above it the steps are whole decades.
const BUCKETS_MAX: usize = 18;

/// The spread of what accounts earned; zeros are no earnings. `None` when the sum passes 128 bits, which no balanced epoch
/// does.
pub(crate) fn spread(mut paid: Vec<u128>) -> Option<DistributionInfo> {
    paid.retain(|amount| *amount > 0);
    paid.sort_unstable();
    let total = Amount::checked_sum(paid.iter().copied().map(Amount))?;
    let accounts = paid.len() as u64;
    let top = paid.len().div_ceil(100);
    let top_sum = paid.iter().rev().take(top).sum();
    Some(DistributionInfo {
        accounts,
        total: total.to_string(),
        smallest: Amount(paid.first().copied().unwrap_or(0)).to_string(),
        median: Amount(paid.get(paid.len().saturating_sub(1) / 2).copied().unwrap_or(0)).to_string(),
        largest: Amount(paid.last().copied().unwrap_or(0)).to_string(),
        gini_ppm: gini_ppm(&paid),
        top_accounts: top as u64,
        top_ppm: share_ppm(top_sum, total.0),
        buckets: buckets(&paid),
    })
}

fn share_ppm(part: u128, whole: u128) -> u32 {
    let ppm = mul_div_floor(part, PPM.into(), whole).unwrap_or(0);
    u32::try_from(ppm).unwrap_or(PPM)
}

/// An unsigned number of 256 bits, as far as the Gini coefficient needs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
struct Wide {
    high: u128,
    low: u128,
}

impl Wide {
    /// `a * b`.
    const fn product(a: u128, b: u64) -> Self {
        const LOW: u128 = u64::MAX as u128;
        let b = b as u128;
        let low = (a & LOW) * b;
        let middle = (a >> 64) * b + (low >> 64);
        Self { high: middle >> 64, low: (middle << 64) | (low & LOW) }
    }

    /// `self * factor`, where that is known to be below 2^256.
    const fn times(self, factor: u64) -> Self {
        let low = Self::product(self.low, factor);
        Self { high: self.high * factor as u128 + low.high, low: low.low }
    }

    const fn plus(self, other: Self) -> Self {
        let (low, carry) = self.low.overflowing_add(other.low);
        Self { high: self.high + other.high + carry as u128, low }
    }

    /// `self - other`, where that is not below zero.
    const fn minus(self, other: Self) -> Self {
        let (low, borrow) = self.low.overflowing_sub(other.low);
        Self { high: self.high - other.high - borrow as u128, low }
    }
}

/// The Gini coefficient of ascending amounts, `(2 * sum of i * x_i - (n + 1) * sum) / (n * sum)` with `i` from 1, rounded
/// down to parts per million (C. Gini, 1912; this form after B. Milanovic, 1997). Nobody has none.
fn gini_ppm(ascending: &[u128]) -> u32 {
    let count = ascending.len() as u64;
    let (mut weighted, mut sum) = (Wide::default(), 0u128);
    for (place, amount) in (1..).zip(ascending) {
        weighted = weighted.plus(Wide::product(*amount, place));
        sum += amount;
    }
    if sum == 0 {
        return 0;
    }
    let above = weighted.times(2).minus(Wide::product(sum, count + 1)).times(PPM.into());
    let below = Wide::product(sum, count);
    // The largest whole number of parts that is not above the quotient.
    let (mut low, mut high) = (0, PPM);
    while low < high {
        let middle = low + (high - low).div_ceil(2);
        match below.times(middle.into()).cmp(&above) {
            Ordering::Greater => high = middle - 1,
            _ => low = middle,
        }
    }
    low
}

/// A histogram in steps of 1, 2, 5, 10, ... base units, or of whole decades where those would be too many.
fn buckets(ascending: &[u128]) -> Vec<PayBucket> {
    let (Some(&first), Some(&last)) = (ascending.first(), ascending.last()) else { return Vec::new() };
    let mut edges = edges(&[1, 2, 5], first, last);
    if edges.len() > BUCKETS_MAX + 1 {
        edges = self::edges(&[1], first, last);
    }
    let bucket = |pair: &[u128]| {
        let (from, to) = (pair[0], pair[1]);
        let inside = ascending.partition_point(|x| *x < from)..ascending.partition_point(|x| *x < to);
        let inside = &ascending[inside];
        let paid = inside.iter().sum();
        PayBucket {
            from: Amount(from).to_string(),
            to: Amount(to).to_string(),
            accounts: inside.len() as u64,
            paid: Amount(paid).to_string(),
        }
    };
    edges.windows(2).map(bucket).collect()
}

/// The steps around all amounts: the last one not above the first amount, up to the first one above the last.
fn edges(steps: &[u128], first: u128, last: u128) -> Vec<u128> {
    let mut edges = vec![0];
    let mut decade = 1u128;
    loop {
        for step in steps {
            let edge = decade.saturating_mul(*step);
            if edge <= first {
                edges.clear();
            }
            edges.push(edge);
            if edge > last || edge == u128::MAX {
                return edges;
            }
        }
        decade = decade.saturating_mul(10);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn spreads_are_those_worked_out_by_hand() {
        let cases: [(&[u128], u32, u64, u32, usize); 7] = [
            (&[], 0, 0, 0, 0),
            (&[0, 0], 0, 0, 0, 0),
            (&[7], 0, 1, 1_000_000, 1),
            (&[5, 5, 5, 5], 0, 1, 250_000, 1),
            // (2 * (1*1 + 2*3) - 3 * 4) / (2 * 4) = 2/8
            (&[3, 1], 250_000, 1, 750_000, 2),
            // (2 * (1 + 2 + 3 + 4*97) - 5 * 100) / (4 * 100) = 288/400
            (&[1, 1, 1, 97], 720_000, 1, 970_000, 6),
            (&[u128::MAX / 2, u128::MAX / 2], 0, 1, 500_000, 1),
        ];
        for (paid, gini_ppm, top_accounts, top_ppm, buckets) in cases {
            let spread = spread(paid.to_vec()).unwrap();
            let found = (spread.gini_ppm, spread.top_accounts, spread.top_ppm, spread.buckets.len());
            assert_eq!(found, (gini_ppm, top_accounts, top_ppm, buckets), "{paid:?}: {spread:?}");
        }
        assert_eq!(spread(vec![u128::MAX, 1]), None);
    }

    proptest! {
        #[test]
        fn every_account_is_in_one_bar_and_every_base_unit_too(paid in proptest::collection::vec(1u128..1 << 100, 0..80)) {
            let spread = spread(paid.clone()).unwrap();
            let sum = |amounts: Vec<&String>| amounts.iter().map(|text| text.parse::<u128>().unwrap()).sum::<u128>();
            prop_assert_eq!(spread.buckets.iter().map(|bucket| bucket.accounts).sum::<u64>(), paid.len() as u64);
            prop_assert_eq!(sum(spread.buckets.iter().map(|bucket| &bucket.paid).collect()), paid.iter().sum::<u128>());
            prop_assert!(spread.buckets.len() <= 40);
            prop_assert!(spread.buckets.windows(2).all(|pair| pair[0].to == pair[1].from));
        }

        #[test]
        fn small_ginis_are_those_of_plain_fractions(paid in proptest::collection::vec(1u128..1_000_000, 1..50)) {
            let mut sorted = paid.clone();
            sorted.sort_unstable();
            let (count, sum) = (sorted.len() as u128, sorted.iter().sum::<u128>());
            let weighted: u128 = (1u128..).zip(&sorted).map(|(place, x)| place * x).sum();
            let expected = (2 * weighted - (count + 1) * sum) * 1_000_000 / (count * sum);
            prop_assert_eq!(u128::from(spread(paid).unwrap().gini_ppm), expected);
        }

        #[test]
        fn the_unit_of_an_asset_changes_no_gini(paid in proptest::collection::vec(1u128..1 << 40, 1..50), zeros in 0u32..20) {
            let scaled = paid.iter().map(|x| x * 10u128.pow(zeros)).collect();
            prop_assert_eq!(spread(paid).unwrap().gini_ppm, spread(scaled).unwrap().gini_ppm);
        }
    }
}

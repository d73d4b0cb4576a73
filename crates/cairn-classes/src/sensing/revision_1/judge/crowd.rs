//! What neighbours say together: their lower median, its spread, and how far a value may lie off.

use crate::sensing::revision_1::profile::{self, AltitudeRule, NeighbourRule, Tolerance};

const NEAREST_MAX: usize = profile::NEAREST_MAX as usize;

/// How far a value may lie above and below the median, both positive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Limits {
    pub above: i64,
    pub below: i64,
}

/// The neighbours' common word on one quantity at one place in one slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Crowd {
    /// Lower median of the neighbours' values.
    pub median: i64,
    pub suspect: Limits,
    pub fail: Limits,
    pub count: u32,
    /// Indices of the neighbours' samples within the slot; the first `count` are meant.
    members: [u32; NEAREST_MAX],
}

/// Neighbours' values, nearest first, until there are enough.
#[derive(Debug, Default)]
pub(super) struct Hearing {
    count: usize,
    values: [i64; NEAREST_MAX],
    owners: [u32; NEAREST_MAX],
    members: [u32; NEAREST_MAX],
}

impl Hearing {
    pub fn count(&self) -> usize {
        self.count
    }

    pub fn has_owner(&self, owner: u32) -> bool {
        self.owners[..self.count].contains(&owner)
    }

    /// Takes a neighbour in. The caller asks for no more than [`profile::NEAREST_MAX`].
    pub fn add(&mut self, owner: u32, value: i64, member: u32) {
        self.values[self.count] = value;
        self.owners[self.count] = owner;
        self.members[self.count] = member;
        self.count += 1;
    }

    /// The crowd, or `None` when too few were heard.
    pub fn crowd(mut self, rule: &NeighbourRule) -> Option<Crowd> {
        if self.count == 0 || self.count < rule.least as usize {
            return None;
        }
        let values = &mut self.values[..self.count];
        let median = lower_median(values);
        for value in values.iter_mut() {
            *value = (*value - median).abs();
        }
        let deviation = lower_median(values);
        Some(Crowd {
            median,
            suspect: limits(&rule.suspect, median, deviation),
            fail: limits(&rule.fail, median, deviation),
            count: super::case::small(self.count),
            members: self.members,
        })
    }
}

impl Crowd {
    /// Indices of the neighbours' samples within the slot.
    pub fn members(&self) -> &[u32] {
        &self.members[..self.count as usize]
    }

    /// The limit on the side where `value` lies, with its sign.
    pub fn signed_limit(&self, limits: Limits, value: i64) -> i64 {
        if value < self.median { -limits.below } else { limits.above }
    }

    /// Whether `value` lies further off than `limits`.
    pub fn is_beyond(&self, limits: Limits, value: i64) -> bool {
        (value - self.median).abs() > self.signed_limit(limits, value).abs()
    }
}

/// The lower median: the element at `(n - 1) / 2` of the sorted values, so always one that somebody measured.
fn lower_median(values: &mut [i64]) -> i64 {
    values.sort_unstable();
    values[(values.len() - 1) / 2]
}

/// `max(floor, share * |median|, mad_ppm * 1.4826 * MAD)` on either side, each rounded down.
fn limits(tolerance: &Tolerance, median: i64, deviation: i64) -> Limits {
    const SCALE: i128 = 14_826;
    let spread = i128::from(tolerance.mad_ppm) * SCALE * i128::from(deviation) / (1_000_000 * 10_000);
    let side = |share_ppm: u32| {
        let share = i128::from(share_ppm) * i128::from(median).abs() / 1_000_000;
        i64::try_from(share.max(spread).max(i128::from(tolerance.floor))).unwrap_or(i64::MAX)
    };
    Limits { above: side(tolerance.above_ppm), below: side(tolerance.below_ppm) }
}

/// A neighbour's value brought to the height of the subject, or `None` when the heights forbid a comparison. Rounded
/// toward the neighbour's own value.
pub(super) fn at_height(
    rule: Option<&AltitudeRule>,
    value: i64,
    theirs_cm: Option<i32>,
    ours_cm: Option<i32>,
) -> Option<i64> {
    let Some(rule) = rule else { return Some(value) };
    let (Some(theirs_cm), Some(ours_cm)) = (theirs_cm, ours_cm) else {
        return (!rule.required).then_some(value);
    };
    let up_cm = i64::from(ours_cm) - i64::from(theirs_cm);
    (up_cm.abs() <= i64::from(rule.difference_m) * 100).then(|| value + rule.per_km * up_cm / 100_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule() -> NeighbourRule {
        let tolerance =
            |floor| Tolerance { floor, above_ppm: 1_000_000, below_ppm: 500_000, mad_ppm: 3_000_000, lost_ppm: 0 };
        NeighbourRule { nearest: 5, radius_m: 1, least: 3, altitude: None, suspect: tolerance(20), fail: tolerance(40) }
    }

    fn heard(values: &[i64]) -> Option<Crowd> {
        let mut hearing = Hearing::default();
        for (n, &value) in (0u32..).zip(values) {
            hearing.add(n, value, 10 + n);
        }
        hearing.crowd(&rule())
    }

    #[test]
    fn the_tolerance_is_the_greatest_of_floor_share_and_spread() {
        let cases: &[(&[i64], i64, (i64, i64))] = &[
            (&[10, 10, 10], 10, (40, 40)),        // the floor
            (&[100, 90, 110], 100, (100, 50)),    // the share: MAD 10 * 4.4478 is 44
            (&[10, 40, 70, 100], 40, (133, 133)), // the spread: MAD 30 * 4.4478
            (&[-100, -90, -110], -100, (100, 50)),
        ];
        for (values, median, (above, below)) in cases {
            let crowd = heard(values).unwrap();
            assert_eq!((crowd.median, crowd.fail), (*median, Limits { above: *above, below: *below }), "{values:?}");
            assert!(!crowd.is_beyond(crowd.fail, median + above) && crowd.is_beyond(crowd.fail, median + above + 1));
            assert!(!crowd.is_beyond(crowd.fail, median - below) && crowd.is_beyond(crowd.fail, median - below - 1));
        }
        assert_eq!(heard(&[1, 2]), None);
        assert_eq!(heard(&[]), None);
    }

    #[test]
    fn the_largest_values_and_shares_do_not_overflow() {
        let mut rule = rule();
        rule.fail.above_ppm = 1_000_000_000;
        rule.fail.mad_ppm = 1_000_000_000;
        let mut hearing = Hearing::default();
        for (owner, value) in [(0, -1_000_000_000_000), (1, -1_000_000_000_000), (2, 1_000_000_000_000)] {
            hearing.add(owner, value, 0);
        }
        let crowd = hearing.crowd(&rule).unwrap();
        assert_eq!(crowd.fail.above, 1_000_000_000_000_000);
        assert!(!crowd.is_beyond(crowd.fail, 1_000_000_000_000));
    }

    #[test]
    fn heights_correct_or_forbid_a_comparison() {
        let lapse = |required| AltitudeRule { per_km: -650, difference_m: 500, required };
        let cases = [
            (None, Some(0), Some(900_000), Some(1500)),
            (Some(lapse(false)), Some(0), Some(10_000), Some(1435)),
            (Some(lapse(false)), Some(10_000), Some(0), Some(1565)),
            (Some(lapse(false)), Some(0), Some(50_100), None),
            (Some(lapse(false)), None, Some(10_000), Some(1500)),
            (Some(lapse(true)), None, Some(10_000), None),
            (Some(lapse(true)), Some(10_000), None, None),
        ];
        for (rule, theirs_cm, ours_cm, expected) in cases {
            assert_eq!(at_height(rule.as_ref(), 1500, theirs_cm, ours_cm), expected, "{theirs_cm:?} {ours_cm:?}");
        }
    }
}

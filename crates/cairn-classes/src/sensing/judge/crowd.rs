//! What neighbours make likely together at one place, and how far a value lies off it.

mod estimate;
mod median;

use super::case::small;
use crate::sensing::profile::{self, AltitudeRule, NeighbourRule, Tolerance};

pub(super) use self::estimate::{Opinion, Word, opinion};
pub(super) use self::median::spread_of;

/// The most neighbours whose words make one crowd.
pub(super) const NEAREST_MAX: usize = profile::NEAREST_MAX as usize;

/// The greatest value that is reckoned with, either side of zero: just above what a body may hold, so that a value
/// brought to another height still fits.
pub(super) const VALUE_MOST: i64 = 1 << 40;

/// The most parts per million that a verdict tells.
const OFF_MOST_PPM: u64 = 1_000_000_000;

/// The unit S of being off, above and below the crowd's word; at least 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Limits {
    /// In the quantity's unit, rounded down.
    pub above: i64,
    pub below: i64,
    /// In thousandths of it, by which being off is told.
    above_milli: u64,
    below_milli: u64,
}

/// The neighbours' common word on one quantity at one place in one slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Crowd {
    /// The value that they make likely at the place.
    pub expected: i64,
    pub limits: Limits,
    /// From here on a value is suspect, in parts per million of the limit.
    pub suspect_ppm: u32,
    pub count: u32,
    /// Indices of the neighbours' samples; the first `count` are meant.
    members: [u32; NEAREST_MAX],
}

impl Crowd {
    /// A crowd of at most [`NEAREST_MAX`] members, given as indices of their samples.
    pub fn of(
        rule: &NeighbourRule,
        opinion: &Opinion,
        limits: Limits,
        members: impl ExactSizeIterator<Item = u32>,
    ) -> Self {
        let (expected, suspect_ppm, count) = (opinion.expected, rule.suspect_ppm(), small(members.len()));
        let mut crowd = Self { expected, limits, suspect_ppm, count, members: [0; NEAREST_MAX] };
        for (place, member) in crowd.members.iter_mut().zip(members) {
            *place = member;
        }
        crowd
    }

    /// Indices of the neighbours' samples.
    pub fn members(&self) -> &[u32] {
        &self.members[..self.count as usize]
    }

    /// The limit on the side where `value` lies, with its sign, at so many parts per million; rounded toward zero.
    pub fn limit_at(&self, value: i64, off_ppm: u32) -> i64 {
        let below = value < self.expected;
        let milli = if below { self.limits.below_milli } else { self.limits.above_milli };
        let limit = u128::from(milli) * u128::from(off_ppm) / 1_000_000_000;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        if below { -limit } else { limit }
    }

    /// The least and the greatest value that is not suspect.
    pub fn band(&self) -> (i64, i64) {
        let (below, above) = (self.expected.saturating_sub(1), self.expected);
        let limit = |side| self.limit_at(side, self.suspect_ppm);
        (self.expected.saturating_add(limit(below)), self.expected.saturating_add(limit(above)))
    }

    /// How far off `value` is, in parts per million of the limit on its side, rounded up; 10^9 at most.
    pub fn off_ppm(&self, value: i64) -> u32 {
        let off_ppm = self.limits.off_ppm(value, self.expected).min(OFF_MOST_PPM);
        u32::try_from(off_ppm).expect("at most 10^9")
    }
}

impl Limits {
    /// The root of the sum of the squares of floor, share of `|median|` and spread, rounded down to a thousandth. Values
    /// within [`VALUE_MOST`] and spreads within eight times as much give no more than 2^60.
    pub fn of(tolerance: &Tolerance, median: i64, spread: i64) -> Self {
        let square = |length: i64| u128::from(length.unsigned_abs()) * u128::from(length.unsigned_abs());
        let both = square(tolerance.floor) + square(spread);
        let side = |share_ppm: u32| {
            let share = i128::from(median.unsigned_abs()) * i128::from(share_ppm) / 1_000_000;
            let share = i64::try_from(share).expect("a thousand times a value");
            root((both + square(share)) * 1_000_000)
        };
        let above_milli = side(tolerance.above_ppm);
        let alike = tolerance.above_ppm == tolerance.below_ppm;
        let below_milli = if alike { above_milli } else { side(tolerance.below_ppm) };
        let (above, below) = ((above_milli / 1_000).cast_signed(), (below_milli / 1_000).cast_signed());
        Self { above, below, above_milli, below_milli }
    }

    /// How far `value` is off `expected`, in parts per million of the limit on its side, rounded up: at most 2^63.
    pub fn off_ppm(self, value: i64, expected: i64) -> u64 {
        let milli = if value < expected { self.below_milli } else { self.above_milli };
        let off = value.abs_diff(expected);
        if off < 1 << 34 {
            // 10^9 is below 2^30.
            return (off * 1_000_000_000).div_ceil(milli.max(1));
        }
        let ppm = (u128::from(off) * 1_000_000_000).div_ceil(u128::from(milli.max(1)));
        u64::try_from(ppm).unwrap_or(u64::MAX)
    }
}

/// The integer square root, rounded down; that of 64 bits is much faster than that of 128.
fn root(square: u128) -> u64 {
    let wide = || u64::try_from(square.isqrt()).expect("the root of 128 bits has 64");
    u64::try_from(square).map_or_else(|_| wide(), u64::isqrt)
}

/// What a slot loses by a distance, along the rule's curve; rounded up between its points.
pub(super) fn lost_ppm(rule: &NeighbourRule, off_ppm: u32) -> u32 {
    let next = rule.curve.partition_point(|point| point.off_ppm < off_ppm);
    let Some(before) = next.checked_sub(1).map(|n| rule.curve[n]) else { return 0 };
    let Some(after) = rule.curve.get(next) else { return before.lost_ppm };
    let (run, rise) = (after.off_ppm - before.off_ppm, after.lost_ppm - before.lost_ppm);
    let risen = (u64::from(rise) * u64::from(off_ppm - before.off_ppm)).div_ceil(u64::from(run));
    before.lost_ppm + u32::try_from(risen).expect("a part of the rise")
}

/// A neighbour's value brought to the height of the subject, or `None` when the heights forbid a comparison. Rounded
/// toward the neighbour's own value, and within [`VALUE_MOST`].
pub(super) fn at_height(
    rule: Option<&AltitudeRule>,
    value: i64,
    theirs_cm: Option<i32>,
    ours_cm: Option<i32>,
) -> Option<i64> {
    let within = |value: i64| value.clamp(-VALUE_MOST, VALUE_MOST);
    let Some(rule) = rule else { return Some(within(value)) };
    let (Some(theirs_cm), Some(ours_cm)) = (theirs_cm, ours_cm) else {
        return (!rule.required).then_some(within(value));
    };
    let up_cm = i64::from(ours_cm) - i64::from(theirs_cm);
    let near = up_cm.abs() <= i64::from(rule.difference_m) * 100;
    near.then(|| within(within(value) + rule.per_km * up_cm / 100_000))
}

#[cfg(test)]
mod tests;

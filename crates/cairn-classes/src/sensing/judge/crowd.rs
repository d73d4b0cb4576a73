//! What neighbours make likely together at one place, and how far a value lies off it.

use super::case::small;
use crate::sensing::profile::{self, AltitudeRule, NeighbourRule, Tolerance};

const NEAREST_MAX: usize = profile::NEAREST_MAX as usize;

/// How far a value may lie above and below the crowd's word, both positive: the unit of being off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Limits {
    pub above: i64,
    pub below: i64,
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

/// A neighbour's word.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Word {
    pub value: i64,
    pub weight: u32,
    pub owner: u32,
    /// Index into the case's samples.
    pub sample: u32,
}

/// Neighbours' words, nearest first, until there are enough.
#[derive(Debug, Default)]
pub(super) struct Circle {
    count: usize,
    words: [Word; NEAREST_MAX],
}

impl Circle {
    pub const fn count(&self) -> usize {
        self.count
    }

    pub fn has_owner(&self, owner: u32) -> bool {
        self.words[..self.count].iter().any(|word| word.owner == owner)
    }

    /// Takes a neighbour in. The caller asks for no more than [`profile::NEAREST_MAX`].
    pub fn add(&mut self, word: Word) {
        self.words[self.count] = word;
        self.count += 1;
    }

    /// The crowd, or `None` when too few were heard.
    pub fn crowd(&self, rule: &NeighbourRule) -> Option<Crowd> {
        if self.count == 0 || self.count < rule.least as usize {
            return None;
        }
        let mut words = self.words;
        let words = &mut words[..self.count];
        let expected = weighted_median(words);
        for word in words.iter_mut() {
            word.value = (word.value - expected).abs();
        }
        let deviation = weighted_median(words);
        let mut members = [0; NEAREST_MAX];
        for (member, word) in members.iter_mut().zip(&self.words[..self.count]) {
            *member = word.sample;
        }
        Some(Crowd {
            expected,
            limits: limits(&rule.tolerance, expected, deviation),
            suspect_ppm: rule.curve[0].off_ppm,
            count: small(self.count),
            members,
        })
    }
}

impl Crowd {
    /// Indices of the neighbours' samples.
    pub fn members(&self) -> &[u32] {
        &self.members[..self.count as usize]
    }

    /// The limit on the side where `value` lies, with its sign, at so many parts per million.
    pub fn limit_at(&self, value: i64, off_ppm: u32) -> i64 {
        let limit = if value < self.expected { -self.limits.below } else { self.limits.above };
        let scaled = i128::from(limit) * i128::from(off_ppm) / 1_000_000;
        i64::try_from(scaled).unwrap_or(if limit < 0 { i64::MIN } else { i64::MAX })
    }

    /// How far off `value` is, in parts per million of the limit on its side, rounded up; 10^9 at most.
    pub fn off_ppm(&self, value: i64) -> u32 {
        let limit = if value < self.expected { self.limits.below } else { self.limits.above };
        let off = (i128::from(value) - i128::from(self.expected)).unsigned_abs() * 1_000_000;
        let ppm = off.div_ceil(u128::from(limit.unsigned_abs().max(1)));
        u32::try_from(ppm.min(1_000_000_000)).expect("at most 10^9")
    }
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

/// The lower weighted median: the least value that half of the weight does not exceed. Sorts the words.
fn weighted_median(words: &mut [Word]) -> i64 {
    words.sort_unstable_by_key(|word| (word.value, word.weight));
    let whole: u64 = words.iter().map(|word| u64::from(word.weight)).sum();
    let mut below = 0;
    for word in words.iter() {
        below += u64::from(word.weight);
        if below * 2 >= whole {
            return word.value;
        }
    }
    words.last().map_or(0, |word| word.value)
}

/// `max(floor, share * |expected|, mad_ppm * 1.4826 * MAD)` on either side, each rounded down.
fn limits(tolerance: &Tolerance, expected: i64, deviation: i64) -> Limits {
    const SCALE: i128 = 14_826;
    let spread = i128::from(tolerance.mad_ppm) * SCALE * i128::from(deviation) / (1_000_000 * 10_000);
    let side = |share_ppm: u32| {
        let share = i128::from(share_ppm) * i128::from(expected).abs() / 1_000_000;
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

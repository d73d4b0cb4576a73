//! How fast a value may change: of two readings too far apart, the one further from the median of those around is a spike.
//!
//! Around are the [`BEFORE`] readings before the pair and the [`AFTER`] after it that lie in the slot of its second reading: so
//! what is said of a slot needs nothing from later slots, and an epoch's end changes nothing. Of a pair across the start of
//! a slot only the second reading is charged; the first was judged with its own slot.
//!
//! What remains: one who raises values slowly enough passes; that is the neighbours' business. A true jump, of a device
//! carried indoors, costs it one reading.

use super::flaws::{Flaw, Flaws, Wrong};
use super::series::Told;
use super::trail::{BEFORE, Trail};
use crate::sensing::body::VALUE_MAX;
use crate::sensing::profile::StepRule;
use crate::sensing::words::Fault;

/// How many readings after a pair are looked at.
const AFTER: usize = 5;

/// Finds spikes and steps in what was told, going on from a trail.
pub(super) fn check(rule: &StepRule, told: &[Told], trail: Option<&Trail>, flaws: &mut Flaws) {
    let recent = trail.map_or(&[][..], |trail| &trail.recent);
    let line: Vec<(u64, i64)> =
        recent.iter().copied().chain(told.iter().map(|told| (told.time_ms, told.value))).collect();
    let known = recent.len();
    for second in known.max(1)..line.len() {
        let (a, b) = (line[second - 1], line[second]);
        let apart_ms = b.0.saturating_sub(a.0);
        let allowed = allowed(rule, apart_ms);
        if apart_ms > rule.gap_ms || b.1.abs_diff(a.1) <= allowed.unsigned_abs() {
            continue;
        }
        let slot = told[second - known].slot;
        let first_charged = second > known && told[second - 1 - known].slot == slot;
        let in_slot = told[second - known + 1..].iter().take(AFTER).take_while(|told| told.slot == slot).count();
        let before = &line[(second - 1).saturating_sub(BEFORE)..second - 1];
        let around = before.iter().chain(&line[second + 1..second + 1 + in_slot]);
        let (far_a, far_b) = match median(rule, around, a.0, b.0) {
            Some(median) => (a.1.abs_diff(median), b.1.abs_diff(median)),
            None => (0, 0),
        };
        let fault = if far_a == far_b { Fault::Step } else { Fault::Spike };
        let mut charge = |sample, own: i64, other: i64| {
            flaws.add(Flaw {
                sample,
                wrong: Wrong::Fault(fault),
                observed: own,
                threshold: if own > other { other + allowed } else { other - allowed },
                // Of the two sides of a step one is wrong, nobody knows which: each answers for half.
                lost_ppm: if fault == Fault::Step { rule.lost_ppm.div_ceil(2) } else { rule.lost_ppm },
                speaks: fault == Fault::Step,
            });
        };
        if far_b >= far_a {
            charge(told[second - known].sample, b.1, a.1);
        }
        if far_a >= far_b && first_charged {
            charge(told[second - 1 - known].sample, a.1, b.1);
        }
    }
}

/// The greatest change allowed in so many ms: `min(cap, most + per_minute * minutes)`, rounded down.
fn allowed(rule: &StepRule, apart_ms: u64) -> i64 {
    let grown = i128::from(rule.most) + i128::from(rule.per_minute) * i128::from(apart_ms) / 60_000;
    i64::try_from(grown.min(rule.cap.into())).unwrap_or(VALUE_MAX)
}

/// The lower median of the readings within reach of a pair; `None` when there are too few.
fn median<'r>(
    rule: &StepRule,
    around: impl Iterator<Item = &'r (u64, i64)>,
    first_ms: u64,
    second_ms: u64,
) -> Option<i64> {
    let from = first_ms.saturating_sub(rule.around_ms);
    let to = second_ms.saturating_add(rule.around_ms);
    let mut values = [0; BEFORE + AFTER];
    let mut count = 0;
    for (_, value) in around.filter(|(time_ms, _)| (from..=to).contains(time_ms)) {
        values[count] = *value;
        count += 1;
    }
    let values = &mut values[..count];
    values.sort_unstable();
    (count >= rule.around_least as usize).then(|| values[(count - 1) / 2])
}

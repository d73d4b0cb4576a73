//! What a single value says for itself, and beside others of its reading or window: saturation, consistency, resolution.
//!
//! What remains: one odd value in a window makes any resolution fine, epochs shorter than a window may hold too few values to
//! tell it, and one who leaves the whole out is not held against it.

use cairn_core::PPM;

use super::flaws::{Flaw, Flaws, Wrong};
use super::series::{Part, Told};
use crate::sensing::body::VALUE_MAX;
use crate::sensing::profile::{ResolutionRule, SaturationRule, WithinRule};
use crate::sensing::words::Fault;

/// Values at an end of what the instrument can tell.
pub(super) fn saturation(rule: &SaturationRule, told: &[Told], flaws: &mut Flaws) {
    for told in told {
        let low = rule.low.filter(|&low| told.value <= low);
        let Some(threshold) = low.or(rule.high.filter(|&high| told.value >= high)) else { continue };
        flaws.add(Flaw {
            sample: told.sample,
            wrong: Wrong::Fault(Fault::Saturated),
            observed: told.value,
            threshold,
            lost_ppm: rule.lost_ppm,
            speaks: true,
        });
    }
}

/// Parts that exceed their whole in the same reading. A whole that is out of range says nothing.
pub(super) fn within(part: &Part<'_>, rule: &WithinRule, told: &[Told], flaws: &mut Flaws) {
    let wholes = part.beside(rule.of);
    for told in told {
        let Some(whole) = wholes.of(part.case, told.sample) else { continue };
        let share = i128::from(whole) * i128::from(rule.slack_ppm) / i128::from(PPM);
        let slack = share.max(rule.slack.into());
        let limit = i64::try_from(i128::from(whole) + slack).map_or(VALUE_MAX, |limit| limit.min(VALUE_MAX));
        if told.value > limit {
            flaws.add(Flaw {
                sample: told.sample,
                wrong: Wrong::Fault(Fault::Above(rule.of)),
                observed: told.value,
                threshold: limit,
                lost_ppm: rule.lost_ppm,
                speaks: true,
            });
        }
    }
}

/// Windows whose values come in steps that are too coarse.
pub(super) fn resolution(part: &Part<'_>, rule: &ResolutionRule, told: &[Told], flaws: &mut Flaws) {
    let window = |told: &Told| part.case.window(told.slot);
    for told in told.chunk_by(|a, b| window(a) == window(b)) {
        let Some(steps) = steps(rule, told) else { continue };
        for told in told {
            flaws.add(Flaw {
                sample: told.sample,
                wrong: Wrong::Fault(Fault::Resolution),
                observed: steps,
                threshold: rule.coarsest,
                lost_ppm: rule.lost_ppm,
                speaks: true,
            });
        }
    }
}

/// The greatest common divisor of the differences between values, where there are enough values and it is too coarse.
fn steps(rule: &ResolutionRule, told: &[Told]) -> Option<i64> {
    let coarsest = rule.coarsest.unsigned_abs();
    let mut divisor = 0;
    for pair in told.windows(2) {
        divisor = gcd(divisor, pair[0].value.abs_diff(pair[1].value));
        // Almost always soon: it only ever becomes finer.
        if divisor != 0 && divisor <= coarsest {
            return None;
        }
    }
    let mut values: Vec<i64> = told.iter().map(|told| told.value).collect();
    values.sort_unstable();
    values.dedup();
    (values.len() >= rule.least_values as usize).then(|| i64::try_from(divisor).unwrap_or(VALUE_MAX))
}

const fn gcd(mut a: u64, mut b: u64) -> u64 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

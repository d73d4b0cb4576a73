//! Values that count up from boot, such as rain: what each reading adds.
//!
//! Within a boot a count never goes back, a boot begins at zero, and neither grows faster than the profile allows. A count that
//! does not follow from the last good one is wrong, and kept in doubt: the next one may follow from either. So one wild
//! reading costs one reading, and so does a counter that overflows or restarts unsaid.
//!
//! What remains: a gauge that never counts is the business of the long comparison, and so is one that counts too little.

use super::flaws::{Flaw, Flaws, Wrong};
use super::series::Told;
use super::trail::Trail;
use crate::sensing::body::VALUE_MAX;
use crate::sensing::profile::CounterRule;
use crate::sensing::words::Fault;

/// A reading of a counter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Count {
    /// Ms since 1970 UTC.
    pub time_ms: u64,
    pub value: i64,
    pub boot: u32,
}

/// What one reading adds to what was counted before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Added {
    /// So much, since the reading at this time.
    Since { by: i64, time_ms: u64 },
    /// Nothing to count it from: the first reading, one of an earlier boot, or one that confirms what was in doubt.
    Unknown,
    /// It is flawed.
    Wrong,
}

/// Counts along what was told, going on from a trail; answers what each reading adds, and leaves in the trail what to go
/// on from.
pub(super) fn check(rule: &CounterRule, told: &[Told], trail: &mut Trail, flaws: &mut Flaws) -> Vec<Added> {
    let mut added = Vec::with_capacity(told.len());
    for told in told {
        let count = Count { time_ms: told.time_ms, value: told.value, boot: told.boot };
        added.push(match trail.base {
            None => {
                trail.base = Some(count);
                Added::Unknown
            }
            // A clock was set back between two boots: which reading came when cannot be told.
            Some(base) if count.boot < base.boot => Added::Unknown,
            Some(base) => match growth(rule, base, count) {
                Ok(by) => {
                    (trail.base, trail.doubt) = (Some(count), None);
                    Added::Since { by, time_ms: base.time_ms }
                }
                Err(_) if trail.doubt.is_some_and(|doubt| growth(rule, doubt, count).is_ok()) => {
                    (trail.base, trail.doubt) = (Some(count), None);
                    Added::Unknown
                }
                Err((observed, threshold)) => {
                    trail.doubt = Some(count);
                    flaws.add(Flaw {
                        sample: told.sample,
                        wrong: Wrong::Fault(Fault::Counter),
                        observed,
                        threshold,
                        lost_ppm: rule.lost_ppm,
                        speaks: false,
                    });
                    Added::Wrong
                }
            },
        });
    }
    added
}

/// How much was counted from one reading to another of the same or a later boot, or the (increase, limit) that it breaks.
fn growth(rule: &CounterRule, from: Count, to: Count) -> Result<i64, (i64, i64)> {
    let by = if to.boot == from.boot { to.value - from.value } else { to.value };
    let apart_ms = to.time_ms.saturating_sub(from.time_ms);
    let most = i128::from(rule.most) + i128::from(rule.per_minute) * i128::from(apart_ms) / 60_000;
    let most = i64::try_from(most).unwrap_or(VALUE_MAX).min(VALUE_MAX);
    if to.boot < from.boot || by < 0 {
        Err((by, 0))
    } else if by > most {
        Err((by, most))
    } else {
        Ok(by)
    }
}

//! A battery-backed clock: believed only after it was compared with a time that was known, and only by as much.
//!
//! It is read itself (`/sys/class/rtc/rtc0/since_epoch`), not by way of the system's clock, which starts from a file's date where there is
//! no battery. A clock that was never compared may show anything; one that goes back behind its comparison has lost its
//! battery; and one that was far off then is kept in local time, or wrong. Between two comparisons the system may have set it right:
//! so what is claimed holds both, the clock as it was and one that is right. Against an owner who sets it wrong on purpose
//! nothing helps; the time of receipt is in the log.

use serde::{Deserialize, Serialize};

use super::{FLOOR_MS, Offset, Ticks, at_drift};

/// The file, below the root.
pub const FILE: &str = "sys/class/rtc/rtc0/since_epoch";
/// How far a clock may be off that is believed at all.
const AHEAD_MS_MAX: i64 = 60_000;
/// How exactly systems set it: in whole seconds.
const SET_MS: i64 = 1_000;

/// A comparison of the battery-backed clock with a known time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Compared {
    /// What it showed, seconds since 1970.
    pub rtc_s: i64,
    /// By how many ms it was ahead, at least.
    pub ahead_min_ms: i64,
    /// By how many ms it was ahead, at most.
    pub ahead_max_ms: i64,
}

impl Compared {
    /// The clock showed so many seconds, somewhere within them, at a moment whose time was known.
    #[must_use]
    pub fn at(rtc_s: i64, offset: Offset, now: &Ticks) -> Self {
        let utc = |bound_us: i64| bound_us.saturating_add(now.boot_us).div_euclid(1_000);
        let rtc_ms = rtc_s.saturating_mul(1_000);
        Self {
            rtc_s,
            ahead_min_ms: rtc_ms.saturating_sub(utc(offset.hi_us()) + 1),
            ahead_max_ms: rtc_ms.saturating_add(1_000).saturating_sub(utc(offset.lo_us())),
        }
    }

    /// What the clock tells now that it shows so many seconds, if anything.
    #[must_use]
    pub fn tells(&self, rtc_s: i64, now: &Ticks) -> Option<Offset> {
        let since_s = rtc_s.checked_sub(self.rtc_s).filter(|since_s| *since_s >= 0)?;
        let is_near = |ahead_ms: i64| (-AHEAD_MS_MAX..=AHEAD_MS_MAX).contains(&ahead_ms);
        if !is_near(self.ahead_min_ms) || !is_near(self.ahead_max_ms) || self.rtc_s < FLOOR_MS / 1_000 {
            return None;
        }
        let drift_us = at_drift(since_s.checked_mul(1_000_000)?);
        let (ahead_min_ms, ahead_max_ms) = (self.ahead_min_ms.min(-SET_MS), self.ahead_max_ms.max(SET_MS));
        let rtc_ms = rtc_s.checked_mul(1_000)?;
        let boot_us = |time_ms: i64| Some(time_ms.checked_mul(1_000)?.saturating_sub(now.boot_us));
        let offset = Offset::between(boot_us(rtc_ms - ahead_max_ms)?, boot_us(rtc_ms + 1_000 - ahead_min_ms)?)?;
        Some(offset.widened(drift_us.saturating_add(now.took_us)))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const UTC_S: i64 = 1_790_000_000;

    fn known(utc_us: i64, error_us: i64, now: &Ticks) -> Offset {
        Offset::between(utc_us - now.boot_us - error_us, utc_us - now.boot_us + error_us).unwrap()
    }

    #[test]
    fn a_clock_is_believed_by_as_much_as_it_was_compared() {
        let now = Ticks::default();
        let compared = Compared::at(UTC_S + 3, known(UTC_S * 1_000_000, 10_000, &now), &now);
        assert_eq!((compared.ahead_min_ms, compared.ahead_max_ms), (2_989, 4_010));
        for (rtc_s, ahead_ms, is_believed) in [
            (UTC_S + 3, (2_989, 4_010), true),
            (UTC_S + 86_400, (2_989, 4_010), true),
            (UTC_S + 2, (2_989, 4_010), false),
            (UTC_S + 3, (2_989, 60_001), false),
            (UTC_S + 3, (-3_600_000, -3_599_000), false),
            (0, (0, 0), false),
        ] {
            let compared = Compared { ahead_min_ms: ahead_ms.0, ahead_max_ms: ahead_ms.1, ..compared };
            assert_eq!(compared.tells(rtc_s, &now).is_some(), is_believed, "{rtc_s} {ahead_ms:?}");
        }
        let never = Compared { rtc_s: 1_000, ahead_min_ms: 0, ahead_max_ms: 0 };
        assert_eq!(never.tells(2_000, &now), None);
    }

    proptest! {
        #[test]
        fn the_truth_is_within_what_it_tells_whether_or_not_it_was_set_right_meanwhile(
            ahead_us in -30_000_000i64..30_000_000, error_us in 0i64..2_000_000, off_ppm in -1_000_000i64..=1_000_000,
            away_s in 0i64..30_000_000, drift_ppm in -99i64..=99, is_set in any::<bool>(),
        ) {
            let off_us = error_us * off_ppm / 1_000_000;
            let now = Ticks { boot_us: 5_000_000, ..Ticks::default() };
            let utc_us = UTC_S * 1_000_000 + 123_456;
            let compared = Compared::at((utc_us + ahead_us).div_euclid(1_000_000), known(utc_us + off_us, error_us, &now), &now);
            let later_us = utc_us + away_s * 1_000_000;
            let ahead_us = if is_set { 0 } else { ahead_us } + away_s * drift_ppm;
            if let Some(found) = compared.tells((later_us + ahead_us).div_euclid(1_000_000), &now) {
                let truth = later_us - now.boot_us;
                prop_assert!(found.lo_us() <= truth && truth <= found.hi_us(), "{compared:?} {found:?} {truth}");
            }
        }
    }
}

//! What the system says of its own clock.
//!
//! `systemd-timesyncd` touches `/run/systemd/timesync/synchronized` at each successful synchronisation (see its manual page,
//! FILES); the file is gone after a restart of the machine. It asks every 34 minutes at the least often, believes servers within 5 s of their
//! reference clock (`RootDistanceMaxSec`), and lets an offset of up to 0.4 s go in its own time.

use super::{FLOOR_MS, Offset, Sample, Ticks, at_drift};

/// The file, below the root.
pub const MARK: &str = "run/systemd/timesync/synchronized";
/// How far off a clock may be that was just synchronised.
const ERROR_US: i64 = 5_400_000;
/// How long ago that may be: five of its longest waits.
const AGE_US_MAX: i64 = 5 * 2_048_000_000;

/// What the system's clock tells, given when its mark was last touched, by the same clock, µs since 1970. `None` where that is
/// too long ago, in the future, or no time at all: then nothing keeps the clock, or somebody set it since.
#[must_use]
pub fn sample(marked_us: i64, now: Ticks) -> Option<Sample> {
    let wall_us = now.wall_us?;
    let age_us = wall_us.checked_sub(marked_us)?;
    if !(0..=AGE_US_MAX).contains(&age_us) || marked_us / 1_000 < FLOOR_MS {
        return None;
    }
    let (middle_us, error_us) = (wall_us.checked_sub(now.boot_us)?, ERROR_US + at_drift(age_us) + now.took_us);
    Some(Sample { offset: Offset::between(middle_us - error_us, middle_us + error_us)?, at: now })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_systems_clock_is_believed_as_long_as_something_keeps_it() {
        const NOW: i64 = 1_790_000_000_000_000;
        let error_us = |marked_us: i64, wall_us: Option<i64>| {
            let found = sample(marked_us, Ticks { boot_us: 7, wall_us, took_us: 3, ..Ticks::default() })?;
            assert!((found.offset.middle_us() - (NOW - 7)).abs() <= 1);
            Some(found.offset.error_us())
        };
        for (ago_us, expected) in [
            (0, Some(5_400_003)),
            (2_048_000_000, Some(5_604_803)),
            (AGE_US_MAX, Some(6_424_003)),
            (AGE_US_MAX + 1, None),
            (-1, None),
        ] {
            assert_eq!(error_us(NOW - ago_us, Some(NOW)), expected, "{ago_us}");
        }
        assert_eq!(error_us(NOW, None), None);
        assert!(sample(60_000_000, Ticks { wall_us: Some(61_000_000), ..Ticks::default() }).is_none());
    }
}

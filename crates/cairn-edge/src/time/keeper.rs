//! What is known of the time, between two times that somebody is asked. Pure: the clocks' readings are handed in.

use super::{Sample, Ticks, rank};
use crate::{ClockSource, Stamp};

/// A step of the system's clock that counts as one. Reading two clocks is not done at once; sleeping and being moved to another
/// machine take longer than this.
const STEP_US: i64 = 500_000;

/// The time as it was last told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Known {
    /// By whom.
    pub source: ClockSource,
    /// What and when.
    pub sample: Sample,
}

/// What became of a time that was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// It is the time from now on.
    Known,
    /// It agrees with a better one, which stays.
    Agreed,
    /// It contradicts one from a better source, which stays.
    Refused,
    /// It contradicts one from a source as good: neither is believed, and the next to be told is.
    Doubted,
}

/// Keeps the time.
#[derive(Debug)]
pub struct Keeper {
    error_us_max: i64,
    known: Option<Known>,
    /// The system's clock less the boot clock, in µs, as of the first look after the last step.
    wall_us: Option<i64>,
    steps: u64,
}

impl Keeper {
    /// Knows nothing yet, and will claim no time that may be further off than this, in µs.
    #[must_use]
    pub const fn new(error_us_max: i64) -> Self {
        Self { error_us_max, known: None, wall_us: None, steps: 0 }
    }

    /// How often the system's clock stepped against the one that nobody sets.
    #[must_use]
    pub const fn steps(&self) -> u64 {
        self.steps
    }

    /// The time as it was last told, whether or not it may still be claimed.
    #[must_use]
    pub const fn known(&self) -> Option<Known> {
        self.known
    }

    /// Looks whether the system's clock stepped, and forgets the time if so; answers whether. It says that something happened to
    /// this machine's time (it slept, was restored from an image, was set), and nobody knows what; asking again is cheap.
    pub fn look(&mut self, now: &Ticks) -> bool {
        let Some(wall_us) = now.wall_us else { return false };
        let apart_us = wall_us.saturating_sub(now.boot_us);
        let last_us = *self.wall_us.get_or_insert(apart_us);
        if apart_us.saturating_sub(last_us).saturating_abs() <= STEP_US.saturating_add(now.took_us) {
            return false;
        }
        self.wall_us = Some(apart_us);
        self.steps += 1;
        self.known = None;
        true
    }

    /// Takes a time that was told.
    pub fn take(&mut self, source: ClockSource, sample: Sample, now: &Ticks) -> Taken {
        let told = Known { source, sample };
        let fresh = sample.aged(now);
        let Some(known) = self.known.filter(|_| self.claimed(now).is_some()) else {
            self.known = Some(told);
            return Taken::Known;
        };
        let own = known.sample.aged(now);
        let is_better = rank(source) > rank(known.source);
        let is_worse = rank(source) < rank(known.source);
        match own.meets(fresh) {
            true if is_better || fresh.error_us() <= own.error_us() => {
                self.known = Some(told);
                Taken::Known
            }
            true => Taken::Agreed,
            false if is_better => {
                self.known = Some(told);
                Taken::Known
            }
            false if is_worse => Taken::Refused,
            false => {
                self.known = None;
                Taken::Doubted
            }
        }
    }

    /// What is known now, if it is known well enough to be claimed.
    fn claimed(&self, now: &Ticks) -> Option<(ClockSource, super::Offset)> {
        let known = self.known?;
        let offset = known.sample.aged(now);
        (offset.error_us() <= self.error_us_max).then_some((known.source, offset))
    }

    /// The moment. A time whose bound has grown too wide is not claimed.
    #[must_use]
    pub fn stamp(&self, now: &Ticks) -> Stamp {
        let wall = self.claimed(now).and_then(|(source, offset)| {
            let time_ms = u64::try_from(now.boot_us.saturating_add(offset.middle_us()).div_euclid(1_000)).ok()?;
            // Cutting to ms takes less than one; so does the reading of the clocks, or it is added.
            let error_us = offset.error_us().saturating_add(999).saturating_add(now.took_us);
            let error_ms = u64::try_from(error_us.div_euclid(1_000) + 1).ok()?;
            Some((time_ms, source, error_ms))
        });
        let boot_ms = u64::try_from(now.boot_us.div_euclid(1_000)).unwrap_or(0);
        Stamp { boot_ms, wall }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Offset;
    use super::*;

    const UTC: i64 = 1_790_000_000_000_000;
    const MS: i64 = 1_000;
    const S: i64 = 1_000_000;

    fn at(boot_us: i64) -> Ticks {
        Ticks { boot_us, awake_us: boot_us, raw_us: boot_us, wall_us: Some(boot_us + 5 * S), took_us: 0 }
    }

    fn sample(middle_us: i64, error_us: i64, at: Ticks) -> Sample {
        Sample { offset: Offset::between(middle_us - error_us, middle_us + error_us).unwrap(), at }
    }

    #[test]
    fn what_is_told_is_taken_as_its_source_deserves() {
        use ClockSource::{Network, Ntp, Rtc};
        for (known, told, expected, holds) in [
            ((Ntp, 0, 50 * MS), (Ntp, 20 * MS, 10 * MS), Taken::Known, Some((Ntp, 10))),
            ((Ntp, 0, 10 * MS), (Ntp, 20 * MS, 50 * MS), Taken::Agreed, Some((Ntp, 10))),
            ((Ntp, 0, 10 * MS), (Ntp, 90 * MS, 10 * MS), Taken::Doubted, None),
            ((Ntp, 0, 10 * MS), (Network, 900 * MS, S), Taken::Agreed, Some((Ntp, 10))),
            ((Ntp, 0, 10 * MS), (Network, 2 * S, S), Taken::Refused, Some((Ntp, 10))),
            ((Ntp, 0, 9 * S), (Network, 2 * S, S), Taken::Known, Some((Network, 1_000))),
            ((Rtc, 0, 2 * S), (Network, 90 * S, S), Taken::Known, Some((Network, 1_000))),
            ((Rtc, 0, 2 * S), (Ntp, S, 5 * S), Taken::Known, Some((Ntp, 5_000))),
            ((Ntp, 0, 61 * S), (Network, 200 * S, S), Taken::Known, Some((Network, 1_000))),
        ] {
            let mut keeper = Keeper::new(60 * S);
            keeper.take(known.0, sample(UTC + known.1, known.2, at(0)), &at(0));
            let case = format!("{known:?} {told:?}");
            assert_eq!(keeper.take(told.0, sample(UTC + told.1, told.2, at(0)), &at(0)), expected, "{case}");
            let found = keeper.stamp(&at(0)).wall.map(|(_, source, error_ms)| (source, error_ms - 1));
            assert_eq!(found, holds, "{case}");
        }
    }

    #[test]
    fn the_bound_grows_until_the_time_is_not_claimed_any_more() {
        let mut keeper = Keeper::new(60 * S);
        keeper.take(ClockSource::Ntp, sample(UTC, 10 * MS, at(0)), &at(0));
        let error_ms = |after_s: i64| keeper.stamp(&at(after_s * S)).wall.map(|(_, _, error_ms)| error_ms);
        assert_eq!([0, 1_000, 86_400, 599_000].map(error_ms), [Some(11), Some(111), Some(8_651), Some(59_911)]);
        assert_eq!(error_ms(600_001), None);
        assert_eq!(
            keeper.stamp(&at(S)),
            Stamp { boot_ms: 1_000, wall: Some((1_790_000_001_000, ClockSource::Ntp, 12)) }
        );
    }

    #[test]
    fn a_step_of_the_systems_clock_voids_what_was_known_and_small_differences_do_not() {
        let mut keeper = Keeper::new(60 * S);
        assert!(!keeper.look(&at(0)));
        for (stepped_us, took_us, expected) in [
            (400 * MS, 0, false),
            (-400 * MS, 0, false),
            (900 * MS, 500 * MS, false),
            (0, 0, false),
            (501 * MS, 0, true),
            (501 * MS, 0, false),
            (-3_600 * S, 0, true),
        ] {
            keeper.take(ClockSource::Ntp, sample(UTC, 10 * MS, at(0)), &at(0));
            let now = Ticks { wall_us: Some(10 * S + 5 * S + stepped_us), took_us, ..at(10 * S) };
            assert_eq!(keeper.look(&now), expected, "{stepped_us}");
            assert_eq!(keeper.stamp(&at(10 * S)).wall.is_none(), expected, "{stepped_us}");
        }
        assert_eq!(keeper.steps(), 2);
    }
}

//! What a source says of the time, as an interval that holds it, and what several sources agree on.

use super::{Ticks, at_drift};

/// UTC less the boot clock, between two bounds, both included, in µs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Offset {
    lo_us: i64,
    hi_us: i64,
}

impl Offset {
    /// Between two bounds; `None` where they are the wrong way round.
    #[must_use]
    pub fn between(lo_us: i64, hi_us: i64) -> Option<Self> {
        (lo_us <= hi_us).then_some(Self { lo_us, hi_us })
    }

    /// The lower bound.
    #[must_use]
    pub const fn lo_us(self) -> i64 {
        self.lo_us
    }

    /// The upper bound.
    #[must_use]
    pub const fn hi_us(self) -> i64 {
        self.hi_us
    }

    /// The middle, which is off by [`Offset::error_us`] at most.
    #[must_use]
    pub const fn middle_us(self) -> i64 {
        self.lo_us.saturating_add(self.hi_us.saturating_sub(self.lo_us) / 2)
    }

    /// How far the middle may be off, in µs, rounded up.
    #[must_use]
    pub const fn error_us(self) -> i64 {
        self.hi_us.saturating_sub(self.middle_us())
    }

    /// Wider by this much on both sides.
    #[must_use]
    pub const fn widened(self, by_us: i64) -> Self {
        Self { lo_us: self.lo_us.saturating_sub(by_us), hi_us: self.hi_us.saturating_add(by_us) }
    }

    /// Whether both can be right.
    #[must_use]
    pub const fn meets(self, other: Self) -> bool {
        self.lo_us <= other.hi_us && other.lo_us <= self.hi_us
    }
}

/// What a source said, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sample {
    /// What.
    pub offset: Offset,
    /// The machine's clocks then.
    pub at: Ticks,
}

impl Sample {
    /// What was told between asking and answering. The clocks may be slewed even meanwhile, so that it is aged by as much.
    #[must_use]
    pub fn told(offset: Offset, asked: &Ticks, came: Ticks) -> Self {
        Self { offset: Self { offset, at: *asked }.aged(&came), at: came }
    }

    /// What is left of it now. It widens by the drift of the oscillator, by what who disciplines the system's clock has slewed the
    /// boot clock by against it since, and by the time slept: how well the system counts that is not known.
    #[must_use]
    pub fn aged(&self, now: &Ticks) -> Offset {
        let raw_us = now.raw_us.saturating_sub(self.at.raw_us);
        let awake_us = now.awake_us.saturating_sub(self.at.awake_us);
        let slept_us = now.boot_us.saturating_sub(self.at.boot_us).saturating_sub(awake_us).saturating_abs();
        let slewed_us = awake_us.saturating_sub(raw_us).saturating_abs();
        self.offset.widened(at_drift(raw_us).saturating_add(slewed_us).saturating_add(slept_us))
    }
}

/// What more than half of `sources` sources allow: from the first to the last point that lies in so many of their intervals.
///
/// This is the intersection of RFC 5905, 11.2.1, after Marzullo and Mills. If more than half of the sources are honest, the truth
/// lies in all of theirs and so in the result, whatever the others say; and as no point of it is allowed by liars alone, they
/// cannot move it further than an honest source is uncertain. The *smallest* interval that most agree on, which Marzullo's own
/// algorithm takes, does not promise that: liars who side with some of the honest can vote the truth out. Who is silent
/// counts as one who did not agree: silencing the honest must not make a majority of the others.
#[must_use]
pub fn agreed(intervals: &[Offset], sources: usize) -> Option<Offset> {
    let needed = sources / 2 + 1;
    let is_allowed =
        |point: i64| intervals.iter().filter(|own| own.lo_us <= point && point <= own.hi_us).count() >= needed;
    let lo_us = intervals.iter().map(|own| own.lo_us).filter(|point| is_allowed(*point)).min()?;
    let hi_us = intervals.iter().map(|own| own.hi_us).filter(|point| is_allowed(*point)).max()?;
    Offset::between(lo_us, hi_us)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(lo_us: i64, hi_us: i64) -> Offset {
        Offset::between(lo_us, hi_us).unwrap()
    }

    #[test]
    fn most_decide_and_the_others_are_outvoted() {
        for (intervals, sources, expected) in [
            (vec![], 0, None),
            (vec![], 1, None),
            (vec![of(1, 5)], 1, Some(of(1, 5))),
            (vec![of(1, 5)], 2, None),
            (vec![of(1, 5)], 3, None),
            (vec![of(1, 5), of(3, 9)], 2, Some(of(3, 5))),
            (vec![of(1, 5), of(6, 9)], 2, None),
            (vec![of(1, 5), of(6, 9)], 3, None),
            (vec![of(1, 5), of(3, 9)], 3, Some(of(3, 5))),
            (vec![of(1, 5), of(3, 9), of(70, 99)], 3, Some(of(3, 5))),
            (vec![of(1, 5), of(5, 9), of(9, 12)], 3, Some(of(5, 9))),
            (vec![of(0, 9), of(2, 3), of(2, 3), of(8, 9), of(8, 9)], 5, Some(of(2, 9))),
        ] {
            assert_eq!(agreed(&intervals, sources), expected, "{intervals:?} of {sources}");
        }
    }

    #[test]
    fn a_sample_widens_with_drift_with_slewing_and_with_sleep() {
        let at = |boot_us, awake_us, raw_us| Ticks { boot_us, awake_us, raw_us, ..Ticks::default() };
        let sample = Sample { offset: of(1_000, 2_000), at: at(0, 0, 0) };
        for (now, expected) in [
            (at(0, 0, 0), of(1_000, 2_000)),
            (at(10_000, 10_000, 10_000), of(999, 2_001)),
            (at(1_000_000_000, 1_000_000_000, 1_000_000_000), of(-99_000, 102_000)),
            (at(1_000_500_000, 1_000_500_000, 1_000_000_000), of(-599_000, 602_000)),
            (at(999_500_000, 999_500_000, 1_000_000_000), of(-599_000, 602_000)),
            (at(1_000_500_000, 1_000_000_000, 1_000_000_000), of(-599_000, 602_000)),
            (at(1_000_000_000, 999_500_000, 1_000_000_000), of(-1_099_000, 1_102_000)),
        ] {
            assert_eq!(sample.aged(&now), expected, "{now:?}");
        }
    }

    proptest! {
        #[test]
        fn the_truth_is_within_what_is_agreed_and_no_liar_moves_it_further_than_the_honest_are_unsure(
            honest in proptest::collection::vec((0i64..1_000, 0i64..1_000), 1..8),
            liars in proptest::collection::vec((-5_000i64..5_000, 0i64..9_000), 0..7),
            silent in 0usize..7,
        ) {
            let truth = 0;
            let liars = &liars[..liars.len().min(honest.len() - 1)];
            let silent = silent.min(honest.len() - 1 - liars.len());
            let sources = honest.len() + liars.len() + silent;
            let widest = honest.iter().map(|(below, above)| below + above).max().unwrap();
            let mut intervals: Vec<Offset> = honest.iter().map(|(below, above)| of(truth - below, truth + above)).collect();
            intervals.extend(liars.iter().map(|(lo, width)| of(*lo, lo + width)));
            let found = agreed(&intervals, sources).unwrap();
            prop_assert!(found.lo_us <= truth && truth <= found.hi_us, "{found:?}");
            prop_assert!(-found.lo_us <= widest && found.hi_us <= widest, "{found:?}, {widest}");
            prop_assert!((found.middle_us() - truth).abs() <= found.error_us());
        }
    }
}

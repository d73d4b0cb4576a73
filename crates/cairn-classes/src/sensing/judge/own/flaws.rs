//! What is wrong with single readings: one flaw each.
//!
//! A reading may fail several checks. **The costliest is named**, of equally costly ones the first in the order of [`Wrong`],
//! and the reading is silent if any of them silences it: a cheap fault can be put on to hide neither a dear one nor a
//! value that cannot be the air's.

use crate::sensing::words::Fault;

/// What is wrong with one reading's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::sensing::judge) enum Wrong {
    /// Out of range.
    Range,
    /// Anything else.
    Fault(Fault),
}

/// The fault of one value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::sensing::judge) struct Flaw {
    /// Index into the case's samples.
    pub sample: u32,
    pub wrong: Wrong,
    pub observed: i64,
    pub threshold: i64,
    /// What a slot loses whose readings all have it.
    pub lost_ppm: u32,
    /// Whether the value still speaks for its device. What cannot be the air's (out of range, a spike, a bad count) and what
    /// the air did not change (stuck, frozen) does not. What is only coarse, at the instrument's end, told at a doubtful time,
    /// or wrong in one of two values of which it cannot be told which (a step, a part above its whole) does: were it silent,
    /// its owner would escape the neighbours for the price of the smaller fault.
    pub speaks: bool,
}

/// Flaws as they are found.
#[derive(Debug, Default)]
pub(super) struct Flaws(Vec<Flaw>);

impl Flaws {
    pub fn add(&mut self, flaw: Flaw) {
        self.0.push(flaw);
    }

    /// One flaw for each sample, ascending.
    pub fn named(self) -> Vec<Flaw> {
        let mut all = self.0;
        let far = |flaw: &Flaw| flaw.observed.abs_diff(flaw.threshold);
        let order =
            |flaw: &Flaw| (flaw.sample, u32::MAX - flaw.lost_ppm, flaw.wrong, u64::MAX - far(flaw), flaw.threshold);
        all.sort_unstable_by_key(order);
        let named = |of_sample: &[Flaw]| Flaw { speaks: of_sample.iter().all(|flaw| flaw.speaks), ..of_sample[0] };
        all.chunk_by(|a, b| a.sample == b.sample).map(named).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_costliest_flaw_is_named_and_any_silences() {
        let flaw = |sample, fault, lost_ppm, speaks| Flaw {
            sample,
            wrong: Wrong::Fault(fault),
            observed: 5,
            threshold: 0,
            lost_ppm,
            speaks,
        };
        let mut flaws = Flaws::default();
        flaws.add(flaw(7, Fault::Spike, 10, false));
        flaws.add(flaw(7, Fault::Clock, 20, true));
        flaws.add(flaw(3, Fault::Resolution, 10, true));
        flaws.add(flaw(3, Fault::Order, 10, true));
        flaws.add(Flaw { observed: -9, ..flaw(3, Fault::Order, 10, true) });
        let expected = [Flaw { observed: -9, ..flaw(3, Fault::Order, 10, true) }, flaw(7, Fault::Clock, 20, false)];
        assert_eq!(flaws.named(), expected);
    }
}

//! How well a method finds what was injected, with 95 % confidence intervals.
//!
//! **Per row**: precision is the share of the doubted rows that are faulty, recall the share of the faulty rows that are
//! doubted, F1 their harmonic mean. **Per fault**: the delay is the time from the first faulty reading to the end of the
//! first slot that loses a quarter or more, begun no earlier than the slot of that reading and no later than that of the
//! last faulty one; a fault without such a slot is never found.
//!
//! Rows of one station are not independent, so shares of rows are bootstrapped over stations (Efron 1979, percentile
//! intervals) and not given Wilson's interval; the share of faults never found is (Wilson 1927).

use super::judged::Said;
use super::{Field, Injected};
use crate::random::Random;

/// A million is the whole.
const PPM: u64 = 1_000_000;
/// How often stations are drawn anew.
const RESAMPLES: usize = 1_000;

/// A share in parts per million, with the ends of its 95 % interval.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share {
    /// The share.
    pub ppm: u64,
    /// The lower end.
    pub low_ppm: u64,
    /// The upper end.
    pub high_ppm: u64,
}

/// What became of one station's rows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Faulty and doubted.
    pub found: u64,
    /// Faulty and not doubted.
    pub missed: u64,
    /// Not faulty and doubted.
    pub false_alarms: u64,
    /// Not faulty and not doubted.
    pub clean: u64,
}

impl Counts {
    const fn plus(self, other: Self) -> Self {
        Self {
            found: self.found + other.found,
            missed: self.missed + other.missed,
            false_alarms: self.false_alarms + other.false_alarms,
            clean: self.clean + other.clean,
        }
    }

    /// The share of the doubted that is faulty, in parts per million; `None` when nothing is doubted.
    #[must_use]
    pub fn precision(self) -> Option<u64> {
        share(self.found, self.found + self.false_alarms)
    }

    /// The share of the faulty that is doubted; `None` when nothing is faulty.
    #[must_use]
    pub fn recall(self) -> Option<u64> {
        share(self.found, self.found + self.missed)
    }

    /// The harmonic mean of the two; `None` when nothing is faulty or doubted.
    #[must_use]
    pub fn f1(self) -> Option<u64> {
        share(2 * self.found, 2 * self.found + self.false_alarms + self.missed)
    }

    /// The share of what is not faulty that is doubted.
    #[must_use]
    pub fn false_alarm(self) -> Option<u64> {
        share(self.false_alarms, self.false_alarms + self.clean)
    }
}

fn share(part: u64, whole: u64) -> Option<u64> {
    (part * PPM).checked_div(whole)
}

/// For every station what became of its rows.
#[must_use]
pub fn by_station(field: &Field, faulty: &[bool], said: &Said) -> Vec<Counts> {
    let mut counts = vec![Counts::default(); field.places.len()];
    for (row, (&faulty, &doubted)) in field.rows.iter().zip(faulty.iter().zip(&said.rows)) {
        let of_station = &mut counts[row.station];
        *match (faulty, doubted) {
            (true, true) => &mut of_station.found,
            (true, false) => &mut of_station.missed,
            (false, true) => &mut of_station.false_alarms,
            (false, false) => &mut of_station.clean,
        } += 1;
    }
    counts.retain(|counts| *counts != Counts::default());
    counts
}

/// A share of the sum of stations, bootstrapped over stations; `None` where it is not defined.
pub fn bootstrapped(stations: &[Counts], seed: u64, of: impl Fn(Counts) -> Option<u64>) -> Option<Share> {
    let ppm = of(stations.iter().copied().fold(Counts::default(), Counts::plus))?;
    let mut random = Random::of(seed);
    let mut drawn: Vec<u64> = (0..RESAMPLES)
        .filter_map(|_| {
            let draw = |_| stations[random.place(stations.len())];
            of((0..stations.len()).map(draw).fold(Counts::default(), Counts::plus))
        })
        .collect();
    drawn.sort_unstable();
    let at = |ppt: usize| drawn.get(drawn.len() * ppt / 1_000).or(drawn.last()).copied().unwrap_or(ppm);
    Some(Share { ppm, low_ppm: at(25), high_ppm: at(975) })
}

/// Wilson's 95 % interval of `part` in `whole`; `None` of nothing.
#[must_use]
pub fn wilson(part: u64, whole: u64) -> Option<Share> {
    // z = 1.96, z^2 = 3.8416: (2k + z^2 -+ z sqrt(z^2 + 4 k (n - k) / n)) / (2 (n + z^2)), in parts of 10^4 and 10^6.
    let ppm = share(part, whole)?;
    let (part, whole) = (u128::from(part), u128::from(whole));
    let root_e6 = (3_841_600_000_000 + 4_000_000_000_000 * part * (whole - part) / whole).isqrt();
    let half_e6 = root_e6 * 196 / 100;
    let middle_e6 = 2_000_000 * part + 3_841_600;
    let of_e6 = 2_000_000 * whole + 7_683_200;
    let end = |e6: u128| u64::try_from((e6 * 1_000_000 / of_e6).min(1_000_000)).expect("at most a million");
    Some(Share { ppm, low_ppm: end(middle_e6.saturating_sub(half_e6)), high_ppm: end(middle_e6 + half_e6) })
}

/// For every fault how long it took to be found, in ms; `None` when it never was.
#[must_use]
pub fn delays(injected: &Injected, slot_ms: u64, said: &Said) -> Vec<Option<u64>> {
    let delay = |fault: &super::Fault| {
        let slots = &said.slots[fault.station];
        let from = slots.partition_point(|&start_ms| start_ms < fault.first_ms / slot_ms * slot_ms);
        let found_ms = slots.get(from).filter(|&&start_ms| start_ms <= fault.last_ms)?;
        Some(found_ms + slot_ms - fault.first_ms)
    };
    injected.faults.iter().map(delay).collect()
}

/// The value below which `percent` of the found delays lie (nearest rank); `None` when nothing was found.
#[must_use]
pub fn percentile(delays: &[Option<u64>], percent: usize) -> Option<u64> {
    let mut found: Vec<u64> = delays.iter().copied().flatten().collect();
    found.sort_unstable();
    found.get((found.len() * percent).div_ceil(100).saturating_sub(1)).copied()
}

//! What a device says of a quantity in a slot.

use std::ops::Range;

use super::case::{Case, Phase, small};
use crate::sensing::body::VALUE_MAX;
use crate::sensing::profile::HumidityRule;
use crate::sensing::quantity::Quantity;

/// What a device says of a quantity in a slot: the lower median of its readings that may speak, dried where damp air swells
/// what is measured; of a counter, how much it counted in the slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Voice {
    pub slot: u64,
    pub quantity: Quantity,
    pub device: u32,
    /// As it is compared with neighbours.
    pub value: i64,
    /// As it was said: not dried. Who copies copies this.
    pub said: i64,
    /// Index into the case's samples: the reading that gives the value, for evidence.
    pub sample: u32,
    /// Whether the device has a reading to judge now among them.
    pub due: bool,
    /// Whether neighbours may be held against it: not a value that wants drying and has no humidity beside it, nor a
    /// count of which it is not known that it all fell in the slot.
    pub compared: bool,
}

impl Voice {
    /// The order of voices: slot, quantity, device.
    pub const fn key(&self) -> (u64, Quantity, u32) {
        (self.slot, self.quantity, self.device)
    }
}

/// Readings of one device and quantity in one slot, on their way to a voice.
#[derive(Debug, Default)]
pub(super) struct Spoken {
    /// As compared, as said, and the sample.
    values: Vec<(i64, i64, u32)>,
    /// What wants drying and could not be dried.
    damp: Vec<(i64, i64, u32)>,
    /// What was counted, in order: by how much, the sample, and the slot counted from; nothing for a count to begin at.
    counts: Vec<(Option<(i64, u64)>, u32)>,
}

impl Spoken {
    /// Adds a value as it was said.
    pub fn say(&mut self, said: i64, sample: u32) {
        self.values.push((said, said, sample));
    }

    /// Adds a value that wants drying; `None` where it could not be dried.
    pub fn say_dried(&mut self, dry: Option<i64>, said: i64, sample: u32) {
        match dry {
            Some(dry) => self.values.push((dry, said, sample)),
            None => self.damp.push((said, said, sample)),
        }
    }

    /// Adds what a counter counted since a reading in slot `from`.
    pub fn count(&mut self, by: i64, sample: u32, from: u64) {
        self.counts.push((Some((by, from)), sample));
    }

    /// Adds a reading from which a counter is only counted on.
    pub fn begin(&mut self, sample: u32) {
        self.counts.push((None, sample));
    }

    /// The voice of the readings, which are forgotten; `None` when nothing may speak.
    pub fn voice(&mut self, case: &Case<'_>) -> Option<Voice> {
        let voice = if self.counts.is_empty() { self.median(case) } else { self.sum(case) };
        self.values.clear();
        self.damp.clear();
        self.counts.clear();
        voice
    }

    fn median(&mut self, case: &Case<'_>) -> Option<Voice> {
        let all = self.values.iter().chain(&self.damp);
        let due = all.clone().any(|&(_, _, sample)| case.samples[sample as usize].phase == Phase::Due);
        let mut said: Vec<i64> = all.map(|(_, said, _)| *said).collect();
        let compared = !self.values.is_empty();
        let values = if compared { &mut self.values } else { &mut self.damp };
        values.sort_unstable();
        let &(value, _, sample) = values.get(values.len().checked_sub(1)? / 2)?;
        said.sort_unstable();
        let said = said[(said.len() - 1) / 2];
        Some(Voice { value, said, due, compared, ..Self::blank(case, sample) })
    }

    /// The sum of what was counted. It is the slot's own where every part of it began in the slot or the one before.
    fn sum(&self, case: &Case<'_>) -> Option<Voice> {
        let blank = Self::blank(case, self.counts.last()?.1);
        let counted: i64 =
            self.counts.iter().filter_map(|(count, _)| *count).fold(0, |sum, (by, _)| sum.saturating_add(by));
        let value = counted.min(VALUE_MAX);
        let due = self.counts.iter().any(|&(_, sample)| case.samples[sample as usize].phase == Phase::Due);
        let compared = self.counts.iter().all(|(count, _)| count.is_some_and(|(_, from)| from + 1 >= blank.slot));
        Some(Voice { value, said: value, due, compared, ..blank })
    }

    fn blank(case: &Case<'_>, sample: u32) -> Voice {
        let of = &case.samples[sample as usize];
        let slot = case.slot(of.time_ms);
        Voice { slot, quantity: of.quantity, device: of.device, value: 0, said: 0, sample, due: false, compared: false }
    }
}

/// `value / (1 + kappa/1.65 * a/(1 - a))`, to the nearest integer, halves away from zero.
pub(super) fn dried(rule: &HumidityRule, value: i64, humidity: i64) -> i64 {
    const DENSITY_PPM: i128 = 1_650_000;
    let damp = i128::from(humidity.clamp(0, rule.most));
    let air = DENSITY_PPM * (10_000 - damp);
    let whole = air + i128::from(rule.kappa_ppm) * damp;
    let twice = 2 * i128::from(value.unsigned_abs()) * air;
    let dry = i64::try_from((twice + whole) / (2 * whole)).expect("not more than the value");
    dry * value.signum()
}

/// The voice of a device on a quantity in a slot, as an index into sorted voices.
pub(super) fn find(voices: &[Voice], slot: u64, quantity: Quantity, device: u32) -> Option<usize> {
    voices.binary_search_by_key(&(slot, quantity, device), Voice::key).ok()
}

/// The ranges of sorted voices that share a slot and a quantity.
pub(super) fn blocks(voices: &[Voice]) -> Vec<Range<usize>> {
    let mut from = 0;
    let same = |a: &Voice, b: &Voice| (a.slot, a.quantity) == (b.slot, b.quantity);
    voices
        .chunk_by(same)
        .map(|block| {
            let range = from..from + block.len();
            from = range.end;
            range
        })
        .collect()
}

/// For every device, the indices of its voices, ascending by slot and quantity.
pub(super) fn by_device(case: &Case<'_>, voices: &[Voice]) -> Vec<Vec<u32>> {
    let mut by_device = vec![Vec::new(); case.stations.len()];
    for (n, voice) in voices.iter().enumerate() {
        by_device[voice.device as usize].push(small(n));
    }
    by_device
}

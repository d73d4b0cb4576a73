//! What a device says of a quantity in a slot.

use std::ops::Range;

use super::case::{Case, Phase, Sample, small};
use crate::sensing::quantity::Quantity;

/// What a device says of a quantity in a slot: the lower median of its readings that may speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Voice {
    pub slot: u64,
    pub quantity: Quantity,
    pub device: u32,
    pub value: i64,
    /// Index into the case's samples: the reading that gives the value, for evidence.
    pub sample: u32,
    /// Whether the device has a reading to judge now among them.
    pub due: bool,
    /// Whether neighbours may be held against it: a value that wants drying and has no humidity beside it may not.
    pub compared: bool,
}

impl Voice {
    /// The order of voices: slot, quantity, device.
    pub const fn key(&self) -> (u64, Quantity, u32) {
        (self.slot, self.quantity, self.device)
    }

    /// The voice of a device's readings of one quantity in one slot, given as (value, index into the case's samples) in any
    /// order; `None` when nothing may speak.
    pub fn of(case: &Case<'_>, mut spoken: Vec<(i64, u32)>, compared: bool) -> Option<Self> {
        spoken.sort_unstable();
        let &(value, sample) = spoken.get(spoken.len().checked_sub(1)? / 2)?;
        let at = |sample: u32| -> &Sample { &case.samples[sample as usize] };
        Some(Self {
            slot: case.slot(at(sample).time_ms),
            quantity: at(sample).quantity,
            device: at(sample).device,
            value,
            sample,
            due: spoken.iter().any(|&(_, sample)| at(sample).phase == Phase::Due),
            compared,
        })
    }
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

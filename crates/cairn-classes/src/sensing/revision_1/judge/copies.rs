//! Who has copied whom: equal series of two owners, found without comparing every pair.
//!
//! Devices that give equal values in a slot cast a vote for the most senior of them; pairs with enough votes in a window
//! are then compared value by value. Work grows with the values, whatever a crowd of copies does.

use rayon::prelude::*;

use super::case::{Case, small};
use super::sheet::{Sheet, Voice};

/// How many owners one value can point to: a crowd of copies points to its eldest.
const ELDERS_MAX: usize = 5;

/// A device that copied in one window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Copy {
    pub window: i64,
    pub device: u32,
    /// The senior device copied.
    pub original: u32,
    /// Slots that both have, all equal.
    pub shared_slots: u32,
}

/// Every copy, ascending by window and device.
#[derive(Debug, Default)]
pub(super) struct Copies {
    found: Vec<Copy>,
    start_slot: u64,
    window_slots: u32,
}

impl Copies {
    /// Finds the copies among the slots to judge (ascending).
    pub fn among(case: &Case<'_>, sheets: &[Sheet<'_>]) -> Self {
        let mut copies = Self {
            found: Vec::new(),
            start_slot: case.docket.start_ms / case.profile.slot_ms,
            window_slots: case.profile.copy.window_slots,
        };
        let windows: Vec<&[Sheet<'_>]> =
            sheets.chunk_by(|a, b| copies.window(a.slot) == copies.window(b.slot)).collect();
        copies.found =
            windows.par_iter().flat_map_iter(|sheets| in_window(case, copies.window(sheets[0].slot), sheets)).collect();
        copies
    }

    /// The number of a slot's window, counted from the epoch's start; late slots have negative ones.
    fn window(&self, slot: u64) -> i64 {
        (slot.cast_signed() - self.start_slot.cast_signed()).div_euclid(self.window_slots.into())
    }

    /// The copy that a device made in the window of a slot.
    pub fn of(&self, slot: u64, device: u32) -> Option<&Copy> {
        let key = (self.window(slot), device);
        self.found.binary_search_by_key(&key, |copy| (copy.window, copy.device)).ok().map(|n| &self.found[n])
    }

    /// For each voice of a sheet, whether its device copied.
    pub fn marks(&self, sheet: &Sheet<'_>) -> Vec<bool> {
        sheet.voices.iter().map(|voice| self.of(sheet.slot, voice.device).is_some()).collect()
    }
}

fn in_window(case: &Case<'_>, window: i64, sheets: &[Sheet<'_>]) -> Vec<Copy> {
    let rule = &case.profile.copy;
    let mut votes = Vec::new();
    for sheet in sheets {
        for block in sheet.blocks() {
            vote(case, &sheet.voices[block], &mut votes);
        }
    }
    votes.sort_unstable();
    let mut found: Vec<Copy> = Vec::new();
    for same in votes.chunk_by(|a, b| a == b).filter(|same| same.len() >= rule.least_slots as usize) {
        let (device, _, original) = same[0];
        // Votes ascend by device, then by the original's seniority: the first that holds is the eldest.
        if found.last().is_some_and(|copy| copy.device == device) {
            continue;
        }
        if let Some(shared_slots) = shared_slots(case, sheets, device, original) {
            found.push(Copy { window, device, original, shared_slots });
        }
    }
    found
}

/// For every due voice and every elder of another owner with an equal value: (device, enrolment of the elder, elder). An
/// elder is an owner's most senior device with the value, of the few most senior owners.
fn vote(case: &Case<'_>, block: &[Voice], votes: &mut Vec<(u32, u64, u32)>) {
    let seniority = |voice: &Voice| (case.station(voice.device).site.enrolled_index, voice.device);
    let mut voices: Vec<&Voice> = block.iter().collect();
    voices.sort_unstable_by_key(|voice| (voice.value, seniority(voice)));
    for equal in voices.chunk_by(|a, b| a.value == b.value) {
        let mut elders: Vec<(u32, &Voice)> = Vec::with_capacity(ELDERS_MAX);
        for voice in equal {
            let owner = case.station(voice.device).owner;
            if voice.due {
                let others = elders.iter().filter(|(elder, _)| *elder != owner);
                votes.extend(others.map(|(_, elder)| (voice.device, seniority(elder).0, elder.device)));
            }
            if elders.len() < ELDERS_MAX && elders.iter().all(|(elder, _)| *elder != owner) {
                elders.push((owner, voice));
            }
        }
    }
}

/// The slots in which both speak, when all their common values are equal and there are enough; else `None`.
fn shared_slots(case: &Case<'_>, sheets: &[Sheet<'_>], device: u32, original: u32) -> Option<u32> {
    let mut values = Vec::new();
    let mut shared_slots = 0;
    for sheet in sheets {
        let before = values.len();
        for &quantity in case.profile.quantities.keys() {
            let voices = (sheet.voice(quantity, device), sheet.voice(quantity, original));
            let (Some(own), Some(other)) = voices else { continue };
            if sheet.voices[own].value != sheet.voices[other].value {
                return None;
            }
            values.push((quantity, sheet.voices[own].value));
        }
        shared_slots += u32::from(values.len() > before);
    }
    values.sort_unstable();
    values.dedup();
    let rule = &case.profile.copy;
    (shared_slots >= rule.least_slots && small(values.len()) >= rule.least_values).then_some(shared_slots)
}

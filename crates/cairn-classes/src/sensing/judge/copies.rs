//! Who has copied whom, found without comparing every pair.
//!
//! Devices that give equal values in a slot cast a vote for the most senior of them; pairs with enough votes in a window
//! are then compared value by value. Work grows with the values, whatever a crowd of copies does.

use cairn_core::cbor::{self, Decoder, Encoder};
use rayon::prelude::*;

use super::case::{Case, small};
use super::memory::Memory;
use super::near::Nearest;
use super::own::Finding;
use super::voice::{Voice, find};
use crate::sensing::words::{Check, Code};

/// How many owners one value can point to: a crowd of copies points to its eldest.
const ELDERS_MAX: usize = 5;

/// What the rows of a device's readings looked like.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Prints {}

impl Prints {
    pub fn encode(&self, out: &mut Encoder) {
        out.array(0);
    }

    pub fn decode(input: &mut Decoder<'_>) -> cbor::Result<Self> {
        input.array_exact(0)?;
        input.leave();
        Ok(Self {})
    }
}

/// A device that copied in one window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Copy {
    pub window: i64,
    pub device: u32,
    /// The senior device copied.
    pub original: u32,
    /// What to say of each slot of the window.
    pub finding: Finding,
}

/// Every copy, ascending by window and device.
#[derive(Debug, Default)]
pub(super) struct Copies {
    found: Vec<Copy>,
    window_slots: u64,
    start_slot: u64,
}

impl Copies {
    /// Finds the copies among everything said (voices sorted by slot, quantity, device).
    pub fn among(case: &Case<'_>, voices: &[Voice], _nearest: &Nearest, _memories: &mut [Memory]) -> Self {
        let mut copies = Self {
            found: Vec::new(),
            window_slots: case.profile.copies.window_slots.into(),
            start_slot: case.docket.start_ms / case.profile.slot_ms,
        };
        let windows: Vec<&[Voice]> = voices.chunk_by(|a, b| case.window(a.slot) == case.window(b.slot)).collect();
        copies.found =
            windows.par_iter().flat_map_iter(|voices| in_window(case, case.window(voices[0].slot), voices)).collect();
        copies
    }

    fn window(&self, slot: u64) -> i64 {
        (slot.cast_signed() - self.start_slot.cast_signed()).div_euclid(self.window_slots.cast_signed())
    }

    /// The copy that a device made in the window of a slot.
    pub fn of(&self, slot: u64, device: u32) -> Option<&Copy> {
        let key = (self.window(slot), device);
        self.found.binary_search_by_key(&key, |copy| (copy.window, copy.device)).ok().map(|n| &self.found[n])
    }
}

fn in_window(case: &Case<'_>, window: i64, voices: &[Voice]) -> Vec<Copy> {
    let rule = &case.profile.copies;
    let mut votes = Vec::new();
    for block in voices.chunk_by(|a, b| (a.slot, a.quantity) == (b.slot, b.quantity)) {
        vote(case, block, &mut votes);
    }
    votes.sort_unstable();
    let mut found: Vec<Copy> = Vec::new();
    for same in votes.chunk_by(|a, b| a == b).filter(|same| same.len() >= rule.least_slots as usize) {
        let (device, _, original) = same[0];
        // Votes ascend by device, then by the original's seniority: the first that holds is the eldest.
        if found.last().is_some_and(|copy| copy.device == device) {
            continue;
        }
        if let Some(shared_slots) = shared_slots(case, voices, device, original) {
            let finding = Finding {
                code: Code::Copy,
                check: Check::EqualTo(case.station(original).id),
                observed: shared_slots.into(),
                threshold: rule.least_slots.into(),
                lost_ppm: cairn_core::PPM,
                evidence: Vec::new(),
            };
            found.push(Copy { window, device, original, finding });
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
fn shared_slots(case: &Case<'_>, voices: &[Voice], device: u32, original: u32) -> Option<u32> {
    let mut values = Vec::new();
    let mut shared_slots = 0;
    for slot in voices.chunk_by(|a, b| a.slot == b.slot) {
        let before = values.len();
        for &quantity in case.profile.quantities.keys() {
            let at = slot[0].slot;
            let both = (find(slot, at, quantity, device), find(slot, at, quantity, original));
            let (Some(own), Some(other)) = both else { continue };
            if slot[own].value != slot[other].value {
                return None;
            }
            values.push((quantity, slot[own].value));
        }
        shared_slots += u32::from(values.len() > before);
    }
    values.sort_unstable();
    values.dedup();
    let rule = &case.profile.copies;
    (shared_slots >= rule.least_slots && small(values.len()) >= rule.least_values).then_some(shared_slots)
}

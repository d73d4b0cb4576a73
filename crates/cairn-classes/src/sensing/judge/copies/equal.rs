//! Words that are equal, slot for slot.
//!
//! Devices that give equal words in a slot cast votes for the few that said it first and the few that were enrolled first;
//! pairs with enough votes in a window are then compared word by word. Work grows with the words, whatever a crowd of
//! copies does.

use rayon::prelude::*;

use super::Copy;
use super::receipt::{self, Turns, seniority};
use crate::sensing::judge::case::{Case, small};
use crate::sensing::judge::own::Finding;
use crate::sensing::judge::voice::Voice;
use crate::sensing::words::{Check, Code};

/// To how many owners one value can point, by receipt and again by enrolment: a crowd of copies points to its first.
const ELDERS_MAX: usize = 3;

/// The copies of every window.
pub(super) fn among(case: &Case<'_>, voices: &[Voice], by_device: &[Vec<u32>]) -> Vec<Copy> {
    let windows: Vec<&[Voice]> = voices.chunk_by(|a, b| case.window(a.slot) == case.window(b.slot)).collect();
    let find = |window: &&[Voice]| in_window(case, case.window(window[0].slot), window, voices, by_device);
    windows.par_iter().flat_map_iter(find).collect()
}

fn in_window(case: &Case<'_>, window: i64, of_window: &[Voice], voices: &[Voice], by_device: &[Vec<u32>]) -> Vec<Copy> {
    let rule = &case.profile.copies;
    let mut votes = Vec::new();
    for block in of_window.chunk_by(|a, b| (a.slot, a.quantity) == (b.slot, b.quantity)) {
        vote(case, block, &mut votes);
    }
    votes.sort_unstable();
    let pairs = votes.chunk_by(|a, b| a == b).filter(|same| same.len() >= rule.least_slots as usize);
    let said = |device: u32| {
        let own = &by_device[device as usize];
        let slot_of = |n: &u32| case.window(voices[*n as usize].slot);
        let from = own.partition_point(|n| slot_of(n) < window);
        &own[from..from + own[from..].partition_point(|n| slot_of(n) == window)]
    };
    let copy = |same: &[(u32, u32)]| {
        let (first, second) = same[0];
        let (shared_slots, turns, shown) = shared(case, voices, said(first), said(second))?;
        let device = turns.later(case, first, second)?;
        let original = if device == first { second } else { first };
        let finding = Finding {
            code: Code::Copy,
            check: Check::SaidFirst(case.station(original).id),
            observed: shared_slots.into(),
            threshold: rule.least_slots.into(),
            lost_ppm: cairn_core::PPM,
            evidence: shown.to_vec(),
        };
        Some(Copy { window, device, original, finding })
    };
    pairs.filter_map(copy).collect()
}

/// For every voice and every elder of another owner with an equal value, one of them due: the two, lower first.
fn vote(case: &Case<'_>, block: &[Voice], votes: &mut Vec<(u32, u32)>) {
    let mut voices: Vec<&Voice> = block.iter().collect();
    voices.sort_unstable_by_key(|voice| (voice.said, voice.device));
    for equal in voices.chunk_by_mut(|a, b| a.said == b.said).filter(|equal| equal.len() > 1) {
        let received_ms = |voice: &Voice| receipt::received_ms(case, &case.samples[voice.sample as usize]);
        equal.sort_unstable_by_key(|voice| seniority(case, voice.device));
        let mut elders = of_owners(case, equal);
        equal.sort_by_key(|voice| received_ms(voice));
        elders.extend(of_owners(case, equal));
        let from = votes.len();
        for voice in equal.iter() {
            let owner = case.station(voice.device).owner;
            for elder in elders.iter().filter(|elder| case.station(elder.device).owner != owner) {
                if voice.due || elder.due {
                    votes.push((voice.device.min(elder.device), voice.device.max(elder.device)));
                }
            }
        }
        // Two elders vote for each other, and one may be elder twice.
        votes[from..].sort_unstable();
        let mut kept = from;
        for n in from..votes.len() {
            if kept == from || votes[n] != votes[kept - 1] {
                votes[kept] = votes[n];
                kept += 1;
            }
        }
        votes.truncate(kept);
    }
}

/// The first voices of distinct owners.
fn of_owners<'a>(case: &Case<'_>, voices: &[&'a Voice]) -> Vec<&'a Voice> {
    let mut elders: Vec<&Voice> = Vec::with_capacity(2 * ELDERS_MAX);
    let owner = |voice: &Voice| case.station(voice.device).owner;
    for voice in voices {
        if elders.len() == ELDERS_MAX {
            break;
        }
        if elders.iter().all(|elder| owner(elder) != owner(voice)) {
            elders.push(voice);
        }
    }
    elders
}

/// In how many slots both speak, who came later in them, and a report of either, when all their common words are equal and there are enough;
/// else `None`.
fn shared(case: &Case<'_>, voices: &[Voice], first: &[u32], second: &[u32]) -> Option<(u32, Turns, [u32; 2])> {
    let rule = &case.profile.copies;
    let (mut values, mut slots, mut both) = (Vec::new(), Vec::new(), Vec::new());
    let mut rest = second.iter().map(|&n| &voices[n as usize]).peekable();
    for one in first.iter().map(|&n| &voices[n as usize]) {
        let key = |voice: &Voice| (voice.slot, voice.quantity);
        while rest.next_if(|two| key(two) < key(one)).is_some() {}
        let Some(two) = rest.next_if(|two| key(two) == key(one)) else { continue };
        if one.said != two.said {
            return None;
        }
        values.push((one.quantity, one.said));
        slots.push(one.slot);
        both.push((one, two));
    }
    values.sort_unstable();
    values.dedup();
    slots.dedup();
    if small(slots.len()) < rule.least_slots || small(values.len()) < rule.least_values {
        return None;
    }
    let report = |voice: &Voice| case.samples[voice.sample as usize].report;
    let &(one, two) = both.first()?;
    let shown = [report(one), report(two)];
    let mut turns = Turns::default();
    both.into_iter().for_each(|(one, two)| turns.count(case, one, two));
    Some((small(slots.len()), turns, shown))
}

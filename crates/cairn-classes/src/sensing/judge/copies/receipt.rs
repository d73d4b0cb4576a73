//! Who said it first: by receipt, never by the time that a reading claims.
//!
//! A word that many readings make is as good as told before its last reading is in, so "whose last reading came earlier"
//! would let one who watches another's readings forestall him by a guess at the end of every slot. One word comes before
//! another only when it was complete before the reading that gives the other was received. Between words that overlap,
//! nothing is said, unless all their readings are equal: nobody guesses all of them.
//!
//! What remains: one who guesses the words of most slots right before their readings are received makes their owner a copy.
//! Rules therefore ask for many slots and many different values.

use core::cmp::Ordering;

use cairn_core::DeviceId;

use crate::sensing::judge::case::{Case, Phase, Sample, Standing};
use crate::sensing::judge::voice::Voice;

/// Between two devices, in how many shared words each came later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Turns {
    /// The first device came later.
    pub first: u32,
    /// The second came later.
    pub second: u32,
    /// Both in the same millisecond.
    pub tied: u32,
    /// It cannot be told.
    pub unclear: u32,
}

/// Which of two words came later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Later {
    First,
    Second,
    Tied,
    Unclear,
}

impl Turns {
    /// Counts a word that both gave.
    pub fn count(&mut self, case: &Case<'_>, first: &Voice, second: &Voice) {
        *match later(case, first, second) {
            Later::First => &mut self.first,
            Later::Second => &mut self.second,
            Later::Tied => &mut self.tied,
            Later::Unclear => &mut self.unclear,
        } += 1;
    }

    /// The device that came later in most words; where all can be told and none leads, the one enrolled later. Nobody where
    /// that is in doubt.
    pub fn later(&self, case: &Case<'_>, first: u32, second: u32) -> Option<u32> {
        let words = self.first + self.second + self.tied + self.unclear;
        if self.first * 2 > words {
            Some(first)
        } else if self.second * 2 > words {
            Some(second)
        } else if self.unclear > 0 {
            None
        } else {
            match self.first.cmp(&self.second) {
                Ordering::Greater => Some(first),
                Ordering::Less => Some(second),
                Ordering::Equal => Some(junior(case, first, second)),
            }
        }
    }
}

/// The one of two devices that was enrolled later; ties by id.
pub(super) fn junior(case: &Case<'_>, first: u32, second: u32) -> u32 {
    if seniority(case, first) < seniority(case, second) { second } else { first }
}

/// Lower is senior.
pub(super) fn seniority(case: &Case<'_>, device: u32) -> (u64, DeviceId) {
    let station = case.station(device);
    (station.site.enrolled_index, station.id)
}

fn later(case: &Case<'_>, first: &Voice, second: &Voice) -> Later {
    let (one, two) = (Told::of(case, first), Told::of(case, second));
    if one.whole_ms < two.word_ms {
        Later::Second
    } else if two.whole_ms < one.word_ms {
        Later::First
    } else if one == two && one.word_ms == one.whole_ms {
        Later::Tied
    } else {
        by_reading(&content(case, first), &content(case, second))
    }
}

/// Between slots of the same readings, the one whose readings came later in most places.
fn by_reading(first: &[(i64, u64)], second: &[(i64, u64)]) -> Later {
    let same = first.len() == second.len() && first.iter().zip(second).all(|(one, two)| one.0 == two.0);
    if !same {
        return Later::Unclear;
    }
    let order = |(one, two): (&(i64, u64), &(i64, u64))| match one.1.cmp(&two.1) {
        Ordering::Less => -1,
        Ordering::Equal => 0,
        Ordering::Greater => 1,
    };
    match first.iter().zip(second).map(order).sum::<i64>().cmp(&0) {
        Ordering::Less => Later::Second,
        Ordering::Equal => Later::Tied,
        Ordering::Greater => Later::First,
    }
}

/// When a word was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Told {
    /// When the reading that gives it was received.
    word_ms: u64,
    /// When the last of the slot's readings was received.
    whole_ms: u64,
}

impl Told {
    fn of(case: &Case<'_>, voice: &Voice) -> Self {
        let word_ms = received_ms(case, &case.samples[voice.sample as usize]);
        let last = readings(case, voice).map(|sample| received_ms(case, sample)).max();
        Self { word_ms, whole_ms: last.map_or(word_ms, |last| last.max(word_ms)) }
    }
}

/// When a sample's report was taken in.
pub(super) fn received_ms(case: &Case<'_>, sample: &Sample) -> u64 {
    case.reports[sample.report as usize].received_ms
}

/// A device's usable samples of the quantity in the voice's slot, in order of time.
fn readings<'a>(case: &'a Case<'_>, voice: &Voice) -> impl Iterator<Item = &'a Sample> + use<'a> {
    let slot_ms = case.profile.slot_ms;
    of_slots(case, voice, voice.slot * slot_ms, (voice.slot + 1) * slot_ms)
}

/// A device's usable samples of a voice's quantity between two times, in order of time.
pub(super) fn of_slots<'a>(
    case: &'a Case<'_>,
    voice: &Voice,
    from_ms: u64,
    to_ms: u64,
) -> impl Iterator<Item = &'a Sample> + use<'a> {
    let before = |ms: u64| {
        let key = (voice.device, voice.quantity, ms);
        case.samples.partition_point(|sample| (sample.device, sample.quantity, sample.time_ms) < key)
    };
    let samples = case.samples[before(from_ms)..before(to_ms)].iter();
    samples.filter(|sample| sample.standing == Standing::Usable && sample.phase != Phase::Later)
}

/// The values of a slot with their receipts, ascending.
fn content(case: &Case<'_>, voice: &Voice) -> Vec<(i64, u64)> {
    let mut values: Vec<(i64, u64)> =
        readings(case, voice).map(|sample| (sample.value, received_ms(case, sample))).collect();
    values.sort_unstable();
    values
}

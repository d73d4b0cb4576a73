//! The judge of sensing, revision 2: one verdict per device and slot that has a reading to judge.
//!
//! 1. **May it speak?** (`case`) Reports that are denied or in conflict are void; what was sent under maintenance is
//!    unscored; a reading later than its receipt, and quantities that the profile does not judge, are left aside. A slot
//!    of which only void reports are left scores nothing; one of which nothing is left is unscored: amount zero. A slot
//!    that was judged in an earlier epoch has amount zero.
//! 2. **Does it hold by itself?** (`own`) Each device's values in the order of their times: limits, saturation, pace,
//!    persistence, resolution, physics, clocks, order, and how much of the slot was reported. Faulty readings lose their
//!    part of the slot; those that cannot be the air's do not speak for their device.
//! 3. **Is it its own?** (`copies`) Series equal to a senior device's, rows repeated from another's, series that follow a
//!    neighbour's more closely than two instruments can. A copy loses its window and vouches for nobody.
//! 4. **Do the neighbours agree?** (`near`, `crowd`, `hearing`) The device's word on a quantity in a slot is held against
//!    what its nearest neighbours of distinct owners make likely at its place. Weight is capped per owner and place, earned
//!    by good slots, and outranked by references. The worst of each neighbourhood is silenced first, and all are then
//!    held against those who were not: no order matters, and one bad station poisons nobody. Too few: untested, nothing lost.
//! 5. **Is it a good instrument, well sited?** (`long`, `moved`) What is remembered of the device's distance from its
//!    neighbours tells bias, deaf and indoor instruments, ones in the sun, dry gauges, and ones that stand elsewhere.
//!
//! The slot's **score is that of its worst check**: the minimum over quantities, not the product. A station that measures
//! five things is not paid less than five stations that measure one each, only because five small doubts multiply; and
//! a bad instrument cannot hide behind four good ones.
//!
//! What is remembered between epochs is `memory`, one bounded record per device. A reading is only ever held against
//! readings of its own device that are certain to be at hand: on-time ones against each other and the memory, late ones
//! against their own past. So the lateness of one device changes nothing about another's checks of itself.

mod case;
mod copies;
mod crowd;
mod hearing;
mod long;
mod memory;
mod moved;
mod near;
mod own;
mod verdict;
mod voice;

use cairn_core::{DeviceId, Verdict};
use rayon::prelude::*;

use self::case::Case;
use self::copies::Copies;
use self::hearing::Hearing;
pub use self::memory::reread_memory;
use self::near::Nearest;
use self::own::Own;
use self::verdict::Hall;
use self::voice::Voice;
use super::assessed::{Assessed, Band};
use super::profile::Profile;
use crate::{ClassError, Docket, Judged};

/// Judges a docket: one verdict per device and slot, sorted by device, then slot, and what to remember.
///
/// # Errors
/// [`ClassError`] for a docket that contradicts itself, or a carry that does not read.
pub(super) fn judge(profile: &Profile, docket: &Docket<'_>) -> Result<Judged, ClassError> {
    let case = Case::lay_out(profile, docket)?;
    let (hall, carry) = hear(&case)?;
    let verdicts = case.devices().into_par_iter().flat_map_iter(|device| hall.verdicts(device)).collect();
    Ok(Judged { verdicts, carry })
}

/// Judges every value of a docket by itself: sorted by entry, reading and quantity.
///
/// The checks are those of [`judge`]; only that each value is held against the neighbours' word on its slot itself,
/// instead of through its device's median. Where a device has one reading in a slot the two agree.
///
/// # Errors
/// [`ClassError`] for a docket that contradicts itself, or a carry that does not read.
pub(super) fn assess(profile: &Profile, docket: &Docket<'_>) -> Result<(Vec<Assessed>, Judged), ClassError> {
    let case = Case::lay_out(profile, docket)?;
    let (hall, carry) = hear(&case)?;
    let devices = case.devices().into_par_iter();
    let mut assessed: Vec<Assessed> = devices.flat_map_iter(|device| hall.assessments(device)).collect();
    assessed.par_sort_unstable_by_key(|value| (value.index, value.reading, value.quantity));
    Ok((assessed, Judged { verdicts: Vec::new(), carry }))
}

/// Judges a docket and tells of one device its verdicts, ascending by slot, and what its words were held against.
///
/// # Errors
/// [`ClassError`] for a docket that contradicts itself, or a carry that does not read.
pub(super) fn compared(
    profile: &Profile,
    docket: &Docket<'_>,
    device: &DeviceId,
) -> Result<(Vec<Verdict>, Vec<Band>), ClassError> {
    let case = Case::lay_out(profile, docket)?;
    let (hall, _) = hear(&case)?;
    let number = case.devices().find(|n| case.station(*n).id == *device);
    Ok(number.map_or_else(Default::default, |n| (hall.verdicts(n), hall.bands(n))))
}

/// What changes in the carry, by device.
type Changes = Vec<(Vec<u8>, Option<Vec<u8>>)>;

/// Everything that is known before anything is said.
fn hear<'a>(case: &'a Case<'a>) -> Result<(Hall<'a>, Changes), ClassError> {
    let mut memories = memory::recall(case)?;
    let own = memories.par_iter_mut().zip(case.devices()).map(|(memory, n)| Own::of(case, n, memory));
    let own: Vec<Own> = own.collect();
    let mut voices: Vec<Voice> = own.iter().flat_map(|own| own.voices.iter().copied()).collect();
    voices.par_sort_unstable_by_key(Voice::key);
    let nearest = Nearest::of(case);
    let by_device = voice::by_device(case, &voices);
    let copies = Copies::among(case, &voices, &by_device, &nearest, &mut memories);
    let heard = Hearing { case, voices: &voices, nearest: &nearest, memories: &memories }.all(&copies);
    let moved = moved::among(case, &voices, &heard);
    let past = long::Past { case, voices: &voices, heard: &heard, copies: &copies, moved: &moved };
    let long: Vec<long::Findings> = memories
        .par_iter_mut()
        .zip(by_device.par_iter().zip(case.devices()))
        .map(|(memory, (own, n))| past.remember(n, own, memory))
        .collect();
    let changes = memory::changes(case, &memories);
    Ok((Hall { case, own, voices, by_device, heard, copies, moved, long }, changes))
}

#[cfg(test)]
mod tests;

//! The judge of sensing, revision 1: one verdict per device and slot that has a reading to judge.
//!
//! 1. **May it speak?** Reports that are denied or in conflict are void; what was sent under maintenance is unscored; a
//!    reading later than its receipt, and quantities that the profile does not judge, are left aside. A slot of which
//!    only void reports are left scores nothing; one of which nothing is left is unscored: amount zero.
//! 2. **Is it new?** A slot that was judged in an earlier epoch has amount zero.
//! 3. **Is it its own?** Where every value that a device shares with a senior device of another owner is equal, over
//!    enough slots of a window and enough distinct values, the window is a copy and scores nothing.
//! 4. **Is it plausible?** Readings out of range lose their part of the slot.
//! 5. **Do the neighbours agree?** The device's word on a quantity in a slot is the lower median of its readings in
//!    range. It is held against the lower median of the nearest stations' words, one per owner, none of its own owner's
//!    (of the 512 stations nearest to it that report in the docket): beyond the profile's tolerance it is suspect, or fails. Too few neighbours: untested, nothing lost. Then the
//!    question is asked again without those who failed.
//!
//! The slot's **score is that of its worst check**: the minimum over quantities, not the product. A station that measures
//! five things is not paid less than five stations that measure one each, only because five small doubts multiply; and
//! a bad instrument cannot hide behind four good ones.
//!
//! Seniority is the order of enrolment. So one who is enrolled first and copies a newcomer is not the one accused: until
//! reports can be sealed before they are shown, a copy proves that two series are one, not whose it is.

mod case;
mod copies;
mod crowd;
mod near;
mod sheet;
mod verdict;

use cairn_core::{DeviceId, Verdict};
use rayon::prelude::*;

use self::case::Case;
use self::copies::Copies;
use self::near::Nearest;
use self::sheet::Sheet;
use self::verdict::Hall;
use super::profile::Profile;
use crate::sensing::assessed::{Assessed, Band};
use crate::{ClassError, Docket};

/// Judges a docket: one verdict per device and slot, sorted by device, then slot.
///
/// # Errors
/// [`ClassError`] for a docket that contradicts itself.
pub fn judge(profile: &Profile, docket: &Docket<'_>) -> Result<Vec<Verdict>, ClassError> {
    let mut verdicts = hear(profile, docket, |hall| hall.verdicts())?;
    verdicts.par_sort_unstable_by_key(|verdict| (verdict.device, verdict.slot_ms));
    Ok(verdicts)
}

/// Judges every value of a docket by itself, sorted by entry, reading and quantity.
///
/// The checks are those of [`judge`]; only that each value is held against the neighbours' word on its slot itself,
/// instead of through its device's median. Where a device has one reading in a slot the two agree.
///
/// # Errors
/// [`ClassError`] for a docket that contradicts itself.
pub fn assess(profile: &Profile, docket: &Docket<'_>) -> Result<Vec<Assessed>, ClassError> {
    let mut assessed = hear(profile, docket, |hall| hall.assessments())?;
    assessed.par_sort_unstable_by_key(|value| (value.index, value.reading, value.quantity));
    Ok(assessed)
}

/// Judges a docket and tells of one device its verdicts, ascending by slot, and what its words were held against.
///
/// # Errors
/// [`ClassError`] for a docket that contradicts itself.
pub fn compared(
    profile: &Profile,
    docket: &Docket<'_>,
    device: &DeviceId,
) -> Result<(Vec<Verdict>, Vec<Band>), ClassError> {
    let said = hear(profile, docket, |hall| vec![(hall.verdicts(), hall.bands(device))])?;
    let (verdicts, bands): (Vec<_>, Vec<_>) = said.into_iter().unzip();
    let mut verdicts: Vec<Verdict> = verdicts.into_iter().flatten().filter(|said| said.device == *device).collect();
    let mut bands: Vec<Band> = bands.into_iter().flatten().collect();
    verdicts.sort_unstable_by_key(|verdict| verdict.slot_ms);
    bands.sort_unstable_by_key(|band| (band.slot_ms, band.quantity));
    Ok((verdicts, bands))
}

/// Lays out the docket, hears every slot that has something to judge, and collects what `say` makes of it.
fn hear<T: Send>(
    profile: &Profile,
    docket: &Docket<'_>,
    say: impl Fn(&Hall<'_>) -> Vec<T> + Sync,
) -> Result<Vec<T>, ClassError> {
    let case = Case::lay_out(profile, docket)?;
    let sheets: Vec<Sheet<'_>> = case.slots().into_par_iter().map(|samples| Sheet::of(&case, samples)).collect();
    let copies = Copies::among(&case, &sheets);
    let nearest = Nearest::of(&case);
    let said: Vec<Vec<T>> = sheets
        .par_iter()
        .map(|sheet| {
            let heard = sheet.hear(&case, &nearest, &copies.marks(sheet));
            say(&Hall { case: &case, sheet, heard: &heard, copies: &copies })
        })
        .collect();
    Ok(said.into_iter().flatten().collect())
}

#[cfg(test)]
mod tests;

//! Who has copied whom, found without comparing every pair.
//!
//! * `equal`: in a window every word that two devices share is equal, and there are enough different ones (SEN-COPY).
//! * `rows`: so many readings in a row that were given before, by another owner's device or by the device itself, whatever
//!   times they claim; over the end of an epoch through what `prints` keeps (SEN-REPEATED).
//! * `follows`: a series that a straight line makes out of a neighbour's, at once or some slots apart (SEN-FOLLOWS).
//!
//! **Who said it first** decides who is the copy, by `received_ms` of the readings (`receipt`): what was logged first cannot
//! have been made from what was logged later. Being enrolled earlier decides only between words received in the same
//! millisecond. So nobody is made a copy by an elder who repeats after him, nor by a claim of an earlier time. The log's
//! indices are not asked: `received_ms` is part of what every auditor reads and witnesses bound, an index is not.
//!
//! A copy loses its window and vouches for nobody. One device has one such finding in a window: equal words before repeated
//! rows before following, then the greatest, then the eldest original.
//!
//! What remains: one who reads another's packets on their way to the log and is taken in first; the operator, who sees
//! everything first. One who adds noise of his own beyond `unexplained_ppm`, or copies from further than the nearest
//! [`follows::NEAREST`] owners, is left to the neighbours' word. Devices that said nothing in this epoch are not asked
//! whether their earlier rows are repeated.

mod equal;
mod follows;
mod line;
mod prints;
mod receipt;
mod rows;

use std::cmp::Reverse;

use rayon::prelude::*;

pub(super) use self::prints::Prints;
use super::case::Case;
use super::memory::Memory;
use super::near::Nearest;
use super::own::Finding;
use super::voice::Voice;

/// A device that copied in one window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Copy {
    pub window: i64,
    pub device: u32,
    /// The device copied; its own number where it repeats itself.
    pub original: u32,
    /// What to say of each slot of the window.
    pub finding: Finding,
}

/// Every copy, ascending by window and device.
#[derive(Debug, Default)]
pub(super) struct Copies {
    found: Vec<Copy>,
}

impl Copies {
    /// Finds the copies among everything said (voices sorted by slot, quantity, device; and each device's), and remembers the rows of on-time
    /// readings.
    pub fn among(
        case: &Case<'_>,
        voices: &[Voice],
        by_device: &[Vec<u32>],
        nearest: &Nearest,
        memories: &mut [Memory],
    ) -> Self {
        let mut found = equal::among(case, voices, by_device);
        found.extend(rows::among(case, memories));
        found.extend(follows::among(case, voices, by_device, nearest));
        found.par_sort_unstable_by_key(|copy| {
            let elder = (case.station(copy.original).site.enrolled_index, copy.original);
            (copy.window, copy.device, copy.finding.code, Reverse(copy.finding.observed), elder, copy.finding.check)
        });
        found.dedup_by_key(|copy| (copy.window, copy.device));
        Self { found }
    }

    /// The copy that a device made in the window of a slot.
    pub fn of(&self, case: &Case<'_>, slot: u64, device: u32) -> Option<&Copy> {
        let key = (case.window(slot), device);
        self.found.binary_search_by_key(&key, |copy| (copy.window, copy.device)).ok().map(|n| &self.found[n])
    }
}

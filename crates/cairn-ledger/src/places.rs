//! Where the devices of a closed epoch are, and what came of them there: the epoch's verdicts and payouts summed up by cell.
//!
//! Promised: the tables are walked once for an epoch, and what they are summed up from stands under the statement's roots.
//! Every later question (a cell, a coarser one, a box on a map) is a difference of two running sums, since cells below a
//! cell stand together in the order of [`Cell::place`]. A device stands in the cell that it enrolled with, also when it
//! moves; it is there when it was enrolled before the epoch's end, and not retired by then unless it was judged.
//! Memory is bounded by [`ROWS_MAX`] devices over all epochs that are remembered, or one epoch if that has more.
//!
//! Not here: who may ask, how a cell is drawn, and what is no statement's yet.

mod build;

use std::collections::{BTreeMap, BinaryHeap};
use std::ops::Bound;
use std::sync::{Arc, Mutex, PoisonError};

use cairn_core::geo::{Area, Cell};
use cairn_core::{Amount, DeviceId, Hash, PPM};

use crate::{ClosedEpochs, Ledger, LedgerError};

/// Devices of all remembered epochs together: about 250 MB where each stands in a cell of its own.
const ROWS_MAX: usize = 2_000_000;

/// A device and its cell, as the state has them.
#[derive(Debug, Clone, Copy)]
pub struct PlacedDevice {
    id: DeviceId,
    cell: Cell,
    enrolled_index: u64,
    retired_index: Option<u64>,
}

/// What came of a device in an epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlaceRow {
    /// The device.
    pub device: DeviceId,
    /// The cell that it enrolled with.
    pub cell: Cell,
    /// Whether some verdict is over it.
    pub is_judged: bool,
    /// Its score over everything it delivered, as on its own page; `None` when it was not judged, or nothing of it was scored.
    pub score_ppm: Option<u32>,
    /// Whether some verdict says that too little was near to compare it with.
    pub is_untested: bool,
    /// What it was paid, base units.
    pub paid: Amount,
}

/// What came of the devices of a cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PlaceSum {
    /// Devices that are there.
    pub devices: u64,
    /// Those that were judged.
    pub judged: u64,
    /// Those with a verdict that says that too little was near to compare them with.
    pub untested: u64,
    /// Those of them that have a score.
    pub scored: u64,
    /// The sum of their scores, parts per million.
    pub score_sum_ppm: u64,
    /// What they were paid, base units.
    pub paid: Amount,
}

impl PlaceSum {
    /// The mean score of those that have one, each counted alike, rounded down; `None` where nobody has.
    #[must_use]
    pub fn score_ppm(&self) -> Option<u32> {
        self.score_sum_ppm.checked_div(self.scored).map(|mean| u32::try_from(mean).unwrap_or(PPM))
    }

    /// The part of those judged that were not compared, rounded down; `None` where nobody was judged.
    #[must_use]
    pub fn untested_ppm(&self) -> Option<u32> {
        let part = (self.untested * u64::from(PPM)).checked_div(self.judged);
        part.map(|part| u32::try_from(part).unwrap_or(PPM))
    }

    fn plus(&self, row: &PlaceRow) -> Self {
        Self {
            devices: self.devices + 1,
            judged: self.judged + u64::from(row.is_judged),
            untested: self.untested + u64::from(row.is_untested),
            scored: self.scored + u64::from(row.score_ppm.is_some()),
            score_sum_ppm: self.score_sum_ppm + u64::from(row.score_ppm.unwrap_or(0)),
            paid: Amount(self.paid.0.saturating_add(row.paid.0)),
        }
    }

    fn minus(&self, before: &Self) -> Self {
        Self {
            devices: self.devices - before.devices,
            judged: self.judged - before.judged,
            untested: self.untested - before.untested,
            scored: self.scored - before.scored,
            score_sum_ppm: self.score_sum_ppm - before.score_sum_ppm,
            paid: Amount(self.paid.0.saturating_sub(before.paid.0)),
        }
    }
}

/// What the devices of a class delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClassMiddle {
    /// The class.
    pub class: String,
    /// Devices that delivered something.
    pub devices: u64,
    /// What the middle one of them delivered in the epoch, in the class's unit; of an even number the lower one.
    pub amount: u64,
}

/// A cell that devices stand in, with what came of all devices up to its end.
#[derive(Debug, Clone, Copy)]
struct Stop {
    place: u64,
    cell: Cell,
    /// Up to and with this cell's.
    sum: PlaceSum,
}

/// The devices of a closed epoch by place.
#[derive(Debug)]
pub struct Places {
    /// By place and device.
    rows: Vec<PlaceRow>,
    stops: Vec<Stop>,
    middles: Vec<ClassMiddle>,
    area: Option<Area>,
}

impl Places {
    /// The places of devices in any order, with what the middle device of each class delivered.
    #[must_use]
    pub fn of(rows: Vec<PlaceRow>, middles: Vec<ClassMiddle>) -> Self {
        build::by_place(rows, middles)
    }

    /// All of it together.
    #[must_use]
    pub fn total(&self) -> PlaceSum {
        self.up_to(self.stops.len())
    }

    /// Cells that devices stand in, of whatever resolution they enrolled with.
    #[must_use]
    pub const fn cells(&self) -> usize {
        self.stops.len()
    }

    /// The finest resolution among them; 0 where there is none.
    #[must_use]
    pub fn resolution_max(&self) -> u8 {
        self.stops.iter().map(|stop| stop.cell.resolution()).max().unwrap_or(0)
    }

    /// The smallest box of latitudes and the shortest way round that holds every cell's centre; `None` where there is none.
    #[must_use]
    pub const fn area(&self) -> Option<Area> {
        self.area
    }

    /// What the middle device of each class delivered.
    #[must_use]
    pub fn middles(&self) -> &[ClassMiddle] {
        &self.middles
    }

    /// What came of the devices of a cell and of everything below it.
    #[must_use]
    pub fn sum(&self, cell: Cell) -> PlaceSum {
        let (from, to) = self.range(cell);
        self.up_to(to).minus(&self.up_to(from))
    }

    /// The devices of a cell and of everything below it, in the order of their places and ids, from a position on.
    #[must_use]
    pub fn devices(&self, cell: Cell, after: u64, limit: u64) -> &[PlaceRow] {
        let (from, to) = self.range(cell);
        let (from, to) = (self.up_to(from).devices, self.up_to(to).devices);
        let start = from.saturating_add(after).min(to);
        let end = start.saturating_add(limit).min(to);
        let at = |position: u64| usize::try_from(position).unwrap_or(usize::MAX);
        &self.rows[at(start)..at(end)]
    }

    /// The cells in an area, coarsened to `resolution` or farther, until there are at most `most` of them (at least 122), in
    /// the order of their places; with the resolution that it took. Cells that devices enrolled with stay as coarse as they
    /// are. Some may lie just outside.
    #[must_use]
    pub fn view(&self, area: &Area, resolution: u8, most: usize) -> (u8, Vec<(Cell, PlaceSum)>) {
        let most = most.max(122);
        for resolution in (1..=resolution.min(Cell::RESOLUTION_MAX)).rev() {
            let mut found = Vec::new();
            if Cell::coarsest().all(|cell| self.descend(cell, area, resolution, most, &mut found)) {
                return (resolution, found);
            }
        }
        let mut found = Vec::new();
        Cell::coarsest().for_each(|cell| {
            self.descend(cell, area, 0, most, &mut found);
        });
        (0, found)
    }

    /// The `limit` cells that rank first, without those that have no rank: cells as devices enrolled with them, of equal rank in
    /// the order of their places, and only those that come after `after` where that is named.
    pub fn ranked<R: Ord>(
        &self,
        rank: impl Fn(&PlaceSum) -> Option<R>,
        after: Option<Cell>,
        limit: usize,
    ) -> Vec<(Cell, PlaceSum)> {
        let own = |stop: usize| self.up_to(stop + 1).minus(&self.up_to(stop));
        let after = after.map(|cell| {
            let sum = self.stops.binary_search_by_key(&cell.place(), |stop| stop.place).map(own).unwrap_or_default();
            (rank(&sum), cell.place())
        });
        // The last of the best stands on top.
        let mut best = BinaryHeap::new();
        for (at, stop) in self.stops.iter().enumerate() {
            let Some(own_rank) = rank(&own(at)) else { continue };
            let place = (Some(own_rank), stop.place);
            if after.as_ref().is_none_or(|after| place > *after) {
                best.push((place, at));
                if best.len() > limit {
                    best.pop();
                }
            }
        }
        best.into_sorted_vec().into_iter().map(|(_, at)| (self.stops[at].cell, own(at))).collect()
    }

    /// Collects what is below a cell; whether there was room for it.
    fn descend(&self, cell: Cell, area: &Area, resolution: u8, most: usize, found: &mut Vec<(Cell, PlaceSum)>) -> bool {
        let (from, to) = self.range(cell);
        if from == to || !cell.reach().meets(area) {
            return true;
        }
        if cell.resolution() >= resolution {
            found.push((cell, self.up_to(to).minus(&self.up_to(from))));
            return found.len() <= most;
        }
        if !cell.children().into_iter().all(|child| self.descend(child, area, resolution, most, found)) {
            return false;
        }
        // Devices that enrolled with this very cell are in none of those below it.
        if self.stops[to - 1].cell == cell {
            found.push((cell, self.up_to(to).minus(&self.up_to(to - 1))));
        }
        found.len() <= most
    }

    /// The stops of a cell and of everything below it.
    fn range(&self, cell: Cell) -> (usize, usize) {
        let (first, last) = cell.places();
        let from = self.stops.partition_point(|stop| stop.place < first);
        (from, from + self.stops[from..].partition_point(|stop| stop.place <= last))
    }

    fn up_to(&self, stop: usize) -> PlaceSum {
        stop.checked_sub(1).map_or_else(PlaceSum::default, |last| self.stops[last].sum)
    }
}

/// Which epochs are summed up, by number and the hash of their statement, with when each was asked for last.
#[derive(Debug, Default)]
pub(crate) struct Summed {
    known: Mutex<Remembered>,
    /// Held while an epoch is summed up, so that nobody does it twice.
    making: Mutex<()>,
}

#[derive(Debug, Default)]
struct Remembered {
    epochs: BTreeMap<(u64, Hash), (Arc<Places>, u64)>,
    asked: u64,
}

impl Summed {
    fn find(&self, key: &(u64, Hash)) -> Option<Arc<Places>> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.asked += 1;
        let asked = known.asked;
        let (places, last) = known.epochs.get_mut(key)?;
        *last = asked;
        Some(places.clone())
    }

    fn keep(&self, key: (u64, Hash), places: Arc<Places>) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let asked = known.asked;
        known.epochs.insert(key, (places, asked));
        let rows = |known: &Remembered| known.epochs.values().map(|(places, _)| places.rows.len()).sum::<usize>();
        while known.epochs.len() > 1 && rows(&known) > ROWS_MAX {
            let oldest = known.epochs.iter().filter(|(other, _)| **other != key).min_by_key(|(_, (_, last))| *last);
            let Some(oldest) = oldest.map(|(key, _)| *key) else { break };
            known.epochs.remove(&oldest);
        }
    }
}

impl PlacedDevice {
    /// The device.
    #[must_use]
    pub const fn id(&self) -> DeviceId {
        self.id
    }
}

impl Ledger {
    /// At most `limit` devices that come after `after`, ascending by id, with their cells as the state has them: for
    /// [`ClosedEpochs::sum_places`]. Whoever asks for all of them a piece at a time leaves the writer room between two; what
    /// happens there is of no closed epoch.
    #[must_use]
    pub fn placed_devices(&self, after: Option<DeviceId>, limit: usize) -> Vec<PlacedDevice> {
        let start = after.map_or(Bound::Unbounded, Bound::Excluded);
        let placed =
            self.state().devices.range((start, Bound::Unbounded)).take(limit).map(|(id, device)| PlacedDevice {
                id: *id,
                cell: Cell::of(device.cell).expect("enrolment was admitted with a cell"),
                enrolled_index: device.enrolled_index,
                retired_index: device.retired_index(),
            });
        placed.collect()
    }
}

impl ClosedEpochs {
    /// The devices of a closed epoch by place, if it was summed up before.
    ///
    /// # Errors
    /// [`LedgerError::NoEpoch`], or that a view cannot be read.
    pub fn known_places(&self, epoch: u64) -> Result<Option<Arc<Places>>, LedgerError> {
        Ok(self.summed.find(&(epoch, self.statement(epoch)?.hash())))
    }

    /// The same, summed up now unless somebody did it meanwhile: `devices` are all that the state has.
    ///
    /// # Errors
    /// [`LedgerError::NoEpoch`], or that a view cannot be read.
    pub fn sum_places(&self, epoch: u64, devices: &[PlacedDevice]) -> Result<Arc<Places>, LedgerError> {
        let statement = self.statement(epoch)?;
        let key = (epoch, statement.hash());
        let _making = self.summed.making.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(places) = self.summed.find(&key) {
            return Ok(places);
        }
        let places = Arc::new(build::places(self, &statement, devices)?);
        self.summed.keep(key, places.clone());
        Ok(places)
    }
}

#[cfg(test)]
mod tests;

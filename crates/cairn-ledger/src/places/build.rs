//! The walk over an epoch's tables.

use cairn_core::epoch::EpochStatement;
use cairn_core::geo::{Area, Cell};
use cairn_core::{Amount, DeviceId, Payout, Verdict};

use super::{ClassMiddle, PlaceRow, PlaceSum, PlacedDevice, Places, Stop};
use crate::views::score_of;
use crate::{ClosedEpochs, LedgerError};

/// How the code of a reason ends that says that too little was near.
const UNTESTED: &str = "-UNTESTED";

/// What is found of a device.
#[derive(Debug, Clone, Copy, Default)]
struct Found {
    is_judged: bool,
    is_untested: bool,
    weight: u128,
    amount: u128,
    paid: u128,
}

/// Sums up an epoch; `devices` are those of the state, in the order of their ids.
pub(super) fn places(
    closed: &ClosedEpochs,
    statement: &EpochStatement,
    devices: &[PlacedDevice],
) -> Result<Places, LedgerError> {
    let mut found = vec![Found::default(); devices.len()];
    let middles = read_verdicts(closed, statement, devices, &mut found)?;
    closed.payout_table(statement)?.for_each(|row| {
        let payout = Payout::decode(row)?;
        if let Some(at) = payout.device.and_then(|id| position(devices, &id)) {
            found[at].paid = found[at].paid.saturating_add(payout.amount.0);
        }
        Ok(())
    })?;
    let is_there = |device: &PlacedDevice, found: &Found| {
        let was_there = device.enrolled_index < statement.to;
        was_there
            && (found.is_judged || found.paid > 0 || device.retired_index.is_none_or(|index| index >= statement.to))
    };
    let there = devices.iter().zip(&found).filter(|(device, found)| is_there(device, found));
    let rows = there.map(|(device, found)| PlaceRow {
        device: device.id,
        cell: device.cell,
        is_judged: found.is_judged,
        score_ppm: score_of(found.weight, found.amount),
        is_untested: found.is_untested,
        paid: Amount(found.paid),
    });
    Ok(by_place(rows.collect(), middles))
}

/// The places of rows in any order.
pub(super) fn by_place(mut rows: Vec<PlaceRow>, middles: Vec<ClassMiddle>) -> Places {
    rows.sort_unstable_by_key(|row| (row.cell.place(), row.device));
    let mut stops: Vec<Stop> = Vec::new();
    let mut sum = PlaceSum::default();
    for row in &rows {
        sum = sum.plus(row);
        match stops.last_mut() {
            Some(last) if last.cell == row.cell => last.sum = sum,
            _ => stops.push(Stop { place: row.cell.place(), cell: row.cell, sum }),
        }
    }
    let area = area(stops.iter().map(|stop| stop.cell));
    Places { rows, stops, middles, area }
}

fn position(devices: &[PlacedDevice], id: &DeviceId) -> Option<usize> {
    devices.binary_search_by(|device| device.id.cmp(id)).ok()
}

/// Rows stand by class and device: a device's of one class come one after the other.
fn read_verdicts(
    closed: &ClosedEpochs,
    statement: &EpochStatement,
    devices: &[PlacedDevice],
    found: &mut [Found],
) -> Result<Vec<ClassMiddle>, LedgerError> {
    let mut middles = Vec::new();
    let (mut class, mut delivered) = (String::new(), Vec::new());
    let mut last: Option<(DeviceId, Option<usize>, u64)> = None;
    closed.verdict_table(statement)?.for_each(|row| {
        let verdict = Verdict::decode(row)?;
        if last.is_some_and(|(device, ..)| device != verdict.device) || class != verdict.class {
            delivered.extend(last.take().map(|(.., amount)| amount));
        }
        if class != verdict.class {
            middles.extend(middle(&class, &mut delivered));
            class.clone_from(&verdict.class);
        }
        let (_, at, amount) = last.get_or_insert_with(|| (verdict.device, position(devices, &verdict.device), 0));
        *amount = amount.saturating_add(verdict.amount);
        if let Some(found) = at.and_then(|at| found.get_mut(at)) {
            found.is_judged = true;
            found.is_untested |= verdict.reasons.iter().any(|reason| reason.code.ends_with(UNTESTED));
            found.weight += u128::from(verdict.weight());
            found.amount += u128::from(verdict.amount);
        }
        Ok(())
    })?;
    delivered.extend(last.map(|(.., amount)| amount));
    middles.extend(middle(&class, &mut delivered));
    Ok(middles)
}

/// The middle of what was delivered, which is forgotten; `None` where nobody delivered anything.
fn middle(class: &str, delivered: &mut Vec<u64>) -> Option<ClassMiddle> {
    delivered.retain(|amount| *amount > 0);
    let middle = delivered.len().checked_sub(1)? / 2;
    let (_, amount, _) = delivered.select_nth_unstable(middle);
    let amount = *amount;
    let devices = delivered.len() as u64;
    delivered.clear();
    Some(ClassMiddle { class: class.to_owned(), devices, amount })
}

/// The box around the centres: longitudes leave out the widest gap between two of them.
fn area(cells: impl Iterator<Item = Cell>) -> Option<Area> {
    let centres: Vec<_> = cells.map(Cell::center).collect();
    let mut lons: Vec<i64> = centres.iter().map(|centre| centre.lon_e7.into()).collect();
    lons.sort_unstable();
    let (first, last) = (*lons.first()?, *lons.last()?);
    // The gap over the antimeridian unless another one is wider.
    let turn_e7 = Area::EARTH.east_e7 - Area::EARTH.west_e7;
    let mut widest = (first + turn_e7 - last, first, last);
    for pair in lons.windows(2) {
        if pair[1] - pair[0] > widest.0 {
            widest = (pair[1] - pair[0], pair[1], pair[0] + turn_e7);
        }
    }
    let lats = || centres.iter().map(|centre| centre.lat_e7);
    Area::of(lats().min()?, lats().max()?, widest.1, widest.2)
}

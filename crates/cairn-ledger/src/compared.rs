//! What a device was held against in a closed epoch: the judge runs again over what was around the device then.
//!
//! A verdict says what its neighbours made likely only where something was wrong. To tell it where all was well, the judge of the
//! epoch is handed a docket again: the device, and the nearest others as far as its judge could have heard of them, their reports by
//! the entries that their verdicts name, and what the judge remembered. It answers with verdicts and bands from one hearing.
//! **A band is handed out only where the verdict of its slot came out as it was logged, byte for byte.** So whatever is left out here
//! (devices further away, a place or an owner that changed since) is either without effect, or told as not reproduced.
//!
//! Bounded: so many devices, so many entries, and of what judges remember the records of these devices; in folders that do not say
//! where those are, no memory of judges that is longer than [`CARRY_BYTES_MAX`].

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use cairn_classes::sensing::{self, Band, Document};
use cairn_classes::{Carry, Clock, Docket, Report, Site};
use cairn_core::cbor::Value;
use cairn_core::entry::Entry;
use cairn_core::epoch::EpochClock;
use cairn_core::geo::{Cell, Position, distance_m};
use cairn_core::report::ReportName;
use cairn_core::statement::{Mobility, Role};
use cairn_core::{Account, DeviceId, Hash, Verdict};
use cairn_fold::{Device, State, carry_record_start};
use cairn_log::LogReader;

use crate::roster::{Roster, STAND_RESOLUTION, stand_of};
use crate::{ClosedEpochs, Ledger, LedgerError};

/// Devices around the one that is asked about: so many first, and these where that did not give what was logged.
const DEVICES_FIRST: usize = 48;
/// See [`DEVICES_FIRST`].
const DEVICES_MAX: usize = 160;
/// Devices and epochs that are remembered.
const KNOWN_MAX: usize = 1_024;
/// Entries that are read.
const ENTRIES_MAX: usize = 20_000;
/// Bytes of what judges remember of all devices together, where it has to be read whole.
const CARRY_BYTES_MAX: usize = 64 << 20;
/// Entries that lie nearer to each other are read together.
const BUNDLE: u64 = 256;
/// The class that is judged by slots and neighbours.
const CLASS: &str = sensing::SCHEMA;
/// Mean edges of cells by resolution up to [`STAND_RESOLUTION`], metres, rounded down.
const EDGES_M: [u32; 8] = [1_281_000, 483_000, 182_000, 68_000, 26_000, 9_800, 3_700, 1_400];

/// What a device was held against in an epoch.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Compared {
    /// By slot and quantity, of slots whose verdict was reproduced.
    pub bands: Vec<Band>,
    /// Slots that were judged in the epoch,
    pub slots: u64,
    /// and those of them whose verdict came out otherwise here, so that nothing is told of them.
    pub not_reproduced: u64,
}

/// What has to be known of the state before the epoch's files are read.
#[derive(Debug, Clone)]
pub struct Around {
    device: DeviceId,
    epoch: u64,
    revision: u32,
    profile: String,
    clock: EpochClock,
    /// How many epochs a judge looks back.
    lookback: u64,
    sites: BTreeMap<DeviceId, Site>,
    /// The same, nearest first; the device itself is the first of all.
    nearest: Vec<DeviceId>,
    conflicts: BTreeMap<ReportName, u64>,
}

impl Around {
    /// The same of the nearest only.
    fn within(&self, most: usize) -> Self {
        let nearest: Vec<DeviceId> = self.nearest.iter().take(most).copied().collect();
        let site = |id: &DeviceId| Some((*id, self.sites.get(id)?.clone()));
        Self { sites: nearest.iter().filter_map(site).collect(), nearest, ..self.clone() }
    }
}

/// Where a device is taken to stand: where its owner says, or in the middle of its cell.
pub(crate) fn position_of(device: &Device) -> Option<Position> {
    let exact = device.exact.and_then(|(lat_e7, lon_e7)| Position::of(lat_e7, lon_e7));
    exact.or_else(|| Some(Cell::of(device.cell)?.center()))
}

/// How far a judge hears, metres: the greatest radius of its profile.
fn radius_m(document: &Document) -> u32 {
    let one = |profile: &sensing::revision_1::Profile| {
        profile.quantities.values().filter_map(|rule| rule.neighbours.as_ref()).map(|rule| rule.radius_m).max()
    };
    let two = |profile: &sensing::Profile| {
        profile.quantities.values().filter_map(|rule| rule.neighbours.as_ref()).map(|rule| rule.radius_m).max()
    };
    match document {
        Document::One(profile) => one(profile),
        Document::Two(profile) => two(profile),
    }
    .unwrap_or(0)
}

impl Ledger {
    /// What stands around a device, as the state has it now, for [`ClosedEpochs::compared`]; `None` where the epoch did not judge
    /// by neighbours, or the device is unknown.
    #[must_use]
    pub fn around(&self, device: &DeviceId, epoch: u64) -> Option<Around> {
        let state = self.state();
        let policy = &state.policy_for(epoch)?.read;
        let profile = state.profile_for(CLASS, epoch)?.to_owned();
        let radius_m = radius_m(&Document::parse(&profile).ok()?);
        let sites = sites(state, &self.follow.roster, device, radius_m)?;
        let nearest = sites.iter().map(|(id, _)| *id).collect();
        let sites: BTreeMap<DeviceId, Site> = sites.into_iter().collect();
        let conflicts = state.conflicts.iter().filter(|(name, _)| sites.contains_key(&name.device));
        Some(Around {
            device: *device,
            epoch,
            revision: *policy.classes.get(CLASS)?,
            profile,
            clock: state.clock()?,
            lookback: u64::from(policy.epochs.late_epochs) + 1,
            conflicts: conflicts.map(|(name, index)| (*name, *index)).collect(),
            sites,
            nearest,
        })
    }
}

/// The device and the nearest others within three times the radius: its neighbours, theirs, and those that these hear.
fn sites(state: &State, roster: &Roster, id: &DeviceId, radius_m: u32) -> Option<Vec<(DeviceId, Site)>> {
    let own = state.devices.get(id)?;
    let (here, stand, reach_m) = (position_of(own)?, stand_of(own)?, radius_m.saturating_mul(3));
    let mut found: Vec<(u32, DeviceId)> = Vec::new();
    // Small cells come first: where many stand near, nobody who is further away is looked at. A cell and those beside it hold
    // everybody within half an edge, since edges are means and cells differ in size; of the last ones it is asked that an edge
    // reaches as far, so that somebody at the rim may be missing: that is told as not reproduced where it matters.
    for (resolution, edge_m) in (0..=STAND_RESOLUTION).zip(EDGES_M).rev() {
        let Some(cell) = stand.parent(resolution) else { continue };
        let is_last = edge_m >= reach_m || resolution == 0;
        let within_m = if is_last { reach_m } else { edge_m / 2 };
        let near = cell.neighbours().into_iter().chain([cell]).flat_map(|cell| roster.within(cell));
        let away = |other: &DeviceId| Some((distance_m(here, position_of(state.devices.get(other)?)?), *other));
        found.clear();
        found.push((0, *id));
        found.extend(near.filter(|other| *other != id).filter_map(away).filter(|(away_m, _)| *away_m <= within_m));
        if is_last || found.len() >= DEVICES_MAX {
            break;
        }
    }
    found.sort_unstable_by_key(|(away_m, other)| (*other != *id, *away_m, *other));
    found.truncate(DEVICES_MAX);
    let site = |(_, id): (u32, DeviceId)| {
        let device = &state.devices[&id];
        let site = Site {
            owner: Account::clone(&device.owner),
            position: position_of(device)?,
            altitude_cm: device.altitude_cm,
            enrolled_index: device.enrolled_index,
            mobile: device.kind.mobility == Mobility::Mobile,
            anchor: device.kind.role == Role::Anchor,
        };
        Some((id, site))
    };
    found.into_iter().map(site).collect()
}

/// What devices were held against, by epoch and device.
pub(crate) type Bands = Arc<Mutex<BTreeMap<(u64, DeviceId), Compared>>>;

/// What verdicts say of an entry that they judged.
#[derive(Debug, Clone)]
struct Judged {
    device: DeviceId,
    account: Account,
    denied: Option<u64>,
}

impl ClosedEpochs {
    /// What a device was held against in a closed epoch. `around` is what [`Ledger::around`] said.
    ///
    /// # Errors
    /// [`LedgerError`] when a view or the log cannot be read.
    pub fn compared(&self, around: &Around, log: &LogReader) -> Result<Compared, LedgerError> {
        let key = (around.epoch, around.device);
        let known = || self.bands.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(compared) = known().get(&key) {
            return Ok(compared.clone());
        }
        // Nearly always the nearest few are enough, and cost a fraction; where they are not, that shows.
        let mut compared = self.judged_again(&around.within(DEVICES_FIRST), log)?;
        if compared.not_reproduced > 0 && around.nearest.len() > DEVICES_FIRST {
            compared = self.judged_again(around, log)?;
        }
        // What came out as it was logged does so for ever; the rest may come out otherwise another time.
        if compared.not_reproduced == 0 {
            let mut known = known();
            if known.len() >= KNOWN_MAX {
                known.clear();
            }
            known.insert(key, compared.clone());
        }
        Ok(compared)
    }

    fn judged_again(&self, around: &Around, log: &LogReader) -> Result<Compared, LedgerError> {
        let statement = self.statement(around.epoch)?;
        let logged = self.verdicts_of(&statement, CLASS, core::iter::once(&around.device))?;
        let all = Compared { slots: logged.len() as u64, not_reproduced: logged.len() as u64, ..Compared::default() };
        let mut entries = self.judged_entries(around, around.epoch)?;
        if entries.len() > ENTRIES_MAX {
            return Ok(all);
        }
        let mut read = entries_of(log, &entries, &around.conflicts)?;
        let start_ms = around.clock.start_ms(around.epoch);
        let is_fresh =
            |read: &Read| read.index >= statement.from || around.clock.epoch_at(read.time_ms) == Some(around.epoch);
        // Where something came late, everything of the lookback is at hand, as it was then.
        if read.iter().any(|read| is_fresh(read) && read.time_ms < start_ms) {
            for epoch in around.epoch.saturating_sub(around.lookback)..around.epoch {
                for (index, judged) in self.judged_entries(around, epoch)? {
                    entries.entry(index).or_insert(judged);
                }
            }
            if entries.len() > ENTRIES_MAX {
                return Ok(all);
            }
            read = entries_of(log, &entries, &around.conflicts)?;
        }
        let Some(carry) = self.carry_before(around, statement.previous)? else { return Ok(all) };
        let (fresh, context): (Vec<&Read>, Vec<&Read>) = read.iter().partition(|read| is_fresh(read));
        let (fresh, context): (Vec<Report<'_>>, Vec<Report<'_>>) =
            (fresh.into_iter().map(Read::report).collect(), context.into_iter().map(Read::report).collect());
        let docket = Docket {
            network_epoch: around.epoch,
            start_ms,
            end_ms: around.clock.end_ms(around.epoch),
            sites: &around.sites,
            fresh: &fresh,
            context: &context,
            carry: &carry,
            jobs: &[],
            salt: statement.previous,
        };
        let Ok(document) = Document::parse(&around.profile) else { return Ok(all) };
        // A docket that contradicts itself is not the one that was judged.
        let Ok((verdicts, bands)) = sensing::compared(around.revision, &document, &docket, &around.device) else {
            return Ok(all);
        };
        Ok(reproduced(&logged, &verdicts, bands))
    }

    /// The entries of everybody around that an epoch judged.
    fn judged_entries(&self, around: &Around, epoch: u64) -> Result<BTreeMap<u64, Judged>, LedgerError> {
        let (mut entries, statement) = (BTreeMap::new(), self.statement(epoch)?);
        for verdict in self.verdicts_of(&statement, CLASS, around.sites.keys())? {
            let denied = verdict.reasons.iter().find(|reason| reason.code == "SEN-DENIED");
            let denied = denied.and_then(|reason| reason.evidence.first().copied());
            for index in verdict.entries {
                // A denial holds for what came after it.
                let denied = denied.filter(|denial| *denial < index);
                let judged = Judged { device: verdict.device, account: verdict.account.clone(), denied };
                entries.entry(index).or_insert(judged);
            }
        }
        Ok(entries)
    }

    /// What the judge remembered of those around when the epoch before closed, whose statement has this hash; `None` where that is
    /// too much to be read for this.
    fn carry_before(&self, around: &Around, statement: Hash) -> Result<Option<Carry>, LedgerError> {
        let Some(before) = around.epoch.checked_sub(1) else { return Ok(Some(Carry::new())) };
        let broken = |detail: String| LedgerError::View { path: format!("epochs/{before:010}/carry").into(), detail };
        let starts = around.sites.keys().map(|id| carry_record_start(CLASS, around.revision, &id.0));
        let known: Vec<Vec<u8>> = match self.store.carry_table(before, statement)? {
            Some(table) => {
                let mut known = Vec::new();
                for start in starts {
                    known.extend(table.with_prefix(&start)?.into_iter().map(|(_, row)| row));
                }
                known
            }
            None if self.store.carry_size(before)? > CARRY_BYTES_MAX as u64 => return Ok(None),
            None => {
                let bytes = self.store.carry_bytes(before)?;
                let rows = crate::split_rows(&bytes).map_err(|error| broken(error.to_string()))?;
                let of = |start: Vec<u8>| {
                    let at = rows.partition_point(|row| *row < start.as_slice());
                    rows.get(at).filter(|row| row.starts_with(&start)).map(|row| row.to_vec())
                };
                starts.filter_map(of).collect()
            }
        };
        let state = State::from_records(&known).map_err(|error| broken(error.to_string()))?;
        Ok(Some(state.carry_of(CLASS, around.revision).cloned().unwrap_or_default()))
    }
}

/// The bands of slots whose verdict is the logged one.
fn reproduced(logged: &[Verdict], again: &[Verdict], mut bands: Vec<Band>) -> Compared {
    let same = |slot_ms: u64| {
        let of = |verdicts: &[Verdict]| verdicts.iter().find(|verdict| verdict.slot_ms == slot_ms).map(Verdict::encode);
        of(logged).is_some() && of(logged) == of(again)
    };
    let same: BTreeSet<u64> = logged.iter().map(|verdict| verdict.slot_ms).filter(|slot_ms| same(*slot_ms)).collect();
    bands.retain(|band| same.contains(&band.slot_ms));
    bands.sort_unstable_by_key(|band| (band.quantity, band.slot_ms));
    Compared { bands, slots: logged.len() as u64, not_reproduced: (logged.len() - same.len()) as u64 }
}

/// A report as it was judged.
#[derive(Debug, Clone)]
struct Read {
    index: u64,
    time_ms: u64,
    received_ms: u64,
    name: ReportName,
    clock: Option<Clock>,
    flags: u32,
    body: Value,
    judged: Judged,
    conflict: Option<u64>,
}

impl Read {
    fn of(index: u64, bytes: &[u8], judged: &Judged, conflicts: &BTreeMap<ReportName, u64>) -> Option<Self> {
        let entry = Entry::decode(bytes).ok()?;
        let report = cairn_core::report::Report::parse(entry.body).ok()?;
        let name = report.name();
        Some(Self {
            index,
            time_ms: report.body.measured_ms(entry.received_ms),
            received_ms: entry.received_ms,
            clock: report.body.clock.map(|(source, error_ms)| Clock { source: source.number(), error_ms }),
            flags: u32::try_from(report.body.flags).ok()?,
            conflict: conflicts.get(&name).copied(),
            body: report.body.body,
            judged: judged.clone(),
            name,
        })
    }

    fn report(&self) -> Report<'_> {
        Report {
            index: self.index,
            device: self.judged.device,
            bridge: (self.judged.device != self.name.device).then_some(self.name.device),
            boot: self.name.boot,
            seq: self.name.seq,
            clock: self.clock,
            account: self.judged.account.clone(),
            time_ms: self.time_ms,
            received_ms: self.received_ms,
            flags: self.flags,
            body: &self.body,
            denied: self.judged.denied,
            conflict: self.conflict,
        }
    }
}

/// Reads entries, those together that lie near each other.
fn entries_of(
    log: &LogReader,
    entries: &BTreeMap<u64, Judged>,
    conflicts: &BTreeMap<ReportName, u64>,
) -> Result<Vec<Read>, LedgerError> {
    let indices: Vec<u64> = entries.keys().copied().collect();
    let mut read = Vec::with_capacity(indices.len());
    for near in indices.chunk_by(|one, other| other - one < BUNDLE) {
        let (Some(first), Some(last)) = (near.first(), near.last()) else { continue };
        for chunk in log.entries(*first..last.saturating_add(1)) {
            for (index, bytes) in chunk?.iter() {
                let Some(judged) = entries.get(&index) else { continue };
                read.extend(Read::of(index, bytes, judged, conflicts));
            }
        }
    }
    Ok(read)
}

#[cfg(test)]
mod tests {
    use cairn_core::entry::EntryKind;
    use cairn_testkit::network::{MemoryNetwork, SeededDevice, Terms};

    use super::*;

    /// The nearest, by looking at everybody.
    fn looked_at_all(state: &State, id: &DeviceId, reach_m: u32) -> Vec<DeviceId> {
        let here = position_of(&state.devices[id]).unwrap();
        let away = |other: &DeviceId| {
            let away_m = if other == id { 0 } else { distance_m(here, position_of(&state.devices[other]).unwrap()) };
            (away_m <= reach_m).then_some((away_m, *other))
        };
        let mut found: Vec<(u32, DeviceId)> = state.devices.keys().filter_map(away).collect();
        found.sort_unstable_by_key(|(away_m, other)| (*other != *id, *away_m, *other));
        found.truncate(DEVICES_MAX);
        found.into_iter().map(|(_, other)| other).collect()
    }

    #[test]
    fn the_nearest_are_those_whom_looking_at_everybody_finds() {
        let mut network = MemoryNetwork::daily(Terms::default());
        // Three towns of two hundred each, ever more spread out, about 100 km from each other. Some say little of their place.
        let devices: Vec<SeededDevice> = (0..600).map(SeededDevice::numbered).collect();
        for (at, device) in (0i32..).zip(&devices) {
            let (town, place) = (at / 200, at % 200);
            let spread_e7 = [3_000, 60_000, 700_000][town as usize];
            let (lat_e7, lon_e7) = (place * 37 % 41 * spread_e7, place * 53 % 43 * spread_e7);
            let (lat_e7, lon_e7) = (480_000_000 + town * 9_000_000 + lat_e7, 110_000_000 + lon_e7);
            let resolution = *[0, 3, 5, 7].get((at % 40) as usize).unwrap_or(&8);
            let statement = network.enrolment_in(device, lat_e7, lon_e7, resolution);
            assert_eq!(network.log(EntryKind::Statement, &statement.encode()).1, None);
        }
        let (state, roster) = (network.fold.state(), Roster::of(&network.fold));
        let (mut full, mut few) = (0, 0);
        for device in devices.iter().step_by(7) {
            for radius_m in [100, 800, 5_000, 40_000, 200_000, 900_000] {
                let found = sites(state, &roster, &device.id, radius_m).unwrap();
                let found: Vec<DeviceId> = found.into_iter().map(|(id, _)| id).collect();
                assert_eq!(found, looked_at_all(state, &device.id, 3 * radius_m), "{radius_m} m");
                full += usize::from(found.len() == DEVICES_MAX);
                few += usize::from((2..DEVICES_MAX).contains(&found.len()));
            }
        }
        assert!(full > 100 && few > 100, "{full} {few}");
    }
}

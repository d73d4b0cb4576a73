//! The devices of the state in other orders than by their ids: whoever asks for a few of a million does not walk through all of
//! them while the writer waits.
//!
//! Kept up with the fold, entry by entry; nothing of it is in the state, on disk or in a statement. A device that changed hands
//! stands under its earlier owners, too, until the ledger is opened again: what is handed out is held to the state.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use cairn_core::geo::Cell;
use cairn_core::statement::Body;
use cairn_core::{Account, DeviceId};
use cairn_fold::{Device, Effect, Fold, State};

use crate::compared::position_of;

/// What comes first and last among the ids of devices.
const FIRST: DeviceId = DeviceId([0; 16]);
const LAST: DeviceId = DeviceId([0xff; 16]);
/// The finest resolution that devices are looked for in: cells with edges of 1.4 km.
pub(crate) const STAND_RESOLUTION: u8 = 7;

/// See the module.
#[derive(Debug)]
pub(crate) struct Roster {
    by_owner: BTreeSet<(Arc<Account>, DeviceId)>,
    /// By [`Cell::place`] of [`stand_of`].
    by_place: BTreeSet<(u64, DeviceId)>,
    /// Devices that are not retired.
    in_service: u64,
    /// Reports that are not judged yet.
    waiting: HashMap<DeviceId, u32>,
}

/// The cell of [`STAND_RESOLUTION`] in which a device is looked for: the one above its own, or, where its own is coarser, the one
/// in the place that it is taken to have. So whoever says little of his place makes nobody else's search wider.
pub(crate) fn stand_of(device: &Device) -> Option<Cell> {
    let cell = Cell::of(device.cell)?;
    cell.parent(STAND_RESOLUTION).or_else(|| Cell::containing(position_of(device)?, STAND_RESOLUTION))
}

impl Roster {
    /// The devices of a fold as it is.
    pub fn of(fold: &Fold) -> Self {
        let devices = || fold.state().devices.iter();
        let stands = devices().filter_map(|(id, device)| Some((stand_of(device)?.place(), *id)));
        Self {
            by_owner: devices().map(|(id, device)| (device.owner.clone(), *id)).collect(),
            by_place: stands.collect(),
            in_service: devices().filter(|(_, device)| device.retired_index().is_none()).count() as u64,
            waiting: waiting(fold),
        }
    }

    /// Goes on after an entry had an effect, and maybe closed epochs before it: `fold` is past both.
    pub fn follow(&mut self, fold: &Fold, has_closed: bool, effect: Option<&Effect>) {
        if has_closed {
            self.waiting = waiting(fold);
        } else if let Some(Effect::Report(accepted)) = effect {
            *self.waiting.entry(accepted.device).or_default() += 1;
        }
        let Some(Effect::Statement(statement)) = effect else { return };
        match &statement.body {
            Body::Enrol(enrol) => {
                let id = DeviceId::of_key(&enrol.key.multicodec());
                let Some(device) = fold.state().devices.get(&id) else { return };
                self.by_owner.insert((device.owner.clone(), id));
                self.in_service += 1;
                self.by_place.extend(stand_of(device).map(|cell| (cell.place(), id)));
            }
            Body::Transfer(transfer) => {
                let Some(device) = fold.state().devices.get(&transfer.device) else { return };
                self.by_owner.insert((device.owner.clone(), transfer.device));
            }
            Body::Retire(_) => self.in_service -= 1,
            _ => {}
        }
    }

    /// Devices that are not retired.
    pub const fn in_service(&self) -> u64 {
        self.in_service
    }

    /// Reports of a device that are not judged yet.
    pub fn waiting(&self, device: &DeviceId) -> u64 {
        self.waiting.get(device).copied().unwrap_or(0).into()
    }

    /// The devices of an owner, retired ones included, ascending by id.
    pub fn devices_of<'a>(&'a self, state: &'a State, owner: &'a Account) -> impl Iterator<Item = &'a DeviceId> {
        let shared = Arc::new(owner.clone());
        let stood = self.by_owner.range((shared.clone(), FIRST)..=(shared, LAST));
        stood.map(|(_, id)| id).filter(|id| state.devices.get(id).is_some_and(|device| *device.owner == *owner))
    }

    /// The devices in a cell no finer than [`STAND_RESOLUTION`].
    pub fn within(&self, cell: Cell) -> impl Iterator<Item = &DeviceId> {
        let (first, last) = cell.places();
        self.by_place.range((first, FIRST)..=(last, LAST)).map(|(_, id)| id)
    }
}

fn waiting(fold: &Fold) -> HashMap<DeviceId, u32> {
    let mut waiting = HashMap::new();
    fold.open_reports().for_each(|report| *waiting.entry(report.device).or_default() += 1);
    waiting
}

#[cfg(test)]
mod tests {
    use cairn_core::entry::EntryKind;
    use cairn_core::statement::{Draft, Transfer};
    use cairn_testkit::network::{DAY_MS, MemoryNetwork, SeededDevice, Terms};

    use super::*;

    /// What a roster has to say, by walking through all of the state.
    fn walked(fold: &Fold, id: &DeviceId, owner: &Account) -> (u64, u64, Vec<DeviceId>) {
        let devices = &fold.state().devices;
        let owned = devices.iter().filter(|(_, device)| *device.owner == *owner).map(|(id, _)| *id);
        let in_service = devices.values().filter(|device| device.retired_index().is_none()).count() as u64;
        (in_service, fold.open_reports().filter(|report| report.device == *id).count() as u64, owned.collect())
    }

    #[test]
    fn what_it_was_told_entry_by_entry_is_what_walking_through_the_state_finds() {
        let terms = Terms::default();
        let mut network = MemoryNetwork::daily(terms);
        let devices = network.enrol_grid(8);
        let hand_over = |network: &mut MemoryNetwork, device: &SeededDevice, from: &SeededDevice, to: &SeededDevice| {
            let body = Body::Transfer(Transfer { device: device.id, owner: to.account.clone() });
            let nonce = network.next_nonce();
            let draft = Draft::of(Some(network.id), body, nonce, u64::MAX >> 1);
            let statement = draft.signed_by_wallet(&from.wallet).signed_by_wallet(&to.wallet).finish();
            assert_eq!(network.log(EntryKind::Statement, &statement.encode()).1, None);
        };
        for day in 0..16u32 {
            let time_ms = terms.zero_ms + u64::from(day) * DAY_MS;
            network.pass_to(time_ms + DAY_MS);
            for device in devices.iter().skip(day as usize % 3) {
                network.send(device, day, time_ms + 3_600_000, 200);
            }
            match day {
                3 => hand_over(&mut network, &devices[1], &devices[1], &devices[2]),
                5 => hand_over(&mut network, &devices[1], &devices[2], &devices[1]),
                9 => hand_over(&mut network, &devices[4], &devices[4], &devices[2]),
                11 => {
                    let nonce = network.next_nonce();
                    let retire = Draft::of(Some(network.id), Body::Retire(devices[6].id), nonce, u64::MAX >> 1);
                    let statement = retire.signed_by_wallet(&devices[6].wallet).finish();
                    assert_eq!(network.log(EntryKind::Statement, &statement.encode()).1, None);
                }
                _ => {}
            }
        }
        let (mut fold, mut roster) = (Fold::start(), Roster::of(&Fold::start()));
        let mut seen = (0, 0);
        for bytes in &network.entries {
            let entry = cairn_core::entry::Entry::decode(bytes).unwrap();
            let folded = fold.push(cairn_merkle::tree::leaf_hash(bytes), &entry, None).unwrap();
            roster.follow(&fold, !folded.closed.is_empty(), folded.effect.as_ref().ok());
            for (at, device) in devices.iter().enumerate() {
                let owner = &devices[(at + 1) % devices.len()].account;
                let told = (
                    roster.in_service(),
                    roster.waiting(&device.id),
                    roster.devices_of(fold.state(), owner).copied().collect(),
                );
                assert_eq!(told, walked(&fold, &device.id, owner));
                seen = (seen.0.max(told.1), seen.1.max(told.2.len()));
                assert_eq!(roster.by_place, Roster::of(&fold).by_place);
            }
        }
        assert!(seen.0 > 3 && seen.1 == 2, "{seen:?}");
    }
}

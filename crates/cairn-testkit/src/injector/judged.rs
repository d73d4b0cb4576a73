//! A field before the judge, epoch by epoch, as a network would have it judged.

use std::collections::BTreeMap;

use cairn_classes::sensing::{Body, Document, Outcome, assess, judge};
use cairn_classes::{Carry, ClassError, Docket, Report, Site};
use cairn_core::cbor::Value;
use cairn_core::{Account, Address, DeviceId, Domain, Hash, PPM};

use super::field::{Field, Row};

/// What a method says of a field: per row, and per station and slot.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Said {
    /// For every row whether it is doubted: a reading that loses a quarter of its score or more.
    pub rows: Vec<bool>,
    /// For every station the starts of its slots that lose a quarter of their score or more, ascending.
    pub slots: Vec<Vec<u64>>,
    /// How many slots were scored in all.
    pub scored: u64,
}

/// What a reading or slot has to lose to count as doubted.
pub const DOUBTED_PPM: u32 = PPM / 4;

impl Said {
    /// What is said by a method that knows only rows: a slot is doubted when a quarter of its rows are.
    #[must_use]
    pub fn of_rows(field: &Field, slot_ms: u64, rows: Vec<bool>) -> Self {
        let mut tally: BTreeMap<(usize, u64), (u64, u64)> = BTreeMap::new();
        for (row, doubted) in field.rows.iter().zip(&rows) {
            let (all, bad) = tally.entry((row.station, row.time_ms / slot_ms * slot_ms)).or_default();
            *all += 1;
            *bad += u64::from(*doubted);
        }
        let mut slots = vec![Vec::new(); field.places.len()];
        for (&(station, start_ms), &(all, bad)) in &tally {
            if bad * 4 >= all {
                slots[station].push(start_ms);
            }
        }
        Self { rows, slots, scored: tally.len() as u64 }
    }
}

/// Judges a field with the revision that reads the document, in epochs of one copy window, each with the carry of those
/// before. Every station has an owner of its own, and is as senior as its index says.
///
/// # Errors
/// [`ClassError`] for values that no report may hold.
///
/// # Panics
/// When a field has more rows than a report may be numbered.
pub fn judged(field: &Field, document: &Document) -> Result<Said, ClassError> {
    let devices: Vec<DeviceId> = field.places.iter().map(|place| DeviceId::of_key(place.name.as_bytes())).collect();
    let numbers: BTreeMap<DeviceId, usize> = devices.iter().enumerate().map(|(n, &device)| (device, n)).collect();
    let sites = sites(field, &devices);
    let epoch_ms = document.slot_ms() * u64::from(document.window_slots());
    let mut said = Said { rows: vec![false; field.rows.len()], slots: vec![Vec::new(); devices.len()], scored: 0 };
    let mut carry = Carry::new();
    let mut from = 0;
    for rows in field.rows.chunk_by(|a, b| a.time_ms / epoch_ms == b.time_ms / epoch_ms) {
        let epoch = rows[0].time_ms / epoch_ms;
        let bodies = bodies(rows)?;
        let fresh = reports(rows, from, &bodies, &devices, &sites);
        let docket = Docket {
            network_epoch: epoch,
            start_ms: epoch * epoch_ms,
            end_ms: (epoch + 1) * epoch_ms,
            sites: &sites,
            fresh: &fresh,
            context: &[],
            carry: &carry,
            jobs: &[],
            salt: Hash::ZERO,
        };
        let verdicts = judge(document.revision(), document, &docket)?;
        for value in assess(document, &docket)?.0 {
            if value.outcome != Outcome::Unscored && value.score.get() <= PPM - DOUBTED_PPM {
                said.rows[usize::try_from(value.index).expect("a row's number")] = true;
            }
        }
        for verdict in verdicts.verdicts.iter().filter(|verdict| verdict.amount > 0) {
            said.scored += 1;
            if verdict.score.get() <= PPM - DOUBTED_PPM {
                said.slots[numbers[&verdict.device]].push(verdict.slot_ms);
            }
        }
        verdicts.update(&mut carry);
        from += rows.len();
    }
    Ok(said)
}

/// The stations of a field as enrolled devices, each of an owner of its own.
///
/// # Panics
/// Never: the owners' addresses are well formed.
#[must_use]
pub fn sites(field: &Field, devices: &[DeviceId]) -> BTreeMap<DeviceId, Site> {
    let chain = Domain::parse("eip155:31337").expect("a chain id");
    let site = |(n, (place, &device)): (usize, (&super::Place, &DeviceId))| {
        let mut address = [0; 20];
        address.copy_from_slice(&Hash::of(place.name.as_bytes()).0[..20]);
        let owner = Account::at(chain.clone(), Address::Evm(address)).expect("an EVM address on an EVM chain");
        let site = Site {
            owner,
            position: place.position,
            altitude_cm: place.altitude_cm,
            enrolled_index: n as u64,
            mobile: false,
            anchor: false,
        };
        (device, site)
    };
    field.places.iter().zip(devices).enumerate().map(site).collect()
}

/// The bodies of rows, one reading each.
///
/// # Errors
/// [`ClassError`] for values that no report may hold.
pub fn bodies(rows: &[Row]) -> Result<Vec<Value>, ClassError> {
    rows.iter().map(|row| Body::one(row.values.iter().copied()).map(|body| body.encode())).collect()
}

/// The reports of rows, numbered from `from`, each received when it was measured.
///
/// # Panics
/// When there are more rows than a report may be numbered.
#[must_use]
pub fn reports<'a>(
    rows: &[Row],
    from: usize,
    bodies: &'a [Value],
    devices: &[DeviceId],
    sites: &BTreeMap<DeviceId, Site>,
) -> Vec<Report<'a>> {
    let report = |(n, (row, body)): (usize, (&Row, &'a Value))| Report {
        index: n as u64,
        device: devices[row.station],
        bridge: None,
        boot: 0,
        seq: u32::try_from(n).expect("fewer rows than that"),
        clock: None,
        account: sites[&devices[row.station]].owner.clone(),
        time_ms: row.time_ms,
        received_ms: row.time_ms,
        flags: 0,
        body,
        denied: None,
        conflict: None,
    };
    (from..).zip(rows.iter().zip(bodies)).map(report).collect()
}

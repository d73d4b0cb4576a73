//! A recording before the judge: which profile fits it, and its rows as the dockets of one epoch after the other.

use std::collections::BTreeMap;
use std::path::Path;

use cairn_classes::sensing::{self, Document, revision_1};
use cairn_classes::{Carry, Class, ClassError, Docket, Judged, Report, Site};
use cairn_core::cbor::Value;
use cairn_core::{Account, Address, DeviceId, Domain, Hash};

use crate::dataset::{Dataset, DatasetError, Station};
use crate::failure::Failure;

/// Rows judged at once, unless one copy window holds more.
const RANGE_ROWS: usize = 50_000;

/// Reads a recording, and names its bad rows on standard error.
///
/// # Errors
/// When the file cannot be read or is no recording.
pub fn open(data: &Path, stations: Option<&Path>) -> Result<Dataset, Failure> {
    let dataset = Dataset::open_with(data, stations).map_err(refused)?;
    for bad in &dataset.bad_rows {
        eprintln!("{bad}; skipped");
    }
    Ok(dataset)
}

fn refused(error: DatasetError) -> Failure {
    let failure = match &error {
        DatasetError::Io { source, .. } if source.kind() != std::io::ErrorKind::NotFound => {
            Failure::failed(error.code(), &error)
        }
        _ => Failure::wrong(error.code(), &error),
    };
    failure.maybe_hint(error.hint())
}

/// The profiles that come with Cairn for a revision, as (name, document).
fn built_in(revision: Option<u32>) -> Vec<(&'static str, &'static str)> {
    if revision == Some(1) {
        let daily = ("sensing-daily-pm", revision_1::SENSING_DAILY_PM);
        return vec![daily, ("sensing-station", revision_1::SENSING_STATION)];
    }
    let of_file = |&(file, document): &(&'static str, &'static str)| (file.trim_end_matches(".toml"), document);
    Class::Sensing.default_profiles().iter().map(of_file).collect()
}

/// The profile's name and document: the one named, else the one that fits the data.
///
/// # Errors
/// When a file cannot be read.
pub fn profile(named: Option<&str>, revision: Option<u32>, dataset: &Dataset) -> Result<(String, String), Failure> {
    let name = named.unwrap_or_else(|| fitting(revision, dataset));
    if let Some((name, document)) = built_in(revision).into_iter().find(|(other, _)| *other == name) {
        return Ok((name.to_owned(), document.to_owned()));
    }
    let path = Path::new(name);
    let document = std::fs::read_to_string(path).map_err(|error| {
        let known: Vec<&str> = built_in(revision).into_iter().map(|(name, _)| name).collect();
        Failure::io("read", path, &error).hint(format!("profiles that come with Cairn: {}", known.join(", ")))
    })?;
    Ok((name.to_owned(), document))
}

/// Refuses a profile that the revision asked for does not read.
///
/// # Errors
/// Naming both.
pub fn check_revision(name: &str, profile: &Document, asked: Option<u32>) -> Result<(), Failure> {
    match asked.filter(|asked| *asked != profile.revision()) {
        None => Ok(()),
        Some(asked) => Err(Failure::wrong(
            "CLS-REVISION",
            format!("{name} is a profile for revision {} of the judge, not {asked}", profile.revision()),
        )),
    }
}

/// The profile that comes with Cairn and fits: it judges the most of what was measured; then its slot is the longest that
/// is at most twice as long as the usual time between readings, else the shortest.
pub fn fitting(revision: Option<u32>, dataset: &Dataset) -> &'static str {
    let gap_ms = usual_gap_ms(dataset);
    let mut measured: BTreeMap<sensing::Quantity, u64> = BTreeMap::new();
    for quantity in dataset.readings.iter().flat_map(|row| row.values.keys()) {
        *measured.entry(*quantity).or_default() += 1;
    }
    let fit = |(name, document): (&'static str, &'static str)| {
        let document = Document::parse(document).ok()?;
        let judged: u64 = measured.iter().filter(|(of, _)| judges(&document, **of)).map(|(_, values)| values).sum();
        let slot_ms = document.slot_ms();
        let length = if slot_ms <= 2 * gap_ms { (1, slot_ms) } else { (0, u64::MAX - slot_ms) };
        // Among those that ask no more readings than there are, the one that asks most.
        let asked = most_gap_ms(&document);
        let often = if gap_ms <= asked { (1, u64::MAX - asked) } else { (0, asked) };
        Some((judged, length, often, name))
    };
    // The first of equals: `max_by_key` would take the last.
    let fits = built_in(revision).into_iter().rev().filter_map(fit);
    fits.max_by_key(|&(judged, length, often, _)| (judged, length, often)).map_or("sensing-station", |(.., name)| name)
}

/// The longest usual time between two readings at which a slot still loses nothing for being sparsely reported, in ms.
fn most_gap_ms(document: &Document) -> u64 {
    match document {
        Document::Two(profile) => profile
            .availability
            .as_ref()
            .map_or(u64::MAX, |rule| rule.every_ms.saturating_mul(1_000_000) / u64::from(rule.least_ppm)),
        Document::One(_) => u64::MAX,
    }
}

fn judges(document: &Document, quantity: sensing::Quantity) -> bool {
    match document {
        Document::One(profile) => profile.quantities.contains_key(&quantity),
        Document::Two(profile) => profile.quantities.contains_key(&quantity),
    }
}

/// The median time between two rows of a station as the file has them, in ms; zero where no station has two.
fn usual_gap_ms(dataset: &Dataset) -> u64 {
    let mut last: Vec<Option<u64>> = vec![None; dataset.stations.len()];
    let mut gaps = Vec::new();
    for row in &dataset.readings {
        gaps.extend(last[row.station].replace(row.time_ms).map(|before_ms| row.time_ms.abs_diff(before_ms)));
    }
    gaps.sort_unstable();
    gaps.get(gaps.len() / 2).copied().unwrap_or(0)
}

/// The device of each station.
pub fn devices(dataset: &Dataset) -> Vec<DeviceId> {
    dataset.stations.iter().map(|station| DeviceId::of_key(station.name.as_bytes())).collect()
}

/// The row that stands at an index of a docket.
pub fn row_of(index: u64) -> usize {
    usize::try_from(index).expect("the index is a row's")
}

/// Hands the rows to `judge` as dockets in the order of time, each with what was remembered after the one before. Entries
/// are named by their rows.
///
/// # Errors
/// What `judge` says, or a row that no report can hold.
pub fn replay(
    dataset: &Dataset,
    profile: &Document,
    mut judge: impl FnMut(&Docket<'_>) -> Result<Judged, ClassError>,
) -> Result<(), ClassError> {
    let devices = devices(dataset);
    let sites = sites(dataset, &devices);
    let slot = |row: usize| dataset.readings[row].time_ms / profile.slot_ms();
    let mut order: Vec<usize> = (0..dataset.readings.len()).collect();
    order.sort_by_key(|&row| dataset.readings[row].time_ms);
    let Some(&first) = order.first() else { return Ok(()) };
    let first_slot = slot(first);
    let window_slots = u64::from(profile.window_slots());
    let window = |row: usize| (slot(row) - first_slot) / window_slots;
    let start_ms = |window: u64| (first_slot + window * window_slots) * profile.slot_ms();

    let mut carry = Carry::new();
    let mut rest = order.as_slice();
    while let Some(&first) = rest.first() {
        let last = window(rest[RANGE_ROWS.min(rest.len()) - 1]);
        let range;
        (range, rest) = rest.split_at(rest.partition_point(|&row| window(row) <= last));
        let body = |&row: &usize| sensing::Body::one(dataset.readings[row].values.clone()).map(|body| body.encode());
        let bodies: Vec<Value> = range.iter().map(body).collect::<Result<_, _>>()?;
        let fresh: Vec<Report<'_>> =
            range.iter().zip(&bodies).map(|(&row, body)| report(dataset, &devices, &sites, row, body)).collect();
        let docket = Docket {
            network_epoch: 0,
            start_ms: start_ms(window(first)),
            end_ms: start_ms(last + 1),
            sites: &sites,
            fresh: &fresh,
            context: &[],
            carry: &carry,
            jobs: &[],
            salt: Hash::ZERO,
        };
        let judged = judge(&docket)?;
        judged.update(&mut carry);
    }
    Ok(())
}

fn report<'a>(
    dataset: &Dataset,
    devices: &[DeviceId],
    sites: &BTreeMap<DeviceId, Site>,
    row: usize,
    body: &'a Value,
) -> Report<'a> {
    let reading = &dataset.readings[row];
    let device = devices[reading.station];
    Report {
        index: row as u64,
        device,
        bridge: None,
        boot: 0,
        seq: u32::try_from(row).unwrap_or(u32::MAX),
        clock: None,
        account: sites[&device].owner.clone(),
        time_ms: reading.time_ms,
        received_ms: reading.time_ms,
        flags: 0,
        body,
        denied: None,
        conflict: None,
    }
}

fn sites(dataset: &Dataset, devices: &[DeviceId]) -> BTreeMap<DeviceId, Site> {
    let chain = Domain::parse("eip155:31337").expect("the chain id is one");
    let of_station = |(at, (station, device)): (usize, (&Station, &DeviceId))| {
        // An owner's name and a station's never meet: the first byte tells them apart.
        let owner = match &station.owner {
            Some(owner) => Hash::of_parts(&[&[1], owner.as_bytes()]),
            None => Hash::of_parts(&[&[0], station.name.as_bytes()]),
        };
        let mut address = [0; 20];
        address.copy_from_slice(&owner.0[..20]);
        let site = Site {
            owner: Account::at(chain.clone(), Address::Evm(address)).expect("an EVM chain has EVM addresses"),
            position: station.position,
            altitude_cm: station.altitude_cm,
            enrolled_index: at as u64,
            mobile: false,
            anchor: false,
        };
        (*device, site)
    };
    dataset.stations.iter().zip(devices).enumerate().map(of_station).collect()
}

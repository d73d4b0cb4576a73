//! `cairn judge`: a class's judge over a recording, without a network: what would be said of each row.
//!
//! Stations become devices, each of an owner of its own unless the file has an `owner` column, in the order in which they
//! first appear. The rows are judged range by range of whole slots and copy windows, so that what is held beside the rows
//! stays bounded; the ranges follow from the data alone, and so do the verdicts.

mod rows;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use cairn_classes::sensing::{Code, Document, Outcome, Quantity, REVISIONS, SCHEMA, assess};
use cairn_classes::{Carry, Class, ClassError, Docket, Report, Site, sensing};
use cairn_core::cbor::Value;
use cairn_core::{Account, Address, DeviceId, Domain, Hash, PPM};
use clap::Subcommand;

use crate::dataset::{Dataset, DatasetError};
use crate::failure::Failure;
use crate::output::Output;
use crate::words::count;

/// Rows judged at once, unless one copy window holds more.
const RANGE_ROWS: usize = 50_000;
/// Readings at least this far apart are daily means; nearer ones come from stations that report all day.
const DAILY_GAP_MS: u64 = 12 * 3_600_000;

/// Arguments of `cairn judge`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    class: ClassArgs,
}

#[derive(Debug, Subcommand)]
enum ClassArgs {
    /// Judge readings of weather and air quality.
    Sensing(SensingArgs),
}

/// Arguments of `cairn judge sensing`.
#[derive(Debug, clap::Args)]
struct SensingArgs {
    /// The recording, plain or gzipped CSV: timestamp|date, station|sensor_id, lat, lon, optional elevation and owner,
    /// and any of temperature, humidity, pressure_pa, pm10, pm25, …
    #[arg(long, value_name = "CSV")]
    data: PathBuf,
    /// Where the stations are, when the recording does not say: CSV of station, lat, lon.
    #[arg(long, value_name = "CSV")]
    stations: Option<PathBuf>,
    /// The profile: a file, or the name of one that comes with Cairn [default: the one that fits the data]
    #[arg(long, value_name = "FILE")]
    profile: Option<String>,
    /// The revision of the judge [default: the newest]
    #[arg(long, value_name = "N")]
    revision: Option<u32>,
}

/// What is said of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct RowVerdict {
    outcome: Outcome,
    score_ppm: u32,
    /// One bit for each of [`Code::ALL`].
    reasons: u64,
}

impl RowVerdict {
    const UNSCORED: Self = Self { outcome: Outcome::Unscored, score_ppm: 0, reasons: 0 };

    /// The codes in the order of the checks.
    fn codes(self) -> impl Iterator<Item = &'static str> {
        let has = move |(bit, _): &(usize, Code)| self.reasons & (1 << bit) != 0;
        Code::ALL.into_iter().enumerate().filter(has).map(|(_, code)| code.as_str())
    }
}

/// Runs the command.
///
/// # Errors
/// When the recording, the profile or the revision is refused. Rows that are bad or fail are no error.
pub fn run(args: &Args, output: Output) -> Result<(), Failure> {
    let ClassArgs::Sensing(args) = &args.class;
    if let Some(revision) = args.revision.filter(|revision| !REVISIONS.contains(revision)) {
        return Err(ClassError::UnknownRevision { schema: SCHEMA, revision }.into());
    }
    let dataset = Dataset::open_with(&args.data, args.stations.as_deref()).map_err(refused_data)?;
    for bad in &dataset.bad_rows {
        eprintln!("{bad}; skipped");
    }
    let (name, document) = profile(args.profile.as_deref(), &dataset)?;
    let profile = Document::parse(&document)?;
    let bar = output.progress("judging", dataset.readings.len() as u64);
    let verdicts = judge_all(&dataset, &profile, |rows| bar.inc(rows as u64))?;
    bar.finish_and_clear();
    rows::print(&args.data, &dataset, &verdicts, output)?;
    output.say(summary(&dataset, &verdicts, &name));
    Ok(())
}

fn refused_data(error: DatasetError) -> Failure {
    let failure = match &error {
        DatasetError::Io { source, .. } if source.kind() != std::io::ErrorKind::NotFound => {
            Failure::failed(error.code(), &error)
        }
        _ => Failure::wrong(error.code(), &error),
    };
    failure.maybe_hint(error.hint())
}

fn summary(dataset: &Dataset, verdicts: &[RowVerdict], profile: &str) -> String {
    let mut outcomes: BTreeMap<Outcome, u64> = BTreeMap::new();
    for verdict in verdicts {
        *outcomes.entry(verdict.outcome).or_default() += 1;
    }
    let listed: Vec<String> = outcomes.iter().map(|(outcome, rows)| format!("{rows} {}", outcome.as_str())).collect();
    let rows = count(verdicts.len() as u64, "row", "rows");
    let stations = count(dataset.stations.len() as u64, "station", "stations");
    let skipped = count(dataset.bad_rows.len() as u64, "bad row", "bad rows");
    format!("{rows} of {stations} under {profile}: {}; {skipped} skipped", listed.join(", "))
}

/// The profile's name and document.
fn profile(named: Option<&str>, dataset: &Dataset) -> Result<(String, String), Failure> {
    let built_in = |name: &str| {
        let file = format!("{name}.toml");
        let found = Class::Sensing.default_profiles().iter().find(|(other, _)| *other == file);
        found.map(|(_, document)| (name.to_owned(), (*document).to_owned()))
    };
    match named {
        None => Ok(built_in(fitting(dataset)).expect("the profiles that are chosen from come with the build")),
        Some(name) => match built_in(name) {
            Some(found) => Ok(found),
            None => {
                let path = Path::new(name);
                let document = std::fs::read_to_string(path).map_err(|error| Failure::io("read", path, &error))?;
                Ok((name.to_owned(), document))
            }
        },
    }
}

/// Daily means of particulate matter have a profile of their own; everything else is a station's.
fn fitting(dataset: &Dataset) -> &'static str {
    let is_pm = |quantity: &Quantity| matches!(quantity, Quantity::Pm10 | Quantity::Pm25);
    let mut last: Vec<Option<u64>> = vec![None; dataset.stations.len()];
    let (mut far, mut near) = (0u64, 0u64);
    for row in &dataset.readings {
        if let Some(before_ms) = last[row.station].replace(row.time_ms) {
            let gap_ms = row.time_ms.abs_diff(before_ms);
            *(if gap_ms >= DAILY_GAP_MS { &mut far } else { &mut near }) += 1;
        }
    }
    let daily = far > near && dataset.readings.iter().all(|row| row.values.keys().all(is_pm));
    if daily { "sensing-daily-pm" } else { "sensing-station" }
}

/// The verdict over every row, in the order of the file.
fn judge_all(
    dataset: &Dataset,
    profile: &Document,
    mut done: impl FnMut(usize),
) -> Result<Vec<RowVerdict>, ClassError> {
    let devices: Vec<DeviceId> =
        dataset.stations.iter().map(|station| DeviceId::of_key(station.name.as_bytes())).collect();
    let sites = sites(dataset, &devices);
    let slot = |row: usize| dataset.readings[row].time_ms / profile.slot_ms();
    let mut order: Vec<usize> = (0..dataset.readings.len()).collect();
    order.sort_by_key(|&row| dataset.readings[row].time_ms);
    let Some(&first) = order.first() else { return Ok(Vec::new()) };
    let first_slot = slot(first);
    let window_slots = u64::from(profile.window_slots());
    let window = |row: usize| (slot(row) - first_slot) / window_slots;
    let start_ms = |window: u64| (first_slot + window * window_slots) * profile.slot_ms();

    let mut carry = Carry::new();
    let mut verdicts = vec![RowVerdict::UNSCORED; dataset.readings.len()];
    let mut rest = order.as_slice();
    while let Some(&first) = rest.first() {
        let last = window(rest[RANGE_ROWS.min(rest.len()) - 1]);
        let range;
        (range, rest) = rest.split_at(rest.partition_point(|&row| window(row) <= last));
        let span = Span { start_ms: start_ms(window(first)), end_ms: start_ms(last + 1) };
        judge_range(dataset, profile, &devices, &sites, range, span, &mut carry, &mut verdicts)?;
        done(range.len());
    }
    Ok(verdicts)
}

/// A stretch of measured time.
#[derive(Clone, Copy)]
struct Span {
    start_ms: u64,
    end_ms: u64,
}

fn judge_range(
    dataset: &Dataset,
    profile: &Document,
    devices: &[DeviceId],
    sites: &BTreeMap<DeviceId, Site>,
    range: &[usize],
    span: Span,
    carry: &mut Carry,
    verdicts: &mut [RowVerdict],
) -> Result<(), ClassError> {
    let body = |&row: &usize| sensing::Body::one(dataset.readings[row].values.clone()).map(|body| body.encode());
    let bodies: Vec<Value> = range.iter().map(body).collect::<Result<_, _>>()?;
    let report = |(&row, body): (&usize, _)| {
        let reading = &dataset.readings[row];
        let device = devices[reading.station];
        Report {
            index: row as u64,
            device,
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
    };
    let fresh: Vec<Report<'_>> = range.iter().zip(&bodies).map(report).collect();
    let docket = Docket {
        network_epoch: 0,
        start_ms: span.start_ms,
        end_ms: span.end_ms,
        sites,
        fresh: &fresh,
        context: &[],
        carry,
        salt: Hash::ZERO,
    };
    let (assessed, judged) = assess(profile, &docket)?;
    judged.update(carry);
    for values in assessed.chunk_by(|a, b| a.index == b.index) {
        let row = usize::try_from(values[0].index).expect("the index is a row's");
        verdicts[row] = row_verdict(values);
    }
    Ok(())
}

/// A row is as good as its worst value, like a slot; values that nobody asked for do not count while others do.
fn row_verdict(values: &[sensing::Assessed]) -> RowVerdict {
    let scored = || values.iter().filter(|value| value.outcome != Outcome::Unscored);
    let has = |outcome| values.iter().any(|value| value.outcome == outcome);
    let ranked = [Outcome::Fail, Outcome::Suspect, Outcome::Pass, Outcome::Untested];
    let outcome = ranked.into_iter().find(|outcome| has(*outcome)).unwrap_or(Outcome::Unscored);
    let counted: Vec<&sensing::Assessed> =
        if outcome == Outcome::Unscored { values.iter().collect() } else { scored().collect() };
    let codes: BTreeSet<&str> =
        counted.iter().flat_map(|value| &value.reasons).map(|reason| reason.code.as_str()).collect();
    let bits = Code::ALL.iter().enumerate().filter(|(_, code)| codes.contains(code.as_str()));
    let score_ppm = scored().map(|value| value.score.get()).min().unwrap_or(0).min(PPM);
    RowVerdict { outcome, score_ppm, reasons: bits.fold(0, |bits, (bit, _)| bits | (1 << bit)) }
}

fn sites(dataset: &Dataset, devices: &[DeviceId]) -> BTreeMap<DeviceId, Site> {
    let chain = Domain::parse("eip155:31337").expect("the chain id is one");
    let of_station = |(at, (station, device)): (usize, (&crate::dataset::Station, &DeviceId))| {
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Stations 1 km apart on a line, one reading an hour, the last one far off in its second half.
    fn recording(stations: usize, hours: u64) -> String {
        let mut csv = String::from("timestamp,station,lat,lon,temperature\n");
        for hour in 0..hours {
            for station in 0..stations {
                let off = if station + 1 == stations && hour * 2 >= hours { 30 } else { 0 };
                let value = 10 + off + (hour * 7 + station as u64 * 3) % 4;
                let lat = 50_000 + 9 * station;
                let time_ms = 1_600_000_000_000 + hour * 3_600_000;
                csv.push_str(&format!("{time_ms},s{station},{}.{:03},7.0,{value}.0\n", lat / 1_000, lat % 1_000));
            }
        }
        csv
    }

    fn read(csv: &str) -> Dataset {
        Dataset::read(csv.as_bytes(), "test.csv", &BTreeMap::new()).unwrap()
    }

    fn station_profile() -> Document {
        Document::parse(sensing::SENSING_STATION).unwrap()
    }

    #[test]
    fn the_odd_one_out_fails_and_its_neighbours_pass() {
        let dataset = read(&recording(5, 48));
        let verdicts = judge_all(&dataset, &station_profile(), |_| {}).unwrap();
        for (row, verdict) in dataset.readings.iter().zip(&verdicts) {
            let off = row.values[&Quantity::AirTemperature] >= 4_000;
            assert_eq!(verdict.outcome, if off { Outcome::Fail } else { Outcome::Pass }, "{row:?}");
            assert_eq!(verdict.codes().collect::<Vec<_>>(), if off { vec!["SEN-NEIGHBOUR-FAIL"] } else { vec![] });
        }
    }

    #[test]
    fn ranges_and_the_order_of_rows_change_no_verdict() {
        let csv = recording(6, 400);
        let dataset = read(&csv);
        let profile = station_profile();
        let by_line = |dataset: &Dataset, verdicts: &[RowVerdict]| -> BTreeMap<(u64, usize), RowVerdict> {
            let key = |row: &crate::dataset::Row| {
                let name = &dataset.stations[row.station].name;
                (row.time_ms, name[1..].parse::<usize>().unwrap())
            };
            dataset.readings.iter().map(key).zip(verdicts.iter().copied()).collect()
        };
        let whole = by_line(&dataset, &judge_all(&dataset, &profile, |_| {}).unwrap());
        let (header, rows) = csv.split_once('\n').unwrap();
        let mut lines: Vec<&str> = rows.lines().collect();
        // The first hour stays first, so that seniority, which is the order of appearance, is the same.
        lines[6..].sort_by_key(|line| Hash::of(line.as_bytes()));
        let shuffled = read(&format!("{header}\n{}\n", lines.join("\n")));
        assert_eq!(by_line(&shuffled, &judge_all(&shuffled, &profile, |_| {}).unwrap()), whole);
        // Each copy window alone, as a recording of its own.
        let window_rows = 6 * profile.window_slots() as usize;
        let mut pieces = BTreeMap::new();
        for piece in rows.lines().collect::<Vec<_>>().chunks(window_rows) {
            let dataset = read(&format!("{header}\n{}\n", piece.join("\n")));
            pieces.extend(by_line(&dataset, &judge_all(&dataset, &profile, |_| {}).unwrap()));
        }
        assert_eq!(pieces, whole);
    }

    #[test]
    fn two_stations_of_one_owner_do_not_vouch_for_each_other() {
        let csv = recording(4, 2);
        let dataset = read(&csv);
        let outcomes = |dataset: &Dataset| -> BTreeSet<Outcome> {
            judge_all(dataset, &station_profile(), |_| {}).unwrap().iter().map(|verdict| verdict.outcome).collect()
        };
        assert!(outcomes(&dataset).contains(&Outcome::Pass));
        let owned: Vec<String> = csv
            .lines()
            .enumerate()
            .map(|(n, line)| format!("{line},{}", if n == 0 { "owner" } else { "ann" }))
            .collect();
        assert_eq!(outcomes(&read(&owned.join("\n"))), BTreeSet::from([Outcome::Untested]));
    }

    #[test]
    fn daily_means_of_particulates_choose_their_own_profile() {
        let daily = "date,station,lat,lon,pm10\n2019-01-01,a,50,7,1\n2019-01-02,a,50,7,1\n2019-01-03,a,50,7,1\n";
        assert_eq!(fitting(&read(daily)), "sensing-daily-pm");
        assert_eq!(fitting(&read(&daily.replace("pm10", "temperature"))), "sensing-station");
        assert_eq!(fitting(&read(&recording(2, 3))), "sensing-station");
        assert_eq!(fitting(&read("date,station,lat,lon,pm10\n2019-01-01,a,50,7,1\n")), "sensing-station");
    }
}

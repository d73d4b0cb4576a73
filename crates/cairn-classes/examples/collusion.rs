//! How many liars side by side the comparison with neighbours withstands, as a table in Markdown.
//!
//! A crowd of 25 stations in a square of 10 by 10 km measures air temperature on a gentle slope, each with an error of
//! its own. Some of them, next to each other, say 10 degC more. Three towns: all are new; the honest ones have served for
//! long and weigh four times as much; or they have, and two references of the operator's stand among the liars as well.
//! Everything follows from seeds, and the judge is the one that pays: `cargo run --release --example collusion`.

#[path = "../src/dice.rs"]
#[allow(dead_code, reason = "shared with the tests, which use all of it")]
mod dice;

use std::collections::BTreeMap;

use cairn_classes::sensing::{self, Body, Document, Quantity};
use cairn_classes::{Carry, ClassError, Docket, Report, Site};
use cairn_core::cbor::Value;
use cairn_core::geo::Position;
use cairn_core::{Account, DeviceId, Hash, Verdict};
use dice::Dice;

const STATIONS: usize = 25;
const LIARS: [usize; 5] = [1, 3, 5, 8, 12];
const TOWNS: u64 = 40;
const SIDE_M: u64 = 10_000;
const LIE: i64 = 1_000;
const HOUR_MS: u64 = 3_600_000;
/// Hours in which the honest of the second and third town earned their standing.
const SERVED: u64 = 12;

const PROFILE: &str = r#"
class = "sensing/1"
form = 2
slot_ms = 3_600_000
future_ms = 300_000
weights = { place_most = 3, anchor = 16, seniority = [[0, 1], [6, 4]] }
memory = { slots = 336, least_slots = 72 }
copies = { window_slots = 24, least_slots = 24, least_values = 8, run_readings = 12, run_values = 8 }

[quantities.temperature]
range = { min = -5_000, max = 6_000, lost_ppm = 1_000_000 }

[quantities.temperature.neighbours]
nearest = 12
region = 24
radius_m = 20_000
half_m = 5_000
least = 3
plane = true
curve = [[3_000_000, 0], [4_000_000, 1_000_000]]
tolerance = { floor = 100, above_ppm = 0, below_ppm = 0 }
"#;

/// The sum of four dice: near a normal error of 0.4 degC.
fn error(dice: &mut Dice) -> i64 {
    (0..4).map(|_| dice.below(140).cast_signed() - 70).sum()
}

/// A station: metres east and north, whether it lies, whether it is a reference.
struct Station {
    east_m: u64,
    north_m: u64,
    liar: bool,
    anchor: bool,
}

/// A town with `liars` of its stations, nearest to one of them, lying.
fn town(dice: &mut Dice, liars: usize, anchors: bool) -> Vec<Station> {
    let place = |_| Station { east_m: dice.below(SIDE_M), north_m: dice.below(SIDE_M), liar: false, anchor: false };
    let mut stations: Vec<Station> = (0..STATIONS).map(place).collect();
    let (east_m, north_m) = (stations[0].east_m, stations[0].north_m);
    let far = |station: &Station| station.east_m.abs_diff(east_m).pow(2) + station.north_m.abs_diff(north_m).pow(2);
    stations.sort_by_key(far);
    stations[..liars].iter_mut().for_each(|station| station.liar = true);
    if anchors {
        for off_m in [300, 900] {
            stations.push(Station { east_m: east_m + off_m, north_m: north_m + 300, liar: false, anchor: true });
        }
    }
    stations
}

fn number(n: usize) -> u64 {
    n.try_into().expect("a few stations")
}

fn device(n: usize) -> DeviceId {
    DeviceId::of_key(&number(n).to_be_bytes())
}

fn account(n: usize) -> Account {
    Account::parse(&format!("eip155:31337:0x{n:040x}")).expect("a number as an address")
}

fn site(n: usize, station: &Station) -> Site {
    let e7 = |metres: u64| i32::try_from(metres * 90).expect("within the square");
    // At the equator, where a metre is 90 units either way.
    let position = Position { lat_e7: e7(station.north_m), lon_e7: e7(station.east_m) };
    let enrolled_index = number(n);
    Site { owner: account(n), position, altitude_cm: None, enrolled_index, mobile: false, anchor: station.anchor }
}

/// Judges some hours; only who is asked for reports.
fn judge(
    profile: &Document,
    stations: &[Station],
    hours: std::ops::Range<u64>,
    carry: &mut Carry,
    says: impl Fn(&Station) -> Option<i64>,
    dice: &mut Dice,
) -> Result<Vec<Verdict>, ClassError> {
    let sites: BTreeMap<DeviceId, Site> =
        stations.iter().enumerate().map(|(n, station)| (device(n), site(n, station))).collect();
    let mut said: Vec<(usize, u64, Value)> = Vec::new();
    for hour in hours.clone() {
        for (n, station) in stations.iter().enumerate() {
            if let Some(value) = says(station) {
                let slope = station.east_m.cast_signed() / 100 - station.north_m.cast_signed() / 70;
                let value = value + slope + error(dice);
                said.push((n, hour * HOUR_MS, Body::one([(Quantity::AirTemperature, value)])?.encode()));
            }
        }
    }
    let report = |(index, (n, time_ms, body)): (u64, &'_ (usize, u64, Value))| (index, *n, *time_ms, body.clone());
    let said: Vec<_> = (0u64..).zip(&said).map(report).collect();
    let reports: Vec<Report<'_>> = said
        .iter()
        .map(|(index, n, time_ms, body)| Report {
            index: *index,
            device: device(*n),
            bridge: None,
            boot: 1,
            seq: u32::try_from(*index).expect("a few reports"),
            account: account(*n),
            time_ms: *time_ms,
            received_ms: *time_ms,
            clock: None,
            flags: 0,
            body,
            denied: None,
            conflict: None,
        })
        .collect();
    let docket = Docket {
        network_epoch: hours.start,
        start_ms: hours.start * HOUR_MS,
        end_ms: hours.end * HOUR_MS,
        sites: &sites,
        fresh: &reports,
        context: &[],
        carry,
        jobs: &[],
        salt: Hash::of(&hours.start.to_be_bytes()),
    };
    let judged = sensing::judge(2, profile, &docket)?;
    judged.update(carry);
    Ok(judged.verdicts)
}

/// Of all liars and of all honest stations: how many, and how many are suspect or fail.
#[derive(Default)]
struct Count {
    of: [u32; 2],
    flagged: [u32; 2],
}

fn count(profile: &Document, liars: usize, served: bool, anchors: bool) -> Result<Count, ClassError> {
    let mut count = Count::default();
    for seed in 0..TOWNS {
        let mut dice = Dice(seed);
        let stations = town(&mut dice, liars, anchors);
        let mut carry = Carry::new();
        if served {
            let honest = |station: &Station| (!station.liar).then_some(1_000);
            judge(profile, &stations, 1..1 + SERVED, &mut carry, honest, &mut dice)?;
        }
        let says = |station: &Station| Some(1_000 + if station.liar { LIE } else { 0 });
        for verdict in judge(profile, &stations, 500..501, &mut carry, says, &mut dice)? {
            let (_, station) =
                stations.iter().enumerate().find(|(n, _)| device(*n) == verdict.device).expect("its own");
            let kind = usize::from(!station.liar);
            count.of[kind] += 1;
            let flagged = verdict.reasons.iter().any(|reason| reason.code.starts_with("SEN-NEIGHBOUR"));
            count.flagged[kind] += u32::from(flagged);
        }
    }
    Ok(count)
}

fn main() -> Result<(), ClassError> {
    let profile = Document::parse(PROFILE)?;
    println!("Share of liars found / share of honest stations flagged, {TOWNS} towns of {STATIONS} stations each:\n");
    println!("| liars side by side | all new | honest weigh 4 | and two references |");
    println!("| --- | --- | --- | --- |");
    for liars in LIARS {
        let mut row = format!("| {liars} of {STATIONS} |");
        for (served, anchors) in [(false, false), (true, false), (true, true)] {
            let Count { of, flagged } = count(&profile, liars, served, anchors)?;
            let tenths = |kind: usize| (flagged[kind] * 1_000 + of[kind] / 2) / of[kind].max(1);
            let percent = |kind: usize| format!("{}.{} %", tenths(kind) / 10, tenths(kind) % 10);
            row += &format!(" {} / {} |", percent(0), percent(1));
        }
        println!("{row}");
    }
    Ok(())
}

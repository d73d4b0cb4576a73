//! The default daily profile against real air: twelve years of PM10 at 70 German stations (European Environment Agency,
//! AirBase; see `datasets/germany-pm10`). What the profile's thresholds promise is held here.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::io::Read as _;

use cairn_classes::sensing::revision_1::{Profile, SENSING_DAILY_PM, judge};
use cairn_classes::sensing::{Body, Quantity};
use cairn_classes::{Carry, Docket, Report, Site};
use cairn_core::cbor::Value;
use cairn_core::geo::Position;
use cairn_core::{Account, DeviceId, Hash, Verdict};

const READINGS: &[u8] = include_bytes!("../../../datasets/germany-pm10/readings.csv.gz");
const STATIONS: &str = include_str!("../../../datasets/germany-pm10/stations.csv");
const DAY_MS: u64 = 86_400_000;

/// (day, station, PM10 in 0.1 ug/m3); days count the dates of the recording, in order.
type Reading = (u64, String, i64);

fn account(name: &str) -> Account {
    let hex: String = Hash::of(name.as_bytes()).to_hex().chars().take(40).collect();
    Account::parse(&format!("eip155:31337:0x{hex}")).unwrap()
}

fn device(name: &str) -> DeviceId {
    DeviceId::of_key(name.as_bytes())
}

/// An exact decimal times `10^places`.
fn decimal(text: &str, places: usize) -> i64 {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    assert!(part.len() <= places, "{text}");
    format!("{whole}{part:0<places$}").parse().unwrap()
}

fn sites() -> BTreeMap<DeviceId, Site> {
    let site = |(n, line): (usize, &str)| {
        let [name, lat, lon] = line.split(',').collect::<Vec<_>>().try_into().unwrap();
        let e7 = |text| i32::try_from(decimal(text, 7)).unwrap();
        let position = Position::of(e7(lat), e7(lon)).unwrap();
        let enrolled_index = n as u64;
        (
            device(name),
            Site { owner: account(name), position, altitude_cm: None, enrolled_index, mobile: false, anchor: false },
        )
    };
    STATIONS.lines().skip(1).enumerate().map(site).collect()
}

fn readings() -> Vec<Reading> {
    let mut text = String::new();
    flate2::read::GzDecoder::new(READINGS).read_to_string(&mut text).unwrap();
    let rows: Vec<Vec<&str>> = text.lines().skip(1).map(|line| line.split(',').collect()).collect();
    let mut dates: Vec<&str> = rows.iter().map(|row| row[0]).collect();
    dates.sort_unstable();
    dates.dedup();
    let day = |date: &str| dates.binary_search(&date).unwrap() as u64;
    rows.iter().map(|row| (day(row[0]), row[1].to_owned(), decimal(row[2], 1))).collect()
}

/// Judges the readings of some days as one epoch.
fn judged(sites: &BTreeMap<DeviceId, Site>, readings: &[Reading], days: std::ops::Range<u64>) -> Vec<Verdict> {
    let within: Vec<&Reading> = readings.iter().filter(|(day, ..)| days.contains(day)).collect();
    let bodies: Vec<Value> =
        within.iter().map(|(_, _, value)| Body::one([(Quantity::Pm10, *value)]).unwrap().encode()).collect();
    let reports: Vec<Report<'_>> = (0u64..)
        .zip(within.iter().zip(&bodies))
        .map(|(index, ((day, name, _), body))| Report {
            index,
            device: device(name),
            boot: 0,
            seq: 0,
            clock: None,
            account: account(name),
            time_ms: day * DAY_MS,
            received_ms: day * DAY_MS,
            flags: 0,
            body,
            denied: None,
            conflict: None,
        })
        .collect();
    let docket = Docket {
        network_epoch: 0,
        start_ms: days.start * DAY_MS,
        end_ms: days.end * DAY_MS,
        sites,
        fresh: &reports,
        context: &[],
        carry: &Carry::new(),
        salt: Hash::ZERO,
    };
    judge(&Profile::parse(SENSING_DAILY_PM).unwrap(), &docket).unwrap()
}

/// How many of these verdicts have a reason with `code`, per million.
fn share_ppm<'a>(verdicts: impl Iterator<Item = &'a Verdict> + Clone, code: &str) -> usize {
    let with_code = verdicts.clone().filter(|verdict| verdict.reasons.iter().any(|reason| reason.code == code)).count();
    with_code * 1_000_000 / verdicts.count()
}

/// Every tenth station, and what it would say if it lied.
fn lied(
    sites: &BTreeMap<DeviceId, Site>,
    readings: &[Reading],
    lie: impl Fn(i64) -> i64,
) -> (Vec<Reading>, Vec<DeviceId>) {
    let liars: Vec<DeviceId> = sites.keys().copied().step_by(10).collect();
    let say = |(day, name, value): &Reading| {
        let value = if liars.contains(&device(name)) { lie(*value) } else { *value };
        (*day, name.clone(), value)
    };
    (readings.iter().map(say).collect(), liars)
}

#[test]
fn honest_stations_are_paid() {
    let verdicts = judged(&sites(), &readings(), 0..5_000);
    assert_eq!(verdicts.len(), 149_151);
    assert!(verdicts.iter().all(|verdict| verdict.amount == DAY_MS));
    let share = |code| share_ppm(verdicts.iter(), code);
    assert!(share("SEN-NEIGHBOUR-FAIL") < 10_000, "{} ppm fail", share("SEN-NEIGHBOUR-FAIL"));
    assert!(share("SEN-NEIGHBOUR-SUSPECT") < 15_000, "{} ppm suspect", share("SEN-NEIGHBOUR-SUSPECT"));
    assert!(share("SEN-UNTESTED") < 15_000, "{} ppm untested", share("SEN-UNTESTED"));
    assert_eq!(share("SEN-COPY") + share("SEN-RANGE"), 0);
}

#[test]
fn stations_that_inflate_are_seen_and_spoil_nobody() {
    let (sites, readings) = (sites(), readings());
    for (name, times, more, least_ppm) in [("three times", 3, 0, 700_000), ("80 ug/m3 more", 1, 800, 950_000)] {
        let (said, liars) = lied(&sites, &readings, |value| value * times + more);
        let verdicts = judged(&sites, &said, 0..5_000);
        let liars = &liars;
        let of = |liar: bool| verdicts.iter().filter(move |verdict| liars.contains(&verdict.device) == liar);
        let seen = share_ppm(of(true), "SEN-NEIGHBOUR-FAIL");
        assert!(seen >= least_ppm, "{name}: {seen} ppm seen");
        let spoiled = share_ppm(of(false), "SEN-NEIGHBOUR-FAIL");
        assert!(spoiled < 10_000, "{name}: {spoiled} ppm of the honest fail");
    }
}

#[test]
fn the_length_of_an_epoch_changes_no_score() {
    let (sites, readings) = (sites(), readings());
    let whole = judged(&sites, &readings, 4_018..4_074);
    let mut weekly: Vec<Verdict> =
        (4_018..4_074).step_by(7).flat_map(|day| judged(&sites, &readings, day..day + 7)).collect();
    weekly.sort_by_key(|verdict| (verdict.device, verdict.slot_ms));
    let said = |verdicts: &[Verdict]| -> Vec<_> {
        verdicts.iter().map(|verdict| (verdict.device, verdict.slot_ms, verdict.amount, verdict.score)).collect()
    };
    assert!(whole.len() > 1_500);
    assert_eq!(said(&whole), said(&weekly));
}

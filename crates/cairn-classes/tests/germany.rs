//! The default daily profiles against real air: twelve years of PM10 at 70 German stations (European Environment Agency,
//! AirBase; see `datasets/germany-pm10`). What the profile's thresholds promise is held here.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::io::Read as _;

use cairn_classes::sensing::{Body, Quantity, SCHEMA, SENSING_DAILY_PM, revision_1};
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

/// The default daily profile of a revision.
fn profile(revision: u32) -> &'static str {
    if revision == 1 { revision_1::SENSING_DAILY_PM } else { SENSING_DAILY_PM }
}

/// Judges the readings of some days as one epoch.
fn judged(
    revision: u32,
    carry: &mut Carry,
    sites: &BTreeMap<DeviceId, Site>,
    readings: &[Reading],
    days: std::ops::Range<u64>,
) -> Vec<Verdict> {
    let within: Vec<&Reading> = readings.iter().filter(|(day, ..)| days.contains(day)).collect();
    let bodies: Vec<Value> =
        within.iter().map(|(_, _, value)| Body::one([(Quantity::Pm10, *value)]).unwrap().encode()).collect();
    let reports: Vec<Report<'_>> = (0u64..)
        .zip(within.iter().zip(&bodies))
        .map(|(index, ((day, name, _), body))| Report {
            index,
            device: device(name),
            bridge: None,
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
        carry,
        jobs: &[],
        salt: Hash::ZERO,
    };
    let judged = cairn_classes::judge(SCHEMA, revision, profile(revision), &docket).unwrap();
    judged.update(carry);
    judged.verdicts
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

/// Judges everything as one epoch.
fn judged_whole(revision: u32, sites: &BTreeMap<DeviceId, Site>, readings: &[Reading]) -> Vec<Verdict> {
    judged(revision, &mut Carry::new(), sites, readings, 0..5_000)
}

/// The mean score, per million.
fn mean_score_ppm<'a>(verdicts: impl Iterator<Item = &'a Verdict> + Clone) -> u64 {
    verdicts.clone().map(|verdict| u64::from(verdict.score.get())).sum::<u64>() / verdicts.count() as u64
}

#[test]
fn honest_stations_are_paid() {
    for (revision, fail_ppm, mean_ppm) in [(1, 10_000, 985_000), (2, 2_500, 995_000)] {
        let verdicts = judged_whole(revision, &sites(), &readings());
        assert_eq!(verdicts.len(), 149_151);
        assert!(verdicts.iter().all(|verdict| verdict.amount == DAY_MS));
        let share = |code| share_ppm(verdicts.iter(), code);
        for (code, most_ppm) in
            [("SEN-NEIGHBOUR-FAIL", fail_ppm), ("SEN-NEIGHBOUR-SUSPECT", 15_000), ("SEN-UNTESTED", 15_000)]
        {
            assert!(share(code) < most_ppm, "revision {revision}: {} ppm {code}", share(code));
        }
        assert_eq!(share("SEN-COPY") + share("SEN-RANGE"), 0, "revision {revision}");
        let mean = mean_score_ppm(verdicts.iter());
        assert!(mean > mean_ppm, "revision {revision}: {mean} ppm on average");
        for code in
            ["SEN-REPEATED", "SEN-FOLLOWS", "SEN-STUCK", "SEN-MOVED", "SEN-BIAS", "SEN-CORRELATION", "SEN-INDOOR"]
        {
            assert!(share(code) < 1_500, "revision {revision}: {} ppm {code}", share(code));
        }
    }
}

#[test]
fn stations_that_inflate_are_seen_and_spoil_nobody() {
    let (sites, readings) = (sites(), readings());
    // What a liar keeps of its pay, at most; revision 1 sees slots, revision 2 the whole liar.
    let cases = [
        (1, "three times", 3, 0, 300_000),
        (1, "80 ug/m3 more", 1, 800, 50_000),
        (2, "three times", 3, 0, 400_000),
        (2, "80 ug/m3 more", 1, 800, 50_000),
    ];
    for (revision, name, times, more, most_ppm) in cases {
        let (said, liars) = lied(&sites, &readings, |value| value * times + more);
        let verdicts = judged_whole(revision, &sites, &said);
        let of =
            |liar: bool| verdicts.iter().filter(|verdict| liars.contains(&verdict.device) == liar).collect::<Vec<_>>();
        let kept = mean_score_ppm(of(true).into_iter());
        assert!(kept < most_ppm, "revision {revision}, {name}: liars keep {kept} ppm");
        let honest = of(false);
        let spoiled = share_ppm(honest.iter().copied(), "SEN-NEIGHBOUR-FAIL");
        assert!(spoiled < 10_000, "revision {revision}, {name}: {spoiled} ppm of the honest fail");
        let mean = mean_score_ppm(honest.into_iter());
        assert!(mean > 985_000, "revision {revision}, {name}: the honest keep {mean} ppm");
    }
}

#[test]
fn the_length_of_an_epoch_changes_no_score() {
    let (sites, readings) = (sites(), readings());
    for revision in [1, 2] {
        let whole = judged(revision, &mut Carry::new(), &sites, &readings, 4_018..4_074);
        let mut carry = Carry::new();
        let mut weekly: Vec<Verdict> = (4_018..4_074)
            .step_by(7)
            .flat_map(|day| judged(revision, &mut carry, &sites, &readings, day..day + 7))
            .collect();
        weekly.sort_by_key(|verdict| (verdict.device, verdict.slot_ms));
        let said = |verdicts: &[Verdict]| -> Vec<_> {
            verdicts.iter().map(|verdict| (verdict.device, verdict.slot_ms, verdict.amount, verdict.score)).collect()
        };
        assert!(whole.len() > 1_500);
        let (whole, weekly) = (said(&whole), said(&weekly));
        // What a word weighs is read at the start of an epoch, so a few scores may differ where seniority grows.
        let same = whole.iter().zip(&weekly).filter(|(one, many)| one == many).count();
        let least = if revision == 1 { whole.len() } else { whole.len() * 995 / 1_000 };
        assert!(whole.len() == weekly.len() && same >= least, "revision {revision}: {same} of {}", whole.len());
    }
}

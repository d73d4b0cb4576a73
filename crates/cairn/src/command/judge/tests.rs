//! Recordings before the judge.

use std::collections::{BTreeMap, BTreeSet};

use cairn_classes::sensing::{Document, Outcome, Quantity};
use cairn_core::Hash;

use super::recording::fitting;
use super::{RowVerdict, judge_all};
use crate::dataset::Dataset;

/// Stations 1 km apart on a line, one reading an hour to a tenth of a degree, the last one far off in its second half.
fn recording(stations: usize, hours: u64) -> String {
    let mut csv = String::from("timestamp,station,lat,lon,temperature\n");
    for hour in 0..hours {
        for station in 0..stations {
            let off = if station + 1 == stations && hour * 2 >= hours { 30 } else { 0 };
            let value = 10 + off + (hour * 7 + station as u64 * 3) % 4;
            let lat = 50_000 + 9 * station;
            let time_ms = 1_600_000_000_000 + hour * 3_600_000;
            csv.push_str(&format!(
                "{time_ms},s{station},{}.{:03},7.0,{value}.{}\n",
                lat / 1_000,
                lat % 1_000,
                (hour * 13 + station as u64 * 7) % 10
            ));
        }
    }
    csv
}

fn read(csv: &str) -> Dataset {
    Dataset::read(csv.as_bytes(), "test.csv", &BTreeMap::new()).unwrap()
}

/// Neighbours and nothing else, so that what is told apart is the ranges and the owners.
const PROFILE: &str = r#"
class = "sensing/1"
form = 2
slot_ms = 3_600_000
future_ms = 300_000
weights = { place_most = 3, anchor = 16, seniority = [[0, 1]] }
memory = { slots = 336, least_slots = 72 }
copies = { window_slots = 24, least_slots = 24, least_values = 24, run_readings = 32, run_values = 32 }

[quantities.temperature]
range = { min = -4_500, max = 6_000, lost_ppm = 1_000_000 }

[quantities.temperature.neighbours]
nearest = 12
region = 24
radius_m = 20_000
half_m = 5_000
least = 3
plane = false
tolerance = { floor = 150, above_ppm = 0, below_ppm = 0 }
curve = [[3_000_000, 0], [4_000_000, 1_000_000]]
"#;

fn station_profile() -> Document {
    Document::parse(PROFILE).unwrap()
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
    let owned: Vec<String> =
        csv.lines().enumerate().map(|(n, line)| format!("{line},{}", if n == 0 { "owner" } else { "ann" })).collect();
    assert_eq!(outcomes(&read(&owned.join("\n"))), BTreeSet::from([Outcome::Untested]));
}

#[test]
fn daily_means_of_particulates_choose_their_own_profile() {
    let daily = "date,station,lat,lon,pm10\n2019-01-01,a,50,7,1\n2019-01-02,a,50,7,1\n2019-01-03,a,50,7,1\n";
    assert_eq!(fitting(None, &read(daily)), "sensing-daily-pm");
    assert_eq!(fitting(None, &read(&daily.replace("pm10", "temperature"))), "sensing-hourly");
    assert_eq!(fitting(None, &read(&recording(2, 3))), "sensing-hourly");
    assert_eq!(fitting(None, &read("date,station,lat,lon,pm10\n2019-01-01,a,50,7,1\n")), "sensing-station");
}

//! Devices that stand elsewhere than they say, and bad ones that do not, on weather that changes along a line.

use super::town::sent;
use super::*;
use crate::dice::mixed;
use crate::sensing::{Code, Quantity, sentence};

const HOUR_MS: u64 = 3_600_000;

/// Stations on the line.
const STATIONS: u64 = 60;

const PROFILE: &str = r#"
class = "sensing/1"
form = 2
slot_ms = 3_600_000
future_ms = 300_000
weights = { place_most = 3, anchor = 16, seniority = [[0, 1]] }
memory = { slots = 336, least_slots = 72 }
copies = { window_slots = 24, least_slots = 12, least_values = 8, run_readings = 12, run_values = 8 }

[relocation]
least_slots = 12
distance_m = 60_000
off_ppm = 600_000
fit_ppm = 300_000
lost_ppm = 700_000

[quantities.temperature]
range = { min = -5_000, max = 6_000, lost_ppm = 1_000_000 }

[quantities.temperature.neighbours]
nearest = 5
region = 10
radius_m = 30_000
half_m = 10_000
least = 3
plane = false
curve = [[1_000_000, 0], [1_666_666, 1_000_000]]
tolerance = { floor = 300, above_ppm = 0, below_ppm = 0 }

[quantities.pressure]
range = { min = 50_000, max = 108_500, lost_ppm = 1_000_000 }

[quantities.pressure.neighbours]
nearest = 5
region = 10
radius_m = 30_000
half_m = 10_000
least = 3
plane = false
curve = [[1_000_000, 0], [2_000_000, 1_000_000]]
tolerance = { floor = 400, above_ppm = 0, below_ppm = 0 }
"#;

/// A number from 0 to `below` of a seed and two others.
fn dice(seed: u64, a: u64, b: u64, below: u64) -> i64 {
    let z = seed ^ a.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ b.wrapping_mul(0xd1b5_4a32_d192_ed03);
    (mixed(z) % below).cast_signed()
}

/// Temperature and pressure at a station in an hour: own to every ten stations and four hours, and in between what lies
/// in between; and a day that is the same everywhere.
pub(super) fn air(seed: u64, n: u64, hour: u64) -> (i64, i64) {
    let field = |of: u64, height: u64| {
        let node = |n: u64, hour: u64| dice(seed ^ of, n / 10, hour / 4, height);
        let (east, later) = ((n % 10).cast_signed(), (hour % 4).cast_signed());
        let at = |n: u64| (node(n, hour) * (4 - later) + node(n, hour + 4) * later) / 4;
        (at(n) * (10 - east) + at(n + 10) * east) / 10
    };
    let noon = (hour % 24).abs_diff(14).min(24 - (hour % 24).abs_diff(14)).cast_signed();
    (1_500 - noon * 60 + field(1, 1_600), 100_000 + field(2, 3_000))
}

/// A day of the line, where station `n` says what `says` makes of (itself, hour).
pub(super) fn line(seed: u64, says: impl Fn(u64, u64) -> Option<(i64, i64)>) -> Town {
    let mut town = Town::under(PROFILE, STATIONS);
    town.epoch = 7 * DAY_MS..8 * DAY_MS;
    for hour in 7 * 24..8 * 24 {
        for n in 0..STATIONS {
            let (warm, press) = says(n, hour).unwrap_or_else(|| air(seed, n, hour));
            let warm = warm + dice(seed, n + 1_000, hour, 81) - 40;
            let press = press + dice(seed, n + 2_000, hour, 81) - 40;
            let values = [(Quantity::AirTemperature, warm), (Quantity::Pressure, press)];
            town.fresh.push(sent(n, hour * HOUR_MS, &values));
        }
    }
    town
}

/// Who was found to stand elsewhere: (station, slots, first sentence).
fn movers(town: &Town) -> Vec<(u64, usize, String)> {
    let verdicts = town.judge();
    let mut found: Vec<(u64, usize, String)> = Vec::new();
    for verdict in &verdicts {
        let n = (0..STATIONS).find(|&n| device(n) == verdict.device).unwrap();
        let Some(reason) = verdict.reasons.iter().find(|reason| reason.code == Code::Moved.as_str()) else { continue };
        match found.iter_mut().find(|(of, ..)| *of == n) {
            Some((_, slots, _)) => *slots += 1,
            None => found.push((n, 1, sentence(reason))),
        }
        assert!(verdict.score.get() <= 300_000 && reason.evidence.len() <= 16 && reason.evidence.is_sorted());
    }
    found.sort();
    found
}

#[test]
fn a_device_that_stands_elsewhere_is_found_with_the_place_where_it_seems_to_stand() {
    for seed in 1..9 {
        let found = movers(&line(seed, |n, hour| (n == 5).then(|| air(seed, 45, hour))));
        let [(5, 24, words)] = &found[..] else { panic!("seed {seed}: {found:?}") };
        let near = (42..49).any(|n| words.contains(&device(n).to_string()));
        assert!(near, "seed {seed}: {words}");
    }
}

#[test]
fn two_devices_that_changed_places_are_both_found() {
    let swapped = |n| if n == 12 { 40 } else { 12 };
    let found = movers(&line(3, |n, hour| (n == 12 || n == 40).then(|| air(3, swapped(n), hour))));
    assert_eq!(found.iter().map(|(n, ..)| *n).collect::<Vec<_>>(), [12, 40], "{found:?}");
}

/// A way to be wrong: its name, and what is said for (hour, the true temperature).
type Fault = (&'static str, fn(u64, i64) -> i64);

#[test]
fn a_bad_instrument_at_its_own_place_is_not_said_to_stand_elsewhere() {
    let faults: [Fault; 7] = [
        ("too warm", |_, warm| warm + 900),
        ("too cold", |_, warm| warm - 700),
        ("in the sun", |hour, warm| warm + if (9..17).contains(&(hour % 24)) { 1_200 } else { 0 }),
        ("drifting", |hour, warm| warm + (hour % 24).cast_signed() * 60),
        ("stuck", |_, _| 2_600),
        ("too lively", |_, warm| warm * 2 - 1_500),
        ("noise", |hour, warm| warm + dice(99, hour, 5, 3_000) - 1_500),
    ];
    for (name, says) in faults {
        for seed in 1..26 {
            let bad = |n: u64, hour| {
                let (warm, press) = air(seed, n, hour);
                (n % 12 == 5).then(|| (says(hour, warm), press))
            };
            assert_eq!(movers(&line(seed, bad)), [], "{name}, seed {seed}");
        }
    }
}

#[test]
fn what_another_quantity_speaks_against_is_not_said() {
    let found = movers(&line(2, |n, hour| (n == 5).then(|| (air(2, 45, hour).0, air(2, 5, hour).1))));
    assert_eq!(found, []);
}

#[test]
fn a_fit_at_a_place_of_the_same_owner_or_too_near_is_not_looked_for() {
    let mut town = line(2, |n, hour| (n == 5).then(|| air(2, 45, hour)));
    for n in 38..53 {
        town.site(n).owner = account(5);
    }
    assert_eq!(movers(&town), []);
    let town = line(2, |n, hour| (n == 5).then(|| air(2, 9, hour)));
    assert_eq!(movers(&town), []);
}

#[test]
fn the_order_of_arrival_changes_nothing() {
    let town = line(4, |n, hour| (n % 20 == 5).then(|| air(4, n + 15, hour)));
    let mut turned = town.clone();
    turned.fresh.reverse();
    assert!(!movers(&town).is_empty());
    assert_eq!(movers(&turned), movers(&town));
}

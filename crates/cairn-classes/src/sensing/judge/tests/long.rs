//! What is asked of a device over a long time, on hourly weather that a seed names.

use cairn_core::Verdict;

use super::town::sent;
use super::*;
use crate::dice::Dice;
use crate::sensing::judge::memory::Memory;
use crate::sensing::{Code, Quantity, sentence};
use crate::{Carry, Flags};

const HOUR_MS: u64 = 3_600_000;

const PROFILE: &str = r#"
class = "sensing/1"
form = 2
slot_ms = 3_600_000
future_ms = 300_000
weights = { place_most = 3, anchor = 16, seniority = [[0, 1], [100, 1]] }
memory = { slots = 336, least_slots = 72 }
copies = { window_slots = 24, least_slots = 12, least_values = 8, run_readings = 12, run_values = 8 }

[quantities.temperature]
range = { min = -5_000, max = 6_000, lost_ppm = 1_000_000 }

[quantities.temperature.neighbours]
nearest = 5
region = 10
radius_m = 100_000
half_m = 30_000
least = 3
plane = false
curve = [[1_000_000, 0], [1_666_666, 1_000_000]]
tolerance = { floor = 300, above_ppm = 0, below_ppm = 0 }

[quantities.temperature.long]
bias = { most = 300, most_ppm = 0, lost_ppm = 300_000 }
correlation = { least_ppm = 700_000, spread = 150, lost_ppm = 400_000 }
amplitude = { least_ppm = 500_000, spread = 150, lost_ppm = 500_000 }
sunlit = { most = 450, lost_ppm = 600_000 }
"#;

/// SplitMix64 of a seed and two numbers, as noise between -`most` and `most` that peaks at zero.
fn noise(seed: u64, a: u64, b: u64, most: i64) -> i64 {
    let mut dice = Dice(seed ^ a.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ b.wrapping_mul(0xd1b5_4a32_d192_ed03));
    let mut next = || dice.below(most.unsigned_abs() + 1).cast_signed();
    next() - next()
}

/// The air's temperature in an hour: days of 8 degrees from trough to peak, and fronts that come and go.
pub(super) fn air(hour: u64) -> i64 {
    let wave = |period: u64, height: i64| {
        let at = (hour % period * 2 * height.unsigned_abs() / period).cast_signed();
        at.min(2 * height - at)
    };
    600 + wave(24, 800) + wave(131, 500)
}

/// Six stations over so many hours; station 0 says what `says` makes of (hour, what it would honestly say).
pub(super) fn town(hours: u64, says: impl Fn(u64, i64) -> i64) -> Town {
    let mut town = Town::under(PROFILE, 6);
    town.epoch = 0..hours.next_multiple_of(168) * HOUR_MS;
    for hour in 1..hours {
        for n in 0..6 {
            let honest = air(hour) + noise(n, n, 0, 60) + noise(7, n, hour, 80);
            let value = if n == 0 { says(hour, honest) } else { honest };
            town.fresh.push(sent(n, hour * HOUR_MS, &[(Quantity::AirTemperature, value)]));
        }
    }
    town
}

/// The hours in which a code was given to station 0, and the first sentence.
fn hours_of(verdicts: &[Verdict], code: Code) -> (Vec<u64>, String) {
    let mut words = String::new();
    let own = verdicts.iter().filter(|verdict| verdict.device == device(0));
    let hours = own.filter(|verdict| {
        let reason = verdict.reasons.iter().find(|reason| reason.code == code.as_str());
        if let (true, Some(reason)) = (words.is_empty(), reason) {
            assert!(verdict.score.get() <= 1_000_000 - reason.lost_ppm && !reason.evidence.is_empty());
            words = sentence(reason);
        }
        reason.is_some()
    });
    (hours.map(|verdict| verdict.slot_ms / HOUR_MS).collect(), words)
}

const LONG: [Code; 5] = [Code::Bias, Code::Correlation, Code::Indoor, Code::Sunlit, Code::Dry];

#[test]
fn an_honest_noisy_station_is_not_accused_in_ten_thousand_slots() {
    let verdicts = town(10_000, |hour, honest| honest + noise(11, 0, hour, 60)).in_epochs_of(168 * HOUR_MS);
    assert_eq!(verdicts.len(), 6 * 9_999);
    for code in LONG {
        let accused = verdicts.iter().filter(|verdict| codes(verdict).contains(&code.as_str())).count();
        assert_eq!(accused, 0, "{code:?}");
    }
}

/// A way to be wrong: its name, its code, the hours by which it is found, what station 0 says.
type Fault = (&'static str, Code, std::ops::RangeInclusive<u64>, fn(u64, i64) -> i64);

const FAULTS: [Fault; 6] = [
    ("too warm", Code::Bias, 72..=72, |_, honest| honest + 400),
    ("too cold", Code::Bias, 72..=72, |_, honest| honest - 400),
    ("drifting", Code::Bias, 300..=700, |hour, honest| honest + hour.cast_signed()),
    ("indoors", Code::Indoor, 72..=200, |_, honest| 1_250 + (honest - 1_250) / 4),
    ("in the sun", Code::Sunlit, 72..=100, |hour, honest| {
        honest + if (9..17).contains(&(hour % 24)) { 800 } else { 0 }
    }),
    ("lagging by eight hours", Code::Correlation, 72..=200, |hour, _| air(hour + 131 * 24 - 8) + noise(3, 3, hour, 80)),
];

#[test]
fn a_bad_instrument_is_found_within_days_by_the_rule_made_for_it() {
    for (name, code, by, says) in FAULTS {
        let (hours, words) = hours_of(&town(1_000, says).in_epochs_of(168 * HOUR_MS), code);
        let first = hours.first().copied().unwrap_or(u64::MAX);
        assert!(by.contains(&first), "{name}: found in hour {first}: {words}");
        let lasting =
            hours.len() as u64 * 2 > 1_000 - first || (code == Code::Sunlit && hours.len() as u64 * 6 > 1_000 - first);
        assert!(lasting, "{name}: found in {} hours from {first} on", hours.len());
        if code == Code::Sunlit {
            assert!(hours.iter().all(|hour| (8..=16).contains(&(hour % 24))), "{name}: lost by night");
        }
    }
}

#[test]
fn the_length_of_an_epoch_changes_nothing() {
    // All but the entries, which the fixture numbers anew in every epoch.
    let said = |town: &Town, hours: u64| -> Vec<_> {
        let told = |verdict: Verdict| {
            let reasons = verdict.reasons.into_iter().map(|reason| (reason.code, reason.check, reason.observed));
            (verdict.device, verdict.slot_ms, verdict.score, reasons.collect::<Vec<_>>())
        };
        town.in_epochs_of(hours * HOUR_MS).into_iter().map(told).collect()
    };
    for (name, _, _, says) in FAULTS {
        let town = town(505, says);
        let weekly = said(&town, 168);
        assert!(said(&town, 24) == weekly, "{name}: by day and by week");
        assert!(said(&town, 504) == weekly, "{name}: at once and by week");
    }
}

fn carry_of(town: &Town) -> Carry {
    let mut carry = town.carry.clone();
    town.judged().update(&mut carry);
    carry
}

fn memory(carry: &Carry, n: u64) -> Memory {
    Memory::decode(&carry[&device(n).0[..]]).unwrap()
}

#[test]
fn memory_does_not_depend_on_the_order_of_arrival_and_stays_small() {
    let town = town(400, |_, honest| honest + 400);
    let mut turned = town.clone();
    turned.fresh.reverse();
    let carry = carry_of(&town);
    assert_eq!(carry_of(&turned), carry);
    for (key, bytes) in &carry {
        assert_eq!(Memory::decode(bytes).unwrap().encode(), *bytes);
        assert!(key.len() == 16 && bytes.len() < 900, "{} bytes", bytes.len());
    }
}

#[test]
fn a_late_slot_is_judged_by_the_memory_and_not_taken_in() {
    let mut first = town(168, |_, honest| honest + 400);
    let late: Vec<Sent> =
        first.fresh.extract_if(.., |sent| sent.device == 0 && sent.time_ms == 100 * HOUR_MS).collect();
    let mut second = first.clone();
    second.carry = carry_of(&first);
    second.epoch = 168 * HOUR_MS..336 * HOUR_MS;
    second.context = first.fresh.clone();
    second.fresh = late;
    let judged = second.judged();
    assert_eq!(hours_of(&judged.verdicts, Code::Bias).0, [100]);
    assert_eq!(memory(&carry_of(&second), 0).moments, memory(&second.carry, 0).moments);
    assert_eq!(memory(&carry_of(&second), 0).good_slots, memory(&second.carry, 0).good_slots);
}

#[test]
fn seniority_is_earned_by_the_slot_capped_and_lost_sooner() {
    let good = |hours, says: fn(u64, i64) -> i64| memory(&carry_of(&town(hours, says)), 0).good_slots;
    assert_eq!(good(61, |_, honest| honest), 60, "one a slot");
    assert_eq!(good(400, |_, honest| honest), 112, "an eighth above the last step");
    assert_eq!(
        good(61, |hour, honest| if hour == 40 { honest + 3_000 } else { honest }),
        51,
        "eight for a failing slot"
    );
    assert_eq!(good(30, |hour, honest| if hour % 2 == 0 { honest + 3_000 } else { honest }), 1, "never below nothing");
    assert_eq!(good(200, |_, honest| honest + 350), 0, "all of it when found");
}

#[test]
fn what_was_earned_at_one_place_is_not_brought_to_another() {
    let mut town = town(100, |_, honest| honest);
    town.carry = carry_of(&town);
    assert_eq!(memory(&town.carry, 0).good_slots, 99);
    (town.epoch, town.fresh) =
        (100 * HOUR_MS..200 * HOUR_MS, vec![sent(0, 101 * HOUR_MS, &[(Quantity::AirTemperature, 900)])]);
    assert_eq!(memory(&carry_of(&town), 0).good_slots, 99, "alone, a slot changes nothing");
    town.site(0).position.lat_e7 += 50_000;
    assert_eq!(memory(&carry_of(&town), 0).good_slots, 99, "another corner of the cell is the same place");
    town.site(0).position.lat_e7 += 500_000;
    assert_eq!(memory(&carry_of(&town), 0).good_slots, 0);
}

#[test]
fn a_repair_under_maintenance_is_believed_sooner_and_the_flag_alone_gains_nothing() {
    let last_found = |repaired: bool, flagged: fn(u64) -> bool| {
        let says = move |hour, honest| if repaired && hour >= 400 { honest } else { honest + 450 };
        let mut town = town(1_000, says);
        for sent in &mut town.fresh {
            let flag = sent.device == 0 && flagged(sent.time_ms / HOUR_MS);
            sent.flags = if flag { Flags::MAINTENANCE } else { 0 };
        }
        hours_of(&town.in_epochs_of(168 * HOUR_MS), Code::Bias).0.last().copied().unwrap()
    };
    let (silent, told) = (last_found(true, |_| false), last_found(true, |hour| hour == 400));
    assert!((460..520).contains(&silent), "the last finding in hour {silent}");
    assert!((410..450).contains(&told), "the last finding in hour {told}");
    assert_eq!(last_found(false, |hour| hour % 50 == 0), 999);
}

#[test]
fn a_crowd_that_lies_for_a_day_leaves_no_mark() {
    let mut town = town(700, |_, honest| honest);
    for sent in &mut town.fresh {
        if sent.device > 0 && (400..424).contains(&(sent.time_ms / HOUR_MS)) {
            *sent = town::sent(sent.device, sent.time_ms, &[(Quantity::AirTemperature, 5_000)]);
        }
    }
    let verdicts = town.in_epochs_of(168 * HOUR_MS);
    let after = |code| hours_of(&verdicts, code).0.into_iter().filter(|&hour| hour >= 424).count();
    assert_eq!(LONG.map(after), [0; 5]);
}

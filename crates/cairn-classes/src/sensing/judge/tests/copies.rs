//! Copies of every kind, and what must not be taken for one.

use std::collections::BTreeSet;

use cairn_core::{PPM, Verdict};
use proptest::prelude::*;

use super::town::sent;
use super::*;
use crate::dice::mixed;
use crate::sensing::judge::judge;
use crate::sensing::{CopyRule, Quantity, SeriesRule, VALUE_MAX};

const CADENCE_MS: u64 = 600_000;
const DEVICES: u64 = 6;
/// Readings of two days.
pub(super) const READINGS: u64 = 288;

/// SplitMix64's finaliser, for noise that is the same everywhere.
fn noise(device: u64, reading: u64, below: u64) -> i64 {
    (mixed((device * 1_000 + reading).wrapping_mul(0x9e37_79b9_7f4a_7c15)) % below).cast_signed()
}

/// What a device measures: a day's course, what the hour brings here, and the instrument's noise; in tenths of a degree.
pub(super) fn measured(device: u64, reading: u64) -> i64 {
    let course = 40 * (reading % 144).min(144 - reading % 144).cast_signed() / 72;
    100 + course + noise(device, reading / 9, 12) + noise(device + 50, reading, 5)
}

/// A reading of temperature, received so long after its time.
pub(super) fn reading(device: u64, time_ms: u64, tenths: i64, after_ms: u64) -> Sent {
    let mut sent = sent(device, time_ms, &[(Quantity::AirTemperature, tenths * 10)]);
    sent.received_ms = time_ms + after_ms;
    sent
}

pub(super) fn time_ms(reading: u64) -> u64 {
    7 * DAY_MS + reading * CADENCE_MS
}

/// Six honest stations over two days, and the epoch that holds them: hours are slots, days are windows.
fn honest() -> Town {
    let mut town = Town::of(40);
    town.profile.slot_ms = 3_600_000;
    town.profile.copies =
        CopyRule { window_slots: 24, least_slots: 12, least_values: 8, run_readings: 12, run_values: 8 };
    // Compared with everyone and never far off, so that nothing but copies is spoken of.
    let mut neighbours = town.profile.quantities[&Quantity::Pm10].neighbours.clone();
    neighbours.as_mut().unwrap().tolerance.floor = 10_000;
    let rule = town.profile.quantities.get_mut(&Quantity::AirTemperature).unwrap();
    rule.neighbours = neighbours;
    rule.series = Some(SeriesRule { least_slots: 12, lag_slots: 3, unexplained_ppm: 1_000, spread: 50, lost_ppm: PPM });
    town.epoch = 7 * DAY_MS..9 * DAY_MS;
    for n in 0..DEVICES {
        town.fresh.extend((0..READINGS).map(|k| reading(n, time_ms(k), measured(n, k), 1_000)));
    }
    town
}

/// The same with one device's readings replaced.
pub(super) fn with(device: u64, readings: impl IntoIterator<Item = Sent>) -> Town {
    let mut town = honest();
    town.fresh.retain(|sent| sent.device != device);
    town.fresh.extend(readings);
    town
}

const CODES: [&str; 3] = ["SEN-COPY", "SEN-REPEATED", "SEN-FOLLOWS"];

/// Everything said of copies: device, code, check.
fn said(verdicts: &[Verdict]) -> BTreeSet<(u64, String, String)> {
    let number = |id| (0..200).find(|&n| device(n) == id).unwrap();
    let reasons =
        verdicts.iter().flat_map(|verdict| verdict.reasons.iter().map(move |reason| (verdict.device, reason)));
    let of_copies = reasons.filter(|(_, reason)| CODES.contains(&reason.code.as_str()));
    of_copies.map(|(id, reason)| (number(id), reason.code.clone(), reason.check.clone())).collect()
}

fn one(device_number: u64, code: &str, check: String) -> BTreeSet<(u64, String, String)> {
    BTreeSet::from([(device_number, code.to_owned(), check)])
}

#[test]
fn honest_neighbours_are_no_copies() {
    assert_eq!(said(&honest().judge()), BTreeSet::new());
}

#[test]
fn every_kind_of_copy_is_named_with_its_original() {
    let all = 0..READINGS;
    let scaled = |tenths: i64| (tenths * 102 + 50) / 100 + 3;
    let cases: Vec<(&str, Town, u64, &str, String)> = vec![
        (
            "the same, twenty seconds later",
            with(5, all.clone().map(|k| reading(5, time_ms(k), measured(1, k), 21_000))),
            5,
            "SEN-COPY",
            format!("series first of {}", device(1)),
        ),
        (
            "the same, by the one enrolled first",
            with(0, all.clone().map(|k| reading(0, time_ms(k), measured(4, k), 21_000))),
            0,
            "SEN-COPY",
            format!("series first of {}", device(4)),
        ),
        (
            "one reading an hour: the other's word once it is complete",
            with(
                0,
                (0..48).map(|hour| {
                    let mut values: Vec<i64> = (0..6).map(|k| measured(4, hour * 6 + k)).collect();
                    values.sort_unstable();
                    reading(0, time_ms(hour * 6 + 5), values[2], 30_000)
                }),
            ),
            0,
            "SEN-COPY",
            format!("series first of {}", device(4)),
        ),
        (
            "the same rows at times between the other's, half an hour later",
            with(0, (3..READINGS).map(|k| reading(0, time_ms(k) + 200_000, measured(4, k - 3), 10_000))),
            0,
            "SEN-REPEATED",
            format!("rows of {}", device(4)),
        ),
        (
            "the same rows, five hours later",
            with(0, (30..READINGS).map(|k| reading(0, time_ms(k), measured(4, k - 30), 10_000))),
            0,
            "SEN-REPEATED",
            format!("rows of {}", device(4)),
        ),
        (
            "the same rows, dated back by two hours",
            with(0, (12..READINGS).map(|k| reading(0, time_ms(k - 12), measured(4, k), 3 * 3_600_000))),
            0,
            "SEN-REPEATED",
            format!("rows of {}", device(4)),
        ),
        (
            "its own day again",
            with(0, all.clone().map(|k| reading(0, time_ms(k), measured(0, k % 144), 1_000))),
            0,
            "SEN-REPEATED",
            format!("rows of {}", device(0)),
        ),
        (
            "scaled, twenty seconds later",
            with(0, all.clone().map(|k| fine(0, time_ms(k), scaled(measured(4, k) * 10), 21_000))),
            0,
            "SEN-FOLLOWS",
            format!("temperature follows {} after 0 slots", device(4)),
        ),
        (
            "scaled, two hours later",
            with(0, (12..READINGS).map(|k| fine(0, time_ms(k), scaled(measured(4, k - 12) * 10), 1_000))),
            0,
            "SEN-FOLLOWS",
            format!("temperature follows {} after 2 slots", device(4)),
        ),
        (
            "scaled, dated back by an hour",
            with(0, (6..READINGS).map(|k| fine(0, time_ms(k - 6), scaled(measured(4, k) * 10), 3 * 3_600_000))),
            0,
            "SEN-FOLLOWS",
            format!("temperature follows {} after 1 slots", device(4)),
        ),
    ];
    for (name, town, copier, code, check) in cases {
        let verdicts = town.judge();
        assert_eq!(said(&verdicts), one(copier, code, check), "{name}");
        let caught = verdicts.iter().filter(|verdict| verdict.device == device(copier) && verdict.score.get() == 0);
        assert!(caught.count() >= 23, "{name}: a day at least is lost");
    }
}

/// A reading in hundredths of a degree.
fn fine(device: u64, time_ms: u64, hundredths: i64, after_ms: u64) -> Sent {
    let mut sent = sent(device, time_ms, &[(Quantity::AirTemperature, hundredths)]);
    sent.received_ms = time_ms + after_ms;
    sent
}

#[test]
fn rows_of_the_epoch_before_are_known_again() {
    for original in [0, 4] {
        let replay = |k: u64| if k < 144 { measured(0, k) } else { measured(original, k - 144) };
        let town = with(0, (0..READINGS).map(|k| reading(0, time_ms(k), replay(k), 1_000)));
        let expected = one(0, "SEN-REPEATED", format!("rows of {}", device(original)));
        assert_eq!(said(&town.in_epochs_of(DAY_MS)), expected, "{original}");
        assert_eq!(said(&town.judge()), expected, "{original}, in one epoch");
    }
}

#[test]
fn copies_are_found_alike_whatever_the_length_of_an_epoch() {
    let town = with(0, (0..READINGS).map(|k| reading(0, time_ms(k), measured(4, k), 21_000)));
    let scores =
        |verdicts: Vec<Verdict>| -> Vec<_> { verdicts.iter().map(|v| (v.device, v.slot_ms, v.score)).collect() };
    assert_eq!(scores(town.in_epochs_of(DAY_MS)), scores(town.judge()));
}

#[test]
fn what_nature_makes_alike_is_no_copy() {
    let every = |value: fn(u64, u64) -> i64| {
        let mut town = honest();
        town.fresh.clear();
        for n in 0..DEVICES {
            town.fresh.extend((0..READINGS).map(|k| reading(n, time_ms(k), value(n, k), 1_000)));
        }
        town
    };
    let cases = [
        ("still air", every(|_, _| 150)),
        ("air that changes by a tenth now and then", every(|_, k| 150 + (k / 50).cast_signed())),
        ("whole degrees, with the weather of the place", every(|n, k| measured(n, k) / 10 * 10)),
    ];
    for (name, town) in cases {
        assert_eq!(said(&town.judge()), BTreeSet::new(), "{name}");
        assert_eq!(said(&town.in_epochs_of(DAY_MS)), BTreeSet::new(), "{name}, day by day");
    }
}

#[test]
fn one_owner_may_say_the_same_with_all_his_devices() {
    let mut town = with(5, (0..READINGS).map(|k| reading(5, time_ms(k), measured(1, k), 21_000)));
    town.site(5).owner = account(1);
    assert_eq!(said(&town.judge()), BTreeSet::new());
}

#[test]
fn a_crowd_of_copies_points_to_its_original() {
    for delay_ms in [0, 20_000] {
        let mut town = honest();
        for n in 10..40 {
            // As they come: every one is first among the copies now and then.
            let late = |k| 1_001 + delay_ms + u64::try_from(noise(n, k, 5_000)).unwrap();
            town.fresh.extend((0..READINGS).map(|k| reading(n, time_ms(k), measured(4, k), late(k))));
        }
        let found = said(&town.judge());
        assert!(found.iter().all(|(n, code, _)| *n >= 10 && code == "SEN-COPY"), "{found:?}");
        let of_original = found.iter().filter(|(.., check)| *check == format!("series first of {}", device(4)));
        assert_eq!((found.len(), of_original.count()), (30, 30), "{delay_ms}");
    }
}

#[test]
fn nobody_is_made_a_copy_by_one_who_forestalls_the_end_of_his_slots() {
    // The elder spreads readings over what may come, and steers their median to the other's before the other's last reading.
    let forestall = |hour: u64| {
        let mut values: Vec<i64> = (0..6).map(|k| measured(4, hour * 6 + k)).collect();
        values.sort_unstable();
        let word = values[2];
        (0..5).map(move |k| {
            let value = [word - 5, word, word + 5, word - 1, word + 1][usize::try_from(k).unwrap()];
            fine(0, time_ms(hour * 6) + k, value * 10, if k < 3 { 10 } else { 3_100_000 })
        })
    };
    let found = said(&with(0, (0..48).flat_map(forestall)).judge());
    assert!(found.iter().all(|(n, ..)| *n == 0), "{found:?}");
    // He echoes every reading but tells one in twelve before it is told.
    let town = with(
        0,
        (0..READINGS).map(|k| {
            let time_ms = time_ms(k) + 100;
            reading(0, time_ms, measured(4, k), if k % 12 == 11 { 0 } else { 5_000 })
        }),
    );
    let found = said(&town.judge());
    assert!(!found.is_empty() && found.iter().all(|(n, ..)| *n == 0), "{found:?}");
}

#[test]
fn the_utmost_that_is_admitted_is_judged() {
    let utmost = |k: u64| if k.is_multiple_of(2) { VALUE_MAX - k.cast_signed() } else { k.cast_signed() - VALUE_MAX };
    let mut town = honest();
    town.profile.quantities.get_mut(&Quantity::AirTemperature).unwrap().range.min = -VALUE_MAX;
    town.profile.quantities.get_mut(&Quantity::AirTemperature).unwrap().range.max = VALUE_MAX;
    town.fresh.clear();
    for n in 0..DEVICES {
        town.fresh.extend((0..48).map(|k| fine(n, time_ms(k * 6), utmost(k), 1_000 + n * 1_000)));
    }
    let found = said(&town.judge());
    let copiers: BTreeSet<u64> = found.iter().map(|(n, ..)| *n).collect();
    assert!((1..DEVICES).all(|n| copiers.contains(&n)), "{found:?}");
}

/// A town with a copier of each kind in it.
fn copiers(seed: u64) -> Town {
    let mut town = honest();
    let of = |n: u64| seed.rotate_left(u32::try_from(n * 7).unwrap()) % DEVICES;
    for k in 0..READINGS {
        town.fresh.push(reading(10, time_ms(k), measured(of(0), k), 1_000 + seed % 3_000));
        town.fresh.push(reading(11, time_ms(k) + 200_000, measured(of(1), k), 1_000));
        town.fresh.push(fine(12, time_ms(k), measured(of(2), k) * 11, 1_000 + seed % 30_000));
        town.fresh.push(reading(13, time_ms(k), measured(13, k % (40 + seed % 100)), 1_000));
    }
    let late: Vec<Sent> =
        (0..144).map(|k| reading(14, time_ms(k) - 2 * DAY_MS, measured(of(3), k), 3 * DAY_MS)).collect();
    town.fresh.extend(late);
    town
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(6))]

    #[test]
    fn neither_arrival_nor_threads_change_what_is_said_of_copies(seed: u64) {
        let town = copiers(seed);
        let judged = |indices: &[u64]| {
            let judged = town.with_indices(indices, |docket| judge(&town.profile, docket)).unwrap();
            let scores: Vec<_> = judged.verdicts.iter().map(|v| (v.device, v.slot_ms, v.score)).collect();
            (said(&judged.verdicts), scores, judged.carry)
        };
        let in_order: Vec<u64> = (0..town.fresh.len() as u64).collect();
        let mut shuffled = in_order.clone();
        shuffled.sort_by_key(|&n| noise(seed % 1_000, n, 1 << 40));
        let one = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap().install(|| judged(&in_order));
        let many = rayon::ThreadPoolBuilder::new().num_threads(5).build().unwrap().install(|| judged(&in_order));
        prop_assert!(one.0.len() >= 4, "{:?}", one.0);
        prop_assert_eq!(&one, &many);
        prop_assert_eq!(one, judged(&shuffled));
    }
}

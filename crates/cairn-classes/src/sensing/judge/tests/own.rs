//! A device by itself: what is said of its readings, rule by rule.

use super::town::sent;
use super::{DAY_MS, Sent, Town, device};
use crate::sensing::judge::case::Case;
use crate::sensing::judge::memory::Memory;
use crate::sensing::judge::own::Own;
use crate::sensing::judge::voice::{Voice, dried};
use crate::sensing::profile::HumidityRule;
use crate::sensing::{Quantity, VALUE_MAX};

pub const HOUR_MS: u64 = 3_600_000;
pub const MINUTE_MS: u64 = 60_000;
pub const PROFILE: &str = include_str!("own.toml");

const TEMPERATURE: Quantity = Quantity::AirTemperature;
const HUMIDITY: Quantity = Quantity::RelativeHumidity;

/// A reading of device 0, so many minutes into the epoch.
pub fn at(minute: u64, values: &[(Quantity, i64)]) -> Sent {
    sent(0, 7 * DAY_MS + minute * MINUTE_MS, values)
}

/// A town of one device that sent this.
pub fn alone(sent: Vec<Sent>) -> Town {
    let mut town = Town::under(PROFILE, 1);
    town.fresh = sent;
    town
}

/// What is said of device 0: hour of the epoch, check, part lost.
pub fn said(town: &Town) -> Vec<String> {
    let of_device = town.judge().into_iter().filter(|verdict| verdict.device == device(0));
    let mut said = Vec::new();
    for verdict in of_device {
        let hour = (verdict.slot_ms.cast_signed() - town.epoch.start.cast_signed()) / HOUR_MS.cast_signed();
        for reason in &verdict.reasons {
            said.push(format!("{hour}h {} -{}", reason.check, reason.lost_ppm));
        }
    }
    said
}

/// Temperatures every so many minutes from a minute on.
fn temperatures(from: u64, every: u64, values: &[i64]) -> Vec<Sent> {
    (0..).zip(values).map(|(n, &value)| at(from + n * every, &[(TEMPERATURE, value)])).collect()
}

/// The voices of device 0 on a quantity: hour, value as compared, value as said, whether it is compared.
fn voices(town: &Town, quantity: Quantity) -> Vec<(u64, i64, i64, bool)> {
    let told = |voice: &Voice| (voice.slot - town.epoch.start / HOUR_MS, voice.value, voice.said, voice.compared);
    town.with(|docket| {
        let case = Case::lay_out(&town.profile, docket).unwrap();
        let own = Own::of(&case, 0, &mut Memory::default());
        own.voices.iter().filter(|voice| voice.quantity == quantity).map(told).collect()
    })
}

#[test]
fn of_two_readings_too_far_apart_the_one_further_from_those_around_is_a_spike() {
    let cases: &[(&str, Vec<Sent>, &[&str])] = &[
        ("as fast as allowed", temperatures(0, 10, &[2000, 2500, 2000, 1500]), &[]),
        (
            "one out of six",
            temperatures(0, 10, &[2000, 2000, 2000, 2501, 2000, 2000]),
            &["0h temperature spike: 1 of 6 -166667"],
        ),
        ("the first one", temperatures(0, 10, &[3000, 2000, 2000, 2000]), &["0h temperature spike: 1 of 4 -250000"]),
        ("the last one", temperatures(0, 10, &[2000, 2000, 2000, 3000]), &["0h temperature spike: 1 of 4 -250000"]),
        (
            "a true jump costs one",
            temperatures(0, 10, &[2000, 2000, 2000, 3000, 3000, 3000]),
            &["0h temperature spike: 1 of 6 -166667"],
        ),
        ("nothing around", temperatures(0, 10, &[2000, 3000]), &["0h temperature step: 2 of 2 -500000"]),
        (
            "as far from those around",
            [(0, 2500), (1, 2500), (11, 2000), (12, 3000), (22, 2500)]
                .map(|(m, v)| at(m, &[(TEMPERATURE, v)]))
                .to_vec(),
            &["0h temperature step: 2 of 5 -200000"],
        ),
        ("too far apart in time", temperatures(0, 61, &[2000, 5000]), &[]),
        ("the cap", temperatures(0, 59, &[2000, 3501]), &["0h temperature step: 2 of 2 -500000"]),
        ("below the cap", temperatures(0, 59, &[2000, 3500]), &[]),
        (
            "over a slot's start the second alone",
            temperatures(50, 10, &[2000, 3000]),
            &["1h temperature step: 1 of 1 -500000"],
        ),
        (
            "the slot before helps",
            temperatures(30, 10, &[2000, 2000, 2000, 3000, 2000]),
            &["1h temperature spike: 1 of 2 -500000"],
        ),
        (
            "what is out of range is no step",
            temperatures(0, 10, &[2000, 9000, 2000, 2000]),
            &["0h temperature range: 1 of 4 readings out -250000"],
        ),
    ];
    for (name, sent, expected) in cases {
        assert_eq!(said(&alone(sent.clone())), *expected, "{name}");
    }
}

/// Readings every half hour, up to and with an hour.
fn half_hourly(to_hour: u64, values: impl Fn(u64) -> Vec<(Quantity, i64)>) -> Vec<Sent> {
    (0..=2 * to_hour).map(|n| at(n * 30, &values(n))).collect()
}

#[test]
fn a_value_that_stays_the_same_for_too_long_is_stuck() {
    let with = |temperature: i64, humidity: i64| vec![(TEMPERATURE, temperature), (HUMIDITY, humidity)];
    let stuck: &[&str] = &["4h temperature stuck: 2 of 2 -1000000", "5h temperature stuck: 1 of 1 -1000000"];
    let cases: &[(&str, Vec<Sent>, &[&str])] = &[
        ("from the fourth hour on", half_hourly(5, |_| with(2000, 5000)), stuck),
        ("it changed once", half_hourly(5, |n| with(if n == 3 { 2001 } else { 2000 }, 5000)), &[]),
        ("fog", half_hourly(5, |_| with(2000, 9500)), &[]),
        (
            "fog for two hours does not count",
            half_hourly(6, |n| with(2000, if n <= 4 { 9500 } else { 5000 })),
            &["6h temperature stuck: 1 of 1 -1000000"],
        ),
        (
            "a moment of fog does not start the clock anew",
            half_hourly(5, |n| with(2000, if n == 7 { 9500 } else { 5000 })),
            &["4h temperature stuck: 1 of 2 -500000", "5h temperature stuck: 1 of 1 -1000000"],
        ),
        (
            "a value out of range does not end it",
            half_hourly(5, |n| with(if n == 3 { 9000 } else { 2000 }, 5000)),
            &[
                "1h temperature range: 1 of 2 readings out -500000",
                "4h temperature stuck: 2 of 2 -1000000",
                "5h temperature stuck: 1 of 1 -1000000",
            ],
        ),
        (
            "a gap ends it",
            half_hourly(6, |_| with(2000, 5000))
                .into_iter()
                .enumerate()
                .filter(|(n, _)| !(2..=6).contains(n))
                .map(|(_, sent)| sent)
                .collect(),
            &[],
        ),
        ("too few readings", (0..4).map(|n| at(n * 100, &with(2000, 5000))).collect(), &[]),
    ];
    for (name, sent, expected) in cases {
        assert_eq!(said(&alone(sent.clone())), *expected, "{name}");
    }
}

#[test]
fn calm_may_last_and_ice_is_named() {
    let wind = |speed: i64, temperature: Option<i64>| {
        half_hourly(5, |n| {
            let moving = |value: i64| (TEMPERATURE, value + n.cast_signed());
            temperature.map(moving).into_iter().chain([(Quantity::WindSpeed, speed)]).collect()
        })
    };
    let told = |fault: &str, lost: u32| {
        vec![format!("4h wind_speed {fault}: 2 of 2 -{lost}"), format!("5h wind_speed {fault}: 1 of 1 -{lost}")]
    };
    let cases = [
        (wind(0, Some(1000)), vec![]),
        (wind(5, Some(1000)), vec![]),
        (wind(0, Some(-1000)), vec![]),
        (wind(300, Some(1000)), told("stuck", 1_000_000)),
        (wind(300, Some(-1000)), told("frozen", 500_000)),
        (wind(300, None), told("stuck", 1_000_000)),
    ];
    for (n, (sent, expected)) in cases.into_iter().enumerate() {
        assert_eq!(said(&alone(sent)), expected, "case {n}");
    }
}

/// Counts of rain: (minute, boot, value).
fn rain(counts: &[(u64, u32, i64)]) -> Town {
    let count = |&(minute, boot, value): &(u64, u32, i64)| Sent { boot, ..at(minute, &[(Quantity::Rain, value)]) };
    alone(counts.iter().map(count).collect())
}

#[test]
fn a_counter_says_what_it_counted_and_never_runs_back_or_too_fast() {
    type Row<'a> = (&'a str, Town, &'a [&'a str], &'a [(u64, i64, i64, bool)]);
    let cases: &[Row<'_>] = &[
        (
            "the first reading is counted from",
            rain(&[(0, 1, 100), (10, 1, 150), (20, 1, 150), (70, 1, 180), (80, 1, 190)]),
            &[],
            &[(0, 50, 50, false), (1, 40, 40, true)],
        ),
        (
            "back: the next may follow from it",
            rain(&[(0, 1, 100), (10, 1, 90), (20, 1, 91), (70, 1, 95)]),
            &["0h rain counter: 1 of 3 -333334"],
            &[(0, 0, 0, false), (1, 4, 4, true)],
        ),
        (
            "one wild count costs one reading",
            rain(&[(0, 1, 100), (60, 1, 100), (70, 1, 9_999), (80, 1, 110)]),
            &["1h rain counter: 1 of 3 -333334"],
            &[(0, 0, 0, false), (1, 10, 10, true)],
        ),
        (
            "a boot begins at zero",
            rain(&[(50, 1, 100), (60, 2, 5), (70, 2, 6)]),
            &[],
            &[(0, 0, 0, false), (1, 6, 6, true)],
        ),
        (
            "a boot that goes on where the last one ended",
            rain(&[(50, 1, 5_000), (60, 2, 5_001), (70, 2, 5_002), (120, 2, 5_003)]),
            &["1h rain counter: 1 of 2 -500000"],
            &[(0, 0, 0, false), (1, 0, 0, false), (2, 1, 1, true)],
        ),
        (
            "an earlier boot is left aside",
            rain(&[(0, 2, 100), (60, 2, 110), (65, 1, 7), (70, 2, 115)]),
            &[],
            &[(0, 0, 0, false), (1, 15, 15, false)],
        ),
        (
            "what fell over hours is no hour's",
            rain(&[(0, 1, 100), (60, 1, 101), (200, 1, 130)]),
            &[],
            &[(0, 0, 0, false), (1, 1, 1, true), (3, 29, 29, false)],
        ),
    ];
    for (name, town, expected, spoken) in cases {
        assert_eq!(said(town), *expected, "{name}");
        assert_eq!(voices(town, Quantity::Rain), *spoken, "{name}");
    }
}

#[test]
fn a_bridge_that_starts_again_restarts_no_counter() {
    let bridged = |bridges: &[Option<u64>], counts: &[(u64, u32, i64)]| {
        let mut town = rain(counts);
        town.fresh.iter_mut().zip(bridges.iter().cycle()).for_each(|(sent, bridge)| sent.bridge = *bridge);
        town
    };
    let on = [(50, 1, 5_000), (60, 2, 5_001), (70, 3, 5_002), (120, 7, 5_003)];
    // By itself a device that went on from 5,000 after its boot would be wrong each time.
    assert_eq!(said(&rain(&on)), ["1h rain counter: 2 of 2 -1000000", "2h rain counter: 1 of 1 -1000000"]);
    for bridges in [&[Some(90)][..], &[Some(90), Some(91)]] {
        let town = bridged(bridges, &on);
        assert_eq!(said(&town), Vec::<String>::new());
        assert_eq!(voices(&town, Quantity::Rain), [(0, 0, 0, false), (1, 2, 2, true), (2, 1, 1, true)]);
    }
    // What the device restarted unsaid costs one reading, as it does when a bridge never restarts.
    let back = [(0, 1, 100), (10, 1, 0), (20, 1, 1), (70, 1, 5)];
    assert_eq!(said(&bridged(&[Some(90)], &back)), said(&rain(&back)));
    assert_eq!(said(&rain(&back)), ["0h rain counter: 1 of 3 -333334"]);
}

#[test]
fn what_is_bridged_is_judged_alike_in_any_order_of_arrival() {
    // The same time, boot and number from two bridges: only who signed tells them apart.
    let one = |bridge, value| Sent { bridge, ..at(10, &[(Quantity::Rain, value)]) };
    let after = Sent { bridge: Some(90), ..at(20, &[(Quantity::Rain, 130)]) };
    let words = |first: Sent, second: Sent| {
        let town = alone(vec![first, second, after.clone()]);
        (said(&town), voices(&town, Quantity::Rain))
    };
    for (a, b) in [(Some(90), Some(91)), (None, Some(90))] {
        assert_eq!(words(one(a, 100), one(b, 120)), words(one(b, 120), one(a, 100)));
        assert_eq!(words(one(a, 120), one(b, 100)), words(one(b, 100), one(a, 120)));
    }
}

#[test]
fn ends_parts_and_coarse_steps_are_named() {
    let (pm10, pm25) = (Quantity::Pm10, Quantity::Pm25);
    let coarse = |step: i64, n: i64| temperatures(0, 10, &(0..n).map(|k| 2000 + k * step).collect::<Vec<_>>());
    let cases: &[(&str, Vec<Sent>, &[&str])] = &[
        (
            "damp",
            vec![at(0, &[(HUMIDITY, 9_990)]), at(10, &[(HUMIDITY, 9_989)])],
            &["0h humidity saturated: 1 of 2 -50000"],
        ),
        ("dry", vec![at(0, &[(HUMIDITY, 100)]), at(10, &[(HUMIDITY, 101)])], &["0h humidity saturated: 1 of 2 -50000"]),
        ("a part of the whole", vec![at(0, &[(pm10, 100), (pm25, 120)])], &[]),
        ("more than the whole", vec![at(0, &[(pm10, 100), (pm25, 121)])], &["0h pm25 above pm10: 1 of 1 -600000"]),
        ("a share of slack", vec![at(0, &[(pm10, 1000), (pm25, 1100)])], &[]),
        ("more than that share", vec![at(0, &[(pm10, 1000), (pm25, 1101)])], &["0h pm25 above pm10: 1 of 1 -600000"]),
        ("another reading's whole", vec![at(0, &[(pm10, 100)]), at(1, &[(pm25, 500)])], &[]),
        (
            "a whole out of range",
            vec![at(0, &[(pm10, -1), (pm25, 500)])],
            &["0h pm10 range: 1 of 1 readings out -1000000"],
        ),
        ("half a degree", coarse(50, 6), &[]),
        ("more", coarse(51, 6), &["0h temperature resolution: 6 of 6 -300000"]),
        ("too few values to tell", coarse(100, 3), &[]),
    ];
    for (name, sent, expected) in cases {
        assert_eq!(said(&alone(sent.clone())), *expected, "{name}");
    }
}

#[test]
fn values_are_dried_by_the_formula_of_crilley() {
    let rule = HumidityRule { kappa_ppm: 400_000, most: 9_500 };
    // 100 / (1 + 0.4/1.65 * a/(1 - a)): 80.49 at 50 %, 31.43 at 90 %, 17.84 from 95 % on.
    let cases =
        [(100, 0, 100), (100, -7, 100), (100, 5_000, 80), (100, 9_000, 31), (100, 9_500, 18), (100, 10_000, 18)];
    for (value, humidity, dry) in cases {
        assert_eq!(dried(&rule, value, humidity), dry, "{humidity}");
        assert_eq!(dried(&rule, -value, humidity), -dry, "{humidity}");
    }
    assert_eq!(dried(&rule, VALUE_MAX, 5_000), 804_878_048_780);
    let none = HumidityRule { kappa_ppm: 0, most: 9_900 };
    assert_eq!(dried(&none, -VALUE_MAX, 10_000), -VALUE_MAX);
}

#[test]
fn what_could_not_be_dried_is_not_compared() {
    let pm25 = Quantity::Pm25;
    let damp = alone(vec![at(0, &[(pm25, 100), (HUMIDITY, 5_000)]), at(10, &[(pm25, 300)])]);
    assert_eq!(voices(&damp, pm25), [(0, 80, 100, true)]);
    let bare = alone(vec![at(0, &[(pm25, 100)]), at(10, &[(pm25, 300)])]);
    assert_eq!(voices(&bare, pm25), [(0, 100, 100, false)]);
    let broken = alone(vec![at(0, &[(pm25, 100), (HUMIDITY, 10_001)])]);
    assert_eq!(voices(&broken, pm25), [(0, 100, 100, false)]);
}

#[test]
fn single_readings_are_compared_as_their_slot_is() {
    let pm25 = Quantity::Pm25;
    let mut town = Town::under(PROFILE, 6);
    let neighbours = &Town::of(0).profile.quantities[&Quantity::Pm10].neighbours;
    for quantity in [pm25, Quantity::Rain] {
        town.profile.quantities.get_mut(&quantity).unwrap().neighbours.clone_from(neighbours);
    }
    for n in 0..6 {
        let mut values = vec![(pm25, 800), (HUMIDITY, 9_000)];
        let mut count = vec![(Quantity::Rain, 1_000)];
        if n == 0 {
            // Dry air, and a third of the particles: the same once dried.
            values = vec![(pm25, 251), (HUMIDITY, 0)];
            count = vec![(Quantity::Rain, 77)];
        }
        town.fresh.push(sent(n, town.epoch.start, &[values.clone(), count.clone()].concat()));
        count[0].1 += 150;
        town.fresh.push(sent(n, town.epoch.start + HOUR_MS, &[values, count].concat()));
    }
    let medians = |quantity| {
        let of = town.assess().into_iter().filter(move |value| value.quantity == quantity);
        of.map(|value| (value.score.get(), value.comparison.map(|heard| heard.median))).collect::<Vec<_>>()
    };
    assert_eq!(medians(pm25), vec![(1_000_000, Some(251)); 12]);
    let rain: Vec<_> = [(1_000_000, None), (1_000_000, Some(150))].repeat(6);
    assert_eq!(medians(Quantity::Rain), rain);
}

#[test]
fn silenced_values_do_not_speak_and_doubtful_ones_do() {
    let spoken =
        |sent| voices(&alone(sent), TEMPERATURE).into_iter().map(|voice| (voice.0, voice.1)).collect::<Vec<_>>();
    assert_eq!(spoken(temperatures(0, 10, &[2000, 5000, 2001, 2002])), [(0, 2001)]);
    assert_eq!(spoken(temperatures(0, 10, &[9000])), []);
    assert_eq!(spoken(temperatures(0, 10, &[2000, 4000])), [(0, 2000)], "a step speaks");
    let stuck = half_hourly(5, |_| vec![(TEMPERATURE, 2000)]);
    assert_eq!(spoken(stuck), [(0, 2000), (1, 2000), (2, 2000), (3, 2000)]);
}

#[test]
fn late_readings_are_held_against_their_own_past_and_not_the_memory() {
    let mut town = alone(vec![]);
    // Half an hour before the epoch.
    let late = 7 * DAY_MS - 30 * MINUTE_MS;
    town.fresh.push(sent(0, late, &[(TEMPERATURE, 5000)]));
    assert_eq!(said(&town), Vec::<String>::new());
    town.context = [-90, -80, -70]
        .map(|minute: i64| {
            sent(0, (7 * DAY_MS).strict_add_signed(minute * MINUTE_MS.cast_signed()), &[(TEMPERATURE, 2000)])
        })
        .to_vec();
    assert_eq!(said(&town), ["-1h temperature spike: 1 of 1 -1000000"]);
    let carry = town.judged().carry;
    let memories = carry.iter().map(|(_, record)| Memory::decode(record.as_ref().unwrap()).unwrap());
    assert!(memories.clone().all(|memory| memory.trails.is_empty()), "what came late is not remembered");
    assert_eq!(memories.count(), 1);
}

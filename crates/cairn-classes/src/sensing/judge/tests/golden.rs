//! The golden verdicts of revision 2: towns that show every code, and what is said and remembered of them, to the byte.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use cairn_core::Hash;

use super::town::sent;
use super::{DAY_MS, Sent, Town, copies, laws, long, moved, own_laws, pm10};
use crate::sensing::{Body, Code, Quantity, sentence};

const HOUR_MS: u64 = 3_600_000;

/// A town under the golden thresholds.
fn bare(devices: u64) -> Town {
    Town::under(include_str!("golden.toml"), devices)
}

/// Devices that may not speak, or were judged before, and a copy, around a town that agrees.
fn voids() -> Town {
    let mut town = bare(12);
    for day in 7..14u64 {
        for n in 0..6 {
            // Device 5 says what device 1 says, a little later.
            let as_who: u64 = if n == 5 { 1 } else { n };
            let value = 170 + ((as_who * 31 + day * 17) % 29).cast_signed();
            town.fresh.push(Sent { received_ms: (day + 1) * DAY_MS + n * 60_000, ..pm10(n, day, value) });
        }
    }
    town.context = vec![pm10(6, 6, 180)];
    let battery = Body::one([(Quantity::Battery, 3_300)]).unwrap().encode();
    town.fresh.extend([
        pm10(6, 6, 181),
        Sent { received_ms: 10 * DAY_MS - 300_001, ..pm10(7, 10, 182) },
        Sent { body: battery, ..pm10(7, 11, 0) },
        pm10(8, 7, 182),
    ]);
    town.site(8).mobile = true;
    town
}

/// Ice, coarse steps, a clock that runs ahead, and numbers against the order of times.
fn frost() -> Town {
    let mut town = bare(4);
    for hour in 7 * 24..9 * 24 {
        let at = hour * HOUR_MS;
        let step = i64::try_from(hour).unwrap();
        let temperature = |n, value| sent(n, at, &[(Quantity::AirTemperature, value)]);
        town.fresh.extend([
            temperature(0, -500),
            temperature(1, step * step * 7_919 % 1_009 % 13 * 100),
            Sent { received_ms: at - 120_000, ..temperature(2, step * 37 % 900) },
            Sent { seq: 1_000 - u32::try_from(hour).unwrap(), ..temperature(3, step * 53 % 900) },
        ]);
    }
    town
}

/// A gauge that stays dry while it rains on its neighbours, hour by hour.
fn dry() -> Town {
    let mut town = bare(6);
    town.profile.slot_ms = HOUR_MS;
    for hour in 7 * 24..14 * 24 {
        for n in 0..6 {
            let fallen = i64::try_from(hour * if n == 0 { 0 } else { 90 + n }).unwrap();
            town.fresh.push(sent(n, hour * HOUR_MS, &[(Quantity::Rain, fallen)]));
        }
    }
    town
}

/// Towns by name; together they show every code that a judge of revision 2 can give.
fn towns() -> Vec<(&'static str, Town)> {
    let sunny = |hour: u64, honest: i64| honest + if (9..17).contains(&(hour % 24)) { 900 } else { 0 };
    let copied = copies::READINGS;
    let shifted =
        (3..copied).map(|k| copies::reading(0, copies::time_ms(k) + 200_000, copies::measured(4, k - 3), 10_000));
    let scaled = (0..copied)
        .map(|k| copies::reading(5, copies::time_ms(k), (copies::measured(1, k) * 102 + 50) / 100 + 3, 21_000));
    vec![
        ("everything a device does wrong, 1", own_laws::random_town(1)),
        ("everything a device does wrong, 2", own_laws::random_town(2)),
        ("neighbours, copies and voids, 1", laws::random_town(1)),
        ("neighbours, copies and voids, 2", laws::random_town(2)),
        ("a month in the sun", long::town(720, sunny)),
        ("three weeks indoors", long::town(504, |_, honest| 2_000 + (honest - 1_000) / 8)),
        ("three weeks deaf", long::town(504, |hour, _| long::air(hour + 11))),
        ("one that stands elsewhere", moved::line(3, |n, hour| (n == 5).then(|| moved::air(3, 45, hour)))),
        ("rows again", copies::with(0, shifted)),
        ("a scaled series", copies::with(5, scaled)),
        ("a dry gauge", dry()),
        ("voids and a copy", voids()),
        ("frost and clocks", frost()),
    ]
}

#[test]
fn the_verdicts_of_revision_2_never_change() {
    const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/goldens/sensing-1-revision-2.txt");
    let mut text = String::from(
        "# What revision 2 says of fixed towns: SHA-256 over the verdicts' canonical bytes and over what is remembered, how\n\
         # often each code is given, and the first sentence of each.\n",
    );
    for (name, town) in towns() {
        let judged = town.judged();
        let rows: Vec<u8> = judged.verdicts.iter().flat_map(cairn_core::Verdict::encode).collect();
        let carry: Vec<u8> =
            judged.carry.iter().flat_map(|(key, value)| [key.clone(), value.clone().unwrap()].concat()).collect();
        writeln!(text, "\n{name}\n  {} verdicts {}", judged.verdicts.len(), Hash::of(&rows).to_hex()).unwrap();
        writeln!(text, "  {} memories {}", judged.carry.len(), Hash::of(&carry).to_hex()).unwrap();
        let mut codes: BTreeMap<&str, (u32, String)> = BTreeMap::new();
        for reason in judged.verdicts.iter().flat_map(|verdict| &verdict.reasons) {
            codes.entry(&reason.code).or_insert_with(|| (0, sentence(reason))).0 += 1;
        }
        for (code, (count, words)) in codes {
            writeln!(text, "  {count} {code} {words}").unwrap();
        }
    }
    if std::env::var_os("CAIRN_BLESS").is_some() {
        std::fs::write(GOLDEN, &text).unwrap();
    }
    let golden = std::fs::read_to_string(GOLDEN).unwrap();
    for (found, expected) in text.lines().zip(golden.lines()) {
        assert_eq!(found, expected);
    }
    assert_eq!(text.lines().count(), golden.lines().count());
    // A document of another form is told before any judge is asked.
    for code in Code::ALL.into_iter().filter(|code| *code != Code::Profile) {
        assert!(golden.contains(code.as_str()), "no verdict shows {}", code.as_str());
    }
}

//! That errors are what they are said to be, and that the judge finds what it promises to find.

#![allow(clippy::unwrap_used)]

use cairn_classes::sensing::{Document, Quantity, SENSING_DAILY_PM, SENSING_STATION};

use super::judged::judged;
use super::measure::{Counts, Share, bootstrapped, by_station, delays, percentile, wilson};
use super::*;

/// 2004 to 2005.
fn germany() -> Field {
    Field::germany(12_418..13_149)
}

fn fields() -> [Field; 3] {
    [germany(), Field::new_york(60), Field::simulated_city(1, 4)]
}

fn plan(kind: Kind, seed: u64) -> Plan {
    Plan { kind, seed, stations_ppm: 100_000 }
}

#[test]
fn fields_are_whole_sorted_and_what_simulates_says_so() {
    let [germany, new_york, city] = fields();
    assert_eq!((germany.places.len(), germany.rows.len()), (70, 32_422));
    assert_eq!((new_york.places.len(), new_york.quantities().len()), (3, 3));
    assert_eq!(
        new_york.rows[0].values,
        vec![(Quantity::AirTemperature, 390), (Quantity::RelativeHumidity, 5_937), (Quantity::WindSpeed, 463)]
    );
    assert!(city.name.starts_with("simulated") && city.places.iter().all(|place| place.name.starts_with("simulated")));
    assert_eq!(city, Field::simulated_city(1, 4));
    assert_ne!(city, Field::simulated_city(2, 4));
    for field in fields() {
        assert!(field.rows.is_sorted_by_key(|row| (row.time_ms, row.station)), "{}", field.name);
        assert!(field.rows.iter().all(|row| !row.values.is_empty() && row.values.is_sorted()));
    }
}

#[test]
fn every_error_is_seeded_and_its_truth_is_what_differs() {
    for field in fields() {
        for kind in Kind::ALL.into_iter().filter(|kind| kind.applies_to(&field)) {
            let case = format!("{} in {}", kind.as_str(), field.name);
            let injected = inject(&field, plan(kind, 7));
            assert_eq!(injected, inject(&field, plan(kind, 7)), "{case}");
            assert_ne!(injected, inject(&field, plan(kind, 8)), "{case}");
            assert!(!injected.faults.is_empty(), "{case}");
            let spoiled: Vec<usize> = injected.faults.iter().map(|fault| fault.station).collect();
            for ((now, before), &faulty) in injected.field.rows.iter().zip(&field.rows).zip(&injected.faulty) {
                assert_eq!((now.station, now.time_ms), (before.station, before.time_ms), "{case}");
                assert_eq!(now != before, faulty, "{case}");
                assert!(!faulty || spoiled.contains(&now.station), "{case}");
            }
            for fault in &injected.faults {
                assert!(fault.first_ms <= fault.last_ms && fault.readings > 0, "{case}");
            }
            let readings: u64 = injected.faults.iter().map(|fault| fault.readings).sum();
            assert_eq!(readings, injected.faulty.iter().filter(|faulty| **faulty).count() as u64, "{case}");
        }
    }
}

#[test]
fn swaps_come_in_pairs_and_copies_are_of_seniors() {
    let city = Field::simulated_city(3, 4);
    let swapped = inject(&city, plan(Kind::Swap, 1));
    assert!(swapped.faults.len().is_multiple_of(2));
    let copied = inject(&city, plan(Kind::Copy, 1));
    for fault in &copied.faults {
        let rows = copied.field.rows.iter().filter(|row| row.station == fault.station);
        for row in rows.filter(|row| (fault.first_ms..=fault.last_ms).contains(&row.time_ms)) {
            let same = |other: &Row| other.time_ms == row.time_ms && other.values == row.values;
            // Where the original has no reading the copier reports its own.
            let senior = city.rows.iter().filter(|other| other.station < row.station || fault.station == 0);
            let own = city.rows.iter().any(|other| other == row);
            assert!(own || senior.into_iter().any(same), "{fault:?}");
        }
    }
    assert!(!Kind::Sunlit.applies_to(&germany()) && Kind::Sunlit.applies_to(&city));
}

#[test]
fn intervals_are_those_of_the_tables() {
    // Newcombe 1998, Stat. Med. 17, 857, table I, method 3: 81/263, 15/148, 0/20, 1/29.
    let cases = [(81, 263, 255_200, 366_200), (15, 148, 62_400, 160_500), (0, 20, 0, 161_100), (1, 29, 6_100, 171_800)];
    for (part, whole, low_ppm, high_ppm) in cases {
        let found = wilson(part, whole).unwrap();
        assert!(found.low_ppm.abs_diff(low_ppm) <= 100 && found.high_ppm.abs_diff(high_ppm) <= 100, "{found:?}");
    }
    assert_eq!(wilson(0, 0), None);
    let all = [Counts { found: 3, missed: 1, false_alarms: 1, clean: 5 }; 4];
    let share = bootstrapped(&all, 1, Counts::precision);
    assert_eq!(share, Some(Share { ppm: 750_000, low_ppm: 750_000, high_ppm: 750_000 }));
    assert_eq!(bootstrapped(&[Counts::default()], 1, Counts::recall), None);
    let found = [Some(5), None, Some(1), Some(9), Some(3)];
    assert_eq!((percentile(&found, 50), percentile(&found, 90), percentile(&[None], 50)), (Some(3), Some(9), None));
}

/// The thresholds are far on the safe side of what the judge reaches; what it reaches stands in docs/benchmarks.md.
#[test]
fn gross_errors_are_found_and_honest_stations_left_alone() {
    let cases = [
        (germany(), SENSING_DAILY_PM, 550_000, 10_000),
        (Field::simulated_city(5, 6), SENSING_STATION, 350_000, 10_000),
    ];
    for (honest, document, recall_least_ppm, alarms_most_ppm) in cases {
        let document = Document::parse(document).unwrap();
        let none = vec![false; honest.rows.len()];
        let alone = by_station(&honest, &none, &judged(&honest, &document).unwrap());
        let alarms = bootstrapped(&alone, 1, Counts::false_alarm).unwrap();
        assert!(alarms.ppm < alarms_most_ppm, "{}: {alarms:?}", honest.name);
        let (mut stations, mut found) = (Vec::new(), Vec::new());
        for seed in 0..2 {
            let injected = inject(&honest, plan(Kind::Gross, seed));
            let said = judged(&injected.field, &document).unwrap();
            found.extend(delays(&injected, document.slot_ms(), &said));
            stations.extend(by_station(&injected.field, &injected.faulty, &said));
        }
        let recall = bootstrapped(&stations, 1, Counts::recall).unwrap();
        assert!(recall.ppm >= recall_least_ppm, "{}: {recall:?}", honest.name);
        let never = found.iter().filter(|delay| delay.is_none()).count();
        assert!(never * 4 <= found.len(), "{}: {never} of {} faults are never found", honest.name, found.len());
    }
}

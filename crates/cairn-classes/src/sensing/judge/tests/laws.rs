//! Laws on random towns.

use cairn_core::geo::Position;
use cairn_core::{PPM, Verdict};
use proptest::prelude::*;

use super::*;
use crate::dice::Dice;
use crate::sensing::judge::{compared, judge};
use crate::sensing::words::Check;
use crate::sensing::{Assessed, Band, Body, EVIDENCE_MAX, Outcome, Quantity};

/// A town with everything in it, from a seed: liars, copies, owners of several devices, voids, late and batched reports.
pub(super) fn random_town(seed: u64) -> Town {
    let mut dice = Dice(seed);
    let mut next = |below: u64| dice.below(below);
    let devices = 12 + next(20);
    let mut town = Town::of(devices);
    for n in 0..devices {
        let spread = i32::try_from(next(4)).unwrap() * 3_000_000;
        let site = town.site(n);
        site.owner = account(next(devices));
        site.position.lon_e7 += spread;
        site.mobile = next(15) == 0;
        if next(5) == 0 {
            site.position = Position { lat_e7: 500_000_000, lon_e7: 100_000_000 };
        }
    }
    for day in 5..16 {
        for n in 0..devices {
            let liar = n % 7 == 3;
            let copier = n % 6 == 4;
            let level = |n: u64| 120 + ((day * 7_919 + n * 104_729) % 90).cast_signed();
            let value = if liar { 900 } else { level(if copier { n - 1 } else { n }) };
            let mut sent = pm10(n, day, value + if next(40) == 0 { 30_000 } else { 0 });
            sent.flags = u32::from(next(12) == 0);
            sent.denied = (next(25) == 0).then_some(7);
            sent.conflict = (next(25) == 0).then_some(8);
            if next(6) == 0 {
                let readings = (0..4).map(|k| (k * DAY_MS / 3, [(Quantity::Pm10, value + k.cast_signed())]));
                sent.body = Body::many(readings).unwrap().encode();
                sent.received_ms += 2 * DAY_MS;
            }
            match next(10) {
                0 => {}
                1 => town.fresh.push(sent),
                _ if day < 7 => town.context.push(sent),
                _ => town.fresh.push(sent),
            }
        }
    }
    town
}

fn encoded(verdicts: &[Verdict]) -> Vec<Vec<u8>> {
    verdicts.iter().map(Verdict::encode).collect()
}

#[test]
fn any_number_of_threads_gives_the_same_bytes() {
    for seed in 0..6 {
        let town = random_town(seed);
        let on = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| (encoded(&town.judge()), town.assess()))
        };
        let one = on(1);
        assert_eq!(one, on(2), "seed {seed}");
        assert_eq!(one, on(8), "seed {seed}");
    }
}

/// A verdict without the numbers that the log gives.
fn unnumbered(verdict: &Verdict) -> impl PartialEq + std::fmt::Debug + use<> {
    let reasons: Vec<_> = verdict
        .reasons
        .iter()
        .map(|reason| (reason.code.clone(), reason.check.clone(), reason.observed, reason.threshold, reason.lost_ppm))
        .collect();
    (verdict.device, verdict.slot_ms, verdict.account.clone(), verdict.amount, verdict.score, reasons)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn arrival_changes_entry_numbers_and_nothing_else(seed: u64, keys in proptest::collection::vec(any::<u64>(), 600)) {
        let town = random_town(seed);
        let judged = |indices: &[u64]| {
            let verdicts = town.with_indices(indices, |docket| judge(&town.profile, docket)).unwrap().verdicts;
            verdicts.iter().map(unnumbered).collect::<Vec<_>>()
        };
        let count = town.context.len() + town.fresh.len();
        let in_order: Vec<u64> = (0..count as u64).collect();
        let mut shuffled = in_order.clone();
        shuffled.sort_by_key(|&n| keys[usize::try_from(n).unwrap() % keys.len()].wrapping_mul(n | 1));
        prop_assert_eq!(judged(&in_order), judged(&shuffled), "seed {}", seed);
    }

    #[test]
    fn every_part_of_a_score_that_is_lost_has_a_reason(seed: u64) {
        let town = random_town(seed);
        for verdict in town.judge() {
            let lost: u32 = verdict.reasons.iter().map(|reason| reason.lost_ppm).sum();
            if verdict.amount > 0 {
                prop_assert_eq!(verdict.score.get() + lost, PPM, "seed {} {:?}", seed, verdict);
            } else {
                prop_assert_eq!((verdict.score.get(), lost, verdict.reasons.is_empty()), (0, 0, false));
            }
            prop_assert!(verdict.entries.is_sorted() && !verdict.entries.is_empty());
            for reason in &verdict.reasons {
                prop_assert!(reason.evidence.is_sorted() && !reason.evidence.is_empty());
                prop_assert!(reason.evidence.len() <= EVIDENCE_MAX);
            }
            prop_assert_eq!(Verdict::decode(&verdict.encode()), Ok(verdict));
        }
    }

    #[test]
    fn where_a_slot_has_one_reading_slot_and_reading_agree(seed: u64) {
        let town = random_town(seed);
        let assessed = town.assess();
        for verdict in town.judge() {
            let of_slot: Vec<&Assessed> =
                assessed.iter().filter(|value| verdict.entries == [value.index]).collect();
            let [only] = of_slot.as_slice() else { continue };
            if verdict.amount > 0 {
                prop_assert_eq!((only.score, &only.reasons), (verdict.score, &verdict.reasons));
            } else {
                prop_assert_eq!(only.outcome, Outcome::Unscored);
            }
        }
    }

    #[test]
    fn a_device_is_told_the_very_band_that_its_verdicts_were_made_from(seed: u64) {
        let town = random_town(seed);
        let judged = town.judge();
        for n in 0..32 {
            let of_it: Vec<Verdict> = judged.iter().filter(|verdict| verdict.device == device(n)).cloned().collect();
            let (verdicts, bands) = town.with(|docket| compared(&town.profile, docket, &device(n))).unwrap();
            prop_assert_eq!(&verdicts, &of_it);
            for band in &bands {
                prop_assert!(band.low <= band.expected && band.expected <= band.high);
            }
            for verdict in &verdicts {
                for reason in verdict.reasons.iter().filter(|reason| reason.code.starts_with("SEN-NEIGHBOUR")) {
                    let says = |band: &&Band| {
                        let (quantity, count, median) = (band.quantity, band.neighbours, band.expected);
                        band.slot_ms == verdict.slot_ms
                            && Check::Neighbours { quantity, count, median }.to_string() == reason.check
                    };
                    let band = bands.iter().find(says).unwrap();
                    prop_assert_eq!(reason.observed, band.value);
                    prop_assert!(!(band.low..=band.high).contains(&band.value), "{:?} {:?}", band, reason);
                    let edge = if band.value < band.expected { band.low } else { band.high };
                    if reason.code == "SEN-NEIGHBOUR-SUSPECT" {
                        prop_assert_eq!(reason.threshold, edge - band.expected);
                    }
                }
            }
        }
    }
}

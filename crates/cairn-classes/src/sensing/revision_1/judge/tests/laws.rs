//! Laws on random towns, and the golden verdicts.

use std::fmt::Write as _;

use proptest::prelude::*;

use super::*;
use crate::dice::Dice;
use crate::sensing::{EVIDENCE_MAX, Outcome};

/// A town where a copy's only value of a slot is out of range and its original is silent.
const COPY_WITHOUT_A_WORD: u64 = 10_927_229_260_183_439_257;

/// A town with everything in it, from a seed: liars, copies, owners of several devices, voids, late and batched reports.
fn random_town(seed: u64) -> Town {
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

/// Whether `reason` calls a copy in a slot where neither the copy nor its original has a usable value within range. This
/// revision shows the words of that slot as evidence, so there it shows nothing; the one after it shows the window's.
fn is_copy_without_a_word(town: &Town, verdict: &Verdict, reason: &Reason) -> bool {
    let profile = Profile::parse(SENSING_DAILY_PM).unwrap();
    let original = reason.check.strip_prefix("series equal to ").map(|text| DeviceId::parse(text).unwrap());
    let speaks = |sent: &Sent| {
        let of_either = [Some(verdict.device), original].contains(&Some(device(sent.device)));
        let usable = sent.flags == 0 && sent.denied.is_none() && sent.conflict.is_none();
        let in_slot = |ms: u64| (verdict.slot_ms..verdict.slot_ms + DAY_MS).contains(&(sent.time_ms + ms));
        let in_range = |(quantity, value): &(Quantity, i64)| {
            profile.quantities.get(quantity).is_some_and(|rule| (rule.min..=rule.max).contains(value))
        };
        let body = Body::parse(&sent.body).unwrap();
        let mut readings = body.readings().iter();
        of_either && usable && readings.any(|reading| in_slot(reading.after_ms) && reading.values.iter().any(in_range))
    };
    reason.code == "SEN-COPY" && !town.context.iter().chain(&town.fresh).any(speaks)
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
        let profile = Profile::parse(SENSING_DAILY_PM).unwrap();
        let judged = |indices: &[u64]| {
            let verdicts = town.with_indices(indices, |docket| judge(&profile, docket)).unwrap();
            verdicts.iter().map(unnumbered).collect::<Vec<_>>()
        };
        let count = town.context.len() + town.fresh.len();
        let in_order: Vec<u64> = (0..count as u64).collect();
        let mut shuffled = in_order.clone();
        shuffled.sort_by_key(|&n| keys[usize::try_from(n).unwrap() % keys.len()].wrapping_mul(n | 1));
        prop_assert_eq!(judged(&in_order), judged(&shuffled), "seed {}", seed);
    }

    #[test]
    fn every_part_of_a_score_that_is_lost_has_a_reason(seed in prop_oneof![9 => any::<u64>(), 1 => Just(COPY_WITHOUT_A_WORD)]) {
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
                prop_assert!(reason.evidence.is_sorted() && reason.evidence.len() <= EVIDENCE_MAX);
                prop_assert!(
                    !reason.evidence.is_empty() || is_copy_without_a_word(&town, &verdict, reason),
                    "seed {} {:?}", seed, verdict
                );
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
}

/// One device per reason of the judge, around a town that agrees.
fn golden_town() -> Town {
    let mut town = Town::of(12);
    for day in 7..14 {
        town.fresh.extend((0..5).map(|n| pm10(n, day, 170 + ((n * 31 + day * 17) % 29).cast_signed())));
        town.fresh.push(pm10(5, day, 170 + ((31 + day * 17) % 29).cast_signed()));
    }
    town.context = vec![pm10(6, 6, 180)];
    town.fresh.extend([
        pm10(6, 6, 181),
        pm10(6, 7, 520),
        pm10(6, 8, 400),
        pm10(6, 9, -3),
        Sent { flags: Flags::MAINTENANCE, ..pm10(7, 7, 182) },
        Sent { denied: Some(40), ..pm10(7, 8, 182) },
        Sent { conflict: Some(41), ..pm10(7, 9, 182) },
        Sent { received_ms: 0, ..pm10(7, 10, 182) },
        Sent { body: Body::one([(Quantity::Battery, 3_300)]).unwrap().encode(), ..pm10(7, 11, 0) },
        pm10(8, 7, 182),
        pm10(9, 7, 182),
    ]);
    town.site(8).mobile = true;
    town.site(9).position = Position { lat_e7: 0, lon_e7: 0 };
    town
}

#[test]
fn the_verdicts_of_revision_1_never_change() {
    const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/goldens/sensing-1-revision-1.txt");
    let mut text =
        String::from("# Verdicts of a fixed docket: the canonical bytes in hexadecimal, then what they say.\n");
    let profile = Profile::parse(include_str!("../../../../../goldens/sensing-1-revision-1.toml")).unwrap();
    for verdict in golden_town().with(|docket| judge(&profile, docket)).unwrap() {
        let bytes: String = verdict.encode().iter().map(|byte| format!("{byte:02x}")).collect();
        let (amount, score) = (verdict.amount, verdict.score.get());
        writeln!(text, "\n{bytes}").unwrap();
        writeln!(text, "  {} day {}: amount {amount} score {score}", verdict.device, verdict.slot_ms / DAY_MS).unwrap();
        for reason in &verdict.reasons {
            writeln!(text, "  {} -{} {:?} {}", reason.code, reason.lost_ppm, reason.evidence, sentence(reason))
                .unwrap();
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
    for code in crate::sensing::Code::OF_REVISION_1 {
        assert!(golden.contains(code.as_str()), "no verdict shows {}", code.as_str());
    }
}

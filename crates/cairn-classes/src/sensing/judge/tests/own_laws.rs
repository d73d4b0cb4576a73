//! A device by itself: laws on random devices.

use cairn_core::{DeviceId, PPM, Verdict};
use proptest::prelude::*;

use super::own::{HOUR_MS, MINUTE_MS, PROFILE};
use super::town::sent;
use super::{DAY_MS, Sent, Town};
use crate::dice::Dice;
use crate::sensing::judge::judge;
use crate::sensing::judge::memory::Memory;
use crate::sensing::{Body, EVIDENCE_MAX, Quantity, VALUE_MAX};
use crate::{Clock, Flags};

const RULES: &str = "
[time]
error_ms = 60_000
ahead_ms = 120_000
behind_ms = 90_000_000
lost_ppm = 300_000
order_lost_ppm = 500_000

[availability]
every_ms = 900_000
least_ppm = 750_000
lost_ppm = 800_000
";

/// Three days of three devices that do everything wrong now and then, from a seed.
pub(super) fn random_town(seed: u64) -> Town {
    let mut dice = Dice(seed);
    let mut next = |below: u64| dice.below(below);
    let mut town = Town::under(&format!("{PROFILE}{RULES}"), 3);
    town.epoch = 7 * DAY_MS..10 * DAY_MS;
    for device in 0..3 {
        let (mut time_ms, mut boot, mut seq, mut rain, mut temperature, mut wind) =
            (town.epoch.start + next(HOUR_MS), 1, 0, 100, 1_500, 0);
        while time_ms < town.epoch.end {
            // A value that holds for hours, jumps, or creeps.
            temperature += [0, 0, 0, 0, 0, 0, 0, 3, -7, 40][usize::try_from(next(10)).unwrap()];
            let spike = if next(30) == 0 { 2_000 } else { 0 };
            if next(12) == 0 {
                wind = i64::try_from(next(3)).unwrap() * 300;
            }
            rain += i64::try_from(next(9)).unwrap();
            if next(60) == 0 {
                (boot, seq, rain) = (boot + 1, 0, 0);
            }
            let glitch = if next(40) == 0 { 50_000 } else { 0 };
            let pm10 = i64::try_from(next(300)).unwrap();
            let mut values = vec![
                (Quantity::AirTemperature, temperature + spike),
                (Quantity::RelativeHumidity, i64::try_from(next(10_400)).unwrap()),
                (Quantity::Pm10, pm10),
                (Quantity::Pm25, pm10 - 50 + i64::try_from(next(150)).unwrap()),
                (Quantity::WindSpeed, wind),
                (Quantity::Rain, rain + glitch),
            ];
            values.retain(|_| next(10) != 0);
            if !values.is_empty() {
                let mut sent = Sent { boot, seq, ..sent(device, time_ms, &values) };
                sent.flags =
                    [0, 0, 0, 0, 0, 0, 0, Flags::MAINTENANCE, Flags::BACKFILLED][usize::try_from(next(9)).unwrap()];
                sent.clock = (next(3) == 0).then(|| Clock { source: next(4), error_ms: next(70_000) });
                sent.denied = (next(50) == 0).then_some(7);
                town.fresh.push(sent);
            }
            seq += 1;
            time_ms += 5 * MINUTE_MS + next(15 * MINUTE_MS) + if next(40) == 0 { 3 * HOUR_MS } else { 0 };
        }
    }
    town
}

/// Device, slot, amount, score; and of each reason its check, what was observed, the threshold, the part lost.
type Bare = (DeviceId, u64, u64, u32, Vec<(String, i64, i64, u32)>);

/// What was said and what it took, without the entries' numbers.
fn bare(verdicts: &[Verdict]) -> Vec<Bare> {
    let reasons = |verdict: &Verdict| {
        let bare = verdict.reasons.iter().map(|r| (r.check.clone(), r.observed, r.threshold, r.lost_ppm));
        bare.collect()
    };
    let of =
        |verdict: &Verdict| (verdict.device, verdict.slot_ms, verdict.amount, verdict.score.get(), reasons(verdict));
    verdicts.iter().map(of).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn epochs_of_any_length_say_the_same(seed in any::<u64>()) {
        let town = random_town(seed);
        let whole = bare(&town.judge());
        // Windows of slots are counted from an epoch's start: whole days keep them.
        prop_assert_eq!(&bare(&town.in_epochs_of(DAY_MS)), &whole);
        let mut town = town;
        town.profile.quantities.values_mut().for_each(|rule| rule.resolution = None);
        let whole = bare(&town.judge());
        for epoch_ms in [HOUR_MS, 5 * HOUR_MS] {
            prop_assert_eq!(&bare(&town.in_epochs_of(epoch_ms)), &whole);
        }
    }

    #[test]
    fn the_order_of_arrival_changes_nothing_said(seed in any::<u64>(), rotate in 1usize..500) {
        let town = random_town(seed);
        let judged = |indices: &[u64]| town.with_indices(indices, |docket| judge(&town.profile, docket)).unwrap();
        let mut indices: Vec<u64> = (0..town.fresh.len() as u64).collect();
        let first = judged(&indices);
        indices.reverse();
        let rotate = rotate % indices.len();
        indices.rotate_left(rotate);
        let second = judged(&indices);
        prop_assert_eq!(bare(&first.verdicts), bare(&second.verdicts));
        prop_assert_eq!(first.carry, second.carry);
    }

    #[test]
    fn the_lateness_of_one_device_changes_nothing_about_another(seed in any::<u64>()) {
        let mut town = random_town(seed);
        let whole = town.clone();
        // The second and third day are judged after the first.
        town.epoch = 7 * DAY_MS..8 * DAY_MS;
        town.fresh.retain(|sent| sent.time_ms < 8 * DAY_MS);
        let first = town.judged();
        first.update(&mut town.carry);
        town.epoch = 8 * DAY_MS..10 * DAY_MS;
        town.fresh = whole.fresh.iter().filter(|sent| sent.time_ms >= 8 * DAY_MS).cloned().collect();
        let of_others = |town: &Town| {
            let late = super::device(2);
            let judged = town.judged();
            let kept: Vec<Verdict> = judged.verdicts.into_iter().filter(|verdict| verdict.device != late).collect();
            let carry: Vec<_> = judged.carry.into_iter().filter(|(key, _)| key[..] != late.0).collect();
            (bare(&kept), carry)
        };
        let without = of_others(&town);
        // One late reading, and everything of the first day comes back as context.
        town.context = whole.fresh.iter().filter(|sent| sent.time_ms < 8 * DAY_MS).cloned().collect();
        town.fresh.push(Sent { seq: 99_999, ..sent(2, 7 * DAY_MS + HOUR_MS + 1, &[(Quantity::Pm10, 5)]) });
        prop_assert_eq!(of_others(&town), without);
    }

    #[test]
    fn every_part_lost_has_a_reason_and_memories_stay_small(seed in any::<u64>()) {
        let judged = random_town(seed).judged();
        for verdict in &judged.verdicts {
            let lost: u32 = verdict.reasons.iter().map(|reason| reason.lost_ppm).sum();
            prop_assert!(verdict.amount == 0 || lost == PPM - verdict.score.get());
            for reason in &verdict.reasons {
                prop_assert!(reason.lost_ppm == 0 || (1..=EVIDENCE_MAX).contains(&reason.evidence.len()));
            }
        }
        for (_, record) in &judged.carry {
            let record = record.as_ref().expect("nobody is forgotten");
            let memory = Memory::decode(record).unwrap();
            prop_assert_eq!(&memory.encode(), record);
            for trail in memory.trails.values() {
                let mut out = cairn_core::cbor::Encoder::empty();
                trail.encode(&mut out);
                prop_assert!(out.into_bytes().len() <= 100);
            }
        }
    }

    #[test]
    fn no_admitted_value_overflows(
        values in proptest::collection::vec((0u64..400, 1i64..=15, prop_oneof![
            Just(VALUE_MAX), Just(-VALUE_MAX), Just(0), -VALUE_MAX..=VALUE_MAX,
        ]), 1..80),
        boots in proptest::collection::vec(0u32..3, 80),
    ) {
        let wide = |line: &str| match line.split_once(", lost_ppm") {
            Some((_, rest)) if line.starts_with("range") => {
                format!("range = {{ min = -1_000_000_000_000, max = 1_000_000_000_000, lost_ppm{rest}")
            }
            _ => line.to_owned(),
        };
        let profile: Vec<String> = PROFILE.lines().chain(RULES.lines()).map(wide).collect();
        let mut town = Town::under(&profile.join("\n"), 1);
        for ((minute, quantity, value), boot) in values.into_iter().zip(boots) {
            let quantity = Quantity::of_number(quantity).unwrap();
            let mut sent = Sent { boot, ..sent(0, town.epoch.start + minute * MINUTE_MS, &[(quantity, value)]) };
            let humidity = (Quantity::RelativeHumidity, value.abs() % 10_000);
            if quantity != humidity.0 {
                sent.body = Body::one([(quantity, value), humidity]).unwrap().encode();
            }
            town.fresh.push(sent);
        }
        let judged = town.judged();
        judged.update(&mut town.carry);
        for verdict in &judged.verdicts {
            let lost: u32 = verdict.reasons.iter().map(|reason| reason.lost_ppm).sum();
            prop_assert!(verdict.amount == 0 || lost == PPM - verdict.score.get());
        }
    }
}

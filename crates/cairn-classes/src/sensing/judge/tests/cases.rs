//! The rules as cases. What belongs to one part of the judge alone stands in a file of that part's name.

use std::collections::BTreeMap;

use cairn_core::PPM;

use super::*;
use crate::sensing::judge::judge;
use crate::sensing::{Body, Document, Profile, Quantity, revision_1, sentence};
use crate::{Carry, Docket, Flags};

#[test]
fn a_value_is_held_against_its_neighbours() {
    // The crowd says 18.2 with one voice: S is the root of 6.0^2 and (a quarter of 18.2)^2, 7.5. Suspect beyond 2 S, and a
    // quarter lost at 3 S; failing from 4 S on.
    let cases: &[(i64, u32, &[&str])] = &[
        (182, PPM, &[]),
        (332, PPM, &[]),
        (333, 996_666, &["SEN-NEIGHBOUR-SUSPECT"]),
        (407, 750_000, &["SEN-NEIGHBOUR-SUSPECT"]),
        (444, 379_999, &["SEN-NEIGHBOUR-SUSPECT"]),
        (482, 0, &["SEN-NEIGHBOUR-FAIL"]),
        (32, PPM, &[]),
        (31, 996_666, &["SEN-NEIGHBOUR-SUSPECT"]),
        (0, 893_333, &["SEN-NEIGHBOUR-SUSPECT"]),
        (-1, 0, &["SEN-RANGE"]),
        (20_001, 0, &["SEN-RANGE"]),
    ];
    for &(value, score, expected) in cases {
        let verdict = Town::around(value).first();
        assert_eq!((verdict.score.get(), codes(&verdict)), (score, expected.to_vec()), "{value}");
        assert_eq!((verdict.amount, verdict.slot_ms), (DAY_MS, 7 * DAY_MS));
        assert_eq!((verdict.entries.clone(), verdict.account), (vec![105], account(1_000)));
    }
    let verdict = Town::around(610).first();
    assert_eq!(verdict.reasons[0].evidence, [100, 101, 102, 103, 104, 105]);
    assert_eq!(sentence(&verdict.reasons[0]), "PM10 61.0 ug/m3 where 5 neighbours say 18.2 (limit +30.0)");
}

#[test]
fn isolation_is_neither_punished_nor_boosted() {
    let too_few = |town: &Town| {
        let verdict = town.first();
        assert_eq!((verdict.score.get(), codes(&verdict)), (PPM, vec!["SEN-UNTESTED"]));
        verdict.reasons[0].observed
    };
    let mut alone = Town::of(1);
    alone.fresh = vec![pm10(0, 7, 500)];
    assert_eq!(too_few(&alone), 0);
    let mut far = Town::around(500);
    for n in 1..6 {
        far.site(n).position.lon_e7 += 100_000_000;
    }
    assert_eq!(too_few(&far), 0);
    let mut another_day = Town::around(500);
    another_day.fresh[2..5].iter_mut().for_each(|sent| sent.time_ms += DAY_MS);
    assert_eq!(too_few(&another_day), 2);
}

#[test]
fn an_owner_speaks_once_and_never_for_himself() {
    let mut own = Town::around(500);
    (1..6).for_each(|n| own.site(n).owner = account(0));
    assert_eq!(codes(&own.first()), ["SEN-UNTESTED"]);
    let mut crowd_of_one = Town::around(500);
    (1..6).for_each(|n| crowd_of_one.site(n).owner = account(9));
    let verdict = crowd_of_one.first();
    assert_eq!((codes(&verdict), verdict.reasons[0].observed), (vec!["SEN-UNTESTED"], 1));
}

#[test]
fn what_moves_is_judged_by_rules_of_its_own_and_vouches_for_nobody() {
    let mut moving = Town::around(500);
    moving.site(0).mobile = true;
    let verdict = moving.first();
    assert_eq!((verdict.amount, verdict.score.get(), codes(&verdict)), (0, 0, vec!["SEN-MOBILE"]));
    assert_eq!(sentence(&verdict.reasons[0]), "the network's profile does not judge devices that move: not scored");
    // With rules for it, it is held against its limits alone.
    let mut rule = moving.profile.quantities[&Quantity::Pm10].clone();
    rule.neighbours = None;
    rule.range.max = 600;
    moving.profile.mobile.insert(Quantity::Pm10, rule);
    let verdict = moving.first();
    assert_eq!((verdict.amount, verdict.score.get(), codes(&verdict)), (DAY_MS, PPM, vec![]));
    moving.fresh[5] = pm10(0, 7, 601);
    assert_eq!(codes(&moving.first()), ["SEN-RANGE"]);
    let mut others = Town::around(500);
    (1..4).for_each(|n| others.site(n).mobile = true);
    assert_eq!(codes(&others.first()), ["SEN-UNTESTED"]);
}

#[test]
fn what_may_not_speak_is_named_and_vouches_for_nobody() {
    type Edit = fn(&mut Sent);
    let cases: &[(Edit, &str, u64, &[u64])] = &[
        (|sent| sent.denied = Some(55), "SEN-DENIED", DAY_MS, &[55]),
        (|sent| sent.conflict = Some(66), "SEN-CONFLICT", DAY_MS, &[66]),
        (|sent| sent.flags = Flags::MAINTENANCE, "SEN-MAINTENANCE", 0, &[105]),
        (|sent| sent.received_ms = sent.time_ms - 300_001, "SEN-FUTURE", 0, &[105]),
        (|sent| sent.body = Body::one([(Quantity::Battery, 3_300)]).unwrap().encode(), "SEN-QUANTITY", 0, &[105]),
    ];
    for (edit, code, amount, evidence) in cases {
        let mut town = Town::around(182);
        edit(&mut town.fresh[5]);
        let verdict = town.first();
        assert_eq!((codes(&verdict), verdict.amount, verdict.score.get()), (vec![*code], *amount, 0));
        assert_eq!(verdict.reasons[0].evidence, *evidence, "{code}");
        assert_eq!(verdict.reasons[0].lost_ppm, if *amount == 0 { 0 } else { PPM });
        let mut silent = Town::around(500);
        silent.fresh[..3].iter_mut().for_each(edit);
        assert_eq!(codes(&silent.first()), ["SEN-UNTESTED"], "{code}");
    }
    let mut on_time = Town::around(182);
    on_time.fresh[5].received_ms = on_time.fresh[5].time_ms - 300_000;
    assert_eq!(codes(&on_time.first()), [""; 0]);
}

#[test]
fn good_readings_of_a_slot_count_although_others_may_not_speak() {
    let mut town = Town::around(182);
    town.fresh.push(Sent { denied: Some(55), ..pm10(0, 7, 9_000) });
    town.fresh.push(Sent { flags: Flags::MAINTENANCE, ..pm10(0, 7, 9_000) });
    let verdict = town.first();
    assert_eq!((verdict.amount, verdict.score.get()), (DAY_MS, PPM));
    assert_eq!(codes(&verdict), ["SEN-DENIED", "SEN-MAINTENANCE"]);
    assert_eq!(verdict.entries, [105, 106, 107]);
}

#[test]
fn readings_out_of_range_lose_their_part_of_the_slot() {
    let mut town = Town::around(182);
    let after = |ms, value| (ms, [(Quantity::Pm10, value)]);
    let readings =
        [after(0, 180), after(1, 181), after(2, 185), after(3, -7), after(4, 190), after(5, 176), after(6, 30_000)];
    town.fresh[5].body = Body::many(readings).unwrap().encode();
    let verdict = town.first();
    assert_eq!((codes(&verdict), verdict.score.get()), (vec!["SEN-RANGE"], PPM - 285_715));
    let reason = &verdict.reasons[0];
    assert_eq!((reason.observed, reason.threshold, reason.evidence.as_slice()), (30_000, 20_000, &[105][..]));
    assert_eq!(sentence(reason), "PM10 3000.0 ug/m3 is out of range (limit 2000.0) in 2 of 7 readings");
}

#[test]
fn a_slot_is_paid_once() {
    let mut town = Town::around(182);
    town.fresh[5].time_ms = 6 * DAY_MS;
    let late = town.first();
    assert_eq!((late.slot_ms, late.amount, codes(&late)), (6 * DAY_MS, DAY_MS, vec!["SEN-UNTESTED"]));
    town.context = vec![pm10(0, 6, 180)];
    let again = town.first();
    assert_eq!((again.amount, again.score.get(), codes(&again)), (0, 0, vec!["SEN-SLOT-JUDGED"]));
    assert_eq!(again.reasons[0].evidence, [100]);
    // Maintenance leaves the slot open.
    town.context[0].flags = Flags::MAINTENANCE;
    assert_eq!(town.first().amount, DAY_MS);
}

#[test]
fn a_slot_that_was_judged_stays_judged_whatever_is_said_later() {
    type Edit = fn(&mut Sent);
    type Change = fn(&mut Profile);
    let unchanged: Edit = |_| ();
    let as_before: Change = |_| ();
    let without_pm10: Change = |profile| profile.quantities.retain(|quantity, _| *quantity != Quantity::Pm10);
    let stricter_clock: Change = |profile| profile.future_ms = 0;
    let cases: &[(&str, Edit, Change)] = &[
        ("the profile no longer judges PM10", unchanged, without_pm10),
        ("a clock ahead is no longer tolerated", |sent| sent.received_ms = sent.time_ms - 1_000, stricter_clock),
        ("the earlier value was denied", |sent| sent.denied = Some(55), as_before),
        ("the earlier value is in conflict", |sent| sent.conflict = Some(66), as_before),
    ];
    for (case, edit, change) in cases {
        let mut town = Town::of(1);
        let late = Body::one([(Quantity::Pm25, 90)]).unwrap().encode();
        town.fresh = vec![Sent { body: late, received_ms: 8 * DAY_MS, ..pm10(0, 6, 0) }];
        town.context = vec![pm10(0, 6, 180)];
        edit(&mut town.context[0]);
        change(&mut town.profile);
        let verdicts = town.judge();
        let [verdict] = verdicts.as_slice() else { panic!("{case}: one slot, {verdicts:?}") };
        assert_eq!((verdict.amount, verdict.score.get(), codes(verdict)), (0, 0, vec!["SEN-SLOT-JUDGED"]), "{case}");
        assert_eq!(verdict.reasons[0].evidence, [100], "{case}");
        // Without the earlier value the late one would be paid.
        town.context.clear();
        let alone = town.judge();
        assert_eq!(alone[0].amount, DAY_MS, "{case}");
    }
}

#[test]
fn late_reports_meet_the_neighbours_of_their_own_day() {
    let mut town = Town::of(6);
    town.context = (1..6).map(|n| pm10(n, 6, 182)).collect();
    town.fresh = vec![pm10(0, 6, 900)];
    assert_eq!(codes(&town.first()), ["SEN-NEIGHBOUR-FAIL"]);
}

#[test]
fn a_batch_over_the_end_of_an_epoch_is_judged_once_in_each() {
    let week: Vec<_> = (0..4).map(|day| (day * DAY_MS, [(Quantity::Pm10, 182)])).collect();
    let batch = Sent { received_ms: 20 * DAY_MS, body: Body::many(week).unwrap().encode(), ..pm10(0, 5, 0) };
    let days = |town: &Town| town.judge().iter().map(|verdict| verdict.slot_ms / DAY_MS).collect::<Vec<_>>();
    let mut taken_in_before = Town::of(1);
    taken_in_before.context = vec![batch.clone()];
    assert_eq!(days(&taken_in_before), [7, 8]);
    let mut late = Town::of(1);
    late.fresh = vec![batch.clone()];
    assert_eq!(days(&late), [5, 6, 7, 8]);
    let mut early = Town::of(1);
    early.fresh = vec![Sent { time_ms: 12 * DAY_MS, ..batch }];
    assert_eq!(days(&early), [12, 13]);
}

#[test]
fn those_who_are_far_off_fall_silent_and_vouch_for_nobody() {
    // Two liars beside device 0, which would lie between them and the others. All others call them wrong, and without
    // them device 0 is far off.
    let mut town = Town::of(9);
    town.fresh = vec![pm10(1, 7, 900), pm10(2, 7, 900), pm10(0, 7, 500)];
    town.fresh.extend((3..9).map(|n| pm10(n, 7, 170 + n.cast_signed())));
    let scores: Vec<u32> =
        (0..9).map(|n| town.judge().iter().find(|verdict| verdict.device == device(n)).unwrap().score.get()).collect();
    assert_eq!(scores, [0, 0, 0, PPM, PPM, PPM, PPM, PPM, PPM]);
}

#[test]
fn the_worst_quantity_decides_and_small_doubts_do_not_multiply() {
    let mut town = Town::of(6);
    let both = |n: u64, pm10: i64, pm25: i64| {
        let body = Body::one([(Quantity::Pm10, pm10), (Quantity::Pm25, pm25)]).unwrap().encode();
        Sent { body, ..self::pm10(n, 7, 0) }
    };
    town.fresh = (1..6).map(|n| both(n, 182, 90)).collect();
    // The crowd says 18.2 and 9.0: S is 7.5 and 6.39, so 37.7 is 2.6 S off and 23.0 about 2.2 S.
    let cases = [
        ((182, 90), PPM, vec![]),
        ((377, 90), 850_000, vec![150_000]),
        ((377, 230), 850_000, vec![150_000, 0]),
        ((377, 900), 0, vec![150_000, 850_000]),
        ((900, 230), 0, vec![PPM, 0]),
    ];
    for ((first, second), score, lost) in cases {
        let mut town = town.clone();
        town.fresh.push(both(0, first, second));
        let verdict = town.first();
        assert_eq!(verdict.score.get(), score, "{first} {second}");
        assert_eq!(verdict.reasons.iter().map(|reason| reason.lost_ppm).collect::<Vec<_>>(), lost);
    }
}

#[test]
fn heights_are_accounted_for() {
    let pressure = |n: u64, value: i64| {
        let body = Body::one([(Quantity::Pressure, value)]).unwrap().encode();
        Sent { body, ..pm10(n, 7, 0) }
    };
    let mut town = Town::of(6);
    town.fresh = (1..6).map(|n| pressure(n, 101_300)).collect();
    town.fresh.push(pressure(0, 100_100));
    assert_eq!(codes(&town.first()), ["SEN-UNTESTED"]);
    (0..6).for_each(|n| town.site(n).altitude_cm = Some(1_000));
    assert_eq!(codes(&town.first()), ["SEN-NEIGHBOUR-FAIL"]);
    town.site(0).altitude_cm = Some(11_000);
    assert_eq!(codes(&town.first()), [""; 0]);
}

#[test]
fn a_docket_that_contradicts_itself_is_refused() {
    let town = Town::around(182);
    let refused = |docket: &Docket<'_>| judge(&town.profile, docket).map_err(|error| error.code());
    town.with(|docket| {
        assert_eq!(refused(&Docket { context: docket.fresh, ..*docket }), Err("CLS-DOCKET"));
        assert_eq!(refused(&Docket { end_ms: docket.start_ms - 1, ..*docket }), Err("CLS-DOCKET"));
        assert_eq!(refused(&Docket { sites: &BTreeMap::new(), ..*docket }), Err("CLS-SITE"));
        let carry = Carry::from([(device(0).0.to_vec(), vec![0])]);
        assert_eq!(refused(&Docket { carry: &carry, ..*docket }), Err("CLS-CARRY"));
    });
    assert_eq!(Town::of(0).judge(), []);
}

#[test]
fn a_document_of_another_form_scores_nothing_and_says_so() {
    let town = Town::around(182);
    let two = Document::Two(Box::new(town.profile.clone()));
    let one = Document::One(revision_1::Profile::parse(revision_1::SENSING_DAILY_PM).unwrap());
    for (revision, document) in [(1, two), (2, one)] {
        let judged = town.with(|docket| crate::sensing::judge(revision, &document, docket)).unwrap();
        assert_eq!((judged.verdicts.len(), judged.carry.len()), (6, 0));
        for verdict in judged.verdicts {
            assert_eq!((verdict.amount, verdict.score.get(), codes(&verdict)), (0, 0, vec!["SEN-PROFILE"]));
        }
    }
}

//! The rules as cases on a small town; the laws on random ones and the golden verdicts are in `laws`.

mod laws;

use std::collections::BTreeMap;

use cairn_core::cbor::Value;
use cairn_core::geo::Position;
use cairn_core::{Account, DeviceId, Hash, PPM, Reason, Verdict};

use super::{Assessed, assess, judge};
use crate::sensing::revision_1::{Profile, SENSING_DAILY_PM, SENSING_STATION};
use crate::sensing::{Body, Document, Quantity, sentence};
use crate::{Carry, ClassError, Docket, Flags, Judged, Report, Site};

const DAY_MS: u64 = 86_400_000;
/// The epoch of the cases: days 7 to 13.
const EPOCH: std::ops::Range<u64> = 7 * DAY_MS..14 * DAY_MS;

fn account(n: u64) -> Account {
    Account::parse(&format!("eip155:31337:0x{n:040x}")).unwrap()
}

fn device(n: u64) -> DeviceId {
    DeviceId::of_key(&n.to_be_bytes())
}

/// What a device sent.
#[derive(Debug, Clone)]
struct Sent {
    device: u64,
    time_ms: u64,
    received_ms: u64,
    flags: u32,
    body: Value,
    denied: Option<u64>,
    conflict: Option<u64>,
}

/// A day's mean of PM10, in 0.1 ug/m3.
fn pm10(device: u64, day: u64, value: i64) -> Sent {
    let body = Body::one([(Quantity::Pm10, value)]).unwrap().encode();
    Sent {
        device,
        time_ms: day * DAY_MS,
        received_ms: (day + 1) * DAY_MS,
        flags: 0,
        body,
        denied: None,
        conflict: None,
    }
}

/// Devices on a line, 10 km apart, each of its own owner, and what they sent: to judge, and before.
#[derive(Debug, Clone, Default)]
struct Town {
    sites: BTreeMap<DeviceId, Site>,
    fresh: Vec<Sent>,
    context: Vec<Sent>,
}

impl Town {
    fn of(devices: u64) -> Self {
        let mut town = Self::default();
        for n in 0..devices {
            let site = Site {
                owner: account(n),
                position: Position { lat_e7: 500_000_000 + i32::try_from(n).unwrap() * 900_000, lon_e7: 100_000_000 },
                altitude_cm: None,
                enrolled_index: n + 1,
                mobile: false,
                anchor: false,
            };
            town.sites.insert(device(n), site);
        }
        town
    }

    /// A town where everyone but device 0 says 18.2 on day 7, and device 0 says `value`.
    fn around(value: i64) -> Self {
        let mut town = Self::of(6);
        town.fresh = (1..6).map(|n| pm10(n, 7, 182)).collect();
        town.fresh.push(pm10(0, 7, value));
        town
    }

    fn site(&mut self, n: u64) -> &mut Site {
        self.sites.get_mut(&device(n)).unwrap()
    }

    /// Runs `with` on the docket, entries numbered from 100: first the context, then what is fresh.
    fn with<T>(&self, with: impl Fn(&Docket<'_>) -> T) -> T {
        let indices: Vec<u64> = (0..(self.context.len() + self.fresh.len()) as u64).collect();
        self.with_indices(&indices, with)
    }

    fn with_indices<T>(&self, indices: &[u64], with: impl Fn(&Docket<'_>) -> T) -> T {
        let mut reports: Vec<Report<'_>> = self
            .context
            .iter()
            .chain(&self.fresh)
            .zip(indices)
            .map(|(sent, index)| Report {
                index: 100 + index,
                device: device(sent.device),
                bridge: None,
                boot: 0,
                seq: 0,
                clock: None,
                account: account(1_000 + sent.device),
                time_ms: sent.time_ms,
                received_ms: sent.received_ms,
                flags: sent.flags,
                body: &sent.body,
                denied: sent.denied,
                conflict: sent.conflict,
            })
            .collect();
        let fresh = reports.split_off(self.context.len());
        with(&Docket {
            network_epoch: 1,
            start_ms: EPOCH.start,
            end_ms: EPOCH.end,
            sites: &self.sites,
            fresh: &fresh,
            context: &reports,
            carry: &Carry::new(),
            jobs: &[],
            salt: Hash::of(b"the epoch before"),
        })
    }

    fn judge(&self) -> Vec<Verdict> {
        let profile = Profile::parse(SENSING_DAILY_PM).unwrap();
        self.with(|docket| judge(&profile, docket)).unwrap()
    }

    fn assess(&self) -> Vec<Assessed> {
        let profile = Profile::parse(SENSING_DAILY_PM).unwrap();
        self.with(|docket| assess(&profile, docket)).unwrap()
    }

    /// The verdict over device 0's first slot.
    fn first(&self) -> Verdict {
        self.judge().into_iter().find(|verdict| verdict.device == device(0)).expect("device 0 is judged")
    }
}

fn codes(verdict: &Verdict) -> Vec<&str> {
    verdict.reasons.iter().map(|reason| reason.code.as_str()).collect()
}

#[test]
fn a_value_is_held_against_its_neighbours() {
    // Median 18.2: suspect above 34.5 and below 4.6, failing above 41.8 and below 3.2.
    let cases: &[(i64, u32, &[&str])] = &[
        (182, PPM, &[]),
        (345, PPM, &[]),
        (346, 750_000, &["SEN-NEIGHBOUR-SUSPECT"]),
        (418, 750_000, &["SEN-NEIGHBOUR-SUSPECT"]),
        (419, 0, &["SEN-NEIGHBOUR-FAIL"]),
        (46, PPM, &[]),
        (45, 750_000, &["SEN-NEIGHBOUR-SUSPECT"]),
        (17, 0, &["SEN-NEIGHBOUR-FAIL"]),
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
    assert_eq!(sentence(&verdict.reasons[0]), "PM10 61.0 ug/m3 where 5 neighbours say 18.2 (limit +23.6)");
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
fn a_moving_device_is_not_compared_and_vouches_for_nobody() {
    let mut moving = Town::around(500);
    moving.site(0).mobile = true;
    let verdict = moving.first();
    assert_eq!((verdict.score.get(), codes(&verdict)), (PPM, vec!["SEN-MOBILE"]));
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
        let mut profile = Profile::parse(SENSING_DAILY_PM).unwrap();
        change(&mut profile);
        let verdicts = town.with(|docket| judge(&profile, docket)).unwrap();
        let [verdict] = verdicts.as_slice() else { panic!("{case}: one slot, {verdicts:?}") };
        assert_eq!((verdict.amount, verdict.score.get(), codes(verdict)), (0, 0, vec!["SEN-SLOT-JUDGED"]), "{case}");
        assert_eq!(verdict.reasons[0].evidence, [100], "{case}");
        // Without the earlier value the late one would be paid.
        town.context.clear();
        let alone = town.with(|docket| judge(&profile, docket)).unwrap();
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
fn a_copy_of_a_senior_device_loses_its_window_and_the_senior_nothing() {
    let town = |copier: u64, days: u64, edit: &dyn Fn(u64, i64) -> i64| {
        let mut town = Town::of(6);
        for day in 0..days {
            for n in 0..5 {
                let value = 150 + ((n * 37 + day * 23) % 41).cast_signed();
                town.fresh.push(pm10(n, 7 + day, value));
            }
            let copied = 150 + ((2 * 37 + day * 23) % 41).cast_signed();
            town.fresh.push(pm10(5, 7 + day, edit(day, copied)));
        }
        town.site(5).enrolled_index = if copier == 5 { 77 } else { 0 };
        let verdicts = town.judge();
        let copies = |verdict: &&Verdict| codes(verdict).contains(&"SEN-COPY");
        let accused: Vec<DeviceId> = verdicts.iter().filter(copies).map(|verdict| verdict.device).collect();
        for verdict in verdicts.iter().filter(copies) {
            assert_eq!((verdict.score.get(), verdict.reasons[0].evidence.len()), (0, 2));
        }
        accused
    };
    assert_eq!(town(5, 7, &|_, value| value), [device(5); 7]);
    assert_eq!(town(2, 7, &|_, value| value), [device(2); 7]);
    assert_eq!(town(5, 5, &|_, value| value), [device(5); 5]);
    assert_eq!(town(5, 4, &|_, value| value), []);
    assert_eq!(town(5, 7, &|day, value| value + i64::from(day == 3)), []);
}

#[test]
fn one_owners_devices_and_still_air_are_no_copies() {
    let mut town = Town::of(2);
    for day in 7..14 {
        town.fresh.extend([pm10(0, day, 150), pm10(1, day, 150)]);
    }
    assert!(town.judge().iter().all(|verdict| codes(verdict) == ["SEN-UNTESTED"]));
    for (n, sent) in town.fresh.iter_mut().enumerate() {
        sent.body = pm10(0, 0, 150 + (n / 2) as i64).body;
    }
    assert_eq!(town.judge().iter().filter(|verdict| codes(verdict)[0] == "SEN-COPY").count(), 7);
    town.site(1).owner = account(0);
    assert!(town.judge().iter().all(|verdict| codes(verdict) == ["SEN-UNTESTED"]));
}

#[test]
fn a_crowd_of_copies_points_to_the_eldest() {
    let mut town = Town::of(40);
    for day in 7..14 {
        town.fresh.extend((0..40).map(|n| pm10(n, day, 100 + day.cast_signed())));
    }
    for verdict in town.judge() {
        let expected: &[&str] = if verdict.device == device(0) { &["SEN-UNTESTED"] } else { &["SEN-COPY"] };
        assert_eq!(codes(&verdict)[..1], *expected, "{}", verdict.device);
        if verdict.device != device(0) {
            assert_eq!(verdict.reasons[0].check, format!("series equal to {}", device(0)));
        }
    }
}

#[test]
fn those_who_fail_do_not_speak_in_the_next_round() {
    // Two liars beside device 0: with them, five voices have the median 30 and device 0 passes as they do. All others
    // call them wrong, and without them device 0 is far off.
    let mut town = Town::of(9);
    town.fresh = vec![pm10(1, 7, 900), pm10(2, 7, 900), pm10(0, 7, 440)];
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
    let cases = [
        ((182, 90), PPM, vec![]),
        ((400, 90), 750_000, vec![250_000]),
        ((400, 215), 750_000, vec![250_000, 0]),
        ((400, 900), 0, vec![250_000, 750_000]),
        ((900, 215), 0, vec![PPM, 0]),
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
    let profile = Profile::parse(SENSING_STATION).unwrap();
    let pressure = |n: u64, value: i64| {
        let body = Body::one([(Quantity::Pressure, value)]).unwrap().encode();
        Sent { body, ..pm10(n, 7, 0) }
    };
    let mut town = Town::of(6);
    town.fresh = (1..6).map(|n| pressure(n, 101_300)).collect();
    town.fresh.push(pressure(0, 100_100));
    let first = |town: &Town| {
        let verdicts = town.with(|docket| judge(&profile, docket)).unwrap();
        verdicts.into_iter().find(|verdict| verdict.device == device(0)).unwrap()
    };
    assert_eq!(codes(&first(&town)), ["SEN-UNTESTED"]);
    (0..6).for_each(|n| town.site(n).altitude_cm = Some(1_000));
    assert_eq!(codes(&first(&town)), ["SEN-NEIGHBOUR-FAIL"]);
    town.site(0).altitude_cm = Some(11_000);
    assert_eq!(codes(&first(&town)), [""; 0]);
}

#[test]
fn a_docket_that_contradicts_itself_is_refused() {
    let profile = Profile::parse(SENSING_DAILY_PM).unwrap();
    let town = Town::around(182);
    let refused = |docket: &Docket<'_>| judge(&profile, docket).map_err(|error| error.code());
    town.with(|docket| {
        assert_eq!(refused(&Docket { context: docket.fresh, ..*docket }), Err("CLS-DOCKET"));
        assert_eq!(refused(&Docket { end_ms: docket.start_ms - 1, ..*docket }), Err("CLS-DOCKET"));
        assert_eq!(refused(&Docket { sites: &BTreeMap::new(), ..*docket }), Err("CLS-SITE"));
        let unknown = ClassError::UnknownRevision { schema: "sensing/1", revision: 99 };
        let document = Document::One(profile.clone());
        assert_eq!(crate::sensing::judge(99, &document, docket), Err(unknown));
        let judged = Judged { verdicts: judge(&profile, docket).unwrap(), carry: Vec::new() };
        assert_eq!(crate::judge("sensing/1", 1, SENSING_DAILY_PM, docket), Ok(judged));
    });
    assert_eq!(Town::default().judge(), []);
}

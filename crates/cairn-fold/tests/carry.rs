//! What judges remember: carried from epoch to epoch, hashed into the state, and never handed to a judge that did not
//! write it; and documents that do not fit each other, which close epochs all the same.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;

use cairn_core::cbor::{Decoder, Encoder};
use cairn_core::entry::EntryKind;
use cairn_core::report::{ClockSource, ReportBody, sign_report};
use cairn_core::statement::{Body, PolicyDocument, ProfileDocument};
use cairn_core::{DeviceId, Payout, Verdict};
use cairn_fold::{Closed, Effect, State, carry_records, root_of};
use cairn_testkit::network::{CLASS, DAY_MS, MemoryNetwork, SeededDevice, Terms, daily_profile, policy};

/// Days of an epoch.
const WEEK: u64 = 7;

struct Story {
    network: MemoryNetwork,
    devices: Vec<SeededDevice>,
    day: u64,
}

impl Story {
    /// Five devices under a revision of the judge and the profile that it reads.
    fn begin(revision: u32) -> Self {
        Self::under(&policy(revision), daily_profile(revision))
    }

    fn under(policy: &str, profile: &str) -> Self {
        let clock = cairn_core::key::SecretKey::ed25519([252; 32]);
        let mut network = MemoryNetwork::under(Terms::default(), policy, profile, clock);
        let devices = network.enrol_grid(5);
        Self { network, devices, day: 0 }
    }

    /// One epoch more, in which all devices report daily, and its closing.
    fn week(&mut self) -> &Closed {
        let terms = Terms::default();
        for day in self.day..self.day + WEEK {
            self.network.pass_to(terms.zero_ms + (day + 1) * DAY_MS);
            for (n, device) in (0i64..).zip(&self.devices) {
                let value = 200 + i64::try_from(day * 7 % 40).unwrap() + n;
                let seq = u32::try_from(day).unwrap();
                assert_eq!(self.network.send(device, seq, terms.zero_ms + day * DAY_MS, value).1, None);
            }
        }
        self.day += WEEK;
        let epoch = self.day / WEEK - 1;
        self.network.pass_to(terms.zero_ms + self.day * DAY_MS + terms.grace_ms);
        let closed = self.network.closed.last().unwrap();
        assert_eq!(closed.statement.number, epoch);
        closed
    }

    fn policy(&mut self, first_epoch: u64, revision: u32) {
        let document = policy(revision).into_bytes();
        assert_eq!(self.network.operate(Body::Policy(PolicyDocument { first_epoch, document })).1, None);
    }

    fn profile(&mut self, first_epoch: u64, document: &str) {
        let document = document.as_bytes().to_vec();
        let profile = ProfileDocument { first_epoch, class: CLASS.into(), document };
        assert_eq!(self.network.operate(Body::Profile(profile)).1, None);
    }

    fn carried(&self) -> Option<(u32, usize)> {
        self.network.fold.state().carry.get(CLASS).map(|carried| (carried.revision, carried.records.len()))
    }
}

fn reasons(closed: &Closed) -> BTreeSet<String> {
    let verdicts = closed.verdicts.iter().map(|row| Verdict::decode(row).unwrap());
    verdicts.flat_map(|verdict| verdict.reasons).map(|reason| reason.code).collect()
}

fn paid_to_devices(closed: &Closed) -> usize {
    closed.payouts.iter().filter(|row| Payout::decode(row).unwrap().device.is_some()).count()
}

#[test]
fn each_epoch_goes_on_from_what_the_one_before_remembered() {
    let mut story = Story::begin(2);
    let mut before: Vec<Vec<u8>> = Vec::new();
    for week in 1..=3 {
        let closed = story.week();
        assert_eq!(closed.carry().len(), 5, "one record for each device");
        assert_ne!(closed.carry(), before, "week {week} was remembered");
        assert_eq!(root_of(&closed.records), closed.statement.state_root);
        before = closed.carry().to_vec();
    }
}

/// The last slot that a device's record says was taken into it.
fn last_slot(story: &Story, device: &SeededDevice) -> u64 {
    let mut input = Decoder::over(&story.network.fold.state().carry[CLASS].records[&device.id.0[..]]);
    input.array().unwrap();
    let (_version, _good_slots) = (input.uint().unwrap(), input.uint().unwrap());
    input.uint().unwrap()
}

#[test]
fn a_judge_is_handed_what_it_wrote() {
    let mut story = Story::begin(2);
    let silent = story.devices.pop().unwrap();
    let terms = Terms::default();
    let newest = terms.zero_ms / DAY_MS + 5;
    story.network.pass_to(terms.zero_ms + 6 * DAY_MS);
    assert_eq!(story.network.send(&silent, 5, terms.zero_ms + 5 * DAY_MS, 205).1, None);
    story.week();
    assert_eq!(last_slot(&story, &silent), newest);
    // All that comes in the second week is a day of the first: whoever remembers nothing would take it for the newest.
    assert_eq!(story.network.send(&silent, 2, terms.zero_ms + 2 * DAY_MS, 205).1, None);
    story.week();
    assert_eq!(last_slot(&story, &silent), newest);
}

#[test]
fn an_epoch_in_which_nobody_reports_forgets_nothing() {
    let mut story = Story::begin(2);
    let before = story.week().carry().to_vec();
    story.network.pass_to(Terms::default().zero_ms + 30 * DAY_MS);
    assert_eq!(story.network.closed.len(), 4);
    assert_eq!(story.network.closed[3].carry(), before);
}

#[test]
fn what_is_remembered_grows_with_devices_and_not_with_time() {
    let mut story = Story::begin(2);
    for _ in 0..6 {
        story.week();
    }
    let ids: BTreeSet<Vec<u8>> = story.devices.iter().map(|device| device.id.0.to_vec()).collect();
    let records = &story.network.fold.state().carry[CLASS].records;
    assert!(records.keys().all(|key| ids.contains(key)));
    assert!(records.values().all(|value| value.len() <= 4_096), "a record is a page at most");
}

#[test]
fn revision_1_remembers_nothing_and_has_no_records_of_it() {
    let mut story = Story::begin(1);
    for _ in 0..2 {
        assert!(story.week().carry().is_empty());
    }
    assert!(story.network.fold.state().carry.is_empty());
}

#[test]
fn a_memory_is_forgotten_when_another_revision_judges() {
    let mut story = Story::begin(2);
    story.week();
    assert_eq!(story.carried(), Some((2, 5)));
    story.policy(2, 1);
    story.profile(2, daily_profile(1));
    story.policy(3, 2);
    story.profile(3, daily_profile(2));
    story.week();
    assert_eq!(story.carried(), Some((2, 5)), "epoch 1 is still judged by revision 2");
    assert!(story.week().carry().is_empty(), "epoch 2 is judged by revision 1");
    let again = story.week().carry().to_vec();
    // Epoch 3 begins anew: its records say what those of a first epoch under revision 2 say of the same days.
    let mut anew = Story::begin(1);
    anew.policy(3, 2);
    anew.profile(3, daily_profile(2));
    for _ in 0..4 {
        anew.week();
    }
    assert_eq!(again, anew.network.closed[3].carry());
}

#[test]
fn a_memory_is_forgotten_when_slots_change_their_length_and_kept_when_thresholds_change() {
    let weeks = |profile: Option<&str>| {
        let mut story = Story::begin(2);
        story.week();
        if let Some(profile) = profile {
            story.profile(2, profile);
        }
        story.week();
        story.week();
        let state = story.network.fold.state();
        assert_eq!(state.carry_of(CLASS, 1), None);
        state.carry_of(CLASS, 2).unwrap().clone()
    };
    let (kept, changed) = (weeks(None), daily_profile(2).replace("max = 20_000", "max = 19_000"));
    assert_ne!(changed, daily_profile(2));
    assert_eq!(weeks(Some(&changed)), kept);
    let halved = daily_profile(2).replace("slot_ms = 86_400_000", "slot_ms = 43_200_000");
    assert_ne!(weeks(Some(&halved)), kept);
}

#[test]
fn a_class_that_is_judged_no_more_is_forgotten() {
    let mut story = Story::begin(2);
    story.week();
    let document = policy(2).replace("sensing/1", "compute/1").into_bytes();
    // No judge of another class is known, so the policy is void and the memory stays.
    assert!(story.network.operate(Body::Policy(PolicyDocument { first_epoch: 2, document })).1.is_some());
    story.week();
    assert_eq!(story.carried(), Some((2, 5)));
}

#[test]
fn documents_that_do_not_fit_pay_nobody_and_close_every_epoch() {
    for (revision, form) in [(1, 2), (2, 1)] {
        let mut story = Story::under(&policy(revision), daily_profile(form));
        for _ in 0..2 {
            let closed = story.week().clone();
            assert_eq!(reasons(&closed), BTreeSet::from(["SEN-PROFILE".to_owned()]), "{revision} with form {form}");
            assert_eq!((closed.verdicts.len(), paid_to_devices(&closed)), (35, 0));
            let (_, balance) = &closed.statement.asset;
            assert!(balance.balances());
            // The default policy gives what no pool paid to the treasury: all of the epoch's pot.
            let residual = closed.payouts.iter().map(|row| Payout::decode(row).unwrap().amount).collect::<Vec<_>>();
            assert_eq!(residual, [balance.minted]);
            assert_eq!((balance.paid, balance.closing()), (balance.minted, Some(cairn_core::Amount::ZERO)));
        }
        assert_eq!(story.carried(), None);
    }
}

#[test]
fn policy_and_profile_change_over_together() {
    let mut story = Story::begin(1);
    story.week();
    story.policy(2, 2);
    story.profile(2, daily_profile(2));
    for (epoch, revision) in [(1, 1), (2, 2), (3, 2_u64)] {
        let closed = story.week().clone();
        assert_eq!(closed.statement.number, epoch);
        assert_eq!(closed.statement.classes[0].revision, revision);
        assert!(!reasons(&closed).contains("SEN-PROFILE"), "epoch {epoch}");
        assert!(paid_to_devices(&closed) > 0, "epoch {epoch}");
        assert_eq!(closed.carry().is_empty(), revision == 1);
    }
}

#[test]
fn a_profile_that_comes_an_epoch_late_costs_that_epoch_and_no_memory() {
    let mut story = Story::begin(2);
    story.week();
    story.profile(2, daily_profile(1));
    story.profile(3, daily_profile(2));
    let before = story.week().carry().to_vec();
    let closed = story.week().clone();
    assert_eq!((reasons(&closed), paid_to_devices(&closed)), (BTreeSet::from(["SEN-PROFILE".to_owned()]), 0));
    assert_eq!(closed.carry(), before, "the revision is the one that wrote it, and its memory waits");
    assert!(!reasons(story.week()).contains("SEN-PROFILE"));
}

#[test]
fn a_reports_clock_reaches_the_judge() {
    let mut case = Story::begin(2);
    let device = &case.devices[0];
    let values = cairn_core::cbor::Value::map(vec![(4, cairn_core::cbor::Value::Int(200))]);
    let mut body = ReportBody::of(0, 0, case.network.now_ms, CLASS, values);
    body.clock = Some((ClockSource::Ntp, 250));
    let bytes = sign_report(&device.key, device.id, &case.network.id, &body);
    let entry = cairn_core::entry::Entry { kind: EntryKind::Report, received_ms: case.network.now_ms, body: &bytes };
    let Effect::Report(accepted) = case.network.fold.check(&entry).unwrap() else { panic!("a report") };
    assert_eq!(accepted.clock, Some(cairn_classes::Clock { source: 3, error_ms: 250 }));
    assert_eq!(case.network.log(EntryKind::Report, &bytes).1, None);
    assert_eq!(case.network.fold.open_reports().next().unwrap().clock, accepted.clock);
}

/// A record of table 17, as the state writes it.
fn record(revision: u64, key: &[u8]) -> Vec<u8> {
    let key = Encoder::empty().array(3).text(CLASS).uint(revision).bytes(key).take();
    let value = Encoder::empty().bytes(b"memory").take();
    Encoder::empty().array(3).uint(17).bytes(&key).bytes(&value).take()
}

#[test]
fn the_records_of_a_memory_are_the_last_ones_and_of_one_revision() {
    let mut story = Story::begin(2);
    let closed = story.week();
    let (first, of_carry) = closed.records.split_at(closed.records.len() - 5);
    assert_eq!(carry_records(&closed.records), of_carry);
    assert!(carry_records(first).is_empty());
    for row in of_carry {
        let mut input = Decoder::over(row);
        input.array_exact(3).unwrap();
        assert_eq!(input.uint().unwrap(), 17);
    }
    let plain = first.to_vec();
    let with = |added: &[Vec<u8>]| {
        let mut records = [plain.clone(), added.to_vec()].concat();
        records.sort_unstable();
        State::from_records(&records).map(|state| state.carry.get(CLASS).map(|carried| carried.revision))
    };
    let ids = [DeviceId([1; 16]).0, DeviceId([2; 16]).0];
    assert_eq!(with(&[]), Ok(None));
    assert_eq!(with(&[record(7, &ids[0]), record(7, &ids[1])]), Ok(Some(7)));
    assert!(with(&[record(1, &ids[0]), record(2, &ids[1])]).is_err(), "two revisions");
    let broken = Encoder::empty().array(3).uint(17).bytes(b"").bytes(b"").take();
    assert!(with(&[broken]).is_err());
}

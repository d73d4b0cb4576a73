//! The law of bridges: what a bridge may say for whom, whose each part of it is, and that it is as lawful as any report.

#![allow(clippy::unwrap_used)]

use cairn_core::cbor::Value;
use cairn_core::entry::EntryKind;
use cairn_core::geo::{Cell, Position};
use cairn_core::report::{Report, ReportBody, ReportedPlace, sign_report};
use cairn_core::statement::{Body, Conflict, Deny, Draft, Enrol, Mobility, PayeeChoice, Role, Transfer};
use cairn_core::{DeviceId, Payout, Verdict};
use cairn_fold::Refusal;
use cairn_testkit::network::{CLASS, DAY_MS, MemoryNetwork, SeededDevice, Terms, daily_profile, policy, with_bridges};

const REVISIONS: [u32; 2] = [1, 2];

/// What the policy calls a second class, which it lets no bridge report for.
const OTHER: &str = "compute/1";

fn terms() -> Terms {
    Terms::default()
}

/// A network whose policy lets bridges in, or not, with four devices of one owner each and a bridge of the first one's.
fn network(revision: u32, lets_in: bool) -> (MemoryNetwork, Vec<SeededDevice>, SeededDevice) {
    let document = if lets_in { with_bridges(&policy(revision)) } else { policy(revision) };
    let document = format!("{document}\n[classes.\"{OTHER}\"]\nrevision = 1\n");
    let clock = cairn_core::key::SecretKey::ed25519([252; 32]);
    let mut network = MemoryNetwork::under(terms(), &document, daily_profile(revision), clock);
    let devices = network.enrol_grid(8);
    let bridge = SeededDevice::of(90);
    let enrolment = network.bridge_enrolment(&bridge, &devices[0]);
    assert_eq!(code(network.log(EntryKind::Statement, &enrolment.encode())), "valid");
    (network, devices, bridge)
}

fn code(logged: (u64, Option<Refusal>)) -> &'static str {
    logged.1.map_or("valid", |refusal| refusal.code)
}

fn body(seq: u32, subject: Option<DeviceId>) -> ReportBody {
    let body = ReportBody::of(0, seq, terms().zero_ms, CLASS, Value::map(vec![(4, Value::Int(200))]));
    ReportBody { subject: subject.map(|id| id.0), ..body }
}

fn say(network: &mut MemoryNetwork, signer: &SeededDevice, body: &ReportBody) -> &'static str {
    let bytes = sign_report(&signer.key, signer.id, &network.id, body);
    code(network.log(EntryKind::Report, &bytes))
}

/// Enrols a device of the first one's owner, as something else or elsewhere; the id.
fn enrol(network: &mut MemoryNetwork, seed: u8, edit: impl Fn(Enrol) -> Enrol) -> SeededDevice {
    let (device, owner) = (SeededDevice::of(seed), SeededDevice::of(1));
    let place = Position::of(500_000_000, 100_000_000).unwrap();
    let enrol = edit(Enrol {
        key: device.key.public(),
        owner: owner.account.clone(),
        role: Role::Device,
        classes: vec![CLASS.into()],
        model: "test".into(),
        mobility: Mobility::Fixed,
        cell: Cell::containing(place, 8).unwrap().index(),
        exact: None,
        altitude_cm: None,
    });
    let nonce = network.next_nonce();
    let draft = Draft::of(Some(network.id), Body::Enrol(enrol), nonce, u64::MAX >> 1);
    let operator = network.operator.clone();
    let statement = draft.signed_by(&device.key).signed_by(&operator).signed_by_wallet(&owner.wallet).finish();
    assert_eq!(code(network.log(EntryKind::Statement, &statement.encode())), "valid");
    device
}

#[test]
fn without_the_policys_word_no_report_of_a_bridge_is_valid() {
    let (mut network, devices, bridge) = network(2, false);
    for subject in [None, Some(devices[0].id), Some(bridge.id), Some(DeviceId([1; 16]))] {
        assert_eq!(say(&mut network, &bridge, &body(0, subject)), "RPT-BRIDGE", "{subject:?}");
    }
    assert_eq!(say(&mut network, &devices[0], &body(0, Some(devices[1].id))), "RPT-SUBJECT");
}

#[test]
fn a_bridge_reports_only_for_enrolled_devices_of_its_own_owner() {
    let (mut network, devices, bridge) = network(2, true);
    let as_a = |role| move |enrol| Enrol { role, ..enrol };
    let [second, buyer, worker, anchor] =
        [(70, Role::Bridge), (71, Role::Buyer), (72, Role::Worker), (73, Role::Anchor)]
            .map(|(seed, role)| enrol(&mut network, seed, as_a(role)));
    let elsewhere = enrol(&mut network, 74, |enrol| Enrol { classes: vec![OTHER.into()], ..enrol });
    let narrow = enrol(&mut network, 75, |enrol| Enrol { role: Role::Bridge, classes: vec![OTHER.into()], ..enrol });
    let exact = enrol(&mut network, 76, |enrol| Enrol { exact: Some((500_000_000, 100_000_000)), ..enrol });
    let retired = enrol(&mut network, 77, |enrol| enrol);
    assert_eq!(code(network.own(&devices[0].wallet, Body::Retire(retired.id))), "valid");
    let mine = devices[0].id;
    let of = |subject: DeviceId| body(0, Some(subject));
    let here = ReportedPlace::Exact { lat_e7: 500_000_000, lon_e7: 100_000_000, altitude: None };
    let cases = [
        ("nobody", &bridge, body(0, None), "RPT-SUBJECT"),
        ("a stranger", &bridge, of(DeviceId([1; 16])), "RPT-SUBJECT"),
        ("itself", &bridge, of(bridge.id), "RPT-SUBJECT"),
        ("another bridge", &bridge, of(second.id), "RPT-SUBJECT"),
        ("a buyer", &bridge, of(buyer.id), "RPT-SUBJECT"),
        ("a retired device", &bridge, of(retired.id), "RPT-SUBJECT"),
        ("another owner's device", &bridge, of(devices[1].id), "RPT-SUBJECT"),
        ("a device that is not enrolled in the class", &bridge, of(elsewhere.id), "RPT-CLASS"),
        ("by a bridge that is not enrolled in the class", &narrow, of(mine), "RPT-CLASS"),
        (
            "of a class that the policy lets no bridge report for",
            &narrow,
            ReportBody { schema: OTHER.into(), ..of(elsewhere.id) },
            "RPT-BRIDGE",
        ),
        (
            "an exact place without its opt-in",
            &bridge,
            ReportBody { place: Some(here.clone()), ..of(mine) },
            "RPT-PLACE",
        ),
        ("before its enrolment", &bridge, ReportBody { time_ms: terms().zero_ms - 1, ..of(mine) }, "RPT-BEFORE-START"),
        ("by a device that is no bridge", &devices[0], of(devices[0].id), "RPT-SUBJECT"),
        ("its owner's device", &bridge, of(mine), "valid"),
        ("the same name again, of another", &bridge, of(worker.id), "RPT-DUPLICATE"),
        ("a worker that measures, too", &bridge, body(1, Some(worker.id)), "valid"),
        ("an anchor, which the operator let in", &bridge, body(2, Some(anchor.id)), "valid"),
        ("an exact place after opt-in", &bridge, ReportBody { place: Some(here), ..body(3, Some(exact.id)) }, "valid"),
        ("by another bridge under the same number", &second, of(mine), "valid"),
    ];
    for (what, signer, body, expected) in cases {
        assert_eq!(say(&mut network, signer, &body), expected, "{what}");
    }
    // The device's own names are free: a name is the signer's.
    assert_eq!(say(&mut network, &devices[0], &body(0, None)), "valid");
    let forged = sign_report(&devices[0].key, bridge.id, &network.id, &body(9, Some(mine)));
    assert_eq!(code(network.log(EntryKind::Report, &forged)), "RPT-SIGNATURE", "the subject's key is not the bridge's");
    let transfer = Body::Transfer(Transfer { device: mine, owner: devices[1].account.clone() });
    let nonce = network.next_nonce();
    let draft = Draft::of(Some(network.id), transfer, nonce, u64::MAX >> 1);
    let sold = draft.signed_by_wallet(&devices[0].wallet).signed_by_wallet(&devices[1].wallet).finish();
    assert_eq!(code(network.log(EntryKind::Statement, &sold.encode())), "valid");
    assert_eq!(say(&mut network, &bridge, &body(10, Some(mine))), "RPT-SUBJECT", "it changed hands");
    assert_eq!(code(network.own(&devices[0].wallet, Body::Retire(bridge.id))), "valid");
    assert_eq!(say(&mut network, &bridge, &body(11, Some(worker.id))), "RPT-RETIRED");
}

/// The verdicts of a device, and what it was paid from the pool of readings.
fn of_device(network: &MemoryNetwork, device: DeviceId) -> (Vec<Verdict>, Vec<Payout>) {
    let closed = &network.closed;
    let verdicts = closed.iter().flat_map(|closed| &closed.verdicts).map(|row| Verdict::decode(row).unwrap());
    let payouts = closed.iter().flat_map(|closed| &closed.payouts).map(|row| Payout::decode(row).unwrap());
    let is_its = |payout: &Payout| payout.device == Some(device) && payout.pool == "readings";
    (verdicts.filter(|verdict| verdict.device == device).collect(), payouts.filter(is_its).collect())
}

#[test]
fn what_a_bridge_says_is_its_subjects_to_the_payee_and_a_slot_is_paid_once_whoever_signed() {
    for revision in REVISIONS {
        let (mut network, devices, bridge) = network(revision, true);
        let (subject, zero_ms) = (devices[0].clone(), terms().zero_ms);
        let payee = PayeeChoice { owner: subject.account.clone(), payee: devices[7].account.clone() };
        assert_eq!(code(network.own(&subject.wallet, Body::Payee(payee))), "valid");
        network.pass_to(zero_ms + DAY_MS);
        let said = network.bridged(&bridge, &subject, 0, zero_ms, 200);
        assert_eq!(code(network.log(EntryKind::Report, &said)), "valid");
        assert_eq!(code(network.send(&subject, 0, zero_ms, 200)), "valid");
        network.pass_to(zero_ms + 9 * DAY_MS);
        let (verdicts, payouts) = of_device(&network, subject.id);
        assert_eq!((verdicts.len(), payouts.len()), (1, 1), "revision {revision}");
        assert_eq!((verdicts[0].account.clone(), payouts[0].weight), (devices[7].account.clone(), DAY_MS));
        assert_eq!(payouts[0].account, devices[7].account);
        assert_eq!(of_device(&network, bridge.id), (vec![], vec![]), "nothing is the bridge's own");
    }
}

#[test]
fn a_denial_of_either_stops_what_is_bridged() {
    for denied in ["the bridge", "the subject", "both", "neither"] {
        let (mut network, devices, bridge) = network(2, true);
        let (subject, zero_ms) = (devices[0].clone(), terms().zero_ms);
        let mut denials = Vec::new();
        for (who, id) in [("the subject", subject.id), ("the bridge", bridge.id)] {
            if denied == who || denied == "both" {
                let deny = Deny { device: id, reason: "TEST".into(), evidence: vec![], until_ms: zero_ms + 5 * DAY_MS };
                let (index, refusal) = network.operate(Body::Deny(deny));
                assert_eq!(refusal, None);
                denials.push(index);
            }
        }
        network.pass_to(zero_ms + DAY_MS);
        let said = network.bridged(&bridge, &subject, 0, zero_ms, 200);
        let (index, refusal) = network.log(EntryKind::Report, &said);
        assert_eq!(refusal, None);
        let held = network.fold.state().pending[&(0, index)].denied;
        assert_eq!(held, denials.first().copied(), "{denied}: the subject's denial is named first");
        network.pass_to(zero_ms + 9 * DAY_MS);
        let (verdicts, payouts) = of_device(&network, subject.id);
        let codes: Vec<_> = verdicts[0].reasons.iter().map(|reason| reason.code.as_str()).collect();
        assert_eq!(payouts.len(), usize::from(denials.is_empty()), "{denied}");
        assert_eq!(codes.contains(&"SEN-DENIED"), !denials.is_empty(), "{denied}: {codes:?}");
    }
}

#[test]
fn two_payloads_under_one_name_are_the_bridges_conflict_whomever_they_are_of() {
    let (mut network, devices, bridge) = network(2, true);
    let zero_ms = terms().zero_ms;
    let other = enrol(&mut network, 78, |enrol| enrol);
    network.pass_to(zero_ms + DAY_MS);
    let mut two =
        [network.bridged(&bridge, &devices[0], 0, zero_ms, 200), network.bridged(&bridge, &other, 0, zero_ms, 200)];
    assert_eq!(code(network.log(EntryKind::Report, &two[0])), "valid");
    assert_eq!(code(network.log(EntryKind::Report, &two[1])), "RPT-DUPLICATE");
    two.sort_by_key(|bytes| Report::parse(bytes).unwrap().identity());
    let [first, second] = two;
    assert_eq!(code(network.operate(Body::Conflict(Conflict { first, second }))), "valid");
    let named: Vec<DeviceId> = network.fold.state().conflicts.keys().map(|name| name.device).collect();
    assert_eq!(named, [bridge.id]);
    network.pass_to(zero_ms + 9 * DAY_MS);
    let (verdicts, payouts) = of_device(&network, devices[0].id);
    assert!(payouts.is_empty() && verdicts[0].reasons.iter().any(|reason| reason.code == "SEN-CONFLICT"));
}

/// Three weeks of eight devices and three that only bridges speak for, some late, some said twice, in an order.
fn eventful(revision: u32, order: impl Fn(u64, usize) -> usize) -> MemoryNetwork {
    let (mut network, devices, bridge) = network(revision, true);
    let second = enrol(&mut network, 79, |enrol| Enrol { role: Role::Bridge, ..enrol });
    let mut subjects = vec![devices[0].clone()];
    for seed in 80..83 {
        // Nobody is as far from anybody as from somebody else: ties are broken by what no two logs have in common.
        let (north, east) = (i32::from(seed) * 7_310_000 % 3_000_000, i32::from(seed) * 9_170_000 % 8_000_000);
        let place = Position::of(500_000_000 + north, 100_000_000 + east).unwrap();
        subjects.push(enrol(&mut network, seed, |enrol| Enrol {
            cell: Cell::containing(place, 8).unwrap().index(),
            ..enrol
        }));
    }
    for day in 0..21 {
        let time_ms = terms().zero_ms + day * DAY_MS;
        network.pass_to(time_ms + DAY_MS);
        let day32 = u32::try_from(day).unwrap();
        for place in 0..12 {
            let at = order(day, place);
            let value = 200 + i64::try_from(day * 7 % 40).unwrap() + i64::try_from(at).unwrap();
            let Some(subject) = at.checked_sub(8).map(|at| &subjects[at]) else {
                network.send(&devices[at], day32, time_ms, value);
                continue;
            };
            // The third is a week late; the fourth is spoken for by both bridges, which do not agree.
            let times = match (at, day) {
                (10, 7..=13) => vec![],
                (10, 14) => (7..=14).map(|late| terms().zero_ms + late * DAY_MS).collect(),
                _ => vec![time_ms],
            };
            for time_ms in times {
                for (n, signer) in [&bridge, &second].into_iter().enumerate().take(1 + usize::from(at == 11)) {
                    let off = i64::try_from(n).unwrap() * 2;
                    let seq =
                        u32::try_from((time_ms - terms().zero_ms) / DAY_MS * 16).unwrap() + u32::try_from(at).unwrap();
                    let said = network.bridged(signer, subject, seq, time_ms, value + off);
                    assert_eq!(code(network.log(EntryKind::Report, &said)), "valid", "day {day}, {at}");
                }
            }
        }
    }
    network.pass_to(terms().zero_ms + 30 * DAY_MS);
    assert!(network.closed.len() >= 3);
    network
}

#[test]
fn the_order_of_arrival_changes_no_score_of_what_is_bridged() {
    for revision in REVISIONS {
        let straight = eventful(revision, |_, place| place);
        let shuffled = eventful(revision, |day, place| (place * 5 + usize::try_from(day).unwrap()) % 12);
        assert_ne!(straight.entries, shuffled.entries);
        for (a, b) in straight.closed.iter().zip(&shuffled.closed) {
            assert_eq!(a.payouts, b.payouts, "epoch {}", a.statement.number);
            assert_eq!(a.carry(), b.carry(), "what is remembered after epoch {}", a.statement.number);
        }
        let paid = |network: &MemoryNetwork, seed| of_device(network, SeededDevice::of(seed).id).1.len();
        assert!((79..83).map(|seed| paid(&straight, seed)).eq([0, 3, 2, 3]), "each but the late one in three epochs");
    }
}

#[test]
fn threads_batches_and_snapshots_change_nothing_of_what_is_bridged() {
    for network in REVISIONS.map(|revision| eventful(revision, |_, place| place)) {
        for threads in [1, 2, 8] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            assert_eq!(pool.install(|| network.folded()), network.closed, "{threads} threads");
        }
        for closed in &network.closed {
            let epoch = usize::try_from(closed.statement.number).unwrap();
            let mut fold = network.resumed(closed);
            let later = network.fold_on(&mut fold);
            assert_eq!(later, network.closed[epoch + 1..], "resumed after epoch {epoch}");
            assert_eq!(fold.state(), network.fold.state(), "resumed after epoch {epoch}");
        }
    }
}

//! Each rule of admission on the market of work, with the code that voids what breaks it.

use cairn_classes::compute::{Body as Work, COMPUTE};
use cairn_core::cbor::Value;
use cairn_core::entry::{Entry, EntryKind};
use cairn_core::key::SecretKey;
use cairn_core::report::{ReportBody, sign_report};
use cairn_core::statement::{Body, Deny, Draft, Licence, Offer, Order, Replay, Role, Statement};
use cairn_core::wallet::WalletKey;
use cairn_core::{Amount, DeviceId, Hash, JobId, NetworkId};
use cairn_fold::{Beforehand, Candidate, JOB_GAS_MAX, Vouched, admit_unsigned};
use cairn_merkle::tree::leaf_hash;
use cairn_testkit::fair::{Fair, Logged, result, wallet, with_compute};
use cairn_testkit::network::{CLASS, DAY_MS, SeededDevice, Terms, daily_profile, policy};

use cairn_testkit::fair::month::{FEE_PPM, terms};

const BUYER: u8 = 200;
const STRANGER: u8 = 99;

fn code(logged: &Logged) -> &'static str {
    logged.1.as_ref().map_or("valid", |refusal| refusal.code)
}

/// Five workers with offers, a buyer with a million, and auditors from epoch 1 on, which is open.
fn fair() -> (Fair, Vec<SeededDevice>, SeededDevice) {
    let mut fair = Fair::open(terms(), FEE_PPM, 3, 2);
    let workers = fair.hire(1..=5);
    let buyer = SeededDevice::of(BUYER);
    assert_eq!(code(&fair.pay_in(&buyer.account, 1_000_000)), "valid");
    fair.network.pass_to(terms().zero_ms + DAY_MS + DAY_MS / 2);
    (fair, workers, buyer)
}

enum By<'a> {
    Key(&'a SecretKey),
    Wallet(&'a WalletKey),
    Both(&'a SecretKey, &'a WalletKey),
}

fn signed(fair: &mut Fair, by: &By<'_>, body: Body) -> Statement {
    let nonce = fair.network.next_nonce();
    let draft = Draft::of(Some(fair.network.id), body, nonce, u64::MAX >> 1);
    match by {
        By::Key(key) => draft.signed_by(key).finish(),
        By::Wallet(wallet) => draft.signed_by_wallet(wallet).finish(),
        By::Both(key, wallet) => draft.signed_by(key).signed_by_wallet(wallet).finish(),
    }
}

/// What becomes of a statement, the same whether or not somebody vouches for its signatures; void, it changes nothing but the
/// time.
fn say(fair: &mut Fair, by: &By<'_>, body: Body) -> &'static str {
    let bytes = signed(fair, by, body).encode();
    say_bytes(fair, &bytes)
}

fn say_bytes(fair: &mut Fair, bytes: &[u8]) -> &'static str {
    let before = fair.network.fold.state().clone();
    let entry = Entry { kind: EntryKind::Statement, received_ms: fair.network.now_ms, body: bytes };
    let vouched = Vouched::read(bytes, &fair.network.id).map(|vouched| {
        let read = Beforehand::Statement(Box::new(vouched));
        let offered = fair.network.fold.clone().push_valid(leaf_hash(&entry.encode()), &entry, Some(read));
        offered.err().map_or("valid", |refusal| refusal.code)
    });
    let found = code(&fair.network.log(EntryKind::Statement, bytes));
    if let Ok(vouched) = vouched {
        assert_eq!(vouched, found, "vouched for, it is as it is alone");
    }
    if found != "valid" {
        let mut after = fair.network.fold.state().clone();
        after.received_ms = before.received_ms;
        assert_eq!(after, before, "{found}");
    }
    found
}

#[test]
fn offers_that_break_a_rule_are_void_with_its_code() {
    let (mut fair, workers, buyer) = fair();
    let (worker, other) = (&workers[0], &workers[1]);
    let sensor = SeededDevice::of(20);
    assert_eq!(code(&fair.enrol(&sensor, Role::Device, "compute/1")), "valid");
    let elsewhere = SeededDevice::of(21);
    assert_eq!(code(&fair.enrol(&elsewhere, Role::Worker, CLASS)), "valid");
    let offer = |device: &SeededDevice, fair: &Fair| Body::Offer(fair.an_offer(device, 7));
    let withdrawn = |device: &SeededDevice, fair: &Fair| {
        Body::Offer(Offer { until_ms: fair.network.now_ms, ..fair.an_offer(device, 7) })
    };
    let stranger = SeededDevice::of(STRANGER);
    let cases: Vec<(&str, By<'_>, Body)> = vec![
        ("valid", By::Key(&worker.key), offer(worker, &fair)),
        ("STM-RIGHTS", By::Key(&other.key), offer(worker, &fair)),
        ("STM-RIGHTS", By::Wallet(&worker.wallet), offer(worker, &fair)),
        ("STM-SIGNERS", By::Both(&worker.key, &worker.wallet), offer(worker, &fair)),
        ("STM-SIGNERS", By::Both(&worker.key, &buyer.wallet), offer(worker, &fair)),
        ("STM-DEVICE", By::Key(&stranger.key), offer(&stranger, &fair)),
        ("CMP-WORKER", By::Key(&sensor.key), offer(&sensor, &fair)),
        ("CMP-WORKER", By::Key(&elsewhere.key), offer(&elsewhere, &fair)),
        ("valid", By::Key(&worker.key), withdrawn(worker, &fair)),
        ("CMP-OFFER", By::Key(&worker.key), withdrawn(worker, &fair)),
    ];
    for (at, (expected, by, body)) in cases.into_iter().enumerate() {
        assert_eq!(say(&mut fair, &by, body), expected, "case {at}");
    }
    let (retired, denied) = (&workers[2], &workers[3]);
    assert_eq!(code(&fair.network.own(&retired.wallet, Body::Retire(retired.id))), "valid");
    let until_ms = fair.network.now_ms + DAY_MS;
    let deny = Deny { device: denied.id, reason: "TEST".into(), evidence: vec![], until_ms };
    assert_eq!(code(&fair.network.operate(Body::Deny(deny))), "valid");
    for device in [retired, denied] {
        let (again, leave) = (offer(device, &fair), withdrawn(device, &fair));
        assert_eq!(say(&mut fair, &By::Key(&device.key), again), "CMP-WORKER");
        assert_eq!(say(&mut fair, &By::Key(&device.key), leave), "valid", "whoever may not work may still leave");
    }
}

#[test]
fn licences_that_break_a_rule_are_void_with_its_code() {
    let (mut fair, workers, buyer) = fair();
    let (owner, stranger) = (&workers[0], SeededDevice::of(STRANGER));
    let licence = |owner: &SeededDevice, content: &str, fair: &Fair| Body::Licence(fair.a_licence(owner, content));
    let withdrawn = |owner: &SeededDevice, content: &str, fair: &Fair| {
        Body::Licence(Licence { until_ms: fair.network.now_ms, ..fair.a_licence(owner, content) })
    };
    let cases: Vec<(&str, By<'_>, Body)> = vec![
        ("STM-OWNER", By::Wallet(&stranger.wallet), licence(&stranger, "model", &fair)),
        ("CMP-LICENCE", By::Wallet(&stranger.wallet), withdrawn(&stranger, "model", &fair)),
        ("valid", By::Wallet(&owner.wallet), licence(owner, "model", &fair)),
        ("valid", By::Wallet(&buyer.wallet), licence(&buyer, "data", &fair)),
        ("STM-RIGHTS", By::Wallet(&buyer.wallet), licence(owner, "model", &fair)),
        ("STM-RIGHTS", By::Key(&owner.key), licence(owner, "model", &fair)),
        ("STM-SIGNERS", By::Both(&owner.key, &owner.wallet), licence(owner, "model", &fair)),
        ("CMP-HELD", By::Wallet(&buyer.wallet), licence(&buyer, "model", &fair)),
        ("valid", By::Wallet(&owner.wallet), licence(owner, "model", &fair)),
        ("valid", By::Wallet(&owner.wallet), withdrawn(owner, "model", &fair)),
        ("CMP-LICENCE", By::Wallet(&owner.wallet), withdrawn(owner, "model", &fair)),
        ("valid", By::Wallet(&buyer.wallet), licence(&buyer, "model", &fair)),
    ];
    for (at, (expected, by, body)) in cases.into_iter().enumerate() {
        assert_eq!(say(&mut fair, &by, body), expected, "case {at}");
    }
}

#[test]
fn orders_that_break_a_rule_are_void_with_its_code_and_lock_nothing() {
    let (mut fair, workers, buyer) = fair();
    let (stranger, owner) = (SeededDevice::of(STRANGER), &workers[0]);
    let only = Licence { modules: vec![Hash([9; 32])], ..fair.a_licence(owner, "secret") };
    assert_eq!(say(&mut fair, &By::Wallet(&owner.wallet), Body::Licence(only)), "valid");
    let mut free = fair.an_offer(&workers[0], 0);
    free.capacity = 64;
    assert_eq!(code(&fair.offer(&workers[0], &free)), "valid");
    let good = fair.an_order(&buyer, "input");
    let for_nothing = Order { buyer: stranger.account.clone(), price: Amount::ZERO, replicas: 1, ..good.clone() };
    let owners = Order { buyer: owner.account.clone(), ..for_nothing.clone() };
    let cases: Vec<(&str, &WalletKey, Order)> = vec![
        ("valid", &buyer.wallet, good.clone()),
        ("STM-RIGHTS", &stranger.wallet, good.clone()),
        ("CMP-CREDIT", &stranger.wallet, for_nothing),
        ("CMP-CREDIT", &owner.wallet, owners),
        ("CMP-CREDIT", &stranger.wallet, Order { buyer: stranger.account.clone(), ..good.clone() }),
        ("CMP-GAS", &buyer.wallet, Order { gas: JOB_GAS_MAX + 1, ..good.clone() }),
        ("CMP-NO-WORKER", &buyer.wallet, Order { gas: JOB_GAS_MAX, ..good.clone() }),
        ("CMP-GAS-TABLE", &buyer.wallet, Order { gas_table: 9, ..good.clone() }),
        ("CMP-TIME", &buyer.wallet, Order { commit_ms: u64::MAX >> 1, ..good.clone() }),
        ("CMP-NO-WORKER", &buyer.wallet, Order { replicas: 6, ..good.clone() }),
        ("CMP-NO-WORKER", &buyer.wallet, Order { price: Amount(1), ..good.clone() }),
        ("CMP-MOST", &buyer.wallet, Order { most: Amount(1), ..good.clone() }),
        ("CMP-LICENCE", &buyer.wallet, fair.an_order(&buyer, "secret")),
        ("CMP-CREDIT", &buyer.wallet, Order { gas: 1_000_000_000_000, most: Amount(u128::MAX), ..good.clone() }),
        ("valid", &buyer.wallet, Order { refund: Some(stranger.account), ..good.clone() }),
    ];
    for (at, (expected, by, order)) in cases.into_iter().enumerate() {
        assert_eq!(say(&mut fair, &By::Wallet(by), Body::Order(order)), expected, "case {at}");
    }
    let order = Body::Order(good);
    assert_eq!(say(&mut fair, &By::Both(&buyer.key, &buyer.wallet), order.clone()), "STM-SIGNERS");
    let once = signed(&mut fair, &By::Wallet(&buyer.wallet), order).encode();
    assert_eq!(say_bytes(&mut fair, &once), "valid");
    assert_eq!(say_bytes(&mut fair, &once), "STM-NONCE", "an order is not ordered twice");
}

#[test]
fn nobody_cancels_what_is_not_his_or_begun() {
    let (mut fair, workers, buyer) = fair();
    let order = fair.an_order(&buyer, "input");
    let (first, logged) = fair.order(&buyer.wallet, &order);
    assert_eq!(code(&logged), "valid");
    let credit = fair.network.fold.state().credit_of(&buyer.account);
    let unknown = Body::Cancel(JobId(Hash([7; 32])));
    assert_eq!(say(&mut fair, &By::Wallet(&buyer.wallet), unknown), "CMP-JOB");
    assert_eq!(say(&mut fair, &By::Wallet(&workers[0].wallet), Body::Cancel(first)), "STM-RIGHTS");
    assert_eq!(say(&mut fair, &By::Key(&buyer.key), Body::Cancel(first)), "STM-RIGHTS");
    assert_eq!(say(&mut fair, &By::Both(&buyer.key, &buyer.wallet), Body::Cancel(first)), "STM-SIGNERS");
    assert_eq!(say(&mut fair, &By::Wallet(&buyer.wallet), Body::Cancel(first)), "valid");
    assert!(fair.network.fold.state().credit_of(&buyer.account) > credit);
    assert_eq!(fair.network.fold.state().credit_of(&buyer.account), Amount(1_000_000), "all of it is back");
    assert_eq!(say(&mut fair, &By::Wallet(&buyer.wallet), Body::Cancel(first)), "CMP-JOB");
    let (second, _) = fair.order(&buyer.wallet, &order);
    let worker = assigned(&fair, &workers, second).remove(0);
    assert_eq!(code(&fair.commit(&worker, second, &result(1, "x"))), "valid");
    assert_eq!(say(&mut fair, &By::Wallet(&buyer.wallet), Body::Cancel(second)), "CMP-CANCEL");
}

fn assigned(fair: &Fair, workers: &[SeededDevice], job: JobId) -> Vec<SeededDevice> {
    let ids = fair.assigned(job);
    assert!(!ids.is_empty());
    ids.iter().map(|id| workers.iter().find(|worker| worker.id == *id).unwrap().clone()).collect()
}

#[test]
fn only_auditors_of_the_open_epoch_say_what_came_out_and_each_once() {
    let (mut fair, workers, buyer) = fair();
    let order = fair.an_order(&buyer, "input");
    let (job, _) = fair.order(&buyer.wallet, &order);
    let found = result(5, "found");
    let replay = |digest: u8| Body::Replay(Replay { job, digest: Hash([digest; 32]) });
    let auditors = fair.auditors.clone();
    assert_eq!(say(&mut fair, &By::Wallet(&auditors[0]), replay(1)), "CMP-PHASE", "nobody has done it");
    for worker in assigned(&fair, &workers, job) {
        assert_eq!(code(&fair.commit(&worker, job, &found)), "valid");
    }
    for worker in assigned(&fair, &workers, job) {
        assert_eq!(code(&fair.reveal(&worker, job, &found)), "valid");
    }
    let unknown = Body::Replay(Replay { job: JobId(Hash([7; 32])), digest: Hash::ZERO });
    let cases: Vec<(&str, By<'_>, Body)> = vec![
        ("CMP-JOB", By::Wallet(&auditors[0]), unknown),
        ("STM-RIGHTS", By::Wallet(&buyer.wallet), replay(1)),
        ("STM-RIGHTS", By::Key(&buyer.key), replay(1)),
        ("STM-SIGNERS", By::Both(&buyer.key, &auditors[0]), replay(1)),
        ("valid", By::Wallet(&auditors[0]), replay(1)),
        ("CMP-SAID", By::Wallet(&auditors[0]), replay(2)),
        ("valid", By::Wallet(&auditors[1]), replay(2)),
        ("valid", By::Wallet(&auditors[2]), replay(1)),
    ];
    for (at, (expected, by, body)) in cases.into_iter().enumerate() {
        assert_eq!(say(&mut fair, &by, body), expected, "case {at}");
    }
    assert_eq!(fair.network.fold.state().market.job(&job).unwrap().truth, Some(Hash([1; 32])), "a quorum of two");
}

#[test]
fn in_an_epoch_without_auditors_nobody_says_what_came_out() {
    let mut fair = Fair::open(terms(), FEE_PPM, 3, 2);
    let (workers, buyer) = (fair.hire(1..=3), SeededDevice::of(BUYER));
    assert_eq!(code(&fair.pay_in(&buyer.account, 1_000_000)), "valid");
    let order = fair.an_order(&buyer, "input");
    let (job, _) = fair.order(&buyer.wallet, &order);
    for worker in assigned(&fair, &workers, job) {
        assert_eq!(code(&fair.decline(&worker, job)), "valid");
    }
    assert_eq!(code(&fair.replay(0, job, &result(1, "x"))), "STM-RIGHTS");
}

/// What becomes of a worker's report; the same before its signature is looked at.
fn report(fair: &mut Fair, device: &SeededDevice, body: &Work) -> &'static str {
    let bytes = fair.work_report(device, body);
    let candidate = Candidate::read(&bytes).unwrap();
    let before = admit_unsigned(fair.network.fold.state(), &candidate, fair.network.now_ms).err();
    let logged = fair.network.log(EntryKind::Report, &bytes);
    let found = code(&logged);
    assert_eq!(before.map_or("valid", |refusal| refusal.code), found);
    // Whoever forges it learns the same, and at no signature's cost.
    if found != "valid" {
        let forged = sign_report(&SecretKey::ed25519([77; 32]), device.id, &fair.network.id, &report_body(&bytes));
        assert_eq!(code(&fair.network.log(EntryKind::Report, &forged)), found);
    }
    found
}

fn report_body(bytes: &[u8]) -> ReportBody {
    cairn_core::report::Report::parse(bytes).unwrap().body
}

#[test]
fn reports_of_workers_that_break_a_rule_are_void_with_its_code() {
    let (mut fair, workers, buyer) = fair();
    let order = fair.an_order(&buyer, "input");
    let (job, _) = fair.order(&buyer.wallet, &order);
    let mine = assigned(&fair, &workers, job);
    let other = workers.iter().find(|worker| !mine.iter().any(|assigned| assigned.id == worker.id)).unwrap();
    let (found, unknown) = (result(5, "found"), JobId(Hash([7; 32])));
    let seal = |fair: &Fair, worker| Work::Commit { job, seal: fair.seal(worker, job, &found) };
    let reveal = |salt: DeviceId, result| Work::Reveal { job, result, salt: salt.0 };
    let decline = Work::Decline { job, reason: 1 };
    let (a, b) = (&mine[0], &mine[1]);
    let cases: Vec<(&str, &SeededDevice, Work)> = vec![
        ("CMP-JOB", a, Work::Commit { job: unknown, seal: Hash::ZERO }),
        ("CMP-ASSIGNED", other, seal(&fair, other)),
        ("CMP-ASSIGNED", other, decline.clone()),
        ("CMP-PHASE", a, reveal(a.id, found)),
        ("valid", a, seal(&fair, a)),
        ("CMP-SAID", a, seal(&fair, a)),
        ("CMP-SAID", a, decline.clone()),
        ("CMP-PHASE", a, reveal(a.id, found)),
        ("valid", b, seal(&fair, b)),
        ("CMP-CAPS", a, reveal(a.id, result(order.gas + 1, "found"))),
        ("CMP-CAPS", a, reveal(a.id, result(5, &"x".repeat(1_001)))),
        ("CMP-SEAL", a, reveal(b.id, found)),
        ("CMP-SEAL", a, reveal(a.id, result(5, "other"))),
        ("valid", a, reveal(a.id, found)),
        ("CMP-SAID", a, reveal(a.id, found)),
        ("valid", b, reveal(b.id, found)),
        ("CMP-SAID", b, decline),
    ];
    for (at, (expected, device, body)) in cases.iter().enumerate() {
        assert_eq!(report(&mut fair, device, body), *expected, "case {at}");
    }
}

#[test]
fn only_workers_report_work_and_only_in_its_forms() {
    let (mut fair, workers, _) = fair();
    let sensor = SeededDevice::of(20);
    assert_eq!(code(&fair.enrol(&sensor, Role::Device, "compute/1")), "valid");
    let decline = Work::Decline { job: JobId(Hash([7; 32])), reason: 1 };
    assert_eq!(report(&mut fair, &sensor, &decline), "CMP-JOB");
    assert_eq!(report(&mut fair, &SeededDevice::of(STRANGER), &decline), "RPT-UNKNOWN-DEVICE");
    let body = ReportBody::of(0, 900, fair.network.now_ms, CLASS, Value::map(vec![(4, Value::Int(100))]));
    let bytes = sign_report(&workers[0].key, workers[0].id, &fair.network.id, &body);
    assert_eq!(code(&fair.network.log(EntryKind::Report, &bytes)), "RPT-CLASS");
    for shape in [Value::Int(1), Value::Array(vec![]), Value::Array(vec![Value::Int(4)]), Value::map(vec![])] {
        let body = ReportBody::of(0, 901, fair.network.now_ms, "compute/1", shape);
        let bytes = sign_report(&workers[0].key, workers[0].id, &fair.network.id, &body);
        assert_eq!(code(&fair.network.log(EntryKind::Report, &bytes)), "CLS-BODY");
    }
}

#[test]
fn without_a_policy_that_judges_work_or_without_its_profile_the_market_is_closed() {
    let buyer = SeededDevice::of(BUYER);
    let key = SecretKey::ed25519([252; 32]);
    let without = policy(2);
    let without_profile = with_compute(&policy(2), 0);
    for policy in [without, without_profile] {
        let network = cairn_testkit::network::MemoryNetwork::under(terms(), &policy, daily_profile(2), key.clone());
        let mut fair = Fair::open(terms(), 0, 0, 0);
        fair.network = network;
        let worker = SeededDevice::of(1);
        let order = fair.an_order(&buyer, "input");
        let job = JobId(Hash([7; 32]));
        let replay = Body::Replay(Replay { job, digest: Hash::ZERO });
        let (offer, licence) = (fair.an_offer(&worker, 1), fair.a_licence(&buyer, "model"));
        for body in [Body::Offer(offer), Body::Licence(licence), Body::Order(order), Body::Cancel(job), replay] {
            assert_eq!(say(&mut fair, &By::Wallet(&buyer.wallet), body), "CMP-CLOSED");
        }
        let enrolled = code(&fair.enrol(&worker, Role::Worker, "compute/1"));
        let reported = report(&mut fair, &worker, &Work::Decline { job, reason: 1 });
        let expected = if enrolled == "valid" { "CMP-CLOSED" } else { "RPT-UNKNOWN-DEVICE" };
        assert_eq!(reported, expected);
    }
}

#[test]
fn what_is_said_on_one_network_is_nothing_on_another() {
    let (mut fair, workers, buyer) = fair();
    let mut other = Fair::under(Terms { zero_ms: terms().zero_ms, ..terms() }, &other_policy(), COMPUTE, 3, 2);
    assert_ne!(other.network.id, fair.network.id);
    let elsewhere = other.hire(1..=5);
    assert_eq!(elsewhere[0].id, workers[0].id);
    assert_eq!(code(&other.pay_in(&buyer.account, 1_000_000)), "valid");
    other.network.pass_to(fair.network.now_ms);
    let order = fair.an_order(&buyer, "input");
    let bodies = [
        (By::Key(&workers[0].key), Body::Offer(fair.an_offer(&workers[0], 5))),
        (By::Wallet(&buyer.wallet), Body::Licence(fair.a_licence(&buyer, "model"))),
        (By::Wallet(&buyer.wallet), Body::Order(order)),
    ];
    for (by, body) in bodies {
        // Above every nonce of the other network, too.
        fair.network.now_ms += 1;
        other.network.now_ms = fair.network.now_ms;
        let bytes = signed_above(&mut fair, &mut other, &by, body);
        assert_eq!(say_bytes(&mut other, &bytes), "STM-SIGNATURE");
        assert_eq!(say_bytes(&mut fair, &bytes), "valid");
    }
    let wrong = NetworkId(Hash([1; 32]));
    let body = report_body(&fair.work_report(&workers[0], &Work::Decline { job: JobId(Hash::ZERO), reason: 1 }));
    let bytes = sign_report(&workers[0].key, workers[0].id, &wrong, &body);
    assert_ne!(code(&fair.network.log(EntryKind::Report, &bytes)), "valid");
}

fn other_policy() -> String {
    with_compute(&policy(2), FEE_PPM + 1)
}

fn signed_above(fair: &mut Fair, other: &mut Fair, by: &By<'_>, body: Body) -> Vec<u8> {
    for _ in 0..100 {
        let _ = (fair.network.next_nonce(), other.network.next_nonce());
    }
    signed(fair, by, body).encode()
}

#[test]
fn an_expired_order_is_void_and_a_wallet_of_the_same_seed_is_the_same_buyer() {
    let (mut fair, _, buyer) = fair();
    let order = Body::Order(fair.an_order(&buyer, "input"));
    let nonce = fair.network.next_nonce();
    let expiry_ms = fair.network.now_ms - 1;
    let expired = Draft::of(Some(fair.network.id), order.clone(), nonce, expiry_ms).signed_by_wallet(&buyer.wallet);
    assert_eq!(say_bytes(&mut fair, &expired.finish().encode()), "STM-EXPIRED");
    assert_eq!(say(&mut fair, &By::Wallet(&wallet(BUYER)), order), "valid");
}

//! Who may say what: each rule of admission with the code that voids what breaks it.

#![allow(clippy::unwrap_used)]

use cairn_core::entry::{Entry, EntryKind};
use cairn_core::geo::{Cell, Position};
use cairn_core::key::SecretKey;
use cairn_core::observation::{ObservationBody, sign_observation};
use cairn_core::report::{ClockSource, ReportBody, ReportedPlace, sign_report};
use cairn_core::statement::{
    Appeal, AuditorSet, Body, Deny, Draft, Enrol, Mobility, PayeeChoice, PolicyDocument, ProfileDocument, Role, Rotate,
    Statement, Successor, Transfer,
};
use cairn_core::{DeviceId, Hash, NetworkId, Payout, cbor::Value};
use cairn_fold::{Beforehand, Vouched};
use cairn_merkle::tree::leaf_hash;
use cairn_testkit::network::{CLASS, DAY_MS, MemoryNetwork, SeededDevice, Terms, daily_profile, with_revision};

struct Case {
    network: MemoryNetwork,
    devices: Vec<SeededDevice>,
    zero_ms: u64,
}

impl Case {
    fn begin() -> Self {
        let terms = Terms::default();
        let mut network = MemoryNetwork::daily(terms);
        let devices = network.enrol_grid(4);
        network.now_ms = terms.zero_ms + DAY_MS;
        Self { network, devices, zero_ms: terms.zero_ms }
    }

    fn say(&mut self, kind: EntryKind, bytes: &[u8]) -> &'static str {
        let beforehand = if kind == EntryKind::Statement { self.vouched(bytes) } else { None };
        let found = self.network.log(kind, bytes).1.map_or("valid", |refusal| refusal.code);
        match beforehand {
            // Nobody vouches for signatures that do not hold.
            Some(Err(code)) => assert!(found != "valid" && code.starts_with("STM-"), "{found}, {code}"),
            Some(Ok(code)) => assert_eq!(found, code, "vouched for, it is as it is alone"),
            None => {}
        }
        found
    }

    /// What becomes of a statement whose signatures were checked beforehand; or why nobody vouches for it. `None` where an
    /// epoch closes first.
    fn vouched(&self, bytes: &[u8]) -> Option<Result<&'static str, &'static str>> {
        let MemoryNetwork { fold, id, now_ms, .. } = &self.network;
        let entry = Entry { kind: EntryKind::Statement, received_ms: *now_ms, body: bytes };
        if fold.due(*now_ms) {
            return None;
        }
        let offer = |vouched: Vouched| {
            let read = Beforehand::Statement(Box::new(vouched));
            let offered = fold.clone().push_valid(leaf_hash(&entry.encode()), &entry, Some(read));
            offered.err().map_or("valid", |refusal| refusal.code)
        };
        // That they hold under another network's id says nothing here.
        if let Ok(elsewhere) = Vouched::read(bytes, &NetworkId(Hash::ZERO)) {
            assert_ne!(offer(elsewhere), "valid");
        }
        Some(Vouched::read(bytes, id).map(offer).map_err(|refusal| refusal.code))
    }

    fn state(&mut self, statement: &Statement) -> &'static str {
        self.say(EntryKind::Statement, &statement.encode())
    }

    fn draft(&mut self, body: Body) -> Draft {
        let nonce = self.network.next_nonce();
        Draft::of(Some(self.network.id), body, nonce, u64::MAX >> 1)
    }

    fn report(&mut self, key: &SecretKey, device: DeviceId, body: &ReportBody) -> &'static str {
        let bytes = sign_report(key, device, &self.network.id, body);
        self.say(EntryKind::Report, &bytes)
    }

    fn body(&self, seq: u32) -> ReportBody {
        ReportBody::of(0, seq, self.zero_ms, CLASS, Value::map(vec![(4, Value::Int(100))]))
    }
}

fn enrol(device: &SeededDevice) -> Enrol {
    let position = Position::of(500_000_000, 100_000_000).unwrap();
    Enrol {
        key: device.key.public(),
        owner: device.account.clone(),
        role: Role::Device,
        classes: vec![CLASS.into()],
        model: "test".into(),
        mobility: Mobility::Fixed,
        cell: Cell::containing(position, 8).unwrap().index(),
        exact: None,
        altitude_cm: None,
    }
}

#[test]
fn reports_that_break_a_rule_are_void_with_its_code() {
    let mut case = Case::begin();
    let device = case.devices[0].clone();
    let good = case.body(0);
    let late_ms = case.zero_ms - 1;
    let future_ms = case.network.now_ms + 300_001;
    let cases: Vec<(&str, ReportBody)> = vec![
        ("RPT-BEFORE-START", ReportBody { time_ms: late_ms, ..good.clone() }),
        ("RPT-FUTURE", ReportBody { time_ms: future_ms, ..good.clone() }),
        ("RPT-CLASS", ReportBody { schema: "storage/1".into(), ..good.clone() }),
        ("RPT-SUBJECT", ReportBody { subject: Some([1; 16]), ..good.clone() }),
        ("RPT-PLACE", ReportBody { place: Some(ReportedPlace::Cell(7)), ..good.clone() }),
        (
            "RPT-PLACE",
            ReportBody { place: Some(ReportedPlace::Exact { lat_e7: 0, lon_e7: 0, altitude: None }), ..good.clone() },
        ),
        ("CLS-BODY", ReportBody { body: Value::Int(7), ..good.clone() }),
        ("valid", ReportBody { time_ms: future_ms, clock: Some((ClockSource::None, 0)), ..case.body(7) }),
        ("valid", good.clone()),
        ("RPT-DUPLICATE", good.clone()),
    ];
    for (code, body) in cases {
        let found = case.report(&device.key, device.id, &body);
        assert!(found == code || (code == "CLS-BODY" && found.starts_with("CLS-")), "{code}: {found}");
    }
    let other = SecretKey::ed25519([77; 32]);
    let body = case.body(1);
    assert_eq!(case.report(&other, device.id, &body), "RPT-SIGNATURE");
    assert_eq!(case.report(&SecretKey::p256([7; 32]).unwrap(), device.id, &body), "RPT-ALGORITHM");
    assert_eq!(case.report(&other, DeviceId([0; 16]), &body), "RPT-UNKNOWN-DEVICE");
    assert_eq!(case.say(EntryKind::Report, b"junk"), "RPT-COSE");
    case.network.pass_to(case.zero_ms + 60 * DAY_MS);
    assert_eq!(case.report(&device.key, device.id, &body), "RPT-TOO-LATE");
}

#[test]
fn statements_need_the_signature_of_whoever_holds_the_right() {
    let mut case = Case::begin();
    let [first, second] = [case.devices[0].clone(), case.devices[1].clone()];
    let spare = SeededDevice::of(40);
    let operator = case.network.operator.clone();
    let owner_only = |body: Body| (body, first.wallet.clone());
    let (retire, owner) = owner_only(Body::Retire(first.id));

    let draft = case.draft(retire.clone()).signed_by_wallet(&second.wallet).finish();
    assert_eq!(case.state(&draft), "STM-RIGHTS");
    let transfer = Body::Transfer(Transfer { device: first.id, owner: second.account.clone() });
    let draft = case.draft(transfer.clone()).signed_by_wallet(&owner).finish();
    assert_eq!(case.state(&draft), "STM-RIGHTS", "the next owner has not signed");
    let rotate = Body::Rotate(Rotate { device: first.id, key: spare.key.public() });
    let draft = case.draft(rotate.clone()).signed_by_wallet(&owner).finish();
    assert_eq!(case.state(&draft), "STM-RIGHTS", "the next key has not signed");
    let payee = Body::Payee(PayeeChoice { owner: first.account.clone(), payee: second.account.clone() });
    let draft = case.draft(payee.clone()).signed_by_wallet(&second.wallet).finish();
    assert_eq!(case.state(&draft), "STM-RIGHTS");
    let of_nobody = PayeeChoice { owner: spare.account.clone(), payee: spare.account.clone() };
    assert_eq!(case.network.own(&spare.wallet, Body::Payee(of_nobody)).1.unwrap().code, "STM-OWNER");
    let deny = Deny { device: first.id, reason: "TEST".into(), evidence: vec![], until_ms: u64::MAX >> 1 };
    let for_operator = [
        Body::Deny(deny.clone()),
        Body::AuditorSet(AuditorSet { first_epoch: 9, quorum: 1, auditors: vec![[1; 20]] }),
        Body::Successor(Successor { origin: "x".into(), log_key: [0; 32] }),
    ];
    for body in for_operator {
        let draft = case.draft(body).signed_by(&first.key).finish();
        assert_eq!(case.state(&draft), "STM-RIGHTS");
    }
    let mut forged = case.draft(retire.clone()).signed_by_wallet(&owner).finish();
    forged.signed[0].signature[3] ^= 1;
    assert_eq!(case.state(&forged), "STM-SIGNATURE");

    let draft = case.draft(rotate).signed_by_wallet(&owner).signed_by(&spare.key).finish();
    assert_eq!(case.state(&draft), "valid");
    let body = case.body(0);
    assert_eq!(case.report(&first.key, first.id, &body), "RPT-SIGNATURE", "the old key has no say");
    assert_eq!(case.report(&spare.key, first.id, &body), "valid", "the id survives");
    assert_eq!(case.network.operate(Body::Deny(deny)).1, None);
    let denied = case.network.fold.state().denials[&first.id].index;
    let appeal = Body::Appeal(Appeal { deny: denied, text: "no".into(), evidence: vec![] });
    let draft = case.draft(appeal.clone()).signed_by(&operator).finish();
    assert_eq!(case.state(&draft), "STM-RIGHTS");
    assert_eq!(case.network.own(&owner, appeal.clone()).1, None);
    assert_eq!(case.network.own(&owner, appeal).1.unwrap().code, "STM-APPEAL");
    assert_eq!(case.network.own(&owner, payee).1, None);
    let draft = case.draft(transfer).signed_by_wallet(&owner).signed_by_wallet(&second.wallet).finish();
    assert_eq!(case.state(&draft), "valid");
    assert_eq!(case.network.own(&owner, retire.clone()).1.unwrap().code, "STM-RIGHTS", "no longer the owner");
    assert_eq!(case.network.own(&second.wallet, retire.clone()).1, None);
    assert_eq!(case.network.own(&second.wallet, retire).1.unwrap().code, "STM-DEVICE");
    let body = case.body(1);
    assert_eq!(case.report(&spare.key, first.id, &body), "RPT-RETIRED");
}

#[test]
fn enrolments_that_break_a_rule_are_void_with_its_code() {
    let mut case = Case::begin();
    let spare = SeededDevice::of(40);
    let good = enrol(&spare);
    let fine = Cell::containing(Position::of(500_000_000, 100_000_000).unwrap(), 9).unwrap().index();
    let cases = [
        ("STM-CLASS", Enrol { classes: vec!["storage/1".into()], ..good.clone() }),
        ("STM-CELL", Enrol { cell: fine, ..good.clone() }),
        ("STM-CELL", Enrol { cell: 7, ..good.clone() }),
        ("STM-CELL", Enrol { exact: Some((0, 0)), ..good.clone() }),
        ("STM-RIGHTS", Enrol { owner: case.devices[0].account.clone(), ..good.clone() }),
        ("valid", Enrol { exact: Some((500_000_000, 100_000_000)), ..good.clone() }),
        ("STM-ENROLLED", good.clone()),
    ];
    for (code, enrol) in cases {
        let draft = case.draft(Body::Enrol(enrol)).signed_by(&spare.key).signed_by_wallet(&spare.wallet).finish();
        assert_eq!(case.state(&draft), code);
    }
    let another = SeededDevice::of(41);
    let draft = case.draft(Body::Enrol(enrol(&another))).signed_by_wallet(&another.wallet).finish();
    assert_eq!(case.state(&draft), "STM-RIGHTS", "the device's key has not signed");
    let (nonce, body) = (case.network.next_nonce(), Body::Enrol(enrol(&another)));
    let elsewhere = Draft::of(Some(NetworkId(Hash::ZERO)), body, nonce, u64::MAX >> 1);
    let elsewhere = elsewhere.signed_by(&another.key).signed_by_wallet(&another.wallet).finish();
    assert_eq!(case.state(&elsewhere), "STM-SIGNATURE", "signed for another network");
}

#[test]
fn documents_are_fixed_before_the_time_they_rule() {
    let mut case = Case::begin();
    let state = case.network.fold.state();
    let policy = state.policy().unwrap().document.clone();
    let profile = state.profile_for(CLASS, 0).unwrap().as_bytes().to_vec();
    let of = |first_epoch, document: &[u8]| Body::Policy(PolicyDocument { first_epoch, document: document.to_vec() });
    let profile_of =
        |first_epoch| Body::Profile(ProfileDocument { first_epoch, class: CLASS.into(), document: profile.clone() });
    assert_eq!(case.network.operate(of(0, &policy)).1.unwrap().code, "STM-EPOCH");
    assert_eq!(case.network.operate(profile_of(0)).1.unwrap().code, "STM-EPOCH");
    assert_eq!(case.network.operate(of(1, b"nonsense")).1.unwrap().code, "STM-POLICY");
    assert_eq!(case.network.operate(of(1, &policy)).1, None);
    assert_eq!(case.network.operate(profile_of(1)).1, None);
    let text = String::from_utf8(policy).unwrap();
    let unknown = with_revision(&text, 99);
    assert_eq!(case.network.operate(of(1, unknown.as_bytes())).1.unwrap().code, "STM-POLICY");
}

#[test]
fn nonces_rise_and_statements_expire() {
    let mut case = Case::begin();
    let owner = case.devices[0].clone();
    let payee =
        |to: &SeededDevice| Body::Payee(PayeeChoice { owner: owner.account.clone(), payee: to.account.clone() });
    let id = case.network.id;
    let now_ms = case.network.now_ms;
    let signed = |nonce, expiry_ms| {
        Draft::of(Some(id), payee(&owner), nonce, expiry_ms).signed_by_wallet(&owner.wallet).finish()
    };
    assert_eq!(case.state(&signed(1_000, now_ms)), "valid");
    assert_eq!(case.state(&signed(1_000, now_ms)), "STM-NONCE");
    assert_eq!(case.state(&signed(999, now_ms)), "STM-NONCE");
    assert_eq!(case.state(&signed(1_001, now_ms - 1)), "STM-EXPIRED");
    assert_eq!(case.state(&signed(1_001, now_ms)), "valid");
}

#[test]
fn observations_come_from_named_observers_and_rounds_rise() {
    let mut case = Case::begin();
    let now_ms = case.network.now_ms;
    let id = case.network.id;
    let clock = case.network.clock.clone();
    let stranger = SecretKey::ed25519([66; 32]);
    let said = |key: &SecretKey, body: &ObservationBody| sign_observation(key, &id, body);
    let time = ObservationBody::clock(now_ms);
    let price = ObservationBody { source: "price".into(), ..time.clone() };
    assert_eq!(case.say(EntryKind::Observation, &said(&stranger, &time)), "OBS-OBSERVER");
    assert_eq!(case.say(EntryKind::Observation, &said(&clock, &price)), "OBS-OBSERVER");
    let mut forged = said(&clock, &time);
    *forged.last_mut().unwrap() ^= 1;
    assert_eq!(case.say(EntryKind::Observation, &forged), "OBS-SIGNATURE");
    assert_eq!(case.say(EntryKind::Observation, &said(&clock, &time)), "valid");
    assert_eq!(case.say(EntryKind::Observation, &said(&clock, &time)), "OBS-ROUND");
    assert_eq!(case.say(EntryKind::Observation, b"junk"), "OBS-COSE");
}

#[test]
fn epoch_statements_are_those_that_the_log_implies() {
    let mut case = Case::begin();
    case.network.pass_to(case.zero_ms + 9 * DAY_MS);
    let closed = case.network.closed[0].clone();
    assert_eq!(case.say(EntryKind::Epoch, &closed.bytes), "EPO-NUMBER", "it is logged already");
    assert_eq!(case.say(EntryKind::Epoch, b"junk"), "EPO-CBOR");
    // Close the next epoch without logging its statement, then offer another one.
    let mut fold = case.network.fold.clone();
    let body =
        sign_observation(&case.network.clock, &case.network.id, &ObservationBody::clock(case.zero_ms + 16 * DAY_MS));
    let received_ms = case.zero_ms + 16 * DAY_MS;
    let entry = Entry { kind: EntryKind::Observation, received_ms, body: &body };
    let folded = fold.push(leaf_hash(&entry.encode()), &entry, None).unwrap();
    let mut other = folded.closed[0].statement.clone();
    other.to += 1;
    let bytes = other.encode();
    let offered = Entry { kind: EntryKind::Epoch, received_ms, body: &bytes };
    assert_eq!(fold.check(&offered).unwrap_err().code, "EPO-DIFFERS");
}

#[test]
fn the_payee_is_the_one_at_the_reports_index() {
    let mut case = Case::begin();
    let [first, second] = [case.devices[0].clone(), case.devices[1].clone()];
    assert_eq!(case.network.send(&first, 0, case.zero_ms, 100).1, None);
    let payee = Body::Payee(PayeeChoice { owner: first.account.clone(), payee: second.account.clone() });
    assert_eq!(case.network.own(&first.wallet, payee).1, None);
    case.network.now_ms += DAY_MS;
    assert_eq!(case.network.send(&first, 1, case.zero_ms + DAY_MS, 100).1, None);
    case.network.pass_to(case.zero_ms + 9 * DAY_MS);
    let payouts = case.network.closed[0].payouts.iter().map(|row| Payout::decode(row).unwrap());
    let readings: Vec<Payout> = payouts.filter(|payout| payout.pool == "readings").collect();
    let mut accounts: Vec<_> = readings.iter().map(|payout| (payout.account.clone(), payout.weight)).collect();
    accounts.sort();
    let mut expected = vec![(first.account.clone(), DAY_MS), (second.account.clone(), DAY_MS)];
    expected.sort();
    assert_eq!(accounts, expected);
}

#[test]
fn entry_zero_is_genesis_and_nothing_else_is() {
    let case = Case::begin();
    let genesis = Entry::decode(&case.network.entries[0]).unwrap().body.to_vec();
    let mut again = case.network.clone();
    assert_eq!(again.log(EntryKind::Statement, &genesis).1.unwrap().code, "STM-NONCE");
    let fold = cairn_fold::Fold::start();
    let entry = Entry { kind: EntryKind::Report, received_ms: 0, body: b"" };
    assert_eq!(fold.check(&entry).unwrap_err().code, "NET-GENESIS");
}

#[test]
fn slots_fit_epochs_whole_so_that_none_is_paid_in_two() {
    let mut case = Case::begin();
    for revision in [1, 2] {
        let text = daily_profile(revision).replace("slot_ms = 86_400_000", "slot_ms = 86_000_000");
        let body = Body::Profile(ProfileDocument { first_epoch: 3, class: CLASS.into(), document: text.into_bytes() });
        assert_eq!(case.network.operate(body).1.unwrap().code, "STM-SLOTS", "form {revision}");
    }
}

#[test]
fn nothing_measured_before_its_enrolment_is_a_devices_own() {
    let mut case = Case::begin();
    let late = SeededDevice::of(60);
    let statement = case.network.enrolment(&late, 500_000_000, 100_000_000);
    assert_eq!(case.state(&statement), "valid");
    let body = case.body(0);
    assert_eq!(case.report(&late.key, late.id, &body), "RPT-BEFORE-ENROLMENT");
    let now = ReportBody { time_ms: case.network.now_ms, ..body };
    assert_eq!(case.report(&late.key, late.id, &now), "valid");
}

#[test]
fn retiring_frees_no_place_and_anchors_are_not_self_declared() {
    let mut case = Case::begin();
    let owner = case.devices[0].clone();
    assert_eq!(case.network.own(&owner.wallet, Body::Retire(owner.id)).1, None);
    assert_eq!(case.network.fold.state().owned[&owner.account], 1);
    let spare = SeededDevice::of(61);
    let anchor = Enrol { role: Role::Anchor, ..enrol(&spare) };
    let draft =
        |case: &mut Case| case.draft(Body::Enrol(anchor.clone())).signed_by(&spare.key).signed_by_wallet(&spare.wallet);
    let alone = draft(&mut case).finish();
    assert_eq!(case.state(&alone), "STM-RIGHTS");
    let operator = case.network.operator.clone();
    let crowd = draft(&mut case).signed_by(&operator).signed_by(&SecretKey::ed25519([62; 32])).finish();
    assert_eq!(case.state(&crowd), "STM-SIGNERS");
    let together = draft(&mut case).signed_by(&operator).finish();
    assert_eq!(case.state(&together), "valid");
}

#[test]
fn a_rotated_key_still_answers_for_what_it_signed_twice() {
    let mut case = Case::begin();
    let device = case.devices[0].clone();
    let spare = SeededDevice::of(63);
    let (time_ms, id) = (case.zero_ms, case.network.id);
    let report = |value| {
        let body = ReportBody::of(0, 5, time_ms, CLASS, Value::map(vec![(4, Value::Int(value))]));
        sign_report(&device.key, device.id, &id, &body)
    };
    let mut both = [report(1), report(2)];
    both.sort_by_key(|bytes| cairn_core::report::Report::parse(bytes).unwrap().identity());
    let [first, second] = both.clone();
    let conflict = Body::Conflict(cairn_core::statement::Conflict { first, second });
    let stranger = case.draft(conflict.clone()).signed_by(&spare.key).finish();
    assert_eq!(case.state(&stranger), "STM-CONFLICT", "no report of that name has counted");
    assert_eq!(case.say(EntryKind::Report, &both[0]), "valid");
    let rotate = Body::Rotate(Rotate { device: device.id, key: spare.key.public() });
    let draft = case.draft(rotate).signed_by_wallet(&device.wallet).signed_by(&spare.key).finish();
    assert_eq!(case.state(&draft), "valid");
    let shown = case.draft(conflict).signed_by(&SecretKey::ed25519([64; 32])).finish();
    assert_eq!(case.state(&shown), "valid");
}

#[test]
fn what_could_not_be_logged_or_closed_is_refused() {
    let mut case = Case::begin();
    assert_eq!(case.say(EntryKind::Observation, &[0; 32_001]), "OBS-TOO-LARGE");
    for chain in 1..=cairn_fold::DOMAINS_MAX {
        let domain = cairn_core::Domain::parse(&format!("eip155:{chain}")).unwrap();
        let terms = cairn_core::statement::DomainTerms {
            domain,
            distributor: [0; 32],
            token: String::new(),
            finality_blocks: 0,
        };
        let refused = case.network.operate(Body::Domain(terms)).1.map(|refusal| refusal.code);
        // The network has one of its own already.
        assert_eq!(refused, (chain == cairn_fold::DOMAINS_MAX).then_some("STM-DOMAIN"));
    }
    let policy = String::from_utf8(case.network.fold.state().policy().unwrap().document.clone()).unwrap();
    let huge = policy
        .replace("max_supply_tokens", "# max_supply_tokens")
        .replace("amount_tokens = \"100000\"", "amount_tokens = \"340000000000000000000\"");
    assert_ne!(huge, policy);
    let body = Body::Policy(PolicyDocument { first_epoch: 1, document: huge.into_bytes() });
    assert_eq!(case.network.operate(body).1.unwrap().code, "STM-POLICY");
}

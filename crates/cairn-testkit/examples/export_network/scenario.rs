//! Six weeks in which everything happens that the first format has a word for.

use cairn_core::cbor::Value;
use cairn_core::cose::{self, Purpose, Sign1};
use cairn_core::ed25519::{SigningKey, VerifyingKey};
use cairn_core::entry::EntryKind;
use cairn_core::geo::{Cell, Position};
use cairn_core::key::SecretKey;
use cairn_core::observation::{ObservationBody, sign_observation};
use cairn_core::report::{ClockSource, ReportBody, ReportedPlace, flag, sign_report};
use cairn_core::statement::{
    Appeal, AuditorSet, Body, Conflict, Deny, DomainTerms, Draft, Enrol, Mobility, PayeeChoice, PolicyDocument, Rotate,
    Signed, Signer, Statement, Successor, Transfer,
};
use cairn_core::{Account, Address, DeviceId, Domain, Hash};
use cairn_testkit::network::{CLASS, DAY_MS, MemoryNetwork, SeededDevice, Terms, chain};
use curve25519_dalek::constants::{ED25519_BASEPOINT_POINT, EIGHT_TORSION};
use curve25519_dalek::scalar::Scalar;
use sha2::{Digest, Sha512};

pub const NEVER_MS: u64 = u64::MAX >> 1;
const DAYS: u64 = 42;
pub const SOLANA: &str = "solana:EtWTRABZaYq6iMfeYKouRu166VU2xqa1";

/// The network of the example.
///
/// # Panics
/// When something is admitted or refused against the story.
pub fn play() -> MemoryNetwork {
    let terms = Terms::default();
    let mut story = Story { network: MemoryNetwork::judged_by(1, terms), devices: Vec::new(), terms };
    story.devices = story.network.enrol_grid(8);
    story.open();
    for day in 0..DAYS {
        story.network.pass_to(story.day_ms(day) + DAY_MS);
        story.report_all(day);
        match day {
            3 => story.careless(),
            9 => story.quarrel(),
            16 => story.hand_over(),
            22 => story.catch_up(),
            25 => story.rules_change(),
            30 => story.odd_signature(),
            _ => {}
        }
    }
    story.network.pass_to(story.day_ms(DAYS) + 2 * DAY_MS);
    story.network
}

struct Story {
    network: MemoryNetwork,
    devices: Vec<SeededDevice>,
    terms: Terms,
}

type Logged = (u64, Option<cairn_fold::Refusal>);

fn valid(logged: Logged) -> u64 {
    assert!(logged.1.is_none(), "entry {} is void: {:?}", logged.0, logged.1);
    logged.0
}

fn void(logged: Logged, code: &str) {
    assert_eq!(logged.1.map_or("valid", |refusal| refusal.code), code, "entry {}", logged.0);
}

impl Story {
    const fn day_ms(&self, day: u64) -> u64 {
        self.terms.zero_ms + day * DAY_MS
    }

    /// The key of a device whose owner has a Solana wallet.
    fn secure_element() -> SecretKey {
        SecretKey::p256([77; 32]).expect("a small scalar is a key")
    }

    /// A Solana owner with a P-256 device, a mobile device with an exact place, a second settlement chain.
    fn open(&mut self) {
        let domain = Domain::parse(SOLANA).expect("a chain id");
        let terms =
            DomainTerms { domain: domain.clone(), distributor: [0xd1; 32], token: String::new(), finality_blocks: 32 };
        valid(self.network.operate(Body::Domain(terms)));
        let wallet = SigningKey::from_seed([60; 32]);
        let owner = Account::at(domain, Address::Solana(wallet.public_bytes())).expect("a Solana address");
        let key = Self::secure_element();
        let place = Position::of(501_000_000, 101_000_000).expect("a place on earth");
        let enrol = Enrol {
            key: key.public(),
            owner,
            role: cairn_core::statement::Role::Device,
            classes: vec![CLASS.into()],
            model: "secure element".into(),
            mobility: Mobility::Fixed,
            cell: Cell::containing(place, 8).expect("a cell").index(),
            exact: Some((place.lat_e7, place.lon_e7)),
            altitude_cm: Some(-350),
        };
        let draft = self.draft(Body::Enrol(enrol)).signed_by(&key);
        let statement = self.with_solana(draft.finish(), &wallet);
        valid(self.network.log(EntryKind::Statement, &statement.encode()));

        let walker = SeededDevice::of(9);
        let mut statement = self.network.enrolment(&walker, 502_000_000, 103_000_000);
        let Body::Enrol(enrol) = &mut statement.body else { unreachable!("an enrolment") };
        enrol.mobility = Mobility::Mobile;
        let draft = self.draft(statement.body.clone()).signed_by(&walker.key).signed_by_wallet(&walker.wallet);
        valid(self.network.log(EntryKind::Statement, &draft.finish().encode()));
        self.devices.push(walker);
    }

    fn draft(&mut self, body: Body) -> Draft {
        let nonce = self.network.next_nonce();
        Draft::of(Some(self.network.id), body, nonce, NEVER_MS)
    }

    /// Adds the signature of a Solana wallet: Ed25519 over a line that people can read.
    fn with_solana(&self, mut statement: Statement, wallet: &SigningKey) -> Statement {
        let line = cairn_core::wallet::statement_line(&self.network.id, &statement.payload);
        let signature = wallet.sign(line.as_bytes()).to_vec();
        statement.signed.push(Signed { signer: Signer::Solana(wallet.public_bytes()), signature });
        statement
    }

    /// One day of PM10: device 1 is silent in week 3, device 2 is wild now and then, device 6 changes its key and leaves,
    /// device 7 falls silent, device 8 says all kinds of things.
    fn report_all(&mut self, day: u64) {
        let (time_ms, seq) = (self.day_ms(day), u32::try_from(day).expect("a few days"));
        for at in 0..self.devices.len() {
            let device = self.devices[at].clone();
            let value = 200 + i64::try_from(day * 7 % 40 + at as u64).expect("a small number");
            match at {
                1 if (14..21).contains(&day) => {}
                2 if day.is_multiple_of(5) => {
                    valid(self.network.send(&device, seq, time_ms, value * 20));
                }
                6 if day > 22 => {}
                6 if day > 16 => self.elsewhere_signed(&device, seq, time_ms, value),
                7 if day > 28 => {}
                8 => self.say_a_lot(&device, seq, time_ms, value),
                _ => {
                    valid(self.network.send(&device, seq, time_ms, value));
                }
            }
        }
        self.secure_report(seq, time_ms, 205 + i64::from(seq % 3));
    }

    /// The P-256 device, whose reports are signed with ES256; its first ones name the older algorithm id.
    fn secure_report(&mut self, seq: u32, time_ms: u64, pm10: i64) {
        let key = Self::secure_element();
        let device = DeviceId::of_key(&key.public().multicodec());
        let body = ReportBody::of(0, seq, time_ms, CLASS, Value::map(vec![(4, Value::Int(pm10))]));
        let mut report = sign_report(&key, device, &self.network.id, &body);
        if seq < 2 {
            // Protected header {1: -7} instead of {1: -9}; the signature covers it, so it is made again.
            let protected = [&[0xa2, 0x01, 0x26, 0x04, 0x50][..], &device.0].concat();
            let message = cose::sig_structure(&protected, Purpose::Report, Some(&self.network.id), &body.encode());
            report = sign1(&protected, &body.encode(), &key.sign(&message));
        }
        valid(self.network.log(EntryKind::Report, &report));
    }

    /// Every optional field of a report, in turn.
    fn say_a_lot(&mut self, device: &SeededDevice, seq: u32, time_ms: u64, pm10: i64) {
        let values =
            |pm10: i64| Value::map(vec![(1, Value::Int(-250)), (4, Value::Int(pm10)), (5, Value::Int(pm10 / 2))]);
        let mut body = ReportBody::of(1, seq, time_ms, CLASS, values(pm10));
        match seq % 7 {
            0 => body.clock = Some((ClockSource::Gnss, 50)),
            1 => body.clock = Some((ClockSource::None, 0)),
            2 => body.flags = flag::MAINTENANCE,
            3 => {
                body.flags = flag::BACKFILLED | flag::LOW_BATTERY;
                body.previous = Some([7; 8]);
            }
            4 => {
                let place = Position::of(502_000_000, 103_000_000).expect("a place on earth");
                body.place = Some(ReportedPlace::Cell(Cell::containing(place, 7).expect("a cell").index()));
            }
            5 => {
                let reading = |after_ms: i64, pm10| Value::Array(vec![Value::Int(after_ms), values(pm10)]);
                body.body = Value::Array(vec![reading(0, pm10), reading(3_600_000, pm10 + 3)]);
            }
            _ => {
                // The last day of the week, and with its last reading the first moment of the next epoch.
                let reading = |after_ms: u64, pm10| {
                    Value::Array(vec![Value::Int(i64::try_from(after_ms).expect("a day")), values(pm10)])
                };
                body.body = Value::Array(vec![reading(0, pm10), reading(DAY_MS, pm10 - 2)]);
                body.answers = vec![Hash([3; 32])];
                body.blobs = vec![(Hash([4; 32]), 70_000)];
            }
        }
        let report = sign_report(&device.key, device.id, &self.network.id, &body);
        valid(self.network.log(EntryKind::Report, &report));
    }

    /// Entries that a careful gateway would not have logged: each is void, with its code.
    fn careless(&mut self) {
        let (first, time_ms) = (self.devices[0].clone(), self.day_ms(3));
        let network = &mut self.network;
        void(network.send(&first, 3, time_ms, 203), "RPT-DUPLICATE");
        void(network.send(&SeededDevice::of(99), 0, time_ms, 1), "RPT-UNKNOWN-DEVICE");
        void(network.send(&first, 100, time_ms + 30 * DAY_MS, 1), "RPT-FUTURE");
        void(network.send(&first, 100, time_ms - 5 * DAY_MS, 1), "RPT-BEFORE-START");
        void(network.log(EntryKind::Report, b"not a report"), "RPT-COSE");
        let mut forged = network.report(&first, 101, time_ms, 203);
        *forged.last_mut().expect("a report has bytes") ^= 1;
        void(network.log(EntryKind::Report, &forged), "RPT-SIGNATURE");
        let other = Value::map(vec![(99, Value::Int(1))]);
        let report = sign_report(&first.key, first.id, &network.id, &ReportBody::of(0, 102, time_ms, CLASS, other));
        void(network.log(EntryKind::Report, &report), "CLS-QUANTITY");
        let unjudged = ReportBody::of(0, 103, time_ms, "compute/1", Value::map(vec![]));
        let report = sign_report(&first.key, first.id, &network.id, &unjudged);
        void(network.log(EntryKind::Report, &report), "RPT-CLASS");

        let stranger = SecretKey::ed25519([98; 32]);
        let said = sign_observation(&stranger, &network.id, &ObservationBody::clock(network.now_ms));
        void(network.log(EntryKind::Observation, &said), "OBS-OBSERVER");
        let choice = |payee: &SeededDevice| {
            Body::Payee(PayeeChoice { owner: first.account.clone(), payee: payee.account.clone() })
        };
        let body = choice(&self.devices[1]);
        void(self.network.own(&self.devices[1].wallet, body.clone()), "STM-RIGHTS");
        let stranger = SeededDevice::of(99);
        let choice = PayeeChoice { owner: stranger.account.clone(), payee: stranger.account };
        void(self.network.own(&stranger.wallet, Body::Payee(choice)), "STM-OWNER");
        let early = Draft::of(Some(self.network.id), body.clone(), 1, NEVER_MS).signed_by_wallet(&first.wallet);
        void(self.network.log(EntryKind::Statement, &early.finish().encode()), "STM-NONCE");
        let nonce = self.network.next_nonce();
        let stale = Draft::of(Some(self.network.id), body, nonce, 1).signed_by_wallet(&first.wallet);
        void(self.network.log(EntryKind::Statement, &stale.finish().encode()), "STM-EXPIRED");
    }

    /// A denial with its appeal, a conflict, a payee.
    fn quarrel(&mut self) {
        let time_ms = self.day_ms(9);
        let until_ms = time_ms + 6 * DAY_MS;
        let denied = self.devices[3].clone();
        let deny = Deny { device: denied.id, reason: "TEST".into(), evidence: vec![20, 21], until_ms };
        let deny = valid(self.network.operate(Body::Deny(deny)));
        let appeal = Body::Appeal(Appeal { deny, text: "the sensor was serviced".into(), evidence: vec![22] });
        valid(self.network.own(&denied.wallet, appeal.clone()));
        void(self.network.own(&denied.wallet, appeal), "STM-APPEAL");

        let twice = self.devices[4].clone();
        let mut reports = [self.network.report(&twice, 9, time_ms, 205), self.network.report(&twice, 9, time_ms, 999)];
        reports.sort_by_key(|bytes| Hash::of(Sign1::parse(bytes).expect("a report").payload));
        let [first, second] = reports;
        valid(self.network.operate(Body::Conflict(Conflict { first, second })));
        void(self.network.log(EntryKind::Report, &self.network.report(&twice, 9, time_ms, 999)), "RPT-DUPLICATE");

        let (owner, payee) = (self.devices[1].account.clone(), SeededDevice::of(120).account);
        valid(self.network.own(&self.devices[1].wallet.clone(), Body::Payee(PayeeChoice { owner, payee })));
    }

    /// Device 5 goes to the owner of device 4, device 6 gets a key in a secure element.
    fn hand_over(&mut self) {
        let (from, to) = (self.devices[5].clone(), self.devices[4].clone());
        let transfer = Body::Transfer(Transfer { device: from.id, owner: to.account.clone() });
        let draft = self.draft(transfer).signed_by_wallet(&from.wallet).signed_by_wallet(&to.wallet);
        valid(self.network.log(EntryKind::Statement, &draft.finish().encode()));

        let rotating = self.devices[6].clone();
        let next = Self::next_key();
        let rotate = Body::Rotate(Rotate { device: rotating.id, key: next.public() });
        let draft = self.draft(rotate).signed_by(&next).signed_by_wallet(&rotating.wallet);
        valid(self.network.log(EntryKind::Statement, &draft.finish().encode()));
        let time_ms = self.day_ms(16) + DAY_MS / 2;
        void(self.network.send(&rotating, 160, time_ms, 210), "RPT-ALGORITHM");
    }

    /// The key that device 6 rotates to.
    fn next_key() -> SecretKey {
        SecretKey::p256([78; 32]).expect("a small scalar is a key")
    }

    /// A report signed with the key that a device rotated to.
    fn elsewhere_signed(&mut self, device: &SeededDevice, seq: u32, time_ms: u64, pm10: i64) {
        let body = ReportBody::of(2, seq, time_ms, CLASS, Value::map(vec![(4, Value::Int(pm10))]));
        let report = sign_report(&Self::next_key(), device.id, &self.network.id, &body);
        valid(self.network.log(EntryKind::Report, &report));
    }

    /// Device 1 sends its silent week late, device 6 retires.
    fn catch_up(&mut self) {
        let late = self.devices[1].clone();
        for day in 14..21 {
            let seq = u32::try_from(day).expect("a few days");
            valid(self.network.send(&late, seq, self.day_ms(day), 210));
        }
        let leaving = self.devices[6].clone();
        valid(self.network.own(&leaving.wallet, Body::Retire(leaving.id)));
        let report = self.network.report(&leaving, 500, self.day_ms(22), 210);
        void(self.network.log(EntryKind::Report, &report), "RPT-RETIRED");
        let set = AuditorSet { first_epoch: 9, quorum: 2, auditors: vec![[1; 20], [2; 20], [3; 20]] };
        valid(self.network.operate(Body::AuditorSet(set)));
    }

    /// From epoch 4 on the residual swells the next pot, from epoch 5 on it burns; caps and shares are odd numbers.
    fn rules_change(&mut self) {
        let policy = self.network.fold.state().policy().expect("a policy is in force").document.clone();
        let policy = String::from_utf8(policy).expect("a policy is ASCII");
        let residual = policy.lines().rfind(|line| line.starts_with("to = ")).expect("a residual pool");
        for (first_epoch, to) in [(4, "to = \"next-epoch\""), (5, "to = \"burn\"")] {
            let document = policy
                .replace(residual, to)
                .replace("cap_per_device_tokens = \"5000\"", "cap_per_device_tokens = \"12345.000000000000000001\"")
                .replace("share_ppm = 100_000", "share_ppm = 123_457");
            valid(self.network.operate(Body::Policy(PolicyDocument { first_epoch, document: document.into() })));
        }
        let late = PolicyDocument { first_epoch: 1, document: policy.into() };
        void(self.network.operate(Body::Policy(late)), "STM-EPOCH");
        let successor = Successor { origin: "test.invalid/next".into(), log_key: [8; 32] };
        valid(self.network.operate(Body::Successor(successor)));
        let next = DomainTerms { domain: chain(), distributor: [0xee; 32], token: String::new(), finality_blocks: 12 };
        valid(self.network.operate(Body::Domain(next)));
    }

    /// A report whose `R` has a part of small order: the cofactored equation of ZIP-215 holds, that of RFC 8032 does not.
    fn odd_signature(&mut self) {
        let device = self.devices[0].clone();
        let body = ReportBody::of(3, 1, self.day_ms(30), CLASS, Value::map(vec![(1, Value::Int(1_234))]));
        let payload = body.encode();
        let protected = cose::protected_header(device.key.public().algorithm(), Some(&device.id.0));
        let message = cose::sig_structure(&protected, Purpose::Report, Some(&self.network.id), &payload);
        let signature = sign_with_torsion(&device.key.secret_bytes(), &message);
        valid(self.network.log(EntryKind::Report, &sign1(&protected, &payload, &signature)));
    }
}

pub fn sign1(protected: &[u8], payload: &[u8], signature: &[u8; 64]) -> Vec<u8> {
    let mut out = cairn_core::cbor::Encoder::empty();
    out.tag(18).array(4).bytes(protected).map(0).bytes(payload).bytes(signature);
    out.into_bytes()
}

fn sign_with_torsion(seed: &[u8; 32], message: &[u8]) -> [u8; 64] {
    let expanded = Sha512::digest(seed);
    let mut clamped = [0; 32];
    clamped.copy_from_slice(&expanded[..32]);
    clamped[0] &= 248;
    clamped[31] = (clamped[31] & 63) | 64;
    let secret = Scalar::from_bytes_mod_order(clamped);
    let public = SigningKey::from_seed(*seed).public_bytes();
    let nonce = Scalar::from(0x00c0_ffee_u64);
    let r = (ED25519_BASEPOINT_POINT * nonce + EIGHT_TORSION[1]).compress();
    let digest = Sha512::new().chain_update(r.as_bytes()).chain_update(public).chain_update(message).finalize();
    let challenge = Scalar::from_bytes_mod_order_wide(&digest.into());
    let s = nonce + challenge * secret;
    let mut signature = [0; 64];
    signature[..32].copy_from_slice(r.as_bytes());
    signature[32..].copy_from_slice(s.as_bytes());
    assert!(VerifyingKey::from_bytes(public).expect("a key").verify(message, &signature), "ZIP-215 accepts it");
    signature
}

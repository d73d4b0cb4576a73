//! Networks at random, from a seed: devices and owners who do whatever can be done, rightly and wrongly.
//!
//! Nobody says here what is valid. Two implementations that were written apart are asked, and must agree on every entry.
//!
//! Of three networks in a row one is judged by revision 1 of sensing, one by revision 2, which remembers; in the third the
//! operator changes policies and profiles as the dice fall, and often to ones that do not fit each other.

mod deposits;

use cairn_core::cbor::Value;
use cairn_core::cose::{self, Purpose};
use cairn_core::ed25519::SigningKey;
use cairn_core::entry::{Entry, EntryKind};
use cairn_core::geo::{Cell, Position};
use cairn_core::key::SecretKey;
use cairn_core::observation::{ObservationBody, sign_observation};
use cairn_core::report::{ClockSource, Report, ReportBody, ReportedPlace, sign_report};
use cairn_core::statement::{
    Appeal, AuditorSet, Body, Conflict, Deny, DomainTerms, Draft, Enrol, Mobility, PayeeChoice, PolicyDocument,
    ProfileDocument, Role, Rotate, Signed, Signer, Statement, Successor, Transfer,
};
use cairn_core::wallet::{WalletKey, statement_line};
use cairn_core::{Account, Address, DeviceId, Domain, Hash, NetworkId};
use cairn_testkit::network::{
    CLASS, DAY_MS, MemoryNetwork, SeededDevice, Terms, chain, daily_profile, policy, with_bridges, with_revision,
};
use cairn_testkit::random::Random;

use crate::scenario::{NEVER_MS, SOLANA, sign1};

const STEPS: usize = 250;
const OWNERS: usize = 9;
const DEVICES: usize = 14;
/// Those that are bridges, as long as they enrol tidily; each shares its owner with others.
const BRIDGES: [usize; 2] = [10, 12];
/// The revisions of the judge of sensing.
const REVISIONS: [u32; 2] = [1, 2];

/// What one hand plays with.
struct Dice(Random);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0.below(limit)
    }

    fn place(&mut self, len: usize) -> usize {
        self.0.place(len)
    }

    fn one_in(&mut self, odds: u64) -> bool {
        self.0.one_in(odds)
    }

    fn pick<T: Clone>(&mut self, of: &[T]) -> T {
        of[self.place(of.len())].clone()
    }

    /// Flips a bit somewhere.
    fn spoil(&mut self, bytes: &mut [u8]) {
        let at = self.place(bytes.len());
        bytes[at] ^= 1 << self.below(8);
    }
}

#[derive(Clone)]
enum Wallet {
    Evm(WalletKey),
    Solana(SigningKey),
}

struct Owner {
    wallet: Wallet,
    account: Account,
}

struct Device {
    id: DeviceId,
    /// The key it signs with, and the one it rotates to.
    keys: [SecretKey; 2],
    owner: usize,
}

struct Crowd {
    network: MemoryNetwork,
    dice: Dice,
    owners: Vec<Owner>,
    devices: Vec<Device>,
    denials: Vec<u64>,
    terms: Terms,
    policy: String,
    /// The revision of the judge that the operator keeps to.
    revision: Option<u32>,
}

/// The network of a seed.
pub fn play(seed: u64) -> MemoryNetwork {
    let mut crowd =
        Crowd::gather(Dice(Random::of(seed)), [Some(1), Some(2), None][usize::try_from(seed % 3).expect("below 3")]);
    for at in 0..DEVICES {
        if !crowd.dice.one_in(4) {
            crowd.enrol(at, true);
        }
    }
    for _ in 0..STEPS {
        crowd.step();
    }
    let end_ms = crowd.network.now_ms + crowd.dice.below(3 * crowd.terms.epoch_ms);
    crowd.network.pass_to(end_ms);
    crowd.network
}

/// The document with another value under `key`, wherever a line has it.
fn with(document: &str, key: &str, value: &str) -> String {
    let start = format!("{key} = ");
    assert!(document.lines().any(|line| line.starts_with(&start)), "the policy has no `{key}`");
    let line = |line: &str| if line.starts_with(&start) { format!("{start}{value}\n") } else { format!("{line}\n") };
    document.lines().map(line).collect()
}

fn policy_at_random(dice: &mut Dice, revision: u32) -> String {
    let treasury = SeededDevice::of(250).account;
    let to = dice.pick(&["burn".to_owned(), "next-epoch".to_owned(), treasury.to_string()]);
    let edits = [
        ("to", format!("\"{to}\"")),
        ("devices_per_owner", dice.below(4).to_string()),
        ("late_epochs", dice.below(4).to_string()),
        ("late_ppm", dice.below(1_000_001).to_string()),
        ("future_ms", dice.pick(&[0, 300_000, DAY_MS]).to_string()),
        ("max_supply_tokens", dice.pick(&["\"250000\"", "\"20000000\"", "\"0.5\""]).to_owned()),
    ];
    let document = edits.iter().fold(policy(revision), |document, (key, value)| with(&document, key, value));
    let document = if dice.one_in(4) { document } else { with_bridges(&document) };
    deposits::policy_at_random(dice, &document)
}

impl Crowd {
    fn gather(mut dice: Dice, revision: Option<u32>) -> Self {
        let terms =
            Terms { zero_ms: 1_000 * DAY_MS, epoch_ms: (1 + dice.below(7)) * DAY_MS, grace_ms: dice.below(DAY_MS) };
        let clock = SecretKey::ed25519([252; 32]);
        let first = revision.unwrap_or_else(|| dice.pick(&REVISIONS));
        let policy = policy_at_random(&mut dice, first);
        let profile = daily_profile(revision.unwrap_or_else(|| dice.pick(&REVISIONS)));
        let mut network = MemoryNetwork::under(terms, &policy, profile, clock);
        deposits::settle(&mut dice, &mut network);
        let owners = (0..OWNERS).map(owner).collect();
        let devices = (0..DEVICES).map(device).collect();
        Self { network, dice, owners, devices, denials: Vec::new(), terms, policy, revision }
    }

    fn step(&mut self) {
        let at = self.dice.place(DEVICES);
        match self.dice.below(46) {
            0..=5 => {
                let waits_ms = [1, 3_600_000, DAY_MS / 2, DAY_MS, DAY_MS, 2 * DAY_MS, 9 * DAY_MS];
                let time_ms = self.network.now_ms + self.dice.pick(&waits_ms);
                self.network.pass_to(time_ms);
            }
            6..=27 => self.report(at),
            28 => self.enrol(at, false),
            29 => self.transfer(at),
            30 if self.dice.one_in(3) => {
                let owner = self.devices[at].owner;
                self.say(Body::Retire(self.devices[at].id), &[], &[owner]);
            }
            31 => self.rotate(at),
            32 => self.choose_payee(),
            33 => self.deny(at),
            34 => self.appeal(),
            35 => self.show_conflict(at),
            36 => self.change_policy(),
            37 => self.observe(),
            38 => self.repeat_statement(),
            39 => self.operate_otherwise(),
            _ => self.pay_in(),
        }
    }

    /// Signs and logs a statement; now and then somebody else signs, nobody does, or it is too late, repeated or of
    /// another network. Whether it was valid.
    fn say(&mut self, body: Body, keys: &[&SecretKey], owners: &[usize]) -> (u64, bool) {
        let dice = &mut self.dice;
        let nonce = if dice.one_in(30) { dice.below(5) } else { self.network.next_nonce() };
        let now_ms = self.network.now_ms;
        let expiry_ms = if dice.one_in(25) { now_ms - 1 + dice.below(3) } else { NEVER_MS };
        let network = if dice.one_in(60) { NetworkId(Hash([1; 32])) } else { self.network.id };
        let mut draft = Draft::of(Some(network), body, nonce, expiry_ms);
        for key in keys {
            if !dice.one_in(25) {
                draft = draft.signed_by(key);
            }
        }
        let mut on_solana = Vec::new();
        for &owner in owners {
            let owner = if dice.one_in(20) { dice.place(OWNERS) } else { owner };
            match &self.owners[owner].wallet {
                Wallet::Evm(wallet) => draft = draft.signed_by_wallet(wallet),
                Wallet::Solana(key) => on_solana.push(key.clone()),
            }
        }
        let mut statement = draft.finish();
        for key in on_solana {
            let line = statement_line(&network, &statement.payload);
            let signature = key.sign(line.as_bytes()).to_vec();
            statement.signed.push(Signed { signer: Signer::Solana(key.public_bytes()), signature });
        }
        self.log(&statement)
    }

    fn log(&mut self, statement: &Statement) -> (u64, bool) {
        let (index, refusal) = self.network.log(EntryKind::Statement, &statement.encode());
        (index, refusal.is_none())
    }

    fn operate(&mut self, body: Body) -> (u64, bool) {
        let stranger = SecretKey::ed25519([9; 32]);
        let key = if self.dice.one_in(25) { stranger } else { self.network.operator.clone() };
        self.say(body, &[&key], &[])
    }

    /// The open epoch, or one soon after.
    fn some_epoch(&mut self) -> u64 {
        self.network.fold.state().epoch.number + self.dice.below(3)
    }

    fn enrol(&mut self, at: usize, tidy: bool) {
        let dice = &mut self.dice;
        let step = |dice: &mut Dice| i32::try_from(dice.below(30)).expect("below 30") * 1_000_000;
        let place = Position::of(500_000_000 + step(dice), 100_000_000 + step(dice)).expect("a place on earth");
        let resolution = if tidy { 8 } else { dice.pick(&[0, 5, 8, 8, 8, 9, 15]) };
        let cell = Cell::containing(place, resolution).expect("a cell").index();
        let roles = [Role::Device, Role::Device, Role::Bridge, Role::Buyer, Role::Worker, Role::Anchor];
        let device = &self.devices[at];
        let enrol = Enrol {
            key: device.keys[usize::from(!tidy && dice.one_in(5))].public(),
            owner: self.owners[device.owner].account.clone(),
            role: match tidy {
                true if BRIDGES.contains(&at) => Role::Bridge,
                true => Role::Device,
                false => dice.pick(&roles),
            },
            classes: if tidy {
                vec![CLASS.into()]
            } else {
                vec![dice.pick(&[CLASS, CLASS, CLASS, "storage/1"]).into()]
            },
            model: "made of dice".into(),
            mobility: dice.pick(&[Mobility::Fixed, Mobility::Fixed, Mobility::Mobile]),
            cell: if !tidy && dice.one_in(8) { dice.0.bits() >> 1 } else { cell },
            // That an exact place lies in its cell is not asked of implementations without H3's geometry.
            exact: dice.one_in(3).then_some((place.lat_e7, place.lon_e7)),
            altitude_cm: dice.one_in(2).then_some(-350),
        };
        let enrol = if Cell::of(enrol.cell).is_none() { Enrol { exact: None, ..enrol } } else { enrol };
        let (key, owner) = (device.keys[0].clone(), device.owner);
        self.say(Body::Enrol(enrol), &[&key], &[owner]);
    }

    fn transfer(&mut self, at: usize) {
        let (from, to) = (self.devices[at].owner, self.dice.place(OWNERS));
        let transfer = Transfer { device: self.devices[at].id, owner: self.owners[to].account.clone() };
        let owners = if from == to { vec![to] } else { vec![from, to] };
        if self.say(Body::Transfer(transfer), &[], &owners).1 {
            self.devices[at].owner = to;
        }
    }

    fn rotate(&mut self, at: usize) {
        let (next, owner) = (self.devices[at].keys[1].clone(), self.devices[at].owner);
        let rotate = Rotate { device: self.devices[at].id, key: next.public() };
        if self.say(Body::Rotate(rotate), &[&next], &[owner]).1 {
            self.devices[at].keys.swap(0, 1);
        }
    }

    fn choose_payee(&mut self) {
        let (owner, payee) = (self.dice.place(OWNERS), self.dice.place(OWNERS));
        let account = |at: usize| self.owners[at].account.clone();
        let choice = PayeeChoice { owner: account(owner), payee: account(payee) };
        self.say(Body::Payee(choice), &[], &[owner]);
    }

    fn deny(&mut self, at: usize) {
        let until_ms = self.network.now_ms + self.dice.below(5) * DAY_MS;
        let deny = Deny { device: self.devices[at].id, reason: "DICE".into(), evidence: vec![], until_ms };
        if let (index, true) = self.operate(Body::Deny(deny)) {
            self.denials.push(index);
        }
    }

    fn appeal(&mut self) {
        if !self.denials.is_empty() {
            let (deny, owner) = (self.dice.pick(&self.denials), self.dice.place(OWNERS));
            let appeal = Appeal { deny, text: "not so".into(), evidence: vec![deny] };
            self.say(Body::Appeal(appeal), &[], &[owner]);
        }
    }

    fn show_conflict(&mut self, at: usize) {
        let device = &self.devices[at];
        let key = &device.keys[usize::from(self.dice.one_in(4))];
        let seq = u32::try_from(self.dice.below(120)).expect("below 120");
        let signed = |pm10| {
            let body = ReportBody::of(0, seq, self.network.now_ms, CLASS, Value::map(vec![(4, Value::Int(pm10))]));
            sign_report(key, device.id, &self.network.id, &body)
        };
        let mut reports = [signed(1), signed(2)];
        reports.sort_by_key(|bytes| Report::parse(bytes).expect("a report").identity());
        if self.dice.one_in(6) {
            reports.swap(0, 1);
        }
        let [first, second] = reports;
        self.operate(Body::Conflict(Conflict { first, second }));
    }

    fn change_policy(&mut self) {
        let first_epoch = self.some_epoch();
        let late_epochs = self.dice.below(6).to_string();
        let judge = self.judge();
        self.policy = with_revision(&self.policy, judge);
        match self.dice.below(6) {
            0 => self.policy = policy_at_random(&mut self.dice, judge),
            1 => {
                let document = deposits::spoil_policy(&mut self.dice, &self.policy).into_bytes();
                self.operate(Body::Policy(PolicyDocument { first_epoch, document }));
                return;
            }
            _ => {}
        }
        let (key, value) = match self.dice.below(6) {
            0 => ("share_ppm", "400_001"),
            1 => ("share_ppm", "900_001"),
            2 => ("decimals", "18.0"),
            3 => ("min_score_ppm", "999_999"),
            4 => ("revision", "2"),
            _ => ("late_epochs", &*late_epochs),
        };
        let document = with(&self.policy, key, value).into_bytes();
        self.operate(Body::Policy(PolicyDocument { first_epoch, document }));
    }

    fn observe(&mut self) {
        let time_ms = self.network.now_ms + 1 - self.dice.below(3);
        let stranger = SecretKey::ed25519([7; 32]);
        let key = if self.dice.one_in(4) { &stranger } else { &self.network.clock };
        let mut bytes = sign_observation(key, &self.network.id, &ObservationBody::clock(time_ms));
        if self.dice.one_in(4) {
            self.dice.spoil(&mut bytes);
        }
        self.network.log(EntryKind::Observation, &bytes);
    }

    fn repeat_statement(&mut self) {
        let at = self.dice.place(self.network.entries.len());
        let entry = self.network.entries[at].clone();
        let entry = Entry::decode(&entry).expect("entries are logged in their form");
        if entry.kind == EntryKind::Statement {
            let mut bytes = entry.body.to_vec();
            if !self.dice.one_in(3) {
                self.dice.spoil(&mut bytes);
            }
            self.network.log(EntryKind::Statement, &bytes);
        }
    }

    fn operate_otherwise(&mut self) {
        let first_epoch = self.some_epoch();
        let byte = u8::try_from(self.dice.below(255)).expect("a byte");
        let body = match self.dice.below(6) {
            0 => Body::AuditorSet(AuditorSet { first_epoch, quorum: 1, auditors: vec![[byte; 20]] }),
            1 => Body::Successor(Successor { origin: "test.invalid/next".into(), log_key: [byte; 32] }),
            2 => {
                let class = self.dice.pick(&[CLASS, "storage/1"]).to_owned();
                let document = self.some_profile().into();
                Body::Profile(ProfileDocument { first_epoch, class, document })
            }
            _ => {
                let (domain, token) = deposits::terms_at_random(&mut self.dice);
                let (domain, token) = if self.dice.one_in(4) { (solana(), String::new()) } else { (domain, token) };
                let terms = DomainTerms { domain, distributor: [byte; 32], token, finality_blocks: 1 };
                Body::Domain(terms)
            }
        };
        self.operate(body);
    }

    /// The revision that the operator keeps to, or one.
    fn judge(&mut self) -> u32 {
        self.revision.unwrap_or_else(|| self.dice.pick(&REVISIONS))
    }

    /// A profile for the judge, or a document that is none.
    fn some_profile(&mut self) -> String {
        let station = match self.judge() {
            1 => cairn_classes::sensing::revision_1::SENSING_STATION,
            _ => cairn_classes::sensing::SENSING_STATION,
        };
        match self.dice.below(8) {
            0 => station.replace("slot_ms = ", "slot_ms = 7"),
            1 => station.replace("slot_ms = ", "slot_ms = 0"),
            2 => format!("form = 3\n{station}"),
            _ => station.to_owned(),
        }
    }

    fn report(&mut self, at: usize) {
        let body = ReportBody { subject: self.some_subject(at), ..self.report_body() };
        let (device, dice) = (&self.devices[at], &mut self.dice);
        let key = &device.keys[usize::from(dice.one_in(8))];
        let mut bytes = if dice.one_in(8) {
            // Any algorithm that COSE knows by a number of one byte.
            let algorithm = dice.pick(&[0x26, 0x27, 0x28, 0x32, 0x33]);
            let protected = [&[0xa2, 0x01, algorithm, 0x04, 0x50][..], &device.id.0].concat();
            let payload = body.encode();
            let message = cose::sig_structure(&protected, Purpose::Report, Some(&self.network.id), &payload);
            sign1(&protected, &payload, &key.sign(&message))
        } else {
            sign_report(key, device.id, &self.network.id, &body)
        };
        if dice.one_in(12) {
            dice.spoil(&mut bytes);
        }
        if dice.one_in(60) {
            bytes.truncate(dice.place(bytes.len()));
        }
        let twice = dice.one_in(15);
        self.network.log(EntryKind::Report, &bytes);
        if twice {
            self.network.log(EntryKind::Report, &bytes);
        }
    }

    fn report_body(&mut self) -> ReportBody {
        let time_ms = self.some_time();
        let dice = &mut self.dice;
        let boot = dice.pick(&[0, 0, 0, 1, u32::MAX]);
        let seq = match dice.below(20) {
            0 => u64::from(u32::MAX) - dice.below(2),
            1..=6 => dice.below(400) * 2,
            _ => dice.below(120),
        };
        let schema = if dice.one_in(40) { "storage/1" } else { CLASS };
        let seq = u32::try_from(seq).expect("32 bits");
        let mut body = ReportBody::of(boot, seq, time_ms, schema, sensing_at_random(dice));
        if dice.one_in(4) {
            body.clock = Some((dice.pick(&[ClockSource::None, ClockSource::Rtc, ClockSource::Gnss]), dice.below(100)));
        }
        if dice.one_in(4) {
            body.flags = dice.below(9);
        }
        if dice.one_in(6) {
            body.place = Some(place_at_random(dice));
        }
        body.previous = dice.one_in(20).then_some([1; 8]);
        body.answers = if dice.one_in(20) { vec![Hash([1; 32])] } else { Vec::new() };
        body
    }

    /// Whom a report is said to be of: by a bridge mostly a device of its owner, by others mostly nobody.
    fn some_subject(&mut self, at: usize) -> Option<[u8; 16]> {
        let dice = &mut self.dice;
        let names_one = if BRIDGES.contains(&at) { !dice.one_in(20) } else { dice.one_in(40) };
        if names_one {
            let kin = self.devices.iter().filter(|device| device.owner == self.devices[at].owner);
            let ids: Vec<[u8; 16]> = if dice.one_in(5) {
                self.devices.iter().map(|device| device.id.0).chain([[1; 16]]).collect()
            } else {
                kin.map(|device| device.id.0).collect()
            };
            return Some(dice.pick(&ids));
        }
        None
    }

    /// A time around now, around the beginning of epochs, long ago, or ahead.
    fn some_time(&mut self) -> u64 {
        let (now_ms, terms, dice) = (self.network.now_ms, self.terms, &mut self.dice);
        let midnight_ms = now_ms / DAY_MS * DAY_MS;
        match dice.below(12) {
            0 => now_ms + dice.pick(&[0, 1, 299_999, 300_000, 300_001, DAY_MS, DAY_MS + 1]),
            1 => now_ms - dice.below(40) * DAY_MS,
            2 => terms.zero_ms - dice.below(2),
            3 => terms.zero_ms + terms.epoch_ms * dice.below(6) - dice.below(2),
            _ => midnight_ms - dice.below(3) * DAY_MS,
        }
    }
}

fn solana() -> Domain {
    Domain::parse(SOLANA).expect("a chain id")
}

fn owner(at: usize) -> Owner {
    let seed = u8::try_from(at).expect("few owners");
    if at < 6 {
        let wallet = WalletKey::from_bytes([20 + seed; 32]).expect("a small scalar is a key");
        let account = Account::at(chain(), wallet.address()).expect("an EVM address");
        return Owner { wallet: Wallet::Evm(wallet), account };
    }
    let key = SigningKey::from_seed([70 + seed; 32]);
    let account = Account::at(solana(), Address::Solana(key.public_bytes())).expect("a Solana address");
    Owner { wallet: Wallet::Solana(key), account }
}

fn device(at: usize) -> Device {
    let seed = u8::try_from(at).expect("few devices");
    let key = |is_p256: bool, seed| {
        if is_p256 {
            SecretKey::p256([seed; 32]).expect("a small scalar is a key")
        } else {
            SecretKey::ed25519([seed; 32])
        }
    };
    let keys = [key(at % 4 == 3, 100 + seed), key(at.is_multiple_of(3), 140 + seed)];
    let owner = match at {
        0..=8 => at,
        9..=11 => 0,
        _ => 1,
    };
    Device { id: DeviceId::of_key(&keys[0].public().multicodec()), keys, owner }
}

fn values_at_random(dice: &mut Dice) -> Value {
    const EDGES: [i64; 5] = [1_000_000_000_000, 1_000_000_000_001, -1_000_000_000_000, i64::MIN, i64::MAX];
    match dice.below(80) {
        0 => return Value::map(vec![]),
        1 => return Value::map(vec![(4, Value::Text("x".into()))]),
        _ => {}
    }
    let mut pairs = Vec::new();
    for quantity in 1..=15 {
        if quantity == 4 || dice.one_in(6) {
            let usual = 150 + i64::try_from(dice.below(200)).expect("below 200");
            pairs.push((quantity, Value::Int(if dice.one_in(40) { dice.pick(&EDGES) } else { usual })));
        }
    }
    if dice.one_in(50) {
        pairs.push((dice.pick(&[0, 16, -1, 99]), Value::Int(1)));
    }
    Value::map(pairs)
}

fn sensing_at_random(dice: &mut Dice) -> Value {
    const STEPS_MS: [i64; 7] = [0, 1_000, 43_200_000, 86_400_000, 86_400_000, 2_678_400_000, -1];
    match dice.below(20) {
        0 => Value::Int(5),
        1 => Value::Array(vec![]),
        2 => Value::Array(vec![Value::Array(vec![Value::Int(1)])]),
        3..=7 => {
            let (mut after_ms, mut readings) = (0, Vec::new());
            for _ in 0..=dice.below(4) {
                readings.push(Value::Array(vec![Value::Int(after_ms), values_at_random(dice)]));
                after_ms += dice.pick(&STEPS_MS);
            }
            Value::Array(readings)
        }
        _ => values_at_random(dice),
    }
}

fn place_at_random(dice: &mut Dice) -> ReportedPlace {
    let place = Position::of(500_000_000, 1).expect("a place on earth");
    let cell = |resolution| Cell::containing(place, resolution).expect("a cell").index();
    let exact = |lon_e7, altitude| ReportedPlace::Exact { lat_e7: 500_000_000, lon_e7, altitude };
    match dice.below(5) {
        0 => exact(dice.pick(&[1, 1_800_000_000, 1_800_000_001]), None),
        1 => exact(1, Some((5, Some(6)))),
        2 => ReportedPlace::Cell(dice.0.bits() >> 1),
        3 => ReportedPlace::Cell(cell(9)),
        _ if dice.one_in(3) => ReportedPlace::Cell(cell(4) ^ (1 << dice.below(63))),
        _ => ReportedPlace::Cell(cell(4)),
    }
}

/// The void entries of a network: a line `index code` each.
pub fn void_lines(network: &MemoryNetwork) -> String {
    let line = |(index, refusal): (usize, &Option<cairn_fold::Refusal>)| {
        refusal.as_ref().map(|refusal| format!("{index} {}\n", refusal.code))
    };
    network.refusals.iter().enumerate().filter_map(line).collect()
}

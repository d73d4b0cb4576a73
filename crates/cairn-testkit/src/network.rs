//! A whole network in memory, on a clock of its own: entries as a sequencer would log them, closings included.
//!
//! Everything is made from seeds, so the same calls give the same bytes. Nothing here is checked before it is logged:
//! void entries go in too, as a careless or hostile operator would let them.

use cairn_core::cbor::Value;
use cairn_core::deposit::{Deposit, source_of};
use cairn_core::entry::{Entry, EntryKind};
use cairn_core::geo::{Cell, Position};
use cairn_core::key::SecretKey;
use cairn_core::observation::{ObservationBody, sign_observation};
use cairn_core::report::{ReportBody, sign_report};
use cairn_core::statement::{
    Body, DomainTerms, Draft, Enrol, Genesis, Mobility, PolicyDocument, ProfileDocument, Role, Statement,
};
use cairn_core::wallet::WalletKey;
use cairn_core::{Account, DeviceId, Domain, Hash, NetworkId};
use cairn_fold::{Closed, Fold, FoldError, Refusal, Snapshot, check_reports};
use cairn_merkle::tree::{Frontier, leaf_hash};

/// A day in ms.
pub const DAY_MS: u64 = 86_400_000;

/// The class that devices here report for.
pub const CLASS: &str = "sensing/1";

/// A device with its owner, made from one seed.
#[derive(Debug, Clone)]
pub struct SeededDevice {
    /// Its key.
    pub key: SecretKey,
    /// Its owner's key.
    pub wallet: WalletKey,
    /// Its owner's account.
    pub account: Account,
    /// Its id.
    pub id: DeviceId,
}

impl SeededDevice {
    /// The device of a seed, with an owner of its own.
    ///
    /// # Panics
    /// Never, for the seeds there are.
    #[must_use]
    pub fn of(seed: u8) -> Self {
        Self::with_keys([seed; 32], [seed.max(1); 32])
    }

    /// One of more devices than there are seeds.
    ///
    /// # Panics
    /// Never.
    #[must_use]
    pub fn numbered(number: u32) -> Self {
        let mut seed = [7; 32];
        seed[..4].copy_from_slice(&number.wrapping_add(1).to_be_bytes());
        Self::with_keys(seed, seed)
    }

    fn with_keys(device: [u8; 32], owner: [u8; 32]) -> Self {
        let key = SecretKey::ed25519(device);
        let wallet = WalletKey::from_bytes(owner).expect("a small scalar is a key");
        let account = Account::at(chain(), wallet.address()).expect("an EVM address on an EVM chain");
        let id = DeviceId::of_key(&key.public().multicodec());
        Self { key, wallet, account, id }
    }
}

/// The chain that accounts here are on.
///
/// # Panics
/// Never.
#[must_use]
pub fn chain() -> Domain {
    Domain::parse("eip155:31337").expect("a chain id")
}

/// The default policy of a network in memory, with a revision of the judge of sensing.
///
/// # Panics
/// When the default policy no longer names its judge in two lines.
#[must_use]
pub fn policy(revision: u32) -> String {
    let treasury = SeededDevice::of(250).account;
    let clock = SecretKey::ed25519([252; 32]);
    let policy = cairn_reward::default_policy("TEST", &treasury, &clock.public());
    with_revision(&policy, revision)
}

/// A policy that names another revision of the judge of sensing, and is the same in everything else.
///
/// # Panics
/// When the policy does not name its judge, as the default one does.
#[must_use]
pub fn with_revision(policy: &str, revision: u32) -> String {
    let table = format!("[classes.\"{CLASS}\"]\n");
    let (before, after) = policy.split_once(&table).expect("the policy has a table for the class");
    let (between, after) = after.split_once("revision = ").expect("the class has a revision");
    let (_, after) = after.split_once('\n').expect("the policy goes on after its classes");
    format!("{before}{table}{between}revision = {revision}\n{after}")
}

/// A policy that lets bridges report for the class, and is the same in everything else.
///
/// # Panics
/// When the policy has no table for the class.
#[must_use]
pub fn with_bridges(policy: &str) -> String {
    let table = format!("[classes.\"{CLASS}\"]\n");
    let (before, after) = policy.split_once(&table).expect("the policy has a table for the class");
    format!("{before}{table}bridges = true\n{after}")
}

/// A policy under which deposits on chains count, as observers of them all say; and is the same in everything else.
#[must_use]
pub fn with_credit(policy: &str, chains: &[Domain], observers: &[SecretKey]) -> String {
    let mut text = policy.to_owned();
    for chain in chains {
        let source = source_of(chain);
        for key in observers {
            let did = key.public().did();
            text += &format!("\n[[observers]]\nsource = \"{source}\"\nkey = \"{did}\"\ntrust = \"operator\"\n");
        }
    }
    let names: Vec<String> = chains.iter().map(|chain| format!("\"{chain}\"")).collect();
    text + &format!("\n[credit]\nchains = [{}]\n", names.join(", "))
}

/// The profile for daily means that a revision of the judge of sensing reads.
///
/// # Panics
/// When there is no such revision.
#[must_use]
pub fn daily_profile(revision: u32) -> &'static str {
    match revision {
        1 => cairn_classes::sensing::revision_1::SENSING_DAILY_PM,
        2 => cairn_classes::sensing::SENSING_DAILY_PM,
        _ => panic!("the judge of sensing has no revision {revision}"),
    }
}

/// Where epochs lie in a network in memory.
#[derive(Debug, Clone, Copy)]
pub struct Terms {
    /// Start of epoch 0.
    pub zero_ms: u64,
    /// Length of an epoch.
    pub epoch_ms: u64,
    /// Grace of an epoch.
    pub grace_ms: u64,
}

impl Default for Terms {
    fn default() -> Self {
        Self { zero_ms: 1_000 * DAY_MS, epoch_ms: 7 * DAY_MS, grace_ms: DAY_MS }
    }
}

/// A network in memory.
#[derive(Debug, Clone)]
pub struct MemoryNetwork {
    /// Its id.
    pub id: NetworkId,
    /// The operator's key.
    pub operator: SecretKey,
    /// The key of the operator's clock observations.
    pub clock: SecretKey,
    /// The entries logged.
    pub entries: Vec<Vec<u8>>,
    /// What became of each: `None` when valid.
    pub refusals: Vec<Option<Refusal>>,
    /// The epochs closed.
    pub closed: Vec<Closed>,
    /// The fold of all entries.
    pub fold: Fold,
    /// The time of the next entry.
    pub now_ms: u64,
    nonce: u64,
}

impl MemoryNetwork {
    /// A network that judges daily particulate matter under the default policy.
    ///
    /// # Panics
    /// When the defaults do not fit together.
    #[must_use]
    pub fn daily(terms: Terms) -> Self {
        Self::judged_by(2, terms)
    }

    /// A network that judges daily particulate matter with a revision of the judge of sensing, under the default policy but
    /// for that.
    ///
    /// # Panics
    /// When there is no such revision.
    #[must_use]
    pub fn judged_by(revision: u32, terms: Terms) -> Self {
        let clock = SecretKey::ed25519([252; 32]);
        Self::under(terms, &policy(revision), daily_profile(revision), clock)
    }

    /// A network under a policy and a sensing profile.
    ///
    /// # Panics
    /// When one of its first statements is void.
    #[must_use]
    pub fn under(terms: Terms, policy: &str, profile: &str, clock: SecretKey) -> Self {
        Self::called("in memory", "everything: a test in memory", terms, policy, profile, clock)
    }

    /// A network with a name, and with one thing that is rehearsed, under a policy and a sensing profile.
    ///
    /// # Panics
    /// When one of its first statements is void.
    #[must_use]
    pub fn called(name: &str, rehearsed: &str, terms: Terms, policy: &str, profile: &str, clock: SecretKey) -> Self {
        let operator = SecretKey::ed25519([251; 32]);
        let point = |seed| SecretKey::ed25519([seed; 32]).public().multicodec()[2..].try_into().expect("32 bytes");
        let genesis = Genesis {
            random: [0; 16],
            name: name.into(),
            origin: "test.invalid/memory".into(),
            operator: operator.public(),
            log_key: point(253),
            promise_key: point(254),
            epoch_zero_ms: terms.zero_ms,
            epoch_ms: terms.epoch_ms,
            grace_ms: terms.grace_ms,
            policy_hash: Hash::of(policy.as_bytes()),
            rehearsed: vec![rehearsed.into()],
        };
        let genesis = Draft::of(None, Body::Genesis(genesis), 1, u64::MAX >> 1).signed_by(&operator).finish();
        let mut network = Self {
            id: NetworkId(genesis.payload_hash()),
            operator,
            clock,
            entries: Vec::new(),
            refusals: Vec::new(),
            closed: Vec::new(),
            fold: Fold::start(),
            now_ms: terms.zero_ms,
            nonce: 1,
        };
        network.log(EntryKind::Statement, &genesis.encode());
        network.operate(Body::Policy(PolicyDocument { first_epoch: 0, document: policy.into() }));
        let document = profile.into();
        network.operate(Body::Profile(ProfileDocument { first_epoch: 0, class: CLASS.into(), document }));
        let terms = DomainTerms { domain: chain(), distributor: [0; 32], token: String::new(), finality_blocks: 0 };
        network.operate(Body::Domain(terms));
        assert!(network.refusals.iter().all(Option::is_none), "the first statements: {:?}", network.refusals);
        network
    }

    /// Logs an entry at the network's time, valid or not, and the statements of the epochs that it closes.
    ///
    /// # Panics
    /// When the log itself would be wrong.
    pub fn log(&mut self, kind: EntryKind, body: &[u8]) -> (u64, Option<Refusal>) {
        let entry = Entry { kind, received_ms: self.now_ms, body };
        let bytes = entry.encode();
        let index = self.fold.size();
        let folded = self.fold.push(leaf_hash(&bytes), &entry, None).expect("time never goes back here");
        self.entries.push(bytes);
        let refusal = folded.effect.err();
        self.refusals.push(refusal.clone());
        for closed in folded.closed {
            let (_, refused) = self.log(EntryKind::Epoch, &closed.bytes.clone());
            assert_eq!(refused, None, "the statement of epoch {}", closed.statement.number);
            self.closed.push(closed);
        }
        (index, refusal)
    }

    /// A nonce above every one before.
    pub fn next_nonce(&mut self) -> u64 {
        self.nonce += 1;
        self.nonce
    }

    /// Logs a statement signed by the operator.
    pub fn operate(&mut self, body: Body) -> (u64, Option<Refusal>) {
        let nonce = self.next_nonce();
        let statement = Draft::of(Some(self.id), body, nonce, u64::MAX >> 1).signed_by(&self.operator).finish();
        self.log(EntryKind::Statement, &statement.encode())
    }

    /// Logs a statement signed by an owner.
    pub fn own(&mut self, wallet: &WalletKey, body: Body) -> (u64, Option<Refusal>) {
        let nonce = self.next_nonce();
        let statement = Draft::of(Some(self.id), body, nonce, u64::MAX >> 1).signed_by_wallet(wallet).finish();
        self.log(EntryKind::Statement, &statement.encode())
    }

    /// An enrolment at a place, signed by device and owner.
    ///
    /// # Panics
    /// When the place is not on earth.
    #[must_use]
    pub fn enrolment(&mut self, device: &SeededDevice, lat_e7: i32, lon_e7: i32) -> Statement {
        self.enrolment_in(device, lat_e7, lon_e7, 8)
    }

    /// The same in a cell of a resolution.
    ///
    /// # Panics
    /// When that is no place or no resolution.
    #[must_use]
    pub fn enrolment_in(&mut self, device: &SeededDevice, lat_e7: i32, lon_e7: i32, resolution: u8) -> Statement {
        let position = Position::of(lat_e7, lon_e7).expect("a place on earth");
        let enrol = Enrol {
            key: device.key.public(),
            owner: device.account.clone(),
            role: Role::Device,
            classes: vec![CLASS.into()],
            model: "test".into(),
            mobility: Mobility::Fixed,
            cell: Cell::containing(position, resolution).expect("a cell").index(),
            exact: None,
            altitude_cm: None,
        };
        let nonce = self.next_nonce();
        Draft::of(Some(self.id), Body::Enrol(enrol), nonce, u64::MAX >> 1)
            .signed_by(&device.key)
            .signed_by_wallet(&device.wallet)
            .finish()
    }

    /// The enrolment of a bridge that has the owner of another device.
    ///
    /// # Panics
    /// Never.
    #[must_use]
    pub fn bridge_enrolment(&mut self, bridge: &SeededDevice, owner: &SeededDevice) -> Statement {
        let place = Position::of(500_000_000, 100_000_000).expect("a place on earth");
        let enrol = Enrol {
            key: bridge.key.public(),
            owner: owner.account.clone(),
            role: Role::Bridge,
            classes: vec![CLASS.into()],
            model: "bridge".into(),
            mobility: Mobility::Fixed,
            cell: Cell::containing(place, 8).expect("a cell").index(),
            exact: None,
            altitude_cm: None,
        };
        let nonce = self.next_nonce();
        Draft::of(Some(self.id), Body::Enrol(enrol), nonce, u64::MAX >> 1)
            .signed_by(&bridge.key)
            .signed_by_wallet(&owner.wallet)
            .finish()
    }

    /// A report of PM10 in 0.1 ug/m3 that a bridge signs for another device.
    #[must_use]
    pub fn bridged(&self, bridge: &SeededDevice, subject: &SeededDevice, seq: u32, time_ms: u64, pm10: i64) -> Vec<u8> {
        let body = ReportBody::of(0, seq, time_ms, CLASS, Value::map(vec![(4, Value::Int(pm10))]));
        sign_report(&bridge.key, bridge.id, &self.id, &ReportBody { subject: Some(subject.id.0), ..body })
    }

    /// Enrols devices of the seeds `1..=count` about 20 km apart.
    pub fn enrol_grid(&mut self, count: u8) -> Vec<SeededDevice> {
        let devices: Vec<SeededDevice> = (1..=count).map(SeededDevice::of).collect();
        for (at, device) in (0..).zip(&devices) {
            let (row, column) = (at / 4, at % 4);
            let statement = self.enrolment(device, 500_000_000 + row * 2_000_000, 100_000_000 + column * 3_000_000);
            self.log(EntryKind::Statement, &statement.encode());
        }
        devices
    }

    /// A signed report of PM10 in 0.1 ug/m3.
    #[must_use]
    pub fn report(&self, device: &SeededDevice, seq: u32, time_ms: u64, pm10: i64) -> Vec<u8> {
        let body = ReportBody::of(0, seq, time_ms, CLASS, Value::map(vec![(4, Value::Int(pm10))]));
        sign_report(&device.key, device.id, &self.id, &body)
    }

    /// Logs a signed report of PM10.
    pub fn send(&mut self, device: &SeededDevice, seq: u32, time_ms: u64, pm10: i64) -> (u64, Option<Refusal>) {
        let report = self.report(device, seq, time_ms, pm10);
        self.log(EntryKind::Report, &report)
    }

    /// Logs a deposit as an observer says it; `number` is the contract's.
    pub fn pay_in(
        &mut self,
        observer: &SecretKey,
        chain: &Domain,
        number: u64,
        deposit: &Deposit,
    ) -> (u64, Option<Refusal>) {
        let body = sign_observation(observer, &self.id, &deposit.observed(chain, number));
        self.log(EntryKind::Observation, &body)
    }

    /// Moves the time on and logs the operator's observation of it, which closes what is due.
    pub fn pass_to(&mut self, time_ms: u64) {
        self.now_ms = self.now_ms.max(time_ms);
        let body = sign_observation(&self.clock, &self.id, &ObservationBody::clock(self.now_ms));
        self.log(EntryKind::Observation, &body);
    }

    /// The epochs, folded again from the first entry.
    ///
    /// # Panics
    /// Where the fold refuses what it took before.
    #[must_use]
    pub fn folded(&self) -> Vec<Closed> {
        self.fold_on(&mut Fold::start())
    }

    /// Goes on with a fold to the end of the log, with signatures checked in batches; the epochs that it closes.
    ///
    /// # Panics
    /// Where the fold refuses what was taken before.
    pub fn fold_on(&self, fold: &mut Fold) -> Vec<Closed> {
        let from = usize::try_from(fold.size()).expect("in memory");
        let mut closed = Vec::new();
        for chunk in self.entries[from..].chunks(50) {
            let entries: Vec<Entry<'_>> = chunk.iter().map(|bytes| Entry::decode(bytes).expect("logged")).collect();
            let bodies: Vec<(EntryKind, &[u8])> = entries.iter().map(|entry| (entry.kind, entry.body)).collect();
            let checked = check_reports(fold.state(), &bodies);
            for ((bytes, entry), checked) in chunk.iter().zip(&entries).zip(checked) {
                closed.extend(fold.push(leaf_hash(bytes), entry, checked).expect("taken before").closed);
            }
        }
        closed
    }

    /// The tree that an epoch was closed over.
    ///
    /// # Panics
    /// For an epoch of another network.
    #[must_use]
    pub fn frontier(&self, closed: &Closed) -> Frontier {
        let mut frontier = Frontier::new();
        let to = usize::try_from(closed.statement.to).expect("in memory");
        self.entries[..to].iter().for_each(|bytes| frontier.push(leaf_hash(bytes)));
        frontier
    }

    /// What a fold reads of the log.
    ///
    /// # Errors
    /// Never.
    ///
    /// # Panics
    /// For an entry that there is not.
    pub fn read(&self, index: u64) -> Result<Vec<u8>, FoldError> {
        Ok(self.entries[usize::try_from(index).expect("in memory")].clone())
    }

    /// The fold that is taken up from the snapshot of an epoch.
    ///
    /// # Panics
    /// Where the snapshot is refused.
    #[must_use]
    pub fn resumed(&self, closed: &Closed) -> Fold {
        let snapshot = Snapshot::decode(&Snapshot::encode(&closed.bytes, &closed.records)).expect("encoded just now");
        let frontier = self.frontier(closed);
        let resumed = Fold::resume(&snapshot.statement, &snapshot.records, frontier, |index| self.read(index));
        resumed.expect("its own snapshot")
    }
}

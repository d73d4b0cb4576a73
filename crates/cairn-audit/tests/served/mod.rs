//! A network in memory, as its files: what a gateway would serve and an export holds.

#![allow(dead_code)]

use std::collections::BTreeMap;
use std::path::Path;

use cairn_audit::{AuditOptions, AuditReport, Source, SourceError, Start, audit};
use cairn_core::Hash;
use cairn_core::cbor::Value;
use cairn_core::ed25519::SigningKey;
use cairn_core::entry::EntryKind;
use cairn_core::key::SecretKey;
use cairn_core::report::{Report, ReportBody, sign_report};
use cairn_core::statement::{Body, Conflict, Deny, Draft, PayeeChoice, Rotate, Transfer};
use cairn_fold::{Closed, Refusal, Snapshot};
use cairn_merkle::tile::{TILE_WIDTH, encode_bundle, encode_tile, tiles};
use cairn_merkle::tree::{self, leaf_hash};
use cairn_merkle::{Checkpoint, NoteSigner, TileLevel, TilePath};
use cairn_testkit::network::{CLASS, DAY_MS, MemoryNetwork, SeededDevice, Terms};

/// The origin that networks in memory name.
pub const ORIGIN: &str = "test.invalid/memory";

/// The log's key of networks in memory.
pub fn log_signer() -> NoteSigner {
    NoteSigner::new(ORIGIN, SigningKey::from_seed([253; 32])).unwrap()
}

/// Served files by path; a source that can be tampered with.
#[derive(Debug, Clone, Default)]
pub struct Served {
    pub files: BTreeMap<String, Vec<u8>>,
    pub parallel: usize,
}

impl Served {
    /// Everything that an honest operator serves of a network.
    pub fn of(network: &MemoryNetwork) -> Self {
        let mut served = Self::log(&network.entries);
        for closed in &network.closed {
            served.put_epoch(closed);
        }
        served
    }

    /// The log of some entries, whatever they are, signed with the log's key.
    pub fn log(entries: &[Vec<u8>]) -> Self {
        let leaves: Vec<Hash> = entries.iter().map(|entry| leaf_hash(entry)).collect();
        let size = entries.len() as u64;
        let mut served = Self { files: BTreeMap::new(), parallel: 1 };
        for tile in tiles(size) {
            let width = usize::from(TILE_WIDTH);
            let first = usize::try_from(tile.index).unwrap() * width;
            let range = first..first + usize::from(tile.width);
            let bytes = match tile.level {
                TileLevel::Entries => encode_bundle(&entries[range]).unwrap(),
                TileLevel::Hashes(level) => {
                    let span = width.pow(level.into());
                    encode_tile(&range.map(|n| tree::root(&leaves[n * span..(n + 1) * span])).collect::<Vec<_>>())
                }
            };
            served.files.insert(tile.to_string(), bytes);
        }
        let checkpoint = Checkpoint::new(ORIGIN, size, tree::root(&leaves)).unwrap();
        served.files.insert("checkpoint".into(), checkpoint.sign(&log_signer(), &[]).unwrap().to_string().into_bytes());
        served
    }

    pub fn put_epoch(&mut self, closed: &Closed) {
        let folder = format!("epochs/{}", closed.statement.number);
        self.files.insert(format!("{folder}/statement.cbor"), closed.bytes.clone());
        self.files.insert(format!("{folder}/verdicts.cborseq"), closed.verdicts.concat());
        self.files.insert(format!("{folder}/payouts.cborseq"), closed.payouts.concat());
        if !closed.sales.is_empty() {
            self.files.insert(format!("{folder}/sales.cborseq"), closed.sales.concat());
        }
        self.files.insert(format!("{folder}/carry.cborseq"), closed.carry().concat());
        self.files.insert(format!("{folder}/snapshot.cbor"), Snapshot::encode(&closed.bytes, &closed.records));
    }

    pub fn note(&self) -> String {
        String::from_utf8(self.files["checkpoint"].clone()).unwrap()
    }

    pub fn write_to(&self, folder: &Path) {
        for (name, bytes) in &self.files {
            let path = folder.join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, bytes).unwrap();
        }
    }

    pub fn audit(&self, options: &AuditOptions) -> AuditReport {
        audit(self, options, &mut |_| ()).unwrap()
    }

    fn get(&self, name: &str) -> Result<Option<Vec<u8>>, SourceError> {
        Ok(self.files.get(name).cloned())
    }
}

impl Source for Served {
    fn name(&self) -> String {
        "memory".into()
    }

    fn checkpoint(&self) -> Result<Option<Vec<u8>>, SourceError> {
        self.get("checkpoint")
    }

    fn tile(&self, tile: TilePath) -> Result<Option<Vec<u8>>, SourceError> {
        self.get(&tile.to_string())
    }

    fn statement(&self, epoch: u64) -> Result<Option<Vec<u8>>, SourceError> {
        self.get(&format!("epochs/{epoch}/statement.cbor"))
    }

    fn verdicts(&self, epoch: u64) -> Result<Option<Vec<u8>>, SourceError> {
        self.get(&format!("epochs/{epoch}/verdicts.cborseq"))
    }

    fn payouts(&self, epoch: u64) -> Result<Option<Vec<u8>>, SourceError> {
        self.get(&format!("epochs/{epoch}/payouts.cborseq"))
    }

    fn sales(&self, epoch: u64) -> Result<Option<Vec<u8>>, SourceError> {
        self.get(&format!("epochs/{epoch}/sales.cborseq"))
    }
    fn carry(&self, epoch: u64) -> Result<Option<Vec<u8>>, SourceError> {
        self.get(&format!("epochs/{epoch}/carry.cborseq"))
    }

    fn snapshot(&self, epoch: u64) -> Result<Option<Vec<u8>>, SourceError> {
        self.get(&format!("epochs/{epoch}/snapshot.cbor"))
    }

    fn witnessed(&self, from: u64) -> Result<Option<Vec<u8>>, SourceError> {
        if from > 0 { Ok(Some(Vec::new())) } else { self.get("witnessed") }
    }

    fn is_live(&self) -> bool {
        !self.files.contains_key("copied")
    }

    fn parallel(&self) -> usize {
        self.parallel
    }
}

/// Days that the small and the large network run.
pub const SMALL_DAYS: u64 = 8;
pub const LARGE_DAYS: u64 = 35;

/// Audits from every snapshot: each must recompute the epochs after it as the audit from entry 0 does.
pub fn resume_everywhere(network: &MemoryNetwork) {
    let served = Served::of(network);
    let full = served.audit(&AuditOptions::default());
    assert!(full.passed(), "{:?}", full.difference());
    for closed in &network.closed {
        let epoch = closed.statement.number;
        let options = AuditOptions { start: Start::After(epoch), ..AuditOptions::default() };
        let report = served.audit(&options);
        assert!(report.passed(), "after epoch {epoch}: {:?}", report.difference());
        assert_eq!(report.epochs, full.epochs[usize::try_from(epoch).unwrap() + 1..], "after epoch {epoch}");
        let resumed = report.resumed.unwrap();
        assert_eq!((resumed.epoch, resumed.from), (epoch, closed.statement.to));
        assert!(resumed.trusting.contains(&closed.hash.to_string()));
    }
}

pub fn send(
    network: &mut MemoryNetwork,
    device: &SeededDevice,
    seq: u64,
    day: u64,
    value: i64,
) -> Option<&'static str> {
    let time_ms = Terms::default().zero_ms + day * DAY_MS;
    network.send(device, u32::try_from(seq).unwrap(), time_ms, value).1.map(|refusal| refusal.code)
}

/// A few devices over a week and a day: one closed epoch.
pub fn small() -> MemoryNetwork {
    let zero_ms = Terms::default().zero_ms;
    let mut network = MemoryNetwork::daily(Terms::default());
    let devices = network.enrol_grid(3);
    for day in [0, 3, 6] {
        network.now_ms = zero_ms + (day + 1) * DAY_MS;
        for (n, device) in (0i64..).zip(&devices) {
            send(&mut network, device, day, day, 150 + n);
        }
    }
    network.pass_to(zero_ms + SMALL_DAYS * DAY_MS);
    network
}

/// Five weeks of everything: late, denied, conflicting, forged, moved, sold, rotated, spanning epochs, two algorithms.
pub fn eventful() -> MemoryNetwork {
    eventful_under(2)
}

/// The same, judged by a revision of the judge of sensing.
pub fn eventful_under(revision: u32) -> MemoryNetwork {
    let zero_ms = Terms::default().zero_ms;
    let mut network = MemoryNetwork::judged_by(revision, Terms::default());
    let mut devices = network.enrol_grid(8);
    devices.push(enrol_p256(&mut network));
    for day in 0..LARGE_DAYS {
        network.pass_to(zero_ms + (day + 1) * DAY_MS);
        for n in 0..devices.len() {
            let value = 200 + i64::try_from(day * 7 % 40 + n as u64).unwrap();
            match (n, day) {
                // Device 1 is silent in the second week; device 7 has a queue of its own.
                (1, 7..=13) | (7, _) => {}
                (2, _) if day % 5 == 0 => assert_eq!(send(&mut network, &devices[2], day, day, value * 30), None),
                _ => assert_eq!(send(&mut network, &devices[n], day, day, value), None, "device {n} on day {day}"),
            }
        }
        happen(&mut network, &mut devices, day);
    }
    network.pass_to(zero_ms + (LARGE_DAYS + 9) * DAY_MS);
    network
}

fn happen(network: &mut MemoryNetwork, devices: &mut [SeededDevice], day: u64) {
    match day {
        6 | 13 | 20 | 27 => {
            assert_eq!(send_queue(network, &devices[7], day - 2, 4), None);
        }
        5 => pay_to(network, &devices[7], 77),
        8 => {
            let until_ms = network.now_ms + 9 * DAY_MS;
            let deny = Deny { device: devices[3].id, reason: "TEST".into(), evidence: vec![], until_ms };
            assert_eq!(network.operate(Body::Deny(deny)).1, None);
        }
        9 => pay_to(network, &devices[7], 78),
        12 => conflict(network, &devices[4], day),
        14 => {
            for late in 7..=13 {
                assert_eq!(send(network, &devices[1], late, late, 205), None);
            }
        }
        16 => rotate(network, &mut devices[5]),
        21 => forge(network, &devices[6], day),
        22 => transfer(network, &mut devices[0]),
        _ => {}
    }
}

/// A P-256 device with an owner of its own.
fn enrol_p256(network: &mut MemoryNetwork) -> SeededDevice {
    let key = SecretKey::p256([60; 32]).unwrap();
    let id = cairn_core::DeviceId::of_key(&key.public().multicodec());
    let device = SeededDevice { key, id, ..SeededDevice::of(60) };
    let statement = network.enrolment(&device, 503_000_000, 104_000_000);
    assert_eq!(network.log(EntryKind::Statement, &statement.encode()).1, None);
    device
}

/// One signature over readings of `count` days from `day` on.
pub fn send_queue(network: &mut MemoryNetwork, device: &SeededDevice, day: u64, count: u64) -> Option<Refusal> {
    let reading = |after: u64| {
        let value = i64::try_from(201 + (day + after) % 13).unwrap();
        let after_ms = i64::try_from(after * DAY_MS).unwrap();
        Value::Array(vec![Value::Int(after_ms), Value::map(vec![(4, Value::Int(value))])])
    };
    let body = Value::Array((0..count).map(reading).collect());
    let time_ms = Terms::default().zero_ms + day * DAY_MS;
    let body = ReportBody::of(0, u32::try_from(day).unwrap(), time_ms, CLASS, body);
    let bytes = sign_report(&device.key, device.id, &network.id, &body);
    network.log(EntryKind::Report, &bytes).1
}

/// Lets an owner be paid at the account of another seed.
pub fn pay_to(network: &mut MemoryNetwork, device: &SeededDevice, seed: u8) {
    let choice = PayeeChoice { owner: device.account.clone(), payee: SeededDevice::of(seed).account };
    assert_eq!(network.own(&device.wallet, Body::Payee(choice)).1, None);
}

fn conflict(network: &mut MemoryNetwork, device: &SeededDevice, day: u64) {
    let time_ms = Terms::default().zero_ms + day * DAY_MS;
    let seq = u32::try_from(day).unwrap();
    let value = 200 + i64::try_from(day * 7 % 40 + 4).unwrap();
    let mut two = [network.report(device, seq, time_ms, value), network.report(device, seq, time_ms, 999)];
    two.sort_by_key(|bytes| Report::parse(bytes).unwrap().identity());
    let [first, second] = two;
    assert_eq!(network.operate(Body::Conflict(Conflict { first, second })).1, None);
    assert_eq!(send(network, device, day, day, 999), Some("RPT-DUPLICATE"));
}

/// The owner gives the device another key; a report with the old one follows, and is void.
fn rotate(network: &mut MemoryNetwork, device: &mut SeededDevice) {
    let key = SecretKey::ed25519([90; 32]);
    let body = Body::Rotate(Rotate { device: device.id, key: key.public() });
    let nonce = network.next_nonce();
    let draft = Draft::of(Some(network.id), body, nonce, u64::MAX >> 1);
    let statement = draft.signed_by(&key).signed_by_wallet(&device.wallet).finish();
    assert_eq!(network.log(EntryKind::Statement, &statement.encode()).1, None);
    assert_eq!(send(network, device, 1_000, 16, 200), Some("RPT-SIGNATURE"));
    device.key = key;
}

fn forge(network: &mut MemoryNetwork, device: &SeededDevice, day: u64) {
    let mut forged = network.report(device, 2_000, Terms::default().zero_ms + day * DAY_MS, 5_000);
    let last = forged.len() - 1;
    forged[last] ^= 1;
    assert_eq!(network.log(EntryKind::Report, &forged).1.unwrap().code, "RPT-SIGNATURE");
    network.log(EntryKind::Report, b"no report");
    network.log(EntryKind::Statement, b"no statement");
    assert_eq!(send(network, &SeededDevice::of(99), 0, day, 1), Some("RPT-UNKNOWN-DEVICE"));
}

fn transfer(network: &mut MemoryNetwork, device: &mut SeededDevice) {
    let buyer = SeededDevice::of(91);
    let body = Body::Transfer(Transfer { device: device.id, owner: buyer.account.clone() });
    let nonce = network.next_nonce();
    let draft = Draft::of(Some(network.id), body, nonce, u64::MAX >> 1);
    let statement = draft.signed_by_wallet(&device.wallet).signed_by_wallet(&buyer.wallet).finish();
    assert_eq!(network.log(EntryKind::Statement, &statement.encode()).1, None);
    (device.wallet, device.account) = (buyer.wallet, buyer.account);
}

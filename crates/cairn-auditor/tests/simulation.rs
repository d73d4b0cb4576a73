//! What an auditor never does, whatever its disk does and whatever it is shown.

#![allow(clippy::unwrap_used, clippy::cast_possible_truncation)]

#[path = "../../cairn-audit/tests/served/mod.rs"]
mod served;

use std::collections::BTreeMap;
use std::sync::Arc;

use cairn_auditor::{Auditor, AuditorError, Look, LookOptions, Standing, Vouched};
use cairn_core::statement::{AuditorSet, Body};
use cairn_core::wallet::{WalletKey, recover_evm};
use cairn_core::{Address, Hash, NetworkId};
use cairn_log::Disk;
use cairn_settle::{EpochMessage, Word};
use cairn_testkit::disk::{Faults, FaultyDisk};
use cairn_testkit::network::{MemoryNetwork, Terms};
use cairn_testkit::random::Random;
use served::Served;

const NETWORK: NetworkId = NetworkId(Hash([9; 32]));

fn key(byte: u8) -> WalletKey {
    WalletKey::from_bytes([byte; 32]).unwrap()
}

fn address(key: &WalletKey) -> [u8; 20] {
    let Address::Evm(address) = key.address() else { unreachable!("wallet keys are EVM accounts") };
    address
}

fn message(epoch: u64, revision: u32, truth: u8) -> EpochMessage {
    let hash = |byte: u8| Hash([byte.wrapping_add(truth); 32]);
    EpochMessage {
        epoch,
        revision,
        statement_hash: hash(10),
        previous: hash(20),
        log_size: 7 + epoch,
        log_root: hash(30),
        state_root: hash(40),
        settlements_root: [5; 32],
    }
}

fn open(disk: &FaultyDisk, documents: &FaultyDisk) -> Result<Auditor, AuditorError> {
    Auditor::open(Arc::new(disk.clone()), Arc::new(documents.clone()), key(1))
}

/// What was ever handed out: two digests for one epoch and revision are the end.
#[derive(Default)]
struct World(BTreeMap<(u64, u32), Word>);

impl World {
    fn take(&mut self, network: &NetworkId, message: &EpochMessage, signature: &[u8], seed: u64) {
        let digest = message.digest(network);
        assert_eq!(recover_evm(&digest, signature), Some(address(&key(1))), "seed {seed}: it verifies");
        let before = self.0.insert((message.epoch, message.revision), digest);
        let name = (message.epoch, message.revision);
        assert!(before.is_none_or(|before| before == digest), "seed {seed}: two truths for {name:?}");
    }
}

/// One auditor over many restarts, asked to sign three truths of a few epochs.
fn live(seed: u64) -> u64 {
    let mut random = Random::of(seed);
    let disk = FaultyDisk::new(seed, Faults::soon(&mut random, 0, 20));
    // In half of the lives the documents are lost each time: the record alone must do.
    let keeps_documents = random.below(2) == 0;
    let mut documents = FaultyDisk::new(seed ^ 1, Faults::default());
    let (mut world, mut refused) = (World::default(), 0);
    for _ in 0..8 {
        match open(&disk, &documents) {
            Ok(mut auditor) => {
                for _ in 0..random.below(8) {
                    let asked = message(random.below(4), random.below(2) as u32, random.below(3) as u8);
                    match auditor.vouch(NETWORK, &asked) {
                        Ok((signed, _)) => {
                            assert_eq!(signed.message, asked, "seed {seed}");
                            world.take(&NETWORK, &asked, &signed.signature, seed);
                        }
                        Err(AuditorError::SignedOther { .. }) => refused += 1,
                        Err(AuditorError::Io { .. } | AuditorError::Stopped) => {}
                        Err(other) => panic!("seed {seed}: {other}"),
                    }
                }
            }
            Err(AuditorError::Io { .. }) => {}
            Err(other) => panic!("seed {seed}: {other}"),
        }
        let faults = Faults::soon(&mut random, disk.operations(), 20);
        if random.below(2) == 0 {
            disk.kill(faults)
        } else {
            disk.cut_power(faults)
        }
        if !keeps_documents {
            documents = FaultyDisk::new(seed ^ 1, Faults::default());
        }
    }
    refused
}

#[test]
fn two_truths_are_never_signed_for_one_epoch_and_revision_whatever_the_disk_does() {
    let lives: u64 = std::env::var("CAIRN_LIVES").ok().and_then(|lives| lives.parse().ok()).unwrap_or(2_000);
    let refused: u64 = (0..lives).map(live).sum();
    assert!(refused > lives, "the lives put it to the test: {refused} refusals");
}

#[test]
fn a_record_that_is_damaged_before_its_end_stops_the_start_and_a_torn_end_is_made_good_by_the_documents() {
    let disk = FaultyDisk::new(1, Faults::default());
    let documents = FaultyDisk::new(2, Faults::default());
    let mut auditor = open(&disk, &documents).unwrap();
    assert_eq!(open(&disk, &documents).map(|_| ()).unwrap_err().code(), "STL-LOCKED");
    for epoch in 0..3 {
        auditor.vouch(NETWORK, &message(epoch, 0, 0)).unwrap();
    }
    drop(auditor);
    let size = disk.files().iter().find(|(name, _)| name == "signed").unwrap().1.len();
    let last = size - (size - 72) / 3;
    for at in 0..size {
        let twin = disk.twin(3);
        assert!(twin.flip("signed", at, 3));
        match Auditor::open(Arc::new(twin.clone()), Arc::new(documents.twin(4)), key(1)) {
            Err(error) => assert!(at < last && error.code() == "STL-RECORD", "byte {at}: {error}"),
            Ok(mut auditor) => {
                assert!(at >= last, "byte {at}");
                assert_eq!(auditor.signed().len(), 2);
                let other = auditor.vouch(NETWORK, &message(2, 0, 1)).map(|_| ()).unwrap_err();
                assert_eq!(other.code(), "STL-SIGNED-OTHER", "byte {at}: the document remembers");
                assert!(auditor.vouch(NETWORK, &message(2, 0, 0)).unwrap().1);
                assert_eq!(auditor.signed().len(), 3);
            }
        }
        drop(twin);
    }
    let other = Auditor::open(Arc::new(disk.twin(5)), Arc::new(documents.twin(6)), key(2)).map(|_| ()).unwrap_err();
    assert_eq!(other.code(), "STL-FOLDER-KEY");
    let mut auditor = open(&disk, &documents).unwrap();
    let elsewhere = auditor.vouch(NetworkId(Hash([8; 32])), &message(7, 0, 0)).map(|_| ()).unwrap_err();
    assert_eq!(elsewhere.code(), "STL-FOLDER-NETWORK");
}

#[test]
fn a_halt_is_answered_with_what_was_said_and_only_where_something_was_said() {
    let (disk, documents) = (FaultyDisk::new(1, Faults::default()), FaultyDisk::new(2, Faults::default()));
    let mut auditor = open(&disk, &documents).unwrap();
    assert_eq!(auditor.answer(3, 1).map(|_| ()).unwrap_err().code(), "STL-NOT-SIGNED");
    let (first, _) = auditor.vouch(NETWORK, &message(3, 0, 0)).unwrap();
    assert_eq!(auditor.answer(4, 1).map(|_| ()).unwrap_err().code(), "STL-NOT-SIGNED");
    let (answer, known) = auditor.answer(3, 1).unwrap();
    assert_eq!((answer.message.clone(), known), (EpochMessage { revision: 1, ..first.message }, false));
    assert_ne!(answer.signature, first.signature);
    assert_eq!(auditor.answer(3, 1).unwrap(), (answer, true));
    let other = auditor.vouch(NETWORK, &message(3, 1, 1)).map(|_| ()).unwrap_err();
    assert_eq!(other.code(), "STL-SIGNED-OTHER");
    let document = documents.files().into_iter().find(|(name, _)| name == "3.json").unwrap().1;
    let document: cairn_auditor::SignedEpoch = serde_json::from_slice(&document).unwrap();
    assert_eq!(document.signed.iter().map(|one| one.signature.revision).collect::<Vec<_>>(), [0, 1]);
}

/// A network whose auditors, from epoch 1 on, are two keys; the entry that closes epoch 2 is another in another `branch`, and
/// so is epoch 3.
fn network(epochs: u64, branch: u64) -> MemoryNetwork {
    let terms = Terms::default();
    let (zero_ms, epoch_ms, grace_ms) = (terms.zero_ms, terms.epoch_ms, terms.grace_ms);
    let mut network = MemoryNetwork::daily(terms);
    let mut auditors = vec![address(&key(1)), address(&key(2))];
    auditors.sort_unstable();
    network.now_ms = zero_ms.saturating_sub(1).max(network.now_ms);
    let set = AuditorSet { first_epoch: 1, quorum: 1, auditors };
    assert_eq!(network.operate(Body::AuditorSet(set)).1, None);
    for epoch in 0..epochs {
        let off_ms = if epoch >= 2 { branch } else { 0 };
        network.pass_to(zero_ms + (epoch + 1) * epoch_ms + grace_ms + off_ms);
    }
    assert_eq!(network.closed.len() as u64, epochs);
    network
}

fn look(auditor: &mut Auditor, served: &Served) -> (Result<Look, AuditorError>, Vec<Vouched>) {
    let mut told = Vec::new();
    let look = auditor.look(served, &LookOptions::default(), &mut |one| told.push(one.clone()), &mut |_| ());
    (look, told)
}

fn words(told: &[Vouched]) -> Vec<(u64, &'static str)> {
    let word = |standing: &Standing| match standing {
        Standing::Signed { known: false, .. } => "signed",
        Standing::Signed { known: true, .. } => "known",
        Standing::Before => "before",
        Standing::NoAuditors => "nobody",
        Standing::NotAnAuditor { .. } => "others",
    };
    told.iter().map(|one| (one.epoch, word(&one.standing))).collect()
}

#[test]
fn every_right_epoch_is_signed_once_and_the_next_look_goes_on_from_its_own_snapshot() {
    let (disk, documents) = (FaultyDisk::new(1, Faults::default()), FaultyDisk::new(2, Faults::default()));
    let mut auditor = open(&disk, &documents).unwrap();
    let early = network(3, 0);
    let (first, told) = look(&mut auditor, &Served::of(&early));
    assert_eq!(words(&told), [(0, "nobody"), (1, "signed"), (2, "signed")]);
    assert!(first.unwrap().report.resumed.is_none());
    for (one, closed) in told.iter().zip(&early.closed) {
        assert_eq!(one.statement, closed.hash);
        if let Standing::Signed { signed, .. } = &one.standing {
            assert_eq!(signed.message, EpochMessage::of(&closed.statement, 0).unwrap());
        }
    }
    assert_eq!(auditor.network(), Some(early.id));
    drop(auditor);
    let mut auditor = open(&disk, &documents).unwrap();
    let later = Served::of(&network(5, 0));
    let (second, told) = look(&mut auditor, &later);
    let second = second.unwrap().report;
    assert_eq!(words(&told), [(3, "signed"), (4, "signed")]);
    assert_eq!(second.resumed.map(|resumed| resumed.epoch), Some(2));
    assert!(second.continues.is_some());
    let (_, told) = look(&mut auditor, &later);
    assert_eq!(words(&told), []);
    // A snapshot that rots is computed again, a checkpoint that rots is missed.
    assert!(disk.flip("snapshot", 100, 1));
    let (again, told) = look(&mut auditor, &later);
    assert!(again.unwrap().report.resumed.is_none());
    assert_eq!(words(&told), [(0, "nobody"), (1, "known"), (2, "known"), (3, "known"), (4, "known")]);
    assert!(disk.flip("checkpoint", 100, 1));
    assert_eq!(look(&mut auditor, &later).0.map(|_| ()).unwrap_err().code(), "STL-RECORD");
    assert_eq!(auditor.signed().len(), 4);
}

#[test]
fn whoever_is_not_in_the_set_and_whatever_is_before_the_first_epoch_is_audited_and_not_signed() {
    let served = Served::of(&network(3, 0));
    let disk = || Arc::new(FaultyDisk::new(1, Faults::default()));
    let mut stranger = Auditor::open(disk(), disk(), key(3)).unwrap();
    let (seen, told) = look(&mut stranger, &served);
    assert!(seen.unwrap().report.passed());
    assert_eq!(words(&told), [(0, "nobody"), (1, "others"), (2, "others")]);
    assert!(stranger.signed().is_empty());
    let mut auditor = Auditor::open(disk(), disk(), key(2)).unwrap();
    let (mut told, options) = (Vec::new(), LookOptions { first_epoch: 2, ..LookOptions::default() });
    auditor.look(&served, &options, &mut |one| told.push(one.clone()), &mut |_| ()).unwrap();
    assert_eq!(words(&told), [(0, "before"), (1, "before"), (2, "signed")]);
    let options = LookOptions { network: Some(NETWORK), ..LookOptions::default() };
    let other = auditor.look(&served, &options, &mut |_| (), &mut |_| ()).map(|_| ()).unwrap_err();
    assert_eq!(other.code(), "STL-FOLDER-NETWORK");
}

#[test]
fn from_the_first_difference_on_nothing_is_signed() {
    let honest = Served::of(&network(4, 0));
    for table in ["statement.cbor", "verdicts.cborseq", "payouts.cborseq"] {
        for epoch in 1..4_u64 {
            let mut served = honest.clone();
            let file = served.files.get_mut(&format!("epochs/{epoch}/{table}")).unwrap();
            match file.last_mut() {
                Some(last) => *last ^= 1,
                None => file.push(0),
            }
            let disk = Arc::new(FaultyDisk::new(1, Faults::default()));
            let mut auditor = Auditor::open(disk.clone(), disk.clone(), key(1)).unwrap();
            let (seen, told) = look(&mut auditor, &served);
            let seen = seen.unwrap().report;
            assert_eq!(seen.difference().map(|one| one.epoch), Some(Some(epoch)), "{table}");
            assert_eq!(told.len() as u64, epoch, "{table} of epoch {epoch}");
            assert!(disk.files().iter().all(|(name, _)| name != "checkpoint"), "nothing is remembered of it");
            // Once everything is right again it goes on.
            let (seen, told) = look(&mut auditor, &honest);
            assert!(seen.unwrap().report.passed() && told.len() == 4);
        }
    }
    // What concerns no epoch concerns all.
    let mut served = honest;
    let name = served.files.keys().find(|name| name.starts_with("tile/entries/")).unwrap().clone();
    *served.files.get_mut(&name).unwrap().last_mut().unwrap() ^= 1;
    let disk: Arc<dyn Disk> = Arc::new(FaultyDisk::new(1, Faults::default()));
    let mut auditor = Auditor::open(disk.clone(), disk, key(1)).unwrap();
    let (seen, told) = look(&mut auditor, &served);
    assert!(!seen.unwrap().report.passed() && told.is_empty());
}

#[test]
fn a_gateway_that_changes_history_is_refused_also_when_everything_but_the_record_is_lost() {
    let (shown, other) = (Served::of(&network(4, 0)), Served::of(&network(5, 1)));
    let (disk, documents) = (FaultyDisk::new(1, Faults::default()), FaultyDisk::new(2, Faults::default()));
    let mut auditor = open(&disk, &documents).unwrap();
    assert_eq!(look(&mut auditor, &shown).1.len(), 4);
    let (seen, told) = look(&mut auditor, &other);
    let seen = seen.unwrap();
    assert_eq!(seen.report.difference().map(|one| one.code.as_str()), Some("LOG-FORK"));
    assert_eq!(seen.remembered, Some(shown.note()));
    assert!(told.is_empty());
    drop(auditor);
    for name in ["checkpoint", "snapshot"] {
        disk.remove(name).unwrap();
    }
    let mut auditor = open(&disk, &FaultyDisk::new(3, Faults::default())).unwrap();
    let (seen, told) = look(&mut auditor, &other);
    let Err(AuditorError::SignedOther { epoch: 3, revision: 0, signed, found }) = seen else {
        panic!("{seen:?}");
    };
    assert_eq!((signed, found), (network(4, 0).closed[3].hash, network(5, 1).closed[3].hash));
    assert_eq!(words(&told), [(0, "nobody"), (1, "known"), (2, "known")]);
    assert_eq!(auditor.signed().len(), 3);
}

#[test]
fn a_look_may_crash_between_any_two_steps_and_the_next_one_may_see_another_log() {
    let (one, two) = (network(4, 0), network(4, 1));
    let (shown, other) = (Served::of(&one), Served::of(&two));
    let whole = FaultyDisk::new(1, Faults::default());
    look(&mut open(&whole, &whole).unwrap(), &shown).0.unwrap();
    let operations = whole.operations();
    assert!(operations > 20);
    for crash_at in 1..=operations {
        for seed in 0..6 {
            let disk = FaultyDisk::new(seed, Faults { crash_at: Some(crash_at), ..Faults::default() });
            let mut world = World::default();
            let mut take = |told: &[Vouched]| {
                for one in told {
                    if let Standing::Signed { signed, .. } = &one.standing {
                        world.take(&two.id, &signed.message, &signed.signature, seed);
                    }
                }
            };
            if let Ok(mut auditor) = open(&disk, &disk) {
                take(&look(&mut auditor, &shown).1);
            }
            if seed % 2 == 0 {
                disk.kill(Faults::default())
            } else {
                disk.cut_power(Faults::default())
            }
            let mut auditor = open(&disk, &disk).unwrap_or_else(|error| panic!("crash at {crash_at}: {error}"));
            take(&look(&mut auditor, &other).1);
            take(&look(&mut auditor, &shown).1);
        }
    }
}

//! The writer and its ledger over a real folder: repeats, conflicts, restarts, and views that can be lost.

#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::sync::Arc;

use cairn_core::Hash;
use cairn_core::ed25519::SigningKey;
use cairn_core::entry::{Entry, EntryKind};
use cairn_core::key::SecretKey;
use cairn_core::observation::{ObservationBody, sign_observation};
use cairn_ledger::{Answer, Ledger, LedgerError, LedgerOptions, NetworkClock, OperatorKeys, Sequencer, Submission};
use cairn_log::{Log, LogOptions, Promise, StdDisk, promise};
use cairn_merkle::note::KeyKind;
use cairn_merkle::{NoteSigner, NoteVerifier};
use cairn_testkit::network::{DAY_MS, MemoryNetwork, SeededDevice, Terms};

/// The same keys that a network in memory has.
fn keys() -> OperatorKeys {
    OperatorKeys {
        operator: SecretKey::ed25519([251; 32]),
        log: SigningKey::from_seed([253; 32]),
        promise: SigningKey::from_seed([254; 32]),
        clock: SecretKey::ed25519([252; 32]),
    }
}

fn clock() -> NetworkClock {
    NetworkClock::Recorded { start_ms: Terms::default().zero_ms }
}

fn open(folder: &Path) -> Result<Sequencer, LedgerError> {
    let disk = StdDisk::create(folder.join("log")).unwrap();
    let (log, _) = Log::open(Arc::new(disk), LogOptions::default())?;
    let ledger = Ledger::open(&folder.join("views"), log.reader(), LedgerOptions::default(), &mut |_, _| {})?;
    Sequencer::over(log, ledger, keys(), clock())
}

fn item(kind: EntryKind, body: Vec<u8>) -> Submission {
    Submission { kind, body, checked: None }
}

fn observe(sequencer: &mut Sequencer, network: &MemoryNetwork, time_ms: u64) -> Answer {
    let body = sign_observation(&network.clock, &network.id, &ObservationBody::clock(time_ms));
    sequencer.submit(vec![item(EntryKind::Observation, body)]).unwrap().answers.remove(0)
}

/// A network of four devices over `weeks`, logged through the writer; every fifth day is reported twice.
fn run(folder: &Path, weeks: u64) -> (Sequencer, MemoryNetwork, Vec<SeededDevice>) {
    let mut network = MemoryNetwork::daily(Terms::default());
    let devices = network.enrol_grid(4);
    let mut sequencer = open(folder).unwrap();
    let first: Vec<Submission> = network
        .entries
        .iter()
        .map(|bytes| {
            let entry = Entry::decode(bytes).unwrap();
            item(entry.kind, entry.body.to_vec())
        })
        .collect();
    let answers = sequencer.submit(first).unwrap().answers;
    assert!(answers.iter().all(|answer| matches!(answer, Answer::Accepted { .. })), "{answers:?}");
    let zero_ms = Terms::default().zero_ms;
    for day in 0..weeks * 7 {
        observe(&mut sequencer, &network, zero_ms + (day + 1) * DAY_MS);
        let seq = u32::try_from(day).unwrap();
        let reports: Vec<Submission> = devices
            .iter()
            .map(|device| item(EntryKind::Report, network.report(device, seq, zero_ms + day * DAY_MS, 200)))
            .collect();
        let repeats = if day % 5 == 0 { reports.clone() } else { Vec::new() };
        let receipted = sequencer.submit_group(vec![reports, repeats]).unwrap();
        let indices = |answers: &[Answer]| -> Vec<u64> {
            let index = |answer: &Answer| match answer {
                Answer::Accepted { index, .. } | Answer::Duplicate { index, .. } => *index,
                Answer::Rejected(refusal) => panic!("{refusal}"),
            };
            answers.iter().map(index).collect()
        };
        if day % 5 == 0 {
            assert_eq!(indices(&receipted[0].answers), indices(&receipted[1].answers), "a repeat has the first index");
            assert_eq!(receipted[0].promise, receipted[1].promise, "a repeat is promised like the first");
        }
    }
    observe(&mut sequencer, &network, zero_ms + (weeks * 7 + 2) * DAY_MS);
    sequencer.publish().unwrap();
    (sequencer, network, devices)
}

fn story(sequencer: &Sequencer) -> (Hash, Vec<cairn_api::EpochInfo>) {
    let ledger = sequencer.ledger();
    let ledger = ledger.read().unwrap();
    let epochs = ledger.epoch_list(None, 100).unwrap().epochs;
    (cairn_fold::root_of(&ledger.state().records()), epochs)
}

/// What is served of the judges' memory is what the snapshot of the same epoch has of it, file or none.
fn remembered_as_in_the_snapshot(folder: &Path) {
    let sequencer = open(folder).unwrap();
    let ledger = sequencer.ledger();
    let ledger = ledger.read().unwrap();
    for epoch in 0..3 {
        let snapshot = cairn_fold::Snapshot::decode(&ledger.snapshot_bytes(epoch).unwrap()).unwrap();
        let records = cairn_fold::carry_records(&snapshot.records);
        assert_eq!(records.len(), 4, "one for each device");
        assert_eq!(ledger.carry_bytes(epoch).unwrap(), records.concat());
    }
    assert_eq!(ledger.carry_bytes(3).unwrap_err().code(), "NET-NO-EPOCH");
}

#[test]
fn a_restart_and_lost_or_broken_views_tell_the_same_story() {
    let folder = tempfile::tempdir().unwrap();
    let (sequencer, network, devices) = run(folder.path(), 3);
    let told = story(&sequencer);
    assert_eq!(told.1.len(), 3);
    drop(sequencer);
    assert_eq!(story(&open(folder.path()).unwrap()), told, "after a restart");
    let views = folder.path().join("views");
    remembered_as_in_the_snapshot(folder.path());
    std::fs::remove_dir_all(&views).unwrap();
    assert_eq!(story(&open(folder.path()).unwrap()), told, "without views");
    std::fs::write(views.join("epochs/0000000002/snapshot.cbor"), b"broken").unwrap();
    assert_eq!(story(&open(folder.path()).unwrap()), told, "with a broken snapshot");
    std::fs::remove_dir_all(views.join("epochs/0000000001")).unwrap();
    let mut sequencer = open(folder.path()).unwrap();
    assert_eq!(story(&sequencer), told, "with a hole in the epochs");
    // Names of every epoch are still known.
    for day in [0u64, 8, 20] {
        let report =
            network.report(&devices[1], u32::try_from(day).unwrap(), Terms::default().zero_ms + day * DAY_MS, 200);
        let answers = sequencer.submit(vec![item(EntryKind::Report, report)]).unwrap().answers;
        let too_late = matches!(&answers[0], Answer::Rejected(refusal) if refusal.code == "RPT-TOO-LATE");
        assert!(matches!(answers[0], Answer::Duplicate { .. }) || too_late, "day {day}: {answers:?}");
    }
    for table in ["verdicts.cborseq", "payouts.cborseq"] {
        std::fs::write(views.join("epochs/0000000000").join(table), b"").unwrap();
    }
    let ledger = sequencer.ledger();
    let ledger = ledger.read().unwrap();
    let torn = [ledger.verdict_bytes(0).unwrap_err(), ledger.payout_bytes(0).unwrap_err()];
    assert!(torn.iter().all(|error| error.code() == "NET-VIEW"), "a torn table is not served: {torn:?}");
}

#[test]
fn a_network_whose_first_epochs_are_over_before_it_begins_still_begins() {
    let folder = tempfile::tempdir().unwrap();
    let network = MemoryNetwork::daily(Terms { zero_ms: 0, ..Terms::default() });
    let mut sequencer = open(folder.path()).unwrap();
    let genesis = Entry::decode(&network.entries[0]).unwrap().body.to_vec();
    let items = vec![item(EntryKind::Statement, genesis), item(EntryKind::Observation, vec![0; 70_000])];
    let answers = sequencer.submit(items).unwrap().answers;
    assert!(matches!(answers[0], Answer::Accepted { .. }));
    assert!(matches!(&answers[1], Answer::Rejected(refusal) if refusal.code == "LOG-ENTRY-LENGTH"));
    let another = item(EntryKind::Report, b"junk".to_vec());
    assert!(matches!(&sequencer.submit(vec![another]).unwrap().answers[0], Answer::Rejected(_)));
    assert_eq!(story(&sequencer).1.len(), 100, "every epoch that was over has closed");
}

#[test]
fn another_payload_under_a_used_name_is_a_conflict_even_within_one_group() {
    let folder = tempfile::tempdir().unwrap();
    let (mut sequencer, network, devices) = run(folder.path(), 1);
    let time_ms = Terms::default().zero_ms + 8 * DAY_MS;
    let report = |seq, value| item(EntryKind::Report, network.report(&devices[0], seq, time_ms, value));
    let answers = sequencer.submit(vec![report(90, 1), report(90, 2), report(90, 1), report(0, 7)]).unwrap().answers;
    assert!(matches!(answers[0], Answer::Accepted { .. }));
    assert!(matches!(&answers[1], Answer::Rejected(refusal) if refusal.code == "RPT-CONFLICT"), "{answers:?}");
    assert!(matches!(answers[2], Answer::Duplicate { .. }));
    assert!(matches!(&answers[3], Answer::Rejected(refusal) if refusal.code == "RPT-CONFLICT"), "{answers:?}");
}

#[test]
fn a_promise_names_what_the_log_holds() {
    let folder = tempfile::tempdir().unwrap();
    let (mut sequencer, network, devices) = run(folder.path(), 1);
    let time_ms = Terms::default().zero_ms + 8 * DAY_MS;
    let report = item(EntryKind::Report, network.report(&devices[0], 91, time_ms, 1));
    let receipted = sequencer.submit(vec![report]).unwrap();
    let name = promise::promise_key_name("test.invalid/memory");
    let key = NoteVerifier::new(&name, KeyKind::Ed25519, keys().promise.verifying_key()).unwrap();
    let promise = Promise::open(&receipted.promise, &key).unwrap();
    assert_eq!(promise.network, network.id.0);
    for (index, leaf) in &promise.entries {
        assert_eq!(sequencer.reader().leaf_hash(*index).unwrap(), *leaf);
    }
    let stranger = NoteSigner::new(&name, SigningKey::from_seed([1; 32])).unwrap();
    assert!(Promise::open(&receipted.promise, stranger.verifier()).is_err());
}

#[test]
fn nobody_moves_the_time_but_the_clocks_own_key() {
    let folder = tempfile::tempdir().unwrap();
    let (mut sequencer, mut network, _) = run(folder.path(), 1);
    let told = story(&sequencer);
    let far_ms = Terms::default().zero_ms + 400 * DAY_MS;
    network.clock = SecretKey::ed25519([9; 32]);
    assert!(
        matches!(observe(&mut sequencer, &network, far_ms), Answer::Rejected(refusal) if refusal.code == "OBS-OBSERVER")
    );
    let statement = item(EntryKind::Epoch, b"anything".to_vec());
    let answers = sequencer.submit(vec![statement]).unwrap().answers;
    assert!(matches!(&answers[0], Answer::Rejected(refusal) if refusal.code == "EPO-SUBMITTED"));
    assert_eq!(story(&sequencer), told);
    network.clock = keys().clock;
    let absurd = observe(&mut sequencer, &network, u64::MAX >> 2);
    assert!(matches!(absurd, Answer::Rejected(refusal) if refusal.code == "OBS-CLOCK"));
}

#[test]
fn other_keys_than_those_of_genesis_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    drop(run(folder.path(), 1));
    let disk = StdDisk::create(folder.path().join("log")).unwrap();
    let (log, _) = Log::open(Arc::new(disk), LogOptions::default()).unwrap();
    let views = folder.path().join("views");
    let ledger = Ledger::open(&views, log.reader(), LedgerOptions::default(), &mut |_, _| {}).unwrap();
    let other = OperatorKeys { log: SigningKey::from_seed([1; 32]), ..keys() };
    assert!(matches!(Sequencer::over(log, ledger, other, clock()), Err(LedgerError::Keys { key: "log" })));
}

//! Whatever is changed, the audit fails and names it.

#![allow(clippy::unwrap_used)]

mod served;

use cairn_audit::{AuditError, AuditOptions, Difference, Source, SourceError, audit};
use cairn_core::cbor::Encoder;
use cairn_core::ed25519::SigningKey;
use cairn_core::entry::{Entry, EntryKind};
use cairn_core::epoch::EpochStatement;
use cairn_core::key::SecretKey;
use cairn_core::{Amount, Hash, NetworkId, Payout};
use cairn_merkle::tile::split_entry;
use cairn_merkle::tree::leaf_hash;
use cairn_merkle::{Checkpoint, Cosigner, Frontier, TilePath};
use cairn_testkit::network::{DAY_MS, MemoryNetwork, SeededDevice};
use served::{ORIGIN, Served, log_signer};

/// Everything is compared, the snapshots too.
fn strict(network: &MemoryNetwork) -> AuditOptions {
    AuditOptions { network: Some(network.id), snapshots: true, ..AuditOptions::default() }
}

/// The difference that the audit finds; panics, naming the case, when it finds none.
fn named(served: &Served, options: &AuditOptions, case: &str) -> Difference {
    let report = served.audit(options);
    report.difference().cloned().unwrap_or_else(|| panic!("{case}: the audit passes"))
}

/// The entry in which a byte of a bundle lies.
fn entry_at(bundle: &[u8], at: usize) -> u64 {
    let (mut rest, mut index) = (bundle, 0);
    while let Some((_, after)) = split_entry(rest) {
        if bundle.len() - after.len() > at {
            break;
        }
        (rest, index) = (after, index + 1);
    }
    index
}

/// Flips bits of the byte at `at` of a file and holds the audit to naming it.
fn flip(served: &mut Served, options: &AuditOptions, file: &str, at: usize, bits: u8) {
    let case = format!("{file}, byte {at} ^ {bits:#04x}");
    let original = served.files[file].clone();
    served.files.get_mut(file).unwrap()[at] ^= bits;
    let found = named(served, options, &case);
    match file.split('/').collect::<Vec<_>>()[..] {
        ["checkpoint"] => assert!(["checkpoint", "entry 0"].contains(&found.place.as_str()), "{case}: {found}"),
        ["tile", "entries", ..] => {
            let bundle: TilePath = file.parse().unwrap();
            let index = bundle.index * 256 + entry_at(&original, at);
            assert_eq!(found.entry, Some(index), "{case}: {found}");
        }
        ["tile", ..] => assert_eq!(found.place, file, "{case}: {found}"),
        ["epochs", epoch, table] => {
            assert_eq!(found.epoch, Some(epoch.parse().unwrap()), "{case}: {found}");
            let word = table.split('.').next().unwrap().trim_end_matches('s');
            assert!(found.place.contains(word), "{case}: {found}");
        }
        _ => panic!("{file}"),
    }
    served.files.insert(file.to_owned(), original);
}

/// A sequence of numbers from a seed.
struct Seeded(u64);

impl Seeded {
    fn below(&mut self, bound: usize) -> usize {
        self.0 += 1;
        let digest = Hash::of(&self.0.to_be_bytes());
        usize::try_from(u64::from_be_bytes(digest.0[..8].try_into().unwrap()) % bound as u64).unwrap()
    }
}

#[test]
fn every_byte_of_a_small_network_is_held_against_the_checkpoint() {
    let network = served::small();
    let mut served = Served::of(&network);
    let options = strict(&network);
    assert!(served.audit(&options).passed());
    let files: Vec<(String, usize)> = served.files.iter().map(|(name, bytes)| (name.clone(), bytes.len())).collect();
    for (file, length) in files {
        // A snapshot is mostly two documents; every byte of it is compared in the same way.
        let step = if file.ends_with("snapshot.cbor") { 101 } else { 1 };
        for at in (0..length).step_by(step) {
            flip(&mut served, &options, &file, at, 1 << (at % 8));
        }
    }
}

#[test]
fn sampled_bytes_of_a_large_network_are_held_against_the_checkpoint() {
    let network = served::eventful();
    let mut served = Served::of(&network);
    let options = strict(&network);
    let files: Vec<(String, usize)> = served
        .files
        .iter()
        .map(|(name, bytes)| (name.clone(), bytes.len()))
        .filter(|(_, length)| *length > 0)
        .collect();
    let mut seeded = Seeded(7);
    for (file, length) in files {
        for _ in 0..6 {
            let (at, bit) = (seeded.below(length), seeded.below(8));
            flip(&mut served, &options, &file, at, 1 << bit);
        }
    }
}

#[test]
fn what_judges_remember_is_named_by_device() {
    let network = served::small();
    let served = Served::of(&network);
    let (options, file) = (strict(&network), "epochs/0/carry.cborseq");
    let rows = network.closed[0].carry();
    let ids: Vec<String> = (1..=3).map(|seed| SeededDevice::of(seed).id.to_string()).collect();
    let mut changed = served.clone();
    *changed.files.get_mut(file).unwrap().last_mut().unwrap() ^= 1;
    let found = named(&changed, &options, "a changed record");
    assert_eq!((found.code.as_str(), found.epoch), ("AUD-CARRY", Some(0)), "{found}");
    assert!(ids.contains(&found.device.unwrap()));
    for (rows, detail) in [(rows[1..].concat(), "another row is served"), (rows[..2].concat(), "the row is missing")] {
        let mut fewer = served.clone();
        fewer.files.insert(file.to_owned(), rows);
        assert_eq!(named(&fewer, &options, detail).detail, detail);
    }
}

#[test]
fn tiles_of_every_level_are_named() {
    let mut entries = served::small().entries;
    let received_ms = Entry::decode(entries.last().unwrap()).unwrap().received_ms;
    let size = 65_536 + 300;
    for n in entries.len()..size {
        let body = u32::try_from(n).unwrap().to_be_bytes();
        entries.push(Entry { kind: EntryKind::Statement, received_ms, body: &body }.encode());
    }
    let mut served = Served::log(&entries);
    let options = AuditOptions { unlogged_entries_max: u64::MAX, ..AuditOptions::default() };
    assert!(served.audit(&options).passed());
    for (file, at) in [
        ("tile/2/000.p/1", 0),
        ("tile/1/000", 32 * 255 + 31),
        ("tile/1/001.p/1", 5),
        ("tile/0/000", 0),
        ("tile/0/255", 8191),
        ("tile/0/256", 77),
        ("tile/0/257.p/44", 43 * 32),
        ("tile/entries/000", 0),
        ("tile/entries/256", 100),
        ("tile/entries/257.p/44", 3),
    ] {
        flip(&mut served, &options, file, at, 4);
    }
    let hash = served.files["tile/1/000"][..32].to_vec();
    served.files.get_mut("tile/1/000").unwrap()[32..64].copy_from_slice(&hash);
    let found = named(&served, &options, "a tile's hash twice");
    assert_eq!((found.place.as_str(), found.detail.as_str()), ("tile/1/000", "hash 1 is not that of tile/0/001"));
}

#[test]
fn a_missing_cut_or_longer_file_is_named() {
    let network = served::small();
    let whole = Served::of(&network);
    let options = strict(&network);
    for (file, bytes) in &whole.files {
        let mut served = whole.clone();
        served.files.remove(file);
        if file.starts_with("epochs/") {
            assert!(served.audit(&options).passed(), "{file} is served or not");
        } else {
            let found = named(&served, &options, file);
            assert_eq!((found.code.as_str(), &found.place), ("LOG-MISSING", file));
        }
        for changed in [&bytes[..bytes.len() - 1], &[&bytes[..], &[0]].concat()] {
            served.files.insert(file.clone(), changed.to_vec());
            named(&served, &options, file);
        }
    }
}

#[test]
fn signature_lines_of_strangers_are_no_part_of_the_log() {
    let network = served::small();
    let mut served = Served::of(&network);
    let checkpoint: Checkpoint =
        served.note().split("\n\n").next().map(|text| format!("{text}\n")).unwrap().parse().unwrap();
    let witness = Cosigner::new("witness.example", SigningKey::from_seed([9; 32])).unwrap();
    let lines = [witness.cosign(&checkpoint, 1_000).unwrap()];
    let note = checkpoint.sign(&log_signer(), &lines).unwrap().to_string();
    let others_line = note.rfind('\u{2014}').unwrap();
    let options = strict(&network);
    let mut passed = 0;
    for at in 0..note.len() {
        let mut changed = note.clone().into_bytes();
        changed[at] ^= 1;
        served.files.insert("checkpoint".into(), changed);
        let report = served.audit(&options);
        // No known key speaks in a stranger's line: it may say anything that still is a line.
        passed += usize::from(report.passed());
        assert!(!report.passed() || at > others_line, "byte {at}");
    }
    assert!(passed > 0, "the witness's signature is not looked at");
}

#[test]
fn dropped_and_swapped_entries_are_named() {
    let network = served::small();
    let options = strict(&network);
    let honest = Served::of(&network);
    let size = network.entries.len();
    let bundle = format!("tile/entries/000.p/{size}");
    for at in 1..size - 1 {
        let mut swapped = network.entries.clone();
        swapped.swap(at, at + 1);
        let mut dropped = network.entries.clone();
        dropped.remove(at);
        dropped.push(network.entries[0].clone());
        for entries in [swapped, dropped] {
            let mut served = honest.clone();
            served.files.insert(bundle.clone(), Served::log(&entries).files[&bundle].clone());
            let found = named(&served, &options, &format!("entry {at}"));
            assert_eq!((found.entry, found.code.as_str()), (Some(at as u64), "LOG-ENTRY-DIFFERS"));
        }
    }
}

#[test]
fn an_operator_who_signs_another_history_is_caught_by_the_statements() {
    let network = served::small();
    let closed = &network.closed[0];
    let statement_at = network.entries.len() as u64 - 1;
    // A report less; the epoch's statement still is that of all of them.
    let mut entries = network.entries.clone();
    entries.remove(8);
    let found = named(&Served::log(&entries), &strict(&network), "a dropped report");
    assert_eq!((found.code.as_str(), found.entry, found.epoch), ("EPO-DIFFERS", Some(statement_at - 1), Some(0)));
    assert_eq!(found.detail, "`to` differs");
    // A payout more; the log is that of all entries.
    let mut lie = closed.statement.clone();
    lie.asset.1.paid = Amount(lie.asset.1.paid.0 + 1);
    let found = named(&relogged(&network, &lie.encode()), &strict(&network), "a payout too much");
    assert_eq!((found.detail.as_str(), found.entry), ("`paid` of the balance differs", Some(statement_at)));
    assert_eq!(
        (found.expected, found.found),
        (closed.statement.asset.1.paid.to_string(), lie.asset.1.paid.to_string())
    );
    let mut lie = closed.statement.clone();
    lie.classes[0].passed += 1;
    let found = named(&relogged(&network, &lie.encode()), &strict(&network), "a verdict more");
    assert_eq!(found.detail, "the number passed of class sensing/1 differs");
    // Bytes that are no statement, and the same statement twice.
    let found = named(&relogged(&network, b"no statement"), &strict(&network), "no statement");
    assert_eq!((found.code.as_str(), found.entry), ("EPO-CBOR", Some(statement_at)));
    let mut twice = network.entries.clone();
    twice.push(network.entries.last().unwrap().clone());
    let found = named(&Served::log(&twice), &strict(&network), "a statement twice");
    assert_eq!((found.code.as_str(), found.entry), ("EPO-NUMBER", Some(statement_at + 1)));
}

/// The log with another body in its last entry, the epoch statement, signed again.
fn relogged(network: &MemoryNetwork, body: &[u8]) -> Served {
    let mut entries = network.entries.clone();
    let last = entries.pop().unwrap();
    let entry = Entry::decode(&last).unwrap();
    assert_eq!(entry.kind, EntryKind::Epoch);
    entries.push(Entry { body, ..entry }.encode());
    Served::log(&entries)
}

#[test]
fn an_operator_who_logs_another_policy_is_caught_by_genesis() {
    let network = served::small();
    let mut entries = network.entries.clone();
    let entry = Entry::decode(&entries[1]).unwrap();
    let altered = entry.body.to_vec();
    let at = altered.windows(9).position(|window| window == b"late_ppm ").unwrap() + 11;
    let body = [&altered[..at], b"6", &altered[at + 1..]].concat();
    entries[1] = Entry { body: &body, ..entry }.encode();
    let report = Served::log(&entries).audit(&strict(&network));
    assert_eq!(report.void_entries[0].index, 1);
    assert_eq!(report.void_entries[0].code, "STM-POLICY", "{:?}", report.void_entries[0]);
    assert!(!report.passed(), "without its policy the log implies another statement");
}

#[test]
fn tables_that_say_something_else_are_named_by_row() {
    let network = served::eventful();
    let options = strict(&network);
    let closed = &network.closed[2];
    let row = closed.payouts.iter().position(|row| Payout::decode(row).unwrap().device.is_some()).unwrap();
    let mut payouts = closed.payouts.clone();
    let mut payout = Payout::decode(&payouts[row]).unwrap();
    let honest = payout.amount;
    payout.amount = Amount(honest.0 + 1);
    payouts[row] = payout.encode();
    let mut served = Served::of(&network);
    served.files.insert("epochs/2/payouts.cborseq".into(), payouts.concat());
    let report = served.audit(&options);
    let found = report.difference().unwrap();
    assert_eq!(found.place, format!("epoch 2, payout row {row}"));
    assert_eq!(found.device, payout.device.map(|device| device.to_string()));
    assert_eq!((&found.expected, &found.found), (&honest.to_string(), &payout.amount.to_string()));
    let oks: Vec<bool> = report.epochs.iter().map(|line| line.ok).collect();
    assert_eq!(oks, [true, true, false], "the epochs before it stand");
    assert_eq!(report.counts.entries, closed.statement.to, "what was folded by then");
}

#[test]
fn a_remembered_checkpoint_shows_forks_and_rollbacks() {
    let network = served::eventful();
    let served = Served::of(&network);
    let remember = |note: String| AuditOptions { remembered: Some(note), ..strict(&network) };
    for size in [1, 2, 20, 255, 256, 257, network.entries.len()] {
        let older = Served::log(&network.entries[..size]).note();
        let report = served.audit(&remember(older));
        assert!(report.passed(), "{size}: {:?}", report.difference());
        assert_eq!(report.continues, Some(size as u64));
    }
    let found = named(&Served::log(&network.entries[..200]), &remember(served.note()), "a rollback");
    assert_eq!((found.code.as_str(), found.found.as_str()), ("LOG-ROLLBACK", "200 entries"));
    let mut forked = network.entries.clone();
    forked.swap(30, 31);
    for size in [32, 200, network.entries.len()] {
        let found = named(&served, &remember(Served::log(&forked[..size]).note()), "a fork");
        assert_eq!(found.code, "LOG-FORK");
    }
    let mut frontier = Frontier::new();
    network.entries.iter().for_each(|entry| frontier.push(leaf_hash(entry)));
    let other = cairn_merkle::NoteSigner::new(ORIGIN, SigningKey::from_seed([1; 32])).unwrap();
    let foreign = Checkpoint::new(ORIGIN, frontier.size(), frontier.root()).unwrap().sign(&other, &[]).unwrap();
    assert_eq!(named(&served, &remember(foreign.to_string()), "another key").code, "LOG-REMEMBERED");
    let refused = audit(&served, &remember("no checkpoint".into()), &mut |_| ()).unwrap_err();
    assert!(matches!(refused, AuditError::Remembered { .. }), "{refused}");
}

#[test]
fn another_network_or_operator_than_the_one_meant_is_refused() {
    let network = served::small();
    let served = Served::of(&network);
    let operator = AuditOptions { operator: Some(network.operator.public()), ..AuditOptions::default() };
    assert!(served.audit(&operator).passed());
    let other = SecretKey::ed25519([1; 32]).public();
    for options in [
        AuditOptions { network: Some(NetworkId(Hash::ZERO)), ..AuditOptions::default() },
        AuditOptions { operator: Some(other), ..AuditOptions::default() },
    ] {
        assert_eq!(named(&served, &options, "a pin").code, "NET-PIN");
    }
    // A genesis that nobody signed, under a checkpoint that its log key did sign.
    let mut entries = network.entries.clone();
    let at = entries[0].len() - 1;
    entries[0][at] ^= 1;
    let found = named(&Served::log(&entries), &AuditOptions::default(), "an unsigned genesis");
    assert_eq!((found.code.as_str(), found.entry), ("NET-GENESIS", Some(0)));
    assert_eq!(named(&Served::log(&entries[1..]), &AuditOptions::default(), "no genesis").code, "NET-GENESIS");
    assert_eq!(named(&Served::log(&[]), &AuditOptions::default(), "an empty log").code, "NET-GENESIS");
}

#[test]
fn the_sequencers_own_faults_are_named() {
    let network = served::small();
    let last_ms = Entry::decode(network.entries.last().unwrap()).unwrap().received_ms;
    let with = |bytes: Vec<u8>| {
        let mut entries = network.entries.clone();
        entries.push(bytes);
        named(&Served::log(&entries), &strict(&network), "a bad entry")
    };
    let index = Some(network.entries.len() as u64);
    let entry = |received_ms| Entry { kind: EntryKind::Report, received_ms, body: b"x" }.encode();
    let found = with(entry(last_ms - 1));
    assert_eq!((found.code.as_str(), found.entry), ("LOG-TIME", index));
    let found = with(entry(u64::MAX >> 1));
    assert_eq!((found.code.as_str(), found.entry), ("LOG-TIME", index), "no auditor closes epochs for ever");
    let found = with(b"no entry".to_vec());
    assert_eq!((found.code.as_str(), found.entry), ("LOG-ENTRY", index));
    let mut kind = Encoder::empty();
    kind.array(4).uint(1).uint(9).uint(last_ms).bytes(b"x");
    assert_eq!(with(kind.into_bytes()).code, "LOG-ENTRY");
}

#[test]
fn a_statement_that_never_comes_is_missed() {
    let network = served::small();
    let mut entries = network.entries.clone();
    let statement = entries.pop().unwrap();
    EpochStatement::decode(Entry::decode(&statement).unwrap().body).unwrap();
    let received_ms = Entry::decode(&statement).unwrap().received_ms;
    let options = AuditOptions { unlogged_entries_max: 5, ..strict(&network) };
    for extra in 0..8 {
        let report = Served::log(&entries).audit(&options);
        let code = report.difference().map(|difference| difference.code.as_str());
        assert_eq!(code, (extra > 4).then_some("EPO-MISSING"), "{extra} entries after the closing one");
        entries.push(Entry { kind: EntryKind::Report, received_ms, body: b"x" }.encode());
    }
}

#[test]
fn a_statement_is_missed_as_soon_as_the_next_epoch_has_closed() {
    let mut network = served::small();
    let statement = network.entries.len() as u64 - 1;
    let next_ms = network.now_ms + 7 * DAY_MS;
    network.pass_to(next_ms);
    assert_eq!(network.closed.len(), 2);
    assert!(Served::log(&network.entries).audit(&strict(&network)).passed());
    // Epoch 0's statement is held back; epoch 1 then closes at the entry that takes its place.
    let mut entries = network.entries.clone();
    entries.remove(usize::try_from(statement).unwrap());
    entries.pop();
    let found = named(&Served::log(&entries), &strict(&network), "a statement held back");
    assert_eq!((found.code.as_str(), found.epoch, found.entry), ("EPO-MISSING", Some(0), Some(statement)));
    assert_eq!(found.detail, "its statement was not logged before epoch 1 closed");
    // Two epochs that close at one entry have their statements one after the other.
    let mut network = served::small();
    let later_ms = network.now_ms + 14 * DAY_MS;
    network.pass_to(later_ms);
    assert_eq!(network.closed.len(), 3);
    assert!(Served::log(&network.entries).audit(&strict(&network)).passed());
}

/// A source that breaks off at one file.
struct Broken<'a>(&'a Served, &'static str);

impl Broken<'_> {
    fn broken<T>(&self, name: &str, answer: Result<T, SourceError>) -> Result<T, SourceError> {
        if name == self.1 {
            let what = name.to_owned();
            return Err(SourceError { what, code: "NET-CONNECTION".into(), detail: "gone".into(), hint: None });
        }
        answer
    }
}

impl Source for Broken<'_> {
    fn name(&self) -> String {
        "broken".into()
    }

    fn checkpoint(&self) -> Result<Option<Vec<u8>>, SourceError> {
        self.broken("checkpoint", self.0.checkpoint())
    }

    fn tile(&self, tile: TilePath) -> Result<Option<Vec<u8>>, SourceError> {
        self.broken(&tile.to_string(), self.0.tile(tile))
    }

    fn statement(&self, epoch: u64) -> Result<Option<Vec<u8>>, SourceError> {
        self.broken(&format!("statement {epoch}"), self.0.statement(epoch))
    }

    fn verdicts(&self, epoch: u64) -> Result<Option<Vec<u8>>, SourceError> {
        self.0.verdicts(epoch)
    }

    fn payouts(&self, epoch: u64) -> Result<Option<Vec<u8>>, SourceError> {
        self.0.payouts(epoch)
    }

    fn sales(&self, epoch: u64) -> Result<Option<Vec<u8>>, SourceError> {
        self.0.sales(epoch)
    }
    fn carry(&self, epoch: u64) -> Result<Option<Vec<u8>>, SourceError> {
        self.0.carry(epoch)
    }

    fn snapshot(&self, epoch: u64) -> Result<Option<Vec<u8>>, SourceError> {
        self.0.snapshot(epoch)
    }

    fn parallel(&self) -> usize {
        4
    }
}

#[test]
fn a_source_that_cannot_be_read_is_no_verdict() {
    let network = served::eventful();
    let served = Served::of(&network);
    for file in ["checkpoint", "tile/0/000", "tile/entries/000", "statement 3"] {
        let refused = audit(&Broken(&served, file), &AuditOptions::default(), &mut |_| ()).unwrap_err();
        assert_eq!(refused.code(), "NET-CONNECTION", "{file}");
    }
}

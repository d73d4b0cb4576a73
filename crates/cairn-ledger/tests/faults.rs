//! The writer over a disk that fails: full disks, failing syncs, crashes, broken views, and a clock that jumped back.
//!
//! Laws: what was promised is in the log after every restart; the state is the fold of the log, whatever was refused on
//! the way; a full disk is waited out; a failed sync is the end of promising.
//!
//! `CAIRN_SEED=n` runs one seed, `CAIRN_SEEDS=n` the first n.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::Path;
use std::sync::Arc;

use cairn_core::Hash;
use cairn_core::ed25519::SigningKey;
use cairn_core::entry::{Entry, EntryKind};
use cairn_core::key::SecretKey;
use cairn_core::observation::{ObservationBody, sign_observation};
use cairn_ledger::{
    Answer, Ledger, LedgerError, LedgerOptions, NetworkClock, OperatorKeys, Sequencer, Submission, check_views,
    rebuild_views, wall_ms,
};
use cairn_log::{Disk, Log, LogOptions, LogReader, Promise, StdDisk, promise};
use cairn_merkle::NoteVerifier;
use cairn_merkle::note::KeyKind;
use cairn_testkit::disk::{Faults, FaultyDisk};
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

fn open(disk: Arc<dyn Disk>, views: &Path, clock: NetworkClock) -> Result<Sequencer, LedgerError> {
    let (log, _) = Log::open(disk, LogOptions::default())?;
    let ledger = Ledger::open(views, log.reader(), LedgerOptions::default(), &mut |_, _| {})?;
    Sequencer::over(log, ledger, keys(), clock)
}

fn recorded(terms: &Terms) -> NetworkClock {
    NetworkClock::Recorded { start_ms: terms.zero_ms }
}

fn item(kind: EntryKind, body: Vec<u8>) -> Submission {
    Submission { kind, body, checked: None }
}

struct Random(u64);

impl Random {
    /// xorshift64 (Marsaglia 2003); the seed is never 0.
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % bound
    }

    fn faults(&mut self, disk: &FaultyDisk) -> Faults {
        let at = Some(disk.operations() + 1 + self.below(80));
        match self.below(5) {
            0 => Faults { crash_at: at, ..Faults::default() },
            1 => Faults { fail_sync_at: at, ..Faults::default() },
            2 | 3 => Faults { full_at: at, ..Faults::default() },
            _ => Faults::default(),
        }
    }
}

/// A network, its senders, and what they were promised.
struct Story {
    zero_ms: u64,
    network: MemoryNetwork,
    devices: Vec<SeededDevice>,
    day: u64,
    seq: u32,
    promised: BTreeMap<u64, Hash>,
}

impl Story {
    fn of(terms: Terms) -> Self {
        let mut network = MemoryNetwork::daily(terms);
        let devices = network.enrol_grid(3);
        Self { zero_ms: terms.zero_ms, network, devices, day: 0, seq: 0, promised: BTreeMap::new() }
    }

    /// Logs what makes the network, as far as that was not done yet.
    fn found(&self, writer: &mut Sequencer) -> Result<(), LedgerError> {
        let size = writer.reader().size();
        if size > 0 {
            return Ok(());
        }
        let first = self.network.entries.iter().map(|bytes| {
            let entry = Entry::decode(bytes).unwrap();
            item(entry.kind, entry.body.to_vec())
        });
        writer.submit(first.collect()).map(|_| ())
    }

    /// One day: the clock comes to its end, and every device reports it.
    fn live(&mut self, writer: &mut Sequencer) -> Result<(), LedgerError> {
        let end_ms = self.zero_ms + (self.day + 1) * DAY_MS;
        let clock = sign_observation(&self.network.clock, &self.network.id, &ObservationBody::clock(end_ms));
        self.submit(writer, vec![item(EntryKind::Observation, clock)])?;
        let time_ms = self.zero_ms + self.day * DAY_MS;
        let reports: Vec<Submission> = (self.devices.iter())
            .map(|device| item(EntryKind::Report, self.network.report(device, self.seq, time_ms, 200)))
            .collect();
        self.submit(writer, reports)?;
        self.day += 1;
        self.seq += 1;
        Ok(())
    }

    fn submit(&mut self, writer: &mut Sequencer, items: Vec<Submission>) -> Result<(), LedgerError> {
        let receipted = writer.submit(items)?;
        let name = promise::promise_key_name("test.invalid/memory");
        let key = NoteVerifier::new(&name, KeyKind::Ed25519, keys().promise.verifying_key()).unwrap();
        if !receipted.promise.is_empty() {
            let promise = Promise::open(&receipted.promise, &key).unwrap();
            self.promised.extend(promise.entries);
        }
        for answer in receipted.answers {
            let is_known = |code: &str| ["OBS-ROUND", "RPT-DUPLICATE"].contains(&code);
            let refused = matches!(&answer, Answer::Rejected(refusal) if !is_known(refusal.code));
            assert!(!refused, "{answer:?}");
        }
        Ok(())
    }

    /// What was promised is there, and the state in memory is the fold of the log from its first entry.
    fn hold(&self, writer: &Sequencer, case: &str) {
        let reader = writer.reader();
        for (index, leaf) in &self.promised {
            assert_eq!(reader.leaf_hash(*index).unwrap(), *leaf, "{case}: entry {index} was promised");
        }
        assert_eq!(state_root(writer), folded_root(&reader), "{case}: the state is the fold of the log");
    }
}

fn state_root(writer: &Sequencer) -> Hash {
    let ledger = writer.ledger();
    let ledger = ledger.read().unwrap();
    cairn_fold::root_of(&ledger.state().records())
}

/// The state's root after folding the whole log beside nothing.
fn folded_root(reader: &LogReader) -> Hash {
    let nothing = tempfile::tempdir().unwrap();
    check_views(nothing.path(), reader, LedgerOptions::default(), &mut |_, _| {}).unwrap().state_root
}

fn live_and_die(seed: u64) {
    let mut random = Random(seed * 2 + 1);
    let disk = FaultyDisk::new(seed, Faults::default());
    let views = tempfile::tempdir().unwrap();
    let mut story = Story::of(Terms::default());
    let clock = recorded(&Terms::default());
    for life in 0..4 {
        let case = format!("life {life}");
        let Ok(mut writer) = open(Arc::new(disk.clone()), views.path(), clock) else {
            disk.cut_power(Faults::default());
            continue;
        };
        story.hold(&writer, &case);
        let done = (0..12).try_for_each(|_| {
            let done = story.found(&mut writer).and_then(|()| story.live(&mut writer)).and_then(|()| writer.tick());
            let Err(error) = done else { return Ok(()) };
            if !error.is_full() {
                return Err(error);
            }
            assert!(writer.is_full() && error.hint().is_some());
            assert!(writer.submit(Vec::new()).is_err_and(|again| again.is_full()), "it is still full");
            disk.make_room();
            story.hold(&writer, &format!("{case}, full"));
            Ok(())
        });
        if done.is_err() {
            let promised = writer.submit(Vec::new()).expect_err("it has stopped");
            assert_eq!(promised.code(), "NET-STOPPED");
        }
        assert!(!disk.was_synced_again(), "{case}: a sync that failed was tried again");
        drop(writer);
        let faults = random.faults(&disk);
        if random.below(2) == 0 { disk.kill(faults) } else { disk.cut_power(faults) }
    }
    disk.cut_power(Faults::default());
    let mut writer = open(Arc::new(disk.clone()), views.path(), clock).expect("a sound disk opens");
    story.hold(&writer, "at the end");
    story.found(&mut writer).unwrap();
    story.live(&mut writer).unwrap();
    story.hold(&writer, "and it goes on");
    let rebuilt = check_views(views.path(), &writer.reader(), LedgerOptions::default(), &mut |_, _| {}).unwrap();
    assert_eq!((rebuilt.first, rebuilt.beyond), (None, Vec::new()));
}

#[test]
fn nothing_promised_is_lost_and_the_state_is_the_fold_of_the_log_whatever_fails() {
    let variable = |name| std::env::var(name).ok().map(|text| text.parse::<u64>().unwrap());
    let seeds = match (variable("CAIRN_SEED"), variable("CAIRN_SEEDS")) {
        (Some(seed), _) => seed..seed + 1,
        (None, seeds) => 0..seeds.unwrap_or(60),
    };
    for seed in seeds {
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| live_and_die(seed))) {
            eprintln!("replay with CAIRN_SEED={seed}");
            resume_unwind(panic);
        }
    }
}

/// A network of three weeks on a real folder.
fn three_weeks(folder: &Path) -> Story {
    let disk = Arc::new(StdDisk::create(folder.join("log")).unwrap());
    let mut writer = open(disk, &folder.join("views"), recorded(&Terms::default())).unwrap();
    let mut story = Story::of(Terms::default());
    story.found(&mut writer).unwrap();
    for _ in 0..24 {
        story.live(&mut writer).unwrap();
    }
    writer.publish().unwrap();
    story
}

#[test]
fn rot_in_any_view_is_found_and_made_good_from_the_log() {
    let folder = tempfile::tempdir().unwrap();
    three_weeks(folder.path());
    let (views, log) = (folder.path().join("views"), folder.path().join("log"));
    let options = LedgerOptions::default();
    let disk = || StdDisk::create(&log).unwrap();
    let checked = || check_views(&views, &LogReader::open(&disk()).unwrap(), options, &mut |_, _| {}).unwrap();
    let sound = checked();
    assert_eq!((sound.first, sound.epochs), (None, 3));
    let epochs = views.join("epochs");
    let mut files: Vec<_> = Vec::new();
    for epoch in std::fs::read_dir(&epochs).unwrap() {
        files.extend(std::fs::read_dir(epoch.unwrap().path()).unwrap().map(|file| file.unwrap().path()));
    }
    files.sort();
    let mut random = Random(1);
    for path in files {
        let whole = std::fs::read(&path).unwrap();
        if whole.is_empty() {
            continue;
        }
        for cut in [false, true] {
            let case = format!("{}, cut {cut}", path.display());
            let at = usize::try_from(random.below(whole.len() as u64)).unwrap();
            let mut damaged = whole.clone();
            damaged[at] ^= 1 << random.below(8);
            damaged.truncate(if cut { at } else { whole.len() });
            std::fs::write(&path, damaged).unwrap();
            let first = checked().first.unwrap_or_else(|| panic!("{case}: not found"));
            assert_eq!((first.path, first.byte), (path.clone(), Some(at as u64)), "{case}");
            // Whatever a start takes from the views, the state is the fold of the log.
            let writer = open(Arc::new(disk()), &views, recorded(&Terms::default())).unwrap();
            assert_eq!(state_root(&writer), sound.state_root, "{case}");
            drop(writer);
            let (log, _) = Log::open(Arc::new(disk()), LogOptions::default()).unwrap();
            rebuild_views(&views, &log.reader(), options, &mut |_, _| {}).unwrap();
            assert_eq!(std::fs::read(&path).unwrap(), whole, "{case}");
            assert_eq!(checked().first, None, "{case}");
        }
    }
    std::fs::remove_file(epochs.join("0000000001/payouts.cborseq")).unwrap();
    let missing = checked().first.unwrap();
    assert_eq!((missing.epoch, missing.byte), (1, None));
}

#[test]
fn a_start_makes_broken_statements_and_names_again_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let story = three_weeks(folder.path());
    let views = folder.path().join("views");
    for (epoch, file) in [(1, "statement.cbor"), (2, "names.idx"), (0, "names.idx")] {
        let path = views.join(format!("epochs/{epoch:010}/{file}"));
        let whole = std::fs::read(&path).unwrap();
        let mut damaged = whole.clone();
        damaged[20] ^= 4;
        std::fs::write(&path, damaged).unwrap();
        let disk = StdDisk::create(folder.path().join("log")).unwrap();
        let (log, _) = Log::open(Arc::new(disk), LogOptions::default()).unwrap();
        let ledger = Ledger::open(&views, log.reader(), LedgerOptions::default(), &mut |_, _| {}).unwrap();
        assert_eq!(ledger.remade_from(), Some(epoch), "{file}");
        assert_eq!(std::fs::read(&path).unwrap(), whole, "{file}");
        drop(ledger);
        let clock = recorded(&Terms::default());
        let ledger = Ledger::open(&views, log.reader(), LedgerOptions::default(), &mut |_, _| {}).unwrap();
        assert_eq!(ledger.remade_from(), None);
        story.hold(&Sequencer::over(log, ledger, keys(), clock).unwrap(), file);
    }
}

#[test]
fn a_checkpoint_that_the_key_did_not_sign_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    three_weeks(folder.path());
    let path = folder.path().join("log/checkpoint");
    let text = std::fs::read_to_string(&path).unwrap();
    let (note, signature) = text.trim_end().rsplit_once(' ').unwrap();
    let turned: String = signature.chars().rev().collect();
    for damaged in [text.replace("test.invalid", "best.invalid"), format!("{note} {turned}\n")] {
        std::fs::write(&path, damaged).unwrap();
        let disk = Arc::new(StdDisk::create(folder.path().join("log")).unwrap());
        let refused = open(disk, &folder.path().join("views"), recorded(&Terms::default())).map(|_| ()).unwrap_err();
        assert_eq!(refused.code(), "LOG-DAMAGED", "{refused}");
        assert!(refused.hint().is_some());
    }
}

#[test]
fn when_the_clock_jumps_back_no_time_in_the_log_falls_and_the_writer_knows() {
    // Everything is logged a hundred years ahead; then the machine's own clock counts.
    let terms = Terms { zero_ms: (wall_ms() / DAY_MS + 36_500) * DAY_MS, ..Terms::default() };
    let disk = FaultyDisk::new(1, Faults::default());
    let views = tempfile::tempdir().unwrap();
    let mut story = Story::of(terms);
    let mut writer = open(Arc::new(disk.clone()), views.path(), recorded(&terms)).unwrap();
    story.found(&mut writer).unwrap();
    for _ in 0..9 {
        story.live(&mut writer).unwrap();
    }
    assert_eq!(writer.clock_behind_ms(), 0, "a recorded clock is never behind");
    let last_ms = story.zero_ms + 9 * DAY_MS;
    drop(writer);
    let mut writer = open(Arc::new(disk), views.path(), NetworkClock::Wall).unwrap();
    assert!(writer.clock_behind_ms() > 36_000 * DAY_MS);
    let report = story.network.report(&story.devices[0], 90, story.zero_ms + 8 * DAY_MS, 200);
    story.submit(&mut writer, vec![item(EntryKind::Report, report)]).unwrap();
    writer.tick().unwrap();
    let reader = writer.reader();
    let mut before_ms = 0;
    for chunk in reader.entries(0..u64::MAX) {
        for (index, bytes) in chunk.unwrap().iter() {
            let received_ms = Entry::decode(bytes).unwrap().received_ms;
            assert!(received_ms >= before_ms, "entry {index} is dated before the one ahead of it");
            before_ms = received_ms;
        }
    }
    assert_eq!(before_ms, last_ms);
    story.hold(&writer, "behind");
}

//! Crashes, power cuts, failing syncs and full disks at every point of a log's life, recovery included, from seeds.
//!
//! Laws: an acknowledged entry is at its index with its bytes; a batch is whole or absent; a published checkpoint is never
//! followed by a smaller or another one; a disk that only crashed never looks damaged.
//!
//! `CAIRN_SEED=n` runs one seed, `CAIRN_SEEDS=n` the first n.

#![allow(clippy::unwrap_used, clippy::cast_possible_truncation)]

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;

use cairn_core::Hash;
use cairn_core::ed25519::SigningKey;
use cairn_log::{Log, LogError, LogOptions, check};
use cairn_merkle::proof::verify_inclusion;
use cairn_merkle::tree::{leaf_hash, root};
use cairn_merkle::{Checkpoint, Note, NoteSigner};
use cairn_testkit::disk::{Faults, FaultyDisk};

/// What outlives every crash, because somebody was told.
#[derive(Default)]
struct Promised {
    entries: Vec<Vec<u8>>,
    checkpoints: BTreeMap<u64, Hash>,
    /// The batch whose fate is open, because its append failed.
    in_flight: Vec<Vec<u8>>,
    /// The checkpoint whose fate is open.
    in_publication: Option<u64>,
}

struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        // xorshift64 (Marsaglia 2003); the seed is never 0.
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % bound
    }

    fn faults(&mut self, disk: &FaultyDisk) -> Faults {
        let operations = disk.operations();
        let mut soon = || Some(operations + 1 + self.below(60));
        let (crash_at, fail_sync_at, full_at) = (soon(), soon(), soon());
        match self.below(8) {
            0..=3 => Faults { crash_at, ..Faults::default() },
            4 => Faults { fail_sync_at, ..Faults::default() },
            5 => Faults { full_at, ..Faults::default() },
            6 => Faults { crash_at, fail_sync_at, full_at: None },
            _ => Faults::default(),
        }
    }

    fn batch(&mut self) -> Vec<Vec<u8>> {
        let count = if self.below(6) == 0 { 1 + self.below(600) } else { 1 + self.below(20) };
        let bytes_max = if self.below(10) == 0 { 3000 } else { 40 };
        (0..count).map(|_| (0..self.below(bytes_max)).map(|_| self.0 as u8).collect()).collect()
    }
}

fn signer() -> NoteSigner {
    NoteSigner::new("log.example", SigningKey::from_seed([3; 32])).unwrap()
}

/// Opens the log after a crash and holds it against what was promised.
fn open(disk: &FaultyDisk, random: &mut Random, promised: &mut Promised) -> Result<Log, LogError> {
    let options = LogOptions { segment_bytes: 4000 };
    let (log, recovery) = Log::open(Arc::new(disk.clone()), options)?;
    let reader = log.reader();

    let acknowledged = promised.entries.len() as u64;
    let with_batch = acknowledged + promised.in_flight.len() as u64;
    assert!([acknowledged, with_batch].contains(&log.size()), "{} is not {acknowledged} or {with_batch}", log.size());
    let in_flight = std::mem::take(&mut promised.in_flight);
    if log.size() > acknowledged {
        promised.entries.extend(in_flight);
    }
    let mut read = Vec::new();
    for chunk in reader.entries(0..u64::MAX) {
        read.extend(chunk?.iter().map(|(_, entry)| entry.to_vec()));
    }
    assert!(read == promised.entries, "acknowledged entries changed");
    let leaves: Vec<Hash> = read.iter().map(|entry| leaf_hash(entry)).collect();
    assert_eq!(log.root(), root(&leaves));

    let published = promised.checkpoints.keys().next_back().copied();
    let now = recovery.checkpoint_size;
    assert!(now == published || now == promised.in_publication, "{now:?}, not {published:?}");
    promised.in_publication = None;
    if let Some(text) = reader.checkpoint() {
        let note: Note = text.parse().unwrap();
        note.open(&[signer().verifier().clone()]).unwrap();
        let checkpoint: Checkpoint = note.text().parse().unwrap();
        promised.checkpoints.insert(checkpoint.size(), checkpoint.root());
    }
    for (size, published) in &promised.checkpoints {
        assert_eq!(reader.root_at(*size)?, *published, "the log forked below {size}");
    }
    if log.size() > 0 {
        let index = random.below(log.size());
        let proof = reader.inclusion_proof(index, log.size())?;
        verify_inclusion(leaves[index as usize], index, log.size(), log.root(), &proof).unwrap();
        assert_eq!(reader.leaf_hash(index)?, leaves[index as usize]);
        assert_eq!(reader.entry(index)?, promised.entries[index as usize]);
    }
    Ok(log)
}

/// Appends and publishes until something fails, or enough was done.
fn work(log: &mut Log, random: &mut Random, promised: &mut Promised) -> Result<(), LogError> {
    for _ in 0..random.below(12) {
        if random.below(3) == 0 {
            promised.in_publication = Some(log.size());
            log.publish_checkpoint(&signer(), &[])?;
            promised.in_publication = None;
            let earlier = promised.checkpoints.insert(log.size(), log.root());
            assert!(earlier.is_none_or(|earlier| earlier == log.root()), "two checkpoints of {}", log.size());
        } else {
            let batch = random.batch();
            let size = log.size();
            promised.in_flight.clone_from(&batch);
            let appended = log.append(&batch)?;
            assert_eq!(appended.first_index, size);
            promised.in_flight.clear();
            promised.entries.extend(batch);
        }
    }
    Ok(())
}

/// A crash must never look like damage.
fn assert_disk_failure(error: &LogError) {
    assert_eq!(error.code(), "LOG-IO", "{error}");
}

fn live_and_die(seed: u64) {
    let mut random = Random(seed * 2 + 1);
    let mut promised = Promised::default();
    let disk = FaultyDisk::new(seed, Faults::default());
    disk.kill(random.faults(&disk));
    for _ in 0..2 + random.below(6) {
        let opened = open(&disk, &mut random, &mut promised);
        match opened {
            Err(error) => assert_disk_failure(&error),
            Ok(mut log) => {
                if let Err(error) = work(&mut log, &mut random, &mut promised) {
                    assert_disk_failure(&error);
                    let refused = log.append(&[b"more"]).expect_err("a failed log takes nothing more");
                    assert_eq!(refused.code(), "LOG-STOPPED");
                    let refused = log.publish_checkpoint(&signer(), &[]).expect_err("nor does it sign");
                    assert_eq!(refused.code(), "LOG-STOPPED");
                }
            }
        }
        let faults = random.faults(&disk);
        if random.below(3) == 0 { disk.kill(faults) } else { disk.cut_power(faults) }
    }
    disk.cut_power(Faults::default());
    let mut log = open(&disk, &mut random, &mut promised).expect("a sound disk opens");
    log.append(&[b"alive"]).unwrap();
    log.publish_checkpoint(&signer(), &[]).unwrap();
    let checked = check(&disk).unwrap();
    assert_eq!((checked.entries, checked.root), (log.size(), log.root()));
}

#[test]
fn nothing_promised_is_lost_whatever_crashes() {
    let variable = |name| std::env::var(name).ok().map(|text| text.parse::<u64>().unwrap());
    let seeds = match (variable("CAIRN_SEED"), variable("CAIRN_SEEDS")) {
        (Some(seed), _) => seed..seed + 1,
        (None, seeds) => 0..seeds.unwrap_or(1500),
    };
    for seed in seeds {
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| live_and_die(seed))) {
            eprintln!("replay with CAIRN_SEED={seed}");
            resume_unwind(panic);
        }
    }
}

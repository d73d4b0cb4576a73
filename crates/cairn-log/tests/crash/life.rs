//! A log's life on a disk that fails, and everything that somebody was told in it.

use std::collections::BTreeMap;
use std::sync::Arc;

use cairn_core::Hash;
use cairn_core::ed25519::SigningKey;
use cairn_log::{Begun, Log, LogError, LogOptions, LogReader, PendingCheckpoint};
use cairn_merkle::proof::verify_inclusion;
use cairn_merkle::tree::{leaf_hash, root};
use cairn_merkle::{Checkpoint, Cosigner, Note, NoteSigner};
use cairn_testkit::disk::{Faults, FaultyDisk};

/// What outlives every crash, because somebody was told.
#[derive(Default, Clone)]
pub struct Promised {
    pub entries: Vec<Vec<u8>>,
    pub checkpoints: BTreeMap<u64, Hash>,
    /// The batch whose fate is open, because its append failed.
    pub in_flight: Vec<Vec<u8>>,
    /// The checkpoint whose fate is open.
    pub in_publication: Option<u64>,
}

#[derive(Clone)]
pub struct Random(u64);

impl Random {
    pub fn of(seed: u64) -> Self {
        Self(seed * 2 + 1)
    }

    pub fn below(&mut self, bound: u64) -> u64 {
        // xorshift64 (Marsaglia 2003); the seed is never 0.
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % bound
    }

    pub fn faults(&mut self, disk: &FaultyDisk) -> Faults {
        let operations = disk.operations();
        let mut soon = || Some(operations + 1 + self.below(60));
        let (crash_at, fail_sync_at, full_at) = (soon(), soon(), soon());
        match self.below(10) {
            0..=3 => Faults { crash_at, ..Faults::default() },
            4 => Faults { fail_sync_at, ..Faults::default() },
            5 => Faults { full_at, ..Faults::default() },
            6 => Faults { crash_at, fail_sync_at, full_at: None },
            7 => Faults { crash_at, fail_sync_at: None, full_at },
            8 => Faults { crash_at: None, fail_sync_at, full_at },
            _ => Faults::default(),
        }
    }

    pub fn batch(&mut self) -> Vec<Vec<u8>> {
        let count = if self.below(6) == 0 { 1 + self.below(600) } else { 1 + self.below(20) };
        let bytes_max = if self.below(10) == 0 { 3000 } else { 40 };
        (0..count).map(|_| (0..self.below(bytes_max)).map(|_| self.0 as u8).collect()).collect()
    }
}

pub fn signer() -> NoteSigner {
    NoteSigner::new("log.example", SigningKey::from_seed([3; 32])).unwrap()
}

/// Segments are short, so that there are many, and room is reserved often.
pub const OPTIONS: LogOptions = LogOptions { segment_bytes: 4000, reserve_bytes: 1500 };

/// All entries of a log.
pub fn read_all(reader: &LogReader) -> Result<Vec<Vec<u8>>, LogError> {
    let mut read = Vec::new();
    for chunk in reader.entries(0..u64::MAX) {
        read.extend(chunk?.iter().map(|(_, entry)| entry.to_vec()));
    }
    Ok(read)
}

/// Opens the log after a crash and holds it against what was promised.
pub fn open(disk: &FaultyDisk, random: &mut Random, promised: &mut Promised) -> Result<Log, LogError> {
    let (log, recovery) = Log::open(Arc::new(disk.clone()), OPTIONS)?;
    let reader = log.reader();

    let acknowledged = promised.entries.len() as u64;
    let with_batch = acknowledged + promised.in_flight.len() as u64;
    assert!([acknowledged, with_batch].contains(&log.size()), "{} is not {acknowledged} or {with_batch}", log.size());
    let in_flight = std::mem::take(&mut promised.in_flight);
    if log.size() > acknowledged {
        promised.entries.extend(in_flight);
    }
    let read = read_all(&reader)?;
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

/// Appends and publishes until something fails, or enough was done. A full disk is no failure: the log is read, room is
/// made sooner or later, and it goes on.
pub fn work(log: &mut Log, disk: &FaultyDisk, random: &mut Random, promised: &mut Promised) -> Result<(), LogError> {
    for _ in 0..random.below(12) {
        let done =
            if random.below(3) == 0 { publish(log, random, promised) } else { append(log, random.batch(), promised) };
        let Err(error) = done else { continue };
        if !error.is_full() {
            return Err(error);
        }
        // Now it is certain that the batch is not in the log, whatever comes.
        promised.in_flight.clear();
        promised.in_publication = None;
        assert!(error.hint().is_some());
        assert_eq!(log.size(), promised.entries.len() as u64);
        match read_all(&log.reader()) {
            Ok(read) => assert!(read == promised.entries, "a full disk is still read"),
            // The machine may have died meanwhile, which the log has not met yet.
            Err(error) => return log.try_room(1).and(Err(error)),
        }
        match random.below(3) {
            0 => {}
            1 => {
                // While the disk is full that is certain too; only a crash may come in between.
                let room = log.try_room(1000).expect_err("there is no room");
                if !room.is_full() {
                    return Err(room);
                }
            }
            _ => {
                disk.make_room();
                log.try_room(1000)?;
                append(log, random.batch(), promised)?;
            }
        }
    }
    Ok(())
}

fn append(log: &mut Log, batch: Vec<Vec<u8>>, promised: &mut Promised) -> Result<(), LogError> {
    let size = log.size();
    promised.in_flight.clone_from(&batch);
    let appended = log.append(&batch)?;
    assert_eq!(appended.first_index, size);
    promised.in_flight.clear();
    promised.entries.extend(batch);
    Ok(())
}

fn publish(log: &mut Log, random: &mut Random, promised: &mut Promised) -> Result<(), LogError> {
    let (size, root) = (log.size(), log.root());
    promised.in_publication = Some(size);
    if random.below(2) == 0 {
        log.publish_checkpoint(&signer(), &[])?;
    } else if let Begun::Pending(pending) = log.begin_checkpoint(&signer(), &[])? {
        publish_beside_appends(log, &pending, random, promised)?;
    }
    promised.in_publication = None;
    let earlier = promised.checkpoints.insert(size, root);
    assert!(earlier.is_none_or(|earlier| earlier == root), "two checkpoints of {size}");
    // Cosignatures change the lock record and nothing else.
    let witness = Cosigner::new("witness.example", SigningKey::from_seed([4; 32])).unwrap();
    let checkpoint = Checkpoint::new("log.example", size, root).unwrap();
    log.add_cosignatures(&[witness.cosign(&checkpoint, size).unwrap()])?;
    Ok(())
}

/// Batches before the checkpoint is published, and between that and the word of it.
fn publish_beside_appends(
    log: &mut Log,
    pending: &PendingCheckpoint,
    random: &mut Random,
    promised: &mut Promised,
) -> Result<(), LogError> {
    assert_eq!(log.add_cosignatures(&[]).unwrap_err().code(), "LOG-PUBLISHING");
    let mut before = Ok(());
    for _ in 0..random.below(3) {
        before = before.and_then(|()| append(log, random.batch(), promised));
    }
    // The other thread does not know what became of the appends.
    let published = pending.publish();
    if published.is_ok() {
        promised.checkpoints.insert(pending.checkpoint().size(), pending.checkpoint().root());
        promised.in_publication = None;
    }
    let mut after = before;
    if after.is_ok() && random.below(2) == 0 {
        after = append(log, random.batch(), promised);
    }
    let ended = log.end_checkpoint(published);
    match (after, ended) {
        // A full disk takes back the batch and goes on; what stops the log says more.
        (Err(full), Err(published)) if full.is_full() => Err(published),
        (Err(first), _) => Err(first),
        (Ok(()), ended) => ended,
    }
}

/// A crash must never look like damage.
pub fn assert_disk_failure(error: &LogError) {
    assert!(["LOG-IO", "LOG-FULL"].contains(&error.code()), "{error}");
}

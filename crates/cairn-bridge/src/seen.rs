//! What has come before: names of originals, remembered over restarts, and bytes that came a moment ago.
//!
//! Bounded: two generations of names, of which the older is forgotten when the younger is full. A name is noted after its
//! original waits on disk, so what is lost in between is reported twice rather than never.
//!
//! Names are of one length and each write names its place, behind what was written for sure: what a failed write left there is
//! written over by the next one, and shifts nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;

use cairn_core::Hash;
use cairn_log::{Disk, DiskFile};

use crate::Replay;

/// Names of one generation.
const GENERATION_MAX: usize = 100_000;
/// Bytes of a name that are remembered: of two million of them, no two meet.
const NAME_BYTES: usize = 16;
/// Bytes that came a moment ago.
const MOMENTS_MAX: usize = 4_096;

/// The younger generation, the older one, and what becomes the younger one.
const YOUNGER: &str = "seen";
const OLDER: &str = "seen.before";
const NEXT: &str = "seen.next";

type Name = [u8; NAME_BYTES];

/// What has come before.
pub struct Seen {
    disk: Arc<dyn Disk>,
    file: Arc<dyn DiskFile>,
    /// Bytes of whole names in the file.
    written: u64,
    /// Names that the disk did not take yet; they go with the next that it does.
    unwritten: Vec<Name>,
    names: BTreeSet<Name>,
    before: BTreeSet<Name>,
    moments: BTreeMap<Hash, u64>,
    generation_max: usize,
}

fn name(hash: &Hash) -> Name {
    *hash.0.first_chunk().expect("a hash has 32 bytes")
}

/// The names of a file, or none where there is none; a name that was cut off is none.
fn read(disk: &dyn Disk, file: &str) -> io::Result<BTreeSet<Name>> {
    let file = match disk.open(file) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeSet::new()),
        Err(error) => return Err(error),
    };
    let bytes = usize::try_from(file.size()?).unwrap_or(usize::MAX).min(2 * GENERATION_MAX * NAME_BYTES);
    let mut bytes = vec![0; bytes - bytes % NAME_BYTES];
    file.read_at(0, &mut bytes)?;
    Ok(bytes.as_chunks::<NAME_BYTES>().0.iter().copied().collect())
}

impl Seen {
    /// Reads what was seen before from a folder.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn open(disk: Arc<dyn Disk>) -> io::Result<Self> {
        Self::with_generations_of(disk, GENERATION_MAX)
    }

    fn with_generations_of(disk: Arc<dyn Disk>, generation_max: usize) -> io::Result<Self> {
        let (names, before) = (read(&*disk, YOUNGER)?, read(&*disk, OLDER)?);
        let file = match disk.open(YOUNGER) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => disk.create(YOUNGER)?,
            opened => opened?,
        };
        let bytes = file.size()?;
        let written = bytes - bytes % NAME_BYTES as u64;
        let (unwritten, moments) = (Vec::new(), BTreeMap::new());
        Ok(Self { disk, file, written, unwritten, names, before, moments, generation_max })
    }

    /// Whether it came before; `now_ms` is since the start of the process.
    #[must_use]
    pub fn has(&self, replay: &Replay, now_ms: u64) -> bool {
        match replay {
            Replay::Named(keys) => {
                keys.iter().map(name).any(|key| self.names.contains(&key) || self.before.contains(&key))
            }
            Replay::Within { key, .. } => self.moments.get(key).is_some_and(|until_ms| now_ms < *until_ms),
        }
    }

    /// Notes that it came.
    ///
    /// # Errors
    /// Those of the disk: it is known all the same, and written with what is noted next; a process that ends before forgets it.
    pub fn note(&mut self, replay: &Replay, now_ms: u64) -> io::Result<()> {
        match replay {
            Replay::Named(keys) => {
                let names = &mut self.names;
                self.unwritten.extend(keys.iter().map(name).filter(|key| names.insert(*key)));
                self.write()?;
                if self.names.len() >= self.generation_max { self.turn() } else { Ok(()) }
            }
            Replay::Within { key, ms } => {
                if self.moments.len() >= MOMENTS_MAX {
                    self.moments.retain(|_, until_ms| now_ms < *until_ms);
                }
                if self.moments.len() < MOMENTS_MAX {
                    self.moments.insert(*key, now_ms + ms);
                }
                Ok(())
            }
        }
    }

    fn write(&mut self) -> io::Result<()> {
        self.file.write_at(self.written, self.unwritten.as_flattened())?;
        self.written += (self.unwritten.len() * NAME_BYTES) as u64;
        self.unwritten.clear();
        Ok(())
    }

    /// The younger generation becomes the older, on disk first. What the disk refuses is tried again with the next name.
    fn turn(&mut self) -> io::Result<()> {
        let next = self.disk.create(NEXT)?;
        match self.disk.rename(YOUNGER, OLDER) {
            // An attempt before got this far.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            renamed => renamed?,
        }
        self.disk.rename(NEXT, YOUNGER)?;
        (self.file, self.written) = (next, 0);
        self.before = core::mem::take(&mut self.names);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use cairn_testkit::disk::{Faults, FaultyDisk};
    use proptest::prelude::*;

    use super::*;

    fn named(n: u64) -> Replay {
        Replay::Named(vec![Hash::of(&n.to_be_bytes()), Hash::of(&[n.to_be_bytes(), [9; 8]].concat())])
    }

    fn open(disk: &FaultyDisk) -> Seen {
        Seen::open(Arc::new(disk.clone())).unwrap()
    }

    fn known(seen: &Seen, upto: u64) -> Vec<u64> {
        (0..upto).filter(|&n| seen.has(&named(n), 0)).collect()
    }

    #[test]
    fn what_was_noted_is_known_after_a_restart_and_a_torn_name_costs_itself_alone() {
        let disk = FaultyDisk::new(1, Faults::default());
        let mut seen = open(&disk);
        assert!(!seen.has(&named(1), 0));
        (0..3).for_each(|n| seen.note(&named(n), 0).unwrap());
        disk.open(YOUNGER).unwrap().truncate(2 * 3 * 16 - 17).unwrap();
        let mut seen = open(&disk);
        assert_eq!(known(&seen, 3), [0, 1]);
        seen.note(&named(9), 0).unwrap();
        assert_eq!(known(&open(&disk), 10), [0, 1, 9]);
    }

    proptest! {
        /// A full disk takes the beginning of a write, and room comes back: nothing behind it is shifted, and all that was noted
        /// is known after a restart once something was written again.
        #[test]
        fn a_write_that_was_cut_short_shifts_nothing(seed in any::<u64>(), steps in proptest::collection::vec((any::<bool>(), 1..6u64), 1..12)) {
            let disk = FaultyDisk::new(seed, Faults::default());
            let (mut seen, mut noted) = (open(&disk), 0);
            for (is_full, names) in steps {
                if is_full { disk.fill() } else { disk.make_room() }
                for _ in 0..names {
                    prop_assert_eq!(seen.note(&named(noted), 0).is_err(), is_full);
                    noted += 1;
                    prop_assert_eq!(known(&seen, noted).len() as u64, noted);
                }
                // A start in between knows what was written, and nothing that was never noted.
                let again = open(&disk);
                prop_assert!(known(&again, noted).len() as u64 <= noted && again.names.is_subset(&seen.names));
            }
            disk.make_room();
            seen.note(&named(noted), 0).unwrap();
            prop_assert_eq!(known(&open(&disk), noted + 1), (0..=noted).collect::<Vec<_>>());
        }
    }

    #[test]
    fn memory_is_bounded_and_what_is_forgotten_is_the_oldest() {
        let disk = FaultyDisk::new(3, Faults::default());
        let open = || Seen::with_generations_of(Arc::new(disk.clone()), 20).unwrap();
        let mut seen = open();
        (0..35).for_each(|n| seen.note(&named(n), 0).unwrap());
        assert!(seen.names.len() + seen.before.len() <= 40);
        assert_eq!(known(&seen, 35), (20..35).collect::<Vec<_>>());
        assert_eq!(known(&open(), 35), (20..35).collect::<Vec<_>>());
    }

    #[test]
    fn bytes_without_a_name_are_the_same_for_a_moment() {
        let mut seen = open(&FaultyDisk::new(1, Faults::default()));
        let push = Replay::Within { key: Hash::of(b"push"), ms: 10 };
        seen.note(&push, 5).unwrap();
        assert_eq!([5, 14, 15].map(|now_ms| seen.has(&push, now_ms)), [true, true, false]);
    }
}

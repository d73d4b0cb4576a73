//! A folder of blobs, bounded: what was fetched or made lately, checked whenever it is read.
//!
//! It may be deleted at any time: what is in it is fetched, or made, again.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cairn_core::Hash;
use cairn_core::statement::Blob;
use cairn_log::{Disk, read_whole, replace_whole};

use crate::NodeError;

#[derive(Default)]
struct Held {
    /// Those used last are at the end.
    blobs: VecDeque<Blob>,
    bytes: u64,
}

impl Held {
    fn take(&mut self, hash: &Hash) -> Option<Blob> {
        let at = self.blobs.iter().position(|held| held.hash == *hash)?;
        let held = self.blobs.remove(at)?;
        self.bytes -= held.bytes;
        Some(held)
    }

    fn push(&mut self, blob: Blob) {
        self.bytes += blob.bytes;
        self.blobs.push_back(blob);
    }
}

/// A folder of blobs.
pub struct Cache {
    disk: Arc<dyn Disk>,
    bytes_max: u64,
    held: Mutex<Held>,
}

impl Cache {
    /// The blobs on a disk, of which at most so many bytes are kept. Files that are no blobs are removed.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn open(disk: Arc<dyn Disk>, bytes_max: u64) -> Result<Self, NodeError> {
        let mut held = Held::default();
        for name in disk.list()? {
            match Hash::from_hex(&name).filter(|hash| hash.to_hex() == name) {
                Some(hash) => held.push(Blob { hash, bytes: disk.open(&name)?.size()? }),
                None => disk.remove(&name)?,
            }
        }
        let cache = Self { disk, bytes_max, held: Mutex::default() };
        cache.make_room(&mut held, 0)?;
        *cache.held() = held;
        Ok(cache)
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn make_room(&self, held: &mut Held, bytes: u64) -> Result<(), NodeError> {
        while held.bytes.saturating_add(bytes) > self.bytes_max
            && let Some(oldest) = held.blobs.front().copied()
        {
            self.disk.remove(&oldest.hash.to_hex())?;
            held.take(&oldest.hash);
        }
        Ok(())
    }

    /// The bytes of a blob, if they are here and are what they should be.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn get(&self, blob: &Blob) -> Result<Option<Vec<u8>>, NodeError> {
        let mut held = self.held();
        let Some(found) = held.take(&blob.hash) else { return Ok(None) };
        let name = blob.hash.to_hex();
        let bytes = read_whole(&*self.disk, &name, found.bytes)?;
        match bytes {
            Some(bytes) if Hash::of(&bytes) == blob.hash && bytes.len() as u64 == blob.bytes => {
                held.push(*blob);
                Ok(Some(bytes))
            }
            Some(_) => {
                self.disk.remove(&name)?;
                Ok(None)
            }
            None => Ok(None),
        }
    }

    /// Keeps bytes for a while; those used least lately make room. What is larger than the folder may be is not kept.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn put(&self, bytes: &[u8]) -> Result<Blob, NodeError> {
        let blob = Blob { hash: Hash::of(bytes), bytes: bytes.len() as u64 };
        let mut held = self.held();
        if held.take(&blob.hash).is_none() {
            if blob.bytes > self.bytes_max {
                return Ok(blob);
            }
            self.make_room(&mut held, blob.bytes)?;
            replace_whole(&*self.disk, &blob.hash.to_hex(), bytes)?;
        }
        held.push(blob);
        Ok(blob)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cairn_testkit::disk::{Faults, FaultyDisk};

    fn over(disk: &FaultyDisk) -> Cache {
        Cache::open(Arc::new(disk.clone()), 100).unwrap()
    }

    fn total(disk: &FaultyDisk) -> usize {
        disk.files().iter().map(|(_, content)| content.len()).sum()
    }

    #[test]
    fn what_was_used_least_lately_makes_room_and_nothing_is_more_than_it_may_be() {
        let disk = FaultyDisk::new(1, Faults::default());
        let cache = over(&disk);
        let [first, second] = [[1; 40], [2; 40]].map(|bytes| cache.put(&bytes).unwrap());
        assert_eq!(cache.get(&first).unwrap(), Some(vec![1; 40]));
        let third = cache.put(&[3; 40]).unwrap();
        let here = |cache: &Cache, blob: &Blob| cache.get(blob).unwrap().is_some();
        assert_eq!([first, second, third].map(|blob| here(&cache, &blob)), [true, false, true]);
        let large = cache.put(&[4; 101]).unwrap();
        assert!(!here(&cache, &large) && here(&cache, &first));
        cache.put(&[1; 40]).unwrap();
        assert_eq!(total(&disk), 80);
        assert!(!here(&cache, &Blob { bytes: 41, ..first }), "another length is another blob");
        // After a start everything is as it was.
        assert!(here(&over(&disk), &third));
    }

    #[test]
    fn what_is_damaged_or_half_written_is_not_there() {
        let disk = FaultyDisk::new(1, Faults::default());
        let cache = over(&disk);
        for damage in 0..3 {
            let blob = cache.put(&[9; 50]).unwrap();
            assert!(match damage {
                0 => disk.flip(&blob.hash.to_hex(), 7, 1),
                1 => disk.cut(&blob.hash.to_hex(), 10),
                _ => disk.cut(&blob.hash.to_hex(), 0),
            });
            assert_eq!(cache.get(&blob).unwrap(), None, "{damage}");
            assert_eq!(cache.get(&blob).unwrap(), None, "{damage}");
        }
        for crash_at in 1..8 {
            let disk = FaultyDisk::new(crash_at, Faults { crash_at: Some(crash_at), ..Faults::default() });
            let kept = Cache::open(Arc::new(disk.clone()), 100).and_then(|cache| cache.put(&[9; 50]));
            disk.cut_power(Faults::default());
            let found = over(&disk).get(&Blob { hash: Hash::of(&[9; 50]), bytes: 50 }).unwrap();
            assert!(found.is_some() || kept.is_err(), "{crash_at}");
            assert!(found.is_none_or(|found| found == [9; 50]), "{crash_at}");
        }
    }
}

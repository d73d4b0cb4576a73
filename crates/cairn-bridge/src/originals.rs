//! Originals, by their SHA-256: what was translated, as it came, for whoever asks what a report was made of.
//!
//! Bounded in bytes; the oldest go first, also where the disk is full, and the hash in the report stays.

use std::collections::VecDeque;
use std::fs;
use std::io;
use std::path::Path;
use std::time::SystemTime;

use cairn_core::Hash;
use cairn_edge::reduce::{GivesUp, is_full};
use cairn_log::{Disk, StdDisk, replace_whole};

/// How the name of a file ends that was left in the middle of being written.
const UNFINISHED: &str = ".tmp";

/// A folder of originals.
#[derive(Debug)]
pub struct Originals {
    disk: StdDisk,
    /// The oldest first: name and bytes.
    kept: VecDeque<(String, u64)>,
    bytes: u64,
    bytes_max: u64,
    given_up: u64,
    /// Writes files; tests give it a disk that is full.
    write: fn(&StdDisk, &str, &[u8]) -> io::Result<()>,
}

fn write(disk: &StdDisk, name: &str, bytes: &[u8]) -> io::Result<()> {
    Ok(replace_whole(disk, name, bytes)?)
}

impl Originals {
    /// Opens a folder, and looks at what it holds. Nothing in it is changed before [`Originals::tidy`].
    ///
    /// # Errors
    /// Those of the disk.
    pub fn open(folder: &Path, bytes_max: u64) -> io::Result<Self> {
        let disk = StdDisk::create(folder)?;
        let mut found: Vec<(SystemTime, String, u64)> = Vec::new();
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let meta = entry.metadata()?;
            if name.len() == 64 && name.bytes().all(|byte| byte.is_ascii_hexdigit()) {
                found.push((meta.modified()?, name, meta.len()));
            }
        }
        found.sort();
        let bytes = found.iter().map(|(.., len)| len).sum();
        let kept = found.into_iter().map(|(_, name, len)| (name, len)).collect();
        Ok(Self { disk, kept, bytes, bytes_max, given_up: 0, write })
    }

    /// Removes what was not finished: only for who knows that nobody else writes here.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn tidy(&self) -> io::Result<()> {
        let names = self.disk.list()?;
        names.iter().filter(|name| name.ends_with(UNFINISHED)).try_for_each(|name| self.disk.remove(name))
    }

    /// Keeps an original, durably; what is kept already is not written again. On a disk that is full the oldest are given up for it.
    ///
    /// # Errors
    /// Those of the disk, where nothing is left to be given up: then nothing half-written stands under its name.
    pub fn keep(&mut self, hash: &Hash, bytes: &[u8]) -> io::Result<()> {
        let name = hash.to_hex();
        if self.disk.folder().join(&name).exists() {
            return Ok(());
        }
        let len = bytes.len() as u64;
        while self.bytes + len > self.bytes_max {
            if !self.remove_oldest()? {
                break;
            }
        }
        while let Err(error) = (self.write)(&self.disk, &name, bytes) {
            // What a full disk took of it is room for something else. A file that is not there is as good.
            let _ = self.disk.remove(&format!("{name}.tmp"));
            if !is_full(&error) || self.give_up(len)? == 0 {
                return Err(error);
            }
        }
        self.kept.push_back((name, len));
        self.bytes += len;
        Ok(())
    }

    fn remove_oldest(&mut self) -> io::Result<bool> {
        let Some((oldest, len)) = self.kept.front() else { return Ok(false) };
        match self.disk.remove(oldest) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => self.bytes -= len,
        }
        self.kept.pop_front();
        Ok(true)
    }

    /// How many were given up in this start because the disk was full.
    #[must_use]
    pub const fn given_up(&self) -> u64 {
        self.given_up
    }

    /// How many are kept, and their bytes.
    #[must_use]
    pub fn held(&self) -> (usize, u64) {
        (self.kept.len(), self.bytes)
    }
}

impl GivesUp for Originals {
    fn give_up(&mut self, bytes: u64) -> io::Result<u64> {
        let (floor, before) = (self.bytes.saturating_sub(bytes), self.kept.len());
        while self.bytes > floor && self.remove_oldest()? {}
        let gone = (before - self.kept.len()) as u64;
        self.given_up += gone;
        Ok(gone)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn on_a_full_disk_the_oldest_go_for_what_comes_until_none_is_left() {
        /// A disk on which three files of ten bytes have room.
        fn narrow(disk: &StdDisk, name: &str, bytes: &[u8]) -> io::Result<()> {
            let there = disk.list()?.iter().map(|name| disk.open(name)?.size()).sum::<io::Result<u64>>()?;
            if there + bytes.len() as u64 > 30 {
                Err(io::ErrorKind::StorageFull.into())
            } else {
                write(disk, name, bytes)
            }
        }
        let folder = tempfile::tempdir().unwrap();
        let mut originals = Originals { write: narrow, ..Originals::open(folder.path(), 1 << 20).unwrap() };
        for n in 0..5u8 {
            originals.keep(&Hash::of(&[n]), &[n; 10]).unwrap();
        }
        assert_eq!((originals.held(), originals.given_up()), ((3, 30), 2));
        originals.keep(&Hash::of(b"large"), &[9; 25]).unwrap();
        assert_eq!((originals.held(), originals.given_up()), ((1, 25), 5));
        let refused = originals.keep(&Hash::of(b"too large"), &[9; 31]).unwrap_err();
        assert_eq!((refused.kind(), originals.held(), originals.given_up()), (io::ErrorKind::StorageFull, (0, 0), 6));
        assert_eq!(originals.give_up(1).unwrap(), 0);
    }

    #[test]
    fn originals_are_kept_under_their_hash_and_the_oldest_go_first() {
        let folder = tempfile::tempdir().unwrap();
        let mut originals = Originals::open(folder.path(), 25).unwrap();
        let bodies: Vec<Vec<u8>> = (0..4u8).map(|n| vec![n; 10]).collect();
        for body in &bodies {
            originals.keep(&Hash::of(body), body).unwrap();
            originals.keep(&Hash::of(body), body).unwrap();
            assert!(originals.held().1 <= 25);
        }
        let there = |body: &Vec<u8>| fs::read(folder.path().join(Hash::of(body).to_hex())).ok();
        assert_eq!(
            bodies.iter().map(there).collect::<Vec<_>>(),
            [None, None, Some(bodies[2].clone()), Some(bodies[3].clone())]
        );
        let torn = folder.path().join(format!("{}.tmp", Hash::of(b"torn").to_hex()));
        fs::write(&torn, b"torn").unwrap();
        let again = Originals::open(folder.path(), 25).unwrap();
        assert_eq!(again.held(), (2, 20));
        assert!(torn.exists(), "another may be writing it");
        again.tidy().unwrap();
        assert!(!torn.exists());
    }
}

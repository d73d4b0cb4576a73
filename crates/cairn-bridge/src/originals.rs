//! Originals, by their SHA-256: what was translated, as it came, for whoever asks what a report was made of.
//!
//! Bounded in bytes; the oldest go first, and the hash in the report stays.

use std::collections::VecDeque;
use std::fs;
use std::io;
use std::path::Path;
use std::time::SystemTime;

use cairn_core::Hash;
use cairn_log::{StdDisk, replace_whole};

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
}

impl Originals {
    /// Opens a folder, and looks at what it holds.
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
            } else if name.ends_with(UNFINISHED) {
                fs::remove_file(entry.path())?;
            }
        }
        found.sort();
        let bytes = found.iter().map(|(.., len)| len).sum();
        let kept = found.into_iter().map(|(_, name, len)| (name, len)).collect();
        Ok(Self { disk, kept, bytes, bytes_max })
    }

    /// Keeps an original, durably; what is kept already is not written again.
    ///
    /// # Errors
    /// Those of the disk: then nothing half-written stands under its name.
    pub fn keep(&mut self, hash: &Hash, bytes: &[u8]) -> io::Result<()> {
        let name = hash.to_hex();
        if self.disk.folder().join(&name).exists() {
            return Ok(());
        }
        let len = bytes.len() as u64;
        while self.bytes + len > self.bytes_max {
            let Some((oldest, len)) = self.kept.pop_front() else { break };
            fs::remove_file(self.disk.folder().join(oldest)).or_else(|error| match error.kind() {
                io::ErrorKind::NotFound => Ok(()),
                _ => Err(error),
            })?;
            self.bytes -= len;
        }
        replace_whole(&self.disk, &name, bytes)?;
        self.kept.push_back((name, len));
        self.bytes += len;
        Ok(())
    }

    /// How many are kept, and their bytes.
    #[must_use]
    pub fn held(&self) -> (usize, u64) {
        (self.kept.len(), self.bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        assert!(!torn.exists());
    }
}

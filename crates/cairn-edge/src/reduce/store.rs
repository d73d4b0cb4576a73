//! Raw inputs on disk, by hash, for some days and within a size.
//!
//! What was kept before its report was queued is there after a crash, whole: it is written under another name, synced, and only
//! then called by its own. What is too old goes; when room is short, by the limits or on the disk, the oldest goes first.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cairn_core::Hash;
use cairn_log::{Disk, replace_whole};

use super::folders::{FILES_MAX, Folders, folder, is_folder, key, name};
use super::raw::RAW_BYTES_MAX;
use super::room::{GivesUp, is_full};

/// A file takes whole blocks of the disk; so many bytes in most file systems.
const BLOCK_BYTES: u64 = 4_096;
/// What the name ends with under which a file is written until it is whole.
const UNFINISHED: &str = ".tmp";
/// What stands for the folder itself among the folders in it.
const TOP: &str = "";

/// How long, and how much, raw inputs are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoreLimits {
    /// The age at which one goes, in ms.
    pub age_ms: u64,
    /// The most bytes of all together, each counted in whole blocks of 4,096.
    pub bytes: u64,
}

impl StoreLimits {
    /// So many MiB and days.
    #[must_use]
    pub const fn of(size_mib: u64, days: u64) -> Self {
        Self { age_ms: days.saturating_mul(86_400_000), bytes: size_mib.saturating_mul(1 << 20) }
    }
}

impl Default for StoreLimits {
    /// 256 MiB, 30 days.
    fn default() -> Self {
        Self::of(256, 30)
    }
}

/// The raw inputs of a device.
pub struct RawStore {
    folders: Arc<dyn Folders>,
    limits: StoreLimits,
    /// By time of keeping and hash.
    files: BTreeMap<(u64, Hash), File>,
    open: BTreeMap<Arc<str>, Open>,
    bytes: u64,
    given_up: u64,
}

struct File {
    /// In whole blocks.
    bytes: u64,
    folder: Arc<str>,
}

struct Open {
    disk: Arc<dyn Disk>,
    files: usize,
}

/// A store that several threads share: what measures, and what needs its room.
pub type SharedStore = Arc<Mutex<RawStore>>;

/// Locks a shared store; what a panic left of it is still whole.
pub(crate) fn lock(store: &SharedStore) -> MutexGuard<'_, RawStore> {
    store.lock().unwrap_or_else(PoisonError::into_inner)
}

impl RawStore {
    /// Opens what is kept; what was not finished goes.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn open(folders: Arc<dyn Folders>, limits: StoreLimits) -> io::Result<Self> {
        let (files, open) = (BTreeMap::new(), BTreeMap::new());
        let mut store = Self { folders, limits, files, open, bytes: 0, given_up: 0 };
        store.read(TOP, store.folders.top()?)?;
        for name in store.folders.list()?.into_iter().filter(|name| is_folder(name)) {
            store.read(&name, store.folders.open(&name)?)?;
        }
        Ok(store)
    }

    fn read(&mut self, folder: &str, disk: Arc<dyn Disk>) -> io::Result<()> {
        let folder: Arc<str> = folder.into();
        let mut files = 0;
        for name in disk.list()? {
            if name.ends_with(UNFINISHED) {
                disk.remove(&name)?;
            } else if let Some(key) = key(&name) {
                let bytes = blocks(disk.open(&name)?.size()?);
                self.bytes += bytes;
                self.files.insert(key, File { bytes, folder: folder.clone() });
                files += 1;
            }
        }
        self.open.insert(folder.clone(), Open { disk, files });
        self.leave_if_empty(&folder);
        Ok(())
    }

    /// Keeps a raw input, durable when this returns. `now_ms` is ms since 1970 UTC, or 0 where that is not known; such a file
    /// is taken for the oldest when room is short, and has no age. On a disk that is full the oldest are given up for it.
    ///
    /// # Errors
    /// Those of the disk, where nothing is left to be given up, and `InvalidInput` for one that is larger than any that is made, or
    /// than all the room there may be.
    pub fn keep(&mut self, raw: &[u8], now_ms: u64) -> io::Result<Hash> {
        let hash = Hash::of(raw);
        let bytes = blocks(raw.len() as u64);
        if raw.len() > RAW_BYTES_MAX || bytes > self.limits.bytes {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        if self.files.keys().any(|(_, own)| *own == hash) {
            return Ok(hash);
        }
        self.sweep(now_ms, bytes)?;
        loop {
            match self.write(raw, (now_ms, hash)) {
                Err(error) if is_full(&error) && self.give_up(bytes)? > 0 => {}
                Err(error) => return Err(error),
                Ok(folder) => {
                    self.files.insert((now_ms, hash), File { bytes, folder });
                    self.bytes += bytes;
                    return Ok(hash);
                }
            }
        }
    }

    /// Writes a file into a folder that has a place for it; answers which.
    fn write(&mut self, raw: &[u8], (now_ms, hash): (u64, Hash)) -> io::Result<Arc<str>> {
        let is_taken = |store: &Self, folder: &str| store.open.get(folder).is_some_and(|open| open.files >= FILES_MAX);
        let mut names = (0..).map(|further| folder(now_ms, further));
        let folder = names.find(|folder| !is_taken(self, folder)).unwrap_or_else(|| folder(now_ms, 0));
        let folder: Arc<str> = folder.into();
        if !self.open.contains_key(&folder) {
            self.open.insert(folder.clone(), Open { disk: self.folders.open(&folder)?, files: 0 });
        }
        let Some(open) = self.open.get_mut(&folder) else { return Err(io::ErrorKind::NotFound.into()) };
        let name = name(now_ms, hash);
        if let Err(error) = replace_whole(&*open.disk, &name, raw) {
            // What a full disk took of it is room for something else. A file that is not there is as good.
            let _ = open.disk.remove(&format!("{name}{UNFINISHED}"));
            return Err(error.into());
        }
        open.files += 1;
        Ok(folder)
    }

    /// Lets go what is too old at `now_ms`, and the oldest until there is room for `bytes` more within the limits.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn sweep(&mut self, now_ms: u64, bytes: u64) -> io::Result<()> {
        while let Some((&first, _)) = self.files.first_key_value() {
            // Those without an age stand first, and hide no other.
            let oldest = self.files.range((1, Hash([0; 32]))..).next().map(|(key, _)| *key);
            let is_crowded = self.bytes.saturating_add(bytes) > self.limits.bytes;
            let old = oldest.filter(|(ms, _)| ms.saturating_add(self.limits.age_ms) < now_ms);
            match old.or(is_crowded.then_some(first)) {
                Some(key) => self.remove(key)?,
                None => break,
            }
        }
        Ok(())
    }

    fn remove(&mut self, key: (u64, Hash)) -> io::Result<()> {
        let Some(File { bytes, folder }) = self.files.get(&key) else { return Ok(()) };
        let (bytes, folder) = (*bytes, folder.clone());
        if let Some(open) = self.open.get_mut(&folder) {
            match open.disk.remove(&name(key.0, key.1)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => open.files -= 1,
            }
        }
        self.files.remove(&key);
        self.bytes -= bytes;
        self.leave_if_empty(&folder);
        Ok(())
    }

    fn leave_if_empty(&mut self, folder: &str) {
        if folder != TOP && self.open.get(folder).is_some_and(|open| open.files == 0) {
            self.open.remove(folder);
            // One that stays is removed at the next start.
            let _ = self.folders.remove(folder);
        }
    }

    /// A raw input by its hash; `None` where it is not kept, or is not what it was.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn get(&self, hash: &Hash) -> io::Result<Option<Vec<u8>>> {
        let Some(((kept_ms, _), held)) = self.files.iter().find(|((_, own), _)| own == hash) else { return Ok(None) };
        let Some(open) = self.open.get(&held.folder) else { return Ok(None) };
        let file = open.disk.open(&name(*kept_ms, *hash))?;
        let size = usize::try_from(file.size()?).ok().filter(|size| *size <= RAW_BYTES_MAX);
        let Some(size) = size else { return Ok(None) };
        let mut bytes = vec![0; size];
        file.read_at(0, &mut bytes)?;
        Ok((Hash::of(&bytes) == *hash).then_some(bytes))
    }

    /// Every raw input that is kept, oldest first, as (ms when it was kept, hash).
    pub fn list(&self) -> impl Iterator<Item = (u64, Hash)> + '_ {
        self.files.keys().copied()
    }

    /// Bytes on disk, each file counted in whole blocks.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// How many were given up in this start because the disk was full.
    #[must_use]
    pub const fn given_up(&self) -> u64 {
        self.given_up
    }
}

impl GivesUp for RawStore {
    fn give_up(&mut self, bytes: u64) -> io::Result<u64> {
        let (floor, before) = (self.bytes.saturating_sub(bytes), self.files.len());
        while self.bytes > floor
            && let Some((&first, _)) = self.files.first_key_value()
        {
            self.remove(first)?;
        }
        let gone = (before - self.files.len()) as u64;
        self.given_up += gone;
        Ok(gone)
    }
}

/// What a file of this size takes.
const fn blocks(bytes: u64) -> u64 {
    bytes.saturating_add(BLOCK_BYTES - 1) / BLOCK_BYTES * BLOCK_BYTES
}

#[cfg(test)]
pub(crate) mod narrow;
#[cfg(test)]
mod tests;

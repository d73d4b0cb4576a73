//! The blobs on disk, one file each under its name, and what is known of them in memory.
//!
//! A blob is written beside its place, hashed as it comes, synced, and renamed into place once its hash is the one that it
//! is named by; then the folder is synced, and only then anybody is answered. Whatever crashes leaves files that have no
//! blob's name, which the next start removes, or a whole blob. What is read is hashed again.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use cairn_core::Hash;
use cairn_log::{Disk, DiskFile, StdDisk};
use sha2::{Digest, Sha256};

use super::sweep::{Fate, Wanted, sweep};
use super::{BlobError, BlobOptions};
use crate::shares::{Share, Shares};

/// What a blob counts as at least: its file and what is remembered of it take room, too.
const BLOB_BYTES_MIN: u64 = 4 << 10;
/// The end of the names of files that are no blobs yet.
const PART: &str = ".part";

/// Bytes free on the disk, where that can be told.
type Free = Box<dyn Fn() -> Option<u64> + Send + Sync>;

struct Held {
    bytes: u64,
    wanted: Wanted,
    /// Its share of what may be staged; none while a job needs it.
    staged: Option<Share>,
}

/// Counters since the start.
#[derive(Default)]
pub(crate) struct Counts {
    pub kept: AtomicU64,
    pub collected: AtomicU64,
}

/// The blobs of a network.
pub(crate) struct Blobs {
    disk: Arc<dyn Disk>,
    options: BlobOptions,
    free: Free,
    /// Held while names on the disk change, so that what is known is what is there.
    held: Mutex<BTreeMap<Hash, Held>>,
    staged: Arc<Shares>,
    parts: AtomicU64,
    pub counts: Counts,
}

impl Blobs {
    /// Those in the options' folder, which is made if it is not there. Everything is staged from now on.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn open(options: BlobOptions) -> io::Result<Self> {
        let disk = Arc::new(StdDisk::create(&options.folder)?);
        let folder = options.folder.clone();
        Self::over(disk, options, Box::new(move || fs4::available_space(&folder).ok()))
    }

    fn over(disk: Arc<dyn Disk>, options: BlobOptions, free: Free) -> io::Result<Self> {
        let staged = Shares::of(options.staged_bytes_max, options.staged_bytes_per_address_max);
        let mut held = BTreeMap::new();
        for name in disk.list()? {
            if let Some(hash) = name_of(&name) {
                let bytes = disk.open(&name)?.size()?;
                let wanted = Wanted { needed: false, at: Duration::ZERO };
                let staged = Some(staged.take_anyway(None, counted(bytes)));
                held.insert(hash, Held { bytes, wanted, staged });
            } else if name.ends_with(PART) {
                disk.remove(&name)?;
            }
        }
        let (held, parts) = (Mutex::new(held), AtomicU64::new(0));
        Ok(Self { disk, options, free, held, staged, parts, counts: Counts::default() })
    }

    /// The options.
    pub const fn options(&self) -> &BlobOptions {
        &self.options
    }

    fn held(&self) -> MutexGuard<'_, BTreeMap<Hash, Held>> {
        // It is changed in one step each time.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Bytes of a blob, if it is held.
    pub fn size(&self, hash: &Hash) -> Option<u64> {
        self.held().get(hash).map(|held| held.bytes)
    }

    /// As [`Blobs::size`]; and if it is staged, it is so from now on.
    pub fn want(&self, hash: &Hash, now: Duration) -> Option<u64> {
        self.held().get_mut(hash).map(|held| {
            held.wanted.at = held.wanted.at.max(now);
            held.bytes
        })
    }

    /// How many blobs, their bytes, and the bytes that are staged or on their way.
    pub fn totals(&self) -> (u64, u64, u64) {
        let held = self.held();
        (held.len() as u64, held.values().map(|held| held.bytes).sum(), self.staged.taken())
    }

    /// Begins to take a blob of `bytes` bytes, if that is known. What a job needs is taken outside all quotas.
    ///
    /// # Errors
    /// [`BlobError`]; [`BlobError::Quota`] before anything is written.
    pub fn begin(
        self: &Arc<Self>,
        hash: Hash,
        bytes: Option<u64>,
        limited: Option<IpAddr>,
        is_needed: bool,
        now: Duration,
    ) -> Result<Upload, BlobError> {
        self.fits(bytes.unwrap_or(0))?;
        let mut upload = Upload {
            blobs: self.clone(),
            named: hash,
            digest: Sha256::new(),
            bytes: 0,
            is_needed,
            staged: self.staged.none(limited),
            counted: 0,
            part: None,
        };
        // Of what is here already, only the bytes are compared.
        if self.want(&hash, now).is_none() {
            upload.count(counted(bytes.unwrap_or(0)))?;
            let name = format!("{}{PART}", self.parts.fetch_add(1, Ordering::Relaxed));
            let file = self.disk.create(&name).map_err(BlobError::io("begin"))?;
            upload.part = Some(Part { name, file });
        }
        Ok(upload)
    }

    fn fits(&self, bytes: u64) -> Result<(), BlobError> {
        let bytes_max = self.options.blob_bytes_max;
        if bytes > bytes_max {
            return Err(BlobError::TooLarge { bytes_max });
        }
        let needed = self.options.free_bytes_min.saturating_add(bytes);
        if (self.free)().is_some_and(|free| free < needed) {
            return Err(BlobError::NoRoom);
        }
        Ok(())
    }

    /// Reads a blob, and checks it.
    ///
    /// # Errors
    /// [`BlobError::Unknown`]; [`BlobError::Damaged`], after which it is gone and may come again; those of the disk.
    pub fn read(&self, hash: &Hash) -> Result<Vec<u8>, BlobError> {
        let bytes = self.size(hash).ok_or(BlobError::Unknown(*hash))?;
        let found = match self.read_file(hash, bytes) {
            Ok(content) if Hash::of(&content) == *hash => return Ok(content),
            // It was collected meanwhile.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(BlobError::Unknown(*hash)),
            Err(error) if error.kind() != io::ErrorKind::UnexpectedEof => return Err(BlobError::io("read")(error)),
            Ok(_) | Err(_) => BlobError::Damaged(*hash),
        };
        self.remove(&mut self.held(), hash)?;
        Err(found)
    }

    fn read_file(&self, hash: &Hash, bytes: u64) -> io::Result<Vec<u8>> {
        let file = self.disk.open(&hash.to_hex())?;
        let mut content = vec![0; usize::try_from(bytes).map_err(io::Error::other)?];
        file.read_at(0, &mut content)?;
        Ok(content)
    }

    fn remove(&self, held: &mut BTreeMap<Hash, Held>, hash: &Hash) -> Result<(), BlobError> {
        match self.disk.remove(&hash.to_hex()) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(BlobError::io("remove")(error)),
            Ok(()) | Err(_) => {}
        }
        held.remove(hash);
        Ok(())
    }

    /// Collects what no job needs and was staged long enough; `now` counts from the start.
    ///
    /// # Errors
    /// Those of the disk; what was not collected is next time.
    pub fn sweep(&self, needed: &BTreeSet<Hash>, now: Duration) -> Result<(), BlobError> {
        let mut held = self.held();
        let wanted = held.iter().map(|(hash, held)| (*hash, held.wanted)).collect();
        for (hash, fate) in sweep(&wanted, needed, now, self.options.keep) {
            if fate == Fate::Collected {
                self.remove(&mut held, &hash)?;
                self.counts.collected.fetch_add(1, Ordering::Relaxed);
                continue;
            }
            let Some(held) = held.get_mut(&hash) else { continue };
            match fate {
                Fate::Needed => {
                    held.wanted = Wanted { needed: true, at: now };
                    held.staged = None;
                }
                Fate::Released => {
                    held.wanted = Wanted { needed: false, at: now };
                    held.staged = Some(self.staged.take_anyway(None, counted(held.bytes)));
                }
                Fate::Staged | Fate::Collected => {}
            }
        }
        Ok(())
    }
}

/// What so many bytes count as.
fn counted(bytes: u64) -> u64 {
    bytes.max(BLOB_BYTES_MIN)
}

/// The blob that a file is by its name.
fn name_of(file: &str) -> Option<Hash> {
    Hash::from_hex(file).filter(|hash| hash.to_hex() == file)
}

struct Part {
    name: String,
    file: Arc<dyn DiskFile>,
}

/// A blob on its way. Dropped before its end, it leaves nothing.
pub(crate) struct Upload {
    blobs: Arc<Blobs>,
    named: Hash,
    digest: Sha256,
    bytes: u64,
    is_needed: bool,
    staged: Share,
    /// Bytes that `staged` counts.
    counted: u64,
    /// None where the blob is held already.
    part: Option<Part>,
}

impl Upload {
    fn count(&mut self, bytes: u64) -> Result<(), BlobError> {
        if self.is_needed || bytes <= self.counted {
            return Ok(());
        }
        self.staged.grow(bytes - self.counted).map_err(BlobError::Quota)?;
        self.counted = bytes;
        Ok(())
    }

    /// Takes a piece.
    ///
    /// # Errors
    /// [`BlobError`].
    pub fn write(&mut self, piece: &[u8]) -> Result<(), BlobError> {
        let bytes = self.bytes + piece.len() as u64;
        if bytes > self.blobs.options.blob_bytes_max {
            return Err(BlobError::TooLarge { bytes_max: self.blobs.options.blob_bytes_max });
        }
        self.digest.update(piece);
        if self.part.is_some() {
            self.count(bytes)?;
        }
        if let Some(part) = &self.part {
            part.file.write_at(self.bytes, piece).map_err(BlobError::io("write"))?;
        }
        self.bytes = bytes;
        Ok(())
    }

    /// Ends it; whether it was held before. It is durable then.
    ///
    /// # Errors
    /// [`BlobError::OtherHash`], or those of the disk; nothing is kept then.
    pub fn finish(mut self, now: Duration) -> Result<bool, BlobError> {
        let found = Hash(core::mem::take(&mut self.digest).finalize().into());
        if found != self.named {
            return Err(BlobError::OtherHash { named: self.named, found, bytes: self.bytes });
        }
        let blobs = self.blobs.clone();
        if let Some(part) = &self.part {
            part.file.sync().map_err(BlobError::io("sync"))?;
        }
        let mut held = blobs.held();
        if let Some(held) = held.get_mut(&self.named) {
            held.wanted.at = held.wanted.at.max(now);
            return Ok(true);
        }
        // It was there when this began, and was collected meanwhile.
        let Some(part) = self.part.take() else { return Err(BlobError::Unknown(self.named)) };
        let renamed = blobs.disk.rename(&part.name, &self.named.to_hex());
        if let Err(error) = renamed.and_then(|()| blobs.disk.sync_folder()) {
            // Neither name is known to be there; none may be left.
            for name in [part.name, self.named.to_hex()] {
                let _ = blobs.disk.remove(&name);
            }
            return Err(BlobError::io("keep")(error));
        }
        let staged = (!self.is_needed).then(|| core::mem::replace(&mut self.staged, blobs.staged.none(None)));
        let wanted = Wanted { needed: self.is_needed, at: now };
        held.insert(self.named, Held { bytes: self.bytes, wanted, staged });
        blobs.counts.kept.fetch_add(1, Ordering::Relaxed);
        Ok(false)
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        if let Some(part) = &self.part {
            // What stays is removed at the next start.
            let _ = self.blobs.disk.remove(&part.name);
        }
    }
}

#[cfg(test)]
mod tests;

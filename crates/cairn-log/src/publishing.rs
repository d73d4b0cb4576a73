//! How a checkpoint is published: what it covers is made durable, then the lock record is swapped.
//!
//! It touches nothing that appending needs, so that it can be done on another thread while the writer goes on: the files
//! are synced as they are by then, which is at least as far as the checkpoint, and the lock record is this thread's alone
//! until the writer was told of the end.

use std::sync::Arc;

use cairn_merkle::Checkpoint;

use crate::LogError;
use crate::disk::{Disk, DiskFile};
use crate::error::failed;
use crate::format::{BUNDLES, CHECKPOINT, COMMITS_COPY, UNFINISHED, level_name};
use crate::small::replace_whole;
use crate::store::{Published, Shared, read_small};

/// What [`crate::Log::begin_checkpoint`] began.
pub enum Begun {
    /// A checkpoint to publish.
    Pending(Box<PendingCheckpoint>),
    /// Nothing was appended since the last one, which is this.
    Published(String),
}

/// A checkpoint that is signed and not published.
pub struct PendingCheckpoint {
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) shared: Arc<Shared>,
    pub(crate) copy: Arc<dyn DiskFile>,
    pub(crate) levels: Vec<Arc<dyn DiskFile>>,
    pub(crate) bundles: Arc<dyn DiskFile>,
    pub(crate) expected: Option<Published>,
    pub(crate) next: Published,
}

impl PendingCheckpoint {
    /// What it says.
    #[must_use]
    pub const fn checkpoint(&self) -> &Checkpoint {
        &self.next.checkpoint
    }

    /// Makes durable what recovery trusts below a checkpoint (hashes, bundle places, the copy of the commit records), then
    /// swaps the lock record and shows the checkpoint to readers.
    ///
    /// # Errors
    /// [`LogError::LockRecord`] if somebody else changed the lock record, [`LogError::Full`] if the disk is full,
    /// [`LogError::Io`] if it failed. Whatever comes of it belongs to [`crate::Log::end_checkpoint`].
    pub fn publish(&self) -> Result<(), LogError> {
        self.copy.sync().map_err(failed("sync", COMMITS_COPY))?;
        for (level, file) in self.levels.iter().enumerate() {
            file.sync().map_err(failed("sync", &level_name(level)))?;
        }
        self.bundles.sync().map_err(failed("sync", BUNDLES))?;
        swap_lock_record(&*self.disk, &self.shared, self.expected.as_ref(), self.next.clone())
    }
}

/// Puts another checkpoint into the place of the one that is expected there.
pub fn swap_lock_record(
    disk: &dyn Disk,
    shared: &Shared,
    expected: Option<&Published>,
    next: Published,
) -> Result<(), LogError> {
    let found = read_small(disk, CHECKPOINT)?;
    if found.as_deref() != expected.map(|published| published.text.as_bytes()) {
        return Err(LogError::LockRecord);
    }
    if let Err(error) = replace_whole(disk, CHECKPOINT, next.text.as_bytes()) {
        // The room that it takes is the log's to give back; a start removes it too.
        let _ = disk.remove(&format!("{CHECKPOINT}{UNFINISHED}"));
        return Err(error.into());
    }
    shared.change(|view| view.published = Some(next));
    Ok(())
}

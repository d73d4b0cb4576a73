//! A disk that is not full as long as raw inputs lie on it.
//!
//! What waits to be sent, what was promised and how the node is are worth more than old raw inputs. Where something of that finds
//! the disk full, the oldest raw inputs are given up until it fits, or none is left.

use std::io;
use std::sync::Arc;

use cairn_log::{Disk, DiskFile, WriterLock};

use super::store::{SharedStore, is_full, lock};

/// What is given up at once: enough for a few of the small things that are written beside each other.
const ROOM_BYTES: u64 = 64 << 10;

/// A folder whose writes are given the room of raw inputs when there is no other.
#[derive(Clone)]
pub struct MakingRoom {
    disk: Arc<dyn Disk>,
    raw: SharedStore,
}

impl MakingRoom {
    /// The folder `disk`; `raw` lies in another one, on the same disk if this is to be of use.
    #[must_use]
    pub fn on(disk: Arc<dyn Disk>, raw: SharedStore) -> Self {
        Self { disk, raw }
    }
}

/// Does something that leaves nothing behind where the disk is full, again with more room.
fn with_room<T>(raw: &SharedStore, act: impl Fn() -> io::Result<T>) -> io::Result<T> {
    loop {
        match act() {
            Err(error) if is_full(&error) && lock(raw).give_up(ROOM_BYTES).is_ok_and(|gone| gone > 0) => {}
            done => return done,
        }
    }
}

impl Disk for MakingRoom {
    fn open(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        Ok(Arc::new(File { file: self.disk.open(name)?, raw: self.raw.clone() }))
    }

    fn create(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        let file = with_room(&self.raw, || self.disk.create(name))?;
        Ok(Arc::new(File { file, raw: self.raw.clone() }))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        with_room(&self.raw, || self.disk.rename(from, to))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.disk.remove(name)
    }

    fn list(&self) -> io::Result<Vec<String>> {
        self.disk.list()
    }

    fn sync_folder(&self) -> io::Result<()> {
        self.disk.sync_folder()
    }

    fn lock_writer(&self) -> io::Result<Box<dyn WriterLock>> {
        with_room(&self.raw, || self.disk.lock_writer())
    }
}

struct File {
    file: Arc<dyn DiskFile>,
    raw: SharedStore,
}

impl DiskFile for File {
    fn size(&self) -> io::Result<u64> {
        self.file.size()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.file.read_at(offset, buffer)
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        with_room(&self.raw, || self.file.write_at(offset, bytes))
    }

    fn reserve(&self, size: u64) -> io::Result<()> {
        self.file.reserve(size)
    }

    fn truncate(&self, size: u64) -> io::Result<()> {
        self.file.truncate(size)
    }

    /// Is not tried again: what a disk says it has no room for after it took it may be lost, and who wrote it has to know. But
    /// what he writes instead finds room.
    fn sync(&self) -> io::Result<()> {
        self.file.sync().inspect_err(|error| {
            if is_full(error) {
                let _ = lock(&self.raw).give_up(ROOM_BYTES);
            }
        })
    }
}

//! A disk that is not full as long as raw inputs, or originals, lie on it.
//!
//! What waits to be sent, what was promised and how the node is are worth more than old raw inputs. Where something of that finds
//! the disk full, the oldest raw inputs are given up until it fits, or none is left. The originals of a bridge are its raw inputs.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use cairn_log::{Disk, DiskFile, WriterLock};

/// What is given up at once: enough for a few of the small things that are written beside each other.
const ROOM_BYTES: u64 = 64 << 10;

/// When a full disk begins to cost something, and when that is over: when so many were kept without giving anything up, which is more
/// than have room in what is given up at once.
const QUIET: u32 = 64;

/// What is worth less than everything else that is written on its disk.
pub trait GivesUp: Send {
    /// Gives up the oldest, for so many bytes on a disk that is full; answers how many went, which is none where nothing is left.
    ///
    /// # Errors
    /// Those of the disk.
    fn give_up(&mut self, bytes: u64) -> io::Result<u64>;
}

/// Something of that, shared with who keeps it.
pub type Expendable = Arc<Mutex<dyn GivesUp>>;

/// Whether the disk has no more room.
#[must_use]
pub fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

/// Whether a full disk costs something, to be said once when that begins and once when it is over.
#[derive(Debug)]
pub struct Crowding {
    given_up: u64,
    /// How many were kept since something was given up, while that is not over.
    since: Option<u32>,
}

impl Crowding {
    /// Not crowded, after so many were given up.
    #[must_use]
    pub const fn behind(given_up: u64) -> Self {
        Self { given_up, since: None }
    }

    /// Something was kept, and so many were given up by then. Answers what is to be said: whether it is over.
    pub fn look(&mut self, given_up: u64) -> Option<bool> {
        let is_more = given_up > core::mem::replace(&mut self.given_up, given_up);
        let was_crowded = self.since.is_some();
        self.since = match self.since {
            _ if is_more => Some(0),
            since => since.map(|kept| kept + 1).filter(|kept| *kept < QUIET),
        };
        (was_crowded == self.since.is_none()).then_some(was_crowded)
    }
}

/// A folder whose writes are given the room of raw inputs when there is no other.
#[derive(Clone)]
pub struct MakingRoom {
    disk: Arc<dyn Disk>,
    raw: Expendable,
}

impl MakingRoom {
    /// The folder `disk`; `raw` lies in another one, on the same disk if this is to be of use.
    #[must_use]
    pub fn on(disk: Arc<dyn Disk>, raw: Expendable) -> Self {
        Self { disk, raw }
    }
}

/// Does something that leaves nothing behind where the disk is full, again with more room.
fn with_room<T>(raw: &Expendable, act: impl Fn() -> io::Result<T>) -> io::Result<T> {
    loop {
        match act() {
            Err(error) if is_full(&error) && give_up(raw).is_ok_and(|gone| gone > 0) => {}
            done => return done,
        }
    }
}

/// Gives up enough for a few small things; what a panic left is still whole.
fn give_up(raw: &Expendable) -> io::Result<u64> {
    raw.lock().unwrap_or_else(PoisonError::into_inner).give_up(ROOM_BYTES)
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
    raw: Expendable,
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
                let _ = give_up(&self.raw);
            }
        })
    }
}

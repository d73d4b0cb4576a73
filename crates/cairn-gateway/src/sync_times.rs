//! A disk that counts how long its syncs take.

use std::io;
use std::sync::Arc;
use std::time::Instant;

use cairn_log::{Disk, DiskFile, WriterLock};

use crate::Histogram;

/// Bounds for the time of a sync, microseconds.
const SYNC_US: [u64; 10] = [100, 250, 500, 1_000, 2_500, 5_000, 10_000, 50_000, 250_000, 1_000_000];

/// A histogram for the times of syncs, microseconds.
#[must_use]
pub fn sync_times_us() -> Arc<Histogram> {
    Arc::new(Histogram::up_to(&SYNC_US))
}

/// A disk that counts how long the syncs of its files take.
pub struct TimedDisk<D> {
    disk: D,
    syncs_us: Arc<Histogram>,
}

impl<D: Disk> TimedDisk<D> {
    /// The disk, counting into a histogram of [`sync_times_us`].
    pub fn over(disk: D, syncs_us: Arc<Histogram>) -> Self {
        Self { disk, syncs_us }
    }

    fn timed(&self, file: Arc<dyn DiskFile>) -> Arc<dyn DiskFile> {
        Arc::new(TimedFile { file, syncs_us: self.syncs_us.clone() })
    }
}

impl<D: Disk> Disk for TimedDisk<D> {
    fn open(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        self.disk.open(name).map(|file| self.timed(file))
    }

    fn create(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        self.disk.create(name).map(|file| self.timed(file))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.disk.rename(from, to)
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
        self.disk.lock_writer()
    }
}

struct TimedFile {
    file: Arc<dyn DiskFile>,
    syncs_us: Arc<Histogram>,
}

impl DiskFile for TimedFile {
    fn size(&self) -> io::Result<u64> {
        self.file.size()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.file.read_at(offset, buffer)
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.file.write_at(offset, bytes)
    }

    fn reserve(&self, size: u64) -> io::Result<()> {
        self.file.reserve(size)
    }

    fn truncate(&self, size: u64) -> io::Result<()> {
        self.file.truncate(size)
    }

    fn sync(&self) -> io::Result<()> {
        let start = Instant::now();
        let synced = self.file.sync();
        self.syncs_us.count(u64::try_from(start.elapsed().as_micros()).unwrap_or(u64::MAX));
        synced
    }
}

#[cfg(test)]
mod tests {
    use cairn_log::StdDisk;

    use super::*;

    #[test]
    fn every_sync_of_a_file_is_counted_and_nothing_else_is_changed() {
        let folder = tempfile::tempdir().unwrap();
        let syncs_us = sync_times_us();
        let disk = TimedDisk::over(StdDisk::create(folder.path()).unwrap(), syncs_us.clone());
        let file = disk.create("a").unwrap();
        file.write_at(0, b"abc").unwrap();
        file.sync().unwrap();
        disk.rename("a", "b").unwrap();
        disk.open("b").unwrap().sync().unwrap();
        assert_eq!((disk.list().unwrap(), syncs_us.read().2), (vec!["b".to_owned()], 2));
    }
}

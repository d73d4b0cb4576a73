//! A faulty disk with so much room and no more, and with folders in it, for tests.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use cairn_log::{Disk, DiskFile, WriterLock};
use cairn_testkit::disk::FaultyDisk;

use super::super::Folders;
use super::blocks;

/// A folder on a disk with so much room; clones and folders in it are on the same one.
#[derive(Clone)]
pub(crate) struct Narrow {
    pub disk: FaultyDisk,
    room: Arc<AtomicU64>,
    /// What every name in this folder begins with.
    prefix: String,
}

impl Narrow {
    /// All the room that there is.
    pub fn over(disk: &FaultyDisk) -> Self {
        Self { disk: disk.clone(), room: Arc::new(AtomicU64::new(u64::MAX)), prefix: String::new() }
    }

    pub fn folder(&self, name: &str) -> Self {
        Self { prefix: format!("{}{name}/", self.prefix), ..self.clone() }
    }

    /// What all files take.
    pub fn used(&self) -> u64 {
        self.disk.files().iter().map(|(_, bytes)| blocks(bytes.len() as u64)).sum()
    }

    /// Leaves room for so many bytes beside what is there.
    pub fn leave(&self, bytes: u64) {
        self.room.store(self.used().saturating_add(bytes), Ordering::SeqCst);
    }

    /// The names of files, from the top.
    pub fn names(&self) -> Vec<String> {
        self.disk.files().into_iter().map(|(name, _)| name).collect()
    }

    fn has_room(&self, bytes: u64) -> bool {
        let room = self.room.load(Ordering::SeqCst);
        room == u64::MAX || self.used().saturating_add(bytes) <= room
    }

    fn at(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    fn file(&self, file: Arc<dyn DiskFile>) -> Arc<dyn DiskFile> {
        Arc::new(File { on: self.clone(), file })
    }
}

impl Folders for Narrow {
    fn top(&self) -> io::Result<Arc<dyn Disk>> {
        Ok(Arc::new(self.clone()))
    }

    fn list(&self) -> io::Result<Vec<String>> {
        let names = self.disk.list()?;
        let within = names.iter().filter_map(|name| Some(name.strip_prefix(&self.prefix)?.split_once('/')?.0));
        let mut folders: Vec<String> = within.map(str::to_owned).collect();
        folders.dedup();
        Ok(folders)
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn Disk>> {
        Ok(Arc::new(self.folder(name)))
    }

    fn remove(&self, _: &str) -> io::Result<()> {
        Ok(())
    }
}

impl Disk for Narrow {
    fn open(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        Ok(self.file(self.disk.open(&self.at(name))?))
    }

    fn create(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        if !self.has_room(1) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        Ok(self.file(self.disk.create(&self.at(name))?))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.disk.rename(&self.at(from), &self.at(to))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.disk.remove(&self.at(name))
    }

    fn list(&self) -> io::Result<Vec<String>> {
        let within = |name: &String| Some(name.strip_prefix(&self.prefix)?.to_owned());
        Ok(self.disk.list()?.iter().filter_map(within).filter(|name| !name.contains('/')).collect())
    }

    fn sync_folder(&self) -> io::Result<()> {
        self.disk.sync_folder()
    }

    fn lock_writer(&self) -> io::Result<Box<dyn WriterLock>> {
        self.disk.lock_writer()
    }
}

struct File {
    on: Narrow,
    file: Arc<dyn DiskFile>,
}

impl DiskFile for File {
    fn size(&self) -> io::Result<u64> {
        self.file.size()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.file.read_at(offset, buffer)
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let size = self.file.size()?;
        let grows = blocks((offset + bytes.len() as u64).max(size)) - blocks(size);
        if grows > 0 && !self.on.has_room(grows) {
            // It takes what ends in the block that it has.
            let kept = usize::try_from(blocks(size).saturating_sub(offset)).map_or(0, |kept| kept.min(bytes.len()));
            self.file.write_at(offset, &bytes[..kept])?;
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.file.write_at(offset, bytes)
    }

    fn truncate(&self, size: u64) -> io::Result<()> {
        self.file.truncate(size)
    }

    fn sync(&self) -> io::Result<()> {
        self.file.sync()
    }
}

//! The few things that the log asks of a disk, so that tests can put a lying one in its place.
//!
//! The model is that of POSIX: a write is durable only after `sync` of its file returned; a new, renamed or removed name
//! only after `sync_folder` returned; a rename replaces atomically. After a failed sync nothing is known.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Held by the one writer of a folder; dropping it lets the next writer in.
pub trait WriterLock: Send + Sync {}

/// A flat folder of files.
pub trait Disk: Send + Sync {
    /// Opens a file for reading and writing.
    ///
    /// # Errors
    /// `NotFound` if there is none.
    fn open(&self, name: &str) -> io::Result<Arc<dyn DiskFile>>;

    /// Creates an empty file, in place of one that may exist.
    ///
    /// # Errors
    /// Those of the disk.
    fn create(&self, name: &str) -> io::Result<Arc<dyn DiskFile>>;

    /// Gives a file another name, in place of the file that may have it.
    ///
    /// # Errors
    /// Those of the disk.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;

    /// Removes a file.
    ///
    /// # Errors
    /// Those of the disk.
    fn remove(&self, name: &str) -> io::Result<()>;

    /// The names of all files, sorted.
    ///
    /// # Errors
    /// Those of the disk.
    fn list(&self) -> io::Result<Vec<String>>;

    /// Makes names durable.
    ///
    /// # Errors
    /// Those of the disk; which names are durable is then unknown.
    fn sync_folder(&self) -> io::Result<()>;

    /// Takes the writer's lock of the folder, without waiting.
    ///
    /// # Errors
    /// `WouldBlock` if another writer holds it.
    fn lock_writer(&self) -> io::Result<Box<dyn WriterLock>>;
}

/// An open file. Reads and writes name their place, so one file serves many threads.
pub trait DiskFile: Send + Sync {
    /// Bytes in the file.
    ///
    /// # Errors
    /// Those of the disk.
    fn size(&self) -> io::Result<u64>;

    /// Fills `buffer` from the bytes at `offset`.
    ///
    /// # Errors
    /// `UnexpectedEof` if the file ends before.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()>;

    /// Writes all of `bytes` at `offset`, growing the file as needed.
    ///
    /// # Errors
    /// Those of the disk; some of the bytes may then be written.
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()>;

    /// Makes the file at least `size` bytes long and takes the room for them; bytes never written read as zeros.
    ///
    /// # Errors
    /// Those of the disk; `Unsupported` if it cannot, as here. The file may then be longer than before.
    fn reserve(&self, _size: u64) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Cuts the file to `size` bytes.
    ///
    /// # Errors
    /// Those of the disk.
    fn truncate(&self, size: u64) -> io::Result<()>;

    /// Makes content and size durable.
    ///
    /// # Errors
    /// Those of the disk; which bytes are durable is then unknown.
    fn sync(&self) -> io::Result<()>;
}

/// A folder of a real file system.
#[derive(Debug, Clone)]
pub struct StdDisk {
    folder: PathBuf,
}

impl StdDisk {
    /// The folder at `path`, created with its parents if it does not exist.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn create(path: impl AsRef<Path>) -> io::Result<Self> {
        let folder = path.as_ref().to_path_buf();
        if !folder.is_dir() {
            fs::create_dir_all(&folder)?;
            let parent = folder.parent().filter(|parent| !parent.as_os_str().is_empty());
            File::open(parent.unwrap_or(Path::new(".")))?.sync_all()?;
        }
        Ok(Self { folder })
    }

    /// The folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }
}

struct StdFile(File);

struct FolderLock(#[expect(dead_code, reason = "the lock lasts as long as the file is open")] File);

impl WriterLock for FolderLock {}

impl Disk for StdDisk {
    fn open(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        let file = OpenOptions::new().read(true).write(true).open(self.folder.join(name))?;
        Ok(Arc::new(StdFile(file)))
    }

    fn create(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        let mut options = OpenOptions::new();
        let file = options.read(true).write(true).create(true).truncate(true).open(self.folder.join(name))?;
        Ok(Arc::new(StdFile(file)))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.folder.join(from), self.folder.join(to))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        fs::remove_file(self.folder.join(name))
    }

    fn list(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            if entry.file_type()?.is_file() {
                names.push(entry.file_name().to_string_lossy().into_owned());
            }
        }
        names.sort_unstable();
        Ok(names)
    }

    fn sync_folder(&self) -> io::Result<()> {
        File::open(&self.folder)?.sync_all()
    }

    fn lock_writer(&self) -> io::Result<Box<dyn WriterLock>> {
        let path = self.folder.join(crate::format::WRITER_LOCK);
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        match file.try_lock() {
            Ok(()) => Ok(Box::new(FolderLock(file))),
            Err(TryLockError::WouldBlock) => Err(io::ErrorKind::WouldBlock.into()),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }
}

impl DiskFile for StdFile {
    fn size(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.0.read_exact_at(buffer, offset)
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all_at(bytes, offset)
    }

    fn reserve(&self, size: u64) -> io::Result<()> {
        fs4::FileExt::allocate(&self.0, size)
    }

    fn truncate(&self, size: u64) -> io::Result<()> {
        self.0.set_len(size)
    }

    fn sync(&self) -> io::Result<()> {
        self.0.sync_data()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_has_one_writer_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let disk = StdDisk::create(folder.path().join("a/b")).unwrap();
        let held = disk.lock_writer().unwrap();
        let other = StdDisk::create(folder.path().join("a/b")).unwrap();
        assert_eq!(other.lock_writer().map(|_| ()).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        drop(held);
        other.lock_writer().unwrap();
    }

    #[test]
    fn files_read_back_what_was_written_at_its_place() {
        let folder = tempfile::tempdir().unwrap();
        let disk = StdDisk::create(folder.path()).unwrap();
        assert_eq!(disk.open("a").map(|_| ()).unwrap_err().kind(), io::ErrorKind::NotFound);
        let file = disk.create("a").unwrap();
        file.write_at(2, b"cairn").unwrap();
        file.truncate(6).unwrap();
        file.sync().unwrap();
        disk.rename("a", "b").unwrap();
        disk.sync_folder().unwrap();
        let mut bytes = [9; 6];
        disk.open("b").unwrap().read_at(0, &mut bytes).unwrap();
        assert_eq!(&bytes, b"\0\0cair");
        assert_eq!(file.read_at(1, &mut bytes).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
        assert_eq!(disk.list().unwrap(), ["b"]);
        disk.remove("b").unwrap();
        assert!(disk.list().unwrap().is_empty());
    }
}

//! Where an outbox keeps what it must not forget: files that are whole or as they were before, whatever crashes.

use std::fs::{File, TryLockError};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use crate::ChainError;

/// The most that is read of a file, in bytes: transactions are small, and a node takes none of a hundred kilobytes.
const FILE_BYTES_MAX: u64 = 64 << 20;

/// Keeps documents by name. A write is durable when it returns, and done or not done, nothing between, when it does not.
pub trait Store: Send {
    /// The document, if there is one.
    ///
    /// # Errors
    /// [`ChainError::File`]; so for all that follow.
    fn read(&self, name: &str) -> Result<Option<Vec<u8>>, ChainError>;

    /// Puts a document in the place of what was there.
    ///
    /// # Errors
    /// [`ChainError::File`].
    fn write(&self, name: &str, document: &[u8]) -> Result<(), ChainError>;

    /// Takes a document away, if there is one.
    ///
    /// # Errors
    /// [`ChainError::File`].
    fn remove(&self, name: &str) -> Result<(), ChainError>;
}

/// A folder that one process holds at a time.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    _lock: File,
}

fn failed(action: &'static str, path: &Path) -> impl Fn(std::io::Error) -> ChainError {
    move |error| ChainError::File { action, file: path.display().to_string(), what: error.to_string() }
}

impl Folder {
    /// Makes the folder if need be, and holds it until it is dropped or the process ends.
    ///
    /// # Errors
    /// [`ChainError::File`], also where another process holds it.
    pub fn open(path: &Path) -> Result<Self, ChainError> {
        std::fs::create_dir_all(path).map_err(failed("make", path))?;
        let name = path.join("lock");
        let lock =
            File::options().create(true).truncate(false).write(true).open(&name).map_err(failed("open", &name))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path: path.to_owned(), _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(ChainError::File {
                action: "hold",
                file: name.display().to_string(),
                what: "another process sends from this folder".to_owned(),
            }),
            Err(TryLockError::Error(error)) => Err(failed("hold", &name)(error)),
        }
    }

    /// Makes what was done to names in the folder durable.
    fn sync(&self) -> Result<(), ChainError> {
        let folder = File::open(&self.path).map_err(failed("open", &self.path))?;
        folder.sync_all().map_err(failed("sync", &self.path))
    }
}

impl Store for Folder {
    fn read(&self, name: &str) -> Result<Option<Vec<u8>>, ChainError> {
        let path = self.path.join(name);
        match std::fs::metadata(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed("read", &path)(error)),
            Ok(found) if found.len() > FILE_BYTES_MAX => {
                return Err(ChainError::Broken { file: path.display().to_string(), what: "it is too long".to_owned() });
            }
            Ok(_) => {}
        }
        std::fs::read(&path).map(Some).map_err(failed("read", &path))
    }

    fn write(&self, name: &str, document: &[u8]) -> Result<(), ChainError> {
        let (path, part) = (self.path.join(name), self.path.join(format!("{name}.tmp")));
        let mut file = File::create(&part).map_err(failed("write", &part))?;
        file.write_all(document).map_err(failed("write", &part))?;
        file.sync_all().map_err(failed("sync", &part))?;
        std::fs::rename(&part, &path).map_err(failed("rename", &part))?;
        self.sync()
    }

    fn remove(&self, name: &str) -> Result<(), ChainError> {
        let path = self.path.join(name);
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            Err(error) => Err(failed("remove", &path)(error)),
            Ok(()) => self.sync(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_keeps_whole_documents_for_one_process_at_a_time() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("a/b");
        let folder = Folder::open(&path).unwrap();
        assert_eq!(folder.read("x"), Ok(None));
        folder.remove("x").unwrap();
        folder.write("x", b"one").unwrap();
        folder.write("x", b"two").unwrap();
        assert_eq!(folder.read("x"), Ok(Some(b"two".to_vec())));
        let held = Folder::open(&path).unwrap_err();
        assert_eq!(held.code(), "STL-FILE");
        assert!(held.to_string().contains("another process"), "{held}");
        drop(folder);

        // What a crash left of a write is not what is read.
        std::fs::write(path.join("x.tmp"), b"thr").unwrap();
        let folder = Folder::open(&path).unwrap();
        assert_eq!(folder.read("x"), Ok(Some(b"two".to_vec())));
        folder.write("x", b"three").unwrap();
        folder.remove("x").unwrap();
        assert_eq!(folder.read("x"), Ok(None));
        let mut left: Vec<_> = std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left, ["lock"]);
    }
}

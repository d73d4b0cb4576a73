//! Small files: read whole within a bound, and replaced whole, durably.
//!
//! Whoever keeps a few bytes that must survive a crash keeps them so: the log's own records, a witness's, and others'.
//! Not for what grows.

use std::io;

use crate::LogError;
use crate::disk::Disk;
use crate::format::UNFINISHED;

/// Why a small file was not read or replaced.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The disk failed. After a failed replacement nobody knows what the file holds: the old content or the other, whole.
    #[error("cannot {action} `{file}`: {source}")]
    Io {
        /// What was tried.
        action: &'static str,
        /// The file, as named in its folder.
        file: String,
        /// What the disk said.
        source: io::Error,
    },
    /// The disk is full. The file holds what it held.
    #[error("the disk is full: cannot {action} `{file}`")]
    Full {
        /// What was tried.
        action: &'static str,
        /// The file, as named in its folder.
        file: String,
    },
    /// The file is longer than anything that was written into it; it was not read.
    #[error("`{file}` has {bytes} bytes; at most {bytes_max} are read")]
    TooLong {
        /// The file, as named in its folder.
        file: String,
        /// Its length.
        bytes: u64,
        /// The bound.
        bytes_max: u64,
    },
}

impl From<FileError> for LogError {
    fn from(error: FileError) -> Self {
        match error {
            FileError::Io { action, file, source } => Self::Io { action, file, source },
            FileError::Full { action, file } => Self::Full { action, file },
            FileError::TooLong { file, .. } => {
                Self::Damaged { file, offset: 0, entry: None, what: "it is far too long" }
            }
        }
    }
}

impl From<FileError> for io::Error {
    fn from(error: FileError) -> Self {
        let kind = match &error {
            FileError::Io { source, .. } => source.kind(),
            FileError::Full { .. } => io::ErrorKind::StorageFull,
            FileError::TooLong { .. } => io::ErrorKind::InvalidData,
        };
        Self::new(kind, error)
    }
}

fn failed(action: &'static str, file: &str) -> impl Fn(io::Error) -> FileError {
    move |source| FileError::Io { action, file: file.to_owned(), source }
}

/// For what needs room on the disk, before anything counted. Not for a sync: what a disk says it has no room for after it
/// took it may be lost already.
fn unwritten(action: &'static str, file: &str) -> impl Fn(io::Error) -> FileError {
    move |source| match source.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => FileError::Full { action, file: file.to_owned() },
        _ => FileError::Io { action, file: file.to_owned(), source },
    }
}

/// The whole content of a file of at most `bytes_max` bytes; `None` if there is no such file.
///
/// # Errors
/// [`FileError::Io`], [`FileError::TooLong`].
pub fn read_whole(disk: &dyn Disk, name: &str, bytes_max: u64) -> Result<Option<Vec<u8>>, FileError> {
    let file = match disk.open(name) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed("open", name)(error)),
    };
    let bytes = file.size().map_err(failed("read", name))?;
    if bytes > bytes_max {
        return Err(FileError::TooLong { file: name.to_owned(), bytes, bytes_max });
    }
    let length = usize::try_from(bytes).map_err(|error| failed("read", name)(io::Error::other(error)))?;
    let mut content = vec![0; length];
    file.read_at(0, &mut content).map_err(failed("read", name))?;
    Ok(Some(content))
}

/// Makes `name` hold exactly `bytes`, durably, or leaves what it held: another file is synced, then renamed into place.
///
/// # Errors
/// [`FileError::Full`], after which the file holds what it held for sure; [`FileError::Io`].
pub fn replace_whole(disk: &dyn Disk, name: &str, bytes: &[u8]) -> Result<(), FileError> {
    let unfinished = format!("{name}{UNFINISHED}");
    let file = disk.create(&unfinished).map_err(unwritten("create", &unfinished))?;
    file.write_at(0, bytes).map_err(unwritten("write", &unfinished))?;
    file.sync().map_err(failed("sync", &unfinished))?;
    disk.rename(&unfinished, name).map_err(failed("rename", &unfinished))?;
    disk.sync_folder().map_err(failed("sync the folder of", name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::StdDisk;

    #[test]
    fn a_small_file_is_replaced_whole_and_read_within_its_bound() {
        let folder = tempfile::tempdir().unwrap();
        let disk = StdDisk::create(folder.path()).unwrap();
        assert_eq!(read_whole(&disk, "a", 9).unwrap(), None);
        std::fs::write(folder.path().join("a.tmp"), "what a crash left").unwrap();
        for content in [&b"the first"[..], b"", b"second"] {
            replace_whole(&disk, "a", content).unwrap();
            assert_eq!(read_whole(&disk, "a", 9).unwrap().as_deref(), Some(content));
            assert_eq!(disk.list().unwrap(), ["a"]);
        }
        let refused = read_whole(&disk, "a", 5).unwrap_err();
        assert_eq!(refused.to_string(), "`a` has 6 bytes; at most 5 are read");
        assert_eq!(io::Error::from(refused).kind(), io::ErrorKind::InvalidData);
    }
}

//! The folders that raw inputs lie in: one for each day, and none with more files than a small file system takes.
//!
//! A directory of a FAT stick has 65,536 places, and names as long as these take eight each: all in one folder it would be full
//! after 8,191 files, which at one a minute is less than six days. So a folder takes [`FILES_MAX`], and a day that has more has
//! further folders. Earlier programs kept everything in the folder itself; what they left is found there until it ages out.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use cairn_core::Hash;
use cairn_log::{Disk, StdDisk};

use crate::map::format_time;

/// The most files of one folder.
pub(super) const FILES_MAX: usize = 4_096;
/// Where a file lies whose time of keeping was not known.
const UNDATED: &str = "undated";
/// How files are called: `raw-<ms when kept, 16 hex digits>-<hash>`.
const PREFIX: &str = "raw-";

/// A folder with flat folders in it.
pub trait Folders: Send + Sync {
    /// The folder itself.
    ///
    /// # Errors
    /// Those of the file system.
    fn top(&self) -> io::Result<Arc<dyn Disk>>;

    /// The names of the folders in it, in any order.
    ///
    /// # Errors
    /// Those of the file system.
    fn list(&self) -> io::Result<Vec<String>>;

    /// A folder in it, made durably if it is not there.
    ///
    /// # Errors
    /// Those of the file system.
    fn open(&self, name: &str) -> io::Result<Arc<dyn Disk>>;

    /// Removes an empty folder in it.
    ///
    /// # Errors
    /// Those of the file system.
    fn remove(&self, name: &str) -> io::Result<()>;
}

/// A folder of a real file system.
#[derive(Debug, Clone)]
pub struct StdFolders(PathBuf);

impl StdFolders {
    /// The folder at this path.
    #[must_use]
    pub fn at(path: &Path) -> Self {
        Self(path.to_owned())
    }
}

impl Folders for StdFolders {
    fn top(&self) -> io::Result<Arc<dyn Disk>> {
        Ok(Arc::new(StdDisk::create(&self.0)?))
    }

    fn list(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.0)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                names.push(entry.file_name().to_string_lossy().into_owned());
            }
        }
        Ok(names)
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn Disk>> {
        Ok(Arc::new(StdDisk::create(self.0.join(name))?))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        fs::remove_dir(self.0.join(name))
    }
}

/// The folder of what is kept at a time (ms since 1970 UTC, 0 where it is not known); the `further` ones of a day follow the first.
pub(super) fn folder(kept_ms: u64, further: usize) -> String {
    let day = if kept_ms == 0 { UNDATED.to_owned() } else { format_time(kept_ms).chars().take(10).collect() };
    if further == 0 { day } else { format!("{day}.{further}") }
}

/// Whether a folder of this name is one of those.
pub(super) fn is_folder(name: &str) -> bool {
    let (day, further) = name.split_once('.').map_or((name, None), |(day, further)| (day, Some(further)));
    let is_date = || {
        let like = |(at, byte): (usize, u8)| if at == 4 || at == 7 { byte == b'-' } else { byte.is_ascii_digit() };
        day.len() == 10 && day.bytes().enumerate().all(like)
    };
    further.is_none_or(|further| further.parse::<usize>().is_ok()) && (day == UNDATED || is_date())
}

/// What a file is called.
pub(super) fn name(kept_ms: u64, hash: Hash) -> String {
    format!("{PREFIX}{kept_ms:016x}-{hash}")
}

/// When a file of this name was kept, and what its content hashes to; `None` for another name.
pub(super) fn key(name: &str) -> Option<(u64, Hash)> {
    let (kept, hash) = name.strip_prefix(PREFIX)?.split_once('-')?;
    let key = (u64::from_str_radix(kept, 16).ok()?, Hash::from_hex(hash)?);
    (self::name(key.0, key.1) == name).then_some(key)
}

/// Every raw input in the folder at a path, by when it was kept, as (ms when it was kept, hash, path). A node may be writing
/// there: nothing is opened, and what goes meanwhile is passed over.
///
/// # Errors
/// Those of the file system; none for a folder that is not there.
pub fn raw_files(root: &Path) -> io::Result<Vec<(u64, Hash, PathBuf)>> {
    let mut files = Vec::new();
    let mut read = |folder: &Path| -> io::Result<Vec<String>> {
        let mut folders = Vec::new();
        let entries = match fs::read_dir(folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(folders),
            entries => entries?,
        };
        for entry in entries {
            let Some(name) = entry?.file_name().to_str().map(str::to_owned) else { continue };
            match key(&name) {
                Some((kept_ms, hash)) => files.push((kept_ms, hash, folder.join(name))),
                None if is_folder(&name) => folders.push(name),
                None => {}
            }
        }
        Ok(folders)
    };
    for name in read(root)? {
        read(&root.join(name))?;
    }
    files.sort_unstable();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_named_by_its_day_and_known_by_its_name() {
        for (kept_ms, further, expected) in [
            (0, 0, "undated"),
            (0, 2, "undated.2"),
            (1, 0, "1970-01-01"),
            (1_795_305_599_999, 0, "2026-11-21"),
            (1_795_305_600_000, 17, "2026-11-22.17"),
        ] {
            assert_eq!(folder(kept_ms, further), expected);
            assert!(is_folder(expected));
        }
        for other in ["", "raw", "2026-11-2", "2026-11-222", "2026-11x22", "2026-11-22.", "2026-11-22.x", "lost+found"]
        {
            assert!(!is_folder(other), "{other}");
        }
    }

    #[test]
    fn what_lies_in_any_of_the_folders_is_found_and_nothing_else() {
        let root = tempfile::tempdir().unwrap();
        assert!(raw_files(&root.path().join("none")).unwrap().is_empty());
        let folders = StdFolders::at(root.path());
        let (flat, day) = (name(3, Hash([3; 32])), name(1, Hash([1; 32])));
        fs::write(root.path().join(&flat), "flat").unwrap();
        folders.open("2026-11-22").unwrap();
        folders.open("other").unwrap();
        for path in [format!("2026-11-22/{day}"), format!("2026-11-22/{day}.tmp"), format!("other/{day}")] {
            fs::write(root.path().join(path), "day").unwrap();
        }
        let found = raw_files(root.path()).unwrap();
        let day = root.path().join("2026-11-22").join(day);
        assert_eq!(found, [(1, Hash([1; 32]), day), (3, Hash([3; 32]), root.path().join(flat))]);
        assert!(folders.remove("2026-11-22").is_err(), "it is not empty");
        assert_eq!(folders.top().unwrap().list().unwrap().len(), 1);
    }
}

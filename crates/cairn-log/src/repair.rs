//! Repairing a log: everything that follows from the entries and from the second copy of the commit records is made
//! again. Entries that are damaged are not repaired: nothing else holds them, and then nothing that tells which ones they
//! are is touched.

use std::sync::Arc;

use crate::check::check_entries;
use crate::commits::{CommitFiles, CommitTail, copy_records, read_commit_tail, read_or_mend, read_record};
use crate::disk::{Disk, DiskFile};
use crate::error::{failed, unwritten};
use crate::format::{BUNDLES, COMMITS, COMMITS_COPY, Commit, WRITER_LOCK, is_derived};
use crate::recovery::{check_format, open_commits};
use crate::{Checked, Log, LogError, LogOptions, check};

/// What was repaired.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Repaired {
    /// Commit records that were broken or missing.
    pub commits: u64,
    /// Records of the copy that were broken, missing or other ones.
    pub copied: u64,
    /// Entries that were hashed again.
    pub rehashed: u64,
    /// The log as it is now, checked from its first byte to its last.
    pub checked: Checked,
}

/// Makes again what can be computed, and checks the whole log. A crash in the midst of it leaves a log that opens.
///
/// # Errors
/// [`LogError::Locked`] while the log is written; otherwise what [`check`] finds that cannot be repaired.
pub fn repair(disk: Arc<dyn Disk>) -> Result<Repaired, LogError> {
    let lock = disk.lock_writer().map_err(|error| match error.kind() {
        std::io::ErrorKind::WouldBlock => LogError::Locked,
        _ => failed("lock", WRITER_LOCK)(error),
    })?;
    check_format(&*disk)?;
    let (commits, copied) = mend_commits(&*disk)?;
    if let Err(error) = check_entries(&*disk) {
        // The hashes may be all that tells which entry it is.
        return Err(check(&*disk).err().unwrap_or(error));
    }
    for name in disk.list().map_err(failed("list", "."))? {
        if is_derived(&name) && name != COMMITS_COPY || name == BUNDLES {
            disk.remove(&name).map_err(failed("remove", &name))?;
        }
    }
    disk.sync_folder().map_err(failed("sync the folder of", BUNDLES))?;
    drop(lock);
    let (log, recovery) = Log::open(disk.clone(), LogOptions::default())?;
    drop(log);
    Ok(Repaired { commits, copied, rehashed: recovery.rehashed, checked: check(&*disk)? })
}

/// Makes both files of commit records whole; how many of each were not.
fn mend_commits(disk: &dyn Disk) -> Result<(u64, u64), LogError> {
    let CommitFiles { commits, copy } = open_commits(disk)?;
    let tail = read_commit_tail(&*commits, copy.as_deref())?;
    let mended = mend_records(&*commits, copy.as_deref(), &tail)?;
    let copy = match copy {
        Some(copy) => copy,
        None => disk.create(COMMITS_COPY).map_err(unwritten("create", COMMITS_COPY))?,
    };
    let mut copied = 0;
    for number in 0..tail.count {
        let same = read_record(&*commits, COMMITS, number)? == read_record(&*copy, COMMITS_COPY, number)?;
        copied += u64::from(!same);
    }
    copy_records(&*commits, &*copy, 0..tail.count)?;
    copy.truncate(tail.count * Commit::BYTES as u64).map_err(failed("truncate", COMMITS_COPY))?;
    copy.sync().map_err(failed("sync", COMMITS_COPY))?;
    Ok((mended, copied))
}

fn mend_records(commits: &dyn DiskFile, copy: Option<&dyn DiskFile>, tail: &CommitTail) -> Result<u64, LogError> {
    let mut mended = 0;
    for number in 0..tail.count {
        match read_or_mend(commits, copy, number)? {
            Some((_, false)) => {}
            Some((commit, true)) => {
                let offset = number * Commit::BYTES as u64;
                commits.write_at(offset, &commit.encode()).map_err(unwritten("write", COMMITS))?;
                mended += 1;
            }
            None => return Err(crate::commits::no_second(number)),
        }
    }
    commits.sync().map_err(failed("sync", COMMITS))?;
    Ok(mended)
}

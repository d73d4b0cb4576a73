//! The commit records, and their copy.
//!
//! A record says which entries count, so one that is lost takes promises with it. Therefore every record stands twice: in
//! `commits`, which is synced before anybody is answered, and in `commits-copy`, which is written right after and synced
//! with each checkpoint. A record that is broken in the one is taken from the other, or mended if a single bit of it
//! flipped, which its CRC tells for certain.
//!
//! Only the last record can be torn by a crash, because each is synced before the next is written. Any other broken
//! record of which there is no second is damage.

use std::sync::Arc;

use crate::LogError;
use crate::disk::{Disk, DiskFile};
use crate::error::{failed, unwritten};
use crate::format::{COMMITS, COMMITS_COPY, Commit, NO_SECOND};
use crate::reserve::{Reserved, written_bytes};

const RECORD_BYTES: u64 = Commit::BYTES as u64;

/// Records are copied in pieces of this many.
const COPY_RECORDS: u64 = 1024;

/// The files of commit records, open.
pub struct CommitFiles {
    /// `commits`.
    pub commits: Arc<dyn DiskFile>,
    /// `commits-copy`; a log of the first release has none.
    pub copy: Option<Arc<dyn DiskFile>>,
}

/// The end of the commit records.
#[derive(Debug)]
pub struct CommitTail {
    /// Records that count.
    pub count: u64,
    /// The last of them.
    pub last: Option<Commit>,
    /// The one before.
    pub previous: Option<Commit>,
    /// Bytes after them: a record torn by a crash.
    pub torn_bytes: u64,
    /// Records that are broken or missing in `commits` and known nevertheless, the last one first.
    pub mended: Vec<(u64, Commit)>,
}

impl CommitTail {
    /// Where the last record stands.
    pub fn last_offset(&self) -> u64 {
        self.count.saturating_sub(1) * RECORD_BYTES
    }
}

/// Reads record `number`; `None` if the file ends before it ends, or it is broken.
pub fn read_record(file: &dyn DiskFile, name: &str, number: u64) -> Result<Option<Commit>, LogError> {
    Ok(read_bytes(file, name, number)?.as_ref().and_then(Commit::decode))
}

fn read_bytes(file: &dyn DiskFile, name: &str, number: u64) -> Result<Option<[u8; Commit::BYTES]>, LogError> {
    let size = file.size().map_err(failed("read", name))?;
    if size / RECORD_BYTES <= number {
        return Ok(None);
    }
    let mut record = [0; Commit::BYTES];
    file.read_at(number * RECORD_BYTES, &mut record).map_err(failed("read", name))?;
    Ok(Some(record))
}

/// Record `number`, and whether it had to be mended: from its copy, or by turning one bit.
pub fn read_or_mend(
    commits: &dyn DiskFile,
    copy: Option<&dyn DiskFile>,
    number: u64,
) -> Result<Option<(Commit, bool)>, LogError> {
    let bytes = read_bytes(commits, COMMITS, number)?;
    if let Some(commit) = bytes.as_ref().and_then(Commit::decode) {
        return Ok(Some((commit, false)));
    }
    if let Some(copy) = copy
        && let Some(commit) = read_record(copy, COMMITS_COPY, number)?
    {
        return Ok(Some((commit, true)));
    }
    Ok(bytes.as_ref().and_then(Commit::mend).map(|commit| (commit, true)))
}

/// A record is broken and nothing tells what it said.
pub fn no_second(number: u64) -> LogError {
    LogError::Damaged { file: COMMITS.to_owned(), offset: number * RECORD_BYTES, entry: None, what: NO_SECOND }
}

/// Finds the last record that counts; more than one broken record without a second is damage. Changes nothing.
pub fn read_commit_tail(commits: &dyn DiskFile, copy: Option<&dyn DiskFile>) -> Result<CommitTail, LogError> {
    let bytes = written_bytes(commits, COMMITS, 0)?;
    let slots = bytes.div_ceil(RECORD_BYTES);
    let copied = copy.map_or(Ok(0), |copy| copy.size().map_err(failed("read", COMMITS_COPY)))? / RECORD_BYTES;
    let (mut count, mut torn) = (slots.max(copied), 0);
    let mut mended = Vec::new();
    let mut last = None;
    while count > 0 {
        if let Some((commit, was_broken)) = read_or_mend(commits, copy, count - 1)? {
            if was_broken {
                mended.push((count - 1, commit));
            }
            last = Some(commit);
            break;
        }
        torn += u64::from(count <= slots && !is_blank(commits, count - 1)?);
        if torn > 1 {
            return Err(no_second(count - 1));
        }
        count -= 1;
    }
    let mut previous = None;
    for number in (0..count.saturating_sub(1)).rev() {
        let (commit, was_broken) = read_or_mend(commits, copy, number)?.ok_or_else(|| no_second(number))?;
        previous = previous.or(Some(commit));
        if !was_broken {
            break;
        }
        mended.push((number, commit));
    }
    Ok(CommitTail { count, last, previous, torn_bytes: bytes.saturating_sub(count * RECORD_BYTES), mended })
}

/// Whether nothing was ever written where record `number` would stand.
fn is_blank(commits: &dyn DiskFile, number: u64) -> Result<bool, LogError> {
    Ok(read_bytes(commits, COMMITS, number)?.is_some_and(|record| record == [0; Commit::BYTES]))
}

/// Puts the records in order: what was mended is written, what is torn is cut off. The last one is always written again:
/// it may stand in the page cache alone, if the sync after it failed or never came, and the log is about to build on it.
pub fn settle_commits(commits: &dyn DiskFile, tail: &CommitTail) -> Result<(), LogError> {
    let last = tail.last.map(|last| (tail.count - 1, last));
    for (number, commit) in tail.mended.iter().copied().chain(last) {
        commits.write_at(number * RECORD_BYTES, &commit.encode()).map_err(unwritten("write", COMMITS))?;
    }
    if commits.size().map_err(failed("read", COMMITS))? > tail.count * RECORD_BYTES {
        commits.truncate(tail.count * RECORD_BYTES).map_err(failed("truncate", COMMITS))?;
    }
    commits.sync().map_err(failed("sync", COMMITS))
}

/// Brings the copy up to the records. Those after the checkpoint may be missing or torn in it, since it is synced with
/// checkpoints only; those before are left as they are.
pub fn settle_copy(
    commits: &dyn DiskFile,
    copy: &dyn DiskFile,
    count: u64,
    checkpoint_size: u64,
) -> Result<(), LogError> {
    let mut from = count;
    while from > 0 && read_record(commits, COMMITS, from - 1)?.is_none_or(|commit| commit.size > checkpoint_size) {
        from -= 1;
    }
    let from = from.min(copy.size().map_err(failed("read", COMMITS_COPY))? / RECORD_BYTES);
    copy_records(commits, copy, from..count)?;
    copy.truncate(count * RECORD_BYTES).map_err(failed("truncate", COMMITS_COPY))
}

/// Copies records; the file that they go to may hold others in their place.
pub fn copy_records(from: &dyn DiskFile, to: &dyn DiskFile, numbers: core::ops::Range<u64>) -> Result<(), LogError> {
    let mut number = numbers.start;
    while number < numbers.end {
        let records = (numbers.end - number).min(COPY_RECORDS);
        let mut piece = vec![0; usize::try_from(records * RECORD_BYTES).expect("a piece of records is small")];
        from.read_at(number * RECORD_BYTES, &mut piece).map_err(failed("read", COMMITS))?;
        to.write_at(number * RECORD_BYTES, &piece).map_err(unwritten("write", COMMITS_COPY))?;
        number += records;
    }
    Ok(())
}

/// Opens the copy beside commit records that are settled, or makes one for a log that has none.
pub fn open_copy(
    disk: &dyn Disk,
    copy: Option<Arc<dyn DiskFile>>,
    commits: &dyn DiskFile,
    count: u64,
    checkpoint_size: u64,
) -> Result<Arc<dyn DiskFile>, LogError> {
    let copy = match copy {
        Some(copy) => copy,
        None => disk.create(COMMITS_COPY).map_err(unwritten("create", COMMITS_COPY))?,
    };
    settle_copy(commits, &*copy, count, checkpoint_size)?;
    Ok(copy)
}

/// The two files, as the writer uses them.
pub struct CommitWriter {
    commits: Arc<dyn DiskFile>,
    copy: Arc<dyn DiskFile>,
    count: u64,
    reserved: Reserved,
    /// The last records, as far as they are not in the copy yet.
    uncopied: Vec<u8>,
}

impl CommitWriter {
    /// Writes on after `count` records, which stand in both files, and reserves room in steps of `step` bytes.
    pub fn after(commits: Arc<dyn DiskFile>, copy: Arc<dyn DiskFile>, count: u64, step: u64) -> Self {
        Self { commits, copy, count, reserved: Reserved::from(count * RECORD_BYTES, step), uncopied: Vec::new() }
    }

    /// Gives back the room that is reserved beyond the last record.
    pub fn cut(&mut self) -> Result<(), LogError> {
        let end = self.count * RECORD_BYTES;
        if self.reserved.is_beyond(end) {
            self.commits.truncate(end).map_err(failed("truncate", COMMITS))?;
            self.reserved.cut(end);
        }
        Ok(())
    }

    /// Makes a record durable. If that fails the record may be there or not; see [`CommitWriter::undo`].
    pub fn append(&mut self, commit: &Commit) -> Result<(), LogError> {
        let record = commit.encode();
        let start = self.count * RECORD_BYTES;
        self.reserved.cover(&*self.commits, COMMITS, start, start + RECORD_BYTES)?;
        self.commits.write_at(start, &record).map_err(unwritten("write", COMMITS))?;
        self.commits.sync().map_err(failed("sync", COMMITS))?;
        self.count += 1;
        self.uncopied.extend_from_slice(&record);
        Ok(())
    }

    /// Takes back a record that could not be written whole.
    pub fn undo(&mut self) -> Result<(), LogError> {
        self.commits.truncate(self.count * RECORD_BYTES).map_err(failed("truncate", COMMITS))?;
        self.reserved.cut(self.count * RECORD_BYTES);
        self.commits.sync().map_err(failed("sync", COMMITS))
    }

    /// Writes to the copy what is not in it yet; on a full disk that waits for another time.
    pub fn copy(&mut self) -> Result<(), LogError> {
        let copied = self.count - self.uncopied.len() as u64 / RECORD_BYTES;
        match self.copy.write_at(copied * RECORD_BYTES, &self.uncopied).map_err(unwritten("write", COMMITS_COPY)) {
            Ok(()) => self.uncopied.clear(),
            Err(LogError::Full { .. }) => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// The copy, with all records that it takes now; the caller makes it durable.
    pub fn copied(&mut self) -> Result<Arc<dyn DiskFile>, LogError> {
        self.copy()?;
        Ok(self.copy.clone())
    }
}

#[cfg(test)]
mod tests {
    use cairn_merkle::tree::EMPTY_ROOT;

    use super::*;
    use crate::StdDisk;

    fn commit(size: u64) -> Commit {
        Commit { size, segment: 0, end: size, batch_crc: 0, root: EMPTY_ROOT }
    }

    fn records() -> Vec<u8> {
        (1..=3).flat_map(|size| commit(size).encode()).collect()
    }

    /// `bytes` with two bits of a record turned, which nothing can mend.
    fn broken(record: usize, bytes: &[u8]) -> Vec<u8> {
        let mut bytes = bytes.to_vec();
        bytes[record * 64 + 5] ^= 3;
        bytes
    }

    /// Count, torn bytes and mended records; or the code.
    fn tail(commits: &[u8], copy: Option<&[u8]>) -> Result<(u64, u64, usize), &'static str> {
        let folder = tempfile::tempdir().unwrap();
        let disk = StdDisk::create(folder.path()).unwrap();
        let file = |name: &str, bytes: &[u8]| {
            let file = disk.create(name).unwrap();
            file.write_at(0, bytes).unwrap();
            file
        };
        let commits = file(COMMITS, commits);
        let copy = copy.map(|bytes| file(COMMITS_COPY, bytes));
        let tail = read_commit_tail(&*commits, copy.as_deref()).map_err(|error| error.code())?;
        settle_commits(&*commits, &tail).unwrap();
        let again = read_commit_tail(&*commits, None).unwrap();
        assert_eq!((again.count, again.last, again.torn_bytes), (tail.count, tail.last, 0));
        let made = open_copy(&disk, copy, &*commits, tail.count, 0).unwrap();
        let read = |number| read_record(&*made, COMMITS_COPY, number).unwrap();
        assert!((0..tail.count).all(|number| read(number) == Some(commit(number + 1))));
        Ok((tail.count, tail.torn_bytes, tail.mended.len()))
    }

    #[test]
    fn only_the_last_commit_record_may_be_broken() {
        let all = records();
        assert_eq!(tail(&[], None), Ok((0, 0, 0)));
        assert_eq!(tail(&all, None), Ok((3, 0, 0)));
        assert_eq!(tail(&all[..63], None), Ok((0, 63, 0)));
        assert_eq!(tail(&all[..129], None), Ok((2, 0, 0)), "the one byte is zero");
        assert_eq!(tail(&all[..140], None), Ok((2, 8, 0)));
        assert_eq!(tail(&[&all[..], &[0; 1000]].concat(), None), Ok((3, 0, 0)), "zeros were reserved");
        let noise = [&all[..], &[0; 640], &[3]].concat();
        assert_eq!(tail(&noise, None), Ok((3, 641, 0)), "noise in what was reserved is no record");
        assert_eq!(tail(&broken(2, &all), None), Ok((2, 64, 0)));
        assert_eq!(tail(&broken(0, &all)[..64], None), Ok((0, 64, 0)));
        for zeros in [&broken(1, &all)[..129], &[&broken(1, &all)[..128], &[0; 640]].concat()] {
            assert_eq!(tail(zeros, None), Ok((1, 64, 0)), "what follows the last record is zero");
        }
        assert_eq!(tail(&broken(1, &all), None), Err("LOG-DAMAGED"));
    }

    #[test]
    fn a_record_that_broke_is_taken_from_its_copy_or_mended() {
        let all = records();
        for (commits, copy, found) in [
            // Truncated, emptied, broken in the middle and at the end, and both files broken in different records.
            (all[..64].to_vec(), Some(all.clone()), Ok((3, 0, 2))),
            (vec![], Some(all.clone()), Ok((3, 0, 3))),
            (all[..150].to_vec(), Some(all.clone()), Ok((3, 0, 1))),
            (broken(1, &all), Some(all.clone()), Ok((3, 0, 1))),
            (broken(2, &all), Some(all.clone()), Ok((3, 0, 1))),
            (broken(2, &all), Some(broken(1, &all)), Ok((3, 0, 1))),
            (all.clone(), Some(broken(2, &all)), Ok((3, 0, 0))),
            (all.clone(), Some(all[..70].to_vec()), Ok((3, 0, 0))),
            (all.clone(), Some(vec![0xff; 4096]), Ok((3, 0, 0))),
            // Nothing is left of a record.
            (broken(1, &all), Some(broken(1, &all)), Err("LOG-DAMAGED")),
        ] {
            assert_eq!(tail(&commits, copy.as_deref()), found, "{commits:02x?} {copy:02x?}");
        }
        // What opening does not read, the first record of three, it does not mend; a check names it.
        for bit in 512..all.len() * 8 {
            let mut commits = all.clone();
            commits[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(tail(&commits, None), Ok((3, 0, 1)), "bit {bit}");
        }
    }
}

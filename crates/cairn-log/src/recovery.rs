//! Opening a log: what a crash left is put in order, and nothing that was promised is missed silently.
//!
//! 1. The last intact commit record says how many entries count. Only the last record can be torn, because each is
//!    synced before the next is written; any other broken record is damage, not a crash.
//! 2. Bytes of entries after that, and segments begun after that, were never acknowledged: they are removed.
//! 3. The entries must reach the size of the lock record and have its root.
//! 4. Hashes and bundle places were synced before the lock record was written, so below its size they are trusted once
//!    the root that they give is the one in the record. All above is computed again from the entries, and everything is
//!    if they do not fit. The root over all entries must be that of the commit record.
//!
//! Every step may be cut short by another crash and is then simply done again.

use std::io;
use std::sync::Arc;

use cairn_merkle::note::Note;
use cairn_merkle::{Checkpoint, Frontier};

use crate::LogError;
use crate::derived::{Entries, derive};
use crate::disk::{Disk, DiskFile};
use crate::error::failed;
use crate::format::{
    BUNDLES, CHECKPOINT, COMMITS, Commit, FORMAT, FORMAT_TEXT, UNFINISHED, WRITER_LOCK, level_count, level_name,
    parse_segment_name, segment_name,
};
use crate::store::{Published, Segment, View, read_small, replace};

/// What was found and done when a log was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Recovery {
    /// Entries in the log.
    pub size: u64,
    /// Entries under the last checkpoint, if one was published.
    pub checkpoint_size: Option<u64>,
    /// Bytes of entries that were never acknowledged, removed.
    pub discarded_bytes: u64,
    /// Whether a torn commit record was removed.
    pub torn_commit: bool,
    /// Entries whose hashes were computed again.
    pub rehashed: u64,
}

/// A log ready for its writer.
pub struct Recovered {
    pub view: View,
    pub frontier: Frontier,
    pub commits: Arc<dyn DiskFile>,
    pub commit_count: u64,
    pub bundles: Arc<dyn DiskFile>,
    pub recovery: Recovery,
}

/// Read at once when checking the last batch, in bytes.
const PIECE_BYTES: usize = 1 << 20;

pub fn recover(disk: &dyn Disk) -> Result<Recovered, LogError> {
    begin(disk)?;
    let mut recovery = Recovery::default();
    let commits = open_or_create(disk, COMMITS)?;
    let tail = read_commit_tail(&*commits)?;
    settle_commits(&*commits, &tail)?;
    recovery.torn_commit = tail.torn_bytes > 0;
    recovery.size = tail.last.map_or(0, |commit| commit.size);

    let published = read_published(disk)?;
    recovery.checkpoint_size = published.as_ref().map(|published| published.checkpoint.size());
    let checkpoint_size = recovery.checkpoint_size.unwrap_or(0);
    if checkpoint_size > recovery.size {
        return Err(LogError::Short { size: recovery.size, checkpoint: checkpoint_size });
    }
    let (segments, end) = settle_segments(disk, tail.last.as_ref(), &mut recovery)?;
    check_last_batch(&segments, &tail, end)?;

    let bundles = open_or_create(disk, BUNDLES)?;
    let levels = level_count(recovery.size);
    let levels = (0..levels).map(|level| open_or_create(disk, &level_name(level))).collect::<Result<Vec<_>, _>>()?;
    let entries = Entries { segments: &segments, end, size: recovery.size, published: published.as_ref() };
    let (derived, rehashed) = derive(&entries, &levels, &*bundles)?;
    recovery.rehashed = rehashed;
    let root = derived.frontier.root();
    if tail.last.is_some_and(|commit| commit.root != root) {
        let what = "the entries do not have the root that the last commit recorded";
        return Err(LogError::Damaged { file: COMMITS.to_owned(), offset: tail.last_offset(), entry: None, what });
    }
    // Also makes durable the names that an earlier, interrupted run made.
    disk.sync_folder().map_err(failed("sync the folder of", COMMITS))?;
    let size = recovery.size;
    let view = View { size, root, end, segments, bundles: derived.places, levels, published };
    Ok(Recovered { view, frontier: derived.frontier, commits, commit_count: tail.count, bundles, recovery })
}

/// Checks the format, or begins a log in an empty folder, and removes files that were not finished.
fn begin(disk: &dyn Disk) -> Result<(), LogError> {
    let known = check_format(disk)?;
    for name in disk.list().map_err(failed("list", "."))? {
        if is_unfinished(&name) {
            disk.remove(&name).map_err(failed("remove", &name))?;
        }
    }
    if known { Ok(()) } else { replace(disk, FORMAT, FORMAT_TEXT.as_bytes()) }
}

/// A file of ours that has not yet its name; those of others in a folder that is not ours are left alone.
fn is_unfinished(name: &str) -> bool {
    name.strip_suffix(UNFINISHED).is_some_and(|name| [FORMAT, CHECKPOINT].contains(&name))
}

/// Whether the folder holds a log of this format; `false` if it is empty.
pub fn check_format(disk: &dyn Disk) -> Result<bool, LogError> {
    let refuse = |found| Err(LogError::Format { expected: FORMAT_TEXT.trim_end(), found });
    match read_small(disk, FORMAT)? {
        Some(text) if text == FORMAT_TEXT.as_bytes() => Ok(true),
        Some(text) => refuse(format!("its `format` says `{}`", String::from_utf8_lossy(&text).trim_end())),
        None => {
            let ours = |name: &String| name == WRITER_LOCK || is_unfinished(name);
            match disk.list().map_err(failed("list", "."))?.into_iter().find(|name| !ours(name)) {
                Some(name) => refuse(format!("the folder holds `{name}` but no `format`")),
                None => Ok(false),
            }
        }
    }
}

fn open_or_create(disk: &dyn Disk, name: &str) -> Result<Arc<dyn DiskFile>, LogError> {
    match disk.open(name) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => disk.create(name).map_err(failed("create", name)),
        opened => opened.map_err(failed("open", name)),
    }
}

/// The end of the commit records.
pub struct CommitTail {
    /// Intact records.
    pub count: u64,
    /// The last of them.
    pub last: Option<Commit>,
    /// The one before.
    pub previous: Option<Commit>,
    /// Bytes of a record torn by a crash.
    pub torn_bytes: u64,
}

impl CommitTail {
    fn last_offset(&self) -> u64 {
        self.count.saturating_sub(1) * Commit::BYTES as u64
    }
}

/// Finds the last intact record; more than one broken record is damage.
pub fn read_commit_tail(commits: &dyn DiskFile) -> Result<CommitTail, LogError> {
    let record_bytes = Commit::BYTES as u64;
    let bytes = commits.size().map_err(failed("read", COMMITS))?;
    let read = |number: u64| -> Result<Option<Commit>, LogError> {
        let mut record = [0; Commit::BYTES];
        commits.read_at(number * record_bytes, &mut record).map_err(failed("read", COMMITS))?;
        Ok(Commit::decode(&record))
    };
    let mut count = bytes / record_bytes;
    let mut last = if count > 0 { read(count - 1)? } else { None };
    if count > 0 && last.is_none() && bytes.is_multiple_of(record_bytes) {
        count -= 1;
        last = if count > 0 { read(count - 1)? } else { None };
    }
    let damaged = |number: u64| {
        let what = "a commit record before the last is broken";
        LogError::Damaged { file: COMMITS.to_owned(), offset: number * record_bytes, entry: None, what }
    };
    if count > 0 && last.is_none() {
        return Err(damaged(count - 1));
    }
    let previous = if count > 1 { Some(read(count - 2)?.ok_or_else(|| damaged(count - 2))?) } else { None };
    Ok(CommitTail { count, last, previous, torn_bytes: bytes - count * record_bytes })
}

/// Removes a torn record. The last intact one is written again: it may stand in the page cache alone, if the sync after
/// it failed or never came, and the log is about to build on it.
fn settle_commits(commits: &dyn DiskFile, tail: &CommitTail) -> Result<(), LogError> {
    if let Some(last) = &tail.last {
        commits.write_at(tail.last_offset(), &last.encode()).map_err(failed("write", COMMITS))?;
    }
    if tail.torn_bytes > 0 {
        commits.truncate(tail.count * Commit::BYTES as u64).map_err(failed("truncate", COMMITS))?;
    }
    commits.sync().map_err(failed("sync", COMMITS))
}

/// The lock record. It is replaced as a whole, so a text that is no checkpoint is damage.
pub fn read_published(disk: &dyn Disk) -> Result<Option<Published>, LogError> {
    let Some(bytes) = read_small(disk, CHECKPOINT)? else { return Ok(None) };
    let parse = |bytes| -> Option<Published> {
        let text = String::from_utf8(bytes).ok()?;
        let checkpoint: Checkpoint = text.parse::<Note>().ok()?.text().parse().ok()?;
        Some(Published { text: text.into(), checkpoint })
    };
    let what = "it is not a signed checkpoint";
    let damaged = || LogError::Damaged { file: CHECKPOINT.to_owned(), offset: 0, entry: None, what };
    parse(bytes).map(Some).ok_or_else(damaged)
}

/// All segments in the folder, in order, each placed after the one before.
pub fn list_segments(disk: &dyn Disk) -> Result<Vec<Segment>, LogError> {
    let mut segments: Vec<Segment> = Vec::new();
    let mut start = 0;
    for name in disk.list().map_err(failed("list", "."))? {
        let Some(first_index) = parse_segment_name(&name) else { continue };
        let file = disk.open(&name).map_err(failed("open", &name))?;
        let bytes = file.size().map_err(failed("read", &name))?;
        segments.push(Segment { first_index, start, name, file });
        start += bytes;
    }
    Ok(segments)
}

/// The segments must begin with entry 0 and go on to `last`.
pub fn check_ends(segments: &[Segment], last: u64) -> Result<(), LogError> {
    let begins = segments.first().is_some_and(|segment| segment.first_index == 0);
    let ends = segments.last().is_some_and(|segment| segment.first_index == last);
    if begins && ends {
        return Ok(());
    }
    let missing = if begins { last } else { 0 };
    let what = "the segment is missing";
    Err(LogError::Damaged { file: segment_name(missing), offset: 0, entry: Some(missing), what })
}

/// Removes what was written but never committed; the segments that count, and the place after the last entry.
fn settle_segments(
    disk: &dyn Disk,
    commit: Option<&Commit>,
    recovery: &mut Recovery,
) -> Result<(Vec<Segment>, u64), LogError> {
    let mut segments = list_segments(disk)?;
    let kept = commit.map_or(0, |commit| segments.partition_point(|segment| segment.first_index <= commit.segment));
    let later = segments.split_off(kept);
    for segment in &later {
        recovery.discarded_bytes += segment.file.size().map_err(failed("read", &segment.name))?;
        disk.remove(&segment.name).map_err(failed("remove", &segment.name))?;
    }
    if let Some(first) = later.first() {
        disk.sync_folder().map_err(failed("sync the folder of", &first.name))?;
    }
    let Some(commit) = commit else { return Ok((segments, 0)) };
    check_ends(&segments, commit.segment)?;
    let last = &segments[kept - 1];
    let bytes = last.file.size().map_err(failed("read", &last.name))?;
    if bytes < commit.end {
        let what = "committed entries are missing after this";
        return Err(LogError::Damaged { file: last.name.clone(), offset: bytes, entry: None, what });
    }
    if bytes > commit.end {
        recovery.discarded_bytes += bytes - commit.end;
        last.file.truncate(commit.end).map_err(failed("truncate", &last.name))?;
        last.file.sync().map_err(failed("sync", &last.name))?;
    }
    let end = last.start + commit.end;
    Ok((segments, end))
}

/// The last batch was synced before its commit was written, so other bytes there are damage, or a disk that lied.
fn check_last_batch(segments: &[Segment], tail: &CommitTail, end: u64) -> Result<(), LogError> {
    let Some(last) = &tail.last else { return Ok(()) };
    let place = |commit: &Commit| Some(segment_of(segments, commit)?.start + commit.end);
    let unknown = || LogError::Damaged {
        file: COMMITS.to_owned(),
        offset: tail.last_offset().saturating_sub(Commit::BYTES as u64),
        entry: None,
        what: "a commit record names a segment that does not exist",
    };
    let start = tail.previous.as_ref().map_or(Some(0), place).ok_or_else(unknown)?;
    let first_entry = tail.previous.map_or(0, |commit| commit.size);
    let (crc, name, offset) = crc_of(segments, start, end)?;
    if crc == last.batch_crc {
        return Ok(());
    }
    let what = "the last batch is not what was committed";
    Err(LogError::Damaged { file: name, offset, entry: Some(first_entry), what })
}

fn segment_of<'a>(segments: &'a [Segment], commit: &Commit) -> Option<&'a Segment> {
    segments.iter().find(|segment| segment.first_index == commit.segment)
}

/// The CRC of the bytes between two places, and where the first of them stands.
fn crc_of(segments: &[Segment], start: u64, end: u64) -> Result<(u32, String, u64), LogError> {
    let (mut crc, mut place) = (0, start);
    let (mut name, mut offset) = (String::new(), 0);
    let mut piece = vec![0; PIECE_BYTES];
    for (number, segment) in segments.iter().enumerate() {
        let segment_end = segments.get(number + 1).map_or(end, |next| next.start);
        while place >= segment.start && place < segment_end {
            if name.is_empty() {
                (name, offset) = (segment.name.clone(), place - segment.start);
            }
            let length = usize::try_from(segment_end - place).unwrap_or(usize::MAX).min(piece.len());
            let bytes = &mut piece[..length];
            segment.file.read_at(place - segment.start, bytes).map_err(failed("read", &segment.name))?;
            crc = crc32c::crc32c_append(crc, bytes);
            place += length as u64;
        }
    }
    Ok((crc, name, offset))
}

#[cfg(test)]
mod tests {
    use cairn_merkle::tree::EMPTY_ROOT;

    use super::*;
    use crate::StdDisk;

    #[test]
    fn only_the_last_commit_record_may_be_broken() {
        let folder = tempfile::tempdir().unwrap();
        let disk = StdDisk::create(folder.path()).unwrap();
        let commit = |size| Commit { size, segment: 0, end: size, batch_crc: 0, root: EMPTY_ROOT };
        let records: Vec<[u8; 64]> = (1..=3).map(|size| commit(size).encode()).collect();
        let tail = |bytes: &[u8]| {
            let file = disk.create(COMMITS).unwrap();
            file.write_at(0, bytes).unwrap();
            read_commit_tail(&*file).map(|tail| (tail.count, tail.torn_bytes))
        };
        let all = records.concat();
        assert_eq!(tail(&[]).unwrap(), (0, 0));
        assert_eq!(tail(&all).unwrap(), (3, 0));
        assert_eq!(tail(&all[..63]).unwrap(), (0, 63));
        assert_eq!(tail(&all[..129]).unwrap(), (2, 1));
        let broken = |record: usize| {
            let mut bytes = all.clone();
            bytes[record * 64 + 5] ^= 1;
            bytes
        };
        assert_eq!(tail(&broken(2)).unwrap(), (2, 64));
        assert_eq!(tail(&broken(0)[..64]).unwrap(), (0, 64));
        for bytes in [&broken(1)[..], &broken(1)[..129], &[broken(2).as_slice(), &[0]].concat()] {
            assert_eq!(tail(bytes).unwrap_err().code(), "LOG-DAMAGED");
        }
    }
}

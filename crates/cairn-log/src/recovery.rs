//! Opening a log: what a crash left is put in order, and nothing that was promised is missed silently.
//!
//! 1. The last commit record that counts says how many entries do; see [`crate::commits`] for which one that is and how
//!    broken records are mended.
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
use crate::commits::{CommitFiles, CommitTail, CommitWriter, open_copy, read_commit_tail, settle_commits};
use crate::derived::{Entries, derive};
use crate::disk::{Disk, DiskFile};
use crate::error::{failed, unwritten};
use crate::format::{
    BUNDLES, CHECKPOINT, COMMITS, COMMITS_COPY, Commit, FORMAT, FORMAT_TEXT, ROOM, UNFINISHED, WRITER_LOCK,
    level_count, level_name, parse_segment_name, segment_name,
};
use crate::reserve::written_bytes;
use crate::small::replace_whole;
use crate::store::{Published, Segment, View, read_small};

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
    /// Commit records that were broken or missing, mended or taken from their copy.
    pub mended_commits: u64,
    /// Entries whose hashes were computed again.
    pub rehashed: u64,
}

/// A log ready for its writer.
pub struct Recovered {
    pub view: View,
    pub frontier: Frontier,
    pub commits: CommitWriter,
    pub bundles: Arc<dyn DiskFile>,
    pub recovery: Recovery,
}

/// Read at once when checking the last batch, in bytes.
const PIECE_BYTES: usize = 1 << 20;

/// Recovers; commit records are then reserved in steps of `step` bytes.
pub fn recover(disk: &dyn Disk, step: u64) -> Result<Recovered, LogError> {
    begin(disk)?;
    let mut recovery = Recovery::default();
    let CommitFiles { commits, copy } = open_commits(disk)?;
    let tail = read_commit_tail(&*commits, copy.as_deref())?;
    settle_commits(&*commits, &tail)?;
    recovery.torn_commit = tail.torn_bytes > 0;
    recovery.mended_commits = tail.mended.len() as u64;
    recovery.size = tail.last.map_or(0, |commit| commit.size);

    let published = read_published(disk)?;
    recovery.checkpoint_size = published.as_ref().map(|published| published.checkpoint.size());
    let checkpoint_size = recovery.checkpoint_size.unwrap_or(0);
    if checkpoint_size > recovery.size {
        return Err(LogError::Short { size: recovery.size, checkpoint: checkpoint_size });
    }
    let (segments, end) = settle_segments(disk, tail.last.as_ref(), &mut recovery)?;
    check_last_batch(&segments, &tail, end)?;
    let copy = open_copy(disk, copy, &*commits, tail.count, checkpoint_size)?;

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
    let commits = CommitWriter::after(commits, copy, tail.count, step);
    Ok(Recovered { view, frontier: derived.frontier, commits, bundles, recovery })
}

/// Checks the format, or begins a log in an empty folder, and removes files that were not finished.
fn begin(disk: &dyn Disk) -> Result<(), LogError> {
    let known = check_format(disk)?;
    for name in disk.list().map_err(failed("list", "."))? {
        if is_unfinished(&name) {
            disk.remove(&name).map_err(failed("remove", &name))?;
        }
    }
    if known { Ok(()) } else { Ok(replace_whole(disk, FORMAT, FORMAT_TEXT.as_bytes())?) }
}

/// A file of ours that has not yet its name; those of others in a folder that is not ours are left alone.
fn is_unfinished(name: &str) -> bool {
    name.strip_suffix(UNFINISHED).is_some_and(|name| [FORMAT, CHECKPOINT, ROOM].contains(&name))
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

/// The commit records and their copy. A log that has entries had both names made durable before the first of them, but
/// one of an earlier release has no copy.
pub fn open_commits(disk: &dyn Disk) -> Result<CommitFiles, LogError> {
    let copy = match disk.open(COMMITS_COPY) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        opened => Some(opened.map_err(failed("open", COMMITS_COPY))?),
    };
    match disk.open(COMMITS) {
        Err(error) if error.kind() == io::ErrorKind::NotFound && copy.is_none() && has_segments(disk)? => {
            let what = "the file is missing, and the log has entries";
            Err(LogError::Damaged { file: COMMITS.to_owned(), offset: 0, entry: Some(0), what })
        }
        _ => Ok(CommitFiles { commits: open_or_create(disk, COMMITS)?, copy }),
    }
}

fn has_segments(disk: &dyn Disk) -> Result<bool, LogError> {
    let names = disk.list().map_err(failed("list", "."))?;
    Ok(names.iter().any(|name| parse_segment_name(name).is_some()))
}

fn open_or_create(disk: &dyn Disk, name: &str) -> Result<Arc<dyn DiskFile>, LogError> {
    match disk.open(name) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => disk.create(name).map_err(unwritten("create", name)),
        opened => opened.map_err(failed("open", name)),
    }
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
        recovery.discarded_bytes += written_bytes(&*segment.file, &segment.name, 0)?;
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
    recovery.discarded_bytes += written_bytes(&*last.file, &last.name, commit.end)? - commit.end;
    // Also where it seems to end there already: a sync of its last cut may have failed, and the next segment counts on it.
    last.file.truncate(commit.end).map_err(failed("truncate", &last.name))?;
    last.file.sync().map_err(failed("sync", &last.name))?;
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

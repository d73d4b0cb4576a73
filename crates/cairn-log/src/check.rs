//! Checking a log from its first byte to its last: every entry is hashed again, every record and hash compared.
//!
//! Opening a log checks its right edge only, to be quick. This reads everything and names the first thing that is
//! wrong. It changes nothing and needs no lock, so it works on a log that refuses to open and beside one that runs.

use std::sync::Arc;

use cairn_core::Hash;
use cairn_merkle::{Frontier, tree};

use crate::LogError;
use crate::commits::{no_second, read_commit_tail, read_or_mend};
use crate::disk::{Disk, DiskFile};
use crate::error::failed;
use crate::format::{BUNDLE_ENTRIES, BUNDLES, COMMITS, COMMITS_COPY, Commit, HASH_BYTES, PLACE_BYTES, level_name};
use crate::recovery::{check_ends, check_format, list_segments, read_published};
use crate::store::{Published, Segment, Walk};

/// What was checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Checked {
    /// Entries hashed.
    pub entries: u64,
    /// Commit records held against them.
    pub commits: u64,
    /// Segments read.
    pub segments: u64,
    /// Entries under the last checkpoint, if one was published.
    pub checkpoint_size: Option<u64>,
    /// The root over all entries.
    pub root: Hash,
}

/// Checks all committed entries on `disk` against commit records, hash files and the last checkpoint.
///
/// # Errors
/// The first thing that is wrong: [`LogError::Damaged`] with file, offset and entry, [`LogError::Forked`] or
/// [`LogError::Short`] if the entries are not those under the checkpoint. Hashes above the checkpoint may lag after a
/// crash and are not damage.
pub fn check(disk: &dyn Disk) -> Result<Checked, LogError> {
    check_with(disk, true)
}

/// As [`check`], of entries, commit records and the last checkpoint alone: what everything else follows from.
pub fn check_entries(disk: &dyn Disk) -> Result<Checked, LogError> {
    check_with(disk, false)
}

fn check_with(disk: &dyn Disk, with_derived: bool) -> Result<Checked, LogError> {
    check_format(disk)?;
    let commits = disk.open(COMMITS).map_err(failed("open", COMMITS))?;
    let copy = disk.open(COMMITS_COPY).ok().filter(|_| with_derived);
    let tail = read_commit_tail(&*commits, copy.as_deref())?;
    let size = tail.last.map_or(0, |commit| commit.size);
    let published = read_published(disk)?;
    let checkpoint_size = published.as_ref().map(|published| published.checkpoint.size());
    if let Some(checkpoint) = checkpoint_size.filter(|checkpoint| *checkpoint > size) {
        return Err(LogError::Short { size, checkpoint });
    }
    let (segments, end) = committed_segments(disk, tail.last.as_ref())?;
    let count = segments.len() as u64;
    let mut checker = Checker {
        walk: Walk::new(&segments, end, 0),
        segments: &segments,
        frontier: Frontier::new(),
        crc: 0,
        derived: DerivedFiles::open(disk, if with_derived { checkpoint_size.unwrap_or(0) } else { 0 }),
        published: published.as_ref(),
        suspect: None,
    };
    for number in 0..tail.count {
        let commit = read_commit(&*commits, copy.as_deref(), number);
        let commit = commit.map_err(|error| error.in_entry(checker.frontier.size()))?;
        checker.batch(number, &commit)?;
        if copy.is_some() && commit.size <= checker.derived.trusted {
            checker.derived.check_copy(number, &commit)?;
        }
    }
    if checker.walk.place() != end {
        let (file, offset) = checker.walk.position();
        let what = "the segments hold more entries than were committed";
        return Err(LogError::Damaged { file, offset, entry: Some(size), what });
    }
    let root = checker.frontier.root();
    Ok(Checked { entries: size, commits: tail.count, segments: count, checkpoint_size, root })
}

fn committed_segments(disk: &dyn Disk, last: Option<&Commit>) -> Result<(Vec<Segment>, u64), LogError> {
    let Some(commit) = last else { return Ok((Vec::new(), 0)) };
    let mut segments = list_segments(disk)?;
    segments.retain(|segment| segment.first_index <= commit.segment);
    check_ends(&segments, commit.segment)?;
    let last = segments.last().expect("the segments end with the one of the commit");
    let bytes = last.file.size().map_err(failed("read", &last.name))?;
    if bytes < commit.end {
        let what = "committed entries are missing after this";
        return Err(LogError::Damaged { file: last.name.clone(), offset: bytes, entry: None, what });
    }
    let end = last.start + commit.end;
    Ok((segments, end))
}

fn read_commit(commits: &dyn DiskFile, copy: Option<&dyn DiskFile>, number: u64) -> Result<Commit, LogError> {
    match read_or_mend(commits, copy, number)? {
        Some((commit, false)) => Ok(commit),
        Some((_, true)) => {
            let (offset, what) = (number * Commit::BYTES as u64, "the record is broken, and it is known what it said");
            Err(LogError::Damaged { file: COMMITS.to_owned(), offset, entry: None, what })
        }
        None => Err(no_second(number)),
    }
}

/// An entry whose hash is not the one on file. Which of the two is wrong shows at the next root.
struct Suspect {
    entry: u64,
    file: String,
    offset: u64,
}

struct Checker<'a> {
    walk: Walk<'a>,
    segments: &'a [Segment],
    frontier: Frontier,
    crc: u32,
    derived: DerivedFiles,
    published: Option<&'a Published>,
    suspect: Option<Suspect>,
}

impl Checker<'_> {
    /// Goes through the entries of one commit and holds them against it.
    fn batch(&mut self, number: u64, commit: &Commit) -> Result<(), LogError> {
        let first_entry = self.frontier.size();
        let (file, offset) = self.walk.position();
        let commit_damaged = |what| {
            let offset = number * Commit::BYTES as u64;
            LogError::Damaged { file: COMMITS.to_owned(), offset, entry: Some(first_entry), what }
        };
        if commit.size <= first_entry {
            return Err(commit_damaged("the record does not add entries to the one before"));
        }
        self.crc = 0;
        while self.frontier.size() < commit.size {
            let stepped = self.entry();
            // A damaged length makes nonsense of what follows; the entry where it began matters.
            stepped.map_err(|error| self.suspect.take().map_or(error, entry_damaged))?;
        }
        let segment = self.segments.iter().find(|segment| segment.first_index == commit.segment);
        let end = segment.map(|segment| segment.start + commit.end);
        let whole = end == Some(self.walk.place()) && self.crc == commit.batch_crc;
        match self.suspect.take() {
            Some(suspect) if !whole || self.frontier.root() != commit.root => Err(entry_damaged(suspect)),
            Some(suspect) if suspect.entry < self.derived.trusted => {
                let what = "the hash is not that of the entry";
                let (file, offset) = (level_name(0), suspect.entry * HASH_BYTES);
                Err(LogError::Damaged { file, offset, entry: Some(suspect.entry), what })
            }
            _ if !whole || self.frontier.root() != commit.root => {
                let what = "the batch that begins here is not what its commit record says";
                Err(LogError::Damaged { file, offset, entry: Some(first_entry), what })
            }
            _ => Ok(()),
        }
    }

    fn entry(&mut self) -> Result<(), LogError> {
        let index = self.frontier.size();
        let (file, offset) = self.walk.position();
        let place = self.walk.place();
        let what = "the segments hold fewer entries than were committed";
        let missing = || LogError::Damaged { file: file.clone(), offset, entry: Some(index), what };
        let entry = self.walk.next().map_err(|error| error.in_entry(index))?.ok_or_else(missing)?;
        let length = u16::try_from(entry.len()).expect("a bundle gives each entry 16 bits of length");
        self.crc = crc32c::crc32c_append(crc32c::crc32c_append(self.crc, &length.to_be_bytes()), entry);
        let leaf = tree::leaf_hash(entry);
        if self.suspect.is_none() && self.derived.leaf(index).is_some_and(|on_file| on_file != leaf) {
            self.suspect = Some(Suspect { entry: index, file: file.clone(), offset });
        }
        // Places and inner hashes of a damaged entry would only be other names for the same damage.
        if self.suspect.is_none() {
            self.derived.check_place(index, place)?;
        }
        let mut inner = Vec::new();
        self.frontier.push_with(leaf, |level, hash| inner.push((level, hash)));
        if self.suspect.is_none() {
            self.derived.check_inner(index, &inner)?;
        }
        self.check_published()
    }

    fn check_published(&mut self) -> Result<(), LogError> {
        let size = self.frontier.size();
        let Some(published) = self.published.filter(|published| published.checkpoint.size() == size) else {
            return Ok(());
        };
        let (found, published) = (self.frontier.root(), published.checkpoint.root());
        if found == published {
            return Ok(());
        }
        Err(self.suspect.take().map_or(LogError::Forked { size, found, published }, entry_damaged))
    }
}

fn entry_damaged(suspect: Suspect) -> LogError {
    let Suspect { entry, file, offset } = suspect;
    LogError::Damaged { file, offset, entry: Some(entry), what: "the entry is not what was appended" }
}

/// Hash files and bundle places. Below the last checkpoint they must be right; above it they are only asked for hints.
struct DerivedFiles {
    trusted: u64,
    levels: Vec<Column>,
    places: Column,
    copy: Column,
}

/// A file of records of equal length, read ahead.
struct Column {
    name: String,
    file: Option<Arc<dyn DiskFile>>,
    record_bytes: u64,
    piece: Vec<u8>,
    piece_start: u64,
}

/// Read ahead from each file of records, in bytes; a multiple of all record lengths.
const COLUMN_BYTES: u64 = 1 << 16;

impl Column {
    fn open(disk: &dyn Disk, name: String, record_bytes: u64) -> Self {
        let file = disk.open(&name).ok();
        Self { name, file, record_bytes, piece: Vec::new(), piece_start: 0 }
    }

    /// The record at `index`, if the file has it. Indices only grow.
    fn get(&mut self, index: u64) -> Option<&[u8]> {
        let offset = index * self.record_bytes;
        if offset < self.piece_start || offset + self.record_bytes > self.piece_start + self.piece.len() as u64 {
            let file = self.file.as_ref()?;
            let left = file.size().ok()?.checked_sub(offset)?.min(COLUMN_BYTES);
            self.piece = vec![0; usize::try_from(left).expect("at most COLUMN_BYTES")];
            self.piece_start = offset;
            file.read_at(offset, &mut self.piece).ok()?;
        }
        let start = usize::try_from(offset - self.piece_start).expect("at most COLUMN_BYTES");
        self.piece.get(start..start + usize::try_from(self.record_bytes).expect("a record is short"))
    }

    fn damaged(&self, index: u64, entry: u64, what: &'static str) -> LogError {
        let offset = index * self.record_bytes;
        LogError::Damaged { file: self.name.clone(), offset, entry: Some(entry), what }
    }
}

impl DerivedFiles {
    fn open(disk: &dyn Disk, trusted: u64) -> Self {
        let levels = (0..8).map(|level| Column::open(disk, level_name(level), HASH_BYTES)).collect();
        Self {
            trusted,
            levels,
            places: Column::open(disk, BUNDLES.to_owned(), PLACE_BYTES),
            copy: Column::open(disk, COMMITS_COPY.to_owned(), Commit::BYTES as u64),
        }
    }

    fn check_copy(&mut self, number: u64, commit: &Commit) -> Result<(), LogError> {
        if self.copy.get(number) == Some(&commit.encode()) {
            return Ok(());
        }
        Err(self.copy.damaged(number, commit.size - 1, "the record is not the one that it is a copy of"))
    }

    fn leaf(&mut self, index: u64) -> Option<Hash> {
        let bytes = self.levels[0].get(index);
        if bytes.is_none() && index < self.trusted {
            // Missing where it must be: no hash is this one, so the entry becomes a suspect and the file is blamed.
            return Some(Hash::ZERO);
        }
        bytes.map(|bytes| Hash(bytes.try_into().expect("a record of 32 bytes")))
    }

    fn check_place(&mut self, index: u64, place: u64) -> Result<(), LogError> {
        let number = index / BUNDLE_ENTRIES;
        if index >= self.trusted || !index.is_multiple_of(BUNDLE_ENTRIES) {
            return Ok(());
        }
        if self.places.get(number) == Some(&place.to_be_bytes()) {
            return Ok(());
        }
        Err(self.places.damaged(number, index, "the bundle does not start there"))
    }

    /// Checks the hashes of the tile levels above the leaves that leaf `index` completed.
    fn check_inner(&mut self, index: u64, completed: &[(u8, Hash)]) -> Result<(), LogError> {
        if index >= self.trusted {
            return Ok(());
        }
        for (level, hash) in completed.iter().filter(|(level, _)| *level > 0 && level.is_multiple_of(8)) {
            let number = index >> level;
            let column = &mut self.levels[usize::from(level / 8)];
            if column.get(number) != Some(hash.as_bytes()) {
                return Err(column.damaged(number, index, "the hash is not that of the tile below"));
            }
        }
        Ok(())
    }
}

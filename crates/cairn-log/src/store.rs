//! What writer and readers share: the segments, where bundles start in them, the hash files, the last checkpoint.
//!
//! Places in entries are counted over all segments as if they were one file. A bundle never straddles two segments.

use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use cairn_core::Hash;
use cairn_merkle::{Checkpoint, HashReader, MerkleError, tree};

use crate::LogError;
use crate::disk::{Disk, DiskFile};
use crate::error::failed;
use crate::format::{BUNDLE_ENTRIES, HASH_BYTES, level_name};
use crate::small::read_whole;

/// Read from a segment at once when walking through entries, in bytes.
const WALK_BYTES: u64 = 1 << 20;

/// One append-only file of entry bundles.
#[derive(Clone)]
pub struct Segment {
    /// The index of its first entry, a multiple of 256.
    pub first_index: u64,
    /// The place of its first byte.
    pub start: u64,
    /// Its name in the folder.
    pub name: String,
    /// The open file.
    pub file: Arc<dyn DiskFile>,
}

/// The checkpoint that was published last.
#[derive(Clone)]
pub struct Published {
    /// The signed note.
    pub text: Arc<str>,
    /// What it says.
    pub checkpoint: Checkpoint,
}

/// The log as readers see it: only what is durable.
pub struct View {
    /// Entries.
    pub size: u64,
    /// The root over them.
    pub root: Hash,
    /// The place after the last entry.
    pub end: u64,
    /// All segments, in order.
    pub segments: Vec<Segment>,
    /// The place of each bundle.
    pub bundles: Vec<u64>,
    /// The hash files, by tile level.
    pub levels: Vec<Arc<dyn DiskFile>>,
    /// The last checkpoint.
    pub published: Option<Published>,
}

impl View {
    /// The segment that holds the byte at `place`, and its end.
    pub fn segment_at(&self, place: u64) -> (&Segment, u64) {
        let after = self.segments.partition_point(|segment| segment.start <= place);
        let end = self.segments.get(after).map_or(self.end, |next| next.start);
        (&self.segments[after - 1], end)
    }

    /// Where bundle `number` starts, and where the next one does.
    pub fn bundle(&self, number: usize) -> Option<(u64, u64)> {
        let start = *self.bundles.get(number)?;
        Some((start, self.bundles.get(number + 1).copied().unwrap_or(self.end)))
    }
}

/// The view behind its lock. Readers copy what they need and read files without holding it.
pub struct Shared(RwLock<View>);

impl Shared {
    /// Shares a view.
    pub fn new(view: View) -> Self {
        Self(RwLock::new(view))
    }

    /// Looks at the view.
    pub fn read(&self) -> RwLockReadGuard<'_, View> {
        // A view is changed by assignments that cannot panic half-way.
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the view.
    pub fn change(&self, change: impl FnOnce(&mut View)) {
        change(&mut self.0.write().unwrap_or_else(PoisonError::into_inner));
    }
}

/// Reads hash `index` of a tile level and the `count - 1` after it.
pub fn read_hashes(
    levels: &[Arc<dyn DiskFile>],
    level: usize,
    index: u64,
    count: usize,
) -> Result<Vec<Hash>, LogError> {
    let name = || level_name(level);
    let what = "the file is missing";
    let file = levels.get(level).ok_or_else(|| LogError::Damaged { file: name(), offset: 0, entry: None, what })?;
    let mut bytes = vec![0; count * 32];
    file.read_at(index * HASH_BYTES, &mut bytes).map_err(failed("read", &name()))?;
    let hash = |chunk: &[u8]| Hash(chunk.try_into().expect("chunks of 32 bytes"));
    Ok(bytes.chunks_exact(32).map(hash).collect())
}

/// The whole subtrees of a log of fixed size, from its hash files.
pub struct LevelReader<'a> {
    /// The hash files, by tile level.
    pub levels: &'a [Arc<dyn DiskFile>],
    /// Entries in the log.
    pub size: u64,
}

impl HashReader for LevelReader<'_> {
    type Error = LogError;

    fn node(&self, level: u8, index: u64) -> Result<Hash, LogError> {
        let whole = index.checked_add(1).is_some_and(|next| next <= self.size.checked_shr(level.into()).unwrap_or(0));
        if !whole {
            return Err(MerkleError::Index { index: index.saturating_mul(1 << level.min(63)), size: self.size }.into());
        }
        let (tile_level, inner) = (usize::from(level / 8), level % 8);
        Ok(tree::root(&read_hashes(self.levels, tile_level, index << inner, 1 << inner)?))
    }
}

/// Goes through entries in order, reading large pieces.
pub struct Walk<'a> {
    segments: &'a [Segment],
    end: u64,
    segment: usize,
    place: u64,
    piece: Vec<u8>,
    /// Where in `piece` the byte at `place` stands.
    used: usize,
}

impl<'a> Walk<'a> {
    /// A walk over `segments`, which end at place `end`, from the entry at place `from`.
    pub fn new(segments: &'a [Segment], end: u64, from: u64) -> Self {
        let segment = segments.partition_point(|segment| segment.start <= from).saturating_sub(1);
        Self { segments, end, segment, place: from, piece: Vec::new(), used: 0 }
    }

    /// The place of the next entry.
    pub const fn place(&self) -> u64 {
        self.place
    }

    /// Where the next entry stands: the name of its segment and the byte in it.
    pub fn position(&self) -> (String, u64) {
        let at_end = self.place == self.segment_end() && self.segment + 1 < self.segments.len();
        match self.segments.get(self.segment + usize::from(at_end)) {
            Some(segment) => (segment.name.clone(), self.place - segment.start),
            None => (crate::format::segment_name(0), self.place),
        }
    }

    fn segment_end(&self) -> u64 {
        self.segments.get(self.segment + 1).map_or(self.end, |next| next.start)
    }

    /// The next entry; `None` after the last.
    ///
    /// # Errors
    /// [`LogError::Damaged`] if an entry does not end within its segment.
    pub fn next(&mut self) -> Result<Option<&[u8]>, LogError> {
        if self.place == self.segment_end() && self.segment + 1 < self.segments.len() {
            self.segment += 1;
            self.piece.clear();
            self.used = 0;
        }
        if self.place == self.end {
            return Ok(None);
        }
        self.fill(2)?;
        let length = usize::from(u16::from_be_bytes([self.piece[self.used], self.piece[self.used + 1]]));
        self.fill(2 + length)?;
        let start = self.used + 2;
        self.used = start + length;
        self.place += 2 + length as u64;
        Ok(Some(&self.piece[start..self.used]))
    }

    /// Makes sure that `need` bytes from `place` on are in the piece.
    fn fill(&mut self, need: usize) -> Result<(), LogError> {
        let have = self.piece.len() - self.used;
        if have >= need {
            return Ok(());
        }
        let left = self.segment_end().saturating_sub(self.place);
        if left < need as u64 {
            let (file, offset) = self.position();
            return Err(LogError::Damaged { file, offset, entry: None, what: "an entry is cut short" });
        }
        let wanted = usize::try_from(left.min(WALK_BYTES)).expect("at most WALK_BYTES").max(need);
        self.piece.drain(..self.used);
        self.used = 0;
        self.piece.resize(wanted, 0);
        let segment = &self.segments[self.segment];
        let offset = self.place - segment.start + have as u64;
        segment.file.read_at(offset, &mut self.piece[have..]).map_err(failed("read", &segment.name))
    }
}

/// The whole content of a small file; `None` if there is no such file.
pub fn read_small(disk: &dyn Disk, name: &str) -> Result<Option<Vec<u8>>, LogError> {
    Ok(read_whole(disk, name, SMALL_BYTES_MAX)?)
}

/// A checkpoint with all its cosignatures is far below this.
const SMALL_BYTES_MAX: u64 = 1 << 20;

/// Bundles in a log of `size` entries.
pub const fn bundle_count(size: u64) -> u64 {
    size.div_ceil(BUNDLE_ENTRIES)
}

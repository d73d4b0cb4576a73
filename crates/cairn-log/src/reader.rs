//! Reading a log, from any thread, while it grows.
//!
//! A reader sees only what is durable. It holds no lock while it reads files, and never waits for the writer's disk.

use std::ops::Range;
use std::sync::Arc;

use cairn_core::Hash;
use cairn_merkle::proof;
use cairn_merkle::tile::{TileReader, encode_tile, split_entry};
use cairn_merkle::{Checkpoint, HashReader, MerkleError, Receipt, TileLevel, TilePath};

use crate::LogError;
use crate::derived::trust;
use crate::disk::{Disk, DiskFile};
use crate::error::failed;
use crate::format::{BUNDLE_ENTRIES, BUNDLES, level_count, level_name};
use crate::recovery::{check_ends, check_format, list_segments, read_published};
use crate::store::{LevelReader, Published, Segment, Shared, View, read_hashes};

/// Bytes that one step of [`LogReader::entries`] reads, unless a single bundle is longer.
const CHUNK_BYTES: u64 = 1 << 20;

/// A view of a log, cheap to clone.
#[derive(Clone)]
pub struct LogReader {
    shared: Arc<Shared>,
}

impl LogReader {
    pub(crate) const fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// Reads the log on `disk` as of its last checkpoint, beside the process that writes it. Changes nothing.
    ///
    /// # Errors
    /// [`LogError::NoCheckpoint`] if there is none yet; [`LogError::Damaged`] if hashes do not fit the checkpoint, which
    /// opening the log for writing repairs; [`LogError::Format`], [`LogError::Io`].
    pub fn open(disk: &dyn Disk) -> Result<Self, LogError> {
        check_format(disk)?;
        let published = read_published(disk)?.ok_or(LogError::NoCheckpoint)?;
        let size = published.checkpoint.size();
        let mut segments = list_segments(disk)?;
        segments.truncate(segments.partition_point(|segment| segment.first_index < size));
        let mut end = 0;
        if let Some(last) = segments.last() {
            check_ends(&segments, last.first_index)?;
            end = last.start + last.file.size().map_err(failed("read", &last.name))?;
        }
        let open = |name: &str| disk.open(name).map_err(failed("open", name));
        let levels = (0..level_count(size)).map(|level| open(&level_name(level))).collect::<Result<Vec<_>, _>>()?;
        let what = "the hashes do not fit the checkpoint: open the log for writing to compute them again";
        let damaged = || LogError::Damaged { file: level_name(0), offset: 0, entry: None, what };
        let trusted = trust(&published, &segments, end, &levels, &*open(BUNDLES)?).ok_or_else(damaged)?;
        let root = published.checkpoint.root();
        let (end, bundles) = (trusted.place, trusted.derived.places);
        let view = View { size, root, end, segments, bundles, levels, published: Some(published) };
        Ok(Self::new(Arc::new(Shared::new(view))))
    }

    /// Number of durable entries; the checkpoint may cover fewer.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.shared.read().size
    }

    /// The root over all durable entries.
    #[must_use]
    pub fn root(&self) -> Hash {
        self.shared.read().root
    }

    /// The signed note of the last checkpoint, as published.
    #[must_use]
    pub fn checkpoint(&self) -> Option<String> {
        self.shared.read().published.as_ref().map(|published| published.text.to_string())
    }

    /// What the last checkpoint says.
    #[must_use]
    pub fn published(&self) -> Option<Checkpoint> {
        self.shared.read().published.as_ref().map(|published| published.checkpoint.clone())
    }

    /// One entry.
    ///
    /// # Errors
    /// [`MerkleError::Index`] outside the log; [`LogError::Damaged`], [`LogError::Io`].
    pub fn entry(&self, index: u64) -> Result<Vec<u8>, LogError> {
        self.check_index(index)?;
        let mut chunks = self.entries(index..index + 1);
        let chunk = chunks.next().ok_or(MerkleError::Index { index, size: index })??;
        let entry = chunk.iter().next().map(|(_, entry)| entry.to_vec());
        Ok(entry.expect("a chunk holds at least one entry"))
    }

    /// The entries of a range, in chunks of whole bundles of about 1 MiB. The range ends with the log if that is
    /// shorter.
    #[must_use]
    pub fn entries(&self, range: Range<u64>) -> EntryChunks {
        let end = range.end.min(self.size());
        EntryChunks { shared: self.shared.clone(), next: range.start, end }
    }

    /// The hash of leaf `index`.
    ///
    /// # Errors
    /// [`MerkleError::Index`] outside the log; [`LogError::Io`].
    pub fn leaf_hash(&self, index: u64) -> Result<Hash, LogError> {
        self.check_index(index)?;
        Ok(read_hashes(&self.levels(), 0, index, 1)?[0])
    }

    /// The bytes of a tile or an entry bundle, full or of any width that the log has.
    ///
    /// # Errors
    /// [`LogError::NoTile`] if the log is too small; [`LogError::Damaged`], [`LogError::Io`].
    pub fn tile(&self, tile: TilePath) -> Result<Vec<u8>, LogError> {
        let size = self.size();
        let within = |widest: TilePath| widest.width >= tile.width && tile.width > 0;
        if !TilePath::in_log(tile.level, tile.index, size).is_some_and(within) {
            return Err(LogError::NoTile { path: tile.to_string(), size });
        }
        match tile.level {
            TileLevel::Hashes(level) => {
                let first = tile.index * BUNDLE_ENTRIES;
                let hashes = read_hashes(&self.levels(), level.into(), first, tile.width.into())?;
                Ok(encode_tile(&hashes))
            }
            TileLevel::Entries => {
                let first = tile.index * BUNDLE_ENTRIES;
                let mut chunks = self.entries(first..first + u64::from(tile.width));
                let no_tile = || LogError::NoTile { path: tile.to_string(), size };
                Ok(chunks.next().ok_or_else(no_tile)??.into_bundle_bytes())
            }
        }
    }

    /// The root of the first `size` entries.
    ///
    /// # Errors
    /// [`MerkleError::Index`] if the log is smaller; [`LogError::Io`].
    pub fn root_at(&self, size: u64) -> Result<Hash, LogError> {
        proof::root_at(self, size)
    }

    /// The inclusion proof of an entry in the tree of the first `size` entries.
    ///
    /// # Errors
    /// [`MerkleError::Index`] unless `index < size` and the log has that many; [`LogError::Io`].
    pub fn inclusion_proof(&self, index: u64, size: u64) -> Result<Vec<Hash>, LogError> {
        proof::inclusion_proof(self, index, size)
    }

    /// The proof that the first `old` entries are the beginning of the first `new`.
    ///
    /// # Errors
    /// [`MerkleError::Sizes`] if `old > new`; [`MerkleError::Index`] if the log is smaller; [`LogError::Io`].
    pub fn consistency_proof(&self, old: u64, new: u64) -> Result<Vec<Hash>, LogError> {
        proof::consistency_proof(self, old, new)
    }

    /// The receipt of an entry under the last checkpoint: its text is a C2SP `tlog-proof`.
    ///
    /// # Errors
    /// [`LogError::NoCheckpoint`] before the first, [`LogError::NotCovered`] if the entry came after it;
    /// [`LogError::Io`].
    pub fn receipt(&self, index: u64) -> Result<Receipt, LogError> {
        let Published { text, checkpoint } = self.shared.read().published.clone().ok_or(LogError::NoCheckpoint)?;
        let size = checkpoint.size();
        if index >= size {
            return Err(LogError::NotCovered { index, size });
        }
        let proof = self.inclusion_proof(index, size)?;
        Ok(Receipt { extra: None, index, proof, checkpoint: text.to_string() })
    }

    fn levels(&self) -> Vec<Arc<dyn DiskFile>> {
        self.shared.read().levels.clone()
    }

    fn check_index(&self, index: u64) -> Result<(), LogError> {
        let size = self.size();
        if index < size { Ok(()) } else { Err(MerkleError::Index { index, size }.into()) }
    }
}

impl HashReader for LogReader {
    type Error = LogError;

    fn node(&self, level: u8, index: u64) -> Result<Hash, LogError> {
        let (levels, size) = {
            let view = self.shared.read();
            (view.levels.clone(), view.size)
        };
        LevelReader { levels: &levels, size }.node(level, index)
    }
}

impl TileReader for LogReader {
    type Error = LogError;

    fn tile(&self, tile: TilePath) -> Result<Vec<u8>, LogError> {
        Self::tile(self, tile)
    }
}

/// Some entries that follow each other.
#[derive(Debug, Clone)]
pub struct EntryChunk {
    first_index: u64,
    bytes: Vec<u8>,
    /// Where each entry stands in `bytes`, without its length.
    spans: Vec<Range<usize>>,
}

impl EntryChunk {
    /// The index of its first entry.
    #[must_use]
    pub const fn first_index(&self) -> u64 {
        self.first_index
    }

    /// Number of entries; never 0.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "a chunk is never empty")]
    pub const fn len(&self) -> usize {
        self.spans.len()
    }

    /// The entries with their indices.
    pub fn iter(&self) -> impl Iterator<Item = (u64, &[u8])> {
        (self.first_index..).zip(self.spans.iter().map(|span| &self.bytes[span.clone()]))
    }

    fn into_bundle_bytes(mut self) -> Vec<u8> {
        let end = self.spans.last().map_or(0, |span| span.end);
        self.bytes.truncate(end);
        self.bytes
    }
}

/// The entries of a range in chunks; see [`LogReader::entries`]. After an error it goes on with nothing.
pub struct EntryChunks {
    shared: Arc<Shared>,
    next: u64,
    end: u64,
}

impl Iterator for EntryChunks {
    type Item = Result<EntryChunk, LogError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.next >= self.end {
            return None;
        }
        let chunk = self.read();
        self.next = chunk.as_ref().map_or(self.end, |chunk| chunk.first_index + chunk.len() as u64);
        Some(chunk)
    }
}

impl EntryChunks {
    fn read(&self) -> Result<EntryChunk, LogError> {
        let first_bundle = self.next / BUNDLE_ENTRIES;
        let (segment, start, end, bundles) = self.locate(first_bundle);
        let length = usize::try_from(end - start).expect("a chunk is about 1 MiB, a bundle at most 16 MiB");
        let mut bytes = vec![0; length];
        segment.file.read_at(start - segment.start, &mut bytes).map_err(failed("read", &segment.name))?;

        let mut index = first_bundle * BUNDLE_ENTRIES;
        let last = (index + bundles * BUNDLE_ENTRIES).min(self.end);
        let mut spans = Vec::new();
        let mut rest = bytes.as_slice();
        while index < last {
            let at = length - rest.len();
            let what = "an entry is cut short";
            let offset = start - segment.start + at as u64;
            let cut = || LogError::Damaged { file: segment.name.clone(), offset, entry: Some(index), what };
            let (entry, after) = split_entry(rest).ok_or_else(cut)?;
            if index >= self.next {
                spans.push(at + 2..at + 2 + entry.len());
            }
            rest = after;
            index += 1;
        }
        Ok(EntryChunk { first_index: self.next, bytes, spans })
    }

    /// The segment of a bundle, where the bundle starts, where the chunk that starts with it ends, and how many bundles
    /// that chunk has.
    fn locate(&self, first_bundle: u64) -> (Segment, u64, u64, u64) {
        let view = self.shared.read();
        let number = usize::try_from(first_bundle).expect("bundle places are in memory");
        let (start, mut end) = view.bundle(number).expect("a range within the log has bundles");
        let (segment, segment_end) = view.segment_at(start);
        let mut bundles = 1;
        while let Some((_, next_end)) = view.bundle(number + bundles) {
            let wanted = first_bundle + (bundles as u64) < self.end.div_ceil(BUNDLE_ENTRIES);
            if !wanted || next_end > segment_end || next_end - start > CHUNK_BYTES {
                break;
            }
            end = next_end;
            bundles += 1;
        }
        (segment.clone(), start, end, bundles as u64)
    }
}

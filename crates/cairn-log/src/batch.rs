//! A batch of entries, prepared in memory: everything that will be written, before anything is.

use cairn_core::Hash;
use cairn_merkle::tile::{TILE_HEIGHT, push_entry};
use cairn_merkle::{Frontier, MerkleError, tree};

use crate::format::{BUNDLE_ENTRIES, Commit};

/// Bytes for one segment.
pub struct Part {
    /// The index of the first entry, if these bytes begin a segment.
    pub begins: Option<u64>,
    /// Entry bundles, or the rest of one.
    pub bytes: Vec<u8>,
}

/// Where the log stands before a batch.
pub struct Standing<'a> {
    /// Size and peaks.
    pub frontier: &'a Frontier,
    /// The place after the last entry.
    pub end: u64,
    /// First index and first place of the last segment, if there is one.
    pub segment: Option<(u64, u64)>,
    /// A segment of at least this many bytes is followed by another one, in bytes.
    pub segment_bytes: u64,
}

/// Everything that a batch adds.
pub struct Batch {
    /// Bytes for the last segment, and for new ones.
    pub parts: Vec<Part>,
    /// The places of the bundles that begin in this batch.
    pub bundles: Vec<u64>,
    /// The leaf hashes.
    pub leaf_hashes: Vec<Hash>,
    /// The bytes to append to each hash file, by tile level.
    pub levels: Vec<Vec<u8>>,
    /// Size and peaks afterwards.
    pub frontier: Frontier,
    /// The place after the last entry.
    pub end: u64,
    /// The record that makes it count.
    pub commit: Commit,
}

impl Batch {
    /// Prepares a batch; nothing is written.
    pub fn prepare<E: AsRef<[u8]>>(before: &Standing<'_>, entries: &[E]) -> Result<Self, MerkleError> {
        let mut frontier = before.frontier.clone();
        let mut end = before.end;
        let mut segment = before.segment;
        let mut parts = vec![Part { begins: None, bytes: Vec::with_capacity(bytes_of(entries)) }];
        let mut bundles = Vec::new();
        let mut leaf_hashes = Vec::with_capacity(entries.len());
        let mut levels = Vec::new();
        for entry in entries {
            let entry = entry.as_ref();
            let index = frontier.size();
            if index.is_multiple_of(BUNDLE_ENTRIES) {
                if segment.is_none_or(|(_, start)| end - start >= before.segment_bytes) {
                    segment = Some((index, end));
                    parts.push(Part { begins: Some(index), bytes: Vec::new() });
                }
                bundles.push(end);
            }
            push_entry(&mut parts.last_mut().expect("there is always a part").bytes, entry)?;
            end += 2 + entry.len() as u64;
            let leaf = tree::leaf_hash(entry);
            leaf_hashes.push(leaf);
            push_leaf(&mut frontier, leaf, &mut levels);
        }
        parts.retain(|part| !part.bytes.is_empty());
        let (segment, start) = segment.unwrap_or_default();
        let batch_crc = parts.iter().fold(0, |crc, part| crc32c::crc32c_append(crc, &part.bytes));
        let commit = Commit { size: frontier.size(), segment, end: end - start, batch_crc, root: frontier.root() };
        Ok(Self { parts, bundles, leaf_hashes, levels, frontier, end, commit })
    }
}

fn bytes_of<E: AsRef<[u8]>>(entries: &[E]) -> usize {
    entries.iter().map(|entry| entry.as_ref().len() + 2).sum()
}

/// Pushes a leaf and appends the hashes that this completes to the bytes of their tile levels.
pub fn push_leaf(frontier: &mut Frontier, leaf: Hash, levels: &mut Vec<Vec<u8>>) {
    frontier.push_with(leaf, |level, hash| {
        if level.is_multiple_of(TILE_HEIGHT) {
            let level = usize::from(level / TILE_HEIGHT);
            if levels.len() <= level {
                levels.push(Vec::new());
            }
            levels[level].extend_from_slice(&hash.0);
        }
    });
}

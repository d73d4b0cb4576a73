//! Merkle trees of RFC 6962, section 2.1: leaves are `SHA-256(0x00 || entry)`, nodes `SHA-256(0x01 || left || right)`,
//! and a tree of `n` leaves splits at the largest power of two below `n`.
//!
//! Three ways to the same root: [`root`] over a slice, [`Frontier`] one leaf at a time in O(log n) memory, and
//! [`MemoryTree`], which keeps every node and therefore gives proofs.

use cairn_core::Hash;
use rayon::prelude::*;

use crate::{HashReader, MerkleError};

/// The root of the tree without leaves: SHA-256 of nothing.
pub const EMPTY_ROOT: Hash = Hash([
    0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4, 0xc8, 0x99, 0x6f, 0xb9, 0x24, 0x27, 0xae, 0x41,
    0xe4, 0x64, 0x9b, 0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52, 0xb8, 0x55,
]);

/// Leaves hashed by one task of [`root_parallel`]; a power of two, so that every chunk but the last is a whole subtree.
const CHUNK_LEAVES: usize = 4096;

/// The hash of a leaf that holds `entry`.
#[must_use]
pub fn leaf_hash(entry: &[u8]) -> Hash {
    Hash::of_parts(&[&[0], entry])
}

/// The hash of a node over its two children.
#[must_use]
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    let mut bytes = [1u8; 65];
    bytes[1..33].copy_from_slice(&left.0);
    bytes[33..].copy_from_slice(&right.0);
    Hash::of(&bytes)
}

/// The root over leaf hashes, in order.
#[must_use]
pub fn root(leaves: &[Hash]) -> Hash {
    let mut frontier = Frontier::new();
    for leaf in leaves {
        frontier.push(*leaf);
    }
    frontier.root()
}

/// [`root`] with the work spread over the threads of the current rayon pool.
///
/// Whole subtrees of 4096 leaves stand for single leaves of the tree above them, so the bytes are those of [`root`]
/// whatever the number of threads.
#[must_use]
pub fn root_parallel(leaves: &[Hash]) -> Hash {
    let tops: Vec<Hash> = leaves.par_chunks(CHUNK_LEAVES).map(root).collect();
    root(&tops)
}

/// The right edge of a growing tree: its size and its *peaks*, the roots of the maximal whole subtrees from left to
/// right (one for each set bit of the size). Enough to push more leaves and to know the root at every step.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Frontier {
    size: u64,
    peaks: Vec<Hash>,
}

impl Frontier {
    /// The frontier of the empty tree.
    #[must_use]
    pub const fn new() -> Self {
        Self { size: 0, peaks: Vec::new() }
    }

    /// A frontier in the middle of a log, from the peaks of a tree of `size` leaves, left to right.
    ///
    /// # Errors
    /// [`MerkleError::Peaks`] if there is not exactly one peak for each set bit of `size`.
    pub fn from_peaks(size: u64, peaks: Vec<Hash>) -> Result<Self, MerkleError> {
        if peaks.len() != size.count_ones() as usize {
            return Err(MerkleError::Peaks { size, found: peaks.len() });
        }
        Ok(Self { size, peaks })
    }

    /// The frontier of the first `size` leaves of the tree that `reader` knows.
    ///
    /// # Errors
    /// Those of the reader.
    pub fn read<R: HashReader + ?Sized>(reader: &R, size: u64) -> Result<Self, R::Error> {
        let mut peaks = Vec::with_capacity(size.count_ones() as usize);
        let mut start = 0;
        for level in (0..64u8).rev().filter(|level| size >> level & 1 == 1) {
            peaks.push(reader.node(level, start >> level)?);
            start += 1 << level;
        }
        Ok(Self { size, peaks })
    }

    /// Appends a leaf hash.
    pub fn push(&mut self, leaf: Hash) {
        self.push_with(leaf, |_, _| ());
    }

    /// Appends a leaf hash and shows every node that this completes, from the leaf (level 0) upward.
    pub fn push_with(&mut self, leaf: Hash, mut completed: impl FnMut(u8, Hash)) {
        let mut hash = leaf;
        completed(0, hash);
        let mut level = 0u8;
        while self.size >> level & 1 == 1 {
            let left = self.peaks.pop().expect("a set bit of the size has its peak");
            hash = node_hash(&left, &hash);
            level += 1;
            completed(level, hash);
        }
        self.peaks.push(hash);
        self.size += 1;
    }

    /// Number of leaves.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// The peaks, left to right.
    #[must_use]
    pub fn peaks(&self) -> &[Hash] {
        &self.peaks
    }

    /// The root of the tree so far.
    #[must_use]
    pub fn root(&self) -> Hash {
        fold_right(&self.peaks)
    }
}

/// Joins subtree roots as a tree does at its right edge: `(a, (b, (c, d)))`.
pub(crate) fn fold_right(subtrees: &[Hash]) -> Hash {
    let Some((last, before)) = subtrees.split_last() else { return EMPTY_ROOT };
    before.iter().rev().fold(*last, |right, left| node_hash(left, &right))
}

/// A whole tree in memory (64 bytes for each leaf), for proofs over lists that fit there: verdicts, state records.
#[derive(Debug, Clone)]
pub struct MemoryTree {
    /// `levels[l][i]` is the root of leaves `i << l .. (i + 1) << l`; whole subtrees only.
    levels: Vec<Vec<Hash>>,
}

impl MemoryTree {
    /// The tree over leaf hashes, in order. Uses the current rayon pool; the bytes do not depend on it.
    #[must_use]
    pub fn new(leaves: Vec<Hash>) -> Self {
        let mut levels = vec![leaves];
        loop {
            let below = levels.last().expect("there is always a level of leaves");
            if below.len() < 2 {
                return Self { levels };
            }
            let pairs = below.par_chunks_exact(2).with_min_len(CHUNK_LEAVES);
            levels.push(pairs.map(|pair| node_hash(&pair[0], &pair[1])).collect());
        }
    }

    /// Number of leaves.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.levels[0].len() as u64
    }

    /// The root.
    #[must_use]
    pub fn root(&self) -> Hash {
        let size = self.levels[0].len();
        let mut start = 0;
        let mut peaks = Vec::new();
        for (level, nodes) in self.levels.iter().enumerate().rev() {
            if size >> level & 1 == 1 {
                peaks.push(nodes[start >> level]);
                start += 1 << level;
            }
        }
        fold_right(&peaks)
    }
}

impl HashReader for MemoryTree {
    type Error = MerkleError;

    fn node(&self, level: u8, index: u64) -> Result<Hash, MerkleError> {
        let size = self.size();
        let node = usize::try_from(index).ok().and_then(|index| self.levels.get(level as usize)?.get(index));
        node.copied().ok_or(MerkleError::Index { index: index.saturating_mul(1 << level.min(63)), size })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// RFC 6962, section 2.1, word for word.
    pub(crate) fn defined_root(leaves: &[Hash]) -> Hash {
        match leaves {
            [] => Hash::of(b""),
            [leaf] => *leaf,
            _ => {
                let k = leaves.len().next_power_of_two() / 2;
                node_hash(&defined_root(&leaves[..k]), &defined_root(&leaves[k..]))
            }
        }
    }

    fn leaves(count: usize) -> Vec<Hash> {
        (0..count).map(|i| leaf_hash(format!("entry-{i}").as_bytes())).collect()
    }

    #[test]
    fn every_way_to_the_root_agrees_with_the_definition() {
        let all = leaves(3 * CHUNK_LEAVES + 5);
        let mut frontier = Frontier::new();
        for size in 0..=300 {
            let expected = defined_root(&all[..size]);
            assert_eq!(root(&all[..size]), expected, "{size}");
            assert_eq!(frontier.root(), expected, "{size}");
            let tree = MemoryTree::new(all[..size].to_vec());
            assert_eq!(tree.root(), expected, "{size}");
            assert_eq!(Frontier::read(&tree, size as u64).unwrap(), frontier, "{size}");
            frontier.push(all[size]);
        }
        for size in [CHUNK_LEAVES - 1, CHUNK_LEAVES, CHUNK_LEAVES + 1, 2 * CHUNK_LEAVES, all.len()] {
            let expected = defined_root(&all[..size]);
            assert_eq!(root_parallel(&all[..size]), expected, "{size}");
            assert_eq!(MemoryTree::new(all[..size].to_vec()).root(), expected, "{size}");
        }
    }

    #[test]
    fn one_thread_or_many_give_the_same_bytes() {
        let all = leaves(20_000);
        for threads in [1, 2, 8] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| {
                assert_eq!(root_parallel(&all), root(&all), "{threads} threads");
                assert_eq!(MemoryTree::new(all.clone()).root(), root(&all), "{threads} threads");
            });
        }
    }

    #[test]
    fn a_frontier_needs_one_peak_for_each_set_bit() {
        assert_eq!(Frontier::from_peaks(0, vec![]).unwrap().root(), EMPTY_ROOT);
        for (size, peaks) in [(0, 1), (1, 0), (5, 1), (5, 3), (8, 3)] {
            let refused = Frontier::from_peaks(size, vec![Hash::ZERO; peaks]).unwrap_err();
            assert_eq!(refused.code(), "LOG-PEAKS", "{size} {peaks}");
        }
    }

    #[test]
    fn pushing_shows_exactly_the_nodes_it_completes() {
        let all = leaves(64);
        let tree = MemoryTree::new(all.clone());
        let mut frontier = Frontier::new();
        let mut shown = 0;
        for (i, leaf) in all.iter().enumerate() {
            frontier.push_with(*leaf, |level, hash| {
                assert_eq!(tree.node(level, i as u64 >> level).unwrap(), hash);
                shown += 1;
            });
        }
        assert_eq!(shown, 127);
    }

    proptest! {
        #[test]
        fn a_frontier_restarted_anywhere_reaches_the_same_root(size in 0usize..700, cut in 0usize..700) {
            let all = leaves(size);
            let cut = cut.min(size);
            let mut first = Frontier::new();
            all[..cut].iter().for_each(|leaf| first.push(*leaf));
            let mut second = Frontier::from_peaks(first.size(), first.peaks().to_vec()).unwrap();
            all[cut..].iter().for_each(|leaf| second.push(*leaf));
            prop_assert_eq!(second.root(), defined_root(&all));
            prop_assert_eq!(second.size(), size as u64);
        }
    }
}

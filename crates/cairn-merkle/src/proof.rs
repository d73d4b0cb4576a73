//! Inclusion and consistency proofs of RFC 6962, sections 2.1.1 and 2.1.2, checked as in RFC 9162, sections 2.1.3.2 and
//! 2.1.4.2.
//!
//! Proofs are built from whole subtrees, asked of a [`HashReader`]. Checking is strict: a proof with a hash too few or
//! too many is refused even where the hashes used would lead to the right root.

use cairn_core::Hash;

use crate::MerkleError;
use crate::tree::{EMPTY_ROOT, fold_right, node_hash};

/// Something that knows the whole subtrees of a tree.
pub trait HashReader {
    /// What goes wrong when reading; indices outside the tree come as [`MerkleError`].
    type Error: From<MerkleError>;

    /// The root of leaves `index << level .. (index + 1) << level`, all of which exist.
    ///
    /// # Errors
    /// If that subtree is not whole, or cannot be read.
    fn node(&self, level: u8, index: u64) -> Result<Hash, Self::Error>;
}

/// The root of the tree of the first `size` leaves.
///
/// # Errors
/// Those of the reader.
pub fn root_at<R: HashReader + ?Sized>(reader: &R, size: u64) -> Result<Hash, R::Error> {
    range_root(reader, 0, size)
}

/// The hashes that lead from leaf `index` to the root of the first `size` leaves, from the bottom up.
///
/// # Errors
/// [`MerkleError::Index`] unless `index < size`, and those of the reader.
pub fn inclusion_proof<R: HashReader + ?Sized>(reader: &R, index: u64, size: u64) -> Result<Vec<Hash>, R::Error> {
    if index >= size {
        return Err(MerkleError::Index { index, size }.into());
    }
    let (mut start, mut end) = (0, size);
    let mut proof = Vec::new();
    while end - start > 1 {
        let split = start + split(end - start);
        if index < split {
            proof.push(range_root(reader, split, end)?);
            end = split;
        } else {
            proof.push(range_root(reader, start, split)?);
            start = split;
        }
    }
    proof.reverse();
    Ok(proof)
}

/// The hashes that show that the first `old` leaves of the tree of `new` leaves are the tree of `old` leaves.
/// Empty if `old` is 0 or `new`.
///
/// # Errors
/// [`MerkleError::Sizes`] if `old > new`, and those of the reader.
pub fn consistency_proof<R: HashReader + ?Sized>(reader: &R, old: u64, new: u64) -> Result<Vec<Hash>, R::Error> {
    if old > new {
        return Err(MerkleError::Sizes { old, new }.into());
    }
    let mut proof = Vec::new();
    if old == 0 || old == new {
        return Ok(proof);
    }
    let (mut start, mut end) = (0, new);
    while end != old {
        let split = start + split(end - start);
        if old <= split {
            proof.push(range_root(reader, split, end)?);
            end = split;
        } else {
            proof.push(range_root(reader, start, split)?);
            start = split;
        }
    }
    // The verifier knows the old root: the last subtree is left out only when it is that whole tree.
    if start > 0 {
        proof.push(range_root(reader, start, end)?);
    }
    proof.reverse();
    Ok(proof)
}

/// The largest power of two below `size`, for `size >= 2`.
const fn split(size: u64) -> u64 {
    1 << (63 - (size - 1).leading_zeros())
}

/// The root of leaves `start..end`, where `start` is a multiple of every power of two up to `end - start`.
fn range_root<R: HashReader + ?Sized>(reader: &R, start: u64, end: u64) -> Result<Hash, R::Error> {
    let size = end - start;
    let mut position = start;
    let mut subtrees = Vec::new();
    for level in (0..64u8).rev().filter(|level| size >> level & 1 == 1) {
        subtrees.push(reader.node(level, position >> level)?);
        position += 1 << level;
    }
    Ok(fold_right(&subtrees))
}

/// The root to which an inclusion proof leads.
///
/// # Errors
/// [`MerkleError::Index`] unless `index < size`, [`MerkleError::ProofLength`] if a hash is missing or left over.
pub fn root_from_inclusion(leaf: Hash, index: u64, size: u64, proof: &[Hash]) -> Result<Hash, MerkleError> {
    if index >= size {
        return Err(MerkleError::Index { index, size });
    }
    let wrong_length = || MerkleError::ProofLength { size, found: proof.len() };
    let (mut node, mut last) = (index, size - 1);
    let mut hash = leaf;
    for sibling in proof {
        if last == 0 {
            return Err(wrong_length());
        }
        if node & 1 == 1 || node == last {
            hash = node_hash(sibling, &hash);
            // At the right edge there may be levels without a sibling.
            let levels = if node == 0 { 0 } else { node.trailing_zeros() };
            node >>= levels;
            last >>= levels;
        } else {
            hash = node_hash(&hash, sibling);
        }
        node >>= 1;
        last >>= 1;
    }
    if last == 0 { Ok(hash) } else { Err(wrong_length()) }
}

/// Checks that the leaf stands at `index` in the tree of `size` leaves with this root.
///
/// # Errors
/// Those of [`root_from_inclusion`], and [`MerkleError::Root`] if the proof leads elsewhere.
pub fn verify_inclusion(leaf: Hash, index: u64, size: u64, root: Hash, proof: &[Hash]) -> Result<(), MerkleError> {
    expect_root(size, root, root_from_inclusion(leaf, index, size, proof)?)
}

/// Checks that the tree of `old` leaves is a prefix of the tree of `new` leaves.
///
/// The empty tree is a prefix of every tree, with an empty proof; its root must be [`EMPTY_ROOT`].
///
/// # Errors
/// [`MerkleError::Sizes`] if `old > new`; [`MerkleError::ProofLength`] if a hash is missing or left over;
/// [`MerkleError::Root`] if the proof leads to another root.
pub fn verify_consistency(
    old: u64,
    old_root: Hash,
    new: u64,
    new_root: Hash,
    proof: &[Hash],
) -> Result<(), MerkleError> {
    if old > new {
        return Err(MerkleError::Sizes { old, new });
    }
    let wrong_length = || MerkleError::ProofLength { size: new, found: proof.len() };
    if old == 0 || old == new {
        if !proof.is_empty() {
            return Err(wrong_length());
        }
        expect_root(old, if old == 0 { EMPTY_ROOT } else { new_root }, old_root)?;
        return if new == 0 { expect_root(new, EMPTY_ROOT, new_root) } else { Ok(()) };
    }
    let (first, rest) = if old.is_power_of_two() {
        (old_root, proof)
    } else {
        let (first, rest) = proof.split_first().ok_or_else(wrong_length)?;
        (*first, rest)
    };
    let levels = (old - 1).trailing_ones();
    let (mut node, mut last) = ((old - 1) >> levels, (new - 1) >> levels);
    let (mut old_hash, mut new_hash) = (first, first);
    for sibling in rest {
        if last == 0 {
            return Err(wrong_length());
        }
        if node & 1 == 1 || node == last {
            old_hash = node_hash(sibling, &old_hash);
            new_hash = node_hash(sibling, &new_hash);
            let levels = if node == 0 { 0 } else { node.trailing_zeros() };
            node >>= levels;
            last >>= levels;
        } else {
            new_hash = node_hash(&new_hash, sibling);
        }
        node >>= 1;
        last >>= 1;
    }
    if last != 0 {
        return Err(wrong_length());
    }
    expect_root(old, old_root, old_hash)?;
    expect_root(new, new_root, new_hash)
}

fn expect_root(size: u64, expected: Hash, computed: Hash) -> Result<(), MerkleError> {
    if computed == expected { Ok(()) } else { Err(MerkleError::Root { size, expected, computed }) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::tree::{MemoryTree, leaf_hash, root};

    fn tree(size: u64) -> (Vec<Hash>, MemoryTree) {
        let leaves: Vec<Hash> = (0..size).map(|i| leaf_hash(&i.to_le_bytes())).collect();
        (leaves.clone(), MemoryTree::new(leaves))
    }

    #[test]
    fn every_proof_of_every_small_tree_verifies_and_every_mutation_is_refused() {
        for size in 1..=34u64 {
            let (leaves, tree) = tree(size);
            let whole = root(&leaves);
            for index in 0..size {
                let leaf = leaves[index as usize];
                let proof = inclusion_proof(&tree, index, size).unwrap();
                verify_inclusion(leaf, index, size, whole, &proof).unwrap();
                for bad in mutations(&proof) {
                    verify_inclusion(leaf, index, size, whole, &bad).expect_err("mutated inclusion proof");
                }
                for other in (0..=size + 1).filter(|other| *other != index) {
                    verify_inclusion(leaf, other, size, whole, &proof).expect_err("another index");
                }
                verify_inclusion(Hash::ZERO, index, size, whole, &proof).expect_err("another leaf");
            }
            for old in 0..=size {
                let old_root = root(&leaves[..old as usize]);
                let proof = consistency_proof(&tree, old, size).unwrap();
                verify_consistency(old, old_root, size, whole, &proof).unwrap();
                for bad in mutations(&proof) {
                    verify_consistency(old, old_root, size, whole, &bad).expect_err("mutated consistency proof");
                }
                verify_consistency(old, Hash::ZERO, size, whole, &proof).expect_err("another old root");
                if old > 0 {
                    verify_consistency(old, old_root, size, Hash::ZERO, &proof).expect_err("another new root");
                }
            }
        }
    }

    fn mutations(proof: &[Hash]) -> Vec<Vec<Hash>> {
        let mut out = vec![[proof, &[Hash::ZERO]].concat(), [&[Hash::ZERO], proof].concat()];
        for i in 0..proof.len() {
            let mut without = proof.to_vec();
            without.remove(i);
            let mut changed = proof.to_vec();
            changed[i].0[31] ^= 1;
            out.extend([without, changed, proof[..i].to_vec()]);
        }
        out
    }

    #[test]
    fn sizes_and_indices_outside_the_tree_are_refused() {
        let (leaves, tree) = tree(5);
        assert_eq!(inclusion_proof(&tree, 5, 5).unwrap_err().code(), "LOG-INDEX");
        assert_eq!(inclusion_proof(&tree, 4, 6).unwrap_err().code(), "LOG-INDEX");
        assert_eq!(consistency_proof(&tree, 6, 5).unwrap_err().code(), "LOG-SIZES");
        let whole = root(&leaves);
        assert_eq!(verify_inclusion(leaves[0], 0, 0, EMPTY_ROOT, &[]).unwrap_err().code(), "LOG-INDEX");
        assert_eq!(verify_consistency(6, whole, 5, whole, &[]).unwrap_err().code(), "LOG-SIZES");
        assert_eq!(verify_consistency(0, whole, 5, whole, &[]).unwrap_err().code(), "LOG-PROOF-ROOT");
        assert_eq!(verify_consistency(0, EMPTY_ROOT, 0, whole, &[]).unwrap_err().code(), "LOG-PROOF-ROOT");
        verify_consistency(0, EMPTY_ROOT, 0, EMPTY_ROOT, &[]).unwrap();
    }

    proptest! {
        #[test]
        fn proofs_of_any_sizes_verify(size in 1u64..3000, index in 0u64..3000, old in 0u64..3000) {
            let (leaves, tree) = tree(size);
            let (index, old) = (index % size, old % (size + 1));
            let whole = root(&leaves);
            prop_assert_eq!(root_at(&tree, old).unwrap(), root(&leaves[..old as usize]));
            let proof = inclusion_proof(&tree, index, size).unwrap();
            verify_inclusion(leaves[index as usize], index, size, whole, &proof).unwrap();
            let proof = consistency_proof(&tree, old, size).unwrap();
            verify_consistency(old, root(&leaves[..old as usize]), size, whole, &proof).unwrap();
        }

        #[test]
        fn checking_never_panics(index: u64, size: u64, length in 0usize..70) {
            let proof = vec![Hash::ZERO; length];
            let _ = root_from_inclusion(Hash::ZERO, index, size, &proof);
            let _ = verify_consistency(index, Hash::ZERO, size, Hash::ZERO, &proof);
        }
    }
}

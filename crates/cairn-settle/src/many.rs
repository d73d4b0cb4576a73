//! One proof for many claims of one tree, in the form of OpenZeppelin's `MerkleProof.multiProofVerify`.
//!
//! Claims that stand near each other in the tree share most of their way to the root: a batch of neighbours costs little
//! more than its leaves. Which claims to batch is decided by the caller.

use std::collections::VecDeque;

use cairn_merkle::{ClaimLeaf, ClaimTree};

use crate::settlements::node_hash;
use crate::{SettleError, Word};

/// Claims with what proves all of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManyClaims {
    /// The claims, in the order that the proof needs.
    pub claims: Vec<ClaimLeaf>,
    /// Hashes from outside.
    pub proof: Vec<Word>,
    /// For each step: whether the second hash comes from the claims and what was made of them, or from the proof.
    pub flags: Vec<bool>,
}

/// A node on its way up, with the siblings that it still meets.
struct Climber {
    hash: Word,
    siblings: VecDeque<Word>,
}

impl ManyClaims {
    /// Proves the claims at these places of `leaves`, which are those that the tree was made of.
    ///
    /// # Errors
    /// [`SettleError::NoSuchClaim`] and [`SettleError::RepeatedClaim`].
    pub fn of(tree: &ClaimTree, leaves: &[ClaimLeaf], places: &[usize]) -> Result<Self, SettleError> {
        let mut chosen = Vec::with_capacity(places.len());
        for &place in places {
            let unknown = || SettleError::NoSuchClaim { index: place, count: leaves.len() };
            let leaf = leaves.get(place).ok_or_else(unknown)?;
            chosen.push((leaf.hash(), place, tree.proof(place).ok_or_else(unknown)?));
        }
        // Ascending hashes are descending places in the heap: the deepest first, siblings side by side.
        chosen.sort_unstable();
        if let Some(pair) = chosen.windows(2).find(|pair| pair[0].1 == pair[1].1) {
            return Err(SettleError::RepeatedClaim { index: pair[0].1 });
        }
        let claims = chosen.iter().map(|(_, place, _)| leaves[*place]).collect();
        let climb = |(hash, _, proof): (Word, usize, Vec<Word>)| Climber { hash, siblings: proof.into() };
        let (proof, flags) = join(chosen.into_iter().map(climb).collect());
        Ok(Self { claims, proof, flags })
    }
}

/// Joins nodes pair by pair as the verifier does, and notes what it has to be told.
fn join(mut queue: VecDeque<Climber>) -> (Vec<Word>, Vec<bool>) {
    let (mut proof, mut flags) = (Vec::new(), Vec::new());
    while let Some(mut node) = queue.pop_front() {
        let Some(sibling) = node.siblings.pop_front() else { break };
        let met = queue.front().is_some_and(|other| other.hash == sibling);
        if met {
            queue.pop_front();
        } else {
            proof.push(sibling);
        }
        flags.push(met);
        queue.push_back(Climber { hash: node_hash(&node.hash, &sibling), siblings: node.siblings });
    }
    (proof, flags)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::abi::uint_word;

    fn leaves(count: u64) -> Vec<ClaimLeaf> {
        let leaf = |i: u64| ClaimLeaf {
            domain: uint_word(1u8),
            distributor: [9; 32],
            account: uint_word(i),
            cumulative: u128::from(i) + 1,
        };
        (0..count).map(leaf).collect()
    }

    /// `MerkleProof.processMultiProof`, as the contract does it.
    fn process(many: &ManyClaims) -> Option<Word> {
        if many.claims.len() + many.proof.len() != many.flags.len() + 1 {
            return None;
        }
        let mut queue: VecDeque<Word> = many.claims.iter().map(ClaimLeaf::hash).collect();
        let mut proof = many.proof.iter();
        for &met in &many.flags {
            let a = queue.pop_front()?;
            let b = if met { queue.pop_front()? } else { *proof.next()? };
            queue.push_back(node_hash(&a, &b));
        }
        queue.pop_back()
    }

    #[test]
    fn any_choice_of_claims_of_any_small_tree_is_proven() {
        for count in 1..=9u64 {
            let leaves = leaves(count);
            let tree = ClaimTree::new(&leaves).unwrap();
            for choice in 1..1usize << count {
                let places: Vec<usize> = (0..count as usize).filter(|place| choice >> place & 1 == 1).collect();
                let many = ManyClaims::of(&tree, &leaves, &places).unwrap();
                assert_eq!(process(&many), Some(tree.root()), "{choice:b} of {count}");
            }
        }
    }

    #[test]
    fn all_claims_together_need_no_hash_from_outside() {
        let leaves = leaves(100);
        let tree = ClaimTree::new(&leaves).unwrap();
        let all: Vec<usize> = (0..100).rev().collect();
        assert!(ManyClaims::of(&tree, &leaves, &all).unwrap().proof.is_empty());
        assert_eq!(ManyClaims::of(&tree, &leaves, &[100]).unwrap_err().code(), "STL-CLAIM-UNKNOWN");
        assert_eq!(ManyClaims::of(&tree, &leaves, &[1, 2, 1]).unwrap_err().code(), "STL-CLAIM-REPEATED");
    }
}

//! The claim tree: who may be paid how much, in the form that contracts check (OpenZeppelin `merkle-tree`,
//! `standard-v1`).
//!
//! A leaf is `keccak256(keccak256(abi.encode(uint256 domain, bytes32 distributor, bytes32 account, uint256
//! cumulative)))`; a node is the keccak256 of its two children, the smaller first; leaves are sorted by hash and stand
//! at the end of a binary heap, in reverse. The tree without leaves, which the package does not define, has the root of
//! 32 zero bytes here, and no claim verifies against it.
//!
//! This module hashes and proves. Who earned what is decided elsewhere.

use cairn_core::Hash;
use rayon::prelude::*;

use crate::MerkleError;

/// A keccak256 digest or another 32-byte word of the EVM. Not a [`cairn_core::Hash`]: that is SHA-256.
pub type Word = [u8; 32];

/// The root of the tree without claims.
pub const EMPTY_CLAIM_ROOT: Word = [0; 32];

/// Nodes hashed by one task.
const TASK_NODES: usize = 1024;

pub use cairn_core::keccak256;

/// One claim: everything that `account` was ever granted by `distributor` in `domain`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ClaimLeaf {
    /// The settlement domain, see [`cairn_core::Domain::claim_word`].
    pub domain: Word,
    /// The contract that pays.
    pub distributor: Word,
    /// Who is paid.
    pub account: Word,
    /// Base units granted since the first epoch.
    pub cumulative: u128,
}

impl ClaimLeaf {
    /// `abi.encode(domain, distributor, account, cumulative)`.
    #[must_use]
    pub fn encode(&self) -> [u8; 128] {
        let mut bytes = [0; 128];
        bytes[..32].copy_from_slice(&self.domain);
        bytes[32..64].copy_from_slice(&self.distributor);
        bytes[64..96].copy_from_slice(&self.account);
        bytes[112..].copy_from_slice(&self.cumulative.to_be_bytes());
        bytes
    }

    /// The hash of this leaf: keccak256 twice, so that no inner node can pass for a leaf.
    #[must_use]
    pub fn hash(&self) -> Word {
        keccak256(&keccak256(&self.encode()))
    }
}

fn node_hash(a: &Word, b: &Word) -> Word {
    let (low, high) = if a <= b { (a, b) } else { (b, a) };
    let mut bytes = [0; 64];
    bytes[..32].copy_from_slice(low);
    bytes[32..].copy_from_slice(high);
    keccak256(&bytes)
}

/// The tree over a list of claims, with every node kept (64 bytes for each claim).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimTree {
    /// A binary heap: the children of `i` are `2i + 1` and `2i + 2`.
    nodes: Vec<Word>,
    /// Where each claim stands in the heap, in the order in which they were given.
    positions: Vec<usize>,
}

impl ClaimTree {
    /// Builds the tree. Uses the current rayon pool; the bytes do not depend on it, nor on the order of the claims.
    ///
    /// # Errors
    /// [`MerkleError::RepeatedClaim`] if two claims name the same account of the same distributor and domain: a
    /// cumulative claim stands alone.
    pub fn new(leaves: &[ClaimLeaf]) -> Result<Self, MerkleError> {
        refuse_repeated(leaves)?;
        let hash = |(given, leaf): (usize, &ClaimLeaf)| (leaf.hash(), given);
        let mut sorted: Vec<(Word, usize)> = leaves.par_iter().enumerate().map(hash).collect();
        sorted.par_sort_unstable();
        let count = (2 * leaves.len()).saturating_sub(1);
        let mut nodes = vec![[0; 32]; count];
        let mut positions = vec![0; leaves.len()];
        for (rank, (hash, given)) in sorted.into_iter().enumerate() {
            nodes[count - 1 - rank] = hash;
            positions[given] = count - 1 - rank;
        }
        hash_inner_nodes(&mut nodes, leaves.len());
        Ok(Self { nodes, positions })
    }

    /// The root: [`EMPTY_CLAIM_ROOT`] if there are no claims.
    #[must_use]
    pub fn root(&self) -> Word {
        self.nodes.first().copied().unwrap_or(EMPTY_CLAIM_ROOT)
    }

    /// Number of claims.
    #[must_use]
    pub fn len(&self) -> usize {
        self.positions.len()
    }

    /// Whether there are no claims.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.positions.is_empty()
    }

    /// The proof of the claim given at place `given`, from the leaf's sibling up. `None` if there is no such claim.
    #[must_use]
    pub fn proof(&self, given: usize) -> Option<Vec<Word>> {
        self.positions.get(given).map(|position| self.proof_from(*position))
    }

    /// The proof of the claim whose leaf has this hash, as [`ClaimTree::proof`] gives it. `None` if there is no such claim.
    #[must_use]
    pub fn proof_of(&self, leaf: &Word) -> Option<Vec<Word>> {
        let first = self.nodes.len() - self.len();
        // Leaves stand at the end, in reverse.
        let rank = self.nodes[first..].binary_search_by(|hash| leaf.cmp(hash)).ok()?;
        Some(self.proof_from(first + rank))
    }

    fn proof_from(&self, mut position: usize) -> Vec<Word> {
        let mut proof = Vec::with_capacity((position + 1).ilog2() as usize);
        while position > 0 {
            let sibling = if position % 2 == 1 { position + 1 } else { position - 1 };
            proof.push(self.nodes[sibling]);
            position = (position - 1) / 2;
        }
        proof
    }

    /// The proofs of all claims, in the order in which they were given.
    ///
    /// About `32 * log2(n)` bytes each; ask for [`ClaimTree::proof`] where they need not all be held at once.
    #[must_use]
    pub fn all_proofs(&self) -> Vec<Vec<Word>> {
        let proof = |given| self.proof(given).expect("every given claim has a place");
        (0..self.len()).into_par_iter().map(proof).collect()
    }
}

fn refuse_repeated(leaves: &[ClaimLeaf]) -> Result<(), MerkleError> {
    let account = |leaf: &ClaimLeaf| (leaf.account, leaf.distributor, leaf.domain);
    let mut accounts: Vec<_> = leaves.iter().map(account).collect();
    accounts.par_sort_unstable();
    match accounts.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => Err(MerkleError::RepeatedClaim { account: Hash(pair[0].0).to_hex() }),
        None => Ok(()),
    }
}

/// Hashes the inner nodes of a heap with `leaves` leaves, deepest row first.
fn hash_inner_nodes(nodes: &mut [Word], leaves: usize) {
    let inner = leaves.saturating_sub(1);
    let mut row_start = inner.checked_ilog2().map_or(0, |depth| 1usize << depth) * 2;
    while row_start > 1 {
        row_start /= 2;
        // Rows are counted from 1 here: row `s..2s` of that count is `s - 1..2s - 1` in the slice, its children follow.
        let (upper, children) = nodes.split_at_mut((2 * row_start - 1).min(nodes.len()));
        let row = &mut upper[row_start - 1..inner.min(2 * row_start - 1)];
        let pairs = children.par_chunks_exact(2).with_min_len(TASK_NODES);
        row.par_iter_mut().zip(pairs).for_each(|(node, pair)| *node = node_hash(&pair[0], &pair[1]));
    }
}

/// Checks that a claim stands under `root`.
///
/// # Errors
/// [`MerkleError::Claim`] if the proof leads elsewhere, or the root is that of the empty tree.
pub fn verify_claim(root: &Word, leaf: &ClaimLeaf, proof: &[Word]) -> Result<(), MerkleError> {
    let reached = proof.iter().fold(leaf.hash(), |hash, sibling| node_hash(&hash, sibling));
    if reached == *root && *root != EMPTY_CLAIM_ROOT {
        return Ok(());
    }
    Err(MerkleError::Claim { account: Hash(leaf.account).to_hex(), root: Hash(*root).to_hex() })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn leaf(account: u64, cumulative: u128) -> ClaimLeaf {
        let mut word = [0; 32];
        word[24..].copy_from_slice(&account.to_be_bytes());
        let domain = cairn_core::Domain::parse("eip155:31337").unwrap().claim_word();
        ClaimLeaf { domain, distributor: [9; 32], account: word, cumulative }
    }

    #[test]
    fn keccak_is_that_of_the_evm() {
        let empty = "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470";
        assert_eq!(Hash(keccak256(b"")).to_hex(), empty);
    }

    #[test]
    fn the_empty_tree_has_the_zero_root_and_proves_nothing() {
        let tree = ClaimTree::new(&[]).unwrap();
        assert!(tree.is_empty());
        assert_eq!(tree.root(), [0; 32]);
        assert_eq!(tree.proof(0), None);
        assert!(tree.all_proofs().is_empty());
        verify_claim(&EMPTY_CLAIM_ROOT, &leaf(1, 1), &[]).expect_err("nothing stands under the empty root");
    }

    #[test]
    fn an_account_claims_once() {
        let refused = ClaimTree::new(&[leaf(1, 5), leaf(2, 5), leaf(1, 6)]).unwrap_err();
        assert_eq!(refused.code(), "LOG-CLAIM-REPEATED");
        let elsewhere = ClaimLeaf { distributor: [8; 32], ..leaf(1, 5) };
        ClaimTree::new(&[leaf(1, 5), elsewhere]).unwrap();
    }

    #[test]
    fn one_thread_or_many_give_the_same_bytes() {
        let leaves: Vec<ClaimLeaf> = (0..5000).map(|i| leaf(i, u128::from(i) * 3)).collect();
        let build = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| ClaimTree::new(&leaves).unwrap())
        };
        let (one, eight) = (build(1), build(8));
        assert_eq!(one.nodes, eight.nodes);
        assert_eq!(one.positions, eight.positions);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn every_claim_verifies_and_no_other_does(count in 1usize..200, salt: u64, rotation in 0usize..200) {
            let mut leaves: Vec<ClaimLeaf> = (0..count as u64).map(|i| leaf(i ^ salt, u128::from(i) << 70)).collect();
            let tree = ClaimTree::new(&leaves).unwrap();
            let proofs = tree.all_proofs();
            for (leaf, proof) in leaves.iter().zip(&proofs) {
                verify_claim(&tree.root(), leaf, proof).unwrap();
                let more = ClaimLeaf { cumulative: leaf.cumulative + 1, ..*leaf };
                prop_assert!(verify_claim(&tree.root(), &more, proof).is_err());
                prop_assert_eq!(tree.proof_of(&leaf.hash()), Some(proof.clone()));
                prop_assert_eq!(tree.proof_of(&more.hash()), None);
            }
            leaves.rotate_left(rotation % count);
            prop_assert_eq!(ClaimTree::new(&leaves).unwrap().root(), tree.root());
        }
    }
}

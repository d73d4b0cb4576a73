//! The settlements tree: one row for each chain that an epoch is paid on.
//!
//! A leaf is `keccak256(keccak256(abi.encode(uint256 domain, bytes32 distributor, bytes32 claimRoot, uint256 leaves, uint256
//! cumulative)))`, 160 bytes inside; the tree is OpenZeppelin's `standard-v1`, as that of claims
//! ([`cairn_merkle::claim`]), whose leaves hold 128 bytes, so that no row can pass for a claim. Rows come from the epoch
//! statement's `domains` and from nowhere else. Without rows the root is 32 zero bytes, and nothing verifies against it.

use cairn_core::Hash;
use cairn_core::epoch::{DomainClaims, EpochStatement};
use cairn_core::keccak256;

use crate::abi::uint_word;
use crate::{SettleError, Word};

/// The root without rows.
pub const EMPTY_SETTLEMENTS_ROOT: Word = [0; 32];

/// What one contract on one chain may open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SettlementRow {
    /// The chain, see [`cairn_core::Domain::claim_word`].
    pub domain: Word,
    /// The contract that pays.
    pub distributor: Word,
    /// Root of the claim tree.
    pub claim_root: Word,
    /// Claims in it.
    pub leaves: u64,
    /// Sum of their cumulative totals, base units.
    pub cumulative: u128,
}

impl SettlementRow {
    /// The row of what a statement says of one chain.
    #[must_use]
    pub fn of(claims: &DomainClaims) -> Self {
        Self {
            domain: claims.domain.claim_word(),
            distributor: claims.distributor,
            claim_root: claims.claim_root,
            leaves: claims.leaves,
            cumulative: claims.cumulative.0,
        }
    }

    /// `abi.encode(domain, distributor, claimRoot, leaves, cumulative)`.
    #[must_use]
    pub fn encode(&self) -> [u8; 160] {
        let words =
            [self.domain, self.distributor, self.claim_root, uint_word(self.leaves), uint_word(self.cumulative)];
        let mut bytes = [0; 160];
        bytes.copy_from_slice(words.as_flattened());
        bytes
    }

    /// The leaf's hash.
    #[must_use]
    pub fn hash(&self) -> Word {
        keccak256(&keccak256(&self.encode()))
    }
}

/// The tree over the rows of one epoch.
#[derive(Debug, Clone)]
pub struct SettlementsTree {
    /// A binary heap: the children of `i` are `2i + 1` and `2i + 2`.
    nodes: Vec<Word>,
    /// Where each row stands, in the order in which they were given.
    positions: Vec<usize>,
}

impl SettlementsTree {
    /// The tree of what a statement says.
    ///
    /// # Errors
    /// [`SettleError::RepeatedRow`].
    pub fn of(statement: &EpochStatement) -> Result<Self, SettleError> {
        let rows: Vec<SettlementRow> = statement.domains.iter().map(SettlementRow::of).collect();
        Self::new(&rows)
    }

    /// The tree over rows.
    ///
    /// # Errors
    /// [`SettleError::RepeatedRow`] if two rows are for one contract on one chain: each proves its own, and there is one.
    pub fn new(rows: &[SettlementRow]) -> Result<Self, SettleError> {
        for (place, row) in rows.iter().enumerate() {
            if rows[..place].iter().any(|other| (other.domain, other.distributor) == (row.domain, row.distributor)) {
                return Err(SettleError::RepeatedRow { distributor: Hash(row.distributor).to_hex() });
            }
        }
        let mut sorted: Vec<(Word, usize)> = rows.iter().enumerate().map(|(given, row)| (row.hash(), given)).collect();
        sorted.sort_unstable();
        let count = (2 * rows.len()).saturating_sub(1);
        let (mut nodes, mut positions) = (vec![[0; 32]; count], vec![0; rows.len()]);
        for (rank, (hash, given)) in sorted.into_iter().enumerate() {
            nodes[count - 1 - rank] = hash;
            positions[given] = count - 1 - rank;
        }
        for inner in (0..rows.len().saturating_sub(1)).rev() {
            nodes[inner] = node_hash(&nodes[2 * inner + 1], &nodes[2 * inner + 2]);
        }
        Ok(Self { nodes, positions })
    }

    /// The root: [`EMPTY_SETTLEMENTS_ROOT`] without rows.
    #[must_use]
    pub fn root(&self) -> Word {
        self.nodes.first().copied().unwrap_or(EMPTY_SETTLEMENTS_ROOT)
    }

    /// The proof of the row given at this place, from the leaf's sibling up. `None` if there is no such row.
    #[must_use]
    pub fn proof(&self, given: usize) -> Option<Vec<Word>> {
        let mut position = *self.positions.get(given)?;
        let mut proof = Vec::new();
        while position > 0 {
            proof.push(self.nodes[if position % 2 == 1 { position + 1 } else { position - 1 }]);
            position = (position - 1) / 2;
        }
        Some(proof)
    }
}

/// keccak256 of two nodes, the smaller first.
pub(crate) fn node_hash(a: &Word, b: &Word) -> Word {
    let (low, high) = if a <= b { (a, b) } else { (b, a) };
    keccak256(&[*low, *high].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(distributor: u8) -> SettlementRow {
        SettlementRow {
            domain: uint_word(1u8),
            distributor: [distributor; 32],
            claim_root: [3; 32],
            leaves: 2,
            cumulative: 900,
        }
    }

    #[test]
    fn a_contract_has_one_row() {
        assert_eq!(SettlementsTree::new(&[]).unwrap().root(), EMPTY_SETTLEMENTS_ROOT);
        assert_eq!(SettlementsTree::new(&[row(1)]).unwrap().root(), row(1).hash(), "one row is its own root");
        assert_eq!(SettlementsTree::new(&[row(1), row(2), row(1)]).unwrap_err().code(), "STL-ROW-REPEATED");
        SettlementsTree::new(&[row(1), SettlementRow { domain: uint_word(2u8), ..row(1) }]).unwrap();
    }

    #[test]
    fn every_row_is_proven_in_trees_of_every_small_size() {
        for count in 1..=33u8 {
            let rows: Vec<SettlementRow> = (0..count).map(row).collect();
            let tree = SettlementsTree::new(&rows).unwrap();
            for (given, row) in rows.iter().enumerate() {
                let proof = tree.proof(given).unwrap();
                assert_eq!(proof.iter().fold(row.hash(), |hash, sibling| node_hash(&hash, sibling)), tree.root());
            }
            assert_eq!(tree.proof(usize::from(count)), None);
        }
    }
}

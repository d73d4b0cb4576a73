//! A table of canonical rows as a tree, for proofs that a row is in it.

use cairn_api::ProofInfo;
use cairn_core::Hash;
use cairn_merkle::proof;
use cairn_merkle::tree::{MemoryTree, leaf_hash};
use data_encoding::HEXLOWER;

/// A table, hashed.
pub(crate) struct RowTree {
    tree: MemoryTree,
    rows: Vec<Vec<u8>>,
}

impl RowTree {
    /// The table of these rows, in their order.
    pub fn of(rows: &[&[u8]]) -> Self {
        let leaves: Vec<Hash> = rows.iter().map(|row| leaf_hash(row)).collect();
        Self { tree: MemoryTree::new(leaves), rows: rows.iter().map(|row| row.to_vec()).collect() }
    }

    /// The proof of the row at a position; the root is told as the statement has it.
    pub fn proof(&self, at: usize, root: Hash) -> ProofInfo {
        let size = self.tree.size();
        let proof = proof::inclusion_proof(&self.tree, at as u64, size).expect("the row is in its own table");
        ProofInfo {
            leaf: HEXLOWER.encode(&self.rows[at]),
            index: at as u64,
            size,
            proof: proof.iter().map(Hash::to_hex).collect(),
            root: root.to_hex(),
        }
    }
}

//! Receipts: C2SP `tlog-proof` version 1, the text that shows offline that an entry stands in a log.
//!
//! A receipt does not hold the entry: whoever checks it brings the entry, or its leaf hash. The `extra` bytes are not
//! covered by any signature; Cairn writes none and believes none.

use core::fmt;
use core::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cairn_core::Hash;

use crate::checkpoint::{parse_decimal, parse_hash};
use crate::note::NoteVerifier;
use crate::proof::verify_inclusion;
use crate::{MerkleError, SignedCheckpoint};

const HEADER: &str = "c2sp.org/tlog-proof@v1";

/// A tree of 2^64 leaves would need this many hashes.
const PROOF_HASHES_MAX: usize = 64;

/// An inclusion proof with the checkpoint it leads to; shown and parsed as a `.tlog-proof` file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// Bytes for the application, not authenticated.
    pub extra: Option<Vec<u8>>,
    /// The index of the entry.
    pub index: u64,
    /// The hashes from the leaf's sibling up.
    pub proof: Vec<Hash>,
    /// The signed checkpoint, as served.
    pub checkpoint: String,
}

impl Receipt {
    /// Checks that the leaf with this hash stands at [`Receipt::index`] of the log, as signed by the log's key.
    ///
    /// Returns the checkpoint with the known witnesses that cosigned it; how many are enough is the caller's policy.
    ///
    /// # Errors
    /// Those of [`SignedCheckpoint::open`] and [`verify_inclusion`].
    pub fn verify(
        &self,
        leaf: Hash,
        log: &NoteVerifier,
        witnesses: &[NoteVerifier],
    ) -> Result<SignedCheckpoint, MerkleError> {
        let signed = SignedCheckpoint::open(&self.checkpoint, log, witnesses)?;
        let (size, root) = (signed.checkpoint.size(), signed.checkpoint.root());
        verify_inclusion(leaf, self.index, size, root, &self.proof)?;
        Ok(signed)
    }
}

impl fmt::Display for Receipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{HEADER}")?;
        if let Some(extra) = &self.extra {
            writeln!(f, "extra {}", STANDARD.encode(extra))?;
        }
        writeln!(f, "index {}", self.index)?;
        for hash in &self.proof {
            writeln!(f, "{}", STANDARD.encode(hash.0))?;
        }
        write!(f, "\n{}", self.checkpoint)
    }
}

impl FromStr for Receipt {
    type Err = MerkleError;

    fn from_str(text: &str) -> Result<Self, MerkleError> {
        let refuse = |reason| MerkleError::Receipt { reason };
        // The head holds no blank line, the checkpoint may.
        let (head, checkpoint) = text.split_once("\n\n").ok_or(refuse("no blank line before the checkpoint"))?;
        let mut lines = head.split('\n').peekable();
        if lines.next() != Some(HEADER) {
            return Err(refuse("the first line is not `c2sp.org/tlog-proof@v1`"));
        }
        let extra = lines.next_if(|line| line.starts_with("extra ")).map(|line| STANDARD.decode(&line[6..]));
        let extra = extra.transpose().map_err(|_| refuse("the extra bytes are not base64"))?;
        let index = lines.next().and_then(|line| parse_decimal(line.strip_prefix("index ")?));
        let index = index.ok_or(refuse("no `index` line with a decimal number"))?;
        let proof: Option<Vec<Hash>> = lines.take(PROOF_HASHES_MAX + 1).map(parse_hash).collect();
        let proof = proof.ok_or(refuse("a proof line is not the base64 of 32 bytes"))?;
        if proof.len() > PROOF_HASHES_MAX {
            return Err(refuse("the proof has more than 64 hashes"));
        }
        Ok(Self { extra, index, proof, checkpoint: checkpoint.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use cairn_core::ed25519::SigningKey;

    use super::*;
    use crate::proof::inclusion_proof;
    use crate::tree::{MemoryTree, leaf_hash};
    use crate::{Checkpoint, NoteSigner};

    fn receipt() -> (Receipt, Hash, NoteSigner) {
        let leaves: Vec<Hash> = (0..7u8).map(|i| leaf_hash(&[i])).collect();
        let tree = MemoryTree::new(leaves.clone());
        let log = NoteSigner::new("log.example", SigningKey::from_seed([1; 32])).unwrap();
        let checkpoint = Checkpoint::new("log.example", 7, tree.root()).unwrap().sign(&log, &[]).unwrap();
        let proof = inclusion_proof(&tree, 4, 7).unwrap();
        (Receipt { extra: None, index: 4, proof, checkpoint: checkpoint.to_string() }, leaves[4], log)
    }

    #[test]
    fn a_receipt_round_trips_and_verifies_for_its_leaf_and_log_only() {
        let (receipt, leaf, log) = receipt();
        assert_eq!(receipt.to_string().parse::<Receipt>().unwrap(), receipt);
        receipt.verify(leaf, log.verifier(), &[]).unwrap();
        assert_eq!(receipt.verify(leaf_hash(b"x"), log.verifier(), &[]).unwrap_err().code(), "LOG-PROOF-ROOT");
        let other = NoteSigner::new("log.example", SigningKey::from_seed([2; 32])).unwrap();
        assert_eq!(receipt.verify(leaf, other.verifier(), &[]).unwrap_err().code(), "LOG-UNSIGNED");
        let with_extra = Receipt { extra: Some(b"why not".to_vec()), ..receipt };
        assert_eq!(with_extra.to_string().parse::<Receipt>().unwrap(), with_extra);
        with_extra.verify(leaf, log.verifier(), &[]).unwrap();
    }

    #[test]
    fn what_is_not_a_receipt_is_refused() {
        let text = receipt().0.to_string();
        for (from, to) in [
            ("c2sp.org/tlog-proof@v1", "c2sp.org/tlog-proof@v2"),
            ("index 4", "index 04"),
            ("index 4", "index +4"),
            ("index 4", "Index 4"),
            ("index 4\n", ""),
            ("index 4\n", "index 4\nindex 4\n"),
            ("index 4\n", "index 4\nAAAA\n"),
            ("index 4\n", "extra *\nindex 4\n"),
            ("\n\n", "\n"),
        ] {
            let bad = text.replace(from, to);
            assert_eq!(bad.parse::<Receipt>().expect_err(&bad).code(), "LOG-RECEIPT");
        }
        let hash = STANDARD.encode([0; 32]) + "\n";
        let long = text.replace("index 4\n", &format!("index 4\n{}", hash.repeat(65)));
        assert_eq!(long.parse::<Receipt>().unwrap_err().code(), "LOG-RECEIPT");
    }
}

//! Whether a promise was kept: what the log shows at the promised indices.

use cairn_core::Hash;
use cairn_log::Promise;
use cairn_merkle::proof::{inclusion_proof, verify_inclusion};
use cairn_merkle::tile::TiledHashes;
use cairn_merkle::{NoteVerifier, SignedCheckpoint};

use crate::{Client, ClientError};

/// What became of a promise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kept {
    /// Every promised entry is under the checkpoint.
    Kept {
        /// Entries under the checkpoint.
        size: u64,
    },
    /// The checkpoint does not reach the promised entry yet.
    NotYet {
        /// The first promised index that it does not reach.
        index: u64,
        /// Entries under the checkpoint.
        size: u64,
    },
    /// What is served at a promised index does not lead to the checkpoint: the log has another leaf there, or the gateway
    /// serves tiles that are not the log's. An audit tells which; the promise and the checkpoint are what to keep.
    Broken {
        /// The index.
        index: u64,
        /// The leaf hash promised.
        promised: Hash,
        /// The log's signed checkpoint.
        checkpoint: String,
    },
}

impl Client {
    /// Holds a promise against the log: each promised leaf must be included under the last checkpoint that `log` signed.
    ///
    /// # Errors
    /// [`ClientError`] when the checkpoint or a tile cannot be had, or `log` did not sign the checkpoint.
    pub fn kept(&self, promise: &Promise, log: &NoteVerifier) -> Result<Kept, ClientError> {
        let note = self.checkpoint()?;
        let checkpoint = SignedCheckpoint::open(&note, log, &[])?.checkpoint;
        let (size, root) = (checkpoint.size(), checkpoint.root());
        let hashes = TiledHashes::new(self, size);
        let mut first_unreached = None;
        for &(index, promised) in &promise.entries {
            if index >= size {
                first_unreached.get_or_insert(index);
                continue;
            }
            let proof = inclusion_proof(&hashes, index, size)?;
            if verify_inclusion(promised, index, size, root, &proof).is_err() {
                return Ok(Kept::Broken { index, promised, checkpoint: note });
            }
        }
        Ok(first_unreached.map_or(Kept::Kept { size }, |index| Kept::NotYet { index, size }))
    }
}

//! RFC 6962 trees, tiles, checkpoints, signed notes, promises and proofs; the claim tree.
//!
//! Formats are those of C2SP (`tlog-tiles`, `tlog-checkpoint`, `signed-note`, `tlog-cosignature`, `tlog-witness`,
//! `tlog-policy`, `tlog-proof`), so that any public client of such logs reads ours, and those of OpenZeppelin's
//! `merkle-tree` (`standard-v1`), so that any contract built on it accepts our claims. Parsers are strict: one text, one
//! meaning, no trailing bytes.
//!
//! Everything here is pure: nothing is read, written or fetched, and a thread more or less changes no byte.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::cast_possible_truncation))]

pub mod checkpoint;
pub mod claim;
pub mod cosignature;
mod error;
pub mod note;
pub mod promise;
pub mod proof;
pub mod receipt;
pub mod tile;
pub mod tree;
pub mod trust;
pub mod witness;

pub use checkpoint::{Checkpoint, SignedCheckpoint};
pub use claim::{ClaimLeaf, ClaimTree};
pub use cosignature::Cosigner;
pub use error::MerkleError;
pub use note::{Note, NoteSigner, NoteVerifier};
pub use promise::Promise;
pub use proof::HashReader;
pub use receipt::Receipt;
pub use tile::{TileLevel, TilePath};
pub use tree::{Frontier, MemoryTree};
pub use trust::TrustPolicy;
pub use witness::AddCheckpoint;

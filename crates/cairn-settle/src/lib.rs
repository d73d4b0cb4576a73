//! What a settlement chain is told of a network: the message that auditors sign, the tree of settlement rows, the claims,
//! the contracts, and the calls to them.
//!
//! Promises: every hash here is the one that the contracts compute, and every call is one that they have; tests run the
//! committed bytecode inside an EVM of their own to hold it. What is not here yet: sending anything. Nothing in this crate
//! opens a connection, reads a file or asks for the time.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::cast_possible_truncation))]

pub mod abi;
pub mod artifacts;
pub mod calls;
mod error;
pub mod many;
pub mod message;
pub mod settlements;
pub mod told;

pub use artifacts::Contract;
pub use error::SettleError;
pub use many::ManyClaims;
pub use message::{AuditorsMessage, EpochMessage};
pub use settlements::{SettlementRow, SettlementsTree};

/// A 32-byte word of the EVM.
pub type Word = [u8; 32];

/// The last 20 bytes of a word: an account of an EVM chain.
pub type EvmAddress = [u8; 20];

//! Settlement chains: an embedded EVM and any other over JSON-RPC behind one trait, wallets, and what is sent to them.
//!
//! Promises: both kinds of chain run the same contracts and take the same signed transactions, so what works on one works on
//! the other; a transaction is written down before it is sent, and whoever begins again after a crash sends that one and no
//! other. What is signed and what is called is said by `cairn-settle`.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::cast_possible_truncation))]

pub mod chain;
pub mod contracts;
pub mod deployment;
pub mod deposits;
pub mod embedded;
mod error;
pub mod keystore;
pub mod outbox;
pub mod paying;
pub mod posting;
pub mod rlp;
pub mod rpc;
pub mod terms;
pub mod transaction;

pub use chain::{At, Block, Call, Chain, Fees, LogFilter, Logged, Receipt};
pub use contracts::{Contracts, Reader};
pub use deployment::Deployment;
pub use embedded::Embedded;
pub use error::ChainError;
pub use keystore::Keystore;
pub use outbox::Outbox;
pub use rpc::Rpc;
pub use terms::Terms;
pub use transaction::{SignedTransaction, Transaction, TransactionError};

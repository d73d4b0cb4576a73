//! A till: takes payments over HTTP 402 on an EVM chain, orders with its own credit in the network, and gives back what it did
//! not need.
//!
//! Promises: a payment is written down, durably, before it is settled, and an order before it is submitted; so the same payment
//! again, at any time and after any crash, is the same purchase: it is settled once, ordered for once, and either ordered for or
//! paid back, never both. Nobody is told that a payment was not made while the till might still have it made. What goes back is signed with the
//! payment's name as its nonce, so the token itself lets it happen once.
//!
//! What it does not do: hold money for anybody beyond that, take other tokens than the network's own, or make its credit itself:
//! its operator deposits, and the tokens that buyers pay are the operator's.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::cast_possible_truncation))]

mod error;
mod evm;
mod keeper;
mod price;
mod purse;
mod record;
mod steps;
mod store;
mod text;

pub use error::TillError;
pub use evm::{EvmPurse, Wallet, token_domain};
pub use keeper::{Keeper, Options};
pub use price::Price;
pub use purse::{Head, Purse, Seen, Unsent};
pub use record::{Back, End, Record, Sold, Stage, Why};

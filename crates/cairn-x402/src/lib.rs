//! Payments over HTTP 402: x402 with the scheme `exact` on EVM chains, where a payer signs a transfer (EIP-3009) that whoever is
//! paid sends.
//!
//! Promises: what is read is bounded and has a code when it is refused; a payment that passes [`Demand::check`] was signed by
//! its payer for exactly this token, chain, receiver, amount and time, and no flipped bit of it passes as the same payer's.
//! Both versions of the protocol are read: 2 (`PAYMENT-REQUIRED`, `PAYMENT-SIGNATURE`, `PAYMENT-RESPONSE`) and 1 (`X-PAYMENT`).
//!
//! What it does not do: ask a chain. Whether the payer has the money and the nonce is unused, and whether it was moved, is for
//! whoever settles. Other schemes and other chains are refused. Pure: the time comes in.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod answer;
mod authorization;
mod demand;
mod error;
pub mod header;
mod network;
mod payment;
mod required;
mod word;

pub use answer::pay;
pub use authorization::{Authorization, EvmAddress, SIGNATURE_BYTES, Signed, TokenDomain};
pub use demand::{Demand, Paid, PaymentId};
pub use error::X402Error;
pub use network::{chain_of, first_name};
pub use payment::{Payment, Version};
pub use required::{FirstRequired, FirstRequirements, PaymentRequired, Requirements, Resource, SettlementResponse};
pub use word::{Word, parse_word, word_of};

/// The only scheme: exactly the amount that was asked for.
pub const EXACT: &str = "exact";

//! Everything over a real node, which is foundry's anvil: `cargo xtask test node`, after `npm ci` in `contracts/evm`.
//!
//! The tests of the contracts are those of `cairn-settle`, word for word: there they run inside an EVM of our own, and here
//! on a chain behind JSON-RPC, so that neither the machine nor the way to it is only believed. What the node adds, signed
//! transactions, waiting, fees and reorganisations, is tried by the outbox.

#![allow(clippy::unwrap_used, clippy::cast_possible_truncation)]

mod anvil;
mod chain;
mod sending;

#[path = "../../../cairn-settle/tests/evm/anchor.rs"]
mod anchor;
#[path = "../../../cairn-settle/tests/evm/auditors.rs"]
mod auditors;
#[path = "../../../cairn-settle/tests/evm/contracts.rs"]
mod contracts;
#[path = "../../../cairn-settle/tests/evm/deposits.rs"]
mod deposits;
#[path = "../../../cairn-settle/tests/evm/gas.rs"]
mod gas;
#[path = "../../../cairn-settle/tests/evm/laws.rs"]
mod laws;
#[path = "../../../cairn-settle/tests/evm/payout.rs"]
mod payout;
#[path = "../../../cairn-settle/tests/evm/relay.rs"]
mod relay;
#[path = "../../../cairn-settle/tests/evm/settlement.rs"]
mod settlement;
#[path = "../../../cairn-settle/tests/evm/token.rs"]
mod token;
#[path = "../../../cairn-settle/tests/evm/world.rs"]
mod world;

//! The commands over a real node, which is foundry's anvil: `cargo xtask test node`, after `npm ci` in `contracts/evm`.
//!
//! What `tests/cli/chain.rs` holds on the embedded chain holds here behind JSON-RPC, and what only a node can show:
//! commands that are killed while their transactions wait to be mined, and one network on two chains.

#![allow(clippy::unwrap_used)]

#[path = "../../../cairn-chain/tests/node/anvil.rs"]
#[allow(dead_code, reason = "contracts are tried elsewhere")]
mod anvil;
mod chains;
mod killed;
#[path = "../process/ran.rs"]
#[allow(dead_code, reason = "not every harness needs all")]
mod ran;
#[path = "../process/random.rs"]
mod random;
#[path = "../process/town.rs"]
mod town;
#[path = "../process/up.rs"]
mod up;

//! The contracts, run as committed bytecode inside an EVM of our own, on several forks, against what this crate computes.
//!
//! No node and no network: `revm` is the machine. Time is what a test says it is.

#![allow(clippy::unwrap_used, clippy::cast_possible_truncation)]

mod anchor;
mod artifacts;
mod auditors;
mod chain;
mod contracts;
mod deposits;
mod gas;
mod goldens;
mod laws;
mod payout;
mod relay;
mod settlement;
mod token;
mod world;

//! The committed jobs, run: that they compute what they say, refuse what they must, and cost what is written down.

#![allow(clippy::unwrap_used)]

mod committed;
#[path = "../../../cairn-wasm/tests/equality/compiler.rs"]
mod compiler;
mod forecast;
mod goldens;
mod inference;
mod primes;
#[path = "../recording/mod.rs"]
mod recording;
mod running;
mod thumbnail;

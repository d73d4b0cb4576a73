//! The till's laws over a simulated chain, network and disk: whatever they do and whenever the process crashes.

#![allow(clippy::unwrap_used, clippy::cast_possible_truncation)]

mod laws;
mod ways;
mod world;

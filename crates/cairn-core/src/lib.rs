//! The vocabulary of Cairn: hashes, keys, ids, quantities, reports, statements, entries, the state and `admit`.
//!
//! Everything here is pure: no clock, no network, no file, no randomness that is not passed in, and no float in
//! anything that is judged, paid or hashed. The same bytes come out on every machine.

pub mod ed25519;
mod hash;

pub use hash::Hash;

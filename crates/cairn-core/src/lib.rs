//! The vocabulary of Cairn: hashes, keys, ids, quantities, reports, statements, entries, the state and `admit`.
//!
//! Everything here is pure: no clock, no network, no file, no randomness that is not passed in, and no float in
//! anything that is judged, paid or hashed. The same bytes come out on every machine.

pub mod amount;
pub mod cbor;
pub mod cose;
pub mod deposit;
pub mod ed25519;
pub mod entry;
pub mod epoch;
pub mod geo;
mod hash;
pub mod id;
pub mod key;
pub mod observation;
pub mod report;
pub mod sale;
pub mod statement;
pub mod verdict;
pub mod wallet;

pub use amount::{Amount, PPM, Ppm};
pub use hash::Hash;
pub use id::{Account, Address, DeviceId, Domain, JobId, NetworkId};
pub use sale::Sale;
pub use verdict::{Payout, Reason, Subject, Verdict};

/// keccak256, the hash of Ethereum's addresses, typed data and claim trees.
#[must_use]
pub fn keccak256(bytes: &[u8]) -> [u8; 32] {
    use sha3::Digest;
    sha3::Keccak256::digest(bytes).into()
}

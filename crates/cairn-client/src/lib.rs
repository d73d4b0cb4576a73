//! The HTTP client of a gateway: submits, keeps promises, fetches.
//!
//! What it promises: an accepted submission comes back with a promise that the network's promise key signed and that
//! names exactly the entries accepted or known already; every answer is bounded in size; a gateway that is busy is asked again, a bounded
//! number of times; what a gateway refuses is handed on with its code, detail and hint.
//!
//! What it does not do: believe numbers. Everything fetched here is what a gateway says; `cairn-audit` recomputes it. It
//! blocks, because devices, tools and audits are simpler that way.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod blobs;
mod buying;
mod client;
mod error;
mod jobs;
mod keeping;
pub mod names;
mod submit;
mod transport;

pub use buying::{Answered, Paying, buy_with_payment};
pub use client::Client;
pub use error::ClientError;
pub use keeping::Kept;
pub use submit::Submitted;
pub use transport::Retries;

//! Compute: the run of a WebAssembly module over inputs, bought, done by strangers, and checked by running it again.
//!
//! `body.rs` is what workers say ([`Body`]), `profile.rs` the thresholds as data ([`Profile`]), `market.rs` who is assigned,
//! what counts as done and who is paid ([`Market`]), `judge.rs` the verdicts, `words.rs` the sentences. What a run is, and
//! what gas, is another crate's business: here a result is four numbers and a hash.
//!
//! Promised: integers only; the same assignments, verdicts and sales on any machine and in any order of offers; every base
//! unit that an order locked has one place; whoever gave the result that a quorum of auditors found is paid, whatever the
//! others say, and whoever gave another is not. Not promised: that a wrong result is found which all workers of a job
//! agree on and no auditor looks at, or that two accounts are two people.

mod body;
mod judge;
pub mod market;
mod profile;
mod words;

pub use body::{Body, DECLINE_REASON_MAX, OUTCOME_DONE, OUTCOME_MAX, RunResult, digest, seal};
pub use judge::{RipeJob, judge, score_of};
pub use market::{
    Assigned, Cancelled, Candidate, Cause, Closing, Draw, Job, Market, MarketError, Now, Parties, Phase, Quote, Stage,
    Terms, Word, Worker, hint_of,
};
pub use profile::{COMPUTE, Profile};
pub use words::{Code, sentence};

/// The schema of reports and profiles of this class.
pub const SCHEMA: &str = "compute/1";

/// The revisions of the judge in this build.
pub const REVISIONS: &[u32] = &[1];

/// The default profiles as (file name, document).
pub const DEFAULT_PROFILES: &[(&str, &str)] = &[("compute.toml", COMPUTE)];

#[cfg(test)]
mod tests;

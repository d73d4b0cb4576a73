//! Those who run jobs: workers, who sell the run of a module, and auditors, who run it again.
//!
//! What it promises:
//! * A worker that is killed at any moment and started again loses no job that it has run, and never seals two results
//!   of one job: what it found is durable before it is sealed, and what it signed before it is sent.
//! * No name of a report is given twice, whatever a gateway says of the last one.
//! * A gateway that lies (about blobs, times, assignments, or which network it is) costs time and nothing else: contents are
//!   checked by their hashes, orders by their signatures, and the network is the one that was first worked for.
//! * Memory and disk are bounded by what was asked for: runs at once, pages of each, bytes of blobs.
//!
//! What it does not do: decide whether a job pays; a worker does what it is assigned within its own offer. Nor does it keep
//! a key safe: who has the key file works, and is paid, in its place.
//!
//! [`next`] is what a worker does about a job, pure; [`Worker`] the loop around it; [`Replayer`] the same for auditors;
//! [`run_order`] the run that all of them share.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod cache;
mod decide;
mod error;
mod network;
mod offer;
mod order;
mod records;
mod replays;
mod run;
mod runs;
mod worker;

pub use cache::Cache;
pub use decide::{Action, Own, Reason, Said, View, Why, next};
pub use error::NodeError;
pub use network::{Answer, Gateway, Network};
pub use offer::{Limits, Terms};
pub use order::{read_order, said_of};
pub use records::{Record, Records};
pub use replays::{Replayed, Replayer};
pub use run::{CONTENT_BYTES_MAX, Contents, Found, Missed, fetch, run_order};
pub use runs::{Pool, Runs, Work};
pub use worker::{Clock, Event, Identity, Worker};

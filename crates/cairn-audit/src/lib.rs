//! Recomputes a whole network from what it serves and compares every byte.
//!
//! What it promises: a PASS means that every entry under the checkpoint is the one that the log's key signed for, that
//! every signature was verified, that every epoch statement logged is the one that the entries imply, and that every table
//! served beside it is byte for byte the one recomputed. Anything else ends in FAIL with the first difference: which
//! entry or row, whose, and both values. The report does not depend on the number of threads (only its times do), and
//! memory is bounded by the state and a few chunks of entries, not by the log.
//!
//! What is trusted: the network id or the operator's key that was given, and nothing that is served. Without either, the
//! genesis that was served is believed, and the report says so. Starting from a snapshot trusts the logged statement that
//! the snapshot belongs to, and the report says that too.
//!
//! With witnesses that are trusted (see [`Trust`]) a PASS also means that every checkpoint that they cosigned, as far as it
//! is served, is one of this log, and that no entry is dated more than five minutes off what a quorum of them saw. The report
//! says how much of the log's time that binds.
//!
//! What it does not do: know the time, unless it is told, so a log that ends too early looks like a quiet network (a
//! remembered checkpoint shows a rollback); bind the time of a network without witnesses, or of one whose clock is
//! rehearsed.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod audit;
mod bundle;
mod compare;
mod difference;
mod error;
mod measure;
mod opening;
mod replay;
mod report;
mod resume;
mod signatures;
mod source;
mod stream;
mod tables;
mod tiles;
mod time;
mod watch;
mod witnessed;

pub use audit::{AuditOptions, KeptEpoch, Progress, Start, audit};
pub use difference::Difference;
pub use error::AuditError;
pub use measure::{AuditRate, measure};
pub use report::{
    AuditReport, AuditedCheckpoint, AuditedNetwork, Compared, Counts, Elapsed, EpochLine, Outcome, PinnedBy, Resumed,
    Unserved, VoidEntry, WitnessLine, WitnessedLog,
};
pub use source::{FolderSource, HttpSource, Source, SourceError};
pub use time::{TOLERANCE_S, TimeBound};
pub use witnessed::{Shown, Trust};

//! A witness of logs, C2SP `tlog-witness`: cosigns the checkpoints of a log that it saw grow, and says when.
//!
//! What it promises:
//! * It cosigns a checkpoint only after the log's key signed it and a proof showed that it continues the one cosigned
//!   before. Of one size of one log it never cosigns two roots, and never a smaller size after a larger one.
//! * What it cosigns is on disk before it answers: after a crash at any write it goes on where it was. After a disk failed
//!   in any way but being full it answers nobody until it is started again.
//! * No time that it signs for a log is earlier than the one before; when its clock runs back by more than a minute it
//!   signs nothing.
//! * Whom it serves has limits: bytes, connections, time.
//!
//! What it does not do: read entries, judge anything, speak TLS (a proxy before it does), or notice that its whole folder
//! was replaced by an older copy: such a witness needs a new key.
//!
//! Its folder:
//!
//! | file | holds | if lost or damaged |
//! | --- | --- | --- |
//! | `latest-<log>` | the checkpoint cosigned last, with both signatures | refuses to start, unless the log was never cosigned |
//! | `history-<log>` | checkpoints cosigned earlier, at most one a minute | the others stay; those times are no longer vouched for here |
//! | `fork-<log>` | two checkpoints of one size that the log's key signed: proof against the log | |
//! | `writer.lock` | nothing; held by the one process | made again |
//!
//! `<log>` is SHA-256 of the log's origin, hexadecimal.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod client;
mod error;
mod files;
mod history;
mod record;
mod router;
mod server;
mod witness;

pub use client::{Asked, Cosignature, WitnessClient};
pub use error::{ClientError, Refusal, WitnessError};
pub use history::{History, PAGE_NOTES_MAX};
pub use router::router;
pub use server::{Running, ServerOptions, Signals, start};
pub use witness::{ForkHearer, Witness};

//! An auditor that signs: recomputes every epoch of a network, and vouches for those of which everything is right.
//!
//! What it promises:
//! * It signs what it recomputed itself, never what somebody served: the message is made from its own epoch statement.
//! * It never signs two messages for one epoch and revision: what it signs is durable in its record before anybody sees
//!   the signature, and nothing is signed that the record has otherwise. That holds over crashes, power cuts, failed syncs
//!   and full disks, and when a gateway shows another log later.
//! * From the first difference on, it signs neither that epoch nor any later one.
//! * Between two looks it remembers the checkpoint, which the log must continue, and the state that it computed itself.
//!
//! What it does not do: publish anything, or look again by itself (`cairn auditor run` does); know the time; protect a key
//! that is used with two folders at once, since each has a record of its own.
//!
//! In its folder: `signed`, the record, append-only; `checkpoint` and `snapshot`, where the next look goes on; `published`,
//! who was told how much; beside them one document for each epoch with its signatures, for anybody to carry anywhere. The
//! record and those documents are what must not be lost: a key whose record is lost must be replaced. The rest comes back.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod auditor;
mod error;
mod files;
mod look;
mod record;

pub use auditor::Auditor;
pub use error::AuditorError;
pub use files::SignedEpoch;
pub use look::{Look, LookOptions, Standing, Vouched};
pub use record::Signed;

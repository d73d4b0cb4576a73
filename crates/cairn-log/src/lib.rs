//! The log on disk: sequencer, segments, recovery, promises and receipts.
//!
//! What it promises:
//! * When [`Log::append`] returns, its entries are on disk, at the indices it names, for good.
//! * A batch is there whole or not at all.
//! * A checkpoint once published is never followed by a smaller or another one: before anybody sees it, it is on disk as
//!   the *lock record*, which every later start is held to.
//! * On a full disk it refuses entries, goes on being read, and takes entries again when there is room.
//! * After any other failed write or sync the log stops, and says so until it is opened again: what a disk did after an
//!   error is known only after reading it back.
//!
//! What it does not do: judge entries (they are opaque bytes of at most 65,535), keep clocks, speak HTTP, or sign
//! anything but checkpoints and promises.
//!
//! On disk (all numbers big-endian):
//!
//! | file | holds | if lost |
//! | --- | --- | --- |
//! | `entries-<index>` | segments: entry bundles one after the other, named by the index of their first entry | entries are lost: refuses to open |
//! | `commits` | a 64-byte record for each batch: size, segment, its end, CRC of the batch, root, own CRC | taken from the copy |
//! | `commits-copy` | the same, synced with each checkpoint | copied again |
//! | `checkpoint` | the lock record: the last signed checkpoint | forks are no longer noticed |
//! | `hashes-<level>` | the hashes of all tiles of a level | rebuilt |
//! | `bundles` | where each bundle starts | rebuilt |
//! | `format` | `cairn-log/1` | refuses to open |
//! | `writer.lock` | nothing; held with `flock` by the one writer | made again |
//!
//! While a log is written, and after a crash, zeros that were reserved may follow what is in the last segment and in
//! `commits`.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::cast_possible_truncation))]

mod batch;
mod check;
mod commits;
mod derived;
mod disk;
mod error;
pub mod export;
mod format;
mod log;
mod publishing;
mod reader;
mod recovery;
mod repair;
mod reserve;
mod small;
mod store;

pub use cairn_merkle::promise::{self, Promise};
pub use check::{Checked, check};
pub use disk::{Disk, DiskFile, StdDisk, WriterLock};
pub use error::LogError;
pub use export::{FolderReader, export};
pub use log::{Appended, Log, LogOptions};
pub use publishing::{Begun, PendingCheckpoint};
pub use reader::{EntryChunk, LogReader};
pub use recovery::Recovery;
pub use repair::{Repaired, repair};
pub use small::{FileError, read_whole, replace_whole};

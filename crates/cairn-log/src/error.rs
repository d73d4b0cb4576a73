//! What the log refuses, each with a stable code.

use std::io;

use cairn_core::Hash;
use cairn_merkle::MerkleError;

use crate::format::{CHECKPOINT, COMMITS, NO_SECOND, is_derived};

/// Why the log refused, or stopped.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// A tree, tile, note, checkpoint or entry was refused.
    #[error(transparent)]
    Merkle(#[from] MerkleError),
    /// The disk failed.
    #[error("cannot {action} `{file}`: {source}")]
    Io {
        /// What was tried.
        action: &'static str,
        /// The file, as named in the log's folder.
        file: String,
        /// What the disk said.
        source: io::Error,
    },
    /// The disk is full. Nothing was changed, and the log goes on as soon as there is room.
    #[error("the disk is full: cannot {action} `{file}`")]
    Full {
        /// What was tried.
        action: &'static str,
        /// The file, as named in the log's folder.
        file: String,
    },
    /// Another process writes this log.
    #[error("another process writes this log")]
    Locked,
    /// An earlier failure stopped the log.
    #[error("the log stopped after a failure: {cause}")]
    Stopped {
        /// The first failure.
        cause: String,
    },
    /// A folder that is not a log, or a log of another format.
    #[error("not a log of format `{expected}`: {found}")]
    Format {
        /// The format known here.
        expected: &'static str,
        /// What the folder holds instead.
        found: String,
    },
    /// Bytes that are not what was written.
    #[error("`{file}` is damaged at byte {offset}{}: {what}", named_entry(*.entry))]
    Damaged {
        /// The file.
        file: String,
        /// The first byte that is wrong, or whose record is.
        offset: u64,
        /// The first entry affected, where that is known.
        entry: Option<u64>,
        /// What is wrong.
        what: &'static str,
    },
    /// The log lacks entries that its checkpoint holds.
    #[error("the log has {size} entries, but a checkpoint of {checkpoint} was published")]
    Short {
        /// Entries found.
        size: u64,
        /// Entries under the checkpoint.
        checkpoint: u64,
    },
    /// The entries are not those under the published checkpoint.
    #[error("the first {size} entries have root {found}, but root {published} was published")]
    Forked {
        /// The size of the checkpoint.
        size: u64,
        /// The root of the entries found.
        found: Hash,
        /// The root in the checkpoint.
        published: Hash,
    },
    /// The lock record is not the one this log wrote last.
    #[error("`checkpoint` was changed by somebody else while the log was open")]
    LockRecord,
    /// A checkpoint is under way.
    #[error("a checkpoint is being published")]
    Publishing,
    /// Nothing was published yet.
    #[error("no checkpoint was published yet")]
    NoCheckpoint,
    /// An entry that no checkpoint covers yet.
    #[error("entry {index} is not covered by the checkpoint of {size} entries")]
    NotCovered {
        /// The entry.
        index: u64,
        /// Entries under the latest checkpoint.
        size: u64,
    },
    /// A tile that the log does not have.
    #[error("there is no `{path}` in a log of {size} entries")]
    NoTile {
        /// The path of the tile.
        path: String,
        /// Entries in the log.
        size: u64,
    },
    /// A folder that holds another export.
    #[error("the folder holds {found}, which this log does not continue")]
    Export {
        /// What was found there.
        found: String,
    },
}

fn named_entry(entry: Option<u64>) -> String {
    entry.map(|index| format!(" (entry {index})")).unwrap_or_default()
}

impl LogError {
    /// The stable code of this refusal.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Merkle(refused) => refused.code(),
            Self::Io { .. } => "LOG-IO",
            Self::Full { .. } => "LOG-FULL",
            Self::Locked => "LOG-LOCKED",
            Self::Stopped { .. } => "LOG-STOPPED",
            Self::Format { .. } => "LOG-FORMAT",
            Self::Damaged { .. } => "LOG-DAMAGED",
            Self::Short { .. } => "LOG-SHORT",
            Self::Forked { .. } => "LOG-FORKED",
            Self::LockRecord => "LOG-LOCK-RECORD",
            Self::Publishing => "LOG-PUBLISHING",
            Self::NoCheckpoint => "LOG-NO-CHECKPOINT",
            Self::NotCovered { .. } => "LOG-NOT-COVERED",
            Self::NoTile { .. } => "LOG-NO-TILE",
            Self::Export { .. } => "LOG-EXPORT",
        }
    }

    /// The way out, where there is one.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Merkle(refused) => refused.hint(),
            Self::Full { .. } => Some("make room on the disk: the log goes on by itself, and reading never stopped"),
            Self::Io { .. } => Some("check the disk: space, permissions, its own log; then start again"),
            Self::Locked => Some("stop the other process, or read the log through it"),
            Self::Stopped { .. } => Some("start again: the log is read back and checked when it is opened"),
            Self::Format { .. } => Some("give the folder of a log, or an empty one to begin a log"),
            Self::Damaged { file, what, .. } => Some(way_out_of_damage(file, what)),
            Self::Short { .. } | Self::Forked { .. } => {
                Some("find the first damaged entry with `cairn log check`, and restore the folder from a copy")
            }
            Self::LockRecord => Some("find who else writes this folder; one log has one writer"),
            Self::Publishing | Self::NoCheckpoint | Self::NotCovered { .. } => Some("wait for the next checkpoint"),
            Self::NoTile { .. } => Some("ask only for tiles of the size in the checkpoint"),
            Self::Export { .. } => Some("export into an empty folder"),
        }
    }
}

/// Damage of what follows from other files is repaired; of what does not, restored.
fn way_out_of_damage(file: &str, what: &str) -> &'static str {
    if is_derived(file) || file == COMMITS && what != NO_SECOND {
        return "stop the network and run `cairn log repair`: it is made again from the entries and from its copy";
    }
    if file == CHECKPOINT {
        return "restore the file `checkpoint` from an export, or from anybody who fetched the last checkpoint";
    }
    "find the first damaged entry with `cairn log check`, and restore the folder from a copy"
}

impl LogError {
    /// Whether the disk is full: then nothing was changed, and it may be tried again.
    #[must_use]
    pub const fn is_full(&self) -> bool {
        matches!(self, Self::Full { .. })
    }

    /// Adds the entry to damage found without knowing which one it hits.
    pub(crate) fn in_entry(self, index: u64) -> Self {
        match self {
            Self::Damaged { file, offset, entry: None, what } => {
                Self::Damaged { file, offset, entry: Some(index), what }
            }
            other => other,
        }
    }
}

/// Names the file and the action of a failure of the disk.
pub(crate) fn failed(action: &'static str, file: &str) -> impl FnOnce(io::Error) -> LogError {
    move |source| LogError::Io { action, file: file.to_owned(), source }
}

/// As [`failed`], for what needs room on the disk: a disk without any is not a disk that fails.
///
/// Not for a sync: what a disk says it has no room for after it took it may be lost already.
pub(crate) fn unwritten(action: &'static str, file: &str) -> impl FnOnce(io::Error) -> LogError {
    move |source| match source.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => LogError::Full { action, file: file.to_owned() },
        _ => LogError::Io { action, file: file.to_owned(), source },
    }
}

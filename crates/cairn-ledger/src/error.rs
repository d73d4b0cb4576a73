//! What the ledger and the sequencer refuse.

use std::path::PathBuf;

use cairn_core::JobId;
use cairn_fold::{FoldError, Refusal};
use cairn_log::LogError;
use thiserror::Error;

/// Why the ledger cannot go on.
#[derive(Debug, Error)]
pub enum LedgerError {
    /// The log.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The log cannot be folded.
    #[error(transparent)]
    Fold(#[from] FoldError),
    /// A view's file cannot be read or written.
    #[error("cannot {what} {path}: {source}")]
    Io {
        /// `read`, `write` and the like.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// A view's file is not what it should be.
    #[error("{path}: {detail}")]
    View {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        detail: String,
    },
    /// No such epoch, or it has not closed.
    #[error("epoch {epoch} has not closed; epoch {open} is open")]
    NoEpoch {
        /// The epoch asked for.
        epoch: u64,
        /// The epoch that is open.
        open: u64,
    },
    /// No such device.
    #[error("no device {device}")]
    NoDevice {
        /// The device asked for.
        device: String,
    },
    /// A job that the epoch did not settle.
    #[error("epoch {epoch} did not settle job {job}")]
    NoSale {
        /// The epoch asked for.
        epoch: u64,
        /// The job asked for.
        job: JobId,
    },
    /// A job that was never ordered, was cancelled, or is long settled.
    #[error("there is no job {job}")]
    NoJob {
        /// The job asked for.
        job: JobId,
    },
    /// A snapshot that is not kept any more.
    #[error("no snapshot is kept of epoch {epoch}")]
    NoSnapshot {
        /// The epoch asked for.
        epoch: u64,
    },
    /// The operator's own entry is refused: its keys, policy or clock do not fit the network.
    #[error("the operator's own {what} is refused: {refusal}")]
    OwnEntry {
        /// What it is.
        what: &'static str,
        /// Why.
        refusal: Refusal,
    },
    /// The keys at hand are not those that genesis names.
    #[error("the {key} key at hand is not the one that the network's genesis names")]
    Keys {
        /// Which key.
        key: &'static str,
    },
    /// An earlier failure stopped the writer.
    #[error("the writer stopped after an error; restart it to recover from the log")]
    Stopped,
}

impl From<cairn_merkle::MerkleError> for LedgerError {
    fn from(error: cairn_merkle::MerkleError) -> Self {
        LogError::from(error).into()
    }
}

impl LedgerError {
    /// Whether the disk is full: nothing was logged, and it may be tried again.
    #[must_use]
    pub const fn is_full(&self) -> bool {
        matches!(self, Self::Log(error) if error.is_full())
    }

    /// The stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Log(error) => error.code(),
            Self::Fold(error) => error.code(),
            Self::Io { .. } => "NET-IO",
            Self::View { .. } => "NET-VIEW",
            Self::NoEpoch { .. } => "NET-NO-EPOCH",
            Self::NoDevice { .. } => "NET-NO-DEVICE",
            Self::NoSale { .. } => "NET-NO-SALE",
            Self::NoJob { .. } => "NET-NO-JOB",
            Self::NoSnapshot { .. } => "NET-NO-SNAPSHOT",
            Self::OwnEntry { refusal, .. } => refusal.code,
            Self::Keys { .. } => "NET-KEYS",
            Self::Stopped => "NET-STOPPED",
        }
    }

    /// The way out, where there is one.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Log(error) => error.hint(),
            Self::View { .. } => Some("views are derived: stop the network and run `cairn ledger rebuild`"),
            Self::NoEpoch { .. } => Some("list the closed epochs with `cairn epoch list`"),
            Self::NoSnapshot { .. } => Some("ask for a later epoch, or audit from the beginning"),
            Self::Keys { .. } => Some("use the `keys` folder that was made with this log"),
            Self::OwnEntry { refusal, .. } => refusal.hint(),
            _ => None,
        }
    }
}

//! What goes wrong with a till itself.

use cairn_chain::ChainError;
use cairn_log::FileError;
use thiserror::Error;

/// Why a till cannot be opened, or goes no further with a payment for now.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TillError {
    /// The disk failed or is full.
    #[error(transparent)]
    File(#[from] FileError),
    /// The disk failed, and what it holds is unknown until the till is opened again.
    #[error("the till's files failed; it takes nothing until it is started again")]
    Stopped,
    /// Another process has the till open.
    #[error("another process has the till's folder")]
    Held,
    /// A record was changed by somebody else than the till.
    #[error("`{file}` is damaged: {what}")]
    Damaged {
        /// Which file.
        file: String,
        /// What is wrong with it.
        what: String,
    },
    /// The chain cannot be asked, or refuses.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// Something is not known now.
    #[error("{what}")]
    Later {
        /// What.
        what: String,
    },
}

impl TillError {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::File(FileError::Full { .. }) => "TIL-FULL-DISK",
            Self::File(_) | Self::Stopped => "TIL-FILE",
            Self::Held => "TIL-HELD",
            Self::Damaged { .. } => "TIL-DAMAGED",
            Self::Chain(error) => error.code(),
            Self::Later { .. } => "TIL-LATER",
        }
    }

    /// What to do about it.
    #[must_use]
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::File(FileError::Full { .. }) => "make room on the disk: nothing is lost",
            Self::File(_) | Self::Stopped => "check the disk, then start again: what was under way goes on",
            Self::Held => "end the other process, or name another folder",
            Self::Damaged { .. } => "put the file back from a copy: it says what became of somebody's money",
            Self::Chain(error) => error.hint(),
            Self::Later { .. } => "it is tried again by itself",
        }
    }
}

/// Not now, for a reason.
pub(crate) fn later(what: impl Into<String>) -> TillError {
    TillError::Later { what: what.into() }
}

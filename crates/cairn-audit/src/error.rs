//! Why an audit has no result at all.

use crate::source::SourceError;

/// An audit that could not be done. A network that is wrong is not an error: see [`crate::Outcome::Fail`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AuditError {
    /// The source could not be read.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The remembered checkpoint is not a checkpoint.
    #[error("the remembered checkpoint: {reason}")]
    Remembered {
        /// What is wrong with it.
        reason: String,
    },
    /// There is no snapshot to start from.
    #[error("{source_name} serves no snapshot of epoch {epoch}")]
    NoSnapshot {
        /// The source asked.
        source_name: String,
        /// The epoch asked for.
        epoch: u64,
    },
}

impl AuditError {
    /// The stable code.
    #[must_use]
    pub fn code(&self) -> &str {
        match self {
            Self::Source(error) => &error.code,
            Self::Remembered { .. } => "LOG-REMEMBERED",
            Self::NoSnapshot { .. } => "NET-SNAPSHOT",
        }
    }

    /// The way out, where there is one.
    #[must_use]
    pub fn hint(&self) -> Option<&str> {
        match self {
            Self::Source(error) => error.hint.as_deref(),
            Self::Remembered { .. } => Some("give the file of a checkpoint that this log signed earlier"),
            Self::NoSnapshot { .. } => Some("start from another epoch, or from the beginning"),
        }
    }
}

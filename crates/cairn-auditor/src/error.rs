//! Why an auditor does not sign.

use std::io;

use cairn_core::{Hash, NetworkId};
use thiserror::Error;

/// Why an auditor does not sign.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum AuditorError {
    /// Another message was signed for this epoch and revision: somebody shows another truth than before.
    #[error("for epoch {epoch}, revision {revision}, statement {signed} was signed; now statement {found} is implied")]
    SignedOther {
        /// The epoch.
        epoch: u64,
        /// The revision.
        revision: u32,
        /// The statement that was signed.
        signed: Hash,
        /// The statement that the entries imply now.
        found: Hash,
    },
    /// The folder is of another network.
    #[error("this folder is of network {own}, not {other}")]
    OtherNetwork {
        /// Whose record it is.
        own: NetworkId,
        /// The network met.
        other: NetworkId,
    },
    /// The folder is of another key.
    #[error("this folder is of auditor {own}, not {other}")]
    OtherKey {
        /// Whose record it is.
        own: String,
        /// The address of the key given.
        other: String,
    },
    /// A file that must be whole is not.
    #[error("{file} is damaged: {reason}")]
    Damaged {
        /// The file.
        file: String,
        /// What is wrong.
        reason: String,
    },
    /// There is nothing audited and signed to answer with.
    #[error("epoch {epoch} was not signed by this auditor, so there is nothing to say again")]
    NotSigned {
        /// The epoch.
        epoch: u64,
    },
    /// Somebody else works in the folder.
    #[error("another process works in this folder")]
    Locked,
    /// An earlier write failed: nobody knows what is on the disk.
    #[error("an earlier write to the record failed, so nothing more is signed")]
    Stopped,
    /// The disk does not do what it should.
    #[error("cannot {action} {file}: {source}")]
    Io {
        /// What was tried.
        action: &'static str,
        /// The file.
        file: String,
        /// The system's error.
        source: io::Error,
    },
    /// The audit has no result.
    #[error(transparent)]
    Audit(#[from] cairn_audit::AuditError),
    /// The statement implies no message.
    #[error(transparent)]
    Settle(#[from] cairn_settle::SettleError),
}

impl AuditorError {
    /// The stable code.
    #[must_use]
    pub fn code(&self) -> &str {
        match self {
            Self::SignedOther { .. } => "STL-SIGNED-OTHER",
            Self::OtherNetwork { .. } => "STL-FOLDER-NETWORK",
            Self::OtherKey { .. } => "STL-FOLDER-KEY",
            Self::Damaged { .. } => "STL-RECORD",
            Self::NotSigned { .. } => "STL-NOT-SIGNED",
            Self::Locked => "STL-LOCKED",
            Self::Stopped => "STL-STOPPED",
            Self::Io { .. } => "NET-IO",
            Self::Audit(error) => error.code(),
            Self::Settle(error) => error.code(),
        }
    }

    /// The way out, where there is one.
    #[must_use]
    pub fn hint(&self) -> Option<&str> {
        match self {
            Self::SignedOther { .. } => Some(
                "two truths for one epoch: keep the folder, compare checkpoints with other auditors, and do not sign by other means",
            ),
            Self::OtherNetwork { .. } => Some("one folder is for one network: give another with --dir"),
            Self::OtherKey { .. } => Some("one folder is for one key: give another with --dir"),
            Self::Damaged { .. } => {
                Some("put the file back from a backup; without the record of what it signed a key must not sign again")
            }
            Self::NotSigned { .. } => Some("`cairn auditor run` audits and signs it first"),
            Self::Locked => Some("end the other one: two records for one key would be none"),
            Self::Stopped => Some("start again: the record is read back and checked"),
            Self::Audit(error) => error.hint(),
            Self::Settle(error) => Some(error.hint()),
            Self::Io { .. } => None,
        }
    }

    /// Whether the network, or the folder, is wrong, and not merely the way to it.
    #[must_use]
    pub const fn is_wrong(&self) -> bool {
        !matches!(self, Self::Io { .. } | Self::Audit(_) | Self::Stopped)
    }
}

/// A failure at a file.
pub(crate) fn failed<E: Into<io::Error>>(action: &'static str, file: &str) -> impl Fn(E) -> AuditorError {
    move |source| AuditorError::Io { action, file: file.to_owned(), source: source.into() }
}

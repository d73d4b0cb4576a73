//! Why a blob is not kept or not served.

use std::io;

use cairn_core::Hash;

use crate::shares::NoShare;

/// Why a blob is not kept or not served.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BlobError {
    /// Longer than a blob may be.
    #[error("the blob is longer than {bytes_max} bytes")]
    TooLarge {
        /// The bound.
        bytes_max: u64,
    },
    /// Other bytes than the name says.
    #[error("the SHA-256 of the {bytes} bytes that came is {found}, not {named}")]
    OtherHash {
        /// The name.
        named: Hash,
        /// What came.
        found: Hash,
        /// How many bytes came.
        bytes: u64,
    },
    /// As much is staged as may be.
    #[error("{}", match .0 {
        NoShare::Full => "as many bytes wait for a job as may in all",
        NoShare::Crowded => "as many bytes of this address wait for a job as may of one",
    })]
    Quota(NoShare),
    /// The disk has no room, or only what is left for the log.
    #[error("the gateway's disk has no room for blobs")]
    NoRoom,
    /// There is no such blob.
    #[error("there is no blob {0}")]
    Unknown(Hash),
    /// The disk gave back something else than was written.
    #[error("blob {0} was damaged on the gateway's disk and is gone")]
    Damaged(Hash),
    /// The disk failed.
    #[error("cannot {action} a blob: {source}")]
    Io {
        /// What was tried.
        action: &'static str,
        /// What the disk said.
        source: io::Error,
    },
}

impl BlobError {
    /// What the disk said; no room is told apart.
    pub fn io(action: &'static str) -> impl Fn(io::Error) -> Self {
        move |source| match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::NoRoom,
            _ => Self::Io { action, source },
        }
    }
}

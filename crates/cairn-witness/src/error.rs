//! What a witness refuses, and what asking one can come to, each with a stable code.

use std::io;

use cairn_merkle::MerkleError;

/// Why a witness does not start, or stopped.
#[derive(Debug, thiserror::Error)]
pub enum WitnessError {
    /// The disk failed.
    #[error("cannot {action} `{file}`: {source}")]
    Io {
        /// What was tried.
        action: &'static str,
        /// The file, as named in the witness's folder.
        file: String,
        /// What the disk said.
        source: io::Error,
    },
    /// The disk is full; nothing was changed.
    #[error("the disk is full: cannot {action} `{file}`")]
    Full {
        /// What was tried.
        action: &'static str,
        /// The file, as named in the witness's folder.
        file: String,
    },
    /// Another process is this witness.
    #[error("another process runs this witness")]
    Locked,
    /// What was cosigned last cannot be read back.
    #[error("`{file}` does not say what was cosigned last for `{origin}`: {reason}")]
    Record {
        /// The file.
        file: String,
        /// The log.
        origin: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Two keys for one log.
    #[error("two keys are given for the log `{origin}`")]
    TwoKeys {
        /// The log.
        origin: String,
    },
    /// The address cannot be listened on.
    #[error("cannot listen on {listen}: {source}")]
    Listen {
        /// The address asked for.
        listen: String,
        /// The system's error.
        source: io::Error,
    },
    /// The system gives no threads or signals.
    #[error("cannot {what}: {source}")]
    System {
        /// What was tried.
        what: &'static str,
        /// The system's error.
        source: io::Error,
    },
}

impl WitnessError {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Io { .. } => "WIT-IO",
            Self::Full { .. } => "WIT-FULL",
            Self::Locked => "WIT-LOCKED",
            Self::Record { .. } => "WIT-RECORD",
            Self::TwoKeys { .. } => "WIT-TWO-KEYS",
            Self::Listen { .. } => "NET-LISTEN",
            Self::System { .. } => "NET-SYSTEM",
        }
    }

    /// The way out, where there is one.
    #[must_use]
    pub const fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Io { .. } => Some("check the disk: space, permissions, its own log; then start again"),
            Self::Full { .. } => Some("make room on the disk: the witness goes on by itself"),
            Self::Record { .. } => {
                Some("restore exactly this file, or begin with another key in another folder: never sign from memory")
            }
            Self::Listen { .. } => Some("choose another address or port; port 0 takes a free one"),
            Self::Locked | Self::TwoKeys { .. } | Self::System { .. } => None,
        }
    }
}

/// Why a checkpoint is not cosigned.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The request, or the checkpoint in it, cannot be read.
    #[error("{0}")]
    Malformed(MerkleError),
    /// No such log is known here.
    #[error("this witness does not know the log `{origin}`")]
    UnknownLog {
        /// The log.
        origin: String,
    },
    /// The log's key did not sign.
    #[error("{0}")]
    Unsigned(MerkleError),
    /// The old size is above the checkpoint's.
    #[error("the old size {old} is above the checkpoint's {size}")]
    Shrinks {
        /// The old size of the request.
        old: u64,
        /// The checkpoint's size.
        size: u64,
    },
    /// The old size is not the one cosigned last.
    #[error("the size cosigned last is {size}")]
    Conflict {
        /// The size cosigned last.
        size: u64,
    },
    /// The log's key signed another root for the size cosigned last.
    #[error("another root was cosigned for the size {size}: the log is forked")]
    Fork {
        /// The size.
        size: u64,
    },
    /// The consistency proof does not lead from the one to the other.
    #[error("{0}")]
    Proof(MerkleError),
    /// The witness's clock is behind the time that it signed last.
    #[error("this witness's clock is {behind_s} s behind what it signed last")]
    Clock {
        /// By how much, in seconds.
        behind_s: u64,
    },
    /// The witness's disk is full.
    #[error("this witness's disk is full")]
    Full,
    /// The witness stopped after its disk failed.
    #[error("this witness stopped after a failure")]
    Stopped,
}

impl Refusal {
    /// The HTTP status, as `tlog-witness` has it.
    #[must_use]
    pub const fn status(&self) -> u16 {
        match self {
            Self::Malformed(_) | Self::Shrinks { .. } => 400,
            Self::Unsigned(_) => 403,
            Self::UnknownLog { .. } => 404,
            Self::Conflict { .. } | Self::Fork { .. } => 409,
            Self::Proof(_) => 422,
            Self::Clock { .. } | Self::Full | Self::Stopped => 503,
        }
    }

    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Malformed(error) | Self::Unsigned(error) | Self::Proof(error) => error.code(),
            Self::UnknownLog { .. } => "WIT-UNKNOWN-LOG",
            Self::Shrinks { .. } => "WIT-SHRINKS",
            Self::Conflict { .. } => "WIT-CONFLICT",
            Self::Fork { .. } => "WIT-FORK",
            Self::Clock { .. } => "WIT-CLOCK",
            Self::Full => "WIT-FULL",
            Self::Stopped => "WIT-STOPPED",
        }
    }
}

/// Why asking a witness came to nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClientError {
    /// An address that is not one of a witness.
    #[error("`{url}` is not the address of a witness: it starts with http:// or https://, and has no query or space")]
    Address {
        /// The text refused.
        url: String,
    },
    /// A key that signs no cosignatures.
    #[error("the key of `{name}` is not a witness's: those are of type 4")]
    Key {
        /// The key's name.
        name: String,
    },
    /// It could not be reached, or not in time.
    #[error("{url}: {reason}")]
    Connection {
        /// What was asked.
        url: String,
        /// What the network said.
        reason: String,
    },
    /// It refused.
    #[error("{url} answered {status}: {text}")]
    Refused {
        /// What was asked.
        url: String,
        /// The HTTP status.
        status: u16,
        /// The beginning of what it said.
        text: String,
    },
    /// It answered something that is no cosignature of its key over what it was sent.
    #[error("{url} answered what is no cosignature of `{name}`: {reason}")]
    Answer {
        /// What was asked.
        url: String,
        /// The witness's name.
        name: String,
        /// What is wrong with it.
        reason: String,
    },
}

impl ClientError {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Address { .. } => "WIT-URL",
            Self::Key { .. } => "WIT-KEY",
            Self::Connection { .. } => "WIT-CONNECTION",
            Self::Refused { .. } => "WIT-REFUSED",
            Self::Answer { .. } => "WIT-ANSWER",
        }
    }
}

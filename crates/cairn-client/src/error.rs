//! What can go wrong between a client and a gateway.

use cairn_api::Problem;
use cairn_merkle::MerkleError;

/// Why a request came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// An address that is not one of a gateway.
    #[error("`{url}` is not the address of a gateway: {reason}")]
    Address {
        /// The text refused.
        url: String,
        /// The rule it breaks.
        reason: &'static str,
    },
    /// The gateway could not be reached, or the connection broke.
    #[error("cannot reach {url}: {source}")]
    Connection {
        /// What was asked for.
        url: String,
        /// What the network said.
        source: Box<ureq::Error>,
    },
    /// The gateway was busy every time it was asked.
    #[error("{url} is busy and stayed so over {attempts} attempts: {detail}")]
    Busy {
        /// What was asked for.
        url: String,
        /// How often it was asked.
        attempts: u32,
        /// The wait that it asked for before the next attempt, if it named one.
        wait: Option<core::time::Duration>,
        /// What the gateway said.
        detail: String,
    },
    /// The gateway refused the request, and says why.
    #[error("{}: {}", .problem.code, .problem.detail)]
    Refused {
        /// What was asked for.
        url: String,
        /// The gateway's own words: status, code, detail, hint.
        problem: Box<Problem>,
    },
    /// An error status without a problem document: not a gateway, or something between.
    #[error("{url} answered with status {status} and no problem document: {text}")]
    Status {
        /// What was asked for.
        url: String,
        /// The HTTP status.
        status: u16,
        /// The beginning of what it said.
        text: String,
    },
    /// An answer longer than anything that belongs there.
    #[error("{url} answered with more than {limit_bytes} bytes")]
    TooLarge {
        /// What was asked for.
        url: String,
        /// The most that is read.
        limit_bytes: u64,
    },
    /// An answer in another form than the API's.
    #[error("{url} answered with something else: {reason}")]
    Answer {
        /// What was asked for.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// An acceptance whose promise does not hold: not signed by the network's key, or not over what was accepted or known.
    #[error("the gateway accepted, but its promise is not worth keeping: {reason}")]
    Promise {
        /// What is wrong with it.
        reason: String,
    },
    /// Nothing to submit.
    #[error("there is nothing to submit")]
    Nothing,
    /// A checkpoint, tile or proof that does not verify.
    #[error(transparent)]
    Log(#[from] MerkleError),
}

impl ClientError {
    /// The stable code: the gateway's own where it refused.
    #[must_use]
    pub fn code(&self) -> &str {
        match self {
            Self::Address { .. } => "NET-URL",
            Self::Connection { .. } => "NET-CONNECTION",
            Self::Busy { .. } => "NET-BUSY",
            Self::Refused { problem, .. } => &problem.code,
            Self::Status { .. } => "NET-STATUS",
            Self::TooLarge { .. } => "NET-TOO-LARGE",
            Self::Answer { .. } => "NET-ANSWER",
            Self::Promise { .. } => "NET-PROMISE",
            Self::Nothing => "NET-NOTHING",
            Self::Log(error) => error.code(),
        }
    }

    /// The way out, where there is one: the gateway's own where it refused.
    #[must_use]
    pub fn hint(&self) -> Option<&str> {
        match self {
            Self::Address { .. } => Some("give the address of a gateway, such as http://127.0.0.1:8640"),
            Self::Connection { .. } => Some("is the gateway running there? `cairn up` starts one"),
            Self::Busy { .. } => Some("send less at a time, or later"),
            Self::Refused { problem, .. } => problem.hint.as_deref(),
            Self::Status { .. } | Self::Answer { .. } => Some("is it a gateway, and of this version?"),
            Self::Promise { .. } => Some("keep the answer: a gateway that breaks its word should be known for it"),
            Self::TooLarge { .. } | Self::Nothing | Self::Log(_) => None,
        }
    }

    /// Whether the gateway says that there is no such thing (status 404).
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        match self {
            Self::Refused { problem, .. } => problem.status == 404,
            Self::Status { status, .. } => *status == 404,
            _ => false,
        }
    }

    pub(crate) fn promise(error: &MerkleError) -> Self {
        Self::Promise { reason: error.to_string() }
    }
}

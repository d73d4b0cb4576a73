//! Why nothing is proven, each reason with a stable code.

use cairn_core::NetworkId;
use cairn_core::cbor::CborError;
use cairn_merkle::MerkleError;

use crate::{EVIDENCE_BYTES_MAX, FORMAT};

/// Why bytes are no evidence, or evidence proves nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EvidenceError {
    /// Longer than [`EVIDENCE_BYTES_MAX`].
    #[error("the evidence has {bytes} bytes; at most {EVIDENCE_BYTES_MAX} are read")]
    TooLarge {
        /// Its length.
        bytes: usize,
    },
    /// Not the deterministic CBOR of an evidence.
    #[error("the evidence: {0}")]
    Cbor(#[from] CborError),
    /// Another format, or another version of it.
    #[error("this is not `{FORMAT}`")]
    Format,
    /// A kind that this version does not know.
    #[error("evidence of kind {kind} is not known here")]
    Kind {
        /// The kind found.
        kind: u64,
    },
    /// The founding words are no genesis.
    #[error("the genesis: {reason}")]
    Genesis {
        /// What is wrong with them.
        reason: String,
    },
    /// Evidence of another network than the one that was meant.
    #[error("this is about network {found}, not {expected}")]
    Network {
        /// The network meant.
        expected: NetworkId,
        /// The network that it is about.
        found: NetworkId,
    },
    /// One of the reports is none, or not of the device and name that the other has.
    #[error("the {which} report {reason}")]
    Report {
        /// Which of the two.
        which: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// The statements do not lead from the device's first key to the one that signed.
    #[error("the chain of keys: {reason}")]
    Chain {
        /// The step that is missing, wrong, or not needed.
        reason: String,
    },
    /// A checkpoint or promise that its key did not sign, or that is none.
    #[error("the {what}: {source}")]
    Note {
        /// Which note.
        what: &'static str,
        /// Why it is refused.
        source: MerkleError,
    },
    /// Hashes that do not lead where they should.
    #[error("the proof of the {what}: {source}")]
    Proof {
        /// What they should show.
        what: &'static str,
        /// Why they do not.
        source: MerkleError,
    },
    /// Everything is signed and proven, and nothing contradicts anything.
    #[error("nothing contradicts anything: {reason}")]
    Consistent {
        /// Why it fits together.
        reason: String,
    },
    /// The two halves stand in the order that this kind does not have.
    #[error("the two halves are in the wrong order: {rule}")]
    Order {
        /// The order.
        rule: &'static str,
    },
}

impl EvidenceError {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::TooLarge { .. } => "EVD-TOO-LARGE",
            Self::Cbor(_) => "EVD-CBOR",
            Self::Format => "EVD-FORMAT",
            Self::Kind { .. } => "EVD-KIND",
            Self::Genesis { .. } => "EVD-GENESIS",
            Self::Network { .. } => "EVD-NETWORK",
            Self::Report { .. } => "EVD-REPORT",
            Self::Chain { .. } => "EVD-CHAIN",
            Self::Note { .. } => "EVD-NOTE",
            Self::Proof { .. } => "EVD-PROOF",
            Self::Consistent { .. } => "EVD-CONSISTENT",
            Self::Order { .. } => "EVD-ORDER",
        }
    }

    /// The way out, where there is one.
    #[must_use]
    pub const fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Cbor(_) | Self::Format | Self::TooLarge { .. } => {
                Some("give a file that `cairn evidence` has written")
            }
            Self::Kind { .. } => Some("a later version of Cairn may know it"),
            Self::Genesis { .. } => Some("give entry 0 of the log: `cairn proof 0 --entry FILE`"),
            Self::Network { .. } => Some("it may prove something of that other network: check it without the id"),
            Self::Chain { .. } => {
                Some("give the device's enrolment, and every transfer and rotation since, in the order of the log")
            }
            Self::Consistent { .. } => Some("honest pairs prove nothing; keep both, and compare again with what comes"),
            _ => None,
        }
    }
}

//! What goes wrong on the way to a settlement chain.

use cairn_core::Hash;
use thiserror::Error;

/// Why something cannot be settled.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SettleError {
    /// Two rows for one contract on one chain.
    #[error("two settlement rows name distributor {distributor} of one chain")]
    RepeatedRow {
        /// The distributor, in hexadecimal.
        distributor: String,
    },
    /// A claim that the tree does not have.
    #[error("there is no claim {index} among {count}")]
    NoSuchClaim {
        /// What was asked for.
        index: usize,
        /// Claims in the tree.
        count: usize,
    },
    /// A claim asked for twice in one proof.
    #[error("claim {index} is named twice in one proof")]
    RepeatedClaim {
        /// Its place.
        index: usize,
    },
    /// Something that is not a signature over the digest: 65 bytes `r || s || v`, low `s`, `v` 27 or 28.
    #[error("signature {place} is not a 65-byte signature with low s over {digest}")]
    Signature {
        /// Its place among those given.
        place: usize,
        /// What should have been signed.
        digest: Hash,
    },
    /// A signature by somebody who is no auditor.
    #[error("0x{signer} signed and is not among the {members} auditors")]
    NotAnAuditor {
        /// Who signed, in hexadecimal.
        signer: String,
        /// Auditors.
        members: usize,
    },
    /// Fewer different auditors than must sign.
    #[error("{signed} auditors signed and {threshold} must")]
    NoQuorum {
        /// Different auditors whose signatures are there.
        signed: usize,
        /// How many must sign.
        threshold: usize,
    },
}

impl SettleError {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::RepeatedRow { .. } => "STL-ROW-REPEATED",
            Self::NoSuchClaim { .. } => "STL-CLAIM-UNKNOWN",
            Self::RepeatedClaim { .. } => "STL-CLAIM-REPEATED",
            Self::Signature { .. } => "STL-SIGNATURE",
            Self::NotAnAuditor { .. } => "STL-NOT-AN-AUDITOR",
            Self::NoQuorum { .. } => "STL-NO-QUORUM",
        }
    }

    /// What to do about it.
    #[must_use]
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::RepeatedRow { .. } => "an epoch states each settlement chain once",
            Self::NoSuchClaim { .. } => "ask for claims of the same epoch that the tree is of",
            Self::RepeatedClaim { .. } => "name each claim once",
            Self::Signature { .. } => "sign the digest of this very message, for this network",
            Self::NotAnAuditor { .. } => "leave out who is not in the set in force",
            Self::NoQuorum { .. } => "collect more signatures",
        }
    }
}

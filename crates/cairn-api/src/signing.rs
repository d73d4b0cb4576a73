//! What auditors sign of an epoch, and their signatures.
//!
//! Addresses are `0x` and 40 lower-case hexadecimal digits, signatures `0x` and 130: `r`, `s` (low), `v` (27 or 28).

use serde::{Deserialize, Serialize};

/// The EIP-712 message `CairnEpoch` of an epoch, in the order of its fields.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct EpochMessageInfo {
    /// The epoch.
    pub epoch: u64,
    /// 0; higher where auditors answer a halt or correct what they signed.
    pub revision: u32,
    /// SHA-256 of the epoch statement.
    pub statement_hash: String,
    /// SHA-256 of the statement before it; zeros for epoch 0.
    pub previous_hash: String,
    /// Entries of the log that the epoch closes at.
    pub log_size: u64,
    /// The log's root at that size.
    pub log_root: String,
    /// RFC 6962 root over the state's records after the epoch.
    pub state_root: String,
    /// Root of the settlement rows.
    pub settlements_root: String,
}

/// `POST /v1/epochs/{n}/signatures`: an auditor's signature.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct SignaturePost {
    /// The revision signed.
    pub revision: u32,
    /// The signature over the message's digest.
    pub signature: String,
    /// What was signed. Needed only where it may be another message than the one that the gateway's log implies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<EpochMessageInfo>,
}

/// The answer to a signature that is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct SignatureKept {
    /// Whether it was kept before, perhaps as another signature of this auditor over the same message.
    pub known: bool,
    /// Who signed.
    pub auditor: String,
    /// The epoch.
    pub epoch: u64,
    /// The revision.
    pub revision: u32,
    /// Auditors whose signatures for this revision are kept now.
    pub signed: u64,
    /// How many must sign.
    pub quorum: u64,
}

/// A signature of an auditor of the set in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct SignatureInfo {
    /// Who signed.
    pub auditor: String,
    /// The revision signed.
    pub revision: u32,
    /// The signature.
    pub signature: String,
}

/// `GET /v1/epochs/{n}/signatures`: what there is to sign, and who has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct EpochSignatures {
    /// The network: the salt of the message's EIP-712 domain.
    pub network_id: String,
    /// The epoch.
    pub epoch: u64,
    /// The revision that `message` and `digest` are of.
    pub revision: u32,
    /// What this log's own statement implies; other revisions differ in that field alone.
    pub message: EpochMessageInfo,
    /// What is signed.
    pub digest: String,
    /// The logged auditor set in force for this epoch, ascending; empty without one.
    pub auditors: Vec<String>,
    /// How many of them must sign; 0 without a set.
    pub quorum: u64,
    /// Every signature kept, by revision and auditor. Each was checked against the set and this log's message.
    pub signatures: Vec<SignatureInfo>,
    /// What is rehearsed.
    pub rehearsed: Vec<String>,
}

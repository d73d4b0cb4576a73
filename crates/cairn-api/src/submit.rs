//! Submitting, and being refused.

use serde::{Deserialize, Serialize};

/// What became of one submitted report, statement or observation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum ResultStatus {
    /// Durable in the log, at `index`.
    Accepted,
    /// The same payload is in the log already, at `index`.
    Duplicate,
    /// Not logged; `code` says why.
    Rejected,
}

/// The answer to one item, in the order sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct ResultRow {
    /// What became of it.
    pub status: ResultStatus,
    /// Its entry index, when it is in the log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index: Option<u64>,
    /// Why it was rejected: a stable code such as `RPT-SIGNATURE`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// What was refused and by which rule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// The way out, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

/// The answer to a submission: sent after everything accepted is durable.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct SubmitResponse {
    /// One row per item, in the order sent.
    pub results: Vec<ResultRow>,
    /// Entries in the log now.
    pub size: u64,
    /// A signed note over the network id and the (index, leaf hash) of every accepted or known item, and of a few items of
    /// others that became durable together with them; empty when there is none.
    /// Should the log ever show another leaf at one of these indices, the note proves the operator broke its word.
    pub promise: String,
}

/// What became of a device's reports in a message over MQTT; as the answer over HTTP.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct MessageResult {
    /// SHA-256 of the message, in hex: which one it was.
    pub message: String,
    /// Which of the message's reports the rows are of, counted from 0.
    pub positions: Vec<u64>,
    /// The rows of these, and the promise over all of the message.
    #[serde(flatten)]
    pub answer: SubmitResponse,
}

/// A problem document (RFC 9457).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Problem {
    /// `about:blank`, or an address that explains the problem.
    #[serde(rename = "type")]
    pub kind: String,
    /// The status's phrase.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// The stable code.
    pub code: String,
    /// What was refused and by which rule.
    pub detail: String,
    /// The way out, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

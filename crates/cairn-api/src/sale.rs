//! Sales: what became of what each order of work locked.

use serde::{Deserialize, Serialize};

use crate::{EpochRef, ProofInfo};

/// What a right worker sold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct WorkSoldInfo {
    /// Who is paid: `work - burned`.
    pub account: String,
    /// The worker.
    pub device: String,
    /// The gas it took.
    pub gas: u64,
    /// Its price, base units.
    pub work: String,
    /// The fee in it, which is burned, base units.
    pub burned: String,
}

/// What the owner of a content is paid.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct LicenceSoldInfo {
    /// Who is paid.
    pub account: String,
    /// SHA-256 of the content.
    pub content: String,
    /// Base units.
    pub amount: String,
}

/// What was paid out to the account that an order names for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct RefundInfo {
    /// Who is paid.
    pub account: String,
    /// Base units.
    pub amount: String,
}

/// A sale: `locked = sum of work + sum of licences + returned + refund`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct SaleInfo {
    /// The job: SHA-256 of its order's payload.
    pub job: String,
    /// The entry of its order.
    pub order: u64,
    /// Who paid.
    pub buyer: String,
    /// What was locked, base units.
    pub locked: String,
    /// The right workers, in the order of their assignment.
    pub work: Vec<WorkSoldInfo>,
    /// The licences, by content.
    pub licences: Vec<LicenceSoldInfo>,
    /// What went back to the buyer's credit, base units.
    pub returned: String,
    /// What was paid out instead; absent where nothing was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refund: Option<RefundInfo>,
}

/// `GET /v1/epochs/{n}/sales`: in the order of the sales root's leaves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct SaleList {
    /// The epoch.
    pub epoch: EpochRef,
    /// Jobs that it settled.
    pub total: u64,
    /// The page.
    pub sales: Vec<SaleInfo>,
    /// Pass as `after` for the next page; absent on the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<u64>,
}

/// `GET /v1/epochs/{n}/sales/{job}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct SaleProof {
    /// The epoch and its statement.
    pub epoch: EpochRef,
    /// The sale.
    pub sale: SaleInfo,
    /// That the sale is under the sales root.
    pub proof: ProofInfo,
}

/// What an epoch statement says of sales.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct SalesInfo {
    /// Jobs that the epoch settled.
    pub count: u64,
    /// RFC 6962 root over the sales.
    pub root: String,
}

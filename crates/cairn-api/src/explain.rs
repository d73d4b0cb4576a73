//! Why a device got what it got: the chain from check to leaf to payment.

use serde::{Deserialize, Serialize};

use crate::{ClaimInfo, EpochRef, PayoutInfo, SaleInfo, VerdictInfo};

/// An RFC 6962 inclusion proof in one of the epoch's tables.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct ProofInfo {
    /// The leaf's canonical bytes, hexadecimal.
    pub leaf: String,
    /// Its position.
    pub index: u64,
    /// Leaves in the tree.
    pub size: u64,
    /// The proof's hashes.
    pub proof: Vec<String>,
    /// The root, as the epoch statement has it.
    pub root: String,
}

/// One verdict with its proof.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct SlotExplanation {
    /// The verdict.
    pub verdict: VerdictInfo,
    /// Whether the late factor applies.
    pub late: bool,
    /// The weight after the late factor.
    pub weight: u64,
    /// That the verdict is under the verdict root.
    pub proof: ProofInfo,
}

/// The device's part of one pool.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct PoolShare {
    /// The payout row.
    pub payout: PayoutInfo,
    /// How the pool is shared: `pro-rata`, `flat` or `residual`; `sales` for what buyers paid for work.
    pub rule: String,
    /// Base units the pool had; of sales, the price of all the work less fees.
    pub pool_size: String,
    /// The weight all together; of sales, the gas of all the work.
    pub pool_weight: String,
    /// The calculation in words, rounding included, such as `floor(1000 * 7 / 9) = 777`, or `(60 - 3) + (40 - 2) = 95`.
    pub calculation: String,
    /// That the row is under the payout root.
    pub proof: ProofInfo,
}

/// A sale in which the device was a right worker, with its proof.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct SaleExplanation {
    /// The sale.
    pub sale: SaleInfo,
    /// That it is under the sales root.
    pub proof: ProofInfo,
}

/// `GET /v1/devices/{id}/epochs/{n}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Explanation {
    /// The device.
    pub device: String,
    /// The epoch and its statement.
    pub epoch: EpochRef,
    /// What is rehearsed.
    pub rehearsed: Vec<String>,
    /// Symbol of the asset.
    pub symbol: String,
    /// Decimals of one token.
    pub decimals: u8,
    /// What the device earned in all, base units.
    pub paid: String,
    /// Every verdict.
    pub slots: Vec<SlotExplanation>,
    /// Every pool's share.
    pub pools: Vec<PoolShare>,
    /// Every sale of its work; absent where there is none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sales: Vec<SaleExplanation>,
    /// The claim of the account that is paid, as of this epoch.
    pub claim: Option<ClaimInfo>,
}

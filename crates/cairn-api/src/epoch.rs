//! Epochs, and the tables behind their numbers.

use serde::{Deserialize, Serialize};

use crate::{EpochRef, SalesInfo};

/// What one class's judge said in an epoch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct ClassInfo {
    /// The class.
    pub class: String,
    /// The judge's rules revision.
    pub revision: u64,
    /// SHA-256 of the profile.
    pub profile_hash: String,
    /// Verdicts.
    pub subjects: u64,
    /// Verdicts with the whole score.
    pub passed: u64,
    /// RFC 6962 root over the verdicts.
    pub verdict_root: String,
    /// Revenue in base units.
    pub revenue: String,
}

/// One pool of an epoch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct PoolInfo {
    /// The pool's name.
    pub name: String,
    /// Base units to share.
    pub size: String,
    /// The weight it was shared by.
    pub weight: String,
    /// Devices it was shared among.
    pub devices: u64,
    /// Base units paid.
    pub paid: String,
    /// Payout rows.
    pub recipients: u64,
}

/// The balance of the asset: `opening + minted + deposited = paid + refunded + burned + escrow + vesting + unallocated`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct BalanceInfo {
    /// The symbol.
    pub symbol: String,
    /// Decimals of one token.
    pub decimals: u8,
    /// Held at the start.
    pub opening: String,
    /// Emitted.
    pub minted: String,
    /// Paid in by buyers.
    pub deposited: String,
    /// Paid out: by pools, for work and for licences.
    pub paid: String,
    /// Given back to buyers, out of the network.
    pub refunded: String,
    /// Destroyed.
    pub burned: String,
    /// Closing: paid in by buyers and not spent: credit, and what is locked for jobs.
    pub escrow: String,
    /// Closing: earned and not yet free.
    pub vesting: String,
    /// Closing: assigned to nobody.
    pub unallocated: String,
}

/// What one settlement chain may be claimed on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct DomainInfo {
    /// The chain, CAIP-2.
    pub domain: String,
    /// The distributor contract, 32 bytes hexadecimal; zeros when no contract is attached.
    pub distributor: String,
    /// Root of the claim tree.
    pub claim_root: String,
    /// Leaves.
    pub leaves: u64,
    /// Sum of cumulative totals, base units.
    pub cumulative: String,
}

/// `GET /v1/epochs/{n}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct EpochInfo {
    /// The epoch's number.
    pub number: u64,
    /// SHA-256 of the statement.
    pub statement: String,
    /// Start of its measured time.
    pub start_ms: u64,
    /// End of its measured time.
    pub end_ms: u64,
    /// First entry of its range.
    pub from: u64,
    /// First entry after its range.
    pub to: u64,
    /// The log's root at `to`.
    pub log_root: String,
    /// Hash of the statement before.
    pub previous: String,
    /// SHA-256 of the policy.
    pub policy_hash: String,
    /// Rules revision of the engine.
    pub engine_revision: u64,
    /// Per class.
    pub classes: Vec<ClassInfo>,
    /// Per pool.
    pub pools: Vec<PoolInfo>,
    /// RFC 6962 root over the payout rows.
    pub payout_root: String,
    /// The jobs that were settled; absent where none were.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sales: Option<SalesInfo>,
    /// The balance.
    pub balance: BalanceInfo,
    /// Per settlement chain.
    pub domains: Vec<DomainInfo>,
    /// RFC 6962 root over the state's records.
    pub state_root: String,
    /// What is rehearsed.
    pub rehearsed: Vec<String>,
}

/// `GET /v1/epochs`: newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct EpochList {
    /// The epoch that is open.
    pub open: u64,
    /// Closed epochs, newest first.
    pub epochs: Vec<EpochInfo>,
    /// Pass as `before` for the next page; absent on the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<u64>,
}

/// A reason of a verdict.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct ReasonInfo {
    /// Stable code.
    pub code: String,
    /// The check.
    pub check: String,
    /// What was seen, in the quantity's integer unit.
    pub observed: i64,
    /// The limit.
    pub threshold: i64,
    /// Parts per million of the score lost.
    pub lost_ppm: u32,
    /// Entries that show it.
    pub evidence: Vec<u64>,
    /// The same in words.
    pub sentence: String,
}

/// A verdict.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct VerdictInfo {
    /// The class.
    pub class: String,
    /// The device.
    pub device: String,
    /// Start of the slot.
    pub slot_ms: u64,
    /// The report judged, when it is one report and not a whole slot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub report: Option<u64>,
    /// Who is paid for it.
    pub account: String,
    /// How much was delivered.
    pub amount: u64,
    /// How good it was.
    pub score_ppm: u32,
    /// `floor(amount * score_ppm / 10^6)`.
    pub weight: u64,
    /// Why.
    pub reasons: Vec<ReasonInfo>,
    /// The entries judged.
    pub entries: Vec<u64>,
}

/// `GET /v1/epochs/{n}/verdicts`: in the order of the verdict roots' leaves, or filtered by `device`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct VerdictList {
    /// The epoch.
    pub epoch: EpochRef,
    /// Verdicts in the epoch.
    pub total: u64,
    /// The page.
    pub verdicts: Vec<VerdictInfo>,
    /// Pass as `after` for the next page; absent on the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<u64>,
}

/// One payout row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct PayoutInfo {
    /// Who is paid.
    pub account: String,
    /// For which device; absent for the residual pool.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// From which pool.
    pub pool: String,
    /// The weight shared by.
    pub weight: u64,
    /// Base units.
    pub amount: String,
}

/// `GET /v1/epochs/{n}/payouts`: in the order of the payout root's leaves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct PayoutList {
    /// The epoch.
    pub epoch: EpochRef,
    /// Rows in the epoch.
    pub total: u64,
    /// The page.
    pub payouts: Vec<PayoutInfo>,
    /// Pass as `after` for the next page; absent on the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<u64>,
}

/// What a contract accepts as a claim.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct ClaimInfo {
    /// The epoch whose claim root this proves against.
    pub epoch: EpochRef,
    /// The chain, CAIP-2.
    pub domain: String,
    /// The distributor contract, 32 bytes hexadecimal.
    pub distributor: String,
    /// Cumulative total, base units.
    pub cumulative: String,
    /// The leaf's hash.
    pub leaf: String,
    /// The proof, from leaf to root.
    pub proof: Vec<String>,
    /// The claim root.
    pub root: String,
}

/// One epoch of an account's history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct AccountEpoch {
    /// The epoch and its statement.
    pub epoch: EpochRef,
    /// What it paid, base units.
    pub paid: String,
}

/// `GET /v1/accounts/{id}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct AccountInfo {
    /// The account, CAIP-10.
    pub account: String,
    /// Everything it was given, base units, as of the last closed epoch.
    pub cumulative: String,
    /// The account that is paid for its devices.
    pub payee: String,
    /// Devices it owns.
    pub devices: Vec<String>,
    /// The most recent epochs, newest first.
    pub epochs: Vec<AccountEpoch>,
    /// Its claim, once an epoch has closed with a settlement chain of the account's.
    pub claim: Option<ClaimInfo>,
}

//! Work: what is ordered, who does it, what was said of it, and what it would cost.

use serde::{Deserialize, Serialize};

use crate::{EpochRef, SaleInfo};

/// Bytes by their SHA-256 and length.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct BlobInfo {
    /// SHA-256 of the bytes.
    pub hash: String,
    /// How many they are.
    pub bytes: u64,
}

/// The terms of an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct OrderInfo {
    /// Who pays, CAIP-10.
    pub buyer: String,
    /// The WebAssembly module.
    pub module: BlobInfo,
    /// The inputs, by position.
    pub inputs: Vec<BlobInfo>,
    /// The arguments, hexadecimal.
    pub arguments: String,
    /// The version of the gas table.
    pub gas_table: u32,
    /// `det-int` or `det-float`.
    pub profile: String,
    /// The most gas.
    pub gas: u64,
    /// The most memory, in pages of 64 KiB.
    pub pages: u32,
    /// The most bytes of output.
    pub output_bytes: u32,
    /// The most base units for 10^9 gas.
    pub price: String,
    /// How many workers do it, 1 to 8.
    pub replicas: u8,
    /// The least chance of a replay, in parts per million.
    pub sample_ppm: u32,
    /// How long workers have to commit, from receipt, ms.
    pub commit_ms: u64,
    /// The most that may be locked, base units.
    pub most: String,
    /// Where the rest is paid to; back to the buyer's credit when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refund: Option<String>,
}

/// A licence over a content of an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct LicenceTerms {
    /// SHA-256 of the content.
    pub content: String,
    /// Who is paid.
    pub owner: String,
    /// Base units for the job.
    pub price: String,
    /// And a share of the price of the work, in parts per million.
    pub share_ppm: u32,
}

/// What came out of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct ResultInfo {
    /// How it ended: a number of the reference of compute; 0 is done.
    pub outcome: u32,
    /// The gas it took.
    pub gas: u64,
    /// The output; it may be had under `/v1/blobs/{hash}`.
    pub output: BlobInfo,
    /// The digest of all of it.
    pub digest: String,
}

/// What a worker said of a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(tag = "said", rename_all = "lowercase")]
pub enum WordInfo {
    /// Nothing.
    Silent,
    /// A sealed result.
    Committed {
        /// The commit's entry.
        index: u64,
        /// The seal.
        seal: String,
    },
    /// The result that was sealed.
    Revealed {
        /// The commit's entry.
        committed: u64,
        /// The reveal's entry.
        index: u64,
        /// What came out.
        result: ResultInfo,
    },
    /// That it does not do it.
    Declined {
        /// The entry.
        index: u64,
        /// Why: 1 blobs are not to be had, 2 no room, 3 the host failed.
        reason: u32,
    },
}

/// A worker of a job, and why it is one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct AssignedInfo {
    /// The worker.
    pub device: String,
    /// Whose it was when it was assigned.
    pub owner: String,
    /// Who is paid.
    pub payee: String,
    /// Its price when it was assigned, base units for 10^9 gas.
    pub price: String,
    /// Its score as it is now: right results that are remembered.
    pub score: u32,
    /// Its number in the lottery: lower is first. Absent in lists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lottery: Option<String>,
    /// What it has said.
    pub word: WordInfo,
}

/// What an auditor said of a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct ReplayInfo {
    /// The auditor, `0x` and 40 digits.
    pub auditor: String,
    /// The digest of its run.
    pub digest: String,
    /// The entry.
    pub index: u64,
}

/// That a job is to be run again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct DrawInfo {
    /// `dissent`, `chance`, `probation` or `suspicion`.
    pub cause: String,
    /// Until when it waits for auditors.
    pub due_ms: u64,
}

/// That a job was judged and billed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct SettlementInfo {
    /// The epoch and its statement.
    pub epoch: EpochRef,
    /// What became of what was locked. Absent in lists; its proof is under `/v1/epochs/{n}/sales/{job}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sale: Option<SaleInfo>,
}

/// `GET /v1/jobs/{job}`: as of the last entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct JobInfo {
    /// The job: SHA-256 of its order's payload.
    pub job: String,
    /// The order's entry.
    pub index: u64,
    /// When the order was taken in.
    pub received_ms: u64,
    /// What was ordered.
    pub order: OrderInfo,
    /// The signed order, hexadecimal, to be held against the job's name. Absent in lists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub statement: Option<String>,
    /// The workers, in the order of the lottery.
    pub assigned: Vec<AssignedInfo>,
    /// The licences that were in force over its contents.
    pub licences: Vec<LicenceTerms>,
    /// What it locks, base units.
    pub locked: String,
    /// `committing`, `revealing`, `done` or `settled`, at `time_ms`.
    pub phase: String,
    /// The first moment at which nobody can commit any more.
    pub commit_until_ms: u64,
    /// The first moment at which nobody can reveal any more.
    pub reveal_until_ms: u64,
    /// That it is to be run again, if it was drawn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub draw: Option<DrawInfo>,
    /// What auditors said.
    pub replays: Vec<ReplayInfo>,
    /// The digest that a quorum of them said first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub truth: Option<String>,
    /// That it was judged and billed, once it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settled: Option<SettlementInfo>,
    /// The network's time at this answer.
    pub time_ms: u64,
}

/// `GET /v1/jobs`: by name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct JobList {
    /// The page.
    pub jobs: Vec<JobInfo>,
    /// Pass as `after` for the next page; absent on the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// The network's time at this answer.
    pub time_ms: u64,
    /// What is rehearsed.
    pub rehearsed: Vec<String>,
}

/// A worker's offer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct OfferInfo {
    /// The worker.
    pub device: String,
    /// Base units for 10^9 gas.
    pub price: String,
    /// Jobs at once.
    pub capacity: u32,
    /// Jobs that wait for a word of it now. Absent where it let the time of one pass: then it is assigned nothing more before the
    /// epoch closes, and that ends its offer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub load: Option<u32>,
    /// The most gas of one job.
    pub gas_max: u64,
    /// The most memory of one job, in pages of 64 KiB.
    pub pages_max: u32,
    /// What it runs: `det-int`, `det-float`.
    pub profiles: Vec<String>,
    /// Until when.
    pub until_ms: u64,
    /// Its score: right results that are remembered.
    pub score: u32,
}

/// `GET /v1/offers`: those in force, by device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct OfferList {
    /// The page.
    pub offers: Vec<OfferInfo>,
    /// Pass as `after` for the next page; absent on the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// The network's time at this answer.
    pub time_ms: u64,
}

/// A worker that an order could be assigned to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct QuotedWorker {
    /// The worker.
    pub device: String,
    /// Its price, base units for 10^9 gas.
    pub price: String,
    /// Its score: right results that are remembered.
    pub score: u32,
}

/// The answer to `POST /v1/quotes`: what an order with these terms would meet now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct QuoteInfo {
    /// Those among whom the lottery would choose, cheapest first.
    pub workers: Vec<QuotedWorker>,
    /// How many of them would do it.
    pub replicas: u8,
    /// The licences in force over its contents.
    pub licences: Vec<LicenceTerms>,
    /// The most that it would lock, whoever is chosen, base units.
    pub locked: String,
    /// What the buyer has to spend, base units.
    pub credit: String,
    /// The least chance of a replay by order and network together, in parts per million.
    pub sample_ppm: u32,
    /// The network's time at this answer.
    pub time_ms: u64,
}

//! Buying a run of a module: its terms, and what becomes of a payment for one.

use serde::{Deserialize, Serialize};

/// Bytes by their hash and length, which the gateway holds or is sent (`/v1/blobs`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct BlobRef {
    /// SHA-256, 64 hexadecimal digits.
    pub hash: String,
    /// How many bytes.
    pub bytes: u64,
}

/// What is to be run, and for how much: an order without its buyer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct OrderTerms {
    /// The WebAssembly module.
    pub module: BlobRef,
    /// Its inputs, by position; at most 16.
    #[serde(default)]
    pub inputs: Vec<BlobRef>,
    /// The arguments, hexadecimal; at most 4,096 bytes.
    #[serde(default)]
    pub arguments: String,
    /// Version of the gas table. Default 1.
    #[serde(default = "one")]
    pub gas_table: u32,
    /// `det-int` (no floats; the default) or `det-float`.
    #[serde(default = "det_int")]
    pub profile: String,
    /// The most gas.
    pub gas: u64,
    /// The most memory, pages of 64 KiB.
    pub pages: u32,
    /// The most bytes of output.
    pub output_bytes: u32,
    /// The most base units for 10^9 gas, decimal.
    pub price: String,
    /// Workers that do it, 1 to 8. Default 1.
    #[serde(default = "one_worker")]
    pub replicas: u8,
    /// The least chance of a replay by auditors, millionths; the network's own least counts too. Default 0.
    #[serde(default)]
    pub sample_ppm: u32,
    /// How long workers have to commit, ms.
    pub commit_ms: u64,
    /// The most base units that may be locked, decimal; where it is absent, what would be locked now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub most: Option<String>,
}

fn one() -> u32 {
    1
}

fn one_worker() -> u8 {
    1
}

fn det_int() -> String {
    "det-int".to_owned()
}

/// How far a purchase is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum PurchaseStatus {
    /// The payment was taken; whether it moves its money is not known yet. Ask again; do not pay again.
    Settling,
    /// Nothing was moved, and this payment will not be sent again unless it is presented again.
    Unpaid,
    /// The money was moved; the order is being placed.
    Paid,
    /// The order is in the log: `job` names it.
    Ordered,
    /// The order was refused: what was paid is on its way back.
    Returning,
    /// The order was refused: what was paid went back.
    Returned,
}

/// Money that goes back from the till to the payer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct PaidBack {
    /// Base units, decimal.
    pub amount: String,
    /// The transaction; absent while it is not in the chain for sure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transaction: Option<String>,
    /// The till's signature over the transfer (EIP-3009, nonce: the payment's name, valid without end): anybody can send it,
    /// the payer too, and the token takes it once.
    pub signature: String,
}

/// A purchase: one payment, and the job that it buys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Purchase {
    /// The payment's name: 64 hexadecimal digits.
    pub payment: String,
    /// Where to ask what became of it.
    pub ask: String,
    /// How far it is.
    pub status: PurchaseStatus,
    /// The chain: CAIP-2.
    pub network: String,
    /// Who paid: an address.
    pub payer: String,
    /// What was paid, base units, decimal.
    pub amount: String,
    /// Hash of the terms that were bought.
    pub quote: String,
    /// The transaction that moved the money.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transaction: Option<String>,
    /// The job, once its order is in the log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<String>,
    /// What was locked for the job, base units, decimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub locked: Option<String>,
    /// What goes back: all that was paid where the order was refused, else the change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub back: Option<PaidBack>,
    /// Why it was not paid or not ordered: a stable code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// The same in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// The payment protocol's word for why it was not paid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What to do now.
    pub next: String,
}

//! Why a device got what it got in an epoch, from check to leaf to payment: one story, which the page and `cairn explain`
//! both tell.
//!
//! What is told is read from the leaves themselves, after each was proved to stand under the epoch statement; the words of
//! whoever served them are not repeated. That the statement follows from the log is the business of `cairn audit`.

mod check;
mod tell;
mod told;

use cairn_core::epoch::EpochStatement;
use cairn_core::{Amount, DeviceId, Payout, Sale, Verdict};
use cairn_reward::Policy;
use thiserror::Error;

pub use check::statement;
pub use told::{Line, Part, Told};

/// What was asked for, and what the answer is held to.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// The network's name.
    pub network_name: &'a str,
    /// The device.
    pub device: DeviceId,
    /// The epoch's statement.
    pub statement: &'a EpochStatement,
    /// The policy whose hash the statement has.
    pub policy: &'a Policy,
    /// When the epoch began, ms since 1970 UTC; what a slot begins before is late.
    pub start_ms: u64,
    /// Length of an epoch, ms.
    pub epoch_ms: u64,
}

/// What is served does not stand under the statement.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{what}")]
pub struct NotProved {
    /// The first thing that does not hold.
    pub what: String,
}

impl NotProved {
    /// The stable code.
    pub const CODE: &'static str = "NET-PROOF";
    /// The way out.
    pub const HINT: &'static str =
        "the gateway does not say what the epoch statement says: keep its answer, and run `cairn audit`";
}

/// A verdict that is under the statement's verdict root.
#[derive(Debug, Clone)]
struct Slot {
    verdict: Verdict,
    late: bool,
    /// After the late factor.
    weight: u64,
}

/// A payout row that is under the statement's payout root.
#[derive(Debug, Clone)]
struct Share {
    payout: Payout,
    rule: &'static str,
    /// How its amount comes about, in base units.
    calculation: String,
}

/// A claim that is under the statement's claim root.
#[derive(Debug, Clone)]
struct Claim {
    domain: String,
    root: String,
    cumulative: Amount,
    /// Hash of the claim's leaf, in hexadecimal.
    leaf: String,
    proof_hashes: usize,
}

/// What a chain said, when somebody asked it: no part of the log, and not verified here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chained {
    /// The chain, as CAIP-2 names it.
    pub chain: String,
    /// Whether it is a rehearsal of one.
    pub rehearsed: bool,
    /// The block that it stood at, and that block's time, ms since 1970 UTC.
    pub block: u64,
    /// See `block`.
    pub block_ms: u64,
    /// The last epoch that was posted to it,
    pub posted: Option<u64>,
    /// and the last that it pays by.
    pub opened: Option<u64>,
    /// Base units that it had paid to the account.
    pub paid: Amount,
}

/// Everything that was said of a device in an epoch, and verified.
#[derive(Debug, Clone)]
pub struct Case {
    network_name: String,
    device: DeviceId,
    statement: EpochStatement,
    hash: String,
    start_ms: u64,
    end_ms: u64,
    decimals: u8,
    slots: Vec<Slot>,
    /// The sales of its work, each under the statement's sales root.
    sales: Vec<Sale>,
    shares: Vec<Share>,
    claim: Option<Claim>,
    chained: Option<Chained>,
}

impl Case {
    /// The account that is paid, where anything is.
    #[must_use]
    pub fn account(&self) -> Option<&cairn_core::Account> {
        self.shares.first().map(|share| &share.payout.account)
    }

    /// The same with what the account's chain said.
    #[must_use]
    pub fn with_chain(self, chained: Option<Chained>) -> Self {
        Self { chained, ..self }
    }

    /// Verdicts that were verified.
    #[must_use]
    pub const fn verdicts(&self) -> usize {
        self.slots.len()
    }

    /// Sales of the device's work that were verified.
    #[must_use]
    pub const fn sales(&self) -> usize {
        self.sales.len()
    }

    /// Payout rows that were verified.
    #[must_use]
    pub const fn payouts(&self) -> usize {
        self.shares.len()
    }

    /// Claims that were verified.
    #[must_use]
    pub fn claims(&self) -> usize {
        self.claim.iter().count()
    }
}

//! Why a policy is refused or an epoch cannot be allocated.

use cairn_core::{DeviceId, JobId};
use thiserror::Error;

use crate::REVISION;
use crate::policy::POLICY_BYTES_MAX;

/// Why a policy is refused or an epoch cannot be allocated. Lines count from 1.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RewardError {
    /// The document is too long to be logged.
    #[error("the policy has {bytes} bytes; at most {POLICY_BYTES_MAX} fit into a statement")]
    Size {
        /// Its length.
        bytes: usize,
    },
    /// A byte other than printable ASCII, tabs and line ends; the backslash counts as not printable.
    #[error("line {line}: byte 0x{byte:02x} may not stand in a policy: printable ASCII without backslash")]
    Ascii {
        /// Where it stands.
        line: usize,
        /// The byte.
        byte: u8,
    },
    /// Not a TOML document.
    #[error("line {line}: not TOML: {message}")]
    Toml {
        /// Where the parser stopped.
        line: usize,
        /// What the parser says.
        message: String,
    },
    /// A float, anywhere.
    #[error("line {line}: `{key}` = {value} is a float, and no float may reach a payout")]
    Float {
        /// Where it stands.
        line: usize,
        /// Path of the key.
        key: String,
        /// The float as written.
        value: String,
    },
    /// A key that the format does not have.
    #[error("line {line}: unknown key `{key}`")]
    UnknownKey {
        /// Where it stands.
        line: usize,
        /// Path of the key.
        key: String,
        /// The keys that may stand there.
        known: &'static [&'static str],
    },
    /// A key that must be there.
    #[error("line {line}: `{key}` is missing")]
    MissingKey {
        /// Where its table begins.
        line: usize,
        /// Path of the key.
        key: String,
    },
    /// A value of another TOML type.
    #[error("line {line}: `{key}` is {found}, not {expected}")]
    WrongType {
        /// Where it stands.
        line: usize,
        /// Path of the key.
        key: String,
        /// The type it has.
        found: &'static str,
        /// The type it should have.
        expected: &'static str,
    },
    /// A value outside what its key allows.
    #[error("line {line}: `{key}` = `{value}` is not {expected}")]
    Value {
        /// Where it stands.
        line: usize,
        /// Path of the key.
        key: String,
        /// The value as read.
        value: String,
        /// What it should be.
        expected: String,
    },
    /// Two entries of a list that may not be equal.
    #[error("line {line}: `{key}` repeats `{value}`")]
    Repeated {
        /// Where the second stands.
        line: usize,
        /// Path of the key.
        key: String,
        /// The value that repeats.
        value: String,
    },
    /// Shares beyond the whole.
    #[error("the pools' share_ppm add up to {sum_ppm}, more than 1000000")]
    Shares {
        /// Their sum.
        sum_ppm: u64,
    },
    /// No residual pool, or several.
    #[error("the policy has {count} pools with rule = \"residual\"; exactly one takes what is left")]
    Residual {
        /// How many it has.
        count: usize,
    },
    /// An emission table that is empty or not strictly ascending.
    #[error("emission.table: row {row} must begin after epoch {after}, not at {from_epoch}")]
    EmissionOrder {
        /// The row, counted from 0.
        row: usize,
        /// Where the row before begins.
        after: u64,
        /// Where this one begins.
        from_epoch: u64,
    },
    /// An emission table without a row.
    #[error("emission.table has no row")]
    EmissionEmpty,
    /// A pool that pays a class which the policy does not admit.
    #[error("pool `{pool}` pays class `{class}`, which [classes] does not list")]
    UnknownClass {
        /// The pool.
        pool: String,
        /// Its class.
        class: String,
    },
    /// Rules that this build does not have.
    #[error("line {line}: engine.revision = {found}; this build runs revision {REVISION}")]
    Revision {
        /// Where it stands.
        line: usize,
        /// The revision asked for.
        found: u64,
    },
    /// A device's weight that no payout row can hold.
    #[error("pool `{pool}`: the weight of {device} is {weight}, beyond 2^63 - 1")]
    Weight {
        /// The pool.
        pool: String,
        /// The device.
        device: DeviceId,
        /// Its weight.
        weight: u128,
    },
    /// A sum past 2^128 - 1 base units.
    #[error("{what} passes 2^128 - 1 base units")]
    Overflow {
        /// The sum.
        what: &'static str,
    },
    /// A sale whose parts are not what was locked, or that burns more of somebody's work than it is worth.
    #[error("the sale of job {job} does not balance")]
    Sale {
        /// The job.
        job: JobId,
    },
    /// Sales of more than buyers had in escrow.
    #[error("epoch {epoch}: {spent} base units were sold for, and {escrow} are in escrow")]
    Escrow {
        /// The epoch.
        epoch: u64,
        /// What the sales pay, give back and burn, in base units.
        spent: u128,
        /// What was there, in base units.
        escrow: u128,
    },
    /// A balance whose two sides differ.
    #[error(
        "epoch {epoch}: opening + minted + deposited is {in_units}, paid + refunded + burned + closing is {out_units}"
    )]
    Unbalanced {
        /// The epoch.
        epoch: u64,
        /// The left side, in base units.
        in_units: u128,
        /// The right side, in base units.
        out_units: u128,
    },
}

impl RewardError {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Size { .. } => "RWD-SIZE",
            Self::Ascii { .. } => "RWD-ASCII",
            Self::Toml { .. } => "RWD-TOML",
            Self::Float { .. } => "RWD-FLOAT",
            Self::UnknownKey { .. } => "RWD-KEY",
            Self::MissingKey { .. } => "RWD-MISSING",
            Self::WrongType { .. } => "RWD-TYPE",
            Self::Value { .. } => "RWD-VALUE",
            Self::Repeated { .. } => "RWD-REPEATED",
            Self::Shares { .. } => "RWD-SHARES",
            Self::Residual { .. } => "RWD-RESIDUAL",
            Self::EmissionOrder { .. } | Self::EmissionEmpty => "RWD-EMISSION",
            Self::UnknownClass { .. } => "RWD-CLASS",
            Self::Revision { .. } => "RWD-REVISION",
            Self::Weight { .. } => "RWD-WEIGHT",
            Self::Overflow { .. } => "RWD-OVERFLOW",
            Self::Sale { .. } => "RWD-SALE",
            Self::Escrow { .. } => "RWD-ESCROW",
            Self::Unbalanced { .. } => "RWD-BALANCE",
        }
    }

    /// The way out, where there is one.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Size { .. } => "shorten the comments; they are hashed and logged with the rest",
            Self::Ascii { .. } => "the rule holds in comments too, so that every parser reads the same document",
            Self::Float { .. } => {
                "shares are integers in parts per million (0.25 is 250_000), amounts are text (\"0.25\")"
            }
            Self::UnknownKey { known: [], .. } => return None,
            Self::UnknownKey { known, .. } => return Some(format!("keys that may stand here: {}", known.join(", "))),
            Self::WrongType { expected: "text", found: "an integer", .. } => "put it in quotes",
            Self::WrongType { expected: "an integer", found: "text", .. } => "take the quotes away",
            Self::Shares { .. } => "what the shares leave of 1000000 goes to the residual pool",
            Self::Residual { .. } => "add or keep one [[pools]] with rule = \"residual\" and to = \"<account>\"",
            Self::EmissionOrder { .. } => "sort the rows by from_epoch and give each epoch one row",
            Self::EmissionEmpty => "a network without emission says { from_epoch = 0, amount_tokens = \"0\" }",
            Self::UnknownClass { class, .. } => {
                return Some(format!("add [classes.\"{class}\"] with the revision of its judge"));
            }
            Self::Revision { .. } => "run the release that brought the revision, or name one that this build has",
            Self::Overflow { .. } => "use fewer decimals or a smaller emission",
            _ => return None,
        };
        Some(hint.to_owned())
    }
}

//! The policy document: what a network mints, whom it pays, and whose word it takes.
//!
//! A policy is a TOML document that is logged whole, by a statement that names the first epoch it governs. **Its bytes
//! are its identity**: every epoch statement cites their SHA-256. Since everybody who recomputes a payout reads the same
//! document, perhaps with another parser, the form is strict: at most [`POLICY_BYTES_MAX`] bytes of printable ASCII
//! without backslashes, TOML 1.0, no float anywhere, no unknown key, no default that is not written here.
//!
//! | key | value |
//! | --- | --- |
//! | `engine.revision` | the rules of this crate, [`crate::REVISION`] |
//! | `asset.symbol` | 1 to 11 capital letters and digits, a letter first |
//! | `asset.decimals` | 0 to 18: one token is `10^decimals` base units |
//! | `asset.caip19` | optional: the token's CAIP-19 id, once there is one |
//! | `epochs.late_epochs` | 0 to 1000: how many epochs back a late report may be measured |
//! | `epochs.late_ppm` | what is left of a late verdict's weight |
//! | `epochs.future_ms` | 0 to 86,400,000: how far ahead of its receipt a report's time may be |
//! | `positions.h3_resolution` | 0 to 15: the finest cell that is logged |
//! | `limits.devices_per_owner` | devices an owner may enrol; 0 sets no limit |
//! | `emission.table` | rows `{ from_epoch, amount_tokens }`, strictly ascending: see [`crate::emission`] |
//! | `emission.max_supply_tokens` | optional: the most that is ever minted |
//! | `classes."<schema>".revision` | a resource class that is judged, and the revision of its judge |
//! | `classes."<schema>".fee_ppm` | optional, only of a class with a market ([`MARKETS`]): the part of what work is sold for that is burned; 0 when it is not said |
//! | `classes."<schema>".bridges` | optional, not of a class with a market: whether a bridge may report for its owner's other devices; `false` when it is not said |
//! | `pools[].name` | 1 to 32 lower-case letters, digits and hyphens, a letter first; no two alike |
//! | `pools[].rule` | `pro-rata`, `flat` or, exactly once, `residual`: see [`mod@crate::allocate`] |
//! | `pools[].class` | not residual: the class it pays |
//! | `pools[].share_ppm` | not residual: its part of the epoch's pot; all together at most 1,000,000 |
//! | `pools[].cap_per_device_tokens` | not residual, optional: the most one device gets from it in one epoch |
//! | `pools[].min_score_ppm` | flat: the score, over all it delivered, that a device needs |
//! | `pools[].to` | residual: a CAIP-10 account, `burn`, or `next-epoch` |
//! | `credit.chains` | optional: 1 to [`CREDIT_CHAINS_MAX`] EVM chains (CAIP-2), none twice, whose deposits become credit |
//! | `observers[].source` | 1 to 64 lower-case letters, digits and `-./:` |
//! | `observers[].key` | the observer's `did:key` |
//! | `observers[].trust` | `proof`, `median` or `operator`, the same for all observers of one source |
//!
//! Under a policy with `[credit]` a source that begins with `deposits/` names one of its chains (`deposits/eip155:1`), and its
//! trust is `operator`: one observer's word is a deposit, whoever of the source's observers says it first.
//!
//! Amounts are whole or decimal tokens as text (`"100000"`, `"0.25"`), with at most as many decimal places as the asset.
//!
//! The document does not say how a class is judged (that is the class's profile, a document of its own), when epochs
//! begin and how long they are (genesis says it, once), nor who may change it (the operator's statements do).

mod check;
mod read;

use std::collections::{BTreeMap, BTreeSet};

use cairn_core::key::PublicKey;
use cairn_core::{Account, Amount, Domain, Hash, Ppm};

use crate::emission::Emission;

/// The longest policy document, in bytes: it travels in one statement.
pub const POLICY_BYTES_MAX: usize = 24_000;

/// The most chains whose deposits become credit: as many as a network may settle on.
pub const CREDIT_CHAINS_MAX: usize = 16;

/// The classes that have a market: what buyers order and workers are paid for, outside of every pool.
pub const MARKETS: &[&str] = &["compute/1"];

/// A policy, read from its document by [`Policy::parse`] and by nothing else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// SHA-256 of the document. Private, so that no policy exists without the bytes it was read from.
    hash: Hash,
    /// Revision of the allocation rules.
    pub engine_revision: u32,
    /// What is paid.
    pub asset: Asset,
    /// What epochs admit.
    pub epochs: Epochs,
    /// The finest H3 resolution of a logged position, 0 to 15.
    pub h3_resolution: u8,
    /// Devices an owner may enrol; `None` sets no limit.
    pub devices_per_owner: Option<u32>,
    /// What is minted.
    pub emission: Emission,
    /// The revision of the judge of every class, by schema.
    pub classes: BTreeMap<String, u32>,
    /// The part of what work is sold for that is burned, by class: of those with a market that are judged, all of them.
    pub fees: BTreeMap<String, Ppm>,
    /// The classes in which a bridge may report for other devices of its owner; none of them has a market.
    pub bridged: BTreeSet<String>,
    /// The pools that pay devices, in the document's order.
    pub pools: Vec<Pool>,
    /// Where everything goes that no device gets.
    pub residual: Residual,
    /// Whose deposits count; `None` when none do.
    pub credit: Option<Credit>,
    /// Whose word of the outside world is taken, in the document's order.
    pub observers: Vec<Observer>,
}

impl Policy {
    /// SHA-256 of the document's bytes.
    #[must_use]
    pub const fn hash(&self) -> Hash {
        self.hash
    }

    /// Whether a bridge may report in a class for other devices of its owner.
    #[must_use]
    pub fn allows_bridges(&self, class: &str) -> bool {
        self.bridged.contains(class)
    }

    /// The part of what work of a class is sold for that is burned; none where the policy does not judge the class.
    #[must_use]
    pub fn fee(&self, class: &str) -> Ppm {
        self.fees.get(class).copied().unwrap_or(Ppm::ZERO)
    }
}

/// The asset that is paid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asset {
    /// The symbol, such as `CAIRN`.
    pub symbol: String,
    /// One token is `10^decimals` base units.
    pub decimals: u8,
    /// The CAIP-19 id of the token, once there is one.
    pub caip19: Option<String>,
}

/// What epochs admit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Epochs {
    /// How many epochs back a late report may be measured.
    pub late_epochs: u32,
    /// What is left of a late verdict's weight.
    pub late: Ppm,
    /// How far ahead of its receipt a report's time may be, in milliseconds.
    pub future_ms: u64,
}

/// A pool that pays the devices of a class.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pool {
    /// The pool's name, unique in the policy.
    pub name: String,
    /// The schema of the class it pays.
    pub class: String,
    /// How it is shared out.
    pub rule: Rule,
    /// Its part of the epoch's pot.
    pub share: Ppm,
    /// The most one device gets from it in one epoch, in base units.
    pub cap_per_device: Option<Amount>,
}

/// How a pool is shared out among devices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// By weight.
    ProRata,
    /// The same for every device that qualifies.
    Flat {
        /// The score, over all it delivered, that a device needs.
        min_score: Ppm,
    },
}

impl Rule {
    /// The rule's name in the document.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ProRata => "pro-rata",
            Self::Flat { .. } => "flat",
        }
    }
}

/// The one pool that takes what no device gets: unshared parts, empty pools, caps, rounding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Residual {
    /// The pool's name, unique in the policy.
    pub name: String,
    /// Where it goes.
    pub to: Destination,
}

/// Where the residual goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Destination {
    /// To an account, such as a treasury.
    Account(Account),
    /// Nowhere: it is burned.
    Burn,
    /// Into the pot of the next epoch.
    NextEpoch,
}

/// Which deposits become credit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credit {
    /// The EVM chains where they are made; at least one.
    pub chains: BTreeSet<Domain>,
}

/// Somebody whose observations of the outside world are taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observer {
    /// What is observed.
    pub source: String,
    /// The key that signs.
    pub key: PublicKey,
    /// Why it is believed.
    pub trust: Trust,
}

/// Why the observations of a source are believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trust {
    /// Each carries a proof that is checked.
    Proof,
    /// The median of all observers of the source counts.
    Median,
    /// The operator's word.
    Operator,
}

impl Trust {
    /// The word in the document.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Proof => "proof",
            Self::Median => "median",
            Self::Operator => "operator",
        }
    }
}

#[cfg(test)]
mod tests;

//! Money: the policy document, the emission table, the pools, and the one function that turns verdicts into payouts.
//!
//! ```text
//! policy.toml --parse--> Policy --+
//!                                 +--allocate--> Outcome { payouts, pools, balance, totals }
//! judges' verdicts, sales --------+                                  |
//!                                                                    +--add_totals--> what each account has earned, ever
//! ```
//!
//! Everything is an integer, every division is a floor, every remainder has a named place, and every epoch balances:
//! `opening + minted + deposited = paid + refunded + burned + closing`. The same policy and the same verdicts, in any
//! order, give the same bytes on every machine.
//!
//! This crate does not judge, does not read the log, does not know time, and does not build the claim tree: it is handed
//! verdicts and answers with amounts. The rules of this page are [`REVISION`]; [`allocate`](mod@allocate) spells them out
//! so that they can be written again in another language.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::cast_possible_truncation))]

pub mod allocate;
pub mod claims;
pub mod default;
pub mod diff;
mod document;
pub mod emission;
mod error;
pub mod policy;

pub use allocate::{Allocation, Balance, Closing, Outcome, PoolResult, allocate};
pub use claims::{Totals, add_totals};
pub use default::{DEFAULT_POLICY, default_policy};
pub use diff::{Change, Shift, changes, who_gains};
pub use emission::{Emission, EmissionRow};
pub use error::RewardError;
pub use policy::Policy;

/// The revision of the rules in this crate that a policy names under `[engine]`. A revision never changes its output: a
/// fix is a new revision beside it, from a named epoch.
pub const REVISION: u32 = 1;

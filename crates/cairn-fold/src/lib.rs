//! The fold: `state = fold(entries)`, pure and replayable.
//!
//! `admit(state, entry)` alone decides validity; epochs close where the log says they end, and each closing judges,
//! allocates and states. The gateway, the epoch engine and every auditor run this same code over the same entries and
//! arrive at the same bytes. Not here: files, networks, clocks.

mod admit;
mod apply;
mod carry;
mod close;
mod credit;
mod device;
mod fold;
mod market;
mod names;
mod nonces;
mod records;
mod refusal;
mod signatures;
mod snapshot;
mod state;

pub use admit::{Accepted, Beforehand, Candidate, Checked, Effect, Vouched, admit, admit_unsigned, report_key};
pub use carry::Carried;
pub use close::{CloseError, Closed, ENGINE_REVISION, claim_leaves, root_of};
pub use credit::{Buyer, CREDIT_MAX, Credited, Credits};
pub use device::{Device, FORMER_KEYS_MAX, Kind};
pub use fold::{Fold, FoldError, Folded};
pub use market::{Desk, JOB_GAS_MAX};
pub use names::{NameRanges, RANGES_MAX};
pub use nonces::SignerName;
pub use records::{RecordError, carry_record_start, carry_records};
pub use refusal::Refusal;
pub use signatures::{Claimed, check_reports, verify_all};
pub use snapshot::Snapshot;
pub use state::{DOMAINS_MAX, Denial, Network, OpenEpoch, Pending, PolicyInForce, State};

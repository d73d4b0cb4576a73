//! The ledger: the state folded from the log, the one writer, snapshots, and the views served from them.
//!
//! Everything here but the log itself is derived: the `views` folder may be deleted at any time and is made again from
//! the log. What is promised: nobody is answered before an entry is durable; an epoch's numbers come from its statement
//! and nowhere else. Not here: HTTP, limits, other people's keys.

mod claims;
mod clock;
mod closed;
mod compared;
mod credits;
mod distribution;
mod drawings;
mod earned;
mod error;
mod explain;
mod follow;
mod jobs;
mod ledger;
mod places;
mod rebuild;
mod receipts;
mod roster;
mod row_tree;
mod sales;
mod sequencer;
mod store;
mod tables;
mod totals;
mod views;

pub use clock::{NetworkClock, wall_ms};
pub use closed::{ClosedEpochs, JudgedEpoch};
pub use compared::{Around, Compared};
pub use drawings::{Drawing, Drawn};
pub use error::LedgerError;
pub use follow::Progress;
pub use jobs::{JobFilter, JobState, order_info, read_order};
pub use ledger::{Ledger, LedgerOptions};
pub use places::{ClassMiddle, PlaceRow, PlaceSum, PlacedDevice, Places};
pub use rebuild::{Difference, Rebuilt, check_views, rebuild_views};
pub use receipts::SHARED_ENTRIES_MAX;
pub use sales::sale_info;
pub use sequencer::{Answer, OperatorKeys, Receipted, Sequencer, Submission};
pub use store::split_rows;

//! From many readings to one report, so that whoever doubts it can do it again.
//!
//! Readings of one window of time are reduced, each quantity by its named reducer, in integers. What went in is one canonical
//! byte string, `edge-raw/1`: the recipe, the window, and every payload with what was read of it. Its SHA-256 and size stand in
//! the report (field 12), so it is fixed when the report is signed; it is kept on disk for some days, and [`recompute`] makes
//! the report's body of it, anywhere.
//!
//! Promised: the same input gives the same bytes and the same body; what was left out of a window is counted in it. Not
//! promised: that the payloads themselves were not made up. That is for the judge, and for whoever looks at them.

mod config;
mod folders;
mod raw;
mod recipe;
mod room;
mod store;
mod trail;
mod window;

pub use config::{Align, ReduceConfig};
pub use folders::{Folders, StdFolders, raw_files};
pub use raw::{RAW_BYTES_MAX, RawError, RawWindow, Recomputed, SAMPLES_MAX, Sample, Span, recompute};
pub use recipe::{Recipe, Reducer};
pub use room::{Crowding, Expendable, GivesUp, MakingRoom, is_full};
pub(crate) use store::lock;
#[cfg(test)]
pub(crate) use store::narrow;
pub use store::{RawStore, SharedStore, StoreLimits};
pub use window::{Closed, NotYet, Windows};

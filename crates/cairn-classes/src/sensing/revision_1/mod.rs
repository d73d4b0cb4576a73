//! Revision 1 of the judge of sensing, as it was released: range, copies, and the median of the nearest neighbours.
//!
//! It never changes: networks that chose it are audited with it for ever. It reads profiles of form 1, and has no memory
//! between epochs.

mod judge;
mod profile;

pub use judge::{assess, compared, judge};
pub use profile::{
    AltitudeRule, CopyRule, NEAREST_MAX, NeighbourRule, Profile, QuantityRule, SENSING_DAILY_PM, SENSING_STATION,
    Tolerance,
};

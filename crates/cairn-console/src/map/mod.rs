//! What maps show: layers of numbers over H3 cells, and the cells of a view as GeoJSON.
//!
//! Promised: whatever is shown of a cell comes from one closed epoch's verdicts and payouts; there are whole numbers only,
//! and the words for them are made here, so that a script shows and never computes. Below them lie tiles of the operator's base
//! map, where there is one. Not here: pages, and how a map is drawn.

mod features;
mod layer;
pub(crate) mod tile;

pub(crate) use features::{Cells, Numbers, degrees};
pub(crate) use layer::{Layer, Step};

//! The demo: a whole network over real readings, in one process, through the same doors that everybody else uses.
//!
//! It writes a configuration, starts what `cairn up` starts, and from then on is only a client over HTTP. What is not real
//! is declared in genesis and repeated by every epoch statement.

mod cast;
mod forecast;
mod plan;
mod replay;
mod settle;
mod summary;
mod tamper;
mod trade;

pub use cast::Cast;
pub use plan::Plan;
pub use replay::{Tallies, await_checkpoint, enrol, replay};
pub use settle::{Live, Parts, Settled};
pub use summary::{AttackerLine, Balance, Books, Line, grouped, table, tokens};
pub use tamper::{Tampered, flip_a_byte};
pub use trade::{Bought, Trade, Traded};

//! Reports over MQTT: the gateway is a client of the operator's own broker.
//!
//! What it promises:
//! * **Nothing is acknowledged before it is durable.** A message is acknowledged to the broker when what it says is in the
//!   log, or refused for good; until then it is the broker's, who delivers it again, and what was logged before is answered
//!   as a duplicate.
//! * **No acknowledgement outlives its connection**: an identifier of MQTT belongs to one connection, and would name
//!   another message on the next.
//! * **Bounded.** So many messages of so many bytes are here at once; the rest waits at the broker.
//!
//! What it does not do: tell who may publish (the broker's business: every report is signed anyway), or keep answers for
//! devices that are away. A device that needs its promise listens while it publishes, or asks over HTTP.
//!
//! How it is built: `link` holds the connection and the order of acknowledgements, `intake` takes one message the way that
//! HTTP takes a body, `topics` has the names.

mod intake;
mod link;
mod options;
mod topics;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

pub(crate) use link::keep;
pub use options::BrokerOptions;

/// What became of messages since the gateway started.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    /// Whether the broker delivers.
    pub connected: AtomicBool,
    /// Messages delivered.
    pub received: AtomicU64,
    /// Of those, acknowledged.
    pub acknowledged: AtomicU64,
    /// Of those, delivered without any need to acknowledge them while too many were under way, and so lost.
    pub dropped: AtomicU64,
    /// Tries again, since the log took nothing at the time.
    pub waited: AtomicU64,
    /// Answers that no device got.
    pub unsaid: AtomicU64,
    /// Connections that broke or were not made.
    pub broken: AtomicU64,
}

fn one_more(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

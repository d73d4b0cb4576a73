//! A bridge: it speaks for devices that cannot sign, with a key of its own.
//!
//! What comes in over HTTP is translated by pure functions ([`senml`], [`chirpstack`], [`community`]) into readings of enrolled
//! devices, and becomes items of a queue, each naming its subject (field 10) and the original (field 12). Naming, signing and sending
//! them is the business of `cairn-edge`, as with a node's own readings.
//!
//! What it promises:
//! * An answer of success is given after the original and its readings are on disk, and not before.
//! * What comes again (the same uplink, the same pack with its times) is answered as known and reported once. Only what comes again
//!   because the process died between two writes of the first time is reported twice.
//! * A time that nobody knows is not claimed; whose clock a time is from is said.
//! * Nobody has to be reached for something to be taken.
//! * Any bytes are read or refused with a code, within bounds of size, depth, rate and memory.
//!
//! What it does not do: check that a device said what is said in its name. SenML, ChirpStack and Sensor.Community are not signed
//! by the device; whoever may post to the bridge speaks for the devices that he names. That is why it listens on the machine
//! itself unless it is told otherwise, and then asks for a secret.

#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod chirpstack;
pub mod community;
mod config;
mod desk;
mod error;
mod exact;
mod http;
mod originals;
mod said;
mod seen;
pub mod senml;
mod shelf;

pub use config::{BridgeConfig, ChirpStackConfig, CommunityConfig, DeviceRow, Limits, SenmlConfig};
pub use desk::{Answer, Desk, Keeps, Taken};
pub use error::BridgeError;
pub use exact::Exact;
pub use http::{Bridge, Running, Status};
pub use originals::Originals;
pub use said::{Adapter, Measured, Replay, Said};
pub use seen::Seen;
pub use shelf::{Shelf, Troubles};

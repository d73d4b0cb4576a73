//! Modules, inputs and outputs of jobs, by the SHA-256 of their bytes.
//!
//! What it promises:
//! * A blob that was answered for is durable, whole, and what its name says; nothing half-written is ever served, whatever
//!   crashes between two writes.
//! * What a job in dispute needs stays. What none needs is *staged*: for a while, within a quota in all and for each address.
//! * The disk keeps room for the log.
//!
//! What it does not do: keep anything longer, or tell whose a blob is. Everybody who knows a name may fetch it.

mod error;
mod options;
mod store;
mod sweep;

pub(crate) mod routes;

pub(crate) use error::BlobError;
pub use options::BlobOptions;
pub(crate) use store::{Blobs, Upload};

//! Sending over gateways that fail and lie, from disks that fail, on a virtual clock, into a real fold.

#![allow(clippy::unwrap_used, clippy::cast_possible_truncation)]

mod offline;
mod refused;
mod sender;
mod world;

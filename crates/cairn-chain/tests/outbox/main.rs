//! The outbox over a simulated chain that loses, delays, reorganises and refuses, under crashes at every step; no node and no
//! real time.

#![allow(clippy::unwrap_used, clippy::cast_possible_truncation)]

mod laws;
mod ways;
mod world;

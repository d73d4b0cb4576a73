//! A till over the network's real token on an embedded chain, alone and behind a real gateway.

#![allow(clippy::unwrap_used, clippy::cast_possible_truncation)]

mod shop;
mod token;
mod whole;
#[path = "../simulation/world.rs"]
#[allow(dead_code)]
mod world;

//! What proves something and what does not: tables of cases, laws over random logs, and the bytes.

#![allow(clippy::unwrap_used, clippy::cast_possible_truncation)]

mod conflicts;
mod forks;
mod goldens;
mod laws;
mod promises;
mod samples;
mod world;

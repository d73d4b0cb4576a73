//! The pages of small networks, read as a browser would.

#![allow(clippy::unwrap_used)]

mod hostile;
mod kept;
mod numbers;
mod support;

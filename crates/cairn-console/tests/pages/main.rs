//! The pages of small networks, read as a browser would.

#![allow(clippy::unwrap_used)]

mod bands;
mod basemap;
mod beside;
mod hostile;
mod kept;
mod market;
mod numbers;
mod places;
mod scores;
mod support;

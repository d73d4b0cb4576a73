//! A real gateway on a free port, spoken to over a plain socket.

#![allow(clippy::unwrap_used)]

mod reading;
mod running;
mod submitting;
mod support;

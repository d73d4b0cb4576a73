//! A real gateway on a free port, spoken to over a plain socket.

#![allow(clippy::unwrap_used)]

mod admin;
mod agents;
mod attacks;
mod auditors;
mod blobs;
mod console;
mod credit;
mod events;
mod full;
mod limits;
mod monitoring;
mod reading;
mod running;
mod submitting;
mod support;
mod tls;
mod witnessed;

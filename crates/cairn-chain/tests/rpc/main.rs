//! Asking a node over JSON-RPC, where the node is a script behind a port on loopback: honest, broken, slow and hostile.

#![allow(clippy::unwrap_used)]

mod answers;
mod hostile;
mod server;

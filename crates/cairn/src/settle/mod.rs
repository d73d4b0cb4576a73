//! Settling from the command line: which chain, whose wallet, what the network says, and the steps between them.

pub mod network;
pub mod place;
pub mod steps;
pub mod terms;

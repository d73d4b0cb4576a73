//! One module per command: its arguments and what it does.

pub mod init;
pub mod keygen;
pub mod up;

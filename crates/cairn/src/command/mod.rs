//! One module per command: its arguments and what it does.

pub mod account;
pub mod audit;
pub mod auditor;
pub mod bench;
pub mod credit;
pub mod demo;
pub mod device;
pub mod doctor;
pub mod enrol;
pub mod epoch;
pub mod evidence;
pub mod explain;
pub mod export;
pub mod init;
pub mod judge;
pub mod keygen;
pub mod ledger;
pub mod log;
pub mod policy;
pub mod profile;
pub mod proof;
pub mod send;
pub mod status;
pub mod up;
pub mod witness;

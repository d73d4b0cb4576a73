//! The binary as people meet it: exit codes, standard output and standard error, word for word.
//!
//! Transcripts are compared with `goldens/cli/`; `CAIRN_BLESS=1` writes them again. What differs from run to run (hashes
//! that hang on a network's random id, the operator's keys, folders, ports, durations) is masked, and nothing else.

#![allow(clippy::unwrap_used)]

mod auditor;
mod bench;
mod chain;
mod demo;
mod evidence;
mod liar;
mod local;
mod masks;
mod network;
#[path = "../process/ran.rs"]
mod ran;
mod rate;
mod rebuild;
#[path = "../process/town.rs"]
mod town;
mod transcript;
#[path = "../process/up.rs"]
mod up;
mod witness;

use transcript::{golden, package};

#[test]
fn the_reference_page_is_what_help_says() {
    golden(&package().join("../../docs/reference/cli.md"), &cairn::reference());
}

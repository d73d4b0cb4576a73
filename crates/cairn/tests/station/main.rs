//! The contributor's whole way over real processes: set up, measure, lose the gateway and power, be paid, change the key.

#![allow(clippy::unwrap_used)]

mod bridge;
mod damage;
#[path = "../cli/liar.rs"]
mod liar;
mod life;
mod memory;
mod nearby;
#[path = "../process/ran.rs"]
mod ran;
mod rejected;
mod setup;
#[path = "../process/up.rs"]
mod up;

use std::path::Path;

use ran::{Ran, cairn_in};
use serde_json::Value;
use up::Up;

/// A network whose epochs are short, and its gateway.
fn network(folder: &Path) -> Up {
    network_that(folder, &[])
}

/// One of which more is said.
fn network_that(folder: &Path, more: &[&str]) -> Up {
    let init = "init net --name garden --epoch 10s --grace 5s --treasury eip155:31337:0x00000000000000000000000000000000000000aa";
    let arguments: Vec<&str> = init.split(' ').chain(more.iter().copied()).collect();
    let ran = cairn_in(folder, &[], &arguments, "");
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    Up::start(folder)
}

/// Runs a command with nothing in the environment but a home.
fn run(folder: &Path, arguments: &str) -> Ran {
    let home = folder.display().to_string();
    cairn_in(folder, &[("HOME", &home)], &arguments.split(' ').collect::<Vec<_>>(), "")
}

/// The document of a command that does what it is to do.
fn done(folder: &Path, arguments: &str) -> Value {
    let ran = run(folder, &format!("{arguments} --json"));
    assert_eq!(ran.code, 0, "cairn {arguments}: {}{}", ran.stdout, ran.stderr);
    serde_json::from_str(&ran.stdout).unwrap()
}

/// The exit code and the stable code of a command that is refused.
fn refused(folder: &Path, arguments: &str) -> (i32, String) {
    let ran = run(folder, &format!("{arguments} --json"));
    let document: Value = serde_json::from_str(&ran.stdout).unwrap_or_else(|_| panic!("{}{}", ran.stdout, ran.stderr));
    (ran.code, document["error"]["code"].as_str().unwrap_or_else(|| panic!("{}", ran.stdout)).to_owned())
}

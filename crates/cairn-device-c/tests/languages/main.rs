//! Reports made in other languages, by the examples that the guides show: the core reads them, and a gateway takes them.

#![allow(clippy::unwrap_used, missing_docs)]

mod boundary;
mod c;
mod header;
mod python;
#[path = "../../../cairn-gateway/tests/gateway/support.rs"]
mod support;

use std::path::{Path, PathBuf};
use std::process::Command;

/// The project's folder.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap().to_path_buf()
}

/// Says what was left out for want of a tool, which with `CI=true` is a failure.
fn left_out(what: &str) {
    println!("left out: {what}");
    let in_ci = std::env::var("CI").is_ok_and(|value| value == "true");
    assert!(!in_ci, "with CI=true nothing may be left out: {what}");
}

/// Runs a program for what it prints.
fn printed(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {said}");
    String::from_utf8(output.stdout).unwrap()
}

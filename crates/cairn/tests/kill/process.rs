//! Runs of the binary: to its end, or as `cairn up`.

use std::path::Path;

#[path = "../process/up.rs"]
mod up;

pub use up::{UP, Up, spawn};

/// What a run of the binary left.
pub struct Ran {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

/// Runs the binary to its end.
pub fn cairn(folder: &Path, arguments: &[&str]) -> Ran {
    let done = up::command(folder, arguments).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Ran { code: done.status.code().unwrap(), stdout: text(done.stdout), stderr: text(done.stderr) }
}

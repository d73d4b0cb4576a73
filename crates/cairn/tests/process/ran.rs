//! A command that is run to its end, and what it left.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

/// What a run of the binary left.
pub struct Ran {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

/// Runs the binary in `folder`. The environment names no gateway but `url`.
pub fn cairn(folder: &Path, url: &str, arguments: &[&str], stdin: &str) -> Ran {
    cairn_in(folder, &[("CAIRN_URL", url)], arguments, stdin)
}

/// Runs the binary in `folder`, with these variables and no other.
pub fn cairn_in(folder: &Path, variables: &[(&str, &str)], arguments: &[&str], stdin: &str) -> Ran {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cairn"));
    command.args(arguments).current_dir(folder).env_clear().envs(variables.iter().copied());
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // A command that refuses at once closes its standard input early.
    let _ = child.stdin.take().unwrap().write_all(stdin.as_bytes());
    let done = child.wait_with_output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Ran { code: done.status.code().unwrap(), stdout: text(done.stdout), stderr: text(done.stderr) }
}

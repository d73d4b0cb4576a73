//! `cairn up`, and whatever else runs until it is told to end, in a process of its own.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// The binary under test, in a folder, with nothing of the environment.
pub fn command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cairn"));
    command.args(arguments).current_dir(folder).env_clear().stdin(Stdio::null());
    command
}

/// How `cairn up` is called.
pub const UP: [&str; 5] = ["up", "net", "--listen", "127.0.0.1:0", "--json"];

/// Starts something that serves, and does not wait until it does.
pub fn spawn(folder: &Path, arguments: &[&str]) -> Child {
    command(folder, arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// `cairn up`; dropping it kills it.
pub struct Up {
    child: Child,
    pub url: String,
    /// What it said when it was up.
    #[allow(dead_code, reason = "not every harness asks for it")]
    pub document: serde_json::Value,
}

impl Up {
    /// Starts it and waits until it serves.
    pub fn start(folder: &Path) -> Self {
        Self::start_with(folder, &UP)
    }

    /// Starts what prints one document when it serves, with an `url`.
    pub fn start_with(folder: &Path, arguments: &[&str]) -> Self {
        let mut child = spawn(folder, arguments);
        let mut document = String::new();
        let mut lines = BufReader::new(child.stdout.as_mut().unwrap());
        while !document.ends_with("\n}\n") {
            if lines.read_line(&mut document).unwrap() == 0 {
                let mut said = String::new();
                child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
                panic!("cairn {arguments:?} ended: {document}{said}");
            }
        }
        let started: serde_json::Value = serde_json::from_str(&document).unwrap();
        let url = started["url"].as_str().unwrap_or_else(|| panic!("cairn {arguments:?} ended: {document}")).to_owned();
        Self { child, url, document: started }
    }

    /// Asks it to end, as an operator would; its exit code.
    pub fn end(mut self) -> i32 {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        self.child.wait().unwrap().code().unwrap()
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        // Ended already is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

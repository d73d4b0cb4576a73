//! The process under test: started, looked at from outside, and ended.

use std::fs::OpenOptions;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::up;

/// How long a graceful end may take: the gateway's own grace is 10 s.
const END_MAX: Duration = Duration::from_secs(90);

/// What a run of the binary left.
pub struct Ran {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

/// Runs the binary to its end.
pub fn cairn(folder: &Path, arguments: &[&str]) -> Ran {
    let done = up::command(folder, arguments).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Ran { code: done.status.code(), stdout: text(done.stdout), stderr: text(done.stderr) }
}

/// `cairn up`; dropping it kills it. Its standard error is kept in the network's folder.
pub struct Server {
    child: Child,
    pub url: String,
    pub address: SocketAddr,
    pub admin: SocketAddr,
}

fn spawn(folder: &Path) -> Child {
    let errors = OpenOptions::new().append(true).create(true).open(folder.join("stderr.txt")).unwrap();
    let mut command = up::command(folder, &["up", "net", "--listen", "127.0.0.1:0", "--json"]);
    command.stdout(Stdio::piped()).stderr(errors).spawn().unwrap()
}

/// Starts the process and kills it before it can be of use.
pub fn start_and_kill(folder: &Path, after: Duration) {
    let mut child = spawn(folder);
    std::thread::sleep(after);
    let _ = child.kill();
    let _ = child.wait();
}

fn address(url: &serde_json::Value) -> Option<SocketAddr> {
    url.as_str()?.strip_prefix("http://")?.parse().ok()
}

impl Server {
    /// Starts it and waits until it serves; otherwise says what it said.
    pub fn start(folder: &Path) -> Result<Self, String> {
        let unknown = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut server = Self { child: spawn(folder), url: String::new(), address: unknown, admin: unknown };
        let mut document = String::new();
        let mut lines = BufReader::new(server.child.stdout.as_mut().unwrap());
        while !document.ends_with("}\n") {
            if lines.read_line(&mut document).unwrap_or(0) == 0 {
                return Err(format!("`cairn up` ended before it served: {:?} {document}", server.ended()));
            }
        }
        let started: serde_json::Value = serde_json::from_str(&document).map_err(|error| error.to_string())?;
        let (public, admin) = (address(&started["url"]), address(&started["admin_url"]));
        let (Some(public), Some(admin)) = (public, admin) else {
            return Err(format!("`cairn up` named no addresses: {document}"));
        };
        (server.url, server.address, server.admin) = (format!("http://{public}"), public, admin);
        Ok(server)
    }

    /// Bytes of memory that are resident.
    pub fn resident(&self) -> Option<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
        let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
        Some(kib << 10)
    }

    /// Whether it still runs.
    pub fn is_alive(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// SIGKILL.
    pub fn kill(mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// SIGTERM, as an operator would.
    pub fn terminate(&self) {
        let pid = self.child.id().to_string();
        let _ = Command::new("kill").args(["-TERM", &pid]).status();
    }

    /// Waits for its end after SIGTERM; the exit code, `None` if it had to be killed.
    pub fn ended(mut self) -> Option<i32> {
        let since = Instant::now();
        while since.elapsed() < END_MAX {
            if let Ok(Some(status)) = self.child.try_wait() {
                return status.code();
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        None
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Ended already is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

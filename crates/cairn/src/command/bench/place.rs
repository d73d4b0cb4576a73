//! A network of its own for a measurement: a temporary folder, and `cairn up` of this very program in another process.
//!
//! Both are gone when this is dropped, and after Ctrl-C.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::command::init;
use crate::config::Folder;
use crate::failure::Failure;
use crate::keys::random;

/// What is declared as rehearsed.
const REHEARSED: &str = "everything: simulated devices, to measure this machine";
/// Exit code of a program that Ctrl-C ended, as shells have it.
const INTERRUPTED: i32 = 130;

/// What the gateway must take so that nothing but its work bounds it.
#[derive(Debug, Clone, Copy)]
pub struct Needs {
    /// Connections at once.
    pub connections: u32,
    /// Reports in one request.
    pub batch: u32,
}

impl Needs {
    /// The limits as they stand in `network.toml`.
    pub fn limits(self) -> Vec<(&'static str, u64)> {
        let connections = u64::from(self.connections) + 16;
        let (items, body) = (u64::from(self.batch).max(4_096), (u64::from(self.batch) * 1_024).max(8 << 20));
        vec![
            ("device_reports_per_s", 0),
            ("address_requests_per_s", 0),
            ("address_items_per_s", 0),
            ("connections", connections.max(1_024)),
            ("connections_per_address", connections.max(1_024)),
            ("requests_in_flight", connections.max(1_024)),
            ("queue_requests", connections.max(1_024)),
            ("items_per_request", items),
            ("body_bytes", body),
            ("bytes_in_flight", (body * connections).max(1 << 30)),
            ("bytes_per_address", (body * connections).max(1 << 30)),
        ]
    }
}

/// The network, running.
pub struct Place {
    held: Arc<Held>,
    /// Where it serves.
    pub url: String,
    /// Its process.
    pub pid: u32,
}

struct Held {
    folder: PathBuf,
    server: Mutex<Option<Child>>,
}

impl Held {
    fn server(&self) -> MutexGuard<'_, Option<Child>> {
        self.server.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends the server and removes the folder; what cannot be removed is the system's temporary folder's to keep.
    fn clear(&self) {
        if let Some(mut server) = self.server().take() {
            let _ = server.kill();
            let _ = server.wait();
        }
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.held.clear();
    }
}

impl Place {
    /// Makes a network below `parent` and runs it on a free port of this machine.
    ///
    /// # Errors
    /// When the folder cannot be made or the server does not start.
    pub fn start(parent: &Path, needs: Needs) -> Result<Self, Failure> {
        let name = format!("cairn-bench-{}", data_encoding::HEXLOWER.encode(&random::<8>()?));
        let folder = parent.join(name);
        std::fs::create_dir_all(&folder).map_err(|error| Failure::io("make", &folder, &error))?;
        let held = Arc::new(Held { folder, server: Mutex::new(None) });
        clear_when_interrupted(held.clone());
        let place = Self { held, url: String::new(), pid: 0 };
        place.configure(needs)?;
        place.run()
    }

    fn configure(&self, needs: Needs) -> Result<(), Failure> {
        let root = self.held.folder.join("net");
        let args =
            init::Args { name: "bench".to_owned(), rehearsed: vec![REHEARSED.to_owned()], ..init::Args::of(&root) };
        init::make(&args)?;
        let path = Folder::at(&root).config();
        let text = std::fs::read_to_string(&path).map_err(|error| Failure::io("read", &path, &error))?;
        let limits: String = needs.limits().iter().map(|(name, value)| format!("{name} = {value}\n")).collect();
        let text = format!("{text}\n[gateway.limits]\n{limits}");
        std::fs::write(&path, text).map_err(|error| Failure::io("write", &path, &error))
    }

    fn run(mut self) -> Result<Self, Failure> {
        let failed = |what: String| Failure::failed("NET-BENCH", format!("the measured server {what}"));
        let program = std::env::current_exe().map_err(|error| failed(format!("is not found: {error}")))?;
        let mut command = Command::new(program);
        command.arg("up").arg(self.held.folder.join("net")).args(["--listen", "127.0.0.1:0", "--json"]);
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        let mut server = command.spawn().map_err(|error| failed(format!("does not start: {error}")))?;
        self.pid = server.id();
        let out = server.stdout.take();
        *self.held.server() = Some(server);
        let mut document = String::new();
        for line in BufReader::new(out.ok_or_else(|| failed("says nothing".to_owned()))?).lines() {
            let line = line.map_err(|error| failed(format!("cannot be read: {error}")))?;
            document.push_str(&line);
            if line == "}" {
                break;
            }
        }
        let started: serde_json::Value =
            serde_json::from_str(&document).map_err(|error| failed(format!("did not start: {error}: {document}")))?;
        let url = started["url"].as_str().ok_or_else(|| failed(format!("did not start: {document}")))?;
        self.url = url.to_owned();
        Ok(self)
    }
}

/// Removes everything and ends the program when the person at the terminal has had enough.
fn clear_when_interrupted(held: Arc<Held>) {
    let waiting = std::thread::Builder::new().name("cairn-bench-interrupt".to_owned()).spawn(move || {
        let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_io().build() else { return };
        if runtime.block_on(tokio::signal::ctrl_c()).is_ok() {
            held.clear();
            std::process::exit(INTERRUPTED);
        }
    });
    // Without it Ctrl-C ends the program as it ends any other, and the folder stays.
    drop(waiting);
}

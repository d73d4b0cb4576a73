//! A real Mosquitto in a temporary folder, which can go away and come back, and its own clients.
//!
//! The programs `mosquitto`, `mosquitto_pub` and `mosquitto_sub` have to be installed; `CAIRN_MOSQUITTO` names another broker.

#![allow(clippy::unwrap_used, reason = "a harness: where it cannot go on, a test fails there")]

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

/// Debian puts it where only root's path leads.
fn program() -> PathBuf {
    let given = std::env::var_os("CAIRN_MOSQUITTO").map(PathBuf::from);
    let known = ["/usr/sbin/mosquitto", "/usr/local/sbin/mosquitto", "/opt/homebrew/sbin/mosquitto"];
    given.or_else(|| known.iter().map(PathBuf::from).find(|path| path.exists())).unwrap_or_else(|| "mosquitto".into())
}

/// Waits for up to a minute until something is so.
///
/// # Panics
/// When it does not come to be so.
pub fn wait_for(what: &str, mut is_so: impl FnMut() -> bool) {
    let waited = (0..6_000).any(|_| {
        std::thread::sleep(Duration::from_millis(10));
        is_so()
    });
    assert!(waited, "{what} in vain");
}

/// The broker; it ends with its owner.
pub struct Mosquitto {
    folder: TempDir,
    port: u16,
    process: Option<Child>,
}

impl Mosquitto {
    /// Starts one on a free port of loopback.
    ///
    /// # Panics
    /// Where it does not start.
    #[must_use]
    pub fn start() -> Self {
        // Free a moment ago; whoever takes it in between makes the broker end at once, and another is tried.
        for _ in 0..20 {
            let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            let mut broker = Self { folder: tempfile::tempdir().unwrap(), port, process: None };
            if broker.begin() {
                return broker;
            }
        }
        panic!("mosquitto does not start");
    }

    /// Starts it, again where it was; whether it listens.
    ///
    /// # Panics
    /// Where the program is missing.
    pub fn begin(&mut self) -> bool {
        let config = self.folder.path().join("mosquitto.conf");
        let location = self.folder.path().display();
        // As root it would become somebody who may not write into the folder.
        let is_root = Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout == b"0\n");
        let user = if is_root { "user root\n" } else { "" };
        let text = format!(
            "listener {} 127.0.0.1\nallow_anonymous true\npersistence true\npersistence_location {location}/\n\
             max_queued_messages 0\nqueue_qos0_messages true\nlog_type none\n{user}",
            self.port
        );
        std::fs::write(&config, text).unwrap();
        let mut program = Command::new(program());
        let program = program.arg("-c").arg(&config).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut process = program.spawn().expect("mosquitto is installed");
        for _ in 0..1_000 {
            if process.try_wait().unwrap().is_some() {
                return false;
            }
            if TcpStream::connect(self.address()).is_ok() {
                self.process = Some(process);
                return true;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        process.kill().unwrap();
        process.wait().unwrap();
        false
    }

    /// Ends it as an operator does: what waits is on its disk.
    ///
    /// # Panics
    /// Where it cannot be asked to.
    pub fn end(&mut self) {
        let Some(mut process) = self.process.take() else { return };
        let asked = Command::new("kill").arg(process.id().to_string()).status().unwrap();
        assert!(asked.success());
        process.wait().unwrap();
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.port))
    }

    /// The same, as a configuration names it.
    #[must_use]
    pub fn url(&self) -> String {
        format!("mqtt://{}", self.address())
    }

    /// `mosquitto_pub` with QoS 1, which answers when the broker has taken the message.
    ///
    /// # Panics
    /// Where the program is missing, or the broker is.
    pub fn publish(&self, topic: &str, message: &[u8], is_retained: bool) {
        let file = self.folder.path().join("message");
        std::fs::write(&file, message).unwrap();
        let mut program = self.client("mosquitto_pub", topic);
        program.arg("-f").arg(&file).args(is_retained.then_some("-r"));
        assert!(program.status().expect("mosquitto_pub is installed").success());
    }

    /// Messages of a topic, each with its own: the retained ones, then those that come; so many, or fewer where they do not come
    /// within a minute.
    ///
    /// # Panics
    /// Where the program is missing.
    #[must_use]
    pub fn messages(&self, topic: &str, count: usize) -> Vec<(String, String)> {
        Self::read(&mut self.client("mosquitto_sub", topic), count)
    }

    /// Listens from now on: what comes is kept for [`Mosquitto::heard`].
    ///
    /// # Panics
    /// Where the program is missing, or the broker is.
    pub fn listen(&self, topic: &str) {
        assert!(self.listener(topic).arg("-E").status().expect("mosquitto_sub is installed").success());
    }

    /// The messages that came since then, as [`Mosquitto::messages`] has them.
    ///
    /// # Panics
    /// Where the program is missing.
    #[must_use]
    pub fn heard(&self, topic: &str, count: usize) -> Vec<(String, String)> {
        Self::read(&mut self.listener(topic), count)
    }

    fn read(program: &mut Command, count: usize) -> Vec<(String, String)> {
        let program = program.args(["-C", &count.to_string(), "-W", "60", "-F", "%t %p"]);
        let output = program.output().expect("mosquitto_sub is installed");
        let text = String::from_utf8(output.stdout).unwrap();
        text.lines()
            .filter_map(|line| line.split_once(' '))
            .map(|(at, said)| (at.to_owned(), said.to_owned()))
            .collect()
    }

    fn listener(&self, topic: &str) -> Command {
        let mut program = self.client("mosquitto_sub", topic);
        program.args(["-c", "-i", "listener"]);
        program
    }

    fn client(&self, program: &str, topic: &str) -> Command {
        let mut command = Command::new(program);
        command.args(["-h", "127.0.0.1", "-p", &self.port.to_string(), "-q", "1", "-t", topic]);
        command
    }
}

impl Drop for Mosquitto {
    fn drop(&mut self) {
        if let Some(process) = &mut self.process {
            // Ended already is as good.
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

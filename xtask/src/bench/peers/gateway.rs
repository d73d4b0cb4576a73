//! Cairn itself: a network of its own, and connections that post reports to its gateway.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

use super::Shape;
use super::lanes::Lane;
use crate::run::{Failure, Program, json_text, root, wrong};

/// What of the gateway's limits would bound the measurement: each address and device has its own, and here is one address.
const LIMITS: &str = "
[gateway.limits]
device_reports_per_s = 0
address_requests_per_s = 0
address_items_per_s = 0
connections = 1024
connections_per_address = 1024
requests_in_flight = 1024
queue_requests = 1024
bytes_in_flight = 1073741824
bytes_per_address = 1073741824
";

/// The program, built for release.
pub fn cairn() -> String {
    let target = std::env::var("CARGO_TARGET_DIR").map_or_else(|_| root().join("target"), std::path::PathBuf::from);
    target.join("release/cairn").to_string_lossy().into_owned()
}

/// A gateway at work; ended when dropped.
pub struct Gateway {
    pub url: String,
    server: Child,
}

impl Drop for Gateway {
    fn drop(&mut self) {
        // Ended already is as good.
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

impl Gateway {
    /// Makes a network in a folder and runs it.
    ///
    /// # Errors
    /// When it does not start.
    pub fn start(folder: &str) -> Result<Self, Failure> {
        let rehearsed = "everything: simulated devices, to measure this machine";
        Program::of(&cairn(), ["init", folder, "--name", "peers", "--rehearsed", rehearsed]).run_aside()?;
        let config = format!("{folder}/network.toml");
        let text = std::fs::read_to_string(&config).map_err(|error| Failure::Wrong(format!("{config}: {error}")))?;
        std::fs::write(&config, text + LIMITS).map_err(|error| Failure::Wrong(format!("{config}: {error}")))?;
        let mut command = Command::new(cairn());
        command.args(["up", folder, "--listen", "127.0.0.1:0", "--json"]).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut server =
            command.spawn().map_err(|error| Failure::Wrong(format!("cairn up does not start: {error}")))?;
        let mut said = String::new();
        if let Some(out) = server.stdout.take() {
            let mut lines = BufReader::new(out);
            while !said.ends_with("\n}\n") && lines.read_line(&mut said).is_ok_and(|bytes| bytes > 0) {}
        }
        let gateway = Self { url: json_text(&said, "url").unwrap_or_default().to_owned(), server };
        if gateway.url.is_empty() { wrong(format!("cairn up said: {said}")) } else { Ok(gateway) }
    }

    /// A connection for groups of a shape.
    ///
    /// # Errors
    /// When nobody listens.
    pub fn connect(&self, shape: Shape) -> io::Result<Posting> {
        let stream = TcpStream::connect(self.url.trim_start_matches("http://"))?;
        stream.set_nodelay(true)?;
        let media_type = if shape.group == 1 { "application/cose" } else { "application/cbor-seq" };
        Ok(Posting { reader: BufReader::with_capacity(1 << 16, stream.try_clone()?), stream, media_type })
    }
}

/// A connection that is kept.
pub struct Posting {
    stream: TcpStream,
    reader: BufReader<TcpStream>,
    media_type: &'static str,
}

impl Lane for Posting {
    fn send(&mut self, group: &[Vec<u8>]) -> io::Result<()> {
        let body = group.concat();
        let (media_type, length) = (self.media_type, body.len());
        let head = format!(
            "POST /v1/reports HTTP/1.1\r\nhost: t\r\ncontent-type: {media_type}\r\ncontent-length: {length}\r\n\r\n"
        );
        self.stream.write_all(&[head.as_bytes(), &body].concat())?;
        let (mut status, mut line, mut length) = (String::new(), String::new(), 0);
        self.reader.read_line(&mut status)?;
        while line != "\r\n" {
            line.clear();
            if self.reader.read_line(&mut line)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().map_err(io::Error::other)?;
            }
        }
        let mut answer = vec![0; length];
        self.reader.read_exact(&mut answer)?;
        let accepted = count(&answer, b"\"accepted\"");
        if status.starts_with("HTTP/1.1 200") && accepted == group.len() {
            return Ok(());
        }
        let answer: String = String::from_utf8_lossy(&answer).chars().take(300).collect();
        Err(io::Error::other(format!("{} of {} accepted: {} {answer}", accepted, group.len(), status.trim())))
    }
}

fn count(text: &[u8], word: &[u8]) -> usize {
    text.windows(word.len()).filter(|window| *window == word).count()
}

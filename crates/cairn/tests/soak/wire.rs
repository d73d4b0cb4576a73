//! HTTP as bytes: connections from a chosen address of this machine, and answers as they come.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use cairn_api::{Problem, ResultStatus, SubmitResponse};

/// The longest that anything may take: every limit of the gateway under test is far below it. Past it, it hangs.
pub const HANG: Duration = Duration::from_secs(60);

/// What became of one item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Row {
    Accepted(u64),
    Duplicate(u64),
    Rejected(String),
}

impl Row {
    /// `accepted`, `duplicate`, or the code.
    pub fn word(&self) -> &str {
        match self {
            Self::Accepted(_) => "accepted",
            Self::Duplicate(_) => "duplicate",
            Self::Rejected(code) => code,
        }
    }
}

/// An answer.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    /// The problem's code.
    pub code: Option<String>,
    pub rows: Vec<Row>,
    pub promise: String,
    pub retry_after: Option<u64>,
    pub body: Vec<u8>,
}

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mute {
    /// Refused, reset, or closed without a whole answer.
    Gone,
    /// Nothing for as long as [`HANG`].
    Hangs,
}

/// Past that, the gateway may be about to close an idle connection.
const IDLE_MAX: Duration = Duration::from_secs(1);

/// A connection.
pub struct Wire {
    stream: BufReader<TcpStream>,
    /// Answers that came over it.
    pub answers: u64,
    closes: bool,
    used: Instant,
}

/// Addresses of this machine: 127.0.0.0/8 is all its own, so that many clients can come from it.
pub const fn source(block: u8, host: u8) -> Ipv4Addr {
    Ipv4Addr::new(127, block, 0, host)
}

fn connect(from: Ipv4Addr, to: SocketAddr) -> std::io::Result<TcpStream> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let stream = runtime.block_on(async {
        let socket = tokio::net::TcpSocket::new_v4()?;
        socket.bind(SocketAddr::from((from, 0)))?;
        socket.connect(to).await
    })?;
    let stream = stream.into_std()?;
    stream.set_nonblocking(false)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(HANG))?;
    stream.set_write_timeout(Some(HANG))?;
    Ok(stream)
}

impl Wire {
    /// Connects.
    pub fn open(from: Ipv4Addr, to: SocketAddr) -> Result<Self, Mute> {
        let stream = connect(from, to).map_err(|_| Mute::Gone)?;
        Ok(Self { stream: BufReader::new(stream), answers: 0, closes: false, used: Instant::now() })
    }

    /// Whether another request may go over it.
    pub fn is_fresh(&self) -> bool {
        !self.closes && self.used.elapsed() < IDLE_MAX
    }

    /// Sends bytes. One who refuses early closes while the rest is on its way; the answer is there to be read.
    pub fn send(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.stream.get_mut().write_all(bytes)
    }

    pub fn stream(&self) -> &TcpStream {
        self.stream.get_ref()
    }

    fn mute(error: &std::io::Error) -> Mute {
        match error.kind() {
            std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut => Mute::Hangs,
            _ => Mute::Gone,
        }
    }

    /// Reads one answer.
    pub fn receive(&mut self) -> Result<Answer, Mute> {
        let mut head = String::new();
        loop {
            let mut line = Vec::new();
            let read = self.stream.read_until(b'\n', &mut line).map_err(|error| Self::mute(&error))?;
            if read == 0 || head.len() > 1 << 16 {
                return Err(Mute::Gone);
            }
            if line == b"\r\n" {
                break;
            }
            head.push_str(&String::from_utf8_lossy(&line));
        }
        let field = |name: &str| {
            let mut lines = head.lines();
            lines.find_map(|line| line.split_once(':').filter(|(key, _)| key.eq_ignore_ascii_case(name)))
        };
        let field = |name: &str| field(name).map(|(_, value)| value.trim().to_owned());
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or(Mute::Gone)?;
        let length: usize = field("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).map_err(|error| Self::mute(&error))?;
        self.closes = field("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"));
        self.answers += 1;
        self.used = Instant::now();
        let retry_after = field("retry-after").and_then(|value| value.parse().ok());
        Ok(Answer::read(status, retry_after, body))
    }

    /// Sends a request and reads its answer.
    pub fn ask(&mut self, request: &[u8]) -> Result<Answer, Mute> {
        // What was said before the connection broke counts.
        let _ = self.send(request);
        self.receive()
    }
}

impl Answer {
    fn read(status: u16, retry_after: Option<u64>, body: Vec<u8>) -> Self {
        let mut answer = Self { status, code: None, rows: Vec::new(), promise: String::new(), retry_after, body };
        if status == 200 {
            if let Ok(response) = serde_json::from_slice::<SubmitResponse>(&answer.body) {
                answer.promise = response.promise;
                answer.rows = response.results.into_iter().map(row).collect();
            }
        } else {
            answer.code = serde_json::from_slice::<Problem>(&answer.body).ok().map(|problem| problem.code);
        }
        answer
    }

    /// The answer in a word: its status, with the code of a problem.
    pub fn word(&self) -> String {
        match &self.code {
            Some(code) => format!("{} {code}", self.status),
            None => self.status.to_string(),
        }
    }
}

fn row(row: cairn_api::ResultRow) -> Row {
    match (row.status, row.index, row.code) {
        (ResultStatus::Accepted, Some(index), None) => Row::Accepted(index),
        (ResultStatus::Duplicate, Some(index), None) => Row::Duplicate(index),
        (ResultStatus::Rejected, None, Some(code)) => Row::Rejected(code),
        (status, index, code) => Row::Rejected(format!("not a whole row: {status:?} {index:?} {code:?}")),
    }
}

/// A request with a body.
pub fn post(path: &str, content_type: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: soak\r\ncontent-type: {content_type}\r\ncontent-length: {length}\r\n\r\n"
    );
    [head.as_bytes(), body].concat()
}

/// A request without.
pub fn get(path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nhost: soak\r\naccept: */*\r\n\r\n").into_bytes()
}

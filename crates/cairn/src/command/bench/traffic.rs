//! A client that costs little: one thread, keep-alive connections, requests that were written beforehand.
//!
//! A report counts when the answer says that it was accepted and carries a promise; anything else ends the measurement.
//! At full speed every connection sends its next request when the last one was answered. At a given rate every request
//! has its time, and its latency is counted from then, so that a server that falls behind cannot hide it.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::lane::Lane;
use super::usage::cpu_of_this_thread;
use crate::failure::Failure;

/// One answer in so many is kept, to look at its promise afterwards.
const KEPT_EVERY: u64 = 61;
/// Answers kept by one connection, at most.
const KEPT_MAX: usize = 16;
/// The longest answer that is read, bytes.
const ANSWER_BYTES_MAX: usize = 64 << 20;
/// Bytes read at once.
const PIECE_BYTES: usize = 32 << 10;

/// What came of sending.
#[derive(Debug, Default)]
pub struct Sent {
    /// Reports acknowledged.
    pub acked: u64,
    /// Requests answered.
    pub requests: u64,
    /// From each request's start to its answer, microseconds; ascending.
    pub latencies_us: Vec<u32>,
    /// From the first request to the last answer.
    pub wall: Duration,
    /// CPU time of the client, where the system tells it.
    pub client_cpu: Option<Duration>,
    /// Some of the answers, JSON.
    pub kept: Vec<Vec<u8>>,
}

/// How fast to send.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// For how long, at most; less when a connection has nothing left.
    pub lasting: Duration,
    /// From one request of a connection to its next; `None` sends as soon as the last was answered.
    pub every: Option<Duration>,
}

/// Sends what the lanes hold, all at once, from a thread of its own; the lanes come back.
///
/// # Errors
/// `NET-BENCH` at the first answer that does not acknowledge everything.
pub fn send(to: SocketAddr, lanes: Vec<Lane>, batch: usize, pace: Pace) -> Result<(Sent, Vec<Lane>), Failure> {
    let sending = move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| wrong(error.to_string()))?;
        let before = cpu_of_this_thread();
        let (mut sent, lanes) = runtime.block_on(send_all(to, lanes, batch, pace))?;
        sent.client_cpu = before.zip(cpu_of_this_thread()).map(|(before, after)| after.saturating_sub(before));
        sent.latencies_us.sort_unstable();
        Ok((sent, lanes))
    };
    std::thread::spawn(sending).join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

async fn send_all(to: SocketAddr, lanes: Vec<Lane>, batch: usize, pace: Pace) -> Result<(Sent, Vec<Lane>), Failure> {
    let mut connections = Vec::new();
    for _ in 0..lanes.len() {
        let stream = TcpStream::connect(to).await.map_err(|error| wrong(format!("cannot connect: {error}")))?;
        stream.set_nodelay(true).map_err(|error| wrong(error.to_string()))?;
        connections.push(Connection { stream, buffer: Vec::new(), piece: vec![0; PIECE_BYTES] });
    }
    let count = u32::try_from(lanes.len()).unwrap_or(u32::MAX);
    let over = Arc::new(AtomicBool::new(false));
    let start = Instant::now();
    let mut driving = JoinSet::new();
    for (at, (lane, connection)) in (0..).zip(lanes.into_iter().zip(connections)) {
        // Spread over the first interval, so that connections do not all send at once.
        let first = start + pace.every.map_or(Duration::ZERO, |every| every * at / count);
        driving.spawn(drive(lane, connection, batch, Times { first, until: start + pace.lasting, pace }, over.clone()));
    }
    let (mut sent, mut lanes) = (Sent::default(), Vec::new());
    while let Some(one) = driving.join_next().await {
        let (one, lane) = one.map_err(|error| wrong(error.to_string()))??;
        sent.acked += one.acked;
        sent.requests += one.requests;
        sent.latencies_us.extend(one.latencies_us);
        sent.kept.extend(one.kept);
        lanes.push(lane);
    }
    sent.wall = start.elapsed();
    Ok((sent, lanes))
}

fn wrong(what: String) -> Failure {
    Failure::failed("NET-BENCH", format!("the client: {what}"))
}

/// When one connection sends.
#[derive(Clone, Copy)]
struct Times {
    first: Instant,
    until: Instant,
    pace: Pace,
}

/// Sends one lane's requests one after the other.
async fn drive(
    mut lane: Lane,
    mut connection: Connection,
    batch: usize,
    times: Times,
    over: Arc<AtomicBool>,
) -> Result<(Sent, Lane), Failure> {
    let mut sent = Sent::default();
    let mut due = times.first;
    while !over.load(Ordering::Relaxed) {
        if times.pace.every.is_some() {
            tokio::time::sleep_until(due.into()).await;
        }
        let begun = times.pace.every.map_or_else(Instant::now, |_| due);
        due += times.pace.every.unwrap_or_default();
        if Instant::now() >= times.until {
            break;
        }
        let Some(request) = lane.requests.get(lane.sent) else {
            over.store(true, Ordering::Relaxed);
            break;
        };
        lane.sent += 1;
        connection.write(request).await?;
        let answer = connection.read().await?;
        check(answer, batch)?;
        sent.latencies_us.push(u32::try_from(begun.elapsed().as_micros()).unwrap_or(u32::MAX));
        sent.acked += batch as u64;
        if sent.requests.is_multiple_of(KEPT_EVERY) && sent.kept.len() < KEPT_MAX {
            sent.kept.push(answer.to_vec());
        }
        sent.requests += 1;
    }
    Ok((sent, lane))
}

/// Whether every report was accepted, and something was promised.
fn check(answer: &[u8], batch: usize) -> Result<(), Failure> {
    const ACCEPTED: &[u8] = b"\"status\":\"accepted\"";
    const PROMISE: &[u8] = b"\"promise\":\"cairn/promise/1";
    let accepted = count(answer, ACCEPTED);
    if accepted == batch && count(answer, PROMISE) == 1 {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&answer[..answer.len().min(600)]).into_owned();
    Err(wrong(format!("{accepted} of {batch} reports were accepted: {text}")))
}

/// How often a text that begins with a quote stands in another one.
fn count(text: &[u8], wanted: &[u8]) -> usize {
    let mut found = 0;
    let mut rest = text;
    while let Some(at) = rest.iter().position(|byte| *byte == wanted[0]) {
        rest = &rest[at..];
        if rest.starts_with(wanted) {
            found += 1;
            rest = &rest[wanted.len()..];
        } else {
            rest = &rest[1..];
        }
    }
    found
}

struct Connection {
    stream: TcpStream,
    /// The answer at hand.
    buffer: Vec<u8>,
    /// What is read at once.
    piece: Vec<u8>,
}

impl Connection {
    async fn write(&self, mut bytes: &[u8]) -> Result<(), Failure> {
        while !bytes.is_empty() {
            match self.stream.try_write(bytes) {
                Ok(written) => bytes = &bytes[written..],
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.stream.writable().await.map_err(|error| wrong(error.to_string()))?;
                }
                Err(error) => return Err(wrong(error.to_string())),
            }
        }
        Ok(())
    }

    /// The body of the next answer, which has status 200.
    async fn read(&mut self) -> Result<&[u8], Failure> {
        self.buffer.clear();
        let mut length = None;
        loop {
            if length.is_none() {
                length = head_of(&self.buffer)?;
            }
            if let Some((start, bytes)) = length
                && self.buffer.len() >= start + bytes
            {
                return Ok(&self.buffer[start..start + bytes]);
            }
            self.stream.readable().await.map_err(|error| wrong(error.to_string()))?;
            match self.stream.try_read(&mut self.piece) {
                Ok(0) => return Err(wrong("the server closed the connection".to_owned())),
                Ok(read) if self.buffer.len() + read <= ANSWER_BYTES_MAX => {
                    self.buffer.extend_from_slice(&self.piece[..read]);
                }
                Ok(_) => return Err(wrong("an answer without end".to_owned())),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return Err(wrong(error.to_string())),
            }
        }
    }
}

/// Where the body starts and how long it is, once the head is there.
fn head_of(buffer: &[u8]) -> Result<Option<(usize, usize)>, Failure> {
    let Some(end) = buffer.windows(4).position(|four| four == b"\r\n\r\n") else { return Ok(None) };
    let head = String::from_utf8_lossy(&buffer[..end]);
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
    });
    let length = length.ok_or_else(|| wrong(format!("an answer without a length: {head}")))?;
    if head.starts_with("HTTP/1.1 200 ") {
        return Ok(Some((end + 4, length)));
    }
    let body = String::from_utf8_lossy(&buffer[end + 4..]);
    Err(wrong(format!("{} {body}", head.lines().next().unwrap_or_default())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_reports_accepted_under_a_promise_count() {
        let row = "{\"status\":\"accepted\",\"index\":7}";
        let answer = |rows: &str, promise: &str| {
            format!("{{\"results\":[{rows}],\"size\":9,\"promise\":\"{promise}\"}}").into_bytes()
        };
        let note = "cairn/promise/1\\nab";
        assert!(check(&answer(row, note), 1).is_ok());
        assert!(check(&answer(&format!("{row},{row}"), note), 2).is_ok());
        assert!(check(&answer(row, ""), 1).is_err(), "no promise");
        assert!(check(&answer(row, note), 2).is_err(), "one is missing");
        assert!(check(&answer(&row.replace("accepted", "duplicate"), note), 1).is_err());
    }

    #[test]
    fn an_answer_is_read_by_its_length_and_must_be_good() {
        assert_eq!(head_of(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n").unwrap(), None);
        assert_eq!(head_of(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab").unwrap(), Some((38, 5)));
        assert!(head_of(b"HTTP/1.1 200 OK\r\n\r\n").is_err());
        assert!(head_of(b"HTTP/1.1 503 Busy\r\ncontent-length: 0\r\n\r\n").is_err());
    }
}

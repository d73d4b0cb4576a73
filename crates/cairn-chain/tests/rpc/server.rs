//! A node that says what a test has it say. Simulated: it has no chain.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::{Value, json};

/// What the script answers.
pub enum Reply {
    /// A result.
    Is(Value),
    /// An error object.
    Error(Value),
    /// A status with these header lines and this body, whatever was asked.
    Http(u16, &'static str, String),
    /// Nothing: the connection is closed.
    Close,
    /// A head that promises more bytes than come.
    Truncated,
    /// A byte now and then, for as long as somebody listens.
    Drip,
    /// Bytes without end, as fast as they go.
    Endless,
    /// A result under another question's number.
    WrongId(Value),
}

/// A question: its method, its parameters, and how often this method was asked before.
pub struct Question<'a> {
    pub method: &'a str,
    pub params: &'a Value,
    pub before: usize,
    /// `Authorization`, if it came with one.
    pub authorization: Option<&'a str>,
}

type Script = dyn Fn(&Question<'_>) -> Reply + Send + Sync;

struct Shared {
    script: Box<Script>,
    asked: Mutex<Vec<(String, Value)>>,
    ending: AtomicBool,
}

/// The node; dropped, it ends and has left nothing behind.
pub struct Node {
    shared: Arc<Shared>,
    port: u16,
    accepting: Option<JoinHandle<()>>,
}

impl Node {
    pub fn of(script: impl Fn(&Question<'_>) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared =
            Arc::new(Shared { script: Box::new(script), asked: Mutex::default(), ending: AtomicBool::new(false) });
        let inner = Arc::clone(&shared);
        let accepting = std::thread::spawn(move || {
            let mut answering = Vec::new();
            for stream in listener.incoming() {
                if inner.ending.load(Ordering::SeqCst) {
                    break;
                }
                let shared = Arc::clone(&inner);
                // Who asks may be gone before it is answered.
                answering.push(std::thread::spawn(move || drop(answer(&shared, stream.unwrap()))));
            }
            answering.into_iter().for_each(|thread| thread.join().unwrap());
        });
        Self { shared, port, accepting: Some(accepting) }
    }

    /// A node that answers `eth_chainId` with 31337, and all else by the script.
    pub fn on_31337(script: impl Fn(&Question<'_>) -> Reply + Send + Sync + 'static) -> Self {
        Self::of(move |question| match question.method {
            "eth_chainId" => Reply::Is(json!("0x7a69")),
            _ => script(question),
        })
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The parameters of each question of this method so far.
    pub fn asked(&self, method: &str) -> Vec<Value> {
        let asked = self.shared.asked.lock().unwrap();
        asked.iter().filter(|(name, _)| name == method).map(|(_, params)| params.clone()).collect()
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.shared.ending.store(true, Ordering::SeqCst);
        drop(TcpStream::connect(("127.0.0.1", self.port)));
        let ended = self.accepting.take().unwrap().join();
        if !std::thread::panicking() {
            ended.unwrap();
        }
    }
}

/// Head and body of a request.
fn read(stream: &TcpStream) -> std::io::Result<(Vec<String>, Value)> {
    let mut reader = BufReader::new(stream);
    let mut head = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let line = line.trim_end().to_owned();
        if line.is_empty() {
            break;
        }
        head.push(line);
    }
    let length = head.iter().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body)?;
    Ok((head, serde_json::from_slice(&body)?))
}

fn answer(shared: &Shared, mut stream: TcpStream) -> std::io::Result<()> {
    let (head, body) = read(&stream)?;
    let method = body["method"].as_str().unwrap().to_owned();
    let before = {
        let mut asked = shared.asked.lock().unwrap();
        let before = asked.iter().filter(|(name, _)| *name == method).count();
        asked.push((method.clone(), body["params"].clone()));
        before
    };
    let authorization = head.iter().find_map(|line| line.strip_prefix("authorization: "));
    let question = Question { method: &method, params: &body["params"], before, authorization };
    let told = |id: &Value, name: &str, value: Value| json!({ "jsonrpc": "2.0", "id": id, name: value }).to_string();
    let (status, headers, body) = match (shared.script)(&question) {
        Reply::Is(value) => (200, "content-type: application/json\r\n", told(&body["id"], "result", value)),
        Reply::Error(value) => (200, "content-type: application/json\r\n", told(&body["id"], "error", value)),
        Reply::WrongId(value) => (200, "", told(&json!(body["id"].as_u64().unwrap() + 1), "result", value)),
        Reply::Http(status, headers, body) => (status, headers, body),
        Reply::Close => return Ok(()),
        Reply::Truncated => return stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 90\r\n\r\n{\"jsonrpc\":"),
        Reply::Drip => return pour(shared, &mut stream, b" ", Duration::from_millis(20)),
        Reply::Endless => return pour(shared, &mut stream, &[b' '; 65_536], Duration::ZERO),
    };
    write!(stream, "HTTP/1.1 {status} X\r\nconnection: close\r\n{headers}content-length: {}\r\n\r\n", body.len())?;
    stream.write_all(body.as_bytes())?;
    stream.flush()
}

/// Writes without end, until nobody listens or the test is over.
fn pour(shared: &Shared, stream: &mut TcpStream, piece: &[u8], pause: Duration) -> std::io::Result<()> {
    stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n")?;
    stream.set_write_timeout(Some(Duration::from_secs(5)))?;
    while !shared.ending.load(Ordering::SeqCst) {
        stream.write_all(piece)?;
        std::thread::sleep(pause);
    }
    Ok(())
}

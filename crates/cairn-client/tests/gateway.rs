//! The client against a gateway that answers by a script.

#![allow(clippy::unwrap_used)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use cairn_api::{ResultRow, ResultStatus, SubmitResponse};
use cairn_client::{Client, ClientError, Kept, Retries};
use cairn_core::ed25519::SigningKey;
use cairn_core::statement::Blob;
use cairn_core::{Hash, NetworkId};
use cairn_log::Promise;
use cairn_merkle::tile::encode_tile;
use cairn_merkle::tree::{self, leaf_hash};
use cairn_merkle::{Checkpoint, NoteSigner, TilePath};

/// What the gateway answers to one request.
enum Answer {
    Say { status: u16, headers: &'static str, body: Vec<u8> },
    HangUp,
}

fn ok(body: impl Into<Vec<u8>>) -> Answer {
    Answer::Say { status: 200, headers: "", body: body.into() }
}

/// One request as it came: the connection's number, the request line and the body.
#[derive(Debug, PartialEq, Eq)]
struct Request {
    connection: usize,
    line: String,
    content_type: String,
    body: Vec<u8>,
}

struct Gateway {
    url: String,
    requests: Receiver<Request>,
    serving: JoinHandle<()>,
}

impl Gateway {
    /// Serves the answers one by one, on as many connections as the client makes, then stops.
    fn with(answers: Vec<Answer>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (seen, requests) = channel();
        let serving = std::thread::spawn(move || serve(&listener, answers, &seen));
        Self { url, requests, serving }
    }

    fn client(&self) -> Client {
        let retries = Retries { attempts: 3, first_wait: Duration::from_millis(1) };
        Client::patient(&self.url, retries).unwrap()
    }

    fn finish(self) -> Vec<Request> {
        self.serving.join().unwrap();
        self.requests.try_iter().collect()
    }
}

fn serve(listener: &TcpListener, answers: Vec<Answer>, seen: &Sender<Request>) {
    let mut answers = answers.into_iter().peekable();
    for connection in 0.. {
        if answers.peek().is_none() {
            return;
        }
        let mut stream = BufReader::new(listener.accept().unwrap().0);
        while let Some(request) = read_request(connection, &mut stream) {
            seen.send(request).unwrap();
            let Some(Answer::Say { status, headers, body }) = answers.next() else { break };
            let head = format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\n{headers}\r\n", body.len());
            // A client that had enough hangs up; that is its right.
            let stream = stream.get_mut();
            if stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&body)).is_err() {
                break;
            }
            if answers.peek().is_none() {
                return;
            }
        }
    }
}

fn read_request(connection: usize, stream: &mut BufReader<TcpStream>) -> Option<Request> {
    let mut line = String::new();
    if stream.read_line(&mut line).ok()? == 0 {
        return None;
    }
    let (mut length, mut content_type) = (0, String::new());
    loop {
        let mut header = String::new();
        stream.read_line(&mut header).ok()?;
        let header = header.trim_end();
        if header.is_empty() {
            break;
        }
        let (name, value) = header.split_once(':').unwrap();
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.trim().parse().unwrap(),
            "content-type" => value.trim().clone_into(&mut content_type),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).ok()?;
    Some(Request { connection, line: line.trim_end().to_owned(), content_type, body })
}

fn promise_signer() -> NoteSigner {
    NoteSigner::new("log.example/promise", SigningKey::from_seed([5; 32])).unwrap()
}

fn network() -> NetworkId {
    NetworkId(Hash::of(b"genesis"))
}

fn accepted(indices: &[u64]) -> Vec<u8> {
    let row = |&index: &u64| ResultRow {
        status: ResultStatus::Accepted,
        index: Some(index),
        code: None,
        detail: None,
        hint: None,
    };
    let entries = indices.iter().map(|&index| (index, leaf_hash(&index.to_be_bytes()))).collect();
    let promise = Promise { network: network().0, entries }.sign(&promise_signer()).unwrap();
    let answer = SubmitResponse { results: indices.iter().map(row).collect(), size: 9, promise };
    serde_json::to_vec(&answer).unwrap()
}

fn problem(status: u16, headers: &'static str) -> Answer {
    let body = r#"{"type":"about:blank","title":"No","status":404,"code":"NET-EPOCH","detail":"epoch 9 is open","hint":"wait"}"#;
    Answer::Say { status, headers, body: body.into() }
}

#[test]
fn a_busy_gateway_is_asked_again_on_the_same_connection() {
    let busy = || problem(503, "retry-after: 0\r\n");
    let gateway = Gateway::with(vec![busy(), busy(), ok(b"note".to_vec())]);
    assert_eq!(gateway.client().checkpoint().unwrap(), "note");
    let requests = gateway.finish();
    assert_eq!(requests.len(), 3);
    assert!(requests.iter().all(|request| request.connection == 0 && request.line == "GET /log/checkpoint HTTP/1.1"));
}

#[test]
fn patience_ends_and_says_so() {
    let gateway = Gateway::with((0..3).map(|_| problem(503, "retry-after: 0\r\n")).collect());
    let refused = gateway.client().checkpoint().unwrap_err();
    assert_eq!(refused.code(), "NET-BUSY");
    assert!(matches!(refused, ClientError::Busy { attempts: 3, .. }), "{refused}");
    gateway.finish();
}

#[test]
fn a_refusal_keeps_the_gateways_words() {
    let gateway = Gateway::with(vec![problem(404, ""), ok(b"not json".to_vec()), problem(503, "")]);
    let client = gateway.client();
    let refused = client.epoch(9).unwrap_err();
    assert_eq!((refused.code(), refused.hint(), refused.is_not_found()), ("NET-EPOCH", Some("wait"), true));
    assert_eq!(refused.to_string(), "NET-EPOCH: epoch 9 is open");
    assert_eq!(client.epoch(9).unwrap_err().code(), "NET-ANSWER");
    assert_eq!(client.health().unwrap_err().code(), "NET-EPOCH", "no time to come back, no second attempt");
    gateway.finish();
}

#[test]
fn a_page_of_somebody_else_is_no_refusal_of_the_gateway() {
    let page = Answer::Say { status: 502, headers: "", body: b"<html>\n bad gateway".to_vec() };
    let gateway = Gateway::with(vec![page]);
    let error = gateway.client().network().unwrap_err();
    assert_eq!(error.code(), "NET-STATUS");
    assert!(error.to_string().ends_with("<html> bad gateway"), "{error}");
    gateway.finish();
}

#[test]
fn an_answer_beyond_its_limit_is_not_read() {
    let gateway = Gateway::with(vec![ok(vec![b'x'; (128 << 10) + 1]), ok(vec![b'x'; 128 << 10])]);
    let client = gateway.client();
    assert_eq!(client.checkpoint().unwrap_err().code(), "NET-TOO-LARGE");
    assert_eq!(client.checkpoint().unwrap().len(), 128 << 10, "the limit itself is allowed");
    gateway.finish();
}

#[test]
fn what_is_safe_to_repeat_is_sent_again_when_the_connection_breaks_and_nothing_else_is() {
    let gateway = Gateway::with(vec![Answer::HangUp, ok(accepted(&[7])), Answer::HangUp]);
    let client = gateway.client().promised_by(network(), promise_signer().verifier().clone());
    client.submit_reports(&[b"report"]).unwrap();
    assert_eq!(client.submit_statement(b"statement").unwrap_err().code(), "NET-CONNECTION");
    let lines: Vec<String> = gateway.finish().into_iter().map(|request| request.line).collect();
    assert_eq!(lines, ["POST /v1/reports HTTP/1.1", "POST /v1/reports HTTP/1.1", "POST /v1/statements HTTP/1.1"]);
}

#[test]
fn nobody_there_is_a_connection_error() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let retries = Retries { attempts: 2, first_wait: Duration::from_millis(1) };
    let client = Client::patient(&format!("http://127.0.0.1:{port}"), retries).unwrap();
    assert_eq!(client.health().unwrap_err().code(), "NET-CONNECTION");
}

#[test]
fn one_report_goes_alone_and_several_as_a_sequence() {
    let gateway = Gateway::with(vec![ok(accepted(&[7])), ok(accepted(&[8, 5])), ok(accepted(&[9]))]);
    let client = gateway.client().promised_by(network(), promise_signer().verifier().clone());
    assert!(matches!(client.submit_reports::<&[u8]>(&[]), Err(ClientError::Nothing)));
    assert_eq!(client.submit_reports(&[b"one"]).unwrap().promise.unwrap().entries.len(), 1);
    assert_eq!(client.submit_reports(&[&b"one"[..], b"three"]).unwrap().response.results.len(), 2);
    assert_eq!(client.submit_reports(&[b"a", b"b"]).unwrap_err().code(), "NET-ANSWER", "one row for two reports");
    let sent: Vec<(String, Vec<u8>)> = gateway.finish().into_iter().map(|r| (r.content_type, r.body)).collect();
    let expected = [("application/cose", "one"), ("application/cbor-seq", "onethree"), ("application/cbor-seq", "ab")];
    assert_eq!(sent, expected.map(|(kind, body)| (kind.to_owned(), body.as_bytes().to_vec())));
}

#[test]
fn a_gateway_that_knows_a_report_already_must_sign_for_it() {
    let duplicate = |promise: String| {
        let row = ResultRow { status: ResultStatus::Duplicate, index: Some(7), code: None, detail: None, hint: None };
        serde_json::to_vec(&SubmitResponse { results: vec![row], size: 9, promise }).unwrap()
    };
    let over = |index: u64| {
        let entries = vec![(index, leaf_hash(&index.to_be_bytes()))];
        Promise { network: network().0, entries }.sign(&promise_signer()).unwrap()
    };
    let answers = [String::new(), over(8), over(7)].map(|promise| ok(duplicate(promise)));
    let gateway = Gateway::with(answers.into());
    let client = gateway.client().promised_by(network(), promise_signer().verifier().clone());
    let refused = client.submit_reports(&[b"one"]).unwrap_err();
    assert_eq!(refused.code(), "NET-PROMISE", "a report swallowed as a duplicate");
    assert_eq!(client.submit_reports(&[b"one"]).unwrap_err().code(), "NET-PROMISE", "a promise of something else");
    assert_eq!(client.submit_reports(&[b"one"]).unwrap().promise.unwrap().entries[0].0, 7);
    gateway.finish();
}

#[test]
fn a_promise_is_kept_broken_or_not_due_yet() {
    let leaves: Vec<Hash> = (0..5u64).map(|index| leaf_hash(&index.to_be_bytes())).collect();
    let log = NoteSigner::new("log.example", SigningKey::from_seed([1; 32])).unwrap();
    let checkpoint = Checkpoint::new("log.example", 5, tree::root(&leaves)).unwrap();
    let note = checkpoint.sign(&log, &[]).unwrap().to_string();
    let tile: TilePath = "tile/0/000.p/5".parse().unwrap();
    let promise = |entries: &[(u64, Hash)]| Promise { network: network().0, entries: entries.to_vec() };
    let cases = [
        (promise(&[(4, leaves[4]), (0, leaves[0])]), Kept::Kept { size: 5 }),
        (promise(&[(0, leaves[0]), (5, leaves[0]), (7, leaves[0])]), Kept::NotYet { index: 5, size: 5 }),
        (
            promise(&[(0, leaves[0]), (2, leaves[0])]),
            Kept::Broken { index: 2, promised: leaves[0], checkpoint: note.clone() },
        ),
    ];
    for (promise, expected) in cases {
        let gateway = Gateway::with(vec![ok(note.clone()), ok(encode_tile(&leaves))]);
        assert_eq!(gateway.client().kept(&promise, log.verifier()).unwrap(), expected);
        assert_eq!(gateway.finish()[1].line, format!("GET /log/{tile} HTTP/1.1"));
    }
}

#[test]
fn a_policy_is_the_document_of_its_hash_or_refused() {
    let gateway = Gateway::with(vec![ok("one"), ok("one"), ok("two")]);
    let client = gateway.client();
    let hash = Hash::of(b"one");
    assert_eq!(client.policy(None).unwrap(), "one");
    assert_eq!(client.policy(Some(&hash)).unwrap(), "one");
    assert_eq!(client.policy(Some(&hash)).unwrap_err().code(), "NET-ANSWER");
    assert_eq!(gateway.finish()[2].line, format!("GET /v1/policies/{hash} HTTP/1.1"));
}

#[test]
fn the_wait_for_reports_that_came_too_fast_is_handed_on_and_bounded() {
    let waits = [
        ("", None),
        ("retry-after: 2\r\n", Some(2)),
        ("retry-after: 99999\r\n", Some(30)),
        ("retry-after: soon\r\n", None),
    ];
    for (headers, seconds) in waits {
        let some = Answer::Say { status: 200, headers, body: accepted(&[4]) };
        let gateway = Gateway::with(vec![some]);
        let client = gateway.client().promised_by(network(), promise_signer().verifier().clone());
        let submitted = client.submit_reports(&[b"report"]).unwrap();
        assert_eq!(submitted.wait, seconds.map(Duration::from_secs), "{headers}");
        gateway.finish();
    }
}

#[test]
fn a_blob_is_taken_as_its_name_says_or_not_at_all() {
    let bytes = b"the bytes".to_vec();
    let blob = Blob { hash: Hash::of(&bytes), bytes: 9 };
    let cases = [
        ("as it is", ok(bytes.clone()), None),
        ("shorter", ok(&bytes[..8]), Some("NET-ANSWER")),
        ("longer", ok([&bytes[..], b"!"].concat()), Some("NET-TOO-LARGE")),
        ("another", ok(b"eht bytes".to_vec()), Some("NET-ANSWER")),
        ("gone", Answer::Say { status: 404, headers: "", body: Vec::new() }, Some("NET-STATUS")),
    ];
    for (what, answer, code) in cases {
        let gateway = Gateway::with(vec![answer]);
        let got = gateway.client().get_blob(&blob);
        assert_eq!(got.as_ref().err().map(ClientError::code), code, "{what}");
        assert!(got.is_err() || got.is_ok_and(|got| got == bytes), "{what}");
        assert_eq!(gateway.finish()[0].line, format!("GET /v1/blobs/{} HTTP/1.1", blob.hash));
    }
    // One that says another length is believed no more than one that says another hash.
    let gateway = Gateway::with(vec![ok(bytes.clone())]);
    let refused = gateway.client().get_blob(&Blob { bytes: 10, ..blob }).unwrap_err();
    assert_eq!(refused.code(), "NET-ANSWER");
    gateway.finish();
}

#[test]
fn a_blob_is_left_under_its_hash_and_again_where_the_connection_broke() {
    let blob = Blob { hash: Hash::of(b"bytes"), bytes: 5 };
    let created = Answer::Say { status: 201, headers: "", body: Vec::new() };
    let gateway = Gateway::with(vec![Answer::HangUp, created]);
    assert_eq!(gateway.client().put_blob(b"bytes").unwrap(), blob);
    let requests = gateway.finish();
    assert_eq!(requests.len(), 2);
    for request in requests {
        assert_eq!(request.line, format!("PUT /v1/blobs/{} HTTP/1.1", blob.hash));
        assert_eq!(
            (request.content_type.as_str(), request.body.as_slice()),
            ("application/octet-stream", &b"bytes"[..])
        );
    }
}

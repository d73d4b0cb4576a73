//! A network behind HTTP gives the report that its files give.

#![allow(clippy::unwrap_used)]

mod served;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;

use cairn_audit::{AuditOptions, HttpSource, Outcome, Start, audit};
use cairn_client::Client;
use served::Served;

/// The API's path and media type of a file.
fn address(file: &str) -> (String, &'static str) {
    let Some(epoch) = file.strip_prefix("epochs/") else { return (format!("/log/{file}"), "") };
    let (number, table) = epoch.split_once('/').unwrap();
    match table {
        "statement.cbor" => (format!("/v1/epochs/{number}"), "application/cbor"),
        "verdicts.cborseq" => (format!("/v1/epochs/{number}/verdicts"), "application/cbor-seq"),
        "payouts.cborseq" => (format!("/v1/epochs/{number}/payouts"), "application/cbor-seq"),
        "carry.cborseq" => (format!("/v1/epochs/{number}/carry"), "application/cbor-seq"),
        _ => (format!("/v1/snapshots/{number}"), "application/cbor"),
    }
}

/// Serves files until the test ends; the address.
fn serve(served: &Served) -> String {
    let files: BTreeMap<String, (&str, Vec<u8>)> = served
        .files
        .iter()
        .map(|(file, bytes)| {
            let (path, kind) = address(file);
            (path, (kind, bytes.clone()))
        })
        .collect();
    let files = Arc::new(files);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let files = Arc::clone(&files);
            std::thread::spawn(move || answer(BufReader::new(stream.unwrap()), &files));
        }
    });
    url
}

fn answer(mut stream: BufReader<TcpStream>, files: &BTreeMap<String, (&str, Vec<u8>)>) -> Option<()> {
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).ok().filter(|read| *read > 0)?;
        let path = line.split(' ').nth(1)?.to_owned();
        let mut accept = String::new();
        loop {
            let mut header = String::new();
            stream.read_line(&mut header).ok()?;
            match header.trim_end().split_once(": ") {
                Some((name, value)) if name.eq_ignore_ascii_case("accept") => value.clone_into(&mut accept),
                Some(_) => {}
                None => break,
            }
        }
        let missing = br#"{"type":"about:blank","title":"Not Found","status":404,"code":"NET-NONE","detail":"none"}"#;
        let (status, body) = match files.get(&path) {
            Some((kind, body)) if kind.is_empty() || *kind == accept => (200, &body[..]),
            _ => (404, &missing[..]),
        };
        let head = format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\n\r\n", body.len());
        stream.get_mut().write_all(&[head.as_bytes(), body].concat()).ok()?;
    }
}

#[test]
fn a_network_behind_http_is_audited_like_its_files() {
    let network = served::eventful();
    let mut served = Served::of(&network);
    let options = AuditOptions { network: Some(network.id), snapshots: true, ..AuditOptions::default() };
    let expected = served.audit(&options);
    let over_http = |served: &Served, options: &AuditOptions| {
        let source = HttpSource::of(Client::at(&serve(served)).unwrap());
        audit(&source, options, &mut |_| ()).unwrap()
    };
    let report = over_http(&served, &options);
    assert_eq!((report.outcome, report.epochs, report.counts), (Outcome::Pass, expected.epochs, expected.counts));
    let resumed = over_http(&served, &AuditOptions { start: Start::After(2), ..options.clone() });
    assert!(resumed.passed() && resumed.epochs.len() == 3, "{:?}", resumed.difference());
    served.files.remove("tile/entries/000");
    let report = over_http(&served, &options);
    assert_eq!(report.difference().unwrap().code, "LOG-MISSING");
}

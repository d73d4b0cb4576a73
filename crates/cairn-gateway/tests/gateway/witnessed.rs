//! Witnesses beside a running gateway: honest, dead, slow, lying, and gone.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use cairn_core::Hash;
use cairn_core::ed25519::SigningKey;
use cairn_gateway::{GatewayOptions, Running, WitnessingOptions};
use cairn_log::StdDisk;
use cairn_merkle::note::{Note, NoteVerifier};
use cairn_merkle::proof::verify_consistency;
use cairn_merkle::witness::parse_history;
use cairn_merkle::{AddCheckpoint, Checkpoint, Cosigner, NoteSigner, SignedCheckpoint};
use cairn_witness::{ServerOptions, Witness, WitnessClient};

use crate::support::{Client, Device, Net, options, rows};

const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) fn cosigner(name: &str, seed: u8) -> Cosigner {
    Cosigner::new(name, SigningKey::from_seed([seed; 32])).unwrap()
}

fn log_signer(net: &Net) -> NoteSigner {
    NoteSigner::new("log.example/walk", net.keys.log.clone()).unwrap()
}

/// A witness of the network at an address.
pub(crate) fn witness(net: &Net, folder: &Path, cosigner: &Cosigner, listen: &str) -> cairn_witness::Running {
    let disk = Arc::new(StdDisk::create(folder).unwrap());
    let witness = Witness::open(disk, cosigner.clone(), vec![log_signer(net).verifier().clone()]).unwrap();
    let options = ServerOptions { listen: listen.to_owned(), ..ServerOptions::default() };
    cairn_witness::start(Arc::new(witness), options).unwrap()
}

/// Answers every connection with these bytes, and then says nothing more.
fn speaks(bytes: Vec<u8>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (mut stream, bytes) = (stream.unwrap(), bytes.clone());
            std::thread::spawn(move || {
                let _ = stream.read(&mut [0; 4096]);
                let _ = stream.write_all(&bytes);
                let _ = stream.read(&mut [0; 4096]);
            });
        }
    });
    url
}

/// An address where nobody listens.
fn nobody() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

pub(crate) fn witnessed_by(net: &Net, witnesses: &[(NoteVerifier, String)]) -> GatewayOptions {
    let witnessing = WitnessingOptions {
        witnesses: witnesses.to_vec(),
        interval: Duration::from_millis(20),
        timeout: Duration::from_millis(500),
        refresh: Duration::from_millis(200),
        history_every: Duration::ZERO,
        folder: history(net),
        evidence: Some(net.folder.path().join("proofs")),
    };
    GatewayOptions { witnessing: Some(witnessing), ..options() }
}

fn history(net: &Net) -> PathBuf {
    net.folder.path().join("witnessed")
}

fn open(note: &str, net: &Net, known: &[NoteVerifier]) -> SignedCheckpoint {
    SignedCheckpoint::open(note, log_signer(net).verifier(), known).unwrap()
}

/// Waits until the served checkpoint covers the whole log, with the cosignatures of these and of nobody else.
pub(crate) fn settle(running: &Running, net: &Net, by: &[&NoteVerifier]) -> Checkpoint {
    let known: Vec<NoteVerifier> = by.iter().map(|verifier| (*verifier).clone()).collect();
    for _ in 0..2_000 {
        let mut client = Client::to(running);
        let size = client.settle().size;
        let note = client.get("/log/checkpoint").text().to_owned();
        let lines = note.parse::<Note>().unwrap().signatures().len();
        let signed = open(&note, net, &known);
        if signed.checkpoint.size() == size && signed.witnessed.len() == by.len() && lines == by.len() + 1 {
            return signed.checkpoint;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("the checkpoint is not cosigned by {by:?}");
}

fn read_history(running: &Running, limit: usize) -> Vec<Note> {
    let mut notes = Vec::new();
    loop {
        let answer = Client::to(running).get(&format!("/v1/witnessed?from={}&limit={limit}", notes.len()));
        assert_eq!((answer.status, answer.header("content-type")), (200, Some("text/plain; charset=utf-8")));
        let page = parse_history(answer.text()).unwrap();
        if page.is_empty() {
            return notes;
        }
        notes.extend(page);
    }
}

fn failures(running: &Running, name: &str) -> u64 {
    Client::to(running).metric(&format!("cairn_witness_failures_total{{witness=\"{name}\"}}"))
}

#[test]
fn checkpoints_are_cosigned_by_those_who_are_well_whatever_the_others_do() {
    let net = Net::found();
    let (one, two) = (cosigner("one.example", 41), cosigner("two.example", 42));
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let first = witness(&net, folders[0].path(), &one, "127.0.0.1:0");
    let second = witness(&net, folders[1].path(), &two, "127.0.0.1:0");
    let (dead, slow, liar) = (cosigner("dead.example", 43), cosigner("slow.example", 44), cosigner("liar.example", 45));
    let (huge, other) = (cosigner("huge.example", 46), cosigner("other.example", 47));
    let answer = |body: &str| {
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
        format!("{head}{body}").into_bytes()
    };
    let checkpoint = Checkpoint::new("log.example/walk", 5, Hash::ZERO).unwrap();
    let lie = format!("{}\n", liar.cosign(&checkpoint, 1_000).unwrap());
    let stranger = format!("{}\n", cosigner("stranger.example", 48).cosign(&checkpoint, 1_000).unwrap());
    let url = |running: &cairn_witness::Running| format!("http://{}", running.address());
    let witnesses: Vec<(NoteVerifier, String)> = [
        (&one, url(&first)),
        (&two, url(&second)),
        (&dead, nobody()),
        (&slow, speaks(Vec::new())),
        (&liar, speaks(answer(&lie))),
        (&huge, speaks(answer(&"x".repeat(1 << 20)))),
        (&other, speaks(answer(&stranger))),
    ]
    .map(|(cosigner, url)| (cosigner.verifier().clone(), url))
    .to_vec();
    let running = net.start_with(witnessed_by(&net, &witnesses));
    let mut client = Client::to(&running);
    let device = Device::of(1);
    assert_eq!(rows(&client.statement(&net.enrol(&device))).len(), 1);
    settle(&running, &net, &[one.verifier(), two.verifier()]);
    for name in ["dead", "slow", "liar", "huge", "other"] {
        let name = format!("{name}.example");
        assert!((0..2_000).any(|_| {
            std::thread::sleep(Duration::from_millis(5));
            failures(&running, &name) > 0
        }));
        assert_eq!(client.metric(&format!("cairn_witness_cosignatures_total{{witness=\"{name}\"}}")), 0, "{name}");
    }
    assert!(client.metric("cairn_witness_cosignatures_total{witness=\"one.example\"}") > 0);

    // One of the two dies in the middle of things; the log goes on, and so does the other.
    let address = second.address().to_string();
    drop(second);
    for seq in 0..5 {
        assert_eq!(rows(&client.report(&net.report(&device, seq, 1_500)))[0].split(' ').next(), Some("accepted"));
        settle(&running, &net, &[one.verifier()]);
    }
    assert!(failures(&running, "two.example") > 0);
    let second = witness(&net, folders[1].path(), &two, &address);
    settle(&running, &net, &[one.verifier(), two.verifier()]);
    drop(client);
    running.shutdown().unwrap();

    // A later start goes on where this one was; so does the history.
    let running = net.start_with(witnessed_by(&net, &witnesses));
    let mut client = Client::to(&running);
    client.report(&net.report(&device, 9, 1_500));
    let last = settle(&running, &net, &[one.verifier(), two.verifier()]);
    let known = [one.verifier().clone(), two.verifier().clone()];
    let checkpoints: Vec<SignedCheckpoint> =
        read_history(&running, 2).iter().map(|note| open(&note.to_string(), &net, &known)).collect();
    assert!(checkpoints.len() >= 6 && checkpoints.iter().all(|checkpoint| !checkpoint.witnessed.is_empty()));
    assert_eq!(checkpoints.last().unwrap().checkpoint, last);
    assert_eq!(client.get("/v1/witnessed?until=3").problem().code, "NET-QUERY");
    drop((client, first, second));
    running.shutdown().unwrap();
    let reader = net.sequencer().reader();
    for checkpoint in checkpoints.into_iter().map(|signed| signed.checkpoint) {
        let proof = reader.consistency_proof(checkpoint.size(), last.size()).unwrap();
        verify_consistency(checkpoint.size(), checkpoint.root(), last.size(), last.root(), &proof).unwrap();
    }
}

#[test]
fn a_witness_that_saw_more_of_the_log_than_there_is_cosigns_nothing_and_is_heard_of() {
    let net = Net::found();
    let (one, folder) = (cosigner("one.example", 41), tempfile::tempdir().unwrap());
    let first = witness(&net, folder.path(), &one, "127.0.0.1:0");
    let asking = WitnessClient::of(one.verifier().clone(), &format!("http://{}", first.address())).unwrap();
    // What an operator has shown before it rolls its log back.
    let larger = Checkpoint::new("log.example/walk", 1_000, Hash::ZERO).unwrap();
    let note = larger.sign(&log_signer(&net), &[]).unwrap();
    asking.add_checkpoint(&AddCheckpoint { old: 0, proof: Vec::new(), note }, PATIENCE).unwrap();
    let witnesses = [(one.verifier().clone(), format!("http://{}", first.address()))];
    let running = net.start_with(witnessed_by(&net, &witnesses));
    assert!((0..2_000).any(|_| {
        std::thread::sleep(Duration::from_millis(5));
        failures(&running, "one.example") > 1
    }));
    settle(&running, &net, &[]);
    assert!(read_history(&running, 10).is_empty());
}

#[test]
fn an_operator_is_told_with_proof_when_a_witness_cosigned_what_its_log_is_not() {
    let net = Net::found();
    let (one, folder) = (cosigner("one.example", 41), tempfile::tempdir().unwrap());
    let first = witness(&net, folder.path(), &one, "127.0.0.1:0");
    let asking = WitnessClient::of(one.verifier().clone(), &format!("http://{}", first.address())).unwrap();
    // What the log's key signed elsewhere, of no more entries than the log has.
    let other = Checkpoint::new("log.example/walk", 1, Hash::ZERO).unwrap();
    let note = other.sign(&log_signer(&net), &[]).unwrap();
    asking.add_checkpoint(&AddCheckpoint { old: 0, proof: Vec::new(), note: note.clone() }, PATIENCE).unwrap();
    assert_eq!(asking.latest("log.example/walk", PATIENCE).unwrap().unwrap().text(), note.text());
    assert_eq!(asking.latest("log.example/other", PATIENCE).unwrap(), None);
    let witnesses = [(one.verifier().clone(), format!("http://{}", first.address()))];
    let running = net.start_with(witnessed_by(&net, &witnesses));
    let mut client = Client::to(&running);
    assert_eq!(rows(&client.statement(&net.enrol(&Device::of(1)))).len(), 1);
    settle(&running, &net, &[]);
    let proofs = net.folder.path().join("proofs");
    let files =
        || std::fs::read_dir(&proofs).map_or_else(|_| Vec::new(), |found| found.map(|f| f.unwrap().path()).collect());
    assert!((0..2_000).any(|_| {
        std::thread::sleep(Duration::from_millis(5));
        !files().is_empty() && failures(&running, "one.example") > 2
    }));
    drop(client);
    running.shutdown().unwrap();
    let files = files();
    assert_eq!(files.len(), 1, "once: {files:?}");
    let proof = cairn_evidence::Evidence::decode(&std::fs::read(&files[0]).unwrap()).unwrap();
    let found = proof.check_in(&net.network).unwrap();
    assert_eq!(found.kind, cairn_evidence::Kind::Fork, "{}", found.sentence);
}

#[test]
fn a_network_that_never_asked_a_witness_has_no_history_and_one_that_did_keeps_serving_it() {
    let net = Net::found();
    let running = net.start();
    assert!(read_history(&running, 10).is_empty());
    running.shutdown().unwrap();
    let (one, folder) = (cosigner("one.example", 41), tempfile::tempdir().unwrap());
    let first = witness(&net, folder.path(), &one, "127.0.0.1:0");
    let witnesses = [(one.verifier().clone(), format!("http://{}", first.address()))];
    let running = net.start_with(witnessed_by(&net, &witnesses));
    settle(&running, &net, &[one.verifier()]);
    running.shutdown().unwrap();
    let running = net.start_with(witnessed_by(&net, &[]));
    assert!(!read_history(&running, 10).is_empty());
    let page = Client::to(&running).get("/metrics").text().to_owned();
    assert!(!page.contains("cairn_witness"));
}

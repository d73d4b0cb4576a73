//! Proofs: made against an operator that runs its log twice, a device with two tongues, and refused against honest ones.

use std::path::{Path, PathBuf};
use std::time::Duration;

use cairn_core::cbor::Value;
use cairn_core::ed25519::SigningKey;
use cairn_core::entry::Entry;
use cairn_core::key::SecretKey;
use cairn_core::report::{Report, sign_report};
use cairn_core::{Hash, NetworkId};
use cairn_evidence::{Evidence, Kind};
use cairn_merkle::note::Note;
use cairn_merkle::{AddCheckpoint, Checkpoint, NoteSigner, NoteVerifier};
use cairn_witness::WitnessClient;

use crate::network::{clock, enrol, found, readings, settled};
use crate::transcript::Transcript;
use crate::up::Up;

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

fn start(terminal: &mut Transcript, what: &str) -> Up {
    let up = Up::start(&terminal.folder);
    terminal.masks.add(&up.url, "URL");
    terminal.url.clone_from(&up.url);
    terminal.note(what);
    up
}

/// The first proof of a kind that a command wrote into `proofs`.
fn proof(terminal: &Transcript, kind: &str) -> String {
    let names = std::fs::read_dir(terminal.folder.join("proofs")).unwrap();
    let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    format!("proofs/{}", names.into_iter().find(|name| name.starts_with(kind)).unwrap())
}

/// Another report under the name of the one in an entry, signed by the same device.
fn other_tongue(terminal: &Transcript, entry: &str, seed: u8, network: &str) {
    let bytes = std::fs::read(terminal.folder.join(entry)).unwrap();
    let report = Entry::decode(&bytes).unwrap().body.to_vec();
    let report = Report::parse(&report).unwrap();
    let mut body = report.body.clone();
    body.body = Value::map(vec![(1, Value::Int(9_999))]);
    let network = NetworkId(Hash::from_hex(network).unwrap());
    let signed = sign_report(&SecretKey::ed25519([seed; 32]), report.device(), &network, &body);
    std::fs::write(terminal.folder.join("other.report"), signed).unwrap();
}

fn prove_conflict(terminal: &mut Transcript, network: &str) {
    let (proved, _) = terminal.json("proof 12 --entry 12.entry", "");
    assert_eq!(proved["kind"], "report");
    other_tongue(terminal, "12.entry", 1, network);
    terminal.run("evidence conflict 12.entry 12.entry --out none.evidence");
    assert_eq!(terminal.run("evidence conflict 12.entry other.report --out conflict.evidence").code, 0);
    terminal.run("evidence conflict 12.entry other.report --out conflict.evidence");
    assert_eq!(terminal.run("evidence check conflict.evidence").code, 0);
    assert_eq!(terminal.run(&format!("evidence check conflict.evidence --network {network}")).code, 0);
    terminal.run(&format!("evidence check conflict.evidence --network {}", "0".repeat(64)));
    terminal.json("evidence check conflict.evidence", "");
    terminal.json("evidence check other.report", "");
    terminal.run("evidence submit conflict.evidence --key o2.key");
    terminal.run("evidence submit conflict.evidence --key o3.key");
}

/// The network goes on twice from one folder: the operator signs two histories.
fn run_twice(terminal: &mut Transcript, first: Up) -> Up {
    assert_eq!(first.end(), 0);
    let folder = terminal.folder.clone();
    copy(&folder.join("net"), &folder.join("aside"));
    let up = start(terminal, "cairn up net, of which a copy was made before");
    terminal.json("send --key d2.key", &readings(2, 0, 6));
    settled(terminal);
    terminal.run("audit --remember remembered");
    terminal.json("proof 16 --out one.tlog-proof --entry one.entry", "");
    terminal.run("proof promises d2.key.promises");
    assert_eq!(up.end(), 0);
    terminal.json("log export net one", "");
    std::fs::rename(folder.join("net"), folder.join("first")).unwrap();
    std::fs::rename(folder.join("aside"), folder.join("net")).unwrap();
    let up = start(terminal, "cairn up net, the copy");
    for device in 3..=5 {
        terminal.json(&format!("send --key d{device}.key"), &readings(device, 0, 6));
    }
    settled(terminal);
    terminal.json("proof 16 --out other.tlog-proof --entry other.entry", "");
    terminal.json("log export net other", "");
    up
}

/// A witness that cosigned the first history, and was then shown another checkpoint of that size: it wrote a proof itself.
fn witnessed(terminal: &mut Transcript, network: &serde_json::Value) -> Up {
    let folder = terminal.folder.clone();
    let log = network["log_vkey"].as_str().unwrap();
    let witness =
        ["witness", "--log", log, "--listen", "127.0.0.1:0", "--name", "w.example", "--genesis", "0.entry", "--json"];
    let begin = || Up::start_with(&folder, &[&witness[..], &["--evidence", "told"]].concat());
    let running = begin();
    let vkey: NoteVerifier = running.document["vkey"].as_str().unwrap().parse().unwrap();
    let client = WitnessClient::of(vkey.clone(), &running.url).unwrap();
    let first: Note = std::fs::read_to_string(folder.join("one/checkpoint")).unwrap().parse().unwrap();
    let checkpoint: Checkpoint = first.text().parse().unwrap();
    let (origin, size) = (checkpoint.origin(), checkpoint.size());
    let ask = |old: u64, note: Note| {
        client.add_checkpoint(&AddCheckpoint { old, proof: Vec::new(), note }, Duration::from_secs(30))
    };
    ask(0, first).unwrap();
    let text = std::fs::read_to_string(folder.join("net/keys/log.key")).unwrap();
    let seed = text.lines().find_map(|line| line.strip_prefix("ed25519 ")).unwrap();
    let signer = NoteSigner::new(origin, SigningKey::from_seed(Hash::from_hex(seed).unwrap().0)).unwrap();
    let other = Checkpoint::new(origin, size, Hash::ZERO).unwrap().sign(&signer, &[]).unwrap();
    ask(size, other.clone()).unwrap_err();
    let told = || -> Vec<PathBuf> {
        std::fs::read_dir(folder.join("told")).unwrap().map(|entry| entry.unwrap().path()).collect()
    };
    let proofs = told();
    assert_eq!(proofs.len(), 1, "{proofs:?}");
    let proof = Evidence::decode(&std::fs::read(&proofs[0]).unwrap()).unwrap();
    assert_eq!(proof.check().unwrap().kind, Kind::Fork);
    assert_eq!(running.end(), 0);
    // What its folder holds it tells again, to whoever threw the proof away.
    std::fs::remove_file(&proofs[0]).unwrap();
    // A start that was cut short left this, which nobody reads.
    std::fs::write(folder.join("witness/vkey.tmp"), "w.exam").unwrap();
    let running = begin();
    assert_eq!(told(), proofs);
    let trust = format!("log {log}\nwitness w {vkey} {}\nquorum none\n", running.url);
    std::fs::write(folder.join("trust"), trust).unwrap();
    running
}

#[test]
fn who_contradicts_himself_is_proven_to_anybody_and_nobody_else_is() {
    let folder = tempfile::tempdir().unwrap();
    let mut terminal = Transcript::of(folder.path());
    let up = found(&mut terminal);
    enrol(&mut terminal);
    clock(&mut terminal, 6);
    terminal.json("send --key d1.key", &readings(1, 0, 5));
    settled(&terminal);
    let (status, _) = terminal.json("status", "");
    let network = status["network"]["network_id"].as_str().unwrap().to_owned();
    terminal.json("log export net before", "");
    terminal.json("proof 0 --entry 0.entry", "");
    prove_conflict(&mut terminal, &network);
    settled(&terminal);
    let up = run_twice(&mut terminal, up);

    terminal.note("the auditor remembers the first history");
    assert_eq!(terminal.run("audit --checkpoint remembered --evidence proofs").code, 1);
    let (document, _) = terminal.json("audit --checkpoint remembered --evidence proofs", "");
    assert_eq!(document["evidence"], proof(&terminal, "fork"));
    let made = proof(&terminal, "fork");
    assert_eq!(terminal.run(&format!("evidence check {made} --network {network}")).code, 0);

    terminal.note("the second device holds promises of the first history");
    assert_eq!(terminal.run("proof promises d2.key.promises --evidence proofs").code, 1);
    terminal.run("audit --promises d2.key.promises");
    terminal.run("audit --promises d1.key.promises");
    let made = proof(&terminal, "broken-promise");
    assert_eq!(terminal.run(&format!("evidence check {made}")).code, 0);

    let holding = witnessed(&mut terminal, &status["network"]);
    terminal.note("a witness cosigned the first history");
    assert_eq!(terminal.run("audit --trust trust --ask-witnesses --evidence seen").code, 1);
    let (document, _) = terminal.json("audit --trust trust --ask-witnesses --evidence seen", "");
    assert_eq!(document["difference"]["code"], "WIT-FORK");
    let made = document["evidence"].as_str().unwrap().to_owned();
    assert_eq!(holding.end(), 0);

    terminal.note("from files alone");
    terminal.run(&format!("evidence check {made} --network {network}"));
    terminal.url = "http://127.0.0.1:9".to_owned();
    assert_eq!(up.end(), 0);
    assert_eq!(terminal.run("evidence fork one other --out fork.evidence").code, 0);
    terminal.run("evidence fork remembered other --out file.evidence");
    terminal.run("evidence fork remembered remembered --out none.evidence");
    terminal.run("evidence fork before one --out none.evidence");
    terminal.run("evidence fork one/checkpoint other/checkpoint --genesis 0.entry --out none.evidence");
    terminal.run("evidence fork one/checkpoint one/checkpoint --genesis 0.entry --out none.evidence");
    terminal.run("evidence fork one/checkpoint other --genesis 12.entry --out none.evidence");
    terminal.run("evidence fork one/checkpoint other --genesis 0.entry --out genesis.evidence");
    terminal.json("evidence fork other one --out again.evidence", "");
    let read = |name: &str| std::fs::read(folder.path().join(name)).unwrap();
    assert_eq!(read("fork.evidence"), read("again.evidence"), "in whichever order");
    let promise = "evidence promise --promise d2.key.promises --from other";
    terminal.run(&format!("{promise} --receipt other.tlog-proof --entry other.entry --out promise.evidence"));
    terminal.run(&format!("{promise} --receipt one.tlog-proof --entry one.entry --out none.evidence"));
    terminal.run(&format!("{promise} --second d3.key.promises --out promises.evidence"));
    terminal.run(&format!("{promise} --second d1.key.promises --out none.evidence"));
    let receipts = "evidence receipts one.tlog-proof one.entry";
    // The leaf with the lower hash is named first: either may be.
    let two = format!("{receipts} other.tlog-proof other.entry --from one --out receipts.evidence");
    let (document, code) = terminal.json(&two, "");
    let sentence = document["sentence"].as_str().unwrap();
    assert!(code == 0 && sentence.contains(" 22 entries with leaf ") && sentence.contains(" 34 entries with leaf "));
    terminal.run(&format!("{receipts} one.tlog-proof one.entry --from one --out none.evidence"));
    terminal.run("evidence submit fork.evidence --key o2.key");
    std::fs::write(folder.path().join("cut.evidence"), &read("fork.evidence")[..100]).unwrap();
    terminal.run("evidence check cut.evidence");
    terminal.run("evidence check nothing.evidence");
    assert!(!folder.path().join("none.evidence").exists(), "what proves nothing is not written");
    terminal.compare("evidence.txt");
}

//! `cairn auditor` beside a network on the wall clock: signatures that the gateway keeps, and what is never signed.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use crate::network::write_key;
use crate::transcript::{Ran, Transcript, cairn};
use crate::up::{Up, spawn};

fn run(folder: &Path, arguments: &str) -> Ran {
    cairn(folder, "", &arguments.split(' ').collect::<Vec<_>>(), "")
}

fn lines(ran: &Ran) -> Vec<Value> {
    ran.stdout.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{}", ran.stdout))).collect()
}

fn done(folder: &Path, arguments: &str) -> Vec<Value> {
    let ran = run(folder, arguments);
    assert_eq!(ran.code, 0, "cairn {arguments}: {}{}", ran.stdout, ran.stderr);
    lines(&ran)
}

fn document(folder: &Path, arguments: &str) -> Value {
    let ran = run(folder, arguments);
    assert_eq!(ran.code, 0, "cairn {arguments}: {}{}", ran.stdout, ran.stderr);
    serde_json::from_str(&ran.stdout).unwrap()
}

fn address(folder: &Path, key: &str) -> String {
    let text = std::fs::read_to_string(folder.join(key)).unwrap();
    text.lines().find_map(|line| line.strip_prefix("# 0x")).map(|digits| format!("0x{digits}")).unwrap()
}

fn open_epoch(folder: &Path, url: &str) -> u64 {
    document(folder, &format!("status --url {url} --json"))["network"]["epoch"].as_u64().unwrap()
}

fn await_epoch(folder: &Path, url: &str, epoch: u64) {
    while open_epoch(folder, url) < epoch {
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// The epochs of the lines with this event.
fn epochs(lines: &[Value], event: &str) -> Vec<u64> {
    lines.iter().filter(|line| line["event"] == event).map(|line| line["epoch"].as_u64().unwrap()).collect()
}

/// A network of short epochs with an auditor, the first epoch that he signs, and keys of his and of a stranger.
fn audited(folder: &Path) -> (Up, u64) {
    assert_eq!(run(folder, "init net --epoch 1s --grace 100ms").code, 0);
    for key in ["own.key", "other.key"] {
        let made = run(folder, &format!("keygen {key} --algorithm secp256k1"));
        assert_eq!(made.code, 0, "{}", made.stderr);
    }
    let up = Up::start(folder);
    let (own, from) = (address(folder, "own.key"), open_epoch(folder, &up.url) + 4);
    let proposed =
        document(folder, &format!("auditor propose {own} --quorum 1 --from {from} --dir net --url {} --json", up.url));
    assert_eq!(proposed["first_epoch"], from);
    (up, from)
}

#[test]
fn an_auditor_signs_what_it_recomputed_and_goes_on_after_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let (up, from) = audited(folder);
    await_epoch(folder, &up.url, from + 2);

    // A stranger audits everything, signs nothing, and is told why.
    let stranger = run(folder, &format!("auditor run {} --key other.key --dir stranger --once", up.url));
    assert_eq!(stranger.code, 0, "{}{}", stranger.stdout, stranger.stderr);
    assert!(stranger.stdout.contains("not signed, STL-NOT-AN-AUDITOR"), "{}", stranger.stdout);
    assert!(stranger.stderr.contains("cairn auditor propose"), "{}", stranger.stderr);

    // Watching, until it is killed in the middle of it.
    let url = up.url.as_str();
    let arguments = ["auditor", "run", url, "--key", "own.key", "--poll", "1", "--json"];
    let mut child = spawn(folder, &arguments);
    let mut told = Vec::new();
    for line in BufReader::new(child.stdout.as_mut().unwrap()).lines() {
        told.push(serde_json::from_str::<Value>(&line.unwrap()).unwrap());
        if epochs(&told, "published").len() >= 2 {
            break;
        }
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let signed = epochs(&told, "signed");
    assert_eq!(signed[0], from, "{told:?}");
    assert!(epochs(&told, "audited").contains(&0), "{told:?}");

    await_epoch(folder, url, signed.last().unwrap() + 3);
    let again = done(folder, &format!("auditor run {url} --key own.key --once --json"));
    assert!(!epochs(&again, "signed").is_empty(), "{again:?}");
    assert!(!epochs(&again, "audited").contains(&0), "it goes on where it was: {again:?}");
    let document_of = |epoch: u64| folder.join(format!("auditor/signatures/{epoch}.json"));
    for epoch in from..=*epochs(&again, "signed").last().unwrap() {
        assert!(document_of(epoch).exists(), "epoch {epoch}");
    }
    // What the gateway keeps is what lies in the folder.
    let kept: Value = serde_json::from_slice(&std::fs::read(document_of(from)).unwrap()).unwrap();
    let signatures = folder.join(format!("net/signatures/{from}"));
    let line = std::fs::read_to_string(signatures).unwrap();
    assert_eq!(line.trim_end(), format!("0 {}", kept["signed"][0]["signature"].as_str().unwrap()));

    // A halt is answered with the same truth, once and for all.
    let answer = document(folder, &format!("auditor sign {url} --key own.key --epoch {from} --revision 1 --json"));
    assert_eq!((answer["known"].as_bool(), answer["revision"].as_u64()), (Some(false), Some(1)));
    assert_eq!(answer["statement"], kept["signed"][0]["message"]["statement_hash"]);
    let repeated = document(folder, &format!("auditor sign {url} --key own.key --epoch {from} --revision 1 --json"));
    assert_eq!((&repeated["signature"], repeated["known"].as_bool()), (&answer["signature"], Some(true)));

    // The record is of one network and one key.
    let other = run(folder, &format!("auditor run {url} --key other.key --once"));
    assert!(other.code == 1 && other.stderr.contains("error[STL-FOLDER-KEY]"), "{}", other.stderr);
    let id = "0".repeat(64);
    let other = run(folder, &format!("auditor run {url} --key own.key --network {id} --once"));
    assert!(other.code == 1 && other.stderr.contains("error[STL-FOLDER-NETWORK]"), "{}", other.stderr);
    // A gateway that is away is told later.
    let away = run(folder, &format!("auditor run {url} --key own.key --once --publish http://127.0.0.1:9"));
    assert!(away.code == 3 && away.stderr.contains("error[NET-UNPUBLISHED]"), "{}", away.stderr);
    assert_eq!(up.end(), 0);
}

#[test]
fn from_an_altered_epoch_on_nothing_is_signed() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let (up, from) = audited(folder);
    await_epoch(folder, &up.url, from + 4);
    assert_eq!(up.end(), 0);
    assert_eq!(run(folder, "log export net out").code, 0);
    let statement = folder.join(format!("out/epochs/{}/statement.cbor", from + 1));
    let honest = std::fs::read(&statement).unwrap();
    let mut altered = honest.clone();
    let last = altered.len() - 1;
    altered[last] ^= 1;
    std::fs::write(&statement, altered).unwrap();
    let refused = run(folder, "auditor run out --key own.key --once --json");
    assert_eq!(refused.code, 1, "{}{}", refused.stdout, refused.stderr);
    // Lines first, and then what ended it.
    let (told, ended): (Vec<&str>, Vec<&str>) = refused.stdout.lines().partition(|line| line.starts_with("{\""));
    let told: Vec<Value> = told.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    let ended: Value = serde_json::from_str(&ended.join("\n")).unwrap();
    assert_eq!(epochs(&told, "signed"), [from], "{told:?}");
    assert_eq!((&ended["difference"]["epoch"], &ended["event"]), (&Value::from(from + 1), &Value::from("refused")));
    assert_eq!(ended["error"]["code"], ended["difference"]["code"]);
    assert!(!folder.join(format!("auditor/signatures/{}.json", from + 1)).exists());
    std::fs::write(&statement, honest).unwrap();
    let right = done(folder, "auditor run out --key own.key --once --json");
    assert!(epochs(&right, "signed").starts_with(&[from + 1, from + 2]), "{right:?}");
    assert_eq!(epochs(&right, "known"), [from]);
}

#[test]
fn what_an_auditor_is_told_wrong_it_says() {
    let folder = tempfile::tempdir().unwrap();
    let mut terminal = Transcript::of(folder.path());
    write_key(&folder.path().join("own.key"), "secp256k1", 7);
    write_key(&folder.path().join("device.key"), "ed25519", 7);
    terminal.run("auditor");
    terminal.run("auditor run http://127.0.0.1:9 --key none.key");
    terminal.run("auditor run http://127.0.0.1:9 --key device.key");
    terminal.run("auditor run nowhere --key own.key");
    terminal.run("auditor run http://127.0.0.1:9 --key own.key --network 7");
    terminal.run("auditor run http://127.0.0.1:9 --key own.key --poll 0");
    terminal.run("auditor run http://127.0.0.1:9 --key own.key --publish ftp://x");
    terminal.run("auditor sign --key own.key --epoch 3 --revision 0");
    terminal.run("auditor sign --key own.key --epoch 3 --revision 1");
    terminal.run("auditor propose --dir . --from 3 --quorum 1 0x12");
    let one = format!("0x{}", "1".repeat(40));
    terminal.run(&format!("auditor propose --dir . --from 3 --quorum 2 {one}"));
    terminal.run(&format!("auditor propose --dir . --from 3 --quorum 1 {one} {one}"));
    std::fs::write(folder.path().join("auditor/signed"), "nothing of the kind").unwrap();
    terminal.run("auditor sign --key own.key --epoch 3 --revision 1");
    terminal.compare("auditor.txt");
}

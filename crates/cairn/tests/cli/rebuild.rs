//! What is derived from the log: compared beside a network that runs, found broken, and made again; and a log repaired.

use std::path::Path;

use crate::network::{DEVICES, clock, enrol, found, readings};
use crate::transcript::Transcript;

/// Turns bits of a file from a byte on.
fn damage(path: &Path, at: usize, bytes: usize) {
    let mut content = std::fs::read(path).unwrap();
    for byte in &mut content[at..at + bytes] {
        *byte ^= 6;
    }
    std::fs::write(path, content).unwrap();
}

#[test]
fn what_is_derived_is_compared_with_the_log_and_made_again() {
    let folder = tempfile::tempdir().unwrap();
    let mut terminal = Transcript::of(folder.path());
    let up = found(&mut terminal);
    enrol(&mut terminal);
    clock(&mut terminal, 6);
    for device in 1..=DEVICES {
        terminal.json(&format!("send --key d{device}.key"), &readings(device, 0, 6));
    }
    clock(&mut terminal, 13);
    terminal.run("ledger rebuild net --check");
    terminal.json("ledger rebuild net --check", "");
    assert_eq!(terminal.run("ledger rebuild net").code, 3, "another process writes it");
    assert_eq!(up.end(), 0);
    let net = folder.path().join("net");
    terminal.note("cairn up has ended; payouts of epoch 0 are damaged, names of epoch 1 are gone");
    damage(&net.join("views/epochs/0000000000/payouts.cborseq"), 30, 1);
    std::fs::remove_file(net.join("views/epochs/0000000001/names.idx")).unwrap();
    assert_eq!(terminal.run("ledger rebuild net --check").code, 1);
    let (document, _) = terminal.json("ledger rebuild net --check", "");
    assert_eq!(document["first_difference"]["byte"], 30);
    terminal.run("ledger rebuild net");
    terminal.run("ledger rebuild net --check");
    terminal.run("ledger rebuild nowhere --check");

    terminal.note("a hash and the first two commit records are damaged");
    damage(&net.join("log/hashes-0"), 70, 3);
    damage(&net.join("log/commits"), 10, 100);
    assert_eq!(terminal.run("log check net").code, 1);
    terminal.run("log repair net");
    terminal.json("log repair net", "");
    assert_eq!(terminal.run("log check net").code, 0);
    terminal.note("an entry is damaged, which nothing else holds");
    damage(&net.join("log/entries-000000000000000"), 700, 3);
    assert_eq!(terminal.run("log repair net").code, 1);
    terminal.compare("rebuild.txt");
}

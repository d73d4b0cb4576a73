//! The program that the guide shows, as it stands there.

use std::process::Command;

use cairn_core::report::Report;

use crate::support::{Client, Device, Net, ZERO_MS, rows};
use crate::{left_out, printed, root};

/// The guide's block of Python.
fn program() -> String {
    let guide = std::fs::read_to_string(root().join("docs/guides/device.md")).unwrap();
    let (_, rest) = guide.split_once("\n```python\n").unwrap();
    rest.split_once("\n```\n").unwrap().0.to_owned()
}

/// `CAIRN_PYTHON`, else `python3`, where it has what the program needs.
fn python() -> Option<String> {
    let python = std::env::var("CAIRN_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let works = Command::new(&python).args(["-c", "import cryptography, cbor2"]).output();
    if works.is_ok_and(|output| output.status.success()) {
        return Some(python);
    }
    left_out(
        "the guide's program in Python: needs python3 with cryptography and cbor2 (CAIRN_PYTHON names another Python)",
    );
    None
}

#[test]
fn a_gateway_takes_what_the_guides_program_in_python_signs() {
    let program = program();
    assert!(program.lines().count() < 40, "the guide promises fewer than 40 lines");
    let Some(python) = python() else { return };
    let net = Net::found();
    let running = net.start();
    let mut client = Client::to(&running);
    let device = Device::of(1);
    assert_eq!(rows(&client.statement(&net.enrol(&device))), ["accepted 4"]);
    let folder = tempfile::tempdir().unwrap();
    let (script, key, out) = (folder.path().join("report.py"), folder.path().join("key"), folder.path().join("out"));
    std::fs::write(&script, program).unwrap();
    let seed = data_encoding::HEXLOWER.encode(&device.key.secret_bytes());
    std::fs::write(&key, format!("# a key file\ned25519 {seed}\n")).unwrap();
    let mut run = Command::new(&python);
    run.arg(&script).arg(&key).args([&net.network.to_string(), "3", "70000", &(ZERO_MS + 5).to_string()]);
    assert_eq!(printed(run.arg(&out).args(["4=146", "1=-250"])), "");
    let bytes = std::fs::read(&out).unwrap();
    let report = Report::parse(&bytes).unwrap();
    assert_eq!((report.device(), report.body.boot, report.body.seq), (device.id(), 3, 70_000));
    assert_eq!(rows(&client.report(&bytes)), ["accepted 5"]);
}

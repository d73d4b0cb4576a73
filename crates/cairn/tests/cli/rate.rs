//! A device that has more to say than it may say at once.

use std::io::Write;
use std::path::Path;
use std::process::Stdio;

use crate::network::write_key;
use crate::up::{Up, command};

/// Readings sent; more than the device may send at once.
const READINGS: u64 = 40;

fn run(folder: &Path, arguments: &[&str], input: &str) -> serde_json::Value {
    let mut command = command(folder, arguments);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let done = child.wait_with_output().unwrap();
    assert!(done.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
    serde_json::from_slice(&done.stdout).unwrap()
}

#[test]
fn what_comes_too_fast_is_sent_again_until_it_is_taken() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let treasury = "eip155:31337:0x00000000000000000000000000000000000000aa";
    let init = ["init", "net", "--treasury", treasury, "--epoch", "7d", "--recorded-clock-from", "1767225600000"];
    run(folder, &[&init[..], &["--json"]].concat(), "");
    let path = folder.join("net/network.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    let limits = "\n[gateway.limits]\ndevice_reports_per_s = 10\ndevice_reports_burst = 15\n\n[storage]";
    std::fs::write(&path, text.replace("\n[storage]", limits)).unwrap();
    write_key(&folder.join("d1.key"), "ed25519", 1);
    write_key(&folder.join("o1.key"), "secp256k1", 1);
    let up = Up::start(folder);
    let place = ["--lat", "53.5", "--lon", "9.9", "--url", &up.url, "--json"];
    run(folder, &[&["enrol", "--key", "d1.key", "--owner", "o1.key"][..], &place].concat(), "");
    // The recorded clock stands still, so the readings lie within what it takes from the future.
    let csv: String =
        (0..READINGS).map(|reading| format!("{},5.{}\n", 1_767_225_600_000 + reading * 1_000, reading % 10)).collect();
    let csv = format!("timestamp,temperature\n{csv}");
    let sent = run(folder, &["send", "--key", "d1.key", "--url", &up.url, "--json"], &csv);
    assert_eq!((sent["accepted"].as_u64(), sent["rejected"].as_u64()), (Some(READINGS), Some(0)), "{sent}");
    assert_eq!(up.end(), 0);
}

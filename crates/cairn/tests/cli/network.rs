//! A network from `init` to a failed audit, over a recorded clock, so that every entry and number is the same each time.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use cairn_client::Client;
use cairn_core::key::SecretKey;
use cairn_core::observation::{ObservationBody, sign_observation};
use cairn_core::{Hash, NetworkId};

use crate::liar::{Lie, liar};
use crate::transcript::{Transcript, cairn};
use crate::up::Up;

/// 2026-01-01 00:00 UTC, when epoch 0 begins.
const ZERO_MS: u64 = 1_767_225_600_000;
const HOUR_MS: u64 = 3_600_000;
pub const DEVICES: u8 = 5;
/// The first device, which sends something late.
const LATE: &str = "dev1gjpj3kvlbwc2763in7o6rzf4ki";
const TREASURY: &str = "eip155:31337:0x00000000000000000000000000000000000000aa";

pub fn write_key(path: &Path, algorithm: &str, byte: u8) {
    let mut options = OpenOptions::new();
    let mut file = options.write(true).create_new(true).mode(0o600).open(path).unwrap();
    writeln!(file, "{algorithm} {}", format!("{byte:02x}").repeat(32)).unwrap();
}

/// Lets the recorded clock come to `hours` after the start.
pub fn clock(terminal: &mut Transcript, hours: u64) {
    let text = std::fs::read_to_string(terminal.folder.join("net/keys/clock.key")).unwrap();
    let seed = text.lines().find_map(|line| line.strip_prefix("ed25519 ")).unwrap();
    let key = SecretKey::ed25519(Hash::from_hex(seed).unwrap().0);
    let client = Client::at(&terminal.url).unwrap();
    let network = NetworkId(Hash::from_hex(&client.network().unwrap().network_id).unwrap());
    let body = ObservationBody::clock(ZERO_MS + hours * HOUR_MS);
    let submitted = client.submit_observation(&sign_observation(&key, &network, &body)).unwrap();
    assert_eq!(submitted.response.results[0].code, None, "{:?}", submitted.response);
    published(&client);
    terminal.note(&format!("the recorded clock comes to hour {hours}"));
}

/// Waits until the checkpoint covers everything.
fn published(client: &Client) {
    for _ in 0..600 {
        let health = client.health().unwrap();
        if health.checkpoint_size == health.size {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    panic!("no checkpoint covers the log");
}

pub fn settled(terminal: &Transcript) {
    published(&Client::at(&terminal.url).unwrap());
}

/// Temperatures of one device, every hour from `from` to `to`: all alike, the last device far off in the last three.
pub fn readings(device: u8, from: u64, to: u64) -> String {
    let mut csv = String::from("timestamp,temperature\n");
    for hour in from..to {
        let off = if device == DEVICES && hour >= 3 { 30 } else { 0 };
        let tenths = (hour * 7 + u64::from(device) * 3) % 10;
        csv.push_str(&format!("{},{}.{tenths}\n", ZERO_MS + hour * HOUR_MS + 600_000, 5 + off));
    }
    csv
}

pub fn found(terminal: &mut Transcript) -> Up {
    let init = "init net --name walk --epoch 6h --grace 1h --recorded-clock-from 1767225600000 --treasury";
    terminal.run(&format!("{init} {TREASURY}"));
    terminal.run(&format!("{init} {TREASURY}"));
    // The stations of this network report every hour; the profile expects them every ten minutes.
    let profile = terminal.folder.join("net/profiles/sensing-station.toml");
    let hourly = std::fs::read_to_string(&profile).unwrap().replace("every_ms = 600_000", "every_ms = 3_600_000");
    std::fs::write(&profile, hourly).unwrap();
    let up = Up::start(&terminal.folder);
    terminal.url.clone_from(&up.url);
    terminal.masks.add(&up.url, "URL");
    terminal.note("cairn up net");
    terminal.run("status");
    up
}

pub fn enrol(terminal: &mut Transcript) -> Vec<String> {
    let mut ids = Vec::new();
    for device in 1..=DEVICES {
        write_key(&terminal.folder.join(format!("d{device}.key")), "ed25519", device);
        write_key(&terminal.folder.join(format!("o{device}.key")), "secp256k1", device);
        let enrol =
            format!("enrol --key d{device}.key --owner o{device}.key --lat 53.5{device} --lon 9.99 --altitude-m 8.5");
        if device == 1 {
            terminal.run(&enrol);
            terminal.run(&enrol);
            continue;
        }
        let exact = if device == 2 { " --exact --model demo" } else { "" };
        let (document, _) = terminal.json(&format!("{enrol}{exact}"), "");
        ids.push(document["device"].as_str().unwrap().to_owned());
    }
    ids
}

fn send(terminal: &mut Transcript) {
    terminal.feed("send --key d1.key", &readings(1, 0, 5));
    terminal.json("send --key d2.key --batch 4", &readings(2, 0, 6));
    for device in 3..=DEVICES {
        terminal.json(&format!("send --key d{device}.key"), &readings(device, 0, 6));
    }
    let bad = "{\"timestamp\":\"2026-01-01T04:30:00\",\"temperature\":5.5}\n{\"temperature\":\"warm\"}\n\
               {\"timestamp\":\"2019-01-01\",\"temperature\":5.5}\n";
    terminal.feed("send --key d1.key", bad);
    terminal.json("send --key d1.key", bad);
    terminal.run("send --key d1.key");
    terminal.feed("send --key o1.key", "");
    terminal.run("keygen stranger.key --algorithm p256");
    let stranger = std::fs::read_to_string(terminal.folder.join("stranger.key")).unwrap();
    assert!(stranger.contains("\np256 "));
    write_key(&terminal.folder.join("other.key"), "ed25519", 99);
    terminal.feed("send --key other.key", "temperature\n1\n");
    settled(terminal);
    terminal.run("proof promises d1.key.promises");
}

fn look(terminal: &mut Transcript, off: &str) {
    terminal.run("status");
    terminal.json("status", "");
    terminal.run(&format!("device {off}"));
    terminal.json(&format!("device {off}"), "");
    terminal.run("device dev1nonsense");
    terminal.run("device dev1aaaaaaaaaaaaaaaaaaaaaaaaaa");
    terminal.run(&format!("account {TREASURY}"));
    terminal.json(&format!("account {TREASURY}"), "");
    terminal.run(&format!("credit show {TREASURY}"));
    terminal.json(&format!("credit show 0x{}", "ab".repeat(20)), "");
    terminal.run("epoch list");
    terminal.json("epoch list --limit 1", "");
    terminal.run("epoch show 0");
    terminal.json("epoch show 0", "");
    terminal.run("epoch show 9");
    terminal.run(&format!("explain {off} 0"));
    terminal.run(&format!("explain {off} 0 --all"));
    terminal.json(&format!("explain {off} 0"), "");
    terminal.run(&format!("explain {off} 1"));
    terminal.run(&format!("explain {off} 9"));
    terminal.run(&format!("explain {LATE} 1"));
    terminal.run("export 0 --csv");
    terminal.run("export 0 --csv --verdicts");
    terminal.json("export 0", "");
}

fn prove(terminal: &mut Transcript) {
    terminal.run("proof 4");
    let (document, _) = terminal.json("proof 4 --out 4.tlog-proof --entry 4.entry", "");
    let (status, _) = terminal.json("status", "");
    let vkey = status["network"]["log_vkey"].as_str().unwrap();
    assert_eq!(document["proof"], std::fs::read_to_string(terminal.folder.join("4.tlog-proof")).unwrap());
    terminal.run(&format!("proof verify 4.tlog-proof --vkey {vkey} --entry 4.entry"));
    terminal
        .json(&format!("proof verify 4.tlog-proof --vkey {vkey} --leaf {}", document["leaf"].as_str().unwrap()), "");
    terminal.run(&format!("proof verify 4.tlog-proof --vkey {vkey} --entry d1.key"));
    terminal.run("proof 100000");
}

/// What a gateway says is held to the roots and signatures that it cannot make.
fn lie(terminal: &mut Transcript, off: &str) {
    let explain = format!("explain {off} 0");
    let lies = [
        (explain.as_str(), "/devices/", "\"score_ppm\":0", "\"score_ppm\":9"),
        (explain.as_str(), "/devices/", "\"amount\":\"5000", "\"amount\":\"6000"),
        (explain.as_str(), "/devices/", "\"late\":false", "\"late\":true"),
        (explain.as_str(), "/policies/", "\"5000\"", "\"6000\""),
        ("export 0 --csv", "/payouts", "presence", "absences"),
        ("export 0 --csv --verdicts", "/verdicts", "eip155:31337:0xd0", "eip155:31337:0xd1"),
        ("policy diff net/policy.toml net/policy.toml --epochs 2", "/verdicts", "sensing/1", "sensing/2"),
        ("proof 1", "/tile/entries/", "sensing/1", "sensing/2"),
        ("proof 4", "/log/checkpoint", "localhost/cairn\n4", "localhost/cairn\n3"),
        ("audit", "/epochs/1/payouts", "presence", "absences"),
        ("send --key d2.key", "/v1/reports", "cairn/promise/1", "cairn/promise/2"),
    ];
    for (call, path, from, to) in lies {
        let honest = std::mem::take(&mut terminal.url);
        terminal.url = liar(&honest, Lie { path, from, to });
        let address = terminal.url.clone();
        terminal.masks.add(&address, "LIAR");
        terminal.note(&format!("the gateway says {to:?} instead of {from:?}"));
        let ran = terminal.feed(call, "timestamp,temperature\n2026-01-01T12:30:00,12.5\n");
        // A document with another hash is no answer at all.
        assert_eq!(ran.code, if path == "/policies/" { 3 } else { 1 }, "{call}: {from}");
        terminal.url = honest;
    }
}

fn govern(terminal: &mut Transcript) {
    let policy = std::fs::read_to_string(terminal.folder.join("net/policy.toml")).unwrap();
    let next = policy.replace("cap_per_device_tokens = \"5000\"", "cap_per_device_tokens = \"9000\"");
    assert_ne!(policy, next);
    std::fs::write(terminal.folder.join("next.toml"), next).unwrap();
    terminal.run("policy diff net/policy.toml next.toml --epochs 2");
    terminal.json("policy diff net/policy.toml next.toml --epochs 1", "");
    let url = terminal.url.clone();
    terminal.run(&format!("policy propose next.toml --from 3 --dir net --url {url}"));
    terminal.run(&format!("policy propose next.toml --from 0 --dir net --url {url}"));
    let profile = "net/profiles/sensing-station.toml";
    terminal.json(&format!("profile propose {profile} --from 4 --dir net --url {url}"), "");
    settled(terminal);
    terminal.run(&format!("doctor net --url {url}"));
    terminal.json(&format!("doctor net --url {url}"), "");
}

fn audit(terminal: &mut Transcript) {
    terminal.run("audit --remember remembered");
    terminal.run("audit --checkpoint remembered --from 0");
    terminal.json("audit --snapshots", "");
    terminal.run(&format!("audit --network {}", "0".repeat(64)));
    terminal.run("log check net");
    terminal.json("log check net", "");
    terminal.run("audit net");
    terminal.run("log export net out");
    terminal.json("log export net out --snapshots", "");
    terminal.run("audit out");
    let (tables, aside) = (terminal.folder.join("out/epochs"), terminal.folder.join("aside"));
    std::fs::rename(&tables, &aside).unwrap();
    terminal.note("the folder without its epochs' tables");
    let ran = terminal.run("audit out");
    assert!(ran.stdout.contains("PASS for the log; verdict and payout tables were not served"), "{}", ran.stdout);
    std::fs::rename(aside, tables).unwrap();
}

/// Flips a bit of an entry in the exported folder; the audit names the entry and its device.
fn tamper(terminal: &mut Transcript) {
    let (proved, _) = terminal.json("proof 12 --entry 12.entry", "");
    assert_eq!(proved["kind"], "report");
    let entry = std::fs::read(terminal.folder.join("12.entry")).unwrap();
    let bundles = terminal.folder.join("out/tile/entries/000.p");
    let size = std::fs::read_dir(&bundles).unwrap().count();
    assert_eq!(size, 1, "one partial bundle holds the log");
    let bundle = std::fs::read_dir(&bundles).unwrap().next().unwrap().unwrap().path();
    let mut bytes = std::fs::read(&bundle).unwrap();
    let at = bytes.windows(entry.len()).position(|window| window == entry).unwrap();
    bytes[at + entry.len() - 1] ^= 1;
    std::fs::write(&bundle, bytes).unwrap();
    terminal.note("a bit of entry 12 in the exported folder is flipped");
    let ran = terminal.run("audit out");
    assert_eq!(ran.code, 1);
    assert!(ran.stderr.contains("entry 12"), "{}", ran.stderr);
    let (document, _) = terminal.json("audit out", "");
    assert_eq!(document["difference"]["entry"], 12);
    assert_eq!(document["error"]["code"], document["difference"]["code"]);
}

#[test]
fn a_network_from_its_first_day_to_an_audit_that_fails() {
    let folder = tempfile::tempdir().unwrap();
    let mut terminal = Transcript::of(folder.path());
    let up = found(&mut terminal);
    let ids = enrol(&mut terminal);
    clock(&mut terminal, 6);
    send(&mut terminal);
    clock(&mut terminal, 7);
    // Measured in epoch 0, sent in epoch 1: late.
    terminal.feed("send --key d1.key", &readings(1, 5, 7));
    clock(&mut terminal, 13);
    look(&mut terminal, ids.last().unwrap());
    prove(&mut terminal);
    lie(&mut terminal, ids.last().unwrap());
    govern(&mut terminal);
    audit(&mut terminal);
    tamper(&mut terminal);
    assert_eq!(up.end(), 0, "it ends in order when told to");
    terminal.run("log check net");
    terminal.run("doctor net");
    let again = Up::start(&terminal.folder);
    terminal.masks.add(&again.url, "URL");
    terminal.url.clone_from(&again.url);
    terminal.note("cairn up net, again");
    terminal.run("epoch list");
    drop(again);
    terminal.note("cairn up was killed");
    terminal.run("log check net");
    terminal.compare("network.txt");
}

#[test]
fn on_the_wall_clock_epochs_close_by_themselves() {
    let folder = tempfile::tempdir().unwrap();
    let call = |url: &str, call: &str, stdin: &str| {
        let ran = cairn(folder.path(), url, &call.split(' ').collect::<Vec<_>>(), stdin);
        assert_eq!(ran.code, 0, "cairn {call}: {}{}", ran.stdout, ran.stderr);
        ran.stdout
    };
    call("", "init net --epoch 1s --grace 100ms", "");
    let up = Up::start(folder.path());
    write_key(&folder.path().join("d.key"), "ed25519", 1);
    write_key(&folder.path().join("o.key"), "secp256k1", 1);
    call(&up.url, "enrol --key d.key --owner o.key --cell 881f1532e3fffff --mobile", "");
    call(&up.url, "send --key d.key", "{\"temperature\": 12.5}\n");
    let judged = (0..600).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(50));
        call(&up.url, &format!("device {LATE}"), "").contains("1 verdict")
    });
    assert!(judged, "no epoch judged the report");
    call(&up.url, "audit", "");
    call(&up.url, "proof promises d.key.promises", "");
    let said = call(&up.url, "doctor net", "");
    assert!(said.contains("ok    profile"), "slots are fitted to an epoch of one second: {said}");
    let profile = folder.path().join("net/profiles/sensing-station.toml");
    let fitted = std::fs::read_to_string(&profile).unwrap();
    std::fs::write(&profile, fitted.replace("slot_ms = 1000", "slot_ms = 3_600_000")).unwrap();
    let ran = cairn(folder.path(), &up.url, &["doctor", "net"], "");
    let said = format!("{}{}", ran.stdout, ran.stderr);
    assert!(
        ran.code == 1 && said.contains("epochs are not whole slots of"),
        "an epoch of one second holds no slot of an hour: {said}"
    );
}

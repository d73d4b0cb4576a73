//! A device's life: it measures, its gateway goes away, its process is killed, and in the end every line of its file stands in
//! the log once, in order, with receipts, and is judged and audited.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use cairn_client::Client;
use cairn_core::DeviceId;
use cairn_core::entry::{Entry, EntryKind};
use cairn_core::report::Report;
use cairn_edge::reduce::recompute;
use cairn_merkle::tile::{TILE_WIDTH, decode_bundle};
use cairn_merkle::{TileLevel, TilePath};
use serde_json::Value;

use crate::up::{Up, command};
use crate::{done, network, refused, run};

/// A node that runs; dropping it kills it, as a power cut does.
pub struct Running(Child);

impl Running {
    pub fn start(folder: &Path) -> Self {
        Self::start_with(folder, &["node", "run", "--dir", "node", "--json"])
    }

    pub fn start_with(folder: &Path, arguments: &[&str]) -> Self {
        let mut command = command(folder, arguments);
        let log = std::fs::OpenOptions::new().append(true).create(true).open(folder.join("node.log")).unwrap();
        Self(command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap())
    }

    pub fn id(&self) -> u32 {
        self.0.id()
    }

    /// Asks it to end, as systemd would; its exit code.
    pub fn end(mut self) -> i32 {
        assert!(Command::new("kill").args(["-TERM", &self.0.id().to_string()]).status().unwrap().success());
        self.0.wait().unwrap().code().unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Ended already is as good.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Waits until something is so; whoever waits in vain is told what the node said.
pub fn until(folder: &Path, what: &str, mut is_so: impl FnMut() -> bool) {
    for _ in 0..1_800 {
        if is_so() {
            return;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    let log = std::fs::read_to_string(folder.join("node.log")).unwrap_or_default();
    panic!("in vain: {what}\n{log}");
}

/// A network, and a node that reads whole lines of `air.txt`, and reduces those of a second to one report.
pub fn node(folder: &Path) -> (Up, String) {
    let up = network(folder);
    let sources = "[[source]]\nkind = \"file\"\npath = \"@\"\nfrom_start = true\nmap = { format = \"number\", field = [{ quantity = \"co2\" }] }\n";
    std::fs::write(folder.join("sources.toml"), sources.replace('@', &folder.join("air.txt").display().to_string()))
        .unwrap();
    let setup = "--dir node --yes --no-service --no-ntp --sources sources.toml --lat 53.5242 --lon 9.6850";
    let made = done(folder, &format!("node setup {} {setup}", up.url));
    let config = folder.join("node/node.toml");
    let text = std::fs::read_to_string(&config).unwrap().replace("window_s = 60", "window_s = 1");
    std::fs::write(config, text + "[receipts]\nafter_s = 1\n[alerts]\nscore_below_ppm = 0\n").unwrap();
    (up, made["device"].as_str().unwrap().to_owned())
}

/// Appends lines to the file that is read, each with a value that no other has.
fn write_lines(folder: &Path, lines: core::ops::Range<i64>) {
    let mut file = std::fs::OpenOptions::new().append(true).create(true).open(folder.join("air.txt")).unwrap();
    for line in lines {
        writeln!(file, "{line}").unwrap();
        std::thread::sleep(Duration::from_millis(60));
    }
}

/// Reduces a second at a time: a window of a minute may have begun before the network did, and then its report is refused.
pub fn short_windows(folder: &Path) {
    let config = folder.join("node/node.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(config, text.replace("window_s = 60", "window_s = 1")).unwrap();
}

/// A network, and a node that reads standard input, as it was just set up.
fn joined_node(folder: &Path) -> (Up, String) {
    let up = network(folder);
    let setup = "--dir node --yes --no-service --no-ntp --source stdin --quantity co2 --lat 53.5242 --lon 9.6850";
    let made = done(folder, &format!("node setup {} {setup}", up.url));
    (up, made["device"].as_str().unwrap().to_owned())
}

/// The same, when what it measures counts.
pub fn node_of_lines(folder: &Path) -> (Up, String) {
    let node = joined_node(folder);
    short_windows(folder);
    std::thread::sleep(Duration::from_secs(5));
    node
}

/// Runs that node over some lines until everything is sent; what it said.
pub fn measure(folder: &Path, up: &Up, lines: &str) -> String {
    let ran = crate::ran::cairn(folder, &up.url, &["node", "run", "--dir", "node"], lines);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stdout.contains("stopped  all that was taken is kept; 0 reports wait"), "{}", ran.stdout);
    format!("{}{}", ran.stdout, ran.stderr)
}

/// Every report in the log, in its order; none while nobody answers.
pub fn reports(url: &str) -> Vec<Vec<u8>> {
    let client = Client::at(url).unwrap();
    let Ok(health) = client.health() else { return Vec::new() };
    let (size, width) = (health.checkpoint_size, u64::from(TILE_WIDTH));
    let mut reports = Vec::new();
    for tile in 0..size.div_ceil(width) {
        let path = TilePath::in_log(TileLevel::Entries, tile, size).unwrap();
        let bundle = client.tile_bytes(path).unwrap();
        let entries =
            decode_bundle(&bundle, path.width).unwrap().into_iter().map(|bytes| Entry::decode(bytes).unwrap());
        reports.extend(entries.filter(|entry| entry.kind == EntryKind::Report).map(|entry| entry.body.to_vec()));
    }
    reports
}

/// Every value that went into the device's reports, in order of the log, by the raw inputs that the node kept.
pub fn logged(folder: &Path, url: &str, device: &str) -> Vec<i64> {
    let reports = reports(url);
    if reports.is_empty() {
        return Vec::new();
    }
    let kept = cairn_edge::reduce::raw_files(&folder.join("node/raw")).unwrap();
    let raw: BTreeMap<String, PathBuf> = kept.into_iter().map(|(_, hash, path)| (hash.to_hex(), path)).collect();
    let mut values = Vec::new();
    for report in &reports {
        let report = Report::parse(report).unwrap();
        assert_eq!(report.device().to_string(), device);
        let bytes = std::fs::read(&raw[&report.body.blobs[0].0.to_hex()]).unwrap();
        let recomputed = recompute(&bytes).unwrap();
        assert_eq!(recomputed.body.encode(), report.body.body);
        values.extend(recomputed.raw.samples.iter().flat_map(|sample| sample.values.values().copied()));
    }
    values
}

/// The gateway again, at the address that it had; without its operator's listener, whose port somebody's connection may have by now.
pub fn again(folder: &Path, url: &str) -> Up {
    let config = folder.join("net/network.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    if !text.contains("\nadmin = \"off\"\n") {
        std::fs::write(&config, text.replacen("\n[gateway]\n", "\n[gateway]\nadmin = \"off\"\n", 1)).unwrap();
    }
    let address = url.strip_prefix("http://").unwrap();
    Up::start_with(folder, &["up", "net", "--listen", address, "--json"])
}

#[test]
fn every_line_is_logged_once_and_in_order_whatever_is_killed_and_the_device_is_judged() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let (up, device) = node(folder);
    let url = up.url.clone();
    let running = Running::start(folder);
    write_lines(folder, 400..430);
    until(folder, "the first reports", || !logged(folder, &url, &device).is_empty());
    assert_eq!(refused(folder, "node key rotate --dir node"), (1, "EDGE-LOCKED".to_owned()));

    // The gateway is gone, then the power too, and again; lines go on.
    drop(up);
    write_lines(folder, 430..530);
    drop(running);
    write_lines(folder, 530..540);
    let running = Running::start(folder);
    write_lines(folder, 540..620);
    drop(running);
    let running = Running::start(folder);
    let up = again(folder, &url);
    write_lines(folder, 620..640);
    until(folder, "every line in the log", || logged(folder, &url, &device).last() == Some(&639));
    let said = || std::fs::read_to_string(folder.join("node.log")).unwrap_or_default();
    assert_eq!(logged(folder, &url, &device), (400..640).collect::<Vec<i64>>(), "{}", said());

    // What the network signed for is here, and holds.
    let receipts = || done(folder, "node receipts verify --dir node");
    until(folder, "receipts of everything", || receipts()["promised"].as_u64() == Some(0));
    let reports = receipts()["receipts"].as_u64().unwrap();
    assert_eq!(done(folder, "node receipts export --dir node --to out")["receipts"].as_u64(), Some(reports));
    until(folder, "a healthy status", || run(folder, "node status --dir node --json").code == 0);
    let status = done(folder, "node status --dir node");
    assert_eq!((status["device"].as_str(), status["running"].as_bool()), (Some(device.as_str()), Some(true)));
    let raw = done(folder, "node raw --dir node");
    // Those that were kept while the time was not known stand first.
    let shown = raw["kept"].as_array().unwrap().iter().map(|kept| {
        done(folder, &format!("node raw {} --dir node", kept["hash"].as_str().unwrap()))["samples"][0]["values"][0]
            .clone()
    });
    assert!(shown.into_iter().any(|value| value["value"].as_str() == Some("400")));
    assert_eq!(running.end(), 0);

    // Another key, and the device goes on.
    done(folder, "node key rotate --dir node");
    let running = Running::start(folder);
    write_lines(folder, 640..650);
    until(folder, "lines under the next key", || logged(folder, &url, &device).last() == Some(&649));
    assert_eq!(logged(folder, &url, &device), (400..650).collect::<Vec<i64>>());
    assert_eq!(running.end(), 0);
    let stopped = run(folder, "node status --dir node --json");
    let stopped: Value = serde_json::from_str(&stopped.stdout).unwrap();
    assert_eq!(stopped["wrong"][0]["code"].as_str(), Some("NODE-STOPPED"));
    assert_eq!(stopped["node"]["queue"]["waiting"].as_u64(), Some(0));

    until(folder, "a verdict", || {
        let known = done(folder, &format!("device {device} --url {url}"));
        known["epochs"].as_array().is_some_and(|epochs| epochs.iter().any(|epoch| epoch["verdicts"].as_u64() > Some(0)))
    });
    done(folder, &format!("audit {url}"));
    assert_eq!(up.end(), 0);
}

#[test]
fn the_window_in_which_a_device_joined_is_left_out_and_refused_by_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let (up, device) = joined_node(folder);
    let joined_ms: u64 = std::fs::read_to_string(folder.join("node/joined")).unwrap().trim().parse().unwrap();
    measure(folder, &up, "400\n402\n");
    let status = run(folder, "node status --dir node --offline --json").stdout;
    let status: Value = serde_json::from_str(&status).unwrap();
    let queue = &status["node"]["queue"];
    assert_eq!(queue["refused"].as_u64(), Some(0), "{status}");
    // A minute that begins meanwhile counts.
    let promised = queue["promised"].as_u64().unwrap();
    let times =
        || reports(&up.url).iter().map(|report| Report::parse(report).unwrap().body.time_ms).collect::<Vec<_>>();
    until(folder, "a checkpoint", || times().len() as u64 == promised);
    assert!(times().iter().all(|time_ms| *time_ms >= joined_ms), "{device}: {:?}", times());
}

#[test]
fn lines_of_a_program_are_sent_to_the_last_before_the_node_ends() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let (up, device) = node_of_lines(folder);
    measure(folder, &up, "400\n402\nnonsense\n407\n");
    let values = || logged(folder, &up.url, &device);
    until(folder, "a checkpoint", || values().len() == 3);
    assert_eq!(values(), [400, 402, 407]);
}

#[test]
fn the_machines_own_sensors_are_measured_where_there_are_any() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    if cairn_edge::source::discover("/".as_ref()).iter().all(|found| found.value.is_none()) {
        eprintln!("skipped: this machine has no sensors");
        return;
    }
    let up = network(folder);
    let setup = "--dir node --yes --no-service --no-ntp --lat 53.5242 --lon 9.6850";
    let made = done(folder, &format!("node setup {} {setup}", up.url));
    assert_eq!(made["sources"][0].as_str(), Some("machine"));
    short_windows(folder);
    let running = Running::start(folder);
    let client = Client::at(&up.url).unwrap();
    until(folder, "a report", || {
        client.device(&DeviceId::parse(made["device"].as_str().unwrap()).unwrap()).unwrap().last_name.is_some()
    });
    assert_eq!(running.end(), 0);
}

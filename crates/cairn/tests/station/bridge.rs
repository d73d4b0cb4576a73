//! A bridge over real processes: what three other networks post is reported, judged and paid for devices that cannot sign.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::Duration;

use cairn_core::Hash;
use cairn_core::report::Report;
use serde_json::{Value, json};

use crate::life::{again, reports, until};
use crate::up::{Up, command};
use crate::{cairn_in, done, refused, run};

const TABLE: &str = "external,lat,lon,altitude_m,model\n\
    chirpstack:24e124136b502217,51.05,13.74,112,AM319\n\
    sensor-community:esp8266-1234567,51.06,13.75,,SDS011\n\
    senml:urn:dev:mac:0024befffe804ff1,51.07,13.76,,\n";
const SECRET: &str = "a long word that only ChirpStack knows";
const AREA: &str = "--lat 51.05 --lon 13.74";

/// A network whose policy lets bridges report.
fn network(folder: &Path) -> Up {
    let init = "init net --name bridged --epoch 10s --grace 5s --treasury eip155:31337:0x00000000000000000000000000000000000000aa";
    assert_eq!(run(folder, init).code, 0);
    let file = folder.join("net/policy.toml");
    let policy = std::fs::read_to_string(&file).unwrap();
    let table = "[classes.\"sensing/1\"]\n";
    assert!(policy.contains(table));
    std::fs::write(&file, policy.replacen(table, &format!("{table}bridges = true\n"), 1)).unwrap();
    Up::start(folder)
}

/// `cairn bridge run`, and its address; dropping it kills it, as a loss of power would.
struct Bridge {
    child: Child,
    url: String,
    log: PathBuf,
}

impl Bridge {
    /// Starts it, and waits until it listens; what it says is appended to `node.log`.
    fn start(folder: &Path) -> Self {
        let log = folder.join("node.log");
        let file = std::fs::OpenOptions::new().append(true).create(true).open(&log).unwrap();
        let before = usize::try_from(file.metadata().unwrap().len()).unwrap();
        let mut command = command(folder, &["bridge", "run", "--json"]);
        let child = command.stdout(file.try_clone().unwrap()).stderr(file).spawn().unwrap();
        let mut bridge = Self { child, url: String::new(), log };
        until(folder, "the bridge listens", || {
            let said = bridge.said().split_off(before);
            let whole = said.lines().take(said.matches('\n').count());
            let address = whole
                .filter_map(|line| serde_json::from_str::<Value>(line).ok()?["address"].as_str().map(str::to_owned));
            bridge.url = address.last().map(|address| format!("http://{address}")).unwrap_or_default();
            !bridge.url.is_empty()
        });
        bridge
    }

    /// Everything that bridges in its folder said.
    fn said(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }

    fn status(&self) -> Value {
        asked(&self.url, "/status")
    }

    /// Posts; the status and the document of the answer.
    fn post(&self, path: &str, kind: &str, headers: &[(&str, &str)], body: &[u8]) -> (u16, Value) {
        let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
        let mut request = agent.post(format!("{}{path}", self.url)).header("content-type", kind);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut answer = request.send(body).unwrap();
        let text = answer.body_mut().read_to_string().unwrap();
        (answer.status().as_u16(), serde_json::from_str(&text).unwrap_or_else(|_| panic!("{text}")))
    }
}

impl Bridge {
    fn chirpstack(&self, secret: &str, body: &[u8]) -> (u16, Value) {
        self.post("/chirpstack?event=up", "application/json", &[("X-Bridge-Secret", secret)], body)
    }
}

impl Drop for Bridge {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// A network that lets bridges in, a bridge that is enrolled and configured, and a table of devices that are not enrolled yet; and the
/// wallet of their owner.
fn bridged(folder: &Path) -> (Up, String) {
    let up = network(folder);
    let url = up.url.as_str();
    let wallet = done(folder, "keygen wallet.key --algorithm secp256k1")["public"].as_str().unwrap().to_owned();
    done(folder, "keygen bridge.key");
    std::fs::write(folder.join("chirpstack.secret"), format!("{SECRET}\n")).unwrap();
    assert!(Command::new("chmod").arg("600").arg(folder.join("chirpstack.secret")).status().unwrap().success());
    let config = format!(
        "gateways = [\"{url}\"]\nkey = \"bridge.key\"\nlisten = \"127.0.0.1:0\"\n[senml]\n[chirpstack]\n\
         secret = {{ header = \"X-Bridge-Secret\", file = \"chirpstack.secret\" }}\n[sensor_community]\n"
    );
    std::fs::write(folder.join("bridge.toml"), config).unwrap();
    std::fs::write(folder.join("devices.csv"), TABLE).unwrap();
    let enrol = format!("enrol --key bridge.key --owner wallet.key {AREA} --url {url}");
    assert_eq!(run(folder, &format!("{enrol} --role bridge --json")).code, 0);
    (up, wallet)
}

fn now() -> String {
    let said = Command::new("date").args(["-u", "+%Y-%m-%dT%H:%M:%SZ"]).output().unwrap();
    String::from_utf8(said.stdout).unwrap().trim().to_owned()
}

fn uplink(id: u8) -> Vec<u8> {
    let time = now();
    let body = json!({
        "deduplicationId": format!("57433366-50a6-4dc2-8145-2df1bbc70d{id:02x}"), "time": time,
        "deviceInfo": {"deviceProfileName": "AM319", "deviceName": "roof", "devEui": "24e124136b502217"},
        "devAddr": "01020304", "fCnt": id % 2, "fPort": 85, "data": "A2cgAQRoYA==", "object": {"temperature": 18.8, "humidity": 48.0},
        "rxInfo": [{"gatewayId": "0016c001f153a14c", "gwTime": time}],
    });
    body.to_string().into_bytes()
}

/// What the network's API says.
fn asked(url: &str, path: &str) -> Value {
    let mut answer = ureq::get(format!("{url}{path}")).call().unwrap();
    serde_json::from_str(&answer.body_mut().read_to_string().unwrap()).unwrap()
}

/// The rows of a table of all closed epochs.
fn rows(url: &str, table: &str) -> Vec<Value> {
    let epochs = asked(url, "/v1/epochs");
    let numbers: Vec<u64> =
        epochs["epochs"].as_array().unwrap().iter().map(|epoch| epoch["number"].as_u64().unwrap()).collect();
    let of = |number: &u64| asked(url, &format!("/v1/epochs/{number}/{table}"))[table].as_array().unwrap().clone();
    numbers.iter().flat_map(of).collect()
}

#[test]
fn what_three_networks_post_is_reported_once_and_paid_to_the_owner_of_devices_that_cannot_sign() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let (up, wallet) = bridged(folder);
    let url = up.url.as_str();
    let table = "bridge enrol devices.csv --owner wallet.key";
    let counts = |document: &Value| (document["enrolled"].as_u64().unwrap(), document["known"].as_u64().unwrap());
    assert_eq!(counts(&done(folder, table)), (3, 0));
    assert_eq!(counts(&done(folder, table)), (0, 3));

    // A gateway tells whole seconds, and what was measured before the network knew a device is refused.
    std::thread::sleep(Duration::from_secs(2));
    let first = uplink(1);
    let mut bridge = Bridge::start(folder);
    assert_eq!(bridge.chirpstack("another", &first).1["code"], "BRG-SECRET");
    let (status, answer) = bridge.chirpstack(SECRET, &first);
    assert_eq!(status, 200, "{answer}");
    // The same again, also behind a loss of power.
    for _ in 0..2 {
        let (status, again) = bridge.chirpstack(SECRET, &first);
        assert_eq!(status, 200, "{again}");
        assert!(again.to_string().contains("known") && !answer.to_string().contains("known"), "{answer} {again}");
        drop(bridge);
        bridge = Bridge::start(folder);
    }
    let pack = br#"[{"bn":"urn:dev:mac:0024befffe804ff1:","n":"temperature","u":"Cel","v":18.5},{"n":"humidity","u":"%RH","v":51}]"#;
    let (status, answer) = bridge.post("/senml", "application/senml+json", &[], pack);
    assert_eq!(status, 200, "{answer}");
    let push =
        br#"{"esp8266id":"1234567","software_version":"NRZ-2024-135","sensordatavalues":[{"value_type":"P1","value":"24.37"},{"value_type":"P2","value":"9.83"}]}"#;
    let station = [("X-Sensor", "esp8266-1234567"), ("X-Pin", "1")];
    let (status, answer) = bridge.post("/v1/push-sensor-data/", "application/json", &station, push);
    assert_eq!(status, 200, "{answer}");
    let stranger = br#"[{"n":"urn:dev:mac:ffffffffffffffff:temperature","u":"Cel","v":18.5}]"#;
    let (status, answer) = bridge.post("/senml", "application/senml+json", &[], stranger);
    assert_eq!((status, &answer["code"]), (404, &json!("BRG-UNKNOWN-DEVICE")), "{answer}");

    // Judged as what the devices said, and paid to their owner.
    let devices = std::fs::read_to_string(folder.join("devices.toml")).unwrap();
    let subjects: BTreeSet<&str> =
        devices.lines().filter_map(|line| line.strip_prefix("device = \"")?.strip_suffix('"')).collect();
    assert_eq!(subjects.len(), 3);
    let judged = || -> BTreeSet<String> {
        let whole = |row: &Value| row["score_ppm"].as_u64().is_some_and(|score| score > 0);
        let device = |row: &Value| row["device"].as_str().unwrap().to_owned();
        rows(url, "verdicts").iter().filter(|row| whole(row)).map(device).collect()
    };
    let all: BTreeSet<String> = subjects.iter().map(|subject| (*subject).to_owned()).collect();
    for attempt in 0.. {
        if judged() == all {
            break;
        }
        assert!(attempt < 60, "{:?} of {all:?}: {:?}", judged(), rows(url, "verdicts"));
        std::thread::sleep(Duration::from_secs(1));
    }
    let owner = format!("eip155:31337:{wallet}");
    let payouts = rows(url, "payouts");
    let paid: BTreeSet<String> = payouts
        .iter()
        .filter(|row| row["account"] == owner.as_str())
        .filter_map(|row| row["device"].as_str().map(str::to_owned))
        .collect();
    assert_eq!(paid, all, "{payouts:?}");
    let reports = |device: &str| done(folder, &format!("device {device} --url {url}"));
    assert!(subjects.iter().all(|subject| reports(subject)["owner"] == owner.as_str()));
    let audit = cairn_in(folder, &[], &["audit", url, "--json"], "");
    assert_eq!(audit.code, 0, "{}{}", audit.stdout, audit.stderr);
    assert_eq!(refused(folder, "bridge enrol missing.csv --owner wallet.key").1, "BRG-TABLE");
}

/// Waits until nothing waits, and answers the originals of all reports in the log.
fn originals(folder: &Path, bridge: &Bridge, url: &str, promised: u64) -> Vec<Hash> {
    let done = || bridge.status()["waiting"] == 0 && bridge.status()["promised"] == promised;
    until(folder, "everything is promised", done);
    until(folder, "everything is served", || reports(url).len() as u64 >= promised);
    let mut originals: Vec<Hash> =
        reports(url).iter().map(|report| Report::parse(report).unwrap().body.blobs[0].0).collect();
    originals.sort_unstable();
    originals
}

fn hashes(bodies: &[Vec<u8>]) -> Vec<Hash> {
    let mut hashes: Vec<Hash> = bodies.iter().map(|body| Hash::of(body)).collect();
    hashes.sort_unstable();
    hashes
}

fn configure(folder: &Path, edit: impl FnOnce(String) -> String) {
    let file = folder.join("bridge.toml");
    std::fs::write(&file, edit(std::fs::read_to_string(&file).unwrap())).unwrap();
}

#[test]
fn what_is_pushed_while_no_gateway_is_there_is_logged_once_whatever_is_killed() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let (up, _) = bridged(folder);
    done(folder, "bridge enrol devices.csv --owner wallet.key");
    let network = asked(&up.url, "/v1/network")["network_id"].as_str().unwrap().to_owned();
    let url = up.url.clone();
    std::thread::sleep(Duration::from_secs(2));
    drop(up);

    // Which network it is for is all that it has to know.
    let ran = run(folder, "bridge run --json");
    assert!(
        (ran.code, ran.stdout.contains("BRG-FIRST"), ran.stdout.contains("network = ")) == (3, true, true),
        "{}",
        ran.stdout
    );
    configure(folder, |text| format!("network = \"{network}\"\n{text}"));
    let bridge = Bridge::start(folder);
    let push =
        br#"{"sensordatavalues":[{"value_type":"P1","value":"24.37"},{"value_type":"P2","value":"9.83"}]}"#.to_vec();
    // The first and the third have one frame counter: the device lost power in between.
    let mut bodies: Vec<Vec<u8>> = (1..=3).map(uplink).collect();
    for body in &bodies {
        let (status, answer) = bridge.chirpstack(SECRET, body);
        assert_eq!((status, &answer["status"]), (200, &json!("taken")), "{answer}");
    }
    assert_eq!(refused(folder, "bridge run"), (1, "EDGE-LOCKED".to_owned()));
    until(folder, "it is said that nobody answers", || bridge.said().contains("NET-CONNECTION"));
    let status = bridge.status();
    assert_eq!((&status["waiting"], status["troubles"].as_array().unwrap().is_empty()), (&json!(3), false), "{status}");

    // The power goes, twice; the folder knows the network.
    drop(bridge);
    configure(folder, |text| text.replace(&format!("network = \"{network}\"\n"), ""));
    drop(Bridge::start(folder));
    let bridge = Bridge::start(folder);
    assert_eq!(bridge.chirpstack(SECRET, &bodies[0]).1["status"], "known");
    let station = [("X-Sensor", "esp8266-1234567"), ("X-Pin", "1")];
    assert_eq!(bridge.post("/v1/push-sensor-data/", "application/json", &station, &push).0, 200);
    assert_eq!(bridge.status()["waiting"], 4);
    bodies.push(push);
    let _up = again(folder, &url);
    assert_eq!(originals(folder, &bridge, &url, 4), hashes(&bodies));
    until(folder, "it is over", || !bridge.status()["troubles"].to_string().contains("NET-CONNECTION"));
    // What was promised is not sent again after a further loss of power.
    drop(bridge);
    let bridge = Bridge::start(folder);
    assert_eq!(originals(folder, &bridge, &url, 4), hashes(&bodies));
}

#[test]
fn a_gateway_that_turns_out_wrong_is_sent_nothing_and_what_was_taken_stays() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let (up, _) = bridged(folder);
    done(folder, "bridge enrol devices.csv --owner wallet.key");
    let url = up.url.clone();
    std::thread::sleep(Duration::from_secs(2));
    let mut bodies = Vec::new();
    let take = |bridge: &Bridge, bodies: &mut Vec<Vec<u8>>| {
        bodies.push(uplink(u8::try_from(bodies.len()).unwrap()));
        assert_eq!(bridge.chirpstack(SECRET, bodies.last().unwrap()).1["status"], "taken");
    };
    let is_said = |bridge: &Bridge, code: &str| {
        until(folder, code, || bridge.status()["troubles"].to_string().contains(code));
    };

    // Another key of promises than the gateway's.
    let other = "localhost/cairn/promise+d974738f+Aeu/QFXupgWUU3irDz/Od6p9vAOxKbZjqykyser/3+q2";
    configure(folder, |text| format!("promise_vkey = \"{other}\"\n{text}"));
    let bridge = Bridge::start(folder);
    take(&bridge, &mut bodies);
    is_said(&bridge, "BRG-KEYS");
    drop(bridge);
    configure(folder, |text| text.replace(&format!("promise_vkey = \"{other}\"\n"), ""));

    // Another network, at an address that the configuration names.
    let init = "init other --name other --treasury eip155:31337:0x00000000000000000000000000000000000000aa";
    assert_eq!(run(folder, init).code, 0);
    let elsewhere = Up::start_with(folder, &["up", "other", "--listen", "127.0.0.1:0", "--json"]);
    configure(folder, |text| text.replace(&url, &elsewhere.url));
    let bridge = Bridge::start(folder);
    take(&bridge, &mut bodies);
    is_said(&bridge, "EDGE-NETWORK");
    drop(bridge);
    configure(folder, |text| text.replace(&elsewhere.url, &url));

    // Its own gateway, at last.
    let bridge = Bridge::start(folder);
    take(&bridge, &mut bodies);
    assert_eq!(originals(folder, &bridge, &url, 3), hashes(&bodies));

    // What is refused for good holds nothing up, and its owner has it.
    drop(bridge);
    let stray = done(folder, "keygen stray.key")["device"].as_str().unwrap().to_owned();
    let row = format!("[[device]]\nexternal = \"senml:stray\"\ndevice = \"{stray}\"\n");
    let table = std::fs::read_to_string(folder.join("devices.toml")).unwrap();
    std::fs::write(folder.join("devices.toml"), table + &row).unwrap();
    let bridge = Bridge::start(folder);
    let pack = br#"[{"n":"stray:temperature","u":"Cel","v":18.5}]"#;
    assert_eq!(bridge.post("/senml", "application/senml+json", &[], pack).0, 200);
    is_said(&bridge, "BRG-SUBJECT");
    until(folder, "it is refused", || bridge.status()["refused"] == 1);
    let refused_ones = done(folder, "node refused --dir bridge.bridge")["refused"].clone();
    assert_eq!((refused_ones.as_array().unwrap().len(), &refused_ones[0]["code"]), (1, &json!("RPT-SUBJECT")));
    take(&bridge, &mut bodies);
    assert_eq!(originals(folder, &bridge, &url, 4), hashes(&bodies));

    // A bridge that nobody enrolled yet takes what comes, and sends it when it is.
    done(folder, "keygen second.key");
    configure(folder, |text| text.replace("key = \"bridge.key\"", "key = \"second.key\""));
    drop(bridge);
    assert_eq!(refused(folder, "bridge run"), (1, "EDGE-DEVICE".to_owned()));
    std::fs::rename(folder.join("bridge.bridge"), folder.join("first.bridge")).unwrap();
    let bridge = Bridge::start(folder);
    take(&bridge, &mut bodies);
    is_said(&bridge, "NET-NO-DEVICE");
    let enrol = format!("enrol --key second.key --owner wallet.key {AREA} --url {url} --role bridge --json");
    assert_eq!(run(folder, &enrol).code, 0);
    until(folder, "it is promised", || bridge.status()["promised"] == 1 && bridge.status()["waiting"] == 0);
    until(folder, "it is served", || reports(&url).len() == 5);
}

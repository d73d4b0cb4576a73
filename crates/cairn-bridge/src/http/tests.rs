use std::io::{Read, Write};
use std::net::TcpStream;

use cairn_core::report::ClockSource;
use cairn_core::{DeviceId, Hash};
use cairn_edge::{Item, Stamp};
use cairn_log::StdDisk;

use super::*;
use crate::{BridgeConfig, Keeps, Seen};

struct Noon;

impl Clock for Noon {
    fn now(&self) -> Stamp {
        Stamp { boot_ms: 1_000, wall: Some((1_795_167_300_000, ClockSource::Ntp, 50)) }
    }
}

#[derive(Clone, Default)]
struct Shelf(Arc<Mutex<Vec<Item>>>);

impl Keeps for Shelf {
    fn keep(&mut self, _: &Hash, _: &[u8], items: Vec<Item>) -> Result<(), BridgeError> {
        self.0.lock().unwrap().extend(items);
        Ok(())
    }
}

const CONFIG: &str =
    "gateways = [\"http://127.0.0.1:1\"]\nkey = \"k\"\nlimits = { body_bytes = 2000 }\n[senml]\n[chirpstack]\n";

fn running() -> (Running, Shelf, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let config: BridgeConfig = toml::from_str(CONFIG).unwrap();
    let rows = [(Adapter::Senml, "house"), (Adapter::ChirpStack, "24e124136b502217")];
    let table = rows.into_iter().map(|(adapter, name)| ((adapter, name.to_owned()), DeviceId([1; 16]))).collect();
    let shelf = Shelf::default();
    let desk = Desk::of(
        &config,
        table,
        Seen::open(Arc::new(StdDisk::create(folder.path()).unwrap())).unwrap(),
        Box::new(shelf.clone()),
    )
    .unwrap();
    let secret = Some(("x-bridge-secret".to_owned(), "correct horse battery".to_owned()));
    let secrets = BTreeMap::from([(Adapter::Senml, None), (Adapter::ChirpStack, secret)]);
    let status = Box::new(|| json!({ "waiting": 7 }));
    let bridge = Bridge { desk, clock: Arc::new(Noon), secrets, limits: config.limits, status };
    (bridge.listen("127.0.0.1:0".parse().unwrap()).unwrap(), shelf, folder)
}

fn ask(running: &Running, path: &str, headers: &[(&str, &str)], body: &[u8]) -> (u16, serde_json::Value) {
    let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
    let url = format!("http://{}{path}", running.address());
    let mut response = if body.is_empty() {
        agent.get(url).call().unwrap()
    } else {
        let request = headers.iter().fold(agent.post(url), |request, (name, value)| request.header(*name, *value));
        request.send(body).unwrap()
    };
    let text = response.body_mut().read_to_string().unwrap();
    (response.status().as_u16(), serde_json::from_str(&text).unwrap())
}

const PACK: &[u8] = br#"[{"n":"house/temp","u":"Cel","v":20}]"#;
const UPLINK: &[u8] =
    br#"{"deduplicationId":"a","deviceInfo":{"devEui":"24E124136B502217"},"fCnt":7,"object":{"temperature":28.8}}"#;
const JSON: (&str, &str) = ("content-type", "application/senml+json");
const SECRET: (&str, &str) = ("X-Bridge-Secret", "correct horse battery");

#[test]
fn each_path_takes_its_own_and_answers_with_a_code() {
    let (running, shelf, _folder) = running();
    let long = [PACK, &[b' '; 2_000]].concat();
    let cbor = [&[0x81, 0xa3, 0x00, 0x6a][..], b"house/temp", &[0x01, 0x63], b"Cel", &[0x02, 0x14]].concat();
    let plain = ("content-type", "text/plain");
    let wrong = ("x-bridge-secret", "correct horse batterz");
    type Row<'a> = (&'a str, &'a [(&'a str, &'a str)], &'a [u8], u16, &'a str);
    let cases: [Row<'_>; 11] = [
        ("/senml", &[JSON], PACK, 200, "taken"),
        ("/senml", &[JSON], PACK, 200, "known"),
        ("/senml", &[("content-type", "application/senml+cbor")], &cbor, 200, "taken"),
        ("/senml", &[plain], PACK, 422, "BRG-PAYLOAD"),
        ("/senml", &[JSON], &long, 413, "BRG-TOO-LARGE"),
        ("/senml", &[JSON], br#"[{"n":"shed/temp","v":1}]"#, 404, "BRG-UNKNOWN-DEVICE"),
        ("/chirpstack?event=up", &[], UPLINK, 401, "BRG-SECRET"),
        ("/chirpstack?event=up", &[wrong], UPLINK, 401, "BRG-SECRET"),
        ("/chirpstack?event=join", &[SECRET], UPLINK, 200, "passed-over"),
        ("/chirpstack?event=up", &[SECRET], UPLINK, 200, "taken"),
        ("/v1/push-sensor-data/", &[("X-Sensor", "esp8266-1"), ("X-Pin", "1")], b"{}", 404, "BRG-OFF"),
    ];
    for (n, (path, headers, body, status, word)) in cases.into_iter().enumerate() {
        let (found, said) = ask(&running, path, headers, body);
        let code = said["code"].as_str().or(said["status"].as_str()).unwrap();
        assert_eq!((found, code), (status, word), "case {n}: {said}");
    }
    assert_eq!(shelf.0.lock().unwrap().len(), 3);
    let (status, said) = ask(&running, "/status", &[], b"");
    assert_eq!((status, &said["waiting"]), (200, &json!(7)));
    assert!(said.to_string().contains(r#"{"adapter":"chirpstack","code":"BRG-SECRET","count":2}"#), "{said}");
}

#[test]
fn whoever_is_cut_off_leaves_nothing_and_others_go_on() {
    let (running, shelf, _folder) = running();
    for sent in [&b"POST /senml HTTP/1.1\r\n"[..], b"POST /senml HTTP/1.1\r\nhost: x\r\ncontent-type: application/senml+json\r\ncontent-length: 37\r\n\r\n[{\"n\":"] {
        let mut stream = TcpStream::connect(running.address()).unwrap();
        stream.write_all(sent).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest);
    }
    assert!(shelf.0.lock().unwrap().is_empty());
    assert_eq!(ask(&running, "/senml", &[JSON], PACK).0, 200);
    let address = running.address();
    running.stop();
    assert!(TcpStream::connect(address).is_err());
}

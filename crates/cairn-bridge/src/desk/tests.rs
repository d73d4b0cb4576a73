use std::sync::{Arc, Mutex};

use cairn_log::StdDisk;

use super::*;

const NOW: Stamp = Stamp { boot_ms: 5_000_000, wall: Some((1_795_167_300_000, ClockSource::Ntp, 50)) };

type Kept = (Hash, Vec<u8>, Vec<Item>);

/// What was kept, and whether the disk is full.
#[derive(Clone, Default)]
struct Shelf {
    kept: Arc<Mutex<Vec<Kept>>>,
    is_full: Arc<Mutex<bool>>,
}

impl Keeps for Shelf {
    fn keep(&mut self, hash: &Hash, original: &[u8], items: Vec<Item>) -> Result<(), BridgeError> {
        if *self.is_full.lock().unwrap() {
            return Err(BridgeError::Kept("the disk is full".into()));
        }
        self.kept.lock().unwrap().push((*hash, original.to_vec(), items));
        Ok(())
    }
}

impl Shelf {
    fn items(&self) -> Vec<Item> {
        self.kept.lock().unwrap().iter().flat_map(|(.., items)| items.clone()).collect()
    }
}

const CONFIG: &str = "gateways = [\"http://127.0.0.1:1\"]\nkey = \"k\"\nlimits = { reports_per_hour = 60, reports_at_once = 4 }\n[senml]\n[chirpstack]\n[sensor_community]\n";

fn device(n: u8) -> DeviceId {
    DeviceId([n; 16])
}

fn desk() -> (Desk, Shelf, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let shelf = Shelf::default();
    (open(&folder, &shelf), shelf, folder)
}

fn open(folder: &tempfile::TempDir, shelf: &Shelf) -> Desk {
    let config: BridgeConfig = toml::from_str(CONFIG).unwrap();
    let rows = [
        (Adapter::Senml, "house", 1),
        (Adapter::Senml, "house/attic", 2),
        (Adapter::ChirpStack, "24e124136b502217", 3),
        (Adapter::Community, "esp8266-1234567", 4),
    ];
    let table = rows.into_iter().map(|(adapter, name, n)| ((adapter, name.to_owned()), device(n))).collect();
    Desk::of(
        &config,
        table,
        Seen::open(Arc::new(StdDisk::create(folder.path()).unwrap())).unwrap(),
        Box::new(shelf.clone()),
    )
    .unwrap()
}

fn senml(text: &str) -> Taken<'_> {
    Taken::Senml(Form::Json, text.as_bytes())
}

fn later(ms: u64) -> Stamp {
    Stamp { boot_ms: NOW.boot_ms + ms, ..NOW }
}

const UPLINK: &str = r#"{"deduplicationId":"a","deviceInfo":{"devEui":"24E124136B502217"},"devAddr":"00189440","fCnt":7,"object":{"temperature":28.8},"rxInfo":[{"gwTime":"2026-11-20T09:34:15Z"}]}"#;
const PUSH: &str = r#"{"sensordatavalues":[{"value_type":"P1","value":"24.4"}]}"#;

const fn uplink(body: &str) -> Taken<'_> {
    Taken::ChirpStack { event: "up", body: body.as_bytes() }
}

const fn push(body: &str) -> Taken<'_> {
    Taken::Community { sensor: "ESP8266-1234567", pin: Some("1"), body: body.as_bytes() }
}

#[test]
fn each_report_names_its_subject_its_time_and_its_original() {
    let (mut desk, shelf, _folder) = desk();
    let pack =
        r#"[{"bn":"house/attic/","bt":-60,"n":"temp","u":"Cel","v":20},{"bn":"house/","n":"temp","u":"Cel","v":19}]"#;
    let at = |time_ms, source, error_ms| When::At { time_ms, source, error_ms };
    let minute_ago = at(1_795_167_240_000, ClockSource::Ntp, 50);
    let cases = [
        (senml(pack), vec![(device(2), minute_ago), (device(1), minute_ago)]),
        (uplink(UPLINK), vec![(device(3), at(1_795_167_255_000, ClockSource::Network, 1_000))]),
        (push(PUSH), vec![(device(4), at(1_795_167_300_000, ClockSource::Ntp, 50))]),
    ];
    for (taken, expected) in cases {
        let answer = desk.receive(&taken, NOW).unwrap();
        assert_eq!((answer.status, answer.reports), ("taken", expected.len()));
        let (hash, original, items) = shelf.kept.lock().unwrap().pop().unwrap();
        assert_eq!((hash, original.as_slice()), (Hash::of(taken.body()), taken.body()));
        assert_eq!(answer.original, hash.to_hex());
        let found: Vec<_> = items.iter().map(|item| (item.subject.unwrap(), item.when)).collect();
        assert_eq!(found, expected);
        assert!(items.iter().all(|item| item.blobs == [(hash, taken.body().len() as u64)] && item.schema == SCHEMA));
    }
}

#[test]
fn what_comes_again_is_known_and_reported_once_over_restarts_too() {
    let (mut desk, shelf, folder) = desk();
    let timed = r#"[{"n":"house/temp","bt":1795167255,"u":"Cel","v":20}]"#;
    for taken in [uplink(UPLINK), senml(timed), push(PUSH)] {
        assert_eq!(desk.receive(&taken, NOW).unwrap().status, "taken");
        assert_eq!(desk.receive(&taken, later(9_000)).unwrap().status, "known");
    }
    // A device by personalisation lost power: the frame has the number of an earlier one, and is another.
    let restarted = UPLINK.replace("\"a\"", "\"b\"").replace("09:34:15Z", "09:35:15Z");
    assert_eq!(desk.receive(&uplink(&restarted), later(99_000)).unwrap().status, "taken", "the same frame counter");
    assert_eq!(desk.receive(&push(PUSH), later(10_000)).unwrap().status, "taken", "the same values, later");
    let mut desk = open(&folder, &shelf);
    assert_eq!(desk.receive(&uplink(UPLINK), NOW).unwrap().status, "known");
    assert_eq!(desk.receive(&senml(timed), NOW).unwrap().status, "known");
    assert_eq!(shelf.items().len(), 5);
}

#[test]
fn what_was_not_kept_is_not_answered_for_and_may_come_again() {
    let (mut desk, shelf, _folder) = desk();
    *shelf.is_full.lock().unwrap() = true;
    assert_eq!(desk.receive(&uplink(UPLINK), NOW).unwrap_err().code(), "BRG-KEPT");
    *shelf.is_full.lock().unwrap() = false;
    assert_eq!(desk.receive(&uplink(UPLINK), NOW).unwrap().status, "taken");
}

#[test]
fn strangers_floods_and_times_ahead_are_refused_whole_and_counted() {
    let (mut desk, shelf, _folder) = desk();
    let mut code =
        |taken: &Taken<'_>, now| desk.receive(taken, now).map_or_else(|error| error.code(), |answer| answer.status);
    let stranger = UPLINK.replace("24E124136B502217", "0000000000000001");
    assert_eq!(code(&uplink(&stranger), NOW), "BRG-UNKNOWN-DEVICE");
    // A device whose name only begins alike is another.
    assert_eq!(code(&senml(r#"[{"n":"houseboat/temp","u":"Cel","v":1}]"#), NOW), "BRG-UNKNOWN-DEVICE");
    let ahead = UPLINK.replace("2026-11-20T09:34:15Z", "2026-11-20T09:36:02Z");
    assert_eq!(code(&uplink(&ahead), NOW), "BRG-TIME");
    assert_eq!(code(&Taken::ChirpStack { event: "join", body: b"junk" }, NOW), "passed-over");
    assert_eq!(code(&Taken::ChirpStack { event: "up", body: b"junk" }, NOW), "BRG-PAYLOAD");
    let pack = |n: u64| format!(r#"[{{"n":"house/temp","u":"Cel","v":{n}}}]"#);
    let five: Vec<&str> = (0..5).map(|n| code(&senml(&pack(n)), NOW)).collect();
    assert_eq!(five, ["taken", "taken", "taken", "taken", "BRG-RATE"]);
    assert_eq!(code(&senml(&pack(5)), later(59_999)), "BRG-RATE");
    assert_eq!(code(&senml(&pack(5)), later(60_000)), "taken", "one a minute, in the long run");
    // A pack of more than a device may say at once is refused whole.
    let many: Vec<String> = (0..5).map(|n| format!(r#"{{"n":"house/attic/temp","u":"Cel","v":1,"t":-{n}}}"#)).collect();
    assert_eq!(code(&senml(&format!("[{}]", many.join(","))), NOW), "BRG-RATE");
    assert_eq!(shelf.items().len(), 5);
    let counts: Vec<_> = desk.counts().collect();
    assert!(
        counts.contains(&("senml", "BRG-RATE", 3)) && counts.contains(&("chirpstack", "BRG-TIME", 1)),
        "{counts:?}"
    );
}

#[test]
fn a_bridge_that_does_not_know_the_time_claims_none() {
    let blind = Stamp { boot_ms: 90_000, wall: None };
    let on = |before_ms| when(Measured::OnArrival { before_ms }, blind).unwrap();
    assert_eq!(
        [on(0), on(60_000), on(90_001)],
        [When::Since { boot_ms: 90_000 }, When::Since { boot_ms: 30_000 }, When::Unknown]
    );
    assert_eq!(when(Measured::Unknown, NOW).unwrap(), When::Unknown);
    let (mut desk, shelf, _folder) = desk();
    let timeless = UPLINK.replace(r#""gwTime":"2026-11-20T09:34:15Z""#, r#""rssi":-30"#);
    desk.receive(&uplink(&timeless), NOW).unwrap();
    assert_eq!(shelf.items()[0].when, When::Unknown);
}

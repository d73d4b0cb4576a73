//! What a bridge reads: packs, uplinks and pushes of devices that cannot sign.

use cairn_bridge::chirpstack::USUAL_FIELDS;
use cairn_bridge::senml::{self, Form, SenderClock};
use cairn_bridge::{BridgeError, Said};
use cairn_classes::sensing::VALUE_MAX;
use cairn_core::report::ClockSource;
use cairn_edge::map::Mapping;

fn check(said: &Said) {
    assert!(!said.device.is_empty() && !said.readings.is_empty());
    assert!(said.readings.is_sorted_by(|a, b| a.quantity < b.quantity));
    assert!(said.readings.iter().all(|reading| reading.value.abs() <= VALUE_MAX));
}

fn senml(form: Form, bytes: &[u8]) {
    // Everything up to the first slash is a device of this table.
    let device_of = |name: &str| name.find('/').filter(|at| *at > 0);
    let clock = SenderClock { source: ClockSource::Rtc, error_ms: 1 };
    if let Ok(pack) = senml::read(form, bytes, &[], clock, &device_of) {
        assert!(!pack.said.is_empty());
        pack.said.iter().for_each(check);
        assert!(pack.said.iter().all(|said| !said.device.contains('/')));
    }
}

pub fn senml_json(bytes: &[u8]) {
    senml(Form::Json, bytes);
}

pub fn senml_cbor(bytes: &[u8]) {
    senml(Form::Cbor, bytes);
}

fn one<R>(read: Result<(Said, R), BridgeError>) {
    if let Ok((said, _)) = read {
        check(&said);
        assert_eq!(said.device, said.device.to_ascii_lowercase());
    }
}

pub fn chirpstack(bytes: &[u8]) {
    let mapping = toml::from_str(USUAL_FIELDS).expect("the usual fields are a mapping");
    one(cairn_bridge::chirpstack::read(bytes, &Mapping::of(&mapping).expect("the usual fields can be read")));
}

pub fn sensor_community(bytes: &[u8]) {
    one(cairn_bridge::community::read("esp8266-1234567", Some("1"), bytes));
}

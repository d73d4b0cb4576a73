//! A household's broker, over a real Mosquitto: sensors are read, the broker goes away and comes back, and Home Assistant finds
//! the device. Built with the feature `mosquitto`; `cargo xtask test mqtt` gives it a broker.

#![allow(clippy::unwrap_used)]

use std::sync::Mutex;

use cairn_core::DeviceId;
use cairn_edge::broker::Broker;
use cairn_edge::home::{AlertMessage, Home, HomeDevice, PREFIX, StatusReport};
use cairn_edge::map::preset;
use cairn_edge::source::MqttSource;
use cairn_edge::{Raw, Source, SourceTrouble, Stop};
use cairn_testkit::mosquitto::{Mosquitto, wait_for};

/// Runs a source on a thread of its own for as long as `test` takes. `test` sees what came as (first value, time said).
fn reading(source: MqttSource, test: impl FnOnce(&dyn Fn() -> Vec<(i64, Option<u64>)>, &dyn Fn() -> Vec<bool>)) {
    let (raws, troubles, stop) =
        (Mutex::new(Vec::<Raw>::new()), Mutex::new(Vec::<SourceTrouble>::new()), Stop::default());
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let out = |raw| {
                raws.lock().unwrap().push(raw);
                true
            };
            Box::new(source).run(&out, &|trouble| troubles.lock().unwrap().push(trouble), &stop)
        });
        // Whatever becomes of the test, the thread ends.
        let _ends = Ends(&stop);
        let came = || raws.lock().unwrap().iter().map(|raw| (raw.readings[0].value, raw.said_ms)).collect::<Vec<_>>();
        test(&came, &|| troubles.lock().unwrap().iter().map(|trouble| trouble.is_over).collect());
    });
}

struct Ends<'a>(&'a Stop);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.set();
    }
}

fn source(broker: &Broker, preset_name: &str, topic: &str) -> MqttSource {
    MqttSource::of(broker, vec![topic.to_owned()], preset(preset_name).unwrap()).unwrap()
}

#[test]
fn what_sensors_publish_is_read_also_when_the_broker_was_away() {
    let mut mosquitto = Mosquitto::start();
    // Old: nobody knows how old.
    mosquitto.publish("tele/garden/SENSOR", br#"{"BME280":{"Temperature":9.9},"TempUnit":"C"}"#, true);
    let source = source(&Broker::at(&mosquitto.url()), "tasmota", "tele/+/SENSOR");
    reading(source, |came, troubles| {
        wait_for("reading", || {
            mosquitto.publish("tele/garden/SENSOR", br#"{"BME280":{"Temperature":21.5},"TempUnit":"C"}"#, false);
            !came().is_empty()
        });
        mosquitto.publish("tele/garden/STATE", br#"{"POWER":"ON"}"#, false);
        mosquitto.publish("tele/garden/SENSOR", b"no json at all", false);
        mosquitto.end();
        wait_for("noticing that the broker is away", || troubles().last() == Some(&false));
        assert!(mosquitto.begin());
        wait_for("reading again", || {
            mosquitto.publish("tele/shed/SENSOR", br#"{"AM2301":{"Temperature":3.25},"TempUnit":"C"}"#, false);
            came().last() == Some(&(325, None))
        });
        assert!(came().iter().all(|(value, _)| [2150, 325].contains(value)), "{:?}", came());
        wait_for("saying that it is over", || troubles().last() == Some(&true));
    });
}

#[test]
fn what_says_its_time_is_kept_for_a_client_with_a_name() {
    let mosquitto = Mosquitto::start();
    let named = Broker { client_id: Some("cairn-garden".to_owned()), ..Broker::at(&mosquitto.url()) };
    let payload = |value: &str, at: u64| format!(r#"{{"temperature":{value},"last_seen":{at}}}"#);
    mosquitto.publish("zigbee2mqtt/garden", payload("20.5", 1_700_000_000_000).as_bytes(), true);
    let read = |topic| source(&named, "zigbee2mqtt", topic);
    reading(read("zigbee2mqtt/+"), |came, _| {
        wait_for("what the broker kept", || came() == [(2050, Some(1_700_000_000_000))]);
    });
    // Nobody is there.
    mosquitto.publish("zigbee2mqtt/shed", payload("21.5", 1_700_000_060_000).as_bytes(), false);
    mosquitto.publish("zigbee2mqtt/shed", payload("22.5", 1_700_000_120_000).as_bytes(), false);
    reading(read("zigbee2mqtt/+"), |came, _| {
        wait_for("what came meanwhile", || {
            let came = came();
            let times: Vec<_> =
                came.iter().filter_map(|(_, said)| *said).filter(|said| *said > 1_700_000_000_000).collect();
            times == [1_700_000_060_000, 1_700_000_120_000]
        });
    });
}

#[test]
fn home_assistant_finds_the_device_its_status_its_alerts_and_that_it_went() {
    let mosquitto = Mosquitto::start();
    let device =
        HomeDevice { device: DeviceId([7; 16]), name: "Garden".to_owned(), page: None, symbol: "CRN".to_owned() };
    let id = device.device.to_string();
    let home = Home::start(&Broker::at(&mosquitto.url()), PREFIX, device, |_| ()).unwrap();
    let status = StatusReport { queued: 7, ..StatusReport::default() };
    home.show(&status);
    let configs = mosquitto.messages("homeassistant/#", 5);
    assert_eq!(configs.len(), 5, "{configs:?}");
    assert!(configs.iter().all(|(_, config)| config.contains(&format!("cairn/{id}/status"))));
    let shown = mosquitto.messages(&format!("cairn/{id}/status"), 1);
    assert!(shown[0].1.contains("\"queued\":7"), "{shown:?}");
    let availability = format!("cairn/{id}/availability");
    let told = |what: &str| vec![(availability.clone(), what.to_owned())];
    assert_eq!(mosquitto.messages(&availability, 1), told("online"));

    let alert = AlertMessage { code: "EDGE-OFFLINE".into(), detail: "no gateway".into(), is_over: false, at_ms: None };
    let topic = format!("cairn/{id}/alert");
    let heard = std::thread::scope(|scope| {
        let heard = scope.spawn(|| mosquitto.messages(&topic, 1));
        // Nobody keeps an alert, so it is told until somebody has heard it.
        while !heard.is_finished() {
            home.alert(&alert);
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        heard.join().unwrap()
    });
    assert!(heard[0].1.contains("EDGE-OFFLINE"), "{heard:?}");
    drop(home);
    assert_eq!(mosquitto.messages(&availability, 1), told("offline"));
}

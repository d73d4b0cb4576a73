//! Reports over a real Mosquitto: what is acknowledged is durable, and nothing that is not comes to nothing.

#![allow(missing_docs, clippy::unwrap_used)]

mod line;
#[path = "../gateway/support.rs"]
mod support;

use std::net::SocketAddr;
use std::sync::Arc;

use cairn_core::Hash;
use cairn_gateway::{BrokerOptions, GatewayOptions, Running};
use cairn_testkit::disk::{Faults, FaultyDisk};
use cairn_testkit::mosquitto::{Mosquitto, wait_for};
use serde_json::Value;

use line::Line;
use support::{Client, Device, Net, options};

fn over(broker: SocketAddr, in_flight_max: u16) -> GatewayOptions {
    let broker = BrokerOptions {
        host: broker.ip().to_string(),
        port: broker.port(),
        authority: None,
        login: None,
        client_id: None,
        group: "gateways".to_owned(),
        in_flight_max,
    };
    GatewayOptions { broker: Some(broker), ..options() }
}

fn topic(net: &Net, end: &str) -> String {
    format!("cairn/{}/{end}", net.network.0.to_hex())
}

/// Waits until so many messages are acknowledged.
fn acknowledged(client: &mut Client, count: u64) {
    let mut last = String::new();
    let is_so = (0..6_000).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(10));
        let page = client.get("/metrics");
        last = page.text().lines().filter(|line| line.starts_with("cairn_mqtt")).collect::<Vec<_>>().join("\n");
        client.metric("cairn_mqtt_acknowledged_total") == count
    });
    assert!(is_so, "{count} are never acknowledged:\n{last}");
}

fn publish(broker: &Mosquitto, topic: &str, messages: &[Vec<u8>]) {
    messages.iter().for_each(|message| broker.publish(topic, message, false));
}

fn connected(running: &Running) -> Client {
    let mut client = Client::to(running);
    wait_for("the broker delivers", || client.metric("cairn_mqtt_connected") == 1);
    client
}

/// An enrolled device.
fn enrolled(net: &Net, client: &mut Client, number: u8) -> Device {
    let device = Device::of(number);
    let answer = client.statement(&net.enrol(&device));
    assert!(answer.results[0].index.is_some(), "{answer:?}");
    device
}

/// The log's entries that are reports of a device, by a repeat of each over HTTP: index by number.
fn logged(client: &mut Client, reports: &[Vec<u8>]) -> Vec<u64> {
    let answer = client.reports(reports);
    answer
        .results
        .iter()
        .enumerate()
        .map(|(at, row)| {
            assert_eq!(row.status, cairn_api::ResultStatus::Duplicate, "report {at}: {row:?}");
            row.index.unwrap()
        })
        .collect()
}

fn distinct(indices: Vec<u64>) -> usize {
    indices.into_iter().collect::<std::collections::BTreeSet<_>>().len()
}

#[test]
fn reports_of_any_client_are_logged_and_their_devices_are_told() {
    let (net, broker) = (Net::found(), Mosquitto::start());
    let running = net.start_with(over(broker.address(), 16));
    let mut client = connected(&running);
    let (one, other) = (enrolled(&net, &mut client, 1), enrolled(&net, &mut client, 2));
    let size = client.settle().size;
    let good = net.report(&one, 1, 1_500);
    let mut forged = net.report(&one, 2, 1_600);
    *forged.last_mut().unwrap() ^= 1;
    let both = [net.report(&one, 3, 1_500), net.report(&other, 1, 1_500)].concat();
    let many = (100..165).map(|seq| net.report(&one, seq, 1_500)).collect::<Vec<_>>().concat();
    let messages = [good.clone(), good.clone(), forged, both.clone(), b"no report".to_vec(), many, Vec::new()];
    broker.listen(&topic(&net, "results/#"));
    publish(&broker, &topic(&net, "reports"), &messages);
    let heard = broker.heard(&topic(&net, "results/#"), 8);
    let heard: Vec<(String, Value)> =
        heard.into_iter().map(|(to, body)| (to, serde_json::from_str(&body).unwrap())).collect();
    let told = |topic_end: &str, message: &[u8]| -> Vec<&Value> {
        let (topic, hash) = (topic(&net, topic_end), Hash::of(message).to_hex());
        heard
            .iter()
            .filter(|(to, body)| *to == topic && body["message"] == hash.as_str())
            .map(|(_, body)| body)
            .collect()
    };
    let mine = format!("results/{}", one.id());
    let rows = |body: &Value| {
        let rows = body["results"].as_array().unwrap();
        rows.iter()
            .map(|row| {
                row["index"]
                    .as_u64()
                    .map_or_else(|| row["code"].as_str().unwrap().to_owned(), |index| index.to_string())
            })
            .collect::<Vec<_>>()
    };
    let [first, again] = told(&mine, &good)[..] else { panic!("{heard:?}") };
    assert_eq!((rows(first), rows(again)), (vec![size.to_string()], vec![size.to_string()]));
    assert!(first["promise"].as_str().unwrap().contains("cairn"), "{first}");
    assert_eq!(rows(told(&mine, &messages[2])[0]), ["RPT-SIGNATURE"]);
    // Each device is told what is its own.
    let of_one = told(&mine, &both)[0];
    let of_other = told(&format!("results/{}", other.id()), &both)[0];
    assert_eq!((&of_one["positions"], &of_other["positions"]), (&serde_json::json!([0]), &serde_json::json!([1])));
    assert_eq!([rows(of_one), rows(of_other)].concat(), [(size + 1).to_string(), (size + 2).to_string()]);
    assert_eq!(rows(told("results/unknown", b"no report")[0]).len(), 1);
    assert_eq!(rows(told("results/unknown", &messages[5])[0]), ["NET-TOO-MANY"]);
    assert_eq!(rows(told("results/unknown", b"")[0]), ["NET-EMPTY"]);
    acknowledged(&mut client, 7);
    assert_eq!(client.settle().size, size + 3);
    running.shutdown().unwrap();
}

#[test]
fn while_the_disk_is_full_messages_wait_unacknowledged_and_with_room_all_are_logged() {
    let disk = FaultyDisk::new(1, Faults::default());
    let (net, broker) = (Net::found_on(Some(Arc::new(disk.clone()))), Mosquitto::start());
    let running = net.start_with(over(broker.address(), 8));
    let mut client = connected(&running);
    let device = enrolled(&net, &mut client, 1);
    client.settle();
    let reports: Vec<Vec<u8>> = (1..=30).map(|seq| net.report(&device, seq, 1_500)).collect();
    disk.fill();
    publish(&broker, &topic(&net, "reports"), &reports);
    wait_for("trying again", || client.metric("cairn_mqtt_waited_total") > 16);
    // No more are here than may be, and none is acknowledged.
    assert_eq!(client.metric("cairn_mqtt_received_total"), 8);
    assert_eq!(client.metric("cairn_mqtt_acknowledged_total"), 0);
    disk.make_room();
    acknowledged(&mut client, 30);
    assert_eq!(distinct(logged(&mut client, &reports)), 30);
    running.shutdown().unwrap();
}

#[test]
fn what_comes_while_no_gateway_is_there_waits_also_over_a_restart_of_the_broker() {
    let (net, mut broker) = (Net::found(), Mosquitto::start());
    let running = net.start_with(over(broker.address(), 8));
    let mut client = connected(&running);
    let device = enrolled(&net, &mut client, 1);
    running.shutdown().unwrap();
    let reports: Vec<Vec<u8>> = (1..=40).map(|seq| net.report(&device, seq, 1_500)).collect();
    publish(&broker, &topic(&net, "reports"), &reports[..20]);
    broker.end();
    assert!(broker.begin());
    let running = net.start_with(over(broker.address(), 8));
    let mut client = connected(&running);
    publish(&broker, &topic(&net, "reports"), &reports[20..]);
    acknowledged(&mut client, 40);
    assert_eq!(distinct(logged(&mut client, &reports)), 40);
    running.shutdown().unwrap();
}

#[test]
fn nothing_is_lost_or_logged_twice_however_often_the_line_is_cut() {
    let (net, broker) = (Net::found(), Mosquitto::start());
    let line = Line::to(broker.address());
    let running = net.start_with(over(line.address, 16));
    let mut client = connected(&running);
    let device = enrolled(&net, &mut client, 1);
    let before = client.settle().size;
    let reports: Vec<Vec<u8>> = (1..=300).map(|seq| net.report(&device, seq, 1_500)).collect();
    let messages: Vec<Vec<u8>> = reports.chunks(3).map(|chunk| chunk.concat()).collect();
    for (at, message) in messages.iter().enumerate() {
        broker.publish(&topic(&net, "reports"), message, false);
        if at % 7 == 3 {
            wait_for("the broker delivers", || client.metric("cairn_mqtt_connected") == 1);
            let broken = client.metric("cairn_mqtt_broken_total");
            line.cut();
            wait_for("the line is cut", || client.metric("cairn_mqtt_broken_total") > broken);
        }
    }
    let mut watcher = Client::to(&running);
    wait_for("logging", || watcher.settle().size == before + 300);
    assert_eq!(distinct(logged(&mut client, &reports)), 300);
    running.shutdown().unwrap();
    // And nothing is left at the broker: it delivers no more to the next gateway.
    let running = net.start_with(over(broker.address(), 16));
    let mut client = connected(&running);
    wait_for("delivering", || {
        client.metric("cairn_mqtt_received_total") == client.metric("cairn_mqtt_acknowledged_total")
    });
    assert_eq!(client.settle().size, before + 300);
    running.shutdown().unwrap();
}

//! A disk that is full, as clients and operators meet it.

use std::sync::Arc;
use std::time::Duration;

use cairn_gateway::{Gateway, GatewayOptions, Rate};
use cairn_testkit::disk::{Faults, FaultyDisk};

use crate::support::{CLOCK, Client, Device, Net, options, rows};

const COSE: &str = "application/cose";

#[test]
fn a_device_gets_back_what_it_was_charged_when_the_disk_was_full_and_the_sender_has_left() {
    let disk = FaultyDisk::new(1, Faults::default());
    let net = Net::found_on(Some(Arc::new(disk.clone())));
    let options = GatewayOptions {
        admin_listen: Some("127.0.0.1:0".to_owned()),
        device_reports: Rate { per_s: 1, burst: 1_000 },
        ..options()
    };
    let sequencer = net.sequencer();
    let ledger = sequencer.ledger();
    let running = Gateway::start(sequencer, CLOCK, options).unwrap();
    let (mut client, mut watcher) = (Client::to(&running), Client::at(running.admin_address().unwrap()));
    let mut until = |name: &str, value: u64| {
        assert!((0..4_000).any(|_| {
            std::thread::sleep(Duration::from_millis(5));
            watcher.metric(name) == value
        }));
    };
    let device = Device::of(1);
    client.statement(&net.enrol(&device));
    client.settle();
    let reports: Vec<Vec<u8>> = (1..=900).map(|seq| net.report(&device, seq, 1_500)).collect();
    disk.fill();
    // Nobody knows yet that the disk is full: the reports are checked and charged, and refused by the writer.
    let writing = ledger.write().unwrap();
    let mut sender = Client::to(&running);
    sender.start_post("/v1/reports", "application/cbor-seq", &reports.concat());
    until("cairn_bytes_held", reports.concat().len() as u64);
    drop(sender);
    until("cairn_requests_under_way", 0);
    drop(writing);
    until("cairn_bytes_held", 0);
    disk.make_room();
    let answer = loop {
        // Who is refused before the body is read is hung up on.
        let answer = Client::to(&running).post("/v1/reports", "application/cbor-seq", &reports.concat());
        if answer.status != 503 {
            break answer;
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    let told = rows(&answer.json());
    assert!(told.iter().all(|row| row.starts_with("accepted")), "{:?}", told.iter().find(|row| !row.starts_with("a")));
}

#[test]
fn on_a_full_disk_nothing_is_promised_reading_goes_on_and_with_room_so_does_logging() {
    let disk = FaultyDisk::new(1, Faults::default());
    let net = Net::found_on(Some(Arc::new(disk.clone())));
    let running = net.start();
    let mut client = Client::to(&running);
    let device = Device::of(1);
    client.statement(&net.enrol(&device));
    assert_eq!(rows(&client.report(&net.report(&device, 1, 1_500))), ["accepted 5"]);
    client.settle();

    disk.fill();
    let second = net.report(&device, 2, 1_510);
    for _ in 0..3 {
        let refused = client.post("/v1/reports", COSE, &second);
        assert_eq!((refused.status, refused.problem().code.as_str()), (503, "LOG-FULL"));
        assert_eq!(refused.header("retry-after"), Some("1"));
        assert!(refused.problem().hint.is_some_and(|hint| hint.contains("reading goes on")));
    }
    let statement = client.post("/v1/statements", "application/cbor", &net.enrol(&Device::of(2)));
    assert_eq!((statement.status, statement.problem().code.as_str()), (503, "LOG-FULL"));
    let health = client.get("/health");
    assert_eq!((health.status, health.problem().code.as_str()), (503, "LOG-FULL"));
    assert_eq!((client.network().size, client.get("/log/checkpoint").status), (6, 200));
    assert_eq!((client.metric("cairn_writer_up"), client.metric("cairn_log_entries")), (0, 6));
    assert!(client.metric("cairn_refused_total{code=\"LOG-FULL\"}") >= 5);

    disk.make_room();
    let mut answer = client.post("/v1/reports", COSE, &second);
    while answer.status == 503 {
        assert_eq!(answer.problem().code, "LOG-FULL");
        std::thread::sleep(Duration::from_millis(5));
        answer = client.post("/v1/reports", COSE, &second);
    }
    assert_eq!(rows(&answer.json()), ["accepted 6"]);
    assert_eq!(rows(&client.reports(&[net.report(&device, 1, 1_500), second])), ["duplicate 5", "duplicate 6"]);
    assert_eq!(client.settle().size, 7);
}

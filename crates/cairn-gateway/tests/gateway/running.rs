//! Starting, being full, failing and ending.

use std::time::Duration;

use cairn_api::{Health, SubmitResponse};
use cairn_core::cbor::Value;
use cairn_core::observation::{ObservationBody, sign_observation};
use cairn_gateway::{Gateway, GatewayError, GatewayOptions};
use cairn_ledger::{Ledger, LedgerOptions, Sequencer};
use cairn_log::{Log, LogOptions, StdDisk};
use cairn_merkle::{NoteVerifier, SignedCheckpoint};

use crate::support::{CLOCK, Client, Device, Net, options, rows};

#[test]
fn a_restart_over_the_same_folder_keeps_everything() {
    let net = Net::found();
    let (device, mut sent) = (Device::of(1), Vec::new());
    let before = {
        // A checkpoint so rare that only the one at the end can cover what is sent.
        let running = net.start_with(GatewayOptions { checkpoint: Duration::from_secs(600), ..options() });
        let mut client = Client::to(&running);
        client.statement(&net.enrol(&device));
        for seq in 0..5 {
            let report = net.report(&device, seq, 1_500);
            sent.push((rows(&client.report(&report)), report));
        }
        assert!(client.get("/health").json::<Health>().checkpoint_size < 10);
        client.observation(&net.clock(Net::closing_ms(0)));
        let before = (client.network(), client.get("/v1/epochs/0").body, client.get("/v1/epochs/0/payouts").body);
        drop(running);
        before
    };
    let running = net.start();
    let mut client = Client::to(&running);
    let network = client.network();
    assert_eq!(network, before.0);
    let vkey: NoteVerifier = network.log_vkey.parse().unwrap();
    let checkpoint = SignedCheckpoint::open(client.get("/log/checkpoint").text(), &vkey, &[]).unwrap().checkpoint;
    assert_eq!(checkpoint.size(), network.size);
    assert_eq!((client.get("/v1/epochs/0").body, client.get("/v1/epochs/0/payouts").body), (before.1, before.2));
    for (row, report) in &sent {
        let again = rows(&client.report(report));
        assert_eq!(again, [row[0].replace("accepted", "duplicate")]);
    }
}

#[test]
fn an_ended_gateway_has_published_everything_and_let_go_of_address_and_log() {
    let net = Net::found();
    let running = net.start_with(GatewayOptions { checkpoint: Duration::from_secs(600), ..options() });
    let address = running.address();
    let mut client = Client::to(&running);
    client.statement(&net.enrol(&Device::of(1)));
    running.shutdown().unwrap();
    assert!(std::net::TcpListener::bind(address).is_ok(), "the address is free");
    let sequencer = net.sequencer();
    assert_eq!(sequencer.reader().published().unwrap().size(), 5);
}

#[test]
fn requests_under_way_are_answered_before_the_end() {
    let net = Net::found();
    let sequencer = net.sequencer();
    let ledger = sequencer.ledger();
    let running = Gateway::start(sequencer, CLOCK, options()).unwrap();
    let (mut client, mut watcher) = (Client::to(&running), Client::to(&running));
    let stop = running.stopper();
    // Whoever reads the ledger holds the writer up.
    let reading = ledger.read().unwrap();
    client.start_post("/v1/statements", "application/cbor", &net.enrol(&Device::of(1)));
    wait_for(|| watcher.metric("cairn_requests_under_way") == 2);
    stop();
    drop(reading);
    let response: SubmitResponse = client.receive(true).json();
    assert_eq!(rows(&response), ["accepted 4"]);
    running.wait().unwrap();
}

fn wait_for(mut condition: impl FnMut() -> bool) {
    while !condition() {
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_full_queue_tells_clients_to_come_back_and_loses_nobody() {
    let net = Net::found();
    let sequencer = net.sequencer();
    let ledger = sequencer.ledger();
    let options = GatewayOptions { queue_requests_max: 1, ..options() };
    let running = Gateway::start(sequencer, CLOCK, options).unwrap();
    let devices: Vec<Device> = (1..=8).map(Device::of).collect();
    let mut watcher = Client::to(&running);
    // Whoever reads the ledger holds the writer up; statements are screened without it. So one request at most is with
    // the writer and one waits: the others are answered at once.
    let reading = ledger.read().unwrap();
    let mut clients: Vec<Client> = devices.iter().map(|_| Client::to(&running)).collect();
    for (client, device) in clients.iter_mut().zip(&devices) {
        client.start_post("/v1/statements", "application/cbor", &net.enrol(device));
    }
    wait_for(|| watcher.metric("cairn_responses_total{status=\"503\"}") >= 6);
    drop(reading);
    let answers: Vec<_> = clients.iter_mut().map(|client| client.receive(true)).collect();
    for (answer, device) in answers.iter().zip(&devices) {
        let is_logged = answer.status == 200;
        if !is_logged {
            assert_eq!((answer.status, answer.problem().code.as_str()), (503, "NET-BUSY"));
            assert_eq!(answer.header("retry-after"), Some("1"));
        }
        let again = rows(&watcher.statement(&net.enrol(device)));
        assert_eq!(again[0].starts_with("accepted"), !is_logged, "{again:?}");
    }
    assert_eq!(watcher.network().size, 4 + 8);
}

#[test]
fn when_the_writer_stops_reading_goes_on_and_health_says_so() {
    let net = Net::found();
    let running = net.start();
    let mut client = Client::to(&running);
    client.settle();
    // Somebody else writes the lock record: the log refuses to publish over it.
    std::fs::write(net.folder.path().join("log/checkpoint"), "another writer's").unwrap();
    let device = Device::of(1);
    client.statement(&net.enrol(&device));
    wait_for(|| client.get("/health").status == 503);
    let health = client.get("/health").problem();
    assert_eq!(health.code, "NET-STOPPED");
    assert!(health.detail.contains("LOG-LOCK-RECORD"), "{}", health.detail);
    let refused = client.post("/v1/reports", "application/cose", &net.report(&device, 1, 1_500));
    assert_eq!((refused.status, refused.problem().code.as_str()), (503, "NET-STOPPED"));
    assert_eq!(client.network().size, 5);
    assert_eq!(client.get("/log/checkpoint").status, 200);
    assert!(client.get("/metrics").text().contains("\ncairn_writer_up 0\n"));
    let error = running.shutdown().unwrap_err();
    assert_eq!(error.code(), "LOG-LOCK-RECORD");
}

#[test]
fn a_stale_checkpoint_is_bad_health_until_the_writer_gets_on() {
    let net = Net::found();
    let sequencer = net.sequencer();
    let ledger = sequencer.ledger();
    let options = GatewayOptions { checkpoint_stale: Duration::from_millis(200), ..options() };
    let running = Gateway::start(sequencer, CLOCK, options).unwrap();
    let (mut client, mut watcher) = (Client::to(&running), Client::to(&running));
    wait_for(|| watcher.get("/health").status == 200);
    let reading = ledger.read().unwrap();
    client.start_post("/v1/statements", "application/cbor", &net.enrol(&Device::of(1)));
    wait_for(|| watcher.get("/health").status == 503);
    assert_eq!(watcher.get("/health").problem().code, "NET-STALE");
    drop(reading);
    assert_eq!(client.receive(true).status, 200);
    wait_for(|| watcher.get("/health").status == 200);
}

#[test]
fn a_gateway_does_not_start_without_a_network_or_on_a_taken_address() {
    let folder = tempfile::tempdir().unwrap();
    let net = Net::found();
    let (log, _) =
        Log::open(std::sync::Arc::new(StdDisk::create(folder.path().join("log")).unwrap()), LogOptions::default())
            .unwrap();
    let views = folder.path().join("views");
    let ledger = Ledger::open(&views, log.reader(), LedgerOptions::default(), &mut |_, _| {}).unwrap();
    let empty = Sequencer::over(log, ledger, net.keys.clone(), CLOCK).unwrap();
    let refused = Gateway::start(empty, CLOCK, options()).err().unwrap();
    assert!(matches!(refused, GatewayError::NoNetwork), "{refused}");

    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = taken.local_addr().unwrap().to_string();
    let refused = Gateway::start(net.sequencer(), CLOCK, GatewayOptions { listen, ..options() }).err().unwrap();
    assert_eq!(refused.code(), "NET-LISTEN");
}

#[test]
fn slow_heads_and_slow_requests_are_cut_off() {
    let net = Net::found();
    let limits = GatewayOptions {
        header_timeout: Duration::from_millis(100),
        request_timeout: Duration::from_millis(300),
        ..options()
    };
    let running = net.start_with(limits);
    let mut slow_head = Client::to(&running);
    slow_head.send(b"GET / HTT");
    let mut rest = Vec::new();
    slow_head.read_to_end(&mut rest);
    assert!(!String::from_utf8_lossy(&rest).contains("200 OK"));

    let mut slow_body = Client::to(&running);
    slow_body.send(
        b"POST /v1/reports HTTP/1.1\r\nhost: t\r\ncontent-type: application/cose\r\ncontent-length: 9\r\n\r\n\x01",
    );
    let answer = slow_body.receive(true);
    assert_eq!((answer.status, answer.problem().code.as_str()), (504, "NET-TIMEOUT"));
    let hint = answer.problem().hint.unwrap();
    assert!(hint.contains("reports") && hint.contains("for statements look at the device or account first"), "{hint}");
}

#[test]
fn bodies_together_take_no_more_memory_than_allowed() {
    let net = Net::found();
    let running = net.start_with(GatewayOptions { bytes_in_flight_max: 1_000, ..options() });
    let answer = Client::to(&running).post("/v1/reports", "application/cose", &[0; 1_001]);
    assert_eq!((answer.status, answer.problem().code.as_str()), (503, "NET-BUSY-BYTES"));
    let after = Client::to(&running).post("/v1/reports", "application/cose", &[0; 1_000]);
    assert_eq!(rows(&after.json()), ["RPT-COSE"], "what was held is free again");
}

#[test]
fn heads_are_served_without_bodies() {
    let net = Net::found();
    let running = net.start();
    let mut client = Client::to(&running);
    let length = client.get("/log/checkpoint").body.len().to_string();
    client.send(b"HEAD /log/checkpoint HTTP/1.1\r\nhost: t\r\n\r\n");
    let head = client.receive(false);
    assert_eq!((head.status, head.header("content-length")), (200, Some(length.as_str())));
    assert_eq!(client.get("/health").status, 200);
}

#[test]
fn observations_of_others_do_not_move_the_clock() {
    let net = Net::found();
    let running = net.start();
    let mut client = Client::to(&running);
    let body =
        ObservationBody { source: "clock".to_owned(), round: Net::closing_ms(3), value: Value::Int(1), proof: None };
    let impostor = sign_observation(&Device::of(1).key, &net.network, &body);
    assert_eq!(rows(&client.observation(&impostor)), ["OBS-OBSERVER"]);
    assert_eq!(client.network().epoch, 0);
}

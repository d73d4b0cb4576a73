//! What each limit answers, and who pays.

use std::time::Duration;

use cairn_core::statement::{Body, Draft};
use cairn_gateway::{Block, Gateway, GatewayOptions, Rate, Running};

use crate::support::{CLOCK, Client, Device, EXPIRY_MS, Http, Net, ZERO_MS, options, rows, until};

const FORGER: &str = "203.0.113.66";
const HONEST: &str = "198.51.100.7";

/// Options under which this machine has limits like anybody.
fn limited() -> GatewayOptions {
    GatewayOptions { unlimited: Vec::new(), ..options() }
}

/// The same behind a proxy on this machine, so that a test can come from many addresses.
fn proxied() -> GatewayOptions {
    GatewayOptions { trusted_proxies: Block::LOOPBACK.to_vec(), ..limited() }
}

fn start_post_from(client: &mut Client, address: &str, length: usize, body: &[u8]) {
    let head = format!(
        "POST /v1/reports HTTP/1.1\r\nhost: t\r\nx-forwarded-for: {address}\r\ncontent-type: application/cbor-seq\r\n\
         content-length: {length}\r\n\r\n"
    );
    client.send(&[head.as_bytes(), body].concat());
}

fn post_from(client: &mut Client, address: &str, reports: &[Vec<u8>]) -> Http {
    let body = reports.concat();
    start_post_from(client, address, body.len(), &body);
    client.receive(true)
}

fn get_from(client: &mut Client, address: &str, path: &str) -> Http {
    client.send(format!("GET {path} HTTP/1.1\r\nhost: t\r\nx-forwarded-for: {address}\r\n\r\n").as_bytes());
    client.receive(true)
}

fn forged(mut report: Vec<u8>) -> Vec<u8> {
    *report.last_mut().unwrap() ^= 1;
    report
}

fn refusal(answer: &Http) -> (u16, String, bool) {
    (answer.status, answer.problem().code, answer.header("retry-after").is_some())
}

fn refused(status: u16, code: &str, with_wait: bool) -> (u16, String, bool) {
    (status, code.to_owned(), with_wait)
}

#[test]
fn signatures_are_checked_last_and_only_where_all_else_holds() {
    let net = Net::found();
    let options = GatewayOptions {
        body_bytes_max: 10_000,
        items_per_request_max: 4,
        device_reports: Rate { per_s: 1, burst: 100_000 },
        ..options()
    };
    let running = net.start_with(options);
    let mut client = Client::to(&running);
    let (device, retired, stranger) = (Device::of(1), Device::of(2), Device::of(3));
    client.statement(&net.enrol(&device));
    client.statement(&net.enrol(&retired));
    let retire = Draft::of(Some(net.network), Body::Retire(retired.id()), 2, EXPIRY_MS)
        .signed_by_wallet(&retired.wallet)
        .finish();
    assert!(rows(&client.statement(&retire.encode()))[0].starts_with("accepted"));
    assert_eq!(client.metric("cairn_signatures_checked_total"), 0);
    client.report(&net.report(&device, 1, 1_500));
    assert_eq!(client.metric("cairn_signatures_checked_total"), 1);

    let mut another_algorithm = forged(net.report(&device, 9, 1_500));
    let header = another_algorithm.windows(2).position(|pair| pair == [0x01, 0x32]).unwrap();
    another_algorithm[header + 1] = 0x31;
    let cheap: [(&str, Vec<u8>); 8] = [
        ("too many", forged(net.report(&device, 9, 1_500)).repeat(5)),
        ("too long", vec![0; 10_001]),
        ("no CBOR", vec![0xff; 100]),
        ("an unknown device", net.report(&stranger, 1, 1_500)),
        ("a retired device", net.report(&retired, 1, 1_500)),
        ("another algorithm", another_algorithm),
        ("a used name", net.report(&device, 1, 9_999)),
        ("the future", net.report_at(&device, 9, ZERO_MS + 90_000_000, 1_500)),
    ];
    for (what, body) in cheap {
        let answer = Client::to(&running).post("/v1/reports", "application/cbor-seq", &body);
        assert!(answer.status != 200 || !answer.text().contains("accepted"), "{what}: {}", answer.text());
        assert_eq!(client.metric("cairn_signatures_checked_total"), 1, "{what}");
    }
    assert_eq!(rows(&client.report(&forged(net.report(&device, 9, 1_500)))), ["RPT-SIGNATURE"]);
    assert_eq!(client.metric("cairn_signatures_checked_total"), 2);
}

#[test]
fn ten_thousand_forgeries_in_a_devices_name_cost_the_forger_and_not_the_device() {
    let net = Net::found();
    let options = GatewayOptions {
        device_reports: Rate { per_s: 1, burst: 2 },
        address_items: Rate { per_s: 1, burst: 10_000 },
        ..proxied()
    };
    let running = net.start_with(options);
    let (mut forger, mut client) = (Client::to(&running), Client::to(&running));
    let device = Device::of(1);
    client.statement(&net.enrol(&device));
    let forgeries: Vec<Vec<u8>> = (0..10_000).map(|seq| forged(net.report(&device, 100 + seq, 1_500))).collect();
    for part in forgeries.chunks(2_500) {
        let answer = post_from(&mut forger, FORGER, part);
        let seen = rows(&answer.json());
        assert!(seen.len() == 2_500 && seen.iter().all(|row| row == "RPT-SIGNATURE"), "{:?}", &seen[..3]);
    }
    assert_eq!(
        refusal(&post_from(&mut forger, FORGER, &forgeries[..2_500])),
        refused(429, "NET-RATE-ITEMS", true),
        "the forger has used up what an address may send"
    );
    let first = net.report(&device, 1, 1_500);
    assert_eq!(rows(&post_from(&mut client, HONEST, std::slice::from_ref(&first)).json()), ["accepted 5"]);
}

#[test]
fn repeats_cost_a_device_nothing_and_its_own_haste_does() {
    let net = Net::found();
    let options = GatewayOptions { device_reports: Rate { per_s: 1, burst: 1_000 }, ..options() };
    let running = net.start_with(options);
    let mut client = Client::to(&running);
    let (device, neighbour) = (Device::of(1), Device::of(2));
    client.statement(&net.enrol(&device));
    client.statement(&net.enrol(&neighbour));
    let first = net.report(&device, 1, 1_500);
    assert_eq!(rows(&client.report(&first)), ["accepted 6"]);
    // More copies than the burst: of the one that is logged, and of one that is not yet.
    assert!(rows(&client.reports(&vec![first; 2_000])).iter().all(|row| row == "duplicate 6"));
    let second = net.report(&device, 2, 1_500);
    let copies = rows(&client.reports(&vec![second; 2_000]));
    assert_eq!(copies[0], "accepted 7");
    assert!(copies[1..].iter().all(|row| row == "duplicate 7" || row == "RPT-RATE"), "{copies:?}");

    let hasty: Vec<Vec<u8>> = (3..2_003).map(|seq| net.report(&device, seq, 1_500)).collect();
    let body = [hasty.concat(), net.report(&neighbour, 1, 1_500)].concat();
    let answer = client.post("/v1/reports", "application/cbor-seq", &body);
    assert!(answer.header("retry-after").is_some());
    let response: cairn_api::SubmitResponse = answer.json();
    let seen = rows(&response);
    let accepted = seen[..2_000].iter().filter(|row| row.starts_with("accepted")).count();
    assert!((990..1_500).contains(&accepted), "{accepted}: the burst, and what came in while it was used");
    assert!(seen[..2_000].iter().all(|row| row.starts_with("accepted") || row == "RPT-RATE"));
    assert!(seen[2_000].starts_with("accepted"), "a neighbour is not sunk: {}", seen[2_000]);
    let row = response.results.iter().find(|row| row.code.is_some()).unwrap();
    assert!(row.hint.as_deref().unwrap().contains("Retry-After"));

    // Asked faster than the bucket fills, it says when to come back.
    let alone = |seq| {
        let answer = Client::to(&running).post("/v1/reports", "application/cose", &net.report(&device, seq, 1_500));
        (answer.status == 429).then(|| refusal(&answer))
    };
    let answer = (3_000..5_000).find_map(alone);
    assert_eq!(answer, Some(refused(429, "RPT-RATE", true)));
}

#[test]
fn an_address_that_asks_too_often_is_told_when_to_come_back_and_others_are_not() {
    let net = Net::found();
    let running = net.start_with(GatewayOptions { address_requests: Rate { per_s: 1, burst: 5 }, ..proxied() });
    let mut client = Client::to(&running);
    let answer = (0..10_000).map(|_| get_from(&mut client, FORGER, "/health")).find(|answer| answer.status == 429);
    assert_eq!(refusal(&answer.unwrap()), refused(429, "NET-RATE-REQUESTS", true));
    assert_eq!(get_from(&mut client, HONEST, "/health").status, 200);
    assert_eq!(get_from(&mut client, "2001:db8::1", "/health").status, 200);
}

#[test]
fn a_client_cannot_choose_its_own_address() {
    let net = Net::found();
    let running = net.start_with(GatewayOptions { address_requests: Rate { per_s: 1, burst: 5 }, ..limited() });
    let mut client = Client::to(&running);
    let ask = |number: u32| get_from(&mut client, &format!("192.0.2.{}", number % 250), "/health").status;
    assert!((0..10_000).map(ask).any(|status| status == 429), "no proxy is trusted");
}

#[test]
fn more_items_than_an_address_may_ever_send_at_once_are_too_many() {
    let net = Net::found();
    let running = net.start_with(GatewayOptions { address_items: Rate { per_s: 1, burst: 5 }, ..limited() });
    let six = Client::to(&running).post("/v1/reports", "application/cbor-seq", &[1; 6]);
    assert_eq!(refusal(&six), refused(413, "NET-TOO-MANY", false));
    let five = Client::to(&running).post("/v1/reports", "application/cbor-seq", &[1; 5]);
    assert_eq!(rows(&five.json()), ["RPT-COSE"; 5]);
}

#[test]
fn connections_are_limited_for_one_address_and_in_all() {
    let net = Net::found();
    for (limits, expected) in [
        (GatewayOptions { connections_per_address_max: 1, ..limited() }, refused(429, "NET-ADDRESS-CONNECTIONS", true)),
        (GatewayOptions { connections_max: 1, ..options() }, refused(503, "NET-CONNECTIONS", true)),
    ] {
        let running = net.start_with(limits);
        let mut first = Client::to(&running);
        assert_eq!(first.get("/health").status, 200);
        assert_eq!(refusal(&Client::to(&running).receive(true)), expected);
        assert_eq!(first.get("/health").status, 200, "who has a place keeps it");
        let counted = format!("cairn_refused_total{{code=\"{}\"}}", expected.1);
        assert_eq!(first.metric(&counted), 1);
        drop(first);
        until(|| {
            let mut next = Client::to(&running);
            next.send(b"GET /health HTTP/1.1\r\nhost: t\r\n\r\n");
            next.receive(true).status == 200
        });
    }
}

#[test]
fn one_address_holds_no_more_bytes_than_it_may_and_leaves_the_others_theirs() {
    let net = Net::found();
    let admin_listen = Some("127.0.0.1:0".to_owned());
    let running = net.start_with(GatewayOptions {
        bytes_per_address_max: 1_000,
        bytes_in_flight_max: 2_000,
        admin_listen,
        ..proxied()
    });
    let (mut watcher, mut slow) = (Client::at(running.admin_address().unwrap()), Client::to(&running));
    // One byte string that fills its body, so that the answer is short.
    let filling = |length: u16| [&[0x59], &(length - 3).to_be_bytes()[..], &vec![1; usize::from(length) - 3]].concat();
    start_post_from(&mut slow, FORGER, 2_000, &[1; 900]);
    until(|| watcher.metric("cairn_bytes_held") == 900);
    let mut crowded = Client::to(&running);
    start_post_from(&mut crowded, FORGER, 101, &filling(101));
    assert_eq!(refusal(&crowded.receive(true)), refused(429, "NET-ADDRESS-BYTES", true));
    let mut other = Client::to(&running);
    start_post_from(&mut other, HONEST, 1_000, &filling(1_000));
    assert_eq!(other.receive(true).status, 200);
    let mut full = Client::to(&running);
    start_post_from(&mut full, HONEST, 1_200, &filling(1_200));
    assert_eq!(refusal(&full.receive(true)), refused(503, "NET-BUSY-BYTES", true));
    drop(slow);
    until(|| watcher.metric("cairn_bytes_held") == 0);
}

/// A gateway whose ledger the test holds.
fn start_with_ledger(
    net: &Net,
    options: GatewayOptions,
) -> (Running, std::sync::Arc<std::sync::RwLock<cairn_ledger::Ledger>>) {
    let sequencer = net.sequencer();
    let ledger = sequencer.ledger();
    (Gateway::start(sequencer, CLOCK, options).unwrap(), ledger)
}

#[test]
fn requests_that_are_worked_on_are_limited() {
    let net = Net::found();
    let options = GatewayOptions { requests_in_flight_max: 2, checkpoint: Duration::from_secs(600), ..options() };
    let (running, ledger) = start_with_ledger(&net, options);
    let mut watcher = Client::to(&running);
    let writing = ledger.write().unwrap();
    let mut clients: Vec<Client> = (0..3).map(|_| Client::to(&running)).collect();
    for client in &mut clients {
        client.send(b"GET /v1/network HTTP/1.1\r\nhost: t\r\n\r\n");
    }
    until(|| watcher.metric("cairn_refused_total{code=\"NET-BUSY-REQUESTS\"}") == 1);
    drop(writing);
    let answers: Vec<Http> = clients.iter_mut().map(|client| client.receive(true)).collect();
    let busy: Vec<&Http> = answers.iter().filter(|answer| answer.status != 200).collect();
    assert_eq!(busy.len(), 1);
    assert_eq!(refusal(busy[0]), refused(503, "NET-BUSY-REQUESTS", true));
}

#[test]
fn what_was_sent_stays_counted_until_it_is_dealt_with_also_when_its_sender_has_left() {
    let net = Net::found();
    let admin_listen = Some("127.0.0.1:0".to_owned());
    let options = GatewayOptions { admin_listen, checkpoint: Duration::from_secs(600), ..options() };
    let (running, ledger) = start_with_ledger(&net, options);
    let mut watcher = Client::at(running.admin_address().unwrap());
    let device = Device::of(1);
    let (enrolment, report) = (net.enrol(&device), net.report(&device, 1, 20_000));
    // The writer waits for the ledger with the one, the check of reports with the other.
    for (path, content_type, body) in
        [("/v1/statements", "application/cbor", enrolment), ("/v1/reports", "application/cose", report)]
    {
        let writing = ledger.write().unwrap();
        // Who leaves before anybody has begun with what he sent takes it along: then another one sends it.
        let stays_counted = (1..=100).any(|attempt| {
            let mut sender = Client::to(&running);
            sender.start_post(path, content_type, &body);
            until(|| watcher.metric("cairn_bytes_held") == body.len() as u64);
            std::thread::sleep(Duration::from_millis(attempt));
            drop(sender);
            until(|| watcher.metric("cairn_requests_under_way") == 0);
            watcher.metric("cairn_bytes_held") == body.len() as u64
        });
        assert!(stays_counted, "{path}");
        drop(writing);
        until(|| watcher.metric("cairn_bytes_held") == 0);
    }
}

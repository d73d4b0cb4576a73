//! Clients that do not mean well: each is cut off or refused, costs nothing that lasts, and honest ones are served.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use cairn_gateway::{GatewayOptions, Running};

use crate::support::{Client, Device, Net, options, rows};

/// Options with so little patience that tests need not have much.
fn impatient() -> GatewayOptions {
    GatewayOptions {
        header_timeout: Duration::from_millis(200),
        body_timeout: Duration::from_millis(200),
        write_timeout: Duration::from_millis(200),
        ..options()
    }
}

/// Sends bytes and reads everything until the gateway closes.
fn converse(running: &Running, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(running.address()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let _ = stream.write_all(bytes);
    let mut answer = Vec::new();
    // A gateway that closes with bytes unread resets the connection; what it said before counts.
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

fn assert_honest_are_served(net: &Net, running: &Running) {
    let mut client = Client::to(running);
    let device = Device::of(1);
    client.statement(&net.enrol(&device));
    let seen = rows(&client.report(&net.report(&device, 1, 1_500)));
    assert!(seen[0].starts_with("accepted") || seen[0].starts_with("duplicate"), "{seen:?}");
}

#[test]
fn slow_heads_slow_bodies_and_idle_connections_are_cut_off() {
    let net = Net::found();
    let running = net.start_with(impatient());
    // Each waits for the gateway to close; a gateway that did not would fail the read after a minute.
    for (what, sent, answered) in [
        ("nothing", &b""[..], ""),
        ("half a line", b"GET /hea", ""),
        ("headers without end", b"GET /health HTTP/1.1\r\nhost: t\r\nx: y\r\n", ""),
        ("a body that stops", b"POST /v1/reports HTTP/1.1\r\nhost: t\r\ncontent-type: application/cose\r\ncontent-length: 9\r\n\r\n\x01", "408"),
        ("a chunk that stops", b"POST /v1/reports HTTP/1.1\r\nhost: t\r\ncontent-type: application/cose\r\ntransfer-encoding: chunked\r\n\r\n9\r\n\x01", "408"),
        ("a request, and nothing more", b"GET /health HTTP/1.1\r\nhost: t\r\n\r\n", "200"),
    ] {
        let answer = converse(&running, sent);
        let status = answer.split(' ').nth(1).unwrap_or("");
        assert!(status == answered || (answered.is_empty() && status == "408"), "{what}: {answer}");
        assert!(answered != "408" || answer.contains("NET-SLOW-BODY"), "{what}: {answer}");
    }
    // A byte now and then is as slow as none.
    let mut drip = TcpStream::connect(running.address()).unwrap();
    drip.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let dripping = std::thread::spawn({
        let mut drip = drip.try_clone().unwrap();
        move || {
            for byte in b"GET /health HTTP/1.1\r\nx: ".iter().chain(std::iter::repeat_n(&b'y', 100_000)) {
                if drip.write_all(&[*byte]).is_err() {
                    return;
                }
                std::thread::sleep(Duration::from_millis(20));
            }
        }
    });
    let _ = drip.read_to_end(&mut Vec::new());
    let _ = drip.shutdown(Shutdown::Both);
    dripping.join().unwrap();
    assert!(Client::to(&running).metric("cairn_connections_failed_total{reason=\"slow\"}") >= 3);
    assert_honest_are_served(&net, &running);
}

#[test]
fn after_a_refusal_that_read_no_body_the_connection_goes_on_or_the_client_is_told_that_it_ends() {
    let net = Net::found();
    let running = net.start();
    let head = |more: &str| format!("POST /v1/reports HTTP/1.1\r\nhost: t\r\ncontent-type: text/plain\r\n{more}\r\n");
    for (what, more, pieces, goes_on) in [
        ("a short body, later", "content-length: 9\r\n", &[&b"123"[..], b"456789"][..], true),
        ("chunks, later", "transfer-encoding: chunked\r\n", &[b"3\r\n123\r\n", b"0\r\n\r\n"], true),
        ("a body that stops", "content-length: 9\r\n", &[b"123"], false),
        ("a body that is long", "content-length: 70000\r\n", &[], false),
        ("a body that is not sent unasked", "content-length: 9\r\nexpect: 100-continue\r\n", &[], false),
    ] {
        let mut client = Client::to(&running);
        client.send(head(more).as_bytes());
        for piece in pieces {
            std::thread::sleep(Duration::from_millis(20));
            client.send(piece);
        }
        let answer = client.receive(true);
        assert_eq!((answer.status, answer.problem().code.as_str()), (415, "NET-MEDIA-TYPE"), "{what}");
        assert_eq!(answer.header("connection"), (!goes_on).then_some("close"), "{what}");
        if goes_on {
            assert_eq!(client.get("/health").status, 200, "{what}");
        }
    }
}

#[test]
fn a_client_that_does_not_read_its_answers_is_cut_off_and_leaves_nothing_behind() {
    let net = Net::found();
    let running = net.start_with(impatient());
    let mut greedy = TcpStream::connect(running.address()).unwrap();
    greedy.set_write_timeout(Some(Duration::from_secs(60))).unwrap();
    // Thousands of pages asked for at once, none of them read: the gateway stops reading, then closes.
    let ask = b"GET /openapi.json HTTP/1.1\r\nhost: t\r\n\r\n".repeat(100);
    while greedy.write_all(&ask).is_ok() {}
    let mut watcher = Client::to(&running);
    while watcher.metric("cairn_connections_failed_total{reason=\"slow\"}") == 0 {
        std::thread::sleep(Duration::from_millis(10));
        let _ = watcher.get("/health");
    }
    assert_eq!(watcher.metric("cairn_bytes_held"), 0);
    assert!(watcher.metric("cairn_bytes_total{direction=\"received\"}") < 2 << 20, "it was not read on and on");
    assert_honest_are_served(&net, &running);
}

#[test]
fn bodies_that_are_too_long_or_lie_about_their_length_are_refused() {
    let net = Net::found();
    let running = net.start_with(GatewayOptions { body_bytes_max: 1_000, ..impatient() });
    let head = "POST /v1/reports HTTP/1.1\r\nhost: t\r\ncontent-type: application/cbor-seq\r\n";
    let chunk = format!("3e8\r\n{}\r\n", "\u{1}".repeat(1_000));
    for (what, rest, status) in [
        ("declared too long", "content-length: 1001\r\n\r\n".to_owned(), "413"),
        ("declared absurdly long", "content-length: 18446744073709551615\r\n\r\n".to_owned(), "4"),
        ("a length beyond 64 bits", "content-length: 99999999999999999999\r\n\r\n".to_owned(), "400"),
        ("a negative length", "content-length: -1\r\n\r\n".to_owned(), "400"),
        ("chunks that add up", format!("transfer-encoding: chunked\r\n\r\n{chunk}{chunk}"), "413"),
        ("a chunk larger than memory", "transfer-encoding: chunked\r\n\r\nffffffffffffffff\r\n\u{1}".to_owned(), "4"),
        (
            "a chunk size that overflows",
            "transfer-encoding: chunked\r\n\r\nfffffffffffffffff\r\n\u{1}".to_owned(),
            "400",
        ),
        ("a chunk size that is none", "transfer-encoding: chunked\r\n\r\nxyz\r\n\u{1}".to_owned(), "400"),
        (
            "a chunk longer than it says",
            "transfer-encoding: chunked\r\n\r\n1\r\n\u{1}\u{1}\u{1}\r\n0\r\n\r\n".to_owned(),
            "400",
        ),
        ("endless chunk extensions", format!("transfer-encoding: chunked\r\n\r\n1;{}", "x".repeat(100_000)), "400"),
        ("shorter than it says", "content-length: 9\r\n\r\n\u{1}".to_owned(), "408"),
    ] {
        let answer = converse(&running, format!("{head}{rest}").as_bytes());
        let found = answer.split(' ').nth(1).unwrap_or("none");
        assert!(found.starts_with(status), "{what}: {answer}");
    }
    assert_honest_are_served(&net, &running);
}

#[test]
fn no_request_is_smuggled_behind_another() {
    let net = Net::found();
    let running = net.start_with(impatient());
    let device = Device::of(1);
    Client::to(&running).statement(&net.enrol(&device));
    let smuggled = "GET /smuggled HTTP/1.1\r\nhost: t\r\n\r\n";
    let head = "POST /v1/reports HTTP/1.1\r\nhost: t\r\ncontent-type: application/cbor-seq\r\n";
    for lengths in [
        "content-length: 6\r\ntransfer-encoding: chunked\r\n",
        "transfer-encoding: chunked\r\ncontent-length: 6\r\n",
        "content-length: 5\r\ncontent-length: 6\r\n",
        "content-length: 5, 6\r\n",
        "content-length: +5\r\n",
        "content-length : 5\r\n",
        "transfer-encoding: chunked, identity\r\n",
        "transfer-encoding: identity\r\n",
        "transfer-encoding: xchunked\r\n",
        "transfer-encoding : chunked\r\n",
        "transfer-encoding:\r\n chunked\r\n",
        "transfer-encoding: chunked\r\ntransfer-encoding: identity\r\n",
    ] {
        let answer = converse(&running, format!("{head}{lengths}\r\n0\r\n\r\n{smuggled}").as_bytes());
        assert!(!answer.contains("NET-ROUTE"), "{lengths}: {answer}");
        assert!(answer.matches("HTTP/1.1 ").count() <= 1, "{lengths}: {answer}");
    }
    // A bare line feed, a null byte or a folded line is not a header.
    for odd in ["x: a\0b\r\n", "x: a\r\n folded\r\n", "x y: a\r\n", ": a\r\n"] {
        let answer = converse(&running, format!("GET /health HTTP/1.1\r\n{odd}\r\n").as_bytes());
        assert!(answer.starts_with("HTTP/1.1 400"), "{odd:?}: {answer}");
    }
    assert_honest_are_served(&net, &running);
}

#[test]
fn garbage_is_not_http_and_is_counted() {
    let net = Net::found();
    let running = net.start_with(impatient());
    let mut noise = 0x9e37_79b9_7f4a_7c15_u64;
    for length in [1, 7, 100, 5_000, 200_000] {
        let garbage: Vec<u8> = (0..length)
            .map(|_| {
                noise = noise.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                noise.to_le_bytes()[7]
            })
            .collect();
        let answer = converse(&running, &garbage);
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{length}: {answer}");
    }
    for (what, sent, status) in [
        ("HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(), ""),
        ("a TLS hello", "\u{16}\u{3}\u{1}\u{0}\u{5}hello\r\n\r\n".to_owned(), "HTTP/1.1 400"),
        ("a long line", format!("GET /{} HTTP/1.1\r\n\r\n", "x".repeat(100_000)), "HTTP/1.1 4"),
        ("many headers", format!("GET / HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(65)), "HTTP/1.1 431"),
        ("long headers", format!("GET / HTTP/1.1\r\na: {}\r\n\r\n", "b".repeat(100_000)), "HTTP/1.1 431"),
    ] {
        let answer = converse(&running, sent.as_bytes());
        assert!(answer.starts_with(status), "{what}: {answer}");
    }
    let mut watcher = Client::to(&running);
    assert!(watcher.metric("cairn_connections_failed_total{reason=\"malformed\"}") >= 5);
    assert_honest_are_served(&net, &running);
}

#[test]
fn deeply_nested_items_are_refused_without_a_deep_stack() {
    let net = Net::found();
    let running = net.start();
    let mut client = Client::to(&running);
    for (path, kind, bytes) in [
        ("/v1/reports", "application/cose", vec![0x81; 1 << 20]),
        ("/v1/reports", "application/cbor-seq", vec![0x81; 1 << 20]),
        ("/v1/reports", "application/cbor-seq", [0xa1, 0x01].repeat(1 << 19)),
        ("/v1/reports", "application/cbor-seq", vec![0xd2; 1 << 20]),
        ("/v1/statements", "application/cbor", vec![0x9f; 1 << 20]),
        ("/v1/statements", "application/cbor-seq", vec![0xc1; 1 << 20]),
        ("/v1/observations", "application/cose", [&[0xd2, 0x84][..], &vec![0x81; 1 << 20]].concat()),
    ] {
        let response: cairn_api::SubmitResponse = client.post(path, kind, &bytes).json();
        assert!(rows(&response).iter().all(|row| row.contains('-')), "{path} {kind}");
    }
    for path in ["/v1/reports", "/v1/statements", "/v1/observations"] {
        let answer = Client::to(&running).post(path, "application/json", "[".repeat(10_000).as_bytes());
        assert_eq!((answer.status, answer.problem().code.as_str()), (415, "NET-MEDIA-TYPE"));
    }
    assert_honest_are_served(&net, &running);
}

#[test]
fn a_crowd_of_connections_half_open_or_idle_leaves_room_and_goes_away() {
    let net = Net::found();
    let options = GatewayOptions { unlimited: Vec::new(), connections_per_address_max: 20, ..impatient() };
    let running = net.start_with(options);
    let crowd: Vec<TcpStream> = (0..200)
        .map(|number| {
            let stream = TcpStream::connect(running.address()).unwrap();
            if number % 2 == 0 {
                let _ = stream.shutdown(Shutdown::Write);
            }
            stream
        })
        .collect();
    // The crowd has used up its address; its connections time out, and then there is room even while it hangs on.
    let mut found = false;
    while !found {
        let mut client = Client::to(&running);
        client.send(b"GET /health HTTP/1.1\r\nhost: t\r\n\r\n");
        found = client.receive(true).status == 200;
        std::thread::sleep(Duration::from_millis(10));
    }
    drop(crowd);
    assert_honest_are_served(&net, &running);
}

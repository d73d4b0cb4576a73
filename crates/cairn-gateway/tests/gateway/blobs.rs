//! Blobs over HTTP: what comes, what is served, and what is refused.

use std::time::Duration;

use cairn_core::statement::{Blob, Body, Draft, Order, RunProfile};
use cairn_core::{Amount, Hash, Ppm};
use cairn_gateway::{BlobOptions, GatewayOptions};

use crate::support::{Client, Device, EXPIRY_MS, Http, Net, options, until};

fn blobs(net: &Net) -> BlobOptions {
    BlobOptions { free_bytes_min: 0, ..BlobOptions::in_folder(net.folder.path().join("blobs")) }
}

fn with(blobs: BlobOptions) -> GatewayOptions {
    GatewayOptions { blobs: Some(blobs), ..options() }
}

fn path(bytes: &[u8]) -> String {
    format!("/v1/blobs/{}", Hash::of(bytes))
}

fn ask(client: &mut Client, method: &str, path: &str, headers: &str, body: &[u8]) -> Http {
    let length = if method == "PUT" { format!("content-length: {}\r\n", body.len()) } else { String::new() };
    client
        .send(&[format!("{method} {path} HTTP/1.1\r\nhost: test\r\n{length}{headers}\r\n").as_bytes(), body].concat());
    client.receive(method != "HEAD" && !headers.contains("if-none-match"))
}

fn put(client: &mut Client, bytes: &[u8]) -> Http {
    ask(client, "PUT", &path(bytes), "", bytes)
}

fn code(http: &Http) -> (u16, String) {
    (http.status, http.problem().code)
}

#[test]
fn a_blob_is_kept_once_served_as_it_came_and_may_be_cached_for_ever() {
    let net = Net::found();
    let running = net.start_with(with(blobs(&net)));
    let mut client = Client::to(&running);
    // More than is written at once, and no multiple of it.
    let bytes: Vec<u8> = (0..1_000_003_u32).map(|at| at.to_le_bytes()[(at % 3) as usize]).collect();
    assert_eq!(code(&client.get(&path(&bytes))), (404, "NET-BLOB-UNKNOWN".to_owned()));
    assert_eq!(ask(&mut client, "HEAD", &path(&bytes), "", b"").status, 404);
    assert_eq!(put(&mut client, &bytes).status, 201);
    assert_eq!(put(&mut client, &bytes).status, 200);
    let served = client.get(&path(&bytes));
    assert_eq!((served.status, served.body == bytes), (200, true));
    let etag = format!("\"{}\"", Hash::of(&bytes));
    let head = ask(&mut client, "HEAD", &path(&bytes), "", b"");
    for http in [&served, &head] {
        for (name, value) in [
            ("content-type", "application/octet-stream"),
            ("content-length", "1000003"),
            ("cache-control", "public, max-age=31536000, immutable"),
            ("etag", etag.as_str()),
            ("x-content-type-options", "nosniff"),
            ("content-disposition", "attachment"),
        ] {
            assert_eq!(http.header(name), Some(value));
        }
    }
    for (tags, status) in [(etag.clone(), 304), (format!("W/{etag}, \"x\""), 304), ("*".to_owned(), 304)] {
        let http = ask(&mut client, "GET", &path(&bytes), &format!("if-none-match: {tags}\r\n"), b"");
        assert_eq!(http.status, status, "{tags}");
    }
    assert_eq!((client.metric("cairn_blobs"), client.metric("cairn_blob_bytes")), (1, 1_000_003));
    assert_eq!(put(&mut client, b"").status, 201);
    assert!(client.get(&path(b"")).body.is_empty());
    // They outlive the gateway.
    running.shutdown().unwrap();
    let running = net.start_with(with(blobs(&net)));
    assert!(Client::to(&running).get(&path(&bytes)).body == bytes);
}

#[test]
fn what_is_not_what_its_name_says_is_refused_and_leaves_nothing() {
    let net = Net::found();
    let folder = net.folder.path().join("blobs");
    let running = net.start_with(with(BlobOptions { blob_bytes_max: 1_000, ..blobs(&net) }));
    let mut client = Client::to(&running);
    let name = path(b"this");
    for (what, path, body, expected) in [
        ("other bytes", name.as_str(), &b"that"[..], (400, "NET-BLOB-HASH")),
        ("too few", &name, b"thi", (400, "NET-BLOB-HASH")),
        ("none", &name, b"", (400, "NET-BLOB-HASH")),
        ("upper case", &name.to_uppercase().replace("/V1/BLOBS", "/v1/blobs"), b"this", (400, "NET-BLOB-NAME")),
        ("short", "/v1/blobs/abcd", b"this", (400, "NET-BLOB-NAME")),
        ("a way out", "/v1/blobs/..%2fkeys", b"this", (400, "NET-BLOB-NAME")),
    ] {
        let (status, code) = code(&ask(&mut client, "PUT", path, "", body));
        assert_eq!((status, code.as_str()), expected, "{what}");
    }
    assert_eq!(code(&put(&mut Client::to(&running), &[0; 1_001])), (413, "NET-BLOB-TOO-LARGE".to_owned()));
    // Its length is not told beforehand.
    let mut chunked = Client::to(&running);
    let head = format!("PUT {} HTTP/1.1\r\nhost: test\r\ntransfer-encoding: chunked\r\n\r\n", path(&[7; 2_000]));
    chunked.send(&[head.as_bytes(), b"7d0\r\n", &[7; 2_000], b"\r\n0\r\n\r\n"].concat());
    assert_eq!(code(&chunked.receive(true)), (413, "NET-BLOB-TOO-LARGE".to_owned()));
    // It breaks off.
    let mut broken = Client::to(&running);
    broken.send(format!("PUT {name} HTTP/1.1\r\nhost: test\r\ncontent-length: 4\r\n\r\nth").as_bytes());
    drop(broken);
    until(|| client.metric("cairn_requests_under_way") <= 1);
    assert_eq!(client.get(&name).problem().code, "NET-BLOB-UNKNOWN");
    // What a sender who left had begun is cleared away behind him.
    until(|| std::fs::read_dir(&folder).unwrap().count() == 0);
    assert_eq!(put(&mut client, b"this").status, 201);
}

#[test]
fn what_waits_for_a_job_has_a_quota_for_each_address_and_goes_after_a_while() {
    let net = Net::found();
    let strict =
        |keep| BlobOptions { staged_bytes_max: 200_000, staged_bytes_per_address_max: 100_000, keep, ..blobs(&net) };
    let start = |keep| net.start_with(GatewayOptions { unlimited: Vec::new(), ..with(strict(keep)) });
    let running = start(Duration::from_secs(3_600));
    assert_eq!(put(&mut Client::to(&running), &[1; 90_000]).status, 201);
    let refused = put(&mut Client::to(&running), &[2; 20_000]);
    assert_eq!(code(&refused), (429, "NET-BLOB-ADDRESS-QUOTA".to_owned()));
    assert_eq!(refused.header("retry-after"), None, "nobody waits an hour for an answer");
    running.shutdown().unwrap();
    // What lay there is nobody's after a start.
    let running = start(Duration::from_millis(100));
    let mut client = Client::to(&running);
    until(|| client.metric("cairn_blobs") == 0);
    assert_eq!(client.metric("cairn_blobs_collected_total"), 1);
    assert_eq!(client.get(&path(&[1; 90_000])).problem().code, "NET-BLOB-UNKNOWN");
    assert_eq!(std::fs::read_dir(net.folder.path().join("blobs")).unwrap().count(), 0);
}

#[test]
fn a_gateway_without_a_folder_keeps_no_blobs() {
    let net = Net::found();
    let running = net.start();
    let mut client = Client::to(&running);
    assert_eq!(code(&client.get(&path(b"this"))), (404, "NET-BLOB-NOT-KEPT".to_owned()));
    assert_eq!(code(&put(&mut client, b"this")), (404, "NET-BLOB-NOT-KEPT".to_owned()));
}

#[test]
fn an_order_whose_blobs_are_not_here_with_their_lengths_never_reaches_the_log() {
    let net = Net::found();
    let running = net.start_with(with(blobs(&net)));
    let mut client = Client::to(&running);
    let buyer = Device::of(1);
    let of = |bytes: &[u8], length: u64| Blob { hash: Hash::of(bytes), bytes: length };
    let order = |module: Blob, inputs: Vec<Blob>| {
        let order = Order {
            buyer: buyer.owner(),
            module,
            inputs,
            arguments: Vec::new(),
            gas_table: 1,
            profile: RunProfile::DetInt,
            gas: 1_000,
            pages: 1,
            output_bytes: 10,
            price: Amount(1),
            replicas: 1,
            sample: Ppm::of(0).unwrap(),
            commit_ms: 1_000,
            most: Amount(1),
            refund: None,
        };
        Draft::of(Some(net.network), Body::Order(order), 1, EXPIRY_MS).signed_by_wallet(&buyer.wallet).finish().encode()
    };
    assert_eq!((put(&mut client, b"module").status, put(&mut client, b"input").status), (201, 201));
    let size = client.network().size;
    for (what, order, is_missing) in [
        ("no module", order(of(b"other", 5), vec![]), true),
        ("no input", order(of(b"module", 6), vec![of(b"input", 5), of(b"other", 5)]), true),
        ("another length", order(of(b"module", 7), vec![]), true),
        ("all here", order(of(b"module", 6), vec![of(b"input", 5)]), false),
    ] {
        let row = client.statement(&order).results.remove(0);
        // What is here is for the rules of the market to decide.
        assert_eq!(row.code.as_deref() == Some("NET-BLOB-MISSING"), is_missing, "{what}: {row:?}");
        assert!(row.hint.is_some_and(|hint| hint.contains("PUT")) || !is_missing, "{what}");
    }
    assert_eq!(client.network().size, size);
}

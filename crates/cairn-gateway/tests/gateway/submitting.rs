//! What becomes of what is sent.

use cairn_core::cbor::Encoder;
use cairn_core::statement::{Body, Draft, PayeeChoice};
use cairn_gateway::GatewayOptions;
use cairn_log::Promise;
use cairn_merkle::NoteVerifier;
use cairn_merkle::tree::leaf_hash;

use crate::support::{Client, Device, EXPIRY_MS, Net, ZERO_MS, options, rows};

/// The entries of genesis, policy, profile and settlement chain.
const FOUNDED: u64 = 4;

#[test]
fn a_report_is_accepted_once_and_promised() {
    let net = Net::found();
    let running = net.start();
    let mut client = Client::to(&running);
    let device = Device::of(1);
    assert_eq!(rows(&client.statement(&net.enrol(&device))), ["accepted 4"]);
    let report = net.report(&device, 1, 1_500);
    let first = client.report(&report);
    assert_eq!((rows(&first), first.size), (vec!["accepted 5".to_owned()], FOUNDED + 2));

    let vkey: NoteVerifier = client.network().promise_vkey.parse().unwrap();
    let promise = Promise::open(&first.promise, &vkey).unwrap();
    assert_eq!(promise.network, net.network.0);
    client.settle();
    let bundle = client.get("/log/tile/entries/000.p/6").body;
    let entries = cairn_merkle::tile::decode_bundle(&bundle, 6).unwrap();
    assert_eq!(promise.entries, [(5, leaf_hash(entries[5]))]);

    let again = client.report(&report);
    assert_eq!(rows(&again), ["duplicate 5"]);
    assert_eq!(Promise::open(&again.promise, &vkey).unwrap(), promise, "a repeat is promised like the first");
    assert_eq!(again.size, FOUNDED + 2);
}

#[test]
fn bad_reports_do_not_sink_their_neighbours_and_never_reach_the_log() {
    let net = Net::found();
    let running = net.start();
    let mut client = Client::to(&running);
    let (device, stranger) = (Device::of(1), Device::of(2));
    client.statement(&net.enrol(&device));
    let mut forged = net.report(&device, 3, 1_500);
    *forged.last_mut().unwrap() ^= 1;
    let mut another_algorithm = net.report(&device, 4, 1_500);
    let header = another_algorithm.windows(2).position(|pair| pair == [0x01, 0x32]).unwrap();
    another_algorithm[header + 1] = 0x31;
    let sent = [
        net.report(&device, 1, 1_500),
        forged,
        net.report(&stranger, 1, 1_500),
        Encoder::empty().array(2).uint(1).text("no report").take(),
        another_algorithm,
        net.report(&device, 2, 1_510),
        net.report(&device, 1, 1_500),
        net.report(&device, 2, 9_999),
        net.report_at(&device, 5, ZERO_MS + 86_400_000, 1_500),
        net.report(&device, 6, 1_520),
    ];
    let response = client.reports(&sent);
    let expected = [
        "accepted 5",
        "RPT-SIGNATURE",
        "RPT-UNKNOWN-DEVICE",
        "RPT-COSE",
        "RPT-ALGORITHM",
        "accepted 6",
        "duplicate 5",
        "RPT-CONFLICT",
        "RPT-FUTURE",
        "accepted 7",
    ];
    assert_eq!(rows(&response), expected);
    assert_eq!(response.size, FOUNDED + 4);
    let vkey: NoteVerifier = client.network().promise_vkey.parse().unwrap();
    let promised: Vec<u64> =
        Promise::open(&response.promise, &vkey).unwrap().entries.iter().map(|(index, _)| *index).collect();
    assert_eq!(promised, [5, 6, 5, 7]);
    let hint = response.results[2].hint.as_deref().unwrap();
    assert!(hint.contains("enrol"), "{hint}");

    let void = client.reports(&sent[1..5]);
    assert_eq!((void.size, void.promise.as_str()), (FOUNDED + 4, ""));
    let metrics = client.get("/metrics");
    for line in [
        "cairn_items_total{result=\"accepted\"} 4",
        "cairn_items_total{result=\"duplicate\"} 1",
        "cairn_items_total{result=\"rejected\"} 10",
        "cairn_rejected_total{code=\"RPT-SIGNATURE\"} 2",
        "cairn_rejected_total{code=\"RPT-CONFLICT\"} 1",
        "cairn_log_entries 8",
        // The enrolment, and of the ten those that could be valid; of the second batch none.
        "cairn_group_items_sum 6",
    ] {
        assert!(metrics.text().lines().any(|found| found == line), "{line} in\n{}", metrics.text());
    }
}

#[test]
fn what_cannot_be_delimited_is_one_rejected_row_after_its_neighbours() {
    let net = Net::found();
    let running = net.start();
    let mut client = Client::to(&running);
    let device = Device::of(1);
    client.statement(&net.enrol(&device));
    let whole = net.report(&device, 1, 1_500);
    let cut = net.report(&device, 2, 1_500);
    let body = [whole.as_slice(), &cut[..cut.len() - 1]].concat();
    let response = client.post("/v1/reports", "application/cbor-seq", &body).json();
    assert_eq!(rows(&response), ["accepted 5", "RPT-SEQUENCE"]);
    let detail = response.results[1].detail.as_deref().unwrap();
    assert!(detail.contains(&format!("byte {}", whole.len())), "{detail}");

    let response = client.post("/v1/reports", "application/cose", &[whole.as_slice(), &whole].concat()).json();
    assert_eq!(rows(&response), ["RPT-COSE"], "one report means one");
}

#[test]
fn statements_and_observations_answer_as_reports_do() {
    let net = Net::found();
    let running = net.start();
    let mut client = Client::to(&running);
    let (one, two) = (Device::of(1), Device::of(2));
    let payee = PayeeChoice { owner: one.owner(), payee: two.owner() };
    let payee = |nonce, wallet| {
        Draft::of(Some(net.network), Body::Payee(payee.clone()), nonce, EXPIRY_MS).signed_by_wallet(wallet).finish()
    };
    let mut unsigned = payee(4, &one.wallet);
    unsigned.payload = payee(5, &one.wallet).payload;
    // The third stands on the nonce of the first, which is still on its way.
    let sequence =
        [net.enrol(&one), net.enrol(&two), payee(3, &one.wallet).encode(), unsigned.encode(), net.enrol(&two)];
    let response = client.post("/v1/statements", "application/cbor-seq", &sequence.concat()).json();
    assert_eq!(rows(&response), ["accepted 4", "accepted 5", "accepted 6", "STM-SIGNATURE", "STM-NONCE"]);
    assert_eq!(rows(&client.statement(&payee(9, &two.wallet).encode())), ["STM-RIGHTS"]);
    assert_eq!(rows(&client.statement(b"\x01")), ["STM-CBOR"]);

    let early = net.clock(ZERO_MS + 5);
    assert_eq!(rows(&client.observation(&early)), ["accepted 7"]);
    assert_eq!(rows(&client.observation(&early)), ["OBS-ROUND"]);
    assert_eq!(client.network().time_ms, ZERO_MS + 5);
    let mut forged = net.clock(ZERO_MS + 6);
    *forged.last_mut().unwrap() ^= 1;
    assert_eq!(rows(&client.observation(&forged)), ["OBS-SIGNATURE"]);
    assert_eq!(rows(&client.observation(b"\xa0")), ["OBS-COSE"]);
}

#[test]
fn what_is_not_a_submission_is_refused_with_its_code() {
    let net = Net::found();
    let limits = GatewayOptions { body_bytes_max: 10_000, items_per_request_max: 3, ..options() };
    let running = net.start_with(limits);
    let cases: [(&str, &str, &[u8], u16, &str); 8] = [
        ("/v1/reports", "application/json", b"{}", 415, "NET-MEDIA-TYPE"),
        ("/v1/reports", "application/cbor", b"\x01", 415, "NET-MEDIA-TYPE"),
        ("/v1/statements", "application/cose", b"\x01", 415, "NET-MEDIA-TYPE"),
        ("/v1/observations", "text/plain", b"\x01", 415, "NET-MEDIA-TYPE"),
        ("/v1/reports", "application/cose", b"", 400, "NET-EMPTY"),
        ("/v1/reports", "application/cbor-seq", b"", 400, "NET-EMPTY"),
        ("/v1/reports", "application/cbor-seq", b"\x01\x02\x03\x04", 413, "NET-TOO-MANY"),
        ("/v1/reports", "application/cose", &[0; 10_001], 413, "NET-TOO-LARGE"),
    ];
    for (path, content_type, body, status, code) in cases {
        let answer = Client::to(&running).post(path, content_type, body);
        assert_eq!((answer.status, answer.problem().code.as_str()), (status, code), "{path} {content_type}");
    }
    let ok = Client::to(&running).post("/v1/reports", "Application/CBOR-seq; x=y", b"\x01\x02\x03");
    assert_eq!(rows(&ok.json()), ["RPT-COSE"; 3]);
}

#[test]
fn a_body_without_a_declared_length_has_the_same_limit() {
    let net = Net::found();
    let running = net.start_with(GatewayOptions { body_bytes_max: 10_000, ..options() });
    let chunked = |chunks: usize| {
        let mut client = Client::to(&running);
        let head = "POST /v1/reports HTTP/1.1\r\nhost: t\r\ncontent-type: application/cbor-seq\r\n";
        client.send(format!("{head}transfer-encoding: chunked\r\n\r\n").as_bytes());
        for _ in 0..chunks {
            client.send(format!("3e8\r\n{}\r\n", "\x01".repeat(1_000)).as_bytes());
        }
        client.send(b"0\r\n\r\n");
        client.receive(true)
    };
    assert_eq!(chunked(3).status, 200);
    let refused = chunked(11);
    assert_eq!((refused.status, refused.problem().code.as_str()), (413, "NET-TOO-LARGE"));
}

#[test]
fn a_body_that_breaks_off_logs_nothing() {
    let net = Net::found();
    let running = net.start();
    let device = Device::of(1);
    let mut client = Client::to(&running);
    client.statement(&net.enrol(&device));
    let report = net.report(&device, 1, 1_500);
    let mut breaking = Client::to(&running);
    breaking.send(
        format!(
            "POST /v1/reports HTTP/1.1\r\nhost: t\r\ncontent-type: application/cose\r\ncontent-length: {}\r\n\r\n",
            report.len() + 1
        )
        .as_bytes(),
    );
    breaking.send(&report);
    drop(breaking);
    assert_eq!(client.network().size, FOUNDED + 1);
    assert_eq!(rows(&client.report(&report)), ["accepted 5"]);
}

#[test]
fn requests_checked_and_logged_together_are_each_answered_and_promised_their_own() {
    const CLIENTS: u8 = 12;
    const REPORTS: u32 = 20;
    let net = Net::found();
    let running = net.start();
    let devices: Vec<Device> = (0..CLIENTS).map(Device::of).collect();
    let mut first = Client::to(&running);
    for device in &devices {
        assert!(rows(&first.statement(&net.enrol(device)))[0].starts_with("accepted"));
    }
    let vkey: NoteVerifier = first.network().promise_vkey.parse().unwrap();
    let send = |device: &Device| {
        let mut client = Client::to(&running);
        let mut answers = Vec::new();
        for seq in 0..REPORTS {
            let mut report = net.report(device, seq, 1_500);
            // Every fifth is forged, and sinks nobody else's.
            let is_forged = seq % 5 == 4;
            if is_forged {
                *report.last_mut().unwrap() ^= 1;
            }
            let answer = client.report(&report);
            assert_eq!(rows(&answer)[0].starts_with("RPT-SIGNATURE"), is_forged, "{:?}", rows(&answer));
            if !is_forged {
                let promise = Promise::open(&answer.promise, &vkey).unwrap();
                let index = answer.results[0].index.unwrap();
                let own: Vec<_> = promise.entries.iter().filter(|(promised, _)| *promised == index).collect();
                assert_eq!((own.len(), promise.network), (1, net.network.0));
                assert!(promise.entries.len() <= cairn_ledger::SHARED_ENTRIES_MAX);
                answers.push((index, *own[0], report));
            }
        }
        answers
    };
    let mut answers: Vec<(u64, (u64, cairn_core::Hash), Vec<u8>)> = std::thread::scope(|scope| {
        let sending: Vec<_> = devices.iter().map(|device| scope.spawn(|| send(device))).collect();
        sending.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    answers.sort_unstable();
    let first_index = FOUNDED + u64::from(CLIENTS);
    let size = first_index + u64::from(CLIENTS) * u64::from(REPORTS) * 4 / 5;
    assert!(answers.iter().map(|(index, ..)| *index).eq(first_index..size), "no index twice, and none left out");
    assert_eq!(first.settle().size, size);
    let bundle = first.get("/log/tile/entries/000.p/208").body;
    let entries = cairn_merkle::tile::decode_bundle(&bundle, 208).unwrap();
    for (index, (_, leaf), report) in answers {
        let entry = &entries[usize::try_from(index).unwrap()];
        assert_eq!((leaf, entry.ends_with(&report)), (leaf_hash(entry), true), "entry {index} is the report sent");
    }
}

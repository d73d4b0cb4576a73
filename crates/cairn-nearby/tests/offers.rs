//! What a gateway says, what is asked of it, and what is made of the words of strangers.

#![allow(clippy::unwrap_used)]

use std::net::Ipv4Addr;

use cairn_nearby::packet::{ANY, Data, INTERNET, Message, Name, POINTER, Question, Record, SERVICE, TEXT, TOP_BIT};
use cairn_nearby::{Announcement, Asker, Found, Offer, OfferError, found, query};

const HERE: Ipv4Addr = Ipv4Addr::new(192, 168, 7, 20);
const ID: &str = "2f6c1b7a0e7d4c9db0a3c7a5f1e2d3c4b5a697887766554433221100ffeeddcc";

fn offer() -> Offer {
    Offer {
        name: "Air of Hamburg".to_owned(),
        network_id: ID.to_owned(),
        port: 8_640,
        is_tls: false,
        host: None,
        version: "0.1.0".to_owned(),
    }
}

fn announcement(offer: &Offer) -> Announcement {
    Announcement::of(offer, "1f2e3d4c").unwrap()
}

/// Who is on 192.168.7.0/24 hears a packet from there.
fn heard(message: &Message) -> Vec<Found> {
    found(message, HERE, |address| address.octets()[..3] == [192, 168, 7])
}

#[test]
fn what_is_announced_is_heard_as_it_was_meant() {
    let plain = offer();
    let tls = Offer { is_tls: true, port: 443, host: Some("Air.example.org".to_owned()), ..offer() };
    let by_address = Offer { is_tls: true, host: None, ..offer() };
    let long = Offer { name: "ü".repeat(200), ..offer() };
    for (offer, url) in [
        (&plain, "http://192.168.7.20:8640"),
        (&tls, "https://air.example.org"),
        (&by_address, "https://192.168.7.20:8640"),
        (&long, "http://192.168.7.20:8640"),
    ] {
        let announcement = announcement(offer);
        let asked = announcement.answer(&query(7), Asker::Once, HERE).unwrap();
        for said in [announcement.hello(HERE), asked] {
            let said = Message::read(&said.write()).unwrap();
            let name: String = offer.name.chars().take(if offer.name.len() > 120 { 60 } else { 63 }).collect();
            let expected =
                Found { name, network_id: ID.to_owned(), url: url.to_owned(), version: "0.1.0".to_owned(), from: HERE };
            assert_eq!(heard(&said), [expected], "{offer:?}");
        }
        assert!(heard(&announcement.goodbye(HERE)).is_empty(), "what is taken back is not there");
    }
}

#[test]
fn a_host_that_no_certificate_is_for_is_not_announced() {
    for (host, is_tls, expected) in [
        ("air.example.org", false, OfferError::Plain("air.example.org".to_owned())),
        ("air", true, OfferError::Host("air".to_owned())),
        ("air..org", true, OfferError::Host("air..org".to_owned())),
        ("a_b.example.org", true, OfferError::Host("a_b.example.org".to_owned())),
        ("box.local", true, OfferError::Host("box.local".to_owned())),
        ("192.168.7.20", true, OfferError::Host("192.168.7.20".to_owned())),
    ] {
        let offer = Offer { host: Some(host.to_owned()), is_tls, ..offer() };
        assert_eq!(Announcement::of(&offer, "1").err(), Some(expected), "{host}");
    }
}

fn asked(labels: &[&str], kind: u16, class: u16) -> Message {
    let question = Question { name: Name::of(labels).unwrap(), kind, class };
    Message { id: 7, questions: vec![question], ..Message::default() }
}

#[test]
fn each_question_has_its_answer_and_any_other_has_none() {
    let announcement = announcement(&offer());
    let instance = ["Air of Hamburg 1f2e3d4c", "_cairn", "_tcp", "local"];
    let service = ["_cairn", "_tcp", "local"];
    // Type 1 is an address.
    for (labels, kind, class, counts) in [
        (&service[..], POINTER, INTERNET, Some((1, 3))),
        (&["_CAIRN", "_tcp", "LOCAL"], POINTER, INTERNET | TOP_BIT, Some((1, 3))),
        (&service, ANY, ANY, Some((1, 3))),
        (&instance, SERVICE, INTERNET, Some((1, 2))),
        (&instance, TEXT, INTERNET, Some((1, 2))),
        (&instance, ANY, INTERNET, Some((2, 1))),
        (&["cairn-1f2e3d4c", "local"], 1, INTERNET, Some((1, 2))),
        (&["_services", "_dns-sd", "_udp", "local"], POINTER, INTERNET, Some((1, 0))),
        (&service, SERVICE, INTERNET, None),
        (&service, POINTER, 3, None),
        (&["_http", "_tcp", "local"], POINTER, INTERNET, None),
        (&["cairn-1f2e3d4c", "local"], 28, INTERNET, None),
    ] {
        let answer = announcement.answer(&asked(labels, kind, class), Asker::Peer, HERE);
        let found = answer.as_ref().map(|answer| (answer.answers.len(), answer.others.len()));
        assert_eq!(found, counts, "{labels:?} {kind} {class}");
    }
    let answer = Message { flags: 0x8400, ..query(7) };
    assert_eq!(announcement.answer(&answer, Asker::Peer, HERE), None, "an answer is no question");
}

#[test]
fn who_asks_once_is_answered_under_its_number_and_who_knows_is_not_answered() {
    let announcement = announcement(&offer());
    let once = announcement.answer(&query(0x1234), Asker::Once, HERE).unwrap();
    assert_eq!((once.id, once.questions.len()), (0x1234, 1));
    let all = || once.answers.iter().chain(&once.others);
    assert!(all().all(|record| record.ttl_s == 10 && record.class == INTERNET), "{once:?}");
    let peer = announcement.answer(&query(0x1234), Asker::Peer, HERE).unwrap();
    assert_eq!((peer.id, peer.questions.len()), (0, 0));

    let known = |ttl_s| {
        let answers = peer.answers.iter().map(|record| Record { ttl_s, ..record.clone() }).collect();
        announcement.answer(&Message { answers, ..query(7) }, Asker::Peer, HERE)
    };
    assert_eq!((known(60), known(59).is_some()), (None, true));
}

/// What a stranger announces: these strings, at a host, and these addresses of it.
fn stranger(texts: &[&[u8]], host: &[&str], port: u16, addresses: &[Ipv4Addr]) -> Message {
    let service = Name::of(&["_cairn", "_tcp", "local"]).unwrap();
    let instance = Name::of(&["x"]).unwrap().under(&service).unwrap();
    let host = Name::of(host).unwrap();
    let record = |name: &Name, kind, data| Record { name: name.clone(), kind, class: INTERNET, ttl_s: 9, data };
    let place = Data::Service { priority: 0, weight: 0, port, target: host.clone() };
    let texts = Data::Text(texts.iter().map(|text| text.to_vec()).collect());
    let mut answers = vec![record(&instance, SERVICE, place), record(&instance, TEXT, texts)];
    answers.extend(addresses.iter().map(|address| record(&host, 1, Data::Address(*address))));
    Message { flags: 0x8400, answers, ..Message::default() }
}

#[test]
fn words_of_strangers_are_harmless_or_not_told() {
    let id = format!("id={}", ID.to_uppercase());
    let id = id.as_bytes();
    let host = &["box", "local"][..];
    let elsewhere = Ipv4Addr::new(8, 8, 8, 8);
    let told = |texts: &[&[u8]], host, port, addresses: &[Ipv4Addr]| {
        heard(&stranger(texts, host, port, addresses)).first().map(|one| (one.name.clone(), one.url.clone()))
    };
    let named = |name: &[u8]| told(&[id, b"tls=0", name], host, 80, &[HERE]).unwrap().0;
    for (name, expected) in [
        (&b"name=Town"[..], "Town"),
        (b"NAME=Town", "Town"),
        (b"name=\x1b[2J\x07all is well\r\n", "\u{fffd}[2J\u{fffd}all is well"),
        ("name=\u{202e}nwoT\u{200b}".as_bytes(), "\u{fffd}nwoT\u{fffd}"),
        (b"name=\xff\xfe", "\u{fffd}\u{fffd}"),
        (b"other=", "x"),
    ] {
        assert_eq!(named(name), expected, "{name:?}");
    }
    assert_eq!(named(format!("name={}", "y".repeat(240)).as_bytes()).len(), 63);

    let plain = |path: &[u8]| told(&[id, b"tls=0", path], host, 8_640, &[HERE]).map(|(_, url)| url);
    assert_eq!(plain(b"path=/air/").as_deref(), Some("http://192.168.7.20:8640/air"));
    for path in [&b"path=air"[..], b"path=/a@evil.example", b"path=/?", b"path=/\x1b", b"path=/ "] {
        assert_eq!(plain(path), None, "{path:?}");
    }
    for (what, texts, host, port, addresses) in [
        ("an address beyond this network", &[id, b"tls=0"][..], host, 80, &[elsewhere][..]),
        ("no address", &[id, b"tls=0"], host, 80, &[]),
        ("no port", &[id, b"tls=0"], host, 0, &[HERE]),
        ("no id", &[b"tls=0"], host, 80, &[HERE]),
        ("an id that is none", &[b"id=2f6c", b"tls=0"], host, 80, &[HERE]),
        ("nothing of TLS", &[id], host, 80, &[HERE]),
        ("a name without TLS", &[id, b"tls=0"], &["air", "example", "org"], 80, &[]),
        ("a host that is none", &[id, b"tls=1"], &["a/b", "example", "org"], 443, &[]),
    ] {
        assert_eq!(told(texts, host, port, addresses), None, "{what}");
    }
    // Of several addresses the one that it speaks from, else the lowest on this network; others are passed over.
    let near = Ipv4Addr::new(192, 168, 7, 3);
    for (addresses, expected) in [(&[elsewhere, near, HERE][..], HERE), (&[elsewhere, near], near)] {
        let url = told(&[id, b"tls=0"], host, 80, addresses).unwrap().1;
        assert_eq!(url, format!("http://{expected}"));
    }
}

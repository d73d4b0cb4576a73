//! What listeners hear, over a plain socket: everything that changes, not too often, and an end.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::time::Duration;

use cairn_gateway::{GatewayOptions, Running};
use serde_json::Value;

use crate::support::{Client, Device, Net, options};

/// An event as it was heard.
#[derive(Debug, Clone)]
struct Heard {
    name: String,
    id: String,
    data: Value,
}

/// A client that listens.
struct Listener {
    stream: BufReader<TcpStream>,
    status: u16,
    head: String,
    comments: u32,
}

impl Listener {
    fn to(running: &Running, last: Option<&str>) -> Self {
        let mut stream = TcpStream::connect(running.address()).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        let last = last.map_or_else(String::new, |id| format!("last-event-id: {id}\r\n"));
        write!(stream, "GET /events HTTP/1.1\r\nhost: test\r\naccept: text/event-stream\r\n{last}\r\n").unwrap();
        let mut listener = Self { stream: BufReader::new(stream), status: 0, head: String::new(), comments: 0 };
        loop {
            let line = listener.line().expect("an answer");
            if line.is_empty() {
                break;
            }
            listener.head += &(line + "\n");
        }
        listener.status = listener.head.split(' ').nth(1).unwrap().parse().unwrap();
        listener
    }

    /// The next line, without what ends it; `None` at the end.
    fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        let read = self.stream.read_line(&mut line).unwrap();
        (read > 0).then(|| line.trim_end().to_owned())
    }

    /// The next event; `None` when the stream has ended. Lengths of chunks are passed over.
    fn next(&mut self) -> Option<Heard> {
        let mut heard = Heard { name: String::new(), id: String::new(), data: Value::Null };
        loop {
            let line = self.line()?;
            if line == "0" {
                return None;
            }
            match line.split_once(": ") {
                Some(("event", name)) => name.clone_into(&mut heard.name),
                Some(("id", id)) => id.clone_into(&mut heard.id),
                Some(("data", data)) => heard.data = serde_json::from_str(data).unwrap(),
                _ if line == ":" => self.comments += 1,
                _ if line.is_empty() && !heard.name.is_empty() => return Some(heard),
                _ => {}
            }
        }
    }

    /// Events up to one that is as wanted.
    fn until(&mut self, wanted: impl Fn(&Heard) -> bool) -> Heard {
        loop {
            let heard = self.next().expect("the stream goes on");
            if wanted(&heard) {
                return heard;
            }
        }
    }
}

fn often() -> GatewayOptions {
    GatewayOptions { events_every: Duration::from_millis(10), ..options() }
}

#[test]
fn who_listens_hears_how_things_stand_and_everything_that_changes_with_the_numbers_of_the_api() {
    let net = Net::found();
    let running = net.start_with(often());
    let mut client = Client::to(&running);
    let size = client.settle().size;
    let mut listener = Listener::to(&running, None);
    assert_eq!(listener.status, 200);
    for header in ["content-type: text/event-stream", "cache-control: no-store", "x-content-type-options: nosniff"] {
        assert!(listener.head.to_lowercase().contains(header), "{}", listener.head);
    }
    let entry = listener.until(|heard| heard.name == "entry" && heard.data["entries"] == size);
    assert!(entry.id.starts_with(&format!("{size}-")));
    let epoch = listener.until(|heard| heard.name == "epoch");
    assert_eq!((&epoch.data["open"], &epoch.data["closed"]), (&0.into(), &Value::Null));

    let device = Device::of(1);
    client.statement(&net.enrol(&device));
    client.reports(&(0..50).map(|seq| net.report(&device, seq, 1_500)).collect::<Vec<_>>());
    listener.until(|heard| heard.name == "entry" && heard.data["entries"] == size + 51);
    let checkpoint = listener.until(|heard| heard.name == "checkpoint" && heard.data["entries"] == size + 51);
    let shown = client.get("/log/checkpoint");
    let root = cairn_core::Hash::from_hex(checkpoint.data["root"].as_str().unwrap()).unwrap();
    let note: cairn_merkle::note::Note = shown.text().parse().unwrap();
    let published: cairn_merkle::Checkpoint = note.text().parse().unwrap();
    assert_eq!((published.size(), published.root()), (size + 51, root));

    client.observation(&net.clock(Net::closing_ms(0)));
    let epoch = listener.until(|heard| heard.name == "epoch");
    let last = client.network().last_closed.unwrap();
    assert_eq!(epoch.data["open"], 1);
    assert_eq!(epoch.data["closed"], serde_json::to_value(&last).unwrap());
    client.settle();

    // Who comes back with the last id hears of nothing twice.
    let last = Listener::to(&running, None).until(|heard| heard.name == "epoch");
    let known: Vec<u64> = last.id.split('-').map(|number| number.parse().unwrap()).collect();
    let mut again = Listener::to(&running, Some(&last.id));
    client.statement(&net.enrol(&Device::of(2)));
    let heard = again.next().unwrap();
    let (field, before) = match heard.name.as_str() {
        "entry" => ("entries", known[0]),
        "checkpoint" => ("entries", known[1]),
        _ => ("open", known[2]),
    };
    assert_ne!(heard.data[field], before, "{heard:?}");
    if heard.name != "entry" {
        again.until(|heard| heard.name == "entry" && heard.data["entries"].as_u64() > Some(known[0]));
    }
    let missed = Listener::to(&running, Some("0-0-1")).until(|_| true);
    assert_eq!(missed.name, "entry");
    running.shutdown().unwrap();
}

#[test]
fn a_stream_outlives_the_time_of_a_request_with_comments_and_ends_when_the_gateway_drains_or_ends() {
    let net = Net::found();
    let admin_listen = Some("127.0.0.1:0".to_owned());
    let (request_timeout, heartbeat) = (Duration::from_millis(200), Duration::from_millis(50));
    let running =
        net.start_with(GatewayOptions { admin_listen, request_timeout, events_heartbeat: heartbeat, ..often() });
    let mut listener = Listener::to(&running, None);
    let mut client = Client::to(&running);
    let device = Device::of(1);
    client.statement(&net.enrol(&device));
    while listener.comments < 10 {
        // A comment is no event: something has to happen for `next` to come back.
        std::thread::sleep(heartbeat);
        client.report(&net.report(&device, listener.comments, 1_500));
        client.report(&net.report(&device, 1_000 + listener.comments, 1_500));
        listener.next().expect("the stream goes on past the time of a request");
        if listener.comments == 0 {
            std::thread::sleep(heartbeat * 3);
        }
        listener.comments += 1;
    }
    let mut admin = Client::at(running.admin_address().unwrap());
    assert_eq!(admin.post("/v1/admin/drain", "text/plain", b"").status, 202);
    while listener.next().is_some() {}
    assert_eq!(Client::to(&running).get("/events").problem().code, "NET-DRAINING");
    running.shutdown().unwrap();

    let running = net.start_with(GatewayOptions { shutdown_grace: Duration::from_secs(3_600), ..often() });
    let mut listener = Listener::to(&running, None);
    listener.until(|heard| heard.name == "epoch");
    // It waits for requests under way: for an hour, if this one had no end.
    running.shutdown().unwrap();
    while listener.next().is_some() {}
}

#[test]
fn listeners_are_limited_for_one_address_and_in_all_and_places_are_free_again() {
    let net = Net::found();
    let limits = |all, each, unlimited: Vec<_>| GatewayOptions {
        listeners_max: all,
        listeners_per_address_max: each,
        unlimited,
        ..often()
    };
    for (options, code) in
        [(limits(9, 2, Vec::new()), "NET-ADDRESS-LISTENERS"), (limits(2, 9, options().unlimited), "NET-LISTENERS")]
    {
        let running = net.start_with(options);
        let held = [Listener::to(&running, None), Listener::to(&running, None)];
        let mut client = Client::to(&running);
        let refused = client.get("/events");
        assert_eq!(refused.problem().code, code);
        assert!(refused.header("retry-after").is_some());
        assert_eq!(client.metric("cairn_listeners"), 2);
        assert_eq!(client.get("/health").status, 200, "whoever reads is read to");
        drop(held);
        // Something has to be told before it is known that nobody hears it.
        let device = Device::of(1);
        let mut seq = 0;
        client.statement(&net.enrol(&device));
        while client.metric("cairn_listeners") > 0 {
            seq += 1;
            client.report(&net.report(&device, seq, 1_500));
        }
        Listener::to(&running, None).until(|heard| heard.name == "epoch");
        running.shutdown().unwrap();
    }
}

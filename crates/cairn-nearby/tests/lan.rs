//! Announcing and looking over real sockets: multicast on the loopback interface, at a free port.

#![allow(clippy::unwrap_used)]

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, UdpSocket};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use cairn_nearby::packet::{ANSWER_FLAGS, Data, IS_ANSWER, Message};
use cairn_nearby::{Announcement, Announcer, Found, GROUP, Offer, Place, found, look, query};
use rustix::net::{AddressFamily, SocketType, bind, socket, sockopt};

const ID: &str = "2f6c1b7a0e7d4c9db0a3c7a5f1e2d3c4b5a697887766554433221100ffeeddcc";
/// After this nothing will come any more.
const PATIENCE: Duration = Duration::from_secs(60);

/// A network of one machine, at a port that is kept for it, and somebody who hears what all are told there.
struct Lan {
    place: Place,
    listener: UdpSocket,
}

impl Lan {
    fn new() -> Self {
        let shared = socket(AddressFamily::INET, SocketType::DGRAM, None).unwrap();
        sockopt::set_socket_reuseaddr(&shared, true).unwrap();
        bind(&shared, &SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 0)).unwrap();
        sockopt::set_ip_multicast_if(&shared, &Ipv4Addr::LOCALHOST).unwrap();
        let listener = UdpSocket::from(shared);
        listener.join_multicast_v4(&GROUP, &Ipv4Addr::LOCALHOST).unwrap();
        listener.set_read_timeout(Some(PATIENCE)).unwrap();
        let port = listener.local_addr().unwrap().port();
        Self { place: Place { on: vec![Ipv4Addr::LOCALHOST], port }, listener }
    }

    /// A gateway that listens on this port.
    fn announcer(&self, port: u16) -> Announcer {
        let trouble = Box::new(|what: &str| panic!("{what}"));
        Announcer::start(announcement(port), self.place.clone(), trouble).unwrap()
    }

    /// Looks until so many gateways answer; panics when they do not come.
    fn gateways(&self, count: usize) -> Vec<Found> {
        let until = Instant::now() + PATIENCE;
        loop {
            let mut told = 0;
            let heard = look(&self.place, Duration::from_millis(1_200), |_| told += 1).unwrap();
            assert_eq!(told, heard.gateways.len(), "each is told of once, however often it answers");
            if told >= count {
                return heard.gateways;
            }
            assert!(Instant::now() < until, "{count} gateways should be heard: {heard:?}");
        }
    }

    /// The next packet that all are told or asked, and who said it.
    fn next(&self) -> (Message, SocketAddr) {
        let mut buffer = [0; 9_000];
        let (length, from) = self.listener.recv_from(&mut buffer).unwrap();
        (Message::read(&buffer[..length]).unwrap(), from)
    }

    /// The next answer to all.
    fn next_answer(&self) -> Message {
        std::iter::repeat_with(|| self.next().0).find(|message| message.flags & IS_ANSWER != 0).unwrap()
    }

    fn ask_all(&self, socket: &UdpSocket, packet: &[u8]) {
        sockopt::set_ip_multicast_if(socket, &Ipv4Addr::LOCALHOST).unwrap();
        socket.send_to(packet, (GROUP, self.place.port)).unwrap();
    }
}

fn announcement(port: u16) -> Announcement {
    let offer = Offer {
        name: format!("Town {port}"),
        network_id: ID.to_owned(),
        port,
        is_tls: false,
        host: None,
        version: "0.1.0".to_owned(),
    };
    Announcement::of(&offer, &format!("tag{port}")).unwrap()
}

fn nearby(message: &Message) -> Vec<Found> {
    found(message, Ipv4Addr::LOCALHOST, |address| address.is_loopback())
}

#[test]
fn who_looks_finds_every_gateway_once_and_none_that_is_gone() {
    let lan = Lan::new();
    assert_eq!(look(&lan.place, Duration::from_millis(50), |_| {}).unwrap().gateways, []);
    let (one, two) = (lan.announcer(4_001), lan.announcer(4_002));
    let urls = |all: Vec<Found>| all.into_iter().map(|found| (found.name, found.url)).collect::<Vec<_>>();
    let told = |port: u16| (format!("Town {port}"), format!("http://127.0.0.1:{port}"));
    assert_eq!(urls(lan.gateways(2)), [told(4_001), told(4_002)]);
    drop(two);
    assert_eq!(urls(lan.gateways(1)), [told(4_001)]);
    drop(one);
    assert_eq!(look(&lan.place, Duration::from_millis(50), |_| {}).unwrap().gateways, []);
}

#[test]
fn a_gateway_says_twice_that_it_is_there_and_once_that_it_goes() {
    let lan = Lan::new();
    let running = lan.announcer(4_003);
    for _ in 0..2 {
        assert_eq!(nearby(&lan.next_answer()).len(), 1);
    }
    drop(running);
    let last = lan.next_answer();
    assert!(!last.answers.is_empty() && last.answers.iter().all(|record| record.ttl_s == 0), "{last:?}");
}

#[test]
fn packets_of_strangers_change_nothing() {
    let lan = Lan::new();
    let _running = lan.announcer(4_004);
    lan.gateways(1);
    let stranger = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    stranger.set_read_timeout(Some(PATIENCE)).unwrap();
    let asked = query(7).write();
    for packet in [&[][..], &[0xff; 9_000], &asked[..asked.len() - 1], &[0xc0; 12]] {
        lan.ask_all(&stranger, packet);
    }
    // An answer is not answered, and a question is, under its number.
    lan.ask_all(&stranger, &Message { flags: ANSWER_FLAGS, ..query(8) }.write());
    lan.ask_all(&stranger, &query(9).write());
    let mut buffer = [0; 9_000];
    let length = stranger.recv(&mut buffer).unwrap();
    assert_eq!(Message::read(&buffer[..length]).unwrap().id, 9);
    assert_eq!(lan.gateways(1).len(), 1);
}

#[test]
fn an_answer_that_nobody_asked_for_is_not_heard_and_what_is_told_is_bounded() {
    let lan = Lan::new();
    let place = lan.place.clone();
    let (tell, told) = mpsc::channel();
    let looking = std::thread::spawn(move || {
        look(&place, Duration::from_secs(5), |found| tell.send(found.url.clone()).unwrap()).unwrap()
    });
    let (question, asker) = lan.next();
    let say = |id: u16, flags: u16, port: u16| {
        let said = Message { id, flags, ..announcement(port).hello(Ipv4Addr::LOCALHOST) };
        lan.listener.send_to(&said.write(), asker).unwrap();
    };
    say(question.id.wrapping_add(1), ANSWER_FLAGS, 1);
    say(question.id, 0, 2);
    say(question.id, ANSWER_FLAGS, 4_005);
    assert_eq!(told.recv_timeout(PATIENCE).unwrap(), "http://127.0.0.1:4005");
    (5_000..5_100).for_each(|port| say(question.id, ANSWER_FLAGS, port));
    let all = looking.join().unwrap();
    assert_eq!((all.gateways.len(), all.left_out), (32, 69));
}

#[test]
fn who_speaks_multicast_dns_is_answered_before_all() {
    let lan = Lan::new();
    let _running = lan.announcer(4_006);
    let _hellos = [lan.next_answer(), lan.next_answer()];
    // All are told something at most once a second.
    std::thread::sleep(Duration::from_millis(1_100));
    // From the port of multicast DNS itself.
    lan.ask_all(&lan.listener, &query(0).write());
    let answer = lan.next_answer();
    assert!(matches!(answer.answers[..], [ref pointer] if matches!(pointer.data, Data::Pointer(_))), "{answer:?}");
    assert_eq!((answer.id, nearby(&answer).len()), (0, 1));
}

#[test]
fn an_address_that_is_not_of_this_machine_is_refused() {
    let elsewhere = Place { on: vec![Ipv4Addr::new(203, 0, 113, 77)], ..Place::default() };
    assert_eq!(look(&elsewhere, Duration::ZERO, |_| {}).unwrap_err().code(), "LAN-ADDRESS");
    let trouble = Box::new(|_: &str| {});
    let refused = Announcer::start(announcement(1), elsewhere, trouble).err().unwrap();
    assert_eq!(refused.code(), "LAN-ADDRESS");
}

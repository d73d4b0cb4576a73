//! Announcing a gateway for as long as it runs.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::answer::Asker;
use crate::error::system;
use crate::interface::{self, Network};
use crate::packet::{Message, TOP_BIT};
use crate::{Announcement, GROUP, NearbyError, PACKET_BYTES_MAX, Place, socket};

/// How long a packet is waited for before anything else is looked after.
const LISTEN: Duration = Duration::from_millis(200);
/// How often it is looked which networks this machine is on.
const LOOK_EVERY: Duration = Duration::from_secs(15);
/// The pause between the two times that it says it is there, and the least between two answers to all (RFC 6762, sections 6, 8.3).
const PAUSE: Duration = Duration::from_secs(1);
/// The most answers by unicast in a second: enough for a site of nodes, and no weapon.
const ANSWERS_PER_S: u32 = 50;

/// What is told of what goes wrong while it runs, in words; it goes on.
pub type Trouble = Box<dyn Fn(&str) + Send>;

/// Announces until it is dropped, which takes it back.
pub struct Announcer {
    is_ending: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Announcer {
    /// Begins. Networks that this machine joins later are announced on too; those it is on now are not waited for.
    ///
    /// # Errors
    /// [`NearbyError`]: an address of `place` is not this machine's, or the port cannot be shared.
    pub fn start(announcement: Announcement, place: Place, trouble: Trouble) -> Result<Self, NearbyError> {
        interface::networks(&place)?;
        let socket = socket::shared(place.port)?;
        socket.set_read_timeout(Some(LISTEN)).map_err(system("wait for questions"))?;
        let is_ending = Arc::new(AtomicBool::new(false));
        let ending = is_ending.clone();
        let mut speaker = Speaker {
            socket,
            announcement,
            place,
            trouble,
            stages: BTreeMap::new(),
            networks: Vec::new(),
            answered: (Instant::now(), 0),
            last_trouble: String::new(),
        };
        let thread = std::thread::Builder::new().name("cairn-nearby".to_owned());
        let thread = thread.spawn(move || speaker.speak(&ending)).map_err(system("start a thread"))?;
        Ok(Self { is_ending, thread: Some(thread) })
    }
}

impl Drop for Announcer {
    fn drop(&mut self) {
        self.is_ending.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has nothing left to say.
            let _ = thread.join();
        }
    }
}

/// How far it is on one network.
struct Stage {
    /// When to say hello the second time.
    again_at: Option<Instant>,
    /// When all were last told something there.
    told: Instant,
}

struct Speaker {
    socket: UdpSocket,
    announcement: Announcement,
    place: Place,
    trouble: Trouble,
    networks: Vec<Network>,
    stages: BTreeMap<Ipv4Addr, Stage>,
    /// Answers by unicast in the second that began then.
    answered: (Instant, u32),
    last_trouble: String,
}

impl Speaker {
    fn speak(&mut self, is_ending: &AtomicBool) {
        let mut look_at = Instant::now();
        let mut buffer = vec![0; PACKET_BYTES_MAX];
        while !is_ending.load(Ordering::Relaxed) {
            if Instant::now() >= look_at {
                self.look();
                look_at = Instant::now() + LOOK_EVERY;
            }
            self.hello_again();
            match self.socket.recv_from(&mut buffer) {
                Ok((length, SocketAddr::V4(from))) => self.hear(&buffer[..length], from),
                Ok(_) => {}
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
                Err(error) => {
                    self.say(&format!("cannot hear who asks for gateways: {error}"));
                    std::thread::sleep(LISTEN);
                }
            }
        }
        for network in std::mem::take(&mut self.networks) {
            self.tell_all(&network, &self.announcement.goodbye(network.address));
        }
    }

    /// Joins networks that are new, and forgets those that are gone.
    fn look(&mut self) {
        let networks = match interface::networks(&self.place) {
            Ok(networks) => networks,
            // An address that this machine had, and may have again.
            Err(NearbyError::NotHere { .. }) => Vec::new(),
            Err(error) => return self.say(&error.to_string()),
        };
        self.stages.retain(|address, _| networks.iter().any(|network| network.address == *address));
        self.networks.clear();
        for network in networks {
            if !self.stages.contains_key(&network.address) {
                let joined = self.socket.join_multicast_v4(&GROUP, &network.address);
                // An interface that went and came is joined still.
                if let Err(error) = joined
                    && error.kind() != ErrorKind::AddrInUse
                {
                    self.say(&format!("cannot announce the gateway on the network of {}: {error}", network.address));
                    continue;
                }
                let now = Instant::now();
                self.stages.insert(network.address, Stage { again_at: Some(now + PAUSE), told: now });
                self.tell_all(&network, &self.announcement.hello(network.address));
            }
            self.networks.push(network);
        }
    }

    fn hello_again(&mut self) {
        let now = Instant::now();
        for network in self.networks.clone() {
            let Some(stage) = self.stages.get_mut(&network.address) else { continue };
            if stage.again_at.take_if(|at| *at <= now).is_some() {
                stage.told = now;
                self.tell_all(&network, &self.announcement.hello(network.address));
            }
        }
    }

    /// Answers one who asks from a network of this machine; nobody else.
    fn hear(&mut self, packet: &[u8], from: SocketAddrV4) {
        let Some(network) = interface::of(&self.networks, *from.ip()).copied() else { return };
        let Ok(query) = Message::read(packet) else { return };
        let asker = if from.port() == self.place.port { Asker::Peer } else { Asker::Once };
        let Some(answer) = self.announcement.answer(&query, asker, network.address) else { return };
        let is_alone = asker == Asker::Once || query.questions.iter().all(|question| question.class & TOP_BIT != 0);
        if is_alone {
            if self.may_answer() {
                // One who is gone does not wait for it.
                let _ = self.socket.send_to(&answer.write(), from);
            }
        } else if let Some(stage) = self.stages.get_mut(&network.address)
            && stage.told.elapsed() >= PAUSE
        {
            stage.told = Instant::now();
            self.tell_all(&network, &answer);
        }
    }

    fn may_answer(&mut self) -> bool {
        if self.answered.0.elapsed() >= Duration::from_secs(1) {
            self.answered = (Instant::now(), 0);
        }
        self.answered.1 = self.answered.1.saturating_add(1);
        self.answered.1 <= ANSWERS_PER_S
    }

    fn tell_all(&mut self, network: &Network, message: &Message) {
        if let Err(error) = socket::tell_all(&self.socket, network.address, self.place.port, &message.write()) {
            self.say(&format!("cannot announce the gateway on the network of {}: {error}", network.address));
        }
    }

    /// Says what goes wrong, once until something else does.
    fn say(&mut self, what: &str) {
        if self.last_trouble != what {
            (self.trouble)(what);
            what.clone_into(&mut self.last_trouble);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Heard, Offer, query};

    fn speaker(networks: Vec<Network>) -> Speaker {
        let offer = Offer {
            name: "Town".to_owned(),
            network_id: "00".repeat(32),
            port: 4_000,
            is_tls: false,
            host: None,
            version: String::new(),
        };
        Speaker {
            socket: socket::own().unwrap(),
            announcement: Announcement::of(&offer, "1").unwrap(),
            place: Place::default(),
            trouble: Box::new(|what| panic!("{what}")),
            networks,
            stages: BTreeMap::new(),
            answered: (Instant::now(), 0),
            last_trouble: String::new(),
        }
    }

    const LOOPBACK: Network = Network { address: Ipv4Addr::LOCALHOST, mask: 0xff00_0000 };
    const ELSEWHERE: Network = Network { address: Ipv4Addr::new(192, 168, 7, 20), mask: 0xffff_ff00 };

    #[test]
    fn who_is_not_on_the_network_is_neither_heard_nor_answered() {
        let asker = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        asker.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        let SocketAddr::V4(from) = asker.local_addr().unwrap() else { panic!() };
        let mut speaker = speaker(vec![ELSEWHERE]);
        speaker.hear(&query(1).write(), from);
        speaker.networks = vec![LOOPBACK];
        speaker.hear(&query(2).write(), from);
        let mut buffer = [0; PACKET_BYTES_MAX];
        let length = asker.recv(&mut buffer).unwrap();
        assert_eq!(Message::read(&buffer[..length]).unwrap().id, 2, "the first one is not answered");

        let answer = &buffer[..length];
        let stranger = SocketAddrV4::new(Ipv4Addr::new(192, 168, 8, 20), from.port());
        for (networks, from, count) in [([ELSEWHERE], from, 0), ([LOOPBACK], stranger, 0), ([LOOPBACK], from, 1)] {
            let mut heard = Heard::default();
            heard.take(answer, from.into(), 2, &networks, &mut |_| {});
            assert_eq!(heard.gateways.len(), count, "{networks:?} {from}");
        }
    }

    #[test]
    fn a_crowd_of_askers_is_answered_up_to_a_bound() {
        let mut speaker = speaker(vec![LOOPBACK]);
        // A second that is not over.
        speaker.answered.0 = Instant::now() + Duration::from_secs(3_600);
        let answered = (0..1_000).filter(|_| speaker.may_answer()).count();
        assert_eq!(answered, 50);
        speaker.answered.0 = Instant::now() - Duration::from_secs(1);
        assert!(speaker.may_answer());
    }
}

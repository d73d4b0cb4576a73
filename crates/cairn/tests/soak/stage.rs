//! What all senders share during one life of the process, and what attackers know of the network.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use cairn_core::DeviceId;
use cairn_core::key::SecretKey;

use crate::books::Books;
use crate::network::Facts;
use crate::plan::Random;

/// Reports and statements that attackers remember.
const KNOWN_MAX: usize = 400;

/// One life of the process.
pub struct Stage<'a> {
    pub address: SocketAddr,
    pub books: &'a Books,
    pub facts: &'a Facts,
    pub gossip: &'a Gossip,
    /// Reports in 1,000 s of each honest sender while paced; half as many requests of each hostile one.
    pub rate_mhz: u64,
    /// The process is about to be ended: connections may break, and submissions be refused.
    pub is_ending: AtomicBool,
    /// Everybody goes home.
    pub is_over: AtomicBool,
    /// Nobody paces himself; who sends too fast is told so.
    pub is_full_speed: AtomicBool,
    /// Nobody waits between two requests, so that some are under way when the process is killed.
    pub is_hasty: AtomicBool,
    /// Whether rates may be met: set with the first phase at full speed, and for ever.
    pub may_meet_rates: bool,
    /// Only what is owed is sent: what was not answered, and what was told to come later.
    pub is_closing: bool,
    /// Honest requests answered.
    pub requests: AtomicU64,
}

impl<'a> Stage<'a> {
    /// The stage of a process at an address, before anybody sends.
    pub const fn of(
        address: SocketAddr,
        books: &'a Books,
        facts: &'a Facts,
        gossip: &'a Gossip,
        rate_mhz: u64,
    ) -> Self {
        Self {
            address,
            books,
            facts,
            gossip,
            rate_mhz,
            is_ending: AtomicBool::new(false),
            is_over: AtomicBool::new(false),
            is_full_speed: AtomicBool::new(false),
            is_hasty: AtomicBool::new(false),
            may_meet_rates: false,
            is_closing: false,
            requests: AtomicU64::new(0),
        }
    }

    pub fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Relaxed) || self.books.is_hopeless()
    }

    pub fn is_ending(&self) -> bool {
        self.is_ending.load(Ordering::Relaxed) || self.is_over()
    }

    pub fn is_full_speed(&self) -> bool {
        self.is_full_speed.load(Ordering::Relaxed)
    }

    /// Waits as long as so many actions take, unless nobody paces himself; never long, so that ends are noticed.
    pub fn pace(&self, actions: u64, rate_mhz: u64) {
        let until = Instant::now() + Duration::from_micros(actions * 1_000_000_000 / rate_mhz.max(1));
        while !self.is_ending() && !self.is_full_speed() && !self.is_hasty.load(Ordering::Relaxed) {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            std::thread::sleep(left.min(Duration::from_millis(20)));
        }
    }

    /// Waits, and notices in time when everybody goes home.
    pub fn wait(&self, long: Duration) {
        let until = Instant::now() + long;
        while !self.is_ending() {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            std::thread::sleep(left.min(Duration::from_millis(50)));
        }
    }
}

/// A device as its attackers know it: everything, and even its key, which only replays and other networks use.
#[derive(Clone)]
pub struct Card {
    pub id: DeviceId,
    pub key: SecretKey,
    /// The key before the last rotation.
    pub former: Option<SecretKey>,
    /// When it was made, which is before it was enrolled; ms since 1970 UTC.
    pub made_ms: u64,
}

/// A report that was accepted.
#[derive(Clone)]
pub struct Known {
    pub bytes: Vec<u8>,
    pub key: SecretKey,
    pub device: DeviceId,
}

/// What is said of the network by those who watch it.
#[derive(Default)]
pub struct Gossip {
    cards: Mutex<Vec<Card>>,
    reports: Mutex<VecDeque<Known>>,
    statements: Mutex<VecDeque<Vec<u8>>>,
}

fn keep<T>(queue: &Mutex<VecDeque<T>>, item: T) {
    let mut queue = queue.lock().unwrap();
    queue.push_back(item);
    while queue.len() > KNOWN_MAX {
        queue.pop_front();
    }
}

fn one_of<T: Clone>(queue: &Mutex<VecDeque<T>>, random: &mut Random) -> Option<T> {
    let queue = queue.lock().unwrap();
    (!queue.is_empty()).then(|| queue[random.at(queue.len())].clone())
}

impl Gossip {
    /// Tells of a device, or what is new of it.
    pub fn device(&self, card: Card) {
        let mut cards = self.cards.lock().unwrap();
        match cards.iter_mut().find(|known| known.id == card.id) {
            Some(known) => *known = card,
            None => cards.push(card),
        }
    }

    /// A device has gone.
    pub fn retired(&self, id: DeviceId) {
        self.cards.lock().unwrap().retain(|card| card.id != id);
    }

    pub fn a_device(&self, random: &mut Random) -> Option<Card> {
        let cards = self.cards.lock().unwrap();
        (!cards.is_empty()).then(|| cards[random.at(cards.len())].clone())
    }

    pub fn report(&self, known: Known) {
        keep(&self.reports, known);
    }

    pub fn a_report(&self, random: &mut Random) -> Option<Known> {
        one_of(&self.reports, random)
    }

    pub fn statement(&self, bytes: Vec<u8>) {
        keep(&self.statements, bytes);
    }

    pub fn a_statement(&self, random: &mut Random) -> Option<Vec<u8>> {
        one_of(&self.statements, random)
    }
}

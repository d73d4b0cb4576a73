//! Sending what waits, until a promise is held; and making receipts of promises.
//!
//! What it promises:
//! * An item leaves the queue only when the network has promised to keep it, under the pinned promise key, and that promise is on disk;
//!   or when it was refused for good, and is set aside with the reason. No one gateway's word is enough for that where another one
//!   can be asked, and nobody is believed who refuses everything.
//! * Reports are sent in the order in which they were measured, under names that are durable, and again with the same payload until
//!   they are answered for: to another gateway where one fails.
//! * Nobody is flooded: one request at a time, small ones after an outage, full jitter between attempts, and a gateway that asks
//!   for a wait is given it.
//! * A report that is refused holds up those behind it while another gateway can be asked, for a bounded time, and no longer.
//! * Promises become receipts that were checked with nothing but the log's key. What shows that one was broken is kept.
//!
//! What it does not do: send a report again whose promise was broken; that is a matter for the contributor, who is told.
//!
//! A report is named, dated and flagged *backfilled* when it is first sent. So the few that were on their way when an outage
//! began are not flagged, though they arrive late: whether the network took them nobody knows who has no signed answer, and another
//! content under the same name would be a conflict, the same under another name a repetition.
//!
//! [`Sender::step`] does what is due and says when to come again, so that tests run it on a virtual clock; [`Sender::run`] is the
//! thread of a real one. `cairn node` shares [`Sender::status`] with whoever asks.

mod again;
mod answer;
pub mod aside;
mod config;
mod doubt;
mod files;
mod gateway;
mod http;
pub mod keep;
mod keys;
mod pace;
mod receipts;
mod refusals;
mod seal;
mod sending;
mod status;
mod upgrade;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aside::Aside;
use cairn_core::{DeviceId, NetworkId};
use cairn_log::Disk;
pub use config::RefusedConfig;
use doubt::Doubt;
pub use gateway::{Gateway, Keys, Taken, Trouble};
pub use http::HttpGateway;
use keep::Keep;
use pace::{Batch, Health, Jitter};
use receipts::Receipts;
pub use refusals::{REFUSALS_MAX, Refusal, Refusals};
use seal::Dating;
pub use status::{GatewayStatus, LastPromise, SendEvent, SendStatus, Told};

use crate::{Clock, EdgeError, Queue, Signer, Stamp, Stop};

/// The wait after something went wrong on this side.
const OWN_WAIT_MS: u64 = 5_000;
/// How sending is done.
#[derive(Debug, Clone)]
pub struct SendOptions {
    /// The most reports in one request.
    pub batch_max: usize,
    /// The most bytes of payloads in one request.
    pub batch_bytes_max: usize,
    /// The time between two requests while there is more to send, in ms.
    pub pace_ms: u64,
    /// How often an empty queue is looked at, in ms.
    pub idle_ms: u64,
    /// How long something that was measured while the time was not known waits for the clock, in ms. After that its report
    /// claims no time.
    pub clock_wait_ms: u64,
    /// From what age on a report carries the flag *backfilled*, in ms.
    pub backfilled_after_ms: u64,
    /// How long a report is sent again that is refused for what may change (the device is not enrolled, its key is not the
    /// enrolled one), in ms; after that it is refused for good.
    pub patience_ms: u64,
    /// The age of the oldest promise from which on receipts are asked for, in ms.
    pub upgrade_after_ms: u64,
    /// The most receipts that are asked for at once.
    pub upgrades_max: usize,
    /// The most bytes of promises and receipts on disk.
    pub keep_bytes_max: u64,
    /// For how long every other gateway has to be out of reach before one alone is believed that refuses a report for good, in ms.
    pub second_after_ms: u64,
    /// So many refusals for good one after the other, and no promise in between, are believed of no gateway; it is left alone, and
    /// tried now and then.
    pub refused_in_a_row: u32,
    /// The most bytes of refused reports that are set aside on disk.
    pub aside_bytes_max: u64,
    /// The keys of the network, where they are known beforehand. Otherwise those that the first gateway names are believed, kept,
    /// and never changed.
    pub keys: Option<Keys>,
    /// What jitter is made of; another one on each machine.
    pub seed: u64,
}

impl Default for SendOptions {
    fn default() -> Self {
        Self {
            batch_max: 100,
            batch_bytes_max: 256 << 10,
            pace_ms: 200,
            idle_ms: 1_000,
            clock_wait_ms: 2 * 60_000,
            backfilled_after_ms: 10 * 60_000,
            patience_ms: 24 * 60 * 60_000,
            upgrade_after_ms: 60_000,
            upgrades_max: 32,
            keep_bytes_max: 8 << 20,
            second_after_ms: 15 * 60_000,
            refused_in_a_row: 20,
            aside_bytes_max: 8 << 20,
            keys: None,
            seed: 0,
        }
    }
}

/// A queue that several threads share.
pub type SharedQueue = Arc<Mutex<Queue>>;

/// Hears what happens while sending.
pub type Events = Box<dyn FnMut(&SendEvent) + Send>;

/// Who sends, and with what.
pub struct Sending {
    /// What waits.
    pub queue: SharedQueue,
    /// The folder of promises, receipts and refusals; it may be the queue's.
    pub disk: Arc<dyn Disk>,
    /// Who signs.
    pub signer: Arc<dyn Signer>,
    /// The device.
    pub device: DeviceId,
    /// The network.
    pub network: NetworkId,
    /// The ways to it, the preferred ones first.
    pub gateways: Vec<Box<dyn Gateway>>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// Who hears of it.
    pub events: Events,
}

struct Way {
    gateway: Box<dyn Gateway>,
    /// Whether it was asked for the network's keys.
    is_known: bool,
}

/// A report on its way.
struct Parcel {
    ordinal: u64,
    payload: Vec<u8>,
}

/// Sends what waits in a queue.
pub struct Sender {
    with: Sending,
    ways: Vec<Way>,
    health: Vec<Health>,
    options: SendOptions,
    dating: Dating,
    keys: Option<Keys>,
    keep: Keep,
    aside: Aside,
    refusals: Refusals,
    jitter: Jitter,
    batch: Batch,
    current: usize,
    /// Whether the network was asked, in this start, what names it knows.
    has_heard: bool,
    /// What was answered "not now": since when, and until when it is left alone, ms since this start.
    later: BTreeMap<u64, (u64, u64)>,
    /// What was refused and is not believed yet, by place.
    doubts: BTreeMap<u64, Doubt>,
    /// Since when there was always somebody who could be reached, ms since this start.
    reached_since_ms: Option<u64>,
    /// When it is looked again whether what was set aside is asked for, ms since this start.
    again_at_ms: u64,
    /// The network's clock less this start's, in ms.
    offset_ms: Option<i128>,
    own: Option<(u64, Told)>,
    receipt: Receipts,
    last_promise: Option<LastPromise>,
    stuck_since_ms: Option<u64>,
    status: Arc<Mutex<SendStatus>>,
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Sender {
    /// Begins where the last start ended.
    ///
    /// # Errors
    /// [`EdgeError`]: the disk's, or keys that are not those of the folder.
    pub fn open(mut with: Sending, options: SendOptions) -> Result<Self, EdgeError> {
        let keys = match keys::read(&*with.disk, with.network)? {
            Some(kept) if options.keys.as_ref().is_some_and(|given| !keys::same(given, &kept)) => {
                return Err(EdgeError::Damaged {
                    file: keys::KEYS.to_owned(),
                    what: "it holds other keys than those given",
                });
            }
            kept => options.keys.clone().or(kept),
        };
        let mut ways: Vec<Way> = Vec::new();
        for gateway in core::mem::take(&mut with.gateways) {
            // One that is named twice is one, and not its own witness.
            if ways.iter().all(|way| way.gateway.name() != gateway.name()) {
                ways.push(Way { gateway, is_known: false });
            }
        }
        let now = with.clock.now();
        let sender = Self {
            keep: Keep::open(Arc::clone(&with.disk), options.keep_bytes_max)?,
            aside: Aside::open(Arc::clone(&with.disk), options.aside_bytes_max)?,
            refusals: Refusals::read(&*with.disk)?,
            health: ways.iter().map(|_| Health::default()).collect(),
            ways,
            dating: Dating { clock_wait_ms: options.clock_wait_ms, backfilled_after_ms: options.backfilled_after_ms },
            keys,
            jitter: Jitter(options.seed),
            batch: Batch::of(options.batch_max),
            current: 0,
            has_heard: false,
            later: BTreeMap::new(),
            doubts: BTreeMap::new(),
            reached_since_ms: None,
            again_at_ms: 0,
            offset_ms: None,
            own: None,
            receipt: Receipts::from(now.boot_ms.saturating_add(options.upgrade_after_ms)),
            last_promise: None,
            stuck_since_ms: None,
            status: Arc::default(),
            options,
            with,
        };
        sender.publish();
        Ok(sender)
    }

    /// How it stands, to be read by others at any time.
    #[must_use]
    pub fn status(&self) -> Arc<Mutex<SendStatus>> {
        Arc::clone(&self.status)
    }

    /// Sends until `stop` is set. What waits then stays in the queue.
    pub fn run(&mut self, stop: &Stop) {
        while !stop.is_set() {
            let again_ms = self.step();
            let wait_ms = again_ms.saturating_sub(self.with.clock.now().boot_ms).min(self.options.idle_ms);
            if stop.wait(Duration::from_millis(wait_ms)) {
                break;
            }
        }
        // What is not written is sent again and answered as known.
        let _ = lock(&self.with.queue).flush();
    }

    /// Does what is due, at most one request of reports and one round of receipts. Answers when to come again, ms since this start;
    /// earlier is in order, such as when something was pushed.
    pub fn step(&mut self) -> u64 {
        let now = self.with.clock.now();
        let again_ms = match self.queue_again(now) {
            Ok(at_ms) => at_ms,
            Err(error) => self.own_trouble(now, &error),
        };
        let send_ms = self.send_or_say(now).min(again_ms);
        let now = self.with.clock.now();
        let upgrade_ms = match self.upgrade_due(now) {
            Ok(at_ms) => at_ms,
            Err(error) => self.own_trouble(now, &error),
        };
        self.publish();
        send_ms.min(upgrade_ms).max(now.boot_ms)
    }

    fn send_or_say(&mut self, now: Stamp) -> u64 {
        if let Some((until_ms, _)) = self.own.as_ref().filter(|(until_ms, _)| now.boot_ms < *until_ms) {
            return *until_ms;
        }
        match self.send(now) {
            Ok(at_ms) => {
                if self.own.take().is_some() {
                    (self.with.events)(&SendEvent::Over { gateway: None });
                }
                at_ms
            }
            Err(error) => self.own_trouble(now, &error),
        }
    }

    fn own_trouble(&mut self, now: Stamp, error: &EdgeError) -> u64 {
        let hint = error.hint().map(str::to_owned);
        let trouble = Trouble { hint, ..Trouble::of(error.code(), error.to_string()) };
        let again_ms = now.boot_ms.saturating_add(OWN_WAIT_MS);
        let is_said = self.own.as_ref().is_some_and(|(_, told)| told.code == trouble.code);
        self.own = Some((again_ms, Told::of(&trouble, now.boot_ms)));
        if !is_said {
            (self.with.events)(&SendEvent::Trouble { gateway: None, trouble });
        }
        again_ms
    }

    fn publish(&self) {
        let mut status = SendStatus::default();
        {
            let queue = lock(&self.with.queue);
            let counts = queue.counts();
            (status.waiting, status.queue_bytes, status.queue_bytes_max) =
                (queue.len(), queue.bytes(), queue.limits().bytes_max);
            (status.taken, status.promised, status.refused, status.lost) =
                (counts.taken, counts.promised, counts.refused, counts.lost);
        }
        status.keep(self.keep.counts(), self.aside.counts(), &self.refusals);
        status.doubted = self.doubts.len() as u64;
        status.last_promise.clone_from(&self.last_promise);
        status.stuck_since_boot_ms = self.stuck_since_ms;
        status.own_error = self.own.as_ref().map(|(_, told)| told.clone());
        status.receipt_error.clone_from(&self.receipt.error);
        let gateways = self.ways.iter().zip(&self.health).enumerate().map(|(number, (way, health))| GatewayStatus {
            name: way.gateway.name(),
            failures: health.failures,
            taken_boot_ms: health.taken_ms,
            last_error: health.last.as_ref().map(|(boot_ms, trouble)| Told::of(trouble, *boot_ms)),
            refused_in_a_row: health.refused_in_a_row,
            is_refusing: self.is_refusing(number),
        });
        status.gateways = gateways.collect();
        *lock(&self.status) = status;
    }
}

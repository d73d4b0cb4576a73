//! A network in memory behind gateways that fail as they are told to, and the clock of it all.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};

use cairn_api::{ResultRow, ResultStatus};
use cairn_core::cbor::Value;
use cairn_core::ed25519::SigningKey;
use cairn_core::entry::{Entry, EntryKind};
use cairn_core::report::{ClockSource, Report, ReportBody};
use cairn_core::{DeviceId, Hash};
use cairn_edge::queue::{Queue, QueueLimits};
use cairn_edge::send::aside::is_asked;
use cairn_edge::send::{Gateway, Keys, SendEvent, SendOptions, Sender, Sending, SharedQueue, Taken, Trouble};
use cairn_edge::{Clock, EdgeError, Item, Stamp, When};
use cairn_merkle::proof::inclusion_proof;
use cairn_merkle::tree::leaf_hash;
use cairn_merkle::{Checkpoint, MemoryTree, NoteSigner, Promise, Receipt};
use cairn_testkit::disk::FaultyDisk;
use cairn_testkit::network::{CLASS, DAY_MS, MemoryNetwork, SeededDevice, Terms, policy};

pub const HOUR_MS: u64 = 3_600_000;
const ORIGIN: &str = "test.invalid/memory";

/// What a gateway does once instead of its work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// It cannot be reached.
    Down,
    /// It takes everything, and its answer is lost.
    LoseAnswer,
    /// It asks for a wait of so many ms.
    Busy(u64),
    /// It takes so many reports; the others come too fast, and are to come again after 2 s.
    TooFast(usize),
    /// It takes no more than so many reports at once.
    TooMany(usize),
    /// It takes everything and promises nothing.
    NoPromise,
    /// Its promise is for another network.
    OtherNetwork,
    /// Its promise is signed by somebody else.
    OtherKey,
    /// It promises every report the place and the leaf of entry 0.
    SomethingElse,
    /// It refuses for good, with this code, all reports from this one on, and takes none of these.
    Refuse(usize, &'static str),
    /// It takes all, and says of all from this one on that it refuses them for good.
    RefuseTaken(usize, &'static str),
    /// It refuses for good the reports with these bits in their number within the request, and takes the others.
    RefuseSome(u64, &'static str),
}

impl Act {
    /// Whether and how the report at this place of a request is refused, and whether it is taken all the same.
    fn refuses(self, place: usize) -> Option<(&'static str, bool)> {
        match self {
            Self::Refuse(from, code) if place >= from => Some((code, false)),
            Self::RefuseTaken(from, code) if place >= from => Some((code, true)),
            Self::RefuseSome(bits, code) if bits >> (place % 64) & 1 == 1 => Some((code, false)),
            _ => None,
        }
    }
}

/// What a gateway that lies says.
const LIES: [&str; 5] = ["RPT-TOO-LATE", "CLS-RANGE", "RPT-REFUSED", "RPT-CONFLICT", "RPT-FUTURE"];
/// The gateways of a world.
pub const GATEWAYS: usize = 3;
/// No gateway fails more often than this in a row by chance: nobody is out of reach for long.
const MISHAPS_MAX: u32 = 5;

pub struct World {
    pub network: MemoryNetwork,
    pub device: SeededDevice,
    /// ms since 1970 UTC.
    pub now_ms: u64,
    started_ms: u64,
    pub knows_time: bool,
    pub random: u64,
    /// What each gateway does next, one for each submission; then its work.
    pub acts: [VecDeque<Act>; GATEWAYS],
    /// Whether nobody can be reached.
    pub is_cut_off: bool,
    /// Of 1,000 submissions, how many go wrong in one way or another.
    pub bad_ppt: u64,
    mishaps: [u32; GATEWAYS],
    /// The gateway that lies, and of 1,000 submissions, how often.
    pub liar: Option<(usize, u64)>,
    /// Whether a gateway cannot be reached.
    pub is_down: [bool; GATEWAYS],
    /// How many gateways the device names, and whether all by one name.
    pub named: usize,
    pub is_one_name: bool,
    /// Reports that were refused while some behind them in the same request were taken, by their payloads; and such requests.
    pub picked: BTreeSet<Hash>,
    pub picks: u64,
    /// Number of reports, and when, of each submission that arrived at a gateway.
    pub submissions: Vec<(usize, u64, usize)>,
    known: BTreeMap<Hash, u64>,
    published: Option<Published>,
    leaves: Vec<Hash>,
    told_boot: Option<u32>,
    /// The log shows another leaf at this index.
    pub forged: Option<u64>,
    pub other_log_key: bool,
}

struct Published {
    until_ms: u64,
    size: u64,
    tree: MemoryTree,
    checkpoint: String,
}

pub type Shared = Arc<Mutex<World>>;

pub fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap()
}

fn signer(name: &str, seed: u8) -> NoteSigner {
    NoteSigner::new(name, SigningKey::from_seed([seed; 32])).unwrap()
}

pub fn keys(network: &MemoryNetwork) -> Keys {
    let verifier = |name: &str, seed| signer(name, seed).verifier().clone();
    Keys { network: network.id, log: verifier(ORIGIN, 253), promises: verifier(&format!("{ORIGIN}/promise"), 254) }
}

impl World {
    /// A network with days for epochs that takes reports of ten of them back, and one enrolled device.
    pub fn of(seed: u64) -> Shared {
        let terms = Terms { zero_ms: 1_000 * DAY_MS, epoch_ms: DAY_MS, grace_ms: 2 * HOUR_MS };
        let policy = policy(2).replace("late_epochs = 4", "late_epochs = 10");
        let clock = cairn_core::key::SecretKey::ed25519([252; 32]);
        let network = MemoryNetwork::under(terms, &policy, cairn_classes::sensing::SENSING_HOURLY, clock);
        let now_ms = terms.zero_ms;
        let world = Self {
            network,
            device: SeededDevice::of(1),
            now_ms,
            started_ms: now_ms,
            knows_time: true,
            random: seed,
            acts: [VecDeque::new(), VecDeque::new(), VecDeque::new()],
            is_cut_off: false,
            bad_ppt: 0,
            mishaps: [0; GATEWAYS],
            liar: None,
            is_down: [false; GATEWAYS],
            named: 2,
            is_one_name: false,
            picked: BTreeSet::new(),
            picks: 0,
            submissions: Vec::new(),
            known: BTreeMap::new(),
            published: None,
            leaves: Vec::new(),
            told_boot: None,
            forged: None,
            other_log_key: false,
        };
        Arc::new(Mutex::new(world))
    }

    pub fn enrol(&mut self) {
        self.network.now_ms = self.network.now_ms.max(self.now_ms);
        let statement = self.network.enrolment(&self.device, 500_000_000, 100_000_000);
        self.network.log(EntryKind::Statement, &statement.encode());
    }

    pub fn below(&mut self, bound: u64) -> u64 {
        self.random = self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.random >> 33) % bound
    }

    fn stamp(&self) -> Stamp {
        let wall = self.knows_time.then_some((self.now_ms, ClockSource::Ntp, 20));
        Stamp { boot_ms: self.now_ms - self.started_ms, wall }
    }

    /// The process begins now.
    pub fn start(&mut self) {
        self.started_ms = self.now_ms;
    }

    /// Moves the time on to a moment of this start.
    pub fn pass_to_boot(&mut self, boot_ms: u64) {
        self.now_ms = self.now_ms.max(self.started_ms + boot_ms);
    }

    /// The device's reports that count, in the order of the log.
    pub fn logged(&self) -> Vec<ReportBody> {
        let valid = self.network.entries.iter().zip(&self.network.refusals).filter(|(_, refusal)| refusal.is_none());
        let entries = valid.map(|(bytes, _)| Entry::decode(bytes).unwrap());
        let reports = entries.filter(|entry| entry.kind == EntryKind::Report);
        reports.map(|entry| Report::parse(entry.body).unwrap().body).collect()
    }

    /// Brings the log up to now: closes what is due.
    pub fn settle_log(&mut self) {
        if self.network.fold.due(self.now_ms) {
            self.network.pass_to(self.now_ms);
        }
        self.network.now_ms = self.network.now_ms.max(self.now_ms);
    }

    fn take(&mut self, report: &[u8]) -> ResultRow {
        let row = |status, index| ResultRow { status, index, code: None, detail: None, hint: None };
        let parsed = Report::parse(report).unwrap();
        let payload = Hash::of(parsed.sign1.payload);
        if let Some(index) = self.known.get(&payload) {
            return row(ResultStatus::Duplicate, Some(*index));
        }
        let entry = Entry { kind: EntryKind::Report, received_ms: self.network.now_ms, body: report };
        if let Err(refusal) = self.network.fold.check(&entry) {
            let (code, detail) = (Some(refusal.code.to_owned()), Some(refusal.detail));
            return ResultRow { status: ResultStatus::Rejected, index: None, code, detail, hint: None };
        }
        let (index, refusal) = self.network.log(EntryKind::Report, report);
        assert_eq!(refusal, None);
        self.known.insert(payload, index);
        self.told_boot = self.told_boot.max(Some(parsed.body.boot));
        row(ResultStatus::Accepted, Some(index))
    }

    fn promise(&self, rows: &[ResultRow], act: Option<Act>) -> String {
        let indices = rows.iter().filter_map(|row| row.index);
        let entries: Vec<(u64, Hash)> = match act {
            Some(Act::NoPromise) => Vec::new(),
            Some(Act::SomethingElse) => indices.map(|index| (index, leaf_hash(&self.network.entries[0]))).collect(),
            _ => indices.map(|index| (index, leaf_hash(&self.network.entries[index as usize]))).collect(),
        };
        if entries.is_empty() {
            return String::new();
        }
        let network = if act == Some(Act::OtherNetwork) { Hash([9; 32]) } else { self.network.id.0 };
        let seed = if act == Some(Act::OtherKey) { 7 } else { 254 };
        Promise { network, entries }.sign(&signer(&format!("{ORIGIN}/promise"), seed)).unwrap()
    }

    fn submit(&mut self, number: usize, reports: &[Vec<u8>]) -> Result<Taken, Trouble> {
        let latency_ms = 20 + self.below(400);
        self.now_ms += latency_ms;
        let down = || Trouble::of("NET-CONNECTION", "nobody answers");
        if self.is_cut_off || self.is_down[number] {
            return Err(down());
        }
        let act = self.acts[number].pop_front().or_else(|| self.mishap(number, reports.len()));
        self.submissions.push((number, self.now_ms, reports.len()));
        let mut most = reports.len();
        match act {
            Some(Act::Down) => return Err(down()),
            Some(Act::Busy(wait_ms)) => {
                return Err(Trouble { wait_ms: Some(wait_ms), ..Trouble::of("NET-BUSY", "later") });
            }
            Some(Act::TooMany(limit)) if reports.len() > limit => return Err(Trouble::of("NET-TOO-MANY", "fewer")),
            Some(Act::TooFast(limit)) => most = limit,
            _ => {}
        }
        self.settle_log();
        let lies = |place| act.and_then(|act| act.refuses(place));
        let mut rows: Vec<ResultRow> = Vec::new();
        for (place, report) in reports.iter().take(most).enumerate() {
            let taken = if matches!(lies(place), Some((_, false))) { None } else { Some(self.take(report)) };
            rows.push(match (lies(place), taken) {
                (None, Some(row)) => row,
                (lie, _) => rejected(lie.unwrap().0),
            });
        }
        self.pick(reports, &rows);
        rows.resize(reports.len(), rejected("RPT-RATE"));
        let promise = self.promise(&rows, act);
        self.now_ms += latency_ms;
        match act {
            Some(Act::LoseAnswer) => Err(down()),
            _ => Ok(Taken { rows, promise, wait_ms: (most < reports.len()).then_some(2_000) }),
        }
    }

    /// Notes what was put behind others by a gateway that took these and not it.
    fn pick(&mut self, reports: &[Vec<u8>], rows: &[ResultRow]) {
        let Some(last) = rows.iter().rposition(|row| row.index.is_some()) else { return };
        let refused = rows[..last].iter().zip(reports).filter(|(row, _)| row.index.is_none());
        let picked: Vec<Hash> =
            refused.map(|(_, report)| Hash::of(Report::parse(report).unwrap().sign1.payload)).collect();
        self.picks += u64::from(!picked.is_empty());
        self.picked.extend(picked);
    }

    fn lie(&mut self, count: usize) -> Act {
        let code = LIES[self.below(LIES.len() as u64) as usize];
        match self.below(4) {
            0 => Act::Refuse(0, code),
            1 => Act::Refuse(self.below(count as u64) as usize, code),
            2 => Act::RefuseTaken(self.below(count as u64) as usize, code),
            _ => Act::RefuseSome(self.below(u64::from(u32::MAX)), code),
        }
    }

    fn mishap(&mut self, number: usize, count: usize) -> Option<Act> {
        if let Some((liar, ppt)) = self.liar
            && liar == number
            && self.below(1_000) < ppt
        {
            return Some(self.lie(count));
        }
        if self.below(1_000) >= self.bad_ppt || self.mishaps[number] >= MISHAPS_MAX {
            self.mishaps[number] = 0;
            return None;
        }
        self.mishaps[number] += 1;
        Some(match self.below(5) {
            0 => Act::Down,
            1 | 2 => Act::LoseAnswer,
            3 => Act::Busy(self.below(30_000)),
            _ => Act::TooFast(usize::try_from(self.below(count as u64 + 1)).unwrap()),
        })
    }

    /// A checkpoint every ten minutes.
    fn publish(&mut self) {
        let size = self.network.entries.len();
        let is_due = |last: &Published| last.size < size as u64 && self.now_ms >= last.until_ms;
        if !self.published.as_ref().is_none_or(is_due) {
            return;
        }
        let more = self.network.entries[self.leaves.len()..].iter().map(|entry| leaf_hash(entry));
        self.leaves.extend(more);
        if let Some(index) = self.forged {
            self.leaves[index as usize] = leaf_hash(b"something else");
        }
        let tree = MemoryTree::new(self.leaves.clone());
        let checkpoint = Checkpoint::new(ORIGIN, size as u64, tree.root()).unwrap().sign(&signer(ORIGIN, 253), &[]);
        let checkpoint = checkpoint.unwrap().to_string();
        self.published = Some(Published { until_ms: self.now_ms + 600_000, size: size as u64, tree, checkpoint });
    }

    fn proof(&mut self, index: u64) -> Option<String> {
        self.publish();
        let Published { size, tree, checkpoint, .. } = self.published.as_ref()?;
        let proof = (index < *size).then(|| inclusion_proof(tree, index, *size).unwrap())?;
        Some(Receipt { extra: None, index, proof, checkpoint: checkpoint.clone() }.to_string())
    }
}

fn rejected(code: &str) -> ResultRow {
    let code = Some(code.to_owned());
    ResultRow { status: ResultStatus::Rejected, index: None, code, detail: None, hint: None }
}

struct FakeGateway {
    world: Shared,
    number: usize,
}

impl FakeGateway {
    fn reach(&self) -> Result<MutexGuard<'_, World>, Trouble> {
        let mut world = lock(&self.world);
        world.now_ms += 30;
        let is_away = world.is_cut_off || world.is_down[self.number];
        if is_away { Err(Trouble::of("NET-CONNECTION", "nobody answers")) } else { Ok(world) }
    }
}

impl Gateway for FakeGateway {
    fn name(&self) -> String {
        format!("http://gateway-{}", if lock(&self.world).is_one_name { 0 } else { self.number })
    }

    fn keys(&mut self) -> Result<Keys, Trouble> {
        let world = self.reach()?;
        let keys = keys(&world.network);
        let is_other = world.other_log_key && self.number == 0;
        Ok(if is_other { Keys { log: signer(ORIGIN, 9).verifier().clone(), ..keys } } else { keys })
    }

    fn boot_told(&mut self, device: DeviceId) -> Result<Option<u32>, Trouble> {
        let world = self.reach()?;
        assert_eq!(device, world.device.id);
        let told = world.told_boot;
        if told.is_none() && !world.network.fold.state().devices.contains_key(&device) {
            return Err(Trouble::of("RPT-UNKNOWN-DEVICE", "not enrolled"));
        }
        Ok(told)
    }

    fn submit(&mut self, reports: &[Vec<u8>]) -> Result<Taken, Trouble> {
        lock(&self.world).submit(self.number, reports)
    }

    fn proof(&mut self, index: u64) -> Result<Option<String>, Trouble> {
        Ok(self.reach()?.proof(index))
    }

    fn entry(&mut self, index: u64) -> Result<Option<Vec<u8>>, Trouble> {
        let world = self.reach()?;
        if world.forged == Some(index) {
            return Ok(Some(b"something else".to_vec()));
        }
        Ok(world.network.entries.get(index as usize).cloned())
    }
}

struct WorldClock(Shared);

impl Clock for WorldClock {
    fn now(&self) -> Stamp {
        lock(&self.0).stamp()
    }
}

/// One start of the device's process.
pub struct Process {
    disk: FaultyDisk,
    pub queue: SharedQueue,
    pub sender: Sender,
    pub events: Arc<Mutex<Vec<SendEvent>>>,
}

pub fn options(seed: u64) -> SendOptions {
    SendOptions { seed, ..SendOptions::default() }
}

impl Process {
    /// Begins on a disk as it is.
    pub fn start(world: &Shared, disk: &FaultyDisk, options: SendOptions) -> Result<Self, EdgeError> {
        lock(world).start();
        let device = lock(world).device.clone();
        let network = lock(world).network.id;
        let limits = QueueLimits { bytes_max: 1 << 20, segment_bytes: 2_000 };
        let queue = Queue::open(Arc::new(disk.clone()), network, device.id, limits)?;
        let queue = Arc::new(Mutex::new(queue));
        let events = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&events);
        let named = lock(world).named;
        let gateway = |number| Box::new(FakeGateway { world: Arc::clone(world), number }) as Box<dyn Gateway>;
        let gateways: Vec<_> = (0..named).map(gateway).collect();
        let sending = Sending {
            queue: Arc::clone(&queue),
            disk: Arc::new(disk.clone()),
            signer: Arc::new(device.key),
            device: device.id,
            network,
            gateways,
            clock: Arc::new(WorldClock(Arc::clone(world))),
            events: Box::new(move |event| lock(&heard).push(event.clone())),
        };
        Ok(Self { disk: disk.clone(), queue, sender: Sender::open(sending, options)?, events })
    }

    /// Whether nothing waits or is asked for, and everything has its receipt.
    pub fn is_done(&self) -> bool {
        let status = lock(&self.sender.status()).clone();
        status.waiting == 0 && status.awaiting_receipt == 0 && !is_asked(&self.disk).unwrap_or(true)
    }

    /// Steps on for so long, in ms, or until nothing waits and everything has its receipt.
    pub fn send_for(&mut self, world: &Shared, for_ms: u64) {
        let end_ms = lock(world).now_ms + for_ms;
        while lock(world).now_ms < end_ms {
            let again_ms = self.sender.step();
            if self.is_done() {
                break;
            }
            let mut world = lock(world);
            world.pass_to_boot(again_ms);
            world.now_ms += 1;
        }
    }
}

/// The reading with this number, measured at `at_ms`.
pub fn reading(number: u64, at_ms: u64) -> Item {
    // Weather does not repeat itself.
    let value = 1_500 + i64::try_from(((number * 2_654_435_761) >> 7) % 300).unwrap();
    let at = When::At { time_ms: at_ms, source: ClockSource::Ntp, error_ms: 20 };
    let body = Value::map(vec![(1, Value::Int(value))]);
    Item { marks: vec![("counter".to_owned(), number.to_be_bytes().to_vec().into())], ..Item::of(at, CLASS, body) }
}

//! A worker that is killed wherever it can be, over a disk that fails and a network that loses what it was told, or its
//! answer: what it accepted is done, and nothing is said twice in two ways.
//!
//! The network is simulated: a job with another worker, who behaves, and the rules of the market as far as one worker meets
//! them. The real market is met by the tests of the commands.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use cairn_api::{AssignedInfo, BlobInfo, JobInfo, OrderInfo, ResultInfo, WordInfo};
use cairn_classes::compute::{Body, seal};
use cairn_client::ClientError;
use cairn_core::key::SecretKey;
use cairn_core::report::Report;
use cairn_core::statement::{Blob, Body as Statement, Draft, Order, RunProfile};
use cairn_core::wallet::WalletKey;
use cairn_core::{Account, Amount, DeviceId, Domain, Hash, JobId, NetworkId, Ppm};
use cairn_node::{
    Answer, Cache, Clock, Event, Found, Identity, Limits, Missed, Network, NodeError, Records, Runs, Terms, Work,
    Worker, fetch, run_order,
};
use cairn_testkit::disk::{Faults, FaultyDisk};
use cairn_testkit::random::Random;
use data_encoding::HEXLOWER;
use proptest::prelude::*;

const NETWORK: NetworkId = NetworkId(Hash([1; 32]));
const RECEIVED_MS: u64 = 1_000_000;
const COMMIT_MS: u64 = 100_000;
const REVEAL_MS: u64 = 100_000;
const EXPIRY_MS: u64 = 10_000_000;

fn key() -> SecretKey {
    SecretKey::ed25519([3; 32])
}

fn device() -> DeviceId {
    DeviceId::of_key(&key().public().multicodec())
}

/// `(module (import "cairn" "output_write" (func (param i32 i32))) (memory (export "memory") 1) (data (i32.const 0) "seven")
/// (func (export "run") i32.const 0 i32.const 5 call 0))`
const MODULE: &[u8] = b"\0asm\x01\0\0\0\
    \x01\x09\x02\x60\x02\x7f\x7f\0\x60\0\0\
    \x02\x16\x01\x05cairn\x0coutput_write\0\0\
    \x03\x02\x01\x01\
    \x05\x03\x01\0\x01\
    \x07\x10\x02\x06memory\x02\0\x03run\0\x01\
    \x0a\x0a\x01\x08\0\x41\0\x41\x05\x10\0\x0b\
    \x0b\x0b\x01\0\x41\0\x0b\x05seven";

fn order() -> Order {
    let wallet = WalletKey::from_bytes([9; 32]).unwrap();
    let blob = |bytes: &[u8]| Blob { hash: Hash::of(bytes), bytes: bytes.len() as u64 };
    Order {
        buyer: Account::at(Domain::parse("eip155:1").unwrap(), wallet.address()).unwrap(),
        module: blob(MODULE),
        inputs: vec![blob(b"input")],
        arguments: Vec::new(),
        gas_table: 1,
        profile: RunProfile::DetInt,
        gas: 1_000_000,
        pages: 1,
        output_bytes: 100,
        price: Amount(1),
        replicas: 3,
        sample: Ppm::ZERO,
        commit_ms: COMMIT_MS,
        most: Amount(1_000),
        refund: None,
    }
}

/// How the network lets a worker down: a number decides about each call.
#[derive(Debug, Clone)]
struct Troubles {
    seed: u64,
    /// One call in so many goes wrong; none at 0.
    one_in: u64,
    /// What goes wrong of blobs is that other ones come.
    lies: bool,
}

const NONE: Troubles = Troubles { seed: 1, one_in: 0, lies: false };

struct State {
    random: Random,
    troubles: Troubles,
    now_ms: u64,
    job: JobId,
    statement: Vec<u8>,
    word: WordInfo,
    others_said: bool,
    left: BTreeMap<Hash, Vec<u8>>,
    /// Every payload that was ever received, by name, whatever was answered.
    names: BTreeMap<(u32, u32), Vec<u8>>,
    /// Everything that was sealed or said, whether or not it counted.
    seals: Vec<Hash>,
    results: Vec<Hash>,
    log: u64,
    /// How often it may still go wrong: for ever would be longer than the job has time.
    failures: u32,
    /// Of those, how often with a blob, which is asked for again after a while.
    blob_failures: u32,
}

#[derive(Clone)]
struct Town(Arc<Mutex<State>>);

impl Town {
    fn new(troubles: Troubles) -> Self {
        let wallet = WalletKey::from_bytes([9; 32]).unwrap();
        let draft = Draft::of(Some(NETWORK), Statement::Order(order()), 1, EXPIRY_MS);
        let statement = draft.signed_by_wallet(&wallet).finish();
        Self(Arc::new(Mutex::new(State {
            random: Random::of(troubles.seed),
            troubles,
            now_ms: RECEIVED_MS,
            job: JobId(statement.payload_hash()),
            statement: statement.encode(),
            word: WordInfo::Silent,
            others_said: false,
            left: BTreeMap::from([(Hash::of(MODULE), MODULE.to_vec()), (Hash::of(b"input"), b"input".to_vec())]),
            names: BTreeMap::new(),
            seals: Vec::new(),
            results: Vec::new(),
            log: 10,
            failures: 60,
            blob_failures: 5,
        })))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }
}

fn lost() -> NodeError {
    ClientError::Answer { url: String::new(), reason: "the connection broke".to_owned() }.into()
}

impl State {
    fn fails(&mut self) -> bool {
        let fails = self.failures > 0 && self.troubles.one_in > 0 && self.random.one_in(self.troubles.one_in);
        self.failures -= u32::from(fails);
        fails
    }

    fn or_lost<T>(&mut self, value: T) -> Result<T, NodeError> {
        if self.fails() { Err(lost()) } else { Ok(value) }
    }

    fn info(&self, with_order: bool) -> JobInfo {
        let other = if self.others_said { WordInfo::Declined { index: 1, reason: 1 } } else { WordInfo::Silent };
        let assigned = |device: DeviceId, word| AssignedInfo {
            device: device.to_string(),
            owner: String::new(),
            payee: String::new(),
            price: "1".to_owned(),
            score: 0,
            lottery: None,
            word,
        };
        JobInfo {
            job: self.job.to_string(),
            index: 5,
            received_ms: RECEIVED_MS,
            order: unsigned_terms(),
            statement: with_order.then(|| HEXLOWER.encode(&self.statement)),
            assigned: vec![assigned(device(), self.word.clone()), assigned(DeviceId([8; 16]), other)],
            licences: Vec::new(),
            locked: "1".to_owned(),
            // A lie, which nobody goes by.
            phase: "done".to_owned(),
            commit_until_ms: RECEIVED_MS + COMMIT_MS,
            reveal_until_ms: RECEIVED_MS + COMMIT_MS + REVEAL_MS,
            draw: None,
            replays: Vec::new(),
            truth: None,
            settled: None,
            time_ms: self.now_ms,
        }
    }

    /// The rules, as far as one worker meets them.
    fn take(&mut self, report: &[u8]) -> Answer {
        let report = Report::parse(report).unwrap();
        let (payload, body) = (report.sign1.payload.to_vec(), &report.body);
        let known = self.names.entry((body.boot, body.seq)).or_insert_with(|| payload.clone());
        assert_eq!(*known, payload, "one name was given to two payloads");
        let refused = |code: &str| Answer::Refused { code: code.to_owned(), detail: String::new() };
        self.log += 1;
        let taken = Answer::Taken { index: self.log, promise: String::new() };
        let (first, second) = (RECEIVED_MS + COMMIT_MS, RECEIVED_MS + COMMIT_MS + REVEAL_MS);
        match (Body::parse(&body.body).unwrap(), self.word.clone()) {
            (Body::Commit { seal, .. }, word) => {
                self.seals.push(seal);
                match word {
                    WordInfo::Silent if self.now_ms < first => {
                        self.word = WordInfo::Committed { index: self.log, seal: seal.to_hex() };
                        taken
                    }
                    WordInfo::Silent => refused("CMP-PHASE"),
                    _ => refused("CMP-SAID"),
                }
            }
            (Body::Reveal { job, result, salt }, word) => {
                let digest = result.digest(1, &job);
                self.results.push(digest);
                match word {
                    WordInfo::Committed { seal: sealed, .. } if self.others_said || self.now_ms >= first => {
                        if self.now_ms >= second {
                            return refused("CMP-PHASE");
                        }
                        assert_eq!(seal(&job, &device(), &digest, &salt).to_hex(), sealed, "it does not fit its seal");
                        let output = BlobInfo { hash: result.output.to_hex(), bytes: result.output_bytes };
                        let (outcome, gas) = (result.outcome, result.gas);
                        let result = ResultInfo { outcome, gas, output, digest: digest.to_hex() };
                        self.word = WordInfo::Revealed { committed: 1, index: self.log, result };
                        taken
                    }
                    WordInfo::Revealed { .. } => refused("CMP-SAID"),
                    _ => refused("CMP-PHASE"),
                }
            }
            (Body::Decline { reason, .. }, WordInfo::Silent) if self.now_ms < first => {
                self.word = WordInfo::Declined { index: self.log, reason };
                taken
            }
            (Body::Decline { .. }, _) => refused("CMP-SAID"),
        }
    }
}

/// What a gateway says was ordered, and nobody goes by: it is not signed.
fn unsigned_terms() -> OrderInfo {
    OrderInfo {
        buyer: String::new(),
        module: BlobInfo { hash: Hash::ZERO.to_hex(), bytes: 0 },
        inputs: Vec::new(),
        arguments: String::new(),
        gas_table: 9,
        profile: "det-int".to_owned(),
        gas: 1,
        pages: 0,
        output_bytes: 0,
        price: "0".to_owned(),
        replicas: 1,
        sample_ppm: 0,
        commit_ms: 1,
        most: "0".to_owned(),
        refund: None,
    }
}

impl Network for Town {
    fn time_ms(&self) -> Result<u64, NodeError> {
        let mut state = self.lock();
        state.now_ms += 100;
        let now_ms = state.now_ms;
        state.or_lost(now_ms)
    }

    fn assigned(&self, _: &DeviceId) -> Result<Vec<JobInfo>, NodeError> {
        let mut state = self.lock();
        let info = state.info(false);
        state.or_lost(vec![info])
    }

    fn to_replay(&self, _: bool) -> Result<Vec<JobInfo>, NodeError> {
        Ok(Vec::new())
    }

    fn job(&self, job: &JobId) -> Result<Option<JobInfo>, NodeError> {
        let mut state = self.lock();
        let info = (*job == state.job).then(|| state.info(true));
        state.or_lost(info)
    }

    fn blob(&self, blob: &Blob) -> Result<Vec<u8>, NodeError> {
        let mut state = self.lock();
        if state.blob_failures > 0 && state.fails() {
            state.blob_failures -= 1;
            return if state.troubles.lies { Ok(b"something else".to_vec()) } else { Err(lost()) };
        }
        state.left.get(&blob.hash).cloned().ok_or_else(lost)
    }

    fn leave(&self, bytes: &[u8]) -> Result<(), NodeError> {
        let mut state = self.lock();
        state.or_lost(())?;
        state.left.insert(Hash::of(bytes), bytes.to_vec());
        // It is there, and the answer is lost.
        state.or_lost(())
    }

    fn report(&self, report: &[u8]) -> Result<Answer, NodeError> {
        let mut state = self.lock();
        state.or_lost(())?;
        let answer = state.take(report);
        // It counts, and the answer is lost.
        state.or_lost(answer)
    }

    fn state(&self, _: &[u8]) -> Result<Answer, NodeError> {
        self.lock().or_lost(Answer::Taken { index: 1, promise: String::new() })
    }
}

/// Runs that end between two steps.
struct AtOnce {
    town: Town,
    cache: Arc<Cache>,
    work: Vec<Work>,
}

impl Runs for AtOnce {
    fn start(&mut self, work: Work) -> Result<bool, NodeError> {
        self.work.push(work);
        Ok(true)
    }

    fn finished(&mut self) -> Vec<(JobId, Result<Found, Missed>)> {
        let run = |work: Work| {
            let contents = fetch(&self.town, &self.cache, &work.order);
            (work.job, contents.and_then(|contents| run_order(&work.job, &work.order, &contents, &mut || false)))
        };
        core::mem::take(&mut self.work).into_iter().map(run).collect()
    }

    fn running(&self) -> Vec<JobId> {
        self.work.iter().map(|work| work.job).collect()
    }

    fn cancel(&mut self, _: &JobId) {}
}

/// Runs that do not end, if there is room for them at all.
struct Endless {
    has_room: bool,
    running: Vec<JobId>,
}

impl Runs for Endless {
    fn start(&mut self, work: Work) -> Result<bool, NodeError> {
        self.running.extend(self.has_room.then_some(work.job));
        Ok(self.has_room)
    }

    fn finished(&mut self) -> Vec<(JobId, Result<Found, Missed>)> {
        Vec::new()
    }

    fn running(&self) -> Vec<JobId> {
        self.running.clone()
    }

    fn cancel(&mut self, job: &JobId) {
        self.running.retain(|running| running != job);
    }
}

fn begin(town: &Town, disk: &FaultyDisk, blobs: &FaultyDisk) -> Result<Worker<AtOnce>, NodeError> {
    let cache = Arc::new(Cache::open(Arc::new(blobs.clone()), 10_000)?);
    let runs = AtOnce { town: town.clone(), cache: cache.clone(), work: Vec::new() };
    begin_with(town, disk, cache, runs)
}

fn begin_with<R: Runs>(town: &Town, disk: &FaultyDisk, cache: Arc<Cache>, runs: R) -> Result<Worker<R>, NodeError> {
    let records = Records::open(Arc::new(disk.clone()), NETWORK, device(), None)?;
    let limits = Limits { capacity: 1, gas: 10_000_000, pages: 10, profiles: 3 };
    let terms = Terms { price: Amount(1), limits, lease_ms: 3_600_000 };
    let identity = Identity { key: key(), device: device(), network: NETWORK };
    Ok(Worker::new(identity, terms, Clock::Recorded, Arc::new(town.clone()), cache, records, runs))
}

/// What outlives a worker, beside the town.
struct Lives {
    disk: FaultyDisk,
    blobs: FaultyDisk,
    salt: u8,
    events: Vec<Event>,
}

impl Lives {
    fn on(disk: FaultyDisk) -> Self {
        Self { disk, blobs: FaultyDisk::new(7, Faults::default()), salt: 0, events: Vec::new() }
    }

    /// A life: until everything is said, or the disk fails.
    fn live(&mut self, town: &Town) -> Result<(), NodeError> {
        let mut worker = begin(town, &self.disk, &self.blobs)?;
        for _ in 0..900 {
            self.salt = self.salt.wrapping_add(1);
            let fresh = [self.salt; 16];
            match worker.step(RECEIVED_MS, &mut || Ok(fresh), &mut |event| self.events.push(event)) {
                Err(error) if error.is_fatal() => return Err(error),
                Ok(()) | Err(_) => {}
            }
            let mut state = town.lock();
            state.others_said |= matches!(state.word, WordInfo::Committed { .. });
            let is_left = state.left.contains_key(&Hash::of(b"seven"));
            if is_left && matches!(state.word, WordInfo::Revealed { .. }) {
                return Ok(());
            }
        }
        panic!("nothing came of it: {:?}, {:?}", self.events, town.lock().word);
    }

    /// What must hold at the end.
    fn check(&self, town: &Town) {
        let state = town.lock();
        assert!(matches!(&state.word, WordInfo::Revealed { .. }), "{:?}", state.word);
        assert_eq!(state.left.get(&Hash::of(b"seven")).map(Vec::as_slice), Some(&b"seven"[..]));
        let one = |said: &[Hash]| said.windows(2).all(|two| two[0] == two[1]);
        assert!(one(&state.results), "two results were said: {:?}", self.events);
        assert!(one(&state.seals), "two seals were said: {:?}", self.events);
        assert!(!self.disk.was_synced_again());
    }
}

#[test]
fn a_worker_commits_once_reveals_when_all_have_said_and_leaves_the_output() {
    let town = Town::new(NONE);
    let mut lives = Lives::on(FaultyDisk::new(1, Faults::default()));
    lives.live(&town).unwrap();
    lives.check(&town);
    assert_eq!(town.lock().seals.len(), 1);
    let said: Vec<&str> = lives
        .events
        .iter()
        .map(|event| match event {
            Event::Offered { .. } => "offered",
            Event::Began { .. } => "began",
            Event::Ran { .. } => "ran",
            Event::Said { what, .. } => what,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(said, ["offered", "began", "ran", "commit", "reveal"]);
}

#[test]
fn what_is_not_to_be_had_is_declined_when_three_quarters_of_the_time_are_over() {
    let town = Town::new(NONE);
    town.lock().left.remove(&Hash::of(b"input"));
    let lives = Lives::on(FaultyDisk::new(1, Faults::default()));
    let mut worker = begin(&town, &lives.disk, &lives.blobs).unwrap();
    for _ in 0..900 {
        worker.step(RECEIVED_MS, &mut || Ok([1; 16]), &mut |_| ()).unwrap();
        let state = town.lock();
        let is_late = state.now_ms > RECEIVED_MS + COMMIT_MS * 3 / 4 + 200;
        let is_early = state.now_ms < RECEIVED_MS + COMMIT_MS * 3 / 4;
        match &state.word {
            WordInfo::Silent => assert!(!is_late),
            WordInfo::Declined { reason: 1, .. } => assert!(!is_early),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn what_cannot_be_done_in_time_is_declined_before_silence_costs_anything_and_is_not_run_on() {
    for has_room in [true, false] {
        let town = Town::new(NONE);
        let lives = Lives::on(FaultyDisk::new(1, Faults::default()));
        let cache = Arc::new(Cache::open(Arc::new(lives.blobs.clone()), 10_000).unwrap());
        let runs = Endless { has_room, running: Vec::new() };
        let mut worker = begin_with(&town, &lives.disk, cache, runs).unwrap();
        for _ in 0..1_100 {
            worker.step(RECEIVED_MS, &mut || Ok([1; 16]), &mut |_| ()).unwrap();
            let state = town.lock();
            match &state.word {
                WordInfo::Silent => assert!(state.now_ms < RECEIVED_MS + COMMIT_MS - 4_000),
                WordInfo::Declined { reason: 2, .. } => {
                    assert!(state.now_ms >= RECEIVED_MS + COMMIT_MS - 5_000);
                    assert!(worker.is_idle());
                }
                other => panic!("{other:?}"),
            }
        }
        assert!(matches!(town.lock().word, WordInfo::Declined { .. }));
    }
}

#[test]
fn killed_after_any_operation_of_its_disk_a_worker_goes_on_where_it_was() {
    let mut crashes = 0;
    for crash_at in 1..60 {
        for (seed, is_killed) in [(1, true), (2, false), (3, false)] {
            let town = Town::new(NONE);
            let faults = Faults { crash_at: Some(crash_at), ..Faults::default() };
            let mut lives = Lives::on(FaultyDisk::new(seed, faults));
            if lives.live(&town).is_err() {
                crashes += 1;
                let disk = &lives.disk;
                if is_killed {
                    disk.kill(Faults::default())
                } else {
                    disk.cut_power(Faults::default())
                }
                // What it fetched and made is lost, too.
                lives.blobs = FaultyDisk::new(seed + 9, Faults::default());
                lives.live(&town).unwrap();
            }
            lives.check(&town);
        }
    }
    assert!(crashes > 50, "{crashes}");
}

proptest! {
    #[test]
    fn whatever_fails_and_whoever_lies_what_was_accepted_is_done_and_said_in_one_way(
        seed: u64,
        crashes in proptest::collection::vec((1_u64..40, any::<bool>(), any::<bool>()), 0..6),
        one_in in 4_u64..12,
        lies: bool,
    ) {
        let town = Town::new(Troubles { seed, one_in, lies });
        let mut lives = Lives::on(FaultyDisk::new(seed, Faults::default()));
        for (crash_at, is_killed, loses_cache) in crashes {
            lives.disk.kill(Faults { crash_at: Some(lives.disk.operations() + crash_at), ..Faults::default() });
            if lives.live(&town).is_ok() {
                break;
            }
            if is_killed { lives.disk.kill(Faults::default()) } else { lives.disk.cut_power(Faults::default()) }
            if loses_cache {
                lives.blobs = FaultyDisk::new(seed, Faults::default());
            } else {
                lives.blobs.kill(Faults::default());
            }
        }
        lives.disk.kill(Faults::default());
        lives.blobs.kill(Faults::default());
        lives.live(&town).unwrap();
        lives.check(&town);
    }
}

//! Honest traffic: reports alone and in batches, late ones, repeats, contradictions that are confessed, statements, reading.
//!
//! A sender has its own devices and owners, one request under way, and forgets nothing: what was not answered is sent
//! again, first thing, to whoever comes up next.

use std::collections::VecDeque;
use std::net::Ipv4Addr;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::device::{Device, Made, Owner};
use crate::errands::Errand;
use crate::network::wall_ms;
use crate::plan::Random;
use crate::stage::Stage;
use crate::wire::{Answer, Mute, Wire, get, post, source};

/// Owners of each sender.
const OWNERS: usize = 3;
/// Statements of one request.
const ERRANDS_MAX: usize = 20;
/// Requests over one connection.
const ANSWERS_OF_A_CONNECTION: u64 = 60;

/// What the answer to a report must be.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Due {
    Accepted,
    /// A repeat of a logged report: with its index.
    Repeat(u64),
    /// The second payload under one name.
    Conflict,
}

/// What is asked in one request.
pub enum Request {
    Reports(Vec<(Made, Due)>),
    Errands(Vec<Errand>),
    Read(String),
}

/// A report that was answered.
pub struct Settled {
    pub made: Made,
    pub index: u64,
}

/// A sender.
pub struct Honest {
    pub number: u8,
    pub random: Random,
    pub devices: Vec<Device>,
    pub owners: Vec<Owner>,
    from: Ipv4Addr,
    wire: Option<Wire>,
    pub unanswered: Option<Request>,
    /// Whether the answer to that was lost, so that the log may have it.
    pub was_lost: bool,
    /// Reports that were told to come later.
    pub again: Vec<(Made, Due)>,
    pub errands: VecDeque<Errand>,
    pub settled: VecDeque<Settled>,
    next_device: usize,
}

impl Honest {
    pub fn of(number: u8, devices: usize, seed: u64) -> Self {
        let mut random = Random::of(seed, 100 + u64::from(number));
        let owners = (0..OWNERS).map(|_| Owner::of(&mut random)).collect();
        let devices = (0..devices).map(|device| Device::of(device % OWNERS, &mut random)).collect();
        Self {
            number,
            random,
            devices,
            owners,
            from: source(1, number + 1),
            wire: None,
            unanswered: None,
            was_lost: false,
            again: Vec::new(),
            errands: VecDeque::new(),
            settled: VecDeque::new(),
            next_device: 0,
        }
    }

    /// Sends until everybody goes home, or the process is gone.
    pub fn send(&mut self, stage: &Stage) {
        self.wire = None;
        if !self.settled.is_empty() && self.unanswered.is_none() && !stage.is_closing {
            self.unanswered = Some(self.repeats(8));
        }
        while !stage.is_over() {
            if stage.is_closing && self.owes_nothing() {
                return;
            }
            let request = match self.unanswered.take() {
                Some(request) => request,
                None => {
                    self.was_lost = false;
                    self.next_request(stage)
                }
            };
            let items = request.items();
            match self.ask(stage, &request) {
                Ok(answer) if is_for_later(&answer) => {
                    stage.books.answered("honest: told to wait", &answer.word());
                    self.unanswered = Some(request);
                    if !self.may_wait(stage, &answer) {
                        return;
                    }
                }
                Ok(answer) => {
                    stage.requests.fetch_add(1, Ordering::Relaxed);
                    self.settle(stage, request, &answer);
                    stage.pace(items.max(1), stage.rate_mhz);
                }
                Err(mute) => {
                    self.wire = None;
                    self.unanswered = Some(request);
                    self.was_lost |= items > 0;
                    if items > 0 {
                        stage.books.lost_request();
                    }
                    if mute == Mute::Hangs || !stage.is_ending() {
                        stage.books.wrong(format!("honest sender {}: {mute:?} while the process lives", self.number));
                    }
                    return;
                }
            }
        }
    }

    /// Whether everything that it began is answered.
    fn owes_nothing(&self) -> bool {
        self.unanswered.is_none() && self.errands.is_empty() && self.again.is_empty()
    }

    /// Whether it was right to be told to wait; then waits.
    fn may_wait(&mut self, stage: &Stage, answer: &Answer) -> bool {
        let code = answer.code.as_deref().unwrap_or_default();
        if ["NET-DRAINING", "NET-STOPPED"].contains(&code) && stage.is_ending() {
            return false;
        }
        let is_busy = ["NET-BUSY", "NET-BUSY-REQUESTS", "NET-BUSY-BYTES"].contains(&code);
        let is_too_fast = ["NET-RATE-REQUESTS", "NET-RATE-ITEMS", "RPT-RATE"].contains(&code);
        if !(is_busy || (is_too_fast && stage.may_meet_rates)) {
            stage.books.wrong(format!("honest sender {} is refused: {}", self.number, answer.word()));
        }
        stage.wait(Duration::from_millis(200));
        true
    }

    /// Asks over its connection, or over another where that one has served or was idle for long.
    fn ask(&mut self, stage: &Stage, request: &Request) -> Result<Answer, Mute> {
        let bytes = request.bytes();
        let items = request.items();
        stage.books.sent(items);
        let wire = self.wire.take().filter(|wire| wire.is_fresh() && wire.answers < ANSWERS_OF_A_CONNECTION);
        let mut wire = match wire {
            Some(wire) => wire,
            None => Wire::open(self.from, stage.address)?,
        };
        let answer = wire.ask(&bytes)?;
        stage.books.count_rows(&answer, items);
        self.wire = Some(wire);
        Ok(answer)
    }

    fn next_request(&mut self, stage: &Stage) -> Request {
        if !self.errands.is_empty() {
            let some = self.errands.len().min(ERRANDS_MAX);
            return Request::Errands(self.errands.drain(..some).collect());
        }
        if self.devices.iter().all(|device| device.enrolled_ms.is_none()) {
            let all: Vec<Errand> = (0..self.devices.len()).map(|at| self.enrol(stage.facts, at)).collect();
            self.errands.extend(all);
            return self.next_request(stage);
        }
        if self.again.len() >= 20 || stage.is_closing || (!self.again.is_empty() && self.random.below(4) == 0) {
            let some = self.again.len().min(100);
            return Request::Reports(self.again.drain(..some).collect());
        }
        match self.random.below(100) {
            0..48 => Request::Reports(vec![self.fresh(stage)]),
            48..70 => {
                let many = if stage.is_full_speed() { 100 } else { 3 + self.random.below(20) };
                Request::Reports((0..many).map(|_| self.fresh(stage)).collect())
            }
            70..80 => self.late(stage),
            80..86 => self.repeats(1),
            86..88 if !stage.is_full_speed() => self.contradiction(stage),
            88..92 if !stage.is_full_speed() || self.random.below(20) == 0 => {
                Request::Errands(vec![self.some_errand(stage.facts)])
            }
            _ => self.reading(stage),
        }
    }

    /// The next device that is enrolled; one always is.
    fn turn(&mut self) -> usize {
        loop {
            self.next_device = (self.next_device + 1) % self.devices.len();
            if self.devices[self.next_device].enrolled_ms.is_some() {
                return self.next_device;
            }
        }
    }

    /// A report of now, of the devices in turn.
    fn fresh(&mut self, stage: &Stage) -> (Made, Due) {
        let at = self.turn();
        (self.devices[at].report(&stage.facts.id, wall_ms(), false, &mut self.random), Due::Accepted)
    }

    /// Reports of up to two epochs ago, as far as the device was enrolled then.
    fn late(&mut self, stage: &Stage) -> Request {
        let back_ms = self.random.below(2 * stage.facts.epoch_ms);
        let many = 1 + self.random.below(6);
        let reports = (0..many).map(|_| {
            let at = self.turn();
            let device = &mut self.devices[at];
            let (now_ms, then_ms) = (wall_ms(), wall_ms() - back_ms);
            let is_late = device.enrolled_ms.is_some_and(|enrolled_ms| enrolled_ms < then_ms);
            let time_ms = if is_late { then_ms } else { now_ms };
            (device.report(&stage.facts.id, time_ms, is_late, &mut self.random), Due::Accepted)
        });
        Request::Reports(reports.collect())
    }

    /// Some reports that were answered before, as if their answers had been lost.
    fn repeats(&mut self, most: u64) -> Request {
        let (one, length) = (1 + self.random.below(most), self.settled.len());
        if length == 0 {
            return Request::Read("/v1/network".to_owned());
        }
        let repeats = (0..one).map(|_| {
            let settled = &self.settled[self.random.at(length)];
            (settled.made.clone(), Due::Repeat(settled.index))
        });
        Request::Reports(repeats.collect())
    }

    /// A device signs two payloads under one name, in one request; the statement about it comes next.
    fn contradiction(&mut self, stage: &Stage) -> Request {
        let (first, due) = self.fresh(stage);
        let second = self.devices[self.next_device].contradict(&stage.facts.id, &first, &mut self.random);
        self.errands.extend(self.conflict(stage.facts, &first, &second));
        Request::Reports(vec![(first, due), (second, Due::Conflict)])
    }

    fn reading(&mut self, stage: &Stage) -> Request {
        let device = self.devices[self.random.at(self.devices.len())].id;
        let owner = &self.owners[self.random.at(OWNERS)].account;
        let epoch = stage.facts.epoch_at(wall_ms());
        Request::Read(match self.random.below(8) {
            0 => "/v1/network".to_owned(),
            1 => "/v1/epochs?limit=5".to_owned(),
            2 => format!("/v1/devices/{device}"),
            3 => format!("/v1/accounts/{owner}"),
            4 => format!("/v1/epochs/{}/payouts", epoch.saturating_sub(3)),
            5 => "/log/checkpoint".to_owned(),
            6 => format!("/v1/devices/{device}/epochs/{}", epoch.saturating_sub(2 + self.random.below(5))),
            _ => format!("/v1/proofs/{}", self.settled.back().map_or(0, |settled| settled.index / 2)),
        })
    }
}

/// A refusal of the whole request that asks to come back.
fn is_for_later(answer: &Answer) -> bool {
    [429, 503].contains(&answer.status) && answer.retry_after.is_some() || answer.code.as_deref() == Some("NET-STOPPED")
}

impl Request {
    const fn items(&self) -> u64 {
        match self {
            Self::Reports(reports) => reports.len() as u64,
            Self::Errands(errands) => errands.len() as u64,
            Self::Read(_) => 0,
        }
    }

    fn bytes(&self) -> Vec<u8> {
        match self {
            Self::Reports(reports) => match &reports[..] {
                [(one, _)] => post("/v1/reports", "application/cose", &one.bytes),
                many => {
                    let body: Vec<u8> = many.iter().flat_map(|(made, _)| made.bytes.iter().copied()).collect();
                    post("/v1/reports", "application/cbor-seq", &body)
                }
            },
            Self::Errands(errands) => match &errands[..] {
                [one] => post("/v1/statements", "application/cbor", &one.bytes),
                many => {
                    let body: Vec<u8> = many.iter().flat_map(|errand| errand.bytes.iter().copied()).collect();
                    post("/v1/statements", "application/cbor-seq", &body)
                }
            },
            Self::Read(path) => get(path),
        }
    }
}

//! A month on the market of work, with whoever would cheat it.
//!
//! Thirty days of one epoch each. Workers: 1 to 4 are honest, 5 always lies, 6 copies the first seal it sees, 7 is silent, 8 seals
//! and never shows, 9 declines, 10 says it took more gas, 11 belongs to the buyer's friend and lies only when it is alone.
//! Beside that: licences, refunds, cancels, a worker that is denied, one that is retired and one that is sold while it works,
//! a buyer whose credit runs out, and sensors that know nothing of all this.

use super::{Fair, result};
use crate::network::{DAY_MS, MemoryNetwork, SeededDevice, Terms};
use cairn_classes::compute::{Body as Work, RunResult};
use cairn_core::entry::EntryKind;
use cairn_core::statement::{Body, Deny, Draft, Order, Transfer};
use cairn_core::{Hash, JobId, Ppm};

/// The part of the price of work that is burned.
pub const FEE_PPM: u32 = 50_000;

/// Days of the month.
pub const DAYS: u64 = 30;
/// Jobs ordered on each.
const JOBS: u64 = 6;
/// The liar.
pub const LIAR: u8 = 5;
/// Who buys.
pub const BUYER: u8 = 200;
/// Who is paid what is not used of some jobs.
pub const REFUNDED: u8 = 210;

/// Epochs of a day, with an hour of grace.
#[must_use]
pub fn terms() -> Terms {
    Terms { epoch_ms: DAY_MS, grace_ms: DAY_MS / 24, ..Terms::default() }
}

/// What comes out of a job.
#[must_use]
pub fn truth(input: &str) -> RunResult {
    let gas = 1_000_000_000 + u64::from(Hash::of(input.as_bytes()).0[0]) * 10_000_000;
    result(gas, &format!("of {input}"))
}

/// What a worker says came out.
fn claimed(seed: u8, input: &str, is_alone: bool) -> RunResult {
    let honest = truth(input);
    match seed {
        LIAR => result(honest.gas, &format!("{input} made up by {seed}")),
        10 => RunResult { gas: honest.gas * 2, ..honest },
        11 if is_alone => result(1, "made up"),
        _ => honest,
    }
}

/// A job under way.
struct Running {
    job: JobId,
    input: String,
    workers: Vec<SeededDevice>,
}

/// The month so far.
#[derive(Debug, Clone)]
pub struct Month {
    /// The network, and the market in it.
    pub fair: Fair,
    /// The workers, by seed from 1 on.
    pub workers: Vec<SeededDevice>,
    /// Who buys.
    pub buyer: SeededDevice,
    /// Orders that counted.
    pub ordered: u64,
}

/// A whole month, in which sensors report or not.
///
/// # Panics
/// When what nobody should refuse is refused.
#[must_use]
pub fn month(with_sensors: bool) -> Month {
    let mut fair = Fair::open(terms(), FEE_PPM, 3, 2);
    let sensors = if with_sensors { sensors(&mut fair.network) } else { Vec::new() };
    let workers = fair.hire(1..=11);
    let buyer = SeededDevice::of(BUYER);
    assert_eq!(fair.pay_in(&buyer.account, 1_500_000).1, None);
    let mut month = Month { fair, workers, buyer, ordered: 0 };
    for day in 0..DAYS {
        let start_ms = terms().zero_ms + day * DAY_MS;
        month.fair.network.pass_to(start_ms + DAY_MS / 2);
        for (at, sensor) in sensors.iter().enumerate() {
            let seq = u32::try_from(day).expect("small numbers");
            month.fair.network.send(sensor, seq, start_ms, 200 + i64::try_from(at).expect("small numbers"));
        }
        month.day(day);
    }
    month.fair.network.pass_to(terms().zero_ms + (DAYS + 3) * DAY_MS);
    month
}

/// Sensors whose owners are nobody's workers.
fn sensors(network: &mut MemoryNetwork) -> Vec<SeededDevice> {
    let sensors: Vec<SeededDevice> = (101..=104).map(SeededDevice::of).collect();
    for (at, sensor) in (0..).zip(&sensors) {
        let statement = network.enrolment(sensor, 500_000_000, 100_000_000 + at * 3_000_000);
        assert_eq!(network.log(EntryKind::Statement, &statement.encode()).1, None);
    }
    sensors
}

impl Month {
    fn day(&mut self, day: u64) {
        self.events(day);
        let running: Vec<Running> = (0..JOBS).filter_map(|n| self.order(day, n)).collect();
        for running in &running {
            self.commits(running);
        }
        // Time passes, so that those who wait for the silent may show what they have.
        self.fair.wait(61_000);
        for running in &running {
            self.reveals(running);
        }
        self.fair.wait(1_000);
        for (n, running) in running.iter().enumerate() {
            self.audits(day, n, running);
        }
    }

    fn events(&mut self, day: u64) {
        let now_ms = self.fair.network.now_ms;
        match day {
            3 => {
                let licence = self.fair.a_licence(&self.workers[0], "model");
                let owner = self.workers[0].wallet.clone();
                assert_eq!(self.fair.network.own(&owner, Body::Licence(licence)).1, None);
            }
            7 => {
                let until_ms = now_ms + 4 * DAY_MS;
                let deny = Deny { device: self.workers[2].id, reason: "TEST".into(), evidence: vec![], until_ms };
                assert_eq!(self.fair.network.operate(Body::Deny(deny)).1, None);
            }
            12 => assert_eq!(self.fair.pay_in(&self.buyer.account.clone(), 3_000_000).1, None),
            15 => self.sell(3, &SeededDevice::of(150)),
            20 => {
                let (wallet, id) = (self.workers[8].wallet.clone(), self.workers[8].id);
                assert_eq!(self.fair.network.own(&wallet, Body::Retire(id)).1, None);
            }
            _ => {}
        }
    }

    fn order(&mut self, day: u64, n: u64) -> Option<Running> {
        let input = if n == 1 { "model".to_owned() } else { format!("input {day} {n}") };
        let mut order = self.fair.an_order(&self.buyer, &input);
        order.arguments = format!("{day} {n}").into_bytes();
        order.replicas = u8::try_from(1 + n % 4).expect("small numbers");
        order.sample = Ppm::of(u32::try_from(n).expect("small numbers") * 100_000).expect("small numbers");
        order.refund = (n == 2).then(|| SeededDevice::of(REFUNDED).account);
        let order = Order { gas: 4_000_000_000, ..order };
        let (job, (_, refused)) = self.fair.order(&self.buyer.wallet.clone(), &order);
        if let Some(refusal) = refused {
            assert_eq!(refusal.code, "CMP-CREDIT", "day {day}: {refusal}");
            return None;
        }
        self.ordered += 1;
        if n == 5 && day.is_multiple_of(5) {
            assert_eq!(self.fair.cancel(&self.buyer.wallet.clone(), job).1, None);
            return None;
        }
        let ids = self.fair.assigned(job);
        let of = |id| self.workers.iter().find(|worker| worker.id == id).expect("small numbers").clone();
        Some(Running { job, input, workers: ids.into_iter().map(of).collect() })
    }

    /// The seed of a worker.
    fn seed(&self, worker: &SeededDevice) -> u8 {
        u8::try_from(1 + self.workers.iter().position(|other| other.id == worker.id).expect("small numbers"))
            .expect("small numbers")
    }

    fn commits(&mut self, running: &Running) {
        let is_alone = running.workers.len() == 1;
        let mut seen = None;
        for worker in &running.workers {
            let seed = self.seed(worker);
            let result = claimed(seed, &running.input, is_alone);
            let seal = match seed {
                6 => seen.unwrap_or_else(|| self.fair.seal(worker, running.job, &result)),
                _ => self.fair.seal(worker, running.job, &result),
            };
            let body = match seed {
                7 => continue,
                9 => Work::Decline { job: running.job, reason: 2 },
                _ => Work::Commit { job: running.job, seal },
            };
            if self.fair.work(worker, &body).1.is_none() && seed != 9 {
                seen = Some(seal);
            }
        }
    }

    fn reveals(&mut self, running: &Running) {
        for worker in &running.workers {
            let seed = self.seed(worker);
            if seed == 8 {
                continue;
            }
            let result = claimed(seed, &running.input, running.workers.len() == 1);
            let logged = self.fair.reveal(worker, running.job, &result);
            // Whoever copied a seal has nothing to show.
            if let Some(refusal) = logged.1 {
                assert!(refusal.code.starts_with("CMP-"), "{refusal}");
            }
        }
    }

    /// Two of three auditors run what dissents, what was drawn, and every eleventh job beside that; not every day.
    fn audits(&mut self, day: u64, n: usize, running: &Running) {
        let job = self.fair.network.fold.state().market.job(&running.job);
        let is_drawn = job.is_some_and(|job| matches!(job.stage, cairn_classes::compute::Stage::Done(Some(_))));
        let is_canary = (day + n as u64).is_multiple_of(11);
        if day % 7 == 6 || !(is_drawn || is_canary) {
            return;
        }
        for auditor in 0..2 {
            let logged = self.fair.replay(auditor, running.job, &truth(&running.input));
            if day > 0 {
                assert!(logged.1.is_none_or(|refusal| refusal.code == "CMP-PHASE"));
            }
        }
    }

    /// Transfers a worker to another owner, both signing.
    fn sell(&mut self, worker: usize, to: &SeededDevice) {
        let transfer = Transfer { device: self.workers[worker].id, owner: to.account.clone() };
        let nonce = self.fair.network.next_nonce();
        let draft = Draft::of(Some(self.fair.network.id), Body::Transfer(transfer), nonce, u64::MAX >> 1);
        let statement = draft.signed_by_wallet(&self.workers[worker].wallet).signed_by_wallet(&to.wallet).finish();
        assert_eq!(self.fair.network.log(EntryKind::Statement, &statement.encode()).1, None);
    }
}

//! A week without a network, with crashes at any write and answers that are lost.

use std::collections::BTreeSet;

use cairn_core::Hash;
use cairn_core::report::{ReportBody, flag};
use cairn_core::verdict::{Payout, Verdict};
use cairn_edge::send::SendOptions;
use cairn_edge::send::keep::receipts;
use cairn_testkit::disk::{Faults, FaultyDisk};
use cairn_testkit::network::DAY_MS;

use super::world::{HOUR_MS, Process, Shared, World, keys, lock, options, reading};

/// Seeds of the law; `CAIRN_SEEDS` runs more.
const SEEDS: u64 = 200;
const THREADS: u64 = 2;
/// Two days with a network, seven without, two with it again.
const LOST_DAY: u64 = 2;
const BACK_DAY: u64 = 9;
const LAST_DAY: u64 = 11;
const EVERY_MS: u64 = 2 * HOUR_MS;

struct Life {
    world: Shared,
    disk: FaultyDisk,
    zero_ms: u64,
    seed: u64,
    starts: u64,
}

impl Life {
    fn measured_ms(&self, number: u64) -> u64 {
        self.zero_ms + number * EVERY_MS
    }

    fn now_ms(&self) -> u64 {
        lock(&self.world).now_ms
    }

    fn below(&self, bound: u64) -> u64 {
        lock(&self.world).below(bound)
    }

    fn set_line(&self) {
        let mut world = lock(&self.world);
        let day = (world.now_ms - self.zero_ms) / DAY_MS;
        world.is_cut_off = (LOST_DAY..BACK_DAY).contains(&day);
    }

    /// One start of the process: it ends when the machine dies, or when all days are over and everything is said. Answers whether
    /// it was the latter.
    fn live(&mut self, crash_at: Option<u64>) -> bool {
        self.starts += 1;
        self.set_line();
        let Ok(mut process) = Process::start(
            &self.world,
            &self.disk,
            SendOptions { idle_ms: 60_000, ..options(self.seed ^ self.starts) },
        ) else {
            return false;
        };
        let marks = lock(&process.queue).marks();
        let mut next =
            marks.get("counter").map_or(0, |mark| u64::from_be_bytes(mark.at.as_slice().try_into().unwrap())) + 1;
        loop {
            self.set_line();
            while self.measured_ms(next) <= self.now_ms() && self.now_ms() < self.zero_ms + LAST_DAY * DAY_MS {
                match lock(&process.queue).push(vec![reading(next, self.measured_ms(next))]) {
                    Ok(_) => next += 1,
                    Err(_) => break,
                }
            }
            let again_ms = process.sender.step();
            if crash_at.is_some_and(|at| self.disk.operations() >= at) {
                return false;
            }
            if process.is_done() && self.now_ms() >= self.zero_ms + LAST_DAY * DAY_MS {
                let status = lock(&process.sender.status()).clone();
                assert_eq!((status.refused, status.lost), (0, 0), "seed {}", self.seed);
                return true;
            }
            self.pass(again_ms, next);
        }
    }

    /// Moves the time on to what comes next: the sender, the next reading, or another day.
    fn pass(&self, again_ms: u64, next: u64) {
        let mut world = lock(&self.world);
        let before_ms = world.now_ms;
        world.pass_to_boot(again_ms.min(1 << 40));
        let next_ms = [self.measured_ms(next), self.zero_ms + BACK_DAY * DAY_MS]
            .into_iter()
            .filter(|at_ms| *at_ms > before_ms)
            .min()
            .unwrap_or(before_ms + HOUR_MS);
        world.now_ms = world.now_ms.min(next_ms).max(before_ms + 1);
        world.settle_log();
    }
}

fn live_through(seed: u64) -> u64 {
    let world = World::of(seed);
    let zero_ms = lock(&world).now_ms;
    lock(&world).enrol();
    lock(&world).bad_ppt = 300;
    // In three of four lives one of the two gateways lies, now and then or always.
    lock(&world).liar =
        (!seed.is_multiple_of(4)).then(|| ((seed / 4 % 2) as usize, [50, 300, 1_000][(seed % 4) as usize - 1]));
    let disk = FaultyDisk::new(seed, Faults::default());
    let mut life = Life { world, disk, zero_ms, seed, starts: 0 };
    loop {
        // The last days are lived through in peace, so that it ends.
        let is_over = life.now_ms() >= zero_ms + LAST_DAY * DAY_MS;
        let operations = life.disk.operations();
        let crash_at = (!is_over).then(|| operations + 1 + life.below(300));
        let fail_sync_at = (!is_over && life.below(4) == 0).then(|| operations + 1 + life.below(200));
        let faults = Faults { crash_at, fail_sync_at, full_at: None };
        if life.below(2) == 0 {
            life.disk.kill(faults)
        } else {
            life.disk.cut_power(faults)
        }
        if is_over {
            lock(&life.world).bad_ppt = 0;
        }
        if life.live(crash_at) {
            break;
        }
        assert!(life.starts < 10_000, "seed {seed} does not end");
    }
    check(&life);
    life.starts
}

/// Everything measured is in the log once, in order, has its receipt, and is judged and paid once, what came late at half.
fn check(life: &Life) {
    let (seed, zero_ms) = (life.seed, life.zero_ms);
    let mut world = lock(&life.world);
    let last = LAST_DAY * DAY_MS / EVERY_MS - 1;
    let logged = world.logged();
    let mut times: Vec<u64> = logged.iter().map(|body| body.time_ms).collect();
    let expected: Vec<u64> = (1..=last).map(|number| life.measured_ms(number)).collect();
    assert_eq!(times.len(), expected.len(), "seed {seed}");
    // What a liar took out of the middle of a request it has put behind the rest of it; nothing else is out of order.
    let is_picked = |body: &ReportBody| world.picked.contains(&Hash::of(&body.encode()));
    let in_order: Vec<u64> = logged.iter().filter(|body| !is_picked(body)).map(|body| body.time_ms).collect();
    assert!(in_order.is_sorted(), "seed {seed}: in order of measurement");
    assert!(world.liar.is_some() || in_order.len() == times.len(), "seed {seed}: no honest gateway does that");
    // It can do that once in a start: after that it is given one report at a time.
    assert!(world.picks <= life.starts + expected.len() as u64 / 100, "seed {seed}: {} times", world.picks);
    times.sort_unstable();
    assert_eq!(times, expected, "seed {seed}: everything, once");
    let names: BTreeSet<_> = logged.iter().map(|body| (body.boot, body.seq)).collect();
    assert_eq!(names.len(), logged.len(), "seed {seed}");
    assert!(logged.iter().any(|body| body.flags == flag::BACKFILLED), "seed {seed}");

    let log = keys(&world.network).log;
    let kept = receipts(&life.disk).unwrap();
    assert!(kept.iter().all(|receipt| receipt.verify(&log).is_ok()), "seed {seed}");
    let kept: BTreeSet<_> = kept.iter().map(|receipt| (receipt.boot, receipt.seq)).collect();
    assert_eq!(kept, names, "seed {seed}: a receipt for each");

    let end_ms = world.now_ms + 3 * DAY_MS;
    world.network.pass_to(end_ms);
    let (device, mut slots, mut late_slots) = (world.device.id, BTreeSet::new(), 0);
    for closed in &world.network.closed {
        let epoch_ms = zero_ms + closed.statement.number * DAY_MS;
        let mut weight = 0;
        for verdict in closed.verdicts.iter().map(|row| Verdict::decode(row).unwrap()) {
            assert!(verdict.weight() > 0 && slots.insert(verdict.slot_ms), "seed {seed}: {verdict:?}");
            let is_late = verdict.slot_ms < epoch_ms;
            late_slots += u64::from(is_late);
            weight += if is_late { verdict.weight() / 2 } else { verdict.weight() };
        }
        let payouts = closed.payouts.iter().map(|row| Payout::decode(row).unwrap());
        let paid: u64 =
            payouts.filter(|row| row.device == Some(device) && row.pool == "readings").map(|row| row.weight).sum();
        assert_eq!(paid, weight, "seed {seed}: epoch {}", closed.statement.number);
    }
    assert_eq!(slots.into_iter().collect::<Vec<_>>(), expected, "seed {seed}: each is judged once");
    assert!(late_slots >= 6 * DAY_MS / EVERY_MS, "seed {seed}: {late_slots} came late");
}

#[test]
fn after_a_week_offline_everything_arrives_once_in_order_and_is_paid_whatever_crashes_and_whatever_is_lost() {
    let seeds = std::env::var("CAIRN_SEEDS").ok().and_then(|text| text.parse().ok()).unwrap_or(SEEDS);
    let starts: u64 = std::thread::scope(|scope| {
        let live =
            |thread| scope.spawn(move || (thread..seeds).step_by(THREADS as usize).map(live_through).sum::<u64>());
        let threads: Vec<_> = (0..THREADS).map(live).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert!(starts > 5 * seeds, "{starts} starts: it was meant to crash");
}

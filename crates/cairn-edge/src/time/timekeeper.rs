//! A clock that asks whom it was told to ask, and tells how sure it is.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::asked::{Asked, vote};
use super::rtc::Compared;
use super::status::{ClockStatus, word};
use super::{ClockConfig, Keeper, ROUND_US, Sample, Taken, Ticks, World};
use crate::{Clock, ClockSource, SourceTrouble, Stamp, Stop};
use cairn_log::{Disk, read_whole, replace_whole};

/// The first wait after a round in which nobody could tell; it doubles up to [`ROUND_US`]. RFC 4330 forbids less than 15 s.
const AGAIN_US: i64 = 16_000_000;
/// How often the battery-backed clock's comparison is written down: its disk may be flash.
const COMPARE_US: i64 = 6 * 3_600_000_000;
/// How often it is looked whether the system's clock stepped.
const LOOK: Duration = Duration::from_secs(5);
/// The file of the comparison.
const FILE: &str = "clock";
const FILE_BYTES_MAX: u64 = 1_024;

struct Asking {
    servers: Vec<Asked>,
    gateways: Vec<Asked>,
    /// Rounds in a row after which nobody could tell.
    failed_rounds: u32,
    /// The steps of the system's clock that all samples have seen.
    steps: u64,
    compared: Option<Compared>,
    compared_us: Option<i64>,
}

/// The clock of a node: share it as [`Clock`], and [`Timekeeper::run`] it on a thread of its own.
pub struct Timekeeper {
    world: Box<dyn World>,
    config: ClockConfig,
    disk: Option<Arc<dyn Disk>>,
    keeper: Mutex<Keeper>,
    asking: Mutex<Asking>,
    /// Servers and gateways as of the last step: looking at them waits for nobody who is being asked.
    shown: Mutex<(Vec<Asked>, Vec<Asked>)>,
}

impl Timekeeper {
    /// Knows nothing yet, but for what a battery-backed clock was found to be worth, if `disk` holds that.
    #[must_use]
    pub fn of(config: &ClockConfig, gateways: &[String], world: Box<dyn World>, disk: Option<Arc<dyn Disk>>) -> Self {
        // What cannot be read is as good as nothing: the comparison is made again.
        let stored = disk.as_ref().and_then(|disk| read_whole(&**disk, FILE, FILE_BYTES_MAX).ok()?);
        let compared = stored.and_then(|bytes| serde_json::from_slice(&bytes).ok());
        let asking = Asking {
            servers: config.servers.iter().map(|name| Asked::of(name)).collect(),
            gateways: gateways.iter().filter(|_| config.gateways).map(|name| Asked::of(name)).collect(),
            failed_rounds: 0,
            steps: 0,
            compared,
            compared_us: None,
        };
        let keeper = Keeper::new(i64::from(config.error_max_s) * 1_000_000);
        let shown = Mutex::new((asking.servers.clone(), asking.gateways.clone()));
        Self { world, config: config.clone(), disk, keeper: Mutex::new(keeper), asking: Mutex::new(asking), shown }
    }

    /// Asks everybody whose turn it is, decides, and tells when to come again. Blocks for some seconds for each who does not answer.
    pub fn step(&self) -> Duration {
        self.step_until(&Stop::default())
    }

    /// The same, but nobody more is asked once `stop` is set: whoever stops a node waits for one answer at most.
    fn step_until(&self, stop: &Stop) -> Duration {
        let mut asking = lock(&self.asking);
        let wait = self.step_with(&mut asking, stop);
        *lock(&self.shown) = (asking.servers.clone(), asking.gateways.clone());
        wait
    }

    fn step_with(&self, asking: &mut Asking, stop: &Stop) -> Duration {
        asking.forget_if_stepped(self.looked().1);
        for asked in asking.servers.iter_mut().take_while(|_| !stop.is_set()) {
            asked.ask(&self.world.ticks(), |server| self.world.ntp(server));
        }
        for asked in asking.gateways.iter_mut().take_while(|_| !stop.is_set()) {
            asked.ask(&self.world.ticks(), |url| self.world.gateway(url));
        }
        let (now, steps) = self.looked();
        if asking.forget_if_stepped(steps) {
            return self.again(asking, &now);
        }
        let has_ntp = self.decide(asking, &now);
        self.compare(asking, &now);
        let is_known = self.stamp(&now).wall.is_some();
        if is_known && (has_ntp || asking.servers.is_empty()) {
            asking.failed_rounds = 0;
            return spread(ROUND_US, self.world.random());
        }
        self.again(asking, &now)
    }

    fn again(&self, asking: &mut Asking, now: &Ticks) -> Duration {
        let wait_us = AGAIN_US.saturating_mul(1 << asking.failed_rounds.min(6)).min(ROUND_US);
        asking.failed_rounds += 1;
        let all = asking.servers.iter().chain(&asking.gateways);
        // Not sooner than anybody may be asked, nor for ever because nobody may.
        let rests_us = all.map(|asked| asked.rests_until_us.saturating_sub(now.boot_us)).min().unwrap_or(0);
        spread(wait_us.max(rests_us.min(ROUND_US)), self.world.random())
    }

    /// Hands what was told to the keeper, best first. Answers whether most NTP servers agree.
    fn decide(&self, asking: &mut Asking, now: &Ticks) -> bool {
        let mut keeper = lock(&self.keeper);
        let mut take = |source, offset| keeper.take(source, Sample { offset, at: *now }, now);
        let ntp = vote(&mut asking.servers, now);
        match ntp.or_else(|| self.world.synchronised().map(|sample| sample.aged(now))) {
            Some(offset) if take(ClockSource::Ntp, offset) == Taken::Doubted => return false,
            _ => {}
        }
        if let Some(offset) = vote(&mut asking.gateways, now)
            && take(ClockSource::Network, offset) == Taken::Refused
        {
            let agreeing = asking.gateways.iter_mut().filter(|asked| asked.sample.is_some());
            agreeing.for_each(|asked| asked.is_outvoted = true);
        }
        let compared = asking.compared.filter(|_| self.config.rtc && keeper.stamp(now).wall.is_none());
        if let Some((compared, rtc_s)) = compared.zip(self.world.rtc_s())
            && let Some(offset) = compared.tells(rtc_s, now)
        {
            keeper.take(ClockSource::Rtc, Sample { offset, at: *now }, now);
        }
        ntp.is_some()
    }

    /// Compares the battery-backed clock with a time that is known without it, now and then.
    fn compare(&self, asking: &mut Asking, now: &Ticks) {
        let is_due = asking.compared_us.is_none_or(|last_us| now.boot_us - last_us >= COMPARE_US);
        let known = lock(&self.keeper).known().filter(|known| known.source != ClockSource::Rtc);
        let (Some(known), Some(disk), true) = (known, &self.disk, is_due && self.config.rtc) else { return };
        let Some(rtc_s) = self.world.rtc_s() else { return };
        let compared = Compared::at(rtc_s, known.sample.aged(now), now);
        asking.compared = Some(compared);
        let bytes = serde_json::to_vec(&compared).unwrap_or_default();
        // On a disk that takes nothing the comparison lasts as long as this process; it is written when the disk does.
        if replace_whole(&**disk, FILE, &bytes).is_ok() {
            asking.compared_us = Some(now.boot_us);
        }
    }

    /// The clocks now, with a step of the system's noticed; and how many there were.
    fn looked(&self) -> (Ticks, u64) {
        let now = self.world.ticks();
        let mut keeper = lock(&self.keeper);
        keeper.look(&now);
        (now, keeper.steps())
    }

    fn stamp(&self, now: &Ticks) -> Stamp {
        lock(&self.keeper).stamp(now)
    }

    /// How it stands.
    #[must_use]
    pub fn status(&self) -> ClockStatus {
        let now = self.world.ticks();
        let (stamp, known, steps) = {
            let keeper = lock(&self.keeper);
            (keeper.stamp(&now), keeper.known(), keeper.steps())
        };
        let told_us = known.map(|known| now.boot_us.saturating_sub(known.sample.at.boot_us));
        let (servers, gateways) = lock(&self.shown).clone();
        ClockStatus {
            source: word(stamp.wall.map_or(ClockSource::None, |(_, source, _)| source)),
            error_ms: stamp.wall.map(|(_, _, error_ms)| error_ms),
            told_s: told_us.and_then(|us| u64::try_from(us / 1_000_000).ok()),
            steps,
            servers,
            gateways,
        }
    }

    /// Keeps the time until `stop` is set. Troubles are told once until they are over.
    pub fn run(&self, told: &dyn Fn(SourceTrouble), stop: &Stop) {
        let mut open: Vec<(&'static str, String)> = Vec::new();
        while !stop.is_set() {
            let mut wait = self.step_until(stop);
            if stop.is_set() {
                break;
            }
            let current = self.status().troubles();
            for (code, _) in open.iter().filter(|(code, _)| current.iter().all(|(other, _)| other != code)) {
                told(SourceTrouble { code, detail: String::new(), is_over: true });
            }
            for (code, detail) in current.iter().filter(|trouble| !open.contains(trouble)) {
                told(SourceTrouble { code, detail: detail.clone(), is_over: false });
            }
            open = current;
            let steps = self.looked().1;
            while !wait.is_zero() && !stop.wait(wait.min(LOOK)) && self.looked().1 == steps {
                wait = wait.saturating_sub(LOOK);
            }
        }
    }
}

impl Clock for Timekeeper {
    fn now(&self) -> Stamp {
        let (now, _) = self.looked();
        self.stamp(&now)
    }
}

impl Asking {
    /// What was told before a step of the system's clock counts no more. Answers whether there was one.
    fn forget_if_stepped(&mut self, steps: u64) -> bool {
        let stepped = core::mem::replace(&mut self.steps, steps) != steps;
        if stepped {
            self.servers.iter_mut().chain(&mut self.gateways).for_each(|asked| asked.sample = None);
            self.failed_rounds = 0;
        }
        stepped
    }
}

/// A wait, up to an eighth shorter, so that those who started together do not ask together.
fn spread(wait_us: i64, random: u64) -> Duration {
    let wait = Duration::from_micros(u64::try_from(wait_us).unwrap_or(0));
    wait - wait / 8 * u32::from(random.to_be_bytes()[7]) / 256
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;

//! A file whose lines stand in no order of time, a queue whose disk fails, and a process that is killed: windows close out of order,
//! and still every reading is reported, and none twice.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use cairn_core::{DeviceId, Hash, NetworkId};
use cairn_testkit::disk::{Faults, FaultyDisk};
use cairn_testkit::random::Random;
use proptest::prelude::*;

use super::*;
use crate::map::Mapping;
use crate::queue::{Outcome, QueueLimits};
use crate::reduce::narrow::Narrow;
use crate::reduce::{Align, RawStore, Recipe, StoreLimits, recompute};
use crate::source::FileSource;
use crate::{ClockSource, Raw, Stamp};

/// The start of a minute.
const NOON_MS: u64 = 1_795_000_020_000;
/// Under which name marks are kept.
const FILE: &str = "file";
/// As short as a look may be: a source waits only where a file was replaced.
const LOOK: Duration = Duration::from_millis(1);

/// A clock that goes on when it is told to.
struct Told(AtomicU64);

impl Clock for Told {
    fn now(&self) -> Stamp {
        let boot_ms = self.0.load(Ordering::SeqCst);
        Stamp { boot_ms, wall: Some((NOON_MS + boot_ms, ClockSource::Ntp, 10)) }
    }
}

/// What happens in one start of the process behind each line that was taken.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Then {
    /// So many ms pass.
    Pass(u64),
    /// The file is renamed, and goes on under its name in another one.
    Rotate,
    /// The process is killed.
    Die,
}

/// A file, and what became of it.
struct Life {
    folder: tempfile::TempDir,
    /// The disk of the queue.
    disk: FaultyDisk,
    /// A disk of raw inputs that never fails: it tells which reading went into which report.
    raws: SharedStore,
    segment_bytes: u64,
    clock: Arc<Told>,
    /// Lines that were written: they are numbered from 1.
    lines: u64,
    /// The readings of each report that was ever seen to wait, by its place.
    reported: BTreeMap<u64, Vec<i64>>,
}

impl Life {
    fn of(seed: u64, segment_bytes: u64) -> Self {
        let healthy = Narrow::over(&FaultyDisk::new(seed, Faults::default()));
        Self {
            folder: tempfile::tempdir().unwrap(),
            disk: FaultyDisk::new(seed, Faults::default()),
            raws: Arc::new(Mutex::new(RawStore::open(Arc::new(healthy), StoreLimits::default()).unwrap())),
            segment_bytes,
            clock: Arc::new(Told(AtomicU64::new(0))),
            lines: 0,
            reported: BTreeMap::new(),
        }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("data.csv")
    }

    /// Writes the next line: measured so many seconds before noon.
    fn write(&mut self, before_s: u64) {
        self.lines += 1;
        let mut file = fs::OpenOptions::new().append(true).create(true).open(self.path()).unwrap();
        writeln!(file, "{},{}", NOON_MS / 1_000 - before_s, self.lines).unwrap();
    }

    fn rotate(&self) {
        fs::rename(self.path(), self.folder.path().join("data.csv.1")).unwrap();
        fs::write(self.path(), "").unwrap();
    }

    fn queue(&self) -> Result<Queue, EdgeError> {
        let limits = QueueLimits { bytes_max: 1 << 22, segment_bytes: self.segment_bytes };
        Queue::open(Arc::new(self.disk.clone()), NetworkId(Hash::of(b"network")), DeviceId([1; 16]), limits)
    }

    /// One start: reads the file up to its last line, unless it dies before. `then` says what happens behind each line that is taken.
    /// Answers whether it was still there in the end; then every window is closed, if `finishes`.
    fn start(&mut self, finishes: bool, mut then: impl FnMut() -> Then) -> bool {
        let Ok(queue) = self.queue() else { return false };
        let mapping = "format = \"csv\"\ncolumns = [\"time\", \"v\"]\ntime = { at = \"time\", as = \"s\" }\n\
                       field = [{ quantity = \"co2\", at = \"v\" }]";
        let mapping = Mapping::of(&toml::from_str(mapping).unwrap()).unwrap();
        let mark = queue.marks().remove(FILE);
        let source = Box::new(FileSource::of(&self.path(), mapping, true, LOOK, mark));
        let windows = Windows::of(Recipe::default(), Align::Utc, 60_000).going_on(queue.marks());
        let (queue, stop, last) = (Mutex::new(queue), Stop::default(), i64::try_from(self.lines).unwrap());
        let push = |item: &Item| {
            let mut queue = queue.lock().unwrap();
            let pushed = queue.push(vec![item.clone()]).or_else(|_| {
                self.disk.make_room();
                queue.push(vec![item.clone()])
            });
            if pushed.is_err() {
                stop.set();
            }
            pushed.is_ok()
        };
        let clock: Arc<dyn Clock> = self.clock.clone();
        let intake = Intake::of(windows, self.raws.clone(), clock, &push, &|_, _| ());
        let then = std::cell::RefCell::new(&mut then);
        let is_killed = std::cell::Cell::new(false);
        let out = |raw: Raw| {
            let value = raw.readings.first().map(|reading| reading.value);
            if !intake.take(FILE, raw) {
                stop.set();
                return false;
            }
            if value == Some(last) {
                stop.set();
                return true;
            }
            match (then.borrow_mut())() {
                Then::Pass(pass_ms) => _ = self.clock.0.fetch_add(pass_ms, Ordering::SeqCst),
                Then::Rotate => self.rotate(),
                Then::Die => {
                    is_killed.set(true);
                    stop.set();
                }
            }
            intake.tick();
            true
        };
        let ended = source.run(&out, &|trouble| assert_eq!(trouble.code, "EDGE-FULL"), &stop);
        assert_eq!(ended, Ended::Stopped);
        let is_there = !is_killed.get() && (!finishes || intake.finish());
        drop(intake);
        let mut queue = queue.into_inner().unwrap();
        is_there && queue.flush().is_ok()
    }

    /// Sends what waits, and notes what went into it.
    fn send(&mut self, most: usize) -> Result<(), EdgeError> {
        let mut queue = self.queue()?;
        let waiting = queue.waiting(most)?;
        for waiting in &waiting {
            let raw = self.raws.lock().unwrap().get(&waiting.item.blobs[0].0).unwrap().expect("raw inputs are kept");
            let samples = recompute(&raw).unwrap().raw.samples;
            let values: Vec<i64> = samples.into_iter().flat_map(|sample| sample.values.into_values()).collect();
            let earlier = self.reported.insert(waiting.ordinal, values.clone());
            assert!(earlier.is_none_or(|earlier| earlier == values), "a place is one report's");
        }
        queue.settle(&waiting.iter().map(|waiting| (waiting.ordinal, Outcome::Promised)).collect::<Vec<_>>())?;
        queue.flush()
    }

    /// A last start in which nothing fails; then everything is sent, and every line is in one report.
    fn end(&mut self, case: &str) {
        self.disk.kill(Faults::default());
        self.write(30);
        assert!(self.start(true, || Then::Pass(1)), "{case}: nothing fails");
        self.disk.kill(Faults::default());
        self.send(usize::MAX).unwrap();
        let mut found: Vec<i64> = self.reported.values().flatten().copied().collect();
        found.sort_unstable();
        let lines: Vec<i64> = (1..=i64::try_from(self.lines).unwrap()).collect();
        let missing: Vec<_> = lines.iter().filter(|line| !found.contains(line)).collect();
        let twice: Vec<_> = found.windows(2).filter(|two| two[0] == two[1]).map(|two| two[0]).collect();
        assert!(found == lines, "{case}: missing {missing:?}, twice {twice:?}");
    }
}

/// Two sensors write into one file, one of them a minute behind; the window of the other one closes first.
fn two_sensors(life: &mut Life) -> bool {
    for _ in 0..4 {
        life.write(130);
        life.write(70);
    }
    for _ in 0..4 {
        life.write(70);
    }
    life.write(30);
    // After the eighth line only the later window is written into; the earlier one is quiet, and closes.
    let mut taken = 0;
    life.start(false, || {
        taken += 1;
        Then::Pass(if taken > 9 { 1_000 } else { 1 })
    })
}

#[test]
fn what_is_kept_beyond_a_mark_is_not_reported_again_wherever_the_process_is_killed() {
    for crash_at in 1.. {
        let mut life = Life::of(crash_at, 1_000);
        life.disk.kill(Faults { crash_at: Some(crash_at), ..Faults::default() });
        let is_through = two_sensors(&mut life);
        life.end(&format!("killed at operation {crash_at}"));
        if is_through {
            assert!(crash_at > 5, "something was written");
            break;
        }
    }
}

fn live_through(seed: u64) {
    let random = &mut Random::of(seed);
    let mut life = Life::of(seed, 200 + random.below(2_000));
    // A file that is renamed before anything of it was kept is not known again.
    life.write(500);
    assert!(life.start(true, || Then::Pass(1)));
    let mut may_rotate = true;
    // How far lines are from their order, and how many there are at once.
    let (spread_s, lines) = (1 + random.below(400), 1 + random.below(40));
    for _ in 0..2 + random.below(6) {
        let at = life.disk.operations();
        let faults = Faults::soon(random, at, 60);
        if random.one_in(2) {
            life.disk.kill(faults)
        } else {
            life.disk.cut_power(faults)
        }
        for _ in 0..=random.below(lines) {
            let before_s = random.below(spread_s);
            life.write(before_s);
        }
        if may_rotate && random.one_in(6) {
            may_rotate = false;
            life.rotate();
            life.write(7);
        }
        let (finishes, dies) = (random.one_in(4), random.one_in(3));
        let rotates = may_rotate && random.one_in(4);
        may_rotate &= !rotates;
        let mut rotates_in = rotates.then(|| random.below(lines));
        life.start(finishes, || {
            if rotates_in == Some(0) {
                rotates_in = None;
                return Then::Rotate;
            }
            rotates_in = rotates_in.map(|lines| lines - 1);
            match random.below(20) {
                0 if dies => Then::Die,
                0..4 => Then::Pass(random.below(4_000)),
                _ => Then::Pass(random.below(300)),
            }
        });
        if random.one_in(3) {
            let _ = life.send(1 + usize::try_from(random.below(20)).unwrap());
        }
    }
    life.end(&format!("seed {seed}"));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn every_reading_is_reported_once_in_whatever_order_windows_close_and_whatever_fails(seed in any::<u64>()) {
        live_through(seed);
    }
}

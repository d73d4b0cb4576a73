//! From sources to the queue: what comes is put into windows, and what is closed is kept and handed on.
//!
//! In this order: the raw input is durable, then the item is offered to the queue, and only what the queue has taken is let go. As
//! long as it takes nothing, nothing more is taken from sources either: they wait, and so nothing is lost but what cannot wait.
//!
//! A raw input that cannot be kept stops nothing: its report says what it would be, by hash, and is worth more. That is said.

use std::collections::{BTreeSet, VecDeque};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::reduce::{Closed, Crowding, SharedStore, Windows, lock};
use crate::{Clock, ClockSource, Ended, Item, Raw, Source, SourceTrouble, Stop};

/// How often windows are looked at.
const TICK: Duration = Duration::from_millis(500);
/// Who says that something of raw inputs is wrong.
const RAW: &str = "raw inputs";
/// The code of raw inputs that are not kept, and of old ones that are given up because the disk is full.
const NOT_KEPT: &str = "EDGE-RAW";
const GIVEN_UP: &str = "EDGE-RAW-FULL";

/// Takes an item durably, or answers `false`; then it is offered again.
pub type Push<'a> = dyn Fn(&Item) -> bool + Sync + 'a;

/// Hears what a source, by its name, cannot do, or can again.
pub type Told<'a> = dyn Fn(&str, SourceTrouble) + Sync + 'a;

/// What stands between sources and the queue.
pub struct Intake<'a> {
    clock: Arc<dyn Clock>,
    push: &'a Push<'a>,
    told: &'a Told<'a>,
    store: SharedStore,
    state: Mutex<State>,
}

struct State {
    windows: Windows,
    waiting: VecDeque<Closed>,
    is_failing: bool,
    crowding: Crowding,
}

impl<'a> Intake<'a> {
    /// Nothing taken yet.
    pub fn of(
        windows: Windows,
        store: SharedStore,
        clock: Arc<dyn Clock>,
        push: &'a Push<'a>,
        told: &'a Told<'a>,
    ) -> Self {
        let (waiting, crowding) = (VecDeque::new(), Crowding::behind(lock(&store).given_up()));
        let state = State { windows, waiting, is_failing: false, crowding };
        Self { clock, push, told, store, state: Mutex::new(state) }
    }

    /// Takes what came from a source; `false` where it should be offered again.
    pub fn take(&self, source: &str, raw: Raw) -> bool {
        let mut state = self.lock();
        if !self.hand_on(&mut state) {
            return false;
        }
        let taken = state.windows.take(source, raw, self.clock.now());
        let is_taken = taken.is_ok();
        state.waiting.extend(taken.unwrap_or_default());
        self.hand_on(&mut state);
        is_taken
    }

    /// Closes the windows whose time is over.
    pub fn tick(&self) {
        let mut state = self.lock();
        let closed = state.windows.tick(self.clock.now());
        state.waiting.extend(closed);
        self.hand_on(&mut state);
    }

    /// Closes every window as it is. Answers whether the queue has taken everything.
    pub fn finish(&self) -> bool {
        let mut state = self.lock();
        let closed = state.windows.finish();
        state.waiting.extend(closed);
        self.hand_on(&mut state)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps and offers what is closed, in order. Answers whether nothing waits any more.
    fn hand_on(&self, state: &mut State) -> bool {
        let now_ms = match self.clock.now().wall {
            Some((wall_ms, source, _)) if source != ClockSource::None => wall_ms,
            _ => 0,
        };
        while let Some(closed) = state.waiting.front() {
            let Some(item) = &closed.item else {
                state.waiting.pop_front();
                continue;
            };
            let kept = lock(&self.store).keep(&closed.raw, now_ms).map(|_| ());
            if !(self.push)(item) {
                return false;
            }
            self.say(state, kept);
            state.waiting.pop_front();
        }
        true
    }

    /// Says once, until it is over, that raw inputs are not kept, or that old ones go because the disk is full.
    fn say(&self, state: &mut State, kept: io::Result<()>) {
        let gone = lock(&self.store).given_up();
        if let Some(is_over) = state.crowding.look(gone) {
            let said = "the disk is full, and old raw inputs are given up for what comes; make room on it";
            let detail = if is_over { String::new() } else { said.to_owned() };
            (self.told)(RAW, SourceTrouble { code: GIVEN_UP, detail, is_over });
        }
        if kept.is_err() != core::mem::replace(&mut state.is_failing, kept.is_err()) {
            let why = |error| format!("raw inputs are not kept, and reports go on without: {error}; {}", hint(&error));
            let is_over = kept.is_ok();
            let detail = kept.err().map(why).unwrap_or_default();
            (self.told)(RAW, SourceTrouble { code: NOT_KEPT, detail, is_over });
        }
    }
}

/// The way out of raw inputs that are not kept.
fn hint(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "make room on the disk",
        io::ErrorKind::InvalidInput => "give them more room: `[raw] size_mib` in node.toml",
        io::ErrorKind::PermissionDenied => "the folder `raw` has to belong to the node's user",
        _ => "look after the disk; the folder `raw` may be moved away, only raw inputs are lost with it",
    }
}

/// Runs sources, a thread for each, until `stop` is set or all of them ended. Windows are closed meanwhile, and all of them at
/// the end. Answers how each source ended, by its name.
///
/// # Errors
/// The names of sources that are there more than once: their marks would be mistaken for each other's.
pub fn run(
    sources: Vec<(String, Box<dyn Source>)>,
    intake: &Intake<'_>,
    stop: &Stop,
) -> Result<Vec<(String, Ended)>, String> {
    let mut names = BTreeSet::new();
    if let Some((name, _)) = sources.iter().find(|(name, _)| !names.insert(name.clone())) {
        return Err(name.clone());
    }
    let ended = std::thread::scope(|scope| {
        let run = |(name, source): (String, Box<dyn Source>)| {
            let told = intake.told;
            let own = name.clone();
            let thread =
                scope.spawn(move || source.run(&|raw| intake.take(&own, raw), &|trouble| told(&own, trouble), stop));
            (name, thread)
        };
        let threads: Vec<_> = sources.into_iter().map(run).collect();
        while !stop.is_set() && threads.iter().any(|(_, thread)| !thread.is_finished()) {
            intake.tick();
            let _ = stop.wait(TICK);
        }
        let end = |thread: std::thread::ScopedJoinHandle<'_, Ended>| {
            let panicked = SourceTrouble { code: "EDGE-SOURCE", detail: "it panicked".to_owned(), is_over: false };
            thread.join().unwrap_or(Ended::Failed(panicked))
        };
        threads.into_iter().map(|(name, thread)| (name, end(thread))).collect()
    });
    intake.finish();
    Ok(ended)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

    use cairn_classes::sensing::Quantity;
    use cairn_testkit::disk::{Faults, FaultyDisk};

    use super::*;
    use crate::reduce::narrow::Narrow;
    use crate::reduce::{Align, RawStore, Recipe, StoreLimits, recompute};
    use crate::{Reading, Stamp};

    struct Virtual(AtomicU64);

    impl Clock for Virtual {
        fn now(&self) -> Stamp {
            let boot_ms = self.0.load(Ordering::SeqCst);
            Stamp { boot_ms, wall: Some((1_700_000_040_000 + boot_ms, ClockSource::Ntp, 10)) }
        }
    }

    fn raw(value: i64) -> Raw {
        let readings = vec![Reading { quantity: Quantity::Co2, value }];
        Raw { bytes: value.to_string().into_bytes(), said_ms: None, readings, mark: Some(vec![1]) }
    }

    fn store(on: &Narrow) -> SharedStore {
        Arc::new(Mutex::new(RawStore::open(Arc::new(on.clone()), StoreLimits::default()).unwrap()))
    }

    fn narrow() -> Narrow {
        Narrow::over(&FaultyDisk::new(1, Faults::default()))
    }

    #[test]
    fn what_the_queue_does_not_take_waits_and_so_do_the_sources() {
        let clock = Arc::new(Virtual(AtomicU64::new(0)));
        let (takes, pushed) = (AtomicBool::new(false), Mutex::new(Vec::new()));
        let push = |item: &Item| {
            let takes = takes.load(Ordering::SeqCst);
            if takes {
                pushed.lock().unwrap().push(item.clone());
            }
            takes
        };
        let disk = narrow();
        let windows = Windows::of(Recipe::default(), Align::Utc, 1_000);
        let intake = Intake::of(windows, store(&disk), clock.clone(), &push, &|_, _| ());
        assert!(intake.take("a", raw(400)) && intake.take("b", raw(410)));
        clock.0.store(5_000, Ordering::SeqCst);
        intake.tick();
        assert!(!intake.take("a", raw(500)));
        takes.store(true, Ordering::SeqCst);
        assert!(intake.take("a", raw(500)) && intake.finish());
        let pushed = pushed.lock().unwrap();
        assert_eq!(pushed.len(), 2);
        assert_eq!(pushed[0].marks, [("a".to_owned(), vec![1].into()), ("b".to_owned(), vec![1].into())]);
        for item in pushed.iter() {
            let kept = lock(&store(&disk)).get(&item.blobs[0].0).unwrap().unwrap();
            assert_eq!(recompute(&kept).unwrap().body.encode(), item.body);
        }
    }

    #[test]
    fn on_a_full_disk_old_raw_inputs_go_first_and_then_reports_go_on_without_and_each_is_said_once() {
        let clock = Arc::new(Virtual(AtomicU64::new(0)));
        let disk = narrow();
        let (pushed, said) = (Mutex::new(Vec::new()), Mutex::new(Vec::new()));
        let push = |item: &Item| {
            pushed.lock().unwrap().push(item.clone());
            true
        };
        let told = |who: &str, trouble: SourceTrouble| {
            assert_eq!((who, trouble.detail.contains("make room")), (RAW, !trouble.is_over), "{trouble:?}");
            said.lock().unwrap().push((trouble.code, trouble.is_over));
        };
        let windows = Windows::of(Recipe::default(), Align::Boot, 1_000);
        let intake = Intake::of(windows, store(&disk), clock.clone(), &push, &told);
        let measure = |count: u64| {
            for _ in 0..count {
                assert!(intake.take("a", raw(400)));
                clock.0.fetch_add(5_000, Ordering::SeqCst);
                intake.tick();
            }
            core::mem::take(&mut *said.lock().unwrap())
        };
        assert_eq!(measure(10), []);
        disk.leave(0);
        assert_eq!(measure(20), [(GIVEN_UP, false)], "an old one goes for each that comes");
        disk.disk.fill();
        assert_eq!(measure(20), [(NOT_KEPT, false)], "the first gives up all that is left");
        disk.disk.make_room();
        assert_eq!(measure(20), [(NOT_KEPT, true)]);
        disk.leave(1 << 20);
        assert_eq!(measure(70), [(GIVEN_UP, true)]);
        let pushed = pushed.lock().unwrap();
        assert_eq!(pushed.len(), 140, "nothing that was measured is missing");
        assert!(pushed.iter().all(|item| item.blobs.len() == 1));
    }

    /// Gives some values, and ends.
    struct Values(Vec<i64>);

    impl Source for Values {
        fn name(&self) -> String {
            "values".to_owned()
        }

        fn run(self: Box<Self>, out: &dyn Fn(Raw) -> bool, _: &dyn Fn(SourceTrouble), _: &Stop) -> Ended {
            assert!(self.0.into_iter().all(|value| out(raw(value))));
            Ended::Exhausted
        }
    }

    #[test]
    fn sources_run_beside_each_other_until_all_have_ended() {
        let clock = Arc::new(Virtual(AtomicU64::new(0)));
        let pushed = Mutex::new(Vec::new());
        let push = |item: &Item| {
            pushed.lock().unwrap().push(item.clone());
            true
        };
        let windows = Windows::of(Recipe::default(), Align::Utc, 60_000);
        let intake = Intake::of(windows, store(&narrow()), clock, &push, &|_, _| ());
        let source = |name: &str, values: &[i64]| -> (String, Box<dyn Source>) {
            (name.to_owned(), Box::new(Values(values.to_vec())))
        };
        let ended = run(vec![source("a", &[400, 402]), source("b", &[404])], &intake, &Stop::default()).unwrap();
        assert!(ended.iter().all(|(_, ended)| *ended == Ended::Exhausted) && ended.len() == 2);
        let pushed = pushed.lock().unwrap();
        assert_eq!((pushed.len(), pushed[0].body.get(13)), (1, Some(&cairn_core::cbor::Value::Int(402))));
        let twice = run(vec![source("a", &[]), source("a", &[])], &intake, &Stop::default());
        assert_eq!(twice, Err("a".to_owned()));
    }
}

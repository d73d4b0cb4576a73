use cairn_classes::sensing::{Body, Quantity};
use cairn_core::{DeviceId, Hash, NetworkId};
use cairn_log::Disk;
use cairn_testkit::disk::{Faults, FaultyDisk};

use super::*;
use crate::queue::QueueLimits;
use crate::reduce::narrow::Narrow;
use crate::reduce::{Align, MakingRoom, RawStore, Recipe, StoreLimits, recompute};
use crate::{ClockSource, Raw, Reading, Stamp};

/// A clock that moves on by a minute whenever it is looked at.
struct Minutes(AtomicU64);

impl Clock for Minutes {
    fn now(&self) -> Stamp {
        let boot_ms = self.0.fetch_add(60_000, Ordering::SeqCst);
        Stamp { boot_ms, wall: Some((1_795_000_020_000 + boot_ms, ClockSource::Ntp, 10)) }
    }
}

/// Counts from where its mark says up to `to`, and does what `then` says after each.
struct Counting<F> {
    from: u8,
    to: u8,
    then: F,
}

impl<F: FnMut(u8) + Send> Source for Counting<F> {
    fn name(&self) -> String {
        "counting".to_owned()
    }

    fn run(mut self: Box<Self>, out: &dyn Fn(Raw) -> bool, _: &dyn Fn(SourceTrouble), stop: &Stop) -> Ended {
        for number in self.from..self.to {
            let readings = vec![Reading { quantity: Quantity::Co2, value: number.into() }];
            let raw = Raw { bytes: vec![number], said_ms: None, readings, mark: Some(vec![number + 1]) };
            while !out(raw.clone()) {
                if stop.is_set() {
                    return Ended::Stopped;
                }
                (self.then)(number);
            }
            (self.then)(number);
        }
        Ended::Exhausted
    }
}

fn queue(disk: &FaultyDisk, limits: QueueLimits) -> Arc<Mutex<Queue>> {
    let network = NetworkId(Hash::of(b"network"));
    Arc::new(Mutex::new(Queue::open(Arc::new(disk.clone()), network, DeviceId([1; 16]), limits).unwrap()))
}

fn station<F: FnMut(u8) + Send + 'static>(disk: &FaultyDisk, queue: &Arc<Mutex<Queue>>, to: u8, then: F) -> Station {
    let mark = queue.lock().unwrap().marks().remove("counting").and_then(|mark| mark.at.first().copied());
    let source: Box<dyn Source> = Box::new(Counting { from: mark.unwrap_or(0), to, then });
    Station {
        sources: vec![("counting".to_owned(), source)],
        windows: Windows::of(Recipe::default(), Align::Utc, 60_000),
        store: Arc::new(Mutex::new(store(disk))),
        clock: Arc::new(Minutes(AtomicU64::new(0))),
        queue: queue.clone(),
    }
}

fn store(disk: &FaultyDisk) -> RawStore {
    RawStore::open(Arc::new(Narrow::over(disk)), StoreLimits::default()).unwrap()
}

fn values(disk: &FaultyDisk, queue: &Arc<Mutex<Queue>>) -> Vec<i64> {
    let store = store(disk);
    let waiting = queue.lock().unwrap().waiting(1_000).unwrap();
    let mut values = Vec::new();
    for waiting in waiting {
        let Some(raw) = store.get(&waiting.item.blobs[0].0).unwrap() else {
            // It was given up for the report, which says what it came to.
            let body = Body::parse(&waiting.item.body).unwrap();
            values.extend(body.readings().iter().flat_map(|reading| &reading.values).map(|(_, value)| *value));
            continue;
        };
        let raw = recompute(&raw).unwrap();
        assert_eq!(raw.body.encode(), waiting.item.body);
        values.extend(raw.raw.samples.iter().flat_map(|sample| sample.values.values().copied()));
    }
    values
}

#[test]
fn whoever_stops_and_starts_again_keeps_every_reading_once_and_in_order() {
    let disk = FaultyDisk::new(1, Faults::default());
    let (mut queue_now, stop) = (queue(&disk, QueueLimits::default()), Stop::default());
    let own = stop.clone();
    let first = station(&disk, &queue_now, 9, move |number| {
        if number == 3 {
            own.set()
        }
    });
    let measured = first.run(&|_, _| (), &stop).unwrap();
    assert!(measured.is_kept);
    drop(queue_now);
    queue_now = queue(&disk, QueueLimits::default());
    let measured = station(&disk, &queue_now, 9, |_| ()).run(&|_, _| (), &Stop::default()).unwrap();
    assert_eq!((measured.is_kept, measured.ended), (true, vec![("counting".to_owned(), Ended::Exhausted)]));
    assert_eq!(values(&disk, &queue_now), (0..9).collect::<Vec<i64>>());
}

#[test]
fn while_nothing_can_be_kept_nothing_is_taken_and_with_room_it_goes_on() {
    let disk = FaultyDisk::new(1, Faults::default());
    let (queue, said) = (queue(&disk, QueueLimits::default()), Mutex::new(Vec::new()));
    let (own, mut refused) = (disk.clone(), 0);
    let station = station(&disk, &queue, 8, move |number| match number {
        2 => own.fill(),
        _ => {
            refused += 1;
            if refused == 20 {
                own.make_room();
            }
        }
    });
    let told =
        |who: &str, trouble: SourceTrouble| said.lock().unwrap().push((who.to_owned(), trouble.code, trouble.is_over));
    assert!(station.run(&told, &Stop::default()).unwrap().is_kept);
    assert_eq!(values(&disk, &queue), (0..8).collect::<Vec<i64>>());
    let said = said.into_inner().unwrap();
    for (_, code, _) in &said {
        let told = |is_over| said.iter().filter(|(_, own, over)| own == code && *over == is_over).count();
        // Eight windows are too few to say that the disk is not full any more.
        let over = usize::from(*code != "EDGE-RAW-FULL");
        assert_eq!((told(false), told(true)), (1, over), "{said:?}");
    }
    assert!(!said.is_empty());
}

#[test]
fn on_a_full_disk_reports_take_the_room_of_old_raw_inputs_and_nothing_that_is_measured_is_missing() {
    let run = |is_full: bool| {
        let narrow = Narrow::over(&FaultyDisk::new(1, Faults::default()));
        let store = RawStore::open(Arc::new(narrow.folder("raw")), StoreLimits::default()).unwrap();
        let store: SharedStore = Arc::new(Mutex::new(store));
        let on: Arc<dyn Disk> = Arc::new(MakingRoom::on(Arc::new(narrow.folder("queue")), store.clone()));
        let limits = QueueLimits { bytes_max: 1 << 20, segment_bytes: 1_000 };
        let network = NetworkId(Hash::of(b"network"));
        let queue = Arc::new(Mutex::new(Queue::open(on.clone(), network, DeviceId([1; 16]), limits).unwrap()));
        let own = narrow.clone();
        let then = move |number| {
            if is_full && number == 100 {
                own.leave(0);
            }
        };
        let station = Station { store: store.clone(), ..station(&narrow.disk, &queue, 200, then) };
        let said = Mutex::new(Vec::new());
        let told = |_: &str, trouble: SourceTrouble| said.lock().unwrap().push((trouble.code, trouble.is_over));
        assert!(station.run(&told, &Stop::default()).unwrap().is_kept);
        drop(queue);
        // A start too needs room.
        let mut queue = Queue::open(on, network, DeviceId([1; 16]), limits).unwrap();
        let waiting = queue.waiting(1_000).unwrap();
        let given_up = store.lock().unwrap().given_up();
        (waiting.into_iter().map(|waiting| waiting.item.body).collect::<Vec<_>>(), said.into_inner().unwrap(), given_up)
    };
    let ((expected, none, 0), (items, said, given_up)) = (run(false), run(true)) else { panic!("there was room") };
    assert_eq!((items.len(), said), (expected.len(), vec![("EDGE-RAW-FULL", false)]));
    assert!(items == expected && none.is_empty() && given_up > 50, "{given_up}");
}

#[test]
fn what_a_full_queue_gives_up_is_said() {
    let disk = FaultyDisk::new(1, Faults::default());
    let (queue, said) = (queue(&disk, QueueLimits { bytes_max: 2_000, segment_bytes: 400 }), Mutex::new(0));
    let station = station(&disk, &queue, 100, |_| ());
    let told = |_: &str, trouble: SourceTrouble| {
        if trouble.code == "EDGE-QUEUE-FULL" {
            *said.lock().unwrap() += 1;
        }
    };
    assert!(station.run(&told, &Stop::default()).unwrap().is_kept);
    let queue = queue.lock().unwrap();
    assert!(queue.counts().lost > 0 && *said.lock().unwrap() > 0);
    assert_eq!(queue.counts().lost + queue.len(), queue.counts().taken);
}

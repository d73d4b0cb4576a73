use std::collections::BTreeMap;
use std::io;

use cairn_core::Hash;
use cairn_core::cbor::Value;
use cairn_core::report::{ClockSource, ReportBody};
use cairn_log::replace_whole;
use cairn_testkit::disk::{Faults, FaultyDisk};
use proptest::prelude::*;

use super::*;

const NETWORK: NetworkId = NetworkId(Hash([1; 32]));
const DEVICE: DeviceId = DeviceId([2; 16]);
const TINY: QueueLimits = QueueLimits { bytes_max: 1 << 20, segment_bytes: 300 };

fn open(disk: &FaultyDisk, limits: QueueLimits) -> Result<Queue, EdgeError> {
    Queue::open(Arc::new(disk.clone()), NETWORK, DEVICE, limits)
}

/// The reading with this number, and where its source goes on behind it.
fn item(number: u64) -> Item {
    let at = When::At { time_ms: 1_000 * number, source: ClockSource::Ntp, error_ms: 5 };
    let body = Value::map(vec![(1, Value::Int(i64::try_from(number).unwrap()))]);
    Item {
        marks: vec![("counter".to_owned(), number.to_be_bytes().to_vec().into())],
        ..Item::of(at, "sensing/1", body)
    }
}

fn number(item: &Item) -> u64 {
    (1..).find(|number| self::item(*number).body == item.body).unwrap()
}

fn numbers(queue: &mut Queue) -> Vec<u64> {
    queue.waiting(usize::MAX).unwrap().iter().map(|waiting| number(&waiting.item)).collect()
}

/// Where the source goes on.
fn marked(queue: &Queue) -> u64 {
    let mark = queue.marks().get("counter").map(|mark| u64::from_be_bytes(mark.at.as_slice().try_into().unwrap()));
    mark.unwrap_or(0)
}

fn payload(name: (u32, u32), item: &Item) -> Vec<u8> {
    let (boot, seq) = name;
    ReportBody::of(boot, seq, 1, &item.schema, item.body.clone()).encode()
}

/// Gives the first few that wait a name, and answers them as they are sent.
fn seal_first(queue: &mut Queue, most: usize) -> Result<Vec<(u64, Vec<u8>)>, EdgeError> {
    let mut all = Vec::new();
    let mut unsealed = Vec::new();
    for waiting in queue.waiting(most)? {
        let bytes = match waiting.sealed {
            Some(bytes) => bytes,
            None => {
                let bytes = payload(queue.next_name()?, &waiting.item);
                unsealed.push((waiting.ordinal, bytes.clone()));
                bytes
            }
        };
        all.push((waiting.ordinal, bytes));
    }
    queue.seal(unsealed)?;
    queue.flush()?;
    Ok(all)
}

#[test]
fn what_is_pushed_comes_out_in_order_and_goes_when_it_is_settled() {
    let disk = FaultyDisk::new(1, Faults::default());
    let mut queue = open(&disk, TINY).unwrap();
    assert!(queue.is_empty());
    queue.push((1..=5).map(item).collect()).unwrap();
    queue.push((6..=40).map(item).collect()).unwrap();
    assert_eq!(numbers(&mut queue), (1..=40).collect::<Vec<_>>());
    assert_eq!(queue.waiting(2).unwrap().len(), 2);
    queue
        .settle(&[(0, Outcome::Promised), (2, Outcome::Refused), (0, Outcome::Refused), (99, Outcome::Refused)])
        .unwrap();
    let counts = Counts { taken: 40, promised: 1, refused: 1, lost: 0 };
    assert_eq!((queue.len(), queue.counts()), (38, counts));
    queue.flush().unwrap();
    drop(queue);
    disk.cut_power(Faults::default());
    let mut queue = open(&disk, TINY).unwrap();
    assert_eq!(numbers(&mut queue), [2].into_iter().chain(4..=40).collect::<Vec<_>>());
    assert_eq!((queue.len(), queue.counts(), marked(&queue)), (38, counts, 40));
    let all: Vec<_> = queue.waiting(99).unwrap().iter().map(|waiting| (waiting.ordinal, Outcome::Promised)).collect();
    queue.settle(&all).unwrap();
    assert!(queue.is_empty() && queue.waiting(9).unwrap().is_empty());
    drop(queue);
    disk.kill(Faults::default());
    let queue = open(&disk, TINY).unwrap();
    assert_eq!((queue.counts().promised, queue.len(), marked(&queue)), (39, 0, 40), "the mark outlives its item");
}

#[test]
fn more_waits_than_fits_in_memory() {
    let disk = FaultyDisk::new(1, Faults::default());
    let mut queue = open(&disk, QueueLimits::default()).unwrap();
    let count = 3 * WINDOW_ITEMS as u64 + 7;
    for chunk in (1..=count).collect::<Vec<_>>().chunks(97) {
        queue.push(chunk.iter().map(|number| item(*number)).collect()).unwrap();
    }
    let mut next = 1;
    while !queue.is_empty() {
        let waiting = queue.waiting(100).unwrap();
        for waiting in &waiting {
            assert_eq!(waiting.item, item(next));
            next += 1;
        }
        assert!(queue.window.len() <= WINDOW_ITEMS);
        queue.settle(&waiting.iter().map(|waiting| (waiting.ordinal, Outcome::Promised)).collect::<Vec<_>>()).unwrap();
    }
    assert_eq!(next, count + 1);
}

#[test]
fn a_folder_is_one_devices_of_one_network_and_one_process_s() {
    let disk = FaultyDisk::new(1, Faults::default());
    let queue = open(&disk, TINY).unwrap();
    assert_eq!(open(&disk, TINY).err().unwrap().code(), "EDGE-LOCKED");
    drop(queue);
    let others = [(NetworkId(Hash([9; 32])), DEVICE, "EDGE-NETWORK"), (NETWORK, DeviceId([9; 16]), "EDGE-DEVICE")];
    for (network, device, code) in others {
        let refused = Queue::open(Arc::new(disk.clone()), network, device, TINY).err().unwrap();
        assert_eq!(refused.code(), code);
        assert!(refused.hint().is_some());
    }
    assert_eq!(open(&disk, TINY).unwrap().boot(), 2);
    let later = format!("cairn queue 2\n{NETWORK}\n{DEVICE}\n");
    replace_whole(&disk, "identity", later.as_bytes()).unwrap();
    let refused = open(&disk, TINY).err().unwrap();
    assert_eq!((refused.code(), refused.hint().is_some()), ("EDGE-FORMAT", true));
}

#[test]
fn no_damaged_counter_or_identity_ends_it_and_no_name_is_given_again() {
    let disk = FaultyDisk::new(1, Faults::default());
    for _ in 0..30 {
        drop(open(&disk, TINY).unwrap());
    }
    let mut queue = open(&disk, TINY).unwrap();
    queue.heard_of_boot(3_000).unwrap();
    queue.push((1..=9).map(item).collect()).unwrap();
    let sealed = seal_first(&mut queue, 5).unwrap();
    drop(queue);
    let files = disk.files();
    let length = |file: &str| files.iter().find(|(name, _)| name == file).unwrap().1.len();
    for file in ["boot", "identity"] {
        for at in 0..=length(file) {
            let damaged = disk.twin(at as u64);
            match at {
                _ if at == length(file) => Disk::remove(&damaged, file).unwrap(),
                0 => assert!(damaged.cut(file, 0)),
                _ => assert!(damaged.flip(file, at, 7)),
            }
            let mut queue = open(&damaged, TINY).unwrap();
            let is_said = queue.mended().iter().any(|mended| mended.file == file);
            assert!(is_said || file == "identity" && at == length(file), "{file} {at}");
            assert_eq!(queue.has_lost_count(), file == "boot", "{file} {at}");
            assert!(queue.next_name().unwrap().0 > 3_001, "{file} {at}: {}", queue.boot());
            let kept: Vec<_> = queue.waiting(9).unwrap().into_iter().filter_map(|waiting| waiting.sealed).collect();
            assert_eq!(kept, sealed.iter().map(|(_, bytes)| bytes.clone()).collect::<Vec<_>>(), "{file} {at}");
            drop(queue);
            assert!(open(&damaged, TINY).unwrap().mended().is_empty(), "{file} {at}: it is mended for good");
        }
    }
    // Where the queue shows nothing any more, the device's receipts do.
    let bare = FaultyDisk::new(1, Faults::default());
    drop(open(&bare, TINY).unwrap());
    assert!(bare.flip("boot", 0, 7));
    let mut queue = open(&bare, TINY).unwrap();
    queue.saw_boot(9_000_000).unwrap();
    assert_eq!((queue.has_lost_count(), queue.next_name().unwrap().0), (true, 9_000_001 + names::GAP));
}

#[test]
fn what_is_remembered_of_what_is_gone_is_found_again_or_begun_again_and_nothing_that_waits_is_lost() {
    let disk = FaultyDisk::new(1, Faults::default());
    let mut queue = open(&disk, TINY).unwrap();
    queue.push((1..=20).map(item).collect()).unwrap();
    queue.push((21..=40).map(item).collect()).unwrap();
    queue.settle(&(0..25).map(|ordinal| (ordinal, Outcome::Promised)).collect::<Vec<_>>()).unwrap();
    queue.flush().unwrap();
    let (counts, marks) = (queue.counts(), queue.marks());
    drop(queue);
    let whole = open(&disk, TINY).unwrap();
    assert!(whole.mended().is_empty() && whole.counts() == counts && whole.before.upto > 0);
    drop(whole);
    let waits: Vec<u64> = (26..=40).collect();
    for (damaged, is_found, is_said) in
        [(&["counts"][..], true, true), (&["counts.copy"], true, false), (&["counts", "counts.copy"], false, true)]
    {
        for how in 0..3 {
            let disk = disk.twin(how);
            for file in damaged {
                match how {
                    0 => assert!(disk.cut(file, 0)),
                    1 => assert!(disk.flip(file, 0, 3)),
                    _ => replace_whole(&disk, file, &vec![7; 5 << 20]).unwrap(),
                }
            }
            let mut queue = open(&disk, TINY).unwrap();
            assert_eq!(queue.mended().len(), usize::from(is_said), "{damaged:?} {how}: {:?}", queue.mended());
            if is_found {
                assert_eq!((queue.counts(), queue.marks()), (counts, marks.clone()), "{damaged:?} {how}");
            }
            assert_eq!(numbers(&mut queue), waits, "{damaged:?} {how}");
            queue.push(vec![item(41), item(42)]).unwrap();
            drop(queue);
            disk.cut_power(Faults::default());
            let mut queue = open(&disk, TINY).unwrap();
            assert_eq!(numbers(&mut queue), (26..=42).collect::<Vec<_>>(), "{damaged:?} {how}");
        }
    }
}

#[test]
fn an_item_never_takes_the_place_of_one_that_was_settled_whatever_was_forgotten() {
    // All that waited is settled and gone; what is left of it is that it was settled.
    let disk = FaultyDisk::new(1, Faults::default());
    let mut queue = open(&disk, TINY).unwrap();
    (1..=6).for_each(|number| _ = queue.push(vec![item(number)]).unwrap());
    drop(queue);
    let mut queue = open(&disk, TINY).unwrap();
    queue.settle(&(0..6).map(|ordinal| (ordinal, Outcome::Promised)).collect::<Vec<_>>()).unwrap();
    queue.flush().unwrap();
    drop(queue);
    for file in ["counts", "counts.copy"] {
        let _ = Disk::remove(&disk, file);
    }
    let mut queue = open(&disk, TINY).unwrap();
    let before = queue.len();
    (7..=12).for_each(|number| _ = queue.push(vec![item(number)]).unwrap());
    assert_eq!((before, numbers(&mut queue)), (0, (7..=12).collect()));
    let all: Vec<_> = queue.waiting(9).unwrap().iter().map(|waiting| (waiting.ordinal, Outcome::Promised)).collect();
    queue.settle(&all).unwrap();
    assert!(queue.is_empty(), "{} are taken for settled before", queue.len());
}

#[test]
fn whoever_restored_an_old_folder_gives_no_name_again() {
    let disk = FaultyDisk::new(1, Faults::default());
    let mut queue = open(&disk, TINY).unwrap();
    queue.heard_of_boot(7).unwrap();
    assert_eq!(queue.next_name().unwrap(), (8 + names::GAP, 0));
    queue.heard_of_boot(20).unwrap();
    assert_eq!(queue.next_name().unwrap(), (8 + names::GAP, 1), "names of this start are its own");
    drop(queue);
    disk.cut_power(Faults::default());
    let mut queue = open(&disk, TINY).unwrap();
    assert_eq!(queue.boot(), 9 + names::GAP);
    assert_eq!(queue.heard_of_boot(u32::MAX).unwrap_err().code(), "EDGE-NAMES");
}

#[test]
fn a_time_within_another_start_is_not_known_in_this_one() {
    let disk = FaultyDisk::new(1, Faults::default());
    let mut queue = open(&disk, TINY).unwrap();
    let since = When::Since { boot_ms: 5 };
    queue.push(vec![Item { when: since, ..item(1) }]).unwrap();
    assert_eq!(queue.waiting(1).unwrap()[0].item.when, since);
    drop(queue);
    disk.kill(Faults::default());
    assert_eq!(open(&disk, TINY).unwrap().waiting(1).unwrap()[0].item.when, When::Unknown);
}

#[test]
fn the_oldest_are_given_up_when_there_is_no_more_room_and_counted() {
    let disk = FaultyDisk::new(1, Faults::default());
    let limits = QueueLimits { bytes_max: 4_000, segment_bytes: 500 };
    let mut queue = open(&disk, limits).unwrap();
    let mut lost = 0;
    for number in 1..=200 {
        lost += queue.push(vec![item(number)]).unwrap();
        assert!(queue.bytes() <= limits.bytes_max + 200, "{}", queue.bytes());
    }
    assert!(lost > 100);
    assert_eq!(queue.counts(), Counts { taken: 200, lost, ..Counts::default() });
    assert_eq!(numbers(&mut queue), (lost + 1..=200).collect::<Vec<_>>());
    drop(queue);
    disk.cut_power(Faults::default());
    let mut queue = open(&disk, limits).unwrap();
    assert_eq!((queue.counts().lost, queue.len(), marked(&queue)), (lost, 200 - lost, 200));
    assert_eq!(numbers(&mut queue), (lost + 1..=200).collect::<Vec<_>>());
}

#[test]
fn what_makes_no_report_is_refused_whole() {
    let disk = FaultyDisk::new(1, Faults::default());
    let mut queue = open(&disk, TINY).unwrap();
    let large = Item { body: Value::Bytes(vec![0; 40_000]), ..item(2) };
    let long_mark = Item { marks: vec![("a".to_owned(), vec![0; 1_025].into())], ..item(2) };
    for bad in [large, long_mark] {
        assert_eq!(queue.push(vec![item(1), bad]).unwrap_err().code(), "EDGE-TOO-LARGE");
    }
    assert!(queue.is_empty());
}

#[test]
fn a_turned_bit_costs_what_was_written_at_once_and_is_said() {
    let disk = FaultyDisk::new(1, Faults::default());
    let mut queue = open(&disk, TINY).unwrap();
    for number in 1..=3 {
        queue.push(vec![item(number)]).unwrap();
    }
    drop(queue);
    let file = segment::name(0);
    let size = disk.files().into_iter().find(|(name, _)| *name == file).unwrap().1.len();
    for at in 0..size {
        let damaged = disk.twin(at as u64);
        assert!(damaged.flip(&file, at, (at % 8) as u8));
        damaged.kill(Faults::default());
        let mut queue = open(&damaged, TINY).unwrap();
        let left = numbers(&mut queue);
        assert!(
            left.len() >= 2 && left.is_sorted() && left.iter().all(|number| (1..=3).contains(number)),
            "{at}: {left:?}"
        );
        assert_eq!(queue.damaged().is_empty(), left == [1, 2], "{at}: what is torn at the end is no damage");
    }
}

#[test]
fn what_a_full_disk_did_not_take_may_be_offered_again_and_is_there_once() {
    for seed in 0..40 {
        let disk = FaultyDisk::new(seed, Faults::default());
        let mut queue = open(&disk, TINY).unwrap();
        queue.push((1..=3).map(item).collect()).unwrap();
        disk.fill();
        for number in 4..=9 {
            let refused = queue.push(vec![item(number)]).unwrap_err();
            assert!(refused.may_pass());
            assert_eq!(refused.hint(), Some("make room on the disk"));
        }
        assert_eq!(marked(&queue), 3, "what is not durable has no mark");
        assert_eq!((queue.len(), queue.counts().taken), (3, 3));
        disk.make_room();
        queue.push(vec![item(4)]).unwrap();
        assert_eq!(numbers(&mut queue), (1..=4).collect::<Vec<_>>());
        assert_eq!((queue.len(), queue.counts().taken, marked(&queue)), (4, 4, 4));
        drop(queue);
        disk.cut_power(Faults::default());
        assert_eq!(numbers(&mut open(&disk, TINY).unwrap()), (1..=4).collect::<Vec<_>>());
    }
}

/// A source that counts, a queue over a disk that fails, and somebody who takes what is sent and remembers it.
struct World {
    random: u64,
    disk: FaultyDisk,
    next: u64,
    received: BTreeMap<(u32, u32), Vec<u8>>,
    order: Vec<u64>,
}

impl World {
    fn below(&mut self, bound: u64) -> u64 {
        self.random = self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.random >> 33) % bound
    }

    /// One start, until something goes wrong or enough was done.
    fn run(&mut self, steps: u64, limits: QueueLimits) -> Result<(), EdgeError> {
        let mut queue = open(&self.disk, limits)?;
        self.next = marked(&queue) + 1;
        for _ in 0..steps {
            match self.below(6) {
                0 | 1 => {
                    let count = 1 + self.below(4);
                    let items = (self.next..self.next + count).map(item).collect();
                    match queue.push(items) {
                        Ok(_) => self.next += count,
                        // What was not taken is offered again.
                        Err(error) if error.may_pass() => {}
                        Err(error) => return Err(error),
                    }
                }
                2 => queue.flush()?,
                3 if self.below(4) == 0 => self.disk.make_room(),
                _ => {
                    let most = 1 + self.below(5) as usize;
                    self.send(&mut queue, most)?;
                }
            }
        }
        Ok(())
    }

    fn send(&mut self, queue: &mut Queue, most: usize) -> Result<(), EdgeError> {
        let sealed = seal_first(queue, most)?;
        for (_, bytes) in &sealed {
            let report = ReportBody::decode(bytes).unwrap();
            match self.received.insert((report.boot, report.seq), bytes.clone()) {
                Some(earlier) => assert_eq!(earlier, *bytes, "a name is one item's"),
                None => self.order.push((1..).find(|number| item(*number).body == report.body).unwrap()),
            }
        }
        // Sometimes the answer is lost.
        if self.below(3) > 0 {
            let outcomes: Vec<_> = sealed.iter().map(|(ordinal, _)| (*ordinal, Outcome::Promised)).collect();
            queue.settle(&outcomes)?;
        }
        Ok(())
    }
}

fn live_through(seed: u64) {
    let disk = FaultyDisk::new(seed, Faults::default());
    let mut world = World { random: seed, disk, next: 1, received: BTreeMap::new(), order: Vec::new() };
    for _ in 0..12 {
        let at = world.disk.operations();
        let after = |world: &mut World, often: u64| (world.below(often) == 0).then(|| at + 1 + world.below(40));
        let faults = Faults {
            crash_at: after(&mut world, 2),
            fail_sync_at: after(&mut world, 3),
            full_at: after(&mut world, 5),
        };
        if world.below(2) == 0 {
            world.disk.kill(faults)
        } else {
            world.disk.cut_power(faults)
        }
        let limits = QueueLimits { segment_bytes: 100 + world.below(600), ..TINY };
        let _ = world.run(24, limits);
        assert!(!world.disk.was_synced_again(), "seed {seed}: a file whose sync failed is not believed again");
    }
    world.disk.cut_power(Faults::default());
    let mut queue = open(&world.disk, TINY).unwrap();
    let last = marked(&queue);
    while !queue.is_empty() {
        let before = queue.len();
        world.send(&mut queue, 50).unwrap();
        assert!(queue.len() <= before, "seed {seed}");
    }
    let wrong = (1..).zip(&world.order).find(|(at, number)| at != *number);
    assert_eq!((wrong, world.order.len() as u64), (None, last), "seed {seed}: everything, once, in order");
    assert_eq!(queue.counts().lost, 0);
}

/// Seeds of each law.
const CASES: u32 = 200;

proptest! {
    #![proptest_config(ProptestConfig { cases: CASES, ..ProptestConfig::default() })]

    #[test]
    fn everything_comes_out_once_in_order_under_one_name_whatever_crashes(seed in any::<u64>()) {
        live_through(seed);
    }

    #[test]
    fn no_damage_ends_it_and_what_is_left_comes_in_order(seed in any::<u64>()) {
        let disk = FaultyDisk::new(seed, Faults::default());
        let mut world = World { random: seed, disk, next: 1, received: BTreeMap::new(), order: Vec::new() };
        for _ in 0..3 {
            world.run(20, TINY).unwrap();
            world.disk.kill(Faults::default());
        }
        let segments: Vec<_> = world.disk.files().into_iter().filter(|(name, _)| segment::number(name).is_some()).collect();
        prop_assume!(!segments.is_empty());
        for _ in 0..5 {
            let (name, bytes) = &segments[world.below(segments.len() as u64) as usize];
            let at = world.below(bytes.len() as u64 + 1) as usize;
            let _ = if world.below(4) == 0 { world.disk.cut(name, at) } else { world.disk.flip(name, at, (seed % 8) as u8) };
        }
        let mut queue = open(&world.disk, TINY).unwrap();
        let left = numbers(&mut queue);
        prop_assert!(left.is_sorted_by(|one, other| one < other), "{left:?}");
        prop_assert_eq!(queue.len(), left.len() as u64);
        let counts = queue.counts();
        prop_assert!(counts.promised + counts.lost <= world.next);
    }
}

#[test]
fn errors_of_the_disk_may_pass_and_others_do_not() {
    let full = EdgeError::from(io::Error::from(io::ErrorKind::StorageFull));
    assert!(full.may_pass() && full.hint().is_some() && full.code() == "EDGE-DISK");
    assert!(!EdgeError::Locked.may_pass() && !EdgeError::TooLarge { bytes_max: 1 }.may_pass());
}

#[test]
fn what_has_its_name_already_is_sent_as_it_was_and_takes_nobody_s_room() {
    let disk = FaultyDisk::new(1, Faults::default());
    let mut queue = open(&disk, TINY).unwrap();
    queue.push(vec![item(1)]).unwrap();
    let named: Vec<Vec<u8>> = (2..5).map(|number| payload((7, number), &item(u64::from(number)))).collect();
    assert!(queue.push_named(named.clone()).unwrap());
    assert!(queue.push_named(named[1..].to_vec()).unwrap(), "they wait already");
    let sealed = |queue: &mut Queue| -> Vec<Option<Vec<u8>>> {
        queue.waiting(99).unwrap().into_iter().map(|waiting| waiting.sealed).collect()
    };
    let expected: Vec<Option<Vec<u8>>> = core::iter::once(None).chain(named.iter().cloned().map(Some)).collect();
    assert_eq!((sealed(&mut queue), numbers(&mut queue)), (expected.clone(), vec![1, 2, 3, 4]));
    drop(queue);
    disk.cut_power(Faults::default());
    let mut queue = open(&disk, TINY).unwrap();
    assert_eq!((sealed(&mut queue), queue.counts().taken), (expected, 4));
    assert_eq!(queue.next_name().unwrap(), (2, 0), "their names are no others'");

    let limits = QueueLimits { bytes_max: queue.bytes() + 100, segment_bytes: 300 };
    drop(queue);
    let mut queue = open(&disk, limits).unwrap();
    assert!(!queue.push_named(vec![payload((8, 1), &item(9))]).unwrap());
    assert_eq!((queue.len(), queue.counts().lost), (4, 0));
    assert_eq!(queue.push_named(vec![vec![1, 2, 3]]).unwrap_err().code(), "EDGE-DAMAGED");
}

#[test]
fn more_that_has_its_name_already_than_fits_in_memory_comes_out_under_it() {
    let disk = FaultyDisk::new(1, Faults::default());
    let mut queue = open(&disk, QueueLimits::default()).unwrap();
    let count = u32::try_from(WINDOW_ITEMS).unwrap() + 50;
    let named: Vec<Vec<u8>> = (0..count).map(|seq| payload((7, seq), &item(u64::from(seq) + 1))).collect();
    assert!(queue.push_named(named.clone()).unwrap());
    let mut out = Vec::new();
    while !queue.is_empty() {
        let waiting = queue.waiting(100).unwrap();
        out.extend(waiting.iter().map(|waiting| waiting.sealed.clone().unwrap()));
        queue.settle(&waiting.iter().map(|waiting| (waiting.ordinal, Outcome::Promised)).collect::<Vec<_>>()).unwrap();
    }
    assert_eq!(out, named);
}

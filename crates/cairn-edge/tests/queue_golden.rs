//! An update never loses what waits: the folder of a queue as this format was first written, byte for byte, opens for ever, and holds
//! what it held. `CAIRN_BLESS=1` writes the golden files anew, which only another format may do, beside these.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use cairn_core::cbor::Value;
use cairn_core::report::{ReportBody, ReportedPlace, flag};
use cairn_core::{DeviceId, Hash, NetworkId};
use cairn_edge::queue::{Counts, Outcome};
use cairn_edge::{ClockSource, Item, Mark, Queue, QueueLimits, Stretch, When};
use cairn_log::StdDisk;

const NETWORK: NetworkId = NetworkId(Hash([1; 32]));
const DEVICE: DeviceId = DeviceId([2; 16]);
const LIMITS: QueueLimits = QueueLimits { bytes_max: 1 << 20, segment_bytes: 400 };

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("goldens").join("queue-1")
}

fn open(folder: &Path) -> Queue {
    Queue::open(Arc::new(StdDisk::create(folder).unwrap()), NETWORK, DEVICE, LIMITS).unwrap()
}

/// A mark with a stretch of one beyond it, and one of several.
fn beyond() -> Mark {
    let stretch = |first, last| Stretch { first: vec![first], last: vec![last] };
    Mark { at: vec![], beyond: vec![stretch(2, 2), stretch(4, 9)] }
}

/// Every field that an item has, each in one item; and some plain ones.
fn items() -> Vec<Item> {
    let at = |source| When::At { time_ms: 1_790_000_000_123, source, error_ms: 37 };
    let body = |n: i64| Value::map(vec![(1, Value::Int(n)), (13, Value::Int(-n))]);
    let of = |when, n| Item::of(when, "sensing/1", body(n));
    let exact = ReportedPlace::Exact { lat_e7: 535_242_000, lon_e7: -96_850_000, altitude: Some((1_234, Some(500))) };
    let mut items = vec![
        of(at(ClockSource::Ntp), 0),
        Item { flags: flag::MAINTENANCE | flag::LOW_BATTERY, ..of(at(ClockSource::Rtc), 1) },
        Item { place: Some(ReportedPlace::Cell(0x0881_f1d4_89ff_ffff)), ..of(at(ClockSource::Network), 2) },
        Item { place: Some(exact), ..of(at(ClockSource::Gnss), 3) },
        Item { subject: Some(DeviceId([9; 16])), ..of(When::Since { boot_ms: 4_567 }, 4) },
        Item { blobs: vec![(Hash([7; 32]), 1_000), (Hash([8; 32]), 0)], ..of(When::Unknown, 5) },
        Item {
            marks: vec![("file a.csv".to_owned(), vec![0, 255].into()), ("b".to_owned(), beyond())],
            ..of(at(ClockSource::Ntp), 6)
        },
    ];
    items.extend((7..12).map(|n| of(at(ClockSource::Ntp), n)));
    items
}

fn payload((boot, seq): (u32, u32), item: &Item) -> Vec<u8> {
    ReportBody::of(boot, seq, 1_790_000_000_123, &item.schema, item.body.clone()).encode()
}

/// Two starts: items of every kind; some sealed, of those one promised and one refused; more in the second, not yet named.
fn write(folder: &Path) {
    let items = items();
    let mut queue = open(folder);
    queue.push(items[..5].to_vec()).unwrap();
    queue.push(items[5..8].to_vec()).unwrap();
    let sealed: Vec<(u64, Vec<u8>)> =
        (0..4).map(|ordinal| (ordinal as u64, payload(queue.next_name().unwrap(), &items[ordinal]))).collect();
    assert_eq!(queue.waiting(4).unwrap().len(), 4);
    queue.seal(sealed).unwrap();
    queue.flush().unwrap();
    queue.settle(&[(0, Outcome::Promised), (2, Outcome::Refused)]).unwrap();
    queue.flush().unwrap();
    drop(queue);
    let mut queue = open(folder);
    queue.push(items[8..].to_vec()).unwrap();
    queue.flush().unwrap();
}

fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let read = |path: PathBuf| (path.file_name().unwrap().to_str().unwrap().to_owned(), fs::read(&path).unwrap());
    let mut files: Vec<_> = entries.map(read).filter(|(_, bytes)| !bytes.is_empty()).collect();
    files.sort();
    files
}

#[test]
fn a_queue_is_written_as_it_was_first_written() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path());
    if std::env::var_os("CAIRN_BLESS").is_some() {
        fs::create_dir_all(golden()).unwrap();
        for (name, bytes) in files(folder.path()) {
            fs::write(golden().join(name), bytes).unwrap();
        }
    }
    let names = |files: &[(String, Vec<u8>)]| files.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
    let (found, expected) = (files(folder.path()), files(&golden()));
    assert_eq!(names(&found), names(&expected));
    for ((name, found), (_, expected)) in found.into_iter().zip(expected) {
        assert!(found == expected, "`{name}` is not written as it was");
    }
}

#[test]
fn a_queue_of_this_format_is_read_for_ever_and_an_update_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in files(&golden()) {
        fs::write(folder.path().join(name), bytes).unwrap();
    }
    let mut queue = open(folder.path());
    assert!(queue.damaged().is_empty());
    assert_eq!(queue.counts(), Counts { taken: 12, promised: 1, refused: 1, lost: 0 });
    let mut expected = items();
    // Nobody knows any more when that start was.
    expected[4].when = When::Unknown;
    let waiting = queue.waiting(100).unwrap();
    assert_eq!(waiting.iter().map(|waiting| waiting.ordinal).collect::<Vec<_>>(), [1, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
    for waiting in &waiting {
        let mut item = expected[usize::try_from(waiting.ordinal).unwrap()].clone();
        item.marks.clone_from(&waiting.item.marks);
        assert_eq!(waiting.item, item);
    }
    let sealed: Vec<_> =
        waiting.iter().filter_map(|waiting| Some((waiting.ordinal, waiting.sealed.clone()?))).collect();
    assert_eq!(
        sealed,
        [1, 3].map(|n| (n, payload((1, u32::try_from(n).unwrap()), &items()[usize::try_from(n).unwrap()])))
    );
    let marks = queue.marks();
    assert_eq!((marks.get("file a.csv"), marks.get("b")), (Some(&vec![0, 255].into()), Some(&beyond())));
    // What is left of segments that are gone says so alone, too.
    let settled: Vec<_> = queue.waiting(100).unwrap().iter().map(|own| (own.ordinal, Outcome::Promised)).collect();
    let next = queue.next_name().unwrap();
    queue.settle(&settled).unwrap();
    queue.flush().unwrap();
    drop(queue);
    let mut queue = open(folder.path());
    assert_eq!((queue.len(), queue.marks()), (0, marks));
    // No name is given twice, and it goes on.
    assert_eq!((next, queue.next_name().unwrap()), ((3, 0), (4, 0)));
    queue.push(items()[..1].to_vec()).unwrap();
    queue.flush().unwrap();
    assert_eq!(queue.len(), 1);
}

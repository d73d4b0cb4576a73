//! An update never loses what waits: the folder of a queue as each format was first written, byte for byte, opens for ever, and holds
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

fn golden(format: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("goldens").join(format)
}

fn open(folder: &Path) -> Queue {
    Queue::open(Arc::new(StdDisk::create(folder).unwrap()), NETWORK, DEVICE, LIMITS).unwrap()
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
            marks: vec![("file a.csv".to_owned(), vec![0, 255].into()), ("b".to_owned(), vec![].into())],
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

/// Something is kept beyond a mark: in an item that is gone, so that `counts` has it, and in one that waits.
fn write_beyond(folder: &Path) {
    let mut queue = open(folder);
    let gone =
        Item { marks: vec![("file a.csv".to_owned(), beyond(0)), ("b".to_owned(), beyond(2))], ..items().remove(0) };
    queue.push(vec![gone]).unwrap();
    for n in (7..10).cycle().take(9) {
        queue.push(vec![items().remove(n)]).unwrap();
    }
    let waits = Item { marks: vec![("file a.csv".to_owned(), beyond(1))], ..items().remove(10) };
    queue.push(vec![waits]).unwrap();
    queue.settle(&(0..10).map(|ordinal| (ordinal, Outcome::Promised)).collect::<Vec<_>>()).unwrap();
    queue.flush().unwrap();
}

/// A mark with so many stretches beyond it, of one reading and of several.
fn beyond(stretches: u8) -> Mark {
    let stretch = |n: u8| Stretch { first: vec![n, 2], last: vec![n, 2 + n] };
    Mark { at: vec![0, 1], beyond: (0..stretches).map(stretch).collect() }
}

fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let read = |path: PathBuf| (path.file_name().unwrap().to_str().unwrap().to_owned(), fs::read(&path).unwrap());
    let mut files: Vec<_> = entries.map(read).filter(|(_, bytes)| !bytes.is_empty()).collect();
    files.sort();
    files
}

#[test]
fn a_queue_is_written_as_each_format_was_first_written() {
    type Write = fn(&Path);
    for (format, write) in [("queue-1", write as Write), ("queue-2", write_beyond)] {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path());
        let golden = golden(format);
        if std::env::var_os("CAIRN_BLESS").is_some() {
            fs::create_dir_all(&golden).unwrap();
            for (name, bytes) in files(folder.path()) {
                fs::write(golden.join(name), bytes).unwrap();
            }
        }
        let names = |files: &[(String, Vec<u8>)]| files.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
        let (found, expected) = (files(folder.path()), files(&golden));
        assert_eq!(names(&found), names(&expected), "{format}");
        for ((name, found), (_, expected)) in found.into_iter().zip(expected) {
            assert!(found == expected, "`{format}/{name}` is not written as it was");
        }
    }
}

fn copied(format: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in files(&golden(format)) {
        fs::write(folder.path().join(name), bytes).unwrap();
    }
    folder
}

#[test]
fn what_is_kept_beyond_a_mark_is_read_for_ever() {
    let folder = copied("queue-2");
    assert!(fs::read_to_string(folder.path().join("identity")).unwrap().starts_with("cairn queue 2\n"));
    let marked = |folder: &Path| {
        let queue = open(folder);
        assert!(queue.damaged().is_empty() && queue.mended().is_empty());
        assert_eq!(queue.counts(), Counts { taken: 11, promised: 10, refused: 0, lost: 0 });
        queue.marks().into_iter().collect::<Vec<_>>()
    };
    assert_eq!(marked(folder.path()), [("b".to_owned(), beyond(2)), ("file a.csv".to_owned(), beyond(1))]);
    // What is left of segments that are gone says so alone, too.
    let mut queue = open(folder.path());
    let waits: Vec<_> = queue.waiting(9).unwrap().iter().map(|own| (own.ordinal, Outcome::Promised)).collect();
    queue.settle(&waits).unwrap();
    queue.flush().unwrap();
    drop(queue);
    assert_eq!(open(folder.path()).marks().get("file a.csv"), Some(&beyond(1)));
}

#[test]
fn a_queue_of_this_format_is_read_for_ever_and_an_update_loses_nothing() {
    let folder = copied("queue-1");
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
    assert_eq!((marks.get("file a.csv"), marks.get("b")), (Some(&vec![0, 255].into()), Some(&vec![].into())));
    // No name is given twice, and it goes on.
    assert_eq!(queue.next_name().unwrap(), (3, 0));
    queue.push(items()[..1].to_vec()).unwrap();
    queue.flush().unwrap();
    assert_eq!(queue.len(), 11);
    // Programs that know this format alone go on with it, until something is kept beyond a mark.
    let says = |number: u8| {
        let identity = fs::read_to_string(folder.path().join("identity")).unwrap();
        assert!(identity.starts_with(&format!("cairn queue {number}\n")), "{identity}");
    };
    says(1);
    queue.push(vec![Item { marks: vec![("b".to_owned(), beyond(1))], ..items().remove(0) }]).unwrap();
    says(2);
}

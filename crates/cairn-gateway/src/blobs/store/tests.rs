//! The laws of the store, on a disk that fails.

use cairn_testkit::disk::{Faults, FaultyDisk};
use proptest::prelude::*;

use super::*;
use crate::shares::NoShare;

const START: Duration = Duration::ZERO;
const HOUR: Duration = Duration::from_secs(3_600);

fn options() -> BlobOptions {
    BlobOptions {
        blob_bytes_max: 100_000,
        staged_bytes_max: 400_000,
        staged_bytes_per_address_max: 200_000,
        ..BlobOptions::in_folder("unused".into())
    }
}

fn over(disk: &FaultyDisk) -> Result<Arc<Blobs>, io::Error> {
    Blobs::over(Arc::new(disk.clone()), options(), Box::new(|| None)).map(Arc::new)
}

fn put(blobs: &Arc<Blobs>, hash: Hash, content: &[u8], from: Option<&str>) -> Result<bool, BlobError> {
    let address = from.map(|text| text.parse().unwrap());
    let mut upload = blobs.begin(hash, None, address, false, START)?;
    for piece in content.chunks(7_000) {
        upload.write(piece)?;
    }
    upload.finish(START)
}

fn content(seed: u8, bytes: usize) -> Vec<u8> {
    (0..bytes).map(|at| seed.wrapping_add(at.to_le_bytes()[0] / 7)).collect()
}

#[test]
fn a_blob_is_what_its_name_says_or_is_not_kept() {
    let disk = FaultyDisk::new(1, Faults::default());
    let blobs = over(&disk).unwrap();
    let bytes = content(1, 20_000);
    let hash = Hash::of(&bytes);
    for (what, other) in
        [("empty", &bytes[..0]), ("truncated", &bytes[..19_999]), ("longer", &[&bytes[..], &[0]].concat()[..])]
    {
        assert!(matches!(put(&blobs, hash, other, None), Err(BlobError::OtherHash { .. })), "{what}");
        assert!(matches!(blobs.read(&hash), Err(BlobError::Unknown(_))), "{what}");
    }
    assert_eq!(disk.files(), [], "what was refused leaves nothing");
    assert!(!put(&blobs, hash, &bytes, None).unwrap());
    assert!(put(&blobs, hash, &bytes, None).unwrap(), "the second time it is there");
    assert!(matches!(put(&blobs, hash, &bytes[1..], None), Err(BlobError::OtherHash { .. })), "and still compared");
    assert_eq!((blobs.read(&hash).unwrap(), blobs.size(&hash)), (bytes, Some(20_000)));
    let nothing = Hash::of(&[]);
    assert!(!put(&blobs, nothing, &[], None).unwrap());
    assert!(blobs.read(&nothing).unwrap().is_empty());
    assert_eq!(blobs.totals(), (2, 20_000, 20_000 + BLOB_BYTES_MIN));
}

#[test]
fn limits_hold_for_a_blob_for_an_address_and_for_all_and_not_for_what_a_job_needs() {
    let blobs = over(&FaultyDisk::new(1, Faults::default())).unwrap();
    let mut number = 0;
    let mut kept = |bytes: usize, from: &str, is_needed: bool| {
        number += 1;
        let bytes = content(number, bytes);
        let mut upload = blobs.begin(Hash::of(&bytes), None, Some(from.parse().unwrap()), is_needed, START)?;
        upload.write(&bytes)?;
        upload.finish(START)
    };
    assert!(matches!(kept(100_001, "192.0.2.1", true), Err(BlobError::TooLarge { bytes_max: 100_000 })));
    assert!(matches!(kept(100_000, "192.0.2.1", false), Ok(false)));
    assert!(matches!(kept(100_000, "192.0.2.1", false), Ok(false)));
    assert!(matches!(kept(1, "192.0.2.1", false), Err(BlobError::Quota(NoShare::Crowded))));
    assert!(matches!(kept(100_000, "192.0.2.2", false), Ok(false)));
    assert!(matches!(kept(90_000, "192.0.2.3", false), Ok(false)));
    assert!(matches!(kept(90_000, "192.0.2.4", false), Err(BlobError::Quota(NoShare::Full))));
    // A byte counts as more: small blobs would fill the memory before the disk.
    assert!(matches!(kept(1, "192.0.2.4", false), Ok(false)));
    assert!(matches!(kept(90_000, "192.0.2.1", true), Ok(false)));
    assert_eq!(blobs.totals().2, 390_000 + BLOB_BYTES_MIN);
    let declared = blobs.begin(Hash([1; 32]), Some(50_000), None, false, START);
    assert!(matches!(declared, Err(BlobError::Quota(NoShare::Full))), "before a byte was written");
    // What is gone gives its share back.
    blobs.sweep(&BTreeSet::new(), HOUR).unwrap();
    assert_eq!(blobs.totals().2, 90_000, "what a job needed at its coming and none needs now is staged");
    blobs.sweep(&BTreeSet::new(), 2 * HOUR).unwrap();
    assert_eq!(blobs.totals(), (0, 0, 0));
}

#[test]
fn uploads_under_way_count_and_leave_nothing_when_they_break_off() {
    let disk = FaultyDisk::new(1, Faults::default());
    let blobs = over(&disk).unwrap();
    let bytes = content(1, 90_000);
    let mut upload = blobs.begin(Hash::of(&bytes), None, None, false, START).unwrap();
    upload.write(&bytes[..50_000]).unwrap();
    assert_eq!((blobs.totals(), disk.files().len()), ((0, 0, 50_000), 1));
    assert!(matches!(blobs.read(&Hash::of(&bytes)), Err(BlobError::Unknown(_))));
    drop(upload);
    assert_eq!((blobs.totals(), disk.files()), ((0, 0, 0), Vec::new()));
    // Two at once, of which the second to end finds it there.
    let mut two = [(); 2].map(|()| blobs.begin(Hash::of(&bytes), None, None, false, START).unwrap());
    two.iter_mut().for_each(|upload| upload.write(&bytes).unwrap());
    assert_eq!(two.map(|upload| upload.finish(START).unwrap()), [false, true]);
    assert_eq!((blobs.totals(), disk.files().len()), ((1, 90_000, 90_000), 1));
}

#[test]
fn the_disk_keeps_room_for_the_log_and_a_full_one_is_told_apart() {
    let free = Arc::new(AtomicU64::new(u64::MAX));
    let shown = free.clone();
    let (disk, options) = (FaultyDisk::new(1, Faults::default()), BlobOptions { free_bytes_min: 1_000, ..options() });
    let told: Free = Box::new(move || Some(shown.load(Ordering::Relaxed)));
    let blobs = Arc::new(Blobs::over(Arc::new(disk.clone()), options, told).unwrap());
    let begin = |bytes| blobs.begin(Hash([1; 32]), Some(bytes), None, true, START).map(drop);
    for (left, bytes, is_taken) in [(2_000, 1_000, true), (2_000, 1_001, false), (999, 0, false), (1_000, 0, true)] {
        free.store(left, Ordering::Relaxed);
        assert_eq!(begin(bytes).is_ok(), is_taken, "{left} {bytes}");
    }
    disk.fill();
    let bytes = content(1, 50_000);
    assert!(matches!(put(&blobs, Hash::of(&bytes), &bytes, None), Err(BlobError::NoRoom)));
    disk.make_room();
    assert!(!put(&blobs, Hash::of(&bytes), &bytes, None).unwrap());
    assert_eq!(blobs.read(&Hash::of(&bytes)).unwrap(), bytes);
}

#[test]
fn what_is_needed_stays_and_what_is_wanted_is_staged_anew() {
    let blobs = over(&FaultyDisk::new(1, Faults::default())).unwrap();
    let contents = [content(1, 10), content(2, 10), content(3, 10)];
    let [needed, wanted, other] = [0, 1, 2].map(|at| Hash::of(&contents[at]));
    contents.iter().for_each(|bytes| assert!(!put(&blobs, Hash::of(bytes), bytes, None).unwrap()));
    blobs.sweep(&BTreeSet::from([needed]), HOUR / 2).unwrap();
    assert_eq!((blobs.totals().0, blobs.totals().2), (3, 2 * BLOB_BYTES_MIN), "what is needed is not staged");
    assert_eq!((blobs.want(&wanted, HOUR / 2), blobs.want(&Hash::ZERO, HOUR)), (Some(10), None));
    blobs.sweep(&BTreeSet::from([needed]), HOUR).unwrap();
    assert_eq!([needed, wanted, other].map(|hash| blobs.size(&hash).is_some()), [true, true, false]);
    blobs.sweep(&BTreeSet::new(), 2 * HOUR).unwrap();
    assert_eq!([needed, wanted].map(|hash| blobs.size(&hash).is_some()), [true, false], "an hour more");
    blobs.sweep(&BTreeSet::new(), 3 * HOUR).unwrap();
    assert_eq!(blobs.totals(), (0, 0, 0));
}

#[test]
fn what_was_damaged_on_the_disk_is_never_served_and_may_come_again() {
    let disk = FaultyDisk::new(1, Faults::default());
    let bytes = content(1, 9_000);
    let hash = Hash::of(&bytes);
    for damage in 0..3 {
        let blobs = over(&disk).unwrap();
        put(&blobs, hash, &bytes, None).unwrap();
        assert!(match damage {
            0 => disk.flip(&hash.to_hex(), 5_000, 3),
            1 => disk.cut(&hash.to_hex(), 100),
            _ => disk.cut(&hash.to_hex(), 0),
        });
        assert!(matches!(blobs.read(&hash), Err(BlobError::Damaged(_))), "{damage}");
        assert!(matches!(blobs.read(&hash), Err(BlobError::Unknown(_))), "{damage}");
        assert!(!put(&blobs, hash, &bytes, None).unwrap());
        assert_eq!(blobs.read(&hash).unwrap(), bytes, "{damage}");
    }
}

proptest! {
    #[test]
    fn whatever_crashes_what_was_answered_for_is_there_whole_and_nothing_else_is_served(
        seed: u64,
        crash_at in 1_u64..60,
        fail_sync_at in proptest::option::of(1_u64..60),
        is_killed: bool,
    ) {
        let faults = Faults { crash_at: Some(crash_at), fail_sync_at, full_at: None };
        let disk = FaultyDisk::new(seed, faults);
        let mut answered = BTreeMap::new();
        let mut tried = BTreeMap::new();
        if let Ok(blobs) = over(&disk) {
            for number in 0..6 {
                let bytes = content(number, 3_000 * usize::from(number) + 1);
                let hash = Hash::of(&bytes);
                tried.insert(hash, bytes.clone());
                if put(&blobs, hash, &bytes, None).is_ok() {
                    answered.insert(hash, bytes);
                }
                if number == 3 && let Some((first, _)) = answered.pop_first() {
                    // It is collected, or on its way out when the machine stops.
                    let _ = blobs.sweep(&answered.keys().copied().collect(), HOUR);
                    tried.remove(&first);
                }
            }
        }
        if is_killed { disk.kill(Faults::default()) } else { disk.cut_power(Faults::default()) }
        prop_assert!(!disk.was_synced_again());
        let blobs = over(&disk).unwrap();
        for (hash, bytes) in &tried {
            match blobs.read(hash) {
                Ok(found) => prop_assert_eq!(&found, bytes),
                Err(BlobError::Unknown(_)) => prop_assert!(!answered.contains_key(hash), "lost"),
                Err(error) => prop_assert!(false, "{error}"),
            }
        }
        prop_assert!(disk.files().iter().all(|(name, _)| name_of(name).is_some()), "nothing else is left");
    }
}

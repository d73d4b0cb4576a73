use cairn_testkit::disk::{Faults, FaultyDisk};

use super::narrow::Narrow;
use super::*;

const LIMITS: StoreLimits = StoreLimits { age_ms: 1_000, bytes: 3 * BLOCK_BYTES };
const DAY_MS: u64 = 86_400_000;
/// Room for a file that is written, its name, and what comes after.
const WIDE: StoreLimits = StoreLimits { age_ms: 30 * DAY_MS, bytes: 1 << 30 };

fn open(disk: &FaultyDisk, limits: StoreLimits) -> io::Result<RawStore> {
    RawStore::open(Arc::new(Narrow::over(disk)), limits)
}

fn disk() -> FaultyDisk {
    FaultyDisk::new(1, Faults::default())
}

fn raw(number: u64) -> Vec<u8> {
    [number.to_be_bytes(); 4].concat()
}

fn is_there(store: &RawStore, kept: &[Hash]) -> Vec<bool> {
    kept.iter().map(|hash| store.get(hash).unwrap().is_some()).collect()
}

#[test]
fn what_is_too_old_or_too_much_goes_oldest_first() {
    let disk = disk();
    let mut store = open(&disk, LIMITS).unwrap();
    let kept: Vec<Hash> = (1..=3).map(|number| store.keep(&raw(number), number * 100).unwrap()).collect();
    assert_eq!(is_there(&store, &kept), [true; 3]);
    store.keep(&raw(3), 300).unwrap();
    store.keep(&raw(4), 300).unwrap();
    assert_eq!(is_there(&store, &kept), [false, true, true]);
    store.sweep(1_201, 0).unwrap();
    assert_eq!(is_there(&store, &kept), [false, false, true]);
    drop(store);
    let store = open(&disk, LIMITS).unwrap();
    assert_eq!(is_there(&store, &kept), [false, false, true]);
    assert_eq!((store.list().count(), store.bytes()), (2, 2 * BLOCK_BYTES));
    let (name, _) = disk.files().into_iter().find(|(name, _)| name.ends_with(&kept[2].to_string())).unwrap();
    assert!(disk.flip(&name, 7, 1));
    assert_eq!(store.get(&kept[2]).unwrap(), None);
}

#[test]
fn what_does_not_fit_is_refused() {
    let mut store = open(&disk(), LIMITS).unwrap();
    assert_eq!(store.keep(&vec![0; 12_289], 0).unwrap_err().kind(), io::ErrorKind::InvalidInput);
}

#[test]
fn a_day_has_a_folder_and_no_folder_has_more_than_a_small_file_system_takes() {
    let (disk, mut store) = (disk(), open(&disk(), WIDE).unwrap());
    store.folders = Arc::new(Narrow::over(&disk));
    let start_ms = 1_795_305_600_000 - 3_000;
    let mut kept = Vec::new();
    for number in 0..(FILES_MAX as u64 + 10) {
        kept.push(store.keep(&raw(number), start_ms + number).unwrap());
    }
    let late = store.keep(&raw(1 << 40), 0).unwrap();
    let mut folders: BTreeMap<String, usize> = BTreeMap::new();
    for name in Narrow::over(&disk).names() {
        *folders.entry(name.split_once('/').unwrap().0.to_owned()).or_default() += 1;
    }
    let expected = [("2026-11-21", 3_000), ("2026-11-22", 1_106), ("undated", 1)];
    assert_eq!(folders, expected.map(|(name, count)| (name.to_owned(), count)).into());
    // A day of windows of a second has several folders; what is gone leaves room in the first.
    for number in 0..(FILES_MAX as u64 + 1) {
        store.keep(&raw(1 << 41 | number), 0).unwrap();
    }
    let count = |store: &RawStore, name: &str| store.open.get(name).map_or(0, |open| open.files);
    assert_eq!((count(&store, "undated"), count(&store, "undated.1")), (FILES_MAX, 2));
    assert!(store.get(&late).unwrap().is_some());
    store.sweep(start_ms + 30 * DAY_MS + 3_000, 0).unwrap();
    assert_eq!((count(&store, "2026-11-21"), count(&store, "2026-11-22")), (0, 1_106));
    drop(store);
    assert_eq!(open(&disk, WIDE).unwrap().list().count(), 1_106 + FILES_MAX + 2);
}

#[test]
fn what_an_earlier_program_kept_in_one_folder_is_read_and_ages_out() {
    let disk = disk();
    let flat = Narrow::over(&disk);
    let hashes: Vec<Hash> = (1..=3u64).map(|number| Hash::of(&raw(number))).collect();
    for (number, hash) in (1..=3).zip(&hashes) {
        replace_whole(&flat, &format!("raw-{:016x}-{hash}", number * 100), &raw(number)).unwrap();
    }
    replace_whole(&flat, "raw.tmp", b"what a crash left").unwrap();
    let mut store = open(&disk, LIMITS).unwrap();
    assert_eq!(is_there(&store, &hashes), [true; 3]);
    assert_eq!(store.keep(&raw(2), 400).unwrap(), hashes[1], "it is kept once");
    store.keep(&raw(4), 400).unwrap();
    assert_eq!(is_there(&store, &hashes), [false, true, true]);
    store.sweep(1_301, 0).unwrap();
    assert_eq!(is_there(&store, &hashes), [false; 3]);
    assert_eq!(flat.names().len(), 1);
}

#[test]
fn on_a_full_disk_the_oldest_go_until_it_fits_and_what_does_not_fit_leaves_nothing_behind() {
    let disk = disk();
    let narrow = Narrow::over(&disk);
    let mut store = RawStore::open(Arc::new(narrow.clone()), WIDE).unwrap();
    let kept: Vec<Hash> = (1..=6).map(|number| store.keep(&raw(number), number).unwrap()).collect();
    narrow.leave(0);
    let large = store.keep(&[7; 9_000], 7).unwrap();
    assert_eq!(is_there(&store, &kept), [false, false, false, true, true, true]);
    assert!(store.get(&large).unwrap().is_some() && store.given_up() == 3);
    // Nothing that is left makes room for this.
    let used = narrow.used();
    assert_eq!(store.keep(&vec![8; 50_000], 8).unwrap_err().kind(), io::ErrorKind::StorageFull);
    assert_eq!((store.list().count(), narrow.used(), narrow.names().len()), (0, 0, 0), "of {used}");
    let last = store.keep(&raw(9), 9).unwrap();
    drop(store);
    assert!(is_there(&open(&disk, WIDE).unwrap(), &[last])[0]);
}

#[test]
fn what_was_kept_is_there_whole_whenever_the_power_fails_also_on_a_full_disk() {
    for seed in 0..40 {
        let run = |disk: &FaultyDisk| -> Vec<Hash> {
            let narrow = Narrow::over(disk);
            let Ok(mut store) = RawStore::open(Arc::new(narrow.clone()), WIDE) else { return Vec::new() };
            let keep = |number: u64| {
                if number == 3 {
                    narrow.leave(BLOCK_BYTES);
                }
                store.keep(&raw(number), number).ok()
            };
            // The last is given up for nothing; the others may have been.
            (0..6).map_while(keep).last().into_iter().collect()
        };
        let whole = FaultyDisk::new(seed, Faults::default());
        assert_eq!(run(&whole).len(), 1);
        for operation in 0..whole.operations() {
            let disk = FaultyDisk::new(seed, Faults::default());
            disk.crash_at(operation);
            let kept = run(&disk);
            disk.cut_power(Faults::default());
            let store = open(&disk, WIDE).unwrap();
            for hash in &kept {
                assert!(store.get(hash).unwrap().is_some(), "seed {seed}, crash at {operation}");
            }
            assert!(store.list().all(|(_, hash)| store.get(&hash).unwrap().is_some()));
        }
    }
}

#[test]
fn whatever_finds_the_disk_full_is_given_the_room_of_the_oldest_until_none_is_left() {
    use cairn_log::read_whole;

    use super::super::MakingRoom;

    let narrow = Narrow::over(&disk());
    let mut store = RawStore::open(Arc::new(narrow.folder("raw")), WIDE).unwrap();
    (1..=40).for_each(|number| _ = store.keep(&raw(number), number).unwrap());
    let store: SharedStore = Arc::new(Mutex::new(store));
    let other = MakingRoom::on(Arc::new(narrow.folder("queue")), store.clone());
    narrow.leave(0);
    replace_whole(&other, "a", &[1; 10_000]).unwrap();
    let state = |store: &SharedStore| {
        let store = lock(store);
        (store.given_up(), store.list().next().map(|(ms, _)| ms))
    };
    assert_eq!(state(&store), (16, Some(17)));
    let file = other.create("b").unwrap();
    file.write_at(0, &[2; 60_000]).unwrap();
    file.sync().unwrap();
    assert_eq!(state(&store), (32, Some(33)));
    assert_eq!(file.write_at(60_000, &vec![3; 1 << 20]).unwrap_err().kind(), io::ErrorKind::StorageFull);
    assert_eq!(state(&store), (40, None));
    for (name, expected) in [("a", vec![1; 10_000]), ("b", vec![2; 60_000])] {
        let found = read_whole(&other, name, 1 << 20).unwrap().unwrap();
        assert_eq!(found[..expected.len()], expected);
    }
}

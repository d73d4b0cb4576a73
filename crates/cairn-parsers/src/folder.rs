//! The files of a log's folder, altered: recovery, check and reading of a log that somebody or something has changed.
//!
//! The bytes are a list of alterations of the committed `tiny` log of 260 entries, 259 of them under its checkpoint. One
//! byte names the file, the next says what happens to it:
//!
//! | kind | then | does |
//! | --- | --- | --- |
//! | 0 | offset (2 bytes), length (1), bytes | overwrites |
//! | 1 | size (2 bytes) | cuts, or makes longer with zeros |
//! | 2 | length (2 bytes), bytes | is the whole file from now on |
//! | 3 | | removes |
//! | 4 | number (1 byte), 60 bytes | writes a commit record with the CRC that makes it one |
//!
//! All numbers are big-endian, kinds and files count modulo their number.

use std::collections::BTreeMap;
use std::sync::Arc;

use cairn_log::{Disk, Log, LogOptions, LogReader, check};
use cairn_merkle::Frontier;
use cairn_merkle::tree::leaf_hash;
use cairn_testkit::disk::{Faults, FaultyDisk};

const CHECKPOINT: &str = "checkpoint";
/// Entries under the committed checkpoint.
const PUBLISHED: u64 = 259;
const RECORD_BYTES: usize = 64;

const FILES: [(&str, &[u8]); 9] = [
    ("bundles", include_bytes!("../../cairn-log/goldens/tiny/bundles")),
    (CHECKPOINT, include_bytes!("../../cairn-log/goldens/tiny/checkpoint")),
    ("commits", include_bytes!("../../cairn-log/goldens/tiny/commits")),
    ("commits-copy", include_bytes!("../../cairn-log/goldens/tiny/commits")),
    ("entries-000000000000000", include_bytes!("../../cairn-log/goldens/tiny/entries-000000000000000")),
    ("entries-000000000000256", include_bytes!("../../cairn-log/goldens/tiny/entries-000000000000256")),
    ("format", include_bytes!("../../cairn-log/goldens/tiny/format")),
    ("hashes-0", include_bytes!("../../cairn-log/goldens/tiny/hashes-0")),
    ("hashes-1", include_bytes!("../../cairn-log/goldens/tiny/hashes-1")),
];

type Files = BTreeMap<&'static str, Vec<u8>>;

pub fn log_folder(bytes: &[u8]) {
    let mut files: Files = FILES.iter().map(|(name, bytes)| (*name, bytes.to_vec())).collect();
    let mut input = bytes;
    while let Some(()) = alter(&mut files, &mut input) {}
    let published = files.get(CHECKPOINT).is_some_and(|bytes| bytes == FILES[1].1);
    let disk = disk_of(&files);
    // Beside a writer, and before anything is recovered.
    let _ = LogReader::open(&disk);
    let _ = check(&disk);
    let disk: Arc<FaultyDisk> = Arc::new(disk);
    let Ok((log, _)) = Log::open(disk.clone(), LogOptions::default()) else { return };
    let size = log.size();
    drop(log);
    // What a start does not look at, a check does.
    let Ok(checked) = check(&*disk) else { return };
    assert_eq!(checked.entries, size);
    if published {
        assert!(size >= PUBLISHED, "{size} entries under a checkpoint of {PUBLISHED}");
        hold_published(disk);
    }
}

fn hold_published(disk: Arc<FaultyDisk>) {
    let (log, _) = Log::open(disk, LogOptions::default()).expect("what opened once opens again");
    let mut frontier = Frontier::new();
    for chunk in log.reader().entries(0..PUBLISHED) {
        let chunk = chunk.expect("entries that were checked are read");
        for (index, entry) in chunk.iter() {
            assert_eq!(entry, format!("e{index}").as_bytes(), "entry {index}");
            frontier.push(leaf_hash(entry));
        }
    }
    assert_eq!(frontier.size(), PUBLISHED);
}

fn disk_of(files: &Files) -> FaultyDisk {
    let disk = FaultyDisk::new(1, Faults::default());
    for (name, bytes) in files {
        let file = disk.create(name).expect("a disk in memory takes files");
        file.write_at(0, bytes).and_then(|()| file.sync()).expect("a disk in memory takes bytes");
    }
    disk.sync_folder().expect("a disk in memory keeps names");
    disk
}

/// Takes the next alteration off the input; `None` at its end.
fn alter(files: &mut Files, input: &mut &[u8]) -> Option<()> {
    let name = FILES[usize::from(take(input, 1)?[0]) % FILES.len()].0;
    let kind = take(input, 1)?[0] % 5;
    let file = files.entry(name).or_default();
    match kind {
        0 => {
            let offset = number(input)?;
            let length = usize::from(take(input, 1)?[0]);
            overwrite(file, offset, take(input, length)?);
        }
        1 => file.resize(number(input)?, 0),
        2 => {
            let length = number(input)?;
            *file = take(input, length.min(input.len()))?.to_vec();
        }
        3 => {
            files.remove(name);
        }
        _ => {
            let place = usize::from(take(input, 1)?[0]) * RECORD_BYTES;
            let mut record = take(input, RECORD_BYTES - 4)?.to_vec();
            record.extend_from_slice(&crc32c::crc32c(&record).to_be_bytes());
            overwrite(file, place, &record);
        }
    }
    Some(())
}

fn overwrite(file: &mut Vec<u8>, offset: usize, bytes: &[u8]) {
    if file.len() < offset + bytes.len() {
        file.resize(offset + bytes.len(), 0);
    }
    file[offset..offset + bytes.len()].copy_from_slice(bytes);
}

fn number(input: &mut &[u8]) -> Option<usize> {
    let bytes = take(input, 2)?;
    Some(usize::from(bytes[0]) << 8 | usize::from(bytes[1]))
}

fn take<'a>(input: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (taken, rest) = input.split_at_checked(length)?;
    *input = rest;
    Some(taken)
}

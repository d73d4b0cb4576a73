//! The format on disk and of promises, byte for byte. `CAIRN_BLESS=1` writes the golden files anew, which only a new
//! version of the format may do.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use cairn_core::Hash;
use cairn_core::ed25519::SigningKey;
use cairn_log::promise::promise_key_name;
use cairn_log::{Log, LogOptions, Promise, StdDisk, check};
use cairn_merkle::{Cosigner, NoteSigner, SignedCheckpoint};

/// Files of `goldens/tiny`, as the first release wrote them; `writer.lock` is empty and not among them.
const FILES: [&str; 8] = [
    "bundles",
    "checkpoint",
    "commits",
    "entries-000000000000000",
    "entries-000000000000256",
    "format",
    "hashes-0",
    "hashes-1",
];

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("goldens").join(name)
}

fn expect(path: &Path, found: &[u8]) {
    if std::env::var_os("CAIRN_BLESS").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, found).unwrap();
    }
    assert!(fs::read(path).unwrap() == found, "{} is not what was committed", path.display());
}

fn signer() -> NoteSigner {
    NoteSigner::new("log.example/tiny", SigningKey::from_seed([1; 32])).unwrap()
}

fn witness() -> Cosigner {
    Cosigner::new("witness.example", SigningKey::from_seed([2; 32])).unwrap()
}

/// 260 entries in four batches over two segments, a cosigned checkpoint of 259, one entry after it.
fn tiny(folder: &Path) -> Promise {
    let disk = Arc::new(StdDisk::create(folder).unwrap());
    let (mut log, _) = Log::open(disk, LogOptions { segment_bytes: 1000, ..LogOptions::default() }).unwrap();
    let entries: Vec<String> = (0..260).map(|index| format!("e{index}")).collect();
    for batch in [0..1, 1..250, 250..259] {
        log.append(&entries[batch]).unwrap();
    }
    log.publish_checkpoint(&signer(), &[]).unwrap();
    let line = witness().cosign(&log.reader().published().unwrap(), 1_767_225_600).unwrap();
    log.add_cosignatures(&[line]).unwrap();
    let appended = log.append(&entries[259..]).unwrap();
    let entries = (appended.first_index..).zip(appended.leaf_hashes).collect();
    Promise { network: Hash::of(b"tiny"), entries }
}

#[test]
fn the_same_entries_make_the_same_files() {
    let folder = tempfile::tempdir().unwrap();
    tiny(folder.path());
    let mut names: Vec<String> =
        fs::read_dir(folder.path()).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    names.retain(|name| name != "writer.lock" && name != "commits-copy");
    names.sort();
    let read = |name: &str| fs::read(folder.path().join(name)).unwrap();
    assert_eq!(read("commits-copy"), read("commits"));
    assert_eq!(names, FILES);
    for name in FILES {
        expect(&golden("tiny").join(name), &fs::read(folder.path().join(name)).unwrap());
    }
}

#[test]
fn a_log_of_this_format_is_read_for_ever() {
    let folder = tempfile::tempdir().unwrap();
    for name in FILES {
        fs::copy(golden("tiny").join(name), folder.path().join(name)).unwrap();
    }
    let disk = Arc::new(StdDisk::create(folder.path()).unwrap());
    assert_eq!(check(&*disk).unwrap().entries, 260);
    let (mut log, recovery) = Log::open(disk, LogOptions::default()).unwrap();
    assert_eq!((recovery.size, recovery.checkpoint_size, recovery.rehashed), (260, Some(259), 1));
    for (index, chunk) in log
        .reader()
        .entries(0..260)
        .flat_map(|chunk| chunk.unwrap().iter().map(|(index, entry)| (index, entry.to_vec())).collect::<Vec<_>>())
    {
        assert_eq!(chunk, format!("e{index}").into_bytes());
    }
    let known = [witness().verifier().clone()];
    let checkpoint = log.reader().checkpoint().unwrap();
    let opened = SignedCheckpoint::open(&checkpoint, signer().verifier(), &known).unwrap();
    assert_eq!((opened.checkpoint.size(), opened.witnessed.len()), (259, 1));
    log.append(&[b"and it goes on"]).unwrap();
    drop(log);
    let read = |name: &str| fs::read(folder.path().join(name)).unwrap();
    assert_eq!(read("commits-copy"), read("commits"), "it has a copy from now on");
}

#[test]
fn a_promise_is_this_note() {
    let folder = tempfile::tempdir().unwrap();
    let promise = tiny(folder.path());
    let key = NoteSigner::new(&promise_key_name("log.example/tiny"), SigningKey::from_seed([3; 32])).unwrap();
    let note = promise.sign(&key).unwrap();
    expect(&golden("promise.txt"), note.as_bytes());
    let read = Promise::open(&fs::read_to_string(golden("promise.txt")).unwrap(), key.verifier()).unwrap();
    assert_eq!(read, promise);
}

//! A log on a real folder: what is appended is read, proved, served, exported, and every damage is named.

#![allow(clippy::unwrap_used, clippy::cast_possible_truncation)]

use std::fs;
use std::path::Path;
use std::sync::Arc;

use cairn_core::Hash;
use cairn_core::ed25519::SigningKey;
use cairn_log::{Disk as _, FolderReader, Log, LogError, LogOptions, LogReader, StdDisk, check, export};
use cairn_merkle::proof::{inclusion_proof, root_at, verify_consistency};
use cairn_merkle::tile::{TileReader as _, TiledHashes, decode_bundle, decode_tile, tiles};
use cairn_merkle::tree::{MemoryTree, leaf_hash};
use cairn_merkle::{Checkpoint, Cosigner, Note, NoteSigner, SignedCheckpoint, TileLevel, TilePath};
use proptest::prelude::*;

fn signer() -> NoteSigner {
    NoteSigner::new("log.example", SigningKey::from_seed([3; 32])).unwrap()
}

fn open(folder: &Path) -> Result<Log, LogError> {
    let disk = Arc::new(StdDisk::create(folder).unwrap());
    Log::open(disk, LogOptions { segment_bytes: 8000, ..LogOptions::default() }).map(|(log, _)| log)
}

fn entry(index: u64) -> Vec<u8> {
    format!("entry-{index}").into_bytes()
}

/// Appends `entry-<i>` up to `size`, in batches of uneven length.
fn grow(log: &mut Log, size: u64) {
    let mut step = 1;
    while log.size() < size {
        let batch: Vec<Vec<u8>> = (log.size()..size.min(log.size() + step)).map(entry).collect();
        let appended = log.append(&batch).unwrap();
        assert_eq!(appended.leaf_hashes, batch.iter().map(|entry| leaf_hash(entry)).collect::<Vec<_>>());
        step = step * 3 % 1009;
    }
}

fn tree(size: u64) -> MemoryTree {
    MemoryTree::new((0..size).map(|index| leaf_hash(&entry(index))).collect())
}

#[test]
fn what_was_appended_is_read_back_before_and_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let mut log = open(folder.path()).unwrap();
    assert_eq!(log.append::<Vec<u8>>(&[]).unwrap().first_index, 0);
    grow(&mut log, 3000);
    let verify = |reader: &LogReader| {
        assert_eq!((reader.size(), reader.root()), (3000, tree(3000).root()));
        for (start, end) in
            [(0, 3000), (0, 1), (255, 257), (256, 512), (700, 701), (2999, 3000), (10, 10), (2990, 9999)]
        {
            let chunks: Vec<_> = reader.entries(start..end).map(Result::unwrap).collect();
            let read: Vec<(u64, Vec<u8>)> =
                chunks.iter().flat_map(|c| c.iter().map(|(i, e)| (i, e.to_vec()))).collect();
            let expected: Vec<(u64, Vec<u8>)> = (start..end.min(3000)).map(|index| (index, entry(index))).collect();
            assert_eq!(read, expected, "{start}..{end}");
        }
        for index in [0, 255, 256, 2999] {
            assert_eq!(reader.entry(index).unwrap(), entry(index));
            assert_eq!(reader.leaf_hash(index).unwrap(), leaf_hash(&entry(index)));
        }
        assert_eq!(reader.entry(3000).unwrap_err().code(), "LOG-INDEX");
        assert_eq!(reader.leaf_hash(3000).unwrap_err().code(), "LOG-INDEX");
        assert_eq!(reader.root_at(3001).unwrap_err().code(), "LOG-INDEX");
    };
    verify(&log.reader());
    drop(log);
    verify(&open(folder.path()).unwrap().reader());
}

#[test]
fn an_entry_that_is_too_long_refuses_its_batch_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let mut log = open(folder.path()).unwrap();
    let refused = log.append(&[vec![1; 10], vec![1; 65_536]]).unwrap_err();
    assert_eq!(refused.code(), "LOG-ENTRY-LENGTH");
    assert_eq!(log.size(), 0);
    log.append(&[vec![1; 65_535], vec![]]).unwrap();
    assert_eq!(log.reader().entry(0).unwrap(), vec![1; 65_535]);
    assert_eq!(log.reader().entry(1).unwrap(), b"");
}

#[test]
fn a_folder_has_one_writer_and_readers_beside_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut log = open(folder.path()).unwrap();
    let disk = StdDisk::create(folder.path()).unwrap();
    assert_eq!(open(folder.path()).map(|_| ()).unwrap_err().code(), "LOG-LOCKED");
    assert_eq!(LogReader::open(&disk).map(|_| ()).unwrap_err().code(), "LOG-NO-CHECKPOINT");
    for size in [0, 21, 256, 700] {
        grow(&mut log, size);
        log.publish_checkpoint(&signer(), &[]).unwrap();
        grow(&mut log, size + 20);
        let beside = LogReader::open(&disk).unwrap();
        assert_eq!((beside.size(), beside.root()), (size, tree(size).root()));
        let read: u64 = beside.entries(0..u64::MAX).map(|chunk| chunk.unwrap().len() as u64).sum();
        assert_eq!(read, size);
    }
}

#[test]
fn a_checkpoint_says_what_the_log_holds_and_grows_by_consistent_steps() {
    let folder = tempfile::tempdir().unwrap();
    let mut log = open(folder.path()).unwrap();
    let reader = log.reader();
    assert_eq!(reader.receipt(0).unwrap_err().code(), "LOG-NO-CHECKPOINT");
    let mut earlier: Option<Checkpoint> = None;
    for size in [0, 1, 300, 300, 1000] {
        grow(&mut log, size);
        let note = log.publish_checkpoint(&signer(), &[]).unwrap();
        assert_eq!(reader.checkpoint().as_deref(), Some(note.as_str()));
        let now = SignedCheckpoint::open(&note, signer().verifier(), &[]).unwrap().checkpoint;
        assert_eq!((now.size(), now.root()), (size, tree(size).root()));
        if let Some(old) = earlier {
            let proof = reader.consistency_proof(old.size(), size).unwrap();
            verify_consistency(old.size(), old.root(), size, now.root(), &proof).unwrap();
        }
        earlier = Some(now);
    }
    grow(&mut log, 1001);
    for index in [0, 256, 999] {
        let receipt = reader.receipt(index).unwrap();
        receipt.verify(leaf_hash(&entry(index)), signer().verifier(), &[]).unwrap();
        assert_eq!(receipt.proof, inclusion_proof(&tree(1000), index, 1000).unwrap());
    }
    assert_eq!(reader.receipt(1000).unwrap_err().code(), "LOG-NOT-COVERED");
}

#[test]
fn cosignatures_join_the_checkpoint_and_survive_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let mut log = open(folder.path()).unwrap();
    assert_eq!(log.add_cosignatures(&[]).unwrap_err().code(), "LOG-NO-CHECKPOINT");
    grow(&mut log, 5);
    log.publish_checkpoint(&signer(), &[]).unwrap();
    let witness = Cosigner::new("witness.example", SigningKey::from_seed([4; 32])).unwrap();
    let line = witness.cosign(&log.reader().published().unwrap(), 1_767_225_600).unwrap();
    let note = log.add_cosignatures(&[line.clone(), line]).unwrap();
    assert_eq!(note.parse::<Note>().unwrap().signatures().len(), 2);
    assert_eq!(log.publish_checkpoint(&signer(), &[]).unwrap(), note, "nothing new, the same checkpoint");
    let again = witness.cosign(&log.reader().published().unwrap(), 1_767_225_660).unwrap();
    let note = log.add_cosignatures(core::slice::from_ref(&again)).unwrap();
    assert_eq!(note.parse::<Note>().unwrap().signatures()[1..], [again], "a later line takes the earlier one's place");
    drop(log);
    let reader = open(folder.path()).unwrap().reader();
    let opened =
        SignedCheckpoint::open(&reader.checkpoint().unwrap(), signer().verifier(), &[witness.verifier().clone()]);
    assert_eq!(opened.unwrap().witnessed, [("witness.example".to_owned(), 1_767_225_660)]);
}

#[test]
fn another_origin_or_another_hand_on_the_lock_record_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let mut log = open(folder.path()).unwrap();
    grow(&mut log, 5);
    log.publish_checkpoint(&signer(), &[]).unwrap();
    let other = NoteSigner::new("other.example", SigningKey::from_seed([3; 32])).unwrap();
    assert_eq!(log.publish_checkpoint(&other, &[]).unwrap_err().code(), "LOG-ORIGIN");
    grow(&mut log, 6);
    fs::remove_file(folder.path().join("checkpoint")).unwrap();
    assert_eq!(log.publish_checkpoint(&signer(), &[]).unwrap_err().code(), "LOG-LOCK-RECORD");
    assert_eq!(log.append(&[b"x"]).unwrap_err().code(), "LOG-STOPPED");
}

#[test]
fn every_tile_and_bundle_of_every_width_is_served() {
    let folder = tempfile::tempdir().unwrap();
    let mut log = open(folder.path()).unwrap();
    grow(&mut log, 1300);
    let reader = log.reader();
    for size in [1, 2, 255, 256, 257, 511, 1024, 1299, 1300] {
        let tiled = TiledHashes::new(&reader, size);
        assert_eq!(root_at(&tiled, size).unwrap(), tree(size).root());
        for tile in tiles(size).filter(|tile| tile.level == TileLevel::Entries) {
            let bytes = reader.tile(tile).unwrap();
            let first = tile.index * 256;
            let expected: Vec<Vec<u8>> = (first..first + u64::from(tile.width)).map(entry).collect();
            assert_eq!(decode_bundle(&bytes, tile.width).unwrap(), expected, "{tile} of {size}");
        }
    }
    let top: TilePath = "tile/1/000.p/5".parse().unwrap();
    assert_eq!(decode_tile(top, &reader.tile(top).unwrap()).unwrap().len(), 5);
    for absent in
        ["tile/0/005.p/21", "tile/0/006", "tile/1/000.p/6", "tile/1/000", "tile/2/000.p/1", "tile/entries/005"]
    {
        assert_eq!(reader.tile(absent.parse().unwrap()).unwrap_err().code(), "LOG-NO-TILE", "{absent}");
    }
}

#[test]
fn readers_see_a_consistent_log_while_it_grows() {
    let folder = tempfile::tempdir().unwrap();
    let mut log = open(folder.path()).unwrap();
    let reader = log.reader();
    let whole = tree(4000);
    std::thread::scope(|threads| {
        let watch = threads.spawn(|| {
            let mut seen = 0;
            while seen < 4000 {
                let size = reader.size();
                assert!(size >= seen, "the log shrank");
                seen = size;
                assert_eq!(reader.root_at(size).unwrap(), root_at(&whole, size).unwrap());
                if size > 0 {
                    assert_eq!(reader.entry(size - 1).unwrap(), entry(size - 1));
                }
            }
        });
        grow(&mut log, 4000);
        watch.join().unwrap();
    });
}

#[test]
fn an_export_is_a_whole_log_and_is_only_continued_by_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let mut log = open(&folder.path().join("log")).unwrap();
    assert_eq!(export(&log.reader(), &out).unwrap_err().code(), "LOG-NO-CHECKPOINT");
    for size in [0, 300, 1000] {
        grow(&mut log, size);
        log.publish_checkpoint(&signer(), &[]).unwrap();
        export(&log.reader(), &out).unwrap();
        let exported = FolderReader::new(&out);
        let signed = SignedCheckpoint::open(&exported.checkpoint().unwrap(), signer().verifier(), &[]).unwrap();
        assert_eq!(signed.checkpoint.size(), size);
        assert_eq!(root_at(&TiledHashes::new(&exported, size), size).unwrap(), signed.checkpoint.root());
        for tile in tiles(size) {
            assert_eq!(exported.tile(tile).unwrap(), log.reader().tile(tile).unwrap(), "{tile}");
        }
    }
    // A partial tile that was never written is the beginning of the full one.
    for partial in ["tile/0/001.p/7", "tile/entries/001.p/7"] {
        let tile: TilePath = partial.parse().unwrap();
        assert_eq!(FolderReader::new(&out).tile(tile).unwrap(), log.reader().tile(tile).unwrap());
    }
    assert_eq!(FolderReader::new(&out).tile("tile/0/009".parse().unwrap()).unwrap_err().code(), "LOG-IO");

    let mut other = open(&folder.path().join("other")).unwrap();
    other.append(&[b"something else"]).unwrap();
    other.publish_checkpoint(&signer(), &[]).unwrap();
    assert_eq!(export(&other.reader(), &out).unwrap_err().code(), "LOG-EXPORT");
}

/// A checkpointed log of 600 entries, and 100 more; about four segments.
fn checked_log(folder: &Path) -> Log {
    let mut log = open(folder).unwrap();
    grow(&mut log, 600);
    log.publish_checkpoint(&signer(), &[]).unwrap();
    grow(&mut log, 700);
    log
}

fn flip(path: &Path, offset: usize) {
    let mut bytes = fs::read(path).unwrap();
    bytes[offset] ^= 0x20;
    fs::write(path, bytes).unwrap();
}

#[test]
fn a_check_names_the_first_damaged_entry_hash_place_or_record() {
    // File, byte, and the entry that must be named; `entry-<i>` and its length take 9, 10 or 11 bytes before the others.
    let place = |index: u64| (0..index).map(|index| entry(index).len() + 2).sum::<usize>();
    for (file, offset, named, entry) in [
        ("entries-000000000000000", place(40) + 5, ("entries-000000000000000", place(40)), 40),
        ("entries-000000000000000", place(300) + 1, ("entries-000000000000000", place(300)), 300),
        ("entries-000000000000000", place(300), ("entries-000000000000000", place(300)), 300),
        ("entries-000000000000000", place(650) + 3, ("entries-000000000000000", place(650)), 650),
        ("hashes-0", 32 * 123 + 31, ("hashes-0", 32 * 123), 123),
        ("hashes-1", 33, ("hashes-1", 32), 511),
        ("bundles", 15, ("bundles", 8), 256),
    ] {
        let folder = tempfile::tempdir().unwrap();
        drop(checked_log(folder.path()));
        let disk = StdDisk::create(folder.path()).unwrap();
        assert_eq!(check(&disk).unwrap().entries, 700);
        flip(&folder.path().join(file), offset);
        let LogError::Damaged { file: found, offset: at, entry: index, .. } = check(&disk).unwrap_err() else {
            panic!("{file} {offset}: not named");
        };
        assert_eq!((found.as_str(), at as usize, index), (named.0, named.1, Some(entry)), "{file} {offset}");
    }
    let folder = tempfile::tempdir().unwrap();
    let log = checked_log(folder.path());
    let disk = StdDisk::create(folder.path()).unwrap();
    flip(&folder.path().join("commits"), 64 + 30);
    let refused = check(&disk).unwrap_err();
    assert!(refused.to_string().starts_with("`commits` is damaged at byte 64 (entry 1):"), "{refused}");
    drop(log);
}

#[test]
fn lost_or_damaged_hashes_and_places_are_computed_again() {
    // What opening looks at: every file's presence, and the hashes and places at the edge of the checkpoint of 600.
    type Damage = fn(&Path);
    let cases: [(&str, Damage); 7] = [
        ("hashes-0", |path| fs::remove_file(path).unwrap()),
        ("hashes-1", |path| fs::remove_file(path).unwrap()),
        ("bundles", |path| fs::remove_file(path).unwrap()),
        ("hashes-0", |path| flip(path, 32 * 599)),
        ("hashes-1", |path| flip(path, 32)),
        ("bundles", |path| flip(path, 8)),
        ("bundles", |path| fs::write(path, b"short").unwrap()),
    ];
    for (case, (file, damage)) in cases.into_iter().enumerate() {
        let folder = tempfile::tempdir().unwrap();
        drop(checked_log(folder.path()));
        damage(&folder.path().join(file));
        let disk = Arc::new(StdDisk::create(folder.path()).unwrap());
        let (log, recovery) = Log::open(disk.clone(), LogOptions::default()).unwrap();
        assert_eq!(recovery.rehashed, 700, "case {case}: {file}");
        assert_eq!(log.root(), tree(700).root());
        assert_eq!(log.reader().entry(300).unwrap(), entry(300));
        assert_eq!(check(&*disk).unwrap().root, log.root(), "case {case}: {file}");
    }
}

#[test]
fn what_was_written_but_never_committed_is_removed() {
    let folder = tempfile::tempdir().unwrap();
    let mut log = open(folder.path()).unwrap();
    grow(&mut log, 10);
    drop(log);
    let path = |name: &str| folder.path().join(name);
    let (entries, commits) = (fs::read(path("entries-000000000000000")).unwrap(), fs::read(path("commits")).unwrap());
    fs::write(path("entries-000000000000000"), [entries.as_slice(), b"half an entry"].concat()).unwrap();
    fs::write(path("entries-000000000000256"), b"a segment that began").unwrap();
    fs::write(path("commits"), [commits.as_slice(), &[7; 20]].concat()).unwrap();
    fs::write(path("checkpoint.tmp"), b"unfinished").unwrap();
    let disk = Arc::new(StdDisk::create(folder.path()).unwrap());
    let (mut log, recovery) = Log::open(disk.clone(), LogOptions::default()).unwrap();
    assert_eq!((recovery.size, recovery.discarded_bytes, recovery.torn_commit), (10, 13 + 20, true));
    assert_eq!(fs::read(path("entries-000000000000000")).unwrap(), entries);
    assert_eq!(fs::read(path("commits")).unwrap(), commits);
    assert!(!path("entries-000000000000256").exists() && !path("checkpoint.tmp").exists());
    grow(&mut log, 300);
    assert_eq!(check(&*disk).unwrap().root, tree(300).root());
}

#[test]
fn a_log_that_lost_what_it_published_refuses_to_open() {
    type Damage = fn(&Path);
    const BOTH: [&str; 2] = ["commits", "commits-copy"];
    let cases: [(&str, Damage); 8] = [
        ("LOG-SHORT", |folder| BOTH.iter().for_each(|name| fs::write(folder.join(name), b"").unwrap())),
        ("LOG-DAMAGED", |folder| BOTH.iter().for_each(|name| fs::remove_file(folder.join(name)).unwrap())),
        ("LOG-DAMAGED", |folder| {
            for name in BOTH {
                flip(&folder.join(name), 10);
                flip(&folder.join(name), 11);
            }
        }),
        ("LOG-DAMAGED", |folder| fs::remove_file(folder.join("entries-000000000000000")).unwrap()),
        ("LOG-DAMAGED", |folder| fs::write(folder.join("entries-000000000000000"), b"short").unwrap()),
        ("LOG-DAMAGED", |folder| fs::write(folder.join("checkpoint"), b"nonsense").unwrap()),
        ("LOG-FORMAT", |folder| fs::write(folder.join("format"), b"cairn-log/9\n").unwrap()),
        ("LOG-FORMAT", |folder| fs::remove_file(folder.join("format")).unwrap()),
    ];
    for (code, damage) in cases {
        let folder = tempfile::tempdir().unwrap();
        let mut log = open(folder.path()).unwrap();
        log.append(&[b"one", b"two"]).unwrap();
        log.append(&[b"three"]).unwrap();
        log.publish_checkpoint(&signer(), &[]).unwrap();
        drop(log);
        damage(folder.path());
        let refused = open(folder.path()).map(|_| ()).unwrap_err();
        let named = refused.code() == code || (code == "LOG-DAMAGED" && refused.code() == "LOG-FORKED");
        assert!(named, "{code}: {refused}");
        assert!(refused.hint().is_some());
    }
}

#[test]
fn entries_other_than_those_published_are_a_fork() {
    let folder = tempfile::tempdir().unwrap();
    let (ours, theirs) = (folder.path().join("ours"), folder.path().join("theirs"));
    for (path, content) in [(&ours, b"this"), (&theirs, b"that")] {
        let mut log = open(path).unwrap();
        log.append(&[content]).unwrap();
        log.publish_checkpoint(&signer(), &[]).unwrap();
    }
    fs::copy(theirs.join("checkpoint"), ours.join("checkpoint")).unwrap();
    assert_eq!(open(&ours).map(|_| ()).unwrap_err().code(), "LOG-FORKED");
    assert_eq!(check(&StdDisk::create(&ours).unwrap()).unwrap_err().code(), "LOG-FORKED");
    let nonsense = folder.path().join("nonsense");
    fs::create_dir(&nonsense).unwrap();
    fs::write(nonsense.join("notes.tmp"), b"not a log").unwrap();
    assert_eq!(open(&nonsense).map(|_| ()).unwrap_err().code(), "LOG-FORMAT");
    assert!(nonsense.join("notes.tmp").exists(), "what is not ours is left alone");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn a_log_is_its_entries_however_they_were_cut_into_batches_and_segments(
        lengths in proptest::collection::vec(0usize..90, 1..900),
        cuts in proptest::collection::vec(1usize..300, 1..8),
        segment_bytes in 1u64..20_000,
        restart in any::<bool>(),
    ) {
        let entries: Vec<Vec<u8>> = lengths.iter().enumerate().map(|(i, length)| vec![i as u8; *length]).collect();
        let folder = tempfile::tempdir().unwrap();
        let disk = Arc::new(StdDisk::create(folder.path()).unwrap());
        let options = LogOptions { segment_bytes, ..LogOptions::default() };
        let (mut log, _) = Log::open(disk.clone(), options).unwrap();
        let mut rest = entries.as_slice();
        for cut in cuts.iter().cycle() {
            if rest.is_empty() { break; }
            let (batch, after) = rest.split_at((*cut).min(rest.len()));
            log.append(batch).unwrap();
            rest = after;
            if restart {
                drop(log);
                log = Log::open(disk.clone(), options).unwrap().0;
            }
        }
        let hashes: Vec<Hash> = entries.iter().map(|entry| leaf_hash(entry)).collect();
        prop_assert_eq!(log.root(), MemoryTree::new(hashes).root());
        let read: Vec<Vec<u8>> = log.reader().entries(0..u64::MAX)
            .flat_map(|chunk| chunk.unwrap().iter().map(|(_, entry)| entry.to_vec()).collect::<Vec<_>>()).collect();
        prop_assert_eq!(read, entries);
        prop_assert_eq!(check(&*disk).unwrap().segments, disk.list().unwrap().iter().filter(|n| n.starts_with("entries-")).count() as u64);
    }
}

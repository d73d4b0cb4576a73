//! Bits that turn and files that lose their end, in every file that a log keeps.
//!
//! What was there is known from: the copy or the CRC for commit records; the records for their copy; the entries for
//! hashes and places. Entries, the last checkpoint and the format name are known from nothing else in the folder:
//! their damage is found and refused.

use std::collections::BTreeMap;
use std::sync::Arc;

use cairn_log::{Checked, Log, LogError, check, repair};
use cairn_merkle::Note;
use cairn_testkit::disk::{Faults, FaultyDisk};

use crate::for_seeds;
use crate::life::{OPTIONS, Promised, Random, open, read_all, signer, work};

/// A disk whose writer was killed, or lost its power, or ended after a last checkpoint.
fn used_disk(random: &mut Random, seed: u64) -> (FaultyDisk, Promised, bool) {
    let disk = FaultyDisk::new(seed, Faults::default());
    let mut promised = Promised::default();
    let mut log = open(&disk, random, &mut promised).unwrap();
    while log.size() == 0 || random.below(4) > 0 {
        work(&mut log, &disk, random, &mut promised).unwrap();
    }
    let is_synced = random.below(2) == 0;
    if is_synced {
        log.publish_checkpoint(&signer(), &[]).unwrap();
        promised.checkpoints.insert(log.size(), log.root());
    }
    // A log that is closed gives back what it reserved; one that is killed does not.
    let mut log = Some(log);
    if random.below(2) == 0 {
        log = None;
    }
    let power = random.below(2) == 0;
    if power {
        disk.cut_power(Faults::default());
    } else {
        disk.kill(Faults::default());
    }
    drop(log);
    (disk, promised, is_synced || !power)
}

/// Damages one byte or the end of one file; its name, and what was done to it.
fn damage(disk: &FaultyDisk, random: &mut Random, both_copies: bool) -> (String, String) {
    let files: Vec<(String, usize)> =
        disk.files().into_iter().map(|(name, bytes)| (name, bytes.len())).filter(|(_, bytes)| *bytes > 0).collect();
    loop {
        let (name, bytes) = &files[random.below(files.len() as u64) as usize];
        let at = random.below(*bytes as u64) as usize;
        let is_cut = random.below(4) == 0;
        // After a power cut the records since the last checkpoint may stand in one file alone. What is gone from it
        // without a trace is gone.
        if is_cut && name == "commits" && !both_copies {
            continue;
        }
        if is_cut {
            assert!(disk.cut(name, at));
            return (name.clone(), format!("cut to {at} of {bytes}"));
        }
        let bit = random.below(8) as u8;
        assert!(disk.flip(name, at, bit));
        return (name.clone(), format!("bit {bit} of byte {at} of {bytes}"));
    }
}

/// `true` if the checkpoint is the one that was signed; whoever holds the key sees that.
fn is_signed(checkpoint: Option<String>) -> bool {
    let note = checkpoint.and_then(|text| text.parse::<Note>().ok());
    note.is_some_and(|note| note.open(&[signer().verifier().clone()]).is_ok())
}

fn kind(name: &str) -> &str {
    name.split_once('-').map_or(name, |(kind, rest)| if rest == "copy" { name } else { kind })
}

fn is_derivable(name: &str) -> bool {
    ["hashes", "bundles", "commits", "commits-copy"].contains(&kind(name))
}

fn assert_refused(error: &LogError) {
    let codes = ["LOG-DAMAGED", "LOG-FORKED", "LOG-SHORT", "LOG-FORMAT"];
    assert!(codes.contains(&error.code()) && error.hint().is_some(), "{}: {error}", error.code());
}

fn rot(seed: u64) -> String {
    let mut random = Random::of(seed);
    let (disk, promised, both_copies) = used_disk(&mut random, seed);
    let (name, what) = damage(&disk, &mut random, both_copies);
    let case = format!("{name}, {what}");
    let checked = check(&disk);
    if let Err(error) = &checked {
        assert_refused(error);
    }
    let opened = Log::open(Arc::new(disk.twin(seed)), OPTIONS);
    match &opened {
        Err(error) => {
            assert_refused(error);
            assert!(!is_derivable(&name), "{case}: it could have been repaired: {error}");
        }
        Ok((log, _)) => {
            let reader = log.reader();
            assert_eq!(log.size(), promised.entries.len() as u64, "{case}: something promised was taken back");
            let same = read_all(&reader).is_ok_and(|entries| entries == promised.entries);
            let published = promised.checkpoints.is_empty() || is_signed(reader.checkpoint());
            assert!(same && published || checked.is_err() || kind(&name) == "checkpoint", "{case}: nobody noticed");
            assert!(same || kind(&name) == "entries", "{case}: entries changed");
            assert!(published || kind(&name) == "checkpoint", "{case}: the checkpoint changed");
        }
    }
    drop(opened);
    if is_derivable(&name) {
        assert_repaired(&disk, &promised, &case);
    }
    kind(&name).to_owned()
}

/// After a repair the log is as if nothing had been.
fn assert_repaired(disk: &FaultyDisk, promised: &Promised, case: &str) {
    let repaired = repair(Arc::new(disk.clone())).unwrap_or_else(|error| panic!("{case}: {error}"));
    let again = repair(Arc::new(disk.clone())).unwrap();
    assert_eq!((again.commits, again.copied), (0, 0), "{case}: repaired once, nothing is left to repair");
    let Checked { entries, root, .. } = repaired.checked;
    let (log, recovery) = Log::open(Arc::new(disk.clone()), OPTIONS).unwrap();
    assert_eq!((log.size(), log.root(), recovery.mended_commits), (entries, root, 0), "{case}");
    assert!(read_all(&log.reader()).unwrap() == promised.entries, "{case}");
}

#[test]
fn rot_in_any_file_is_found_and_repaired_where_something_else_tells_what_was_there() {
    let seen = std::cell::RefCell::new(BTreeMap::<String, u64>::new());
    for_seeds(1000, |seed| *seen.borrow_mut().entry(rot(seed)).or_default() += 1);
    let seen = seen.into_inner();
    let kinds = ["bundles", "checkpoint", "commits", "commits-copy", "entries", "format", "hashes"];
    assert!(seen.values().sum::<u64>() < 1000 || seen.keys().eq(kinds.iter()), "{seen:?}");
}

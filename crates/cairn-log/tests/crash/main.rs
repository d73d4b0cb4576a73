//! Crashes, power cuts, failing syncs, full disks and rotten bits at every point of a log's life, recovery included, from
//! seeds.
//!
//! Laws: an acknowledged entry is at its index with its bytes; a batch is whole or absent; a published checkpoint is never
//! followed by a smaller or another one; a disk that only crashed never looks damaged; a full disk costs nothing but the
//! wait; damage is found, and repaired where something else tells what was there.
//!
//! `CAIRN_SEED=n` runs one seed, `CAIRN_SEEDS=n` the first n.

#![allow(clippy::unwrap_used, clippy::cast_possible_truncation)]

mod life;
mod recovery;
mod rot;

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use cairn_log::check;
use cairn_testkit::disk::{Faults, FaultyDisk};
use life::{Promised, Random, assert_disk_failure, open, signer, work};

/// Runs `test` with every seed, the first `usual` ones unless asked otherwise, and prints the one that fails.
fn for_seeds(usual: u64, test: impl Fn(u64)) {
    let variable = |name| std::env::var(name).ok().map(|text| text.parse::<u64>().unwrap());
    let seeds = match (variable("CAIRN_SEED"), variable("CAIRN_SEEDS")) {
        (Some(seed), _) => seed..seed + 1,
        (None, seeds) => 0..seeds.unwrap_or(usual),
    };
    for seed in seeds {
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| test(seed))) {
            eprintln!("replay with CAIRN_SEED={seed}");
            resume_unwind(panic);
        }
    }
}

fn live_and_die(seed: u64) {
    let mut random = Random::of(seed);
    let mut promised = Promised::default();
    let disk = FaultyDisk::new(seed, Faults::default());
    disk.kill(random.faults(&disk));
    for _ in 0..2 + random.below(6) {
        let opened = open(&disk, &mut random, &mut promised);
        match opened {
            Err(error) => assert_disk_failure(&error),
            Ok(mut log) => {
                if let Err(error) = work(&mut log, &disk, &mut random, &mut promised) {
                    assert_disk_failure(&error);
                    let refused = log.append(&[b"more"]).expect_err("a failed log takes nothing more");
                    assert_eq!(refused.code(), "LOG-STOPPED");
                    let refused = log.publish_checkpoint(&signer(), &[]).expect_err("nor does it sign");
                    assert_eq!(refused.code(), "LOG-STOPPED");
                }
            }
        }
        assert!(!disk.was_synced_again(), "a sync that failed was tried again");
        let faults = random.faults(&disk);
        if random.below(3) == 0 { disk.kill(faults) } else { disk.cut_power(faults) }
    }
    disk.cut_power(Faults::default());
    let mut log = open(&disk, &mut random, &mut promised).expect("a sound disk opens");
    log.append(&[b"alive"]).unwrap();
    log.publish_checkpoint(&signer(), &[]).unwrap();
    let checked = check(&disk).unwrap();
    assert_eq!((checked.entries, checked.root), (log.size(), log.root()));
}

#[test]
fn nothing_promised_is_lost_whatever_crashes() {
    for_seeds(1500, live_and_die);
}

//! Crashes during recovery, at every one of its writes, twice in a row.

use std::sync::Arc;

use cairn_log::Log;
use cairn_testkit::disk::{Faults, FaultyDisk};

use crate::for_seeds;
use crate::life::{OPTIONS, Promised, Random, open, work};

/// A disk after a life that ended in a crash, with what was promised in it.
fn crashed_disk(random: &mut Random, seed: u64) -> (FaultyDisk, Promised) {
    let disk = FaultyDisk::new(seed, Faults::default());
    let mut promised = Promised::default();
    for _ in 0..3 {
        let crash_at = Some(disk.operations() + 20 + random.below(60));
        disk.kill(Faults { crash_at, ..Faults::default() });
        if let Ok(mut log) = open(&disk, random, &mut promised) {
            let _ = work(&mut log, &disk, random, &mut promised);
        }
        disk.cut_power(Faults::default());
    }
    (disk, promised)
}

/// Opens with a crash at operation `at` of the recovery; whether it was over before.
fn recover_until(disk: &FaultyDisk, at: u64, power: bool) -> bool {
    let faults = Faults { crash_at: Some(disk.operations() + at), ..Faults::default() };
    if power {
        disk.cut_power(faults)
    } else {
        disk.kill(faults)
    }
    Log::open(Arc::new(disk.clone()), OPTIONS).is_ok()
}

fn crash_twice_at_every_write(seed: u64) {
    let mut random = Random::of(seed);
    let (disk, promised) = crashed_disk(&mut random, seed);
    let power = seed.is_multiple_of(2);
    for first in 1.. {
        let once = disk.twin(seed + first);
        let was_over = recover_until(&once, first, power);
        for second in 1.. {
            let twice = once.twin(seed + 1000 * first + second);
            let second_was_over = recover_until(&twice, second, !power);
            twice.cut_power(Faults::default());
            open(&twice, &mut random.clone(), &mut promised.clone()).expect("a sound disk opens");
            if second_was_over {
                break;
            }
        }
        if was_over {
            break;
        }
    }
}

#[test]
fn nothing_promised_is_lost_when_the_recovery_crashes_at_any_write_and_the_next_one_too() {
    for_seeds(60, crash_twice_at_every_write);
}

/// A life that goes on after a sync failed and the process was started again, until the power is cut.
fn fail_every_sync(seed: u64) {
    for at in 1..120 {
        let mut random = Random::of(seed);
        let mut promised = Promised::default();
        let disk = FaultyDisk::new(seed + at, Faults { fail_sync_at: Some(at), ..Faults::default() });
        for _ in 0..6 {
            if let Ok(mut log) = open(&disk, &mut random, &mut promised) {
                let _ = work(&mut log, &disk, &mut random, &mut promised);
            }
            assert!(!disk.was_synced_again());
            disk.kill(Faults::default());
        }
        disk.cut_power(Faults::default());
        open(&disk, &mut random, &mut promised).unwrap_or_else(|error| panic!("sync {at} failed: {error}"));
    }
}

#[test]
fn nothing_promised_is_lost_when_any_sync_fails_and_the_power_after_it() {
    for_seeds(25, fail_every_sync);
}

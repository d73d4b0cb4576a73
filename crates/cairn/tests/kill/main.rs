//! The real process, killed under load at random instants, again and again.
//!
//! Laws: after every restart each promised entry is at its index with its leaf hash; the log never forks: one sequence of
//! leaves has the root of every checkpoint ever served; the views are byte for byte what the log implies; the lock of a
//! killed writer stands in nobody's way, and a second writer is refused while the first one lives.
//!
//! `CAIRN_KILLS=n` kills n times instead of 20, `CAIRN_SEED=n` chooses the instants.

#![allow(clippy::unwrap_used)]

mod load;
mod process;
#[path = "../process/random.rs"]
mod random;
mod witness;

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use load::Load;
use process::{UP, Up, cairn, spawn};
use random::Random;
use witness::Witness;

/// Between two looks at the checkpoint.
const PAUSE: Duration = Duration::from_millis(5);
/// Kills in the short form, and of each network in the long one.
const KILLS: u64 = 20;

fn variable(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap())
}

/// Views are what the log implies.
fn assert_rebuilt(folder: &Path) -> serde_json::Value {
    let ran = cairn(folder, &["ledger", "rebuild", "net", "--check", "--json"]);
    assert_eq!(ran.code, 0, "ledger rebuild --check: {}{}", ran.stdout, ran.stderr);
    serde_json::from_str(&ran.stdout).unwrap()
}

/// Runs the process under load and kills it; sometimes before it is even up.
fn live_and_die(folder: &Path, load: &mut Load, witness: &mut Witness, random: &mut Random) {
    if random.below(4) == 0 {
        let mut child = spawn(folder, &UP);
        std::thread::sleep(Duration::from_millis(random.below(80)));
        child.kill().unwrap();
        child.wait().unwrap();
        return;
    }
    let up = Up::start(folder);
    witness.meet(&up.url, load.promised());
    assert_rebuilt(folder);
    let instant = Duration::from_millis(random.below(500));
    let is_over = AtomicBool::new(false);
    std::thread::scope(|threads| {
        let (load, witness, url) = (&mut *load, &mut *witness, up.url.clone());
        let stop = &is_over;
        let loading = threads.spawn(move || load.until(&url, stop));
        let url = up.url.clone();
        let watching = threads.spawn(move || witness.watch(&url, stop, PAUSE));
        std::thread::sleep(instant);
        drop(up);
        is_over.store(true, Ordering::Relaxed);
        loading.join().unwrap();
        watching.join().unwrap();
    });
}

/// One network through `kills` kills, and everything held once more at its end.
fn network(kills: u64, random: &mut Random) {
    let folder = tempfile::tempdir().unwrap();
    let mut load = Load::found(folder.path());
    let mut witness = Witness::default();
    for _ in 0..kills {
        live_and_die(folder.path(), &mut load, &mut witness, random);
    }
    let up = Up::start(folder.path());
    let second = cairn(folder.path(), &["up", "net", "--listen", "127.0.0.1:0"]);
    assert!(second.code == 3 && second.stderr.contains("LOG-LOCKED"), "{}", second.stderr);
    witness.meet(&up.url, load.promised());
    assert_eq!(up.end(), 0);
    let rebuilt = assert_rebuilt(folder.path());
    let ran = cairn(folder.path(), &["log", "check", "net"]);
    assert_eq!(ran.code, 0, "log check: {}{}", ran.stdout, ran.stderr);
    let (promised, seen, epochs) = (load.promised().len(), witness.words(), &rebuilt["epochs"]);
    eprintln!("{kills} kills: {promised} entries promised, {seen}, {epochs} epochs rebuilt");
    assert!(promised > 100, "there was load: {promised}");
    assert!(epochs.as_u64() > Some(0), "epochs closed: {rebuilt}");
}

#[test]
fn nothing_promised_is_lost_when_the_process_is_killed_under_load() {
    let mut kills = variable("CAIRN_KILLS").unwrap_or(KILLS);
    let seed = variable("CAIRN_SEED").unwrap_or_else(|| u64::from(std::process::id()));
    eprintln!("{kills} kills; the instants replay with CAIRN_SEED={seed}");
    let mut random = Random(seed * 2 + 1);
    // A network grows with every life, and so does what is checked after each.
    while kills > 0 {
        let these = kills.min(KILLS);
        network(these, &mut random);
        kills -= these;
    }
}

//! The real process under honest and hostile traffic at once, ended and started again and again; then the books are balanced.
//!
//! Laws: everything promised is in the log, as promised, after every restart; nothing forged, foreign, mistimed or malformed
//! ever is; every attack gets one of the answers that it may get; no checkpoint shrinks or forks; the audit passes; the
//! views are what the log implies; every epoch's money balances; the process's counters are the senders'; memory stays flat.
//!
//! The short form runs with the other tests. `cargo xtask soak --minutes 60` runs the long one on a release build:
//! `CAIRN_SOAK_MINUTES`, `CAIRN_SOAK_RATE` (honest reports a second), `CAIRN_SEED`, and `CAIRN_SOAK_SUMMARY`, a file for the
//! summary as JSON. The seed decides everything that the senders and the executioner decide: who sends what in which order,
//! what is mutated where, after how many requests a life ends and how. What the machine makes of it in time it does not
//! decide: which request is under way when the process dies differs from run to run.

// What the process holds is read from /proc, and clients come from all of 127.0.0.0/8.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)]

mod books;
mod device;
mod errands;
mod honest;
mod hostile;
mod network;
mod plan;
mod run;
mod server;
mod settle;
mod stage;
mod summary;
// The fixture of the other harnesses; this one looks at more of the process, and starts it by itself.
#[allow(dead_code)]
#[path = "../process/up.rs"]
mod up;
mod verify;
mod watch;
mod wire;
#[path = "../kill/witness.rs"]
mod witness;

use plan::Plan;

#[test]
fn the_books_balance_after_honest_and_hostile_traffic_with_restarts() {
    let plan = Plan::of_environment();
    let folder = tempfile::Builder::new().prefix("cairn-soak-").tempdir().unwrap();
    eprintln!("soak: the traffic replays with CAIRN_SEED={}; in {}", plan.seed, folder.path().display());
    let mut summary = run::run(&plan, folder.path());
    if !summary.passed {
        summary.kept = Some(folder.keep().display().to_string());
    }
    if let Ok(path) = std::env::var("CAIRN_SOAK_SUMMARY") {
        std::fs::write(path, serde_json::to_string_pretty(&summary).unwrap()).unwrap();
    }
    eprintln!("{}", summary.text(&plan));
    assert!(summary.passed, "{} things are wrong; the first: {}", summary.wrong.len(), summary.wrong[0]);
}

//! How much memory a node takes: a real process under steady load, its highest mark as the kernel counts it.

use std::io::Write;
use std::time::Duration;

use cairn_client::Client;

use crate::life::{Running, node, until};

/// What a node may take, in KiB: 20 MiB. A build with debug assertions is larger, and most of what counts are pages of the program
/// that were touched; so much more is allowed there.
const MEMORY_KIB_MAX: u64 = if cfg!(debug_assertions) { 28 << 10 } else { 20 << 10 };
/// Lines for each round, and rounds.
const LINES: u64 = 2_000;
const ROUNDS: u64 = 5;

/// The highest mark of a process's memory, in KiB.
fn high_mark_kib(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

#[test]
fn a_node_under_steady_load_takes_less_than_it_may() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let (up, _) = node(folder);
    let client = Client::at(&up.url).unwrap();
    let running = Running::start(folder);
    for _ in 0..ROUNDS {
        let before = client.health().unwrap().size;
        let mut file = std::fs::OpenOptions::new().append(true).create(true).open(folder.join("air.txt")).unwrap();
        let lines: String = (0..LINES).map(|line| format!("{}\n", 400 + line % 100)).collect();
        file.write_all(lines.as_bytes()).unwrap();
        until(folder, "reports of this round", || client.health().unwrap().size > before);
        std::thread::sleep(Duration::from_millis(1_200));
    }
    let kib = high_mark_kib(running.id());
    println!("a node that measures: {kib} KiB at most");
    assert_eq!(running.end(), 0);
    assert!(kib < MEMORY_KIB_MAX, "{kib} KiB");
    drop(up);
}

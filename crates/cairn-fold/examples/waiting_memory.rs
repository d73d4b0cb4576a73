//! What a report costs in memory while it waits for its epoch to close: folds signed reports of simulated devices and reads
//! from the kernel what the process holds resident.
//!
//! `cargo run --release -p cairn-fold --example waiting_memory -- 400000`. Linux only. Reports hold one reading each, from
//! two hundred devices. HTTP, the log, and the names that the ledger keeps are not here: `cairn bench ingest` measures those
//! with it.

use cairn_core::entry::{Entry, EntryKind};
use cairn_core::report::Report;
use cairn_fold::{Checked, Claimed, verify_all};
use cairn_merkle::tree::leaf_hash;
use cairn_testkit::network::{MemoryNetwork, SeededDevice, Terms};
use rayon::prelude::*;

type Failure = Box<dyn std::error::Error>;

/// Reports made at a time, so that those not yet folded weigh little.
const AT_A_TIME: u64 = 4_096;
const DEVICES: u8 = 200;

fn main() -> Result<(), Failure> {
    let reports: u64 = std::env::args().nth(1).map_or(Ok(400_000), |text| text.parse())?;
    let mut network = MemoryNetwork::daily(Terms::default());
    let devices = network.enrol_grid(DEVICES);
    // What is made anew each time is there before it is measured.
    fold(&mut network, &devices, 0..AT_A_TIME)?;
    let before_kib = resident_kib("VmRSS")?;
    let mut from = AT_A_TIME;
    while from < AT_A_TIME + reports {
        let to = (AT_A_TIME + reports).min(from + AT_A_TIME);
        fold(&mut network, &devices, from..to)?;
        from = to;
    }
    let held_kib = resident_kib("VmRSS")?.saturating_sub(before_kib);
    let waiting = network.fold.open_reports_count();
    println!("{waiting} reports wait: {held_kib} KiB more, {} bytes for each", held_kib * 1_024 / reports);
    Ok(())
}

/// Folds some reports; each must be valid.
fn fold(network: &mut MemoryNetwork, devices: &[SeededDevice], range: core::ops::Range<u64>) -> Result<(), Failure> {
    let one = |number: u64| -> Result<Vec<u8>, core::num::TryFromIntError> {
        let device = usize::try_from(number)? % devices.len();
        let seq = u32::try_from(number / devices.len() as u64)?;
        Ok(network.report(&devices[device], seq, network.now_ms, 150))
    };
    let made: Vec<Vec<u8>> = range.into_par_iter().map(one).collect::<Result<_, _>>()?;
    let state = network.fold.state();
    let mut claimed = Vec::new();
    for bytes in &made {
        let report = Report::parse(bytes)?;
        let key = *state.key_of(&report.device()).ok_or("every device is enrolled")?;
        claimed.push((key, report.to_be_signed(&network.id), report.sign1.signature));
    }
    let each: Vec<Claimed<'_>> =
        claimed.iter().map(|(key, message, signature)| Claimed { key, message, signature }).collect();
    let checked: Vec<Checked> =
        claimed.iter().zip(verify_all(&each)).map(|((key, ..), holds)| Checked { key: *key, holds }).collect();
    for (body, checked) in made.iter().zip(checked) {
        let entry = Entry { kind: EntryKind::Report, received_ms: network.now_ms, body };
        let folded = network.fold.push(leaf_hash(&entry.encode()), &entry, Some(checked))?;
        folded.effect.map_err(|refusal| refusal.to_string())?;
    }
    Ok(())
}

/// A line of the kernel's account of this process, in KiB.
fn resident_kib(what: &str) -> Result<u64, Failure> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix(what)?.strip_prefix(':'));
    let text = line.and_then(|line| line.trim().strip_suffix(" kB")).ok_or("the kernel does not say")?;
    Ok(text.trim().parse()?)
}

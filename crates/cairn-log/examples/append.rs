//! Appends batches of entries to a log in a temporary folder and prints how fast: `append [ENTRIES] [BATCH...]`.
//!
//! One writer, 250-byte entries, a checkpoint each second as the gateway does; once with room taken ahead and once without.
//! A batch counts when [`Log::append`] has returned, that is when two syncs have; the time of each is kept. The median
//! and the 99th percentile are in microseconds.

use std::sync::Arc;
use std::time::{Duration, Instant};

use cairn_core::ed25519::SigningKey;
use cairn_log::{Log, LogOptions, StdDisk};
use cairn_merkle::NoteSigner;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1).map(|text| text.parse::<u64>());
    let entries = arguments.next().transpose()?.unwrap_or(200_000);
    let batches = arguments.collect::<Result<Vec<u64>, _>>()?;
    let batches = if batches.is_empty() { vec![1, 16, 256, 1_000, 4_096] } else { batches };
    println!("batch,reserved,entries,entries_per_s,append_p50_us,append_p99_us");
    for batch in batches {
        for reserve_bytes in [LogOptions::default().reserve_bytes, 0] {
            measure(entries, batch, LogOptions { reserve_bytes, ..LogOptions::default() })?;
        }
    }
    Ok(())
}

fn measure(entries: u64, batch: u64, options: LogOptions) -> Result<(), Box<dyn std::error::Error>> {
    // Small batches are bound by the disk: fewer of them tell as much.
    let batches = (entries / batch).clamp(1, 4_000);
    let folder = tempfile::tempdir()?;
    let (mut log, _) = Log::open(Arc::new(StdDisk::create(folder.path())?), options)?;
    let signer = NoteSigner::new("log.example", SigningKey::from_seed([3; 32]))?;
    let mut times = Vec::new();
    let (start, mut published) = (Instant::now(), Instant::now());
    for number in 0..batches {
        let first = number * batch;
        let entries: Vec<Vec<u8>> = (first..first + batch).map(entry).collect();
        let before = Instant::now();
        log.append(&entries)?;
        times.push(before.elapsed());
        if published.elapsed() > Duration::from_secs(1) {
            log.publish_checkpoint(&signer, &[])?;
            published = Instant::now();
        }
    }
    let us = start.elapsed().as_micros().max(1);
    times.sort_unstable();
    let at = |per_cent: usize| times[(times.len() - 1) * per_cent / 100].as_micros();
    let (size, rate) = (log.size(), u128::from(log.size()) * 1_000_000 / us);
    println!("{batch},{},{size},{rate},{},{}", options.reserve_bytes, at(50), at(99));
    Ok(())
}

fn entry(index: u64) -> Vec<u8> {
    index.to_be_bytes().repeat(32).split_off(6)
}

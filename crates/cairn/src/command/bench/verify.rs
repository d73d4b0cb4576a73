//! The least that ingest could cost: verifying the very same signatures, in batches, and nothing else.

use std::time::{Duration, Instant};

use cairn_core::NetworkId;
use cairn_core::ed25519::{BatchItem, Signature, VerifyingKey, verify_batch};
use cairn_core::key::PublicKey;
use cairn_core::report::Report;

use super::fleet::{Fleet, spread, threads};
use super::usage::cpu_of_this_thread;
use crate::failure::Failure;

/// Signatures in one batch, as many as the gateway takes together.
const BATCH: usize = 512;

/// What verifying alone took.
#[derive(Debug, Clone, Copy)]
pub struct Verified {
    /// Signatures verified.
    pub count: u64,
    /// From the first to the last, on all cores.
    pub wall: Duration,
    /// CPU time of all threads, where the system tells it.
    pub cpu: Option<Duration>,
}

struct Item {
    key: PublicKey,
    message: Vec<u8>,
    signature: Signature,
}

/// Verifies the signatures of `reports`, each with the number of its device, on all cores, over and over for at least
/// `least`.
///
/// # Errors
/// When a report that was made here is none, or does not verify.
pub fn measure(
    fleet: &Fleet,
    network: &NetworkId,
    reports: &[(usize, Vec<u8>)],
    least: Duration,
) -> Result<Verified, Failure> {
    let wrong = |what: String| Failure::failed("NET-BENCH", format!("a report that was made here: {what}"));
    let mut items = Vec::with_capacity(reports.len());
    for (device, bytes) in reports {
        let report = Report::parse(bytes).map_err(|error| wrong(error.to_string()))?;
        let key = fleet.public(*device);
        items.push(Item { key, message: report.to_be_signed(network), signature: report.sign1.signature });
    }
    // As the gateway has them: what comes together, side by side where the key is the same.
    for part in items.chunks_mut(BATCH) {
        part.sort_by_cached_key(|item| item.key.multicodec());
    }
    let batches: Vec<&[Item]> = items.chunks(BATCH).collect();
    let start = Instant::now();
    let parts = spread(0..threads(), |range| {
        let before = cpu_of_this_thread();
        let (mut count, mut all_hold) = (0, true);
        for batch in batches.iter().cycle().skip(range.start * batches.len() / threads()) {
            all_hold &= verify(batch);
            count += batch.len() as u64;
            if start.elapsed() >= least {
                break;
            }
        }
        let cpu = before.zip(cpu_of_this_thread()).map(|(before, after)| after.saturating_sub(before));
        (count, cpu, all_hold)
    });
    let wall = start.elapsed();
    if !parts.iter().all(|(_, _, all_hold)| *all_hold) {
        return Err(wrong("its signature does not verify".to_owned()));
    }
    let cpu = parts.iter().map(|(_, cpu, _)| *cpu).sum();
    Ok(Verified { count: parts.iter().map(|(count, ..)| count).sum(), wall, cpu })
}

fn verify(batch: &[Item]) -> bool {
    let mut all_hold = true;
    let mut ed25519: Vec<BatchItem<'_>> = Vec::with_capacity(batch.len());
    let keys: Vec<Option<&VerifyingKey>> = batch
        .iter()
        .map(|item| match &item.key {
            PublicKey::Ed25519(key) => Some(key),
            PublicKey::P256(_) => None,
        })
        .collect();
    for (item, key) in batch.iter().zip(keys) {
        match key {
            Some(key) => ed25519.push(BatchItem { key, message: &item.message, signature: &item.signature }),
            None => all_hold &= item.key.verify(&item.message, &item.signature),
        }
    }
    all_hold & verify_batch(&ed25519).into_iter().all(|holds| holds)
}

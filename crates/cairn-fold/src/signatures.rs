//! Report signatures, many at once: what makes ingest and audits as fast as the cryptography.
//!
//! A batch is checked against the keys that the devices have *before* it. Should a key change inside the batch, `admit`
//! sees that the key is another and checks that signature itself; so batching never changes a verdict.

use cairn_core::ed25519::{BatchItem, Signature, VerifyingKey, verify_batch};
use cairn_core::entry::EntryKind;
use cairn_core::key::PublicKey;
use cairn_core::report::Report;
use rayon::prelude::*;

use crate::admit::{Checked, report_key};
use crate::state::State;

/// Signatures per batch: past this the gain per signature is small, and smaller batches spread better over cores.
const BATCH: usize = 512;

struct Ed25519Item {
    at: usize,
    key: VerifyingKey,
    message: Vec<u8>,
    signature: Signature,
}

/// Checks the signatures of those entries that are reports of known devices; `None` for every other entry.
///
/// Uses the current rayon pool. The answer does not depend on it.
#[must_use]
pub fn check_reports<B: AsRef<[u8]> + Sync>(state: &State, entries: &[(EntryKind, B)]) -> Vec<Option<Checked>> {
    let Some(network) = &state.network else { return vec![None; entries.len()] };
    let parsed: Vec<Option<(PublicKey, Vec<u8>, Signature)>> = entries
        .par_iter()
        .with_min_len(64)
        .map(|(kind, body)| {
            if *kind != EntryKind::Report {
                return None;
            }
            let report = Report::parse(body.as_ref()).ok()?;
            let key = *report_key(state, &report)?;
            Some((key, report.to_be_signed(&network.id), report.sign1.signature))
        })
        .collect();
    let mut checked = vec![None; entries.len()];
    let mut ed25519 = Vec::new();
    let mut p256 = Vec::new();
    for (at, item) in parsed.into_iter().enumerate() {
        match item {
            Some((PublicKey::Ed25519(key), message, signature)) => {
                ed25519.push(Ed25519Item { at, key, message, signature });
            }
            Some((key @ PublicKey::P256(_), message, signature)) => p256.push((at, key, message, signature)),
            None => {}
        }
    }
    // Side by side, the signatures of one key share a term of the batch's equation.
    ed25519.sort_by(|a, b| a.key.as_bytes().cmp(b.key.as_bytes()));
    let holds: Vec<Vec<bool>> = ed25519.par_chunks(BATCH).map(check_batch).collect();
    for (item, holds) in ed25519.iter().zip(holds.into_iter().flatten()) {
        checked[item.at] = Some(Checked { key: PublicKey::Ed25519(item.key), holds });
    }
    let singles: Vec<(usize, Checked)> = p256
        .par_iter()
        .map(|(at, key, message, signature)| (*at, Checked { key: *key, holds: key.verify(message, signature) }))
        .collect();
    for (at, single) in singles {
        checked[at] = Some(single);
    }
    checked
}

fn check_batch(items: &[Ed25519Item]) -> Vec<bool> {
    let batch: Vec<BatchItem<'_>> = items
        .iter()
        .map(|item| BatchItem { key: &item.key, message: &item.message, signature: &item.signature })
        .collect();
    verify_batch(&batch)
}

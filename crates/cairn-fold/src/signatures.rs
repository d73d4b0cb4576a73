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

/// Single checks per piece of work.
const SINGLES: usize = 16;

/// A signature that somebody is said to have made.
#[derive(Debug, Clone, Copy)]
pub struct Claimed<'a> {
    /// By whom.
    pub key: &'a PublicKey,
    /// Over what.
    pub message: &'a [u8],
    /// The signature.
    pub signature: &'a Signature,
}

/// Checks the signatures of those entries that are reports of known devices; `None` for every other entry.
///
/// Uses the current rayon pool. The answer does not depend on it.
#[must_use]
pub fn check_reports<B: AsRef<[u8]> + Sync>(state: &State, entries: &[(EntryKind, B)]) -> Vec<Option<Checked>> {
    let Some(network) = &state.network else { return vec![None; entries.len()] };
    let read: Vec<Option<(&PublicKey, Vec<u8>, Signature)>> = entries
        .par_iter()
        .with_min_len(64)
        .map(|(kind, body)| {
            if *kind != EntryKind::Report {
                return None;
            }
            let report = Report::parse(body.as_ref()).ok()?;
            Some((report_key(state, &report)?, report.to_be_signed(&network.id), report.sign1.signature))
        })
        .collect();
    let claimed: Vec<Claimed<'_>> =
        read.iter().flatten().map(|(key, message, signature)| Claimed { key, message, signature }).collect();
    let mut holds = verify_all(&claimed).into_iter();
    read.iter()
        .map(|one| one.as_ref().and_then(|(key, ..)| Some(Checked { key: **key, holds: holds.next()? })))
        .collect()
}

/// Whether each signature holds.
///
/// Uses the current rayon pool for more than one batch of them. The answer does not depend on it.
#[must_use]
pub fn verify_all(claimed: &[Claimed<'_>]) -> Vec<bool> {
    let mut holds = vec![false; claimed.len()];
    let mut ed25519: Vec<(&VerifyingKey, usize)> = Vec::with_capacity(claimed.len());
    let mut singles = Vec::new();
    for (at, one) in claimed.iter().enumerate() {
        match one.key {
            PublicKey::Ed25519(key) => ed25519.push((key, at)),
            PublicKey::P256(_) => singles.push(at),
        }
    }
    // Side by side, the signatures of one key share a term of the batch's equation.
    ed25519.sort_by(|(one, _), (other, _)| one.as_bytes().cmp(other.as_bytes()));
    let batch = |part: &[(&VerifyingKey, usize)]| check_batch(claimed, part);
    let verdicts: Vec<Vec<bool>> =
        if ed25519.len() <= BATCH { vec![batch(&ed25519)] } else { ed25519.par_chunks(BATCH).map(batch).collect() };
    for ((_, at), verdict) in ed25519.iter().zip(verdicts.into_iter().flatten()) {
        holds[*at] = verdict;
    }
    let single = |at: &usize| (*at, claimed[*at].key.verify(claimed[*at].message, claimed[*at].signature));
    let singles: Vec<(usize, bool)> = if singles.len() <= SINGLES {
        singles.iter().map(single).collect()
    } else {
        singles.par_iter().with_min_len(SINGLES).map(single).collect()
    };
    for (at, verdict) in singles {
        holds[at] = verdict;
    }
    holds
}

fn check_batch(claimed: &[Claimed<'_>], part: &[(&VerifyingKey, usize)]) -> Vec<bool> {
    let batch: Vec<BatchItem<'_>> = part
        .iter()
        .map(|&(key, at)| BatchItem { key, message: claimed[at].message, signature: claimed[at].signature })
        .collect();
    verify_batch(&batch)
}

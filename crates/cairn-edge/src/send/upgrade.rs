//! From promises to receipts: what the log shows at a promised index, checked with nothing but the log's key.

use cairn_core::Hash;
use cairn_core::entry::{Entry, EntryKind};
use cairn_core::report::Report;
use cairn_merkle::Receipt;
use cairn_merkle::tree::leaf_hash;

use super::gateway::{Gateway, Keys, Trouble};
use super::keep::{Broken, KeptPromise, KeptReceipt, Promised};

/// What became of a promised report.
pub(super) enum Upgraded {
    /// It stands where it was promised.
    Receipt(KeptReceipt),
    /// No checkpoint covers it yet.
    NotYet,
    /// Something else stands there, or was promised in its place.
    Broken(Box<Broken>),
}

/// When the network received a report that was promised the leaf `leaf`: the only thing of its entry that its sender does not
/// know. It was about `around_ms`; at most `reach_ms` from there.
pub(super) fn received(report: &[u8], leaf: Hash, around_ms: u64, reach_ms: u64) -> Option<u64> {
    let is = |received_ms: &u64| leaf_hash(&entry_of(report, *received_ms)) == leaf;
    (0..=reach_ms).flat_map(|off| [around_ms.checked_add(off), around_ms.checked_sub(off)]).flatten().find(is)
}

fn entry_of(report: &[u8], received_ms: u64) -> Vec<u8> {
    Entry { kind: EntryKind::Report, received_ms, body: report }.encode()
}

/// Whether an entry is a report with the payload of `report`: another signature may stand in the log.
fn is_of(entry: &[u8], report: &[u8]) -> bool {
    let Ok(entry) = Entry::decode(entry) else { return false };
    if entry.kind != EntryKind::Report {
        return false;
    }
    match (Report::parse(entry.body), Report::parse(report)) {
        (Ok(logged), Ok(own)) => logged.sign1.payload == own.sign1.payload && logged.sign1.key_id == own.sign1.key_id,
        _ => false,
    }
}

/// Asks a gateway for the receipt of a promised report.
pub(super) fn upgrade(
    gateway: &mut dyn Gateway,
    keys: &Keys,
    promise: &KeptPromise,
    report: &Promised,
    leaf: Hash,
) -> Result<Upgraded, Trouble> {
    let index = report.index;
    let wrong = |what: &str| Trouble::of("EDGE-PROOF", format!("entry {index}: {what}"));
    let Some(proof) = gateway.proof(index)? else { return Ok(Upgraded::NotYet) };
    let receipt: Receipt = proof.parse().map_err(|error| wrong(&format!("{error}")))?;
    if receipt.index != index {
        return Err(wrong("its proof is for another index"));
    }
    let leads = |leaf: Hash| receipt.verify(leaf, &keys.log, &[]).is_ok();
    let own = report.received_ms.map(|received_ms| entry_of(&report.report, received_ms));
    let own = own.filter(|entry| leaf_hash(entry) == leaf && leads(leaf));
    let entry = match own {
        Some(entry) => entry,
        None => match gateway.entry(index)? {
            Some(entry) => entry,
            None => return Ok(Upgraded::NotYet),
        },
    };
    let found = leaf_hash(&entry);
    if !leads(found) {
        return Err(wrong("its proof does not lead to a checkpoint that the log signed"));
    }
    if found == leaf && is_of(&entry, &report.report) {
        return Ok(Upgraded::Receipt(KeptReceipt { boot: report.boot, seq: report.seq, index, entry, proof }));
    }
    Ok(Upgraded::Broken(Box::new(Broken { note: promise.note.clone(), report: report.clone(), entry, proof })))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_of_receipt_is_found_where_it_is_near_and_nowhere_else() {
        let leaf = leaf_hash(&entry_of(b"report", 1_000_000));
        for (around_ms, reach_ms, found) in
            [(1_000_000, 0, true), (999_500, 500, true), (1_000_500, 499, false), (0, 10, false), (u64::MAX, 3, false)]
        {
            let expected = found.then_some(1_000_000);
            assert_eq!(received(b"report", leaf, around_ms, reach_ms), expected, "{around_ms} {reach_ms}");
        }
        assert_eq!(received(b"other", leaf, 1_000_000, 10), None);
    }
}

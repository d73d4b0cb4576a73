//! An operator whose gateway promised an index to one leaf, and whose log, or next promise, gives it to another.
//!
//! A promise names the network's id and is signed by the promise key of that network's genesis, so it cannot be held
//! against another network, and the checkpoint must be signed by the log key of the same genesis. Indices that no
//! checkpoint reaches are not broken: the log has not said what stands there, and no signed time says that it should have.

use cairn_core::Hash;
use cairn_merkle::{Promise, Receipt, SignedCheckpoint};

use crate::network::Founded;
use crate::{Accusation, Culprit, Evidence, EvidenceError, Finding, Kind};

/// A promise, and another leaf at a promised index of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrokenPromise {
    /// The promise: a signed note.
    pub promise: String,
    /// The signed checkpoint of a log that reaches the index.
    pub checkpoint: String,
    /// The index.
    pub index: u64,
    /// The leaf hash that the log has there.
    pub leaf: Hash,
    /// The hashes from that leaf's sibling up to the checkpoint's root.
    pub proof: Vec<Hash>,
}

/// Two promises, or one, with two leaves at one index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TwoPromises {
    /// The promise whose note comes first bytewise.
    pub first: String,
    /// The other; the same one if it contradicts itself.
    pub second: String,
    /// The index.
    pub index: u64,
}

impl Evidence {
    /// Evidence that a promise was broken: `receipt` shows that the log has the leaf `leaf` at an index that was promised
    /// to another.
    ///
    /// # Errors
    /// [`EvidenceError`] when it would prove nothing.
    pub fn broken_promise(genesis: &[u8], promise: &str, receipt: &Receipt, leaf: Hash) -> Result<Self, EvidenceError> {
        let broken = BrokenPromise {
            promise: promise.to_owned(),
            checkpoint: receipt.checkpoint.clone(),
            index: receipt.index,
            leaf,
            proof: receipt.proof.clone(),
        };
        Self::proven(genesis, Accusation::BrokenPromise(broken))
    }

    /// Evidence that two promises (or twice the same) give one index to two leaves.
    ///
    /// # Errors
    /// [`EvidenceError`] when it would prove nothing.
    pub fn two_promises(genesis: &[u8], one: &str, other: &str) -> Result<Self, EvidenceError> {
        let network = Founded::by(genesis)?;
        let (first, second) = if one <= other { (one, other) } else { (other, one) };
        let (left, right) = (open(&network, first)?, open(&network, second)?);
        let index = first_contradicted(&left, &right).ok_or_else(|| EvidenceError::Consistent {
            reason: "the two promises give no index to two leaves".to_owned(),
        })?;
        let two = TwoPromises { first: first.to_owned(), second: second.to_owned(), index };
        Self::proven(genesis, Accusation::TwoPromises(two))
    }
}

fn open(network: &Founded, note: &str) -> Result<Promise, EvidenceError> {
    let refuse = |source| EvidenceError::Note { what: "promise", source };
    let promise = Promise::open(note, &network.promises).map_err(refuse)?;
    if promise.network == network.id.0 {
        return Ok(promise);
    }
    let reason = "it was made for another network than the genesis is of";
    Err(refuse(cairn_merkle::MerkleError::Promise { reason }))
}

/// The lowest index that both promises name, and that they give to more than one leaf. Sorts their entries once: promises
/// may be long, and hostile.
fn first_contradicted(first: &Promise, second: &Promise) -> Option<u64> {
    let named = |promise: &Promise, is_second: bool| -> Vec<(u64, Hash, bool)> {
        promise.entries.iter().map(|&(index, leaf)| (index, leaf, is_second)).collect()
    };
    let mut all = [named(first, false), named(second, true)].concat();
    all.sort_unstable();
    let mut indices = all.chunk_by(|one, next| one.0 == next.0);
    let contradicted = indices.find(|same| {
        let is_by_both = same.iter().any(|entry| entry.2) && same.iter().any(|entry| !entry.2);
        is_by_both && same.first().map(|entry| entry.1) != same.last().map(|entry| entry.1)
    });
    contradicted.and_then(|same| same.first()).map(|entry| entry.0)
}

/// A leaf that the first promise gives an index to, and another one that the second does. Looks at each entry once, or
/// twice: a promise may be long, and hostile.
fn contradiction(first: &Promise, second: &Promise, index: u64) -> Option<(Hash, Hash)> {
    let at = |promise: &Promise| promise.entries.iter().find(|(at, _)| *at == index).map(|(_, leaf)| *leaf);
    let (one, other) = (at(first)?, at(second)?);
    match second.broken_by(index, one) {
        Some(against) => Some((one, against)),
        // All of the second are the first's first.
        None => first.broken_by(index, other).map(|one| (one, other)),
    }
}

impl BrokenPromise {
    pub(crate) fn check(&self, network: &Founded) -> Result<Finding, EvidenceError> {
        let promise = open(network, &self.promise)?;
        let signed = SignedCheckpoint::open(&self.checkpoint, &network.log, &[])
            .map_err(|source| EvidenceError::Note { what: "checkpoint", source })?;
        let (size, root) = (signed.checkpoint.size(), signed.checkpoint.root());
        cairn_merkle::proof::verify_inclusion(self.leaf, self.index, size, root, &self.proof)
            .map_err(|source| EvidenceError::Proof { what: "leaf", source })?;
        let Self { index, leaf, .. } = self;
        let promised = promise.broken_by(*index, *leaf).ok_or_else(|| EvidenceError::Consistent {
            reason: match promise.entries.iter().any(|(promised, _)| promised == index) {
                true => format!("the log has the very leaf at index {index} that was promised"),
                false => format!("index {index} was not promised to anything"),
            },
        })?;
        let origin = &network.genesis.origin;
        let sentence = format!(
            "the operator of {origin} promised index {index} to leaf {promised}, and its log of {size} entries holds \
             leaf {leaf} there"
        );
        let guilty = vec![Culprit::Promises(network.promises.clone()), Culprit::Log(network.log.clone())];
        Ok(Finding { network: network.id, kind: Kind::BrokenPromise, guilty, sentence, on_word_of: Vec::new() })
    }
}

impl TwoPromises {
    pub(crate) fn check(&self, network: &Founded) -> Result<Finding, EvidenceError> {
        if self.first > self.second {
            return Err(EvidenceError::Order { rule: "the promise whose note is lower bytewise comes first" });
        }
        let (first, second) = (open(network, &self.first)?, open(network, &self.second)?);
        let index = self.index;
        let (one, other) = contradiction(&first, &second, index).ok_or_else(|| EvidenceError::Consistent {
            reason: format!("index {index} was not promised to two leaves"),
        })?;
        let origin = &network.genesis.origin;
        let sentence = format!("the operator of {origin} promised index {index} to leaf {one} and to leaf {other}");
        let guilty = vec![Culprit::Promises(network.promises.clone())];
        Ok(Finding { network: network.id, kind: Kind::TwoPromises, guilty, sentence, on_word_of: Vec::new() })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn promise(entries: Vec<(u64, u8)>) -> Promise {
        let entries = entries.into_iter().map(|(index, leaf)| (index, Hash([leaf; 32]))).collect();
        Promise { network: Hash::ZERO, entries }
    }

    proptest! {
        #[test]
        fn the_index_found_is_the_lowest_that_looking_at_each_one_finds(
            first in proptest::collection::vec((0u64..12, 0u8..3), 0..12),
            second in proptest::collection::vec((0u64..12, 0u8..3), 0..12),
        ) {
            let (first, second) = (promise(first), promise(second));
            let each = (0..12).find(|index| contradiction(&first, &second, *index).is_some());
            prop_assert_eq!(first_contradicted(&first, &second), each);
        }
    }

    #[test]
    fn a_promise_that_contradicts_itself_everywhere_and_another_nowhere_is_gone_through_once() {
        // Looking at each index by itself would take 60,000 * 60,000 steps.
        let hostile = promise((0..30_000).flat_map(|index| [(index, 1), (index, 2)]).collect());
        assert_eq!(first_contradicted(&hostile, &promise(vec![(40_000, 1)])), None);
        assert_eq!(first_contradicted(&hostile, &promise(vec![(29_999, 1)])), Some(29_999));
    }
}

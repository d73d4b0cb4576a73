//! What requests are told once their entries are durable: answers, and promises over them.
//!
//! A promise is one signature, which costs as much as checking two reports. So requests with few entries that became
//! durable together get the same note, over all of their entries: it binds the operator to each of them as one of its own
//! would. The log is public, and so is what others are promised.

use cairn_core::{Hash, NetworkId};
use cairn_log::LogError;
use cairn_merkle::{NoteSigner, Promise};

use crate::LedgerError;
use crate::sequencer::{Answer, Receipted};

/// The most entries of a note that several requests share: each of them carries all lines, so that more would cost more
/// to send than it saves to sign.
pub const SHARED_ENTRIES_MAX: usize = 16;

/// Signs promises for a network.
pub(crate) struct Notary {
    network: NetworkId,
    signer: NoteSigner,
}

/// A request's answers, and the entries among them.
struct Told {
    answers: Vec<Answer>,
    entries: Vec<(u64, Hash)>,
}

impl Notary {
    pub fn of(network: NetworkId, signer: NoteSigner) -> Self {
        Self { network, signer }
    }

    /// The receipts of requests that became durable together, in a log of `size` entries.
    ///
    /// # Errors
    /// When a promise would be too long.
    pub fn receipts(&self, all: Vec<Vec<Answer>>, size: u64) -> Result<Vec<Receipted>, LedgerError> {
        let mut receipts = Vec::with_capacity(all.len());
        let mut sharing: Vec<Told> = Vec::new();
        let mut shared = 0;
        for answers in all {
            let entries: Vec<(u64, Hash)> = answers.iter().filter_map(Answer::entry).collect();
            if shared + entries.len() > SHARED_ENTRIES_MAX {
                self.promise(&mut sharing, size, &mut receipts)?;
                shared = 0;
            }
            shared += entries.len();
            sharing.push(Told { answers, entries });
        }
        self.promise(&mut sharing, size, &mut receipts)?;
        Ok(receipts)
    }

    /// One note for all that share it; those without an entry are promised nothing.
    fn promise(&self, sharing: &mut Vec<Told>, size: u64, out: &mut Vec<Receipted>) -> Result<(), LedgerError> {
        let entries: Vec<(u64, Hash)> = sharing.iter().flat_map(|told| told.entries.iter().copied()).collect();
        let note = if entries.is_empty() {
            String::new()
        } else {
            Promise { network: self.network.0, entries }.sign(&self.signer).map_err(LogError::from)?
        };
        for told in sharing.drain(..) {
            let promise = if told.entries.is_empty() { String::new() } else { note.clone() };
            out.push(Receipted { answers: told.answers, size, promise });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use cairn_core::ed25519::SigningKey;
    use cairn_fold::Refusal;
    use cairn_merkle::promise::promise_key_name;
    use proptest::prelude::*;

    use super::*;

    fn answer(index: u64) -> Answer {
        match index % 5 {
            0 => Answer::Rejected(Refusal { code: "RPT-CLASS", detail: String::new() }),
            1 => Answer::Duplicate { index, leaf: Hash::of(&index.to_be_bytes()) },
            _ => Answer::Accepted { index, leaf: Hash::of(&index.to_be_bytes()) },
        }
    }

    proptest! {
        #[test]
        fn every_request_is_promised_all_of_its_entries_and_only_short_notes_are_shared(
            sizes in proptest::collection::vec(0u64..40, 0..30),
        ) {
            let signer = NoteSigner::new(&promise_key_name("log.example"), SigningKey::from_seed([5; 32])).unwrap();
            let verifier = signer.verifier().clone();
            let network = NetworkId(Hash::of(b"genesis"));
            let mut next = 0;
            let requests: Vec<Vec<Answer>> = sizes
                .iter()
                .map(|size| {
                    next += size;
                    (next - size..next).map(answer).collect()
                })
                .collect();
            let receipts = Notary::of(network, signer).receipts(requests.clone(), 99).unwrap();
            prop_assert_eq!(receipts.len(), requests.len());
            for (receipt, answers) in receipts.iter().zip(requests) {
                let own: Vec<(u64, Hash)> = answers.iter().filter_map(Answer::entry).collect();
                prop_assert_eq!(&receipt.answers, &answers);
                if own.is_empty() {
                    prop_assert_eq!(&receipt.promise, "");
                    continue;
                }
                let promise = Promise::open(&receipt.promise, &verifier).unwrap();
                prop_assert_eq!(promise.network, network.0);
                prop_assert!(own.iter().all(|entry| promise.entries.contains(entry)));
                prop_assert!(promise.entries.len() <= own.len().max(SHARED_ENTRIES_MAX));
            }
        }
    }
}

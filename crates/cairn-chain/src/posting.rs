//! Posting: which epoch a chain waits for, and the call that gives it what it waits for.

use cairn_core::epoch::EpochStatement;
use cairn_core::wallet::recover_evm;
use cairn_settle::{EpochMessage, EvmAddress, calls, message};

use crate::{Call, ChainError, Contracts, Reader};

/// A signature as an auditor published it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    /// The revision that it is over.
    pub revision: u32,
    /// `r || s || v`.
    pub bytes: Vec<u8>,
}

/// What is to be done about an epoch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Posting {
    /// A quorum signed it.
    Ready {
        /// The revision that is posted.
        revision: u32,
        /// Whose signatures go along.
        signers: Vec<EvmAddress>,
        /// The transaction.
        call: Call,
    },
    /// Too few auditors of the set in force have signed.
    Waits {
        /// Who has.
        signed: Vec<EvmAddress>,
        /// How many must.
        threshold: u8,
    },
    /// Its time, or the window of the epoch before it, is not over.
    TooEarly,
}

impl Posting {
    /// What is to be done to post the epoch of a statement, with what auditors published.
    ///
    /// The lowest revision that a quorum signed is posted. Signatures that would not count (strangers', of a set that is not
    /// in force, unbonded) are left out, so that none of them spoils the others. Whether the chain takes it is asked of the
    /// chain: whatever it refuses comes back as its own words, except that it is too early.
    ///
    /// # Errors
    /// [`ChainError`].
    pub fn of(
        reader: &Reader<'_>,
        contracts: &Contracts,
        from: EvmAddress,
        statement: &EpochStatement,
        published: &[Signature],
    ) -> Result<Self, ChainError> {
        let seats = reader.seats()?;
        let threshold = seats.threshold();
        let mut revisions: Vec<u32> = published.iter().map(|signature| signature.revision).collect();
        revisions.sort_unstable();
        revisions.dedup();
        let mut most: Vec<EvmAddress> = Vec::new();
        for revision in revisions {
            let message = EpochMessage::of(statement, revision)?;
            let digest = message.digest(&statement.network);
            let of_revision = published.iter().filter(|signature| signature.revision == revision);
            let mut counted = std::collections::BTreeMap::new();
            for signature in of_revision {
                let Some(signer) = recover_evm(&digest, &signature.bytes) else { continue };
                if !counted.contains_key(&signer) && seats.counts(signer)? {
                    counted.insert(signer, signature.bytes.clone());
                }
            }
            if counted.len() < usize::from(threshold) {
                if counted.len() > most.len() {
                    most = counted.into_keys().collect();
                }
                continue;
            }
            // No more than must: each costs gas.
            let (signers, signatures): (Vec<_>, Vec<_>) = counted.into_iter().take(threshold.into()).unzip();
            let assembled = message::assemble(&digest, &signatures, &signers, threshold.into())?;
            let call = Call::to(contracts.settlement, calls::post(&message, &assembled));
            return match reader.chain().estimate(from, &call) {
                Ok(_) => Ok(Self::Ready { revision, signers, call }),
                Err(ChainError::Reverted { reason }) if reason == "TooEarly" => Ok(Self::TooEarly),
                Err(error) => Err(error),
            };
        }
        Ok(Self::Waits { signed: most, threshold })
    }
}

//! A snapshot: an epoch statement and the state's records after it, in one document.
//!
//! `snapshot = [1, statement: bstr, [record: bstr, ...]]`. It proves itself: the records' root is the statement's state
//! root, and the statement's hash is what auditors signed.

use cairn_core::cbor::{self, CborError, Decoder, Encoder};
use cairn_core::epoch::EpochStatement;
use cairn_core::{Domain, Hash};
use cairn_merkle::claim::{ClaimLeaf, ClaimTree};

use crate::close::{CloseError, claim_leaves, root_of_each};
use crate::fold::FoldError;
use crate::state::State;

/// The version of the snapshot format.
const VERSION: u64 = 1;

/// The most records of a piece.
const PIECE: usize = 1_024;

/// A snapshot, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// The statement.
    pub statement: EpochStatement,
    /// The state's records after it, sorted.
    pub records: Vec<Vec<u8>>,
}

impl Snapshot {
    /// The snapshot's bytes.
    #[must_use]
    pub fn encode(statement: &[u8], records: &[Vec<u8>]) -> Vec<u8> {
        let mut bytes = Vec::new();
        let taken: Result<(), core::convert::Infallible> = Self::encode_into(statement, records, |piece| {
            bytes.extend_from_slice(piece);
            Ok(())
        });
        let Ok(()) = taken;
        bytes
    }

    /// As [`Snapshot::encode`], handed over piece by piece: a snapshot of a million devices is never held twice.
    ///
    /// # Errors
    /// The first that `take` gives; nothing is handed over after it.
    pub fn encode_into<E>(
        statement: &[u8],
        records: &[Vec<u8>],
        mut take: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut out = Encoder::empty();
        out.array(3).uint(VERSION).bytes(statement).array(records.len());
        take(&out.take())?;
        for some in records.chunks(PIECE) {
            for record in some {
                out.bytes(record);
            }
            take(&out.take())?;
        }
        Ok(())
    }

    /// Reads what [`Snapshot::encode`] writes. That the records belong to the statement is checked by
    /// [`crate::Fold::resume`].
    ///
    /// # Errors
    /// [`CborError`].
    pub fn decode(bytes: &[u8]) -> cbor::Result<Self> {
        let mut input = Decoder::over(bytes);
        input.array_exact(3)?;
        let at = input.position();
        if input.uint()? != VERSION {
            return Err(CborError::Range { at, what: "a snapshot version other than 1" });
        }
        let statement = EpochStatement::decode(input.bytes()?)?;
        let count = input.array()?;
        let mut records = Vec::new();
        for _ in 0..count {
            records.push(input.bytes()?.to_vec());
        }
        input.leave();
        input.leave();
        input.end()?;
        Ok(Self { statement, records })
    }

    /// The claims that a settlement chain may be shown for this epoch, in the order of their accounts, each snapshot held to
    /// its statement's state root, and the claims to the statement's claim root. `None` where the statement names no such
    /// chain.
    ///
    /// # Errors
    /// [`FoldError::SnapshotDiffers`], [`FoldError::Snapshot`].
    pub fn claims(&self, domain: &Domain) -> Result<Option<Vec<ClaimLeaf>>, FoldError> {
        let epoch = self.statement.number;
        let differs = |what, found: String, stated: String| FoldError::SnapshotDiffers { epoch, what, found, stated };
        let (root, stated) = (root_of_each(&self.records), self.statement.state_root);
        if root != stated {
            return Err(differs("the state root", root.to_string(), stated.to_string()));
        }
        let Some(row) = self.statement.domains.iter().find(|row| row.domain == *domain) else { return Ok(None) };
        let state = State::from_records(&self.records)?;
        let accounts = state.cumulative.iter().filter(|(account, _)| account.domain() == domain);
        let leaves = claim_leaves(domain, &row.distributor, accounts.map(|(account, amount)| (account, *amount)));
        let tree = ClaimTree::new(&leaves).map_err(|source| CloseError::Claims { epoch, source })?;
        if tree.root() != row.claim_root {
            let (found, stated) = (Hash(tree.root()).to_string(), Hash(row.claim_root).to_string());
            return Err(differs("the claim root", found, stated));
        }
        Ok(Some(leaves))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_the_snapshot_however_many_records_there_are() {
        for count in [0, 1, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE] {
            let records: Vec<Vec<u8>> = (0..count).map(|n| n.to_be_bytes().to_vec()).collect();
            let mut whole = Encoder::empty();
            whole.array(3).uint(VERSION).bytes(b"statement").array(count);
            records.iter().for_each(|record| {
                whole.bytes(record);
            });
            assert_eq!(Snapshot::encode(b"statement", &records), whole.into_bytes(), "{count}");
        }
    }

    #[test]
    fn nothing_is_handed_over_after_an_error() {
        let (records, mut pieces) = (vec![Vec::new(); 5 * PIECE], 0);
        let taken = Snapshot::encode_into(b"statement", &records, |_| {
            pieces += 1;
            if pieces < 3 { Ok(()) } else { Err("full") }
        });
        assert_eq!((taken, pieces), (Err("full"), 3));
    }
}

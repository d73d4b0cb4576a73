//! A snapshot: an epoch statement and the state's records after it, in one document.
//!
//! `snapshot = [1, statement: bstr, [record: bstr, ...]]`. It proves itself: the records' root is the statement's state
//! root, and the statement's hash is what auditors signed.

use cairn_core::cbor::{self, CborError, Decoder, Encoder};
use cairn_core::epoch::EpochStatement;

/// The version of the snapshot format.
const VERSION: u64 = 1;

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
        let mut out = Encoder::empty();
        out.array(3).uint(VERSION).bytes(statement).array(records.len());
        for record in records {
            out.bytes(record);
        }
        out.into_bytes()
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
}

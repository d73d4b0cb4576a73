//! One leaf of the log: `[1, kind, received_ms, body]`, where `body` is the received bytes, never re-encoded.

use crate::cbor::{self, CborError, Decoder, Encoder};

/// The version of the entry format.
pub const ENTRY_VERSION: u64 = 1;

/// The most bytes of an entry beside its body.
const HEAD_BYTES_MAX: usize = 24;

/// What an entry's body is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum EntryKind {
    /// A device's signed report.
    Report,
    /// A signed statement by somebody with rights.
    Statement,
    /// A named observer's signed observation of the outside world.
    Observation,
    /// The statement of a closed epoch.
    Epoch,
}

impl EntryKind {
    /// The number in the format.
    #[must_use]
    pub const fn number(self) -> u64 {
        match self {
            Self::Report => 1,
            Self::Statement => 2,
            Self::Observation => 3,
            Self::Epoch => 4,
        }
    }

    const fn from_number(number: u64) -> Option<Self> {
        match number {
            1 => Some(Self::Report),
            2 => Some(Self::Statement),
            3 => Some(Self::Observation),
            4 => Some(Self::Epoch),
            _ => None,
        }
    }

    /// The word for it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Report => "report",
            Self::Statement => "statement",
            Self::Observation => "observation",
            Self::Epoch => "epoch statement",
        }
    }
}

/// One entry, borrowing its body.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Entry<'a> {
    /// What the body is.
    pub kind: EntryKind,
    /// When the sequencer took it, milliseconds since 1970 UTC; never decreasing along the log.
    pub received_ms: u64,
    /// The received bytes.
    pub body: &'a [u8],
}

impl<'a> Entry<'a> {
    /// The bytes whose leaf hash is in the tree.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Encoder::with_room(self.body.len() + HEAD_BYTES_MAX);
        out.array(4).uint(ENTRY_VERSION).uint(self.kind.number()).uint(self.received_ms).bytes(self.body);
        out.into_bytes()
    }

    /// Reads what [`Entry::encode`] writes.
    ///
    /// # Errors
    /// [`CborError`].
    pub fn decode(bytes: &'a [u8]) -> cbor::Result<Self> {
        let mut input = Decoder::over(bytes);
        input.array_exact(4)?;
        let at = input.position();
        if input.uint()? != ENTRY_VERSION {
            return Err(CborError::Range { at, what: "an entry version other than 1" });
        }
        let at = input.position();
        let kind = EntryKind::from_number(input.uint()?)
            .ok_or(CborError::Range { at, what: "an entry kind other than 1 to 4" })?;
        let entry = Self { kind, received_ms: input.uint()?, body: input.bytes()? };
        input.leave();
        input.end()?;
        Ok(entry)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_round_trip_and_have_one_form() {
        let entry = Entry { kind: EntryKind::Report, received_ms: 1_700_000_000_000, body: b"body" };
        let bytes = entry.encode();
        assert_eq!(data_encoding::HEXLOWER.encode(&bytes), "8401011b0000018bcfe5680044626f6479");
        assert_eq!(Entry::decode(&bytes), Ok(entry));
        for (at, value, why) in [(1, 2, "version"), (2, 0, "kind 0"), (2, 5, "kind 5"), (0, 0x85, "array of five")] {
            let mut changed = bytes.clone();
            changed[at] = value;
            assert!(Entry::decode(&changed).is_err(), "{why}");
        }
    }
}

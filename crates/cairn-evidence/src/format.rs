//! The bytes: one deterministic CBOR array, `["cairn/evidence/1", kind, genesis payload, [material]]`.
//!
//! Notes are byte strings, because a note's dashes are not ASCII. What is read is bounded before it is kept.

use cairn_core::Hash;
use cairn_core::cbor::{self, CborError, Decoder, Encoder};
use cairn_core::report::REPORT_BYTES_MAX;
use cairn_core::statement::STATEMENT_BYTES_MAX;
use cairn_merkle::note::NOTE_BYTES_MAX;

use crate::fork::LeafUnder;
use crate::{
    Accusation, BrokenPromise, CHAIN_MAX, CHECKPOINT_BYTES_MAX, Conflict, EVIDENCE_BYTES_MAX, Equivocation, Evidence,
    EvidenceError, FORMAT, Fork, Kind, TwoLeaves, TwoPromises,
};

/// A tree of 2^64 leaves needs at most so many hashes in a proof of either sort.
const PROOF_HASHES_MAX: usize = 65;
/// The most bytes of a vkey: a name of 255 bytes, an id, a key in base64.
const VKEY_BYTES_MAX: usize = 400;
/// The most bytes of a multicodec key.
const KEY_BYTES_MAX: usize = 35;

impl Evidence {
    /// The bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Encoder::empty();
        out.array(4).text(FORMAT).uint(self.accusation.kind().number()).bytes(&self.genesis);
        match &self.accusation {
            Accusation::Conflict(conflict) => {
                out.array(4).bytes(&conflict.key).array(conflict.chain.len());
                for statement in &conflict.chain {
                    out.bytes(statement);
                }
                out.bytes(&conflict.first).bytes(&conflict.second);
            }
            Accusation::BrokenPromise(broken) => {
                out.array(5).bytes(broken.promise.as_bytes()).bytes(broken.checkpoint.as_bytes());
                out.uint(broken.index).bytes(&broken.leaf.0);
                write_hashes(&mut out, &broken.proof);
            }
            Accusation::Fork(fork) => {
                out.array(4);
                write_fork(&mut out, fork);
            }
            Accusation::TwoLeaves(two) => {
                out.array(7).uint(two.index);
                for leaf in [&two.first, &two.second] {
                    out.bytes(&leaf.leaf.0).bytes(leaf.checkpoint.as_bytes());
                    write_hashes(&mut out, &leaf.proof);
                }
            }
            Accusation::TwoPromises(two) => {
                out.array(3).bytes(two.first.as_bytes()).bytes(two.second.as_bytes()).uint(two.index);
            }
            Accusation::Equivocation(equivocation) => {
                out.array(5).bytes(equivocation.witness.as_bytes());
                write_fork(&mut out, &equivocation.fork);
            }
        }
        out.into_bytes()
    }

    /// Reads what [`Evidence::encode`] writes. Proves nothing until [`Evidence::check`].
    ///
    /// # Errors
    /// [`EvidenceError::TooLarge`], [`EvidenceError::Format`], [`EvidenceError::Kind`], [`EvidenceError::Cbor`].
    pub fn decode(bytes: &[u8]) -> Result<Self, EvidenceError> {
        if bytes.len() > EVIDENCE_BYTES_MAX {
            return Err(EvidenceError::TooLarge { bytes: bytes.len() });
        }
        let mut input = Decoder::over(bytes);
        if input.array_exact(4).is_err() || input.text() != Ok(FORMAT) {
            return Err(EvidenceError::Format);
        }
        let number = input.uint()?;
        let kind = Kind::from_number(number).ok_or(EvidenceError::Kind { kind: number })?;
        let genesis = bytes_within(&mut input, STATEMENT_BYTES_MAX)?.to_vec();
        let accusation = read(kind, &mut input)?;
        input.leave();
        input.end()?;
        Ok(Self { genesis, accusation })
    }
}

fn read(kind: Kind, input: &mut Decoder<'_>) -> cbor::Result<Accusation> {
    let items = match kind {
        Kind::Conflict | Kind::Fork => 4,
        Kind::BrokenPromise | Kind::Equivocation => 5,
        Kind::TwoLeaves => 7,
        Kind::TwoPromises => 3,
    };
    input.array_exact(items)?;
    let accusation = match kind {
        Kind::Conflict => Accusation::Conflict(Conflict {
            key: bytes_within(input, KEY_BYTES_MAX)?.to_vec(),
            chain: input.list(CHAIN_MAX, |item| Ok(bytes_within(item, STATEMENT_BYTES_MAX)?.to_vec()))?,
            first: bytes_within(input, REPORT_BYTES_MAX)?.to_vec(),
            second: bytes_within(input, REPORT_BYTES_MAX)?.to_vec(),
        }),
        Kind::BrokenPromise => Accusation::BrokenPromise(BrokenPromise {
            promise: text_within(input, NOTE_BYTES_MAX)?,
            checkpoint: text_within(input, CHECKPOINT_BYTES_MAX)?,
            index: input.uint()?,
            leaf: hash(input)?,
            proof: input.list(PROOF_HASHES_MAX, hash)?,
        }),
        Kind::Fork => Accusation::Fork(read_fork(input)?),
        Kind::TwoLeaves => Accusation::TwoLeaves(TwoLeaves {
            index: input.uint()?,
            first: read_leaf(input)?,
            second: read_leaf(input)?,
        }),
        Kind::TwoPromises => Accusation::TwoPromises(TwoPromises {
            first: text_within(input, NOTE_BYTES_MAX)?,
            second: text_within(input, NOTE_BYTES_MAX)?,
            index: input.uint()?,
        }),
        Kind::Equivocation => Accusation::Equivocation(Equivocation {
            witness: text_within(input, VKEY_BYTES_MAX)?,
            fork: read_fork(input)?,
        }),
    };
    input.leave();
    Ok(accusation)
}

fn write_fork(out: &mut Encoder, fork: &Fork) {
    out.bytes(fork.smaller.as_bytes()).bytes(fork.larger.as_bytes()).bytes(&fork.root.0);
    write_hashes(out, &fork.proof);
}

fn read_fork(input: &mut Decoder<'_>) -> cbor::Result<Fork> {
    Ok(Fork {
        smaller: text_within(input, CHECKPOINT_BYTES_MAX)?,
        larger: text_within(input, CHECKPOINT_BYTES_MAX)?,
        root: hash(input)?,
        proof: input.list(PROOF_HASHES_MAX, hash)?,
    })
}

fn read_leaf(input: &mut Decoder<'_>) -> cbor::Result<LeafUnder> {
    Ok(LeafUnder {
        leaf: hash(input)?,
        checkpoint: text_within(input, CHECKPOINT_BYTES_MAX)?,
        proof: input.list(PROOF_HASHES_MAX, hash)?,
    })
}

fn write_hashes(out: &mut Encoder, hashes: &[Hash]) {
    out.array(hashes.len());
    for hash in hashes {
        out.bytes(&hash.0);
    }
}

fn hash(input: &mut Decoder<'_>) -> cbor::Result<Hash> {
    Ok(Hash(input.bytes_exact()?))
}

fn bytes_within<'a>(input: &mut Decoder<'a>, max: usize) -> cbor::Result<&'a [u8]> {
    let at = input.position();
    let bytes = input.bytes()?;
    if bytes.len() > max {
        return Err(CborError::Range { at, what: "the byte string is too long" });
    }
    Ok(bytes)
}

fn text_within(input: &mut Decoder<'_>, max: usize) -> cbor::Result<String> {
    let at = input.position();
    let text = core::str::from_utf8(bytes_within(input, max)?);
    Ok(text.map_err(|_| CborError::Range { at, what: "the note is not UTF-8 text" })?.to_owned())
}

//! Cosignatures of C2SP `tlog-cosignature`, version 1: a witness says that at a time it saw this checkpoint as the
//! latest consistent one of its log.
//!
//! The signature covers `cosignature/v1`, the time, and the text of the checkpoint; the line carries the time as eight
//! big-endian bytes before the 64 of the Ed25519 signature. A cosigner's key signs nothing else.

use cairn_core::ed25519::{Signature, SigningKey, VerifyingKey};

use crate::MerkleError;
use crate::checkpoint::Checkpoint;
use crate::note::{KeyKind, NoteSignature, NoteVerifier};

/// The highest time a cosignature may carry, in seconds since 1970 UTC.
pub const TIME_S_MAX: u64 = i64::MAX as u64;

/// A witness's signing key (type 0x04).
#[derive(Debug, Clone)]
pub struct Cosigner {
    verifier: NoteVerifier,
    key: SigningKey,
}

impl Cosigner {
    /// A cosigner called `name`.
    ///
    /// # Errors
    /// [`MerkleError::KeyName`] if the name cannot stand in a note.
    pub fn new(name: &str, key: SigningKey) -> Result<Self, MerkleError> {
        let verifier = NoteVerifier::new(name, KeyKind::Cosignature, key.verifying_key())?;
        Ok(Self { verifier, key })
    }

    /// The public half.
    #[must_use]
    pub const fn verifier(&self) -> &NoteVerifier {
        &self.verifier
    }

    /// The signature line over a checkpoint, saying that it was seen at `time_s` (seconds since 1970 UTC).
    ///
    /// The caller has checked that the checkpoint is consistent with every earlier one that it cosigned for this log.
    ///
    /// # Errors
    /// [`MerkleError::Checkpoint`] if the time is above 2^63 - 1.
    pub fn cosign(&self, checkpoint: &Checkpoint, time_s: u64) -> Result<NoteSignature, MerkleError> {
        if time_s > TIME_S_MAX {
            return Err(MerkleError::Checkpoint { reason: "the time of a cosignature is above 2^63 - 1" });
        }
        let signature = self.key.sign(message(&checkpoint.to_string(), time_s).as_bytes());
        Ok(self.verifier.line([time_s.to_be_bytes().as_slice(), &signature].concat()))
    }
}

/// Verifies the bytes of a cosignature over the text of a checkpoint; the time it carries.
pub(crate) fn verify(key: &VerifyingKey, text: &str, bytes: &[u8]) -> Option<u64> {
    let (time, signature) = bytes.split_first_chunk::<8>()?;
    let signature: &Signature = signature.try_into().ok()?;
    let time_s = u64::from_be_bytes(*time);
    let checked = time_s <= TIME_S_MAX && text.parse::<Checkpoint>().is_ok();
    (checked && key.verify(message(text, time_s).as_bytes(), signature)).then_some(time_s)
}

fn message(text: &str, time_s: u64) -> String {
    format!("cosignature/v1\ntime {time_s}\n{text}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::note::Note;
    use crate::tree::EMPTY_ROOT;

    #[test]
    fn a_cosignature_carries_its_time_and_covers_it() {
        let checkpoint = Checkpoint::new("log.example", 0, EMPTY_ROOT).unwrap();
        let witness = Cosigner::new("witness.example", SigningKey::from_seed([7; 32])).unwrap();
        let known = [witness.verifier().to_string().parse().unwrap()];
        let line = witness.cosign(&checkpoint, 1_767_225_600).unwrap();
        let open = |text: &str, line: NoteSignature| {
            Note::new(text.to_owned(), vec![line]).unwrap().open(&known).map(|signed| signed[0].time_s)
        };
        let text = checkpoint.to_string();
        assert_eq!(open(&text, line.clone()).unwrap(), Some(1_767_225_600));
        for byte in 0..line.bytes.len() {
            let mut altered = line.clone();
            altered.bytes[byte] ^= 1;
            assert_eq!(open(&text, altered).unwrap_err().code(), "LOG-SIGNATURE", "byte {byte}");
        }
        assert_eq!(open(&text.replace("log", "lag"), line).unwrap_err().code(), "LOG-SIGNATURE");
        assert_eq!(witness.cosign(&checkpoint, TIME_S_MAX + 1).unwrap_err().code(), "LOG-CHECKPOINT");
    }

    #[test]
    fn a_cosignature_over_what_is_no_checkpoint_is_refused() {
        let key = SigningKey::from_seed([7; 32]);
        let witness = Cosigner::new("witness.example", key.clone()).unwrap();
        let text = "just a text\n";
        let signature = key.sign(message(text, 5).as_bytes());
        let line = witness.verifier().line([5u64.to_be_bytes().as_slice(), &signature].concat());
        let note = Note::new(text.to_owned(), vec![line]).unwrap();
        assert_eq!(note.open(&[witness.verifier().clone()]).unwrap_err().code(), "LOG-SIGNATURE");
    }
}

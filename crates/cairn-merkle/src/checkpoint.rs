//! Checkpoints of C2SP `tlog-checkpoint`: origin, size and root of a log, signed as a note.
//!
//! Extension lines are refused: nobody can audit what they say, and nothing in Cairn writes them.

use core::fmt;
use core::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cairn_core::Hash;

use crate::MerkleError;
use crate::note::{Note, NoteSignature, NoteSigner, NoteVerifier, check_key_name};

/// What a log says of itself; shown and parsed as the text of a checkpoint, three lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    origin: String,
    size: u64,
    root: Hash,
}

impl Checkpoint {
    /// A checkpoint of the log called `origin`.
    ///
    /// # Errors
    /// [`MerkleError::KeyName`] if the origin cannot be the name of the log's key.
    pub fn new(origin: &str, size: u64, root: Hash) -> Result<Self, MerkleError> {
        check_key_name(origin)?;
        Ok(Self { origin: origin.to_owned(), size, root })
    }

    /// The name of the log, which is the name of its key.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// Number of entries.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// The RFC 6962 root over them.
    #[must_use]
    pub const fn root(&self) -> Hash {
        self.root
    }

    /// Signs this checkpoint with the log's key, which bears the origin as its name, and adds cosignature lines.
    ///
    /// # Errors
    /// [`MerkleError::Origin`] if the signer bears another name; [`MerkleError::Note`] if there are too many lines.
    pub fn sign(&self, signer: &NoteSigner, cosignatures: &[NoteSignature]) -> Result<Note, MerkleError> {
        if signer.name() != self.origin {
            return Err(MerkleError::Origin { expected: self.origin.clone(), found: signer.name().to_owned() });
        }
        let text = self.to_string();
        let mut lines = vec![signer.sign(&text)];
        lines.extend_from_slice(cosignatures);
        Note::new(text, lines)
    }
}

impl fmt::Display for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n{}\n{}\n", self.origin, self.size, STANDARD.encode(self.root.0))
    }
}

impl FromStr for Checkpoint {
    type Err = MerkleError;

    fn from_str(text: &str) -> Result<Self, MerkleError> {
        let refuse = |reason| MerkleError::Checkpoint { reason };
        let body = text.strip_suffix('\n').ok_or(refuse("it does not end in a newline"))?;
        let mut lines = body.split('\n');
        let (Some(origin), Some(size), Some(root)) = (lines.next(), lines.next(), lines.next()) else {
            return Err(refuse("it has fewer than three lines"));
        };
        if lines.next().is_some() {
            return Err(refuse("it has extension lines, which nobody can audit"));
        }
        let size = parse_decimal(size).ok_or(refuse("the size is not a decimal number without leading zeros"))?;
        let root = parse_hash(root).ok_or(refuse("the root is not the base64 of 32 bytes"))?;
        Self::new(origin, size, root)
    }
}

/// A decimal number in its one text: digits, no sign, no leading zeros.
pub(crate) fn parse_decimal(text: &str) -> Option<u64> {
    text.parse::<u64>().ok().filter(|number| number.to_string() == text)
}

/// A hash in base64.
pub(crate) fn parse_hash(text: &str) -> Option<Hash> {
    Some(Hash(STANDARD.decode(text).ok()?.try_into().ok()?))
}

/// A checkpoint whose log signature was verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedCheckpoint {
    /// What the log said.
    pub checkpoint: Checkpoint,
    /// The witnesses whose cosignatures verified: name and time in seconds since 1970 UTC, each once.
    pub witnessed: Vec<(String, u64)>,
}

impl SignedCheckpoint {
    /// Opens a signed checkpoint: the log must have signed it under its origin; known witnesses may have.
    ///
    /// # Errors
    /// [`MerkleError::Note`] or [`MerkleError::Checkpoint`] if it is not one; [`MerkleError::Unsigned`] if the log did
    /// not sign it; [`MerkleError::Signature`] if the log's or a known witness's signature fails;
    /// [`MerkleError::Origin`] if it is the checkpoint of another log.
    pub fn open(note: &str, log: &NoteVerifier, witnesses: &[NoteVerifier]) -> Result<Self, MerkleError> {
        let note: Note = note.parse()?;
        // The log first and alone, so that a witness never stands in for it.
        note.open(core::slice::from_ref(log))?;
        let checkpoint: Checkpoint = note.text().parse()?;
        if checkpoint.origin != log.name() {
            return Err(MerkleError::Origin { expected: log.name().to_owned(), found: checkpoint.origin });
        }
        let witnessed = match note.open(witnesses) {
            Ok(signed) => signed.iter().filter_map(|s| Some((s.by.name().to_owned(), s.time_s?))).collect(),
            Err(MerkleError::Unsigned { .. }) => Vec::new(),
            Err(refused) => return Err(refused),
        };
        Ok(Self { checkpoint, witnessed })
    }
}

#[cfg(test)]
mod tests {
    use cairn_core::ed25519::SigningKey;

    use super::*;
    use crate::Cosigner;
    use crate::tree::EMPTY_ROOT;

    const ROOT: &str = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";

    #[test]
    fn a_checkpoint_has_exactly_one_text() {
        let text = format!("log.example/net\n0\n{ROOT}\n");
        assert_eq!(text.parse::<Checkpoint>().unwrap(), Checkpoint::new("log.example/net", 0, EMPTY_ROOT).unwrap());
        assert_eq!(text.parse::<Checkpoint>().unwrap().to_string(), text);
        for (bad, code) in [
            (String::new(), "LOG-CHECKPOINT"),
            (format!("log.example\n0\n{ROOT}"), "LOG-CHECKPOINT"),
            (format!("log.example\n0\n{ROOT}\n\n"), "LOG-CHECKPOINT"),
            (format!("log.example\n0\n{ROOT}\nextension\n"), "LOG-CHECKPOINT"),
            (format!("log.example\n00\n{ROOT}\n"), "LOG-CHECKPOINT"),
            (format!("log.example\n+1\n{ROOT}\n"), "LOG-CHECKPOINT"),
            (format!("log.example\n-1\n{ROOT}\n"), "LOG-CHECKPOINT"),
            (format!("log.example\n\n{ROOT}\n"), "LOG-CHECKPOINT"),
            (format!("log.example\n18446744073709551616\n{ROOT}\n"), "LOG-CHECKPOINT"),
            (format!("log.example\n0\n{}\n", &ROOT[..40]), "LOG-CHECKPOINT"),
            ("log.example\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFV=\n".to_owned(), "LOG-CHECKPOINT"),
            (format!("\n0\n{ROOT}\n"), "LOG-KEY-NAME"),
            (format!("log example\n0\n{ROOT}\n"), "LOG-KEY-NAME"),
        ] {
            assert_eq!(bad.parse::<Checkpoint>().unwrap_err().code(), code, "{bad:?}");
        }
    }

    #[test]
    fn only_the_log_signs_for_itself_and_witnesses_are_counted_apart() {
        let log = NoteSigner::new("log.example", SigningKey::from_seed([1; 32])).unwrap();
        let witness = Cosigner::new("witness.example", SigningKey::from_seed([2; 32])).unwrap();
        let stranger = Cosigner::new("stranger.example", SigningKey::from_seed([3; 32])).unwrap();
        let checkpoint = Checkpoint::new("log.example", 0, EMPTY_ROOT).unwrap();
        let lines = [witness.cosign(&checkpoint, 10).unwrap(), stranger.cosign(&checkpoint, 11).unwrap()];
        let note = checkpoint.sign(&log, &lines).unwrap();
        let known = [witness.verifier().clone()];
        let opened = SignedCheckpoint::open(&note.to_string(), log.verifier(), &known).unwrap();
        assert_eq!(opened.witnessed, [("witness.example".to_owned(), 10)]);
        assert_eq!(opened.checkpoint, checkpoint);
        assert!(SignedCheckpoint::open(&note.to_string(), log.verifier(), &[]).unwrap().witnessed.is_empty());

        let unsigned = Note::new(checkpoint.to_string(), lines.to_vec()).unwrap().to_string();
        assert_eq!(SignedCheckpoint::open(&unsigned, log.verifier(), &known).unwrap_err().code(), "LOG-UNSIGNED");
        let other = NoteSigner::new("other.example", SigningKey::from_seed([1; 32])).unwrap();
        assert_eq!(checkpoint.sign(&other, &[]).unwrap_err().code(), "LOG-ORIGIN");
        let foreign = Note::new(checkpoint.to_string(), vec![other.sign(&checkpoint.to_string())]).unwrap().to_string();
        assert_eq!(SignedCheckpoint::open(&foreign, other.verifier(), &[]).unwrap_err().code(), "LOG-ORIGIN");
    }
}

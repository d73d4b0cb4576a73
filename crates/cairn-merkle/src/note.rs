//! Signed notes of C2SP `signed-note`: a text and one signature line for each signer.
//!
//! A note is parsed first and believed only after [`Note::open`]: a known key that fails to verify refuses the whole
//! note, unknown keys are ignored, and at least one known key must have signed. Two kinds of keys are known here:
//! Ed25519 over the text (type 0x01) and timestamped cosignatures over a checkpoint (type 0x04, see
//! [`crate::cosignature`]). Verification follows ZIP-215 like every Ed25519 signature of Cairn.

use core::fmt;
use core::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cairn_core::Hash;
use cairn_core::ed25519::{Signature, SigningKey, VerifyingKey};

use crate::{MerkleError, cosignature};

/// The longest note read or written, in bytes.
pub const NOTE_BYTES_MAX: usize = 4 << 20;
/// The most signature lines read or written.
pub const SIGNATURES_MAX: usize = 64;

/// What a key of a note signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyKind {
    /// The text itself; type byte 0x01.
    Ed25519,
    /// A time and the text, which is a checkpoint; type byte 0x04.
    Cosignature,
}

impl KeyKind {
    /// The type byte assigned by `signed-note`.
    #[must_use]
    pub const fn type_byte(self) -> u8 {
        match self {
            Self::Ed25519 => 1,
            Self::Cosignature => 4,
        }
    }
}

/// The first four bytes of SHA-256 over name, newline, type and public key.
#[must_use]
pub fn key_id(name: &str, kind: KeyKind, public_key: &[u8; 32]) -> [u8; 4] {
    let digest = Hash::of_parts(&[name.as_bytes(), b"\n", &[kind.type_byte()], public_key]);
    [digest.0[0], digest.0[1], digest.0[2], digest.0[3]]
}

/// Checks that `name` can name a key: not empty, without white space, plus signs and control characters.
///
/// # Errors
/// [`MerkleError::KeyName`] otherwise.
pub fn check_key_name(name: &str) -> Result<(), MerkleError> {
    let bad = |c: char| c == '+' || c.is_whitespace() || c.is_control();
    if name.is_empty() || name.contains(bad) {
        return Err(MerkleError::KeyName { name: name.chars().take(80).collect() });
    }
    Ok(())
}

/// A key that signs the text of notes (type 0x01).
#[derive(Debug, Clone)]
pub struct NoteSigner {
    verifier: NoteVerifier,
    key: SigningKey,
}

impl NoteSigner {
    /// A signer called `name`; a log's signer bears the log's origin.
    ///
    /// # Errors
    /// [`MerkleError::KeyName`] if the name cannot stand in a note.
    pub fn new(name: &str, key: SigningKey) -> Result<Self, MerkleError> {
        let verifier = NoteVerifier::new(name, KeyKind::Ed25519, key.verifying_key())?;
        Ok(Self { verifier, key })
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.verifier.name()
    }

    /// The public half.
    #[must_use]
    pub const fn verifier(&self) -> &NoteVerifier {
        &self.verifier
    }

    /// The signature line over `text`.
    #[must_use]
    pub fn sign(&self, text: &str) -> NoteSignature {
        self.verifier.line(self.key.sign(text.as_bytes()).to_vec())
    }
}

/// A key that verifies signature lines; shown and parsed as a C2SP *vkey*: `name+hexadecimal id+base64 key`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoteVerifier {
    name: String,
    kind: KeyKind,
    id: [u8; 4],
    key: VerifyingKey,
}

impl NoteVerifier {
    /// The verifier called `name` with this key.
    ///
    /// # Errors
    /// [`MerkleError::KeyName`] if the name cannot stand in a note.
    pub fn new(name: &str, kind: KeyKind, key: VerifyingKey) -> Result<Self, MerkleError> {
        check_key_name(name)?;
        Ok(Self { name: name.to_owned(), kind, id: key_id(name, kind, key.as_bytes()), key })
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What the key signs.
    #[must_use]
    pub const fn kind(&self) -> KeyKind {
        self.kind
    }

    /// The four bytes that stand before each signature.
    #[must_use]
    pub const fn id(&self) -> [u8; 4] {
        self.id
    }

    /// The key.
    #[must_use]
    pub const fn key(&self) -> &VerifyingKey {
        &self.key
    }

    pub(crate) fn line(&self, signature: Vec<u8>) -> NoteSignature {
        NoteSignature { name: self.name.clone(), key_id: self.id, bytes: signature }
    }

    /// Verifies a signature line of this key over `text`; the time it carries, if it is a cosignature.
    fn verify(&self, text: &str, line: &NoteSignature) -> Option<Option<u64>> {
        match self.kind {
            KeyKind::Ed25519 => {
                let signature: &Signature = line.bytes.as_slice().try_into().ok()?;
                self.key.verify(text.as_bytes(), signature).then_some(None)
            }
            KeyKind::Cosignature => cosignature::verify(&self.key, text, &line.bytes).map(Some),
        }
    }
}

impl fmt::Display for NoteVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let material = [&[self.kind.type_byte()], self.key.as_bytes().as_slice()].concat();
        write!(f, "{}+{:08x}+{}", self.name, u32::from_be_bytes(self.id), STANDARD.encode(material))
    }
}

impl FromStr for NoteVerifier {
    type Err = MerkleError;

    fn from_str(vkey: &str) -> Result<Self, MerkleError> {
        let refuse = |reason| MerkleError::VerifierKey { vkey: vkey.chars().take(160).collect(), reason };
        // The base64 part may hold plus signs itself, so only the first two separate.
        let mut parts = vkey.splitn(3, '+');
        let (Some(name), Some(id), Some(material)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(refuse("expected name+id+key"));
        };
        let material = STANDARD.decode(material).map_err(|_| refuse("the key is not base64"))?;
        let (kind, key) = match material.split_first() {
            Some((1, key)) => (KeyKind::Ed25519, key),
            Some((4, key)) => (KeyKind::Cosignature, key),
            _ => return Err(refuse("only key types 1 (Ed25519) and 4 (cosignature) are known")),
        };
        let key: [u8; 32] = key.try_into().map_err(|_| refuse("an Ed25519 key has 32 bytes"))?;
        let key = VerifyingKey::from_bytes(key).ok_or_else(|| refuse("the key is no point of the curve"))?;
        let verifier = Self::new(name, kind, key)?;
        // Comparing texts also refuses upper-case and shortened ids.
        if format!("{:08x}", u32::from_be_bytes(verifier.id)) != id {
            return Err(refuse("the id does not fit name and key"));
        }
        Ok(verifier)
    }
}

/// One signature line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoteSignature {
    /// The name of the key.
    pub name: String,
    /// The id of the key.
    pub key_id: [u8; 4],
    /// The signature, in the form of the key's kind.
    pub bytes: Vec<u8>,
}

impl fmt::Display for NoteSignature {
    /// The line without its newline.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = [&self.key_id, self.bytes.as_slice()].concat();
        write!(f, "\u{2014} {} {}", self.name, STANDARD.encode(bytes))
    }
}

impl FromStr for NoteSignature {
    type Err = MerkleError;

    /// Parses one line without its newline.
    fn from_str(line: &str) -> Result<Self, MerkleError> {
        let refuse = |reason| MerkleError::Note { reason };
        let rest =
            line.strip_prefix("\u{2014} ").ok_or(refuse("a signature line starts with an em dash and a space"))?;
        let (name, bytes) = rest.split_once(' ').ok_or(refuse("a signature line has a name and a signature"))?;
        check_key_name(name)?;
        let bytes = STANDARD.decode(bytes).map_err(|_| refuse("a signature is not base64"))?;
        match bytes.split_first_chunk::<4>() {
            Some((key_id, signature)) if !signature.is_empty() => {
                Ok(Self { name: name.to_owned(), key_id: *key_id, bytes: signature.to_vec() })
            }
            _ => Err(refuse("a signature is shorter than five bytes")),
        }
    }
}

/// A text with its signature lines; shown and parsed as the note itself. Parsing proves nothing: see [`Note::open`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    text: String,
    signatures: Vec<NoteSignature>,
}

/// A known key that signed a note.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Signed<'a> {
    /// The key.
    pub by: &'a NoteVerifier,
    /// When, in seconds since 1970 UTC, as the signer says; cosignatures only.
    pub time_s: Option<u64>,
}

impl Note {
    /// A note over `text`.
    ///
    /// # Errors
    /// [`MerkleError::Note`] if the text does not end in a newline, holds control characters, or there is no signature
    /// or too many.
    pub fn new(text: String, signatures: Vec<NoteSignature>) -> Result<Self, MerkleError> {
        let note = Self { text, signatures };
        check_text(&note.text)?;
        check_counts(note.text.len(), note.signatures.len())?;
        Ok(note)
    }

    /// The text, which ends in a newline.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The signature lines, known and unknown, none of them verified.
    #[must_use]
    pub fn signatures(&self) -> &[NoteSignature] {
        &self.signatures
    }

    /// Verifies the signatures of the known keys.
    ///
    /// Returns each known key that signed once, in the order of the lines. Of a key that signed twice both lines must
    /// verify; the first is returned.
    ///
    /// # Errors
    /// [`MerkleError::Signature`] if a known key's signature fails, [`MerkleError::Unsigned`] if no known key signed.
    pub fn open<'a>(&self, known: &'a [NoteVerifier]) -> Result<Vec<Signed<'a>>, MerkleError> {
        let mut opened: Vec<Signed<'a>> = Vec::new();
        for line in &self.signatures {
            let named = |key: &&NoteVerifier| key.name == line.name && key.id == line.key_id;
            let Some(by) = known.iter().find(named) else { continue };
            let failed = || MerkleError::Signature { name: line.name.clone() };
            let time_s = by.verify(&self.text, line).ok_or_else(failed)?;
            if !opened.iter().any(|earlier| earlier.by == by) {
                opened.push(Signed { by, time_s });
            }
        }
        if opened.is_empty() {
            let wanted = known.iter().map(NoteVerifier::name).collect::<Vec<_>>().join(", ");
            return Err(MerkleError::Unsigned { wanted });
        }
        Ok(opened)
    }
}

fn check_text(text: &str) -> Result<(), MerkleError> {
    let refuse = |reason| Err(MerkleError::Note { reason });
    if !text.ends_with('\n') {
        return refuse("the text does not end in a newline");
    }
    if text.bytes().any(|byte| byte < 0x20 && byte != b'\n') {
        return refuse("the text holds a control character");
    }
    Ok(())
}

fn check_counts(bytes: usize, signatures: usize) -> Result<(), MerkleError> {
    let refuse = |reason| Err(MerkleError::Note { reason });
    match () {
        () if bytes > NOTE_BYTES_MAX => refuse("it is longer than 4 MiB"),
        () if signatures == 0 => refuse("it has no signature"),
        () if signatures > SIGNATURES_MAX => refuse("it has more than 64 signatures"),
        () => Ok(()),
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text)?;
        self.signatures.iter().try_for_each(|signature| writeln!(f, "{signature}"))
    }
}

impl FromStr for Note {
    type Err = MerkleError;

    fn from_str(note: &str) -> Result<Self, MerkleError> {
        let refuse = |reason| MerkleError::Note { reason };
        check_text(note)?;
        check_counts(note.len(), 1)?;
        // The text may hold blank lines, signature lines never do: the last blank line separates.
        let split = note.rfind("\n\n").ok_or(refuse("no blank line before the signatures"))?;
        let (text, lines) = (&note[..=split], &note[split + 2..]);
        let lines = lines.strip_suffix('\n').ok_or(refuse("it has no signature"))?;
        check_counts(note.len(), lines.split('\n').count())?;
        let signatures = lines.split('\n').map(str::parse).collect::<Result<_, _>>()?;
        Ok(Self { text: text.to_owned(), signatures })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn signer(name: &str, seed: u8) -> NoteSigner {
        NoteSigner::new(name, SigningKey::from_seed([seed; 32])).unwrap()
    }

    fn signed(text: &str, signers: &[&NoteSigner]) -> String {
        Note::new(text.to_owned(), signers.iter().map(|s| s.sign(text)).collect()).unwrap().to_string()
    }

    #[test]
    fn a_note_opens_for_its_signers_and_for_nobody_else() {
        let (a, b, c) = (signer("a.example", 1), signer("b.example", 2), signer("c.example", 3));
        let text = "first\n\nthird after a blank line\n";
        let note: Note = signed(text, &[&a, &b]).parse().unwrap();
        assert_eq!(note.text(), text);
        let known = [b.verifier().clone(), a.verifier().clone()];
        let opened = note.open(&known).unwrap();
        assert_eq!(opened.iter().map(|s| s.by.name()).collect::<Vec<_>>(), ["a.example", "b.example"]);
        assert_eq!(note.open(&[a.verifier().clone(), c.verifier().clone()]).unwrap().len(), 1);
        assert_eq!(note.open(&[c.verifier().clone()]).unwrap_err().code(), "LOG-UNSIGNED");
        assert_eq!(note.open(&[]).unwrap_err().code(), "LOG-UNSIGNED");
        // The same name with another key is another key, and is ignored.
        assert_eq!(note.open(&[signer("a.example", 9).verifier().clone()]).unwrap_err().code(), "LOG-UNSIGNED");
    }

    #[test]
    fn one_failing_signature_of_a_known_key_refuses_the_note() {
        let (a, b) = (signer("a.example", 1), signer("b.example", 2));
        let good = a.sign("text\n");
        let mut bad = b.sign("text\n");
        bad.bytes[0] ^= 1;
        let note = Note::new("text\n".to_owned(), vec![good, bad]).unwrap();
        let both = [a.verifier().clone(), b.verifier().clone()];
        assert_eq!(note.open(&both).unwrap_err(), MerkleError::Signature { name: "b.example".to_owned() });
        assert_eq!(note.open(&both[..1]).unwrap().len(), 1);
    }

    #[test]
    fn a_key_that_signed_twice_counts_once() {
        let a = signer("a.example", 1);
        let note: Note = signed("text\n", &[&a, &a]).parse().unwrap();
        assert_eq!(note.open(&[a.verifier().clone()]).unwrap().len(), 1);
    }

    #[test]
    fn sixteen_signatures_are_read_and_sixty_five_are_not() {
        let signers: Vec<NoteSigner> = (0..65).map(|i| signer(&format!("s{i}.example"), i)).collect();
        let some: Vec<&NoteSigner> = signers.iter().take(64).collect();
        assert_eq!(signed("text\n", &some).parse::<Note>().unwrap().signatures().len(), 64);
        let lines = signers.iter().map(|s| format!("{}\n", s.sign("text\n"))).collect::<String>();
        assert_eq!(format!("text\n\n{lines}").parse::<Note>().unwrap_err().code(), "LOG-NOTE");
    }

    #[test]
    fn what_is_not_a_note_is_refused() {
        let a = signer("a.example", 1);
        let line = a.sign("text\n").to_string();
        assert!(format!("text\n\n{line}\n").parse::<Note>().is_ok());
        for bad in [
            String::new(),
            "\n".to_owned(),
            "\n\n".to_owned(),
            "text\n".to_owned(),
            "text\n\n".to_owned(),
            format!("text\n{line}\n"),
            format!("text\n\n{line}"),
            format!("text\n\n{line}\n\n"),
            format!("text\n\n{line}\n{line}"),
            format!("te\txt\n\n{line}\n"),
            format!("text\r\n\n{line}\n"),
            format!("text\n\n{}\n", line.replace('\u{2014}', "-")),
            format!("text\n\n{}\n", line.replace("a.example", "a+b")),
            format!("text\n\n{}\n", line.replace("a.example", "a\u{a0}b")),
            format!("text\n\n{}\n", line.replace("a.example", "")),
            format!("text\n\n{line} \n"),
            format!("text\n\n{}\n", line.trim_end_matches('=')),
            "text\n\n\u{2014} a.example AAAAAA==\n".to_owned(),
        ] {
            let refused = bad.parse::<Note>().expect_err(&bad);
            assert!(["LOG-NOTE", "LOG-KEY-NAME"].contains(&refused.code()), "{bad:?}: {refused}");
        }
        for bad in ["", "no newline", "a\u{1}b\n"] {
            assert_eq!(Note::new(bad.to_owned(), vec![a.sign(bad)]).unwrap_err().code(), "LOG-NOTE", "{bad:?}");
        }
        assert_eq!(Note::new("text\n".to_owned(), vec![]).unwrap_err().code(), "LOG-NOTE");
        let long = "x".repeat(NOTE_BYTES_MAX) + "\n";
        assert_eq!(Note::new(long.clone(), vec![a.sign(&long)]).unwrap_err().code(), "LOG-NOTE");
    }

    #[test]
    fn a_verifier_key_has_exactly_one_text() {
        let vkey = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
        assert_eq!(vkey.parse::<NoteVerifier>().unwrap().to_string(), vkey);
        for (bad, code) in [
            ("", "LOG-VKEY"),
            ("PeterNeumann", "LOG-VKEY"),
            ("PeterNeumann+c74f20a3", "LOG-VKEY"),
            ("PeterNeumann+C74F20A3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW", "LOG-VKEY"),
            ("PeterNeumann+c74f20a4+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW", "LOG-VKEY"),
            ("PeterNeumanm+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW", "LOG-VKEY"),
            ("PeterNeumann+c74f20a3+AhpcQcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW", "LOG-VKEY"),
            ("PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10T", "LOG-VKEY"),
            ("PeterNeumann+c74f20a3+", "LOG-VKEY"),
            ("Peter Neumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW", "LOG-KEY-NAME"),
            ("+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW", "LOG-KEY-NAME"),
        ] {
            assert_eq!(bad.parse::<NoteVerifier>().unwrap_err().code(), code, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn parsing_never_panics_and_what_parses_prints_the_same(text in "(\u{2014} |[a-z+=\n ]|AAAA){0,30}") {
            if let Ok(note) = text.parse::<Note>() {
                prop_assert_eq!(note.to_string(), text);
            }
        }

        #[test]
        fn any_altered_byte_of_text_or_signature_closes_the_note(position in 0usize..10_000, bit in 0u8..8) {
            let a = signer("a.example", 1);
            let mut bytes = signed("one line\nand another\n", &[&a]).into_bytes();
            let position = position % bytes.len();
            bytes[position] ^= 1 << bit;
            if let Ok(note) = String::from_utf8(bytes).unwrap_or_default().parse::<Note>() {
                prop_assert!(note.open(&[a.verifier().clone()]).is_err());
            }
        }
    }
}

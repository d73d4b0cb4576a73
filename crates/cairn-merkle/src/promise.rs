//! Promises: what a gateway hands out once entries are durable, before any checkpoint covers them.
//!
//! A promise is a signed note. Its first line is `cairn/promise/1`, its second the network id in hexadecimal, and one
//! line follows for each entry, in the order in which they were sent: the index, a space, the leaf hash in base64. It is
//! signed with a key of its own, named `<origin>/promise`.
//!
//! If the log ever shows another leaf at a promised index, the promise and a receipt of that leaf are proof against the
//! operator that anybody can check.

use core::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cairn_core::Hash;

use crate::note::Note;
use crate::{MerkleError, NoteSigner, NoteVerifier};

const HEADER: &str = "cairn/promise/1";

/// Entries that a log promised to keep at their indices.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Promise {
    /// The network whose log it is.
    pub network: Hash,
    /// Index and leaf hash of each entry, in the order in which they were sent.
    pub entries: Vec<(u64, Hash)>,
}

/// The name of the key that signs the promises of the log called `origin`.
#[must_use]
pub fn promise_key_name(origin: &str) -> String {
    format!("{origin}/promise")
}

impl Promise {
    /// Signs the promise; the note, which is at most 4 MiB: about 60,000 entries.
    ///
    /// # Errors
    /// [`MerkleError::Note`] if it would be longer, [`MerkleError::Promise`] if it promises nothing.
    pub fn sign(&self, signer: &NoteSigner) -> Result<String, MerkleError> {
        if self.entries.is_empty() {
            return Err(MerkleError::Promise { reason: "it names no entry" });
        }
        let text = self.to_string();
        let signature = signer.sign(&text);
        Ok(Note::new(text, vec![signature])?.to_string())
    }

    /// Reads a promise and verifies its signature.
    ///
    /// # Errors
    /// Those of [`Note::open`], and [`MerkleError::Promise`] if the signed text is no promise.
    pub fn open(note: &str, key: &NoteVerifier) -> Result<Self, MerkleError> {
        let note: Note = note.parse()?;
        note.open(core::slice::from_ref(key))?;
        let refuse = |reason| MerkleError::Promise { reason };
        let body = note.text().strip_suffix('\n').unwrap_or_default();
        let mut lines = body.split('\n');
        if lines.next() != Some(HEADER) {
            return Err(refuse("the first line is not `cairn/promise/1`"));
        }
        let network = lines.next().and_then(|line| Hash::from_hex(line).filter(|hash| hash.to_hex() == line));
        let network = network.ok_or(refuse("the second line is not a network id"))?;
        let entries: Option<Vec<(u64, Hash)>> = lines.map(parse_entry).collect();
        let entries = entries.ok_or(refuse("a line is not an index and a leaf hash"))?;
        if entries.is_empty() {
            return Err(refuse("it names no entry"));
        }
        Ok(Self { network, entries })
    }

    /// The promised leaf hash, if the log's leaf at `index` is another one: then the promise is broken.
    #[must_use]
    pub fn broken_by(&self, index: u64, leaf: Hash) -> Option<Hash> {
        self.entries.iter().find(|(promised, hash)| *promised == index && *hash != leaf).map(|(_, hash)| *hash)
    }

    /// The first promised index where a log of `size` entries does not hold the promised leaf.
    ///
    /// Indices from `size` on are not broken yet: the log has not said what stands there.
    ///
    /// # Errors
    /// Those of `leaf_hash`.
    pub fn first_broken<E>(
        &self,
        size: u64,
        mut leaf_hash: impl FnMut(u64) -> Result<Hash, E>,
    ) -> Result<Option<u64>, E> {
        for (index, promised) in self.entries.iter().filter(|(index, _)| *index < size) {
            if leaf_hash(*index)? != *promised {
                return Ok(Some(*index));
            }
        }
        Ok(None)
    }
}

fn parse_entry(line: &str) -> Option<(u64, Hash)> {
    let (index, leaf) = line.split_once(' ')?;
    let parsed: u64 = index.parse().ok()?;
    let leaf = STANDARD.decode(leaf).ok()?.try_into().ok()?;
    (parsed.to_string() == index).then_some((parsed, Hash(leaf)))
}

impl fmt::Display for Promise {
    /// The text that is signed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{HEADER}\n{}", self.network)?;
        self.entries.iter().try_for_each(|(index, leaf)| writeln!(f, "{index} {}", STANDARD.encode(leaf.0)))
    }
}

#[cfg(test)]
mod tests {
    use cairn_core::ed25519::SigningKey;

    use super::*;
    use crate::tree::leaf_hash;

    fn signer() -> NoteSigner {
        NoteSigner::new(&promise_key_name("log.example"), SigningKey::from_seed([5; 32])).unwrap()
    }

    fn promise() -> Promise {
        let entries = vec![(7, leaf_hash(b"a")), (8, leaf_hash(b"b")), (3, leaf_hash(b"c"))];
        Promise { network: Hash::of(b"genesis"), entries }
    }

    #[test]
    fn a_promise_is_this_text() {
        let promise = Promise { network: Hash([0xab; 32]), entries: vec![(10, Hash::ZERO), (9, Hash([0xff; 32]))] };
        let text = [
            "cairn/promise/1",
            "abababababababababababababababababababababababababababababababab",
            "10 AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
            "9 //////////////////////////////////////////8=",
            "",
        ];
        assert_eq!(promise.to_string(), text.join("\n"));
    }

    #[test]
    fn a_signed_promise_opens_with_its_key() {
        let note = promise().sign(&signer()).unwrap();
        assert!(note.contains("\u{2014} log.example/promise "), "{note}");
        assert_eq!(Promise::open(&note, signer().verifier()).unwrap(), promise());
    }

    #[test]
    fn a_promise_is_broken_by_another_leaf_at_its_index_and_by_nothing_else() {
        let promise = promise();
        assert_eq!(promise.broken_by(7, leaf_hash(b"a")), None);
        assert_eq!(promise.broken_by(7, leaf_hash(b"x")), Some(leaf_hash(b"a")));
        assert_eq!(promise.broken_by(9, leaf_hash(b"x")), None);
        let log = |index: u64| Ok::<_, MerkleError>(if index == 3 { leaf_hash(b"x") } else { leaf_hash(b"a") });
        assert_eq!(promise.first_broken(3, log).unwrap(), None);
        assert_eq!(promise.first_broken(4, log).unwrap(), Some(3));
        assert_eq!(promise.first_broken(9, log).unwrap(), Some(8));
    }

    #[test]
    fn what_is_not_a_promise_of_this_key_is_refused() {
        let other = NoteSigner::new("log.example/promise", SigningKey::from_seed([6; 32])).unwrap();
        let note = promise().sign(&signer()).unwrap();
        assert_eq!(Promise::open(&note, other.verifier()).unwrap_err().code(), "LOG-UNSIGNED");
        assert_eq!(
            Promise::open(&note.replace("\n7 ", "\n6 "), signer().verifier()).unwrap_err().code(),
            "LOG-SIGNATURE"
        );
        let good = promise().to_string();
        for bad in [
            good.replace("promise/1", "promise/2"),
            good.replace("\n7 ", "\n07 "),
            good.replace("\n7 ", "\n7  "),
            good.replace("\n7 ", "\n\n7 "),
            good.lines().take(2).map(|line| format!("{line}\n")).collect(),
            good.lines().take(1).map(|line| format!("{line}\n")).collect(),
            good.replace(&promise().network.to_hex(), &promise().network.to_hex().to_uppercase()),
        ] {
            let note = Note::new(bad.clone(), vec![signer().sign(&bad)]).unwrap().to_string();
            assert_eq!(Promise::open(&note, signer().verifier()).unwrap_err().code(), "LOG-PROMISE", "{bad}");
        }
        let empty = Promise { entries: vec![], ..promise() };
        assert_eq!(empty.sign(&signer()).unwrap_err().code(), "LOG-PROMISE");
    }
}

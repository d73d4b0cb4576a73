//! Promises kept: a file of signed notes, each of which would prove that the operator broke its word.
//!
//! Notes follow each other, one blank line between them; each begins with the line `cairn/promise/1`. The file is only
//! ever appended to.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use cairn_merkle::{MerkleError, NoteVerifier, Promise};

use crate::failure::Failure;

/// The first line of every promise.
const HEADER: &str = "cairn/promise/1";

/// A file that promises are appended to. It is made with the first one.
#[derive(Debug)]
pub struct PromiseFile {
    path: PathBuf,
    file: Option<File>,
}

impl PromiseFile {
    /// The file named, or the one beside a key: its name with `.promises`. A folder that cannot be written is found out
    /// here, before anything is sent.
    ///
    /// # Errors
    /// When the file's folder is not there.
    pub fn beside(key: &Path, named: Option<&Path>) -> Result<Self, Failure> {
        let path = named.map_or_else(
            || {
                let mut name = key.as_os_str().to_owned();
                name.push(".promises");
                PathBuf::from(name)
            },
            Path::to_owned,
        );
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        std::fs::metadata(folder).map_err(|error| Failure::io("find", folder, &error))?;
        Ok(Self { path, file: None })
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Appends a promise, on disk when this returns; an empty one promises nothing and is left out.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn keep(&mut self, note: &str) -> Result<(), Failure> {
        if note.is_empty() {
            return Ok(());
        }
        let failed = |error| {
            Failure::io("keep the promise in", &self.path, &error)
                .hint("what was sent is in the log all the same; only the proof of the operator's word is lost")
        };
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(OpenOptions::new().append(true).create(true).open(&self.path).map_err(failed)?),
        };
        let end = if note.ends_with('\n') { "\n" } else { "\n\n" };
        file.write_all([note, end].concat().as_bytes()).and_then(|()| file.sync_data()).map_err(failed)
    }
}

/// The notes in a promise file.
///
/// # Errors
/// When the file cannot be read, or holds none.
pub fn read_promises(path: &Path) -> Result<Vec<String>, Failure> {
    let text = std::fs::read_to_string(path).map_err(|error| Failure::io("read", path, &error))?;
    split_promises(&text).ok_or_else(|| no_promise(path))
}

/// The notes in the text of a promise file; `None` when it does not begin with one.
#[must_use]
pub fn split_promises(text: &str) -> Option<Vec<String>> {
    let mut notes: Vec<String> = Vec::new();
    for line in text.split_inclusive('\n') {
        let bare = line.strip_suffix('\n').unwrap_or(line);
        match (bare.strip_suffix(HEADER), notes.last_mut()) {
            // Also behind a line that a crash left without its end: what was kept before and after it stays whole. No other
            // line of a note ends so: they end in base64 of a length that is padded, or in a hash.
            (Some(torn), last) => {
                match last {
                    Some(note) => note.push_str(torn),
                    None if HEADER.starts_with(torn) => {}
                    None => return None,
                }
                notes.push(line[torn.len()..].to_owned());
            }
            (None, Some(note)) => note.push_str(line),
            (None, None) => return None,
        }
    }
    // The blank line that separates two notes is part of neither.
    let whole: Vec<String> = notes.iter().map(|note| format!("{}\n", note.trim_end_matches('\n'))).collect();
    if whole.is_empty() { None } else { Some(whole) }
}

/// The promises that a key signed, each with its note, and why the first of the other notes is none: a crash may have torn
/// one, and those after it bind the operator all the same.
#[must_use]
pub fn open_promises(notes: Vec<String>, key: &NoteVerifier) -> (Vec<(String, Promise)>, Option<MerkleError>) {
    let (mut opened, mut refused) = (Vec::new(), None);
    for note in notes {
        match Promise::open(&note, key) {
            Ok(promise) => opened.push((note, promise)),
            Err(error) => refused = refused.or(Some(error)),
        }
    }
    (opened, refused)
}

/// The failure that a note in a file is which is no promise of the network asked.
#[must_use]
pub fn no_promise_of_network(path: &Path, error: &MerkleError) -> Failure {
    Failure::wrong(error.code(), format!("a promise in {}: {error}", path.display()))
        .hint("is it from this network? ask the gateway that made it, with --url")
}

fn no_promise(path: &Path) -> Failure {
    Failure::wrong("LOG-PROMISE", format!("{} does not begin with a promise", path.display()))
        .hint("give a file that `cairn send` or `cairn enrol` has written")
}

#[cfg(test)]
mod tests {
    use cairn_core::Hash;
    use cairn_core::ed25519::SigningKey;
    use cairn_merkle::NoteSigner;

    use super::*;

    #[test]
    fn promises_come_back_as_they_were_kept() {
        let folder = tempfile::tempdir().unwrap();
        let key = folder.path().join("device.key");
        let notes =
            ["cairn/promise/1\nabc\n7 x\n\n\u{2014} log/promise AA==\n", "cairn/promise/1\nabc\n8 y\n\n\u{2014} l B\n"];
        let mut file = PromiseFile::beside(&key, None).unwrap();
        file.keep(notes[0]).unwrap();
        file.keep("").unwrap();
        let mut file = PromiseFile::beside(&key, None).unwrap();
        file.keep(notes[1]).unwrap();
        assert_eq!(file.path(), folder.path().join("device.key.promises"));
        assert_eq!(read_promises(file.path()).unwrap(), notes);
    }

    #[test]
    fn a_promise_stays_whole_when_a_crash_began_the_next_one() {
        let whole = "cairn/promise/1\nabc\n7 x\n\n\u{2014} l B\n";
        assert_eq!(split_promises(&["cairn/pro", whole].concat()).unwrap(), [whole]);
        for torn in ["", "\n", "\ncairn/promise/1", "\ncairn/promise/1\n", "\ncairn/promise/1\nab"] {
            let notes = split_promises(&[whole, torn].concat()).unwrap();
            assert_eq!(notes[0], whole, "{torn:?}");
            assert_eq!(notes.len(), 1 + usize::from(torn.len() > 1), "{torn:?}");
        }
    }

    #[test]
    fn a_note_that_a_crash_tore_hides_no_promise_after_it() {
        let signer = NoteSigner::new("log.example/promise", SigningKey::from_seed([5; 32])).unwrap();
        let promise = |index| Promise { network: Hash::of(b"genesis"), entries: vec![(index, Hash::ZERO)] };
        let [one, two] = [7, 8].map(|index| promise(index).sign(&signer).unwrap());
        let text = [one.as_str(), "\n", &two[..two.len() - 20], &two, "\n"].concat();
        let (opened, refused) = open_promises(split_promises(&text).unwrap(), signer.verifier());
        assert_eq!(opened, [(one.clone(), promise(7)), (two, promise(8))]);
        assert!(refused.is_some());
        assert_eq!(open_promises(vec![one.clone()], signer.verifier()), (vec![(one, promise(7))], None));
    }

    #[test]
    fn a_file_without_promises_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("other");
        for text in ["", "\n", "no promise\n"] {
            std::fs::write(&path, text).unwrap();
            assert_eq!(read_promises(&path).unwrap_err().code, "LOG-PROMISE", "{text:?}");
        }
        assert_eq!(PromiseFile::beside(Path::new("/nowhere/at/all.key"), None).unwrap_err().code, "NET-IO");
    }
}

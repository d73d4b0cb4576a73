//! Promises kept: a file of signed notes, each of which would prove that the operator broke its word.
//!
//! Notes follow each other, one blank line between them; each begins with the line `cairn/promise/1`. The file is only
//! ever appended to.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

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
        match notes.last_mut() {
            // Also where a crash left a line without its end: what was kept before stays whole.
            _ if line.strip_suffix('\n').unwrap_or(line) == HEADER => notes.push(line.to_owned()),
            Some(note) => note.push_str(line),
            None => return None,
        }
    }
    // The blank line that separates two notes is part of neither.
    let whole: Vec<String> = notes.iter().map(|note| format!("{}\n", note.trim_end_matches('\n'))).collect();
    if whole.is_empty() { None } else { Some(whole) }
}

fn no_promise(path: &Path) -> Failure {
    Failure::wrong("LOG-PROMISE", format!("{} does not begin with a promise", path.display()))
        .hint("give a file that `cairn send` or `cairn enrol` has written")
}

#[cfg(test)]
mod tests {
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
        for torn in ["", "\n", "\ncairn/promise/1", "\ncairn/promise/1\n", "\ncairn/promise/1\nab"] {
            let notes = split_promises(&[whole, torn].concat()).unwrap();
            assert_eq!(notes[0], whole, "{torn:?}");
            assert_eq!(notes.len(), 1 + usize::from(torn.len() > 1), "{torn:?}");
        }
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

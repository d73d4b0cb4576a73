//! The history of a log's cosigned checkpoints: an append-only file, thinned, that is read in pages.
//!
//! What is kept bounds the log's time: of each size the first time at which it was seen, and the last. In any minute (or
//! what else was asked for) at most one is kept, unless the caller wants it kept; the latest is in memory only, since the
//! log's or the witness's own file holds it. A checkpoint is synced when it is appended.
//!
//! Each stands behind a line `cosigned <bytes> <crc32c> <size> <time>`. What a crash or a damaged disk left between is
//! passed over; what follows counts. After a disk failed in any way but being full nothing more is appended until the file
//! is read again.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cairn_log::{Disk, DiskFile};
use cairn_merkle::note::Note;

use crate::WitnessError;
use crate::files::{failed, unwritten};

/// The most checkpoints in one page.
pub const PAGE_NOTES_MAX: usize = 1_000;
/// The most bytes in one page, unless one checkpoint alone has more.
const PAGE_BYTES_MAX: usize = 1 << 20;
/// The longest checkpoint kept.
const NOTE_BYTES_MAX: usize = 256 << 10;
/// The longest line before a checkpoint.
const HEAD_BYTES_MAX: usize = 80;
/// Bytes read at once when the file is opened.
const PIECE_BYTES: usize = 1 << 20;

/// A log's history. Clones are the same history.
#[derive(Clone)]
pub struct History {
    inner: Arc<Mutex<Inner>>,
}

struct Inner {
    disk: Arc<dyn Disk>,
    name: String,
    file: Option<Arc<dyn DiskFile>>,
    /// Where the next one is written.
    end: u64,
    kept: Vec<Kept>,
    /// The latest, where it is not kept.
    pending: Option<(Kept, String)>,
    every_s: u64,
    skipped_bytes: u64,
    /// Whether something else than a whole checkpoint is at the end of the file.
    is_torn: bool,
    stopped: bool,
}

/// One checkpoint and where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Kept {
    offset: u64,
    length: usize,
    size: u64,
    time_s: u64,
}

impl History {
    /// Opens the history in the file `name`, which is made with the first checkpoint kept; keeps at most one in `every_s`
    /// seconds. Opening writes nothing, so another process may read what one writes.
    ///
    /// # Errors
    /// [`WitnessError::Io`].
    pub fn open(disk: Arc<dyn Disk>, name: &str, every_s: u64) -> Result<Self, WitnessError> {
        let mut inner = Inner {
            disk,
            name: name.to_owned(),
            file: None,
            end: 0,
            kept: Vec::new(),
            pending: None,
            every_s,
            skipped_bytes: 0,
            is_torn: false,
            stopped: false,
        };
        match inner.disk.open(name) {
            Ok(file) => inner.read(file)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(failed("open", name)(error)),
        }
        Ok(Self { inner: Arc::new(Mutex::new(inner)) })
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the file was there.
    #[must_use]
    pub fn exists(&self) -> bool {
        self.inner().file.is_some()
    }

    /// Bytes of the file that were passed over when it was opened: damaged, or cut short by a crash.
    #[must_use]
    pub fn skipped_bytes(&self) -> u64 {
        self.inner().skipped_bytes
    }

    /// Checkpoints to read, the latest among them.
    #[must_use]
    pub fn count(&self) -> u64 {
        let inner = self.inner();
        inner.kept.len() as u64 + u64::from(inner.pending.is_some())
    }

    /// Takes a checkpoint of `size` entries, cosigned at `time_s` (seconds since 1970 UTC), and keeps it if it is due, or
    /// if `keep` says so. One that is older than the last is passed over.
    ///
    /// # Errors
    /// [`WitnessError::Full`] while the disk is; after another [`WitnessError`] nothing more is written.
    pub fn push(&self, note: &Note, size: u64, time_s: u64, keep: bool) -> Result<(), WitnessError> {
        self.inner().push(note.to_string(), size, time_s, keep)
    }

    /// Keeps the latest, due or not: nobody else will hold it.
    ///
    /// # Errors
    /// As [`History::push`].
    pub fn flush(&self) -> Result<(), WitnessError> {
        let mut inner = self.inner();
        inner.pending.take().map_or(Ok(()), |(kept, text)| inner.append_pending(kept, text))
    }

    /// Checkpoints from number `from` on, one after the other, at most `limit` and about 1 MiB; empty at the end.
    ///
    /// # Errors
    /// [`WitnessError::Io`].
    pub fn page(&self, from: u64, limit: usize) -> Result<String, WitnessError> {
        let inner = self.inner();
        let from = usize::try_from(from).unwrap_or(usize::MAX).min(inner.kept.len() + 1);
        let limit = limit.clamp(1, PAGE_NOTES_MAX);
        let mut page = String::new();
        let mut taken = 0;
        for kept in inner.kept.iter().skip(from) {
            if taken == limit || (taken > 0 && page.len() + kept.length > PAGE_BYTES_MAX) {
                return Ok(page);
            }
            page.push_str(&inner.text(kept)?);
            taken += 1;
        }
        if let Some((_, text)) = inner.pending.as_ref().filter(|_| from <= inner.kept.len() && taken < limit) {
            page.push_str(text);
        }
        Ok(page)
    }
}

impl Inner {
    fn text(&self, kept: &Kept) -> Result<String, WitnessError> {
        let file = self.file.as_ref().expect("what is kept is in the file");
        let mut bytes = vec![0; kept.length];
        file.read_at(kept.offset, &mut bytes).map_err(failed("read", &self.name))?;
        let damaged = || failed("read", &self.name)(io::Error::other("a checkpoint is not text any more"));
        String::from_utf8(bytes).map_err(|_| damaged())
    }

    fn push(&mut self, text: String, size: u64, time_s: u64, keep: bool) -> Result<(), WitnessError> {
        let now = Kept { offset: 0, length: text.len(), size, time_s };
        let before = self.pending.as_ref().map(|(kept, _)| *kept).or(self.kept.last().copied());
        let is_old = before.is_some_and(|before| (size, time_s) < (before.size, before.time_s));
        let is_same = !keep && before.is_some_and(|before| (size, time_s) == (before.size, before.time_s));
        if text.len() > NOTE_BYTES_MAX || is_old || is_same {
            return Ok(());
        }
        // The last word on a size that the log has left.
        if let Some((last_word, text)) = self.pending.take_if(|(pending, _)| pending.size != size)
            && self.is_due(last_word.time_s)
        {
            self.append_pending(last_word, text)?;
        }
        let is_first_word = self.kept.last().is_none_or(|last| last.size != size);
        if keep || (is_first_word && self.is_due(time_s)) {
            self.pending = None;
            return self.append(now, &text);
        }
        self.pending = Some((now, text));
        Ok(())
    }

    fn is_due(&self, time_s: u64) -> bool {
        self.kept.last().is_none_or(|last| time_s.saturating_sub(last.time_s) >= self.every_s)
    }

    /// Appends what was pending; it stays so while the disk is full.
    fn append_pending(&mut self, kept: Kept, text: String) -> Result<(), WitnessError> {
        self.append(kept, &text).inspect_err(|error| {
            if matches!(error, WitnessError::Full { .. }) {
                self.pending = Some((kept, text));
            }
        })
    }

    fn append(&mut self, mut kept: Kept, text: &str) -> Result<(), WitnessError> {
        if self.stopped {
            return Ok(());
        }
        self.stopped = true;
        // What a crash left at the end is a line of its own, so that what follows is found.
        let line_end = if self.is_torn { "\n" } else { "" };
        let head = format!("{line_end}{}", head_of(kept.size, kept.time_s, text));
        let file = match &self.file {
            Some(file) => file.clone(),
            None => {
                let created = self.disk.create(&self.name).map_err(unwritten("create", &self.name));
                self.stopped = !matches!(created, Err(WitnessError::Full { .. }));
                let file = created?;
                self.disk.sync_folder().map_err(failed("sync the folder of", &self.name))?;
                self.file = Some(file.clone());
                file
            }
        };
        let written = file.write_at(self.end, format!("{head}{text}").as_bytes());
        written.map_err(unwritten("write", &self.name)).inspect_err(|error| {
            // A full disk may have room later, and what it took of this is written over.
            self.stopped = !matches!(error, WitnessError::Full { .. });
        })?;
        file.sync().map_err(failed("sync", &self.name))?;
        kept.offset = self.end + head.len() as u64;
        self.end = kept.offset + kept.length as u64;
        self.kept.push(kept);
        self.is_torn = false;
        self.stopped = false;
        Ok(())
    }

    /// Finds every whole checkpoint in the file, and where the next one goes.
    fn read(&mut self, file: Arc<dyn DiskFile>) -> Result<(), WitnessError> {
        let size = file.size().map_err(failed("read", &self.name))?;
        let (mut piece, mut start) = (Vec::new(), 0u64);
        let mut at = 0;
        loop {
            let read_to = start + piece.len() as u64;
            if piece.len() - at < HEAD_BYTES_MAX + NOTE_BYTES_MAX && read_to < size {
                piece.drain(..at);
                (start, at) = (start + at as u64, 0);
                let more = usize::try_from((size - read_to).min(PIECE_BYTES as u64)).expect("at most PIECE_BYTES");
                let have = piece.len();
                piece.resize(have + more, 0);
                file.read_at(read_to, &mut piece[have..]).map_err(failed("read", &self.name))?;
                continue;
            }
            let rest = &piece[at..];
            if rest.is_empty() {
                break;
            }
            match parse(rest) {
                Some((head, kept)) => {
                    self.kept.push(Kept { offset: start + (at + head) as u64, ..kept });
                    at += head + kept.length;
                }
                None => {
                    let line = rest.iter().position(|byte| *byte == b'\n').map_or(rest.len(), |end| end + 1);
                    self.skipped_bytes += line as u64;
                    at += line;
                }
            }
        }
        self.end = size;
        self.is_torn = size > 0 && self.kept.last().is_none_or(|last| last.offset + last.length as u64 != size);
        self.file = Some(file);
        Ok(())
    }
}

fn head_of(size: u64, time_s: u64, text: &str) -> String {
    format!("cosigned {} {:08x} {size} {time_s}\n", text.len(), checksum(size, time_s, text.as_bytes()))
}

fn checksum(size: u64, time_s: u64, text: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(format!("{size} {time_s}\n").as_bytes()), text)
}

/// The checkpoint at the beginning of these bytes, and the length of the line before it.
fn parse(bytes: &[u8]) -> Option<(usize, Kept)> {
    let end = bytes.iter().take(HEAD_BYTES_MAX).position(|byte| *byte == b'\n')?;
    let head = core::str::from_utf8(&bytes[..end]).ok()?;
    let mut words = head.strip_prefix("cosigned ")?.split(' ');
    let length: usize = words.next()?.parse().ok()?;
    let crc = u32::from_str_radix(words.next()?, 16).ok()?;
    let (size, time_s) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
    let text = bytes.get(end + 1..end.checked_add(1)?.checked_add(length)?)?;
    let is_whole = words.next().is_none() && checksum(size, time_s, text) == crc;
    is_whole.then_some((end + 1, Kept { offset: 0, length, size, time_s }))
}

#[cfg(test)]
mod tests {
    use cairn_core::Hash;
    use cairn_core::ed25519::SigningKey;
    use cairn_log::StdDisk;
    use cairn_merkle::witness::parse_history;
    use cairn_merkle::{Checkpoint, Cosigner};
    use cairn_testkit::disk::{Faults, FaultyDisk};
    use proptest::prelude::*;

    use super::*;

    fn note(size: u64, time_s: u64) -> Note {
        let witness = Cosigner::new("witness.example", SigningKey::from_seed([2; 32])).unwrap();
        let checkpoint = Checkpoint::new("log.example", size, Hash::ZERO).unwrap();
        Note::new(checkpoint.to_string(), vec![witness.cosign(&checkpoint, time_s).unwrap()]).unwrap()
    }

    fn read(history: &History, limit: usize) -> Vec<Note> {
        let mut notes = Vec::new();
        loop {
            let page = parse_history(&history.page(notes.len() as u64, limit).unwrap()).unwrap();
            if page.is_empty() {
                return notes;
            }
            notes.extend(page);
        }
    }

    #[test]
    fn of_each_size_the_first_and_the_last_time_are_kept_but_no_more_than_one_a_minute() {
        // Size and time pushed, whether it is to be kept, and the times then in the history.
        let cases: [(u64, u64, bool, &[u64]); 10] = [
            (5, 1_000, false, &[1_000]),
            (5, 1_000, false, &[1_000]),
            (6, 1_010, false, &[1_000, 1_010]),
            (7, 1_050, false, &[1_000, 1_050]),
            (7, 1_200, false, &[1_000, 1_200]),
            (7, 1_260, false, &[1_000, 1_200, 1_260]),
            (9, 1_261, false, &[1_000, 1_200, 1_260, 1_261]),
            (9, 1_262, true, &[1_000, 1_200, 1_260, 1_262]),
            (8, 1_900, false, &[1_000, 1_200, 1_260, 1_262]),
            (10, 1_900, false, &[1_000, 1_200, 1_260, 1_262, 1_900]),
        ];
        let folder = tempfile::tempdir().unwrap();
        let disk: Arc<dyn Disk> = Arc::new(StdDisk::create(folder.path()).unwrap());
        let mut history = History::open(disk.clone(), "history", 60).unwrap();
        for (at, (size, time_s, keep, times)) in cases.into_iter().enumerate() {
            history.push(&note(size, time_s), size, time_s, keep).unwrap();
            let found: Vec<u64> = read(&history, 2)
                .iter()
                .map(|note| u64::from_be_bytes(note.signatures()[0].bytes[..8].try_into().unwrap()))
                .collect();
            assert_eq!(found, times, "after case {at}");
            if at == 6 {
                // What is pending comes back from elsewhere.
                history = History::open(disk.clone(), "history", 60).unwrap();
                history.push(&note(9, 1_261), 9, 1_261, false).unwrap();
            }
        }
        assert_eq!((history.count(), history.skipped_bytes()), (5, 0));
    }

    #[test]
    fn a_full_disk_is_outlasted_from_the_first_checkpoint_on_and_costs_no_last_word() {
        let disk = FaultyDisk::new(1, Faults::default());
        let history = History::open(Arc::new(disk.clone()), "history", 60).unwrap();
        let push = |size, time_s| history.push(&note(size, time_s), size, time_s, false).map_err(|error| error.code());
        disk.fill();
        assert_eq!(push(5, 1_000), Err("WIT-FULL"));
        disk.make_room();
        assert_eq!((push(5, 1_000), push(5, 1_200)), (Ok(()), Ok(())));
        disk.fill();
        assert_eq!(push(6, 1_210), Err("WIT-FULL"));
        assert_eq!(history.flush().map_err(|error| error.code()), Err("WIT-FULL"));
        disk.make_room();
        assert_eq!(push(7, 1_300), Ok(()));
        assert_eq!(read(&history, 9), [note(5, 1_000), note(5, 1_200), note(7, 1_300)]);
    }

    proptest! {
        /// A turned bit costs the checkpoint it is in, a lost end those that it held, and no other.
        #[test]
        fn damage_costs_what_it_touches_and_nothing_else(cut in 0usize..4_000, at in 0usize..4_000, bit in 0u8..8) {
            let folder = tempfile::tempdir().unwrap();
            let disk: Arc<dyn Disk> = Arc::new(StdDisk::create(folder.path()).unwrap());
            let history = History::open(disk.clone(), "history", 0).unwrap();
            let all: Vec<Note> = (1..=10).map(|n| note(n, n)).collect();
            for (note, n) in all.iter().zip(1..) {
                history.push(note, n, n, false).unwrap();
            }
            let path = folder.path().join("history");
            let mut bytes = std::fs::read(&path).unwrap();
            let each = bytes.len() / 10;
            let (cut, at) = (cut % (bytes.len() + 1), at % bytes.len());
            bytes[at] ^= 1 << bit;
            bytes.truncate(cut);
            std::fs::write(&path, &bytes).unwrap();
            for _ in 0..2 {
                let history = History::open(disk.clone(), "history", 0).unwrap();
                let left: Vec<Note> = read(&history, 1_000);
                prop_assert!(left.iter().all(|note| all.contains(note) || note == &self::note(11, 11)));
                let whole = all.iter().enumerate().filter(|(n, _)| {
                    let range = n * (each - 1)..(n + 1) * (each + 1);
                    range.end <= cut && !range.contains(&at)
                });
                for (n, note) in whole {
                    prop_assert!(left.contains(note), "checkpoint {n} of {} bytes, cut at {cut}, bit at {at}", each);
                }
                history.push(&note(11, 11), 11, 11, true).unwrap();
                prop_assert_eq!(read(&history, 1_000).pop(), Some(note(11, 11)));
            }
        }
    }
}

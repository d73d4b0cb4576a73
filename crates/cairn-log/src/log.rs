//! The one writer of a log.

use std::sync::Arc;

use cairn_core::Hash;
use cairn_merkle::note::{Note, NoteSignature};
use cairn_merkle::{Checkpoint, Frontier, MerkleError, NoteSigner};

use crate::batch::{Batch, Standing};
use crate::commits::CommitWriter;
use crate::disk::{Disk, DiskFile, WriterLock};
use crate::error::{failed, unwritten};
use crate::format::{BUNDLES, HASH_BYTES, PLACE_BYTES, ROOM, UNFINISHED, level_name, segment_name};
use crate::publishing::{Begun, PendingCheckpoint, swap_lock_record};
use crate::recovery::{Recovered, Recovery, recover};
use crate::reserve::Reserved;
use crate::store::{Published, Segment, Shared, bundle_count};
use crate::{LogError, LogReader};

/// How a log is kept.
#[derive(Debug, Clone, Copy)]
pub struct LogOptions {
    /// After this many bytes the next bundle begins a new segment. Default 1 GiB.
    pub segment_bytes: u64,
    /// Room for entries is reserved in steps of this many bytes, which makes syncs faster; 0 reserves none. Default 4 MiB.
    pub reserve_bytes: u64,
}

impl Default for LogOptions {
    fn default() -> Self {
        Self { segment_bytes: 1 << 30, reserve_bytes: 4 << 20 }
    }
}

/// Room for commit records is reserved in steps of at most this many bytes: a thousand records.
const COMMITS_STEP_MAX: u64 = 1 << 16;

/// The most that [`Log::try_room`] writes, in bytes.
const ROOM_BYTES_MAX: u64 = 8 << 20;

/// What [`Log::append`] made durable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Appended {
    /// The index of the first entry; the others follow.
    pub first_index: u64,
    /// The leaf hash of each entry, in order.
    pub leaf_hashes: Vec<Hash>,
}

/// A log, open for writing. There is one writer at a time; [`Log::reader`] gives any number of readers.
pub struct Log {
    disk: Arc<dyn Disk>,
    options: LogOptions,
    shared: Arc<Shared>,
    frontier: Frontier,
    commits: CommitWriter,
    /// How far the last segment is reserved.
    reserved: Reserved,
    bundles: Arc<dyn DiskFile>,
    stopped: Option<String>,
    /// Whether a checkpoint is begun and not ended.
    is_publishing: bool,
    _writer: Box<dyn WriterLock>,
}

impl Log {
    /// Opens the log on `disk`, or begins one if the disk is empty.
    ///
    /// What a crash left half-done is undone, hashes that a crash may have lost are computed again, and the entries are
    /// held against the last checkpoint.
    ///
    /// # Errors
    /// [`LogError::Locked`] if another process writes it; [`LogError::Short`] or [`LogError::Forked`] if the entries are
    /// not those under the last checkpoint; [`LogError::Damaged`], [`LogError::Format`], [`LogError::Io`].
    pub fn open(disk: Arc<dyn Disk>, options: LogOptions) -> Result<(Self, Recovery), LogError> {
        let writer = disk.lock_writer().map_err(|error| match error.kind() {
            std::io::ErrorKind::WouldBlock => LogError::Locked,
            _ => failed("lock", crate::format::WRITER_LOCK)(error),
        })?;
        let Recovered { view, frontier, commits, bundles, recovery } =
            recover(&*disk, options.reserve_bytes.min(COMMITS_STEP_MAX))?;
        let last_bytes = view.segments.last().map_or(0, |last| view.end - last.start);
        let log = Self {
            disk,
            options,
            shared: Arc::new(Shared::new(view)),
            frontier,
            commits,
            reserved: Reserved::from(last_bytes, options.reserve_bytes),
            bundles,
            stopped: None,
            is_publishing: false,
            _writer: writer,
        };
        Ok((log, recovery))
    }

    /// A reader of this log, for any thread.
    #[must_use]
    pub fn reader(&self) -> LogReader {
        LogReader::new(self.shared.clone())
    }

    /// Number of entries.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.frontier.size()
    }

    /// The root over all entries.
    #[must_use]
    pub fn root(&self) -> Hash {
        self.shared.read().root
    }

    /// Appends entries, each of at most 65,535 bytes. When it returns they are durable at the indices it names, all of
    /// them; if it fails, none of them counts unless a later start says so.
    ///
    /// Costs two syncs of the disk, however many entries there are.
    ///
    /// # Errors
    /// [`MerkleError::EntryLength`] if an entry is too long: nothing was written. [`LogError::Full`] if the disk is full:
    /// the log is as it was, and takes entries again when there is room. [`LogError::Io`] if the disk failed,
    /// [`LogError::Stopped`] ever after.
    pub fn append<E: AsRef<[u8]>>(&mut self, entries: &[E]) -> Result<Appended, LogError> {
        let first_index = self.size();
        if entries.is_empty() {
            return Ok(Appended { first_index, leaf_hashes: Vec::new() });
        }
        let batch = {
            let view = self.shared.read();
            let segment = view.segments.last().map(|segment| (segment.first_index, segment.start));
            let segment_bytes = self.options.segment_bytes;
            let before = Standing { frontier: &self.frontier, end: view.end, segment, segment_bytes };
            Batch::prepare(&before, entries)?
        };
        self.attempt(|log| log.commit(batch)).map(|leaf_hashes| Appended { first_index, leaf_hashes })
    }

    /// Signs a checkpoint of all entries and publishes it, with cosignatures if some are at hand.
    ///
    /// It is on disk as the lock record before this returns it, so a crash cannot make the log forget what others have
    /// seen. If nothing was appended since the last checkpoint, that one is returned.
    ///
    /// # Errors
    /// [`MerkleError::Origin`] if the signer bears another name than the log's earlier checkpoints, [`LogError::LockRecord`]
    /// if somebody else changed the lock record, [`LogError::Full`] if the disk is full, which may be tried again,
    /// [`LogError::Io`] if the disk failed, [`LogError::Stopped`] ever after.
    pub fn publish_checkpoint(
        &mut self,
        signer: &NoteSigner,
        cosignatures: &[NoteSignature],
    ) -> Result<String, LogError> {
        let pending = match self.begin_checkpoint(signer, cosignatures)? {
            Begun::Pending(pending) => pending,
            Begun::Published(note) => return Ok(note),
        };
        let published = pending.publish();
        self.end_checkpoint(published)?;
        Ok(pending.next.text.to_string())
    }

    /// Signs a checkpoint of all entries, for [`PendingCheckpoint::publish`] to publish on any thread, while this one
    /// appends. What came of it is handed to [`Log::end_checkpoint`]; until then nothing else is published and no
    /// cosignature added.
    ///
    /// # Errors
    /// As [`Log::publish_checkpoint`]; [`LogError::Publishing`] while another one is under way.
    pub fn begin_checkpoint(&mut self, signer: &NoteSigner, cosignatures: &[NoteSignature]) -> Result<Begun, LogError> {
        self.check_not_publishing()?;
        let published = self.shared.read().published.clone();
        let checkpoint = Checkpoint::new(signer.name(), self.size(), self.root())?;
        if let Some(published) = &published {
            if published.checkpoint.origin() != signer.name() {
                let expected = published.checkpoint.origin().to_owned();
                return Err(MerkleError::Origin { expected, found: signer.name().to_owned() }.into());
            }
            let by_signer = signed_by(&published.text, signer);
            if published.checkpoint == checkpoint && by_signer && cosignatures.is_empty() && self.stopped.is_none() {
                return Ok(Begun::Published(published.text.to_string()));
            }
        }
        let note = checkpoint.sign(signer, cosignatures)?.to_string();
        let copy = self.attempt(|log| log.commits.copied())?;
        let levels = self.shared.read().levels.clone();
        self.is_publishing = true;
        Ok(Begun::Pending(Box::new(PendingCheckpoint {
            disk: self.disk.clone(),
            shared: self.shared.clone(),
            copy,
            levels,
            bundles: self.bundles.clone(),
            expected: published,
            next: Published { text: note.as_str().into(), checkpoint },
        })))
    }

    /// Ends what [`Log::begin_checkpoint`] began, with what came of publishing.
    ///
    /// # Errors
    /// That of `published`. [`LogError::Full`] may be tried again; after any other the log is stopped.
    pub fn end_checkpoint(&mut self, published: Result<(), LogError>) -> Result<(), LogError> {
        self.is_publishing = false;
        self.attempt(|_| published)
    }

    /// Whether a checkpoint is begun and not ended.
    #[must_use]
    pub const fn is_publishing(&self) -> bool {
        self.is_publishing
    }

    const fn check_not_publishing(&self) -> Result<(), LogError> {
        if self.is_publishing { Err(LogError::Publishing) } else { Ok(()) }
    }

    /// Adds the cosignatures of witnesses to the last checkpoint. Lines that it has already are left out; a later line of
    /// the same key takes the place of the earlier one, since a witness may see a checkpoint again.
    ///
    /// The lines are not verified: readers verify those of the witnesses they know.
    ///
    /// # Errors
    /// [`LogError::NoCheckpoint`] before the first one; [`MerkleError::Note`] if there would be too many lines;
    /// [`LogError::LockRecord`], [`LogError::Io`], [`LogError::Stopped`].
    pub fn add_cosignatures(&mut self, cosignatures: &[NoteSignature]) -> Result<String, LogError> {
        self.check_not_publishing()?;
        let published = self.shared.read().published.clone().ok_or(LogError::NoCheckpoint)?;
        let note: Note = published.text.parse()?;
        let mut lines = note.signatures().to_vec();
        for line in cosignatures {
            // The first line is the log's own.
            let same = |known: &NoteSignature| (&known.name, known.key_id) == (&line.name, line.key_id);
            match lines.iter().skip(1).position(same) {
                Some(at) => lines[at + 1] = line.clone(),
                None if !lines.contains(line) => lines.push(line.clone()),
                None => {}
            }
        }
        let note = Note::new(note.text().to_owned(), lines)?.to_string();
        let checkpoint = published.checkpoint.clone();
        let next = Published { text: note.as_str().into(), checkpoint };
        self.attempt(|log| swap_lock_record(&*log.disk, &log.shared, Some(&published), next))?;
        Ok(note)
    }

    /// Tries whether the disk takes `bytes` more, up to 8 MiB, in a file that is removed again.
    ///
    /// # Errors
    /// [`LogError::Full`] if it does not; [`LogError::Io`] if the disk failed, [`LogError::Stopped`] ever after.
    pub fn try_room(&mut self, bytes: u64) -> Result<(), LogError> {
        self.attempt(|log| {
            let name = format!("{ROOM}{UNFINISHED}");
            let file = log.disk.create(&name).map_err(unwritten("create", &name))?;
            let piece = vec![0xa5; usize::try_from(bytes.min(ROOM_BYTES_MAX)).expect("at most ROOM_BYTES_MAX")];
            let written = file.write_at(0, &piece).map_err(unwritten("write", &name));
            drop(file);
            log.disk.remove(&name).map_err(failed("remove", &name))?;
            written
        })
    }

    /// Does something that must not be half done: after a failure the log does nothing more. Where the disk was merely
    /// full, `work` has left everything as it was.
    fn attempt<T>(&mut self, work: impl FnOnce(&mut Self) -> Result<T, LogError>) -> Result<T, LogError> {
        if let Some(cause) = &self.stopped {
            return Err(LogError::Stopped { cause: cause.clone() });
        }
        let done = work(self);
        if let Some(error) = done.as_ref().err().filter(|error| !error.is_full()) {
            self.stopped = Some(error.to_string());
        }
        done
    }

    fn commit(&mut self, batch: Batch) -> Result<Vec<Hash>, LogError> {
        let written = self.write_derived(&batch).and_then(|new_levels| {
            let (began, reserved) = self.write_entries(&batch)?;
            self.commits.append(&batch.commit)?;
            Ok((new_levels, began, reserved))
        });
        let (new_levels, began, reserved) = match written {
            Err(full @ LogError::Full { .. }) => {
                self.undo(&batch)?;
                return Err(full);
            }
            written => written?,
        };
        self.commits.copy()?;
        let Batch { bundles, leaf_hashes, frontier, end, commit, .. } = batch;
        self.frontier = frontier;
        self.reserved = reserved;
        self.shared.change(|view| {
            view.segments.extend(began);
            view.levels.extend(new_levels);
            view.bundles.extend(bundles);
            view.end = end;
            view.size = commit.size;
            view.root = commit.root;
        });
        Ok(leaf_hashes)
    }

    /// Takes back what a full disk let be written of a batch: first the record that would make it count, then the
    /// entries. Hashes and places beyond the end are left: the next batch writes over them, and nobody reads them before.
    fn undo(&mut self, batch: &Batch) -> Result<(), LogError> {
        self.commits.undo()?;
        let mut removed = None;
        for name in batch.parts.iter().filter_map(|part| part.begins).map(segment_name) {
            match self.disk.remove(&name) {
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                done => done.map_err(failed("remove", &name))?,
            }
            removed = Some(name);
        }
        if let Some(name) = removed {
            self.disk.sync_folder().map_err(failed("sync the folder of", &name))?;
        }
        let (last, end) = {
            let view = self.shared.read();
            (view.segments.last().cloned(), view.end)
        };
        let Some(last) = last else { return Ok(()) };
        last.file.truncate(end - last.start).map_err(failed("truncate", &last.name))?;
        self.reserved.cut(end - last.start);
        last.file.sync().map_err(failed("sync", &last.name))
    }

    /// Writes and syncs the entries; the segments that began, and how far the last one is reserved.
    fn write_entries(&self, batch: &Batch) -> Result<(Vec<Segment>, Reserved), LogError> {
        let mut began: Vec<Segment> = Vec::new();
        let mut reserved = self.reserved;
        let (mut place, mut current) = {
            let view = self.shared.read();
            (view.end, view.segments.last().cloned())
        };
        for part in &batch.parts {
            if let Some(first_index) = part.begins {
                if let Some(whole) = current {
                    close_segment(&whole, place, &reserved)?;
                }
                let name = segment_name(first_index);
                let file = self.disk.create(&name).map_err(unwritten("create", &name))?;
                began.push(Segment { first_index, start: place, name, file });
                current = began.last().cloned();
                reserved = Reserved::from(0, self.options.reserve_bytes);
            }
            let segment = current.as_ref().expect("the first entry of a log begins a segment");
            let offset = place - segment.start;
            reserved.cover(&*segment.file, &segment.name, offset, offset + part.bytes.len() as u64)?;
            segment.file.write_at(offset, &part.bytes).map_err(unwritten("write", &segment.name))?;
            segment.file.sync().map_err(failed("sync", &segment.name))?;
            place += part.bytes.len() as u64;
        }
        if !began.is_empty() {
            self.disk.sync_folder().map_err(failed("sync the folder of", &began[0].name))?;
        }
        Ok((began, reserved))
    }

    /// Gives back the room that is reserved beyond the last entry and the last commit record.
    fn give_back(&mut self) -> Result<(), LogError> {
        self.commits.cut()?;
        let view = self.shared.read();
        let Some(last) = view.segments.last() else { return Ok(()) };
        let end = view.end - last.start;
        if self.reserved.is_beyond(end) {
            last.file.truncate(end).map_err(failed("truncate", &last.name))?;
        }
        Ok(())
    }

    /// Writes hashes and bundle places, which need not be durable; the hash files that began.
    fn write_derived(&self, batch: &Batch) -> Result<Vec<Arc<dyn DiskFile>>, LogError> {
        let size = self.frontier.size();
        let mut levels = self.shared.read().levels.clone();
        let known = levels.len();
        for (level, bytes) in batch.levels.iter().enumerate() {
            let name = level_name(level);
            if level == levels.len() {
                levels.push(self.disk.create(&name).map_err(unwritten("create", &name))?);
            }
            let hashes = size >> (8 * level);
            levels[level].write_at(hashes * HASH_BYTES, bytes).map_err(unwritten("write", &name))?;
        }
        let places: Vec<u8> = batch.bundles.iter().flat_map(|place| place.to_be_bytes()).collect();
        let offset = bundle_count(size) * PLACE_BYTES;
        self.bundles.write_at(offset, &places).map_err(unwritten("write", BUNDLES))?;
        Ok(levels.split_off(known))
    }
}

impl Drop for Log {
    /// A log that was closed holds what was appended and nothing else. If that fails, the next start cuts it.
    fn drop(&mut self) {
        if self.stopped.is_none() {
            let _ = self.give_back();
        }
    }
}

/// Makes a segment as long as its entries, durably, before another one begins: places in later segments count on it.
fn close_segment(segment: &Segment, end: u64, reserved: &Reserved) -> Result<(), LogError> {
    let bytes = end - segment.start;
    if !reserved.is_beyond(bytes) {
        return Ok(());
    }
    segment.file.truncate(bytes).map_err(failed("truncate", &segment.name))?;
    segment.file.sync().map_err(failed("sync", &segment.name))
}

fn signed_by(note: &str, signer: &NoteSigner) -> bool {
    note.parse::<Note>().is_ok_and(|note| note.open(core::slice::from_ref(signer.verifier())).is_ok())
}

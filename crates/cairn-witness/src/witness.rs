//! The witness itself: what it knows of each log, and whether it cosigns.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cairn_core::Hash;
use cairn_log::{Disk, WriterLock, read_whole, replace_whole};
use cairn_merkle::note::{Note, NoteSignature};
use cairn_merkle::proof::verify_consistency;
use cairn_merkle::tree::EMPTY_ROOT;
use cairn_merkle::witness::{log_id, parse_history, print_lines};
use cairn_merkle::{AddCheckpoint, Checkpoint, Cosigner, MerkleError, NoteVerifier, SignedCheckpoint};

use crate::files::{SMALL_BYTES_MAX, failed};
use crate::history::History;
use crate::record::{Latest, file_name};
use crate::{Refusal, WitnessError};

/// A clock that is so far behind the time signed last signs nothing, in seconds.
const CLOCK_BEHIND_S_MAX: u64 = 60;
/// In so many seconds at most one cosigned checkpoint is kept in a log's history.
const HISTORY_EVERY_S: u64 = 60;

/// Who is told of a fork: the log's key, and two checkpoints of one size that it signed.
pub type ForkHearer = Box<dyn Fn(&NoteVerifier, &Note, &Note) + Send + Sync>;

/// A witness of some logs.
pub struct Witness {
    disk: Arc<dyn Disk>,
    cosigner: Cosigner,
    /// By the name under which they are served.
    logs: BTreeMap<String, Log>,
    stopped: AtomicBool,
    hearer: Option<ForkHearer>,
    _writer: Box<dyn WriterLock>,
}

struct Log {
    verifier: NoteVerifier,
    /// Held from the check until the answer is durable.
    latest: Mutex<Option<Latest>>,
    history: History,
    /// Whether a fork of it was told of.
    is_told: AtomicBool,
}

impl Witness {
    /// The witness in a folder, of the logs with these keys, each of which bears its log's origin as its name.
    ///
    /// # Errors
    /// [`WitnessError::Locked`] if another process is this witness, [`WitnessError::Record`] if what was cosigned last
    /// cannot be read back, [`WitnessError::TwoKeys`], [`WitnessError::Io`].
    pub fn open(disk: Arc<dyn Disk>, cosigner: Cosigner, logs: Vec<NoteVerifier>) -> Result<Self, WitnessError> {
        let writer = disk.lock_writer().map_err(|error| match error.kind() {
            std::io::ErrorKind::WouldBlock => WitnessError::Locked,
            _ => failed("lock", "writer.lock")(error),
        })?;
        let mut known = BTreeMap::new();
        for verifier in logs {
            let origin = verifier.name().to_owned();
            let log = Log::open(&disk, verifier, cosigner.verifier())?;
            if known.insert(log_id(&origin), log).is_some() {
                return Err(WitnessError::TwoKeys { origin });
            }
        }
        // A process that was killed may have renamed a record and not made that durable; what is read here is served.
        disk.sync_folder().map_err(failed("sync the folder of", "the records"))?;
        Ok(Self { disk, cosigner, logs: known, stopped: AtomicBool::new(false), hearer: None, _writer: writer })
    }

    /// The same, which tells of forks: of those whose proof its folder holds at once, of each further log's first when it
    /// is shown one.
    #[must_use]
    pub fn telling(mut self, hearer: ForkHearer) -> Self {
        for log in self.logs.values() {
            let kept = read_whole(&*self.disk, &log.fork_file(), SMALL_BYTES_MAX).ok().flatten();
            let pair = kept.and_then(|bytes| parse_history(&String::from_utf8(bytes).ok()?).ok());
            if let Some([one, other]) = pair.as_deref() {
                log.is_told.store(true, Ordering::SeqCst);
                hearer(&log.verifier, one, other);
            }
        }
        self.hearer = Some(hearer);
        self
    }

    /// The witness's own key.
    #[must_use]
    pub const fn verifier(&self) -> &NoteVerifier {
        self.cosigner.verifier()
    }

    /// The origins of the logs, with the size cosigned last of each; nothing yet is 0.
    #[must_use]
    pub fn logs(&self) -> Vec<(String, u64)> {
        let size = |log: &Log| log.latest().as_ref().map_or(0, |latest| latest.checkpoint.size());
        self.logs.values().map(|log| (log.verifier.name().to_owned(), size(log))).collect()
    }

    /// Answers `add-checkpoint` at a time (seconds since 1970 UTC): the lines of the answer.
    ///
    /// # Errors
    /// [`Refusal`]; nothing was signed then.
    pub fn add_checkpoint(&self, body: &[u8], now_s: u64) -> Result<String, Refusal> {
        let body = core::str::from_utf8(body);
        let request = body.map_err(|_| MerkleError::Witness { reason: "it is not UTF-8 text" });
        let request: AddCheckpoint = request.and_then(str::parse).map_err(Refusal::Malformed)?;
        let checkpoint: Checkpoint = request.note.text().parse().map_err(Refusal::Malformed)?;
        let unknown = || Refusal::UnknownLog { origin: checkpoint.origin().to_owned() };
        let log = self.logs.get(&log_id(checkpoint.origin())).ok_or_else(unknown)?;
        SignedCheckpoint::open(&request.note.to_string(), &log.verifier, &[]).map_err(Refusal::Unsigned)?;
        let (old, size) = (request.old, checkpoint.size());
        if old > size {
            return Err(Refusal::Shrinks { old, size });
        }
        let mut latest = log.latest();
        if self.stopped.load(Ordering::SeqCst) {
            return Err(Refusal::Stopped);
        }
        self.check(log, latest.as_ref(), &request, &checkpoint)?;
        let signed_s = latest.as_ref().map_or(0, |latest| latest.time_s);
        let behind_s = signed_s.saturating_sub(now_s);
        if behind_s > CLOCK_BEHIND_S_MAX {
            return Err(Refusal::Clock { behind_s });
        }
        // Whoever repeats what is public costs a sync a second and no more.
        if let Some(latest) = latest.as_ref().filter(|latest| latest.checkpoint == checkpoint && now_s <= latest.time_s)
        {
            return Ok(print_lines(core::slice::from_ref(latest.line())));
        }
        let next = self.cosign(log, &request.note, checkpoint, now_s.max(signed_s))?;
        let answer = print_lines(core::slice::from_ref(next.line()));
        *latest = Some(self.keep(log, next)?);
        Ok(answer)
    }

    /// Whether a checkpoint continues the one cosigned last.
    fn check(
        &self,
        log: &Log,
        latest: Option<&Latest>,
        request: &AddCheckpoint,
        checkpoint: &Checkpoint,
    ) -> Result<(), Refusal> {
        let (size, root) =
            latest.map_or((0, EMPTY_ROOT), |latest| (latest.checkpoint.size(), latest.checkpoint.root()));
        if request.old != size {
            return Err(Refusal::Conflict { size });
        }
        if checkpoint.size() == size && checkpoint.root() != root {
            self.keep_evidence(log, latest, &request.note);
            return Err(Refusal::Fork { size });
        }
        verify_consistency(size, root, checkpoint.size(), checkpoint.root(), &request.proof).map_err(Refusal::Proof)
    }

    fn cosign(&self, log: &Log, note: &Note, checkpoint: Checkpoint, time_s: u64) -> Result<Latest, Refusal> {
        let own = self.cosigner.cosign(&checkpoint, time_s).map_err(Refusal::Malformed)?;
        let is_log = |line: &&NoteSignature| line.name == log.verifier.name() && line.key_id == log.verifier.id();
        let by_log = note.signatures().iter().find(is_log).expect("the log's signature was verified");
        let note = Note::new(note.text().to_owned(), vec![by_log.clone(), own]).map_err(Refusal::Malformed)?;
        Ok(Latest { checkpoint, note, time_s })
    }

    /// Makes durable what is about to be answered.
    fn keep(&self, log: &Log, next: Latest) -> Result<Latest, Refusal> {
        next.write(&*self.disk).map_err(|error| self.outlast(&error))?;
        let (size, time_s) = (next.checkpoint.size(), next.time_s);
        if let Err(error) = log.history.push(&next.note, size, time_s, false) {
            // The record is there, so this one is answered.
            self.outlast(&error);
        }
        Ok(next)
    }

    /// A full disk is waited out. After anything else what the disk holds is known only after reading it back.
    fn outlast(&self, error: &WitnessError) -> Refusal {
        if matches!(error, WitnessError::Full { .. }) {
            report(error);
            return Refusal::Full;
        }
        self.stopped.store(true, Ordering::SeqCst);
        report(&format_args!("{error}; nothing more is cosigned until it is started again"));
        Refusal::Stopped
    }

    /// Keeps two checkpoints that the log's key signed for one size, the first pair of each log.
    fn keep_evidence(&self, log: &Log, latest: Option<&Latest>, other: &Note) {
        let name = log.fork_file();
        report(&format_args!("`{}` is forked: proof is in {name}", log.verifier.name()));
        if matches!(read_whole(&*self.disk, &name, SMALL_BYTES_MAX), Ok(None)) {
            let first = latest.map(|latest| latest.note.to_string()).unwrap_or_default();
            if let Err(error) = replace_whole(&*self.disk, &name, format!("{first}{other}").as_bytes()) {
                self.outlast(&error.into());
            }
        }
        // Once: checkpoints are public, and anybody may show them again and again.
        if let (Some(hearer), Some(latest)) = (&self.hearer, latest)
            && !log.is_told.swap(true, Ordering::SeqCst)
        {
            hearer(&log.verifier, &latest.note, other);
        }
    }

    /// The checkpoint of a log that was cosigned last, by the log's id; `None` if the log is unknown or was never
    /// cosigned.
    #[must_use]
    pub fn checkpoint(&self, log_id: &str) -> Option<String> {
        self.logs.get(log_id)?.latest().as_ref().map(|latest| latest.note.to_string())
    }

    /// The history of a log, by the log's id.
    #[must_use]
    pub fn history(&self, log_id: &str) -> Option<&History> {
        self.logs.get(log_id).map(|log| &log.history)
    }

    /// The root that was cosigned last for a log, by the log's id.
    #[must_use]
    pub fn latest(&self, log_id: &str) -> Option<(u64, Hash)> {
        let latest = self.logs.get(log_id)?.latest();
        latest.as_ref().map(|latest| (latest.checkpoint.size(), latest.checkpoint.root()))
    }
}

impl Log {
    fn open(disk: &Arc<dyn Disk>, verifier: NoteVerifier, own: &NoteVerifier) -> Result<Self, WitnessError> {
        let origin = verifier.name();
        let latest = Latest::read(&**disk, &verifier, own)?;
        let history = History::open(disk.clone(), &format!("history-{}", log_id(origin)), HISTORY_EVERY_S)?;
        match &latest {
            Some(latest) => history.push(&latest.note, latest.checkpoint.size(), latest.time_s, false)?,
            // The history is written after it.
            None if history.exists() => {
                let reason = "it is gone, and the history shows that there was one".to_owned();
                return Err(WitnessError::Record { file: file_name(origin), origin: origin.to_owned(), reason });
            }
            None => {}
        }
        if history.skipped_bytes() > 0 {
            report(&format_args!("{} bytes of the history of `{origin}` are damaged", history.skipped_bytes()));
        }
        Ok(Self { verifier, latest: Mutex::new(latest), history, is_told: AtomicBool::new(false) })
    }

    fn fork_file(&self) -> String {
        format!("fork-{}", log_id(self.verifier.name()))
    }

    fn latest(&self) -> MutexGuard<'_, Option<Latest>> {
        // What is in it is whole at every moment: it is replaced in one step.
        self.latest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tells the witness's operator, on the standard error.
pub(crate) fn report(what: &dyn core::fmt::Display) {
    eprintln!("witness: {what}");
}

//! The signatures of auditors, beside the log: a view that nobody's pay depends on.
//!
//! One text file for each epoch, a line for each signature: the revision, and 65 bytes in hexadecimal. Nothing else is
//! needed, since every line is verified when it is read: a line that is torn or altered is passed over. A file is replaced
//! atomically and synced before anybody is told that a signature is kept.
//!
//! It is bounded by the log: only auditors of the logged set, for closed epochs, [`REVISION_MAX`] + 1 signatures each, and
//! one contradiction of each.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use cairn_core::NetworkId;
use cairn_core::statement::AuditorSet;
use cairn_core::wallet::recover_evm;
use cairn_log::{FileError, StdDisk, read_whole, replace_whole};
use cairn_settle::told::{SIGNATURE_BYTES, parse_signature, signature_text};
use cairn_settle::{EpochMessage, EvmAddress, Word};

use crate::problem::report_failure;

/// The highest revision that is kept.
pub(crate) const REVISION_MAX: u32 = 15;
/// More than the lines of 64 auditors with every revision.
const FILE_BYTES_MAX: u64 = 1 << 20;
/// Epochs whose verified signatures stay in memory.
const EPOCHS_HELD: usize = 64;

/// What the log says about the signatures of an epoch.
pub(crate) struct Expected {
    pub network: NetworkId,
    /// The message that the logged statement implies, at revision 0.
    pub message: EpochMessage,
    /// The set in force, if there is one.
    pub set: Option<AuditorSet>,
    /// What is rehearsed.
    pub rehearsed: Vec<String>,
}

impl Expected {
    /// The message of a revision.
    pub fn message(&self, revision: u32) -> EpochMessage {
        EpochMessage { revision, ..self.message.clone() }
    }

    /// What is signed at a revision.
    pub fn digest(&self, revision: u32) -> Word {
        self.message(revision).digest(&self.network)
    }

    /// Whether somebody is an auditor of this epoch.
    pub fn has(&self, address: &EvmAddress) -> bool {
        self.set.as_ref().is_some_and(|set| set.auditors.binary_search(address).is_ok())
    }

    /// How many must sign; 0 without a set.
    pub fn quorum(&self) -> u64 {
        self.set.as_ref().map_or(0, |set| set.quorum)
    }
}

/// A verified signature of an auditor of the set in force, over this log's message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Signature {
    pub revision: u32,
    pub auditor: EvmAddress,
    pub bytes: [u8; SIGNATURE_BYTES],
}

/// Counters since the gateway started.
#[derive(Default)]
pub(crate) struct Counts {
    pub kept: AtomicU64,
    pub known: AtomicU64,
    pub contradictions: AtomicU64,
}

type Held = BTreeMap<u64, Arc<Vec<Signature>>>;

/// The signatures of a network.
pub(crate) struct Signatures {
    folder: Option<PathBuf>,
    held: Mutex<Held>,
    pub counts: Counts,
}

impl Signatures {
    /// Those in a folder, which is made when there is something to keep. Nothing is read yet.
    pub fn in_folder(folder: Option<PathBuf>) -> Self {
        Self { folder, held: Mutex::default(), counts: Counts::default() }
    }

    /// Whether any are kept at all.
    pub const fn are_kept(&self) -> bool {
        self.folder.is_some()
    }

    /// The signatures of an epoch, by revision and auditor.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn of(&self, expected: &Expected) -> io::Result<Arc<Vec<Signature>>> {
        self.read(&mut self.held(), expected)
    }

    /// Keeps a signature durably, unless this auditor's for this revision is kept. Whether it was, and all of the epoch.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn keep(&self, expected: &Expected, signature: Signature) -> io::Result<(bool, Arc<Vec<Signature>>)> {
        // Held while the file is written, so that of two at once neither is lost.
        let mut held = self.held();
        let before = self.read(&mut held, expected)?;
        let name = |of: &Signature| (of.revision, of.auditor);
        let Err(place) = before.binary_search_by_key(&name(&signature), name) else {
            self.counts.known.fetch_add(1, Ordering::Relaxed);
            return Ok((true, before));
        };
        let mut all = before.to_vec();
        all.insert(place, signature);
        let lines = all.iter().map(|one| format!("{} {}\n", one.revision, signature_text(&one.bytes)));
        let epoch = expected.message.epoch;
        replace_whole(&self.disk("")?, &epoch.to_string(), lines.collect::<String>().as_bytes())?;
        let all = Arc::new(all);
        hold(&mut held, epoch, all.clone());
        self.counts.kept.fetch_add(1, Ordering::Relaxed);
        Ok((false, all))
    }

    /// Keeps the document of an auditor's signature over another message, unless there is one of him for this epoch.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn keep_contradiction(&self, epoch: u64, auditor: &str, document: &[u8]) -> io::Result<()> {
        let _one_at_a_time = self.held();
        let disk = self.disk("contradictions")?;
        let name = format!("{epoch}-{auditor}.json");
        if read_whole(&disk, &name, FILE_BYTES_MAX)?.is_none() {
            replace_whole(&disk, &name, document)?;
            self.counts.contradictions.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    }

    fn held(&self) -> std::sync::MutexGuard<'_, Held> {
        // What is held was verified before it was put there.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn disk(&self, inner: &str) -> io::Result<StdDisk> {
        let folder = self.folder.as_ref().ok_or(io::ErrorKind::NotFound)?;
        StdDisk::create(folder.join(inner))
    }

    fn read(&self, held: &mut Held, expected: &Expected) -> io::Result<Arc<Vec<Signature>>> {
        let epoch = expected.message.epoch;
        if let Some(known) = held.get(&epoch) {
            return Ok(known.clone());
        }
        if !self.folder.as_ref().is_some_and(|folder| folder.is_dir()) {
            return Ok(Arc::default());
        }
        let content = match read_whole(&self.disk("")?, &epoch.to_string(), FILE_BYTES_MAX) {
            Err(error @ FileError::TooLong { .. }) => {
                report_failure(&format_args!("the signatures of epoch {epoch} are passed over: {error}"));
                None
            }
            content => content?,
        };
        let (all, damaged) = verify(expected, &String::from_utf8_lossy(&content.unwrap_or_default()));
        if damaged > 0 {
            report_failure(&format_args!("{damaged} lines of the signatures of epoch {epoch} are no signatures of it"));
        }
        let all = Arc::new(all);
        hold(held, epoch, all.clone());
        Ok(all)
    }
}

/// The newest are asked for most; one that is passed over is read again.
fn hold(held: &mut Held, epoch: u64, all: Arc<Vec<Signature>>) {
    held.insert(epoch, all);
    if held.len() > EPOCHS_HELD {
        held.pop_first();
    }
}

/// The signatures among the lines of a file, each once, in order; and how many lines are none.
fn verify(expected: &Expected, content: &str) -> (Vec<Signature>, usize) {
    let mut found = BTreeMap::new();
    let mut damaged = 0;
    for line in content.lines() {
        match read_line(expected, line) {
            Some(signature) => {
                found.entry((signature.revision, signature.auditor)).or_insert(signature);
            }
            None => damaged += 1,
        }
    }
    (found.into_values().collect(), damaged)
}

fn read_line(expected: &Expected, line: &str) -> Option<Signature> {
    let (revision, signature) = line.split_once(' ')?;
    let revision = revision.parse().ok().filter(|revision| *revision <= REVISION_MAX)?;
    let bytes = parse_signature(signature)?;
    let auditor = recover_evm(&expected.digest(revision), &bytes).filter(|signer| expected.has(signer))?;
    Some(Signature { revision, auditor, bytes })
}

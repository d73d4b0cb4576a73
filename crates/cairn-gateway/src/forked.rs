//! When a witness cosigned what this log is not: proof that the log's key signed two histories.
//!
//! That happens to an operator whose folder was restored from an old copy and went on, or whose key somebody else has. It
//! is found where the witness's checkpoint has no more entries than the log; the proof is the operator's to publish or to
//! answer for, and witnessing goes on as before.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use cairn_core::entry::Entry;
use cairn_core::statement::Statement;
use cairn_evidence::{Evidence, EvidenceError};
use cairn_log::{LogError, LogReader};
use cairn_merkle::note::Note;
use cairn_merkle::{Checkpoint, MerkleError, SignedCheckpoint};
use cairn_witness::WitnessClient;

/// Where proofs are written, and whether this witness's was.
pub(crate) struct Accuser {
    folder: PathBuf,
    is_done: bool,
}

/// Why there is no proof.
#[derive(Debug, thiserror::Error)]
enum Unproven {
    #[error(transparent)]
    Log(#[from] LogError),
    #[error(transparent)]
    Merkle(#[from] MerkleError),
    #[error(transparent)]
    Evidence(#[from] EvidenceError),
    #[error("cannot write it: {0}")]
    Io(#[from] io::Error),
}

impl Accuser {
    /// Writes proofs into a folder, made when there is one to be written.
    pub const fn into(folder: PathBuf) -> Self {
        Self { folder, is_done: false }
    }

    /// What to tell the operator when a witness refused a checkpoint of this log and shows one that does not fit; nothing
    /// where it shows none, or has told before.
    pub fn ask(
        &mut self,
        client: &WitnessClient,
        log: &LogReader,
        (note, checkpoint): (&Note, &Checkpoint),
        patience: Duration,
    ) -> Option<String> {
        if self.is_done {
            return None;
        }
        let shown = client.latest(checkpoint.origin(), patience).ok().flatten()?;
        let other: Checkpoint = shown.text().parse().ok()?;
        let is_within = other.size() <= checkpoint.size();
        if !is_within || log.root_at(other.size()).ok()? == other.root() {
            return None;
        }
        match self.prove(log, note, &shown) {
            Ok(path) => {
                self.is_done = true;
                Some(format!("the log's key signed two histories: the proof is in {}", path.display()))
            }
            // Anybody may sign what he likes with a key of his own.
            Err(Unproven::Evidence(EvidenceError::Note { .. })) => None,
            Err(why) => {
                self.is_done = true;
                Some(format!("the log's key signed two histories, and no proof was written: {why}"))
            }
        }
    }

    fn prove(&self, log: &LogReader, note: &Note, shown: &Note) -> Result<PathBuf, Unproven> {
        let entry = log.entry(0)?;
        let payload = Entry::decode(&entry).ok().and_then(|entry| Statement::parse(entry.body).ok());
        let genesis = payload.map(|statement| statement.payload).unwrap_or_default();
        let proof = fork(&genesis, shown, note, log)?;
        write(&proof, &self.folder)
    }
}

fn fork(genesis: &[u8], shown: &Note, note: &Note, log: &LogReader) -> Result<Evidence, Unproven> {
    let key = cairn_evidence::Founded::by(genesis)?.log;
    // Before any hash is read.
    SignedCheckpoint::open(&shown.to_string(), &key, &[])
        .map_err(|source| EvidenceError::Note { what: "witness's checkpoint", source })?;
    Evidence::fork(genesis, &shown.to_string(), &note.to_string(), &Hashes(log))
}

/// The log's hashes, with failures as they are told here.
struct Hashes<'a>(&'a LogReader);

impl cairn_merkle::HashReader for Hashes<'_> {
    type Error = Unproven;

    fn node(&self, level: u8, index: u64) -> Result<cairn_core::Hash, Unproven> {
        Ok(self.0.node(level, index)?)
    }
}

fn write(proof: &Evidence, folder: &Path) -> Result<PathBuf, Unproven> {
    fs::create_dir_all(folder)?;
    let path = folder.join(proof.file_name());
    let mut file = fs::File::create(&path)?;
    file.write_all(&proof.encode())?;
    file.sync_all()?;
    Ok(path)
}

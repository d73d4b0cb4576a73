//! What witnesses said of a log, held against the log: cosignatures of its checkpoint, and the histories of what was
//! cosigned earlier, which the network serves and each witness has of its own.
//!
//! Every checkpoint in a history that the log's key signed must be one of this log: its root is the log's at its size. One
//! that is not is proof, with the audited checkpoint beside it, that two logs were shown.
//!
//! Histories are read before the checkpoint, so that no honest one is ahead of it.

use std::thread::sleep;
use std::time::{Duration, Instant};

use cairn_core::Hash;
use cairn_merkle::note::Note;
use cairn_merkle::witness::{HistoryBudget, parse_history};
use cairn_merkle::{Checkpoint, MerkleError, NoteVerifier, SignedCheckpoint, TrustPolicy};
use rayon::prelude::*;

use crate::difference::{Difference, Stop};
use crate::source::Source;
use crate::time::{Bearer, Observation};

/// The most checkpoints of a history: seven years of one a minute.
const HISTORY_MAX: usize = 4_000_000;
/// The pause before a checkpoint is asked for again that lacks cosignatures.
const AGAIN: Duration = Duration::from_millis(250);

/// Whom an audit trusts to have seen the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trust {
    /// The witnesses, and how many of them together.
    pub policy: TrustPolicy,
    /// Whether the checkpoint must be cosigned by a quorum.
    pub is_required: bool,
    /// How long to ask again for a checkpoint that is not, in ms: a network shows a checkpoint before witnesses answer.
    pub patience_ms: u64,
    /// What the witnesses themselves showed of this log.
    pub elsewhere: Vec<Shown>,
}

/// The history that a witness showed of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// Whose it is, for people.
    pub by: String,
    /// The checkpoints, none of them verified.
    pub notes: Vec<Note>,
    /// Why there are no more, if it could not be asked for all.
    pub broken_off: Option<String>,
}

impl Trust {
    fn verifiers(&self) -> Vec<NoteVerifier> {
        self.policy.witnesses().iter().map(|witness| witness.verifier.clone()).collect()
    }

    /// When each witness cosigned a checkpoint, in seconds.
    fn times(&self, note: &Note) -> Result<Vec<Option<u64>>, MerkleError> {
        let verifiers = self.verifiers();
        let mut times = vec![None; verifiers.len()];
        match note.open(&verifiers) {
            Ok(signed) => {
                for signed in signed {
                    let number = verifiers.iter().position(|verifier| verifier == signed.by);
                    number.into_iter().for_each(|number| times[number] = signed.time_s);
                }
            }
            Err(MerkleError::Unsigned { .. }) => {}
            Err(refused) => return Err(refused),
        }
        Ok(times)
    }

    fn is_quorum(&self, times: &[Option<u64>]) -> bool {
        self.policy.is_quorum(&times.iter().map(Option::is_some).collect::<Vec<_>>())
    }
}

/// Reads the history that a source serves, page by page; nothing is verified.
pub(crate) fn read_history(source: &dyn Source) -> Result<Option<Vec<Note>>, Stop> {
    let mut notes: Vec<Note> = Vec::new();
    let mut budget = HistoryBudget::default();
    let refuse = |detail: String| Difference::at("WIT-HISTORY", "the history of cosignatures", detail);
    loop {
        let Some(page) = source.witnessed(notes.len() as u64)? else {
            return Ok((!notes.is_empty()).then_some(notes));
        };
        budget.take(page.len()).map_err(|error| refuse(error.to_string()))?;
        let text = String::from_utf8(page).map_err(|_| refuse("it is not text".to_owned()))?;
        let page = parse_history(&text).map_err(|error| refuse(error.to_string()))?;
        if page.is_empty() {
            return Ok(Some(notes));
        }
        notes.extend(page);
        if notes.len() > HISTORY_MAX {
            return Err(refuse(format!("it has more than {HISTORY_MAX} checkpoints")).into());
        }
    }
}

/// The checkpoint that a source serves; where a quorum must have cosigned it, asked for until one has or patience ends.
pub(crate) fn read_checkpoint(source: &dyn Source, trust: Option<&Trust>) -> Result<Option<Vec<u8>>, Stop> {
    let started = Instant::now();
    loop {
        let checkpoint = source.checkpoint()?;
        let (Some(trust), Some(bytes)) = (trust.filter(|trust| trust.is_required), &checkpoint) else {
            return Ok(checkpoint);
        };
        let note = core::str::from_utf8(bytes).ok().and_then(|text| text.parse::<Note>().ok());
        let times = note.and_then(|note| trust.times(&note).ok());
        let is_quorum = times.is_none_or(|times| trust.is_quorum(&times));
        if is_quorum || started.elapsed() >= Duration::from_millis(trust.patience_ms) {
            return Ok(checkpoint);
        }
        sleep(AGAIN);
    }
}

/// A checkpoint that the log's key signed, and where it was shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    pub size: u64,
    pub root: Hash,
    pub place: String,
    pub note: Note,
}

/// What witnesses said of a log, verified as far as signatures go.
#[derive(Debug, Clone, Default)]
pub(crate) struct Testimony {
    /// When each witness cosigned the audited checkpoint.
    pub times: Vec<Option<u64>>,
    /// Checkpoints to be held against the log, by size.
    pub seen: Vec<Seen>,
    /// What the network itself shows: it was asked for, and had nothing more to show then.
    pub served: Vec<Observation>,
    /// What the witnesses show besides.
    pub elsewhere: Vec<Observation>,
    /// Checkpoints in the histories, of the network and of the witnesses.
    pub counts: (u64, u64),
    /// What witnesses showed that the log's key, or theirs, did not sign.
    pub strange: Vec<String>,
}

impl Testimony {
    /// Verifies what was read, under the audited checkpoint.
    pub fn of(
        trust: &Trust,
        log: &NoteVerifier,
        (note, checkpoint): (&str, &Checkpoint),
        history: Vec<Note>,
        is_live: bool,
    ) -> Result<Self, Stop> {
        let refuse = |error: MerkleError| Difference::at(error.code(), "checkpoint", error.to_string());
        let logs = trust.policy.logs();
        if !logs.is_empty() && logs.iter().all(|known| known.verifier != *log) {
            let detail = "the log's key is none of those that the trust policy names";
            return Err(Difference::at("WIT-LOG", "checkpoint", detail).values("a log of the policy", log).into());
        }
        let times = trust.times(&note.parse().map_err(refuse)?).map_err(refuse)?;
        if trust.is_required && !trust.is_quorum(&times) {
            let cosigned = times.iter().flatten().count();
            let detail = "it is not cosigned by a quorum of the witnesses trusted";
            let found = format!("cosignatures of {cosigned} of {}", times.len());
            return Err(Difference::at("WIT-QUORUM", "checkpoint", detail).values("a quorum", found).into());
        }
        let mut testimony =
            Self { served: observe(checkpoint.size(), &times, Bearer::Audited), times, ..Self::default() };
        testimony.take_served(trust, log, checkpoint, history)?;
        for (by, shown) in trust.elsewhere.iter().enumerate() {
            testimony.take_elsewhere(trust, log, (checkpoint, is_live), (by, shown))?;
        }
        testimony.seen.sort_by_key(|seen| seen.size);
        testimony.seen.dedup_by(|a, b| (a.size, a.root) == (b.size, b.root));
        Ok(testimony)
    }

    fn take_served(
        &mut self,
        trust: &Trust,
        log: &NoteVerifier,
        checkpoint: &Checkpoint,
        history: Vec<Note>,
    ) -> Result<(), Stop> {
        let opened: Vec<_> = history.par_iter().map(|note| open(trust, log, note)).collect();
        let mut before = 0;
        for (number, (opened, note)) in opened.into_iter().zip(history).enumerate() {
            let place = format!("checkpoint {number} of the history of cosignatures");
            let refuse = |error: MerkleError| Difference::at(error.code(), place.clone(), error.to_string());
            let (earlier, times) = opened.map_err(refuse)?;
            let size = earlier.size();
            if size < before {
                let detail = "it has fewer entries than the one before it";
                let values = (format!("at least {before} entries"), format!("{size}"));
                return Err(Difference::at("WIT-HISTORY", place, detail).values(values.0, values.1).into());
            }
            before = size;
            check_ahead(checkpoint, size, &place, &note)?;
            self.served.extend(observe(size, &times, Bearer::Served(number)));
            self.seen.push(Seen { size, root: earlier.root(), place, note });
            self.counts.0 += 1;
        }
        Ok(())
    }

    /// A witness's own history is the network's fault only where the log's key signed what the log is not.
    fn take_elsewhere(
        &mut self,
        trust: &Trust,
        log: &NoteVerifier,
        (checkpoint, is_live): (&Checkpoint, bool),
        (by, shown): (usize, &Shown),
    ) -> Result<(), Stop> {
        self.strange.extend(shown.broken_off.as_ref().map(|why| format!("the history of {}: {why}", shown.by)));
        let opened: Vec<_> = shown.notes.par_iter().map(|note| open(trust, log, note)).collect();
        for (number, (opened, note)) in opened.into_iter().zip(&shown.notes).enumerate() {
            let place = format!("checkpoint {number} that {} cosigned", shown.by);
            let (earlier, times) = match opened {
                Ok(opened) => opened,
                Err(error) => {
                    self.strange.push(format!("{place}: {error}"));
                    break;
                }
            };
            let size = earlier.size();
            if !is_live && size > checkpoint.size() {
                // The log has gone on since it was copied.
                break;
            }
            check_ahead(checkpoint, size, &place, note)?;
            self.elsewhere.extend(observe(size, &times, Bearer::Elsewhere(by, number)));
            self.seen.push(Seen { size, root: earlier.root(), place, note: note.clone() });
            self.counts.1 += 1;
        }
        Ok(())
    }
}

fn open(trust: &Trust, log: &NoteVerifier, note: &Note) -> Result<(Checkpoint, Vec<Option<u64>>), MerkleError> {
    let signed = SignedCheckpoint::open(&note.to_string(), log, &[])?;
    Ok((signed.checkpoint, trust.times(note)?))
}

fn observe(size: u64, times: &[Option<u64>], on: Bearer) -> Vec<Observation> {
    let seen = times.iter().enumerate();
    seen.filter_map(|(witness, time_s)| Some(Observation { size, time_s: (*time_s)?, witness, on })).collect()
}

/// It was read before the audited checkpoint, so it cannot be larger unless the log was rolled back.
fn check_ahead(checkpoint: &Checkpoint, size: u64, place: &str, note: &Note) -> Result<(), Stop> {
    if size <= checkpoint.size() {
        return Ok(());
    }
    let detail = "the log was rolled back: it has fewer entries than were cosigned";
    let values = (format!("at least {size} entries"), format!("{}", checkpoint.size()));
    Err(Difference::at("WIT-AHEAD", place, detail).values(values.0, values.1).beside(note.to_string()).into())
}

/// The difference where the log has another root than it once showed.
pub(crate) fn forked(seen: &Seen, root: Hash) -> Difference {
    let detail = format!("the log was forked: its first {} entries are not those that were cosigned", seen.size);
    let values = (format!("root {}", seen.root), format!("root {root}"));
    Difference::at("WIT-FORK", seen.place.clone(), detail).values(values.0, values.1).beside(seen.note.to_string())
}

//! `state = fold(entries)`: entry after entry, closing epochs where the log says they end.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use cairn_core::Hash;
use cairn_core::cbor::CborError;
use cairn_core::entry::Entry;
use cairn_core::epoch::EpochStatement;
use cairn_core::report::Report;
use cairn_merkle::tree::Frontier;
use thiserror::Error;

use crate::admit::{Accepted, Beforehand, Checked, Effect, admit, admit_read};
use crate::close::{CloseError, Closed, Closing, close, root_of_each};
use crate::records::RecordError;
use crate::refusal::Refusal;
use crate::state::{Pending, State};

/// Why a log cannot be folded. Unlike a [`Refusal`], which voids one entry, these say that the log itself is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum FoldError {
    /// An entry that is not in the entry format: no sequencer writes it.
    #[error("entry {index} is not an entry: {source}")]
    Entry {
        /// Its index.
        index: u64,
        /// What is wrong.
        source: CborError,
    },
    /// The sequencer's time went back.
    #[error("entry {index} was received at {received_ms} ms, before the entry ahead of it at {before_ms} ms")]
    TimeWentBack {
        /// Its index.
        index: u64,
        /// Its time.
        received_ms: u64,
        /// The time of the entry ahead of it.
        before_ms: u64,
    },
    /// An epoch that cannot be closed.
    #[error(transparent)]
    Close(#[from] CloseError),
    /// Snapshot records that are not a state.
    #[error(transparent)]
    Snapshot(#[from] RecordError),
    /// A snapshot whose records do not have the root that its statement carries, or a frontier of another size or root.
    #[error("the snapshot after epoch {epoch}: {what} differs from its statement: {found} against {stated}")]
    SnapshotDiffers {
        /// The epoch.
        epoch: u64,
        /// What differs.
        what: &'static str,
        /// As found.
        found: String,
        /// As stated.
        stated: String,
    },
    /// An entry that a snapshot names is not the report that it was.
    #[error("entry {index} is named by the snapshot as an accepted report, and is none")]
    SnapshotEntry {
        /// Its index.
        index: u64,
    },
}

impl FoldError {
    /// The stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Entry { .. } => "LOG-ENTRY",
            Self::TimeWentBack { .. } => "LOG-TIME",
            Self::Close(error) => error.code(),
            Self::Snapshot(_) => "NET-SNAPSHOT",
            Self::SnapshotDiffers { .. } | Self::SnapshotEntry { .. } => "NET-SNAPSHOT-DIFFERS",
        }
    }
}

/// What became of one entry.
#[derive(Debug)]
pub struct Folded {
    /// The epochs that ended before it.
    pub closed: Vec<Closed>,
    /// Its effect, or why it is void.
    pub effect: Result<Effect, Refusal>,
}

/// The state, the reports it still needs, and the log's right edge.
#[derive(Debug, Clone, Default)]
pub struct Fold {
    state: State,
    frontier: Frontier,
    /// Accepted reports by the epoch that will judge them.
    open: BTreeMap<u64, Vec<Arc<Accepted>>>,
    /// Judged reports by epoch, within the lookback.
    recent: BTreeMap<u64, Vec<Arc<Accepted>>>,
}

impl Fold {
    /// The fold of no entries.
    #[must_use]
    pub fn start() -> Self {
        Self::default()
    }

    /// The state so far.
    #[must_use]
    pub const fn state(&self) -> &State {
        &self.state
    }

    /// The index of the next entry.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.frontier.size()
    }

    /// The log's root so far.
    #[must_use]
    pub fn log_root(&self) -> Hash {
        self.frontier.root()
    }

    /// The reports accepted so far for the epochs that are not judged yet.
    pub fn open_reports(&self) -> impl Iterator<Item = &Accepted> {
        self.open.values().flatten().map(AsRef::as_ref)
    }

    /// How many these are.
    #[must_use]
    pub fn open_reports_count(&self) -> u64 {
        self.open.values().map(|reports| reports.len() as u64).sum()
    }

    /// Folds the next entry if it is valid, and changes nothing if it is void: how a gateway decides what to log. An entry
    /// may come with what was read from its bytes before.
    ///
    /// # Panics
    /// When an epoch is [`Fold::due`], or time would go back: the caller closes what is due first, with an entry.
    ///
    /// # Errors
    /// [`Refusal`].
    pub fn push_valid(&mut self, leaf: Hash, entry: &Entry<'_>, read: Option<Beforehand>) -> Result<Effect, Refusal> {
        assert!(!self.due(entry.received_ms), "an epoch that is due closes before the entry is offered");
        assert!(entry.received_ms >= self.state.received_ms, "the sequencer's time never goes back");
        let index = self.size();
        let effect = match read {
            Some(read) => admit_read(&self.state, index, entry, read)?,
            None => admit(&self.state, index, entry, None)?,
        };
        self.state.received_ms = entry.received_ms;
        self.take(index, entry.received_ms, &effect, leaf);
        self.frontier.push(leaf);
        Ok(effect)
    }

    /// What `admit` says of an entry, as the state stands: nothing is folded, and no epoch closes.
    ///
    /// # Errors
    /// [`Refusal`].
    pub fn check(&self, entry: &Entry<'_>) -> Result<Effect, Refusal> {
        admit(&self.state, self.size(), entry, None)
    }

    fn take(&mut self, index: u64, received_ms: u64, effect: &Effect, leaf: Hash) {
        let frontier = &self.frontier;
        let seed = || Hash::of_parts(&[&frontier.root().0, &leaf.0]);
        self.state.apply(index, received_ms, effect, &seed);
        if let Effect::Report(accepted) = effect {
            self.open.entry(accepted.epoch).or_default().push(accepted.clone());
        }
    }

    /// Whether an entry received at `received_ms` would close the open epoch.
    #[must_use]
    pub fn due(&self, received_ms: u64) -> bool {
        self.state.clock().is_some_and(|clock| received_ms >= clock.closes_ms(self.state.epoch.number))
    }

    /// Folds the next entry: closes the epochs that end before it, decides whether it is valid, and applies it.
    ///
    /// # Errors
    /// [`FoldError`] when the log itself is wrong; the fold is then of no further use.
    pub fn push(&mut self, leaf: Hash, entry: &Entry<'_>, checked: Option<Checked>) -> Result<Folded, FoldError> {
        let index = self.size();
        let before_ms = self.state.received_ms;
        if entry.received_ms < before_ms {
            return Err(FoldError::TimeWentBack { index, received_ms: entry.received_ms, before_ms });
        }
        let mut closed = Vec::new();
        while self.due(entry.received_ms) {
            closed.push(self.close_epoch(index)?);
        }
        self.state.received_ms = entry.received_ms;
        let effect = admit(&self.state, index, entry, checked);
        if let Ok(effect) = &effect {
            self.take(index, entry.received_ms, effect, leaf);
        }
        self.frontier.push(leaf);
        Ok(Folded { closed, effect })
    }

    fn close_epoch(&mut self, to: u64) -> Result<Closed, FoldError> {
        let epoch = self.state.epoch.number;
        let fresh = self.open.remove(&epoch).unwrap_or_default();
        let recent = self.recent.values().flatten().map(AsRef::as_ref).collect();
        let closing = Closing { fresh: &fresh, recent, to, log_root: self.frontier.root() };
        let closed = close(&mut self.state, &closing)?;
        self.recent.insert(epoch, fresh);
        // Exactly what the state names, so that a fold resumed from a snapshot has the same.
        let judged = &self.state.judged;
        self.recent.retain(|judged_in, _| judged.contains_key(judged_in));
        Ok(closed)
    }

    /// Takes up the fold after epoch `statement.number`, from its snapshot.
    ///
    /// `frontier` is the log's right edge at `statement.to`; `read` gives the bytes of an entry before it, which the caller
    /// has checked against the log.
    ///
    /// # Errors
    /// [`FoldError`] when the snapshot is not the state that the statement carries the root of.
    pub fn resume<R: AsRef<[u8]> + Sync, E: From<FoldError>>(
        statement: &EpochStatement,
        records: &[R],
        frontier: Frontier,
        mut read: impl FnMut(u64) -> Result<Vec<u8>, E>,
    ) -> Result<Self, E> {
        let epoch = statement.number;
        let differs = |what, found: String, stated: String| FoldError::SnapshotDiffers { epoch, what, found, stated };
        let root = root_of_each(records);
        if root != statement.state_root {
            let (found, stated) = (root.to_string(), statement.state_root.to_string());
            return Err(differs("the state root", found, stated).into());
        }
        if (frontier.size(), frontier.root()) != (statement.to, statement.log_root) {
            let (found, stated) = (frontier.root().to_string(), statement.log_root.to_string());
            return Err(differs("the log's root", found, stated).into());
        }
        let mut state = State::from_records(records).map_err(FoldError::from)?;
        state.follow(epoch, statement.hash());
        let mut fold = Self { state, frontier, open: BTreeMap::new(), recent: BTreeMap::new() };
        fold.reload(&mut read)?;
        Ok(fold)
    }

    /// Reads again the reports that the state names but does not hold.
    fn reload<E: From<FoldError>>(&mut self, read: &mut impl FnMut(u64) -> Result<Vec<u8>, E>) -> Result<(), E> {
        let open = self.state.epoch.number;
        let mut judged = BTreeSet::new();
        for (&epoch, runs) in &self.state.judged {
            let reports = self.recent.entry(epoch).or_default();
            for index in runs.iter().flat_map(|&(first, count)| first..first + count) {
                judged.insert(index);
                let bytes = read(index)?;
                let waiting = self.state.pending.get(&(open, index));
                let pending = match waiting.or_else(|| self.state.pending.get(&(epoch, index))) {
                    Some(known) => known.clone(),
                    None => owner_as_pending(&self.state, index, &bytes)?,
                };
                reports.push(Arc::new(reread(index, epoch, pending, &bytes)?));
            }
        }
        for (&(epoch, index), pending) in &self.state.pending {
            if !judged.contains(&index) {
                let accepted = reread(index, epoch, pending.clone(), &read(index)?)?;
                self.open.entry(epoch).or_default().push(Arc::new(accepted));
            }
        }
        Ok(())
    }
}

/// Who is paid for a report whose readings are all judged no longer matters; the owner stands in.
fn owner_as_pending(state: &State, index: u64, bytes: &[u8]) -> Result<Pending, FoldError> {
    let entry = Entry::decode(bytes).map_err(|source| FoldError::Entry { index, source })?;
    let report = Report::parse(entry.body).map_err(|_| FoldError::SnapshotEntry { index })?;
    let device = state.devices.get(&report.measured_by()).ok_or(FoldError::SnapshotEntry { index })?;
    Ok(Pending { account: device.owner.clone(), denied: None })
}

fn reread(index: u64, epoch: u64, pending: Pending, bytes: &[u8]) -> Result<Accepted, FoldError> {
    let entry = Entry::decode(bytes).map_err(|source| FoldError::Entry { index, source })?;
    let report = Report::parse(entry.body).map_err(|_| FoldError::SnapshotEntry { index })?;
    let body = &report.body;
    let span_ms =
        cairn_classes::check_body(&body.schema, &body.body).map_err(|_| FoldError::SnapshotEntry { index })?;
    let last_ms = body.measured_ms(entry.received_ms).saturating_add(span_ms);
    Ok(Accepted::of(report, index, epoch, entry.received_ms, last_ms, pending))
}

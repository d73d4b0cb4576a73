//! The ledger: the fold that follows the log, and the epochs that it closed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use cairn_core::entry::{Entry, EntryKind};
use cairn_core::report::ReportName;
use cairn_core::{Hash, NetworkId};
use cairn_fold::{Checked, Closed, Effect, Fold, Refusal, State, check_reports};
use cairn_log::LogReader;
use cairn_merkle::tree::{Frontier, leaf_hash};

use crate::LedgerError;
use crate::store::EpochStore;

/// How a ledger is kept.
#[derive(Debug, Clone, Copy)]
pub struct LedgerOptions {
    /// How many of the last epochs keep their snapshot, at least one.
    pub snapshots_kept: u64,
}

impl Default for LedgerOptions {
    fn default() -> Self {
        Self { snapshots_kept: 1_000 }
    }
}

/// The state as of the log, with everything that is served from it.
pub struct Ledger {
    pub(crate) fold: Fold,
    pub(crate) store: EpochStore,
    pub(crate) reader: LogReader,
    /// Names of the reports logged since the last epoch closed.
    names: BTreeMap<ReportName, u64>,
    /// Devices named by the void entries met while reading the log, by code.
    void: BTreeMap<&'static str, u64>,
}

/// How far reading the log has come: entries read, entries in all.
pub type Progress<'a> = &'a mut dyn FnMut(u64, u64);

/// Entries folded between two looks at the progress.
const CHUNK: usize = 4_096;

impl Ledger {
    /// Opens the ledger over a log: takes up the newest snapshot that fits, and folds the rest.
    ///
    /// # Errors
    /// [`LedgerError`] when the log cannot be read or folded.
    pub fn open(
        folder: &Path,
        reader: LogReader,
        options: LedgerOptions,
        progress: Progress<'_>,
    ) -> Result<Self, LedgerError> {
        let store = EpochStore::open(&folder.join("epochs"), options.snapshots_kept.max(1))?;
        let fold = resume(&store, &reader)?;
        let mut ledger = Self { fold, store, reader, names: BTreeMap::new(), void: BTreeMap::new() };
        ledger.forget_later_epochs()?;
        ledger.catch_up(progress)?;
        Ok(ledger)
    }

    /// Epoch folders past the fold belong to another log, or to a future that a crash took back.
    fn forget_later_epochs(&self) -> Result<(), LedgerError> {
        for epoch in self.store.epochs()? {
            if epoch >= self.fold.state().epoch.number {
                self.store.remove(epoch)?;
            }
        }
        Ok(())
    }

    fn catch_up(&mut self, progress: Progress<'_>) -> Result<(), LedgerError> {
        let size = self.reader.size();
        let chunks = self.reader.entries(self.fold.size()..size);
        for chunk in chunks {
            let chunk = chunk?;
            let entries: Vec<(u64, &[u8])> = chunk.iter().collect();
            for part in entries.chunks(CHUNK) {
                self.fold_part(part)?;
                progress(self.fold.size(), size);
            }
        }
        Ok(())
    }

    fn fold_part(&mut self, part: &[(u64, &[u8])]) -> Result<(), LedgerError> {
        let mut entries = Vec::with_capacity(part.len());
        for &(index, bytes) in part {
            let entry = Entry::decode(bytes).map_err(|source| cairn_fold::FoldError::Entry { index, source })?;
            entries.push((bytes, entry));
        }
        let bodies: Vec<(EntryKind, &[u8])> = entries.iter().map(|(_, entry)| (entry.kind, entry.body)).collect();
        let checked = check_reports(self.fold.state(), &bodies);
        for ((bytes, entry), checked) in entries.iter().zip(checked) {
            let index = self.fold.size();
            let folded = self.fold.push(leaf_hash(bytes), entry, checked)?;
            self.note_closed(&folded.closed)?;
            match folded.effect {
                Ok(Effect::Report(accepted)) => {
                    self.names.insert(accepted.name, index);
                }
                Ok(_) => {}
                Err(refusal) => *self.void.entry(refusal.code).or_default() += 1,
            }
        }
        Ok(())
    }

    fn note_closed(&mut self, closed: &[Closed]) -> Result<(), LedgerError> {
        for closed in closed {
            let names = self.take_names();
            self.store.write(closed, &names)?;
        }
        Ok(())
    }

    /// Hands over the names of the reports logged since this was last asked: those of an epoch that just closed.
    pub(crate) fn take_names(&mut self) -> Vec<(ReportName, u64)> {
        core::mem::take(&mut self.names).into_iter().collect()
    }

    /// Folds an entry that is about to be logged, if it is valid; changes nothing if it is void.
    pub(crate) fn offer(&mut self, leaf: Hash, entry: &Entry<'_>, checked: Option<Checked>) -> Result<(), Refusal> {
        let index = self.fold.size();
        if let Effect::Report(accepted) = self.fold.push_valid(leaf, entry, checked)? {
            self.names.insert(accepted.name, index);
        }
        Ok(())
    }

    /// Folds an entry that closes what is due; for the sequencer.
    pub(crate) fn push_closing(&mut self, leaf: Hash, entry: &Entry<'_>) -> Result<cairn_fold::Folded, LedgerError> {
        Ok(self.fold.push(leaf, entry, None)?)
    }

    /// The state.
    #[must_use]
    pub const fn state(&self) -> &State {
        self.fold.state()
    }

    /// The fold, for checks made beforehand.
    #[must_use]
    pub const fn fold(&self) -> &Fold {
        &self.fold
    }

    /// The log.
    #[must_use]
    pub const fn reader(&self) -> &LogReader {
        &self.reader
    }

    /// The network's id, once genesis is logged.
    #[must_use]
    pub fn network_id(&self) -> Option<NetworkId> {
        self.state().network.as_ref().map(|network| network.id)
    }

    /// The entry that counted a report's name, if that was in the open epoch or one that reports may still be late for.
    ///
    /// # Errors
    /// [`LedgerError`] when a view cannot be read.
    pub fn find_name(&self, name: &ReportName) -> Result<Option<u64>, LedgerError> {
        if let Some(index) = self.names.get(name) {
            return Ok(Some(*index));
        }
        if !self.state().devices.get(&name.device).is_some_and(|device| device.names.contains(name.boot, name.seq)) {
            return Ok(None);
        }
        let open = self.state().epoch.number;
        let late_epochs = self.state().policy().map_or(0, |policy| u64::from(policy.read.epochs.late_epochs));
        for epoch in (open.saturating_sub(late_epochs + 2)..open).rev() {
            if let Some(index) = self.store.find_name(epoch, name)? {
                return Ok(Some(index));
            }
        }
        Ok(None)
    }

    /// Void entries met while reading the log at the start, by code.
    #[must_use]
    pub const fn void_entries(&self) -> &BTreeMap<&'static str, u64> {
        &self.void
    }
}

/// The fold after the newest snapshot that belongs to this log, or the fold of nothing.
fn resume(store: &EpochStore, reader: &LogReader) -> Result<Fold, LedgerError> {
    let epochs: BTreeSet<u64> = store.epochs()?.into_iter().collect();
    // A hole in the epochs means a hole in the views: everything after it is made again.
    let whole = (0..).take_while(|epoch| epochs.contains(epoch)).count() as u64;
    for epoch in (0..whole).rev() {
        let Ok(snapshot) = store.snapshot(epoch) else { continue };
        let to = snapshot.statement.to;
        let is_of_this_log =
            to <= reader.size() && reader.root_at(to).is_ok_and(|root| root == snapshot.statement.log_root);
        if !is_of_this_log {
            continue;
        }
        let frontier = Frontier::read(reader, to)?;
        let resumed = Fold::resume(&snapshot.statement, &snapshot.records, frontier, |index| {
            reader.entry(index).map_err(LedgerError::from)
        });
        if let Ok(fold) = resumed {
            return Ok(fold);
        }
    }
    Ok(Fold::start())
}

//! Following a log entry by entry: the fold, its devices in other orders, and the names of the reports that each epoch logged.

use std::collections::{BTreeMap, HashMap};

use cairn_core::Hash;
use cairn_core::entry::{Entry, EntryKind};
use cairn_core::report::ReportName;
use cairn_fold::{Beforehand, Checked, Closed, Effect, Fold, FoldError, Folded, Refusal, check_reports};
use cairn_log::LogReader;
use cairn_merkle::tree::leaf_hash;

use crate::LedgerError;
use crate::roster::Roster;

/// How far reading the log has come: entries read, entries in all.
pub type Progress<'a> = &'a mut dyn FnMut(u64, u64);

/// What is done with a closed epoch and the names of the reports logged since the one before.
pub type OnClosed<'a> = &'a mut dyn FnMut(&Closed, &[(ReportName, u64)]) -> Result<(), LedgerError>;

/// Entries folded between two looks at the progress.
const CHUNK: usize = 4_096;

/// A fold on its way through a log.
pub(crate) struct Follow {
    /// The state after the entries read.
    pub fold: Fold,
    /// Its devices in other orders.
    pub roster: Roster,
    /// Names of the reports logged since the last epoch closed.
    pub names: HashMap<ReportName, u64>,
    /// Void entries met, by code.
    pub void: BTreeMap<&'static str, u64>,
}

impl Follow {
    /// Goes on from a fold that stands right after the close of an epoch, or at the beginning.
    pub fn from(fold: Fold) -> Self {
        Self { roster: Roster::of(&fold), fold, names: HashMap::new(), void: BTreeMap::new() }
    }

    /// Folds every entry of the log that is durable now.
    pub fn catch_up(
        &mut self,
        reader: &LogReader,
        progress: Progress<'_>,
        on_closed: OnClosed<'_>,
    ) -> Result<(), LedgerError> {
        let size = reader.size();
        for chunk in reader.entries(self.fold.size()..size) {
            let chunk = chunk?;
            let entries: Vec<(u64, &[u8])> = chunk.iter().collect();
            for part in entries.chunks(CHUNK) {
                self.fold_part(part, on_closed)?;
                progress(self.fold.size(), size);
            }
        }
        Ok(())
    }

    fn fold_part(&mut self, part: &[(u64, &[u8])], on_closed: OnClosed<'_>) -> Result<(), LedgerError> {
        let mut entries = Vec::with_capacity(part.len());
        for &(index, bytes) in part {
            let entry = Entry::decode(bytes).map_err(|source| FoldError::Entry { index, source })?;
            entries.push((bytes, entry));
        }
        let bodies: Vec<(EntryKind, &[u8])> = entries.iter().map(|(_, entry)| (entry.kind, entry.body)).collect();
        let checked = check_reports(self.fold.state(), &bodies);
        for ((bytes, entry), checked) in entries.iter().zip(checked) {
            let index = self.fold.size();
            let folded = self.push(leaf_hash(bytes), entry, checked)?;
            for closed in &folded.closed {
                on_closed(closed, &self.take_names())?;
            }
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

    /// Folds the next entry, which may be void, and may close epochs first.
    pub fn push(&mut self, leaf: Hash, entry: &Entry<'_>, checked: Option<Checked>) -> Result<Folded, FoldError> {
        let folded = self.fold.push(leaf, entry, checked)?;
        self.roster.follow(&self.fold, !folded.closed.is_empty(), folded.effect.as_ref().ok());
        Ok(folded)
    }

    /// Folds the next entry if it is valid, when nothing is due to close; changes nothing if it is void.
    pub fn offer(&mut self, leaf: Hash, entry: &Entry<'_>, read: Option<Beforehand>) -> Result<(), Refusal> {
        let index = self.fold.size();
        let effect = self.fold.push_valid(leaf, entry, read)?;
        self.roster.follow(&self.fold, false, Some(&effect));
        if let Effect::Report(accepted) = effect {
            self.names.insert(accepted.name, index);
        }
        Ok(())
    }

    /// Hands over the names of the reports logged since this was last asked: those of an epoch that just closed.
    pub fn take_names(&mut self) -> Vec<(ReportName, u64)> {
        let mut names: Vec<(ReportName, u64)> = core::mem::take(&mut self.names).into_iter().collect();
        // No order of a map's own reaches a file.
        names.sort_unstable();
        names
    }
}

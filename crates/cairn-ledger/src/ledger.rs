//! The ledger: the fold that follows the log, and the epochs that it closed.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use cairn_core::entry::{Entry, EntryKind};
use cairn_core::epoch::EpochStatement;
use cairn_core::report::ReportName;
use cairn_core::{Hash, NetworkId};
use cairn_fold::{Beforehand, Fold, Refusal, State};
use cairn_log::LogReader;
use cairn_merkle::tree::Frontier;

use crate::LedgerError;
use crate::closed::Spreads;
use crate::drawings::Drawings;
use crate::follow::{Follow, Progress};
use crate::places::Summed;
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
    pub(crate) follow: Follow,
    pub(crate) store: EpochStore,
    pub(crate) reader: LogReader,
    /// The first epoch whose files were broken when the ledger was opened.
    remade_from: Option<u64>,
    pub(crate) spreads: Spreads,
    /// What devices earned, added up.
    pub(crate) totals: Arc<crate::totals::Totals>,
    pub(crate) claims: crate::claims::Claims,
    pub(crate) bands: crate::compared::Bands,
    pub(crate) summed: Arc<Summed>,
    pub(crate) drawings: Arc<Drawings>,
}

impl Ledger {
    /// Opens the ledger over a log: takes up the newest snapshot that fits, and folds the rest. Files of closed epochs
    /// that are found broken are made again.
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
        store.sweep()?;
        let remade_from = store.first_broken()?;
        if let Some(epoch) = remade_from {
            store.remove(epoch)?;
        }
        let follow = Follow::from(resume(&store, &reader)?);
        let mut ledger = Self {
            follow,
            store,
            reader,
            remade_from,
            spreads: Spreads::default(),
            summed: Arc::default(),
            drawings: Arc::default(),
            totals: Arc::default(),
            claims: crate::claims::Claims::default(),
            bands: Arc::default(),
        };
        ledger.catch_up(progress)?;
        if let Some(epoch) = ledger.first_broken_names()? {
            ledger.store.remove(epoch)?;
            ledger.remade_from = ledger.remade_from.or(Some(epoch));
            ledger.follow = Follow::from(resume(&ledger.store, &ledger.reader)?);
            ledger.catch_up(progress)?;
        }
        Ok(ledger)
    }

    /// Takes back what was folded and never logged: the state becomes that of the log again.
    pub(crate) fn read_again(&mut self) -> Result<(), LedgerError> {
        self.store.sweep()?;
        let void = core::mem::take(&mut self.follow.void);
        self.follow = Follow::from(resume(&self.store, &self.reader)?);
        self.catch_up(&mut |_, _| {})?;
        self.follow.void = void;
        Ok(())
    }

    fn catch_up(&mut self, progress: Progress<'_>) -> Result<(), LedgerError> {
        self.forget_later_epochs()?;
        let (store, claims) = (&self.store, &self.claims);
        self.follow.catch_up(&self.reader, progress, &mut |closed, names| {
            claims.keep(closed);
            store.write(closed, names)
        })
    }

    /// Epoch folders past the fold belong to another log, or to a future that a crash took back.
    fn forget_later_epochs(&self) -> Result<(), LedgerError> {
        for epoch in self.store.epochs()? {
            if epoch >= self.state().epoch.number {
                self.store.remove(epoch)?;
            }
        }
        Ok(())
    }

    /// The epochs whose names are looked up: reports may still come late for them.
    fn named_epochs(&self) -> Range<u64> {
        let open = self.state().epoch.number;
        let late_epochs = self.state().policy().map_or(0, |policy| u64::from(policy.read.epochs.late_epochs));
        open.saturating_sub(late_epochs + 2)..open
    }

    fn first_broken_names(&self) -> Result<Option<u64>, LedgerError> {
        for epoch in self.named_epochs() {
            if !self.store.has_sound_names(epoch)? {
                return Ok(Some(epoch));
            }
        }
        Ok(None)
    }

    /// Hands over the names of the reports logged since this was last asked: those of an epoch that just closed.
    pub(crate) fn take_names(&mut self) -> Vec<(ReportName, u64)> {
        self.follow.take_names()
    }

    /// Folds an entry that is about to be logged, if it is valid; changes nothing if it is void.
    pub(crate) fn offer(&mut self, leaf: Hash, entry: &Entry<'_>, read: Option<Beforehand>) -> Result<(), Refusal> {
        self.follow.offer(leaf, entry, read)
    }

    /// Folds an entry that closes what is due; for the sequencer.
    pub(crate) fn push_closing(&mut self, leaf: Hash, entry: &Entry<'_>) -> Result<cairn_fold::Folded, LedgerError> {
        let folded = self.follow.push(leaf, entry, None)?;
        if let Some(last) = folded.closed.last() {
            self.claims.keep(last);
        }
        Ok(folded)
    }

    /// The state.
    #[must_use]
    pub const fn state(&self) -> &State {
        self.follow.fold.state()
    }

    /// The fold, for checks made beforehand.
    #[must_use]
    pub const fn fold(&self) -> &Fold {
        &self.follow.fold
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
        if let Some(index) = self.follow.names.get(name) {
            return Ok(Some(*index));
        }
        if !self.state().devices.get(&name.device).is_some_and(|device| device.names.contains(name.boot, name.seq)) {
            return Ok(None);
        }
        for epoch in self.named_epochs().rev() {
            if let Some(index) = self.store.find_name(epoch, name)? {
                return Ok(Some(index));
            }
        }
        Ok(None)
    }

    /// Void entries met while reading the log at the start, by code.
    #[must_use]
    pub const fn void_entries(&self) -> &BTreeMap<&'static str, u64> {
        &self.follow.void
    }

    /// The first epoch whose files were found broken when the ledger was opened, and made again with all that follow.
    #[must_use]
    pub const fn remade_from(&self) -> Option<u64> {
        self.remade_from
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
        if !is_of_this_log || !is_logged(&snapshot.statement, reader)? {
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

/// Whether the log holds this very statement. The writer logs it right after the entry that closed the epoch.
fn is_logged(statement: &EpochStatement, reader: &LogReader) -> Result<bool, LedgerError> {
    let bytes = statement.encode();
    for chunk in reader.entries(statement.to + 1..u64::MAX) {
        for (_, entry) in chunk?.iter() {
            match Entry::decode(entry) {
                Ok(entry) if entry.kind == EntryKind::Epoch && entry.body == bytes => return Ok(true),
                // Other epochs may have closed with it.
                Ok(entry) if entry.kind == EntryKind::Epoch => {}
                _ => return Ok(false),
            }
        }
    }
    Ok(false)
}

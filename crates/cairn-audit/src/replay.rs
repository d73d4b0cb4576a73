//! The fold's side of an audit: entry after entry, what it does, what it closes, and what is wrong with it.

use std::collections::BTreeMap;
use std::sync::mpsc::SyncSender;

use cairn_core::entry::{Entry, EntryKind};
use cairn_core::epoch::EpochStatement;
use cairn_fold::{Checked, Closed, Effect, Fold, FoldError, Refusal, Snapshot};

use crate::audit::{AuditOptions, KeptEpoch};
use crate::bundle::Bundle;
use crate::compare;
use crate::difference::{Difference, Stop};
use crate::report::{Counts, EpochLine, VoidEntry};
use crate::tables::Recomputed;
use crate::watch::Watch;

/// Epochs that one entry may close: more would be a sequencer's clock gone astray, and an auditor kept busy for ever.
const EPOCHS_PER_ENTRY_MAX: u64 = 1_000_000;

/// Bundles ready to be folded, with the signatures checked beforehand.
pub(crate) struct Prepared {
    pub bundles: Vec<Bundle>,
    pub checked: Vec<Vec<Option<Checked>>>,
    /// Why nothing follows these.
    pub then: Option<Stop>,
}

/// What was folded so far.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tally {
    pub counts: Counts,
    pub void: BTreeMap<String, u64>,
    pub void_entries: Vec<VoidEntry>,
}

/// A recomputed statement that the log has not shown yet.
struct Awaited {
    /// Its bytes; none for epochs closed before the audit started.
    bytes: Option<Vec<u8>>,
    /// The entry that closed the epoch.
    closed_at: u64,
}

/// The fold with everything that an audit notes beside it.
pub(crate) struct Replay {
    pub fold: Fold,
    pub tally: Tally,
    /// The entry that holds each epoch's statement.
    pub logged: BTreeMap<u64, u64>,
    /// What witnesses saw, if any are trusted.
    pub watch: Option<Watch>,
    awaited: BTreeMap<u64, Awaited>,
    /// The epoch whose snapshot the audit rests on: its statement must be logged.
    resumed: Option<u64>,
    void_listed_max: usize,
    keep: bool,
    snapshots: bool,
    tables: Option<SyncSender<Recomputed>>,
}

impl Replay {
    /// A replay from entry 0, or from where `fold` stands: after the epoch `resumed`.
    pub(crate) fn from(
        fold: Fold,
        resumed: Option<&EpochStatement>,
        options: &AuditOptions,
        tables: SyncSender<Recomputed>,
    ) -> Self {
        let closed_at = resumed.map_or(0, |statement| statement.to);
        let unlogged = fold.state().unlogged.keys();
        let mut awaited: BTreeMap<u64, Awaited> =
            unlogged.map(|&number| (number, Awaited { bytes: None, closed_at })).collect();
        if let Some(statement) = resumed {
            awaited.insert(statement.number, Awaited { bytes: Some(statement.encode()), closed_at });
        }
        Self {
            fold,
            tally: Tally::default(),
            logged: BTreeMap::new(),
            watch: None,
            awaited,
            resumed: resumed.map(|statement| statement.number),
            void_listed_max: options.void_listed_max,
            keep: options.keep,
            snapshots: options.snapshots,
            tables: Some(tables),
        }
    }

    /// Tells the comparer that no epoch follows.
    pub(crate) fn close_tables(&mut self) {
        self.tables = None;
    }

    /// Folds bundles that follow what was folded; entries that were folded already are passed over.
    pub(crate) fn take(&mut self, prepared: &Prepared) -> Result<(), Stop> {
        for (bundle, checked) in prepared.bundles.iter().zip(&prepared.checked) {
            for (n, checked) in checked.iter().enumerate() {
                let index = bundle.first + n as u64;
                if index >= self.fold.size() {
                    self.take_entry(index, bundle, n, *checked)?;
                }
            }
        }
        Ok(())
    }

    fn take_entry(&mut self, index: u64, bundle: &Bundle, n: usize, checked: Option<Checked>) -> Result<(), Stop> {
        let entry = Entry::decode(bundle.entry(n)).map_err(|source| FoldError::Entry { index, source })?;
        self.bound_epochs(index, entry.received_ms)?;
        if let Some(watch) = &mut self.watch {
            watch.take(index, entry.received_ms)?;
        }
        let folded = self.fold.push(bundle.leaves[n], &entry, checked)?;
        if let Some(watch) = &mut self.watch {
            watch.hold(index + 1, || self.fold.log_root())?;
        }
        let last_closed = folded.closed.last().map(|closed| closed.statement.number);
        for closed in folded.closed {
            self.close(index, closed);
        }
        let counts = &mut self.tally.counts;
        counts.entries += 1;
        match entry.kind {
            EntryKind::Report => counts.reports += 1,
            EntryKind::Statement => counts.statements += 1,
            EntryKind::Observation => counts.observations += 1,
            EntryKind::Epoch => counts.epoch_statements += 1,
        }
        match folded.effect {
            Ok(Effect::Epoch { number }) => {
                self.awaited.remove(&number);
                self.logged.insert(number, index);
            }
            Ok(Effect::Report(_) | Effect::Observation { .. } | Effect::Deposit(_)) => counts.signatures += 1,
            Ok(Effect::Statement(statement)) => counts.signatures += statement.signed.len() as u64,
            Err(refusal) if entry.kind == EntryKind::Epoch => {
                return Err(self.wrong_statement(index, &entry, &refusal).into());
            }
            Err(refusal) => self.note_void(index, refusal),
        }
        last_closed.map_or(Ok(()), |number| self.all_stated_before(index, number))
    }

    /// The sequencer logs statements right after the entry that closed their epochs, so none is awaited any more when a
    /// later entry closes the next epoch.
    fn all_stated_before(&self, index: u64, closed: u64) -> Result<(), Stop> {
        let Some((&number, awaited)) = self.awaited.iter().find(|(_, awaited)| awaited.closed_at < index) else {
            return Ok(());
        };
        let detail = format!("its statement was not logged before epoch {closed} closed");
        let (expected, found) =
            (format!("a statement after entry {}", awaited.closed_at), format!("none before entry {index}"));
        let missing = Difference::at("EPO-MISSING", format!("epoch {number}"), detail).values(expected, found);
        Err(missing.epoch(number).entry(index).into())
    }

    fn bound_epochs(&self, index: u64, received_ms: u64) -> Result<(), Stop> {
        let Some(clock) = self.fold.state().clock() else { return Ok(()) };
        let open = self.fold.state().epoch.number;
        let last = received_ms.checked_sub(clock.grace_ms).and_then(|time_ms| clock.epoch_at(time_ms)).unwrap_or(0);
        if last.saturating_sub(open) <= EPOCHS_PER_ENTRY_MAX {
            return Ok(());
        }
        let detail = format!("its time of receipt would close more than {EPOCHS_PER_ENTRY_MAX} epochs at once");
        Err(Difference::at("LOG-TIME", format!("entry {index}"), detail)
            .values(format!("a time near epoch {open}"), format!("{received_ms} ms, in epoch {last}"))
            .entry(index)
            .into())
    }

    fn close(&mut self, index: u64, mut closed: Closed) {
        let number = closed.statement.number;
        let (verdicts, payouts) = (closed.verdicts.len() as u64, closed.payouts.len() as u64);
        let remembered = closed.carry().len();
        let line = EpochLine {
            sales: closed.sales.len() as u64,
            remembered: remembered as u64,
            ..EpochLine::of(&closed.statement, closed.hash.to_string(), verdicts, payouts)
        };
        self.awaited.insert(number, Awaited { bytes: Some(closed.bytes.clone()), closed_at: index });
        let kept = self.keep.then(|| {
            Box::new(KeptEpoch {
                statement: closed.statement.clone(),
                auditors: self.fold.state().auditors_for(number).cloned(),
                snapshot: Snapshot::encode(&closed.bytes, &closed.records),
            })
        });
        let snapshot = self.snapshots.then(|| Snapshot::encode(&closed.bytes, &closed.records));
        let carry = closed.take_carry();
        let recomputed = Recomputed {
            line,
            statement: closed.bytes,
            verdicts: closed.verdicts,
            payouts: closed.payouts,
            sales: closed.sales,
            carry,
            snapshot,
            kept,
            tally: self.tally.clone(),
        };
        let tables = self.tables.as_ref().expect("nothing is folded after the tables were closed");
        tables.send(recomputed).expect("the comparer takes epochs until it is told that there are no more");
    }

    fn note_void(&mut self, index: u64, refusal: Refusal) {
        if refusal.code == "RPT-SIGNATURE" {
            self.tally.counts.signatures += 1;
        }
        *self.tally.void.entry(refusal.code.to_owned()).or_default() += 1;
        if self.tally.void_entries.len() < self.void_listed_max {
            self.tally.void_entries.push(VoidEntry { index, code: refusal.code.to_owned(), detail: refusal.detail });
        }
    }

    /// The operator logged an epoch statement that is not the one that the log implies.
    fn wrong_statement(&self, index: u64, entry: &Entry<'_>, refusal: &Refusal) -> Difference {
        let place = format!("entry {index}, an epoch statement");
        let number = EpochStatement::decode(entry.body).map(|statement| statement.number).ok();
        let awaited = number.and_then(|number| self.awaited.get(&number)?.bytes.as_deref());
        let differs = match awaited {
            Some(expected) => compare::statements(&place, expected, entry.body),
            None => Difference::at(refusal.code, place, refusal.detail.clone()),
        };
        Difference { epoch: number, ..differs.entry(index) }
    }

    /// After the last entry: every closed epoch's statement is logged, but for those that just closed.
    pub(crate) fn finish(&self, unlogged_entries_max: u64) -> Result<(), Stop> {
        let size = self.fold.size();
        for (&number, awaited) in &self.awaited {
            let since = size - awaited.closed_at;
            let rests_on_it = self.resumed == Some(number);
            if since > unlogged_entries_max || rests_on_it {
                let place = format!("epoch {number}");
                let detail = if rests_on_it {
                    "the statement that the snapshot belongs to is not in the log".to_owned()
                } else {
                    format!("its statement was not logged within {unlogged_entries_max} entries of its end")
                };
                let values =
                    (format!("a statement after entry {}", awaited.closed_at), format!("none in {since} entries"));
                let missing = Difference::at("EPO-MISSING", place, detail).values(values.0, values.1);
                return Err(missing.epoch(number).into());
            }
        }
        Ok(())
    }
}

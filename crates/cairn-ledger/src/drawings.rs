//! Why these workers: the lottery of an order, drawn again as it was when the order was logged.
//!
//! The state keeps whom a job was assigned to, not among whom they were chosen. So the log is folded again, from the snapshot
//! before the order up to the order, and the market is asked what it was asked then. What comes out is the market's own
//! answer, not a copy of its rules; it is handed out only if it begins with those whom the job was assigned to.
//!
//! It costs a fold, so it is bounded: one at a time, of so many entries over so large a snapshot, and the last ones are
//! remembered. Whoever asks for the one under way waits for it, so that two who look at the same page see the same. Beyond that
//! whoever wants to know folds the log himself.

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use cairn_classes::compute::Candidate;
use cairn_core::entry::{Entry, EntryKind};
use cairn_core::statement::{Body, Order, Statement};
use cairn_core::{DeviceId, Hash, JobId};
use cairn_fold::{Fold, FoldError, check_reports};
use cairn_log::LogReader;
use cairn_merkle::tree::{Frontier, leaf_hash};

use crate::{ClosedEpochs, LedgerError};

/// Entries that are folded for one drawing, at most.
const ENTRIES_MAX: u64 = 50_000;
/// The largest snapshot that is taken up for one, bytes.
const SNAPSHOT_BYTES_MAX: u64 = 16 << 20;
/// Drawings that are remembered.
const KEPT: usize = 256;
/// Entries folded at once.
const CHUNK: usize = 1_024;

/// The lottery of an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drawing {
    /// The log's root before the order.
    pub root: Hash,
    /// The leaf hash of the order's entry.
    pub leaf: Hash,
    /// SHA-256 of both: what the lottery is drawn with.
    pub seed: Hash,
    /// What was ordered.
    pub order: Order,
    /// Those it was drawn among, in the order of their numbers: the first `order.replicas` were assigned.
    pub candidates: Vec<Candidate>,
    /// Offers that there were, those that did not fit or came too dear included.
    pub offers: u64,
}

/// A drawing, or why there is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Drawn {
    /// As it was.
    Again(Arc<Drawing>),
    /// Too much would have to be folded, or the snapshot is not kept any more.
    TooFar,
    /// Another one is being drawn: ask again.
    Busy,
}

/// The order's entry and the job.
type Key = (u64, JobId);

/// Drawings that were made, and the right to make one.
#[derive(Debug, Default)]
pub(crate) struct Drawings {
    board: Mutex<Board>,
    ended: Condvar,
}

#[derive(Debug, Default)]
struct Board {
    known: BTreeMap<Key, Arc<Drawing>>,
    under_way: Option<Key>,
}

/// What [`Drawings::begin`] found.
enum Begun<'a> {
    Known(Arc<Drawing>),
    Busy,
    /// The caller's to make.
    Mine(Right<'a>),
}

/// The right to make one, given back when it is dropped.
struct Right<'a>(&'a Drawings, Key);

impl Drawings {
    fn board(&self) -> MutexGuard<'_, Board> {
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begin(&self, key: Key) -> Begun<'_> {
        let mut board = self.board();
        loop {
            if let Some(drawing) = board.known.get(&key) {
                return Begun::Known(drawing.clone());
            }
            match board.under_way {
                None => {
                    board.under_way = Some(key);
                    return Begun::Mine(Right(self, key));
                }
                Some(other) if other != key => return Begun::Busy,
                Some(_) => board = self.ended.wait(board).unwrap_or_else(PoisonError::into_inner),
            }
        }
    }
}

impl Right<'_> {
    fn keep(&self, drawing: &Arc<Drawing>) {
        let known = &mut self.0.board().known;
        if known.len() >= KEPT {
            known.pop_first();
        }
        known.insert(self.1, drawing.clone());
    }
}

impl Drop for Right<'_> {
    fn drop(&mut self) {
        self.0.board().under_way = None;
        self.0.ended.notify_all();
    }
}

impl ClosedEpochs {
    /// The lottery of the order at entry `index`, drawn again. `assigned`, where it is known, is what must come out.
    ///
    /// # Errors
    /// [`LedgerError::NoJob`] where the entry is no such order; [`LedgerError`] when log or views cannot be read, or another
    /// assignment comes out.
    pub fn drawing(
        &self,
        log: &LogReader,
        job: &JobId,
        index: u64,
        assigned: Option<&[DeviceId]>,
    ) -> Result<Drawn, LedgerError> {
        let right = match self.drawings.begin((index, *job)) {
            Begun::Known(drawing) => return Ok(Drawn::Again(drawing)),
            Begun::Busy => return Ok(Drawn::Busy),
            Begun::Mine(right) => right,
        };
        let Some(drawing) = self.draw_again(log, job, index)? else { return Ok(Drawn::TooFar) };
        let devices = drawing.candidates.iter().map(|candidate| &candidate.device);
        if assigned.is_some_and(|assigned| !assigned.iter().eq(devices.take(assigned.len()))) {
            let detail = format!("the lottery of job {job} does not give the workers that it was assigned to");
            return Err(LedgerError::View { path: format!("entry {index}").into(), detail });
        }
        let drawing = Arc::new(drawing);
        right.keep(&drawing);
        Ok(Drawn::Again(drawing))
    }

    fn draw_again(&self, log: &LogReader, job: &JobId, index: u64) -> Result<Option<Drawing>, LedgerError> {
        let none = || LedgerError::NoJob { job: *job };
        if index >= log.size() {
            return Err(none());
        }
        let bytes = log.entry(index)?;
        let entry = Entry::decode(&bytes).map_err(|source| FoldError::Entry { index, source })?;
        let statement = (entry.kind == EntryKind::Statement).then(|| Statement::parse(entry.body).ok()).flatten();
        let statement = statement.filter(|statement| JobId(statement.payload_hash()) == *job).ok_or_else(none)?;
        let Body::Order(order) = statement.body else { return Err(none()) };
        let Some(fold) = self.fold_to(log, index)? else { return Ok(None) };
        let (root, leaf) = (log.root_at(index)?, leaf_hash(&bytes));
        let seed = Hash::of_parts(&[&root.0, &leaf.0]);
        let Ok(desk) = fold.state().desk(entry.received_ms) else { return Err(none()) };
        let (candidates, offers) = (desk.candidates(job, &order, &seed), desk.market().offers().count() as u64);
        Ok(Some(Drawing { root, leaf, seed, candidates, offers, order }))
    }

    /// The fold of everything before an entry; `None` where that would be too much.
    fn fold_to(&self, log: &LogReader, index: u64) -> Result<Option<Fold>, LedgerError> {
        let (mut fold, from) = match self.epoch_of(index)?.checked_sub(1) {
            None => (Fold::start(), 0),
            Some(before) => {
                let to = self.store.statement(before)?.to;
                let bytes = self.store.snapshot_length(before)?;
                if bytes.is_none_or(|bytes| bytes > SNAPSHOT_BYTES_MAX) || index - to > ENTRIES_MAX {
                    return Ok(None);
                }
                let snapshot = self.store.snapshot(before)?;
                let frontier = Frontier::read(log, to)?;
                let read = |index| log.entry(index).map_err(LedgerError::from);
                (Fold::resume(&snapshot.statement, &snapshot.records, frontier, read)?, to)
            }
        };
        if index - from > ENTRIES_MAX {
            return Ok(None);
        }
        for chunk in log.entries(from..index) {
            let chunk = chunk?;
            let entries: Vec<(u64, &[u8])> = chunk.iter().collect();
            for part in entries.chunks(CHUNK) {
                fold_part(&mut fold, part)?;
            }
        }
        Ok(Some(fold))
    }

    /// The epoch whose range holds an entry: the first one that ends after it, or the open one.
    ///
    /// # Errors
    /// [`LedgerError`] when a view cannot be read.
    pub fn epoch_of(&self, index: u64) -> Result<u64, LedgerError> {
        let (mut low, mut high) = (0, self.open());
        while low < high {
            let middle = low + (high - low) / 2;
            if self.store.statement(middle)?.to <= index { low = middle + 1 } else { high = middle }
        }
        Ok(low)
    }
}

fn fold_part(fold: &mut Fold, part: &[(u64, &[u8])]) -> Result<(), LedgerError> {
    let mut entries = Vec::with_capacity(part.len());
    for &(index, bytes) in part {
        entries.push((bytes, Entry::decode(bytes).map_err(|source| FoldError::Entry { index, source })?));
    }
    let bodies: Vec<(EntryKind, &[u8])> = entries.iter().map(|(_, entry)| (entry.kind, entry.body)).collect();
    let checked = check_reports(fold.state(), &bodies);
    for ((bytes, entry), checked) in entries.iter().zip(checked) {
        fold.push(leaf_hash(bytes), entry, checked)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use cairn_classes::compute::market::lottery;
    use cairn_log::{Log, LogOptions, StdDisk};
    use cairn_testkit::fair::month::{DAYS, month};

    use super::*;
    use crate::{Ledger, LedgerOptions};

    /// A month on disk; some of its epochs keep no snapshot.
    /// A job, the entry that ordered it, and who was assigned.
    type Ordered = (JobId, u64, Vec<DeviceId>);

    fn on_disk(snapshots_kept: u64) -> (tempfile::TempDir, Ledger, Vec<Ordered>) {
        let month = month(true);
        let folder = tempfile::tempdir().unwrap();
        let disk = Arc::new(StdDisk::create(folder.path().join("log")).unwrap());
        let (mut log, _) = Log::open(disk, LogOptions::default()).unwrap();
        log.append(&month.fair.network.entries).unwrap();
        let options = LedgerOptions { snapshots_kept };
        let ledger = Ledger::open(&folder.path().join("views"), log.reader(), options, &mut |_, _| {}).unwrap();
        let (mut jobs, mut fold) = (Vec::new(), Fold::start());
        for (index, bytes) in (0..).zip(&month.fair.network.entries) {
            let entry = Entry::decode(bytes).unwrap();
            fold.push(leaf_hash(bytes), &entry, None).unwrap();
            if entry.kind != EntryKind::Statement {
                continue;
            }
            let id = JobId(Statement::parse(entry.body).unwrap().payload_hash());
            if let Some(job) = fold.state().market.job(&id) {
                jobs.push((id, index, job.assigned.iter().map(|worker| worker.device).collect()));
            }
        }
        (folder, ledger, jobs)
    }

    #[test]
    fn the_lottery_of_every_order_is_drawn_again_and_begins_with_whom_it_was_assigned_to() {
        let (folder, ledger, jobs) = on_disk(1_000);
        let (closed, log) = (ledger.closed_epochs(), ledger.reader());
        assert!(jobs.len() > 100, "{}", jobs.len());
        for (job, index, assigned) in &jobs {
            let Drawn::Again(drawing) = closed.drawing(log, job, *index, Some(assigned)).unwrap() else {
                panic!("job {job} at {index}")
            };
            let numbers: Vec<Hash> = drawing.candidates.iter().map(|one| one.lottery).collect();
            assert!(numbers.is_sorted() && numbers.len() >= usize::from(drawing.order.replicas));
            assert_eq!(drawing.seed, Hash::of_parts(&[&log.root_at(*index).unwrap().0, &drawing.leaf.0]));
            for one in &drawing.candidates {
                assert_eq!(one.lottery, lottery(&drawing.seed, job, &one.device));
            }
            // What the epoch paid for went to those who were drawn.
            let settled =
                (closed.epoch_of(*index).unwrap()..closed.open()).find_map(|epoch| closed.sale_proof(epoch, job).ok());
            for work in settled.iter().flat_map(|settled| &settled.sale.work) {
                let drawn = drawing.candidates.iter().take(drawing.order.replicas.into());
                assert!(drawn.map(|one| one.device.to_string()).any(|device| device == work.device), "job {job}");
            }
        }
        let (job, index, assigned) = jobs.iter().rev().find(|(_, _, assigned)| assigned.len() > 1).unwrap();
        let reversed: Vec<DeviceId> = assigned.iter().rev().copied().collect();
        let fresh = Ledger::open(&folder.path().join("views"), log.clone(), LedgerOptions::default(), &mut |_, _| {});
        let fresh = fresh.unwrap().closed_epochs();
        assert_eq!(fresh.drawing(log, job, *index, Some(&reversed)).unwrap_err().code(), "NET-VIEW");
        for (name, index) in [(job, *index + 1), (job, u64::MAX), (&JobId(Hash::ZERO), *index)] {
            assert_eq!(fresh.drawing(log, name, index, None).unwrap_err().code(), "NET-NO-JOB", "{index}");
        }
    }

    #[test]
    fn what_would_cost_too_much_or_is_under_way_is_not_drawn() {
        let (_folder, ledger, jobs) = on_disk(1);
        let closed = ledger.closed_epochs();
        let (job, index, _) = jobs.iter().find(|(_, index, _)| closed.epoch_of(*index).unwrap() == DAYS / 2).unwrap();
        assert_eq!(closed.drawing(ledger.reader(), job, *index, None).unwrap(), Drawn::TooFar);
        let Begun::Mine(other) = closed.drawings.begin((u64::MAX, *job)) else { panic!("nothing is under way") };
        assert_eq!(closed.drawing(ledger.reader(), job, *index, None).unwrap(), Drawn::Busy);
        drop(other);
        assert_eq!(closed.drawing(ledger.reader(), job, *index, None).unwrap(), Drawn::TooFar);
    }

    #[test]
    fn many_who_ask_at_once_are_told_the_same() {
        let (_folder, ledger, jobs) = on_disk(DAYS);
        let (job, index, _) = &jobs[0];
        let ask = || ledger.closed_epochs().drawing(ledger.reader(), job, *index, None).unwrap();
        let answers: Vec<Drawn> = std::thread::scope(|scope| {
            let asking: Vec<_> = (0..8).map(|_| scope.spawn(ask)).collect();
            asking.into_iter().map(|one| one.join().unwrap()).collect()
        });
        assert!(matches!(answers[0], Drawn::Again(_)));
        assert!(answers.iter().all(|answer| *answer == answers[0]));
        // What was drawn is told also while another one is.
        let closed = ledger.closed_epochs();
        let _other = closed.drawings.begin((u64::MAX, *job));
        assert_eq!(ask(), answers[0]);
    }
}

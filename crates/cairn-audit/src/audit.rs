//! The audit itself: four things at once, one order of findings.
//!
//! A thread reads ahead; the pool hashes and checks signatures of one chunk while one of its threads folds the chunk
//! before; a thread compares closed epochs with what is served. Whatever the number of threads, the first difference is
//! the first in the log: chunks are folded in order, a later chunk's trouble waits for the earlier ones to be folded, and
//! an epoch's tables come before anything logged after its end.

use core::time::Duration;
use std::sync::mpsc::{Receiver, channel, sync_channel};
use std::time::Instant;

use cairn_core::NetworkId;
use cairn_core::epoch::EpochStatement;
use cairn_core::key::PublicKey;
use cairn_core::statement::AuditorSet;
use cairn_fold::Fold;
use cairn_merkle::note::Note;
use rayon::prelude::*;

use crate::bundle::{self, Bundle};
use crate::difference::Stop;
use crate::error::AuditError;
use crate::opening::{self, Opened, Seen};
use crate::replay::{Prepared, Replay, Tally};
use crate::report::{AuditReport, DAY_MS, Elapsed, EpochLine, Outcome, PinnedBy, Resumed, Unserved};
use crate::resume;
use crate::signatures::{self, KeyBook};
use crate::source::Source;
use crate::stream::{RawChunk, read_ahead};
use crate::tables::{Compared, compare_all};
use crate::watch::{Watch, witnessed_log};
use crate::witnessed::{Testimony, Trust, read_history};

/// Where an audit starts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Start {
    /// At entry 0: nothing is taken on anybody's word.
    #[default]
    Genesis,
    /// After an epoch, from the snapshot that the source serves.
    After(u64),
    /// From a snapshot's bytes.
    Snapshot(Vec<u8>),
}

/// What an audit is held to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditOptions {
    /// The network that is meant.
    pub network: Option<NetworkId>,
    /// The operator that is meant.
    pub operator: Option<PublicKey>,
    /// The signed note of an older checkpoint, which the log must continue.
    pub remembered: Option<String>,
    /// The witnesses whose word counts. Without them nobody bounds the log's time.
    pub trust: Option<Trust>,
    /// Where to start.
    pub start: Start,
    /// The auditor's own time, ms since 1970 UTC: a log whose last entry lies more than a day ahead of it is noted.
    pub now_ms: Option<u64>,
    /// How many entries may follow the end of an epoch without its statement, while no later epoch closes.
    pub unlogged_entries_max: u64,
    /// How many void entries are listed one by one.
    pub void_listed_max: usize,
    /// Whether recomputed epochs are handed over, as [`Progress::Recomputed`].
    pub keep: bool,
    /// Whether the snapshots served are compared too. They prove themselves when one starts from them, and are large.
    pub snapshots: bool,
}

impl Default for AuditOptions {
    fn default() -> Self {
        Self {
            network: None,
            operator: None,
            remembered: None,
            trust: None,
            start: Start::Genesis,
            now_ms: None,
            unlogged_entries_max: 1_000,
            void_listed_max: 100,
            keep: false,
            snapshots: false,
        }
    }
}

/// How far an audit is.
#[derive(Debug, Clone, Copy)]
pub enum Progress<'a> {
    /// Entries folded so far, of all.
    Entries {
        /// Folded.
        done: u64,
        /// Under the checkpoint.
        of: u64,
    },
    /// An epoch that was recomputed, and of which everything served is the same; before its [`Progress::Epoch`], and only
    /// where the options ask for it. Its statement may yet turn out to be logged otherwise.
    Recomputed(&'a KeptEpoch),
    /// An epoch was recomputed and compared.
    Epoch(&'a EpochLine),
}

/// What the entries imply of an epoch, for whoever vouches for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptEpoch {
    /// Its statement.
    pub statement: EpochStatement,
    /// The auditors whose signatures count for it, if the log names any.
    pub auditors: Option<AuditorSet>,
    /// The snapshot of the state after it.
    pub snapshot: Vec<u8>,
}

/// Recomputes a network from what a source serves, on the current rayon pool, and compares every byte.
///
/// `progress` is called now and then, and once for every epoch, in order.
///
/// # Errors
/// [`AuditError`] when the source cannot be read; a network that is wrong is a report with [`Outcome::Fail`].
pub fn audit(
    source: &dyn Source,
    options: &AuditOptions,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<AuditReport, AuditError> {
    let started = Instant::now();
    if let Some(note) = &options.remembered {
        opening::parse_remembered(note)?;
    }
    let snapshot = match &options.start {
        Start::Genesis => None,
        Start::Snapshot(bytes) => Some(bytes.clone()),
        Start::After(epoch) => {
            let none = || AuditError::NoSnapshot { source_name: source.name(), epoch: *epoch };
            Some(source.snapshot(*epoch)?.ok_or_else(none)?)
        }
    };
    let mut report = blank(source, options);
    let mut seen = Seen::default();
    let begun = begin(source, options, snapshot.as_deref(), &mut seen, &mut report);
    (report.network, report.checkpoint) = (seen.network, seen.checkpoint);
    report.elapsed.opening_ms = ms(started.elapsed());
    let stop = match begun {
        Ok((opened, fold, resumed, watch)) => {
            let begun = (fold, resumed.as_ref(), watch);
            run(source, options, &opened, begun, &mut report, progress)
        }
        Err(stop) => Some(stop),
    };
    report.elapsed.total_ms = ms(started.elapsed());
    match stop {
        None => Ok(report),
        Some(Stop::Differs(difference)) => {
            report.outcome = Outcome::Fail { difference };
            Ok(report)
        }
        Some(Stop::Source(error)) => Err(error.into()),
    }
}

fn ms(elapsed: Duration) -> u64 {
    u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX)
}

fn blank(source: &dyn Source, options: &AuditOptions) -> AuditReport {
    let pinned_by = match (options.network, options.operator) {
        (Some(_), _) => PinnedBy::NetworkId,
        (None, Some(_)) => PinnedBy::Operator,
        (None, None) => PinnedBy::FirstUse,
    };
    AuditReport {
        outcome: Outcome::Pass,
        source: source.name(),
        network: None,
        pinned_by,
        checkpoint: None,
        continues: None,
        witnessed: None,
        resumed: None,
        counts: crate::report::Counts::default(),
        epochs: Vec::new(),
        unserved: Unserved::default(),
        ahead_ms: None,
        void: std::collections::BTreeMap::new(),
        void_entries: Vec::new(),
        elapsed: Elapsed::default(),
    }
}

type Begun<'a> = (Opened<'a>, Fold, Option<EpochStatement>, Option<Watch>);

fn begin<'a>(
    source: &'a dyn Source,
    options: &AuditOptions,
    snapshot: Option<&[u8]>,
    seen: &mut Seen,
    report: &mut AuditReport,
) -> Result<Begun<'a>, Stop> {
    let history = if options.trust.is_some() { read_history(source)? } else { None };
    let opened = opening::open(source, options, seen)?;
    if let Some(note) = &options.remembered {
        report.continues = Some(opened.continues(note)?);
    }
    let Some(snapshot) = snapshot else {
        let watch = watch(source, options, &opened, history.unwrap_or_default(), 0, report)?;
        return Ok((opened, Fold::start(), None, watch));
    };
    let (fold, statement) = resume::resume(&opened, snapshot)?;
    let hash = statement.hash();
    report.resumed = Some(Resumed {
        epoch: statement.number,
        statement: hash.to_string(),
        from: statement.to,
        trusting: format!(
            "everything before entry {} is taken from the statement {hash} of epoch {}, not recomputed",
            statement.to, statement.number
        ),
    });
    let watch = watch(source, options, &opened, history.unwrap_or_default(), statement.to, report)?;
    Ok((opened, fold, Some(statement), watch))
}

/// Verifies what witnesses said, and holds what they saw of the entries before `from` against the log.
fn watch(
    source: &dyn Source,
    options: &AuditOptions,
    opened: &Opened<'_>,
    history: Vec<Note>,
    from: u64,
    report: &mut AuditReport,
) -> Result<Option<Watch>, Stop> {
    let Some(trust) = &options.trust else { return Ok(None) };
    let served = (opened.note.as_str(), &opened.checkpoint);
    let testimony = Testimony::of(trust, &opened.log, served, history, source.is_live())?;
    report.witnessed = Some(witnessed_log(trust, &testimony));
    Watch::over(opened, trust, testimony, from, &opened.rehearsed).map(Some)
}

/// Reads, checks, folds and compares the whole log from where `fold` stands; why it stopped, if it did.
fn run(
    source: &dyn Source,
    options: &AuditOptions,
    opened: &Opened<'_>,
    (fold, resumed, watch): (Fold, Option<&EpochStatement>, Option<Watch>),
    report: &mut AuditReport,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Option<Stop> {
    let (from, size) = (fold.size(), opened.checkpoint.size());
    std::thread::scope(|scope| {
        let (chunks_in, chunks) = sync_channel(1);
        scope.spawn(move || read_ahead(source, &opened.tiles, from, size, &chunks_in));
        let (epochs_in, epochs) = sync_channel(4);
        let (compared_in, compared) = channel();
        scope.spawn(move || compare_all(source, &epochs, &compared_in));
        let book = KeyBook::of(fold.state());
        let mut replay = Replay::from(fold, resumed, options, epochs_in);
        replay.watch = watch;
        let network = opened.network;
        let spent = Spent::default();
        let mut run = Run { replay, book, network, size, compared, progress, report, spent, stopped: None };
        let mut stop = run.all(&chunks);
        // Nobody reads ahead any more, and no epoch follows.
        drop(chunks);
        if stop.is_none() && run.stopped.is_none() {
            stop = run.replay.finish(options.unlogged_entries_max).err();
        }
        run.end(stop, options.now_ms)
    })
}

/// Time spent on the parts of an audit.
#[derive(Default)]
struct Spent {
    waiting: Duration,
    checking: Duration,
    folding: Duration,
}

struct Run<'r, 'p> {
    replay: Replay,
    book: KeyBook,
    network: NetworkId,
    size: u64,
    compared: Receiver<Compared>,
    progress: &'r mut (dyn FnMut(Progress<'_>) + 'p),
    report: &'r mut AuditReport,
    spent: Spent,
    /// Why the comparing of tables stopped, what had been folded by then, and the entry at which that epoch closed.
    stopped: Option<(Stop, Tally, u64)>,
}

impl Run<'_, '_> {
    fn all(&mut self, chunks: &Receiver<Result<RawChunk, Stop>>) -> Option<Stop> {
        let mut ready: Option<Prepared> = None;
        loop {
            let waiting = Instant::now();
            let next = chunks.recv().ok();
            self.spent.waiting += waiting.elapsed();
            let then = ready.as_mut().and_then(|prepared| prepared.then.take());
            let over = next.is_none();
            let (folded, prepared) = self.step(ready.take(), if then.is_some() { None } else { next });
            if let Some(stop) = folded.err().or(then) {
                return Some(stop);
            }
            (self.progress)(Progress::Entries { done: self.replay.fold.size(), of: self.size });
            while let Ok(compared) = self.compared.try_recv() {
                self.note(compared);
            }
            if self.stopped.is_some() || over {
                return None;
            }
            match prepared {
                Ok(prepared) => ready = prepared,
                Err(stop) => return Some(stop),
            }
        }
    }

    /// Folds one chunk while the next is hashed and its signatures are checked.
    fn step(
        &mut self,
        ready: Option<Prepared>,
        next: Option<Result<RawChunk, Stop>>,
    ) -> (Result<(), Stop>, Result<Option<Prepared>, Stop>) {
        let Self { replay, book, network, spent, .. } = self;
        let (mut folding, mut checking) = (Duration::ZERO, Duration::ZERO);
        let steps = rayon::join(
            || {
                let started = Instant::now();
                let folded = ready.map_or(Ok(()), |prepared| replay.take(&prepared));
                folding = started.elapsed();
                folded
            },
            || {
                let started = Instant::now();
                let prepared = next.map(|chunk| Ok(prepare(chunk?, book, network))).transpose();
                checking = started.elapsed();
                prepared
            },
        );
        spent.folding += folding;
        spent.checking += checking;
        steps
    }

    fn note(&mut self, compared: Compared) {
        let (mut line, stopped) = match compared {
            Compared::Same { line, kept } => {
                if let Some(kept) = &kept {
                    (self.progress)(Progress::Recomputed(kept));
                }
                (line, None)
            }
            Compared::Stopped { line, stop, tally } => {
                let to = line.to;
                (line, Some((stop, tally, to)))
            }
        };
        line.logged_at = self.replay.logged.get(&line.number).copied();
        (self.progress)(Progress::Epoch(&line));
        self.report.epochs.push(line);
        self.stopped = self.stopped.take().or(stopped);
    }

    /// Waits for the last epochs to be compared, and finishes the report; why the audit stopped, if it did.
    ///
    /// What was found in an epoch's tables comes first: everything folded since was logged after that epoch.
    fn end(mut self, stop: Option<Stop>, now_ms: Option<u64>) -> Option<Stop> {
        self.replay.close_tables();
        while let Ok(compared) = self.compared.recv() {
            self.note(compared);
        }
        let Self { replay, report, stopped, spent, .. } = self;
        if let (Some(watch), Some(witnessed)) = (replay.watch, &mut report.witnessed) {
            witnessed.time = watch.finish();
        }
        let elapsed = &mut report.elapsed;
        (elapsed.waiting_ms, elapsed.checking_ms) = (ms(spent.waiting), ms(spent.checking));
        elapsed.folding_ms = ms(spent.folding);
        let (stop, tally, seen) = match stopped {
            Some((stop, tally, to)) => (Some(stop), tally, to),
            None => (stop, replay.tally, u64::MAX),
        };
        for line in &mut report.epochs {
            line.logged_at = replay.logged.get(&line.number).copied().filter(|index| *index < seen);
            if let Some(Stop::Differs(difference)) = &stop {
                line.ok &= difference.epoch != Some(line.number);
            }
        }
        let without = |served: fn(&EpochLine) -> bool| report.epochs.iter().filter(|line| !served(line)).count() as u64;
        report.unserved = Unserved {
            verdicts: without(|line| line.compared.verdicts),
            payouts: without(|line| line.compared.payouts),
            sales: without(|line| line.compared.sales || line.sales == 0),
            carry: without(|line| line.compared.carry || line.remembered == 0),
        };
        let ahead_ms = now_ms.map(|now_ms| replay.fold.state().received_ms.saturating_sub(now_ms));
        report.ahead_ms = ahead_ms.filter(|ahead_ms| *ahead_ms > DAY_MS);
        (report.counts, report.void, report.void_entries) = (tally.counts, tally.void, tally.void_entries);
        stop
    }
}

/// Hashes a chunk's entries and checks its signatures, up to the first bundle that is wrong.
fn prepare(chunk: RawChunk, book: &mut KeyBook, network: &NetworkId) -> Prepared {
    let checked: Vec<Result<Bundle, Stop>> = chunk.into_par_iter().map(|raw| bundle::check(raw, network)).collect();
    let (mut bundles, mut then) = (Vec::with_capacity(checked.len()), None);
    // The first in the log, not the first to be found.
    for bundle in checked {
        match bundle {
            Ok(bundle) => bundles.push(bundle),
            Err(stop) => {
                then = Some(stop);
                break;
            }
        }
    }
    let checked = signatures::check(book, &bundles);
    Prepared { bundles, checked, then }
}

//! The thread that owns the sequencer.
//!
//! Requests wait in a bounded queue. The writer takes everything that waits, up to a bound, makes it durable with one
//! sync and answers each: under load groups grow by themselves, and alone a request waits for nobody. Between groups it
//! closes due epochs and has checkpoints published, by a thread beside it, so that nobody waits for their syncs; where
//! witnesses are to see them, one at a time. While the disk is full it refuses, and looks for room between groups.
//! After any other error it ends: what it holds in memory may be ahead of the log.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TryRecvError, TrySendError, sync_channel};
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use axum::http::StatusCode;
use cairn_ledger::{LedgerError, Receipted, Sequencer, Submission};
use cairn_log::{LogError, PendingCheckpoint};
use tokio::sync::oneshot;

use crate::GatewayOptions;
use crate::histogram::Histogram;
use crate::problem::{Refused, report_failure};
use crate::rounds::{Cosigned, Rounds};
use crate::shares::Share;

/// Bounds for the items of a group.
const GROUP_ITEMS: [u64; 7] = [1, 4, 16, 64, 256, 1_024, 4_096];
/// Bounds for the time that a group takes, microseconds.
const GROUP_US: [u64; 9] = [500, 1_000, 2_500, 5_000, 10_000, 25_000, 100_000, 500_000, 2_500_000];

/// What the writer is asked to do.
enum Work {
    Log(Vec<Request>),
    Cosigned(Cosigned),
    End,
}

/// What is told to whoever asked; it is handed over and never waits.
type Tell = Box<dyn FnOnce(Result<Receipted, Refused>) + Send>;

/// Items to log together, and who is told what became of them.
pub(crate) struct Request {
    /// The items.
    pub items: Vec<Submission>,
    /// Who is told.
    pub tell: Tell,
}

/// A clock that is so far behind the log is worth a word to the operator, ms.
const CLOCK_BEHIND_MS: u64 = 60_000;

/// What others may know of the writer.
pub(crate) struct Standing {
    started: Instant,
    /// When the checkpoint last covered the whole log, ms after `started`.
    fresh_ms: AtomicU64,
    /// The code of what stopped it.
    stopped: OnceLock<&'static str>,
    /// Whether the disk was full when it was written last.
    full: AtomicBool,
    /// How far the machine's clock is behind the log's last entry, ms.
    pub clock_behind_ms: AtomicU64,
    /// Requests that wait.
    pub waiting: AtomicUsize,
    /// Groups made durable, by items.
    pub groups: Histogram,
    /// The same by the time spent on them, microseconds.
    pub busy_us: Histogram,
    /// The epoch that is open.
    pub epoch: AtomicU64,
}

impl Standing {
    fn just_started() -> Self {
        Self {
            started: Instant::now(),
            fresh_ms: AtomicU64::new(0),
            stopped: OnceLock::new(),
            full: AtomicBool::new(false),
            clock_behind_ms: AtomicU64::new(0),
            waiting: AtomicUsize::new(0),
            groups: Histogram::up_to(&GROUP_ITEMS),
            busy_us: Histogram::up_to(&GROUP_US),
            epoch: AtomicU64::new(0),
        }
    }

    fn since_start_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// How long ago the checkpoint was published, or found to cover the whole log; ms.
    pub fn checkpoint_age_ms(&self) -> u64 {
        self.since_start_ms().saturating_sub(self.fresh_ms.load(Ordering::Relaxed))
    }

    /// The refusal to answer with when the writer has stopped, or the disk is full.
    pub fn refusal(&self) -> Option<Refused> {
        self.stopped_refusal().or_else(|| self.full.load(Ordering::Relaxed).then(disk_is_full))
    }

    fn stopped_refusal(&self) -> Option<Refused> {
        let code = self.stopped.get()?;
        let detail = format!("nothing more is logged: the writer stopped after {code}");
        let hint = "reading goes on; send it again when the operator has started the gateway anew";
        Some(Refused::of(StatusCode::SERVICE_UNAVAILABLE, "NET-STOPPED", detail).hint(hint))
    }
}

/// The way to the writer.
#[derive(Clone)]
pub(crate) struct WriterQueue {
    queue: SyncSender<Work>,
    requests_max: usize,
    standing: Arc<Standing>,
}

impl WriterQueue {
    /// What is known of the writer.
    pub fn standing(&self) -> &Standing {
        &self.standing
    }

    /// Has items logged, and waits until they are durable. The memory held for them is given back then, also when nobody
    /// waits any more.
    ///
    /// # Errors
    /// [`Refused`] when the queue is full or the writer has stopped.
    pub async fn submit(&self, items: Vec<Submission>, held: Share) -> Result<Receipted, Refused> {
        self.hand_over(items, Some(held))?.await.unwrap_or_else(|_| Err(self.stopped()))
    }

    /// As [`WriterQueue::submit`], from a blocking thread, of what is nobody's.
    pub fn submit_blocking(&self, items: Vec<Submission>) -> Result<Receipted, Refused> {
        self.hand_over(items, None)?.blocking_recv().unwrap_or_else(|_| Err(self.stopped()))
    }

    fn hand_over(
        &self,
        items: Vec<Submission>,
        held: Option<Share>,
    ) -> Result<oneshot::Receiver<Result<Receipted, Refused>>, Refused> {
        let (answer, answered) = oneshot::channel();
        // Who has left is not answered; what was logged stays.
        let tell = move |told| {
            drop(held);
            drop(answer.send(told));
        };
        match self.submit_all(vec![Request { items, tell: Box::new(tell) }]) {
            Ok(()) => Ok(answered),
            Err((refused, _)) => Err(refused),
        }
    }

    /// Has several requests logged, which are told by themselves; a request that is dropped untold met a writer that ended.
    /// As many as there is room for are taken, the first ones first.
    ///
    /// # Errors
    /// [`Refused`] with the other requests when the queue is full, and with all of them when the writer has stopped.
    pub fn submit_all(&self, mut requests: Vec<Request>) -> Result<(), (Refused, Vec<Request>)> {
        let mut taken = 0;
        let reserve = |waiting: usize| {
            taken = requests.len().min(self.requests_max.saturating_sub(waiting));
            Some(waiting + taken)
        };
        // It answers with a value each time, so it cannot fail.
        let _ = self.standing.waiting.fetch_update(Ordering::Relaxed, Ordering::Relaxed, reserve);
        let mut rest = requests.split_off(taken);
        let busy = || Refused::busy("NET-BUSY", "too many requests wait for the writer");
        let (refused, work) = match (taken > 0).then(|| self.queue.try_send(Work::Log(requests))) {
            None | Some(Ok(())) if rest.is_empty() => return Ok(()),
            None | Some(Ok(())) => return Err((busy(), rest)),
            Some(Err(TrySendError::Full(work))) => (busy(), work),
            Some(Err(TrySendError::Disconnected(work))) => (self.stopped(), work),
        };
        self.standing.waiting.fetch_sub(taken, Ordering::Relaxed);
        if let Work::Log(mut unsent) = work {
            unsent.append(&mut rest);
            rest = unsent;
        }
        Err((refused, rest))
    }

    /// The refusal of a writer that has ended.
    pub fn stopped(&self) -> Refused {
        // The writer may be on its way out and not have said why yet.
        let unsaid = || Refused::of(StatusCode::SERVICE_UNAVAILABLE, "NET-STOPPED", "nothing more is logged");
        self.standing.stopped_refusal().unwrap_or_else(unsaid)
    }

    /// Hands over what witnesses said of a checkpoint: the end of a round.
    pub fn cosigned(&self, cosigned: Cosigned) {
        // A writer that is gone publishes nothing.
        let _ = self.queue.send(Work::Cosigned(cosigned));
    }

    /// Has the writer answer what waits, publish a last checkpoint and end.
    pub fn end(&self) {
        // A writer that is gone has ended.
        let _ = self.queue.send(Work::End);
    }
}

/// The writer, before its thread starts.
pub(crate) struct Writer {
    sequencer: Sequencer,
    work: Receiver<Work>,
    standing: Arc<Standing>,
    checkpoint: Duration,
    group_items_max: usize,
    rounds: Option<Rounds>,
    publishing: Option<Publishing>,
}

/// A checkpoint on its way.
struct Publishing {
    thread: JoinHandle<Result<(), LogError>>,
    /// The epoch that was open when it began.
    epoch: u64,
}

/// While a checkpoint is on its way the writer looks so often whether it has arrived.
const LOOK: Duration = Duration::from_millis(5);

impl Writer {
    /// The writer over a sequencer, and the way to it. With `rounds` every checkpoint is shown to witnesses.
    pub fn over(sequencer: Sequencer, options: &GatewayOptions, rounds: Option<Rounds>) -> (Self, WriterQueue) {
        let requests_max = options.queue_requests_max.max(1);
        let (queue, work) = sync_channel(requests_max);
        let standing = Arc::new(Standing::just_started());
        let writer = Self {
            sequencer,
            work,
            standing: standing.clone(),
            checkpoint: options.checkpoint,
            group_items_max: options.group_items_max.max(1),
            rounds,
            publishing: None,
        };
        (writer, WriterQueue { queue, requests_max, standing })
    }

    /// Works until it is told to end.
    ///
    /// # Errors
    /// What stopped it earlier.
    pub fn run(mut self) -> Result<(), LedgerError> {
        let _even_after_a_panic = LastWord(self.standing.clone());
        let result = self.work();
        if let Some(left) = self.publishing.take() {
            // The folder is somebody else's once this returns. What came of it no longer matters: the writer has failed.
            let _ = left.thread.join();
        }
        if let Err(error) = &result {
            report_failure(&format_args!("the writer stopped: {error}"));
            let _ = self.standing.stopped.set(error.code());
        }
        result
    }

    fn note_epoch(&self) {
        if let Ok(ledger) = self.sequencer.ledger().read() {
            self.standing.epoch.store(ledger.state().epoch.number, Ordering::Relaxed);
        }
    }

    fn work(&mut self) -> Result<(), LedgerError> {
        self.note_epoch();
        let mut next_tick = Instant::now();
        'working: loop {
            let mut patience = next_tick.saturating_duration_since(Instant::now());
            if self.publishing.is_some() {
                patience = patience.min(LOOK);
            }
            let mut next = match self.work.recv_timeout(patience) {
                Ok(work) => Some(work),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => break,
            };
            while let Some(work) = next.take() {
                match work {
                    Work::Log(first) => {
                        let (group, after) = self.gather(first);
                        self.log(group)?;
                        next = after;
                    }
                    Work::Cosigned(cosigned) => self.cosign(&cosigned)?,
                    Work::End => break 'working,
                }
            }
            self.end_publishing(false)?;
            if Instant::now() >= next_tick {
                self.tick()?;
                next_tick = Instant::now() + self.checkpoint;
            }
        }
        self.end_publishing(true)?;
        self.sequencer.publish()
    }

    fn tick(&mut self) -> Result<(), LedgerError> {
        if self.rounds.as_mut().is_some_and(Rounds::hold_back) {
            let closed = self.sequencer.tick_unpublished();
            self.outlast(closed)?;
            self.note_epoch();
        } else {
            let begun = self.sequencer.tick_begin();
            self.note_epoch();
            match self.outlast(begun)? {
                Some(Some(pending)) => self.begin_publishing(pending)?,
                Some(None) if self.publishing.is_none() => self.published(self.standing.epoch.load(Ordering::Relaxed)),
                Some(None) | None => {}
            }
        }
        self.note_clock();
        Ok(())
    }

    /// Has a checkpoint published beside the writer; by the writer itself where no thread is to be had.
    fn begin_publishing(&mut self, pending: PendingCheckpoint) -> Result<(), LedgerError> {
        let epoch = self.standing.epoch.load(Ordering::Relaxed);
        let pending = Arc::new(pending);
        let beside = pending.clone();
        let thread = std::thread::Builder::new().name("cairn-checkpoint".to_owned());
        match thread.spawn(move || beside.publish()) {
            Ok(thread) => {
                self.publishing = Some(Publishing { thread, epoch });
                Ok(())
            }
            Err(_) => self.note_published(pending.publish(), epoch),
        }
    }

    /// Takes note of the checkpoint that was on its way: if it has arrived, or however long that takes.
    fn end_publishing(&mut self, wait: bool) -> Result<(), LedgerError> {
        let arrived = self.publishing.take_if(|publishing| wait || publishing.thread.is_finished());
        let Some(Publishing { thread, epoch }) = arrived else { return Ok(()) };
        let panicked = || LogError::Stopped { cause: "publishing a checkpoint panicked".to_owned() };
        self.note_published(thread.join().unwrap_or_else(|_| Err(panicked())), epoch)
    }

    fn note_published(&mut self, published: Result<(), LogError>, epoch: u64) -> Result<(), LedgerError> {
        match self.sequencer.end_publishing(published) {
            // That there was room for it says nothing of now.
            Ok(()) => self.published(epoch),
            Err(error) => drop(self.outlast::<()>(Err(error))?),
        }
        Ok(())
    }

    /// The published checkpoint covers the log as it was a moment ago.
    fn published(&mut self, epoch: u64) {
        self.standing.fresh_ms.store(self.standing.since_start_ms(), Ordering::Relaxed);
        if let Some(rounds) = &mut self.rounds {
            rounds.begin(&self.sequencer.reader(), epoch);
        }
    }

    fn cosign(&mut self, cosigned: &Cosigned) -> Result<(), LedgerError> {
        if let Some(rounds) = &mut self.rounds {
            rounds.end();
        }
        let added = self.sequencer.add_cosignatures(&cosigned.text, &cosigned.lines);
        self.outlast(added).map(drop)
    }

    /// A full disk is waited out; `None` means that it was. Anything else ends the writer.
    fn outlast<T>(&self, done: Result<T, LedgerError>) -> Result<Option<T>, LedgerError> {
        let is_full = done.as_ref().is_err_and(LedgerError::is_full);
        let was_full = self.standing.full.swap(is_full, Ordering::Relaxed);
        match done {
            Err(error) if is_full => {
                if !was_full {
                    report_failure(&format_args!("{error}; nothing is logged until there is room"));
                }
                Ok(None)
            }
            Ok(done) => {
                if was_full {
                    report_failure(&"the disk has room again: logging goes on");
                }
                Ok(Some(done))
            }
            Err(error) => Err(error),
        }
    }

    fn note_clock(&self) {
        let behind_ms = self.sequencer.clock_behind_ms();
        let before_ms = self.standing.clock_behind_ms.swap(behind_ms, Ordering::Relaxed);
        if behind_ms > CLOCK_BEHIND_MS && before_ms <= CLOCK_BEHIND_MS {
            let said = "behind the last entry of the log: entries are dated with the time of that one meanwhile";
            report_failure(&format_args!("this machine's clock is {behind_ms} ms {said}"));
        }
    }

    /// Everything that waits to be logged, up to the bound, and what else was met.
    fn gather(&self, first: Vec<Request>) -> (Vec<Request>, Option<Work>) {
        let items_of = |requests: &[Request]| requests.iter().map(|request| request.items.len()).sum::<usize>();
        let mut items = items_of(&first);
        let mut group = first;
        let mut after = None;
        while items < self.group_items_max && after.is_none() {
            match self.work.try_recv() {
                Ok(Work::Log(requests)) => {
                    items += items_of(&requests);
                    group.extend(requests);
                }
                Ok(other) => after = Some(other),
                Err(TryRecvError::Empty | TryRecvError::Disconnected) => break,
            }
        }
        self.standing.waiting.fetch_sub(group.len(), Ordering::Relaxed);
        (group, after)
    }

    fn log(&mut self, group: Vec<Request>) -> Result<(), LedgerError> {
        let start = Instant::now();
        let (requests, tells): (Vec<_>, Vec<_>) =
            group.into_iter().map(|request| (request.items, request.tell)).unzip();
        let items: usize = requests.iter().map(Vec::len).sum();
        let submitted = self.sequencer.submit_group(requests);
        let Some(receipted) = self.outlast(submitted)? else {
            for tell in tells {
                tell(Err(disk_is_full()));
            }
            return Ok(());
        };
        self.note_epoch();
        let standing = &self.standing;
        standing.groups.count(items as u64);
        standing.busy_us.count(u64::try_from(start.elapsed().as_micros()).unwrap_or(u64::MAX));
        for (tell, receipted) in tells.into_iter().zip(receipted) {
            tell(Ok(receipted));
        }
        Ok(())
    }
}

fn disk_is_full() -> Refused {
    let detail = "nothing more is logged: the gateway's disk is full";
    Refused::busy("LOG-FULL", detail).hint("reading goes on; send it again when the operator has made room")
}

/// However the writer ends, nobody takes it for alive.
struct LastWord(Arc<Standing>);

impl Drop for LastWord {
    fn drop(&mut self) {
        let code = if std::thread::panicking() { "NET-PANIC" } else { "NET-ENDED" };
        let _ = self.0.stopped.set(code);
        self.0.waiting.store(0, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn requests(count: usize) -> Vec<Request> {
        let numbered = |items| Request { items: vec![submission(); items], tell: Box::new(|_| ()) };
        (1..=count).map(numbered).collect()
    }

    fn submission() -> Submission {
        Submission { kind: cairn_core::entry::EntryKind::Report, body: Vec::new(), checked: None }
    }

    fn sizes(requests: &[Request]) -> Vec<usize> {
        requests.iter().map(|request| request.items.len()).collect()
    }

    #[test]
    fn of_requests_that_come_together_the_first_are_taken_while_there_is_room_and_only_the_others_refused() {
        let (queue, work) = sync_channel(3);
        let queue = WriterQueue { queue, requests_max: 3, standing: Arc::new(Standing::just_started()) };
        let waiting = || queue.standing.waiting.load(Ordering::Relaxed);
        assert!(queue.submit_all(Vec::new()).is_ok());
        let (refused, others) = queue.submit_all(requests(5)).unwrap_err();
        assert_eq!((refused.code(), sizes(&others), waiting()), ("NET-BUSY", vec![4, 5], 3));
        let Ok(Work::Log(taken)) = work.try_recv() else { panic!("nothing was sent") };
        assert_eq!(sizes(&taken), [1, 2, 3]);
        // They wait until the writer says that they do not.
        let (refused, others) = queue.submit_all(requests(2)).unwrap_err();
        assert_eq!((refused.code(), sizes(&others), waiting()), ("NET-BUSY", vec![1, 2], 3));
        assert!(work.try_recv().is_err());
        queue.standing.waiting.fetch_sub(1, Ordering::Relaxed);
        assert!(queue.submit_all(requests(1)).is_ok());
        queue.standing.waiting.fetch_sub(2, Ordering::Relaxed);
        drop(work);
        let (refused, others) = queue.submit_all(requests(4)).unwrap_err();
        assert_eq!((refused.code(), sizes(&others), waiting()), ("NET-STOPPED", vec![1, 2, 3, 4], 1));
    }
}

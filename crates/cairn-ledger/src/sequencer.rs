//! The one writer: admits, orders, makes durable, promises, closes epochs.
//!
//! Requests are taken in groups: every item is admitted against the state as it stands after the items before it, the
//! whole group is appended with one sync, and only then anybody is answered. When the disk is full the group is refused
//! whole, the state goes back to that of the log, and work goes on as soon as there is room. After any other error on the
//! way the writer stops: the state in memory may then be ahead of the log, and a restart folds the log again.

use std::sync::{Arc, RwLock, RwLockReadGuard};

use cairn_core::ed25519::SigningKey;
use cairn_core::entry::{Entry, EntryKind};
use cairn_core::key::SecretKey;
use cairn_core::observation::{Observation, ObservationBody, SOURCE_CLOCK, sign_observation};
use cairn_core::report::{Report, ReportName};
use cairn_core::{Hash, cose};
use cairn_fold::{Beforehand, Closed, Refusal};
use cairn_log::{Begun, Log, LogError, LogReader, PendingCheckpoint, promise};
use cairn_merkle::note::NoteSignature;
use cairn_merkle::tree::leaf_hash;
use cairn_merkle::{NoteSigner, SignedCheckpoint};

use crate::receipts::Notary;
use crate::store::EpochStore;
use crate::{Ledger, LedgerError, NetworkClock};

/// The most bytes of an entry: its length is written in two.
const ENTRY_BYTES_MAX: usize = 65_535;

/// The most epochs that one step of the clock may close.
const EPOCHS_PER_STEP_MAX: u64 = 100_000;

/// The operator's keys, one for each purpose.
#[derive(Debug, Clone)]
pub struct OperatorKeys {
    /// Statements.
    pub operator: SecretKey,
    /// Checkpoints.
    pub log: SigningKey,
    /// Promises.
    pub promise: SigningKey,
    /// The `clock` observations by which epochs close when nobody reports.
    pub clock: SecretKey,
}

/// A disk that was full has room again when it takes so much more than what is to be logged, in bytes.
const ROOM_BYTES: u64 = 1 << 20;

/// One item to log.
#[derive(Debug, Clone)]
pub struct Submission {
    /// What it is.
    pub kind: EntryKind,
    /// The received bytes.
    pub body: Vec<u8>,
    /// What was read from its bytes and is known of its signatures, if somebody looked at it beforehand.
    pub checked: Option<Beforehand>,
}

/// What became of one item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Durable at `index`.
    Accepted {
        /// Its index.
        index: u64,
        /// Its leaf hash.
        leaf: Hash,
    },
    /// The same payload is in the log at `index`.
    Duplicate {
        /// The index of the first.
        index: u64,
        /// Its leaf hash.
        leaf: Hash,
    },
    /// Not logged.
    Rejected(Refusal),
}

impl Answer {
    /// Index and leaf hash of the entry, if there is one.
    pub(crate) const fn entry(&self) -> Option<(u64, Hash)> {
        match self {
            Self::Accepted { index, leaf } | Self::Duplicate { index, leaf } => Some((*index, *leaf)),
            Self::Rejected(_) => None,
        }
    }
}

/// The answer to one request.
#[derive(Debug, Clone)]
pub struct Receipted {
    /// One answer per item, in order.
    pub answers: Vec<Answer>,
    /// Entries in the log.
    pub size: u64,
    /// The promise over what was accepted or known, and over a few entries of others that became durable with it; empty
    /// when nothing was.
    pub promise: String,
}

/// An epoch that closed in the group at hand, with the report names logged since the one before.
type ClosedEpoch = (Closed, Vec<(ReportName, u64)>);

/// The one writer of a network.
pub struct Sequencer {
    log: Log,
    ledger: Arc<RwLock<Ledger>>,
    keys: OperatorKeys,
    clock: NetworkClock,
    /// Signs promises, once the network is known.
    notary: Option<Notary>,
    stopped: bool,
    /// Whether the disk was full when it was written last.
    is_full: bool,
}

impl Sequencer {
    /// The writer over a log and the ledger that has folded all of it.
    ///
    /// # Errors
    /// [`LedgerError::Keys`] when the network's genesis names other keys, [`LogError::Damaged`] when the last checkpoint
    /// is not signed with them.
    pub fn over(log: Log, ledger: Ledger, keys: OperatorKeys, clock: NetworkClock) -> Result<Self, LedgerError> {
        if let Some(network) = &ledger.state().network {
            let genesis = &network.genesis;
            let fits = [
                ("operator", genesis.operator == keys.operator.public()),
                ("log", genesis.log_key == keys.log.public_bytes()),
                ("promise", genesis.promise_key == keys.promise.public_bytes()),
            ];
            if let Some((key, _)) = fits.iter().find(|(_, fits)| !fits) {
                return Err(LedgerError::Keys { key });
            }
            check_signed(&log.reader(), &genesis.origin, &keys.log)?;
        }
        let ledger = Arc::new(RwLock::new(ledger));
        Ok(Self { log, ledger, keys, clock, notary: None, stopped: false, is_full: false })
    }

    /// Whether the disk was full when it was written last: until there is room nothing more is logged.
    #[must_use]
    pub const fn is_full(&self) -> bool {
        self.is_full
    }

    /// How far the machine's clock is behind the log's last entry, ms. As long as it is, entries are dated with the time
    /// of that entry, so that no time in the log ever falls.
    #[must_use]
    pub fn clock_behind_ms(&self) -> u64 {
        self.clock.behind_ms(self.read().state().received_ms)
    }

    /// The ledger, shared with those who read.
    #[must_use]
    pub fn ledger(&self) -> Arc<RwLock<Ledger>> {
        self.ledger.clone()
    }

    /// A reader of the log.
    #[must_use]
    pub fn reader(&self) -> LogReader {
        self.log.reader()
    }

    fn read(&self) -> RwLockReadGuard<'_, Ledger> {
        self.ledger.read().expect("a writer that panicked ends the process")
    }

    /// Logs one request.
    ///
    /// # Errors
    /// As [`Sequencer::submit_group`].
    pub fn submit(&mut self, request: Vec<Submission>) -> Result<Receipted, LedgerError> {
        let mut answers = self.submit_group(vec![request])?;
        Ok(answers.pop().expect("one request has one answer"))
    }

    /// Logs a group of requests with one sync, and answers each.
    ///
    /// # Errors
    /// When the disk is full ([`LedgerError::is_full`]) nothing of the group is logged, and it may be sent again. Any
    /// other [`LedgerError`] stops the writer. Nothing of the group is promised in either case.
    pub fn submit_group(&mut self, requests: Vec<Vec<Submission>>) -> Result<Vec<Receipted>, LedgerError> {
        let bytes: usize = requests.iter().flatten().map(|item| item.body.len()).sum();
        self.guarded(|writer| {
            writer.check_room(bytes as u64)?;
            writer.log_group(requests)
        })
    }

    /// Closes the epochs that are due by the network's clock, and publishes a checkpoint if the log has grown.
    ///
    /// # Errors
    /// As [`Sequencer::submit_group`].
    pub fn tick(&mut self) -> Result<(), LedgerError> {
        self.guarded(|writer| {
            writer.close_if_due()?;
            writer.publish_if_grown()
        })
    }

    /// As [`Sequencer::tick`], but only begins the checkpoint: any thread publishes it, while this one logs, and
    /// [`Sequencer::end_publishing`] is told what came of it. `None` if there is nothing to publish, or one is under way.
    ///
    /// # Errors
    /// As [`Sequencer::submit_group`].
    pub fn tick_begin(&mut self) -> Result<Option<PendingCheckpoint>, LedgerError> {
        self.guarded(|writer| {
            writer.close_if_due()?;
            writer.begin_if_grown()
        })
    }

    /// Whether a checkpoint is begun and not ended.
    #[must_use]
    pub const fn is_publishing(&self) -> bool {
        self.log.is_publishing()
    }

    /// Ends what [`Sequencer::tick_begin`] began, with what came of publishing.
    ///
    /// # Errors
    /// As [`Sequencer::submit_group`].
    pub fn end_publishing(&mut self, published: Result<(), LogError>) -> Result<(), LedgerError> {
        let was_full = self.is_full;
        let ended = self.guarded(|writer| Ok(writer.log.end_checkpoint(published)?));
        // That there was room when the checkpoint was written says nothing of now.
        self.is_full |= was_full;
        ended
    }

    /// As [`Sequencer::tick`], but publishes nothing.
    ///
    /// # Errors
    /// As [`Sequencer::submit_group`].
    pub fn tick_unpublished(&mut self) -> Result<(), LedgerError> {
        self.guarded(Self::close_if_due)
    }

    /// Adds cosignatures of witnesses to the published checkpoint, if that is still the one over `text`; whether it was.
    /// The lines are not verified here.
    ///
    /// # Errors
    /// As [`Sequencer::submit_group`].
    pub fn add_cosignatures(&mut self, text: &str, lines: &[NoteSignature]) -> Result<bool, LedgerError> {
        self.guarded(|writer| {
            let published = writer.log.reader().published();
            // While another one is on its way this one is history.
            let is_published = !writer.log.is_publishing() && published.is_some_and(|it| it.to_string() == text);
            if is_published && !lines.is_empty() {
                writer.log.add_cosignatures(lines)?;
            }
            Ok(is_published)
        })
    }

    fn close_if_due(&mut self) -> Result<(), LedgerError> {
        self.check_room(0)?;
        let now_ms = self.now_ms();
        if self.read().fold().due(now_ms) {
            self.log_group(Vec::new())?;
        }
        Ok(())
    }

    /// Publishes a checkpoint over everything that is in the log.
    ///
    /// # Errors
    /// As [`Sequencer::submit_group`].
    pub fn publish(&mut self) -> Result<(), LedgerError> {
        self.guarded(Self::publish_if_grown)
    }

    fn guarded<T>(&mut self, work: impl FnOnce(&mut Self) -> Result<T, LedgerError>) -> Result<T, LedgerError> {
        if self.stopped {
            return Err(LedgerError::Stopped);
        }
        let result = work(self);
        self.is_full = result.as_ref().is_err_and(LedgerError::is_full);
        self.stopped = result.is_err() && !self.is_full;
        result
    }

    /// After the disk was full: whether it has room for `bytes` of requests by now, before anything is folded in vain.
    fn check_room(&mut self, bytes: u64) -> Result<(), LedgerError> {
        if !self.is_full {
            return Ok(());
        }
        let bytes = ROOM_BYTES.saturating_add(bytes.saturating_mul(2));
        self.log.try_room(bytes)?;
        let store = self.read().store.clone();
        store.try_room(bytes)
    }

    fn publish_if_grown(&mut self) -> Result<(), LedgerError> {
        let Some(pending) = self.begin_if_grown()? else { return Ok(()) };
        Ok(self.log.end_checkpoint(pending.publish())?)
    }

    fn begin_if_grown(&mut self) -> Result<Option<PendingCheckpoint>, LedgerError> {
        let origin = self.read().state().network.as_ref().map(|network| network.genesis.origin.clone());
        let Some(origin) = origin else { return Ok(None) };
        let covers_all = self.log.reader().published().is_some_and(|published| published.size() == self.log.size());
        if covers_all || self.log.is_publishing() {
            return Ok(None);
        }
        let signer = NoteSigner::new(&origin, self.keys.log.clone()).map_err(LogError::from)?;
        match self.log.begin_checkpoint(&signer, &[])? {
            Begun::Pending(pending) => Ok(Some(*pending)),
            Begun::Published(_) => Ok(None),
        }
    }

    fn now_ms(&self) -> u64 {
        self.clock.now_ms(self.read().state().received_ms)
    }

    fn log_group(&mut self, requests: Vec<Vec<Submission>>) -> Result<Vec<Receipted>, LedgerError> {
        let now_ms = self.now_ms();
        let mut group = Group { entries: Vec::new(), closed: Vec::new() };
        let mut all = Vec::with_capacity(requests.len());
        let shared = self.ledger.clone();
        let mut ledger = shared.write().expect("a writer that panicked ends the process");
        self.close_due(&mut ledger, &mut group, now_ms)?;
        for request in requests {
            let answers = request.into_iter().map(|item| self.take(&mut ledger, &mut group, item, now_ms));
            all.push(answers.collect::<Result<Vec<_>, _>>()?);
        }
        let store = ledger.store.clone();
        // An epoch is seen closed once it is durable and its files are there; readers wait so long, once an epoch.
        let held = (!group.closed.is_empty()).then_some(ledger);
        if let Err(error) = self.make_durable(&group, &store) {
            if error.is_full() {
                let mut ledger =
                    held.unwrap_or_else(|| shared.write().expect("a writer that panicked ends the process"));
                ledger.read_again()?;
            }
            return Err(error);
        }
        drop(held);
        self.receipts(all)
    }

    /// Appends a group and gives the epochs that closed in it their files, which take their room before it is logged.
    fn make_durable(&mut self, group: &Group, store: &EpochStore) -> Result<(), LedgerError> {
        group.closed.iter().try_for_each(|(closed, names)| store.prepare(closed, names))?;
        if !group.entries.is_empty() {
            self.log.append(&group.entries)?;
        }
        group.closed.iter().try_for_each(|(closed, _)| store.finish(closed.statement.number))
    }

    /// Closes what is due with a heartbeat of the operator's own, and logs the statements.
    fn close_due(&self, ledger: &mut Ledger, group: &mut Group, now_ms: u64) -> Result<(), LedgerError> {
        if !ledger.fold().due(now_ms) {
            return Ok(());
        }
        let network = ledger.network_id().expect("only a network that exists has epochs due");
        let body = sign_observation(&self.keys.clock, &network, &ObservationBody::clock(now_ms));
        Self::close_with(ledger, group, &Entry { kind: EntryKind::Observation, received_ms: now_ms, body: &body })
    }

    /// Logs an entry whose time closes epochs, and their statements after it.
    fn close_with(ledger: &mut Ledger, group: &mut Group, entry: &Entry<'_>) -> Result<(), LedgerError> {
        let bytes = entry.encode();
        let folded = ledger.push_closing(leaf_hash(&bytes), entry)?;
        group.entries.push(bytes);
        // The entry is no report, so the names at hand are those logged before the first of the epochs ended.
        let mut names = (!folded.closed.is_empty()).then(|| ledger.take_names());
        for closed in folded.closed {
            let statement = Entry { kind: EntryKind::Epoch, received_ms: entry.received_ms, body: &closed.bytes };
            let bytes = statement.encode();
            ledger
                .offer(leaf_hash(&bytes), &statement, None)
                .map_err(|refusal| LedgerError::OwnEntry { what: "epoch statement", refusal })?;
            group.entries.push(bytes);
            group.closed.push((closed, names.take().unwrap_or_default()));
        }
        Ok(())
    }

    fn take(
        &self,
        ledger: &mut Ledger,
        group: &mut Group,
        mut item: Submission,
        now_ms: u64,
    ) -> Result<Answer, LedgerError> {
        let received_ms = now_ms.max(ledger.state().received_ms);
        if item.kind == EntryKind::Epoch {
            let detail = "epoch statements follow from the log; nobody submits them".to_owned();
            return Ok(Answer::Rejected(Refusal { code: "EPO-SUBMITTED", detail }));
        }
        if let (NetworkClock::Recorded { .. }, Some(round)) = (self.clock, clock_round(&item)) {
            return Self::take_clock(ledger, group, &item, received_ms.max(round));
        }
        let entry = Entry { kind: item.kind, received_ms, body: &item.body };
        let bytes = entry.encode();
        if bytes.len() > ENTRY_BYTES_MAX {
            let detail = format!("an entry has at most {ENTRY_BYTES_MAX} bytes");
            return Ok(Answer::Rejected(Refusal { code: "LOG-ENTRY-LENGTH", detail }));
        }
        // The item before may have been genesis, with an epoch that is over by now.
        self.close_due(ledger, group, received_ms)?;
        let index = ledger.fold().size();
        let leaf = leaf_hash(&bytes);
        match ledger.offer(leaf, &entry, item.checked.take()) {
            Ok(()) => {
                group.entries.push(bytes);
                Ok(Answer::Accepted { index, leaf })
            }
            Err(refusal) if refusal.code == "RPT-DUPLICATE" => repeated(ledger, group, &item, refusal),
            Err(refusal) => Ok(Answer::Rejected(refusal)),
        }
    }

    /// A `clock` observation on a recorded clock *is* the time.
    fn take_clock(
        ledger: &mut Ledger,
        group: &mut Group,
        item: &Submission,
        received_ms: u64,
    ) -> Result<Answer, LedgerError> {
        let entry = Entry { kind: item.kind, received_ms, body: &item.body };
        if let Err(refusal) = ledger.fold().check(&entry) {
            return Ok(Answer::Rejected(refusal));
        }
        let state = ledger.state();
        let steps = state.clock().map_or(0, |clock| received_ms.saturating_sub(clock.zero_ms) / clock.length_ms);
        if steps.saturating_sub(state.epoch.number) > EPOCHS_PER_STEP_MAX {
            let detail = format!("the clock would pass more than {EPOCHS_PER_STEP_MAX} epochs at once");
            return Ok(Answer::Rejected(Refusal { code: "OBS-CLOCK", detail }));
        }
        let index = ledger.fold().size();
        let leaf = leaf_hash(&entry.encode());
        Self::close_with(ledger, group, &entry)?;
        Ok(Answer::Accepted { index, leaf })
    }

    fn receipts(&mut self, all: Vec<Vec<Answer>>) -> Result<Vec<Receipted>, LedgerError> {
        let size = self.log.size();
        if !all.iter().flatten().any(|answer| answer.entry().is_some()) {
            let nothing = |answers| Receipted { answers, size, promise: String::new() };
            return Ok(all.into_iter().map(nothing).collect());
        }
        if self.notary.is_none() {
            let ledger = self.ledger.read().expect("a writer that panicked ends the process");
            let network = ledger.state().network.as_ref().expect("nothing is accepted before genesis");
            let name = promise::promise_key_name(&network.genesis.origin);
            let signer = NoteSigner::new(&name, self.keys.promise.clone()).map_err(LogError::from)?;
            self.notary = Some(Notary::of(network.id, signer));
        }
        self.notary.as_ref().expect("it was made above").receipts(all, size)
    }
}

/// Whoever holds the log's key sees whether the last checkpoint is the one that was signed.
fn check_signed(reader: &LogReader, origin: &str, key: &SigningKey) -> Result<(), LedgerError> {
    let Some(note) = reader.checkpoint() else { return Ok(()) };
    let signer = NoteSigner::new(origin, key.clone()).map_err(LogError::from)?;
    if SignedCheckpoint::open(&note, signer.verifier(), &[]).is_ok() {
        return Ok(());
    }
    let what = "it is not signed with the log's key";
    Err(LogError::Damaged { file: "checkpoint".to_owned(), offset: 0, entry: None, what }.into())
}

/// What one group adds to the log.
struct Group {
    entries: Vec<Vec<u8>>,
    closed: Vec<ClosedEpoch>,
}

impl Group {
    /// The entry at `index` if it is of this group, before it is durable.
    fn entry_at(&self, first_index: u64, index: u64) -> Option<&Vec<u8>> {
        self.entries.get(usize::try_from(index.checked_sub(first_index)?).ok()?)
    }
}

fn payload_of(entry: &[u8]) -> Option<Vec<u8>> {
    let entry = Entry::decode(entry).ok()?;
    cose::payload_of(entry.body).map(<[u8]>::to_vec)
}

fn clock_round(item: &Submission) -> Option<u64> {
    if item.kind != EntryKind::Observation {
        return None;
    }
    let observation = Observation::parse(&item.body).ok()?;
    (observation.body.source == SOURCE_CLOCK).then_some(observation.body.round)
}

/// A name that has counted: the same payload is a repeat, another one a conflict.
fn repeated(ledger: &Ledger, group: &Group, item: &Submission, refusal: Refusal) -> Result<Answer, LedgerError> {
    let Ok(report) = Report::parse(&item.body) else { return Ok(Answer::Rejected(refusal)) };
    let Some(index) = ledger.find_name(&report.name())? else {
        let detail = "the name counted in an epoch that is long closed, or lies in a gap that was".to_owned();
        return Ok(Answer::Rejected(Refusal { code: "RPT-NAME-CLOSED", detail }));
    };
    let durable = ledger.reader().size();
    let first = match group.entry_at(durable, index) {
        Some(entry) => entry.clone(),
        None => ledger.reader().entry(index)?,
    };
    if payload_of(&first).as_deref() == Some(report.sign1.payload) {
        return Ok(Answer::Duplicate { index, leaf: leaf_hash(&first) });
    }
    let detail = format!("entry {index} has the same name and another payload");
    Ok(Answer::Rejected(Refusal { code: "RPT-CONFLICT", detail }))
}

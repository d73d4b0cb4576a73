//! The books: every promise, what became of every report and statement, every answer by kind, and everything wrong.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard};

use cairn_core::Hash;
use cairn_log::Promise;

use crate::network::Facts;
use crate::wire::{Answer, Row};

/// What the senders know of one item that they made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// Sent; no answer was heard. The log may have it.
    Unknown,
    /// The answer said `accepted`.
    Accepted(u64),
    /// The answer to the first sending was lost; a later one says that it is logged.
    KnownAfterLoss(Option<u64>),
    /// Refused with a code, and no sending of it was lost: the log must not have it.
    Refused(String),
    /// Refused with a code after an earlier answer was lost: the log may have it.
    RefusedAfterLoss(String),
}

/// Answers since the process started, to be held against its own counters.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    pub accepted: u64,
    pub duplicate: u64,
    pub rejected: BTreeMap<String, u64>,
    /// Requests with items whose answer did not come: each may have been counted by the process.
    pub unheard: u64,
    /// Honest items sent, the upper bound of what may have been accepted.
    pub sent: u64,
}

#[derive(Default)]
struct Inner {
    promised: BTreeMap<u64, Hash>,
    reports: BTreeMap<Hash, Fate>,
    statements: BTreeMap<Hash, Fate>,
    /// By who asked, what it was, and the answer.
    answers: BTreeMap<(String, String), u64>,
    tally: Tally,
    lost_requests: u64,
    events: BTreeMap<&'static str, u64>,
}

/// The books, shared by all senders.
#[derive(Default)]
pub struct Books {
    inner: Mutex<Inner>,
    wrong: Mutex<Vec<String>>,
}

/// What is wrong is noted so many times in words.
const WRONG_MAX: usize = 40;

impl Books {
    fn hold(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap()
    }

    /// Notes that something is wrong.
    pub fn wrong(&self, what: impl Into<String>) {
        let what = what.into();
        eprintln!("WRONG: {}", what.chars().take(600).collect::<String>());
        self.wrong.lock().unwrap().push(what);
    }

    /// Everything wrong; the first ones in words.
    pub fn wrongs(&self) -> Vec<String> {
        self.wrong.lock().unwrap().iter().take(WRONG_MAX).cloned().collect()
    }

    /// Whether enough is wrong to stop.
    pub fn is_hopeless(&self) -> bool {
        self.wrong.lock().unwrap().len() >= WRONG_MAX
    }

    /// Counts an answer to somebody.
    pub fn answered(&self, who: &str, answer: &str) {
        *self.hold().answers.entry((who.to_owned(), answer.to_owned())).or_default() += 1;
    }

    /// Counts something that happened.
    pub fn event(&self, what: &'static str) {
        *self.hold().events.entry(what).or_default() += 1;
    }

    pub fn count_of(&self, what: &str) -> u64 {
        self.hold().events.get(what).copied().unwrap_or(0)
    }

    /// Counts the rows of an answer as the process counts them; `items` is how many were sent.
    pub fn count_rows(&self, answer: &Answer, items: u64) {
        let mut inner = self.hold();
        let tally = &mut inner.tally;
        for row in &answer.rows {
            match row {
                Row::Accepted(_) => tally.accepted += 1,
                Row::Duplicate(_) => tally.duplicate += 1,
                Row::Rejected(code) => *tally.rejected.entry(code.clone()).or_default() += 1,
            }
        }
        // Where every row came too fast the refusal stands for all of them.
        if answer.status == 429 && answer.code.as_deref() == Some("RPT-RATE") {
            *tally.rejected.entry("RPT-RATE".to_owned()).or_default() += items;
        }
    }

    pub fn sent(&self, items: u64) {
        self.hold().tally.sent += items;
    }

    pub fn unheard(&self) {
        self.hold().tally.unheard += 1;
    }

    pub fn lost_request(&self) {
        let mut inner = self.hold();
        inner.lost_requests += 1;
        inner.tally.unheard += 1;
    }

    pub fn tally(&self) -> Tally {
        self.hold().tally.clone()
    }

    /// Begins a new life of the process.
    pub fn new_life(&self) {
        self.hold().tally = Tally::default();
    }

    /// Opens the promise of an answer, holds it against the rows and against every promise before; false if it is wrong.
    pub fn promised(&self, facts: &Facts, answer: &Answer) -> bool {
        let logged = answer.rows.iter().filter_map(|row| match row {
            Row::Accepted(index) | Row::Duplicate(index) => Some(*index),
            Row::Rejected(_) => None,
        });
        let logged: Vec<u64> = logged.collect();
        if logged.is_empty() {
            return true;
        }
        let promise = match Promise::open(&answer.promise, &facts.promise_key) {
            Ok(promise) => promise,
            Err(error) => {
                self.wrong(format!("entries {logged:?} are not promised: {error}"));
                return false;
            }
        };
        let indices: Vec<u64> = promise.entries.iter().map(|(index, _)| *index).collect();
        // Short requests that became durable together share a note.
        if promise.network != facts.id.0 || !logged.iter().all(|index| indices.contains(index)) {
            self.wrong(format!("entries {logged:?} were answered, {indices:?} promised"));
            return false;
        }
        let mut broken = Vec::new();
        let mut inner = self.hold();
        for (index, leaf) in promise.entries {
            let before = inner.promised.insert(index, leaf);
            if before.is_some_and(|before| before != leaf) {
                broken.push(index);
            }
        }
        drop(inner);
        for index in &broken {
            self.wrong(format!("entry {index} was promised twice, differently"));
        }
        broken.is_empty()
    }

    /// Sets what became of a report, by its identity, or of a statement, by the hash of its payload.
    pub fn report_is(&self, identity: Hash, fate: Fate) {
        self.hold().reports.insert(identity, fate);
    }

    pub fn statement_is(&self, identity: Hash, fate: Fate) {
        self.hold().statements.insert(identity, fate);
    }

    /// Whether a report is known to be in the log.
    pub fn is_logged(&self, identity: &Hash) -> bool {
        matches!(self.hold().reports.get(identity), Some(Fate::Accepted(_) | Fate::KnownAfterLoss(_)))
    }

    pub fn promises(&self) -> BTreeMap<u64, Hash> {
        self.hold().promised.clone()
    }

    pub fn reports(&self) -> BTreeMap<Hash, Fate> {
        self.hold().reports.clone()
    }

    pub fn statements(&self) -> BTreeMap<Hash, Fate> {
        self.hold().statements.clone()
    }

    pub fn answers(&self) -> BTreeMap<(String, String), u64> {
        self.hold().answers.clone()
    }

    pub fn lost_requests(&self) -> u64 {
        self.hold().lost_requests
    }
}

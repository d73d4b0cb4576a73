//! Where the blocks of the file are, by number and by transaction: some hundred bytes of memory for each.

use std::collections::BTreeMap;

use cairn_settle::Word;

use super::frames::Span;
use super::record::Record;

/// What is kept in memory of a block.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry {
    pub span: Span,
    pub time_s: u64,
    pub hash: Word,
    /// One bit for each kind of event in it; kinds share bits.
    marks: u64,
}

impl Entry {
    /// Whether there may be events of a kind in it.
    pub(super) const fn may_hold(&self, topic: &Word) -> bool {
        self.marks & mark(topic) != 0
    }
}

const fn mark(topic: &Word) -> u64 {
    1 << (topic[0] & 63)
}

/// All blocks, in order, of which there is at least the first.
#[derive(Debug, Default)]
pub(super) struct Index {
    entries: Vec<Entry>,
    transactions: BTreeMap<Word, u64>,
}

impl Index {
    /// Adds the block after the last.
    pub(super) fn push(&mut self, span: Span, record: &Record) {
        let topics = record.events().iter().filter_map(|event| event.topics.first());
        let marks = topics.fold(0, |marks, topic| marks | mark(topic));
        if let Some(transaction) = record.transaction() {
            self.transactions.insert(transaction, record.number);
        }
        self.entries.push(Entry { span, time_s: record.time_s, hash: record.hash, marks });
    }

    /// How many blocks there are.
    pub(super) fn len(&self) -> u64 {
        self.entries.len() as u64
    }

    /// Number of the last block.
    pub(super) fn head(&self) -> u64 {
        self.len().saturating_sub(1)
    }

    /// A block.
    pub(super) fn get(&self, number: u64) -> Option<&Entry> {
        self.entries.get(usize::try_from(number).ok()?)
    }

    /// Hash of the last block; zeros before the first.
    pub(super) fn last_hash(&self) -> Word {
        self.entries.last().map_or([0; 32], |entry| entry.hash)
    }

    /// Time of the last block, seconds.
    pub(super) fn last_time_s(&self) -> u64 {
        self.entries.last().map_or(0, |entry| entry.time_s)
    }

    /// The block that a transaction is in.
    pub(super) fn of_transaction(&self, transaction: &Word) -> Option<u64> {
        self.transactions.get(transaction).copied()
    }
}

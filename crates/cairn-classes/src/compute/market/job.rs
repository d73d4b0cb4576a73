//! A job: what was ordered, who was assigned at what price, what they said, and where it stands.

use cairn_core::statement::Order;
use cairn_core::{Account, Amount, DeviceId, Hash, Ppm};

use super::money;
use crate::compute::body::RunResult;

/// The most auditors that one job hears.
pub const REPLAYS_MAX: usize = 64;

/// An order that was admitted, and everything that followed from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// Index of the order's entry.
    pub index: u64,
    /// When the order was taken in, ms since 1970 UTC.
    pub received_ms: u64,
    /// What was ordered.
    pub order: Order,
    /// The workers, in the order of the lottery: one to eight, of distinct owners.
    pub assigned: Vec<Assigned>,
    /// The licences that were in force over its contents, by content.
    pub licences: Vec<Terms>,
    /// The first moment at which nobody can commit any more, ms since 1970 UTC.
    pub commit_until_ms: u64,
    /// The first moment at which nobody can reveal any more, ms since 1970 UTC.
    pub reveal_until_ms: u64,
    /// Where it stands.
    pub stage: Stage,
    /// What auditors said, in the order of the log, each once.
    pub replays: Vec<Replayed>,
    /// The digest that a quorum of auditors said first.
    pub truth: Option<Hash>,
}

/// A worker of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assigned {
    /// The worker.
    pub device: DeviceId,
    /// Whose it was when it was assigned.
    pub owner: Account,
    /// Who is paid: the payee when it was assigned, and once it revealed the payee then.
    pub payee: Account,
    /// Its own price when it was assigned, base units for 10^9 gas.
    pub price: Amount,
    /// What it has said.
    pub word: Word,
}

/// What a worker has said of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Word {
    /// Nothing.
    Silent,
    /// A sealed result.
    Committed {
        /// Index of the commit's entry.
        index: u64,
        /// The seal.
        seal: Hash,
    },
    /// The result that was sealed.
    Revealed {
        /// Index of the commit's entry.
        committed: u64,
        /// Index of the reveal's entry.
        index: u64,
        /// What came out.
        result: RunResult,
        /// Its digest.
        digest: Hash,
    },
    /// That it does not do it.
    Declined {
        /// Index of the entry.
        index: u64,
        /// Why, 1 to 3.
        reason: u32,
    },
}

/// The licence over a content as it stood when a job was ordered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// The content.
    pub content: Hash,
    /// Who is paid.
    pub owner: Account,
    /// Base units for the job.
    pub price: Amount,
    /// And a share of the price of the work.
    pub share: Ppm,
}

/// Where a job stands, as far as entries and closes have moved it. Time moves it too: see [`Job::phase`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Not known to be done.
    Open,
    /// Done; drawn to be run again, or not.
    Done(Option<Draw>),
    /// Judged and billed at the close of this epoch.
    Settled(u64),
}

/// That a job is to be run again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Draw {
    /// Why.
    pub cause: Cause,
    /// Until when it waits for auditors, ms since 1970 UTC.
    pub due_ms: u64,
}

/// Why a job is run again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    /// Its workers gave different results.
    Dissent,
    /// By lot.
    Chance,
    /// Its workers have not proved themselves yet.
    Probation,
    /// A worker of the same owner was found wrong.
    Suspicion,
}

impl Cause {
    /// Every cause, by number from 1.
    pub const ALL: [Self; 4] = [Self::Dissent, Self::Chance, Self::Probation, Self::Suspicion];

    /// The number in records.
    #[must_use]
    pub const fn number(self) -> u64 {
        self as u64 + 1
    }

    /// The word for it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Dissent => "dissent",
            Self::Chance => "chance",
            Self::Probation => "probation",
            Self::Suspicion => "suspicion",
        }
    }
}

/// What an auditor said of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Replayed {
    /// The auditor's address.
    pub auditor: [u8; 20],
    /// The digest of its run.
    pub digest: Hash,
    /// Index of the entry.
    pub index: u64,
}

/// What can happen to a job at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Workers may commit or decline.
    Committing,
    /// Workers that committed may reveal.
    Revealing,
    /// Nothing more is heard of workers; auditors may say what came out of theirs, until it is settled.
    Done,
    /// Judged and billed.
    Settled,
}

impl Phase {
    /// The word for it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Committing => "committing",
            Self::Revealing => "revealing",
            Self::Done => "done",
            Self::Settled => "settled",
        }
    }
}

impl Job {
    /// What can happen at `now_ms`.
    #[must_use]
    pub fn phase(&self, now_ms: u64) -> Phase {
        match self.stage {
            Stage::Settled(_) => Phase::Settled,
            Stage::Done(_) => Phase::Done,
            Stage::Open => {
                let waits_for = |waits: fn(&Word) -> bool| self.assigned.iter().any(|worker| waits(&worker.word));
                if now_ms < self.commit_until_ms && waits_for(|word| matches!(word, Word::Silent)) {
                    Phase::Committing
                } else if now_ms < self.reveal_until_ms && waits_for(|word| matches!(word, Word::Committed { .. })) {
                    Phase::Revealing
                } else {
                    Phase::Done
                }
            }
        }
    }

    /// Whether it is judged at a close at `closes_ms`: done, and the truth is known or nobody waits for it.
    #[must_use]
    pub fn is_ripe(&self, closes_ms: u64) -> bool {
        match self.stage {
            Stage::Done(draw) => self.truth.is_some() || draw.is_none_or(|draw| draw.due_ms <= closes_ms),
            Stage::Open | Stage::Settled(_) => false,
        }
    }

    /// Until when the job waits for a worker that has said this, ms since 1970 UTC; `None` when nothing more is to be said.
    #[must_use]
    pub const fn awaits_until_ms(&self, word: &Word) -> Option<u64> {
        match word {
            Word::Silent => Some(self.commit_until_ms),
            Word::Committed { .. } => Some(self.reveal_until_ms),
            Word::Revealed { .. } | Word::Declined { .. } => None,
        }
    }

    /// The workers of whom something more was to be heard.
    pub(super) fn absent(&self) -> Vec<DeviceId> {
        let owing = self.assigned.iter().filter(|worker| self.awaits_until_ms(&worker.word).is_some());
        owing.map(|worker| worker.device).collect()
    }

    /// The worker that is this device.
    #[must_use]
    pub fn worker(&self, device: &DeviceId) -> Option<&Assigned> {
        self.assigned.iter().find(|worker| worker.device == *device)
    }

    /// The workers that revealed, with result and digest, in the order of assignment.
    pub fn revealed(&self) -> impl Iterator<Item = (&Assigned, RunResult, Hash)> {
        self.assigned.iter().filter_map(|worker| match worker.word {
            Word::Revealed { result, digest, .. } => Some((worker, result, digest)),
            _ => None,
        })
    }

    /// Whether the revealed results differ.
    #[must_use]
    pub fn dissents(&self) -> bool {
        let mut digests = self.revealed().map(|(_, _, digest)| digest);
        digests.next().is_some_and(|first| digests.any(|digest| digest != first))
    }

    /// The most that it can cost, which is what it locks; `None` past 128 bits.
    #[must_use]
    pub fn locked(&self) -> Option<Amount> {
        money::locked(self.order.gas, self.assigned.iter().map(|worker| worker.price), &self.licences)
    }
}

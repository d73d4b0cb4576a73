//! What an answer to reports means: believed where it is promised, kept, and only then let go of.

use std::collections::BTreeMap;

use cairn_api::ResultStatus;
use cairn_core::Hash;
use cairn_core::report::{Report, ReportBody};
use cairn_merkle::Promise;

use super::doubt::Said;
use super::gateway::{Taken, Trouble};
use super::keep::{KeptCounts, KeptPromise, Promised};
use super::refusals::{Fate, Refusal, claimed_ms, fate, words};
use super::upgrade::received;
use super::{LastPromise, Parcel, SendEvent, Sender, lock};
use crate::queue::Outcome;
use crate::{EdgeError, Stamp};

/// How long what the network says is of the future is left alone before it is sent again, and for how long that goes on.
pub(super) const EARLY_WAIT_MS: u64 = 5 * 60_000;
const EARLY_PATIENCE_MS: u64 = 60 * 60_000;
/// More than so many that were called too early do not wait.
const EARLY_MAX: usize = 256;
/// How far from one's own clock the network's is looked for.
const REACH_MS: u64 = 20_000;

/// A report that is refused for good: its place, its payload, if it has one, the reason, and who said so.
pub(super) struct Refused<'a> {
    pub ordinal: u64,
    pub payload: &'a [u8],
    pub code: String,
    pub detail: String,
    pub hint: Option<String>,
    pub gateways: Vec<String>,
}

/// What the rows of an answer come to.
#[derive(Default)]
struct Answered {
    promised: Vec<Promised>,
    outcomes: Vec<(u64, Outcome)>,
    /// Refusals that count among those that follow each other, and the last one.
    refused: u32,
    last: Option<Said>,
    is_too_fast: bool,
    standing: Option<Trouble>,
}

impl Sender {
    /// Lets go of what was answered for.
    pub(super) fn settle(
        &mut self,
        way: usize,
        parcels: &[Parcel],
        reports: Vec<Vec<u8>>,
        taken: &Taken,
    ) -> Result<u64, EdgeError> {
        let leaves = match self.believe(taken, parcels.len()) {
            Ok(leaves) => leaves,
            Err(trouble) => return Ok(self.fail(way, trouble)),
        };
        let now = self.with.clock.now();
        let Answered { promised, outcomes, refused, last, is_too_fast, standing } =
            self.read(way, parcels, reports, taken, &leaves, now);
        let count = promised.len();
        self.keep_promise(way, taken, promised, now)?;
        self.later.retain(|ordinal, _| !outcomes.iter().any(|(gone, _)| gone == ordinal));
        let settled = lock(&self.with.queue).settle(&outcomes);
        outcomes.iter().for_each(|(ordinal, _)| self.contradict(way, *ordinal, now));
        settled?;
        if count > 0 {
            self.health[way].refused_in_a_row = 0;
            self.health[way].wary = self.health[way].wary.saturating_sub(u32::try_from(count).unwrap_or(u32::MAX));
        }
        let is_left = count == 0 && self.refused_more(way, refused, last.as_ref(), now);
        let is_moving = self.decide(now)? > 0 || count > 0;
        self.say_doubts(way, parcels);
        if is_moving {
            self.stuck_since_ms = Some(now.boot_ms);
        }
        if is_left {
            return Ok(self.when_next(now));
        }
        match standing {
            Some(trouble) if !is_moving => return Ok(self.fail(way, trouble)),
            _ => {}
        }
        self.taken(way, count, is_too_fast, taken.wait_ms, now);
        Ok(self.health[way].not_before_ms.max(now.boot_ms.saturating_add(self.options.pace_ms)))
    }

    /// Reads the rows of an answer whose promise was opened, and hears what was refused.
    fn read(
        &mut self,
        way: usize,
        parcels: &[Parcel],
        reports: Vec<Vec<u8>>,
        taken: &Taken,
        leaves: &BTreeMap<u64, Hash>,
        now: Stamp,
    ) -> Answered {
        let (mut answered, mut reach_ms) = (Answered::default(), REACH_MS);
        for ((parcel, report), row) in parcels.iter().zip(reports).zip(&taken.rows) {
            let since_ms = self.later.get(&parcel.ordinal).map_or(now.boot_ms, |(since_ms, _)| *since_ms);
            let waited_ms = now.boot_ms.saturating_sub(since_ms);
            let (detail, hint) = (words(row.detail.as_deref().unwrap_or_default()), row.hint.as_deref().map(words));
            let said = |code, is_early| Said { is_early, code, detail: detail.clone(), hint: hint.clone() };
            let said = match fate(row) {
                Fate::Logged(index) => {
                    answered.outcomes.push((parcel.ordinal, Outcome::Promised));
                    // What was known already was received at another time.
                    let leaf = leaves.get(&index).copied().filter(|_| row.status == ResultStatus::Accepted);
                    answered.promised.push(self.promised(parcel, report, (index, leaf), &mut reach_ms, now));
                    continue;
                }
                Fate::TooFast => {
                    answered.is_too_fast = true;
                    continue;
                }
                Fate::Later(code) if code == "RPT-FUTURE" => {
                    let is_early = waited_ms < EARLY_PATIENCE_MS && self.later.len() < EARLY_MAX;
                    said(code, is_early)
                }
                Fate::Later(code) if waited_ms < self.options.patience_ms => {
                    self.later.insert(parcel.ordinal, (since_ms, 0));
                    let trouble = Trouble { hint, ..Trouble::of(&code, detail) };
                    answered.standing.get_or_insert(trouble);
                    continue;
                }
                Fate::Later(code) | Fate::Refused(code) => said(code, false),
            };
            if !said.is_early {
                answered.refused += u32::from(self.counts(parcel, &said.code, now));
                answered.last = Some(said.clone());
            }
            self.hear(way, parcel, said);
        }
        answered
    }

    /// What a gateway promises in an answer, by index; an answer that is not promised is none.
    fn believe(&self, taken: &Taken, sent: usize) -> Result<BTreeMap<u64, Hash>, Trouble> {
        let wrong = |what: String| Trouble::of("NET-PROMISE", what);
        if taken.rows.len() != sent {
            return Err(Trouble::of("NET-ANSWER", format!("{} rows for {sent} reports", taken.rows.len())));
        }
        let mut indices = Vec::new();
        for row in &taken.rows {
            if let Fate::Logged(index) = fate(row) {
                indices.push(index);
            }
        }
        if indices.is_empty() {
            return Ok(BTreeMap::new());
        }
        let Some(keys) = &self.keys else { return Err(wrong("the network's keys are not known".to_owned())) };
        let promise = Promise::open(&taken.promise, &keys.promises).map_err(|error| wrong(error.to_string()))?;
        if promise.network != self.with.network.0 {
            return Err(wrong(format!("it is for network {}", promise.network)));
        }
        let leaves: BTreeMap<u64, Hash> = promise.entries.into_iter().collect();
        if let Some(missing) = indices.iter().find(|index| !leaves.contains_key(index)) {
            return Err(wrong(format!("it does not name entry {missing}")));
        }
        let count = indices.len();
        indices.sort_unstable();
        indices.dedup();
        if indices.len() < count {
            return Err(wrong("two reports are said to stand at one index".to_owned()));
        }
        Ok(leaves)
    }

    /// A promised report; with the time of its receipt, where the promised leaf tells it. After one search in vain the others of
    /// the same answer are not searched for: that would cost more than asking for their entries later.
    fn promised(
        &mut self,
        parcel: &Parcel,
        report: Vec<u8>,
        (index, leaf): (u64, Option<Hash>),
        reach_ms: &mut u64,
        now: Stamp,
    ) -> Promised {
        let (boot, seq) = ReportBody::decode(&parcel.payload).map_or((0, 0), |body| (body.boot, body.seq));
        let known = self.offset_ms.and_then(|offset_ms| u64::try_from(i128::from(now.boot_ms) + offset_ms).ok());
        let around_ms = known.or(now.wall.map(|(wall_ms, ..)| wall_ms));
        let searched = leaf.zip(around_ms).filter(|_| *reach_ms > 0);
        let received_ms = searched.and_then(|(leaf, around_ms)| received(&report, leaf, around_ms, *reach_ms));
        match received_ms {
            Some(received_ms) => self.offset_ms = Some(i128::from(received_ms) - i128::from(now.boot_ms)),
            None if searched.is_some() => *reach_ms = 0,
            None => {}
        }
        Promised { boot, seq, index, received_ms, report }
    }

    fn keep_promise(&mut self, way: usize, taken: &Taken, reports: Vec<Promised>, now: Stamp) -> Result<(), EdgeError> {
        let Some(index) = reports.iter().map(|report| report.index).max() else { return Ok(()) };
        let at_ms = now.wall.map(|(wall_ms, ..)| wall_ms);
        let measured_ms = reports.iter().filter_map(|report| measured_ms(&report.report)).max();
        let was_none = self.keep.counts().promised == 0;
        let before = self.keep.counts();
        self.keep.promise(&KeptPromise { note: taken.promise.clone(), at_ms, reports })?;
        self.say_aged_out(before);
        if was_none {
            self.receipt.at_ms = now.boot_ms.saturating_add(self.options.upgrade_after_ms);
        }
        let gateway = self.ways[way].gateway.name();
        self.last_promise = Some(LastPromise { index, gateway, boot_ms: now.boot_ms, at_ms, measured_ms });
        Ok(())
    }

    pub(super) fn say_aged_out(&mut self, before: KeptCounts) {
        let after = self.keep.counts();
        let receipts = after.receipts_aged_out - before.receipts_aged_out;
        let promises = after.promises_aged_out - before.promises_aged_out;
        if receipts + promises > 0 {
            (self.with.events)(&SendEvent::AgedOut { receipts, promises, refused: 0 });
        }
    }

    /// Lets reports go that are refused for good, once they are set aside and their reasons are on disk.
    pub(super) fn refuse(&mut self, refused: &[Refused<'_>]) -> Result<(), EdgeError> {
        if refused.is_empty() {
            return Ok(());
        }
        let at_ms = self.with.clock.now().wall.map(|(wall_ms, ..)| wall_ms);
        let rows: Vec<Refusal> = refused.iter().map(|refused| refused.told(at_ms)).collect();
        // What never made a report has nothing to be sent again.
        let aside = rows.iter().zip(refused).filter(|(row, _)| row.name.is_some());
        let aside: Vec<(Refusal, &[u8])> = aside.map(|(row, refused)| (row.clone(), refused.payload)).collect();
        let before = self.aside.counts().aged_out;
        self.aside.add(&aside)?;
        self.refusals.add(&self.with.disk, &rows)?;
        let outcomes: Vec<_> = refused.iter().map(|refused| (refused.ordinal, Outcome::Refused)).collect();
        for (ordinal, _) in &outcomes {
            self.later.remove(ordinal);
            self.doubts.remove(ordinal);
        }
        let settled = lock(&self.with.queue).settle(&outcomes);
        rows.into_iter().for_each(|refusal| (self.with.events)(&SendEvent::Refused(refusal)));
        let aged_out = self.aside.counts().aged_out - before;
        if aged_out > 0 {
            (self.with.events)(&SendEvent::AgedOut { receipts: 0, promises: 0, refused: aged_out });
        }
        settled
    }
}

fn measured_ms(report: &[u8]) -> Option<u64> {
    claimed_ms(&Report::parse(report).ok()?.body)
}

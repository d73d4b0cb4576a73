//! When a refusal for good is believed.
//!
//! A gateway signs what it promises and nothing of what it refuses: who refuses what others would take costs a contributor what was
//! measured. So, where there are several gateways, a refusal is believed when a second one says so too, or when every other one has
//! been out of reach for [`super::SendOptions::second_after_ms`], in which somebody could be reached. Until then the report stays
//! the next one to be sent, and goes to another gateway; **order goes before progress** for that long and no longer: what stands
//! behind it waits, since whoever takes it later could not put it before them any more. After that progress goes first: it is set
//! aside, and what stands behind it is sent.
//!
//! A gateway that refuses one report of a request and takes those behind it has put these first, and nobody can undo that. When
//! another one took what it refused, it gets one report at a time until it has taken [`WARY`] of them.
//!
//! Nobody is believed who refused [`super::SendOptions::refused_in_a_row`] one after the other and promised none in between: that is a
//! gateway that is broken, or a device whose every report is wrong, and then too nothing is to be lost. What is as old as its
//! refusal says does not count: a device that was away for long has many such reports, and then none any more.

use std::collections::BTreeMap;

use cairn_core::report::ReportBody;

use super::answer::Refused;
use super::gateway::Trouble;
use super::pace::{Health, choose, choose_among};
use super::refusals::{Refusal, claimed_ms, is_of_the_past};
use super::{Parcel, SendEvent, Sender};
use crate::{EdgeError, Stamp};

/// Reports that a gateway that refused what another one took has to take one by one before it is given more at once.
pub(super) const WARY: u32 = 100;

/// What a gateway said of a report that it did not take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Said {
    /// It will take it at another time.
    pub is_early: bool,
    pub code: String,
    pub detail: String,
    pub hint: Option<String>,
}

/// What was said of a report so far, by the ways' numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Doubt {
    pub payload: Vec<u8>,
    pub said: BTreeMap<usize, Said>,
}

/// What is believed of a report.
enum Believed {
    Refused,
    Early,
    Nothing,
}

impl Sender {
    /// Hears that a gateway does not take a report.
    pub(super) fn hear(&mut self, way: usize, parcel: &Parcel, said: Said) {
        let doubt = self.doubts.entry(parcel.ordinal);
        let doubt = doubt.or_insert_with(|| Doubt { payload: parcel.payload.clone(), said: BTreeMap::new() });
        doubt.said.insert(way, said);
    }

    /// Whether a refusal of this report counts among those that follow each other.
    pub(super) fn counts(&self, parcel: &Parcel, code: &str, now: Stamp) -> bool {
        let measured_ms = ReportBody::decode(&parcel.payload).ok().as_ref().and_then(claimed_ms);
        let age_ms = measured_ms.zip(now.wall).map(|(measured_ms, (wall_ms, ..))| wall_ms.saturating_sub(measured_ms));
        !(is_of_the_past(code) && age_ms > Some(self.options.backfilled_after_ms))
    }

    /// Whether a gateway refuses so much that it is not believed.
    pub(super) fn is_refusing(&self, way: usize) -> bool {
        self.health[way].refused_in_a_row >= self.options.refused_in_a_row.max(1)
    }

    /// Acts on what is believed by now; answers how many reports that was.
    pub(super) fn decide(&mut self, now: Stamp) -> Result<u64, EdgeError> {
        let (mut refused, mut early) = (Vec::new(), Vec::new());
        for (&ordinal, doubt) in &self.doubts {
            match self.believed(doubt, now) {
                Believed::Refused => refused.push(ordinal),
                Believed::Early => early.push(ordinal),
                Believed::Nothing => {}
            }
        }
        for &ordinal in &early {
            let (_, until_ms) = self.later.entry(ordinal).or_insert((now.boot_ms, 0));
            *until_ms = now.boot_ms.saturating_add(super::answer::EARLY_WAIT_MS);
            self.doubts.remove(&ordinal);
        }
        let doubts: Vec<(u64, Doubt)> =
            refused.iter().filter_map(|ordinal| Some((*ordinal, self.doubts.get(ordinal)?.clone()))).collect();
        let rows: Vec<Refused<'_>> = doubts.iter().map(|(ordinal, doubt)| self.refused(*ordinal, doubt)).collect();
        self.refuse(&rows)?;
        Ok((refused.len() + early.len()) as u64)
    }

    fn refused<'a>(&self, ordinal: u64, doubt: &'a Doubt) -> Refused<'a> {
        let mut sayers = doubt.said.iter().filter(|(_, said)| !said.is_early);
        let gateways = sayers.clone().map(|(way, _)| self.ways[*way].gateway.name()).collect();
        let (code, detail, hint) = sayers
            .next_back()
            .map(|(_, said)| (said.code.clone(), said.detail.clone(), said.hint.clone()))
            .unwrap_or_default();
        Refused { ordinal, payload: &doubt.payload, code, detail, hint, gateways }
    }

    fn believed(&self, doubt: &Doubt, now: Stamp) -> Believed {
        let is_alone = doubt.said.len() < 2 && !self.others_of(doubt).all(|way| self.is_away(way, now));
        let sayers = doubt.said.iter().filter(|(_, said)| !said.is_early);
        let (count, credible) =
            sayers.fold((0, false), |(count, credible), (way, _)| (count + 1, credible || !self.is_refusing(*way)));
        match (is_alone, count == doubt.said.len()) {
            (true, _) => Believed::Nothing,
            (false, true) if credible => Believed::Refused,
            (false, true) => Believed::Nothing,
            // Two say so, and a third that it comes too early.
            (false, false) if count > 1 && credible => Believed::Refused,
            (false, false) => Believed::Early,
        }
    }

    /// The gateways that were not heard yet.
    fn others_of(&self, doubt: &Doubt) -> impl Iterator<Item = usize> + Clone {
        let heard: Vec<usize> = doubt.said.keys().copied().collect();
        (0..self.ways.len()).filter(move |way| !heard.contains(way))
    }

    /// From when on a gateway counts as out of reach, as far as is known now: it is, and was for the stated time, while
    /// somebody could be reached.
    fn away_from_ms(&self, way: usize) -> Option<u64> {
        let Health { away_since_ms, .. } = self.health[way];
        Some(away_since_ms?.max(self.reached_since_ms?).saturating_add(self.options.second_after_ms))
    }

    /// Whether a gateway is out of reach: so for long, and lately tried.
    fn is_away(&self, way: usize, now: Stamp) -> bool {
        let is_tried = self.health[way].not_before_ms > now.boot_ms;
        is_tried && self.away_from_ms(way).is_some_and(|from_ms| from_ms <= now.boot_ms)
    }

    /// The gateways that are still to be asked.
    fn open_of(&self, doubt: &Doubt, now: Stamp) -> Vec<usize> {
        self.others_of(doubt).filter(|way| !self.is_away(*way, now)).collect()
    }

    /// Which gateway is asked now: about what is in doubt, one that is still to be asked. `Err` is when to come again, ms since
    /// this start.
    pub(super) fn choose(&self, now: Stamp) -> Result<usize, u64> {
        let first = self.doubts.values().next();
        let Some((first, open)) =
            first.map(|first| (first, self.open_of(first, now))).filter(|(_, open)| !open.is_empty())
        else {
            return choose(&self.health, self.current, now.boot_ms);
        };
        choose_among(&self.health, open.into_iter(), now.boot_ms).map_err(|at_ms| {
            let froms_ms = self.others_of(first).map(|way| self.away_from_ms(way).unwrap_or(u64::MAX));
            at_ms.min(froms_ms.max().unwrap_or(u64::MAX)).max(now.boot_ms)
        })
    }

    /// Whether a gateway may be sent a report: not one that it refused while another is still to be asked.
    pub(super) fn may_be_sent(&self, way: usize, ordinal: u64, now: Stamp) -> bool {
        let Some(doubt) = self.doubts.get(&ordinal) else { return true };
        !doubt.said.contains_key(&way) || self.open_of(doubt, now).is_empty()
    }

    /// How many reports go to a gateway at once.
    pub(super) fn most(&self, way: usize) -> usize {
        if self.health[way].wary > 0 { 1 } else { self.batch.size() }
    }

    /// Another gateway took a report: whoever refused it is told of, and trusted less.
    pub(super) fn contradict(&mut self, by: usize, ordinal: u64, now: Stamp) {
        let Some(doubt) = self.doubts.remove(&ordinal) else { return };
        let taker = self.ways[by].gateway.name();
        for (way, said) in doubt.said.into_iter().filter(|(way, _)| *way != by) {
            self.health[way].wary = WARY;
            if said.is_early {
                continue;
            }
            let detail = format!("it refused for good what {taker} took: {}: {}", said.code, said.detail);
            let hint = "nothing was lost by it; tell whoever runs it, or name it last in `gateways`".to_owned();
            self.blame(way, Trouble { hint: Some(hint), ..Trouble::of("EDGE-CONTRADICTED", detail) }, now);
        }
    }

    /// A gateway refused some reports and promised none. Answers whether that is so much that it is left alone.
    pub(super) fn refused_more(&mut self, way: usize, count: u32, last: Option<&Said>, now: Stamp) -> bool {
        let health = &mut self.health[way];
        health.refused_in_a_row = health.refused_in_a_row.saturating_add(count);
        let Some(last) = last.filter(|_| self.is_refusing(way)) else { return false };
        let number = self.health[way].refused_in_a_row;
        let detail = format!(
            "it refused {number} reports one after the other and took none; the last: {}: {}",
            last.code, last.detail
        );
        let hint = last.hint.clone().unwrap_or_else(|| {
            "what it refuses waits; mend the cause, or name another gateway; `cairn node refused` lists what is \
             set aside"
                .to_owned()
        });
        self.blame(way, Trouble { hint: Some(hint), ..Trouble::of("EDGE-REFUSED", detail) }, now);
        // Where some of those behind are taken, the cause was with these.
        self.batch.reach(usize::try_from(self.options.refused_in_a_row).unwrap_or(usize::MAX));
        true
    }

    /// Says what is in doubt of an answer.
    pub(super) fn say_doubts(&mut self, way: usize, parcels: &[Parcel]) {
        let said = parcels.iter().filter_map(|parcel| self.doubts.get(&parcel.ordinal)?.said.get(&way));
        let said: Vec<Said> = said.filter(|said| !said.is_early).cloned().collect();
        let Some(Said { code, detail, .. }) = said.first().cloned() else { return };
        let (gateway, count) = (self.ways[way].gateway.name(), said.len() as u64);
        (self.with.events)(&SendEvent::Doubted { gateway, count, code, detail });
    }
}

impl Refused<'_> {
    /// As it is kept and told.
    pub(super) fn told(&self, at_ms: Option<u64>) -> Refusal {
        let body = ReportBody::decode(self.payload).ok();
        Refusal {
            name: body.as_ref().map(|body| (body.boot, body.seq)),
            measured_ms: body.as_ref().and_then(claimed_ms),
            at_ms,
            code: self.code.clone(),
            detail: self.detail.clone(),
            hint: self.hint.clone(),
            gateways: self.gateways.clone(),
        }
    }
}

//! Asking the neighbours: slot by slot, quantity by quantity, in rounds.
//!
//! Everybody is held against the nearest who speak. Of those who are suspect the worst of each neighbourhood fall silent,
//! the others are asked again without them, and so on until nobody leaves or [`rounds::ROUNDS_MAX`] rounds are over. Who
//! was silenced and is not suspect by the word of those who stayed speaks again, once; what is then heard stands, for
//! those who speak and for those who do not. So the liar goes before the neighbour that he made look bad.
//!
//! Copies never speak. Anchors are never silenced. What it does not withstand: more liars around a station, by weight,
//! than others within its radius. The caps per owner and place, seniority and anchors make such a majority expensive.

mod circle;
mod rounds;

use rayon::prelude::*;

use self::rounds::Rounds;
use super::case::{Case, Station};
use super::copies::Copies;
use super::crowd::Crowd;
use super::memory::Memory;
use super::near::Nearest;
use super::voice::{Voice, blocks};

/// What came of asking a voice's neighbours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Heard {
    /// The profile compares this quantity with nobody, or the value cannot be compared.
    NotAsked,
    /// Fewer neighbours than the profile wants.
    TooFew(u32),
    /// Enough.
    Crowd(Crowd),
}

/// What is needed for asking.
pub(super) struct Hearing<'a> {
    pub case: &'a Case<'a>,
    /// Sorted by slot, quantity and device.
    pub voices: &'a [Voice],
    pub nearest: &'a Nearest,
    /// By device.
    pub memories: &'a [Memory],
}

/// What asking needs to know of a device, side by side in memory.
#[derive(Debug, Clone, Copy)]
struct Speaker {
    /// 1 to 16.
    weight: u32,
    altitude_cm: Option<i32>,
    tie: u32,
    anchor: bool,
    mobile: bool,
}

/// No voice.
const ABSENT: u32 = u32::MAX;

impl Hearing<'_> {
    /// Asks the neighbours of every voice; copies are silent.
    pub fn all(&self, copies: &Copies) -> Vec<Heard> {
        let speaker = |(station, memory): (&Station<'_>, &Memory)| self.speaker(station, memory);
        let speakers: Vec<Speaker> = self.case.stations.par_iter().zip(self.memories).map(speaker).collect();
        let mut heard = vec![Heard::NotAsked; self.voices.len()];
        let mut rest = heard.as_mut_slice();
        let mut parts = Vec::new();
        for block in blocks(self.voices) {
            let (part, after) = rest.split_at_mut(block.len());
            parts.push((&self.voices[block], part));
            rest = after;
        }
        // The table from devices to a block's voices is kept from block to block.
        let table = || vec![ABSENT; self.case.stations.len()];
        parts.into_par_iter().for_each_init(table, |table, (voices, heard)| {
            self.block(&speakers, voices, copies, table, heard);
        });
        heard
    }

    /// The voices of one slot and quantity. `table` has nobody in it, before and after.
    fn block(&self, speakers: &[Speaker], voices: &[Voice], copies: &Copies, table: &mut [u32], heard: &mut [Heard]) {
        let rule = self.case.profile.quantities.get(&voices[0].quantity).and_then(|rule| rule.neighbours.as_ref());
        let Some(rule) = rule else { return };
        let place_most = self.case.profile.weights.place_most;
        let copied = |voice: &Voice| copies.of(self.case, voice.slot, voice.device).is_some();
        let values: Vec<i64> = voices.iter().map(|voice| voice.value).collect();
        let mut rounds = Rounds::over(rule, place_most, (voices, &values), speakers, self.nearest, table, copied);
        rounds.run();
        rounds.tell(heard);
        for voice in voices {
            table[voice.device as usize] = ABSENT;
        }
    }

    fn speaker(&self, station: &Station<'_>, memory: &Memory) -> Speaker {
        let weights = &self.case.profile.weights;
        let site = station.site;
        let weight = if site.anchor { weights.anchor } else { weights.of_good_slots(memory.good_slots) };
        Speaker { weight, altitude_cm: site.altitude_cm, tie: station.tie, anchor: site.anchor, mobile: site.mobile }
    }
}

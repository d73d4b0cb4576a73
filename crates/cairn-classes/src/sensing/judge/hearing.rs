//! Asking the neighbours: slot by slot, quantity by quantity, in rounds.

use rayon::prelude::*;

use super::case::{Case, small};
use super::copies::Copies;
use super::crowd::{Circle, Crowd, Word, at_height};
use super::memory::Memory;
use super::near::Nearest;
use super::voice::{Voice, blocks};
use crate::sensing::profile::NeighbourRule;

/// The most rounds in which neighbours are silenced.
const ROUNDS: u32 = 2;

/// What came of asking a voice's neighbours.
#[derive(Debug, Clone, Copy)]
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

impl Hearing<'_> {
    /// Asks the neighbours of every voice; copies are silent.
    pub fn all(&self, copies: &Copies) -> Vec<Heard> {
        let heard: Vec<Vec<Heard>> =
            blocks(self.voices).into_par_iter().map(|block| self.block(&self.voices[block], copies)).collect();
        heard.into_iter().flatten().collect()
    }

    /// The voices of one slot and quantity.
    fn block(&self, voices: &[Voice], copies: &Copies) -> Vec<Heard> {
        const ABSENT: u32 = u32::MAX;
        let rule = self.case.profile.quantities.get(&voices[0].quantity).and_then(|rule| rule.neighbours.as_ref());
        let Some(rule) = rule else { return vec![Heard::NotAsked; voices.len()] };
        let copied: Vec<bool> = voices.iter().map(|voice| copies.of(voice.slot, voice.device).is_some()).collect();
        let mut silent = copied.clone();
        let mut heard = vec![Heard::NotAsked; voices.len()];
        let fails_ppm = rule.curve.last().map_or(u32::MAX, |point| point.off_ppm);
        for round in 0..ROUNDS {
            let mut voice_of = vec![ABSENT; self.case.stations.len()];
            for (n, voice) in voices.iter().enumerate().filter(|&(n, voice)| !silent[n] && voice.compared) {
                voice_of[voice.device as usize] = small(n);
            }
            for (n, voice) in voices.iter().enumerate() {
                heard[n] = self.listen(rule, voice, |device| {
                    let voice = voice_of[device as usize];
                    (voice != ABSENT).then(|| &voices[voice as usize])
                });
            }
            if round + 1 < ROUNDS {
                for (n, voice) in voices.iter().enumerate() {
                    let failed = matches!(&heard[n], Heard::Crowd(crowd) if crowd.off_ppm(voice.value) >= fails_ppm);
                    silent[n] = copied[n] || failed;
                }
            }
        }
        heard
    }

    fn listen<'v>(&self, rule: &NeighbourRule, subject: &Voice, voice_of: impl Fn(u32) -> Option<&'v Voice>) -> Heard {
        let site = self.case.station(subject.device).site;
        if site.mobile || !subject.compared {
            return Heard::NotAsked;
        }
        let mut circle = Circle::default();
        for near in self.nearest.list(subject.device) {
            if near.distance_m > rule.radius_m || circle.count() == rule.nearest as usize {
                break;
            }
            let Some(voice) = voice_of(near.device) else { continue };
            let station = self.case.station(near.device);
            if circle.has_owner(station.owner) {
                continue;
            }
            let altitudes = (station.site.altitude_cm, site.altitude_cm);
            if let Some(value) = at_height(rule.altitude.as_ref(), voice.value, altitudes.0, altitudes.1) {
                let weight = self.weight(near.device);
                circle.add(Word { value, weight, owner: station.owner, sample: voice.sample });
            }
        }
        circle.crowd(rule).map_or(Heard::TooFew(small(circle.count())), Heard::Crowd)
    }

    fn weight(&self, device: u32) -> u32 {
        let weights = &self.case.profile.weights;
        if self.case.station(device).site.anchor {
            weights.anchor
        } else {
            weights.of_good_slots(self.memories[device as usize].good_slots)
        }
    }
}

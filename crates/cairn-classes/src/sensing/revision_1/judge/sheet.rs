//! One slot: what every device says in it, and what its neighbours make of that.

use super::case::{Case, Phase, Sample, Standing, small};
use super::crowd::{Crowd, Hearing, at_height};
use super::near::Nearest;
use crate::sensing::quantity::Quantity;
use crate::sensing::revision_1::profile::NeighbourRule;

/// What a device says of a quantity in a slot: the lower median of its usable values within range.
#[derive(Debug, Clone, Copy)]
pub(super) struct Voice {
    pub quantity: Quantity,
    pub device: u32,
    pub value: i64,
    /// Index of the median's sample within the slot.
    pub sample: u32,
    /// Whether the device has such a value to judge now.
    pub due: bool,
}

/// A slot with its voices, ascending by quantity and device.
#[derive(Debug)]
pub(super) struct Sheet<'a> {
    pub slot: u64,
    /// The slot's samples, sorted.
    pub samples: &'a [Sample],
    pub voices: Vec<Voice>,
}

/// What came of asking a voice's neighbours.
#[derive(Debug, Clone, Copy)]
pub(super) enum Heard {
    /// The profile compares this quantity with nobody.
    NotAsked,
    /// A moving device.
    Moving,
    /// Fewer neighbours than the profile wants.
    TooFew(u32),
    /// Enough.
    Crowd(Crowd),
}

/// Whether `sample` may stand for its device.
pub(super) fn is_in_range(case: &Case<'_>, sample: &Sample) -> bool {
    sample.standing == Standing::Usable
        && case
            .profile
            .quantities
            .get(&sample.quantity)
            .is_some_and(|rule| (rule.min..=rule.max).contains(&sample.value))
}

impl<'a> Sheet<'a> {
    /// The voices of one slot's samples.
    pub fn of(case: &Case<'_>, samples: &'a [Sample]) -> Self {
        let mut voices = Vec::new();
        let mut at = 0;
        for group in samples.chunk_by(|a, b| (a.device, a.quantity) == (b.device, b.quantity)) {
            let count = group.iter().filter(|sample| is_in_range(case, sample)).count();
            if count > 0 {
                // The group ascends by value, so the lower median is the one at this place among those in range.
                let in_range = group.iter().enumerate().filter(|(_, sample)| is_in_range(case, sample));
                let (n, median) = in_range.clone().nth((count - 1) / 2).expect("counted just above");
                voices.push(Voice {
                    quantity: median.quantity,
                    device: median.device,
                    value: median.value,
                    sample: small(at + n),
                    due: in_range.map(|(_, sample)| sample).any(|sample| sample.phase == Phase::Due),
                });
            }
            at += group.len();
        }
        voices.sort_unstable_by_key(|voice| (voice.quantity, voice.device));
        Self { slot: samples.first().map_or(0, |sample| sample.slot), samples, voices }
    }

    /// The voice of a device on a quantity, as an index into `voices`.
    pub fn voice(&self, quantity: Quantity, device: u32) -> Option<usize> {
        self.voices.binary_search_by_key(&(quantity, device), |voice| (voice.quantity, voice.device)).ok()
    }

    /// Asks the neighbours of every voice, `rounds` times; each time those that failed the time before, and `copies`
    /// always, are silent. A round looks at nothing but the round before it, so no order of devices matters. Voices that
    /// are not due are left out of the last round: nobody asks for their result.
    pub fn hear(&self, case: &Case<'_>, nearest: &Nearest, copies: &[bool]) -> Vec<Heard> {
        let mut silent = copies.to_vec();
        let mut heard = vec![Heard::NotAsked; self.voices.len()];
        for round in 1..=case.profile.rounds {
            let last = round == case.profile.rounds;
            for block in self.blocks() {
                self.hear_block(case, nearest, &silent, block, last, &mut heard);
            }
            if !last {
                for (n, voice) in self.voices.iter().enumerate() {
                    let failed = matches!(&heard[n], Heard::Crowd(crowd) if crowd.is_beyond(crowd.fail, voice.value));
                    silent[n] = copies[n] || failed;
                }
            }
        }
        heard
    }

    /// The ranges of `voices` that share a quantity.
    pub fn blocks(&self) -> impl Iterator<Item = std::ops::Range<usize>> {
        let mut from = 0;
        self.voices.chunk_by(|a, b| a.quantity == b.quantity).map(move |block| {
            let range = from..from + block.len();
            from = range.end;
            range
        })
    }

    fn hear_block(
        &self,
        case: &Case<'_>,
        nearest: &Nearest,
        silent: &[bool],
        block: std::ops::Range<usize>,
        last: bool,
        heard: &mut [Heard],
    ) {
        const ABSENT: u32 = u32::MAX;
        let rule = case.profile.quantities.get(&self.voices[block.start].quantity);
        let Some(rule) = rule.and_then(|rule| rule.neighbours.as_ref()) else { return };
        let mut voice_of = vec![ABSENT; case.stations.len()];
        for n in block.clone().filter(|&n| !silent[n]) {
            voice_of[self.voices[n].device as usize] = small(n);
        }
        for n in block.filter(|&n| !last || self.voices[n].due) {
            heard[n] = self.listen(case, nearest, rule, &self.voices[n], |device| {
                let voice = voice_of[device as usize];
                (voice != ABSENT).then(|| &self.voices[voice as usize])
            });
        }
    }

    fn listen<'v>(
        &'v self,
        case: &Case<'_>,
        nearest: &Nearest,
        rule: &NeighbourRule,
        subject: &Voice,
        voice_of: impl Fn(u32) -> Option<&'v Voice>,
    ) -> Heard {
        let site = case.station(subject.device).site;
        if site.mobile {
            return Heard::Moving;
        }
        let mut hearing = Hearing::default();
        for near in nearest.list(subject.device) {
            if near.distance_m > rule.radius_m || hearing.count() == rule.nearest as usize {
                break;
            }
            let Some(voice) = voice_of(near.device) else { continue };
            let station = case.station(near.device);
            if hearing.has_owner(station.owner) {
                continue;
            }
            let altitudes = (station.site.altitude_cm, site.altitude_cm);
            if let Some(value) = at_height(rule.altitude.as_ref(), voice.value, altitudes.0, altitudes.1) {
                hearing.add(station.owner, value, voice.sample);
            }
        }
        let count = small(hearing.count());
        hearing.crowd(rule).map_or(Heard::TooFew(count), Heard::Crowd)
    }
}

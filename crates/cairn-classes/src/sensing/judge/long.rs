//! What is asked of a device over a long time, slot by slot in the order of their times.
//!
//! Promised: only slots that were compared with neighbours are taken in, each once, and each is judged right after it was
//! taken in, so the length of an epoch changes nothing. A slot that comes later than others (at or before
//! [`Memory::last_slot`]) is judged by the memory as it stands and not taken in. A slot is told nothing of a quantity in
//! which it was not compared: isolation is not punished for what is remembered.
//!
//! **Seniority** ([`Memory::good_slots`]) is what a word weighs in a crowd. It is earned one at a time, by slots in which
//! every compared quantity lay within its first limit and nothing else was found; [`LOST_BY_FAILING`] are lost by a slot
//! in which one failed, and all of it by a copy, a finding over a long time, a device that stands elsewhere, and a new
//! place more than [`SAME_PLACE_M`] away. So what stays above zero fails less than one slot in nine. It never exceeds the
//! profile's last step by more than an eighth: years of good work do not pay for weeks of lies.
//!
//! **Repair.** Under the maintenance flag, or at another place, what was seen so far comes to count `least_slots` slots at
//! most: means stay as they were, and the slots after it outweigh them soon. A bad device gains nothing by the flag, for its
//! means stay bad; one that was repaired is heard again after about `least_slots * (bias / limit - 1)` slots. A dry gauge
//! has one wet slot to show that it works.
//!
//! Not promised: that two halves of a crowd know which of them is biased; that a device that feeds on its neighbours'
//! public readings is seen here (a copy with a delay and little noise follows them well); that a dry gauge whose owner
//! sends the flag after each finding loses more than the wet slots; that seniority does not change hands with its device.

mod moments;
mod rules;
mod solar;

use self::moments::Word;
use self::rules::Found;
use self::solar::Hours;
use super::case::{Case, Phase, Sample, Standing};
use super::copies::Copies;
use super::crowd::Crowd;
use super::hearing::Heard;
use super::memory::Memory;
use super::moved::Moved;
use super::own::Finding;
use super::voice::Voice;
use crate::sensing::profile::QuantityRule;
use crate::sensing::words::Check;
use cairn_core::geo::distance_m;

pub(super) use self::moments::Moments;

/// Good slots that one failing slot costs.
const LOST_BY_FAILING: u32 = 8;

/// How far a device may be enrolled anew to be at the same place: about the edge of a cell as coarse as logged ones.
const SAME_PLACE_M: u32 = 1_000;

/// How many neighbours' reports stand beside the device's own as evidence.
const WITNESSES: usize = 3;

/// Findings over slots, ascending by slot.
pub(super) type Findings = Vec<(u64, Finding)>;

/// What is known of the epoch's slots when they are taken in.
pub(super) struct Past<'a> {
    pub case: &'a Case<'a>,
    pub voices: &'a [Voice],
    pub heard: &'a [Heard],
    pub copies: &'a Copies,
    pub moved: &'a Moved,
}

/// How a slot counts for seniority, ascending by what it costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Standard {
    Untested,
    Good,
    Suspect,
    Failing,
    Found,
}

impl Past<'_> {
    /// Takes a device's slots into its memory, in their order, and says what it finds. `own` are the indices of the
    /// device's voices, ascending by slot.
    pub fn remember(&self, device: u32, own: &[u32], memory: &mut Memory) -> Findings {
        let rules = self.case.rules(device);
        memory.moments.retain(|quantity, _| rules.get(quantity).is_some_and(|rule| rule.long.is_some()));
        self.settle(device, memory);
        let mut repairs = self.repairs(device, memory.last_slot).into_iter().peekable();
        let mut findings = Vec::new();
        for of_slot in own.chunk_by(|&a, &b| self.voice(a).slot == self.voice(b).slot) {
            let slot = self.voice(of_slot[0]).slot;
            if !of_slot.iter().any(|&n| self.voice(n).due) {
                continue;
            }
            while repairs.next_if(|&repair| repair <= slot).is_some() {
                self.loosen(memory);
            }
            self.take_slot(device, of_slot, memory, &mut findings);
        }
        if repairs.next().is_some() {
            self.loosen(memory);
        }
        findings
    }

    fn voice(&self, n: u32) -> &Voice {
        &self.voices[n as usize]
    }

    /// Notices that the device was enrolled elsewhere.
    fn settle(&self, device: u32, memory: &mut Memory) {
        let site = self.case.station(device).site;
        match memory.place {
            Some(place) if distance_m(place, site.position) <= SAME_PLACE_M => return,
            Some(_) => {
                memory.good_slots = 0;
                self.loosen(memory);
            }
            None => {}
        }
        memory.place = (!site.mobile).then_some(site.position);
    }

    fn loosen(&self, memory: &mut Memory) {
        for (quantity, moments) in &mut memory.moments {
            moments.loosen(self.case.profile.memory.least_slots);
            let dry = self.case.profile.quantities.get(quantity).and_then(|rule| rule.long.as_ref()?.dry.as_ref());
            if let Some(rule) = dry {
                moments.dry = moments.dry.min(rule.slots - 1);
            }
        }
    }

    /// The slots after `last_slot` in which the device was worked on, ascending.
    fn repairs(&self, device: u32, last_slot: u64) -> Vec<u64> {
        let samples = &self.case.samples[self.case.of_device(device)];
        let worked_on = |sample: &&Sample| sample.standing == Standing::Maintenance && sample.phase == Phase::Due;
        let mut slots: Vec<u64> =
            samples.iter().filter(worked_on).map(|sample| self.case.slot(sample.time_ms)).collect();
        slots.retain(|&slot| slot > last_slot);
        slots.sort_unstable();
        slots.dedup();
        slots
    }

    fn take_slot(&self, device: u32, own: &[u32], memory: &mut Memory, findings: &mut Findings) {
        let slot = self.voice(own[0]).slot;
        let taken = slot > memory.last_slot;
        let mut standard = Standard::Untested;
        for &n in own.iter().filter(|&&n| self.voice(n).due) {
            let voice = self.voice(n);
            let rule = self.case.rules(device).get(&voice.quantity);
            let (Some(rule), Heard::Crowd(crowd)) = (rule, &self.heard[n as usize]) else { continue };
            standard = standard.max(standard_of(rule, crowd, voice));
            let before = findings.len();
            self.take_voice(rule, voice, crowd, taken, memory, findings);
            if findings.len() > before {
                standard = Standard::Found;
            }
        }
        if self.copies.of(self.case, slot, device).is_some() || self.moved.of(device, slot).next().is_some() {
            standard = Standard::Found;
        }
        if taken {
            memory.good_slots = self.seniority(memory.good_slots, standard);
            memory.last_slot = slot;
        }
    }

    fn take_voice(
        &self,
        rule: &QuantityRule,
        voice: &Voice,
        crowd: &Crowd,
        taken: bool,
        memory: &mut Memory,
        findings: &mut Findings,
    ) {
        let Some(rule) = &rule.long else { return };
        let profile = self.case.profile;
        let hours = Hours::of(voice.slot, profile.slot_ms, self.case.station(voice.device).site.position);
        let limit = if voice.value < crowd.expected { crowd.limits.below } else { crowd.limits.above };
        let word = Word { own: voice.value, expected: crowd.expected, limit, hours };
        let moments = memory.moments.entry(voice.quantity).or_default();
        if taken {
            moments.take_in(voice.quantity, profile.memory.slots, &word);
            if let Some(dry) = &rule.dry {
                moments.count_dry(dry.wet, &word);
            }
        }
        let slots = moments.taken.min(profile.memory.slots);
        let found = rules::find(rule, moments, voice.quantity, hours, profile.memory.least_slots);
        findings.extend(found.into_iter().map(|found| (voice.slot, self.finding(found, slots, voice, crowd))));
    }

    fn finding(&self, found: Found, slots: u32, voice: &Voice, crowd: &Crowd) -> Finding {
        let Found { code, observed, threshold, lost_ppm } = found;
        let shown = [voice.sample].into_iter().chain(crowd.members().iter().copied().take(WITNESSES));
        let evidence = shown.map(|n| self.case.samples[n as usize].report).collect();
        Finding {
            code,
            check: Check::Slots { quantity: voice.quantity, slots },
            observed,
            threshold,
            lost_ppm,
            evidence,
        }
    }

    fn seniority(&self, good_slots: u32, standard: Standard) -> u32 {
        let last = self.case.profile.weights.seniority.last().map_or(0, |&(slots, _)| slots);
        match standard {
            Standard::Untested | Standard::Suspect => good_slots,
            Standard::Good => good_slots.saturating_add(1).min(last.saturating_add(last / 8)),
            Standard::Failing => good_slots.saturating_sub(LOST_BY_FAILING),
            Standard::Found => 0,
        }
    }
}

fn standard_of(rule: &QuantityRule, crowd: &Crowd, voice: &Voice) -> Standard {
    let off_ppm = crowd.off_ppm(voice.value);
    let fails_ppm = rule.neighbours.as_ref().and_then(|rule| rule.curve.last()).map_or(u32::MAX, |point| point.off_ppm);
    if off_ppm <= crowd.suspect_ppm {
        Standard::Good
    } else if off_ppm < fails_ppm {
        Standard::Suspect
    } else {
        Standard::Failing
    }
}

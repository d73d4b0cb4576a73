//! The outcome of single readings: the same checks, each value held against its slot's crowd itself.

use cairn_core::{PPM, Ppm};

use super::{Hall, Slot, Tally};
use crate::sensing::assessed::{Assessed, Comparison, Outcome};
use crate::sensing::judge::case::Standing;
use crate::sensing::judge::hearing::Heard;
use crate::sensing::judge::own::Finding;
use crate::sensing::judge::voice::find;
use crate::sensing::words::{Check, Code};

impl Hall<'_> {
    /// The outcomes of a device's readings, ascending by slot.
    pub fn assessments(&self, device: u32) -> Vec<Assessed> {
        let assess = |slot: &Slot| {
            let judged_before = self.judged_before(slot);
            self.due(slot).map(|n| self.assess(slot, n, &judged_before)).collect::<Vec<_>>()
        };
        self.slots(device).iter().flat_map(assess).collect()
    }

    fn assess(&self, slot: &Slot, n: u32, judged_before: &[u64]) -> Assessed {
        let sample = self.sample(n);
        let mut tally = Tally::default();
        let (outcome, comparison) = self.outcome(slot, n, judged_before, &mut tally);
        let lost = if outcome == Outcome::Unscored { PPM } else { tally.lost_ppm };
        Assessed {
            index: self.case.index(sample),
            reading: sample.reading,
            quantity: sample.quantity,
            value: sample.value,
            outcome,
            score: Ppm::FULL.less(lost),
            reasons: tally.reasons,
            comparison,
        }
    }

    fn outcome(&self, slot: &Slot, n: u32, judged_before: &[u64], tally: &mut Tally) -> (Outcome, Option<Comparison>) {
        let sample = self.sample(n);
        let alone = Slot { device: slot.device, slot: slot.slot, samples: vec![n] };
        if !judged_before.is_empty() {
            self.say_unusable(&alone, true, tally);
            tally.add(Code::SlotJudged, Check::whole(Code::SlotJudged), 0, 0, 0, judged_before.to_vec());
            return (Outcome::Unscored, None);
        }
        if sample.standing != Standing::Usable {
            self.say_unusable(&alone, false, tally);
            let refused = matches!(sample.standing, Standing::Denied | Standing::Conflict);
            return (if refused { Outcome::Fail } else { Outcome::Unscored }, None);
        }
        let mut outcome = Outcome::Pass;
        if let Some(copy) = self.copies.of(self.case, slot.slot, slot.device) {
            self.say_copy(copy, slot.slot, tally);
            outcome = of_loss(copy.finding.lost_ppm);
            if outcome == Outcome::Fail {
                return (outcome, None);
            }
        }
        let own = &self.own[slot.device as usize];
        let long = &self.long[slot.device as usize];
        let from = long.partition_point(|(of, _)| *of < slot.slot);
        let of_slot = long[from..].iter().take_while(|(of, _)| *of == slot.slot).map(|(_, finding)| finding);
        let findings = own.findings(slot.slot).chain(of_slot).chain(self.moved.of(slot.device, slot.slot));
        for finding in findings.filter(|finding| concerns(finding, sample.quantity)) {
            self.say_finding(finding, tally);
            outcome = outcome.worse(of_loss(finding.lost_ppm));
        }
        if let Some(flaw) = own.flaw(n) {
            self.say_flaws(&[flaw], 1, tally);
            outcome = outcome.worse(of_loss(flaw.lost_ppm));
            if !flaw.speaks {
                return (outcome, None);
            }
        }
        let Some(rule) = self.case.rule(sample) else { return (outcome, None) };
        let Some(at) = find(&self.voices, slot.slot, sample.quantity, slot.device) else { return (outcome, None) };
        let voice = &self.voices[at];
        let compared = own.as_compared(rule, n, sample.value, voice);
        let heard = if compared.is_some() { &self.heard[at] } else { &Heard::NotAsked };
        let value = compared.unwrap_or(sample.value);
        let said = self.say_heard(rule, voice, value, n, heard, tally);
        let comparison = match heard {
            Heard::Crowd(crowd) => Some(Comparison {
                neighbours: crowd.count,
                median: crowd.expected,
                suspect_limit: crowd.limit_at(value, crowd.suspect_ppm),
                fail_limit: crowd.limit_at(
                    value,
                    rule.neighbours.iter().flat_map(|rule| &rule.curve).last().map_or(u32::MAX, |point| point.off_ppm),
                ),
            }),
            _ => None,
        };
        (outcome.worse(said), comparison)
    }
}

/// Whether a finding over a slot says something of a quantity's readings.
fn concerns(finding: &Finding, quantity: crate::sensing::quantity::Quantity) -> bool {
    match finding.check {
        Check::Slots { quantity: of, .. }
        | Check::FitsAt { quantity: of, .. }
        | Check::Readings { quantity: of, .. } => of == quantity,
        _ => true,
    }
}

/// A part lost makes a reading suspect, all of it makes it fail.
const fn of_loss(lost_ppm: u32) -> Outcome {
    match lost_ppm {
        0 => Outcome::Pass,
        PPM.. => Outcome::Fail,
        _ => Outcome::Suspect,
    }
}

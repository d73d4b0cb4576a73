//! From what was found to what is said: the verdict of a device's slot, and the outcome of each of its readings.

mod reading;
mod tally;

use cairn_core::{PPM, Ppm, Subject, Verdict};

use self::tally::Tally;
use super::case::{Case, Phase, Sample, Standing, small};
use super::copies::{Copies, Copy};
use super::crowd::{self, Crowd};
use super::hearing::Heard;
use super::long::Findings;
use super::moved::Moved;
use super::own::{Finding, Flaw, Own, Wrong};
use super::voice::Voice;
use crate::sensing::SCHEMA;
use crate::sensing::assessed::{Band, EVIDENCE_MAX, Outcome};
use crate::sensing::profile::QuantityRule;
use crate::sensing::words::{Check, Code};

/// Everything known about a case.
pub(super) struct Hall<'a> {
    pub case: &'a Case<'a>,
    /// By device.
    pub own: Vec<Own>,
    /// Sorted by slot, quantity, device.
    pub voices: Vec<Voice>,
    /// For every device, the indices of its voices.
    pub by_device: Vec<Vec<u32>>,
    /// What came of asking each voice's neighbours.
    pub heard: Vec<Heard>,
    pub copies: Copies,
    pub moved: Moved,
    /// By device.
    pub long: Vec<Findings>,
}

/// One slot of one device: its samples as indices into the case's, ascending.
struct Slot {
    device: u32,
    slot: u64,
    samples: Vec<u32>,
}

impl Hall<'_> {
    /// The verdicts of a device, ascending by slot.
    pub fn verdicts(&self, device: u32) -> Vec<Verdict> {
        self.slots(device).iter().map(|slot| self.verdict(slot)).collect()
    }

    /// What the words of a device were held against, ascending by slot and quantity.
    pub fn bands(&self, device: u32) -> Vec<Band> {
        let band = |&at: &u32| {
            let voice = &self.voices[at as usize];
            let Heard::Crowd(crowd) = &self.heard[at as usize] else { return None };
            let (low, high) = crowd.band();
            Some(Band {
                slot_ms: voice.slot * self.case.profile.slot_ms,
                quantity: voice.quantity,
                value: voice.value,
                neighbours: crowd.count,
                expected: crowd.expected,
                low,
                high,
            })
        };
        self.by_device[device as usize].iter().filter_map(band).collect()
    }

    /// The slots of a device that have something to judge, ascending.
    fn slots(&self, device: u32) -> Vec<Slot> {
        let range = self.case.of_device(device);
        let mut by_slot: Vec<(u64, u32)> = range
            .clone()
            .zip(&self.case.samples[range])
            .filter(|(_, sample)| sample.phase != Phase::Later)
            .map(|(n, sample)| (self.case.slot(sample.time_ms), small(n)))
            .collect();
        by_slot.sort_unstable();
        by_slot
            .chunk_by(|a, b| a.0 == b.0)
            .map(|slot| Slot { device, slot: slot[0].0, samples: slot.iter().map(|&(_, n)| n).collect() })
            .filter(|slot| self.due(slot).next().is_some())
            .collect()
    }

    fn sample(&self, n: u32) -> &Sample {
        &self.case.samples[n as usize]
    }

    /// The samples of a slot that are judged now.
    fn due<'s>(&'s self, slot: &'s Slot) -> impl Iterator<Item = u32> + Clone + 's {
        slot.samples.iter().copied().filter(|&n| self.sample(n).phase == Phase::Due)
    }

    fn verdict(&self, slot: &Slot) -> Verdict {
        let entries = self.indices(self.due(slot), usize::MAX);
        let first = self.due(slot).map(|n| self.sample(n).report).min().expect("a slot to judge has a due sample");
        let usable = self.due(slot).any(|n| self.sample(n).standing == Standing::Usable);
        let refused = self.due(slot).any(|n| matches!(self.sample(n).standing, Standing::Denied | Standing::Conflict));
        let judged_before = self.judged_before(slot);
        let mut tally = Tally::default();
        self.say_unusable(slot, usable || !judged_before.is_empty(), &mut tally);
        if !judged_before.is_empty() {
            tally.add(Code::SlotJudged, Check::whole(Code::SlotJudged), 0, 0, 0, judged_before.clone());
        } else if let Some(copy) = self.copies.of(self.case, slot.slot, slot.device).filter(|_| usable) {
            self.say_copy(copy, slot.slot, &mut tally);
            if tally.lost_ppm < PPM {
                self.say_slot(slot, &mut tally);
            }
        } else if usable {
            self.say_slot(slot, &mut tally);
        }
        let scored = (usable || refused) && judged_before.is_empty();
        let slot_ms = self.case.profile.slot_ms;
        Verdict {
            class: SCHEMA.to_owned(),
            device: self.case.station(slot.device).id,
            slot_ms: slot.slot * slot_ms,
            subject: Subject::Slot,
            account: self.case.reports[first as usize].account.clone(),
            amount: if scored { slot_ms } else { 0 },
            score: if scored { Ppm::FULL.less(tally.lost_ppm) } else { Ppm::ZERO },
            reasons: tally.reasons,
            entries,
        }
    }

    /// The entries by which the slot was judged in an earlier epoch; empty when it was not.
    ///
    /// What was judged stays judged: whatever the profile, a denial or a conflict says of those values by now, they use
    /// the slot up. Only maintenance leaves it open, because its own flag says so and nothing later can change that.
    fn judged_before(&self, slot: &Slot) -> Vec<u64> {
        let judged = |sample: &Sample| sample.phase == Phase::Past && sample.standing != Standing::Maintenance;
        self.indices(slot.samples.iter().copied().filter(|&n| judged(self.sample(n))), EVIDENCE_MAX)
    }

    /// The reasons of values that may not speak. What is denied or in conflict takes all, unless the slot is `spared`: good
    /// values are left in it, or it was judged before.
    fn say_unusable(&self, slot: &Slot, spared: bool, tally: &mut Tally) {
        let lost_ppm = if spared { 0 } else { PPM };
        for standing in
            [Standing::Denied, Standing::Conflict, Standing::Maintenance, Standing::Future, Standing::Unasked]
        {
            let of_standing = || self.due(slot).filter(move |&n| self.sample(n).standing == standing);
            let count = i64::from(small(of_standing().count()));
            if count == 0 || (standing == Standing::Unasked && (spared || !tally.reasons.is_empty())) {
                continue;
            }
            let statements = |of_report: fn(&crate::Report<'_>) -> Option<u64>| {
                let mut indices: Vec<u64> = of_standing()
                    .filter_map(|n| of_report(self.case.reports[self.sample(n).report as usize]))
                    .collect();
                indices.sort_unstable();
                indices.dedup();
                indices.truncate(EVIDENCE_MAX);
                indices
            };
            let own = || self.indices(of_standing(), EVIDENCE_MAX);
            let mut add = |code, observed, threshold, lost_ppm, evidence| {
                tally.add(code, Check::whole(code), observed, threshold, lost_ppm, evidence);
            };
            match standing {
                Standing::Denied => add(Code::Denied, count, 0, lost_ppm, statements(|report| report.denied)),
                Standing::Conflict => add(Code::Conflict, count, 0, lost_ppm, statements(|report| report.conflict)),
                Standing::Maintenance => add(Code::Maintenance, count, 0, 0, own()),
                Standing::Future => add(Code::Future, count, self.case.profile.future_ms.cast_signed(), 0, own()),
                Standing::Unasked if self.case.rules(slot.device).is_empty() => add(Code::Mobile, count, 0, 0, own()),
                Standing::Unasked => add(Code::Quantity, count, 0, 0, own()),
                Standing::Usable => {}
            }
        }
    }

    fn say_copy(&self, copy: &Copy, slot: u64, tally: &mut Tally) {
        let both = [copy.device, copy.original];
        let of_slot = both.iter().flat_map(|&device| {
            let voices = self.by_device[device as usize].iter().map(|&n| &self.voices[n as usize]);
            let from = self.by_device[device as usize].partition_point(|&n| self.voices[n as usize].slot < slot);
            voices.skip(from).take_while(|voice| voice.slot == slot)
        });
        let mut shown: Vec<u32> = of_slot.map(|voice| self.sample(voice.sample).report).collect();
        // Nobody may have a word in just this slot: then what is shown of the window stands for it.
        if shown.is_empty() || copy.finding.code == Code::Repeated {
            shown.extend(&copy.finding.evidence);
        }
        let evidence = self.case.indices(shown.into_iter(), EVIDENCE_MAX);
        tally.find(&copy.finding, evidence);
    }

    /// Everything that was found about a slot that is the device's own.
    fn say_slot(&self, slot: &Slot, tally: &mut Tally) {
        for finding in self.own[slot.device as usize].findings(slot.slot) {
            self.say_finding(finding, tally);
        }
        for of_quantity in slot.samples.chunk_by(|&a, &b| self.sample(a).quantity == self.sample(b).quantity) {
            self.say_quantity(slot, of_quantity, tally);
        }
        let long = &self.long[slot.device as usize];
        let from = long.partition_point(|(of, _)| *of < slot.slot);
        for (_, finding) in long[from..].iter().take_while(|(of, _)| *of == slot.slot) {
            self.say_finding(finding, tally);
        }
        for finding in self.moved.of(slot.device, slot.slot) {
            self.say_finding(finding, tally);
        }
    }

    fn say_finding(&self, finding: &Finding, tally: &mut Tally) {
        tally.find(finding, self.case.indices(finding.evidence.iter().copied(), EVIDENCE_MAX));
    }

    /// Flaws and neighbours of one quantity of one slot.
    fn say_quantity(&self, slot: &Slot, samples: &[u32], tally: &mut Tally) {
        let quantity = self.sample(samples[0]).quantity;
        let Some(rule) = self.case.rule(self.sample(samples[0])) else { return };
        let usable = |n: &u32| {
            let sample = self.sample(*n);
            sample.phase == Phase::Due && sample.standing == Standing::Usable
        };
        let readings = samples.iter().copied().filter(usable).count();
        let own = &self.own[slot.device as usize];
        let mut flaws: Vec<&Flaw> = samples.iter().copied().filter(usable).filter_map(|n| own.flaw(n)).collect();
        flaws.sort_by_key(|flaw| (flaw.wrong, flaw.sample));
        for alike in flaws.chunk_by(|a, b| a.wrong == b.wrong) {
            self.say_flaws(alike, small(readings), tally);
        }
        let Some(n) = super::voice::find(&self.voices, slot.slot, quantity, slot.device) else { return };
        let voice = &self.voices[n];
        if voice.due {
            self.say_heard(rule, voice, voice.value, voice.sample, &self.heard[n], tally);
        }
    }

    /// Readings of one quantity with the same fault.
    fn say_flaws(&self, flaws: &[&Flaw], readings: u32, tally: &mut Tally) {
        let far = |flaw: &Flaw| flaw.observed.abs_diff(flaw.threshold);
        let worst = flaws.iter().max_by_key(|flaw| (far(flaw), flaw.observed)).expect("there is one");
        let quantity = self.sample(worst.sample).quantity;
        let out = small(flaws.len());
        // Rounded up: one bad reading of many is never free.
        let lost = (u64::from(worst.lost_ppm) * u64::from(out)).div_ceil(u64::from(readings.max(1)));
        let lost_ppm = u32::try_from(lost).expect("a share of at most one million");
        let (code, check) = match worst.wrong {
            Wrong::Range => (Code::Range, Check::Range { quantity, out, readings }),
            Wrong::Fault(fault) => (fault.code(), Check::Readings { quantity, fault, out, readings }),
        };
        let evidence = self.indices(flaws.iter().map(|flaw| flaw.sample), EVIDENCE_MAX);
        tally.add(code, check, worst.observed, worst.threshold, lost_ppm, evidence);
    }

    /// What the neighbours make of one value, with its reason if there is one to give.
    fn say_heard(
        &self,
        rule: &QuantityRule,
        voice: &Voice,
        value: i64,
        sample: u32,
        heard: &Heard,
        tally: &mut Tally,
    ) -> Outcome {
        let Some(rule) = &rule.neighbours else { return Outcome::Pass };
        match heard {
            Heard::NotAsked => {
                // A neighbour rule is there: only a value that wants drying and could not be dried is not asked about.
                let own = self.indices([sample].into_iter(), 1);
                tally.add(Code::Untested, Check::Apart(voice.quantity), 0, 0, 0, own);
                Outcome::Untested
            }
            Heard::TooFew(found) => {
                let (found, least) = ((*found).into(), rule.least.into());
                let own = self.indices([sample].into_iter(), 1);
                tally.add(Code::Untested, Check::Apart(voice.quantity), found, least, 0, own);
                Outcome::Untested
            }
            Heard::Crowd(crowd) => {
                let off_ppm = crowd.off_ppm(value);
                let fails_ppm = rule.curve.last().map_or(u32::MAX, |point| point.off_ppm);
                let (code, at_ppm, outcome) = if off_ppm <= crowd.suspect_ppm {
                    return Outcome::Pass;
                } else if off_ppm < fails_ppm {
                    (Code::NeighbourSuspect, crowd.suspect_ppm, Outcome::Suspect)
                } else {
                    (Code::NeighbourFail, fails_ppm, Outcome::Fail)
                };
                let check = Check::Neighbours { quantity: voice.quantity, count: crowd.count, median: crowd.expected };
                let lost_ppm = crowd::lost_ppm(rule, off_ppm);
                let evidence = self.witnesses(crowd, sample);
                tally.add(code, check, value, crowd.limit_at(value, at_ppm), lost_ppm, evidence);
                outcome
            }
        }
    }

    /// The neighbours' entries and one's own, ascending.
    fn witnesses(&self, crowd: &Crowd, own: u32) -> Vec<u64> {
        self.indices(crowd.members().iter().copied().chain([own]), EVIDENCE_MAX)
    }

    /// The distinct entries of samples, ascending, the first `most`.
    fn indices(&self, samples: impl Iterator<Item = u32>, most: usize) -> Vec<u64> {
        self.case.indices(samples.map(|n| self.sample(n).report), most)
    }
}

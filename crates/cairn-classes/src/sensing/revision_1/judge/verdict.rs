//! From what was heard to what is said: the verdict of a device's slot, and the outcome of each of its readings.

use cairn_core::{DeviceId, PPM, Ppm, Reason, Subject, Verdict};

use super::case::{Case, Phase, Sample, Standing, small};
use super::copies::{Copies, Copy};
use super::crowd::Crowd;
use super::sheet::{Heard, Sheet, Voice, is_in_range};
use crate::sensing::SCHEMA;
use crate::sensing::assessed::{Assessed, Band, Comparison, EVIDENCE_MAX, Outcome};
use crate::sensing::revision_1::profile::QuantityRule;
use crate::sensing::words::{Check, Code};

/// A slot with everything known about it.
pub(super) struct Hall<'a> {
    pub case: &'a Case<'a>,
    pub sheet: &'a Sheet<'a>,
    /// What came of asking each voice's neighbours.
    pub heard: &'a [Heard],
    pub copies: &'a Copies,
}

/// Reasons in the order of the checks, and what they took together.
#[derive(Default)]
struct Tally {
    reasons: Vec<Reason>,
    lost_ppm: u32,
}

impl Tally {
    /// Adds a reason that would take `lost_ppm` alone. The score is that of the worst check, so a reason takes only what
    /// the ones before it have left of that: the parts lost always add up to the score.
    fn add(&mut self, code: Code, check: Check, observed: i64, threshold: i64, lost_ppm: u32, evidence: Vec<u64>) {
        let further = lost_ppm.saturating_sub(self.lost_ppm);
        self.lost_ppm += further;
        self.reasons.push(Reason {
            code: code.as_str().to_owned(),
            check: check.to_string(),
            observed,
            threshold,
            lost_ppm: further,
            evidence,
        });
    }
}

/// A sample of the device as it stands towards the check of one quantity.
#[derive(Clone, Copy)]
struct Tested<'h> {
    voice: &'h Voice,
    value: i64,
    own: u64,
    heard: &'h Heard,
    rule: &'h QuantityRule,
}

impl Hall<'_> {
    /// The verdicts of the slot, ascending by device.
    pub fn verdicts(&self) -> Vec<Verdict> {
        self.devices().map(|samples| self.verdict(samples)).collect()
    }

    /// The outcomes of the slot's readings.
    pub fn assessments(&self) -> Vec<Assessed> {
        self.devices()
            .flat_map(|samples| {
                let judged_before = self.judged_before(samples);
                due(samples).map(move |sample| self.assess(sample, &judged_before)).collect::<Vec<_>>()
            })
            .collect()
    }

    /// What the words of a device in the slot were held against.
    pub fn bands(&self, device: &DeviceId) -> Vec<Band> {
        let voices = self.sheet.voices.iter().zip(self.heard);
        let band = |(voice, heard): (&Voice, &Heard)| {
            let Heard::Crowd(crowd) = heard else { return None };
            (self.case.station(voice.device).id == *device).then(|| Band {
                slot_ms: self.sheet.slot * self.case.profile.slot_ms,
                quantity: voice.quantity,
                value: voice.value,
                neighbours: crowd.count,
                expected: crowd.median,
                low: crowd.median.saturating_sub(crowd.suspect.below),
                high: crowd.median.saturating_add(crowd.suspect.above),
            })
        };
        voices.filter_map(band).collect()
    }

    /// The samples of each device that has something to judge.
    fn devices(&self) -> impl Iterator<Item = &[Sample]> {
        self.sheet
            .samples
            .chunk_by(|a, b| a.device == b.device)
            .filter(|samples| samples.iter().any(|sample| sample.phase == Phase::Due))
    }

    fn verdict(&self, samples: &[Sample]) -> Verdict {
        let device = samples[0].device;
        let entries = self.indices(due(samples), usize::MAX);
        let first = due(samples).map(|sample| sample.report).min().expect("a device to judge has a due sample");
        let usable = due(samples).any(|sample| sample.standing == Standing::Usable);
        let refused = due(samples).any(|s| matches!(s.standing, Standing::Denied | Standing::Conflict));
        let judged_before = self.judged_before(samples);
        let mut tally = Tally::default();
        self.say_unusable(samples, usable || !judged_before.is_empty(), &mut tally);
        if !judged_before.is_empty() {
            tally.add(Code::SlotJudged, Check::whole(Code::SlotJudged), 0, 0, 0, judged_before.clone());
        } else if let Some(copy) = self.copies.of(self.sheet.slot, device).filter(|_| usable) {
            self.say_copy(copy, &mut tally);
        } else {
            for of_quantity in samples.chunk_by(|a, b| a.quantity == b.quantity) {
                self.say_quantity(of_quantity, &mut tally);
            }
        }
        let scored = (usable || refused) && judged_before.is_empty();
        let slot_ms = self.case.profile.slot_ms;
        Verdict {
            class: SCHEMA.to_owned(),
            device: self.case.station(device).id,
            slot_ms: self.sheet.slot * slot_ms,
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
    fn judged_before(&self, samples: &[Sample]) -> Vec<u64> {
        let judged = |sample: &&Sample| sample.phase == Phase::Past && sample.standing != Standing::Maintenance;
        self.indices(samples.iter().filter(judged), EVIDENCE_MAX)
    }

    /// The reasons of values that may not speak. What is denied or in conflict takes all, unless the slot is `spared`: good
    /// values are left in it, or it was judged before.
    fn say_unusable(&self, samples: &[Sample], spared: bool, tally: &mut Tally) {
        let lost_ppm = if spared { 0 } else { PPM };
        for standing in
            [Standing::Denied, Standing::Conflict, Standing::Maintenance, Standing::Future, Standing::Unasked]
        {
            let of_standing = || due(samples).filter(move |sample| sample.standing == standing);
            let count = i64::from(small(of_standing().count()));
            if count == 0 || (standing == Standing::Unasked && (spared || !tally.reasons.is_empty())) {
                continue;
            }
            let statements = |of_report: fn(&crate::Report<'_>) -> Option<u64>| {
                let mut indices: Vec<u64> =
                    of_standing().filter_map(|sample| of_report(self.case.reports[sample.report as usize])).collect();
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
                Standing::Unasked => add(Code::Quantity, count, 0, 0, own()),
                Standing::Usable => {}
            }
        }
    }

    fn say_copy(&self, copy: &Copy, tally: &mut Tally) {
        let voices = self.sheet.voices.iter().filter(|v| v.device == copy.device || v.device == copy.original);
        let evidence = self.indices(voices.map(|voice| &self.sheet.samples[voice.sample as usize]), EVIDENCE_MAX);
        let check = Check::EqualTo(self.case.station(copy.original).id);
        let least_slots = self.case.profile.copy.least_slots;
        tally.add(Code::Copy, check, copy.shared_slots.into(), least_slots.into(), PPM, evidence);
    }

    /// Range and neighbours of one quantity of one device.
    fn say_quantity(&self, samples: &[Sample], tally: &mut Tally) {
        let Some(rule) = self.case.profile.quantities.get(&samples[0].quantity) else { return };
        let usable = || due(samples).filter(|sample| sample.standing == Standing::Usable);
        let readings = small(usable().count());
        let out = || usable().filter(|sample| !is_in_range(self.case, sample));
        if out().next().is_some() {
            self.say_range(rule, &out().collect::<Vec<_>>(), readings, tally);
        }
        let Some(n) = self.sheet.voice(samples[0].quantity, samples[0].device) else { return };
        let voice = &self.sheet.voices[n];
        if voice.due {
            let own = self.case.index(&self.sheet.samples[voice.sample as usize]);
            self.say_heard(Tested { voice, value: voice.value, own, heard: &self.heard[n], rule }, tally);
        }
    }

    fn say_range(&self, rule: &QuantityRule, out: &[&Sample], readings: u32, tally: &mut Tally) {
        let excess = |sample: &Sample| (rule.min - sample.value).max(sample.value - rule.max);
        let worst = out.iter().max_by_key(|sample| (excess(sample), sample.value)).expect("there is one out of range");
        let threshold = if worst.value < rule.min { rule.min } else { rule.max };
        let count = small(out.len());
        // Rounded up: one bad reading of many is never free.
        let lost = (u64::from(rule.lost_ppm) * u64::from(count)).div_ceil(u64::from(readings.max(1)));
        let lost_ppm = u32::try_from(lost).expect("a share of at most one million");
        let check = Check::Range { quantity: worst.quantity, out: count, readings };
        let evidence = self.indices(out.iter().copied(), EVIDENCE_MAX);
        tally.add(Code::Range, check, worst.value, threshold, lost_ppm, evidence);
    }

    /// What the neighbours make of one value, with its reason if there is one to give.
    fn say_heard(&self, tested: Tested<'_>, tally: &mut Tally) -> Outcome {
        let Tested { voice, value, own, heard, rule } = tested;
        let Some(neighbours) = &rule.neighbours else { return Outcome::Pass };
        match heard {
            Heard::NotAsked => Outcome::Pass,
            Heard::Moving => {
                tally.add(Code::Mobile, Check::Apart(voice.quantity), 0, 0, 0, vec![own]);
                Outcome::Untested
            }
            Heard::TooFew(found) => {
                let (found, least) = ((*found).into(), neighbours.least.into());
                tally.add(Code::Untested, Check::Apart(voice.quantity), found, least, 0, vec![own]);
                Outcome::Untested
            }
            Heard::Crowd(crowd) => {
                let (code, limits, lost_ppm, outcome) = if crowd.is_beyond(crowd.fail, value) {
                    (Code::NeighbourFail, crowd.fail, neighbours.fail.lost_ppm, Outcome::Fail)
                } else if crowd.is_beyond(crowd.suspect, value) {
                    (Code::NeighbourSuspect, crowd.suspect, neighbours.suspect.lost_ppm, Outcome::Suspect)
                } else {
                    return Outcome::Pass;
                };
                let check = Check::Neighbours { quantity: voice.quantity, count: crowd.count, median: crowd.median };
                let threshold = crowd.signed_limit(limits, value);
                tally.add(code, check, value, threshold, lost_ppm, self.witnesses(crowd, own));
                outcome
            }
        }
    }

    /// The neighbours' entries and one's own, ascending.
    fn witnesses(&self, crowd: &Crowd, own: u64) -> Vec<u64> {
        let member = |&n: &u32| self.case.index(&self.sheet.samples[n as usize]);
        let mut evidence: Vec<u64> = crowd.members().iter().map(member).chain([own]).collect();
        evidence.sort_unstable();
        evidence.dedup();
        evidence
    }

    /// The distinct entries of samples, ascending, the first `most`.
    fn indices<'s>(&self, samples: impl Iterator<Item = &'s Sample>, most: usize) -> Vec<u64> {
        let mut reports: Vec<u32> = samples.map(|sample| sample.report).collect();
        reports.sort_unstable();
        reports.dedup();
        reports.truncate(most);
        reports.into_iter().map(|report| self.case.reports[report as usize].index).collect()
    }

    fn assess(&self, sample: &Sample, judged_before: &[u64]) -> Assessed {
        let mut tally = Tally::default();
        let (outcome, comparison) = self.outcome(sample, judged_before, &mut tally);
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

    fn outcome(&self, sample: &Sample, judged_before: &[u64], tally: &mut Tally) -> (Outcome, Option<Comparison>) {
        let alone = std::slice::from_ref(sample);
        if !judged_before.is_empty() {
            self.say_unusable(alone, true, tally);
            tally.add(Code::SlotJudged, Check::whole(Code::SlotJudged), 0, 0, 0, judged_before.to_vec());
            return (Outcome::Unscored, None);
        }
        if sample.standing != Standing::Usable {
            self.say_unusable(alone, false, tally);
            let refused = matches!(sample.standing, Standing::Denied | Standing::Conflict);
            return (if refused { Outcome::Fail } else { Outcome::Unscored }, None);
        }
        if let Some(copy) = self.copies.of(self.sheet.slot, sample.device) {
            self.say_copy(copy, tally);
            return (Outcome::Fail, None);
        }
        let rule = self.case.profile.quantities.get(&sample.quantity).expect("a usable sample is of the profile");
        if !is_in_range(self.case, sample) {
            self.say_range(rule, &[sample], 1, tally);
            return (Outcome::Fail, None);
        }
        let n = self.sheet.voice(sample.quantity, sample.device).expect("a value in range gives its device a voice");
        let (voice, heard) = (&self.sheet.voices[n], &self.heard[n]);
        let tested = Tested { voice, value: sample.value, own: self.case.index(sample), heard, rule };
        let outcome = self.say_heard(tested, tally);
        let comparison = match heard {
            Heard::Crowd(crowd) => Some(Comparison {
                neighbours: crowd.count,
                median: crowd.median,
                suspect_limit: crowd.signed_limit(crowd.suspect, sample.value),
                fail_limit: crowd.signed_limit(crowd.fail, sample.value),
            }),
            _ => None,
        };
        (outcome, comparison)
    }
}

fn due(samples: &[Sample]) -> impl Iterator<Item = &Sample> + Clone {
    samples.iter().filter(|sample| sample.phase == Phase::Due)
}

//! What a device's readings say by themselves: faults of single readings, findings over slots, and the voice of each slot.
//!
//! Readings are looked at in the order of their times, the on-time ones and the late ones apart: on-time readings
//! continue what the memory's trail ends with, late ones stand for themselves and their own past. Each check has a file,
//! which says what it leaves open; `flaws` says which fault of a reading is named and which ones silence it.
//!
//! Not here: anything that needs another device. A quiet liar passes all of this.

mod clock;
mod counter;
mod flaws;
mod series;
mod step;
mod stuck;
mod trail;
mod value;

use std::collections::BTreeMap;

use self::counter::Added;
use self::flaws::Flaws;
pub(super) use self::flaws::{Flaw, Wrong};
use self::series::{Part, Told};
pub(super) use self::trail::Trail;
use super::case::Case;
use super::memory::Memory;
use super::voice::{Spoken, Voice, dried};
use crate::sensing::profile::QuantityRule;
use crate::sensing::quantity::Quantity;
use crate::sensing::words::{Check, Code};

/// One thing that was found about a slot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Finding {
    pub code: Code,
    pub check: Check,
    pub observed: i64,
    pub threshold: i64,
    /// What it would take alone.
    pub lost_ppm: u32,
    /// Indices into the case's reports.
    pub evidence: Vec<u32>,
}

/// What one device's readings say by themselves.
#[derive(Debug, Default)]
pub(super) struct Own {
    /// Ascending by sample.
    pub flaws: Vec<Flaw>,
    /// Findings over whole slots, ascending by slot.
    pub findings: Vec<(u64, Finding)>,
    /// Ascending by quantity and slot.
    pub voices: Vec<Voice>,
    /// What was dried, by sample, ascending.
    dried: Vec<(u32, i64)>,
}

/// What each reading adds to its counter, beside what was told.
type Counted = BTreeMap<Quantity, Vec<Added>>;

impl Own {
    /// Checks a device by itself, and moves the trails of its memory on.
    pub fn of(case: &Case<'_>, device: u32, memory: &mut Memory) -> Self {
        let samples = case.of_device(device);
        let nothing = BTreeMap::new();
        let mut flaws = Flaws::default();
        let mut findings = Vec::new();
        let late = Part::lay_out(case, samples.clone(), true, &nothing, &mut flaws);
        let (_, late_counted) = check(&late, &mut flaws, &mut findings);
        let on_time = Part::lay_out(case, samples, false, &memory.trails, &mut flaws);
        let (trails, counted) = check(&on_time, &mut flaws, &mut findings);
        let flaws = flaws.named();
        let mut own = Self { flaws, findings, voices: Vec::new(), dried: Vec::new() };
        own.speak(&late, &late_counted);
        own.speak(&on_time, &counted);
        own.voices.sort_by_key(|voice| (voice.quantity, voice.slot));
        own.dried.sort_unstable();
        memory.trails.extend(trails);
        own
    }

    /// One reading's value as it is compared: dried, or for a counter what its slot counted; `None` where it is not to be
    /// compared.
    pub fn as_compared(&self, rule: &QuantityRule, sample: u32, value: i64, voice: &Voice) -> Option<i64> {
        if rule.counter.is_some() {
            voice.compared.then_some(voice.value)
        } else if rule.humidity.is_some() {
            self.dried.binary_search_by_key(&sample, |(sample, _)| *sample).ok().map(|at| self.dried[at].1)
        } else {
            Some(value)
        }
    }

    /// The flaw of a sample.
    pub fn flaw(&self, sample: u32) -> Option<&Flaw> {
        self.flaws.binary_search_by_key(&sample, |flaw| flaw.sample).ok().map(|n| &self.flaws[n])
    }

    /// The findings over a slot.
    pub fn findings(&self, slot: u64) -> impl Iterator<Item = &Finding> {
        let from = self.findings.partition_point(|(of, _)| *of < slot);
        self.findings[from..].iter().take_while(move |(of, _)| *of == slot).map(|(_, finding)| finding)
    }

    /// Adds what a part's readings say of each quantity in each slot, those silenced by a flaw left out.
    fn speak(&mut self, part: &Part<'_>, counted: &Counted) {
        let mut spoken = Spoken::default();
        for (quantity, told) in &part.series {
            let Some(rule) = part.rule(*quantity) else { continue };
            let damp = rule.humidity.as_ref().map(|rule| (rule, part.beside(Quantity::RelativeHumidity)));
            let mut added = counted.get(quantity).into_iter().flatten();
            for of_slot in told.chunk_by(|a, b| a.slot == b.slot) {
                for told in of_slot {
                    let added = added.next();
                    if self.flaw(told.sample).is_some_and(|flaw| !flaw.speaks) {
                        continue;
                    }
                    match (added, &damp) {
                        (Some(Added::Since { by, time_ms }), _) => {
                            spoken.count(*by, told.sample, part.case.slot(*time_ms));
                        }
                        (Some(Added::Unknown | Added::Wrong), _) => spoken.begin(told.sample),
                        (None, Some((rule, humidity))) => {
                            let humidity = humidity.of(part.case, told.sample);
                            let dry = humidity.map(|humidity| dried(rule, told.value, humidity));
                            self.dried.extend(dry.map(|dry| (told.sample, dry)));
                            spoken.say_dried(dry, told.value, told.sample);
                        }
                        (None, None) => spoken.say(told.value, told.sample),
                    }
                }
                self.voices.extend(spoken.voice(part.case));
            }
        }
    }
}

/// Checks one part of a device's readings; answers how its trails end, and what its counters count.
fn check(
    part: &Part<'_>,
    flaws: &mut Flaws,
    findings: &mut Vec<(u64, Finding)>,
) -> (BTreeMap<Quantity, Trail>, Counted) {
    let profile = part.case.profile;
    let mut trails = BTreeMap::new();
    let mut counted = Counted::new();
    for (quantity, told) in &part.series {
        let Some(rule) = part.rule(*quantity) else { continue };
        let (trail, added) = check_quantity(part, *quantity, rule, told, flaws);
        trails.insert(*quantity, trail);
        counted.insert(*quantity, added);
    }
    if let Some(rule) = &profile.time {
        clock::check(rule, part, flaws);
    }
    if let Some(rule) = &profile.availability {
        clock::availability(rule, part, findings);
    }
    (trails, counted)
}

fn check_quantity(
    part: &Part<'_>,
    quantity: Quantity,
    rule: &QuantityRule,
    told: &[Told],
    flaws: &mut Flaws,
) -> (Trail, Vec<Added>) {
    let before = part.trails.get(&quantity);
    let mut trail = before.cloned().unwrap_or_default();
    if let Some(rule) = &rule.saturation {
        value::saturation(rule, told, flaws);
    }
    for rule in &rule.within {
        value::within(part, rule, told, flaws);
    }
    if let Some(rule) = &rule.resolution {
        value::resolution(part, rule, told, flaws);
    }
    if let Some(rule) = &rule.step {
        step::check(rule, told, before, flaws);
    }
    if let Some(rule) = &rule.stuck {
        trail.run = stuck::check(part, rule, told, before, flaws);
    }
    let added = rule.counter.as_ref().map_or_else(Vec::new, |rule| counter::check(rule, told, &mut trail, flaws));
    trail.follow(told, if rule.step.is_some() { trail::BEFORE + 1 } else { 1 });
    (trail, added)
}

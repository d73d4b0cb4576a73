//! A device's readings in the order of their times: what the checks of single devices walk along.
//!
//! A part holds either what came on time or what came late, never both: what is certain to be at hand for the one need not
//! be for the other. Values that are out of range are flawed here and stand in no series.

use std::collections::BTreeMap;
use std::ops::Range;

use cairn_core::DeviceId;

use super::flaws::{Flaw, Flaws, Wrong};
use super::trail::Trail;
use crate::sensing::judge::case::{Case, Phase, Sample, Standing, small};
use crate::sensing::profile::QuantityRule;
use crate::sensing::quantity::Quantity;

/// One value in range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Told {
    /// Index into the case's samples.
    pub sample: u32,
    pub time_ms: u64,
    pub value: i64,
    pub slot: u64,
    /// Of the device: what it is of a bridge says nothing of the device's counters, so bridged readings all are of boot 0.
    pub boot: u32,
}

/// What a device told on time, or what it told late.
pub(super) struct Part<'a> {
    pub case: &'a Case<'a>,
    /// The device's samples.
    pub samples: Range<usize>,
    pub late: bool,
    /// What went before; nothing for what came late.
    pub trails: &'a BTreeMap<Quantity, Trail>,
    /// Ascending by quantity; each in order of time, then of boot and number.
    pub series: Vec<(Quantity, Vec<Told>)>,
}

impl<'a> Part<'a> {
    /// Lays out one part of a device's usable samples; what is out of range goes to the flaws.
    pub fn lay_out(
        case: &'a Case<'a>,
        samples: Range<usize>,
        late: bool,
        trails: &'a BTreeMap<Quantity, Trail>,
        flaws: &mut Flaws,
    ) -> Self {
        let mut part = Self { case, samples: samples.clone(), late, trails, series: Vec::new() };
        let mut from = samples.start;
        for of_quantity in case.samples[samples].chunk_by(|a, b| a.quantity == b.quantity) {
            let quantity = of_quantity[0].quantity;
            let numbers = from..from + of_quantity.len();
            from = numbers.end;
            let Some(rule) = case.rule(&of_quantity[0]) else { continue };
            let mut told = Vec::with_capacity(of_quantity.len());
            for n in numbers.filter(|&n| part.holds(&case.samples[n])) {
                told.extend(in_range(case, small(n), rule, flaws));
            }
            // Samples are sorted by time already; only those of one instant may still be in an order that depends on the log's.
            told.sort_by_key(|told| (told.time_ms, told.boot, name(case, told.sample)));
            if !told.is_empty() {
                part.series.push((quantity, told));
            }
        }
        part
    }

    /// Whether a sample belongs to the part, and takes part in checks.
    pub fn holds(&self, sample: &Sample) -> bool {
        sample.standing == Standing::Usable
            && sample.phase != Phase::Later
            && (sample.time_ms < self.case.docket.start_ms) == self.late
    }

    /// The part's usable samples, in range or not, by number.
    pub fn usable(&self) -> impl Iterator<Item = (u32, &'a Sample)> {
        let samples: &'a [Sample] = &self.case.samples[self.samples.clone()];
        self.samples.clone().zip(samples).filter(|(_, sample)| self.holds(sample)).map(|(n, sample)| (small(n), sample))
    }

    /// The rule of a quantity.
    pub fn rule(&self, quantity: Quantity) -> Option<&'a QuantityRule> {
        let sample = &self.case.samples[self.samples.start];
        self.case.rules(sample.device).get(&quantity)
    }

    /// What is told of a quantity.
    pub fn of(&self, quantity: Quantity) -> &[Told] {
        let at = self.series.binary_search_by_key(&quantity, |(of, _)| *of);
        at.map_or(&[], |at| &self.series[at].1)
    }

    /// The values of another quantity by reading.
    pub fn beside(&self, quantity: Quantity) -> Beside {
        let name = |told: &Told| name_in(self.case, told.sample);
        let mut values: Vec<((u32, u16), i64)> =
            self.of(quantity).iter().map(|told| (name(told), told.value)).collect();
        values.sort_unstable();
        Beside(values)
    }

    /// Follows another quantity of the device along ascending times.
    pub fn companion(&self, quantity: Quantity) -> Companion<'_> {
        let before = self.trails.get(&quantity).and_then(Trail::last);
        Companion { told: self.of(quantity), latest: before }
    }
}

/// Boot, seq, reading and signer of a sample: what names it whatever the order of arrival.
fn name(case: &Case<'_>, sample: u32) -> (u32, u32, u16, Option<DeviceId>) {
    let sample = &case.samples[sample as usize];
    let report = case.reports[sample.report as usize];
    (report.boot, report.seq, sample.reading, report.bridge)
}

fn in_range(case: &Case<'_>, n: u32, rule: &QuantityRule, flaws: &mut Flaws) -> Option<Told> {
    let sample = &case.samples[n as usize];
    let (value, range) = (sample.value, &rule.range);
    if (range.min..=range.max).contains(&value) {
        let report = case.reports[sample.report as usize];
        let boot = if report.bridge.is_some() { 0 } else { report.boot };
        return Some(Told { sample: n, time_ms: sample.time_ms, value, slot: case.slot(sample.time_ms), boot });
    }
    flaws.add(Flaw {
        sample: n,
        wrong: Wrong::Range,
        observed: value,
        threshold: if value < range.min { range.min } else { range.max },
        lost_ppm: range.lost_ppm,
        speaks: false,
    });
    None
}

/// The report and reading of a sample.
fn name_in(case: &Case<'_>, sample: u32) -> (u32, u16) {
    let sample = &case.samples[sample as usize];
    (sample.report, sample.reading)
}

/// Another quantity of the same device, by reading; what is out of range is not there.
pub(super) struct Beside(Vec<((u32, u16), i64)>);

impl Beside {
    /// The value in the reading of a sample.
    pub fn of(&self, case: &Case<'_>, sample: u32) -> Option<i64> {
        let name = name_in(case, sample);
        self.0.binary_search_by_key(&name, |(name, _)| *name).ok().map(|at| self.0[at].1)
    }
}

/// Another quantity of the same device, walked along with the one that is checked.
pub(super) struct Companion<'a> {
    told: &'a [Told],
    /// The time and value last passed.
    latest: Option<(u64, i64)>,
}

impl Companion<'_> {
    /// The latest value at or before a time, unless it is older than `age_ms`. Times ascend from call to call.
    pub fn at(&mut self, time_ms: u64, age_ms: u64) -> Option<i64> {
        let passed = self.told.iter().take_while(|told| told.time_ms <= time_ms).count();
        if let Some(last) = passed.checked_sub(1) {
            self.latest = Some((self.told[last].time_ms, self.told[last].value));
            self.told = &self.told[passed..];
        }
        self.latest.filter(|(at, _)| time_ms.saturating_sub(*at) <= age_ms).map(|(_, value)| value)
    }
}

//! Whether the times of readings can be believed, and how much of each slot was reported.
//!
//! A report's **delay** is its receipt less the time of its last reading: one that carries a day's readings is not late for
//! the first of them. Clocks are doubted where the device itself doubts them, where a report was received before it was
//! measured, and where not even the promptest report of a slot came within the time allowed. Doubted readings still speak.
//!
//! What remains: reports flagged as backfilled are held to neither their delay nor their order, since a device that was
//! offline owes no promptness; what their lateness costs is the policy's. One piece of a slot counts as reported whichever
//! quantity was, and what was sent under maintenance does not count.

use std::collections::BTreeMap;

use cairn_core::DeviceId;

use super::Finding;
use super::flaws::{Flaw, Flaws, Wrong};
use super::series::Part;
use crate::Flags;
use crate::sensing::judge::case::{Phase, small};
use crate::sensing::profile::{AvailabilityRule, TimeRule};
use crate::sensing::words::{Check, Code, Fault};

/// The bridge that signed, if any; boot; number within the boot.
type Name = (Option<DeviceId>, u32, u32);

/// When one report was measured and received.
struct Timing {
    /// Index into the case's reports.
    report: u32,
    /// Signer, boot and number.
    name: Name,
    backfilled: bool,
    /// Its first usable reading in the part.
    first_ms: u64,
    /// Its last reading of all.
    last_ms: u64,
    /// Receipt less last reading.
    delay_ms: i64,
    /// The latest first reading of the signer's reports that are numbered lower in the same boot; zero without any.
    lower_ms: u64,
}

/// Finds the readings of a part whose times are doubted.
pub(super) fn check(rule: &TimeRule, part: &Part<'_>, flaws: &mut Flaws) {
    let timings = timings(part);
    let of = |report: u32| {
        let at = timings.binary_search_by_key(&report, |timing| timing.report);
        &timings[at.expect("every usable sample's report has its times")]
    };
    let mut promptest: BTreeMap<u64, i64> = BTreeMap::new();
    for (_, sample) in part.usable().filter(|(_, sample)| !of(sample.report).backfilled) {
        let least = promptest.entry(part.case.slot(sample.time_ms)).or_insert(i64::MAX);
        *least = (*least).min(of(sample.report).delay_ms);
    }
    let (ahead, behind) = (signed(rule.ahead_ms), signed(rule.behind_ms));
    for (n, sample) in part.usable() {
        let timing = of(sample.report);
        let mut add = |fault, observed, threshold, lost_ppm| {
            let wrong = Wrong::Fault(fault);
            flaws.add(Flaw { sample: n, wrong, observed, threshold, lost_ppm, speaks: true });
        };
        match part.case.reports[sample.report as usize].clock {
            // No clock at all is no number of milliseconds.
            Some(clock) if clock.source == 0 => add(Fault::Clock, -1, signed(rule.error_ms), rule.lost_ppm),
            Some(clock) if clock.error_ms > rule.error_ms => {
                add(Fault::Clock, signed(clock.error_ms), signed(rule.error_ms), rule.lost_ppm);
            }
            _ => {}
        }
        if timing.backfilled {
            continue;
        }
        let least = promptest.get(&part.case.slot(sample.time_ms)).copied().unwrap_or(0);
        if timing.delay_ms < -ahead {
            add(Fault::Drift, timing.delay_ms, -ahead, rule.lost_ppm);
        } else if least > behind {
            add(Fault::Drift, least, behind, rule.lost_ppm);
        }
        if sample.time_ms < timing.lower_ms {
            add(Fault::Order, signed(timing.lower_ms - sample.time_ms), 0, rule.order_lost_ppm);
        }
    }
}

/// The times of every report with a usable sample in the part, ascending by report.
fn timings(part: &Part<'_>) -> Vec<Timing> {
    let case = part.case;
    let mut usable: Vec<(u32, u64)> = part.usable().map(|(_, sample)| (sample.report, sample.time_ms)).collect();
    usable.sort_unstable();
    usable.dedup_by_key(|(report, _)| *report);
    let timing = |&(n, first_ms): &(u32, u64)| {
        let report = case.reports[n as usize];
        Timing {
            report: n,
            name: (report.bridge, report.boot, report.seq),
            backfilled: Flags(report.flags).has(Flags::BACKFILLED),
            first_ms,
            last_ms: first_ms,
            delay_ms: 0,
            lower_ms: 0,
        }
    };
    let mut timings: Vec<Timing> = usable.iter().map(timing).collect();
    for sample in &case.samples[part.samples.clone()] {
        if let Ok(at) = timings.binary_search_by_key(&sample.report, |timing| timing.report) {
            timings[at].last_ms = timings[at].last_ms.max(sample.time_ms);
        }
    }
    for timing in &mut timings {
        let received_ms = case.reports[timing.report as usize].received_ms;
        timing.delay_ms = signed(received_ms).saturating_sub(signed(timing.last_ms));
    }
    number(&mut timings);
    timings
}

/// Holds every report against those that its signer numbered lower in the same boot.
fn number(timings: &mut [Timing]) {
    let mut by_name: Vec<(Name, usize)> = timings.iter().enumerate().map(|(n, timing)| (timing.name, n)).collect();
    by_name.sort_unstable();
    let (mut boot, mut lower_ms) = (None, 0);
    for same in by_name.chunk_by(|a, b| a.0 == b.0) {
        let (bridge, number, _) = same[0].0;
        let of = (bridge, number);
        if boot != Some(of) {
            (boot, lower_ms) = (Some(of), 0);
        }
        for &(_, n) in same {
            timings[n].lower_ms = lower_ms;
        }
        lower_ms = same.iter().map(|&(_, n)| timings[n].first_ms).fold(lower_ms, u64::max);
    }
}

/// What is missing of each slot of a part, ascending by slot.
pub(super) fn availability(rule: &AvailabilityRule, part: &Part<'_>, findings: &mut Vec<(u64, Finding)>) {
    let slot_ms = part.case.profile.slot_ms;
    let pieces = slot_ms / rule.every_ms;
    let needed = (u128::from(pieces) * u128::from(rule.least_ppm)).div_ceil(1_000_000);
    let needed = u64::try_from(needed).expect("no more than the pieces of a slot").max(1);
    let due = part.usable().filter(|(_, sample)| sample.phase == Phase::Due);
    // The slots' lengths are whole pieces, so pieces are numbered through.
    let mut seen: Vec<(u64, u32)> = due.map(|(_, sample)| (sample.time_ms / rule.every_ms, sample.report)).collect();
    seen.sort_unstable();
    seen.dedup();
    for of_slot in seen.chunk_by(|a, b| a.0 / pieces == b.0 / pieces) {
        let reported = of_slot.chunk_by(|a, b| a.0 == b.0).count() as u64;
        let Some(missing) = needed.checked_sub(reported).filter(|&missing| missing > 0) else { continue };
        let lost = (u128::from(rule.lost_ppm) * u128::from(missing)).div_ceil(needed.into());
        let finding = Finding {
            code: Code::Availability,
            check: Check::whole(Code::Availability),
            observed: small(usize::try_from(reported).unwrap_or(0)).into(),
            threshold: signed(needed),
            lost_ppm: u32::try_from(lost).expect("a part of lost_ppm"),
            evidence: of_slot.iter().map(|(_, report)| *report).collect(),
        };
        findings.push((of_slot[0].0 / pieces, finding));
    }
}

fn signed(ms: u64) -> i64 {
    i64::try_from(ms).unwrap_or(i64::MAX)
}

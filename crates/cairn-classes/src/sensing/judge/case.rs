//! The docket laid out for judging: stations, reports by index, and every value as a sortable sample.

use std::collections::BTreeMap;
use std::ops::Range;

use rayon::prelude::*;

use crate::sensing::body::Body;
use crate::sensing::profile::{Profile, QuantityRule};
use crate::sensing::quantity::Quantity;
use crate::sensing::stations;
pub(super) use crate::sensing::stations::{Station, small};
use crate::{ClassError, Docket, Flags, Report};

/// Whether a value may speak, and if not, why; the first that applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Standing {
    Usable,
    Denied,
    Conflict,
    Maintenance,
    /// Its time lies after its receipt.
    Future,
    /// The profile does not judge its quantity.
    Unasked,
}

/// In which epoch a value is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Phase {
    /// In an earlier one.
    Past,
    /// Now.
    Due,
    /// In a later one.
    Later,
}

/// One value of one reading. The order of fields is the order of judging: device, quantity, time, value, then the rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Sample {
    /// Index into [`Case::stations`].
    pub device: u32,
    pub quantity: Quantity,
    /// Time of the reading, ms since 1970 UTC.
    pub time_ms: u64,
    pub value: i64,
    pub standing: Standing,
    pub phase: Phase,
    /// Index into [`Case::reports`].
    pub report: u32,
    /// Number of the reading within its report.
    pub reading: u16,
}

/// A docket laid out for judging.
#[derive(Debug)]
pub(super) struct Case<'a> {
    pub profile: &'a Profile,
    pub docket: &'a Docket<'a>,
    /// Ascending by id.
    pub stations: Vec<Station<'a>>,
    /// Ascending by index.
    pub reports: Vec<&'a Report<'a>>,
    /// Sorted; every value of every report.
    pub samples: Vec<Sample>,
}

impl<'a> Case<'a> {
    /// Lays out a docket.
    ///
    /// # Errors
    /// [`ClassError`] for a repeated index, an epoch that ends before it starts, a device without a site, or a body that
    /// admission should have refused; always the lowest entry index at fault.
    pub fn lay_out(profile: &'a Profile, docket: &'a Docket<'a>) -> Result<Self, ClassError> {
        let reports = stations::reports(docket)?;
        let stations = stations::stations(docket, &reports)?;
        let mut samples = Vec::new();
        let laid: Vec<_> = reports
            .par_iter()
            .enumerate()
            .map(|(n, (report, fresh))| samples_of(profile, docket, &stations, small(n), report, *fresh))
            .collect();
        for of_report in laid {
            samples.extend(of_report?);
        }
        samples.par_sort_unstable();
        let reports = reports.into_iter().map(|(report, _)| report).collect();
        Ok(Self { profile, docket, stations, reports, samples })
    }

    /// Every device, as indices into [`Case::stations`].
    pub fn devices(&self) -> Range<u32> {
        0..small(self.stations.len())
    }

    /// Where a device's samples stand in [`Case::samples`].
    pub fn of_device(&self, device: u32) -> Range<usize> {
        let from = self.samples.partition_point(|sample| sample.device < device);
        from..from + self.samples[from..].partition_point(|sample| sample.device == device)
    }

    /// Number of the slot that a time falls into.
    pub const fn slot(&self, time_ms: u64) -> u64 {
        time_ms / self.profile.slot_ms
    }

    /// The number of a slot's window, counted from the epoch's start; late slots have negative ones.
    pub fn window(&self, slot: u64) -> i64 {
        let start = self.docket.start_ms / self.profile.slot_ms;
        (slot.cast_signed() - start.cast_signed()).div_euclid(self.profile.copies.window_slots.into())
    }

    /// The rules of a device's quantities.
    pub fn rules(&self, device: u32) -> &BTreeMap<Quantity, QuantityRule> {
        self.profile.rules(self.station(device).site.mobile)
    }

    /// The rule that a sample is judged by; `None` for quantities that the profile does not judge.
    pub fn rule(&self, sample: &Sample) -> Option<&QuantityRule> {
        self.rules(sample.device).get(&sample.quantity)
    }

    /// The distinct log indices of reports, ascending, the first `most`.
    pub fn indices(&self, reports: impl Iterator<Item = u32>, most: usize) -> Vec<u64> {
        let mut reports: Vec<u32> = reports.collect();
        reports.sort_unstable();
        reports.dedup();
        reports.truncate(most);
        reports.into_iter().map(|report| self.reports[report as usize].index).collect()
    }

    /// The log index of a sample's entry.
    pub fn index(&self, sample: &Sample) -> u64 {
        self.reports[sample.report as usize].index
    }

    pub fn station(&self, device: u32) -> &Station<'a> {
        &self.stations[device as usize]
    }
}

fn samples_of(
    profile: &Profile,
    docket: &Docket<'_>,
    stations: &[Station<'_>],
    number: u32,
    report: &Report<'_>,
    fresh: bool,
) -> Result<Vec<Sample>, ClassError> {
    let body = Body::parse(report.body)?;
    let device = small(stations.partition_point(|station| station.id < report.device));
    let rules = profile.rules(stations[device as usize].site.mobile);
    let mut samples = Vec::with_capacity(body.readings().iter().map(|reading| reading.values.len()).sum());
    for (n, reading) in body.readings().iter().enumerate() {
        let time_ms = report.time_ms.saturating_add(reading.after_ms);
        let phase = if time_ms >= docket.end_ms {
            Phase::Later
        } else if fresh || time_ms >= docket.start_ms {
            Phase::Due
        } else {
            Phase::Past
        };
        for &(quantity, value) in &reading.values {
            samples.push(Sample {
                device,
                quantity,
                time_ms,
                value,
                report: number,
                reading: u16::try_from(n).expect("a body holds at most 8,192 readings"),
                standing: standing(profile, rules, report, time_ms, quantity),
                phase,
            });
        }
    }
    Ok(samples)
}

fn standing(
    profile: &Profile,
    rules: &BTreeMap<Quantity, QuantityRule>,
    report: &Report<'_>,
    time_ms: u64,
    quantity: Quantity,
) -> Standing {
    if report.denied.is_some() {
        Standing::Denied
    } else if report.conflict.is_some() {
        Standing::Conflict
    } else if Flags(report.flags).has(Flags::MAINTENANCE) {
        Standing::Maintenance
    } else if time_ms > report.received_ms.saturating_add(profile.future_ms) {
        Standing::Future
    } else if !rules.contains_key(&quantity) {
        Standing::Unasked
    } else {
        Standing::Usable
    }
}

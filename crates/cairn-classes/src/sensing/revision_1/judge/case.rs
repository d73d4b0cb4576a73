//! The docket laid out for judging: stations, reports by index, and every value as a sortable sample.

use rayon::prelude::*;

use crate::sensing::body::Body;
use crate::sensing::quantity::Quantity;
use crate::sensing::revision_1::profile::Profile;
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

/// One value of one reading. The order of fields is the order of judging: slot, device, quantity, value, then log index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Sample {
    /// Number of the slot: time divided by the slot's length.
    pub slot: u64,
    /// Index into [`Case::stations`].
    pub device: u32,
    pub quantity: Quantity,
    pub value: i64,
    /// Index into [`Case::reports`].
    pub report: u32,
    /// Number of the reading within its report.
    pub reading: u16,
    pub standing: Standing,
    pub phase: Phase,
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

    /// The samples of each slot that has something to judge, ascending by slot.
    pub fn slots(&self) -> Vec<&[Sample]> {
        self.samples
            .chunk_by(|a, b| a.slot == b.slot)
            .filter(|slot| slot.iter().any(|sample| sample.phase == Phase::Due))
            .collect()
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
                slot: time_ms / profile.slot_ms,
                device,
                quantity,
                value,
                report: number,
                reading: u16::try_from(n).expect("a body holds at most 8,192 readings"),
                standing: standing(profile, report, time_ms, quantity),
                phase,
            });
        }
    }
    Ok(samples)
}

fn standing(profile: &Profile, report: &Report<'_>, time_ms: u64, quantity: Quantity) -> Standing {
    if report.denied.is_some() {
        Standing::Denied
    } else if report.conflict.is_some() {
        Standing::Conflict
    } else if Flags(report.flags).has(Flags::MAINTENANCE) {
        Standing::Maintenance
    } else if time_ms > report.received_ms.saturating_add(profile.future_ms) {
        Standing::Future
    } else if !profile.quantities.contains_key(&quantity) {
        Standing::Unasked
    } else {
        Standing::Usable
    }
}

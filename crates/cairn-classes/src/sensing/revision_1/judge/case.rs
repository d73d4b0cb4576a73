//! The docket laid out for judging: stations, reports by index, and every value as a sortable sample.

use std::collections::BTreeMap;

use cairn_core::{Account, DeviceId, Hash};
use rayon::prelude::*;

use crate::sensing::body::Body;
use crate::sensing::quantity::Quantity;
use crate::sensing::revision_1::profile::Profile;
use crate::{ClassError, Docket, Flags, Report, Site};

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

/// A device that reports in the docket.
#[derive(Debug)]
pub(super) struct Station<'a> {
    pub id: DeviceId,
    pub site: &'a Site,
    /// Number of the owner: equal for two devices of one owner.
    pub owner: u32,
    /// Rank by SHA-256(salt || device), for ties.
    pub tie: u32,
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

/// A count or index as `u32`; what a docket holds fits in memory, and so in 32 bits of 32-byte samples.
pub(super) fn small(count: usize) -> u32 {
    u32::try_from(count).expect("a docket of 2^32 values does not fit in memory")
}

impl<'a> Case<'a> {
    /// Lays out a docket.
    ///
    /// # Errors
    /// [`ClassError`] for a repeated index, an epoch that ends before it starts, a device without a site, or a body that
    /// admission should have refused; always the lowest entry index at fault.
    pub fn lay_out(profile: &'a Profile, docket: &'a Docket<'a>) -> Result<Self, ClassError> {
        if docket.end_ms < docket.start_ms {
            return Err(ClassError::Docket { what: "the epoch ends before it starts", at: docket.end_ms });
        }
        let fresh = docket.fresh.iter().map(|report| (report, true));
        let context = docket.context.iter().map(|report| (report, false));
        let mut reports: Vec<(&Report<'_>, bool)> = fresh.chain(context).collect();
        reports.par_sort_unstable_by_key(|(report, _)| report.index);
        if let Some(pair) = reports.windows(2).find(|pair| pair[0].0.index == pair[1].0.index) {
            return Err(ClassError::Docket { what: "two reports under one entry index", at: pair[0].0.index });
        }
        let stations = stations(docket, &reports)?;
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

fn stations<'a>(docket: &'a Docket<'_>, reports: &[(&Report<'_>, bool)]) -> Result<Vec<Station<'a>>, ClassError> {
    let mut reporting: BTreeMap<DeviceId, u64> = BTreeMap::new();
    for (report, _) in reports {
        reporting.entry(report.device).or_insert(report.index);
    }
    let mut missing: Option<(u64, DeviceId)> = None;
    let mut stations = Vec::with_capacity(reporting.len());
    for (id, index) in reporting {
        match docket.sites.get(&id) {
            Some(site) => stations.push(Station { id, site, owner: 0, tie: 0 }),
            None => missing = Some(missing.map_or((index, id), |least| least.min((index, id)))),
        }
    }
    if let Some((index, device)) = missing {
        return Err(ClassError::NoSite { device, index });
    }
    let mut owners: Vec<&Account> = stations.iter().map(|station| &station.site.owner).collect();
    owners.sort_unstable();
    owners.dedup();
    let ties: Vec<Hash> =
        stations.iter().map(|station| Hash::of_parts(&[docket.salt.as_bytes(), &station.id.0])).collect();
    let mut by_tie: Vec<usize> = (0..stations.len()).collect();
    by_tie.sort_unstable_by_key(|&n| ties[n]);
    for (tie, n) in by_tie.into_iter().enumerate() {
        stations[n].tie = small(tie);
    }
    for station in &mut stations {
        station.owner = small(owners.partition_point(|&owner| owner < &station.site.owner));
    }
    Ok(stations)
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

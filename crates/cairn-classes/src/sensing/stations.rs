//! Who reports in a docket: what every revision of the judge asks of it before it looks at a value.

use std::collections::BTreeMap;

use cairn_core::{Account, DeviceId, Hash};
use rayon::prelude::*;

use crate::{ClassError, Docket, Report, Site};

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

/// A count or index as `u32`; what a docket holds fits in memory, and so in 32 bits of 32-byte samples.
pub(super) fn small(count: usize) -> u32 {
    u32::try_from(count).expect("a docket of 2^32 values does not fit in memory")
}

/// Every report, ascending by index, and whether it is fresh.
///
/// # Errors
/// [`ClassError::Docket`] for a repeated index (the lowest), or an epoch that ends before it starts.
pub(super) fn reports<'a>(docket: &'a Docket<'a>) -> Result<Vec<(&'a Report<'a>, bool)>, ClassError> {
    if docket.end_ms < docket.start_ms {
        return Err(ClassError::Docket { what: "the epoch ends before it starts", at: docket.end_ms });
    }
    let fresh = docket.fresh.iter().map(|report| (report, true));
    let context = docket.context.iter().map(|report| (report, false));
    let mut reports: Vec<(&Report<'_>, bool)> = fresh.chain(context).collect();
    reports.par_sort_unstable_by_key(|(report, _)| report.index);
    match reports.windows(2).find(|pair| pair[0].0.index == pair[1].0.index) {
        Some(pair) => Err(ClassError::Docket { what: "two reports under one entry index", at: pair[0].0.index }),
        None => Ok(reports),
    }
}

/// The devices of the reports, ascending by id.
///
/// # Errors
/// [`ClassError::NoSite`] for a device without a site; of several, the one with the lowest entry.
pub(super) fn stations<'a>(
    docket: &'a Docket<'_>,
    reports: &[(&Report<'_>, bool)],
) -> Result<Vec<Station<'a>>, ClassError> {
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

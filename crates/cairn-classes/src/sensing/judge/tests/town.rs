//! Devices on a line, what they sent, and the profile they are judged by.

use std::collections::BTreeMap;

use cairn_core::cbor::Value;
use cairn_core::geo::Position;
use cairn_core::{Account, DeviceId, Hash, Verdict};

use crate::sensing::judge::{assess, judge};
use crate::sensing::profile::Profile;
use crate::sensing::{Assessed, Body, Quantity};
use crate::{Carry, Clock, Docket, Judged, Report, Site};

pub const DAY_MS: u64 = 86_400_000;

pub fn account(n: u64) -> Account {
    Account::parse(&format!("eip155:31337:0x{n:040x}")).unwrap()
}

pub fn device(n: u64) -> DeviceId {
    DeviceId::of_key(&n.to_be_bytes())
}

/// What a device sent.
#[derive(Debug, Clone)]
pub struct Sent {
    pub device: u64,
    /// The bridge that signed for it.
    pub bridge: Option<u64>,
    pub boot: u32,
    pub seq: u32,
    pub time_ms: u64,
    pub received_ms: u64,
    pub clock: Option<Clock>,
    pub flags: u32,
    pub body: Value,
    pub denied: Option<u64>,
    pub conflict: Option<u64>,
}

/// One reading, received a day later.
pub fn sent(device: u64, time_ms: u64, values: &[(Quantity, i64)]) -> Sent {
    Sent {
        device,
        bridge: None,
        boot: 1,
        seq: u32::try_from(time_ms / 1_000).unwrap(),
        time_ms,
        received_ms: time_ms + DAY_MS,
        clock: None,
        flags: 0,
        body: Body::one(values.iter().copied()).unwrap().encode(),
        denied: None,
        conflict: None,
    }
}

/// A day's mean of PM10, in 0.1 ug/m3.
pub fn pm10(device: u64, day: u64, value: i64) -> Sent {
    sent(device, day * DAY_MS, &[(Quantity::Pm10, value)])
}

/// Devices on a line, 10 km apart, each of its own owner, and what they sent: to judge, and before.
#[derive(Debug, Clone)]
pub struct Town {
    pub profile: Profile,
    /// Measured time of the epoch: days 7 to 13 unless said otherwise.
    pub epoch: std::ops::Range<u64>,
    pub sites: BTreeMap<DeviceId, Site>,
    pub fresh: Vec<Sent>,
    pub context: Vec<Sent>,
    pub carry: Carry,
}

impl Town {
    /// A town under the cases' own thresholds.
    pub fn of(devices: u64) -> Self {
        Self::under(include_str!("town.toml"), devices)
    }

    /// A town under a profile document.
    pub fn under(profile: &str, devices: u64) -> Self {
        let site = |n: u64| Site {
            owner: account(n),
            position: Position { lat_e7: 500_000_000 + i32::try_from(n).unwrap() * 900_000, lon_e7: 100_000_000 },
            altitude_cm: None,
            enrolled_index: n + 1,
            mobile: false,
            anchor: false,
        };
        Self {
            profile: Profile::parse(profile).unwrap(),
            epoch: 7 * DAY_MS..14 * DAY_MS,
            sites: (0..devices).map(|n| (device(n), site(n))).collect(),
            fresh: Vec::new(),
            context: Vec::new(),
            carry: Carry::new(),
        }
    }

    /// A town where everyone but device 0 says 18.2 on day 7, and device 0 says `value`.
    pub fn around(value: i64) -> Self {
        let mut town = Self::of(6);
        town.fresh = (1..6).map(|n| pm10(n, 7, 182)).collect();
        town.fresh.push(pm10(0, 7, value));
        town
    }

    pub fn site(&mut self, n: u64) -> &mut Site {
        self.sites.get_mut(&device(n)).unwrap()
    }

    /// Runs `with` on the docket, entries numbered from 100: first the context, then what is fresh.
    pub fn with<T>(&self, with: impl Fn(&Docket<'_>) -> T) -> T {
        let indices: Vec<u64> = (0..(self.context.len() + self.fresh.len()) as u64).collect();
        self.with_indices(&indices, with)
    }

    pub fn with_indices<T>(&self, indices: &[u64], with: impl Fn(&Docket<'_>) -> T) -> T {
        let report = |(sent, index): (&'_ Sent, &u64)| (sent.clone(), 100 + index);
        let sent: Vec<(Sent, u64)> = self.context.iter().chain(&self.fresh).zip(indices).map(report).collect();
        let mut reports: Vec<Report<'_>> = sent
            .iter()
            .map(|(sent, index)| Report {
                index: *index,
                device: device(sent.device),
                bridge: sent.bridge.map(device),
                boot: sent.boot,
                seq: sent.seq,
                account: account(1_000 + sent.device),
                time_ms: sent.time_ms,
                received_ms: sent.received_ms,
                clock: sent.clock,
                flags: sent.flags,
                body: &sent.body,
                denied: sent.denied,
                conflict: sent.conflict,
            })
            .collect();
        let fresh = reports.split_off(self.context.len());
        with(&Docket {
            network_epoch: 1,
            start_ms: self.epoch.start,
            end_ms: self.epoch.end,
            sites: &self.sites,
            fresh: &fresh,
            context: &reports,
            carry: &self.carry,
            jobs: &[],
            salt: Hash::of(b"the epoch before"),
        })
    }

    /// Verdicts, and what is to be remembered.
    pub fn judged(&self) -> Judged {
        self.with(|docket| judge(&self.profile, docket)).unwrap()
    }

    pub fn judge(&self) -> Vec<Verdict> {
        self.judged().verdicts
    }

    pub fn assess(&self) -> Vec<Assessed> {
        self.with(|docket| assess(&self.profile, docket)).unwrap().0
    }

    /// Judges what was sent epoch by epoch, each of so many ms, handing the carry on: all verdicts, by device and slot.
    pub fn in_epochs_of(&self, epoch_ms: u64) -> Vec<Verdict> {
        let mut town = self.clone();
        let mut verdicts = Vec::new();
        for start in (self.epoch.start..self.epoch.end).step_by(usize::try_from(epoch_ms).unwrap()) {
            town.epoch = start..(start + epoch_ms).min(self.epoch.end);
            town.fresh = self.fresh.iter().filter(|sent| town.epoch.contains(&sent.time_ms)).cloned().collect();
            let judged = town.judged();
            judged.update(&mut town.carry);
            verdicts.extend(judged.verdicts);
        }
        verdicts.sort_by_key(|verdict| (verdict.device, verdict.slot_ms));
        verdicts
    }

    /// The verdict over a device's first slot.
    pub fn of_device(&self, n: u64) -> Verdict {
        self.judge().into_iter().find(|verdict| verdict.device == device(n)).expect("the device is judged")
    }

    /// The verdict over device 0's first slot.
    pub fn first(&self) -> Verdict {
        self.of_device(0)
    }
}

pub fn codes(verdict: &Verdict) -> Vec<&str> {
    verdict.reasons.iter().map(|reason| reason.code.as_str()).collect()
}

//! Where what comes in is translated, recognised, counted and handed on: everything that a bridge decides.
//!
//! The desk knows no network; time is passed in. The order of its deeds is its promise: original and items are kept before the
//! original is noted as seen, and both before it is answered for.

use std::collections::BTreeMap;

use cairn_classes::sensing::{Body, SCHEMA};
use cairn_core::report::ClockSource;
use cairn_core::{DeviceId, Hash};
use cairn_edge::map::Mapping;
use cairn_edge::{Item, Stamp, When};
use serde::Serialize;

use crate::senml::{Form, NameRule, SenderClock};
use crate::{Adapter, BridgeConfig, BridgeError, Limits, Measured, Replay, Said, Seen, chirpstack, community, senml};

/// How far ahead of the bridge's clock a time may be, ms, beside the errors of both clocks.
const AHEAD_MS_MAX: u64 = 60_000;
/// Ms of an hour.
const HOUR_MS: u64 = 3_600_000;

/// What a request brought, taken apart by the path that it came to.
#[derive(Debug, Clone, Copy)]
pub enum Taken<'a> {
    /// A pack.
    Senml(Form, &'a [u8]),
    /// An event of ChirpStack.
    ChirpStack {
        /// What happened: `up` is read.
        event: &'a str,
        /// JSON.
        body: &'a [u8],
    },
    /// A push.
    Community {
        /// The header `X-Sensor`.
        sensor: &'a str,
        /// The header `X-Pin`.
        pin: Option<&'a str>,
        /// JSON.
        body: &'a [u8],
    },
}

impl Taken<'_> {
    /// Where it came in.
    #[must_use]
    pub const fn adapter(&self) -> Adapter {
        match self {
            Self::Senml(..) => Adapter::Senml,
            Self::ChirpStack { .. } => Adapter::ChirpStack,
            Self::Community { .. } => Adapter::Community,
        }
    }

    const fn body(&self) -> &[u8] {
        match self {
            Self::Senml(_, body) | Self::ChirpStack { body, .. } | Self::Community { body, .. } => body,
        }
    }
}

/// What became of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Answer {
    /// `taken`, `known` for what came before, or `passed-over` for what is no reading by its kind.
    pub status: &'static str,
    /// Reports that wait to be sent for it.
    pub reports: usize,
    /// SHA-256 of the original.
    pub original: String,
}

/// Who keeps what is to be reported, durably.
pub trait Keeps: Send {
    /// Keeps an original and what is to be said of it; or nothing, and says why.
    ///
    /// # Errors
    /// `BRG-KEPT`.
    fn keep(&mut self, hash: &Hash, original: &[u8], items: Vec<Item>) -> Result<(), BridgeError>;
}

/// What a device may still say: full at the start.
#[derive(Debug, Clone, Copy)]
struct Bucket {
    /// In parts of a report of one hour in ms: so one ms fills it by the reports of an hour.
    parts: u64,
    at_ms: u64,
}

/// A bridge's desk.
pub struct Desk {
    devices: BTreeMap<(Adapter, String), DeviceId>,
    names: Vec<NameRule>,
    clock: SenderClock,
    mapping: Option<Mapping>,
    limits: Limits,
    seen: Seen,
    keeps: Box<dyn Keeps>,
    buckets: BTreeMap<DeviceId, Bucket>,
    /// What became of requests, by adapter and code.
    counts: BTreeMap<(Adapter, &'static str), u64>,
}

impl Desk {
    /// A desk for a configuration and the devices of its table.
    ///
    /// # Errors
    /// `BRG-CONFIG`, and the codes of a mapping.
    pub fn of(
        config: &BridgeConfig,
        devices: BTreeMap<(Adapter, String), DeviceId>,
        seen: Seen,
        keeps: Box<dyn Keeps>,
    ) -> Result<Self, BridgeError> {
        let senml = config.senml.clone().unwrap_or_default();
        Ok(Self {
            devices,
            clock: senml.sender_clock()?,
            names: senml.name,
            mapping: config.chirpstack.as_ref().map(crate::ChirpStackConfig::mapping).transpose()?,
            limits: config.limits,
            seen,
            keeps,
            buckets: BTreeMap::new(),
            counts: BTreeMap::new(),
        })
    }

    /// Takes a request, at a time.
    ///
    /// # Errors
    /// [`BridgeError`], whose code is counted, too; nothing of the request was then kept.
    pub fn receive(&mut self, taken: &Taken<'_>, now: Stamp) -> Result<Answer, BridgeError> {
        let answered = self.decide(taken, now);
        let code = match &answered {
            Ok(answer) => answer.status,
            Err(error) => error.code(),
        };
        self.count(taken.adapter(), code);
        answered
    }

    /// Counts what became of a request that did not get this far.
    pub fn count(&mut self, adapter: Adapter, code: &'static str) {
        *self.counts.entry((adapter, code)).or_default() += 1;
    }

    /// What became of requests: adapter, code, how many.
    pub fn counts(&self) -> impl Iterator<Item = (&'static str, &'static str, u64)> {
        self.counts.iter().map(|(&(adapter, code), &count)| (adapter.name(), code, count))
    }

    fn decide(&mut self, taken: &Taken<'_>, now: Stamp) -> Result<Answer, BridgeError> {
        let original = Hash::of(taken.body());
        let answer = |status, reports| Answer { status, reports, original: original.to_hex() };
        if let Taken::ChirpStack { event, .. } = taken
            && *event != "up"
        {
            return Ok(answer("passed-over", 0));
        }
        let (said, replay) = self.translate(taken)?;
        if self.seen.has(&replay, now.boot_ms) {
            return Ok(answer("known", 0));
        }
        let mut items = Vec::with_capacity(said.len());
        for one in &said {
            items.push(self.item(taken.adapter(), one, (original, taken.body().len() as u64), now)?);
        }
        let reports = items.len();
        self.charge(&items, &said, now.boot_ms)?;
        self.keeps.keep(&original, taken.body(), items)?;
        // It is kept: that it was not noted can only make it come twice.
        let _ = self.seen.note(&replay, now.boot_ms);
        Ok(answer("taken", reports))
    }

    fn translate(&self, taken: &Taken<'_>) -> Result<(Vec<Said>, Replay), BridgeError> {
        match *taken {
            Taken::Senml(form, body) => {
                let device_of = |name: &str| self.longest_beginning(name);
                let pack = senml::read(form, body, &self.names, self.clock, &device_of)?;
                Ok((pack.said, pack.replay))
            }
            Taken::ChirpStack { body, .. } => {
                let what = "it has no [chirpstack]".to_owned();
                let mapping = self.mapping.as_ref().ok_or(BridgeError::Config { what })?;
                chirpstack::read(body, mapping).map(|(said, replay)| (vec![said], replay))
            }
            Taken::Community { sensor, pin, body } => {
                community::read(sensor, pin, body).map(|(said, replay)| (vec![said], replay))
            }
        }
    }

    /// The longest beginning of a SenML name that is a device, and ends where a word of the name does.
    fn longest_beginning(&self, name: &str) -> Option<usize> {
        let ends = |len: &usize| {
            let next = name.as_bytes().get(*len).copied();
            let is_end = |byte: u8| b"/:._-".contains(&byte);
            next.is_none_or(is_end) || name.as_bytes().get(len.wrapping_sub(1)).copied().is_some_and(is_end)
        };
        let is_device = |len: &usize| self.devices.contains_key(&(Adapter::Senml, name[..*len].to_owned()));
        // Names are ASCII here: they were checked.
        (1..=name.len()).rev().filter(ends).find(is_device)
    }

    fn item(&self, adapter: Adapter, said: &Said, original: (Hash, u64), now: Stamp) -> Result<Item, BridgeError> {
        let device = || said.device.clone();
        let subject =
            self.devices.get(&(adapter, device())).ok_or_else(|| BridgeError::UnknownDevice { device: device() })?;
        let values = said.readings.iter().map(|reading| (reading.quantity, reading.value));
        let body = Body::one(values).map_err(|_| BridgeError::Nothing)?.encode();
        let item = Item::of(when(said.measured, now)?, SCHEMA, body);
        Ok(Item { subject: Some(*subject), blobs: vec![original], ..item })
    }

    /// Takes from each device's rate what it says here; or nothing of anybody's.
    fn charge(&mut self, items: &[Item], said: &[Said], now_ms: u64) -> Result<(), BridgeError> {
        let full = u64::from(self.limits.reports_at_once) * HOUR_MS;
        let fills = u64::from(self.limits.reports_per_hour);
        let mut charged: BTreeMap<DeviceId, Bucket> = BTreeMap::new();
        for (item, said) in items.iter().zip(said) {
            let Some(device) = item.subject else { continue };
            let bucket = charged.entry(device).or_insert_with(|| {
                let known = self.buckets.get(&device).copied().unwrap_or(Bucket { parts: full, at_ms: now_ms });
                let filled = now_ms.saturating_sub(known.at_ms).saturating_mul(fills);
                Bucket { parts: known.parts.saturating_add(filled).min(full), at_ms: now_ms }
            });
            if bucket.parts < HOUR_MS {
                let wait_ms = (HOUR_MS - bucket.parts).div_ceil(fills);
                return Err(BridgeError::TooFast { device: said.device.clone(), wait_ms });
            }
            bucket.parts -= HOUR_MS;
        }
        self.buckets.extend(charged);
        Ok(())
    }
}

/// When, by whose clock; a time that is far ahead of the bridge's own is refused.
fn when(measured: Measured, now: Stamp) -> Result<When, BridgeError> {
    match measured {
        Measured::Unknown => Ok(When::Unknown),
        Measured::OnArrival { before_ms } => Ok(match now.wall {
            Some((ms, source, error_ms)) if source != ClockSource::None => {
                When::At { time_ms: ms.saturating_sub(before_ms), source, error_ms }
            }
            // Before the bridge began is a time that it will not know either.
            _ if before_ms > now.boot_ms => When::Unknown,
            _ => When::Since { boot_ms: now.boot_ms - before_ms },
        }),
        Measured::At { time_ms, source, error_ms } => {
            if let Some((ms, _, own_error_ms)) = now.wall {
                let most = ms.saturating_add(AHEAD_MS_MAX).saturating_add(own_error_ms).saturating_add(error_ms);
                if time_ms > most {
                    return Err(BridgeError::Ahead { ahead_ms: time_ms - ms });
                }
            }
            Ok(When::At { time_ms, source, error_ms })
        }
    }
}

#[cfg(test)]
mod tests;

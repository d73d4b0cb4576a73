//! The thresholds of sensing, form 2, as data: one strict TOML document, integers only.
//!
//! A profile is logged whole and named by its hash; nothing about a threshold lives in code. A rule that is left out is
//! not applied; within a rule every key is required. Unknown keys, floats and values out of range are refused, so that a
//! typing error cannot become a silent default. Values are in each quantity's integer unit, shares in parts per million.
//!
//! Things that stand still are judged by `quantities`, things that move by `mobile`: a container in transit has no
//! neighbours, no place and no weather of its own, so rules that compare places are refused there.

mod copies;
mod memory;
mod neighbours;
mod own;
mod time;

use std::collections::BTreeMap;

use cairn_core::PPM;
use serde::Deserialize;

use super::SCHEMA;
use super::quantity::Quantity;
use crate::ClassError;

pub use copies::{CopyRule, SeriesRule};
pub use memory::{AmplitudeRule, BiasRule, CorrelationRule, DryRule, LongRule, MemoryRule, RelocationRule, SunlitRule};
pub use neighbours::{AltitudeRule, CurvePoint, NEAREST_MAX, NeighbourRule, REGION_MAX, Tolerance, WeightRule};
pub use own::{CounterRule, HumidityRule, RangeRule, ResolutionRule, SaturationRule, StepRule, StuckRule, WithinRule};
pub use time::{AvailabilityRule, TimeRule};

/// A commented profile for daily means of PM10 and PM2.5 at background stations tens of kilometres apart.
pub const SENSING_DAILY_PM: &str = include_str!("../../profiles/sensing-daily-pm.toml");

/// A commented profile for mixed networks whose stations report every few minutes: weather, particulate matter, light.
pub const SENSING_STATION: &str = include_str!("../../profiles/sensing-station.toml");

/// A commented profile for weather stations that report about once an hour.
pub const SENSING_HOURLY: &str = include_str!("../../profiles/sensing-hourly.toml");

/// A commented profile for optical sensors of particulate matter at minutes' cadence.
pub const SENSING_PM: &str = include_str!("../../profiles/sensing-pm.toml");

/// A commented profile for wind.
pub const SENSING_WIND: &str = include_str!("../../profiles/sensing-wind.toml");

/// A commented profile for rain gauges.
pub const SENSING_RAIN: &str = include_str!("../../profiles/sensing-rain.toml");

/// A commented profile for what moves: a container, a car.
pub const SENSING_CONTAINER: &str = include_str!("../../profiles/sensing-container.toml");

/// Everything that a judge of sensing is told beyond the reports.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// The class, `sensing/1`.
    pub class: String,
    /// The form of this document, 2.
    pub form: u32,
    /// Length of a slot, the unit that is judged and paid; slots start at multiples of it since 1970 UTC. 1 s to 31 days.
    pub slot_ms: u64,
    /// How far a reading's time may lie after its receipt, at most one day.
    pub future_ms: u64,
    /// What is asked of clocks and of the order of reports.
    pub time: Option<TimeRule>,
    /// How much of a slot a device has to report.
    pub availability: Option<AvailabilityRule>,
    /// How much a neighbour's word weighs.
    pub weights: WeightRule,
    /// How long a device is remembered.
    pub memory: MemoryRule,
    /// When two series are a copy.
    pub copies: CopyRule,
    /// When a device stands elsewhere than it says.
    pub relocation: Option<RelocationRule>,
    /// The quantities that count for devices that stand still; others are logged and not judged.
    #[serde(default)]
    pub quantities: BTreeMap<Quantity, QuantityRule>,
    /// The quantities that count for devices that move.
    #[serde(default)]
    pub mobile: BTreeMap<Quantity, QuantityRule>,
}

/// How one quantity is judged.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QuantityRule {
    /// What is plausible at all.
    pub range: RangeRule,
    /// Where the instrument ends before nature does.
    pub saturation: Option<SaturationRule>,
    /// How fast it may change.
    pub step: Option<StepRule>,
    /// How long it may stay the same.
    pub stuck: Option<StuckRule>,
    /// How finely it must be told.
    pub resolution: Option<ResolutionRule>,
    /// Other quantities of the same reading that it may not exceed.
    #[serde(default)]
    pub within: Vec<WithinRule>,
    /// Whether it counts up from boot: then a slot's word is the increase in it.
    pub counter: Option<CounterRule>,
    /// Whether damp air swells what is measured.
    pub humidity: Option<HumidityRule>,
    /// The comparison with neighbours; none when absent.
    pub neighbours: Option<NeighbourRule>,
    /// What is asked of the device over a long time.
    pub long: Option<LongRule>,
    /// When a series follows another one, later or scaled.
    pub series: Option<SeriesRule>,
}

impl Profile {
    /// Parses and checks a document.
    ///
    /// # Errors
    /// [`ClassError::ProfileSyntax`] or [`ClassError::ProfileValue`] naming what is refused.
    pub fn parse(document: &str) -> Result<Self, ClassError> {
        let profile: Self = toml::from_str(document).map_err(|error| {
            let line = error.span().map_or(0, |span| document[..span.start].lines().count().max(1));
            ClassError::ProfileSyntax { what: format!("line {line}: {}", error.message()) }
        })?;
        profile.check()?;
        Ok(profile)
    }

    /// The rules of a device that moves, or of one that stands still.
    #[must_use]
    pub const fn rules(&self, mobile: bool) -> &BTreeMap<Quantity, QuantityRule> {
        if mobile { &self.mobile } else { &self.quantities }
    }

    fn check(&self) -> Result<(), ClassError> {
        if self.class != SCHEMA {
            return Err(ClassError::UnknownClass { schema: self.class.clone() });
        }
        Key::of("form").within(self.form.into(), 2, 2, "2")?;
        let slot_rule = "1,000 (a second) to 2,678,400,000 (31 days)";
        Key::of("slot_ms").within(signed(self.slot_ms), 1_000, 31 * 86_400_000, slot_rule)?;
        Key::of("future_ms").within(signed(self.future_ms), 0, 86_400_000, "0 to 86,400,000 (a day)")?;
        self.time.iter().try_for_each(|rule| rule.check(&Key::of("time")))?;
        self.availability.iter().try_for_each(|rule| rule.check(&Key::of("availability"), self.slot_ms))?;
        self.weights.check(&Key::of("weights"))?;
        self.memory.check(&Key::of("memory"))?;
        self.copies.check(&Key::of("copies"))?;
        self.relocation.iter().try_for_each(|rule| rule.check(&Key::of("relocation")))?;
        if self.quantities.is_empty() && self.mobile.is_empty() {
            return Err(ClassError::ProfileSyntax { what: "no quantity is judged".to_owned() });
        }
        for (quantity, rule) in &self.quantities {
            rule.check(&Key::of("quantities").sub(quantity.key()), *quantity)?;
        }
        for (quantity, rule) in &self.mobile {
            let key = Key::of("mobile").sub(quantity.key());
            rule.check(&key, *quantity)?;
            let compared = rule.neighbours.is_some() || rule.long.is_some() || rule.series.is_some();
            key.sub("neighbours, long and series").within(
                compared.into(),
                0,
                0,
                "left out: what moves has no place",
            )?;
        }
        Ok(())
    }
}

impl QuantityRule {
    fn check(&self, key: &Key, quantity: Quantity) -> Result<(), ClassError> {
        self.range.check(&key.sub("range"))?;
        self.saturation.iter().try_for_each(|rule| rule.check(&key.sub("saturation")))?;
        self.step.iter().try_for_each(|rule| rule.check(&key.sub("step")))?;
        self.stuck.iter().try_for_each(|rule| rule.check(&key.sub("stuck")))?;
        self.resolution.iter().try_for_each(|rule| rule.check(&key.sub("resolution")))?;
        self.within.iter().try_for_each(|rule| rule.check(&key.sub("within"), quantity))?;
        self.counter.iter().try_for_each(|rule| rule.check(&key.sub("counter")))?;
        self.humidity.iter().try_for_each(|rule| rule.check(&key.sub("humidity")))?;
        let paced = self.step.is_some() || self.stuck.is_some() || self.humidity.is_some();
        key.sub("step, stuck and humidity").within(
            (paced && self.counter.is_some()).into(),
            0,
            0,
            "left out: a count stands still while nothing falls",
        )?;
        let shared = quantity.is_shared() || self.counter.is_some();
        self.neighbours.iter().try_for_each(|rule| rule.check(&key.sub("neighbours"), shared))?;
        self.long.iter().try_for_each(|rule| rule.check(&key.sub("long"), self.neighbours.is_some()))?;
        self.series.iter().try_for_each(|rule| rule.check(&key.sub("series")))
    }
}

fn signed(ms: u64) -> i64 {
    i64::try_from(ms).unwrap_or(i64::MAX)
}

/// The dotted path of a key, for the one who has to find it.
struct Key(String);

impl Key {
    fn of(name: &str) -> Self {
        Self(name.to_owned())
    }

    fn sub(&self, name: &str) -> Self {
        Self(format!("{}.{name}", self.0))
    }

    fn within(&self, value: i64, low: i64, high: i64, rule: &'static str) -> Result<(), ClassError> {
        if (low..=high).contains(&value) {
            Ok(())
        } else {
            Err(ClassError::ProfileValue { key: self.0.clone(), value, rule })
        }
    }

    /// A share in parts per million, at most the whole.
    fn share(&self, name: &str, value: u32) -> Result<(), ClassError> {
        self.sub(name).within(value.into(), 0, PPM.into(), "0 to 1,000,000")
    }
}

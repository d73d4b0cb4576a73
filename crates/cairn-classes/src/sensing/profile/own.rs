//! What a device's values are held against by themselves: limits, pace, persistence, resolution, physics.

use cairn_core::PPM;
use serde::Deserialize;

use super::{Key, signed};
use crate::ClassError;
use crate::sensing::body::VALUE_MAX;
use crate::sensing::quantity::Quantity;

/// What is plausible at all.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RangeRule {
    /// The least plausible value.
    pub min: i64,
    /// The greatest plausible value.
    pub max: i64,
    /// What a slot loses when all its readings are out of range, in proportion when some are.
    pub lost_ppm: u32,
}

impl RangeRule {
    pub(super) fn check(&self, key: &Key) -> Result<(), ClassError> {
        key.sub("min").within(self.min, -VALUE_MAX, VALUE_MAX, "within 10^12")?;
        key.sub("max").within(self.max, self.min, VALUE_MAX, "from min to 10^12")?;
        key.share("lost_ppm", self.lost_ppm)
    }
}

/// Where the instrument ends before nature does: a value at or beyond an end says "at least" or "at most". It still
/// speaks for its device.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SaturationRule {
    /// Values at or below are saturated.
    pub low: Option<i64>,
    /// Values at or above are saturated.
    pub high: Option<i64>,
    /// What a slot loses when all its readings are saturated, in proportion when some are.
    pub lost_ppm: u32,
}

impl SaturationRule {
    pub(super) fn check(&self, key: &Key) -> Result<(), ClassError> {
        let (low, high) = (self.low.unwrap_or(-VALUE_MAX), self.high.unwrap_or(VALUE_MAX));
        key.sub("low").within(low, -VALUE_MAX, VALUE_MAX, "within 10^12")?;
        key.sub("high").within(high, low, VALUE_MAX, "from low to 10^12")?;
        key.share("lost_ppm", self.lost_ppm)
    }
}

/// How fast a value may change from one reading to the next. Beyond it, the one of the two that lies further from the
/// median of the readings around (five before, and five after in the same slot) is a spike; where that cannot be told, both
/// are a step.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StepRule {
    /// A change that is always allowed.
    pub most: i64,
    /// What is allowed besides for every minute between the two readings, in proportion.
    pub per_minute: i64,
    /// A change that is never allowed, however long it took.
    pub cap: i64,
    /// Readings further apart are not compared, in ms.
    pub gap_ms: u64,
    /// How far before and after the median looks, in ms.
    pub around_ms: u64,
    /// The fewest other readings that a median is taken of, 1 to 10.
    pub around_least: u32,
    /// What a slot loses when all its readings are spikes, in proportion when some are; half of it for steps.
    pub lost_ppm: u32,
}

impl StepRule {
    pub(super) fn check(&self, key: &Key) -> Result<(), ClassError> {
        key.sub("most").within(self.most, 0, VALUE_MAX, "0 to 10^12")?;
        key.sub("per_minute").within(self.per_minute, 0, 1_000_000_000, "0 to 10^9")?;
        key.sub("cap").within(self.cap, self.most, VALUE_MAX, "from most to 10^12")?;
        key.sub("gap_ms").within(signed(self.gap_ms), 1, 31 * 86_400_000, "1 to 2,678,400,000 (31 days)")?;
        key.sub("around_ms").within(signed(self.around_ms), 1, 86_400_000, "1 to 86,400,000 (a day)")?;
        key.sub("around_least").within(self.around_least.into(), 1, 10, "1 to 10")?;
        key.share("lost_ppm", self.lost_ppm)
    }
}

/// How long a value may stay the same.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StuckRule {
    /// How far the least and the greatest value of a run may lie apart for the value to be "the same".
    pub tolerance: i64,
    /// From this length on, in ms, the readings of a run are stuck; time that is exempt does not count.
    pub for_ms: u64,
    /// The fewest readings that make a run, those exempt not counted.
    pub least_readings: u32,
    /// A gap longer than this ends a run, in ms; an own humidity or temperature older than this says nothing of a reading.
    pub gap_ms: u64,
    /// Air at least this humid, by the device's own last reading of it, may stand still: such readings are exempt.
    pub humid_from: Option<i64>,
    /// Zero, give or take the tolerance, may last: no wind, no light. Such readings are exempt.
    pub zero_exempt: bool,
    /// Below this temperature, by the device's own last reading of it, a run is ice on the instrument and named so.
    pub frost_below: Option<i64>,
    /// What a slot loses when all its readings are stuck, in proportion when some are.
    pub lost_ppm: u32,
    /// The same for readings stuck in frost.
    pub frost_lost_ppm: u32,
}

impl StuckRule {
    pub(super) fn check(&self, key: &Key) -> Result<(), ClassError> {
        const LONG: &str = "1 to 8,640,000,000 (100 days)";
        key.sub("tolerance").within(self.tolerance, 0, VALUE_MAX, "0 to 10^12")?;
        key.sub("for_ms").within(signed(self.for_ms), 1, 8_640_000_000, LONG)?;
        key.sub("gap_ms").within(signed(self.gap_ms), 1, 8_640_000_000, LONG)?;
        key.sub("least_readings").within(self.least_readings.into(), 2, 1_000_000, "2 to 1,000,000")?;
        key.sub("humid_from").within(self.humid_from.unwrap_or(0), 0, VALUE_MAX, "0 to 10^12")?;
        key.sub("frost_below").within(self.frost_below.unwrap_or(0), -VALUE_MAX, VALUE_MAX, "within 10^12")?;
        key.share("lost_ppm", self.lost_ppm)?;
        key.share("frost_lost_ppm", self.frost_lost_ppm)
    }
}

/// How finely a value must be told: the greatest common divisor of the differences between the readings of a window of slots
/// (that of the copies).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResolutionRule {
    /// The coarsest allowed, in the quantity's unit.
    pub coarsest: i64,
    /// The fewest distinct values that tell.
    pub least_values: u32,
    /// What a slot loses whose readings are coarser.
    pub lost_ppm: u32,
}

impl ResolutionRule {
    pub(super) fn check(&self, key: &Key) -> Result<(), ClassError> {
        key.sub("coarsest").within(self.coarsest, 1, VALUE_MAX, "1 to 10^12")?;
        key.sub("least_values").within(self.least_values.into(), 3, 10_000, "3 to 10,000")?;
        key.share("lost_ppm", self.lost_ppm)
    }
}

/// A quantity of the same reading that this one may not exceed: PM2.5 is part of PM10.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WithinRule {
    /// The quantity that holds it.
    pub of: Quantity,
    /// How far it may exceed it nevertheless, in the quantity's unit.
    pub slack: i64,
    /// The same as a share of the other's value; the greater of the two counts.
    pub slack_ppm: u32,
    /// What a slot loses when all its readings exceed it, in proportion when some do.
    pub lost_ppm: u32,
}

impl WithinRule {
    pub(super) fn check(&self, key: &Key, own: Quantity) -> Result<(), ClassError> {
        key.sub("of").within((self.of == own).into(), 0, 0, "another quantity")?;
        key.sub("slack").within(self.slack, 0, VALUE_MAX, "0 to 10^12")?;
        key.sub("slack_ppm").within(self.slack_ppm.into(), 0, 1_000_000_000, "0 to 10^9")?;
        key.share("lost_ppm", self.lost_ppm)
    }
}

/// A value that counts up from boot, such as rain. What a slot counted is what is compared.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CounterRule {
    /// The greatest increase between two readings that is always plausible.
    pub most: i64,
    /// What is plausible besides for every minute between them.
    pub per_minute: i64,
    /// What a slot loses when all its readings count down or up too fast, in proportion when some do.
    pub lost_ppm: u32,
}

impl CounterRule {
    pub(super) fn check(&self, key: &Key) -> Result<(), ClassError> {
        key.sub("most").within(self.most, 0, VALUE_MAX, "0 to 10^12")?;
        key.sub("per_minute").within(self.per_minute, 0, 1_000_000_000, "0 to 10^9")?;
        key.share("lost_ppm", self.lost_ppm)
    }
}

/// Damp air swells particles before an optical instrument counts them. Values are compared dried:
/// `dry = value / (1 + kappa/1.65 * a/(1 - a))` with `a` the relative humidity of the same reading (Crilley et al. 2018,
/// Atmos. Meas. Tech. 11, 709, with a particle density of 1.65 g/cm3), to the nearest integer. A value without a judged
/// humidity in its reading is not compared, so use this only where every device measures both.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HumidityRule {
    /// How much the particles take up, kappa in parts per million.
    pub kappa_ppm: u32,
    /// Humidity counts as at most this, in 0.01 %: near saturation the formula has no end.
    pub most: i64,
}

impl HumidityRule {
    pub(super) fn check(&self, key: &Key) -> Result<(), ClassError> {
        key.sub("kappa_ppm").within(self.kappa_ppm.into(), 0, 2 * i64::from(PPM), "0 to 2,000,000")?;
        key.sub("most").within(self.most, 0, 9_900, "0 to 9,900 (99 %)")
    }
}

#[cfg(test)]
mod tests {
    use crate::sensing::profile::Profile;

    #[test]
    fn a_device_is_held_to_rules_that_can_be_kept() {
        const RULES: &str = include_str!("../judge/tests/own.toml");
        assert!(Profile::parse(RULES).is_ok());
        let cases = [
            ("around_least = 2", "around_least = 0", "step.around_least"),
            ("around_least = 2", "around_least = 11", "step.around_least"),
            ("cap = 1_500", "cap = 199", "step.cap"),
            ("per_minute = 30", "per_minute = -1", "step.per_minute"),
            ("for_ms = 14_400_000", "for_ms = 0", "stuck.for_ms"),
            ("least_readings = 5", "least_readings = 1", "stuck.least_readings"),
            ("frost_lost_ppm = 1_000_000", "frost_lost_ppm = 1_000_001", "stuck.frost_lost_ppm"),
            ("coarsest = 50", "coarsest = 0", "resolution.coarsest"),
            ("least_values = 4,", "least_values = 2,", "resolution.least_values"),
            ("high = 9_990", "high = 99", "saturation.high"),
            ("of = \"pm10\"", "of = \"pm25\"", "within.of"),
            ("kappa_ppm = 400_000", "kappa_ppm = 2_000_001", "humidity.kappa_ppm"),
            ("most = 9_500", "most = 10_000", "humidity.most"),
            ("counter = { most = 200", "counter = { most = -1", "counter.most"),
            (
                "[quantities.rain]",
                "[quantities.rain]\nhumidity = { kappa_ppm = 0, most = 0 }",
                "step, stuck and humidity",
            ),
        ];
        for (from, to, key) in cases {
            assert!(RULES.contains(from), "{from}");
            let refused = Profile::parse(&RULES.replacen(from, to, 1)).expect_err(to).to_string();
            assert!(refused.contains(key), "{to}: {refused}");
        }
    }
}

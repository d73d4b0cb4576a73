//! Whom a value is compared with, how much each neighbour's word weighs, and what being off costs.

use cairn_core::PPM;
use serde::Deserialize;

use super::Key;
use crate::ClassError;

/// The most neighbours that one check looks at: evidence stays bounded.
pub const NEAREST_MAX: u8 = 15;

/// The most neighbours whose own distance from theirs is looked at.
pub const REGION_MAX: u8 = 32;

/// The greatest weight of a neighbour's word: sums of weighted products then fit, see the judge's estimator.
pub const WEIGHT_MAX: u32 = 16;

/// Whom a value is compared with, and how far it may lie off.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NeighbourRule {
    /// How many of the nearest devices of distinct owners are asked: 1 to [`NEAREST_MAX`].
    pub nearest: u32,
    /// How many of the nearest tell by their own distance from theirs how well the region agrees: `nearest` to
    /// [`REGION_MAX`].
    pub region: u32,
    /// How far away they may be, 1 m to 1,000 km.
    pub radius_m: u32,
    /// The distance at which a neighbour's word weighs half, 1 m to 1,000 km.
    pub half_m: u32,
    /// The fewest that make a comparison, 1 to `nearest`; below, the value is untested.
    pub least: u32,
    /// Whether the quantity changes over distance as on a plane, so that a station at the edge is held against what the
    /// slope makes likely there; otherwise against the weighted median.
    pub plane: bool,
    /// How height changes the quantity; not corrected when absent.
    pub altitude: Option<AltitudeRule>,
    /// The unit in which a distance from the neighbours' word is told.
    pub tolerance: Tolerance,
    /// What a slot loses by that distance: up to the first point nothing, from the last on what it says, between two
    /// points in proportion. Beyond the first point a value is suspect, from the last on it fails.
    pub curve: Vec<CurvePoint>,
}

/// A point of the score curve, `[off_ppm, lost_ppm]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(from = "(u32, u32)")]
pub struct CurvePoint {
    /// The distance, in parts per million of the tolerance's unit S: 3,000,000 is 3 S.
    pub off_ppm: u32,
    /// What a slot loses there.
    pub lost_ppm: u32,
}

impl From<(u32, u32)> for CurvePoint {
    fn from((off_ppm, lost_ppm): (u32, u32)) -> Self {
        Self { off_ppm, lost_ppm }
    }
}

/// How height changes a quantity.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AltitudeRule {
    /// Change of the value per kilometre upward, in the quantity's unit (temperature: -650, ICAO standard atmosphere).
    pub per_km: i64,
    /// The greatest difference in height to a neighbour, in metres.
    pub difference_m: u32,
    /// Whether both heights must be known; otherwise an unknown height is taken as equal.
    pub required: bool,
}

/// The unit S in which a distance from the neighbours' word is told: the root of the sum of the squares of the floor, of
/// the share, and of the spread that the neighbours show there. With no spread it is a standard deviation's stand-in.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tolerance {
    /// What good instruments differ by although everything else is equal, in the quantity's unit: 1 to 10^9.
    pub floor: i64,
    /// A share of the neighbours' median, for values above their word: 0 to 10^9.
    pub above_ppm: u32,
    /// A share of the neighbours' median, for values below their word: 0 to 10^6.
    pub below_ppm: u32,
}

impl NeighbourRule {
    /// From where on a value is suspect, in parts per million of S.
    #[must_use]
    pub fn suspect_ppm(&self) -> u32 {
        self.curve.first().map_or(u32::MAX, |point| point.off_ppm)
    }

    pub(super) fn check(&self, key: &Key, shared: bool) -> Result<(), ClassError> {
        let most = if shared { i64::from(NEAREST_MAX) } else { 0 };
        key.sub("nearest").within(self.nearest.into(), 1, most, "1 to 15, for a quantity that neighbours share")?;
        let most = REGION_MAX.into();
        key.sub("region").within(self.region.into(), self.nearest.into(), most, "nearest to 32")?;
        key.sub("least").within(self.least.into(), 1, self.nearest.into(), "1 to nearest")?;
        key.sub("radius_m").within(self.radius_m.into(), 1, 1_000_000, "1 to 1,000,000 (1,000 km)")?;
        key.sub("half_m").within(self.half_m.into(), 1, 1_000_000, "1 to 1,000,000 (1,000 km)")?;
        if let Some(altitude) = &self.altitude {
            let key = key.sub("altitude");
            key.sub("per_km").within(altitude.per_km, -1_000_000, 1_000_000, "within 1,000,000")?;
            key.sub("difference_m").within(altitude.difference_m.into(), 0, 10_000, "0 to 10,000")?;
        }
        self.tolerance.check(&key.sub("tolerance"))?;
        let key = key.sub("curve");
        key.within(i64::try_from(self.curve.len()).unwrap_or(i64::MAX), 1, 16, "1 to 16 points")?;
        let mut before = CurvePoint { off_ppm: 0, lost_ppm: 0 };
        for point in &self.curve {
            let above = i64::from(before.off_ppm) + 1;
            key.sub("off_ppm").within(point.off_ppm.into(), above, 1_000_000_000, "ascending, from 1 to 10^9")?;
            let least = before.lost_ppm.into();
            key.sub("lost_ppm").within(point.lost_ppm.into(), least, PPM.into(), "not descending, 0 to 1,000,000")?;
            before = *point;
        }
        Ok(())
    }
}

impl Tolerance {
    fn check(&self, key: &Key) -> Result<(), ClassError> {
        const RULE: &str = "0 to 10^9";
        key.sub("floor").within(self.floor, 1, 1_000_000_000, "1 to 10^9")?;
        key.sub("above_ppm").within(self.above_ppm.into(), 0, 1_000_000_000, RULE)?;
        key.share("below_ppm", self.below_ppm)
    }
}

/// How much a neighbour's word weighs. One owner has one word; beyond that no crowd of strangers outweighs those who
/// have measured well for long, or a reference of the operator's.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WeightRule {
    /// The most neighbours within 100 m of one another that are heard, 1 to [`NEAREST_MAX`].
    pub place_most: u32,
    /// The weight of a reference that the operator enrolled as an anchor, 1 to [`WEIGHT_MAX`].
    pub anchor: u32,
    /// Weights by the slots in which a device was compared and passed before: `[[slots, weight], ...]`, ascending, from 0.
    pub seniority: Vec<(u32, u32)>,
}

impl WeightRule {
    pub(super) fn check(&self, key: &Key) -> Result<(), ClassError> {
        const WEIGHT: &str = "1 to 16, not descending";
        key.sub("place_most").within(self.place_most.into(), 1, NEAREST_MAX.into(), "1 to 15")?;
        key.sub("anchor").within(self.anchor.into(), 1, WEIGHT_MAX.into(), "1 to 16")?;
        let key = key.sub("seniority");
        key.within(i64::try_from(self.seniority.len()).unwrap_or(i64::MAX), 1, 16, "1 to 16 steps")?;
        key.within(self.seniority[0].0.into(), 0, 0, "from 0 slots on")?;
        let mut before: Option<(u32, u32)> = None;
        for &(slots, weight) in &self.seniority {
            let (slots_least, weight_least) = before.map_or((0, 1), |(slots, weight)| (i64::from(slots) + 1, weight));
            key.within(slots.into(), slots_least, 1_000_000_000, "ascending, 0 to 10^9 slots")?;
            key.within(weight.into(), weight_least.into(), WEIGHT_MAX.into(), WEIGHT)?;
            before = Some((slots, weight));
        }
        Ok(())
    }

    /// The weight of a device with so many good slots behind it.
    #[must_use]
    pub fn of_good_slots(&self, good_slots: u32) -> u32 {
        let steps = self.seniority.partition_point(|&(slots, _)| slots <= good_slots);
        steps.checked_sub(1).map_or(1, |step| self.seniority[step].1)
    }
}

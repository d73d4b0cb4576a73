//! What is asked of a device over a long time, from what is remembered of it between epochs.

use serde::Deserialize;

use super::Key;
use crate::ClassError;
use crate::sensing::body::VALUE_MAX;

/// How long a device is remembered. Only slots compared with neighbours count, so a device that reports seldom is
/// remembered for longer, and one without neighbours is neither remembered nor forgotten.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MemoryRule {
    /// Slots over which what is remembered fades to about a third (1/e).
    pub slots: u32,
    /// The fewest slots compared before anything is said.
    pub least_slots: u32,
}

impl MemoryRule {
    pub(super) fn check(&self, key: &Key) -> Result<(), ClassError> {
        key.sub("slots").within(self.slots.into(), 2, 100_000, "2 to 100,000")?;
        key.sub("least_slots").within(self.least_slots.into(), 2, self.slots.into(), "2 to slots")
    }
}

/// What is asked of one quantity over a long time. Needs a comparison with neighbours.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LongRule {
    /// How far the mean may lie from the neighbours' mean.
    pub bias: Option<BiasRule>,
    /// How well it must follow its neighbours.
    pub correlation: Option<CorrelationRule>,
    /// How much it must move when its neighbours do: indoors little does.
    pub amplitude: Option<AmplitudeRule>,
    /// How much further off it may be by day than by night: in the sun it is.
    pub sunlit: Option<SunlitRule>,
    /// How long a gauge may stay dry while its neighbours are wet.
    pub dry: Option<DryRule>,
}

/// How far the mean may lie from the neighbours' mean: the greater of two distances. A slot's distance counts up to four
/// tolerances of its comparison.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BiasRule {
    /// An absolute distance, in the quantity's unit.
    pub most: i64,
    /// A share of the neighbours' mean.
    pub most_ppm: u32,
    /// What a slot loses beyond.
    pub lost_ppm: u32,
}

/// How well it must follow its neighbours.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CorrelationRule {
    /// The least coefficient of correlation, in parts per million.
    pub least_ppm: u32,
    /// The least standard deviation of the neighbours' word at which it can be told, in the quantity's unit.
    pub spread: i64,
    /// What a slot loses below.
    pub lost_ppm: u32,
}

/// How much it must move when its neighbours do.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AmplitudeRule {
    /// The least ratio of its own standard deviation to the neighbours', in parts per million.
    pub least_ppm: u32,
    /// The least standard deviation of the neighbours' word at which it can be told, in the quantity's unit.
    pub spread: i64,
    /// What a slot loses below.
    pub lost_ppm: u32,
}

/// How much further above its neighbours it may be by day (9 to 17 hours of local mean solar time) than by night (21 to 5);
/// at least half of `most` has to be the day's, for a cold hollow is no sun. Slots that do not lie whole in day or night
/// count for neither, so days as slots tell nothing.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SunlitRule {
    /// The greatest difference, in the quantity's unit.
    pub most: i64,
    /// What a slot by day loses beyond.
    pub lost_ppm: u32,
}

/// How long a gauge may stay dry while its neighbours are wet. Anything that it counts, in any slot, ends it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DryRule {
    /// What a slot must hold at the neighbours' to be wet, in the quantity's unit.
    pub wet: i64,
    /// So many slots wet at the neighbours', with nothing counted here in between, before anything is said.
    pub slots: u32,
    /// What a slot loses from then on.
    pub lost_ppm: u32,
}

impl LongRule {
    pub(super) fn check(&self, key: &Key, compared: bool) -> Result<(), ClassError> {
        key.within(compared.into(), 1, 1, "left out where neighbours are not compared")?;
        if let Some(rule) = &self.bias {
            let key = key.sub("bias");
            key.sub("most").within(rule.most, 0, VALUE_MAX, "0 to 10^12")?;
            key.sub("most_ppm").within(rule.most_ppm.into(), 0, 1_000_000_000, "0 to 10^9")?;
            key.share("lost_ppm", rule.lost_ppm)?;
        }
        if let Some(rule) = &self.correlation {
            let key = key.sub("correlation");
            key.share("least_ppm", rule.least_ppm)?;
            key.sub("spread").within(rule.spread, 1, 1_000_000, "1 to 10^6")?;
            key.share("lost_ppm", rule.lost_ppm)?;
        }
        if let Some(rule) = &self.amplitude {
            let key = key.sub("amplitude");
            key.share("least_ppm", rule.least_ppm)?;
            key.sub("spread").within(rule.spread, 1, 1_000_000, "1 to 10^6")?;
            key.share("lost_ppm", rule.lost_ppm)?;
        }
        if let Some(rule) = &self.sunlit {
            let key = key.sub("sunlit");
            key.sub("most").within(rule.most, 0, VALUE_MAX, "0 to 10^12")?;
            key.share("lost_ppm", rule.lost_ppm)?;
        }
        if let Some(rule) = &self.dry {
            let key = key.sub("dry");
            key.sub("wet").within(rule.wet, 1, VALUE_MAX, "1 to 10^12")?;
            key.sub("slots").within(rule.slots.into(), 1, 100_000, "1 to 100,000")?;
            key.share("lost_ppm", rule.lost_ppm)?;
        }
        Ok(())
    }
}

/// When a device stands elsewhere than it says: in one window of slots (that of the copies) its values lie far off its
/// own neighbours' word and close to the word heard at another device's place.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RelocationRule {
    /// The fewest slots of a window in which both words are known.
    pub least_slots: u32,
    /// How far away the other place must be at least, in metres: more than neighbours' radius, or words at both places are
    /// the same neighbours'.
    pub distance_m: u32,
    /// How far off the own neighbours' word it must be on average, in parts per million of the tolerance.
    pub off_ppm: u32,
    /// How close the other place must fit: its mean distance, and the mean deviation from that, as shares of the own
    /// place's.
    pub fit_ppm: u32,
    /// What the window's slots lose.
    pub lost_ppm: u32,
}

impl RelocationRule {
    pub(super) fn check(&self, key: &Key) -> Result<(), ClassError> {
        key.sub("least_slots").within(self.least_slots.into(), 2, 10_000, "2 to 10,000")?;
        key.sub("distance_m").within(self.distance_m.into(), 1, 20_000_000, "1 to 20,000,000")?;
        key.sub("off_ppm").within(self.off_ppm.into(), 1, 1_000_000_000, "1 to 10^9")?;
        key.share("fit_ppm", self.fit_ppm)?;
        key.share("lost_ppm", self.lost_ppm)
    }
}

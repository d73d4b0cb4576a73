//! When two series are one.

use cairn_core::PPM;
use serde::Deserialize;

use super::Key;
use crate::ClassError;

/// When a device has copied another owner's: every value that both have in a window is equal, or it repeats rows of
/// readings that the other, or it itself, gave before.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CopyRule {
    /// Slots per window, counted from the start of the epoch; a copy loses the whole window.
    pub window_slots: u32,
    /// The fewest slots of a window that both must have.
    pub least_slots: u32,
    /// The fewest distinct values among them: still air is not a copy.
    pub least_values: u32,
    /// So many readings in a row, all their values equal to those another device gave in a row, are a repetition,
    /// whatever the times they claim. 3 to 32.
    pub run_readings: u32,
    /// The fewest distinct rows among them: fog at 99.9 % and zero dust are not repetitions.
    pub run_values: u32,
}

impl CopyRule {
    pub(super) fn check(&self, key: &Key) -> Result<(), ClassError> {
        key.sub("least_slots").within(self.least_slots.into(), 2, 10_000, "2 to 10,000")?;
        key.sub("least_values").within(self.least_values.into(), 2, 10_000, "2 to 10,000")?;
        let window_rule = "copies.least_slots to 100,000";
        key.sub("window_slots").within(self.window_slots.into(), self.least_slots.into(), 100_000, window_rule)?;
        key.sub("run_readings").within(self.run_readings.into(), 3, 32, "3 to 32")?;
        key.sub("run_values").within(self.run_values.into(), 2, self.run_readings.into(), "2 to run_readings")
    }
}

/// When a series follows a neighbour's, at once or some slots apart, as it is or scaled: what a rising straight line leaves
/// unexplained of it is less than nature allows two instruments. Left out for quantities that honest neighbours tell
/// almost alike, such as pressure.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SeriesRule {
    /// The fewest slots of a window that both must have.
    pub least_slots: u32,
    /// How many slots apart the two may be at most. Only slots of the same epoch are paired.
    pub lag_slots: u32,
    /// The greatest share of its variance that is left unexplained, in parts per million.
    pub unexplained_ppm: u32,
    /// The least standard deviation of either over the window at which it can be told, in the quantity's unit.
    pub spread: i64,
    /// What the window's slots lose.
    pub lost_ppm: u32,
}

impl SeriesRule {
    pub(super) fn check(&self, key: &Key) -> Result<(), ClassError> {
        key.sub("least_slots").within(self.least_slots.into(), 4, 10_000, "4 to 10,000")?;
        key.sub("lag_slots").within(self.lag_slots.into(), 0, 48, "0 to 48")?;
        key.sub("unexplained_ppm").within(self.unexplained_ppm.into(), 0, PPM.into(), "0 to 1,000,000")?;
        key.sub("spread").within(self.spread, 1, 1_000_000, "1 to 10^6")?;
        key.share("lost_ppm", self.lost_ppm)
    }
}

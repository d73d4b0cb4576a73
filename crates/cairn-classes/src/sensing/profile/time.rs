//! What is asked of clocks, and how much of a slot has to be reported.

use serde::Deserialize;

use super::{Key, signed};
use crate::ClassError;

/// What is asked of clocks and of the order of reports.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TimeRule {
    /// A clock error beyond which a reading is doubted, as the device itself claims it, in ms. A source of `none` counts
    /// as beyond. Reports that say nothing of their clock are not doubted.
    pub error_ms: u64,
    /// How far a report's last reading may be ahead of its receipt, in ms. At most `future_ms` tells anything: what is
    /// further ahead is not used at all.
    pub ahead_ms: u64,
    /// How long after its last reading even the promptest report of a slot may be received, in ms: beyond it the clock runs
    /// behind. Reports that say that they were backfilled are not asked.
    pub behind_ms: u64,
    /// What a slot loses when all its readings are doubted for one of these, in proportion when some are.
    pub lost_ppm: u32,
    /// What a slot loses when all its readings were measured before the first one of a report numbered lower in the same
    /// boot, in proportion when some were; backfilled ones are not asked.
    pub order_lost_ppm: u32,
}

impl TimeRule {
    pub(super) fn check(&self, key: &Key) -> Result<(), ClassError> {
        const RULE: &str = "0 to 31,536,000,000 (a year)";
        key.sub("error_ms").within(signed(self.error_ms), 0, 31_536_000_000, RULE)?;
        key.sub("ahead_ms").within(signed(self.ahead_ms), 0, 31_536_000_000, RULE)?;
        key.sub("behind_ms").within(signed(self.behind_ms), 0, 31_536_000_000, RULE)?;
        key.share("lost_ppm", self.lost_ppm)?;
        key.share("order_lost_ppm", self.order_lost_ppm)
    }
}

/// How much of a slot a device has to report: the slot is cut into equal pieces, and those with a usable reading count.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AvailabilityRule {
    /// Length of a piece, in ms; divides the slot.
    pub every_ms: u64,
    /// The share of the pieces that have to be reported for nothing to be lost.
    pub least_ppm: u32,
    /// What a slot would lose without any reading; with some, the part of the least share that is missing.
    pub lost_ppm: u32,
}

impl AvailabilityRule {
    pub(super) fn check(&self, key: &Key, slot_ms: u64) -> Result<(), ClassError> {
        let every = key.sub("every_ms");
        every.within(signed(self.every_ms), 1_000, signed(slot_ms), "1,000 to slot_ms")?;
        every.within(signed(slot_ms % self.every_ms), 0, 0, "a divisor of slot_ms")?;
        key.sub("least_ppm").within(self.least_ppm.into(), 1, 1_000_000, "1 to 1,000,000")?;
        key.share("lost_ppm", self.lost_ppm)
    }
}

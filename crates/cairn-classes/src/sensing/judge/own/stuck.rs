//! How long a value may stay the same.
//!
//! A run is made of readings within the tolerance of each other, without a long gap. What is exempt (the air is humid, there
//! is no rain, wind or light) neither counts towards a run nor ends it: a few pretended moments of fog do not start the
//! clock anew. Only readings after the run has become too long are charged; what was judged before stays judged.
//!
//! What remains: one who adds noise larger than the tolerance is not stuck here, and zeros may last for ever; both are for
//! the comparison with neighbours. An own humidity that always pretends fog exempts, and answers to its own neighbours.

use super::flaws::{Flaw, Flaws, Wrong};
use super::series::{Part, Told};
use super::trail::Trail;
use crate::sensing::profile::StuckRule;
use crate::sensing::quantity::Quantity;
use crate::sensing::words::Fault;

/// Readings of one value. Without readings at first; of `readings` zero when all so far were exempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Run {
    /// The least value.
    pub low: i64,
    /// The greatest.
    pub high: i64,
    /// How long it has lasted, what is exempt left out, in ms.
    pub lasted_ms: u64,
    /// How many readings count.
    pub readings: u32,
}

/// Finds the stuck readings in what was told, going on from a trail; answers with the run that it ends in.
pub(super) fn check(part: &Part<'_>, rule: &StuckRule, told: &[Told], trail: Option<&Trail>, flaws: &mut Flaws) -> Run {
    let mut humidity = part.companion(Quantity::RelativeHumidity);
    let mut temperature = part.companion(Quantity::AirTemperature);
    let mut run = trail.map(|trail| trail.run).unwrap_or_default();
    let mut before = trail.and_then(Trail::last);
    for told in told {
        let humid = rule
            .humid_from
            .is_some_and(|from| humidity.at(told.time_ms, rule.gap_ms).is_some_and(|humidity| humidity >= from));
        let exempt = humid || (rule.zero_exempt && told.value.abs() <= rule.tolerance);
        let since_ms = before.map(|(at, _)| told.time_ms.saturating_sub(at));
        run = run.with(told.value, exempt, since_ms.filter(|&since_ms| since_ms <= rule.gap_ms), rule.tolerance);
        before = Some((told.time_ms, told.value));
        if exempt || run.lasted_ms < rule.for_ms || run.readings < rule.least_readings {
            continue;
        }
        let frost = rule.frost_below.is_some_and(|below| {
            temperature.at(told.time_ms, rule.gap_ms).is_some_and(|temperature| temperature < below)
        });
        let (fault, lost_ppm) =
            if frost { (Fault::Frozen, rule.frost_lost_ppm) } else { (Fault::Stuck, rule.lost_ppm) };
        let seconds = |ms: u64| i64::try_from(ms / 1_000).unwrap_or(i64::MAX);
        flaws.add(Flaw {
            sample: told.sample,
            wrong: Wrong::Fault(fault),
            observed: seconds(run.lasted_ms),
            threshold: seconds(rule.for_ms),
            lost_ppm,
            speaks: false,
        });
    }
    run
}

impl Run {
    /// The run after one more reading, so long after the one before; `None` for the first one and after a gap.
    fn with(self, value: i64, exempt: bool, since_ms: Option<u64>, tolerance: i64) -> Self {
        let (low, high) = (self.low.min(value), self.high.max(value));
        match since_ms {
            Some(since_ms) if high - low <= tolerance => Self {
                low,
                high,
                lasted_ms: self.lasted_ms.saturating_add(if exempt { 0 } else { since_ms }),
                readings: self.readings.saturating_add(u32::from(!exempt)),
            },
            _ => Self { low: value, high: value, lasted_ms: 0, readings: u32::from(!exempt) },
        }
    }
}

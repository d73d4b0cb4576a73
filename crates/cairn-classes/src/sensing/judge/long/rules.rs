//! What is found in the moments: a deviation, where it lies beyond the profile's limit.

use super::moments::Moments;
use super::solar::Hours;
use crate::sensing::profile::LongRule;
use crate::sensing::quantity::Quantity;
use crate::sensing::words::Code;

/// What is shown of one finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Found {
    pub code: Code,
    pub observed: i64,
    pub threshold: i64,
    pub lost_ppm: u32,
}

/// Everything found of a quantity in a slot that lies in `hours`; nothing before `least_slots` were taken in.
pub(super) fn find(
    rule: &LongRule,
    moments: &Moments,
    quantity: Quantity,
    hours: Hours,
    least_slots: u32,
) -> Vec<Found> {
    if moments.taken < least_slots {
        return Vec::new();
    }
    let spread = moments.spread();
    let bias = rule.bias.as_ref().and_then(|rule| {
        let share = i128::from(rule.most_ppm) * i128::from(moments.crowd_mean(quantity)).abs() / 1_000_000;
        let limit = rule.most.max(i64::try_from(share).unwrap_or(i64::MAX));
        let observed = moments.bias();
        let threshold = if observed < 0 { -limit } else { limit };
        (observed.abs() > limit).then_some(Found { code: Code::Bias, observed, threshold, lost_ppm: rule.lost_ppm })
    });
    let below = |code, observed: i64, least_ppm: u32, lost_ppm| {
        let threshold = i64::from(least_ppm);
        (observed < threshold).then_some(Found { code, observed, threshold, lost_ppm })
    };
    let correlation = rule
        .correlation
        .as_ref()
        .filter(|rule| spread.tells(rule.spread))
        .and_then(|rule| below(Code::Correlation, spread.correlation_ppm(), rule.least_ppm, rule.lost_ppm));
    let amplitude = rule
        .amplitude
        .as_ref()
        .filter(|rule| spread.tells(rule.spread))
        .and_then(|rule| below(Code::Indoor, spread.amplitude_ppm(), rule.least_ppm, rule.lost_ppm));
    let sunlit = rule.sunlit.as_ref().filter(|_| hours == Hours::Day).and_then(|rule| {
        // Of any 24 hours a third is day and a third night, so a quarter of the slots comes to lie in each.
        let (day, night) = moments.day_and_night(least_slots / 4)?;
        let observed = day - night;
        // A cold hollow differs by night, not by day: half of the difference has to be the day's.
        (observed > rule.most && day > rule.most / 2).then_some(Found {
            code: Code::Sunlit,
            observed,
            threshold: rule.most,
            lost_ppm: rule.lost_ppm,
        })
    });
    let dry = rule.dry.as_ref().filter(|rule| moments.dry >= rule.slots).map(|rule| Found {
        code: Code::Dry,
        observed: moments.dry.into(),
        threshold: rule.slots.into(),
        lost_ppm: rule.lost_ppm,
    });
    [bias, correlation, amplitude, sunlit, dry].into_iter().flatten().collect()
}

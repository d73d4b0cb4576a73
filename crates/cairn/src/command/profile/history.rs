//! What a network's own history says of its instruments, robust against the bad ones among them.
//!
//! Everything is a quantile over stations of something about each station, never a maximum over all: one broken station in
//! ten changes nothing.

use cairn_classes::sensing::{StepRule, StuckRule};

/// The share of stations that are believed, in percent.
const BELIEVED: usize = 90;

/// The value below which `ppm` of the values lie (nearest rank, sorts them); `None` of nothing.
pub fn quantile(values: &mut [i64], ppm: u64) -> Option<i64> {
    values.sort_unstable();
    let rank = (values.len() as u64 * ppm).div_ceil(1_000_000).max(1);
    values.get(usize::try_from(rank - 1).ok()?).copied()
}

/// The value that the believed share of stations does not exceed.
pub fn believed(stations: impl IntoIterator<Item = i64>) -> Option<i64> {
    let mut values: Vec<i64> = stations.into_iter().collect();
    quantile(&mut values, BELIEVED as u64 * 10_000)
}

/// One station's values of one quantity, ascending in time: (ms since 1970, value).
pub type Series = Vec<(u64, i64)>;

/// The ends that all but a thousandth of a station's values keep within on either side, for the believed stations;
/// `None` when no station has a hundred values.
pub fn ends(stations: &[Series]) -> Option<(i64, i64)> {
    let of_station = |series: &Series| {
        let mut values: Vec<i64> = series.iter().map(|&(_, value)| value).collect();
        (values.len() >= 100).then(|| Some((quantile(&mut values, 1_000)?, quantile(&mut values, 999_000)?))).flatten()
    };
    let ends: Vec<(i64, i64)> = stations.iter().filter_map(of_station).collect();
    let low = believed(ends.iter().map(|&(low, _)| -low))?;
    Some((-low, believed(ends.iter().map(|&(_, high)| high))?))
}

/// How far changes exceed what a rule allows for the time between: the 99.99th percentile of each station, of the
/// believed ones; `None` when no station has a hundred changes.
pub fn step(stations: &[Series], rule: &StepRule) -> Option<i64> {
    let of_station = |series: &Series| {
        let pairs = series.windows(2).filter(|pair| pair[1].0 - pair[0].0 <= rule.gap_ms);
        let mut beyond: Vec<i64> = pairs
            .map(|pair| {
                let minutes = ((pair[1].0 - pair[0].0) / 60_000).cast_signed();
                (pair[1].1 - pair[0].1).abs().saturating_sub(rule.per_minute.saturating_mul(minutes)).max(0)
            })
            .collect();
        (beyond.len() >= 100).then(|| quantile(&mut beyond, 999_900)).flatten()
    };
    believed(stations.iter().filter_map(of_station))
}

/// The longest time that a station's values stay the same, of the believed stations, in ms; `None` when no station has a
/// hundred values. `exempt` says which readings the rule leaves alone.
pub fn longest_run_ms(stations: &[Series], rule: &StuckRule, exempt: impl Fn(usize, u64, i64) -> bool) -> Option<i64> {
    let of_station = |(station, series): (usize, &Series)| {
        let (mut longest_ms, mut run): (u64, Option<(u64, u64, i64, i64)>) = (0, None);
        for &(time_ms, value) in series {
            if exempt(station, time_ms, value) {
                run = None;
                continue;
            }
            run = match run {
                Some((from_ms, before_ms, low, high))
                    if time_ms - before_ms <= rule.gap_ms && high.max(value) - low.min(value) <= rule.tolerance =>
                {
                    longest_ms = longest_ms.max(time_ms - from_ms);
                    Some((from_ms, time_ms, low.min(value), high.max(value)))
                }
                _ => Some((time_ms, time_ms, value, value)),
            };
        }
        (series.len() >= 100).then_some(longest_ms.cast_signed())
    };
    believed(stations.iter().enumerate().filter_map(of_station))
}

/// One value beside its neighbours' word.
#[derive(Debug, Clone, Copy)]
pub struct Compared {
    /// Time of the reading.
    pub time_ms: u64,
    /// The value less the neighbours' median.
    pub off: i64,
    /// How far off it would be suspect; positive.
    pub limit: i64,
}

impl Compared {
    fn off_ppm(self) -> i64 {
        let ppm = i128::from(self.off).abs() * 1_000_000 / i128::from(self.limit.max(1));
        i64::try_from(ppm).unwrap_or(i64::MAX)
    }
}

/// The distance, in parts per million of the limit, beyond which `honest_ppm` of the believed stations' values lie. The
/// tenth of the stations with the most suspect values is not believed. `None` of fewer than a thousand values.
pub fn reach_ppm(stations: &[Vec<Compared>], honest_ppm: u32) -> Option<i64> {
    let suspect_ppm = |of: &Vec<Compared>| {
        let beyond = of.iter().filter(|compared| compared.off_ppm() > 1_000_000).count() as u64;
        beyond * 1_000_000 / (of.len() as u64).max(1)
    };
    let mut ranked: Vec<&Vec<Compared>> = stations.iter().filter(|of| !of.is_empty()).collect();
    ranked.sort_by_key(|of| suspect_ppm(of));
    ranked.truncate((ranked.len() * BELIEVED).div_ceil(100));
    let mut off: Vec<i64> = ranked.into_iter().flatten().map(|compared| compared.off_ppm()).collect();
    if off.len() < 1_000 { None } else { quantile(&mut off, 1_000_000 - u64::from(honest_ppm)) }
}

/// How far the believed stations lie off their neighbours on average; `None` when no station has `least` values.
pub fn bias(stations: &[Vec<Compared>], least: usize) -> Option<i64> {
    let mean = |of: &Vec<Compared>| mean(of.iter().map(|compared| compared.off), least).map(i64::abs);
    believed(stations.iter().filter_map(mean))
}

/// How much further above their neighbours the believed stations are by day (9 to 17 hours of local solar time) than by
/// night (21 to 5); `None` when no station has `least` values of either. `lon_e7` has the stations' longitudes.
pub fn sunlit(stations: &[Vec<Compared>], lon_e7: &[i32], least: usize) -> Option<i64> {
    let of_station = |(of, &lon_e7): (&Vec<Compared>, &i32)| {
        let hour = |compared: &&Compared| {
            let east_ms = i64::from(lon_e7) * 86_400_000 / 3_600_000_000;
            compared.time_ms.saturating_add_signed(east_ms) / 3_600_000 % 24
        };
        let day = of.iter().filter(|compared| (9..17).contains(&hour(compared))).map(|compared| compared.off);
        let night = of.iter().filter(|compared| !(5..21).contains(&hour(compared))).map(|compared| compared.off);
        Some(mean(day, least)? - mean(night, least)?)
    };
    believed(stations.iter().zip(lon_e7).filter_map(of_station))
}

fn mean(values: impl Iterator<Item = i64>, least: usize) -> Option<i64> {
    let (count, sum) = values.fold((0i64, 0i64), |(count, sum), value| (count + 1, sum.saturating_add(value)));
    if count < i64::try_from(least.max(1)).unwrap_or(i64::MAX) { None } else { sum.checked_div(count) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Twenty stations of 200 values, every ten minutes; the last two as `bad` says.
    fn stations(good: impl Fn(u64) -> i64, bad: impl Fn(u64) -> i64) -> Vec<Series> {
        let series = |station: u64| {
            (0..200).map(|n| (n * 600_000, if station < 18 { good(n + station) } else { bad(n) })).collect()
        };
        (0..20).map(series).collect()
    }

    #[test]
    fn quantiles_are_nearest_ranks() {
        for (ppm, expected) in [(0, 1), (250_000, 1), (250_001, 2), (500_000, 2), (750_001, 4), (1_000_000, 4)] {
            assert_eq!(quantile(&mut [3, 1, 4, 2], ppm), Some(expected), "{ppm}");
        }
        assert_eq!(quantile(&mut [], 500_000), None);
    }

    #[test]
    fn one_bad_station_in_ten_changes_nothing() {
        let wave = |n: u64| (n % 50).cast_signed();
        let (fine, spoiled) = (stations(wave, wave), stations(wave, |n| if n % 2 == 0 { 9_000 } else { -9_000 }));
        assert_eq!(ends(&spoiled), Some((0, 49)));
        let rule = StepRule {
            most: 1,
            per_minute: 0,
            cap: 1_000,
            gap_ms: 600_000,
            around_ms: 1,
            around_least: 1,
            lost_ppm: 0,
        };
        assert_eq!((step(&fine, &rule), step(&spoiled, &rule)), (Some(49), Some(49)));
        let compared = |series: &Series| -> Vec<Compared> {
            series.iter().map(|&(time_ms, off)| Compared { time_ms, off, limit: 100 }).collect()
        };
        let spoiled: Vec<Vec<Compared>> = spoiled.iter().map(compared).collect();
        assert_eq!(reach_ppm(&spoiled, 5_000), Some(490_000));
        assert_eq!(bias(&spoiled, 100), Some(24));
        assert_eq!(reach_ppm(&spoiled[..1], 5_000), None);
    }

    #[test]
    fn runs_end_at_gaps_changes_and_what_is_exempt() {
        let rule = StuckRule {
            tolerance: 1,
            for_ms: 1,
            least_readings: 2,
            gap_ms: 600_000,
            humid_from: None,
            zero_exempt: true,
            frost_below: None,
            lost_ppm: 0,
            frost_lost_ppm: 0,
        };
        let still = stations(|n| (n / 30).cast_signed() * 10, |_| 5);
        assert_eq!(longest_run_ms(&still, &rule, |_, _, _| false), Some(29 * 600_000));
        assert_eq!(longest_run_ms(&still, &rule, |_, time_ms, _| time_ms % 6_000_000 == 0), Some(8 * 600_000));
        assert_eq!(longest_run_ms(&[vec![(0, 1); 5]], &rule, |_, _, _| false), None);
    }
}

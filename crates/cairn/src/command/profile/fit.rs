//! Thresholds that a network's own history suggests, as edits of a profile.
//!
//! Promised: the same recording gives the same proposal; integers only; nine stations in ten decide, so that a few bad
//! ones do not stretch what is allowed. Not promised: that the history is honest. Whoever reviews the diff decides: a
//! network that was deceived for all of its history would be fitted to the deceit.

use std::collections::BTreeMap;

use cairn_classes::sensing::{Document, Profile, Quantity, QuantityRule, StuckRule, Tolerance, assess};
use serde::Serialize;

use super::edit::{Edit, apply};
use super::history::{self, Compared, Series};
use crate::command::judge::recording::{replay, row_of};
use crate::dataset::Dataset;
use crate::failure::Failure;

/// Shorter histories say nothing of the seasons: ranges are only widened.
const YEAR_MS: u64 = 365 * 86_400_000;
/// How often tolerances are fitted and judged again: part of a limit is the spread that the neighbours show, which a
/// tolerance does not scale, so that one step does not arrive.
const ROUNDS: usize = 5;
const WHOLE: i64 = 1_000_000;

/// One threshold that is proposed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    /// The dotted key.
    pub key: String,
    /// What stands there.
    pub from: i64,
    /// What is proposed.
    pub to: i64,
    /// Why, in words.
    pub why: String,
}

impl Change {
    fn edit(&self) -> Edit {
        Edit { path: self.key.split('.').map(str::to_owned).collect(), to: self.to }
    }
}

/// What is proposed, and the document with it.
#[derive(Debug)]
pub struct Fitted {
    /// Every change, in the order of quantities and rules.
    pub changes: Vec<Change>,
    /// The document with all of them.
    pub document: String,
}

/// A history as the fitting reads it: by quantity, then station.
struct History<'a> {
    dataset: &'a Dataset,
    series: BTreeMap<Quantity, Vec<Series>>,
    long: bool,
}

/// Fits a profile to a recording; at most `honest_ppm` of the values of believed stations are to be suspect.
///
/// # Errors
/// When the document is not of form 2, or the judge refuses.
pub fn fit(dataset: &Dataset, text: &str, honest_ppm: u32, mut done: impl FnMut(usize)) -> Result<Fitted, Failure> {
    let original = read(text)?;
    let history = History::of(dataset);
    let mut changes = Vec::new();
    for (&quantity, rule) in &original.quantities {
        if let Some(series) = history.series.get(&quantity) {
            history.own(quantity, rule, series, &mut changes);
        }
    }
    let mut document = edited(text, &changes)?;
    let mut compared = BTreeMap::new();
    for round in 0..ROUNDS {
        let profile = read(&document)?;
        compared = all_compared(dataset, &document, &mut done)?;
        let scales = scales(&profile, &compared, honest_ppm);
        if scales.is_empty() || round + 1 == ROUNDS {
            break;
        }
        let tolerances = scales.iter().flat_map(|(quantity, scale_ppm)| {
            let from = original.quantities[quantity].neighbours.as_ref().map(|rule| &rule.tolerance);
            let now = profile.quantities[quantity].neighbours.as_ref().map(|rule| &rule.tolerance);
            from.zip(now).map(|(from, now)| tolerance(*quantity, from, now, *scale_ppm, honest_ppm)).unwrap_or_default()
        });
        for change in tolerances.collect::<Vec<_>>() {
            changes.retain(|other| other.key != change.key);
            changes.push(change);
        }
        document = edited(text, &changes)?;
    }
    let profile = read(&document)?;
    for (&quantity, rule) in &profile.quantities {
        if let Some(stations) = compared.get(&quantity) {
            history.long(quantity, rule, profile.memory.least_slots as usize, stations, &mut changes);
        }
    }
    changes.retain(|change| change.from != change.to);
    let document = edited(text, &changes)?;
    Ok(Fitted { changes, document })
}

fn read(text: &str) -> Result<Profile, Failure> {
    match Document::parse(text)? {
        Document::Two(profile) => Ok(*profile),
        Document::One(_) => Err(Failure::wrong("CLS-PROFILE-VALUE", "only profiles of form 2 are fitted")),
    }
}

fn edited(text: &str, changes: &[Change]) -> Result<String, Failure> {
    let edits: Vec<Edit> = changes.iter().map(Change::edit).collect();
    apply(text, &edits)
        .ok_or_else(|| Failure::failed("NET-PROFILE-EDIT", "a threshold does not stand where it was read"))
}

impl<'a> History<'a> {
    fn of(dataset: &'a Dataset) -> Self {
        let mut series: BTreeMap<Quantity, Vec<Series>> = BTreeMap::new();
        for row in &dataset.readings {
            for (&quantity, &value) in &row.values {
                let of = series.entry(quantity).or_insert_with(|| vec![Series::new(); dataset.stations.len()]);
                of[row.station].push((row.time_ms, value));
            }
        }
        series.values_mut().flatten().for_each(|series| series.sort_unstable());
        let times = || dataset.readings.iter().map(|row| row.time_ms);
        let length_ms = times().max().unwrap_or(0) - times().min().unwrap_or(0);
        Self { dataset, series, long: length_ms >= YEAR_MS }
    }

    /// What a station shows by itself: range, step, stuck.
    fn own(&self, quantity: Quantity, rule: &QuantityRule, stations: &[Series], changes: &mut Vec<Change>) {
        let key = |rest: &str| format!("quantities.{}.{rest}", quantity.key());
        if let Some((low, high)) = history::ends(stations) {
            let margin = (high - low) / 2;
            let (mut min, mut max) = (rule.range.min, rule.range.max);
            if self.long {
                (min, max) = (min.max(low - margin), max.min(high + margin));
            }
            // What is left out of the quantile lies beyond it, so the margin is given here too.
            (min, max) = (if low < min { low - margin } else { min }, if high > max { high + margin } else { max });
            let why =
                format!("nine stations in ten keep within {} and {}", quantity.decimal(low), quantity.decimal(high));
            changes.push(Change { key: key("range.min"), from: rule.range.min, to: min, why: why.clone() });
            changes.push(Change { key: key("range.max"), from: rule.range.max, to: max, why });
        }
        if let Some((rule, seen)) = rule.step.as_ref().and_then(|rule| Some((rule, history::step(stations, rule)?))) {
            let to = worth(rule.most, rounded_up(seen + seen / 4).max(1));
            let why = format!("99.99 % of changes exceed the pace by at most {}", quantity.decimal(seen));
            changes.push(Change { key: key("step.cap"), from: rule.cap, to: rule.cap.max(to), why: why.clone() });
            changes.push(Change { key: key("step.most"), from: rule.most, to, why });
        }
        if let Some(rule) = &rule.stuck {
            self.stuck(quantity, rule, stations, changes);
        }
    }

    fn stuck(&self, quantity: Quantity, rule: &StuckRule, stations: &[Series], changes: &mut Vec<Change>) {
        let humidity = self.series.get(&Quantity::RelativeHumidity);
        let humid = |station: usize, time_ms: u64| {
            let Some((from, humidity)) = rule.humid_from.zip(humidity) else { return false };
            let series = &humidity[station];
            series.binary_search_by_key(&time_ms, |&(time_ms, _)| time_ms).is_ok_and(|at| series[at].1 >= from)
        };
        let exempt = |station, time_ms, value| (rule.zero_exempt && value == 0) || humid(station, time_ms);
        let Some(seen_ms) = history::longest_run_ms(stations, rule, exempt) else { return };
        let from = rule.for_ms.cast_signed();
        let minutes = (seen_ms + seen_ms / 2).div_euclid(60_000) + 1;
        // Never so short that a few equal readings would do, nor longer than a rule may be.
        let to = (rounded_up(minutes) * 60_000).clamp(from / 4, from.saturating_mul(16).min(8_640_000_000));
        let why = format!("nine stations in ten stay the same for at most {} min", seen_ms / 60_000);
        let key = format!("quantities.{}.stuck.for_ms", quantity.key());
        changes.push(Change { key, from, to: worth(from, to), why });
    }

    /// What only neighbours show, over a long time: bias, sun.
    fn long(
        &self,
        quantity: Quantity,
        rule: &QuantityRule,
        least: usize,
        stations: &[Vec<Compared>],
        changes: &mut Vec<Change>,
    ) {
        let Some(rule) = &rule.long else { return };
        let mut propose = |name: &str, from: i64, seen: Option<i64>, what: &str| {
            let Some(seen) = seen else { return };
            let key = format!("quantities.{}.long.{name}.most", quantity.key());
            let why = format!("nine stations in ten {what} by at most {}", quantity.decimal(seen));
            changes.push(Change { key, from, to: worth(from, rounded_up(seen + seen / 2).max(1)), why });
        };
        if let Some(rule) = &rule.bias {
            propose("bias", rule.most, history::bias(stations, least), "lie off their neighbours");
        }
        if let Some(rule) = &rule.sunlit {
            let lon_e7: Vec<i32> = self.dataset.stations.iter().map(|station| station.position.lon_e7).collect();
            let seen = history::sunlit(stations, &lon_e7, least);
            propose("sunlit", rule.most, seen, "are further above them by day than by night");
        }
    }
}

/// Every value beside its neighbours' word, by quantity and station.
fn all_compared(
    dataset: &Dataset,
    text: &str,
    done: &mut impl FnMut(usize),
) -> Result<BTreeMap<Quantity, Vec<Vec<Compared>>>, Failure> {
    let document = Document::parse(text)?;
    let mut all: BTreeMap<Quantity, Vec<Vec<Compared>>> = BTreeMap::new();
    replay(dataset, &document, |docket| {
        let (assessed, judged) = assess(&document, docket)?;
        for value in &assessed {
            let Some(comparison) = value.comparison else { continue };
            let row = &dataset.readings[row_of(value.index)];
            let of = all.entry(value.quantity).or_insert_with(|| vec![Vec::new(); dataset.stations.len()]);
            let (off, limit) = (value.value - comparison.median, comparison.suspect_limit.abs());
            of[row.station].push(Compared { time_ms: row.time_ms, off, limit });
        }
        done(docket.fresh.len());
        Ok(judged)
    })?;
    Ok(all)
}

/// By how much the tolerance of each quantity has to grow or shrink, where it is more than a twentieth.
fn scales(
    profile: &Profile,
    compared: &BTreeMap<Quantity, Vec<Vec<Compared>>>,
    honest_ppm: u32,
) -> BTreeMap<Quantity, i64> {
    let of_quantity = |(&quantity, stations): (&Quantity, &Vec<Vec<Compared>>)| {
        profile.quantities.get(&quantity)?.neighbours.as_ref()?;
        let scale_ppm = history::reach_ppm(stations, honest_ppm)?;
        ((scale_ppm - WHOLE).abs() > WHOLE / 20).then_some((quantity, scale_ppm))
    };
    compared.iter().filter_map(of_quantity).collect()
}

/// A tolerance scaled, within a quarter and four times of what it was at first. Where that does not suffice the aim is
/// missed, and `cairn profile check` shows by how much.
fn tolerance(quantity: Quantity, from: &Tolerance, now: &Tolerance, scale_ppm: i64, honest_ppm: u32) -> Vec<Change> {
    let why = format!("aims at {honest_ppm} suspect of a million values of nine stations in ten");
    let parts = [
        ("floor", from.floor, now.floor, 1_000_000_000),
        ("above_ppm", from.above_ppm.into(), now.above_ppm.into(), 1_000_000_000),
        ("below_ppm", from.below_ppm.into(), now.below_ppm.into(), WHOLE),
    ];
    let change = |(name, from, now, most): (&str, i64, i64, i64)| {
        let scaled = i128::from(now) * i128::from(scale_ppm) / i128::from(WHOLE);
        let scaled = rounded_up(i64::try_from(scaled).unwrap_or(most));
        let least = if from == 0 { 0 } else { (from / 4).max(1) };
        let to = scaled.clamp(least, from.saturating_mul(4)).min(most);
        let key = format!("quantities.{}.neighbours.tolerance.{name}", quantity.key());
        Change { key, from, to, why: why.clone() }
    };
    parts.into_iter().map(change).collect()
}

/// What is proposed where it is worth a change: it differs by more than a tenth.
const fn worth(from: i64, to: i64) -> i64 {
    if from.abs_diff(to) * 10 > from.unsigned_abs() { to } else { from }
}

/// A positive number rounded up to two digits that count.
const fn rounded_up(value: i64) -> i64 {
    let mut unit = 1;
    while value / unit >= 100 {
        unit *= 10;
    }
    value / unit * unit + if value % unit == 0 { 0 } else { unit }
}

#[cfg(test)]
mod tests {
    use cairn_classes::sensing::SENSING_DAILY_PM;

    use super::*;

    #[test]
    fn numbers_are_rounded_up_to_two_digits_and_small_changes_left_alone() {
        for (value, expected) in
            [(0, 0), (7, 7), (99, 99), (101, 110), (1_210, 1_300), (98_000, 98_000), (99_001, 100_000)]
        {
            assert_eq!(rounded_up(value), expected, "{value}");
        }
        assert_eq!((worth(100, 110), worth(100, 111), worth(100, 89), worth(0, 1)), (100, 111, 89, 1));
    }

    #[test]
    fn twelve_years_of_air_propose_a_profile_that_reads_and_is_its_own_proposal() {
        let mut dataset = Dataset::germany_pm10().unwrap();
        dataset.readings.retain(|row| (12_784..13_514).contains(&(row.time_ms / 86_400_000)));
        let fitted = fit(&dataset, SENSING_DAILY_PM, 5_000, |_| {}).unwrap();
        assert!(fitted.changes.iter().any(|change| change.key == "quantities.pm10.neighbours.tolerance.floor"));
        for change in &fitted.changes {
            assert!(change.from != change.to && change.key.starts_with("quantities.pm10."), "{change:?}");
        }
        read(&fitted.document).unwrap();
        assert_eq!(SENSING_DAILY_PM.lines().count(), fitted.document.lines().count());
        let again = fit(&dataset, SENSING_DAILY_PM, 5_000, |_| {}).unwrap();
        assert_eq!((again.document, again.changes), (fitted.document, fitted.changes));
    }
}

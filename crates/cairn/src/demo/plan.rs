//! What is replayed and when: the part of the data, the network's epochs, and the steps of the recorded clock.

use std::collections::BTreeMap;

use super::cast::Reading;
use crate::dataset::Dataset;
use crate::failure::Failure;

const DAY_MS: u64 = 86_400_000;
const HOUR_MS: u64 = 3_600_000;

/// One step of the recorded clock: what everybody measured in it, sent when it is over.
#[derive(Debug, Clone)]
pub struct Step {
    /// When it is over and its reports are sent.
    pub end_ms: u64,
    /// The readings of each station that has some.
    pub readings: BTreeMap<usize, Vec<Reading>>,
}

/// What is replayed and when.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Start of epoch 0.
    pub zero_ms: u64,
    /// Length of an epoch.
    pub epoch_ms: u64,
    /// Grace of an epoch.
    pub grace_ms: u64,
    /// Whether the data are daily.
    pub daily: bool,
    /// The steps, in order.
    pub steps: Vec<Step>,
    /// Readings per station.
    pub per_station: Vec<usize>,
}

impl Plan {
    /// The plan for the most recent `days` of a data set, or for all of it.
    ///
    /// # Errors
    /// `NET-DATA` when there is nothing to replay.
    pub fn of(dataset: &Dataset, days: Option<u64>, epoch_ms: u64) -> Result<Self, Failure> {
        let times = || dataset.readings.iter().map(|row| row.time_ms);
        let (Some(first_ms), Some(last_ms)) = (times().min(), times().max()) else {
            return Err(Failure::wrong("NET-DATA", "the data set has no readings")
                .hint("see `cairn demo --help` for the columns of a data set"));
        };
        let end_ms = (last_ms / DAY_MS + 1) * DAY_MS;
        let from_ms = days.map_or(first_ms, |days| end_ms.saturating_sub(days.saturating_mul(DAY_MS)).max(first_ms));
        let zero_ms = from_ms / DAY_MS * DAY_MS;
        let daily = times().all(|time_ms| time_ms % DAY_MS == 0);
        let step_ms = if daily { DAY_MS } else { HOUR_MS }.min(epoch_ms);
        let mut steps: BTreeMap<u64, BTreeMap<usize, Vec<Reading>>> = BTreeMap::new();
        let mut per_station = vec![0; dataset.stations.len()];
        for row in dataset.readings.iter().filter(|row| row.time_ms >= zero_ms) {
            let step = (row.time_ms - zero_ms) / step_ms;
            let reading =
                Reading { time_ms: row.time_ms, values: row.values.iter().map(|(q, value)| (*q, *value)).collect() };
            steps.entry(step).or_default().entry(row.station).or_default().push(reading);
            per_station[row.station] += 1;
        }
        for readings in steps.values_mut().flat_map(BTreeMap::values_mut) {
            readings.sort_by_key(|reading| reading.time_ms);
            readings.dedup_by_key(|reading| reading.time_ms);
        }
        let steps = steps.into_iter().map(|(step, readings)| Step { end_ms: zero_ms + (step + 1) * step_ms, readings });
        Ok(Self { zero_ms, epoch_ms, grace_ms: (step_ms / 4).max(1), daily, steps: steps.collect(), per_station })
    }

    /// The time by which every epoch with readings has closed.
    #[must_use]
    pub fn closed_ms(&self) -> u64 {
        let last_ms = self.steps.last().map_or(self.zero_ms, |step| step.end_ms - 1);
        let epochs = (last_ms - self.zero_ms) / self.epoch_ms + 1;
        self.zero_ms + epochs * self.epoch_ms + self.grace_ms
    }

    /// Readings in all.
    #[must_use]
    pub fn readings(&self) -> usize {
        self.per_station.iter().sum()
    }

    /// Stations that have readings.
    #[must_use]
    pub fn stations(&self) -> usize {
        self.per_station.iter().filter(|count| **count > 0).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dataset(rows: &str) -> Dataset {
        let text = format!("timestamp,station,lat,lon,pm10\n{rows}");
        Dataset::read(text.as_bytes(), "test", &BTreeMap::new()).unwrap()
    }

    #[test]
    fn steps_end_after_their_readings_and_epochs_close_after_all_of_them() {
        let rows = "2009-12-29,a,50,10,1.0\n2009-12-30,a,50,10,2.0\n2009-12-31,a,50,10,3.0\n2009-12-31,b,51,10,4.0\n";
        let plan = Plan::of(&dataset(rows), Some(2), 7 * DAY_MS).unwrap();
        assert!(plan.daily);
        assert_eq!((plan.steps.len(), plan.readings(), plan.stations()), (2, 3, 2));
        for step in &plan.steps {
            assert!(step.readings.values().flatten().all(|reading| reading.time_ms < step.end_ms));
        }
        assert_eq!(plan.closed_ms(), plan.zero_ms + 7 * DAY_MS + plan.grace_ms);
        let all = Plan::of(&dataset(rows), None, DAY_MS).unwrap();
        assert_eq!((all.steps.len(), all.closed_ms()), (3, all.zero_ms + 3 * DAY_MS + all.grace_ms));
    }

    #[test]
    fn data_within_the_day_go_up_by_the_hour() {
        let rows = "2009-12-31 00:10,a,50,10,1.0\n2009-12-31 00:20,a,50,10,2.0\n2009-12-31 01:00,a,50,10,3.0\n";
        let plan = Plan::of(&dataset(rows), None, DAY_MS).unwrap();
        assert!(!plan.daily);
        assert_eq!(plan.steps.iter().map(|step| step.readings[&0].len()).collect::<Vec<_>>(), [2, 1]);
    }

    #[test]
    fn nothing_to_replay_is_an_error() {
        assert_eq!(Plan::of(&dataset(""), None, DAY_MS).unwrap_err().code, "NET-DATA");
    }
}

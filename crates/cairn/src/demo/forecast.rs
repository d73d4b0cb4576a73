//! What the demo buys: tomorrow's PM10 at one station, forecast from what it and its neighbours measured.
//!
//! Two forecasts are asked at once: for the recording's last day, which is then held against what was measured, and for the
//! day after it, which nobody has measured. Not here: buying it.

use cairn_classes::sensing::Quantity;
use cairn_jobs::network::encode_rows;
use cairn_jobs::{Grid, Place, features};

use crate::dataset::Dataset;

const DAY_MS: u64 = 86_400_000;

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// The station: an index into those of the data set.
    pub station: usize,
    /// The recording's last day, in days since 1970: the first forecast is for it, the second for the day after.
    pub last_day: u32,
    /// What the station measured on that day, in 0.1 ug/m3.
    pub measured: u16,
    /// What it measured the day before, in 0.1 ug/m3: what the first forecast would be if nothing changed.
    pub before: u16,
    /// The job's input.
    pub rows: Vec<u8>,
}

/// The answer, in 0.1 ug/m3.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answer {
    /// For the recording's last day.
    pub last_day: i32,
    /// For the day after.
    pub tomorrow: i32,
}

impl Question {
    /// The question about the first of `stations` that it can be asked about: it and eight others reported PM10 on the last day
    /// and on the one before. `None` when there is none, as where the recording is of something else.
    #[must_use]
    pub fn about(dataset: &Dataset, stations: impl IntoIterator<Item = usize>) -> Option<Self> {
        let grid = grid(dataset)?;
        let (_, last_day) = grid.days();
        let before = last_day.checked_sub(1)?;
        stations.into_iter().find_map(|station| {
            let rows = [features::row(&grid, station, before)?, features::row(&grid, station, last_day)?];
            Some(Self {
                station,
                last_day,
                measured: grid.value(station, last_day)?,
                before: grid.value(station, before)?,
                rows: encode_rows(features::WIDTH, &rows),
            })
        })
    }
}

impl Answer {
    /// What the job's output says; `None` when it is no answer to a [`Question`].
    #[must_use]
    pub fn read(output: &[u8]) -> Option<Self> {
        let [last_day, tomorrow] = output.as_chunks::<4>().0 else { return None };
        let whole = output.len() == 8;
        whole.then(|| Self { last_day: i32::from_le_bytes(*last_day), tomorrow: i32::from_le_bytes(*tomorrow) })
    }
}

/// Days at the end of the recording that are looked at: more than a row is made of.
const DAYS: u32 = 10;

/// The PM10 of the recording's last days by station and day; `None` when it has none. Of several readings of one day the
/// last stands.
fn grid(dataset: &Dataset) -> Option<Grid> {
    let places = dataset.stations.iter().map(|station| station.position);
    let places = places.map(|position| Place { lat_e7: position.lat_e7, lon_e7: position.lon_e7 }).collect();
    let row = |row: &crate::dataset::Row| {
        let value = u16::try_from(*row.values.get(&Quantity::Pm10)?).ok()?;
        Some((u32::try_from(row.time_ms / DAY_MS).ok()?, row.station, value))
    };
    let mut rows: Vec<(u32, usize, u16)> = dataset.readings.iter().filter_map(row).collect();
    let last_day = rows.iter().map(|row| row.0).max()?;
    rows.retain(|row| row.0 + DAYS > last_day);
    Some(Grid::of(places, &rows))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn the_carried_recording_can_be_asked_about_and_the_job_answers_as_the_model_does() {
        let dataset = Dataset::germany_pm10().unwrap();
        let question = Question::about(&dataset, 0..dataset.stations.len()).unwrap();
        assert_eq!(question.last_day, 14_609);
        let limits = cairn_wasm::Limits { gas: 10_000_000, pages: 16, output_bytes: 64 };
        let job = cairn_wasm::Job {
            module: cairn_jobs::INFERENCE,
            inputs: &[cairn_jobs::PM10_MODEL, &question.rows],
            arguments: b"",
            profile: cairn_wasm::Profile::DetInt,
            limits,
            seed: [0; 32],
        };
        let ran = cairn_wasm::run(&job).unwrap();
        let answer = Answer::read(&ran.output).unwrap();
        assert!((0..3_000).contains(&answer.last_day) && (0..3_000).contains(&answer.tomorrow), "{answer:?}");
    }

    #[test]
    fn where_too_few_reported_nothing_is_asked() {
        let read = |text: &str| Dataset::read(text.as_bytes(), "test", &BTreeMap::new()).unwrap();
        let stations = |days: &[&str]| {
            let mut text = "date,station,lat,lon,pm10\n".to_owned();
            for (day, station) in days.iter().flat_map(|day| (0..9).map(move |station| (day, station))) {
                text += &format!("{day},s{station},5{station}.0,10.0,{station}1.5\n");
            }
            read(&text)
        };
        assert!(Question::about(&stations(&["2009-01-01", "2009-01-02"]), [7]).is_some_and(|q| q.measured == 715));
        assert_eq!(Question::about(&stations(&["2009-01-01"]), 0..9), None);
        assert_eq!(Question::about(&stations(&["2009-01-01", "2009-01-03"]), 0..9), None);
        assert_eq!(Question::about(&read("date,station,lat,lon,humidity\n2009-01-01,a,1,1,50\n"), [0]), None);
    }

    #[test]
    fn an_answer_is_two_numbers() {
        let said = Answer::read(&[1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff]);
        assert_eq!(said, Some(Answer { last_day: 1, tomorrow: -1 }));
        for output in [&[0; 4][..], &[0; 9], &[0; 12], b"refused: what it is", b""] {
            assert_eq!(Answer::read(output), None, "{output:?}");
        }
    }
}

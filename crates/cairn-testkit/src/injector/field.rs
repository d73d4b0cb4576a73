//! What stations measured.

use std::collections::BTreeMap;
use std::io::Read as _;

use cairn_classes::sensing::Quantity;
use cairn_core::geo::Position;
use flate2::read::GzDecoder;

const GERMANY_READINGS: &[u8] = include_bytes!("../../../../datasets/germany-pm10/readings.csv.gz");
const GERMANY_STATIONS: &str = include_str!("../../../../datasets/germany-pm10/stations.csv");
const NEW_YORK_READINGS: &[u8] = include_bytes!("../../../../datasets/nyc-asos-2013/readings.csv.gz");
const NEW_YORK_STATIONS: &str = include_str!("../../../../datasets/nyc-asos-2013/stations.csv");

const DAY_MS: u64 = 86_400_000;

/// A station. Its index in the field is its seniority.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Its name.
    pub name: String,
    /// Where it stands.
    pub position: Position,
    /// Height above sea level in cm, when known.
    pub altitude_cm: Option<i32>,
}

/// One reading of one station.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Index into [`Field::places`].
    pub station: usize,
    /// Time of the measurement, ms since 1970 UTC.
    pub time_ms: u64,
    /// At least one value, ascending by quantity, in the quantities' integer units.
    pub values: Vec<(Quantity, i64)>,
}

impl Row {
    /// The value of a quantity.
    #[must_use]
    pub fn value(&self, quantity: Quantity) -> Option<i64> {
        self.values.iter().find(|(of, _)| *of == quantity).map(|&(_, value)| value)
    }
}

/// What stations measured, rows ascending by time, then station.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// What it is called in tables; what is simulated says so.
    pub name: &'static str,
    /// The stations.
    pub places: Vec<Place>,
    /// The readings.
    pub rows: Vec<Row>,
    /// The usual time between two readings of a station, in ms.
    pub cadence_ms: u64,
}

impl Field {
    /// Daily PM10 of German background stations in some of the days since 1970 (European Environment Agency, AirBase).
    ///
    /// # Panics
    /// Never: the recording is the project's own.
    #[must_use]
    pub fn germany(days: std::ops::Range<u64>) -> Self {
        let row = |cells: &[&str]| {
            let time_ms = day_of(cells[0]) * DAY_MS;
            (cells[1].to_owned(), time_ms, vec![(Quantity::Pm10, decimal(cells[2], 1))])
        };
        let mut field = read("germany-pm10", GERMANY_STATIONS, GERMANY_READINGS, DAY_MS, row);
        field.rows.retain(|row| days.contains(&(row.time_ms / DAY_MS)));
        field
    }

    /// Hourly temperature, humidity and wind speed of three airports in the first `days` of 2013 (NOAA ASOS). Pressure is
    /// left out: it is reduced to sea level, which no sensor reports.
    ///
    /// # Panics
    /// Never: the recording is the project's own.
    #[must_use]
    pub fn new_york(days: u64) -> Self {
        const COLUMNS: [(Quantity, usize); 3] =
            [(Quantity::AirTemperature, 2), (Quantity::RelativeHumidity, 3), (Quantity::WindSpeed, 5)];
        let row = |cells: &[&str]| {
            let (date, clock) = cells[0].split_once('T').expect("a date and a time");
            let hour: u64 = clock[..2].parse().expect("an hour");
            let values = COLUMNS.iter().filter(|(_, column)| !cells[*column].is_empty());
            let values = values.map(|&(of, column)| (of, decimal(cells[column], 2))).collect();
            (cells[1].to_owned(), day_of(date) * DAY_MS + hour * 3_600_000, values)
        };
        let mut field = read("nyc-asos-2013", NEW_YORK_STATIONS, NEW_YORK_READINGS, 3_600_000, row);
        let end_ms = day_of("2013-01-01") * DAY_MS + days * DAY_MS;
        field.rows.retain(|row| row.time_ms < end_ms && !row.values.is_empty());
        field
    }

    /// Temperature, humidity, pressure, PM10 and PM2.5 every ten minutes at sixty stations of a city that does not exist.
    #[must_use]
    pub fn simulated_city(seed: u64, days: u64) -> Self {
        super::city::simulate(seed, days)
    }

    /// For every station its rows, ascending in time.
    #[must_use]
    pub fn rows_by_station(&self) -> Vec<Vec<usize>> {
        let mut by_station = vec![Vec::new(); self.places.len()];
        for (n, row) in self.rows.iter().enumerate() {
            by_station[row.station].push(n);
        }
        by_station
    }

    /// The quantities that are measured, ascending.
    #[must_use]
    pub fn quantities(&self) -> Vec<Quantity> {
        let mut found: Vec<Quantity> = self.rows.iter().flat_map(|row| row.values.iter().map(|&(of, _)| of)).collect();
        found.sort_unstable();
        found.dedup();
        found
    }

    /// Whether air temperature is measured.
    #[must_use]
    pub fn has_temperature(&self) -> bool {
        self.rows.iter().any(|row| row.value(Quantity::AirTemperature).is_some())
    }

    /// The 1st and the 99th percentile of a quantity; zeros when it is not measured.
    #[must_use]
    pub fn span(&self, quantity: Quantity) -> (i64, i64) {
        let mut values: Vec<i64> = self.rows.iter().filter_map(|row| row.value(quantity)).collect();
        values.sort_unstable();
        let at = |percent: usize| values.get(values.len().saturating_sub(1) * percent / 100).copied().unwrap_or(0);
        (at(1), at(99))
    }
}

/// Stations in the order of their table, readings as `row` reads them.
fn read(
    name: &'static str,
    stations: &str,
    readings: &[u8],
    cadence_ms: u64,
    row: impl Fn(&[&str]) -> (String, u64, Vec<(Quantity, i64)>),
) -> Field {
    let place = |line: &str| {
        let cells: Vec<&str> = line.split(',').collect();
        let e7 = |text| i32::try_from(decimal(text, 7)).expect("degrees");
        let position = Position::of(e7(cells[1]), e7(cells[2])).expect("a place on earth");
        let altitude_cm = cells.get(3).map(|text| i32::try_from(decimal(text, 2)).expect("metres"));
        Place { name: cells[0].to_owned(), position, altitude_cm }
    };
    let places: Vec<Place> = stations.lines().skip(1).map(place).collect();
    let numbers: BTreeMap<&str, usize> = places.iter().enumerate().map(|(n, place)| (place.name.as_str(), n)).collect();
    let mut text = String::new();
    GzDecoder::new(readings).read_to_string(&mut text).expect("the recording is gzipped text");
    let of_line = |line: &str| {
        let (station, time_ms, values) = row(&line.split(',').collect::<Vec<_>>());
        Row { station: numbers[station.as_str()], time_ms, values }
    };
    let mut rows: Vec<Row> = text.lines().skip(1).map(of_line).collect();
    rows.sort_by_key(|row| (row.time_ms, row.station));
    Field { name, places, rows, cadence_ms }
}

/// A decimal number times `10^places`; it must not have more places.
fn decimal(text: &str, places: usize) -> i64 {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    assert!(part.len() <= places, "{text} has more than {places} places");
    format!("{whole}{part:0<places$}").parse().expect("a decimal number")
}

/// Days from 1970-01-01 to a date (Howard Hinnant, "chrono-compatible low-level date algorithms", `days_from_civil`).
pub(super) fn day_of(date: &str) -> u64 {
    let part = |range: std::ops::Range<usize>| date[range].parse::<u64>().expect("a date");
    let (year, month, day) = (part(0..4), part(5..7), part(8..10));
    let year = year - u64::from(month <= 2);
    let (era, of_era) = (year / 400, year % 400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

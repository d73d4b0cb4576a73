//! The project's recording as a grid: daily PM10 of 70 German stations.

use std::io::Read;

use cairn_jobs::{Grid, Place};

const READINGS: &[u8] = include_bytes!("../../../../datasets/germany-pm10/readings.csv.gz");
const STATIONS: &str = include_str!("../../../../datasets/germany-pm10/stations.csv");

/// The whole recording.
pub fn germany() -> Grid {
    let mut names = Vec::new();
    let mut places = Vec::new();
    for line in STATIONS.lines().skip(1) {
        let [name, lat, lon] = fields(line);
        names.push(name);
        places.push(Place { lat_e7: decimal(lat, 7), lon_e7: decimal(lon, 7) });
    }
    let mut text = String::new();
    flate2::read::GzDecoder::new(READINGS).read_to_string(&mut text).expect("the recording is gzipped text");
    let row = |line| {
        let [date, station, value] = fields(line);
        let station = names.iter().position(|name| *name == station).expect("every station has a place");
        (day(date), station, u16::try_from(decimal(value, 1)).expect("concentrations are small"))
    };
    Grid::of(places, &text.lines().skip(1).map(row).collect::<Vec<_>>())
}

fn fields(line: &str) -> [&str; 3] {
    let fields: Vec<&str> = line.split(',').collect();
    fields.try_into().expect("a row has three fields")
}

/// A decimal number with at most so many places behind the point, times ten to their power.
fn decimal(text: &str, places: usize) -> i32 {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    assert!(part.len() <= places, "{text}");
    format!("{whole}{part:0<places$}").parse().expect("a decimal number")
}

/// Days since 1970 of a date of the Gregorian calendar.
fn day(date: &str) -> u32 {
    let mut parts = date.split('-').map(|part| part.parse::<u32>().expect("a date"));
    let mut next = || parts.next().expect("year, month, day");
    let (year, month, day) = (next(), next(), next());
    let leap = |year: u32| u32::from(year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)));
    let lengths = [31, 28 + leap(year), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    (1970..year).map(|year| 365 + leap(year)).sum::<u32>() + lengths[..month as usize - 1].iter().sum::<u32>() + day - 1
}

//! Recorded readings: a CSV file, plain or gzipped, and the recording that the binary carries.
//!
//! One row is one reading of one station: a `timestamp` (or `date`), a `station` (or `sensor_id`), `lat` and `lon`, an
//! optional `elevation` in metres, an optional `owner`, and any of the columns of [`Quantity::column`] (`temperature` degC, `humidity` %,
//! `pressure_pa`, `pm10`, `pm25`, ...; `pm10_ug_m3` and `pm25_ug_m3` are also understood). Other columns are ignored. A
//! bad row is reported with its line and reason, and skipped; a bad header refuses the file.
//!
//! Decimal text becomes integers digit by digit, without floats, rounded half away from zero. Times without a zone are
//! UTC. Not here: sorting, joining readings into reports, deciding whether a value is plausible.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use cairn_classes::sensing::{Quantity, VALUE_MAX};
use cairn_core::geo::{Position, distance_m};
use csv::{ByteRecord, ReaderBuilder};
use flate2::bufread::MultiGzDecoder;

const GERMANY_READINGS: &[u8] = include_bytes!("../../../datasets/germany-pm10/readings.csv.gz");
const GERMANY_STATIONS: &[u8] = include_bytes!("../../../datasets/germany-pm10/stations.csv");

/// A row whose position is farther than this from its station's first one is another place.
const MOVED_M: u32 = 1_000;

/// A place that measures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Station {
    /// Its name in the file.
    pub name: String,
    /// The position of its first row.
    pub position: Position,
    /// Height above sea level in cm, when the file has it.
    pub altitude_cm: Option<i32>,
    /// Whose it is, when the file says so; of its first row.
    pub owner: Option<String>,
}

/// One reading.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Line of the file, from 1; the header is line 1.
    pub line: u64,
    /// Time of the measurement, ms since 1970 UTC.
    pub time_ms: u64,
    /// Index into [`Dataset::stations`].
    pub station: usize,
    /// At least one value, in the quantities' integer units.
    pub values: BTreeMap<Quantity, i64>,
}

/// A row that was skipped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadRow {
    /// Line of the file, from 1.
    pub line: u64,
    /// Why.
    pub reason: String,
}

impl fmt::Display for BadRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.reason)
    }
}

/// A whole recording, rows in the order of the file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Dataset {
    /// Stations in the order in which they first appear.
    pub stations: Vec<Station>,
    /// Good rows.
    pub readings: Vec<Row>,
    /// Bad rows.
    pub bad_rows: Vec<BadRow>,
}

/// Why a file is not a recording at all.
#[derive(Debug, thiserror::Error)]
pub enum DatasetError {
    /// The file cannot be read.
    #[error("cannot read {path}: {source}")]
    Io {
        /// The file.
        path: String,
        /// What the system says.
        source: io::Error,
    },
    /// The header lacks a column, has one twice, or names no quantity.
    #[error("the header of {path} {what}")]
    Header {
        /// The file.
        path: String,
        /// What is wrong with it.
        what: String,
    },
}

impl DatasetError {
    /// The stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Io { .. } => "NET-DATASET-IO",
            Self::Header { .. } => "NET-DATASET-HEADER",
        }
    }

    /// The way out.
    pub const fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Io { .. } => None,
            Self::Header { .. } => Some(
                "wanted: timestamp|date, station|sensor_id, lat, lon, optional elevation, and any of temperature, \
                 humidity, pressure_pa, pm10, pm25, pm10_ug_m3",
            ),
        }
    }
}

impl Dataset {
    /// The recording that the binary carries: daily PM10 of 70 German background stations, 1998 to 2009 (European
    /// Environment Agency, AirBase).
    pub fn germany_pm10() -> Result<Self, DatasetError> {
        let places = read_places(GERMANY_STATIONS, "germany-pm10/stations.csv")?;
        Self::read(GERMANY_READINGS, "germany-pm10/readings.csv.gz", &places)
    }

    /// Reads a file, gzipped or plain.
    pub fn open(path: &Path) -> Result<Self, DatasetError> {
        Self::open_with(path, None)
    }

    /// Reads a file, gzipped or plain, whose stations' places may stand in another file: `station, lat, lon`.
    pub fn open_with(path: &Path, stations: Option<&Path>) -> Result<Self, DatasetError> {
        let open = |path: &Path| {
            let name = path.display().to_string();
            match std::fs::File::open(path) {
                Ok(file) => Ok((BufReader::new(file), name)),
                Err(source) => Err(DatasetError::Io { path: name, source }),
            }
        };
        let places = match stations.map(open).transpose()? {
            Some((file, name)) => read_places(file, &name)?,
            None => BTreeMap::new(),
        };
        let (file, name) = open(path)?;
        Self::read(file, &name, &places)
    }

    /// Reads CSV, gzipped or plain, row by row. `places` gives the positions when the file has no `lat` and `lon`.
    pub fn read(input: impl BufRead, path: &str, places: &BTreeMap<String, Position>) -> Result<Self, DatasetError> {
        let io = |source| DatasetError::Io { path: path.to_owned(), source };
        let mut csv = ReaderBuilder::new().has_headers(false).flexible(true).from_reader(unzipped(input).map_err(io)?);
        let mut record = ByteRecord::new();
        let header = |what: String| DatasetError::Header { path: path.to_owned(), what };
        if !csv.read_byte_record(&mut record).map_err(|error| io(error.into()))? {
            return Err(header("is missing: the file is empty".to_owned()));
        }
        let columns = Columns::of(&record, !places.is_empty()).map_err(header)?;
        let mut dataset = Self::default();
        let mut names = BTreeMap::new();
        while csv.read_byte_record(&mut record).map_err(|error| io(error.into()))? {
            let line = record.position().map_or(0, csv::Position::line);
            if let Err(reason) = dataset.take_row(line, &record, &columns, &mut names, places) {
                dataset.bad_rows.push(BadRow { line, reason });
            }
        }
        Ok(dataset)
    }

    fn take_row(
        &mut self,
        line: u64,
        record: &ByteRecord,
        columns: &Columns,
        names: &mut BTreeMap<String, usize>,
        places: &BTreeMap<String, Position>,
    ) -> Result<(), String> {
        if record.len() != columns.count {
            return Err(format!("{} fields where the header has {}", record.len(), columns.count));
        }
        let time_ms = parse_time(cell(record, columns.time)?)?;
        let mut values = BTreeMap::new();
        for &(column, quantity) in &columns.values {
            let text = cell(record, column)?;
            if !is_missing(text) {
                let value = parse_decimal(text, quantity.decimals().into())
                    .filter(|value| value.unsigned_abs() <= VALUE_MAX.unsigned_abs())
                    .ok_or_else(|| format!("{} `{text}` is not a decimal number", quantity.column()))?;
                values.insert(quantity, value);
            }
        }
        if values.is_empty() {
            return Err("no value".to_owned());
        }
        let name = cell(record, columns.station)?;
        if name.is_empty() {
            return Err("no station".to_owned());
        }
        let position = match columns.place {
            Some((lat, lon)) => parse_position(cell(record, lat)?, cell(record, lon)?)?,
            None => *places.get(name).ok_or_else(|| format!("station `{name}` has no known position"))?,
        };
        let altitude_cm = columns.elevation.map_or(Ok(None), |column| parse_elevation(cell(record, column)?))?;
        let station = match names.get(name) {
            Some(&station) => self.same_place(station, position)?,
            None => {
                let owner = columns.owner.map(|column| cell(record, column)).transpose()?.unwrap_or_default();
                let owner = (!owner.is_empty()).then(|| owner.to_owned());
                names.insert(name.to_owned(), self.stations.len());
                self.stations.push(Station { name: name.to_owned(), position, altitude_cm, owner });
                self.stations.len() - 1
            }
        };
        self.readings.push(Row { line, time_ms, station, values });
        Ok(())
    }

    fn same_place(&self, station: usize, position: Position) -> Result<usize, String> {
        let moved_m = distance_m(self.stations[station].position, position);
        if moved_m <= MOVED_M {
            return Ok(station);
        }
        Err(format!("station `{}` is {moved_m} m away from its first position", self.stations[station].name))
    }
}

/// Which column holds what.
struct Columns {
    count: usize,
    time: usize,
    station: usize,
    /// `lat` and `lon`.
    place: Option<(usize, usize)>,
    elevation: Option<usize>,
    owner: Option<usize>,
    values: Vec<(usize, Quantity)>,
}

impl Columns {
    fn of(header: &ByteRecord, places_known: bool) -> Result<Self, String> {
        let names: Vec<String> = header
            .iter()
            .map(|name| String::from_utf8_lossy(name).trim_start_matches('\u{feff}').trim().to_lowercase())
            .collect();
        let one_of = |wanted: &[&str]| {
            let mut found = names.iter().enumerate().filter(|(_, name)| wanted.contains(&name.as_str()));
            match (found.next(), found.next()) {
                (Some((column, _)), None) => Ok(Some(column)),
                (None, _) => Ok(None),
                _ => Err(format!("has `{}` twice", wanted.join("` or `"))),
            }
        };
        let required = |wanted: &[&str]| one_of(wanted)?.ok_or_else(|| format!("lacks `{}`", wanted.join("` or `")));
        let mut values = Vec::new();
        for quantity in Quantity::all() {
            let with_unit = format!("{}_ug_m3", quantity.column());
            let also = matches!(quantity, Quantity::Pm10 | Quantity::Pm25).then_some(with_unit.as_str());
            let wanted: Vec<&str> = std::iter::once(quantity.column()).chain(also).collect();
            values.extend(one_of(&wanted)?.map(|column| (column, quantity)));
        }
        if values.is_empty() {
            return Err("names no quantity".to_owned());
        }
        let place = match (one_of(&["lat"])?, one_of(&["lon"])?) {
            (Some(lat), Some(lon)) => Some((lat, lon)),
            (None, None) if places_known => None,
            (None, _) => return Err("lacks `lat`".to_owned()),
            (_, None) => return Err("lacks `lon`".to_owned()),
        };
        Ok(Self {
            count: names.len(),
            time: required(&["timestamp", "date"])?,
            station: required(&["station", "sensor_id"])?,
            place,
            elevation: one_of(&["elevation"])?,
            owner: one_of(&["owner"])?,
            values,
        })
    }
}

/// A table of `station, lat, lon`.
fn read_places(input: impl BufRead, path: &str) -> Result<BTreeMap<String, Position>, DatasetError> {
    let io = |source| DatasetError::Io { path: path.to_owned(), source };
    let header = |what: String| DatasetError::Header { path: path.to_owned(), what };
    let mut csv = ReaderBuilder::new().from_reader(unzipped(input).map_err(io)?);
    let mut places = BTreeMap::new();
    for record in csv.byte_records() {
        let record = record.map_err(|error| io(error.into()))?;
        let place = || parse_position(cell(&record, 1)?, cell(&record, 2)?);
        let name = cell(&record, 0).map_err(header)?.to_owned();
        places.insert(name, place().map_err(header)?);
    }
    Ok(places)
}

/// The input itself, or what it unpacks to when it starts as gzip does.
pub(crate) fn unzipped<'a>(mut input: impl BufRead + 'a) -> io::Result<Box<dyn Read + 'a>> {
    let zipped = input.fill_buf()?.starts_with(&[0x1f, 0x8b]);
    Ok(if zipped { Box::new(MultiGzDecoder::new(input)) } else { Box::new(input) })
}

fn cell(record: &ByteRecord, column: usize) -> Result<&str, String> {
    let bytes = record.get(column).ok_or_else(|| format!("column {} is missing", column + 1))?;
    let text = str::from_utf8(bytes).map_err(|_| format!("column {} is not UTF-8", column + 1))?;
    Ok(text.trim())
}

/// What tables write for no value.
pub(crate) fn is_missing(text: &str) -> bool {
    ["", "na", "n/a", "nan", "null"].contains(&text.to_lowercase().as_str())
}

pub(crate) fn parse_position(lat: &str, lon: &str) -> Result<Position, String> {
    let e7 = |name: &str, text: &str| {
        let value = parse_decimal(text, 7).and_then(|value| i32::try_from(value).ok());
        value.ok_or_else(|| format!("{name} `{text}` is not a number of degrees"))
    };
    let (lat_e7, lon_e7) = (e7("lat", lat)?, e7("lon", lon)?);
    if (lat_e7, lon_e7) == (0, 0) {
        return Err("the position 0, 0 stands for a missing one".to_owned());
    }
    Position::of(lat_e7, lon_e7).ok_or_else(|| format!("{lat}, {lon} is not on earth"))
}

fn parse_elevation(text: &str) -> Result<Option<i32>, String> {
    if is_missing(text) {
        return Ok(None);
    }
    let cm = parse_decimal(text, 2).and_then(|cm| i32::try_from(cm).ok());
    cm.filter(|cm| (-1_200_000..=1_200_000).contains(cm))
        .map(Some)
        .ok_or_else(|| format!("elevation `{text}` is not a number of metres within 12,000"))
}

/// A decimal number, with an exponent or without, times `10^decimals`, rounded half away from zero. `None` for other text
/// and beyond 18 digits.
pub(crate) fn parse_decimal(text: &str, decimals: i32) -> Option<i64> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i16>().ok()?.into()),
        None => (unsigned, 0i32),
    };
    let (whole, part) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits: Vec<u8> = whole.bytes().chain(part.bytes()).collect();
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    // The integer ends before this digit; the one there decides the rounding.
    let end = i32::try_from(whole.len()).ok()? + exponent + decimals;
    let digit =
        |at: i32| usize::try_from(at).ok().and_then(|at| digits.get(at)).map_or(0, |&digit| i64::from(digit - b'0'));
    let start = i32::try_from(digits.iter().take_while(|&&digit| digit == b'0').count()).ok()?;
    if end - start > 18 && digits.iter().any(|&digit| digit != b'0') {
        return None;
    }
    let magnitude = (start..end).fold(0, |sum, at| sum * 10 + digit(at)) + i64::from(digit(end) >= 5);
    Some(if text.starts_with('-') { -magnitude } else { magnitude })
}

/// A date, a date and time (with `T` or a space, seconds and their fraction optional, zone optional), or seconds or
/// milliseconds since 1970. Without a zone: UTC. Numbers below 10^11 are seconds, those above milliseconds; those below
/// 10^8 are refused, since they are more often dates such as 20240131.
pub(crate) fn parse_time(text: &str) -> Result<u64, String> {
    let time_ms = if text.len() > 4 && text.as_bytes()[4] == b'-' { parse_date_time(text) } else { parse_epoch(text) };
    time_ms.ok_or_else(|| format!("time `{text}` is not a date, a date and time, or seconds or ms since 1970"))
}

fn parse_epoch(text: &str) -> Option<u64> {
    let whole = text.split('.').next().unwrap_or(text);
    let value: u64 = number(whole, 9..=14)?;
    match value {
        100_000_000..100_000_000_000 => u64::try_from(parse_decimal(text, 3)?).ok(),
        100_000_000_000.. => u64::try_from(parse_decimal(text, 0)?).ok(),
        _ => None,
    }
}

fn parse_date_time(text: &str) -> Option<u64> {
    let (date, time) = match text.split_once(['T', 't', ' ']) {
        Some((date, time)) => (date, Some(time.trim_start())),
        None => (text, None),
    };
    let mut parts = date.split('-');
    let (year, month, day) =
        (number(parts.next()?, 4..=4)?, number(parts.next()?, 2..=2)?, number(parts.next()?, 2..=2)?);
    let days = days_since_1970(year, month, day).filter(|_| parts.next().is_none())?;
    let in_day_ms = time.map_or(Some(0), parse_time_of_day)?;
    u64::try_from(days * 86_400_000 + in_day_ms).ok()
}

/// Milliseconds after the date's midnight UTC; negative when the zone is far enough east.
fn parse_time_of_day(text: &str) -> Option<i64> {
    let zone_at = text.find(['Z', 'z', '+', '-']).unwrap_or(text.len());
    let (clock, zone) = text.split_at(zone_at);
    let mut parts = clock.trim_end().split(':');
    let hour = number(parts.next()?, 2..=2).filter(|&hour| hour < 24)?;
    let minute = number(parts.next()?, 2..=2).filter(|&minute| minute < 60)?;
    let second_ms = match parts.next() {
        Some(second) => {
            let whole = second.split('.').next().unwrap_or(second);
            number(whole, 2..=2).filter(|&whole| whole < 60)?;
            parse_decimal(second, 3)?
        }
        None => 0,
    };
    if parts.next().is_some() {
        return None;
    }
    let offset_min = match zone {
        "" | "Z" | "z" => 0,
        _ => {
            let digits = zone[1..].replacen(':', "", 1);
            let value = number(&digits, 4..=4).filter(|value| value % 100 < 60 && *value <= 1_400)?;
            let minutes = (value / 100 * 60 + value % 100).cast_signed();
            if zone.starts_with('-') { -minutes } else { minutes }
        }
    };
    Some(((hour * 60 + minute).cast_signed() - offset_min) * 60_000 + second_ms)
}

/// An unsigned number of so many digits.
fn number(text: &str, digits: std::ops::RangeInclusive<usize>) -> Option<u64> {
    let fits = digits.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    if fits { text.parse().ok() } else { None }
}

/// Days from 1970-01-01 to a date of the Gregorian calendar, 1970 to 9999.
fn days_since_1970(year: u64, month: u64, day: u64) -> Option<i64> {
    let leap = |year: u64| year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let lengths = [31, 28 + u64::from(leap(year)), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let month = usize::try_from(month.checked_sub(1)?).ok()?;
    if year < 1970 || !(1..=*lengths.get(month)?).contains(&day) {
        return None;
    }
    let before = year - 1;
    let leap_days = (before / 4 - before / 100 + before / 400) - (1969 / 4 - 1969 / 100 + 1969 / 400);
    Some(((year - 1970) * 365 + leap_days + lengths[..month].iter().sum::<u64>() + day - 1).cast_signed())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Dataset {
        Dataset::read(text.as_bytes(), "test.csv", &BTreeMap::new()).unwrap()
    }

    #[test]
    fn the_carried_recording_is_whole() {
        let dataset = Dataset::germany_pm10().unwrap();
        assert_eq!(dataset.bad_rows, []);
        assert_eq!((dataset.stations.len(), dataset.readings.len()), (70, 149_151));
        let first = &dataset.readings[0];
        assert_eq!((first.line, first.time_ms), (2, 883_612_800_000));
        assert_eq!(dataset.stations[first.station].name, "DEBW087");
        assert_eq!(first.values, BTreeMap::from([(Quantity::Pm10, 146)]));
        let sum: i64 = dataset.readings.iter().flat_map(|row| row.values.values()).sum();
        assert_eq!(sum, 26_395_479);
    }

    #[test]
    fn decimals_become_integers_rounded_half_away_from_zero() {
        let cases = [
            ("14.6", 1, Some(146)),
            ("14", 1, Some(140)),
            ("14.65", 1, Some(147)),
            ("14.649999999999999999999999999999", 1, Some(146)),
            ("-14.65", 1, Some(-147)),
            ("-0.04", 1, Some(0)),
            ("+.5", 0, Some(1)),
            ("5.", 0, Some(5)),
            ("0.00000000000000000000000000000000000001", 2, Some(0)),
            ("00000000000000000000000000007.25", 2, Some(725)),
            ("1.5e2", 1, Some(1_500)),
            ("12.345e-1", 2, Some(123)),
            ("9e-5", 2, Some(0)),
            ("1e-32000", 2, Some(0)),
            ("999999999999999999", 0, Some(999_999_999_999_999_999)),
            ("9999999999999999999", 0, None),
            ("1e30", 0, None),
            ("0e30", 0, Some(0)),
            ("", 1, None),
            (".", 1, None),
            ("-", 1, None),
            ("1,5", 1, None),
            ("1.2.3", 1, None),
            ("0x10", 1, None),
            ("inf", 1, None),
            ("--1", 1, None),
            ("1 2", 1, None),
        ];
        for (text, decimals, expected) in cases {
            assert_eq!(parse_decimal(text, decimals), expected, "{text}");
        }
    }

    #[test]
    fn times_are_read_in_every_promised_form_and_no_other() {
        let cases = [
            ("1970-01-01", Some(0)),
            ("1998-01-01", Some(883_612_800_000)),
            ("2000-02-29", Some(951_782_400_000)),
            ("2024-02-29 12:30", Some(1_709_209_800_000)),
            ("2019-04-01T00:00:13", Some(1_554_076_813_000)),
            ("2019-04-01 00:00:13.250", Some(1_554_076_813_250)),
            ("2019-04-01T00:00:13Z", Some(1_554_076_813_000)),
            ("2019-04-01T02:00:13+02:00", Some(1_554_076_813_000)),
            ("2019-03-31T19:00:13-0500", Some(1_554_076_813_000)),
            ("1554076813", Some(1_554_076_813_000)),
            ("1554076813.5", Some(1_554_076_813_500)),
            ("1554076813000", Some(1_554_076_813_000)),
            ("1900-01-01", None),
            ("1970-01-01T00:30+01:00", None),
            ("1999-02-29", None),
            ("2100-02-29", None),
            ("2019-13-01", None),
            ("2019-00-01", None),
            ("2019-04-31", None),
            ("2019-4-1", None),
            ("2019-04-01-02", None),
            ("2019-04-01T24:00", None),
            ("2019-04-01T10:60", None),
            ("2019-04-01T10:00:60", None),
            ("2019-04-01T10", None),
            ("2019-04-01T10:00+25:00", None),
            ("20190401", None),
            ("-1554076813", None),
            ("01.04.2019", None),
            ("", None),
            ("2019é-04", None),
        ];
        for (text, expected) in cases {
            assert_eq!(parse_time(text).ok(), expected, "{text}");
        }
    }

    #[test]
    fn a_bad_row_is_named_by_its_line_and_skipped() {
        let dataset = read(
            "\u{feff}Timestamp,sensor_id,lat,lon,elevation,temperature,humidity,pm10,note\n\
             2019-04-01T00:00:13,5332,57.138,-2.077,21.5,5.50,99.90,,\"a\nb\"\n\
             2019-04-01T00:02:41,5332,57.138,-2.077,,5.40,NA,7.25,\n\
             2019-04-01T00:05:00,5332,57.138,-2.077,,,,,\n\
             2019-04-01T00:05:00,5332,57.138,-2.077,,warm,50,,\n\
             yesterday,5332,57.138,-2.077,,5.40,50,,\n\
             2019-04-01T00:05:00,5332,97.138,-2.077,,5.40,50,,\n\
             2019-04-01T00:05:00,5332,58.138,-2.077,,5.40,50,,\n\
             2019-04-01T00:05:00,5333,0,0,,5.40,50,,\n\
             2019-04-01T00:05:00,,57.138,-2.077,,5.40,50,,\n\
             2019-04-01T00:05:00,5332,57.138,-2.077\n\
             2019-04-01T00:05:00,7790,57.130,-2.087,-3,5.20,69.00,,\n",
        );
        let lines: Vec<u64> = dataset.readings.iter().map(|row| row.line).collect();
        assert_eq!(lines, [2, 4, 13]);
        assert_eq!(dataset.readings[1].values, BTreeMap::from([(Quantity::AirTemperature, 540), (Quantity::Pm10, 73)]));
        assert_eq!(dataset.stations[0].altitude_cm, Some(2_150));
        assert_eq!(dataset.stations[1].altitude_cm, Some(-300));
        assert_eq!(dataset.stations[1].position, Position::of(571_300_000, -20_870_000).unwrap());
        let bad: Vec<String> = dataset.bad_rows.iter().map(ToString::to_string).collect();
        let expected = [
            "line 5: no value",
            "line 6: temperature `warm` is not a decimal number",
            "line 7: time `yesterday` is not a date, a date and time, or seconds or ms since 1970",
            "line 8: 97.138, -2.077 is not on earth",
            "line 9: station `5332` is 111195 m away from its first position",
            "line 10: the position 0, 0 stands for a missing one",
            "line 11: no station",
            "line 12: 4 fields where the header has 9",
        ];
        assert_eq!(bad, expected);
    }

    #[test]
    fn a_station_belongs_to_whom_its_first_row_says() {
        let dataset = read("date,station,lat,lon,owner,pm10\n2019-04-01,a,57,-2,ann,1\n2019-04-01,b,57,-2, ,1\n");
        let owners: Vec<Option<&str>> = dataset.stations.iter().map(|station| station.owner.as_deref()).collect();
        assert_eq!(owners, [Some("ann"), None]);
        assert_eq!(read("date,station,lat,lon,pm10\n2019-04-01,a,57,-2,1\n").stations[0].owner, None);
    }

    #[test]
    fn a_file_without_the_columns_is_refused_whole() {
        let cases = [
            ("", "the header of test.csv is missing: the file is empty"),
            ("date,station,lat,lon\n", "the header of test.csv names no quantity"),
            ("date,station,pm10\n", "the header of test.csv lacks `lat`"),
            ("station,lat,lon,pm10\n", "the header of test.csv lacks `timestamp` or `date`"),
            ("date,lat,lon,pm10\n", "the header of test.csv lacks `station` or `sensor_id`"),
            ("date,station,lat,lon,pm10,pm10_ug_m3\n", "the header of test.csv has `pm10` or `pm10_ug_m3` twice"),
        ];
        for (text, message) in cases {
            let refused = Dataset::read(text.as_bytes(), "test.csv", &BTreeMap::new()).unwrap_err();
            assert_eq!((refused.to_string().as_str(), refused.code()), (message, "NET-DATASET-HEADER"));
        }
        assert_eq!(Dataset::open(Path::new("/nowhere/at/all.csv")).unwrap_err().code(), "NET-DATASET-IO");
    }
}

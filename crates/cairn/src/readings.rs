//! Readings of one device from a stream: CSV with a header, or one JSON object per line.
//!
//! The first byte decides: `{` begins JSON lines, anything else a CSV header. Columns and keys are `timestamp` (or `date`;
//! without one the machine's time counts) and those of [`Quantity::column`], `pm10_ug_m3` and `pm25_ug_m3` included;
//! others are ignored. Rows come out as they come in, so a pipe that trickles is sent as it trickles. Not here: stations
//! and places, which belong to whole recordings ([`crate::dataset`]).

use std::collections::BTreeMap;
use std::io::{self, BufRead, Read};

use cairn_classes::sensing::{Quantity, VALUE_MAX};
use csv::{ByteRecord, ReaderBuilder};

use crate::dataset::{BadRow, is_missing, parse_decimal, parse_time};

/// What was measured at one time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// Line of the input, from 1.
    pub line: u64,
    /// Time of the measurement, ms since 1970 UTC; `None` when the input does not say.
    pub time_ms: Option<u64>,
    /// At least one value, in the quantities' integer units.
    pub values: BTreeMap<Quantity, i64>,
}

/// A row, or why it was skipped.
pub type Row = Result<Reading, BadRow>;

/// Hands every row of the input to `take`, until that says stop (`false`) or the input ends.
///
/// # Errors
/// When the input cannot be read, or its header names no quantity.
pub fn read_rows(mut input: impl BufRead, take: impl FnMut(Row) -> bool) -> io::Result<()> {
    match input.fill_buf()?.first() {
        Some(b'{') => read_json(input, take),
        _ => read_csv(input, take),
    }
}

fn quantity_of(column: &str) -> Option<Quantity> {
    let short = match column {
        "pm10_ug_m3" => "pm10",
        "pm25_ug_m3" => "pm25",
        other => other,
    };
    Quantity::all().find(|quantity| quantity.column() == short)
}

fn read_json(mut input: impl BufRead, mut take: impl FnMut(Row) -> bool) -> io::Result<()> {
    let (mut line, mut text) = (0, String::new());
    loop {
        text.clear();
        line += 1;
        match input.read_line(&mut text) {
            Ok(0) => return Ok(()),
            Ok(_) if text.trim().is_empty() => continue,
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::InvalidData => text.clear(),
            Err(error) => return Err(error),
        }
        let row = parse_object(&text).and_then(|fields| reading(line, fields.iter().map(|(k, v)| (k.as_str(), v))));
        if !take(row.map_err(|reason| BadRow { line, reason })) {
            return Ok(());
        }
    }
}

/// The fields of a line as text; what is neither text nor number is no value.
fn parse_object(text: &str) -> Result<Vec<(String, String)>, String> {
    let object: serde_json::Map<String, serde_json::Value> =
        serde_json::from_str(text).map_err(|_| "not a JSON object in UTF-8".to_owned())?;
    let field = |(key, value): (String, serde_json::Value)| match value {
        serde_json::Value::String(text) => Ok((key, text)),
        // A number of up to 15 digits is written as it was read.
        serde_json::Value::Number(number) => Ok((key, number.to_string())),
        serde_json::Value::Null => Ok((key, String::new())),
        _ if quantity_of(&key).is_none() => Ok((key, String::new())),
        _ => Err(format!("{key} is not a number")),
    };
    object.into_iter().map(field).collect()
}

fn read_csv(input: impl Read, mut take: impl FnMut(Row) -> bool) -> io::Result<()> {
    let mut csv = ReaderBuilder::new().has_headers(false).flexible(true).from_reader(input);
    let mut record = ByteRecord::new();
    if !csv.read_byte_record(&mut record)? {
        return Ok(());
    }
    let names: Vec<String> = record
        .iter()
        .map(|name| String::from_utf8_lossy(name).trim_start_matches('\u{feff}').trim().to_lowercase())
        .collect();
    if !names.iter().any(|name| quantity_of(name).is_some()) {
        let columns: Vec<&str> = Quantity::all().map(Quantity::column).collect();
        let what = format!("the first line names no quantity: none of {}", columns.join(", "));
        return Err(io::Error::new(io::ErrorKind::InvalidData, what));
    }
    while csv.read_byte_record(&mut record)? {
        let line = record.position().map_or(0, csv::Position::line);
        if !take(csv_row(line, &names, &record).map_err(|reason| BadRow { line, reason })) {
            return Ok(());
        }
    }
    Ok(())
}

fn csv_row(line: u64, names: &[String], record: &ByteRecord) -> Result<Reading, String> {
    if record.len() != names.len() {
        return Err(format!("{} fields where the header has {}", record.len(), names.len()));
    }
    let mut fields = Vec::with_capacity(names.len());
    for (name, bytes) in names.iter().zip(record) {
        let text = str::from_utf8(bytes).map_err(|_| format!("{name} is not UTF-8"))?;
        fields.push((name.as_str(), text));
    }
    reading(line, fields.into_iter())
}

fn reading<'a, T: AsRef<str> + 'a>(line: u64, fields: impl Iterator<Item = (&'a str, T)>) -> Result<Reading, String> {
    let (mut time_ms, mut values) = (None, BTreeMap::new());
    for (name, text) in fields {
        let text = text.as_ref().trim();
        if matches!(name, "timestamp" | "date") {
            time_ms = Some(parse_time(text)?);
        } else if let Some(quantity) = quantity_of(name).filter(|_| !is_missing(text)) {
            let value = parse_decimal(text, quantity.decimals().into())
                .filter(|value| value.unsigned_abs() <= VALUE_MAX.unsigned_abs())
                .ok_or_else(|| format!("{name} `{text}` is not a decimal number"))?;
            values.insert(quantity, value);
        }
    }
    if values.is_empty() { Err("no value".to_owned()) } else { Ok(Reading { line, time_ms, values }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Line, time and values.
    type Flat = (u64, Option<u64>, Vec<(Quantity, i64)>);

    fn rows(text: &str) -> Vec<Result<Flat, String>> {
        let mut rows = Vec::new();
        read_rows(text.as_bytes(), |row| {
            rows.push(match row {
                Ok(reading) => Ok((reading.line, reading.time_ms, reading.values.into_iter().collect())),
                Err(bad) => Err(bad.to_string()),
            });
            true
        })
        .unwrap();
        rows
    }

    #[test]
    fn csv_and_json_lines_say_the_same() {
        let expected = [
            Ok((2, Some(1_554_076_813_000), vec![(Quantity::AirTemperature, 550), (Quantity::Pm10, 73)])),
            Ok((3, Some(1_554_076_813_500), vec![(Quantity::Pm10, -1)])),
            Err("line 4: no value".to_owned()),
            Err("line 5: pm10 `much` is not a decimal number".to_owned()),
        ];
        let csv = "timestamp,Temperature,pm10,note\n2019-04-01T00:00:13,5.50,7.25,a\n1554076813.5,,-0.1,\n\
                   1554076813,NA,,\n1554076813,1,much,\n";
        assert_eq!(rows(csv), expected);
        let json = "{\"note\": [1]}\n{\"timestamp\":\"2019-04-01T00:00:13\",\"temperature\":5.5,\"pm10\":\"7.25\"}\n\
                    {\"timestamp\":1554076813.5,\"temperature\":null,\"pm10_ug_m3\":-0.1}\n{\"timestamp\":1554076813}\n\
                    {\"pm10\":\"much\"}\n";
        assert_eq!(rows(json)[1..], expected);
        assert_eq!(rows(json)[0], Err("line 1: no value".to_owned()));
    }

    #[test]
    fn rows_without_a_time_have_none_and_rows_that_are_broken_are_named() {
        assert_eq!(rows("pm10\n1\n"), [Ok((2, None, vec![(Quantity::Pm10, 10)]))]);
        assert_eq!(rows("pm10\n1,2\n"), [Err("line 2: 2 fields where the header has 1".to_owned())]);
        assert_eq!(rows("{\"pm10\":1}\nnonsense\n")[1], Err("line 2: not a JSON object in UTF-8".to_owned()));
        assert_eq!(rows("{\"pm10\":[1]}\n"), [Err("line 1: pm10 is not a number".to_owned())]);
        assert_eq!(rows(""), []);
    }

    #[test]
    fn a_header_without_a_quantity_is_refused_and_reading_stops_when_told() {
        assert!(read_rows(&b"timestamp,lat\n1,2\n"[..], |_| true).is_err());
        let mut taken = 0;
        read_rows(&b"pm10\n1\n2\n3\n"[..], |_| {
            taken += 1;
            taken < 2
        })
        .unwrap();
        assert_eq!(taken, 2);
    }
}

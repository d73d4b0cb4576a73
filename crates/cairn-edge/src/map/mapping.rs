//! A mapping as it is configured, and as it reads.

use core::fmt;

use cairn_classes::sensing::Quantity;
use serde::Deserialize;
use serde::de::{self, Deserializer, Visitor};

use super::payload::{Format, Parts, Place, Reader};
use super::template::Template;
use super::time::{TimeForm, parse_time};
use super::{Decimal, Linear, MapError, Unit, preset};
use crate::Reading;

/// The most bytes of a payload.
pub const PAYLOAD_BYTES_MAX: usize = 262_144;

/// The most fields of a mapping.
const FIELDS_MAX: usize = 64;

/// A mapping as it stands in a configuration: a preset, or a format and fields.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MappingConfig {
    /// The name of a mapping that comes with Cairn, see [`super::PRESETS`].
    pub preset: Option<String>,
    /// Of a preset, the quantities that are read; all, where none is named.
    #[serde(default)]
    pub only: Vec<Quantity>,
    /// The form of the payload.
    pub format: Option<Format>,
    /// Of `csv`: what separates values [default: `,`].
    pub separator: Option<char>,
    /// Of `csv`: the names of the columns; a line that holds just these is a header.
    #[serde(default)]
    pub columns: Vec<String>,
    /// Of `pattern`: text with gaps, such as `T={temperature}C`.
    pub pattern: Option<String>,
    /// Where the payload says when it was measured, if it does.
    pub time: Option<TimeConfig>,
    /// What is read; of several fields of one quantity the first that is there.
    #[serde(default)]
    pub field: Vec<FieldConfig>,
}

/// Where a payload says when it was measured.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TimeConfig {
    /// Where it stands, as in [`FieldConfig::at`].
    pub at: String,
    /// How it is written.
    #[serde(default, rename = "as")]
    pub form: TimeForm,
}

/// One value of a payload.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FieldConfig {
    /// What it is.
    pub quantity: Quantity,
    /// Where it stands: a JSON pointer, a column, a key, a gap of the pattern. A bare number needs none.
    pub at: Option<String>,
    /// Its unit [default: the quantity's].
    pub unit: Option<String>,
    /// Where the payload says its unit, which then goes before `unit`.
    pub unit_at: Option<String>,
    /// What the number is multiplied by, before its unit is looked at.
    #[serde(default)]
    pub scale: Option<Factor>,
    /// What is then added.
    #[serde(default)]
    pub offset: Option<Factor>,
    /// Read only where something else stands in the payload.
    pub when: Option<WhenConfig>,
}

/// What must stand in a payload for a field to be read.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WhenConfig {
    /// Where, as in [`FieldConfig::at`].
    pub at: String,
    /// What.
    pub is: String,
}

/// A decimal number in a configuration: an integer, or text such as `"0.1"`, which says exactly what it means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Factor(pub Decimal);

impl<'de> Deserialize<'de> for Factor {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Read;
        impl Visitor<'_> for Read {
            type Value = Factor;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an integer, or a decimal number as text, such as \"0.1\"")
            }

            fn visit_i64<E: de::Error>(self, value: i64) -> Result<Factor, E> {
                Ok(Factor(Decimal::of(value)))
            }

            fn visit_u64<E: de::Error>(self, value: u64) -> Result<Factor, E> {
                self.visit_str(&value.to_string())
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Factor, E> {
                Decimal::parse(text).map(Factor).map_err(E::custom)
            }
        }
        deserializer.deserialize_any(Read)
    }
}

/// What was read of a payload.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Mapped {
    /// At most one of each quantity; none only of a line that says nothing, such as a header.
    pub readings: Vec<Reading>,
    /// When it says that it was measured, ms since 1970 UTC.
    pub said_ms: Option<u64>,
    /// Fields that were there and could not be read.
    pub refused: Vec<(Quantity, MapError)>,
}

/// A mapping that was checked: it reads any payload in time proportional to its length.
#[derive(Debug, Clone)]
pub struct Mapping {
    reader: Reader,
    time: Option<(Place, TimeForm)>,
    fields: Vec<Field>,
}

#[derive(Debug, Clone)]
struct Field {
    quantity: Quantity,
    place: Place,
    unit: Unit,
    unit_place: Option<Place>,
    scaled: Linear,
    when: Option<(Place, String)>,
}

impl Mapping {
    /// Checks a configuration.
    ///
    /// # Errors
    /// `EDGE-MAPPING`, `EDGE-UNIT`.
    pub fn of(config: &MappingConfig) -> Result<Self, MapError> {
        let refused = |what: &str| Err(MapError::Mapping { what: what.to_owned() });
        if let Some(name) = &config.preset {
            let is_alone = config.format.is_none() && config.pattern.is_none() && config.field.is_empty();
            if !is_alone || config.time.is_some() || config.separator.is_some() || !config.columns.is_empty() {
                return refused("a preset takes nothing but `only` beside it");
            }
            let mut made = Self::of(&preset::config(name)?)?;
            let is_asked = |field: &Field| config.only.is_empty() || config.only.contains(&field.quantity);
            made.fields.retain(is_asked);
            return if made.fields.is_empty() {
                refused("the preset reads none of these quantities")
            } else {
                Ok(made)
            };
        }
        let Some(format) = config.format else { return refused("it has no format") };
        if config.field.is_empty() || config.field.len() > FIELDS_MAX {
            return refused("it has one to 64 fields");
        }
        if !config.only.is_empty() {
            return refused("`only` belongs to a preset");
        }
        let reader = reader(config, format)?;
        let time = config.time.as_ref().map(|time| Ok((reader.place(Some(&time.at))?, time.form))).transpose()?;
        let fields = config.field.iter().map(|field| Field::of(field, &reader)).collect::<Result<_, _>>()?;
        Ok(Self { reader, time, fields })
    }

    /// The quantities that it may read.
    pub fn quantities(&self) -> impl Iterator<Item = Quantity> + '_ {
        self.fields.iter().map(|field| field.quantity)
    }

    /// Whether payloads say when they were measured.
    #[must_use]
    pub const fn says_time(&self) -> bool {
        self.time.is_some()
    }

    /// Reads a payload.
    ///
    /// # Errors
    /// `EDGE-PAYLOAD`, `EDGE-TIME`, `EDGE-NOTHING`; where fields were there and none could be read, the error of the first.
    pub fn read(&self, payload: &[u8]) -> Result<Mapped, MapError> {
        if payload.len() > PAYLOAD_BYTES_MAX {
            return Err(MapError::Payload { expected: "at most 262,144 bytes long" });
        }
        let Some(parts) = self.reader.parts(payload)? else { return Ok(Mapped::default()) };
        let mut mapped = Mapped::default();
        for field in &self.fields {
            if mapped.readings.iter().any(|reading| reading.quantity == field.quantity) {
                continue;
            }
            match field.read(&parts) {
                Ok(Some(value)) => mapped.readings.push(Reading { quantity: field.quantity, value }),
                Ok(None) => {}
                Err(error) => mapped.refused.push((field.quantity, error)),
            }
        }
        if mapped.readings.is_empty() {
            let first = mapped.refused.into_iter().next();
            return Err(first.map_or(MapError::Nothing, |(_, error)| error));
        }
        if let Some((place, form)) = &self.time
            && let Some(text) = parts.find(place)
        {
            mapped.said_ms = Some(parse_time(&text, *form)?);
        }
        mapped.readings.sort_unstable_by_key(|reading| reading.quantity);
        Ok(mapped)
    }
}

fn reader(config: &MappingConfig, format: Format) -> Result<Reader, MapError> {
    let refused = |what: &str| Err(MapError::Mapping { what: what.to_owned() });
    if format != Format::Csv && (config.separator.is_some() || !config.columns.is_empty()) {
        return refused("`separator` and `columns` belong to the format `csv`");
    }
    match (format, &config.pattern) {
        (Format::Pattern, Some(pattern)) => Template::parse(pattern).map(Reader::Pattern),
        (Format::Pattern, None) => refused("the format `pattern` needs a `pattern`"),
        (_, Some(_)) => refused("`pattern` belongs to the format `pattern`"),
        (Format::Json, None) => Ok(Reader::Json),
        (Format::KeyValue, None) => Ok(Reader::KeyValue),
        (Format::Number, None) => Ok(Reader::Number),
        (Format::Csv, None) => {
            let separator = u8::try_from(config.separator.unwrap_or(',')).ok().filter(u8::is_ascii);
            let separator = separator.filter(|sign| !sign.is_ascii_alphanumeric() && !b"\"\n\r.-+".contains(sign));
            match separator {
                Some(separator) => Ok(Reader::Csv { separator, columns: config.columns.clone() }),
                None => refused("`separator` is one sign, such as `;`"),
            }
        }
    }
}

impl Field {
    fn of(config: &FieldConfig, reader: &Reader) -> Result<Self, MapError> {
        let quantity = config.quantity;
        let unit = config.unit.as_deref().map_or_else(|| Ok(Unit::of(quantity)), Unit::named)?;
        unit.to(quantity)?;
        let factor = |factor: Option<Factor>, default| factor.map_or_else(|| Decimal::of(default), |factor| factor.0);
        let scaled = Linear::scaled(factor(config.scale, 1), factor(config.offset, 0));
        let scaled = scaled.ok_or_else(|| MapError::Mapping {
            what: format!("`scale` and `offset` of {quantity} have more than 18 digits together"),
        })?;
        scaled.then(&unit.to(quantity)?).ok_or_else(|| MapError::Mapping {
            what: format!("`scale` and `offset` of {quantity} have too many digits for its unit"),
        })?;
        Ok(Self {
            quantity,
            place: reader.place(config.at.as_deref())?,
            unit,
            unit_place: config.unit_at.as_deref().map(|at| reader.place(Some(at))).transpose()?,
            scaled,
            when: config.when.as_ref().map(|when| Ok((reader.place(Some(&when.at))?, when.is.clone()))).transpose()?,
        })
    }

    fn read(&self, parts: &Parts<'_>) -> Result<Option<i64>, MapError> {
        if let Some((place, word)) = &self.when
            && parts.find(place).is_none_or(|found| found != word.as_str())
        {
            return Ok(None);
        }
        let Some(text) = parts.find(&self.place) else { return Ok(None) };
        let said = self.unit_place.as_ref().and_then(|place| parts.find(place));
        let unit = said.map_or(Ok(self.unit), |name| Unit::named(&name))?;
        let function = self.scaled.then(&unit.to(self.quantity)?).ok_or(MapError::Digits)?;
        function.at(Decimal::parse(&text)?).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mapping(toml: &str) -> Result<Mapping, MapError> {
        Mapping::of(&toml::from_str(toml).unwrap())
    }

    fn read(toml: &str, payload: &str) -> Result<Vec<(&'static str, i64)>, &'static str> {
        let mapped = mapping(toml).unwrap().read(payload.as_bytes()).map_err(|error| error.code())?;
        Ok(mapped.readings.iter().map(|reading| (reading.quantity.key(), reading.value)).collect())
    }

    const CSV: &str = r#"
        format = "csv"
        separator = ";"
        columns = ["time", "t", "rh"]
        time = { at = "time", as = "s" }
        [[field]]
        quantity = "temperature"
        at = "t"
        unit = "degF"
        [[field]]
        quantity = "humidity"
        at = "3"
        [[field]]
        quantity = "battery"
        at = "4"
        unit = "V"
    "#;

    const ADC: &str = r#"
        format = "key_value"
        [[field]]
        quantity = "temperature"
        at = "adc"
        scale = "0.125"
        offset = -40
        [[field]]
        quantity = "pressure"
        at = "p"
        unit = "hPa"
    "#;

    #[test]
    fn lines_become_readings() {
        let pattern = "format = \"pattern\"\npattern = \"Wind {speed} from {dir} {}\"\n\
            field = [{ quantity = \"wind_speed\", at = \"speed\", unit = \"km/h\" }, { quantity = \"wind_direction\", at = \"dir\" }]";
        let number = "format = \"number\"\nfield = [{ quantity = \"co2\" }]";
        let cases = [
            (CSV, "1700000000;70.7;45.25;3.7", Ok(vec![("temperature", 2150), ("humidity", 4525), ("battery", 3700)])),
            (CSV, "1700000000;\"70.7\"; 45.25 \r\n", Ok(vec![("temperature", 2150), ("humidity", 4525)])),
            (CSV, "time;t;rh", Ok(vec![])),
            (CSV, "# comment", Ok(vec![])),
            (CSV, "", Ok(vec![])),
            (CSV, "1700000000;nan;45", Ok(vec![("humidity", 4500)])),
            (CSV, "1700000000;nan;", Err("EDGE-NUMBER")),
            (CSV, "1700000000;;unavailable;", Err("EDGE-NOTHING")),
            (CSV, "yesterday;70.7;45", Err("EDGE-TIME")),
            (CSV, "1;70.7\n1;70.8", Err("EDGE-PAYLOAD")),
            (ADC, "adc=492, p:1013.25 rest", Ok(vec![("temperature", 2150), ("pressure", 101_325)])),
            (ADC, "adc=\"492\"&q=7", Ok(vec![("temperature", 2150)])),
            (ADC, "adc=1e300", Err("EDGE-RANGE")),
            (pattern, "Wind  36 from 270 deg", Ok(vec![("wind_speed", 1000), ("wind_direction", 270)])),
            (pattern, "wind 36 from 270 deg", Err("EDGE-PAYLOAD")),
            (number, " 415 \n", Ok(vec![("co2", 415)])),
            (number, "415 ppm", Err("EDGE-NUMBER")),
            (number, "unavailable", Err("EDGE-NOTHING")),
        ];
        for (config, payload, expected) in cases {
            assert_eq!(read(config, payload), expected, "{payload}");
        }
        let mapped = mapping(CSV).unwrap().read(b"1700000000.5;nan;45").unwrap();
        assert_eq!(mapped.said_ms, Some(1_700_000_000_500));
        assert_eq!(mapped.refused.len(), 1);
        assert_eq!(mapping(CSV).unwrap().read(&[0xff]).unwrap_err().code(), "EDGE-PAYLOAD");
        assert_eq!(mapping(CSV).unwrap().read(&vec![b' '; PAYLOAD_BYTES_MAX + 1]).unwrap_err().code(), "EDGE-PAYLOAD");
    }

    #[test]
    fn units_may_stand_in_the_payload() {
        let config = r#"
            format = "json"
            [[field]]
            quantity = "temperature"
            at = "/state"
            unit_at = "/unit"
            when = { at = "/class", is = "temperature" }
        "#;
        let cases = [
            (r#"{"state":"70.7","unit":"°F","class":"temperature"}"#, Ok(vec![("temperature", 2150)])),
            (r#"{"state":21.5,"class":"temperature"}"#, Ok(vec![("temperature", 2150)])),
            (r#"{"state":21.5,"unit":"hPa","class":"temperature"}"#, Err("EDGE-UNIT")),
            (r#"{"state":21.5,"class":"humidity"}"#, Err("EDGE-NOTHING")),
            (r#"{"state":true,"class":"temperature"}"#, Err("EDGE-NUMBER")),
            (r#"{"state":"unavailable","class":"temperature"}"#, Err("EDGE-NOTHING")),
        ];
        for (payload, expected) in cases {
            assert_eq!(read(config, payload), expected, "{payload}");
        }
    }

    #[test]
    fn what_cannot_be_a_mapping_is_refused() {
        let field = "field = [{ quantity = \"temperature\", at = \"t\" }]";
        for (config, code) in [
            ("", "EDGE-MAPPING"),
            ("preset = \"nothing of ours\"", "EDGE-MAPPING"),
            ("preset = \"zigbee2mqtt\"\nformat = \"json\"", "EDGE-MAPPING"),
            ("preset = \"zigbee2mqtt\"\nonly = [\"host_load\"]", "EDGE-MAPPING"),
            ("format = \"json\"", "EDGE-MAPPING"),
            (&format!("format = \"json\"\n{field}"), "EDGE-MAPPING"),
            (&format!("format = \"csv\"\n{field}"), "EDGE-MAPPING"),
            (&format!("format = \"csv\"\ncolumns = [\"t\"]\nseparator = \"\u{e4}\"\n{field}"), "EDGE-MAPPING"),
            (&format!("format = \"number\"\n{field}"), "EDGE-MAPPING"),
            (&format!("format = \"pattern\"\n{field}"), "EDGE-MAPPING"),
            (&format!("format = \"pattern\"\npattern = \"{{x}}\"\n{field}"), "EDGE-MAPPING"),
            (&format!("format = \"key_value\"\ncolumns = [\"t\"]\n{field}"), "EDGE-MAPPING"),
            (
                "format = \"key_value\"\nfield = [{ quantity = \"temperature\", at = \"t\", unit = \"hPa\" }]",
                "EDGE-UNIT",
            ),
            (
                "format = \"key_value\"\nfield = [{ quantity = \"temperature\", at = \"t\", scale = \"1e18\", unit = \"degF\" }]",
                "EDGE-MAPPING",
            ),
        ] {
            assert_eq!(mapping(config).unwrap_err().code(), code, "{config}");
        }
        let float = "format = \"json\"\nfield = [{ quantity = \"co2\", at = \"/a\", scale = 0.1 }]";
        assert!(toml::from_str::<MappingConfig>(float).unwrap_err().to_string().contains("as text"));
    }
}

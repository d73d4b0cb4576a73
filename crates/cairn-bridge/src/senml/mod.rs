//! Sensor Measurement Lists, RFC 8428: packs of records in JSON or CBOR, resolved and read as readings.
//!
//! Promised: base fields hold from the record that has them on; names and times are resolved as section 4.6 says, and a time
//! below 2^28 s is relative to when the pack came in (section 4.5.3); versions above 10 and labels that end in `_` are refused, as the
//! RFC asks; all numbers are read as the decimals they are. A record whose unit measures nothing that a report can hold, text,
//! booleans, data and sums are passed over and counted. Not here: which device a name belongs to is the bridge's table.

mod cbor;
mod json;

use cairn_classes::sensing::Quantity;
use cairn_core::Hash;
use cairn_core::report::ClockSource;
use cairn_edge::Reading;
use cairn_edge::map::Unit;

use crate::said::sorted;
use crate::{BridgeError, Exact, Measured, Replay, Said};

/// The most records of a pack.
pub const RECORDS_MAX: usize = 1_024;
/// The longest name, and unit, in bytes.
const NAME_BYTES_MAX: usize = 256;
/// The version that is read.
const VERSION: i128 = 10;
/// Times below this many seconds are relative.
const RELATIVE_BELOW_S: i128 = 1 << 28;
/// How long the same bytes without a time of their own are the same pack.
const AGAIN_MS: u64 = 10_000;

/// Either form of a pack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// `application/senml+json`.
    Json,
    /// `application/senml+cbor`.
    Cbor,
}

/// One record as it stands, labels read and nothing resolved.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Record {
    base_name: Option<String>,
    base_time: Option<Exact>,
    base_unit: Option<String>,
    base_value: Option<Exact>,
    base_version: Option<Exact>,
    name: Option<String>,
    unit: Option<String>,
    value: Option<Exact>,
    time: Option<Exact>,
    /// Text, a boolean, data or a sum.
    is_other: bool,
}

/// How the values of a name are read.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NameRule {
    /// What the name ends in, behind the device: `temp`, or `urn:x:temp` for all devices.
    pub name: String,
    /// What it is.
    pub quantity: Quantity,
    /// Its unit, where the pack says none [default: the quantity's].
    pub unit: Option<String>,
}

/// What a pack came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pack {
    /// By device and time, in the order in which they stand.
    pub said: Vec<Said>,
    /// How it is known again.
    pub replay: Replay,
    /// Records that hold nothing that can be reported.
    pub passed_over: usize,
    /// The first that could not be read, and why; those it was read with are in `said`.
    pub refused: Option<(String, &'static str)>,
}

/// Whose clock an absolute time is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SenderClock {
    /// Its source.
    pub source: ClockSource,
    /// Its error bound, ms.
    pub error_ms: u64,
}

/// Reads a pack. `device_of` answers the longest beginning of a name that is a device of the table, in bytes.
///
/// # Errors
/// `BRG-PAYLOAD`; `BRG-UNKNOWN-DEVICE` where no name belongs to a device; `BRG-NOTHING`.
pub fn read(
    form: Form,
    bytes: &[u8],
    rules: &[NameRule],
    clock: SenderClock,
    device_of: &dyn Fn(&str) -> Option<usize>,
) -> Result<Pack, BridgeError> {
    let records = match form {
        Form::Json => json::records(bytes)?,
        Form::Cbor => cbor::records(bytes)?,
    };
    let mut base = Record::default();
    let (mut said, mut strangers): (Vec<Said>, Option<String>) = (Vec::new(), None);
    let (mut passed_over, mut refused, mut is_timed) = (0, None, false);
    for record in &records {
        take_base(&mut base, record)?;
        let name = format!("{}{}", base.base_name.as_deref().unwrap_or(""), record.name.as_deref().unwrap_or(""));
        let Some(value) = record.value else {
            passed_over += usize::from(record.is_other);
            continue;
        };
        check_name(&name)?;
        let Some(len) = device_of(&name) else {
            strangers.get_or_insert(name);
            continue;
        };
        let (measured, absolute) = measured(&base, record, clock)?;
        is_timed |= absolute;
        let unit = record.unit.as_deref().or(base.base_unit.as_deref());
        match reading(&name[len..], unit, value, base.base_value, rules) {
            Ok(Some(reading)) => push(&mut said, &name[..len], measured, reading),
            Ok(None) => passed_over += 1,
            Err(error) => {
                refused.get_or_insert((name, error.code()));
            }
        }
    }
    if said.is_empty() {
        return Err(match (strangers, refused) {
            (Some(device), _) => BridgeError::UnknownDevice { device },
            (None, Some((name, code))) => payload(format!("`{name}`: {code}")),
            (None, None) => BridgeError::Nothing,
        });
    }
    for one in &mut said {
        one.readings = sorted(core::mem::take(&mut one.readings));
    }
    let key = Hash::of_parts(&[b"senml", bytes]);
    let replay = if is_timed { Replay::Named(vec![key]) } else { Replay::Within { key, ms: AGAIN_MS } };
    Ok(Pack { said, replay, passed_over, refused })
}

fn payload(why: String) -> BridgeError {
    BridgeError::Payload { expected: "SenML pack", why }
}

/// Takes over the base fields of a record: they hold from here on.
fn take_base(base: &mut Record, record: &Record) -> Result<(), BridgeError> {
    if let Some(version) = record.base_version
        && version.floor_thousands().is_none_or(|version| version > VERSION * 1_000)
    {
        return Err(payload("it has a version above 10".to_owned()));
    }
    base.base_name = record.base_name.clone().or(base.base_name.take());
    base.base_time = record.base_time.or(base.base_time);
    base.base_unit = record.base_unit.clone().or(base.base_unit.take());
    base.base_value = record.base_value.or(base.base_value);
    Ok(())
}

/// Section 4.5.1: letters, digits and `-:./_`, a letter or digit first.
fn check_name(name: &str) -> Result<(), BridgeError> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-:./_".contains(&byte);
    let starts = name.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric());
    if starts && name.len() <= NAME_BYTES_MAX && name.bytes().all(fits) {
        return Ok(());
    }
    Err(payload("a name is empty, too long, or not of letters, digits and `-:./_`".to_owned()))
}

/// When, and whether that is a time of its own.
fn measured(base: &Record, record: &Record, clock: SenderClock) -> Result<(Measured, bool), BridgeError> {
    let zero = Exact::ZERO;
    let sum = base.base_time.unwrap_or(zero).plus(record.time.unwrap_or(zero));
    let ms = sum.and_then(Exact::floor_thousands).ok_or_else(|| payload("a time is beyond any".to_owned()))?;
    if ms >= RELATIVE_BELOW_S * 1_000 {
        let time_ms = u64::try_from(ms).ok().filter(|&ms| ms < 1 << 52);
        let time_ms = time_ms.ok_or_else(|| payload("a time is beyond any".to_owned()))?;
        if clock.source == ClockSource::None {
            return Ok((Measured::Unknown, true));
        }
        return Ok((Measured::At { time_ms, source: clock.source, error_ms: clock.error_ms }, true));
    }
    if ms > 0 {
        return Err(payload("a time is after the pack came in".to_owned()));
    }
    let before_ms = u64::try_from(-ms).map_err(|_| payload("a time is beyond any".to_owned()))?;
    Ok((Measured::OnArrival { before_ms }, false))
}

/// What a record says behind the device's name; `None` where a report cannot hold it.
fn reading(
    name: &str,
    unit: Option<&str>,
    value: Exact,
    base: Option<Exact>,
    rules: &[NameRule],
) -> Result<Option<Reading>, BridgeError> {
    let name = name.trim_start_matches(['/', ':', '.', '_', '-']);
    let rule = rules.iter().find(|rule| rule.name == name);
    let unit = unit.or_else(|| rule.and_then(|rule| rule.unit.as_deref()));
    let quantity = rule.map(|rule| rule.quantity).or_else(|| known_name(name)).or_else(|| known_unit(unit?));
    let Some(quantity) = quantity else { return Ok(None) };
    let unit = unit.map_or_else(|| Ok(Unit::of(quantity)), Unit::named)?;
    let sum = value.plus(base.unwrap_or(Exact::ZERO)).ok_or(BridgeError::Nothing)?;
    Ok(Some(Reading { quantity, value: unit.to(quantity)?.at(sum.decimal()?)? }))
}

/// Names that say what they are.
fn known_name(name: &str) -> Option<Quantity> {
    let last = name.rsplit(['/', ':', '.']).next()?.to_ascii_lowercase();
    Some(match last.as_str() {
        "temp" | "temperature" | "t" => Quantity::AirTemperature,
        "rh" | "hum" | "humidity" => Quantity::RelativeHumidity,
        "p" | "pressure" | "baro" => Quantity::Pressure,
        "pm10" => Quantity::Pm10,
        "pm25" | "pm2_5" => Quantity::Pm25,
        "co2" => Quantity::Co2,
        "lux" | "illuminance" => Quantity::Illuminance,
        "wind_speed" | "windspeed" => Quantity::WindSpeed,
        "wind_direction" | "winddirection" => Quantity::WindDirection,
        "rain" => Quantity::Rain,
        "battery" | "vbat" => Quantity::Battery,
        "irradiance" | "solar" => Quantity::Irradiance,
        "noise" => Quantity::Noise,
        _ => return None,
    })
}

/// Units that measure one quantity alone, as sensors in the open air have it.
fn known_unit(unit: &str) -> Option<Quantity> {
    Some(match unit {
        "Cel" => Quantity::AirTemperature,
        "%RH" => Quantity::RelativeHumidity,
        "Pa" | "hPa" => Quantity::Pressure,
        "lx" => Quantity::Illuminance,
        "W/m2" => Quantity::Irradiance,
        _ => return None,
    })
}

/// Adds a reading to what its device said at that time.
fn push(said: &mut Vec<Said>, device: &str, measured: Measured, reading: Reading) {
    match said.iter_mut().rfind(|one| one.device == device && one.measured == measured) {
        Some(one) => one.readings.push(reading),
        None => said.push(Said { device: device.to_owned(), measured, readings: vec![reading] }),
    }
}

#[cfg(test)]
mod tests;

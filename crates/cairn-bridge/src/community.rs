//! What stations of Sensor.Community (firmware airRohr) push to an API of one's own: `sensordatavalues`, and which of the
//! station's sensors by the header `X-Pin`.
//!
//! A push says no time and no number: when it came in counts, and the same bytes within ten seconds are the firmware trying again.
//! One station is one device here, whatever its pins: they stand at one place and have one owner.

use cairn_classes::sensing::Quantity;
use cairn_core::Hash;
use cairn_edge::Reading;
use cairn_edge::map::{Decimal, Unit};
use serde::Deserialize;

use crate::said::sorted;
use crate::{BridgeError, Measured, Replay, Said};

/// Values of one push.
const VALUES_MAX: usize = 64;
/// How long the same bytes are the same push.
const AGAIN_MS: u64 = 10_000;

#[derive(Deserialize)]
struct Push {
    sensordatavalues: Vec<Value>,
}

#[derive(Deserialize)]
struct Value {
    value_type: String,
    value: Text,
}

/// A number, as text or not.
#[derive(Deserialize)]
#[serde(untagged)]
enum Text {
    Text(String),
    Number(serde_json::Number),
}

/// Reads a push of the station that `X-Sensor` names, of the sensors that `X-Pin` names if it does.
///
/// # Errors
/// `BRG-PAYLOAD`, `BRG-NOTHING`, and the codes of a value where none can be read.
pub fn read(sensor: &str, pin: Option<&str>, bytes: &[u8]) -> Result<(Said, Replay), BridgeError> {
    let refused = |why: String| BridgeError::Payload { expected: "push of Sensor.Community", why };
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    let is_name = |name: &str| (1..=64).contains(&name.len()) && name.bytes().all(fits);
    if !is_name(sensor) {
        return Err(refused("X-Sensor names no station, such as esp8266-1234567".to_owned()));
    }
    let push: Push = serde_json::from_slice(bytes).map_err(|error| refused(error.to_string()))?;
    if push.sensordatavalues.len() > VALUES_MAX {
        return Err(refused(format!("more than {VALUES_MAX} values")));
    }
    let (mut readings, mut first) = (Vec::new(), None);
    for value in &push.sensordatavalues {
        let Some((quantity, unit)) = quantity(&value.value_type, pin) else { continue };
        let text = match &value.value {
            Text::Text(text) => text.clone(),
            Text::Number(number) => number.to_string(),
        };
        let read = Decimal::parse(&text).and_then(|number| Unit::named(unit)?.to(quantity)?.at(number));
        match read {
            Ok(value) => readings.push(Reading { quantity, value }),
            Err(error) => {
                first.get_or_insert(error);
            }
        }
    }
    if readings.is_empty() {
        return Err(first.map_or(BridgeError::Nothing, BridgeError::Value));
    }
    let said = Said {
        device: sensor.to_ascii_lowercase(),
        measured: Measured::OnArrival { before_ms: 0 },
        readings: sorted(readings),
    };
    let key =
        Hash::of_parts(&[b"sensor-community ", sensor.as_bytes(), b" ", pin.unwrap_or("").as_bytes(), b" ", bytes]);
    Ok((said, Replay::Within { key, ms: AGAIN_MS }))
}

/// The quantity and unit of a value: `P1` and `P2` of dust sensors, `BME280_temperature` or, behind a pin, `temperature`.
///
/// Noise (`noise_LAeq`) is A-weighted; what a sensor on pin 13 calls temperature is one of the air too.
fn quantity(value_type: &str, pin: Option<&str>) -> Option<(Quantity, &'static str)> {
    let (model, name) = value_type.split_once('_').map_or(("", value_type), |(model, name)| (model, name));
    let dust = pin.is_none_or(|pin| pin == "1") || !model.is_empty();
    Some(match name {
        "P1" if dust => (Quantity::Pm10, "ug/m3"),
        "P2" if dust => (Quantity::Pm25, "ug/m3"),
        "temperature" => (Quantity::AirTemperature, "degC"),
        "humidity" => (Quantity::RelativeHumidity, "%"),
        "pressure" => (Quantity::Pressure, "Pa"),
        "LAeq" if model == "noise" => (Quantity::Noise, "dBA"),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn readings(pin: Option<&str>, body: &str) -> Result<Vec<(Quantity, i64)>, &'static str> {
        let read = read("esp8266-1234567", pin, body.as_bytes()).map_err(|error| error.code())?;
        Ok(read.0.readings.into_iter().map(|reading| (reading.quantity, reading.value)).collect())
    }

    #[test]
    fn pushes_of_the_firmware_are_read() {
        use Quantity as Q;
        type Row<'a> = (&'a str, Option<&'a str>, &'a str, &'a [(Q, i64)]);
        let cases: [Row<'_>; 6] = [
            (
                "an SDS011 on pin 1",
                Some("1"),
                r#"{"esp8266id": "1234567", "software_version": "NRZ-2024-135", "sensordatavalues":[{"value_type":"P1","value":"24.37"},{"value_type":"P2","value":"9.83"}]}"#,
                &[(Q::Pm10, 244), (Q::Pm25, 98)],
            ),
            (
                "a BME280 on pin 11",
                Some("11"),
                r#"{"software_version":"NRZ-2024-135","sensordatavalues":[{"value_type":"temperature","value":"-3.56"},{"value_type":"pressure","value":"98123.44"},{"value_type":"humidity","value":"81.26"}]}"#,
                &[(Q::AirTemperature, -356), (Q::RelativeHumidity, 8126), (Q::Pressure, 98_123)],
            ),
            (
                "everything at once, as to an API of one's own",
                None,
                r#"{"esp8266id":"1234567","software_version":"NRZ-2024-135","sensordatavalues":[{"value_type":"SDS_P1","value":"5.60"},{"value_type":"SDS_P2","value":"2.10"},{"value_type":"BME280_temperature","value":"21.30"},{"value_type":"BME280_pressure","value":"100532.94"},{"value_type":"BME280_humidity","value":"44.02"},{"value_type":"samples","value":"5041374"},{"value_type":"min_micro","value":"28"},{"value_type":"signal","value":"-71"}]}"#,
                &[
                    (Q::AirTemperature, 2130),
                    (Q::RelativeHumidity, 4402),
                    (Q::Pressure, 100_533),
                    (Q::Pm10, 56),
                    (Q::Pm25, 21),
                ],
            ),
            (
                "numbers that are no text",
                Some("7"),
                r#"{"sensordatavalues":[{"value_type":"temperature","value":21.5},{"value_type":"humidity","value":45}]}"#,
                &[(Q::AirTemperature, 2150), (Q::RelativeHumidity, 4500)],
            ),
            (
                "noise",
                Some("15"),
                r#"{"sensordatavalues":[{"value_type":"noise_LAeq","value":"48.77"},{"value_type":"noise_LA_min","value":"40.1"}]}"#,
                &[(Q::Noise, 488)],
            ),
            (
                "what can be read of it",
                Some("11"),
                r#"{"sensordatavalues":[{"value_type":"temperature","value":"nan"},{"value_type":"humidity","value":"45"}]}"#,
                &[(Q::RelativeHumidity, 4500)],
            ),
        ];
        for (what, pin, body, expected) in cases {
            assert_eq!(readings(pin, body).unwrap(), expected, "{what}");
        }
    }

    #[test]
    fn what_is_no_push_is_refused() {
        for (code, body) in [
            ("BRG-PAYLOAD", ""),
            ("BRG-PAYLOAD", "[]"),
            ("BRG-PAYLOAD", r#"{"sensordatavalues":{}}"#),
            ("BRG-PAYLOAD", r#"{"sensordatavalues":[{"value_type":"P1","value":null}]}"#),
            ("BRG-NOTHING", r#"{"sensordatavalues":[]}"#),
            ("BRG-NOTHING", r#"{"sensordatavalues":[{"value_type":"signal","value":"-70"}]}"#),
            ("EDGE-NUMBER", r#"{"sensordatavalues":[{"value_type":"temperature","value":"inf"}]}"#),
            ("EDGE-RANGE", r#"{"sensordatavalues":[{"value_type":"temperature","value":"1e20"}]}"#),
        ] {
            assert_eq!(readings(Some("1"), body), Err(code), "{body}");
        }
        for sensor in ["", "../x", "a b", &"x".repeat(65)] {
            assert_eq!(read(sensor, None, b"{}").unwrap_err().code(), "BRG-PAYLOAD", "{sensor}");
        }
        // P1 of a geiger counter is none of dust.
        assert_eq!(
            readings(Some("19"), r#"{"sensordatavalues":[{"value_type":"P1","value":"1"}]}"#),
            Err("BRG-NOTHING")
        );
    }
}

//! Mappings that come with Cairn, as data: `presets/*.toml`, in the very form of a configuration.

use super::{MapError, Mapping, MappingConfig};

/// Every preset as (name, what it reads, document).
pub const PRESETS: &[(&str, &str, &str)] = &[
    ("zigbee2mqtt", "what Zigbee2MQTT publishes of a sensor", include_str!("presets/zigbee2mqtt.toml")),
    (
        "home-assistant",
        "a state of Home Assistant, from its REST API or an automation",
        include_str!("presets/home-assistant.toml"),
    ),
    (
        "home-assistant-events",
        "events of Home Assistant's MQTT event stream",
        include_str!("presets/home-assistant-events.toml"),
    ),
    ("tasmota", "what Tasmota publishes under tele/.../SENSOR", include_str!("presets/tasmota.toml")),
    ("airrohr", "data.json of a Sensor.Community station on the local network", include_str!("presets/airrohr.toml")),
];

/// Their names, for people.
pub(super) fn names() -> String {
    PRESETS.iter().map(|(name, ..)| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

pub(super) fn config(name: &str) -> Result<MappingConfig, MapError> {
    let unknown = || MapError::Mapping { what: format!("there is no preset `{name}`; there are {}", names()) };
    let (_, _, document) = PRESETS.iter().find(|(own, ..)| *own == name).ok_or_else(unknown)?;
    toml::from_str(document).map_err(|error| MapError::Mapping { what: format!("the preset `{name}`: {error}") })
}

/// The mapping of a preset.
///
/// # Errors
/// `EDGE-MAPPING` when there is none of that name.
pub fn preset(name: &str) -> Result<Mapping, MapError> {
    Mapping::of(&config(name)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(name: &str, payload: &str) -> (Vec<(&'static str, i64)>, Option<u64>) {
        let mapped = preset(name).unwrap().read(payload.as_bytes()).unwrap();
        assert!(mapped.refused.is_empty(), "{:?}", mapped.refused);
        (mapped.readings.iter().map(|reading| (reading.quantity.key(), reading.value)).collect(), mapped.said_ms)
    }

    #[test]
    fn payloads_of_zigbee2mqtt_are_read() {
        let aqara = r#"{"battery":97,"humidity":48.71,"linkquality":112,"power_outage_count":3,"pressure":1007.4,
            "temperature":22.83,"voltage":2995,"last_seen":"2023-11-14T23:13:20+01:00"}"#;
        let expected = vec![("temperature", 2283), ("humidity", 4871), ("pressure", 100_740), ("battery", 2995)];
        assert_eq!(read("zigbee2mqtt", aqara), (expected, Some(1_700_000_000_000)));
        let air = r#"{"co2":612,"pm25":7,"pm10":9.5,"temperature":21.04,"humidity":39,"last_seen":1700000000123,
            "update":{"state":"idle"},"illuminance":140}"#;
        let expected = vec![
            ("temperature", 2104),
            ("humidity", 3900),
            ("pm10", 95),
            ("pm25", 70),
            ("illuminance", 140),
            ("co2", 612),
        ];
        assert_eq!(read("zigbee2mqtt", air), (expected, Some(1_700_000_000_123)));
        let lux = r#"{"illuminance":31461,"illuminance_lux":1399,"occupancy":false}"#;
        assert_eq!(read("zigbee2mqtt", lux), (vec![("illuminance", 1399)], None));
        let nothing = preset("zigbee2mqtt").unwrap().read(br#"{"state":"ON","temperature":null}"#);
        assert_eq!(nothing.unwrap_err().code(), "EDGE-NOTHING");
    }

    #[test]
    fn states_and_events_of_home_assistant_are_read() {
        let state = |class: &str, state: &str, unit: &str| {
            format!(
                r#"{{"entity_id":"sensor.garden","state":"{state}","attributes":{{"state_class":"measurement",
                "unit_of_measurement":"{unit}","device_class":"{class}","friendly_name":"Garden"}},
                "last_changed":"2023-11-14T22:10:00.000000+00:00","last_updated":"2023-11-14T22:13:20.123456+00:00"}}"#
            )
        };
        let cases = [
            ("temperature", "21.5", "\u{b0}C", ("temperature", 2150)),
            ("temperature", "70.7", "\u{b0}F", ("temperature", 2150)),
            ("humidity", "48", "%", ("humidity", 4800)),
            ("atmospheric_pressure", "1007.4", "hPa", ("pressure", 100_740)),
            ("pressure", "29.92", "inHg", ("pressure", 101_321)),
            ("pm10", "9.5", "\u{b5}g/m\u{b3}", ("pm10", 95)),
            ("pm25", "7", "\u{3bc}g/m\u{b3}", ("pm25", 70)),
            ("wind_speed", "36", "km/h", ("wind_speed", 1000)),
            ("wind_direction", "270", "\u{b0}", ("wind_direction", 270)),
            ("precipitation", "2.5", "mm", ("rain", 250)),
            ("illuminance", "1399", "lx", ("illuminance", 1399)),
            ("irradiance", "812", "W/m\u{b2}", ("irradiance", 812)),
            ("sound_pressure", "42.4", "dB", ("noise", 424)),
            ("carbon_dioxide", "612", "ppm", ("co2", 612)),
            ("voltage", "2.995", "V", ("battery", 2995)),
        ];
        for (class, value, unit, expected) in cases {
            let state = state(class, value, unit);
            assert_eq!(read("home-assistant", &state), (vec![expected], Some(1_700_000_000_123)), "{class}");
            let event = format!(
                r#"{{"event_type":"state_changed","event_data":{{"entity_id":"sensor.garden","old_state":null,"new_state":{state}}}}}"#
            );
            assert_eq!(read("home-assistant-events", &event), (vec![expected], Some(1_700_000_000_123)), "{class}");
        }
        let away = preset("home-assistant").unwrap().read(state("temperature", "unavailable", "\u{b0}C").as_bytes());
        assert_eq!(away.unwrap_err().code(), "EDGE-NOTHING");
    }

    #[test]
    fn telemetry_of_tasmota_is_read() {
        let bme = r#"{"Time":"2023-11-14T22:13:20","BME280":{"Temperature":21.5,"Humidity":48.7,"DewPoint":10.3,
            "Pressure":1007.4},"PressureUnit":"hPa","TempUnit":"C"}"#;
        assert_eq!(
            read("tasmota", bme),
            (vec![("temperature", 2150), ("humidity", 4870), ("pressure", 100_740)], None)
        );
        let dust = r#"{"Time":"2023-11-14T22:13:20","SDS0X1":{"PM2.5":3.1,"PM10":18.2},"AM2301":{"Temperature":70.7,
            "Humidity":48.7},"TempUnit":"F"}"#;
        let expected = vec![("temperature", 2150), ("humidity", 4870), ("pm10", 182), ("pm25", 31)];
        assert_eq!(read("tasmota", dust), (expected, None));
    }

    #[test]
    fn stations_of_sensor_community_are_read_where_they_stand() {
        let data = r#"{"software_version":"NRZ-2020-133","age":"12","sensordatavalues":[
            {"value_type":"SDS_P1","value":"18.20"},{"value_type":"SDS_P2","value":"3.10"},
            {"value_type":"BME280_temperature","value":"21.50"},{"value_type":"BME280_pressure","value":"100740.31"},
            {"value_type":"BME280_humidity","value":"48.71"},{"value_type":"samples","value":"4987"},
            {"value_type":"signal","value":"-71"}]}"#;
        let expected =
            vec![("temperature", 2150), ("humidity", 4871), ("pressure", 100_740), ("pm10", 182), ("pm25", 31)];
        assert_eq!(read("airrohr", data), (expected, None));
    }

    #[test]
    fn every_preset_reads_the_form_that_it_names() {
        for (name, what, _) in PRESETS {
            assert!(preset(name).unwrap().quantities().count() > 0 && !what.is_empty(), "{name}");
        }
    }
}

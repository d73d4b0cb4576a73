//! What a sensor can say: fifteen quantities, each with its number, integer unit and names.

use core::fmt;

use serde::Deserialize;

/// A measured quantity. Numbers are part of the format: added to, never renumbered.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum Quantity {
    /// Air temperature, 0.01 degC.
    #[serde(rename = "temperature")]
    AirTemperature = 1,
    /// Relative humidity, 0.01 %.
    #[serde(rename = "humidity")]
    RelativeHumidity = 2,
    /// Air pressure at the sensor, Pa.
    Pressure = 3,
    /// Particulate matter below 10 um, 0.1 ug/m3.
    Pm10 = 4,
    /// Particulate matter below 2.5 um, 0.1 ug/m3.
    Pm25 = 5,
    /// Wind speed, 0.01 m/s.
    WindSpeed = 6,
    /// Direction the wind comes from, degrees clockwise from north.
    WindDirection = 7,
    /// Rain since boot, 0.01 mm.
    Rain = 8,
    /// Illuminance, lx.
    Illuminance = 9,
    /// Battery voltage, mV.
    Battery = 10,
    /// Irradiance, W/m2.
    Irradiance = 11,
    /// Noise, 0.1 dBA.
    Noise = 12,
    /// Carbon dioxide, ppm.
    Co2 = 13,
    /// Temperature of the host's processor, 0.01 degC.
    HostTemperature = 14,
    /// Load of the host, 0.01.
    HostLoad = 15,
}

/// One row of the table of quantities.
struct Facts {
    quantity: Quantity,
    name: &'static str,
    key: &'static str,
    column: &'static str,
    unit: &'static str,
    decimals: u8,
    /// Whether neighbours can tell it: a state of the air around, not of the device, and not circular or cumulative.
    shared: bool,
}

const fn facts(
    quantity: Quantity,
    name: &'static str,
    key: &'static str,
    column: &'static str,
    unit: &'static str,
    decimals: u8,
    shared: bool,
) -> Facts {
    Facts { quantity, name, key, column, unit, decimals, shared }
}

const TABLE: [Facts; 15] = [
    facts(Quantity::AirTemperature, "temperature", "temperature", "temperature", "degC", 2, true),
    facts(Quantity::RelativeHumidity, "humidity", "humidity", "humidity", "%", 2, true),
    facts(Quantity::Pressure, "pressure", "pressure", "pressure_pa", "Pa", 0, true),
    facts(Quantity::Pm10, "PM10", "pm10", "pm10", "ug/m3", 1, true),
    facts(Quantity::Pm25, "PM2.5", "pm25", "pm25", "ug/m3", 1, true),
    facts(Quantity::WindSpeed, "wind speed", "wind_speed", "wind_speed", "m/s", 2, true),
    facts(Quantity::WindDirection, "wind direction", "wind_direction", "wind_direction", "deg", 0, false),
    facts(Quantity::Rain, "rain since boot", "rain", "rain_mm", "mm", 2, false),
    facts(Quantity::Illuminance, "illuminance", "illuminance", "illuminance_lx", "lx", 0, true),
    facts(Quantity::Battery, "battery", "battery", "battery_mv", "mV", 0, false),
    facts(Quantity::Irradiance, "irradiance", "irradiance", "irradiance_w_m2", "W/m2", 0, true),
    facts(Quantity::Noise, "noise", "noise", "noise_dba", "dBA", 1, true),
    facts(Quantity::Co2, "CO2", "co2", "co2_ppm", "ppm", 0, true),
    facts(Quantity::HostTemperature, "host temperature", "host_temperature", "host_temperature", "degC", 2, false),
    facts(Quantity::HostLoad, "host load", "host_load", "host_load", "", 2, false),
];

impl Quantity {
    /// Every quantity, by number.
    pub fn all() -> impl Iterator<Item = Self> {
        TABLE.iter().map(|facts| facts.quantity)
    }

    const fn facts(self) -> &'static Facts {
        &TABLE[self as usize - 1]
    }

    /// The key in a body, 1 to 15.
    #[must_use]
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// The quantity of a body's key.
    #[must_use]
    pub fn of_number(number: i64) -> Option<Self> {
        let row = usize::try_from(number).ok()?.checked_sub(1)?;
        TABLE.get(row).map(|facts| facts.quantity)
    }

    /// The name that people read, such as `PM10`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.facts().name
    }

    /// The key in profiles and checks, such as `pm10`.
    #[must_use]
    pub const fn key(self) -> &'static str {
        self.facts().key
    }

    /// The quantity of a profile's key.
    #[must_use]
    pub fn of_key(key: &str) -> Option<Self> {
        TABLE.iter().find(|facts| facts.key == key).map(|facts| facts.quantity)
    }

    /// The column of a CSV file, in the decimal unit: `temperature`, `pressure_pa`, `pm10`.
    #[must_use]
    pub const fn column(self) -> &'static str {
        self.facts().column
    }

    /// The decimal unit, such as `ug/m3`; empty for a bare number.
    #[must_use]
    pub const fn unit(self) -> &'static str {
        self.facts().unit
    }

    /// Decimal places of the integer unit: one integer step is `10^-decimals` of [`Quantity::unit`].
    #[must_use]
    pub const fn decimals(self) -> u8 {
        self.facts().decimals
    }

    /// Whether stations nearby measure the same thing, so that a judge may compare them.
    #[must_use]
    pub const fn is_shared(self) -> bool {
        self.facts().shared
    }

    /// A value in the decimal unit, every place shown: 182 of PM10 is `18.2`.
    #[must_use]
    pub fn decimal(self, value: i64) -> String {
        let scale = 10u64.pow(self.decimals().into());
        let sign = if value < 0 { "-" } else { "" };
        let (whole, part) = (value.unsigned_abs() / scale, value.unsigned_abs() % scale);
        match usize::from(self.decimals()) {
            0 => format!("{sign}{whole}"),
            places => format!("{sign}{whole}.{part:0places$}"),
        }
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keys_and_columns_name_one_quantity_each() {
        for (row, quantity) in Quantity::all().enumerate() {
            assert_eq!(usize::from(quantity.number()), row + 1);
            assert_eq!(Quantity::of_number(i64::from(quantity.number())), Some(quantity));
            assert_eq!(Quantity::of_key(quantity.key()), Some(quantity));
            assert_eq!(TABLE.iter().filter(|facts| facts.column == quantity.column()).count(), 1);
        }
        for number in [i64::MIN, -1, 0, 16, i64::MAX] {
            assert_eq!(Quantity::of_number(number), None);
        }
    }

    #[test]
    fn values_are_shown_with_every_decimal_place() {
        let cases = [
            (Quantity::Pm10, 182, "18.2"),
            (Quantity::Pm10, -5, "-0.5"),
            (Quantity::AirTemperature, 5, "0.05"),
            (Quantity::AirTemperature, -1234, "-12.34"),
            (Quantity::Pressure, 101_325, "101325"),
            (Quantity::Pressure, i64::MIN, "-9223372036854775808"),
        ];
        for (quantity, value, text) in cases {
            assert_eq!(quantity.decimal(value), text);
        }
    }
}

//! Units that devices say, and the exact way from each to the integer unit of a quantity.

use cairn_classes::sensing::Quantity;

use super::decimal::shown;
use super::{Linear, MapError};

/// What can be turned into each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Dimension {
    Temperature,
    Ratio,
    Pressure,
    Concentration,
    Speed,
    Angle,
    Depth,
    Illuminance,
    Voltage,
    Irradiance,
    Sound,
}

/// A unit: its names, and `(times * x + plus) / over` in its dimension's base unit.
#[derive(Debug)]
struct Row {
    names: &'static [&'static str],
    dimension: Dimension,
    times: i64,
    plus: i64,
    over: i64,
}

const fn row(names: &'static [&'static str], dimension: Dimension, times: i64, plus: i64, over: i64) -> Row {
    Row { names, dimension, times, plus, over }
}

/// The first name is how a unit is shown; the names of SenML (RFC 8428) and Home Assistant are among the others.
const TABLE: &[Row] = &[
    row(&["degC", "\u{b0}C", "C", "Cel", "celsius"], Dimension::Temperature, 1, 0, 1),
    row(&["degF", "\u{b0}F", "F", "fahrenheit"], Dimension::Temperature, 5, -160, 9),
    row(&["K", "kelvin"], Dimension::Temperature, 100, -27_315, 100),
    row(&["1", "", "/"], Dimension::Ratio, 1, 0, 1),
    row(&["%", "%RH", "percent"], Dimension::Ratio, 1, 0, 100),
    row(&["ppm"], Dimension::Ratio, 1, 0, 1_000_000),
    row(&["ppb"], Dimension::Ratio, 1, 0, 1_000_000_000),
    row(&["Pa"], Dimension::Pressure, 1, 0, 1),
    row(&["hPa", "mbar", "mb"], Dimension::Pressure, 100, 0, 1),
    row(&["kPa", "cbar"], Dimension::Pressure, 1_000, 0, 1),
    row(&["bar"], Dimension::Pressure, 100_000, 0, 1),
    // NIST SP 811: the conventional columns of mercury, and the pound-force per square inch.
    row(&["mmHg"], Dimension::Pressure, 133_322_387_415, 0, 1_000_000_000),
    row(&["inHg"], Dimension::Pressure, 3_386_388_640_341, 0, 1_000_000_000),
    row(&["psi"], Dimension::Pressure, 6_894_757_293_168, 0, 1_000_000_000),
    row(
        &["ug/m3", "\u{b5}g/m\u{b3}", "\u{3bc}g/m\u{b3}", "\u{b5}g/m3", "\u{3bc}g/m3", "ug/m\u{b3}"],
        Dimension::Concentration,
        1,
        0,
        1,
    ),
    row(&["mg/m3", "mg/m\u{b3}"], Dimension::Concentration, 1_000, 0, 1),
    row(&["g/m3", "g/m\u{b3}"], Dimension::Concentration, 1_000_000, 0, 1),
    row(&["m/s"], Dimension::Speed, 1, 0, 1),
    row(&["km/h", "kph", "kmh"], Dimension::Speed, 5, 0, 18),
    row(&["mph"], Dimension::Speed, 1_397, 0, 3_125),
    row(&["kn", "kt", "kts", "knots"], Dimension::Speed, 463, 0, 900),
    row(&["ft/s"], Dimension::Speed, 381, 0, 1_250),
    row(&["deg", "\u{b0}", "degrees"], Dimension::Angle, 1, 0, 1),
    row(&["mm", "l/m2", "L/m\u{b2}", "L/m2", "l/m\u{b2}"], Dimension::Depth, 1, 0, 1),
    row(&["cm"], Dimension::Depth, 10, 0, 1),
    row(&["m"], Dimension::Depth, 1_000, 0, 1),
    row(&["in", "inch"], Dimension::Depth, 254, 0, 10),
    row(&["lx", "lux"], Dimension::Illuminance, 1, 0, 1),
    row(&["klx"], Dimension::Illuminance, 1_000, 0, 1),
    row(&["V"], Dimension::Voltage, 1, 0, 1),
    row(&["mV"], Dimension::Voltage, 1, 0, 1_000),
    row(&["uV", "\u{b5}V", "\u{3bc}V"], Dimension::Voltage, 1, 0, 1_000_000),
    row(&["W/m2", "W/m\u{b2}"], Dimension::Irradiance, 1, 0, 1),
    row(&["kW/m2", "kW/m\u{b2}"], Dimension::Irradiance, 1_000, 0, 1),
    row(&["mW/cm2", "mW/cm\u{b2}"], Dimension::Irradiance, 10, 0, 1),
    row(&["dB", "dBA", "dB(A)"], Dimension::Sound, 1, 0, 1),
];

/// What a quantity is measured in, and how much of its decimal unit one base unit is.
const fn dimension(quantity: Quantity) -> (Dimension, i64) {
    match quantity {
        Quantity::AirTemperature | Quantity::HostTemperature => (Dimension::Temperature, 1),
        Quantity::RelativeHumidity => (Dimension::Ratio, 100),
        Quantity::Co2 => (Dimension::Ratio, 1_000_000),
        Quantity::HostLoad => (Dimension::Ratio, 1),
        Quantity::Pressure => (Dimension::Pressure, 1),
        Quantity::Pm10 | Quantity::Pm25 => (Dimension::Concentration, 1),
        Quantity::WindSpeed => (Dimension::Speed, 1),
        Quantity::WindDirection => (Dimension::Angle, 1),
        Quantity::Rain => (Dimension::Depth, 1),
        Quantity::Illuminance => (Dimension::Illuminance, 1),
        Quantity::Battery => (Dimension::Voltage, 1_000),
        Quantity::Irradiance => (Dimension::Irradiance, 1),
        Quantity::Noise => (Dimension::Sound, 1),
    }
}

/// A unit of the table.
#[derive(Debug, Clone, Copy)]
pub struct Unit(&'static Row);

impl Unit {
    /// The unit of a name, as devices and people spell it; upper and lower case count, since mV is not MV.
    ///
    /// # Errors
    /// `EDGE-UNIT`.
    pub fn named(name: &str) -> Result<Self, MapError> {
        let name = name.trim();
        let found = TABLE.iter().find(|row| row.names.contains(&name));
        found.map(Self).ok_or_else(|| MapError::Unit { unit: shown(name), quantity: None })
    }

    /// The unit in which a quantity's values are written as decimals.
    #[must_use]
    pub fn of(quantity: Quantity) -> Self {
        Self::named(quantity.unit()).expect("the units of all quantities are in the table")
    }

    /// How it is shown, such as `ug/m3`; empty for bare numbers.
    #[must_use]
    pub fn name(self) -> &'static str {
        if self.0.names[0] == "1" { "" } else { self.0.names[0] }
    }

    /// From this unit to the integer unit of a quantity.
    ///
    /// # Errors
    /// `EDGE-UNIT` when it measures something else.
    pub fn to(self, quantity: Quantity) -> Result<Linear, MapError> {
        let Row { dimension: own, times, plus, over, .. } = self.0;
        let (asked, per_base) = dimension(quantity);
        if *own != asked {
            return Err(MapError::Unit { unit: self.name().to_owned(), quantity: Some(quantity) });
        }
        let steps = i128::from(per_base) * 10i128.pow(quantity.decimals().into());
        let made = Linear::of(i128::from(*times) * steps, i128::from(*plus) * steps, (*over).into());
        Ok(made.expect("the table's parts are small"))
    }
}

/// The names under which units are known, the first of each, for people.
pub fn unit_names() -> impl Iterator<Item = &'static str> {
    TABLE.iter().map(|row| row.names[0])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::map::Decimal;

    #[test]
    fn every_unit_comes_to_the_integer_that_it_should() {
        use Quantity as Q;
        let cases = [
            ("21.5", "degC", Q::AirTemperature, 2150),
            ("-40", "degF", Q::AirTemperature, -4000),
            ("70.7", "\u{b0}F", Q::HostTemperature, 2150),
            ("32", "F", Q::AirTemperature, 0),
            ("0", "K", Q::AirTemperature, -27_315),
            ("294.65", "K", Q::AirTemperature, 2150),
            ("45.25", "%", Q::RelativeHumidity, 4525),
            ("0.4525", "1", Q::RelativeHumidity, 4525),
            ("1013.25", "hPa", Q::Pressure, 101_325),
            ("1013.25", "mbar", Q::Pressure, 101_325),
            ("760", "mmHg", Q::Pressure, 101_325),
            ("29.92", "inHg", Q::Pressure, 101_321),
            ("14.7", "psi", Q::Pressure, 101_353),
            ("101.325", "kPa", Q::Pressure, 101_325),
            ("18.2", "\u{b5}g/m\u{b3}", Q::Pm10, 182),
            ("0.0031", "mg/m3", Q::Pm25, 31),
            ("36", "km/h", Q::WindSpeed, 1000),
            ("10", "mph", Q::WindSpeed, 447),
            ("10", "kn", Q::WindSpeed, 514),
            ("359.5", "deg", Q::WindDirection, 360),
            ("0.01", "in", Q::Rain, 25),
            ("2.5", "mm", Q::Rain, 250),
            ("1.2", "klx", Q::Illuminance, 1200),
            ("3.005", "V", Q::Battery, 3005),
            ("3005", "mV", Q::Battery, 3005),
            ("0.8", "kW/m2", Q::Irradiance, 800),
            ("42.35", "dB", Q::Noise, 424),
            ("415", "ppm", Q::Co2, 415),
            ("0.0415", "%", Q::Co2, 415),
            ("0.37", "", Q::HostLoad, 37),
            ("37", "%", Q::HostLoad, 37),
        ];
        for (text, unit, quantity, expected) in cases {
            let function = Unit::named(unit).unwrap().to(quantity).unwrap();
            assert_eq!(function.at(Decimal::parse(text).unwrap()).unwrap(), expected, "{text} {unit} of {quantity}");
        }
    }

    #[test]
    fn what_measures_something_else_is_refused() {
        for (unit, quantity) in
            [("hPa", Quantity::AirTemperature), ("V", Quantity::Noise), ("degC", Quantity::Co2), ("%", Quantity::Pm10)]
        {
            assert_eq!(Unit::named(unit).unwrap().to(quantity).unwrap_err().code(), "EDGE-UNIT");
        }
        for unknown in ["furlong", "MV", "hpa", "\u{0}"] {
            assert_eq!(Unit::named(unknown).unwrap_err().code(), "EDGE-UNIT");
        }
    }

    #[test]
    fn no_name_is_that_of_two_units_and_every_quantity_has_its_own() {
        let mut names: Vec<_> = TABLE.iter().flat_map(|row| row.names).collect();
        names.sort_unstable();
        assert!(names.windows(2).all(|pair| pair[0] != pair[1]));
        for quantity in Quantity::all() {
            let function = Unit::of(quantity).to(quantity).unwrap();
            let value = function.at(Decimal::of(3)).unwrap();
            assert_eq!(value, 3 * 10i64.pow(quantity.decimals().into()), "{quantity}");
        }
    }
}

//! Sums of decimals, exactly: base values and base times are added to what stands in each record.

use cairn_edge::map::Decimal;

use crate::BridgeError;

/// Digits behind the point that are held.
const PLACES_MAX: u32 = 18;

/// `units / 10^places`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exact {
    units: i128,
    places: u32,
}

impl Exact {
    /// Nothing.
    pub const ZERO: Self = Self { units: 0, places: 0 };

    /// Reads a decimal number as JSON writes it; digits beyond the eighteenth behind the point are cut off.
    ///
    /// # Errors
    /// `EDGE-NUMBER`, and `BRG-PAYLOAD` for what is far beyond any value.
    pub fn parse(text: &str) -> Result<Self, BridgeError> {
        Decimal::parse(text)?;
        let text = text.trim();
        let (mantissa, exponent) = match text.find(['e', 'E']) {
            Some(at) => (&text[..at], text[at + 1..].trim_start_matches('+').parse::<i32>().unwrap_or(i32::MAX)),
            None => (text, 0),
        };
        let (whole, part) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let is_negative = whole.starts_with('-');
        let digits: String = whole.chars().chain(part.chars()).filter(char::is_ascii_digit).collect();
        // As an integer times 10^shift.
        let shift = exponent.saturating_sub(i32::try_from(part.len()).unwrap_or(i32::MAX));
        let digits = digits.trim_start_matches('0');
        let read = Self::shifted(digits, shift).ok_or_else(|| too_large(text))?;
        Ok(if is_negative { Self { units: -read.units, ..read } } else { read })
    }

    fn shifted(digits: &str, shift: i32) -> Option<Self> {
        if digits.is_empty() {
            return Some(Self::ZERO);
        }
        if shift >= 0 {
            let power = 10i128.checked_pow(u32::try_from(shift).ok()?)?;
            let units = digits.parse::<i128>().ok()?.checked_mul(power)?;
            return Some(Self { units, places: 0 });
        }
        let places = shift.unsigned_abs();
        let cut = places.saturating_sub(PLACES_MAX) as usize;
        let kept = digits.len().saturating_sub(cut);
        let units = if kept == 0 { 0 } else { digits[..kept].parse().ok()? };
        Some(Self { units, places: places.min(PLACES_MAX) })
    }

    /// The number of a double, as the shortest decimal that means it; `None` for what is none.
    #[must_use]
    pub fn of_f64(value: f64) -> Option<Self> {
        value.is_finite().then(|| Self::parse(&format!("{value:e}")).ok()).flatten()
    }

    /// The number of a single, as the shortest decimal that means it: 21.3, not 21.299999237060547.
    #[must_use]
    pub fn of_f32(value: f32) -> Option<Self> {
        value.is_finite().then(|| Self::parse(&format!("{value:e}")).ok()).flatten()
    }

    /// A whole number.
    #[must_use]
    pub const fn of(units: i128) -> Self {
        Self { units, places: 0 }
    }

    /// `units * 10^exponent`.
    #[must_use]
    pub fn of_fraction(units: i128, exponent: i32) -> Option<Self> {
        let read = Self::shifted(&units.unsigned_abs().to_string(), exponent)?;
        Some(if units < 0 { Self { units: -read.units, ..read } } else { read })
    }

    /// The sum; `None` beyond what can be computed.
    #[must_use]
    pub fn plus(self, other: Self) -> Option<Self> {
        let places = self.places.max(other.places);
        let at = |one: Self| one.units.checked_mul(10i128.checked_pow(places - one.places)?);
        Some(Self { units: at(self)?.checked_add(at(other)?)?, places })
    }

    /// Times 1,000, rounded down: seconds as ms.
    #[must_use]
    pub fn floor_thousands(self) -> Option<i128> {
        let over = 10i128.checked_pow(self.places)?;
        Some(self.units.checked_mul(1_000)?.div_euclid(over))
    }

    /// As the decimal that mappings and units take.
    ///
    /// # Errors
    /// `EDGE-NUMBER`.
    pub fn decimal(self) -> Result<Decimal, BridgeError> {
        let sign = if self.units < 0 { "-" } else { "" };
        Ok(Decimal::parse(&format!("{sign}{}e-{}", self.units.unsigned_abs(), self.places))?)
    }
}

fn too_large(text: &str) -> BridgeError {
    let why = format!("`{}` is beyond any value", text.chars().take(40).collect::<String>());
    BridgeError::Payload { expected: "number", why }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn sums_are_exact() {
        for (a, b, sum) in [
            ("1.276020076001e+09", "-5", "1276020071.001"),
            ("0.1", "0.2", "0.3"),
            ("-0.5", "0.25", "-0.25"),
            ("1e3", "1E-3", "1000.001"),
            ("-0", "0.000", "0"),
            ("20.1000000000000000001", "0", "20.1"),
            ("1e-40", "7", "7"),
        ] {
            let found = Exact::parse(a).unwrap().plus(Exact::parse(b).unwrap()).unwrap();
            let expected = Exact::parse(sum).unwrap();
            assert_eq!(found.plus(Exact { units: -expected.units, ..expected }).unwrap().units, 0, "{a} + {b}");
        }
        assert_eq!(Exact::parse("1276020076.0019").unwrap().floor_thousands(), Some(1_276_020_076_001));
        assert_eq!(Exact::parse("-0.0001").unwrap().floor_thousands(), Some(-1));
        for bad in ["", "-", "1e", "nan", "0x1", "1e999999999999", "1e99"] {
            assert!(Exact::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn floats_are_the_shortest_decimals_that_mean_them() {
        for (found, text) in [
            (Exact::of_f32(21.3), "21.3"),
            (Exact::of_f64(21.3), "21.3"),
            (Exact::of_f64(-0.0), "0"),
            (Exact::of_f64(1.320_078e9), "1320078000"),
            (Exact::of_fraction(-2_130, -2), "-21.3"),
        ] {
            let (found, expected) = (found.unwrap(), Exact::parse(text).unwrap());
            assert_eq!(found.plus(Exact { units: -expected.units, ..expected }).unwrap().units, 0, "{text}");
        }
        for none in [f64::NAN, f64::INFINITY, f64::MAX] {
            assert_eq!(Exact::of_f64(none), None);
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "[-+0-9.eE ]{0,40}") {
            if let Ok(read) = Exact::parse(&text) {
                prop_assert!(read.decimal().is_ok());
            }
        }
    }
}

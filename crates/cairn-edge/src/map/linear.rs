//! From a decimal number to an integer of a quantity's unit: one multiplication, one addition, one division, one rounding.

use cairn_classes::sensing::VALUE_MAX;

use super::MapError;
use super::decimal::{Decimal, gcd};

/// The greatest part of a [`Linear`], so that a product with 18 digits stays within 128 bits.
const PART_MAX: u128 = 1_000_000_000_000_000_000;

/// Decimal places that are held of a number; what stands further out can only decide ties.
const PLACES_MAX: i32 = 18;

/// The exact function `(times * x + plus) / over`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Linear {
    times: i128,
    plus: i128,
    /// At least 1.
    over: i128,
}

impl Linear {
    /// `x` itself.
    pub const SAME: Self = Self { times: 1, plus: 0, over: 1 };

    /// `(times * x + plus) / over` in lowest terms; `None` where a part is beyond 10^18 or `over` is not positive.
    #[must_use]
    pub fn of(times: i128, plus: i128, over: i128) -> Option<Self> {
        if over < 1 {
            return None;
        }
        let common = gcd(gcd(times.unsigned_abs(), plus.unsigned_abs()), over.unsigned_abs());
        let common = i128::try_from(common).ok()?;
        let made = Self { times: times / common, plus: plus / common, over: over / common };
        let fits = |part: i128| part.unsigned_abs() <= PART_MAX;
        (fits(made.times) && fits(made.plus) && fits(made.over)).then_some(made)
    }

    /// `scale * x + offset`; `None` where that has more digits than are held.
    #[must_use]
    pub fn scaled(scale: Decimal, offset: Decimal) -> Option<Self> {
        let (times, over) = scale.fraction()?;
        Self::of(times.into(), 0, over.into())?.then(&{
            let (plus, over) = offset.fraction()?;
            Self::of(over.into(), plus.into(), over.into())?
        })
    }

    /// First this, then `next`; `None` where a part becomes too large.
    #[must_use]
    pub fn then(&self, next: &Self) -> Option<Self> {
        let times = next.times.checked_mul(self.times)?;
        let plus = next.times.checked_mul(self.plus)?.checked_add(next.plus.checked_mul(self.over)?)?;
        Self::of(times, plus, self.over.checked_mul(next.over)?)
    }

    /// The value at `x`, rounded once, to the nearest integer, ties to the even one. Exact or refused: digits beyond those that
    /// are held are refused where they could decide.
    ///
    /// # Errors
    /// `EDGE-RANGE` beyond [`VALUE_MAX`], `EDGE-NUMBER` for digits that cannot be told apart.
    pub fn at(&self, x: Decimal) -> Result<i64, MapError> {
        let value = i64::try_from(self.nearest(x)?).map_err(|_| MapError::Range)?;
        if value.unsigned_abs() > VALUE_MAX.unsigned_abs() { Err(MapError::Range) } else { Ok(value) }
    }

    /// As [`Linear::at`], without a bound but that of what can be computed.
    pub(super) fn nearest(&self, x: Decimal) -> Result<i128, MapError> {
        let scaled = self.numerator(x).ok_or(MapError::Range)?;
        let Scaled { numerator, over, step } = scaled;
        let lower = divide(numerator, over, step.signum());
        if step != 0 && lower != divide(numerator + step, over, -step.signum()) {
            return Err(MapError::Digits);
        }
        Ok(lower)
    }

    /// `None` where the number is far beyond any value.
    fn numerator(&self, x: Decimal) -> Option<Scaled> {
        let Decimal { is_negative, mut digits, mut exponent, has_rest: mut is_more } = x;
        if digits == 0 && !is_more {
            exponent = 0;
        }
        // A number so small that no digit of it is held, at once rather than digit by digit.
        if exponent < -PLACES_MAX - 20 {
            is_more |= digits != 0;
            (digits, exponent) = (0, -PLACES_MAX);
        }
        while exponent < -PLACES_MAX {
            is_more |= digits % 10 != 0;
            digits /= 10;
            exponent += 1;
        }
        let sign = if is_negative { -1 } else { 1 };
        let mut signed = i128::from(digits) * sign;
        if exponent > 0 {
            let power = 10i128.checked_pow(exponent.unsigned_abs())?;
            signed = signed.checked_mul(power).filter(|signed| signed.unsigned_abs() <= PART_MAX)?;
        }
        let places = 10i128.pow(exponent.min(0).unsigned_abs());
        let numerator = self.times * signed + self.plus * places;
        let step = if is_more { self.times * sign } else { 0 };
        Some(Scaled { numerator, over: self.over * places, step })
    }
}

/// `numerator / over`, and how much the numerator is less than one beyond, towards `step`.
struct Scaled {
    numerator: i128,
    over: i128,
    step: i128,
}

/// The nearest integer to `numerator / over`; at a tie the even one, or the one towards `nudge` where it is not zero.
fn divide(numerator: i128, over: i128, nudge: i128) -> i128 {
    let (whole, part) = (numerator.div_euclid(over), numerator.rem_euclid(over));
    let is_up = match (part * 2).cmp(&over) {
        core::cmp::Ordering::Less => false,
        core::cmp::Ordering::Greater => true,
        core::cmp::Ordering::Equal if nudge == 0 => whole % 2 != 0,
        core::cmp::Ordering::Equal => nudge > 0,
    };
    whole + i128::from(is_up)
}

/// The nearest integer to a quotient, ties to the even one: the one rounding of this crate. `over` is at least 1.
#[must_use]
pub fn nearest_even(numerator: i128, over: i128) -> i128 {
    divide(numerator, over, 0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn linear(scale: &str, offset: &str) -> Linear {
        Linear::scaled(Decimal::parse(scale).unwrap(), Decimal::parse(offset).unwrap()).unwrap()
    }

    #[test]
    fn values_are_exact_and_rounded_once() {
        let cases = [
            ("21.5", "1", "0", Ok(22)),
            ("20.5", "1", "0", Ok(20)),
            ("-20.5", "1", "0", Ok(-20)),
            ("-21.5", "1", "0", Ok(-22)),
            ("20.500000000000000000000000001", "1", "0", Ok(21)),
            ("-20.500000000000000000000000001", "1", "0", Ok(-21)),
            ("20.49999999999999999999999999", "1", "0", Ok(20)),
            ("20.500000000000000000000000001", "-1", "0", Ok(-21)),
            ("0.1", "100", "0", Ok(10)),
            ("0.29", "100", "0", Ok(29)),
            ("1.005", "1000", "0", Ok(1005)),
            ("512", "0.1", "-40", Ok(11)),
            ("1e-400", "1e9", "0", Ok(0)),
            ("1e-400", "1e9", "0.5", Ok(1)),
            ("-1e-400", "1e9", "0.5", Ok(0)),
            ("1e12", "1", "0", Ok(VALUE_MAX)),
            ("1e12", "1", "1", Err("EDGE-RANGE")),
            ("-1e12", "1", "-1", Err("EDGE-RANGE")),
            ("1e400", "1", "0", Err("EDGE-RANGE")),
            ("0e400", "1", "3", Ok(3)),
            ("99999999999999999999999999999999999999", "1e-18", "0", Err("EDGE-RANGE")),
            ("123456.7890123456789", "1e12", "0", Err("EDGE-NUMBER")),
            // The true value is at 0.5 but for the nineteenth digit, which is not held.
            ("0.0000000000000000005", "1e18", "0", Err("EDGE-NUMBER")),
        ];
        for (x, scale, offset, expected) in cases {
            let found = linear(scale, offset).at(Decimal::parse(x).unwrap()).map_err(|error| error.code());
            assert_eq!(found, expected, "{scale} * {x} + {offset}");
        }
    }

    #[test]
    fn functions_that_do_not_fit_are_refused() {
        let parse = |text| Decimal::parse(text).unwrap();
        assert_eq!(Linear::scaled(parse("1e19"), parse("0")), None);
        assert_eq!(Linear::scaled(parse("1e-18"), parse("1e18")), None);
        assert_eq!(Linear::of(1, 0, 0), None);
        assert_eq!(Linear::of(2, 4, 6), Linear::of(1, 2, 3));
    }

    proptest! {
        /// Against the same in whole numbers, where nothing is cut off.
        #[test]
        fn at_is_the_nearest_integer(
            digits in 0i64..=999_999_999_999, places in 0u32..=9, is_negative: bool,
            times in -1_000_000i64..=1_000_000, plus in -1_000_000i64..=1_000_000, over in 1i64..=1_000_000,
        ) {
            let text = format!("{}{digits}e-{places}", if is_negative { "-" } else { "" });
            let x = if is_negative { -i128::from(digits) } else { digits.into() };
            let power = 10i128.pow(places);
            let numerator = i128::from(times) * x + i128::from(plus) * power;
            let over_all = i128::from(over) * power;
            let function = Linear::of(times.into(), plus.into(), over.into()).unwrap();
            match function.at(Decimal::parse(&text).unwrap()) {
                Ok(value) => {
                    let twice = (i128::from(value) * over_all - numerator).abs() * 2;
                    prop_assert!(twice < over_all || (twice == over_all && value % 2 == 0), "{text}: {value}");
                }
                Err(error) => {
                    prop_assert_eq!(error.code(), "EDGE-RANGE");
                    prop_assert!(numerator.abs() * 2 > i128::from(VALUE_MAX) * over_all * 2);
                }
            }
        }

        /// Digits beyond those that are held change nothing but what is between two integers.
        #[test]
        fn digits_that_are_not_held_never_give_a_wrong_value(
            kept in 1u64..=999_999_999_999_999_999, more in "[0-9]{1,40}", places in 0u32..=40, scale in 1i64..=1_000_000,
        ) {
            let (short, long) = (format!("{kept}e-{places}"), format!("{kept}{more}e-{}", places as usize + more.len()));
            let function = Linear::of(scale.into(), 0, 1).unwrap();
            let (low, value) = (function.at(Decimal::parse(&short).unwrap()), function.at(Decimal::parse(&long).unwrap()));
            let high = function.at(Decimal::parse(&format!("{}e-{places}", kept + 1)).unwrap());
            if let (Ok(low), Ok(value), Ok(high)) = (low, value, high) {
                prop_assert!(low <= value && value <= high, "{low} {value} {high}");
            }
        }
    }
}

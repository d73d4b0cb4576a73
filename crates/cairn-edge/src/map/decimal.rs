//! Decimal numbers as people and sensors write them, read exactly: no float is ever made of one.

use super::MapError;

/// The most characters of a number. An exact double has up to 1,077; no sensor means them.
pub const NUMBER_CHARS_MAX: usize = 128;

/// Significant digits that are held.
const DIGITS_MAX: u32 = 18;

/// `±(digits + rest) * 10^exponent`, where `rest` is 0 or somewhere between 0 and 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decimal {
    pub(super) is_negative: bool,
    /// Below 10^18.
    pub(super) digits: u64,
    pub(super) exponent: i32,
    /// Whether digits other than zero were cut off.
    pub(super) has_rest: bool,
}

impl Decimal {
    /// Reads `-12.50`, `+.5`, `1e-3`. Spaces around are passed over; nothing else is.
    ///
    /// # Errors
    /// `EDGE-NUMBER` for anything else, and for not-a-number and infinities in all their spellings.
    pub fn parse(text: &str) -> Result<Self, MapError> {
        let refused = |why| MapError::Number { text: shown(text), why };
        let text = text.trim();
        if text.is_empty() || text.len() > NUMBER_CHARS_MAX {
            return Err(refused("a number has 1 to 128 characters"));
        }
        let (is_negative, rest) = match text.as_bytes()[0] {
            b'-' => (true, &text[1..]),
            b'+' => (false, &text[1..]),
            _ => (false, text),
        };
        let (mantissa, exponent) = match rest.find(['e', 'E']) {
            Some(at) => (&rest[..at], exponent(&rest[at + 1..]).ok_or_else(|| refused("its exponent is none"))?),
            None => (rest, 0),
        };
        let (whole, part) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if whole.len() + part.len() == 0 || !is_digits(whole) || !is_digits(part) {
            return Err(refused("it is no decimal number"));
        }
        let mut read = Self { is_negative, digits: 0, exponent, has_rest: false };
        whole.bytes().for_each(|byte| read.push(byte - b'0', false));
        part.bytes().for_each(|byte| read.push(byte - b'0', true));
        Ok(read)
    }

    /// A whole number.
    #[must_use]
    pub fn of(value: i64) -> Self {
        let mut made = Self { is_negative: value < 0, digits: 0, exponent: 0, has_rest: false };
        value.unsigned_abs().to_string().bytes().for_each(|byte| made.push(byte - b'0', false));
        made
    }

    /// One digit more. Those that no longer fit only tell whether something was cut off.
    fn push(&mut self, digit: u8, is_fraction: bool) {
        if self.digits >= 10u64.pow(DIGITS_MAX - 1) {
            self.has_rest |= digit != 0;
            self.exponent = self.exponent.saturating_add(i32::from(!is_fraction));
            return;
        }
        self.digits = self.digits * 10 + u64::from(digit);
        self.exponent = self.exponent.saturating_sub(i32::from(is_fraction));
    }

    /// As a fraction of whole numbers of at most 18 digits, in lowest terms; `None` where it is not one.
    pub(super) fn fraction(self) -> Option<(i64, i64)> {
        if self.has_rest {
            return None;
        }
        let digits = i64::try_from(self.digits).ok()?;
        let digits = if self.is_negative { -digits } else { digits };
        if digits == 0 {
            return Some((0, 1));
        }
        let power = 10i64.checked_pow(self.exponent.unsigned_abs()).filter(|power| *power <= 10i64.pow(DIGITS_MAX));
        if self.exponent >= 0 {
            return Some((digits.checked_mul(power?)?, 1));
        }
        // Zeros behind the point are no reason to refuse: 1.50 is 3 over 2.
        let (mut digits, mut places) = (digits, self.exponent.unsigned_abs());
        while digits % 10 == 0 && places > 0 {
            digits /= 10;
            places -= 1;
        }
        let over = 10i64.checked_pow(places).filter(|_| places <= DIGITS_MAX)?;
        let common = gcd(digits.unsigned_abs().into(), over.unsigned_abs().into());
        let common = i64::try_from(common).ok()?;
        Some((digits / common, over / common))
    }
}

/// The exponent, as far as it matters: what is further out is as far as one can go.
fn exponent(text: &str) -> Option<i32> {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let size = digits.trim_start_matches('0');
    let size: i32 = if size.len() > 6 { 1_000_000 } else { size.parse().unwrap_or(0) };
    Some(if text.starts_with('-') { -size } else { size })
}

pub(super) const fn gcd(mut a: u128, mut b: u128) -> u128 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

/// What is shown of text from outside.
pub(super) fn shown(text: &str) -> String {
    const SHOWN: usize = 40;
    let mut short: String = text.chars().take(SHOWN).flat_map(char::escape_default).collect();
    if text.chars().nth(SHOWN).is_some() {
        short.push_str("...");
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (bool, u64, i32, bool) {
        let read = Decimal::parse(text).unwrap();
        (read.is_negative, read.digits, read.exponent, read.has_rest)
    }

    #[test]
    fn numbers_are_read_exactly_as_they_are_written() {
        let cases = [
            ("0", (false, 0, 0, false)),
            ("-0.0", (true, 0, -1, false)),
            ("21.50", (false, 2150, -2, false)),
            (" -7\r\n", (true, 7, 0, false)),
            ("+.5", (false, 5, -1, false)),
            ("5.", (false, 5, 0, false)),
            ("1.5e3", (false, 15, 2, false)),
            ("1E-2", (false, 1, -2, false)),
            ("1e+000002", (false, 1, 2, false)),
            ("1e99999999999999999999", (false, 1, 1_000_000, false)),
            ("000000000000000000000000000000021", (false, 21, 0, false)),
            ("123456789012345678", (false, 123_456_789_012_345_678, 0, false)),
            ("1234567890123456789", (false, 123_456_789_012_345_678, 1, true)),
            ("12345678901234567800", (false, 123_456_789_012_345_678, 2, false)),
            ("0.1000000000000000055511151231257827", (false, 100_000_000_000_000_005, -18, true)),
        ];
        for (text, expected) in cases {
            assert_eq!(read(text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_number_is_refused() {
        let long = "1".repeat(NUMBER_CHARS_MAX + 1);
        for text in [
            "",
            " ",
            "-",
            "+",
            ".",
            "-.",
            "e5",
            "1e",
            "1e-",
            "1e1.5",
            "--1",
            "1-",
            "1 2",
            "1,5",
            "0x10",
            "1_000",
            "NaN",
            "nan",
            "inf",
            "-Infinity",
            "1e5e5",
            "1..2",
            "1.2.3",
            "٣",
            "½",
            "on",
            "true",
            &long,
        ] {
            assert_eq!(Decimal::parse(text).unwrap_err().code(), "EDGE-NUMBER", "{text}");
        }
    }

    #[test]
    fn fractions_are_in_lowest_terms() {
        let cases = [
            ("0.1", Some((1, 10))),
            ("1.50", Some((3, 2))),
            ("-273.15", Some((-5463, 20))),
            ("0e99", Some((0, 1))),
            ("1e3", Some((1000, 1))),
            ("1e-18", Some((1, 1_000_000_000_000_000_000))),
            ("1e-19", None),
            ("1e19", None),
            ("0.12345678901234567891", None),
        ];
        for (text, expected) in cases {
            assert_eq!(Decimal::parse(text).unwrap().fraction(), expected, "{text}");
        }
        assert_eq!(Decimal::of(i64::MIN).digits, 922_337_203_685_477_580);
    }
}

//! Exact quantities: amounts of an asset, parts per million, and the one multiplication that all money goes through.

use core::fmt;

use thiserror::Error;

use crate::cbor::{self, CborError, Decoder, Encoder};

/// An amount of an asset in integer base units.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Amount(pub u128);

impl Amount {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// The sum, or `None` past 2^128 - 1.
    #[must_use]
    pub const fn checked_add(self, other: Self) -> Option<Self> {
        match self.0.checked_add(other.0) {
            Some(sum) => Some(Self(sum)),
            None => None,
        }
    }

    /// The difference, or `None` below zero.
    #[must_use]
    pub const fn checked_sub(self, other: Self) -> Option<Self> {
        match self.0.checked_sub(other.0) {
            Some(rest) => Some(Self(rest)),
            None => None,
        }
    }

    /// The sum of many, or `None` past 2^128 - 1.
    pub fn checked_sum(amounts: impl IntoIterator<Item = Self>) -> Option<Self> {
        amounts.into_iter().try_fold(Self::ZERO, Self::checked_add)
    }

    /// `floor(self * share / whole)`.
    #[must_use]
    pub fn share(self, share: u128, whole: u128) -> Option<Self> {
        mul_div_floor(self.0, share, whole).map(Self)
    }

    /// Writes the amount as a byte string: big-endian, no leading zero byte (zero is the empty string). CBOR integers end
    /// at 64 bits, and amounts with 18 decimals do not.
    pub fn encode(self, encoder: &mut Encoder) {
        let be = self.0.to_be_bytes();
        let skip = (self.0.leading_zeros() / 8) as usize;
        encoder.bytes(&be[skip..]);
    }

    /// Reads what [`Amount::encode`] writes.
    ///
    /// # Errors
    /// [`CborError`] for a leading zero byte or more than 16 bytes.
    pub fn decode(decoder: &mut Decoder<'_>) -> cbor::Result<Self> {
        let at = decoder.position();
        let bytes = decoder.bytes()?;
        if bytes.len() > 16 || bytes.first() == Some(&0) {
            return Err(CborError::Range { at, what: "an amount is at most 16 bytes without leading zeros" });
        }
        let mut be = [0u8; 16];
        be[16 - bytes.len()..].copy_from_slice(bytes);
        Ok(Self(u128::from_be_bytes(be)))
    }

    /// Decimal text with `decimals` places, trailing zeros cut: `1234500` with 4 is `123.45`.
    #[must_use]
    pub fn display(self, decimals: u8) -> String {
        let digits = format!("{:0>width$}", self.0, width = usize::from(decimals) + 1);
        let (whole, part) = digits.split_at(digits.len() - usize::from(decimals));
        let part = part.trim_end_matches('0');
        if part.is_empty() { whole.to_owned() } else { format!("{whole}.{part}") }
    }

    /// Reads tokens as people write them, `1250` or `0.25`, as base units: `None` for more than `decimals` places, for zeros
    /// ahead, and past 128 bits.
    #[must_use]
    pub fn parse_tokens(text: &str, decimals: u8) -> Option<Self> {
        let (whole, part) = match text.split_once('.') {
            Some((whole, part)) if !part.is_empty() => (whole, part),
            Some(_) => return None,
            None => (text, ""),
        };
        let is_plain = whole == "0" || !whole.starts_with('0');
        let places = usize::from(decimals);
        if whole.is_empty() || !is_plain || part.len() > places {
            return None;
        }
        // Digits alone remain, or the amount is refused: the point only shifts them.
        Self::parse(&format!("{whole}{part:0<places$}")).ok()
    }

    /// Parses decimal base units.
    ///
    /// # Errors
    /// [`NotAnAmount`] for anything but ASCII digits within 128 bits.
    pub fn parse(text: &str) -> Result<Self, NotAnAmount> {
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        match text.parse() {
            Ok(units) if digits => Ok(Self(units)),
            _ => Err(NotAnAmount { text: text.to_owned() }),
        }
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// Text that is not an amount of base units.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("`{text}` is not an amount: whole base units as decimal digits")]
pub struct NotAnAmount {
    /// The text refused.
    pub text: String,
}

/// One million: the whole of a share or score.
pub const PPM: u32 = 1_000_000;

/// Parts per million, 0 to [`PPM`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
pub struct Ppm(u32);

impl Ppm {
    /// All of it.
    pub const FULL: Self = Self(PPM);
    /// None of it.
    pub const ZERO: Self = Self(0);

    /// The share, or `None` above one million.
    #[must_use]
    pub const fn of(ppm: u32) -> Option<Self> {
        if ppm <= PPM { Some(Self(ppm)) } else { None }
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0
    }

    /// What is left when `lost` is taken away; never below zero.
    #[must_use]
    pub const fn less(self, lost: u32) -> Self {
        Self(self.0.saturating_sub(lost))
    }

    /// `floor(value * self / 10^6)`.
    #[must_use]
    pub const fn of_value(self, value: u64) -> u64 {
        let scaled = value as u128 * self.0 as u128 / PPM as u128;
        // At most `value`, since the share is at most one.
        #[expect(clippy::cast_possible_truncation)]
        {
            scaled as u64
        }
    }
}

/// `floor(a * b / c)` with a 256-bit product, or `None` when `c` is zero or the quotient passes 128 bits.
#[must_use]
pub fn mul_div_floor(a: u128, b: u128, c: u128) -> Option<u128> {
    if c == 0 {
        return None;
    }
    if let Some(product) = a.checked_mul(b) {
        return Some(product / c);
    }
    let (high, low) = mul_wide(a, b);
    div_wide(high, low, c)
}

/// The 256-bit product as (high, low).
const fn mul_wide(a: u128, b: u128) -> (u128, u128) {
    const LOW: u128 = u64::MAX as u128;
    let (a1, a0) = (a >> 64, a & LOW);
    let (b1, b0) = (b >> 64, b & LOW);
    let low = a0 * b0;
    let cross_a = a1 * b0 + (low >> 64);
    let cross_b = a0 * b1 + (cross_a & LOW);
    (a1 * b1 + (cross_a >> 64) + (cross_b >> 64), (cross_b << 64) | (low & LOW))
}

/// Schoolbook division of a 256-bit number, one bit at a time: rare, and easy to believe.
fn div_wide(high: u128, low: u128, divisor: u128) -> Option<u128> {
    if high >= divisor {
        return None;
    }
    let mut rest = high;
    let mut quotient = 0u128;
    for bit in (0..128).rev() {
        let carry = rest >> 127 == 1;
        rest = (rest << 1) | ((low >> bit) & 1);
        quotient <<= 1;
        if carry || rest >= divisor {
            rest = rest.wrapping_sub(divisor);
            quotient |= 1;
        }
    }
    Some(quotient)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mul_div_floor_is_exact_past_128_bits() {
        let max = u128::MAX;
        let cases = [
            (7, 3, 2, Some(10)),
            (1, 1, 0, None),
            (max, max, max, Some(max)),
            (max, 2, 1, None),
            (max, max, 1, None),
            (max - 1, max, max, Some(max - 1)),
            (10u128.pow(38), 999_999, 1_000_000, Some(10u128.pow(38) / 1_000_000 * 999_999)),
            (max, 5, 10, Some(max / 2)),
        ];
        for (a, b, c, expected) in cases {
            assert_eq!(mul_div_floor(a, b, c), expected, "{a} * {b} / {c}");
        }
    }

    #[test]
    fn amounts_have_one_text_and_one_encoding() {
        for (units, bytes) in [(0u128, vec![0x40]), (1, vec![0x41, 1]), (256, vec![0x42, 1, 0]), (255, vec![0x41, 255])]
        {
            let mut encoder = Encoder::empty();
            Amount(units).encode(&mut encoder);
            assert_eq!(encoder.into_bytes(), bytes);
            assert_eq!(Amount::decode(&mut Decoder::over(&bytes)), Ok(Amount(units)));
        }
        assert!(Amount::decode(&mut Decoder::over(&[0x42, 0, 1])).is_err());
        for (units, decimals, text) in
            [(0, 6, "0"), (1, 6, "0.000001"), (1_234_500, 4, "123.45"), (5, 0, "5"), (10, 1, "1")]
        {
            assert_eq!(Amount(units).display(decimals), text);
        }
        for bad in ["", "-1", "+1", "1.0", " 1", "340282366920938463463374607431768211456"] {
            assert!(Amount::parse(bad).is_err(), "{bad}");
        }
    }

    mod laws {
        use proptest::prelude::*;

        use super::*;

        proptest! {
            #[test]
            fn the_wide_path_agrees_with_the_narrow_one(a: u64, b: u64, c in 1u64..) {
                let (a, b, c) = (u128::from(a), u128::from(b), u128::from(c));
                let (high, low) = mul_wide(a, b);
                prop_assert_eq!((high, low), (0, a * b));
                prop_assert_eq!(div_wide(high, low, c), Some(a * b / c));
            }

            #[test]
            fn floor_times_divisor_stays_within_one_divisor(a: u128, b: u128, c in 1u128..) {
                if let Some(quotient) = mul_div_floor(a, b, c) {
                    let product = mul_wide(a, b);
                    let back = mul_wide(quotient, c);
                    prop_assert!(back <= product);
                    let (low, borrow) = product.1.overflowing_sub(back.1);
                    let high = product.0 - back.0 - u128::from(borrow);
                    prop_assert!(high == 0 && low < c);
                }
            }
        }
    }
}

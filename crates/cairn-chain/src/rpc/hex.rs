//! Numbers and bytes as JSON-RPC writes them, read strictly: the execution API's `QUANTITY` and `DATA`.
//!
//! A number is `0x` and its digits without zeros before them; bytes are `0x` and two digits each. Digits are read in either
//! case, as nodes write both. Nothing else is taken: a number that is read in two ways is money lost in one of them.

use data_encoding::HEXLOWER_PERMISSIVE;
use serde::de::{Deserialize, Deserializer, Error};

/// A number of up to 128 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Quantity(pub(super) u128);

/// A number of up to 64 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Short(pub(super) u64);

/// A number of up to 256 bits, the largest of 128 where it is more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Saturated(pub(super) u128);

/// Bytes of any length.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Data(pub(super) Vec<u8>);

/// Exactly so many bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fixed<const N: usize>(pub(super) [u8; N]);

/// The digits of a number, if it is written in the one way.
fn digits(text: &str) -> Option<&str> {
    let digits = text.strip_prefix("0x")?;
    let plain = digits.bytes().all(|byte| byte.is_ascii_hexdigit()) && digits.len() <= 64;
    (plain && !digits.is_empty() && (digits == "0" || !digits.starts_with('0'))).then_some(digits)
}

/// A number.
pub(super) fn quantity(text: &str) -> Option<u128> {
    u128::from_str_radix(digits(text)?, 16).ok()
}

/// Bytes.
pub(super) fn data(text: &str) -> Option<Vec<u8>> {
    HEXLOWER_PERMISSIVE.decode(text.strip_prefix("0x")?.as_bytes()).ok()
}

/// A number, written.
pub(super) fn write_quantity(value: u128) -> String {
    format!("{value:#x}")
}

impl<'de> Deserialize<'de> for Quantity {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        quantity(&text).map(Self).ok_or_else(|| D::Error::custom("a number that is not 0x and up to 32 digits"))
    }
}

impl<'de> Deserialize<'de> for Short {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Quantity(value) = Quantity::deserialize(deserializer)?;
        u64::try_from(value).map(Self).map_err(|_| D::Error::custom("a number of more than 64 bits"))
    }
}

impl<'de> Deserialize<'de> for Saturated {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let digits = digits(&text).ok_or_else(|| D::Error::custom("a number that is not 0x and up to 64 digits"))?;
        Ok(Self(u128::from_str_radix(digits, 16).unwrap_or(u128::MAX)))
    }
}

impl<'de> Deserialize<'de> for Data {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        data(&text).map(Self).ok_or_else(|| D::Error::custom("bytes that are not 0x and two digits each"))
    }
}

impl<'de, const N: usize> Deserialize<'de> for Fixed<N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Data(bytes) = Data::deserialize(deserializer)?;
        bytes.try_into().map(Self).map_err(|_| D::Error::custom(format!("bytes that are not {N}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_read_in_one_way() {
        let most = format!("0x{}", "f".repeat(32));
        for (text, expected) in [
            ("0x0", Some(0)),
            ("0x41", Some(65)),
            ("0x400", Some(1024)),
            ("0xAb", Some(171)),
            (&most, Some(u128::MAX)),
            ("0x", None),
            ("0x00", None),
            ("0x0400", None),
            ("ff", None),
            ("0xfg", None),
            ("0x+1", None),
            ("0x-1", None),
            ("0X1", None),
            ("0x1 ", None),
            ("", None),
            (&format!("{most}0"), None),
        ] {
            assert_eq!(quantity(text), expected, "{text}");
        }
    }

    #[test]
    fn bytes_are_two_digits_each() {
        for (text, expected) in [
            ("0x", Some(vec![])),
            ("0x00fF", Some(vec![0, 255])),
            ("0x0", None),
            ("00", None),
            ("0xzz", None),
            ("0x 0", None),
        ] {
            assert_eq!(data(text), expected, "{text}");
        }
        let read = |text: &str| serde_json::from_str::<Fixed<2>>(text);
        assert_eq!(read("\"0x0102\"").unwrap(), Fixed([1, 2]));
        assert!(read("\"0x01\"").is_err() && read("\"0x010203\"").is_err() && read("258").is_err());
    }

    #[test]
    fn coin_beyond_128_bits_is_the_largest_number() {
        let read = |text: &str| serde_json::from_str::<Saturated>(&format!("\"{text}\"")).ok().map(|read| read.0);
        assert_eq!(read("0x64"), Some(100));
        assert_eq!(read(&format!("0x{}", "f".repeat(64))), Some(u128::MAX));
        assert_eq!(read(&format!("0x{}", "f".repeat(65))), None);
        assert_eq!(serde_json::from_str::<Short>("\"0x10000000000000000\"").ok(), None);
    }
}

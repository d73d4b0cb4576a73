//! Numbers of 256 bits as the protocol writes them: decimal digits, or hexadecimal ones behind `0x`.

/// A number of 256 bits, big-endian: so words compare as their bytes do.
pub type Word = [u8; 32];

/// Decimal digits of 2^256 - 1.
const DIGITS_MAX: usize = 78;

/// Reads decimal digits, or hexadecimal ones behind `0x` or `0X`; leading zeros may be there. `None` past 256 bits.
#[must_use]
pub fn parse_word(text: &str) -> Option<Word> {
    match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(digits) => hexadecimal(digits),
        None => decimal(text),
    }
}

/// A number as a word.
#[must_use]
pub fn word_of(number: impl Into<u128>) -> Word {
    let mut word = [0; 32];
    word[16..].copy_from_slice(&number.into().to_be_bytes());
    word
}

/// The number in a word, where it has at most 128 bits.
#[must_use]
pub fn small(word: &Word) -> Option<u128> {
    let (high, low) = word.split_at(16);
    high.iter().all(|byte| *byte == 0).then(|| u128::from_be_bytes(low.try_into().expect("the other half")))
}

fn decimal(text: &str) -> Option<Word> {
    if text.is_empty() || text.len() > DIGITS_MAX {
        return None;
    }
    let mut word = [0u8; 32];
    for digit in text.bytes() {
        let mut carry = u16::from(digit.checked_sub(b'0').filter(|digit| *digit < 10)?);
        for byte in word.iter_mut().rev() {
            let sum = u16::from(*byte) * 10 + carry;
            [_, *byte] = sum.to_be_bytes();
            carry = sum >> 8;
        }
        if carry != 0 {
            return None;
        }
    }
    Some(word)
}

fn hexadecimal(digits: &str) -> Option<Word> {
    if digits.is_empty() || digits.len() > 64 {
        return None;
    }
    let padded = format!("{digits:0>64}");
    data_encoding::HEXLOWER_PERMISSIVE.decode(padded.as_bytes()).ok()?.try_into().ok()
}

/// Exactly `N` bytes behind `0x` or `0X`, digits of any case.
pub(crate) fn bytes<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digits = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"))?;
    if digits.len() != 2 * N {
        return None;
    }
    data_encoding::HEXLOWER_PERMISSIVE.decode(digits.as_bytes()).ok()?.try_into().ok()
}

/// `0x` and lower-case digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    format!("0x{}", data_encoding::HEXLOWER.encode(bytes))
}

/// Decimal digits.
pub(crate) fn decimal_text(word: &Word) -> String {
    if let Some(number) = small(word) {
        return number.to_string();
    }
    let (mut digits, mut rest) = (Vec::new(), *word);
    while rest.iter().any(|byte| *byte != 0) {
        let mut remainder = 0u16;
        for byte in &mut rest {
            let here = (remainder << 8) | u16::from(*byte);
            [_, *byte] = (here / 10).to_be_bytes();
            remainder = here % 10;
        }
        let [_, digit] = remainder.to_be_bytes();
        digits.push(char::from(b'0' + digit));
    }
    digits.iter().rev().collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn numbers_have_both_forms_of_the_protocol_and_no_others() {
        let largest = "115792089237316195423570985008687907853269984665640564039457584007913129639935";
        for (text, word) in [
            ("0", [0; 32]),
            ("00010000", word_of(10_000u32)),
            ("0x2710", word_of(10_000u32)),
            ("0X2710", word_of(10_000u32)),
            ("0x0", [0; 32]),
            (largest, [255; 32]),
        ] {
            assert_eq!(parse_word(text), Some(word), "{text}");
        }
        assert_eq!(decimal_text(&[255; 32]), largest);
        let past = "115792089237316195423570985008687907853269984665640564039457584007913129639936";
        let long_hex = format!("0x{}", "0".repeat(65));
        for text in ["", "0x", "-1", "+1", " 1", "1.0", "1e3", "0xg", "é", "0xé", past, &long_hex, &"0".repeat(79)] {
            assert_eq!(parse_word(text), None, "{text}");
        }
        for text in ["", "0x", "0x0", "00", "0x000", "0x0g", "0xéa"] {
            assert_eq!(bytes::<1>(text), None, "{text}");
        }
        assert_eq!(bytes::<2>("0XaB01"), Some([0xab, 1]));
    }

    proptest! {
        #[test]
        fn every_word_is_written_as_what_reads_as_it(word: [u8; 32]) {
            prop_assert_eq!(parse_word(&decimal_text(&word)), Some(word));
            prop_assert_eq!(parse_word(&hex(&word)), Some(word));
        }

        #[test]
        fn words_compare_as_their_numbers(a: u128, b: u128) {
            prop_assert_eq!(word_of(a).cmp(&word_of(b)), a.cmp(&b));
            prop_assert_eq!(small(&word_of(a)), Some(a));
        }
    }
}

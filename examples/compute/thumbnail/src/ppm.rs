//! PPM, `P6`: `P6`, width, height and 255 in decimal, parted by white space and comments, one white space, then the pixels.

use crate::picture::{Picture, side};

/// Reads a PPM whose pixels have a byte for each colour.
pub fn read(bytes: &'static [u8]) -> Result<Picture, &'static str> {
    let mut rest = &bytes[2..];
    let mut number = || {
        let (number, after) = number(skip(rest)?)?;
        rest = after;
        Some(number)
    };
    let numbers = (number(), number(), number());
    let (Some(width), Some(height), Some(largest)) = numbers else {
        return Err("the header of the PPM is not width, height and 255");
    };
    let (width, height) = (side(width)?, side(height)?);
    if largest != 255 {
        return Err("the PPM has other colours than 0 to 255");
    }
    let [space, pixels @ ..] = rest else { return Err("the PPM has no pixels") };
    if !space.is_ascii_whitespace() {
        return Err("the PPM has no white space before its pixels");
    }
    // Both sides are at most 2^14, so this is below 2^30.
    if pixels.len() != width * height * 3 {
        return Err("the PPM has not as many pixels as its header says");
    }
    Ok(Picture { width, height, stride: width * 3, bottom_up: false, blue_first: false, pixels })
}

/// What follows white space (at least one) and comments, which go to the end of their line.
fn skip(bytes: &'static [u8]) -> Option<&'static [u8]> {
    let mut rest = bytes;
    loop {
        match rest {
            [byte, after @ ..] if byte.is_ascii_whitespace() => rest = after,
            [b'#', ..] => rest = &rest[rest.iter().position(|byte| *byte == b'\n')?..],
            _ => return (rest.len() < bytes.len()).then_some(rest),
        }
    }
}

/// A decimal number of at most 6 digits, and what follows it.
fn number(bytes: &'static [u8]) -> Option<(u64, &'static [u8])> {
    let digits = bytes.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if digits == 0 || digits > 6 {
        return None;
    }
    let (digits, rest) = bytes.split_at(digits);
    Some((digits.iter().fold(0, |number, digit| number * 10 + u64::from(digit - b'0')), rest))
}

//! BMP: a file header of 14 bytes, an information header of 40 or more, and rows of blue, green, red that are filled up to four bytes.

use crate::picture::{Picture, side};

/// Reads an uncompressed BMP of 24 bits.
pub fn read(bytes: &'static [u8]) -> Result<Picture, &'static str> {
    if bytes.len() < 54 {
        return Err("the BMP is shorter than its headers");
    }
    let long = |at: usize| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
    let short = |at: usize| u16::from_le_bytes([bytes[at], bytes[at + 1]]);
    if long(14) < 40 {
        return Err("the BMP is of a kind without an information header");
    }
    if (short(26), short(28), long(30)) != (1, 24, 0) {
        return Err("the BMP is not uncompressed with 24 bits");
    }
    // A negative height says that the first row is the highest.
    let (width, height) = (long(18) as i32, long(22) as i32);
    let bottom_up = height > 0;
    let (width, height) = (side(width.max(0) as u64)?, side(height.unsigned_abs().into())?);
    let stride = (width * 3).next_multiple_of(4);
    let start = long(10) as usize;
    let pixels = bytes.get(start..).filter(|pixels| start >= 54 && pixels.len() >= stride * height);
    let pixels = pixels.ok_or("the BMP has not as many pixels as its headers say")?;
    Ok(Picture { width, height, stride, bottom_up, blue_first: true, pixels })
}

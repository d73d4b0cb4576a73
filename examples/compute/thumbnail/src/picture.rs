//! A picture as it stands in its file.

/// The longest side of a picture.
pub const SIDE_MAX: u64 = 16_384;

/// Pixels of three bytes in a file's own order of rows and colours.
pub struct Picture {
    /// Pixels in a row, 1 to 16,384.
    pub width: usize,
    /// Rows, 1 to 16,384.
    pub height: usize,
    /// Bytes from the start of one row to that of the next.
    pub stride: usize,
    /// Whether the first row in the file is the lowest.
    pub bottom_up: bool,
    /// Whether a pixel is blue, green, red.
    pub blue_first: bool,
    /// At least `stride * height` bytes.
    pub pixels: &'static [u8],
}

impl Picture {
    /// The bytes of a row from the top.
    pub fn row(&self, from_top: usize) -> &'static [u8] {
        let at = if self.bottom_up { self.height - 1 - from_top } else { from_top };
        &self.pixels[at * self.stride..][..self.width * 3]
    }
}

/// A side within its bounds.
pub fn side(pixels: u64) -> Result<usize, &'static str> {
    if (1..=SIDE_MAX).contains(&pixels) {
        Ok(pixels as usize)
    } else {
        Err("the picture's sides are not within 1 to 16384")
    }
}

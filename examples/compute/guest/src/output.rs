//! Output in small pieces: a call to the host costs more gas than a few bytes do.

use crate::memory::zeroed;

/// Bytes that are handed over together.
const BUFFER_BYTES: usize = 4_096;

/// Collects what is written and hands it over in larger pieces. [`Output::flush`] must be called in the end.
pub struct Output {
    buffer: &'static mut [u8],
    used: usize,
}

impl Output {
    /// With nothing written. Takes 4 KiB of memory.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "it takes memory for good, which a default should not")]
    pub fn new() -> Self {
        Self { buffer: zeroed(BUFFER_BYTES), used: 0 }
    }

    /// Appends bytes.
    pub fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            if self.used == BUFFER_BYTES {
                self.flush();
            }
            self.buffer[self.used] = *byte;
            self.used += 1;
        }
    }

    /// Appends a number in decimal.
    pub fn number(&mut self, mut number: u64) {
        let mut digits = [0; 20];
        let mut at = digits.len();
        loop {
            at -= 1;
            digits[at] = b'0' + (number % 10) as u8;
            number /= 10;
            if number == 0 {
                break;
            }
        }
        self.write(&digits[at..]);
    }

    /// Hands over what is left.
    pub fn flush(&mut self) {
        crate::write(&self.buffer[..self.used]);
        self.used = 0;
    }
}

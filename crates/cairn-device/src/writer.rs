//! Deterministic CBOR (RFC 8949, section 4.2.1) into a slice: shortest heads, definite lengths.
//!
//! A writer counts what it is given, also past the end of its slice, where it writes nothing: over an empty slice it
//! measures. Keys in canonical order are the caller's business.

/// Writes items one after the other.
pub struct Writer<'a> {
    room: &'a mut [u8],
    at: usize,
}

impl<'a> Writer<'a> {
    /// A writer at the start of `room`.
    pub const fn over(room: &'a mut [u8]) -> Self {
        Self { room, at: 0 }
    }

    /// The bytes given so far, written or not.
    pub const fn position(&self) -> usize {
        self.at
    }

    /// Bytes as they are.
    pub fn raw(&mut self, bytes: &[u8]) -> &mut Self {
        let end = self.at.saturating_add(bytes.len());
        for (to, from) in self.room.get_mut(self.at..end).into_iter().flatten().zip(bytes) {
            *to = *from;
        }
        self.at = end;
        self
    }

    fn head(&mut self, major: u8, value: u64) -> &mut Self {
        let top = major << 5;
        let [a, b, c, d, e, f, g, h] = value.to_be_bytes();
        match value {
            0..=23 => self.raw(&[top | h]),
            24..=0xff => self.raw(&[top | 24, h]),
            0x100..=0xffff => self.raw(&[top | 25, g, h]),
            0x1_0000..=0xffff_ffff => self.raw(&[top | 26, e, f, g, h]),
            _ => self.raw(&[top | 27, a, b, c, d, e, f, g, h]),
        }
    }

    /// An unsigned integer; also a key.
    pub fn uint(&mut self, value: u64) -> &mut Self {
        self.head(0, value)
    }

    /// A signed integer.
    pub fn int(&mut self, value: i64) -> &mut Self {
        match u64::try_from(value) {
            Ok(value) => self.head(0, value),
            Err(_) => self.head(1, !value.cast_unsigned()),
        }
    }

    /// A byte string.
    pub fn bytes(&mut self, value: &[u8]) -> &mut Self {
        self.bytes_head(value.len()).raw(value)
    }

    /// The head of a byte string of `len` bytes, which the caller writes next.
    pub fn bytes_head(&mut self, len: usize) -> &mut Self {
        self.head(2, len as u64)
    }

    /// A text string.
    pub fn text(&mut self, value: &str) -> &mut Self {
        self.head(3, value.len() as u64).raw(value.as_bytes())
    }

    /// The head of an array of `len` items, which the caller writes next.
    pub fn array(&mut self, len: usize) -> &mut Self {
        self.head(4, len as u64)
    }

    /// The head of a map of `len` pairs, which the caller writes next.
    pub fn map(&mut self, len: usize) -> &mut Self {
        self.head(5, len as u64)
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::*;

    #[test]
    fn a_writer_counts_what_does_not_fit_and_writes_no_part_of_it() {
        let mut room = [0xaa; 4];
        let mut out = Writer::over(&mut room);
        out.uint(1).bytes(&[1, 2, 3, 4]).uint(2);
        assert_eq!(out.position(), 7);
        assert_eq!(room, [1, 0x44, 0xaa, 0xaa]);
    }

    #[test]
    fn heads_are_the_shortest() {
        let cases: [(i64, &[u8]); 9] = [
            (0, &[0]),
            (23, &[0x17]),
            (24, &[0x18, 24]),
            (256, &[0x19, 1, 0]),
            (65_536, &[0x1a, 0, 1, 0, 0]),
            (1 << 32, &[0x1b, 0, 0, 0, 1, 0, 0, 0, 0]),
            (-1, &[0x20]),
            (-1000, &[0x39, 3, 0xe7]),
            (i64::MIN, &[0x3b, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
        ];
        for (value, expected) in cases {
            let mut room = [0; 9];
            let mut out = Writer::over(&mut room);
            let len = out.int(value).position();
            assert_eq!(&room[..len], expected, "{value}");
        }
    }
}

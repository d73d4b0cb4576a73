//! Words and decimal numbers in arguments.

/// The words of a text of ASCII, parted by spaces.
#[derive(Clone)]
pub struct Words<'a>(&'a [u8]);

impl<'a> Words<'a> {
    /// The words of `text`.
    #[must_use]
    pub const fn of(text: &'a [u8]) -> Self {
        Self(text)
    }

    /// The next word as a number, or `None` where there is none, or one that is not a number in decimal within 64 bits.
    pub fn number(&mut self) -> Option<u64> {
        let word = self.next()?;
        word.iter().try_fold(0u64, |number, byte| {
            let digit = byte.wrapping_sub(b'0');
            if digit > 9 { None } else { number.checked_mul(10)?.checked_add(digit.into()) }
        })
    }
}

impl<'a> Iterator for Words<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let start = self.0.iter().position(|byte| *byte != b' ')?;
        let rest = &self.0[start..];
        let end = rest.iter().position(|byte| *byte == b' ').unwrap_or(rest.len());
        let (word, rest) = rest.split_at(end);
        self.0 = rest;
        Some(word)
    }
}

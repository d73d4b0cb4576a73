//! Splitting a body into its items: one COSE_Sign1 or statement, or a CBOR sequence of them (RFC 8742).
//!
//! An item is whatever CBOR delimits, so that one whose content is wrong sinks only itself. Bytes that CBOR cannot
//! delimit have no end, so everything from there on is one item that cannot be read.

use cairn_core::cbor::{CborError, Decoder};

/// The tag of a COSE_Sign1.
const SIGN1: u64 = 18;

/// The items of a sequence.
#[derive(Debug, PartialEq, Eq)]
pub struct Items<'a> {
    /// What could be delimited, in order.
    pub items: Vec<&'a [u8]>,
    /// What could not.
    pub rest: Option<Rest>,
}

/// The end of a sequence that cannot be read.
#[derive(Debug, PartialEq, Eq)]
pub struct Rest {
    /// Where it starts.
    pub at: usize,
    /// Its length.
    pub bytes: usize,
    /// Why it cannot be read.
    pub error: CborError,
}

/// Splits a sequence; `None` if it has more than `items_max` items.
#[must_use]
pub fn split(body: &[u8], items_max: usize) -> Option<Items<'_>> {
    let mut input = Decoder::over(body);
    let mut items = Vec::new();
    while !input.is_at_end() {
        if items.len() == items_max {
            return None;
        }
        let at = input.position();
        match skip(&mut input) {
            Ok(()) => items.push(&body[at..input.position()]),
            Err(error) => {
                return Some(Items { items, rest: Some(Rest { at, bytes: body.len() - at, error }) });
            }
        }
    }
    Some(Items { items, rest: None })
}

fn skip(input: &mut Decoder<'_>) -> Result<(), CborError> {
    if input.peek_major() == Some(6) {
        input.tag(SIGN1, "a COSE_Sign1 (tag 18)")?;
    }
    input.raw_value().map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_are_what_cbor_delimits_and_the_rest_is_one() {
        // 1, tag 18 on [1, 2], "a" | a float
        let body = [0x01, 0xd2, 0x82, 0x01, 0x02, 0x61, 0x61, 0xf9, 0x00, 0x00];
        let items: Vec<&[u8]> = vec![&body[..1], &body[1..5], &body[5..7]];
        for (cut, count, rest) in [
            (0, 0, None),
            (1, 1, None),
            (4, 1, Some((1, 3))),
            (5, 2, None),
            (7, 3, None),
            (8, 3, Some((7, 1))),
            (10, 3, Some((7, 3))),
        ] {
            let split = split(&body[..cut], 3 + usize::from(rest.is_some())).unwrap();
            assert_eq!(split.items, items[..count], "the first {cut} bytes");
            assert_eq!(split.rest.map(|rest| (rest.at, rest.bytes)), rest, "the first {cut} bytes");
        }
    }

    #[test]
    fn more_items_than_allowed_are_refused_whole() {
        assert_eq!(split(&[1, 2, 3], 3).unwrap().items.len(), 3);
        assert_eq!(split(&[1, 2, 3], 2), None);
    }

    #[test]
    fn other_tags_and_lengths_that_lie_are_not_delimited() {
        for body in [&[0xd3, 0x01][..], &[0x5a, 0xff, 0xff, 0xff, 0xff, 0x00], &[0x9f, 0x01, 0xff], &[0xd2]] {
            let split = split(body, 9).unwrap();
            assert_eq!((split.items.len(), split.rest.map(|rest| rest.at)), (0, Some(0)), "{body:02x?}");
        }
    }
}

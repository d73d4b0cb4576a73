//! Whether bytes are one item of deterministic CBOR as bodies have it: integers within `i64`, byte strings, ASCII text,
//! arrays, maps with integer keys in canonical order; nested at most seven deep, since the payload is the first of eight.
//!
//! Decided without recursion, in one pass, with seven small frames on the stack.

use crate::Error;

/// The deepest nesting of a body.
const DEPTH_MAX: usize = 7;

/// An array or map that is open.
#[derive(Clone, Copy)]
struct Open {
    /// Items left, for a map pairs.
    left: u64,
    /// For a map: whether a key comes next, and the last key.
    map: Option<(bool, Option<Key>)>,
}

/// A key as its order: non-negative before negative, then by magnitude.
type Key = (bool, u64);

/// Refuses what is not exactly one such item.
pub fn check(bytes: &[u8]) -> Result<(), Error> {
    let mut input = Input { bytes, at: 0 };
    let mut frames = [Open { left: 0, map: None }; DEPTH_MAX];
    let mut depth = 0_usize;
    loop {
        let at = input.at;
        let (major, value) = input.head()?;
        let mut opened = None;
        match major {
            0 | 1 if value > i64::MAX.cast_unsigned() => return Err(Error::BodyForm { at }),
            0 | 1 => {}
            2 => {
                input.take(value, at)?;
            }
            3 if !input.take(value, at)?.is_ascii() => return Err(Error::BodyForm { at }),
            3 => {}
            4 => opened = Some(Open { left: value, map: None }),
            5 => opened = Some(Open { left: value, map: Some((true, None)) }),
            _ => return Err(Error::BodyForm { at }),
        }
        let open = depth.checked_sub(1).and_then(|top| frames.get_mut(top));
        if let Some(Open { map: Some((key_next, last)), .. }) = open {
            if *key_next {
                let key = (major == 1, value);
                if major > 1 || last.is_some_and(|last| last >= key) {
                    return Err(Error::BodyForm { at });
                }
                (*key_next, *last) = (false, Some(key));
                continue;
            }
            *key_next = true;
        }
        if let Some(opened) = opened {
            *frames.get_mut(depth).ok_or(Error::BodyDepth { at })? = opened;
            depth = depth.saturating_add(1);
        } else if let Some(open) = depth.checked_sub(1).and_then(|top| frames.get_mut(top)) {
            open.left = open.left.saturating_sub(1);
        }
        // Whatever is full is an item of what is around it.
        while let Some(top) = depth.checked_sub(1) {
            if frames.get(top).is_some_and(|open| open.left > 0) {
                break;
            }
            depth = top;
            if let Some(around) = depth.checked_sub(1).and_then(|around| frames.get_mut(around)) {
                around.left = around.left.saturating_sub(1);
            }
        }
        if depth == 0 {
            break;
        }
    }
    if input.at == bytes.len() { Ok(()) } else { Err(Error::BodyForm { at: input.at }) }
}

struct Input<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Input<'a> {
    fn take(&mut self, len: u64, item: usize) -> Result<&'a [u8], Error> {
        let end = usize::try_from(len).ok().and_then(|len| self.at.checked_add(len));
        let taken = end.and_then(|end| self.bytes.get(self.at..end)).ok_or(Error::BodyForm { at: item })?;
        self.at = self.at.saturating_add(taken.len());
        Ok(taken)
    }

    /// Major type and argument, in the shortest form.
    fn head(&mut self) -> Result<(u8, u64), Error> {
        let item = self.at;
        let [first] = self.take(1, item)? else { return Err(Error::BodyForm { at: item }) };
        let (major, info) = (first >> 5, first & 0x1f);
        let (len, least) = match info {
            0..=23 => return Ok((major, info.into())),
            24 => (1, 24),
            25 => (2, 0x100),
            26 => (4, 0x1_0000),
            27 => (8, 0x1_0000_0000),
            _ => return Err(Error::BodyForm { at: item }),
        };
        let value = self.take(len, item)?.iter().fold(0, |value: u64, byte| (value << 8) | u64::from(*byte));
        if value < least { Err(Error::BodyForm { at: item }) } else { Ok((major, value)) }
    }
}

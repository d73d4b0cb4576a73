//! Marks of sources as bytes: in items, and in what is left of segments.
//!
//! `[source, mark]`, or `[source, mark, stretches]` where something is kept beyond the mark; a stretch is `[first, last]`, or `[first]`
//! where there is but one.

use std::collections::BTreeMap;

use cairn_core::cbor::{self, CborError, Decoder, Encoder};

use crate::{Mark, Stretch};

/// The bytes of a source's name.
const NAME_BYTES_MAX: usize = 256;
const MARK_BYTES_MAX: usize = 1_024;
/// More than are ever told of one source.
const STRETCHES_MAX: usize = 4_096;

/// Where sources go on, by their names.
pub(super) type Marks = BTreeMap<String, Mark>;

pub(super) fn encode(out: &mut Encoder, source: &str, mark: &Mark) {
    out.array(if mark.beyond.is_empty() { 2 } else { 3 }).bytes(source.as_bytes()).bytes(&mark.at);
    if mark.beyond.is_empty() {
        return;
    }
    out.array(mark.beyond.len());
    for Stretch { first, last } in &mark.beyond {
        out.array(if first == last { 1 } else { 2 }).bytes(first);
        if first != last {
            out.bytes(last);
        }
    }
}

pub(super) fn decode(input: &mut Decoder<'_>) -> cbor::Result<(String, Mark)> {
    let at = input.position();
    let wrong = |what| CborError::Range { at, what };
    let parts = input.array()?;
    let source = input.bytes()?;
    if source.len() > NAME_BYTES_MAX {
        return Err(wrong("a source's name that is too long"));
    }
    let source = String::from_utf8(source.to_vec()).map_err(|_| wrong("no name of a source"))?;
    let mut mark = Mark::from(word(input)?);
    match parts {
        2 => {}
        3 => mark.beyond = input.list(STRETCHES_MAX, stretch)?,
        _ => return Err(wrong("no mark")),
    }
    if parts == 3 && mark.beyond.is_empty() {
        return Err(wrong("a mark with nothing beyond it that says so"));
    }
    input.leave();
    Ok((source, mark))
}

fn stretch(input: &mut Decoder<'_>) -> cbor::Result<Stretch> {
    let at = input.position();
    let parts = input.array()?;
    let first = word(input)?;
    let last = match parts {
        1 => first.clone(),
        2 => word(input)?,
        _ => return Err(CborError::Range { at, what: "no stretch" }),
    };
    if parts == 2 && first == last {
        return Err(CborError::Range { at, what: "a stretch of one that is written as of two" });
    }
    input.leave();
    Ok(Stretch { first, last })
}

/// A mark in its source's own words.
fn word(input: &mut Decoder<'_>) -> cbor::Result<Vec<u8>> {
    let at = input.position();
    let word = input.bytes()?;
    if word.len() > MARK_BYTES_MAX {
        return Err(CborError::Range { at, what: "a mark that is too long" });
    }
    Ok(word.to_vec())
}

//! SenML in CBOR (RFC 8428 section 6), as small devices write it: any form of CBOR, within bounds of depth and length.
//!
//! Unlike the formats of the log this is not one canonical form, since it is read once and never written again.

use super::{NAME_BYTES_MAX, RECORDS_MAX, Record, payload};
use crate::{BridgeError, Exact};

/// How deep a value that is passed over may be.
const DEPTH_MAX: u32 = 8;
/// Fields of one record.
const FIELDS_MAX: u64 = 64;

/// What stands in front of an item.
struct Head {
    major: u8,
    /// The low five bits.
    info: u8,
    /// The argument; zero for indefinite lengths.
    argument: u64,
}

impl Head {
    const fn is_indefinite(&self) -> bool {
        self.info == 31
    }

    const fn is_break(&self) -> bool {
        self.major == 7 && self.info == 31
    }
}

struct Input<'a> {
    bytes: &'a [u8],
    at: usize,
}

type Read<T> = Result<T, BridgeError>;

fn bad(what: &str) -> BridgeError {
    payload(what.to_owned())
}

impl<'a> Input<'a> {
    fn take(&mut self, len: u64) -> Read<&'a [u8]> {
        let end = usize::try_from(len).ok().and_then(|len| self.at.checked_add(len));
        let taken = end.and_then(|end| self.bytes.get(self.at..end)).ok_or_else(|| bad("it breaks off"))?;
        self.at += taken.len();
        Ok(taken)
    }

    fn head(&mut self) -> Read<Head> {
        let first = self.take(1)?[0];
        let (major, info) = (first >> 5, first & 31);
        let argument = match info {
            0..=23 => u64::from(info),
            24..=27 => self.take(1 << (info - 24))?.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte)),
            31 if matches!(major, 2..=5 | 7) => 0,
            _ => return Err(bad("a length that CBOR does not have")),
        };
        Ok(Head { major, info, argument })
    }

    fn peek_break(&mut self) -> bool {
        let is_break = self.bytes.get(self.at) == Some(&0xff);
        self.at += usize::from(is_break);
        is_break
    }

    /// The text of a string, in one piece or several.
    fn text(&mut self) -> Read<String> {
        let head = self.head()?;
        if head.major != 3 {
            return Err(bad("a name is no text"));
        }
        let mut text = Vec::new();
        if head.is_indefinite() {
            while !self.peek_break() {
                let piece = self.head()?;
                if piece.major != 3 || piece.is_indefinite() {
                    return Err(bad("a piece of text is none"));
                }
                text.extend_from_slice(self.take(piece.argument)?);
                if text.len() > NAME_BYTES_MAX {
                    return Err(bad("a name of too many bytes"));
                }
            }
        } else {
            text.extend_from_slice(self.take(head.argument)?);
        }
        if text.len() > NAME_BYTES_MAX {
            return Err(bad("a name of too many bytes"));
        }
        String::from_utf8(text).map_err(|_| bad("a name is no UTF-8"))
    }

    fn number(&mut self) -> Read<Exact> {
        let head = self.head()?;
        let read = match head.major {
            0 => Some(Exact::of(head.argument.into())),
            1 => Some(Exact::of(-1 - i128::from(head.argument))),
            // A decimal fraction, RFC 8949 section 3.4.4: [exponent, mantissa].
            6 if head.argument == 4 => {
                let parts = self.head()?;
                if (parts.major, parts.argument) != (4, 2) || parts.is_indefinite() {
                    return Err(bad("a decimal fraction has two parts"));
                }
                let (exponent, units) = (self.whole()?, self.whole()?);
                i32::try_from(exponent).ok().and_then(|exponent| Exact::of_fraction(units, exponent))
            }
            7 => match head.info {
                25 => u16::try_from(head.argument).ok().and_then(|bits| Exact::of_f32(of_half(bits))),
                26 => u32::try_from(head.argument).ok().and_then(|bits| Exact::of_f32(f32::from_bits(bits))),
                27 => Exact::of_f64(f64::from_bits(head.argument)),
                _ => None,
            },
            _ => None,
        };
        read.ok_or_else(|| bad("a number is none, or beyond any value"))
    }

    fn whole(&mut self) -> Read<i128> {
        let head = self.head()?;
        match head.major {
            0 => Ok(head.argument.into()),
            1 => Ok(-1 - i128::from(head.argument)),
            _ => Err(bad("a part of a decimal fraction is no whole number")),
        }
    }

    /// Passes over one item, whatever it is.
    fn skip(&mut self, depth: u32) -> Read<()> {
        if depth > DEPTH_MAX {
            return Err(bad("it is nested too deep"));
        }
        let head = self.head()?;
        if head.is_break() {
            return Err(bad("an end without a beginning"));
        }
        let per_item = match head.major {
            2 | 3 if !head.is_indefinite() => return self.take(head.argument).map(|_| ()),
            6 => return self.skip(depth + 1),
            5 => 2,
            2..=4 => 1,
            _ => return Ok(()),
        };
        if head.is_indefinite() {
            while !self.peek_break() {
                (0..per_item).try_for_each(|_| self.skip(depth + 1))?;
            }
            return Ok(());
        }
        // Each item takes a byte, so a length beyond the input ends where the input does.
        (0..head.argument.saturating_mul(per_item)).try_for_each(|_| self.skip(depth + 1))
    }

    /// The label of a field: a number, or text as JSON has it.
    fn label(&mut self) -> Read<Label> {
        match self.bytes.get(self.at).map(|first| first >> 5) {
            Some(0 | 1) => Ok(Label::Number(self.whole()?)),
            _ => Ok(Label::Text(self.text()?)),
        }
    }

    fn record(&mut self) -> Read<Record> {
        let head = self.head()?;
        if head.major != 5 || head.argument > FIELDS_MAX {
            return Err(bad("a record is no map of a few fields"));
        }
        let (mut record, mut seen, mut left) = (Record::default(), Vec::new(), head.argument);
        loop {
            if head.is_indefinite() {
                if self.peek_break() {
                    break;
                }
            } else if left == 0 {
                break;
            }
            left = left.saturating_sub(1);
            let label = self.label()?;
            if seen.contains(&label) || seen.len() as u64 > FIELDS_MAX {
                return Err(bad("a field stands twice, or there are too many"));
            }
            self.field(&mut record, &label)?;
            seen.push(label);
        }
        Ok(record)
    }

    fn field(&mut self, record: &mut Record, label: &Label) -> Read<()> {
        match label {
            Label::Number(-1) => record.base_version = Some(self.number()?),
            Label::Number(-2) => record.base_name = Some(self.text()?),
            Label::Number(-3) => record.base_time = Some(self.number()?),
            Label::Number(-4) => record.base_unit = Some(self.text()?),
            Label::Number(-5) => record.base_value = Some(self.number()?),
            Label::Number(0) => record.name = Some(self.text()?),
            Label::Number(1) => record.unit = Some(self.text()?),
            Label::Number(2) => record.value = Some(self.number()?),
            Label::Number(6) => record.time = Some(self.number()?),
            Label::Number(3 | 4 | 5 | 8) => {
                record.is_other = true;
                self.skip(0)?;
            }
            Label::Text(text) if text.ends_with('_') => return Err(bad("a label that has to be understood is not")),
            _ => self.skip(0)?,
        }
        Ok(())
    }
}

#[derive(PartialEq, Eq)]
enum Label {
    Number(i128),
    Text(String),
}

/// IEEE 754 half precision, RFC 8949 appendix D.
fn of_half(bits: u16) -> f32 {
    let (sign, exponent, mantissa) = (u32::from(bits >> 15), u32::from(bits >> 10 & 31), u32::from(bits & 1023));
    let size = match (exponent, mantissa) {
        (31, _) => return f32::NAN,
        (0, 0) => 0,
        // Below the normal ones, in units of 2^-24: the highest bit becomes the hidden one of a single.
        (0, _) => {
            let highest = mantissa.ilog2();
            (highest + 103) << 23 | mantissa << (23 - highest) & 0x7f_ffff
        }
        _ => (exponent + 112) << 23 | mantissa << 13,
    };
    f32::from_bits(sign << 31 | size)
}

#[cfg(test)]
#[test]
fn halves_are_the_numbers_of_rfc_8949_appendix_a() {
    let cases = [
        (0x0000, 0.0),
        (0x3c00, 1.0),
        (0x3e00, 1.5),
        (0x7bff, 65_504.0),
        (0x0001, 5.960_464_5e-8),
        (0x0400, 6.103_515_6e-5),
        (0xc400, -4.0),
    ];
    for (bits, value) in cases {
        assert_eq!(of_half(bits).to_bits(), f32::to_bits(value), "{bits:04x}");
    }
}

/// The records of a pack.
pub(super) fn records(bytes: &[u8]) -> Result<Vec<Record>, BridgeError> {
    let mut input = Input { bytes, at: 0 };
    let head = input.head()?;
    if head.major != 4 || head.argument > RECORDS_MAX as u64 {
        return Err(bad("it is no list of at most 1,024 records"));
    }
    let mut records = Vec::new();
    loop {
        let is_over = if head.is_indefinite() { input.peek_break() } else { records.len() as u64 == head.argument };
        if is_over {
            break;
        }
        if records.len() == RECORDS_MAX {
            return Err(bad("it has more than 1,024 records"));
        }
        records.push(input.record()?);
    }
    if records.is_empty() || input.at != bytes.len() {
        return Err(bad("it has no records, or something behind them"));
    }
    Ok(records)
}

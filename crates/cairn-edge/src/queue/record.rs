//! Records of the queue as bytes: framed, checksummed, found again behind damage.
//!
//! A frame is `CA 1E`, the body's length (4 bytes, big-endian), the CRC-32C of length and body (4 bytes), and the body, an array of
//! records in deterministic CBOR. What was written at once is one frame: it is there or not. Bytes that are no frame are passed
//! over up to the next one whose checksum holds, and said.

use cairn_core::cbor::{self, CborError, Decoder, Encoder, Value};
use cairn_core::report::{ClockSource, ReportedPlace};
use cairn_core::{DeviceId, Hash};

use super::marks;
use crate::{Item, When};

const MAGIC: [u8; 2] = [0xca, 0x1e];
const HEAD_BYTES: usize = 10;
/// No body is longer: what is written at once.
pub(super) const BODY_BYTES_MAX: usize = 64 << 20;
const RECORDS_MAX: usize = 1 << 20;
const BLOBS_MAX: usize = 64;
/// Sources that one item may come from.
const MARKS_MAX: usize = 64;

/// How an item left the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The network promised to keep it.
    Promised,
    /// The network refused it for good.
    Refused,
}

/// What is written down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Record {
    /// Something waits.
    Item {
        /// Its place in the queue, ascending for ever.
        ordinal: u64,
        /// The start of the process that took it.
        start: u32,
        /// What waits.
        item: Item,
    },
    /// It has a name, and this is what is signed.
    Sealed {
        /// Its place.
        ordinal: u64,
        /// The payload of its report.
        payload: Vec<u8>,
    },
    /// It left.
    Done {
        /// Its place.
        ordinal: u64,
        /// How.
        outcome: Outcome,
    },
    /// Items that may have been written and were not taken: whoever offered them was told so, and may offer them again.
    Void {
        /// The place of the first.
        first: u64,
        /// The place of the last.
        last: u64,
    },
    /// A segment begins.
    Begins {
        /// The first segment of which it was not known, then, that all it says is durable.
        unsure_from: u64,
    },
}

impl Record {
    /// The place of the item that it is of.
    pub const fn ordinal(&self) -> Option<u64> {
        match self {
            Self::Item { ordinal, .. } | Self::Sealed { ordinal, .. } | Self::Done { ordinal, .. } => Some(*ordinal),
            Self::Void { .. } | Self::Begins { .. } => None,
        }
    }

    /// The place of the item that it is, if it is one.
    pub const fn item_ordinal(&self) -> Option<u64> {
        match self {
            Self::Item { ordinal, .. } => Some(*ordinal),
            _ => None,
        }
    }

    fn encode(&self, out: &mut Encoder) {
        match self {
            Self::Item { ordinal, start, item } => {
                out.array(4).uint(1).uint(*ordinal).uint((*start).into());
                encode_item(out, item);
            }
            Self::Sealed { ordinal, payload } => {
                out.array(3).uint(2).uint(*ordinal).bytes(payload);
            }
            Self::Done { ordinal, outcome } => {
                out.array(3).uint(3).uint(*ordinal).uint(matches!(outcome, Outcome::Refused).into());
            }
            Self::Begins { unsure_from } => {
                out.array(2).uint(4).uint(*unsure_from);
            }
            Self::Void { first, last } => {
                out.array(3).uint(5).uint(*first).uint(*last);
            }
        }
    }

    fn decode(input: &mut Decoder<'_>) -> cbor::Result<Self> {
        let at = input.position();
        let parts = input.array()?;
        let (kind, ordinal) = (input.uint()?, input.uint()?);
        let record = match (kind, parts) {
            (1, 4) => Self::Item { ordinal, start: input.uint32()?, item: decode_item(input)? },
            (2, 3) => Self::Sealed { ordinal, payload: input.bytes()?.to_vec() },
            (3, 3) => {
                let outcome = if input.uint()? == 0 { Outcome::Promised } else { Outcome::Refused };
                Self::Done { ordinal, outcome }
            }
            (4, 2) => Self::Begins { unsure_from: ordinal },
            (5, 3) => Self::Void { first: ordinal, last: input.uint()? },
            _ => return Err(CborError::Range { at, what: "no record of a queue" }),
        };
        input.leave();
        Ok(record)
    }
}

/// Appends a frame of records; nothing where there are none.
pub(super) fn frame<'a>(records: impl ExactSizeIterator<Item = &'a Record>, out: &mut Vec<u8>) {
    if records.len() == 0 {
        return;
    }
    let mut body = Encoder::empty();
    body.array(records.len());
    records.for_each(|record| record.encode(&mut body));
    let body = body.into_bytes();
    let length = u32::try_from(body.len()).unwrap_or(u32::MAX).to_be_bytes();
    out.extend(MAGIC);
    out.extend(length);
    out.extend(checksum(&length, &body).to_be_bytes());
    out.extend(body);
}

/// The records of a frame's body.
fn decode(body: &[u8]) -> cbor::Result<Vec<Record>> {
    let mut input = Decoder::over(body);
    let records = input.list(RECORDS_MAX, Record::decode)?;
    input.end()?;
    Ok(records)
}

fn checksum(length: &[u8; 4], body: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(length), body)
}

fn encode_item(out: &mut Encoder, item: &Item) {
    let optional =
        [item.flags != 0, item.place.is_some(), item.subject.is_some(), !item.blobs.is_empty(), !item.marks.is_empty()];
    out.map(3 + optional.iter().filter(|there| **there).count());
    out.int(1);
    match item.when {
        When::At { time_ms, source, error_ms } => {
            out.array(3).uint(time_ms).uint(source.number()).uint(error_ms);
        }
        When::Since { boot_ms } => {
            out.array(1).uint(boot_ms);
        }
        When::Unknown => {
            out.array(0);
        }
    }
    out.int(2).text(&item.schema).int(3).bytes(&item.body.encode());
    if item.flags != 0 {
        out.int(4).uint(item.flags);
    }
    match item.place {
        Some(ReportedPlace::Cell(cell)) => {
            out.int(5).array(1).uint(cell);
        }
        Some(ReportedPlace::Exact { lat_e7, lon_e7, altitude }) => {
            let parts: Vec<i64> =
                altitude.into_iter().flat_map(|(cm, error_cm)| [Some(cm), error_cm]).flatten().collect();
            out.int(5).array(2 + parts.len()).int(lat_e7).int(lon_e7);
            for part in parts {
                out.int(part);
            }
        }
        None => {}
    }
    if let Some(subject) = &item.subject {
        out.int(6).bytes(&subject.0);
    }
    if !item.blobs.is_empty() {
        out.int(7).array(item.blobs.len());
        for (hash, bytes) in &item.blobs {
            out.array(2).bytes(&hash.0).uint(*bytes);
        }
    }
    if !item.marks.is_empty() {
        out.int(8).array(item.marks.len());
        for (source, mark) in &item.marks {
            marks::encode(out, source, mark);
        }
    }
}

fn decode_item(input: &mut Decoder<'_>) -> cbor::Result<Item> {
    let mut keys = input.map()?;
    let (mut when, mut schema, mut body) = (None, None, None);
    let mut item = Item::of(When::Unknown, "", Value::Int(0));
    while let Some(key) = keys.next_key(input)? {
        match key {
            1 => when = Some(decode_when(input)?),
            2 => schema = Some(input.text()?.to_owned()),
            3 => body = Some(decode_body(input.bytes()?)?),
            4 => item.flags = input.uint()?,
            5 => item.place = Some(decode_place(input)?),
            6 => item.subject = Some(DeviceId(input.bytes_exact()?)),
            7 => item.blobs = input.list(BLOBS_MAX, decode_blob)?,
            8 => item.marks = input.list(MARKS_MAX, marks::decode)?,
            _ => keys.unknown(input, key)?,
        }
    }
    input.leave();
    item.when = keys.required(1, when)?;
    item.schema = keys.required(2, schema)?;
    item.body = keys.required(3, body)?;
    Ok(item)
}

/// A body has its own bytes, so that it may be as deep here as in a report.
fn decode_body(bytes: &[u8]) -> cbor::Result<Value> {
    let mut input = Decoder::over(bytes);
    let body = input.value()?;
    input.end()?;
    Ok(body)
}

fn decode_when(input: &mut Decoder<'_>) -> cbor::Result<When> {
    let at = input.position();
    let when = match input.array()? {
        0 => When::Unknown,
        1 => When::Since { boot_ms: input.uint()? },
        3 => {
            let (time_ms, source, error_ms) = (input.uint()?, input.uint()?, input.uint()?);
            let source = [ClockSource::Rtc, ClockSource::Network, ClockSource::Ntp, ClockSource::Gnss]
                .into_iter()
                .find(|known| known.number() == source)
                .ok_or(CborError::Range { at, what: "no source of a time" })?;
            When::At { time_ms, source, error_ms }
        }
        _ => return Err(CborError::Range { at, what: "no time" }),
    };
    input.leave();
    Ok(when)
}

fn decode_place(input: &mut Decoder<'_>) -> cbor::Result<ReportedPlace> {
    let at = input.position();
    let place = match input.array()? {
        1 => ReportedPlace::Cell(input.uint()?),
        len @ 2..=4 => {
            let (lat_e7, lon_e7) = (input.int()?, input.int()?);
            let altitude = match len {
                2 => None,
                3 => Some((input.int()?, None)),
                _ => Some((input.int()?, Some(input.int()?))),
            };
            ReportedPlace::Exact { lat_e7, lon_e7, altitude }
        }
        _ => return Err(CborError::Range { at, what: "no place" }),
    };
    input.leave();
    Ok(place)
}

fn decode_blob(input: &mut Decoder<'_>) -> cbor::Result<(Hash, u64)> {
    input.array_exact(2)?;
    let blob = (Hash(input.bytes_exact()?), input.uint()?);
    input.leave();
    Ok(blob)
}

/// Reads the records of a segment one after the other.
pub(super) struct Scan<'a> {
    bytes: &'a [u8],
    at: usize,
    frame: std::vec::IntoIter<Record>,
    /// Bytes that were passed over and have a record behind them.
    pub damaged_bytes: usize,
}

impl<'a> Scan<'a> {
    pub fn over(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0, frame: Vec::new().into_iter(), damaged_bytes: 0 }
    }
}

impl Iterator for Scan<'_> {
    type Item = Record;

    fn next(&mut self) -> Option<Record> {
        loop {
            if let Some(record) = self.frame.next() {
                return Some(record);
            }
            let from = self.at;
            let found = (from..self.bytes.len()).find_map(|at| Some((at, frame_at(self.bytes, at)?)));
            let Some((at, (records, end))) = found else {
                self.at = self.bytes.len();
                return None;
            };
            self.damaged_bytes += at - from;
            self.at = end;
            self.frame = records.into_iter();
        }
    }
}

fn frame_at(bytes: &[u8], at: usize) -> Option<(Vec<Record>, usize)> {
    let head = bytes.get(at..at + HEAD_BYTES)?;
    let (magic, rest) = head.split_first_chunk::<2>()?;
    let (length, crc) = rest.split_first_chunk::<4>()?;
    let size = usize::try_from(u32::from_be_bytes(*length)).ok()?;
    if *magic != MAGIC || size > BODY_BYTES_MAX {
        return None;
    }
    let end = at + HEAD_BYTES + size;
    let body = bytes.get(at + HEAD_BYTES..end)?;
    if crc != checksum(length, body).to_be_bytes() {
        return None;
    }
    Some((decode(body).ok()?, end))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Mark, Stretch};

    fn records() -> Vec<Record> {
        let at = When::At { time_ms: 1_700_000_000_000, source: ClockSource::Ntp, error_ms: 12 };
        let body = || Value::map(vec![(4, Value::Int(146))]);
        let stretch = |first, last| Stretch { first: vec![first], last: vec![last] };
        let beyond = Mark { at: vec![], beyond: vec![stretch(1, 2), stretch(4, 4)] };
        let exact = |altitude| Some(ReportedPlace::Exact { lat_e7: -1, lon_e7: 2, altitude });
        let full = |place| Item {
            flags: 5,
            place,
            subject: Some(DeviceId([3; 16])),
            blobs: vec![(Hash([4; 32]), 77), (Hash([5; 32]), 0)],
            marks: vec![("file /var/log/mètre".to_owned(), vec![0, 255].into()), ("b".to_owned(), beyond.clone())],
            ..Item::of(at, "sensing/1", body())
        };
        let items = [
            Item::of(When::Unknown, "sensing/1", body()),
            Item::of(When::Since { boot_ms: 9 }, "x", Value::Array(vec![])),
            full(Some(ReportedPlace::Cell(0x0881_f1d4_89ff_ffff))),
            full(exact(None)),
            full(exact(Some((5, None)))),
            full(exact(Some((-5, Some(6))))),
        ];
        let mut records: Vec<Record> =
            (7..).zip(items).map(|(ordinal, item)| Record::Item { ordinal, start: 3, item }).collect();
        records.push(Record::Sealed { ordinal: 7, payload: vec![1, 2, 3] });
        records.push(Record::Done { ordinal: 7, outcome: Outcome::Promised });
        records.push(Record::Done { ordinal: 8, outcome: Outcome::Refused });
        records.push(Record::Begins { unsure_from: 9 });
        records.push(Record::Void { first: 9, last: 10 });
        records
    }

    fn framed(records: &[Record]) -> Vec<u8> {
        let mut bytes = Vec::new();
        records.iter().for_each(|record| frame(std::iter::once(record), &mut bytes));
        bytes
    }

    #[test]
    fn records_come_back_as_they_were_written() {
        assert_eq!(Scan::over(&framed(&records())).collect::<Vec<_>>(), records());
        let mut at_once = Vec::new();
        frame(records().iter(), &mut at_once);
        assert_eq!(Scan::over(&at_once).collect::<Vec<_>>(), records());
    }

    #[test]
    fn a_torn_end_loses_what_it_tore_and_is_no_damage() {
        let bytes = framed(&records());
        for cut in 0..bytes.len() {
            let mut scan = Scan::over(&bytes[..cut]);
            let read: Vec<Record> = scan.by_ref().collect();
            assert_eq!(read, records()[..read.len()], "cut at {cut}");
            assert_eq!(
                framed(&records()[..=read.len()]).len().min(cut + 1),
                cut + 1,
                "all that is whole is read: {cut}"
            );
            assert_eq!(scan.damaged_bytes, 0, "cut at {cut}");
        }
    }

    #[test]
    fn a_turned_bit_costs_one_record_and_is_seen() {
        let all = records();
        let bytes = framed(&all);
        for at in 0..bytes.len() {
            for bit in [0, 7] {
                let mut damaged = bytes.clone();
                damaged[at] ^= 1 << bit;
                let mut scan = Scan::over(&damaged);
                let read: Vec<Record> = scan.by_ref().collect();
                assert_eq!(read.len(), all.len() - 1, "byte {at}");
                assert!(read.iter().all(|record| all.contains(record)), "byte {at}");
                assert_eq!(scan.damaged_bytes > 0, read.last() == all.last(), "byte {at}");
            }
        }
    }
}

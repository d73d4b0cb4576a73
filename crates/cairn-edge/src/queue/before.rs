//! What is remembered of segments that are gone.
//!
//! It is kept twice, `counts` and a copy with a checksum: where one is damaged the other is as good, and nothing is lost. The copy is
//! written first.

use cairn_client::names::Mended;
use cairn_core::cbor::{self, Decoder, Encoder};
use cairn_log::{Disk, FileError, read_whole, replace_whole};

use super::marks::{self, Marks};
use super::segment::Counts;
use crate::EdgeError;

const FILE: &str = "counts";
const COPY: &str = "counts.copy";
/// Both files.
pub(super) const FILES: [&str; 2] = [FILE, COPY];
/// More than as many marks take as there may be, with all that is kept beyond them.
const FILE_BYTES_MAX: u64 = 32 << 20;
/// More sources than ever fed one folder.
const MARKS_MAX: usize = 1_024;

/// All that is left of segments that were removed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Before {
    /// The first segment that is not gone.
    pub upto: u64,
    /// Above every ordinal of those that are.
    pub floor: u64,
    /// What happened in them.
    pub counts: Counts,
    /// The last mark of each source in them.
    pub marks: Marks,
}

impl Before {
    /// Reads it; nothing where nothing is gone yet, or where both files are damaged. Answers what was damaged.
    pub fn read(disk: &dyn Disk) -> Result<(Self, Option<Mended>), EdgeError> {
        let (own, copy) = (read(disk, FILE)?, read(disk, COPY)?);
        let is_damaged = |file: &Option<Vec<u8>>, read: &Option<Self>| file.is_some() && read.is_none();
        let told = own.as_deref().and_then(|bytes| decode(bytes).ok());
        let copied = copy.as_deref().and_then(unsealed).and_then(|bytes| decode(bytes).ok());
        let mended = |what: &str| Some(Mended { file: FILE, what: what.to_owned() });
        let lost = is_damaged(&own, &told);
        Ok(match (told, copied) {
            // A program that writes no copy was here in between.
            (Some(told), Some(copied)) if told.upto > copied.upto => (told, None),
            (_, Some(copied)) => {
                (copied, if lost { mended("what it says was found again in its copy; nothing is lost") } else { None })
            }
            (Some(told), None) => (told, None),
            (None, None) if lost || copy.is_some() => {
                let what = "what happened before is counted no more, and a source that goes on from a place, such as a file, \
                            may begin again";
                (Self::default(), mended(what))
            }
            (None, None) => (Self::default(), None),
        })
    }

    /// Writes it, durably.
    pub fn write(&self, disk: &dyn Disk) -> Result<(), EdgeError> {
        let Counts { taken, promised, refused, lost } = self.counts;
        let mut out = Encoder::empty();
        out.array(7);
        for number in [self.upto, self.floor, taken, promised, refused, lost] {
            out.uint(number);
        }
        // Sources come and go by configuration; names beyond the bound are not worth a queue that does not open.
        let marked = || self.marks.iter().take(MARKS_MAX);
        out.array(marked().count());
        for (source, mark) in marked() {
            marks::encode(&mut out, source, mark);
        }
        let bytes = out.into_bytes();
        replace_whole(disk, COPY, &[&crc32c::crc32c(&bytes).to_be_bytes(), bytes.as_slice()].concat())?;
        Ok(replace_whole(disk, FILE, &bytes)?)
    }
}

/// A file; one that is far too long holds nothing of ours.
fn read(disk: &dyn Disk, file: &str) -> Result<Option<Vec<u8>>, FileError> {
    match read_whole(disk, file, FILE_BYTES_MAX) {
        Err(FileError::TooLong { .. }) => Ok(Some(Vec::new())),
        read => read,
    }
}

/// What stands behind a checksum that holds.
fn unsealed(bytes: &[u8]) -> Option<&[u8]> {
    let (crc, body) = bytes.split_first_chunk::<4>()?;
    (crc32c::crc32c(body).to_be_bytes() == *crc).then_some(body)
}

fn decode(bytes: &[u8]) -> cbor::Result<Before> {
    let mut input = Decoder::over(bytes);
    input.array_exact(7)?;
    let (upto, floor) = (input.uint()?, input.uint()?);
    let counts = Counts { taken: input.uint()?, promised: input.uint()?, refused: input.uint()?, lost: input.uint()? };
    let marks = input.list(MARKS_MAX, marks::decode)?;
    input.leave();
    input.end()?;
    Ok(Before { upto, floor, counts, marks: marks.into_iter().collect() })
}

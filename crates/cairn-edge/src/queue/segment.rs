//! Segments: files of records, each written in one start of the process and never again.

use std::io;
use std::sync::Arc;

use cairn_log::{Disk, DiskFile};

use super::marks::Marks;
use super::record::{Outcome, Record};
use crate::EdgeError;

const PREFIX: &str = "queue-";
/// A segment has at most this many bytes; a longer file is none.
const SEGMENT_BYTES_MAX: u64 = 1 << 30;

/// What of a queue's life happened by the records of one segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Items taken.
    pub taken: u64,
    /// Items that left against a promise.
    pub promised: u64,
    /// Items that the network refused for good.
    pub refused: u64,
    /// Items that were given up, oldest first, because there was no more room.
    pub lost: u64,
}

impl Counts {
    pub(super) fn add(&mut self, other: Self) {
        self.taken += other.taken;
        self.promised += other.promised;
        self.refused += other.refused;
        self.lost += other.lost;
    }

    pub(super) const fn count(&mut self, record: &Record) {
        match record {
            Record::Item { .. } => self.taken += 1,
            Record::Done { outcome: Outcome::Promised, .. } => self.promised += 1,
            Record::Done { outcome: Outcome::Refused, .. } => self.refused += 1,
            Record::Sealed { .. } | Record::Void { .. } | Record::Begins { .. } => {}
        }
    }
}

/// What is known of a segment without reading it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Segment {
    pub number: u64,
    pub bytes: u64,
    /// First and last ordinal of its items.
    pub items: Option<(u64, u64)>,
    /// Items that have not left.
    pub open: u64,
    pub counts: Counts,
    /// The last durable mark of each source in it.
    pub marks: Marks,
}

impl Segment {
    pub fn numbered(number: u64) -> Self {
        Self { number, bytes: 0, items: None, open: 0, counts: Counts::default(), marks: Marks::new() }
    }

    pub fn has(&self, ordinal: u64) -> bool {
        self.items.is_some_and(|(first, last)| (first..=last).contains(&ordinal))
    }

    /// Counts a record that was written into it.
    pub fn wrote(&mut self, record: &Record) {
        self.counts.count(record);
        if let Record::Item { ordinal, .. } = record {
            self.open += 1;
            self.items = Some(self.items.map_or((*ordinal, *ordinal), |(first, last)| (first, last.max(*ordinal))));
        }
    }

    /// Hears that a record that was written into it is durable.
    pub fn keeps(&mut self, record: &Record) {
        if let Record::Item { item, .. } = record {
            self.marks.extend(item.marks.iter().cloned());
        }
    }

    /// Takes back the last record that was written into it.
    pub fn unwrote(&mut self, record: &Record) {
        match record {
            Record::Item { ordinal, .. } => {
                self.counts.taken = self.counts.taken.saturating_sub(1);
                self.open = self.open.saturating_sub(1);
                self.items = self.items.filter(|(first, _)| first < ordinal).map(|(first, _)| (first, ordinal - 1));
            }
            Record::Done { outcome: Outcome::Promised, .. } => {
                self.counts.promised = self.counts.promised.saturating_sub(1)
            }
            Record::Done { outcome: Outcome::Refused, .. } => {
                self.counts.refused = self.counts.refused.saturating_sub(1)
            }
            Record::Sealed { .. } | Record::Void { .. } | Record::Begins { .. } => {}
        }
    }
}

/// Removes a file that may be gone already, or never came to be.
pub(super) fn remove(disk: &dyn Disk, number: u64) -> io::Result<()> {
    match disk.remove(&name(number)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

pub(super) fn name(number: u64) -> String {
    format!("{PREFIX}{number:016x}")
}

pub(super) fn number(name: &str) -> Option<u64> {
    let digits = name.strip_prefix(PREFIX).filter(|digits| digits.len() == 16)?;
    u64::from_str_radix(digits, 16).ok()
}

/// How long a file is that is longer than any that is written.
pub(super) fn too_long(disk: &dyn Disk, number: u64) -> io::Result<Option<usize>> {
    let size = disk.open(&name(number))?.size()?;
    Ok((size > SEGMENT_BYTES_MAX).then(|| usize::try_from(size).unwrap_or(usize::MAX)))
}

/// The bytes of a segment.
pub(super) fn read(disk: &dyn Disk, number: u64) -> Result<Vec<u8>, EdgeError> {
    let file = disk.open(&name(number))?;
    let size = file.size()?;
    let damaged = || EdgeError::Damaged { file: name(number), what: "it is far too long" };
    let size = usize::try_from(size).ok().filter(|_| size <= SEGMENT_BYTES_MAX).ok_or_else(damaged)?;
    let mut bytes = vec![0; size];
    file.read_at(0, &mut bytes)?;
    Ok(bytes)
}

/// The segment that is being written.
pub(super) struct Writing {
    pub file: Arc<dyn DiskFile>,
    pub end: u64,
}

impl Writing {
    /// A new file, whose name is durable.
    pub fn begin(disk: &dyn Disk, number: u64) -> Result<Self, EdgeError> {
        let file = disk.create(&name(number))?;
        disk.sync_folder()?;
        Ok(Self { file, end: 0 })
    }

    pub fn append(&mut self, bytes: &[u8]) -> Result<(), EdgeError> {
        self.file.write_at(self.end, bytes)?;
        self.end += bytes.len() as u64;
        Ok(())
    }
}

//! An append-only file of records, each durable before anybody hears of it.
//!
//! ```text
//! length: u32 LE | CRC-32C of the record: u32 LE | CRC-32C of these eight bytes: u32 LE | record
//! ```
//!
//! Promises: what is read is what was written. What a crash left of the last record is cut off; damage to one that others
//! follow is never passed over, as each was synced before the next was written. After a full disk the file is as before. After a
//! failed sync nobody knows what is durable, and nothing more is written until it is opened again.
//!
//! What cannot be told apart: a last record that a crash tore, and one that rotted since. Both are cut off.

use std::io;
use std::sync::Arc;

use cairn_log::{Disk, DiskFile};

use crate::ChainError;

/// Bytes before each record.
const HEADER: usize = 12;

/// Where a record stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    /// Where its header begins.
    offset: u64,
    /// Bytes of the record.
    length: u32,
}

impl Span {
    fn end(self) -> u64 {
        self.offset + HEADER as u64 + u64::from(self.length)
    }
}

/// A record with its header.
fn framed(record: &[u8]) -> Result<Vec<u8>, &'static str> {
    let length = u32::try_from(record.len()).map_err(|_| "a block of 4 GiB")?;
    let mut out = Vec::with_capacity(HEADER + record.len());
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(&crc32c::crc32c(record).to_le_bytes());
    out.extend_from_slice(&crc32c::crc32c(&out).to_le_bytes());
    out.extend_from_slice(record);
    Ok(out)
}

/// Length and CRC of the record behind a header; `None` where these bytes are none.
fn header(bytes: &[u8]) -> Option<(u32, u32)> {
    let (fields, crc) = bytes.get(..HEADER)?.split_at(8);
    let number = |bytes: &[u8]| bytes.try_into().map(u32::from_le_bytes).ok();
    (number(crc)? == crc32c::crc32c(fields)).then_some((number(&fields[..4])?, number(&fields[4..])?))
}

/// Is told of every record in order, and of where it stands.
pub(super) type Each<'a> = dyn FnMut(Span, &[u8]) -> Result<(), ChainError> + 'a;

/// The file.
pub(super) struct Frames {
    file: Arc<dyn DiskFile>,
    /// Its name, for people.
    name: String,
    /// Where the last record ends.
    end: u64,
    /// Whether writing has ended, since a sync or a cut failed.
    ended: bool,
}

impl Frames {
    /// Makes the file with its first record: it is there with that, or not at all.
    pub(super) fn create(disk: &dyn Disk, file: &str, name: &str, first: &[u8]) -> Result<(), ChainError> {
        let failed = |action| move |error: io::Error| failure(action, name, &error);
        let framed = framed(first).map_err(|what| failure("write", name, what))?;
        let unfinished = format!("{file}.tmp");
        let made = disk.create(&unfinished).map_err(failed("create"))?;
        made.write_at(0, &framed).map_err(failed("write"))?;
        made.sync().map_err(failed("sync"))?;
        disk.rename(&unfinished, file).map_err(failed("rename"))?;
        disk.sync_folder().map_err(failed("sync the folder of"))
    }

    /// Opens the file and hands every record to `each`, in order; cuts off what a crash left of one. `None` if there is no file.
    pub(super) fn open(
        disk: &dyn Disk,
        file: &str,
        name: &str,
        each: &mut Each<'_>,
    ) -> Result<Option<Self>, ChainError> {
        let failed = |action| move |error: io::Error| failure(action, name, &error);
        let file = match disk.open(file) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed("open")(error)),
        };
        let size = file.size().map_err(failed("read"))?;
        let mut frames = Self { file, name: name.to_owned(), end: 0, ended: false };
        while let Some((span, record)) = frames.next(size)? {
            each(span, &record)?;
            frames.end = span.end();
        }
        if frames.end < size {
            frames.file.truncate(frames.end).map_err(failed("cut"))?;
            frames.file.sync().map_err(failed("sync"))?;
        }
        Ok(Some(frames))
    }

    /// The record at the end so far; `None` if none is there, or only a part of one.
    fn next(&self, size: u64) -> Result<Option<(Span, Vec<u8>)>, ChainError> {
        let left = size - self.end;
        if left < HEADER as u64 {
            return Ok(None);
        }
        let mut head = [0; HEADER];
        self.file.read_at(self.end, &mut head).map_err(|error| failure("read", &self.name, &error))?;
        let Some((length, crc)) = header(&head) else {
            return if self.more_follows(size)? { Err(self.broken()) } else { Ok(None) };
        };
        let span = Span { offset: self.end, length };
        if span.end() > size {
            return Ok(None);
        }
        let record = self.bytes_of(span)?;
        if crc32c::crc32c(&record) == crc {
            return Ok(Some((span, record)));
        }
        if span.end() == size { Ok(None) } else { Err(self.broken()) }
    }

    /// Whether a whole record stands anywhere behind the end so far, where none begins.
    fn more_follows(&self, size: u64) -> Result<bool, ChainError> {
        let length =
            usize::try_from(size - self.end).map_err(|_| failure("read", &self.name, "too long for this machine"))?;
        let mut rest = vec![0; length];
        self.file.read_at(self.end, &mut rest).map_err(|error| failure("read", &self.name, &error))?;
        let is_record = |start: usize| {
            let Some((length, crc)) = header(&rest[start..]) else { return false };
            let record = usize::try_from(length).ok().and_then(|length| rest[start + HEADER..].get(..length));
            record.is_some_and(|record| crc32c::crc32c(record) == crc)
        };
        Ok((1..rest.len()).any(is_record))
    }

    fn bytes_of(&self, span: Span) -> Result<Vec<u8>, ChainError> {
        let length =
            usize::try_from(span.length).map_err(|_| failure("read", &self.name, "too long for this machine"))?;
        let mut record = vec![0; length];
        let offset = span.offset + HEADER as u64;
        self.file.read_at(offset, &mut record).map_err(|error| failure("read", &self.name, &error))?;
        Ok(record)
    }

    /// A record that was handed out before.
    pub(super) fn read(&self, span: Span) -> Result<Vec<u8>, ChainError> {
        let mut head = [0; HEADER];
        self.file.read_at(span.offset, &mut head).map_err(|error| failure("read", &self.name, &error))?;
        let record = self.bytes_of(span)?;
        match header(&head) {
            Some((length, crc)) if length == span.length && crc == crc32c::crc32c(&record) => Ok(record),
            _ => Err(self.broken()),
        }
    }

    /// Appends a record, durably.
    pub(super) fn append(&mut self, record: &[u8]) -> Result<Span, ChainError> {
        if self.ended {
            return Err(failure(
                "write",
                &self.name,
                "it could not be synced, and what is on the disk is not known until it is opened again",
            ));
        }
        let framed = framed(record).map_err(|what| failure("write", &self.name, what))?;
        let length = u32::try_from(record.len()).map_err(|_| failure("write", &self.name, "a block of 4 GiB"))?;
        if let Err(error) = self.file.write_at(self.end, &framed) {
            self.ended = self.file.truncate(self.end).is_err();
            return Err(failure("write", &self.name, &error));
        }
        if let Err(error) = self.file.sync() {
            self.ended = true;
            return Err(failure("sync", &self.name, &error));
        }
        let span = Span { offset: self.end, length };
        self.end = span.end();
        Ok(span)
    }

    fn broken(&self) -> ChainError {
        broken(&self.name, format!("the block at byte {} is damaged and others follow it", self.end))
    }
}

/// A file that cannot be used.
pub(super) fn failure(action: &'static str, file: &str, what: impl ToString) -> ChainError {
    ChainError::File { action, file: file.to_owned(), what: what.to_string() }
}

/// A file that holds what it should not.
pub(super) fn broken(file: &str, what: impl Into<String>) -> ChainError {
    ChainError::Broken { file: file.to_owned(), what: what.into() }
}

//! Numbered files of one kind, each written whole with its checksum, and what they come to.

use std::collections::BTreeMap;

use cairn_log::{Disk, read_whole, replace_whole};

use crate::EdgeError;

const FILE_BYTES_MAX: u64 = 16 << 20;
/// What a file takes beside its bytes.
const COST_BYTES: u64 = 512;

/// What a file takes, and holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct File {
    pub bytes: u64,
    pub rows: u64,
}

impl File {
    /// One with this body.
    pub fn of(body: &[u8], rows: usize) -> Self {
        Self { bytes: body.len() as u64 + 4 + COST_BYTES, rows: rows as u64 }
    }
}

/// Files of one kind, with what they come to.
#[derive(Debug, Default)]
pub(super) struct Files {
    pub files: BTreeMap<u64, File>,
    pub bytes: u64,
    pub rows: u64,
}

impl Files {
    pub fn insert(&mut self, number: u64, file: File) {
        self.remove(number);
        self.bytes += file.bytes;
        self.rows += file.rows;
        self.files.insert(number, file);
    }

    pub fn remove(&mut self, number: u64) {
        if let Some(file) = self.files.remove(&number) {
            self.bytes -= file.bytes;
            self.rows -= file.rows;
        }
    }

    pub fn oldest(&self) -> Option<(u64, File)> {
        self.files.first_key_value().map(|(number, file)| (*number, *file))
    }
}

/// What the file of a kind with this number is called.
pub(super) fn name(kind: &str, number: u64) -> String {
    format!("{kind}{number:016x}")
}

/// The number of a file of this kind, if its name is of one.
pub(super) fn number(kind: &str, name: &str) -> Option<u64> {
    let digits = name.strip_prefix(kind).filter(|digits| digits.len() == 16)?;
    u64::from_str_radix(digits, 16).ok()
}

/// The body of a file whose checksum holds.
pub(super) fn read(disk: &dyn Disk, name: &str) -> Result<Option<Vec<u8>>, EdgeError> {
    let Some(bytes) = read_whole(disk, name, FILE_BYTES_MAX)? else { return Ok(None) };
    let Some((crc, body)) = bytes.split_first_chunk::<4>() else { return Ok(None) };
    Ok((crc32c::crc32c(body).to_be_bytes() == *crc).then(|| body.to_vec()))
}

/// Writes a file, durably.
pub(super) fn write(disk: &dyn Disk, kind: &str, number: u64, body: &[u8]) -> Result<(), EdgeError> {
    let framed = [&crc32c::crc32c(body).to_be_bytes(), body].concat();
    Ok(replace_whole(disk, &name(kind, number), &framed)?)
}

/// The bodies of all files of a kind, oldest first.
pub(super) fn bodies(disk: &dyn Disk, kind: &str) -> Result<Vec<(u64, Vec<u8>)>, EdgeError> {
    let mut numbers: Vec<u64> = disk.list()?.iter().filter_map(|found| number(kind, found)).collect();
    numbers.sort_unstable();
    let mut bodies = Vec::new();
    for number in numbers {
        bodies.extend(read(disk, &name(kind, number))?.map(|body| (number, body)));
    }
    Ok(bodies)
}

//! Tampering with a finished log: one byte of one entry on disk, behind everybody's back.

use std::path::Path;

use cairn_core::entry::{Entry, EntryKind};
use serde::Serialize;

use crate::failure::Failure;

/// What was changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Tampered {
    /// The entry.
    pub entry: u64,
    /// The file.
    pub file: String,
    /// The byte's offset in it.
    pub offset: usize,
}

/// Flips the lowest bit of a byte in the middle of a report's signature, in the segment file that holds it.
///
/// The report is the first one at or after `from`, as `read` serves entries.
///
/// # Errors
/// When the log's files cannot be read or written, or hold no report from there on.
pub fn flip_a_byte(
    log: &Path,
    from: u64,
    mut read: impl FnMut(u64) -> Result<Option<Vec<u8>>, Failure>,
) -> Result<Tampered, Failure> {
    let mut index = from;
    let entry = loop {
        let bytes = read(index)?.ok_or_else(|| Failure::failed("NET-DEMO", "the log has no report to tamper with"))?;
        if Entry::decode(&bytes).is_ok_and(|entry| entry.kind == EntryKind::Report) {
            break bytes;
        }
        index += 1;
    };
    let listed = std::fs::read_dir(log).map_err(|error| Failure::io("list", log, &error))?;
    for file in listed.flatten().filter(|file| file.file_name().to_string_lossy().starts_with("entries-")) {
        let path = file.path();
        let mut segment = std::fs::read(&path).map_err(|error| Failure::io("read", &path, &error))?;
        if let Some(start) = segment.windows(entry.len()).position(|window| window == entry) {
            // The signature stands last in a report, and the report last in its entry.
            let offset = start + entry.len() - 32;
            segment[offset] ^= 1;
            std::fs::write(&path, &segment).map_err(|error| Failure::io("write", &path, &error))?;
            let file = file.file_name().to_string_lossy().into_owned();
            return Ok(Tampered { entry: index, file, offset });
        }
    }
    Err(Failure::failed("NET-DEMO", format!("entry {index} is in no segment file of {}", log.display())))
}

//! Room taken ahead of files that are appended to and synced with every batch.
//!
//! A sync of an append has to write the file's new length too; a sync within the length that the file has already does
//! not, and takes about half as long. So segments and commit records are made longer than they are, by zeros, and cut to
//! their length when the log is closed or the next segment begins. After a crash the zeros are cut off by recovery. A
//! disk that has no room to spare, or cannot reserve any, is written without.

use std::io;

use crate::LogError;
use crate::disk::DiskFile;
use crate::error::failed;

/// How far a file is reserved.
#[derive(Debug, Clone, Copy)]
pub struct Reserved {
    bytes: u64,
    step: u64,
}

impl Reserved {
    /// A file of `bytes`, reserved from now on in steps of `step` bytes; none are if that is 0.
    pub const fn from(bytes: u64, step: u64) -> Self {
        Self { bytes, step }
    }

    /// The file is exactly so long now.
    pub fn cut(&mut self, bytes: u64) {
        self.bytes = bytes;
    }

    /// Whether the file is longer than `end`.
    pub const fn is_beyond(&self, end: u64) -> bool {
        self.bytes > end
    }

    /// Takes room for what is about to be written from `start` to `end`, the end of the file, and beyond.
    pub fn cover(&mut self, file: &dyn DiskFile, name: &str, start: u64, end: u64) -> Result<(), LogError> {
        if self.step == 0 || end <= self.bytes {
            return Ok(());
        }
        let wanted = end.div_ceil(self.step) * self.step;
        match file.reserve(wanted) {
            Ok(()) => self.bytes = wanted,
            Err(error) if is_spare(&error) => {
                // Part of it may have been taken, which the write itself may need.
                if file.size().map_err(failed("read", name))? > start {
                    file.truncate(start).map_err(failed("truncate", name))?;
                }
                self.bytes = end;
            }
            Err(error) => return Err(failed("reserve room for", name)(error)),
        }
        Ok(())
    }
}

/// Whether the disk refused something that can be done without.
fn is_spare(error: &io::Error) -> bool {
    use io::ErrorKind::{InvalidInput, QuotaExceeded, StorageFull, Unsupported};
    matches!(error.kind(), StorageFull | QuotaExceeded | Unsupported | InvalidInput)
}

/// Reads at once when looking for the end of what was written, in bytes.
const PIECE_BYTES: u64 = 1 << 16;

/// The bytes of a file up to the last that is not zero, and at least `from`: what follows was reserved, never written.
pub fn written_bytes(file: &dyn DiskFile, name: &str, from: u64) -> Result<u64, LogError> {
    let mut end = file.size().map_err(failed("read", name))?;
    while end > from {
        let start = end.saturating_sub(PIECE_BYTES).max(from);
        let mut piece = vec![0; usize::try_from(end - start).expect("a piece is small")];
        file.read_at(start, &mut piece).map_err(failed("read", name))?;
        if let Some(last) = piece.iter().rposition(|byte| *byte != 0) {
            return Ok(start + last as u64 + 1);
        }
        end = start;
    }
    Ok(from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Disk as _, StdDisk};

    #[test]
    fn what_was_written_ends_before_the_zeros_that_were_reserved() {
        let folder = tempfile::tempdir().unwrap();
        let disk = StdDisk::create(folder.path()).unwrap();
        let file = disk.create("a").unwrap();
        file.write_at(0, b"abc").unwrap();
        let mut reserved = Reserved::from(3, 100_000);
        reserved.cover(&*file, "a", 3, 3).unwrap();
        assert_eq!(file.size().unwrap(), 3, "it has room already");
        reserved.cover(&*file, "a", 3, 4).unwrap();
        assert_eq!(file.size().unwrap(), 100_000);
        assert_eq!(written_bytes(&*file, "a", 0).unwrap(), 3);
        assert_eq!(written_bytes(&*file, "a", 7).unwrap(), 7);
        file.write_at(80_000, b"x").unwrap();
        assert_eq!(written_bytes(&*file, "a", 7).unwrap(), 80_001);
        Reserved::from(0, 0).cover(&*file, "a", 3, 1 << 40).unwrap();
        assert_eq!(file.size().unwrap(), 100_000, "without steps nothing is reserved");
    }
}

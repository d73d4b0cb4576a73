//! What goes wrong at files, in the witness's words.

use std::io;

use cairn_log::FileError;

use crate::WitnessError;

/// A checkpoint with all its signatures is far below this.
pub(crate) const SMALL_BYTES_MAX: u64 = 1 << 20;

impl From<FileError> for WitnessError {
    fn from(error: FileError) -> Self {
        match error {
            FileError::Io { action, file, source } => Self::Io { action, file, source },
            FileError::Full { action, file } => Self::Full { action, file },
            FileError::TooLong { ref file, .. } => {
                let file = file.clone();
                Self::Io { action: "read", file, source: error.into() }
            }
        }
    }
}

/// A failure at a file, which a full disk is not.
pub(crate) fn failed(action: &'static str, file: &str) -> impl Fn(io::Error) -> WitnessError {
    move |source| WitnessError::Io { action, file: file.to_owned(), source }
}

/// A failure before anything counted: a full disk may be tried again.
pub(crate) fn unwritten(action: &'static str, file: &str) -> impl Fn(io::Error) -> WitnessError {
    move |source| match source.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            WitnessError::Full { action, file: file.to_owned() }
        }
        _ => failed(action, file)(source),
    }
}

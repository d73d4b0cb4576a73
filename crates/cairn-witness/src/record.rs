//! What was cosigned last for a log: one small file, which is the signed checkpoint itself.
//!
//! Both signatures are checked when it is read, so a turned bit anywhere is found.

use cairn_log::{Disk, FileError, read_whole, replace_whole};
use cairn_merkle::note::{Note, NoteSignature};
use cairn_merkle::witness::log_id;
use cairn_merkle::{Checkpoint, NoteVerifier, SignedCheckpoint};

use crate::WitnessError;
use crate::files::SMALL_BYTES_MAX;

/// The checkpoint of a log that was cosigned last.
#[derive(Debug, Clone)]
pub(crate) struct Latest {
    pub checkpoint: Checkpoint,
    /// The checkpoint with the log's signature and, last, the witness's.
    pub note: Note,
    /// The time that was signed, in seconds since 1970 UTC.
    pub time_s: u64,
}

/// The name of a log's file.
pub(crate) fn file_name(origin: &str) -> String {
    format!("latest-{}", log_id(origin))
}

impl Latest {
    /// The witness's signature line.
    pub fn line(&self) -> &NoteSignature {
        self.note.signatures().last().expect("a note has at least one signature")
    }

    /// Reads what was cosigned last, if there is such a file.
    pub fn read(disk: &dyn Disk, log: &NoteVerifier, own: &NoteVerifier) -> Result<Option<Self>, WitnessError> {
        let file = file_name(log.name());
        let refuse =
            |reason: String| WitnessError::Record { file: file.clone(), origin: log.name().to_owned(), reason };
        let bytes = match read_whole(disk, &file, SMALL_BYTES_MAX) {
            Err(error @ FileError::TooLong { .. }) => return Err(refuse(error.to_string())),
            read => read?,
        };
        let Some(bytes) = bytes else { return Ok(None) };
        let text = String::from_utf8(bytes).map_err(|_| refuse("it is not text".to_owned()))?;
        let signed = SignedCheckpoint::open(&text, log, core::slice::from_ref(own));
        let signed = signed.map_err(|error| refuse(error.to_string()))?;
        let Some((_, time_s)) = signed.witnessed.first() else {
            return Err(refuse(format!("the key of `{}` did not sign it", own.name())));
        };
        let note: Note = text.parse().map_err(|error| refuse(format!("{error}")))?;
        Ok(Some(Self { checkpoint: signed.checkpoint, time_s: *time_s, note }))
    }

    /// Makes this the one cosigned last, durably.
    pub fn write(&self, disk: &dyn Disk) -> Result<(), WitnessError> {
        let file = file_name(self.checkpoint.origin());
        Ok(replace_whole(disk, &file, self.note.to_string().as_bytes())?)
    }
}

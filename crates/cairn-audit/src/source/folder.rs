//! An exported folder: a static `tlog-tiles` tree, with the epochs' tables beside it if somebody put them there.
//!
//! ```text
//! checkpoint
//! tile/...
//! witnessed                 (optional: the history of cosigned checkpoints)
//! epochs/<n>/statement.cbor, verdicts.cborseq, payouts.cborseq, sales.cborseq, carry.cborseq, snapshot.cbor    (each optional)
//! ```

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use cairn_merkle::TilePath;

use super::{Source, SourceError};

/// The longest file read, in bytes.
const FILE_BYTES_MAX: u64 = 4 << 30;

/// A network in a folder.
#[derive(Debug, Clone)]
pub struct FolderSource {
    folder: PathBuf,
}

impl FolderSource {
    /// The network in the folder at `path`.
    #[must_use]
    pub fn at(path: impl AsRef<Path>) -> Self {
        Self { folder: path.as_ref().to_path_buf() }
    }

    fn read(&self, name: &str) -> Result<Option<Vec<u8>>, SourceError> {
        let path = self.folder.join(name);
        let failed = |detail: String| SourceError {
            what: path.display().to_string(),
            code: "LOG-IO".to_owned(),
            detail,
            hint: None,
        };
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => return Ok(None),
            Err(error) => return Err(failed(error.to_string())),
        };
        let mut bytes = Vec::new();
        file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(|error| failed(error.to_string()))?;
        if bytes.len() as u64 > FILE_BYTES_MAX {
            return Err(failed(format!("it is longer than {FILE_BYTES_MAX} bytes")));
        }
        Ok(Some(bytes))
    }
}

impl Source for FolderSource {
    fn name(&self) -> String {
        self.folder.display().to_string()
    }

    fn checkpoint(&self) -> Result<Option<Vec<u8>>, SourceError> {
        self.read("checkpoint")
    }

    fn tile(&self, tile: TilePath) -> Result<Option<Vec<u8>>, SourceError> {
        self.read(&tile.to_string())
    }

    fn statement(&self, epoch: u64) -> Result<Option<Vec<u8>>, SourceError> {
        self.read(&format!("epochs/{epoch}/statement.cbor"))
    }

    fn verdicts(&self, epoch: u64) -> Result<Option<Vec<u8>>, SourceError> {
        self.read(&format!("epochs/{epoch}/verdicts.cborseq"))
    }

    fn payouts(&self, epoch: u64) -> Result<Option<Vec<u8>>, SourceError> {
        self.read(&format!("epochs/{epoch}/payouts.cborseq"))
    }

    fn sales(&self, epoch: u64) -> Result<Option<Vec<u8>>, SourceError> {
        self.read(&format!("epochs/{epoch}/sales.cborseq"))
    }

    fn carry(&self, epoch: u64) -> Result<Option<Vec<u8>>, SourceError> {
        self.read(&format!("epochs/{epoch}/carry.cborseq"))
    }

    fn snapshot(&self, epoch: u64) -> Result<Option<Vec<u8>>, SourceError> {
        self.read(&format!("epochs/{epoch}/snapshot.cbor"))
    }

    fn witnessed(&self, from: u64) -> Result<Option<Vec<u8>>, SourceError> {
        // The file is read in one go, so whatever follows a beginning is nothing.
        if from > 0 { Ok(Some(Vec::new())) } else { self.read("witnessed") }
    }
}

//! Exports: a log as a folder of static files that any `tlog-tiles` client reads, and a reader of such folders.
//!
//! The checkpoint is written last, by rename, so whoever reads the folder at any moment finds every tile of the
//! checkpoint that it finds. Partial tiles are those of the checkpoint's size; those of earlier exports stay.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use cairn_merkle::note::Note;
use cairn_merkle::tile::{TILE_WIDTH, TileReader, split_entry, tiles};
use cairn_merkle::{Checkpoint, TileLevel, TilePath};

use crate::error::failed;
use crate::format::CHECKPOINT;
use crate::{LogError, LogReader};

/// Writes the log under its last checkpoint into `folder`; the checkpoint exported.
///
/// # Errors
/// [`LogError::NoCheckpoint`] if there is none; [`LogError::Export`] if the folder holds the export of another log, or
/// of more entries; [`LogError::Io`] and [`LogError::Damaged`].
pub fn export(log: &LogReader, folder: &Path) -> Result<Checkpoint, LogError> {
    let text = log.checkpoint().ok_or(LogError::NoCheckpoint)?;
    let checkpoint = parse(&text)?;
    refuse_other(log, folder, &checkpoint)?;
    for tile in tiles(checkpoint.size()) {
        let path = folder.join(tile.to_string());
        let parent = path.parent().expect("the path of a tile has a parent");
        let name = tile.to_string();
        fs::create_dir_all(parent).map_err(failed("create the folder of", &name))?;
        fs::write(&path, log.tile(tile)?).map_err(failed("write", &name))?;
    }
    fs::create_dir_all(folder).map_err(failed("create the folder of", CHECKPOINT))?;
    let unfinished = folder.join("checkpoint.tmp");
    fs::write(&unfinished, text).map_err(failed("write", "checkpoint.tmp"))?;
    fs::rename(&unfinished, folder.join(CHECKPOINT)).map_err(failed("rename", "checkpoint.tmp"))?;
    Ok(checkpoint)
}

fn parse(note: &str) -> Result<Checkpoint, LogError> {
    Ok(note.parse::<Note>()?.text().parse()?)
}

/// An export may only be continued by the log that it came from.
fn refuse_other(log: &LogReader, folder: &Path, checkpoint: &Checkpoint) -> Result<(), LogError> {
    let found = match FolderReader::new(folder).checkpoint() {
        Ok(text) => parse(&text)?,
        Err(LogError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    let same = found.origin() == checkpoint.origin() && found.size() <= checkpoint.size();
    if same && log.root_at(found.size())? == found.root() {
        return Ok(());
    }
    Err(LogError::Export { found: format!("{} entries of `{}`", found.size(), found.origin()) })
}

/// Reads an exported folder, or any copy of a `tlog-tiles` log.
///
/// It verifies nothing: check the checkpoint's signature, and tiles and entries against its root.
#[derive(Debug, Clone)]
pub struct FolderReader {
    folder: PathBuf,
}

impl FolderReader {
    /// A reader of the folder at `path`.
    #[must_use]
    pub fn new(path: impl AsRef<Path>) -> Self {
        Self { folder: path.as_ref().to_path_buf() }
    }

    /// The signed note of the checkpoint.
    ///
    /// # Errors
    /// [`LogError::Io`] if it cannot be read as UTF-8 text.
    pub fn checkpoint(&self) -> Result<String, LogError> {
        fs::read_to_string(self.folder.join(CHECKPOINT)).map_err(failed("read", CHECKPOINT))
    }
}

impl TileReader for FolderReader {
    type Error = LogError;

    /// The bytes of a tile or bundle. Where a partial one is missing, the beginning of the full one is given.
    fn tile(&self, tile: TilePath) -> Result<Vec<u8>, LogError> {
        let read = |tile: TilePath| fs::read(self.folder.join(tile.to_string()));
        match read(tile) {
            Err(error) if error.kind() == io::ErrorKind::NotFound && !tile.is_full() => {
                let mut bytes = read(TilePath { width: TILE_WIDTH, ..tile }).map_err(|_| error);
                if let Ok(bytes) = &mut bytes {
                    bytes.truncate(bytes_of(tile, bytes));
                }
                bytes
            }
            read => read,
        }
        .map_err(failed("read", &tile.to_string()))
    }
}

/// How many bytes of a full tile its first `tile.width` hashes or entries take.
fn bytes_of(tile: TilePath, full: &[u8]) -> usize {
    match tile.level {
        TileLevel::Hashes(_) => 32 * usize::from(tile.width),
        TileLevel::Entries => {
            let mut rest = full;
            for _ in 0..tile.width {
                // A bundle that ends early is given as it is; decoding it names the place.
                rest = split_entry(rest).map_or(&[], |(_, after)| after);
            }
            full.len() - rest.len()
        }
    }
}

//! Where an audit reads from: anything that serves a log and, perhaps, the tables computed from it.

mod folder;
mod http;

use cairn_merkle::TilePath;

pub use folder::FolderSource;
pub use http::HttpSource;

/// Something that serves a network. Nothing that it gives is believed.
///
/// `Ok(None)` means that there is no such thing; an error means that nobody knows, and ends the audit without a result.
pub trait Source: Sync {
    /// What it is, for people: an address or a folder.
    fn name(&self) -> String;

    /// The signed note of the last checkpoint.
    ///
    /// # Errors
    /// [`SourceError`] when it cannot be read.
    fn checkpoint(&self) -> Result<Option<Vec<u8>>, SourceError>;

    /// A tile of hashes, or an entry bundle.
    ///
    /// # Errors
    /// [`SourceError`] when it cannot be read.
    fn tile(&self, tile: TilePath) -> Result<Option<Vec<u8>>, SourceError>;

    /// The canonical bytes of an epoch's statement.
    ///
    /// # Errors
    /// [`SourceError`] when it cannot be read.
    fn statement(&self, epoch: u64) -> Result<Option<Vec<u8>>, SourceError>;

    /// The canonical bytes of an epoch's verdicts, one after the other.
    ///
    /// # Errors
    /// [`SourceError`] when they cannot be read.
    fn verdicts(&self, epoch: u64) -> Result<Option<Vec<u8>>, SourceError>;

    /// The canonical bytes of an epoch's payout rows, one after the other.
    ///
    /// # Errors
    /// [`SourceError`] when they cannot be read.
    fn payouts(&self, epoch: u64) -> Result<Option<Vec<u8>>, SourceError>;

    /// The canonical bytes of an epoch's sales, one after the other.
    ///
    /// # Errors
    /// [`SourceError`] when they cannot be read.
    fn sales(&self, epoch: u64) -> Result<Option<Vec<u8>>, SourceError>;

    /// The records of what judges remember after an epoch, one after the other.
    ///
    /// # Errors
    /// [`SourceError`] when they cannot be read.
    fn carry(&self, epoch: u64) -> Result<Option<Vec<u8>>, SourceError>;

    /// The snapshot of the state after an epoch.
    ///
    /// # Errors
    /// [`SourceError`] when it cannot be read.
    fn snapshot(&self, epoch: u64) -> Result<Option<Vec<u8>>, SourceError>;

    /// The history of cosigned checkpoints from number `from` on: signed notes one after the other, as many as it gives at
    /// once; empty at the end.
    ///
    /// # Errors
    /// [`SourceError`] when it cannot be read.
    fn witnessed(&self, _from: u64) -> Result<Option<Vec<u8>>, SourceError> {
        Ok(None)
    }

    /// Whether it is the network as it is now, not a copy: then it has all that anybody was shown before.
    fn is_live(&self) -> bool {
        false
    }

    /// How many tiles are worth asking for at once.
    fn parallel(&self) -> usize {
        1
    }
}

/// A source that could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot read {what}: {detail}")]
pub struct SourceError {
    /// What was asked for.
    pub what: String,
    /// The stable code of the failure.
    pub code: String,
    /// What went wrong.
    pub detail: String,
    /// The way out, where there is one.
    pub hint: Option<String>,
}

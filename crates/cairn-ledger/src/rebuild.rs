//! Folding a log again from its first entry, to check everything that was derived from it, or to make it again.
//!
//! No snapshot, no table and no index is believed: only entries are read. What comes out is compared byte by byte with
//! what lies in the views.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use cairn_core::Hash;
use cairn_core::report::ReportName;
use cairn_fold::{Closed, Fold, root_of};
use cairn_log::LogReader;

use crate::earned::{Earned, encode, plus};
use crate::follow::{Follow, Progress};
use crate::store::{EARNED, EpochStore, files_of, io_error, is_beside, may_be_missing};
use crate::views::broken_view;
use crate::{LedgerError, LedgerOptions};

/// A view that is not what the log implies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The epoch.
    pub epoch: u64,
    /// The file.
    pub path: PathBuf,
    /// The first byte that differs; `None` if the file is missing.
    pub byte: Option<u64>,
}

/// What a fold from the first entry on found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rebuilt {
    /// Entries folded.
    pub entries: u64,
    /// Entries that the fold refused.
    pub void: u64,
    /// Epochs that they close.
    pub epochs: u64,
    /// Files compared, or written.
    pub files: u64,
    /// Bytes in them.
    pub bytes: u64,
    /// The root over the state's records after the last entry.
    pub state_root: Hash,
    /// Files that differ.
    pub differing: u64,
    /// The first of them.
    pub first: Option<Difference>,
    /// Folders of epochs that these entries do not close. Beside a network that runs there may be some, since entries
    /// after the last checkpoint are not read; of a stopped one they are left from a crash.
    pub beyond: Vec<u64>,
}

/// Compares the views in `folder` with what the log implies, and changes nothing.
///
/// # Errors
/// [`LedgerError`] when the log cannot be read or folded, or a view cannot be read.
pub fn check_views(
    folder: &Path,
    reader: &LogReader,
    options: LedgerOptions,
    progress: Progress<'_>,
) -> Result<Rebuilt, LedgerError> {
    let store = EpochStore::at(&folder.join("epochs"), options.snapshots_kept.max(1));
    rebuild(&store, reader, progress, false)
}

/// Writes the views in `folder` again wherever they are not what the log implies. Nobody else may write them meanwhile:
/// the caller holds the log open for writing.
///
/// # Errors
/// [`LedgerError`] when the log cannot be read or folded, or a view cannot be written.
pub fn rebuild_views(
    folder: &Path,
    reader: &LogReader,
    options: LedgerOptions,
    progress: Progress<'_>,
) -> Result<Rebuilt, LedgerError> {
    let store = EpochStore::open(&folder.join("epochs"), options.snapshots_kept.max(1))?;
    store.sweep()?;
    let rebuilt = rebuild(&store, reader, progress, true)?;
    rebuilt.beyond.iter().try_for_each(|epoch| store.remove(*epoch))?;
    Ok(rebuilt)
}

fn rebuild(
    store: &EpochStore,
    reader: &LogReader,
    progress: Progress<'_>,
    is_written: bool,
) -> Result<Rebuilt, LedgerError> {
    let present = store.epochs()?;
    // Which snapshots are still kept is known from the epochs that are there.
    let mut comparison = Comparison {
        store,
        last: present.last().copied().unwrap_or(0),
        is_written,
        earned: Vec::new(),
        files: 0,
        bytes: 0,
        differing: 0,
        first: None,
    };
    let mut follow = Follow::from(Fold::start());
    follow.catch_up(reader, progress, &mut |closed, names| {
        if comparison.compare(closed, names)? && is_written { store.write(closed, names) } else { Ok(()) }
    })?;
    let Comparison { files, bytes, differing, first, .. } = comparison;
    let epochs = follow.fold.state().epoch.number;
    Ok(Rebuilt {
        entries: follow.fold.size(),
        void: follow.void.values().sum(),
        epochs,
        files,
        bytes,
        state_root: root_of(&follow.fold.state().records()),
        differing,
        first,
        beyond: present.into_iter().filter(|epoch| *epoch >= epochs).collect(),
    })
}

struct Comparison<'a> {
    store: &'a EpochStore,
    last: u64,
    is_written: bool,
    /// What devices earned up to the epoch that is compared.
    earned: Earned,
    files: u64,
    bytes: u64,
    differing: u64,
    first: Option<Difference>,
}

impl Comparison<'_> {
    /// Whether a file of this epoch differs, or is to be written that earlier releases did not write.
    fn compare(&mut self, closed: &Closed, names: &[(ReportName, u64)]) -> Result<bool, LedgerError> {
        let epoch = closed.statement.number;
        let folder = self.store.epoch_folder(epoch);
        let is_old = epoch + self.store.snapshots_kept() <= self.last;
        let before = self.differing;
        let mut lacks = false;
        self.earned = plus(core::mem::take(&mut self.earned), &closed.payouts)
            .map_err(|error| broken_view(epoch, "payouts", &error))?;
        let earned = encode(&self.earned, &closed.hash);
        for (name, expected) in files_of(closed, names).into_iter().chain([(EARNED, earned)]) {
            let path = folder.join(name);
            let byte = match fs::read(&path) {
                Ok(found) if found == expected => {
                    self.files += 1;
                    self.bytes += expected.len() as u64;
                    continue;
                }
                Ok(found) => Some(first_difference(&found, &expected)),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    if may_be_missing(&folder, name, is_old) {
                        lacks |= is_beside(name);
                        continue;
                    }
                    None
                }
                Err(error) => return Err(io_error("read", &path)(error)),
            };
            self.files += 1;
            self.bytes += expected.len() as u64;
            self.differing += 1;
            self.first.get_or_insert(Difference { epoch, path, byte });
        }
        Ok(self.differing > before || (lacks && self.is_written))
    }
}

fn first_difference(found: &[u8], expected: &[u8]) -> u64 {
    found.iter().zip(expected).take_while(|(found, expected)| found == expected).count() as u64
}

//! The folders of a running node, on a disk that is not full as long as old raw inputs lie on it.

use std::path::Path;
use std::sync::{Arc, Mutex};

use cairn_edge::reduce::{MakingRoom, RawStore, SharedStore, StdFolders};
use cairn_log::Disk;

use super::super::disk;
use crate::config::node::{NodeConfig, NodeFolder};
use crate::failure::Failure;

/// The folders.
pub struct Disks {
    raw: SharedStore,
}

impl Disks {
    /// Opens raw inputs, whose room everything else may have.
    ///
    /// # Errors
    /// `NET-IO`.
    pub fn open(folder: &NodeFolder, config: &NodeConfig) -> Result<Self, Failure> {
        let path = folder.raw();
        let raw = RawStore::open(Arc::new(StdFolders::at(&path)), config.raw_limits());
        let raw = raw.map_err(|error| {
            let hint = "it may be moved away: only raw inputs of reports are lost with it";
            Failure::io("open", &path, &error).hint(hint)
        })?;
        Ok(Self { raw: Arc::new(Mutex::new(raw)) })
    }

    /// Raw inputs.
    pub fn raw(&self) -> SharedStore {
        Arc::clone(&self.raw)
    }

    /// A folder of what is worth more than they are.
    ///
    /// # Errors
    /// `NET-IO`.
    pub fn at(&self, path: &Path) -> Result<Arc<dyn Disk>, Failure> {
        Ok(Arc::new(MakingRoom::on(disk(path)?, self.raw())))
    }
}

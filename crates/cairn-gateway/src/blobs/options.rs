//! Where blobs lie, and how many.

use std::path::PathBuf;
use std::time::Duration;

/// Where blobs lie, and how many are kept for those whom no job needs yet.
#[derive(Debug, Clone)]
pub struct BlobOptions {
    /// The folder.
    pub folder: PathBuf,
    /// Bytes of one blob. Default 16 MiB.
    pub blob_bytes_max: u64,
    /// Bytes of all blobs that no job needs; each counts as 4 KiB at least. Default 1 GiB.
    pub staged_bytes_max: u64,
    /// Of those, bytes of one address. Default 256 MiB.
    pub staged_bytes_per_address_max: u64,
    /// How long a blob is kept that no job needs, from when it came or was last needed. Default 1 h.
    pub keep: Duration,
    /// Bytes that are left free on the disk, for the log above all. Default 1 GiB.
    pub free_bytes_min: u64,
}

impl BlobOptions {
    /// The defaults, in a folder.
    #[must_use]
    pub fn in_folder(folder: PathBuf) -> Self {
        Self {
            folder,
            blob_bytes_max: 16 << 20,
            staged_bytes_max: 1 << 30,
            staged_bytes_per_address_max: 256 << 20,
            keep: Duration::from_secs(3_600),
            free_bytes_min: 1 << 30,
        }
    }
}

//! `[blobs]` of `network.toml`: how many modules, inputs and outputs of jobs the gateway keeps.
//!
//! Every value may be left out; what it is then is said in `cairn_gateway::BlobOptions`, and in the operator's guide.

use std::path::PathBuf;

use cairn_gateway::BlobOptions;
use serde::Deserialize;

use super::{bad_duration, duration_ms};
use crate::failure::Failure;

/// How the blobs of jobs are kept.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BlobsConfig {
    /// Bytes of one blob.
    pub blob_bytes: u64,
    /// Bytes of all blobs that no job needs.
    pub staged_bytes: u64,
    /// Of those, bytes of one address.
    pub staged_bytes_per_address: u64,
    /// How long a blob that no job needs is kept, such as `1h`.
    pub keep: String,
    /// Bytes that are left free on the disk.
    pub free_bytes: u64,
}

impl Default for BlobsConfig {
    fn default() -> Self {
        let options = BlobOptions::in_folder(PathBuf::new());
        Self {
            blob_bytes: options.blob_bytes_max,
            staged_bytes: options.staged_bytes_max,
            staged_bytes_per_address: options.staged_bytes_per_address_max,
            keep: format!("{}ms", options.keep.as_millis()),
            free_bytes: options.free_bytes_min,
        }
    }
}

impl BlobsConfig {
    /// What the gateway is started with.
    ///
    /// # Errors
    /// `NET-CONFIG`.
    pub fn options(&self, folder: PathBuf) -> Result<BlobOptions, Failure> {
        if self.blob_bytes > self.staged_bytes_per_address || self.staged_bytes_per_address > self.staged_bytes {
            let what = "[blobs]: one blob fits what an address may stage, and that what all may";
            return Err(
                Failure::wrong("NET-CONFIG", what).hint("blob_bytes <= staged_bytes_per_address <= staged_bytes")
            );
        }
        let keep_ms = duration_ms(&self.keep).ok_or_else(|| bad_duration("keep", &self.keep))?;
        Ok(BlobOptions {
            folder,
            blob_bytes_max: self.blob_bytes,
            staged_bytes_max: self.staged_bytes,
            staged_bytes_per_address_max: self.staged_bytes_per_address,
            keep: std::time::Duration::from_millis(keep_ms),
            free_bytes_min: self.free_bytes,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize)]
    struct Shown {
        #[serde(default)]
        blobs: BlobsConfig,
    }

    fn options(text: &str) -> Result<String, String> {
        let read: Shown = toml::from_str(text).map_err(|error| error.to_string())?;
        read.blobs.options(PathBuf::new()).map(|options| format!("{options:?}")).map_err(|failure| failure.code)
    }

    #[test]
    fn the_operators_guide_shows_every_value_with_its_default() {
        let guide = std::fs::read_to_string(
            std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/guides/operator.md"),
        );
        let guide = guide.unwrap();
        let block = guide.split("```toml\n").find(|block| block.starts_with("[blobs]")).unwrap();
        let block = block.split("```").next().unwrap();
        assert_eq!(options(block), options(""));
        assert_eq!(options(""), Ok(format!("{:?}", BlobOptions::in_folder(PathBuf::new()))));
        assert_eq!(block.lines().filter(|line| line.contains(" = ")).count(), 5);
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        for text in ["keep = \"0s\"", "keep = \"soon\"", "blob_bytes = 999999999999", "staged_bytes = 1000"] {
            assert_eq!(options(&format!("[blobs]\n{text}")), Err("NET-CONFIG".to_owned()), "{text}");
        }
        assert!(options("[blobs]\nkept = 1").is_err());
    }
}

//! `[worker]` of `node.toml`: work for buyers, beside measuring.

use std::path::PathBuf;

use cairn_core::statement::{CAPACITY_MAX, RunProfile};
use serde::Deserialize;

use crate::config::duration_ms;

/// Which arithmetic of WebAssembly a node runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Profiles {
    /// Integers alone.
    DetInt,
    /// Floats alone.
    DetFloat,
    /// Both.
    #[default]
    Both,
}

impl Profiles {
    /// As an offer says it.
    #[must_use]
    pub const fn bits(self) -> u8 {
        match self {
            Self::DetInt => RunProfile::DetInt.bit(),
            Self::DetFloat => RunProfile::DetFloat.bit(),
            Self::Both => RunProfile::DetInt.bit() | RunProfile::DetFloat.bit(),
        }
    }
}

/// Work for buyers. A worker is a device of its own, with a key of its own, enrolled with `--role worker`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorkerConfig {
    /// The worker's key file.
    #[serde(default = "key")]
    pub key: PathBuf,
    /// The price of 10^9 gas, in tokens.
    pub price: String,
    /// Jobs at once.
    #[serde(default = "capacity")]
    pub capacity: u32,
    /// The most gas of one job.
    #[serde(default = "gas")]
    pub gas: u64,
    /// The most memory of one job, in pages of 64 KiB.
    #[serde(default = "pages")]
    pub pages: u32,
    /// Which arithmetic it runs.
    #[serde(default)]
    pub profiles: Profiles,
    /// For how long an offer is made.
    #[serde(default = "lease")]
    pub lease: String,
    /// MiB of blobs that are kept.
    #[serde(default = "cache_mib")]
    pub cache_mib: u64,
}

fn key() -> PathBuf {
    "worker.key".into()
}

const fn capacity() -> u32 {
    1
}

const fn gas() -> u64 {
    100_000_000_000
}

const fn pages() -> u32 {
    4_096
}

fn lease() -> String {
    "10m".to_owned()
}

const fn cache_mib() -> u64 {
    1_024
}

impl WorkerConfig {
    pub(super) fn check(&self) -> Result<(), String> {
        if !(1..=CAPACITY_MAX).contains(&self.capacity) {
            return Err(format!("[worker] capacity is 1 to {CAPACITY_MAX}"));
        }
        if self.gas == 0 || self.pages == 0 {
            return Err("[worker] gas and pages are at least 1".to_owned());
        }
        duration_ms(&self.lease).map(drop).ok_or_else(|| format!("[worker] lease: `{}` is no duration", self.lease))
    }
}

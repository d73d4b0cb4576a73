//! `node.toml`: what runs next to the hardware, and the folder it lies in.
//!
//! The folder holds the key, what waits to be sent, promises and receipts: losing it loses what was not sent, and the device's
//! name with its key. `node.toml` itself may be written again at any time.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use cairn_core::{DeviceId, Hash, NetworkId};
use cairn_edge::alert::AlertConfig;
use cairn_edge::broker::Broker;
use cairn_edge::reduce::{ReduceConfig, StoreLimits};
use cairn_edge::send::{Keys, RefusedConfig};
use cairn_edge::service::SYSTEM_FOLDER;
use cairn_edge::source::SourceConfig;
use cairn_edge::time::ClockConfig;
use cairn_merkle::{MerkleError, NoteVerifier};
use serde::Deserialize;

use crate::failure::Failure;

mod key;
mod pkcs8;
mod worker;

pub use key::{DeviceKey, KeyConfig};
pub use pkcs8::parse as pkcs8;
pub use worker::{Profiles, WorkerConfig};

/// The file that makes a folder a node's.
const FILE: &str = "node.toml";
/// The file in which a running node says how it is.
pub const STATUS_FILE: &str = "status.json";
/// The most gateways of a node.
const GATEWAYS_MAX: usize = 16;
/// The least and the most of a queue, in MiB.
const QUEUE_MIB: core::ops::RangeInclusive<u64> = 1..=1 << 20;
/// The longest that raw inputs are kept: ten years of days.
const RAW_DAYS: core::ops::RangeInclusive<u64> = 1..=3_650;
/// The longest that receipts are not asked for: a day.
const AFTER_S_MAX: u64 = 86_400;
/// The way out of a configuration that cannot be read.
const HINT: &str = "every key is in the guide for contributors; `cairn node setup` writes the file again";

/// A node's folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeFolder {
    root: PathBuf,
}

impl NodeFolder {
    /// The folder named, systemd's for the service, root's for the machine, or `.cairn/node` of the home.
    ///
    /// # Errors
    /// `NODE-FOLDER` where none is named and the environment names no home.
    pub fn named(named: Option<&Path>) -> Result<Self, Failure> {
        let of_environment = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let root = named.map(Path::to_owned).or_else(|| of_environment("STATE_DIRECTORY"));
        let root = root.or_else(|| is_root().then(|| PathBuf::from(SYSTEM_FOLDER)));
        let home = || of_environment("HOME").map(|home| home.join(".cairn/node"));
        let none = || {
            Failure::usage("NODE-FOLDER", "the environment names no home for the node's folder")
                .hint("name the folder: --dir DIR")
        };
        Ok(Self { root: root.or_else(home).ok_or_else(none)? })
    }

    /// The folder itself.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// `node.toml`.
    #[must_use]
    pub fn config(&self) -> PathBuf {
        self.root.join(FILE)
    }

    /// The key of the device that measures, where it is a file of ours.
    #[must_use]
    pub fn device_key(&self) -> PathBuf {
        self.root.join("device.key")
    }

    /// The wallet that `setup` made for the owner.
    #[must_use]
    pub fn owner_key(&self) -> PathBuf {
        self.root.join("owner.key")
    }

    /// What the device says to join an owner who signs elsewhere.
    #[must_use]
    pub fn joining(&self) -> PathBuf {
        self.root.join("enrol.cbor")
    }

    /// When the device joined its network, by the gateway's clock: ms since 1970, as text.
    #[must_use]
    pub fn joined(&self) -> PathBuf {
        self.root.join("joined")
    }

    /// When the device joined, as `setup` noted it; 0 where it did not, or what it noted cannot be read.
    #[must_use]
    pub fn joined_ms(&self) -> u64 {
        std::fs::read_to_string(self.joined()).ok().and_then(|text| text.trim().parse().ok()).unwrap_or(0)
    }

    /// What waits to be sent.
    #[must_use]
    pub fn queue(&self) -> PathBuf {
        self.root.join("queue")
    }

    /// Promises and receipts.
    #[must_use]
    pub fn receipts(&self) -> PathBuf {
        self.root.join("receipts")
    }

    /// The raw inputs of reductions.
    #[must_use]
    pub fn raw(&self) -> PathBuf {
        self.root.join("raw")
    }

    /// What is known of the machine's battery-backed clock.
    #[must_use]
    pub fn clock(&self) -> PathBuf {
        self.root.join("clock")
    }

    /// Which alerts were told.
    #[must_use]
    pub fn alerts(&self) -> PathBuf {
        self.root.join("alerts")
    }

    /// The worker's folder.
    #[must_use]
    pub fn worker(&self) -> PathBuf {
        self.root.join("worker")
    }

    /// Where the running node says how it is.
    #[must_use]
    pub fn status(&self) -> PathBuf {
        self.root.join(STATUS_FILE)
    }

    /// A path of the configuration: beside it, unless it is absolute.
    #[must_use]
    pub fn at(&self, path: &Path) -> PathBuf {
        self.root.join(path)
    }
}

/// Whether this process is root's.
#[must_use]
pub fn is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0)
}

/// `node.toml`, read.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NodeConfig {
    /// Addresses of gateways, the preferred first.
    pub gateways: Vec<String>,
    /// The id of the network: 64 hexadecimal digits. Another network is never told anything.
    network: String,
    /// The key that the log signs its checkpoints with; without it the gateway's word counts.
    log_vkey: Option<String>,
    /// The key that promises are signed with; likewise.
    promise_vkey: Option<String>,
    /// The device's key.
    #[serde(default)]
    pub key: KeyConfig,
    /// What may wait.
    #[serde(default)]
    queue: QueueConfig,
    /// What the network signed for.
    #[serde(default)]
    receipts: ReceiptsConfig,
    /// The raw inputs of reductions.
    #[serde(default)]
    raw: RawConfig,
    /// What becomes of reports that are refused for good.
    #[serde(default)]
    pub refused: RefusedConfig,
    /// How readings are reduced.
    #[serde(default)]
    pub reduce: ReduceConfig,
    /// Where readings come from.
    #[serde(default)]
    pub source: Vec<SourceConfig>,
    /// Who is asked for the time.
    #[serde(default)]
    pub clock: ClockConfig,
    /// What is told to whom when something is wrong.
    #[serde(default)]
    pub alerts: AlertConfig,
    /// The household's broker, on which Home Assistant finds the node.
    pub home: Option<HomeConfig>,
    /// Work for buyers, beside measuring.
    pub worker: Option<WorkerConfig>,
}

/// What may wait to be sent.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct QueueConfig {
    /// MiB on disk; beyond, the oldest goes first, and is counted.
    #[serde(default = "QueueConfig::size_mib")]
    size_mib: u64,
}

impl QueueConfig {
    const fn size_mib() -> u64 {
        64
    }
}

impl Default for QueueConfig {
    fn default() -> Self {
        Self { size_mib: Self::size_mib() }
    }
}

/// What the network signed for.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct ReceiptsConfig {
    /// MiB on disk; beyond, the oldest go first.
    size_mib: u64,
    /// How long after a start receipts are first asked for, in seconds.
    after_s: u64,
}

impl Default for ReceiptsConfig {
    fn default() -> Self {
        Self { size_mib: 8, after_s: 60 }
    }
}

/// The raw inputs of reductions.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawConfig {
    /// MiB on disk; beyond, the oldest go first.
    size_mib: u64,
    /// Days after which one goes.
    days: u64,
}

impl Default for RawConfig {
    fn default() -> Self {
        Self { size_mib: 256, days: 30 }
    }
}

/// The household's broker.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HomeConfig {
    /// The broker.
    pub broker: Broker,
    /// Where Home Assistant looks for devices [default: homeassistant].
    pub prefix: Option<String>,
    /// What people call the node [default: Cairn node].
    pub name: Option<String>,
}

impl NodeConfig {
    /// Reads the configuration in a node's folder.
    ///
    /// # Errors
    /// `NODE-SETUP` where there is none, `NODE-CONFIG`.
    pub fn read(folder: &NodeFolder) -> Result<Self, Failure> {
        let path = folder.config();
        let text = std::fs::read_to_string(&path).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => {
                let what = format!("{} is not a node's folder yet", folder.root().display());
                Failure::usage("NODE-SETUP", what).hint("set it up: `cairn node setup URL`, or name another with --dir")
            }
            _ => Failure::io("read", &path, &error),
        })?;
        Self::parse(&text, &path)
    }

    /// Reads the text of a configuration; `path` is what errors call it.
    ///
    /// # Errors
    /// `NODE-CONFIG` names the line.
    pub fn parse(text: &str, path: &Path) -> Result<Self, Failure> {
        let wrong = |what: String| Failure::wrong("NODE-CONFIG", format!("{}: {what}", path.display())).hint(HINT);
        let config: Self = toml::from_str(text).map_err(|error| wrong(error.to_string()))?;
        config.check().map_err(|what| wrong(what).hint(HINT))?;
        Ok(config)
    }

    fn check(&self) -> Result<(), String> {
        if self.gateways.is_empty() || self.gateways.len() > GATEWAYS_MAX {
            return Err(format!("`gateways` names one to {GATEWAYS_MAX}"));
        }
        for url in &self.gateways {
            cairn_client::Client::at(url).map_err(|error| error.to_string())?;
        }
        Hash::from_hex(&self.network).ok_or_else(|| format!("`{}` is no network id", self.network))?;
        if !QUEUE_MIB.contains(&self.queue.size_mib) {
            return Err(format!("`size_mib` is {} to {}", QUEUE_MIB.start(), QUEUE_MIB.end()));
        }
        let mut names = std::collections::BTreeSet::new();
        if let Some(twice) = self.source.iter().map(SourceConfig::name).find(|name| !names.insert(name.clone())) {
            return Err(format!("two sources are called `{twice}`: their places would be mistaken for each other's"));
        }
        self.reduce.length_ms().and_then(|_| self.reduce.recipe()).map_err(|error| error.to_string())?;
        if !QUEUE_MIB.contains(&self.receipts.size_mib) || self.receipts.after_s > AFTER_S_MAX {
            return Err(format!("[receipts] size_mib is at least 1, after_s at most {AFTER_S_MAX}"));
        }
        if !QUEUE_MIB.contains(&self.raw.size_mib) || !RAW_DAYS.contains(&self.raw.days) {
            return Err(format!("[raw] size_mib is at least 1, days {} to {}", RAW_DAYS.start(), RAW_DAYS.end()));
        }
        self.refused.check()?;
        for key in self.log_vkey.iter().chain(&self.promise_vkey) {
            key.parse::<NoteVerifier>().map_err(|error| format!("`{key}` is no verifier key: {error}"))?;
        }
        self.alerts.check().map_err(|what| format!("[alerts]: {what}"))?;
        self.clock.check().map_err(|what| format!("[clock]: {what}"))?;
        self.key.check()?;
        self.worker.as_ref().map_or(Ok(()), WorkerConfig::check)
    }

    /// The network that everything is for.
    #[must_use]
    pub fn network(&self) -> NetworkId {
        NetworkId(Hash::from_hex(&self.network).unwrap_or(Hash::ZERO))
    }

    /// The keys of the log and of promises, where they are named.
    #[must_use]
    pub fn vkeys(&self) -> (Option<&str>, Option<&str>) {
        (self.log_vkey.as_deref(), self.promise_vkey.as_deref())
    }

    /// The same as keys; `None` where one of the two is missing: then the first gateway is believed for both.
    ///
    /// # Errors
    /// What is no verifier key.
    pub fn keys(&self) -> Result<Option<Keys>, MerkleError> {
        let (log, promises) = self.vkeys();
        Keys::pinned(self.network(), log, promises)
    }

    /// Bytes that may wait on disk.
    #[must_use]
    pub const fn queue_bytes(&self) -> u64 {
        self.queue.size_mib << 20
    }

    /// Bytes of promises and receipts on disk.
    #[must_use]
    pub const fn receipts_bytes(&self) -> u64 {
        self.receipts.size_mib << 20
    }

    /// How long, and how much, raw inputs are kept.
    #[must_use]
    pub const fn raw_limits(&self) -> StoreLimits {
        StoreLimits::of(self.raw.size_mib, self.raw.days)
    }

    /// How long after a start receipts are first asked for, in ms.
    #[must_use]
    pub const fn receipts_after_ms(&self) -> u64 {
        self.receipts.after_s * 1_000
    }

    /// The device's key and id.
    ///
    /// # Errors
    /// `NET-KEY`, or those of the token.
    pub fn device(&self, folder: &NodeFolder) -> Result<DeviceKey, Failure> {
        self.key.open(folder)
    }

    /// The device that the configuration names, if it does.
    ///
    /// # Errors
    /// `NODE-CONFIG`.
    pub fn named_device(&self) -> Result<Option<DeviceId>, Failure> {
        self.key.device_id()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn least() -> String {
        format!("gateways = [\"http://127.0.0.1:8640\"]\nnetwork = \"{}\"\n", "ab".repeat(32))
    }

    fn parse(text: &str) -> Result<NodeConfig, Failure> {
        NodeConfig::parse(text, Path::new("node.toml"))
    }

    #[test]
    fn the_least_that_is_said_is_enough() {
        let config = parse(&least()).unwrap();
        assert_eq!(config.queue_bytes(), 64 << 20);
        assert_eq!(config.raw_limits(), StoreLimits::default());
        let raw = parse(&format!("{}[raw]\nsize_mib = 2\ndays = 3", least())).unwrap().raw_limits();
        assert_eq!(raw, StoreLimits { age_ms: 3 * 86_400_000, bytes: 2 << 20 });
        assert_eq!((config.source.len(), config.clock.servers.len()), (0, 0));
        assert_eq!(config.key.file(), Some(Path::new("device.key")));
    }

    #[test]
    fn what_cannot_be_meant_is_refused_with_its_line() {
        let machine = "[[source]]\nkind = \"machine\"\n";
        for (text, expected) in [
            (format!("{}colour = 1", least()), "line 3"),
            (format!("{}[queue]\nsize = 1", least()), "line 4"),
            (format!("{}[queue]\nsize_mib = 0", least()), "size_mib"),
            (format!("{}[raw]\nsize_mib = 0", least()), "[raw]"),
            (format!("{}[raw]\ndays = 3651", least()), "days 1 to 3650"),
            (format!("{}{machine}{machine}", least()), "machine"),
            (format!("{}[[source]]\nkind = \"telepathy\"", least()), "telepathy"),
            (format!("{}[refused]\nin_a_row = 0", least()), "in_a_row"),
            (format!("{}[reduce]\nwindow_s = 0", least()), "window_s"),
            (format!("{}[key]\nfile = \"a\"\npem = \"b\"", least()), "one of"),
            (format!("{}[worker]\nprice = \"1\"\ncapacity = 0", least()), "capacity"),
            (format!("log_vkey = \"none\"\n{}", least()), "verifier key"),
            ("gateways = []\nnetwork = \"00\"".to_owned(), "gateways"),
            ("gateways = [\"ftp://a\"]\nnetwork = \"00\"".to_owned(), "ftp"),
            ("gateways = [\"http://a\"]\nnetwork = \"00\"".to_owned(), "network id"),
        ] {
            let failure = parse(&text).unwrap_err();
            assert_eq!((failure.code.as_str(), failure.hint.is_some()), ("NODE-CONFIG", true), "{text}");
            assert!(failure.message.contains(expected), "{text}: {}", failure.message);
        }
    }

    #[test]
    fn the_contributors_guide_shows_every_table() {
        let guide = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/guides/contributor.md");
        let guide = std::fs::read_to_string(guide).unwrap();
        let block = guide.split("```toml\n").find(|block| block.contains("gateways = [")).unwrap();
        let block = block.split("```").next().unwrap();
        let config = parse(block).unwrap();
        assert!(config.worker.is_some() && config.home.is_some() && !config.source.is_empty());
        for table in [
            "[key]",
            "[queue]",
            "[receipts]",
            "[raw]",
            "[refused]",
            "[reduce]",
            "[[source]]",
            "[clock]",
            "[alerts]",
            "[home",
            "[worker]",
        ] {
            assert!(block.contains(table), "{table}");
        }
    }
}

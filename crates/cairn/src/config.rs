//! `network.toml`: how one operator runs one network, and the folder it lies in.
//!
//! What the network *is* (name, origin, epochs, keys, what is rehearsed) is said once, in the genesis statement, from this
//! file; afterwards the log is the authority and a change here is refused. What is about *running* it may change freely.

use std::path::{Path, PathBuf};

use cairn_core::Domain;
use cairn_core::statement::DomainTerms;
use cairn_ledger::NetworkClock;
use serde::Deserialize;

use crate::failure::Failure;
use crate::keys::Key;

mod blobs;
mod console;
mod gateway;
mod mqtt;
pub mod node;
mod till;
mod witnessing;

pub use blobs::BlobsConfig;
pub use console::ConsoleConfig;
pub use gateway::GatewayConfig;
pub use mqtt::MqttConfig;
pub use till::TillConfig;
pub use witnessing::{WitnessConfig, WitnessingConfig};

/// The file that makes a folder a network's.
pub const FILE: &str = "network.toml";

/// A network's folder.
#[derive(Debug, Clone)]
pub struct Folder {
    root: PathBuf,
}

impl Folder {
    /// The folder at `root`.
    #[must_use]
    pub fn at(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    /// The folder itself.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// `network.toml`.
    #[must_use]
    pub fn config(&self) -> PathBuf {
        self.root.join(FILE)
    }

    /// The folder of key files.
    #[must_use]
    pub fn keys(&self) -> PathBuf {
        self.root.join("keys")
    }

    /// One of the operator's key files.
    #[must_use]
    pub fn key(&self, name: &str) -> PathBuf {
        self.keys().join(format!("{name}.key"))
    }

    /// The log: the only thing here, besides the keys, that cannot be made again.
    #[must_use]
    pub fn log(&self) -> PathBuf {
        self.root.join("log")
    }

    /// The history of cosigned checkpoints.
    #[must_use]
    pub fn witnessed(&self) -> PathBuf {
        self.root.join("witnessed")
    }

    /// The signatures of auditors.
    #[must_use]
    pub fn signatures(&self) -> PathBuf {
        self.root.join("signatures")
    }

    /// What chains said that they paid.
    #[must_use]
    pub fn settled(&self) -> PathBuf {
        self.root.join("settled")
    }

    /// The modules, inputs and outputs of jobs.
    #[must_use]
    pub fn blobs(&self) -> PathBuf {
        self.root.join("blobs")
    }

    /// What the till took, and what became of it: whose money is where.
    #[must_use]
    pub fn till(&self) -> PathBuf {
        self.root.join("till")
    }

    /// Everything derived from the log.
    #[must_use]
    pub fn views(&self) -> PathBuf {
        self.root.join("views")
    }

    /// The operator's keys.
    ///
    /// # Errors
    /// When a key file is missing or not a key.
    pub fn operator_keys(&self) -> Result<cairn_ledger::OperatorKeys, Failure> {
        let read = |name: &str| Key::read(&self.key(name)).and_then(Key::signing);
        let ed25519 = |name: &str| match read(name)? {
            cairn_core::key::SecretKey::Ed25519(key) => Ok(key),
            cairn_core::key::SecretKey::P256(_) => {
                Err(Failure::wrong("NET-KEY", format!("the {name} key must be an ed25519 key")))
            }
        };
        Ok(cairn_ledger::OperatorKeys {
            operator: read("operator")?,
            log: ed25519("log")?,
            promise: ed25519("promise")?,
            clock: read("clock")?,
        })
    }
}

/// `network.toml`, read.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// What the network is.
    pub network: NetworkConfig,
    /// Which profile each class starts with.
    pub profiles: std::collections::BTreeMap<String, PathBuf>,
    /// The settlement chain.
    pub settlement: Option<SettlementConfig>,
    /// How the gateway runs.
    #[serde(default)]
    pub gateway: GatewayConfig,
    /// What the console's pages show beside the network.
    #[serde(default)]
    pub console: ConsoleConfig,
    /// How the log and the ledger are kept.
    #[serde(default)]
    pub storage: StorageConfig,
    /// How the blobs of jobs are kept.
    #[serde(default)]
    pub blobs: BlobsConfig,
    /// The broker that devices publish their reports at.
    pub mqtt: Option<MqttConfig>,
    /// The till that sells work to whoever has no account here.
    pub till: Option<TillConfig>,
    /// Who is asked to cosign the log's checkpoints.
    #[serde(default)]
    pub witness: Vec<WitnessConfig>,
    /// How they are asked.
    #[serde(default)]
    pub witnessing: WitnessingConfig,
}

/// What the network is; said once, in genesis.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetworkConfig {
    /// The name.
    pub name: String,
    /// The log's origin.
    pub origin: String,
    /// Length of an epoch, such as `1d`.
    pub epoch: String,
    /// How long after its end an epoch takes reports, such as `1h`.
    pub grace: String,
    /// Start of epoch 0, ms since 1970 UTC; when absent, epochs of the network's time are counted from 1970 and epoch 0 is
    /// the one in which the network first starts. A recorded clock needs it.
    pub epoch_zero_ms: Option<u64>,
    /// `wall` or `recorded`.
    pub clock: ClockKind,
    /// What is rehearsed.
    #[serde(default)]
    pub rehearsed: Vec<String>,
    /// The policy document, beside this file.
    pub policy: PathBuf,
}

/// Where time comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ClockKind {
    /// The machine.
    Wall,
    /// The data; a rehearsal.
    Recorded,
}

/// The settlement chain.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SettlementConfig {
    /// CAIP-2 id.
    pub chain: String,
    /// The distributor contract: `0x` and 40 hex digits; absent while no contract is attached.
    pub distributor: Option<String>,
    /// The token's CAIP-19 id; absent until there is one.
    #[serde(default)]
    pub token: String,
    /// Blocks until an event is final.
    #[serde(default)]
    pub finality_blocks: u64,
}

/// How the log and the ledger are kept.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StorageConfig {
    /// How many of the last epochs keep their snapshot.
    pub snapshots_kept: u64,
}

impl Default for StorageConfig {
    fn default() -> Self {
        Self { snapshots_kept: cairn_ledger::LedgerOptions::default().snapshots_kept }
    }
}

impl Config {
    /// Reads the configuration of a folder.
    ///
    /// # Errors
    /// `NET-CONFIG` names the line.
    pub fn read(folder: &Folder) -> Result<Self, Failure> {
        let path = folder.config();
        let text = std::fs::read_to_string(&path).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => {
                Failure::usage("NET-NO-NETWORK", format!("{} is not a network's folder", folder.root().display()))
                    .hint(format!("make one with `cairn init {}`", folder.root().display()))
            }
            _ => Failure::io("read", &path, &error),
        })?;
        Self::parse(&text, &path)
    }

    /// Reads the text of a configuration; `path` is what errors call it.
    ///
    /// # Errors
    /// `NET-CONFIG` names the line, `NET-NOT-REHEARSED`.
    pub fn parse(text: &str, path: &Path) -> Result<Self, Failure> {
        let config: Self = toml::from_str(text)
            .map_err(|error| Failure::wrong("NET-CONFIG", format!("{}: {error}", path.display())))?;
        config.check()?;
        Ok(config)
    }

    /// A network that is not marked as a rehearsal runs nothing that pretends.
    fn check(&self) -> Result<(), Failure> {
        let recorded = self.network.clock == ClockKind::Recorded;
        let declared = self.network.rehearsed.iter().any(|what| what == NetworkClock::RECORDED_DECLARATION);
        if recorded && !declared {
            return Err(Failure::wrong("NET-NOT-REHEARSED", "a recorded clock, and nothing declares it as rehearsed")
                .hint(format!(
                    "add \"{}\" to `rehearsed`, or set clock = \"wall\"",
                    NetworkClock::RECORDED_DECLARATION
                )));
        }
        if recorded && self.network.epoch_zero_ms.is_none() {
            return Err(Failure::wrong("NET-CONFIG", "a recorded clock starts at `epoch_zero_ms`, which is missing"));
        }
        self.epoch_ms()?;
        self.grace_ms()?;
        self.domain_terms()?;
        self.gateway.options(None, recorded, Path::new(""))?;
        self.witnessing.options(&self.witness, PathBuf::new())?;
        self.blobs.options(PathBuf::new())?;
        self.till.as_ref().map(TillConfig::options).transpose()?;
        self.mqtt.as_ref().map(MqttConfig::check).transpose()?;
        Ok(())
    }

    /// Length of an epoch.
    ///
    /// # Errors
    /// `NET-CONFIG`.
    pub fn epoch_ms(&self) -> Result<u64, Failure> {
        duration_ms(&self.network.epoch).ok_or_else(|| bad_duration("epoch", &self.network.epoch))
    }

    /// Grace of an epoch.
    ///
    /// # Errors
    /// `NET-CONFIG`.
    pub fn grace_ms(&self) -> Result<u64, Failure> {
        duration_ms(&self.network.grace).ok_or_else(|| bad_duration("grace", &self.network.grace))
    }

    /// Start of epoch 0 for a network that is founded at `now_ms`.
    ///
    /// # Errors
    /// `NET-EPOCH-ZERO` when epoch 0 would be over before it begins.
    pub fn founding_zero_ms(&self, now_ms: u64) -> Result<u64, Failure> {
        let (epoch_ms, grace_ms) = (self.epoch_ms()?, self.grace_ms()?);
        match self.network.epoch_zero_ms {
            None => Ok(now_ms / epoch_ms * epoch_ms),
            Some(zero_ms) if now_ms < zero_ms.saturating_add(epoch_ms).saturating_add(grace_ms) => Ok(zero_ms),
            Some(zero_ms) => Err(Failure::wrong(
                "NET-EPOCH-ZERO",
                format!("epoch 0 from {zero_ms} ms is over before the network begins"),
            )
            .hint("leave `epoch_zero_ms` out: epoch 0 is then the one that runs now")),
        }
    }

    /// Whether slots of this length fit the network's epochs whole.
    ///
    /// # Errors
    /// `NET-CONFIG`.
    pub fn has_whole_slots(&self, slot_ms: u64) -> Result<bool, Failure> {
        let starts = [self.network.epoch_zero_ms.unwrap_or(0), self.epoch_ms()?];
        Ok(starts.iter().all(|ms| ms.is_multiple_of(slot_ms)))
    }

    /// Where time comes from.
    #[must_use]
    pub fn clock(&self) -> NetworkClock {
        match self.network.clock {
            ClockKind::Wall => NetworkClock::Wall,
            ClockKind::Recorded => {
                // A moment before epoch 0, so that what is to rule from its first can be said before it begins.
                let zero_ms = self.network.epoch_zero_ms.unwrap_or_default();
                NetworkClock::Recorded { start_ms: zero_ms.saturating_sub(1) }
            }
        }
    }

    /// The settlement chain as the `domain` statement says it.
    ///
    /// # Errors
    /// `NET-CONFIG`.
    pub fn domain_terms(&self) -> Result<Option<DomainTerms>, Failure> {
        let Some(settlement) = &self.settlement else { return Ok(None) };
        let domain = Domain::parse(&settlement.chain).map_err(|error| Failure::wrong("NET-CONFIG", error))?;
        let mut distributor = [0u8; 32];
        if let Some(text) = &settlement.distributor {
            let hex = text.strip_prefix("0x").unwrap_or(text);
            let bytes = data_encoding::HEXLOWER_PERMISSIVE.decode(hex.as_bytes()).unwrap_or_default();
            if bytes.len() != 20 {
                return Err(Failure::wrong("NET-CONFIG", format!("distributor `{text}` is not 0x and 40 hex digits")));
            }
            distributor[12..].copy_from_slice(&bytes);
        }
        let finality_blocks = settlement.finality_blocks;
        Ok(Some(DomainTerms { domain, distributor, token: settlement.token.clone(), finality_blocks }))
    }
}

fn bad_duration(key: &str, text: &str) -> Failure {
    Failure::wrong("NET-CONFIG", format!("{key} = \"{text}\" is not a duration"))
        .hint("write a number and ms, s, m, h, d or w, such as \"1d\"")
}

/// Milliseconds of a text such as `90s`, `1h`, `1d`, `1w`.
#[must_use]
pub fn duration_ms(text: &str) -> Option<u64> {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = text.split_at(digits);
    let unit_ms = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        "w" => 604_800_000,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(unit_ms).filter(|ms| *ms > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_as_people_write_them() {
        let cases = [
            ("1w", Some(604_800_000)),
            ("1d", Some(86_400_000)),
            ("90s", Some(90_000)),
            ("5ms", Some(5)),
            ("", None),
            ("d", None),
            ("1", None),
            ("0h", None),
            ("1 d", None),
            ("1.5h", None),
            ("99999999999999999999d", None),
        ];
        for (text, ms) in cases {
            assert_eq!(duration_ms(text), ms, "{text}");
        }
    }

    #[test]
    fn a_recorded_clock_runs_only_where_it_is_declared_as_rehearsed() {
        let folder = tempfile::tempdir().unwrap();
        let text = |clock: &str, rehearsed: &str| {
            format!(
                "[network]\nname = \"n\"\norigin = \"o\"\nepoch = \"1d\"\ngrace = \"1h\"\nepoch_zero_ms = 0\n\
                 clock = \"{clock}\"\nrehearsed = [{rehearsed}]\npolicy = \"policy.toml\"\n[profiles]\n"
            )
        };
        let declared = format!("\"{}\"", NetworkClock::RECORDED_DECLARATION);
        let cases =
            [("wall", "", None), ("recorded", declared.as_str(), None), ("recorded", "", Some("NET-NOT-REHEARSED"))];
        for (clock, rehearsed, code) in cases {
            std::fs::write(folder.path().join(FILE), text(clock, rehearsed)).unwrap();
            let refused = Config::read(&Folder::at(folder.path())).err().map(|failure| failure.code);
            assert_eq!(refused.as_deref(), code, "{clock} {rehearsed}");
        }
    }
}

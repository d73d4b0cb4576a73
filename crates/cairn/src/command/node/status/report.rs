//! How a running node is, in the file that it writes now and then for whoever looks.

use std::io::Read as _;

use cairn_edge::home::AlertMessage;
use cairn_edge::send::SendStatus;
use cairn_log::{Disk, replace_whole};
use serde::{Deserialize, Serialize};

use crate::config::node::{NodeFolder, STATUS_FILE};
use crate::failure::Failure;

/// The most bytes of the file.
const BYTES_MAX: u64 = 1 << 20;

/// How a node is.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct NodeReport {
    /// The device.
    pub device: String,
    /// The network.
    pub network_id: String,
    /// When it began, ms since 1970 UTC by the system's clock.
    pub started_ms: u64,
    /// When this was written, likewise.
    pub written_ms: u64,
    /// Its clock: source, error, and who was asked.
    pub clock: serde_json::Value,
    /// What waits.
    pub queue: QueueReport,
    /// What was sent, and what was answered.
    pub sending: SendStatus,
    /// Its sources.
    pub sources: Vec<SourceReport>,
    /// What is wrong just now.
    pub troubles: Vec<Trouble>,
    /// What was told as an alert and is not over.
    pub alerts: Vec<AlertMessage>,
    /// Small files that were damaged when it began, and what was done about it.
    #[serde(default)]
    pub mended: Vec<String>,
}

impl NodeReport {
    /// Whether another report says something that people wait for: anything but the time, and what follows from it.
    #[must_use]
    pub fn is_news(&self, other: &Self) -> bool {
        let source = |report: &Self| report.clock["source"].clone();
        let sent = |report: &Self| (report.sending.receipts, report.sending.awaiting_receipt);
        self.queue != other.queue
            || self.sources != other.sources
            || source(self) != source(other)
            || sent(self) != sent(other)
    }

    /// Whether another report says that something else is wrong.
    #[must_use]
    pub fn is_warning(&self, other: &Self) -> bool {
        self.troubles != other.troubles || self.alerts != other.alerts
    }
}

/// What waits, and what became of everything that was taken.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueueReport {
    /// Items that wait.
    pub waiting: u64,
    /// Bytes on disk.
    pub bytes: u64,
    /// Bytes that may be.
    pub bytes_max: u64,
    /// Items that were ever taken.
    pub taken: u64,
    /// Of these, those promised.
    pub promised: u64,
    /// Those refused for good.
    pub refused: u64,
    /// Those given up because there was no more room.
    pub lost: u64,
    /// Bytes that were found damaged when it began.
    pub damaged_bytes: u64,
}

/// A source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceReport {
    /// Its name.
    pub name: String,
    /// Why it ended, if it has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended: Option<String>,
}

/// Something that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trouble {
    /// What it is about.
    pub who: String,
    /// The stable code.
    pub code: String,
    /// In words.
    pub detail: String,
    /// The way out, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// Since when, ms since 1970 UTC by the system's clock.
    pub since_ms: u64,
}

impl NodeReport {
    /// What the node of a folder wrote last, if it has. What cannot be read as that is none: a node that runs writes it anew within a
    /// minute, and nothing else hangs on it.
    ///
    /// # Errors
    /// `NET-IO`.
    pub fn read(folder: &NodeFolder) -> Result<Option<Self>, Failure> {
        let path = folder.status();
        let mut bytes = Vec::new();
        let read = std::fs::File::open(&path).and_then(|file| file.take(BYTES_MAX + 1).read_to_end(&mut bytes));
        match read {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Failure::io("read", &path, &error)),
            Ok(_) if bytes.len() as u64 > BYTES_MAX => Ok(None),
            Ok(_) => Ok(serde_json::from_slice(&bytes).ok()),
        }
    }

    /// Writes it into a node's folder, whole or not at all.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn write(&self, folder: &dyn Disk) -> std::io::Result<()> {
        let bytes = serde_json::to_vec_pretty(self).map_err(std::io::Error::other)?;
        Ok(replace_whole(folder, STATUS_FILE, &bytes)?)
    }
}

//! What a sender asks of a gateway, so that tests can put a lying or dying one in its place.

use cairn_api::ResultRow;
use cairn_core::{DeviceId, NetworkId};
use cairn_merkle::{MerkleError, NoteVerifier};

/// Whose word counts: the keys of a network's log and of its promises.
#[derive(Debug, Clone)]
pub struct Keys {
    /// The network.
    pub network: NetworkId,
    /// The key that checkpoints are signed with.
    pub log: NoteVerifier,
    /// The key that promises are signed with.
    pub promises: NoteVerifier,
}

impl Keys {
    /// Reads keys as the network's page and `node.toml` write them.
    ///
    /// # Errors
    /// [`MerkleError`] for what is no verifier key.
    pub fn parse(network: NetworkId, log_vkey: &str, promise_vkey: &str) -> Result<Self, MerkleError> {
        Ok(Self { network, log: log_vkey.parse()?, promises: promise_vkey.parse()? })
    }

    /// Reads keys that may be written down: one of the two alone says nothing of the other, and is no pair.
    ///
    /// # Errors
    /// [`MerkleError`] for what is no verifier key.
    pub fn pinned(
        network: NetworkId,
        log_vkey: Option<&str>,
        promise_vkey: Option<&str>,
    ) -> Result<Option<Self>, MerkleError> {
        log_vkey.zip(promise_vkey).map(|(log, promises)| Self::parse(network, log, promises)).transpose()
    }
}

/// Why a gateway was of no use this time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// The stable code, the gateway's own where it answered.
    pub code: String,
    /// In words.
    pub detail: String,
    /// The way out, where there is one.
    pub hint: Option<String>,
    /// How long it wants not to be asked, in ms, if it said so.
    pub wait_ms: Option<u64>,
}

impl Trouble {
    /// A trouble of which nothing else is known.
    #[must_use]
    pub fn of(code: &str, detail: impl Into<String>) -> Self {
        Self { code: code.to_owned(), detail: detail.into(), hint: None, wait_ms: None }
    }

    /// Whether less at a time may be taken.
    #[must_use]
    pub fn is_of_size(&self) -> bool {
        matches!(self.code.as_str(), "NET-TOO-LARGE" | "NET-TOO-MANY")
    }
}

/// What a gateway answered to reports. Nothing of it is believed before the promise was verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    /// One row for each report, in the order sent.
    pub rows: Vec<ResultRow>,
    /// The signed note; empty where nothing is promised.
    pub promise: String,
    /// How long to wait before reports that came too fast are sent again, in ms.
    pub wait_ms: Option<u64>,
}

/// A way to the network. It blocks, for a bounded time.
pub trait Gateway: Send {
    /// What it is called in status and alerts: its address.
    fn name(&self) -> String;

    /// The keys that it says the network has.
    ///
    /// # Errors
    /// [`Trouble`].
    fn keys(&mut self) -> Result<Keys, Trouble>;

    /// The highest boot counter that the network knows of a device; `None` where it has not reported yet.
    ///
    /// # Errors
    /// [`Trouble`]; `RPT-UNKNOWN-DEVICE` for one that is not enrolled.
    fn boot_told(&mut self, device: DeviceId) -> Result<Option<u32>, Trouble>;

    /// Sends signed reports.
    ///
    /// # Errors
    /// [`Trouble`]: then nothing is known of what became of them.
    fn submit(&mut self, reports: &[Vec<u8>]) -> Result<Taken, Trouble>;

    /// The receipt of an entry, as a C2SP `tlog-proof`; `None` while no checkpoint covers it.
    ///
    /// # Errors
    /// [`Trouble`].
    fn proof(&mut self, index: u64) -> Result<Option<String>, Trouble>;

    /// The bytes of an entry; `None` while no checkpoint covers it.
    ///
    /// # Errors
    /// [`Trouble`].
    fn entry(&mut self, index: u64) -> Result<Option<Vec<u8>>, Trouble>;
}

//! What a gateway can be asked, path by path.

use std::sync::{Arc, OnceLock};

use cairn_api::{
    AccountInfo, CreditList, DeviceInfo, EpochInfo, EpochList, EpochSignatures, Explanation, Health, NetworkInfo,
    PayoutList, SaleList, SaleProof, SignatureKept, SignaturePost, VerdictList,
};
use cairn_core::{Account, DeviceId, Hash, JobId};
use cairn_merkle::TilePath;
use cairn_merkle::tile::TileReader;

use crate::transport::{Ask, Retries, Transport};
use crate::{ClientError, submit::PromiseKey};

/// The most that is read of a JSON document, in bytes.
pub(crate) const JSON_BYTES_MAX: u64 = 64 << 20;
/// The most that is read of a text: a checkpoint of 64 signature lines, a receipt, a policy.
const TEXT_BYTES_MAX: u64 = 128 << 10;
/// The most that is read of a tile or bundle: 256 entries of 65,535 bytes, each after its length.
const TILE_BYTES_MAX: u64 = 256 * 65_537;
/// The most that is read of a page of cosigned checkpoints.
const HISTORY_BYTES_MAX: u64 = 8 << 20;
/// The most that is read of an epoch statement.
const STATEMENT_BYTES_MAX: u64 = 16 << 20;
/// The most that is read of an epoch's whole table.
const TABLE_BYTES_MAX: u64 = 1 << 30;
/// The most that is read of a snapshot.
const SNAPSHOT_BYTES_MAX: u64 = 4 << 30;

/// A client of one gateway. Clones share connections.
#[derive(Debug, Clone)]
pub struct Client {
    pub(crate) transport: Transport,
    pub(crate) promise_key: Arc<OnceLock<PromiseKey>>,
}

impl Client {
    /// A client of the gateway at `url`, such as `http://127.0.0.1:8640`. Nothing is sent yet.
    ///
    /// # Errors
    /// [`ClientError::Address`].
    pub fn at(url: &str) -> Result<Self, ClientError> {
        Self::patient(url, Retries::default())
    }

    /// [`Client::at`] with another patience.
    ///
    /// # Errors
    /// [`ClientError::Address`].
    pub fn patient(url: &str, retries: Retries) -> Result<Self, ClientError> {
        Ok(Self { transport: Transport::to(url, retries)?, promise_key: Arc::default() })
    }

    /// The gateway's address, without a slash at its end.
    #[must_use]
    pub fn url(&self) -> &str {
        self.transport.base()
    }

    /// The network: name, id, keys, time, size.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn network(&self) -> Result<NetworkInfo, ClientError> {
        self.transport.json("/v1/network", JSON_BYTES_MAX)
    }

    /// A device.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn device(&self, id: &DeviceId) -> Result<DeviceInfo, ClientError> {
        self.transport.json(&format!("/v1/devices/{id}"), JSON_BYTES_MAX)
    }

    /// Why a device got what it got in an epoch.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn explain(&self, id: &DeviceId, epoch: u64) -> Result<Explanation, ClientError> {
        self.transport.json(&format!("/v1/devices/{id}/epochs/{epoch}"), JSON_BYTES_MAX)
    }

    /// An account: what it was given, and its claim.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn account(&self, account: &Account) -> Result<AccountInfo, ClientError> {
        self.transport.json(&format!("/v1/accounts/{account}"), JSON_BYTES_MAX)
    }

    /// What a buyer has paid in and not spent.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn credits(&self, buyer: &[u8; 32]) -> Result<CreditList, ClientError> {
        self.transport.json(&format!("/v1/credits/{}", Hash(*buyer)), JSON_BYTES_MAX)
    }

    /// Closed epochs, newest first, those below `before`; at most `limit`, if the gateway allows as many.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn epochs(&self, before: Option<u64>, limit: Option<u64>) -> Result<EpochList, ClientError> {
        let path = with_query("/v1/epochs", &[("before", before), ("limit", limit)], None);
        self.transport.json(&path, JSON_BYTES_MAX)
    }

    /// A closed epoch.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn epoch(&self, epoch: u64) -> Result<EpochInfo, ClientError> {
        self.transport.json(&format!("/v1/epochs/{epoch}"), JSON_BYTES_MAX)
    }

    /// What auditors sign of an epoch, and their signatures. Nothing about them is verified.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn signatures(&self, epoch: u64) -> Result<EpochSignatures, ClientError> {
        self.transport.json(&format!("/v1/epochs/{epoch}/signatures"), JSON_BYTES_MAX)
    }

    /// Leaves the signature of an auditor over an epoch; sending it again is answered alike.
    ///
    /// # Errors
    /// [`ClientError`]; refused with `STL-NOT-AN-AUDITOR` and the like.
    pub fn submit_signature(&self, epoch: u64, signature: &SignaturePost) -> Result<SignatureKept, ClientError> {
        let path = format!("/v1/epochs/{epoch}/signatures");
        let refuse = |error: serde_json::Error| ClientError::Answer {
            url: self.transport.url(&path),
            reason: error.to_string(),
        };
        let body = serde_json::to_vec(signature).map_err(refuse)?;
        let ask = Ask::Post { content_type: "application/json", body: &body, again: true };
        self.transport.read_json(&path, &self.transport.bytes(&path, ask, JSON_BYTES_MAX)?)
    }

    /// The canonical bytes of an epoch's statement.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn epoch_bytes(&self, epoch: u64) -> Result<Vec<u8>, ClientError> {
        self.get(&format!("/v1/epochs/{epoch}"), "application/cbor", STATEMENT_BYTES_MAX)
    }

    /// A page of an epoch's verdicts: those after row `after`, at most `limit`, of one device or all.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn verdicts(
        &self,
        epoch: u64,
        after: Option<u64>,
        limit: Option<u64>,
        device: Option<&DeviceId>,
    ) -> Result<VerdictList, ClientError> {
        let path = format!("/v1/epochs/{epoch}/verdicts");
        self.transport.json(&with_query(&path, &[("after", after), ("limit", limit)], device), JSON_BYTES_MAX)
    }

    /// The canonical bytes of all of an epoch's verdicts, one after the other: a CBOR sequence.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn verdict_rows(&self, epoch: u64) -> Result<Vec<u8>, ClientError> {
        self.get(&format!("/v1/epochs/{epoch}/verdicts"), "application/cbor-seq", TABLE_BYTES_MAX)
    }

    /// A page of an epoch's payout rows: those after row `after`, at most `limit`, of one device or all.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn payouts(
        &self,
        epoch: u64,
        after: Option<u64>,
        limit: Option<u64>,
        device: Option<&DeviceId>,
    ) -> Result<PayoutList, ClientError> {
        let path = format!("/v1/epochs/{epoch}/payouts");
        self.transport.json(&with_query(&path, &[("after", after), ("limit", limit)], device), JSON_BYTES_MAX)
    }

    /// The canonical bytes of all of an epoch's payout rows, one after the other: a CBOR sequence.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn payout_rows(&self, epoch: u64) -> Result<Vec<u8>, ClientError> {
        self.get(&format!("/v1/epochs/{epoch}/payouts"), "application/cbor-seq", TABLE_BYTES_MAX)
    }

    /// A page of an epoch's sales: those from position `after` on, at most `limit`.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn sales(&self, epoch: u64, after: Option<u64>, limit: Option<u64>) -> Result<SaleList, ClientError> {
        let path = format!("/v1/epochs/{epoch}/sales");
        self.transport.json(&with_query(&path, &[("after", after), ("limit", limit)], None), JSON_BYTES_MAX)
    }

    /// The sale of a job, with its proof. The proof is not checked here.
    ///
    /// # Errors
    /// [`ClientError`], also when the epoch did not settle the job.
    pub fn sale(&self, epoch: u64, job: &JobId) -> Result<SaleProof, ClientError> {
        self.transport.json(&format!("/v1/epochs/{epoch}/sales/{job}"), JSON_BYTES_MAX)
    }

    /// The canonical bytes of all of an epoch's sales, one after the other: a CBOR sequence.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn sale_rows(&self, epoch: u64) -> Result<Vec<u8>, ClientError> {
        self.get(&format!("/v1/epochs/{epoch}/sales"), "application/cbor-seq", TABLE_BYTES_MAX)
    }

    /// The records of what judges remember after an epoch, one after the other: a CBOR sequence.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn carry_rows(&self, epoch: u64) -> Result<Vec<u8>, ClientError> {
        self.get(&format!("/v1/epochs/{epoch}/carry"), "application/cbor-seq", TABLE_BYTES_MAX)
    }

    /// The snapshot of the state after an epoch.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn snapshot(&self, epoch: u64) -> Result<Vec<u8>, ClientError> {
        self.get(&format!("/v1/snapshots/{epoch}"), "application/cbor", SNAPSHOT_BYTES_MAX)
    }

    /// The signed note of the last published checkpoint. Nothing about it is verified.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn checkpoint(&self) -> Result<String, ClientError> {
        self.text("/log/checkpoint")
    }

    /// Cosigned checkpoints from number `from` on, one after the other; empty at the end. Nothing about them is verified.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn witnessed(&self, from: u64) -> Result<Vec<u8>, ClientError> {
        self.get(&format!("/v1/witnessed?from={from}"), "text/plain", HISTORY_BYTES_MAX)
    }

    /// The bytes of a tile or an entry bundle. Nothing about them is verified.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn tile_bytes(&self, tile: TilePath) -> Result<Vec<u8>, ClientError> {
        self.get(&format!("/log/{tile}"), "application/octet-stream", TILE_BYTES_MAX)
    }

    /// The receipt of an entry: a C2SP `tlog-proof` under the last checkpoint. Nothing about it is verified.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn proof(&self, index: u64) -> Result<String, ClientError> {
        self.text(&format!("/v1/proofs/{index}"))
    }

    /// The policy in force, or the one with this SHA-256.
    ///
    /// # Errors
    /// [`ClientError`]; [`ClientError::Answer`] when the document has another hash than the one asked for.
    pub fn policy(&self, hash: Option<&Hash>) -> Result<String, ClientError> {
        let Some(hash) = hash else { return self.text("/v1/policy") };
        let path = format!("/v1/policies/{hash}");
        let document = self.text(&path)?;
        let found = Hash::of(document.as_bytes());
        if found == *hash {
            return Ok(document);
        }
        Err(ClientError::Answer { url: self.transport.url(&path), reason: format!("its SHA-256 is {found}") })
    }

    /// How the gateway is.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn health(&self) -> Result<Health, ClientError> {
        self.transport.json("/health", JSON_BYTES_MAX)
    }

    /// The gateway's metrics in the text form of Prometheus.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn metrics(&self) -> Result<String, ClientError> {
        let bytes = self.get("/metrics", "text/plain", JSON_BYTES_MAX)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    fn text(&self, path: &str) -> Result<String, ClientError> {
        let bytes = self.get(path, "text/plain", TEXT_BYTES_MAX)?;
        let refuse =
            |_| ClientError::Answer { url: self.transport.url(path), reason: "it is not UTF-8 text".to_owned() };
        String::from_utf8(bytes).map_err(refuse)
    }

    fn get(&self, path: &str, accept: &'static str, limit_bytes: u64) -> Result<Vec<u8>, ClientError> {
        self.transport.bytes(path, Ask::Get { accept }, limit_bytes)
    }
}

impl TileReader for Client {
    type Error = ClientError;

    fn tile(&self, tile: TilePath) -> Result<Vec<u8>, ClientError> {
        self.tile_bytes(tile)
    }
}

/// `path` with those of the numbers that are given, and the device.
fn with_query(path: &str, numbers: &[(&str, Option<u64>)], device: Option<&DeviceId>) -> String {
    let mut parts: Vec<String> =
        numbers.iter().filter_map(|(name, number)| number.map(|number| format!("{name}={number}"))).collect();
    parts.extend(device.map(|device| format!("device={device}")));
    if parts.is_empty() { path.to_owned() } else { format!("{path}?{}", parts.join("&")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_of_gateways_are_taken() {
        for url in ["http://127.0.0.1:8640", "https://net.example/", "http://net.example/prefix//"] {
            assert!(!Client::at(url).unwrap().url().ends_with('/'), "{url}");
        }
        for url in
            ["", "127.0.0.1:8640", "ftp://host", "http://", "http:///path", "http://:80", "http://h?q=1", "http://h o"]
        {
            assert_eq!(Client::at(url).unwrap_err().code(), "NET-URL", "{url}");
        }
    }

    #[test]
    fn queries_hold_what_is_given_and_nothing_else() {
        let device = DeviceId([0; 16]);
        assert_eq!(with_query("/p", &[("after", None), ("limit", None)], None), "/p");
        assert_eq!(with_query("/p", &[("after", Some(0)), ("limit", None)], None), "/p?after=0");
        let all = with_query("/p", &[("after", Some(1)), ("limit", Some(2))], Some(&device));
        assert_eq!(all, format!("/p?after=1&limit=2&device={device}"));
    }
}

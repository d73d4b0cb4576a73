//! A gateway over HTTP.

use cairn_client::{Client, ClientError, Retries};
use cairn_core::{DeviceId, Hash, NetworkId};
use cairn_merkle::tile::{TILE_WIDTH, decode_bundle};
use cairn_merkle::{SignedCheckpoint, TileLevel, TilePath};

use super::gateway::{Gateway, Keys, Taken, Trouble};

/// A gateway over HTTP, asked once at a time: patience is the sender's.
pub struct HttpGateway {
    client: Client,
    network: NetworkId,
    keys: Option<Keys>,
}

impl HttpGateway {
    /// The gateway of `network` at `url`, such as `http://127.0.0.1:8640`. Nothing is sent yet.
    ///
    /// # Errors
    /// [`ClientError::Address`].
    pub fn at(url: &str, network: NetworkId) -> Result<Self, ClientError> {
        let once = Retries { attempts: 1, ..Retries::default() };
        Ok(Self { client: Client::patient(url, once)?, network, keys: None })
    }
}

impl From<ClientError> for Trouble {
    fn from(error: ClientError) -> Self {
        let wait_ms = match &error {
            ClientError::Busy { wait, .. } => wait.map(|wait| u64::try_from(wait.as_millis()).unwrap_or(u64::MAX)),
            _ => None,
        };
        let (code, hint) = (error.code().to_owned(), error.hint().map(str::to_owned));
        Self { code, detail: error.to_string(), hint, wait_ms }
    }
}

/// `None` for what is not there yet.
fn unless_missing<T>(answer: Result<T, ClientError>) -> Result<Option<T>, Trouble> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(error) if error.is_not_found() || error.code() == "LOG-INDEX" => Ok(None),
        Err(error) => Err(error.into()),
    }
}

impl Gateway for HttpGateway {
    fn name(&self) -> String {
        self.client.url().to_owned()
    }

    fn keys(&mut self) -> Result<Keys, Trouble> {
        if let Some(keys) = &self.keys {
            return Ok(keys.clone());
        }
        let info = self.client.network()?;
        if Hash::from_hex(&info.network_id) != Some(self.network.0) {
            let detail = format!("{} is a gateway of network {}", self.client.url(), info.network_id);
            return Err(Trouble::of("EDGE-NETWORK", detail));
        }
        let keys = Keys::parse(self.network, &info.log_vkey, &info.promise_vkey)
            .map_err(|error| Trouble::of(error.code(), error.to_string()))?;
        self.client = self.client.clone().promised_by(self.network, keys.promises.clone());
        self.keys = Some(keys.clone());
        Ok(keys)
    }

    fn boot_told(&mut self, device: DeviceId) -> Result<Option<u32>, Trouble> {
        match self.client.device(&device) {
            Ok(info) => Ok(info.last_name.map(|(boot, _)| boot)),
            Err(error) if error.is_not_found() => {
                Err(Trouble::of("RPT-UNKNOWN-DEVICE", format!("{device} is not enrolled")))
            }
            Err(error) => Err(error.into()),
        }
    }

    fn submit(&mut self, reports: &[Vec<u8>]) -> Result<Taken, Trouble> {
        let submitted = self.client.submit_reports(reports)?;
        let wait_ms = submitted.wait.map(|wait| u64::try_from(wait.as_millis()).unwrap_or(u64::MAX));
        Ok(Taken { rows: submitted.response.results, promise: submitted.response.promise, wait_ms })
    }

    fn proof(&mut self, index: u64) -> Result<Option<String>, Trouble> {
        unless_missing(self.client.proof(index))
    }

    fn entry(&mut self, index: u64) -> Result<Option<Vec<u8>>, Trouble> {
        let keys = self.keys()?;
        let wrong = |error: cairn_merkle::MerkleError| Trouble::of(error.code(), error.to_string());
        let checkpoint = SignedCheckpoint::open(&self.client.checkpoint()?, &keys.log, &[]).map_err(wrong)?.checkpoint;
        let (size, width) = (checkpoint.size(), u64::from(TILE_WIDTH));
        if index >= size {
            return Ok(None);
        }
        let Some(path) = TilePath::in_log(TileLevel::Entries, index / width, size) else { return Ok(None) };
        let bundle = self.client.tile_bytes(path)?;
        let entries = decode_bundle(&bundle, path.width).map_err(wrong)?;
        let at = usize::try_from(index % width).unwrap_or_default();
        Ok(entries.get(at).map(|entry| entry.to_vec()))
    }
}

//! A running gateway.

use cairn_client::{Client, ClientError};
use cairn_merkle::TilePath;

use super::{Source, SourceError};

/// Tiles asked for at once: enough to hide a long way, few enough for a small gateway.
const PARALLEL: usize = 8;

/// A network behind a gateway.
#[derive(Debug, Clone)]
pub struct HttpSource {
    client: Client,
}

impl HttpSource {
    /// The network behind the client's gateway.
    #[must_use]
    pub const fn of(client: Client) -> Self {
        Self { client }
    }
}

/// What there is none of is no error; everything else that the client reports is.
fn found(what: &str, answer: Result<Vec<u8>, ClientError>) -> Result<Option<Vec<u8>>, SourceError> {
    match answer {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(SourceError {
            what: what.to_owned(),
            code: error.code().to_owned(),
            detail: error.to_string(),
            hint: error.hint().map(str::to_owned),
        }),
    }
}

impl Source for HttpSource {
    fn name(&self) -> String {
        self.client.url().to_owned()
    }

    fn checkpoint(&self) -> Result<Option<Vec<u8>>, SourceError> {
        found("the checkpoint", self.client.checkpoint().map(String::into_bytes))
    }

    fn tile(&self, tile: TilePath) -> Result<Option<Vec<u8>>, SourceError> {
        found(&tile.to_string(), self.client.tile_bytes(tile))
    }

    fn statement(&self, epoch: u64) -> Result<Option<Vec<u8>>, SourceError> {
        found(&format!("the statement of epoch {epoch}"), self.client.epoch_bytes(epoch))
    }

    fn verdicts(&self, epoch: u64) -> Result<Option<Vec<u8>>, SourceError> {
        found(&format!("the verdicts of epoch {epoch}"), self.client.verdict_rows(epoch))
    }

    fn payouts(&self, epoch: u64) -> Result<Option<Vec<u8>>, SourceError> {
        found(&format!("the payouts of epoch {epoch}"), self.client.payout_rows(epoch))
    }

    fn sales(&self, epoch: u64) -> Result<Option<Vec<u8>>, SourceError> {
        found(&format!("the sales of epoch {epoch}"), self.client.sale_rows(epoch))
    }

    fn carry(&self, epoch: u64) -> Result<Option<Vec<u8>>, SourceError> {
        found(&format!("what judges remember after epoch {epoch}"), self.client.carry_rows(epoch))
    }

    fn snapshot(&self, epoch: u64) -> Result<Option<Vec<u8>>, SourceError> {
        found(&format!("the snapshot of epoch {epoch}"), self.client.snapshot(epoch))
    }

    fn witnessed(&self, from: u64) -> Result<Option<Vec<u8>>, SourceError> {
        found("the history of cosignatures", self.client.witnessed(from))
    }

    fn is_live(&self) -> bool {
        true
    }

    fn parallel(&self) -> usize {
        PARALLEL
    }
}

//! Blocks, receipts and events as nodes write them, and what they are to us.

use serde::Deserialize;

use super::hex::{Data, Fixed, Quantity, Short};
use crate::{Block, Logged, Receipt};

/// `eth_getBlockByNumber`, without its transactions.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct BlockJson {
    number: Short,
    hash: Fixed<32>,
    timestamp: Short,
    base_fee_per_gas: Option<Quantity>,
}

impl From<BlockJson> for Block {
    fn from(block: BlockJson) -> Self {
        Self {
            number: block.number.0,
            hash: block.hash.0,
            time_s: block.timestamp.0,
            base_fee: block.base_fee_per_gas.map(|fee| fee.0),
        }
    }
}

/// An event, in a receipt or of `eth_getLogs`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct LogJson {
    address: Fixed<20>,
    topics: Vec<Fixed<32>>,
    data: Data,
    block_number: Option<Short>,
    block_hash: Option<Fixed<32>>,
    transaction_hash: Option<Fixed<32>>,
    log_index: Option<Short>,
    #[serde(default)]
    removed: bool,
}

impl LogJson {
    /// The event, if it is in a block of the chain.
    pub(super) fn logged(self) -> Option<Logged> {
        if self.removed {
            return None;
        }
        Some(Logged {
            address: self.address.0,
            topics: self.topics.iter().map(|topic| topic.0).collect(),
            data: self.data.0,
            block: self.block_number?.0,
            block_hash: self.block_hash?.0,
            transaction: self.transaction_hash?.0,
            index: self.log_index?.0,
        })
    }
}

/// `eth_getTransactionReceipt`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ReceiptJson {
    transaction_hash: Fixed<32>,
    block_number: Option<Short>,
    block_hash: Option<Fixed<32>>,
    status: Option<Short>,
    gas_used: Short,
    /// Nodes of chains before London leave it out.
    pub(super) effective_gas_price: Option<Quantity>,
    contract_address: Option<Fixed<20>>,
    logs: Vec<LogJson>,
}

impl ReceiptJson {
    /// Whether it is of this transaction.
    pub(super) fn is_of(&self, transaction: &[u8; 32]) -> bool {
        self.transaction_hash.0 == *transaction
    }

    /// What became of the transaction, if it is in a block; else what is wrong with the receipt.
    pub(super) fn receipt(self, gas_price: u128) -> Result<Option<Receipt>, &'static str> {
        let (Some(Short(block)), Some(Fixed(block_hash))) = (self.block_number, self.block_hash) else {
            return Ok(None);
        };
        let succeeded = match self.status {
            Some(Short(0)) => false,
            Some(Short(1)) => true,
            _ => return Err("a receipt without status"),
        };
        let logs: Option<Vec<Logged>> = self.logs.into_iter().map(LogJson::logged).collect();
        let logs = logs.ok_or("a receipt with events of no block")?;
        if logs.iter().any(|logged| logged.block != block || logged.block_hash != block_hash) {
            return Err("a receipt with events of another block");
        }
        Ok(Some(Receipt {
            transaction: self.transaction_hash.0,
            block,
            block_hash,
            succeeded,
            gas_used: self.gas_used.0,
            gas_price,
            created: self.contract_address.map(|address| address.0),
            logs,
        }))
    }
}

/// `eth_getTransactionByHash`, as far as it says what gas cost.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PriceJson {
    pub(super) gas_price: Option<Quantity>,
}

/// `eth_feeHistory`, what was paid beside the base fee.
#[derive(Deserialize)]
pub(super) struct FeeHistoryJson {
    #[serde(default)]
    pub(super) reward: Vec<Vec<Quantity>>,
}

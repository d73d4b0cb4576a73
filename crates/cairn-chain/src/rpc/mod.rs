//! A chain whose node is asked over JSON-RPC 2.0: geth, erigon, nethermind, besu, reth, anvil, and providers before them.
//!
//! Promises: what is asked is bounded in time and in bytes, whatever the node does; an answer to another question, of
//! another form or of another chain is an error and no value; no text and no name that comes from here holds the secrets of
//! the address. What it cannot do is notice a node that lies in the right form: what is read of a chain is the node's word.

mod endpoint;
mod fees;
mod hex;
mod logs;
mod read;
mod refusal;
mod transport;

use std::time::Duration;

use cairn_core::keccak256;
use cairn_settle::told::hex_text;
use cairn_settle::{EvmAddress, Word};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use self::endpoint::Endpoint;
use self::hex::{Data, Fixed, Quantity, Saturated, Short, write_quantity};
use self::read::{BlockJson, PriceJson, ReceiptJson};
use self::refusal::{Meaning, RpcError};
use self::transport::{NoResult, Transport};
use crate::{At, Block, Call, Chain, ChainError, Fees, LogFilter, Logged, Receipt};

/// Chain ids that development nodes have: no money is real there.
const DEVELOPMENT_CHAINS: [u64; 2] = [1_337, 31_337];
/// The most that is read of an answer that is short.
const SHORT_ANSWER_BYTES_MAX: u64 = 1 << 20;

/// How a node is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// The chain id (EIP-155) that it must have; any where `None`.
    pub chain_id: Option<u64>,
    /// From the first byte of a question to the last of its answer.
    pub timeout: Duration,
    /// Attempts in all at each question, at least one.
    pub attempts: u32,
    /// The wait after the first failed attempt; it doubles with each further one.
    pub first_wait: Duration,
    /// The most that a unit of gas may cost, wei.
    pub max_fee_wei: u128,
    /// The most that is read of an answer with events, blocks or receipts, bytes.
    pub answer_bytes_max: u64,
    /// The most blocks that events are asked of at once.
    pub log_blocks_max: u64,
}

impl Default for Options {
    /// Any chain, twenty seconds, five attempts over about six seconds, 500 gwei, 16 MiB, ten thousand blocks.
    fn default() -> Self {
        Self {
            chain_id: None,
            timeout: Duration::from_secs(20),
            attempts: 5,
            first_wait: Duration::from_millis(400),
            max_fee_wei: 500_000_000_000,
            answer_bytes_max: 16 << 20,
            log_blocks_max: 10_000,
        }
    }
}

/// A chain over JSON-RPC.
pub struct Rpc {
    transport: Transport,
    options: Options,
    id: u64,
}

impl core::fmt::Debug for Rpc {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Rpc({}, chain {})", self.transport.endpoint.shown, self.id)
    }
}

impl Rpc {
    /// Asks the node at `url` (http or https, user and key in it if need be) for its chain id.
    ///
    /// # Errors
    /// [`ChainError::Address`] for what is no address, [`ChainError::Answer`] for another chain than is meant, and
    /// [`ChainError::Unreachable`].
    pub fn open(url: &str, options: Options) -> Result<Self, ChainError> {
        let endpoint = Endpoint::parse(url).map_err(|what| ChainError::Address { what })?;
        let mut rpc = Self { transport: Transport::to(endpoint, &options), options, id: 0 };
        let Short(id) = rpc.value("eth_chainId", &json!([]))?;
        if rpc.options.chain_id.is_some_and(|expected| expected != id) {
            let expected = rpc.options.chain_id.unwrap_or_default();
            return Err(rpc.transport.strange("eth_chainId", &format!("that it is chain {id} and not {expected}")));
        }
        rpc.id = id;
        Ok(rpc)
    }

    /// The result of a question whose answer is short.
    fn value<T: DeserializeOwned>(&self, method: &str, params: &Value) -> Result<T, ChainError> {
        let result = self.try_value(method, params).map_err(|error| self.plain(method, error))?;
        result.ok_or_else(|| self.transport.strange(method, "null"))
    }

    fn try_value<T: DeserializeOwned>(&self, method: &str, params: &Value) -> Result<Option<T>, NoResult> {
        self.transport.ask(method, params, SHORT_ANSWER_BYTES_MAX)
    }

    /// A question whose answer may be long, or `null`.
    fn long<T: DeserializeOwned>(&self, method: &str, params: &Value) -> Result<Option<T>, ChainError> {
        let limit_bytes = self.options.answer_bytes_max;
        self.transport.ask(method, params, limit_bytes).map_err(|error| self.plain(method, error))
    }

    /// The error that a refusal is where nothing is executed and nothing sent.
    fn plain(&self, method: &str, error: NoResult) -> ChainError {
        let error = match error {
            NoResult::Failed(error) | NoResult::TooLong(error) => return error,
            NoResult::Refused(error) => error,
        };
        let what = self.said(&error);
        match error.meaning() {
            Meaning::Busy => self.transport.unreachable(format!("{method}: {what}")),
            _ => self.transport.strange(method, &what),
        }
    }

    fn said(&self, error: &RpcError) -> String {
        format!("error {}: {}", error.code, self.transport.endpoint.told(&error.message))
    }

    /// The error that a refusal is where a call is executed.
    fn executed(&self, method: &str, error: NoResult) -> ChainError {
        let NoResult::Refused(refusal) = &error else { return self.plain(method, error) };
        match refusal.meaning() {
            Meaning::Reverted(data) => ChainError::reverted(&data),
            Meaning::Stopped(reason) => ChainError::Reverted { reason: self.transport.endpoint.told(&reason) },
            Meaning::Busy | Meaning::Unknown => self.plain(method, error),
            _ => ChainError::Refused { chain: self.name(), what: self.said(refusal) },
        }
    }

    fn block_at(&self, at: &str) -> Result<Option<Block>, ChainError> {
        Ok(self.long::<BlockJson>("eth_getBlockByNumber", &json!([at, false]))?.map(Block::from))
    }

    /// What gas cost, of nodes whose receipts do not say it.
    fn price_of(&self, transaction: &Word) -> Result<u128, ChainError> {
        let method = "eth_getTransactionByHash";
        let found: Option<PriceJson> = self.long(method, &json!([hex_text(transaction)]))?;
        let price = found.and_then(|found| found.gas_price);
        price.map(|price| price.0).ok_or_else(|| self.transport.strange(method, "without a gas price"))
    }
}

/// A call as the methods take it.
fn call_json(from: EvmAddress, call: &Call) -> Value {
    let mut out = json!({ "from": hex_text(&from), "data": hex_text(&call.data) });
    if let Some(to) = call.to {
        out["to"] = hex_text(&to).into();
    }
    if call.value > 0 {
        out["value"] = write_quantity(call.value).into();
    }
    out
}

fn at_json(at: At) -> String {
    match at {
        At::Latest => "latest".to_owned(),
        At::Block(number) => write_quantity(number.into()),
    }
}

impl Chain for Rpc {
    fn id(&self) -> u64 {
        self.id
    }

    fn name(&self) -> String {
        self.transport.endpoint.shown.clone()
    }

    /// Known by its id alone: development nodes have one of two.
    fn rehearsed(&self) -> bool {
        DEVELOPMENT_CHAINS.contains(&self.id)
    }

    fn head(&self) -> Result<Block, ChainError> {
        self.block_at("latest")?
            .ok_or_else(|| self.transport.strange("eth_getBlockByNumber", "null for the last block"))
    }

    fn block(&self, number: u64) -> Result<Option<Block>, ChainError> {
        let block = self.block_at(&write_quantity(number.into()))?;
        if block.is_some_and(|block| block.number != number) {
            return Err(self.transport.strange("eth_getBlockByNumber", "another block than was asked for"));
        }
        Ok(block)
    }

    fn nonce(&self, account: EvmAddress) -> Result<u64, ChainError> {
        let Short(nonce) = self.value("eth_getTransactionCount", &json!([hex_text(&account), "latest"]))?;
        Ok(nonce)
    }

    fn balance(&self, account: EvmAddress) -> Result<u128, ChainError> {
        let Saturated(wei) = self.value("eth_getBalance", &json!([hex_text(&account), "latest"]))?;
        Ok(wei)
    }

    fn has_code(&self, account: EvmAddress) -> Result<bool, ChainError> {
        let Data(code) = self.value("eth_getCode", &json!([hex_text(&account), "latest"]))?;
        Ok(!code.is_empty())
    }

    fn call(&self, from: EvmAddress, call: &Call, at: At) -> Result<Vec<u8>, ChainError> {
        let method = "eth_call";
        let params = json!([call_json(from, call), at_json(at)]);
        let result = self.try_value(method, &params).map_err(|error| self.executed(method, error))?;
        let Data(output) = result.ok_or_else(|| self.transport.strange(method, "null"))?;
        Ok(output)
    }

    fn estimate(&self, from: EvmAddress, call: &Call) -> Result<u64, ChainError> {
        let method = "eth_estimateGas";
        let params = json!([call_json(from, call), "latest"]);
        let result = self.try_value(method, &params).map_err(|error| self.executed(method, error))?;
        let Short(gas) = result.ok_or_else(|| self.transport.strange(method, "null"))?;
        Ok(gas)
    }

    fn fees(&self) -> Result<Fees, ChainError> {
        fees::fees(self)
    }

    fn send(&self, raw: &[u8]) -> Result<Word, ChainError> {
        let method = "eth_sendRawTransaction";
        let hash = keccak256(raw);
        let refusal = match self.try_value(method, &json!([hex_text(raw)])) {
            Ok(Some(Fixed(answered))) if answered == hash => return Ok(hash),
            Ok(_) => return Err(self.transport.strange(method, "another hash than the transaction has")),
            Err(NoResult::Refused(refusal)) => refusal,
            Err(error) => return Err(self.plain(method, error)),
        };
        match refusal.meaning() {
            Meaning::Known => Ok(hash),
            // Perhaps used by this very transaction, handed over before.
            Meaning::NonceUsed if self.receipt(&hash)?.is_some() => Ok(hash),
            Meaning::Busy => Err(self.plain(method, NoResult::Refused(refusal))),
            _ => Err(ChainError::Refused { chain: self.name(), what: self.said(&refusal) }),
        }
    }

    fn receipt(&self, transaction: &Word) -> Result<Option<Receipt>, ChainError> {
        let method = "eth_getTransactionReceipt";
        let found: Option<ReceiptJson> = self.long(method, &json!([hex_text(transaction)]))?;
        let Some(found) = found else { return Ok(None) };
        if !found.is_of(transaction) {
            return Err(self.transport.strange(method, "the receipt of another transaction"));
        }
        let price = match found.effective_gas_price {
            Some(Quantity(price)) => price,
            None => self.price_of(transaction)?,
        };
        found.receipt(price).map_err(|what| self.transport.strange(method, what))
    }

    fn logs(&self, filter: &LogFilter) -> Result<Vec<Logged>, ChainError> {
        logs::logs(self, filter)
    }
}

//! What a chain does for who settles on it: the small part of an Ethereum node that Cairn needs.

use cairn_settle::{EvmAddress, Word};

use crate::ChainError;

/// A block, as far as settling needs to know it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Block {
    /// Its number.
    pub number: u64,
    /// Its hash: two blocks of one number are a reorganisation.
    pub hash: Word,
    /// Its time, seconds since 1970 UTC.
    pub time_s: u64,
    /// What each unit of gas in it burns, wei; `None` before London.
    pub base_fee: Option<u128>,
}

/// The state that is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum At {
    /// After the last block.
    Latest,
    /// After the block of this number.
    Block(u64),
}

/// A call, or what a transaction is to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// The contract or account; `None` deploys `data`.
    pub to: Option<EvmAddress>,
    /// Coin that goes with it, wei.
    pub value: u128,
    /// Selector and arguments, or creation bytecode and arguments.
    pub data: Vec<u8>,
}

impl Call {
    /// A call of a contract without coin.
    #[must_use]
    pub const fn to(contract: EvmAddress, data: Vec<u8>) -> Self {
        Self { to: Some(contract), value: 0, data }
    }

    /// A deployment.
    #[must_use]
    pub const fn deploy(data: Vec<u8>) -> Self {
        Self { to: None, value: 0, data }
    }
}

/// What a unit of gas is to cost, wei.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fees {
    /// EIP-1559: at most, and at most to who builds the block.
    Dynamic {
        /// `maxFeePerGas`.
        max: u128,
        /// `maxPriorityFeePerGas`.
        priority: u128,
    },
    /// One price: chains whose blocks have no base fee.
    Legacy {
        /// `gasPrice`.
        price: u128,
    },
}

/// An event that a contract logged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Logged {
    /// The contract.
    pub address: EvmAddress,
    /// keccak256 of the event's signature, then what is indexed.
    pub topics: Vec<Word>,
    /// What is not indexed.
    pub data: Vec<u8>,
    /// Number of its block.
    pub block: u64,
    /// Hash of its block.
    pub block_hash: Word,
    /// Its transaction.
    pub transaction: Word,
    /// Its place among the events of its block.
    pub index: u64,
}

/// What became of a transaction that is in a block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// Its hash.
    pub transaction: Word,
    /// Number of its block.
    pub block: u64,
    /// Hash of its block.
    pub block_hash: Word,
    /// Whether it did what it was to do; one that failed cost its gas and did nothing else.
    pub succeeded: bool,
    /// Gas used.
    pub gas_used: u64,
    /// What a unit of it cost, wei.
    pub gas_price: u128,
    /// The contract that it deployed.
    pub created: Option<EvmAddress>,
    /// Events, in order.
    pub logs: Vec<Logged>,
}

/// Which events are asked for: of one contract, of one kind, in a range of blocks, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogFilter {
    /// The contract.
    pub address: EvmAddress,
    /// keccak256 of the event's signature.
    pub topic: Word,
    /// The first block.
    pub from: u64,
    /// The last block.
    pub to: u64,
}

/// A chain that runs the contracts. Nothing here waits for a transaction to be included, or is remembered between calls:
/// that is what the outbox is for.
pub trait Chain: Send + Sync {
    /// The chain id (EIP-155), asked for when it was opened.
    fn id(&self) -> u64;

    /// What it is, for people: a folder, or an address without its secrets.
    fn name(&self) -> String;

    /// Whether it is no chain but a rehearsal of one.
    fn rehearsed(&self) -> bool;

    /// The last block.
    ///
    /// # Errors
    /// [`ChainError`] when the chain cannot be asked; so for all that follow.
    fn head(&self) -> Result<Block, ChainError>;

    /// The block of a number, if the chain is that long.
    ///
    /// # Errors
    /// [`ChainError`].
    fn block(&self, number: u64) -> Result<Option<Block>, ChainError>;

    /// How many transactions of an account are in blocks: the nonce of its next.
    ///
    /// # Errors
    /// [`ChainError`].
    fn nonce(&self, account: EvmAddress) -> Result<u64, ChainError>;

    /// An account's coin, wei; the largest number where it is more.
    ///
    /// # Errors
    /// [`ChainError`].
    fn balance(&self, account: EvmAddress) -> Result<u128, ChainError>;

    /// Whether there is a contract.
    ///
    /// # Errors
    /// [`ChainError`].
    fn has_code(&self, account: EvmAddress) -> Result<bool, ChainError>;

    /// What a call answers, leaving nothing behind.
    ///
    /// # Errors
    /// [`ChainError::Reverted`] where the contract refuses.
    fn call(&self, from: EvmAddress, call: &Call, at: At) -> Result<Vec<u8>, ChainError>;

    /// Gas that a call will need as a transaction, after the last block.
    ///
    /// # Errors
    /// [`ChainError::Reverted`] where the contract would refuse.
    fn estimate(&self, from: EvmAddress, call: &Call) -> Result<u64, ChainError>;

    /// What gas costs at the moment.
    ///
    /// # Errors
    /// [`ChainError`].
    fn fees(&self) -> Result<Fees, ChainError>;

    /// Hands over a signed transaction; its hash. One that the chain knows already is no error.
    ///
    /// # Errors
    /// [`ChainError::Refused`] where it does not take it.
    fn send(&self, raw: &[u8]) -> Result<Word, ChainError>;

    /// What became of a transaction, once it is in a block of the chain as it is now.
    ///
    /// # Errors
    /// [`ChainError`].
    fn receipt(&self, transaction: &Word) -> Result<Option<Receipt>, ChainError>;

    /// Gives an account coin where coin comes out of nothing, a rehearsal's; `false` where it does not.
    ///
    /// # Errors
    /// [`ChainError`].
    fn endow(&self, _account: EvmAddress, _wei: u128) -> Result<bool, ChainError> {
        Ok(false)
    }

    /// Events, in the order of the chain.
    ///
    /// # Errors
    /// [`ChainError`].
    fn logs(&self, filter: &LogFilter) -> Result<Vec<Logged>, ChainError>;
}

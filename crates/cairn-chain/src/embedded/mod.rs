//! A chain inside the process: an EVM, a file of blocks, and nobody to ask.
//!
//! For rehearsals: one transaction makes one block, at once and finally; coin comes out of nothing; whoever holds the folder
//! holds the chain. So it always says that it is rehearsed.
//!
//! Promises: contracts run as on a public chain (the same machine, limits and refusals); a transaction that was answered with
//! its hash is there after any crash; opened again the chain is the same, to the last byte of storage; a file that was damaged
//! is refused or ends before the damage, never another chain. One process has it at a time.
//!
//! What is trusted: the folder. Somebody who may write in it can make any chain of it. Not here: blocks without
//! transactions, a queue of transactions whose turn is not yet, the state after any block but the last, and whatever only the
//! protocol of a public chain does (uncles, blobs, withdrawals).

mod frames;
mod index;
mod machine;
mod record;
mod snapshot;
mod state;
#[cfg(test)]
mod tests;
mod world;

use std::fmt;
use std::io;
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use cairn_core::keccak256;
use cairn_log::{Disk, StdDisk, WriterLock};
use cairn_settle::{EvmAddress, Word};

use self::frames::failure;
use self::machine::{BASE_FEE, PRIORITY_FEE};
use self::record::Deed;
use self::state::State;
use crate::{At, Block, Call, Chain, ChainError, Fees, LogFilter, Logged, Receipt, SignedTransaction};

/// The chain id that development chains have.
pub const CHAIN_ID: u64 = 31_337;
/// The most bytes of a transaction, as public nodes have it.
pub const RAW_BYTES_MAX: usize = 128 << 10;
/// After how many blocks the state is written, so that opening again runs no more than these.
const SNAPSHOT_EVERY: u64 = 1_024;

/// Gives the time, seconds since 1970 UTC.
pub type Clock = Arc<dyn Fn() -> u64 + Send + Sync>;

/// How a chain is begun or opened.
#[derive(Clone)]
pub struct Options {
    /// The chain's id; a chain that is there must have this one.
    pub chain_id: u64,
    /// Who has coin from the first block on, wei. Looked at only when a chain is begun.
    pub allocation: Vec<(EvmAddress, u128)>,
    /// What time it is. Blocks take it unless it falls.
    pub clock: Clock,
    /// After how many blocks the state is written; not 0.
    pub snapshot_every: u64,
}

impl Options {
    /// Of chain 31337, where nobody has coin.
    #[must_use]
    pub fn new(clock: Clock) -> Self {
        Self { chain_id: CHAIN_ID, allocation: Vec::new(), clock, snapshot_every: SNAPSHOT_EVERY }
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { chain_id, allocation, clock: _, snapshot_every } = self;
        let all = (chain_id, allocation, snapshot_every);
        write!(f, "Options{all:?}")
    }
}

/// The chain.
pub struct Embedded {
    chain_id: u64,
    folder: String,
    disk: Arc<dyn Disk>,
    clock: Clock,
    snapshot_every: u64,
    state: RwLock<State>,
    /// Keeps others out for as long as it lives.
    _lock: Box<dyn WriterLock>,
}

impl Embedded {
    /// Opens the chain in a folder, or begins one there.
    ///
    /// # Errors
    /// [`ChainError::File`] where the folder cannot be used or another process has it, [`ChainError::Broken`] where it holds a
    /// damaged chain or one of another id.
    pub fn open(folder: impl AsRef<Path>, options: Options) -> Result<Self, ChainError> {
        let name = folder.as_ref().display().to_string();
        let disk = StdDisk::create(folder).map_err(|error| failure("create", &name, error))?;
        Self::on(Arc::new(disk), &name, options)
    }

    /// Opens the chain on a disk, which is called `folder`, or begins one there.
    ///
    /// # Errors
    /// As [`Embedded::open`].
    pub fn on(disk: Arc<dyn Disk>, folder: &str, options: Options) -> Result<Self, ChainError> {
        let lock = disk.lock_writer().map_err(|error| match error.kind() {
            io::ErrorKind::WouldBlock => failure("open", folder, "another process has it open"),
            _ => failure("lock", folder, error),
        })?;
        let Options { chain_id, allocation, clock, snapshot_every } = options;
        let begin = || (clock(), allocation);
        let (state, run) = State::open(&*disk, folder, chain_id, begin)?;
        let (folder, state, snapshot_every) = (folder.to_owned(), RwLock::new(state), snapshot_every.max(1));
        let chain = Self { chain_id, folder, disk, clock, snapshot_every, state, _lock: lock };
        if run >= chain.snapshot_every {
            chain.keep(&chain.state());
        }
        Ok(chain)
    }

    /// Gives an account coin out of nothing, in a block of its own: what a rehearsal has instead of buying coin.
    ///
    /// # Errors
    /// [`ChainError::File`] where it cannot be written.
    pub fn fund(&self, account: EvmAddress, wei: u128) -> Result<Block, ChainError> {
        let mut state = self.change();
        state.fund((self.clock)(), account, wei)?;
        self.written(&state);
        block(&state, state.index.head()).ok_or_else(|| self.answer("no last block"))
    }

    fn state(&self) -> RwLockReadGuard<'_, State> {
        // A panic while it was being changed: the machine only reads it, and what follows changes it without one.
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// After every so many blocks writes the state.
    fn written(&self, state: &State) {
        if state.index.head().is_multiple_of(self.snapshot_every) {
            self.keep(state);
        }
    }

    /// Writes the state. That this fails costs nothing but time at the next opening: the blocks are durable already.
    fn keep(&self, state: &State) {
        let _ = state.snapshot().write(&*self.disk);
    }

    fn refused(&self, what: impl Into<String>) -> ChainError {
        ChainError::Refused { chain: self.name(), what: what.into() }
    }

    fn answer(&self, what: impl Into<String>) -> ChainError {
        ChainError::Answer { chain: self.name(), what: what.into() }
    }
}

impl fmt::Debug for Embedded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Embedded")
            .field("folder", &self.folder)
            .field("chain_id", &self.chain_id)
            .finish_non_exhaustive()
    }
}

fn block(state: &State, number: u64) -> Option<Block> {
    let entry = state.index.get(number)?;
    Some(Block { number, hash: entry.hash, time_s: entry.time_s, base_fee: Some(u128::from(BASE_FEE)) })
}

/// The events of a block; none where it holds no transaction.
fn events(state: &State, number: u64) -> Result<Vec<Logged>, ChainError> {
    let record = state.record(number)?;
    let transaction = record.transaction().unwrap_or_default();
    let logged = |(index, event): (usize, &machine::Event)| Logged {
        address: event.address,
        topics: event.topics.clone(),
        data: event.data.clone(),
        block: number,
        block_hash: record.hash,
        transaction,
        index: index as u64,
    };
    Ok(record.events().iter().enumerate().map(logged).collect())
}

impl Chain for Embedded {
    fn endow(&self, account: EvmAddress, wei: u128) -> Result<bool, ChainError> {
        self.fund(account, wei)?;
        Ok(true)
    }

    fn id(&self) -> u64 {
        self.chain_id
    }

    fn name(&self) -> String {
        self.folder.clone()
    }

    fn rehearsed(&self) -> bool {
        true
    }

    fn head(&self) -> Result<Block, ChainError> {
        let state = self.state();
        block(&state, state.index.head()).ok_or_else(|| self.answer("no last block"))
    }

    fn block(&self, number: u64) -> Result<Option<Block>, ChainError> {
        Ok(block(&self.state(), number))
    }

    fn nonce(&self, account: EvmAddress) -> Result<u64, ChainError> {
        Ok(self.state().world.nonce(account))
    }

    fn balance(&self, account: EvmAddress) -> Result<u128, ChainError> {
        Ok(self.state().world.balance(account))
    }

    fn has_code(&self, account: EvmAddress) -> Result<bool, ChainError> {
        Ok(self.state().world.has_code(account))
    }

    fn call(&self, from: EvmAddress, call: &Call, at: At) -> Result<Vec<u8>, ChainError> {
        let state = self.state();
        let last = state.index.head();
        match at {
            At::Block(block) if block != last => Err(ChainError::Past { chain: self.name(), block, last }),
            At::Block(_) | At::Latest => machine::call(&state.world, &state.next_place((self.clock)()), from, call),
        }
    }

    fn estimate(&self, from: EvmAddress, call: &Call) -> Result<u64, ChainError> {
        let state = self.state();
        machine::estimate(&state.world, &state.next_place((self.clock)()), from, call)
    }

    fn fees(&self) -> Result<Fees, ChainError> {
        Ok(Fees::Dynamic { max: 2 * u128::from(BASE_FEE) + PRIORITY_FEE, priority: PRIORITY_FEE })
    }

    fn send(&self, raw: &[u8]) -> Result<Word, ChainError> {
        if raw.len() > RAW_BYTES_MAX {
            return Err(self.refused(format!("it has {} bytes, and {RAW_BYTES_MAX} are the most", raw.len())));
        }
        let hash = keccak256(raw);
        if self.state().index.of_transaction(&hash).is_some() {
            return Ok(hash);
        }
        let signed = SignedTransaction::decode(raw).map_err(|error| self.refused(error.to_string()))?;
        let transaction = signed.transaction();
        if transaction.chain_id != self.chain_id {
            return Err(
                self.refused(format!("it is for chain {}, and this is {}", transaction.chain_id, self.chain_id))
            );
        }
        let mut state = self.change();
        // Asked again: somebody may have sent it meanwhile.
        if state.index.of_transaction(&hash).is_some() {
            return Ok(hash);
        }
        let next = state.world.nonce(signed.sender());
        if transaction.nonce != next {
            let side = if transaction.nonce < next { "low" } else { "high" };
            return Err(
                self.refused(format!("its nonce {} is too {side}: the account's next is {next}", transaction.nonce))
            );
        }
        state.include((self.clock)(), &signed)?.map_err(|what| self.refused(what))?;
        self.written(&state);
        Ok(hash)
    }

    fn receipt(&self, transaction: &Word) -> Result<Option<Receipt>, ChainError> {
        let state = self.state();
        let Some(number) = state.index.of_transaction(transaction) else { return Ok(None) };
        let record = state.record(number)?;
        let Deed::Transaction { outcome, .. } = &record.deed else { return Ok(None) };
        Ok(Some(Receipt {
            transaction: *transaction,
            block: number,
            block_hash: record.hash,
            succeeded: outcome.succeeded,
            gas_used: outcome.gas_used,
            gas_price: outcome.gas_price,
            created: outcome.created,
            logs: events(&state, number)?,
        }))
    }

    fn logs(&self, filter: &LogFilter) -> Result<Vec<Logged>, ChainError> {
        let state = self.state();
        let mut found = Vec::new();
        for number in filter.from..=filter.to.min(state.index.head()) {
            if state.index.get(number).is_some_and(|entry| entry.may_hold(&filter.topic)) {
                let matches = |one: &Logged| one.address == filter.address && one.topics.first() == Some(&filter.topic);
                found.extend(events(&state, number)?.into_iter().filter(matches));
            }
        }
        Ok(found)
    }
}

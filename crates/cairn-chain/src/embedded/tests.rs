//! What the chain is held to, on a disk in memory that can be broken.

mod contracts;
mod crashes;
mod reopening;
mod rules;

use std::sync::atomic::{AtomicU64, Ordering};

use cairn_core::Address;
use cairn_core::wallet::WalletKey;
use cairn_testkit::disk::{Faults, FaultyDisk};

use super::*;
use crate::Transaction;

/// When the first block is.
const START_S: u64 = 1_700_000_000;
/// One coin, wei.
const COIN: u128 = 1_000_000_000_000_000_000;

fn key(scalar: u8) -> WalletKey {
    WalletKey::from_bytes([scalar; 32]).unwrap()
}

fn address_of(key: &WalletKey) -> EvmAddress {
    match key.address() {
        Address::Evm(address) => address,
        Address::Solana(_) => unreachable!("wallet keys are EVM accounts"),
    }
}

/// A chain with a wallet that has coin, and the time in our hands.
struct Rehearsal {
    chain: Embedded,
    disk: FaultyDisk,
    time_s: Arc<AtomicU64>,
    every: u64,
}

impl Rehearsal {
    /// On a disk that never fails, with a snapshot after every so many blocks.
    fn new(snapshot_every: u64) -> Self {
        let disk = FaultyDisk::new(0, Faults::default());
        Self::on(&disk, snapshot_every).unwrap()
    }

    fn on(disk: &FaultyDisk, snapshot_every: u64) -> Result<Self, ChainError> {
        let time_s = Arc::new(AtomicU64::new(START_S));
        let chain = Embedded::on(Arc::new(disk.clone()), "chain", options(&time_s, snapshot_every))?;
        Ok(Self { chain, disk: disk.clone(), time_s, every: snapshot_every })
    }

    /// Ends the process and starts another.
    fn reopened(self) -> Self {
        let Self { chain, disk, every, .. } = self;
        drop(chain);
        disk.kill(Faults::default());
        Self::on(&disk, every).unwrap()
    }

    fn pass(&self, seconds: u64) {
        self.time_s.fetch_add(seconds, Ordering::Relaxed);
    }

    /// A transaction of `key` as a wallet would make it, with this gas limit.
    fn signed(&self, key: &WalletKey, gas_limit: u64, call: Call) -> SignedTransaction {
        let (chain, from) = (&self.chain, address_of(key));
        let (nonce, fees) = (chain.nonce(from).unwrap(), chain.fees().unwrap());
        Transaction { chain_id: chain.id(), nonce, fees, gas_limit, call }.sign(key)
    }

    /// Sends with the gas that was estimated, no unit more.
    fn try_send(&self, key: &WalletKey, call: Call) -> Result<Receipt, ChainError> {
        let gas_limit = self.chain.estimate(address_of(key), &call)?;
        self.send_with(key, gas_limit, call)
    }

    fn send_with(&self, key: &WalletKey, gas_limit: u64, call: Call) -> Result<Receipt, ChainError> {
        let hash = self.chain.send(self.signed(key, gas_limit, call).raw())?;
        Ok(self.chain.receipt(&hash)?.expect("was just sent"))
    }

    /// Sends what must succeed.
    fn send(&self, key: &WalletKey, call: Call) -> Receipt {
        let receipt = self.try_send(key, call).unwrap();
        assert!(receipt.succeeded, "{receipt:?}");
        receipt
    }

    /// Deploys code as it is to be.
    fn deploy(&self, key: &WalletKey, runtime: &[u8]) -> EvmAddress {
        self.send(key, Call::deploy(creation(runtime))).created.unwrap()
    }

    /// All that there is to know.
    fn hash(&self) -> Word {
        self.chain.state().world.hash()
    }
}

fn options(time_s: &Arc<AtomicU64>, snapshot_every: u64) -> Options {
    let time_s = Arc::clone(time_s);
    let allocation = vec![(address_of(&key(1)), 1_000 * COIN)];
    Options { allocation, snapshot_every, ..Options::new(Arc::new(move || time_s.load(Ordering::Relaxed))) }
}

/// Creation code of a contract of at most 255 bytes.
fn creation(runtime: &[u8]) -> Vec<u8> {
    let length = u8::try_from(runtime.len()).unwrap();
    // Copies what follows these nine bytes, and returns it.
    [&[0x60, length, 0x80, 0x60, 9, 0x5f, 0x39, 0x5f, 0xf3], runtime].concat()
}

/// Stores how many bytes it is called with in slot 0, and logs an event of kind 7.
const KEEPER: [u8; 10] = [0x36, 0x5f, 0x55, 0x60, 7, 0x5f, 0x5f, 0xa1, 0x00, 0x00];
/// Answers the time of the block.
const TELLER: [u8; 7] = [0x42, 0x5f, 0x52, 0x60, 0x20, 0x5f, 0xf3];
/// Stores the hash of the block before, and the block's die.
const WITNESS: [u8; 13] = [0x43, 0x60, 1, 0x90, 0x03, 0x40, 0x5f, 0x55, 0x44, 0x60, 1, 0x55, 0x00];
/// Says no.
const REFUSER: [u8; 3] = [0x5f, 0x5f, 0xfd];

/// The kind of the events of [`KEEPER`].
fn kind_7() -> Word {
    cairn_settle::abi::uint_word(7_u8)
}

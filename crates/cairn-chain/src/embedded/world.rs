//! What an EVM knows between two transactions: accounts, their storage, and code.
//!
//! Promises: the same world has the same bytes and the same hash, however it came about; accounts that are empty (EIP-161)
//! and storage that is zero are not there. Everything is held in memory.

use std::collections::BTreeMap;
use std::convert::Infallible;

use cairn_core::keccak256;
use cairn_settle::{EvmAddress, Word};
use revm::DatabaseRef;
use revm::bytecode::Bytecode;
use revm::primitives::{Address, B256, KECCAK_EMPTY, U256};
use revm::state::{Account as Touched, AccountInfo, EvmState};

use crate::rlp::{Items, RlpError, without_zeros, write_bytes, write_list, write_uint};

/// How many blocks back a contract can ask for a hash.
const HASHES: usize = 256;

/// One account.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Account {
    nonce: u64,
    balance: U256,
    /// keccak256 of its code; `None` for a person's.
    code: Option<Word>,
    storage: BTreeMap<U256, U256>,
}

impl Account {
    fn is_empty(&self) -> bool {
        self.nonce == 0 && self.balance.is_zero() && self.code.is_none()
    }
}

/// All accounts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct World {
    accounts: BTreeMap<EvmAddress, Account>,
    /// Code by its hash, of every contract that there ever was.
    codes: BTreeMap<Word, Bytecode>,
    /// Hashes of the last blocks by number: derived from the blocks, no part of what is written.
    hashes: BTreeMap<u64, Word>,
}

impl World {
    /// An account's coin, wei; the largest number where it is more.
    pub(super) fn balance(&self, account: EvmAddress) -> u128 {
        self.accounts.get(&account).map_or(0, |account| account.balance.saturating_to())
    }

    /// The nonce of an account's next transaction.
    pub(super) fn nonce(&self, account: EvmAddress) -> u64 {
        self.accounts.get(&account).map_or(0, |account| account.nonce)
    }

    /// Whether there is a contract.
    pub(super) fn has_code(&self, account: EvmAddress) -> bool {
        self.accounts.get(&account).is_some_and(|account| account.code.is_some())
    }

    /// Gives coin out of nothing.
    pub(super) fn give(&mut self, to: EvmAddress, wei: u128) {
        if wei > 0 {
            let account = self.accounts.entry(to).or_default();
            account.balance = account.balance.saturating_add(U256::from(wei));
        }
    }

    /// Remembers the hash of the block after the last.
    pub(super) fn follow(&mut self, number: u64, hash: Word) {
        self.hashes.insert(number, hash);
        if self.hashes.len() > HASHES {
            self.hashes.pop_first();
        }
    }

    /// Puts what a transaction left behind in the place of what was there.
    pub(super) fn commit(&mut self, changes: EvmState) {
        for (address, touched) in changes {
            if touched.is_touched() {
                self.commit_one(address.into(), touched);
            }
        }
    }

    fn commit_one(&mut self, address: EvmAddress, touched: Touched) {
        if touched.is_selfdestructed() {
            self.accounts.remove(&address);
            return;
        }
        let account = self.accounts.entry(address).or_default();
        if touched.is_created() {
            account.storage.clear();
        }
        account.nonce = touched.info.nonce;
        account.balance = touched.info.balance;
        account.code = (!touched.info.is_empty_code_hash()).then_some(touched.info.code_hash.0);
        for (key, slot) in touched.storage {
            if slot.present_value.is_zero() {
                account.storage.remove(&key);
            } else {
                account.storage.insert(key, slot.present_value);
            }
        }
        if account.is_empty() {
            self.accounts.remove(&address);
        } else if let (Some(hash), Some(code)) = (account.code, touched.info.code) {
            self.codes.entry(hash).or_insert(code);
        }
    }

    /// keccak256 of [`World::encode`].
    #[cfg(test)]
    pub(super) fn hash(&self) -> Word {
        keccak256(&self.encode())
    }

    /// The list of the accounts in the order of their addresses, and of the codes in that of their hashes; not the hashes
    /// of blocks.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut accounts = Vec::new();
        for (address, account) in &self.accounts {
            let (mut storage, mut item) = (Vec::new(), Vec::new());
            for (key, value) in &account.storage {
                write_word(&mut storage, *key);
                write_word(&mut storage, *value);
            }
            write_bytes(&mut item, address);
            write_uint(&mut item, account.nonce);
            write_word(&mut item, account.balance);
            write_bytes(&mut item, account.code.as_ref().map_or(&[], |hash| &hash[..]));
            write_list(&mut item, &storage);
            write_list(&mut accounts, &item);
        }
        let mut codes = Vec::new();
        for code in self.codes.values() {
            write_bytes(&mut codes, code.original_byte_slice());
        }
        let mut both = Vec::with_capacity(accounts.len() + codes.len() + 20);
        write_list(&mut both, &accounts);
        write_list(&mut both, &codes);
        let mut out = Vec::with_capacity(both.len() + 10);
        write_list(&mut out, &both);
        out
    }

    /// Reads what [`World::encode`] wrote.
    pub(super) fn decode(bytes: &[u8]) -> Result<Self, RlpError> {
        let mut both = Items::of_list(bytes)?;
        let (mut accounts, mut codes) = (both.list()?, both.list()?);
        both.end()?;
        let mut world = Self::default();
        while codes.end().is_err() {
            let code = codes.bytes()?;
            world.codes.insert(keccak256(code), Bytecode::new_raw(code.to_vec().into()));
        }
        while accounts.end().is_err() {
            let mut item = accounts.list()?;
            let address = item.fixed()?;
            let (nonce, balance) = (item.uint64()?, read_word(&mut item)?);
            let code = match item.bytes()? {
                [] => None,
                hash => Some(hash.try_into().map_err(|_| RlpError::Width)?),
            };
            let mut slots = item.list()?;
            item.end()?;
            let mut storage = BTreeMap::new();
            while slots.end().is_err() {
                storage.insert(read_word(&mut slots)?, read_word(&mut slots)?);
            }
            world.accounts.insert(address, Account { nonce, balance, code, storage });
        }
        Ok(world)
    }
}

fn write_word(out: &mut Vec<u8>, value: U256) {
    write_bytes(out, without_zeros(&value.to_be_bytes::<32>()));
}

fn read_word(items: &mut Items<'_>) -> Result<U256, RlpError> {
    items.number::<32>().map(U256::from_be_bytes)
}

impl DatabaseRef for World {
    type Error = Infallible;

    fn basic_ref(&self, address: Address) -> Result<Option<AccountInfo>, Infallible> {
        Ok(self.accounts.get(&address.into_array()).map(|account| {
            let code = account.code.and_then(|hash| self.codes.get(&hash)).cloned();
            let code_hash = account.code.map_or(KECCAK_EMPTY, B256::from);
            AccountInfo { balance: account.balance, nonce: account.nonce, code_hash, code, ..AccountInfo::default() }
        }))
    }

    fn code_by_hash_ref(&self, code_hash: B256) -> Result<Bytecode, Infallible> {
        Ok(self.codes.get(&code_hash.0).cloned().unwrap_or_default())
    }

    fn storage_ref(&self, address: Address, index: U256) -> Result<U256, Infallible> {
        let account = self.accounts.get(&address.into_array());
        Ok(account.and_then(|account| account.storage.get(&index)).copied().unwrap_or_default())
    }

    fn block_hash_ref(&self, number: u64) -> Result<B256, Infallible> {
        Ok(self.hashes.get(&number).copied().map(B256::from).unwrap_or_default())
    }
}

//! Sends what is to happen on a chain, one transaction at a time for one account, and each once.
//!
//! Promises: a transaction is written down, durably, before anybody sees it; after a crash the one that was written down is
//! finished and no other is begun; whatever is replaced by a variant that pays more has the same nonce, so one of them is
//! mined and no two; what counts as done has as many blocks on top as was asked for. So each purpose has its effect once,
//! as long as no reorganisation is deeper than that. It does not decide what is to be sent, and does not queue: who calls
//! knows from the chain what it still needs.
//!
//! The account belongs to the outbox alone. Where something else uses it all the same, that is noticed, and nothing is sent
//! twice.

mod document;
mod fees;
mod store;
mod waiting;

use std::path::Path;
use std::time::{Duration, Instant};

use cairn_core::Address;
use cairn_core::wallet::WalletKey;
use cairn_settle::EvmAddress;
use cairn_settle::told::hex_text;

use self::document::{ENDED, Ended, PENDING, Pending, call_hash, nothing, word};
pub use self::store::{Folder, Store};
use crate::{Call, Chain, ChainError, Fees, Receipt, Transaction};

/// How it sends and waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Blocks on top of a transaction's before it counts as done. 0 where a block is never taken back.
    pub confirmations: u64,
    /// Between two looks at the chain.
    pub poll: Duration,
    /// Without being in a block for so long, a transaction is replaced by one that pays more.
    pub patience: Duration,
    /// After so long the waiting ends with [`ChainError::Waiting`]; [`Outbox::resume`] goes on with it.
    pub give_up: Duration,
    /// By how much more a variant pays, millionths; at least an eighth.
    pub bump_ppm: u32,
    /// Gas beyond the estimate, millionths of it.
    pub gas_margin_ppm: u32,
    /// The most that a unit of gas may cost, wei.
    pub max_fee_wei: u128,
    /// The most gas of a transaction: what a contract asks for beyond it is not paid.
    pub gas_max: u64,
}

impl Default for Options {
    /// Twelve blocks, looks every two seconds, variants after ninety, half an hour, an eighth more, a fifth more gas, 500 gwei.
    fn default() -> Self {
        Self {
            confirmations: 12,
            poll: Duration::from_secs(2),
            patience: Duration::from_secs(90),
            give_up: Duration::from_secs(30 * 60),
            bump_ppm: 125_000,
            gas_margin_ppm: 200_000,
            max_fee_wei: 500_000_000_000,
            // As much as Osaka lets a transaction have (EIP-7825).
            gas_max: 1 << 24,
        }
    }
}

/// Time, as an outbox needs it.
pub trait Clock: Send {
    /// Milliseconds since any fixed moment; never falls.
    fn now_ms(&self) -> u64;

    /// Waits.
    fn sleep(&self, time: Duration);
}

/// The machine's clock.
#[derive(Debug)]
pub struct SystemClock(Instant);

impl Default for SystemClock {
    fn default() -> Self {
        Self(Instant::now())
    }
}

impl Clock for SystemClock {
    fn now_ms(&self) -> u64 {
        u64::try_from(self.0.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn sleep(&self, time: Duration) {
        std::thread::sleep(time);
    }
}

/// Sends for one account on one chain.
pub struct Outbox<'a> {
    chain: &'a dyn Chain,
    store: Box<dyn Store + 'a>,
    clock: Box<dyn Clock + 'a>,
    key: WalletKey,
    account: EvmAddress,
    options: Options,
}

impl<'a> Outbox<'a> {
    /// The outbox that keeps its documents in this folder, and holds it.
    ///
    /// # Errors
    /// [`ChainError::File`], and [`ChainError::Broken`] where the folder is another account's or chain's.
    pub fn open(folder: &Path, chain: &'a dyn Chain, key: WalletKey, options: Options) -> Result<Self, ChainError> {
        Self::with(Box::new(Folder::open(folder)?), chain, key, options, Box::new(SystemClock::default()))
    }

    /// The same with any store and clock.
    ///
    /// # Errors
    /// As [`Outbox::open`].
    pub fn with(
        store: Box<dyn Store + 'a>,
        chain: &'a dyn Chain,
        key: WalletKey,
        options: Options,
        clock: Box<dyn Clock + 'a>,
    ) -> Result<Self, ChainError> {
        let Address::Evm(account) = key.address() else { unreachable!("the key of an EVM wallet has an EVM address") };
        let outbox = Self { chain, store, clock, key, account, options };
        outbox.pending()?;
        outbox.ended()?;
        Ok(outbox)
    }

    /// The account that it sends from.
    #[must_use]
    pub const fn account(&self) -> EvmAddress {
        self.account
    }

    /// What the transaction under way is for, if one is.
    ///
    /// # Errors
    /// [`ChainError::File`] and [`ChainError::Broken`].
    pub fn under_way(&self) -> Result<Option<String>, ChainError> {
        Ok(self.pending()?.map(|pending| pending.purpose))
    }

    /// Has a call take effect, once, and waits until it has. A purpose is the name of one effect: asked for again while it is
    /// under way it is finished, and asked for again straight after it was done its receipt is given, and nothing is sent.
    ///
    /// # Errors
    /// [`ChainError::Reverted`] where the contract would refuse; [`ChainError::UnderWay`] while something else is, of which
    /// nothing is lost; [`ChainError::Failed`] where it was mined and failed; [`ChainError::NonceUsed`] where somebody else
    /// used the account; [`ChainError::Waiting`] and all others leave it under way, for [`Outbox::resume`].
    pub fn execute(&self, purpose: &str, call: &Call) -> Result<Receipt, ChainError> {
        if let Some(pending) = self.pending()? {
            if pending.purpose == purpose && pending.call() == call {
                return self.finish(pending);
            }
            return Err(ChainError::UnderWay { purpose: pending.purpose });
        }
        let ended = self.ended()?;
        if let Some(receipt) = self.already(purpose, call, ended.as_ref())? {
            return Ok(receipt);
        }
        let estimate = self.chain.estimate(self.account, call)?;
        let fees = self.chain.fees()?;
        let base_fee = self.chain.head()?.base_fee;
        let allowed = self.options.max_fee_wei;
        let too_dear = |price| ChainError::TooDear { chain: self.chain.name(), price, allowed };
        let fees = fees::within(fees, base_fee, allowed).map_err(too_dear)?;
        let nonce = self.chain.nonce(self.account)?;
        if let Some(ended) = ended.filter(|ended| nonce <= ended.nonce) {
            return Err(self.behind(nonce, &ended));
        }
        let margin = u128::from(estimate) * u128::from(self.options.gas_margin_ppm) / 1_000_000;
        let gas_limit = estimate.saturating_add(u64::try_from(margin).unwrap_or(u64::MAX)).min(self.options.gas_max);
        if estimate > gas_limit {
            let what = format!("it would need {estimate} gas, more than the {gas_limit} of any transaction");
            return Err(ChainError::Refused { chain: self.chain.name(), what });
        }
        let first = self.transaction(nonce, fees, gas_limit, call.clone()).sign(&self.key);
        let pending = Pending::of(purpose, first);
        self.store.write(PENDING, &pending.write())?;
        self.finish(pending)
    }

    /// Finishes what was under way when the last process ended, or the last waiting: what for, and what became of it.
    ///
    /// # Errors
    /// As [`Outbox::execute`].
    pub fn resume(&self) -> Result<Option<(String, Receipt)>, ChainError> {
        let Some(pending) = self.pending()? else { return Ok(None) };
        let purpose = pending.purpose.clone();
        self.finish(pending).map(|receipt| Some((purpose, receipt)))
    }

    /// Has what is under way not happen, by a transaction of the same nonce that does nothing and pays more: the way out for
    /// one that no node takes. `None` once it cannot happen any more; else it was quicker, and this is its receipt.
    ///
    /// # Errors
    /// As [`Outbox::resume`]; [`ChainError::TooDear`] where what is allowed does not suffice to replace it.
    pub fn cancel(&self) -> Result<Option<(String, Receipt)>, ChainError> {
        let Some(mut pending) = self.pending()? else { return Ok(None) };
        let nothing = nothing(self.account);
        if pending.newest().transaction().call != nothing {
            let gas_limit = self.chain.estimate(self.account, &nothing)?;
            let newest = pending.newest().transaction().clone();
            let bumped = fees::bumped(newest.fees, None, self.options.bump_ppm, self.options.max_fee_wei);
            let (price, allowed) = (self.options.max_fee_wei, self.options.max_fee_wei);
            let fees = bumped.ok_or(ChainError::TooDear { chain: self.chain.name(), price, allowed })?;
            pending.add(self.transaction(newest.nonce, fees, gas_limit, nothing).sign(&self.key));
            self.store.write(PENDING, &pending.write())?;
        }
        let purpose = pending.purpose.clone();
        match self.finish(pending) {
            Err(ChainError::Cancelled { .. }) => Ok(None),
            ended => ended.map(|receipt| Some((purpose, receipt))),
        }
    }

    /// The receipt of what was done last, where that is asked for again.
    fn already(&self, purpose: &str, call: &Call, ended: Option<&Ended>) -> Result<Option<Receipt>, ChainError> {
        let same =
            |ended: &&Ended| ended.succeeded && ended.purpose == purpose && ended.call == hex_text(&call_hash(call));
        let Some(ended) = ended.filter(same) else { return Ok(None) };
        let broken = || ChainError::Broken { file: ENDED.to_owned(), what: "it names no transaction".to_owned() };
        let transaction = word(&ended.transaction).ok_or_else(broken)?;
        match self.chain.receipt(&transaction)? {
            Some(receipt) => Ok(Some(receipt)),
            None => Err(self.behind(self.chain.nonce(self.account)?, ended)),
        }
    }

    fn behind(&self, nonce: u64, ended: &Ended) -> ChainError {
        ChainError::Behind { chain: self.chain.name(), purpose: ended.purpose.clone(), nonce }
    }

    fn transaction(&self, nonce: u64, fees: Fees, gas_limit: u64, call: Call) -> Transaction {
        Transaction { chain_id: self.chain.id(), nonce, fees, gas_limit, call }
    }

    fn pending(&self) -> Result<Option<Pending>, ChainError> {
        let document = self.store.read(PENDING)?;
        document.map(|document| Pending::read(&document, self.chain.id(), self.account)).transpose()
    }

    fn ended(&self) -> Result<Option<Ended>, ChainError> {
        let document = self.store.read(ENDED)?;
        document.map(|document| Ended::read(&document, self.chain.id(), self.account)).transpose()
    }
}

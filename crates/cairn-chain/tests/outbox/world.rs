//! A simulated chain, disk and clock, all moved by one seed.
//!
//! What it may do: drop transactions, mine any variant, take blocks back (no more than were asked for on top) and still tell
//! of what was in them, answer late, lose an answer after the deed, refuse, fail what it mines, raise fees, and crash who
//! asks before or after anything that he does. What it never does is take back more blocks than that.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use cairn_chain::outbox::{Clock, Options, Outbox, Store};
use cairn_chain::{
    At, Block, Call, Chain, ChainError, Fees, LogFilter, Logged, Receipt, SignedTransaction, Transaction,
};
use cairn_core::wallet::WalletKey;
use cairn_core::{Address, keccak256};
use cairn_settle::{EvmAddress, Word};
use cairn_testkit::random::Random;

pub const CHAIN_ID: u64 = 31_337;
/// Where purposes are sent to.
pub const CONTRACT: EvmAddress = [0xcc; 20];

/// How often each thing happens, of a thousand chances.
#[derive(Debug, Clone, Copy)]
pub struct Faults {
    /// A block comes while time passes by a look.
    pub mine: u64,
    pub reorganise: u64,
    /// All transactions that wait are forgotten.
    pub forget: u64,
    /// An answer to a transaction handed over is lost; as often, the question is.
    pub lose: u64,
    pub drop: u64,
    pub refuse: u64,
    pub fail: u64,
    /// Somebody else sends from the account.
    pub foreign: u64,
    /// The chain moves between two questions, by a block or by a reorganisation.
    pub between: u64,
}

impl Faults {
    pub const NONE: Self =
        Self { mine: 1_000, reorganise: 0, forget: 0, lose: 0, drop: 0, refuse: 0, fail: 0, foreign: 0, between: 0 };
}

struct Mined {
    hash: Word,
    transactions: Vec<(SignedTransaction, bool)>,
}

pub struct State {
    random: Random,
    pub faults: Faults,
    confirmations: u64,
    pub now_ms: u64,
    blocks: Vec<Mined>,
    pub pool: Vec<SignedTransaction>,
    /// Every transaction that was ever taken.
    taken: Vec<SignedTransaction>,
    late: BTreeMap<Word, u64>,
    /// Receipts of blocks that were taken back, each given once more.
    stale: BTreeMap<Word, (u64, Word, bool)>,
    pub base_fee: u128,
    /// Steps until a crash; at 0 it is over until somebody begins again.
    pub fuse: Option<u64>,
    documents: BTreeMap<String, Vec<u8>>,
    /// How often the chain and the disk were used.
    pub steps: u64,
}

/// What becomes of a step.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    Goes,
    CrashesBefore,
    CrashesAfter,
}

pub struct World {
    state: Mutex<State>,
    pub key: WalletKey,
    pub account: EvmAddress,
}

fn crash() -> ChainError {
    ChainError::Unreachable { chain: "simulated".to_owned(), what: "crash".to_owned() }
}

impl State {
    pub fn random(&mut self) -> u64 {
        self.random.bits()
    }

    pub fn happens(&mut self, of_thousand: u64) -> bool {
        self.random() % 1_000 < of_thousand
    }

    fn step(&mut self) -> Step {
        self.steps += 1;
        match self.fuse {
            None => Step::Goes,
            Some(0) => Step::CrashesBefore,
            Some(left) => {
                self.fuse = Some(left - 1);
                match left {
                    1 if self.random().is_multiple_of(2) => Step::CrashesAfter,
                    1 => Step::CrashesBefore,
                    _ => Step::Goes,
                }
            }
        }
    }

    /// A question, which leaves nothing behind; the chain may move before it is answered.
    fn asked(&mut self) -> Result<(), ChainError> {
        if self.happens(self.faults.between) {
            if self.happens(self.faults.reorganise * 4) { self.reorganise() } else { self.mine() }
        }
        if self.step() == Step::Goes { Ok(()) } else { Err(crash()) }
    }

    fn nonce(&self) -> u64 {
        self.blocks.iter().map(|block| block.transactions.len() as u64).sum()
    }

    fn block(&self, number: u64) -> Option<Block> {
        let mined = self.blocks.get(usize::try_from(number).ok()?)?;
        Some(Block { number, hash: mined.hash, time_s: number, base_fee: Some(self.base_fee) })
    }

    fn head(&self) -> Block {
        self.block(self.blocks.len() as u64 - 1).unwrap()
    }

    fn add_block(&mut self, transactions: Vec<(SignedTransaction, bool)>) {
        let hash = keccak256(&self.random().to_be_bytes());
        for (transaction, _) in &transactions {
            let late = self.random() % 4;
            self.late.insert(transaction.hash(), late);
        }
        self.blocks.push(Mined { hash, transactions });
        let next = self.nonce();
        self.pool.retain(|one| one.transaction().nonce >= next);
    }

    /// A block with any of the variants that wait, or none.
    fn mine(&mut self) {
        let (next, base_fee) = (self.nonce(), self.base_fee);
        let pays = |one: &&SignedTransaction| match one.transaction().fees {
            Fees::Dynamic { max, .. } => max >= base_fee,
            Fees::Legacy { price } => price >= base_fee,
        };
        let fit: Vec<_> =
            self.pool.iter().filter(|one| one.transaction().nonce == next).filter(pays).cloned().collect();
        let chosen = fit.get(self.random() as usize % fit.len().max(1)).cloned();
        let failed = self.faults.fail;
        let chosen = chosen.map(|one| (one, !self.happens(failed)));
        self.add_block(chosen.into_iter().collect());
    }

    /// Takes blocks back; what was in them waits again, or an earlier variant of it does, or nothing.
    fn reorganise(&mut self) {
        let depth = (1 + self.random() % self.confirmations.max(1)).min(self.confirmations);
        let depth = depth.min(self.blocks.len() as u64 - 1);
        for _ in 0..depth {
            let block = self.blocks.pop().unwrap();
            let number = self.blocks.len() as u64;
            for (transaction, succeeded) in block.transactions {
                self.stale.insert(transaction.hash(), (number, block.hash, succeeded));
                let nonce = transaction.transaction().nonce;
                let variants: Vec<_> =
                    self.taken.iter().filter(|one| one.transaction().nonce == nonce).cloned().collect();
                let other = variants.get(self.random() as usize % variants.len().max(1)).cloned();
                match self.random() % 3 {
                    0 => {}
                    1 => self.pool.push(transaction),
                    _ => self.pool.extend(other),
                }
            }
        }
        for _ in 0..=depth {
            if self.happens(500) { self.mine() } else { self.add_block(Vec::new()) }
        }
    }

    /// Effects of each purpose in the chain as it is.
    pub fn effects(&self) -> BTreeMap<Vec<u8>, u64> {
        let mut effects = BTreeMap::new();
        for (transaction, succeeded) in self.blocks.iter().flat_map(|block| &block.transactions) {
            let call = &transaction.transaction().call;
            if *succeeded && call.to == Some(CONTRACT) {
                *effects.entry(call.data.clone()).or_default() += 1;
            }
        }
        effects
    }

    pub fn document(&self, name: &str) -> Option<String> {
        self.documents.get(name).map(|document| String::from_utf8(document.clone()).unwrap())
    }

    fn is_written_down(&self, raw: &[u8]) -> bool {
        let shown = format!("0x{}", data_encoding::HEXLOWER.encode(raw));
        self.document("pending.json").is_some_and(|document| document.contains(&shown))
    }

    fn take(&mut self, transaction: SignedTransaction) {
        self.taken.push(transaction.clone());
        self.pool.push(transaction);
    }
}

impl World {
    pub fn new(seed: u64, faults: Faults, confirmations: u64) -> Arc<Self> {
        let key = WalletKey::from_bytes([7; 32]).unwrap();
        let Address::Evm(account) = key.address() else { unreachable!() };
        let state = State {
            random: Random::of(seed),
            faults,
            confirmations,
            now_ms: 0,
            blocks: vec![Mined { hash: [0; 32], transactions: Vec::new() }],
            pool: Vec::new(),
            taken: Vec::new(),
            late: BTreeMap::new(),
            stale: BTreeMap::new(),
            base_fee: 100,
            fuse: None,
            documents: BTreeMap::new(),
            steps: 0,
        };
        Arc::new(Self { state: Mutex::new(state), key, account })
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    pub fn options(&self) -> Options {
        Options {
            confirmations: self.state().confirmations,
            poll: Duration::from_secs(1),
            patience: Duration::from_secs(5),
            give_up: Duration::from_secs(120),
            max_fee_wei: 1_000_000,
            ..Options::default()
        }
    }

    pub fn outbox(self: &Arc<Self>) -> Result<Outbox<'_>, ChainError> {
        let (store, clock) = (Box::new(Shared(Arc::clone(self))), Box::new(Shared(Arc::clone(self))));
        Outbox::with(store, &**self, self.key.clone(), self.options(), clock)
    }

    /// Somebody else's transaction from the account, in the next block.
    pub fn foreign(&self) {
        let mut state = self.state();
        let fees = Fees::Legacy { price: 1_000_000 };
        let call = Call::to([0xfe; 20], vec![1]);
        let transaction = Transaction { chain_id: CHAIN_ID, nonce: state.nonce(), fees, gas_limit: 50_000, call };
        let signed = transaction.sign(&self.key);
        state.taken.push(signed.clone());
        state.add_block(vec![(signed, true)]);
    }

    /// Time passes, and the chain goes on.
    pub fn pass(&self, time: Duration) {
        let foreign = {
            let mut state = self.state();
            state.now_ms += u64::try_from(time.as_millis()).unwrap();
            state.base_fee = (state.base_fee * (90 + u128::from(state.random() % 22)) / 100).clamp(10, 5_000);
            let faults = state.faults;
            if state.happens(faults.forget) {
                state.pool.clear();
            }
            if state.happens(faults.reorganise) {
                state.reorganise();
            }
            if state.happens(faults.mine) {
                state.mine();
            }
            state.happens(faults.foreign)
        };
        if foreign {
            self.foreign();
        }
    }
}

/// The disk and the clock.
struct Shared(Arc<World>);

impl Clock for Shared {
    fn now_ms(&self) -> u64 {
        self.0.state().now_ms
    }

    fn sleep(&self, time: Duration) {
        self.0.pass(time);
    }
}

impl Store for Shared {
    fn read(&self, name: &str) -> Result<Option<Vec<u8>>, ChainError> {
        let mut state = self.0.state();
        state.asked()?;
        Ok(state.documents.get(name).cloned())
    }

    fn write(&self, name: &str, document: &[u8]) -> Result<(), ChainError> {
        let mut state = self.0.state();
        let step = state.step();
        if step != Step::CrashesBefore {
            state.documents.insert(name.to_owned(), document.to_vec());
        }
        if step == Step::Goes { Ok(()) } else { Err(crash()) }
    }

    fn remove(&self, name: &str) -> Result<(), ChainError> {
        let mut state = self.0.state();
        let step = state.step();
        if step != Step::CrashesBefore {
            state.documents.remove(name);
        }
        if step == Step::Goes { Ok(()) } else { Err(crash()) }
    }
}

impl Chain for World {
    fn id(&self) -> u64 {
        CHAIN_ID
    }

    fn name(&self) -> String {
        "simulated".to_owned()
    }

    fn rehearsed(&self) -> bool {
        true
    }

    fn head(&self) -> Result<Block, ChainError> {
        let mut state = self.state();
        state.asked()?;
        Ok(state.head())
    }

    fn block(&self, number: u64) -> Result<Option<Block>, ChainError> {
        let mut state = self.state();
        state.asked()?;
        Ok(state.block(number))
    }

    fn nonce(&self, account: EvmAddress) -> Result<u64, ChainError> {
        assert_eq!(account, self.account);
        let mut state = self.state();
        state.asked()?;
        Ok(state.nonce())
    }

    fn balance(&self, _: EvmAddress) -> Result<u128, ChainError> {
        Ok(u128::MAX)
    }

    fn has_code(&self, _: EvmAddress) -> Result<bool, ChainError> {
        Ok(true)
    }

    fn call(&self, _: EvmAddress, _: &Call, _: At) -> Result<Vec<u8>, ChainError> {
        self.state().asked()?;
        Err(ChainError::Reverted { reason: "Simulated".to_owned() })
    }

    fn estimate(&self, _: EvmAddress, _: &Call) -> Result<u64, ChainError> {
        self.state().asked()?;
        Ok(50_000)
    }

    fn fees(&self) -> Result<Fees, ChainError> {
        let mut state = self.state();
        state.asked()?;
        Ok(Fees::Dynamic { max: 2 * state.base_fee + 10, priority: 10 })
    }

    fn send(&self, raw: &[u8]) -> Result<Word, ChainError> {
        let signed = SignedTransaction::decode(raw).unwrap();
        let mut state = self.state();
        assert!(state.is_written_down(raw), "sent before it was written down");
        let refused = |what: &str| ChainError::Refused { chain: self.name(), what: what.to_owned() };
        let step = state.step();
        if step == Step::CrashesBefore {
            return Err(crash());
        }
        let hash = signed.hash();
        let mined = state.blocks.iter().any(|block| block.transactions.iter().any(|(one, _)| one.hash() == hash));
        let known = mined || state.pool.iter().any(|one| one.hash() == hash);
        if !known {
            if signed.transaction().nonce < state.nonce() {
                return Err(refused("nonce too low"));
            }
            let faults = state.faults;
            if state.happens(faults.refuse) {
                return Err(refused("underpriced"));
            }
            if state.happens(faults.lose) {
                return Err(crash());
            }
            if !state.happens(faults.drop) {
                state.take(signed);
            }
            if state.happens(faults.lose) {
                return Err(crash());
            }
        }
        if step == Step::Goes { Ok(hash) } else { Err(crash()) }
    }

    fn receipt(&self, transaction: &Word) -> Result<Option<Receipt>, ChainError> {
        let mut state = self.state();
        state.asked()?;
        let found = state.blocks.iter().enumerate().find_map(|(number, block)| {
            let found = block.transactions.iter().find(|(one, _)| one.hash() == *transaction)?;
            Some((number as u64, block.hash, found.1))
        });
        let found = found.or_else(|| state.stale.remove(transaction));
        let Some((block, block_hash, succeeded)) = found else { return Ok(None) };
        if let Some(late) = state.late.get_mut(transaction).filter(|late| **late > 0) {
            *late -= 1;
            return Ok(None);
        }
        Ok(Some(Receipt {
            transaction: *transaction,
            block,
            block_hash,
            succeeded,
            gas_used: 40_000,
            gas_price: 1,
            created: None,
            logs: Vec::new(),
        }))
    }

    fn logs(&self, _: &LogFilter) -> Result<Vec<Logged>, ChainError> {
        Ok(Vec::new())
    }
}

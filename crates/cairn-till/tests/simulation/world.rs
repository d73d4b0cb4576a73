//! A simulated token, outbox and network, moved by one seed.
//!
//! What they may do: answer late, lose an answer after the deed, refuse, mine a transaction rounds later; payers may use a nonce
//! twice, cancel it, move their money away, and anybody may send what a payer signed. A crash may come before or after anything
//! that is asked of them, and at any operation of the disk. What the token never does is to take a nonce twice.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use cairn_core::statement::{Body, Order, Signer, Statement};
use cairn_core::{Account, Amount, Hash, JobId, NetworkId};
use cairn_gateway::{Orders, Placed, Unplaced};
use cairn_testkit::random::Random;
use cairn_till::{Head, Purse, Seen, TillError, Unsent};
use cairn_x402::{Signed, TokenDomain, Word, X402Error, word_of};

pub type EvmAddress = [u8; 20];

/// Blocks on top of one before it is final.
pub const CONFIRMATIONS: u64 = 2;
pub const NETWORK: NetworkId = NetworkId(Hash([3; 32]));

/// How often each thing happens, of a thousand chances.
#[derive(Debug, Clone, Copy, Default)]
pub struct Faults {
    /// A question or a deed is not answered.
    pub lose: u64,
    /// What is sent waits for later blocks.
    pub wait: u64,
    /// The order book refuses.
    pub refuse: u64,
    /// The network forgot a job that is in its log.
    pub forget: u64,
}

/// A nonce that is gone: what it moved, if anything.
#[derive(Debug, Clone)]
pub struct Gone {
    pub moved: Option<(EvmAddress, u128)>,
    pub transaction: Word,
    pub block: u64,
}

/// What an outbox has under way, and what became of it.
struct UnderWay {
    purpose: String,
    signed: Signed,
    ended: Option<Result<Word, X402Error>>,
}

pub struct State {
    random: Random,
    pub faults: Faults,
    /// Questions until a crash; at 0 nothing is answered until somebody begins again.
    pub fuse: Option<u64>,
    pub steps: u64,
    pub domain: TokenDomain,
    pub block: u64,
    pub now_s: u64,
    times: Vec<u64>,
    pub balances: BTreeMap<EvmAddress, u128>,
    pub nonces: BTreeMap<(EvmAddress, Word), Gone>,
    under_way: Option<UnderWay>,
    /// Statements in the log, in order.
    pub logged: Vec<Statement>,
    /// What each of them locked.
    locks: Vec<Amount>,
    pub last_nonce: u64,
    pub has_workers: bool,
    pub credit: u128,
    /// What is locked for a job is less than the order's price says, by so many millionths.
    pub rebate_ppm: u128,
    /// What happens before the next time that the token is asked for a payment.
    pub meanwhile: Option<Box<dyn FnOnce() + Send>>,
}

#[derive(Clone)]
pub struct World(Arc<Mutex<State>>);

pub fn text(error: &str) -> String {
    error.to_owned()
}

impl State {
    pub fn random(&mut self) -> u64 {
        self.random.bits()
    }

    pub fn happens(&mut self, of_thousand: u64) -> bool {
        self.random() % 1_000 < of_thousand
    }

    /// Whether the process lives on.
    fn lives(&mut self) -> bool {
        self.steps += 1;
        match &mut self.fuse {
            None => true,
            Some(0) => false,
            Some(left) => {
                *left -= 1;
                true
            }
        }
    }

    /// Time passes by a block; what waits may be mined.
    pub fn mine(&mut self) {
        self.block += 1;
        self.now_s += 12;
        self.times.push(self.now_s);
        if self.happens(600) {
            self.mine_waiting();
        }
    }

    fn mine_waiting(&mut self) {
        if let Some(mut one) = self.under_way.take() {
            if one.ended.is_none() {
                one.ended = Some(self.execute(&one.signed));
            }
            self.under_way = Some(one);
        }
    }

    /// What the token does with an authorization, and says of it.
    fn judge(&self, signed: &Signed) -> Result<u128, X402Error> {
        let one = &signed.authorization;
        let now = word_of(self.now_s);
        if now <= one.valid_after || now >= one.valid_before {
            return Err(X402Error::Expired);
        }
        if self.nonces.contains_key(&(one.from, one.nonce)) {
            return Err(X402Error::Nonce);
        }
        if !signed.is_the_payers(&self.domain) {
            return Err(X402Error::Signature);
        }
        let value = u128::from_be_bytes(one.value[16..].try_into().unwrap());
        let funds = self.balances.get(&one.from).copied().unwrap_or_default();
        if funds < value { Err(X402Error::Funds) } else { Ok(value) }
    }

    pub fn execute(&mut self, signed: &Signed) -> Result<Word, X402Error> {
        let value = self.judge(signed)?;
        let one = signed.authorization;
        *self.balances.get_mut(&one.from).unwrap() -= value;
        *self.balances.entry(one.to).or_default() += value;
        let transaction = word_of(self.random());
        let gone = Gone { moved: Some((one.to, value)), transaction, block: self.block };
        assert!(self.nonces.insert((one.from, one.nonce), gone).is_none());
        Ok(transaction)
    }

    /// A payer uses a nonce for something that moves nothing to anybody else.
    pub fn cancel(&mut self, payer: EvmAddress, nonce: Word) {
        let gone = Gone { moved: None, transaction: [0; 32], block: self.block };
        self.nonces.entry((payer, nonce)).or_insert(gone);
    }

    /// What would be locked.
    pub fn locked(&self, order: &Order) -> u128 {
        let work = u128::from(order.gas) * order.price.0;
        work - work * self.rebate_ppm / 1_000_000
    }

    fn admit(&self, order: &Order) -> Result<Amount, Unplaced> {
        let refused = |code: &'static str| Unplaced::Refused { code, detail: text("refused") };
        let locked = self.locked(order);
        if !self.has_workers {
            return Err(refused("CMP-NO-WORKER"));
        }
        if locked > order.most.0 {
            return Err(refused("CMP-MOST"));
        }
        if locked > self.credit {
            return Err(refused("CMP-CREDIT"));
        }
        Ok(Amount(locked))
    }

    fn log(&mut self, statement: Statement) -> Result<(), Unplaced> {
        let refused = |code: &'static str| Unplaced::Refused { code, detail: text("refused") };
        assert!(statement.signatures_hold(Some(&NETWORK)));
        if statement.nonce <= self.last_nonce {
            return Err(refused("STM-NONCE"));
        }
        if statement.expiry_ms < self.now_s * 1_000 {
            return Err(refused("STM-EXPIRED"));
        }
        let Body::Order(order) = &statement.body else { panic!("a till only orders") };
        let locked = self.admit(order)?;
        self.credit -= locked.0;
        self.last_nonce = statement.nonce;
        self.logged.push(statement);
        self.locks.push(locked);
        Ok(())
    }

    fn gone(&self, signed: &Signed, from_block: u64) -> Seen {
        let one = &signed.authorization;
        let Some(gone) = self.nonces.get(&(one.from, one.nonce)) else { return Seen::Nowhere };
        assert!(gone.block >= from_block, "it is looked for where it is");
        let value = u128::from_be_bytes(one.value[16..].try_into().unwrap());
        if gone.moved == Some((one.to, value)) {
            Seen::Moved { transaction: gone.transaction, block: gone.block }
        } else {
            Seen::Elsewhere { block: gone.block }
        }
    }
}

fn crash() -> TillError {
    TillError::Later { what: text("crash") }
}

fn unknown() -> Unplaced {
    Unplaced::Unknown { what: text("lost") }
}

impl World {
    pub fn of(seed: u64, faults: Faults, domain: TokenDomain) -> Self {
        let now_s = 1_800_000_000;
        Self(Arc::new(Mutex::new(State {
            random: Random::of(seed),
            faults,
            fuse: None,
            steps: 0,
            domain,
            block: 0,
            now_s,
            times: vec![now_s],
            balances: BTreeMap::new(),
            nonces: BTreeMap::new(),
            under_way: None,
            logged: Vec::new(),
            locks: Vec::new(),
            last_nonce: 0,
            has_workers: true,
            credit: u128::MAX / 4,
            rebate_ppm: 0,
            meanwhile: None,
        })))
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// A question: lost, or answered by `answer`.
    fn asked<T, E>(&self, lost: impl Fn() -> E, answer: impl FnOnce(&mut State) -> Result<T, E>) -> Result<T, E> {
        let mut state = self.state();
        let lose = state.faults.lose;
        if !state.lives() || state.happens(lose) {
            return Err(lost());
        }
        answer(&mut state)
    }

    /// A deed: not done, done and not heard of, or done.
    fn done<T, E>(&self, lost: impl Fn() -> E, deed: impl FnOnce(&mut State) -> Result<T, E>) -> Result<T, E> {
        let mut state = self.state();
        let lose = state.faults.lose;
        if !state.lives() || state.happens(lose) {
            return Err(lost());
        }
        let done = deed(&mut state);
        if !state.lives() || state.happens(lose) {
            return Err(lost());
        }
        done
    }
}

impl Purse for World {
    fn head(&self) -> Result<Head, TillError> {
        self.asked(crash, |state| {
            let final_number = state.block.saturating_sub(CONFIRMATIONS);
            Ok(Head { final_number, final_time_s: state.times[usize::try_from(final_number).unwrap()] })
        })
    }

    fn seen(&self, signed: &Signed, from_block: u64) -> Result<Seen, TillError> {
        self.asked(crash, |state| Ok(state.gone(signed, from_block)))
    }

    fn probe(&self, signed: &Signed) -> Result<(), Unsent> {
        let meanwhile = self.state().meanwhile.take();
        if let Some(happen) = meanwhile {
            happen();
        }
        self.asked(|| Unsent::Unknown(text("lost")), |state| state.judge(signed).map(|_| ()).map_err(Unsent::Refused))
    }

    fn send(&self, purpose: &str, signed: &Signed) -> Result<Word, Unsent> {
        let lost = || Unsent::Unknown(text("lost"));
        self.done(lost, |state| {
            match &state.under_way {
                Some(one) if one.purpose == purpose => assert_eq!(one.signed, *signed, "one purpose has one call"),
                Some(one) if one.ended.is_none() => {
                    // Another purpose is finished first, where it can be.
                    if state.happens(500) {
                        return Err(lost());
                    }
                    state.mine_waiting();
                    state.under_way = None;
                }
                _ => state.under_way = None,
            }
            if state.under_way.is_none() {
                state.judge(signed).map_err(Unsent::Refused)?;
                state.under_way = Some(UnderWay { purpose: purpose.to_owned(), signed: *signed, ended: None });
                let wait = state.faults.wait;
                if state.happens(wait) {
                    return Err(lost());
                }
            }
            state.mine_waiting();
            // It counts when it is deep enough.
            for _ in 0..CONFIRMATIONS {
                state.mine();
            }
            let ended = state.under_way.take().and_then(|one| one.ended).unwrap();
            ended.map_err(Unsent::Refused)
        })
    }
}

impl Orders for World {
    fn network(&self) -> NetworkId {
        NETWORK
    }

    fn now_ms(&self) -> u64 {
        self.state().now_s * 1_000
    }

    fn quote(&self, order: &Order) -> Result<Amount, Unplaced> {
        self.asked(unknown, |state| state.admit(order))
    }

    fn credit(&self, _: &Account) -> Result<Amount, Unplaced> {
        self.asked(unknown, |state| Ok(Amount(state.credit)))
    }

    fn last_nonce(&self, _: &Signer) -> Result<u64, Unplaced> {
        self.asked(unknown, |state| Ok(state.last_nonce))
    }

    fn submit(&self, statement: Vec<u8>) -> Result<(), Unplaced> {
        self.done(unknown, |state| {
            let refuse = state.faults.refuse;
            if state.happens(refuse) {
                return Err(Unplaced::Refused { code: "CMP-NO-WORKER", detail: text("no worker any more") });
            }
            state.log(Statement::parse(&statement).unwrap())
        })
    }

    fn placed(&self, job: &JobId) -> Result<Option<Placed>, Unplaced> {
        self.asked(unknown, |state| {
            let forget = state.faults.forget;
            if state.happens(forget) {
                return Ok(None);
            }
            let found = state.logged.iter().position(|one| one.payload_hash() == job.0);
            Ok(found.map(|index| Placed { index: index as u64, locked: state.locks[index] }))
        })
    }
}

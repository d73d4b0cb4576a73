//! The till as a gateway has it: answers at once, and works on what it took on a thread of its own.

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use cairn_api::{OrderTerms, PaidBack, Purchase, PurchaseStatus};
use cairn_core::statement::{Body, Order};
use cairn_core::wallet::WalletKey;
use cairn_core::{Address, Amount, Hash};
use cairn_gateway::{Asked, NotTaken, Orders, RefusalKind, Till, TillRefusal, Unplaced, order_of};
use cairn_log::Disk;
use cairn_settle::told::{address_text, hex_text};
use cairn_x402::{Demand, Payment, PaymentId, TokenDomain, X402Error};

use crate::error::{TillError, later};
use crate::price::Price;
use crate::purse::{Purse, Unsent};
use crate::record::{Back, End, Record, Stage, Why};
use crate::steps::{Owner, Steps};
use crate::store::Store;

/// What a till takes, and how it waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// What it asks beyond what is locked.
    pub price: Price,
    /// How long a payment should be valid, seconds. Default 300.
    pub timeout_s: u64,
    /// Payments that expire sooner are refused, seconds. Default 30.
    pub settle_s: u64,
    /// Payments that expire later are refused, seconds: until then each is watched. Default 3,600.
    pub watch_s: u64,
    /// Purchases under way at once. Default 64.
    pub open_max: usize,
    /// Between two looks at what waits. Default 2 s.
    pub poll: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            price: Price { margin_ppm: 20_000, flat: 0 },
            timeout_s: 300,
            settle_s: 30,
            watch_s: 3_600,
            open_max: 64,
            poll: Duration::from_secs(2),
        }
    }
}

/// How long the end waits for the worker: so many looks,
const END_POLLS: u32 = 200;
/// and the time between them.
const END_POLL: Duration = Duration::from_millis(10);

/// The machine's time, ms since 1970 UTC.
pub type Clock = Box<dyn Fn() -> u64 + Send + Sync>;

/// A till.
pub struct Keeper {
    inner: Arc<Inner>,
    worker: Mutex<Option<JoinHandle<()>>>,
}

struct Inner {
    owner: Owner,
    purse: Box<dyn Purse>,
    store: Mutex<Store>,
    options: Options,
    clock: Clock,
    orders: OnceLock<Arc<dyn Orders>>,
    /// Whether it ends, and whether something was taken since the worker looked.
    signal: Mutex<Signal>,
    wake: Condvar,
}

#[derive(Default)]
struct Signal {
    ends: bool,
    taken: bool,
}

fn busy(error: &TillError) -> TillRefusal {
    let detail = "the till cannot say now; nothing was taken";
    TillRefusal::of(RefusalKind::Busy, error.code(), detail).hint("send the same again after a while")
}

fn held<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Keeper {
    /// Opens a till: its wallet, the network's token, its folder, and the chain.
    ///
    /// # Errors
    /// [`TillError`] when the folder cannot be used or is damaged.
    pub fn open(
        key: WalletKey,
        token: TokenDomain,
        disk: Arc<dyn Disk>,
        purse: Box<dyn Purse>,
        options: Options,
        clock: Clock,
    ) -> Result<Self, TillError> {
        let Address::Evm(address) = key.address() else { unreachable!("a secp256k1 key has an EVM address") };
        let store = Mutex::new(Store::open(disk, token.clone())?);
        let owner = Owner { key, address, token, price: options.price };
        let (orders, signal, wake) = (OnceLock::new(), Mutex::default(), Condvar::new());
        let inner = Inner { owner, purse, store, options, clock, orders, signal, wake };
        Ok(Self { inner: Arc::new(inner), worker: Mutex::new(None) })
    }

    /// The account that is paid.
    #[must_use]
    pub fn account(&self) -> cairn_core::Account {
        self.inner.owner.account(self.inner.owner.address)
    }

    /// As [`Till::begin`], without a thread: the caller has [`Keeper::round`] do the work.
    pub fn begin_by_hand(&self, orders: Arc<dyn Orders>) {
        let _ = self.inner.orders.set(orders);
    }

    /// Does what can be done now about everything that is open; how much of it waits for something else.
    pub fn round(&self) -> usize {
        self.inner.round(&mut BTreeMap::new())
    }
}

impl Inner {
    fn orders(&self) -> Result<&dyn Orders, TillError> {
        self.orders.get().map(Arc::as_ref).ok_or(TillError::Stopped)
    }

    /// One round; what waits is told to the operator once, in `told`.
    fn round(&self, told: &mut BTreeMap<PaymentId, String>) -> usize {
        let open: Vec<PaymentId> = held(&self.store).open_records().map(|record| record.id).collect();
        told.retain(|id, _| open.contains(id));
        let mut waiting = 0;
        for id in open {
            if held(&self.signal).ends {
                break;
            }
            match self.work(&id) {
                Ok(true) => {}
                Ok(false) => waiting += 1,
                Err(error) => {
                    waiting += 1;
                    let what = error.to_string();
                    if told.get(&id) != Some(&what) {
                        eprintln!("till: payment {id}: {} {what}", error.code());
                        told.insert(id, what);
                    }
                }
            }
        }
        waiting
    }

    /// Takes a payment as far as it goes; whether it is over.
    fn work(&self, id: &PaymentId) -> Result<bool, TillError> {
        let steps = Steps { owner: &self.owner, purse: self.purse.as_ref(), orders: self.orders()? };
        loop {
            let Some(record) = held(&self.store).read(id)? else { return Ok(true) };
            self.check_turn(&record)?;
            let Some(next) = steps.next(&record)? else { return Ok(record.is_over()) };
            // Where it was taken up again meanwhile, what was found out is asked anew.
            held(&self.store).advance(&record, next)?;
        }
    }

    /// One order after the other: while nobody knows whether one is in the log, a later one would use up its nonce.
    fn check_turn(&self, record: &Record) -> Result<(), TillError> {
        let store = held(&self.store);
        let mut orders = store.open_records().filter(|other| matches!(other.stage, Stage::Ordering { .. }));
        if matches!(record.stage, Stage::Paid { .. }) && orders.next().is_some() {
            return Err(later("another order is being placed"));
        }
        Ok(())
    }

    fn run(&self) {
        let mut told = BTreeMap::new();
        loop {
            let waiting = self.round(&mut told);
            let signal = held(&self.signal);
            let idle = |signal: &mut Signal| !signal.ends && !signal.taken;
            let mut signal = if waiting > 0 {
                let waited = self.wake.wait_timeout_while(signal, self.options.poll, idle);
                waited.map_or_else(|poisoned| poisoned.into_inner().0, |(signal, _)| signal)
            } else {
                self.wake.wait_while(signal, idle).unwrap_or_else(PoisonError::into_inner)
            };
            signal.taken = false;
            if signal.ends {
                return;
            }
        }
    }

    fn notify(&self, change: impl FnOnce(&mut Signal)) {
        change(&mut held(&self.signal));
        self.wake.notify_all();
    }

    /// The order that terms are, and their name.
    fn order(&self, terms: &OrderTerms) -> Result<(Order, Hash), TillRefusal> {
        let order = order_of(terms, self.owner.account(self.owner.address)).map_err(|bad| {
            TillRefusal::of(RefusalKind::Malformed, "TIL-TERMS", bad.to_string())
                .hint("`/openapi.json` says what terms are: `OrderTerms`")
        })?;
        let name = Hash::of(&[&b"cairn/quote/1"[..], &Body::Order(order.clone()).encode()].concat());
        Ok((order, name))
    }

    fn ask(&self, terms: &OrderTerms) -> Result<Asked, TillRefusal> {
        let (order, quote) = self.order(terms)?;
        let orders = self.orders().map_err(|error| busy(&error))?;
        let unplaced = |unplaced| match unplaced {
            Unplaced::Refused { code, detail } => TillRefusal::of(RefusalKind::Unsold, code, detail),
            Unplaced::Unknown { what } => TillRefusal::of(RefusalKind::Busy, "TIL-LATER", what),
        };
        let locked = orders.quote(&order).map_err(unplaced)?;
        let credit = orders.credit(&order.buyer).map_err(unplaced)?;
        let reserved = Amount::checked_sum(held(&self.store).open_records().map(|record| Amount(record.reserved())));
        let needed = reserved.and_then(|reserved| reserved.checked_add(locked));
        if needed.is_none_or(|needed| needed > credit) {
            let detail = "the till has no credit left for this; nothing was taken";
            return Err(TillRefusal::of(RefusalKind::Busy, "TIL-CREDIT", detail)
                .hint("come back later, or order with credit of your own"));
        }
        let too_much = || TillRefusal::of(RefusalKind::Malformed, "TIL-TERMS", "the terms cost more than there is");
        let amount = self.owner.price.of(locked).filter(|amount| *amount > 0).ok_or_else(too_much)?;
        let Options { timeout_s, settle_s, watch_s, .. } = self.options;
        // Prices fall between a quote and its payment, too: what is too much goes back as change.
        let (domain, pay_to, amount_max) = (self.owner.token.clone(), self.owner.address, amount.saturating_mul(2));
        Ok(Asked { demand: Demand { domain, pay_to, amount, amount_max, timeout_s, settle_s, watch_s }, quote, locked })
    }

    fn take(&self, terms: &OrderTerms, payment: &Payment) -> Result<Purchase, NotTaken> {
        let (_, quote) = self.order(terms).map_err(NotTaken::Refused)?;
        let id = PaymentId::of(&self.owner.token, &payment.signed);
        let known = self.kept(&id)?;
        if let Some(record) = &known
            && let Some(purchase) = self.again(record, quote, payment)?
        {
            return Ok(purchase);
        }
        let refusal = match self.check(terms, quote, payment, known.as_ref()) {
            Ok(record) => return self.record(record, known.as_ref()),
            Err(refusal) => refusal,
        };
        // Another request may have presented it while this one looked, and its money may have moved since: then what the chain
        // and the till's credit said here was of a payment that is already bought for.
        match self.kept(&id)? {
            now if now == known => Err(refusal),
            None => Err(refusal),
            Some(now) => self.meanwhile(&now, quote, payment),
        }
    }

    fn kept(&self, id: &PaymentId) -> Result<Option<Record>, NotTaken> {
        held(&self.store).read(id).map_err(|error| NotTaken::Refused(busy(&error)))
    }

    /// What is written down of a payment that can be taken: its terms are for sale, and the chain would carry it out.
    fn check(
        &self,
        terms: &OrderTerms,
        quote: Hash,
        payment: &Payment,
        known: Option<&Record>,
    ) -> Result<Record, NotTaken> {
        let asked = self.ask(terms).map_err(NotTaken::Refused)?;
        let refused = |error| NotTaken::Payment(error, Box::new(asked.clone()));
        let paid = asked.demand.check(payment, (self.clock)() / 1_000).map_err(refused)?;
        if paid.payer == self.owner.address {
            return Err(refused(X402Error::Recipient));
        }
        let head = self.purse.head().map_err(|error| NotTaken::Refused(busy(&error)))?;
        match self.purse.probe(&paid.signed) {
            Ok(()) => {}
            Err(Unsent::Refused(error)) => return Err(refused(error)),
            Err(Unsent::Unknown(_)) => {
                let detail = "the chain cannot be asked now; nothing was taken";
                return Err(NotTaken::Refused(
                    TillRefusal::of(RefusalKind::Busy, "TIL-CHAIN", detail).hint("send the same again after a while"),
                ));
            }
        }
        let mut payment = payment.clone();
        // What the payer only echoes is not kept.
        payment.accepted = payment.accepted.map(|accepted| cairn_x402::Requirements { extra: None, ..accepted });
        Ok(Record {
            id: PaymentId::of(&self.owner.token, &payment.signed),
            terms: terms.clone(),
            quote,
            payment,
            amount: paid.amount,
            from_block: known.map_or(head.final_number, |record| record.from_block),
            taken_ms: (self.clock)(),
            stage: Stage::Taken {},
        })
    }

    /// Writes a payment down, unless another request did meanwhile.
    fn record(&self, record: Record, known: Option<&Record>) -> Result<Purchase, NotTaken> {
        let failed = |error: TillError| NotTaken::Refused(busy(&error));
        let mut store = held(&self.store);
        let now = store.read(&record.id).map_err(failed)?;
        if now.as_ref() != known {
            drop(store);
            return self.meanwhile(now.as_ref().unwrap_or(&record), record.quote, &record.payment);
        }
        if known.is_none() && store.open_records().count() >= self.options.open_max {
            let detail = format!("{} purchases are under way; nothing was taken", self.options.open_max);
            return Err(NotTaken::Refused(
                TillRefusal::of(RefusalKind::Busy, "TIL-BUSY", detail).hint("send the same again after a while"),
            ));
        }
        store.write(&record).map_err(failed)?;
        drop(store);
        self.notify(|signal| signal.taken = true);
        Ok(self.purchase(&record))
    }

    /// What is answered to a payment that another request took up while this one was looked at.
    fn meanwhile(&self, record: &Record, quote: Hash, payment: &Payment) -> Result<Purchase, NotTaken> {
        let again = self.again(record, quote, payment)?;
        Ok(again.unwrap_or_else(|| self.purchase(record)))
    }

    /// What is answered to a payment that is known; `None` where it may be taken up again.
    fn again(&self, record: &Record, quote: Hash, payment: &Payment) -> Result<Option<Purchase>, NotTaken> {
        if record.quote != quote || *record.signed() != payment.signed {
            let detail = "this payment was presented before, for something else or signed otherwise";
            return Err(NotTaken::Refused(
                TillRefusal::of(RefusalKind::Conflict, "TIL-OTHER-TERMS", detail)
                    .hint("a payment buys once: sign another one, with another nonce"),
            ));
        }
        let is_lapsed = matches!(record.stage, Stage::Lapsed { .. });
        Ok((!is_lapsed).then(|| self.purchase(record)))
    }

    fn purchase(&self, record: &Record) -> Purchase {
        let mut purchase = Purchase {
            payment: record.id.to_string(),
            ask: format!("/v1/buy/payments/{}", record.id),
            status: PurchaseStatus::Settling,
            network: format!("eip155:{}", self.owner.token.chain_id),
            payer: address_text(&record.payer()),
            amount: record.amount.to_string(),
            quote: record.quote.to_hex(),
            transaction: None,
            job: None,
            locked: None,
            back: None,
            code: None,
            detail: None,
            reason: None,
            next: String::new(),
        };
        fill(&mut purchase, &record.stage);
        next_words(purchase.status).clone_into(&mut purchase.next);
        purchase
    }
}

fn fill(purchase: &mut Purchase, stage: &Stage) {
    let paid_back = |back: &Back, transaction: Option<&[u8; 32]>| PaidBack {
        amount: back.amount.to_string(),
        transaction: transaction.map(|transaction| hex_text(transaction)),
        signature: hex_text(&back.signature),
    };
    let because = |purchase: &mut Purchase, why: &Why| {
        purchase.code = Some(why.code.clone());
        purchase.detail = Some(why.detail.clone());
        purchase.reason.clone_from(&why.reason);
    };
    let sold_to = |purchase: &mut Purchase, sold: &crate::record::Sold| {
        purchase.job = Some(Hash(sold.job).to_hex());
        purchase.locked = Some(sold.locked.to_string());
    };
    let (status, transaction) = match stage {
        Stage::Taken {} => (PurchaseStatus::Settling, None),
        Stage::Lapsed { why } | Stage::Over { end: End::Unpaid { why } } => {
            because(purchase, why);
            (PurchaseStatus::Unpaid, None)
        }
        Stage::Paid { transaction } | Stage::Ordering { transaction, .. } => (PurchaseStatus::Paid, Some(transaction)),
        Stage::Returning { transaction, sold, why, back } => {
            purchase.back = Some(paid_back(back, None));
            if let Some(sold) = sold {
                sold_to(purchase, sold);
            }
            if let Some(why) = why {
                because(purchase, why);
            }
            let status = if sold.is_some() { PurchaseStatus::Ordered } else { PurchaseStatus::Returning };
            (status, Some(transaction))
        }
        Stage::Over { end: End::Bought { transaction, sold, back } } => {
            sold_to(purchase, sold);
            purchase.back = back.as_ref().map(|gone| paid_back(&gone.back, Some(&gone.transaction)));
            (PurchaseStatus::Ordered, Some(transaction))
        }
        Stage::Over { end: End::Refunded { transaction, why, back } } => {
            because(purchase, why);
            purchase.back = Some(paid_back(&back.back, Some(&back.transaction)));
            (PurchaseStatus::Returned, Some(transaction))
        }
    };
    purchase.status = status;
    purchase.transaction = transaction.map(|transaction| hex_text(transaction));
}

const fn next_words(status: PurchaseStatus) -> &'static str {
    match status {
        PurchaseStatus::Settling => "ask again, or send the same request again; do not sign another payment meanwhile",
        PurchaseStatus::Unpaid => {
            "nothing was moved: send the same payment again once the reason is gone, or sign another"
        }
        PurchaseStatus::Paid => "ask again: the order is being placed, or the money goes back",
        PurchaseStatus::Ordered => {
            "follow the job at /v1/jobs/{job}; what it does not use is paid to you by the epoch statement"
        }
        PurchaseStatus::Returning => {
            "nothing: the money is on its way back; you may also send the signed transfer yourself"
        }
        PurchaseStatus::Returned => "the money is back; read the code, change the terms, and sign another payment",
    }
}

impl Till for Keeper {
    fn begin(&self, orders: Arc<dyn Orders>) {
        self.begin_by_hand(orders);
        let inner = self.inner.clone();
        let started = std::thread::Builder::new().name("cairn-till".to_owned()).spawn(move || inner.run());
        match started {
            Ok(worker) => *held(&self.worker) = Some(worker),
            Err(error) => eprintln!("till: its thread cannot be started: {error}"),
        }
    }

    fn ask(&self, terms: &OrderTerms) -> Result<Asked, TillRefusal> {
        self.inner.ask(terms)
    }

    fn take(&self, terms: &OrderTerms, payment: &Payment) -> Result<Purchase, NotTaken> {
        self.inner.take(terms, payment)
    }

    fn find(&self, payment: &PaymentId) -> Result<Option<Purchase>, TillRefusal> {
        let record = held(&self.inner.store).read(payment).map_err(|error| busy(&error))?;
        Ok(record.map(|record| self.inner.purchase(&record)))
    }

    fn end(&self) {
        self.inner.notify(|signal| signal.ends = true);
        let Some(worker) = held(&self.worker).take() else { return };
        // It may wait for a chain, for long: what it does survives the end of the process at any moment.
        for _ in 0..END_POLLS {
            if worker.is_finished() {
                let _ = worker.join();
                return;
            }
            std::thread::sleep(END_POLL);
        }
    }
}

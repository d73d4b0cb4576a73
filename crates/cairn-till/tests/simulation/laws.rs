//! Many payers, many faults, and what holds when all is quiet again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use cairn_api::{OrderTerms, PurchaseStatus};
use cairn_core::statement::Body;
use cairn_core::wallet::WalletKey;
use cairn_core::{Address, Amount};
use cairn_gateway::{Asked, NotTaken, Till};
use cairn_testkit::disk::{Faults as DiskFaults, FaultyDisk};
use cairn_till::{Keeper, Options, Price};
use cairn_x402::{Payment, PaymentId, Resource, TokenDomain, X402Error, pay};
use serde_json::Map;

use crate::world::{EvmAddress, Faults, World};

pub fn domain() -> TokenDomain {
    TokenDomain { name: "Token".into(), version: "1".into(), chain_id: 31_337, token: [0xaa; 20] }
}

pub fn terms(gas: u64) -> OrderTerms {
    let module = format!(r#"{{"hash":"{}","bytes":5}}"#, "ab".repeat(32));
    let text = format!(r#"{{"module":{module},"gas":{gas},"pages":1,"output_bytes":9,"price":"3","commit_ms":60000}}"#);
    serde_json::from_str(&text).unwrap()
}

pub fn till_key() -> WalletKey {
    WalletKey::from_bytes([9; 32]).unwrap()
}

pub fn address(key: &WalletKey) -> EvmAddress {
    let Address::Evm(address) = key.address() else { unreachable!() };
    address
}

pub const PRICE: Price = Price { margin_ppm: 50_000, flat: 2 };

/// A till over a world and a disk, whose work is done by hand.
pub fn open(world: &World, disk: &FaultyDisk) -> Option<Keeper> {
    let options = Options { price: PRICE, ..Options::default() };
    let now = world.clone();
    let clock = Box::new(move || now.state().now_s * 1_000);
    let disk = Arc::new(disk.clone());
    let keeper = Keeper::open(till_key(), domain(), disk, Box::new(world.clone()), options, clock).ok()?;
    keeper.begin_by_hand(Arc::new(world.clone()));
    Some(keeper)
}

/// A payer with one payment.
pub struct Payer {
    key: WalletKey,
    terms: OrderTerms,
    payment: Option<Payment>,
    /// Somebody else sent the payment.
    sent_by_others: bool,
    /// The last that was told, and the job if any ever was.
    told: Option<PurchaseStatus>,
    job: Option<String>,
}

impl Payer {
    fn address(&self) -> EvmAddress {
        address(&self.key)
    }

    fn hear(&mut self, purchase: &cairn_api::Purchase) {
        self.told = Some(purchase.status);
        let Some(job) = &purchase.job else {
            assert!(self.job.is_none(), "a job that was told is told again");
            return;
        };
        assert_eq!(self.job.get_or_insert_with(|| job.clone()), job, "one payment, one job");
    }
}

fn answer(asked: &Asked, key: &WalletKey, now_s: u64, nonce: u64) -> Payment {
    let resource = Resource { url: "/".into(), description: None, mime_type: None };
    let mut word = [0; 32];
    word[24..].copy_from_slice(&nonce.to_be_bytes());
    pay(&asked.demand.required(resource, "pay", Map::new()), key, now_s, word).unwrap()
}

pub struct Run {
    pub world: World,
    pub disk: FaultyDisk,
    pub payers: Vec<Payer>,
    keeper: Option<Keeper>,
}

impl Run {
    pub fn of(seed: u64, faults: Faults, payers: u8) -> Self {
        let world = World::of(seed, faults, domain());
        let disk = FaultyDisk::new(seed ^ 1, DiskFaults::default());
        let payers: Vec<Payer> = (1..=payers)
            .map(|n| Payer {
                key: WalletKey::from_bytes([n; 32]).unwrap(),
                terms: terms(100 * u64::from(n)),
                payment: None,
                sent_by_others: false,
                told: None,
                job: None,
            })
            .collect();
        let mut run = Self { world, disk, payers, keeper: None };
        for payer in &run.payers {
            run.world.state().balances.insert(payer.address(), 100_000);
        }
        run.begin_again();
        run
    }

    /// Ends the process, with or without the power, and begins again.
    pub fn begin_again(&mut self) {
        self.keeper = None;
        self.world.state().fuse = None;
        if self.world.state().happens(500) {
            self.disk.cut_power(DiskFaults::default());
        } else {
            self.disk.kill(DiskFaults::default());
        }
        self.keeper = Some(open(&self.world, &self.disk).expect("a till opens after any crash"));
    }

    /// The payer presents its payment; the first time it makes one.
    pub fn present(&mut self, place: usize) {
        let (Some(keeper), payer) = (&self.keeper, &mut self.payers[place]) else { return };
        let (now_s, nonce) = {
            let mut state = self.world.state();
            (state.now_s, state.random() % 3)
        };
        if payer.payment.is_none() {
            let Ok(asked) = keeper.ask(&payer.terms) else { return };
            payer.payment = Some(answer(&asked, &payer.key, now_s, nonce));
        }
        let payment = payer.payment.clone().unwrap();
        payer.told = None;
        match keeper.take(&payer.terms, &payment) {
            Ok(purchase) => payer.hear(&purchase),
            // Nothing is remembered, or what is remembered lapsed.
            Err(NotTaken::Payment(..)) => {
                assert!(payer.job.is_none());
                payer.told = Some(PurchaseStatus::Unpaid);
            }
            Err(NotTaken::Refused(_)) => {}
        }
        if self.world.state().happens(100) {
            let other = keeper.take(&terms(7), &payment);
            assert!(other.is_err() || payer.told.is_none(), "a payment buys what it was presented for first");
        }
    }

    pub fn round(&self) {
        if let Some(keeper) = &self.keeper {
            keeper.round();
        }
    }

    fn act(&mut self) {
        let (what, place) = {
            let mut state = self.world.state();
            (state.random() % 100, state.random() as usize % self.payers.len())
        };
        match what {
            0..35 => self.present(place),
            35..65 => self.round(),
            65..80 => self.world.state().mine(),
            80..84 => {
                // Anybody sends what the payer signed.
                let payer = &mut self.payers[place];
                if let Some(payment) = &payer.payment
                    && self.world.state().execute(&payment.signed).is_ok()
                {
                    payer.sent_by_others = true;
                }
            }
            84..86 => {
                let payer = &self.payers[place];
                if let Some(payment) = &payer.payment {
                    self.world.state().cancel(payer.address(), payment.signed.authorization.nonce);
                }
            }
            86..88 => {
                let payer = self.payers[place].address();
                let funds = self.world.state().balances.insert(payer, 0).unwrap();
                *self.world.state().balances.entry([0xbb; 20]).or_default() += funds;
            }
            88..91 => {
                let mut state = self.world.state();
                state.has_workers = !state.has_workers;
            }
            91..93 => {
                let mut state = self.world.state();
                state.rebate_ppm = u128::from(state.random() % 300_000);
            }
            93..96 => {
                let steps = self.world.state().random() % 12;
                let at = self.disk.operations() + self.world.state().random() % 12;
                if self.world.state().happens(500) {
                    self.world.state().fuse = Some(steps);
                } else {
                    self.disk.crash_at(at);
                }
                self.present(place);
                self.round();
                self.begin_again();
            }
            _ => self.begin_again(),
        }
    }

    /// No more faults, and time enough for everything to end.
    pub fn rest(&mut self) {
        self.world.state().faults = Faults::default();
        self.begin_again();
        for _ in 0..400 {
            self.round();
            self.world.state().mine();
        }
        let keeper = self.keeper.as_ref().unwrap();
        assert_eq!(keeper.round(), 0, "everything ends");
    }

    /// What holds at rest.
    pub fn check(&mut self) {
        let keeper = self.keeper.as_ref().unwrap();
        let state = self.world.state();
        let mut jobs = BTreeMap::new();
        for statement in &state.logged {
            let Body::Order(order) = &statement.body else { panic!("a till only orders") };
            let refund = order.refund.clone().expect("what is not used goes to the payer");
            *jobs.entry(refund.to_string()).or_insert(0) += 1;
            assert_eq!(order.buyer, keeper.account());
        }
        drop(state);
        let mut ordered = BTreeSet::new();
        for payer in &mut self.payers {
            let Some(payment) = &payer.payment else { continue };
            let id = PaymentId::of(&domain(), &payment.signed);
            let found = keeper.find(&id).unwrap();
            let state = self.world.state();
            let nonce = (payer.address(), payment.signed.authorization.nonce);
            let paid = state.nonces.get(&nonce).and_then(|gone| gone.moved).map_or(0, |(_, value)| value);
            let back = state.nonces.get(&(address(&till_key()), id.0.0)).and_then(|gone| gone.moved);
            let back = back.map_or(0, |(to, value)| {
                assert_eq!(to, payer.address(), "what goes back goes to who paid");
                value
            });
            let account = format!("eip155:31337:{}", cairn_settle::told::address_text(&payer.address()));
            let orders = jobs.get(&account).copied().unwrap_or(0);
            drop(state);
            let Some(purchase) = found else {
                assert!(orders == 0 && back == 0 && payer.job.is_none(), "what is not remembered never was");
                assert!(paid == 0 || payer.sent_by_others, "the till moves nothing that it does not remember");
                continue;
            };
            match purchase.status {
                PurchaseStatus::Ordered => {
                    let locked: u128 = purchase.locked.as_ref().unwrap().parse().unwrap();
                    let price = PRICE.of(Amount(locked)).unwrap();
                    assert_eq!((orders, paid - back), (1, price), "the payer paid for one job, and its change is back");
                    assert!(ordered.insert(purchase.job.clone().unwrap()));
                }
                PurchaseStatus::Returned => assert_eq!((orders, paid), (0, back), "no job, and all of it is back"),
                PurchaseStatus::Unpaid => {
                    assert_eq!((orders, paid, back), (0, 0, 0), "nothing was moved");
                    assert_eq!(payer.job, None);
                }
                other => panic!("{other:?} is no end"),
            }
            assert!(payer.job.is_none() || payer.job == purchase.job, "what was told holds");
            let was_unpaid = payer.told == Some(PurchaseStatus::Unpaid);
            let is_unpaid = purchase.status == PurchaseStatus::Unpaid;
            assert!(!was_unpaid || is_unpaid || payer.sent_by_others, "who heard that nothing was moved is right");
            payer.hear(&purchase);
        }
    }
}

fn everything_ends_well(seed: u64) {
    let faults = Faults { lose: seed % 150, wait: seed % 400, refuse: seed % 200, forget: seed % 100 };
    let mut run = Run::of(seed, faults, 4);
    for _ in 0..80 {
        run.act();
    }
    run.rest();
    run.check();
}

fn runs() -> u64 {
    std::env::var("PROPTEST_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(256)
}

#[test]
fn each_payment_buys_one_job_or_comes_back_whatever_fails_and_whenever_the_till_crashes() {
    for seed in 0..runs() {
        let run = std::panic::catch_unwind(|| everything_ends_well(seed));
        assert!(run.is_ok(), "seed {seed}");
    }
}

#[test]
fn a_crash_between_any_two_steps_of_a_purchase_changes_nothing() {
    for has_workers in [true, false] {
        for (lose, fuses) in [(false, 60u64), (true, 60)] {
            for at in 0..fuses {
                let mut run = Run::of(at, Faults::default(), 1);
                // The change of a price that fell is paid back, too.
                run.present(0);
                run.world.state().rebate_ppm = 100_000;
                run.world.state().has_workers = has_workers;
                if lose {
                    run.disk.crash_at(run.disk.operations() + at);
                } else {
                    run.world.state().fuse = Some(at);
                }
                run.round();
                run.begin_again();
                run.present(0);
                run.rest();
                run.check();
                let told = run.payers[0].told;
                let expected = if has_workers { PurchaseStatus::Ordered } else { PurchaseStatus::Returned };
                assert_eq!(told, Some(expected), "step {at}");
            }
        }
    }
}

#[test]
fn a_payment_that_nobody_took_is_not_remembered() {
    let mut run = Run::of(1, Faults::default(), 1);
    let payer = run.payers[0].address();
    let keeper = run.keeper.as_ref().unwrap();
    let asked = keeper.ask(&terms(100)).unwrap();
    let payment = answer(&asked, &run.payers[0].key, run.world.state().now_s, 1);
    run.world.state().balances.insert(payer, 0);
    let refused = keeper.take(&terms(100), &payment).unwrap_err();
    assert!(matches!(refused, NotTaken::Payment(X402Error::Funds, _)), "{refused:?}");
    assert!(run.disk.files().is_empty(), "strangers make no file");
    run.rest();
}

//! A till over the network's real token on an embedded chain: what payers sign there, and what they may do behind its back.

#![allow(clippy::unwrap_used, clippy::cast_possible_truncation)]

#[path = "simulation/world.rs"]
#[allow(dead_code)]
mod world;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use cairn_api::{OrderTerms, Purchase, PurchaseStatus};
use cairn_chain::deployment::Plan;
use cairn_chain::terms::{AuditorTerms, PayoutTerms, SettlementTerms, TokenTerms};
use cairn_chain::{At, Call, Chain, ChainError, Contracts, Embedded, Terms, Transaction, embedded, outbox};
use cairn_core::wallet::WalletKey;
use cairn_core::{Address, Hash, NetworkId};
use cairn_gateway::{NotTaken, Till};
use cairn_log::StdDisk;
use cairn_merkle::{ClaimLeaf, ClaimTree};
use cairn_settle::abi::{Arguments, address_word, uint_word};
use cairn_settle::{EpochMessage, EvmAddress, ManyClaims, SettlementRow, SettlementsTree, calls, message};
use cairn_till::{EvmPurse, Keeper, Options, Price, Wallet, token_domain};
use cairn_x402::{Authorization, Payment, PaymentId, Resource, Signed, TokenDomain, Version, pay, word_of};
use serde_json::Map;

use self::world::{Faults, World};

const START_S: u64 = 1_700_000_000;
const LENGTH_S: u64 = 3_600;
const WINDOW_S: u64 = 600;
const COIN: u128 = 1_000_000_000_000_000_000;
const PRICE: Price = Price { margin_ppm: 50_000, flat: 2 };

fn key(byte: u8) -> WalletKey {
    WalletKey::from_bytes([byte; 32]).unwrap()
}

fn address(key: &WalletKey) -> EvmAddress {
    let Address::Evm(address) = key.address() else { unreachable!() };
    address
}

fn network() -> NetworkId {
    NetworkId(Hash::of(b"a network in a rehearsal"))
}

fn auditors() -> Vec<WalletKey> {
    let mut keys: Vec<WalletKey> = (21..24).map(key).collect();
    keys.sort_by_key(address);
    keys
}

fn terms() -> Terms {
    let members = auditors().iter().map(address).collect();
    Terms {
        network: network(),
        rehearsal: true,
        auditors: AuditorTerms { members, threshold: 3, bond_min: 0, change_delay_s: 0, unbond_delay_s: 0 },
        settlement: SettlementTerms {
            first_epoch: 0,
            first_previous: Hash::ZERO,
            zero_ms: 1_000 * START_S,
            length_ms: 1_000 * LENGTH_S,
            window_s: WINDOW_S,
            halt_bond: COIN,
        },
        token: TokenTerms {
            name: "Rehearsed Token".to_owned(),
            symbol: "RHS".to_owned(),
            cap: 1_000_000 * COIN,
            table: vec![(0, 10_000 * COIN)],
        },
        payout: PayoutTerms { push_min: 1, relay_fee: 0, breaker_limit: 1_000_000 * COIN, breaker_window_s: 60 },
        treasury: [0x7e; 20],
        guardian: [0; 20],
        timelock_delay_s: 86_400,
        proposers: vec![[0x99; 20]],
        shares: vec![([0x7e; 20], 1_000_000)],
    }
}

struct Shop {
    chain: Arc<Embedded>,
    now_s: Arc<AtomicU64>,
    domain: TokenDomain,
    orders: World,
    keeper: Option<Keeper>,
    payer: WalletKey,
    folder: tempfile::TempDir,
}

impl Shop {
    fn open() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let now_s = Arc::new(AtomicU64::new(START_S));
        let clock = now_s.clone();
        let options = embedded::Options::new(Arc::new(move || clock.load(Ordering::Relaxed)));
        let chain = Arc::new(Embedded::open(folder.path().join("chain"), options).unwrap());
        let payer = key(31);
        for wallet in [key(1), key(5), payer.clone(), key(9)] {
            chain.fund(address(&wallet), COIN).unwrap();
        }
        let payout = deploy(&chain);
        let contracts = Contracts::of(chain.as_ref(), payout, &network()).unwrap();
        now_s.fetch_add(LENGTH_S, Ordering::Relaxed);
        grant(&chain, &contracts, address(&payer), 1_000_000, &now_s);
        let domain = token_domain(chain.as_ref(), contracts.token).unwrap();
        assert_eq!((domain.name.as_str(), domain.version.as_str()), ("Rehearsed Token", "1"));
        let orders = World::of(1, Faults::default(), domain.clone());
        let mut shop = Self { chain, now_s, domain, orders, keeper: None, payer, folder };
        shop.begin_again();
        shop
    }

    fn begin_again(&mut self) {
        self.keeper = None;
        let folder: &Path = self.folder.path();
        let options =
            outbox::Options { confirmations: 0, poll: Duration::from_millis(1), ..outbox::Options::default() };
        let wallet = Wallet { key: key(9), outbox: folder.join("sent"), options };
        let purse = EvmPurse::of(self.chain.clone(), &self.domain, wallet);
        let disk = Arc::new(StdDisk::create(folder.join("till")).unwrap());
        let now_s = self.now_s.clone();
        let clock = Box::new(move || now_s.load(Ordering::Relaxed) * 1_000);
        let options = Options { price: PRICE, ..Options::default() };
        let keeper = Keeper::open(key(9), self.domain.clone(), disk, Box::new(purse), options, clock).unwrap();
        keeper.begin_by_hand(Arc::new(self.orders.clone()));
        self.keeper = Some(keeper);
    }

    fn keeper(&self) -> &Keeper {
        self.keeper.as_ref().unwrap()
    }

    fn now_s(&self) -> u64 {
        self.now_s.load(Ordering::Relaxed)
    }

    fn balance(&self, account: EvmAddress) -> u128 {
        let ask = Arguments::new().address(account).call("balanceOf(address)");
        let word = self.chain.call([0; 20], &Call::to(self.domain.token, ask), At::Latest).unwrap();
        u128::from_be_bytes(word[16..].try_into().unwrap())
    }

    fn payment(&self, gas: u64, nonce: u8) -> Payment {
        let asked = self.keeper().ask(&order(gas)).unwrap();
        let resource = Resource { url: "/".into(), description: None, mime_type: None };
        pay(&asked.demand.required(resource, "pay", Map::new()), &self.payer, self.now_s(), [nonce; 32]).unwrap()
    }

    /// Anybody sends an authorization.
    fn sent(&self, signed: &Signed) -> Result<(), ChainError> {
        let one = &signed.authorization;
        let words = [one.value, one.valid_after, one.valid_before, one.nonce];
        let data = calls::transfer_with_authorization(one.from, one.to, words, &signed.signature);
        send(&self.chain, &key(5), Call::to(self.domain.token, data))
    }

    fn purchase(&self, payment: &Payment) -> Purchase {
        self.keeper().find(&PaymentId::of(&self.domain, &payment.signed)).unwrap().unwrap()
    }

    fn jobs(&self) -> usize {
        self.orders.state().logged.len()
    }
}

fn order(gas: u64) -> OrderTerms {
    let module = format!(r#"{{"hash":"{}","bytes":5}}"#, "ab".repeat(32));
    let text = format!(r#"{{"module":{module},"gas":{gas},"pages":1,"output_bytes":9,"price":"3","commit_ms":60000}}"#);
    serde_json::from_str(&text).unwrap()
}

fn send(chain: &Embedded, key: &WalletKey, call: Call) -> Result<(), ChainError> {
    let account = address(key);
    let gas_limit = chain.estimate(account, &call)?;
    let (nonce, fees) = (chain.nonce(account)?, chain.fees()?);
    let transaction = Transaction { chain_id: chain.id(), nonce, fees, gas_limit, call };
    let hash = chain.send(transaction.sign(key).raw())?;
    assert!(chain.receipt(&hash)?.unwrap().succeeded);
    Ok(())
}

fn deploy(chain: &Embedded) -> EvmAddress {
    let plan = Plan::of(&terms(), address(&key(1)), 0);
    while let Some(step) = plan.next(chain).unwrap() {
        send(chain, &key(1), step.call).unwrap();
    }
    plan.addresses().payout
}

/// Epoch 0 pays an account.
fn grant(chain: &Embedded, contracts: &Contracts, account: EvmAddress, units: u128, now_s: &AtomicU64) {
    let (domain, distributor) = (uint_word(chain.id()), address_word(contracts.payout));
    let leaves = [ClaimLeaf { domain, distributor, account: address_word(account), cumulative: units }];
    let tree = ClaimTree::new(&leaves).unwrap();
    let row = SettlementRow { domain, distributor, claim_root: tree.root(), leaves: 1, cumulative: units };
    let epoch = EpochMessage {
        epoch: 0,
        revision: 0,
        statement_hash: Hash::of(b"statement"),
        previous: Hash::ZERO,
        log_size: 10,
        log_root: Hash::of(b"log"),
        state_root: Hash::of(b"state"),
        settlements_root: SettlementsTree::new(&[row]).unwrap().root(),
    };
    let digest = epoch.digest(&network());
    let signatures: Vec<u8> = auditors().iter().flat_map(|key| message::sign(key, &digest)).collect();
    send(chain, &key(5), Call::to(contracts.settlement, calls::post(&epoch, &signatures))).unwrap();
    now_s.fetch_add(WINDOW_S, Ordering::Relaxed);
    send(chain, &key(5), Call::to(contracts.payout, calls::open(&row, &[]))).unwrap();
    let push = calls::pay_many(0, &ManyClaims::of(&tree, &leaves, &[0]).unwrap());
    send(chain, &key(5), Call::to(contracts.payout, push)).unwrap();
}

#[test]
fn a_payment_moves_the_networks_token_once_and_its_change_comes_back() {
    let mut shop = Shop::open();
    let payment = shop.payment(100, 1);
    // Of the first version of the protocol.
    let earlier = Payment { version: Version::First, accepted: None, ..payment.clone() };
    assert_eq!(shop.keeper().take(&order(100), &earlier).unwrap().status, PurchaseStatus::Settling);
    shop.orders.state().rebate_ppm = 100_000;
    assert_eq!(shop.keeper().round(), 0);
    let bought = shop.purchase(&payment);
    assert_eq!((bought.status, bought.locked.as_deref()), (PurchaseStatus::Ordered, Some("270")));
    assert_eq!(bought.back.as_ref().unwrap().amount, (317 - PRICE.of(cairn_core::Amount(270)).unwrap()).to_string());
    assert_eq!(shop.balance(address(&shop.payer)), 1_000_000 - PRICE.of(cairn_core::Amount(270)).unwrap());
    shop.begin_again();
    assert_eq!(shop.keeper().take(&order(100), &payment).unwrap(), bought);
    assert_eq!((shop.keeper().round(), shop.jobs()), (0, 1));
}

#[test]
fn whoever_sends_the_payment_first_it_buys_one_job() {
    let shop = Shop::open();
    let payment = shop.payment(100, 1);
    shop.keeper().take(&order(100), &payment).unwrap();
    shop.sent(&payment.signed).unwrap();
    assert_eq!(shop.keeper().round(), 0);
    assert_eq!((shop.purchase(&payment).status, shop.jobs()), (PurchaseStatus::Ordered, 1));
    // Sent before it was presented, it is not remembered, and buys nothing.
    let early = shop.payment(100, 2);
    shop.sent(&early.signed).unwrap();
    let NotTaken::Payment(refused, _) = shop.keeper().take(&order(100), &early).unwrap_err() else { panic!() };
    assert_eq!(refused.code(), "X402-NONCE");
}

#[test]
fn a_nonce_that_moved_money_elsewhere_or_was_cancelled_pays_for_nothing() {
    let shop = Shop::open();
    // The payer signs two authorizations with one nonce, of the same amount, and sends the one to somebody else.
    let payment = shop.payment(100, 1);
    shop.keeper().take(&order(100), &payment).unwrap();
    let elsewhere = Authorization { to: address(&key(77)), ..payment.signed.authorization };
    shop.sent(&elsewhere.sign(&shop.domain, &shop.payer)).unwrap();
    // The same again, of less, to the till.
    let other = shop.payment(100, 2);
    shop.keeper().take(&order(100), &other).unwrap();
    let less = Authorization { value: word_of(1u8), ..other.signed.authorization };
    shop.sent(&less.sign(&shop.domain, &shop.payer)).unwrap();
    assert_eq!(shop.keeper().round(), 0);
    for payment in [&payment, &other] {
        let purchase = shop.purchase(payment);
        assert_eq!((purchase.status, purchase.code.as_deref()), (PurchaseStatus::Unpaid, Some("X402-NONCE")));
    }
    assert_eq!(shop.jobs(), 0);
}

#[test]
fn what_is_refused_is_paid_back_and_the_payer_can_send_it_himself() {
    let mut shop = Shop::open();
    let payment = shop.payment(100, 1);
    shop.keeper().take(&order(100), &payment).unwrap();
    shop.orders.state().has_workers = false;
    assert_eq!(shop.keeper().round(), 0);
    let returned = shop.purchase(&payment);
    assert_eq!((returned.status, returned.code.as_deref()), (PurchaseStatus::Returned, Some("CMP-NO-WORKER")));
    assert_eq!(shop.balance(address(&shop.payer)), 1_000_000);

    // What was told of it is enough for anybody to send it, once.
    let back = returned.back.unwrap();
    let signature: [u8; 65] = cairn_settle::told::parse_signature(&back.signature).unwrap();
    let authorization = Authorization {
        from: address(&key(9)),
        to: address(&shop.payer),
        value: word_of(back.amount.parse::<u128>().unwrap()),
        valid_after: [0; 32],
        valid_before: [0xff; 32],
        nonce: PaymentId::of(&shop.domain, &payment.signed).0.0,
    };
    let again = shop.sent(&Signed { authorization, signature }).unwrap_err();
    assert_eq!(again, ChainError::Reverted { reason: "AuthorizationUsedUp".to_owned() });
    shop.begin_again();
    assert_eq!((shop.keeper().round(), shop.jobs()), (0, 0));
}

#[test]
fn a_payer_without_the_money_or_with_it_gone_is_told_so_and_nothing_is_moved() {
    let shop = Shop::open();
    let payment = shop.payment(100_000_000, 1);
    let NotTaken::Payment(refused, _) = shop.keeper().take(&order(100_000_000), &payment).unwrap_err() else {
        panic!()
    };
    assert_eq!((refused.code(), refused.reason()), ("X402-FUNDS", "insufficient_funds"));
    let payment = shop.payment(100, 2);
    shop.keeper().take(&order(100), &payment).unwrap();
    let all = calls::transfer([0xbb; 20], shop.balance(address(&shop.payer)));
    send(&shop.chain, &shop.payer, Call::to(shop.domain.token, all)).unwrap();
    assert_eq!(shop.keeper().round(), 1, "it is watched until it expires");
    let purchase = shop.purchase(&payment);
    assert_eq!((purchase.status, purchase.code.as_deref()), (PurchaseStatus::Unpaid, Some("X402-FUNDS")));
    // Once a block is later than it is valid, it is over.
    shop.now_s.fetch_add(301, Ordering::Relaxed);
    shop.chain.fund([1; 20], 1).unwrap();
    assert_eq!(shop.keeper().round(), 0);
    assert_eq!(shop.purchase(&payment).code.as_deref(), Some("X402-EXPIRED"));
}

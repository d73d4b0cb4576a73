//! An embedded chain with a network's contracts, a payer who was paid by them, and a till.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use cairn_api::{OrderTerms, Purchase};
use cairn_chain::deployment::Plan;
use cairn_chain::terms::{AuditorTerms, PayoutTerms, SettlementTerms, TokenTerms};
use cairn_chain::{At, Call, Chain, ChainError, Contracts, Embedded, Terms, Transaction, embedded, outbox};
use cairn_core::wallet::WalletKey;
use cairn_core::{Address, Hash, NetworkId};
use cairn_gateway::Till;
use cairn_log::StdDisk;
use cairn_merkle::{ClaimLeaf, ClaimTree};
use cairn_settle::abi::{Arguments, address_word, uint_word};
use cairn_settle::{EpochMessage, EvmAddress, ManyClaims, SettlementRow, SettlementsTree, calls, message};
use cairn_till::{EvmPurse, Keeper, Options, Price, Wallet, token_domain};
use cairn_x402::{Payment, PaymentId, Resource, Signed, TokenDomain, pay};
use serde_json::Map;

use crate::world::{Faults, World};

pub const START_S: u64 = 1_700_000_000;
pub const LENGTH_S: u64 = 3_600;
pub const WINDOW_S: u64 = 600;
pub const COIN: u128 = 1_000_000_000_000_000_000;
pub const PRICE: Price = Price { margin_ppm: 50_000, flat: 2 };

pub fn key(byte: u8) -> WalletKey {
    WalletKey::from_bytes([byte; 32]).unwrap()
}

pub fn address(key: &WalletKey) -> EvmAddress {
    let Address::Evm(address) = key.address() else { unreachable!() };
    address
}

pub fn network() -> NetworkId {
    NetworkId(Hash::of(b"a network in a rehearsal"))
}

pub fn auditors() -> Vec<WalletKey> {
    let mut keys: Vec<WalletKey> = (21..24).map(key).collect();
    keys.sort_by_key(address);
    keys
}

pub fn terms() -> Terms {
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

pub struct Shop {
    pub chain: Arc<Embedded>,
    pub now_s: Arc<AtomicU64>,
    pub domain: TokenDomain,
    pub orders: World,
    pub keeper: Option<Keeper>,
    pub payer: WalletKey,
    pub folder: tempfile::TempDir,
}

impl Shop {
    pub fn open() -> Self {
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

    pub fn begin_again(&mut self) {
        self.keeper = None;
        let keeper = self.opened();
        keeper.begin_by_hand(Arc::new(self.orders.clone()));
        self.keeper = Some(keeper);
    }

    /// The till, which nobody has begun.
    pub fn opened(&self) -> Keeper {
        let folder: &Path = self.folder.path();
        let options =
            outbox::Options { confirmations: 0, poll: Duration::from_millis(1), ..outbox::Options::default() };
        let wallet = Wallet { key: key(9), outbox: folder.join("sent"), options };
        let purse = EvmPurse::of(self.chain.clone(), &self.domain, wallet);
        let disk = Arc::new(StdDisk::create(folder.join("till")).unwrap());
        let now_s = self.now_s.clone();
        let clock = Box::new(move || now_s.load(Ordering::Relaxed) * 1_000);
        let options = Options { price: PRICE, ..Options::default() };
        Keeper::open(key(9), self.domain.clone(), disk, Box::new(purse), options, clock).unwrap()
    }

    pub fn keeper(&self) -> &Keeper {
        self.keeper.as_ref().unwrap()
    }

    pub fn now_s(&self) -> u64 {
        self.now_s.load(Ordering::Relaxed)
    }

    pub fn balance(&self, account: EvmAddress) -> u128 {
        let ask = Arguments::new().address(account).call("balanceOf(address)");
        let word = self.chain.call([0; 20], &Call::to(self.domain.token, ask), At::Latest).unwrap();
        u128::from_be_bytes(word[16..].try_into().unwrap())
    }

    pub fn payment(&self, gas: u64, nonce: u8) -> Payment {
        let asked = self.keeper().ask(&order(gas)).unwrap();
        let resource = Resource { url: "/".into(), description: None, mime_type: None };
        pay(&asked.demand.required(resource, "pay", Map::new()), &self.payer, self.now_s(), [nonce; 32]).unwrap()
    }

    /// Anybody sends an authorization.
    pub fn sent(&self, signed: &Signed) -> Result<(), ChainError> {
        let one = &signed.authorization;
        let words = [one.value, one.valid_after, one.valid_before, one.nonce];
        let data = calls::transfer_with_authorization(one.from, one.to, words, &signed.signature);
        send(&self.chain, &key(5), Call::to(self.domain.token, data))
    }

    pub fn purchase(&self, payment: &Payment) -> Purchase {
        self.keeper().find(&PaymentId::of(&self.domain, &payment.signed)).unwrap().unwrap()
    }

    pub fn jobs(&self) -> usize {
        self.orders.state().logged.len()
    }
}

pub fn order(gas: u64) -> OrderTerms {
    let module = format!(r#"{{"hash":"{}","bytes":5}}"#, "ab".repeat(32));
    let text = format!(r#"{{"module":{module},"gas":{gas},"pages":1,"output_bytes":9,"price":"3","commit_ms":60000}}"#);
    serde_json::from_str(&text).unwrap()
}

pub fn send(chain: &Embedded, key: &WalletKey, call: Call) -> Result<(), ChainError> {
    let account = address(key);
    let gas_limit = chain.estimate(account, &call)?;
    let (nonce, fees) = (chain.nonce(account)?, chain.fees()?);
    let transaction = Transaction { chain_id: chain.id(), nonce, fees, gas_limit, call };
    let hash = chain.send(transaction.sign(key).raw())?;
    assert!(chain.receipt(&hash)?.unwrap().succeeded);
    Ok(())
}

pub fn deploy(chain: &Embedded) -> EvmAddress {
    let plan = Plan::of(&terms(), address(&key(1)), 0);
    while let Some(step) = plan.next(chain).unwrap() {
        send(chain, &key(1), step.call).unwrap();
    }
    plan.addresses().payout
}

/// Epoch 0 pays an account.
pub fn grant(chain: &Embedded, contracts: &Contracts, account: EvmAddress, units: u128, now_s: &AtomicU64) {
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

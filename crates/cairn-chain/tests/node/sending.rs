//! Signed transactions over a real node: on every fork, priced both ways, replaced, taken back, and begun again after a crash.

use std::cell::Cell;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use cairn_chain::outbox::{Clock, Folder, Options, Outbox};
use cairn_chain::{At, Block, Call, Chain, ChainError, Fees, LogFilter, Logged, Receipt, Rpc, SignedTransaction};
use cairn_core::wallet::WalletKey;
use cairn_settle::{Contract, EvmAddress, Word, calls};
use serde_json::json;

use crate::anvil::Anvil;
use crate::chain::FORKS;
use crate::world::{ONE, PER_EPOCH, WINDOW_S, World, address_of, network, person};

/// The node's chain, to which the way is lost after so many questions, and whose gas may have one price.
struct Through<'a> {
    rpc: &'a Rpc,
    left: AtomicU64,
    legacy: bool,
}

impl<'a> Through<'a> {
    fn of(rpc: &'a Rpc, legacy: bool) -> Self {
        Self { rpc, left: AtomicU64::new(u64::MAX), legacy }
    }

    fn ask<T>(&self, question: impl FnOnce(&Rpc) -> Result<T, ChainError>) -> Result<T, ChainError> {
        let lost = || ChainError::Unreachable { chain: self.rpc.name(), what: "the way is lost".to_owned() };
        let left = self.left.load(Ordering::SeqCst);
        if left == 0 {
            return Err(lost());
        }
        self.left.store(left - 1, Ordering::SeqCst);
        let answer = question(self.rpc)?;
        // The last answer is lost on the way back: what was asked for has been done.
        if left == 1 { Err(lost()) } else { Ok(answer) }
    }
}

impl Chain for Through<'_> {
    fn id(&self) -> u64 {
        self.rpc.id()
    }
    fn name(&self) -> String {
        self.rpc.name()
    }
    fn rehearsed(&self) -> bool {
        self.rpc.rehearsed()
    }
    fn head(&self) -> Result<Block, ChainError> {
        self.ask(Rpc::head)
    }
    fn block(&self, number: u64) -> Result<Option<Block>, ChainError> {
        self.ask(|rpc| rpc.block(number))
    }
    fn nonce(&self, account: EvmAddress) -> Result<u64, ChainError> {
        self.ask(|rpc| rpc.nonce(account))
    }
    fn balance(&self, account: EvmAddress) -> Result<u128, ChainError> {
        self.ask(|rpc| rpc.balance(account))
    }
    fn has_code(&self, account: EvmAddress) -> Result<bool, ChainError> {
        self.ask(|rpc| rpc.has_code(account))
    }
    fn call(&self, from: EvmAddress, call: &Call, at: At) -> Result<Vec<u8>, ChainError> {
        self.ask(|rpc| rpc.call(from, call, at))
    }
    fn estimate(&self, from: EvmAddress, call: &Call) -> Result<u64, ChainError> {
        self.ask(|rpc| rpc.estimate(from, call))
    }
    fn fees(&self) -> Result<Fees, ChainError> {
        let fees = self.ask(Rpc::fees)?;
        match fees {
            Fees::Dynamic { max, .. } if self.legacy => Ok(Fees::Legacy { price: max }),
            _ => Ok(fees),
        }
    }
    fn send(&self, raw: &[u8]) -> Result<Word, ChainError> {
        self.ask(|rpc| rpc.send(raw))
    }
    fn receipt(&self, transaction: &Word) -> Result<Option<Receipt>, ChainError> {
        self.ask(|rpc| rpc.receipt(transaction))
    }
    fn logs(&self, filter: &LogFilter) -> Result<Vec<Logged>, ChainError> {
        self.ask(|rpc| rpc.logs(filter))
    }
}

/// Time that passes a second with every look, on which something happens to the node.
struct Looks<'a, F: Fn(u64) + Send> {
    happens: &'a F,
    looks: Cell<u64>,
}

impl<F: Fn(u64) + Send + Sync> Clock for Looks<'_, F> {
    fn now_ms(&self) -> u64 {
        1_000 * self.looks.get()
    }
    fn sleep(&self, _: Duration) {
        self.looks.set(self.looks.get() + 1);
        (self.happens)(self.looks.get());
    }
}

fn options(confirmations: u64) -> Options {
    Options {
        confirmations,
        poll: Duration::from_millis(1),
        patience: Duration::from_secs(5),
        give_up: Duration::from_secs(60),
        ..Options::default()
    }
}

fn wallet() -> WalletKey {
    WalletKey::from_bytes([0x51; 32]).unwrap()
}

/// A node on which gas has a price, with coin for the wallet.
fn node(fork: &str) -> Anvil {
    let node = Anvil::start(fork, 31_337, &[]);
    let account = data_encoding::HEXLOWER.encode(&address_of(&wallet()));
    node.ask("anvil_setBalance", json!([format!("0x{account}"), format!("{:#x}", 1_000 * ONE)]));
    node
}

/// A payment of so much coin to nobody in particular.
fn payment(wei: u128) -> Call {
    Call { to: Some([0x77; 20]), value: wei, data: Vec::new() }
}

fn in_folder<'a, F: Fn(u64) + Send + Sync>(
    folder: &Path,
    chain: &'a dyn Chain,
    confirmations: u64,
    happens: &'a F,
) -> Outbox<'a> {
    let clock = Looks { happens, looks: Cell::new(0) };
    let store = Box::new(let_go(folder));
    Outbox::with(store, chain, wallet(), options(confirmations), Box::new(clock)).unwrap()
}

/// The folder, once its lock is let go: a node that another test starts at this moment holds, until it runs its own program,
/// whatever this process had open.
fn let_go(folder: &Path) -> Folder {
    for _ in 0..500 {
        if let Ok(store) = Folder::open(folder) {
            return store;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    Folder::open(folder).unwrap()
}

#[test]
fn an_epoch_is_posted_opened_and_paid_by_signed_transactions_on_every_fork() {
    for (name, fork) in FORKS {
        let mut world = World::on(fork, 31_337);
        world.chain.give(address_of(&wallet()), 1_000 * ONE);
        let (rpc, folder) = (world.chain.node.rpc(), tempfile::tempdir().unwrap());
        let sent = Cell::new(0);
        // Every transaction by an outbox of its own, priced in turns by EIP-1559 and as before it.
        let execute = |purpose: &str, to: Option<EvmAddress>, data: Vec<u8>| {
            sent.set(sent.get() + 1);
            let chain = Through::of(&rpc, sent.get() % 2 == 0);
            let outbox = Outbox::open(folder.path(), &chain, wallet(), options(0)).unwrap();
            outbox.execute(purpose, &Call { to, value: 0, data })
        };
        let refused = |done: Result<Receipt, ChainError>, reason: &str| match done {
            Err(ChainError::Reverted { reason: told }) => assert_eq!(told, reason, "{name}"),
            other => panic!("{name}: {reason} and not {other:?}"),
        };
        let terms = cairn_settle::abi::Arguments::new().address(world.settlement).encode();
        let creation = [Contract::LogAnchor.artifact().bytecode, terms].concat();
        let created = execute("deploy LogAnchor", None, creation).unwrap().created.expect("a contract");
        assert!(rpc.has_code(created).unwrap());

        let claims = [(person(1), 5 * ONE), (person(2), 7 * ONE), (person(3), 9 * ONE)];
        let epoch = world.epoch(0, &claims);
        let digest = epoch.message.digest(&network());
        let below = calls::post(&epoch.message, &world.signed(&digest, &[0, 1, 2, 3]));
        refused(execute("post below a quorum", Some(world.settlement), below), "NoQuorum");
        let posting = calls::post(&epoch.message, &world.quorum(&epoch.message));
        let receipt = execute("post epoch 0", Some(world.settlement), posting.clone()).unwrap();
        assert_eq!(receipt, execute("post epoch 0", Some(world.settlement), posting).unwrap(), "{name}: once");
        assert_eq!(receipt.logs.first().map(|event| event.address), Some(world.settlement), "{name}");
        refused(execute("open too early", Some(world.payout), epoch.open()), "NothingFinal");
        world.chain.pass(WINDOW_S);
        execute("open epoch 0", Some(world.payout), epoch.open()).unwrap();
        execute("push", Some(world.payout), epoch.push(&[0, 1])).unwrap();
        execute("claim", Some(world.payout), epoch.claim(2)).unwrap();
        let mut more = epoch.leaves[2];
        more.cumulative += 1;
        let more = calls::claim_for(0, &more, &epoch.tree.proof(2).unwrap());
        assert!(matches!(execute("claim more", Some(world.payout), more), Err(ChainError::Reverted { .. })), "{name}");

        let paid: Vec<u128> = claims.iter().map(|(account, _)| world.paid(*account)).collect();
        assert_eq!(paid, claims.map(|(_, granted)| granted), "{name}");
        assert_eq!(paid.iter().sum::<u128>(), epoch.row.cumulative);
        assert!(world.supply() == epoch.row.cumulative && world.supply() <= PER_EPOCH, "{name}: within the table");
    }
}

#[test]
fn what_waits_is_replaced_by_what_pays_more_and_that_is_mined() {
    let (node, folder) = (node("osaka"), tempfile::tempdir().unwrap());
    let rpc = node.rpc();
    for (round, legacy) in [false, true].into_iter().enumerate() {
        node.ask("evm_setAutomine", json!([false]));
        // Eleven looks are two times of patience; then blocks come.
        let happens = |look: u64| {
            if look > 11 {
                node.ask("evm_mine", json!([]));
            }
        };
        let chain = Through::of(&rpc, legacy);
        let outbox = in_folder(folder.path(), &chain, 2, &happens);
        let before = rpc.balance([0x77; 20]).unwrap();
        let pending = folder.path().join("pending.json");
        let newest = std::sync::Mutex::new(Vec::new());
        let watched = |look: u64| {
            if let Ok(document) = std::fs::read_to_string(&pending) {
                *newest.lock().unwrap() = variants(&document);
            }
            happens(look);
        };
        drop(outbox);
        let outbox = in_folder(folder.path(), &chain, 2, &watched);
        let receipt = outbox.execute(&format!("pay {round}"), &payment(5)).unwrap();
        let variants = core::mem::take(&mut *newest.lock().unwrap());
        assert_eq!(variants.len(), 3, "the first and two that pay more");
        assert_eq!(receipt.transaction, variants[2].hash(), "legacy {legacy}: the node took the one that pays most");
        assert_eq!(rpc.balance([0x77; 20]).unwrap(), before + 5);
    }
}

fn variants(document: &str) -> Vec<SignedTransaction> {
    let raw = |text: &str| data_encoding::HEXLOWER.decode(text.strip_prefix("0x")?.as_bytes()).ok();
    document.split('"').filter_map(raw).map(|raw| SignedTransaction::decode(&raw).unwrap()).collect()
}

#[test]
fn what_a_reorganisation_takes_out_is_sent_again_and_happens_once() {
    for (name, _) in FORKS {
        let (node, folder) = (node(&name.to_lowercase()), tempfile::tempdir().unwrap());
        let rpc = node.rpc();
        let taken_back = AtomicU64::new(0);
        let happens = |look: u64| {
            node.ask("evm_mine", json!([]));
            // Twice everything since the payment is taken back, and it with it.
            if look == 1 || look == 3 {
                let head = rpc.head().unwrap().number;
                node.ask("anvil_reorg", json!([head - 1, []]));
                assert_eq!(rpc.balance([0x77; 20]).unwrap(), 0, "{name}: taken back");
                taken_back.fetch_add(1, Ordering::SeqCst);
            }
        };
        node.ask("evm_mine", json!([]));
        let outbox = in_folder(folder.path(), &rpc, 12, &happens);
        let receipt = outbox.execute("pay", &payment(5)).unwrap();
        assert_eq!(taken_back.load(Ordering::SeqCst), 2, "{name}");
        assert!(rpc.head().unwrap().number >= receipt.block + 12);
        assert_eq!((rpc.balance([0x77; 20]).unwrap(), rpc.nonce(outbox.account()).unwrap()), (5, 1), "{name}");
    }
}

#[test]
fn an_outbox_that_is_begun_again_between_any_two_steps_pays_once() {
    let (node, folder) = (node("osaka"), tempfile::tempdir().unwrap());
    let rpc = node.rpc();
    let happens = |_| {
        node.ask("evm_mine", json!([]));
    };
    for step in 1..200u64 {
        let purpose = format!("pay {step}");
        let lost = Through::of(&rpc, step % 2 == 0);
        lost.left.store(step, Ordering::SeqCst);
        let first = in_folder(folder.path(), &lost, 2, &happens).execute(&purpose, &payment(1));
        let outbox = in_folder(folder.path(), &rpc, 2, &happens);
        if let Some((finished, _)) = outbox.resume().unwrap() {
            assert_eq!(finished, purpose);
        }
        outbox.execute(&purpose, &payment(1)).unwrap();
        assert_eq!(rpc.balance([0x77; 20]).unwrap(), u128::from(step), "lost after {step} questions");
        assert_eq!(rpc.nonce(outbox.account()).unwrap(), step);
        if first.is_ok() {
            assert!(step > 8, "there are more steps than that");
            return;
        }
    }
    panic!("a payment never ends");
}

#[test]
fn a_nonce_that_another_program_used_is_told() {
    let (node, folder) = (node("prague"), tempfile::tempdir().unwrap());
    let rpc = node.rpc();
    node.ask("evm_setAutomine", json!([false]));
    let happens = |look: u64| {
        if look == 2 {
            // The pool is emptied, and the account used with the same key elsewhere.
            node.ask("anvil_dropAllTransactions", json!([]));
            let fees = rpc.fees().unwrap();
            let call = payment(0);
            let other = cairn_chain::Transaction { chain_id: 31_337, nonce: 0, fees, gas_limit: 50_000, call };
            rpc.send(other.sign(&wallet()).raw()).unwrap();
        }
        if look > 2 {
            node.ask("evm_mine", json!([]));
        }
    };
    let outbox = in_folder(folder.path(), &rpc, 2, &happens);
    assert_eq!(outbox.execute("pay", &payment(5)).unwrap_err().code(), "STL-NONCE");
    assert!(outbox.execute("pay", &payment(5)).unwrap().succeeded, "on the next nonce");
    assert_eq!(rpc.balance([0x77; 20]).unwrap(), 5);
}

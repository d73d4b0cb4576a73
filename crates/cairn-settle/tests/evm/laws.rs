//! Laws that hold after every step of any history, honest or not.
//!
//! A walk mixes epochs (true, overstated, corrected, halted), claims, pushes, deposits, forgeries and time, and after each
//! step asks the contracts what they hold. No step may break a law, and no forgery may succeed.

use std::collections::BTreeMap;

use cairn_core::Hash;
use cairn_settle::abi::Arguments;
use cairn_settle::{EpochMessage, EvmAddress, SettlementRow, calls};
use proptest::prelude::*;

use crate::chain::FORKS;
use crate::world::{CAP, Epoch, HALT_BOND, HALVED_FROM, PER_EPOCH, RELAYER, WATCHER, WINDOW_S, World, person};

/// Accounts that the log grants to.
const PEOPLE: usize = 5;

/// A history, and what was said in it.
struct Walk {
    world: World,
    accounts: Vec<EvmAddress>,
    /// What the last posted epoch grants each account.
    granted: Vec<u128>,
    /// Trees that may be claimed, by epoch.
    open: BTreeMap<u64, Epoch>,
    /// The last posted epoch, as posted.
    last: Option<Epoch>,
    /// The most that any opened tree grants each account, and that any opened row states.
    most: Vec<u128>,
    most_in_all: u128,
    deposited: u128,
}

impl Walk {
    fn new(fork: usize) -> Self {
        let world = World::on(FORKS[fork].1, 31_337);
        let mut accounts: Vec<EvmAddress> = (0..PEOPLE as u32).map(person).collect();
        accounts.push(world.payout);
        let (granted, most) = (vec![0; accounts.len()], vec![0; accounts.len()]);
        let mut walk =
            Self { world, accounts, granted, open: BTreeMap::new(), last: None, most, most_in_all: 0, deposited: 0 };
        for account in (0..PEOPLE as u32).map(person) {
            let spender = Arguments::new().address(walk.world.deposits).word([0xff; 32]);
            walk.world.chain.send(account, walk.world.token, spender.call("approve(address,uint256)")).unwrap();
        }
        walk
    }

    /// An epoch that grants more than `granted`; its row may state less or more than its tree.
    fn grow(&self, number: u64, (a, b): (u64, u64), from: &[u128]) -> (Vec<u128>, Epoch) {
        let unit = PER_EPOCH / 10;
        let more = |i: usize| unit * u128::from(a.rotate_right(8 * i as u32) as u8) / 128;
        let grown: Vec<u128> = from.iter().enumerate().map(|(i, total)| total + more(i)).collect();
        let claims: Vec<_> = self.accounts.iter().copied().zip(grown.iter().copied()).collect();
        let honest = self.world.epoch(number, &claims);
        let cumulative = match b % 8 {
            0 => honest.row.cumulative / 2,
            1 => honest.row.cumulative + unit,
            _ => return (grown, honest),
        };
        let row = SettlementRow { cumulative, ..honest.row };
        (grown, self.world.epoch_of(number, honest.leaves, honest.tree, &[row]))
    }

    fn post_next(&mut self, seed: (u64, u64)) {
        let number = self.last.as_ref().map_or(0, |last| last.message.epoch + 1);
        let (grown, epoch) = self.grow(number, seed, &self.granted.clone());
        if self.world.post(&epoch.message).is_ok() {
            (self.granted, self.last) = (grown, Some(epoch));
        }
    }

    /// Another truth for the last epoch.
    fn correct(&mut self, seed: (u64, u64)) {
        let Some(last) = self.last.clone() else { return };
        let mut less = self.granted.clone();
        less.iter_mut().for_each(|total| *total -= *total / 3);
        let (grown, mut epoch) = self.grow(last.message.epoch, seed, &less);
        epoch.message.revision = last.message.revision + 1;
        self.world.post(&epoch.message).expect("a higher revision by a quorum");
        (self.granted, self.last) = (grown, Some(epoch));
        if self.world.call_payout(Arguments::new().call("retract()")).is_ok() {
            self.open.remove(&last.message.epoch);
        }
    }

    fn open(&mut self) {
        let Some(last) = self.last.clone() else { return };
        if self.world.call_payout(last.open()).is_err() {
            return;
        }
        for (most, leaf) in self.most.iter_mut().zip(&last.leaves) {
            *most = (*most).max(leaf.cumulative);
        }
        self.most_in_all = self.most_in_all.max(last.row.cumulative);
        self.open.insert(last.message.epoch, last);
    }

    /// Some open epoch.
    fn some(&self, seed: u64) -> Option<Epoch> {
        let count = self.open.len().max(1);
        self.open.values().nth(seed as usize % count).cloned()
    }

    fn claim(&mut self, (a, b): (u64, u64)) {
        let Some(epoch) = self.some(a) else { return };
        // Whether anything is due is for the laws to say.
        let _ = self.world.call_payout(epoch.claim(b as usize % self.accounts.len()));
    }

    /// By the last open epoch, with the relay pool filled first, or by some other.
    fn push(&mut self, (a, b): (u64, u64)) {
        let Some(epoch) = self.some(if a % 4 == 0 { a } else { (self.open.len() as u64).saturating_sub(1) }) else {
            return;
        };
        if a % 2 == 1 {
            let _ = self.world.call_payout(epoch.claim(PEOPLE));
        }
        let places: Vec<usize> = (0..self.accounts.len()).filter(|i| b >> i & 1 == 1).collect();
        if !places.is_empty() {
            self.world.call_payout(epoch.push(&places)).expect("a batch is never spoiled");
        }
    }

    fn deposit(&mut self, (a, b): (u64, u64)) {
        let account = self.accounts[a as usize % PEOPLE];
        let amount = self.world.balance(account) / (2 + u128::from(b % 5));
        if amount == 0 {
            return;
        }
        let data = Arguments::new().word([1; 32]).word([2; 32]).uint(amount).call("deposit((bytes32,bytes32),uint256)");
        self.world.chain.send(account, self.world.deposits, data).unwrap();
        self.deposited += amount;
    }

    fn halt(&mut self) {
        let Some(last) = &self.last else { return };
        let data = crate::world::halt(&last.message);
        let _ = self.world.chain.pay(WATCHER, self.world.settlement, HALT_BOND, data);
    }

    /// What nobody may do, below a quorum or without a proof.
    fn forge(&mut self, (a, b): (u64, u64)) {
        let number = self.last.as_ref().map_or(0, |last| last.message.epoch + 1);
        let (_, epoch) = self.grow(number, (a, b), &self.granted.clone());
        let four: Vec<usize> = (0..7).filter(|i| *i as u64 != a % 7).take(4).collect();
        let mut signatures = self.world.signed(&epoch.message.digest(&crate::world::network()), &four);
        if b % 2 == 0 {
            signatures.extend(&signatures.clone()[..65]);
        }
        let data = calls::post(&epoch.message, &signatures);
        self.world.chain.send(RELAYER, self.world.settlement, data).expect_err("four of seven");
        self.world.call_payout(epoch.open()).expect_err("never posted");
        let Some(open) = self.some(a) else { return };
        let place = b as usize % self.accounts.len();
        let mut leaf = open.leaves[place];
        leaf.cumulative += 1 + u128::from(a);
        let proof = open.tree.proof(place).unwrap();
        let data = calls::claim_for(open.message.epoch, &leaf, &proof);
        self.world.call_payout(data).expect_err("more than the tree says");
    }

    fn step(&mut self, what: u8, seed: (u64, u64)) {
        match what % 12 {
            0 | 1 => self.post_next(seed),
            2 | 3 => {
                self.world.chain.pass(WINDOW_S);
                self.open();
            }
            4 => self.correct(seed),
            5 | 6 => self.claim(seed),
            7 | 8 => self.push(seed),
            9 => self.deposit(seed),
            10 => self.halt(),
            _ => self.forge(seed),
        }
        if what > 250 {
            self.world.chain.pass(7 * 86_400);
        }
    }

    fn hold(&mut self) {
        let read = |world: &mut World, name: &str| world.chain.number(world.payout, name, Arguments::new());
        let [proven, funded, pool] = ["proven()", "funded()", "relayPool()"].map(|name| read(&mut self.world, name));
        let unpaid = read(&mut self.world, "flow()");
        let paid: Vec<u128> = self.accounts.clone().into_iter().map(|account| self.world.paid(account)).collect();
        for (i, paid) in paid.iter().enumerate() {
            assert!(*paid <= self.most[i], "account {i}: no more than some open tree ever granted");
        }
        let sum: u128 = paid.iter().sum();
        assert_eq!(sum, proven - unpaid, "what is paid is what is proven and not unpaid");
        assert!(sum <= self.most_in_all && proven <= self.most_in_all, "no more than a row ever stated");
        let supply = self.world.supply();
        let [minted, credited] =
            ["minted()", "credited()"].map(|name| self.world.chain.number(self.world.token, name, Arguments::new()));
        assert_eq!((minted, credited), (funded, self.deposited));
        assert_eq!(supply, minted - credited);
        let emitted = self.last.as_ref().map_or(0, |last| {
            let epochs = u128::from(last.message.epoch + 1);
            let whole = epochs.min(HALVED_FROM.into());
            whole * PER_EPOCH + (epochs - whole) * PER_EPOCH / 2
        });
        assert!(supply <= emitted.min(CAP), "no more than the table");
        let here = self.world.payout;
        let held = self.world.balance(here);
        assert!(held >= unpaid + pool, "what is proven is there to be paid");
        let out: u128 = (0..PEOPLE as u32).map(|i| self.world.balance(person(i))).sum();
        assert_eq!(out + held + self.world.balance(RELAYER), supply, "nothing is anywhere else");
        let fees = self.world.balance(RELAYER);
        assert_eq!(paid[PEOPLE], pool + fees, "relayers are paid from the pool alone");
        assert_eq!(out + self.deposited, sum - paid[PEOPLE], "what is paid went to whom the log names");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn no_history_pays_twice_mints_beyond_the_table_or_moves_money_below_a_quorum(
        fork in 0usize..4,
        steps in prop::collection::vec((any::<u8>(), any::<u64>(), any::<u64>()), 1..60),
    ) {
        let mut walk = Walk::new(fork);
        for (what, a, b) in steps {
            walk.step(what, (a, b));
            walk.hold();
        }
    }
}

#[test]
fn a_quorum_is_whole_or_nothing_for_every_choice_of_signers() {
    let mut world = World::new();
    let mut message = world.epoch(0, &[(person(1), 5)]).message;
    let mut posted = 0;
    for choice in 0..1u32 << 7 {
        let who: Vec<usize> = (0..7).filter(|i| choice >> i & 1 == 1).collect();
        let signatures = world.signed(&message.digest(&crate::world::network()), &who);
        let sent = world.chain.send(RELAYER, world.settlement, calls::post(&message, &signatures));
        assert_eq!(sent.is_ok(), who.len() >= 5, "{choice:b}");
        if sent.is_ok() {
            posted += 1;
            message = EpochMessage { revision: posted, state_root: Hash([posted as u8; 32]), ..message };
        }
    }
    assert_eq!(posted, 29, "21 choices of five, 7 of six, all seven");
}

//! A network's contracts, from the first deployment to the last payment, by signed transactions alone.

use cairn_core::{Hash, NetworkId};
use cairn_merkle::{ClaimLeaf, ClaimTree};
use cairn_settle::abi::{address_word, uint_word};
use cairn_settle::{EpochMessage, ManyClaims, SettlementRow, SettlementsTree, calls, message};

use super::*;
use crate::deployment::Plan;
use crate::terms::{Addresses, AuditorTerms, PayoutTerms, SettlementTerms, TokenTerms};
use crate::{Contracts, Terms};

const LENGTH_S: u64 = 3_600;
const WINDOW_S: u64 = 600;

fn network() -> NetworkId {
    NetworkId(Hash::of(b"a network in a rehearsal"))
}

fn auditors() -> Vec<WalletKey> {
    let mut keys: Vec<WalletKey> = (21..24).map(key).collect();
    keys.sort_by_key(address_of);
    keys
}

fn terms() -> Terms {
    let members = auditors().iter().map(address_of).collect();
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
            name: "Rehearsed".to_owned(),
            symbol: "RHS".to_owned(),
            cap: 1_000_000 * COIN,
            table: vec![(0, 10_000 * COIN)],
        },
        payout: PayoutTerms {
            push_min: COIN / 100,
            relay_fee: 0,
            breaker_limit: 1_000_000 * COIN,
            breaker_window_s: 60,
        },
        treasury: [0x7e; 20],
        guardian: [0; 20],
        timelock_delay_s: 86_400,
        proposers: vec![[0x99; 20]],
        shares: vec![([0x7e; 20], 1_000_000)],
    }
}

/// Deploys everything, each with the gas that was estimated.
fn deployed(world: &Rehearsal) -> Addresses {
    let deployer = key(1);
    let plan = Plan::of(&terms(), address_of(&deployer), 0);
    while let Some(step) = plan.next(&world.chain).unwrap() {
        let receipt = world.send(&deployer, step.call);
        assert_eq!(receipt.created, Some(step.address), "{:?}", step.contract);
    }
    *plan.addresses()
}

/// An epoch that grants coins to as many accounts.
struct Epoch {
    message: EpochMessage,
    leaves: Vec<ClaimLeaf>,
    tree: ClaimTree,
    row: SettlementRow,
}

fn epoch(at: &Addresses, number: u64, accounts: u8) -> Epoch {
    let leaf = |i| ClaimLeaf {
        domain: uint_word(CHAIN_ID),
        distributor: address_word(at.payout),
        account: address_word([i; 20]),
        cumulative: u128::from(number + 1) * COIN,
    };
    let leaves: Vec<ClaimLeaf> = (1..=accounts).map(leaf).collect();
    let tree = ClaimTree::new(&leaves).unwrap();
    let row = SettlementRow {
        domain: uint_word(CHAIN_ID),
        distributor: address_word(at.payout),
        claim_root: tree.root(),
        leaves: leaves.len() as u64,
        cumulative: leaves.iter().map(|leaf| leaf.cumulative).sum(),
    };
    let statement = |number: u64| Hash::of(&number.to_be_bytes());
    let message = EpochMessage {
        epoch: number,
        revision: 0,
        statement_hash: statement(number),
        previous: number.checked_sub(1).map_or(Hash::ZERO, statement),
        log_size: 10 * (number + 1),
        log_root: Hash::of(b"log"),
        state_root: Hash::of(b"state"),
        settlements_root: SettlementsTree::new(&[row]).unwrap().root(),
    };
    Epoch { message, leaves, tree, row }
}

impl Epoch {
    fn post(&self) -> Vec<u8> {
        let digest = self.message.digest(&network());
        let signatures: Vec<u8> = auditors().iter().flat_map(|key| message::sign(key, &digest)).collect();
        calls::post(&self.message, &signatures)
    }

    fn push(&self, places: &[usize]) -> Vec<u8> {
        calls::pay_many(self.message.epoch, &ManyClaims::of(&self.tree, &self.leaves, places).unwrap())
    }
}

#[test]
fn contracts_are_deployed_epochs_posted_and_everybody_paid_by_signed_transactions() {
    let world = Rehearsal::new(7);
    let at = deployed(&world);
    let relayer = key(5);
    world.chain.fund(address_of(&relayer), COIN).unwrap();
    let early = epoch(&at, 0, 200).post();
    let too_early = world.try_send(&relayer, Call::to(at.settlement, early)).unwrap_err();
    assert_eq!(too_early, ChainError::Reverted { reason: "TooEarly".to_owned() });
    for number in 0..3 {
        world.pass(LENGTH_S);
        let epoch = epoch(&at, number, 200);
        world.send(&relayer, Call::to(at.settlement, epoch.post()));
        world.pass(WINDOW_S);
        let opened = world.send(&relayer, Call::to(at.payout, calls::open(&epoch.row, &[])));
        assert!(!opened.logs.is_empty() && opened.logs.iter().enumerate().all(|(i, log)| log.index == i as u64));
        // One, a few, and most of what is left in one transaction: each with the gas that was estimated, no unit more.
        for places in [0..1, 1..11, 11..200] {
            let push = epoch.push(&places.clone().collect::<Vec<_>>());
            world.send(&relayer, Call::to(at.payout, push));
        }
    }
    let world = world.reopened();
    let contracts = Contracts::of(&world.chain, at.payout, &network()).unwrap();
    let reader = contracts.reader(&world.chain);
    assert_eq!(reader.supply(), Ok(600 * COIN));
    for i in [1, 2, 11, 12, 200] {
        assert_eq!(reader.balance([i; 20]), Ok(3 * COIN), "account {i}");
    }
    assert!(reader.is_rehearsal().unwrap() && world.chain.rehearsed());
    let transfer = keccak256(b"Transfer(address,address,uint256)");
    let filter = LogFilter { address: at.token, topic: transfer, from: 0, to: u64::MAX };
    let transfers = world.chain.logs(&filter).unwrap();
    let paid = |log: &&Logged| (1..=200).any(|i| log.topics[2] == address_word([i; 20]));
    assert_eq!(transfers.iter().filter(paid).count(), 600);
}

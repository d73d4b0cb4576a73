//! What everything costs, on every fork: held to the table in the reference, which this test writes when blessed.

use std::fmt::Write;
use std::path::Path;

use cairn_core::keccak256;
use cairn_merkle::ClaimTree;
use cairn_settle::abi::Arguments;
use cairn_settle::{AuditorsMessage, Contract, EpochMessage, SettlementRow, calls};
use revm::primitives::hardfork::SpecId;

use crate::chain::FORKS;
use crate::token::authorization;
use crate::world::{
    CHANGE_DELAY_S, Epoch, HALT_BOND, ONE, WATCHER, WINDOW_S, World, address_of, keys, network, person,
};

const PAGE: &str = "../../docs/reference/contracts.md";
const BEGIN: &str = "<!-- gas: written by a test of cairn-settle -->\n";
const END: &str = "<!-- end of gas -->";
/// Accounts in the trees from which batches are pushed.
const ACCOUNTS: u32 = 10_000;
/// Accounts of a batch.
const BATCH: usize = 50;
/// Hashes of the proof of a single claim: a tree of a million.
const DEPTH: usize = 20;

type Costs = Vec<(String, u64)>;

/// A claim that stands twenty levels deep, whatever stands beside it.
fn deep(world: &World, number: u64, total: u128) -> (Epoch, Vec<u8>) {
    let leaf = world.leaf(person(1), total);
    let proof: Vec<_> = (0..DEPTH).map(|level| keccak256(&[number as u8, level as u8])).collect();
    let root = proof.iter().fold(leaf.hash(), |hash, sibling| {
        let (low, high) = if hash <= *sibling { (hash, *sibling) } else { (*sibling, hash) };
        keccak256(&[low, high].concat())
    });
    let tree = ClaimTree::new(&[leaf]).unwrap();
    // Others are due as much again: the contract's own balance stays above zero, as it does in life.
    let row =
        SettlementRow { claim_root: root, cumulative: 2 * total, ..world.epoch(number, &[(person(1), total)]).row };
    let rows = [row, SettlementRow { domain: [7; 32], ..row }];
    let claim = calls::claim_for(number, &leaf, &proof);
    (world.epoch_of(number, vec![leaf], tree, &rows), claim)
}

fn settling(fork: SpecId, costs: &mut Costs) {
    let mut world = World::on(fork, 31_337);
    let mut note = |what: &str, gas: u64| costs.push((what.to_owned(), gas));
    for (contract, gas) in Contract::ALL.iter().zip(&world.deploy_gas) {
        note(&format!("deploy {}", contract.name()), *gas);
    }
    for number in 0..4 {
        let (epoch, claim) = deep(&world, number, 123_456_789 * ONE / 1_000 * u128::from(number + 1));
        let posted = world.post(&epoch.message).unwrap().gas;
        world.chain.pass(WINDOW_S);
        let opened = world.call_payout(epoch.open()).unwrap().gas;
        let claimed = world.call_payout(claim).unwrap().gas;
        match number {
            0 => {
                note("post the first epoch, 5 of 7", posted);
                note("claim, 20 hashes, a new account", claimed);
            }
            3 => {
                note("post an epoch, 5 of 7", posted);
                note("open an epoch, 2 chains", opened);
                note("claim, 20 hashes, an account that was paid before", claimed);
            }
            _ => {}
        }
    }
}

fn pushing(fork: SpecId, costs: &mut Costs) {
    let mut world = World::on(fork, 31_337);
    let relay = |times: u128| 10 * ONE * times;
    let claims = |times: u128| -> Vec<_> {
        let mut all: Vec<_> = (0..ACCOUNTS).map(|i| (person(i), times * (2 * ONE + u128::from(i)))).collect();
        all.push((world.payout, relay(times)));
        all
    };
    let epochs = [1u128, 2].map(|times| world.epoch(times as u64 - 1, &claims(times)));
    for (epoch, whom) in epochs.iter().zip(["new accounts", "accounts that were paid before"]) {
        world.settle(epoch);
        world.call_payout(epoch.claim(ACCOUNTS as usize)).unwrap();
        let mut sorted: Vec<usize> = (0..ACCOUNTS as usize).collect();
        // Neighbours in the second tree, pushed in both: the first time makes their balances.
        sorted.sort_by_key(|place| epochs[1].leaves[*place].hash());
        let neighbours = &sorted[2_000..2_000 + BATCH];
        let scattered: Vec<usize> = sorted[3_000..].iter().copied().step_by(97).take(BATCH).collect();
        for (places, how) in [(neighbours, "neighbours"), (&scattered, "scattered")] {
            let receipt = world.call_payout(epoch.push(places)).unwrap();
            assert_eq!(receipt.output[31], BATCH as u8);
            // In the first tree the neighbours of the second are scattered too: said once.
            if whom != "new accounts" || how == "scattered" {
                costs.push((format!("push, each of {BATCH} {how}, {whom}"), receipt.gas / BATCH as u64));
            }
        }
    }
}

fn the_rest(fork: SpecId, costs: &mut Costs) {
    let mut world = World::on(fork, 31_337);
    let mut note = |what: &str, gas: u64| costs.push((what.to_owned(), gas));
    let owner = keys(90, 1).remove(0);
    let zero = world.epoch(0, &[(address_of(&owner), 10 * ONE)]);
    world.settle(&zero);
    world.call_payout(zero.claim(0)).unwrap();
    world.chain.send(person(1), world.anchor, calls::advance(&[])).unwrap();
    let one = world.epoch(1, &[(address_of(&owner), 10 * ONE)]);
    world.post(&one.message).unwrap();
    let halted = world.chain.pay(WATCHER, world.settlement, HALT_BOND, crate::world::halt(&one.message)).unwrap();
    note("halt", halted.gas);
    let better = EpochMessage { revision: 1, log_size: 2_999, ..one.message.clone() };
    let better = EpochMessage { log_root: world.log_tree(2_999).root(), ..better };
    note("uphold a halt by a correction, 5 of 7", world.post(&better).unwrap().gas);
    world.chain.pass(WINDOW_S);
    let proof = world.consistency(3, 2_999);
    let advanced = world.chain.send(person(1), world.anchor, calls::advance(&proof)).unwrap();
    note(&format!("advance the anchor, {} hashes", proof.len()), advanced.gas);
    let other = EpochMessage { state_root: one.message.state_root, settlements_root: [1; 32], ..one.message.clone() };
    let [a, b] = [&one.message, &other].map(|message| world.signed(&message.digest(&network()), &[6]));
    let slashed = world.chain.send(WATCHER, world.auditors, calls::slash((&one.message, &a), (&other, &b))).unwrap();
    note("slash an auditor", slashed.gas);
    let members = keys(50, 7).iter().map(address_of).collect();
    let change = AuditorsMessage { set: 2, revision: 1, members, threshold: 5 };
    let signatures = world.signed(&change.digest(&network()), &[0, 1, 2, 3, 4]);
    note(
        "propose 7 auditors, 5 of 7",
        world.chain.send(person(1), world.auditors, calls::propose(&change, &signatures)).unwrap().gas,
    );
    world.chain.pass(CHANGE_DELAY_S);
    note("put 7 auditors in force", world.chain.send(person(1), world.auditors, calls::activate(&change)).unwrap().gas);
    for (what, salt) in [("deposit by signature, the first", [1; 32]), ("deposit by signature", [2; 32])] {
        let (now, deposits) = (world.chain.now_s(), world.deposits);
        let (buyer, memo) = ([3; 32], [4; 32]);
        let nonce = keccak256(&[buyer, memo, salt].concat());
        let terms = (ONE, now - 1, now + 9);
        let signed = authorization(&mut world, &owner, "ReceiveWithAuthorization", deposits, terms, nonce).encode();
        let tail: Vec<[u8; 32]> = signed[192..].chunks_exact(32).map(|word| word.try_into().unwrap()).collect();
        let arguments = Arguments::new().word(buyer).word(memo).uint(ONE).address(address_of(&owner));
        let arguments = arguments.uint(now - 1).uint(now + 9).word(salt).fields(&tail);
        let data = arguments.call("depositWithAuthorization((bytes32,bytes32),uint256,(address,uint256,uint256,bytes32,uint8,bytes32,bytes32))");
        note(what, world.chain.send(person(1), deposits, data).unwrap().gas);
    }
}

fn table() -> (String, Vec<Costs>) {
    let mut columns: Vec<Costs> = Vec::new();
    for (_, fork) in FORKS {
        let mut costs = Costs::new();
        settling(fork, &mut costs);
        pushing(fork, &mut costs);
        the_rest(fork, &mut costs);
        columns.push(costs);
    }
    let mut out = String::from("| gas |");
    FORKS.iter().for_each(|(fork, _)| write!(out, " {fork} |").unwrap());
    out.push_str("\n| --- | ---: | ---: | ---: | ---: |\n");
    for (row, (what, _)) in columns[0].iter().enumerate() {
        write!(out, "| {what} |").unwrap();
        columns.iter().for_each(|column| write!(out, " {} |", grouped(column[row].1)).unwrap());
        out.push('\n');
    }
    (out, columns)
}

/// What the contracts are meant to cost at most, on Osaka.
fn within_aims(columns: &[Costs]) {
    let osaka = |what: &str| columns[3].iter().find(|(name, _)| name.starts_with(what)).unwrap().1;
    assert!(osaka("post an epoch, 5 of 7") <= 150_000, "the aim for posting");
    for how in ["neighbours", "scattered"] {
        let gas = osaka(&format!("push, each of {BATCH} {how}, accounts that were paid before"));
        assert!(gas <= 45_000, "the aim for a push: {gas}");
    }
}

/// Digits in groups of three.
fn grouped(number: u64) -> String {
    if number < 1_000 { number.to_string() } else { format!("{},{:03}", grouped(number / 1_000), number % 1_000) }
}

#[test]
fn the_gas_in_the_reference_is_what_the_contracts_use() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(PAGE);
    let page = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = page.split_once(BEGIN).expect("the page says where the table begins");
    let (committed, after) = rest.split_once(END).expect("and where it ends");
    let (made, columns) = table();
    if std::env::var("CAIRN_BLESS").is_ok_and(|value| value == "1") {
        std::fs::write(&path, format!("{before}{BEGIN}{made}{END}{after}")).unwrap();
    } else {
        assert_eq!(committed, made, "CAIRN_BLESS=1 writes it");
    }
    within_aims(&columns);
}

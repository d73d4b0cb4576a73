//! Who signs, how the set changes, and what it costs to sign two truths.

use cairn_core::Hash;
use cairn_settle::abi::Arguments;
use cairn_settle::{AuditorsMessage, Contract, EpochMessage, EvmAddress, calls, message};

use crate::chain::{DEPLOYER, FORKS, Sent, for_tests, number};
use crate::world::{
    BOND, CHANGE_DELAY_S, TREASURY, UNBOND_DELAY_S, WATCHER, WINDOW_S, World, address_of, auditors_arguments, keys,
    network, person,
};

fn propose(world: &mut World, message: &AuditorsMessage, who: &[usize]) -> Sent {
    let signatures = world.signed(&message.digest(&network()), who);
    world.chain.send(person(3), world.auditors, calls::propose(message, &signatures))
}

fn activate(world: &mut World, message: &AuditorsMessage) -> Sent {
    world.chain.send(person(3), world.auditors, calls::activate(message))
}

fn unbond(world: &mut World, auditor: EvmAddress) -> Sent {
    world.chain.send(auditor, world.auditors, Arguments::new().call("unbond()"))
}

fn bond(world: &mut World, auditor: EvmAddress, wei: u128) -> Sent {
    world.chain.pay(DEPLOYER, world.auditors, wei, Arguments::new().address(auditor).call("bond(address)"))
}

fn owed(world: &mut World, account: EvmAddress) -> u128 {
    world.chain.number(world.auditors, "owed(address)", Arguments::new().address(account))
}

/// Seven others, of whom five must sign.
fn successors(revision: u32) -> AuditorsMessage {
    let members = keys(50, 7).iter().map(address_of).collect();
    AuditorsMessage { set: 2, revision, members, threshold: 5 }
}

/// What, whether it is a rehearsal, members, threshold, and what is said to it.
type Case = (&'static str, bool, Vec<EvmAddress>, u8, Result<(), &'static str>);

#[test]
fn a_set_is_four_or_more_of_whom_two_thirds_and_one_must_sign() {
    let mut world = World::new();
    let all: Vec<EvmAddress> = keys(1, 65).iter().map(address_of).collect();
    let mut with_zero = all[..3].to_vec();
    with_zero.insert(0, [0; 20]);
    let repeated = vec![all[0], all[1], all[1], all[2]];
    let unsorted = vec![all[1], all[0], all[2], all[3]];
    let cases: Vec<Case> = vec![
        ("3 of 4", false, all[..4].to_vec(), 3, Ok(())),
        ("2 of 4", false, all[..4].to_vec(), 2, Err("BadSet")),
        ("5 of 4", false, all[..4].to_vec(), 5, Err("BadSet")),
        ("4 of 7", false, all[..7].to_vec(), 4, Err("BadSet")),
        ("5 of 7", false, all[..7].to_vec(), 5, Ok(())),
        ("43 of 64", false, all[..64].to_vec(), 43, Ok(())),
        ("42 of 64", false, all[..64].to_vec(), 42, Err("BadSet")),
        ("44 of 65", false, all[..65].to_vec(), 44, Err("BadSet")),
        ("3 of 3 for real", false, all[..3].to_vec(), 3, Err("BadSet")),
        ("3 of 3 in a rehearsal", true, all[..3].to_vec(), 3, Ok(())),
        ("1 of 1 in a rehearsal", true, all[..1].to_vec(), 1, Ok(())),
        ("0 of 1 in a rehearsal", true, all[..1].to_vec(), 0, Err("BadSet")),
        ("nobody in a rehearsal", true, vec![], 1, Err("BadSet")),
        ("the zero address", false, with_zero, 3, Err("NotAscending")),
        ("one twice", false, repeated, 3, Err("NotAscending")),
        ("not ascending", false, unsorted, 3, Err("NotAscending")),
    ];
    for (what, rehearsal, members, threshold, expected) in cases {
        let arguments = auditors_arguments(rehearsal, &members, threshold);
        let deployed = world.chain.try_deploy(&Contract::Auditors.artifact(), &arguments);
        assert_eq!(deployed.map(|_| ()), expected.map_err(str::to_owned), "{what}");
    }
    // Where money is real there is a bond, and nothing changes at once.
    for (bond, delay, unbond) in
        [(0, CHANGE_DELAY_S, UNBOND_DELAY_S), (1, 3_600, UNBOND_DELAY_S), (1, CHANGE_DELAY_S, 86_400)]
    {
        let terms = Arguments::new().word(network().0.0).uint(false).uint(bond as u64).uint(delay).uint(unbond);
        let terms =
            terms.address(TREASURY).words(all[..4].iter().copied().map(cairn_settle::abi::address_word)).uint(3u8);
        let refused = world.chain.try_deploy(&Contract::Auditors.artifact(), &terms).unwrap_err();
        assert_eq!(refused, "BadTerms");
    }
}

#[test]
fn the_set_changes_by_its_own_quorum_after_a_delay_and_the_old_one_signs_no_more() {
    let mut world = World::new();
    let (all, five) = ([0, 1, 2, 3, 4, 5, 6], [0, 1, 2, 3, 4]);
    let change = successors(1);
    assert_eq!(propose(&mut world, &change, &five[..4]).unwrap_err(), "NoQuorum");
    let wrong_set = AuditorsMessage { set: 3, ..change.clone() };
    let signatures = world.signed(&wrong_set.digest(&network()), &all);
    let refused = world.chain.send(person(3), world.auditors, calls::propose(&change, &signatures)).unwrap_err();
    assert!(refused.starts_with("Not"), "signed for another set: {refused}");
    assert_eq!(propose(&mut world, &AuditorsMessage { threshold: 4, ..change.clone() }, &all).unwrap_err(), "BadSet");
    assert_eq!(activate(&mut world, &change).unwrap_err(), "NotPending");
    propose(&mut world, &change, &five).unwrap();
    assert_eq!(activate(&mut world, &change).unwrap_err(), "TooEarly");
    assert_eq!(propose(&mut world, &change, &five).unwrap_err(), "NotLater", "a replay would begin the delay anew");
    assert_eq!(propose(&mut world, &successors(0), &five).unwrap_err(), "NotLater");
    world.chain.pass(CHANGE_DELAY_S - 1);
    assert_eq!(activate(&mut world, &change).unwrap_err(), "TooEarly");
    world.chain.pass(1);
    let other = AuditorsMessage { members: change.members[..4].to_vec(), threshold: 3, ..change.clone() };
    assert_eq!(activate(&mut world, &other).unwrap_err(), "NotPending");
    let epoch = world.epoch(0, &[(person(1), 5)]).message;
    activate(&mut world, &change).unwrap();
    assert_eq!(activate(&mut world, &change).unwrap_err(), "NotPending");
    assert_eq!(world.post(&epoch).unwrap_err(), "NotAnAuditor", "the set before");
    assert_eq!(propose(&mut world, &successors(2), &five).unwrap_err(), "NotAnAuditor", "the set before");
    world.keys = keys(50, 7);
    assert_eq!(world.post(&epoch).unwrap_err(), "NotAnAuditor", "without a bond nobody counts");
    for member in &change.members {
        bond(&mut world, *member, BOND).unwrap();
    }
    world.post(&epoch).unwrap();
}

#[test]
fn a_quorum_that_changes_its_mind_keeps_the_set_by_a_higher_revision() {
    let mut world = World::new();
    propose(&mut world, &successors(1), &[0, 1, 2, 3, 4]).unwrap();
    let members: Vec<EvmAddress> = world.keys.iter().map(address_of).collect();
    let stay = AuditorsMessage { set: 2, revision: 2, members, threshold: 5 };
    propose(&mut world, &stay, &[2, 3, 4, 5, 6]).unwrap();
    world.chain.pass(CHANGE_DELAY_S);
    assert_eq!(activate(&mut world, &successors(1)).unwrap_err(), "NotPending");
    activate(&mut world, &stay).unwrap();
    let epoch = world.epoch(0, &[(person(1), 5)]).message;
    world.post(&epoch).unwrap();
}

#[test]
fn two_truths_cost_the_bond_on_every_chain_and_the_place_in_every_set() {
    let (mut here, mut there) = (World::new(), World::on(FORKS[1].1, 10));
    let one = here.epoch(4, &[(person(1), 5)]).message;
    let other = EpochMessage { settlements_root: [8; 32], ..one.clone() };
    let sign = |world: &World, who: usize, message: &EpochMessage| world.signed(&message.digest(&network()), &[who]);
    let (a, b) = (sign(&here, 3, &one), sign(&here, 3, &other));
    let elsewhere = EpochMessage { epoch: 5, ..other.clone() };
    let later = EpochMessage { revision: 1, ..other.clone() };
    let refusals = [
        ("one message twice", calls::slash((&one, &a), (&one, &a))),
        ("two epochs", calls::slash((&one, &a), (&elsewhere, &sign(&here, 3, &elsewhere)))),
        ("two revisions", calls::slash((&one, &a), (&later, &sign(&here, 3, &later)))),
        ("two auditors", calls::slash((&one, &a), (&other, &sign(&here, 4, &other)))),
        ("signatures swapped", calls::slash((&one, &b), (&other, &a))),
        ("no signatures", calls::slash((&one, &[0; 65]), (&other, &[0; 65]))),
        ("a byte short", calls::slash((&one, &a[..64]), (&other, &b))),
    ];
    for (what, data) in refusals {
        assert_eq!(here.chain.send(WATCHER, here.auditors, data).unwrap_err(), "NoContradiction", "{what}");
    }
    for world in [&mut here, &mut there] {
        let auditor = address_of(&world.keys[3]);
        world.chain.send(WATCHER, world.auditors, calls::slash((&other, &b), (&one, &a))).unwrap();
        assert_eq!((owed(world, WATCHER), owed(world, TREASURY)), (BOND / 10, BOND - BOND / 10));
        let again = world.chain.send(WATCHER, world.auditors, calls::slash((&one, &a), (&other, &b))).unwrap_err();
        assert_eq!(again, "Answering");
        assert_eq!(bond(world, auditor, BOND).unwrap_err(), "Answering", "no way back");
        let epoch = world.epoch(0, &[(person(1), 5)]).message;
        assert_eq!(world.post(&epoch).unwrap_err(), "NotAnAuditor", "its signature counts no more");
        let without = world.signed(&epoch.digest(&network()), &[0, 1, 2, 4, 5]);
        world.chain.send(DEPLOYER, world.settlement, calls::post(&epoch, &without)).unwrap();
    }
}

#[test]
fn correcting_oneself_or_signing_for_another_network_is_no_second_truth() {
    let mut world = World::new();
    let one = world.epoch(0, &[(person(1), 5)]).message;
    let other = EpochMessage { state_root: Hash([1; 32]), ..one.clone() };
    let mine = world.signed(&one.digest(&network()), &[0]);
    let elsewhere = message::sign(&world.keys[0], &other.digest(&cairn_core::NetworkId(Hash::of(b"another"))));
    let data = calls::slash((&one, &mine), (&other, &elsewhere));
    assert_eq!(world.chain.send(WATCHER, world.auditors, data).unwrap_err(), "NoContradiction");
}

#[test]
fn a_bond_answers_until_its_owner_has_been_out_of_every_set_for_long_enough() {
    let mut world = World::new();
    let auditor = address_of(&world.keys[0]);
    assert_eq!(unbond(&mut world, auditor).unwrap_err(), "Answering", "in the set in force");
    let change = successors(1);
    propose(&mut world, &change, &[0, 1, 2, 3, 4]).unwrap();
    world.chain.pass(CHANGE_DELAY_S);
    activate(&mut world, &change).unwrap();
    assert_eq!(unbond(&mut world, auditor).unwrap_err(), "Answering", "just gone");
    world.chain.pass(UNBOND_DELAY_S - 1);
    assert_eq!(unbond(&mut world, auditor).unwrap_err(), "Answering");
    // Until the last second it can be lost for what was signed while seated.
    let one = world.epoch(0, &[]).message;
    let other = EpochMessage { state_root: Hash([1; 32]), ..one.clone() };
    let gone = address_of(&world.keys[1]);
    let sign = |message: &EpochMessage| world.signed(&message.digest(&network()), &[1]);
    let data = calls::slash((&one, &sign(&one)), (&other, &sign(&other)));
    world.chain.send(WATCHER, world.auditors, data).unwrap();
    world.chain.pass(1);
    unbond(&mut world, auditor).unwrap();
    assert_eq!(owed(&mut world, auditor), BOND);
    let withdraw = Arguments::new().address(auditor).call("withdraw(address)");
    world.chain.send(person(8), world.auditors, withdraw).unwrap();
    assert_eq!(world.chain.coin(auditor), BOND);
    unbond(&mut world, gone).unwrap();
    assert_eq!(owed(&mut world, gone), 0, "lost is lost");
    // Who never sat in a set is free.
    bond(&mut world, person(9), 7).unwrap();
    unbond(&mut world, person(9)).unwrap();
    assert_eq!(owed(&mut world, person(9)), 7);
}

#[test]
fn coin_is_paid_out_once_and_who_refuses_it_stops_nobody() {
    let mut world = World::new();
    let greedy = world.chain.deploy(&for_tests("Greedy"), &Arguments::new());
    bond(&mut world, greedy, 9).unwrap();
    let act = |data: Vec<u8>, to| Arguments::new().address(to).bytes(&data).call("act(address,bytes)");
    let unbond = act(Arguments::new().call("unbond()"), world.auditors);
    world.chain.send(DEPLOYER, greedy, unbond).unwrap();
    let refuse = |value: bool| Arguments::new().uint(value).call("setRefuses(bool)");
    world.chain.send(DEPLOYER, greedy, refuse(true)).unwrap();
    let withdraw = Arguments::new().address(greedy).call("withdraw(address)");
    assert_eq!(world.chain.send(DEPLOYER, world.auditors, withdraw.clone()).unwrap_err(), "NotTaken");
    assert_eq!(owed(&mut world, greedy), 9, "it stays owed");
    world.chain.send(DEPLOYER, greedy, refuse(false)).unwrap();
    world.chain.send(DEPLOYER, world.auditors, withdraw).unwrap();
    assert_eq!(world.chain.coin(greedy), 9);
    let asked = number(&world.chain.view(greedy, "times()", Arguments::new())[0]);
    assert_eq!(asked, 1, "it asked again while it was paid, for nothing");
    world.chain.pass(WINDOW_S);
}

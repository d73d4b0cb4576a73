//! Which epochs are taken, from whom, and what halts them.

use cairn_core::{Hash, NetworkId};
use cairn_settle::abi::Arguments;
use cairn_settle::{Contract, EpochMessage, calls, message};

use crate::chain::{Chain, DEPLOYER, FORKS, Sent};
use crate::world::{
    HALT_BOND, LENGTH_S, TREASURY, WATCHER, WINDOW_S, World, ZERO_S, address_of, keys, network, person,
    settlement_arguments,
};

const DAY_S: u64 = 86_400;

fn halt(world: &mut World, message: &EpochMessage, wei: u128) -> Sent {
    world.chain.pay(WATCHER, world.settlement, wei, crate::world::halt(message))
}

fn owed(world: &mut World, account: [u8; 20]) -> u128 {
    world.chain.number(world.settlement, "owed(address)", Arguments::new().address(account))
}

fn price(world: &mut World) -> u128 {
    world.chain.number(world.settlement, "haltPrice()", Arguments::new())
}

fn corrected(message: &EpochMessage) -> EpochMessage {
    EpochMessage { revision: message.revision + 1, state_root: Hash([0xc0; 32]), ..message.clone() }
}

#[test]
fn epochs_come_in_order_each_on_the_one_before_it() {
    let mut world = World::new();
    let [zero, one, two] = [0, 1, 2].map(|number| world.epoch(number, &[(person(1), 5)]).message);
    let refused = |world: &mut World, message: &EpochMessage| world.post(message).unwrap_err();
    assert_eq!(world.final_epoch(), None);
    assert_eq!(refused(&mut world, &one), "NotNext", "epoch 0 comes first");
    let strange = EpochMessage { previous: Hash([1; 32]), ..zero.clone() };
    assert_eq!(refused(&mut world, &strange), "NotOnPrevious", "nothing comes before epoch 0");
    world.post(&zero).unwrap();
    assert_eq!(world.final_epoch(), None);
    assert_eq!(refused(&mut world, &zero), "NothingCorrected", "a replay");
    assert_eq!(refused(&mut world, &one), "TooEarly", "the window of epoch 0 is open");
    world.chain.pass(WINDOW_S - 1);
    assert_eq!(refused(&mut world, &one), "TooEarly");
    assert_eq!(world.final_epoch(), None);
    world.chain.pass(1);
    assert_eq!(world.final_epoch(), Some((0, 0)));
    assert_eq!(refused(&mut world, &two), "NotNext");
    assert_eq!(refused(&mut world, &EpochMessage { previous: Hash::ZERO, ..one.clone() }), "NotOnPrevious");
    assert_eq!(refused(&mut world, &EpochMessage { log_size: 2, ..one.clone() }), "LogShrank");
    world.post(&one).unwrap();
    assert_eq!(world.final_epoch(), Some((0, 0)), "while epoch 1 may be challenged, epoch 0 is the last final one");
    assert_eq!(refused(&mut world, &EpochMessage { revision: 1, ..zero }), "NotNext", "what another stands on stays");
    world.chain.pass(WINDOW_S);
    assert_eq!(world.final_epoch(), Some((1, 0)));
    world.post(&two).unwrap();
    assert_eq!(world.final_epoch(), Some((1, 0)));
}

#[test]
fn no_epoch_comes_before_its_own_time_is_over() {
    // Six epochs are over but for a second: the schedule cannot be outrun, whoever signs.
    let mut world = World::new();
    let mut chain = Chain::new(FORKS[3].1, 31_337, ZERO_S + 6 * LENGTH_S - 1);
    let rehearsal = crate::world::auditors_arguments(true, &[address_of(&world.keys[0])], 1);
    let auditors = chain.deploy(&Contract::Auditors.artifact(), &rehearsal);
    let previous = Hash::of(b"statement 4");
    let terms = settlement_arguments(auditors, 5, previous.0);
    let settlement = chain.deploy(&Contract::Settlement.artifact(), &terms);
    let message = world.epoch(5, &[]).message;
    let data = calls::post(&message, &world.signed(&message.digest(&network()), &[0]));
    assert_eq!(chain.send(DEPLOYER, settlement, data.clone()).unwrap_err(), "TooEarly");
    chain.pass(1);
    chain.send(DEPLOYER, settlement, data).expect("a settlement may begin at any epoch, on the statement before it");
    world.chain.pass(1);
}

#[test]
fn nothing_but_a_quorum_posts() {
    let mut world = World::new();
    let message = world.epoch(0, &[(person(1), 5)]).message;
    let digest = message.digest(&network());
    let by = |who: &[usize]| world.signed(&digest, who);
    let other_digest = message.digest(&NetworkId(Hash::of(b"another network")));
    let other_message = EpochMessage { epoch: 1, ..message.clone() }.digest(&network());
    let stranger = keys(100, 1).remove(0);
    let mut with_stranger: Vec<_> = world.keys[..4].iter().chain([&stranger]).collect();
    with_stranger.sort_by_key(|key| address_of(key));
    let with_stranger: Vec<u8> = with_stranger.iter().flat_map(|key| message::sign(key, &digest)).collect();
    let high_s = malleable(&by(&[1, 2, 3, 4]), &by(&[0]));
    let mut bad_v = by(&[0, 1, 2, 3, 4]);
    bad_v[64] -= 27;
    let mut zeros = by(&[0, 1, 2, 3]);
    zeros.extend([0; 65]);
    let cases: Vec<(&str, Vec<u8>, &str)> = vec![
        ("none", vec![], "NoQuorum"),
        ("one too few", by(&[0, 1, 2, 3]), "NoQuorum"),
        ("one twice", by(&[0, 1, 2, 3, 3]), "NotAscending"),
        ("one five times", by(&[2, 2, 2, 2, 2]), "NotAscending"),
        ("not ascending", by(&[0, 1, 3, 2, 4]), "NotAscending"),
        ("the malleable twin of a signature", high_s, "NotAscending"),
        ("v of another form", bad_v, "NotAscending"),
        ("zeros, which recover to nobody", zeros, "NotAscending"),
        ("a stranger among five", with_stranger, "NotAnAuditor"),
        ("a byte short", by(&[0, 1, 2, 3, 4])[..324].to_vec(), "NoQuorum"),
        ("a byte more", [by(&[0, 1, 2, 3, 4]), vec![0]].concat(), "NoQuorum"),
        ("for another network", world.signed(&other_digest, &[0, 1, 2, 3, 4]), "Not"),
        ("over another epoch", world.signed(&other_message, &[0, 1, 2, 3, 4]), "Not"),
    ];
    for (what, signatures, refusal) in cases {
        let refused = world.chain.send(DEPLOYER, world.settlement, calls::post(&message, &signatures)).unwrap_err();
        assert!(refused.starts_with(refusal), "{what}: {refused}");
    }
    let all = world.signed(&digest, &[0, 1, 2, 3, 4, 5, 6]);
    world.chain.send(person(77), world.settlement, calls::post(&message, &all)).expect("anyone may bring a quorum");
}

/// The last signature of `first` made anew with the other `s`, which recovers to the same signer where it is allowed.
fn malleable(rest: &[u8], first: &[u8]) -> Vec<u8> {
    const ORDER: [u8; 32] = [
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe, 0xba, 0xae,
        0xdc, 0xe6, 0xaf, 0x48, 0xa0, 0x3b, 0xbf, 0xd2, 0x5e, 0x8c, 0xd0, 0x36, 0x41, 0x41,
    ];
    let mut twin = first.to_vec();
    let mut borrow = 0i16;
    for i in (0..32).rev() {
        let difference = i16::from(ORDER[i]) - i16::from(first[32 + i]) - borrow;
        borrow = i16::from(difference < 0);
        twin[32 + i] = difference.rem_euclid(256) as u8;
    }
    twin[64] = 55 - first[64];
    [&twin[..], rest].concat()
}

#[test]
fn one_truth_is_posted_on_every_chain_and_each_opens_its_own_row() {
    let (mut here, mut there) = (World::new(), World::on(FORKS[0].1, 8_453));
    let row = |world: &World, total: u128| world.epoch(0, &[(person(1), total)]).row;
    let rows = [row(&here, 700), row(&there, 900)];
    let tree = cairn_settle::SettlementsTree::new(&rows).unwrap();
    let claims = |world: &World, total| {
        let leaves = vec![world.leaf(person(1), total)];
        let tree = cairn_merkle::ClaimTree::new(&leaves).unwrap();
        (leaves, tree)
    };
    let (leaves, claim_tree) = claims(&here, 700);
    let epoch = here.epoch_of(0, leaves, claim_tree, &rows);
    let signatures = here.quorum(&epoch.message);
    for world in [&mut here, &mut there] {
        let data = calls::post(&epoch.message, &signatures);
        world.chain.send(DEPLOYER, world.settlement, data).expect("the same bytes on both chains");
        world.chain.pass(WINDOW_S);
    }
    let open = |place: usize| calls::open(&rows[place], &tree.proof(place).unwrap());
    assert_eq!(here.call_payout(open(1)).unwrap_err(), "NotProven", "the other chain's row");
    assert_eq!(there.call_payout(open(0)).unwrap_err(), "NotProven", "the other chain's row");
    here.call_payout(open(0)).unwrap();
    there.call_payout(open(1)).unwrap();
    assert_eq!(there.call_payout(epoch.claim(0)).unwrap_err(), "NotProven", "a claim of the other chain");
    here.call_payout(epoch.claim(0)).unwrap();
    assert_eq!((here.balance(person(1)), there.balance(person(1))), (700, 0));
}

#[test]
fn a_halt_holds_an_epoch_until_the_quorum_answers() {
    let mut world = World::new();
    let zero = world.epoch(0, &[(person(1), 5)]).message;
    world.post(&zero).unwrap();
    assert_eq!(halt(&mut world, &zero, HALT_BOND - 1).unwrap_err(), "HaltCosts");
    let other = EpochMessage { statement_hash: Hash([9; 32]), ..zero.clone() };
    assert_eq!(halt(&mut world, &other, HALT_BOND).unwrap_err(), "NotToHalt", "only what is named is halted");
    assert_eq!(halt(&mut world, &EpochMessage { revision: 1, ..zero.clone() }, HALT_BOND).unwrap_err(), "NotToHalt");
    halt(&mut world, &zero, HALT_BOND).unwrap();
    assert_eq!(halt(&mut world, &zero, HALT_BOND).unwrap_err(), "NotToHalt", "once");
    world.chain.pass(WINDOW_S * 2);
    assert_eq!(world.final_epoch(), None, "halted");
    // Upheld: another truth of a higher revision. The watcher has the bond again, and a window begins.
    world.post(&corrected(&zero)).unwrap();
    assert_eq!((owed(&mut world, WATCHER), owed(&mut world, TREASURY)), (HALT_BOND, 0));
    assert_eq!(world.final_epoch(), None);
    world.chain.pass(WINDOW_S);
    assert_eq!(world.final_epoch(), Some((0, 1)));
    assert_eq!(halt(&mut world, &corrected(&zero), HALT_BOND).unwrap_err(), "NotToHalt", "too late");
    let before = world.chain.coin(WATCHER);
    let withdraw = Arguments::new().address(WATCHER).call("withdraw(address)");
    world.chain.send(person(5), world.settlement, withdraw.clone()).unwrap();
    assert_eq!(world.chain.coin(WATCHER), before + HALT_BOND);
    assert_eq!(world.chain.send(person(5), world.settlement, withdraw).unwrap_err(), "NothingOwed");
}

#[test]
fn a_halt_that_is_dismissed_or_lapses_costs_its_bond_and_doubles_the_price() {
    let mut world = World::new();
    let zero = world.epoch(0, &[(person(1), 5)]).message;
    world.post(&zero).unwrap();
    halt(&mut world, &zero, HALT_BOND).unwrap();
    // Dismissed: the same truth, signed once more. The window runs on as it was.
    let again = EpochMessage { revision: 1, ..zero.clone() };
    world.post(&again).unwrap();
    assert_eq!((owed(&mut world, WATCHER), owed(&mut world, TREASURY)), (0, HALT_BOND));
    assert_eq!(world.final_epoch(), None);
    assert_eq!(world.post(&EpochMessage { revision: 2, ..zero.clone() }).unwrap_err(), "NothingCorrected", "no halt");
    assert_eq!(halt(&mut world, &again, HALT_BOND).unwrap_err(), "HaltCosts", "twice as much now");
    halt(&mut world, &again, 2 * HALT_BOND).unwrap();
    world.chain.pass(7 * DAY_S - 1);
    assert_eq!(world.final_epoch(), None);
    world.chain.pass(1);
    assert_eq!(world.final_epoch(), Some((0, 1)), "lapsed");
    let one = world.epoch(1, &[(person(1), 5)]).message;
    world.post(&one).unwrap();
    assert_eq!((owed(&mut world, WATCHER), owed(&mut world, TREASURY)), (0, 3 * HALT_BOND));
    assert_eq!(price(&mut world), 4 * HALT_BOND);
    for number in 2..6 {
        world.chain.pass(WINDOW_S);
        let next = world.epoch(number, &[(person(1), 5)]).message;
        world.post(&next).unwrap();
    }
    assert_eq!(price(&mut world), HALT_BOND, "epochs without a halt let it fall again");
}

#[test]
fn holding_every_epoch_up_costs_twice_as_much_each_time_and_a_quorum_ends_it_at_once() {
    let mut world = World::new();
    let mut spent = 0;
    for number in 0..20 {
        let message = world.epoch(number, &[(person(1), 5)]).message;
        world.post(&message).unwrap();
        let price = price(&mut world);
        assert_eq!(price, HALT_BOND << number.min(16));
        world.chain.give(WATCHER, price);
        halt(&mut world, &message, price).unwrap();
        spent += price;
        world.post(&EpochMessage { revision: 1, ..message }).unwrap();
        assert_eq!(owed(&mut world, TREASURY), spent);
        world.chain.pass(WINDOW_S);
        assert_eq!(world.final_epoch(), Some((number, 1)), "delayed by nothing");
    }
}

#[test]
fn a_chain_on_which_nobody_halted_follows_a_correction_made_elsewhere() {
    let mut world = World::new();
    let zero = world.epoch(0, &[(person(1), 5)]).message;
    world.post(&zero).unwrap();
    world.chain.pass(WINDOW_S);
    assert_eq!(world.final_epoch(), Some((0, 0)));
    let better = EpochMessage { statement_hash: Hash::of(b"corrected"), ..corrected(&zero) };
    world.post(&better).unwrap();
    assert_eq!(world.final_epoch(), None, "the correction has its own window");
    assert_eq!(world.post(&zero).unwrap_err(), "NothingCorrected", "what was corrected does not come back");
    world.chain.pass(WINDOW_S);
    assert_eq!(world.final_epoch(), Some((0, 1)));
    let one = world.epoch(1, &[(person(1), 5)]).message;
    assert_eq!(world.post(&one).unwrap_err(), "NotOnPrevious");
    world.post(&EpochMessage { previous: better.statement_hash, ..one }).unwrap();
}

//! What buyers pay, what the event says of it, and where it goes.

use cairn_core::keccak256;
use cairn_settle::abi::{Arguments, address_word, uint_word};
use cairn_settle::{EvmAddress, Word};

use crate::chain::{DEPLOYER, Receipt, for_tests, number};
use crate::token::authorization;
use crate::world::{GUARDIAN, ONE, TREASURY, World, address_of, keys, person};

const BUYER: Word = [0xb0; 32];
const MEMO: Word = [0x3e; 32];
const WITH_AUTHORIZATION: &str =
    "depositWithAuthorization((bytes32,bytes32),uint256,(address,uint256,uint256,bytes32,uint8,bytes32,bytes32))";

fn purpose() -> Arguments {
    Arguments::new().word(BUYER).word(MEMO)
}

fn deposit(amount: u128) -> Vec<u8> {
    purpose().uint(amount).call("deposit((bytes32,bytes32),uint256)")
}

fn deposit_asset(asset: EvmAddress, amount: u128) -> Vec<u8> {
    purpose().address(asset).uint(amount).call("depositAsset((bytes32,bytes32),address,uint256)")
}

fn sweep(asset: EvmAddress) -> Vec<u8> {
    Arguments::new().address(asset).call("sweep(address)")
}

fn approve(world: &mut World, owner: EvmAddress, asset: EvmAddress) {
    let approve = Arguments::new().address(world.deposits).word([0xff; 32]).call("approve(address,uint256)");
    world.chain.send(owner, asset, approve).unwrap();
}

/// Number, buyer, asset, amount, payer, memo of the event.
fn said(receipt: &Receipt) -> (u128, Word, Word, u128, Word, Word) {
    let (_, topics, data) = receipt.event("Deposited(uint64,bytes32,address,uint256,address,bytes32)").unwrap();
    let word = |i: usize| data[32 * i..32 * (i + 1)].try_into().unwrap();
    (number(&topics[1]), topics[2], topics[3], number(&word(0)), word(1), word(2))
}

fn balance(world: &mut World, asset: EvmAddress, account: EvmAddress) -> u128 {
    world.chain.number(asset, "balanceOf(address)", Arguments::new().address(account))
}

fn world_with(owner: EvmAddress) -> World {
    let mut world = World::new();
    let epoch = world.epoch(0, &[(owner, 10 * ONE)]);
    world.settle(&epoch);
    world.call_payout(epoch.claim(0)).unwrap();
    world
}

/// A world with an asset of this kind taken, of which a person has a hundred tokens, approved.
fn with_asset(kind: &str) -> (World, EvmAddress) {
    let mut world = World::new();
    let asset = world.chain.deploy(&for_tests(kind), &Arguments::new());
    let deposits = world.deposits;
    let allow = Arguments::new().address(asset).uint(true).call("allow(address,bool)");
    world.by_timelock(deposits, &allow).unwrap();
    if kind != "RefusingAsset" {
        let give = Arguments::new().address(person(1)).uint(100 * ONE).call("give(address,uint256)");
        world.chain.send(DEPLOYER, asset, give).unwrap();
    }
    approve(&mut world, person(1), asset);
    (world, asset)
}

#[test]
fn tokens_are_burned_and_the_event_says_what_was_paid_by_whom_for_whom() {
    let mut world = world_with(person(1));
    let (token, deposits) = (world.token, world.deposits);
    assert_eq!(world.chain.send(person(1), deposits, deposit(ONE)).unwrap_err(), "ERC20InsufficientAllowance");
    approve(&mut world, person(1), token);
    let first = world.chain.send(person(1), deposits, deposit(3 * ONE)).unwrap();
    assert_eq!(said(&first), (0, BUYER, address_word(token), 3 * ONE, address_word(person(1)), MEMO));
    let second = world.chain.send(person(1), deposits, deposit(1)).unwrap();
    assert_eq!(said(&second).0, 1, "counted without gaps");
    assert_eq!(world.chain.send(person(1), deposits, deposit(0)).unwrap_err(), "NothingArrived");
    assert_eq!(world.chain.send(person(1), deposits, deposit(7 * ONE)).unwrap_err(), "ERC20InsufficientBalance");
    assert_eq!((world.supply(), world.balance(deposits)), (7 * ONE - 1, 0));
}

#[test]
fn what_was_burned_for_credit_may_be_paid_out_again_and_supply_stays_below_the_table() {
    let mut world = World::new();
    let all = crate::world::PER_EPOCH;
    let zero = world.epoch(0, &[(person(1), all)]);
    world.settle(&zero);
    world.call_payout(zero.claim(0)).unwrap();
    let (token, deposits) = (world.token, world.deposits);
    approve(&mut world, person(1), token);
    world.chain.send(person(1), deposits, deposit(600)).unwrap();
    // Epoch 1 pays what it emits and what the buyer paid, and not a unit more.
    let over = world.epoch(1, &[(person(1), all), (person(2), all + 601)]);
    world.post(&over.message).unwrap();
    world.chain.pass(crate::world::WINDOW_S);
    assert_eq!(world.call_payout(over.open()).unwrap_err(), "BeyondEmission");
    let fits = world.epoch(1, &[(person(1), all), (person(2), all + 600)]);
    let message = cairn_settle::EpochMessage { revision: 1, ..fits.message.clone() };
    world.post(&message).unwrap();
    world.chain.pass(crate::world::WINDOW_S);
    world.call_payout(fits.open()).unwrap();
    assert_eq!(world.supply(), 2 * all);
}

#[test]
fn a_deposit_by_signature_is_for_whom_and_what_the_owner_signed_whoever_sends_it() {
    let owner = keys(90, 1).remove(0);
    let mut world = world_with(address_of(&owner));
    let (now, deposits) = (world.chain.now_s(), world.deposits);
    let salt = [5; 32];
    let nonce = keccak256(&[BUYER, MEMO, salt].concat());
    let terms = (4 * ONE, now - 1, now + 100);
    let signed = authorization(&mut world, &owner, "ReceiveWithAuthorization", deposits, terms, nonce).encode();
    let tail: Vec<Word> = signed[192..].chunks_exact(32).map(|word| word.try_into().unwrap()).collect();
    let call = |buyer: Word, memo: Word, amount: u128, salt: Word| {
        let arguments = Arguments::new().word(buyer).word(memo).uint(amount).address(address_of(&owner));
        arguments.uint(now - 1).uint(now + 100).word(salt).fields(&tail).call(WITH_AUTHORIZATION)
    };
    let thief = [0xbb; 32];
    for (what, forged) in [
        ("another buyer", call(thief, MEMO, 4 * ONE, salt)),
        ("another memo", call(BUYER, thief, 4 * ONE, salt)),
        ("another amount", call(BUYER, MEMO, 3 * ONE, salt)),
        ("another salt", call(BUYER, MEMO, 4 * ONE, thief)),
    ] {
        assert_eq!(world.chain.send(person(8), deposits, forged).unwrap_err(), "AuthorizationSigner", "{what}");
    }
    // Nor can it be used up outside, by sending it to the token alone.
    let alone =
        Arguments::new().address(address_of(&owner)).address(deposits).uint(4 * ONE).uint(now - 1).uint(now + 100);
    let alone = alone.word(nonce).fields(&tail);
    let name = "receiveWithAuthorization(address,address,uint256,uint256,uint256,bytes32,uint8,bytes32,bytes32)";
    assert_eq!(world.chain.send(person(8), world.token, alone.call(name)).unwrap_err(), "AuthorizationReceiver");
    let receipt = world.chain.send(person(8), deposits, call(BUYER, MEMO, 4 * ONE, salt)).unwrap();
    assert_eq!(said(&receipt).3, 4 * ONE);
    assert_eq!(said(&receipt).4, address_word(address_of(&owner)), "the owner paid, not the sender");
    let again = world.chain.send(person(8), deposits, call(BUYER, MEMO, 4 * ONE, salt)).unwrap_err();
    assert_eq!(again, "AuthorizationUsedUp");
}

#[test]
fn assets_are_taken_if_the_timelock_says_so_and_go_to_the_treasurys_shares() {
    let (mut world, asset) = with_asset("CallingAsset");
    let deposits = world.deposits;
    let receipt = world.chain.send(person(1), deposits, deposit_asset(asset, 101)).unwrap();
    assert_eq!(said(&receipt), (0, BUYER, address_word(asset), 101, address_word(person(1)), MEMO));
    world.chain.send(person(8), deposits, sweep(asset)).unwrap();
    let shares = [TREASURY, person(9_000)].map(|share| balance(&mut world, asset, share));
    assert_eq!(shares, [70, 31], "what rounding leaves goes to the last");
    let allow = Arguments::new().address(asset).uint(false).call("allow(address,bool)");
    for who in [GUARDIAN, person(1), DEPLOYER] {
        assert_eq!(world.chain.send(who, deposits, allow.clone()).unwrap_err(), "NotTimelock");
    }
    world.by_timelock(deposits, &allow).unwrap();
    assert_eq!(world.chain.send(person(1), deposits, deposit_asset(asset, 1)).unwrap_err(), "NotTaken");
    let token = world.token;
    let allow_token = Arguments::new().address(token).uint(true).call("allow(address,bool)");
    world.by_timelock(deposits, &allow_token).unwrap_err();
    assert_eq!(world.chain.send(person(1), deposits, deposit_asset(token, 1)).unwrap_err(), "NotTaken");
}

#[test]
fn shares_are_a_million_together_and_nobody_but_the_timelock_sets_them() {
    let mut world = World::new();
    let split = |shares: &[(EvmAddress, u32)]| {
        let rows = shares.iter().map(|(to, ppm)| [address_word(*to), uint_word(*ppm)]);
        Arguments::new().rows(rows).call("split((address,uint32)[])")
    };
    let deposits = world.deposits;
    let good = split(&[(person(1), 999_999), (person(2), 1)]);
    assert_eq!(world.chain.send(GUARDIAN, deposits, good.clone()).unwrap_err(), "NotTimelock");
    for bad in [split(&[]), split(&[(person(1), 999_999)]), split(&[([0; 20], 1_000_000)]), split(&[(person(1), 0); 9])]
    {
        world.by_timelock(deposits, &bad).unwrap_err();
    }
    world.by_timelock(deposits, &good).unwrap();
}

#[test]
fn what_arrives_counts_not_what_was_announced() {
    let (mut world, asset) = with_asset("TakingAsset");
    let deposits = world.deposits;
    let receipt = world.chain.send(person(1), deposits, deposit_asset(asset, 1_000)).unwrap();
    assert_eq!(said(&receipt).3, 990, "the asset kept ten");
    let (mut world, asset) = with_asset("RefusingAsset");
    let deposits = world.deposits;
    let refused = world.chain.send(person(1), deposits, deposit_asset(asset, 1_000)).unwrap_err();
    assert_eq!(refused, "SafeERC20FailedOperation");
}

#[test]
fn an_asset_that_calls_back_counts_nothing_twice() {
    for inner in ["deposit", "sweep"] {
        let (mut world, asset) = with_asset("CallingAsset");
        let deposits = world.deposits;
        let give = Arguments::new().address(asset).uint(50u8).call("give(address,uint256)");
        world.chain.send(DEPLOYER, asset, give).unwrap();
        let approve_as = Arguments::new().address(deposits).word([0xff; 32]).call("approveAs(address,uint256)");
        world.chain.send(DEPLOYER, asset, approve_as).unwrap();
        let said_inside = if inner == "deposit" { deposit_asset(asset, 50) } else { sweep(asset) };
        let arm = Arguments::new().address(deposits).bytes(&said_inside).call("arm(address,bytes)");
        world.chain.send(DEPLOYER, asset, arm).unwrap();
        let receipt = world.chain.send(person(1), deposits, deposit_asset(asset, 100)).unwrap();
        assert_eq!(said(&receipt).3, 100, "{inner}");
        let [tried, done] = ["times()", "answered()"].map(|name| world.chain.number(asset, name, Arguments::new()));
        assert_eq!((tried, done), (1, 0), "{inner}: it called back and was refused");
        assert_eq!(world.chain.number(deposits, "count()", Arguments::new()), 1, "{inner}");
    }
}

#[test]
fn the_guardian_stops_deposits_and_what_is_there_can_still_be_swept() {
    let (mut world, asset) = with_asset("CallingAsset");
    let deposits = world.deposits;
    world.chain.send(person(1), deposits, deposit_asset(asset, 10)).unwrap();
    world.chain.send(GUARDIAN, deposits, Arguments::new().call("pause()")).unwrap();
    assert_eq!(world.chain.send(person(1), deposits, deposit_asset(asset, 10)).unwrap_err(), "IsPaused");
    assert_eq!(world.chain.send(person(1), deposits, deposit(1)).unwrap_err(), "IsPaused");
    world.chain.send(person(1), deposits, sweep(asset)).unwrap();
    world.by_timelock(deposits, &Arguments::new().call("unpause()")).unwrap();
    world.chain.send(person(1), deposits, deposit_asset(asset, 10)).unwrap();
}
